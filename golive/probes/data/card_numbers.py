"""Card numbers where none may be: in the database's texts, in logs, in Redis.

Only how many there are is reported, never one of them. A number that no bank has issued is sent the
same way as what each place holds, so that finding none is known to mean that there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probes.data.redis import masters
from golive.probes.data.rows import identifier, user_tables
from golive.probes.transport.machines import Machine, Output
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from psycopg import sql

    from golive.probes.data.postgres import Connection

TEST_NUMBER = "4111111111111111"
"""The card schemes' own number for tests."""
_CONTROL = f"a card: {TEST_NUMBER}"
_LOG_DAYS = 7
_MOST_KEYS = 5_000
_CANDIDATE = "[2-6]([ -]?[0-9]){12}"
"""What may hold a card number, for programs that know neither it nor its check digit."""
# With what stands around a candidate, since part of a longer word is none.
_SEARCHING = ("grep", "-aoE", "-e", f"[[:alnum:]_-]?{_CANDIDATE}[0-9 -]*[[:alnum:]_-]?")
_UNPACKING = {".gz": "zgrep", ".xz": "xzgrep", ".bz2": "bzgrep", ".zst": "zstdgrep"}
"""What searches a packed log in grep's place, by how its name ends."""
_WRITTEN = re.compile(
    r"(?<![\w-])(?:"
    r"[2-6]\d{12,18}"
    r"|[2-6]\d{3}(?P<by>[ -])\d{4}(?P=by)\d{4}(?P=by)\d{1,7}"
    r"|3\d{3}(?P<of>[ -])\d{6}(?P=of)\d{5}"
    r")(?![\w-])"
)


@dataclass(frozen=True, slots=True)
class CardNumbers:
    """Where card numbers were looked for and found."""

    columns: int | Unseen
    """Text columns of the database."""
    log_files: int | Unseen
    """Changed in the last seven days."""
    keys: int | Unseen
    """Of Redis."""
    found: dict[str, int]
    """How many, by column, log file or key."""
    unseen: tuple[str, ...]
    """Kinds of places where the test number was not found either."""

    @property
    def looked_at(self) -> int:
        """Columns, logs and keys together."""
        kinds = (self.columns, self.log_files, self.keys)
        return sum(count for count in kinds if not isinstance(count, Unseen))

    @property
    def shown(self) -> list[str] | Unseen:
        """Places with numbers, and how many; unseen where none is known and one kind of place
        could not be looked at."""
        found = [f"{place} ({count})" for place, count in self.found.items()]
        missed = unseen_among((self.columns, self.log_files, self.keys))
        return found if found or missed is None else missed


def count(text: str) -> int:
    """How many card numbers a text holds: of a card's length, written like one, and with the
    right check digit (ISO/IEC 7812, Luhn)."""
    return sum(_is_luhn(re.sub(r"\D", "", m[0])) for m in _WRITTEN.finditer(text))


def _is_luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + n % 2) for n, d in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(d - 9 * (d > 9) for d in doubled) % 10 == 0


@dataclass(frozen=True, slots=True)
class _Searched:
    """One kind of place: how many there were, what was found, and where the test number was not
    found."""

    places: int
    found: dict[str, int]
    unseen: tuple[str, ...]


@probe(limit="drill")
def card_numbers(env: Environment) -> CardNumbers:
    """Card numbers in every text column, in the logs of seven days, in Redis."""
    looks = [seen(look, env) for look in (_in_database, _in_logs, _in_redis)]
    known = [look for look in looks if not isinstance(look, Unseen)]
    missed = unseen_among(looks)
    if missed is not None and not known:
        raise missed.error
    columns, logs, keys = (x if isinstance(x, Unseen) else x.places for x in looks)
    return CardNumbers(
        columns=columns,
        log_files=logs,
        keys=keys,
        found={place: count for look in known for place, count in look.found.items()},
        unseen=tuple(kind for look in known for kind in look.unseen),
    )


