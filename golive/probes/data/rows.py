"""Rows of tables as sums and as notes: whether two databases, or two moments, hold the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from psycopg import sql

    from golive.probes.data.postgres import Connection

_SPELLING = """
    set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres';
    set extra_float_digits = 1; set bytea_output = 'hex'; set xmloption = 'content'
"""
"""Settings on which the spelling of a value depends: two servers may differ in them."""


@dataclass(frozen=True, slots=True)
class TableSum:
    """A table's rows counted, and summed up whatever their order. Compare for equality."""

    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What became of noted rows. ``added`` are rows that were not there when they were noted."""

    noted: int
    missing: int
    changed: int
    added: int
    dropped_columns: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether every noted row is still there, with every noted value."""
        return not (self.missing or self.changed or self.dropped_columns)

    def __str__(self) -> str:
        parts = [
            f"{count:,} {word}"
            for count, word in ((self.missing, "missing"), (self.changed, "changed"))
            if count
        ]
        if self.dropped_columns:
            parts.append(f"without the column {', '.join(self.dropped_columns)}")
        return f"{' and '.join(parts) or 'all the same'} of {self.noted:,}"


def quoted(name: str) -> str:
    """A name as SQL takes it, for people to copy; quoted where it needs to be."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'


_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


def parts(name: str) -> tuple[str, ...]:
    """A table's name as people and ``user_tables`` write it, taken apart: its schema, where that
    is named, and its own. Case counts; SQL's quotes may be there, and have to be around a schema
    with a dot."""
    first = _QUOTED.match(name)
    if first and name[first.end() :].startswith("."):
        return _plain(first[0]), _plain(name[first.end() + 1 :])
    if first and first.end() == len(name):
        return (_plain(name),)
    schema, dot, own = name.partition(".")
    return (schema, _plain(own)) if dot else (name,)


def _plain(part: str) -> str:
    quoted_ = _QUOTED.fullmatch(part)
    return quoted_[1].replace('""', '"') if quoted_ else part


def identifier(name: str) -> sql.Identifier:
    """A table's name for use in SQL, with or without its schema."""
    from psycopg import sql

    return sql.Identifier(*parts(name))


def spelled(name: str) -> str:
    """A table's name as people write it in SQL."""
    return ".".join(map(quoted, parts(name)))


def same(name: str) -> tuple[str, ...]:
    """What two names of one table have in common: ``public`` goes without saying."""
    found = parts(name)
    return found[1:] if len(found) == 2 and found[0] == "public" else found


def table_sums(db: Connection, tables: Iterable[str]) -> dict[str, TableSum]:
    """Row count and checksum of each table; a table that is not there is left out.

    One scan for both. The sum does not depend on the order of rows, nor on the server's settings.
    """
    from psycopg import sql

    db.execute(_SPELLING)
    query = sql.SQL(
        "select count(*) as rows,"
        " coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0)::text as checksum"
        " from {table} t"
    )
    sums: dict[str, TableSum] = {}
    for table in tables:
        if not exists(db, table):
            continue
        row = db.execute(query.format(table=identifier(table))).fetchone()
        assert row is not None
        sums[table] = TableSum(row.rows, row.checksum)
    return sums


def user_tables(db: Connection, *, without: Collection[str] = ()) -> list[str]:
    """Every ordinary and partitioned table of the users' schemas; ``public`` goes unsaid where
    the table's own name has no dot. A schema with a dot or quote stands in quotes, and a table
    whose own name is in quotes.

    A table without columns holds nothing that could be told apart, so it is none of them.
    """
    found = db.execute(
        "select case when n.nspname = 'public' and c.relname !~ '[.]|^\".*\"$' then c.relname"
        " else case when n.nspname ~ '[.\"]' then quote_ident(n.nspname) else n.nspname end"
        " || '.' || case when c.relname ~ '^\".*\"$' then quote_ident(c.relname) else c.relname end"
        " end as name"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'"
        " and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
        " and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')"
        " and exists (select from pg_attribute a"
        " where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) order by 1"
    )
    return [row.name for row in found if row.name not in without]


