"""Tables: what the planner knows of them, and whether what stands in them is consistent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from golive.environments import Environment, Postgres
from golive.probes.data.postgres import connect, one, table
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What the planner knows of one table with rows."""

    name: str
    live_rows: int
    analyzed_at: datetime | None
    changed_rows: int
    """Inserted, updated or deleted since."""
    columns_without: tuple[str, ...]
    """Columns that have no statistics although they should."""
    autovacuum: bool
    """False where the table's own settings switch it off."""


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
    core_missing: tuple[str, ...]
    """Declared core tables that do not exist or are empty."""
    autovacuum: bool
    """On for the whole server, together with the counting that it needs."""
    estimates: tuple[Estimate, ...]

    @property
    def age_h(self) -> dict[str, float]:
        """Hours since each table was analysed; infinite where it never was."""
        return {
            t.name: (self.looked_at - t.analyzed_at).total_seconds() / 3600
            if t.analyzed_at
            else float("inf")
            for t in self.tables
        }

    @property
    def without_columns(self) -> list[str]:
        """Tables with columns that have no statistics, and these."""
        return [
            f"{t.name} ({', '.join(t.columns_without)})" for t in self.tables if t.columns_without
        ]

    @property
    def not_vacuumed(self) -> list[str]:
        """Tables whose own settings switch autovacuum off."""
        return [t.name for t in self.tables if not t.autovacuum]

    @property
    def estimate_factors(self) -> dict[str, float]:
        """How far off the planner's row estimate is, by hot query."""
        return {e.query: e.factor for e in self.estimates}

    def changed_percent(self, but_for: float) -> dict[str, float]:
        """Rows changed since each table was analysed, in percent of its rows.

        :param but_for: changes that are not counted. Few in a small table are a large share of
            it; the server itself lets them pass.
        """
        return {
            t.name: 100 * max(0, t.changed_rows - but_for) / max(1, t.live_rows)
            for t in self.tables
        }


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
class Integrity:
    """The state of a database's data, from one snapshot."""

    node: str
    declared: tuple[Violations, ...]
    """The environment's own checks."""
    foreign_keys: tuple[Violations, ...]
    """Every foreign key looked at row by row: a disabled trigger lets anything through."""
    constraints: int
    unproved_constraints: tuple[str, ...]
    """Constraints that were added without checking the rows already there."""
    sequences: int
    sequences_behind: tuple[str, ...]

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
    def broken_keys(self) -> list[str]:
        """Foreign keys that rows break."""
        return [str(k) for k in self.foreign_keys if k.rows]

    def worse_than(self, before: Mapping[str, int]) -> list[str]:
        """Rules that more rows break than before; one not known before held then."""
        return [str(v) for v in self.rules if v.rows > before.get(v.rule, 0)]


