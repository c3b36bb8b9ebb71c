"""Faults of autoscaling: the group, its policy, and what it starts."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.aws_scaling import GROUP, LEAST, MOST, POLICY, REGION, put_policy

_TOUCHES = ["aws/scaling"]


def _scaling(r: Rehearsal) -> Any:
    return aws.client(r, "autoscaling", REGION)


def _bounded(r: Rehearsal, **bounds: int) -> None:
    _scaling(r).update_auto_scaling_group(AutoScalingGroupName=GROUP, **bounds)


@fault(
    "scale-out-policy-deleted",
    expect_fail=["D-14.2.1"],
    touches=_TOUCHES,
    title="no policy makes the group grow any more",
)
def scale_out_policy_deleted(r: Rehearsal) -> None:
    _scaling(r).delete_policy(AutoScalingGroupName=GROUP, PolicyName=POLICY)


@scale_out_policy_deleted.revert
def put_the_policy_back(r: Rehearsal) -> None:
    put_policy(_scaling(r))


@fault(
    "scale-in-disabled",
    expect_fail=["D-14.2.1"],
    touches=_TOUCHES,
    title="the policy makes the group grow and never shrink",
)
def scale_in_disabled(r: Rehearsal) -> None:
    put_policy(_scaling(r), shrinks=False)


@scale_in_disabled.revert
def let_it_shrink(r: Rehearsal) -> None:
    put_policy(_scaling(r))


@fault(
    "maximum-equals-minimum",
    expect_fail=["D-14.2.1"],
    touches=_TOUCHES,
    title="the group may have no more instances than it has at least",
)
def maximum_equals_minimum(r: Rehearsal) -> None:
    _bounded(r, MaxSize=LEAST)


@maximum_equals_minimum.revert
def let_it_grow(r: Rehearsal) -> None:
    _bounded(r, MaxSize=MOST)


@fault(
    "minimum-of-one",
    expect_fail=["D-14.2.1"],
    touches=_TOUCHES,
    title="the group may have a single instance",
)
def minimum_of_one(r: Rehearsal) -> None:
    _bounded(r, MinSize=1)


@minimum_of_one.revert
def two_at_least(r: Rehearsal) -> None:
    _bounded(r, MinSize=LEAST)


@fault(
    "launching-suspended",
    expect_fail=["D-14.2.1"],
    touches=_TOUCHES,
    title="somebody has suspended the group's launching of instances",
)
def launching_suspended(r: Rehearsal) -> None:
    _scaling(r).suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])


@launching_suspended.revert
def resume_launching(r: Rehearsal) -> None:
    _scaling(r).resume_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])


def _started(name: str, title: str, key: str) -> None:
    """What the tier starts later, or when, is another thing."""

    @fault(name, expect_fail=["D-14.2.1"], touches=[f"tier/{key}"], title=title)
    def change(r: Rehearsal) -> None:
        r.override("tier", **{key: True})

    @change.revert
    def put_back(r: Rehearsal) -> None:
        r.clear_override("tier", key)


_started("new-instances-not-healthy", "what the group starts fails its health check", "unhealthy")
_started(
    "new-instances-answer-errors", "what the group starts is healthy and answers errors", "broken"
)
_started("group-flaps", "the group grows again right after it has shrunk", "flaps")
