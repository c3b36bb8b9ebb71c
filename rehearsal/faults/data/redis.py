"""Faults of the cache: replication, eviction, passwords."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal


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


@fault(
    "redis-user-without-password",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="a user of Redis beside the default one needs no password",
)
def redis_user_without_password(r: Rehearsal) -> None:
    command: Any = r.redis().execute_command
    command("ACL", "SETUSER", "cashier", "on", "nopass", "~*", "+@all")


@redis_user_without_password.revert
def remove_the_open_redis_user(r: Rehearsal) -> None:
    command: Any = r.redis().execute_command
    command("ACL", "DELUSER", "cashier")
