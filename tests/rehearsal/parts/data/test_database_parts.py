"""PostgreSQL with its standby, and PgBouncer, as the rehearsal sets them up."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rehearsal import lifecycle
from rehearsal.data import backups, prepared
from rehearsal.data.prepared import APPOINTMENTS, RENEW_H, SEGMENT_MB
from rehearsal.data.prepared import FOLDER as PREPARED
from rehearsal.kernel.world import APP_ROLE, DATABASE, MONITOR_ROLE, Rehearsal
from rehearsal.parts.data.pgbouncer import ADMIN
from rehearsal.parts.data.postgres import SLOT, archive_folder, next_segment, scram_verifier


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("database") / "it's 100% a rehearsal")
    lifecycle.up(rehearsal, only=("postgres-standby", "pgbouncer"), say=lambda _: None)
    yield rehearsal
    lifecycle.down(rehearsal, say=lambda _: None)


def setting(r: Rehearsal, name: str) -> object:
    return r.primary.sql("select current_setting(%s)", [name])[0][0]


def test_the_primary_is_set_up_as_production_asks(r: Rehearsal) -> None:
    wanted = {
        "data_checksums": "on",
        "fsync": "on",
        "wal_level": "replica",
        "archive_mode": "on",
        "track_io_timing": "on",
        "shared_preload_libraries": "pg_stat_statements",
        "ssl": "on",
        "password_encryption": "scram-sha-256",
    }
    assert {name: setting(r, name) for name in wanted} == wanted


def test_the_data_has_the_size_of_production_and_fresh_statistics(r: Rehearsal) -> None:
    assert r.primary.sql("select count(*) from appointments")[0][0] >= APPOINTMENTS
    stale = """
        select relname from pg_stat_user_tables where last_analyze is null
        or last_analyze < now() - make_interval(hours => %s)"""
    assert r.primary.sql(stale, [RENEW_H + 1]) == []


def test_prepared_backups_are_of_this_cluster_and_its_archive_goes_on(r: Rehearsal) -> None:
    found = backups.known(r)
    assert len(found) == 2
    [[identifier]] = r.primary.sql("select system_identifier from pg_control_system()")
    assert {one.system_identifier for one in found} == {str(identifier)}
    assert {Path(one.path).parent for one in found} == {r.folder / "backups"}
    next_segment(r.primary)
    [[last]] = r.primary.sql("select pg_walfile_name(pg_current_wal_lsn() - 1)")
    r.wait(f"{last} is archived", lambda: (archive_folder(r) / str(last)).exists())
    state = backups.archive(r)
    assert state["missing"] == []
    assert state["segments"] >= 10


def test_old_prepared_data_gets_new_backups_and_keeps_its_rows(
    r: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prepared"
    folder.mkdir()
    monkeypatch.setattr(prepared, "FOLDER", folder)
    other = Rehearsal(tmp_path / "other")
    [made] = [one for one in PREPARED.glob("[!.]*") if _is_of(one, r)]
    prepared.copy_tree(made, folder / made.name, link=True)
    before = {one.id for one in backups.known(Rehearsal(folder / made.name))}
    monkeypatch.setattr(prepared, "RENEW_H", 0)
    prepared.lay_out(other)
    after = backups.known(other)
    assert len(after) == 2
    assert before.isdisjoint(one.id for one in after)
    assert {one.system_identifier for one in after} == {backups.known(r)[0].system_identifier}
    for one in after:
        r.tool("pg_verifybackup", "--quiet", one.path)


def test_backups_are_packed_once_for_all_rehearsals(r: Rehearsal, tmp_path: Path) -> None:
    other = Rehearsal(tmp_path / "other")
    packed = []
    for one in (r, other):
        if one is other:
            prepared.lay_out(other)
        prepared.pack(one)
        packed.append({p.name: p.stat().st_mtime_ns for p in one.path("backups").glob("*.tar.gz")})
    assert packed[0] == packed[1]
    assert set(packed[0]) == {f"{one.id}.tar.gz" for one in backups.known(r)}


def _is_of(folder: Path, r: Rehearsal) -> bool:
    return {one.id for one in backups.known(Rehearsal(folder))} == {
        one.id for one in backups.known(r)
    }


def test_no_foreign_key_trigger_stays_off(r: Rehearsal) -> None:
    assert r.primary.sql("select count(*) from pg_trigger where tgisinternal")[0][0] > 0
    assert r.primary.sql("select tgname from pg_trigger where tgenabled <> 'O'") == []


def test_the_seed_broke_no_foreign_key(r: Rehearsal) -> None:
    """It was loaded with the triggers off."""
    keys = r.primary.sql("""
        select conrelid::regclass::text, a.attname, confrelid::regclass::text, b.attname
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
        where contype = 'f' and cardinality(conkey) = 1""")
    assert len(keys) > 5
    for table, column, other, key in keys:
        orphans = (
            f"select count(*) from {table} t where t.{column} is not null "
            f"and not exists (select from {other} o where o.{key} = t.{column})"
        )
        assert (table, column, r.primary.sql(orphans)[0][0]) == (table, column, 0)


def test_the_standby_replays_what_the_primary_commits(r: Rehearsal) -> None:
    table = f"golive_monitor.seen_{secrets.token_hex(4)}"
    r.primary.sql(f"create table {table} as select 42 as answer", user=MONITOR_ROLE)
    r.wait(
        "the standby has the table", lambda: r.standby.sql(f"select * from {table}") == [(42,)], 10
    )
    r.primary.sql(f"drop table {table}")
    slots = r.primary.sql("select slot_name, active from pg_replication_slots")
    assert slots == [(SLOT, True)]


def test_wal_is_archived_whole_and_never_replaced(r: Rehearsal) -> None:
    [(segment,)] = r.primary.sql("select pg_walfile_name(pg_switch_wal())")
    archived = archive_folder(r) / segment
    r.wait(f"{segment} is archived", archived.exists, within_s=60)
    assert archived.stat().st_size == SEGMENT_MB << 20
    assert r.primary.sql("select failed_count from pg_stat_archiver") == [(0,)]
    script = r.folder / "data" / "archive-wal"
    other = r.path("other")
    other.write_text("something else")
    import subprocess

    assert subprocess.run([script, other, segment]).returncode != 0
    assert subprocess.run([script, archived, segment]).returncode == 0
    assert archived.stat().st_size == SEGMENT_MB << 20


@pytest.mark.parametrize("options", ["sslmode=disable", "password=wrong sslmode=require"])
def test_nobody_comes_in_without_tls_and_password(r: Rehearsal, options: str) -> None:
    dsn = f"host=127.0.0.1 port={r.port('postgres-primary')} dbname={DATABASE} user=postgres"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"{dsn} password={r.secret('postgres')} {options}").close()


def test_statements_show_no_password(r: Rehearsal) -> None:
    texts = [row[0] for row in r.primary.sql("select query from pg_stat_statements")]
    assert not [text for text in texts if "SCRAM" in text or "password" in text.lower()]


def test_the_monitoring_role_may_look_but_not_touch(r: Rehearsal) -> None:
    index = "select bt_index_check('appointments_pkey'::regclass)"
    assert r.primary.sql(index, user=MONITOR_ROLE)
    assert r.primary.sql("select * from pgstattuple('users')", user=MONITOR_ROLE)
    assert r.primary.sql("select pg_logical_emit_message(true, 'a', 'b')", user=MONITOR_ROLE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        r.primary.sql("create table public.mine ()", user=MONITOR_ROLE)


def test_the_pooler_serves_the_application_in_transaction_mode(r: Rehearsal) -> None:
    pooler = f"host=127.0.0.1 port={r.port('pgbouncer')} sslmode=require"
    with psycopg.connect(
        f"{pooler} dbname={DATABASE} user={APP_ROLE}", password=r.secret(APP_ROLE)
    ) as connection:
        row = connection.execute("select current_user, count(*) > 0 from services").fetchone()
        assert row == (APP_ROLE, True)
    with psycopg.connect(
        f"{pooler} dbname=pgbouncer user={ADMIN}", password=r.secret(ADMIN), autocommit=True
    ) as console:
        cursor = console.cursor(row_factory=psycopg.rows.dict_row)
        config = {row["key"]: row["value"] for row in cursor.execute("show config")}
    assert config["pool_mode"] == "transaction"


def test_a_setting_put_in_place_holds_from_the_next_start(r: Rehearsal) -> None:
    r.override("postgres-primary", work_mem="9MB")
    try:
        r.restart("postgres-primary")
        assert setting(r, "work_mem") == "9MB"
    finally:
        r.clear_override("postgres-primary")
        r.restart("postgres-primary")
    assert setting(r, "work_mem") == "4MB"
    r.wait(
        "the standby streams again",
        lambda: bool(r.primary.sql("select 1 from pg_stat_replication")),
        within_s=60,
    )


def test_a_verifier_is_the_one_postgresql_accepts() -> None:
    """The example of RFC 7677, with its salt in place of ours."""
    verifier = scram_verifier("user", "pencil")
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    assert verifier == scram_verifier("user", "pencil")
    assert verifier != scram_verifier("other", "pencil")
