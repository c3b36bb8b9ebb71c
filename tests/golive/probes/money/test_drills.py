"""The drills of payments against the reference application, a Stripe stand-in and a database, all
started here; each with what is sound and what is not."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from golive.environments import Environment
from golive.probes.money.payments import payment_drill
from golive.probes.money.payouts import connected_accounts, payout_drill
from golive.probes.money.reconciliation import reconciliation
from golive.probes.money.refunds import refund_drill
from golive.probes.money.webhooks import webhook_drill, webhook_endpoints
from golive.toml import read_toml
from golive.verdicts import NotPermitted, ProbeError, Unseen
from rehearsal.app import migrate, payments
from rehearsal.app.seed import seed
from rehearsal.app.settings import DEFAULT_PASSWORD, Settings
from rehearsal.app.stripe_history import account_of
from rehearsal.app.web import create_app
from rehearsal.parts.money import stripe as part
from rehearsal.parts.money.stripe_api import API_VERSION
from tests.checks import SUITES
from tests.rehearsal.app.test_app import Server

ANOTHER_SHOP = """
WITH made AS (INSERT INTO organizations (name, slug) VALUES ('Other', 'other') RETURNING id)
INSERT INTO users (email, name, hashed_password, role, unified_role, email_verified,
                   primary_organization_id)
