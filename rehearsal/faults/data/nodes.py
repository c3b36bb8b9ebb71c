"""Faults of single database servers: gone, promoted, cut off, damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg

from rehearsal.faults import fault
from rehearsal.kernel import binaries
from rehearsal.kernel.world import Rehearsal

STANDBY = "postgres-standby"
BEFORE = "standby-before"
SCRATCH = "fault_pages"
PAGE_BYTES = 8192


@fault(
    "standby-stopped",
    # Whatever looks at the standby, pauses it or counts what streams has nothing to look at.
    expect_fail=["D-14.1.1"],
    touches=["postgres"],
    title="the standby does not run",
)
def standby_stopped(r: Rehearsal) -> None:
    r.stop(STANDBY)


@standby_stopped.revert
def start_the_standby(r: Rehearsal) -> None:
    r.start(STANDBY)


@fault(
    "standby-promoted",
    expect_fail=["D-14.1.1"],
    touches=["postgres"],
    title="the standby was promoted beside the primary",
    within_s=60,
)
def standby_promoted(r: Rehearsal) -> None:
    r.stop(STANDBY)
    _put(r.data(STANDBY), r.path("state", BEFORE))
    # Its new timeline has no place in the archive of the primary's.
    r.override(STANDBY, archive_command="true")
    r.start(STANDBY)
    r.standby.sql("select pg_promote()")


@standby_promoted.revert
def follow_again(r: Rehearsal) -> None:
    r.stop(STANDBY)
    r.clear_override(STANDBY, "archive_command")
    _put(r.path("state", BEFORE), r.data(STANDBY))
    shutil.rmtree(r.path("state", BEFORE))
    r.start(STANDBY)


def _put(folder: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    to.chmod(0o700)
    binaries.give_away(to)


@fault(
    "standby-cut-off",
    expect_fail=["D-14.1.1"],
    touches=["postgres/standby"],
    title="the standby knows no primary to stream from",
    settled=lambda r: not _streams(r),
    reverted=lambda r: _streams(r),
)
def standby_cut_off(r: Rehearsal) -> None:
    r.standby.sql("alter system set primary_conninfo = ''")
    r.standby.sql("select pg_reload_conf()")


@standby_cut_off.revert
def stream_again(r: Rehearsal) -> None:
    r.standby.sql("alter system reset primary_conninfo")
    r.standby.sql("select pg_reload_conf()")


def _streams(r: Rehearsal) -> bool:
    return bool(r.primary.sql("select 1 from pg_stat_replication where state = 'streaming'"))


@fault(
    "standby-without-checksums",
    expect_fail=["D-14.1.1"],
    touches=["postgres/standby"],
    title="the standby's pages carry no checksums",
    within_s=60,
)
def standby_without_checksums(r: Rehearsal) -> None:
    _checksums(r, "--disable")


@standby_without_checksums.revert
def checksums_again(r: Rehearsal) -> None:
    _checksums(r, "--enable")


def _checksums(r: Rehearsal, how: str) -> None:
    r.stop(STANDBY)
    server = binaries.find("postgres")
    program = server.path.with_name("pg_checksums")
    subprocess.run(
        [*binaries.as_user("postgres"), str(program), how, "-D", str(r.data(STANDBY))],
        env={**os.environ, **server.environment},
        capture_output=True,
        check=True,
    )
    r.start(STANDBY)


@fault(
    "page-damaged",
    # In a database of its own: its counters go with it.
    expect_fail=["D-14.1.1"],
    touches=["postgres/fault_pages"],
    title="a page of the primary does not match its checksum",
    settled=lambda r: bool(_damaged(r)),
    reverted=lambda r: not _damaged(r),
)
def page_damaged(r: Rehearsal) -> None:
    r.primary.sql(f"create database {SCRATCH} template template0")
    r.primary.sql("create table pages as select 1 as n", database=SCRATCH)
    [(name,)] = r.primary.sql("select pg_relation_filepath('pages')", database=SCRATCH)
    r.primary.sql("checkpoint")
    # A page behind the others, which nobody has in memory.
    with (r.data("postgres-primary") / name).open("ab") as file:
        file.write(b"\x5a" * PAGE_BYTES)
    try:
        r.primary.sql("select count(*) from pages", database=SCRATCH)
    except psycopg.errors.DataCorrupted:
        return
    raise AssertionError("a damaged page was read as if it were none")


@page_damaged.revert
def drop_the_page(r: Rehearsal) -> None:
    r.primary.sql(f"drop database if exists {SCRATCH} with (force)")


def _damaged(r: Rehearsal) -> list[tuple[int]]:
    query = "select checksum_failures from pg_stat_database where checksum_failures > 0"
    return r.primary.sql(query)
