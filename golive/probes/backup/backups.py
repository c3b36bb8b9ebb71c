"""Full backups, the WAL archive, and recovery from both into scratch instances."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import msgspec

from golive.environments import Environment, Node
from golive.probes.backup import wal
from golive.probes.backup.wal import SEGMENT, lsn, segment_name, segment_number
from golive.probes.data.cluster import system_identifier
from golive.probes.data.postgres import called, connect, extension, not_granted, one
from golive.probes.data.rows import TableSum, identifier, table_sums, unlike
from golive.probes.traffic.product import Served, signed_in
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
NEWEST_SEGMENTS = 10
"""Of the archive, the newest this many are reported one by one."""
_POLL_S = 0.1


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
    indexes_checked: int | Unseen
    damage: tuple[str, ...] | Unseen
    """What amcheck says, by relation; unseen where it says nothing, and of some could not."""
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
    live_system_identifier: str | Unseen
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
    segments: int | Unseen
    """Found from the oldest backup's first on; unseen where the archive could not be listed, as is
    what follows from it."""
    missing: tuple[str, ...] | Unseen
    """Segments that recovery from the oldest backup to now would miss, or that are no segments
    of their place in this system's log, with the reason; unseen where they may be in a folder
    that could not be listed."""
    newest: tuple[ArchivedSegment, ...] | Unseen
    """The newest of them, newest first."""
    newest_age_s: float | Unseen
    failing_since: datetime | Unseen | None
    """The last failure of the archiver, unless it has succeeded since."""
    reach_h: float
    """How long ago the oldest backup was finished."""
    unread: Unseen | None = None
    """Why some segments could not be opened, or not be told from another system's."""

    @property
    def not_read(self) -> list[str] | Unseen:
        """Nothing, where each segment was opened."""
        return [] if self.unread is None else self.unread

    @property
    def failure(self) -> str | Unseen:
        """Since when archiving fails; empty while it does not."""
        if isinstance(self.failing_since, Unseen):
            return self.failing_since
        return f"failing since {self.failing_since:%H:%M:%S} UTC" if self.failing_since else ""


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
        identifier_ = seen(system_identifier, primary, env.postgres.primary)
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
        live_system_identifier=identifier_,
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
        system = seen(system_identifier, db, env.postgres.primary)
        failing = seen(_failing_since, db)
    found = seen(archived, Path(env.backups.archive), tuple(backups), here, system, size)
    if isinstance(found, Unseen):  # which hides neither the archiver nor the backups
        nothing = found
        found = WalArchive(
            tuple(backups), nothing, nothing, nothing, nothing, None, _reach_h(backups), nothing
        )
    return replace(found, failing_since=failing)


def _failing_since(db: Connection) -> datetime | None:
    """The archiver's last failure, unless it has succeeded since.

    :raises ProbeError: this user may not ask for it.
    """
    from psycopg import errors

    try:
        told = one(
            db,
            "select last_failed_time as failed, last_archived_time as archived"
            " from pg_stat_archiver",
        )
    except errors.InsufficientPrivilege as e:
        grant = f"grant select on pg_stat_archiver to {db.info.user};"
        raise ProbeError("pg_stat_archiver", e, grant) from None
    failed: datetime | None = told.failed
    return None if failed and told.archived and told.archived >= failed else failed


def _reach_h(backups: Sequence[FullBackup]) -> float:
    return (datetime.now(UTC) - backups[0].finished_at).total_seconds() / 3600