SELECT 'owner00002@example.com', 'Other', u.hashed_password, u.role, u.unified_role, true, made.id
FROM users u, made WHERE u.email = 'owner00001@example.com'
"""
NAMES = {"account": DEFAULT_PASSWORD, **{n: p + n.replace("-", "") for n, p in part.KEYS.items()}}


@dataclass
class World:
    """Where the parts are."""

    app: str
    stripe: str
    database: Server
    folder: Path

    def app_does(self, **wrong: Any) -> None:
        """Have the application do something wrong."""
        path = self.folder / "app-faults.json"
        path.write_text(json.dumps(wrong))
        os.utime(path, ns=(0, time.time_ns()))

    def stripe_does(self, **wrong: Any) -> None:
        """Have Stripe do something else."""
        path = self.folder / "state" / "overrides.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"stripe": {"a-test": wrong}}))

    def sql(self, statement: str) -> list[Any]:
        return self.database.sql("money", statement)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import signal

    started = Server(tmp_path_factory.mktemp("postgres"))
    yield started
    started.process.send_signal(signal.SIGINT)
    started.process.wait(timeout=60)


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    # It listens from now on, so that nobody is refused while the application starts.
    listening = socket.create_server(("127.0.0.1", 0))
    app_port = listening.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", server.database("money"))
        migrate.run("v2.0.0", "upgrade")
        seed(2_000, datetime.now(UTC).date())
        server.sql("money", ANOTHER_SHOP)
        keys = {name: NAMES[name] for name in part.KEYS}
        http = ThreadingHTTPServer(("127.0.0.1", 0), part._Handler)
        url = f"http://127.0.0.1:{http.server_port}"
        environ = {
            "STRIPE_KEYS": json.dumps(keys),
            "STRIPE_WEBHOOK_URL": f"http://127.0.0.1:{app_port}{part.WEBHOOK_PATH}",
            "STRIPE_TODAY": datetime.now(UTC).date().isoformat(),
            "STRIPE_ACCOUNTS": "4",
        }
        patch.setattr(part._Handler, "service", part.service(folder, url, environ), raising=False)
        patch.setattr(part._Handler, "keys", keys, raising=False)
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        for name, value in {
            "STRIPE_SECRET_KEY": keys["stripe-secret-key"],
            "STRIPE_WEBHOOK_SECRET": keys["stripe-webhook-secret"],
            "STRIPE_CONNECT_WEBHOOK_SECRET": keys["stripe-connect-webhook-secret"],
            "STRIPE_API_BASE": url,
            "SENDGRID_API_URL": "http://127.0.0.1:1",
        }.items():
            patch.setenv(name, value)
        patch.setattr(payments.Payments, "_mail", lambda *_: None)
        settings = Settings(
            server.url("money").replace("postgresql", "postgresql+psycopg"),
            secret_key="s" * 32,
            jwt_secret_key="j" * 32,
            bcrypt_rounds=4,
            faults_file=folder / "app-faults.json",
        )
        app = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
        thread = threading.Thread(target=app.run, args=([listening],), daemon=True)
        thread.start()
        yield World(f"http://127.0.0.1:{app_port}", url, server, folder)
        app.should_exit = True
        thread.join(timeout=10)
        http.shutdown()
        http.server_close()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    yield running
    running.app_does()
    running.stripe_does()


@pytest.fixture
def env(
    world: World, env_with: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Environment]:
    product = read_toml(SUITES / "product.toml")
    for name, value in NAMES.items():
        monkeypatch.setenv(name.upper().replace("-", "_"), value)

    def key(name: str) -> dict[str, str]:
        return {"env": name.upper().replace("-", "_")}

    def account(email: str) -> dict[str, Any]:
        return {"email": f"{email}@example.com", "password": key("account")}

    def make(**stripe: Any) -> Environment:
        first = world.sql("SELECT min(id) FROM users WHERE role = 'barber'")[0][0]
        told: dict[str, Any] = {
            **product["stripe"],
            "url": world.stripe,
            "key": key("stripe-reading-key"),
            "test_key": key("stripe-secret-key"),
            "livemode": False,
            "webhooks": [
                {
                    "name": "platform",
                    "secret": key("stripe-webhook-secret"),
                    "events": list(part.PLATFORM_EVENTS),
                },
                {
                    "name": "connect",
                    "connect": True,
                    "secret": key("stripe-connect-webhook-secret"),
                    "events": list(part.CONNECT_EVENTS),
                },
            ],
            "drill": {
                "customer": account("client00003"),
                "other_customer": account("client00004"),
                "owner": account("owner00001"),
                "other_owner": account("owner00002"),
                "finance": account("admin00001"),
                "barber": {"account": account_of(1), "id": first},
                "payee": {"account": account_of(3), "id": first + 2},
                "failing_barber": {"account": account_of(2), "id": first + 1},
            },
        }
        node = {"name": "db", "host": "127.0.0.1", "port": world.database.port, "role": "primary"}
        return env_with(
            stripe=told | stripe,
            postgres={"nodes": [node], "database": "money", "user": "postgres"},
            application={"url": world.app, "paths": product["application"]["paths"]},
            release={"booking_service": "Haircut"},
            windows={"payment_s": 4.0, "payout_s": 6.0},
            time_limits={"connect": 10.0},
        )

    return make


Make = Callable[..., Environment]


def test_a_booking_is_paid_and_all_is_given_back(env: Make) -> None:
    found = payment_drill(env())
    paid = found.paid
    assert (paid.intent_status, paid.currency, paid.receipts) == ("succeeded", "usd", 1)
    assert paid.charged_cents == paid.price_cents == paid.recorded_cents
    assert paid.paid_after_s < 6
    assert found.charges_of_one_key == 1
    assert found.not_refused("succeeded") == []
    assert len(found.refused) == 3
    assert len(found.transactions) == 4
    assert found.unclean == ()


def test_wrong_minor_units_and_an_ignored_key_show(env: Make, world: World) -> None:
    world.app_does(minor_units_wrong=True, ignore_idempotency_key=True)
    found = payment_drill(env())
    assert found.paid.charged_cents == found.paid.price_cents * 10
    assert found.charges_of_one_key == 2
    assert found.unclean == ()


def test_a_payment_of_which_the_product_never_hears_stays_open(env: Make, world: World) -> None:
    world.stripe_does(webhooks_dropped=True)
    found = payment_drill(env())
    assert found.paid.paid_after_s == float("inf")
    assert found.paid.row is not None
    assert found.paid.row.status == "pending"
    assert found.unclean == ()


def test_a_key_for_live_money_spends_nothing(env: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_KEY", "sk_live_1")
    live = env(test_key={"env": "LIVE_KEY"})
    for drill in (payment_drill, refund_drill, payout_drill):
        with pytest.raises(NotPermitted, match="no permission is declared"):
            drill(live)


def test_a_forged_event_changes_nothing(env: Make) -> None:
    found = webhook_drill(env())
    assert {f.status for f in found.forged.values()} == {400}
    assert len(found.forged) == 4
    assert found.effective == []
    assert found.not_applied_once == []
    assert found.applied_status == "failed"
    assert not isinstance(found.arrived_after_s, Unseen)
    assert max(found.arrived_after_s.values()) < 6


def test_unsigned_events_and_repeated_ones_show(env: Make, world: World) -> None:
    world.app_does(unsigned_webhooks=True)
    found = webhook_drill(env())
    assert len(found.effective) == 4
    world.app_does(events_applied_again=True)
    world.sql("UPDATE payments SET status = 'pending' WHERE false")
    assert webhook_drill(env()).effective == []


def test_a_secret_that_stripe_has_changed_shows(env: Make, world: World) -> None:
    world.stripe_does(rotated_secret=True)
    found = webhook_drill(env())
    assert not isinstance(found.arrived_after_s, Unseen)
    assert set(found.arrived_after_s.values()) == {float("inf")}


def test_a_key_that_only_reads_leaves_the_arrival_unseen(env: Make) -> None:
    found = webhook_drill(env(test_key={"env": "STRIPE_READING_KEY"}))
    assert isinstance(found.arrived_after_s, Unseen)
    assert found.not_applied_once == []


def test_endpoints_are_compared_with_the_declared_ones(env: Make, world: World) -> None:
    found = webhook_endpoints(env())
    assert len(found.enabled) == 2
    assert len(found.elsewhere) == 2  # without HTTPS
    assert found.missing == []
    assert found.of_another_mode(livemode=True) == ["we_1Connect", "we_1Platform"]
    assert found.of_another_version(API_VERSION) == []
    world.stripe_does(objects={"we_1Connect": {"status": "disabled"}})
    assert "account.updated" in webhook_endpoints(env()).missing[0]


def test_refunds_are_returned_in_proportion_and_only_by_the_shop(env: Make) -> None:
    found = refund_drill(env())
    assert {r.refund_status for r in found.returned.values()} == {"succeeded"}
    assert {r.notices for r in found.returned.values()} == {1}
    assert found.disagreeing == []
    assert found.unreversed == []
    assert found.full.row is not None
    assert (found.full.row.status, found.full.row.appointment_status) == ("refunded", "cancelled")
    assert found.part.row is not None
    assert found.part.row.status == "succeeded"
    assert not found.repeated.changed
    assert found.unclean == ()
    assert found.effective == []
    assert {d.status_code for d in found.denied.values()} == {400, 403}


def test_a_refund_by_another_shop_shows(env: Make, world: World) -> None:
    world.app_does(refund_by_any_shop=True)
    found = refund_drill(env())
    assert any("by the owner of another shop" in one for one in found.effective)


def test_refunds_above_the_remainder_and_unreversed_transfers_show(env: Make, world: World) -> None:
    world.app_does(refund_unbounded=True, transfer_unreversed=True)
    found = refund_drill(env())
    assert any("above the remainder" in one for one in found.effective)
    assert len(found.unreversed) == 2


def test_a_payment_is_divided_and_paid_out_and_a_failure_recorded(env: Make) -> None:
    found = payout_drill(env())
    assert found.split.fee_cents == found.split.fee_expected == found.split.fee_recorded
    assert found.split.adds_up
    paid, failed = found.paid, found.failed
    assert (paid.stripe_status, paid.row_status, paid.rows) == ("paid", "paid", 1)
    assert paid.amount_cents == paid.expected_cents
    assert not isinstance(failed, Unseen)
    assert (failed.stripe_status, failed.row_status, failed.alerts) == ("failed", "failed", 1)
    assert found.unclean == ()


def test_a_fee_that_is_rounded_and_a_failure_taken_for_paid_show(env: Make, world: World) -> None:
    world.app_does(fee_rounded_down=True, failed_payout_as_paid=True)
    found = payout_drill(env())
    assert not isinstance(found.failed, Unseen)
    assert found.split.fee_cents < found.split.fee_expected
    assert found.failed.row_status == "paid"
    assert found.failed.alerts == 0


def test_every_connected_account_is_looked_at(env: Make, world: World) -> None:
    found = connected_accounts(env())
    assert len(found.active) == 4
    assert found.not_ready == []
    assert found.without_bank == []
    assert found.unknown_to_stripe == []
    due = {"requirements": {"currently_due": ["individual.id_number"]}}
    rejected = {"requirements": {"disabled_reason": "rejected.fraud"}}
    empty: dict[str, Any] = {"external_accounts": {"data": []}}
    world.stripe_does(objects={account_of(1): due, account_of(3): rejected, account_of(4): empty})
    found = connected_accounts(env())
    assert found.not_ready == [f"{account_of(1)}: individual.id_number is due"]
    assert found.rejected == (account_of(3),)
    assert found.unknown_to_stripe == [account_of(3)]
    assert found.without_bank == [account_of(4)]


def test_the_ledger_is_compared_with_stripe_entry_by_entry(env: Make, world: World) -> None:
    found = reconciliation(env())
    assert len(found.stripe) > 700
    assert found.empty_days == []
    assert (found.not_in_ledger, found.not_at_stripe, found.duplicates) == ([], [], [])
    assert found.differing == []
    assert set(found.off_by_cents.values()) == {0.0}
    assert {"charge", "refund", "transfer", "payout", "stripe_fee"} <= set(found.kinds)
    closed = "fee_cents > 0 AND booked_at < date_trunc('day', now(), 'UTC')"
    one = world.sql(f"SELECT max(stripe_id) FROM ledger_entries WHERE {closed}")[0][0]
    world.sql(f"UPDATE ledger_entries SET fee_cents = fee_cents + 1 WHERE stripe_id = '{one}'")
    found = reconciliation(env())
    assert [text.partition(":")[0] for text in found.differing] == [one]
    assert max(found.off_by_cents.values()) == 1.0
    world.sql(f"DELETE FROM ledger_entries WHERE stripe_id = '{one}'")
    assert len(reconciliation(env()).not_in_ledger) == 1
    world.sql("UPDATE ledger_entries SET booked_at = booked_at + interval '1 hour'")
    assert reconciliation(env()).differing


def test_what_cannot_be_asked_is_told(env: Make, dead_port: int) -> None:
    dead = env(url=f"http://127.0.0.1:{dead_port}")
    for look in (webhook_endpoints, connected_accounts, reconciliation):
        with pytest.raises(ProbeError, match="at http://127"):
            look(dead)
