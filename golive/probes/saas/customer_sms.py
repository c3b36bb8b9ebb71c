"""Texts to customers: Twilio's account by its SDK, and what becomes of texts between our own
numbers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.saas.records import application, stored, wait_for
from golive.probes.transport.http import client
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    from twilio.rest import Client

_ENDED = frozenset({"delivered", "undelivered", "failed", "read"})
_HOSTS = ("api", "messaging", "pricing", "accounts", "numbers")
_UNSUBSCRIBED = 21610
"""Twilio's code for a recipient who has texted STOP."""
_STOPS_ASKED = 3
"""So many texts are tried after STOP, which may take a moment to count."""


@dataclass(frozen=True, slots=True)
class SmsAccount:
    """The account, its balance, and what its sender may do."""

    status: str
    kind: str
    """``Full`` or ``Trial``."""
    balance: float | Unseen
    currency: str
    price: float | Unseen
    """Of one text to the dearest country of the launch, in the same currency."""
    blocked: tuple[str, ...] | Unseen
    """Countries of the launch that it may not text to."""
    cannot_send: tuple[str, ...] | Unseen
    """Numbers of the sender's that cannot send texts, or are not the account's."""
    not_approved: tuple[str, ...] | Unseen
    """Numbers of the sender's whose registration is not approved, and how it stands."""
    sid: str = ""
    """As Twilio answers it."""

    def days(self, texts_a_day: float) -> float | Unseen:
        """How long the balance lasts."""
        if isinstance(self.balance, Unseen) or isinstance(self.price, Unseen):
            return self.balance / self.price
        spent = self.price * texts_a_day
        return self.balance / spent if spent else inf


@probe()
def customer_sms_account(env: Environment) -> SmsAccount:
    """Twilio's account: its state, balance and prices, its sender's numbers and registration."""
    with _asking(env, "the account") as twilio:
        account = twilio.api.accounts(env.customer_sms.account).fetch()
    balance = seen(_balance, env)
    numbers = seen(_numbers, env)
    money, currency = (balance, "") if isinstance(balance, Unseen) else balance
    return SmsAccount(
        str(account.status),
        str(account.type),
        money,
        currency,
        seen(_dearest, env, currency),
        seen(_blocked, env),
        numbers
        if isinstance(numbers, Unseen)
        else tuple(f"{n}: {why}" for n, (_, why) in numbers.items() if why),
        numbers if isinstance(numbers, Unseen) else seen(_not_approved, env, numbers),
        str(account.sid),
    )


def _balance(env: Environment) -> tuple[float, str]:
    with _asking(env, "the balance") as twilio:
        found = twilio.api.accounts(env.customer_sms.account).balance.fetch()
        return float(found.balance), str(found.currency).upper()


def _dearest(env: Environment, currency: str) -> float:
    prices = []
    for country in env.customer_sms.countries:
        with _asking(env, f"the price of a text to {country}") as twilio:
            found = twilio.pricing.v1.messaging.countries(country).fetch()
            told: Any = found.outbound_sms_prices or []
            prices += [float(p["current_price"]) for one in told for p in one["prices"]]
            unit = str(found.price_unit).upper()
        if currency and unit != currency:
            raise ProbeError(
                f"the price of a text to {country}",
                f"it is in {unit}, and the balance in {currency}",
                "compare them by hand",
            )
    if not prices:
        step = "declare customer_sms.countries"
        raise ProbeError("the prices of texts", "no country has any", step)
    return max(prices)


def _blocked(env: Environment) -> tuple[str, ...]:
    blocked = []
    for country in env.customer_sms.countries:
        with _asking(env, f"the permission to text to {country}") as twilio:
            found: Any = twilio.accounts.v1.messaging_geopermissions.fetch(country_code=country)
            told = [p for p in found.permissions or [] if p.get("country_code") == country]
        if not any(p.get("enabled") for p in told):
            blocked.append(country)
    return tuple(blocked)


def _numbers(env: Environment) -> dict[str, tuple[Any, str]]:
    """What the account has of each number of the sender's, and why it cannot send."""
    sender = env.customer_sms.sender
    found: dict[str, tuple[Any, str]] = {}
    with _asking(env, f"the sender {sender}") as twilio:
        wanted = [sender]
        if sender.startswith("MG"):
            pool = twilio.messaging.v1.services(sender).phone_numbers.list()
            wanted = [str(n.phone_number) for n in pool]
            if not wanted:
                return {sender: (None, "its service has no number")}
        account = twilio.api.accounts(env.customer_sms.account)
        for number in wanted:
            if not number.startswith("+"):
                codes = account.short_codes.list(short_code=number)
                found[number] = (None, "" if codes else "is no short code of the account")
                continue
            ours = account.incoming_phone_numbers.list(phone_number=number)
            if not ours:
                found[number] = (None, "is no number of the account")
            elif not (ours[0].capabilities or {}).get("sms"):
                found[number] = (ours[0], "has no capability for SMS")
            else:
                found[number] = (ours[0], "")
    return found


