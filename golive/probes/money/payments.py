"""Paying for a booking with Stripe's test cards, from the booking to the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from golive.environments import Environment
from golive.probes.money.till import PaymentRow, Till, Transaction, key_of_its_own, till
from golive.probing import probe
from golive.verdicts import Unseen, seen

_REFUSED = {
    "a declined card": ("pm_card_chargeDeclined", "requires_payment_method"),
    "insufficient funds": ("pm_card_chargeDeclinedInsufficientFunds", "requires_payment_method"),
    "an abandoned authentication": ("pm_card_authenticationRequired", "requires_action"),
}
"""Test cards, and what becomes of a payment with them."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A booking that was paid for."""

    price_cents: int
    charged_cents: int
    currency: str
    intent_status: str
    paid_after_s: float
    """Until the product's database had it as paid; infinite where it never did."""
    row: PaymentRow | None

    @property
    def recorded_cents(self) -> int:
        """As the product's database has it."""
        return -1 if self.row is None else self.row.amount_cents

    @property
    def receipts(self) -> int:
        """Sent to the customer."""
        return 0 if self.row is None else self.row.receipts


@dataclass(frozen=True, slots=True)
class Refused:
    """A payment that must not succeed."""

    intent_status: str
    expected_status: str
    row: PaymentRow | None

    def wrong(self, paid: str) -> str:
        """What is not as it has to be; empty where it is."""
        if self.intent_status != self.expected_status:
            return f"Stripe has it as {self.intent_status}"
        if self.row is None or self.row.status == paid or self.row.receipts:
            return f"the product has it as {self.row or 'nothing'}"
        return ""


@dataclass(frozen=True, slots=True)
class PaymentDrill:
    """What became of the payments that were tried."""

    paid: Paid
    refused: dict[str, Refused | Unseen]
    charges_of_one_key: int
    """Payments taken for two submissions with the same idempotency key."""
    transactions: tuple[Transaction, ...]
    unclean: tuple[str, ...]
    """What is left of them."""

    def not_refused(self, paid: str) -> list[str]:
        """Those that should have left the visit unpaid."""
        wrong = {n: r.wrong(paid) for n, r in self.refused.items() if isinstance(r, Refused)}
        return [f"{name}: {why}" for name, why in wrong.items() if why]


@probe(effect="spend", isolated=True)
def payment_drill(env: Environment) -> PaymentDrill:
    """Bookings paid with Stripe's test cards: one that succeeds, submitted twice, and three that
    must not; all given back."""
    with till(env, "payments") as t:
        paid, charges = _paid(t)
        refused: dict[str, Refused | Unseen] = {
            name: seen(_refused, t, card, status) for name, (card, status) in _REFUSED.items()
        }
    made = tuple(t.left.transactions)
    return PaymentDrill(paid, refused, charges, made, tuple(t.left.unclean))


def _paid(t: Till) -> tuple[Paid, int]:
    booking = t.book(t.env.stripe.drill.barber.id)
    key = key_of_its_own()
    begun = [t.begin(booking, key) for _ in range(2)]
    intents = list(dict.fromkeys(one.intent for one in begun))
    states = [t.pay(intent, "pm_card_visa") for intent in intents]
    row, after_s = t.paid_row(intents[0])
    found: Any = t.client.v1.payment_intents.retrieve(intents[0])
    paid = Paid(
        booking.price_cents, found.amount_received, found.currency, found.status, after_s, row
    )
    return paid, states.count("succeeded")


def _refused(t: Till, card: str, expected: str) -> Refused:
    booking = t.book(t.env.stripe.drill.barber.id)
    begun = t.begin(booking)
    status = t.pay(begun.intent, card)
    return Refused(status, expected, t.row(begun.intent))
