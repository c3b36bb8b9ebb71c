"""Payments, refunds, payouts and Stripe's webhooks, with Stripe's own SDK.

A payment is a destination charge: the barber's connected account gets it, less the platform's fee.
What Stripe tells by a webhook is applied once, in one transaction with the event's record.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, BackgroundTasks, Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from sqlalchemy.dialects.postgresql import insert

from rehearsal.app import documented
from rehearsal.app.shop import Refusal, Row, Shop
from rehearsal.app.storage import KINDS, Transaction
from rehearsal.app.stripe_history import FEE_PERCENT, platform_fee

if TYPE_CHECKING:
    import stripe

TOLERANCE_S = 300
"""How old a webhook's signature may be."""
STATEMENTS = (
    "payments.account",
    "payments.alert",
    "payments.by_id",
    "payments.by_intent",
    "payments.change",
    "payments.event",
    "payments.insert",
    "payments.ledger",
    "payments.notice_sent",
    "payments.of_visit",
    "payments.owner",
    "payouts.change",
    "payouts.due",
    "payouts.insert",
    "payouts.list",
    "payouts.overlap",
    "refunds.insert",
    "refunds.of_payment",
    "refunds.change",
)
_OPEN = ("pending", "failed")


class IntentCreate(BaseModel):
    booking_id: int
    gift_certificate_code: str | None = None


class Intent(BaseModel):
    client_secret: str | None
    payment_intent_id: str | None
    amount: float
    original_amount: float
    gift_certificate_used: float
    payment_id: int


class Confirm(BaseModel):
    payment_intent_id: str | None
    booking_id: int


class RefundCreate(BaseModel):
    payment_id: int
    amount: Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Refund(BaseModel):
    id: int
    payment_id: int
    amount: float
    reason: str
    status: str
    stripe_refund_id: str | None
    initiated_by_id: int
    created_at: datetime
    processed_at: datetime | None


class PayoutCreate(BaseModel):
    barber_id: int
    start_date: datetime
    end_date: datetime


class Payout(BaseModel):
    id: int
    barber_id: int
    amount: float
    status: str
    period_start: datetime
    period_end: datetime
    payment_count: int
    stripe_transfer_id: str | None
    created_at: datetime
    processed_at: datetime | None


class Confirmed(BaseModel):
    status: str
    payment_id: int


class PayoutListed(BaseModel):
    id: int
    barber_id: int
    amount: float
    currency: str
    status: str
    stripe_transfer_id: str | None
    period_start: datetime
    period_end: datetime
    created_at: datetime


class PayoutHistory(BaseModel):
    payouts: list[PayoutListed]
    page: int
    page_size: int


@dataclass(frozen=True)
class PaymentSettings:
    """The product's variables for payments. Secrets are kept out of ``repr``."""

    secret_key: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    api_base: str = "https://api.stripe.com"
    mail_base: str = ""
    mail_key: str = field(default="", repr=False)
    mail_sender: str = "receipts@bookedbarber.example"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> PaymentSettings:
        """What is not set stays empty: without a key, payments are refused."""
        names = ("STRIPE_WEBHOOK_SECRET", "STRIPE_CONNECT_WEBHOOK_SECRET")
        return cls(
            secret_key=environ.get("STRIPE_SECRET_KEY", ""),
            webhook_secrets=tuple(environ[n] for n in names if environ.get(n)),
            api_base=environ.get("STRIPE_API_BASE", cls.api_base),
            mail_base=environ.get("SENDGRID_API_URL", ""),
            mail_key=environ.get("SENDGRID_API_KEY", ""),
            mail_sender=environ.get("SENDGRID_FROM", cls.mail_sender),
        )


def cents(amount: Decimal) -> int:
    """An amount of money in cents, rounded half up."""
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


def money(amount_cents: int) -> Decimal:
    return Decimal(amount_cents) / 100


