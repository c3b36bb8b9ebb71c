"""Tables: what the planner knows of them, and whether what stands in them is consistent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from golive.claims import Fixable
from golive.environments import Environment, IntegrityCheck, Postgres
from golive.probes.data.postgres import connect, one, table
from golive.probes.data.rows import exists, spelled
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

_EXAMPLES = 3
_NAMED = 6
"""Tables that a message names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What the planner knows of one table with rows; of partitions each, and the whole."""

    name: str
    live_rows: int
    analyzed_at: datetime | None
    changed_rows: int
    """Inserted, updated or deleted since."""
    columns_without: tuple[str, ...] | Unseen
    """Columns that have no statistics although they should."""
    autovacuum: bool
    """False where the table's own settings switch it off."""
    forgotten: bool = False
    """Was analysed, as its statistics show, and its counters do not know when: they were reset,
    or were lost in a crash or a failover."""

    @property
    def analyze(self) -> str:
        """SQL that brings its statistics up to date."""
        return f"analyze {spelled(self.name)};"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A hot query: rows the planner expects and rows it got."""

    query: str
    expected_rows: float
    actual_rows: float

    @property
    def factor(self) -> float:
        """How many times too many or too few; none counts as one."""
        high, low = (
            max(self.expected_rows, self.actual_rows),
            min(self.expected_rows, self.actual_rows),
        )
        return max(high, 1.0) / max(low, 1.0)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Planner statistics of every user table with rows, and how well they serve."""

    looked_at: datetime
    tables: tuple[TableStatistics, ...]
    core_missing: tuple[str, ...] | Unseen
    """Declared core tables that do not exist or are empty; unseen where there is none of them at
    all, as those of another product."""
    autovacuum: bool
    """On for the whole server, together with the counting that it needs."""
    estimates: tuple[Estimate, ...]
    """Of the hot queries that could be planned."""
    estimates_unseen: Unseen | None = None
    """Why some of them could not be, or that none is declared."""
    unseen_queries: int = 0
    counted_since: datetime | None = None
    """When the counters of the database were reset; None: never, or nobody noted it."""

    @property
    def queries(self) -> int | Unseen:
        """How many hot queries the environment declares; unseen where it declares none."""
        count = len(self.estimates) + self.unseen_queries
        return count if count or self.estimates_unseen is None else self.estimates_unseen

    @property
    def not_estimated(self) -> list[str] | Unseen:
        """Nothing, where each hot query was planned."""
        return [] if self.estimates_unseen is None else self.estimates_unseen

    def age_h(self, most_h: float) -> dict[str, float] | Unseen:
        """Hours since each table was analysed; infinite where it never was.

        Where the time was forgotten, it is at least as long as has been counted since. Unseen
        where that leaves it open whether a table is within ``most_h``, and no other is over it.
        """
        ages: dict[str, float] = {
            Fixable(t.name, t.analyze): (self.looked_at - t.analyzed_at).total_seconds() / 3600
            if t.analyzed_at
            else float("inf")
            for t in self.tables
            if not t.forgotten
        }
        counted_h = (
            (self.looked_at - self.counted_since).total_seconds() / 3600
            if self.counted_since
            else 0.0
        )
        for t in self._forgotten:
            ages[Fixable(f"{t.name}, at least", t.analyze)] = counted_h
        is_told = not self._forgotten or any(age > most_h for age in ages.values())
        return ages if is_told else self._not_told("when {} last analysed")

    @property
    def _forgotten(self) -> list[TableStatistics]:
        return [t for t in self.tables if t.forgotten]

    def _not_told(self, subject: str) -> Unseen:
        names = [t.name for t in self._forgotten]
        few = len(names) <= _NAMED
        told = ", ".join(names[:_NAMED]) + ("" if few else f" and {len(names) - _NAMED} more")
        at = self.counted_since
        return Unseen(
            ProbeError(
                subject.format(f"{told} {'was' if len(names) == 1 else 'were'}"),
                f"the counters of this database were reset at {at:%F %T} UTC"
                if at
                else "its counters are empty, as after a crash, a failover or a copy",
                " ".join(t.analyze for t in self._forgotten) if few else "analyze;",
            )
        )

    @property
    def without_columns(self) -> list[str] | Unseen:
        """Tables with columns that have no statistics, and these; unseen where none is known and
        those of a table are hidden."""
        found: list[str] = [
            Fixable(f"{t.name} ({', '.join(t.columns_without)})", t.analyze)
            for t in self.tables
            if not isinstance(t.columns_without, Unseen) and t.columns_without
        ]
        unseen = unseen_among(t.columns_without for t in self.tables)
        return found if found or unseen is None else unseen

    @property
    def not_vacuumed(self) -> list[str]:
        """Tables whose own settings switch autovacuum off."""
        return [
            Fixable(t.name, f"alter table {spelled(t.name)} reset (autovacuum_enabled);")
            for t in self.tables
            if not t.autovacuum
        ]

    @property
    def estimate_factors(self) -> dict[str, float] | Unseen:
        """How far off the planner's row estimate is, by hot query."""
        if not self.estimates and self.estimates_unseen is not None:
            return self.estimates_unseen
        return {e.query: e.factor for e in self.estimates}

    def changed_percent(self, but_for: float, most: float) -> dict[str, float] | Unseen:
        """Rows changed since each table was analysed, in percent of its rows.

        Unseen where no table is over ``most`` percent, and changes of one may have been
        forgotten.

        :param but_for: changes that are not counted. Few in a small table are a large share of
            it; the server itself lets them pass.
        """
        changed: dict[str, float] = {
            Fixable(t.name, t.analyze): 100 * max(0, t.changed_rows - but_for) / max(1, t.live_rows)
            for t in self.tables
        }
        is_told = not self._forgotten or any(percent > most for percent in changed.values())
        return changed if is_told else self._not_told("changes since {} analysed")


