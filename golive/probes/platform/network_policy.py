"""Network policies, evaluated into the flows that they allow, and tried between zones.

The rules are those of the Kubernetes API reference for NetworkPolicy: a pod that no policy of a
direction selects is open in it; a policy without types is one of ingress, and of egress where it
has such rules; a flow between two pods needs the word of both.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from golive.environments import Environment
from golive.probes.platform.manifests import Bundle, Manifests, Object, Workload, dig, rows, table
from golive.probes.platform.section import PolicyZone
from golive.probes.platform.selectors import matches
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

ANYWHERE = "anywhere"
ANY_PORT = "any"
_OTHERS = frozenset(
    {"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy"}
    | {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"}
)
"""Policies of other makes, which decide too and are not evaluated."""
_MOST_TRIED = 200
Port = tuple[str, str]
"""Number (or a range, or :data:`ANY_PORT`) and protocol."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies of one bundle, evaluated."""

    name: str
    pods: tuple[str, ...]
    policies: tuple[str, ...]
    open_pods: tuple[str, ...]
    """Pods, by direction, in whose namespace no policy denies whatever no other one allows."""
    idle: tuple[str, ...]
    """Policies, and peers of them, that select no pod."""
    flows: frozenset[str] | Unseen
    """``SOURCE -> DESTINATION:PORT/PROTOCOL`` of each flow that is allowed."""


@dataclass(frozen=True, slots=True)
class NetworkPolicies:
    """What the policies of this environment allow."""

    sets: tuple[PolicySet, ...]
    declared: frozenset[str] | Unseen
    """The flows that the environment declares."""
    workloads: frozenset[str]
    """Every workload as the declared flows call it; of the others policies decide nothing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that was tried."""

    flow: str
    is_allowed: bool
    connected: bool


@dataclass(frozen=True, slots=True)
class FlowAttempts:
    """Connections between the declared zones."""

    all: tuple[Attempt, ...] = field(repr=False)
    not_tried: tuple[str, ...]
    """Declared flows over TCP between which no zone tells how to connect."""

    @property
    def allowed(self) -> list[str]:
        return [a.flow for a in self.all if a.is_allowed]

    @property
    def forbidden(self) -> list[str]:
        return [a.flow for a in self.all if not a.is_allowed]

    @property
    def number_forbidden(self) -> int:
        return len(self.forbidden)

    @property
    def refused(self) -> list[str]:
        """Allowed ones that did not connect."""
        return [a.flow for a in self.all if a.is_allowed and not a.connected]

    @property
    def leaks(self) -> list[str]:
        """Forbidden ones that did."""
        return [a.flow for a in self.all if not a.is_allowed and a.connected]

    @property
    def untried(self) -> list[str] | Unseen:
        """Empty where every declared flow over TCP was tried."""
        if not self.not_tried:
            return []
        return Unseen(
            ProbeError(
                f"the flows {', '.join(self.not_tried[:6])}",
                f"{len(self.not_tried)} declared flows have no zone to connect from, or to",
                "name them in network_policy.zones",
            )
        )


@probe()
def network_policies(env: Environment, manifests: Manifests) -> NetworkPolicies:
    """The flows that each bundle's policies allow, by evaluating all of them."""
    manifests.must_be_there()
    bundles = manifests.here
    if not bundles:
        raise ProbeError(
            "pods that policies could select",
            "no workload of this environment was found",
            "check kubernetes.namespaces and kubernetes.manifests",
        )

    workloads = [w for b in bundles for w in b.workloads]
    names = seen(lambda: frozenset(_name(env, w) for w in workloads))
    return NetworkPolicies(
        tuple(_evaluated(env, b) for b in bundles),
        seen(_declared, env, workloads),
        frozenset() if isinstance(names, Unseen) else names,
    )


