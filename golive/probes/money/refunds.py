"""Giving money back: in full, in part, and by those who must not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from golive.environments import Account, Environment
from golive.probes.money.till import (
    Begun,
    PaymentRow,
    Till,
    Transaction,
    key_of_its_own,
    rounded,
    till,
    until,
)
from golive.probing import probe
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class Returned:
    """A payment of which something was given back, at Stripe and in the product's database."""

    asked_cents: int
    status_code: int
    refund_status: str
    stripe_cents: int
    row: PaymentRow | None
    reversed_cents: int
    """Of the transfer to the connected account."""
    reversed_expected: int
    fee_returned_cents: int
    """Of the platform's fee."""
    fee_expected: int

    @property
    def ledger_cents(self) -> int:
        """As the product's database has it."""
        return -1 if self.row is None else self.row.refunded_cents

    @property
    def payment_status(self) -> str:
        """In the product's database."""
        return "nothing" if self.row is None else self.row.status

    @property
    def appointment_status(self) -> str:
        """In the product's database."""
        return "nothing" if self.row is None else self.row.appointment_status

    @property
    def notices(self) -> int:
        """Messages to the customer about it."""
        return 0 if self.row is None else self.row.refund_notices


@dataclass(frozen=True, slots=True)
class Denied:
    """A refund that must change nothing."""

    status_code: int
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether it did."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class RefundDrill:
    """What became of the refunds that were tried."""

    full: Returned
    part: Returned
    repeated: Denied
    """The same request with the same idempotency key."""
    denied: dict[str, Denied]
    transactions: tuple[Transaction, ...]
    unclean: tuple[str, ...]

    @property
    def returned(self) -> dict[str, Returned]:
        """Both refunds by name."""
        return {"full": self.full, "partial": self.part}

    @property
    def disagreeing(self) -> list[str]:
        """Refunds whose amount at Stripe or in the ledger is not what was asked for."""
        return [
            f"{name}: asked {r.asked_cents}, Stripe {r.stripe_cents}, ledger {r.ledger_cents} cents"
            for name, r in self.returned.items()
            if not r.asked_cents == r.stripe_cents == r.ledger_cents
        ]

    @property
    def unreversed(self) -> list[str]:
        """Refunds after which the connected account or the platform has kept a share."""
        return [
            f"{name}: {r.reversed_cents} of {r.reversed_expected} cents of the transfer and"
            f" {r.fee_returned_cents} of {r.fee_expected} cents of the fee"
            for name, r in self.returned.items()
            if (r.reversed_cents, r.fee_returned_cents) != (r.reversed_expected, r.fee_expected)
        ]

    @property
    def effective(self) -> list[str]:
        """Denied ones that changed something or were answered as if they had."""
        return [
            f"{name}: status {d.status_code}, {d.before} became {d.after}"
            if d.changed
            else f"{name}: status {d.status_code}"
            for name, d in self.denied.items()
            if d.changed or d.status_code < 400
        ]


@probe(effect="spend", isolated=True)
def refund_drill(env: Environment) -> RefundDrill:
    """Two paid bookings, one given back in full and one in part; refunds that must be refused."""
    drill = env.stripe.drill
    with till(env, "refunds") as t:
        whole, some = _paid(t), _paid(t)
        amount = _amount(t, some)
        part, key = amount // 3, key_of_its_own()
        full = _returned(t, whole, _amount(t, whole), drill.owner, key_of_its_own())
        partial = _returned(t, some, part, drill.owner, key)
        repeated = _tried(t, some, part, drill.owner, key)
        denied = {
            "above the remainder": _tried(t, some, amount - part + 1, drill.owner),
            "by the owner of another shop": _tried(t, some, 100, drill.other_owner),
            "by the customer": _tried(t, some, 100, drill.customer),
            "by another customer": _tried(t, some, 100, drill.other_customer),
        }
    made = tuple(t.left.transactions)
    return RefundDrill(full, partial, repeated, denied, made, tuple(t.left.unclean))


def _paid(t: Till) -> Begun:
    begun = t.begin(t.book(t.env.stripe.drill.barber.id))
    t.pay(begun.intent, "pm_card_bypassPending")
    row, _ = t.paid_row(begun.intent, receipt=False)
    if row is None or row.status != t.env.stripe.states.paid:
        raise ProbeError(
            "refunds",
            f"the payment that was to be given back is {row or 'not there'}",
            "see the webhook's record at Stripe",
        )
    return begun


def _amount(t: Till, begun: Begun) -> int:
    return int(t.client.v1.payment_intents.retrieve(begun.intent).amount_received)


def _ask(t: Till, begun: Begun, cents: int, account: Account, key: str = "") -> int:
    document = {
        "payment_id": begun.payment_id,
        "amount": float(Decimal(cents) / 100),
        "reason": "golive: a synthetic payment is given back",
    }
    return t.post(t.env.stripe.paths.refund, document, account, key).status_code


def _charge(t: Till, begun: Begun) -> Any:
    intents = t.client.v1.payment_intents
    expand = ["latest_charge.transfer", "latest_charge.application_fee"]
    return intents.retrieve(begun.intent, {"expand": expand}).latest_charge


def _returned(t: Till, begun: Begun, cents: int, account: Account, key: str) -> Returned:
    status = _ask(t, begun, cents, account, key)

    def settled() -> PaymentRow | None:
        found = t.row(begun.intent)
        return found if found is not None and found.refund_notices else None

    row = until(settled, t.env.windows.payment_s if status < 400 else 0) or t.row(begun.intent)
    charge = _charge(t, begun)
    refunds = list(t.client.v1.refunds.list({"charge": charge.id}).auto_paging_iter())
    transfer, fee = charge.transfer, charge.application_fee
    share = Decimal(charge.amount_refunded) / charge.amount
    return Returned(
        asked_cents=cents,
        status_code=status,
        refund_status=str(refunds[0].status) if refunds else "none",
        stripe_cents=charge.amount_refunded,
        row=row,
        reversed_cents=transfer.amount_reversed if transfer else 0,
        reversed_expected=rounded(transfer.amount * share) if transfer else 0,
        fee_returned_cents=fee.amount_refunded if fee else 0,
        fee_expected=rounded(fee.amount * share) if fee else 0,
    )


def _state(t: Till, begun: Begun) -> str:
    row, charge = t.row(begun.intent), _charge(t, begun)
    refunds = row.refunds if row else 0
    return f"{row} in {refunds} refunds; {charge.amount_refunded} cents given back at Stripe"


def _tried(t: Till, begun: Begun, cents: int, account: Account, key: str = "") -> Denied:
    before = _state(t, begun)
    status = _ask(t, begun, cents, account, key)
    return Denied(status, before, _state(t, begun))
