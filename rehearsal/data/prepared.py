"""Prepared data: what every rehearsal begins with, made once and kept beneath ``.parts``.

    .parts/prepared/DIGEST/     laid out like a rehearsal's folder
        data/postgres-primary/  the migrated, seeded, analysed cluster, cleanly stopped
        backups/                two full backups of that very cluster, taken by the backup job
        wal-archive/            its WAL from the first backup up to where it was stopped
        secrets/                passwords of its roles, and of the seeded accounts
        migrations.jsonl        log of the migrations that made its schema

The digest covers whatever this is made of. A rehearsal's primary goes on where this cluster was
stopped, on the same timeline, so that the backups and the archive are its own. Half a day later
backups and statistics are made again, so that neither is ever near the 24 h it may be old.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rehearsal.data import backups
from rehearsal.kernel import binaries, ports
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import disk_full, write_secret
from rehearsal.kernel.world import DATABASE, OWNER_ROLE, PROJECT, Rehearsal
from rehearsal.parts import Child
from rehearsal.parts.data import postgres as pg

APPOINTMENTS = 200_000
FOLDER = binaries.PARTS / "prepared"
KEPT = 3
RENEW_H = 12
"""Half of what a full backup, or the planner's statistics, may be old."""
SEGMENTS = 6
"""Between the two backups, which make five more; the copy in another region has to hold ten."""
SEGMENT_MB = 1  # the smallest there is: a switch archives and copies whole segments
ACCOUNT = "account"
_PRIMARY, _STANDBY = "postgres-primary", "postgres-standby"

