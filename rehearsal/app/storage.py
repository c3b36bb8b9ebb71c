"""The database: tables per version, one pool, and a figure for every statement.

Each statement runs under a short, stable name. Its time goes to the histogram
``bookedbarber_db_query_seconds{statement=...}`` from SQLAlchemy's cursor events, so nothing that
reaches the database stays uncounted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from sqlalchemy.dialects.postgresql import JSONB

from rehearsal.app.settings import Settings

# Fine around the limits that are judged: 30 and 50 ms for a query, 100 ms for an injected delay.
QUERY_BUCKETS_S = tuple(
    ms / 1000
    for ms in (
        0.5,
        1,
        2,
        3,
        5,
        7.5,
        10,
        15,
        20,
        25,
        30,
        40,
        50,
        60,
        75,
        100,
        125,
        150,
        200,
        300,
        500,
        1000,
        2500,
        5000,
    )
)
INTEGRATIONS = (
    *("stripe", "sendgrid", "twilio", "google_calendar", "google_business_profile", "analytics"),
)
"""Third parties that are counted; of the last two it is the browser that asks."""
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 10)

KINDS: dict[str, Any] = {
    "number": sa.BigInteger,
    "text": sa.Text,
    "money": sa.Numeric(10, 2),
    "flag": sa.Boolean,
    "time": sa.DateTime(timezone=True),
    "json": JSONB,
}


class Tables:
    """The columns that one version of the application knows; the migrations own the rest."""

    def __init__(self, settings: Settings) -> None:
        metadata = sa.MetaData()

        def table(name: str, **columns: str) -> sa.Table:
            return sa.Table(
                name,
                metadata,
                sa.Column("id", sa.BigInteger, primary_key=True),
                *(
                    sa.Column(column, KINDS[kind])
                    for kind, names in columns.items()
                    for column in names.split()
                ),
            )

        v2 = settings.is_v2
        self.organizations = table(
            "organizations", text="name slug billing_plan subscription_status", time="created_at"
        )
        self.users = table(
            "users",
            text="email name phone hashed_password role timezone" + " unified_role" * v2,
            flag="email_verified is_active",
            number="primary_organization_id",
            time="created_at updated_at verified_at",
        )
        self.profiles = table(
            "barber_profiles",
            number="user_id years_experience",
            text="bio instagram_handle",
            json="specialties",
            money="hourly_rate",
            flag="is_active",
            time="created_at updated_at",
        )
        self.clients = table(
            "clients",
            number="organization_id user_id",
            text="first_name last_name email_encrypted phone_encrypted",
            flag="marketing_consent",
            time="created_at",
        )
        self.services = table(
            "services",
            number="organization_id created_by_id duration_minutes buffer_time_minutes"
            " display_order",
            text="name description category",
            money="base_price",
            flag="is_active is_bookable_online",
            time="created_at updated_at",
        )
        self.appointments = table(
            "appointments",
            number="user_id barber_id client_id service_id duration_minutes" + " version" * v2,
            text="service_name status notes" + " confirmation_code" * v2,
            money="price",
            time="start_time created_at updated_at",
        )
        self.notifications = table(
            "notification_queue",
            number="user_id appointment_id",
            text="template channel status",
            json="payload",
            time="scheduled_for created_at",
        )
        self.idempotency = table(
            "idempotency_keys", number="user_id", text="key request_hash", json="response"
        )
        self.payments = table(
            "payments",
            number="appointment_id user_id",
            money="amount",
            text="status",
            time="created_at",
        )


class Metrics:
    """Everything /metrics shows, in a registry of its own."""

    def __init__(self, settings: Settings, statements: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Histogram(
            "bookedbarber_http_request_duration_seconds",
            "Time to answer a request",
            ("method", "route", "status"),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self.queries = Histogram(
            "bookedbarber_db_query_seconds",
            "Time of one database statement by its name",
            ("statement",),
            buckets=QUERY_BUCKETS_S,
            registry=self.registry,
        )
        # Shown from the start: Prometheus sees no growth in what a counter begins with.
        for name in statements:
            self.queries.labels(name)
        self.pool = Gauge(
            "bookedbarber_db_pool_connections",
            "Connections of the application's pool",
            ("state",),
            registry=self.registry,
        )
        self.cache = Counter(
            "bookedbarber_cache_requests",
            "Cache look-ups by result",
            ("result",),
            registry=self.registry,
        )
        self.payments = Counter(
            "bookedbarber_payments",
            "Payments by how they ended",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in ("succeeded", "failed"):
            self.payments.labels(outcome)
        self.integrations = Counter(
            "bookedbarber_integration_requests",
            "Requests to third parties, and callbacks of theirs, by how they ended",
            ("integration", "outcome"),
            registry=self.registry,
        )
        self.integration_times = Histogram(
            "bookedbarber_integration_seconds",
            "Time that such a request took",
            ("integration",),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        for integration in INTEGRATIONS:
            self.integration_times.labels(integration)
            for outcome in ("succeeded", "failed"):
                self.integrations.labels(integration, outcome)
        build = Gauge(
            "bookedbarber_build_info",
            "Version and instance; always 1",
            ("version", "instance"),
            registry=self.registry,
        )
        build.labels(settings.version, settings.instance).set(1)

    @contextmanager
    def calling(self, integration: str) -> Iterator[None]:
        """Count a request to a third party, by whether the block raises, and take its time."""
        began, outcome = time.perf_counter(), "failed"
        try:
            yield
            outcome = "succeeded"
        finally:
            self.integrations.labels(integration, outcome).inc()
            self.integration_times.labels(integration).observe(time.perf_counter() - began)


class Transaction:
    """Statements that commit together."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def run(
        self, name: str, statement: sa.Executable, parameters: Mapping[str, Any] | None = None
    ) -> sa.CursorResult[Any]:
        return self._connection.execute(
            statement, parameters, execution_options={"statement_name": name}
        )

    def one(self, name: str, statement: sa.Executable) -> dict[str, Any] | None:
        row = self.run(name, statement).mappings().first()
        return dict(row) if row is not None else None

    def all(self, name: str, statement: sa.Executable) -> list[dict[str, Any]]:
        return [dict(row) for row in self.run(name, statement).mappings()]


