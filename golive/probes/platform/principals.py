"""Who can log in: accounts at AWS, roles of the database, and whether their list is signed."""

from __future__ import annotations

import csv
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive.environments import Environment
from golive.papers.compliance import AccessList
from golive.people import roster
from golive.probes.data.postgres import connect
from golive.probes.platform.aws_clients import asking
from golive.probes.transport.rights import permitted
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError, Unseen

_ROOT = "<root_account>"
_POLL_S = 1.0
_NOT_YET = frozenset({"ReportNotPresent", "ReportInProgress", "ReportExpired"})
_REGION = "us-east-1"
"""IAM is the same in all of them."""


@dataclass(frozen=True, slots=True)
class AwsAccount:
    """A user of IAM."""

    name: str
    has_password: bool
    has_second_factor: bool
    key_days: tuple[float, ...]
    """How old each active access key is."""


@dataclass(frozen=True, slots=True)
class AwsAccounts:
    """Every user of IAM, and the root user's keys."""

    all: tuple[AwsAccount, ...]
    root_keys: int
    """Active access keys and certificates of the root user."""
    root_has_second_factor: bool

    @property
    def names(self) -> list[str]:
        """Of every user."""
        return [a.name for a in self.all]

    def without_second_factor(self, people: Collection[str]) -> list[str]:
        """Who of these people has none; the root user is everybody's."""
        found = [a.name for a in self.all if a.name in people and not a.has_second_factor]
        return found if self.root_has_second_factor else ["the root user", *found]

    def with_keys_older_than(self, days: float) -> list[str]:
        """Users with an active key that is older, and how old it is."""
        return [
            f"{a.name} ({max(a.key_days):.0f} d)"
            for a in self.all
            if a.key_days and max(a.key_days) > days
        ]


@probe()
def aws_accounts(env: Environment) -> AwsAccounts:
    """Every user of IAM by the credential report, and those who have come since it was made."""
    step = "permit iam:GenerateCredentialReport, iam:GetCredentialReport and iam:ListUsers"
    with asking(env, "accounts at AWS", step, _REGION, "iam") as iam:
        rows = _report(iam, env.time_limits.probe)
        now = datetime.now(UTC)
        reported = {row["user"]: _account(row, now) for row in rows if row["user"] != _ROOT}

        def listed() -> list[str]:
            pages = iam.get_paginator("list_users").paginate()
            return [u["UserName"] for page in pages for u in page["Users"]]

        names: Any = permitted("iam:ListUsers", "users of IAM", listed)
        if isinstance(names, Unseen):
            raise names.error
        # The report may be hours old: who has gone is left out, who has come is looked at.
        found = [reported.get(name) or _looked_at(iam, name, now) for name in names]
    root = next((row for row in rows if row["user"] == _ROOT), None)
    if root is None:
        raise ProbeError("the credential report", "the root user is not in it", "see it by hand")
    kinds = ("access_key_1", "access_key_2", "cert_1", "cert_2")
    keys = sum(root.get(f"{kind}_active") == "true" for kind in kinds)
    return AwsAccounts(tuple(found), keys, root.get("mfa_active") == "true")


def _report(iam: Any, limit_s: float) -> list[dict[str, str]]:
    """The rows of the credential report, which AWS takes a while to make."""
    from botocore.exceptions import ClientError

    until = time.monotonic() + 0.8 * limit_s
    while True:
        state = iam.generate_credential_report().get("State")
        try:
            if state == "COMPLETE":
                content = iam.get_credential_report()["Content"]
                return list(csv.DictReader(content.decode().splitlines()))
        except ClientError as e:
            if e.response["Error"]["Code"] not in _NOT_YET:
                raise
        if time.monotonic() > until:
            cause = f"it was not made within {0.8 * limit_s:.0f} s"
            raise ProbeError("the credential report", cause, "run again: AWS goes on making it")
        time.sleep(_POLL_S)


def _account(row: dict[str, str], now: datetime) -> AwsAccount:
    ages = []
    for n in (1, 2):
        if row.get(f"access_key_{n}_active") == "true":
            made = row.get(f"access_key_{n}_last_rotated", "")
            # A key without a day is as old as its user.
            since = made if made[:1].isdigit() else row["user_creation_time"]
            ages.append((now - datetime.fromisoformat(since)) / timedelta(days=1))
    return AwsAccount(
        row["user"],
        row.get("password_enabled") == "true",
        row.get("mfa_active") == "true",
        tuple(ages),
    )


def _looked_at(iam: Any, name: str, now: datetime) -> AwsAccount:
    devices = iam.list_mfa_devices(UserName=name)["MFADevices"]
    keys = [
        key
        for page in iam.get_paginator("list_access_keys").paginate(UserName=name)
        for key in page["AccessKeyMetadata"]
        if key["Status"] == "Active"
    ]
    try:
        iam.get_login_profile(UserName=name)
        has_password = True
    except iam.exceptions.NoSuchEntityException:
        has_password = False
    ages = tuple((now - key["CreateDate"]) / timedelta(days=1) for key in keys)
    return AwsAccount(name, has_password, bool(devices), ages)


@probe()
def database_logins(env: Environment) -> tuple[str, ...]:
    """Every role that may log in to the database now."""
    with connect(env, env.postgres.primary) as db:
        rows = db.execute(
            "select rolname as name from pg_roles where rolcanlogin"
            " and (rolvaliduntil is null or rolvaliduntil > now()) order by 1"
        ).fetchall()
    return tuple(row.name for row in rows)


@probe()
def access_list_signature(env: Environment) -> str:
    """Why the access list is not signed by who approves access; empty: it is."""
    path = Path(env.people.papers) / AccessList.file
    try:
        known = roster.load(Path(env.people.roster))
    except GoliveError as e:
        raise ProbeError("the roster", e, "check people.roster") from None
    signature = known.signature(path, env.network.access_approved_by)
    return "" if signature.valid else signature.cause
