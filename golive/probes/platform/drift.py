"""Drift detection: what the job last found, and whether it finds a difference that is planted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf

from golive.environments import Environment
from golive.probes.observe import prometheus
from golive.probes.observe.alerting import inbox
from golive.probes.transport.commands import run
from golive.probing import pause, probe
from golive.verdicts import ProbeError

_POLL_S = 0.5
_EARLIER = timedelta(seconds=2)
"""A receiver's clock, and Prometheus' rounding, may run this far behind."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What the drift job last told, before anything was planted."""

    age_min: float
    """Since it last compared; infinite where it never has, or no longer tells."""
    differences: Mapping[str, float]
    """Unapproved ones, by source."""

    @property
    def found(self) -> list[str]:
        """Sources with differences."""
        return [f"{source} ({count:g})" for source, count in self.differences.items() if count]


@dataclass(frozen=True, slots=True)
class PlantedDrift:
    """A difference that was planted and removed; minutes until each effect, infinite where it did
    not come in time."""

    rule_loaded: bool
    reported_min: float
    alerted_min: float
    unreported_min: float
    """From removing it until the job reported none."""
    resolved_min: float
    """From removing it until the receiver was told so."""

    @property
    def minutes(self) -> dict[str, float]:
        """All of it, by what was waited for."""
        return {
            "reported": self.reported_min,
            "alerted": self.alerted_min,
            "cleared": self.unreported_min,
            "resolved": self.resolved_min,
        }


@probe()
def config_drift(env: Environment) -> Drift:
    """What the drift job last found in each source of configuration."""
    return _looked(env)


@probe(effect="write", limit="drill")
def planted_drift(env: Environment, config_drift: Drift) -> PlantedDrift:
    """An inert difference, planted, followed to the on-call receiver, and removed."""
    rule = env.drift.rule
    if config_drift.age_min == inf:
        raise ProbeError("a planted difference", "no drift job tells anything", "start the job")
    if config_drift.found:
        cause = f"there are differences already: {', '.join(config_drift.found)}"
        raise ProbeError("a planted difference", cause, "put them back, or approve them, first")
    loaded = any(r.name == rule and r.health != "err" for r in prometheus.rules(env))
    inbox(env)  # one that cannot be read must not be found out with something planted
    try:
        began = datetime.now(UTC)
        _command(env, "plant_command")
        reported = _until(env, lambda: bool(_looked(env).found))
        alerted = (
            inf if reported == inf else _until(env, lambda: _told(env, "firing", began), began)
        )
    finally:
        removed = datetime.now(UTC)
        _command(env, "remove_command")
    cleared = _until(env, lambda: not _looked(env).found)
    resolved = (
        inf if alerted == inf else _until(env, lambda: _told(env, "resolved", removed), removed)
    )
    return PlantedDrift(loaded, reported, alerted, cleared, resolved)


def _looked(env: Environment) -> Drift:
    last = prometheus.query(env, env.drift.last_run)
    series = prometheus.query(env, env.drift.differences)
    label = env.drift.source_label
    differences: dict[str, float] = {}
    for one in series:
        source = one.labels.get(label, "")
        # Of several jobs or nodes the one that finds most counts.
        differences[source] = max(one.value, differences.get(source, 0.0))
    age_s = min((time.time() - one.value for one in last), default=inf)
    return Drift(age_s / 60, differences)


def _until(env: Environment, seen: Callable[[], bool], since: datetime | None = None) -> float:
    """Minutes until it is seen; infinite where it is not in time."""
    began = since or datetime.now(UTC)
    ends = time.monotonic() + env.windows.drift_s
    while not seen():
        if time.monotonic() > ends:
            return inf
        pause(_POLL_S)
    return (datetime.now(UTC) - began).total_seconds() / 60


def _told(env: Environment, status: str, since: datetime) -> bool:
    """Whether the receiver was told so of the rule's alert from a moment on."""
    return any(
        entry.get("alert") == env.drift.rule
        and entry.get("status") == status
        and datetime.fromisoformat(str(entry.get("received_at"))) >= since - _EARLIER
        for entry in inbox(env)
    )


def _command(env: Environment, key: str) -> None:
    command = env.drift.plant_command if key == "plant_command" else env.drift.remove_command
    run(command, {}, key=f"drift.{key}", within_s=env.time_limits.probe)
