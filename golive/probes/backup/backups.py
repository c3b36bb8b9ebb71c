"""Full backups, the WAL archive, and recovery from both into scratch instances."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import msgspec

from golive.environments import Environment, Node
from golive.probes.data.postgres import called, connect, extension
from golive.probes.data.rows import TableSum, identifier, table_sums, unlike
from golive.probes.traffic.product import Served, signed_in
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
NEWEST_SEGMENTS = 10
"""Of the archive, the newest this many are reported one by one."""
_POLL_S = 0.1
SEGMENT = re.compile(r"(?P<name>[0-9A-F]{24})(?P<suffix>\.(?:gz|zst|lz4|xz|bz2|br))?")


class NotArchived(ProbeError):
    """WAL did not reach the archive, so that nothing can be recovered up to now."""


@dataclass(frozen=True, slots=True)
class FullBackup:
    """A full backup as its list tells it."""

    id: str
    path: str
    started_at: Moment
    finished_at: Moment
    start_lsn: str
    stop_lsn: str
    system_identifier: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A scratch instance that a backup was restored to."""

    name: str
    host: str
    port: int
    restore_s: float


@dataclass(frozen=True, slots=True)
class RestoredCopy:
    """What was found on a copy restored to the position of the paused standby."""

    restore_s: float
    recovered_to_lsn: str
    """Where recovery ended; empty where the instance was started again since and cannot tell."""
    sums: dict[str, TableSum]
    known_row_present: bool
    indexes_checked: int
    damage: tuple[str, ...]
    """What amcheck says, by relation."""
    signed_in_as: str
    sign_in_refused: str
    """Why the application on the copy let nobody in; empty when it did."""

    @property
    def rows(self) -> dict[str, int]:
        """By table."""
        return {table: found.rows for table, found in self.sums.items()}

    @property
    def signed_in(self) -> bool:
        return not self.sign_in_refused

    @property
    def sign_in(self) -> str:
        """What came of signing in, in words."""
        return self.sign_in_refused or f"{self.signed_in_as} is in"

    @property
    def recovery_end(self) -> str:
        """Where recovery ended, in words."""
        return self.recovered_to_lsn or "no longer told"

    def recovered_to(self, position: str) -> bool:
        """Whether recovery ended there, as far as the instance can still tell."""
        return self.recovered_to_lsn in {position, ""}


@dataclass(frozen=True, slots=True)
class RestoreDrill:
    """A restore of the newest full backup to a position at which the standby was summed up."""

    backup: FullBackup
    live_system_identifier: str
    age_h: float
    verify_failure: str
    """What the check of the backup's files against its manifest said; empty when it passed."""
    target_lsn: str
    standby_sums: dict[str, TableSum]
    known_row: str
    """Key of the newest row, at the target, that is older than the backup; empty: none is."""
    restore_failure: str
    """Why the restore ended without a running instance; empty when it did not."""
    copy: RestoredCopy | None

    @property
    def unlike(self) -> list[str]:
        """Tables whose rows on the copy are not those of the standby."""
        return unlike(self.copy.sums if self.copy else {}, self.standby_sums)


@dataclass(frozen=True, slots=True)
class PointInTimeDrill:
    """A recovery to a moment between two marker rows. What follows ``restore_failure`` was looked
    at only where that is empty."""

    backup_id: str
    gap_s: float
    target: datetime
    source_timeline: int
    restore_failure: str
    restore_s: float = 0.0
    first_present: bool = False
    second_present: bool = False
    copy_timeline: int = 0


@dataclass(frozen=True, slots=True)
class ArchivedSegment:
    """A segment in the WAL archive."""

    name: str
    archived_at: datetime