def archived(
    folder: Path, backups: tuple[FullBackup, ...], here: str, system: str | Unseen, size: int
) -> WalArchive:
    """What an archive holds from the oldest of the backups on.

    :param backups: oldest first.
    :param here: the segment that the primary writes to now.
    :param system: the database system whose segments these have to be.
    :param size: of a segment, in bytes.
    :raises ProbeError: it cannot be listed, or has no segment of this timeline.
    """
    files, not_listed = _files(folder)
    found, own = _segments(files), int(here[:8], 16)
    history = seen(_history, files, here[:8])
    past = "" if isinstance(history, Unseen) else history
    timelines = wal.timelines(own, past, size)
    # Of each place in the log the segment that recovery to this server's timeline takes: another
    # timeline's segment of that number is none.
    taken = {
        number: found[name]
        for number in {segment_number(name, size) for name in found}
        if (name := segment_name(timelines.at(number), number, size)) in found
    }
    if not taken and not_listed is not None:
        raise not_listed.error
    if not taken:
        raise ProbeError(
            f"the WAL archive {folder}",
            f"it holds no WAL segment of the timeline {own}" if found else "it holds no segment",
            "check backups.archive in the environment file, and archive_command on the primary",
        )
    newest = tuple(
        ArchivedSegment(path.name[:24], datetime.fromtimestamp(path.stat().st_mtime, UTC))
        for path in (taken[n][0] for n in sorted(taken, reverse=True)[:NEWEST_SEGMENTS])
    )
    first = lsn(min(backups, key=lambda b: lsn(b.start_lsn)).start_lsn) // size
    known = None if isinstance(system, Unseen) else int(system)
    looked = {n: seen(_flaw, taken[n], known, size) for n in sorted(taken) if n >= first}
    flaws = {n: f" ({f})" for n, f in looked.items() if not isinstance(f, Unseen) and f}
    # The segment being written cannot be in the archive, and the one before may be under way.
    due = segment_number(here, size) - 2
    missing = [
        segment_name(timelines.at(n), n, size) + flaws.get(n, "")
        for n in range(first, max(*taken, due) + 1)
        if n not in looked or (n in flaws and n <= due)
    ]
    if missing and own > 1 and not past:
        missing.insert(0, f"{here[:8]}.history")  # which tells where earlier ones are to be taken
    # What is not in the folders that were listed may be in one that was not.
    hidden = not_listed if missing else None
    age_s = (datetime.now(UTC) - newest[0].archived_at).total_seconds()
    return WalArchive(
        backups=backups,
        segments=len(looked) - len(flaws),
        missing=tuple(missing) if hidden is None else hidden,
        newest=newest if hidden is None else hidden,
        newest_age_s=age_s if hidden is None else hidden,
        failing_since=None,
        reach_h=_reach_h(backups),
        unread=unseen_among((history, *looked.values(), system)),
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
        looked = seen(_amcheck, db)
        checked, damage = (looked, looked) if isinstance(looked, Unseen) else looked
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


def _amcheck(db: Connection) -> tuple[int, tuple[str, ...] | Unseen]:
    """Every user table's pages and every B-tree: how many trees, and what is wrong.

    :raises ProbeError: amcheck is not there, or may not be used.
    """
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
    looks_at_tables = _value(
        db,
        "select exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = %s and p.proname = 'verify_heapam')",
        [schema],
    )
    damage: list[str] = []
    own = sql.Identifier(schema)
    for relation in relations:
        if not relation.is_index and not looks_at_tables:
            continue
        check = (
            "select {}.bt_index_check(%s::oid::regclass)"
            if relation.is_index
            else "select format('block %%s: %%s', blkno, msg)"
            " from {}.verify_heapam(%s::oid::regclass, on_error_stop => true) limit 1"
        )
        try:
            said = db.execute(sql.SQL(check).format(own), [relation.oid]).fetchone()
        except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as e:
            damage.append(f"{relation.name}: {str(e).splitlines()[0]}")
        except psycopg.errors.InternalError_ as e:
            damage.append(f"{relation.name}: {str(e).splitlines()[0]}")
        except psycopg.errors.InsufficientPrivilege as e:
            function = "bt_index_check" if relation.is_index else "verify_heapam"
            raise not_granted(db, f"{schema}.{function}", e) from None
        else:
            if not relation.is_index and said is not None:
                damage.append(f"{relation.name}: {said[0]}")
    indexes = sum(1 for r in relations if r.is_index)
    if not looks_at_tables and not damage:
        what, why = "the pages of the copy's tables", "this amcheck looks at indexes alone"
        step = "alter extension amcheck update; before PostgreSQL 14: run pg_checksums on the copy"
        return indexes, Unseen(ProbeError(what, why, step))
    return indexes, tuple(damage)


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


def _segments(files: list[Path]) -> dict[str, list[Path]]:
    """Files of an archive that are called like complete WAL segments, by name."""
    found: dict[str, list[Path]] = {}
    for path in files:
        if SEGMENT.fullmatch(path.name):
            found.setdefault(path.name[:24], []).append(path)
    return found


def _files(folder: Path) -> tuple[list[Path], Unseen | None]:
    """Every file below a folder, and why some of the folders in it could not be listed.

    :raises ProbeError: the folder itself could not be.
    """
    refused: list[OSError] = []
    walked = os.walk(folder, onerror=refused.append)
    files = [Path(place, name) for place, _, names in walked for name in names]
    if not refused:
        return files, None
    where = Path(refused[0].filename or folder)
    error = ProbeError(
        f"the WAL archive {where}",
        refused[0].strerror or refused[0],
        "check backups.archive in the environment file"
        if isinstance(refused[0], FileNotFoundError)
        else "let the user that runs golive read the WAL archive",
    )
    if where == folder:
        raise error
    return files, Unseen(error)


def _flaw(paths: list[Path], system: int | None, size: int) -> str:
    """What is wrong with each of the files that are called like one segment."""
    flaws = [wal.flaw(path, system, size) for path in paths]
    return "" if "" in flaws else flaws[0]


def _history(files: list[Path], timeline: str) -> str:
    """The history of a timeline; empty where the archive has none, as for the first.

    :raises ProbeError: it cannot be read.
    """
    return next((wal.text(p) for p in files if p.name.partition(".history")[0] == timeline), "")
