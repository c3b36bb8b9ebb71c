"""A database cluster of a failover drill's own: two servers, a pooler, and the application twice.

Both servers begin as the prepared cluster did that the live ones began as, so that making them
puts no load on those. The processes belong to the supervisor, so `down` ends them.

Settings a fault may override, on `failover`: `fences` (False: the old primary goes on taking
writes), `promotes` (False: the standby stays one, and the command fails), `leads` (False: the
pooler stays with the old primary), `receives` (False: the standby receives nothing for a second
before it is promoted), `follows` (False: what is rebuilt follows nobody), `reads_from` (a server
that one instance is connected to), `restarts` (an instance that is started again with each
promotion).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from rehearsal.data import prepared
from rehearsal.data.drills import AddVerb, tell
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import tail, write_secret
from rehearsal.kernel.world import HOST, MONITOR_ROLE, SCRATCH_NICENESS, Database, Rehearsal
from rehearsal.parts import Child, Endpoints
from rehearsal.parts.data import pgbouncer
from rehearsal.parts.data import postgres as pg
from rehearsal.parts.observe.prometheus import status
from rehearsal.parts.platform.app import LOADS, app_environment, database_url

SERVERS = ("failover-db-1", "failover-db-2")
INSTANCES = ("failover-app-1", "failover-app-2")
SLOT = "failover"
WITHIN_S = 30.0
CUT_OFF_S = 1.0
"""How long a standby is cut off that acknowledged writes are to be lost of."""
SETTINGS = {"archive_mode": "off", "shared_buffers": "64MB", "primary_conninfo": ""}


class Server(pg.Server):
    """One of the two, as the live ones are configured but for what is said here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ready(self, r: Rehearsal) -> bool:
        Database(r, self.name).sql("select 1")
        return True

    def follow(self, r: Rehearsal, primary: str) -> None:
        """Configure it as a standby; of nobody where no primary is named."""
        data = r.data(self.name)
        settings = dict(SETTINGS)
        if primary:
            password = data / "replication.pgpass"
            role = pg.REPLICATION_ROLE
            write_secret(password, f"*:*:*:{role}:{r.secret(role)}")
            settings["primary_conninfo"] = (
                f"host={HOST} port={r.port(primary)} user={role} application_name={self.name}"
                f" sslmode=require passfile={pg.conninfo_quoted(password)}"
            )
            settings["primary_slot_name"] = SLOT
        (data / "standby.signal").touch()
        self.configure(r, settings)


class Pooler(pgbouncer.PgBouncer):
    """In front of whichever is the primary: the drill's note tells."""

    name = "failover-pooler"
    roles = (*pgbouncer.PgBouncer.roles, MONITOR_ROLE)

    def server_port(self, r: Rehearsal) -> int:
        return r.port(r.recall("failover")["primary"])


POOLER = Pooler()


# -- the cluster ---------------------------------------------------------------------------------


def start(r: Rehearsal) -> dict[str, Any]:
    """Start the cluster and wait until all of it answers. Raises RehearsalError, with nothing
    left behind."""
    end(r)
    first, second = map(Server, SERVERS)
    try:
        _lay_out(r)
        first.configure(r, SETTINGS)
        _run(r, first)
        _slot(r, first.name)
        second.follow(r, first.name)
        _run(r, second)
        r.remember("failover", {"primary": first.name})
        POOLER.prepare(r)
        r.run(POOLER.child(r))
        r.wait("the pooler answers", lambda: POOLER.ready(r), WITHIN_S)
        for name in INSTANCES:
            _serve(r, name)
    except BaseException:
        end(r)
        raise
    roles = dict(zip(SERVERS, ("primary", "standby"), strict=True))
    return {
        "nodes": [{**r.node(name), "role": role} for name, role in roles.items()],
        "endpoint": {"host": HOST, "port": r.port(POOLER.name)},
        "instances": [{"name": name, "url": r.url(name)} for name in INSTANCES],
    }


