from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.platform.workload_drill import (
    WorkloadRun,
    WorkloadRuns,
    autoscaler_conditions,
    on_a_tier_of_its_own,
    workload_runs,
)
from golive.probes.platform.workload_scaling import WorkloadScaling
from golive.probing import REGISTRY
from golive.verdicts import ProbeError
from tests.golive.probes.answering import answering

EnvWith = Callable[..., Environment]
Judge = Callable[..., Claim | None]
WEB = "Deployment/web"
SCALED = WorkloadScaling(
    autoscalers=("web",),
    user_facing=(f"{WEB} of k8s",),
    unscaled=(),
    astray=(),
    without_cpu_requests=(),
    least_replicas={f"{WEB} of k8s": 2},
    most_replicas={f"{WEB} of k8s": 6, f"{WEB} of chart": 8},
    not_evictable=(),
)
RUN = WorkloadRun(WEB, 2, 6, 90.0, 40.0, 1_200, 0, ())


def runs(planned: int = 6, **changes: Any) -> WorkloadRuns:
    return WorkloadRuns({WEB: planned}, (replace(RUN, **changes),))


@pytest.fixture
def judge(judged: Judge, env_with: EnvWith) -> Callable[..., Claim | None]:
    def look(
        scaled: WorkloadScaling = SCALED,
        ran: WorkloadRuns | None = None,
        conditions: tuple[str, ...] = (),
        *,
        cluster: bool = True,
    ) -> Claim | None:
        return judged(
            "D-14.2.3",
            workload_scaling=scaled,
            workload_runs=ran or runs(),
            autoscaler_conditions=conditions,
            env=env_with(kubernetes={"cluster": cluster}),
        )

    return look


def test_what_scales_to_its_maximum_and_back_is_green(judge: Callable[..., Claim | None]) -> None:
    assert judge() is None
    assert judge(cluster=False) is None


@pytest.mark.parametrize(
    ("scaled", "ran", "subject", "observed"),
    [
        (
            replace(SCALED, astray=("scales Deployment/wep",)),
            runs(),
            "autoscalers of nothing",
            "wep",
        ),
        (replace(SCALED, autoscalers=()), runs(), "autoscalers of nothing", "no autoscalers"),
        (replace(SCALED, unscaled=(WEB,)), runs(), "workloads nothing scales", WEB),
        (replace(SCALED, user_facing=()), runs(), "workloads nothing scales", "no user-facing"),
        (replace(SCALED, without_cpu_requests=("web",)), runs(), "without CPU requests", "web"),
        (replace(SCALED, least_replicas={WEB: 1}), runs(), "minReplicas", f"{WEB} 1"),
        (SCALED, runs(planned=7), "maximum below the capacity plan", "at most 6 of 7"),
        (SCALED, WorkloadRuns({}, (RUN,)), "maximum below the capacity plan", "is in no plan"),
        (replace(SCALED, not_evictable=("web",)), runs(), "workloads no pod may leave", "web"),
        (SCALED, runs(grown_s=inf), "all replicas ready", f"{WEB} to 6 never"),
        (SCALED, runs(grown_s=301.0), "all replicas ready", "301 s"),
        (SCALED, runs(shrunk_s=inf), "as many replicas as before", f"{WEB} to 2 never"),
        (SCALED, runs(requests=999), "requests of the load", "999"),
        (
            SCALED,
            runs(failed_count=1, failed=("web-3: status 502 (1 times)",)),
            "failed requests",
            f"{WEB}: web-3: status 502",
        ),
    ],
)
def test_each_clause_of_scaling_workloads_turns_it_red(
    judge: Callable[..., Claim | None],
    scaled: WorkloadScaling,
    ran: WorkloadRuns,
    subject: str,
    observed: str,
) -> None:
    claim = judge(scaled, ran)
    assert claim is not None
    assert claim.subject == subject
    assert observed in claim.observed


def test_an_autoscaler_that_the_cluster_calls_unsound_is_red(
    judge: Callable[..., Claim | None],
) -> None:
    claim = judge(conditions=("web: ScalingActive is False, FailedGetResourceMetric",))
    assert claim is not None
    assert claim.subject == "autoscalers that do not work"


def test_the_least_of_several_autoscalers_of_a_workload_counts_against_the_plan() -> None:
    assert SCALED.below_plan({WEB: 6}) == []
    assert SCALED.below_plan({WEB: 7}) == [f"{WEB} of k8s: at most 6 of 7"]
    assert (SCALED.most_of(WEB), SCALED.most_of("Deployment/other")) == (8, 0)


# -- what the cluster says -------------------------------------------------------------------------


def cluster(env_with: EnvWith, folder: Path, *items: Any) -> Environment:
    """An environment whose kubectl prints these autoscalers."""
    file = folder / "hpa.json"
    file.write_text(json.dumps({"items": list(items)}))
    kubectl = ["sh", "-c", f"cat {file}", "kubectl"]
    return env_with(kubernetes={"kubectl": kubectl, "namespace": "shop"})


def autoscaler(name: str, **conditions: str) -> dict[str, Any]:
    told = [{"type": t, "status": s, "reason": f"{t}Told"} for t, s in conditions.items()]
    return {"metadata": {"name": name}, "status": {"conditions": told}}


