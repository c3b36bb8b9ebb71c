"""The reference application against a real PostgreSQL and Redis that this file starts."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from rehearsal.app import migrate
from rehearsal.app.__main__ import main
from rehearsal.app.seed import SeedError, seed
from rehearsal.app.settings import DEFAULT_PASSWORD, Settings, SettingsError
from rehearsal.app.workload import workload
from rehearsal.kernel import binaries, ports

VISITS = 6_000
CLIENT = {"email": "client00007@example.com", "password": DEFAULT_PASSWORD}
BARBER = {"email": "barber00001@example.com", "password": DEFAULT_PASSWORD}
SECRETS = {"SECRET_KEY": "s" * 32, "JWT_SECRET_KEY": "j" * 32}


def _free_port() -> int:
    """Below the range that the kernel hands out by itself."""
    return next(p for p in random.sample(range(10_000, 19_999), 100) if ports.free(p))


def _wait(ready: Callable[[], Any], process: subprocess.Popen[bytes], within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        try:
            return ready()
        except OSError:
            time.sleep(0.02)
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(f"{process.args!r} was not ready within {within_s} s")


def _listens(port: int) -> None:
    socket.create_connection(("127.0.0.1", port)).close()


class Server:
    """A scratch PostgreSQL; ``database`` copies a prepared one in a moment."""

    def __init__(self, folder: Path) -> None:
        found, self.port = binaries.find("postgres"), _free_port()
        environment = {**os.environ, **found.environment}
        data = folder / "data"
        data.mkdir()
        binaries.give_away(folder)
        before = binaries.as_user("postgres")
        initdb = binaries.find("initdb").path
        subprocess.run(
            [*before, initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            env=environment,
        )
        settings = {
            "unix_socket_directories": "",
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "fsync": "off",
            "jit": "off",
            "max_connections": 120,
        }
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self.process = subprocess.Popen(
            [*before, found.path, "-D", data, *words],
            env=environment,
            stderr=(folder / "log").open("wb"),
        )
        _wait(lambda: self.sql("postgres", "SELECT 1"), self.process)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def sql(self, database: str, statement: str) -> list[Any]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def database(self, name: str, template: str = "template1") -> str:
        self.sql("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("postgres"))
    yield started
    started.process.send_signal(signal.SIGINT)  # fast: does not wait for clients
    started.process.wait(timeout=60)


@pytest.fixture(scope="module")
def prepared(server: Server) -> dict[str, Any]:
    """Databases ``old`` (v1.9.0) and ``new`` (v2.0.0), both seeded; what seeding ``old`` said."""
    reported: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, release in (("old", "v1.9.0"), ("new", "v2.0.0")):
            patch.setenv("DATABASE_URL", server.database(name))
            migrate.run(release, "upgrade")
            reported[name] = seed(VISITS, datetime.now(UTC).date())
    return reported


@pytest.fixture
def old(server: Server, prepared: object, monkeypatch: pytest.MonkeyPatch) -> str:
    return _copy(server, "old", monkeypatch)


@pytest.fixture
def new(server: Server, prepared: object, monkeypatch: pytest.MonkeyPatch) -> str:
    return _copy(server, "new", monkeypatch)


def _copy(server: Server, template: str, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("DATABASE_URL", server.database(f"copy_of_{template}", template))
    return f"copy_of_{template}"


def _app(server: Server, database: str, version: str = "2.0.0", **more: Any) -> TestClient:
    from rehearsal.app.web import create_app

    url = server.url(database).replace("postgresql", "postgresql+psycopg")
    settings = Settings(
        url,
        "app-1",
        version,
        **{
            "secret_key": "s" * 32,
            "jwt_secret_key": "j" * 32,
            "bcrypt_rounds": 4,
            "pool_size": 5,
            **more,
        },
    )
    return TestClient(create_app(settings), base_url="http://app", follow_redirects=False)


def _sign_in(http: TestClient, person: dict[str, str]) -> dict[str, str]:
    answer = http.post("/api/v2/auth/login", json=person)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def _next_slot(http: TestClient, barber: int, ahead: int = 1) -> tuple[str, list[str]]:
    for days in range(ahead, 40):
        day = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
        query: dict[str, str | int] = {"appointment_date": day, "barber_id": barber}
        slots = http.get("/api/v2/appointments/slots", params=query).json()["slots"]
        if len(free := [slot["time"] for slot in slots if slot["available"]]) > 3:
            return day, free
    raise AssertionError(f"barber {barber} has no free time")


def _barber_id(server: Server, database: str) -> int:
    found: int = server.sql(database, "SELECT min(id) FROM users WHERE role = 'barber'")[0][0]
    return found


def _checksums(server: Server, database: str) -> dict[str, str]:
    """Of all rows, per table, over the columns that v1.9.0 knows."""
    sums = {}
    columns = server.sql(
        database,
        """
        SELECT table_name, string_agg(column_name, ', ' ORDER BY column_name)
        FROM information_schema.columns WHERE table_schema = 'public'
        AND table_name <> 'alembic_version' AND column_name NOT IN
            ('version', 'confirmation_code', 'unified_role')
        GROUP BY table_name""",
    )
    for table, names in columns:
        rows = f"(SELECT {names} FROM {table}) t"
        query = f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM {rows}"
        sums[table] = server.sql(database, query)[0][0]
    return sums


class TestMigrations:
    def test_lead_in_one_line_to_the_head_of_v2(self) -> None:
        heads: Any = migrate.heads()
        order = [step["revision"] for step in heads["revisions"]]
        releases = heads["releases"]
        assert heads["heads"] == [releases["v2.0.0"]] == [order[-1]]
        before = order.index(releases["v1.9.0"]) + 1
        assert before >= 3
        assert len(order) - before >= 4

    def test_reach_the_declared_schema(self, server: Server, new: str) -> None:
        declared = json.loads((migrate.HERE / "schema-v2.0.0.json").read_text())
        assert json.loads(json.dumps(migrate.schema())) == declared

    def test_keep_every_row_on_the_way_up_and_down(self, server: Server, old: str) -> None:
        schema, rows = migrate.schema(), _checksums(server, old)
        up: Any = migrate.run("v2.0.0", "upgrade")
        assert len(up["revisions"]) >= 4
        after = _checksums(server, old)
        assert {table: after[table] for table in rows} == rows
        assert migrate.run("v2.0.0", "upgrade")["revisions"] == []
        migrate.run("v1.9.0", "downgrade")
        assert migrate.schema() == schema
        assert _checksums(server, old) == rows

    def test_go_all_the_way_down(self, server: Server, old: str) -> None:
        migrate.run("base", "downgrade")
        assert not any(migrate.schema().values())

    def test_lose_only_what_is_declared(self, server: Server, new: str) -> None:
        schema = migrate.schema()
        migrate.run("v1.9.0", "downgrade")
        columns = set(schema["columns"]) - set(migrate.schema()["columns"])
        tables = set(schema["tables"]) - set(migrate.schema()["tables"])
        declared = {(loss["table"], loss["column"]) for loss in migrate.losses()}
        lost = {tuple(name.split(".")) for name in columns if name.split(".")[0] not in tables}
        assert lost | {(table, "*") for table in tables} == declared

    def test_keep_rows_written_by_v2(self, server: Server, new: str) -> None:
        with _app(server, new) as http:
            person = _sign_in(http, CLIENT)
            barber = _barber_id(server, new)
            day, free = _next_slot(http, barber)
            body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
            visit = http.post("/api/v2/appointments/", json=body, headers=person).json()
        rows = _checksums(server, new)
        migrate.run("v1.9.0", "downgrade")
        kept = _checksums(server, new)
        assert kept == {table: rows[table] for table in kept}
        with _app(server, new, "1.9.0") as http:
            found = http.get(f"/api/v2/appointments/{visit['id']}", headers=_sign_in(http, CLIENT))
        assert found.json()["start_time"] == visit["start_time"]

    def test_log_start_each_step_and_end(
        self, server: Server, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = tmp_path / "migration.jsonl"
        monkeypatch.setenv("MIGRATION_LOG", str(log))
        done: Any = migrate.run("v2.0.0", "upgrade")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert [lines[0]["event"], lines[-1]["event"]] == ["start", "end"]
        ended = [line for line in lines if line["event"] == "step-end"]
        assert [line["revision"] for line in ended] == done["revisions"]
        assert all(line["duration_s"] >= 0 for line in ended)

    def test_stop_at_a_duplicate_and_go_on_once_it_is_gone(
        self, server: Server, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = tmp_path / "migration.jsonl"
        monkeypatch.setenv("MIGRATION_LOG", str(log))
        server.sql(old, "UPDATE payments SET stripe_payment_intent_id = 'pi_twice' WHERE id < 3")
        with pytest.raises(migrate.MigrationError, match=r"0007_unique_codes.*pi_twice"):
            migrate.run("v2.0.0", "upgrade")
        assert json.loads(log.read_text().splitlines()[-1])["event"] == "failed"
        server.sql(old, "UPDATE payments SET stripe_payment_intent_id = 'pi_1' WHERE id = 1")
        migrate.run("v2.0.0", "upgrade")
        declared = json.loads((migrate.HERE / "schema-v2.0.0.json").read_text())
        assert json.loads(json.dumps(migrate.schema())) == declared

    def test_wait_only_briefly_for_a_lock_and_try_again(self, server: Server, old: str) -> None:
        with psycopg.connect(server.url(old)) as holder:
            holder.execute("SELECT count(*) FROM appointments")
            releasing = threading.Timer(2.6, holder.rollback)
            releasing.start()
            took: Any = migrate.run("0004_booking_version", "upgrade")
            releasing.join()
        assert took["seconds"] > 2.5

    def test_run_one_at_a_time(self, server: Server, old: str) -> None:
        with psycopg.connect(server.url(old), autocommit=True) as other:
            other.execute(f"SELECT pg_advisory_lock({migrate.RUN_LOCK})")
            with pytest.raises(migrate.MigrationError, match="another migration runs"):
                migrate.run("v2.0.0", "upgrade")

    @pytest.mark.parametrize(
        ("target", "direction"),
        [("v1.9.0", "upgrade"), ("nonsense", "upgrade"), ("v3.0.0", "downgrade")],
    )
    def test_refuse_a_target_that_no_way_leads_to(
        self, server: Server, new: str, target: str, direction: str
    ) -> None:
        with pytest.raises(migrate.MigrationError, match=f"no {direction} leads from"):
            migrate.run(target, direction)

    def test_let_v1_serve_before_during_and_after(self, server: Server, old: str) -> None:
        """Bookings of v1.9.0 go on while the schema moves up and down, and none fails."""
        statuses, stop = [], threading.Event()
        barber = _barber_id(server, old)
        with _app(server, old, "1.9.0") as http:
            person = _sign_in(http, CLIENT)

            def customer() -> None:
                n = 0
                while not stop.is_set():
                    n += 1
                    day = (datetime.now(UTC).date() + timedelta(days=50 + n // 16)).isoformat()
                    clock = f"{9 + n % 16 // 2:02}:{30 * (n % 2):02}"
                    body = {"date": day, "time": clock, "service": "Shave", "barber_id": barber}
                    made = http.post("/api/v2/appointments/", json=body, headers=person)
                    statuses.append(made.status_code)
                    names = {"first_name": "New", "last_name": "Client"}
                    registration = {
                        "email": f"n{n}@example.com",
                        "password": "Long enough",
                        **names,
                    }
                    new = http.post("/api/v2/auth/register-client", json=registration)
                    statuses.append(new.status_code)

            busy = threading.Thread(target=customer)
            busy.start()
            try:
                migrate.run("v2.0.0", "upgrade")
                moved_up = len(statuses)
                time.sleep(0.3)
                migrate.run("v1.9.0", "downgrade")
                time.sleep(0.3)
            finally:
                stop.set()
                busy.join()
        assert 0 < moved_up < len(statuses)
        assert set(statuses) == {200}

    def test_digest_covers_every_file(self, tmp_path: Path) -> None:
        copy = tmp_path / "migrations"
        shutil.copytree(migrate.HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        before = migrate.digest(copy)["sha256"]
        assert before == migrate.digest()["sha256"]
        changed = copy / "versions" / "0006_backfill.py"
        changed.write_text(changed.read_text() + "\n")
        assert migrate.digest(copy)["sha256"] != before

    def test_second_head_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy = tmp_path / "migrations"
        shutil.copytree(migrate.HERE, copy)
        (copy / "versions" / "0010_stray.py").write_text(
            'revision = "0010_stray"\ndown_revision = "0008_unified_role_required"\n'
        )
        monkeypatch.setenv("MIGRATIONS_DIR", str(copy))
        heads = migrate.heads()
        assert heads["single_head"] is False
        assert heads["heads"] == ["0009_mfa_and_exports", "0010_stray"]


class TestSchema:
    def test_every_foreign_key_is_indexed_and_no_index_is_there_twice(
        self, server: Server, new: str
    ) -> None:
        bare = server.sql(
            new,
            """
            SELECT o.conname FROM pg_constraint o WHERE o.contype = 'f' AND NOT EXISTS
            (SELECT 1 FROM pg_index i WHERE i.indrelid = o.conrelid AND i.indkey[0] = o.conkey[1]
             AND i.indpred IS NULL)""",
        )
        twice = server.sql(
            new,
            """
            SELECT indrelid::regclass, indkey FROM pg_index GROUP BY indrelid, indkey, indclass,
            indexprs::text, indpred::text HAVING count(*) > 1""",
        )
        assert (bare, twice) == ([], [])

    @pytest.mark.parametrize(("database", "v"), [("old", "1.9.0"), ("new", "2.0.0")])
    def test_the_application_knows_only_columns_that_exist(
        self, server: Server, prepared: object, database: str, v: str
    ) -> None:
        from rehearsal.app.storage import Tables

        there = set(
            server.sql(database, "SELECT table_name, column_name FROM information_schema.columns")
        )
        tables = vars(Tables(Settings("", version=v))).values()
        known = {(table.name, column.name) for table in tables for column in table.c}
        assert known
        assert known <= there


class TestSeed:
    def test_has_production_shape(self, server: Server, prepared: dict[str, Any]) -> None:
        rows = prepared["new"]["rows"]
        assert rows["appointments"] == VISITS
        assert all(count > 0 for count in rows.values()), rows

    @pytest.mark.parametrize(
        ("claim", "query"),
        [
            (
                "no barber has two visits at once",
                """
                SELECT count(*) FROM appointments a JOIN appointments b
                ON a.barber_id = b.barber_id AND a.id < b.id
                AND b.start_time < a.start_time + a.duration_minutes * interval '1 minute'
                AND a.start_time < b.start_time + b.duration_minutes * interval '1 minute'""",
            ),
            (
                "completed visits are paid in full",
                """
                SELECT count(*) FROM appointments a LEFT JOIN
                (SELECT appointment_id, sum(amount) AS paid FROM payments GROUP BY 1) p
                ON p.appointment_id = a.id
                WHERE a.status = 'completed' AND paid IS DISTINCT FROM price""",
            ),
            (
                "refunds equal what was refunded",
                """
                SELECT count(*) FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id
                WHERE (p.status = 'refunded') <> (r.amount IS NOT DISTINCT FROM p.amount)""",
            ),
            (
                "payouts equal the payments less the fee",
                """
                SELECT count(*) FROM payouts o WHERE amount <>
                (SELECT sum(p.amount - p.platform_fee) FROM payments p
                 JOIN appointments a ON a.id = p.appointment_id
                 WHERE a.barber_id = o.barber_id AND p.status = 'succeeded'
                 AND a.start_time >= o.period_start
                 AND a.start_time < o.period_end + interval '24 h')""",
            ),
            (
                "no e-mail address is there twice",
                "SELECT count(*) - count(DISTINCT lower(email)) FROM users",
            ),
            (
                "every table was analysed",
                """
                SELECT count(*) FROM pg_class c WHERE relkind = 'r' AND reltuples < 1
                AND relnamespace = 'public'::regnamespace""",
            ),
            (
                "past visits are over and coming ones are not",
                """
                SELECT count(*) FROM appointments
                WHERE (start_time < current_date) = (status IN ('pending', 'confirmed'))
                AND status <> 'cancelled'""",
            ),
        ],
    )
    def test_holds(self, server: Server, prepared: object, claim: str, query: str) -> None:
        assert server.sql("new", query) == [(0,)], claim

    def test_sequences_stand_at_the_largest_id(self, server: Server, prepared: Any) -> None:
        for table in prepared["new"]["rows"]:
            last, largest = server.sql(
                "new",
                f"""
                SELECT pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')), max(id)
                FROM {table}""",
            )[0]
            assert last == largest, table

    def test_is_the_same_every_time(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        sums = []
        for name in ("once", "again"):
            monkeypatch.setenv("DATABASE_URL", server.database(name))
            migrate.run("v1.9.0", "upgrade")
            seed(400, date(2026, 3, 2))
            sums.append(_checksums(server, name))
        assert sums[0]["appointments"]
        assert sums[0] == sums[1]

    def test_refuses_a_database_that_holds_users(self, server: Server, new: str) -> None:
        with pytest.raises(SeedError, match="already holds users"):
            seed(400, date(2026, 3, 2))


class TestApi:
    @pytest.fixture
    def http(self, server: Server, new: str) -> Iterator[TestClient]:
        with _app(server, new) as client:
            yield client

    def test_register_verify_login_me_refresh(self, http: TestClient, server: Server) -> None:
        person = {"email": "Nora@Example.com", "password": "A fine secret"}
        made = http.post("/api/v2/auth/register", json={**person, "name": "Nora"})
        assert made.status_code == 200
        assert made.json()["user"]["unified_role"] == "barber"
        assert "password" not in made.text
        early = http.post("/api/v2/auth/login", json=person)
        assert (early.status_code, early.json()["error"]["type"]) == (403, "email_not_verified")
        payload = server.sql(
            "copy_of_new", "SELECT payload FROM notification_queue ORDER BY id DESC LIMIT 1"
        )[0][0]
        assert http.get("/api/v2/auth/verify-email", params=payload).status_code == 200
        tokens = http.post("/api/v2/auth/login", json=person).json()
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        me = http.get("/api/v2/auth/me", headers=header).json()
        assert (me["email"], me["email_verified"]) == ("nora@example.com", True)
        body = {"refresh_token": tokens["refresh_token"]}
        assert http.post("/api/v2/auth/refresh", json=body).json()["access_token"]
        again = http.post("/api/v2/auth/register", json={**person, "name": "Nora"})
        assert again.json()["error"]["type"] == "email_taken"

    def test_register_client(self, http: TestClient) -> None:
        body = {
            "email": "c@example.com",
            "password": "A fine secret",
            "first_name": "C",
            "last_name": "D",
        }
        made = http.post("/api/v2/auth/register-client", json=body).json()
        header = {"Authorization": f"Bearer {made['access_token']}"}
        assert http.get("/api/v2/auth/me", headers=header).json()["role"] == "client"

    def test_refuses_what_is_not_signed_in(self, http: TestClient) -> None:
        wrong = http.post("/api/v2/auth/login", json={**CLIENT, "password": "nope"})
        none = http.get("/api/v2/auth/me")
        forged = http.get("/api/v2/auth/me", headers={"Authorization": "Bearer x.y.z"})
        refresh = http.post("/api/v2/auth/login", json=CLIENT).json()["refresh_token"]
        kind = http.get("/api/v2/auth/me", headers={"Authorization": f"Bearer {refresh}"})
        for answer in (wrong, none, forged, kind):
            assert answer.status_code == 401
            assert set(answer.json()["error"]) == {"type", "message"}

    def test_book_reschedule_cancel(self, http: TestClient, server: Server) -> None:
        person, barber = _sign_in(http, CLIENT), _barber_id(server, "copy_of_new")
        day, free = _next_slot(http, barber)
        body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
        key = {**person, "Idempotency-Key": "k-1"}
        visit = http.post("/api/v2/appointments/", json=body, headers=key)
        assert visit.status_code == 200, visit.text
        assert visit.json()["start_time"].startswith(f"{day}T{free[0]}")
        repeated = http.post("/api/v2/appointments/", json=body, headers=key)
        assert repeated.json() == visit.json()
        other = {**body, "time": free[1]}
        assert http.post("/api/v2/appointments/", json=other, headers=key).status_code == 409
        taken = http.post("/api/v2/appointments/", json=body, headers=person)
        assert taken.json()["error"]["type"] == "slot_taken"
        path = f"/api/v2/appointments/{visit.json()['id']}"
        moved = http.post(
            f"{path}/reschedule", json={"date": day, "time": free[-1]}, headers=person
        )
        assert moved.json()["start_time"].startswith(f"{day}T{free[-1]}")
        assert http.put(f"{path}/cancel", headers=person).json()["status"] == "cancelled"
        assert http.put(f"{path}/cancel", headers=person).status_code == 409
        assert _next_slot(http, barber)[1] == free
        listed = http.get("/api/v2/appointments/", headers=person).json()
        assert visit.json()["id"] in [row["id"] for row in listed["appointments"]]
        assert listed["total"] >= len(listed["appointments"])

    def test_never_books_one_time_twice(self, http: TestClient, server: Server) -> None:
        barber = _barber_id(server, "copy_of_new")
        day, free = _next_slot(http, barber)
        body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
        people = [
            _sign_in(http, {**CLIENT, "email": f"client{n:05}@example.com"}) for n in range(1, 9)
        ]
        statuses: list[int] = []
        threads = [
            threading.Thread(
                target=lambda person=person: statuses.append(
                    http.post("/api/v2/appointments/", json=body, headers=person).status_code
                )
            )
            for person in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [409] * 7

    def test_forbids_what_belongs_to_others(self, http: TestClient, server: Server) -> None:
        person = _sign_in(http, CLIENT)
        own = server.sql(
            "copy_of_new",
            f"""SELECT a.id FROM appointments a JOIN users u
            ON u.id = a.user_id WHERE u.email <> '{CLIENT["email"]}' LIMIT 1""",
        )[0][0]
        barber = _barber_id(server, "copy_of_new")
        for answer in (
            http.get(f"/api/v2/appointments/{own}", headers=person),
            http.get("/api/v2/appointments/all/list", headers=person),
            http.put(f"/api/v2/barbers/{barber}/profile", headers=person, json={"bio": "x"}),
        ):
            assert answer.status_code == 403
            assert answer.json()["error"]["type"] == "permission_denied"

    def test_names_what_is_missing_or_malformed(self, http: TestClient) -> None:
        person = _sign_in(http, CLIENT)
        missing = http.get("/api/v2/appointments/999999999", headers=person)
        assert (missing.status_code, missing.json()) == (404, {"detail": "Appointment not found"})
        bad = {"date": "soon", "time": "25:00", "service": ""}
        reported = http.post("/api/v2/appointments/", json=bad, headers=person)
        assert reported.status_code == 422
        assert {row["loc"][-1] for row in reported.json()["detail"]} == {"date", "time", "service"}
        past = {"date": "2020-01-06", "time": "10:00", "service": "Shave"}
        refused = http.post("/api/v2/appointments/", json=past, headers=person)
        assert refused.json()["error"]["type"] == "in_the_past"

    def test_refuses_values_that_cannot_be_stored(self, http: TestClient) -> None:
        person = _sign_in(http, CLIENT)
        for answer in (
            http.get(f"/api/v2/appointments/{2**70}", headers=person),
            http.get("/api/v2/appointments/slots?appointment_date=9999-12-31"),
            http.post("/api/v2/auth/login", json={"email": "\0@example.com", "password": "x"}),
        ):
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_value")
        long = {**CLIENT, "password": "é" * 100}
        assert http.post("/api/v2/auth/login", json=long).status_code == 401

    def test_services_and_barbers(self, http: TestClient, server: Server) -> None:
        person, barber = _sign_in(http, BARBER), _barber_id(server, "copy_of_new")
        services = http.get("/api/v2/services/", headers=person).json()
        assert {"Haircut", "Shave", "Haircut & Shave"} <= {row["name"] for row in services}
        one = http.get(f"/api/v2/services/{services[0]['id']}", headers=person).json()
        assert one == services[0]
        assert http.get("/api/v2/services/categories", headers=person).json()
        assert http.get(f"/api/v2/services/barbers/{barber}", headers=person).json()
        listed = http.get("/api/v2/barbers/").json()
        assert barber in [row["id"] for row in listed]
        assert http.get(f"/api/v2/barbers/{barber}").json()["role"] == "barber"
        changed = http.put(f"/api/v2/barbers/{barber}/profile", headers=person, json={"bio": "New"})
        assert changed.json()["bio"] == "New"
        shop = http.get("/api/v2/appointments/all/list", headers=person).json()
        assert shop["total"] > 0
        assert http.get("/api/v2/dashboard/overview", headers=person).json()["upcoming"]

    def test_health_tells_instance_revision_and_client(self, http: TestClient) -> None:
        assert http.get("/health").json()["status"] == "healthy"
        reported = http.get(
            "/api/v1/health/detailed", headers={"X-Forwarded-For": "192.0.2.7, 10.0.0.1"}
        )
        body = reported.json()
        assert (body["instance"], body["version"]) == ("app-1", "2.0.0")
        assert body["schema_revision"] == migrate.releases()["v2.0.0"]
        assert body["client_address"] == "192.0.2.7"
        assert body["status"] == "degraded"
        assert reported.headers["X-Instance"] == "app-1"
        assert reported.headers["X-App-Version"] == "2.0.0"
        assert http.get("/api/v1/health/database").status_code == 200
        assert http.get("/api/v1/health/redis").status_code == 503
        for path in ("", "dependencies"):
            assert http.get(f"/api/v1/health/{path}").json()["status"] == "degraded"

    def test_health_is_red_without_its_database(self, server: Server) -> None:
        with _app(server, "nowhere") as http:
            assert http.get("/health").status_code == 200
            away = http.get("/api/v1/health/")
            assert (away.status_code, away.json()["status"]) == (503, "unhealthy")
            failed = http.post("/api/v2/auth/login", json=CLIENT)
            assert failed.json()["error"]["type"] == "database_unavailable"

    def test_pages_and_who_may_keep_them(self, http: TestClient) -> None:
        home = http.get("/")
        assets = {part.split('"')[0] for part in home.text.split('="/static/')[1:]}
        assert len(assets) >= 12
        for name in assets:
            kept = http.get(f"/static/{name}")
            assert kept.status_code == 200
            assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert http.get("/dashboard").headers["Location"] == "/login"
        wrong = http.post("/login", content="email=x%40example.com&password=%3Cb%3E")
        assert (wrong.status_code, "Incorrect email" in wrong.text) == (401, True)
        entered = http.post("/login", data=CLIENT)
        assert entered.headers["Location"] == "/dashboard"
        assert "HttpOnly" in entered.headers["Set-Cookie"]
        mine = http.get("/dashboard")
        assert CLIENT["email"] in mine.text
        assert mine.headers["Cache-Control"] == "private, no-store"
        assert "private" in http.get("/book").headers["Cache-Control"]
        assert http.get("/api/v2/barbers/").headers["Cache-Control"] == "no-store"
        http.post("/logout")
        assert http.get("/dashboard").status_code == 303

    def test_both_versions_serve_the_new_schema(self, server: Server, new: str) -> None:
        for version in ("1.9.0", "2.0.0"):
            with _app(server, new, version) as http:
                barber = _barber_id(server, new)
                day, free = _next_slot(http, barber)
                body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
                made = http.post("/api/v2/appointments/", json=body, headers=_sign_in(http, CLIENT))
                assert made.status_code == 200
        codes = server.sql(
            new, "SELECT confirmation_code IS NULL FROM appointments ORDER BY id DESC LIMIT 2"
        )
        assert codes == [(False,), (True,)]


_ROUNDS = 15
"""Of the load, on a machine that is slow or busy."""


class TestFigures:
    def test_workload_fills_the_histograms(self, server: Server, new: str) -> None:
        """As the rehearsal does it: an instance of its own, and load over HTTP."""
        port = _free_port()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rehearsal.app",
                "serve",
                "--port",
                str(port),
                "--instance",
                "app-9",
                "--version",
                "v2.0.0",
            ],
            env={**os.environ, **SECRETS, "DATABASE_URL": server.url(new)},
        )
        try:
            _wait(partial(_listens, port), process)
            for _ in range(_ROUNDS):
                done: Any = workload(f"http://127.0.0.1:{port}", 4, 40, None)
                assert set(done["by_status"]) <= {"200", "409"}
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                    lines = answer.read().decode().splitlines()
                counts = [
                    float(line.split()[-1])
                    for line in lines
                    if line.startswith("bookedbarber_db_query_seconds_count")
                ]
                if sum(counts) >= 1_000:
                    break
            names = server.sql(
                new,
                f"SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = '{new}'",
            )
        finally:
            process.terminate()
            assert process.wait(timeout=60) in (0, -15)
        assert ("bookedbarber-app-9",) in names
        assert sum(counts) >= 1_000
        assert len([count for count in counts if count]) >= 24
        assert 'statement="unnamed"' not in "".join(lines)
        assert any(line.startswith("bookedbarber_db_pool_connections") for line in lines)
        assert 'bookedbarber_build_info{instance="app-9",version="2.0.0"} 1.0' in lines
        assert any('route="/api/v2/appointments/{appointment_id}"' in line for line in lines)

    def test_a_fault_slows_one_statement_and_no_answer_changes(
        self, server: Server, new: str, tmp_path: Path
    ) -> None:
        faults = tmp_path / "faults.json"
        with _app(server, new, faults_file=faults) as http:

            def timed() -> tuple[float, Any]:
                began = time.perf_counter()
                body = http.get("/api/v2/barbers/").json()
                return time.perf_counter() - began, body

            timed()
            _, before = timed()
            faults.write_text(json.dumps({"slow_statement": {"name": "barbers.list", "ms": 2000}}))
            slow_s, during = timed()
            faults.write_text("{}")
            quick_s, after = timed()
        assert before == during == after
        assert slow_s > 2.0 > quick_s

    def test_a_fault_slows_a_write_too(self, server: Server, new: str, tmp_path: Path) -> None:
        faults = tmp_path / "faults.json"
        faults.write_text('{"slow_statement": {"name": "notifications.insert", "ms": 200}}')
        body = {"email": "slow@example.com", "name": "S", "password": "A fine secret"}
        with _app(server, new, faults_file=faults) as http:
            assert http.post("/api/v2/auth/register", json=body).status_code == 200
            text = http.get("/metrics").text
        sums = [
            line
            for line in text.splitlines()
            if line.startswith(
                'bookedbarber_db_query_seconds_sum{statement="notifications.insert"}'
            )
        ]
        assert float(sums[0].split()[-1]) > 0.2


class TestCache:
    def test_serves_from_redis_and_without_it(self, server: Server, new: str) -> None:
        port, found = _free_port(), binaries.find("redis-server")
        process = subprocess.Popen(
            [
                found.path,
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--requirepass",
                "pass",
            ],
            env={**os.environ, **found.environment},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(partial(_listens, port), process)
            with _app(server, new, redis_url=f"redis://:pass@127.0.0.1:{port}/0") as http:
                person = _sign_in(http, CLIENT)
                first = http.get("/api/v2/auth/me", headers=person).json()
                assert http.get("/api/v2/auth/me", headers=person).json() == first
                services = http.get("/api/v2/services/", headers=person).json()
                assert http.get("/api/v2/services/", headers=person).json() == services
                barber = _barber_id(server, new)
                day, free = _next_slot(http, barber)
                assert _next_slot(http, barber) == (day, free)
                body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
                http.post("/api/v2/appointments/", json=body, headers=person)
                assert free[0] not in _next_slot(http, barber)[1]
                assert http.get("/api/v1/health/").json()["status"] == "healthy"
                hits = [
                    line
                    for line in http.get("/metrics").text.splitlines()
                    if line.startswith('bookedbarber_cache_requests_total{result="hit"}')
                ]
                assert float(hits[0].split()[-1]) >= 3
                process.terminate()
                process.wait(timeout=60)
                assert http.get("/api/v2/auth/me", headers=person).json() == first
                assert http.get("/api/v1/health/").json()["status"] == "degraded"
        finally:
            process.kill()
            process.wait(timeout=60)

    def test_finds_its_primary_through_a_sentinel(
        self, server: Server, new: str, tmp_path: Path
    ) -> None:
        listening, found = (_free_port(), _free_port()), binaries.find("redis-server")
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"port {listening[1]}\nbind 127.0.0.1\nrequirepass watch\n"
            f"sentinel monitor shop 127.0.0.1 {listening[0]} 1\nsentinel auth-pass shop pass\n"
        )
        primary = ["--port", str(listening[0]), "--bind", "127.0.0.1", "--requirepass", "pass"]
        processes = [
            subprocess.Popen(
                [found.path, *words],
                stdout=subprocess.DEVNULL,
                cwd=tmp_path,
                env={**os.environ, **found.environment},
            )
            for words in (primary, [config, "--sentinel"])
        ]
        try:
            for port, process in zip(listening, processes, strict=True):
                _wait(partial(_listens, port), process)
            with _app(
                server,
                new,
                redis_url="redis://:pass@127.0.0.1:1/0",
                redis_master="shop",
                redis_sentinels=(("127.0.0.1", listening[1]),),
                redis_sentinel_password="watch",
            ) as http:
                assert http.get("/api/v1/health/redis").json()["status"] == "healthy"
        finally:
            for process in processes:
                process.kill()
                process.wait(timeout=60)


class TestCommands:
    def test_print_one_document(
        self, server: Server, new: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for command in ("heads", "digest", "schema"):
            assert main([command]) == 0
            assert json.loads(capsys.readouterr().out)

    def test_fail_with_one_paragraph(
        self, server: Server, new: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["migrate", "--to", "v7.0.0"]) == 1
        reported = capsys.readouterr()
        assert reported.out == ""
        assert reported.err.startswith("migrate: no upgrade leads from")

    @pytest.mark.parametrize(
        ("changed", "reported"),
        [
            ({"DATABASE_URL": ""}, "DATABASE_URL"),
            ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
            ({"SECRET_KEY": "short"}, "SECRET_KEY"),
            ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE"),
            ({"REDIS_SENTINELS": "one"}, "REDIS_SENTINELS"),
        ],
    )
    def test_a_bad_setting_is_named(self, changed: dict[str, str], reported: str) -> None:
        good = {**SECRETS, "DATABASE_URL": "postgresql://x@127.0.0.1/y"}
        assert Settings.from_environment("app-1", "v1.9.0", good).version == "1.9.0"
        with pytest.raises(SettingsError, match=reported):
            Settings.from_environment("app-1", "2.0.0", {**good, **changed})
        with pytest.raises(SettingsError, match=r"2\.1\.0"):
            Settings.from_environment("app-1", "2.1.0", good)
