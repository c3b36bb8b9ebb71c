"""Who may do what at AWS: the members of the declared IAM groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any

from golive.environments import Environment
from golive.people.roster import Person
from golive.probes.transport.rights import permitted
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, unseen_among


@dataclass(frozen=True, slots=True)
class AwsGroups:
    """The names of users by what their group may do, e.g. ``dns``."""

    members: dict[str, tuple[str, ...] | Unseen]

    @property
    def seen(self) -> dict[str, tuple[str, ...]]:
        """The groups that could be looked at."""
        return {p: m for p, m in self.members.items() if not isinstance(m, Unseen)}

    def lack(self, person: Person, purposes: tuple[str, ...]) -> list[str]:
        """What somebody may not do, as far as could be seen. A user's name is the person's id or
        mail address."""
        names = {person.id, person.email}
        hidden = self.members.keys() - self.seen.keys()
        may = {p for p, members in self.seen.items() if names & set(members)}
        return [p for p in purposes if p not in may | hidden]

    def lacking(self, people: list[Person], purposes: tuple[str, ...]) -> list[str] | Unseen:
        """Who may not do all of it, each with what; unseen where nobody is known to, and of one
        of the groups it could not be seen."""
        found = [f"{p.name} ({', '.join(w)})" for p in people if (w := self.lack(p, purposes))]
        unseen = unseen_among(self.members.get(p) for p in purposes)
        return found if found or unseen is None else unseen


@dataclass(frozen=True, slots=True)
class AwsUser:
    """An IAM user of one of the declared groups."""

    name: str
    has_second_factor: bool | Unseen
    last_used_at: datetime | None
    """When its password or one of its keys was last used, as far as could be seen; None: never."""
    use_unseen: Unseen | None = None
    """Why the use of its password, or of some keys, could not be looked at."""

    def unused_days(self, now: datetime) -> float:
        """Since it was last used; infinite where it never was."""
        at = self.last_used_at
        return inf if at is None else (now - at) / timedelta(days=1)


def without_second_factor(users: tuple[AwsUser, ...] | Unseen) -> list[str] | Unseen:
    """Users who have none; unseen where nobody is known to, and of one it could not be seen."""
    if isinstance(users, Unseen):
        return users
    unseen = unseen_among(u.has_second_factor for u in users)
    found = [
        u.name
        for u in users
        if not isinstance(u.has_second_factor, Unseen) and not u.has_second_factor
    ]
    return found if found or unseen is None else unseen


def unused_days(
    users: tuple[AwsUser, ...] | Unseen, now: datetime, most: float
) -> dict[str, float] | Unseen:
    """Days since each user's last use; unseen where nobody is known to be over ``most``, and
    somebody whose use could only be seen in part may be."""
    if isinstance(users, Unseen):
        return users
    days = [(u, u.unused_days(now)) for u in users]
    told = {u.name: age for u, age in days if age <= most or u.use_unseen is None}
    unseen = unseen_among(u.use_unseen for u in users if u.name not in told)
    return told if unseen is None or any(age > most for age in told.values()) else unseen


@probe()
def aws_groups(env: Environment) -> AwsGroups:
    """The members of every declared IAM group."""
    if not env.aws.groups:
        raise ProbeError("IAM groups", "none is declared", "declare them under aws.groups")
    with _asking(env, "check aws.groups, and whether this key may call iam:GetGroup") as iam:
        found = {
            purpose: permitted("iam:GetGroup", f"the IAM group {group}", _members, iam, group)
            for purpose, group in env.aws.groups.items()
        }
    refused = [m for m in found.values() if isinstance(m, Unseen)]
    if len(refused) == len(found):
        raise refused[0].error
    return AwsGroups(found)


@probe()
def aws_users(env: Environment, aws_groups: AwsGroups) -> tuple[AwsUser, ...]:
    """The second factor and the last use of everybody in a declared IAM group."""
    names = sorted({one for members in aws_groups.seen.values() for one in members})
    with _asking(env, "check that the users of these groups are still there") as iam:
        users = tuple(_user(iam, name) for name in names)
    factors = [u.has_second_factor for u in users if isinstance(u.has_second_factor, Unseen)]
    uses = [u.use_unseen for u in users if u.use_unseen is not None]
    if users and len(factors) == len(uses) == len(users):
        raise factors[0].error
    return users


def _user(iam: Any, name: str) -> AwsUser:
    subject = f"the IAM user {name}"
    devices = permitted("iam:ListMFADevices", subject, _devices, iam, name)
    password = permitted("iam:GetUser", subject, _password_used, iam, name)
    keys = permitted("iam:ListAccessKeys", subject, _keys, iam, name)
    looks: list[datetime | Unseen | None] = [password]
    if isinstance(keys, Unseen):
        looks.append(keys)
    else:
        right = "iam:GetAccessKeyLastUsed"
        looks += [permitted(right, subject, _key_used, iam, key) for key in keys]
    return AwsUser(
        name,
        devices,
        max((at for at in looks if isinstance(at, datetime)), default=None),
        unseen_among(looks),
    )


def _members(iam: Any, group: str) -> tuple[str, ...]:
    pages = iam.get_paginator("get_group").paginate(GroupName=group)
    return tuple(u["UserName"] for page in pages for u in page["Users"])


def _devices(iam: Any, name: str) -> bool:
    return bool(iam.list_mfa_devices(UserName=name)["MFADevices"])


def _password_used(iam: Any, name: str) -> datetime | None:
    at: datetime | None = iam.get_user(UserName=name)["User"].get("PasswordLastUsed")
    return at


def _keys(iam: Any, name: str) -> list[str]:
    pages = iam.get_paginator("list_access_keys").paginate(UserName=name)
    return [str(key["AccessKeyId"]) for page in pages for key in page["AccessKeyMetadata"]]


def _key_used(iam: Any, key: str) -> datetime | None:
    found = iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    at: datetime | None = found.get("LastUsedDate")
    return at


@contextmanager
def _asking(env: Environment, step: str) -> Iterator[Any]:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    local: dict[str, Any] = {"proxies": {}} if env.aws.endpoint_url else {}
    iam = boto3.session.Session(
        aws_access_key_id=env.aws.access_key_id.reveal(),
        aws_secret_access_key=env.aws.secret_access_key.reveal(),
        region_name=env.backups.source.region,
    ).client(
        "iam",
        endpoint_url=env.aws.endpoint_url or None,
        config=Config(
            connect_timeout=env.time_limits.connect,
            read_timeout=env.time_limits.probe,
            retries={"total_max_attempts": 2},
            **local,
        ),
    )
    try:
        yield iam
    except ClientError as e:
        raise ProbeError("IAM", e, step) from None
    except BotoCoreError as e:
        raise ProbeError("IAM", e, "check that AWS can be reached from here") from None
