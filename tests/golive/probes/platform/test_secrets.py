"""Secrets: the item on literal facts; the probes on moto, where rights may be taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.platform.secrets import (
    KeptSecret,
    KeptSecrets,
    SecretRotation,
    kept_secrets,
    secret_rotation,
)
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HIDDEN = Unseen(ProbeError("x", "no right"))

TRIED = SecretRotation("golive/1", "", {"app-1": 1.0, "app-2": 2.0}, (), outside_reads=False)
SECRET = KeptSecret("db", True, "arn:1", "arn:1", "Enabled", NOW - timedelta(days=3), False)
KEPT = KeptSecrets((SECRET, replace(SECRET, name="jwt")), NOW)
ENV = SimpleNamespace(
    application=SimpleNamespace(instances=["app-1", "app-2"]),
    windows=SimpleNamespace(secret_rotation_s=60.0),
)


def changed(**fields: Any) -> KeptSecrets:
    return KeptSecrets((SECRET, replace(SECRET, name="jwt", **fields)), NOW)


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({}, None),
        ({"secret_rotation": replace(TRIED, app_failure="denied")}, "synthetic secret as *"),
        ({"secret_rotation": replace(TRIED, unreadable=("app-2",))}, "instances that cannot *"),
        ({"secret_rotation": replace(TRIED, read_after_s={"app-1": 1, "app-2": inf})}, "rotated *"),
        ({"secret_rotation": replace(TRIED, read_after_s={"app-1": 60.1})}, "rotated value *"),
        ({"secret_rotation": replace(TRIED, outside_reads=True)}, "synthetic secrets open *"),
        ({"kept_secrets": changed(exists=False)}, "secrets that are not there"),
        ({"kept_secrets": changed(key="arn:2")}, "secrets under another key"),
        ({"kept_secrets": changed(key_state="Disabled")}, "secrets whose key *"),
        ({"kept_secrets": changed(rotated_at=NOW - timedelta(days=91))}, "last rotation"),
        ({"kept_secrets": changed(rotated_at=None)}, "last rotation"),
        ({"kept_secrets": changed(outside_reads=True)}, "secrets open to the outside role"),
        ({"kept_secrets": KeptSecrets((), NOW)}, "secrets that are not there"),
    ],
)
def test_each_clause_is_judged(judged: Judge, facts: Any, subject: str | None) -> None:
    from fnmatch import fnmatchcase

    claim = judged(
        "D-14.3.3", **{"secret_rotation": TRIED, "kept_secrets": KEPT, "env": ENV} | facts
    )
    assert (claim is None) == (subject is None)
    if claim is not None and subject is not None:
        assert claim.broken
        assert fnmatchcase(claim.subject, subject)


def test_what_could_not_be_seen_hides_nothing_that_is_broken(judged: Judge) -> None:
    facts = {"secret_rotation": TRIED, "env": ENV}
    hidden = judged("D-14.3.3", kept_secrets=changed(outside_reads=HIDDEN), **facts)
    assert hidden is not None
    assert hidden.unseen is not None
    both = KeptSecrets(
        (replace(SECRET, outside_reads=True), changed(outside_reads=HIDDEN).all[1]), NOW
    )
    open_ = judged("D-14.3.3", kept_secrets=both, **facts)
    assert open_ is not None
    assert open_.broken


# -- on moto -----------------------------------------------------------------------------------

READER = """\
import hashlib, json, sys
import boto3
from pathlib import Path
instance, url, secret = sys.argv[1:4]
if instance == "app-broken":
    sys.exit("no way to Secrets Manager")
held = Path(__file__).with_name(f"{instance}.kept")
if instance == "app-stale" and held.exists():
    value = held.read_text()
else:
    client = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=url,
                          aws_access_key_id="x", aws_secret_access_key="x")
    value = client.get_secret_value(SecretId=secret)["SecretString"]
    held.write_text(value)
