"""Drills of alerts: a failure is brought about, and what it sets off is followed to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from golive.environments import BackupAlert, Environment
from golive.probes.observe import prometheus
from golive.probes.transport import commands
from golive.probing import pause, probe
from golive.verdicts import ProbeError

DRILL = "golive-drill-"
"""What the name of a synthetic incident begins with."""
_POLL_S = 0.5
_EARLIER = timedelta(seconds=2)
"""A receiver's clock, and Prometheus' rounding, may run this far behind."""


@dataclass(frozen=True, slots=True)
class AlertDrill:
    """One failure mode and its alert, from inducing to resolving. None: it did not come."""

    mode: str
    rule: str
    rule_loaded: bool
    """Whether Prometheus has the rule and can evaluate it."""
    routed_to: tuple[str, ...]
    """Receivers that Alertmanager's routes give it to, by its rule's labels."""
    firing_before: bool
    """Whether it was firing before anything was induced; then nothing was."""
    induced_at: datetime | None
    fired_at: datetime | None
    delivered_at: datetime | None
    repaired_at: datetime | None
    resolved_at: datetime | None
    """When the receiver learned that it is over."""

    @property
    def delivery_s(self) -> float | None:
        """From inducing to delivery."""
        return _between(self.induced_at, self.delivered_at)

    @property
    def resolution_s(self) -> float | None:
        """From repair to the receiver's being told."""
        return _between(self.repaired_at, self.resolved_at)


@dataclass(frozen=True, slots=True)
class BackupAlertDrill:
    """Every declared failure mode of the backups, induced side by side."""

    oncall_receiver: str
    waited_s: float
    """How long each alert, and each resolution, was waited for."""
    drills: tuple[AlertDrill, ...]

    @property
    def without_rule(self) -> list[str]:
        """Failure modes without a loaded rule."""
        return [f"{d.mode} ({d.rule})" for d in self.drills if not d.rule_loaded]

    @property
    def misrouted(self) -> list[str]:
        """Rules that do not reach the on-call receiver, and where they go."""
        return [
            f"{d.rule} (to {', '.join(d.routed_to)})"
            for d in self.drills
            if self.oncall_receiver not in d.routed_to
        ]

    @property
    def on_before(self) -> list[str]:
        """Rules whose alert was on before anything was induced."""
        return [d.rule for d in self.drills if d.firing_before]

    @property
    def delivery_minutes(self) -> dict[str, float]:
        """From failure to delivery, by rule; 0 where that did not come."""
        return {d.rule: (d.delivery_s or 0) / 60 for d in self.drills}

    @property
    def resolution_minutes(self) -> dict[str, float]:
        """From repair to the receiver's being told, by rule; 0 where that did not come."""
        return {d.rule: (d.resolution_s or 0) / 60 for d in self.drills}

    def never(self, stage: Literal["fired", "delivered", "resolved"]) -> list[str]:
        """Rules whose alert did not come so far in time."""
        waited = f"not within {self.waited_s:g} s"
        return [f"{d.rule} ({waited})" for d in self.drills if getattr(d, f"{stage}_at") is None]


@dataclass(slots=True)
class _Course:
    alert: BackupAlert
    firing_before: bool = False
    at: dict[str, datetime] = field(default_factory=dict)


@probe(effect="disrupt", limit="drill")
def backup_alert_drill(env: Environment) -> BackupAlertDrill:
    """Every failure mode of the backups, induced and repaired, with what its alert did."""
    declared = env.monitoring.backup_alerts
    if not declared:
        raise ProbeError(
            "the backup alerts",
            "none is declared",
            "declare them under monitoring.backup_alerts in the environment file",
        )
    rules = {r.name: r for r in prometheus.rules(env) if r.health != "err"}
    config = prometheus.alertmanager_config(env)
    inbox(env)  # an inbox that cannot be read must not be found out with a failure induced
    courses = [_Course(alert) for alert in declared]
    for course in courses:
        course.firing_before = bool(_firing(env, course.alert.rule))
    # A mode whose alert is on already, or has no rule, would teach nothing and harm for nothing.
    tried = [c for c in courses if not c.firing_before and c.alert.rule in rules]
    waited_s = env.windows.alert_delivery_s
    try:
        for course in tried:
            course.at["induced"] = datetime.now(UTC)
            _command(env, course.alert, "induce")
        _follow(tried, waited_s, lambda c: _see_delivered(env, c))
    finally:
        failures = [f for c in tried if "induced" in c.at for f in _repaired(env, c)]
    if failures:
        raise failures[0]
    _follow([c for c in tried if "delivered" in c.at], waited_s, lambda c: _see_resolved(env, c))
    return BackupAlertDrill(
        oncall_receiver=env.monitoring.oncall_receiver,
        waited_s=waited_s,
        drills=tuple(
            AlertDrill(
                mode=c.alert.mode,
                rule=c.alert.rule,
                rule_loaded=c.alert.rule in rules,
                routed_to=tuple(
                    prometheus.routed(
                        config, {**rules[c.alert.rule].labels, "alertname": c.alert.rule}
                    )
                )
                if c.alert.rule in rules
                else (),
                firing_before=c.firing_before,
                induced_at=c.at.get("induced"),
                fired_at=c.at.get("fired"),
                delivered_at=c.at.get("delivered"),
                repaired_at=c.at.get("repaired"),
                resolved_at=c.at.get("resolved"),
            )
            for c in courses
        ),
    )


