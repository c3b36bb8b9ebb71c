"""Drills of alerts, against small stand-ins of Prometheus, Alertmanager and the inbox."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.observe import alerting, prometheus
from golive.probes.observe.alerting import AlertDrill, BackupAlertDrill, backup_alert_drill
from golive.verdicts import ProbeError

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DRILL = AlertDrill(
    mode="full backup too old",
    rule="BackupTooOld",
    rule_loaded=True,
    routed_to=("on-call",),
    firing_before=False,
    induced_at=NOW,
    fired_at=NOW + timedelta(seconds=2),
    delivered_at=NOW + timedelta(seconds=3),
    repaired_at=NOW + timedelta(seconds=9),
    resolved_at=NOW + timedelta(seconds=12),
)
LATE = timedelta(minutes=11)


def drills(*changed: AlertDrill) -> BackupAlertDrill:
    others = [replace(DRILL, rule=f"Rule{n}") for n in range(4 - len(changed))]
    return BackupAlertDrill("on-call", 60.0, (*changed, *others))


def test_alerts_that_come_and_go_are_green(judged: Judge) -> None:
    assert judged("D-13.2.4", backup_alert_drill=drills()) is None


@pytest.mark.parametrize(
    ("drill", "message"),
    [
        (replace(DRILL, rule_loaded=False), r"without a loaded rule: full backup too old"),
        (replace(DRILL, routed_to=("mailbox",)), r"not routed to on-call: BackupTooOld \(to mail"),
        (replace(DRILL, firing_before=True), "on before: BackupTooOld"),
        (replace(DRILL, fired_at=None), r"not fired: BackupTooOld \(not within 60 s\)"),
        (replace(DRILL, delivered_at=None), "not delivered: BackupTooOld"),
        (replace(DRILL, resolved_at=None), "not resolved: BackupTooOld"),
        (replace(DRILL, delivered_at=NOW + LATE), "failure to delivery: BackupTooOld 11 min"),
        (replace(DRILL, resolved_at=NOW + LATE), "repair to resolution: BackupTooOld 10.8"),
    ],
)
def test_each_clause_can_fail(judged: Judge, drill: AlertDrill, message: str) -> None:
    assert re.search(message, repr(judged("D-13.2.4", backup_alert_drill=drills(drill))))


def test_every_failure_mode_has_to_be_declared(judged: Judge) -> None:
    facts = BackupAlertDrill("on-call", 60.0, (DRILL, DRILL, DRILL))
    assert "modes: 3; required at least 4" in repr(judged("D-13.2.4", backup_alert_drill=facts))


ROUTES = """
route:
  receiver: none
  routes: [{receiver: on-call, matchers: ["area=backup"]}]
"""


class World:
    """An alert is on while its file is there; ``deaf`` receivers get nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = ["Old", "Late"]
        self.not_listening = False
        self.inbox: list[dict[str, str]] = []
        self._on: set[str] = set()

    def answer(self, path: str) -> Any:
        on = {name for name in self.rules if (self.folder / name).exists()}
        for name, status in [(n, "firing") for n in on - self._on] + [
            (n, "resolved") for n in self._on - on
        ]:
            at = datetime.now(UTC).isoformat()
            if not self.not_listening:
                self.inbox.append({"alert": name, "status": status, "received_at": at})
        self._on = on
        now = datetime.now(UTC).isoformat()
        match path.partition("?")[0]:
            case "/api/v1/rules":
                rules = [
                    {"type": "alerting", "name": n, "query": "x", "labels": {"area": "backup"}}
                    for n in self.rules
                ]
                return {"status": "success", "data": {"groups": [{"name": "g", "rules": rules}]}}
            case "/api/v1/alerts":
                alerts = [
                    {"state": "firing", "labels": {"alertname": n}, "activeAt": now} for n in on
                ]
                return {"status": "success", "data": {"alerts": alerts}}
            case "/api/v2/status":
                return {"config": {"original": ROUTES}}
        return self.inbox


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def url(world: World) -> Iterator[str]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                content = json.dumps(world.answer(self.path)).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def env(world: World, url: str, env_with: EnvWith) -> Environment:
    def alert(name: str) -> dict[str, Any]:
        file = str(world.folder / name)
        commands = {"induce": ["touch", file], "repair": ["rm", "-f", file]}
        return {"mode": f"mode {name}", "rule": name, **commands}

    return env_with(
        windows={"alert_delivery_s": 2.0},
        monitoring={
            "prometheus": url,
            "alertmanager": url,
            "receiver": f"{url}/inbox",
            "oncall_receiver": "on-call",
            "backup_alerts": [alert("Old"), alert("Late")],
        },
    )