class RowNotes:
    """Every row of some tables, noted by its key with a hash, in temporary tables.

    They live as long as the connection, which has to stay open between noting and comparing,
    and are seen by nobody else. Only the columns that a table has when the object is made are
    noted, so that a release which adds columns leaves the rows the same.

    :param ignoring: columns, as ``table.column``, that may change.
    """

    def __init__(
        self, db: Connection, tables: Iterable[str], ignoring: Collection[str] = ()
    ) -> None:
        self._db = db
        db.execute(_SPELLING)
        self._columns = {
            table: [c for c in column_names(db, table) if f"{table}.{c}" not in ignoring]
            for table in tables
        }
        self._keys = {table: _key(db, table) for table in self._columns}

    def note(self, label: str, *, beyond: str | None = None) -> None:
        """Note all rows; ``beyond``: only those that were not there at that earlier note."""
        from psycopg import sql

        for n, (table, columns) in enumerate(self._columns.items()):
            noting = sql.SQL("create temporary table {note} as select * from ({rows}) r").format(
                note=_note(label, n), rows=self._rows(table, columns)
            )
            if beyond is not None:
                earlier = _note(beyond, n)
                noting += sql.SQL(
                    " where not exists (select from {earlier} e where e.key = r.key)"
                ).format(earlier=earlier)
            self._db.execute(noting)
            self._db.execute(sql.SQL("analyze {}").format(_note(label, n)))

    def compare(self, label: str) -> dict[str, RowChanges]:
        """What became of the rows noted under ``label``, by table."""
        from psycopg import sql

        changes: dict[str, RowChanges] = {}
        for n, (table, columns) in enumerate(self._columns.items()):
            there = set(column_names(self._db, table)) if exists(self._db, table) else set()
            dropped = tuple(c for c in columns if c not in there)
            if dropped:
                noted = self._count(_note(label, n))
                changes[table] = RowChanges(noted, 0, noted, 0, dropped)
                continue
            row = self._db.execute(
                sql.SQL(
                    "select count(n.key) as noted,"
                    " count(*) filter (where r.key is null) as missing,"
                    " count(*) filter (where r.key = n.key and r.hash is distinct from n.hash)"
                    " as changed, count(*) filter (where n.key is null) as added"
                    " from {note} n full join ({rows}) r on r.key = n.key"
                ).format(note=_note(label, n), rows=self._rows(table, columns))
            ).fetchone()
            assert row is not None
            changes[table] = RowChanges(row.noted, row.missing, row.changed, row.added, ())
        return changes

    def _rows(self, table: str, columns: list[str]) -> sql.Composed:
        from psycopg import sql

        values = sql.SQL(", ").join(map(sql.Identifier, columns))
        key = self._keys[table]
        if key:
            keys = sql.SQL(", ").join(map(sql.Identifier, key))
            return sql.SQL(
                "select row({keys})::text as key,"
                " hashtextextended(row({values})::text, 0) as hash from {table}"
            ).format(keys=keys, values=values, table=identifier(table))
        # Without a primary key a row is its own name, and equal rows are counted.
        return sql.SQL(
            "select md5(row({values})::text) as key, count(*) as hash from {table} group by 1"
        ).format(values=values, table=identifier(table))

    def _count(self, table: sql.Identifier) -> int:
        from psycopg import sql

        row = self._db.execute(sql.SQL("select count(*) as rows from {}").format(table)).fetchone()
        assert row is not None
        return int(row.rows)


def _note(label: str, number: int) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier("pg_temp", f"golive_{label}_{number}")


def exists(db: Connection, table: str) -> bool:
    """Whether there is such a table, where this user's search path leads."""
    row = db.execute(
        "select to_regclass(%s) is not null as there", [identifier(table).as_string(db)]
    ).fetchone()
    return bool(row and row.there)


def column_names(db: Connection, table: str) -> list[str]:
    found = db.execute(
        "select attname as name from pg_attribute where attrelid = to_regclass(%s)"
        " and attnum > 0 and not attisdropped order by attnum",
        [identifier(table).as_string(db)],
    ).fetchall()
    if not found:
        raise ProbeError(
            f"the table {table} in database {db.info.dbname}",
            "it is not there, or has no columns",
            "compare postgres.core_tables in the environment file with this database",
        )
    return [row.name for row in found]


def _key(db: Connection, table: str) -> list[str]:
    found = db.execute(
        "select a.attname as name from pg_index i"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
        " where i.indisprimary and i.indrelid = to_regclass(%s) order by a.attnum",
        [identifier(table).as_string(db)],
    )
    return [row.name for row in found]


def share_percent(rows: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """Rows of each referred table in percent of the reference; an absent table has none."""
    found = {same(table): count for table, count in rows.items()}
    return {
        table: 100.0 * found.get(same(table), 0) / wanted
        for table, wanted in reference.items()
        if wanted > 0
    }


def spoilt(changes: Mapping[str, RowChanges]) -> list[str]:
    """Tables in which noted rows are lost or changed, and how many."""
    return [f"{table}: {c}" for table, c in changes.items() if not c.intact]


def unlike(found: Mapping[str, TableSum], wanted: Mapping[str, TableSum]) -> list[str]:
    """Tables whose rows are not the same, with how many there are of each."""
    return [
        f"{table} ({found[table].rows if table in found else 'no'} of {sum_.rows} rows"
        f"{', other content' if table in found and found[table].rows == sum_.rows else ''})"
        for table, sum_ in wanted.items()
        if found.get(table) != sum_
    ]