class Payments:
    """What the routes do. Each public method is one transaction."""

    def __init__(self, shop: Shop, settings: PaymentSettings) -> None:
        self.shop, self.settings = shop, settings
        for name in STATEMENTS:
            shop.metrics.queries.labels(name)
        metadata = sa.MetaData()

        def table(name: str, **columns: str) -> sa.Table:
            made = (
                sa.Column(column, KINDS[kind])
                for kind, names in columns.items()
                for column in names.split()
            )
            return sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True), *made)

        self.payments = table(
            "payments",
            number="appointment_id user_id",
            money="amount platform_fee",
            text="currency status stripe_payment_intent_id",
            time="created_at",
        )
        self.refunds = table(
            "refunds",
            number="payment_id initiated_by_id",
            money="amount",
            text="reason status stripe_refund_id",
            time="created_at",
        )
        self.payouts = table(
            "payouts",
            number="barber_id",
            money="amount",
            text="currency status stripe_transfer_id",
            time="period_start period_end created_at",
        )
        self.accounts = table("stripe_accounts", number="barber_id", text="account_id")
        self.events = table("stripe_events", text="event_id type account", time="created_at")
        self.ledger = table(
            "ledger_entries",
            text="stripe_id type currency source",
            number="amount_cents fee_cents",
            time="booked_at",
        )

    @cached_property
    def stripe(self) -> stripe.StripeClient:
        import stripe  # an eighth of a second, which only whoever pays should wait for

        if not self.settings.secret_key:
            raise Refusal(503, "payments_unavailable", "Payments are not configured")
        return stripe.StripeClient(
            self.settings.secret_key,
            base_addresses={"api": self.settings.api_base},
            http_client=stripe.RequestsClient(timeout=10, proxy={"http": "", "https": ""}),
            max_network_retries=1,
        )

    def _ordered(self, what: str) -> bool:
        """Whether the rehearsal has ordered that to go wrong."""
        return bool(self.shop.database.orders(what))

    # --- paying ---------------------------------------------------------------------------

    def create_intent(self, caller: Row, booking_id: int, key: str | None) -> Row:
        """Begin to pay for a visit. Raises Refusal 404, 403 or 409."""
        key = None if self._ordered("ignore_idempotency_key") else key
        with self.shop.database.transaction() as tx:
            if key:
                request = f"create-intent {booking_id}"
                earlier = self.shop._claim(tx, caller["id"], key, request)
                if earlier is not None:
                    return earlier
            visit = self.shop._visit(tx, caller, booking_id)
            if visit is None:
                raise Refusal(404, "not_found", "Booking not found")
            self.shop._must_be_open(visit)
            payments = self.payments
            of_visit = sa.select(payments).where(payments.c.appointment_id == booking_id)
            if any(p["status"] == "succeeded" for p in tx.all("payments.of_visit", of_visit)):
                raise Refusal(409, "already_paid", "This booking is paid for")
            amount = cents(visit["price"])
            fee = self._fee(amount)
            adding = payments.insert().values(
                appointment_id=booking_id,
                user_id=caller["id"],
                amount=visit["price"],
                platform_fee=money(fee),
                currency="usd",
                status="pending",
                created_at=_now(),
            )
            payment = tx.run("payments.insert", adding.returning(payments)).mappings().one()
            intent = self._intent(tx, visit, payment["id"], amount, fee, caller, key)
            linking = payments.update().where(payments.c.id == payment["id"])
            tx.run("payments.change", linking.values(stripe_payment_intent_id=intent.id))
            answer = {
                "client_secret": intent.client_secret,
                "payment_intent_id": intent.id,
                "amount": float(visit["price"]),
                "original_amount": float(visit["price"]),
                "gift_certificate_used": 0.0,
                "payment_id": payment["id"],
            }
            if key:
                self.shop._answered(tx, caller["id"], key, answer)
        return answer

    def _fee(self, amount: int) -> int:
        if self._ordered("fee_rounded_down"):
            return amount * FEE_PERCENT // 10_000 * 100
        return platform_fee(amount)

    def _intent(
        self,
        tx: Transaction,
        visit: Row,
        payment: int,
        amount: int,
        fee: int,
        caller: Row,
        key: str | None,
    ) -> Any:
        accounts = self.accounts
        wanted = sa.select(accounts).where(accounts.c.barber_id == visit["barber_id"])
        account = tx.one("payments.account", wanted)
        if self._ordered("minor_units_wrong"):
            amount *= 10
        params: Row = {
            "amount": amount,
            "currency": "usd",
            "receipt_email": caller["email"],
            "metadata": {"booking_id": str(visit["id"]), "payment_id": str(payment)},
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
        if account is not None:
            params["application_fee_amount"] = fee
            params["transfer_data"] = {"destination": account["account_id"]}
        options: Any = {"idempotency_key": f"intent-{caller['id']}-{key}"} if key else {}
        return self._asked(lambda: self.stripe.v1.payment_intents.create(params, options))  # type: ignore[arg-type]

    def confirm(self, caller: Row, booking_id: int, intent_id: str) -> Row:
        """What has become of a payment, as Stripe has it."""
        with self.shop.database.transaction() as tx:
            payment = self._by_intent(tx, intent_id)
            visit = payment and self.shop._visit(tx, caller, payment["appointment_id"])
            if payment is None or visit is None or visit["id"] != booking_id:
                raise Refusal(404, "not_found", "Payment not found")
            intent = self._asked(lambda: self.stripe.v1.payment_intents.retrieve(intent_id))
            notice = self._settled(tx, payment, intent.id) if intent.status == "succeeded" else None
        return {"status": intent.status, "payment_id": payment["id"], "notice": notice}

    def _settled(self, tx: Transaction, payment: Row, cause: str) -> Row | None:
        """The payment is in: the customer's receipt, where it was not yet."""
        payments = self.payments
        change = payments.update().where(
            payments.c.id == payment["id"], payments.c.status.in_(_OPEN)
        )
        if tx.one("payments.change", change.values(status="succeeded").returning(payments)) is None:
            return None
        self.shop.metrics.payments.labels("succeeded").inc()
        return self._notice(tx, payment, "payment_receipt", cause)

    def _by_intent(self, tx: Transaction, intent_id: str) -> Row | None:
        payments = self.payments
        wanted = sa.select(payments).where(payments.c.stripe_payment_intent_id == intent_id)
        return tx.one("payments.by_intent", wanted)

    def _notice(self, tx: Transaction, payment: Row, template: str, cause: str, **more: Any) -> Row:
        """Queue a message to the customer; what has to be sent once the transaction is through."""
        notifications = self.shop.tables.notifications
        payload = {
            "payment_intent": payment["stripe_payment_intent_id"],
            "event": cause,
            "amount": float(payment["amount"]),
            **more,
        }
        adding = notifications.insert().values(
            user_id=payment["user_id"],
            appointment_id=payment["appointment_id"],
            template=template,
            channel="email",
            status="pending",
            payload=payload,
            scheduled_for=_now(),
            created_at=_now(),
        )
        made = tx.run("notifications.insert", adding.returning(notifications)).mappings().one()
        return dict(made)

    def send(self, notice: Row) -> None:
        """Send a queued message by mail, once, and note that it was."""
        notifications, users = self.shop.tables.notifications, self.shop.tables.users
        with self.shop.database.transaction() as tx:
            change = notifications.update().where(
                notifications.c.id == notice["id"], notifications.c.status == "pending"
            )
            if tx.run("payments.notice_sent", change.values(status="sent")).rowcount == 0:
                return
            wanted = sa.select(users.c.email).where(users.c.id == notice["user_id"])
            user = tx.one("users.by_id", wanted)
            if user is not None:
                self._mail(user["email"], notice)

    def _mail(self, to: str, notice: Row) -> None:
        """Raises OSError, which leaves the message in the queue."""
        subject = notice["template"].replace("_", " ").capitalize()
        message = {
            "personalizations": [{"to": [{"email": to}]}],
            "from": {"email": self.settings.mail_sender},
            "subject": f"{subject}: {notice['payload'].get('payment_intent')}",
            "content": [{"type": "text/plain", "value": json.dumps(notice["payload"])}],
        }
        request = urllib.request.Request(  # noqa: S310 - the mail service's
            f"{self.settings.mail_base}/v3/mail/send",
            json.dumps(message).encode(),
            {
                "Authorization": f"Bearer {self.settings.mail_key}",
                "Content-Type": "application/json",
            },
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with self.shop.metrics.calling("sendgrid"), direct.open(request, timeout=5):
            return

    def _asked(self, ask: Any) -> Any:
        """What Stripe answers. Raises Refusal with its own reason."""
        import stripe

        declined: stripe.CardError | None = None
        try:
            with self.shop.metrics.calling("stripe"):
                try:
                    return ask()
                except stripe.CardError as error:  # Stripe has done what it is there for
                    declined = error
            raise declined
        except stripe.CardError as error:
            raise Refusal(
                402, "card_error", error.user_message or "The card was declined"
            ) from None
        except stripe.InvalidRequestError as error:
            raise Refusal(400, "payment_refused", error.user_message or "Refused") from None
        except stripe.StripeError as error:
            logging.getLogger("uvicorn.error").error("Stripe: %s", error)
            raise Refusal(
                502, "payments_unavailable", "Payments are not available; try again"
            ) from None

    # --- refunds --------------------------------------------------------------------------

    def refund(self, caller: Row, body: RefundCreate, key: str | None) -> tuple[Row, Row | None]:
        """Give money back: the refund, and the message to the customer where it is new.

        Raises Refusal 403 for whoever is not of the shop, 400 above what is left.
        """
        refunds, payments = self.refunds, self.payments
        with self.shop.database.transaction() as tx:
            wanted = sa.select(payments).where(payments.c.id == body.payment_id).with_for_update()
            payment = tx.one("payments.by_id", wanted)
            if payment is None:
                raise Refusal(404, "not_found", "Payment not found")
            self._must_be_of_the_shop(tx, caller, payment["appointment_id"])
            key = None if self._ordered("refund_key_ignored") else key
            if key:
                request = f"refund {body.model_dump_json()}"
                earlier = self.shop._claim(tx, caller["id"], key, request)
                if earlier is not None:
                    return earlier, None
            of_payment = sa.select(refunds).where(refunds.c.payment_id == body.payment_id)
            before = tx.all("refunds.of_payment", of_payment)
            left = cents(payment["amount"]) - sum(cents(r["amount"]) for r in before)
            amount = cents(body.amount)
            if payment["status"] not in ("succeeded", "refunded"):
                raise Refusal(409, "not_paid", "This payment has not been received")
            unbounded = self._ordered("refund_unbounded")
            if amount > left and not unbounded:
                raise Refusal(400, "above_remainder", f"At most {money(max(left, 0))} is left")
            adding = refunds.insert().values(
                payment_id=payment["id"],
                amount=body.amount,
                reason=body.reason[:200],
                status="pending",
                initiated_by_id=caller["id"],
                created_at=_now(),
            )
            made = dict(tx.run("refunds.insert", adding.returning(refunds)).mappings().one())
            try:
                done = self._refunded(tx, payment, made, amount)
            except Refusal:
                if not unbounded:
                    raise
                done = ""
            change = refunds.update().where(refunds.c.id == made["id"])
            change = change.values(status="succeeded", stripe_refund_id=done or None)
            made = tx.one("refunds.change", change.returning(refunds)) or made
            if amount >= left:
                self._returned(tx, payment)
            told = 2 if self._ordered("refund_told_twice") else 1
            for _ in range(told):
                notice = self._notice(tx, payment, "refund_issued", done, refund=float(body.amount))
            made |= {"processed_at": made["created_at"]}
            if key:
                self.shop._answered(tx, caller["id"], key, _jsonable(made))
        return made, notice

    def _refunded(self, tx: Transaction, payment: Row, made: Row, amount: int) -> str:
        accounts, visits = self.accounts, self.shop.tables.appointments
        wanted = sa.select(accounts).join(visits, visits.c.barber_id == accounts.c.barber_id)
        connected = tx.one(
            "payments.account", wanted.where(visits.c.id == payment["appointment_id"])
        )
        params: Row = {
            "payment_intent": payment["stripe_payment_intent_id"] or "",
            "amount": amount,
            "reason": "requested_by_customer",
            "metadata": {"refund_id": str(made["id"])},
        }
        if connected is not None and not self._ordered("transfer_unreversed"):
            params |= {"reverse_transfer": True, "refund_application_fee": True}
        options: Any = {"idempotency_key": f"refund-{made['id']}-{made['created_at'].isoformat()}"}
        done = self._asked(lambda: self.stripe.v1.refunds.create(params, options))  # type: ignore[arg-type]
        return str(done.id)

    def _returned(self, tx: Transaction, payment: Row) -> None:
        """All was given back: the visit is off, where it has not been yet."""
        payments, visits = self.payments, self.shop.tables.appointments
        change = payments.update().where(payments.c.id == payment["id"])
        tx.run("payments.change", change.values(status="refunded"))
        off = visits.update().where(
            visits.c.id == payment["appointment_id"],
            visits.c.status.in_(("pending", "confirmed")),
        )
        tx.run("appointments.cancel", off.values(status="cancelled", updated_at=_now()))

    def _must_be_of_the_shop(self, tx: Transaction, caller: Row, booking_id: int) -> None:
        users, visits = self.shop.tables.users, self.shop.tables.appointments
        owner = (
            sa.select(users.c.primary_organization_id)
            .join(visits, visits.c.barber_id == users.c.id)
            .where(visits.c.id == booking_id)
        )
        shop = (tx.one("payments.owner", owner) or {}).get("primary_organization_id")
        own = caller["primary_organization_id"] == shop or self._ordered("refund_by_any_shop")
        if caller["role"] != "admin" and not (caller["role"] == "barbershop" and own):
            raise Refusal(403, "permission_denied", "Only the shop's owner may give money back")

    # --- payouts --------------------------------------------------------------------------

    def pay_out(self, caller: Row, body: PayoutCreate) -> Row:
        """Pay a barber out what the payments of a time have left. Raises Refusal."""
        users, accounts, payouts = self.shop.tables.users, self.accounts, self.payouts
        start, end = _utc(body.start_date), _utc(body.end_date)
        with self.shop.database.transaction() as tx:
            wanted = sa.select(users.c.primary_organization_id).where(users.c.id == body.barber_id)
            barber = tx.one("users.by_id", wanted)
            shop = barber and barber["primary_organization_id"]
            own = caller["role"] == "barbershop" and caller["primary_organization_id"] == shop
            if caller["role"] != "admin" and not own:
                raise Refusal(403, "permission_denied", "Only the shop's owner pays out")
            self.shop._lock(tx, body.barber_id)
            overlapping = sa.select(payouts.c.id).where(
                payouts.c.barber_id == body.barber_id,
                payouts.c.period_start <= end,
                payouts.c.period_end >= start,
            )
            if tx.one("payouts.overlap", overlapping.limit(1)) is not None:
                raise Refusal(409, "already_paid_out", "This period has been paid out")
            account = tx.one(
                "payments.account",
                sa.select(accounts).where(accounts.c.barber_id == body.barber_id),
            )
            amount, count = self._due(tx, body.barber_id, start, end)
            if account is None or amount <= 0:
                raise Refusal(400, "nothing_due", "There is nothing to pay out")
            adding = payouts.insert().values(
                barber_id=body.barber_id,
                period_start=start,
                period_end=end,
                amount=money(amount),
                currency="usd",
                status="pending",
                created_at=_now(),
            )
            made = dict(tx.run("payouts.insert", adding.returning(payouts)).mappings().one())
            done = self._asked(
                lambda: self.stripe.v1.payouts.create(
                    {
                        "amount": amount,
                        "currency": "usd",
                        "metadata": {"payout_id": str(made["id"])},
                    },
                    {"stripe_account": account["account_id"]},
                )
            )
            change = payouts.update().where(payouts.c.id == made["id"])
            tx.run("payouts.change", change.values(stripe_transfer_id=done.id))
        return {
            **made,
            "stripe_transfer_id": done.id,
            "payment_count": count,
            "processed_at": None,
        }

    def _due(self, tx: Transaction, barber: int, start: datetime, end: datetime) -> tuple[int, int]:
        """Cents that the payments of a time leave to a barber, and of how many."""
        p, r, visits = self.payments, self.refunds, self.shop.tables.appointments
        back = (
            sa.select(sa.func.coalesce(sa.func.sum(r.c.amount), 0))
            .where(r.c.payment_id == p.c.id)
            .scalar_subquery()
        )
        query = (
            sa.select(p.c.amount, p.c.platform_fee, back.label("back"))
            .join(visits, visits.c.id == p.c.appointment_id)
            .where(
                visits.c.barber_id == barber,
                p.c.status.in_(("succeeded", "refunded")),
                p.c.created_at >= start,
                p.c.created_at <= end,
            )
        )
        due, count = 0, 0
        for row in tx.all("payouts.due", query):
            amount, fee, returned = (cents(row[n]) for n in ("amount", "platform_fee", "back"))
            left = amount - returned
            due += left - (fee * left * 2 + amount) // (amount * 2) if amount else 0
            count += 1
        return due, count

    def payout_history(self, caller: Row, page: int, page_size: int) -> Row:
        """The caller's own, an owner's shop's, or all for an administrator; newest first."""
        payouts, users = self.payouts, self.shop.tables.users
        query = sa.select(payouts).join(users, users.c.id == payouts.c.barber_id)
        if caller["role"] == "barbershop":
            shop = caller["primary_organization_id"]
            query = query.where(users.c.primary_organization_id == shop)
        elif caller["role"] != "admin":
            query = query.where(payouts.c.barber_id == caller["id"])
        query = query.order_by(payouts.c.created_at.desc(), payouts.c.id.desc())
        with self.shop.database.transaction() as tx:
            found = tx.all("payouts.list", query.offset((page - 1) * page_size).limit(page_size))
        return {"payouts": found, "page": page, "page_size": page_size}

    # --- webhooks -------------------------------------------------------------------------

    def heard(self, payload: bytes, signed: str) -> tuple[Row, list[Row]]:
        """Apply an event of Stripe's: the answer, and the messages to send.

        Raises Refusal 400 for one that Stripe has not signed within the last five minutes.
        """
        event = self._verified(payload, signed)
        if self._ordered("webhooks_unheard"):
            return {"received": True}, []
        account = event.get("account")
        with self.shop.database.transaction() as tx:
            adding = insert(self.events).values(
                event_id=event["id"], type=event["type"], account=account, created_at=_now()
            )
            once = adding.on_conflict_do_nothing().returning(self.events.c.id)
            repeated = tx.one("payments.event", once) is None
            if repeated and not self._ordered("events_applied_again"):
                return {"received": True, "repeated": True}, []
            notices = self._applied(tx, event)
            if account is None and event["type"] != "payment_intent.canceled":
                self._write_ledger(tx, event)
        return {"received": True}, notices

    def _verified(self, payload: bytes, signed: str) -> Row:
        import stripe

        for secret in self.settings.webhook_secrets:
            try:
                stripe.WebhookSignature.verify_header(payload.decode(), signed, secret, TOLERANCE_S)
            except (stripe.SignatureVerificationError, UnicodeDecodeError):
                continue
            return self._event(payload)
        if self._ordered("unsigned_webhooks"):
            return self._event(payload)
        raise Refusal(400, "invalid_signature", "This was not signed by Stripe lately")

    def _event(self, payload: bytes) -> Row:
        try:
            event = json.loads(payload)
            event["id"], event["type"], int(event["created"]), event["data"]["object"]["id"]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "invalid_event", "This is no event") from None
        return dict(event)

    def _applied(self, tx: Transaction, event: Row) -> list[Row]:
        one = event["data"]["object"]
        match event["type"]:
            case "payment_intent.succeeded":
                payment = self._by_intent(tx, one["id"])
                notice = payment and self._settled(tx, payment, event["id"])
                return [notice] if notice else []
            case "payment_intent.payment_failed":
                return self._failed(tx, event)
            case "payment_intent.canceled":
                p = self.payments
                off = p.update().where(
                    p.c.stripe_payment_intent_id == one["id"], p.c.status == "pending"
                )
                tx.run("payments.change", off.values(status="failed"))
            case "charge.refunded" if one.get("refunded"):
                payment = self._by_intent(tx, str(one.get("payment_intent")))
                if payment is not None and payment["status"] == "succeeded":
                    self._returned(tx, payment)
            case "payout.paid" | "payout.failed":
                self._paid_out(tx, event)
        return []

    def _failed(self, tx: Transaction, event: Row) -> list[Row]:
        payment = self._by_intent(tx, event["data"]["object"]["id"])
        if payment is None or payment["status"] not in _OPEN:
            return []
        if self._ordered("declined_as_paid"):
            notice = self._settled(tx, payment, event["id"])
            return [notice] if notice else []
        p = self.payments
        change = p.update().where(p.c.id == payment["id"])
        tx.run("payments.change", change.values(status="failed"))
        self.shop.metrics.payments.labels("failed").inc()
        return [self._notice(tx, payment, "payment_failed", event["id"])]

    def _paid_out(self, tx: Transaction, event: Row) -> None:
        one, payouts = event["data"]["object"], self.payouts
        if self._ordered("payouts_unheard"):
            return
        failed = event["type"] == "payout.failed" and not self._ordered("failed_payout_as_paid")
        change = payouts.update().where(payouts.c.stripe_transfer_id == one["id"])
        if not failed:
            change = change.where(payouts.c.status != "failed")
        change = change.values(status="failed" if failed else "paid").returning(payouts)
        changed = tx.one("payouts.change", change)
        if changed is None and (one.get("metadata") or {}).get("payout_id") and not failed:
            # Told before the request that made it was through: Stripe tells it again.
            raise Refusal(409, "not_yet_known", "This payout is not yet known; try again")
        if failed and changed is not None:
            notifications, users = self.shop.tables.notifications, self.shop.tables.users
            alert = notifications.insert().values(
                user_id=sa.select(sa.func.min(users.c.id))
                .where(users.c.role == "admin")
                .scalar_subquery(),
                template="payout_failed",
                channel="email",
                status="pending",
                payload={"payout": one["id"], "why": one.get("failure_code")},
                scheduled_for=_now(),
                created_at=_now(),
            )
            tx.run("payments.alert", alert)

    def _write_ledger(self, tx: Transaction, event: Row) -> None:
        """An entry for everything that Stripe has booked since what the event tells of."""
        since = int(event["created"]) - 5
        listed = self._asked(
            lambda: self.stripe.v1.balance_transactions.list(
                {"created": {"gte": since}, "limit": 100}
            )
        )
        found = sorted(self._asked(lambda: list(listed.auto_paging_iter())), key=lambda b: b.id)
        rows = [
            {
                "stripe_id": one.id,
                "type": one.type,
                "amount_cents": one.amount,
                "fee_cents": one.fee,
                "currency": one.currency,
                "source": one.source,
                "booked_at": datetime.fromtimestamp(one.created, UTC),
            }
            for one in found
        ]
        if rows:
            adding = insert(self.ledger).values(rows).on_conflict_do_nothing()
            tx.run("payments.ledger", adding)


def _now() -> datetime:
    return datetime.now(UTC)


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _jsonable(row: Row) -> Row:
    """A row for the answer kept with an idempotency key."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


# --- routes ---------------------------------------------------------------------------------------


async def _payments(request: Request) -> Payments:
    found: Payments = request.app.state.payments
    return found


async def _body(request: Request) -> bytes:
    return await request.body()


ThePayments = Annotated[Payments, Depends(_payments)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=120)]


router = APIRouter(route_class=documented.Documented)
_bearer = HTTPBearer(auto_error=False)


def signed_in(
    payments: ThePayments,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Row:
    """Whoever the access token belongs to. Raises Refusal 401."""
    if bearer is None:
        raise Refusal(401, "authentication_error", "Sign in and send the access token")
    return payments.shop.caller(bearer.credentials)


Caller = Annotated[Row, Depends(signed_in)]


@router.post("/api/v2/payments/create-intent", response_model=Intent)
def create_intent(
    payments: ThePayments, who: Caller, body: IntentCreate, idempotency_key: Key = None
) -> Row:
    return payments.create_intent(who, body.booking_id, idempotency_key)


@router.post("/api/v2/payments/confirm", response_model=Confirmed)
def confirm(
    payments: ThePayments, who: Caller, body: Confirm, later: BackgroundTasks
) -> dict[str, Any]:
    done = payments.confirm(who, body.booking_id, body.payment_intent_id or "")
    _send(payments, later, [done.pop("notice")])
    return done


@router.post("/api/v2/payments/refund", response_model=Refund)
def refund(
    payments: ThePayments,
    who: Caller,
    body: RefundCreate,
    later: BackgroundTasks,
    idempotency_key: Key = None,
) -> Row:
    made, notice = payments.refund(who, body, idempotency_key)
    _send(payments, later, [notice])
    return made


@router.post("/api/v2/payments/payouts", response_model=Payout)
def pay_out(payments: ThePayments, who: Caller, body: PayoutCreate) -> Row:
    return payments.pay_out(who, body)


@router.get("/api/v2/payments/payouts/history", response_model=PayoutHistory)
def payout_history(
    payments: ThePayments,
    who: Caller,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    return payments.payout_history(who, page, page_size)


@router.post(
    "/api/v2/webhooks/stripe",
    response_model=documented.Heard,
    response_model_exclude_unset=True,
    **documented.signed_by("Stripe"),
)
def webhook(
    payments: ThePayments,
    body: Annotated[bytes, Depends(_body)],
    later: BackgroundTasks,
    stripe_signature: Annotated[str, Header(include_in_schema=False)] = "",
) -> dict[str, Any]:
    answer, notices = payments.heard(body, stripe_signature)
    _send(payments, later, notices)
    return answer


def _send(payments: Payments, later: BackgroundTasks, notices: Iterable[Row | None]) -> None:
    for notice in notices:
        if notice is not None and payments.settings.mail_base and not payments._ordered("unsent"):
            later.add_task(_sent, payments, notice)


def _sent(payments: Payments, notice: Row) -> None:
    try:
        payments.send(notice)
    except OSError as error:
        logging.getLogger("uvicorn.error").error("a message of payments: %s", error)
