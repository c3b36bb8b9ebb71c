"""Connections between the application and its database: poolers, their sizes, a burst."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from golive.environments import Environment, Pooler
from golive.probes.data.postgres import APPLICATION_NAME, connect, one
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

BURST_HOLD_S = 0.02
"""How long each client of the burst keeps its server connection: a short transaction. Without
it a pool of any size serves everybody in no time, and nothing is proved."""
_WATCH_S = 0.02
_CONNECTING = 20
"""Clients of the burst that log in at the same time; only the queries come all at once."""
_CONSOLE = "pgbouncer"
_MAY_CONNECT = b"""
select r.rolname as role, d.datname as database from pg_roles r cross join pg_database d
where r.rolcanlogin and d.datallowconn and has_database_privilege(r.oid, d.oid, 'connect')
"""


@dataclass(frozen=True, slots=True)
class Pool:
    """The server connections one user may have to one database through one pooler."""

    pooler: str
    database: str
    user: str
    mode: str
    size: int
    """Including the reserve."""
    in_use: bool = True
    """Whether anybody has come through it yet; one that is idle may be filled at any time."""

    @property
    def name(self) -> str:
        idle = "" if self.in_use else ", idle"
        return f"{self.user}@{self.database} in {self.pooler}{idle}"


@dataclass(frozen=True, slots=True)
class Pooling:
    """Every pool that there is or may be, and every backend of the application role, on every
    server."""

    pools: tuple[Pool, ...]
    """Those in use, and those that a configured database and a user who may connect to it can
    open at any time."""
    declared_modes: dict[str, str]
    """By pooler."""
    pooled_connections: int
    """Server connections that the pools may open, with each database's own limit."""
    replication_slots: int
    reserved_connections: int
    max_connections: int
    app_backends: int
    strays: tuple[str, ...]
    """Application backends that neither a pooler nor a declared client opened."""

    @property
    def of_other_mode(self) -> list[str]:
        """Pools of another mode than their pooler is declared with, with theirs."""
        return [
            f"{p.name} ({p.mode})" for p in self.pools if p.mode != self.declared_modes[p.pooler]
        ]

    @property
    def wanted_percent(self) -> float:
        """What could be taken at once, of max_connections."""
        wanted = self.pooled_connections + self.replication_slots + self.reserved_connections
        return 100.0 * wanted / self.max_connections


@dataclass(frozen=True, slots=True)
class Burst:
    """Many clients of one pooler, all with a short query at the same moment."""

    pooler: str
    clients: int
    served: int
    errors: dict[str, int]
    longest_wait_s: float
    """From sending the query to its answer."""
    pool_size: int
    """Without the reserve, which is taken only once somebody has waited."""
    reserve: int
    most_server_connections: int

    @property
    def capacity(self) -> int:
        """Server connections that the pool may open, its reserve included."""
        return self.pool_size + self.reserve

    @property
    def failures(self) -> list[str]:
        """What clients got instead of an answer, and how often."""
        return [f"{error} ({count} times)" for error, count in self.errors.items()]

    def __str__(self) -> str:
        return f"{self.clients} clients of {self.pooler}"


@probe()
def pooling(env: Environment) -> Pooling:
    """Poolers' pools and limits, used and idle, and who holds the application role's backends."""
    _some_pooler(env)
    with connect(env, env.postgres.primary) as db:
        limits = one(
            db,
            "select current_setting('max_connections')::int as most,"
            " current_setting('superuser_reserved_connections')::int"
            " + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved,"
            " (select count(*) from pg_replication_slots) as slots",
        )
        may = {(str(row.role), str(row.database)) for row in db.execute(_MAY_CONNECT).fetchall()}
    pools: list[Pool] = []
    total = 0
    for pooler in env.postgres.poolers:
        with _console(env, pooler) as console:
            configured = _configured(console)
        of_pooler = pools_of(configured, pooler.name, _standbys(env), may)
        pools += of_pooler
        total += connections(configured, of_pooler)
    backends, strays = _application_backends(env)
    return Pooling(
        pools=tuple(pools),
        declared_modes={p.name: p.pool_mode for p in env.postgres.poolers},
        pooled_connections=total,
        replication_slots=limits.slots,
        reserved_connections=limits.reserved,
        max_connections=limits.most,
        app_backends=backends,
        strays=strays,
    )


@probe(effect="load", limit="drill")
def pool_bursts(env: Environment) -> tuple[Burst, ...]:
    """A burst of synthetic clients through each pooler, watched on its console."""
    _some_pooler(env)
    if not env.postgres.burst_user or env.postgres.burst_password is None:
        raise ProbeError(
            "a burst of clients",
            "postgres.burst_user and postgres.burst_password are not declared",
            "make a role that may only log in, let the poolers know it, and declare it in"
            f" {env.source or 'the environment file'}",
        )
    return tuple(_burst(env, pooler) for pooler in env.postgres.poolers)


