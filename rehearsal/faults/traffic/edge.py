"""Faults of the caching edge: what it keeps and which names it serves."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.traffic.edge import nodes as edge_nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS


@fault(
    "appointments-cached",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps answers of /api/v2/appointments",
)
def appointments_cached(r: Rehearsal) -> None:
    r.override("edge", cached_paths=["/api/v2/appointments"])
    restart_edge(r)


@appointments_cached.revert
def cache_no_appointments(r: Rehearsal) -> None:
    r.clear_override("edge", "cached_paths")
    restart_edge(r)


@fault(
    "session-cookie-ignored",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps pages whoever is signed in",
)
def session_cookie_ignored(r: Rehearsal) -> None:
    r.override("edge", honour_session=False)
    restart_edge(r)


@session_cookie_ignored.revert
def honour_the_session_cookie(r: Rehearsal) -> None:
    r.clear_override("edge", "honour_session")
    restart_edge(r)


@fault(
    "api-route-cached",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps answers of a route that only the API document names",
)
def api_route_cached(r: Rehearsal) -> None:
    r.override("edge", cached_paths=["/api/v2/dashboard/"])
    restart_edge(r)


@api_route_cached.revert
def cache_no_api_route(r: Rehearsal) -> None:
    r.clear_override("edge", "cached_paths")
    restart_edge(r)


@fault(
    "redirect-missing-on-one-node",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="one edge node answers assets without TLS",
)
def redirect_missing_on_one_node(r: Rehearsal) -> None:
    r.override(edge_nodes[1].name, plain_paths=["/static/"])
    r.restart(edge_nodes[1].name)


@redirect_missing_on_one_node.revert
def send_assets_to_https(r: Rehearsal) -> None:
    r.clear_override(edge_nodes[1].name, "plain_paths")
    r.restart(edge_nodes[1].name)


@fault(
    "script-added-on-one-node",
    expect_fail=["D-9.2.2"],
    touches=["edge"],
    title="one edge node adds a script to the payment page",
)
def script_added_on_one_node(r: Rehearsal) -> None:
    r.override(edge_nodes[1].name, scripts_added_to=["/pay"])
    r.restart(edge_nodes[1].name)


@script_added_on_one_node.revert
def add_no_script(r: Rehearsal) -> None:
    r.clear_override(edge_nodes[1].name, "scripts_added_to")
    r.restart(edge_nodes[1].name)


def restart_edge(r: Rehearsal) -> None:
    """Start both nodes again, with an empty cache."""
    for node in edge_nodes:
        r.stop(node.name)
        node.purge(r)
        r.start(node.name)


@fault(
    "alias-dropped",
    expect_fail=["D-14.1.4"],
    touches=["aws/distribution"],
    title="the distribution lacks one public name",
)
def alias_dropped(r: Rehearsal) -> None:
    _set_aliases(r, EDGE_HOSTS[:1])


@alias_dropped.revert
def add_the_alias(r: Rehearsal) -> None:
    _set_aliases(r, EDGE_HOSTS)


def _set_aliases(r: Rehearsal, names: Sequence[str]) -> None:
    cloudfront, ident = aws.client(r, "cloudfront"), r.recall("aws")["distribution_id"]
    found = cloudfront.get_distribution_config(Id=ident)
    config = {
        **found["DistributionConfig"],
        "Aliases": {"Quantity": len(names), "Items": list(names)},
    }
    cloudfront.update_distribution(Id=ident, IfMatch=found["ETag"], DistributionConfig=config)
