"""Payments as Stripe offers them, on loopback, in memory: its REST API and its webhooks.

    /v1/...      the API; keys are told apart by their beginning: sk_test_, rk_test_ (reads only),
                 and the same with live, which has no objects at first
    /3ds/ID      the bank's page for an authentication; with ?authenticate=1 it succeeds

What it held before are nine days of balance transactions, one connected account for each of the
seed's barbers, and two webhook endpoints at the application. `r.override("stripe", NAME={...})`
lays a fault over it at once: ``objects`` (by id), ``webhooks_dropped``, ``rotated_secret``.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from datetime import date
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from rehearsal.app.stripe_history import PAYOUT_FAILS, account_of, barbers_of, history
from rehearsal.kernel.files import write_secret
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.money.stripe_api import API_VERSION, Call, Stripe, decoded
from rehearsal.parts.saas.saas_stubs import Context
from rehearsal.parts.traffic.hosts import authority
from rehearsal.staff.saas_stubs import STRIPE_ACCOUNT

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

WEBHOOK_PATH = "/api/v2/webhooks/stripe"
PLATFORM_ENDPOINT, CONNECT_ENDPOINT = "we_1Platform", "we_1Connect"
PLATFORM_EVENTS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "payout.paid",
    "payout.failed",
)
CONNECT_EVENTS = ("account.updated", "payout.paid", "payout.failed")
KEYS = {
    "stripe-secret-key": "sk_test_",
    "stripe-reading-key": "rk_test_",
    "stripe-webhook-secret": "whsec_",
    "stripe-connect-webhook-secret": "whsec_",
}
BANK, FAILING_BANK = "000123456789", "000111111113"


class StripeStandIn(Part):
    name = "stripe"
    title = "payments"

    def command(self, r: Rehearsal) -> list[str]:
        return [sys.executable, "-m", __name__, str(r.port(self.name)), str(r.folder)]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        from rehearsal.data.prepared import APPOINTMENTS, today

        return {
            "STRIPE_KEYS": json.dumps({name: secret(r, name) for name in KEYS}),
            "STRIPE_CA_FILE": str(authority(r).root),
            "STRIPE_WEBHOOK_URL": r.url("balancer", WEBHOOK_PATH, scheme="https"),
            "STRIPE_TODAY": _first_day(r, today()).isoformat(),
            "STRIPE_ACCOUNTS": str(barbers_of(APPOINTMENTS)),
        }

    def endpoints(self, r: Rehearsal) -> Endpoints:
        password = r.secret_reference("account")

        def account(email: str) -> dict[str, Any]:
            return {"email": email, "password": password}

        reading, writing = (_reference(r, n) for n in ("stripe-reading-key", "stripe-secret-key"))
        return {
            "stripe": {
                "url": r.url(self.name),
                "api_url": r.url("balancer", scheme="https"),
                "key": reading,
                "test_key": writing,
                "account": STRIPE_ACCOUNT,
                "livemode": False,
                "api_version": API_VERSION,
                "webhooks": [
                    {
                        "name": "platform",
                        "secret": _reference(r, "stripe-webhook-secret"),
                        "events": list(PLATFORM_EVENTS),
                    },
                    {
                        "name": "connect",
                        "connect": True,
                        "secret": _reference(r, "stripe-connect-webhook-secret"),
                        "events": list(CONNECT_EVENTS),
                    },
                ],
                "drill": {
                    "customer": account("client00003@example.com"),
                    "other_customer": account("client00004@example.com"),
                    "owner": account("owner00001@example.com"),
                    "other_owner": account("owner00002@example.com"),
                    "finance": account("admin00001@example.com"),
                    "barber": _barber(1),
                    "payee": _barber(3),
                    "failing_barber": _barber(PAYOUT_FAILS),
                },
            }
        }


def _barber(number: int) -> dict[str, Any]:
    """The seed has the administrator first, then the shops' owners, then the barbers."""
    from rehearsal.data.prepared import APPOINTMENTS

    return {
        "account": account_of(number),
        "id": 1 + math.ceil(barbers_of(APPOINTMENTS) / 4) + number,
    }


def _first_day(r: Rehearsal, now: date) -> date:
    """The day whose eve the history ends on: that of the first start, as the seed's."""
    path = r.path("stripe", "today")
    if not path.exists():
        path.write_text(now.isoformat())
    return date.fromisoformat(path.read_text())


