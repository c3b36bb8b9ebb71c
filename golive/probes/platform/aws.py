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
from golive.probing import probe
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class AwsGroups:
    """The names of users by what their group may do, e.g. ``dns``."""

    members: dict[str, tuple[str, ...]]

    def lack(self, person: Person, purposes: tuple[str, ...]) -> list[str]:
        """What somebody may not do. A user's name is the person's id or mail address."""
        names = {person.id, person.email}
        return [p for p in purposes if not names & set(self.members.get(p, ()))]


@dataclass(frozen=True, slots=True)
class AwsUser:
    """An IAM user of one of the declared groups."""

    name: str
    has_second_factor: bool
    last_used_at: datetime | None
    """When its password or one of its keys was last used; None: never."""

    def unused_days(self, now: datetime) -> float:
        """Since it was last used; infinite where it never was."""
        at = self.last_used_at
        return inf if at is None else (now - at) / timedelta(days=1)


@probe()
def aws_groups(env: Environment) -> AwsGroups:
    """The members of every declared IAM group."""
    if not env.aws.groups:
        raise ProbeError("IAM groups", "none is declared", "declare them under aws.groups")
    with _asking(env, "check aws.groups, and whether this key may call iam:GetGroup") as iam:
        found: dict[str, tuple[str, ...]] = {}
        for purpose, group in env.aws.groups.items():
            pages = iam.get_paginator("get_group").paginate(GroupName=group)
            found[purpose] = tuple(u["UserName"] for page in pages for u in page["Users"])
    return AwsGroups(found)


@probe()
def aws_users(env: Environment, aws_groups: AwsGroups) -> tuple[AwsUser, ...]:
    """The second factor and the last use of everybody in a declared IAM group."""
    names = sorted({one for members in aws_groups.members.values() for one in members})
    step = (
        "see whether this key may call iam:ListMFADevices, iam:GetUser, iam:ListAccessKeys and"
        " iam:GetAccessKeyLastUsed"
    )
    with _asking(env, step) as iam:
        return tuple(_user(iam, name) for name in names)


def _user(iam: Any, name: str) -> AwsUser:
    used = [iam.get_user(UserName=name)["User"].get("PasswordLastUsed")]
    for page in iam.get_paginator("list_access_keys").paginate(UserName=name):
        for key in page["AccessKeyMetadata"]:
            last = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
            used.append(last["AccessKeyLastUsed"].get("LastUsedDate"))
    devices = iam.list_mfa_devices(UserName=name)["MFADevices"]
    return AwsUser(name, bool(devices), max((at for at in used if at), default=None))


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
