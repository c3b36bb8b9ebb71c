"""The migration between two releases and its rollback, tried on a restored copy."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.probes.backup.backups import Copy, scratch, serve
from golive.probes.data.cluster import system_identifier
from golive.probes.data.postgres import called, connect
from golive.probes.data.rows import (
    RowChanges,
    RowNotes,
    column_names,
    exists,
    identifier,
    share_percent,
    user_tables,
)
from golive.probes.data.tables import Integrity, Violations, broken_rows, integrity_of
from golive.probes.traffic.product import Customer, signed_in
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

BOOKINGS = 100
"""Bookings made in the candidate before it is rolled back."""
_SAMPLE_S = 0.2
_PAUSE_S = 0.1
Folders = str | list[str]
_BLOCKING = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
"""Lock modes of a table that hold up whoever writes to it, or even reads it."""


@dataclass(frozen=True, slots=True)
class Locks:
    """Locks on tables that held others up, sampled while something ran."""

    samples: int
    held_s: dict[str, float]
    """Longest time by table and mode; at most this long, since samples lie apart."""

    @property
    def longest_s(self) -> float:
        """The longest of all; 0 when no sample saw one."""
        return max(self.held_s.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class Migration:
    """The previous release's data brought to the candidate's schema, on a copy."""

    previous_tag: str
    tag: str
    rows_percent: dict[str, float]
    """Rows of the copy in percent of production's, by table."""
    heads: tuple[str, ...]
    expected_before: str
    """The previous release's own head."""
    expected_after: str
    version_before: str
    version_after: str
    failure: str
    """Why the command failed; empty when it did not."""
    duration_s: float
    revisions: tuple[str, ...]
    """Those that it applied."""
    rerun_failure: str
    rerun_changes: tuple[str, ...]
    """What a second run applied, or changed in the schema."""
    schema_parts: int | Unseen
    """Things that the candidate's declared schema names; unseen where none is declared."""
    schema_differences: tuple[str, ...] | Unseen
    locks: Locks
    requests: int
    """Requests to the previous release while the data was migrated under it."""
    refused: tuple[str, ...]
    digest: str
    """SHA-256 over the candidate's migrations as its tag has them."""
    digest_differences: tuple[str, ...]
    """Files in which what was run is not what the tag has."""
    rows: dict[str, RowChanges]
    """What became of the rows there were before, by table."""
    broken_before: dict[str, int]
    """Rows that broke each rule before the migration."""
    integrity: Integrity | None
    """Of the migrated copy; None when the migration failed."""

    @property
    def rules(self) -> tuple[Violations, ...]:
        """Rules over the data that were looked at on the migrated copy; none where it failed."""
        return self.integrity.rules if self.integrity else ()

    @property
    def newly_broken(self) -> list[str]:
        """Rules that more rows break than before."""
        return self.integrity.worse_than(self.broken_before) if self.integrity else []

    @property
    def rerun_effects(self) -> tuple[str, ...]:
        """What a second run did: why it failed, or what it changed."""
        return (self.rerun_failure,) if self.rerun_failure else self.rerun_changes


@dataclass(frozen=True, slots=True)
class Rollback:
    """The candidate's data taken back to the previous release's schema, on the same copy."""

    bookings: int
    """Made in the candidate before."""
    failure: str
    duration_s: float
    version_after: str
    schema_differences: tuple[str, ...]
    """From the schema before the migration."""
    older: dict[str, RowChanges]
    """Rows from before the migration, by table."""
    newer: dict[str, RowChanges]
    """Rows written since."""
    undeclared_losses: tuple[str, ...] | Unseen
    """Columns, as table.column, that are gone with what was in them, and that no list declares."""
    refused: tuple[str, ...]
    """What the previous release would not do on the data afterwards."""


@dataclass(frozen=True, slots=True)
class MigrationDrill:
    """Both, on one copy. ``rollback`` is None when it could not be tried, and why."""

    migration: Migration
    rollback: Rollback | None
    not_rolled_back: str


@dataclass(frozen=True, slots=True)
class CandidateMigrations:
    """The migrations under the candidate's tag as they are now."""

    tag: str
    digest: str
    """SHA-256 over names and sums, as a drill's."""
    system_identifier: str | Unseen
    """Of the live cluster that they are meant for."""


