"""Faults of the database: indexes, statements, pooling, statistics, data, and what watches them."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from rehearsal.faults import fault
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import APP_ROLE, DATABASE, MONITOR_ROLE, Rehearsal
from rehearsal.parts.platform.app import set_app_faults, work

MARK = "golive fault"
"""What a synthetic row carries where a note can stand, to be found and removed again."""

# -- indexes ---------------------------------------------------------------------------------------
# In a table of their own beside the product's: the candidate's declared schema stays as it is.

BOOKINGS = f"{MONITOR_ROLE}.fault_bookings"


def _bookings(r: Rehearsal) -> None:
    r.primary.sql(
        f"create table {BOOKINGS} (id bigint primary key, status text not null,"
        " user_id bigint not null references users)"
    )
    r.primary.sql(
        f"insert into {BOOKINGS}"  # noqa: S608  a constant
        " select n, 'open', first.id from generate_series(1, 20000) n,"
        " (select min(id) as id from users) first"
    )
    r.primary.sql(f"create index fault_bookings_user on {BOOKINGS} (user_id)")
    r.primary.sql(f"analyze {BOOKINGS}")


def _no_bookings(r: Rehearsal) -> None:
    r.primary.sql(f"drop table if exists {BOOKINGS}")


@fault(
    "index-left-invalid",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_bookings"],
    title="a failed concurrent build left its index",
)
def index_left_invalid(r: Rehearsal) -> None:
    _bookings(r)
    try:
        r.primary.sql(f"create unique index concurrently fault_invalid on {BOOKINGS} (status)")
    except psycopg.errors.UniqueViolation:
        return
    raise AssertionError("a unique index over equal values was built")


@index_left_invalid.revert
def drop_the_invalid_index(r: Rehearsal) -> None:
    _no_bookings(r)


@fault(
    "foreign-key-without-index",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_bookings"],
    title="a foreign key of a table with 20,000 rows has no index",
)
def foreign_key_without_index(r: Rehearsal) -> None:
    _bookings(r)
    r.primary.sql(f"drop index {MONITOR_ROLE}.fault_bookings_user")


@foreign_key_without_index.revert
def drop_the_bare_table(r: Rehearsal) -> None:
    _no_bookings(r)


@fault(
    "index-twice",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_bookings"],
    title="a column is indexed twice in the same way",
)
def index_twice(r: Rehearsal) -> None:
    _bookings(r)
    r.primary.sql(f"create index fault_bookings_twin on {BOOKINGS} (user_id)")


@index_twice.revert
def drop_the_twins(r: Rehearsal) -> None:
    _no_bookings(r)


# -- statements ------------------------------------------------------------------------------------

LOOKUP = "ix_appointments_barber_start"
SLOWED = "appointments.by_id"
"""The statement behind every change of a booking."""
DELAY_S = 0.1


@fault(
    "lookup-index-dropped",
    # A copy of the database lacks it too, so the candidate's declared schema is not met.
    expect_fail=["D-13.1.1"],
    touches=[
        "postgres/appointments",
        "query-times",
        "archive/segments",
        "app/load",
        "pgbouncer/load",
    ],
    title="the appointments' index by barber and time is gone",
    settled=lambda r: _p95_s(r, "barbers.list") > DELAY_S / 2,
)
def lookup_index_dropped(r: Rehearsal) -> None:
    [(definition,)] = r.primary.sql("select pg_get_indexdef(%s::regclass)", [LOOKUP])
    r.remember(LOOKUP, definition)
    r.primary.sql(f"drop index {LOOKUP}")
    _archived(r)
    work(r, seconds=4, rate=40)  # enough to be more than a twentieth of the window


@lookup_index_dropped.revert
def build_the_lookup_index(r: Rehearsal) -> None:
    if r.primary.sql("select 1 where to_regclass(%s) is null", [LOOKUP]):
        r.primary.sql(r.recall(LOOKUP))
    r.forget(LOOKUP)
    _archived(r)
    _forget_times(r, ".*", counted="%appointments.%")
    work(r, seconds=8, rate=40)


@fault(
    "statement-slowed",
    expect_fail=["D-13.1.2"],
    touches=["app/load", "query-times", "pgbouncer/load"],
    title="looking a booking up takes 100 ms more",
    settled=lambda r: _p95_s(r, SLOWED) > DELAY_S,
    reverted=lambda r: _p95_s(r, SLOWED) < DELAY_S,
)
def statement_slowed(r: Rehearsal) -> None:
    set_app_faults(r, slow_statement={"name": SLOWED, "ms": 1000 * DELAY_S})
    work(r, seconds=4, rate=40)


@statement_slowed.revert
def quicken_the_statement(r: Rehearsal) -> None:
    set_app_faults(r, slow_statement=None)
    _forget_times(r, SLOWED, counted="SELECT slowed.%")
    work(r, seconds=4, rate=40)


@fault(
    "statements-hidden-in-code",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_bookings", "postgres/statements"],
    title="much of the database's time goes into code, whose statements have no plan",
)
def statements_hidden_in_code(r: Rehearsal) -> None:
    _bookings(r)
    _costly(
        r,
        BOOKINGS,
        f"do $$ begin perform count(status) from {BOOKINGS}; perform pg_sleep({BUSY_S}); end $$",
    )


@statements_hidden_in_code.revert
def run_no_such_code(r: Rehearsal) -> None:
    _not_costly(r, "%do $$%fault_bookings%")
    _no_bookings(r)


PARTS = f"{MONITOR_ROLE}.fault_parts"


def _parts(r: Rehearsal) -> None:
    """16,000 rows in two partitions, either of which is no large table, and none analysed."""
    r.primary.sql(f"create table {PARTS} (id bigint, half int) partition by list (half)")
    for half in (0, 1):
        name = f"{PARTS}_{half}"
        r.primary.sql(f"create table {name} partition of {PARTS} for values in ({half})")
    r.primary.sql(
        f"insert into {PARTS} select n, n % 2 from generate_series(1, 16000) n"  # noqa: S608
    )


def _no_parts(r: Rehearsal) -> None:
    r.primary.sql(f"drop table if exists {PARTS}")


@fault(
    "partitions-scanned",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_parts", "postgres/statements"],
    title="a costly statement reads each of a large table's small partitions",
)
def partitions_scanned(r: Rehearsal) -> None:
    _parts(r)
    r.primary.sql(f"analyze {PARTS}")
    query = f"select count(id), pg_sleep({BUSY_S}) from {PARTS} where id > 0"  # noqa: S608
    _costly(r, PARTS, query)


@partitions_scanned.revert
def drop_the_scanned_partitions(r: Rehearsal) -> None:
    _not_costly(r, "%fault_parts%")
    _no_parts(r)


@fault(
    "statements-not-counted",
    expect_fail=["D-13.1.1"],
    touches=["postgres"],
    title="pg_stat_statements is not loaded",
    settled=lambda r: _preloaded(r) == "",
    reverted=lambda r: _preloaded(r) != "",
)
def statements_not_counted(r: Rehearsal) -> None:
    r.override("postgres-primary", shared_preload_libraries="")
    r.restart("postgres-primary")


@statements_not_counted.revert
def count_statements(r: Rehearsal) -> None:
    r.clear_override("postgres-primary", "shared_preload_libraries")
    r.restart("postgres-primary")


# -- pooling ---------------------------------------------------------------------------------------


@fault(
    "pooler-bypassed",
    expect_fail=["D-13.1.3"],
    touches=["app", "pgbouncer"],
    title="app-2 connects straight to PostgreSQL",
    settled=lambda r: _backends_of(r, "bookedbarber-app-2"),
)
def pooler_bypassed(r: Rehearsal) -> None:
    r.override("app-2", through="postgres-primary")
    r.restart("app-2")


@pooler_bypassed.revert
def return_to_the_pooler(r: Rehearsal) -> None:
    r.clear_override("app-2", "through")
    r.restart("app-2")


@fault(
    "pool-too-large",
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="the pools exceed max_connections",
)
def pool_too_large(r: Rehearsal) -> None:
    _resize(r, default_pool_size=120, max_db_connections=0)


@pool_too_large.revert
def shrink_the_pool(r: Rehearsal) -> None:
    _resize(r)


@fault(
    "pool-of-one",
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="each pool has one connection",
)
def pool_of_one(r: Rehearsal) -> None:
    _resize(r, default_pool_size=1, reserve_pool_size=0)


@pool_of_one.revert
def widen_the_pool(r: Rehearsal) -> None:
    _resize(r)


@fault(
    "idle-pool-entry-too-large",
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="a second entry of the pooler, not used yet, may take 60 connections",
)
def idle_pool_entry_too_large(r: Rehearsal) -> None:
    _add_entry(r, "pool_size=60 max_db_connections=60")


@idle_pool_entry_too_large.revert
def remove_the_large_entry(r: Rehearsal) -> None:
    _add_entry(r)


@fault(
    "idle-pool-entry-by-session",
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="a second entry of the pooler, not used yet, pools by session",
)
def idle_pool_entry_by_session(r: Rehearsal) -> None:
    _add_entry(r, "pool_size=1 max_db_connections=1 pool_mode=session")


@idle_pool_entry_by_session.revert
def remove_the_session_entry(r: Rehearsal) -> None:
    _add_entry(r)


# -- statistics ------------------------------------------------------------------------------------


@fault(
    "statistics-deleted",
    expect_fail=["D-13.1.4"],
    touches=["postgres/refunds"],
    title="the planner knows nothing of refunds",
)
def statistics_deleted(r: Rehearsal) -> None:
    r.primary.sql("delete from pg_statistic where starelid = 'refunds'::regclass")


@statistics_deleted.revert
def analyze_refunds(r: Rehearsal) -> None:
    r.primary.sql("analyze refunds")


@fault(
    "partitioned-table-not-analysed",
    expect_fail=["D-13.1.4"],
    touches=["postgres/fault_parts"],
    title="of a partitioned table the partitions alone were analysed, as autovacuum does",
)
def partitioned_table_not_analysed(r: Rehearsal) -> None:
    _parts(r)
    for half in (0, 1):
        r.primary.sql(f"analyze {PARTS}_{half}")


@partitioned_table_not_analysed.revert
def drop_the_partitioned_table(r: Rehearsal) -> None:
    _no_parts(r)


@fault(
    "rows-not-analysed",
    expect_fail=["D-13.1.4"],
    touches=["postgres/idempotency_keys"],
    title="a fifth of idempotency_keys is new and not analysed",
    settled=lambda r: _changed(r, "idempotency_keys") > 1000,
)
def rows_not_analysed(r: Rehearsal) -> None:
    # Else autovacuum would fix it within the minute.
    r.primary.sql("alter table idempotency_keys set (autovacuum_analyze_threshold = 1000000000)")
    r.primary.sql(
        "insert into idempotency_keys (user_id, key, request_hash)"
        " select user_id, %s || id, request_hash from idempotency_keys"
        " where id <= (select max(id) from idempotency_keys) / 4",
        [f"{MARK} "],
    )


@rows_not_analysed.revert
def analyse_the_rows(r: Rehearsal) -> None:
    r.primary.sql("delete from idempotency_keys where starts_with(key, %s)", [MARK])
    r.primary.sql("alter table idempotency_keys reset (autovacuum_analyze_threshold)")
    r.primary.sql("vacuum (analyze) idempotency_keys")


@fault(
    "autovacuum-off",
    expect_fail=["D-13.1.4"],
    touches=["postgres/payouts"],
    title="autovacuum is switched off for payouts",
)
def autovacuum_off(r: Rehearsal) -> None:
    r.primary.sql("alter table payouts set (autovacuum_enabled = off)")


@autovacuum_off.revert
def autovacuum_on(r: Rehearsal) -> None:
    r.primary.sql("alter table payouts reset (autovacuum_enabled)")


# -- data ------------------------------------------------------------------------------------------


@fault(
    "appointments-overlap",
    expect_fail=["D-13.3.2"],
    touches=["postgres/appointments", "postgres/standby"],
    title="a barber has two visits at the same time",
    settled=lambda r: bool(r.standby.sql("select 1 from appointments where notes = %s", [MARK])),
)
def appointments_overlap(r: Rehearsal) -> None:
    r.primary.sql(
        "insert into appointments (user_id, barber_id, client_id, service_id, service_name,"
        " start_time, duration_minutes, price, status, notes)"
        " select user_id, barber_id, client_id, service_id, service_name,"
        " start_time + interval '10 minutes', duration_minutes, price, 'confirmed', %s"
        " from appointments where status = 'confirmed' and start_time > now() order by id limit 1",
        [MARK],
    )


@appointments_overlap.revert
def part_the_appointments(r: Rehearsal) -> None:
    r.primary.sql("delete from appointments where notes = %s", [MARK])
    _replayed(r, "select 1 from appointments where notes = %s", [MARK])


ORPHAN = 999_999_999_999


@fault(
    "payment-orphaned",
    expect_fail=["D-13.3.2"],
    touches=["postgres/payments", "postgres/standby"],
    title="a payment belongs to no appointment",
    settled=lambda r: bool(r.standby.sql(ORPHANS, [ORPHAN])),
)
def payment_orphaned(r: Rehearsal) -> None:
    with r.primary.connect() as connection:
        connection.execute("set session_replication_role = replica")  # no trigger looks
        connection.execute(
            "insert into payments (appointment_id, amount, status) values (%s, 30, 'pending')",
            [ORPHAN],
        )


ORPHANS = "select 1 from payments where appointment_id = %s"


@payment_orphaned.revert
def remove_the_orphan(r: Rehearsal) -> None:
    r.primary.sql("delete from payments where appointment_id = %s", [ORPHAN])
    _replayed(r, ORPHANS, [ORPHAN])


@fault(
    "sequence-behind",
    expect_fail=["D-13.3.2"],
    touches=["postgres/refunds"],
    title="refunds would hand out a number once more",
)
def sequence_behind(r: Rehearsal) -> None:
    r.primary.sql("select setval(pg_get_serial_sequence('refunds', 'id'), 1)")


@sequence_behind.revert
def advance_the_sequence(r: Rehearsal) -> None:
    r.primary.sql("select setval(pg_get_serial_sequence('refunds', 'id'), max(id)) from refunds")


# -- what watches a migration ----------------------------------------------------------------------

LOCK_RULE = "LockWaitLong"


@fault(
    "lock-wait-rule-missing",
    expect_fail=["D-13.3.4"],
    touches=["prometheus/rules"],
    title="no rule watches for long lock waits",
    settled=lambda r: LOCK_RULE not in _rules(r),
    reverted=lambda r: LOCK_RULE in _rules(r),
)
def lock_wait_rule_missing(r: Rehearsal) -> None:
    r.override("prometheus", without_rules=[LOCK_RULE])
    r.reload("prometheus")


@lock_wait_rule_missing.revert
def load_the_lock_wait_rule(r: Rehearsal) -> None:
    r.clear_override("prometheus", "without_rules")
    r.reload("prometheus")


@fault(
    "database-unmeasured",
    expect_fail=["D-13.3.4"],
    touches=["exporter"],
    title="the exporter cannot measure the database",
    settled=lambda r: not _ask(r, "database_longest_lock_wait_seconds"),
    reverted=lambda r: bool(_ask(r, "database_longest_lock_wait_seconds")),
)
def database_unmeasured(r: Rehearsal) -> None:
    r.override("exporter", blind=["database"])


@database_unmeasured.revert
def measure_the_database(r: Rehearsal) -> None:
    r.clear_override("exporter", "blind")


@fault(
    "migration-log-silenced",
    expect_fail=["D-13.3.4"],
    touches=["migration-log"],
    title="the migration log tells no steps",
)
def migration_log_silenced(r: Rehearsal) -> None:
    lines = r.migration_log.read_text().splitlines(keepends=True)
    r.remember("migration-log", lines)
    reported = [line for line in lines if not json.loads(line)["event"].startswith("step")]
    write_atomically(r.migration_log, "".join(reported), 0o644)


@migration_log_silenced.revert
def restore_the_migration_log(r: Rehearsal) -> None:
    write_atomically(r.migration_log, "".join(r.recall("migration-log")), 0o644)
    r.forget("migration-log")


# -- small tools -----------------------------------------------------------------------------------


def _archived(r: Rehearsal) -> None:
    """Wait until the archive, and with it a copy restored now, has what was done so far."""
    [(segment,)] = r.primary.sql("select pg_walfile_name(pg_switch_wal())")
    r.wait(
        f"{segment} is archived",
        lambda: bool(
            r.primary.sql("select 1 from pg_stat_archiver where last_archived_wal >= %s", [segment])
        ),
    )


BUSY_S = 0.01
"""How long a statement takes that is to be costly, and is to have a mean as it should be."""
_SESSIONS = 8


def _costly(r: Rehearsal, table: str, query: str) -> None:
    """Have the application's role ask a table until that takes a fifth of all its time."""
    [(total_ms,)] = r.primary.sql(
        "select sum(s.total_exec_time) from pg_stat_statements s"
        " join pg_roles u on u.oid = s.userid where u.rolname = %s and s.toplevel",
        [APP_ROLE],
    )
    times = 1 + int(0.25 * total_ms / 1000 / BUSY_S / _SESSIONS)
    r.primary.sql(f"grant usage on schema {MONITOR_ROLE} to {APP_ROLE}")
    r.primary.sql(f"grant select on {table} to {APP_ROLE}")

    def ask(_: int) -> None:
        with r.primary.connect(user=APP_ROLE) as connection:
            for _ in range(times):
                connection.execute(query.encode(), prepare=False)

    with ThreadPoolExecutor(_SESSIONS) as pool:
        list(pool.map(ask, range(_SESSIONS)))


