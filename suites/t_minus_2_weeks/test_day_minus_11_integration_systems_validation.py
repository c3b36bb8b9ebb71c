"""Day -11: Integration Systems Validation (Integration Lead)."""

from __future__ import annotations

from golive.claims import at_least, at_most, each_at_most, equal, none_of
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import derived, item
from golive.launch import Limits
from golive.probes.money.payments import PaymentDrill
from golive.probes.money.payouts import ConnectedAccounts, PayoutDrill
from golive.probes.money.reconciliation import Reconciliation
from golive.probes.money.refunds import RefundDrill
from golive.probes.money.webhooks import WebhookDrill, WebhookEndpoints

# -- Payment System Final Testing ----------------------------------------------------------------


@item("D-11.1.1")
def test_stripes_webhooks_reach_this_environment_and_are_applied_once(
    webhook_endpoints: WebhookEndpoints,
    webhook_drill: WebhookDrill,
    env: Environment,
    limits: Limits,
) -> None:
    """Every endpoint that Stripe lists; a synthetic payment, of which forged, stale and signed
    events are sent to the product's route and the database is read back; Stripe's own events.

    Remedy: what an endpoint lacks, in Stripe's dashboard under Webhooks. An event that is refused:
    compare the endpoint's signing secret with the product's. An event applied twice or unsigned:
    the product has to verify Stripe-Signature with 300 s and keep the ids of events.
    """
    e, d, there = webhook_endpoints, webhook_drill, webhook_endpoints.enabled
    at, limit = "enabled endpoints", limits.webhooks
    assert none_of("endpoints at another address", e.elsewhere, among=there, of=at)
    other_mode = e.of_another_mode(env.stripe.livemode)
    assert none_of("endpoints of the other mode", other_mode, among=there, of=at)
    version = e.of_another_version(env.stripe.api_version)
    assert none_of("endpoints of another API version", version, among=there, of=at)
    assert none_of("declared endpoints missing", e.missing, among=e.wanted, of="declared")
    once = d.not_applied_once
    assert none_of("events not applied once", once, among=d.sent_twice, of="sent twice")
    for name, twice in d.sent_twice.items():
        assert equal(f"events of {name} recorded", twice.recorded, 1)
    assert each_at_most("Stripe's own events arrived", d.arrived_after_s, limit.arrival_s, "s")
    for name, forged in d.forged.items():
        assert equal(f"answer to an event {name}", forged.status, limit.refused_status)
    assert none_of("forged events that changed something", d.effective, among=d.forged, of="forged")


@item("D-11.1.2")
def test_a_booking_is_paid_once_and_only_by_a_good_card(
    payment_drill: PaymentDrill, env: Environment, limits: Limits
) -> None:
    """A synthetic booking paid with a test card, submitted twice with one idempotency key; others
    with cards that are declined or ask for an authentication; Stripe and the database.

    Remedy: an amount that differs: see how the product turns a price into cents. A payment that
    stays open: see the webhook's deliveries at Stripe. Two charges: the product has to keep the
    answer to an idempotency key, and to pass it on to Stripe.
    """
    d, paid, states = payment_drill, payment_drill.paid, env.stripe.states
    assert equal("the payment at Stripe", paid.intent_status, "succeeded")
    assert equal("cents charged", paid.charged_cents, paid.price_cents)
    assert equal("cents in the ledger", paid.recorded_cents, paid.price_cents)
    assert equal("currency", paid.currency, env.stripe.currency)
    assert at_most("paid after", paid.paid_after_s, limits.payments.paid_s, "s")
    assert equal("receipts sent", paid.receipts, 1)
    assert equal("charges for one idempotency key", d.charges_of_one_key, 1)
    wrong = d.not_refused(states.paid)
    assert none_of("payments that should not have succeeded", wrong, among=d.refused, of="tried")
    for name, refused in d.refused.items():
        assert equal(f"Stripe's word on {name}", refused.intent_status, refused.expected_status)
    made = d.transactions
    assert none_of("synthetic payments left", d.unclean, among=made, of="synthetic payments")