def end(r: Rehearsal) -> dict[str, Any]:
    """End whatever of the cluster runs, and remove its data; none is no failure."""
    running = r.running()
    ended = [n for n in (*INSTANCES, POOLER.name, *reversed(SERVERS)) if n in running]
    for name in ended:
        if name in SERVERS:  # what is thrown away needs no checkpoint
            _immediately(r, name)
        r.stop(name)
    for name in (*SERVERS, POOLER.name):
        shutil.rmtree(r.data(name), ignore_errors=True)
    r.forget("failover")
    return {"ended": ended}


def stop(r: Rehearsal, name: str) -> dict[str, Any]:
    """Stop a server as an operator would: all that it has acknowledged has been sent on."""
    r.stop(_known(name))
    return {"stopped": name}


def again(r: Rehearsal, name: str) -> dict[str, Any]:
    """Start a server again as it was; one that runs goes on."""
    if _known(name) not in r.running():
        _run(r, Server(name))
    return {"started": name}


def promote(r: Rehearsal, name: str) -> dict[str, Any]:
    """Have the standby take the primary's place. Raises RehearsalError.

    The old primary is stopped first, which ends its clients' sessions and waits until the
    standby has all WAL, and the pooler is led to the new one at the end.
    """
    old = r.recall("failover")["primary"]
    standby = Database(r, _known(name))
    if name == old:
        raise RehearsalError(f"{name} is the primary already.")
    if not r.setting("failover", "receives", True):
        standby.sql("alter system set primary_conninfo = ''")
        standby.sql("select pg_reload_conf()")
        time.sleep(CUT_OFF_S)
    if r.setting("failover", "fences", True):
        r.stop(old)
    if r.setting("failover", "promotes", True):
        if standby.sql("select pg_promote(wait_seconds => 20)") != [(True,)]:
            raise RehearsalError(f"{name} did not leave recovery. {_log(r, name)}")
        _slot(r, name)
    if r.setting("failover", "leads", True):
        r.remember("failover", {"primary": name})
        POOLER.prepare(r)
        _signal(r, POOLER.name, signal.SIGHUP)
    for instance in r.setting("failover", "restarts", []):
        r.stop(instance)
        _serve(r, instance)
    if not r.setting("failover", "promotes", True):
        raise RehearsalError(f"{name} could not be promoted.")
    return {"primary": name, "instead_of": old}


def rebuild(r: Rehearsal, name: str, primary: str) -> dict[str, Any]:
    """Make a server a standby with a new copy of the primary's data. Raises RehearsalError."""
    if _known(name) in r.running():
        _immediately(r, name)
        r.stop(name)
    server, data = Server(name), r.data(name)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    binaries.give_away(data)
    Database(r, _known(primary)).sql("checkpoint")  # or the copy waits for the promotion's own
    role = pg.REPLICATION_ROLE
    where = f"host={HOST} port={r.port(primary)} user={role} sslmode=require"
    r.tool(
        "pg_basebackup",
        *("-d", where, "-D", data, "--checkpoint=fast", "--no-sync", "--wal-method=stream"),
        environment={"PGPASSWORD": r.secret(role)},
    )
    follows = bool(r.setting("failover", "follows", True))
    (data / "postgresql.auto.conf").write_text("")  # what a fault has set on the primary
    server.follow(r, primary if follows else "")
    _run(r, server)
    if follows:
        streams = "select 1 from pg_stat_replication where state = 'streaming'"
        r.wait(f"{name} streams", lambda: bool(Database(r, primary).sql(streams)), WITHIN_S)
    return {"standby": name, "primary": primary}


# -- small tools ---------------------------------------------------------------------------------


