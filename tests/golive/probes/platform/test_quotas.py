"""Quotas against what workloads want at most."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform.quotas import Quotas, Room, amount, quotas
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import (
    EnvWith,
    answering,
    applied,
    deployment,
    environment,
    lay,
    made,
    said,
)

Looked = Callable[..., Quotas]


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    """Look at the quotas of some objects."""

    def look(*objects: dict[str, Any], **kubernetes: Any) -> Quotas:
        root = lay(tmp_path / "c", {"a.yaml": said(*objects)})
        env = environment(env_with, root, **kubernetes)
        return quotas(env, applied(env))

    return look


def quota(**hard: Any) -> dict[str, Any]:
    names = {"cpu": "requests.cpu", "memory": "requests.memory", "limits": "limits.cpu"}
    return made("v1", "ResourceQuota", spec={"hard": {names.get(k, k): v for k, v in hard.items()}})


RANGE = made("v1", "LimitRange", spec={"limits": []})
WHOLE = quota(cpu="10", memory="10Gi", pods="10")


def scaler(most: int, name: str = "web") -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "maxReplicas": most}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def needed(found: Quotas) -> dict[str, float]:
    rooms = [r for r in found.rooms if isinstance(r, Room)]
    return {r.subject.partition(" ")[0]: float(r.needed) for r in rooms}


def strategy(**update: Any) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": update}}


def test_a_namespace_without_quota_or_limit_range(looked: Looked) -> None:
    found = looked(deployment())
    assert found.without_quota == ("shop in manifests: requests.cpu, requests.memory, pods",)
    assert found.without_limit_range == ("shop in manifests",)
    some = looked(deployment(), quota(cpu="1"), RANGE)
    assert some.without_quota == ("shop in manifests: requests.memory, pods",)
    assert looked(deployment(), WHOLE, RANGE).without_quota == ()


def test_quotas_of_another_namespace_or_of_some_pods_do_not_count(looked: Looked) -> None:
    other = {**WHOLE, "metadata": {"name": "x", "namespace": "other"}}
    some = {**WHOLE, "spec": {**WHOLE["spec"], "scopes": ["BestEffort"]}}
    assert len(looked(deployment(), other, some, RANGE).without_quota) == 1


@pytest.mark.parametrize(
    ("objects", "pods"),
    [
        ([deployment()], 3),  # two and the surge of a quarter, rounded up
        ([deployment(spec=strategy(maxSurge=2))], 4),
        ([deployment(spec=strategy(maxSurge=0, maxUnavailable=1))], 2),
        ([deployment(spec=strategy(maxSurge="100%"))], 4),
        ([deployment(spec={"strategy": {"type": "Recreate"}})], 2),
        ([deployment(), scaler(8)], 10),
        ([deployment(), scaler(8, "other")], 3),
        ([deployment(spec={"replicas": 0}), scaler(4)], 5),
        ([{**deployment(), "kind": "StatefulSet"}, scaler(8)], 2),
        (
            [
                deployment(),
                made(
                    "keda.sh/v1alpha1",
                    "ScaledObject",
                    spec={"scaleTargetRef": {"name": "web"}, "maxReplicaCount": 4},
                ),
            ],
            5,
        ),
    ],
)
def test_the_most_pods_there_are(looked: Looked, objects: list[dict[str, Any]], pods: int) -> None:
    found = needed(looked(*objects, WHOLE, RANGE))
    assert found == {
        "requests.cpu": pods / 2,
        "requests.memory": pods * 512 * 2**20,
        "pods": float(pods),
    }


def test_jobs_count_with_their_parallelism(looked: Looked) -> None:
    pod = deployment()["spec"]["template"]
    job = made("batch/v1", "Job", spec={"parallelism": 3, "template": pod})
    nightly = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pod}}}
    found = looked(job, made("batch/v1", "CronJob", spec=nightly), WHOLE, RANGE)
    assert needed(found)["pods"] == 4


def test_a_daemon_set_has_as_many_as_nobody_knows(looked: Looked) -> None:
    found = looked({**deployment(), "kind": "DaemonSet"}, WHOLE, RANGE)
    assert isinstance(found.spare_percent, Unseen)
    assert found.without_quota == ()
    small = looked(deployment("api"), {**deployment(), "kind": "DaemonSet"}, quota(cpu="1"), RANGE)
    assert small.spare_percent == {"requests.cpu of shop in manifests": -50.0}


def container(cpu: str, **more: Any) -> dict[str, Any]:
    return {"name": cpu, "image": "x", "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("first", "cpu"),
    [
        ([], 0.5),
        ([container("300m")], 0.5),
        ([container("2")], 2.0),
        ([container("2"), container("3")], 3.0),
        ([container("2", restartPolicy="Always")], 2.5),
    ],
)
def test_init_containers_count_where_they_want_more(
    looked: Looked, first: list[dict[str, Any]], cpu: float
) -> None:
    one = deployment(pod={"initContainers": first}, spec={"strategy": {"type": "Recreate"}})
    assert needed(looked(one, WHOLE, RANGE))["requests.cpu"] == 2 * cpu


def test_what_a_limit_range_gives_counts_and_a_limit_is_a_request_too(looked: Looked) -> None:
    given = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}
    ranged = made("v1", "LimitRange", spec={"limits": [given]})
    bare = deployment(resources={}, spec={"strategy": {"type": "Recreate"}})
    all_ = quota(cpu="10", memory="1Gi", pods="9", limits="10")
    found = looked(bare, all_, ranged)
    assert (needed(found)["requests.cpu"], needed(found)["limits.cpu"]) == (2, 4)
    assert len(found.boundless) == 1
    assert "says no requests.memory" in found.boundless[0]
    limited = deployment(
        resources={"limits": {"cpu": "3", "memory": "1Gi"}},
        spec={"strategy": {"type": "Recreate"}},
    )
    found = looked(limited, all_, ranged)
    assert (needed(found)["requests.cpu"], found.boundless) == (6, ())


def test_spare_is_the_share_of_the_quota_that_stays_free(looked: Looked) -> None:
    found = looked(deployment(), quota(cpu="2", memory="1536Mi", pods="2"), RANGE)
    assert found.spare_percent == {
        "requests.cpu of shop in manifests": 25.0,
        "requests.memory of shop in manifests": 0.0,
        "pods of shop in manifests": -50.0,
    }


def test_the_least_of_several_quotas_counts(looked: Looked) -> None:
    other = {**quota(cpu="1"), "metadata": {"name": "other"}}
    found = looked(deployment(), WHOLE, other, RANGE).spare_percent
    assert not isinstance(found, Unseen)
    assert found["requests.cpu of shop in manifests"] == -50.0


def test_the_use_of_quotas_in_the_cluster(looked: Looked, tmp_path: Path) -> None:
    def kubectl(**used: str) -> dict[str, Any]:
        status = {"hard": {"cpu": "10", "pods": "4"}, "used": used}
        items = [{"metadata": {"name": "q"}, "status": status}] if used else []
        answers = {"resourcequota": {"items": items}}
        return {"cluster": True, "kubectl": [answering(tmp_path / "kubectl", answers)]}

    found = looked(deployment(), WHOLE, RANGE, **kubectl(cpu="7", pods="3"))
    assert found.used_over(70) == ["pods of shop by q 75 %"]
    assert isinstance(looked(deployment(), WHOLE, RANGE, **kubectl()).used_over(70), Unseen)
    dead = [answering(tmp_path / "kubectl", {})]
    found = looked(deployment(), WHOLE, RANGE, cluster=True, kubectl=dead)
    assert isinstance(found.used_percent, Unseen)
    assert looked(deployment(), WHOLE, RANGE).used_over(70) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("1", 1), ("500m", "0.5"), (2, 2), (0.5, "0.5"), ("1Gi", 2**30), ("1E", 10**18)),
        *(("1.5G", 1_500_000_000), ("2e3", 2000), ("100k", 100_000), ("128974848", 128974848)),
    ],
)
def test_quantities(text: object, number: Any) -> None:
    assert amount(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "1 GB", "lots", "1GiB", None, "1..2"])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ProbeError, match="the quantity"):
        amount(text)