@item("D-11.1.3")
def test_every_barber_can_be_paid_and_payouts_end_as_recorded(
    connected_accounts: ConnectedAccounts, payout_drill: PayoutDrill, env: Environment
) -> None:
    """Every connected account; a test payment that is divided and paid out, and one whose payout
    fails; Stripe and the database.

    Remedy: what an account lacks, the barber gives in Stripe's onboarding. A fee that differs: see
    how the product rounds. A failed payout must be recorded as failed and reported to finance.
    """
    a, split, paid = connected_accounts, payout_drill.split, payout_drill.paid
    failed, states = payout_drill.failed, env.stripe.states
    assert none_of("accounts not ready", a.not_ready, among=a.active, of="active accounts")
    assert none_of("accounts without bank", a.without_bank, among=a.active, of="active accounts")
    unknown = a.unknown_to_stripe
    assert none_of("paid accounts not active", unknown, among=a.active, of="active accounts")
    assert equal("cents of the fee at Stripe", split.fee_cents, split.fee_expected)
    assert equal("cents of the fee in the ledger", split.fee_recorded, split.fee_expected)
    whole = split.fee_cents + split.received_cents
    assert equal("cents of fee and barber's share", whole, split.amount_cents)
    assert equal("the payout at Stripe", paid.stripe_status, "paid")
    assert equal("cents paid out", paid.amount_cents, paid.expected_cents)
    assert equal("the payout in the product", paid.row_status, states.payout_paid)
    assert equal("records of the payout", paid.rows, 1)
    assert equal("the failing payout at Stripe", failed.stripe_status, "failed")
    assert equal("the failed payout in the product", failed.row_status, states.payout_failed)
    assert at_least("alerts of the failed payout", failed.alerts, 1)
    left, made = payout_drill.unclean, payout_drill.transactions
    assert none_of("synthetic payments left", left, among=made, of="synthetic payments")


@item("D-11.1.4")
def test_money_is_given_back_by_the_shop_alone_and_to_the_cent(
    refund_drill: RefundDrill, env: Environment
) -> None:
    """Two paid test bookings, one given back in full and one in part by the shop's owner; then
    refunds that must be refused, each with the state before and after.

    Remedy: a transfer that is not reversed: reverse_transfer and refund_application_fee in the
    product's refund. A refund that should have been refused: see its check of the remainder, of
    the shop, and of the idempotency key.
    """
    d, full, states = refund_drill, refund_drill.full, env.stripe.states
    for name, back in d.returned.items():
        assert equal(f"the {name} refund at Stripe", back.refund_status, "succeeded")
        assert equal(f"messages about the {name} refund", back.notices, 1)
    both = d.returned
    assert none_of("refunds on which the sides differ", d.disagreeing, among=both, of="refunds")
    assert equal("the payment given back in full", full.payment_status, states.refunded)
    assert equal("its visit", full.appointment_status, states.cancelled)
    assert equal("the payment given back in part", d.part.payment_status, states.paid)
    assert none_of("shares not reversed", d.unreversed, among=both, of="refunds")
    assert equal("after the same request again", d.repeated.after, d.repeated.before)
    assert none_of("refunds that should be refused", d.effective, among=d.denied, of="tried")
    assert none_of("synthetic payments left", d.unclean, among=d.transactions, of="payments")


@item("D-11.1.5")
def test_stripe_and_the_ledger_agree_to_the_cent(
    reconciliation: Reconciliation, limits: Limits
) -> None:
    """Every balance transaction of the last seven closed days in UTC, over all pages, against the
    ledger's rows on the standby, by id.

    Remedy: an entry that is missing: send its event again from Stripe's dashboard. One that is too
    many or differs: correct it in the ledger with finance, and find what wrote it.
    """
    r, limit = reconciliation, limits.reconciliation
    of, empty = "transactions", f"days without any: {', '.join(r.empty_days) or 'none'}"
    assert equal("closed days", len(r.days), limit.days)
    assert at_least("transactions at Stripe", len(r.stripe), limit.transactions, see=empty)
    assert none_of("not in the ledger", r.not_in_ledger, among=r.stripe, of=of)
    assert none_of("not at Stripe", r.not_at_stripe, among=r.stripe, of=of)
    assert none_of("there more than once", r.duplicates, among=r.stripe, of=of)
    assert none_of("different on both sides", r.differing, among=r.stripe, of=of)
    assert each_at_most("difference of the sums by day and currency", r.off_by_cents, 0, "cents")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-11.D.1")
def test_the_integrations_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1 to D-11.3, made into the report and compared with it; the
    signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of(
        "D-11.D.1", "integration-systems-readiness-report", ("D-11.1", "D-11.2", "D-11.3")
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        not_judged=("account and mode of each integration, as the environment declares them",),
    ):
        assert claim


@derived("D-11.D.2")
def test_payments_are_certified_and_finance_signs_too(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1, all on this candidate, made into the certificate and compared
    with it; the signatures of the Integration Lead and of finance.

    Remedy: run what is missing, too old or red. Then both read the certificate and sign it.
    """
    document = deliverables.of(
        "D-11.D.2",
        "payment-system-validation-certificate",
        ("D-11.1",),
        signers=("integration_lead", "finance"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "synthetic transactions by id, each refunded or cleaned",
            "a reconciliation difference of 0 cents",
            "one version of Stripe's API",
        ),
    ):
        assert claim


@derived("D-11.D.3")
def test_the_api_results_are_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.3, all on this candidate, made into the results and compared
    with them; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-11.D.3", "api-testing-results", ("D-11.3",))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "calls, statuses, failures and p95 of every operation of the API, from the raw record",
        ),
    ):
        assert claim
