"""What Stripe has booked for the product in the days before the rehearsal: the same every time.

The stand-in lists these balance transactions and the seed writes them into the ledger, each with
an id, so that both can be compared entry by entry. Times run through the whole day, since a day
that begins an hour late must show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

DAYS = 9
"""Closed days before today that have a history."""
PAYMENTS_A_DAY = 32
PAST_DAYS, COMING_DAYS, HOURS_PER_DAY = 365, 42, 9
"""The days around today in which there are visits, and the hours of one."""
PAYOUT_FAILS = 2
"""Number of the barber whose bank account has been closed."""
FEE_PERCENT = 20
"""What the platform keeps of a payment, as the seed has it."""
PRICES = (3000, 3100, 2050, 4515, 1599, 6001, 2507, 3333)


@dataclass(frozen=True, slots=True)
class Booked:
    """One balance transaction of the platform's account, in cents."""

    id: str
    type: str
    amount: int
    fee: int
    currency: str
    at: datetime
    source: str

    @property
    def net(self) -> int:
        return self.amount - self.fee


def stripe_fee(amount: int) -> int:
    """What Stripe keeps of a card payment: 2.9 % and 30 cents."""
    return (amount * 29 + 500) // 1000 + 30


def platform_fee(amount: int) -> int:
    """What the platform keeps of a payment, rounded half up to the cent."""
    return (amount * FEE_PERCENT + 50) // 100


def barbers_of(appointments: int) -> int:
    """How many barbers the seed makes for so many appointments."""
    days = (PAST_DAYS + COMING_DAYS + 1) * 6 / 7
    return max(4, math.ceil(appointments / (days * HOURS_PER_DAY * 0.75)))


def account_of(barber: int) -> str:
    """The connected account of the barber of that number among the seed's."""
    return f"acct_1Barber{barber:05d}"


def history(today: date) -> list[Booked]:
    """Everything booked in the closed days before ``today``, oldest first."""
    found: list[Booked] = []
    for ago in range(DAYS, 0, -1):
        found += _day(today - timedelta(days=ago))
    return found


def _day(day: date) -> list[Booked]:
    made: list[Booked] = []
    begins = datetime.combine(day, time(0, 1), UTC)

    def book(kind: str, amount: int, at: datetime, source: str, fee: int = 0) -> None:
        ident = f"txn_1{day:%Y%m%d}x{len(made):04d}"
        made.append(Booked(ident, kind, amount, fee, "usd", at, source))

    each = timedelta(hours=23, minutes=50) / PAYMENTS_A_DAY
    for n in range(PAYMENTS_A_DAY):
        at, key = begins + n * each, f"1{day:%Y%m%d}x{n:04d}"
        at = at.replace(microsecond=0)
        amount = PRICES[(n + day.day) % len(PRICES)] + n
        fee = platform_fee(amount)
        book("charge", amount, at, f"ch_{key}", stripe_fee(amount))
        book("transfer", -amount, at, f"tr_{key}")
        book("application_fee", fee, at, f"fee_{key}")
        if n % 8 == 3:
            back = amount if n % 16 == 3 else amount // 3
            later = at + timedelta(minutes=20)
            book("refund", -back, later, f"re_{key}")
            book("transfer_refund", back, later, f"trr_{key}")
            book("application_fee_refund", -((fee * back * 2 + amount) // (amount * 2)), later, key)
    if day.isoweekday() == 2:
        book("adjustment", -3000, begins + timedelta(hours=10), f"du_1{day:%Y%m%d}", 1500)
    book("payout", -10_000, begins + timedelta(hours=12), f"po_1{day:%Y%m%d}")
    book("stripe_fee", -200, begins + timedelta(hours=13), "")
    return made
