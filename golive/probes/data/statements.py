"""What the application asks of its database, how often, and how long it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from golive.environments import Environment
from golive.probes.data.cluster import system_identifier
from golive.probes.data.postgres import MARK, connect, extension, one, table
from golive.probes.observe import prometheus
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

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
    nested: bool = False
    """Whether a function, procedure or trigger ran it; its time is part of another's."""

    @property
    def runs_others(self) -> bool:
        """Whether it is a utility command that runs procedural code: its own queries are others."""
        return bool(_RUNS_OTHERS.match(_bare(self.text)))

    @property
    def is_query(self) -> bool:
        """Whether it asks or changes rows, itself or through code or a cursor."""
        return is_plannable(self.text) or bool(_QUERIES.match(_bare(self.text)))

    def __str__(self) -> str:
        # Statements differ at their ends; the number tells apart those that do not.
        text = " ".join(self.text.split())
        shown = text if len(text) <= 120 else f"{text[:50]} … {text[-65:]}"
        return f"{shown} [queryid {self.query_id}]"


@dataclass(frozen=True, slots=True)
class Statements:
    """pg_stat_statements, for the application role."""

    loaded: bool
    """Whether the module collects; without it nothing else here means anything."""
    reset_at: datetime | Unseen | None
    """None: never since it is installed."""
    statements: tuple[Statement, ...]
    """Those that a plan can be made of, costliest first."""
    left_out: tuple[Statement, ...] = ()
    """The others, but for commands that read no table (transactions, settings), costliest first."""
    total_ms: float = 0.0
    """Of all that clients sent, whatever it was."""

    @property
    def nested_are_counted(self) -> bool:
        """Whether what functions run is counted too: pg_stat_statements.track = all."""
        return any(s.nested for s in (*self.statements, *self.left_out))

    @property
    def state(self) -> str:
        """Whether the module collects, in words."""
        return f"{len(self.statements)} statements" if self.loaded else "not loaded"

    @property
    def counts_since(self) -> datetime | str | Unseen:
        """The last reset, or that none is known."""
        return "unknown" if self.reset_at is None else self.reset_at

    def reset_by(self, moment: datetime) -> bool | Unseen:
        """Whether counting is known to have begun by then."""
        if isinstance(self.reset_at, Unseen):
            return self.reset_at
        if self.reset_at is None:
            return False
        return self.reset_at <= moment

    def mean_ms(self, calls: float) -> dict[str, float] | Unseen:
        """Mean time of the statements with at least so many calls; unseen where there is none."""
        asked = [*self.statements, *(s for s in self.left_out if s.is_query)]
        found = {str(s): s.mean_ms for s in asked if s.calls >= calls}
        if found or not self.loaded:
            return found
        step = "see that postgres.app_role is the application's, and have the load run first"
        why = f"no statement of the application's role has {calls:g} calls"
        return Unseen(ProbeError("mean times of statements", why, step))


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

    @property
    def named(self) -> int:
        """How many statements have a name."""
        return len(self.calls_of)

    @property
    def before(self) -> str:
        """When what is counted beside it has to have begun, in words."""
        return f"before the window's first query at {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def most_called(self, number: int) -> dict[str, float]:
        """p95 in milliseconds of the most called statements."""
        return {name: self.p95_ms_of[name] for name in list(self.calls_of)[:number]}


@dataclass(frozen=True, slots=True)
class TableSizes:
    """Rows now, as a percentage of production's, for every table that is declared."""

    rows: dict[str, int]
    percent_of_production: dict[str, float]
    system_identifier: str | Unseen
    """Of the cluster that was counted."""


@probe()
def statements(env: Environment) -> Statements:
    """pg_stat_statements on the primary: whether it counts, since when, and what it found.

    Only the application role's own: what other roles (monitoring, this suite, migrations) run says
    nothing of the product. Where this suite has the same role, its statements are told by how they
    end.
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
        except errors.UndefinedColumn as e:
            step = "alter extension pg_stat_statements update;"
            raise ProbeError("what the statements cost", e, step) from None
        if any(row.query == "<insufficient privilege>" for row in rows):
            raise ProbeError(
                "the texts of the application's statements",
                f"{env.postgres.user} may not read them",
                f"grant pg_read_all_stats to {env.postgres.user};",
            )
        reset_at = seen(_reset_at, db, schema)
    found = [
        Statement(
            query_id=row.queryid or 0,
            # A statement that SQL prepared stands there with how it was.
            text=_PREPARED.sub("", row.query or "a statement whose text is lost"),
            calls=row.calls,
            total_ms=row.total_exec_time,
            mean_ms=row.mean_exec_time,
            blocks=row.shared_blks_hit + row.shared_blks_read,
            # Before version 1.9 of the extension (PostgreSQL 14) none is told from others.
            nested=not getattr(row, "toplevel", True),
        )
        for row in rows
        if not (row.query or "").endswith(MARK)
    ]
    return Statements(
        loaded=True,
        reset_at=reset_at,
        statements=tuple(s for s in found if is_plannable(s.text)),
        left_out=tuple(
            s
            for s in found
            if not is_plannable(s.text)
            and not _READS_NOTHING.match(_bare(s.text))
            and not _KEEPS_UP.match(_bare(s.text))
        ),
        total_ms=sum(s.total_ms for s in found if not s.nested),
    )


def _reset_at(db: Connection, schema: str) -> datetime | None:
    """When counting began anew.

    :raises ProbeError: the extension is older than its version 1.9, which first tells.
    """
    from psycopg import errors, sql

    view = sql.Identifier(schema, "pg_stat_statements_info")
    try:
        at = one(db, sql.SQL("select stats_reset from {}").format(view)).stats_reset
    except errors.UndefinedTable:
        raise ProbeError(
            "the last reset of pg_stat_statements",
            "this version of the extension does not tell it",
            "alter extension pg_stat_statements update; before PostgreSQL 14: none tells it",
        ) from None
    return at.astimezone(UTC) if at else None


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
        system = seen(system_identifier, db, env.postgres.primary)
    if not declared:  # production is its own measure
        return TableSizes(rows, {name: 100.0 for name, n in rows.items() if n}, system)
    shares = {t: 100.0 * rows[t] / n for t, n in declared.items() if n > 0}
    return TableSizes(rows, shares, system)


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
_PREPARED = re.compile(r"^\s*prepare\s+(\w+|\"[^\"]+\")\s*(\([^)]*\)\s*)?as\s+", re.IGNORECASE)
_READS_NOTHING = re.compile(
    r"(begin|start|commit|end|rollback|abort|savepoint|release|set|reset|show|discard|deallocate"
    r"|listen|unlisten|notify|lock|close|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_KEEPS_UP = re.compile(
    r"(analyze|vacuum|reindex|cluster|checkpoint|alter|drop|grant|revoke|comment|truncate"
    r"|create\s+(?!((global|local|temporary|temp|unlogged)\s+)*table\b|materialized\b))\b",
    re.IGNORECASE,
)
"""Upkeep and definitions, which the application's role runs where roles are not separated."""
_RUNS_OTHERS = re.compile(r"(call|do)\b", re.IGNORECASE)
_QUERIES = re.compile(r"(call|do|fetch)\b", re.IGNORECASE)


def is_plannable(query: str) -> bool:
    """Whether EXPLAIN takes the statement: a query or a change of rows, no utility command."""
    return bool(_PLANNABLE.match(_bare(query)))


def _bare(query: str) -> str:
    """Without comments and brackets before it."""
    return query[_LEAD.match(query).end() :]  # type: ignore[union-attr]
