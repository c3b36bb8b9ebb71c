"""Day -11: payments, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from golive.probes.money.payments import Paid, PaymentDrill, Refused
from golive.probes.money.payouts import (
    Connected,
    ConnectedAccounts,
    PaidOut,
    PayoutDrill,
    Split,
)
from golive.probes.money.reconciliation import Entry, Reconciliation
from golive.probes.money.refunds import Denied, RefundDrill, Returned
from golive.probes.money.till import PaymentRow, Transaction
from golive.probes.money.webhooks import (
    Endpoint,
    Forged,
    Twice,
    Wanted,
    WebhookDrill,
    WebhookEndpoints,
)
from golive.verdicts import ProbeError, Unseen
from tests import checks

STATES = SimpleNamespace(
    paid="succeeded",
    refunded="refunded",
    payout_paid="paid",
    payout_failed="failed",
    cancelled="cancelled",
)
ENV = SimpleNamespace(
    stripe=SimpleNamespace(livemode=True, api_version="v", currency="usd", states=STATES)
)
NOT_SEEN = Unseen(ProbeError("it", "no right", "permit it"))
CLEAN = (Transaction("pi_1", 3000, 3000, "succeeded"),)


def broken(ident: str, **facts: Any) -> str:
    return checks.broken(ident, {"env": ENV} | facts)


# -- webhooks --------------------------------------------------------------------------------------

URL = "https://shop.example/webhooks"
PAY, ACCOUNTS = ["charge.refunded"], ["account.updated"]
PLATFORM = Endpoint("we_1", URL, True, True, "v", frozenset(PAY))
CONNECT = Endpoint("we_2", URL, True, True, "v", frozenset(ACCOUNTS))
WANTED = (Wanted("platform", URL, PAY), Wanted("connect", URL, ACCOUNTS))
ENDPOINTS = WebhookEndpoints((PLATFORM, CONNECT), WANTED)
REFUSED = Forged(400, "pending", "pending", 0)
HEARD = WebhookDrill(
    sent_twice={"platform": Twice((200, 200), 1, 1), "connect": Twice((200, 200), 1, 0)},
    forged={"unsigned": REFUSED, "signed too early": REFUSED},
    arrived_after_s={"platform": 0.5, "connect": 0.7},
    applied_status="failed",
)


def webhooks(*endpoints: Endpoint, **drill: Any) -> str:
    e = replace(ENDPOINTS, all=endpoints or ENDPOINTS.all)
    return broken("D-11.1.1", webhook_endpoints=e, webhook_drill=replace(HEARD, **drill))


def test_endpoints_are_those_of_this_environment() -> None:
    assert webhooks() == ""
    everything = replace(PLATFORM, events=frozenset(["*"]))
    assert webhooks(everything, CONNECT) == ""
    assert webhooks(CONNECT, everything) == ""
    old = replace(PLATFORM, id="we_3", url="https://old.example/webhooks")
    assert webhooks(PLATFORM, CONNECT, replace(old, enabled=False)) == ""
    assert webhooks(PLATFORM, CONNECT, old) == "endpoints at another address"
    assert webhooks(PLATFORM, replace(CONNECT, livemode=False)) == "endpoints of the other mode"
    floating = replace(CONNECT, api_version="")
    assert webhooks(PLATFORM, floating) == "endpoints of another API version"


def test_each_declared_endpoint_needs_one_of_its_own() -> None:
    assert webhooks(PLATFORM) == "declared endpoints missing"
    assert webhooks(PLATFORM, replace(CONNECT, enabled=False)) == "declared endpoints missing"
    assert webhooks(replace(PLATFORM, events=frozenset(["*"]))) == "declared endpoints missing"


def test_an_address_without_https_is_another_one() -> None:
    plain = replace(PLATFORM, url="http://shop.example/webhooks")
    wanted = (replace(WANTED[0], url=plain.url),)
    assert WebhookEndpoints((plain,), wanted).elsewhere == ["we_1 at http://shop.example/webhooks"]


def test_events_are_applied_once_and_only_when_signed() -> None:
    again = {**HEARD.sent_twice, "platform": Twice((200, 200), 1, 2)}
    assert webhooks(sent_twice=again) == "events not applied once"
    lost = {**HEARD.sent_twice, "connect": Twice((200, 200), 0, 0)}
    assert webhooks(sent_twice=lost) == "events not applied once"
    refused = {**HEARD.sent_twice, "connect": Twice((400, 400), 0, 0)}
    assert webhooks(sent_twice=refused) == "events not applied once"
    late = {"platform": float("inf"), "connect": 1.0}
    assert webhooks(arrived_after_s=late) == "Stripe's own events arrived"
    assert webhooks(arrived_after_s=NOT_SEEN) == "Stripe's own events arrived"
    answered = {"unsigned": replace(REFUSED, status=200)}
    assert webhooks(forged=answered) == "answer to an event unsigned"
    quietly = {"unsigned": replace(REFUSED, after="succeeded")}
    assert webhooks(forged=quietly) == "forged events that changed something"
    recorded = {"unsigned": replace(REFUSED, recorded=1)}
    assert webhooks(forged=recorded) == "forged events that changed something"
    assert webhooks(forged={}) == "forged events that changed something"


# -- payments --------------------------------------------------------------------------------------

ROW = PaymentRow("succeeded", 3000, 600, "usd", 0, 0, "confirmed", 1, 0, 0)
PAID = Paid(3000, 3000, "usd", "succeeded", 0.4, ROW)
OPEN = replace(ROW, status="pending", receipts=0)
DECLINED = Refused("requires_payment_method", "requires_payment_method", OPEN)
DRILL = PaymentDrill(PAID, {"a declined card": DECLINED}, 1, CLEAN, ())


def payment(paid: Paid = PAID, **over: Any) -> str:
    return broken("D-11.1.2", payment_drill=replace(DRILL, paid=paid, **over))


@pytest.mark.parametrize(
    ("paid", "subject"),
    [
        ({}, ""),
        ({"intent_status": "processing"}, "the payment at Stripe"),
        ({"charged_cents": 30}, "cents charged"),
        ({"row": replace(ROW, amount_cents=2999)}, "cents in the ledger"),
        ({"currency": "eur"}, "currency"),
        ({"paid_after_s": 30.1}, "paid after"),
        ({"paid_after_s": float("inf")}, "paid after"),
        ({"row": replace(ROW, receipts=0)}, "receipts sent"),
        ({"row": replace(ROW, receipts=2)}, "receipts sent"),
    ],
)
def test_a_booking_is_paid_to_the_cent_in_time(paid: dict[str, Any], subject: str) -> None:
    assert payment(replace(PAID, **paid)) == subject


def test_one_key_gives_one_charge_and_bad_cards_none() -> None:
    assert payment(charges_of_one_key=2) == "charges for one idempotency key"
    wrong = "payments that should not have succeeded"
    assert payment(refused={"a card": replace(DECLINED, row=ROW)}) == wrong
    assert payment(refused={"a card": replace(DECLINED, row=None)}) == wrong
    assert payment(refused={}) == wrong
    assert payment(refused={"a card": replace(DECLINED, intent_status="succeeded")}) == wrong
    kept = Transaction("pi_1", 3000, 0, "succeeded")
    assert payment(unclean=(str(kept),)) == "synthetic payments left"
    assert not kept.is_clean
    assert not Transaction("pi_1", 0, 0, "requires_action").is_clean


# -- payouts ---------------------------------------------------------------------------------------

READY = Connected("acct_1", True, True, (), True)
LISTED = ConnectedAccounts((READY,), (), frozenset(["acct_1"]))
HALVED = Split(3001, 600, 600, 600, 2401)
OUT = PaidOut("paid", 2401, 2401, 1, "paid", 0)
BACK = PaidOut("failed", 2401, 2401, 1, "failed", 1)
PAYOUTS = PayoutDrill(HALVED, OUT, BACK, CLEAN, ())


@pytest.mark.parametrize(
    ("accounts", "drill", "subject"),
    [
        ({}, {}, ""),
        ({"active": ()}, {}, "accounts not ready"),
        ({"active": (replace(READY, due=("id_number",)),)}, {}, "accounts not ready"),
        ({"active": (replace(READY, takes_charges=False),)}, {}, "accounts not ready"),
        ({"active": (replace(READY, pays_out=False),)}, {}, "accounts not ready"),
        ({"active": (replace(READY, has_bank=False),)}, {}, "accounts without bank"),
        ({"active": (replace(READY, has_bank=NOT_SEEN),)}, {}, "accounts without bank"),
        ({"paid_by_product": frozenset(["acct_2"])}, {}, "paid accounts not active"),
        ({"paid_by_product": NOT_SEEN}, {}, "paid accounts not active"),
        ({}, {"split": replace(HALVED, fee_cents=599)}, "cents of the fee at Stripe"),
        ({}, {"split": replace(HALVED, fee_recorded=599)}, "cents of the fee in the ledger"),
        ({}, {"split": replace(HALVED, received_cents=2400)}, "cents of fee and barber's share"),
        ({}, {"paid": replace(OUT, stripe_status="pending")}, "the payout at Stripe"),
        ({}, {"paid": replace(OUT, amount_cents=2400)}, "cents paid out"),
        ({}, {"paid": replace(OUT, row_status="pending")}, "the payout in the product"),
        ({}, {"paid": replace(OUT, rows=2)}, "records of the payout"),
        ({}, {"failed": replace(BACK, stripe_status="paid")}, "the failing payout at Stripe"),
        ({}, {"failed": replace(BACK, row_status="paid")}, "the failed payout in the product"),
        ({}, {"failed": replace(BACK, alerts=0)}, "alerts of the failed payout"),
        ({}, {"failed": NOT_SEEN}, "the failing payout at Stripe"),
        ({}, {"unclean": ("pi_1",)}, "synthetic payments left"),
    ],
)
def test_accounts_are_ready_and_payouts_end_as_recorded(
    accounts: dict[str, Any], drill: dict[str, Any], subject: str
) -> None:
    listed, done = replace(LISTED, **accounts), replace(PAYOUTS, **drill)
    assert broken("D-11.1.3", connected_accounts=listed, payout_drill=done) == subject


# -- refunds ---------------------------------------------------------------------------------------

GIVEN = replace(ROW, status="refunded", appointment_status="cancelled", refunded_cents=3000)
FULL = Returned(
    3000, 200, "succeeded", 3000, replace(GIVEN, refunds=1, refund_notices=1), 3000, 3000, 600, 600
)
SOME = replace(ROW, refunded_cents=1000, refunds=1, refund_notices=1)
PART = Returned(1000, 200, "succeeded", 1000, SOME, 1000, 1000, 200, 200)
DENIED = Denied(403, "as it was", "as it was")
REFUNDS = RefundDrill(
    FULL, PART, replace(DENIED, status_code=200), {"by the customer": DENIED}, CLEAN, ()
)


@pytest.mark.parametrize(
    ("over", "subject"),
    [
        ({}, ""),
        ({"full": replace(FULL, refund_status="pending")}, "the full refund at Stripe"),
        (
            {"part": replace(PART, row=replace(SOME, refund_notices=2))},
            "messages about the partial refund",
        ),
        ({"part": replace(PART, stripe_cents=1001)}, "refunds on which the sides differ"),
        (
            {"full": replace(FULL, row=replace(FULL.row or GIVEN, status="succeeded"))},
            "the payment given back in full",
        ),
        (
            {"full": replace(FULL, row=replace(FULL.row or GIVEN, appointment_status="x"))},
            "its visit",
        ),
        (
            {"part": replace(PART, row=replace(SOME, status="refunded"))},
            "the payment given back in part",
        ),
        ({"part": replace(PART, reversed_cents=0)}, "shares not reversed"),
        ({"part": replace(PART, fee_returned_cents=199)}, "shares not reversed"),
        ({"repeated": replace(DENIED, after="2,000")}, "after the same request again"),
        ({"denied": {"x": replace(DENIED, after="more")}}, "refunds that should be refused"),
        ({"denied": {"x": replace(DENIED, status_code=200)}}, "refunds that should be refused"),
        ({"denied": {}}, "refunds that should be refused"),
        ({"unclean": ("pi_1",)}, "synthetic payments left"),
    ],
)
def test_money_is_given_back_to_the_cent(over: dict[str, Any], subject: str) -> None:
    assert broken("D-11.1.4", refund_drill=replace(REFUNDS, **over)) == subject


# -- the ledger ------------------------------------------------------------------------------------

DAYS = tuple(date(2026, 11, 20) + timedelta(days=n) for n in range(7))
BOOKED = tuple(Entry(f"txn_{n}", "charge", 3000, 117, "usd", DAYS[n % 6]) for n in range(120))
ALIKE = Reconciliation(DAYS, BOOKED, BOOKED[::-1])
FIRST = BOOKED[0]


@pytest.mark.parametrize(
    ("over", "subject"),
    [
        ({}, ""),
        ({"days": DAYS[:6]}, "closed days"),
        ({"stripe": BOOKED[:99], "ledger": BOOKED[:99]}, "transactions at Stripe"),
        ({"stripe": (), "ledger": ()}, "transactions at Stripe"),
        ({"ledger": BOOKED[1:]}, "not in the ledger"),
        ({"stripe": BOOKED[1:]}, "not at Stripe"),
        ({"ledger": (*BOOKED, FIRST)}, "there more than once"),
        ({"ledger": (replace(FIRST, fee_cents=118), *BOOKED[1:])}, "different on both sides"),
        ({"ledger": (replace(FIRST, day=DAYS[6]), *BOOKED[1:])}, "different on both sides"),
        ({"ledger": (replace(FIRST, type="refund"), *BOOKED[1:])}, "different on both sides"),
    ],
)
def test_both_sides_agree_entry_by_entry(over: dict[str, Any], subject: str) -> None:
    assert broken("D-11.1.5", reconciliation=replace(ALIKE, **over)) == subject


def test_days_without_anything_are_named() -> None:
    assert ALIKE.empty_days == ["2026-11-26"]
    other = replace(ALIKE, ledger=(replace(FIRST, fee_cents=118), *BOOKED[1:]))
    assert max(other.off_by_cents.values()) == 1.0
    few = replace(ALIKE, stripe=BOOKED[:99], ledger=BOOKED[:99])
    claim = checks.breaking("D-11.1.5", {"reconciliation": few})
    assert claim is not None
    assert "2026-11-26" in claim.see
