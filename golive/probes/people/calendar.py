"""The launch's calendar, read with Google's own client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from golive.environments import Environment
from golive.people.roster import Person
from golive.probes.people.contacts import read_roster
from golive.probing import probe
from golive.verdicts import ProbeError

_SINCE, _UNTIL = timedelta(days=30), timedelta(days=120)
_READ = ("https://www.googleapis.com/auth/calendar.readonly",)
_PEOPLE_AT_ONCE = 50
"""Google's own limit of one free/busy query."""


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody invited. ``answer``: needsAction, declined, tentative or accepted."""

    email: str
    answer: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event that was not cancelled."""

    id: str
    title: str
    start: datetime
    end: datetime
    zone: str
    """Time zone that it is written in; empty where it says none."""
    attendees: tuple[Attendee, ...]
    text: str
    """Description, place and addresses to join, one below the other."""

    def spans(self, day: date, since: str, until: str) -> bool:
        """Whether it lasts from one hour of a day to another, as HH:MM in its own zone."""
        begin, end = (
            datetime.combine(day, time.fromisoformat(at), self.start.tzinfo)
            for at in (since, until)
        )
        return self.start <= begin and end <= self.end

    def answer_of(self, email: str) -> str:
        """What somebody answered; empty: not invited."""
        return next((a.answer for a in self.attendees if a.email == email.lower()), "")

    def invited(self, people: Iterable[Person]) -> set[str]:
        """The ids of those of these people who are invited."""
        return {p.id for p in people if self.answer_of(p.email)}

    def __str__(self) -> str:
        return f"{self.title} ({self.start:%Y-%m-%d %H:%M}-{self.end:%H:%M} {self.zone})"


@dataclass(frozen=True, slots=True)
class LaunchCalendar:
    """The events around now, by time, their times in the launch's zone."""

    zone: str
    events: tuple[Event, ...]

    def titled(self, title: str) -> list[Event]:
        """Events of exactly that title."""
        return [e for e in self.events if e.title == title]

    def beginning(self, words: str, on: date | None = None) -> list[Event]:
        """Events whose title begins so.

        :param on: those alone that start on that day.
        """
        found = [e for e in self.events if e.title.startswith(words)]
        return found if on is None else [e for e in found if e.start.date() == on]

    def uncovered_hours(self, email: str, since: datetime, until: datetime) -> list[str]:
        """Hours of a span in which somebody has accepted no event."""
        spans = [(e.start, e.end) for e in self.events if e.answer_of(email) == "accepted"]
        hours = []
        at = since
        while at < until:
            then = min(at + timedelta(hours=1), until)
            if not _covered(at, then, spans):
                hours.append(f"{at:%H:%M}")
            at = then
        return hours


@dataclass(frozen=True, slots=True)
class Busy:
    """When somebody is busy. ``error``: why it cannot be reported, as Google says it."""

    email: str
    spans: tuple[tuple[datetime, datetime], ...]
    error: str = ""


@probe()
def launch_calendar(env: Environment) -> LaunchCalendar:
    """The launch's calendar, a month back and four ahead."""
    zone = ZoneInfo(env.calendar.time_zone)
    now = datetime.now(UTC)
    found: list[Event] = []
    with _asking(env) as google:
        wanted: dict[str, Any] = {
            "calendarId": env.calendar.calendar,
            "timeMin": (now - _SINCE).isoformat(),
            "timeMax": (now + _UNTIL).isoformat(),
            "singleEvents": True,
            "orderBy": "startTime",
        }
        request = google.events().list(**wanted)
        while request is not None:
            page = request.execute()
            found += [_event(one, zone) for one in page.get("items", [])]
            request = google.events().list_next(request, page)
    return LaunchCalendar(env.calendar.time_zone, tuple(found))


@dataclass(frozen=True, slots=True)
class Absences:
    """Who is away all of launch day, by mail address, and whose calendar tells nothing."""

    emails: tuple[str, ...]
    unread: dict[str, str]
    """Why, by mail address."""

    def of(self, people: Iterable[Person]) -> list[str]:
        """The names of those of these people who are away.

        :raises ProbeError: none is, but a calendar could not be read.
        """
        known = list(people)
        away = [p.name for p in known if p.email in self.emails]
        closed = [f"{p.email} ({self.unread[p.email]})" for p in known if p.email in self.unread]
        if closed and not away:
            step = "share free/busy with the account that golive reads by"
            raise ProbeError("people's own calendars", ", ".join(closed), step)
        return away


