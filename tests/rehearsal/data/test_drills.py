from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from rehearsal import lifecycle
from rehearsal.data import backup_failures, backups, drills, release
from rehearsal.kernel import control
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A database with its standby and backups: what drills need, and no more."""
    rehearsal = Rehearsal(tmp_path_factory.mktemp("drills"))
    lifecycle.up(rehearsal, only=["release", "postgres-standby"], say=lambda _: None)
    try:
        yield rehearsal
    finally:
        lifecycle.down(rehearsal, say=lambda _: None)


@contextmanager
def copy(r: Rehearsal, name: str, **target: Any) -> Iterator[drills.Copy]:
    drills.restore(r, "newest", name, **target)
    try:
        yield drills.known(r, name)
    finally:
        drills.discard(r, name)


def ask(r: Rehearsal, made: drills.Copy, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(drills.dsn(made), password=r.secret("postgres")) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def archive_now(r: Rehearsal) -> str:
    """Complete the segment being written; its name, once it is in the archive."""
    [[name]] = r.primary.sql("select pg_walfile_name(pg_switch_wal())")
    r.wait(f"{name} is archived", lambda: r.path("wal-archive", str(name)).exists())
    return str(name)


def test_two_full_backups_are_there_and_match_their_manifests(r: Rehearsal) -> None:
    found = backups.known(r)
    assert len(found) == 2
    [[identifier]] = r.primary.sql("select system_identifier from pg_control_system()")
    for one in found:
        assert one.system_identifier == str(identifier)
        assert one.size_bytes > 50_000_000
        r.tool("pg_verifybackup", "--quiet", one.path)


def test_a_recovery_ends_at_its_target_on_a_new_timeline(r: Rehearsal) -> None:
    r.primary.sql("create table if not exists drill_marker (label text, at timestamptz)")
    mark = "insert into drill_marker values (%s, clock_timestamp()) returning at"
    [[first]] = r.primary.sql(mark, ["first"])
    [[lsn]] = r.primary.sql("select pg_current_wal_lsn()::text")
    r.primary.sql("select pg_sleep(0.2)")
    [[second]] = r.primary.sql(mark, ["second"])
    archive_now(r)
    between = (first + (second - first) / 2).isoformat()
    everything = "select label from drill_marker order by at"
    with copy(r, "by-time", target_time=between) as made:
        assert ask(r, made, everything) == [("first",)]
        [[timeline]] = ask(r, made, "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")
        assert int(str(timeline), 16) == 2
    with copy(r, "by-lsn", target_lsn=lsn, inclusive=False) as made:
        assert ask(r, made, everything) == [("first",)]
    with copy(r, "to-the-end") as made:
        assert ask(r, made, everything) == [("first",), ("second",)]


def test_a_backup_that_is_started_as_it_is_lacks_what_came_later(r: Rehearsal) -> None:
    r.primary.sql("create table if not exists golive_monitor.came_later ()")
    archive_now(r)
    r.override("drills", replays=False)
    try:
        with copy(r, "bare") as made:
            query = "select 1 from pg_class where relname = 'came_later'"
            assert ask(r, made, query) == []
            assert ask(r, made, "select timeline_id from pg_control_checkpoint()") == [(1,)]
    finally:
        r.clear_override("drills", "replays")
        r.primary.sql("drop table golive_monitor.came_later")


def test_what_a_fault_has_for_a_copy_is_run_on_it_alone(r: Rehearsal) -> None:
    r.override("drills", after_restore="delete from refunds")
    try:
        with copy(r, "spoilt") as made:
            assert ask(r, made, "select count(*) from refunds") == [(0,)]
    finally:
        r.clear_override("drills", "after_restore")
    assert r.primary.sql("select 1 from refunds limit 1") == [(1,)]


def test_an_unreachable_target_is_told_and_leaves_nothing(r: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match="target was reached"):
        drills.restore(r, "newest", "never", target_lsn="FF/0")
    assert not r.path("scratch", "never").exists()
    assert "scratch-never" not in r.running()


def test_a_missing_segment_stops_a_recovery(r: Rehearsal) -> None:
    r.primary.sql("create table if not exists drill_gap ()")
    lost = r.path("wal-archive", archive_now(r))
    [[lsn]] = r.primary.sql("select pg_current_wal_lsn()::text")
    r.primary.sql("drop table drill_gap")
    archive_now(r)
    aside = lost.rename(lost.with_name(".aside"))
    try:
        with pytest.raises(RehearsalError):
            drills.restore(r, "newest", "gap", target_lsn=lsn)
    finally:
        aside.rename(lost)


def test_names_are_checked_and_taken_once(r: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match="no name for a copy"):
        drills.restore(r, "newest", "../elsewhere")
    with pytest.raises(RehearsalError, match="There is no copy 'nobody'"):
        drills.known(r, "nobody")
    assert drills.discard(r, "nobody") == {"name": "nobody", "discarded": False}
    with copy(r, "once"), pytest.raises(RehearsalError, match="already"):
        drills.restore(r, "newest", "once")


def test_a_copy_migrates_serves_and_rolls_back(r: Rehearsal) -> None:
    drills.copy_of(r, "launch", "v1.9.0")
    try:
        made = drills.known(r, "launch")
        heads = release.heads(release.migrations(r))
        before = drills.schema(r, "launch")
        up = drills.migrate(r, "launch", "v2.0.0")
        assert up["revisions"][-1] == heads["v2.0.0"]
        assert drills.migrate(r, "launch", "v2.0.0")["revisions"] == []
        served = drills.serve(r, "launch", "v2.0.0")
        with urllib.request.urlopen(f"{served['url']}/health", timeout=5) as answer:
            assert answer.headers["X-App-Version"].endswith("2.0.0")
        drills.roll_back(r, "launch", "v1.9.0")
        assert drills.schema(r, "launch") == before
        assert ask(r, made, "select version_num from alembic_version") == [(heads["v1.9.0"],)]
        last = json.loads(r.migration_log.read_text().splitlines()[-1])
        assert (last["event"], last["direction"]) == ("end", "downgrade")
    finally:
        drills.discard(r, "launch")
    assert not [name for name in r.running() if name.startswith("scratch")]


def test_the_live_database_notices_nothing_of_a_copy(r: Rehearsal) -> None:
    with copy(r, "apart") as made:
        ask(r, made, "create table only_here ()")
        assert r.primary.sql("select to_regclass('only_here')") == [(None,)]
        [[mode]] = ask(r, made, "show archive_mode")
        assert mode == "off"


def test_archiving_can_fail_on_purpose_and_catches_up(r: Rehearsal) -> None:
    backup_failures.repair(r, "archive-failure")  # harmless where there is nothing
    backup_failures.induce(r, "archive-failure")
    failing = "select last_failed_time > last_archived_time from pg_stat_archiver"
    r.wait("the archiver fails", lambda: r.primary.sql(failing) == [(True,)])
    backup_failures.repair(r, "archive-failure")
    assert r.primary.sql(failing) == [(False,)]
    assert backups.archive(r)["missing"] == []


def git(r: Rehearsal, *words: str) -> str:
    return subprocess.run(
        ["git", "--git-dir", str(release.repository(r)), *words],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_release_tags_are_the_same_commits_wherever_they_are_made(r: Rehearsal) -> None:
    tags = ("v1.9.0", "v2.0.0")
    first = [git(r, "rev-parse", tag) for tag in tags]
    release.publish(r)
    assert [git(r, "rev-parse", tag) for tag in tags] == first
    old, new = (set(git(r, "ls-tree", "-r", "--name-only", tag).split()) for tag in tags)
    heads = release.heads()
    assert f"migrations/versions/{heads['v1.9.0']}.py" in old
    assert f"migrations/versions/{heads['v2.0.0']}.py" in new - old


def test_the_checkout_can_be_put_back(r: Rehearsal) -> None:
    digest = drills.describe(r, "digest")["sha256"]
    stray = release.migrations(r) / "versions" / "9999_stray.py"
    stray.write_text('revision = "9999_stray"\ndown_revision = "0001"\n')
    assert drills.describe(r, "digest")["sha256"] != digest
    release.restore_checkout(r)
    assert drills.describe(r, "digest")["sha256"] == digest


def test_a_command_prints_one_json_document_and_fails_in_one_paragraph(r: Rehearsal) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rehearsal", *words],
            env={"GOLIVE_REHEARSAL": str(r.folder), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )

    listed = run("backups")
    assert [one["id"] for one in json.loads(listed.stdout)] == [b.id for b in backups.known(r)]
    failed = run("restore", "--backup", "lost", "--to", "x")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("There is no backup 'lost'")


def test_down_ends_scratch_instances_too(r: Rehearsal) -> None:
    drills.restore(r, "newest", "left")
    lifecycle.down(r, say=lambda _: None)
    assert control.leftovers(r.folder) == []
