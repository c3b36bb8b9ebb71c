"""Faults of how requests are served: by whom, over what, from which copy."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.traffic.balancer import restart_balancer
from rehearsal.faults.traffic.edge import restart_edge
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.traffic.balancer import BACKEND, SERVERS, balancer
from rehearsal.parts.traffic.hosts import EDGE_HOSTS

# -- the balancer ----------------------------------------------------------------------------------


@fault(
    "balancer-file-broken",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer's file has a line that it does not understand",
)
def balancer_file_broken(r: Rehearsal) -> None:
    with balancer.config(r).open("a") as file:
        file.write("    servr app-3 127.0.0.1:9\n")


@balancer_file_broken.revert
def write_the_balancers_file(r: Rehearsal) -> None:
    restart_balancer(r)


@fault(
    "instance-in-maintenance",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="one of two instances is in maintenance",
)
def instance_in_maintenance(r: Rehearsal) -> None:
    balancer.ask(r, f"set server {BACKEND}/{SERVERS[1]} state maint")


@fault(
    "instance-favoured",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="one instance gets nearly all requests",
)
def instance_favoured(r: Rehearsal) -> None:
    balancer.ask(r, f"set server {BACKEND}/{SERVERS[0]} weight 20")


@instance_in_maintenance.revert
@instance_favoured.revert
def use_both_alike(r: Rehearsal) -> None:
    restart_balancer(r)


@fault(
    "health-check-seldom",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer checks its instances each 15 seconds",
    within_s=90,
)
def health_check_seldom(r: Rehearsal) -> None:
    r.override("balancer", health_interval_s=15)
    r.restart("balancer")


@health_check_seldom.revert
def check_health_each_second(r: Rehearsal) -> None:
    r.clear_override("balancer", "health_interval_s")
    restart_balancer(r)


# -- the edge --------------------------------------------------------------------------------------


def _edge(r: Rehearsal, **settings: Any) -> None:
    r.override("edge", **settings)
    restart_edge(r)


@fault(
    "assets-not-kept",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps no static assets",
)
def assets_not_kept(r: Rehearsal) -> None:
    _edge(r, keep_assets=False)


@fault(
    "edge-with-old-tls",
    # The payment page is served by it as well.
    expect_fail=["D-14.1.4", "D-9.2.2"],
    touches=["edge"],
    title="the edge still speaks TLS 1.1",
)
def edge_with_old_tls(r: Rehearsal) -> None:
    _edge(r, tls_versions="TLSv1.1 TLSv1.2 TLSv1.3", ciphers="ALL:@SECLEVEL=0")


@fault(
    "certificate-without-a-host",
    # Whoever checks names cannot look at what that host serves.
    expect_fail=["D-14.1.5"],
    touches=["edge"],
    title="the edge's certificate does not name one public host",
)
def certificate_without_a_host(r: Rehearsal) -> None:
    _edge(r, certified_hosts=list(EDGE_HOSTS[:1]))


@assets_not_kept.revert
@edge_with_old_tls.revert
@certificate_without_a_host.revert
def edge_as_it_was(r: Rehearsal) -> None:
    r.clear_override("edge", "keep_assets", "tls_versions", "ciphers", "certified_hosts")
    restart_edge(r)


# -- the distribution ------------------------------------------------------------------------------


@fault(
    "distribution-disabled",
    expect_fail=["D-14.1.4"],
    touches=["aws/distribution"],
    title="the distribution is disabled",
)
def distribution_disabled(r: Rehearsal) -> None:
    _change(r, Enabled=False)


@fault(
    "distribution-open-to-http",
    expect_fail=["D-14.1.4"],
    touches=["aws/distribution"],
    title="the distribution answers over plain HTTP",
)
def distribution_open_to_http(r: Rehearsal) -> None:
    config = _config(r)
    behaviour = {**config["DefaultCacheBehavior"], "ViewerProtocolPolicy": "allow-all"}
    _change(r, DefaultCacheBehavior=behaviour)


@fault(
    "distribution-with-old-tls",
    expect_fail=["D-14.1.4"],
    touches=["aws/distribution"],
    title="the distribution's policy allows TLS 1.1",
)
def distribution_with_old_tls(r: Rehearsal) -> None:
    config = _config(r)
    viewers = {**config["ViewerCertificate"], "MinimumProtocolVersion": "TLSv1.1_2016"}
    _change(r, ViewerCertificate=viewers)


@distribution_disabled.revert
@distribution_open_to_http.revert
@distribution_with_old_tls.revert
def distribution_as_it_was(r: Rehearsal) -> None:
    aws.change_distribution(r, **r.recall("distribution"))
    r.forget("distribution")


def _config(r: Rehearsal) -> dict[str, Any]:
    cloudfront, ident = aws.client(r, "cloudfront"), r.recall("aws")["distribution_id"]
    found: dict[str, Any] = cloudfront.get_distribution_config(Id=ident)["DistributionConfig"]
    return found


def _change(r: Rehearsal, **settings: Any) -> None:
    before = _config(r)
    r.remember("distribution", {key: before[key] for key in settings})
    aws.change_distribution(r, **settings)
