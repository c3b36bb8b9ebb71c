"""Security groups: the item on literal facts, the probe on moto."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.platform.exposure import Listener, OutsideScan
from golive.probes.platform.security_groups import Rule, SecurityGroups, security_groups
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]
HIDDEN = Unseen(ProbeError("x", "no right"))

RULE = Rule("db", "us-east-1", "tcp", 5432, 5432, "app", True, False)
FOUND = SecurityGroups(("us-east-1",), 3, ("app", "db"), (RULE,), (RULE,), ("db 5432",), (), ())
LISTENER = Listener("Redis", "redis-1", "10.0.0.1", 6379)
SCAN = OutsideScan("www:443", "connected", (LISTENER,), (), 9, ())
ENV = SimpleNamespace(
    network=SimpleNamespace(groups=[SimpleNamespace(name="app"), SimpleNamespace(name="db")])
)


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({}, None),
        ({"security_groups": replace(FOUND, in_use=("app", "db", "old"))}, "security groups in *"),
        ({"security_groups": replace(FOUND, in_use=("app",))}, "security groups in use"),
        (
            {"security_groups": replace(FOUND, not_public=(replace(RULE, is_open=True),))},
            "rules that let anybody in",
        ),
        ({"security_groups": replace(FOUND, unlike_declared=("x",))}, "rules that let others *"),
        ({"security_groups": replace(FOUND, guarded=())}, "rules that let others in there"),
        ({"outside_scan": replace(SCAN, control_how="refused")}, "* from outside, as everybody"),
        ({"outside_scan": replace(SCAN, open=("1.2.3.4:6379",))}, "listeners open outside"),
        ({"outside_scan": replace(SCAN, tried=0)}, "listeners open outside"),
    ],
)
def test_each_clause_is_judged(judged: Judge, facts: Any, subject: str | None) -> None:
    given = {"security_groups": FOUND, "outside_scan": SCAN, "env": ENV} | facts
    claim = judged("D-14.3.1", **given)
    assert (claim is None) == (subject is None)
    if claim is not None and subject is not None:
        assert claim.broken
        assert fnmatchcase(claim.subject, subject)


def test_a_kind_that_nobody_declared_is_unknown(judged: Judge) -> None:
    scan = replace(SCAN, not_declared=HIDDEN)
    claim = judged("D-14.3.1", security_groups=FOUND, outside_scan=scan, env=ENV)
    assert claim is not None
    assert claim.unseen is not None


# -- on moto -----------------------------------------------------------------------------------


class Cloud:
    """A VPC with an app, a database and a balancer, each with its group."""

    def __init__(self, url: str) -> None:
        self.ec2: Any = boto3.client(
            "ec2",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")
        self.subnet = made["Subnet"]["SubnetId"]
        self.groups: dict[str, str] = {}
        for name in ("balancer", "app", "db"):
            self.group(name)
            self.interface(name)
        self.admit("balancer", 443, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
        self.admit("balancer", 443, IpProtocol="udp", Ipv6Ranges=[{"CidrIpv6": "::/0"}])
        self.admit("app", 8000, UserIdGroupPairs=[{"GroupId": self.groups["balancer"]}])
        self.admit("db", 5432, UserIdGroupPairs=[{"GroupId": self.groups["app"]}])

    def group(self, name: str) -> None:
        made = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc)
        self.groups[name] = made["GroupId"]

    def interface(self, *names: str) -> None:
        ids = [self.groups[n] for n in names]
        self.ec2.create_network_interface(SubnetId=self.subnet, Groups=ids)

    def admit(self, name: str, port: int, last: int | None = None, **whom: Any) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": last or port} | whom
        self.ec2.authorize_security_group_ingress(GroupId=self.groups[name], IpPermissions=[rule])


@pytest.fixture
def cloud(aws_url: str) -> Cloud:
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    return Cloud(aws_url)


@pytest.fixture
def look(cloud: Cloud, aws_url: str, env_with: EnvWith) -> Callable[..., SecurityGroups]:
    def looked(**changes: Any) -> SecurityGroups:
        groups = [
            {"name": "balancer", "is_public": True},
            {"name": "app"},
            {"name": "db", "ports": [5432], "admits": ["app"]},
        ]
        network = {"regions": ["us-east-1"], "groups": groups, "control": "www:443"} | changes
        return security_groups(env_with(aws={"endpoint_url": aws_url}, network=network))

    return looked


def test_sound_groups_are_found_sound(look: Callable[..., SecurityGroups]) -> None:
    found = look()
    assert found.in_use == ("app", "balancer", "db")
    assert found.open_to_anybody == []
    assert found.unlike_declared == ()
    assert found.guarded == ("db 5432",)
    assert found.interfaces == 3


@pytest.mark.parametrize(
    ("name", "port", "whom", "is_open", "is_unlike"),
    [
        ("db", 5432, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True, True),
        ("db", 5432, {"IpRanges": [{"CidrIp": "128.0.0.0/1"}]}, True, True),
        ("db", 5432, {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, False, True),
        ("db", 22, {"IpRanges": [{"CidrIp": "10.8.0.0/16"}]}, False, False),
        ("app", 8000, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, True, False),
        ("app", 443, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True, False),
        ("balancer", 22, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True, False),
        ("balancer", 80, {"last": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True, False),
    ],
)
def test_rules_are_judged_by_group_port_and_source(
    cloud: Cloud,
    look: Callable[..., SecurityGroups],
    name: str,
    port: int,
    whom: dict[str, Any],
    is_open: bool,
    is_unlike: bool,
) -> None:
    cloud.admit(name, port, **whom)
    found = look()
    assert bool(found.open_to_anybody) == is_open
    assert bool(found.unlike_declared) == is_unlike


def test_another_group_of_the_same_interface_counts_too(
    cloud: Cloud, look: Callable[..., SecurityGroups]
) -> None:
    cloud.group("legacy")
    everything = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": cloud.groups["balancer"]}]}
    cloud.ec2.authorize_security_group_ingress(
        GroupId=cloud.groups["legacy"], IpPermissions=[everything]
    )
    assert "legacy" not in look().in_use  # nothing has it yet
    cloud.interface("db", "legacy")
    found = look()
    assert "legacy" in found.in_use
    assert found.unlike_declared == ("legacy (us-east-1): everything from balancer",)


def test_a_prefix_list_is_as_open_as_what_is_in_it(
    cloud: Cloud, look: Callable[..., SecurityGroups], refuse: Refuse
) -> None:
    made = cloud.ec2.create_managed_prefix_list(
        PrefixListName="all", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "0.0.0.0/0"}]
    )
    ident = made["PrefixList"]["PrefixListId"]
    cloud.admit("app", 8000, PrefixListIds=[{"PrefixListId": ident}])
    assert look().open_to_anybody == [f"app (us-east-1): tcp 8000 from {ident}"]
    refuse("GetManagedPrefixListEntries")
    hidden = look().open_to_anybody
    assert isinstance(hidden, Unseen)
    assert "ec2:GetManagedPrefixListEntries" in hidden.error.next_step


def test_groups_may_be_declared_by_id_and_vpcs_narrow_the_look(
    cloud: Cloud, look: Callable[..., SecurityGroups]
) -> None:
    declared = [{"name": cloud.groups["db"], "ports": [5432], "admits": ["app"]}, {"name": "app"}]
    found = look(groups=declared, vpcs=[cloud.vpc])
    assert found.in_use == tuple(sorted(["app", "balancer", cloud.groups["db"]]))
    assert found.unlike_declared == ()
    assert look(vpcs=["vpc-00000000"]).interfaces == 0


def test_without_the_right_nothing_was_looked_at(
    look: Callable[..., SecurityGroups], refuse: Refuse
) -> None:
    refuse("DescribeNetworkInterfaces")
    with pytest.raises(ProbeError, match="security groups in us-east-1"):
        look()
