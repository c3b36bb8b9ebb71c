"""The Stripe stand-in, asked with Stripe's own SDK."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from rehearsal.app.stripe_history import account_of, history, platform_fee, stripe_fee
from rehearsal.parts.money import stripe as part
from rehearsal.parts.money.stripe_api import API_VERSION, RETRIES_S, decoded
from rehearsal.staff import saas_stubs

KEYS = {name: beginning + name.replace("-", "") for name, beginning in part.KEYS.items()}
TODAY = "2026-11-30"
TO = account_of(1)


class Listener:
    """Where webhooks go: answers with ``status`` and keeps what came."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[dict[str, Any]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                secret = KEYS["stripe-webhook-secret"]
                event = json.loads(body)
                if "account" in event:
                    secret = KEYS["stripe-connect-webhook-secret"]
                signed = self.headers["Stripe-Signature"]
                stripe.WebhookSignature.verify_header(body.decode(), signed, secret, 300)
                listener.heard.append({**event, "answered": listener.status})
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing that a test reads."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def types(self) -> list[str]:
        return [event["type"] for event in self.heard]

    def waits_for(self, kind: str, many: int = 1) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 10
        while self.types().count(kind) < many:
            assert time.monotonic() < deadline, self.types()
            time.sleep(0.02)
        return [event for event in self.heard if event["type"] == kind]


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def url(tmp_path: Path, listener: Listener) -> Iterator[str]:
    class Handler(part._Handler):
        keys = KEYS

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    environ = {
        "STRIPE_KEYS": json.dumps(KEYS),
        "STRIPE_WEBHOOK_URL": f"http://127.0.0.1:{listener.server.server_port}/webhooks",
        "STRIPE_TODAY": TODAY,
        "STRIPE_ACCOUNTS": "12",
    }
    Handler.service = part.service(tmp_path, address, environ)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield address
    server.shutdown()
    server.server_close()


def client(url: str, key: str = KEYS["stripe-secret-key"]) -> stripe.StripeClient:
    http = stripe.RequestsClient(proxy={"http": "", "https": ""})
    return stripe.StripeClient(
        key, base_addresses={"api": url}, http_client=http, max_network_retries=0
    )


@pytest.fixture
def api(url: str) -> stripe.StripeClient:
    return client(url)


def paid(api: stripe.StripeClient, card: str = "bypassPending", amount: int = 3001) -> Any:
    made = api.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "application_fee_amount": platform_fee(amount),
            "transfer_data": {"destination": TO},
            "metadata": {"booking": "7"},
        }
    )
    how: Any = {"payment_method": f"pm_card_{card}", "expand": ["latest_charge.transfer"]}
    return api.v1.payment_intents.confirm(made.id, how)


def kinds(api: stripe.StripeClient, account: str = "") -> list[tuple[str, int, int]]:
    options: Any = {"stripe_account": account} if account else {}
    since: Any = {"created": {"gte": int(time.time()) - 60}}
    found = api.v1.balance_transactions.list(since, options).auto_paging_iter()
    return [(b.type, b.amount, b.fee) for b in found][::-1]


def test_forms_are_decoded_as_stripe_reads_them() -> None:
    pairs = [("a[b]", "1"), ("c[]", "2"), ("c[]", "3"), ("d[0][e]", "4"), ("f", "")]
    assert decoded(pairs) == {"a": {"b": "1"}, "c": ["2", "3"], "d": [{"e": "4"}], "f": ""}


def test_a_payment_moves_money_to_the_cent(api: stripe.StripeClient) -> None:
    intent = paid(api)
    assert (intent.status, intent.amount_received) == ("succeeded", 3001)
    assert intent.latest_charge.transfer.destination == TO
    assert kinds(api) == [
        ("charge", 3001, stripe_fee(3001)),
        ("transfer", -3001, 0),
        ("application_fee", 600, 0),
    ]
    assert kinds(api, TO) == [("payment", 3001, 600)]
    balance = api.v1.balance.retrieve({}, {"stripe_account": TO})
    assert balance.available[0].amount == 2401


