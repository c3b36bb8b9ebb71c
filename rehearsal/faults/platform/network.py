"""Faults of the network: groups that let too many in, listeners on the wrong address."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.platform import aws_network as network

TOUCHES = ["aws/network"]


@fault(
    "database-open-to-the-internet",
    expect_fail=["D-14.3.1"],
    title="the database's security group lets anybody in",
)
def database_open_to_the_internet(r: Rehearsal) -> None:
    network.let_in(r, aws.client, network.DATABASE, network.POSTGRES, network.ANYBODY)


@database_open_to_the_internet.revert
def close_the_database(r: Rehearsal) -> None:
    network.keep_out(r, aws.client, network.DATABASE, network.POSTGRES, network.ANYBODY)


@fault(
    "application-open-over-ipv6",
    expect_fail=["D-14.3.1"],
    title="the application's security group lets anybody in over IPv6",
)
def application_open_over_ipv6(r: Rehearsal) -> None:
    network.let_in(r, aws.client, network.INSTANCES, network.APP, network.ANYBODY_V6)


@application_open_over_ipv6.revert
def close_the_application(r: Rehearsal) -> None:
    network.keep_out(r, aws.client, network.INSTANCES, network.APP, network.ANYBODY_V6)


@fault(
    "monitoring-may-reach-the-cache",
    expect_fail=["D-14.3.1"],
    title="the cache's security group lets in another group than the application's",
)
def monitoring_may_reach_the_cache(r: Rehearsal) -> None:
    network.let_in(r, aws.client, network.CACHE, network.REDIS, network.WATCH)


@monitoring_may_reach_the_cache.revert
def keep_monitoring_from_the_cache(r: Rehearsal) -> None:
    network.keep_out(r, aws.client, network.CACHE, network.REDIS, network.WATCH)


@fault(
    "group-not-declared",
    expect_fail=["D-14.3.1"],
    title="an instance has a security group that nobody declared",
)
def group_not_declared(r: Rehearsal) -> None:
    network.add_group(r, aws.client, "temporary")


@group_not_declared.revert
def drop_the_group(r: Rehearsal) -> None:
    network.drop_group(r, aws.client, "temporary")


@fault(
    "redis-on-all-addresses",
    expect_fail=["D-14.3.1"],
    touches=["redis/address"],
    title="Redis is bound to every address",
)
def redis_on_all_addresses(r: Rehearsal) -> None:
    r.redis().config_set("bind", "* -::*")


@redis_on_all_addresses.revert
def redis_on_its_own_address(r: Rehearsal) -> None:
    r.redis().config_set("bind", "127.0.0.1")
