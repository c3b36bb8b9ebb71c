"""Indexes: whether they are valid, needed, sound and compact, and whether plans use them."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from golive.claims import Fixable
from golive.environments import Environment
from golive.probes.data.postgres import connect, extension, not_granted, one
from golive.probes.data.rows import quoted
from golive.probes.data.statements import Statement, Statements
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

BLOAT_FROM_BYTES = 10 * 1024 * 1024
"""Smaller indexes are not worth rebuilding, so the procedure leaves them out."""
COSTLIEST = 20
"""Statements whose plans are looked at, as the procedure says."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a user table."""

    name: str
    table: str
    method: str
    size_bytes: int
    valid: bool
    leftover: bool
    """Left behind by REINDEX CONCURRENTLY (``_ccnew``, ``_ccold``)."""
    building: bool
    """Being built right now."""
    bloat_percent: float | None = None
    """Of btree indexes above 10 MB: pages that a rebuilt index would not have."""
    corruption: str = ""
    """What bt_index_check found; always empty for other methods."""
    of_constraint: bool = False
    """Whether a constraint rests on it, so that it cannot be dropped by itself."""

    @property
    def complaint(self) -> str:
        """Why it does not count as a finished index; empty when it does."""
        if self.building:
            return Fixable(f"{self.name} (being built now)")
        if self.leftover:
            said = "left over" if self.valid else "invalid"
            return Fixable(f"{self.name} ({said})", f"drop index concurrently {self.name};")
        return "" if self.valid else Fixable(f"{self.name} (invalid)", self.rebuilt)

    @property
    def rebuilt(self) -> str:
        """SQL that builds it again while it is used."""
        return f"reindex index concurrently {self.name};"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of a large table."""

    name: str
    table: str
    columns: tuple[str, ...]
    indexed: bool

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(self.columns)})"

    @property
    def missing_index(self) -> str:
        """SQL that makes the index which would serve it."""
        columns = ", ".join(quoted(c) for c in self.columns)
        return f"create index concurrently on {self.table} ({columns});"


@dataclass(frozen=True, slots=True)
class Indexes:
    """Every index outside the system schemas, and the foreign keys of large tables."""

    indexes: tuple[Index, ...]
    duplicates: tuple[tuple[str, ...], ...]
    """Groups of indexes of one table that index the same in the same way, by name; each begins
    with the one to keep."""
    foreign_keys: tuple[ForeignKey, ...]
    large_tables: dict[str, int]
    """Estimated rows of tables above ``postgres.large_table_rows``."""
    damage_unseen: Unseen | None = None
    """Why bt_index_check could not look for damage."""
    bloat_unseen: Unseen | None = None
    """Why pgstattuple could not look for bloat."""

    @property
    def btrees(self) -> tuple[Index, ...]:
        """The indexes that corruption and bloat were looked for in."""
        return tuple(i for i in self.indexes if i.method == "btree")

    @property
    def unfinished(self) -> list[str]:
        """Indexes that do not count as finished, with the reason."""
        return [i.complaint for i in self.indexes if i.complaint]

    @property
    def doubled(self) -> list[str]:
        """Indexes that do what another one does; what goes is no constraint's, as far as that
        can be."""
        bound = {i.name for i in self.indexes if i.of_constraint}
        return [
            Fixable(
                " = ".join(sorted(group)),
                "\n".join(
                    f"drop index concurrently {name};  -- {group[0]} does the same"
                    for name in group[1:]
                    if name not in bound
                ),
            )
            for group in self.duplicates
        ]

    @property
    def damaged(self) -> list[str] | Unseen:
        """What bt_index_check found, by index."""
        if self.damage_unseen is not None:
            return self.damage_unseen
        return [
            Fixable(f"{i.name}: {i.corruption}", i.rebuilt) for i in self.btrees if i.corruption
        ]

    @property
    def unindexed_keys(self) -> list[str]:
        """Foreign keys of large tables that no index serves."""
        return [Fixable(str(k), k.missing_index) for k in self.foreign_keys if not k.indexed]

    def bloated(self, percent: float) -> list[str] | Unseen:
        """Large B-trees with more bloat than ``percent``."""
        if self.bloat_unseen is not None:
            return self.bloat_unseen
        return [
            Fixable(f"{i.name} ({i.bloat_percent:.0f} %)", i.rebuilt)
            for i in self.btrees
            if i.bloat_percent is not None and i.bloat_percent > percent
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one of the costliest statements would run."""

    statement: Statement
    scans: tuple[str, ...]
    """Large tables that it reads from end to end, or so many of their partitions."""
    hidden: str = ""
    """Why there is no plan of what it reads, though it reads as much as a large table has."""
    time_percent: float = 0.0
    """Its share of the time of all that clients sent."""
    unseen: Unseen | None = None
    """Why it could not be planned."""

    def __str__(self) -> str:
        if self.hidden:
            return f"{self.statement} ({self.hidden}, {self.time_percent:.1f} % of the time)"
        return f"{self.statement} reads all of {', '.join(self.scans)}"


