"""Faults of scaling: the autoscaling group and its policy, the manifests' autoscalers, and what
either starts."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.platform.editing import edited
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


def _started(tier: str, item: str, name: str, title: str, key: str) -> None:
    """What a tier starts later, or when, is another thing."""

    @fault(name, expect_fail=[item], touches=[f"{tier}/{key}"], title=title)
    def change(r: Rehearsal) -> None:
        r.override(tier, **{key: True})

    @change.revert
    def put_back(r: Rehearsal) -> None:
        r.clear_override(tier, key)


_GROUP, _PODS = ("tier", "D-14.2.1"), ("pods", "D-14.2.3")
_started(
    *_GROUP,
    "new-instances-not-healthy",
    "what the group starts fails its health check",
    "unhealthy",
)
_started(
    *_GROUP,
    "new-instances-answer-errors",
    "what the group starts is healthy and answers errors",
    "broken",
)
_started(*_GROUP, "group-flaps", "the group grows again while it shrinks", "flaps")
_started(*_PODS, "new-replicas-not-ready", "further replicas never become ready", "unhealthy")
_started(*_PODS, "new-replicas-answer-errors", "further replicas answer errors", "broken")

# -- manifests -----------------------------------------------------------------------------------

_BACKEND = "k8s/backend.yaml"


def _manifest(name: str, title: str, *edits: tuple[str, str]) -> None:
    edited(name, ["D-14.2.3"], title, *((_BACKEND, old, new) for old, new in edits), area="scaling")


_manifest(
    "autoscaler-target-misspelt",
    "the backend's autoscaler scales a Deployment that is not there",
    ("kind: Deployment, name: backend}", "kind: Deployment, name: bakend}"),
)
_manifest(
    "cpu-requests-removed",
    "the backend says no CPU request, so that its autoscaler has nothing to reckon with",
    ('              cpu: "1"\n', ""),
    ("              cpu: 500m\n", ""),
)
_manifest(
    "budget-lets-no-pod-go",
    "the backend's disruption budget wants as many pods as there are at least",
    ("  maxUnavailable: 1\n", "  minAvailable: 4\n"),
)
_manifest(
    "autoscaler-least-of-one",
    "the backend's autoscaler may leave a single pod",
    ("  minReplicas: 4\n", "  minReplicas: 1\n"),
)
_manifest(
    "autoscaler-below-plan",
    "the backend's autoscaler goes half as far as the capacity plan",
    ("  maxReplicas: 12\n", "  maxReplicas: 6\n"),
)