EACH_TABLE = """
do $$ declare name text; begin
for name in select tablename from pg_tables where schemaname = 'public' loop
    execute format('alter table public.%I {}', name); end loop; end $$
"""
# The cluster is thrown away if making it does not end well.
QUICK = {
    **{key: pg.SETTINGS[key] for key in ("listen_addresses", "unix_socket_directories", "jit")},
    "fsync": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "512MB",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def today() -> date:
    """The day the synthetic data is laid around, in UTC: visits before it are over and paid for.

    A day of its own for each day: laid around a day of last week, the visits of last week would
    be without payments, which the planner cannot know.
    """
    return datetime.now(UTC).date()


def lay_out(r: Rehearsal) -> None:
    """Give a new rehearsal its data: primary, standby, backups, archive, passwords, log.

    Makes the prepared data first where there is none or it is too old.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = FOLDER / _digest()
        if not _is_fresh(folder):
            _make(r, folder)
        os.utime(folder)
        fcntl.flock(lock, fcntl.LOCK_SH)
        prepared = Rehearsal(folder)
        for secret in (*pg.ROLES, ACCOUNT):
            write_secret(r.path("secrets", secret), prepared.secret(secret))
        shutil.copy(prepared.migration_log, r.migration_log)
        with ThreadPoolExecutor() as pool:
            cluster = prepared.data(_PRIMARY)
            done = [
                pool.submit(copy_tree, cluster, r.data(_PRIMARY)),
                pool.submit(_lay_out_standby, cluster, r.data(_STANDBY)),
                pool.submit(copy_tree, pg.archive_folder(prepared), pg.archive_folder(r)),
                pool.submit(_lay_out_backups, prepared, r),
            ]
            for one in done:
                one.result()


def pack(r: Rehearsal) -> None:
    """Give a rehearsal its backups as one file each, for whoever uploads them; they are packed
    once. Apart from `lay_out`, as the database need not wait for it."""
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = FOLDER / _digest()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: _pack(folder / "backups" / one.id, one), backups.known(r)))


def _pack(prepared: Path, backup: backups.Backup) -> None:
    # Midnight may have passed since, with other prepared data: it is packed when it is uploaded.
    if prepared.is_dir():
        file = backups.pack(prepared)
        target = Path(backup.path).with_name(file.name)
        target.unlink(missing_ok=True)
        copy_tree(file, target, link=True)


def _lay_out_standby(cluster: Path, data: Path) -> None:
    copy_tree(cluster, data)
    # The slot is the primary's; here it would keep WAL for nobody.
    shutil.rmtree(data / "pg_replslot")
    (data / "pg_replslot").mkdir(mode=0o700)


def _lay_out_backups(prepared: Rehearsal, r: Rehearsal) -> None:
    # A backup is never written to again, so its files may be the same ones.
    copy_tree(prepared.path("backups"), r.path("backups"), link=True)
    for backup in backups.known(r):
        backups.record(r, replace(backup, path=str(r.path("backups", backup.id))))


# -- making it ---------------------------------------------------------------------------------


def _digest() -> str:
    """Changes with whatever the prepared data is made of."""
    made_of = hashlib.sha256()
    app = PROJECT / "rehearsal" / "app"
    files = [path for path in sorted((app / "migrations").rglob("*")) if path.suffix != ".pyc"]
    files += [app / name for name in ("migrate.py", "seed.py", "shapes.py")]
    for path in (*filter(Path.is_file, files), Path(__file__)):
        made_of.update(path.name.encode() + path.read_bytes())
    server = binaries.find("postgres")
    settings = (pg.SETTINGS, pg.HBA, pg.ROLES, pg.ROLES_SQL, pg.GRANTS_SQL, pg.VERSION)
    record = [field.name for field in dataclasses.fields(backups.Backup)]
    made_of.update(repr((server.path, server.version, settings, record, today())).encode())
    return made_of.hexdigest()[:16]


def _is_fresh(folder: Path) -> bool:
    """Whether it is there, with a newest backup of the last half day."""
    if not folder.exists():
        return False
    newest = datetime.fromisoformat(backups.known(Rehearsal(folder))[-1].finished_at)
    return datetime.now(UTC) - newest < timedelta(hours=RENEW_H)


def _make(r: Rehearsal, folder: Path) -> None:
    kept = sorted(FOLDER.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT - 1 :]:
        if path != folder:
            shutil.rmtree(path)
    unfinished = Rehearsal(folder.with_name(f".{folder.name}.new"))
    shutil.rmtree(unfinished.folder, ignore_errors=True)
    try:
        if folder.exists():
            _take_over(Rehearsal(folder), unfinished)
            _back_up(r, unfinished, "analyze")
        else:
            _seed(r, unfinished)
            _back_up(r, unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.folder.replace(folder)
    except BaseException:
        shutil.rmtree(unfinished.folder, ignore_errors=True)
        raise


def _take_over(old: Rehearsal, new: Rehearsal) -> None:
    """Cluster, passwords and log of data whose backups have become old."""
    copy_tree(old.data(_PRIMARY), new.data(_PRIMARY))
    copy_tree(old.path("secrets"), new.path("secrets"))
    shutil.copy(old.migration_log, new.migration_log)


def _seed(r: Rehearsal, made: Rehearsal) -> None:
    """A new cluster with roles, schema and synthetic data."""
    data = made.data(_PRIMARY)
    data.mkdir()
    made.folder.chmod(0o711)
    binaries.give_away(data)
    r.tool(
        "initdb",
        *("-D", data, "-U", "postgres", "--data-checksums", "--encoding=UTF8", "--locale=C"),
        *("--auth=trust", "--no-sync", f"--wal-segsize={SEGMENT_MB}"),
    )
    port = r.port("postgres-build")
    write_secret(made.path("secrets", ACCOUNT), secrets.token_hex(12))
    words = ["-D", str(data), "-p", str(port)]
    words += [word for key, value in QUICK.items() for word in ("-c", f"{key}={value}")]
    with _server(r, words):
        _fill(r, made, port)
    _tidy(r, data)


def _fill(r: Rehearsal, made: Rehearsal, port: int) -> None:
    def run(database: str, sql: str) -> None:
        where = f"host=127.0.0.1 port={port} user=postgres dbname={database}"
        import psycopg  # see Database.connect

        with psycopg.connect(where, autocommit=True) as connection:
            for statement in filter(str.strip, sql.split(";\n")):
                connection.execute(statement.encode())

    def up() -> bool:
        run("postgres", "select 1")
        return True

    r.wait("the server that the data is prepared on accepts connections", up, within_s=20)
    run("postgres", pg.ROLES_SQL)
    run("postgres", pg.passwords(made))
    run(DATABASE, pg.GRANTS_SQL)
    url = f"postgresql://{OWNER_ROLE}@127.0.0.1:{port}/{DATABASE}"
    log = {"MIGRATION_LOG": str(made.migration_log)}
    pg.app_command(r, url, "migrate", "--to", pg.VERSION, environment=log)
    # Foreign-key triggers would take half of the time; that the seed's rows belong together is
    # shown by the application's own tests.
    run(DATABASE, EACH_TABLE.format("disable trigger all"))
    run(DATABASE, EACH_TABLE.format("enable trigger user"))
    pg.app_command(
        r,
        url,
        *("seed", "--appointments", str(APPOINTMENTS), "--today", today().isoformat()),
        "--no-vacuum",
        environment={"SEED_PASSWORD": made.secret(ACCOUNT)},
    )
    run(DATABASE, EACH_TABLE.format("enable trigger all"))
    # Or the first who read a page would have to mark its rows as committed, into the WAL.
    run(DATABASE, "vacuum (freeze, analyze)")
    run(DATABASE, "checkpoint")


def _back_up(r: Rehearsal, made: Rehearsal, first: str = "") -> None:
    """Two full backups with WAL between them, on the server as a rehearsal runs it, after a
    first statement."""
    server, data = pg.Primary(), made.data(_PRIMARY)
    ports.tell(made.folder, {_PRIMARY: r.port("postgres-build")})
    server.prepare(made)
    with _server(r, [*server.command(made)[1:], "-c", "fsync=off"]):
        r.wait("the prepared server accepts connections", lambda: server.ready(made), within_s=20)
        # An older slot would keep all WAL since.
        made.primary.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
        if first:
            made.primary.sql(first)
        backups.take(made)
        for _ in range(SEGMENTS):
            pg.next_segment(made.primary)
        backups.take(made)
        made.primary.sql("select pg_create_physical_replication_slot(%s, true)", [pg.SLOT])
    _tidy(r, data)


@contextmanager
def _server(r: Rehearsal, words: Sequence[str]) -> Iterator[None]:
    """A PostgreSQL server that ends with this block, cleanly unless it fails."""
    found = binaries.find("postgres")
    child = Child(
        name="postgres-build",
        argv=[str(found.path), *words],
        log=r.log("postgres-build"),
        unprivileged=True,
    )
    with child.log.open("ab") as log:
        process = subprocess.Popen(
            child.words(),
            env={**os.environ, **found.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _tidy(r: Rehearsal, data: Path) -> None:
    """Remove what every copy would carry along: statements that are not the application's, and
    the WAL segments kept for reuse (the seed leaves 250 MB)."""
    (data / "pg_stat" / "pg_stat_statements.stat").unlink(missing_ok=True)
    reported = r.tool("pg_controldata", "-D", data).stdout
    [last] = re.findall(r"REDO WAL file:\s+([0-9A-F]{24})", reported)
    for segment in (data / "pg_wal").iterdir():
        if re.fullmatch(r"[0-9A-F]{24}", segment.name) and segment.name > last:
            segment.unlink()


def copy_tree(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy a folder, sharing blocks where the file system can. With `link` the copy's files are
    the source's own where both lie on one file system."""
    unfinished = target.with_name(f".{target.name}.new")
    ways = [["-l"]] if link else []
    ways.append(["--reflink=auto"] if sys.platform == "linux" else [])
    for way in ways:
        shutil.rmtree(unfinished, ignore_errors=True)
        done = subprocess.run(
            ["cp", "-a", *way, str(source), str(unfinished)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            unfinished.replace(target)
            return
    shutil.rmtree(unfinished, ignore_errors=True)
    if "No space left" in done.stderr:
        raise RehearsalError(disk_full(f"The copy to {target}", target.parent))
    raise RehearsalError(f"{source} could not be copied: {done.stderr.strip()[-400:]}")
