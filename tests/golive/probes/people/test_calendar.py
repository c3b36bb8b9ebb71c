"""What the launch's calendar says of its events, on literal ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from golive.people.roster import Person
from golive.probes.people.calendar import Absences, Attendee, Event, LaunchCalendar
from golive.verdicts import ProbeError

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)
EVENT = Event(
    "e",
    "Launch review",
    NOON,
    NOON + timedelta(hours=1),
    "UTC",
    (Attendee("tess@example.com", "needsAction"),),
    "",
)


def test_an_event_names_who_is_invited_whatever_they_answered() -> None:
    people = [
        Person(id=p, name=p, email=f"{p.title()}@example.com", phone="") for p in ("tess", "dave")
    ]
    assert EVENT.invited(people) == {"tess"}


def test_events_are_found_by_how_their_title_begins_and_by_day() -> None:
    other = replace(EVENT, title="Launch review, again", start=NOON + timedelta(days=1))
    calendar = LaunchCalendar("UTC", (EVENT, other, replace(EVENT, title="Lunch")))
    assert calendar.beginning("Launch review") == [EVENT, other]
    assert calendar.beginning("Launch review", on=date(2026, 12, 8)) == [other]
    assert calendar.beginning("Launch review", on=date(2026, 12, 9)) == []


def test_who_is_away_is_told_and_a_calendar_that_is_closed_is_not_taken_for_free() -> None:
    ada, ben = (
        Person(id=i, name=i.title(), email=f"{i}@example.com", phone="") for i in ("ada", "ben")
    )
    absences = Absences(("ada@example.com",), {"ben@example.com": "notFound"})
    assert absences.of([ada, ben]) == ["Ada"]
    assert absences.of([ada]) == ["Ada"]
    assert Absences((), {}).of([ada, ben]) == []
    with pytest.raises(ProbeError, match=r"ben@example.com \(notFound\)"):
        absences.of([ben])
