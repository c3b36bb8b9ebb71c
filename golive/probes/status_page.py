"""The public status page: its components, what it announces, and who may publish on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from golive.environments import Environment
from golive.probes.rest import Api, api
from golive.probing import probe
from golive.verdicts import ProbeError

Row = TypeVar("Row")
_PER_PAGE = 100
_MOST_PAGES = 50
_ANNOUNCED = frozenset({"scheduled", "in_progress", "verifying"})


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the service as the page shows it."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Update:
    """What was said of an incident."""

    at: datetime
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident, or a maintenance that is announced."""

    name: str
    status: str
    impact: str
    created_at: datetime
    resolved_at: datetime | None
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    components: tuple[str, ...]
    updates: tuple[Update, ...]
    """The oldest first."""

    @property
    def is_planned(self) -> bool:
        """Whether it is a maintenance that is announced or under way."""
        return self.scheduled_for is not None and self.status in _ANNOUNCED


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The page, its newest incident first."""

    name: str
    public_url: str
    components: tuple[Component, ...]
    incidents: tuple[Incident, ...]

    def planned(self) -> list[Incident]:
        """Maintenances that are announced or under way."""
        return [one for one in self.incidents if one.is_planned]


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may publish on the page."""

    email: str
    name: str


class _Page(msgspec.Struct):
    name: str


class _Component(msgspec.Struct):
    name: str
    status: str
    group: bool | None = False


class _Update(msgspec.Struct):
    status: str
    created_at: datetime
    body: str | None = None


class _Incident(msgspec.Struct):
    id: str
    name: str
    status: str
    created_at: datetime
    impact: str | None = None
    resolved_at: datetime | None = None
    scheduled_for: datetime | None = None
    scheduled_until: datetime | None = None
    components: list[_Component] = []
    incident_updates: list[_Update] = []


class _Member(msgspec.Struct):
    email: str
    first_name: str | None = None
    last_name: str | None = None


@probe()
def status_page(env: Environment) -> StatusPage:
    """The status page: components, incidents and announced maintenances."""
    page = f"/pages/{quote(env.status_page.page, safe='')}"
    with _statuspage(env) as statuspage:
        name = statuspage.one(page, _Page).name
        components = _all(statuspage, f"{page}/components", list[_Component], "per_page")
        incidents = _all(statuspage, f"{page}/incidents", list[_Incident], "limit")
    incidents.sort(key=lambda one: one.created_at, reverse=True)
    return StatusPage(
        name=name,
        public_url=env.status_page.public_url,
        components=tuple(Component(c.name, c.status) for c in components if not c.group),
        incidents=tuple(_incident(one) for one in incidents),
    )


@probe()
def status_page_members(env: Environment) -> tuple[Member, ...]:
    """Who may publish on the status page."""
    organization = env.status_page.organization
    if not organization:
        raise ProbeError(
            "the members of the status page",
            "status_page.organization is not declared",
            f"name it in {env.source or 'the environment file'}",
        )
    with _statuspage(env) as statuspage:
        path = f"/organizations/{quote(organization, safe='')}/users"
        found = _all(statuspage, path, list[_Member], "per_page")
    return tuple(
        Member(one.email, f"{one.first_name or ''} {one.last_name or ''}".strip()) for one in found
    )


@contextmanager
def _statuspage(env: Environment) -> Iterator[Api]:
    told = env.status_page
    with api(env, "the status page", told.url, f"OAuth {told.key.reveal()}") as statuspage:
        yield statuspage


def _all(statuspage: Api, path: str, answer: type[list[Row]], size: str) -> list[Row]:
    """Every row; Statuspage has no Link header, and ends with a page that is not full."""
    rows: list[Row] = []
    for page in range(1, _MOST_PAGES + 1):
        query: dict[str, str | int] = {size: _PER_PAGE, "page": page}
        found = statuspage.one(path, answer, **query)
        rows += found
        if len(found) < _PER_PAGE:
            return rows
    raise ProbeError(
        f"the status page's {path.rpartition('/')[2]}",
        f"there are more than {_MOST_PAGES * _PER_PAGE}",
        "look at the page itself",
    )


def _incident(told: _Incident) -> Incident:
    updates = sorted(told.incident_updates, key=lambda one: one.created_at)
    return Incident(
        name=told.name,
        status=told.status,
        impact=told.impact or "none",
        created_at=told.created_at,
        resolved_at=told.resolved_at,
        scheduled_for=told.scheduled_for,
        scheduled_until=told.scheduled_until,
        components=tuple(one.name for one in told.components),
        updates=tuple(Update(one.created_at, one.status, one.body or "") for one in updates),
    )
