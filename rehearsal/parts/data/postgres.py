"""PostgreSQL: a primary with WAL archive, and a streaming standby with a slot of its own.

Both begin as copies of one seeded cluster, see ``rehearsal.data.prepared``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically, write_secret
from rehearsal.kernel.world import (
    APP_ROLE,
    BURST_ROLE,
    DATABASE,
    MONITOR_ROLE,
    OWNER_ROLE,
    PROJECT,
    Database,
    Rehearsal,
)
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.traffic.hosts import authority, tls

VERSION = "v2.0.0"
REPLICATION_ROLE = "replicator"
SLOT = "postgres_standby"
ROLES = ("postgres", OWNER_ROLE, APP_ROLE, MONITOR_ROLE, BURST_ROLE, REPLICATION_ROLE)

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "5s",  # a minute of a rehearsal is long
    "wal_level": "replica",
    "max_wal_size": "1GB",
    "archive_mode": "on",
    "archive_timeout": "60s",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "wal_sender_timeout": "10s",
    "wal_receiver_status_interval": "1s",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "track_io_timing": "on",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "ssl_min_protocol_version": "TLSv1.2",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d %h %a ",
    "log_connections": "on",
    "log_statement": "ddl",
    "log_lock_waits": "on",
    "log_min_duration_statement": "500ms",
    "log_checkpoints": "off",
}
HBA = """\
# Every connection is encrypted and shows a password, also on loopback.
hostssl replication {replication} 127.0.0.1/32 scram-sha-256
hostssl all all 127.0.0.1/32 scram-sha-256
"""
OPERATOR_ROLE = "bookedbarber_operators"
OPERATORS = ("dana", "drew", "omar", "noor")
"""The people who may change data by hand; their roles go by their ids."""
ROLES_SQL = f"""
create role {OWNER_ROLE} login;
create role {APP_ROLE} login;
create role {MONITOR_ROLE} login;
create role {BURST_ROLE} login;
create role {REPLICATION_ROLE} login replication;
create role {OPERATOR_ROLE};
{"".join(f"create role {one} login in role {OPERATOR_ROLE};" for one in OPERATORS)}
grant {APP_ROLE} to {OPERATOR_ROLE};
create database {DATABASE} owner {OWNER_ROLE};
"""
GRANTS_SQL = f"""
create extension pg_stat_statements;
create extension amcheck;
create extension pgstattuple;
grant usage on schema public to {APP_ROLE};
alter default privileges for role {OWNER_ROLE} in schema public
    grant select, insert, update, delete on tables to {APP_ROLE};
alter default privileges for role {OWNER_ROLE} in schema public
    grant usage, select on sequences to {APP_ROLE};
grant pg_monitor, pg_read_all_data, {APP_ROLE} to {MONITOR_ROLE};
grant execute on function bt_index_check(regclass) to {MONITOR_ROLE};
grant execute on function bt_index_check(regclass, boolean) to {MONITOR_ROLE};
grant execute on function
    verify_heapam(regclass, boolean, boolean, text, bigint, bigint) to {MONITOR_ROLE};
grant execute on function pg_wal_replay_pause() to {MONITOR_ROLE};
grant execute on function pg_wal_replay_resume() to {MONITOR_ROLE};
grant execute on function pg_switch_wal() to {MONITOR_ROLE};
grant execute on function pg_create_restore_point(text) to {MONITOR_ROLE};
create schema {MONITOR_ROLE} authorization {MONITOR_ROLE};
"""
ARCHIVE_SCRIPT = """\
#!/bin/sh
# Archives one WAL segment: %p %f. It shows under its name only when it is complete, and a
# segment of that name with other content is never replaced.
set -e
archive={archive}
if [ -e "$archive/$2" ]; then
    exec cmp -s "$1" "$archive/$2"
