"""Metrics of what has no exporter of its own: database, backups, migrations, host, incidents,
certificates, containers.

Each area is a target of its own, `/metrics/AREA`, looked at when it is asked. What cannot be
looked at answers 503 with the reason, so that Prometheus shows `up == 0` for that area and
lets its metrics go stale: an old number or a zero would be a lie, and a database that is
down must not hide the age of the backups.

Settings a fault may override, at any time: `blind` (areas that cannot be looked at), `hidden`
(servers that a metric of the database leaves out, by the metric's name).
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rehearsal.data import backup_failures, backups
from rehearsal.kernel.world import MONITOR_ROLE, Database, Rehearsal
from rehearsal.parts import Part
from rehearsal.parts.observe import containers
from rehearsal.parts.platform.aws import aws
from rehearsal.staff import incidents

if TYPE_CHECKING:
    import psycopg

STANDBY = "postgres-standby"


class Exporter(Part):
    name = "exporter"
    title = "metrics of database, backups, migrations, host, incidents, certificates, containers"
    loads = aws.loads
    # Before everything is copied once, it would tell of a copy that is hours late.
    needs = ("postgres-primary", STANDBY, "backup-copier")

    def command(self, r: Rehearsal) -> list[str]:
        port = str(r.port(self.name))
        return [sys.executable, "-m", "rehearsal.parts.observe.exporter", port, str(r.folder)]


class CannotLook(Exception):
    """Something could not be measured; the message says what."""


class Link:
    """A connection of the monitoring role that is kept while it works."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self._open: psycopg.Connection[Any] | None = None

    def row(self, query: str) -> tuple[Any, ...]:
        """The query's one row. Raises CannotLook, and connects again next time."""
        import psycopg  # see Database.connect

        try:
            if self._open is None:
                self._open = self._server.connect(user=MONITOR_ROLE)
                self._open.execute("set statement_timeout = '900ms'")
            [row] = self._open.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            if self._open is not None:
                self._open.close()
                self._open = None
            raise CannotLook(f"{self._server.part}: {error}") from error
        return tuple(row)


# -- database ----------------------------------------------------------------------------------

_ACTIVITY = """
select coalesce(max(extract(epoch from clock_timestamp() - xact_start))
                filter (where backend_type = 'client backend'), 0)::float8,
       (select coalesce(max(extract(epoch from clock_timestamp() - waitstart)), 0)::float8
          from pg_locks where not granted),
       count(*) filter (where backend_type = 'client backend'),
       current_setting('max_connections')::int,
       case when pg_is_in_recovery() then pg_last_wal_replay_lsn() - '0/0'
            else pg_current_wal_lsn() - '0/0' end
  from pg_stat_activity where pid <> pg_backend_pid()"""


class DatabaseMetrics(Collector):
    """Primary and standby."""

    def __init__(self, r: Rehearsal) -> None:
        self._r = r
        self._servers = {server.part: Link(server) for server in (r.primary, r.standby)}
        self._written: deque[tuple[float, int]] = deque()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        seen = {name: link.row(_ACTIVITY) for name, link in self._servers.items()}
        figures = {
            "database_longest_transaction_seconds": "Age of the oldest open transaction.",
            "database_longest_lock_wait_seconds": "Longest time a session now waits for a lock.",
            "database_connections": "Client connections.",
            "database_max_connections": "Client connections allowed.",
        }
        hidden = self._r.setting(exporter.name, "hidden", {})
        for column, (name, text) in enumerate(figures.items()):
            gauge = GaugeMetricFamily(name, text, labels=["server"])
            for server, row in seen.items():
                if server not in hidden.get(name, []):
                    gauge.add_metric([server], row[column])
            yield gauge
        lag = GaugeMetricFamily(
            "database_replication_lag_seconds",
            "Age of the oldest WAL position of the primary that the standby has not replayed.",
            labels=["standby"],
        )
        lag.add_metric(
            [STANDBY], self._lag_s(int(seen["postgres-primary"][4]), int(seen[STANDBY][4]))
        )
        yield lag

    def _lag_s(self, written: int, replayed: int) -> float:
        """From what was written when: the standby's own clock would stand still with it."""
        now = time.monotonic()
        if not self._written or written > self._written[-1][1]:
            self._written.append((now, written))
        while self._written and self._written[0][1] <= replayed:
            self._written.popleft()
        return now - self._written[0][0] if self._written else 0.0


