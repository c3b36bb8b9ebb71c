"""A synthetic customer who books and pays with Stripe's test cards, and cleans up afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from golive.environments import Account, Environment
from golive.probes.data.postgres import connect
from golive.probes.money.stripe import api_url, asking, spending_key
from golive.probes.transport.http import Client, access_token, client, json_object, shown
from golive.probing import pause
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests
    import stripe

    from golive.probes.data.postgres import Connection

T = TypeVar("T")
_DAYS_AHEAD = 60
_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Booking:
    """A visit that was booked to be paid."""

    id: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment that was begun, as the product answered."""

    payment_id: int
    intent: str


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment as the product's database has it."""

    status: str
    amount_cents: int
    fee_cents: int
    currency: str
    refunded_cents: int
    refunds: int
    appointment_status: str
    receipts: int
    refund_notices: int
    failure_notices: int

    def __str__(self) -> str:
        back = f", {self.refunded_cents} cents given back" if self.refunds else ""
        return f"{self.status}, {self.amount_cents} cents{back}, visit {self.appointment_status}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A synthetic payment, for the certificate: what was taken and what was given back."""

    intent: str
    taken_cents: int
    returned_cents: int
    status: str

    @property
    def is_clean(self) -> bool:
        """Whether nothing of it is left."""
        return self.taken_cents == self.returned_cents and self.status in {"succeeded", "canceled"}

    def __str__(self) -> str:
        return f"{self.intent} ({self.status}, {self.taken_cents - self.returned_cents} cents kept)"


@dataclass
class Left:
    """What a drill made at Stripe, as it is after cleaning up."""

    transactions: list[Transaction] = field(default_factory=list)
    bookings: list[str] = field(default_factory=list)
    """Visits that could not be cancelled."""

    @property
    def unclean(self) -> list[str]:
        """Payments and visits that were left behind."""
        return [str(t) for t in self.transactions if not t.is_clean] + self.bookings