@probe()
def candidate_migrations(env: Environment) -> CandidateMigrations:
    """The candidate's migrations in the release's repository, and the database they are for."""
    release = env.release
    reported = commands.run(
        release.digest_command,
        {"name": "", "tag": release.tag},
        key="release.digest_command",
        within_s=env.time_limits.probe,
        answer=_Digest,
    )
    with connect(env, env.postgres.primary) as db:
        system = seen(system_identifier, db, env.postgres.primary)
    digest = _Tag(env).digest(release.migrations, reported.files)
    return CandidateMigrations(release.tag, digest, system)


@probe(effect="disrupt", limit="drill", isolated=True)
def migration_drill(env: Environment) -> MigrationDrill:
    """A restored copy, migrated to the candidate under traffic, and rolled back."""
    clock, release = Deadline(env.time_limits.drill), env.release
    tagged = _Tag(env)
    tagged.verify()
    declared = seen(lambda: tagged.json(release.declared_schema))
    reference = production_rows(env)
    values: dict[str, object] = {
        "name": "golive-migration",
        "tag": release.previous_tag,
        "previous_tag": release.previous_tag,
    }
    with (
        scratch(env, release.copy_command, values, key="release.copy_command", clock=clock) as copy,
        connect(env, copy, read_only=False, statement_timeout_s=clock.left_s) as db,
    ):
        drill = _Drill(env, copy, db, clock, tagged)
        migration = drill.migrate(declared, reference)
        if migration.failure:
            return MigrationDrill(migration, None, f"the migration failed: {migration.failure}")
        try:
            return MigrationDrill(migration, drill.roll_back(), "")
        except ProbeError as e:
            return MigrationDrill(migration, None, str(e))


@probe(effect="disrupt", limit="drill", isolated=True)
def rollback_drill(env: Environment, migration_drill: MigrationDrill) -> Rollback:
    """The rollback on the copy that was migrated."""
    if migration_drill.rollback is None:
        raise ProbeError(
            f"the rollback from {env.release.tag} to {env.release.previous_tag}",
            migration_drill.not_rolled_back,
            "fix what the migration drill says first, then run again",
        )
    return migration_drill.rollback


class _Heads(msgspec.Struct):
    heads: list[str]
    releases: dict[str, str]


class _Digest(msgspec.Struct):
    files: dict[str, str]


class _Done(msgspec.Struct):
    revisions: list[str]


