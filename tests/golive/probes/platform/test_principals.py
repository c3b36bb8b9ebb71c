"""Who can log in: the item on literal facts, the probe on moto's credential report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.papers.compliance import AccessList, PersonsAccess, ServiceAccess
from golive.probes.platform import principals
from golive.probes.platform.exposure import AdminInterfaces, InterfaceSeen
from golive.probes.platform.principals import (
    AwsAccount,
    AwsAccounts,
    access_list_signature,
    aws_accounts,
    database_logins,
)
from golive.probes.transport.zones import Answer
from golive.verdicts import ProbeError
from tests.golive.probes.conftest import Shelf

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]

ADA = AwsAccount("ada", True, True, (3.0,))
ACCOUNTS = AwsAccounts((ADA, AwsAccount("ci", False, False, (40.0,))), 0, True)
SSH = InterfaceSeen("ssh", "ssh", (("1.2.3.4:22", Answer(False, "refused")),), Answer(True, "ok"))
SEEN = AdminInterfaces((SSH,), (), ("1.2.3.4:22",))
LIST = AccessList(
    approved_on=date(2026, 11, 1),
    people=[PersonsAccess(person="ada", aws="ada", database="ada")],
    services=[
        ServiceAccess(system="aws", name="ci", purpose="deploys"),
        ServiceAccess(system="database", name="app", purpose="the product"),
    ],
)


def facts(said: AccessList = LIST, **changes: Any) -> dict[str, Any]:
    return {
        "admin_interfaces": SEEN,
        "aws_accounts": ACCOUNTS,
        "database_logins": ("ada", "app"),
        "access_list_signature": "",
        "papers": Shelf(said),
        "context": SimpleNamespace(roster=SimpleNamespace(people={"ada": None})),
    } | changes


OPEN = replace(SSH, outside=(("1.2.3.4:22", Answer(True, "connected")),))
SILENT = replace(SSH, inside=Answer(False, "refused"))
ZOE = AwsAccount("zoe", True, True, ())


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, None),
        ({"admin_interfaces": replace(SEEN, all=(OPEN,))}, "interfaces open outside"),
        ({"admin_interfaces": replace(SEEN, all=(SILENT,))}, "interfaces that do not answer *"),
        ({"access_list_signature": "it is not signed"}, "access list's signature"),
        ({"aws_accounts": replace(ACCOUNTS, all=(*ACCOUNTS.all, ZOE))}, "people with an account *"),
        ({"aws_accounts": replace(ACCOUNTS, all=())}, "people with an account at AWS"),
        ({"database_logins": ("ada", "app", "zoe")}, "people who may log in to the database"),
        (
            {"aws_accounts": replace(ACCOUNTS, all=(replace(ADA, has_second_factor=False),))},
            "accounts without a second factor",
        ),
        (
            {"aws_accounts": replace(ACCOUNTS, root_has_second_factor=False)},
            "accounts without a second factor",
        ),
        ({"aws_accounts": replace(ACCOUNTS, root_keys=1)}, "access keys of the root user"),
        (
            {"aws_accounts": replace(ACCOUNTS, all=(replace(ADA, key_days=(91.0,)),))},
            "access keys that are too old",
        ),
        (
            {"context": SimpleNamespace(roster=SimpleNamespace(people={"bob": None}))},
            "people who have left",
        ),
    ],
)
def test_each_clause_is_judged(judged: Judge, changes: Any, subject: str | None) -> None:
    claim = judged("D-14.3.2", **facts(**changes))
    assert (claim is None) == (subject is None)
    if claim is not None and subject is not None:
        assert claim.broken
        assert fnmatchcase(claim.subject, subject)


def test_an_empty_list_approves_nobody(judged: Judge) -> None:
    nobody = AccessList(approved_on=date(2026, 11, 1), people=[], services=LIST.services)
    accounts = replace(ACCOUNTS, all=ACCOUNTS.all[1:])
    claim = judged("D-14.3.2", **facts(nobody, aws_accounts=accounts, database_logins=("app",)))
    assert claim is not None
    assert claim.broken


# -- on moto -----------------------------------------------------------------------------------


@pytest.fixture
def iam(aws_url: str) -> Any:
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    return boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=aws_url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


ROOT = (
    "<root_account>,arn,2024-01-02T03:04:05+00:00,not_supported,N/A,N/A,N/A,true,"
    "true,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,true,N/A\n"
)


@pytest.fixture
def with_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto leaves the root user out of the report, which AWS does not."""
    from moto.iam.models import IAMBackend

    told = IAMBackend.get_credential_report

    def whole(self: Any) -> str:
        head, _, rest = told(self).partition("\n")
        return f"{head}\n{ROOT}{rest}"

    monkeypatch.setattr(IAMBackend, "get_credential_report", whole)