def _not_costly(r: Rehearsal, like: str) -> None:
    """Forget that statement, and the role's right to ask it."""
    _uncount(r, like)
    r.primary.sql(f"revoke usage on schema {MONITOR_ROLE} from {APP_ROLE}")


def _uncount(r: Rehearsal, like: str) -> None:
    """Take statements whose text is like this out of pg_stat_statements."""
    r.primary.sql(
        "select pg_stat_statements_reset(s.userid, s.dbid, s.queryid) from pg_stat_statements s"
        " join pg_database d on d.oid = s.dbid where d.datname = %s and s.query like %s",
        [DATABASE, like],
    )


def _resize(r: Rehearsal, **settings: int) -> None:
    r.clear_override("pgbouncer", "default_pool_size", "reserve_pool_size", "max_db_connections")
    if settings:
        r.override("pgbouncer", **settings)
    r.restart("pgbouncer")


def _add_entry(r: Rehearsal, text: str = "") -> None:
    r.clear_override("pgbouncer", "databases")
    if text:
        r.override("pgbouncer", databases={"reports": text})
    r.restart("pgbouncer")


def _preloaded(r: Rehearsal) -> str:
    [(libraries,)] = r.primary.sql("show shared_preload_libraries")
    return str(libraries)


def _backends_of(r: Rehearsal, application: str) -> bool:
    query = "select 1 from pg_stat_activity where application_name = %s and client_port > 0"
    return bool(r.primary.sql(query, [application]))


