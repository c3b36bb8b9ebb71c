"""Stripe's API in memory: objects, money that moves between balances, events and their webhooks.

Bodies are form-encoded and errors are error objects, as Stripe's SDKs expect them. What is left
out: currencies are not converted, and nothing is ever charged.
"""

from __future__ import annotations

import heapq
import hmac
import itertools
import json
import secrets
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Condition, RLock, Thread
from typing import Any

from rehearsal.app.stripe_history import Booked, stripe_fee

Object = dict[str, Any]
API_VERSION = "2026-10-28.endive"
CARDS = {
    "visa": "",
    "mastercard": "",
    "bypassPending": "",
    "createDispute": "",
    "chargeDeclined": "generic_decline",
    "chargeDeclinedInsufficientFunds": "insufficient_funds",
    "chargeDeclinedExpiredCard": "expired_card",
    "threeDSecure2Required": "authenticate",
    "authenticationRequired": "authenticate",
}
"""What becomes of a payment with Stripe's test cards, ``pm_card_`` and one of these names."""
NUMBERS = {
    "4242424242424242": "visa",
    "5555555555554444": "mastercard",
    "4000000000000077": "bypassPending",
    "4000000000000259": "createDispute",
    "4000000000000002": "chargeDeclined",
    "4000000000009995": "chargeDeclinedInsufficientFunds",
    "4000000000000069": "chargeDeclinedExpiredCard",
    "4000000000003220": "threeDSecure2Required",
}
FAILING_BANKS = {"000111111113": "account_closed", "000111111116": "no_account"}
PAYOUT_AFTER_S = 0.4
RETRIES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Hours at Stripe: when a webhook is tried again that was not answered with 2xx."""
_PREFIXES = {
    "customer": "cus",
    "payment_method": "pm",
    "payment_intent": "pi",
    "charge": "ch",
    "balance_transaction": "txn",
    "transfer": "tr",
    "transfer_reversal": "trr",
    "application_fee": "fee",
    "fee_refund": "fr",
    "refund": "re",
    "payout": "po",
    "dispute": "du",
    "account": "acct",
    "bank_account": "ba",
    "webhook_endpoint": "we",
    "event": "evt",
}
_SEQUENCE = itertools.count(1)


class ApiError(Exception):
    """An error object, with the status of its answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **more}}


@dataclass(frozen=True)
class Call:
    """One request, decoded."""

    method: str
    path: str
    params: dict[str, Any]
    livemode: bool = False
    may_write: bool = True
    account: str = ""
    idempotency_key: str = ""