@probe()
def launch_day_absences(env: Environment, launch_calendar: LaunchCalendar) -> Absences:
    """Whose own calendar is busy from the first to the last moment of launch day: no meeting is as
    long as that."""
    days = launch_calendar.titled(env.calendar.war_room)
    if not days:
        cause = f"there is no event {env.calendar.war_room} that tells the day"
        raise ProbeError("people's own calendars", cause, "write it into the launch's calendar")
    begins = days[0].start.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = begins + timedelta(days=1)
    people = [p.email for p in read_roster(env).people.values() if p.email]
    found = busy(env, people, begins, ends)
    all_day = (e for e, b in found.items() if any(s <= begins and u >= ends for s, u in b.spans))
    return Absences(tuple(all_day), {e: b.error for e, b in found.items() if b.error})


def busy(
    env: Environment, people: Iterable[str], since: datetime, until: datetime
) -> dict[str, Busy]:
    """When each of these people is busy within a span, by address.

    :raises ProbeError: Google cannot be asked at all.
    """
    mails = sorted(set(people))
    reported: dict[str, Any] = {}
    with _asking(env) as google:
        for n in range(0, len(mails), _PEOPLE_AT_ONCE):
            body = {
                "timeMin": since.isoformat(),
                "timeMax": until.isoformat(),
                "items": [{"id": one} for one in mails[n : n + _PEOPLE_AT_ONCE]],
            }
            reported |= google.freebusy().query(body=body).execute()["calendars"]
    return {
        one: Busy(
            one,
            tuple(
                (datetime.fromisoformat(s["start"]), datetime.fromisoformat(s["end"]))
                for s in reported.get(one, {}).get("busy", [])
            ),
            "; ".join(
                e["reason"]
                for e in reported.get(one, {"errors": [{"reason": "not told"}]}).get("errors", [])
            ),
        )
        for one in mails
    }


def _event(reported: dict[str, Any], zone: ZoneInfo) -> Event:
    entries = reported.get("conferenceData", {}).get("entryPoints", [])
    texts = [reported.get("location"), reported.get("hangoutLink"), reported.get("description")]
    return Event(
        id=str(reported["id"]),
        title=str(reported.get("summary", "")),
        start=_moment(reported["start"], zone),
        end=_moment(reported["end"], zone),
        zone=str(reported["start"].get("timeZone", "")),
        attendees=tuple(
            Attendee(str(a.get("email", "")).lower(), str(a.get("responseStatus", "needsAction")))
            for a in reported.get("attendees", [])
        ),
        text="\n".join(t for t in (*texts, *(e.get("uri") for e in entries)) if t),
    )


def _moment(reported: dict[str, str], zone: ZoneInfo) -> datetime:
    if "dateTime" in reported:
        return datetime.fromisoformat(reported["dateTime"]).astimezone(zone)
    return datetime.combine(datetime.fromisoformat(reported["date"]).date(), time(), zone)


def _covered(since: datetime, until: datetime, spans: list[tuple[datetime, datetime]]) -> bool:
    for start, end in sorted(spans):
        if start <= since < end:
            since = end
    return since >= until


@contextmanager
def _asking(env: Environment) -> Iterator[Any]:
    import google_auth_httplib2
    import httplib2
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account
    from googleapiclient.discovery import build
    from googleapiclient.errors import Error

    where = f"the calendar {env.calendar.calendar} at {env.calendar.url}"
    step = (
        "check calendar.credentials in the environment file, and whom the calendar is shared with"
    )
    secret = env.calendar.credentials.reveal()
    try:
        who: Any
        if secret.startswith("{"):
            keys: Any = service_account.Credentials
            who = keys.from_service_account_info(json.loads(secret), scopes=_READ)
        else:
            tokens: Any = credentials.Credentials
            who = tokens(secret)
        local = urlsplit(env.calendar.url).hostname == "127.0.0.1"  # needs no proxy
        proxy = None if local else httplib2.proxy_info_from_environment
        http = httplib2.Http(timeout=env.time_limits.connect, proxy_info=proxy)
        yield build(
            "calendar",
            "v3",
            http=google_auth_httplib2.AuthorizedHttp(who, http=http),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": env.calendar.url},
        )
    except Error as e:
        raise ProbeError(where, e, step) from None
    except (GoogleAuthError, ValueError) as e:
        raise ProbeError(where, e, step) from None
    except (httplib2.HttpLib2Error, OSError) as e:
        raise ProbeError(where, e, "check that it can be reached from here") from None
    except (KeyError, TypeError) as e:
        raise ProbeError(where, f"the answer cannot be read: {e!r}", "see its API") from None
