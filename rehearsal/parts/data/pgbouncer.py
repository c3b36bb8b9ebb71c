"""PgBouncer in front of the primary, in transaction mode.

Settings a fault may override: any of its own, and `databases` (further entries to the same
database, by name, with what each says beside host and port).
"""

from __future__ import annotations

import signal

from rehearsal.kernel import binaries
from rehearsal.kernel.files import write_secret
from rehearsal.kernel.world import APP_ROLE, BURST_ROLE, DATABASE, OWNER_ROLE, Rehearsal
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.data.postgres import scram_verifier
from rehearsal.parts.traffic.hosts import authority, tls

ADMIN = "pgbouncer_admin"
STATS = "pgbouncer_stats"

# Two pools (application and burst) of 20 + 5 stay well below PostgreSQL's 100 connections.
SETTINGS: dict[str, str | int] = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "auth_type": "scram-sha-256",
    "admin_users": ADMIN,
    "stats_users": STATS,
    "pool_mode": "transaction",
    "max_client_conn": 500,
    "default_pool_size": 20,
    "reserve_pool_size": 5,
    "reserve_pool_timeout": 1,
    "max_db_connections": 60,
    "server_tls_sslmode": "verify-ca",
    "client_tls_sslmode": "allow",
    "server_login_retry": 1,
    # Sent by libpq and psycopg; a pooler in transaction mode cannot keep it per session.
    "ignore_startup_parameters": "extra_float_digits",
    "log_connections": 0,
    "log_disconnections": 0,
}


class PgBouncer(Part):
    name = "pgbouncer"
    title = "connection pooler"
    needs = ("postgres-primary",)
    binary = "pgbouncer"
    unprivileged = True
    stop_signal = signal.SIGTERM

    roles: tuple[str, ...] = (APP_ROLE, OWNER_ROLE, BURST_ROLE, ADMIN, STATS)
    """Who may connect."""

    def server_port(self, r: Rehearsal) -> int:
        """Of the server that it leads to."""
        return r.port("postgres-primary")

    def prepare(self, r: Rehearsal) -> None:
        folder = r.path("data", self.name)
        folder.mkdir(exist_ok=True)
        users = folder / "users.txt"
        write_secret(
            users,
            "\n".join(f'"{role}" "{scram_verifier(role, r.secret(role))}"' for role in self.roles),
        )
        certificate = authority(r).issue(self.name, ["localhost", "127.0.0.1"])
        write_secret(folder / "server.key", certificate.key.read_text())
        (folder / "server.pem").write_text(certificate.chain.read_text())
        (folder / "root.pem").write_text(authority(r).root.read_text())
        changed = dict(r.overrides(self.name))
        entries = {DATABASE: "", **changed.pop("databases", {})}
        settings = {
            **SETTINGS,
            "listen_port": r.port(self.name),
            "auth_file": users,
            "server_tls_ca_file": folder / "root.pem",
            "client_tls_key_file": folder / "server.key",
            "client_tls_cert_file": folder / "server.pem",
            **changed,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        host = f"host=127.0.0.1 port={self.server_port(r)} dbname={DATABASE}"
        databases = [f"{name} = {host} {more}".rstrip() for name, more in entries.items()]
        write_secret(
            folder / "pgbouncer.ini",
            "\n".join(["[databases]", *databases, "", "[pgbouncer]", *lines]),
        )
        binaries.give_away(folder)

    def command(self, r: Rehearsal) -> list[str]:
        ini = r.path("data", self.name, "pgbouncer.ini")
        return [str(binaries.find("pgbouncer").path), "-q", str(ini)]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return dict(binaries.find("pgbouncer").environment)

    def ready(self, r: Rehearsal) -> bool:
        import psycopg  # see Database.connect

        with psycopg.connect(
            f"host=127.0.0.1 port={r.port(self.name)} dbname={DATABASE} user={APP_ROLE}",
            password=r.secret(APP_ROLE),
            connect_timeout=2,
            autocommit=True,
            prepare_threshold=None,
        ) as connection:
            connection.execute("select 1")
        return True

    def endpoints(self, r: Rehearsal) -> Endpoints:
        admin = {"admin_user": STATS, "admin_password": r.secret_reference(STATS)}
        certificate = str(r.path("data", self.name, "server.pem"))
        return {
            "postgres": {"poolers": [{**r.node(self.name), **admin}]},
            "application": {"logs": [{"path": str(r.log(self.name))}]},
            "tls": tls(
                r, "localhost", self.name, certificate_file=certificate, protocol="postgres"
            ),
        }


PARTS = (PgBouncer(),)