def scanning(plans: Iterable[Plan]) -> list[str] | Unseen:
    """Statements that read a large table whole; unseen where none is known and one could not be
    planned."""
    if isinstance(plans, Unseen):
        return plans
    found = [str(plan) for plan in plans if plan.scans]
    unseen = unseen_among(plan.unseen for plan in plans)
    return found if found or unseen is None else unseen


def hidden(plans: Iterable[Plan]) -> list[Plan]:
    """Statements that may read what they like: no plan shows it."""
    return [plan for plan in plans if plan.hidden]


@probe(limit="drill")
def indexes(env: Environment) -> Indexes:
    """All user indexes: validity, duplicates, bloat (pgstattuple), soundness (amcheck)."""
    with connect(
        env,
        env.postgres.primary,
        statement_timeout_s=env.time_limits.drill,
        settings={"search_path": "pg_catalog"},  # so that every name is reported with its schema
    ) as db:
        rows = db.execute(_INDEXES).fetchall()
        sound = [r for r in rows if r.method == "btree" and r.kind == "i" and r.valid and r.ready]
        faults = seen(_corruption, db, [r.oid for r in sound])
        large_ones = {r.oid: r.fillfactor for r in sound if r.bytes > BLOAT_FROM_BYTES}
        bloat = seen(_bloat, db, large_ones)
        keys = db.execute(_FOREIGN_KEYS, [env.postgres.large_table_rows]).fetchall()
        large = db.execute(_LARGE_TABLES, [env.postgres.large_table_rows]).fetchall()
    same: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        same[row.signature].append(row)
    for group in same.values():  # the one that can least be done without comes first
        group.sort(key=lambda r: (not r.of_constraint, not r.valid, not r.is_unique, r.name))
    return Indexes(
        indexes=tuple(
            Index(
                name=row.name,
                table=row.table,
                method=row.method,
                size_bytes=row.bytes,
                valid=row.valid and row.ready,
                leftover=bool(re.search(r"_cc(new|old)\d*$", row.relname)),
                building=row.building,
                bloat_percent=None if isinstance(bloat, Unseen) else bloat.get(row.oid),
                corruption="" if isinstance(faults, Unseen) else faults.get(row.oid, ""),
                of_constraint=row.of_constraint,
            )
            for row in rows
        ),
        duplicates=tuple(tuple(r.name for r in rows) for rows in same.values() if len(rows) > 1),
        foreign_keys=tuple(
            ForeignKey(row.name, row.table, tuple(row.columns), row.indexed) for row in keys
        ),
        large_tables={row.table: int(row.rows) for row in large},
        damage_unseen=faults if isinstance(faults, Unseen) else None,
        bloat_unseen=bloat if isinstance(bloat, Unseen) else None,
    )