def _changed(r: Rehearsal, table: str) -> int:
    query = "select n_mod_since_analyze from pg_stat_user_tables where relname = %s"
    [(rows,)] = r.primary.sql(query, [table])
    return int(rows)


def _replayed(r: Rehearsal, query: str, parameters: list[Any]) -> None:
    r.wait("the standby has forgotten the rows", lambda: not r.standby.sql(query, parameters))


def _forget_times(r: Rehearsal, statement: str, *, counted: str = "") -> None:
    """Take what was measured of statements, by name, out of Prometheus, and of those whose text
    is like ``counted`` out of pg_stat_statements: the window would hold it against them, or for
    them, for minutes."""
    _uncount(r, counted)
    series = f'{{__name__=~"bookedbarber_db_query_seconds_.*",statement=~"{statement}"}}'
    # Of the two weeks before, no window of that kind tells.
    words = urllib.parse.urlencode({"match[]": series, "start": f"{time.time() - 7200:.0f}"})
    url = f"http://127.0.0.1:{r.port('prometheus')}/api/v1/admin/tsdb/delete_series?{words}"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()


def _p95_s(r: Rehearsal, statement: str) -> float:
    buckets = f'bookedbarber_db_query_seconds_bucket{{statement="{statement}"}}[5m]'
    found = _ask(r, f"histogram_quantile(0.95, sum by (le) (increase({buckets})))")
    if not found:
        raise OSError(f"Prometheus has no times of {statement} yet")
    return float(found[0]["value"][1])


def _ask(r: Rehearsal, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _prometheus(
        r, "query?" + urllib.parse.urlencode({"query": query})
    )["result"]
    return found


def _rules(r: Rehearsal) -> set[str]:
    return {rule["name"] for g in _prometheus(r, "rules")["groups"] for rule in g["rules"]}


def _prometheus(r: Rehearsal, path: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{r.port('prometheus')}/api/v1/{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data
