"""Faults of restoring: backups that are too old, copies that are not what was backed up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

from rehearsal.data import backups
from rehearsal.faults import Fault, fault
from rehearsal.kernel.world import APP_ROLE, Rehearsal

OLD = timedelta(hours=25)


@fault(
    "backups-of-yesterday",
    # An alert on their age is on, too.
    expect_fail=["D-13.2.1", "D-13.2.4"],
    touches=["backups"],
    title="the newest full backup is 25 hours old",
)
def backups_of_yesterday(r: Rehearsal) -> None:
    known = backups.known(r)
    r.remember("backups-of-yesterday", [dataclasses.asdict(one) for one in known])
    for one in known:
        started, finished = _earlier(one.started_at), _earlier(one.finished_at)
        backups.record(r, dataclasses.replace(one, started_at=started, finished_at=finished))


def _earlier(at: str) -> str:
    return (datetime.fromisoformat(at) - OLD).isoformat()


@backups_of_yesterday.revert
def backups_of_today(r: Rehearsal) -> None:
    for one in r.recall("backups-of-yesterday"):
        backups.record(r, backups.Backup(**one))
    r.forget("backups-of-yesterday")


def _drilled(name: str, title: str, *items: str, **settings: object) -> Fault:
    """Drills on copies go another way."""
    touches = [f"drills/{key}" for key in settings]

    @fault(name, expect_fail=items, touches=touches, title=title)
    def change(r: Rehearsal) -> None:
        r.override("drills", **settings)

    change.revert(_cleared(*settings))
    return change


def _cleared(*keys: str) -> Callable[[Rehearsal], None]:
    return lambda r: r.clear_override("drills", *keys)


# What was there before the backup is gone from the copy with it.
_drilled(
    "restore-without-appointments",
    "a restore leaves the appointments empty",
    "D-13.2.1",
    after_restore="set session_replication_role = replica; delete from appointments",
)
_drilled(
    "restore-without-roles",
    "the application may not log in to what was restored",
    "D-13.2.1",
    after_restore=f"alter role {APP_ROLE} nologin",
)
_drilled(
    "restore-of-the-bare-backup",
    "a restore starts the backup as it is and replays no WAL from the archive",
    "D-13.2.1",
    "D-13.2.2",
    replays=False,
)