@pytest.fixture
def env(aws_url: str, env_with: EnvWith) -> Environment:
    return env_with(aws={"endpoint_url": aws_url}, time_limits={"probe": 5.0})


def test_the_report_tells_factors_keys_and_the_root_user(
    iam: Any, env: Environment, with_root: None
) -> None:
    iam.create_user(UserName="ada")
    iam.create_access_key(UserName="ada")
    spare = iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="ada", AccessKeyId=spare, Status="Inactive")
    found = aws_accounts(env)
    [ada] = found.all
    assert (ada.name, ada.has_second_factor, len(ada.key_days)) == ("ada", False, 1)
    assert -1 < ada.key_days[0] < 1
    assert found.root_keys == 2  # a key and a certificate
    assert found.root_has_second_factor


def test_who_came_after_the_report_is_looked_at_and_who_left_is_not(
    iam: Any, env: Environment, with_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam.create_user(UserName="bob")
    iam.generate_credential_report()
    old = iam.get_credential_report()["Content"].decode()
    from moto.iam.models import IAMBackend

    monkeypatch.setattr(IAMBackend, "get_credential_report", lambda _: old)
    iam.create_user(UserName="zoe")
    iam.create_login_profile(UserName="zoe", Password="Rehearsal-2026!")
    iam.create_access_key(UserName="zoe")
    iam.delete_user(UserName="bob")
    [zoe] = aws_accounts(env).all
    assert (zoe.name, zoe.has_password, zoe.has_second_factor) == ("zoe", True, False)
    assert len(zoe.key_days) == 1


@pytest.mark.parametrize("times", [2, 1000])
def test_a_report_that_is_being_made_is_waited_for(
    iam: Any,
    env: Environment,
    with_root: None,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    from moto.iam.responses import IamResponse

    monkeypatch.setattr(principals, "_POLL_S", 0.01)
    told, asked = IamResponse.generate_credential_report, []

    def made(self: Any) -> Any:
        asked.append(1)
        found: Any = told(self)
        if len(asked) < times:
            found.result["State"] = "INPROGRESS"
        return found

    monkeypatch.setattr(IamResponse, "generate_credential_report", made)
    if times < 10:
        assert aws_accounts(env).all == ()
    else:
        with pytest.raises(ProbeError, match="was not made within"):
            aws_accounts(env)


@pytest.mark.parametrize(
    "operation", ["GenerateCredentialReport", "GetCredentialReport", "ListUsers"]
)
def test_without_a_right_nobody_was_looked_at(
    iam: Any, env: Environment, with_root: None, refuse: Refuse, operation: str
) -> None:
    refuse(operation)
    with pytest.raises(ProbeError, match="iam:"):
        aws_accounts(env)


def test_a_list_that_is_not_signed_or_not_there_is_told(env_with: EnvWith, tmp_path: Any) -> None:
    roster = tmp_path / "roster.toml"
    person = 'id = "ada"\nname = "Ada"\nemail = "a@example.com"\nphone = "+15550100"\n'
    roster.write_text(f"schema = 1\n[[person]]\n{person}")
    env = env_with(people={"roster": str(roster), "papers": str(tmp_path)}, network={})
    assert access_list_signature(env) == "it is not there"
    (tmp_path / "access-list.md").write_text("---\n---\n")
    assert access_list_signature(env) == "it is not signed"


def test_logins_are_read_from_the_database(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def connected(*_: Any) -> Any:
        rows = [SimpleNamespace(name="ada"), SimpleNamespace(name="app")]
        yield SimpleNamespace(execute=lambda _: SimpleNamespace(fetchall=lambda: rows))

    monkeypatch.setattr(principals, "connect", connected)
    nodes = [{"name": "db", "role": "primary", "host": "127.0.0.1", "port": 1}]
    assert database_logins(env_with(postgres={"nodes": nodes})) == ("ada", "app")
