"""The API's document of both releases, and the limits of API clients, with nothing running."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from golive.probes.traffic import breaking, openapi
from rehearsal.app import documented, portal
from rehearsal.app.limits import KEY_HEADER, READS, WRITES, Limited
from rehearsal.app.settings import Settings, SettingsError, _clients
from rehearsal.app.web import create_app

URL = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def settings(version: str = "2.0.0", faults: Path | None = None) -> Settings:
    return Settings(URL, version=version, docs_url="http://127.0.0.1:1", faults_file=faults)


def document(version: str = "2.0.0", **orders: Any) -> dict[str, Any]:
    app = create_app(settings(version))
    return documented.document(app, settings(version), orders)


@pytest.mark.parametrize("version", ["1.9.0", "2.0.0"])
def test_every_route_of_a_release_is_documented_whole(version: str) -> None:
    made = document(version)
    assert openapi.flaws(made) == []
    for o in openapi.operations(made):
        unsaid = [openapi.unsaid_success(made, o), openapi.unsaid_errors(made, o)]
        unsaid += [openapi.unsaid_security(made, o), *openapi.unsaid_parameters(made, o)]
        assert not any(unsaid), unsaid
        assert not openapi.without_summary(o)
    count, wrong = openapi.wrong_examples(made)
    assert count > 20
    assert wrong == []


def test_what_breaks_clients_of_the_release_before_stands_in_the_changelog() -> None:
    found = breaking.breaks(document("1.9.0"), document())
    listed = breaking.entries(portal.CHANGELOG.read_text(), "v2.0.0", "v1.9.0")
    assert [str(b) for b in found] == ["GET /api/v2/appointments/next: it is gone"]
    assert breaking.unlisted(found, listed) == []


def test_orders_change_the_candidates_document_alone_and_only_while_they_hold() -> None:
    dropped = document(drop=["Service", "buffer_time_minutes"])
    assert "buffer_time_minutes" not in dropped["components"]["schemas"]["Service"]["properties"]
    assert document("1.9.0", drop=["Service", "buffer_time_minutes"]) == document("1.9.0")
    assert openapi.wrong_examples(document())[1] == []
    assert openapi.wrong_examples(document(break_example="Appointment"))[1] != []


def test_a_route_that_is_ordered_is_registered_and_not_documented(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"api": {"undocumented": "/api/v2/export"}}))
    app = create_app(settings(faults=faults))
    assert {"method": "GET", "path": "/api/v2/export", "secured": False} in documented.routes(app)
    assert "/api/v2/export" not in app.openapi()["paths"]


def test_the_portal_has_the_document_of_each_release(tmp_path: Path) -> None:
    portal.publish(settings(), tmp_path, current="1.9.0", changelog="# Changes", more="gone.html")
    of = {p.stem: json.loads(p.read_text())["info"]["version"] for p in tmp_path.glob("*.json")}
    assert of == {"openapi": "1.9.0", "openapi-1.9.0": "1.9.0", "openapi-2.0.0": "2.0.0"}
    assert "gone.html" in (tmp_path / "index.html").read_text()


# -- limits ----------------------------------------------------------------------------------------


class Clients:
    """The limiter in front of an application that answers 200, with counters of its own."""

    def __init__(self, *orders: str, redis: bool = True) -> None:
        counted: Counter[str] = Counter()

        def count(key: str, by: int, _: int) -> tuple[int, float] | None:
            counted[key] += by
            return (counted[key], 1.5) if redis else None

        self.counted = counted
        shop: Any = SimpleNamespace(
            settings=SimpleNamespace(api_clients={"k1": "one", "k2": "two"}, instance="app-1"),
            database=SimpleNamespace(orders=lambda _: orders),
            cache=SimpleNamespace(count=count),
        )
        self.limiter = Limited(self._application, shop)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def ask(self, path: str = "/api/v2/x", key: str = "", method: str = "GET") -> tuple[int, Any]:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        async def receive() -> Any:
            return {}

        headers = [(KEY_HEADER.lower().encode(), key.encode())]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        asyncio.run(self.limiter(scope, receive, send))
        return said[0]["status"], dict(said[0]["headers"])


def test_a_client_may_ask_so_often_and_is_told_when_it_may_again() -> None:
    clients = Clients()
    told = [clients.ask(key="k1") for _ in range(READS.allowed + 1)]
    assert [status for status, _ in told] == [200] * READS.allowed + [429]
    assert told[0][1][b"x-ratelimit-remaining"] == str(READS.allowed - 1).encode()
    assert told[-1][1][b"retry-after"] == b"2"
    assert clients.ask(key="k2")[0] == 200
    assert clients.ask(key="k1", method="POST")[1][b"x-ratelimit-limit"] == (
        str(WRITES.allowed).encode()
    )


@pytest.mark.parametrize("path", ["/health", "/api/v2/webhooks/stripe", "/static/x.css"])
def test_some_paths_are_never_counted(path: str) -> None:
    clients = Clients()
    assert {clients.ask(path, "k1")[0] for _ in range(READS.allowed + 3)} == {200}
    assert clients.counted == {}


def test_everybody_else_is_counted_in_steps_and_without_redis_nobody() -> None:
    clients = Clients()
    assert {clients.ask()[0] for _ in range(1_000)} == {200}
    assert list(clients.counted.values()) == [1_000]
    away = Clients(redis=False)
    assert {away.ask(key="k1")[0] for _ in range(READS.allowed + 3)} == {200}


def test_names_and_keys_of_clients_are_read_in_pairs() -> None:
    assert _clients("one:k1, two:k2,") == {"k1": "one", "k2": "two"}
    with pytest.raises(SettingsError, match="API_CLIENTS"):
        _clients("one")
