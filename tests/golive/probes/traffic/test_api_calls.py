"""Every operation of a small API called: one that is sound, and what each of its habits shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from golive.environments import Environment
from golive.probes.traffic.api_calls import ApiRun, OperationRun, _Run
from golive.probes.traffic.api_values import Values
from golive.probes.transport.commands import Deadline
from golive.probes.transport.http import client
from golive.testing import Suites
from golive.verdicts import ProbeError, Unseen
from tests.checks import SUITES
from tests.golive.probes.traffic.test_api_breaking import ERROR, JSON, Json, content

EnvWith = Callable[..., Environment]
A = "a@example.com"
PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
}
SECURED: Json = {"security": [{"Bearer": []}]}
ID = {"name": "pet_id", "in": "path", "required": True, "schema": {"type": "integer"}}
DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/pets": {
            "get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}}
                ],
                "responses": {
                    "200": {"description": "", **content({"type": "array", "items": PET})},
                    "422": ERROR,
                },
            },
            "post": {
                **SECURED,
                "requestBody": {
                    "required": True,
                    **content(
                        {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string", "minLength": 1}},
                        }
                    ),
                },
                "responses": {"201": {"description": "", **content(PET)}, "401": ERROR},
            },
        },
        "/pets/{pet_id}": {
            "parameters": [ID],
            "get": {**SECURED, "responses": {"200": {"description": "", **content(PET)}}},
            "delete": {**SECURED, "responses": {"204": {"description": ""}, "404": ERROR}},
        },
    },
    "components": {"securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}}},
}


class Pets:
    """The API. ``habits`` are what it does wrong."""

    def __init__(self, *habits: str) -> None:
        self.habits, self.pets, self.token = set(habits), {7: "Rex"}, "token-of-a"

    def answer(self, method: str, url: str, body: Any, authorization: str) -> tuple[int, Any]:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        signed_in = authorization == f"Bearer {self.token}"
        if path == "/login":
            return 200, {"access_token": self.token}
        last = path.rpartition("/")[2]
        if path == "/pets" and method == "GET":
            limit = query.get("limit", ["10"])[0]
            if not limit.isdigit() or int(limit) < 1:
                return (500, "") if "crashes" in self.habits else (422, "no")
            return 200, [self._told(n) for n in self.pets]
        if path == "/pets" and method == "POST":
            if not signed_in and "open" not in self.habits:
                return 401, "no"
            if "refuses" in self.habits:
                return 403, "no"
            is_right = isinstance(body, dict) and isinstance(body.get("name"), str) and body["name"]
            if not is_right and "takes all" not in self.habits:
                return 422, "no"
            number = max(self.pets) + 1
            self.pets[number] = str(body.get("name")) if isinstance(body, dict) else ""
            return 201, self._told(number)
        if path.startswith("/pets/") and method in {"GET", "DELETE"}:
            if not signed_in:
                return 401, "no"
            if not last.isdigit():
                return 422, "no"
            if int(last) not in self.pets:
                return 404, "no"
            if method == "GET":
                return 200, self._told(int(last))
            self.pets.pop(int(last))
            return 204, None
        return 405, "no"

    def _told(self, number: int) -> Json:
        if "lacks" in self.habits:
            return {"id": number}
        return {"id": number, "name": self.pets[number]}


@contextmanager
def served(pets: Pets) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or "0"))
            try:
                body = json.loads(text)
            except ValueError:
                body = None
            told = self.headers.get("Authorization", "")
            status, found = pets.answer(self.command, self.path, body, told)
            content_ = b"" if found is None else json.dumps(found).encode()
            self.send_response(status)
            if found is not None:
                self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(content_)))
            self.end_headers()
            self.wfile.write(content_)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815
        do_OPTIONS = do_TRACE = do_QUERY = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture
def run(env_with: EnvWith, paths: Json) -> Callable[..., dict[str, OperationRun]]:
    def of(pets: Pets, document: Json = DOCUMENT, **api: Any) -> dict[str, OperationRun]:
        accounts = [{"email": A, "password": {"env": "GOLIVE_TEST_SECRET"}}]
        env = env_with(
            application={"paths": {**paths, "login": "/login"}, "accounts": accounts}, api=api
        )
        with served(pets) as url, client(env) as http:
            found = _Run(env, http, url, document, dict, Deadline(60)).all()
        return {o.operation: o for o in found}

    return of


def test_every_operation_of_a_sound_api_succeeds_and_is_refused(
    run: Callable[..., dict[str, OperationRun]],
) -> None:
    found = run(Pets())
    assert list(found) == ["GET /pets", "POST /pets", "GET /pets/{pet_id}", "DELETE /pets/{pet_id}"]
    for one in found.values():
        assert one.succeeded, str(one)
        assert one.refused, str(one)
        assert one.calls == sum(one.statuses.values()) > 2
        assert (one.failures, one.violations, one.anonymous) == ((), (), "")


@pytest.mark.parametrize(
    ("habit", "operation", "shows"),
    [
        ("crashes", "GET /pets", lambda o: o.failures),
        ("lacks", "GET /pets/{pet_id}", lambda o: o.violations),
        ("open", "POST /pets", lambda o: o.anonymous),
        ("refuses", "POST /pets", lambda o: not o.succeeded and "403" in o.last),
    ],
)
def test_each_habit_shows_at_its_operation(
    run: Callable[..., dict[str, OperationRun]],
    habit: str,
    operation: str,
    shows: Callable[[OperationRun], Any],
) -> None:
    assert shows(run(Pets(habit))[operation])


def test_nobody_who_can_sign_in_is_a_look_that_failed(
    run: Callable[..., dict[str, OperationRun]],
) -> None:
    pets = Pets()
    pets.token = ""
    with pytest.raises(ProbeError, match="access_token"):
        run(pets)


def test_values_are_told_by_answers_whatever_they_are_called() -> None:
    values = Values({"shop": "main"})
    values.learn("/api/visits/", [{"id": 4, "barberId": 9, "note": None}, {"id": 5}])
    assert (values.of("visit_id"), values.of("barber_id"), values.of("shop")) == (4, 9, "main")
    assert values.of("note") is None
    values.learn("/api/visits/{visit_id}/cancel", {"id": 6})
    assert (values.of("visit_id"), values.of("visit_id", 1)) == (6, 4)
    body = {"visit_id": 1, "barber_id": "nobody's", "name": "x"}
    assert values.put_into(body, all_fields=False) == {**body, "visit_id": 6}
    assert values.filled({"a": "{visit_id}", "b": "no {unknown}", "c": ["{shop}!"]}) == {
        "a": 6,
        "b": "no {unknown}",
        "c": ["main!"],
    }


# -- the item --------------------------------------------------------------------------------------

RUN = OperationRun("GET /pets", 4, {200: 3, 422: 1}, True, True, 5.0, "", (), (), "")
CHECKS = Suites(SUITES)


def judged(*runs: OperationRun, **changes: Any) -> str:
    whole: dict[str, Any] = {
        "tag": "v2.0.0",
        "document": len(runs),
        "registered": len(runs),
        "as_running": (),
        "rows_percent": {"pets": 100.0},
        "unmasked": 0,
        "operations": runs,
        "elsewhere": {},
    }
    claim = CHECKS.judged("D-11.3.1", api_run=ApiRun(**(whole | changes)))
    return "" if claim is None else claim.subject


def changed(**changes: Any) -> OperationRun:
    names = ("operation", "calls", "statuses", "succeeded", "refused", "p95_ms", "last")
    known = {n: getattr(RUN, n) for n in names} | {"failures": (), "violations": ()}
    return OperationRun(**({**known, "anonymous": ""} | changes))


def test_a_run_in_order_is_green_and_each_clause_breaks_it() -> None:
    assert judged(RUN) == ""
    assert judged(RUN, as_running=("info title is another",)) == "differences on the copy"
    assert judged(RUN, registered=2) == "operations documented, where registered are"
    assert judged(RUN, document=2, registered=2) == "operations run"
    assert judged(RUN, rows_percent={"pets": 89.0}) == "rows of the copy"
    assert judged(RUN, unmasked=1) == "rows not masked"
    assert judged(changed(succeeded=False)) == "operations without a success"
    assert judged(changed(succeeded=False), elsewhere={"GET /pets": "D-1.1.1"}) == ""
    assert judged(changed(refused=False)) == "operations never refused"
    assert judged(changed(failures=("GET /pets: 500",))) == "answers 5xx"
    assert judged(changed(violations=("GET /pets: 200",))) == "answers against their schema"
    assert judged(changed(anonymous="answers 200")) == "operations open to anybody"
    assert judged() != ""


@pytest.mark.parametrize("key", ["registered", "rows_percent", "unmasked"])
def test_what_could_not_be_looked_at_is_not_green(key: str) -> None:
    assert judged(RUN, **{key: Unseen(ProbeError("it", "no answer"))}) != ""