@dataclass(frozen=True, slots=True)
class CriticalAlerts:
    """Critical alerts that were firing at any time of the last hour, golive's own drills left out,
    by name and labels."""

    names: tuple[str, ...]


@probe()
def critical_alerts(env: Environment) -> CriticalAlerts:
    """Which critical alerts were firing in the last hour, by Prometheus."""
    wanted = {"alertstate": "firing", **env.monitoring.critical_labels}
    selector = ",".join(f"{k}={json.dumps(v)}" for k, v in wanted.items())
    found = prometheus.query(env, f"max_over_time(ALERTS{{{selector}}}[1h])")
    return CriticalAlerts(tuple(sorted(_named(s.labels) for s in found if not _is_drill(s.labels))))


def _is_drill(labels: Mapping[str, str]) -> bool:
    return any(value.startswith(DRILL) for value in labels.values())


def _named(labels: Mapping[str, str]) -> str:
    own = {k: v for k, v in labels.items() if k not in ("__name__", "alertname", "alertstate")}
    told = ", ".join(f"{k} {v}" for k, v in sorted(own.items()))
    return f"{labels.get('alertname', 'an alert')} ({told})"


def _follow(courses: list[_Course], within_s: float, seen: Callable[[_Course], bool]) -> None:
    """Look at each until its end is seen, or the time is up."""
    ends = time.monotonic() + within_s
    open_ = list(courses)
    while open_ := [c for c in open_ if not seen(c)]:
        if time.monotonic() > ends:
            return
        pause(_POLL_S)


def _see_delivered(env: Environment, course: _Course) -> bool:
    if "fired" not in course.at:
        firing = _firing(env, course.alert.rule)
        if firing:
            course.at["fired"] = max(firing.active_at, course.at["induced"])
    reported = _reported(env, course.alert.rule, "firing", course.at["induced"])
    if reported:
        course.at["delivered"] = reported
        course.at.setdefault("fired", reported)
    return bool(reported)


def _see_resolved(env: Environment, course: _Course) -> bool:
    # A repair may wait for its own effect, so the end may be reported before it returns.
    reported = _reported(env, course.alert.rule, "resolved", course.at["fixing"])
    if reported:
        course.at["resolved"] = reported
    return bool(reported)


def _firing(env: Environment, rule: str) -> prometheus.Alert | None:
    firing = [a for a in prometheus.alerts(env) if a.name == rule and a.state == "firing"]
    return min(firing, key=lambda a: a.active_at) if firing else None


def _reported(env: Environment, rule: str, status: str, since: datetime) -> datetime | None:
    """When the receiver was first told so of the rule's alert from a moment on."""
    times = [
        at
        for entry in inbox(env)
        if entry.get("alert") == rule and entry.get("status") == status
        for at in [datetime.fromisoformat(str(entry.get("received_at")))]
        if at >= since - _EARLIER
    ]
    return min(times) if times else None


def inbox(env: Environment) -> list[dict[str, Any]]:
    """What the on-call receiver got: alert, status and received_at of each, with
    the receiver's name and the alert's labels.

    :raises ProbeError: it cannot be read.
    """
    import requests

    url = env.monitoring.receiver
    limits = (env.time_limits.connect, env.time_limits.probe)
    try:
        answer = requests.get(url, timeout=limits, verify=env.tls.ca_file or True)
        answer.raise_for_status()
        entries = answer.json()
    except (requests.RequestException, OSError) as e:
        raise ProbeError(
            f"the on-call receiver's inbox at {url}",
            e,
            "check monitoring.receiver in the environment file, and that it runs",
        ) from None
    if not isinstance(entries, list):
        raise ProbeError(
            f"the on-call receiver's inbox at {url}",
            "its answer is no list of notifications",
            "see monitoring.receiver in golive/probes/observe/section.py for what it has to answer",
        )
    return entries


def _repaired(env: Environment, course: _Course) -> list[ProbeError]:
    """Repair; the error when that failed, so that the others are still repaired."""
    course.at["fixing"] = datetime.now(UTC)
    try:
        _command(env, course.alert, "repair")
    except ProbeError as e:
        return [e]
    course.at["repaired"] = datetime.now(UTC)
    return []


def _command(env: Environment, alert: BackupAlert, what: str) -> None:
    commands.run(
        alert.induce if what == "induce" else alert.repair,
        {},
        key=f"monitoring.backup_alerts {alert.mode}: {what}",
        within_s=env.time_limits.probe,
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