def _in_database(env: Environment) -> _Searched:
    from psycopg import sql

    limit_s = env.time_limits.drill
    with connect(env, env.postgres.primary, statement_timeout_s=limit_s) as db:
        columns = [(t, c) for t in user_tables(db) for c in _texts(db, t)]
        counts = {f"{t}.{c}": _in_column(db, identifier(t), c) for t, c in columns}
        control = sql.SQL("(values ({})) as control (text)").format(sql.Literal(_CONTROL))
        seen = _in_column(db, control, "text")
    found = {place: n for place, n in counts.items() if n}
    return _Searched(len(counts), found, () if seen else ("the database",))


def _texts(db: Connection, table: str) -> list[str]:
    rows = db.execute(
        "select attname as name from pg_attribute a join pg_type t on t.oid = a.atttypid"
        " left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
        " and (coalesce(e.typcategory, t.typcategory) = 'S'"
        " or t.typname in ('json', 'jsonb', 'xml')) order by attnum",
        [identifier(table).as_string(db)],
    )
    return [row.name for row in rows]


def _in_column(db: Connection, source: sql.Composable, column: str) -> int:
    from psycopg import sql

    rows = db.execute(
        sql.SQL("select {column}::text as text from {source} where {column}::text ~ %s").format(
            column=sql.Identifier(column), source=source
        ),
        [_CANDIDATE],
    )
    return sum(count(row.text) for row in rows)


def _in_logs(env: Environment) -> _Searched:
    if not env.application.logs:
        raise ProbeError("the logs", "none is declared", "declare them under application.logs")
    files, found, unseen = 0, dict[str, int](), list[str]()
    for log in env.application.logs:
        machine = Machine(log.address)
        listed = _recent(machine, log.path)
        files += len(listed)
        for path in listed:
            program = _UNPACKING.get(PurePosixPath(path).suffix, _SEARCHING[0])
            n = _counted(machine.run(program, *_SEARCHING[1:], "--", path), path)
            if n:
                found[path] = n
        words = " ".join(f"'{word}'" for word in _SEARCHING)
        control = machine.run("sh", "-c", f"echo '{_CONTROL}' | {words}")
        if not _counted(control, f"the test number on {log.address}"):
            unseen.append(f"logs on {log.address}")
    return _Searched(files, found, tuple(dict.fromkeys(unseen)))


def _recent(machine: Machine, log: str) -> list[str]:
    """Files of a log, or of a folder of logs, that were changed of late: those that it was
    rotated to lie beside it, under its name with something behind."""
    recent = ("-type", "f", "-mtime", f"-{_LOG_DAYS}", "-print")
    path = PurePosixPath(log)
    pattern = re.sub(r"([\\*?[])", r"\\\1", path.name) + "[.-]*"
    beside = machine.answer(
        "find", str(path.parent), "-maxdepth", "1", "-name", pattern, *recent
    ).splitlines()
    return list(dict.fromkeys([*machine.answer("find", log, *recent).splitlines(), *beside]))


def _counted(done: Output, path: str) -> int:
    if done.status not in (0, 1):  # 1: it holds nothing of the kind
        raise ProbeError(path, done.complaint, "make it readable for this user")
    return sum(count(line) for line in done.out.splitlines())


def _in_redis(env: Environment) -> _Searched:
    counts: dict[str, int] = {}
    echoed = []
    with masters(env) as clients:
        for client in clients:
            keys = dict.fromkeys(islice(client.scan_iter(count=500), _MOST_KEYS))
            counts |= {f"Redis key {key}": count(_value(client, key)) for key in keys}
            echoed.append(count(str(client.echo(_CONTROL))))
    found = {place: n for place, n in counts.items() if n}
    return _Searched(len(counts), found, () if all(echoed) else ("Redis",))


def _value(client: Any, key: str) -> str:
    readers: dict[str, Callable[[], Iterable[str]]] = {
        "string": lambda: [client.get(key) or ""],
        "hash": lambda: [x for pair in client.hgetall(key).items() for x in pair],
        "list": lambda: client.lrange(key, 0, 99),
        "set": lambda: client.sscan(key, count=100)[1],
        "zset": lambda: client.zrange(key, 0, 99),
        "stream": lambda: [
            x for _, entry in client.xrevrange(key, count=100) for p in entry.items() for x in p
        ],
    }
    reader = readers.get(client.type(key))
    return "\n".join(reader()) if reader else ""
