"""Secrets Manager: what a synthetic secret goes through, and how the product's own are kept."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import msgspec

from golive.environments import Environment
from golive.probes.platform.aws_clients import Credentials, asking, assumed, client, is_denied
from golive.probes.transport import commands
from golive.probes.transport.rights import permitted
from golive.probing import pause, probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_STEP = "check [secrets_manager] in the environment file, and what this key may do"
_LEFT_BEHIND = timedelta(hours=1)
"""A synthetic secret older than this is one of a run that was ended before it could clean up."""
_POLL_S = 0.5
_GRACE = 1.25
"""Of the time to wait: a little beyond it, so that a late value is told with its time."""


@dataclass(frozen=True, slots=True)
class SecretRotation:
    """What became of a synthetic secret, which is deleted again."""

    name: str
    app_failure: str | Unseen
    """Why the app role did not read what was created; empty: it did."""
    read_after_s: dict[str, float] | Unseen
    """Until each instance's own client had the new value; infinite where it never had."""
    unreadable: tuple[str, ...] | Unseen
    """Instances whose client did not have the first value either, and why."""
    outside_reads: bool | Unseen
    """Whether the outside role got the value."""

    @property
    def read_by_outsiders(self) -> list[str] | Unseen:
        """Its name where the outside role may read it."""
        if isinstance(self.outside_reads, Unseen):
            return self.outside_reads
        return [self.name] if self.outside_reads else []


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A declared secret; never its value."""

    name: str
    exists: bool
    key: str | Unseen
    """ARN of the key that encrypts it."""
    declared_key: str | Unseen
    key_state: str | Unseen
    """Of the declared key."""
    rotated_at: datetime | Unseen | None
    """When the value that is current was written."""
    outside_reads: bool | Unseen
    """Whether the outside role may read it."""

    @property
    def is_under_its_key(self) -> bool | Unseen:
        """Whether the declared key encrypts it."""
        unseen = unseen_among((self.key, self.declared_key))
        return self.key == self.declared_key if unseen is None else unseen

    def age_days(self, now: datetime) -> float:
        """Since its value was written; infinite where it has none."""
        at = self.rotated_at
        return (now - at) / timedelta(days=1) if isinstance(at, datetime) else inf


@dataclass(frozen=True, slots=True)
class KeptSecrets:
    """Every declared secret."""

    all: tuple[KeptSecret, ...]
    observed_at: datetime

    @property
    def missing(self) -> list[str]:
        """Declared ones that are not there, or are on their way out."""
        return [s.name for s in self.all if not s.exists]

    @property
    def of_another_key(self) -> list[str] | Unseen:
        """Those that the declared key does not encrypt, and what does."""
        return self._where_not(lambda s: s.is_under_its_key, lambda s: f"{s.name} ({s.key})")

    @property
    def of_unusable_keys(self) -> list[str] | Unseen:
        """Those whose key is not enabled, and its state."""
        return self._where_not(
            lambda s: s.key_state == "Enabled", lambda s: f"{s.name} ({s.key_state})"
        )

    @property
    def read_by_outsiders(self) -> list[str] | Unseen:
        """Those that the outside role may read."""
        return self._where_not(
            lambda s: (
                s.outside_reads if isinstance(s.outside_reads, Unseen) else not s.outside_reads
            ),
            lambda s: s.name,
        )

    def ages_days(self, most: float) -> dict[str, float] | Unseen:
        """Since each value was written; unseen where none is known to be older than ``most``, and
        of one it could not be seen."""
        there = [s for s in self.all if s.exists]
        known = [s for s in there if not isinstance(s.rotated_at, Unseen)]
        ages = {s.name: s.age_days(self.observed_at) for s in known}
        unseen = unseen_among(s.rotated_at for s in there)
        return ages if unseen is None or any(a > most for a in ages.values()) else unseen

    def _where_not(
        self, holds: Callable[[KeptSecret], Any], named: Callable[[KeptSecret], str]
    ) -> list[str] | Unseen:
        """Secrets that are there and of which something does not hold; unseen where that is known
        of none, and one could not be looked at."""
        looks = [(s, holds(s)) for s in self.all if s.exists]
        found = [named(s) for s, held in looks if not isinstance(held, Unseen) and not held]
        unseen = unseen_among(held for _, held in looks)
        return found if found or unseen is None else unseen


class _Read(msgspec.Struct):
    sha256: str


# -- a synthetic one ---------------------------------------------------------------------------


@probe(effect="write", limit="drill")
def secret_rotation(env: Environment) -> SecretRotation:
    """A synthetic secret made, read by the app role and each instance, rotated, and read again."""
    said = env.secrets_manager
    region, key = said.region, said.kms_key
    name = f"{said.synthetic_prefix}{secrets.token_hex(6)}"
    first, second = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with asking(env, f"the synthetic secret {name}", _STEP, region, "secretsmanager") as manager:
        _clean_up(manager, said.synthetic_prefix)
        try:
            manager.create_secret(
                Name=name,
                SecretString=first,
                KmsKeyId=key,
                Description="Synthetic: made by a check, and deleted by it.",
            )
            app = seen(assumed, env, said.app_role, region)
            outside = seen(assumed, env, said.outside_role, region)
            failure = _app_failure(env, app, name, first)
            looked = seen(_reads, env, manager, name, first, second)
            return SecretRotation(
                name,
                failure,
                looked if isinstance(looked, Unseen) else looked[0],
                looked if isinstance(looked, Unseen) else looked[1],
                outside if isinstance(outside, Unseen) else _reads_it(env, outside, name),
            )
        finally:
            manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _clean_up(manager: Any, prefix: str) -> None:
    """Delete synthetic secrets that an earlier run left behind, where this key may."""

    def old() -> None:
        pages = manager.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [prefix]}]
        )
        before = datetime.now(UTC) - _LEFT_BEHIND
        # Only what looks like a name of this probe's: the prefix may hold others.
        ours = re.compile(re.escape(prefix) + r"[0-9a-f]{12}")
        for page in pages:
            for one in page["SecretList"]:
                if ours.fullmatch(one["Name"]) and one["CreatedDate"] < before:
                    manager.delete_secret(SecretId=one["Name"], ForceDeleteWithoutRecovery=True)

    permitted("secretsmanager:ListSecrets", "synthetic secrets", old)


def _app_failure(
    env: Environment, app: Credentials | Unseen, name: str, value: str
) -> str | Unseen:
    from botocore.exceptions import ClientError

    if isinstance(app, Unseen):
        return app
    manager = client(env, "secretsmanager", env.secrets_manager.region, app)
    try:
        found = manager.get_secret_value(SecretId=name)["SecretString"]
    except ClientError as e:
        return f"the app role may not read it: {e.response['Error']['Code']}"
    return "" if found == value else "the app role read another value"


def _reads_it(env: Environment, who: Credentials, name: str) -> bool:
    manager = client(env, "secretsmanager", env.secrets_manager.region, who)
    return not is_denied(manager.get_secret_value, SecretId=name)


def _reads(
    env: Environment, manager: Any, name: str, first: str, second: str
) -> tuple[dict[str, float], tuple[str, ...]]:
    """When each instance's client had the second value, and which never had the first."""
    instances, wait_s = env.application.instances, _GRACE * env.windows.secret_rotation_s
    command, limit_s = env.secrets_manager.read_command, env.time_limits.connect + 5
    key = "secrets_manager.read_command"
    if not command:
        raise ProbeError(key, "it is empty", "write the command that reads as an instance does")
    if not instances:
        raise ProbeError("application.instances", "none is declared", "declare every instance")

    def look(instance: Any, value: str, since: float) -> float | ProbeError:
        """Seconds until it had the value; why not, where it never answered."""
        wanted = hashlib.sha256(value.encode()).hexdigest()
        values = {"instance": instance.name, "url": instance.url, "secret": name}
        while True:
            failure: ProbeError | None = None
            try:
                read = commands.run(command, values, key=key, within_s=limit_s, answer=_Read)
            except ProbeError as e:
                failure = e
            else:
                if read.sha256 == wanted:
                    return time.monotonic() - since
            if time.monotonic() - since > wait_s:
                return failure or inf
            time.sleep(_POLL_S)

    def all_of(value: str) -> list[float | ProbeError]:
        since = time.monotonic()
        with ThreadPoolExecutor(min(8, len(instances))) as pool:
            return list(pool.map(lambda one: look(one, value, since), instances))

    before = all_of(first)
    pause(0)  # ends here where the session has ended
    manager.put_secret_value(SecretId=name, SecretString=second)
    after = all_of(second)
    failures = [f for f in (*before, *after) if isinstance(f, ProbeError)]
    if len(failures) == 2 * len(instances):  # the command itself does not work
        raise failures[0]
    lost = tuple(
        f"{one.name} ({found.cause if isinstance(found, ProbeError) else 'another value'})"
        for one, found in zip(instances, before, strict=True)
        if isinstance(found, ProbeError) or found == inf
    )
    return {
        one.name: inf if isinstance(found, ProbeError) else found
        for one, found in zip(instances, after, strict=True)
    }, lost


