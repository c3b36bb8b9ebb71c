"""Connected accounts, and paying out to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probes.money.section import ConnectedAccount
from golive.probes.money.stripe import asking
from golive.probes.money.till import Till, Transaction, rounded, till, until
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected account as Stripe has it."""

    id: str
    takes_charges: bool
    pays_out: bool
    due: tuple[str, ...]
    """What Stripe requires of it now."""
    has_bank: bool | Unseen

    @property
    def lacks(self) -> str:
        """What it cannot be paid out without; empty where nothing is missing."""
        found = [
            *([] if self.takes_charges else ["charges are off"]),
            *([] if self.pays_out else ["payouts are off"]),
            *(f"{one} is due" for one in self.due),
        ]
        return ", ".join(found)


@dataclass(frozen=True, slots=True)
class ConnectedAccounts:
    """Those that Stripe lists and those that the product pays."""

    active: tuple[Connected, ...]
    rejected: tuple[str, ...]
    """Left out: Stripe or the platform has rejected them."""
    paid_by_product: frozenset[str] | Unseen

    @property
    def not_ready(self) -> list[str]:
        """Active ones that something stands in the way of."""
        return [f"{one.id}: {one.lacks}" for one in self.active if one.lacks]

    @property
    def without_bank(self) -> list[str] | Unseen:
        """Active ones that have no external account; unseen where none is known to and one could
        not be looked at."""
        found = [one.id for one in self.active if one.has_bank is False]
        unseen = unseen_among(one.has_bank for one in self.active)
        return found if found or unseen is None else unseen

    @property
    def unknown_to_stripe(self) -> list[str] | Unseen:
        """Accounts that the product pays and that are not among the active ones."""
        if isinstance(self.paid_by_product, Unseen):
            return self.paid_by_product
        return sorted(self.paid_by_product - {one.id for one in self.active})


@dataclass(frozen=True, slots=True)
class Split:
    """How one payment was divided."""

    amount_cents: int
    fee_cents: int
    """The platform's fee at Stripe."""
    fee_expected: int
    fee_recorded: int
    """As the product's database has it."""
    received_cents: int
    """What the connected account got of it."""

    @property
    def adds_up(self) -> bool:
        """Whether nothing is lost between the two."""
        return self.fee_cents + self.received_cents == self.amount_cents


@dataclass(frozen=True, slots=True)
class PaidOut:
    """A payout that was asked for."""

    stripe_status: str
    amount_cents: int
    expected_cents: int
    rows: int
    row_status: str
    alerts: int


@dataclass(frozen=True, slots=True)
class PayoutDrill:
    """A payment that was divided and paid out, and a payout that failed."""

    split: Split
    paid: PaidOut
    failed: PaidOut | Unseen
    transactions: tuple[Transaction, ...]
    unclean: tuple[str, ...]


@probe()
def connected_accounts(env: Environment) -> ConnectedAccounts:
    """Every connected account that the key may list, over all pages."""
    with asking(env, env.stripe.key, "the connected accounts") as client:
        found: list[Any] = list(client.v1.accounts.list({"limit": 100}).auto_paging_iter())
        rejected = [a for a in found if _reason(a).startswith("rejected")]
        active = tuple(_connected(client, a) for a in found if a not in rejected)
    return ConnectedAccounts(
        active, tuple(str(a.id) for a in rejected), seen(_paid_by_product, env)
    )


def _reason(account: Any) -> str:
    needs = getattr(account, "requirements", None)
    return str(getattr(needs, "disabled_reason", None) or "")


def _connected(client: Any, account: Any) -> Connected:
    needs = getattr(account, "requirements", None)
    lists = [getattr(needs, n, None) or [] for n in ("currently_due", "past_due")]
    due = tuple(dict.fromkeys(str(one) for some in lists for one in some))
    charges, pays = bool(account.charges_enabled), bool(account.payouts_enabled)
    return Connected(str(account.id), charges, pays, due, _has_bank(client, account))


