"""What runs, by what shows it: on facts made by hand, and where nothing answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.backup import s3
from golive.probes.data import cluster, pooling, redis
from golive.probes.money import sales
from golive.probes.observe import prometheus
from golive.probes.observe.components import Component, gathered, running_components
from golive.probes.observe.prometheus import Sample
from golive.probes.traffic import balancer, edge
from golive.verdicts import ProbeError
from tests.golive.probes.traffic.test_balancer import NOW

EnvWith = Callable[..., Environment]


def test_what_several_show_is_one_component() -> None:
    assert gathered({"monitoring": ["a", "b"], "the balancer": ["a"], "AWS": []}) == (
        Component("a", ("monitoring", "the balancer")),
        Component("b", ("monitoring",)),
    )


def test_a_server_that_no_check_holds_to_be_up_does_not_run(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = balancer.RunningServer("s1", "app-1", "UP", "L7OK")
    down = balancer.RunningServer("s2", "app-2", "DOWN", "L4CON")
    targets = [Sample({"instance": "exporter"}, 1.0, NOW), Sample({}, 1.0, NOW)]
    monkeypatch.setattr(prometheus, "query", lambda *_: targets)
    monkeypatch.setattr(balancer, "backends", lambda _: (up, down))
    for module, names in (
        (cluster, ["db-1", "db-2"]),
        (pooling, ["pool"]),
        (redis, ["cache"]),
        (edge, []),
    ):
        monkeypatch.setattr(module, "members", lambda _, names=names: names)
    monkeypatch.setattr(s3, "present", lambda _: ["backups"])
    found = [c.name for c in running_components(env_with())]
    assert found == ["app-1", "backups", "cache", "db-1", "db-2", "exporter", "pool"]


def test_where_no_server_of_a_cluster_answers_nothing_is_known(
    env_with: EnvWith, dead_port: int
) -> None:
    at: dict[str, Any] = {"name": "one", "host": "127.0.0.1", "port": dead_port}
    env = env_with(
        postgres={"nodes": [at | {"role": "primary"}]},
        redis={"nodes": [at]},
    )
    with pytest.raises(ProbeError, match="refused"):
        cluster.members(env)
    with pytest.raises(ProbeError, match="refused"):
        redis.members(env)


def test_a_pooler_or_a_node_of_the_edge_that_does_not_answer_does_not_run(
    env_with: EnvWith, dead_port: int
) -> None:
    at: dict[str, Any] = {"name": "one", "host": "127.0.0.1", "port": dead_port}
    pooler = at | {"admin_user": "stats", "admin_password": {"env": "GOLIVE_TEST_SECRET"}}
    env = env_with(
        postgres={"poolers": [pooler]},
        edge={"nodes": [at | {"http_port": dead_port}], "hosts": ["www.example.com"]},
    )
    assert pooling.members(env) == []
    assert edge.members(env) == []


def test_without_a_database_nothing_is_said_of_sales(env_with: EnvWith, dead_port: int) -> None:
    node = {"name": "db-1", "role": "primary", "host": "127.0.0.1", "port": dead_port}
    with pytest.raises(ProbeError, match="refused"):
        sales.of_week(env_with(postgres={"nodes": [node]}), NOW.date())
