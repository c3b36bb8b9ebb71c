"""Whether an environment can be looked at from here: what it declares, what answers, what waits.

    for finding in diagnose(env, cards): print(finding.section, finding.state)

Nothing is changed: addresses are connected to, programs are looked for, and PostgreSQL is asked
what the reading user may do. What it may not is told as SQL, all of it at once.
"""

from __future__ import annotations

import inspect
import re
import shutil
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from golive.environments import Environment
from golive.items import parameters_of
from golive.probes import register_all
from golive.probing import REGISTRY, closure
from golive.sections import Section, Undeclared, declares, lacking, value_of

State = Literal["reached", "declared", "refused", "incomplete", "not declared"]
"""``declared``: whole, and without an address that could answer."""
_PORTS = {"http": 80, "https": 443}
_AT_ONCE = 16
_OF_NO_SYSTEM = frozenset({"people", "started", "time_limits", "windows"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One section of an environment, as seen from here."""

    section: str
    title: str
    state: State
    reported: tuple[str, ...]
    """What answers and what does not, a line each."""
    keys: tuple[str, ...]
    """Keys that are not declared and that some look needs."""
    items: tuple[str, ...]
    """Ids of the written items that look at it."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What PostgreSQL does not let the reading user do, and what would."""

    missing: tuple[str, ...]
    superuser: str
    """SQL for a superuser."""
    managed: str
    """SQL for a managed database, whose owner is no superuser."""
    unseen: tuple[str, ...]
    """What stays UNKNOWN without it."""


def diagnose(env: Environment, cards: Mapping[str, tuple[Any, str]]) -> list[Finding]:
    """Every section of an environment, in the model's order.

    :param cards: card and source of every written item, by id.
    """
    waiting = _waiting(cards)
    sections = {
        f.name: f
        for f in msgspec.structs.fields(Environment)
        if isinstance(f.type, type) and issubclass(f.type, Section) and f.name not in _OF_NO_SYSTEM
    }
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = {name: pool.submit(_reported, env, name) for name in sections}
        return [
            _finding(env, name, field, looks[name].result(), waiting.get(name, ()))
            for name, field in sections.items()
        ]


def _finding(
    env: Environment,
    name: str,
    field: msgspec.structs.FieldInfo,
    looked: list[tuple[bool, str]],
    items: tuple[str, ...],
) -> Finding:
    title = field.default.title if isinstance(field.default, Undeclared) else name
    value = value_of(env, name)
    if isinstance(value, Undeclared):
        return Finding(name, title, "not declared", (), tuple(lacking(field.type, {})), items)
    keys = tuple(_undeclared(value))
    refused = [said for answered, said in looked if not answered]
    answers: State = "reached" if _addresses(value) else "declared"
    state: State = "refused" if refused else "incomplete" if keys else answers
    said = (*refused, *(said for answered, said in looked if answered))
    return Finding(name, title, state, said, keys, items)


def _undeclared(section: Section, where: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(section):
        value = value_of(section, field.name)
        if isinstance(value, Undeclared):
            yield f"{where}{field.name}"
        elif isinstance(value, Section):
            yield from _undeclared(value, f"{where}{field.name}.")


# -- what answers ------------------------------------------------------------------------------


def _reported(env: Environment, name: str) -> list[tuple[bool, str]]:
    """Whether each address and program of a section answers or is there, and how it is told."""
    section = value_of(env, name)
    if isinstance(section, Undeclared):
        return []
    limit_s = env.time_limits.connect
    found = [_connected(host, port, limit_s) for host, port in sorted(_addresses(section))]
    for program in sorted(_programs(section)):
        there = shutil.which(program) is not None
        found.append((there, f"program {program}" if there else f"no program {program} here"))
    return found


def _connected(host: str, port: int, limit_s: float) -> tuple[bool, str]:
    if host.startswith("/"):  # the folder of PostgreSQL's socket on this machine
        path = Path(host) / f".s.PGSQL.{port}"
        return (True, str(path)) if path.is_socket() else (False, f"{path}: there is no socket")
    try:
        socket.create_connection((host, port), limit_s).close()
    except (OSError, UnicodeError) as e:  # of a name that can be no host's
        return False, f"{host}:{port}: {getattr(e, 'strerror', None) or e}"
    return True, f"{host}:{port}"


def _addresses(value: Any) -> set[tuple[str, int]]:
    """Hosts with their ports among the declared values of a section."""
    found: set[tuple[str, int]] = set()
    for inner in _values(value):
        if isinstance(inner, Section) and {"host", "port"} <= set(inner.__struct_fields__):
            host, port = value_of(inner, "host"), value_of(inner, "port")
            if isinstance(host, str) and isinstance(port, int):
                found.add((host, port))
        if isinstance(inner, str) and "://" in inner:
            try:
                address = urlsplit(inner)
                port = address.port or _PORTS.get(address.scheme)
            except ValueError:  # a word with a {place} in it
                continue
            if address.hostname and port:
                found.add((address.hostname, port))
    return found


def _programs(value: Any) -> set[str]:
    """The programs of the declared commands."""
    found: set[str] = set()
    for inner in _values(value):
        if isinstance(inner, Section):
            for name in inner.__struct_fields__:
                words = value_of(inner, name)
                if name.endswith("_command") and isinstance(words, list) and words:
                    found.add(str(words[0]))
    return found


def _values(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Section):
        for name in value.__struct_fields__:
            yield from _values(value_of(value, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)


# -- what waits --------------------------------------------------------------------------------


def _waiting(cards: Mapping[str, tuple[Any, str]]) -> dict[str, tuple[str, ...]]:
    """Ids of the items whose probes read a section, by its name."""
    register_all()
    reads = {
        name: set(re.findall(r"\benv\.(\w+)", inspect.getsource(_module(name))))
        for name in REGISTRY
    }
    found: dict[str, list[str]] = defaultdict(list)
    for ident, (_, source) in cards.items():
        sections = {s for name in closure(parameters_of(source)) for s in reads[name]}
        for section in sections:
            found[section].append(ident)
    return {section: tuple(ids) for section, ids in found.items()}


def _module(probe: str) -> Any:
    return sys.modules[REGISTRY[probe].look.__module__]


# -- PostgreSQL's rights -----------------------------------------------------------------------

_EXTENSIONS = {
    "amcheck": "damage of indexes",
    "pgstattuple": "bloat of indexes above 10 MB",
    "pg_stat_statements": "what the statements cost, and their plans",
}
_FUNCTIONS = {"bt_index_check": "amcheck", "pgstatindex": "pgstattuple"}
_ROLES = {
    "pg_monitor": "replication, and the statements' texts",
    "pg_read_all_data": "statistics, row counts, integrity",
}
_TO_READ = ("usage on", "select on all tables in", "select on all sequences in")
_PRELOAD = "shared_preload_libraries"

_ASKED = """
select quote_ident(current_user) as me,
       (select setting from pg_settings where name = 'shared_preload_libraries') as preloaded,
       array(select rolname::text from pg_roles where rolname = any(%(roles)s)) as known,
       array(select rolname::text from pg_roles where rolname = any(%(roles)s)
             and pg_has_role(current_user, oid, 'usage')) as roles,
       array(select extname::text from pg_extension where extname = any(%(extensions)s))
           as extensions,
       array(select name::text from pg_available_extensions where name = any(%(extensions)s))
           as available,
       array(select quote_ident(n.nspname) || '.' || p.proname || '(regclass)' from pg_proc p
             join pg_namespace n on n.oid = p.pronamespace
             where p.proname = any(%(functions)s)
             and p.proargtypes::oid[] = array['regclass'::regtype::oid]
             and not has_function_privilege(p.oid, 'execute')) as refused,
       array(select distinct quote_ident(n.nspname) from pg_class c
             join pg_namespace n on n.oid = c.relnamespace
             where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
             and (c.relkind in ('r', 'p', 'm') and not has_table_privilege(c.oid, 'select')
                  or c.relkind = 'S' and not has_sequence_privilege(c.oid, 'select'))
             order by 1) as unreadable
"""


def rights(env: Environment) -> Rights:
    """What the reading user lacks on the primary, of what looks at the server itself need.

    :raises ProbeError: it cannot be asked.
    """
    from golive.probes.data.postgres import connect, one

    roles = dict(_ROLES)
    if declares(env, "postgres.app_role"):
        roles[env.postgres.app_role] = "plans of the application's statements"
    asked = {
        "roles": list(roles),
        "extensions": list(_EXTENSIONS),
        "functions": list(_FUNCTIONS),
    }
    with connect(env, env.postgres.primary) as db:
        return told(one(db, _ASKED, asked), roles)


def told(row: Any, roles: Mapping[str, str]) -> Rights:
    """What a server has answered, as what is missing and the SQL that mends it.

    :param roles: what the user has to be a member of, and what is UNKNOWN otherwise.
    """
    absent = [e for e in _EXTENSIONS if e not in row.extensions]
    outside = [r for r in roles if r in row.known and r not in row.roles]
    # pg_read_all_data came with PostgreSQL 14.
    schemas = [] if "pg_read_all_data" in row.known else row.unreadable
    # Those of an extension that is not there yet have to be granted once it is.
    refused = [
        *row.refused,
        *(f"{name}(regclass)" for name, of in _FUNCTIONS.items() if of in absent),
    ]
    grants = [
        *(f"create extension {e};" for e in absent),
        *(f"grant {_quoted(r)} to {row.me};" for r in outside),
        *(f"grant {what} schema {s} to {row.me};" for s in schemas for what in _TO_READ),
        *(f"grant execute on function {f} to {row.me};" for f in refused),
    ]
    packages = [
        f"-- first install the server's package with {e}" for e in absent if e not in row.available
    ]
    missing = [
        *(f"the extension {e}" for e in absent),
        *(f"membership in {r}" for r in outside),
        *(f"select on all tables of the schema {s}" for s in schemas),
        *(f"execute on {f}" for f in row.refused),
    ]
    preload, by_hand = _preload(row.preloaded)
    if preload and row.preloaded is not None:
        missing.insert(0, f"pg_stat_statements in {_PRELOAD}")
    return Rights(
        missing=tuple(missing),
        superuser="\n".join([*preload, *packages, *grants]),
        managed="\n".join([*by_hand, *grants]),
        unseen=(*(_EXTENSIONS[e] for e in absent), *(roles[r] for r in outside)),
    )


def _preload(known: str | None) -> tuple[list[str], list[str]]:
    """How pg_stat_statements gets loaded: by a superuser, and on a managed database.

    :param known: the libraries that are; None where the user may not read them.
    """
    if known is None:  # to set it unseen could throw out what is loaded
        return (
            [f"-- show {_PRELOAD}; without pg_stat_statements in it: add that, and restart"],
            [f"-- see that {_PRELOAD} of the parameter group has pg_stat_statements"],
        )
    libraries = [name.strip().strip('"') for name in known.split(",") if name.strip()]
    if "pg_stat_statements" in libraries:
        return [], []
    # One string with commas in it would be one library, without which no server starts.
    each = ", ".join(f"'{name}'" for name in [*libraries, "pg_stat_statements"])
    return (
        [f"alter system set {_PRELOAD} = {each};  -- then restart"],
        [f"-- in the parameter group: pg_stat_statements in {_PRELOAD}; then restart"],
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
