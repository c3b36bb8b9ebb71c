"""Drills on copies: restore a backup, serve from it, migrate it, roll it back, throw it away.

A copy is a scratch PostgreSQL in `<folder>/scratch/NAME`. Its processes belong to the
supervisor, so `down` ends them, whoever made them. Passwords are those of the live cluster.

Settings a fault may override, on `drills`: `ignore_target` (recover to the end whatever is
asked for), `replays` (False: the backup is started as it is), `after_restore` and
`after_migration` (SQL that is run on the copy then), `copied_release` (the release that a copy is
brought to), `rollback_delay_s`, `served_faults` (orders to the application on a copy),
`after_restore_of` (as `after_restore`, by the copy's name), `migration_log` (False: migrations
write none).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rehearsal.data import backup_encryption, backup_failures, backups, release
from rehearsal.data.prepared import copy_tree
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import read_state, tail, write_atomically
from rehearsal.kernel.world import APP_ROLE, DATABASE, OWNER_ROLE, SCRATCH_NICENESS, Rehearsal
from rehearsal.parts import Child, Endpoints
from rehearsal.parts.data.postgres import app_command, archive_folder, quoted, shell_quoted
from rehearsal.parts.observe.prometheus import status
from rehearsal.parts.platform.app import FAULTS_FILE, LOADS, app_environment

KNOWN_ROW = """
select 'appointments ' || id as key from appointments
where created_at < %(before)s order by created_at desc, id desc limit 1"""
SLOTS = 8
"""Scratch instances at a time. Each slot has two ports that are used again and again."""
RESTORE_WITHIN_S = 600.0
SERVE_WITHIN_S = 20.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Copy:
    """A scratch instance."""

    name: str
    host: str
    port: int
    slot: int
    data_directory: str
    backup: str
    log: str

    @property
    def postgres(self) -> str:
        """Name of its server among the supervisor's processes."""
        return f"scratch-{self.name}"

    @property
    def app(self) -> str:
        """Name of the application on it among the supervisor's processes."""
        return f"scratch-{self.name}-app"


# -- restore and discard -----------------------------------------------------------------------


def restore(
    r: Rehearsal,
    backup: str,
    name: str,
    *,
    target_lsn: str | None = None,
    target_time: str | None = None,
    inclusive: bool = True,
) -> dict[str, Any]:
    """Restore a backup and the archived WAL into a new scratch instance, up to a target or,
    without one, to the end of the archive; wait until it accepts writes.

    Raises RehearsalError, with nothing left behind, when the target is not reached.
    """
    began = time.monotonic()
    source = backups.get(r, backup)
    copy = _new(r, source, name)
    try:
        data = Path(copy.data_directory)
        copy_tree(Path(source.path), data)
        target = {}
        if not r.setting("drills", "ignore_target", False):
            wanted = {"recovery_target_lsn": target_lsn, "recovery_target_time": target_time}
            target = {key: value for key, value in wanted.items() if value}
        _configure(r, copy, target, inclusive=inclusive)
        pid = r.run(_server(copy))
        timeline = _await(r, copy, pid)
        _then(r, copy, "after_restore")
    except BaseException:
        discard(r, name)
        raise
    return {
        **asdict(copy),
        "dsn": dsn(copy),
        "seconds": round(time.monotonic() - began, 3),
        "timeline": timeline,
    }


def discard(r: Rehearsal, name: str) -> dict[str, Any]:
    """End a scratch instance and all that runs on it, and remove it; none is no failure."""
    folder = _folder(r, name)
    there = folder.exists()
    for process in (f"scratch-{name}-app", f"scratch-{name}"):
        if process in r.running():
            r.stop(process)
    shutil.rmtree(folder, ignore_errors=True)
    return {"name": name, "discarded": there}


