from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.load.running import Answered
from golive.probes.platform import scaling
from golive.probes.platform.autoscaling import (
    Policy,
    ScalingGroup,
    ScalingGroups,
    _policy,
    scaling_groups,
)
from golive.probes.platform.scaling import (
    Activity,
    ScalingRun,
    ScalingRuns,
    on_a_tier_of_its_own,
    scaling_runs,
)
from golive.probing import REGISTRY
from golive.verdicts import ProbeError, Unseen

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TRACKING = Policy("requests", "TargetTrackingScaling", True, True, True)
GROUP = ScalingGroup("app", 2, 6, 2, 4, (), (TRACKING,))
RUN = ScalingRun(
    group="app",
    started_at=NOW,
    requests=1_200,
    failed=(),
    failed_count=0,
    sizes=(2, 4, 3, 2),
    added_s=41.0,
    serving_s=70.0,
    newcomers=("app-3",),
    newcomers_up=1,
    back_s=600.0,
    activities=(Activity(NOW, "Launching a new EC2 instance: i-1", "Successful"),),
)
UNSEEN = Unseen(ProbeError("activities", "no right", "grant it"))

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def groups(**changes: Any) -> ScalingGroups:
    return ScalingGroups(("app",), (replace(GROUP, **changes),))


def runs(**changes: Any) -> ScalingRuns:
    return ScalingRuns((replace(RUN, **changes),))


@pytest.fixture
def judge(judged: Judge, env_with: EnvWith) -> Callable[..., Claim | None]:
    env = env_with()
    return lambda found=groups(), ran=runs(): judged(  # noqa: B008
        "D-14.2.1", scaling_groups=found, scaling_runs=ran, env=env
    )


def test_a_group_that_grows_and_shrinks_is_green(judge: Callable[..., Claim | None]) -> None:
    assert judge() is None
    assert judge(ran=runs(failed_count=1, failed=("app-1: status 502 (1 times)",))) is None
    assert judge(ran=runs(activities=())) is None
    two = (replace(TRACKING, shrinks=False), Policy("down", "StepScaling", True, False, True))
    assert judge(groups(policies=two)) is None


@pytest.mark.parametrize(
    ("found", "ran", "subject", "observed"),
    [
        (ScalingGroups(("app", "web"), (GROUP,)), runs(), "autoscaling groups", "missing web"),
        (groups(minimum=1), runs(), "minimum of instances", "app 1"),
        (groups(maximum=2, planned=2), runs(), "groups without room to grow", "2 to 2"),
        (groups(planned=7), runs(), "groups below the capacity plan", "at most 6 of 7"),
        (groups(policies=()), runs(), "groups no policy makes grow", "app"),
        (
            groups(policies=(replace(TRACKING, enabled=False),)),
            runs(),
            "groups no policy makes grow",
            "app",
        ),
        (
            groups(policies=(replace(TRACKING, shrinks=False),)),
            runs(),
            "groups no policy shrinks",
            "app",
        ),
        (groups(suspended=("Launch",)), runs(), "suspended processes", "app: Launch"),
        (groups(), runs(requests=999), "requests of the load", "999"),
        (groups(), runs(added_s=inf), "instance added", "never"),
        (groups(), runs(added_s=301.0), "instance added", "301 s"),
        (groups(), runs(newcomers_up=0), "groups whose new servers are not up", "app"),
        (groups(), runs(serving_s=inf), "new instance serves", "never"),
        (
            groups(),
            runs(failed_count=2, failed=("app-3: status 500 (2 times)",)),
            "requests failed in app app-3: status 500 (2 times)",
            "0.167 %",
        ),
        (groups(), runs(back_s=inf), "back at the minimum", "never"),
        (groups(), runs(sizes=(2, 4, 2, 3, 2)), "growing again while shrinking", "from 2 to 3"),
        (
            groups(),
            runs(
                activities=(
                    Activity(NOW, "Terminating EC2 instance: i-1", "Successful"),
                    Activity(NOW, "Launching a new EC2 instance: i-2", "Successful"),
                )
            ),
            "growing again while shrinking",
            "Launching a new EC2 instance: i-2",
        ),
        (
            groups(),
            runs(activities=(Activity(NOW, "Launching a new EC2 instance", "Failed"),)),
            "failed activities",
            "Launching a new EC2 instance: Failed",
        ),
    ],
)
def test_each_clause_of_scaling_turns_it_red(
    judge: Callable[..., Claim | None],
    found: ScalingGroups,
    ran: ScalingRuns,
    subject: str,
    observed: str,
) -> None:
    claim = judge(found, ran)
    assert claim is not None
    assert claim.subject == subject
    assert observed in claim.observed


def test_what_could_not_be_seen_of_a_run_is_unknown_unless_another_part_is_broken(
    judge: Callable[..., Claim | None],
) -> None:
    for ran in (runs(activities=UNSEEN), runs(newcomers_up=UNSEEN)):
        claim = judge(ran=ran)
        assert claim is not None
        assert claim.unseen is not None
    both = ScalingRuns((replace(RUN, newcomers_up=UNSEEN), replace(RUN, newcomers_up=0)))
    assert both.without_healthy_newcomer == ["app"]


