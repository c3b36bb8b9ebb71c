"""What pages load, in real Chromium from small servers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from golive.environments import Environment
from golive.probes.traffic.assets import frontend_assets, waste_percent
from golive.verdicts import ProbeError
from rehearsal.data import frontend
from rehearsal.kernel.binaries import find
from tests.golive.probes.answering import Service, answering

SCRIPT = "export function greet(name) {\n    // says hello\n    return `Hello ${name}`;\n}\n" * 40
KEPT = "public, max-age=31536000, immutable"


@pytest.fixture
def shop() -> Iterator[Service]:
    with answering() as service:
        yield service


@pytest.fixture
def env(shop: Service, env_with: Callable[..., Environment]) -> Environment:
    found = find("chromium")
    env = env_with(
        browser={"program": str(found.path), "variables": dict(found.environment)},
        application={"url": shop.url},
        edge={"hosts": [], "nodes": []},
    )
    return with_pages(env, "/")


def with_pages(env: Environment, *pages: str, signed_in: tuple[str, ...] = ()) -> Environment:
    paths = msgspec.structs.replace(
        env.application.paths, pages=list(pages), signed_in_pages=list(signed_in)
    )
    application = msgspec.structs.replace(env.application, paths=paths)
    return msgspec.structs.replace(env, application=application)


def page(shop: Service, text: str, path: str = "/") -> None:
    shop.says(path, f"<!doctype html>{text}".encode(), Content_Type="text/html")


def script(shop: Service, path: str, text: str, **headers: str) -> None:
    shop.says(path, text.encode(), 200, Content_Type="text/javascript", **headers)


def test_what_scripts_fetch_is_an_asset_and_what_others_serve_only_weighs(
    env: Environment, shop: Service
) -> None:
    with answering() as other:
        script(other, "/v3/", "x" * 3000)
        own = "const s = document.createElement('script'); s.src = '/more.3f9a1c2b.js';"
        script(shop, "/app.3f9a1c2b.js", own + "document.body.append(s);", Cache_Control=KEPT)
        script(shop, "/more.3f9a1c2b.js", "1;", Cache_Control="no-cache")
        own_one = "<script src='/app.3f9a1c2b.js' defer></script>"
        # Another port of this machine is another origin, but the same host: named otherwise.
        theirs = other.url.replace("127.0.0.1", "localhost")
        page(shop, f"<body>{own_one}<script src='{theirs}/v3/'></script>")
        found = frontend_assets(env)
    assert [a.url.rpartition("/")[2] for a in found.assets] == [
        "app.3f9a1c2b.js",
        "more.3f9a1c2b.js",
    ]
    (one,) = found.pages
    assert one.script_kb >= 3.0
    assert one.weight_kb > one.script_kb
    assert found.not_kept(31_536_000) == ["/more.3f9a1c2b.js on the site (no-cache)"]
    assert found.failing == []


def test_source_maps_are_found_where_they_are_named_and_beside_the_script(
    env: Environment, shop: Service
) -> None:
    script(shop, "/a.js", "1;\n//# sourceMappingURL=maps/a.json")
    script(shop, "/b.js", "1;")
    script(shop, "/c.js", "1;\n//# sourceMappingURL=data:application/json;base64,e30=")
    script(shop, "/d.js", "1;")
    shop.says("/maps/a.json", {"version": 3, "mappings": "AAAA"})
    shop.says("/b.js.map", {"version": 3, "mappings": "AAAA"})
    page(shop, "not found", "/d.js.map")  # as sites do that answer everything with their page
    page(shop, "".join(f"<script src='/{name}.js'></script>" for name in "abcd"))
    found = frontend_assets(env)
    assert set(found.maps) == {
        "/maps/a.json on the site",
        "/b.js.map on the site",
        "/c.js (inside it) on the site",
    }


def test_a_page_that_is_not_there_or_sends_elsewhere_is_not_looked_at(
    env: Environment, shop: Service
) -> None:
    page(shop, "here")
    with pytest.raises(ProbeError, match="/gone: status 404"):
        frontend_assets(with_pages(env, "/", "/gone"))
    shop.says("/old", b"", 302, Location="/")
    with pytest.raises(ProbeError, match="it leads to /"):
        frontend_assets(with_pages(env, "/old"))
    with pytest.raises(ProbeError, match="none is declared"):
        frontend_assets(with_pages(env))


def test_what_is_compressed_is_told_by_the_servers_own_word(
    env: Environment, shop: Service
) -> None:
    packed: Any = gzip.compress(SCRIPT.encode())
    shop.says("/a.js", packed, Content_Type="text/javascript", Content_Encoding="gzip")
    script(shop, "/b.js", SCRIPT)
    page(
        shop,
        "<script src='/a.js' type='module'></script><script src='/b.js' type='module'></script>",
    )
    found = frontend_assets(env)
    # Chromium may load either first.
    told = sorted((a.encoding, a.size) for a in found.assets)
    assert told == [("", len(SCRIPT)), ("gzip", len(SCRIPT))]
    assert found.not_compressed(1000) == [f"/b.js on the site ({len(SCRIPT):,} bytes)"]


def test_how_much_of_a_script_is_for_people() -> None:
    assert waste_percent(SCRIPT) > 25
    assert waste_percent("/*! licence of\n * many lines */" + "a=1;" * 100) < 12
    assert waste_percent('const t="a text, with blanks : and more ; of them";') < 3
    sources = [p for p in frontend.SOURCE.rglob("*") if p.suffix in (".js", ".css")]
    assert len(sources) > 8
    for path in sources:
        assert waste_percent(frontend.minified(path.read_text())) < 6, path
    assert any(waste_percent(path.read_text()) > 12 for path in sources)
