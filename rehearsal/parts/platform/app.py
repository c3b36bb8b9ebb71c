"""Two instances of the reference application behind the pooler, and the work they get."""

from __future__ import annotations

import json
import signal
import sys
import urllib.parse
import urllib.request

import psutil

from rehearsal.data import configuration, frontend
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import read_state, tail, write_atomically
from rehearsal.kernel.world import APP_ROLE, DATABASE, PROJECT, Rehearsal
from rehearsal.parts import Child, Endpoints, Job, Part
from rehearsal.parts.data.postgres import VERSION, app_command
from rehearsal.parts.data.redis import MASTER_NAME, SENTINEL_PASSWORD
from rehearsal.parts.money import stripe
from rehearsal.parts.platform import aws_secrets
from rehearsal.parts.saas import integrations
from rehearsal.parts.traffic.hosts import authority

BURST_RATE = 100  # well below what two busy cores bear, or their queue would show as query time
BURST_WITHIN_S = 60.0
CALLS, STATEMENTS = 1_020, 22
"""What Prometheus has to have counted before the rehearsal is up; judged are 1,000 and 20."""
TRICKLE_RATE = 3
CUSTOMERS = ("client00001@example.com", "client00002@example.com")
"""Two of the seed's customers; the workload uses others."""
API_CLIENTS = ("api-client-1", "api-client-2")
"""Synthetic ones. The secrets of these names are their keys."""
LOADS = ("uvicorn", "rehearsal.app.web")
_CLIENT_LOADS = ("rehearsal.app.workload",)
FAULTS_FILE = "app-faults.json"


def database_url(r: Rehearsal, through: str) -> str:
    """The application's DATABASE_URL through ``pgbouncer``, or straight to a server."""
    port = r.port(through)
    return (
        f"postgresql://{APP_ROLE}:{r.secret(APP_ROLE)}@127.0.0.1:{port}/{DATABASE}?sslmode=require"
    )


def app_environment(r: Rehearsal, url: str) -> dict[str, str]:
    """The product's variables for an instance that works with that database: what its settings
    and secrets are before a deploy takes them from the released file."""
    return {
        **configuration.source(),
        **product_secrets(r),
        "PYTHONPATH": str(PROJECT),
        "DATABASE_URL": url,
        "SECRET_KEY": r.secret("app-secret-key"),
        "JWT_SECRET_KEY": r.secret("app-jwt-secret-key"),
        "REDIS_URL": f"redis://:{r.secret('redis')}@127.0.0.1:{r.port('redis-primary')}/0",
        "REDIS_SENTINELS": ",".join(
            f"127.0.0.1:{r.port(f'redis-sentinel-{n}')}" for n in (1, 2, 3)
        ),
        "REDIS_MASTER_NAME": MASTER_NAME,
        "REDIS_SENTINEL_PASSWORD": r.secret(SENTINEL_PASSWORD),
        "CARD_SCRIPT_URL": f"http://127.0.0.1:{r.port('saas-stubs')}/v3/",
        "APP_FAULTS": str(r.path(FAULTS_FILE)),
        **aws_secrets.environment(r),
        "BCRYPT_ROUNDS": "4",
        "DOCS_URL": r.url("portal"),
        "API_CLIENTS": ",".join(f"{one}:{r.secret(one)}" for one in API_CLIENTS),
        **integrations.variables(r),
        **stripe.app_environment(r),
    }


def set_app_faults(r: Rehearsal, **faults: object) -> None:
    """Change what the instances do wrong, e.g. ``slow_statement={"name": ..., "ms": 100}``;
    None takes a fault back."""
    path = r.path(FAULTS_FILE)
    with r.locked("app-faults"):
        state = {**read_state(path), **faults}
        write_atomically(path, json.dumps({key: v for key, v in state.items() if v is not None}))


def product_secrets(r: Rehearsal) -> dict[str, str]:
    """Keys to the services of others that nothing here has to know, each well-formed."""
    return {
        "ENCRYPTION_KEY": r.secret("app-encryption-key"),
        "STRIPE_SECRET_KEY": stripe.secret(r, "stripe-secret-key"),
        "STRIPE_WEBHOOK_SECRET": stripe.secret(r, "stripe-webhook-secret"),
        "STRIPE_CONNECT_CLIENT_ID": f"ca_{r.secret('app-stripe-connect')}",
        **integrations.keys(r),
        "FLAGS_URL": r.url("saas-stubs", "/api"),
        "FLAGS_TOKEN": r.secret("flags-token"),
    }


