"""The barbers' Google calendars: the OAuth client that the application uses, and a synthetic
appointment on its way into a test calendar."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from golive.environments import Environment
from golive.probes.saas.google import Grant, granted, project_of, service
from golive.probes.saas.records import application, wait_for
from golive.probes.transport.http import Client, access_token, client, json_object, shown
from golive.probing import probe
from golive.sections import declares
from golive.verdicts import ProbeError, Unseen

_TAKEN = 409
_FAR = frozenset({400, 422})
"""How an application refuses a day that lies too far ahead."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The client that the application sends barbers to Google's consent screen with."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    hosts: tuple[str, ...]
    """The product's public hosts, with the port where it is another one than that of HTTPS."""
    failure: str
    """Why Google shows an error instead of the consent screen; empty where it does not."""

    @property
    def project(self) -> str:
        """The number of its project."""
        return project_of(self.client_id) or f"none, by {self.client_id}"

    @property
    def redirects_here(self) -> bool:
        """Whether Google sends barbers back to a public host of the product, over HTTPS."""
        split = urlsplit(self.redirect_uri)
        return split.scheme == "https" and split.netloc in self.hosts


@probe()
def calendar_client(env: Environment) -> OAuthClient:
    """The address of the consent screen as the application tells it, and what Google answers it."""
    url = application(env)
    with client(env) as http:
        headers = _signed_in(env, http, url)
        answer = http.json(url + env.customer_calendar.auth_path, headers)
    told = [text for text in _texts(answer) if "client_id=" in text and "://" in text]
    if not told:
        raise ProbeError(
            f"the consent screen's address at {shown(url + env.customer_calendar.auth_path)}",
            "the answer holds none",
            "check customer_calendar.auth_path",
        )
    query = parse_qs(urlsplit(told[0]).query)
    return OAuthClient(
        query.get("client_id", [""])[0],
        query.get("redirect_uri", [""])[0],
        tuple(sorted(query.get("scope", [""])[0].split())),
        own_hosts(env),
        _consent(env, told[0]),
    )