@probe()
def statistics(env: Environment) -> Statistics:
    """Planner statistics, autovacuum and the row estimates of the hot queries, on the primary."""
    with connect(env, env.postgres.primary) as db:
        looked_at = one(db, "select clock_timestamp() as now").now
        listed = db.execute(_STATISTICS).fetchall()
        hidden = [r.name for r in listed if r.hidden]
        if hidden:
            raise ProbeError(
                f"the statistics of {', '.join(hidden[:6])}",
                f"{env.postgres.user} may not read these tables, so their statistics are hidden",
                f"grant pg_read_all_data to {env.postgres.user};",
            )
        rows = [r for r in listed if r.live > 0 or _any_row(db, r)]
        server = one(
            db,
            "select current_setting('autovacuum')::bool and current_setting('track_counts')::bool"
            " as autovacuum",
        )
        estimates = tuple(_estimate(db, q.name, q.sql) for q in env.postgres.hot_queries)
    known = {r.name for r in rows} | {r.relname for r in rows if r.schema == "public"}
    return Statistics(
        looked_at=looked_at.astimezone(UTC),
        tables=tuple(
            TableStatistics(
                name=r.name,
                live_rows=r.live,
                analyzed_at=r.analyzed_at.astimezone(UTC) if r.analyzed_at else None,
                changed_rows=r.changed,
                columns_without=tuple(r.columns_without or ()),
                autovacuum=r.autovacuum,
            )
            for r in rows
        ),
        core_missing=tuple(t for t in env.postgres.core_tables if t not in known),
        autovacuum=server.autovacuum,
        estimates=estimates,
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
    checks = tuple(_check(db, c.name, c.table, c.sql) for c in declared.integrity_checks)
    keys = tuple(
        _check(db, f"foreign key {k.name}", k.table, k.orphans)
        for k in db.execute(_FOREIGN_KEYS).fetchall()
    )
    constraints = db.execute(_CONSTRAINTS).fetchall()
    owned = db.execute(_SEQUENCES).fetchall()
    highest = {s.sequence: one(db, s.highest.encode()).highest for s in owned}
    db.rollback()
    return Integrity(
        node=name,
        declared=checks,
        foreign_keys=keys,
        constraints=len(constraints),
        unproved_constraints=tuple(c.name for c in constraints if not c.convalidated),
        sequences=len(owned),
        sequences_behind=tuple(_behind(sequences, owned, highest)),
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


def _behind(db: Connection, owned: Iterable[Any], highest: dict[str, Any]) -> Iterable[str]:
    for sequence in owned:
        top = highest[sequence.sequence]
        if top is None:
            continue
        row = one(db, "select pg_sequence_last_value(%s::regclass) as at", [sequence.sequence])
        # Never used since it was made or restarted: its next number is its first.
        following = sequence.start if row.at is None else row.at + sequence.step
        if following <= top:
            yield f"{sequence.sequence} hands out {following:,} next, {sequence.column} has {top:,}"


def _any_row(db: Connection, row: Any) -> bool:
    """Whether a table that the counters think empty has rows: a crash sets them back."""
    from psycopg import sql

    if not row.bytes:
        return False
    query = sql.SQL("select exists (select from only {}) as any").format(
        sql.Identifier(row.schema, row.relname)
    )
    return bool(one(db, query).any)


_PASSING = {"Sort", "Incremental Sort", "Gather", "Gather Merge", "Materialize", "Result"}


def _estimate(db: Connection, name: str, query: str) -> Estimate:
    """Expected and actual rows of a query, beneath whatever passes rows on unchanged.

    :raises ProbeError: it has a LIMIT or an aggregate on top, which make any estimate right.
    """
    document = one(
        db, f"explain (analyze, timing off, format json) {query.strip().rstrip(';')}".encode()
    )[0]
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

_STATISTICS = f"""
select n.nspname as schema, c.relname, n.nspname || '.' || c.relname as name,
       greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint as live,
       pg_relation_size(c.oid) as bytes,
       not has_table_privilege(c.oid, 'select') or row_security_active(c.oid) as hidden,
       greatest(pg_stat_get_last_analyze_time(c.oid),
                pg_stat_get_last_autoanalyze_time(c.oid)) as analyzed_at,
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
where c.relkind in ('r', 'm') and c.relpersistence <> 't' and {_USER}
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
group by k.oid, k.conname, k.conrelid, k.confrelid, n.nspname, c.relname
order by 2, 1
"""  # noqa: S608

_CONSTRAINTS = f"""
select format('%s on %s.%s', k.conname, n.nspname, c.relname) as name, k.convalidated
from pg_constraint k join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where {_USER} order by 1
"""  # noqa: S608

_SEQUENCES = f"""
select format('%I.%I', n.nspname, s.relname) as sequence, q.seqstart as start,
       q.seqincrement as step, format('%s.%s', c.relname, a.attname) as column,
       format('select max(%I) as highest from %s', a.attname, d.refobjid::regclass) as highest
from pg_class s join pg_namespace n on n.oid = s.relnamespace
join pg_sequence q on q.seqrelid = s.oid and q.seqincrement > 0 and not q.seqcycle
join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid
    and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
join pg_class c on c.oid = d.refobjid
join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
where s.relkind = 'S' and {_USER} order by 1
"""  # noqa: S608