def _not_approved(env: Environment, numbers: dict[str, tuple[Any, str]]) -> tuple[str, ...]:
    """How the registration of each number stands that is not approved.

    Numbers of the United States need a campaign of a brand (A2P 10DLC) where texts go there,
    toll-free ones a verification, those of other countries the bundle they were bought with.
    Short codes are approved when they are leased.
    """
    import phonenumbers

    failures = []
    for number, (known, _) in numbers.items():
        if known is None:
            continue
        parsed = phonenumbers.parse(number)
        kind = phonenumbers.number_type(parsed)
        with _asking(env, f"the registration of {number}") as twilio:
            if parsed.country_code == 1 and kind == phonenumbers.PhoneNumberType.TOLL_FREE:
                failure = _toll_free(twilio, known.sid)
            elif phonenumbers.region_code_for_number(parsed) == "US":
                failure = _campaign(twilio, number)
            else:
                failure = _bundle(twilio, known)
        if failure:
            failures.append(f"{number}: {failure}")
    return tuple(failures)


def _toll_free(twilio: Client, sid: str) -> str:
    found = twilio.messaging.v1.tollfree_verifications.list(tollfree_phone_number_sid=sid)
    states = [str(one.status) for one in found]
    if "TWILIO_APPROVED" in states:
        return ""
    return f"its verification is {states[0]}" if states else "it has no toll-free verification"


def _campaign(twilio: Client, number: str) -> str:
    """Why no campaign that is verified, of a brand that is approved, has the number."""
    failure = "no messaging service has it, so no campaign"
    for service in twilio.messaging.v1.services.list():
        numbers = twilio.messaging.v1.services(service.sid).phone_numbers.list()
        if number not in {n.phone_number for n in numbers}:
            continue
        campaigns = twilio.messaging.v1.services(service.sid).us_app_to_person.list()
        failure = "its messaging service has no campaign"
        for campaign in campaigns:
            if campaign.campaign_status != "VERIFIED":
                failure = f"its campaign is {campaign.campaign_status}"
                continue
            brand = twilio.messaging.v1.brand_registrations(campaign.brand_registration_sid).fetch()
            if str(brand.status) == "APPROVED":
                return ""
            failure = f"its brand is {brand.status}"
    return failure


def _bundle(twilio: Client, known: Any) -> str:
    if not known.bundle_sid:
        return "" if known.status in {None, "in-use"} else f"it is {known.status}"
    bundle = twilio.numbers.v2.regulatory_compliance.bundles(known.bundle_sid).fetch()
    return "" if bundle.status == "twilio-approved" else f"its bundle is {bundle.status}"


@dataclass(frozen=True, slots=True)
class SyntheticTexts:
    """What became of texts between our own numbers."""

    delivered_after_s: float
    """Infinite where it was not, within the time."""
    ended_as: str
    statuses: tuple[str, ...] | Unseen
    """Those that the application has stored of it."""
    forged_taken: tuple[str, ...] | Unseen
    """Callbacks without Twilio's signature that it answered with success, or stored."""
    to_nobody: tuple[str, ...] | Unseen
    """The statuses stored of a text to a number that nobody has."""
    after_stop: str | Unseen
    """What became of a text after STOP; empty: it was refused."""

    @property
    def was_stored(self) -> bool | Unseen:
        """Whether the application knows that it was delivered."""
        return self.statuses if isinstance(self.statuses, Unseen) else "delivered" in self.statuses

    @property
    def failure_was_stored(self) -> bool | Unseen:
        """Whether the application knows that the text to nobody failed."""
        told = self.to_nobody
        if isinstance(told, Unseen):
            return told
        return bool({"failed", "undelivered"} & set(told)) and "delivered" not in told


@probe(effect="write", limit="drill")
def synthetic_texts(env: Environment) -> SyntheticTexts:
    """Texts to our own test number and to one that nobody has, with the application's status
    callback; callbacks that Twilio did not sign; a text after STOP."""
    reported, within_s = env.customer_sms, env.windows.integration_s
    text, began = _send(env, reported.sender, reported.test_number, "a test"), time.monotonic()
    ended = wait_for(lambda: _state(env, text), lambda state: state in _ENDED, within_s)
    after_s = time.monotonic() - began if ended in {"delivered", "read"} else inf
    return SyntheticTexts(
        after_s,
        ended,
        seen(_statuses, env, text, {"delivered"}),
        seen(_forged, env),
        seen(_to_nobody, env),
        seen(_after_stop, env),
    )


def _statuses(env: Environment, sid: str, wanted: set[str]) -> tuple[str, ...]:
    query = env.customer_sms.statuses_query
    return wait_for(
        lambda: stored(env, query, message=sid),
        lambda found: bool(wanted & set(found)),
        env.windows.integration_s,
    )