class _Drill:
    """The copy, what was noted of it, and the steps that are tried on it."""

    def __init__(
        self, env: Environment, copy: Copy, db: Connection, clock: Deadline, tagged: _Tag
    ) -> None:
        self._env, self._copy, self._db, self._clock = env, copy, db, clock
        self._tagged = tagged
        tables = user_tables(db, without=[env.release.version_table, env.postgres.marker_table])
        absent = [t for t in env.postgres.core_tables if not exists(db, t)]
        if absent:
            raise ProbeError(
                f"the copy {called(copy)}",
                f"it has no table {', '.join(absent)}",
                "see what release.copy_command restored",
            )
        self._notes = RowNotes(db, tables, env.release.changed_columns)
        self._schema_before: dict[str, Any] = {}

    def migrate(
        self, declared: dict[str, Any] | Unseen, reference: Mapping[str, float]
    ) -> Migration:
        release = self._env.release
        heads = self._run("heads", _Heads)
        digest = self._run("digest", _Digest)
        self._schema_before = self._schema()
        before = self._version()
        self._notes.note("older")
        with connect(self._env, self._copy) as db:
            broken_before = broken_rows(db, self._env.postgres)
        # The previous release serves while the data moves under it, as on the launch day.
        url = serve(self._env, self._copy, release.previous_tag, self._clock).url
        with (
            signed_in(self._env, url) as customer,
            _traffic(customer) as traffic,
            _sampled_locks(self._env, self._copy) as locks,
        ):
            failure, duration_s, revisions = self._try("migrate", release.tag)
        rows = {} if failure else self._notes.compare("older")
        schema = self._schema()
        rerun_failure, rerun_changes = "", list[str]()
        integrity = None if failure else self._integrity()
        if not failure:
            rerun_failure, _, again = self._try("migrate", release.tag)
            rerun_changes = [*again, *differences(self._schema(), schema)]
        return Migration(
            previous_tag=release.previous_tag,
            tag=release.tag,
            rows_percent=share_percent({t: c.noted for t, c in rows.items()}, reference),
            heads=tuple(heads.heads),
            expected_before=heads.releases.get(release.previous_tag, "none is named"),
            expected_after=heads.releases.get(release.tag, "none is named"),
            version_before=before,
            version_after=self._version(),
            failure=failure,
            duration_s=duration_s,
            revisions=tuple(revisions),
            rerun_failure=rerun_failure,
            rerun_changes=tuple(rerun_changes),
            schema_parts=declared if isinstance(declared, Unseen) else _parts(declared),
            schema_differences=declared
            if isinstance(declared, Unseen)
            else tuple(differences(schema, declared)),
            locks=locks.found(),
            requests=traffic.requests,
            refused=tuple(traffic.refused),
            digest=self._tagged.digest(release.migrations, digest.files),
            digest_differences=self._tagged.differing(release.migrations, digest.files),
            rows=rows,
            broken_before=broken_before,
            integrity=integrity,
        )

    def _integrity(self) -> Integrity:
        """The declared checks on the migrated copy."""
        env, copy = self._env, self._copy
        with connect(env, copy, autocommit=False) as db, connect(env, copy) as sequences:
            return integrity_of(db, sequences, env.postgres, copy.name)

    def roll_back(self) -> Rollback:
        env, release = self._env, self._env.release
        url = serve(env, self._copy, release.tag, self._clock).url
        with signed_in(env, url) as customer:
            booked = customer.book(BOOKINGS)
        self._notes.note("newer", beyond="older")
        columns = self._columns()
        failure, duration_s, _ = self._try("rollback", release.previous_tag)
        lost = columns - self._columns()
        return Rollback(
            bookings=booked,
            failure=failure,
            duration_s=duration_s,
            version_after=self._version(),
            schema_differences=tuple(differences(self._schema(), self._schema_before)),
            older=self._notes.compare("older"),
            newer=self._notes.compare("newer"),
            undeclared_losses=seen(self._undeclared, lost),
            refused=() if failure else tuple(self._smoke(release.previous_tag)),
        )

    def _undeclared(self, lost: set[str]) -> tuple[str, ...]:
        """Those of the lost columns that no list declares.

        :raises ProbeError: something is lost, and there is no list.
        """
        if not lost:
            return ()
        declared = self._tagged.losses(self._env.release.loss_list, lost)
        return tuple(sorted(lost - declared))

    def _smoke(self, version: str) -> list[str]:
        """What a release refuses on the copy, started again: signing in, reading, booking."""
        try:
            with signed_in(
                self._env, serve(self._env, self._copy, version, self._clock).url
            ) as customer:
                refused = customer.look_around()
                return refused if customer.book(1) == 1 else [*refused, "no free time to book"]
        except ProbeError as e:
            return [f"{e.subject}: {e.cause}"]

    def _try(self, what: str, tag: str) -> tuple[str, float, list[str]]:
        """Run one of the release's commands: why it failed, how long it took, what it did."""
        command = getattr(self._env.release, f"{what}_command")
        began = time.monotonic()
        try:
            done = commands.run(
                command,
                {"name": self._copy.name, "tag": tag},
                key=f"release.{what}_command",
                within_s=self._clock.left_s,
                answer=_Done,
            )
        except CommandFailed as e:
            return e.reason, time.monotonic() - began, []
        return "", time.monotonic() - began, done.revisions

    def _run(self, what: str, answer: type[Any]) -> Any:
        return commands.run(
            getattr(self._env.release, f"{what}_command"),
            {"name": self._copy.name, "tag": self._env.release.tag},
            key=f"release.{what}_command",
            within_s=self._env.time_limits.probe,
            answer=answer,
        )

    def _schema(self) -> dict[str, Any]:
        found: dict[str, Any] = self._run("schema", dict[str, Any])
        if not any(found.values()):
            raise ProbeError(
                f"the schema of {called(self._copy)}",
                "the schema command names nothing",
                "see release.schema_command in the environment file",
            )
        return found

    def _version(self) -> str:
        from psycopg import sql

        release = self._env.release
        query = sql.SQL("select * from {}").format(identifier(release.version_table))
        rows = self._db.execute(release.version_query.encode() or query).fetchall()
        return ", ".join(str(row[0]) for row in rows) or "none"

    def _columns(self) -> set[str]:
        return {f"{t}.{c}" for t in user_tables(self._db) for c in column_names(self._db, t)}