print(json.dumps({"sha256": hashlib.sha256(value.encode()).hexdigest()}))
"""


@pytest.fixture
def aws(aws_url: str) -> Callable[[str], Any]:
    """An emptied moto with a key, two secrets under it, and two roles."""
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name="us-east-1",
            endpoint_url=aws_url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    key = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").create_alias(AliasName="alias/secrets", TargetKeyId=key)
    for name in ("shop/db", "shop/jwt"):
        client("secretsmanager").create_secret(
            Name=name, SecretString="hidden", KmsKeyId="alias/secrets"
        )
    for role in ("app", "outside"):
        client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    return client


@pytest.fixture
def env(aws: object, aws_url: str, env_with: EnvWith, tmp_path: Path) -> Callable[..., Environment]:
    def make(*instances: str, **changes: Any) -> Environment:
        script = tmp_path / "read.py"
        script.write_text(READER)
        role = "arn:aws:iam::123456789012:role/"
        said = {
            "region": "us-east-1",
            "kms_key": "alias/secrets",
            "names": ["shop/db", "shop/jwt"],
            "app_role": f"{role}app",
            "outside_role": f"{role}outside",
            "read_command": ["{python}", str(script), "{instance}", "{url}", "{secret}"],
        }
        return env_with(
            permits=["read", "write"],
            aws={"endpoint_url": aws_url},
            secrets_manager=said | changes,
            windows={"secret_rotation_s": 3.0},
            application={
                "instances": [{"name": n, "url": aws_url} for n in instances or ("app-1", "app-2")]
            },
        )

    return make


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Denies the outside role, which moto does not by itself, to read."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    roles: dict[str, str] = {}
    ask: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def asked(client: Any, operation: str, values: Any) -> Any:
        key = client._request_signer._credentials.access_key
        if operation == "GetSecretValue" and roles.get(key, "").endswith("outside"):
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": ""}}, operation
            )
        found = ask(client, operation, values)
        if operation == "AssumeRole":
            roles[found["Credentials"]["AccessKeyId"]] = values["RoleArn"]
        return found

    monkeypatch.setattr(BaseClient, "_make_api_call", asked)


def left(aws: Callable[[str], Any]) -> set[str]:
    return {s["Name"] for s in aws("secretsmanager").list_secrets()["SecretList"]}


def test_a_synthetic_secret_is_read_rotated_read_and_gone(
    env: Callable[..., Environment], aws: Callable[[str], Any], deny: None
) -> None:
    found = secret_rotation(env())
    assert found.app_failure == ""
    assert isinstance(found.read_after_s, dict)
    assert set(found.read_after_s) == {"app-1", "app-2"}
    assert max(found.read_after_s.values()) < 60
    assert found.unreadable == ()
    assert found.read_by_outsiders == []
    assert left(aws) == {"shop/db", "shop/jwt"}


def test_an_instance_that_keeps_the_old_value_or_has_none_is_told(
    env: Callable[..., Environment], deny: None
) -> None:
    found = secret_rotation(env("app-1", "app-stale", "app-broken"))
    assert isinstance(found.read_after_s, dict)
    assert {n: s == inf for n, s in found.read_after_s.items()} == {
        "app-1": False,
        "app-stale": True,
        "app-broken": True,
    }
    assert isinstance(found.unreadable, tuple)
    [broken] = found.unreadable
    assert broken.startswith("app-broken (")


def test_whoever_may_read_is_told(env: Callable[..., Environment]) -> None:
    # moto lets everybody read.
    assert secret_rotation(env("app-1")).outside_reads is True
    assert kept_secrets(env()).read_by_outsiders == ["shop/db", "shop/jwt"]


def test_a_role_that_cannot_be_assumed_hides_only_what_it_would_tell(
    env: Callable[..., Environment], aws: Callable[[str], Any], refuse: Refuse
) -> None:
    refuse("AssumeRole")
    found = secret_rotation(env("app-1"))
    assert isinstance(found.app_failure, Unseen)
    assert isinstance(found.outside_reads, Unseen)
    assert "sts:AssumeRole" in found.outside_reads.error.next_step
    assert isinstance(found.read_after_s, dict)
    assert left(aws) == {"shop/db", "shop/jwt"}


def test_a_command_that_works_for_no_instance_is_no_late_secret(
    env: Callable[..., Environment], deny: None
) -> None:
    found = secret_rotation(env("app-broken"))
    assert isinstance(found.read_after_s, Unseen)
    empty = secret_rotation(env(read_command=[]))
    assert isinstance(empty.read_after_s, Unseen)
    assert "read_command" in str(empty.read_after_s.error)


def test_kept_secrets_tell_key_age_and_absence(
    env: Callable[..., Environment], aws: Callable[[str], Any], deny: None
) -> None:
    aws("secretsmanager").create_secret(Name="shop/plain", SecretString="hidden")
    aws("secretsmanager").delete_secret(SecretId="shop/jwt")
    found = kept_secrets(env(names=["shop/db", "shop/jwt", "shop/plain", "shop/none"]))
    assert found.missing == ["shop/jwt", "shop/none"]
    assert isinstance(found.of_another_key, list)
    [other] = found.of_another_key
    assert other.startswith("shop/plain (")
    ages = found.ages_days(90)
    assert isinstance(ages, dict)
    assert all(-1 < age < 1 for age in ages.values())
    assert found.of_unusable_keys == []
    key = aws("kms").describe_key(KeyId="alias/secrets")["KeyMetadata"]["KeyId"]
    aws("kms").disable_key(KeyId=key)
    assert kept_secrets(env(names=["shop/db"])).of_unusable_keys == ["shop/db (Disabled)"]


@pytest.mark.parametrize(
    ("operation", "hidden"),
    [
        ("DescribeKey", {"of_unusable_keys", "of_another_key"}),
        ("ListSecretVersionIds", {"ages"}),
        ("AssumeRole", {"read_by_outsiders"}),
    ],
)
def test_one_refused_right_hides_one_fact(
    env: Callable[..., Environment], refuse: Refuse, deny: None, operation: str, hidden: set[str]
) -> None:
    refuse(operation)
    found = kept_secrets(env())
    told = {
        "of_unusable_keys": found.of_unusable_keys,
        "of_another_key": found.of_another_key,
        "ages": found.ages_days(90),
        "read_by_outsiders": found.read_by_outsiders,
    }
    assert {name for name, value in told.items() if isinstance(value, Unseen)} == hidden


def test_where_nothing_answers_it_could_not_be_looked_at(
    env_with: EnvWith, dead_port: int, env: Callable[..., Environment]
) -> None:
    dead = env(app_role="arn:aws:iam::1:role/x")
    url = f"http://127.0.0.1:{dead_port}"
    said = {f: getattr(dead.secrets_manager, f) for f in ("names", "app_role", "outside_role")}
    where = env_with(
        aws={"endpoint_url": url},
        secrets_manager=said | {"region": "us-east-1", "kms_key": "k", "read_command": ["true"]},
    )
    with pytest.raises(ProbeError, match="Secrets Manager in us-east-1"):
        kept_secrets(where)
