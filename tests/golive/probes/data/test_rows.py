"""Sums and notes of rows, on a server of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from golive.probes.data.rows import (
    RowChanges,
    RowNotes,
    TableSum,
    column_names,
    share_percent,
    table_sums,
    unlike,
    user_tables,
)
from golive.verdicts import ProbeError
from rehearsal.kernel import binaries

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A PostgreSQL that listens on a port of loopback."""
    server, initdb = binaries.find("postgres"), binaries.find("initdb")
    as_user, folder = binaries.as_user("postgres"), tmp_path_factory.mktemp("rows")
    data = folder / "data"
    for outer in (folder, *folder.parents[:2]):
        outer.chmod(0o755)
    data.mkdir()
    binaries.give_away(data)
    environment = {**os.environ, **server.environment}
    subprocess.run(
        [*as_user, initdb.path, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        env=environment,
        check=True,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    settings = [f"port={number}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
    words = [word for setting in (*settings, "fsync=off") for word in ("-c", setting)]
    process = subprocess.Popen(
        [*as_user, server.path, "-D", data, *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ends = time.monotonic() + 60
        while True:
            try:
                _open(number).close()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < ends, "the server did not start"
                time.sleep(0.05)
        yield number
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(data, ignore_errors=True)


def _open(port: int, database: str = "postgres") -> Connection:
    where = f"host=127.0.0.1 port={port} user=postgres dbname={database}"
    return psycopg.connect(where, autocommit=True, row_factory=namedtuple_row)


@pytest.fixture
def db(port: int) -> Iterator[Connection]:
    """A connection to an empty database."""
    with closing(_open(port)) as admin:
        admin.execute("drop database if exists rows with (force)")
        admin.execute("create database rows")
    with closing(_open(port, "rows")) as connection:
        connection.execute(
            "create table t (id bigint primary key, t text, at timestamptz, much float8);"
            "insert into t select n, 'row ' || n, '2026-01-01Z'::timestamptz + n * '1h'::interval,"
            " n / 3.0 from generate_series(1, 1000) n"
        )
        yield connection


def test_sums_do_not_depend_on_order_or_settings(db: Connection) -> None:
    before = table_sums(db, ["t"])
    assert before["t"].rows == 1000
    db.execute("update t set t = t where id % 3 = 0")
    db.execute("set timezone = 'Asia/Tokyo'; set datestyle = 'SQL'; set extra_float_digits = 0")
    assert table_sums(db, ["t"]) == before


@pytest.mark.parametrize(
    "change",
    [
        "update t set much = much + 1e-12 where id = 7",
        "update t set t = null where id = 7",
        "update t set at = at + '1us'::interval where id = 7",
        "delete from t where id = 7",
        "insert into t values (0, 'row 0')",
    ],
)
def test_any_change_changes_the_sum(db: Connection, change: str) -> None:
    before = table_sums(db, ["t"])
    db.execute(change.encode())
    assert table_sums(db, ["t"]) != before


def test_a_table_that_is_not_there_has_no_sum(db: Connection) -> None:
    assert list(table_sums(db, ["t", "none", "public.t"])) == ["t", "public.t"]


def test_names_may_be_odd(db: Connection) -> None:
    db.execute('create schema "Odd"; create table "Odd"."select ""all""" (a int)')
    assert user_tables(db) == ['Odd.select "all"', "t"]
    assert table_sums(db, user_tables(db))['Odd.select "all"'] == TableSum(0, "0")
    assert user_tables(db, without=["t"]) == ['Odd.select "all"']


def test_every_odd_name_is_quoted_before_it_is_a_name_in_sql(db: Connection) -> None:
    db.execute(
        """
        create schema "a.b";
        create schema "q""t";
        create table "Order Items" ("Id" bigint primary key, "Mail %" text);
        create table "v1.2" ("x.y" int);
        create table "a.b"."c.d" (e int);
        create table "q""t".z (e int)
        """
    )
    tables = user_tables(db)
    assert tables == ['"a.b".c.d', '"q""t".z', "Order Items", "public.v1.2", "t"]
    assert set(table_sums(db, tables)) == set(tables)
    assert [column_names(db, table) for table in tables[:4]] == [
        ["e"],
        ["e"],
        ["Id", "Mail %"],
        ["x.y"],
    ]
    notes = RowNotes(db, tables)
    notes.note("before")
    db.execute("""insert into "Order Items" values (1, 'ada@example.com')""")
    notes.note("after", beyond="before")
    assert notes.compare("before")["Order Items"].added == 1


def test_a_table_without_columns_is_none(db: Connection) -> None:
    db.execute("create table nothing (); create table emptied (a int)")
    db.execute("alter table emptied drop column a")
    assert user_tables(db) == ["t"]


def test_partitions_are_one_table(db: Connection) -> None:
    db.execute(
        "create table p (id int) partition by hash (id);"
        "create table p0 partition of p for values with (modulus 1, remainder 0);"
        "insert into p values (1), (2)"
    )
    assert user_tables(db) == ["p", "t"]
    assert table_sums(db, ["p"])["p"].rows == 2


def test_every_noted_row_is_followed(db: Connection) -> None:
    notes = RowNotes(db, ["t"])
    notes.note("older")
    db.execute("alter table t add column version int not null default 1")
    db.execute("delete from t where id <= 2; update t set t = 'x' where id = 3")
    db.execute("insert into t values (2000, 'new')")
    assert notes.compare("older") == {"t": RowChanges(1000, 2, 1, 1, ())}
    assert not notes.compare("older")["t"].intact


def test_rows_beyond_an_earlier_note_are_followed_alone(db: Connection) -> None:
    notes = RowNotes(db, ["t"])
    notes.note("older")
    db.execute("insert into t values (2000, 'new'), (2001, 'new')")
    notes.note("newer", beyond="older")
    db.execute("delete from t where id = 2001")
    found = notes.compare("newer")["t"]
    assert (found.noted, found.missing, found.changed) == (2, 1, 0)
    assert notes.compare("older")["t"].intact


def test_a_dropped_column_is_told_and_so_is_a_dropped_table(db: Connection) -> None:
    db.execute("create table u (id int primary key); insert into u values (1)")
    notes = RowNotes(db, ["t", "u"])
    notes.note("older")
    db.execute("alter table t drop column much; drop table u")
    found = notes.compare("older")
    assert found["t"] == RowChanges(1000, 0, 1000, 0, ("much",))
    assert found["u"].dropped_columns == ("id",)
    assert not found["t"].intact
    assert "without the column much" in str(found["t"])


def test_rows_without_a_key_are_told_apart_by_their_content(db: Connection) -> None:
    db.execute("create table log (said text); insert into log values ('a'), ('a'), (null)")
    notes = RowNotes(db, ["log"])
    notes.note("older")
    assert notes.compare("older")["log"].intact
    db.execute("delete from log where ctid = '(0,1)'")
    assert notes.compare("older")["log"].changed == 1


def test_columns_that_may_change_are_left_out(db: Connection) -> None:
    notes = RowNotes(db, ["t"], ignoring=["t.t"])
    notes.note("older")
    db.execute("update t set t = 'x'")
    assert notes.compare("older")["t"].intact


def test_a_declared_table_that_is_not_there_is_told(db: Connection) -> None:
    with pytest.raises(ProbeError, match=r"the table none in database rows"):
        RowNotes(db, ["none"])


def test_what_is_unlike_is_told_with_its_rows() -> None:
    wanted = {"a": TableSum(2, "5"), "b": TableSum(1, "1"), "c": TableSum(3, "9")}
    found = {"a": TableSum(2, "6"), "b": TableSum(1, "1")}
    assert unlike(found, wanted) == ["a (2 of 2 rows, other content)", "c (no of 3 rows)"]


def test_shares_count_what_is_absent_as_none() -> None:
    assert share_percent({"a": 90}, {"a": 100, "b": 10, "c": 0}) == {"a": 90.0, "b": 0.0}


def test_changes_read_well() -> None:
    assert str(RowChanges(1000, 2, 1, 0, ())) == "2 missing and 1 changed of 1,000"
    assert str(RowChanges(5, 0, 0, 9, ())) == "all the same of 5"
