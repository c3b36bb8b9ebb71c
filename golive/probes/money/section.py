"""Payments."""

from __future__ import annotations

from typing import ClassVar

from golive.probes.traffic.section import Account
from golive.sections import Secret, Section, needed


class Webhook(Section, frozen=True, kw_only=True):
    """An endpoint of the product that Stripe sends events to."""

    name: str
    """As messages call it."""
    connect: bool = False
    """Whether the events are those of connected accounts."""
    url: str = ""
    """Empty: the API's own address with ``stripe.paths.webhook``."""
    secret: Secret = needed()
    """What Stripe signs with; ``whsec_`` and more."""
    events: list[str] = needed()
    """The types of events that the product cannot do without."""


class ConnectedAccount(Section, frozen=True, kw_only=True):
    """Somebody whom the product pays out, as Stripe and as the product know him."""

    account: str
    """Stripe's id of the connected account."""
    id: int
    """The product's id of the barber."""


class Drill(Section, frozen=True, kw_only=True):
    """Synthetic people that payments are tried with, all of them with test money."""

    TABLE: ClassVar = "stripe.drill"
    customer: Account = needed()
    other_customer: Account = needed()
    owner: Account = needed()
    """Of the shop that ``barber`` works in; may give money back."""
    other_owner: Account = needed()
    """Of another shop."""
    finance: Account = needed()
    """May pay out to anybody."""
    barber: ConnectedAccount = needed()
    payee: ConnectedAccount = needed()
    """His bank takes payouts. Not ``barber``, whose payments of other drills would be in them."""
    failing_barber: ConnectedAccount = needed()
    """His bank account is one of Stripe's test numbers whose payouts fail."""


class PaymentPaths(Section, frozen=True, kw_only=True):
    """The product's operations on money; the time limits of HTTP hold."""

    TABLE: ClassVar = "stripe.paths"
    create_intent: str = needed()
    """POST booking_id; answers payment_id and payment_intent_id."""
    refund: str = needed()
    """POST payment_id, amount and reason."""
    payouts: str = needed()
    """POST barber_id, start_date and end_date."""
    payout_id: str = needed()
    """The key of its answer that holds Stripe's id of the payout."""
    webhook: str = needed()
    cancel: str = needed()
    """PUT; cancels the appointment {id}."""


class PaymentQueries(Section, frozen=True, kw_only=True):
    """What the product's database says of money, in SQL."""

    TABLE: ClassVar = "stripe.queries"
    payment: str = needed()
    """Of the payment intent %(intent)s, one row: status, amount_cents, fee_cents, currency,
    refunded_cents, refunds, appointment_status; how many receipts, refund_notices and
    failure_notices the customer was sent."""
    event: str = needed()
    """Of the event %(event)s, one row: recorded, how often; effects, how many messages it led
    to."""
    payout: str = needed()
    """Of Stripe's payout %(payout)s, one row: rows, status, alerts."""
    ledger: str = needed()
    """From %(start)s until before %(end)s, a row for each of Stripe's balance transactions: id,
    type, amount_cents, fee_cents, currency, booked_at."""
    accounts: str = needed()
    """A row for each connected account that the product pays: account_id."""


class PaymentStates(Section, frozen=True, kw_only=True):
    """What the product's database calls the states of money and visits."""

    TABLE: ClassVar = "stripe.states"
    paid: str = needed()
    refunded: str = needed()
    payout_paid: str = needed()
    payout_failed: str = needed()
    cancelled: str = needed()
    """Of an appointment whose payment was given back in full."""


class Stripe(Section, frozen=True, kw_only=True):
    """Payments."""

    url: str = "https://api.stripe.com"
    account: str = needed()
    """Stripe's id of the account that the key has to belong to: ``acct_`` and more."""
    card_origin: str = "https://js.stripe.com"
    """Where the fields for a card come from."""
    api_url: str = ""
    """Where the product's API is reached; empty: at the application's own address."""
    key: Secret = needed()
    """A restricted key that may read the account, balance transactions, connected accounts, events
    and webhook endpoints."""
    test_key: Secret = needed()
    """What payments are tried with, of the same account: a key for test money. One for live money
    is refused without ``live_permission``."""
    live_permission: str = ""
    """A signed document (TOML: environment, purpose = "live payments", expires_at) that permits a
    payment with live money."""
    permitted_by: str = "executive_team"
    """The role that signs it."""
    livemode: bool = needed()
    """Whether this environment takes live money."""
    api_version: str = needed()
    """The version of Stripe's API that the product was made for."""
    webhooks: list[Webhook] = needed()
    fee_percent: float = needed()
    """What the platform keeps of a payment."""
    currency: str = needed()
    drill: Drill = needed("synthetic people to try payments with")
    paths: PaymentPaths = needed("paths of payments")
    queries: PaymentQueries = needed("queries of payments")
    states: PaymentStates = needed("states of payments")
