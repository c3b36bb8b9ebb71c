"""The status page on literal answers as Statuspage gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.saas import status_page
from golive.probes.saas.status_page import Member
from golive.verdicts import ProbeError
from tests.conftest import SECRET
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]


USERS = "/organizations/o1/users?per_page=100&page="


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        service.says(f"{USERS}1", [])
        yield service


@pytest.fixture
def env(env_with: EnvWith, service: Service) -> Environment:
    reported = {"url": service.url, "page": "p1", "organization": "o1"}
    return env_with(status_page={**reported, "public_url": "https://status.example.com"})


def user(number: int) -> dict[str, Any]:
    return {"id": str(number), "email": f"u{number}@example.com", "first_name": None}


def test_every_page_of_members_is_read(env: Environment, service: Service) -> None:
    service.says(f"{USERS}1", [user(n) for n in range(100)])
    service.says(f"{USERS}2", [user(100)])
    assert len(status_page.status_page_members(env)) == 101
    del service.answers[f"{USERS}2"]
    with pytest.raises(ProbeError, match="users: status 404"):
        status_page.status_page_members(env)


def test_pages_that_never_end_are_left(
    env: Environment, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "_MOST_PAGES", 1)
    service.says(f"{USERS}1", [user(n) for n in range(100)])
    with pytest.raises(ProbeError, match="there are more than 100"):
        status_page.status_page_members(env)


def test_members_are_known_by_their_addresses(env: Environment, service: Service) -> None:
    rows = [
        {"id": "1", "email": "ada@example.com", "first_name": "Ada", "last_name": "Obi"},
        {"id": "2", "email": "bob@example.com", "first_name": None},
    ]
    service.says(f"{USERS}1", rows)
    found = status_page.status_page_members(env)
    assert found == (Member("ada@example.com", "Ada Obi"), Member("bob@example.com", ""))


def test_without_an_organisation_nobody_is_told(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match=r"status_page\.organization is not declared"):
        status_page.status_page_members(env_with())


def test_an_expired_key_is_could_not_look(env: Environment, service: Service) -> None:
    status_page.status_page_members(env)
    assert {h["Authorization"] for h in service.headers} == {f"OAuth {SECRET}"}
    service.says(f"{USERS}1", {"error": "Could not authenticate"}, status=401)
    with pytest.raises(ProbeError, match="status 401") as error:
        status_page.status_page_members(env)
    assert SECRET not in str(error.value)