@dataclass(frozen=True, slots=True)
class Violations:
    """One rule over one table, and the rows that break it."""

    rule: str
    table: str
    empty: bool
    """The table has no row, so that the rule says nothing."""
    rows: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = f", e.g. {'; '.join(self.examples)}" if self.examples else ""
        return f"{self.rule} ({self.rows:,} in {self.table}{shown})"


@dataclass(frozen=True, slots=True)
class SequenceBehind:
    """A sequence that will hand out a number which is taken, or lies below one that is."""

    sequence: str
    """As SQL writes it."""
    following: int
    column: str
    highest: int

    def __str__(self) -> str:
        return (
            f"{self.sequence} hands out {self.following:,} next, {self.column} has {self.highest:,}"
        )

    @property
    def fix(self) -> str:
        """SQL that sets it to the highest number there is."""
        name = self.sequence.replace("'", "''")
        return f"select setval('{name}', {self.highest});"


@dataclass(frozen=True, slots=True)
class Integrity:
    """The state of a database's data, from one snapshot."""

    node: str
    declared: tuple[Violations, ...]
    """The environment's own checks, as far as they could be looked at."""
    foreign_keys: tuple[Violations, ...]
    """Every foreign key looked at row by row: a disabled trigger lets anything through."""
    constraints: int
    unproved_constraints: Mapping[str, str]
    """Constraints that were added without checking the rows already there, with the SQL that
    checks them."""
    sequences: int
    sequences_behind: tuple[SequenceBehind, ...]
    unseen: Unseen | None = None
    """Why some of the environment's checks could not be looked at, or that it has none."""
    unseen_checks: int = 0
    keys_unseen: Unseen | None = None
    """Why some foreign keys could not be followed."""
    sequences_unseen: Unseen | None = None
    """Why some sequences could not be compared."""

    @property
    def unproved(self) -> list[str]:
        """Constraints that were never checked."""
        return [Fixable(name, sql) for name, sql in self.unproved_constraints.items()]

    @property
    def behind(self) -> list[str] | Unseen:
        """Sequences behind their columns; unseen where none is known and one was not compared."""
        found: list[str] = [Fixable(str(s), s.fix) for s in self.sequences_behind]
        return found if found or self.sequences_unseen is None else self.sequences_unseen

    @property
    def declared_count(self) -> int | Unseen:
        """How many checks the environment has; unseen where it has none."""
        count = len(self.declared) + self.unseen_checks
        return count if count or self.unseen is None else self.unseen

    @property
    def not_seen(self) -> list[str] | Unseen:
        """Nothing, where each of the environment's checks was looked at."""
        return [] if self.unseen is None else self.unseen

    @property
    def checked(self) -> tuple[Violations, ...] | Unseen:
        """The environment's checks that were looked at; unseen where none was, of some."""
        return self.declared if self.declared or self.unseen is None else self.unseen

    @property
    def rules(self) -> tuple[Violations, ...]:
        """Declared checks and foreign keys."""
        return (*self.declared, *self.foreign_keys)

    @property
    def over_nothing(self) -> list[str]:
        """Declared checks of a table without rows."""
        return [f"{c.rule} ({c.table} is empty)" for c in self.declared if c.empty]

    @property
    def broken(self) -> list[str]:
        """Declared checks that rows break."""
        return [str(c) for c in self.declared if c.rows]

    @property
    def broken_keys(self) -> list[str] | Unseen:
        """Foreign keys that rows break; unseen where none is known and one was not followed."""
        found = [str(k) for k in self.foreign_keys if k.rows]
        return found if found or self.keys_unseen is None else self.keys_unseen

    @property
    def followed(self) -> tuple[Violations, ...] | Unseen:
        """The foreign keys that were followed; unseen where none was, of some."""
        keys = self.foreign_keys
        return keys if keys or self.keys_unseen is None else self.keys_unseen

    def worse_than(self, before: Mapping[str, int]) -> list[str]:
        """Rules that more rows break than before; one not known before held then."""
        return [str(v) for v in self.rules if v.rows > before.get(v.rule, 0)]