# -- what happens while the data moves ---------------------------------------------------------


@dataclass
class _Traffic:
    requests: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def _traffic(customer: Customer) -> Iterator[_Traffic]:
    """A customer who looks around and books, over and over, while the block runs."""
    traffic, over = _Traffic(), threading.Event()

    def go() -> None:
        while not over.is_set():
            try:
                traffic.refused += customer.look_around()
                traffic.requests += Customer.ANSWERS
                if customer.book(1) != 1:
                    traffic.refused.append("no free time to book")
                traffic.requests += 1
            except ProbeError as e:
                traffic.refused.append(f"{e.subject}: {e.cause}")
            over.wait(_PAUSE_S)

    thread = threading.Thread(target=go, daemon=True, name="traffic")
    thread.start()
    try:
        yield traffic
    finally:
        over.set()
        thread.join()


class _LockSamples:
    """Locks by table, mode and holder, from sample to sample."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._count = 0
        self._last = time.monotonic()
        self._since: dict[tuple[str, str, int], float] = {}
        self._held: dict[str, float] = {}

    def add(self, seen: set[tuple[str, str, int]], now: float) -> None:
        """One sample. A lock counts from the sample before its first to the one after its last."""
        self._count += 1
        for key in seen:
            self._since.setdefault(key, self._last)
        for key in list(self._since):
            name = f"{key[0]} ({key[1]})"
            self._held[name] = max(self._held.get(name, 0.0), now - self._since[key])
            if key not in seen:
                del self._since[key]
        self._last = now

    def found(self) -> Locks:
        """:raises ProbeError: a sample could not be taken."""
        if self.error is not None:
            raise ProbeError("the locks on the copy", self.error, "see the copy's log")
        return Locks(self._count, {k: round(v, 2) for k, v in self._held.items()})


@contextmanager
def _sampled_locks(env: Environment, copy: Copy) -> Iterator[_LockSamples]:
    """Locks on users' tables that hold others up, sampled while the block runs."""
    samples, over = _LockSamples(), threading.Event()
    query = (
        "select c.oid::regclass::text as relation, l.mode, l.pid from pg_locks l"
        " join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace"
        " join pg_database d on d.oid = l.database and d.datname = current_database()"
        " where l.granted and l.locktype = 'relation' and l.mode = any(%s)"
        " and l.pid <> pg_backend_pid() and c.relkind in ('r', 'p', 'm')"
        " and c.relpersistence <> 't' and n.nspname !~ '^pg_'"
        " and n.nspname <> 'information_schema'"
    )

    def go() -> None:
        try:
            with connect(env, copy) as db:
                while True:
                    rows = db.execute(query, [list(_BLOCKING)]).fetchall()
                    samples.add({(r.relation, r.mode, r.pid) for r in rows}, time.monotonic())
                    if over.wait(_SAMPLE_S):
                        samples.add(set(), time.monotonic())
                        return
        except Exception as e:  # noqa: BLE001 - kept, and raised by whoever asks what was found
            samples.error = e

    thread = threading.Thread(target=go, daemon=True, name="lock-samples")
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


# -- what the release says of itself -----------------------------------------------------------