# -- backups -----------------------------------------------------------------------------------

_ARCHIVER = """
select archived_count, failed_count,
       coalesce(extract(epoch from last_archived_time), 0)::float8,
       coalesce(extract(epoch from last_failed_time), 0)::float8,
       (select coalesce(extract(epoch from clock_timestamp() - min(modification)), 0)::float8
          from pg_ls_archive_statusdir() where name like '%.ready')
  from pg_stat_archiver"""


class BackupMetrics(Collector):
    """Full backups, WAL archive, and what the second region lacks."""

    def __init__(self, r: Rehearsal) -> None:
        self._r = r
        self._primary = Link(r.primary)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        finished = _gauge_by_set(
            "backup_last_full_finished_timestamp_seconds", "When the newest full backup was ready."
        )
        size = _gauge_by_set("backup_last_full_size_bytes", "Size of the newest full backup.")
        before = _gauge_by_set("backup_previous_full_size_bytes", "Size of the one before it.")
        lag = _gauge_by_set(
            "backup_copy_lag_seconds",
            "Age of the oldest backup or segment that the second region lacks.",
        )
        copied = backups.copied(self._r)
        for name, base in backup_failures.sets(self._r).items():
            full = backups.known(self._r, base)
            lag.add_metric([name], backups.copy_lag_s(self._r, copied, base))
            if full:
                ready = datetime.fromisoformat(full[-1].finished_at).timestamp()
                finished.add_metric([name], ready)
                size.add_metric([name], full[-1].size_bytes)
                before.add_metric([name], full[max(0, len(full) - 2)].size_bytes)
            elif name == "database":
                # No backup at all counts as one from 1970: too old, and not unknown.
                finished.add_metric([name], 0)
        yield from (finished, size, before, lag)
        names = {
            "wal_archive_archived_segments": "Segments archived since the start of statistics.",
            "wal_archive_failed_attempts": "Failed attempts since the start of statistics.",
            "wal_archive_last_success_timestamp_seconds": "When a segment was last archived.",
            "wal_archive_last_failure_timestamp_seconds": "When archiving last failed.",
            "wal_archive_oldest_pending_seconds": "Age of the oldest segment not archived yet.",
        }
        for (name, text), value in zip(names.items(), self._primary.row(_ARCHIVER), strict=True):
            yield _gauge(name, text, value)


def _gauge_by_set(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["set"])


# -- migrations --------------------------------------------------------------------------------


class MigrationMetrics(Collector):
    """The last migration run, from its log."""

    def __init__(self, r: Rehearsal) -> None:
        self._log = r.migration_log

    def collect(self) -> Iterator[GaugeMetricFamily]:
        run = self._last_run()
        last = run[-1]
        started_at = datetime.fromisoformat(run[0]["at"]).timestamp()
        running = last["event"] not in ("end", "failed")
        ended = [line for line in run if line["event"] == "step-end"]
        duration_s = time.time() - started_at if running else float(last["duration_s"])
        step = GaugeMetricFamily(
            "migration_step",
            "Steps done by the last run; its label is the last revision.",
            labels=["revision"],
        )
        revision = next((line["revision"] for line in reversed(run) if line.get("revision")), "")
        step.add_metric([str(revision)], len(ended))
        yield step
        failed = GaugeMetricFamily(
            "migration_failed", "Whether the last run stopped at an error.", labels=["revision"]
        )
        failed.add_metric([str(revision)], float(last["event"] == "failed"))
        yield failed
        yield _gauge("migration_steps_planned", "Steps of the last run.", len(run[0]["steps"]))
        yield _gauge("migration_running", "Whether a run is under way.", float(running))
        yield _gauge("migration_duration_seconds", "Duration of the last run.", duration_s)
        yield _gauge("migration_started_timestamp_seconds", "Start of the last run.", started_at)

    def _last_run(self) -> list[dict[str, Any]]:
        try:
            lines = [json.loads(line) for line in self._log.read_text().splitlines()]
            starts = [number for number, line in enumerate(lines) if line["event"] == "start"]
        except (OSError, ValueError, KeyError) as error:
            raise CannotLook(f"the migration log {self._log}: {error!r}") from error
        if not starts:
            raise CannotLook(f"the migration log {self._log} tells of no run")
        return lines[starts[-1] :]


# -- host --------------------------------------------------------------------------------------


