"""Backup failures brought about on purpose, to see that somebody is notified.

Three of them happen to a set of backups of its own, `<folder>/drills/NAME/`, which the exporter
watches like the real one (label `set`): rules, routes and inbox are the real ones, and the
backups that a recovery would need stay as they are. The fourth, a failing archive, has to happen
to the server that archives: it is stopped from archiving for the seconds that the drill takes,
and catches up.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rehearsal.data import backups
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints
from rehearsal.parts.data.postgres import next_segment

OLD_H = 25
LATE_S = 20 * 60


class Mishap(NamedTuple):
    """How a failure is brought about, and taken back where there is one."""

    induce: Callable[[Rehearsal], None]
    repair: Callable[[Rehearsal], None]


def sets(r: Rehearsal) -> dict[str, Path]:
    """Every watched set of backups by name: the real one and those of drills."""
    drills = r.path("drills", "x").parent
    return {"database": r.folder} | {path.name: path for path in sorted(drills.iterdir())}


def induce(r: Rehearsal, mode: str) -> None:
    """Bring a failure about. Raises RehearsalError for an unknown mode or one in force."""
    _known(mode).induce(r)


def repair(r: Rehearsal, mode: str) -> None:
    """Take a failure back; does nothing where there is none."""
    _known(mode).repair(r)


def _known(mode: str) -> Mishap:
    if mode not in MODES:
        raise RehearsalError(f"{mode!r} is no failure of backups; there are {', '.join(MODES)}.")
    return MODES[mode]


# -- in a set of its own -----------------------------------------------------------------------


def _old_backup(r: Rehearsal, base: Path) -> None:
    then = (datetime.now(UTC) - timedelta(hours=OLD_H)).isoformat()
    backups.record(r, replace(backups.get(r, "newest"), started_at=then, finished_at=then), base)


def _small_backup(r: Rehearsal, base: Path) -> None:
    before = backups.get(r, "newest")
    now = datetime.now(UTC).isoformat()
    small = replace(before, id="small", finished_at=now, size_bytes=before.size_bytes // 3)
    backups.record(r, before, base)
    backups.record(r, small, base)


def _late_copy(_: Rehearsal, base: Path) -> None:
    segment = base / "wal-archive" / "not-copied"
    segment.parent.mkdir(parents=True)
    segment.touch()
    then = time.time() - LATE_S
    os.utime(segment, (then, then))


def _staged(name: str, fill: Callable[[Rehearsal, Path], None]) -> Mishap:
    def bring_about(r: Rehearsal) -> None:
        base = r.path("drills", name)
        if base.exists():
            raise RehearsalError(f"{name} is in force already; repair it first.")
        # Filled aside, so that the exporter never sees half of it.
        aside = r.path("state", f"drill-{name}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        fill(r, aside)
        aside.replace(base)

    def take_back(r: Rehearsal) -> None:
        shutil.rmtree(r.path("drills", name), ignore_errors=True)

    return Mishap(bring_about, take_back)


# -- on the server -----------------------------------------------------------------------------

_FAILING = "false"
_ARCHIVED = """
select last_failed_time is null or last_archived_time > last_failed_time from pg_stat_archiver"""


def _stop_archiving(r: Rehearsal) -> None:
    _set_archive_command(r, f"= '{_FAILING}'")
    next_segment(r.primary)


def _archive_again(r: Rehearsal) -> None:
    if not _overridden(r):
        return
    _set_archive_command(r, None)

    def archived() -> bool:
        # The archiver rests for a minute after three failures; a new segment wakes it.
        next_segment(r.primary)
        return bool(r.primary.sql(_ARCHIVED)[0][0])

    r.wait("the archive works again", archived, within_s=20, every_s=0.5)


def _set_archive_command(r: Rehearsal, value: str | None) -> None:
    change = f"set archive_command {value}" if value else "reset archive_command"
    r.primary.sql(f"alter system {change}")
    r.primary.sql("select pg_reload_conf()")
    r.wait("the server has read its settings", lambda: _overridden(r) == bool(value))


def _overridden(r: Rehearsal) -> bool:
    [[value]] = r.primary.sql("show archive_command")
    return bool(value == _FAILING)


MODES = {
    "old-backup": _staged("old-backup", _old_backup),
    "small-backup": _staged("small-backup", _small_backup),
    "late-copy": _staged("late-copy", _late_copy),
    "archive-failure": Mishap(_stop_archiving, _archive_again),
}


def endpoints(r: Rehearsal) -> Endpoints:
    """How others bring each failure about, and which alert has to tell of it."""
    alerts = [
        {
            "mode": mode,
            "rule": rule,
            "induce": r.command("induce", "--mode", verb),
            "repair": r.command("repair", "--mode", verb),
        }
        for mode, rule, verb in (
            ("full backup older than 24 h", "BackupTooOld", "old-backup"),
            ("size drop over 50 %", "BackupSizeDrop", "small-backup"),
            ("WAL archive failing", "WalArchiveFailing", "archive-failure"),
            ("cross-region copy late", "CrossRegionCopyLate", "late-copy"),
        )
    ]
    return {"monitoring": {"backup_alerts": alerts}}