def test_conditions_are_those_of_every_autoscaler(env_with: EnvWith, tmp_path: Path) -> None:
    good = autoscaler("web", AbleToScale="True", ScalingActive="True", ScalingLimited="True")
    blind = autoscaler("api", AbleToScale="True", ScalingActive="False")
    new = {"metadata": {"name": "new"}, "status": {}}
    assert autoscaler_conditions(cluster(env_with, tmp_path, good)) == ()
    assert autoscaler_conditions(cluster(env_with, tmp_path, good, blind, new)) == (
        "api: ScalingActive is False, ScalingActiveTold",
        "new: AbleToScale is not told, no such condition",
        "new: ScalingActive is not told, no such condition",
    )


def test_a_cluster_without_autoscalers_or_that_does_not_answer_is_not_sound(
    env_with: EnvWith, tmp_path: Path
) -> None:
    with pytest.raises(ProbeError, match="the cluster has none"):
        autoscaler_conditions(cluster(env_with, tmp_path))
    refused = env_with(kubernetes={"kubectl": ["false"], "namespace": "shop"})
    with pytest.raises(ProbeError, match=r"kubernetes\.kubectl"):
        autoscaler_conditions(refused)
    assert autoscaler_conditions(env_with(kubernetes={"cluster": False})) == ()


# -- the drill -------------------------------------------------------------------------------------


class Scaled:
    """Commands that keep the number of replicas in a file, ready at once."""

    def __init__(self, folder: Path, url: str, replicas: int = 2) -> None:
        self._folder, self._url = folder, url
        self.file = folder / "replicas"
        self.file.write_text(str(replicas))
        self.ready = folder / "ready"

    def section(self, **more: Any) -> dict[str, Any]:
        told = (
            f"n=$(cat {self.file}); r=$(cat {self.ready} 2>/dev/null || echo $n);"
            ' echo "{{\\"wanted\\": $n, \\"ready\\": $r}}"'
        )
        scale = f'echo "$0" > {self.file}; echo "$0 $1 $2" >> {self._folder}/calls'
        return {
            "workloads": [
                {"name": WEB, "planned": 3, "most": 4, "url": self._url, "path": "/", **more}
            ],
            "scale_command": ["sh", "-c", scale, "{replicas}", "{kind}", "{name}"],
            "replicas_command": ["sh", "-c", told],
        }

    @property
    def calls(self) -> list[str]:
        return (self._folder / "calls").read_text().splitlines()


def test_a_workload_is_scaled_and_put_back(env_with: EnvWith, tmp_path: Path) -> None:
    with answering() as service:
        service.says("/", {}, X_Instance="web-1")
        scaled = Scaled(tmp_path, service.url)
        env = env_with(
            application={"url": service.url, "instance_header": "X-Instance"},
            scaling=scaled.section(per_s=400.0, users=8),
        )
        found = workload_runs(env, SCALED)
    [run] = found.runs
    assert (run.workload, run.before, run.most, run.failed_count) == (WEB, 2, 4, 0)
    assert run.requests >= 1_000
    assert max(run.grown_s, run.shrunk_s) < inf
    assert scaled.calls == ["4 Deployment web", "2 Deployment web"]
    assert found.planned == {WEB: 3}


def test_replicas_that_are_never_ready_are_put_back_all_the_same(
    env_with: EnvWith, tmp_path: Path
) -> None:
    with answering() as service:
        service.says("/", {}, X_Instance="web-1")
        scaled = Scaled(tmp_path, service.url)
        scaled.ready.write_text("2")
        env = env_with(
            application={"url": service.url, "instance_header": "X-Instance"},
            windows={"scale_out_s": 1.0},
            scaling=scaled.section(per_s=400.0, users=8),
        )
        [run] = workload_runs(env, SCALED).runs
    assert run.grown_s == inf
    assert run.shrunk_s < inf
    assert scaled.file.read_text().strip() == "2"


def test_a_workload_at_its_most_already_cannot_be_tried(env_with: EnvWith, tmp_path: Path) -> None:
    scaled = Scaled(tmp_path, "http://127.0.0.1:1", replicas=4)
    env = env_with(
        application={"url": "http://127.0.0.1:1", "instance_header": "X-Instance"},
        scaling=scaled.section(),
    )
    with pytest.raises(ProbeError, match="it has 4 replicas already"):
        workload_runs(env, SCALED)


def test_how_far_to_scale_has_to_be_known(env_with: EnvWith, tmp_path: Path) -> None:
    scaled = Scaled(tmp_path, "http://127.0.0.1:1")
    env = env_with(scaling=scaled.section(name="Deployment/other", most=0))
    with pytest.raises(ProbeError, match="no autoscaler says how far"):
        workload_runs(env, SCALED)
    with pytest.raises(ProbeError, match="none is declared"):
        workload_runs(env_with(scaling={**scaled.section(), "workloads": []}), SCALED)


def test_the_drill_runs_beside_others_only_on_a_tier_of_its_own(
    env_with: EnvWith, tmp_path: Path
) -> None:
    declared = Scaled(tmp_path, "").section()
    assert not on_a_tier_of_its_own(env_with(scaling=declared))
    own = {**declared, "workload_tier_command": ["true"], "workload_end_command": ["true"]}
    assert REGISTRY["workload_runs"].is_isolated(env_with(scaling=own))