@probe()
def costliest_plans(env: Environment, statements: Statements) -> tuple[Plan, ...]:
    """How the application role's 20 costliest statements would run now, by EXPLAIN.

    pg_stat_statements keeps ``$1`` in place of values, so each is planned for any value (the
    generic plan). Where that plan reads a large table whole, a value may still decide: a
    partial index, or a pattern with a fixed beginning, serves only known values. Such a
    statement is planned again for values that the table's statistics and partial indexes name,
    and it is cleared if that plan uses an index and the blocks it really read per call are
    fewer than half the table's: the plan shows that it can, the blocks that it does.

    Partitions count with their whole: planned without pruning, which a value would decide, a
    statement reads them all if those it scans together have as many rows as a large table, and it
    really reads as many blocks per call as so many rows take.

    Of what no plan can be made (utility commands, code), and where the plan names no table, what a
    statement reads cannot be seen. It is listed as hidden, unless the blocks it read per call are
    fewer than those of any large table.

    Of a statement that cannot be planned nothing is known.
    """
    if not statements.statements and not statements.left_out:
        return ()
    limit = env.postgres.large_table_rows
    with connect(env, env.postgres.primary) as db:
        tables = [_Large(row, limit) for row in db.execute(_LARGE_TABLES, [limit]).fetchall()]
        role = _as_application(db, env.postgres.app_role)
        wanted = statements.statements[:COSTLIEST]
        tried = [seen(_planned, db, env, role, s, tables) for s in wanted]
    plans = [
        Plan(statement, (), unseen=plan) if isinstance(plan, Unseen) else plan
        for statement, plan in zip(wanted, tried, strict=True)
    ]
    plans += [Plan(s, (), "no query that can be explained") for s in statements.left_out]
    fewest = min((t.pages for t in tables), default=math.inf)
    return tuple(_weighed(plan, statements, fewest) for plan in plans)


def _weighed(plan: Plan, statements: Statements, pages: float) -> Plan:
    """With its share of the time; nothing is hidden in few blocks, or where it is counted apart."""
    statement = plan.statement
    inside = statements.nested_are_counted and (
        statement.runs_others or plan.hidden == _NAMES_NO_TABLE
    )
    reads_little = statement.blocks / statement.calls < pages
    share = 100 * statement.total_ms / statements.total_ms if statements.total_ms else 0.0
    return replace(plan, hidden="" if inside or reads_little else plan.hidden, time_percent=share)


_NAMES_NO_TABLE = "its plan names no table"


class _Large:
    """A large table, with all its partitions."""

    def __init__(self, row: Any, limit: int) -> None:
        self.name: str = row.table
        self.oid: int = row.oid
        self.rows: int = row.rows
        self.pages: int = row.pages
        self.partitioned: bool = row.partitioned
        self.members: dict[str, int] = dict(zip(row.members, row.member_rows, strict=True))
        self.limit = limit
        """More rows than these make a table large."""


def _planned(
    db: Connection,
    env: Environment,
    role: str | None,
    statement: Statement,
    large: Iterable[_Large],
) -> Plan:
    import psycopg
    from psycopg import errors

    try:
        with db.transaction(), _Prepared(db, statement.text, role) as prepared:
            nodes = list(_nodes(prepared.plan()))
            scanned = {
                f"{node['Schema']}.{node['Relation Name']}": node
                for node in nodes
                if node["Node Type"] == "Seq Scan"
            }
            scans = [t.name for t in large if _reads_all(db, prepared, statement, scanned, t)]
    except errors.InsufficientPrivilege as e:
        raise ProbeError(
            f"the plan of {statement}",
            e,
            f"grant {env.postgres.app_role} to {env.postgres.user}, which then plans as the"
            " application would; its sessions stay read-only",
        ) from None
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as e:
        if statement.nested:  # with the variables of the code around it
            return Plan(statement, (), "part of code, and not to be explained without it")
        raise ProbeError(
            f"the plan of {statement}",
            e,
            "where no release asks this any more, forget it: select"
            f" pg_stat_statements_reset(0, 0, {statement.query_id}); else cast its parameters in"
            " the query, so that it can be planned without values",
        ) from None
    names_tables = any("Relation Name" in node for node in nodes)
    return Plan(statement, tuple(sorted(scans)), "" if names_tables else _NAMES_NO_TABLE)


