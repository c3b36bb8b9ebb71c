from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe.alertmanager import alertmanager
from rehearsal.parts.observe.prometheus import RULES, prometheus, rules
from rehearsal.parts.observe.receiver import Inbox, receiver
from tests.rehearsal.lone_parts import Answer, reload, running, stand_in

LATE = "backup_copy_lag_seconds"


class World:
    """Prometheus, Alertmanager and the inbox, in front of an exporter that says what it is to."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self.metrics = ""
        self.exporter_status = 200
        self.process: subprocess.Popen[bytes]

    def exporter(self, _: BaseHTTPRequestHandler) -> Answer:
        return self.exporter_status, {"Content-Type": "text/plain"}, self.metrics.encode()

    def get(self, part: str, path: str) -> Any:
        url = f"http://127.0.0.1:{self.r.port(part)}{path}"
        return httpx.get(url, trust_env=False, timeout=5).raise_for_status().json()

    def value(self, query: str) -> str | None:
        found = self.get("prometheus", f"/api/v1/query?query={query}")["data"]["result"]
        return found[0]["value"][1] if found else None

    def reported(self, alert: str, status: str) -> bool:
        found = self.get("receiver", f"/inbox?alert={alert}")
        return bool(found) and found[-1]["status"] == status


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(Rehearsal(tmp_path_factory.mktemp("monitoring")))
    with ExitStack() as stack:
        stack.enter_context(stand_in(world.r.port("exporter"), world.exporter))
        for part in (receiver, alertmanager):
            stack.enter_context(running(world.r, part))
        world.process = stack.enter_context(running(world.r, prometheus))
        yield world


def test_an_alert_reaches_the_on_call_inbox_and_resolves(world: World) -> None:
    world.metrics = f'{LATE}{{set="database"}} 901\n'
    world.r.wait(
        "it is reported", lambda: world.reported("CrossRegionCopyLate", "firing"), within_s=60
    )
    world.metrics = f'{LATE}{{set="database"}} 0\n'
    world.r.wait(
        "it resolves", lambda: world.reported("CrossRegionCopyLate", "resolved"), within_s=60
    )
    [first, *_] = world.get("receiver", "/inbox?alert=CrossRegionCopyLate")
    assert first["receiver"] == "on-call"
    assert first["labels"]["owner"] == "database_administrator"
    assert first["labels"]["severity"] == "page"


def test_an_exporter_that_fails_shows_as_down_and_its_metrics_go_stale(world: World) -> None:
    world.metrics = f'{LATE}{{set="database"}} 5\n'
    world.r.wait("it is seen", lambda: world.value(LATE) == "5")
    world.exporter_status = 503
    world.r.wait("it is down", lambda: world.value('up{job="backups"}') == "0")
    world.r.wait("nothing old is shown", lambda: world.value(LATE) is None)
    world.exporter_status = 200


def test_a_rule_can_be_left_out_and_comes_back(world: World) -> None:
    def loaded() -> set[str]:
        groups = world.get("prometheus", "/api/v1/rules?type=alert")["data"]["groups"]
        return {rule["name"] for group in groups for rule in group["rules"]}

    process = world.process
    world.r.override("prometheus", without_rules=["BackupTooOld"])
    reload(world.r, prometheus, process)
    world.r.wait("the rule is gone", lambda: "BackupTooOld" not in loaded())
    assert "BackupSizeDrop" in loaded()
    world.r.clear_override("prometheus")
    reload(world.r, prometheus, process)
    world.r.wait("the rule is back", lambda: "BackupTooOld" in loaded())


def test_an_unknown_rule_cannot_be_left_out() -> None:
    with pytest.raises(KeyError, match="BackupTooYoung"):
        rules(["BackupTooYoung"])


def test_configurations_and_rules_pass_their_own_checks(world: World) -> None:
    world.r.tool("promtool", "check", "config", str(prometheus.config(world.r)))
    world.r.tool("promtool", "check", "rules", str(RULES))
    world.r.tool("amtool", "check-config", str(alertmanager.config(world.r)))


RULE_CASES = """
evaluation_interval: 1s
rule_files: [{rules}]
tests:
  - interval: 1s
    input_series: [{{ series: '{series}', values: '{values}' }}]
    alert_rule_test:
      - {{ eval_time: {at}, alertname: {alert}, exp_alerts: [{expected}] }}
"""


@pytest.mark.parametrize(
    ("alert", "series", "fires", "holds"),
    [
        ("BackupTooOld", "backup_last_full_finished_timestamp_seconds", "-86401x40", "-86380x40"),
        ("LockWaitLong", "database_longest_lock_wait_seconds", "30.5x40", "30x40"),
        ("ReplicationLagHigh", "database_replication_lag_seconds", "10.5x40", "10x40"),
        ("DiskSpaceLow", "host_disk_free_ratio", "0.19x40", "0.2x40"),
        ("MigrationStepFailed", "migration_failed", "1x40", "0x40"),
        ("MigrationTooLong", "migration_duration_seconds", "1801x40", "1800x40"),
        ("TransactionLong", "database_longest_transaction_seconds", "301x40", "300x40"),
        ("CrossRegionCopyLate", "backup_copy_lag_seconds", "901x40", "900x40"),
        ("WalArchiveFailing", "wal_archive_oldest_pending_seconds", "301x40", "300x40"),
    ],
)
def test_a_rule_fires_just_beyond_its_limit_and_not_at_it(
    alert: str, series: str, fires: str, holds: str, tmp_path: Path
) -> None:
    r = Rehearsal(tmp_path / "rehearsal")
    case = tmp_path / "case.yml"

    def passes(values: str) -> bool:
        case.write_text(
            RULE_CASES.format(
                rules=RULES, series=series, values=values, at="10s", alert=alert, expected=""
            )
        )
        return r.tool("promtool", "test", "rules", str(case), check=False).returncode == 0

    assert passes(holds)
    assert not passes(fires)


def test_the_inbox_is_append_only_and_survives_a_restart(tmp_path: Path) -> None:
    def notification(name: str) -> dict[str, Any]:
        alert = {
            "labels": {"alertname": name},
            "annotations": {},
            "status": "firing",
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "f",
        }
        return {"receiver": "on-call", "alerts": [alert]}

    record = tmp_path / "inbox.jsonl"
    Inbox(record).deliver(notification("First"))
    Inbox(record).deliver(notification("Second"))
    assert [json.loads(line)["alert"] for line in record.read_text().splitlines()] == [
        "First",
        "Second",
    ]
    assert [one["alert"] for one in Inbox(record).notifications("Second", None)] == ["Second"]


def test_what_is_no_notification_is_refused(world: World) -> None:
    url = f"http://127.0.0.1:{world.r.port('receiver')}"
    assert httpx.post(f"{url}/alerts", content=b"{}", trust_env=False).status_code == 400
    assert httpx.get(f"{url}/inbox?since=soon", trust_env=False).status_code == 422