@dataclass(frozen=True, slots=True)
class WalArchive:
    """The archive against what recovery would need of it."""

    backups: tuple[FullBackup, ...]
    """Oldest first."""
    segments: int
    """Found from the oldest backup's first on."""
    missing: tuple[str, ...]
    """Segments that recovery from the oldest backup to now would miss, or that are cut short."""
    newest: tuple[ArchivedSegment, ...]
    """The newest of them, newest first."""
    newest_age_s: float
    failing_since: datetime | None
    """The last failure of the archiver, unless it has succeeded since."""
    reach_h: float
    """How long ago the oldest backup was finished."""

    @property
    def failure(self) -> str:
        """Since when archiving fails; empty while it does not."""
        return f"failing since {self.failing_since:%H:%M:%S} UTC" if self.failing_since else ""


def lsn(text: str) -> int:
    """A log position as a number of bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_name(timeline: int, number: int, size: int) -> str:
    """The file name of a WAL segment."""
    per_id = 0x1_0000_0000 // size
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def segment_number(name: str, size: int) -> int:
    """The place of a WAL segment in the sequence of all, whatever its timeline."""
    return int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:24], 16)


def full_backups(env: Environment) -> list[FullBackup]:
    """Every full backup there is, oldest first, as the backup tool lists them.

    :raises ProbeError: the list cannot be had, or is empty.
    """
    found = commands.run(
        env.backups.list_command,
        {},
        key="backups.list_command",
        within_s=env.time_limits.probe,
        answer=list[FullBackup],
    )
    if not found:
        raise ProbeError(
            "the full backups", "there is none", "take one, and see why the backup job did not"
        )
    return sorted(found, key=lambda b: b.finished_at)


class _Address(msgspec.Struct):
    host: str
    port: int


@contextmanager
def scratch(
    env: Environment, command: list[str], values: dict[str, object], *, key: str, clock: Deadline
) -> Iterator[Copy]:
    """A scratch instance made by a command of the environment, discarded at the end.

    :raises CommandFailed: it could not be made.
    """

    name = str(values["name"])

    def discard() -> None:
        try:
            commands.run(
                env.backups.discard_command,
                {"name": name},
                key="backups.discard_command",
                within_s=env.time_limits.probe,
            )
        except CommandFailed as e:
            # Not the failure of what was tried on the instance.
            raise ProbeError(e.subject, e.cause, f"remove the instance {name} by hand") from None

    discard()  # what an interrupted run may have left
    try:
        began = time.monotonic()
        made = commands.run(command, values, key=key, within_s=clock.left_s, answer=_Address)
        yield Copy(name, made.host, made.port, time.monotonic() - began)
    finally:
        discard()


@contextmanager
def restored(
    env: Environment,
    backup: FullBackup,
    kind: Literal["lsn", "time"],
    target: str,
    *,
    name: str,
    clock: Deadline,
) -> Iterator[Copy]:
    """The backup, recovered up to a target, as a scratch instance."""
    values: dict[str, object] = {
        "id": backup.id,
        "path": backup.path,
        "name": name,
        "kind": kind,
        "target": target,
    }
    with scratch(
        env,
        env.backups.restore_command,
        values,
        key="backups.restore_command",
        clock=clock,
    ) as copy:
        yield copy


def serve(env: Environment, copy: Copy, version: str, clock: Deadline) -> Served:
    """The application in a version on a copy, until the copy is discarded.

    :raises CommandFailed: it did not start.
    """
    return commands.run(
        env.backups.serve_command,
        {"name": copy.name, "version": version},
        key="backups.serve_command",
        within_s=min(clock.left_s, env.time_limits.probe),
        answer=Served,
    )


@probe(effect="disrupt", limit="drill", isolated=True)
def restore_drill(env: Environment) -> RestoreDrill:
    """The newest full backup, restored to a position that a standby was paused and summed up at."""
    clock = Deadline(env.time_limits.drill)
    backup = full_backups(env)[-1]
    verify_failure = _verify(env, backup, clock)
    with connect(env, env.postgres.primary, read_only=False) as primary:
        identifier_ = _value(primary, "select system_identifier from pg_control_system()")
        with _paused_standby(env, clock) as (standby, target):
            sums = table_sums(standby, env.postgres.core_tables)
            known_row = _known_row(env, standby, backup.started_at)
        restore_failure, found = "", None
        try:
            _archive_up_to_now(env, primary)
            with restored(env, backup, "lsn", target, name="golive-restore", clock=clock) as copy:
                found = _look_at(env, copy, backup, known_row, clock)
        except CommandFailed as e:
            restore_failure = e.reason
        except NotArchived as e:
            restore_failure = f"{e.subject}: {e.cause}"
    return RestoreDrill(
        backup=backup,
        live_system_identifier=str(identifier_),
        age_h=(datetime.now(UTC) - backup.finished_at).total_seconds() / 3600,
        verify_failure=verify_failure,
        target_lsn=target,
        standby_sums=sums,
        known_row=known_row,
        restore_failure=restore_failure,
        copy=found,
    )


@probe(effect="disrupt", limit="drill", isolated=True)
def point_in_time_drill(env: Environment, wal_archive: WalArchive) -> PointInTimeDrill:
    """The newest full backup, recovered to a moment between two marker rows."""
    # The archive is looked at first: this drill itself completes a segment.
    clock = Deadline(env.time_limits.drill)
    backup = wal_archive.backups[-1]
    table, gap_s = env.postgres.marker_table, env.windows.point_in_time_gap_s
    with (
        connect(env, env.postgres.primary, read_only=False) as primary,
        _markers(primary, table) as write,
    ):
        first = write("first")
        time.sleep(gap_s)
        second = write("second")
        drill = PointInTimeDrill(
            backup_id=backup.id,
            gap_s=(second - first).total_seconds(),
            target=first + (second - first) / 2,
            source_timeline=_timeline(primary),
            restore_failure="",
        )
        moment = drill.target.isoformat()
        try:
            _archive_up_to_now(env, primary)
            with (
                restored(env, backup, "time", moment, name="golive-moment", clock=clock) as copy,
                connect(env, copy) as db,
            ):
                there = _markers_in(db, table)
                return replace(
                    drill,
                    restore_s=copy.restore_s,
                    first_present="first" in there,
                    second_present="second" in there,
                    copy_timeline=_timeline(db),
                )
        except CommandFailed as e:
            return replace(drill, restore_failure=e.reason)
        except NotArchived as e:
            return replace(drill, restore_failure=f"{e.subject}: {e.cause}")


@probe()
def wal_archive(env: Environment) -> WalArchive:
    """The WAL archive: gaps since the oldest full backup, and the age of its newest segment."""
    backups = full_backups(env)
    with connect(env, env.postgres.primary) as db:
        size = int(
            _value(db, "select setting::bigint from pg_settings where name = 'wal_segment_size'")
        )
        here = str(_value(db, "select pg_walfile_name(pg_current_wal_lsn())"))
        archiver = db.execute("select * from pg_stat_archiver").fetchone()
        assert archiver is not None
    found = _segments(Path(env.backups.archive))
    if not found:
        raise ProbeError(
            f"the WAL archive {env.backups.archive}",
            "it holds no WAL segment",
            "check backups.archive in the environment file, and archive_command on the primary",
        )
    ordered = sorted(found, key=lambda name: (segment_number(name, size), name), reverse=True)
    newest = tuple(
        ArchivedSegment(name, datetime.fromtimestamp(found[name].stat().st_mtime, UTC))
        for name in ordered[:NEWEST_SEGMENTS]
    )
    first = lsn(min(backups, key=lambda b: lsn(b.start_lsn)).start_lsn) // size
    # The segment being written cannot be in the archive, and the one before may be under way.
    end = max(segment_number(newest[0].name, size), segment_number(here, size) - 2)
    whole = {
        segment_number(name, size)
        for name, path in found.items()
        if path.suffix or path.stat().st_size == size
    }
    timeline = int(here[:8], 16)
    failing = archiver.last_failed_time
    if failing and archiver.last_archived_time and archiver.last_archived_time >= failing:
        failing = None
    now = datetime.now(UTC)
    return WalArchive(
        backups=tuple(backups),
        segments=sum(1 for n in whole if n >= first),
        missing=tuple(
            segment_name(timeline, n, size) for n in range(first, end + 1) if n not in whole
        ),
        newest=newest,
        newest_age_s=(now - newest[0].archived_at).total_seconds(),
        failing_since=failing,
        reach_h=(now - backups[0].finished_at).total_seconds() / 3600,
    )


# -- the steps of a restore drill --------------------------------------------------------------


def _verify(env: Environment, backup: FullBackup, clock: Deadline) -> str:
    try:
        commands.run(
            env.backups.verify_command,
            {"id": backup.id, "path": backup.path},
            key="backups.verify_command",
            within_s=clock.left_s,
        )
    except CommandFailed as e:
        return e.reason
    return ""


@contextmanager
def _paused_standby(env: Environment, clock: Deadline) -> Iterator[tuple[Connection, str]]:
    """A standby that replays nothing for a while, and the position it stands at.

    A recovery that ends before the first record at or after that position holds the same rows.
    """
    if not env.postgres.standbys:
        raise ProbeError(
            "the rows at one position in the log",
            "the environment declares no standby that could be paused there",
            "declare a standby under postgres.nodes",
        )
    node: Node = env.postgres.standbys[0]
    with connect(env, node, statement_timeout_s=clock.left_s) as db:
        if not _value(db, "select pg_is_in_recovery()"):
            raise ProbeError(
                called(node), "it is no standby", "compare the roles of postgres.nodes"
            )
        db.execute("select pg_wal_replay_pause()")
        try:
            state = "select pg_get_wal_replay_pause_state()"
            if db.info.server_version < 140000:
                state = "select case when pg_is_wal_replay_paused() then 'paused' end"
            _wait(
                lambda: _value(db, state) == "paused",
                env.time_limits.probe,
                ProbeError(called(node), "its replay did not pause", "see the standby's log"),
            )
            yield db, str(_value(db, "select pg_last_wal_replay_lsn()"))
        finally:
            # Over a connection of its own: the other may be what broke.
            with connect(env, node) as again:
                again.execute("select pg_wal_replay_resume()")


def _archive_up_to_now(env: Environment, primary: Connection) -> None:
    """Have all WAL written so far in the archive, and one record more, so that a recovery finds
    where to stop."""
    primary.execute("select pg_logical_emit_message(true, 'golive', 'end of a drill')")
    name = str(_value(primary, "select pg_walfile_name(pg_current_wal_insert_lsn())"))
    primary.execute("select pg_switch_wal()")
    archived = "select last_archived_wal from pg_stat_archiver"
    _wait(
        # Timelines grow too, so names order as they were written.
        lambda: str(_value(primary, archived) or "")[:24] >= name,
        env.time_limits.probe,
        NotArchived(
            f"the WAL archive of {called(env.postgres.primary)}",
            f"{name} was not archived within {env.time_limits.probe:g} s",
            "see pg_stat_archiver, and the server's log for what archive_command says",
        ),
    )


def _known_row(env: Environment, db: Connection, before: datetime) -> str:
    row = db.execute(env.backups.known_row.encode(), {"before": before}).fetchone()
    return str(row[0]) if row else ""


def _look_at(
    env: Environment, copy: Copy, backup: FullBackup, known_row: str, clock: Deadline
) -> RestoredCopy:
    with connect(env, copy, statement_timeout_s=clock.left_s) as db:
        ended = str(_value(db, "select pg_last_wal_replay_lsn()") or "")
        sums = table_sums(db, env.postgres.core_tables)
        present = bool(known_row) and _known_row(env, db, backup.started_at) == known_row
        checked, damage = _amcheck(db)
    user = env.application.accounts[0]
    refused = ""
    try:
        with signed_in(env, serve(env, copy, env.release.tag, clock).url):
            pass
    except ProbeError as e:
        refused = e.cause
    return RestoredCopy(
        restore_s=copy.restore_s,
        recovered_to_lsn=ended,
        sums=sums,
        known_row_present=present,
        indexes_checked=checked,
        damage=damage,
        signed_in_as="" if refused else user.email,
        sign_in_refused=refused,
    )


def _amcheck(db: Connection) -> tuple[int, tuple[str, ...]]:
    """Every user table's pages and every B-tree: how many trees, and what is wrong."""
    import psycopg
    from psycopg import sql

    schema = extension(db, "amcheck", "the restored copy's pages and indexes")
    relations = db.execute(
        "select c.oid::int8 as oid, c.oid::regclass::text as name, c.relkind = 'i' as is_index"
        " from pg_class c left join pg_am a on a.oid = c.relam"
        " join pg_namespace n on n.oid = c.relnamespace"
        " left join pg_index i on i.indexrelid = c.oid"
        " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
        " and c.relpersistence <> 't' and ((c.relkind = 'i' and a.amname = 'btree'"
        " and i.indisvalid) or (c.relkind in ('r', 'm') and a.amname = 'heap')) order by 2"
    ).fetchall()
    damage: list[str] = []
    for relation in relations:
        check = (
            "select {}.bt_index_check(%s::oid::regclass)"
            if relation.is_index
            else "select format('block %%s: %%s', blkno, msg)"
            " from {}.verify_heapam(%s::oid::regclass, on_error_stop => true) limit 1"
        )
        try:
            said = db.execute(sql.SQL(check).format(sql.SQL(schema)), [relation.oid]).fetchone()
        except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as e:
            damage.append(f"{relation.name}: {str(e).splitlines()[0]}")
        except psycopg.errors.InternalError_ as e:
            damage.append(f"{relation.name}: {str(e).splitlines()[0]}")
        else:
            if not relation.is_index and said is not None:
                damage.append(f"{relation.name}: {said[0]}")
    return sum(1 for r in relations if r.is_index), tuple(damage)