class HostMetrics(Collector):
    """The disk that data, backups and archive share."""

    def __init__(self, r: Rehearsal) -> None:
        self._folder = r.folder

    def collect(self) -> Iterator[GaugeMetricFamily]:
        usage = shutil.disk_usage(self._folder)
        for name, text, value in (
            ("host_disk_free_bytes", "Free space.", usage.free),
            ("host_disk_size_bytes", "Size of the disk.", usage.total),
            ("host_disk_free_ratio", "Free share of the disk.", usage.free / usage.total),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["mount"])
            gauge.add_metric(["data"], value)
            yield gauge


# -- certificates ------------------------------------------------------------------------------


class CertificateMetrics(Collector):
    """The leaves that the rehearsal's authority has issued, as they lie there."""

    def __init__(self, r: Rehearsal) -> None:
        self._folder = r.path("certificates")
        self._known: dict[Path, tuple[int, float]] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "certificate_not_after_timestamp_seconds",
            "When a certificate ends.",
            labels=["certificate"],
        )
        for leaf in sorted(self._folder.glob("*.key")):
            leaf = leaf.with_suffix(".pem")
            if leaf.stem not in {"root", "intermediate"} and leaf.exists():
                gauge.add_metric([leaf.stem], self._ends(leaf))
        yield gauge

    def _ends(self, leaf: Path) -> float:
        from cryptography import x509  # see Database.connect

        changed = leaf.stat().st_mtime_ns
        if self._known.get(leaf, (0, 0.0))[0] != changed:
            ends = x509.load_pem_x509_certificate(leaf.read_bytes()).not_valid_after_utc
            self._known[leaf] = changed, ends.timestamp()
        return self._known[leaf][1]


# -- incidents ---------------------------------------------------------------------------------


class IncidentMetrics(Collector):
    """Open incidents, each by its own clock."""

    def __init__(self, r: Rehearsal) -> None:
        self._r = r

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "incident_open_seconds",
            "How long an incident has been open.",
            labels=["incident", "severity", "impact"],
        )
        for name, one in incidents.open_now(self._r.folder).items():
            gauge.add_metric([name, one["severity"], one["impact"]], one["open_s"])
        yield gauge


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


# -- containers --------------------------------------------------------------------------------


class ContainerMetrics(Collector):
    """What the pods of the manifests would use, as cAdvisor tells it."""

    def collect(self) -> Iterator[Metric]:
        now = time.time()
        found = {
            name: Metric(name.removesuffix("_total"), "What a pod uses.", kind)
            for name, kind in containers.KINDS.items()
        }
        for one, n, labels in containers.pods():
            for name, value in containers.use(one, n, now).items():
                found[name].add_sample(name, labels, value)
        yield from found.values()


AREAS: dict[str, Callable[[Rehearsal], Collector]] = {
    "database": DatabaseMetrics,
    "backups": BackupMetrics,
    "migrations": MigrationMetrics,
    "host": HostMetrics,
    "incidents": IncidentMetrics,
    "certificates": CertificateMetrics,
    "containers": lambda _: ContainerMetrics(),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rehearsal: Rehearsal
    registries: dict[str, CollectorRegistry]
    locks: dict[str, Lock]

    def do_GET(self) -> None:
        area = self.path.removeprefix("/metrics/")
        if area not in self.registries:
            self._answer(404, f"There is /metrics/ with {', '.join(self.registries)}.\n".encode())
            return
        try:
            if area in self.rehearsal.setting(exporter.name, "blind", []):
                raise CannotLook("a fault is in force")
            with self.locks[area]:
                body = generate_latest(self.registries[area])
        except Exception as error:  # noqa: BLE001  whatever it is, the area could not be looked at
            print(f"{area}: {error!r}", file=sys.stderr, flush=True)
            self._answer(503, f"{area} could not be looked at: {error}\n".encode())
        else:
            self._answer(200, body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Four requests a second are no news."""


class _Registry(CollectorRegistry):
    """One that does not look at the world only to learn the names."""

    def __init__(self, collector: Collector) -> None:
        super().__init__(auto_describe=False)
        self.register(collector)


def main(port: int, r: Rehearsal) -> None:
    _Handler.rehearsal = r
    _Handler.registries = {area: _Registry(made(r)) for area, made in AREAS.items()}
    _Handler.locks = {area: Lock() for area in AREAS}
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


exporter = Exporter()
PARTS = (exporter,)

if __name__ == "__main__":
    main(int(sys.argv[1]), Rehearsal(Path(sys.argv[2])))
