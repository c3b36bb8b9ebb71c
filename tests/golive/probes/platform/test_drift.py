"""Drift detection against stand-ins for Prometheus and the on-call receiver."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.observe import prometheus
from golive.probes.observe.prometheus import Rule, Sample
from golive.probes.platform import drift
from golive.verdicts import ProbeError

EnvWith = Callable[..., Environment]
NOW = datetime.now(UTC)


class Job:
    """What Prometheus and the receiver tell; a planted difference is a file."""

    def __init__(self, planted: Path) -> None:
        self.planted = planted
        self.age_s = 60.0
        self.sources = {"files": 0.0, "flags": 0.0}
        self.sees = self.alerts = self.is_there = True
        self.told: list[dict[str, Any]] = []

    def query(self, _: Environment, promql: str) -> list[Sample]:
        if not self.is_there:
            return []
        if promql == "last":
            return [Sample({}, time.time() - self.age_s, NOW)]
        extra = float(self.sees and self.planted.exists())
        return [Sample({"of": s}, n + extra, NOW) for s, n in self.sources.items()]

    def inbox(self, _: Environment) -> list[dict[str, Any]]:
        if self.alerts:
            status = "firing" if self.planted.exists() else "resolved"
            at = datetime.now(UTC).isoformat()
            self.told.append({"alert": "Drift", "status": status, "received_at": at})
        return self.told


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    job = Job(tmp_path / "planted")
    monkeypatch.setattr(prometheus, "query", job.query)
    rule = Rule("g", "Drift", "x > 0", 0.0, {}, "ok", "")
    monkeypatch.setattr(prometheus, "rules", lambda _: [rule])
    monkeypatch.setattr(drift, "inbox", job.inbox)
    monkeypatch.setattr(drift, "_POLL_S", 0.01)
    yield job
    assert not job.planted.exists()


@pytest.fixture
def env(env_with: EnvWith, job: Job) -> Environment:
    def command(what: str) -> list[str]:
        return [sys.executable, "-c", f"import pathlib; pathlib.Path({str(job.planted)!r}).{what}"]

    return env_with(
        windows={"drift_s": 0.3},
        drift={
            "last_run": "last",
            "differences": "found",
            "source_label": "of",
            "sources": ["files", "flags"],
            "rule": "Drift",
            "plant_command": command("touch()"),
            "remove_command": command("unlink(missing_ok=True)"),
        },
    )


def planted(env: Environment) -> drift.PlantedDrift:
    return drift.planted_drift(env, drift.config_drift(env))


def test_a_planted_difference_is_followed_to_its_end(env: Environment) -> None:
    found = planted(env)
    assert found.rule_loaded
    assert max(found.minutes.values()) < 1


def test_a_job_that_sees_nothing_is_told(env: Environment, job: Job) -> None:
    job.sees = False
    found = planted(env)
    assert found.reported_min == found.alerted_min == float("inf")


def test_an_alert_that_reaches_nobody_is_told(env: Environment, job: Job) -> None:
    job.alerts = False
    found = planted(env)
    assert found.reported_min < 1
    assert found.alerted_min == found.resolved_min == float("inf")


def test_what_differs_is_told_by_source(env: Environment, job: Job) -> None:
    job.sources["flags"] = 2
    found = drift.config_drift(env)
    assert found.found == ["flags (2)"]
    assert 0.9 < found.age_min < 1.1
    with pytest.raises(ProbeError, match="differences already"):
        planted(env)


def test_a_job_that_does_not_run_has_never_looked(env: Environment, job: Job) -> None:
    job.is_there = False
    assert drift.config_drift(env).age_min == float("inf")
    with pytest.raises(ProbeError, match="no drift job"):
        planted(env)


def test_a_command_that_fails_leaves_nothing_planted(env_with: EnvWith, env: Environment) -> None:
    raw = {f: getattr(env.drift, f) for f in env.drift.__struct_fields__}
    broken = env_with(windows={"drift_s": 0.3}, drift={**raw, "plant_command": ["false"]})
    with pytest.raises(ProbeError, match=r"drift\.plant_command"):
        planted(broken)
    assert json.dumps(raw["remove_command"])