# -- the steps of a point-in-time recovery -----------------------------------------------------


@contextmanager
def _markers(db: Connection, table: str) -> Iterator[_Writer]:
    """A table for marker rows, removed at the end; writes a row and tells when it was in."""
    from psycopg import sql

    name = identifier(table)
    db.execute(sql.SQL("drop table if exists {}").format(name))
    db.execute(sql.SQL("create table {} (label text primary key)").format(name))

    def write(label: str) -> datetime:
        db.execute(sql.SQL("insert into {} values (%s)").format(name), [label])
        at = _value(db, "select clock_timestamp()")
        assert isinstance(at, datetime)
        return at.astimezone(UTC)

    try:
        yield write
    finally:
        db.execute(sql.SQL("drop table if exists {}").format(name))


class _Writer(Protocol):
    def __call__(self, label: str) -> datetime: ...


def _markers_in(db: Connection, table: str) -> set[str]:
    from psycopg import sql

    name = identifier(table)
    if _value(db, "select to_regclass(%s)", [name.as_string(db)]) is None:
        return set()
    return {row[0] for row in db.execute(sql.SQL("select label from {}").format(name))}


def _timeline(db: Connection) -> int:
    return int(str(_value(db, "select pg_walfile_name(pg_current_wal_lsn())"))[:8], 16)


# -- small tools -------------------------------------------------------------------------------


def _value(db: Connection, query: str, parameters: list[Any] | None = None) -> Any:
    row = db.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def _wait(holds: Callable[[], bool], within_s: float, otherwise: ProbeError) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends:
            raise otherwise
        time.sleep(_POLL_S)


def _segments(folder: Path) -> dict[str, Path]:
    """Complete WAL segments of an archive by name."""
    try:
        paths = [path for path in folder.rglob("*") if SEGMENT.fullmatch(path.name)]
    except OSError as e:
        raise ProbeError(
            f"the WAL archive {folder}",
            e.strerror or e,
            "check backups.archive in the environment file",
        ) from None
    return {path.name[:24]: path for path in paths}