@probe()
def statistics(env: Environment) -> Statistics:
    """Planner statistics, autovacuum and the row estimates of the hot queries, on the primary."""
    with connect(env, env.postgres.primary) as db:
        looked_at = one(db, "select clock_timestamp() as now").now
        listed = db.execute(_STATISTICS).fetchall()
        rows = [r for r in listed if r.live > 0 or _any_row(db, r)]
        server = one(
            db,
            "select current_setting('autovacuum')::bool and current_setting('track_counts')::bool"
            " as autovacuum, (select stats_reset from pg_stat_database"
            " where datname = current_database()) as reset_at",
        )
        missing = seen(_core_missing, db, env.postgres.core_tables)
        queries = env.postgres.hot_queries
        tried = [seen(_estimate, db, q.name, q.sql) for q in queries]
    hidden = [r.name for r in rows if r.hidden]
    unread = Unseen(
        ProbeError(
            f"the statistics of {', '.join(hidden[:6])}",
            f"{env.postgres.user} may not read these tables, so their statistics are hidden",
            f"grant pg_read_all_data to {env.postgres.user};",
        )
    )
    unseen = [t for t in tried if isinstance(t, Unseen)]
    step = "write postgres.hot_queries for this product, in product.toml or here"
    undeclared = Unseen(ProbeError("the hot queries", "none is declared", step))
    return Statistics(
        looked_at=looked_at.astimezone(UTC),
        tables=tuple(
            TableStatistics(
                name=r.name,
                live_rows=r.live,
                analyzed_at=r.analyzed_at.astimezone(UTC) if r.analyzed_at else None,
                changed_rows=r.changed,
                columns_without=unread if r.hidden else tuple(r.columns_without or ()),
                autovacuum=r.autovacuum,
                forgotten=r.analyzed_at is None and r.was_analyzed,
            )
            for r in rows
        ),
        core_missing=missing,
        autovacuum=server.autovacuum,
        estimates=tuple(t for t in tried if not isinstance(t, Unseen)),
        estimates_unseen=unseen[0] if unseen else None if queries else undeclared,
        unseen_queries=len(unseen),
        counted_since=server.reset_at.astimezone(UTC) if server.reset_at else None,
    )


@probe(limit="drill")
def integrity(env: Environment) -> Integrity:
    """Every rule over the data, in one snapshot of the standby (the primary where there is none).

    Sequences are compared on the primary: a standby sees them ahead of where they are.
    """
    node = env.postgres.standbys[0] if env.postgres.standbys else env.postgres.primary
    limit_s = env.time_limits.drill
    with (
        connect(env, node, autocommit=False, statement_timeout_s=limit_s) as db,
        connect(env, env.postgres.primary, statement_timeout_s=limit_s) as primary,
    ):
        return integrity_of(db, primary, env.postgres, node.name)


