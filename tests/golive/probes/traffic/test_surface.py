"""What of the product can be met: paths by class, routes, endpoints, and plain HTTP over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.traffic.plain_http import PlainHttp, plain_http
from golive.probes.traffic.surface import (
    Parameter,
    Route,
    Surface,
    endpoint_of,
    is_own,
    routes_of,
    surface,
)
from golive.verdicts import Unseen
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example/v2"}],
    "components": {"parameters": {"day": {"name": "day", "in": "query", "required": True,
                                          "schema": {"type": "string", "format": "date"}}}},
    "paths": {
        "/things": {"get": {"parameters": [{"name": "limit", "in": "query"}]}, "post": {}},
        "/things/{id}": {"parameters": [ID], "get": {}},
        "/slots": {"get": {"parameters": [{"$ref": "#/components/parameters/day"}]}},
        "/kinds/{kind}": {
            "get": {"parameters": [{"name": "kind", "in": "path", "schema": {"enum": ["a/b"]}}]}
        },
        "/signed": {"get": {"parameters": [{"name": "X-Sign", "in": "header", "required": True}]}},
        "/events": {"get": {"responses": {"200": {"content": {"text/event-stream": {}}}}}},
        "/home": {"get": {"responses": {"200": {"content": {"text/html": {}}}}}},
        "/login": {"post": {}},
    },
}  # fmt: skip


def test_the_routes_that_get_is_for_are_read() -> None:
    found = {r.path: r for r in routes_of(DOCUMENT)}
    today = f"{datetime.now(UTC):%F}"
    assert found == {
        "/v2/things": Route("/v2/things", (), False),
        "/v2/things/{id}": Route("/v2/things/{id}", (Parameter("id", "path", ""),), False),
        "/v2/slots": Route("/v2/slots", (Parameter("day", "query", today),), False),
        "/v2/kinds/{kind}": Route("/v2/kinds/{kind}", (Parameter("kind", "path", "a/b"),), False),
        "/v2/signed": Route("/v2/signed", (Parameter("X-Sign", "header", ""),), False),
        "/v2/events": Route("/v2/events", (), True),
    }
    assert found["/v2/kinds/{kind}"].address(lambda p: p.value) == "/v2/kinds/a%2Fb"
    assert found["/v2/slots"].address(lambda _: "1 2") == "/v2/slots?day=1%202"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"example": 7}, "7"),
        ({"examples": {"one": {"value": "x"}}}, "x"),
        ({"schema": {"default": False}}, "false"),
        ({"schema": {"type": "boolean"}}, "false"),
        ({"schema": {"examples": ["e"]}}, "e"),
        ({"schema": {"type": "string"}}, ""),
        ({}, ""),
    ],
)
def test_values_that_a_document_names(parameter: dict[str, Any], value: str) -> None:
    needed = {"name": "p", "in": "query", "required": True, **parameter}
    (route,) = routes_of({"paths": {"/a": {"get": {"parameters": [needed]}}}})
    assert route.parameters == (Parameter("p", "query", value),)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://www.example/a", "www.example:443"),
        ("wss://ws.example:8443/live", "ws.example:8443"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("http://www.example/", ""),
        ("https://*.example/", ""),
        ("/local", ""),
    ],
)
def test_endpoints_that_speak_tls(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint


def test_siblings_of_declared_hosts_are_the_products_own(env_with: EnvWith) -> None:
    def own(declared: str, *hosts: str) -> list[bool]:
        env = env_with(edge={"hosts": [declared]}, application={"url": "http://127.0.0.1:1"})
        return [is_own(env, host) for host in hosts]

    assert own("www.example.com", "api.example.com", "example.com", "other.com") == [
        True,
        False,
        False,
    ]
    assert own("example.com", "api.example.com", "other.com") == [False, False]
    assert own("shop.co.uk", "shop.co.uk", "other.co.uk") == [True, False]
    assert own("www.shop.co.uk", "api.shop.co.uk") == [True]
    assert own("10.0.0.1", "10.0.0.1", "11.0.0.1") == [True, False]


@pytest.fixture
def site() -> Iterator[Service]:
    with answering() as service:
        yield service


def product(env_with: EnvWith, site: Service, paths: dict[str, Any], **changes: Any) -> Environment:
    nowhere: dict[str, Any] = {"hosts": [], "nodes": []}
    application = {"url": site.url, "paths": paths | changes}
    return env_with(
        application=application,
        balancer={"url": site.url, "http_url": site.url},
        edge=nowhere | {"assets_from": "/pages"},
    )


def test_classes_come_from_what_is_declared_and_served(
    env_with: EnvWith, site: Service, paths: dict[str, Any]
) -> None:
    port = site.url.rpartition(":")[2]
    page = f"""<script src="/app.js"></script><link rel=stylesheet href="/app.css">
      <a href="https://127.0.0.1:{port}/x"></a><a href="https://elsewhere.example/">y</a>"""
    site.says("/pages", page.encode(), Content_Security_Policy="connect-src wss://127.0.0.1:7443;")
    site.says("/payment", b"pay")
    site.says("/app.js", b'const api = "https://127.0.0.1:9443/v2";')
    site.says("/api_document", DOCUMENT)
    found = surface(product(env_with, site, paths))
    assert found.paths["page"] == ("/pages", "/payment", "/signed_in_pages")
    assert found.paths["health"] == ("/health", "/health_detailed")
    assert found.paths["static"] == ("/app.js", "/app.css")
    assert {"/login", "/never_cached", "/v2/things", "/v2/things/0"} <= set(found.paths["API"])
    assert found.classes == "13 of API, 2 of health, 3 of page, 2 of static"
    assert not isinstance(found.routes, Unseen)
    assert len(found.routes) == 6
    assert found.named == {
        f"127.0.0.1:{port}": "/pages",
        "127.0.0.1:7443": "/pages",
        "127.0.0.1:9443": "/pages",
    }


def test_a_product_without_a_class_lacks_it(env_with: EnvWith, site: Service) -> None:
    nowhere: dict[str, Any] = {"hosts": [], "nodes": []}
    bare = surface(env_with(application={"url": site.url, "paths": {}}, edge=nowhere))
    assert bare.paths == {"page": ("/",)}
    assert isinstance(bare.routes, Unseen)  # whether there is a document is not declared
    site.says("/pages", b"<p>nothing to load</p>")
    lean = surface(product(env_with, site, {"health": "/health", "api_document": ""}))
    assert lean.paths == {"health": ("/health",)}
    assert (lean.routes, lean.named) == ((), {})


def test_what_does_not_answer_is_unseen(
    env_with: EnvWith, site: Service, paths: dict[str, Any]
) -> None:
    found = surface(product(env_with, site, paths))
    assert isinstance(found.classes, Unseen)
    assert isinstance(found.named, Unseen)
    assert isinstance(found.routes, Unseen)
    assert "status 404, and no OpenAPI document" in str(found.routes.error)
    assert found.paths["health"] == ("/health", "/health_detailed")  # which is declared


def test_a_document_may_be_a_file(
    env_with: EnvWith, site: Service, paths: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "api.json"
    file.write_text('{"paths": {"/a": {"get": {}}}}')
    env = product(env_with, site, paths, api_document=f"file:{file}")
    assert surface(env).routes == (Route("/a", (), False),)
    file.write_text('{"paths": []}')
    broken = surface(env).routes
    assert isinstance(broken, Unseen)
    assert "it is no OpenAPI document" in str(broken.error)
    file.write_text("not JSON")
    assert isinstance(surface(env).routes, Unseen)


def test_every_path_is_asked_for_at_every_address(
    env_with: EnvWith, site: Service, paths: dict[str, Any]
) -> None:
    with answering() as other:
        for one in (site, other):
            for path in ("/", "/api/a", "/app.css"):
                one.says(path, b"", 301, Location=f"https://www.example{path}")
        other.says("/api/a", b"[]")
        other.says("/app.css", b"", 301, Location="http://www.example/app.css")
        nodes = [
            {"name": f"edge-{n}", "host": "127.0.0.1", "http_port": int(u.rpartition(":")[2])}
            for n, u in ((1, site.url), (2, other.url))
        ]
        env = env_with(
            edge={"hosts": ["www.example"], "nodes": nodes},
            balancer={"http_url": "http://127.0.0.1:1"},
        )
        classes: dict[str, tuple[str, ...]]
        classes = {"page": ("/",), "API": ("/api/a",), "static": ("/app.css",)}
        found = plain_http(env, Surface(classes, "1 of each", (), {}))
    assert isinstance(found.edge, PlainHttp)
    assert found.edge.open == (
        "/api/a (API) of www.example on edge-2: status 200 to nowhere",
        "/app.css (static) of www.example on edge-2: status 301 to http://www.example/app.css",
    )
    assert found.edge.requests == 6
    assert found.edge.sent_to == ("www.example:443",)
    assert isinstance(found.balancer, Unseen)  # which is no matter of the edge's
    assert found.classes == "1 of each"
