"""The cloud account's own limits, against what the cluster's nodes take at their most.

From EC2 Auto Scaling, EC2 and Service Quotas. The limit of on-demand instances is one of virtual
processors, by family of instance types; that of volumes is one of storage in a region
(https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from golive.environments import Environment
from golive.probes.transport.rights import permitted
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, unseen_among

_STANDARD = "L-1216C47A"
_FAMILIES = {**dict.fromkeys("acdhimrtz", _STANDARD), "g": "L-DB2E81BA", "p": "L-417A185B"}
"""Service Quotas' code of running on-demand instances, by the first letter of their type."""
_STORAGE = {"gp2": "L-D18FCD1D", "gp3": "L-7A658B76", "io1": "L-FD252861", "io2": "L-09BD8365"}
_ADDRESSES = "L-0263D0A3"
_RESERVED = 5
"""Addresses of each subnet that AWS keeps for itself."""
_GIB_PER_TIB = 1024


@dataclass(frozen=True, slots=True)
class CloudLimit:
    """A limit of the account, what is in use, and what will be at the scaling maximum."""

    subject: str
    allowed: float
    used: float
    needed: float


@dataclass(frozen=True, slots=True)
class CloudLimits:
    """Limits that nodes run into."""

    all: tuple[CloudLimit | Unseen, ...]
    most_nodes: int

    @property
    def lacking(self) -> list[str] | Unseen:
        """Limits that end the scaling too early; unseen where none is known to, and one could not
        be looked at."""
        found = [
            f"{one.subject}: {one.needed:g} needed, {one.allowed:g} allowed"
            for one in self.all
            if isinstance(one, CloudLimit) and one.needed > one.allowed
        ]
        unseen = unseen_among(self.all)
        return found if found or unseen is None else unseen


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    most: int
    now: int
    subnets: tuple[str, ...]
    types: tuple[str, ...]
    volumes_gib: dict[str, int]
    """Size of a node's volumes by their type."""

    @property
    def more(self) -> int:
        return max(0, self.most - self.now)


@probe()
def cloud_limits(env: Environment) -> CloudLimits:
    """The account's limits of instances, addresses and volumes, and what nodes take at most."""
    names, region = env.kubernetes.node_groups, env.kubernetes.region
    if not names or not region:
        raise ProbeError(
            "limits of the cloud account",
            "kubernetes.node_groups and kubernetes.region do not say what makes the nodes",
            "name the autoscaling groups and their region",
        )
    with _asking(env, region) as (scaling, ec2, quotas):
        groups = [_group(scaling, ec2, name) for name in names]
        found: list[CloudLimit | Unseen] = []

        def add(right: str, look: Any, *values: Any) -> None:
            one = permitted(right, "the account's limits", look, *values)
            found.extend([one] if isinstance(one, Unseen) else one)

        add(
            "ec2:DescribeInstances and servicequotas:GetServiceQuota",
            _processors,
            ec2,
            quotas,
            groups,
        )
        add("ec2:DescribeVolumes and servicequotas:GetServiceQuota", _storage, ec2, quotas, groups)
        add("ec2:DescribeAddresses and servicequotas:GetServiceQuota", _elastic, ec2, quotas)
        add("ec2:DescribeSubnets", _subnets, ec2, groups, env.kubernetes.addresses_per_node)
    return CloudLimits(tuple(found), sum(g.most for g in groups))


def _group(scaling: Any, ec2: Any, name: str) -> _Group:
    answer = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    if not answer["AutoScalingGroups"]:
        raise ProbeError(
            f"the autoscaling group {name}",
            "there is none of that name",
            "check kubernetes.node_groups and kubernetes.region",
        )
    group = answer["AutoScalingGroups"][0]
    types, devices = _template(scaling, ec2, group)
    volumes: dict[str, int] = {}
    for device in devices:
        ebs = device.get("Ebs", {})
        if size := ebs.get("VolumeSize"):
            kind = ebs.get("VolumeType", "gp2")
            volumes[kind] = volumes.get(kind, 0) + int(size)
    return _Group(
        name=name,
        most=int(group["MaxSize"]),
        now=len(group.get("Instances", [])),
        subnets=tuple(filter(None, group.get("VPCZoneIdentifier", "").split(","))),
        types=types,
        volumes_gib=volumes,
    )


def _template(scaling: Any, ec2: Any, group: dict[str, Any]) -> tuple[tuple[str, ...], list[Any]]:
    """The instance types that a group may start, and the volumes of each."""
    if named := group.get("LaunchConfigurationName"):
        found = scaling.describe_launch_configurations(LaunchConfigurationNames=[named])
        one = found["LaunchConfigurations"][0]
        return (one["InstanceType"],), one.get("BlockDeviceMappings", [])
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    template = group.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification", {})
    answer = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"],
        Versions=[str(template.get("Version", "$Default"))],
    )
    data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    others = [o["InstanceType"] for o in mixed.get("Overrides", []) if o.get("InstanceType")]
    types = others or [data["InstanceType"]]
    return tuple(types), data.get("BlockDeviceMappings", [])


