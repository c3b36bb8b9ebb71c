from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.data.redis import (
    KeyCopy,
    RedisCluster,
    Sentinel,
    Server,
    open_users,
    redis_cluster,
)
from golive.probes.data.section import Redis, RedisNode
from golive.sections import Asked, Section, needed
from golive.verdicts import ProbeError, Unseen

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


class Holder(Section, frozen=True, kw_only=True):
    redis: Redis = needed("Redis")


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
        (
            servers(replica=replace(REPLICA, open_users=("cashier",))),
            "open to anyone",
            "cache-2 as cashier",
        ),
    ],
)
def test_each_clause_reddens(
    judged: Judge, env_with: EnvWith, facts: RedisCluster, subject: str, observed: str
) -> None:
    broken = judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=SECTION))
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


THIRD = replace(REPLICA, name="cache-3", follows="cache-2")
CASCADE = replace(
    GREEN,
    servers=(MASTER, replace(REPLICA, replicas=("cache-3",)), THIRD),
    copies=(COPY, replace(COPY, replica="cache-3", after_s=0.003, through=("cache-2",))),
)
OF_CASCADE = SECTION | {
    "nodes": [{"name": f"cache-{n}", "host": f"10.0.0.{n}"} for n in (1, 2, 3)],
}


def cascade(**changes: Any) -> RedisCluster:
    """With another replica in the middle."""
    master, second, third = CASCADE.servers
    return replace(CASCADE, servers=(master, replace(second, **changes), third))


def test_a_replica_may_follow_a_replica(judged: Judge, env_with: EnvWith) -> None:
    env = env_with(redis=OF_CASCADE)
    assert judged("D-14.1.2", redis_cluster=CASCADE, env=env) is None
    late = (COPY, replace(CASCADE.copies[1], after_s=1.2))
    broken = judged("D-14.1.2", redis_cluster=replace(CASCADE, copies=late), env=env)
    assert broken is not None
    assert "cache-3 by way of cache-2 1.2 s" in broken.observed


@pytest.mark.parametrize(
    ("facts", "second", "third"),
    [
        (
            cascade(link_up=False),
            "cache-2 follows cache-1 (the link of cache-2 is down)",
            "cache-3 follows cache-2, which follows cache-1 (the link of cache-2 is down)",
        ),
        (
            cascade(follows="10.9.9.9:6379"),
            "cache-2 follows 10.9.9.9:6379 (10.9.9.9:6379 is not declared)",
            "cache-3 follows cache-2, which follows 10.9.9.9:6379 (10.9.9.9:6379 is not declared)",
        ),
        (
            cascade(follows="cache-3"),
            "cache-2 follows cache-3, which follows cache-2 (a circle without a master)",
            "cache-3 follows cache-2, which follows cache-3 (a circle without a master)",
        ),
        (cascade(error="refused"), "", "cache-3 follows cache-2 (cache-2 does not answer)"),
        (
            replace(CASCADE, servers=(*CASCADE.servers[:2], replace(THIRD, link_up=False))),
            "",
            "cache-3 follows cache-2 (the link of cache-3 is down)",
        ),
    ],
)
def test_a_link_that_breaks_anywhere_in_a_chain_is_told(
    facts: RedisCluster, second: str, third: str
) -> None:
    assert facts.cut_off == [one for one in (second, third) if one]


def test_users_that_cannot_be_listed_leave_access_unseen_unless_one_is_open(
    judged: Judge, env_with: EnvWith
) -> None:
    error = ProbeError("the users of Redis cache-2", "NOPERM", "acl setuser USER +acl|list")
    hidden, env = replace(REPLICA, open_users=Unseen(error)), env_with(redis=SECTION)
    claim = judged("D-14.1.2", redis_cluster=servers(replica=hidden), env=env)
    assert claim is not None
    assert claim.unseen is error
    both = servers(replace(MASTER, open_users=("cashier",)), hidden)
    broken = judged("D-14.1.2", redis_cluster=both, env=env)
    assert broken is not None
    assert broken.observed == "cache-1 as cashier (2 servers)"