# -- the product's own -------------------------------------------------------------------------


@probe()
def kept_secrets(env: Environment) -> KeptSecrets:
    """Every declared secret: its key, when it was rotated, and whether outsiders may read it."""
    said = env.secrets_manager
    names: Sequence[str] = said.names
    outside = seen(assumed, env, said.outside_role, said.region)
    step = "check secrets_manager.region, and what this key may read there"
    with asking(
        env, f"Secrets Manager in {said.region}", step, said.region, "secretsmanager", "kms"
    ) as (manager, kms):
        keys = {key: _key(kms, key) for key in {said.key_of(name) for name in names}}
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(lambda n: _kept(env, manager, kms, keys, outside, n), names)
            return KeptSecrets(tuple(found), datetime.now(UTC))


def _kept(
    env: Environment,
    manager: Any,
    kms: Any,
    keys: dict[str, tuple[str | Unseen, str | Unseen]],
    outside: Credentials | Unseen,
    name: str,
) -> KeptSecret:
    subject = f"the secret {name}"
    declared, state = keys[env.secrets_manager.key_of(name)]
    try:
        told: Any = permitted(
            "secretsmanager:DescribeSecret", subject, manager.describe_secret, SecretId=name
        )
    except manager.exceptions.ResourceNotFoundException:
        return KeptSecret(name, False, "", declared, state, None, False)
    if isinstance(told, Unseen):
        return KeptSecret(name, True, told, declared, state, told, told)
    if told.get("DeletedDate"):
        return KeptSecret(name, False, "", declared, state, None, False)
    # Without one of its own, AWS's key of the account encrypts it.
    key, _ = _key(kms, told.get("KmsKeyId") or "alias/aws/secretsmanager")
    right = "secretsmanager:ListSecretVersionIds"
    rotated = permitted(right, subject, _current_since, manager, name)
    reads = outside if isinstance(outside, Unseen) else _reads_it(env, outside, name)
    return KeptSecret(name, True, key, declared, state, rotated, reads)


def _current_since(manager: Any, name: str) -> datetime | None:
    """When the current value was written; LastChangedDate would count a new description, too."""
    token: dict[str, str] = {}
    while True:
        page = manager.list_secret_version_ids(SecretId=name, **token)
        for version in page["Versions"]:
            if "AWSCURRENT" in version.get("VersionStages", []):
                at: datetime = version["CreatedDate"]
                return at
        if not page.get("NextToken"):
            return None
        token = {"NextToken": page["NextToken"]}


def _key(kms: Any, key: str) -> tuple[str | Unseen, str | Unseen]:
    """A key's ARN and state."""
    try:
        found: Any = permitted("kms:DescribeKey", f"the key {key}", kms.describe_key, KeyId=key)
    except kms.exceptions.NotFoundException:
        return key, "not there"
    if isinstance(found, Unseen):
        # An ARN needs nobody to tell it; that of an alias is not its key's.
        return (key if re.fullmatch(r"arn:.*:key/.*", key) else found), found
    return found["KeyMetadata"]["Arn"], found["KeyMetadata"].get("KeyState", "unknown")
