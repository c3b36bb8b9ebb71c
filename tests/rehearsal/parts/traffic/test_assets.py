"""The frontend's assets through real edge nodes, and each fault of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import pytest

from golive.environments import Environment, loader
from golive.masking import Mask
from golive.probes.traffic.assets import frontend_assets
from rehearsal import faults
from rehearsal.app import pages
from rehearsal.data import frontend
from rehearsal.faults.traffic import assets
from rehearsal.kernel.binaries import find
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import balancer
from rehearsal.parts.traffic.edge import nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, authority
from tests import checks
from tests.conftest import SECRET_VARIABLE, small_environment, toml
from tests.rehearsal.lone_parts import Answer, reload, running, stand_in

PATHS = ("/", "/login", "/book", "/help")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class World:
    """Edge and balancer in front of what stands in for two instances."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def application(self, request: BaseHTTPRequestHandler) -> Answer:
        path = request.path.partition("?")[0]
        if path in (*PATHS, "/health"):
            settings = SimpleNamespace(version="2.0.0", static=frontend.folder(self.r))
            template = pages._templates.get_template("home.html")
            named = {"asset": lambda name: pages.asset(settings.static, name)}
            text = template.render(user=None, settings=settings, **named)
            return 200, {"Content-Type": "text/html", "Cache-Control": "no-store"}, text.encode()
        file = frontend.folder(self.r) / path.removeprefix("/static/")
        if not path.startswith("/static/") or not file.is_file():
            return 404, {}, b""
        kept = "public, max-age=31536000, immutable"
        return 200, {"Content-Type": TYPES[file.suffix], "Cache-Control": kept}, file.read_bytes()

    def env(self) -> Environment:
        chromium = find("chromium")
        both = [{**self.r.node(n.name), "http_port": self.r.port(f"{n.name}-http")} for n in nodes]
        raw = small_environment(
            name="rehearsal",
            kind="rehearsal",
            time_limits={"connect": 5.0, "probe": 90.0, "drill": 90.0},
            browser={"program": str(chromium.path), "variables": dict(chromium.environment)},
            edge={"hosts": list(EDGE_HOSTS[:1]), "nodes": both},
            tls={"ca_file": str(authority(self.r).root), "endpoints": []},
        )
        raw["application"]["paths"] |= {"pages": list(PATHS), "signed_in_pages": []}
        path, product = self.r.path("small.toml"), self.r.path("product.toml")
        path.write_text(toml(raw), encoding="utf-8")
        product.write_text("", encoding="utf-8")
        return loader.load(path, product, self.r.folder, Mask())

    def broken(self) -> str:
        return checks.broken("D-12.1.2", {"frontend_assets": frontend_assets(self.env())})

    def restart(self, _: Rehearsal) -> None:
        """In place of the supervisor's restart."""
        for node in nodes:
            reload(self.r, node, self.processes[node.name])
        time.sleep(1.5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(Rehearsal(tmp_path_factory.mktemp("assets")))
    frontend.build(made.r)
    with ExitStack() as stack:
        for instance in ("app-1", "app-2"):
            stack.enter_context(stand_in(made.r.port(instance), made.application))
        stack.enter_context(running(made.r, balancer))
        for node in nodes:
            made.processes[node.name] = stack.enter_context(running(made.r, node))
        yield made


@pytest.fixture(autouse=True)
def alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "a secret of the test")
    monkeypatch.setattr(assets, "restart_edge", world.restart)


def test_assets_are_in_order(world: World) -> None:
    found: Any = frontend_assets(world.env())
    assert checks.broken("D-12.1.2", {"frontend_assets": found}) == ""
    assert len(found.pages) == len(PATHS)
    assert {a.node for a in found.assets} == {n.name for n in nodes}


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("assets-not-compressed-on-one-node", "texts not compressed"),
        ("source-map-published", "source maps anybody can read"),
        ("assets-kept-for-an-hour", "not kept for a year"),
        ("asset-missing", "assets not answered with 200"),
        ("scripts-not-minified", "not minified"),
        ("script-too-large", "initial scripts, compressed"),
        ("page-too-heavy", "page weight"),
        ("assets-without-digest", "without a digest in the address"),
    ],
)
def test_each_fault_of_assets_breaks_its_claim(world: World, fault: str, claim: str) -> None:
    faults.inject(world.r, fault)
    try:
        assert world.broken() == claim
    finally:
        faults.revert(world.r, fault)


def test_all_is_in_order_once_they_are_reverted(world: World) -> None:
    assert not faults.in_force(world.r)
    assert world.broken() == ""
