"""The account's limits, on moto, whose Service Quotas answer as the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from golive.environments import Environment
from golive.probes.platform.cloud_limits import CloudLimit, CloudLimits, cloud_limits
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import KUBERNETES

EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]
GROUP = "nodes"


@pytest.fixture
def made(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A group of at most four nodes, of which one runs; limits by their codes."""
    import requests
    from botocore.client import BaseClient

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    session = boto3.session.Session(region_name="us-east-1", **keys)
    ec2: Any = session.client("ec2", endpoint_url=aws_url)
    scaling: Any = session.client("autoscaling", endpoint_url=aws_url)
    image = ec2.describe_images()["Images"]
    ebs = {"VolumeSize": 512, "VolumeType": "gp3"}
    data = {
        "InstanceType": "m5.large",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": ebs}],
        **({"ImageId": image[0]["ImageId"]} if image else {}),
    }
    template = ec2.create_launch_template(LaunchTemplateName=GROUP, LaunchTemplateData=data)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/28")["Subnet"]["SubnetId"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=1,
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"]},
        VPCZoneIdentifier=subnet,
    )
    limits = {"L-1216C47A": 64.0, "L-0263D0A3": 5.0, "L-7A658B76": 50.0}
    ask: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def asked(client: Any, operation: str, values: Any) -> Any:
        if operation == "GetServiceQuota":
            return {"Quota": {"Value": limits[values["QuotaCode"]]}}
        return ask(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", asked)
    return limits


@pytest.fixture
def looked(aws_url: str, env_with: EnvWith, made: Any) -> Callable[..., CloudLimits]:
    def look(**kubernetes: Any) -> CloudLimits:
        keys = {"node_groups": [GROUP], "region": "us-east-1", **kubernetes}
        return cloud_limits(
            env_with(aws={"endpoint_url": aws_url}, kubernetes={**KUBERNETES, **keys})
        )

    return look


def by_subject(found: CloudLimits) -> dict[str, CloudLimit]:
    return {one.subject: one for one in found.all if isinstance(one, CloudLimit)}


def test_what_nodes_take_at_most(looked: Callable[..., CloudLimits]) -> None:
    found = looked(addresses_per_node=2)
    limits = by_subject(found)
    processors = limits["vCPUs of on-demand instances (L-1216C47A)"]
    assert (processors.used, processors.needed, processors.allowed) == (2, 8, 64)
    volumes = limits["TiB of gp3 volumes"]
    assert volumes.needed - volumes.used == 1.5
    addresses = limits[f"addresses in the subnets of {GROUP}"]
    assert addresses.allowed == 11
    assert addresses.needed - addresses.used == 6
    assert limits["Elastic IP addresses"].needed == 0
    assert (found.lacking, found.most_nodes) == ([], 4)


@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("L-1216C47A", 7.0, "vCPUs of on-demand instances (L-1216C47A): 8 needed, 7 allowed"),
        ("L-7A658B76", 1.0, "TiB of gp3 volumes"),
    ],
)
def test_a_limit_below_the_maximum(
    looked: Callable[..., CloudLimits], made: Any, code: str, value: float, told: str
) -> None:
    made[code] = value
    (lacking,) = looked().lacking
    assert told in lacking


def test_subnets_too_small_for_the_nodes_pods(looked: Callable[..., CloudLimits]) -> None:
    assert "addresses in the subnets" in str(looked(addresses_per_node=30).lacking)


def test_a_right_that_is_lacking_leaves_its_own_limit_unseen(
    looked: Callable[..., CloudLimits], made: Any, refuse: Refuse
) -> None:
    refuse("DescribeSubnets")
    found = looked()
    assert isinstance(found.lacking, Unseen)
    assert len(by_subject(found)) == 3
    made["L-1216C47A"] = 1.0
    assert len(looked().lacking) == 1


def test_groups_that_are_not_there_or_not_declared(looked: Callable[..., CloudLimits]) -> None:
    with pytest.raises(ProbeError, match="the autoscaling group gone"):
        looked(node_groups=["gone"])
    with pytest.raises(ProbeError, match="do not say what makes the nodes"):
        looked(node_groups=[])


def test_a_dead_endpoint_is_no_limit(env_with: EnvWith, dead_port: int) -> None:
    keys = {"node_groups": [GROUP], "region": "us-east-1"}
    env = env_with(
        aws={"endpoint_url": f"http://127.0.0.1:{dead_port}"}, kubernetes={**KUBERNETES, **keys}
    )
    with pytest.raises(ProbeError, match="limits of the cloud account"):
        cloud_limits(env)
