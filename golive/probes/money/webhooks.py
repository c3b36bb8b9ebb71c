"""Webhooks: which endpoints Stripe has, and what the product does with what is sent there."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probes.money.section import Webhook
from golive.probes.money.stripe import api_url, asking, stripe_account, writing_key
from golive.probes.money.till import Begun, Till, Transaction, until
from golive.probes.transport.http import client, shown
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

STALE_S = 310
"""Age of a signature that is too old: the tolerance is 300 s."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint as Stripe lists it."""

    id: str
    url: str
    enabled: bool
    livemode: bool
    api_version: str
    events: frozenset[str]

    def sends(self, events: list[str]) -> bool:
        """Whether all of these types of events are sent there."""
        return "*" in self.events or set(events) <= self.events


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint that has to be there."""

    name: str
    url: str
    events: list[str]


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """All endpoints of the account, and those that there have to be."""

    all: tuple[Endpoint, ...]
    wanted: tuple[Wanted, ...]
    account: str | Unseen = ""
    """Whose endpoints they are, by Stripe's id."""

    @property
    def enabled(self) -> tuple[Endpoint, ...]:
        """Those that events are sent to."""
        return tuple(e for e in self.all if e.enabled)

    @property
    def elsewhere(self) -> list[str]:
        """Enabled ones at another address than this environment's, or without HTTPS."""
        urls = {w.url for w in self.wanted if urlsplit(w.url).scheme == "https"}
        return [f"{e.id} at {shown(e.url)}" for e in self.enabled if e.url not in urls]

    def of_another_mode(self, livemode: bool) -> list[str]:
        """Enabled ones of the other mode."""
        return [e.id for e in self.enabled if e.livemode != livemode]

    def of_another_version(self, version: str) -> list[str]:
        """Enabled ones that are sent events of another version of the API, or of the account's
        own, which changes."""
        return [
            f"{e.id}: {e.api_version or 'no version of its own'}"
            for e in self.enabled
            if e.api_version != version
        ]

    @property
    def missing(self) -> list[str]:
        """Declared ones for which no enabled endpoint of their own sends all that they need. Which
        are for connected accounts Stripe does not tell; the events do."""
        taken, lacking = self._taken(list(self.wanted), []), []
        for w in self.wanted:
            if w.name not in taken:
                there = [e for e in self.enabled if e.url == w.url]
                lack = min((sorted(set(w.events) - e.events) for e in there), key=len, default=[])
                what = f"nowhere {', '.join(lack)}" if lack else "no endpoint left for it"
                lacking.append(f"{w.name} at {shown(w.url)}: {what}")
        return lacking

    def _taken(self, left: list[Wanted], used: list[str]) -> dict[str, str]:
        """The most of them that can each have an endpoint of their own."""
        if not left:
            return {}
        first, rest = left[0], left[1:]
        best = self._taken(rest, used)
        for e in self.enabled:
            if e.url == first.url and e.sends(first.events) and e.id not in used:
                found = {first.name: e.id} | self._taken(rest, [*used, e.id])
                best = max(best, found, key=len)
        return best


@dataclass(frozen=True, slots=True)
class Twice:
    """A signed event that was sent twice."""

    statuses: tuple[int, int]
    recorded: int
    """How often the product has it."""
    effects: int
    """Messages that it led to."""


@dataclass(frozen=True, slots=True)
class Forged:
    """An event that Stripe did not sign, or not lately, and that would have made a payment paid."""

    status: int
    before: str
    after: str
    recorded: int

    @property
    def changed(self) -> bool:
        """Whether the product's database has anything of it."""
        return self.before != self.after or self.recorded > 0