def decoded(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A form as nested tables and lists: ``a[b]=1``, ``a[]=1``, ``a[0]=1``."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        words = [word.rstrip("]") for word in name.split("[")]
        place = found
        for word in words[:-1]:
            place = place.setdefault(word, {})
            if not isinstance(place, dict):
                raise ApiError(f"Invalid {name}", param=words[0])
        last = words[-1]
        place[str(len(place)) if last == "" else last] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


@dataclass
class Store:
    """Everything of one mode, test or live; ``owner`` is the account whose object it is."""

    objects: dict[str, dict[str, Object]] = field(
        default_factory=lambda: {kind: {} for kind in _PREFIXES}
    )
    owner: dict[str, str] = field(default_factory=dict)
    connect: set[str] = field(default_factory=set)
    """Webhook endpoints for events of connected accounts."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Signing secrets of the endpoints."""
    repeated: dict[tuple[str, str], tuple[str, int, Object]] = field(default_factory=dict)
    """What was answered to a request with an idempotency key."""


class Clock:
    """What happens later, in one thread."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = Condition()
        Thread(target=self._run, daemon=True, name="clock").start()

    def after(self, seconds: float, step: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(_SEQUENCE), step))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    left = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(left)
                _, _, step = heapq.heappop(self._due)
            step()


class Stripe:
    """The service. Thread-safe; every request sees a whole state.

    :param ca_file: the authority that HTTPS addresses of webhooks are checked against.
    :param patches: what the rehearsal has ordered to be different now, by fault.
    """

    def __init__(
        self,
        *,
        url: str = "",
        ca_file: str = "",
        patches: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
        platform: Callable[[], Object] = lambda: {"id": "acct_platform"},
    ) -> None:
        self.url = url
        self._ca_file = ca_file
        self._patches = patches
        self._platform = platform
        self._stores = {False: Store(), True: Store()}
        self._lock = RLock()
        self._clock = Clock()
        self._senders = ThreadPoolExecutor(3, "webhooks")

    # -- requests ------------------------------------------------------------------------------

    def answer(self, call: Call) -> tuple[int, Object, bool]:
        """Status and document of a request, and whether it is a repeated answer."""
        store = self._stores[call.livemode]
        key = (call.account, call.idempotency_key)
        words = [call.method, call.path, call.params]
        fingerprint = sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
        with self._lock:
            repeatable = call.method == "POST" and bool(call.idempotency_key)
            earlier = store.repeated.get(key) if repeatable else None
            if earlier is not None and earlier[0] != fingerprint:
                error = ApiError(
                    "Keys for idempotent requests can only be used with the same parameters they"
                    f" were first used with. Try using a key other than '{call.idempotency_key}'.",
                    kind="idempotency_error",
                )
                return 400, error.body, False
            if earlier is not None:
                return earlier[1], earlier[2], True
            try:
                status, found = 200, deepcopy(self._routed(store, call))
                self._expand(store, found, call.params.get("expand", []))
            except ApiError as error:
                status, found = error.status, error.body
            # Refused before anything began: such an answer is not kept.
            if repeatable and status != 401 and status != 403:
                store.repeated[key] = (fingerprint, status, found)
            return status, found, False

    def _routed(self, store: Store, call: Call) -> Object:
        if call.method != "GET" and not call.may_write:
            raise ApiError(
                "The provided key does not have the required permissions for this endpoint.",
                status=403,
                code="more_permissions_required",
            )
        if call.account and call.account not in store.objects["account"]:
            raise ApiError(
                f"The provided key does not have access to account '{call.account}'",
                status=403,
                code="account_invalid",
            )
        words = call.path.strip("/").split("/")[1:]
        p, book = call.params, _Books(self, store, call)
        match (call.method, *words):
            case ("GET", "account"):
                if call.account:
                    return self._shown(store.objects["account"][call.account])
                return {"object": "account", **self._platform()}
            case ("GET", "balance"):
                return book.balance()
            case ("GET", "accounts", ident, "external_accounts"):
                banks = book.found("account", ident)["external_accounts"]["data"]
                return book.page(banks, call.path)
            case ("POST", "accounts", ident, "external_accounts"):
                return book.add_bank(book.found("account", ident), p)
            case ("DELETE", "accounts", ident, "external_accounts", bank):
                return book.remove_bank(book.found("account", ident), bank)
            case ("POST", "accounts"):
                return book.create_account(p)
            case ("POST", "accounts", ident):
                return book.update_account(book.found("account", ident), p)
            case ("POST", "account_links"):
                book.found("account", p.get("account", ""))
                return {"object": "account_link", "url": f"{self.url}/onboard/{p['account']}"}
            case ("POST", "payment_methods"):
                return book.create_method(p)
            case ("POST", "payment_methods", ident, "attach"):
                return book.update(book.found("payment_method", ident), p, ("customer",))
            case ("POST", "payment_intents"):
                return book.create_intent(p)
            case ("POST", "payment_intents", ident, "confirm"):
                return book.confirm(book.found("payment_intent", ident), p)
            case ("POST", "payment_intents", ident, "cancel"):
                return book.cancel(book.found("payment_intent", ident))
            case ("POST", "refunds"):
                return book.refund(p)
            case ("POST", "transfers"):
                return book.transfer(p)
            case ("GET", "transfers", ident, "reversals"):
                return book.page(book.found("transfer", ident)["reversals"]["data"], call.path)
            case ("POST", "transfers", ident, "reversals"):
                return book.reverse(book.found("transfer", ident), _cents(p, "amount", None))
            case ("GET", "application_fees", ident, "refunds"):
                return book.page(book.found("application_fee", ident)["refunds"]["data"], call.path)
            case ("POST", "payouts"):
                return book.payout(p)
            case ("POST", "disputes", ident, "close"):
                return book.close_dispute(book.found("dispute", ident))
            case ("POST", "webhook_endpoints"):
                return book.create_endpoint(p)
            case ("POST", "webhook_endpoints", ident):
                return book.update_endpoint(book.found("webhook_endpoint", ident), p)
            case ("DELETE", "webhook_endpoints", ident):
                return book.delete("webhook_endpoint", ident)
            case ("POST", "customers"):
                made = {n: p.get(n) for n in ("email", "name")} | {"metadata": {}}
                return book.update(book.add("customer", made), p, ())
            case ("DELETE", "customers", ident):
                return book.delete("customer", ident)
            case ("POST", kind, ident):
                return book.update(book.found(_kind(kind), ident), p, ("email", "name"))
            case ("GET", kind):
                return book.list(_kind(kind), call.path)
            case ("GET", kind, ident):
                return self._shown(book.found(_kind(kind), ident))
        raise ApiError(f"Unrecognized request URL ({call.method}: {call.path}).", status=404)

    def _shown(self, one: Object) -> Object:
        """An object as it is told: with what the rehearsal has ordered laid over it."""
        for patch in self._patches().values():
            for ident, values in patch.get("objects", {}).items():
                if one.get("id") == ident:
                    one = _merged(one, values)
        return one

    def ordered(self, what: str) -> bool:
        """Whether the rehearsal has ordered that to go wrong."""
        return any(patch.get(what) for patch in self._patches().values())

    def _expand(self, store: Store, found: Any, paths: Any) -> None:
        for path in paths if isinstance(paths, list) else []:
            self._expand_one(store, found, str(path).split("."))

    def _expand_one(self, store: Store, one: Any, words: list[str]) -> None:
        if isinstance(one, list):
            for each in one:
                self._expand_one(store, each, words)
            return
        if not words or not isinstance(one, dict):
            return
        value = one.get(words[0])
        if isinstance(value, str):
            for kind in store.objects.values():
                if value in kind:
                    one[words[0]] = deepcopy(self._shown(kind[value]))
        self._expand_one(store, one.get(words[0]), words[1:])

    # -- what was there before -----------------------------------------------------------------

    def remember(self, booked: Iterable[Booked]) -> None:
        """Have these in the platform's balance, in test mode."""
        kept = self._stores[False].objects["balance_transaction"]
        for one in booked:
            kept[one.id] = {
                "id": one.id,
                "object": "balance_transaction",
                "type": one.type,
                "reporting_category": one.type,
                "amount": one.amount,
                "fee": one.fee,
                "net": one.net,
                "currency": one.currency,
                "created": int(one.at.timestamp()),
                "available_on": int(one.at.timestamp()),
                "status": "available",
                "source": one.source or None,
            }

    def add_accounts(self, accounts: Mapping[str, str]) -> None:
        """Have these connected accounts, each with the number of its bank account."""
        store = self._stores[False]
        book = _Books(self, store, Call("POST", "/v1/accounts", {}))
        for ident, bank in accounts.items():
            made = book.create_account({"type": "custom", "country": "US"}, ident)
            book.add_bank(made, {"external_account": {"account_number": bank}}, quiet=True)

    def add_endpoint(
        self, url: str, events: Iterable[str], secret: str, *, connect: bool, ident: str
    ) -> None:
        """Have this webhook endpoint, in test mode."""
        store = self._stores[False]
        book = _Books(self, store, Call("POST", "/v1/webhook_endpoints", {}))
        book.create_endpoint(
            {
                "url": url,
                "enabled_events": list(events),
                "api_version": API_VERSION,
                "connect": "true" if connect else "false",
            },
            ident,
            secret,
        )

    # -- events --------------------------------------------------------------------------------

    def emit(self, store: Store, kind: str, one: Object, account: str) -> None:
        """Record an event and send it to whoever listens."""
        book = _Books(self, store, Call("POST", "", {}, livemode=store is self._stores[True]))
        listening = [
            e
            for e in store.objects["webhook_endpoint"].values()
            if (e["id"] in store.connect) == bool(account)
            and {"*", kind} & set(e["enabled_events"])
            and self._shown(e)["status"] == "enabled"
        ]
        event = book.add(
            "event",
            {
                "type": kind,
                "api_version": API_VERSION,
                "data": {"object": deepcopy(one)},
                "pending_webhooks": len(listening),
                "request": {"id": None, "idempotency_key": None},
                **({"account": account} if account else {}),
            },
            owner=account,
        )
        for endpoint in listening:
            # After the request that caused it has been answered, as a rule.
            self._clock.after(0.05, lambda e=endpoint: self._send_soon(store, event, e, 0))  # type: ignore[misc]

    def _send_soon(self, store: Store, event: Object, endpoint: Object, attempt: int) -> None:
        self._senders.submit(self._send, store, event, endpoint, attempt)

    def _send(self, store: Store, event: Object, endpoint: Object, attempt: int) -> None:
        """Try to deliver an event; again later where that fails."""
        with self._lock:
            payload = json.dumps(event, separators=(",", ":")).encode()
            secret = store.secrets[endpoint["id"]]
        if self.ordered("rotated_secret"):
            secret = f"{secret}-rotated"
        delivered = not self.ordered("webhooks_dropped") and self._post(
            endpoint["url"], payload, signature(payload, secret, int(time.time()))
        )
        with self._lock:
            if delivered:
                event["pending_webhooks"] -= 1
            elif attempt < len(RETRIES_S):
                again = lambda: self._send_soon(store, event, endpoint, attempt + 1)  # noqa: E731
                self._clock.after(RETRIES_S[attempt], again)

    def _post(self, url: str, payload: bytes, signed: str) -> bool:
        headers = {"Content-Type": "application/json", "Stripe-Signature": signed}
        headers["User-Agent"] = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
        request = urllib.request.Request(url, payload, headers)  # noqa: S310 - an endpoint's
        trust = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with opener.open(request, timeout=10) as answer:
                return bool(200 <= answer.status < 300)
        except OSError:
            return False

    def authenticated(self, ident: str) -> None:
        """Somebody has proved at the bank's page that the card is theirs."""
        with self._lock:
            for livemode, store in self._stores.items():
                intent = store.objects["payment_intent"].get(ident)
                if intent is not None and intent["status"] == "requires_action":
                    owner = store.owner.get(ident, "")
                    call = Call("POST", "", {}, livemode=livemode, account=owner)
                    _Books(self, store, call).paid(intent)

    def later(self, seconds: float, step: Callable[[], None]) -> None:
        """Do something later, with the whole state at hand."""

        def locked() -> None:
            with self._lock:
                step()

        self._clock.after(seconds, locked)


def signature(payload: bytes, secret: str, at: int) -> str:
    """The ``Stripe-Signature`` of a payload."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + payload, sha256).hexdigest()
    return f"t={at},v1={signed}"


def _kind(plural: str) -> str:
    kind = "balance_transaction" if plural == "balance_transactions" else plural.rstrip("s")
    if kind not in _PREFIXES or kind in ("bank_account", "transfer_reversal", "fee_refund"):
        raise ApiError(f"Unrecognized request URL ({plural}).", status=404)
    return kind


def _cents(params: Mapping[str, Any], name: str, default: int | None) -> int:
    text = params.get(name)
    if text is None:
        if default is None:
            return -1
        return default
    if not str(text).isdigit() or int(text) <= 0:
        raise ApiError(f"Invalid positive integer: {text}", param=name, code="parameter_invalid")
    return int(text)


def _merged(one: Any, over: Any) -> Any:
    if isinstance(one, dict) and isinstance(over, Mapping):
        return {**one, **{k: _merged(one.get(k), v) for k, v in over.items()}}
    return over


def _list(data: list[Object], url: str, *, more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": more, "url": url}


class _Books:
    """What one request does to the objects of one mode."""

    def __init__(self, api: Stripe, store: Store, call: Call) -> None:
        self.api, self.store, self.call = api, store, call

    def add(
        self, kind: str, values: Object, *, owner: str | None = None, ident: str = ""
    ) -> Object:
        """A new object."""
        made = {
            "id": ident or f"{_PREFIXES[kind]}_{secrets.token_hex(9)}{next(_SEQUENCE):06d}",
            "object": kind,
            "livemode": self.call.livemode,
            "created": int(time.time()),
            **values,
        }
        self.store.objects[kind][made["id"]] = made
        self.store.owner[made["id"]] = self.call.account if owner is None else owner
        return made

    def found(self, kind: str, ident: str) -> Object:
        """The caller's own object of that id."""
        one = self.store.objects[kind].get(ident)
        if kind == "payment_method" and ident.startswith("pm_card_"):
            return self._card(ident)
        if one is None or self.store.owner.get(ident, "") != self.call.account:
            raise ApiError(
                f"No such {kind}: '{ident}'", status=404, code="resource_missing", param="id"
            )
        return one

    def update(self, one: Object, p: Object, names: tuple[str, ...]) -> Object:
        one.update({name: p[name] for name in names if name in p})
        if isinstance(p.get("metadata"), dict):
            one["metadata"] = {**one.get("metadata", {}), **p["metadata"]}
        return one

    def delete(self, kind: str, ident: str) -> Object:
        self.found(kind, ident)
        del self.store.objects[kind][ident]
        return {"id": ident, "object": kind, "deleted": True}

    def list(self, kind: str, path: str) -> Object:
        """A page of the caller's own objects, newest first."""
        p = self.call.params
        kept = [
            self.api._shown(one)
            for one in self.store.objects[kind].values()
            if self.store.owner.get(one["id"], "") == self.call.account
        ]
        kept = [one for one in kept if self._wanted(one, p)]
        kept.reverse()
        kept.sort(key=lambda one: int(one["created"]), reverse=True)
        return self.page(kept, path)

    def _wanted(self, one: Object, p: Object) -> bool:
        created = p.get("created", {})
        limits = created if isinstance(created, dict) else {"gte": created, "lte": created}
        tests = {
            "gte": lambda at: one["created"] >= at,
            "gt": lambda at: one["created"] > at,
            "lte": lambda at: one["created"] <= at,
            "lt": lambda at: one["created"] < at,
        }
        if not all(tests[name](int(at)) for name, at in limits.items() if name in tests):
            return False
        if "types" in p and one.get("type") not in p["types"]:
            return False
        same = ("source", "customer", "payment_intent", "charge", "status", "type", "currency")
        return all(one.get(n) == p[n] for n in same if n in p) and (
            "destination" not in p or one.get("destination") == p["destination"]
        )

    def page(self, kept: Any, path: str) -> Object:
        """A page, as ``limit``, ``starting_after`` and ``ending_before`` say."""
        p = self.call.params
        size = _cents(p, "limit", 10)
        if size > 100:
            raise ApiError("This value must be less than or equal to 100", param="limit")
        ids = [one["id"] for one in kept]
        for name in ("starting_after", "ending_before"):
            if name in p and p[name] not in ids:
                raise ApiError(f"No such object: '{p[name]}'", param=name, code="resource_missing")
        if "ending_before" in p:
            before = kept[: ids.index(p["ending_before"])]
            return _list(before[-size:], path, more=len(before) > size)
        first = ids.index(p["starting_after"]) + 1 if "starting_after" in p else 0
        return _list(kept[first : first + size], path, more=len(kept) > first + size)

    def emit(self, kind: str, one: Object, account: str | None = None) -> None:
        to = self.call.account if account is None else account
        self.api.emit(self.store, kind, self.api._shown(one), to)

    # -- money ---------------------------------------------------------------------------------

    def booked(
        self,
        kind: str,
        amount: int,
        source: str,
        *,
        fee: int = 0,
        owner: str = "",
        at_once: bool = True,
    ) -> str:
        """A new balance transaction; its id."""
        made = self.add(
            "balance_transaction",
            {
                "type": kind,
                "reporting_category": kind,
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "currency": "usd",
                "available_on": int(time.time()),
                "status": "available" if at_once else "pending",
                "source": source,
            },
            owner=owner,
        )
        return str(made["id"])

    def balance(self) -> Object:
        sums = {"available": 0, "pending": 0}
        for one in self.store.objects["balance_transaction"].values():
            if self.store.owner.get(one["id"], "") == self.call.account:
                sums[one["status"]] += one["net"]
        told = {n: [{"amount": s, "currency": "usd"}] for n, s in sums.items()}
        return {"object": "balance", "livemode": self.call.livemode, **told}

    def create_method(self, p: Object) -> Object:
        number = str(p.get("card", {}).get("number", p.get("card", {}).get("token", "")))
        name = NUMBERS.get(number, number.removeprefix("tok_"))
        if name not in CARDS:
            raise ApiError(
                "Your card number is incorrect.",
                status=402,
                kind="card_error",
                code="incorrect_number",
            )
        return self.add(
            "payment_method", {**_card_values(name), "card_name": name, "customer": None}
        )

    def _card(self, ident: str) -> Object:
        name = ident.removeprefix("pm_card_").removeprefix("visa_")
        if name not in CARDS or self.call.livemode:
            raise ApiError(f"No such PaymentMethod: '{ident}'", status=404, code="resource_missing")
        return {"id": ident, "object": "payment_method", "card_name": name, **_card_values(name)}

    def create_intent(self, p: Object) -> Object:
        amount = _cents(p, "amount", None)
        if amount < 50:
            raise ApiError(
                "Amount must be at least $0.50 usd", param="amount", code="amount_too_small"
            )
        if str(p.get("currency", "")).lower() != "usd":
            raise ApiError(f"Invalid currency: {p.get('currency')}", param="currency")
        fee = _cents(p, "application_fee_amount", 0)
        destination = p.get("transfer_data", {}).get("destination")
        if destination is not None and destination not in self.store.objects["account"]:
            raise ApiError(f"No such destination: '{destination}'", code="resource_missing")
        if fee > amount:
            raise ApiError(
                "The application fee is larger than the charge.", param="application_fee_amount"
            )
        ident = f"pi_{secrets.token_hex(9)}{next(_SEQUENCE):06d}"
        made = self.add(
            "payment_intent",
            {
                "amount": amount,
                "amount_received": 0,
                "currency": "usd",
                "status": "requires_payment_method",
                "client_secret": f"{ident}_secret_{secrets.token_hex(8)}",
                "application_fee_amount": fee or None,
                "transfer_data": {"destination": destination} if destination else None,
                "customer": p.get("customer"),
                "receipt_email": p.get("receipt_email"),
                "description": p.get("description"),
                "payment_method": None,
                "latest_charge": None,
                "next_action": None,
                "last_payment_error": None,
                "canceled_at": None,
                "metadata": dict(p.get("metadata") or {}),
            },
            ident=ident,
        )
        self.emit("payment_intent.created", made)
        if p.get("payment_method"):
            made |= {"payment_method": p["payment_method"], "status": "requires_confirmation"}
        if p.get("confirm") == "true":
            return self.confirm(made, p)
        return made

    def confirm(self, intent: Object, p: Object) -> Object:
        if intent["status"] in ("succeeded", "canceled"):
            raise ApiError(
                f"This PaymentIntent's status is {intent['status']}; it cannot be confirmed.",
                code="payment_intent_unexpected_state",
            )
        method = p.get("payment_method") or intent["payment_method"]
        if not method:
            raise ApiError(
                "You cannot confirm this PaymentIntent because it's missing a payment method."
            )
        card = self.found("payment_method", method)["card_name"]
        intent["payment_method"] = method
        outcome = CARDS[card]
        if outcome == "authenticate":
            url = f"{self.api.url}/3ds/{intent['id']}"
            intent |= {
                "status": "requires_action",
                "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": url}},
            }
            self.emit("payment_intent.requires_action", intent)
            return intent
        if outcome:
            self._decline(intent, outcome)
        return self.paid(intent, card)

    def _decline(self, intent: Object, why: str) -> None:
        charge = self._charge(intent, paid=False)
        code = "expired_card" if why == "expired_card" else "card_declined"
        error = {
            "code": code,
            "decline_code": why,
            "message": "Your card was declined.",
            "type": "card_error",
        }
        intent |= {
            "status": "requires_payment_method",
            "latest_charge": charge["id"],
            "payment_method": None,
            "last_payment_error": error,
        }
        self.emit("payment_intent.payment_failed", intent)
        more = {k: v for k, v in error.items() if k not in ("type", "message")}
        raise ApiError(
            error["message"], status=402, kind="card_error", payment_intent=deepcopy(intent), **more
        )

    def _charge(self, intent: Object, *, paid: bool) -> Object:
        return self.add(
            "charge",
            {
                "amount": intent["amount"],
                "amount_refunded": 0,
                "currency": "usd",
                "paid": paid,
                "captured": paid,
                "refunded": False,
                "status": "succeeded" if paid else "failed",
                "payment_intent": intent["id"],
                "customer": intent["customer"],
                "receipt_email": intent["receipt_email"],
                "application_fee": None,
                "application_fee_amount": intent["application_fee_amount"],
                "transfer": None,
                "transfer_data": intent["transfer_data"],
                "balance_transaction": None,
                "disputed": False,
                "metadata": dict(intent["metadata"]),
            },
        )

    def paid(self, intent: Object, card: str = "visa") -> Object:
        """The payment went through: money moves."""
        amount, fee = intent["amount"], intent["application_fee_amount"] or 0
        at_once = card == "bypassPending"
        charge = self._charge(intent, paid=True)
        charge["balance_transaction"] = self.booked(
            "charge", amount, charge["id"], fee=stripe_fee(amount), at_once=at_once
        )
        to = (intent["transfer_data"] or {}).get("destination", "")
        if to:
            moved = self._moved(amount, to, charge["id"], fee=fee, at_once=at_once)
            charge["transfer"] = moved["id"]
        if to and fee:
            kept = self.add(
                "application_fee",
                {
                    "account": to,
                    "amount": fee,
                    "amount_refunded": 0,
                    "charge": charge["id"],
                    "currency": "usd",
                    "refunded": False,
                    "refunds": _list([], ""),
                },
            )
            kept["balance_transaction"] = self.booked("application_fee", fee, kept["id"])
            charge["application_fee"] = kept["id"]
            self.emit("application_fee.created", kept)
        intent |= {
            "status": "succeeded",
            "amount_received": amount,
            "latest_charge": charge["id"],
            "next_action": None,
            "last_payment_error": None,
        }
        self.emit("payment_intent.succeeded", intent)
        self.emit("charge.succeeded", charge)
        if card == "createDispute":
            self._dispute(charge)
        return intent

    def _moved(self, amount: int, to: str, charge: str, *, fee: int, at_once: bool) -> Object:
        made = self.add(
            "transfer",
            {
                "amount": amount,
                "amount_reversed": 0,
                "currency": "usd",
                "destination": to,
                "source_transaction": charge or None,
                "reversed": False,
                "reversals": _list([], ""),
                "metadata": {},
            },
        )
        made["balance_transaction"] = self.booked("transfer", -amount, made["id"])
        made["destination_payment"] = f"py_{made['id'].removeprefix('tr_')}"
        self.booked("payment", amount, made["id"], fee=fee, owner=to, at_once=at_once)
        self.emit("transfer.created", made)
        return made

    def transfer(self, p: Object) -> Object:
        to = p.get("destination", "")
        if to not in self.store.objects["account"]:
            raise ApiError(f"No such destination: '{to}'", code="resource_missing")
        return self._moved(
            _cents(p, "amount", 0), to, p.get("source_transaction", ""), fee=0, at_once=True
        )

    def cancel(self, intent: Object) -> Object:
        if intent["status"] in ("succeeded", "canceled"):
            raise ApiError(
                f"This PaymentIntent's status is {intent['status']}; it cannot be canceled.",
                code="payment_intent_unexpected_state",
            )
        intent |= {"status": "canceled", "canceled_at": int(time.time()), "next_action": None}
        self.emit("payment_intent.canceled", intent)
        return intent

    def refund(self, p: Object) -> Object:
        intent = p.get("payment_intent")
        ident = p.get("charge") or (
            intent and self.found("payment_intent", intent)["latest_charge"]
        )
        charge = self.found("charge", ident or "")
        left = charge["amount"] - charge["amount_refunded"]
        if not charge["paid"]:
            raise ApiError(f"Charge {ident} was not paid.", code="charge_not_refundable")
        if left == 0:
            raise ApiError(
                f"Charge {ident} has already been refunded.", code="charge_already_refunded"
            )
        amount = _cents(p, "amount", left)
        if amount > left:
            raise ApiError(
                f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge"
                f" (${left / 100:.2f})",
                param="amount",
            )
        made = self.add(
            "refund",
            {
                "amount": amount,
                "charge": charge["id"],
                "payment_intent": charge["payment_intent"],
                "currency": "usd",
                "status": "succeeded",
                "reason": p.get("reason"),
                "metadata": dict(p.get("metadata") or {}),
                "transfer_reversal": None,
            },
        )
        made["balance_transaction"] = self.booked("refund", -amount, made["id"])
        before, charge["amount_refunded"] = (
            charge["amount_refunded"],
            charge["amount_refunded"] + amount,
        )
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if p.get("reverse_transfer") == "true":
            moved = self.found("transfer", charge["transfer"] or "")
            share = _share(moved["amount"], before + amount, charge["amount"]) - _share(
                moved["amount"], before, charge["amount"]
            )
            made["transfer_reversal"] = self.reverse(moved, share)["id"]
        if p.get("refund_application_fee") == "true":
            kept = self.found("application_fee", charge["application_fee"] or "")
            self._return_fee(
                kept,
                _share(kept["amount"], before + amount, charge["amount"])
                - _share(kept["amount"], before, charge["amount"]),
            )
        self.emit("charge.refunded", charge)
        self.emit("refund.created", made)
        return made

    def _return_fee(self, kept: Object, amount: int) -> None:
        made = self.add("fee_refund", {"amount": amount, "fee": kept["id"], "currency": "usd"})
        made["balance_transaction"] = self.booked("application_fee_refund", -amount, kept["id"])
        moved = self.store.objects["charge"][kept["charge"]]["transfer"]
        self.booked(
            "application_fee_refund",
            amount,
            kept["id"],
            owner=kept["account"],
            at_once=self._is_available(moved),
        )
        kept["amount_refunded"] += amount
        kept["refunded"] = kept["amount_refunded"] == kept["amount"]
        kept["refunds"]["data"].insert(0, made)
        self.emit("application_fee.refunded", kept)

    def _is_available(self, moved: str) -> bool:
        """Whether what a connected account got by a transfer can be paid out yet."""
        got = self.store.objects["balance_transaction"].values()
        return any(
            b["source"] == moved and b["type"] == "payment" and b["status"] == "available"
            for b in got
        )

    def reverse(self, moved: Object, amount: int) -> Object:
        left = moved["amount"] - moved["amount_reversed"]
        amount = left if amount < 0 else amount
        if amount > left:
            raise ApiError(
                "Reversal amount is greater than the amount that is left.", param="amount"
            )
        made = self.add(
            "transfer_reversal", {"amount": amount, "transfer": moved["id"], "currency": "usd"}
        )
        made["balance_transaction"] = self.booked("transfer_refund", amount, moved["id"])
        self.booked(
            "payment_refund",
            -amount,
            moved["id"],
            owner=moved["destination"],
            at_once=self._is_available(moved["id"]),
        )
        moved["amount_reversed"] += amount
        moved["reversed"] = moved["amount_reversed"] == moved["amount"]
        moved["reversals"]["data"].insert(0, made)
        self.emit("transfer.reversed", moved)
        return made

    def _dispute(self, charge: Object) -> None:
        charge["disputed"] = True
        made = self.add(
            "dispute",
            {
                "amount": charge["amount"],
                "charge": charge["id"],
                "payment_intent": charge["payment_intent"],
                "currency": "usd",
                "reason": "fraudulent",
                "status": "needs_response",
            },
        )
        self.booked("adjustment", -charge["amount"], made["id"], fee=1500)
        self.emit("charge.dispute.created", made)

    def close_dispute(self, one: Object) -> Object:
        one["status"] = "lost"
        self.emit("charge.dispute.closed", one)
        return one

    def payout(self, p: Object) -> Object:
        amount, account = _cents(p, "amount", 0), self.call.account
        available = self.balance()["available"][0]["amount"]
        if amount <= 0 or amount > available:
            raise ApiError(
                "You have insufficient funds in your Stripe account for this transfer."
                f" Your available balance is ${available / 100:.2f}.",
                code="balance_insufficient",
            )
        banks = (
            self.store.objects["account"][account]["external_accounts"]["data"] if account else []
        )
        if account and not banks:
            raise ApiError("This account has no external account to be paid out to.")
        made = self.add(
            "payout",
            {
                "amount": amount,
                "currency": "usd",
                "status": "pending",
                "automatic": False,
                "method": "standard",
                "arrival_date": int(time.time()),
                "destination": banks[0]["id"] if banks else None,
                "failure_code": None,
                "failure_message": None,
                "metadata": dict(p.get("metadata") or {}),
            },
        )
        made["balance_transaction"] = self.booked("payout", -amount, made["id"], owner=account)
        self.emit("payout.created", made)
        why = FAILING_BANKS.get(banks[0]["number"], "") if banks else ""
        self.api.later(PAYOUT_AFTER_S, lambda: self._arrived(made, why))
        return made

    def _arrived(self, made: Object, why: str) -> None:
        if why:
            made |= {"status": "failed", "failure_code": why, "failure_message": f"{why}."}
            self.booked("payout_failure", made["amount"], made["id"], owner=self.call.account)
            self.emit("payout.failed", made)
        else:
            made["status"] = "paid"
            self.emit("payout.paid", made)

    # -- connected accounts --------------------------------------------------------------------

    def create_account(self, p: Object, ident: str = "") -> Object:
        return self.add(
            "account",
            {
                "type": p.get("type", "custom"),
                "country": p.get("country", "US"),
                "default_currency": "usd",
                "email": p.get("email"),
                "charges_enabled": bool(ident),
                "payouts_enabled": bool(ident),
                "details_submitted": bool(ident),
                "capabilities": {"transfers": "active" if ident else "inactive"},
                "requirements": {
                    "currently_due": [] if ident else ["external_account", "tos_acceptance.date"],
                    "past_due": [],
                    "eventually_due": [],
                    "pending_verification": [],
                    "disabled_reason": None if ident else "requirements.past_due",
                },
                "external_accounts": _list([], ""),
                "settings": {"payouts": {"schedule": {"interval": "manual"}}},
                "metadata": dict(p.get("metadata") or {}),
            },
            owner="",
            ident=ident or f"acct_{secrets.token_hex(8)}",
        )

    def update_account(self, one: Object, p: Object) -> Object:
        self.update(one, p, ("email",))
        self.emit("account.updated", one, one["id"])
        return one

    def add_bank(self, one: Object, p: Object, *, quiet: bool = False) -> Object:
        told = p.get("external_account")
        number = str(told.get("account_number", "")) if isinstance(told, dict) else ""
        if not number.isdigit():
            raise ApiError("Missing account number", param="external_account[account_number]")
        bank = {
            "id": f"ba_{secrets.token_hex(9)}",
            "object": "bank_account",
            "account": one["id"],
            "country": "US",
            "currency": "usd",
            "last4": number[-4:],
            "number": number,
            "status": "new",
        }
        one["external_accounts"]["data"].append(bank)
        if not quiet:
            self.emit("account.updated", one, one["id"])
        return bank

    def remove_bank(self, one: Object, ident: str) -> Object:
        kept = [bank for bank in one["external_accounts"]["data"] if bank["id"] != ident]
        one["external_accounts"]["data"] = kept
        return {"id": ident, "object": "bank_account", "deleted": True}

    # -- webhooks ------------------------------------------------------------------------------

    def create_endpoint(self, p: Object, ident: str = "", secret: str = "") -> Object:
        events = p.get("enabled_events")
        if not isinstance(events, list) or not events or not p.get("url"):
            raise ApiError("Missing required param: enabled_events.", param="enabled_events")
        made = self.add(
            "webhook_endpoint",
            {
                "url": p["url"],
                "enabled_events": [str(one) for one in events],
                "status": "enabled",
                "api_version": p.get("api_version"),
                "application": None,
                "description": p.get("description"),
                "metadata": {},
            },
            ident=ident,
        )
        self.store.secrets[made["id"]] = secret or f"whsec_{secrets.token_hex(16)}"
        if p.get("connect") == "true":
            self.store.connect.add(made["id"])
        return {**made, "secret": self.store.secrets[made["id"]]}

    def update_endpoint(self, one: Object, p: Object) -> Object:
        self.update(one, p, ("url", "enabled_events", "description"))
        if "disabled" in p:
            one["status"] = "disabled" if p["disabled"] == "true" else "enabled"
        return one


def _share(whole: int, part: int, of: int) -> int:
    """A share in proportion, rounded half up to the cent."""
    return (whole * part * 2 + of) // (of * 2)


def _card_values(name: str) -> Object:
    brand = "mastercard" if name == "mastercard" else "visa"
    return {"type": "card", "card": {"brand": brand, "last4": "4242", "exp_year": 2034}}