def test_no_request_at_all_is_no_success() -> None:
    assert replace(RUN, requests=0).failed_percent == 100.0


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"PolicyType": "TargetTrackingScaling"}, (True, True, True)),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingConfiguration": {"DisableScaleIn": True},
            },
            (True, True, False),
        ),
        ({"PolicyType": "TargetTrackingScaling", "Enabled": False}, (False, True, True)),
        ({"ScalingAdjustment": 2, "Alarms": [{}]}, (True, True, False)),
        ({"ScalingAdjustment": -1, "Alarms": [{}]}, (True, False, True)),
        ({"ScalingAdjustment": 2}, (False, True, False)),
        (
            {"PolicyType": "StepScaling", "StepAdjustments": [{"ScalingAdjustment": 1}]},
            (False, True, False),
        ),
        (
            {"PolicyType": "SimpleScaling", "AdjustmentType": "ExactCapacity", "Alarms": [{}]},
            (True, True, True),
        ),
        (
            {
                "PolicyType": "PredictiveScaling",
                "PredictiveScalingConfiguration": {"Mode": "ForecastOnly"},
            },
            (True, False, False),
        ),
    ],
)
def test_what_a_policy_does_is_read_from_its_kind(
    table: dict[str, Any], told: tuple[bool, bool, bool]
) -> None:
    found = _policy({"PolicyName": "p", **table})
    assert (found.enabled, found.grows, found.shrinks) == told


def test_the_drill_runs_beside_others_only_on_a_tier_of_its_own(env_with: EnvWith) -> None:
    declared = {"groups": [{"name": "app", "planned": 2}]}
    assert not on_a_tier_of_its_own(env_with())
    probe = REGISTRY["scaling_runs"]
    assert not probe.is_isolated(env_with(scaling=declared))
    own = {**declared, "tier_command": ["true"], "end_command": ["true"]}
    assert probe.is_isolated(env_with(scaling=own))


def test_no_declared_group_is_told(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match="none is declared"):
        scaling_groups(env_with(scaling={"groups": []}))


def test_groups_that_are_not_there_cannot_be_put_under_load(env_with: EnvWith) -> None:
    env = env_with(scaling={"groups": [{"name": "app", "planned": 2}]})
    with pytest.raises(ProbeError, match="none of the declared ones is there"):
        scaling_runs(env, ScalingGroups(("app",), ()))


def test_a_tier_that_does_not_start_is_ended_all_the_same(env_with: EnvWith, tmp_path: Any) -> None:
    ended = tmp_path / "ended"
    env = env_with(
        scaling={
            "groups": [{"name": "app", "planned": 2}],
            "tier_command": ["false"],
            "end_command": ["sh", "-c", f"echo {{name}} >> {ended}"],
        }
    )
    with pytest.raises(ProbeError, match=r"scaling\.tier_command"):
        scaling_runs(env, ScalingGroups(("app",), (GROUP,)))
    assert ended.read_text().split() == ["app", "app"]


def test_answers_are_told_once_with_how_often() -> None:
    lost = Answered(at=1.0, status=0, instance="", error="ConnectionError")
    bad = Answered(at=1.0, status=503, instance="app-3", error="")
    assert (lost.failed, bad.failed) == (True, True)
    assert not replace_status(bad, 302).failed
    told = scaling._counted([lost, bad, bad])
    assert told == ("nobody: ConnectionError (1 times)", "app-3: status 503 (2 times)")


def replace_status(answer: Answered, status: int) -> Answered:
    return Answered(answer.at, status, answer.instance, answer.error)


# -- against moto ----------------------------------------------------------------------------------


@pytest.fixture
def aws(aws_url: str, env_with: EnvWith, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A client of autoscaling, and an environment made with these groups."""
    import boto3

    monkeypatch.setenv("AWS_TEST_KEY", "testing")
    client = boto3.client(
        "autoscaling",
        endpoint_url=aws_url,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    key = {"env": "AWS_TEST_KEY"}

    def make(*names: str, **more: Any) -> Environment:
        declared = [{"name": name, "planned": 2} for name in names]
        return env_with(
            aws={"endpoint_url": aws_url, "access_key_id": key, "secret_access_key": key},
            scaling={"region": "eu-west-1", "groups": declared, **more},
        )

    return client, make


def make_group(client: Any, name: str, **bounds: int) -> None:
    image = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}
    client.create_launch_configuration(LaunchConfigurationName=f"{name}-config", **image)
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=f"{name}-config",
        AvailabilityZones=["eu-west-1a"],
        **{"MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0, **bounds},
    )


def test_groups_and_policies_are_read_as_aws_has_them(aws: tuple[Any, Any]) -> None:
    client, make = aws
    make_group(client, "golive-web", MaxSize=5)
    client.put_scaling_policy(
        AutoScalingGroupName="golive-web",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 60.0,
        },
    )
    client.suspend_processes(
        AutoScalingGroupName="golive-web", ScalingProcesses=["Launch", "AZRebalance"]
    )
    found = scaling_groups(make("golive-web", "golive-gone"))
    assert found.declared == ("golive-web", "golive-gone")
    assert found.found == ["golive-web"]
    [group] = found.groups
    assert (group.minimum, group.maximum, group.desired, group.planned) == (0, 5, 0, 2)
    assert group.suspended == ("Launch",)
    assert (group.grows, group.shrinks) == (True, True)


def test_a_refused_right_is_no_empty_set(aws: tuple[Any, Any], refuse: Callable[..., None]) -> None:
    client, make = aws
    make_group(client, "golive-other")
    refuse("DescribePolicies")
    with pytest.raises(ProbeError, match="autoscaling:Describe"):
        scaling_groups(make("golive-other"))