def integrity_of(db: Connection, sequences: Connection, declared: Postgres, name: str) -> Integrity:
    """Judge the data behind a connection that is not in a transaction yet.

    :param db: not in autocommit; everything is read in one snapshot.
    :param sequences: the server that hands out numbers; in autocommit. It is asked last, so that
        it can only be ahead of the snapshot.
    """
    import psycopg

    db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    db.read_only = True
    one(db, "select 1 as begun")  # so that each check has a savepoint, and all one snapshot
    tried = [seen(_declared, db, c) for c in declared.integrity_checks]
    unseen = [t for t in tried if isinstance(t, Unseen)]
    if not tried:
        step = "write postgres.integrity_checks for this product, in product.toml or here"
        unseen = [Unseen(ProbeError("the declared checks", "none is declared", step))]
    checks = tuple(t for t in tried if not isinstance(t, Unseen))
    keys = [
        seen(_readable, db, f"foreign key {k.name}", k.table, k.orphans)
        for k in db.execute(_FOREIGN_KEYS).fetchall()
    ]
    constraints = db.execute(_CONSTRAINTS).fetchall()
    used = db.execute(_SEQUENCES).fetchall()
    highest = {s.highest: seen(_highest, db, s) for s in used}
    db.rollback()
    compared = [seen(_behind, sequences, s, highest[s.highest]) for s in used]
    return Integrity(
        node=name,
        declared=checks,
        foreign_keys=tuple(k for k in keys if not isinstance(k, Unseen)),
        constraints=len(constraints),
        unproved_constraints={c.name: c.fix for c in constraints if not c.convalidated},
        sequences=len({s.sequence for s in used}),
        sequences_behind=tuple(c for c in compared if c is not None and not isinstance(c, Unseen)),
        unseen=unseen[0] if unseen else None,
        unseen_checks=len(tried) - len(checks),
        keys_unseen=unseen_among(keys),
        sequences_unseen=unseen_among(compared),
    )


def broken_rows(db: Connection, declared: Postgres) -> dict[str, int]:
    """How many rows break each declared check and foreign key, of those that this schema knows.

    :param db: in autocommit. The schema may be an earlier one, without a table or column that
        a check is about.
    """
    from psycopg import errors

    found: dict[str, int] = {}
    for check in declared.integrity_checks:
        with suppress(errors.UndefinedTable, errors.UndefinedColumn):
            found[check.name] = _check(db, check.name, check.table, check.sql).rows
    for key in db.execute(_FOREIGN_KEYS).fetchall():
        rule = f"foreign key {key.name}"
        found[rule] = _check(db, rule, key.table, key.orphans).rows
    return found


def _declared(db: Connection, check: IntegrityCheck) -> Violations:
    """:raises ProbeError: it is about a table or a column that is not there, or not readable."""
    from psycopg import errors

    try:
        return _readable(db, check.name, check.table, check.sql)
    except (errors.UndefinedTable, errors.UndefinedColumn) as e:
        step = "write postgres.integrity_checks for this product, in product.toml or here"
        raise ProbeError(f"the declared check {check.name}", e, step) from None


def _check(db: Connection, rule: str, name: str, query: str) -> Violations:
    from psycopg import sql

    wrapped = sql.SQL(
        "with violation as materialized ({}) select (select count(*) from violation) as rows,"
        " array(select row_to_json(v)::text from violation v limit {}) as examples,"
        " not exists (select from {}) as empty"
    ).format(sql.SQL(query.strip().rstrip(";")), _EXAMPLES, table(name))
    row = one(db, wrapped)
    return Violations(rule, name, row.empty, row.rows, tuple(map(_example, row.examples)))


def _example(text: str) -> str:
    return ", ".join(f"{k} {v}" for k, v in json.loads(text).items())


def _readable(db: Connection, rule: str, name: str, query: str) -> Violations:
    """:raises ProbeError: this user may not read the table, or not each row of it."""
    from psycopg import errors

    try:
        with db.transaction():
            return _check(db, rule, name, query)
    except errors.InsufficientPrivilege as e:
        raise _not_readable(db, f"the {rule} of {name}", e) from None


def _highest(db: Connection, sequence: Any) -> int | None:
    """The highest number of a sequence's column; None where it has none.

    :raises ProbeError: this user may not read the table, or not each row of it.
    """
    from psycopg import errors

    try:
        with db.transaction():
            found = one(db, sequence.highest.encode()).highest
            return None if found is None else int(found)
    except errors.InsufficientPrivilege as e:
        raise _not_readable(db, f"the highest {sequence.column}", e) from None


def _behind(db: Connection, sequence: Any, highest: int | Unseen | None) -> SequenceBehind | None:
    """:raises ProbeError: this user may not read the sequence, or its column."""
    from psycopg import errors

    if isinstance(highest, Unseen):
        raise highest.error
    if highest is None:
        return None
    query = f"select last_value as at, is_called from {sequence.sequence}"  # noqa: S608
    try:
        row = one(db, query)
    except errors.InsufficientPrivilege as e:
        raise _not_readable(db, f"the sequence {sequence.sequence}", e) from None
    # Not called since it was made or set: its next number is the one that it holds.
    following = row.at + sequence.step if row.is_called else row.at
    if following > highest:
        return None
    return SequenceBehind(sequence.sequence, following, sequence.column, highest)


