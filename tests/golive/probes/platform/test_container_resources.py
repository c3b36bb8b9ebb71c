"""What containers of manifests ask for and may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform.container_resources import ContainerResources, container_resources
from golive.probes.platform.manifests import Bundle
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import (
    EnvWith,
    applied,
    deployment,
    environment,
    lay,
    made,
    said,
)

Looked = Callable[..., ContainerResources]
WHOLE = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    def look(*objects: dict[str, Any]) -> ContainerResources:
        env = environment(env_with, lay(tmp_path / "c", {"a.yaml": said(*objects)}))
        return container_resources(env, applied(env))

    return look


def limit_range(**limits: Any) -> dict[str, Any]:
    return made("v1", "LimitRange", spec={"limits": [{"type": "Container", **limits}]})


def test_a_container_that_says_all(looked: Looked) -> None:
    found = looked(deployment(resources=WHOLE))
    assert (found.without_requests, found.without_memory_limit, found.above_limits) == ([], [], [])
    (one,) = found.containers
    assert (one.workload, one.container, one.namespace) == ("Deployment/web", "web", "shop")
    assert (float(one.cpu_request or 0), one.cpu_limit) == (0.5, None)
    assert (one.memory_request, one.memory_limit) == (Decimal(2**29), Decimal(2**30))
    assert (one.pods, one.ends) == (2, False)


def test_what_a_container_does_not_say_is_named_with_its_place(looked: Looked) -> None:
    found = looked(deployment(resources={"limits": {"cpu": "1"}}))
    told = "Deployment/web container web of manifests (a.yaml:"
    assert str(found.without_requests).startswith(f"['{told}")
    assert str(found.without_requests).endswith(": memory']")
    assert str(found.without_memory_limit).startswith(f"['{told}")
    assert looked(deployment(resources={})).without_requests[0].endswith(": CPU, memory")


def test_init_containers_and_jobs_are_looked_at_and_known_to_end(looked: Looked) -> None:
    first = {"initContainers": [{"name": "wait", "image": "x"}]}
    job = made("batch/v1", "Job", "migrate")
    job["spec"] = {"template": {"spec": {"containers": [{"name": "migrate", "image": "x"}]}}}
    found = looked(deployment(resources=WHOLE, pod=first), job)
    assert {c.container: c.ends for c in found.containers} == {
        "web": False,
        "wait": True,
        "migrate": True,
    }
    assert len(found.without_memory_limit) == 2


def test_a_limit_alone_is_the_request_and_a_limit_range_gives_the_rest(looked: Looked) -> None:
    alone = looked(deployment(resources={"limits": {"cpu": "1", "memory": "1Gi"}}))
    assert (alone.without_requests, alone.without_memory_limit) == ([], [])
    gives = limit_range(default={"memory": "256Mi"}, defaultRequest={"cpu": "100m"})
    given = looked(deployment(resources={}), gives)
    assert (given.without_requests, given.without_memory_limit) == ([], [])
    of_pods = {**gives, "spec": {"limits": [{"type": "Pod", "max": {"memory": "1Gi"}}]}}
    assert looked(deployment(resources={}), of_pods).without_memory_limit != []


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}, "memory 2147483648 of 1073"),
        ({"requests": {"cpu": "1500m"}, "limits": {"cpu": "1"}}, "CPU 1.500 of 1"),
    ],
)
def test_requests_above_limits(looked: Looked, resources: Any, told: str) -> None:
    (found,) = looked(deployment(resources=resources)).above_limits
    assert told in found


def test_as_many_pods_as_there_are_at_least(looked: Looked) -> None:
    def scaler(**spec: Any) -> dict[str, Any]:
        target = {"kind": "Deployment", "name": "web"}
        return made("a/v1", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, **spec})

    web = deployment(resources=WHOLE)
    assert looked(web, scaler(minReplicas=4)).containers[0].pods == 4
    assert looked(web, scaler()).containers[0].pods == 1
    stopped = deployment(resources=WHOLE, spec={"replicas": 0, "template": web["spec"]["template"]})
    assert looked(stopped).containers[0].pods == 1
    assert looked({**web, "kind": "DaemonSet"}).containers[0].pods == 1


def test_a_rendering_that_lacks_is_no_sound_one(env_with: EnvWith, tmp_path: Path) -> None:
    env = environment(
        env_with, lay(tmp_path / "c", {"a.yaml": said(deployment(resources=WHOLE), limit_range())})
    )
    unseen = Unseen(ProbeError("the chart", "there is no helm", "install it"))
    known = replace(applied(env), rendered={"production": unseen}, own="production", unseen=unseen)
    found = container_resources(env, known)
    assert found.without_memory_limit is unseen
    other = replace(known, rendered={"staging": Bundle("chart", ())}, own="", unseen=None)
    nobody = container_resources(env, other).without_requests
    assert "it is none of staging" in repr(nobody)
    elsewhere = replace(known, rendered={"staging": unseen, "here": Bundle("c", ())}, own="here")
    assert container_resources(env, elsewhere).without_requests == []
    bare = environment(env_with, lay(tmp_path / "d", {"a.yaml": said(deployment(resources={}))}))
    red = replace(applied(bare), rendered={"production": unseen}, own="production", unseen=unseen)
    assert len(container_resources(bare, red).without_memory_limit) == 1


def test_nothing_that_runs_is_nothing_to_look_at(env_with: EnvWith, tmp_path: Path) -> None:
    env = environment(env_with, lay(tmp_path / "c", {"a.yaml": said(limit_range())}))
    with pytest.raises(ProbeError, match="no workload of this environment was found"):
        container_resources(env, applied(env))