def _burst(env: Environment, pooler: Pooler) -> Burst:
    user = env.postgres.burst_user
    watcher = _Watcher(env, pooler, user)
    with watcher:
        served, errors, longest_s = asyncio.run(_clients(env, pooler))
    return Burst(
        pooler=pooler.name,
        clients=env.postgres.burst_clients,
        served=served,
        errors=dict(errors),
        longest_wait_s=longest_s,
        pool_size=watcher.size,
        reserve=watcher.reserve,
        most_server_connections=watcher.most,
    )


async def _clients(env: Environment, pooler: Pooler) -> tuple[int, Counter[str], float]:
    """Log every client in, then send all their queries at once: served, errors, longest wait."""
    import psycopg

    assert env.postgres.burst_password is not None
    password = env.postgres.burst_password.reveal()
    number = env.postgres.burst_clients
    errors: Counter[str] = Counter()
    waits: list[float] = []
    everybody_in = asyncio.Event()
    logging_in = asyncio.Semaphore(_CONNECTING)
    arrived = 0

    async def client() -> None:
        nonlocal arrived
        connection = None
        try:
            async with logging_in:
                connection = await psycopg.AsyncConnection.connect(
                    host=pooler.host,
                    port=pooler.port,
                    dbname=env.postgres.database,
                    user=env.postgres.burst_user,
                    password=password,
                    sslmode=env.postgres.sslmode,
                    sslrootcert=env.postgres.sslrootcert or None,
                    application_name=f"{APPLICATION_NAME}-burst",
                    connect_timeout=max(2, round(env.time_limits.connect)),
                    autocommit=True,
                    prepare_threshold=None,
                )
        except psycopg.Error as e:
            errors[_said(e)] += 1
        finally:
            arrived += 1
            if arrived == number:
                everybody_in.set()
        if connection is None:
            return
        async with connection:
            await everybody_in.wait()
            sent = time.perf_counter()
            try:
                cursor = await connection.execute("select 1 from pg_sleep(%s)", [BURST_HOLD_S])
                row = await cursor.fetchone()
                if row is None or row[0] != 1:
                    errors[f"SELECT 1 answered {row}"] += 1
                    return
            except psycopg.Error as e:
                errors[_said(e)] += 1
            else:
                waits.append(time.perf_counter() - sent)

    await asyncio.gather(*(client() for _ in range(number)))
    return len(waits), errors, max(waits, default=0.0)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Watcher:
    """Reads a pooler's console while a burst runs: the most server connections of a user."""

    def __init__(self, env: Environment, pooler: Pooler, user: str) -> None:
        self._env, self._pooler, self._user = env, pooler, user
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._error: ProbeError | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True, name="burst-watcher")
        self.size = self.reserve = self.most = 0

    def __enter__(self) -> _Watcher:
        self._thread.start()
        self._ready.wait()
        self._raise()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        try:
            with _console(self._env, self._pooler) as console:
                database = self._env.postgres.database
                of_database = next(
                    (d for d in _show(console, "databases") if d["name"] == database), None
                )
                self._ready.set()
                while not self._stop.wait(_WATCH_S):
                    self._count(console, database)
                if of_database is None:  # a pooler for any database knows it from its first use
                    of_database = next(
                        d for d in _show(console, "databases") if d["name"] == database
                    )
                self.size = int(of_database["pool_size"])
                self.reserve = _reserve(of_database)
        except ProbeError as e:
            self._error = e
        finally:
            self._ready.set()

    def _count(self, console: Connection, database: str) -> None:
        for pool in _show(console, "pools"):
            if (pool["database"], pool["user"]) == (database, self._user):
                servers = sum(
                    int(value)
                    for key, value in pool.items()
                    if key.startswith("sv_") and value is not None
                )
                self.most = max(self.most, servers)


def members(env: Environment) -> list[str]:
    """The declared poolers whose consoles answer."""
    found = []
    for pooler in env.postgres.poolers:
        with suppress(ProbeError), _console(env, pooler) as console:
            _show(console, "version")
            found.append(pooler.name)
    return found


def _some_pooler(env: Environment) -> None:
    if not env.postgres.poolers:
        raise ProbeError(
            "connection pooling",
            "postgres.poolers declares none",
            f"declare every pooler in {env.source or 'the environment file'}",
        )


def _console(env: Environment, pooler: Pooler) -> Any:
    """A pooler's admin console."""
    return connect(
        env,
        pooler,
        user=pooler.admin_user,
        password=pooler.admin_password,
        database=_CONSOLE,
        behind_pooler=True,
    )