@pytest.mark.parametrize(
    ("card", "decline"),
    [
        ("chargeDeclined", "generic_decline"),
        ("chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_cards_are_declined(api: stripe.StripeClient, card: str, decline: str) -> None:
    with pytest.raises(stripe.CardError) as raised:
        paid(api, card)
    assert raised.value.code == "card_declined"
    assert raised.value.error is not None
    assert raised.value.error.decline_code == decline
    assert kinds(api) == []


def test_an_authentication_is_waited_for(api: stripe.StripeClient, url: str) -> None:
    import urllib.request

    intent = paid(api, "threeDSecure2Required")
    assert intent.status == "requires_action"
    page = intent.next_action.redirect_to_url.url
    open_ = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    with open_(page):
        assert api.v1.payment_intents.retrieve(intent.id).status == "requires_action"
    with open_(f"{page}?authenticate=1"):
        assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_refunds_reverse_in_proportion_and_never_too_much(api: stripe.StripeClient) -> None:
    intent = paid(api)
    how: Any = {"reverse_transfer": True, "refund_application_fee": True}
    some: Any = {"payment_intent": intent.id, "amount": 1000, **how}
    api.v1.refunds.create(some)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        api.v1.refunds.create({"payment_intent": intent.id, "amount": 2002})
    rest: Any = {"payment_intent": intent.id, **how}
    api.v1.refunds.create(rest)
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        api.v1.refunds.create({"payment_intent": intent.id})
    back = [k for k in kinds(api) if "refund" in k[0]]
    assert back == [
        ("refund", -1000, 0),
        ("transfer_refund", 1000, 0),
        ("application_fee_refund", -200, 0),
        ("refund", -2001, 0),
        ("transfer_refund", 2001, 0),
        ("application_fee_refund", -400, 0),
    ]
    assert api.v1.balance.retrieve({}, {"stripe_account": TO}).available[0].amount == 0


def test_payouts_are_paid_or_fail_and_never_exceed_the_balance(
    api: stripe.StripeClient, listener: Listener
) -> None:
    paid(api)
    options: Any = {"stripe_account": TO}
    with pytest.raises(stripe.InvalidRequestError, match="insufficient funds"):
        api.v1.payouts.create({"amount": 2402, "currency": "usd"}, options)
    made = api.v1.payouts.create({"amount": 2401, "currency": "usd"}, options)
    assert made.status == "pending"
    assert listener.waits_for("payout.paid")[0]["account"] == TO
    failing: Any = {"stripe_account": account_of(2)}
    api.v1.transfers.create({"amount": 500, "currency": "usd", "destination": account_of(2)})
    made = api.v1.payouts.create({"amount": 500, "currency": "usd"}, failing)
    listener.waits_for("payout.failed")
    found = api.v1.payouts.retrieve(made.id, None, failing)
    assert (found.status, found.failure_code) == ("failed", "account_closed")
    assert api.v1.balance.retrieve({}, failing).available[0].amount == 500


def test_a_key_repeats_the_answer_and_refuses_another_request(api: stripe.StripeClient) -> None:
    options: Any = {"idempotency_key": "k"}
    one = api.v1.customers.create({"email": "a@example.com"}, options)
    assert api.v1.customers.create({"email": "a@example.com"}, options).id == one.id
    with pytest.raises(stripe.IdempotencyError):
        api.v1.customers.create({"email": "b@example.com"}, options)
    assert len(api.v1.customers.list().data) == 1


def test_lists_are_paged_newest_first(api: stripe.StripeClient) -> None:
    page = api.v1.balance_transactions.list()
    assert (len(page.data), page.has_more) == (10, True)
    found = list(api.v1.balance_transactions.list({"limit": 100}).auto_paging_iter())
    booked = history(datetime.fromisoformat(TODAY).date())
    assert [b.id for b in found[::-1]] != []
    assert {b.id for b in found} == {b.id for b in booked}
    assert [b.created for b in found] == sorted((b.created for b in found), reverse=True)
    assert len(list(api.v1.accounts.list({"limit": 5}).auto_paging_iter())) == 12
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal to 100"):
        api.v1.accounts.list({"limit": 101})


def test_keys_decide_on_mode_and_rights(url: str) -> None:
    with pytest.raises(stripe.AuthenticationError):
        client(url, "sk_test_nobody").v1.accounts.list()
    reading = client(url, KEYS["stripe-reading-key"])
    assert reading.v1.webhook_endpoints.list().data
    with pytest.raises(stripe.PermissionError):
        reading.v1.customers.create({})
    live = client(url, KEYS["stripe-secret-key"].replace("test", "live"))
    assert live.v1.webhook_endpoints.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod"):
        live.v1.payment_intents.create(
            {"amount": 100, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )


def test_webhooks_are_signed_and_tried_again(api: stripe.StripeClient, listener: Listener) -> None:
    listener.status = 500
    intent = paid(api, "visa")
    listener.waits_for("payment_intent.succeeded")
    listener.status = 200
    found = listener.waits_for("payment_intent.succeeded", 2)
    assert len(RETRIES_S) > 1
    assert found[0]["id"] == found[1]["id"]
    assert found[1]["data"]["object"]["id"] == intent.id
    assert found[1]["api_version"] == API_VERSION
    deadline = time.monotonic() + 5
    while api.v1.events.retrieve(found[0]["id"]).pending_webhooks:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_disputes_accounts_and_endpoints(api: stripe.StripeClient, listener: Listener) -> None:
    paid(api, "createDispute")
    dispute = listener.waits_for("charge.dispute.created")[0]["data"]["object"]
    assert api.v1.disputes.close(dispute["id"]).status == "lost"
    made = api.v1.accounts.create({"type": "custom", "country": "US"})
    assert made.requirements is not None
    assert "external_account" in (made.requirements.currently_due or [])
    api.v1.accounts.external_accounts.create(
        made.id,
        {
            "external_account": {
                "object": "bank_account",
                "country": "US",
                "currency": "usd",
                "account_number": "000123456789",
            }
        },
    )
    assert len(api.v1.accounts.external_accounts.list(made.id).data) == 1
    one = api.v1.webhook_endpoints.create(
        {"url": "https://shop.example/w", "enabled_events": ["charge.refunded"]}
    )
    assert str(one.secret).startswith("whsec_")
    assert api.v1.webhook_endpoints.update(one.id, {"disabled": True}).status == "disabled"
    assert api.v1.webhook_endpoints.delete(one.id).deleted


def test_the_account_is_the_one_that_the_vendors_papers_name(api: stripe.StripeClient) -> None:
    found = api.v1.accounts.retrieve_current()
    assert (found.id, found.charges_enabled) == (saas_stubs.STRIPE_ACCOUNT, True)


def test_the_history_books_every_day_alike_and_to_its_end() -> None:
    booked = history(datetime(2026, 11, 30, tzinfo=UTC).date())
    assert len({b.id for b in booked}) == len(booked)
    charges = [b for b in booked if b.type == "charge"]
    assert len(charges) >= 200
    hours = {b.at.hour for b in charges}
    assert {0, 23} <= hours
    kinds_ = {b.type for b in booked}
    assert {"refund", "application_fee", "transfer", "payout", "adjustment"} <= kinds_
