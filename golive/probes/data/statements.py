"""What the application asks of its database, how often, and how long it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from golive.environments import Environment
from golive.probes.data.postgres import connect, extension, one, table
from golive.probes.observe import prometheus
from golive.probing import probe
from golive.verdicts import ProbeError

Buckets = Mapping[float, float]
"""Observations at most as long as each bound in seconds; the last bound is infinity."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the application role, as pg_stat_statements has counted it."""

    query_id: int
    text: str
    calls: int
    total_ms: float
    mean_ms: float
    blocks: int
    """Blocks it has read, from cache or disk, in all calls together."""

    def __str__(self) -> str:
        # Statements differ at their ends; the number tells apart those that do not.
        text = " ".join(self.text.split())
        shown = text if len(text) <= 120 else f"{text[:50]} … {text[-65:]}"
        return f"{shown} [queryid {self.query_id}]"


@dataclass(frozen=True, slots=True)
class Statements:
    """pg_stat_statements, for the application role's statements that can be planned."""

    loaded: bool
    """Whether the module collects; without it nothing else here means anything."""
    reset_at: datetime | None
    statements: tuple[Statement, ...]
    """Costliest first."""

    @property
    def state(self) -> str:
        """Whether the module collects, in words."""
        return f"{len(self.statements)} statements" if self.loaded else "not loaded"

    def reset_by(self, moment: datetime) -> bool:
        """Whether counting is known to have begun by then."""
        return self.reset_at is not None and self.reset_at <= moment

    def mean_ms(self, calls: float) -> dict[str, float]:
        """Mean time of the statements with at least so many calls."""
        return {str(s): s.mean_ms for s in self.statements if s.calls >= calls}


@dataclass(frozen=True, slots=True)
class QueryTimes:
    """The application's own histogram of query times in Prometheus, over the window."""

    window_s: float
    since: datetime
    """The first sample in the window: when what is counted here begins."""
    calls: float
    p95_ms: float
    """Infinity when it lies beyond the histogram's last bound."""
    calls_of: dict[str, float]
    """By statement name, most called first."""
    p95_ms_of: dict[str, float]
    longest_ms: float
    """The last finite bound: times beyond it cannot be told apart."""

    def most_called(self, number: int) -> dict[str, float]:
        """p95 in milliseconds of the most called statements."""
        return {name: self.p95_ms_of[name] for name in list(self.calls_of)[:number]}


@dataclass(frozen=True, slots=True)
class TableSizes:
    """Rows now, as a percentage of production's, for every table that is declared."""

    rows: dict[str, int]
    percent_of_production: dict[str, float]
    system_identifier: str
    """Of the cluster that was counted."""


@probe()
def statements(env: Environment) -> Statements:
    """pg_stat_statements on the primary: whether it counts, since when, and what it found.

    Only the application role's own statements that a plan can be made for: utility commands,
    and what other roles (monitoring, this suite, migrations) run, say nothing of the product.
    """
    from psycopg import errors, sql

    with connect(env, env.postgres.primary) as db:
        schema = extension(db, "pg_stat_statements", "what the statements cost")
        query = sql.SQL(
            "select s.* from {} s join pg_roles r on r.oid = s.userid"
            " join pg_database d on d.oid = s.dbid"
            " where r.rolname = {} and d.datname = current_database() and s.calls > 0"
            " order by s.total_exec_time desc"
        ).format(sql.Identifier(schema, "pg_stat_statements"), env.postgres.app_role)
        try:
            rows = db.execute(query).fetchall()
        except errors.ObjectNotInPrerequisiteState:
            return Statements(False, None, ())
        if any(row.query == "<insufficient privilege>" for row in rows):
            raise ProbeError(
                "the texts of the application's statements",
                f"{env.postgres.user} may not read them",
                f"grant pg_read_all_stats to {env.postgres.user};",
            )
        since = sql.SQL("select stats_reset from {}").format(
            sql.Identifier(schema, "pg_stat_statements_info")
        )
        reset_at = one(db, since).stats_reset
    return Statements(
        loaded=True,
        reset_at=reset_at.astimezone(UTC) if reset_at else None,
        statements=tuple(
            Statement(
                query_id=row.queryid or 0,
                text=row.query,
                calls=row.calls,
                total_ms=row.total_exec_time,
                mean_ms=row.mean_exec_time,
                blocks=row.shared_blks_hit + row.shared_blks_read,
            )
            for row in rows
            # Statements inside functions are part of the one that called them.
            if row.query and row.toplevel and is_plannable(row.query)
        ),
    )