def _forged(env: Environment) -> tuple[str, ...]:
    """What the application takes of what Twilio did not sign.

    :raises ProbeError: it does not answer, or has no such path.
    """
    url = application(env) + env.customer_sms.status_path
    ways: dict[str, dict[str, str]] = {
        "without a signature": {},
        "with another's signature": {"X-Twilio-Signature": "c2lnbmVkIGJ5IG5vYm9keQ=="},
    }
    taken = []
    with client(env) as http:
        for way, headers in ways.items():
            sid = f"SM{secrets.token_hex(16)}"
            fields = {"MessageSid": sid, "MessageStatus": "delivered", "SmsStatus": "delivered"}
            status = http.form(url, {**fields, "AccountSid": env.customer_sms.account}, headers)
            if status.status_code in {404, 405} or status.status_code >= 500:
                step = "check customer_sms.status_path"
                raise ProbeError(
                    f"a forged callback at {url}", f"status {status.status_code}", step
                )
            if status.status_code < 400 or stored(
                env, env.customer_sms.statuses_query, message=sid
            ):
                taken.append(f"{way} (status {status.status_code})")
    return tuple(taken)


def _to_nobody(env: Environment) -> tuple[str, ...]:
    """The statuses that the application has stored of a text to a number that nobody has."""
    reported = env.customer_sms
    sid = _send(env, reported.sender, reported.nobodys_number, "a test")
    return _statuses(env, sid, {"failed", "undelivered", "delivered"})


def _after_stop(env: Environment) -> str:
    """What becomes of a text to the test number once that has texted STOP.

    :raises ProbeError: STOP could not be texted.
    """
    from twilio.base.exceptions import TwilioRestException

    reported = env.customer_sms
    if not reported.sender.startswith("+"):
        raise ProbeError(
            "a text after STOP",
            f"{reported.sender} is no number that STOP can be texted to",
            "name one of its numbers as customer_sms.sender",
        )
    told = ""
    try:
        stop = _send(env, reported.test_number, reported.sender, "STOP")
        wait_for(
            lambda: _state(env, stop), lambda state: state in _ENDED, env.windows.integration_s
        )
        with _asking(env, "a text after STOP") as twilio:
            for _ in range(_STOPS_ASKED):
                try:
                    made = twilio.api.accounts(reported.account).messages.create(
                        to=reported.test_number, from_=reported.sender, body="golive: after STOP"
                    )
                except TwilioRestException as e:
                    if e.code == _UNSUBSCRIBED:
                        return ""
                    raise
                sid = str(made.sid)
                state = wait_for(
                    lambda: _state(env, sid),  # noqa: B023 - called within the turn
                    lambda state: state in _ENDED,
                    env.windows.integration_s,
                )
                if state == "failed":
                    return ""
                told = f"it was sent and is {state}"
    finally:
        with suppress(ProbeError):
            _send(env, reported.test_number, reported.sender, "START")
    return told


def _callback(env: Environment) -> str:
    """Where Twilio is to call back."""
    base: str = env.customer_sms.callback_base or env.application.url
    return base.rstrip("/") + env.customer_sms.status_path


def _send(env: Environment, sender: str, to: str, body: str) -> str:
    """Send a text; its SID. A keyword goes alone."""
    words = body if body.isupper() else f"golive: {body}, {secrets.token_hex(4)}"
    how = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}
    with _asking(env, f"a text to {to}") as twilio:
        messages = twilio.api.accounts(env.customer_sms.account).messages
        return str(messages.create(to=to, body=words, status_callback=_callback(env), **how).sid)


def _state(env: Environment, sid: str) -> str:
    with _asking(env, "a text that was sent") as twilio:
        return str(twilio.api.accounts(env.customer_sms.account).messages(sid).fetch().status)


@contextmanager
def _asking(env: Environment, what: str) -> Iterator[Client]:
    import requests
    from twilio.base.exceptions import TwilioException, TwilioRestException
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    reported = env.customer_sms
    http = TwilioHttpClient(timeout=env.time_limits.connect)
    if http.session is not None and urlsplit(reported.url).hostname == "127.0.0.1":
        http.session.trust_env = False  # what stands on loopback needs no proxy
    user = reported.user or reported.account
    twilio = Client(user, reported.token.reveal(), reported.account, http_client=http)
    if reported.url:
        for name in _HOSTS:
            getattr(twilio, name).base_url = f"{reported.url.rstrip('/')}/{name}"
    where = f"{what} at {reported.url or 'Twilio'}"
    try:
        yield twilio
    except TwilioRestException as e:
        step = "check account, token and numbers of [customer_sms], and what they may do"
        raise ProbeError(where, f"status {e.status}: {e.msg} ({e.code})", step) from None
    except TwilioException as e:
        raise ProbeError(where, e, "see Twilio's own status") from None
    except (requests.RequestException, OSError) as e:
        reason = getattr(e.args[0], "reason", e) if e.args else e
        raise ProbeError(where, reason, "check that it can be reached from here") from None
    except (ValueError, KeyError, TypeError) as e:
        raise ProbeError(where, f"the answer cannot be read: {e!r}", "see its API") from None