def _has_bank(client: Any, account: Any) -> bool | Unseen:
    import stripe

    banks = getattr(account, "external_accounts", None)
    if banks is not None:
        return bool(banks.data)
    try:  # of a standard account, the list holds none
        return bool(client.v1.accounts.external_accounts.list(account.id, {"limit": 1}).data)
    except stripe.StripeError as e:
        subject = f"the external accounts of {account.id}"
        step = "permit the key to read external accounts"
        return Unseen(ProbeError(subject, e.user_message or e, step))


def _paid_by_product(env: Environment) -> frozenset[str]:
    node = next(iter(env.postgres.standbys), env.postgres.primary)
    with connect(env, node) as db:
        rows = db.execute(env.stripe.queries.accounts.encode()).fetchall()
    return frozenset(str(row.account_id) for row in rows)


@probe(effect="spend", isolated=True)
def payout_drill(env: Environment) -> PayoutDrill:
    """A test payment each for a barber whose bank takes payouts and for one whose bank does not,
    divided and paid out."""
    drill = env.stripe.drill
    with till(env, "payouts") as t:
        split, paid = _paid_out(t, drill.payee)
        failed = seen(lambda: _paid_out(t, drill.failing_barber)[1])
    made = tuple(t.left.transactions)
    return PayoutDrill(split, paid, failed, made, tuple(t.left.unclean))


def _paid_out(t: Till, barber: ConnectedAccount) -> tuple[Split, PaidOut]:
    began = datetime.now(UTC)
    begun = t.begin(t.book(barber.id))
    # Its money can be paid out at once.
    t.pay(begun.intent, "pm_card_bypassPending")
    row, _ = t.paid_row(begun.intent, receipt=False)
    expand = ["latest_charge.transfer", "latest_charge.application_fee"]
    charge: Any = t.client.v1.payment_intents.retrieve(
        begun.intent, {"expand": expand}
    ).latest_charge
    fee = charge.application_fee.amount if charge.application_fee else 0
    moved = charge.transfer.amount if charge.transfer else 0
    expected = rounded(Decimal(charge.amount) * Decimal(str(t.env.stripe.fee_percent)) / 100)
    recorded = -1 if row is None else row.fee_cents
    split = Split(charge.amount, fee, expected, recorded, moved - fee)
    document = {
        "barber_id": barber.id,
        "start_date": began.isoformat(),
        "end_date": datetime.now(UTC).isoformat(),
    }
    done = t.post(t.env.stripe.paths.payouts, document, t.env.stripe.drill.finance)
    if done.status_code not in {200, 201}:
        raise ProbeError(
            f"a payout to {barber.account}",
            f"the product answers {done.status_code}: {' '.join(done.text.split())[:200]}",
            "see the application's log",
        )
    ident = str(done.json().get(t.env.stripe.paths.payout_id) or "")
    return split, _ended(t, barber, begun.intent, ident, charge.amount - fee)


def _ended(t: Till, barber: ConnectedAccount, intent: str, ident: str, expected: int) -> PaidOut:
    payouts = t.client.v1.payouts

    def asked() -> Any:
        return payouts.retrieve(ident, None, {"stripe_account": barber.account})

    def over() -> Any:
        found = asked()
        return found if found.status in {"paid", "failed", "canceled"} else None

    found = until(over, t.env.windows.payout_s) or asked()
    if found.status != "failed":
        t.paid_out.add(intent)
    states = {t.env.stripe.states.payout_paid, t.env.stripe.states.payout_failed}

    def noted() -> Any:
        row = t.payout_row(ident)
        return row if row is not None and row.status in states else None

    row = until(noted, t.env.windows.payment_s) or t.payout_row(ident)
    none = row is None
    return PaidOut(
        str(found.status),
        int(found.amount),
        expected,
        0 if none else int(row.rows),
        "nothing" if none else str(row.status),
        0 if none else int(row.alerts),
    )