@probe()
def query_times(env: Environment) -> QueryTimes:
    """The application's histogram of query times over the window, from Prometheus.

    Quantiles are those of PromQL's histogram_quantile, except that one beyond the last bound
    is infinity instead of that bound.
    """
    metric = env.application.metrics.query_seconds
    label = env.application.metrics.statement_label
    window_s = env.windows.queries_s
    found = prometheus.query(
        env, f"sum by (le, {label}) (increase({metric}_bucket[{math.ceil(window_s)}s]))"
    )
    if not found:
        raise ProbeError(
            f"the histogram {metric} in Prometheus",
            f"there is no sample of {metric}_bucket within the last {window_s:g} s",
            "check that the application is scraped, and application.metrics in the environment",
        )
    # A subquery in a hundred steps: exact to one per cent of the window.
    step_s = max(1, math.ceil(window_s / 100))
    since = prometheus.query(
        env, f"min(min_over_time(timestamp({metric}_count)[{math.ceil(window_s)}s:{step_s}s]))"
    )
    by_name: dict[str, dict[float, float]] = {}
    for sample in found:
        name = sample.labels.get(label, "")
        by_name.setdefault(name, {})[float(sample.labels["le"])] = sample.value
    together: dict[float, float] = {}
    for buckets in by_name.values():
        for bound, count in buckets.items():
            together[bound] = together.get(bound, 0.0) + count
    counts = {name: max(buckets.values()) for name, buckets in by_name.items()}
    called = {n: c for n, c in sorted(counts.items(), key=lambda i: -i[1]) if c > 0}
    return QueryTimes(
        window_s=window_s,
        since=datetime.fromtimestamp(min(s.value for s in since), UTC),
        calls=sum(called.values()),
        p95_ms=1000 * quantile(0.95, together),
        calls_of=called,
        p95_ms_of={name: 1000 * quantile(0.95, by_name[name]) for name in called},
        longest_ms=1000 * max((b for b in together if math.isfinite(b)), default=0.0),
    )


@probe()
def table_sizes(env: Environment) -> TableSizes:
    """Exact row counts on the primary against those of production, for the declared tables."""
    from psycopg import sql

    declared = env.postgres.production_rows
    if not declared and env.kind != "production":
        raise ProbeError(
            "the size of this database against production's",
            "postgres.production_rows is not declared",
            f"write production's row counts into {env.source or 'the environment file'}",
        )
    tables = declared or dict.fromkeys(env.postgres.core_tables, 0)
    with connect(env, env.postgres.primary) as db:
        rows = {
            name: int(one(db, sql.SQL("select count(*) as rows from {}").format(table(name))).rows)
            for name in tables
        }
        control = one(db, sql.SQL("select system_identifier::text as id from pg_control_system()"))
    if not declared:  # production is its own measure
        return TableSizes(rows, {name: 100.0 for name, n in rows.items() if n}, control.id)
    shares = {t: 100.0 * rows[t] / n for t, n in declared.items() if n > 0}
    return TableSizes(rows, shares, control.id)


def quantile(share: float, buckets: Buckets) -> float:
    """The quantile of a cumulative histogram, by linear interpolation inside its bucket.

    Infinity when it lies beyond the last finite bound, NaN when nothing was observed.
    """
    total = buckets.get(math.inf, 0.0)
    if total <= 0:
        return math.nan
    rank, below, lower = share * total, 0.0, 0.0
    for bound in sorted(buckets):
        count = buckets[bound]
        if count >= rank:
            if math.isinf(bound) or count == below:
                return bound
            return lower + (bound - lower) * (rank - below) / (count - below)
        below, lower = count, bound
    return math.inf


_LEAD = re.compile(r"^(?:\s|--[^\n]*\n|/\*.*?\*/|\()*", re.DOTALL)
_PLANNABLE = re.compile(r"(select|insert|update|delete|merge|with|values|table)\b", re.IGNORECASE)


def is_plannable(query: str) -> bool:
    """Whether EXPLAIN takes the statement: a query or a change of rows, no utility command."""
    return bool(_PLANNABLE.match(query, _LEAD.match(query).end()))  # type: ignore[union-attr]
