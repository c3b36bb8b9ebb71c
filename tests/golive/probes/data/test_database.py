"""Indexes, statements, pooling, tables and migration watch: the items on literal facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from golive import launch
from golive.claims import Claim, collect
from golive.probes.data.indexes import ForeignKey, Index, Indexes, Plan
from golive.probes.data.pooling import (
    Burst,
    Configured,
    Pool,
    Pooling,
    connections,
    pools_of,
)
from golive.probes.data.statements import QueryTimes, Statement, Statements, TableSizes
from golive.probes.data.tables import (
    Estimate,
    Integrity,
    SequenceBehind,
    Statistics,
    TableStatistics,
    Violations,
)
from golive.probes.observe.migration_monitoring import (
    LockWaitAlert,
    MigrationRun,
    MigrationWatch,
    Watched,
)
from golive.probes.observe.scraping import Coverage, Scraping
from golive.verdicts import ProbeError, Unseen
from tests.checks import SUITES, checks

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
HIDDEN = Plan(replace(STATEMENT, query_id=8, text="do $$ begin end $$"), (), "no query", 11.0)


def index(**changes: object) -> Indexes:
    return replace(INDEXES, indexes=(INDEX, replace(INDEX, name="public.ix_b", **changes)))  # type: ignore[arg-type]


def test_sound_indexes_are_green(judged: Judge) -> None:
    assert judged("D-13.1.1", indexes=INDEXES, costliest_plans=PLANS) is None


def test_a_little_that_no_plan_shows_is_let_pass(judged: Judge) -> None:
    plans = (*PLANS, replace(HIDDEN, time_percent=10.0))
    assert judged("D-13.1.1", indexes=INDEXES, costliest_plans=plans) is None


@pytest.mark.parametrize(
    ("indexes", "plans", "says"),
    [
        (replace(INDEXES, indexes=()), PLANS, "no user indexes to look at"),
        (index(valid=False), PLANS, "public.ix_b (invalid)"),
        (index(leftover=True), PLANS, "public.ix_b (left over)"),
        (index(valid=False, building=True), PLANS, "public.ix_b (being built now)"),
        (index(bloat_percent=31.0), PLANS, "public.ix_b (31 %)"),
        (index(corruption="item order invariant violated"), PLANS, "item order invariant"),
        (replace(INDEXES, duplicates=(("b", "a"),)), PLANS, "a = b"),
        (
            replace(INDEXES, foreign_keys=(ForeignKey("fk", "payments", ("user_id",), False),)),
            PLANS,
            "payments (user_id)",
        ),
        (INDEXES, (), "no costliest statements to look at"),
        (INDEXES, (Plan(STATEMENT, ("public.appointments",)),), "reads all of public.appointments"),
        (INDEXES, (*PLANS, HIDDEN), "time of statements that no plan shows: 11 %"),
        (
            INDEXES,
            (*PLANS, replace(HIDDEN, time_percent=6.0), replace(HIDDEN, time_percent=6.0)),
            "see do $$ begin end $$ [queryid 8] (no query, 6.0 % of the time)",
        ),
    ],
)
def test_an_index_that_is_not_right_is_red(
    judged: Judge, indexes: Indexes, plans: tuple[Plan, ...], says: str
) -> None:
    assert says in red(judged("D-13.1.1", indexes=indexes, costliest_plans=plans))


def test_a_product_without_large_tables_or_foreign_keys_is_green(judged: Judge) -> None:
    small = replace(INDEXES, foreign_keys=(), large_tables={})
    assert judged("D-13.1.1", indexes=small, costliest_plans=PLANS) is None


@pytest.mark.parametrize("unseen", ["damage_unseen", "bloat_unseen"])
def test_what_of_the_indexes_could_not_be_looked_at_hides_nothing_else(
    judged: Judge, unseen: str
) -> None:
    error = ProbeError("the soundness of indexes", "no amcheck", "create extension amcheck;")
    partly = replace(INDEXES, **{unseen: Unseen(error)})  # type: ignore[arg-type]
    claim = judged("D-13.1.1", indexes=partly, costliest_plans=PLANS)
    assert claim is not None
    assert claim.unseen is error
    bare = replace(partly, foreign_keys=(ForeignKey("fk", "payments", ("user_id",), False),))
    assert "payments (user_id)" in red(judged("D-13.1.1", indexes=bare, costliest_plans=PLANS))


def test_what_is_wrong_with_indexes_comes_with_the_sql_that_mends_it(judged: Judge) -> None:
    def sql(indexes: Indexes) -> tuple[str, ...]:
        claim = judged("D-13.1.1", indexes=indexes, costliest_plans=PLANS)
        assert claim is not None
        return claim.sql

    own = replace(INDEX, name="public.a_key", of_constraint=True)
    twins = (("public.a_key", "public.ix_a", 'public."Ix"'),)
    drops = [
        f"drop index concurrently {name};  -- public.a_key does the same"
        for name in ("public.ix_a", 'public."Ix"')
    ]
    assert sql(replace(INDEXES, indexes=(own, INDEX), duplicates=twins)) == ("\n".join(drops),)
    both = replace(INDEXES, indexes=(own, replace(INDEX, of_constraint=True)), duplicates=twins)
    assert sql(both) == (drops[1],)
    assert sql(index(leftover=True)) == ("drop index concurrently public.ix_b;",)
    for flaw in ({"valid": False}, {"bloat_percent": 31.0}, {"corruption": "order"}):
        assert sql(index(**flaw)) == ("reindex index concurrently public.ix_b;",)
    key = ForeignKey("fk", '"App"."Booking"', ("userId", "at"), False)
    assert sql(replace(INDEXES, foreign_keys=(key,))) == (
        'create index concurrently on "App"."Booking" ("userId", at);',
    )


def test_a_statement_that_cannot_be_planned_hides_no_other(judged: Judge) -> None:
    unseen = Unseen(ProbeError("the plan of select 1", "no such column"))
    plans = (Plan(STATEMENT, (), unseen=unseen), *PLANS)
    claim = judged("D-13.1.1", indexes=INDEXES, costliest_plans=plans)
    assert claim is not None
    assert claim.unseen is unseen.error
    scan = Plan(replace(STATEMENT, query_id=8), ("public.appointments",))
    found = judged("D-13.1.1", indexes=INDEXES, costliest_plans=(*plans, scan))
    assert "[queryid 8] reads all of public.appointments" in red(found)


def test_what_of_query_times_could_not_be_looked_at_hides_nothing_else(judged: Judge) -> None:
    error = ProbeError("Prometheus", "refused", "start it")
    facts: dict[str, Any] = dict(TIMED)
    slow_one = replace(COUNTED, statements=(replace(STATEMENT, mean_ms=51.0),))
    for name in facts:
        partly = {**facts, name: Unseen(error)}
        claim = judged("D-13.1.2", **partly)
        assert claim is not None
        assert claim.unseen is error
        if name != "statements":
            assert "51 ms" in red(judged("D-13.1.2", **{**partly, "statements": slow_one}))


def test_indexes_are_judged_where_statements_could_not_be_read(judged: Judge) -> None:
    plans = Unseen(ProbeError("what the statements cost", "no pg_stat_statements"))
    found = judged("D-13.1.1", indexes=index(valid=False), costliest_plans=plans)
    assert "public.ix_b (invalid)" in red(found)
    with pytest.raises(ProbeError, match="no pg_stat_statements"):
        judged("D-13.1.1", indexes=INDEXES, costliest_plans=plans)


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


INSTANCES = Coverage("q", ("app-1", "app-2"), {"app-1": 1.0, "app-2": 15.0}, 2)
SCRAPED = Scraping(INSTANCES)
TIMED = {"query_times": TIMES, "scraping": SCRAPED, "statements": COUNTED, "table_sizes": SIZES}


def slow(name: str) -> QueryTimes:
    return replace(TIMES, p95_ms_of={**TIMES.p95_ms_of, name: 55.0})


def scraped(**changes: Any) -> dict[str, object]:
    return {"scraping": Scraping(replace(INSTANCES, **changes))}


def test_quick_queries_are_green(judged: Judge) -> None:
    assert judged("D-13.1.2", **TIMED) is None


def test_only_the_most_called_statements_are_judged_one_by_one(judged: Judge) -> None:
    assert judged("D-13.1.2", **{**TIMED, "query_times": slow("statement.24")}) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query_times": replace(TIMES, calls=999.0)}, "999"),
        (scraped(age_s={"app-1": 1.0, "app-2": INF}), "app-2 (no sample) (2 declared instances)"),
        (scraped(age_s={"app-1": 1.0, "app-2": 151.0}), "app-2 (none for 151 s)"),
        (scraped(age_s={}, declared=()), "no declared instances to look at"),
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
    ],
)
def test_a_slow_or_unmeasured_query_is_red(
    judged: Judge, changes: dict[str, object], says: str
) -> None:
    assert says in red(judged("D-13.1.2", **{**TIMED, **changes}))


def test_where_nothing_tells_instances_apart_it_is_unseen(judged: Judge) -> None:
    unseen = Scraping(Unseen(ProbeError("whether q is of app-2", "it is of web")))
    found = judged("D-13.1.2", **{**TIMED, "scraping": unseen})
    assert found is not None
    assert found.unseen is not None
    assert "whether q is of app-2" in found.observed


def test_statements_that_nobody_asked_often_tell_no_mean(judged: Judge) -> None:
    for statements in ((), (replace(STATEMENT, calls=1, mean_ms=51.0),)):
        counted = replace(COUNTED, statements=statements)
        claim = judged("D-13.1.2", **{**TIMED, "statements": counted})
        assert claim is not None
        assert claim.unseen is not None
        assert "postgres.app_role" in claim.see


def test_a_server_that_tells_no_reset_leaves_the_other_clauses_judged(judged: Judge) -> None:
    error = ProbeError("the last reset of pg_stat_statements", "before PostgreSQL 14: none")
    facts = {k: v for k, v in TIMED.items() if k != "statements"}
    untold = replace(COUNTED, reset_at=Unseen(error))
    found = judged("D-13.1.2", statements=untold, **facts)
    assert found is not None
    assert found.unseen is error
    slow_too = replace(untold, statements=(replace(STATEMENT, mean_ms=51.0),))
    assert "[queryid 7] 51 ms" in red(judged("D-13.1.2", statements=slow_too, **facts))


def test_code_and_cursors_have_a_mean_too_and_other_commands_have_not(judged: Judge) -> None:
    def with_one(text: str) -> Statements:
        return replace(COUNTED, left_out=(replace(STATEMENT, text=text, mean_ms=51.0),))

    facts = {k: v for k, v in TIMED.items() if k != "statements"}
    for text in ("call settle($1)", "/* job */ DO $$ begin end $$", "fetch 100 from c"):
        said = red(judged("D-13.1.2", **facts, statements=with_one(text)))
        assert "[queryid 7] 51 ms" in said
    for text in ("vacuum visits", "copy visits from stdin", "create table a (b int)"):
        assert judged("D-13.1.2", **facts, statements=with_one(text)) is None


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
        (
            replace(POOLING, pools=(POOL, replace(POOL, user="b", mode="session", in_use=False))),
            (BURST,),
            "b@shop in pooler-1, idle (session)",
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


DATABASE: dict[str, Any] = {
    "name": "shop",
    "host": "10.0.0.1",
    "port": 5432,
    "database": "shop",
    "force_user": None,
    "pool_size": 20,
    "reserve_pool_size": 5,
    "pool_mode": None,
    "max_connections": 0,
    "disabled": 0,
}
USERS: list[dict[str, Any]] = [{"name": n, "pool_mode": None} for n in ("app", "owner", "console")]
USED = {"database": "shop", "user": "app", "pool_mode": "transaction"}
MAY = {(user, "shop") for user in ("app", "owner", "reports")}


def configured(*databases: dict[str, Any], users: Sequence[dict[str, Any]] = USERS) -> Configured:
    console = {**DATABASE, "name": "pgbouncer", "database": "pgbouncer", "host": None}
    return Configured([DATABASE, *databases, console], [USED], list(users), "transaction")


def named(seen: Configured) -> dict[str, int]:
    pools = pools_of(seen, "p", {("10.0.0.2", 5432)}, MAY)
    return {f"{p.user}@{p.database} {p.mode}{'' if p.in_use else ' idle'}": p.size for p in pools}


def test_idle_pools_count_as_well_as_used_ones() -> None:
    used = {"app@shop transaction": 25, "owner@shop transaction idle": 25}
    assert named(configured()) == used  # what is no role there can fill no pool
    reports = {**DATABASE, "name": "reports", "force_user": "reports", "pool_mode": "session"}
    assert named(configured(reports)) == {**used, "reports@reports session idle": 25}
    assert named(configured({**reports, "disabled": 1})) == used
    assert named(configured({**reports, "host": "10.0.0.2"})) == used  # another server's
    assert named(configured({**reports, "force_user": "console"})) == used
    by_user: list[dict[str, Any]] = [
        *USERS[:1],
        {"name": "owner", "pool_mode": "session", "pool_size": 3},
    ]
    assert named(configured(users=by_user))["owner@shop session idle"] == 8
    limited: list[dict[str, Any]] = [
        *USERS[:1],
        {"name": "owner", "pool_mode": None, "max_user_connections": 2},
    ]
    assert named(configured(users=limited))["owner@shop transaction idle"] == 2


def test_a_databases_own_limit_caps_its_pools() -> None:
    seen = configured({**DATABASE, "name": "reports", "max_connections": 30})
    assert connections(seen, pools_of(seen, "p", set(), MAY)) == 50 + 30


# -- D-13.1.4 --------------------------------------------------------------------------------------

TABLE = TableStatistics("public.a", 1000, NOW - timedelta(hours=2), 100, (), True)
ESTIMATES = tuple(Estimate(f"query {n}", 100.0, 90.0) for n in range(10))
STATISTICS = Statistics(NOW, (TABLE,), (), True, ESTIMATES)


def analysed(**changes: object) -> Statistics:
    named: dict[str, Any] = {"name": "public.b", **changes}
    return replace(STATISTICS, tables=(TABLE, replace(TABLE, **named)))


def test_known_tables_are_green(judged: Judge) -> None:
    assert judged("D-13.1.4", statistics=STATISTICS) is None


def test_what_another_product_does_not_declare_hides_nothing_else(judged: Judge) -> None:
    error = ProbeError("the hot queries", "none is declared", "write postgres.hot_queries")
    for partly in (
        replace(STATISTICS, estimates=(), estimates_unseen=Unseen(error)),
        replace(STATISTICS, estimates_unseen=Unseen(error), unseen_queries=1),
        replace(STATISTICS, core_missing=Unseen(error)),
    ):
        claim = judged("D-13.1.4", statistics=partly)
        assert claim is not None
        assert claim.unseen is error
        off = replace(partly, autovacuum=False)
        assert "autovacuum: no" in red(judged("D-13.1.4", statistics=off))


def test_what_the_planner_does_not_know_comes_with_the_sql_that_mends_it(judged: Judge) -> None:
    for statistics, sql in (
        (analysed(name="App.Booking", analyzed_at=None), 'analyze "App"."Booking";'),
        (analysed(changed_rows=200), "analyze public.b;"),
        (analysed(columns_without=("id",)), "analyze public.b;"),
        (analysed(autovacuum=False), "alter table public.b reset (autovacuum_enabled);"),
    ):
        claim = judged("D-13.1.4", statistics=statistics)
        assert claim is not None
        assert claim.sql == (sql,)


def test_a_reset_of_the_counters_leaves_open_when_a_table_was_analysed(judged: Judge) -> None:
    forgotten = analysed(analyzed_at=None, forgotten=True, changed_rows=0)
    lately = replace(forgotten, counted_since=NOW - timedelta(hours=2))
    for statistics, cause in (
        (lately, f"were reset at {NOW - timedelta(hours=2):%F %T} UTC"),
        (forgotten, "as after a crash, a failover or a copy"),
    ):
        claim = judged("D-13.1.4", statistics=statistics)
        assert claim is not None
        assert claim.subject == "last analysed"
        assert claim.unseen is not None
        assert claim.unseen.subject == "when public.b was last analysed"
        assert cause in claim.unseen.cause
        assert claim.unseen.next_step == "analyze public.b;"
    changed = lately.changed_percent(50, 10)
    assert isinstance(changed, Unseen)  # what was changed before the reset was forgotten too


def test_a_reset_of_the_counters_hides_nothing_that_is_proved(judged: Judge) -> None:
    forgotten = analysed(analyzed_at=None, forgotten=True, changed_rows=0)
    never = replace(TABLE, name="public.c", analyzed_at=None)
    for statistics, says in (
        (replace(forgotten, counted_since=NOW - timedelta(hours=25)), "public.b, at least 25 h"),
        (replace(forgotten, tables=(*forgotten.tables, never)), "public.c never"),
        (analysed(analyzed_at=None, forgotten=True, changed_rows=900), "public.b 85 %"),
    ):
        assert says in red(judged("D-13.1.4", statistics=statistics))


def test_of_many_tables_whose_analysis_was_forgotten_some_are_named() -> None:
    tables = [replace(TABLE, name=f"t{n}", analyzed_at=None, forgotten=True) for n in range(9)]
    found = replace(STATISTICS, tables=tuple(tables)).age_h(24)
    assert isinstance(found, Unseen)
    assert "t5 and 3 more were last" in found.error.subject
    assert found.error.next_step == "analyze;"


def test_a_few_changes_of_a_small_table_are_let_pass(judged: Judge) -> None:
    assert judged("D-13.1.4", statistics=analysed(live_rows=1, changed_rows=50)) is None


@pytest.mark.parametrize(
    ("statistics", "says"),
    [
        (replace(STATISTICS, tables=()), "no tables to look at"),
        (replace(STATISTICS, core_missing=("payments",)), "payments"),
        (analysed(analyzed_at=NOW - timedelta(hours=25)), "public.b 25 h ago"),
        (analysed(analyzed_at=None), "public.b never"),
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
INTEGRITY = Integrity("db-2", CHECKS, (KEY,), 9, {}, 4, ())
BEHIND = SequenceBehind('public."A_seq"', 2, "A.id", 40)
UNPROVED = {"ck on public.a": "alter table public.a validate constraint ck;"}


def test_what_breaks_a_rule_comes_with_the_sql_that_mends_it(judged: Judge) -> None:
    for data, sql in (
        (replace(INTEGRITY, unproved_constraints=UNPROVED), *UNPROVED.values()),
        (
            replace(INTEGRITY, sequences_behind=(BEHIND,)),
            "select setval('public.\"A_seq\"', 40);",
        ),
    ):
        claim = judged("D-13.3.2", integrity=data)
        assert claim is not None
        assert claim.sql == (sql,)


def test_tables_that_may_not_be_read_hide_no_others(judged: Judge) -> None:
    unseen = Unseen(ProbeError("the foreign key fk", "permission denied", "grant"))
    for partly in (
        replace(INTEGRITY, keys_unseen=unseen),
        replace(INTEGRITY, foreign_keys=(), keys_unseen=unseen),
        replace(INTEGRITY, sequences_unseen=unseen),
    ):
        claim = judged("D-13.3.2", integrity=partly)
        assert claim is not None
        assert claim.unseen is unseen.error
        both = replace(partly, unproved_constraints=UNPROVED)
        assert "ck on public.a" in red(judged("D-13.3.2", integrity=both))
    found = replace(INTEGRITY, sequences_unseen=unseen, sequences_behind=(BEHIND,))
    assert "hands out 2 next" in red(judged("D-13.3.2", integrity=found))


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
        (replace(INTEGRITY, unproved_constraints=UNPROVED), "ck on public.a"),
        (replace(INTEGRITY, sequences=0), "no sequences to look at"),
        (replace(INTEGRITY, sequences_behind=(BEHIND,)), '"A_seq" hands out 2 next, A.id has 40'),
    ],
)
def test_data_that_breaks_a_rule_is_red(judged: Judge, integrity: Integrity, says: str) -> None:
    assert says in red(judged("D-13.3.2", integrity=integrity))


# -- D-13.3.4 --------------------------------------------------------------------------------------

NOUNS = ("step", "duration", "lock_waits", "longest_transaction", "replication_lag", "free_disk")
WATCHED = tuple(Watched(n, f"metric_{n}", 1.0, f"Rule-{n}", True, "", ("on-call",)) for n in NOUNS)
RUN = MigrationRun(NOW, ("0001", "0002"), ("0001", "0002"), ("0001", "0002"), True, "")
NODE = Coverage("m", ("db-1",), {"db-1": 1.0}, 2)
WATCH = MigrationWatch(WATCHED, "on-call", RUN)
ALERT = LockWaitAlert("LockWaitLong", True, 35.0, False, 31.0, 2.0)


def watched(**changes: object) -> MigrationWatch:
    return replace(WATCH, watched=(*WATCHED[:5], replace(WATCHED[5], **changes)))  # type: ignore[arg-type]


def test_a_watched_migration_is_green(judged: Judge) -> None:
    assert judged("D-13.3.4", migration_watch=WATCH, lock_wait_alert=ALERT) is None
    of_a_node = watched(nodes=NODE)
    assert judged("D-13.3.4", migration_watch=of_a_node, lock_wait_alert=ALERT) is None


def test_a_metric_that_does_not_tell_its_node_is_unseen(judged: Judge) -> None:
    untold = watched(nodes=Unseen(ProbeError("whether m is of db-1", "it is of exporter")))
    found = judged("D-13.3.4", migration_watch=untold, lock_wait_alert=ALERT)
    assert found is not None
    assert found.unseen is not None
    assert "whether m is of db-1" in found.observed


SILENT = Unseen(ProbeError("Prometheus", "it does not answer", "start it"))


def every_claim(**facts: object) -> list[Claim]:
    """What D-13.3.4 says of all of it."""
    limits = launch.load(SUITES / "launch.toml").limits
    with collect(to_the_end=True) as claims:
        checks()["D-13.3.4"](limits=limits, **facts)
    return claims


@pytest.mark.parametrize(
    "watch",
    [
        SILENT,
        replace(WATCH, last_run=None),
        replace(WATCH, last_run=SILENT),
        replace(WATCH, watched=WATCHED[1:]),
        watched(loaded=False, receivers=()),
        watched(sample_age_s=SILENT, nodes=SILENT),
        watched(loaded=SILENT, rule_error=SILENT, receivers=SILENT),
    ],
    ids=["all unseen", "no run", "log unseen", "noun", "rule", "samples unseen", "rules unseen"],
)
def test_whatever_is_not_watched_the_alert_on_lock_waits_is_judged(watch: object) -> None:
    blind = replace(ALERT, fired_after_s=INF)
    claims = every_claim(migration_watch=watch, lock_wait_alert=blind)
    assert [c.subject for c in claims if c.broken and "Lock" in c.subject] == [
        "LockWaitLong fired after"
    ]
    assert len(claims) == 14
    whole = every_claim(migration_watch=watch, lock_wait_alert=ALERT)
    assert any(not c.holds for c in whole)


def test_without_a_look_at_the_alert_what_watches_is_judged() -> None:
    claims = every_claim(migration_watch=replace(WATCH, last_run=None), lock_wait_alert=SILENT)
    assert len(claims) == 14
    assert sum(c.unseen is SILENT.error for c in claims) == 5
    assert sum(c.broken for c in claims) == 3
    stale = watched(sample_age_s=SILENT, nodes=SILENT)
    stale = replace(stale, watched=(replace(WATCHED[0], sample_age_s=61.0), *stale.watched[1:]))
    says = [c.observed for c in every_claim(migration_watch=stale, lock_wait_alert=ALERT)]
    assert "metric_step 61 s old (1 of 5)" in says


@pytest.mark.parametrize(
    ("watch", "alert", "says"),
    [
        (replace(WATCH, watched=WATCHED[:5]), ALERT, "missing free_disk"),
        (watched(sample_age_s=61.0), ALERT, "metric_free_disk 61 s old"),
        (watched(sample_age_s=INF), ALERT, "metric_free_disk never"),
        (watched(nodes=replace(NODE, age_s={"db-1": INF})), ALERT, "m of db-1 (no sample)"),
        (watched(nodes=replace(NODE, age_s={"db-1": 61.0})), ALERT, "m of db-1 (none for 61 s)"),
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
        (WATCH, replace(ALERT, fired_after_s=INF), "LockWaitLong fired after: never"),
        (WATCH, replace(ALERT, resolved_after_s=121.0), "LockWaitLong resolved after: 121"),
    ],
)
def test_a_migration_nobody_watches_is_red(
    judged: Judge, watch: MigrationWatch, alert: LockWaitAlert, says: str
) -> None:
    assert says in red(judged("D-13.3.4", migration_watch=watch, lock_wait_alert=alert))
