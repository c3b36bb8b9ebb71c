"""Routes of the API document at an edge that keeps some of their answers."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.traffic.api_caching import ApiCaching, RouteLook, api_caching
from golive.probes.traffic.surface import Parameter, Route, Surface
from golive.verdicts import ProbeError, Unseen
from rehearsal.parts.traffic.certificates import Authority

EnvWith = Callable[..., Environment]
Answer = tuple[int, dict[str, str], Any]

A, B = "a@example.com", "b@example.com"
HOST = "www.example.test"
ID = Parameter("thing_id", "path", "")
ROUTES = (
    Route("/me", (), False),
    Route("/things", (), False),
    Route("/things/{thing_id}", (ID,), False),
    Route("/things/{thing_id}/owner", (ID,), False),
    Route("/clock", (), False),
    Route("/public", (), False),
    Route("/staff", (), False),
    Route("/verify", (Parameter("token", "query", ""),), False),
    Route("/events", (), True),
    Route("/signed", (Parameter("X-Sign", "header", "s"),), False),
    Route("/erase", (), False),
)


class Origin:
    """Answers by path and by whoever asks; counts."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, path: str, who: str) -> Answer:
        self.asked += 1
        if path == "/clock":
            return 200, {}, {"n": self.asked}
        if path == "/public":
            return 200, {}, ["the same"]
        if path == "/staff" or not who:
            return 403 if who else 401, {}, {}
        things = {A: ["1"], B: ["2"]}[who]
        if path == "/me":
            return 200, {}, {"email": who}
        if path == "/things":
            return 200, {}, {"things": [{"id": t} for t in things]}
        if path.split("/")[2] in things:
            return 200, {}, {"thing": path, "of": who}
        return 404, {}, {}


class Cache:
    """An edge in front of an origin that keeps some paths whoever asks."""

    def __init__(self, origin: Origin, *kept: str, hidden: bool = False) -> None:
        self.origin, self.paths, self.hidden = origin, kept, hidden
        self.store: dict[str, Answer] = {}

    def answer(self, path: str, who: str) -> Answer:
        if path not in self.paths:
            status, _, body = self.origin.answer(path, who)
            return status, {"X-Cache": "MISS"}, body
        if path in self.store:
            status, _, body = self.store[path]
            return status, {} if self.hidden else {"X-Cache": "HIT"}, body
        found = self.origin.answer(path, who)
        if found[0] == 200:
            self.store[path] = found
        return found[0], {"X-Cache": "MISS"}, found[2]


