"""Faults of the infrastructure: database cluster, cache, balancer, edge, certificates."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.traffic.balancer import BACKEND, SERVERS, balancer
from rehearsal.parts.traffic.edge import nodes as edge_nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, LOCAL, authority

# -- database cluster ------------------------------------------------------------------------------

UNREAD_SLOT = "left_behind"
ARCHIVING_FAILS = """
select 1 from pg_stat_archiver
where last_failed_time > coalesce(last_archived_time, '-infinity')"""


@fault(
    "wal-replay-paused",
    expect_fail=["D-14.1.1"],
    touches=["postgres/standby"],
    title="WAL replay on the standby is paused",
)
def wal_replay_paused(r: Rehearsal) -> None:
    r.standby.sql("select pg_wal_replay_pause()")


@wal_replay_paused.revert
def resume_wal_replay(r: Rehearsal) -> None:
    r.standby.sql("select pg_wal_replay_resume()")


@fault(
    "slot-left-behind",
    expect_fail=["D-14.1.1"],
    touches=["postgres/slots"],
    title="a replication slot has no reader",
)
def slot_left_behind(r: Rehearsal) -> None:
    r.primary.sql("select pg_create_physical_replication_slot(%s, true)", [UNREAD_SLOT])


@slot_left_behind.revert
def drop_the_slot(r: Rehearsal) -> None:
    r.primary.sql("select pg_drop_replication_slot(%s)", [UNREAD_SLOT])


@fault(
    "archive-command-fails",
    # No drill can recover what is not archived, and its alert is on before it is induced.
    expect_fail=["D-14.1.1"],
    touches=["postgres/settings", "archive"],
    title="archive_command of the primary fails",
    settled=lambda r: bool(r.primary.sql(ARCHIVING_FAILS)),
    reverted=lambda r: not r.primary.sql(ARCHIVING_FAILS),
)
def archive_command_fails(r: Rehearsal) -> None:
    r.primary.sql("alter system set archive_command = 'false'")
    _archive_now(r)


@archive_command_fails.revert
def mend_the_archive_command(r: Rehearsal) -> None:
    r.primary.sql("alter system reset archive_command")
    _archive_now(r)


def _archive_now(r: Rehearsal) -> None:
    r.primary.sql("select pg_reload_conf()")
    # A switch needs something to archive.
    r.primary.sql("select pg_logical_emit_message(true, 'rehearsal', 'to be archived')")
    r.primary.sql("select pg_switch_wal()")


# -- cache -----------------------------------------------------------------------------------------


@fault(
    "redis-link-broken",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="the Redis replica no longer knows its master's password",
    settled=lambda r: _link(r) == "down",
    reverted=lambda r: _link(r) == "up",
)
def redis_link_broken(r: Rehearsal) -> None:
    replica = r.redis("redis-replica")
    replica.config_set("masterauth", "not-the-password")
    replica.client_kill_filter(_type="master")


@redis_link_broken.revert
def mend_the_redis_link(r: Rehearsal) -> None:
    r.redis("redis-replica").config_set("masterauth", r.secret("redis"))


def _link(r: Rehearsal) -> str:
    info: dict[str, Any] = r.redis("redis-replica").info("replication")
    return str(info["master_link_status"])


@fault(
    "redis-without-eviction",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="Redis refuses writes when full",
)
def redis_without_eviction(r: Rehearsal) -> None:
    r.redis().config_set("maxmemory-policy", "noeviction")


@redis_without_eviction.revert
def restore_the_eviction_policy(r: Rehearsal) -> None:
    r.redis().config_set("maxmemory-policy", "allkeys-lru")


@fault(
    "redis-without-password",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="Redis asks nobody for a password",
)
def redis_without_password(r: Rehearsal) -> None:
    r.redis().config_set("requirepass", "")


@redis_without_password.revert
def restore_the_redis_password(r: Rehearsal) -> None:
    r.redis().config_set("requirepass", r.secret("redis"))


# -- balancer --------------------------------------------------------------------------------------


@fault(
    "instance-not-balanced",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer lost one of two instances",
)
def instance_not_balanced(r: Rehearsal) -> None:
    r.override("balancer", servers=SERVERS[:1])
    _restart_balancer(r)


@instance_not_balanced.revert
def balance_both_instances(r: Rehearsal) -> None:
    r.clear_override("balancer", "servers")
    _restart_balancer(r)


@fault(
    "health-check-on-home-page",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer asks / instead of /health",
)
def health_check_on_home_page(r: Rehearsal) -> None:
    r.override("balancer", health_path="/")
    _restart_balancer(r)


@health_check_on_home_page.revert
def check_health_again(r: Rehearsal) -> None:
    r.clear_override("balancer", "health_path")
    _restart_balancer(r)


@fault(
    "client-address-believed",
    expect_fail=["D-14.1.3"],
    touches=["balancer"],
    title="the balancer passes on what a client says of its own address",
)
def client_address_believed(r: Rehearsal) -> None:
    r.override("balancer", trust_forwarded_for=True)
    _restart_balancer(r)


@client_address_believed.revert
def overwrite_client_addresses(r: Rehearsal) -> None:
    r.clear_override("balancer", "trust_forwarded_for")
    _restart_balancer(r)


def _restart_balancer(r: Rehearsal) -> None:
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


# -- edge ------------------------------------------------------------------------------------------


@fault(
    "appointments-cached",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps answers of /api/v2/appointments",
)
def appointments_cached(r: Rehearsal) -> None:
    r.override("edge", cached_paths=["/api/v2/appointments"])
    _restart_edge(r)


@appointments_cached.revert
def cache_no_appointments(r: Rehearsal) -> None:
    r.clear_override("edge", "cached_paths")
    _restart_edge(r)


@fault(
    "session-cookie-ignored",
    expect_fail=["D-14.1.4"],
    touches=["edge"],
    title="the edge keeps pages whoever is signed in",
)
def session_cookie_ignored(r: Rehearsal) -> None:
    r.override("edge", honour_session=False)
    _restart_edge(r)


@session_cookie_ignored.revert
def honour_the_session_cookie(r: Rehearsal) -> None:
    r.clear_override("edge", "honour_session")
    _restart_edge(r)


def _restart_edge(r: Rehearsal) -> None:
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


# -- certificates ----------------------------------------------------------------------------------


@fault(
    "certificate-ends-soon",
    expect_fail=["D-14.1.5"],
    touches=["balancer"],
    title="the balancer's certificate ends in 59 days",
)
def certificate_ends_soon(r: Rehearsal) -> None:
    r.override("balancer", certificate_days=59)
    _restart_balancer(r)


@certificate_ends_soon.revert
def renew_the_certificate(r: Rehearsal) -> None:
    r.clear_override("balancer", "certificate_days")
    _restart_balancer(r)


@fault(
    "intermediate-not-served",
    # Who cannot verify the edge cannot look at what it caches or shows either.
    expect_fail=["D-14.1.5"],
    touches=["edge"],
    title="the edge serves its certificate without the intermediate",
)
def intermediate_not_served(r: Rehearsal) -> None:
    r.override("edge", full_chain=False)
    _restart_edge(r)


@intermediate_not_served.revert
def serve_the_intermediate(r: Rehearsal) -> None:
    r.clear_override("edge", "full_chain")
    _restart_edge(r)


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