@dataclass(frozen=True, slots=True)
class WebhookDrill:
    """What the product did with events, synthetic ones and Stripe's own."""

    sent_twice: dict[str, Twice | Unseen]
    """By the name of the endpoint."""
    forged: dict[str, Forged]
    arrived_after_s: dict[str, float] | Unseen
    """Stripe's own events, by the name of the endpoint; infinite where it never did."""
    applied_status: str
    """Of the payment, after the signed event said that it failed."""
    transactions: tuple[Transaction, ...] = ()
    """What became of the payment."""

    @property
    def not_applied_once(self) -> list[str]:
        """Signed events that are not in the database exactly once, or led to two messages."""
        return [
            f"{name}: answered {t.statuses[0]} and {t.statuses[1]}, recorded {t.recorded} times,"
            f" {t.effects} messages"
            for name, t in self.sent_twice.items()
            if isinstance(t, Twice) and (t.recorded != 1 or t.effects > 1 or max(t.statuses) >= 300)
        ]

    @property
    def effective(self) -> list[str]:
        """Forged ones that changed something."""
        return [
            f"{name}: {f.before} became {f.after}, recorded {f.recorded} times"
            for name, f in self.forged.items()
            if f.changed
        ]


def address(env: Environment, webhook: Webhook) -> str:
    """Where a declared endpoint is."""
    return webhook.url or api_url(env) + env.stripe.paths.webhook


@probe()
def webhook_endpoints(env: Environment) -> WebhookEndpoints:
    """Every webhook endpoint that Stripe lists, over all pages."""
    wanted = tuple(Wanted(w.name, address(env, w), list(w.events)) for w in env.stripe.webhooks)
    with asking(env, env.stripe.key, "the webhook endpoints") as client_:
        listed = client_.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter()
        found = tuple(
            Endpoint(
                e.id,
                e.url,
                e.status == "enabled",
                bool(e.livemode),
                str(e.api_version or ""),
                frozenset(e.enabled_events),
            )
            for e in listed
        )
    return WebhookEndpoints(found, wanted, seen(lambda: stripe_account(env).id))


def signed(payload: bytes, secret: str, at: float) -> str:
    """The header with which Stripe signs a payload."""
    moment = str(int(at))
    content = moment.encode() + b"." + payload
    digest = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@probe(effect="write")
def webhook_drill(env: Environment) -> WebhookDrill:
    """A synthetic payment, never confirmed: forged and stale events say that it succeeded, a signed
    one, sent twice, that it failed; Stripe's own that it was withdrawn."""
    key, node = writing_key(env), env.postgres.primary
    with (
        client(env, limit_s=env.time_limits.probe / 3) as http,
        asking(env, key, "the events of webhooks") as stripe,
        connect(env, node) as db,
    ):
        t = Till(env, http, stripe, db)
        try:
            drill = _drilled(t)
        finally:
            t.clean()
    return replace(drill, transactions=tuple(t.left.transactions))


def _drilled(t: Till) -> WebhookDrill:
    platform = next(w for w in t.env.stripe.webhooks if not w.connect)
    connect_ = next((w for w in t.env.stripe.webhooks if w.connect), None)
    begun = t.begin(t.book(t.env.stripe.drill.barber.id))
    forged = _forged(t, platform, begun)
    twice: dict[str, Twice | Unseen] = {platform.name: _failed_twice(t, platform, begun)}
    row = t.row(begun.intent)
    arriving: dict[str, Callable[[], float]] = {platform.name: lambda: _withdrawn(t, begun)}
    if connect_ is not None:
        account = t.env.stripe.drill.barber.account
        twice[connect_.name] = seen(_account_twice, t, connect_, account)
        arriving[connect_.name] = lambda: _account_changed(t, account)
    arrived = seen(lambda: {name: _asked(look) for name, look in arriving.items()})
    return WebhookDrill(twice, forged, arrived, row.status if row else "nothing")


def _event(t: Till, kind: str, one: dict[str, Any], account: str = "") -> tuple[str, bytes]:
    """A synthetic event and its id."""
    ident = f"evt_golive{uuid.uuid4().hex}"
    document = {
        "id": ident,
        "object": "event",
        "type": kind,
        "api_version": t.env.stripe.api_version,
        "created": int(time.time()),
        "livemode": t.env.stripe.livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": one},
        **({"account": account} if account else {}),
    }
    return ident, json.dumps(document).encode()


