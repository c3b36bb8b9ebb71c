"""The zones that network policies are about: an address of the loopback network for each, with
listeners that let in whom the released policies allow, and nobody else.

What a cluster's network plugin does between pods is done here by the kernel: a filter on each
listening socket drops the packets that ask for a connection, by the address they come from, so that
who is not allowed waits in vain (`SO_ATTACH_FILTER`, which Linux alone has). The allowed pairs are
worked out from `k8s/network-policies.yaml` of the checkout at each start.

Settings a fault may override: `enforced` (whether anybody is kept out), `cut_off` (pairs
`["backend", "pgbouncer"]` that are kept out although they are allowed).
"""

from __future__ import annotations

import ctypes
import json
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.data import release
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part

LISTENERS: Mapping[str, int] = {
    "backend": 8000,
    "frontend": 3000,
    "pgbouncer": 6432,
    "database": 5432,
    "redis": 6379,
    "dns": 53,
    "stripe": 443,
    "sendgrid": 443,
    "twilio": 443,
    "google": 443,
}
"""The zones that something listens in, and at which port."""
WORKLOADS = ("backend", "frontend", "pgbouncer", "migrate")
ZONES = (*LISTENERS, "migrate", "balancer")
_PEERS = {
    "10.20.0.0/28": "database",
    "10.20.1.0/28": "redis",
    "198.51.100.0/28": "stripe",
    "198.51.100.16/28": "sendgrid",
    "198.51.100.32/28": "twilio",
    "203.0.113.0/28": "google",
    "kube-system": "dns",
    "ingress-nginx": "balancer",
}
"""What is no workload, as the policies of production name it."""
_PORT_NAMES = {"http": (8000, 3000), "postgres": (6432,)}
_PLAN = "zones.json"


def address(zone: str) -> str:
    """The loopback address of a zone."""
    return f"127.77.0.{10 + ZONES.index(zone)}"


def port_name(port: int) -> str:
    """The rehearsal's port that stands for one of the product's."""
    return f"zones-{port}"


class Zones(Part):
    name = "zones"
    title = "network zones behind their policies"
    needs = ("release",)

    def prepare(self, r: Rehearsal) -> None:
        plan = [
            {
                "zone": zone,
                "host": address(zone),
                "port": r.port(port_name(port)),
                "sources": [address(s) for s in sources(r, zone, port)],
            }
            for zone, port in LISTENERS.items()
        ]
        write_atomically(r.path(_PLAN), json.dumps(plan))

    def command(self, r: Rehearsal) -> list[str]:
        return [sys.executable, "-m", __name__, str(r.path(_PLAN)), str(r.port(self.name))]

    def endpoints(self, r: Rehearsal) -> Endpoints:
        if not hasattr(socket, "SO_BINDTODEVICE"):  # no Linux
            return {}

        def zone(name: str) -> dict[str, Any]:
            table: dict[str, Any] = {"name": name, "source": address(name)}
            if name in LISTENERS:
                port = LISTENERS[name]
                table |= {"host": address(name), "ports": {str(port): r.port(port_name(port))}}
            return table

        return {"network_policy": {"zones": [zone(name) for name in ZONES], "connect_s": 1.0}}


def sources(r: Rehearsal, zone: str, port: int) -> list[str]:
    """The zones that may connect to a port of this one."""
    if not r.setting("zones", "enforced", True):
        return list(ZONES)
    policies = _policies(release.migrations(r).parent / "k8s" / "network-policies.yaml")
    cut_off = [tuple(pair) for pair in r.setting("zones", "cut_off", [])]
    return [
        source
        for source in ZONES
        if source != zone
        and (source, zone) not in cut_off
        and _lets_out(policies, source, zone, port)
        and _lets_in(policies, source, zone, port)
    ]


# -- what the policies say, as far as the product's own use it ---------------------------------


def _policies(path: Path) -> list[dict[str, Any]]:
    import yaml

    return [one["spec"] for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def _lets_out(policies: Sequence[dict[str, Any]], source: str, to: str, port: int) -> bool:
    return source not in WORKLOADS or _allows(policies, "Egress", "to", source, to, port)


def _lets_in(policies: Sequence[dict[str, Any]], source: str, to: str, port: int) -> bool:
    return to not in WORKLOADS or _allows(policies, "Ingress", "from", to, source, port)


def _allows(
    policies: Sequence[dict[str, Any]], direction: str, key: str, pod: str, peer: str, port: int
) -> bool:
    selecting = [
        p for p in policies if direction in p["policyTypes"] and _selects(p["podSelector"], pod)
    ]
    rules = [rule for p in selecting for rule in p.get(direction.lower(), [])]
    return not selecting or any(
        _has_port(rule, port) and any(_is(one, peer) for one in rule.get(key, [])) for rule in rules
    )


def _labels(pod: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": pod, "app.kubernetes.io/part-of": "bookedbarber"}


def _selects(selector: dict[str, Any], pod: str) -> bool:
    labels = _labels(pod)
    plain = all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
    named = selector.get("matchExpressions", [])
    return plain and all(labels.get(e["key"]) in e["values"] for e in named)


def _has_port(rule: dict[str, Any], port: int) -> bool:
    named = rule.get("ports")
    return not named or any(port in _PORT_NAMES.get(p["port"], (p["port"],)) for p in named)


def _is(peer: dict[str, Any], zone: str) -> bool:
    if "ipBlock" in peer:
        return _PEERS.get(peer["ipBlock"]["cidr"]) == zone
    if "namespaceSelector" in peer:
        name = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        return _PEERS.get(name) == zone
    return zone in WORKLOADS and _selects(peer["podSelector"], zone)


# -- the process -------------------------------------------------------------------------------

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER, which Python does not name
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SOURCE_ADDRESS = 0xFFF00000 + 12  # SKF_NET_OFF, and the place of it in the IPv4 header
_MOST_SOURCES = 200  # a jump reaches 255 instructions


def keep_out_others(listener: socket.socket, allowed: Sequence[str]) -> None:
    """Have the kernel drop every packet to a listening socket that comes from nobody of these."""
    addresses = [struct.unpack("!I", socket.inet_aton(one))[0] for one in allowed[:_MOST_SOURCES]]
    program = [(_LOAD_WORD, 0, 0, _SOURCE_ADDRESS)]
    for n, one in enumerate(addresses):
        program.append((_JUMP_IF_EQUAL, len(addresses) - n, 0, one))
    program += [(_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFF)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    kept = ctypes.create_string_buffer(code)
    header = struct.pack("HL", len(program), ctypes.addressof(kept))
    listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, header)


def _listeners(plan: Sequence[dict[str, Any]]) -> Iterator[socket.socket]:
    for one in plan:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keep_out_others(listener, one["sources"])
        listener.bind((one["host"], one["port"]))
        listener.listen(64)
        yield listener


def main(plan: str, port: str) -> None:
    """Listen in every zone; at the part's own port once all of them do."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    loop = selectors.DefaultSelector()
    for listener in _listeners(json.loads(Path(plan).read_text(encoding="utf-8"))):
        loop.register(listener, selectors.EVENT_READ)
    ready = socket.create_server(("127.0.0.1", int(port)))
    loop.register(ready, selectors.EVENT_READ)
    while True:
        for key, _ in loop.select():
            connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
            connection.close()


PARTS = (Zones(),)

if __name__ == "__main__":
    main(*sys.argv[1:])
