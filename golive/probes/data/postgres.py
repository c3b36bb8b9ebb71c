"""Connections to PostgreSQL, and what every look at a database shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from golive.environments import Environment, Secret
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    Connection = psycopg.Connection[Any]

APPLICATION_NAME = "golive"
"""How the suite's own backends are told from others in pg_stat_activity."""
MARK = "/* golive */"
"""How its own statements end: where roles are not separated, they are told by it alone.
pg_stat_statements leaves away what stands before a statement."""


class Server(Protocol):
    """Anything that speaks PostgreSQL's protocol at an address: a node, a copy, a pooler."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def called(server: Server) -> str:
    """A server as messages name it."""
    return f"{server.name} at {server.host}:{server.port}"


@contextmanager
def connect(
    env: Environment,
    node: Server,
    *,
    user: str | None = None,
    password: Secret | None = None,
    database: str | None = None,
    autocommit: bool = True,
    read_only: bool = True,
    statement_timeout_s: float | None = None,
    behind_pooler: bool = False,
    settings: Mapping[str, str] | None = None,
    libpq: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """A connection to a server, closed at the end of the block; rows are named tuples.

    :param user: with ``password``; the environment's own reading user when neither is given.
    :param statement_timeout_s: the probe time limit when not given.
    :param settings: server settings of this session on top of these.
    :param libpq: further settings of the connection, as libpq calls them.
    :param behind_pooler: the server is a pooler, which takes no settings at connecting.
    :raises ProbeError: it cannot be connected to, or a statement inside the block fails; names
        the server, never the password.
    """
    import psycopg
    from psycopg import sql
    from psycopg.rows import namedtuple_row

    class Marked(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **named: Any) -> Any:
            if isinstance(query, sql.Composable):
                query = query.as_bytes(self)
            text = query.encode() if isinstance(query, str) else query
            return super().execute(text + b"\n" + MARK.encode(), *values, **named)

    further: dict[str, str] = {}
    if user is None:
        user, password = env.postgres.user, env.postgres.password
        further = dict(env.postgres.libpq)
    timeout_s = statement_timeout_s or env.time_limits.probe
    of_session = {
        # A number alone is milliseconds; 0 would mean no limit at all.
        "statement_timeout": str(max(1, round(timeout_s * 1000))),
        "default_transaction_read_only": "on" if read_only else "off",
        # Where a row policy would hide rows, an error is better than rows left out unseen.
        "row_security": "off",
        # Dates as psycopg reads them, whatever the server, database or role is set to.
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        **(settings or {}),
    }
    options = " ".join(f"-c {name}={value}" for name, value in of_session.items())
    options = f"{further.pop('options', '')} {options}".strip()
    parameters: dict[str, Any] = {
        **further,
        **(libpq or {}),
        "host": node.host,
        "port": node.port,
        "dbname": database or env.postgres.database,
        "user": user,
        "password": password.reveal() if password else None,
        "sslmode": env.postgres.sslmode,
        "sslrootcert": env.postgres.sslrootcert or None,
        "application_name": APPLICATION_NAME,
        # libpq takes whole seconds, and reads 1 as 2.
        "connect_timeout": max(2, round(env.time_limits.connect)),
        "options": None if behind_pooler else options,
    }
    try:
        connection = psycopg.connect(
            **{k: v for k, v in parameters.items() if v is not None},
            autocommit=autocommit,
            prepare_threshold=None,
            row_factory=namedtuple_row,
            cursor_factory=psycopg.Cursor if behind_pooler else Marked,
        )
    except psycopg.Error as e:
        raise _unreachable(node, e, str(parameters["dbname"]), user) from None
    try:
        with connection:
            yield connection
    except psycopg.Error as e:
        raise _failed(node, e, timeout_s) from None


def extension(db: Connection, name: str, why: str) -> str:
    """The schema that an extension's functions and views live in.

    :raises ProbeError: it is not installed in this database.
    """
    row = db.execute(
        "select n.nspname as schema from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = %s",
        [name],
    ).fetchone()
    if row is None:
        raise ProbeError(
            f"{why} in database {db.info.dbname}",
            f"the extension {name} is not installed",
            f"as a superuser: create extension {name};",
        )
    return str(row.schema)


def not_granted(db: Connection, function: str, error: psycopg.Error) -> ProbeError:
    """That a function may not be called, with the statement that mends it."""
    grant = f"grant execute on function {function} to {db.info.user};"
    return ProbeError(f"{function} in database {db.info.dbname}", error, grant)


def one(db: Connection, query: Any, parameters: Any = None) -> Any:
    """The only row of a query that always has one."""
    row = db.execute(query, parameters).fetchone()
    assert row is not None
    return row


def table(name: str) -> sql.Identifier:
    """A declared table's name for use in SQL: ``table`` or ``schema.table``."""
    from golive.probes.data.rows import identifier

    return identifier(name)


def _unreachable(node: Server, error: psycopg.Error, database: str, user: str) -> ProbeError:
    text = str(error).strip()
    if "password authentication failed" in text or "no password supplied" in text:
        step = f"check the password of {user} that the environment file refers to"
    elif "does not exist" in text:
        step = "check postgres.database and postgres.user in the environment file"
    elif "startup parameter" in text:
        step = "a pooler answers there: declare the server itself in postgres.nodes"
    elif "pg_hba.conf" in text:
        step = f"allow {user} from this machine to {database} in pg_hba.conf"
    elif "certificate" in text or "SSL" in text:
        step = "check postgres.sslmode and postgres.sslrootcert in the environment file"
    else:
        step = "check that the server runs and that this machine may reach it"
    return ProbeError(called(node), text, step)


def _failed(node: Server, error: psycopg.Error, timeout_s: float) -> ProbeError:
    from psycopg import errors

    cause, step = str(error).strip(), "see the server's log at this time"
    match error:
        case errors.InsufficientPrivilege():
            step = "grant it to the user that postgres.user in the environment file names"
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.InvalidSchemaName():
            step = "compare the names in the environment file with this database's schema"
        case errors.QueryCanceled():
            cause = f"a statement was cancelled ({cause}); the limit is {timeout_s:g} s"
            step = "raise time_limits in the environment file, or find what holds it up"
        case errors.OperationalError():
            step = "the connection was lost: see the server's log"
    return ProbeError(called(node), cause, step)