def test_failures_are_followed_to_their_resolution(env: Environment) -> None:
    found = backup_alert_drill(env)
    assert [d.rule for d in found.drills] == ["Old", "Late"]
    for drill in found.drills:
        assert drill.rule_loaded
        assert drill.routed_to == ("on-call",)
        assert drill.induced_at is not None
        assert drill.fired_at is not None
        assert drill.delivery_s is not None
        assert drill.resolution_s is not None


def test_what_nobody_was_told_is_repaired_all_the_same(env: Environment, world: World) -> None:
    world.not_listening = True
    found = backup_alert_drill(env)
    assert [(d.fired_at is None, d.delivered_at) for d in found.drills] == [(False, None)] * 2
    assert not (world.folder / "Old").exists()
    assert not (world.folder / "Late").exists()


def test_no_failure_is_induced_without_a_rule_or_with_its_alert_on(
    env: Environment, world: World
) -> None:
    world.rules = ["Late"]
    (world.folder / "Late").touch()
    old, late = backup_alert_drill(env).drills
    assert (old.rule_loaded, old.induced_at) == (False, None)
    assert (late.firing_before, late.induced_at) == (True, None)
    assert (world.folder / "Late").exists(), "another's failure is not ours to repair"


def test_an_inbox_that_cannot_be_read_is_found_out_before_anything_is_induced(
    env_with: EnvWith, env: Environment, world: World, dead_port: int
) -> None:
    import msgspec

    monitoring = msgspec.structs.replace(
        env.monitoring, receiver=f"http://127.0.0.1:{dead_port}/inbox"
    )
    with pytest.raises(ProbeError, match="inbox at"):
        backup_alert_drill(msgspec.structs.replace(env, monitoring=monitoring))
    assert not (world.folder / "Old").exists()


def test_a_repair_that_fails_is_told_and_the_others_are_repaired(
    env: Environment, world: World
) -> None:
    import msgspec

    first, second = env.monitoring.backup_alerts
    broken = msgspec.structs.replace(first, repair=["false"])
    monitoring = msgspec.structs.replace(env.monitoring, backup_alerts=[broken, second])
    with pytest.raises(ProbeError, match="mode Old: repair"):
        backup_alert_drill(msgspec.structs.replace(env, monitoring=monitoring))
    assert not (world.folder / "Late").exists()


def test_critical_alerts_of_the_last_hour_are_told_but_drills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def query(_: object, promql: str) -> list[prometheus.Sample]:
        asked.append(promql)
        at = datetime.now(UTC)
        return [
            prometheus.Sample({"alertname": "Level1", "incident": i, "severity": "critical"}, 1, at)
            for i in ("payments", "golive-drill-ab12cd")
        ]

    monkeypatch.setattr(prometheus, "query", query)
    env: Any = SimpleNamespace(
        monitoring=SimpleNamespace(critical_labels={"severity": "critical", "area": "incident"})
    )
    found = alerting.critical_alerts(env)
    assert found.names == ("Level1 (incident payments, severity critical)",)
    wanted = 'alertstate="firing",severity="critical",area="incident"'
    assert asked == [f"max_over_time(ALERTS{{{wanted}}}[1h])"]