def own_hosts(env: Environment) -> tuple[str, ...]:
    """The public hosts of the product."""
    url = urlsplit(env.application.url)
    return tuple(dict.fromkeys([url.netloc, *(env.edge.hosts if declares(env, "edge") else [])]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _consent(env: Environment, url: str) -> str:
    """Which error Google shows instead of its consent screen.

    :raises ProbeError: the address is none of Google's, or nobody answers there.
    """
    base = env.customer_calendar.consent_url
    if not url.startswith(base):
        step = "look where the application sends barbers"
        raise ProbeError("Google's consent screen", f"{shown(url)} is not below {base}", step)
    with client(env, foreign=True) as http:
        answer = http.get(url)
    to = answer.headers.get("Location", "")
    error = parse_qs(urlsplit(to).query).get("authError", [""])[0]
    if error:
        with suppress(ValueError):
            raw = base64.urlsafe_b64decode(error + "=" * (-len(error) % 4))
            named = re.search(rb"[a-z]+(_[a-z]+)+", raw)
            return named[0].decode() if named else "an error that it does not name"
    if answer.status_code >= 500 or answer.status_code == 429:
        raise ProbeError(f"the consent screen at {shown(url)}", f"status {answer.status_code}", "")
    if answer.status_code >= 400 or "/error" in urlsplit(to).path:
        named_ = re.search(r"redirect_uri_mismatch|invalid_client|[a-z]+_client", answer.text)
        return named_[0] if named_ else f"status {answer.status_code}"
    return ""


@probe()
def calendar_grant(env: Environment) -> Grant:
    """The refresh token of the test calendar, refreshed; whom it was granted to, and for what."""
    own = env.customer_calendar
    return granted(
        env, own.token_url, own.tokeninfo_url, own.client_id, own.client_secret, own.refresh_token
    )


@dataclass(frozen=True, slots=True)
class SyntheticAppointment:
    """An appointment booked before a clock change and moved behind it, and its event."""

    clock_change: str | Unseen
    """The day it was moved across; unseen where the application takes no booking so far ahead."""
    appeared_after_s: float
    appeared_off_min: float
    """How far the event's begin lies from the appointment's."""
    moved_after_s: float
    moved_off_min: float
    vanished_after_s: float

    @property
    def waits_s(self) -> dict[str, float]:
        """How long each change took to show."""
        return {
            "appearing": self.appeared_after_s,
            "moving": self.moved_after_s,
            "vanishing": self.vanished_after_s,
        }

    @property
    def off_min(self) -> dict[str, float]:
        """How far the event lay from the appointment, in minutes; never: it did not show."""
        return {"before the change": self.appeared_off_min, "behind it": self.moved_off_min}


def next_clock_change(zone: str, after: date) -> date | None:
    """The next day on which a zone's offset changes, within a year; None where it has none."""
    tz = ZoneInfo(zone)

    def offset(day: date) -> timedelta | None:
        return datetime(day.year, day.month, day.day, 12, tzinfo=tz).utcoffset()

    for ahead in range(1, 367):
        day = after + timedelta(days=ahead)
        if offset(day) != offset(day - timedelta(days=1)):
            return day
    return None


@probe(effect="write", limit="drill")
def calendar_appointment(env: Environment, calendar_grant: Grant) -> SyntheticAppointment:
    """An appointment with the synthetic barber, booked on a day before the next clock change, moved
    behind it and cancelled, and what the test calendar shows of it."""
    own = env.customer_calendar
    if calendar_grant.failure:
        step = "connect the test calendar again"
        raise ProbeError("the test calendar", calendar_grant.failure, step)
    began, today = datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC).date()
    change = next_clock_change(own.time_zone, today + timedelta(days=1))
    base = application(env)
    with (
        client(env) as http,
        service(env, "calendar", "v3", own.url, calendar_grant.token.reveal()) as google,
    ):
        product = _Product(env, http, base)
        calendar = _Calendar(google, own.calendar, began)
        crossed: str | Unseen = f"{change} in {own.time_zone}"
        visit = change and product.booked(change - timedelta(days=1), -1)
        behind = change
        if not visit:
            crossed = _not_crossed(env, change)
            visit = product.booked(today + timedelta(days=1), 1)
            behind = today + timedelta(days=2)
        if not visit or behind is None:
            step = "free the synthetic barber's calendar, and check release.booking_service"
            raise ProbeError("a synthetic appointment", "no free time was found", step)
        try:
            appeared = _shows(env, calendar, product.start(visit))
            moved_visit = product.moved(visit, behind + timedelta(days=1), 1)
            moved = _shows(env, calendar, product.start(moved_visit))
        finally:
            product.cancel(visit)
        gone = _elapsed(env, calendar.starts, lambda found: not found)
        calendar.clear()
    return SyntheticAppointment(crossed, *appeared, *moved, gone)


def _not_crossed(env: Environment, change: date | None) -> Unseen:
    zone = env.customer_calendar.time_zone
    if change is None:
        cause, step = f"{zone} has none within a year", "declare the zone of a shop that has"
    else:
        cause = f"the application takes no booking on {change - timedelta(days=1)}"
        step = "book across it by hand, or look again when it is nearer"
    return Unseen(ProbeError("an appointment across a clock change", cause, step))


def _shows(env: Environment, calendar: _Calendar, start: datetime) -> tuple[float, float]:
    """After how many seconds an event of the begin is there, and how far, in minutes, the nearest
    one lies from it."""
    after_s = _elapsed(env, calendar.starts, lambda found: start in found)
    off = [abs((one - start).total_seconds()) / 60 for one in calendar.starts()]
    # One at another time is there all the same: that it is wrong is told by how far it is off.
    return (after_s if after_s < inf or not off else 0.0), min(off, default=inf)


def _elapsed(env: Environment, look: Any, enough: Any) -> float:
    began = time.monotonic()
    found = wait_for(look, enough, env.windows.integration_s)
    return time.monotonic() - began if enough(found) else inf


class _Calendar:
    """The events of the test calendar that were written since a moment."""

    def __init__(self, google: Any, ident: str, since: datetime) -> None:
        self._google, self._ident, self._since = google, ident, since

    def starts(self) -> tuple[datetime, ...]:
        return tuple(_moment(e["start"]["dateTime"]) for e in self._events())

    def clear(self) -> None:
        """Delete what was left, so that the next look finds the calendar empty."""
        for event in self._events():
            self._google.events().delete(calendarId=self._ident, eventId=event["id"]).execute()

    def _events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        request = self._google.events().list(
            calendarId=self._ident, updatedMin=self._since.isoformat(), singleEvents=True
        )
        while request is not None:
            page = request.execute()
            found += page.get("items", [])
            request = self._google.events().list_next(request, page)
        # Asked by the time of change, Google tells of deleted ones too.
        return [e for e in found if e.get("status") != "cancelled" and "dateTime" in e["start"]]


class _Product:
    """Appointments with the synthetic barber, by the first synthetic account."""

    def __init__(self, env: Environment, http: Client, base: str) -> None:
        self._env, self._http = env, http
        self._url = base + env.application.paths.appointments
        self._slots = base + env.application.paths.slots
        self._headers = _signed_in(env, http, base)

    def booked(self, day: date, step: int) -> dict[str, Any] | None:
        """A visit at the first free time of the day, or of the days beside it."""
        for at in self._free(day, step):
            body: dict[str, Any] = {**at, "service": self._env.release.booking_service}
            body["barber_id"] = self._env.customer_calendar.barber_id
            answer = self._http.post(self._url, body, self._headers)
            if answer.status_code in _FAR:
                return None
            if answer.status_code == _TAKEN:
                continue
            if answer.status_code not in {200, 201}:
                self._refused("a booking", answer)
            found: dict[str, Any] = answer.json()
            return found
        return None

    def moved(self, visit: dict[str, Any], day: date, step: int) -> dict[str, Any]:
        """The same visit at a free time of another day."""
        url = f"{self._url.rstrip('/')}/{visit['id']}/reschedule"
        for at in self._free(day, step):
            answer = self._http.post(url, at, self._headers)
            if answer.status_code == _TAKEN:
                continue
            if answer.status_code != 200:
                self._refused("moving a booking", answer)
            found: dict[str, Any] = answer.json()
            return found
        raise ProbeError("moving a booking", f"no time is free about {day}", "free some")

    def cancel(self, visit: dict[str, Any]) -> None:
        url = f"{self._url.rstrip('/')}/{visit['id']}/cancel"
        answer = self._http.put(url, {}, self._headers)
        if answer.status_code != 200:
            self._refused("cancelling a booking", answer)

    def start(self, visit: dict[str, Any]) -> datetime:
        at = _moment(str(visit["start_time"]))
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(self._naive))

    @property
    def _naive(self) -> str:
        return self._env.customer_calendar.naive_times

    def _free(self, day: date, step: int) -> Iterator[dict[str, str]]:
        """Free times, in the middle of a day first: there a wrong offset stays within the day."""
        barber = self._env.customer_calendar.barber_id
        for ahead in range(6):
            at = (day + step * ahead * timedelta(days=1)).isoformat()
            url = f"{self._slots}?appointment_date={at}&barber_id={barber}"
            answer = self._http.get(url, self._headers)
            if answer.status_code in _FAR:
                return
            found = json_object(answer, shown(url)).get("slots", [])
            free = [str(s["time"]) for s in found if s.get("available")]
            half = len(free) // 2
            for text in (*free[half:], *free[:half]):
                yield {"date": at, "time": text}

    def _refused(self, what: str, answer: Any) -> None:
        said = " ".join(answer.text.split())[:200]
        step = "see the application's log"
        raise ProbeError(
            f"{what} at {shown(self._url)}", f"status {answer.status_code}: {said}", step
        )


def _signed_in(env: Environment, http: Client, base: str) -> dict[str, str]:
    token = access_token(env, http, base, env.application.accounts[0])
    return {"Authorization": f"Bearer {token}"}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
