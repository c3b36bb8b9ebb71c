"""The API's document as small servers tell it: other formats, missing parts, dead places."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from golive.environments import Environment
from golive.probes.traffic.api_document import ApiDocument, Links, api_document
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.traffic.test_api_breaking import DOCUMENT, Json, changed, get, visit
from tests.rehearsal.app.test_app import _free_port
from tests.rehearsal.lone_parts import stand_in

EnvWith = Callable[..., Environment]
ROUTES = [
    {"method": "GET", "path": "/visits"},
    {"method": "post", "path": "/visits", "secured": True},
    {"method": "DELETE", "path": "/visits/<int:pk>"},
    {"method": "GET", "path": "/"},
    {"method": "GET", "path": "/admin/people"},
]
GUIDE = '<a href="/more.html#there">more</a> <a href="mailto:a@example.com">mail</a>'
MORE = '<h2 id="there">There</h2> <a href="/guide">back</a>'


class Site:
    """One server for everything: documents, guide, API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, tuple[int, str, str]] = {
            "/openapi.json": (200, "application/json", json.dumps(DOCUMENT)),
            "/published.json": (200, "application/json", json.dumps(DOCUMENT)),
            "/before.json": (200, "application/json", json.dumps(DOCUMENT)),
            "/changes.md": (200, "text/plain", "## 2.0.0\n\n- notes\n"),
            "/guide": (200, "text/html", GUIDE),
            "/more.html": (200, "text/html", MORE),
            "/visits": (200, "application/json", "[]"),
        }

    def answer(self, handler: Any) -> tuple[int, dict[str, str], bytes]:
        status, kind, text = self.pages.get(handler.path, (404, "text/plain", "nothing"))
        return status, {"Content-Type": kind}, text.encode()

    def tell(self, path: str, document: Any) -> None:
        self.pages[path] = (200, "application/json", json.dumps(document))


@pytest.fixture
def site() -> Iterator[Site]:
    port = _free_port()
    made = Site(port)
    with stand_in(port, made.answer):
        yield made


@pytest.fixture
def look(env_with: EnvWith, site: Site, paths: Json, tmp_path: Path) -> Callable[..., ApiDocument]:
    def of(
        routes: Any = ROUTES, repository: str = "", instances: bool = True, **api: Any
    ) -> ApiDocument:
        printed = tmp_path / "routes.json"
        printed.write_text(json.dumps({"routes": routes}))
        table = {
            "published": f"{site.url}/published.json",
            "previous": f"{site.url}/before.json",
            "changelog": f"{site.url}/changes.md",
            "documentation": [f"{site.url}/guide"],
            "routes_command": ["cat", str(printed)],
            "undocumented": ["/admin/*"],
            **api,
        }
        served = [{"name": n, "url": site.url} for n in ("one", "two")]
        env = env_with(
            application={
                "url": site.url,
                **({"instances": served} if instances else {}),
                "paths": {**paths, "api_document": "/openapi.json", "pages": ["/"]},
            },
            api={k: v for k, v in table.items() if v is not None},
            release={"tag": "v2.0.0", "previous_tag": "v1.9.0", "repository": repository},
        )
        return api_document(env)

    return of


def test_a_document_in_order_has_no_finding(look: Callable[..., ApiDocument]) -> None:
    found = look()
    findings = {f.name: getattr(found, f.name) for f in fields(found)}
    empty = {n for n, v in findings.items() if v == ()}
    assert empty == {
        *("of_its_own", "published", "flaws", "untold", "imagined", "without_summary"),
        *("security", "parameters", "successes", "errors", "wrong_examples", "unlisted"),
    }
    assert (found.operations, found.registered, found.examples, found.compared) == (3, 3, 1, 3)
    assert found.links == Links(2, (), None)
    assert found.before == ""  # its version is 1, whatever the release is called
    assert found.is_of_before is True


