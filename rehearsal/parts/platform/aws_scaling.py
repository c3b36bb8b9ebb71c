"""The application's autoscaling group as AWS would have it, with its policy and what it did.

moto keeps groups and policies; nothing moves a group there, which `rehearsal.data.tier` does, and
no activity is told, which is added here.

Settings of the part `aws` that a fault may override: none; faults change the group itself.
"""

from __future__ import annotations

import importlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.parts.platform.aws_network import INSTANCES

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts import Endpoints

REGION = "us-east-1"
GROUP, POLICY = "bookedbarber-app", "requests-per-instance"
LEAST, MOST = 2, 4
REQUESTS_PER_MINUTE = 900.0
"""That the policy aims at, for each instance."""
LOAD_PER_S = 60.0


def furnish(r: Rehearsal, client: Any) -> None:
    """Make launch template, group and policy. `client` is `aws.client`; after the network."""
    ec2, scaling = client(r, "ec2", REGION), client(r, "autoscaling", REGION)
    security_group = r.recall("aws-network")["groups"][INSTANCES]
    found = ec2.describe_network_interfaces(
        Filters=[{"Name": "group-id", "Values": [security_group]}]
    )
    template = ec2.create_launch_template(
        LaunchTemplateName=GROUP,
        LaunchTemplateData={"InstanceType": "t3.medium", "SecurityGroupIds": [security_group]},
    )["LaunchTemplate"]["LaunchTemplateId"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=LEAST,
        MaxSize=MOST,
        DesiredCapacity=LEAST,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        VPCZoneIdentifier=found["NetworkInterfaces"][0]["SubnetId"],
    )
    put_policy(scaling)


def put_policy(scaling: Any, *, shrinks: bool = True) -> None:
    """The policy that makes the group grow and shrink."""
    metric = {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "app/bookedbarber/0123456789abcdef/targetgroup/app/0123456789abcdef",
    }
    scaling.put_scaling_policy(
        AutoScalingGroupName=GROUP,
        PolicyName=POLICY,
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": metric,
            "TargetValue": REQUESTS_PER_MINUTE,
            "DisableScaleIn": not shrinks,
        },
    )


def record_activities() -> None:
    """Have moto's groups, in this process, tell what they have done."""
    models: Any = importlib.import_module("moto.autoscaling.models")
    responses: Any = importlib.import_module("moto.autoscaling.responses")
    change = models.FakeAutoScalingGroup.set_desired_capacity

    def recorded(self: Any, new_capacity: int | None) -> None:
        before = {state.instance.id for state in getattr(self, "instance_states", [])}
        change(self, new_capacity)
        after = {state.instance.id for state in self.instance_states}
        done = self.__dict__.setdefault("activities", [])
        for word, ids in (("Launching a new", after - before), ("Terminating", before - after)):
            done += [_activity(self, f"{word} EC2 instance: {one}") for one in sorted(ids)]

    def described(self: Any) -> Any:
        groups = self.autoscaling_backend.autoscaling_groups
        name = self._get_param("AutoScalingGroupName")
        found = [
            activity
            for group in groups.values()
            if name in (None, group.name)
            for activity in group.__dict__.get("activities", [])
        ]
        return responses.ActionResult({"Activities": found[::-1]})

    models.FakeAutoScalingGroup.set_desired_capacity = recorded
    responses.AutoScalingResponse.describe_scaling_activities = described


def _activity(group: Any, what: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Description": what,
        "Cause": f"the desired capacity is {group.desired_capacity} now",
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Successful",
        "Progress": 100,
    }


def endpoints(r: Rehearsal) -> Endpoints:
    """What is declared of it."""
    group = {"name": GROUP, "planned": MOST, "path": "/", "per_s": LOAD_PER_S}
    return {
        "scaling": {
            "region": REGION,
            "groups": [group],
            "tier_command": r.command("scaling-tier"),
            "end_command": r.command("scaling-end"),
        }
    }