def _not_readable(db: Connection, what: str, error: Exception) -> ProbeError:
    return ProbeError(what, error, f"grant pg_read_all_data to {db.info.user};")


def _any_row(db: Connection, row: Any) -> bool:
    """Whether a table that the counters think empty has rows: a crash sets them back."""
    from psycopg import sql

    if not row.bytes or row.hidden:
        return bool(row.bytes)
    only = sql.SQL("" if row.partitioned else "only")
    query = sql.SQL("select exists (select from {} {}) as any").format(
        only, sql.Identifier(row.schema, row.relname)
    )
    return bool(one(db, query).any)


def _core_missing(db: Connection, declared: list[str]) -> tuple[str, ...]:
    """Which of the declared tables do not exist or are empty.

    :raises ProbeError: none of them exists, so that they are another product's.
    """
    from psycopg import errors, sql

    there = [t for t in declared if exists(db, t)]
    if declared and not there:
        raise ProbeError(
            f"the core tables in database {db.info.dbname}",
            f"it has none of {', '.join(declared[:_EXAMPLES])}",
            "write postgres.core_tables for this product, in product.toml or here",
        )
    any_row = "select exists (select from {}) as any"
    try:
        filled = {t for t in there if one(db, sql.SQL(any_row).format(table(t))).any}
    except errors.InsufficientPrivilege as e:
        step = f"grant pg_read_all_data to {db.info.user};"
        raise ProbeError(f"the core tables in database {db.info.dbname}", e, step) from None
    return tuple(t for t in declared if t not in filled)


_PASSING = {"Sort", "Incremental Sort", "Gather", "Gather Merge", "Materialize", "Result"}


def _estimate(db: Connection, name: str, query: str) -> Estimate:
    """Expected and actual rows of a query, beneath whatever passes rows on unchanged.

    :raises ProbeError: it has a LIMIT or an aggregate on top, which make any estimate right; or
        it is about a table or a column that is not there.
    """
    from psycopg import errors

    try:
        document = one(
            db, f"explain (analyze, timing off, format json) {query.strip().rstrip(';')}".encode()
        )[0]
    except errors.InsufficientPrivilege as e:
        raise _not_readable(db, f"the hot query {name!r}", e) from None
    except errors.ReadOnlySqlTransaction as e:
        step = "declare a query that changes nothing"
        raise ProbeError(f"the hot query {name!r}", e, step) from None
    except (errors.UndefinedTable, errors.UndefinedColumn) as e:
        step = "write postgres.hot_queries for this product, in product.toml or here"
        raise ProbeError(f"the hot query {name!r}", e, step) from None
    plan = (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]
    while plan["Node Type"] in _PASSING and len(plan.get("Plans", ())) == 1:
        plan = plan["Plans"][0]
    if plan["Node Type"] == "Limit" or (
        plan["Node Type"] == "Aggregate" and plan["Strategy"] == "Plain"
    ):
        raise ProbeError(
            f"the hot query {name!r}",
            f"its plan begins with {plan['Node Type']}, whose estimate is right by construction",
            "declare it without LIMIT and without an aggregate over everything",
        )
    loops = plan["Actual Loops"]
    # A parallel worker's share is reported per loop, the expectation is too.
    return Estimate(name, plan["Plan Rows"] * loops, plan["Actual Rows"] * loops)


_USER = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp_)'"

