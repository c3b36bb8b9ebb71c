"""Backups and recovery: the items on literal facts, and the steps of the drills."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.backup.backups import (
    ArchivedSegment,
    FullBackup,
    PointInTimeDrill,
    RestoredCopy,
    RestoreDrill,
    WalArchive,
    full_backups,
    lsn,
    restore_drill,
    restored,
    segment_name,
    segment_number,
    wal_archive,
)
from golive.probes.data.rows import TableSum
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.verdicts import ProbeError

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
