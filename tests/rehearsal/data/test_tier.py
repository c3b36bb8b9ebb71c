from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from rehearsal import lifecycle
from rehearsal.data import tier
from rehearsal.faults import get
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.aws_scaling import GROUP, LEAST, MOST, REGION

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """What a tier needs: Amazon's services, the database, the cache."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("tier"))
    needed = ["aws", "pgbouncer", "redis-sentinel-1"]
    lifecycle.up(rehearsal, only=needed, say=lambda _: None)
    try:
        rehearsal.wait("the group is there", lambda: bool(_group(rehearsal)), PATIENCE_S)
        yield rehearsal
    finally:
        lifecycle.down(rehearsal, say=lambda _: None)


def _group(r: Rehearsal) -> bool:
    try:
        return bool(tier.group(r))
    except RehearsalError:
        return False


def _want(r: Rehearsal, instances: int) -> None:
    scaling = aws.client(r, "autoscaling", REGION)
    scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=instances)


def _up(r: Rehearsal) -> int:
    return tier.GROUPS.up(r)


def test_the_tier_has_an_instance_for_each_of_the_groups(r: Rehearsal) -> None:
    made = tier.start(r)
    try:
        assert _up(r) == LEAST
        with urllib.request.urlopen(f"{made['url']}/health", timeout=5) as answer:
            assert answer.headers["X-Instance"] in tier.GROUPS.apps
        _want(r, MOST)  # which the group's own policy takes back, as there is no load
        r.wait("the others are up", lambda: _up(r) == MOST, PATIENCE_S)
        r.wait("the group has shrunk", lambda: len(tier.GROUPS.servers(r)) == LEAST, PATIENCE_S)
        done = aws.client(r, "autoscaling", REGION).describe_scaling_activities(
            AutoScalingGroupName=GROUP
        )["Activities"]
        told = [a["Description"].split(" EC2")[0] for a in reversed(done)]
        assert told[-4:] == ["Launching a new"] * 2 + ["Terminating"] * 2
        assert {a["StatusCode"] for a in done} == {"Successful"}
    finally:
        tier.GROUPS.end(r)
    assert not [name for name in r.running() if name.startswith("tier")]


def test_what_is_not_healthy_gets_no_requests(r: Rehearsal) -> None:
    fault = get("new-instances-not-healthy")
    fault(r)
    tier.start(r)
    try:
        _want(r, LEAST + 1)
        r.wait("it runs", lambda: tier.GROUPS.apps[LEAST] in r.running(), PATIENCE_S)
        assert len(tier.GROUPS.servers(r)) == LEAST
        health = [i["HealthStatus"] for i in tier.group(r)["Instances"]]
        assert health.count("Unhealthy") == 1
    finally:
        tier.GROUPS.end(r)
        assert fault.restores is not None
        fault.restores(r)


def test_a_workload_has_the_replicas_that_were_asked_for(r: Rehearsal) -> None:
    made = tier.start_pods(r)
    try:
        assert tier.replicas(r) == {"wanted": LEAST, "ready": LEAST}
        with urllib.request.urlopen(f"{made['url']}/health", timeout=5) as answer:
            assert answer.headers["X-Instance"] in tier.PODS.apps
        tier.scale(r, MOST)
        r.wait("all are ready", lambda: tier.replicas(r)["ready"] == MOST, PATIENCE_S)
        tier.scale(r, LEAST)
        r.wait("as before", lambda: len(tier.PODS.servers(r)) == LEAST, PATIENCE_S)
        with pytest.raises(RehearsalError, match=f"expected 1 to {MOST}"):
            tier.scale(r, MOST + 1)
    finally:
        tier.PODS.end(r)
    assert not [name for name in r.running() if name.startswith("pods")]


def test_each_fault_of_the_group_is_reverted(r: Rehearsal) -> None:
    def bounds() -> tuple[object, ...]:
        table = tier.group(r)
        policies = aws.client(r, "autoscaling", REGION).describe_policies(
            AutoScalingGroupName=GROUP
        )["ScalingPolicies"]
        told = [p["TargetTrackingConfiguration"].get("DisableScaleIn") for p in policies]
        suspended = [p["ProcessName"] for p in table.get("SuspendedProcesses", [])]
        return table["MinSize"], table["MaxSize"], told, suspended

    before = bounds()
    for name in (
        "scale-out-policy-deleted",
        "scale-in-disabled",
        "maximum-equals-minimum",
        "minimum-of-one",
        "launching-suspended",
    ):
        fault = get(name)
        fault(r)
        assert bounds() != before, name
        assert fault.restores is not None
        fault.restores(r)
        assert bounds() == before, name
