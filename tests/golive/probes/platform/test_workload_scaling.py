"""Autoscalers and disruption budgets of manifests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform import checkout as checkouts
from golive.probes.platform.manifests import manifests
from golive.probes.platform.workload_scaling import WorkloadScaling, workload_scaling
from golive.verdicts import ProbeError
from tests.golive.probes.platform.deployed import (
    EnvWith,
    deployment,
    environment,
    lay,
    made,
    said,
    service,
)

Looked = Callable[..., WorkloadScaling]


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    def look(*objects: dict[str, Any]) -> WorkloadScaling:
        root = lay(tmp_path / "c", {"a.yaml": said(*objects)})
        env = environment(env_with, root)
        return workload_scaling(env, manifests(env, checkouts.checkout(env)))

    return look


def scaler(name: str = "web", **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    given = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6, **spec}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", spec=given)


def budget(app: str = "web", **spec: Any) -> dict[str, Any]:
    given = {"selector": {"matchLabels": {"app": app}}, **(spec or {"maxUnavailable": 1})}
    return made("policy/v1", "PodDisruptionBudget", spec=given)


def ingress(name: str = "web") -> dict[str, Any]:
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    return made("networking.k8s.io/v1", "Ingress", spec={"defaultBackend": backend})


def test_a_workload_that_scales_as_it_should(looked: Looked) -> None:
    found = looked(deployment(), service(), ingress(), scaler(), budget())
    subject = "Deployment/web of manifests"
    assert found.user_facing == (subject,)
    assert (found.least_replicas, found.most_replicas) == ({subject: 2}, {subject: 6})
    assert (found.unscaled, found.astray, found.without_cpu_requests) == ((), (), ())
    assert found.not_evictable == ()


def test_a_misspelt_target_scales_nothing(looked: Looked) -> None:
    found = looked(deployment(), service(), ingress(), scaler("wed"), budget())
    assert found.unscaled == ("Deployment/web of manifests",)
    assert "scales Deployment/wed, which is not there" in found.astray[0]
    assert found.least_replicas == {}


def test_what_no_ingress_leads_to_needs_no_autoscaler(looked: Looked) -> None:
    found = looked(deployment(), service(), deployment("job"), ingress(), scaler(), budget())
    assert found.unscaled == ()


@pytest.mark.parametrize(
    ("resources", "lacks"),
    [({}, True), ({"requests": {"memory": "1Gi"}}, True), ({"limits": {"cpu": "1"}}, False)],
)
def test_requests_that_an_autoscaler_needs(
    looked: Looked, resources: dict[str, Any], lacks: bool
) -> None:
    found = looked(deployment(resources=resources), scaler(), budget())
    assert bool(found.without_cpu_requests) is lacks


@pytest.mark.parametrize(
    ("spec", "lets_go"),
    [
        ({"maxUnavailable": 1}, True),
        ({"maxUnavailable": 0}, False),
        ({"maxUnavailable": "10%"}, True),
        ({"minAvailable": 1}, True),
        ({"minAvailable": 2}, False),
        ({"minAvailable": "50%"}, True),
        ({"minAvailable": "51%"}, False),
        ({"minAvailable": "100%"}, False),
    ],
)
def test_budgets_that_let_a_pod_go(looked: Looked, spec: dict[str, Any], lets_go: bool) -> None:
    assert (looked(deployment(), scaler(), budget(**spec)).not_evictable == ()) is lets_go


def test_no_budget_and_the_least_of_one(looked: Looked) -> None:
    assert "has no disruption budget" in looked(deployment(), scaler()).not_evictable[0]
    alone = scaler()
    alone["spec"].pop("minReplicas")
    found = looked(deployment(), alone, budget())
    assert list(found.least_replicas.values()) == [1]


def test_without_a_workload_nothing_is_looked_at(looked: Looked) -> None:
    with pytest.raises(ProbeError, match="no workload"):
        looked(scaler())