def _reads_all(
    db: Connection,
    prepared: _Prepared,
    statement: Statement,
    scanned: Mapping[str, Any],
    table: _Large,
) -> bool:
    found = [name for name in table.members if name in scanned]
    if not found:
        return False
    if not table.partitioned:
        return not _cleared(db, prepared, statement, scanned[table.name], table)
    rows = sum(table.members[name] for name in found)
    # Without pruning the plan has more partitions than are read: the blocks tell how many.
    blocks = statement.blocks / statement.calls
    return rows > table.limit and blocks >= table.pages * table.limit / table.rows


def _cleared(
    db: Connection, prepared: _Prepared, statement: Statement, scan: Any, table: _Large
) -> bool:
    """Whether values decide: see :func:`costliest_plans`."""
    if statement.blocks / statement.calls >= table.pages / 2:
        return False
    values = _values(db, scan, table)
    if not values:
        return False
    found = [
        node["Node Type"]
        for node in _nodes(prepared.plan(values))
        if f"{node.get('Schema')}.{node.get('Relation Name')}" == table.name
    ]
    return bool(found) and "Seq Scan" not in found


_COMPARED = re.compile(
    r"\(*(?:\w+\.)?\"?(?P<column>\w+)\"?\)*(?:::[\w ]+)?\)* (?P<how>=|~~|<|>|<=|>=) "
    r"(?:ANY \(+)?\(*\$(?P<number>\d+)"
)


def _values(db: Connection, scan: Any, table: _Large) -> dict[int, str]:
    """A value for each parameter that a scan's filter compares with a column of the table."""
    values: dict[int, str] = {}
    for match in _COMPARED.finditer(scan.get("Filter", "")):
        row = db.execute(_LIKELY_VALUE, {"table": table.oid, "column": match["column"]}).fetchone()
        if row is not None and row.value is not None:
            value = str(row.value)
            if match["how"] == "~~":  # most of a value: a pattern that finds few
                value = f"{value[: max(1, len(value) - 2)]}%"
            values[int(match["number"])] = value
    return values


