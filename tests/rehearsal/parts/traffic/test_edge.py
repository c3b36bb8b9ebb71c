from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from itertools import count

import httpx
import pytest
from cryptography import x509

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import balancer
from rehearsal.parts.traffic.edge import Edge, nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, authority
from tests.rehearsal.lone_parts import Answer, reload, running, stand_in

serial = count()


def application(request: BaseHTTPRequestHandler) -> Answer:
    """Every answer is different, and belongs to whoever asked."""
    path = request.path.partition("?")[0]
    who = request.headers.get("Cookie", request.headers.get("Authorization", "nobody"))
    headers = {
        "/app.css": {"Cache-Control": "public, max-age=600, immutable"},
        "/": {"Cache-Control": "public, max-age=60"},
    }.get(path, {"Cache-Control": "private, no-store"})
    return 200, headers, f"{who} {next(serial)}".encode()


class World:
    def __init__(self, r: Rehearsal, processes: dict[str, subprocess.Popen[bytes]]) -> None:
        self.r, self.processes = r, processes

    def get(
        self, path: str, *, node: str = "edge-1", host: str = EDGE_HOSTS[0], **headers: str
    ) -> httpx.Response:
        trust = ssl.create_default_context(cafile=str(authority(self.r).root))
        url = f"https://127.0.0.1:{self.r.port(node)}{path}"
        with httpx.Client(verify=trust, trust_env=False) as client:
            return client.get(
                url,
                headers={"Host": host, **headers},
                extensions={"sni_hostname": EDGE_HOSTS[0]},
            )

    def serial_number(self, node: str) -> int:
        pem = ssl.get_server_certificate(("127.0.0.1", self.r.port(node)))
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    def reload(self, node: Edge) -> None:
        reload(self.r, node, self.processes[node.name])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    r = Rehearsal(tmp_path_factory.mktemp("edge"))
    with ExitStack() as stack:
        for instance in ("app-1", "app-2"):
            stack.enter_context(stand_in(r.port(instance), application))
        stack.enter_context(running(r, balancer))
        yield World(r, {node.name: stack.enter_context(running(r, node)) for node in nodes})


@pytest.mark.parametrize("host", EDGE_HOSTS)
@pytest.mark.parametrize("node", [node.name for node in nodes])
def test_every_node_serves_every_public_name(world: World, node: str, host: str) -> None:
    answer = world.get("/app.css", node=node, host=host)
    assert (answer.status_code, answer.headers["x-edge"]) == (200, node)


def test_an_asset_is_a_hit_from_the_second_request_on_even_with_a_session(world: World) -> None:
    path = f"/app.css?{next(serial)}"
    first, *others = [world.get(path, Cookie=f"session={n}") for n in range(3)]
    assert first.headers["x-cache"] == "MISS"
    assert [answer.headers["x-cache"] for answer in others] == ["HIT", "HIT"]
    assert {answer.text for answer in others} == {first.text}
    assert "session" not in first.text


def test_an_anonymous_public_page_is_cached_and_a_signed_in_one_is_not(world: World) -> None:
    path = f"/?{next(serial)}"
    assert [world.get(path).headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
    for who in ({"Cookie": "session=ana"}, {"Authorization": "Bearer ben"}):
        answer = world.get(path, **who)
        assert answer.headers["x-cache"] == "BYPASS"
        assert answer.text.startswith(next(iter(who.values())))


@pytest.mark.parametrize("path", ["/api/v2/appointments/", "/dashboard"])
def test_two_users_never_receive_each_others_answer(world: World, path: str) -> None:
    for _ in range(3):
        for who in ("session=ana", "session=ben"):
            answer = world.get(path, Cookie=who)
            assert answer.text.startswith(who)
            assert answer.headers["x-cache"] == "BYPASS"


def test_http_is_redirected_to_https(world: World) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{world.r.port('edge-2-http')}/a?b=1",
        headers={"Host": EDGE_HOSTS[1]},
        trust_env=False,
    )
    assert answer.status_code == 301
    assert answer.headers["location"] == (f"https://{EDGE_HOSTS[1]}:{world.r.port('edge-2')}/a?b=1")


def test_an_unknown_name_is_misdirected(world: World) -> None:
    assert world.get("/", host="www.example.test").status_code == 421


def test_a_private_path_cached_by_mistake_leaks_and_is_mended(world: World) -> None:
    node = nodes[0]
    world.r.override("edge-1", cached_paths=["/api/v2/appointments"])
    world.reload(node)

    def leaks() -> bool:
        path = f"/api/v2/appointments/?{next(serial)}"
        world.get(path, Cookie="session=ana")
        return world.get(path, Cookie="session=ben").text.startswith("session=ana")

    world.r.wait("one user receives the other's answer", leaks)
    world.r.clear_override("edge-1")
    world.reload(node)
    world.r.wait("it is private again", lambda: not leaks())


def test_ignoring_the_session_leaks_and_is_mended(world: World) -> None:
    node = nodes[1]
    world.r.override("edge-2", honour_session=False)
    world.reload(node)

    def leaks() -> bool:
        path = f"/dashboard?{next(serial)}"
        world.get(path, node="edge-2", Cookie="session=ana")
        return world.get(path, node="edge-2", Cookie="session=ben").text.startswith("session=ana")

    world.r.wait("one user receives the other's page", leaks)
    world.r.clear_override("edge-2")
    world.reload(node)
    world.r.wait("it is private again", lambda: not leaks())


def test_a_skipped_reload_leaves_one_node_with_the_old_certificate(world: World) -> None:
    first, second = nodes

    def new() -> int:
        leaf = authority(world.r).folder / "edge.pem"
        return x509.load_pem_x509_certificate(leaf.read_bytes()).serial_number

    old = world.serial_number("edge-2")
    assert world.serial_number("edge-1") == old
    world.r.override("edge", certificate_days=59)
    world.reload(first)
    world.r.wait("edge-1 serves the new one", lambda: world.serial_number("edge-1") != old)
    assert world.serial_number("edge-2") == old
    world.reload(second)
    # While nginx reloads, workers of before and after share the socket: one answer proves nothing.
    world.r.wait("both agree", lambda: {world.serial_number(n.name) for n in nodes} == {new()})
    assert new() != old
    world.r.clear_override("edge")


def test_the_configuration_passes_nginxs_own_check(world: World) -> None:
    config = nodes[0].config(world.r)
    world.r.tool("nginx", "-t", "-p", str(config.parent), "-e", "stderr", "-c", str(config))