def _allowed(quotas: Any, service: str, code: str) -> float:
    answer = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
    return float(answer["Quota"]["Value"])


def _processors(ec2: Any, quotas: Any, groups: list[_Group]) -> list[CloudLimit]:
    """Virtual processors of running on-demand instances, by the limit that counts them."""
    running: dict[str, int] = {}
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=states):
        for reservation in page["Reservations"]:
            for one in reservation["Instances"]:
                if one.get("InstanceLifecycle") != "spot":
                    running[one["InstanceType"]] = running.get(one["InstanceType"], 0) + 1
    wanted = sorted({*running, *(t for g in groups for t in g.types)})
    each: dict[str, int] = {}
    for page in ec2.get_paginator("describe_instance_types").paginate(InstanceTypes=wanted):
        each |= {t["InstanceType"]: t["VCpuInfo"]["DefaultVCpus"] for t in page["InstanceTypes"]}
    used: dict[str, int] = {}
    for kind, number in running.items():
        used[_family(kind)] = used.get(_family(kind), 0) + number * each[kind]
    most = dict.fromkeys((_family(t) for g in groups for t in g.types), 0)
    for group in groups:
        largest = max(group.types, key=each.__getitem__)
        most[_family(largest)] += group.more * each[largest]
    return [
        CloudLimit(
            f"vCPUs of on-demand instances ({code})",
            _allowed(quotas, "ec2", code),
            used.get(code, 0),
            used.get(code, 0) + more,
        )
        for code, more in most.items()
    ]


def _family(kind: str) -> str:
    code = _FAMILIES.get(kind[:1])
    if code is None:
        raise ProbeError(
            f"the account's limit of {kind} instances",
            "it is not known which limit counts them",
            "look at Service Quotas by hand",
        )
    return code


def _storage(ec2: Any, quotas: Any, groups: list[_Group]) -> list[CloudLimit]:
    used: dict[str, float] = {}
    for page in ec2.get_paginator("describe_volumes").paginate():
        for one in page["Volumes"]:
            kind = one.get("VolumeType", "gp2")
            used[kind] = used.get(kind, 0.0) + one["Size"] / _GIB_PER_TIB
    found = []
    for kind in sorted({k for g in groups for k in g.volumes_gib} & _STORAGE.keys()):
        more = sum(g.more * g.volumes_gib.get(kind, 0) for g in groups) / _GIB_PER_TIB
        now = used.get(kind, 0.0)
        allowed = _allowed(quotas, "ebs", _STORAGE[kind])
        found.append(CloudLimit(f"TiB of {kind} volumes", allowed, now, now + more))
    return found


def _elastic(ec2: Any, quotas: Any) -> list[CloudLimit]:
    # Nodes take none; those that are there must leave the limit as it is.
    now = len(ec2.describe_addresses()["Addresses"])
    return [CloudLimit("Elastic IP addresses", _allowed(quotas, "ec2", _ADDRESSES), now, now)]


def _subnets(ec2: Any, groups: list[_Group], each: int) -> list[CloudLimit]:
    found = []
    for group in groups:
        if not group.subnets:
            continue
        answer = ec2.describe_subnets(SubnetIds=list(group.subnets))["Subnets"]
        sizes = [ipaddress.ip_network(s["CidrBlock"]).num_addresses - _RESERVED for s in answer]
        free = sum(int(s["AvailableIpAddressCount"]) for s in answer)
        used = sum(sizes) - free
        subject = f"addresses in the subnets of {group.name}"
        found.append(CloudLimit(subject, sum(sizes), used, used + group.more * each))
    return found


@contextmanager
def _asking(env: Environment, region: str) -> Iterator[tuple[Any, Any, Any]]:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    local: dict[str, Any] = {"proxies": {}} if env.aws.endpoint_url else {}
    session = boto3.session.Session(
        aws_access_key_id=env.aws.access_key_id.reveal(),
        aws_secret_access_key=env.aws.secret_access_key.reveal(),
        region_name=region,
    )
    config = Config(
        connect_timeout=env.time_limits.connect,
        read_timeout=env.time_limits.probe,
        retries={"total_max_attempts": 4, "mode": "standard"},  # AWS throttles
        **local,
    )

    def client(service: Any) -> Any:
        url = env.aws.endpoint_url or None
        return session.client(service, endpoint_url=url, config=config)

    try:
        yield client("autoscaling"), client("ec2"), client("service-quotas")
    except ClientError as e:
        step = "check kubernetes.region, and which rights this key has"
        raise ProbeError("limits of the cloud account", e, step) from None
    except (BotoCoreError, ValueError) as e:
        step = "check that AWS can be reached from here"
        raise ProbeError("limits of the cloud account", e, step) from None
