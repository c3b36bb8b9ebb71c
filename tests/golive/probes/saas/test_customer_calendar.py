"""The barbers' calendars: OAuth and Google's own client against the rehearsal's stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import Any
from urllib.parse import urlencode

import pytest

from golive.environments import Environment
from golive.probes.saas import customer_calendar
from golive.probes.saas.google import project_of, service
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas import google
from rehearsal.parts.saas.integrations import PARTS
from tests.rehearsal.lone_parts import running

EnvWith = Callable[..., Environment]


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("integrations"))
    with running(r, PARTS[0]):
        yield r


@pytest.fixture
def told(r: Rehearsal) -> Iterator[Callable[..., None]]:
    """Put other values in place of the service's, until the test ends."""
    yield lambda **values: r.override(
        "integrations", **{f"google_{k}": v for k, v in values.items()}
    )
    r.clear_override("integrations")


@pytest.fixture
def env_of(env_with: EnvWith, r: Rehearsal) -> Callable[..., Environment]:
    own = {
        "url": r.url("integrations", "/google/calendar/v3/"),
        "token_url": r.url("integrations", "/google/token"),
        "tokeninfo_url": r.url("integrations", "/google/tokeninfo"),
        "consent_url": r.url("integrations", "/google/o/oauth2/"),
        "project": google.PROJECT,
        "scopes": list(google.SCOPES),
        "auth_path": "/auth",
        "client_id": google.CLIENT,
        "client_secret": {"file": str(r.secret_file(google.CLIENT_SECRET))},
        "refresh_token": {"file": str(r.secret_file(google.REFRESH_TOKEN))},
        "calendar": google.CALENDAR,
        "barber_id": 1,
        "time_zone": google.ZONE,
    }
    return lambda **changes: env_with(
        customer_calendar={**own, **changes}, windows={"integration_s": 1.0}
    )


# -- tokens ----------------------------------------------------------------------------------------


def test_a_refresh_token_tells_its_client_and_scopes(env_of: Callable[..., Environment]) -> None:
    found = customer_calendar.calendar_grant(env_of())
    assert (found.failure, found.of, found.scopes) == ("", google.PROJECT, google.SCOPES)
    assert (found.refresh_lives_s, found.ends) == (inf, "none")
    assert found.token.reveal() not in repr(found)


def test_a_revoked_token_is_no_error_of_looking(
    env_of: Callable[..., Environment], told: Callable[..., None]
) -> None:
    told(revoked=["calendar"])
    found = customer_calendar.calendar_grant(env_of())
    assert found.failure == "invalid_grant Token has been expired or revoked."
    assert isinstance(found.ends, Unseen)
    with pytest.raises(ProbeError, match="expired or revoked"):
        customer_calendar.calendar_appointment(env_of(), found)


def test_a_client_in_testing_has_tokens_that_end(
    env_of: Callable[..., Environment], told: Callable[..., None]
) -> None:
    told(testing=True)
    assert str(customer_calendar.calendar_grant(env_of()).ends).startswith("in 7 d")


def test_a_token_endpoint_that_does_not_answer_is_an_error(
    env_of: Callable[..., Environment], dead_port: int
) -> None:
    with pytest.raises(ProbeError):
        customer_calendar.calendar_grant(env_of(token_url=f"http://127.0.0.1:{dead_port}/token"))


def test_a_project_is_the_number_that_a_clients_id_begins_with() -> None:
    assert project_of("42-abc.apps.googleusercontent.com") == "42"
    assert project_of("abc.apps.googleusercontent.com") == ""


# -- the consent screen ----------------------------------------------------------------------------


def consent(env: Environment, **changes: str) -> str:
    words = {"client_id": google.CLIENT, "redirect_uri": google.REDIRECT, "scope": "x", **changes}
    url = f"{env.customer_calendar.consent_url}v2/auth?{urlencode(words)}"
    return customer_calendar._consent(env, url)


def test_google_shows_the_consent_screen_or_names_its_error(
    env_of: Callable[..., Environment],
) -> None:
    env = env_of()
    assert consent(env) == ""
    assert consent(env, redirect_uri="https://old.example/") == "redirect_uri_mismatch"
    assert consent(env, client_id="nobodys") == "invalid_client"


