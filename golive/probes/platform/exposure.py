"""What somebody outside, and somebody in the VPN, can connect to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from golive.environments import AdminInterface, Environment
from golive.probes.platform.security_groups import SecurityGroups, security_groups
from golive.probes.transport.addresses import split, written
from golive.probes.transport.http import port_of
from golive.probes.transport.zones import Answer, Place, is_outside, told
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

LISTENERS = ("PostgreSQL", "pgbouncer", "Redis", "application", "Prometheus")
"""Kinds of private listeners that have to be looked at."""
INTERFACES = (
    "ssh",
    "database",
    "prometheus",
    "alertmanager",
    "balancer statistics",
    "metrics",
)
"""Kinds of administrative interfaces that have to be looked at."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that is nobody's business outside."""

    kind: str
    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class OutsideScan:
    """What a place on the internet could connect to."""

    control: str
    """What should let it connect: shows that it can."""
    control_how: str | Unseen
    """What came of that."""
    listeners: tuple[Listener, ...]
    not_declared: tuple[str, ...] | Unseen
    """Kinds of listeners that were not looked at, as none is declared."""
    tried: int
    open: tuple[str, ...] | Unseen
    """Addresses that let it connect, with whose port it is."""

    @property
    def is_connected(self) -> bool | Unseen:
        """Whether the control connected."""
        how = self.control_how
        return how if isinstance(how, Unseen) else how == "connected"


@dataclass(frozen=True, slots=True)
class InterfaceSeen:
    """One administrative interface."""

    name: str
    kind: str
    outside: tuple[tuple[str, Answer], ...]
    """What came of each place that somebody outside would look at."""
    inside: Answer
    """What came of its own address, asked from the VPN."""

    @property
    def exposed(self) -> list[str]:
        """Where it is open to somebody outside."""
        return [f"{self.name} at {at} ({a.how})" for at, a in self.outside if a.is_open is True]


@dataclass(frozen=True, slots=True)
class AdminInterfaces:
    """Every declared administrative interface."""

    all: tuple[InterfaceSeen, ...]
    not_declared: tuple[str, ...] | Unseen
    """Kinds of interfaces of which none is declared."""
    places: tuple[str, ...]
    """Where somebody outside would look."""

    @property
    def exposed(self) -> list[str] | Unseen:
        """Those that are open to somebody outside."""
        found = [at for one in self.all for at in one.exposed]
        unseen = unseen_among(a.is_open for one in self.all for _, a in one.outside)
        return found if found or unseen is None else unseen

    @property
    def not_reached(self) -> list[str] | Unseen:
        """Those that do not answer in the VPN."""
        found = [
            f"{one.name} ({one.inside.how})" for one in self.all if one.inside.is_open is False
        ]
        unseen = unseen_among(one.inside.is_open for one in self.all)
        return found if found or unseen is None else unseen


@probe()
def outside_scan(env: Environment) -> OutsideScan:
    """A TCP connection from outside to every private listener's port at each public address."""
    place = Place(env, env.network.outside, "outside")
    at = split(env.network.control)
    groups = seen(security_groups, env)
    listeners = tuple(_listeners(env))
    web = set(env.network.public_ports) | {at[1]}
    ports = {one.port: one for one in listeners if one.port not in web}
    hosts = [at[0], *env.network.public_addresses]
    hosts += groups.public_addresses if isinstance(groups, SecurityGroups) else ()
    targets = {(host, port): one for host in dict.fromkeys(hosts) for port, one in ports.items()}
    for one in listeners:
        if one.port not in web and is_outside(one.host):
            targets[one.host, one.port] = one
    answers = place.knock([at, *targets])
    control = answers.pop(at)
    found, unseen = told(answers)
    names = {written(*where): one.name for where, one in targets.items()}
    if unseen is None and isinstance(groups, Unseen) and not env.network.public_addresses:
        unseen = groups  # nobody said which addresses there are
    open_ = tuple(f"{where} ({names[where]})" for where in found)
    return OutsideScan(
        env.network.control,
        control.is_open if isinstance(control.is_open, Unseen) else control.how,
        listeners,
        _missing(env, LISTENERS, {one.kind for one in listeners}),
        len(targets),
        open_ if open_ or unseen is None else unseen,
    )


@probe()
def admin_interfaces(env: Environment) -> AdminInterfaces:
    """Every administrative interface, asked from outside and from the VPN."""
    outside = Place(env, env.network.outside, "outside")
    inside = Place(env, env.network.vpn, "vpn")
    hosts = [split(env.network.control)[0], *env.network.public_addresses]
    interfaces = env.network.interfaces
    found = [
        InterfaceSeen(
            one.name,
            one.kind,
            tuple((at, _ask(outside, at, one.public_at)) for at in _public(one, hosts)),
            _ask(inside, one.private, ""),
        )
        for one in interfaces
    ]
    if not found:
        step = "declare every administrative interface in network.interfaces"
        raise ProbeError("administrative interfaces", "none is declared", step)
    return AdminInterfaces(
        tuple(found),
        _missing(env, INTERFACES, {one.kind for one in interfaces}),
        tuple(dict.fromkeys(at for one in found for at, _ in one.outside)),
    )


def _ask(place: Place, address: str, at: str) -> Answer:
    if "://" in address:
        return place.get(address, at)
    target = split(address)
    return place.knock([target])[target]


def _public(one: AdminInterface, hosts: Iterable[str]) -> list[str]:
    """Where somebody outside would look for an interface."""
    if one.public:
        return one.public
    port = port_of(one.private) if "://" in one.private else split(one.private)[1]
    return [written(host, port) for host in dict.fromkeys(hosts)]


def _missing(env: Environment, wanted: Iterable[str], found: set[str]) -> tuple[str, ...] | Unseen:
    """Kinds that nothing is declared of, though the product is not said to be without them."""
    lacking = tuple(k for k in wanted if k not in found and k not in env.network.without)
    if not lacking:
        return ()
    step = "declare it, or name it in network.without where the product has none"
    return Unseen(ProbeError(", ".join(lacking), "none is declared", step))


def _listeners(env: Environment) -> Iterable[Listener]:
    """Everything private that the environment declares."""

    def nodes() -> list[Listener]:
        return [Listener("PostgreSQL", n.name, n.host, n.port) for n in env.postgres.nodes]

    def poolers() -> list[Listener]:
        return [Listener("pgbouncer", n.name, n.host, n.port) for n in env.postgres.poolers]

    def caches() -> list[Listener]:
        known = [*env.redis.nodes, *env.redis.sentinels]
        return [Listener("Redis", n.name, n.host, n.port) for n in known]

    def instances() -> list[Listener]:
        return [_served("application", one.name, one.url) for one in env.application.instances]

    def prometheus() -> list[Listener]:
        return [_served("Prometheus", "Prometheus", env.monitoring.prometheus)]

    def alertmanager() -> list[Listener]:
        return [_served("Alertmanager", "Alertmanager", env.monitoring.alertmanager)]

    def statistics() -> list[Listener]:
        where = env.balancer.stats
        if not where.startswith("tcp://"):
            return []  # a socket on the balancer's machine
        return [_served("balancer", "balancer statistics", where)]

    for look in (nodes, poolers, caches, instances, prometheus, alertmanager, statistics):
        found = seen(look)
        yield from () if isinstance(found, Unseen) else found


def _served(kind: str, name: str, url: str) -> Listener:
    return Listener(kind, name, urlsplit(url).hostname or "", port_of(url))
