"""Faults of the frontend's assets: how they are built, and how the edge serves them."""

from __future__ import annotations

from typing import Any

from rehearsal.data import frontend
from rehearsal.faults import fault
from rehearsal.faults.traffic.edge import restart_edge
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.edge import nodes

EDGE, BUILT = ("edge",), ("build/frontend",)
_SETTINGS = ("compress", "asset_max_age", "missing_assets", "source_maps")


def _edge(r: Rehearsal, **settings: Any) -> None:
    r.override("edge", **settings)
    restart_edge(r)


@fault(
    "assets-not-compressed-on-one-node",
    expect_fail=["D-12.1.2"],
    touches=EDGE,
    title="one edge node sends scripts uncompressed",
)
def assets_not_compressed_on_one_node(r: Rehearsal) -> None:
    r.override(nodes[1].name, compress=False)
    restart_edge(r)


@assets_not_compressed_on_one_node.revert
def compress_on_both(r: Rehearsal) -> None:
    r.clear_override(nodes[1].name, "compress")
    restart_edge(r)


@fault(
    "source-map-published",
    expect_fail=["D-12.1.2"],
    touches=EDGE,
    title="anybody can read the scripts' source maps",
)
def source_map_published(r: Rehearsal) -> None:
    _edge(r, source_maps=True)


@fault(
    "assets-kept-for-an-hour",
    expect_fail=["D-12.1.2"],
    touches=EDGE,
    title="files with a digest in their address are kept for an hour",
)
def assets_kept_for_an_hour(r: Rehearsal) -> None:
    _edge(r, asset_max_age=3600)


@fault(
    "asset-missing",
    expect_fail=["D-12.1.2"],
    touches=EDGE,
    title="a style sheet that the pages load is not there",
)
def asset_missing(r: Rehearsal) -> None:
    _edge(r, missing_assets=["/css/print\\.css"])


@source_map_published.revert
@assets_kept_for_an_hour.revert
@asset_missing.revert
def serve_assets_again(r: Rehearsal) -> None:
    r.clear_override("edge", *_SETTINGS)
    restart_edge(r)


@fault(
    "scripts-not-minified",
    expect_fail=["D-12.1.2"],
    touches=(*EDGE, *BUILT),
    title="the frontend's scripts are published as people write them",
)
def scripts_not_minified(r: Rehearsal) -> None:
    frontend.build(r, minify=False)
    restart_edge(r)


@fault(
    "script-too-large",
    expect_fail=["D-12.1.2"],
    touches=(*EDGE, *BUILT),
    title="a script that every page loads has 400 kB compressed",
)
def script_too_large(r: Rehearsal) -> None:
    frontend.enlarge(r, "js/navigation.js", 400_000)
    restart_edge(r)


@fault(
    "page-too-heavy",
    expect_fail=["D-12.1.2"],
    touches=(*EDGE, *BUILT),
    title="the logo has two megabytes",
)
def page_too_heavy(r: Rehearsal) -> None:
    frontend.enlarge(r, "img/logo.svg", 2_000_000)
    restart_edge(r)


@fault(
    "assets-without-digest",
    expect_fail=["D-12.1.2"],
    touches=(*EDGE, *BUILT),
    title="the addresses of assets name the release in place of their content",
)
def assets_without_digest(r: Rehearsal) -> None:
    (frontend.folder(r) / frontend.NO_DIGESTS).touch()
    restart_edge(r)


@scripts_not_minified.revert
@script_too_large.revert
@page_too_heavy.revert
@assets_without_digest.revert
def build_the_frontend_again(r: Rehearsal) -> None:
    frontend.build(r)
    restart_edge(r)
