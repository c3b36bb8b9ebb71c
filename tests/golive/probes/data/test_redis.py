from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.data.redis import KeyCopy, RedisCluster, Sentinel, Server, redis_cluster
from golive.verdicts import ProbeError

MASTER = Server(
    "cache-1",
    "",
    "master",
    replicas=("cache-2",),
    memory_used_bytes=10,
    memory_limit_bytes=100,
    eviction_policy="allkeys-lru",
)
REPLICA = replace(
    MASTER, name="cache-2", role="slave", follows="cache-1", link_up=True, replicas=()
)
SENTINELS = tuple(
    Sentinel(f"sentinel-{n}", "cache-1", down=False, knows_sentinels=3, quorum="OK 3 usable")
    for n in (1, 2, 3)
)
COPY = KeyCopy("cache-2", arrived=True, after_s=0.001, expires=True)
GREEN = RedisCluster((MASTER, REPLICA), SENTINELS, (COPY,))
SECTION: dict[str, Any] = {
    "nodes": [{"name": "cache-1", "host": "10.0.0.1"}, {"name": "cache-2", "host": "10.0.0.2"}],
    "sentinels": [{"name": f"sentinel-{n}", "host": f"10.0.1.{n}"} for n in (1, 2, 3)],
    "eviction_policy": "allkeys-lru",
}

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def servers(master: Server = MASTER, replica: Server = REPLICA) -> RedisCluster:
    return replace(GREEN, servers=(master, replica))


def sentinel(**changes: Any) -> RedisCluster:
    return replace(GREEN, sentinels=(*SENTINELS[:2], replace(SENTINELS[2], **changes)))


def test_a_healthy_cluster_is_green(judged: Judge, env_with: EnvWith) -> None:
    assert judged("D-14.1.2", redis_cluster=GREEN, env=env_with(redis=SECTION)) is None


def test_roles_may_be_swapped_by_a_failover(judged: Judge, env_with: EnvWith) -> None:
    facts = RedisCluster(
        (
            replace(REPLICA, name="cache-1", follows="cache-2"),
            replace(MASTER, name="cache-2", replicas=("cache-1",)),
        ),
        tuple(replace(s, master="cache-2") for s in SENTINELS),
        (replace(COPY, replica="cache-1"),),
    )
    assert judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=SECTION)) is None


@pytest.mark.parametrize(
    ("facts", "subject", "observed"),
    [
        (servers(replica=Server("cache-2", "refused")), "do not answer", "cache-2: refused"),
        (servers(replica=replace(MASTER, name="cache-2")), "masters", "cache-1, cache-2"),
        (servers(master=replace(REPLICA, name="cache-1")), "masters", "none"),
        (servers(master=replace(MASTER, replicas=())), "master and replicas", "missing cache-2"),
        (
            servers(master=replace(MASTER, replicas=("cache-2", "10.9.9.9:6379"))),
            "master and replicas",
            "not declared 10.9.9.9:6379",
        ),
        (servers(replica=replace(REPLICA, link_up=False)), "cut off", "cache-2"),
        (servers(replica=replace(REPLICA, follows="10.9.9.9:6379")), "cut off", "10.9.9.9"),
        (sentinel(master="cache-2"), "master by sentinels", "not declared cache-2"),
        (replace(GREEN, sentinels=()), "master by sentinels", "missing cache-1"),
        (sentinel(knows_sentinels=2), "miss one", "sentinel-3 knows 2 of 3"),
        (sentinel(quorum="NOQUORUM 1 usable"), "unsure", "sentinel-3: NOQUORUM"),
        (sentinel(down=True), "unsure", "sentinel-3"),
        (replace(GREEN, copies=(KeyCopy("cache-2", False, 2.0, False),)), "key", "not there yet"),
        (replace(GREEN, copies=(replace(COPY, after_s=1.2),)), "key copied", "cache-2 1.2 s"),
        (replace(GREEN, copies=(replace(COPY, expires=False),)), "without expiry", "cache-2"),
        (replace(GREEN, copies=()), "key copied", "nothing was measured"),
        (servers(replica=replace(REPLICA, memory_limit_bytes=0)), "maxmemory", "cache-2"),
        (servers(replica=replace(REPLICA, memory_used_bytes=80)), "cache-2, the fullest", "80 %"),
        (servers(replace(MASTER, eviction_policy="noeviction")), "evict", "cache-1: noeviction"),
        (servers(replace(MASTER, failed_saves=("RDB save",))), "saves", "cache-1: RDB save"),
        (servers(replace(MASTER, open_to_anyone=True)), "open to anyone", "cache-1"),
    ],
)
def test_each_clause_reddens(
    judged: Judge, env_with: EnvWith, facts: RedisCluster, subject: str, observed: str
) -> None:
    broken = judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=SECTION))
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


def test_no_server_answers(env_with: EnvWith, dead_port: int) -> None:
    nodes = [n | {"host": "127.0.0.1", "port": dead_port} for n in SECTION["nodes"]]
    with pytest.raises(ProbeError, match=f"Redis cache-1 at 127.0.0.1:{dead_port}: .*refused"):
        redis_cluster(env_with(redis=SECTION | {"nodes": nodes}))