def test_nothing_but_googles_own_address_is_asked(env_of: Callable[..., Environment]) -> None:
    with pytest.raises(ProbeError, match="is not below"):
        customer_calendar._consent(env_of(), "https://phishing.example/o/oauth2/?client_id=1")


# -- an appointment --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "after", "change"),
    [
        ("America/New_York", date(2026, 11, 30), date(2027, 3, 14)),
        ("Europe/Berlin", date(2026, 6, 1), date(2026, 10, 25)),
        ("America/Phoenix", date(2026, 11, 30), None),
    ],
)
def test_the_next_clock_change(zone: str, after: date, change: date | None) -> None:
    assert customer_calendar.next_clock_change(zone, after) == change


class Product:
    """Stands for the application: takes bookings up to so many days ahead and writes them to the
    calendar by itself."""

    def __init__(self, calendar: Any, *, most_days: int = 366, off_h: int = 0) -> None:
        self._calendar, self._most, self._off = calendar, most_days, timedelta(hours=off_h)

    def _visit(self, day: date) -> dict[str, Any]:
        at = datetime(day.year, day.month, day.day, 14, tzinfo=UTC)
        self._calendar.kept = [at + self._off]
        return {"id": 7, "start_time": at.isoformat()}

    def booked(self, day: date, _: int) -> dict[str, Any] | None:
        ahead = (day - datetime.now(UTC).date()).days
        return self._visit(day) if ahead <= self._most else None

    def moved(self, _: dict[str, Any], day: date, __: int) -> dict[str, Any]:
        return self._visit(day)

    def cancel(self, _: dict[str, Any]) -> None:
        self._calendar.kept = []

    def start(self, visit: dict[str, Any]) -> datetime:
        return datetime.fromisoformat(visit["start_time"])


class Calendar:
    """Stands for the test calendar."""

    def __init__(self) -> None:
        self.kept: list[datetime] = []

    def starts(self) -> tuple[datetime, ...]:
        return tuple(self.kept)

    def clear(self) -> None:
        self.kept = []


@pytest.fixture
def looked(
    env_of: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., customer_calendar.SyntheticAppointment]:
    """Look at an appointment of a product that behaves in a way."""

    def look(**how: Any) -> customer_calendar.SyntheticAppointment:
        calendar = Calendar()
        monkeypatch.setattr(customer_calendar, "_Calendar", lambda *_: calendar)
        monkeypatch.setattr(customer_calendar, "_Product", lambda *_: Product(calendar, **how))
        env = env_of()
        return customer_calendar.calendar_appointment(env, customer_calendar.calendar_grant(env))

    return look


def test_an_appointment_is_followed_across_a_clock_change(
    looked: Callable[..., customer_calendar.SyntheticAppointment],
) -> None:
    found = looked()
    assert "America/New_York" in str(found.clock_change)
    assert max(found.waits_s.values()) < 1
    assert set(found.off_min.values()) == {0.0}


def test_an_event_at_another_time_is_told_by_how_far_it_is_off(
    looked: Callable[..., customer_calendar.SyntheticAppointment],
) -> None:
    assert set(looked(off_h=5).off_min.values()) == {300.0}


def test_where_bookings_reach_no_clock_change_that_alone_is_not_seen(
    looked: Callable[..., customer_calendar.SyntheticAppointment],
) -> None:
    found = looked(most_days=30)
    assert isinstance(found.clock_change, Unseen)
    assert set(found.off_min.values()) == {0.0}


def test_events_are_read_and_cleared_by_googles_own_client(
    env_of: Callable[..., Environment],
) -> None:
    env = env_of()
    grant = customer_calendar.calendar_grant(env)
    own = env.customer_calendar
    since = datetime.now(UTC) - timedelta(seconds=5)
    with service(env, "calendar", "v3", own.url, grant.token.reveal()) as api:
        calendar = customer_calendar._Calendar(api, own.calendar, since)
        span = {"dateTime": "2027-03-15T09:00:00", "timeZone": "America/New_York"}
        api.events().insert(calendarId=own.calendar, body={"start": span, "end": span}).execute()
        assert [at.astimezone(UTC).hour for at in calendar.starts()] == [13]
        calendar.clear()
        assert calendar.starts() == ()
