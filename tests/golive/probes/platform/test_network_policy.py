"""Network policies evaluated, by the rules of the Kubernetes API reference; connections tried."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform.network_policy import (
    NetworkPolicies,
    PolicySet,
    flow_attempts,
    network_policies,
)
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import (
    KUBERNETES,
    EnvWith,
    applied,
    deployment,
    lay,
    made,
    said,
)

Looked = Callable[..., NetworkPolicies]
WEB, DB = deployment("web"), deployment("db", ports=[{"name": "sql", "containerPort": 5432}])


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    """Evaluate some objects, for an environment with some flows and peers."""

    def look(*objects: dict[str, Any], **network: Any) -> Any:
        root = lay(tmp_path / "c", {"a.yaml": said(*objects)})
        env = env_with(
            deploy={"checkout": str(root)},
            kubernetes=KUBERNETES,
            network_policy={"flows": [], **network},
        )
        return network_policies(env, applied(env))

    return look


def evaluated(found: NetworkPolicies) -> PolicySet:
    (one,) = found.sets
    return one


def policy(name: str = "p", pods: Any = None, **spec: Any) -> dict[str, Any]:
    labels = {"matchLabels": pods} if pods else {}
    return made("networking.k8s.io/v1", "NetworkPolicy", name, spec={"podSelector": labels, **spec})


DENY = policy("deny", policyTypes=["Ingress", "Egress"])


def out(*to: Any, ports: Any = None, pods: Any = None) -> dict[str, Any]:
    """A policy that lets the web out to some peers."""
    rule: dict[str, Any] = {"to": list(to)} if to else {}
    rule |= {"ports": ports} if ports else {}
    return policy("out", pods or {"app": "web"}, policyTypes=["Egress"], egress=[rule])


def into(*peers: Any, ports: Any = None) -> dict[str, Any]:
    """A policy that lets some peers into the database."""
    rule: dict[str, Any] = {"from": list(peers)} if peers else {}
    rule |= {"ports": ports} if ports else {}
    return policy("in", {"app": "db"}, policyTypes=["Ingress"], ingress=[rule])


def pods(**labels: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels}}


def space(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def block(cidr: str, *but: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr, **({"except": list(but)} if but else {})}}


SQL = [{"port": 5432}]


@pytest.mark.parametrize(
    ("policies", "flows"),
    [
        ([DENY], set()),
        ([DENY, out(pods(app="db"), ports=SQL)], set()),
        ([DENY, into(pods(app="web"), ports=SQL)], set()),
        (
            [DENY, out(pods(app="db"), ports=SQL), into(pods(app="web"), ports=SQL)],
            {"web -> db:5432/TCP"},
        ),
        (
            [DENY, out(pods(app="db")), into(pods(app="web"), ports=[{"port": "sql"}])],
            {"web -> db:5432/TCP"},
        ),
        ([DENY, out(pods(app="db")), into(pods(app="web"))], {"web -> db:any/TCP"}),
        (
            [
                DENY,
                out(pods(app="db"), ports=[{"port": 5000, "endPort": 6000}]),
                into(pods(app="web"), ports=SQL),
            ],
            {"web -> db:5432/TCP"},
        ),
        (
            [DENY, out(pods(app="db"), ports=[{"protocol": "UDP", "port": 5432}]), into(ports=SQL)],
            {"anywhere -> db:5432/TCP"},
        ),
        (
            [DENY, out(block("10.0.0.0/8", "10.1.0.0/16"), ports=SQL)],
            {"web -> 10.0.0.0/8 but 10.1.0.0/16:5432/TCP"},
        ),
        ([DENY, out(ports=[{"port": 443}])], {"web -> anywhere:443/TCP"}),
        ([DENY, out(block("0.0.0.0/0"))], {"web -> 0.0.0.0/0:any/TCP"}),
        ([DENY, into(space("ingress"), ports=SQL)], {"ingress -> db:5432/TCP"}),
        (
            [DENY, into({**space("ingress"), **pods(app="nginx")}, ports=SQL)],
            {"ingress/app=nginx -> db:5432/TCP"},
        ),
        (
            [DENY, into({"namespaceSelector": {}}, ports=SQL)],
            {"every namespace -> db:5432/TCP"},
        ),
        ([DENY, out(pods(app="db")), into({**space("shop"), **pods(app="web")}, ports=SQL)], None),
        (
            [DENY, policy("in", {"app": "db"}, ingress=[{"from": [pods(app="web")]}])],
            set(),
        ),
    ],
)
def test_the_flows_that_policies_allow(
    looked: Looked, policies: list[dict[str, Any]], flows: set[str] | None
) -> None:
    wanted = {"web -> db:5432/TCP"} if flows is None else flows
    assert evaluated(looked(WEB, DB, *policies)).flows == wanted


def test_pods_that_no_policy_selects_are_open(looked: Looked) -> None:
    assert evaluated(looked(WEB, DB)).flows == {
        *("web -> db:any/TCP", "db -> web:any/TCP"),
        *(f"{a} -> anywhere:any/TCP" for a in ("web", "db")),
        *(f"anywhere -> {a}:any/TCP" for a in ("web", "db")),
    }


@pytest.mark.parametrize(
    ("spec", "directions"),
    [
        ({}, {"ingress"}),
        ({"egress": []}, {"ingress"}),
        ({"egress": [{}]}, {"ingress", "egress"}),
        ({"policyTypes": ["Egress"]}, {"egress"}),
        ({"policyTypes": ["Ingress", "Egress"]}, {"ingress", "egress"}),
    ],
)
def test_the_directions_that_a_policy_denies(
    looked: Looked, spec: dict[str, Any], directions: set[str]
) -> None:
    open_pods = evaluated(looked(WEB, policy(**spec))).open_pods
    missing = {"ingress", "egress"} - directions
    assert set(open_pods) == {f"Deployment/web for {d}" for d in missing}


def test_a_policy_of_some_pods_or_another_namespace_denies_nothing(looked: Looked) -> None:
    other = policy(policyTypes=["Ingress", "Egress"])
    other["metadata"]["namespace"] = "other"
    some = policy("some", {"app": "web"}, policyTypes=["Ingress", "Egress"])
    assert len(evaluated(looked(WEB, other, some)).open_pods) == 2


def test_policies_and_peers_that_select_no_pod(looked: Looked) -> None:
    sound = evaluated(looked(WEB, DB, DENY, out(pods(app="db"))))
    assert sound.idle == ()
    idle = evaluated(looked(WEB, DB, DENY, out(pods(app="dbs"))))
    assert "names pods that are not there by app=dbs" in idle.idle[0]
    typo = evaluated(looked(WEB, DB, DENY, out(pods(app="db"), pods={"app": "wed"})))
    assert "NetworkPolicy/out selects no pod" in typo.idle[0]
    assert len(typo.policies) == 2


def test_declared_flows_go_by_the_names_of_workloads_and_peers(looked: Looked) -> None:
    web = deployment("shop-web", labels={"app": "shop-web"})
    lets = out(block("10.0.0.0/28"), ports=SQL, pods={"app": "shop-web"})
    found = looked(
        web,
        DENY,
        lets,
        flows=[{"source": "web", "to": "database", "port": 5432}],
        peers={"database": "10.0.0.0/28"},
    )
    assert evaluated(found).flows == found.declared == {"web -> database:5432/TCP"}


def test_an_asterisk_stands_for_every_workload(looked: Looked) -> None:
    flows = [{"source": "*", "to": "dns", "port": 53, "protocol": "UDP"}]
    assert looked(WEB, DB, flows=flows).declared == {"web -> dns:53/UDP", "db -> dns:53/UDP"}


@pytest.mark.parametrize("kind", ["CiliumNetworkPolicy", "AdminNetworkPolicy"])
def test_policies_of_another_make_are_not_guessed_at(looked: Looked, kind: str) -> None:
    other = made("cilium.io/v2", kind, spec={})
    found = evaluated(looked(WEB, DENY, other))
    assert isinstance(found.flows, Unseen)
    assert f"{kind}/web" in str(found.flows.error)
    assert found.open_pods == ()


def test_manifests_without_a_workload_cannot_be_looked_at(looked: Looked) -> None:
    with pytest.raises(ProbeError, match="no workload"):
        looked(DENY)


# -- connections -------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of one that takes connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def tried(env_with: EnvWith, tmp_path: Path, flows: list[Any], zones: list[Any]) -> Any:
    root = lay(tmp_path / "c", {"a.yaml": said(WEB, DB)})
    env = env_with(
        deploy={"checkout": str(root)},
        kubernetes=KUBERNETES,
        network_policy={"flows": flows, "zones": zones, "connect_s": 0.5},
    )
    return flow_attempts(env, network_policies(env, applied(env)))


FLOWS = [{"source": "web", "to": "db", "port": 5432}]


def test_connections_between_zones(
    env_with: EnvWith, tmp_path: Path, listener: int, dead_port: int
) -> None:
    def zones(port: int) -> list[dict[str, Any]]:
        return [
            {"name": "web", "source": "127.0.0.1"},
            {"name": "outside", "source": "127.0.0.1"},
            {"name": "db", "host": "127.0.0.1", "ports": {"5432": port}},
        ]

    found = tried(env_with, tmp_path, FLOWS, zones(listener))
    assert (found.allowed, found.refused) == (["web -> db:5432/TCP"], [])
    assert found.leaks == ["outside -> db:5432/TCP"]
    assert found.untried == []
    dead = tried(env_with, tmp_path, FLOWS, zones(dead_port))
    assert (dead.refused, dead.leaks) == (["web -> db:5432/TCP"], [])
    assert dead.number_forbidden == 1


def test_strangers_among_themselves_are_nobodys_matter(
    env_with: EnvWith, tmp_path: Path, listener: int
) -> None:
    flows = [*FLOWS, {"source": "web", "to": "api", "port": 443}]
    at = {"host": "127.0.0.1", "ports": {"5432": listener, "443": listener}}
    zones = [
        {"name": "web", "source": "127.0.0.1"},
        {"name": "db", **at},
        {"name": "api", "source": "127.0.0.1", **at},
        {"name": "bank", "source": "127.0.0.1"},
    ]
    found = tried(env_with, tmp_path, flows, zones)
    assert found.forbidden == ["api -> db:5432/TCP", "bank -> db:5432/TCP"]


def test_a_zones_own_command_connects(env_with: EnvWith, tmp_path: Path, listener: int) -> None:
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
    zones = [
        {"name": "web", "command": ["{python}", "-c", connect, "{host}", "{port}"]},
        {"name": "outside", "command": ["{python}", "-c", "raise SystemExit(1)"]},
        {"name": "db", "host": "127.0.0.1", "ports": {"5432": listener}},
    ]
    found = tried(env_with, tmp_path, FLOWS, zones)
    assert (found.refused, found.leaks, found.number_forbidden) == ([], [], 1)
    missing = [{"name": "web", "command": ["no-such-program"]}, zones[2]]
    with pytest.raises(ProbeError, match="cannot be started"):
        tried(env_with, tmp_path, FLOWS, missing)


def test_flows_without_a_zone_are_unseen(env_with: EnvWith, tmp_path: Path) -> None:
    found = tried(env_with, tmp_path, FLOWS, [{"name": "web", "source": "127.0.0.1"}])
    assert isinstance(found.untried, Unseen)
    assert "web -> db:5432/TCP" in str(found.untried.error)
    with pytest.raises(ProbeError, match="no zone is declared"):
        tried(env_with, tmp_path, FLOWS, [])


@pytest.mark.skipif(sys.platform != "linux", reason="addresses of 127.0.0.0/8 are there by itself")
def test_an_address_that_this_machine_does_not_have_is_no_refusal(
    env_with: EnvWith, tmp_path: Path, listener: int
) -> None:
    zones = [
        {"name": "web", "source": "192.0.2.1"},
        {"name": "db", "host": "127.0.0.1", "ports": {"5432": listener}},
    ]
    with pytest.raises(ProbeError, match="a connection from web to db"):
        tried(env_with, tmp_path, FLOWS, zones)
