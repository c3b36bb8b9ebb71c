"""The team in the morning: who has checked in and when, who confirms the timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.claims import Claim
from golive.context import Context
from golive.environments import Outline, People
from golive.papers.kinds import LaunchTimeline, Slot
from golive.people.statements import Signed
from golive.verdicts import Pending
from tests.checks import breaking
from tests.suites.votes import HOLDERS, LAUNCH, NOW, PROCEDURE, roster, says, vouched

IN, CONFIRMED = "T0-0600.1.1", "T0-0600.1.5"
ENV = SimpleNamespace(calendar=SimpleNamespace(time_zone="UTC"))
EVERYBODY = [says(IN, p, 30) for p in (*HOLDERS, "theo", "dina")]
Morning = Callable[[float, str], datetime | None]


def no_morning(_: float, __: str) -> None:
    """As in a rehearsal."""


def context(on_launch_day: Morning = no_morning) -> Any:
    known = roster()
    return SimpleNamespace(
        roster=known,
        team=[*known.people.values()],
        on_launch_day=on_launch_day,
        launch_day_blocks=["phase_1", "phase_2"],
    )


def checked_in(*said: Signed, morning: Morning = no_morning) -> Claim | None:
    facts = {
        "vouched": vouched(IN, *said),
        "context": context(morning),
        "env": ENV,
        "limits": LAUNCH.limits,
    }
    return breaking(IN, facts)


def test_nobody_checks_in_before_the_morning() -> None:
    asked = []

    def morning(hour: float, zone: str) -> datetime:
        asked.append((hour, zone))
        return NOW - timedelta(minutes=40)

    assert checked_in(*EVERYBODY, morning=morning) is None
    assert asked == [(5.5, "UTC")]
    claim = checked_in(*EVERYBODY[1:], says(IN, "tess", 41), morning=morning)
    assert claim is not None
    assert claim.subject == "check-ins before the morning"
    assert claim.observed.startswith("tess ")


def test_a_stranger_s_check_in_is_told() -> None:
    stranger = says(IN, "tess", 9)
    stranger = replace(
        stranger,
        statement=changed(stranger.statement, by="wanda"),
        cause="'wanda' is not on the roster",
    )
    claim = checked_in(*EVERYBODY, stranger)
    assert claim is not None
    assert claim.subject == "check-ins of strangers"
    assert "wanda" in claim.observed


def test_the_own_backup_takes_over_from_an_absent_primary() -> None:
    others = [s for s in EVERYBODY if s.statement.by not in ("tess", "theo", "dina")]
    dina = says(IN, "dina", 9)
    assert checked_in(*others, dina, says(IN, "theo", 9, takes_over="technical_lead")) is None
    with pytest.raises(Pending, match="Tess"):
        checked_in(*others, dina, says(IN, "theo", 9))
    claim = checked_in(
        *others, says(IN, "theo", 9), says(IN, "dina", 9, takes_over="technical_lead")
    )
    assert claim is not None
    assert claim.subject == "takeover of technical_lead"


def slot(block: str, owner: str) -> Slot:
    return Slot(block=block, starts="09:00", ends="10:00", owner=owner)


SLOTS = [slot("phase_1", "devops_lead"), slot("phase_2", "technical_lead")]


def confirmed(
    *said: Signed,
    here: tuple[Signed, ...] = tuple(EVERYBODY),
    slots: tuple[Slot, ...] = tuple(SLOTS),
    morning: Morning = no_morning,
) -> Claim | None:
    paper = LaunchTimeline(date=date(2026, 12, 7), utc_offset="+00:00", slots=list(slots))
    facts = {
        "vouched": vouched(CONFIRMED, *said),
        "vouched_of": lambda item: vouched(item, *here),
        "papers": SimpleNamespace(read=lambda _: SimpleNamespace(data=paper)),
        "context": context(morning),
        "env": ENV,
        "limits": LAUNCH.limits,
    }
    return breaking(CONFIRMED, facts)


BOTH = [says(CONFIRMED, "dave", 20), says(CONFIRMED, "tess", 20)]


def test_the_timeline_is_confirmed_before_seven_by_who_is_there() -> None:
    def seven(minutes_ago: float) -> Morning:
        return lambda hour, _: NOW - timedelta(minutes=minutes_ago) if hour == 7 else None

    assert confirmed(*BOTH, morning=seven(19)) is None
    claim = confirmed(*BOTH, morning=seven(20))
    assert claim is not None
    assert claim.subject == "who confirmed it too late"
    claim = confirmed(*BOTH, here=tuple(EVERYBODY[1:]))
    assert claim is not None
    assert claim.subject == "who confirmed it but has not checked in"
    claim = confirmed(*BOTH, slots=tuple(SLOTS[:1]))
    assert claim is not None
    assert claim.subject == "blocks in the timeline"
    with pytest.raises(Pending, match="Tess"):
        confirmed(BOTH[0])


def test_launch_day_has_hours_but_in_a_rehearsal() -> None:
    def of(kind: Any) -> Context:
        people = People(roster="roster.toml", papers="papers")
        outline = Outline(name="x", kind=kind, title="", people=people)
        return Context(Path("x"), Path("x"), outline, LAUNCH, PROCEDURE)

    at = of("production").on_launch_day(5.5, "America/New_York")
    assert at is not None
    day = LAUNCH.date
    assert at.astimezone(UTC) == datetime(day.year, day.month, day.day, 10, 30, tzinfo=UTC)
    assert of("rehearsal").on_launch_day(5.5, "America/New_York") is None
