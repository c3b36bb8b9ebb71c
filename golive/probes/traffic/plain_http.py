"""Plain HTTP at every address, over every class of paths: whether all of it is sent to HTTPS."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from golive.environments import Environment
from golive.probes.traffic.surface import Surface, endpoint_of, site_url
from golive.probes.transport.addresses import written
from golive.probes.transport.http import Address, client, port_of, redirect_of
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """What requests over plain HTTP meet at some addresses, each asked for every path."""

    addresses: tuple[str, ...]
    paths: dict[str, int]
    """How many paths were asked for at each address, by class."""
    open: tuple[str, ...]
    """Paths at addresses that are not sent to HTTPS, with their class and what is answered."""
    sent_to: tuple[str, ...]
    """Where requests are sent: ``host:port`` that speaks TLS."""

    @property
    def requests(self) -> int:
        return len(self.addresses) * sum(self.paths.values())

    def __str__(self) -> str:
        return f"{', '.join(self.paths)} at {len(self.addresses)} addresses"


@dataclass(frozen=True, slots=True)
class PlainTraffic:
    """Plain HTTP in front of the product: at each public host on each node of the edge, and at
    each address of the balancer."""

    classes: str | Unseen
    """The classes of paths that were asked for, in words; unseen where one is not known."""
    edge: PlainHttp | Unseen
    balancer: PlainHttp | Unseen


@probe()
def plain_http(env: Environment, surface: Surface) -> PlainTraffic:
    """Every path of the product's surface, asked for over plain HTTP at every address."""
    return PlainTraffic(
        classes=surface.classes,
        edge=seen(_at_all, env, _edge, surface.paths),
        balancer=seen(_at_all, env, _balancer, surface.paths),
    )


Places = dict[str, tuple[str, Address]]
"""Addresses by what they are called: the URL to ask for, and where to connect."""


def _edge(env: Environment) -> Places:
    return {
        f"{host} on {node.name}": (
            site_url("http", host, node.http_port),
            Address(node.host, node.http_port),
        )
        for host in env.edge.hosts
        for node in env.edge.nodes
    }


def _balancer(env: Environment) -> Places:
    url = env.balancer.http_url.rstrip("/")
    host, port = urlsplit(url).hostname or "", port_of(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as e:
        raise ProbeError(f"the address of {host}", e, "check balancer.http_url") from None
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return {f"{host} at {written(a, port)}": (url, Address(a, port)) for a in addresses}


def _at_all(
    env: Environment,
    find: Callable[[Environment], Places],
    paths: Mapping[str, tuple[str, ...]],
) -> PlainHttp:
    places = find(env)
    if not places:
        raise ProbeError("plain HTTP", "no address is declared", "declare edge.nodes")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = list(pool.map(lambda name: _at(env, name, *places[name], paths), places))
    return PlainHttp(
        addresses=tuple(places),
        paths={name: len(of) for name, of in paths.items()},
        open=tuple(one for open_, _ in looks for one in open_),
        sent_to=tuple(sorted({one for _, sent_to in looks for one in sent_to})),
    )


def _at(
    env: Environment, name: str, url: str, at: Address, paths: Mapping[str, tuple[str, ...]]
) -> tuple[list[str], set[str]]:
    """What is not sent to HTTPS at an address, and where the rest is sent."""
    open_: list[str] = []
    sent_to: set[str] = set()
    with client(env, at) as http:
        for kind, of_kind in paths.items():
            for path in of_kind:
                redirect = redirect_of(http, url + path)
                if not redirect.to_https:
                    open_.append(f"{path} ({kind}) of {name}: {redirect}")
                with suppress(ValueError):
                    sent_to.add(endpoint_of(urljoin(url + path, redirect.to)))
    return open_, sent_to - {""}
