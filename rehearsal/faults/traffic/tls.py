"""Faults of certificates, as they are served and as they lie on disk."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.traffic.balancer import restart_balancer
from rehearsal.faults.traffic.edge import restart_edge
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.edge import nodes as edge_nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, LOCAL, authority


@fault(
    "certificate-ends-soon",
    expect_fail=["D-14.1.5"],
    touches=["balancer"],
    title="the balancer's certificate ends in 59 days",
)
def certificate_ends_soon(r: Rehearsal) -> None:
    r.override("balancer", certificate_days=59)
    restart_balancer(r)


@certificate_ends_soon.revert
def renew_the_certificate(r: Rehearsal) -> None:
    r.clear_override("balancer", "certificate_days")
    restart_balancer(r)


@fault(
    "intermediate-not-served",
    # Who cannot verify the edge cannot look at what it caches or shows either.
    expect_fail=["D-14.1.5"],
    touches=["edge"],
    title="the edge serves its certificate without the intermediate",
)
def intermediate_not_served(r: Rehearsal) -> None:
    r.override("edge", full_chain=False)
    restart_edge(r)


@intermediate_not_served.revert
def serve_the_intermediate(r: Rehearsal) -> None:
    r.clear_override("edge", "full_chain")
    restart_edge(r)


@fault(
    "node-not-reloaded",
    expect_fail=["D-14.1.5"],
    touches=["edge"],
    title="one edge node was not reloaded and serves the certificate before the last",
)
def node_not_reloaded(r: Rehearsal) -> None:
    reloaded, forgotten = edge_nodes
    (authority(r).folder / "edge.pem").unlink()  # one that is there would be kept
    authority(r).issue("edge", (*EDGE_HOSTS, *LOCAL))
    r.restart(reloaded.name)
    forgotten.prepare(r)


@node_not_reloaded.revert
def reload_the_node(r: Rehearsal) -> None:
    r.restart(edge_nodes[1].name)