class _Tag:
    """The candidate's tag in the release's repository."""

    def __init__(self, env: Environment) -> None:
        self._repository, self._tag = env.release.repository, env.release.tag
        self._limit_s = env.time_limits.probe

    def verify(self) -> None:
        """:raises ProbeError: there is no such commit."""
        self._git("rev-parse", "--verify", f"{self._tag}^{{commit}}")

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object among the tag's files."""
        try:
            return decode(self._file(path), dict[str, Any])
        except msgspec.DecodeError as e:
            raise ProbeError(f"{path} at {self._tag}", e, "write one JSON object there") from None

    def losses(self, path: str, lost: set[str]) -> set[str]:
        """Those of the lost columns that the tag's list declares."""
        try:
            entries = tomllib.loads(self._file(path).decode()).get("lost", [])
            declared = {f"{entry['table']}.{entry['column']}" for entry in entries}
        except (ValueError, KeyError, TypeError) as e:
            raise ProbeError(
                f"{path} at {self._tag}",
                f"{type(e).__name__}: {e}",
                "write a TOML table [[lost]] with table, column and reason for each loss",
            ) from None
        return {c for c in lost if c in declared or f"{c.rpartition('.')[0]}.*" in declared}

    def digest(self, folder: Folders, run: Mapping[str, str]) -> str:
        """SHA-256 over the names and sums of the tag's migrations."""
        files = self._sums(folder, run)
        lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
        return hashlib.sha256(lines.encode()).hexdigest()

    def differing(self, folder: Folders, run: Mapping[str, str]) -> tuple[str, ...]:
        """Files whose sums are not those of the files that are run."""
        files = self._sums(folder, run)
        return tuple(n for n in sorted({*files, *run}) if files.get(n) != run.get(n))

    def _sums(self, folder: Folders, run: Mapping[str, str]) -> dict[str, str]:
        if isinstance(folder, list):  # of several the names tell which
            return {
                f"{one.strip('/')}/{name}": digest
                for one in folder
                for name, digest in self._sums(one, run).items()
            }
        # What is run has no notes for people beside it, so kinds of file decide what counts.
        folder = folder.strip("/")
        kinds = {name.rpartition(".")[2] for name in run}
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", f"{self._tag}:{folder}"))) as tar:
            return {
                member.name: hashlib.sha256(file.read()).hexdigest()
                for member in tar
                if member.isfile() and member.name.rpartition(".")[2] in kinds
                for file in [tar.extractfile(member)]
                if file is not None
            }

    def _file(self, path: str) -> bytes:
        return self._git("show", f"{self._tag}:{path}")

    def _git(self, *words: str) -> bytes:
        subject = f"the tag {self._tag} in {self._repository}"
        step = "check [release] in the environment file, and fetch the repository's tags"
        try:
            done = subprocess.run(
                ["git", "-C", self._repository, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._limit_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise ProbeError(subject, e, step) from None
        if done.returncode != 0:
            raise ProbeError(subject, done.stderr.decode(errors="replace"), step)
        return done.stdout


def production_rows(env: Environment) -> dict[str, float]:
    """Production's rows by table: as declared, else as the live database estimates them."""
    if env.postgres.production_rows:
        return dict(env.postgres.production_rows)
    names = env.postgres.core_tables
    with connect(env, env.postgres.primary) as db:
        rows = db.execute(
            "select t.declared, greatest(c.reltuples, s.n_live_tup, 0) as rows"
            " from unnest(%s::text[], %s::text[]) t(declared, name)"
            " join pg_class c on c.oid = to_regclass(t.name)"
            " left join pg_stat_user_tables s on s.relid = c.oid",
            [names, [identifier(t).as_string(db) for t in names]],
        ).fetchall()
    return {row.declared: float(row.rows) for row in rows}


def _parts(declared: dict[str, Any]) -> int:
    return sum(len(v) if isinstance(v, dict) else 1 for v in declared.values())


def differences(found: Any, declared: Any, where: str = "") -> list[str]:
    """Where one document of dictionaries and values is not the other."""
    if isinstance(found, dict) and isinstance(declared, dict):
        inner = []
        for key in sorted({*found, *declared}):
            name = f"{where} {key}".strip()
            if key not in found:
                inner.append(f"{name} is missing")
            elif key not in declared:
                inner.append(f"{name} is not declared")
            else:
                inner += differences(found[key], declared[key], name)
        return inner
    return [] if found == declared else [f"{where} is {found!r}, not {declared!r}"]
