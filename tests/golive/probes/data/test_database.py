"""Indexes, statements, pooling, tables and migration watch: the items on literal facts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from golive.claims import Claim
from golive.probes.data.indexes import ForeignKey, Index, Indexes, Plan
from golive.probes.data.pooling import Burst, Pool, Pooling
from golive.probes.data.statements import QueryTimes, Statement, Statements, TableSizes
from golive.probes.data.tables import Estimate, Integrity, Statistics, TableStatistics, Violations
from golive.probes.observe.migration_monitoring import (
    LockWaitAlert,
    MigrationRun,
    MigrationWatch,
    Watched,
)

Judge = Callable[..., Claim | None]

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
INF = math.inf


def red(claim: Claim | None) -> str:
    """What a red item says."""
    assert claim is not None
    assert not claim.holds
    return repr(claim)


# -- D-13.1.1 --------------------------------------------------------------------------------------

INDEX = Index("public.ix_a", "a", "btree", 20_000_000, True, False, False, bloat_percent=12.0)
STATEMENT = Statement(7, "select * from appointments where id = $1", 900, 90.0, 0.1, 3600)
INDEXES = Indexes(
    indexes=(INDEX, replace(INDEX, name="public.ix_b")),
    duplicates=(),
    foreign_keys=(ForeignKey("fk", "appointments", ("user_id",), True),),
    large_tables={"public.appointments": 200_000},
)
PLANS = (Plan(STATEMENT, ()),)


def index(**changes: object) -> Indexes:
    return replace(INDEXES, indexes=(INDEX, replace(INDEX, name="public.ix_b", **changes)))  # type: ignore[arg-type]


def test_sound_indexes_are_green(judged: Judge) -> None:
    assert judged("D-13.1.1", indexes=INDEXES, costliest_plans=PLANS) is None


@pytest.mark.parametrize(
    ("indexes", "plans", "says"),
    [
        (replace(INDEXES, indexes=()), PLANS, "no user indexes to look at"),
        (index(valid=False), PLANS, "public.ix_b (invalid)"),
        (index(leftover=True), PLANS, "public.ix_b (left over)"),
        (index(valid=False, building=True), PLANS, "public.ix_b (being built now)"),
        (index(bloat_percent=31.0), PLANS, "public.ix_b (31 %)"),
        (index(corruption="item order invariant violated"), PLANS, "item order invariant"),
        (replace(INDEXES, duplicates=("a = b",)), PLANS, "a = b"),
        (replace(INDEXES, large_tables={}), PLANS, "large tables: 0"),
        (replace(INDEXES, foreign_keys=()), PLANS, "no keys of large tables to look at"),
        (
            replace(INDEXES, foreign_keys=(ForeignKey("fk", "payments", ("user_id",), False),)),
            PLANS,
            "payments (user_id)",
        ),
        (INDEXES, (), "no costliest statements to look at"),
        (INDEXES, (Plan(STATEMENT, ("public.appointments",)),), "reads all of public.appointments"),
    ],
)
def test_an_index_that_is_not_right_is_red(
    judged: Judge, indexes: Indexes, plans: tuple[Plan, ...], says: str
) -> None:
    assert says in red(judged("D-13.1.1", indexes=indexes, costliest_plans=plans))


# -- D-13.1.2 --------------------------------------------------------------------------------------

CALLS = {f"statement.{n:02}": 100.0 - n for n in range(25)}
TIMES = QueryTimes(
    window_s=300,
    since=NOW - timedelta(seconds=300),
    calls=sum(CALLS.values()),
    p95_ms=8.0,
    calls_of=CALLS,
    p95_ms_of=dict.fromkeys(CALLS, 9.0),
    longest_ms=5000.0,
)
COUNTED = Statements(True, NOW - timedelta(days=2), (STATEMENT,))
SIZES = TableSizes({"appointments": 200_000}, {"appointments": 100.0}, "7001")


def slow(name: str) -> QueryTimes:
    return replace(TIMES, p95_ms_of={**TIMES.p95_ms_of, name: 55.0})


def test_quick_queries_are_green(judged: Judge) -> None:
    facts = {"query_times": TIMES, "statements": COUNTED, "table_sizes": SIZES}
    assert judged("D-13.1.2", **facts) is None


def test_only_the_most_called_statements_are_judged_one_by_one(judged: Judge) -> None:
    facts = {"query_times": slow("statement.24"), "statements": COUNTED, "table_sizes": SIZES}
    assert judged("D-13.1.2", **facts) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query_times": replace(TIMES, calls=999.0)}, "999"),
        ({"query_times": replace(TIMES, longest_ms=25.0)}, "longest time the histogram can tell"),
        ({"query_times": replace(TIMES, p95_ms=50.0)}, "p95 over all queries: 50 ms"),
        ({"query_times": replace(TIMES, p95_ms=math.nan)}, "p95 over all queries"),
        ({"query_times": replace(TIMES, calls_of={"one": 5000.0}, p95_ms_of={"one": 1.0})}, "1;"),
        ({"query_times": slow("statement.03")}, "statement.03 55 ms"),
        ({"table_sizes": replace(SIZES, percent_of_production={"a": 80.0})}, "a 80 %"),
        ({"table_sizes": replace(SIZES, percent_of_production={})}, "nothing was measured"),
        ({"statements": Statements(False, None, ())}, "not loaded"),
        ({"statements": replace(COUNTED, reset_at=NOW)}, "before the window's first query"),
        ({"statements": replace(COUNTED, reset_at=None)}, "unknown"),
        (
            {"statements": replace(COUNTED, statements=(replace(STATEMENT, mean_ms=51.0),))},
            "[queryid 7] 51 ms",
        ),
        ({"statements": replace(COUNTED, statements=())}, "nothing was measured"),
    ],
)
def test_a_slow_or_unmeasured_query_is_red(
    judged: Judge, changes: dict[str, object], says: str
) -> None:
    facts = {"query_times": TIMES, "statements": COUNTED, "table_sizes": SIZES, **changes}
    assert says in red(judged("D-13.1.2", **facts))


def test_statements_that_begin_alike_are_told_apart() -> None:
    text = f"select {', '.join(f'column_{n}' for n in range(40))} from a where b = $1"
    one, two = Statement(1, text, 9, 9.0, 1.0, 1), Statement(2, text, 9, 9.0, 1.0, 1)
    assert str(one) != str(two)
    assert "where b = $1" in str(one)


# -- D-13.1.3 --------------------------------------------------------------------------------------

POOL = Pool("pooler-1", "shop", "app", "transaction", 25)
POOLING = Pooling(
    pools=(POOL,),
    declared_modes={"pooler-1": "transaction"},
    pooled_connections=50,
    replication_slots=1,
    reserved_connections=3,
    max_connections=100,
    app_backends=4,
    strays=(),
)
BURST = Burst("pooler-1", 200, 200, {}, 0.4, 20, 5, 20)


def test_pooled_connections_are_green(judged: Judge) -> None:
    assert judged("D-13.1.3", pooling=POOLING, pool_bursts=(BURST,)) is None


@pytest.mark.parametrize(
    ("pooling", "bursts", "says"),
    [
        (replace(POOLING, strays=("app-2 from 10.0.0.9",)), (BURST,), "app-2 from 10.0.0.9"),
        (replace(POOLING, app_backends=0), (BURST,), "no backends to look at"),
        (replace(POOLING, pools=()), (BURST,), "no pools to look at"),
        (
            replace(POOLING, pools=(replace(POOL, mode="session"),)),
            (BURST,),
            "app@shop in pooler-1 (session)",
        ),
        (replace(POOLING, pooled_connections=87), (BURST,), "91 %"),
        (POOLING, (), "poolers with a burst: 0"),
        (POOLING, (replace(BURST, errors={"no more connections": 3}),), "no more connections"),
        (POOLING, (replace(BURST, served=199),), "199"),
        (POOLING, (replace(BURST, served=0),), "no clients served to look at"),
        (POOLING, (replace(BURST, longest_wait_s=1.0),), "longest wait of 200 clients"),
        (POOLING, (replace(BURST, most_server_connections=26),), "server connections: 26"),
    ],
)
def test_a_connection_past_the_pooler_or_a_small_pool_is_red(
    judged: Judge, pooling: Pooling, bursts: tuple[Burst, ...], says: str
) -> None:
    assert says in red(judged("D-13.1.3", pooling=pooling, pool_bursts=bursts))


# -- D-13.1.4 --------------------------------------------------------------------------------------

TABLE = TableStatistics("public.a", 1000, NOW - timedelta(hours=2), 100, (), True)
ESTIMATES = tuple(Estimate(f"query {n}", 100.0, 90.0) for n in range(10))
STATISTICS = Statistics(NOW, (TABLE,), (), True, ESTIMATES)


def analysed(**changes: object) -> Statistics:
    return replace(STATISTICS, tables=(TABLE, replace(TABLE, name="public.b", **changes)))  # type: ignore[arg-type]


def test_known_tables_are_green(judged: Judge) -> None:
    assert judged("D-13.1.4", statistics=STATISTICS) is None


def test_a_few_changes_of_a_small_table_are_let_pass(judged: Judge) -> None:
    assert judged("D-13.1.4", statistics=analysed(live_rows=1, changed_rows=50)) is None


@pytest.mark.parametrize(
    ("statistics", "says"),
    [
        (replace(STATISTICS, tables=()), "no tables to look at"),
        (replace(STATISTICS, core_missing=("payments",)), "payments"),
        (analysed(analyzed_at=NOW - timedelta(hours=25)), "public.b 25 h ago"),
        (analysed(analyzed_at=None), "public.b inf"),
        (analysed(columns_without=("id", "b")), "public.b (id, b)"),
        (analysed(changed_rows=200), "public.b 15 %"),
        (replace(STATISTICS, autovacuum=False), "autovacuum: no"),
        (analysed(autovacuum=False), "tables with autovacuum off: public.b"),
        (replace(STATISTICS, estimates=ESTIMATES[:9]), "hot queries: 9"),
        (
            replace(STATISTICS, estimates=(*ESTIMATES, Estimate("all", 1.0, 11.0))),
            "all 11",
        ),
    ],
)
def test_a_table_the_planner_does_not_know_is_red(
    judged: Judge, statistics: Statistics, says: str
) -> None:
    assert says in red(judged("D-13.1.4", statistics=statistics))


@pytest.mark.parametrize(
    ("expected", "actual", "factor"), [(0, 0, 1), (1, 0, 1), (30, 3, 10), (3, 30, 10), (0, 5, 5)]
)
def test_an_estimate_is_off_by_a_factor_either_way(
    expected: float, actual: float, factor: float
) -> None:
    assert Estimate("q", expected, actual).factor == factor


# -- D-13.3.2 --------------------------------------------------------------------------------------

CHECKS = tuple(Violations(f"rule {n}", "a", empty=False, rows=0) for n in range(12))
KEY = Violations("foreign key fk", "a", empty=False, rows=0)
INTEGRITY = Integrity("db-2", CHECKS, (KEY,), 9, (), 4, ())


def test_consistent_data_is_green(judged: Judge) -> None:
    assert judged("D-13.3.2", integrity=INTEGRITY) is None


@pytest.mark.parametrize(
    ("integrity", "says"),
    [
        (replace(INTEGRITY, declared=CHECKS[:11]), "declared checks: 11"),
        (
            replace(INTEGRITY, declared=(*CHECKS, Violations("r", "refunds", True, 0))),
            "r (refunds is empty)",
        ),
        (
            replace(INTEGRITY, declared=(*CHECKS, Violations("r", "a", False, 2, ("id 7",)))),
            "r (2 in a, e.g. id 7)",
        ),
        (replace(INTEGRITY, foreign_keys=()), "no foreign keys to look at"),
        (replace(INTEGRITY, foreign_keys=(replace(KEY, rows=1),)), "foreign key fk (1 in a)"),
        (replace(INTEGRITY, unproved_constraints=("ck on a",)), "ck on a"),
        (replace(INTEGRITY, sequences=0), "no sequences to look at"),
        (replace(INTEGRITY, sequences_behind=("a_id_seq hands out 2",)), "a_id_seq hands out 2"),
    ],
)
def test_data_that_breaks_a_rule_is_red(judged: Judge, integrity: Integrity, says: str) -> None:
    assert says in red(judged("D-13.3.2", integrity=integrity))


# -- D-13.3.4 --------------------------------------------------------------------------------------

NOUNS = ("step", "duration", "lock_waits", "longest_transaction", "replication_lag", "free_disk")
WATCHED = tuple(Watched(n, f"metric_{n}", 1.0, f"Rule-{n}", True, "", ("on-call",)) for n in NOUNS)
RUN = MigrationRun(NOW, ("0001", "0002"), ("0001", "0002"), ("0001", "0002"), True, "")
WATCH = MigrationWatch(WATCHED, "on-call", RUN)
ALERT = LockWaitAlert("LockWaitLong", True, 35.0, False, 31.0, 2.0)


def watched(**changes: object) -> MigrationWatch:
    return replace(WATCH, watched=(*WATCHED[:5], replace(WATCHED[5], **changes)))  # type: ignore[arg-type]


def test_a_watched_migration_is_green(judged: Judge) -> None:
    assert judged("D-13.3.4", migration_watch=WATCH, lock_wait_alert=ALERT) is None


@pytest.mark.parametrize(
    ("watch", "alert", "says"),
    [
        (replace(WATCH, watched=WATCHED[:5]), ALERT, "missing free_disk"),
        (watched(sample_age_s=61.0), ALERT, "metric_free_disk 61 s old"),
        (watched(sample_age_s=INF), ALERT, "metric_free_disk inf s old"),
        (watched(loaded=False, receivers=()), ALERT, "Rule-free_disk (for free_disk)"),
        (watched(rule_error="no such function"), ALERT, "no such function"),
        (watched(receivers=("mailbox",)), ALERT, "Rule-free_disk (to mailbox)"),
        (replace(WATCH, last_run=None), ALERT, "steps of the last migration run in its log: 0"),
        (replace(WATCH, last_run=replace(RUN, done=("0001",))), ALERT, "0002 (2 steps)"),
        (replace(WATCH, last_run=replace(RUN, begun=("0002",))), ALERT, "0001 (2 steps)"),
        (replace(WATCH, last_run=replace(RUN, ended=False)), ALERT, "end of the last migration"),
        (WATCH, replace(ALERT, loaded=False), "LockWaitLong: no"),
        (WATCH, replace(ALERT, fired_before=True), "LockWaitLong before"),
        (WATCH, replace(ALERT, held_s=29.0), "synthetic lock held: 29 s"),
        (WATCH, replace(ALERT, fired_after_s=INF), "LockWaitLong fired after: inf"),
        (WATCH, replace(ALERT, resolved_after_s=121.0), "LockWaitLong resolved after: 121"),
    ],
)
def test_a_migration_nobody_watches_is_red(
    judged: Judge, watch: MigrationWatch, alert: LockWaitAlert, says: str
) -> None:
    assert says in red(judged("D-13.3.4", migration_watch=watch, lock_wait_alert=alert))