def _show(console: Connection, what: str) -> list[Row]:
    """Rows of a SHOW command by column name; columns differ between versions."""
    cursor = console.execute(f"show {what}".encode())
    columns = [c.name for c in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _reserve(database: dict[str, Any]) -> int:
    # Called reserve_pool until 1.23 and reserve_pool_size since.
    return int(database.get("reserve_pool_size", database.get("reserve_pool")) or 0)


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Configured:
    """What a pooler's console shows: rows by column name."""

    databases: list[Row]
    pools: list[Row]
    users: list[Row]
    mode: str
    """Of pools whose database and user say nothing else."""


def _configured(console: Connection) -> Configured:
    settings = {row["key"]: row["value"] for row in _show(console, "config")}
    return Configured(
        _show(console, "databases"),
        _show(console, "pools"),
        _show(console, "users"),
        str(settings.get("pool_mode") or "session"),
    )


def _standbys(env: Environment) -> set[tuple[str, int]]:
    return {(n.host, n.port) for n in env.postgres.standbys}


def pools_of(
    seen: Configured,
    pooler: str,
    standbys: set[tuple[str, int]],
    may_connect: set[tuple[str, str]],
) -> list[Pool]:
    """The pools of a pooler: those in use, and the idle ones that may be opened at any time.

    :param standbys: addresses whose pools take connections of another server.
    :param may_connect: roles and databases of the primary that they may connect to: a user that
        is none there, as the console's own, can fill no pool.
    """
    databases = {
        d["name"]: d
        for d in seen.databases
        if d["name"] != _CONSOLE and (d["host"], int(d["port"] or 0)) not in standbys
    }
    users = {u["name"]: u for u in seen.users}
    used = {
        (p["database"], p["user"]): str(p["pool_mode"])
        for p in seen.pools
        if p["database"] in databases
    }
    pools = dict(used)
    for name, database in databases.items():
        if int(database.get("disabled") or 0):
            continue
        forced = database.get("force_user")
        for user in [forced] if forced else users:
            if (user, database["database"]) in may_connect and (name, user) not in pools:
                of_user = users.get(user, {}).get("pool_mode")
                pools[name, user] = str(of_user or database.get("pool_mode") or seen.mode)
    return [
        Pool(
            pooler=pooler,
            database=name,
            user=user,
            mode=mode,
            size=_size(databases[name], users.get(user, {})),
            in_use=(name, user) in used,
        )
        for (name, user), mode in pools.items()
    ]


def _size(database: Row, user: Row) -> int:
    """Of a user's pool in a database, with the reserve; the user's own limits are since 1.24."""
    size = int(user.get("pool_size") or 0) or int(database["pool_size"])
    reserve = int(user.get("reserve_pool_size") or 0) or _reserve(database)
    most = int(user.get("max_user_connections") or 0)
    return min(size + reserve, most) if most else size + reserve


def connections(seen: Configured, pools: list[Pool]) -> int:
    """What the pools may open together: each database's own limit caps its pools."""
    caps = {d["name"]: int(d["max_connections"] or 0) for d in seen.databases}
    wanted: Counter[str] = Counter()
    for pool in pools:
        wanted[pool.database] += pool.size
    return sum(min(n, caps.get(name) or n) for name, n in wanted.items())


def _application_backends(env: Environment) -> tuple[int, tuple[str, ...]]:
    """How many backends the application role has on all servers, and which are strays.

    A backend belongs to a pooler that names its process among the server connections it holds:
    an address would not tell two programs of one machine apart. Connections come and go between
    two looks, so a stray is one that neither a look before nor one after knows.
    """
    before = _held(env)
    backends = [
        (node, row)
        for node in env.postgres.nodes
        for row in _backends_on(env, node)
        if str(row.client or "") not in env.postgres.app_clients
    ]
    held = before | _held(env)
    strays = Counter(
        f"{row.application_name or 'unnamed'} from {row.client or 'a local socket'} on {node.name}"
        for node, row in backends
        if row.pid not in held
    )
    names = tuple(f"{name} ({n})" if n > 1 else name for name, n in sorted(strays.items()))
    return len(backends), names


def _backends_on(env: Environment, node: Any) -> list[Any]:
    with connect(env, node) as db:
        return db.execute(
            "select pid, application_name, host(client_addr) as client"
            " from pg_stat_activity where usename = %s and backend_type = 'client backend'"
            # Where this suite has the application's role, its own connections are none of it.
            " and not (usename = current_user and application_name = %s)",
            [env.postgres.app_role, APPLICATION_NAME],
        ).fetchall()


def _held(env: Environment) -> set[int]:
    """Processes on the servers' side of the connections that poolers hold."""
    held: set[int] = set()
    for pooler in env.postgres.poolers:
        with _console(env, pooler) as console:
            held.update(int(server["remote_pid"] or 0) for server in _show(console, "servers"))
    return held
