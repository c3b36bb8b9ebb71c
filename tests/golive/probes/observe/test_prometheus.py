"""Prometheus and Alertmanager behind a small stand-in: samples, rules, routes, query times."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from golive.environments import Environment
from golive.probes.data.statements import is_plannable, quantile, query_times
from golive.probes.observe import prometheus
from golive.probes.observe.migration_monitoring import last_run, migration_watch
from golive.verdicts import ProbeError, Unseen

EnvWith = Callable[..., Environment]


class World:
    """What Prometheus and Alertmanager answer: by query, or by path."""

    def __init__(self) -> None:
        self.queries: dict[str, list[tuple[dict[str, str], str]]] = {}
        self.rules: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.config: Any = {"route": {"receiver": "on-call"}}
        self.instead: tuple[int, bytes] | None = None

    def answer(self, path: str, parameters: dict[str, list[str]]) -> Any:
        if path == "/api/v2/status":
            return {"config": {"original": yaml.safe_dump(self.config)}}
        if path == "/api/v1/rules":
            return {"status": "success", "data": {"groups": [{"name": "g", "rules": self.rules}]}}
        if path == "/api/v1/alerts":
            return {"status": "success", "data": {"alerts": self.alerts}}
        promql = parameters["query"][0]
        for part, samples in self.queries.items():
            if part in promql:
                result = [{"metric": labels, "value": [1e9, v]} for labels, v in samples]
                return {"status": "success", "data": {"resultType": "vector", "result": result}}
        if promql == "time()":
            data: Any = {"resultType": "scalar", "result": [1e9, "1000000000"]}
            return {"status": "success", "data": data}
        return {"status": "success", "data": {"resultType": "vector", "result": []}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def env(world: World, env_with: EnvWith) -> Iterator[Environment]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = 200, b""
            if world.instead:
                status, body = world.instead
            else:
                body = json.dumps(world.answer(parts.path, parse_qs(parts.query))).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield env_with(
        monitoring={"prometheus": url, "alertmanager": url},
        application={"metrics": {"query_seconds": "q_seconds", "statement_label": "statement"}},
    )
    server.shutdown()
    server.server_close()


# -- asking ----------------------------------------------------------------------------------------


def test_samples_carry_labels_value_and_time(env: Environment, world: World) -> None:
    world.queries["up"] = [({"job": "db"}, "1"), ({"job": "app"}, "NaN"), ({}, "+Inf")]
    first, second, third = prometheus.query(env, "up")
    assert (first.labels, first.value) == ({"job": "db"}, 1.0)
    assert first.at == datetime.fromtimestamp(1e9, UTC)
    assert math.isnan(second.value)
    assert third.value == math.inf
    assert prometheus.query(env, "nothing") == []
    assert prometheus.query(env, "time()")[0].value == 1e9


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (503, b"starting", "HTTP status 503"),
        (200, b"<html>", "its answer is no JSON"),
        (200, b"[]", "its answer is no JSON object"),
        (400, b'{"status":"error","errorType":"bad_data","error":"parse error"}', "parse error"),
    ],
)
def test_an_answer_that_is_none_is_told(
    env: Environment, world: World, status: int, body: bytes, says: str
) -> None:
    world.instead = (status, body)
    with pytest.raises(ProbeError, match=says):
        prometheus.query(env, "up")


def test_a_dead_prometheus_is_told(env_with: EnvWith, dead_port: int) -> None:
    env = env_with(monitoring={"prometheus": f"http://127.0.0.1:{dead_port}"})
    with pytest.raises(ProbeError, match=f"127.0.0.1:{dead_port}.*[Rr]efused"):
        prometheus.alerts(env)


def test_alerts_and_rules(env: Environment, world: World) -> None:
    world.alerts = [
        {
            "labels": {"alertname": "Slow", "area": "db"},
            "state": "firing",
            "activeAt": "2026-12-01T10:00:00.123456789Z",
        }
    ]
    world.rules = [
        {"type": "alerting", "name": "Slow", "query": "a > 1", "duration": 5, "health": "ok"},
        {"type": "recording", "name": "a:b", "query": "a"},
    ]
    [alert] = prometheus.alerts(env)
    assert (alert.name, alert.state) == ("Slow", "firing")
    assert alert.active_at == datetime(2026, 12, 1, 10, 0, 0, 123456, tzinfo=UTC)
    [rule] = prometheus.rules(env)
    assert (rule.group, rule.name, rule.for_s, rule.labels) == ("g", "Slow", 5.0, {})


# -- routes ----------------------------------------------------------------------------------------

TREE = {
    "route": {
        "receiver": "mailbox",
        "routes": [
            {"receiver": "audit", "continue": True, "matchers": ['severity=~"page|ticket"']},
            {"receiver": "on-call", "match": {"area": "backup"}},
            {
                "receiver": "database",
                "matchers": ["area=migration"],
                "routes": [
                    {"receiver": "nobody", "matchers": ['{env!="live", owner=~".+"}']},
                    {"matchers": ["quiet!~no"]},
                ],
            },
            {"receiver": "old", "match_re": {"job": "db-[0-9]"}},
        ],
    }
}


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"area": "unknown"}, ["mailbox"]),
        ({"area": "backup"}, ["on-call"]),
        ({"area": "backup", "severity": "page"}, ["audit", "on-call"]),
        ({"area": "nothing", "severity": "page"}, ["audit"]),
        ({"area": "migration", "quiet": "no"}, ["database"]),
        ({"area": "migration"}, ["database"]),
        ({"area": "migration", "owner": "x", "env": "test"}, ["nobody"]),
        ({"job": "db-1"}, ["old"]),
        ({"job": "db-11"}, ["mailbox"]),
    ],
)
def test_alerts_go_where_alertmanager_sends_them(
    labels: dict[str, str], receivers: list[str]
) -> None:
    assert prometheus.routed(TREE, labels) == receivers


def test_a_matcher_that_cannot_be_read_is_told() -> None:
    tree = {"route": {"receiver": "a", "routes": [{"matchers": ["no comparison"]}]}}
    with pytest.raises(ProbeError, match="'no comparison' cannot be read"):
        prometheus.routed(tree, {})


def test_a_configuration_without_routes_is_told(env: Environment, world: World) -> None:
    world.config = {"global": {}}
    with pytest.raises(ProbeError, match="no readable configuration"):
        prometheus.receivers(env, {})


# -- query times -----------------------------------------------------------------------------------


def buckets(name: str, *counts: int) -> list[tuple[dict[str, str], str]]:
    return [
        ({"statement": name, "le": le}, str(n))
        for le, n in zip(("0.01", "0.05", "0.1", "+Inf"), counts, strict=True)
    ]


def test_query_times_by_statement_and_together(env: Environment, world: World) -> None:
    world.queries = {
        "q_seconds_bucket": [
            *buckets("quick", 90, 100, 100, 100),
            *buckets("slow", 0, 0, 10, 10),
            *buckets("lost", 0, 0, 0, 5),
            *buckets("idle", 0, 0, 0, 0),
        ],
        "q_seconds_count": [({}, "999999900")],
    }
    found = query_times(env)
    assert list(found.calls_of) == ["quick", "slow", "lost"]  # most called first, idle not at all
    assert found.calls == 115
    assert found.p95_ms_of["quick"] == pytest.approx(30)
    assert found.p95_ms_of["slow"] == pytest.approx(97.5)
    assert found.p95_ms_of["lost"] == math.inf  # beyond what the histogram can tell
    assert found.longest_ms == pytest.approx(100)
    assert found.since == datetime.fromtimestamp(999999900, UTC)
    assert list(found.most_called(2)) == ["quick", "slow"]


def test_a_histogram_nobody_fills_is_told(env: Environment) -> None:
    with pytest.raises(ProbeError, match="no sample of q_seconds_bucket"):
        query_times(env)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({0.1: 100, math.inf: 100}, 0.095),
        ({0.1: 0, 0.2: 100, math.inf: 100}, 0.195),
        ({0.1: 94, math.inf: 100}, math.inf),
        ({0.1: 95, math.inf: 100}, 0.1),
    ],
)
def test_quantiles_are_interpolated(counts: dict[float, float], expected: float) -> None:
    assert quantile(0.95, counts) == pytest.approx(expected)


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile(0.95, {0.1: 0, math.inf: 0}))


@pytest.mark.parametrize(
    ("query", "plannable"),
    [
        ("select 1", True),
        ("-- why\n /* and how */ (SELECT 1)", True),
        ("with a as (select 1) table a", True),
        ("merge into a using b on true when matched then delete", True),
        ("copy a to stdout", False),
        ("explain select 1", False),
        ("selection", False),
        ("", False),
    ],
)
def test_what_a_plan_can_be_made_for(query: str, plannable: bool) -> None:
    assert is_plannable(query) is plannable


# -- the watch over migrations ---------------------------------------------------------------------


def line(event: str, **fields: object) -> str:
    return json.dumps({"event": event, "at": "2026-12-01T10:00:00+00:00", **fields})


OLD = [line("start", steps=["0"]), line("failed", revision="0", error="no")]
NEW = [
    line("start", steps=["1", "2"]),
    line("step-start", revision="1"),
    line("step-end", revision="1"),
]


def test_the_last_run_is_read(env_with: EnvWith) -> None:
    run = last_run([*OLD, "", *NEW])
    assert run is not None
    assert (run.steps, run.begun, run.done, run.ended, run.failure) == (
        ("1", "2"),
        ("1",),
        ("1",),
        False,
        "",
    )
    assert run.unlogged == ["2"]
    failed = last_run(OLD)
    assert failed is not None
    assert failed.failure == "no"
    assert last_run([]) is None
    assert last_run([line("end")]) is None


def test_a_log_of_something_else_is_told() -> None:
    with pytest.raises(ProbeError, match="line 2 is no JSON object with an event"):
        last_run([line("start", steps=[]), "Running upgrade"])


def test_the_watch_is_put_together(
    env_with: EnvWith, env: Environment, world: World, tmp_path: Any
) -> None:
    log = tmp_path / "migration.jsonl"
    log.write_text("\n".join(NEW))
    world.queries = {"timestamp(lag{a=": [({}, "999999997")]}
    world.rules = [
        {"type": "alerting", "name": "Lag", "query": "lag > 1", "labels": {"area": "db"}},
        {"type": "alerting", "name": "Odd", "query": "x", "health": "err", "lastError": "many"},
    ]
    changed = env_with(
        monitoring={
            "prometheus": env.monitoring.prometheus,
            "alertmanager": env.monitoring.alertmanager,
            "oncall_receiver": "on-call",
            "migration_metrics": {"lag": 'lag{a="b"}', "step": "step", "disk": "disk"},
            "migration_rules": {"lag": "Lag", "step": "Odd"},
            "migration_log": str(log),
        }
    )
    found = migration_watch(changed)
    lag, step, disk = found.watched
    assert (lag.sample_age_s, lag.loaded, lag.receivers) == (3.0, True, ("on-call",))
    assert (step.sample_age_s, step.rule_error) == (math.inf, "many")
    assert (disk.rule, disk.loaded, disk.receivers) == ("none declared", False, ())
    assert found.last_run is not None


def test_what_of_the_watch_cannot_be_seen_hides_nothing_else(
    env_with: EnvWith, env: Environment, world: World, dead_port: int
) -> None:
    world.queries = {"timestamp(lag)": [({}, "999999997")]}
    world.rules = [{"type": "alerting", "name": "Lag", "query": "lag > 1"}]
    monitoring = {
        "prometheus": env.monitoring.prometheus,
        "alertmanager": f"http://127.0.0.1:{dead_port}",
        "migration_metrics": {"lag": "lag", "all": "max(lag)"},
        "migration_rules": {"lag": "Lag"},
    }
    found = migration_watch(env_with(monitoring=monitoring))
    lag, every = found.watched
    assert (lag.sample_age_s, lag.loaded, every.loaded) == (3.0, True, False)
    for part, says in (
        (every.sample_age_s, "no plain selector"),
        (lag.receivers, f"127.0.0.1:{dead_port}"),
        (found.last_run, "monitoring.migration_log is not declared"),
    ):
        assert isinstance(part, Unseen)
        assert says in str(part.error)
    monitoring["prometheus"] = monitoring["alertmanager"]
    with pytest.raises(ProbeError, match=f"127.0.0.1:{dead_port}"):
        migration_watch(env_with(monitoring=monitoring))
