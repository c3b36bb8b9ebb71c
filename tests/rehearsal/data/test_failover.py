from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from golive.environments import Environment
from golive.probes.data.failover import failover_drill
from golive.verdicts import ProbeError
from rehearsal import lifecycle
from rehearsal.data import failover
from rehearsal.faults import get
from rehearsal.kernel import control
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import DATABASE, MONITOR_ROLE, Database, Rehearsal
from rehearsal.parts.platform.app import CUSTOMERS

OLD, NEW = failover.SERVERS


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A supervisor, and the data that clusters are made of: none of the live parts."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("failover"))
    lifecycle.up(rehearsal, only=["data"], say=lambda _: None)
    try:
        yield rehearsal
    finally:
        lifecycle.down(rehearsal, say=lambda _: None)


@pytest.fixture
def env(r: Rehearsal, env_with: Callable[..., Environment]) -> Callable[..., Environment]:
    """The rehearsal's environment, as far as a failover needs it."""
    paths = {"login": "/api/v2/auth/login", "me": "/api/v2/auth/me", "metrics": "/metrics"}

    def make(**changes: Any) -> Environment:
        tables: dict[str, Any] = {
            "permits": ["read", "disrupt"],
            "time_limits": {"connect": 2.0, "probe": 60.0},
            "windows": {"failover_s": 15.0},
            "postgres": {
                "database": DATABASE,
                "user": MONITOR_ROLE,
                "password": {"file": str(r.secret_file(MONITOR_ROLE))},
                "sslmode": "require",
                "marker_table": "golive_monitor.marker",
            },
            "application": {
                "paths": paths,
                "accounts": [
                    {"email": CUSTOMERS[0], "password": {"file": str(r.secret_file("account"))}}
                ],
            },
            **failover.endpoints(r),
        }
        for name, table in changes.items():
            tables[name] = {**tables[name], **table}
        return env_with(**tables)

    return make


def ask(r: Rehearsal, server: str, query: str) -> Any:
    return Database(r, server).sql(query)[0][0]


def test_a_failover_of_a_cluster_of_its_own_leaves_nothing(
    r: Rehearsal, env: Callable[..., Environment]
) -> None:
    found = failover_drill(env())
    assert (found.primary, found.standby, found.in_recovery) == (OLD, NEW, (OLD,))
    assert found.writes_per_s >= 10
    assert found.acknowledged > 100
    assert (found.lost, found.lacking, found.taken_by_old) == ((), (), ())
    assert (found.timeline_after, found.attempts_on_old) == (found.timeline_before + 1, 5)
    assert found.without_standby.asked > 10
    assert found.without_standby.refused == ()
    assert [i.restarted for i in found.instances] == [False, False]
    assert found.unmeasured == []
    assert found.rebuilt_streams is True
    assert not [name for name in r.running() if name.startswith("failover")]
    assert not list(r.path("data", "x").parent.glob("failover*"))


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        ("old-primary-left-writable", lambda d: bool(d.taken_by_old) and bool(d.lost)),
    ],
)
def test_what_a_failover_command_leaves_out_shows(
    r: Rehearsal,
    env: Callable[..., Environment],
    fault: str,
    shows: Callable[[Any], bool],
) -> None:
    broken = get(fault)
    broken(r)
    try:
        found = failover_drill(env())
    finally:
        assert broken.restores is not None
        broken.restores(r)
    assert shows(found), found
    assert r.overrides("failover") == {}


def test_on_the_declared_cluster_the_roles_are_put_back(
    r: Rehearsal, env: Callable[..., Environment]
) -> None:
    cluster = failover.start(r)
    try:
        declared = env(
            failover={"cluster_command": [], "end_command": [], "endpoint": cluster["endpoint"]},
            postgres={"nodes": cluster["nodes"]},
            application={"instances": cluster["instances"]},
        )
        found = failover_drill(declared)
        assert (found.in_recovery, found.lost, found.unmeasured) == ((OLD,), (), [])
        recovering = "select pg_is_in_recovery()"
        assert (ask(r, OLD, recovering), ask(r, NEW, recovering)) == (False, True)
        left = "select count(*) from pg_class where relname like 'marker%'"
        assert ask(r, OLD, left) == 0
        swapped = [
            {**node, "role": role}
            for node, role in zip(cluster["nodes"], ("standby", "primary"), strict=True)
        ]
        wrong = env(
            failover={"cluster_command": [], "end_command": [], "endpoint": cluster["endpoint"]},
            postgres={"nodes": swapped},
            application={"instances": cluster["instances"]},
        )
        with pytest.raises(ProbeError, match="it is no primary"):
            failover_drill(wrong)
        own = msgspec.structs.replace(declared.failover, stop_command=["true"])
        with pytest.raises(ProbeError, match="it was stopped, and answers"):
            failover_drill(msgspec.structs.replace(declared, failover=own))
        assert ask(r, OLD, left) == 0
    finally:
        failover.end(r)


def test_a_cluster_is_one_at_a_time_and_its_servers_are_checked(r: Rehearsal) -> None:
    assert failover.end(r) == {"ended": []}
    first = failover.start(r)
    try:
        assert failover.start(r) == first
        with pytest.raises(RehearsalError, match="is the primary already"):
            failover.promote(r, OLD)
        for refused in (failover.stop, failover.again, failover.promote):
            with pytest.raises(RehearsalError, match="'postgres-primary' is no server"):
                refused(r, "postgres-primary")
    finally:
        failover.end(r)


def test_down_ends_the_cluster_too(r: Rehearsal) -> None:
    failover.start(r)
    lifecycle.down(r, say=lambda _: None)
    assert control.leftovers(r.folder) == []