@probe()
def flow_attempts(env: Environment, network_policies: NetworkPolicies) -> FlowAttempts:
    """A TCP connection for every declared flow, and for every other one between the same zones
    that a workload sends or gets."""
    if not env.network_policy.zones:
        raise ProbeError(
            "connections between zones", "no zone is declared", "name them in network_policy.zones"
        )
    if isinstance(network_policies.declared, Unseen):
        raise network_policies.declared.error
    wanted = [_parsed(f) for f in sorted(network_policies.declared)]
    over_tcp = [(s, t, p) for s, t, p, protocol in wanted if protocol == "TCP"]
    sources = {z.name: z for z in env.network_policy.zones if z.source or z.command}
    targets = {z.name: z for z in env.network_policy.zones if z.host}
    allowed = [f for f in over_tcp if f[0] in sources and f[1] in targets]
    known, pods = {(t, p) for _, t, p in allowed}, network_policies.workloads
    others = [
        (s, t, p)
        for s in sources
        for t, p in sorted(known)
        if s != t and (s, t, p) not in over_tcp and (s in pods or t in pods)
    ][:_MOST_TRIED]

    def tried(flow: tuple[str, str, str]) -> bool:
        source, to, port = flow
        return _connects(env, sources[source], targets[to], int(port))

    with ThreadPoolExecutor(32) as pool:
        connected = list(pool.map(tried, [*allowed, *others]))
    return FlowAttempts(
        all=tuple(
            Attempt(_told(s, t, (p, "TCP")), n < len(allowed), connected[n])
            for n, (s, t, p) in enumerate([*allowed, *others])
        ),
        not_tried=tuple(
            _told(s, t, (p, "TCP")) for s, t, p in over_tcp if (s, t, p) not in allowed
        ),
    )


def _told(source: str, to: str, port: Port) -> str:
    return f"{source} -> {to}:{port[0]}/{port[1]}"


def _parsed(flow: str) -> tuple[str, str, str, str]:
    source, _, rest = flow.partition(" -> ")
    to, _, port = rest.rpartition(":")
    number, _, protocol = port.partition("/")
    return source, to, number, protocol


def _declared(env: Environment, workloads: Sequence[Workload]) -> frozenset[str]:
    names = {_name(env, w) for w in workloads}
    found = set()
    for flow in env.network_policy.flows:
        sources = names if flow.source == "*" else {flow.source}
        found |= {_told(s, flow.to, (str(flow.port), flow.protocol)) for s in sources}
    return frozenset(found)


def _name(env: Environment, workload: Workload) -> str:
    """As the declared flows call it; its own name where they do not."""
    flows = env.network_policy.flows
    for name in dict.fromkeys([*(f.source for f in flows), *(f.to for f in flows)]):
        if name != "*" and workload.is_called(name):
            return name
    return workload.name


# -- evaluating --------------------------------------------------------------------------------


