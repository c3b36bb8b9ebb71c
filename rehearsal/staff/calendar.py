"""The launch's calendar: what is in it unless a fault says else.

Events stand under short names of their own. A setting of the part `messages` whose name begins
with `calendar` is a patch that is laid over all of it: `{"events": {"war-room": {"end": ...}}}`,
or `{"unreadable": ["omar@..."]}` for calendars that nobody but their owner may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.staff import people
from rehearsal.staff.saas_stubs import LAUNCH, merged

ZONE = "America/New_York"
CALENDAR = "launch@bookedbarber.example"
BLOCKS = (
    ("06:00", "07:00", "Team Assembly and Final Checks"),
    ("07:00", "08:00", "Infrastructure Final Preparation"),
    ("08:00", "09:00", "Application Preparation"),
    ("09:00", "10:00", "Phase 1 - Infrastructure Deployment"),
    ("10:00", "11:30", "Phase 2 - Application Deployment"),
    ("11:30", "12:30", "Phase 3 - Integration Services"),
    ("12:30", "13:00", "Phase 4 - Final Validation and DNS Cutover"),
    ("13:00", "14:00", "Immediate Post-Launch Monitoring"),
    ("14:00", "16:00", "Extended Monitoring and Optimization"),
    ("16:00", "17:00", "Launch Day Wrap-Up"),
)
"""From, until and title of every block of the launch day."""


def state(site: str, timeline: Path, patches: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The calendar: `events` by name, each as Google tells it, and whose is `unreadable`.

    The digest of the timeline's file stands in the description of each block of the launch day.
    """
    now: dict[str, Any] = {"events": _events(site, timeline), "unreadable": [], "absences": {}}
    for patch in patches:
        now = merged(now, patch)
    return now


def ident(name: str) -> str:
    """An event's id: digits and letters up to v are all that Google allows."""
    return sha256(f"event {name}".encode()).hexdigest()[:26]


def _events(site: str, timeline: Path) -> dict[str, Any]:
    everybody = [p.id for p in people.PEOPLE]
    leads = [p.id for p in people.PEOPLE if {*p.roles, *p.backs_up} & set(people.ROLES)]
    bridge = {"location": f"{site}/bridge", "description": f"Backup bridge: {site}/bridge-backup"}
    found = {
        "war-room": _event("Launch war room", LAUNCH, "06:00", "17:00", everybody, **bridge),
        "go-no-go": _event(
            "Go/no-go meeting", LAUNCH - timedelta(days=1), "15:00", "16:00", leads, **bridge
        ),
        "technical-briefing": _event(
            "Technical briefing", LAUNCH - timedelta(days=3), "14:00", "15:00", leads, **bridge
        ),
    }
    digest = sha256(timeline.read_bytes()).hexdigest() if timeline.is_file() else ""
    about = {"description": f"Timeline SHA-256: {digest}"} if digest else {}
    for start, end, title in BLOCKS:
        name = f"block-{start.replace(':', '')}"
        found[name] = _event(f"Launch: {title}", LAUNCH, start, end, leads, **about)
    for day in range(1, 8):
        found[f"review-{day}"] = _event(
            f"Launch review, day +{day}", LAUNCH + timedelta(days=day), "10:00", "10:30", leads
        )
    return found


def _event(
    title: str, day: date, start: str, end: str, attendees: Iterable[str], **more: str
) -> dict[str, Any]:
    zone = ZoneInfo(ZONE)

    def moment(text: str) -> dict[str, str]:
        at = datetime.combine(day, time.fromisoformat(text), zone)
        return {"dateTime": at.isoformat(), "timeZone": ZONE}

    by_id = {p.id: p for p in people.PEOPLE}
    return {
        "status": "confirmed",
        "summary": title,
        "start": moment(start),
        "end": moment(end),
        # A table by person, so that a fault can change one answer; reported as a list.
        "attendees": {
            one: {
                "email": people.email(by_id[one]),
                "displayName": by_id[one].name,
                "responseStatus": "accepted",
            }
            for one in attendees
        },
        **more,
    }


def reported(name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the API tells it."""
    return {
        "kind": "calendar#event",
        "id": ident(name),
        "iCalUID": f"{ident(name)}@google.com",
        "organizer": {"email": CALENDAR, "self": True},
        **event,
        "attendees": list(event["attendees"].values()),
    }


def times(event: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Start and end of an event."""
    start, end = (datetime.fromisoformat(event[key]["dateTime"]) for key in ("start", "end"))
    return start, end


def busy(now: Mapping[str, Any], mail: str, since: datetime, until: datetime) -> Any:
    """When somebody is busy, as free/busy tells it: what was not declined, and absences."""
    spans = [
        times(event)
        for event in now["events"].values()
        if event["status"] != "cancelled"
        and any(
            a["email"] == mail and a["responseStatus"] != "declined"
            for a in event["attendees"].values()
        )
    ]
    for span in now["absences"].get(mail, []):
        start, end = (datetime.fromisoformat(text) for text in span)
        spans.append((start, end))
    together: list[list[datetime]] = []
    for start, end in sorted(spans):
        if together and start <= together[-1][1]:
            together[-1][1] = max(together[-1][1], end)
        elif start < until and end > since:
            together.append([start, end])
    return [{"start": start.isoformat(), "end": end.isoformat()} for start, end in together]
