from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.data.cluster import (
    Archiver,
    ClusterNode,
    PostgresCluster,
    Replay,
    Slot,
    postgres_cluster,
)
from golive.verdicts import ProbeError, Unseen

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SLOT = Slot("db-1", "db_2", active=True, wal_status="reserved", invalid="")
PRIMARY = ClusterNode(
    "db-1", "", False, "7711", feeds=("db-2 from 10.0.0.2",), checksums_on=True, slots=(SLOT,)
)
STANDBY = ClusterNode("db-2", "", True, "7711", receives=True, checksums_on=True)
REPLAY = Replay("db-2", arrived=True, after_s=0.02, paused=False)
ARCHIVER = Archiver(True, NOW, NOW - timedelta(hours=1), "00000001000000000000000A")
GREEN = PostgresCluster((PRIMARY, STANDBY), (REPLAY,), ARCHIVER, {"db-1 /data": 55.0})
NODES = [
    {"name": "db-1", "role": "primary", "host": "10.0.0.1"},
    {"name": "db-2", "role": "standby", "host": "10.0.0.2"},
]

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def cluster(*nodes: ClusterNode, **changes: Any) -> PostgresCluster:
    return replace(GREEN, nodes=nodes or GREEN.nodes, **changes)


def with_slot(**changes: Any) -> ClusterNode:
    return replace(PRIMARY, slots=(replace(SLOT, **changes),))


def test_a_healthy_cluster_is_green(judged: Judge, env_with: EnvWith) -> None:
    assert (
        judged("D-14.1.1", postgres_cluster=GREEN, env=env_with(postgres={"nodes": NODES})) is None
    )


@pytest.mark.parametrize(
    ("facts", "subject", "observed"),
    [
        (cluster(PRIMARY, ClusterNode("db-2", "refused")), "nodes that do not answer", "db-2"),
        (cluster(PRIMARY, replace(STANDBY, in_recovery=False)), "primary", "not declared db-2"),
        (cluster(replace(PRIMARY, in_recovery=True), STANDBY), "primary", "missing db-1"),
        (cluster(PRIMARY, replace(STANDBY, system_identifier="1")), "database systems", "2"),
        (cluster(PRIMARY, replace(STANDBY, receives=False)), "do not stream", "db-2"),
        (cluster(replace(PRIMARY, feeds=("a", "b")), STANDBY), "standbys fed", "a, b"),
        (cluster(replace(PRIMARY, feeds=()), STANDBY), "standbys fed", "none"),
        (cluster(replays=(Replay("db-2", False, 11.0, True),)), "marker", "replay is paused"),
        (cluster(replays=(Replay("db-2", True, 10.5, False),)), "marker", "db-2 10.5 s"),
        (cluster(replays=()), "marker", "nothing was measured"),
        (cluster(with_slot(active=False), STANDBY), "slots", "db_2 on db-1 is inactive"),
        (cluster(with_slot(wal_status="lost"), STANDBY), "slots", "WAL lost"),
        (cluster(with_slot(wal_status="unreserved"), STANDBY), "slots", "unreserved"),
        (cluster(with_slot(invalid="wal_removed"), STANDBY), "slots", "wal_removed"),
        (cluster(PRIMARY, replace(STANDBY, checksums_on=False)), "without checksums", "db-2"),
        (cluster(PRIMARY, replace(STANDBY, checksum_failures=3)), "checksum failures", "db-2 3"),
        (cluster(archiver=replace(ARCHIVER, on=False)), "archive", "archive_mode is off"),
        (cluster(archiver=replace(ARCHIVER, last_success_at=None)), "archive", "never"),
        (
            cluster(archiver=replace(ARCHIVER, last_failure_at=NOW + timedelta(seconds=1))),
            "archive",
            "last failure 2026-11-23 09:00:01 UTC (00000001000000000000000A)",
        ),
        (cluster(disks={"db-1 /data": 19.9}), "free disk", "db-1 /data 19.9 %"),
        (cluster(disks={}), "free disk", "nothing was measured"),
    ],
)
def test_each_clause_reddens(
    judged: Judge, env_with: EnvWith, facts: PostgresCluster, subject: str, observed: str
) -> None:
    broken = judged("D-14.1.1", postgres_cluster=facts, env=env_with(postgres={"nodes": NODES}))
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


HIDDEN = Unseen(ProbeError("db-1", "not in pg_monitor", "grant pg_monitor to m;"))


@pytest.mark.parametrize(
    "facts",
    [
        cluster(replace(PRIMARY, feeds=HIDDEN), STANDBY),
        cluster(PRIMARY, replace(STANDBY, receives=HIDDEN)),
        cluster(PRIMARY, replace(STANDBY, system_identifier=HIDDEN)),
        cluster(disks_unseen=HIDDEN),
        cluster(disks={}, disks_unseen=HIDDEN),
    ],
)
def test_what_a_managed_database_hides_leaves_the_rest_judged(
    judged: Judge, env_with: EnvWith, facts: PostgresCluster
) -> None:
    env = env_with(postgres={"nodes": NODES})
    claim = judged("D-14.1.1", postgres_cluster=facts, env=env)
    assert claim is not None
    assert claim.unseen is HIDDEN.error
    off = replace(facts, archiver=replace(ARCHIVER, on=False))
    broken = judged("D-14.1.1", postgres_cluster=off, env=env)
    assert broken is not None
    assert "archive_mode is off" in broken.observed


def test_a_disk_that_is_nearly_full_is_red_though_another_was_not_seen(
    judged: Judge, env_with: EnvWith
) -> None:
    facts = cluster(disks={"db-1 /data": 19.9}, disks_unseen=HIDDEN)
    env = env_with(postgres={"nodes": NODES})
    broken = judged("D-14.1.1", postgres_cluster=facts, env=env)
    assert broken is not None
    assert broken.observed.startswith("db-1 /data 19.9 %")


def test_a_cluster_without_standby_is_red(judged: Judge, env_with: EnvWith) -> None:
    env = env_with(postgres={"nodes": NODES[:1]})
    alone = cluster(replace(PRIMARY, feeds=()), replays=())
    broken = judged("D-14.1.1", postgres_cluster=alone, env=env)
    assert broken is not None
    assert "standbys" in broken.subject


def test_an_archiver_that_never_failed_is_healthy() -> None:
    assert replace(ARCHIVER, last_failure_at=None).healthy


def test_no_node_answers(env_with: EnvWith, dead_port: int) -> None:
    nodes = [n | {"host": "127.0.0.1", "port": dead_port} for n in NODES]
    with pytest.raises(ProbeError, match=f"db-1 at 127.0.0.1:{dead_port}: .*refused"):
        postgres_cluster(env_with(postgres={"nodes": nodes}))