class _Evaluation:
    """One bundle's policies over its workloads."""

    def __init__(self, env: Environment, bundle: Bundle) -> None:
        self.peers = {described: name for name, described in env.network_policy.peers.items()}
        self.workloads = bundle.workloads
        self.names = {id(w.object): _name(env, w) for w in self.workloads}
        self.policies = [o for o in bundle.of("NetworkPolicy") if o.group == "networking.k8s.io"]
        self.spaces = {o.name: o.labels for o in bundle.of("Namespace")}
        self.own = {w.namespace for w in self.workloads}
        for space in self.own:
            self.spaces.setdefault(space, {})
            self.spaces[space] = {**self.spaces[space], "kubernetes.io/metadata.name": space}

    def of(self, workload: Workload, direction: str) -> list[Object]:
        """The policies of a direction that select a workload's pods."""
        return [
            p
            for p in self.policies
            if p.namespace == workload.namespace
            and direction in types_of(p)
            and matches(_pod_selector(p), workload.labels)
        ]

    def rules(self, workload: Workload, direction: str) -> list[tuple[str, dict[str, Any]]] | None:
        """Its rules with their policies' namespace; None: none selects it, so it is open."""
        selecting = self.of(workload, direction)
        if not selecting:
            return None
        key = direction.lower()
        return [(p.namespace, rule) for p in selecting for rule in rows(p.spec, key)]

    def meets(self, peers: Any, namespace: str, workload: Workload) -> bool:
        """Whether a rule's peers take a workload's pods; a rule without any takes all."""
        if not peers:
            return True
        return any(self._meets(p, namespace, workload) for p in peers if isinstance(p, dict))

    def _meets(self, peer: dict[str, Any], namespace: str, workload: Workload) -> bool:
        if "ipBlock" in peer:
            return False  # addresses of pods are nobody's to know
        if "namespaceSelector" in peer:
            labels = self.spaces.get(workload.namespace, {})
            if not matches(peer["namespaceSelector"] or {}, labels):
                return False
        elif workload.namespace != namespace:
            return False
        return "podSelector" not in peer or matches(peer["podSelector"] or {}, workload.labels)

    def strangers(self, peers: Any) -> Iterator[str]:
        """Peers of a rule that are no pods of the bundle."""
        if not peers:
            yield ANYWHERE
        for peer in peers or ():
            if isinstance(peer, dict) and (told := self._stranger(peer)):
                yield self.peers.get(told, told)

    def _stranger(self, peer: dict[str, Any]) -> str:
        if "ipBlock" in peer:
            block = table(peer, "ipBlock")
            spared = ", ".join(map(str, dig(block, "except") or []))
            return f"{block.get('cidr')} but {spared}" if spared else str(block.get("cidr"))
        if "namespaceSelector" not in peer:
            return ""
        selector = peer["namespaceSelector"] or {}
        wanted = selector.get("matchLabels") or {}
        name = wanted.get("kubernetes.io/metadata.name")
        if name in self.own:
            return ""
        if name is not None and len(wanted) == 1 and not selector.get("matchExpressions"):
            space = str(name)
        else:
            space = _labels(selector) or "every namespace"
        pods = _labels(peer.get("podSelector") or {})
        return f"{space}/{pods}" if pods else space

    def flows(self) -> Iterator[str]:
        """Every flow that is allowed."""
        for workload in self.workloads:
            name = self.names[id(workload.object)]
            for other in self.workloads:
                if other.object is not workload.object:
                    for port in self._between(workload, other):
                        yield _told(name, self.names[id(other.object)], port)
            for direction in ("Egress", "Ingress"):
                for stranger, port in self._outside(workload, direction):
                    pair = (name, stranger) if direction == "Egress" else (stranger, name)
                    yield _told(*pair, port)

    def _between(self, source: Workload, to: Workload) -> set[Port]:
        out = self._ports(self.rules(source, "Egress"), "to", to, to)
        in_ = self._ports(self.rules(to, "Ingress"), "from", source, to)
        if ALL_PORTS in out and ALL_PORTS in in_:
            return {(ANY_PORT, "TCP")}
        if ALL_PORTS in out:
            return in_
        return out if ALL_PORTS in in_ else set(_common(out, in_))

    def _ports(
        self,
        rules: list[tuple[str, dict[str, Any]]] | None,
        key: str,
        peer: Workload,
        listener: Workload,
    ) -> set[Port]:
        if rules is None:
            return {ALL_PORTS}
        return {
            port
            for namespace, rule in rules
            if self.meets(rule.get(key), namespace, peer)
            for port in _ports_of(rule, [listener])
        }

    def _outside(self, workload: Workload, direction: str) -> Iterator[tuple[str, Port]]:
        rules = self.rules(workload, direction)
        if rules is None:
            yield ANYWHERE, (ANY_PORT, "TCP")
            return
        key = "to" if direction == "Egress" else "from"
        for _, rule in rules:
            for stranger in self.strangers(rule.get(key)):
                listeners = [workload] if direction == "Ingress" else []
                for port in _ports_of(rule, listeners):
                    yield stranger, (ANY_PORT, "TCP") if port == ALL_PORTS else port

    def idle(self) -> Iterator[str]:
        """Policies that select no pod, and peers of theirs that none is."""
        for policy in self.policies:
            near = [w for w in self.workloads if w.namespace == policy.namespace]
            if not any(matches(_pod_selector(policy), w.labels) for w in near):
                yield policy.told("selects no pod", "spec", "podSelector")
            for direction, key in (("ingress", "from"), ("egress", "to")):
                for n, rule in enumerate(rows(policy.spec, direction)):
                    for peer in rows(rule, key):
                        inside = "podSelector" in peer and not self._stranger(peer)
                        if inside and not any(
                            self._meets(peer, policy.namespace, w) for w in self.workloads
                        ):
                            told = (
                                f"names pods that are not there by {_labels(peer['podSelector'])}"
                            )
                            yield policy.told(told, "spec", direction, n)


ALL_PORTS: Port = ("", "")


def _common(some: set[Port], others: set[Port]) -> Iterator[Port]:
    """The ports that two sides both allow."""
    for a, protocol in some:
        for b, other in others:
            if protocol != other:
                continue
            if ANY_PORT in (a, b):
                yield (b if a == ANY_PORT else a), protocol
                continue
            (low_a, high_a), (low_b, high_b) = _range(a), _range(b)
            low, high = max(low_a, low_b), min(high_a, high_b)
            if low <= high:
                yield (str(low) if low == high else f"{low}-{high}"), protocol