def _send(t: Till, webhook: Webhook, payload: bytes, signature: str) -> int:
    headers = {"Content-Type": "application/json"}
    if signature:
        headers["Stripe-Signature"] = signature
    return t.http.post_bytes(address(t.env, webhook), payload, headers).status_code


def _intent(t: Till, begun: Begun, **over: Any) -> dict[str, Any]:
    found: Any = t.client.v1.payment_intents.retrieve(begun.intent)
    return {**json.loads(json.dumps(found.to_dict(), default=str)), **over}


def _forged(t: Till, webhook: Webhook, begun: Begun) -> dict[str, Forged]:
    secret, now = webhook.secret.reveal(), time.time()
    one = _intent(t, begun)
    one |= {"status": "succeeded", "amount_received": one["amount"]}
    found = {}
    for name in ("unsigned", "with a wrong signature", "altered after signing", "signed too early"):
        ident, payload = _event(t, "payment_intent.succeeded", one)
        signature = {
            "unsigned": "",
            "with a wrong signature": signed(payload, "whsec_golive_wrong", now),
            "altered after signing": signed(payload + b" ", secret, now),
            "signed too early": signed(payload, secret, now - STALE_S),
        }[name]
        before = str(t.row(begun.intent))
        status = _send(t, webhook, payload, signature)
        # What it did may show only when the product has worked it off.
        after = until(lambda b=before: _other(str(t.row(begun.intent)), b), 0.5)  # type: ignore[misc]
        recorded, effects = t.event(ident)
        found[name] = Forged(status, before, after or before, recorded + effects)
    return found


def _other(now: str, before: str) -> str | None:
    return now if now != before else None


def _failed_twice(t: Till, webhook: Webhook, begun: Begun) -> Twice:
    error = {"code": "card_declined", "message": "Your card was declined.", "type": "card_error"}
    one = _intent(t, begun, status="requires_payment_method", last_payment_error=error)
    return _twice(t, webhook, *_event(t, "payment_intent.payment_failed", one))


def _account_twice(t: Till, webhook: Webhook, account: str) -> Twice:
    one = {"id": account, "object": "account", "charges_enabled": True, "payouts_enabled": True}
    return _twice(t, webhook, *_event(t, "account.updated", one, account))


def _twice(t: Till, webhook: Webhook, ident: str, payload: bytes) -> Twice:
    first, second = (
        _send(t, webhook, payload, signed(payload, webhook.secret.reveal(), time.time()))
        for _ in range(2)
    )
    # A product that works events off later has them a moment later.
    until(lambda: True if t.event(ident)[0] else None, t.env.windows.payment_s / 10)
    return Twice((first, second), *t.event(ident))


def _asked(look: Callable[[], float]) -> float:
    """:raises ProbeError: the key lacks the right."""
    import stripe

    try:
        return look()
    except stripe.PermissionError as e:
        raise ProbeError(
            "Stripe's own events",
            e.user_message or e,
            "declare stripe.test_key, which may cancel payment intents and update test accounts",
        ) from None


def _withdrawn(t: Till, begun: Begun) -> float:
    """Withdraw the payment, and wait until the product has heard of it from Stripe."""
    began = time.time()
    t.client.v1.payment_intents.cancel(begun.intent)
    return _arrival(t, "payment_intent.canceled", begun.intent, began, None)


def _account_changed(t: Till, account: str) -> float:
    """Change a word at a connected account, and wait until the product has heard of it."""
    began = time.time()
    t.client.v1.accounts.update(account, {"metadata": {"golive": uuid.uuid4().hex}})
    return _arrival(t, "account.updated", account, began, account)


def _arrival(t: Till, kind: str, ident: str, began: float, account: str | None) -> float:
    span: Any = {"type": kind, "created": {"gte": int(began) - 1}, "limit": 20}
    options: Any = {"stripe_account": account} if account else {}

    def heard() -> float | None:
        for event in t.client.v1.events.list(span, options).data:
            one: Any = event.data.object
            if one["id"] == ident and t.event(event.id)[0]:
                return time.time() - began
        return None

    found = until(heard, t.env.windows.payment_s)
    return inf if found is None else found
