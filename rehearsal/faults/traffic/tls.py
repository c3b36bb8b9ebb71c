"""Faults of certificates, as they are served and as they lie on disk."""

from __future__ import annotations

import shutil

from rehearsal.faults import fault
from rehearsal.faults.traffic.balancer import restart_balancer
from rehearsal.faults.traffic.edge import restart_edge
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import balancer
from rehearsal.parts.traffic.certificates import Authority
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


FOREIGN = "foreign-authority"


@fault(
    "intermediate-of-another-on-disk",
    expect_fail=["D-14.1.5"],
    touches=["balancer"],
    title="the balancer's certificate file has another authority's intermediate behind the leaf",
)
def intermediate_of_another_on_disk(r: Rehearsal) -> None:
    file, ours = balancer.certificate_file(r), authority(r)
    theirs = Authority(r.path(FOREIGN)).intermediate.read_bytes()
    file.write_bytes(file.read_bytes().replace(ours.intermediate.read_bytes(), theirs))


@intermediate_of_another_on_disk.revert
def put_our_intermediate_back(r: Rehearsal) -> None:
    restart_balancer(r)
    shutil.rmtree(r.path(FOREIGN))


@fault(
    "second-endpoint-certificate-ends-soon",
    expect_fail=["D-14.1.5"],
    touches=["balancer"],
    title="the API has a port of its own, whose certificate ends in 59 days",
)
def second_endpoint_certificate_ends_soon(r: Rehearsal) -> None:
    r.override("balancer", api_apart=True, api_certificate_days=59)
    restart_balancer(r)


@fault(
    "redirect-leads-nowhere",
    expect_fail=["D-14.1.5"],
    touches=["balancer"],
    title="plain HTTP of the API is sent to a port where nothing listens",
)
def redirect_leads_nowhere(r: Rehearsal) -> None:
    r.override("balancer", api_apart=True)
    restart_balancer(r)


@redirect_leads_nowhere.revert
@second_endpoint_certificate_ends_soon.revert
def serve_the_api_at_one_port(r: Rehearsal) -> None:
    r.clear_override("balancer", "api_apart", "api_certificate_days")
    restart_balancer(r)