class Till:
    """What the drills do with the product and with Stripe."""

    def __init__(
        self, env: Environment, http: Client, client: stripe.StripeClient, db: Connection
    ) -> None:
        self.env, self.http, self.client, self.db = env, http, client, db
        self.base = api_url(env)
        self.left = Left()
        self._tokens: dict[str, str] = {}
        self._bookings: list[Booking] = []
        self.intents: list[str] = []
        self.paid_out: set[str] = set()
        """Payments whose share has gone to the barber's bank: to take it back would leave the test
        account in debt, and the next drill without money."""

    def as_account(self, account: Account) -> dict[str, str]:
        """The headers of somebody signed in."""
        if account.email not in self._tokens:
            self._tokens[account.email] = access_token(self.env, self.http, self.base, account)
        return {"Authorization": f"Bearer {self._tokens[account.email]}"}

    def post(
        self, path: str, document: dict[str, Any], account: Account, key: str = ""
    ) -> requests.Response:
        """:raises ProbeError: the application does not answer."""
        headers = self.as_account(account) | ({"Idempotency-Key": key} if key else {})
        return self.http.post(self.base + path, document, headers)

    def book(self, barber: int) -> Booking:
        """Book a free time of a barber's.

        :raises ProbeError: there is none, or the product refuses.
        """
        paths, drill = self.env.application.paths, self.env.stripe.drill
        today = datetime.now(UTC).date()
        for ahead in range(1, _DAYS_AHEAD):
            day = (today + timedelta(days=ahead)).isoformat()
            url = f"{self.base}{paths.slots}?appointment_date={day}&barber_id={barber}"
            answer = json_object(
                self.http.get(url, self.as_account(drill.customer)), f"free times at {shown(url)}"
            )
            for slot in answer.get("slots", []):
                if not slot.get("available"):
                    continue
                wanted = {"date": day, "time": str(slot["time"]), "barber_id": barber}
                wanted["service"] = self.env.release.booking_service
                done = self.post(paths.appointments, wanted, drill.customer)
                if done.status_code == 409:
                    continue  # somebody was quicker
                made = Booking(int(_said(done, "a booking")["id"]), _cents(done.json()["price"]))
                self._bookings.append(made)
                return made
        raise ProbeError(
            f"a booking with barber {barber}",
            f"no time is free within {_DAYS_AHEAD} days",
            "name a barber with free times in stripe.drill",
        )

    def begin(self, booking: Booking, key: str = "") -> Begun:
        """Begin to pay for a visit.

        :raises ProbeError: the product refuses.
        """
        path = self.env.stripe.paths.create_intent
        done = self.post(path, {"booking_id": booking.id}, self.env.stripe.drill.customer, key)
        said = _said(done, "the beginning of a payment")
        begun = Begun(int(said.get("payment_id", 0)), str(said.get("payment_intent_id", "")))
        if begun.intent and begun.intent not in self.intents:
            self.intents.append(begun.intent)
        return begun

    def pay(self, intent: str, card: str) -> str:
        """Confirm with one of Stripe's test cards; the intent's status then.

        :raises stripe.StripeError: Stripe refuses for another reason than the card.
        """
        import stripe

        with suppress(stripe.CardError):
            self.client.v1.payment_intents.confirm(
                intent, {"payment_method": card, "return_url": self.base}
            )
        return str(self.client.v1.payment_intents.retrieve(intent).status)

    def row(self, intent: str) -> PaymentRow | None:
        """A payment as the product's database has it now; None: it has none."""
        found = self._one("payment", {"intent": intent})
        if found is None:
            return None
        names = PaymentRow.__dataclass_fields__
        try:
            values = {n: getattr(found, n) for n in names}
        except AttributeError as e:
            raise ProbeError(
                "a payment in the database", e, "correct stripe.queries.payment"
            ) from None
        texts = {n: str(v).strip() for n, v in values.items() if isinstance(v, str)}
        return PaymentRow(**(values | texts))

    def event(self, ident: str) -> tuple[int, int]:
        """How often the product has recorded an event, and how many messages it led to."""
        found = self._one("event", {"event": ident})
        return (0, 0) if found is None else (int(found.recorded), int(found.effects))

    def payout_row(self, ident: str) -> Any:
        """A payout as the product's database has it: rows, status, alerts."""
        return self._one("payout", {"payout": ident})

    def _one(self, name: str, parameters: dict[str, Any]) -> Any:
        query: str = getattr(self.env.stripe.queries, name)
        return self.db.execute(query.encode(), parameters).fetchone()

    def paid_row(self, intent: str, *, receipt: bool = True) -> tuple[PaymentRow | None, float]:
        """A payment once the product has it as paid, and has sent the receipt where that is waited
        for, or as it is when waiting ends; and the seconds until it was paid, infinite where it
        never was."""
        paid, began = self.env.stripe.states.paid, time.monotonic()
        after = inf

        def settled() -> PaymentRow | None:
            nonlocal after
            found = self.row(intent)
            if found is not None and found.status == paid:
                after = min(after, time.monotonic() - began)
                return found if found.receipts or not receipt else None
            return None

        return until(settled, self.env.windows.payment_s) or self.row(intent), after

    # -- cleaning up ---------------------------------------------------------------------------

    def clean(self) -> None:
        """Give all money back, withdraw what was only begun, cancel the visits; what could not be
        is left to be told."""
        for intent in self.intents:
            self.left.transactions.append(self._undone(intent))
        for booking in self._bookings:
            url = self.base + self.env.stripe.paths.cancel.format(id=booking.id)
            try:
                headers = self.as_account(self.env.stripe.drill.customer)
                status = self.http.put(url, {}, headers).status_code
            except ProbeError as e:
                self.left.bookings.append(f"visit {booking.id}: {e.cause}")
                continue
            # One whose payment was given back is cancelled with it.
            if status not in {200, 204, 404, 409}:
                self.left.bookings.append(f"visit {booking.id}: cancelling answers {status}")

    def _undone(self, ident: str) -> Transaction:
        import stripe

        intents = self.client.v1.payment_intents
        try:
            intent = intents.retrieve(ident, {"expand": ["latest_charge"]})
            if intent.status == "succeeded":
                charge: Any = intent.latest_charge
                if charge.amount_refunded < charge.amount:
                    self._give_back(ident, charge)
                charge = intents.retrieve(ident, {"expand": ["latest_charge"]}).latest_charge
                return Transaction(ident, charge.amount, charge.amount_refunded, "succeeded")
            if intent.status != "canceled":
                intent = intents.cancel(ident)
            return Transaction(ident, 0, 0, str(intent.status))
        except stripe.StripeError as e:
            return Transaction(ident, 0, 0, f"{e.user_message or e}")

    def _give_back(self, ident: str, charge: Any) -> None:
        how: dict[str, Any] = {"payment_intent": ident}
        if getattr(charge, "transfer", None) and ident not in self.paid_out:
            how["reverse_transfer"] = True
            how["refund_application_fee"] = bool(getattr(charge, "application_fee", None))
        self.client.v1.refunds.create(how)  # type: ignore[arg-type]


@contextmanager
def till(env: Environment, subject: str) -> Iterator[Till]:
    """The drills' means; what they made is cleaned up at the end, also when interrupted.

    :raises ProbeError: the key may not spend, the product, its database or Stripe does not answer.
    """
    key = spending_key(env)
    node = env.postgres.primary
    # A payment waits for Stripe.
    limit_s = env.time_limits.probe / 3
    with (
        client(env, limit_s=limit_s) as http,
        asking(env, key, subject) as stripe,
        connect(env, node) as db,
    ):
        made = Till(env, http, stripe, db)
        try:
            yield made
        finally:
            made.clean()


def until(look: Callable[[], T | None], within_s: float) -> T | None:
    """What a look finds, as soon as it finds it; None where it does not in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found is not None or time.monotonic() > deadline:
            return found
        pause(_EVERY_S)


def key_of_its_own() -> str:
    """An idempotency key."""
    return f"golive-{uuid.uuid4()}"


def rounded(part: Decimal) -> int:
    """Cents, rounded half up."""
    return int(part.quantize(Decimal(1), ROUND_HALF_UP))


def _cents(amount: Any) -> int:
    return rounded(Decimal(str(amount)) * 100)


def _said(response: requests.Response, subject: str) -> dict[str, Any]:
    if response.status_code == 201:
        found = response.json()
        return found if isinstance(found, dict) else {}
    return json_object(response, f"{subject} at {shown(response.url)}")