@contextmanager
def served(answer: Callable[[str, str], Answer], authority: Authority | None) -> Iterator[int]:
    """A server whose accounts' tokens are their names; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            who = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._say(*answer(self.path, who))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(200, {}, {"access_token": document["email"]})

        def _say(self, status: int, headers: dict[str, str], document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing that a test reads."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        if authority is not None:
            issued = authority.issue("edge", [HOST])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(issued.chain, issued.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:  # else its thread would ask a closed socket, again and again, to the end
            server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def look(
    env_with: EnvWith, authority: Authority, paths: dict[str, Any]
) -> Callable[..., ApiCaching]:
    def of(cache: Cache, routes: Any = ROUTES, **edge: Any) -> ApiCaching:
        with served(cache.origin.answer, None) as origin, served(cache.answer, authority) as port:
            accounts = [{"email": e, "password": {"env": "GOLIVE_TEST_SECRET"}} for e in (A, B)]
            node = {"name": "edge-1", "host": "127.0.0.1", "port": port}
            env = env_with(
                application={"paths": {**paths, "not_asked": ["/erase"]}, "accounts": accounts},
                balancer={"url": f"http://127.0.0.1:{origin}"},
                edge={"hosts": [HOST], "nodes": [node], **edge},
                tls={"ca_file": str(authority.root), "endpoints": []},
            )
            return api_caching(env, Surface({}, "", routes, {}))

    return of


def test_every_route_that_can_be_asked_is_and_the_others_are_told(
    look: Callable[..., ApiCaching],
) -> None:
    found = look(Cache(Origin()))
    assert [str(r) for r in found.unasked] == [
        "/staff (answers 401 and 403)",
        "/verify (no value for token)",
        "/events (its answer never ends)",
        "/signed (it needs X-Sign, which is no part of an address)",
        "/erase (left out by application.paths.not_asked)",
    ]
    assert found.looked_at.startswith("6 of 11 GET routes; not /staff (answers 401 and 403), ")
    assert found.answers == 6 * 5  # two rounds of two accounts, and nobody
    assert (found.kept, found.leaked) == ((), ())
    assert isinstance(found.coverage(80), Unseen)
    assert found.coverage(50) == found.looked_at


@pytest.mark.parametrize("path", ["/me", "/things", "/things/1", "/things/1/owner"])
def test_a_route_that_is_kept_shows_whoever_asks(
    look: Callable[..., ApiCaching], path: str
) -> None:
    found = look(Cache(Origin(), path))
    route = path.replace("1", "{thing_id}")
    assert f"{route} to {B} at {HOST} on edge-1 (HIT, 0 s old)" in found.kept
    assert f"{route} to {B} at {HOST} on edge-1 ({A}'s)" in found.leaked
    assert f"{route} to anonymous at {HOST} on edge-1 ({A}'s)" in found.leaked


def test_what_is_kept_in_secret_shows_by_its_body(look: Callable[..., ApiCaching]) -> None:
    found = look(Cache(Origin(), "/things", hidden=True))
    assert found.kept == ()
    assert [text.partition(" at ")[0] for text in found.leaked] == [
        f"/things to {B}",
        "/things to anonymous",
    ]


def test_what_is_the_same_for_all_or_changes_is_nobodys(look: Callable[..., ApiCaching]) -> None:
    found = look(Cache(Origin(), "/public", "/clock"))
    assert found.leaked == ()
    assert {text.partition(" ")[0] for text in found.kept} == {"/public", "/clock"}
    shared = look(Cache(Origin(), "/public"), shared_routes=["/public"])
    assert shared.kept == ()


def test_a_host_that_does_not_serve_the_api_may_keep_its_error_page(
    look: Callable[..., ApiCaching],
) -> None:
    class Elsewhere(Cache):
        def answer(self, path: str, who: str) -> Answer:
            return 404, {"X-Cache": "HIT", "Content-Type": "text/html"}, "no such page"

    assert look(Elsewhere(Origin())).kept == ()


def test_without_a_document_the_declared_paths_are_asked(
    look: Callable[..., ApiCaching], paths: dict[str, Any]
) -> None:
    paths["never_cached"] = ["/me", "/things"]
    found = look(Cache(Origin(), "/me"), ())
    assert found.routes == (RouteLook("/me", ""), RouteLook("/things", ""))
    assert found.leaked


def test_an_api_that_answers_nobody_is_told(look: Callable[..., ApiCaching]) -> None:
    with pytest.raises(ProbeError, match=r"none of its 1 GET routes .*/staff: answers 401 and 403"):
        look(Cache(Origin()), (Route("/staff", (), False),))


def test_a_document_that_was_not_seen_is_told(look: Callable[..., ApiCaching]) -> None:
    lost = Unseen(ProbeError("the API document", "status 404"))
    with pytest.raises(ProbeError, match="status 404"):
        look(Cache(Origin()), lost)


def test_too_little_is_told_with_what_is_missing() -> None:
    found = ApiCaching((RouteLook("/a", ""), RouteLook("/b", "answers 403")), (), 5, (), ())
    assert found.coverage(50) == "1 of 2 GET routes; not /b (answers 403)"
    assert isinstance(found.coverage(51), Unseen)
    assert replace(found, routes=found.routes[:1]).coverage(100) == "1 of 1 GET routes"
