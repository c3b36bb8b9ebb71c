# ruff: noqa: S608  only constants stand in these statements
"""Faults of payments: Stripe's endpoints and accounts, the application's handling, the ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rehearsal.app.stripe_history import account_of
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.money.stripe import CONNECT_ENDPOINT, PLATFORM_ENDPOINT
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.staff import people


def stripe_fault(name: str, items: Sequence[str], title: str, **patch: Any) -> None:
    """Stripe says or does something else."""

    @fault(name, expect_fail=items, touches=[f"stripe/{name}"], title=title)
    def put(r: Rehearsal) -> None:
        r.override("stripe", **{name: patch})

    @put.revert
    def take_back(r: Rehearsal) -> None:
        r.clear_override("stripe", name)


def app_fault(name: str, items: Sequence[str], title: str, order: str) -> None:
    """The application does something wrong with money."""

    @fault(name, expect_fail=items, touches=["app/payments"], title=title)
    def put(r: Rehearsal) -> None:
        set_app_faults(r, **{order: True})

    @put.revert
    def take_back(r: Rehearsal) -> None:
        set_app_faults(r, **{order: None})


def ledger_fault(name: str, title: str, *, breaks: Sequence[str], mends: Sequence[str]) -> None:
    """The ledger of the last closed days is changed, on the standby as well."""

    def replayed(r: Rehearsal) -> bool:
        at = r.primary.sql("select pg_current_wal_lsn()::text")[0][0]
        lag = r.standby.sql("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [at])
        return bool(lag[0][0])

    @fault(
        name,
        expect_fail=["D-11.1.5"],
        touches=["postgres/ledger_entries"],
        title=title,
        settled=replayed,
        reverted=replayed,
    )
    def put(r: Rehearsal) -> None:
        for statement in breaks:
            r.primary.sql(statement)

    @put.revert
    def take_back(r: Rehearsal) -> None:
        for statement in mends:
            r.primary.sql(statement)


WEBHOOKS, PAID, PAYOUTS, REFUNDS = ["D-11.1.1"], ["D-11.1.2"], ["D-11.1.3"], ["D-11.1.4"]

# -- webhooks --------------------------------------------------------------------------------------

stripe_fault(
    "connect-endpoint-disabled",
    WEBHOOKS,
    "the endpoint for connected accounts' events is disabled",
    objects={CONNECT_ENDPOINT: {"status": "disabled"}},
)
stripe_fault(
    "webhook-endpoint-elsewhere",
    WEBHOOKS,
    "an endpoint is at the old host",
    objects={PLATFORM_ENDPOINT: {"url": "https://old.example.com/api/v2/webhooks/stripe"}},
)
stripe_fault(
    "webhook-endpoint-of-the-other-mode",
    WEBHOOKS,
    "an endpoint gets events of live money",
    objects={PLATFORM_ENDPOINT: {"livemode": True}},
)
stripe_fault(
    "webhook-api-version-unpinned",
    WEBHOOKS,
    "an endpoint follows the account's version of the API",
    objects={PLATFORM_ENDPOINT: {"api_version": None}},
)
stripe_fault(
    "webhook-without-disputes",
    WEBHOOKS,
    "no endpoint is sent disputes",
    objects={
        PLATFORM_ENDPOINT: {
            "enabled_events": [
                "payment_intent.succeeded",
                "payment_intent.payment_failed",
                "payment_intent.canceled",
                "charge.refunded",
                "payout.paid",
                "payout.failed",
            ]
        }
    },
)
stripe_fault(
    "webhook-secret-rotated",
    WEBHOOKS,
    "Stripe signs with another secret than the application knows",
    rotated_secret=True,
)
app_fault(
    "unsigned-webhooks-accepted",
    WEBHOOKS,
    "the application accepts events that nobody has signed",
    "unsigned_webhooks",
)
app_fault(
    "webhooks-applied-again",
    WEBHOOKS,
    "the application applies an event each time it is sent",
    "events_applied_again",
)
app_fault(
    "webhooks-answered-unheard",
    WEBHOOKS,
    "the application answers 200 to events and drops them",
    "webhooks_unheard",
)

# -- payments --------------------------------------------------------------------------------------

app_fault(
    "payment-in-wrong-minor-units",
    PAID,
    "ten times the price is charged",
    "minor_units_wrong",
)
stripe_fault(
    "webhooks-dropped",
    [*WEBHOOKS, *PAID],
    "no webhook reaches the application",
    webhooks_dropped=True,
)
app_fault(
    "idempotency-key-ignored",
    PAID,
    "a payment that is submitted twice is taken twice",
    "ignore_idempotency_key",
)
app_fault(
    "declined-payment-as-paid",
    PAID,
    "a declined payment is recorded as paid",
    "declined_as_paid",
)
app_fault("receipts-unsent", PAID, "receipts stay in the queue", "unsent")

# -- payouts ---------------------------------------------------------------------------------------

stripe_fault(
    "connected-account-with-a-requirement",
    PAYOUTS,
    "Stripe requires a document of a barber",
    objects={account_of(5): {"requirements": {"currently_due": ["individual.id_number"]}}},
)
stripe_fault(
    "connected-account-without-bank",
    PAYOUTS,
    "a barber has no bank account at Stripe",
    objects={account_of(6): {"external_accounts": {"data": []}}},
)
stripe_fault(
    "connected-account-without-payouts",
    PAYOUTS,
    "Stripe has stopped payouts to a barber",
    objects={account_of(7): {"payouts_enabled": False}},
)
stripe_fault(
    "connected-account-rejected",
    PAYOUTS,
    "Stripe has rejected a barber whom the product pays",
    objects={account_of(8): {"requirements": {"disabled_reason": "rejected.fraud"}}},
)
app_fault(
    "platform-fee-rounded", PAYOUTS, "the fee is rounded down to whole dollars", "fee_rounded_down"
)
app_fault(
    "failed-payout-as-paid",
    PAYOUTS,
    "a payout that failed is recorded as paid",
    "failed_payout_as_paid",
)
app_fault("payouts-unheard", PAYOUTS, "payouts stay pending in the application", "payouts_unheard")

# -- refunds ---------------------------------------------------------------------------------------

app_fault(
    "refund-above-the-payment", REFUNDS, "more than was paid is given back", "refund_unbounded"
)
app_fault(
    "transfer-unreversed",
    REFUNDS,
    "a refund leaves the barber's share and the fee as they are",
    "transfer_unreversed",
)
app_fault(
    "refund-by-any-shop", REFUNDS, "every shop's owner may give money back", "refund_by_any_shop"
)
app_fault(
    "refund-told-twice", REFUNDS, "the customer is told twice of a refund", "refund_told_twice"
)
app_fault(
    "refund-key-ignored",
    REFUNDS,
    "a refund that is submitted twice is given twice",
    "refund_key_ignored",
)

# -- the ledger ------------------------------------------------------------------------------------

INVENT = """
insert into ledger_entries (stripe_id, type, amount_cents, booked_at)
values ('txn_0invented', 'charge', 1, now() - interval '2 days')"""
KEEP = """
create table golive_kept as select * from ledger_entries
where type = 'charge' and booked_at < date_trunc('day', now(), 'UTC')
order by booked_at desc limit 1"""
"""One charge of the days before the rehearsal, as it was."""
OF_KEPT = "where stripe_id in (select stripe_id from golive_kept)"
DROP = "drop table if exists golive_kept"
TWICE = """
insert into ledger_entries (stripe_id, type, amount_cents, fee_cents, currency, source, booked_at)
select stripe_id, type, amount_cents, fee_cents, currency, 'golive twice', booked_at
from golive_kept"""
UNIQUE = "constraint uq_ledger_entries_stripe"
ledger_fault(
    "ledger-row-missing",
    "the ledger lacks a charge",
    breaks=[KEEP, f"delete from ledger_entries {OF_KEPT}"],
    mends=["insert into ledger_entries select * from golive_kept on conflict do nothing", DROP],
)
ledger_fault(
    "ledger-hour-late",
    "the ledger's days begin an hour late",
    breaks=["update ledger_entries set booked_at = booked_at + interval '1 hour'"],
    mends=["update ledger_entries set booked_at = booked_at - interval '1 hour'"],
)
ledger_fault(
    "ledger-fee-a-cent-off",
    "a fee in the ledger is one cent too high",
    breaks=[KEEP, f"update ledger_entries set fee_cents = fee_cents + 1 {OF_KEPT}"],
    mends=[f"update ledger_entries set fee_cents = fee_cents - 1 {OF_KEPT}", DROP],
)
ledger_fault(
    "ledger-row-invented",
    "the ledger has an entry that Stripe has not",
    breaks=[INVENT],
    mends=["delete from ledger_entries where stripe_id = 'txn_0invented'"],
)
ledger_fault(
    "ledger-row-twice",
    "the ledger has a charge twice",
    breaks=[KEEP, f"alter table ledger_entries drop {UNIQUE}", TWICE],
    mends=[
        "delete from ledger_entries where source = 'golive twice'",
        f"alter table ledger_entries add {UNIQUE} unique (stripe_id)",
        DROP,
    ],
)


# -- the certificate -------------------------------------------------------------------------------


@fault(
    "certified-payment-open-at-stripe",
    expect_fail=["D-11.D.2"],
    touches=["stripe/certified"],
    title="Stripe has a payment as open by now that the certificate lists as given back",
)
def certified_payment_open_at_stripe(r: Rehearsal) -> None:
    page = (people.documents(r) / "payment-system-validation-certificate.html").read_text()
    listed = re.findall(r'"(pi_\w+)","D-11\.1\.4"', page)
    r.override("stripe", certified={"objects": {listed[-1]: {"status": "processing"}}})


@certified_payment_open_at_stripe.revert
def certified_payment_as_it_was(r: Rehearsal) -> None:
    r.clear_override("stripe", "certified")