class Database:
    """The pool. Safe behind a pooler in transaction mode: no server-side prepared statements."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.engine = sa.create_engine(
            settings.database_url,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=5,
            pool_pre_ping=True,
            use_native_hstore=False,
            connect_args={
                "application_name": f"bookedbarber-{settings.instance}",
                "prepare_threshold": None,
                "connect_timeout": 3,
            },
        )
        self._faults = Faults(settings.faults_file)
        self._metrics = metrics
        pool = self.engine.pool
        assert isinstance(pool, sa.QueuePool)
        for state, figure in (
            ("in_use", pool.checkedout),
            ("idle", pool.checkedin),
            ("overflow", lambda: max(0, pool.overflow())),
            ("size", pool.size),
        ):
            metrics.pool.labels(state).set_function(figure)
        sa.event.listen(self.engine, "before_cursor_execute", self._before, retval=True)
        sa.event.listen(self.engine, "after_cursor_execute", self._after)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.engine.begin() as connection:
            yield Transaction(connection)

    def orders(self, what: str) -> Any:
        """What the rehearsal has ordered to go wrong of that name; None: nothing."""
        return self._faults.orders().get(what)

    def _before(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, _: bool
    ) -> tuple[str, Any]:
        connection.info["statement_began"] = time.perf_counter()
        delay_s = self._faults.delay_s(_name(context))
        if delay_s and statement.lstrip().upper().startswith("SELECT"):
            # An uncorrelated sub-select is evaluated once, before the first row.
            statement = (
                f"SELECT slowed.* FROM ({statement}) AS slowed"  # noqa: S608
                f" WHERE (SELECT pg_sleep({delay_s}) IS NOT NULL)"
            )
        elif delay_s:
            cursor.execute(f"SELECT pg_sleep({delay_s})")
        return statement, parameters

    def _after(self, connection: Any, _: Any, __: str, ___: Any, context: Any, ____: bool) -> None:
        took_s = time.perf_counter() - connection.info["statement_began"]
        self._metrics.queries.labels(_name(context)).observe(took_s)


class Faults:
    """What the rehearsal orders in a JSON file, read again whenever it changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen_ns = -1
        self._orders: Mapping[str, Any] = {}
        self._delays: Mapping[str, float] = {}

    def orders(self) -> Mapping[str, Any]:
        if self._path is None:
            return {}
        try:
            seen_ns = self._path.stat().st_mtime_ns
            if seen_ns != self._seen_ns:
                self._orders = json.loads(self._path.read_text(encoding="utf-8"))
                slow: Sequence[Mapping[str, Any]] = _listed(self._orders.get("slow_statement"))
                self._delays = {order["name"]: float(order["ms"]) / 1000 for order in slow}
                self._seen_ns = seen_ns
        except FileNotFoundError:
            return {}
        return self._orders

    def delay_s(self, name: str) -> float:
        return self._delays.get(name, 0.0) if self.orders() else 0.0


def _listed(orders: Any) -> Sequence[Mapping[str, Any]]:
    return orders if isinstance(orders, list) else [orders] if orders else []


def _name(context: Any) -> str:
    return str(context.execution_options.get("statement_name", "unnamed")) if context else "unnamed"
