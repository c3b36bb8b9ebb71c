"""The war room: its links and screens, and a test alert that is followed to its receiver."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from golive.environments import Environment
from golive.papers.kinds import WarRoom
from golive.probes.observe.alerting import inbox
from golive.probes.traffic.pages import Link, Page, follow, look_up
from golive.probes.transport.answers import Answers, paper, papers_there
from golive.probes.transport.http import client
from golive.probing import pause, probe
from golive.verdicts import ProbeError

_POLL_S = 0.25
_SEND_AGAIN_S = 5.0
"""Alertmanager wants what fires to be sent again and again: an alert that arrives while it is
closing the group of an earlier one, as after the previous test, is otherwise told to nobody."""
_OK = 200
TEST_ALERT = "WarRoomTest"
_UPDATED = re.compile(
    r"updated\W{1,3}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Screen:
    """A planned screen's page."""

    url: str
    status: int
    updated_at: datetime | None
    """The oldest moment that it says its data are of; None where it says none."""
    looked_at: datetime

    @property
    def age_s(self) -> float:
        """Of its data; not a number where it tells none."""
        at = self.updated_at
        return float("nan") if at is None else (self.looked_at - at).total_seconds()


@dataclass(frozen=True, slots=True)
class Room:
    """What the room's links and screens answer with."""

    bridges: dict[str, int]
    """Status of bridge and backup bridge."""
    screens: tuple[Screen, ...]


@dataclass(frozen=True, slots=True)
class TestAlert:
    """A synthetic alert, and when each receiver was notified of it."""

    __test__ = False  # to pytest its name looks like tests

    sent_at: datetime
    waited_s: float
    told_at: dict[str, datetime]
    """By the receiver's name."""

    def after_s(self, receiver: str) -> float:
        """From sending it to the receiver; not a number where it did not arrive."""
        at = self.told_at.get(receiver)
        return float("nan") if at is None else max(0.0, (at - self.sent_at).total_seconds())


@probe()
def war_room(env: Environment) -> Room:
    """Bridges and screens that the paper about the war room names."""
    plan = paper(env, WarRoom)
    pages = {p.url: p for p in look_up(env, [plan.bridge, plan.backup_bridge, *plan.screens])}
    now = datetime.now(UTC)
    bridges = {"bridge": plan.bridge, "backup bridge": plan.backup_bridge}
    return Room(
        bridges={name: pages[url].status for name, url in bridges.items()},
        screens=tuple(_screen(pages[url], now) for url in plan.screens),
    )


@probe()
def war_room_bridges(env: Environment) -> Answers[Link]:
    """Bridge and backup bridge that the paper about the war room names."""
    plans = [p.data for p in papers_there(env, WarRoom)]
    return follow(env, [url for plan in plans for url in (plan.bridge, plan.backup_bridge)])


def _screen(page: Page, now: datetime) -> Screen:
    return Screen(page.url, page.status, oldest_update(page.text), now)


def oldest_update(text: str) -> datetime | None:
    """The oldest moment that a text calls its data updated at; None where it says none."""
    found = [datetime.fromisoformat(one) for one in _UPDATED.findall(text)]
    return min(found, default=None)


@probe(effect="write")
def war_room_alert(env: Environment) -> TestAlert:
    """A synthetic alert with the war room's labels, sent to Alertmanager and looked for at its
    receiver; it resolves by itself."""
    receiver = paper(env, WarRoom).receiver
    ident = secrets.token_hex(4)
    labels = {"alertname": TEST_ALERT, "test": ident, **env.monitoring.war_room_labels}
    waits_s = env.windows.war_room_alert_s
    sent_at = datetime.now(UTC)
    alert: dict[str, object] = {
        "labels": labels,
        "annotations": {"summary": "A test of the war room: nothing is wrong."},
        "startsAt": sent_at.isoformat(),
        "endsAt": (sent_at + timedelta(seconds=waits_s)).isoformat(),
    }
    began = sent = time.monotonic()
    _post(env, [alert])
    reported = _reported(env, ident)
    while receiver not in reported and time.monotonic() < began + waits_s:
        pause(_POLL_S)
        if time.monotonic() > sent + _SEND_AGAIN_S:
            sent = time.monotonic()
            _post(env, [alert])
        reported = _reported(env, ident)
    return TestAlert(sent_at, waits_s, reported)


def _post(env: Environment, alerts: list[dict[str, object]]) -> None:
    url = f"{env.monitoring.alertmanager.rstrip('/')}/api/v2/alerts"
    with client(env, foreign=True) as http:
        status = http.post(url, alerts).status_code
    if status != _OK:
        raise ProbeError(f"Alertmanager at {url}", f"status {status}", "see Alertmanager's log")


def _reported(env: Environment, ident: str) -> dict[str, datetime]:
    """When each receiver was first told of the alert."""
    return _first(
        (str(entry.get("receiver")), datetime.fromisoformat(str(entry["received_at"])))
        for entry in inbox(env)
        if entry.get("alert") == TEST_ALERT and (entry.get("labels") or {}).get("test") == ident
    )


def _first(reported: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for name, at in reported:
        found[name] = min(at, found.get(name, at))
    return found
