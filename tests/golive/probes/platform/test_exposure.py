"""Looks from outside: real listeners on loopback addresses that play networks."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from golive.environments import Environment, Zone
from golive.probes.platform import exposure
from golive.probes.platform.exposure import admin_interfaces, outside_scan
from golive.probes.transport.zones import Place, is_outside
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
PUBLIC, OUTSIDE, VPN = "127.0.0.2", "127.0.2.1", "127.0.3.1"


@pytest.fixture
def listen() -> Iterator[Callable[..., int]]:
    """Opens a listener at an address; its port."""
    with ExitStack() as opened:

        def open_(host: str = "127.0.0.1", port: int = 0) -> int:
            listener = opened.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
            return int(listener.getsockname()[1])

        yield open_


@pytest.fixture
def http() -> Iterator[Service]:
    with answering() as service:
        yield service


@pytest.fixture
def env(
    env_with: EnvWith, listen: Callable[..., int], monkeypatch: Any
) -> Callable[..., Environment]:
    def no_groups(_: Environment) -> Any:
        raise ProbeError("security groups", "not asked here")

    monkeypatch.setattr(exposure, "security_groups", no_groups)

    def make(redis_port: int, *, control: int | None = None, **network: Any) -> Environment:
        port = listen(PUBLIC) if control is None else control
        said = {
            "control": f"{PUBLIC}:{port}",
            "public_addresses": [PUBLIC],
            "outside": {"source": OUTSIDE},
            "vpn": {"source": VPN},
            "groups": [{"name": "app"}],
            "interfaces": [],
        }
        return env_with(
            network=said | network,
            redis={"nodes": [{"name": "redis-1", "host": "127.0.0.1", "port": redis_port}]},
        )

    return make


def test_what_listens_on_a_private_address_is_refused_outside(
    env: Callable[..., Environment], listen: Callable[..., int]
) -> None:
    found = outside_scan(env(listen()))
    assert found.is_connected
    assert found.open == ()
    assert found.tried >= 1


def test_what_listens_everywhere_is_told_with_its_name(
    env: Callable[..., Environment], listen: Callable[..., int]
) -> None:
    port = listen("0.0.0.0")
    assert outside_scan(env(port)).open == (f"{PUBLIC}:{port} (redis-1)",)


def test_a_control_that_does_not_connect_is_told(
    env: Callable[..., Environment], listen: Callable[..., int], dead_port: int
) -> None:
    found = outside_scan(env(listen(), control=dead_port))
    assert found.control_how == "refused"
    assert not found.is_connected


def test_a_source_that_is_no_address_of_this_machine_is_no_refusal(
    env: Callable[..., Environment], listen: Callable[..., int]
) -> None:
    with pytest.raises(ProbeError, match="is no address of this machine"):
        outside_scan(env(listen(), outside={"source": "192.0.2.1"}))


def test_kinds_that_are_not_declared_are_unseen_unless_the_product_has_none(
    env: Callable[..., Environment], listen: Callable[..., int]
) -> None:
    missing = outside_scan(env(listen())).not_declared
    kinds = "" if isinstance(missing, tuple) else missing.error.subject
    without = kinds.split(", ") if kinds else []
    assert outside_scan(env(listen(), without=without)).not_declared == ()


def test_interfaces_are_asked_from_both_sides(
    env: Callable[..., Environment], listen: Callable[..., int], http: Service
) -> None:
    private, open_ = listen(), listen("0.0.0.0")
    http.says("/metrics", b"requests 1\n")
    http.says("/hidden", b"", status=403)
    interfaces = [
        {"name": "ssh", "kind": "ssh", "private": f"127.0.0.1:{private}"},
        {"name": "db", "kind": "database", "private": f"127.0.0.1:{open_}"},
        {
            "name": "metrics",
            "kind": "metrics",
            "private": f"{http.url}/metrics",
            "public": [f"{http.url}/metrics"],
        },
        {
            "name": "hidden",
            "private": f"{http.url}/metrics",
            "public": [f"{http.url}/hidden"],
        },
        {"name": "gone", "private": f"{http.url}/none", "public": [f"{http.url}/hidden"]},
    ]
    found = admin_interfaces(env(listen(), interfaces=interfaces))
    assert found.exposed == [
        f"db at {PUBLIC}:{open_} (connected)",
        f"metrics at {http.url}/metrics (status 200)",
    ]
    assert found.not_reached == ["gone (status 404)"]
    assert isinstance(found.not_declared, Unseen)
    assert found.not_declared.error.subject == "prometheus, alertmanager, balancer statistics"


def test_none_declared_is_no_pass(
    env: Callable[..., Environment], listen: Callable[..., int]
) -> None:
    with pytest.raises(ProbeError, match="none is declared"):
        admin_interfaces(env(listen()))


@pytest.mark.parametrize(
    ("status", "is_open"),
    [(200, True), (302, True), (401, True), (403, False), (404, False), (421, False)],
)
def test_a_password_is_no_refusal(
    env: Callable[..., Environment], http: Service, status: int, is_open: bool
) -> None:
    http.says("/admin", b"x" * 400, status=status)
    place = Place(env(1), Zone(source=OUTSIDE), "outside")
    assert place.get(f"{http.url}/admin").is_open is is_open


def test_an_error_of_the_server_neither_refuses_nor_answers(
    env: Callable[..., Environment], http: Service
) -> None:
    http.says("/admin", b"", status=502)
    place = Place(env(1), Zone(source=OUTSIDE), "outside")
    assert isinstance(place.get(f"{http.url}/admin").is_open, Unseen)


def test_one_page_for_every_path_gives_nothing_away(
    env: Callable[..., Environment], http: Service
) -> None:
    class Alike(dict[str, Any]):
        def get(self, path: str, default: Any = None) -> Any:
            from tests.golive.probes.answering import Said

            return Said(f"<html>{path} {'x' * 900}</html>".encode())

    http.answers = Alike()
    place = Place(env(1), Zone(source=OUTSIDE), "outside")
    assert place.get(f"{http.url}/metrics").how == "status 200, as for any path"
    assert place.get(f"{http.url}/").is_open is True  # the root of an interface is no such page


def test_a_place_on_another_machine_is_asked_by_its_shell(
    env: Callable[..., Environment], listen: Callable[..., int], dead_port: int, http: Service
) -> None:
    class Elsewhere(Place):
        """This machine's shell, as that of another one is asked."""

        def __init__(self, *values: Any) -> None:
            super().__init__(*values)
            self._machine.__class__ = type(
                "There", (type(self._machine),), {"is_local": property(lambda _: False)}
            )

    place = Elsewhere(env(1), Zone(), "outside")
    port = listen()
    found = place.knock([("127.0.0.1", port), ("127.0.0.1", dead_port)])
    assert {at[1]: one.is_open for at, one in found.items()} == {port: True, dead_port: False}
    http.says("/admin", b"secret", status=200)
    assert place.get(f"{http.url}/admin").is_open is True
    assert place.get(f"http://127.0.0.1:{dead_port}/admin").how == "refused"


def test_private_addresses_are_not_looked_for_outside() -> None:
    assert not is_outside("10.1.2.3")
    assert not is_outside("127.0.0.1")
    assert not is_outside("/run/postgresql")
    assert is_outside("8.8.8.8")
    assert is_outside("no-such-host.invalid")