def test_a_published_document_may_be_yaml_and_where_it_is_served_is_no_matter(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    text = yaml.safe_dump({**DOCUMENT, "servers": [{"url": "https://api.example.test"}]})
    site.pages["/published.json"] = (200, "application/yaml", text)
    assert look().published == ()
    text = text.replace("title: Visits", "title: Calls")
    site.pages["/published.json"] = (200, "application/yaml", text)
    assert look().published == ("info title is another",)


def test_routes_are_joined_with_the_document_both_ways(look: Callable[..., ApiDocument]) -> None:
    found = look([*ROUTES[:2], {"method": "PUT", "path": "/visits/<int:pk>"}])
    assert found.untold == ("PUT /visits/<int:pk>",)
    assert found.imagined == ("DELETE /visits/{id}",)
    secured = look([{"method": "GET", "path": "/visits", "secured": True}])
    assert secured.security == (
        "GET /visits: the document tells of open to all, the application of the contrary",
    )


def test_a_base_path_of_the_server_belongs_to_the_routes(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    based = {**DOCUMENT, "servers": [{"url": f"{site.url}/api"}]}
    site.tell("/openapi.json", based)
    for prefix in ("/api", ""):
        some: Any = ROUTES[:3]
        routes = [{**r, "path": prefix + r["path"]} for r in some]
        found = look(routes)
        assert (found.untold, found.imagined) == ((), ())


def test_what_answers_401_to_anybody_is_not_open(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    site.pages["/visits"] = (401, "application/json", "{}")
    found = look(ROUTES[:3])
    assert found.security == ("GET /visits: open by the document, and answers 401 to anybody",)


def test_a_break_is_looked_up_in_the_changelog(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    site.tell(
        "/openapi.json",
        changed(
            lambda d: visit(d)["properties"].pop("notes"),
            lambda d: visit(d)["properties"].pop("of"),
        ),
    )
    found = look()
    assert found.listed == 1
    assert isinstance(found.unlisted, tuple)
    assert [str(b) for b in found.unlisted] == [
        "GET /visits and 1 more: answer field of of Visit is gone"
    ]


def test_documents_of_releases_may_stand_in_the_repository(
    look: Callable[..., ApiDocument], tmp_path: Path
) -> None:
    repository = tmp_path / "release"
    repository.mkdir()
    (repository / "openapi.json").write_text(json.dumps(DOCUMENT))
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["tag", "v1.9.0"]):
        subprocess.run([*git, *words], check=True)
    found = look(repository=str(repository), previous="git:openapi.json")
    assert (found.compared, found.unlisted) == (3, ())
    lost = look(repository=str(repository), previous="git:elsewhere.json").compared
    assert isinstance(lost, Unseen)
    assert lost.error.subject.startswith("elsewhere.json at v1.9.0")


def test_links_are_followed_over_the_pages_of_a_site_with_their_fragments(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    site.pages["/more.html"] = (200, "text/html", '<h2 id="here"></h2><a href="gone.html">g</a>')
    told = changed(
        lambda d: get(d).update(description=f"See [the guide]({site.url}/guide) or {site.url}/no."),
        lambda d: d.update(externalDocs={"url": f"{site.url}/lost"}),
    )
    site.tell("/openapi.json", told)
    links = look().links
    assert isinstance(links, Links)
    assert sorted(text.partition("/")[2].partition("/")[2] for text in links.broken) == sorted(
        text.replace("URL", site.url).partition("/")[2].partition("/")[2]
        for text in (
            "URL/more.html, in URL/guide: there is no #there",
            "URL/gone.html, in URL/more.html: status 404",
            "URL/no, in the API document: status 404",
            "URL/lost, in the API document: status 404",
        )
    )


def test_a_link_to_a_site_that_cannot_be_reached_is_unseen_and_one_of_our_own_is_broken(
    look: Callable[..., ApiDocument], site: Site
) -> None:
    site.pages["/guide"] = (200, "text/html", '<a href="http://elsewhere.invalid/">there</a>')
    links = look().links
    assert isinstance(links, Links)
    assert links.broken == ()
    assert links.unseen is not None
    dead = f"http://127.0.0.1:{_free_port()}/"
    site.pages["/guide"] = (200, "text/html", f'<a href="{dead}">there</a>')
    links = look().links
    assert isinstance(links, Links)
    assert len(links.broken) == 1


@pytest.mark.parametrize(
    ("api", "unseen"),
    [
        ({"published": None}, {"published"}),
        ({"previous": None}, {"compared_with", "compared", "unlisted", "listed"}),
        ({"routes_command": None}, {"registered", "untold", "imagined"}),
        (
            {"routes_command": [sys.executable, "-c", "exit(3)"]},
            {"registered", "untold", "imagined"},
        ),
        (
            {"routes_command": ["echo", "[]"]},
            {"registered", "untold", "imagined"},
        ),
    ],
)
def test_what_is_not_declared_hides_nothing_else(
    look: Callable[..., ApiDocument], api: Json, unseen: set[str]
) -> None:
    found = look(**api)
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    assert {n for n, v in values.items() if isinstance(v, Unseen)} - {"links"} == unseen


def test_where_no_instance_is_declared_the_public_url_tells_the_document(
    look: Callable[..., ApiDocument],
) -> None:
    found, with_instances = look(instances=False), look()
    assert isinstance(found.of_its_own, Unseen)
    assert "instances" in str(found.of_its_own.error)
    assert replace(found, instances=2, of_its_own=()) == with_instances


@pytest.mark.parametrize("text", ["no json: [", "[]", "{}", '{"openapi": "3.1.0"}'])
def test_a_document_that_is_none_could_not_be_looked_at(
    look: Callable[..., ApiDocument], site: Site, text: str
) -> None:
    site.pages["/openapi.json"] = (200, "application/json", text)
    with pytest.raises(ProbeError):
        look()