NONE = Unseen(ProbeError("whether the sentinels agree", "redis.sentinels declares none"))
HALVES = tuple(
    replace(
        MASTER,
        name=f"cache-{n}",
        replicas=(f"cache-{n + 2}",),
        cluster_state="ok",
        slots=((8192 * (n - 1), 8192 * n - 1),),
    )
    for n in (1, 2)
)
FOLLOWERS = tuple(
    replace(REPLICA, name=f"cache-{n + 2}", follows=f"cache-{n}", cluster_state="ok")
    for n in (1, 2)
)
CLUSTER = RedisCluster((*HALVES, *FOLLOWERS), NONE, (COPY, replace(COPY, replica="cache-4")))
OF_CLUSTER = SECTION | {
    "nodes": [{"name": f"cache-{n}", "host": f"10.0.0.{n}"} for n in (1, 2, 3, 4)],
    "sentinels": [],
}


@pytest.mark.parametrize("facts", [replace(GREEN, sentinels=NONE), CLUSTER])
def test_without_sentinels_only_what_they_would_say_is_unseen(
    judged: Judge, env_with: EnvWith, facts: RedisCluster
) -> None:
    section = OF_CLUSTER if facts is CLUSTER else SECTION | {"sentinels": []}
    claim = judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=section))
    assert claim is not None
    assert claim.unseen is NONE.error
    full = replace(
        facts, servers=(replace(facts.servers[0], memory_limit_bytes=0), *facts.servers[1:])
    )
    broken = judged("D-14.1.2", redis_cluster=full, env=env_with(redis=section))
    assert broken is not None
    assert broken.observed == f"cache-1 ({len(facts.servers)} servers)"


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ((HALVES[0], replace(HALVES[1], slots=((8192, 16_000),)), *FOLLOWERS), "8192-16000"),
        ((HALVES[0], replace(HALVES[1], slots=((8000, 16_383),)), *FOLLOWERS), "8000-16383"),
        ((HALVES[0], replace(HALVES[1], cluster_state="fail"), *FOLLOWERS), "masters: cache-1 of"),
        ((*HALVES, FOLLOWERS[0], replace(FOLLOWERS[1], follows="cache-1")), "replicas: 0"),
    ],
)
def test_a_cluster_with_a_slot_or_a_replica_too_few_is_red(
    judged: Judge, env_with: EnvWith, servers: tuple[Server, ...], says: str
) -> None:
    facts = replace(CLUSTER, servers=servers)
    broken = judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=OF_CLUSTER))
    assert broken is not None
    assert broken.broken
    assert says in repr(broken)


def test_what_the_access_list_keeps_the_key_from_is_unseen(
    judged: Judge, env_with: EnvWith
) -> None:
    error = ProbeError("Redis cache-1", "no permission", "acl setuser golive ~golive:*")
    facts = replace(GREEN, copies=Unseen(error))
    claim = judged("D-14.1.2", redis_cluster=facts, env=env_with(redis=SECTION))
    assert claim is not None
    assert claim.unseen is error


def test_a_policy_that_nobody_declared_is_unseen(judged: Judge) -> None:
    nodes = [RedisNode(name=name, host="10.0.0.1") for name in ("cache-1", "cache-2")]
    env = Asked(Holder(redis=Redis(nodes=nodes)))
    claim = judged("D-14.1.2", redis_cluster=GREEN, env=env)
    assert claim is not None
    assert claim.unseen is not None
    assert "does not declare its key eviction_policy" in claim.observed
    broken = judged(
        "D-14.1.2", redis_cluster=servers(replace(MASTER, open_to_anyone=True)), env=env
    )
    assert broken is not None
    assert "open to anyone" in broken.subject


def test_users_that_any_password_lets_in_are_read_from_the_access_list() -> None:
    assert open_users(
        [
            "user default on nopass sanitize-payload ~* &* +@all",  # tried by a PING
            "user cashier on nopass sanitize-payload ~* &* +@all",
            "user worker on sanitize-payload #5e88 ~* &* +@all",
            "user former off nopass sanitize-payload ~* &* +@all",
        ]
    ) == ["cashier"]


def test_no_server_answers(env_with: EnvWith, dead_port: int) -> None:
    nodes = [n | {"host": "127.0.0.1", "port": dead_port} for n in SECTION["nodes"]]
    with pytest.raises(ProbeError, match=f"Redis cache-1 at 127.0.0.1:{dead_port}: .*refused"):
        redis_cluster(env_with(redis=SECTION | {"nodes": nodes}))
