"""Users of IAM, on moto, where every right may be taken from the key that reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from msgspec.structs import replace as changed

from golive.environments import Environment
from golive.people.roster import Person
from golive.probes.platform.aws import AwsGroups, AwsUser, aws_groups, aws_users
from golive.verdicts import ProbeError, Unseen

EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]


@pytest.fixture
def env(aws_url: str, env_with: EnvWith) -> Environment:
    """Where ada, who has a second factor and a key, and bob may deploy."""
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    iam: Any = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=aws_url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    iam.create_group(GroupName="deployers")
    for name in ("ada", "bob"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="deployers", UserName=name)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="ada")["VirtualMFADevice"]
    iam.enable_mfa_device(
        UserName="ada",
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1="123456",
        AuthenticationCode2="123457",
    )
    iam.create_access_key(UserName="ada")
    return env_with(aws={"endpoint_url": aws_url, "groups": {"deploy": "deployers"}})


def looked(env: Environment) -> dict[str, AwsUser]:
    return {u.name: u for u in aws_users(env, aws_groups(env))}


def test_users_are_seen_with_their_second_factor(env: Environment) -> None:
    found = looked(env)
    assert {name: u.has_second_factor for name, u in found.items()} == {"ada": True, "bob": False}
    assert {u.use_unseen for u in found.values()} == {None}


@pytest.mark.parametrize(
    ("operation", "right", "of"),
    [
        ("GetUser", "iam:GetUser", {"ada", "bob"}),
        ("ListAccessKeys", "iam:ListAccessKeys", {"ada", "bob"}),
        ("GetAccessKeyLastUsed", "iam:GetAccessKeyLastUsed", {"ada"}),
    ],
)
def test_a_right_that_lacks_hides_the_last_use_alone(
    env: Environment, refuse: Refuse, operation: str, right: str, of: set[str]
) -> None:
    refuse(operation)
    found = looked(env)
    hidden = {name: u.use_unseen for name, u in found.items() if u.use_unseen is not None}
    assert set(hidden) == of
    assert {u.error.next_step for u in hidden.values()} == {f"permit {right} to the reading key"}
    assert {name: u.has_second_factor for name, u in found.items()} == {"ada": True, "bob": False}


def test_the_right_to_list_devices_hides_the_second_factor_alone(
    env: Environment, refuse: Refuse
) -> None:
    refuse("ListMFADevices")
    found = looked(env)
    assert all(isinstance(u.has_second_factor, Unseen) for u in found.values())
    assert {u.use_unseen for u in found.values()} == {None}


def test_without_any_right_nobody_was_looked_at(env: Environment, refuse: Refuse) -> None:
    groups = aws_groups(env)
    refuse("ListMFADevices", "GetUser", "ListAccessKeys")
    with pytest.raises(ProbeError, match="permit iam:ListMFADevices to the reading key"):
        aws_users(env, groups)
    refuse("GetGroup")
    with pytest.raises(ProbeError, match="iam:GetGroup"):
        aws_groups(env)


def test_one_group_that_is_refused_hides_itself_alone(env: Environment, refuse: Refuse) -> None:
    refuse("GetGroup", about="hosters")
    both = changed(env.aws, groups={"deploy": "deployers", "hosting": "hosters"})
    groups = aws_groups(changed(env, aws=both))
    assert groups.members["deploy"] == ("ada", "bob")
    ada, cyd = (Person(id=n.lower(), name=n, email="", phone="", roles=[]) for n in ("Ada", "Cyd"))
    assert isinstance(groups.lacking([ada], ("deploy", "hosting")), Unseen)
    assert groups.lacking([ada, cyd], ("deploy", "hosting")) == ["Cyd (deploy)"]


def test_who_is_gone_is_no_right_that_lacks(env: Environment) -> None:
    with pytest.raises(ProbeError, match="still there"):
        aws_users(env, AwsGroups({"deploy": ("wanda",)}))
