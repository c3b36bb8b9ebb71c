"""Backups and recovery: the items on literal facts, and the steps of the drills."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.backup import wal
from golive.probes.backup.backups import (
    ArchivedSegment,
    FullBackup,
    PointInTimeDrill,
    RestoredCopy,
    RestoreDrill,
    WalArchive,
    archived,
    full_backups,
    restore_drill,
    restored,
    wal_archive,
)
from golive.probes.backup.wal import lsn, segment_name, segment_number
from golive.probes.data.rows import TableSum
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BACKUP = FullBackup(
    id="b2",
    path="/backups/b2",
    started_at=NOW - timedelta(hours=3),
    finished_at=NOW - timedelta(hours=2),
    start_lsn="0/E000028",
    stop_lsn="0/E000100",
    system_identifier="7711",
    size_bytes=1_000,
)
SUMS = {"users": TableSum(4_100, "12"), "payments": TableSum(157_000, "-7")}
COPY = RestoredCopy(
    restore_s=60.0,
    recovered_to_lsn="0/12000060",
    sums=SUMS,
    known_row_present=True,
    indexes_checked=40,
    damage=(),
    signed_in_as="one@example.com",
    sign_in_refused="",
)
RESTORE = RestoreDrill(
    backup=BACKUP,
    live_system_identifier="7711",
    age_h=2.0,
    verify_failure="",
    target_lsn="0/12000060",
    standby_sums=SUMS,
    known_row="appointments 7",
    restore_failure="",
    copy=COPY,
)
ARCHIVE = WalArchive(
    backups=(BACKUP,),
    segments=40,
    missing=(),
    newest=(ArchivedSegment("00000001000000000000000F", NOW),),
    newest_age_s=20.0,
    failing_since=None,
    reach_h=400.0,
)
MOMENT = PointInTimeDrill(
    backup_id="b2",
    gap_s=60.2,
    target=NOW,
    source_timeline=1,
    restore_failure="",
    restore_s=60.0,
    first_present=True,
    second_present=False,
    copy_timeline=2,
)


def copied(**changes: Any) -> dict[str, Any]:
    return {"copy": replace(COPY, **changes)}


@pytest.fixture
def env(env_with: EnvWith) -> Environment:
    return env_with(
        postgres={"core_tables": ["users", "payments"]}, backups={"retention_days": 14.0}
    )


def test_a_good_restore_is_green(judged: Judge, env: Environment) -> None:
    assert judged("D-13.2.1", restore_drill=RESTORE, env=env) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age_h": 24.1}, "age of the newest full backup: 24.1 h; required at most 24 h"),
        ({"live_system_identifier": "9"}, "newest full backup: 7711; required 9"),
        ({"verify_failure": "base/1/2 has size 1"}, "base/1/2 has size 1; required verified"),
        ({"copy": None, "restore_failure": "no space"}, "restore of b2: no space"),
        (copied(restore_s=1801.0), "restore: 30 min|required at most 30 min"),
        (copied(recovered_to_lsn="0/13000000"), "end of the recovery: 0/13000000"),
        (copied(sums={"users": SUMS["users"]}), "missing payments"),
        (copied(sums={**SUMS, "users": TableSum(0, "0")}), "users 0"),
        (copied(sums={**SUMS, "users": TableSum(4_100, "13")}), "users .*other content"),
        (copied(sums={**SUMS, "users": TableSum(4_099, "13")}), "users .4099 of 4100 rows"),
        (copied(known_row_present=False), "row written before the backup: appointments 7"),
        (copied(damage=("ix_users: high key",)), "ix_users: high key"),
        (copied(indexes_checked=0), "no B-trees"),
        (copied(sign_in_refused="status 500"), "status 500; required accepted"),
    ],
)
def test_each_clause_of_a_restore_can_fail(
    judged: Judge, env: Environment, changes: dict[str, Any], message: str
) -> None:
    drill = replace(RESTORE, **changes)
    assert re.search(message, repr(judged("D-13.2.1", restore_drill=drill, env=env)))


def test_an_instance_started_anew_need_not_tell_where_recovery_ended(
    judged: Judge, env: Environment
) -> None:
    drill = replace(RESTORE, **copied(recovered_to_lsn=""))
    assert judged("D-13.2.1", restore_drill=drill, env=env) is None


def test_a_good_recovery_to_a_moment_is_green(judged: Judge, env: Environment) -> None:
    facts = {"wal_archive": ARCHIVE, "point_in_time_drill": MOMENT, "env": env}
    assert judged("D-13.2.2", **facts) is None


@pytest.mark.parametrize(
    ("archive", "moment", "message"),
    [
        ({"missing": ("00000001000000000000000C",)}, {}, "missing WAL segments: 0000.*C"),
        ({"segments": 0}, {}, "no archived segments"),
        (
            {"unread": Unseen(ProbeError("the WAL segment 1", "denied"))},
            {},
            "not opened: could not",
        ),
        ({"failing_since": NOW}, {}, "failing since 09:00:00 UTC; required works"),
        ({"newest_age_s": 301.0}, {}, "age of the newest segment: 5.02 min"),
        ({"reach_h": 335.0}, {}, "reaches back: 335 h; required at least 336 h"),
        ({}, {"gap_s": 59.0}, "marker rows: 59 s; required at least 60 s"),
        ({}, {"restore_failure": "ended before the target"}, "b2: ended before the target"),
        ({}, {"restore_s": 1801.0}, "required at most 30 min"),
        ({}, {"first_present": False}, "row from before .*: no; required in the copy"),
        ({}, {"second_present": True}, "row from after .*: yes; required not in the copy"),
        ({}, {"copy_timeline": 1}, "timeline of the copy: 1; required at least 2"),
    ],
)
def test_each_clause_of_a_recovery_to_a_moment_can_fail(
    judged: Judge,
    env: Environment,
    archive: dict[str, Any],
    moment: dict[str, Any],
    message: str,
) -> None:
    facts = {
        "wal_archive": replace(ARCHIVE, **archive),
        "point_in_time_drill": replace(MOMENT, **moment),
        "env": env,
    }
    assert re.search(message, repr(judged("D-13.2.2", **facts)))


def test_a_scaled_reach_takes_the_place_of_the_retention(judged: Judge, env_with: EnvWith) -> None:
    env = env_with(windows={"recovery_reach_s": 5.0}, backups={"retention_days": 30.0})
    facts = {"wal_archive": replace(ARCHIVE, reach_h=0.01), "point_in_time_drill": MOMENT}
    assert judged("D-13.2.2", **facts, env=env) is None


def test_positions_and_segments_are_counted_as_postgresql_does() -> None:
    size = 16 << 20
    assert lsn("1/2000060") == (1 << 32) + 0x2000060
    assert segment_name(1, lsn("0/FF000028") // size, size) == "0000000100000000000000FF"
    assert segment_name(3, lsn("2/10000028") // size, size) == "000000030000000200000010"
    assert segment_number("000000030000000200000010", size) == lsn("2/10000028") // size
    one_gb = 1 << 30
    assert segment_name(1, lsn("1/40000000") // one_gb, one_gb) == "000000010000000100000001"
    assert segment_number("000000010000000100000001", one_gb) == 5


# -- the archive -------------------------------------------------------------------------------

SIZE = 1 << 20
SYSTEM = 7711
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def content(
    number: int, *, timeline: int = 1, system: int = SYSTEM, flags: int = 2, magic: int = 0xD110
) -> bytes:
    """A segment as PostgreSQL begins it."""
    place = number * SIZE
    head = struct.pack("<HHIQI4xQII", magic, flags, timeline, place, 0, system, SIZE, 8192)
    return head.ljust(SIZE, b"\0")


def lay(folder: Path, number: int, suffix: str = "", *, timeline: int = 1, **what: Any) -> Path:
    """A segment in an archive, under the name of a timeline."""
    path = folder / (segment_name(timeline, number, SIZE) + suffix)
    path.write_bytes(PACKERS[suffix](content(number, **{"timeline": timeline, **what})))
    return path


def oldest_at(number: int) -> tuple[FullBackup, ...]:
    return (replace(BACKUP, start_lsn=f"{number * SIZE >> 32:X}/{number * SIZE:X}"),)


def looked_at(folder: Path, first: int, here: int, timeline: int = 1) -> WalArchive:
    return archived(folder, oldest_at(first), segment_name(timeline, here, SIZE), str(SYSTEM), SIZE)


def test_an_archive_is_whole_from_the_oldest_backup_on(tmp_path: Path) -> None:
    for number in range(3, 9):
        lay(tmp_path, number)
    found = looked_at(tmp_path, 4, 10)
    assert (found.missing, found.segments, found.unread) == ((), 5, None)
    assert found.newest[0].name == segment_name(1, 8, SIZE)
    assert looked_at(tmp_path, 4, 12).missing == (
        segment_name(1, 9, SIZE),
        segment_name(1, 10, SIZE),
    )


@pytest.mark.parametrize("suffix", [*PACKERS, ".zst", ".lz4"])
def test_packed_segments_are_opened(tmp_path: Path, suffix: str) -> None:
    path = lay(tmp_path, 5, suffix if suffix in PACKERS else "")
    if suffix in {".zst", ".lz4"}:
        program = {".zst": "zstd", ".lz4": "lz4"}[suffix]
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
        subprocess.run([program, "-q", path, f"{path}{suffix}"], check=True)
        path.unlink()
        path = Path(f"{path}{suffix}")
    assert wal.flaw(path, SYSTEM, SIZE) == ""
    assert wal.flaw(path, 7, SIZE) == "of the database system 7711"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert re.search("cannot be unpacked|of 1,048,576 bytes", wal.flaw(path, SYSTEM, SIZE))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"system": 9}, "of the database system 9"),
        ({"flags": 0}, "does not begin with a page of WAL"),
        ({"magic": 0}, "does not begin with a page of WAL"),
        ({"timeline": 2}, "of the timeline 2"),
    ],
)
def test_a_segment_of_the_right_size_may_be_none(
    tmp_path: Path, what: dict[str, Any], says: str
) -> None:
    for number in (4, 5, 6):
        lay(tmp_path, number)
    (tmp_path / segment_name(1, 5, SIZE)).write_bytes(content(5, **what))
    assert looked_at(tmp_path, 4, 8).missing == (f"{segment_name(1, 5, SIZE)} ({says})",)


def test_a_segment_under_anothers_name_or_cut_short_is_missing(tmp_path: Path) -> None:
    for number in (4, 5, 6):
        lay(tmp_path, number)
    shutil.copy(tmp_path / segment_name(1, 4, SIZE), tmp_path / segment_name(1, 5, SIZE))
    (tmp_path / segment_name(1, 6, SIZE)).write_bytes(b"\0" * 10)
    assert looked_at(tmp_path, 4, 8).missing == (
        f"{segment_name(1, 5, SIZE)} (begins at 0/400000)",
        f"{segment_name(1, 6, SIZE)} (10 of 1,048,576 bytes)",
    )
    # The newest may be on its way.
    assert looked_at(tmp_path, 4, 7).missing == (
        f"{segment_name(1, 5, SIZE)} (begins at 0/400000)",
    )


def test_another_timelines_segment_closes_no_gap(tmp_path: Path) -> None:
    for number in (4, 5, 7, 8):
        lay(tmp_path, number)
    lay(tmp_path, 6, timeline=2)  # of a copy that was promoted
    assert looked_at(tmp_path, 4, 10).missing == (segment_name(1, 6, SIZE),)


def test_an_archive_goes_on_over_a_failover(tmp_path: Path) -> None:
    for number in (4, 5, 6):
        lay(tmp_path, number)
    # It begins as a copy of what it branched off from.
    lay(tmp_path, 6, timeline=2).write_bytes(content(6, timeline=1))
    lay(tmp_path, 7, timeline=2)
    lay(tmp_path, 7)  # the former primary went on for a while
    history = tmp_path / "00000002.history"
    history.write_text(f"1\t0/{6 * SIZE + 40:X}\tno recovery target specified\n")
    assert looked_at(tmp_path, 4, 9, timeline=2).missing == ()
    (tmp_path / segment_name(2, 7, SIZE)).unlink()
    assert looked_at(tmp_path, 4, 9, timeline=2).missing == (segment_name(2, 7, SIZE),)
    history.unlink()
    assert looked_at(tmp_path, 4, 9, timeline=2).missing[:2] == (
        "00000002.history",
        segment_name(2, 4, SIZE),
    )


def test_segments_that_cannot_be_opened_are_unseen_and_hide_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (4, 6):
        lay(tmp_path, number)
    (tmp_path / (segment_name(1, 7, SIZE) + ".gz")).write_bytes(b"encrypted")
    found = looked_at(tmp_path, 4, 9)
    assert found.missing == (segment_name(1, 5, SIZE),)
    assert found.unread is not None
    assert "it is not packed as .gz says" in str(found.unread.error)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / (segment_name(1, 7, SIZE) + ".gz")).rename(
        path := tmp_path / (segment_name(1, 7, SIZE) + ".zst")
    )
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    assert "install zstd" in str(looked_at(tmp_path, 4, 9).unread.error)  # type: ignore[union-attr]


def refuse_listing(monkeypatch: pytest.MonkeyPatch, refused: Path) -> None:
    """As if another user ran golive, whatever the rights of the one who runs the tests."""
    scan = os.scandir

    def scanned(path: Any) -> Any:
        if Path(path) == refused:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scanned)


def test_a_folder_that_cannot_be_listed_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = tmp_path / "00000001", tmp_path / "00000002"
    older.mkdir()
    newer.mkdir()
    for number in (4, 5):
        lay(older, number)
    lay(newer, 6)
    assert looked_at(tmp_path, 4, 8).missing == ()
    refuse_listing(monkeypatch, newer)
    found = looked_at(tmp_path, 4, 8)
    for fact in (found.missing, found.newest, found.newest_age_s):
        assert isinstance(fact, Unseen)
        assert fact.error.subject == f"the WAL archive {newer}"
        assert fact.error.next_step == "let the user that runs golive read the WAL archive"
    assert found.segments == 2
    assert looked_at(tmp_path, 4, 7).missing == (), "what is due was found elsewhere"
    refuse_listing(monkeypatch, tmp_path)
    with pytest.raises(ProbeError, match="Permission denied"):
        looked_at(tmp_path, 4, 8)


def test_without_the_systems_identifier_all_else_of_a_segment_is_judged(tmp_path: Path) -> None:
    for number in (4, 5, 6):
        lay(tmp_path, number, system=9)
    (tmp_path / segment_name(1, 5, SIZE)).write_bytes(b"")
    system = Unseen(ProbeError("the identifier of db-1", "permission denied", "grant it"))
    found = archived(tmp_path, oldest_at(4), segment_name(1, 8, SIZE), system, SIZE)
    assert found.missing == (f"{segment_name(1, 5, SIZE)} (0 of 1,048,576 bytes)",)
    assert found.unread is system


NOT_LISTED = Unseen(ProbeError("the WAL archive /wal", "Permission denied", "let it read"))


@pytest.mark.parametrize(
    "unseen",
    [
        {"failing_since": NOT_LISTED},
        {"unread": NOT_LISTED},
        dict.fromkeys(("segments", "missing", "newest", "newest_age_s", "unread"), NOT_LISTED),
    ],
    ids=["archiver", "system", "listing"],
)
def test_what_cannot_be_seen_of_an_archive_hides_nothing_else(
    judged: Judge, env: Environment, unseen: dict[str, Any]
) -> None:
    partly = replace(ARCHIVE, **unseen)
    facts = {"wal_archive": partly, "point_in_time_drill": MOMENT, "env": env}
    claim = judged("D-13.2.2", **facts)
    assert claim is not None
    assert claim.unseen is NOT_LISTED.error
    short = replace(partly, reach_h=2.0)
    assert "recovery reaches back: 2 h" in repr(
        judged("D-13.2.2", **facts | {"wal_archive": short})
    )


def test_an_archive_of_another_timeline_alone_is_not_looked_at(tmp_path: Path) -> None:
    lay(tmp_path, 4, timeline=3)
    with pytest.raises(ProbeError, match="no WAL segment of the timeline 1"):
        looked_at(tmp_path, 4, 6)


# -- the commands of an environment ------------------------------------------------------------

ENTRY = {
    "id": "b1",
    "path": "/backups/b1",
    "started_at": "2026-11-22T01:00:00Z",
    "finished_at": "2026-11-22T02:00:00Z",
    "start_lsn": "0/2000028",
    "stop_lsn": "0/2000100",
    "system_identifier": "7711",
    "size_bytes": 5,
    "tool": "told, and not needed",
}


def reported(document: object) -> dict[str, Any]:
    return {"list_command": ["echo", json.dumps(document).replace("{", "{{").replace("}", "}}")]}


def test_backups_are_listed_oldest_first(env_with: EnvWith) -> None:
    later = {**ENTRY, "id": "b2", "finished_at": "2026-11-23T02:00:00+02:00"}
    found = full_backups(env_with(backups=reported([later, ENTRY])))
    assert [b.id for b in found] == ["b1", "b2"]
    assert found[0].system_identifier == "7711"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "there is none"),
        ([{**ENTRY, "finished_at": "2026-11-22T02:00:00"}], "finished_at"),
        ([{k: v for k, v in ENTRY.items() if k != "start_lsn"}], "start_lsn"),
    ],
)
def test_a_list_that_is_none_is_not_looked_at(
    env_with: EnvWith, document: object, said: str
) -> None:
    with pytest.raises(ProbeError, match=said):
        full_backups(env_with(backups=reported(document)))


def backups_on_disk(tmp_path: Path, restore: str, discard: str = "exit 0") -> dict[str, Any]:
    """Commands that note what they are asked for."""
    note = f"echo $0 $@ >> {tmp_path}/asked;"
    return {
        "restore_command": ["sh", "-c", note + restore, "restore", "{name}", "{kind}", "{target}"],
        "discard_command": ["sh", "-c", note + discard, "discard", "{name}"],
    }


ANSWER = """echo '{{"host": "127.0.0.1", "port": 1}}'"""


def test_a_copy_is_discarded_before_and_after(tmp_path: Path, env_with: EnvWith) -> None:
    env = env_with(backups=backups_on_disk(tmp_path, ANSWER))

    def use() -> None:
        with restored(env, BACKUP, "lsn", "0/3", name="copy", clock=Deadline(60)) as copy:
            raise KeyError(copy.name, copy.port)

    with pytest.raises(KeyError, match="'copy', 1"):
        use()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["discard copy", "restore copy lsn 0/3", "discard copy"]


def test_a_restore_that_fails_is_a_finding_and_cleaned_up(
    tmp_path: Path, env_with: EnvWith
) -> None:
    env = env_with(backups=backups_on_disk(tmp_path, "echo the archive ends too early >&2; exit 1"))
    with (
        pytest.raises(CommandFailed, match="the archive ends too early"),
        restored(env, BACKUP, "time", "x", name="copy", clock=Deadline(60)),
    ):
        pytest.fail("there is no copy")
    assert (tmp_path / "asked").read_text().count("discard") == 2


def test_a_copy_that_stays_is_told_and_is_no_failed_restore(
    tmp_path: Path, env_with: EnvWith
) -> None:
    env = env_with(backups=backups_on_disk(tmp_path, ANSWER, discard="exit 1"))
    with (
        pytest.raises(ProbeError, match="remove the instance copy by hand") as caught,
        restored(env, BACKUP, "time", "x", name="copy", clock=Deadline(60)),
    ):
        pytest.fail("an old copy is in the way")
    assert not isinstance(caught.value, CommandFailed)


@pytest.mark.parametrize("probe", [restore_drill, wal_archive])
def test_a_dead_database_is_not_looked_at(
    probe: Callable[[Environment], object], env_with: EnvWith, dead_port: int
) -> None:
    nodes = [
        {"name": "db-1", "role": "primary", "host": "127.0.0.1", "port": dead_port},
        {"name": "db-2", "role": "standby", "host": "127.0.0.1", "port": dead_port},
    ]
    env = env_with(
        postgres={"nodes": nodes}, backups={**reported([ENTRY]), "verify_command": ["true"]}
    )
    with pytest.raises(ProbeError, match=f"db-1 at 127.0.0.1:{dead_port}"):
        probe(env)
