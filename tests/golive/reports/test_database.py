"""What the database's documents say of the facts that its probes leave in the ledger."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from golive import launch
from golive.launch import Limits
from golive.probes.backup.backups import FullBackup, RestoredCopy, RestoreDrill, WalArchive
from golive.probes.backup.s3 import CopiedObject, CrossRegionCopy
from golive.probes.data.indexes import ForeignKey, Index, Indexes
from golive.probes.data.migrations import Locks, Migration, MigrationDrill, Rollback
from golive.probes.data.pooling import Burst, Pooling
from golive.probes.data.rows import TableSum
from golive.probes.data.statements import QueryTimes
from golive.probes.data.tables import Statistics, TableStatistics
from golive.probes.observe.alerting import AlertDrill, BackupAlertDrill
from golive.reports import database
from golive.reports.documents import NOT_MEASURED, Content, VerdictRow
from golive.verdicts import Verdict
from tests.checks import SUITES

AT = datetime(2026, 11, 23, 22, 43, 7, tzinfo=UTC)
LIMITS = Limits(
    {
        "statements.p95_ms": 50,
        "statements.most_called": 2,
        "pooling.wait_s": 1,
        "tables.statistics_age_h": 24,
        "backups.restore_minutes": 30,
        "backups.wal_age_minutes": 5,
        "backups.age_h": 24,
        "s3.copy_lag_minutes": 15,
        "backups.alert_minutes": 10,
        "migrations.minutes": 30,
        "migrations.margin_percent": 50,
        "migrations.copied_rows_percent": 90,
        "migrations.exclusive_lock_s": 5,
        "migrations.rollback_bookings": 100,
    },
    Path("launch.toml"),
)


T = TypeVar("T")


def test_the_launch_has_every_threshold_that_its_documents_show() -> None:
    known = launch.load(SUITES / "launch.toml").limits.names()
    assert set(LIMITS.names()) - set(known) == set()


def some(kind: Callable[..., T], **known: Any) -> T:
    """Facts of that kind, with None for what the document does not read."""
    fields = dict.fromkeys(f.name for f in dataclasses.fields(kind))  # type: ignore[arg-type]
    return kind(**(fields | known))


def as_ledger(**facts: Any) -> dict[str, Any]:
    """Facts as they come back from the ledger."""
    plain = msgspec.to_builtins(facts, enc_hook=str, str_keys=True)
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(plain))
    return found


def figures(content: Content) -> dict[str, str]:
    return {f.name: f"{f.value} {f.unit}".strip() for f in content.figures}


def rows(content: Content, title: str) -> list[list[str | float]]:
    return next(t.rows for t in content.tables if t.title == title)


def query_times(p95_ms: float, slowest_ms: float) -> QueryTimes:
    return some(
        QueryTimes,
        window_s=120,
        calls=1234.0,
        p95_ms=p95_ms,
        calls_of={"by day": 900.0, "by barber": 300.0, "rare": 34.0},
        p95_ms_of={"by day": 12.34567, "by barber": slowest_ms, "rare": 1.0},
        longest_ms=10_000.0,
    )


def test_the_performance_report_has_every_figure_before_and_after() -> None:
    sound = {"valid": True, "leftover": False, "corruption": ""}
    content = database.performance(
        as_ledger(
            query_times=query_times(23.4, 48.0),
            indexes=some(
                Indexes,
                indexes=(
                    some(Index, name="ix_start", bloat_percent=11.2, **sound),
                    some(Index, name="ix_odd", valid=False, leftover=True, corruption=""),
                ),
                duplicates=(("ix_b", "ix_a"),),
                foreign_keys=(
                    some(ForeignKey, name="fk_client", table="appointments", indexed=False),
                ),
            ),
            pooling=some(Pooling, pooled_connections=25, max_connections=100),
            pool_bursts=[
                some(
                    Burst,
                    pooler="pgbouncer",
                    clients=200,
                    served=200,
                    longest_wait_s=0.31,
                    pool_size=20,
                    reserve=5,
                    most_server_connections=20,
                )
            ],
            statistics=some(
                Statistics,
                looked_at=AT,
                tables=(some(TableStatistics, name="users", analyzed_at=AT - timedelta(hours=3)),),
            ),
        ),
        as_ledger(query_times=query_times(31.0, math.inf), run="20261101-first"),
        LIMITS,
    )
    assert content.summary == (
        "p95 over all queries is 23.4 ms, of the slowest of 2 statements 48 ms; 50 ms is the limit."
    )
    assert figures(content) == {
        "p95 over all queries": "23.4 ms",
        "measured before in the run": "20261101-first",
        "p95 over all queries, before": "31.0 ms",
        "calls in the window": "1234.0",
        "window": "120.0 s",
        "user indexes": "2.0",
        "connections that the pools may take, of max_connections": "25 of 100",
        "longest wait in a burst": "0.31 s",
        "oldest statistics": "3.0 h",
    }
    assert rows(content, database.MOST_CALLED) == [
        ["by day", 900.0, 12.3457, 12.3457],
        ["by barber", 300.0, 48.0, "over 10,000"],
    ]
    assert rows(content, "Bursts of clients") == [["pgbouncer", 200.0, 200.0, 0.31, 20.0, 25.0]]
    assert rows(content, "Index findings") == [
        ["ix_start", "11 % bloat"],
        ["ix_odd", "invalid"],
        ["ix_odd", "left over from a rebuild"],
        ["ix_a = ix_b", "duplicates"],
        ["appointments: fk_client", "foreign key without index"],
    ]
    assert rows(content, "Age of statistics") == [["users", 3.0]]


def test_the_backup_report_has_times_regions_and_deliveries() -> None:
    backup = some(FullBackup, id="full-7", system_identifier="7448")
    alert = some(
        AlertDrill,
        mode="archive",
        rule="WalArchiveFailing",
        induced_at=AT,
        delivered_at=AT + timedelta(seconds=30),
        repaired_at=AT + timedelta(seconds=40),
        resolved_at=AT + timedelta(seconds=100),
    )
    content = database.backups(
        as_ledger(
            restore_drill=some(
                RestoreDrill,
                backup=backup,
                live_system_identifier="7448",
                age_h=2.5,
                copy=some(RestoredCopy, restore_s=90.0, sums={"users": TableSum(4108, "x")}),
            ),
            wal_archive=some(WalArchive, newest_age_s=30.0, reach_h=48.0),
            cross_region_copy=some(
                CrossRegionCopy,
                source_region="us-east-1",
                copy_region="eu-west-1",
                full=(some(CopiedObject, lag_s=90.0),),
                wal=(),
            ),
            backup_alert_drill=some(BackupAlertDrill, drills=(alert,)),
        ),
        LIMITS,
    )
    assert content.summary == (
        "The backup full-7 restores in 1.5 minutes; 0.5 minutes of work would be lost."
    )
    said = figures(content)
    assert said["restored backup"] == "full-7"
    assert said["its database system"] == said["live database system"] == "7448"
    assert said["recovery point"] == "0.5 min"
    assert (said["region"], said["region of the copy"]) == ("us-east-1", "eu-west-1")
    assert said["lag of the copy"] == "1.5 min"
    assert said["recovery to a moment"] == NOT_MEASURED
    assert rows(content, "Alerts") == [["archive", "WalArchiveFailing", 0.5, 1.0]]
    assert rows(content, "Restored tables") == [["users", 4108.0]]


def migrated(duration_s: float) -> dict[str, Any]:
    migration = some(
        Migration,
        tag="v2.0.0",
        rows_percent={"users": 100.2, "payments": 99.0},
        duration_s=duration_s,
        revisions=("b",),
        locks=some(Locks, held_s={"users": 0.4}),
        digest="d1e2",
    )
    rollback = some(Rollback, bookings=120, duration_s=30.0)
    return as_ledger(
        migration_drill=some(MigrationDrill, migration=migration), rollback_drill=rollback
    )


def verdict(state: Verdict) -> VerdictRow:
    return VerdictRow(
        id="D-13.3.1",
        title="t",
        verdict=state,
        value="",
        target="",
        looked_at=AT,
        run="r",
        digest="d",
    )


def test_the_migration_is_confirmed_when_all_is_green_and_half_the_window_is_left() -> None:
    content = database.migration(migrated(90.0), [verdict(Verdict.PASS)], LIMITS)
    assert content.summary == (
        "Ready to migrate to v2.0.0: it takes 1.5 of the 30 minutes that the deployment has."
    )
    said = figures(content)
    assert said[database.MIGRATION_DURATION] == "1.5 min"
    assert said["digest of the migrations"] == "d1e2"
    assert said["least share of production's rows in the copy"] == "99.0 %"
    assert said["longest lock that held others up"] == "0.4 s"
    assert said["rollback duration"] == "0.5 min"
    assert content.figures[0].limit == 15


@pytest.mark.parametrize(
    ("facts", "state", "why"),
    [
        (migrated(90.0), Verdict.UNKNOWN, "D-13.3.1 is UNKNOWN"),
        (migrated(901.0), Verdict.PASS, "the migration takes 15.0167 minutes"),
        ({}, Verdict.PASS, "no migration was measured"),
    ],
)
def test_the_migration_is_not_confirmed_otherwise(
    facts: dict[str, Any], state: Verdict, why: str
) -> None:
    content = database.migration(facts, [verdict(state)], LIMITS)
    assert content.summary == f"Not confirmed: {why}."


def test_what_no_probe_found_is_said_to_be_not_measured() -> None:
    for content in (
        database.performance({}, None, LIMITS),
        database.backups({}, LIMITS),
        database.migration({}, [], LIMITS),
    ):
        unmeasured = {name for name, value in figures(content).items() if value != NOT_MEASURED}
        assert unmeasured <= {"deployment window"}
    summary = database.performance({"query_times": None}, None, LIMITS).summary
    assert summary == "Query times were not measured."
