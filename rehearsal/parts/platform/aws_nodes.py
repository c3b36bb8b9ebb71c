"""The cluster's nodes as AWS would make them: an autoscaling group with its launch template, and
the account's limits, which moto's Service Quotas knows of the VPC alone.

The group has no instance: nothing would run on one, and each would take a network interface of the
network that others look at.

Settings of the part `aws` that a fault may override, at any time: `vcpu_limit`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts import Endpoints

REGION = "us-east-1"
GROUP = "bookedbarber-nodes"
MOST, VOLUME_GIB, TYPE = 12, 40, "m6i.large"
VCPU_LIMIT = 64.0
_LIMITS = {
    ("ec2", "L-1216C47A"): VCPU_LIMIT,
    ("ec2", "L-0263D0A3"): 5.0,
    ("ebs", "L-7A658B76"): 50.0,
}
"""Of virtual processors, Elastic IP addresses, and TiB of gp3 volumes."""


def furnish(r: Rehearsal, client: Any) -> None:
    """Make launch template and group. `client` is `aws.client`."""
    ec2, scaling = client(r, "ec2", REGION), client(r, "autoscaling", REGION)
    ebs = {"VolumeSize": VOLUME_GIB, "VolumeType": "gp3", "Encrypted": True}
    template = ec2.create_launch_template(
        LaunchTemplateName=GROUP,
        LaunchTemplateData={
            "InstanceType": TYPE,
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.64.0/24")["Subnet"]["SubnetId"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=0,
        MaxSize=MOST,
        DesiredCapacity=0,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        VPCZoneIdentifier=subnet,
    )


def serve_limits(r: Rehearsal) -> None:
    """Have moto's Service Quotas, in this process, tell the account's limits."""
    models: Any = importlib.import_module("moto.servicequotas.models")
    backend = models.ServiceQuotasBackend
    known = backend.get_service_quota

    def get(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        value = _LIMITS.get((service_code, quota_code))
        if value is None:
            return dict(known(self, service_code, quota_code))
        if value == VCPU_LIMIT:
            value = float(r.setting("aws", "vcpu_limit", VCPU_LIMIT))
        return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": value}

    backend.get_service_quota = get


def endpoints() -> Endpoints:
    """What makes the nodes."""
    return {"kubernetes": {"node_groups": [GROUP], "region": REGION}}