class Instance(Part):
    """An instance, started with the file that was deployed for it.

    Settings a fault may override: ``through`` names what it connects to instead of pgbouncer;
    ``variables`` replaces some (null: leaves them out).
    """

    title = "reference application"
    loads = LOADS
    needs = (
        *("pgbouncer", "redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"),
        *("config-agent", "build"),
    )
    own_environment = True

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self, r: Rehearsal) -> None:
        if not r.path(FAULTS_FILE).exists():
            set_app_faults(r)

    def command(self, r: Rehearsal) -> list[str]:
        return [
            *(sys.executable, "-m", "rehearsal.app", "serve", "--host", "127.0.0.1"),
            *("--port", str(r.port(self.name)), "--instance", self.name),
            *("--version", str(r.setting(self.name, "version", VERSION))),
            *("--static", str(frontend.folder(r))),
            *("--pid-file", str(configuration.pid_file(r, self.name))),
        ]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        through = str(r.setting(self.name, "through", "pgbouncer"))
        variables = app_environment(r, database_url(r, through))
        deployed = configuration.effective(r, self.name)
        if through != "pgbouncer":
            deployed.pop("DATABASE_URL", None)
        changed = {**variables, **deployed, **r.setting(self.name, "variables", {})}
        return {name: value for name, value in changed.items() if value is not None}

    def ready(self, r: Rehearsal) -> bool:
        url = f"http://127.0.0.1:{r.port(self.name)}/health"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)

    def endpoints(self, r: Rehearsal) -> Endpoints:
        password = r.secret_reference("account")
        return {
            "application": {
                "url": r.url("edge-1", scheme="https"),
                "instances": [{"name": self.name, "url": r.url(self.name)}],
                "logs": [{"path": str(r.log(self.name))}],
                "accounts": [{"email": one, "password": password} for one in CUSTOMERS],
            }
        }


class FirstWork(Job):
    """Requests until Prometheus has counted enough statements for every figure to rest on."""

    name = "first-work"
    title = "a burst of bookings"
    needs = ("app-1", "app-2", "balancer", "prometheus")

    def run(self, r: Rehearsal) -> None:
        words = ["--dense", "--seconds", str(BURST_WITHIN_S), "--rate", str(BURST_RATE), *target(r)]
        command = [sys.executable, "-m", "rehearsal.app", "workload", *words]
        burst = Child(
            name=self.name,
            argv=command,
            log=r.log(self.name),
            environment=workload.environment(r),
            loads=_CLIENT_LOADS,
            stop_signal=signal.SIGINT,  # it cancels what it has booked
        )
        pid = r.run(burst)

        def counted() -> bool:
            if not psutil.pid_exists(pid):
                raise RehearsalError(
                    f"The burst ended before it was done. Its log ends:\n{tail(burst.log)}"
                )
            return _counted(r)

        try:
            r.wait("Prometheus has counted the burst", counted, BURST_WITHIN_S, every_s=0.25)
        finally:
            r.stop(self.name)


def _counted(r: Rehearsal) -> bool:
    # What a counter had counted before its first scrape is no growth that anybody sees.
    counter = "bookedbarber_db_query_seconds_count[5m]"
    growth = f"max_over_time({counter}) - min_over_time({counter})"
    words = urllib.parse.urlencode({"query": f"sum by (statement) ({growth}) > 0"})
    url = f"http://127.0.0.1:{r.port('prometheus')}/api/v1/query?{words}"
    with urllib.request.urlopen(url, timeout=2) as answer:
        found = json.load(answer)["data"]["result"]
    calls = [float(one["value"][1]) for one in found]
    return sum(calls) >= CALLS and len(calls) >= STATEMENTS


class Workload(Part):
    """A few requests a second, so that what is measured over time has a course."""

    name = "workload"
    title = "a trickle of bookings"
    loads = _CLIENT_LOADS
    needs = ("first-work",)
    port_names = ()

    def command(self, r: Rehearsal) -> list[str]:
        return [
            *(sys.executable, "-m", "rehearsal.app", "workload"),
            *("--seconds", "0", "--rate", str(TRICKLE_RATE)),
            *target(r),
        ]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return {"PYTHONPATH": str(PROJECT), "SEED_PASSWORD": r.secret("account")}

    def ready(self, r: Rehearsal) -> bool:
        return True


def target(r: Rehearsal) -> list[str]:
    """Words for the workload: it comes through the balancer, as customers do."""
    url = f"https://127.0.0.1:{r.port('balancer')}"
    return ["--url", url, "--ca-file", str(authority(r).root)]


def work(r: Rehearsal, *, seconds: float, rate: float) -> str:
    """Drive the instances for a while; what the workload command says of it."""
    return app_command(
        r,
        "",
        *("workload", "--seconds", str(seconds), "--rate", str(rate)),
        *target(r),
        environment={"SEED_PASSWORD": r.secret("account")},
    )


workload = Workload()
PARTS = (Instance("app-1"), Instance("app-2"), FirstWork(), workload)