def secret(r: Rehearsal, name: str) -> str:
    """One of Stripe's keys and signing secrets, made at first use, with the beginning it has."""
    path = r.path("secrets", name)
    if not path.exists():
        with r.locked("secrets"):
            if not path.exists():
                write_secret(path, KEYS[name] + os.urandom(20).hex())
    return path.read_text().strip()


def _reference(r: Rehearsal, name: str) -> dict[str, str]:
    secret(r, name)
    return {"file": f"secrets/{name}"}


def app_environment(r: Rehearsal) -> dict[str, str]:
    """The product's variables for payments."""
    return {
        "STRIPE_SECRET_KEY": secret(r, "stripe-secret-key"),
        "STRIPE_WEBHOOK_SECRET": secret(r, "stripe-webhook-secret"),
        "STRIPE_CONNECT_WEBHOOK_SECRET": secret(r, "stripe-connect-webhook-secret"),
        "STRIPE_API_BASE": f"http://127.0.0.1:{r.port('stripe')}",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    service: Stripe
    keys: Mapping[str, str]

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        pairs = [*parse_qsl(split.query), *parse_qsl(body, keep_blank_values=True)]
        if split.path.startswith("/3ds/"):
            self._authenticate(split.path.removeprefix("/3ds/"), dict(pairs))
            return
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._known(key):
            message = f"Invalid API Key provided: {key[:8]}****"
            error = {"type": "invalid_request_error", "message": message}
            self._send(401, {"error": error}, {})
            return
        call = Call(
            method,
            split.path,
            decoded(pairs),
            livemode="_live_" in key,
            may_write=key.startswith("sk_"),
            account=self.headers.get("Stripe-Account", ""),
            idempotency_key=self.headers.get("Idempotency-Key", ""),
        )
        status, document, repeated = self.service.answer(call)
        self._send(status, document, {"Idempotent-Replayed": "true"} if repeated else {})

    def _known(self, key: str) -> bool:
        """A key of ours; one for live money is the same key with `live` in place of `test`."""
        ours = [one for name, one in self.keys.items() if name.endswith("-key")]
        ours += [one.replace("_test_", "_live_") for one in ours]
        return any(compare_digest(key.encode(), one.encode()) for one in ours)

    def _authenticate(self, ident: str, query: Mapping[str, str]) -> None:
        outcome = "succeeds" if query.get("authenticate") == "1" else "is waited for"
        if query.get("authenticate") == "1":
            self.service.authenticated(ident)
        self._send(200, {"object": "page", "text": f"the authentication {outcome}"}, {})

    def _send(self, status: int, document: Any, headers: Mapping[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-Id", f"req_{os.urandom(7).hex()}")
        self.send_header("Stripe-Version", API_VERSION)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing that anybody reads."""


def service(folder: Path, url: str, environ: Mapping[str, str]) -> Stripe:
    """The service as it stands at the beginning of a rehearsal."""
    stubs, overrides = Context(folder), _Overrides(folder)
    keys = json.loads(environ["STRIPE_KEYS"])
    made = Stripe(
        url=url,
        ca_file=environ.get("STRIPE_CA_FILE", ""),
        patches=overrides.read,
        platform=lambda: dict(stubs.state()["stripe"]),
    )
    made.remember(history(date.fromisoformat(environ["STRIPE_TODAY"])))
    many = int(environ["STRIPE_ACCOUNTS"])
    banks = {account_of(n): FAILING_BANK if n == PAYOUT_FAILS else BANK for n in range(1, many + 1)}
    made.add_accounts(banks)
    for ident, events, name in (
        (PLATFORM_ENDPOINT, PLATFORM_EVENTS, "stripe-webhook-secret"),
        (CONNECT_ENDPOINT, CONNECT_EVENTS, "stripe-connect-webhook-secret"),
    ):
        made.add_endpoint(
            environ["STRIPE_WEBHOOK_URL"],
            events,
            keys[name],
            connect=ident == CONNECT_ENDPOINT,
            ident=ident,
        )
    return made


class _Overrides:
    """What the rehearsal has put in place of the defaults, read again when it changes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state" / "overrides.json"
        self._stamp: object = None
        self._known: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._known = json.loads(self._path.read_text()).get("stripe", {})
            self._stamp = stamp
        return self._known


def main(port: int, folder: Path) -> None:
    _Handler.service = service(folder, f"http://127.0.0.1:{port}", os.environ)
    _Handler.keys = json.loads(os.environ["STRIPE_KEYS"])
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


PARTS = (StripeStandIn(),)

if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
