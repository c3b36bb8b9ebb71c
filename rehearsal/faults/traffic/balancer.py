"""Faults of the load balancer: its servers, its health checks, whom it believes."""

from __future__ import annotations

import csv
import os

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import BACKEND, SERVERS, balancer


@fault(
    "instance-not-balanced",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer lost one of two instances",
)
def instance_not_balanced(r: Rehearsal) -> None:
    r.override("balancer", servers=SERVERS[:1])
    restart_balancer(r)


@instance_not_balanced.revert
def balance_both_instances(r: Rehearsal) -> None:
    r.clear_override("balancer", "servers")
    restart_balancer(r)


@fault(
    "health-check-on-home-page",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer asks / instead of /health",
)
def health_check_on_home_page(r: Rehearsal) -> None:
    r.override("balancer", health_path="/")
    restart_balancer(r)


@health_check_on_home_page.revert
def check_health_again(r: Rehearsal) -> None:
    r.clear_override("balancer", "health_path")
    restart_balancer(r)


@fault(
    "health-check-takes-any-status",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="whatever an instance answers to its health check, it counts as healthy",
)
def health_check_takes_any_status(r: Rehearsal) -> None:
    r.override("balancer", health_expected="status 200-599")
    restart_balancer(r)


@health_check_takes_any_status.revert
def expect_status_200_again(r: Rehearsal) -> None:
    r.clear_override("balancer", "health_expected")
    restart_balancer(r)


@fault(
    "balancer-file-not-loaded",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer runs another configuration than its file, whose time was set back",
)
def balancer_file_not_loaded(r: Rehearsal) -> None:
    file = balancer.config(r)
    before = file.stat()
    file.write_text(file.read_text().replace("fall 2 ", "fall 200 "))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@balancer_file_not_loaded.revert
def load_the_file(r: Rehearsal) -> None:
    restart_balancer(r)


@fault(
    "client-address-believed",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer passes on what a client says of its own address",
)
def client_address_believed(r: Rehearsal) -> None:
    r.override("balancer", trust_forwarded_for=True)
    restart_balancer(r)


@client_address_believed.revert
def overwrite_client_addresses(r: Rehearsal) -> None:
    r.clear_override("balancer", "trust_forwarded_for")
    restart_balancer(r)


@fault(
    "redirect-missing-on-api",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer answers the API without TLS",
)
def redirect_missing_on_api(r: Rehearsal) -> None:
    r.override("balancer", plain_paths=["/api/"])
    restart_balancer(r)


@redirect_missing_on_api.revert
def send_the_api_to_https(r: Rehearsal) -> None:
    r.clear_override("balancer", "plain_paths")
    restart_balancer(r)


@fault(
    "api-document-not-served",
    expect_fail=["D-14.1.4"],
    touches=["balancer"],
    title="nobody can read the API document",
)
def api_document_not_served(r: Rehearsal) -> None:
    r.override("balancer", denied_paths=["/openapi.json"])
    restart_balancer(r)


@api_document_not_served.revert
def serve_the_api_document(r: Rehearsal) -> None:
    r.clear_override("balancer", "denied_paths")
    restart_balancer(r)


def restart_balancer(r: Rehearsal) -> None:
    """Start it again and wait until its own health checks have spoken."""
    r.restart("balancer")
    servers = set(r.setting("balancer", "servers", SERVERS))
    r.wait("the balancer has checked its servers", lambda: _checked(r) == servers)


def _checked(r: Rehearsal) -> set[str]:
    """Servers that the balancer's health check has found up."""
    rows = csv.DictReader(balancer.ask(r, "show stat").removeprefix("# ").splitlines())
    return {
        row["svname"]
        for row in rows
        if row["pxname"] == BACKEND and row["check_status"].removeprefix("* ") == "L7OK"
    }