_LIVE = "greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint"
_ANALYZED = (
    "greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid))"
)
# A partitioned table has the rows of its parts, and statistics of its own over all of them, which
# autovacuum never makes. Before version 14 nobody notes when they were made: then they count as
# made with the newest of its parts. Statistics of columns outlive the counters, so a table that
# has some was analysed, whoever knows when; where they are hidden, only the -1 rows of a table
# that no VACUUM or ANALYZE has seen say that it was not.
_STATISTICS = f"""
select n.nspname as schema, c.relname, n.nspname || '.' || c.relname as name,
       c.relkind = 'p' as partitioned, coalesce(parts.live, own.live)::bigint as live,
       coalesce(parts.bytes, own.bytes)::bigint as bytes,
       not has_table_privilege(c.oid, 'select') or row_security_active(c.oid) as hidden,
       case when c.relkind = 'p' and current_setting('server_version_num')::int < 140000
            then case when exists (
                select from pg_stats s where s.schemaname = n.nspname and s.tablename = c.relname)
                then parts.analyzed_at end
            else own.analyzed_at end as analyzed_at,
       c.reltuples >= 0 and (
            not has_table_privilege(c.oid, 'select') or row_security_active(c.oid)
            or exists (select from pg_stats s where s.schemaname = n.nspname
                       and s.tablename = c.relname)) as was_analyzed,
       pg_stat_get_mod_since_analyze(c.oid) as changed,
       coalesce((select option_value::bool from pg_options_to_table(c.reloptions)
                 where option_name = 'autovacuum_enabled'), true) as autovacuum,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             and a.attstattarget is distinct from 0 and a.attgenerated <> 'v'
             and not exists (select from pg_stats s where s.schemaname = n.nspname
                             and s.tablename = c.relname and s.attname = a.attname)
             order by a.attnum) as columns_without
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join lateral (select {_LIVE} as live, pg_relation_size(c.oid) as bytes,
                           {_ANALYZED} as analyzed_at) own
left join lateral (
    select sum(p.live) as live, sum(p.bytes) as bytes, max(p.analyzed_at) as analyzed_at
    from pg_partition_tree(c.oid) t
    cross join lateral (select {_LIVE} as live, pg_relation_size(c.oid) as bytes,
                               {_ANALYZED} as analyzed_at
                        from pg_class c where c.oid = t.relid) p
    where c.relkind = 'p' and t.isleaf
) parts on true
where c.relkind in ('r', 'm', 'p') and c.relpersistence <> 't' and {_USER}
order by 3
"""  # noqa: S608

# A key without NULL whose row is nowhere; parts of a partitioned table count with the whole.
_FOREIGN_KEYS = f"""
select k.conname as name, concat(case when n.nspname ~ '[."]' then quote_ident(n.nspname)
                                      else n.nspname end, '.', c.relname) as table,
       format('select %s from %s child where %s and not exists (select from %s parent where %s)',
              string_agg(format('child.%I', a.attname), ', ' order by place), k.conrelid::regclass,
              string_agg(format('child.%I is not null', a.attname), ' and '),
              k.confrelid::regclass,
              string_agg(format('parent.%I = child.%I', b.attname, a.attname), ' and '))
           as orphans
from pg_constraint k join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral unnest(k.conkey, k.confkey) with ordinality p(mine, theirs, place)
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.mine
join pg_attribute b on b.attrelid = k.confrelid and b.attnum = p.theirs
where k.contype = 'f' and k.conparentid = 0 and {_USER}
-- what only newer servers have: keys over periods, which equal no row, and keys declared alone
and not coalesce((to_jsonb(k) ->> 'conperiod')::bool, false)
and coalesce((to_jsonb(k) ->> 'conenforced')::bool, true)
group by k.oid, k.conname, k.conrelid, k.confrelid, n.nspname, c.relname
order by 2, 1
"""  # noqa: S608

_CONSTRAINTS = f"""
select format('%s on %s.%s', k.conname, n.nspname, c.relname) as name, k.convalidated,
       format('alter table %I.%I validate constraint %I;', n.nspname, c.relname, k.conname) as fix
from pg_constraint k join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where {_USER} and coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) order by 1
"""  # noqa: S608

_SEQUENCES = f"""
select format('%I.%I', n.nspname, s.relname) as sequence,
       q.seqincrement as step, format('%s.%s', c.relname, a.attname) as column,
       format('select max(%I) as highest from %s', a.attname, c.oid::regclass) as highest
from pg_class s join pg_namespace n on n.oid = s.relnamespace
join pg_sequence q on q.seqrelid = s.oid and q.seqincrement > 0 and not q.seqcycle
join (
    -- owned by a column, as those of serial and identity columns are
    select objid as sequence, refobjid as relation, refobjsubid as number from pg_depend
    where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
    and deptype in ('a', 'i')
    union
    -- owned by nobody, and a column's default all the same
    select d.refobjid, f.adrelid, f.adnum from pg_depend d join pg_attrdef f on f.oid = d.objid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
) u on u.sequence = s.oid
join pg_class c on c.oid = u.relation and not c.relispartition
join pg_attribute a on a.attrelid = u.relation and a.attnum = u.number
    and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
where s.relkind = 'S' and {_USER} order by 1, 3
"""  # noqa: S608