def known(r: Rehearsal, name: str) -> Copy:
    """The scratch instance of that name. Raises RehearsalError where there is none."""
    try:
        return Copy(**json.loads((_folder(r, name) / "copy.json").read_text()))
    except FileNotFoundError:
        have = sorted(path.parent.name for path in r.path("scratch", "x").parent.glob("*/*.json"))
        raise RehearsalError(
            f"There is no copy {name!r}; there are {', '.join(have) or 'none'}. "
            "`python -m rehearsal restore` makes one."
        ) from None


def dsn(copy: Copy, role: str = "postgres") -> str:
    """libpq connection string without a password."""
    return f"host={copy.host} port={copy.port} dbname={DATABASE} user={role} sslmode=require"


def url(r: Rehearsal, copy: Copy, role: str) -> str:
    """Connection URL of a role, with its password."""
    where = f"{copy.host}:{copy.port}/{DATABASE}?sslmode=require"
    return f"postgresql://{role}:{r.secret(role)}@{where}"


def _folder(r: Rehearsal, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise RehearsalError(
            f"{name!r} is no name for a copy; expected up to 40 of a-z, 0-9 and -."
        )
    return r.path("scratch", name)


def _new(r: Rehearsal, source: backups.Backup, name: str) -> Copy:
    folder = _folder(r, name)
    with _alone(r):
        if folder.exists():
            raise RehearsalError(
                f"There is a copy {name!r} already. `python -m rehearsal discard {name}` ends it."
            )
        taken = {json.loads(path.read_text())["slot"] for path in folder.parent.glob("*/copy.json")}
        free = [slot for slot in range(1, SLOTS + 1) if slot not in taken]
        if not free:
            raise RehearsalError(f"There are {SLOTS} copies already. Discard one.")
        copy = Copy(
            name=name,
            host="127.0.0.1",
            port=r.port(f"scratch-{free[0]}"),
            slot=free[0],
            data_directory=str(folder / "data"),
            backup=source.id,
            log=str(folder / "postgres.log"),
        )
        write_atomically(folder / "copy.json", json.dumps(asdict(copy)))
    return copy


@contextmanager
def _alone(r: Rehearsal) -> Iterator[None]:
    with r.path("scratch", ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _configure(r: Rehearsal, copy: Copy, target: dict[str, str], *, inclusive: bool) -> None:
    data, live = Path(copy.data_directory), r.data("postgres-primary")
    archive = shell_quoted(str(archive_folder(r))).replace("%", "%%")
    settings = {
        "port": str(copy.port),
        "cluster_name": copy.postgres,
        "archive_mode": "off",  # the copy's new timeline has no place in the live archive
        "primary_conninfo": "",
        "primary_slot_name": "",
        # A backup may be older than the rehearsal, and carry another certificate.
        "ssl_cert_file": str(live / "server.pem"),
        "ssl_key_file": str(live / "server.key"),
        "restore_command": f'cp {archive}/%f "%p"',
        "recovery_target_action": "promote",
        "shared_buffers": "64MB",
        **target,
    }
    if target:
        settings["recovery_target_inclusive"] = "on" if inclusive else "off"
    # Later lines win, so what the live cluster says stays below.
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{key} = {quoted(value)}\n" for key, value in settings.items())
    (data / "standby.signal").unlink(missing_ok=True)
    if r.setting("drills", "replays", True):
        (data / "recovery.signal").touch()
    data.chmod(0o700)
    binaries.give_away(data)


def _server(copy: Copy) -> Child:
    found = binaries.find("postgres")
    return Child(
        name=copy.postgres,
        argv=[str(found.path), "-D", copy.data_directory],
        log=Path(copy.log),
        environment=found.environment,
        # What is thrown away needs no checkpoint.
        stop_signal=signal.SIGQUIT,
        death_signal=signal.SIGQUIT,
        unprivileged=True,
    )


def _await(r: Rehearsal, copy: Copy, pid: int) -> int:
    """Wait until the copy has left recovery; its timeline."""

    def promoted() -> bool:
        if not _alive(pid):
            raise RehearsalError(
                f"The recovery of {copy.backup} into {copy.name!r} ended before it was done. "
                f"Its log ends:\n{tail(Path(copy.log))}"
            )
        return _ask(r, copy, "select not pg_is_in_recovery()") is True

    r.wait(f"{copy.name!r} has left recovery", promoted, within_s=RESTORE_WITHIN_S)
    return int(_ask(r, copy, "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"), 16)


def _ask(r: Rehearsal, copy: Copy, query: str) -> Any:
    import psycopg  # see Database.connect

    with psycopg.connect(dsn(copy), password=r.secret("postgres"), connect_timeout=5) as one:
        row = one.execute(query.encode()).fetchone()
    return row[0] if row else None


def _then(r: Rehearsal, copy: Copy, when: str) -> None:
    """Run the SQL that a fault has for then."""
    of_this_one = r.setting("drills", f"{when}_of", {}).get(copy.name, "")
    if wanted := str(r.setting("drills", when, "") or of_this_one):
        import psycopg

        where = dsn(copy)
        with psycopg.connect(where, password=r.secret("postgres"), autocommit=True) as one:
            one.execute(wanted.encode())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- the application and its migrations on a copy ----------------------------------------------


def serve(r: Rehearsal, name: str, version: str) -> dict[str, Any]:
    """Start the application in a version on the copy. Raises RehearsalError when it does not
    answer."""
    copy = known(r, name)
    if copy.app in r.running():
        r.stop(copy.app)
    port = r.port(f"scratch-{copy.slot}-app")
    log = _folder(r, name) / "app.log"
    environment = app_environment(r, url(r, copy, APP_ROLE))
    # A copy must not put its rows into the live cache, nor its visits into anybody's calendar.
    for shared in ("REDIS_URL", "REDIS_SENTINELS", "APP_FAULTS", "GOOGLE_CALENDAR_BARBER"):
        environment.pop(shared, None)
    environment |= _apart(r, copy)
    words = ["--port", str(port), "--instance", copy.app, "--version", version]
    command = [sys.executable, "-m", "rehearsal.app", "serve", "--host", "127.0.0.1", *words]
    child = Child(name=copy.app, argv=command, log=log, environment=environment, loads=LOADS)
    pid = r.run(child)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        if not _alive(pid):
            raise RehearsalError(
                f"The application {version} on {name!r} ended. Its log ends:\n{tail(log)}"
            )
        return status(f"{address}/health") == 200

    r.wait(f"the application on {name!r} answers", answers, within_s=SERVE_WITHIN_S)
    return {"url": address, "pid": pid, "version": version, "log": str(log)}


def _apart(r: Rehearsal, copy: Copy) -> dict[str, str]:
    """A cache of the copy's own, emptied, where it is to have one; faults of its application."""
    made = {}
    # What is wrong with the API's document is so wherever this version runs.
    live = {k: v for k, v in read_state(r.path(FAULTS_FILE)).items() if k == "api"}
    if faults := {**live, **r.setting("drills", "served_faults", {})}:
        path = _folder(r, copy.name) / FAULTS_FILE
        write_atomically(path, json.dumps(faults))
        made["APP_FAULTS"] = str(path)
    where = f"redis://:{r.secret('redis')}@127.0.0.1:{r.port('redis-primary')}/{copy.slot}"
    import redis

    with suppress(redis.RedisError):  # without Redis it works, only slower
        redis.Redis.from_url(where, socket_timeout=2).flushdb()
        made["REDIS_URL"] = where
    return made


def migrate(r: Rehearsal, name: str, to: str) -> dict[str, Any]:
    """Run the candidate's migrations on the copy up to a release. Raises RehearsalError."""
    return _move(r, name, "migrate", to)


def roll_back(r: Rehearsal, name: str, to: str) -> dict[str, Any]:
    """Run the candidate's downgrades on the copy back to a release. Raises RehearsalError."""
    time.sleep(float(r.setting("drills", "rollback_delay_s", 0)))
    return _move(r, name, "downgrade", to)


def _move(r: Rehearsal, name: str, command: str, to: str) -> dict[str, Any]:
    copy = known(r, name)
    environment = _used(r)
    if r.setting("drills", "migration_log", True):
        environment["MIGRATION_LOG"] = str(r.migration_log)
    began = time.monotonic()
    said = app_command(r, url(r, copy, OWNER_ROLE), command, "--to", to, environment=environment)
    document: dict[str, Any] = json.loads(said)
    if command == "migrate":
        _then(r, copy, "after_migration")
    return {
        **document,
        "name": name,
        "seconds": round(time.monotonic() - began, 3),
        "log": environment.get("MIGRATION_LOG", ""),
    }


def _archive_up_to_now(r: Rehearsal) -> None:
    """Have the archive hold what was just written. An archive that stands still is for others to
    complain of: the copy then is as old as it."""
    r.primary.sql("select pg_logical_emit_message(true, 'rehearsal', 'a copy of now')")
    [(segment,)] = r.primary.sql("select pg_walfile_name(pg_switch_wal())")
    with suppress(RehearsalError):
        r.wait(f"{segment} is archived", (archive_folder(r) / segment).exists, 3.0)


def copy_of(r: Rehearsal, name: str, tag: str) -> dict[str, Any]:
    """Restore the newest backup and bring it to the schema of a release, as production is before
    the launch. Raises RehearsalError, with nothing left behind.

    The application's own migrations do that, not the candidate's checkout: a downgrade that is
    broken there must not already have made the copy that it is tried on.
    """
    _archive_up_to_now(r)
    made = restore(r, "newest", name)
    try:
        tag = str(r.setting("drills", "copied_release", tag))
        head = release.heads().get(tag)
        standing = _ask(r, known(r, name), "select version_num from alembic_version")
        if head is None:
            raise RehearsalError(f"{tag!r} is no release of {release.repository(r)}.")
        if head != standing:
            command = "downgrade" if standing > head else "migrate"
            # Making the copy is not the run that is rehearsed, so it is not in the log.
            app_command(r, url(r, known(r, name), OWNER_ROLE), command, "--to", tag)
    except BaseException:
        discard(r, name)
        raise
    return made


def schema(r: Rehearsal, name: str) -> dict[str, Any]:
    """The copy's schema, by kind and name."""
    found: dict[str, Any] = json.loads(app_command(r, url(r, known(r, name), OWNER_ROLE), "schema"))
    return found


def _used(r: Rehearsal) -> dict[str, str]:
    return {"MIGRATIONS_DIR": str(release.migrations(r))}


def describe(r: Rehearsal, command: str) -> dict[str, Any]:
    """What the application says of the candidate's migrations: `heads` or `digest`."""
    said: dict[str, Any] = json.loads(app_command(r, "", command, environment=_used(r)))
    return said


# -- commands ----------------------------------------------------------------------------------

AddVerb = Callable[[str, Callable[[Rehearsal, Any], None], str], argparse.ArgumentParser]


def add_verbs(add: AddVerb) -> None:
    """Give `python -m rehearsal` the commands that an environment file names."""

    def verb(name: str, answer: Callable[[Rehearsal, Any], Any], text: str) -> Any:
        def work(r: Rehearsal, options: Any) -> None:
            os.nice(SCRATCH_NICENESS)
            tell(answer(r, options))

        return add(name, work, text)

    verb("backup", lambda r, _: asdict(backups.take(r)), "take a full backup")
    verb("backups", lambda r, _: [asdict(one) for one in backups.known(r)], "list full backups")
    verb("archive", lambda r, _: backups.archive(r), "the state of the WAL archive")
    verb("copy", lambda r, _: backups.copy(r), "bring backups and WAL to the second region")
    verify = verb("verify-backup", _verify, "check a backup's files against its manifest")
    verify.add_argument("backup", help="its id, or newest")
    backup_encryption.add_arguments(
        add("decrypt-backup", backup_encryption.decrypt, "open an object of the buckets")
    )
    made = verb("restore", _restore, "restore a backup into a scratch instance")
    made.add_argument("--backup", default="newest", help="id of a full backup, or newest")
    made.add_argument("--to", required=True, metavar="NAME", help="name of the copy")
    target = made.add_mutually_exclusive_group()
    target.add_argument("--target-lsn", metavar="LSN")
    target.add_argument("--target-time", metavar="TIME")
    until = made.add_mutually_exclusive_group()
    until.add_argument("--inclusive", dest="inclusive", action="store_true", default=True)
    until.add_argument("--exclusive", dest="inclusive", action="store_false")
    gone = verb("discard", lambda r, o: discard(r, o.name), "end and remove a scratch instance")
    gone.add_argument("name")
    served = verb(
        "serve-copy",
        lambda r, o: serve(r, o.name, o.version),
        "start the application on a scratch instance",
    )
    served.add_argument("--name", "--dsn-of", required=True)
    served.add_argument("--version", required=True)
    old = verb("copy-of", lambda r, o: copy_of(r, o.name, o.tag), "a copy at an earlier release")
    old.add_argument("--name", required=True)
    old.add_argument("--tag", required=True, metavar="RELEASE")
    shown = verb("schema-copy", lambda r, o: schema(r, o.name), "schema of a scratch instance")
    shown.add_argument("--name", required=True)
    for name, do, text in (
        ("induce", backup_failures.induce, "make backups fail in one way, without harm to them"),
        ("repair", backup_failures.repair, "take a failure of backups back"),
    ):
        failed = add(name, lambda r, o, do=do: do(r, o.mode), text)  # type: ignore[misc]
        failed.add_argument("--mode", required=True, choices=backup_failures.MODES)
    up = verb("migrate-copy", lambda r, o: migrate(r, o.name, o.to), "migrate a scratch instance")
    back = verb(
        "rollback-copy", lambda r, o: roll_back(r, o.name, o.to), "roll a scratch instance back"
    )
    for moved in (up, back):
        moved.add_argument("--name", required=True)
        moved.add_argument("--to", required=True, metavar="RELEASE")
    verb("heads", lambda r, _: describe(r, "heads"), "heads of the candidate's migrations")
    verb("digest", lambda r, _: describe(r, "digest"), "SHA-256 of the candidate's migrations")


def _verify(r: Rehearsal, options: Any) -> dict[str, Any]:
    backup = backups.get(r, options.backup)
    r.tool("pg_verifybackup", "--quiet", backup.path)
    return {"id": backup.id, "verified": True}


def _restore(r: Rehearsal, options: Any) -> dict[str, Any]:
    return restore(
        r,
        options.backup,
        options.to,
        target_lsn=options.target_lsn,
        target_time=options.target_time,
        inclusive=options.inclusive,
    )


def tell(document: Any) -> None:
    """Print a command's one JSON document."""
    print(json.dumps(document, indent=1))


def endpoints(r: Rehearsal) -> Endpoints:
    """The commands that an environment file names."""
    return {
        "backups": {
            "list_command": r.command("backups"),
            "verify_command": [*r.program("pg_verifybackup"), "{path}"],
            "restore_command": r.command(
                *("restore", "--backup", "{id}", "--to", "{name}"),
                *("--target-{kind}", "{target}", "--exclusive"),
            ),
            "discard_command": r.command("discard", "{name}"),
            "serve_command": r.command("serve-copy", "--name", "{name}", "--version", "{version}"),
            "decrypt_command": r.command(
                *("decrypt-backup", "--key", "{key}", "--meta", "{metadata}"),
                *("--region", "{region}", "--from", "-", "--to", "-"),
            ),
            "known_row": KNOWN_ROW,
            "full_key": "full/{id}.tar.gz",
        },
        "release": {
            "copy_command": r.command("copy-of", "--name", "{name}", "--tag", "{tag}"),
            "heads_command": r.command("heads"),
            "digest_command": r.command("digest"),
            "migrate_command": r.command("migrate-copy", "--name", "{name}", "--to", "{tag}"),
            "rollback_command": r.command("rollback-copy", "--name", "{name}", "--to", "{tag}"),
            "schema_command": r.command("schema-copy", "--name", "{name}"),
            "booking_service": "Haircut",
        },
    }
