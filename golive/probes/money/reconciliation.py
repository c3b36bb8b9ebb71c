"""Stripe's balance transactions against the product's ledger, entry by entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probes.money.stripe import asking
from golive.probing import probe
from golive.verdicts import ProbeError

DAYS = 7
"""Closed days before today, in UTC: what the procedure asks for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One balance transaction, as one of both sides has it."""

    id: str
    type: str
    amount_cents: int
    fee_cents: int
    currency: str
    day: date
    """In UTC."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Both sides of the last closed days."""

    days: tuple[date, ...]
    stripe: tuple[Entry, ...]
    ledger: tuple[Entry, ...]

    @property
    def empty_days(self) -> list[str]:
        """Days on which nothing was booked at Stripe."""
        booked = {e.day for e in self.stripe}
        return [f"{d:%F}" for d in self.days if d not in booked]

    @property
    def not_in_ledger(self) -> list[str]:
        """What Stripe has booked and the ledger has not."""
        known = {e.id for e in self.ledger}
        return [_told(e) for e in self.stripe if e.id not in known]

    @property
    def not_at_stripe(self) -> list[str]:
        """What the ledger has and Stripe has not booked."""
        known = {e.id for e in self.stripe}
        return [_told(e) for e in self.ledger if e.id not in known]

    @property
    def duplicates(self) -> list[str]:
        """What one of both sides has more than once."""
        sides = {"Stripe": self.stripe, "the ledger": self.ledger}
        return [
            f"{ident}: {many} times at {name}"
            for name, entries in sides.items()
            for ident, many in Counter(e.id for e in entries).items()
            if many > 1
        ]

    @property
    def differing(self) -> list[str]:
        """What both sides have, but not alike."""
        at_stripe = {e.id: e for e in self.stripe}
        pairs = [(at_stripe[e.id], e) for e in self.ledger if e.id in at_stripe]
        return [f"{a.id}: {_difference(a, b)}" for a, b in pairs if a != b]

    @property
    def off_by_cents(self) -> dict[str, float]:
        """By day and currency: how far the net sums of both sides are apart."""
        sums: Counter[str] = Counter()
        for sign, entries in ((1, self.stripe), (-1, self.ledger)):
            for e in entries:
                sums[f"{e.day:%F} {e.currency}"] += sign * (e.amount_cents - e.fee_cents)
        return {key: float(abs(sums[key])) for key in sorted(sums)}

    @property
    def kinds(self) -> list[str]:
        """The kinds of what Stripe has booked."""
        return sorted({e.type for e in self.stripe})


def _told(e: Entry) -> str:
    return f"{e.id} ({e.type}, {e.amount_cents} cents, {e.day:%F})"


def _difference(a: Entry, b: Entry) -> str:
    names = ("type", "amount_cents", "fee_cents", "currency", "day")
    return ", ".join(
        f"{n} {getattr(a, n)} at Stripe, {getattr(b, n)} in the ledger"
        for n in names
        if getattr(a, n) != getattr(b, n)
    )


@probe(limit="drill")
def reconciliation(env: Environment) -> Reconciliation:
    """Every balance transaction of the last seven closed days, over all pages, and the ledger's
    rows of the same days, on a standby where there is one."""
    end = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    start = end - timedelta(days=DAYS)
    days = tuple((start + timedelta(days=n)).date() for n in range(DAYS))
    return Reconciliation(days, tuple(_at_stripe(env, start, end)), tuple(_ledger(env, start, end)))


def _at_stripe(env: Environment, start: datetime, end: datetime) -> Iterable[Entry]:
    span: Any = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    with asking(env, env.stripe.key, "the balance transactions") as client:
        listed = client.v1.balance_transactions.list({"created": span, "limit": 100})
        for one in listed.auto_paging_iter():
            day = datetime.fromtimestamp(one.created, UTC).date()
            yield Entry(one.id, one.type, one.amount, one.fee, one.currency.lower(), day)


def _ledger(env: Environment, start: datetime, end: datetime) -> list[Entry]:
    node = next(iter(env.postgres.standbys), env.postgres.primary)
    with connect(env, node) as db:
        rows = db.execute(
            env.stripe.queries.ledger.encode(), {"start": start, "end": end}
        ).fetchall()
    return [_entry(row) for row in rows]


def _entry(row: Any) -> Entry:
    try:
        return Entry(
            str(row.id),
            str(row.type),
            int(row.amount_cents),
            int(row.fee_cents),
            str(row.currency).strip().lower(),
            row.booked_at.astimezone(UTC).date(),
        )
    except (AttributeError, TypeError, ValueError) as e:
        raise ProbeError(
            "the ledger of the last closed days",
            e,
            "correct stripe.queries.ledger: id, type, amount_cents, fee_cents, currency, booked_at",
        ) from None
