from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import balancer
from rehearsal.parts.traffic.hosts import ORIGIN_HOST, authority
from tests.rehearsal.lone_parts import Answer, reload, running, stand_in


class World:
    def __init__(self, r: Rehearsal, process: subprocess.Popen[bytes]) -> None:
        self.r, self.process = r, process
        self.trust = ssl.create_default_context(cafile=str(authority(r).root))
        self.http = httpx.Client(verify=self.trust, trust_env=False)

    def get(self, **headers: str) -> httpx.Response:
        return self.http.get(
            f"https://127.0.0.1:{self.r.port('balancer')}/", headers=headers, timeout=5
        )

    def handshake(self, *protocols: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        context = context or self.trust
        context.set_alpn_protocols(list(protocols))
        raw = socket.create_connection(("127.0.0.1", self.r.port("balancer")), timeout=5)
        return context.wrap_socket(raw, server_hostname=ORIGIN_HOST)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    r = Rehearsal(tmp_path_factory.mktemp("balancer"))

    def instance(name: str) -> None:
        def answer(request: BaseHTTPRequestHandler) -> Answer:
            seen = {"instance": name, "client": request.headers.get_all("X-Forwarded-For")}
            return 200, {"Content-Type": "application/json"}, json.dumps(seen).encode()

        stack.enter_context(stand_in(r.port(name), answer))

    with ExitStack() as stack:
        instance("app-1")
        instance("app-2")
        yield World(r, stack.enter_context(running(r, balancer)))


def test_requests_are_shared_between_both_instances(world: World) -> None:
    seen = Counter(world.get().json()["instance"] for _ in range(20))
    assert seen == {"app-1": 10, "app-2": 10}


def test_a_forged_client_address_is_overwritten(world: World) -> None:
    assert world.get(**{"X-Forwarded-For": "203.0.113.9"}).json()["client"] == ["127.0.0.1"]


def test_http_is_redirected_to_https_with_path_and_query(world: World) -> None:
    answer = httpx.get(f"http://127.0.0.1:{world.r.port('balancer-http')}/a?b=1", trust_env=False)
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://127.0.0.1:{world.r.port('balancer')}/a?b=1"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_http_2_is_spoken_and_tls_1_1_is_not(world: World) -> None:
    with world.handshake("h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"
    old = ssl.create_default_context(cafile=str(authority(world.r).root))
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        world.handshake(context=old)


def test_the_stats_socket_and_the_metrics_tell_the_servers(world: World) -> None:
    assert balancer.servers(world.r) == {"app-1": "UP", "app-2": "UP"}
    metrics = httpx.get(
        f"http://127.0.0.1:{world.r.port('balancer-metrics')}/metrics", trust_env=False
    ).text
    assert 'haproxy_server_status{proxy="app",server="app-1",state="UP"} 1' in metrics


def reloaded(
    r: Rehearsal, process: subprocess.Popen[bytes], is_through: Callable[[], bool]
) -> None:
    """Reload, once more where the signal met HAProxy still handing over after the last one."""
    for _ in range(5):
        reload(r, balancer, process)
        with suppress(RehearsalError):
            r.wait("the reload is through", is_through, within_s=10)
            return
    pytest.fail("no reload got through")


def test_overridden_settings_take_effect_by_reload_and_go_away_again(world: World) -> None:
    r, process = world.r, world.process
    r.override("balancer", servers=["app-2"], trust_forwarded_for=True, full_chain=False)
    reloaded(r, process, lambda: set(balancer.servers(r)) == {"app-2"})
    world.http.close()
    world.http = httpx.Client(verify=world.trust, trust_env=False)
    with pytest.raises(httpx.ConnectError, match="unable to get local issuer"):
        world.get()
    r.clear_override("balancer")
    reloaded(r, process, lambda: len(balancer.servers(r)) == 2)
    assert world.get().status_code == 200


def test_the_configuration_passes_haproxys_own_check(world: World) -> None:
    config: Path = balancer.config(world.r)
    world.r.tool("haproxy", "-c", "-f", str(config))