def _lay_out(r: Rehearsal) -> None:
    """Give both servers the data that this rehearsal's own began with."""
    r.path("data", "x")
    with (prepared.FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        mine = [
            folder
            for folder in prepared.FOLDER.glob("[!.]*")
            if (folder / "secrets" / "postgres").read_text().strip() == r.secret("postgres")
        ]
        if not mine:
            raise RehearsalError(
                "The data that this rehearsal began with is not kept any more. Take it down and "
                "bring it up again."
            )
        for name in SERVERS:
            prepared.copy_tree(mine[0] / "data" / "postgres-primary", r.data(name))
    slots = r.data(SERVERS[1]) / "pg_replslot"  # the primary's alone
    shutil.rmtree(slots)
    slots.mkdir(mode=0o700)


def _known(name: str) -> str:
    if name not in SERVERS:
        raise RehearsalError(f"{name!r} is no server of the drill; it has {', '.join(SERVERS)}.")
    return name


def _run(r: Rehearsal, server: Server) -> None:
    r.run(server.child(r))
    try:
        r.wait(f"{server.name} accepts connections", lambda: server.ready(r), WITHIN_S)
    except RehearsalError as error:
        raise RehearsalError(f"{error} {_log(r, server.name)}") from None


def _slot(r: Rehearsal, name: str) -> None:
    """Give a server the one slot of its standby: the prepared cluster has another one's."""
    server = Database(r, name)
    server.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
    server.sql("select pg_create_physical_replication_slot(%s, true)", [SLOT])


def _serve(r: Rehearsal, name: str) -> None:
    through = str(r.setting("failover", "reads_from", {}).get(name, POOLER.name))
    environment = app_environment(r, database_url(r, through))
    # It must not put its rows into the live cache.
    for shared in ("REDIS_URL", "REDIS_SENTINELS", "APP_FAULTS"):
        environment.pop(shared, None)
    words = ["--host", HOST, "--port", str(r.port(name)), "--instance", name]
    command = [sys.executable, "-m", "rehearsal.app", "serve", *words]
    r.run(Child(name=name, argv=command, log=r.log(name), environment=environment, loads=LOADS))
    url = f"{r.url(name)}/api/v1/health/database"
    r.wait(f"{name} answers", lambda: status(url) == 200, WITHIN_S)


def _immediately(r: Rehearsal, name: str) -> None:
    _signal(r, name, signal.SIGQUIT)


def _signal(r: Rehearsal, name: str, number: signal.Signals) -> None:
    import psutil

    process = psutil.Process(r.running()[name])
    process.send_signal(number)


def _log(r: Rehearsal, name: str) -> str:
    return f"Its log ends:\n{tail(Path(r.log(name)))}"


# -- commands ------------------------------------------------------------------------------------


def add_verbs(add: AddVerb) -> None:
    """Give `python -m rehearsal` the commands that an environment file names."""

    def verb(name: str, text: str, answer: Any, *words: str) -> None:
        def work(r: Rehearsal, options: Any) -> None:
            os.nice(SCRATCH_NICENESS)
            tell(answer(r, *(getattr(options, word) for word in words)))

        made = add(name, work, text)
        for word in words:
            made.add_argument(f"--{word}", required=True, metavar="SERVER")

    verb("failover-cluster", "start a cluster for a failover drill", start)
    verb("failover-end", "end that cluster", end)
    verb("failover-stop", "stop one of its servers", stop, "name")
    verb("failover-start", "start one of its servers again", again, "name")
    verb("failover-promote", "make its standby the primary", promote, "name")
    verb("failover-rebuild", "make a server follow the primary", rebuild, "name", "primary")


def endpoints(r: Rehearsal) -> Endpoints:
    """The commands that an environment file names."""
    return {
        "failover": {
            "cluster_command": r.command("failover-cluster"),
            "end_command": r.command("failover-end"),
            "stop_command": r.command("failover-stop", "--name", "{node}"),
            "start_command": r.command("failover-start", "--name", "{node}"),
            "promote_command": r.command("failover-promote", "--name", "{node}"),
            "rebuild_command": r.command(
                "failover-rebuild", "--name", "{node}", "--primary", "{primary}"
            ),
        }
    }