fi
cp "$1" "$archive/.$2.part"
sync "$archive/.$2.part"
mv "$archive/.$2.part" "$archive/$2"
"""


def archive_folder(r: Rehearsal) -> Path:
    """Where completed WAL segments go."""
    return r.path("wal-archive")


class Server(Part):
    """What primary and standby have in common."""

    binary = "postgres"
    stop_signal = signal.SIGINT  # fast: sessions are cut, a checkpoint is written
    death_signal = signal.SIGQUIT  # immediate, children included; the next start recovers
    stop_within_s = 5.0
    unprivileged = True

    def command(self, r: Rehearsal) -> list[str]:
        server = str(binaries.find("postgres").path)
        return [server, "-D", str(r.data(self.name)), "-p", str(r.port(self.name))]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return dict(binaries.find("postgres").environment)

    def ready(self, r: Rehearsal) -> bool:
        import psycopg  # see Database.connect

        with psycopg.connect(
            host="127.0.0.1",
            port=r.port(self.name),
            dbname=DATABASE,
            user="postgres",
            password=r.secret("postgres"),
            connect_timeout=2,
        ) as connection:
            row = connection.execute("select pg_is_in_recovery()").fetchone()
        return row == (self.name == "postgres-standby",)

    def configure(self, r: Rehearsal, extra: dict[str, str]) -> None:
        """Write configuration, certificate and access rules into the data directory."""
        data = r.data(self.name)
        names = ["localhost", "127.0.0.1", f"{self.name}.bookedbarber.test"]
        certificate = authority(r).issue(self.name, names)
        shutil.copy(certificate.chain, data / "server.pem")
        write_secret(data / "server.key", certificate.key.read_text())
        (data / "pg_hba.conf").write_text(HBA.format(replication=REPLICATION_ROLE))
        settings = {**SETTINGS, **extra, **r.overrides(self.name)}
        lines = [f"{key} = {configured(str(value))}" for key, value in settings.items()]
        (data / "postgresql.conf").write_text("\n".join(lines) + "\n")
        (data / "postmaster.pid").unlink(missing_ok=True)  # the supervisor proved it stale
        data.chmod(0o700)
        binaries.give_away(data)

    def archive_command(self, r: Rehearsal) -> str:
        archive = archive_folder(r)
        archive.mkdir(exist_ok=True)
        script = r.path("data", "archive-wal")
        # The primary may be running it while the standby is prepared.
        text = ARCHIVE_SCRIPT.format(archive=shell_quoted(str(archive)))
        write_atomically(script, text, 0o755)
        binaries.give_away(archive)
        return f"{shell_quoted(str(script)).replace('%', '%%')} %p %f"

    def endpoints(self, r: Rehearsal) -> Endpoints:
        host, certificate = f"{self.name}.bookedbarber.test", str(r.data(self.name) / "server.pem")
        return {
            "postgres": {
                "database": DATABASE,
                "user": MONITOR_ROLE,
                "password": r.secret_reference(MONITOR_ROLE),
                "burst_user": BURST_ROLE,
                "burst_password": r.secret_reference(BURST_ROLE),
                "sslrootcert": str(authority(r).root),
                "nodes": [{**r.node(self.name), "role": self.name.removeprefix("postgres-")}],
            },
            "tls": tls(r, host, self.name, certificate_file=certificate, protocol="postgres"),
        }


class Primary(Server):
    name = "postgres-primary"
    title = "database"
    needs = ("data",)

    def prepare(self, r: Rehearsal) -> None:
        self.configure(r, {"archive_command": self.archive_command(r)})

    def after(self, r: Rehearsal) -> None:
        next_segment(r.primary)  # or the newest in the archive would be as old as the data

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {
            **super().endpoints(r),
            "application": {"logs": [{"path": str(r.log(self.name))}]},
            "backups": {"archive": str(archive_folder(r))},
        }


class Standby(Server):
    name = "postgres-standby"
    title = "streaming standby"
    needs = ("postgres-primary",)

    def prepare(self, r: Rehearsal) -> None:
        data = r.data(self.name)
        password = data / "replication.pgpass"
        write_secret(password, f"*:*:*:{REPLICATION_ROLE}:{r.secret(REPLICATION_ROLE)}")
        conninfo = (
            f"host=127.0.0.1 port={r.port('postgres-primary')} user={REPLICATION_ROLE} "
            f"application_name={self.name} sslmode=require passfile={conninfo_quoted(password)}"
        )
        replication = {"primary_conninfo": conninfo, "primary_slot_name": SLOT}
        self.configure(r, {"archive_command": self.archive_command(r), **replication})
        (data / "standby.signal").touch()
        binaries.give_away(data)

    def ready(self, r: Rehearsal) -> bool:
        if not super().ready(r):
            return False
        streaming = "select 1 from pg_stat_replication where state = 'streaming'"
        return bool(r.primary.sql(streaming))


PARTS = (Primary(), Standby())


# -- small tools -------------------------------------------------------------------------------


def app_command(
    r: Rehearsal, database_url: str, *words: str, environment: dict[str, str] | None = None
) -> str:
    """Run a command of the reference application to its end; its standard output.

    Raises RehearsalError with the end of its error output.
    """
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal.app", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "DATABASE_URL": database_url,
            **(environment or {}),
        },
        cwd=r.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise RehearsalError(
            f"The application's command `{words[0]}` ended with exit status {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[-1500:]}"
        )
    return done.stdout


def passwords(r: Rehearsal) -> str:
    """Statements that give every role its password."""
    return "".join(
        f"alter role {role} password {quoted(scram_verifier(role, r.secret(role)))};\n"
        for role in ROLES
    )


def next_segment(server: Database) -> None:
    """Complete the WAL segment being written, so that it is archived."""
    server.sql("select pg_logical_emit_message(true, 'rehearsal', 'next segment')")
    server.sql("select pg_switch_wal()")


def scram_verifier(role: str, password: str) -> str:
    """The password as PostgreSQL keeps it (RFC 5803).

    The salt comes from the password, so that the server and the pooler, which has to hold the
    same verifier, need not agree on one.
    """
    salt = hmac.digest(password.encode(), role.encode(), "sha256")[:16]
    iterations = 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def configured(value: str) -> str:
    """As a string of postgresql.conf, where backslashes escape."""
    return quoted(value.replace("\\", "\\\\"))


def quoted(value: str) -> str:
    """As a string of SQL."""
    return "'" + value.replace("'", "''") + "'"


def shell_quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def conninfo_quoted(value: Path) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
