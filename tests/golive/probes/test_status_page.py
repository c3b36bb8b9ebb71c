"""The status page on literal answers as Statuspage gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes import status_page
from golive.probes.status_page import Component, Member, Update
from golive.verdicts import ProbeError
from tests.conftest import SECRET
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        service.says("/pages/p1", {"id": "p1", "name": "Shop"})
        shown = [
            {"id": "c1", "name": "Booking", "status": "operational", "group": False},
            {"id": "c2", "name": "Group of others", "status": "operational", "group": True},
        ]
        service.says("/pages/p1/components?per_page=100&page=1", shown)
        service.says("/pages/p1/incidents?limit=100&page=1", [])
        yield service


@pytest.fixture
def env(env_with: EnvWith, service: Service) -> Environment:
    told = {"url": service.url, "page": "p1", "organization": "o1"}
    return env_with(status_page={**told, "public_url": "https://status.example.com"})


def incident(number: int, status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "name": f"Incident {number}",
        "status": status,
        "impact": "none",
        "created_at": f"2026-11-{number % 28 + 1:02}T08:00:00.123Z",
        "incident_updates": [],
        "components": [],
        **more,
    }


def test_the_page_tells_its_components_without_their_groups(env: Environment) -> None:
    page = status_page.status_page(env)
    assert (page.name, page.public_url) == ("Shop", "https://status.example.com")
    assert page.components == (Component("Booking", "operational"),)
    assert page.incidents == ()


def test_a_planned_maintenance_is_told_with_its_window(env: Environment, service: Service) -> None:
    window = {
        "scheduled_for": "2026-12-07T10:00:00.000+01:00",
        "scheduled_until": "2026-12-07T13:00:00.000Z",
    }
    updates = [
        {"status": "in_progress", "created_at": "2026-11-03T09:00:00Z", "body": "It begins."},
        {"status": "scheduled", "created_at": "2026-11-02T09:00:00Z", "body": None},
    ]
    shown = [{"id": "c1", "name": "Booking", "status": "operational"}]
    found = [
        incident(1, "scheduled", **window, incident_updates=updates, components=shown),
        incident(2, "completed", **window),
        incident(3, "investigating"),
    ]
    service.says("/pages/p1/incidents?limit=100&page=1", found)
    page = status_page.status_page(env)
    assert [one.name for one in page.incidents] == ["Incident 3", "Incident 2", "Incident 1"]
    [planned] = page.planned()
    assert planned.scheduled_for == datetime(2026, 12, 7, 9, tzinfo=UTC)
    assert planned.scheduled_until == datetime(2026, 12, 7, 13, tzinfo=UTC)
    assert planned.components == ("Booking",)
    assert planned.updates == (
        Update(datetime(2026, 11, 2, 9, tzinfo=UTC), "scheduled", ""),
        Update(datetime(2026, 11, 3, 9, tzinfo=UTC), "in_progress", "It begins."),
    )


def test_every_page_of_incidents_is_read(env: Environment, service: Service) -> None:
    full = [incident(n, "resolved") for n in range(100)]
    service.says("/pages/p1/incidents?limit=100&page=1", full)
    service.says("/pages/p1/incidents?limit=100&page=2", [incident(100, "investigating")])
    assert len(status_page.status_page(env).incidents) == 101
    del service.answers["/pages/p1/incidents?limit=100&page=2"]
    with pytest.raises(ProbeError, match="incidents: status 404"):
        status_page.status_page(env)


def test_pages_that_never_end_are_left(
    env: Environment, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "_MOST_PAGES", 1)
    full = [incident(n, "resolved") for n in range(100)]
    service.says("/pages/p1/incidents?limit=100&page=1", full)
    with pytest.raises(ProbeError, match="there are more than 100"):
        status_page.status_page(env)


def test_members_are_known_by_their_addresses(env: Environment, service: Service) -> None:
    rows = [
        {"id": "1", "email": "ada@example.com", "first_name": "Ada", "last_name": "Obi"},
        {"id": "2", "email": "bob@example.com", "first_name": None},
    ]
    service.says("/organizations/o1/users?per_page=100&page=1", rows)
    found = status_page.status_page_members(env)
    assert found == (Member("ada@example.com", "Ada Obi"), Member("bob@example.com", ""))


def test_without_an_organisation_nobody_is_told(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match=r"status_page\.organization is not declared"):
        status_page.status_page_members(env_with())


def test_an_expired_key_is_could_not_look(env: Environment, service: Service) -> None:
    status_page.status_page(env)
    assert {h["Authorization"] for h in service.headers} == {f"OAuth {SECRET}"}
    service.says("/pages/p1", {"error": "Could not authenticate"}, status=401)
    with pytest.raises(ProbeError, match="status 401") as error:
        status_page.status_page(env)
    assert SECRET not in str(error.value)
