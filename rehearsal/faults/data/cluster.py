"""Faults of the database cluster: replication, slots, the WAL archive."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal

UNREAD_SLOT = "left_behind"
ARCHIVING_FAILS = """
select 1 from pg_stat_archiver
where last_failed_time > coalesce(last_archived_time, '-infinity')"""


@fault(
    "wal-replay-paused",
    expect_fail=["D-14.1.1"],
    touches=["postgres/standby"],
    title="WAL replay on the standby is paused",
)
def wal_replay_paused(r: Rehearsal) -> None:
    r.standby.sql("select pg_wal_replay_pause()")


@wal_replay_paused.revert
def resume_wal_replay(r: Rehearsal) -> None:
    r.standby.sql("select pg_wal_replay_resume()")


@fault(
    "slot-left-behind",
    expect_fail=["D-14.1.1"],
    touches=["postgres/slots"],
    title="a replication slot has no reader",
)
def slot_left_behind(r: Rehearsal) -> None:
    r.primary.sql("select pg_create_physical_replication_slot(%s, true)", [UNREAD_SLOT])


@slot_left_behind.revert
def drop_the_slot(r: Rehearsal) -> None:
    r.primary.sql("select pg_drop_replication_slot(%s)", [UNREAD_SLOT])


@fault(
    "archive-command-fails",
    # No drill can recover what is not archived, and its alert is on before it is induced.
    expect_fail=["D-14.1.1"],
    touches=["postgres/settings", "archive"],
    title="archive_command of the primary fails",
    settled=lambda r: bool(r.primary.sql(ARCHIVING_FAILS)),
    reverted=lambda r: not r.primary.sql(ARCHIVING_FAILS),
)
def archive_command_fails(r: Rehearsal) -> None:
    r.primary.sql("alter system set archive_command = 'false'")
    _archive_now(r)


@archive_command_fails.revert
def mend_the_archive_command(r: Rehearsal) -> None:
    r.primary.sql("alter system reset archive_command")
    _archive_now(r)


def _archive_now(r: Rehearsal) -> None:
    r.primary.sql("select pg_reload_conf()")
    # A switch needs something to archive.
    r.primary.sql("select pg_logical_emit_message(true, 'rehearsal', 'to be archived')")
    r.primary.sql("select pg_switch_wal()")
