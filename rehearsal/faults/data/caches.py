"""Faults of the cache's servers and of the sentinels that watch over them."""

from __future__ import annotations

from typing import Any

import psutil

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.data.redis import DATA_SETTINGS, MASTER_NAME, QUORUM

PRIMARY, REPLICA, SENTINEL = "redis-primary", "redis-replica", "redis-sentinel-3"
NEARLY_FULL = 0.9


@fault(
    "redis-second-master",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="the Redis replica was made a master, and the sentinels may not undo it",
    settled=lambda r: _role(r) == "master",
    reverted=lambda r: _role(r) == "slave",
)
def redis_second_master(r: Rehearsal) -> None:
    _ask(r, REPLICA, "REPLICAOF", "NO", "ONE")
    _ask(r, REPLICA, "ACL", "SETUSER", "default", "-replicaof", "-slaveof")


@redis_second_master.revert
def follow_the_master(r: Rehearsal) -> None:
    _ask(r, REPLICA, "ACL", "SETUSER", "default", "+@all")
    _ask(r, REPLICA, "REPLICAOF", "127.0.0.1", str(r.port(PRIMARY)))
    r.wait("the replica has its copy", lambda: _link(r) == "up")


def _ask(r: Rehearsal, part: str, *words: str) -> Any:
    """The answer to a command, given as words."""
    command: Any = r.redis(part).execute_command
    return command(*words)


def _info(r: Rehearsal, part: str, section: str) -> dict[str, Any]:
    found: dict[str, Any] = r.redis(part).info(section)
    return found


def _role(r: Rehearsal) -> str:
    return str(_info(r, REPLICA, "replication")["role"])


def _link(r: Rehearsal) -> str:
    return str(_info(r, REPLICA, "replication").get("master_link_status", "none"))


@fault(
    "sentinel-watches-another",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="one sentinel takes the replica for the master",
    settled=lambda r: _watched(r) == r.port(REPLICA),
    reverted=lambda r: _known_sentinels(r) == [2, 2, 2],
)
def sentinel_watches_another(r: Rehearsal) -> None:
    _ask(r, SENTINEL, "SENTINEL", "REMOVE", MASTER_NAME)
    where = ("127.0.0.1", str(r.port(REPLICA)), str(QUORUM))
    _ask(r, SENTINEL, "SENTINEL", "MONITOR", MASTER_NAME, *where)
    # Long enough that it does not set out to replace what it takes for a master.
    patience = ("down-after-milliseconds", "3600000")
    _ask(r, SENTINEL, "SENTINEL", "SET", MASTER_NAME, *patience)


@sentinel_watches_another.revert
def watch_the_master(r: Rehearsal) -> None:
    r.restart(SENTINEL)


def _watched(r: Rehearsal) -> int:
    found = _ask(r, SENTINEL, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
    return int(found[1])


def _known_sentinels(r: Rehearsal) -> list[int]:
    """How many others each sentinel knows."""
    names = [f"redis-sentinel-{n}" for n in (1, 2, 3)]
    command = ("SENTINEL", "SENTINELS", MASTER_NAME)
    return [len(_ask(r, name, *command)) for name in names]


@fault(
    "sentinel-without-quorum",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="one sentinel asks for more agreement than there are sentinels",
)
def sentinel_without_quorum(r: Rehearsal) -> None:
    _ask(r, SENTINEL, "SENTINEL", "SET", MASTER_NAME, "quorum", "9")


@sentinel_without_quorum.revert
def ask_for_two(r: Rehearsal) -> None:
    _ask(r, SENTINEL, "SENTINEL", "SET", MASTER_NAME, "quorum", str(QUORUM))


@fault(
    "redis-without-limit",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="nothing limits the memory of Redis",
)
def redis_without_limit(r: Rehearsal) -> None:
    r.redis().config_set("maxmemory", "0")


@fault(
    "redis-nearly-full",
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="Redis uses nine tenths of its memory",
)
def redis_nearly_full(r: Rehearsal) -> None:
    used = int(_info(r, PRIMARY, "memory")["used_memory"])
    r.redis().config_set("maxmemory", str(int(used / NEARLY_FULL)))


@redis_without_limit.revert
@redis_nearly_full.revert
def limit_it_again(r: Rehearsal) -> None:
    r.redis().config_set("maxmemory", DATA_SETTINGS["maxmemory"])


@fault(
    "redis-save-fails",
    # On the replica: a master whose save fails takes no writes.
    expect_fail=["D-14.1.2"],
    touches=["redis"],
    title="the last save of the Redis replica failed",
    settled=lambda r: _last_save(r) == "err",
    reverted=lambda r: _last_save(r) == "ok",
)
def redis_save_fails(r: Rehearsal) -> None:
    replica = r.redis(REPLICA)
    # Else it ends at the next command of its master that it cannot save.
    replica.config_set("stop-writes-on-bgsave-error", "no")
    replica.config_set("save", "")  # the next save by itself would succeed
    replica.config_set("rdb-key-save-delay", "10000000")  # microseconds for each key
    replica.bgsave(schedule=True)
    server = psutil.Process(int(_info(r, REPLICA, "server")["process_id"]))
    r.wait("the replica is saving", lambda: bool(server.children()))
    for saving in server.children():
        saving.kill()


@redis_save_fails.revert
def save_again(r: Rehearsal) -> None:
    replica = r.redis(REPLICA)
    replica.config_set("rdb-key-save-delay", "0")
    replica.config_set("save", DATA_SETTINGS["save"])
    replica.bgsave(schedule=True)
    r.wait("the replica has saved", lambda: _last_save(r) == "ok")
    replica.config_set("stop-writes-on-bgsave-error", "yes")


def _last_save(r: Rehearsal) -> str:
    return str(_info(r, REPLICA, "persistence")["rdb_last_bgsave_status"])