class _Prepared:
    """A statement prepared on the server, to be planned and never executed."""

    def __init__(self, db: Connection, text: str, role: str | None) -> None:
        self._db = db
        self._role = role
        # "interval $1" was "interval '1 day'"; a parameter needs a cast instead.
        self._text = re.sub(
            r"\b(interval|date|time|timestamp|timestamptz)\s+(\$\d+)",
            r"\2::\1",
            text,
            flags=re.IGNORECASE,
        )
        self._parameters = max(map(int, re.findall(r"\$(\d+)", text)), default=0)

    def __enter__(self) -> _Prepared:
        self._db.execute(f"prepare golive_plan as {self._text}".encode())
        return self

    def __exit__(self, *_: object) -> None:
        from psycopg.pq import TransactionStatus

        # After an error the connection is given up, and the prepared statement with it.
        if self._db.info.transaction_status == TransactionStatus.INTRANS:
            self._db.execute("deallocate golive_plan")

    def plan(self, values: Mapping[int, str] | None = None) -> Any:
        """Its plan for any values, or for these (the others NULL)."""
        from psycopg import sql

        mode = "force_custom_plan" if values else "force_generic_plan"
        self._db.execute(f"set local plan_cache_mode = {mode}".encode())
        # Any values: NULL would leave no partition.
        pruning = "on" if values else "off"
        self._db.execute(f"set local enable_partition_pruning = {pruning}".encode())
        if self._role:
            # Only while planning: whatever else this suite asks must not be counted as the
            # application's in pg_stat_statements.
            self._db.execute(sql.SQL("set local role {}").format(sql.Identifier(self._role)))
            self._db.execute("set local row_security = on")
        known = values or {}
        arguments = [sql.Literal(known.get(n + 1)) for n in range(self._parameters)]
        call = sql.SQL("({})").format(sql.SQL(", ").join(arguments)) if arguments else sql.SQL("")
        document = one(
            self._db, sql.SQL("explain (format json, verbose) execute golive_plan{}").format(call)
        )[0]
        self._db.execute("set local role none")
        return (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _as_application(db: Connection, role: str) -> str | None:
    """Take on the settings that plans of the application role depend on; the role itself where
    this user may."""
    for setting in db.execute(_ROLE_SETTINGS, [role]).fetchall():
        db.execute("select set_config(%s, %s, false)", [setting.name, setting.value])
    return role if one(db, "select pg_has_role(%s, 'member') as may", [role]).may else None


def _corruption(db: Connection, oids: list[int]) -> dict[int, str]:
    """What bt_index_check complains of, by index."""
    from psycopg import errors, sql

    schema = extension(db, "amcheck", "the soundness of indexes")
    check = sql.SQL("select {}(%s::regclass)").format(sql.Identifier(schema, "bt_index_check"))
    found: dict[int, str] = {}
    for oid in oids:
        try:
            db.execute(check, [oid])
        except (errors.IndexCorrupted, errors.DataCorrupted) as e:
            found[oid] = " ".join(str(e).split())
        except errors.UndefinedObject:  # dropped since it was listed
            continue
        except errors.InsufficientPrivilege as e:
            raise not_granted(db, f"{schema}.bt_index_check(regclass)", e) from None
    return found


def _bloat(db: Connection, fillfactors: dict[int, int]) -> dict[int, float]:
    """Percentage of each btree's pages that a rebuilt one would not have."""
    from psycopg import errors, sql

    if not fillfactors:
        return {}
    schema = extension(db, "pgstattuple", "the bloat of indexes above 10 MB")
    look = sql.SQL("select * from {}(%s::regclass)").format(sql.Identifier(schema, "pgstatindex"))
    found = {}
    for oid, fillfactor in fillfactors.items():
        try:
            row = one(db, look, [oid])
        except errors.InsufficientPrivilege as e:
            raise not_granted(db, f"{schema}.pgstatindex(regclass)", e) from None
        needed = row.leaf_pages * min(1.0, row.avg_leaf_density / fillfactor)
        pages = row.leaf_pages + row.empty_pages + row.deleted_pages
        found[oid] = 100.0 * (1.0 - needed / pages) if pages else 0.0
    return found


_USER = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp_)'"
# Where neither is known (never analysed, and counted anew since a crash), a row for each kilobyte.
_ROWS = (
    "greatest(c.reltuples, pg_stat_get_live_tuples(c.oid),"
    " case when c.reltuples < 0 then pg_relation_size(c.oid) / 1024 end)::bigint"
)

_INDEXES = f"""
select i.indexrelid::oid as oid, c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
       i.indrelid::regclass::text as table, a.amname as method, c.relkind as kind,
       pg_relation_size(i.indexrelid) as bytes, i.indisvalid as valid,
       i.indisready and i.indislive as ready, i.indisunique as is_unique,
       exists (select from pg_constraint k where k.conindid = i.indexrelid
               and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')) as of_constraint,
       coalesce((select option_value::int from pg_options_to_table(c.reloptions)
                 where option_name = 'fillfactor'), 90) as fillfactor,
       exists (select from pg_stat_progress_create_index p
               where p.index_relid = i.indexrelid) as building,
       concat_ws('|', i.indrelid, c.relam, i.indkey, i.indnkeyatts, i.indclass, i.indcollation,
                 i.indoption, pg_get_expr(i.indexprs, i.indrelid),
                 pg_get_expr(i.indpred, i.indrelid)) as signature
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
join pg_am a on a.oid = c.relam
where {_USER}
order by 3
"""  # noqa: S608, E501