def _range(port: str) -> tuple[int, int]:
    low, _, high = port.partition("-")
    return int(low), int(high or low)


def types_of(policy: Object) -> set[str]:
    """The directions that a policy is about."""
    named = policy.spec.get("policyTypes")
    if named:
        return {str(one) for one in named}
    return {"Ingress", "Egress"} if policy.spec.get("egress") else {"Ingress"}


def _pod_selector(policy: Object) -> Any:
    return policy.spec.get("podSelector") or {}


def _ports_of(rule: dict[str, Any], listeners: Sequence[Workload]) -> Iterator[Port]:
    """The ports of a rule; a name stands for the number that it has at whoever listens."""
    if not rule.get("ports"):
        yield ALL_PORTS
        return
    for one in rows(rule, "ports"):
        protocol, port = str(one.get("protocol", "TCP")), one.get("port")
        if port is None:
            yield ANY_PORT, protocol
        elif isinstance(port, int):
            end = one.get("endPort")
            yield f"{port}-{end}" if end is not None and end != port else str(port), protocol
        else:
            numbers = {
                str(p.get("containerPort"))
                for w in listeners
                for c in w.containers
                for p in c.ports
                if p.get("name") == port and str(p.get("protocol", "TCP")) == protocol
            }
            # One that nobody has lets nothing through, but of strangers it is not known.
            yield from ((n, protocol) for n in sorted(numbers))
            if not listeners:
                yield str(port), protocol


def _labels(selector: dict[str, Any]) -> str:
    parts = [f"{k}={v}" for k, v in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or []:
        values = ",".join(map(str, one.get("values") or []))
        parts.append(f"{one.get('key')} {one.get('operator')} {values}".strip())
    return " and ".join(parts)


def _evaluated(env: Environment, bundle: Bundle) -> PolicySet:
    evaluation = _Evaluation(env, bundle)

    def flows() -> frozenset[str]:
        for one in bundle.objects:
            if one.kind in _OTHERS or one.group.endswith("projectcalico.org"):
                raise ProbeError(
                    f"what the policies of {bundle.name} allow",
                    f"{one} ({one.place()}) decides too, and only NetworkPolicy is evaluated",
                    "verify the flows by hand, or say it as NetworkPolicy",
                )
        return frozenset(evaluation.flows())

    return PolicySet(
        name=bundle.name,
        pods=tuple(str(w.object) for w in evaluation.workloads),
        policies=tuple(str(p) for p in evaluation.policies),
        open_pods=tuple(_open_pods(evaluation)),
        idle=tuple(evaluation.idle()),
        flows=seen(flows),
    )


def _open_pods(evaluation: _Evaluation) -> Iterable[str]:
    """Pods of namespaces in which no policy selects every pod, so that a new one would be open."""
    for direction in ("Ingress", "Egress"):
        closed = {
            p.namespace
            for p in evaluation.policies
            if direction in types_of(p) and not any(_pod_selector(p).values())
        }
        for workload in evaluation.workloads:
            if workload.namespace not in closed:
                yield f"{workload.object} for {direction.lower()}"


# -- connecting --------------------------------------------------------------------------------


def _connects(env: Environment, source: PolicyZone, to: PolicyZone, port: int) -> bool:
    """Whether a connection comes about, and is not closed at once.

    :raises ProbeError: it could not be tried.
    """
    real = to.ports.get(str(port), port)
    if source.command:
        values = {"host": to.host, "port": real}
        try:
            commands.run(
                source.command,
                values,
                key=f"network_policy.zones of {source.name}",
                within_s=3 * env.time_limits.connect,
            )
        except CommandFailed as e:
            if e.status in (126, 127):
                raise
            return False
        return True
    try:
        with socket.create_connection(
            (to.host, real), timeout=env.network_policy.connect_s, source_address=(source.source, 0)
        ):
            return True
    except (TimeoutError, ConnectionError):
        return False
    except OSError as e:
        if e.errno in _UNREACHABLE:
            return False
        raise ProbeError(
            f"a connection from {source.name} to {to.name}",
            e.strerror or e,
            "check source and host of these zones in network_policy.zones",
        ) from None


_UNREACHABLE = frozenset({101, 110, 111, 113, 1})
"""What a firewall makes of a connection: unreachable, timed out, refused, not permitted."""