# Partitions count with their whole.
_LARGE_TABLES = f"""
with parts as (
    select coalesce(pg_partition_root(c.oid), c.oid) as root, n.nspname || '.' || c.relname as name,
           {_ROWS} as rows,
           greatest(1, pg_relation_size(c.oid) / current_setting('block_size')::int) as pages
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and {_USER}
)
select c.oid, n.nspname || '.' || c.relname as table, c.relkind = 'p' as partitioned,
       sum(p.rows)::bigint as rows, sum(p.pages)::bigint as pages,
       array_agg(p.name) as members, array_agg(p.rows) as member_rows
from parts p join pg_class c on c.oid = p.root join pg_namespace n on n.oid = c.relnamespace
group by c.oid, n.nspname, c.relname, c.relkind having sum(p.rows) > %s
order by 2
"""  # noqa: S608

# A partition counts with the rows of the whole table. An index serves a key when its first
# columns are the key's in any order, and it leaves out no row but those without a key.
_FOREIGN_KEYS = f"""
with tables as (
    select c.oid, coalesce(pg_partition_root(c.oid), c.oid) as root, {_ROWS} as rows
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and {_USER}
), large as (
    select oid from tables
    where root in (select root from tables group by root having sum(rows) > %s)
), keys as (
    select distinct on (k.conrelid, k.conkey) k.*
    from pg_constraint k join large on large.oid = k.conrelid
    where k.contype = 'f' order by k.conrelid, k.conkey, k.conparentid
)
select k.conname as name, k.conrelid::regclass::text as table,
       (select array_agg(a.attname order by place) from unnest(k.conkey) with ordinality p(n, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.n)::text[] as columns,
       exists (
           select from pg_index i join pg_class c on c.oid = i.indexrelid
           join pg_am m on m.oid = c.relam
           where i.indrelid = k.conrelid and i.indisvalid and i.indisready and i.indislive
           and i.indnkeyatts >= cardinality(k.conkey)
           and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
           and (m.amname = 'btree' or (m.amname = 'hash' and cardinality(k.conkey) = 1))
           and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) in
                (select format('(%%I IS NOT NULL)', a.attname) from pg_attribute a
                 where a.attrelid = k.conrelid and a.attnum = any (k.conkey)))
       ) as indexed
from keys k order by 2, 1
"""  # noqa: S608

_ROLE_SETTINGS = """
select split_part(entry, '=', 1) as name,
       substr(entry, strpos(entry, '=') + 1) as value
from pg_db_role_setting s
left join pg_roles r on r.oid = s.setrole
left join pg_database d on d.oid = s.setdatabase
cross join unnest(s.setconfig) entry
join pg_settings p on p.name = split_part(entry, '=', 1)
where r.rolname = %s and (s.setdatabase = 0 or d.datname = current_database())
and (p.name = 'search_path' or p.category like 'Query Tuning%%')
order by s.setdatabase
"""

# A constant of a partial index on the column, else its commonest value, else its median.
_LIKELY_VALUE = """
select coalesce(
    (select (regexp_match(pg_get_expr(i.indpred, i.indrelid),
                          '\\m' || %(column)s || '\\M[^=]*= (?:ANY \\(+(?:ARRAY\\[)?)?''([^'']*)'''))[1]
     from pg_index i where i.indrelid = %(table)s and i.indpred is not null
     order by 1 nulls last limit 1),
    (s.most_common_vals::text::text[])[1],
    (s.histogram_bounds::text::text[])[(cardinality(s.histogram_bounds::text::text[]) + 1) / 2]
) as value
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname
    and s.attname = %(column)s
where c.oid = %(table)s
order by s.inherited limit 1
"""  # noqa: E501
