"""Mail to customers: SendGrid's account by its SDK, and what becomes of a message to a mailbox of
our own."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import inf
from typing import Any

from golive.environments import Environment
from golive.probes.saas import mail_dns
from golive.probes.saas.mailbox import opened
from golive.probes.saas.records import application, stored, wait_for
from golive.probes.transport.http import client
from golive.probing import probe
from golive.sections import Secret
from golive.verdicts import ProbeError, Unseen, seen

_UNASKED = frozenset(
    {
        "2fa_required",
        "2fa_exempt",
        "sender_verification_eligible",
        "sender_verification_exempt",
        "sender_verification_legacy",
    }
)
"""Scopes that SendGrid gives every key beside those that it was made with."""
_PERIOD_DAYS = {"daily": 1, "weekly": 7, "monthly": 31}
_PAGE = 50


@dataclass(frozen=True, slots=True)
class MailAccount:
    """The account behind the keys."""

    name: str | Unseen
    plan: str | Unseen
    """``paid`` or ``free``."""
    scopes: tuple[str, ...] | Unseen
    """Of the application's key."""
    has_the_key: bool | Unseen
    """Whether the application's key is one of this account's."""
    mails_per_day: float | Unseen
    """What it may still send each day until its credits are renewed."""

    @property
    def of_the_key(self) -> str | Unseen:
        """The account that the application's key belongs to, as far as it is known."""
        if isinstance(self.has_the_key, Unseen):
            return self.has_the_key
        return self.name if self.has_the_key else "another account"


@probe()
def customer_mail_account(env: Environment) -> MailAccount:
    """SendGrid's account: its plan and credits, and what the application's key may do."""
    reported = env.customer_mail
    with _asking(env, reported.reading_key) as reading, _asking(env, reported.key) as own:
        plan = seen(_got, env, reading.user.account, "plan of the account")
        credits_ = seen(_got, env, reading.user.credits, "credits of the account")
        who = seen(_got, env, reading.user.username, "name of the account")
        scopes = seen(_got, env, own.scopes, "scopes of the application's key")
        found = MailAccount(
            seen(_read, env, who, lambda told: str(told["username"])),
            seen(_read, env, plan, lambda told: str(told["type"])),
            seen(_read, env, scopes, lambda told: tuple(sorted({*told["scopes"]} - _UNASKED))),
            seen(_has_key, env, reading),
            seen(_read, env, credits_, per_day),
        )
    parts = (found.name, found.plan, found.scopes, found.mails_per_day)
    if all(isinstance(part, Unseen) for part in parts):
        raise next(part.error for part in parts if isinstance(part, Unseen))
    return found


def per_day(credits_: Any, today: date | None = None) -> float:
    """Mails a day that credits are for, until they are renewed.

    What is left counts, spread over the days to their renewal; of daily credits the whole.
    """
    frequency = str(credits_.get("reset_frequency") or "monthly").lower()
    if frequency == "daily":
        return float(credits_["total"])
    days = _PERIOD_DAYS.get(frequency, 31)
    if following := credits_.get("next_reset"):
        now = today or datetime.now(UTC).date()
        days = max(1, (date.fromisoformat(str(following)[:10]) - now).days)
    return float(credits_["remain"]) / days


def _has_key(env: Environment, reading: Any) -> bool:
    """Whether the account has the application's key, whose id stands between its dots."""
    from python_http_client.exceptions import NotFoundError

    parts = env.customer_mail.key.reveal().split(".")
    if len(parts) != 3:
        raise ProbeError(
            "the application's key",
            "it is none of SendGrid's form SG.id.secret",
            "check customer_mail.key in the environment file",
        )
    with _told(env, "keys of the account"):
        try:
            reading.api_keys._(parts[1]).get()
        except NotFoundError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class MailDomain:
    """The sender's domain: its authentication at SendGrid, and its records in DNS."""

    name: str
    failures: tuple[str, ...]
    """What SendGrid holds for invalid; nothing where all of it is valid."""
    records: tuple[mail_dns.MailRecord, ...] | Unseen

    @property
    def unresolved(self) -> list[str] | Unseen:
        """The records that do not do."""
        if isinstance(self.records, Unseen):
            return self.records
        return [str(one) for one in self.records if one.failure]


@probe()
def mail_domain(env: Environment) -> MailDomain:
    """The sender's domain as SendGrid authenticates it, and its records as DNS has them."""
    name = env.customer_mail.sender.rpartition("@")[2].lower()
    with _asking(env, env.customer_mail.reading_key) as reading:
        same = [d for d in _domains(env, reading) if str(d.get("domain", "")).lower() == name]
    if not same:
        missing = (f"{name} is no authenticated domain of the account",)
        return MailDomain(name, missing, seen(_records, env, name, {}))
    # There may be several of one domain; one that is valid authenticates it.
    best = next((d for d in same if d.get("valid")), same[0])
    told: dict[str, Any] = best.get("dns") or {}
    failures = [f"{kind} at {d.get('host')}" for kind, d in told.items() if not d.get("valid")]
    if not best.get("valid"):
        failures.insert(0, f"{name} as a whole")
    return MailDomain(name, tuple(failures), seen(_records, env, name, told))


def _domains(env: Environment, reading: Any) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        query = {"limit": _PAGE, "offset": offset}
        with _told(env, "authenticated domains"):
            answer = json.loads(reading.whitelabel.domains.get(query_params=query).body)
        yield from answer
        if len(answer) < _PAGE:
            return
        offset += _PAGE


def _records(
    env: Environment, domain: str, told: dict[str, Any]
) -> tuple[mail_dns.MailRecord, ...]:
    """SPF of the envelope's domain, every DKIM key that SendGrid names, DMARC of the sender's."""
    dns = mail_dns.Resolver(env)
    hosts = {kind: str(d.get("host", "")) for kind, d in told.items()}
    envelope = [h for k, h in hosts.items() if k in {"mail_cname", "mail_server"} and h]
    keys = [h for h in hosts.values() if "._domainkey." in h]
    return (
        mail_dns.spf(dns, envelope[0] if envelope else domain),
        *(mail_dns.dkim(dns, host) for host in keys),
        *([] if keys else [mail_dns.MailRecord("DKIM", domain, "SendGrid names no key")]),
        mail_dns.dmarc(dns, domain),
    )


@dataclass(frozen=True, slots=True)
class SeedMessage:
    """What became of a message to the seed mailbox, and of one to a suppressed address."""

    delivered_after_s: float
    """Infinite where it did not come."""
    signatures: mail_dns.Signatures | Unseen
    events: tuple[str, ...] | Unseen
    """Those that the application has stored of it."""
    forged_stored: tuple[str, ...] | Unseen
    """Events without SendGrid's signature that the application has stored all the same."""
    suppressed_arrived: bool
    suppressed_events: tuple[str, ...] | Unseen

    @property
    def was_stored(self) -> bool | Unseen:
        """Whether the application knows that it was delivered."""
        events = self.events
        return events if isinstance(events, Unseen) else "delivered" in events

    @property
    def not_suppressed(self) -> list[str] | Unseen:
        """What speaks against the suppression list; unseen where nothing does and nothing tells
        that the message was dropped."""
        events = self.suppressed_events
        if self.suppressed_arrived:
            return ["it came to the mailbox"]
        if isinstance(events, Unseen):
            return events
        if "delivered" in events:
            return ["it was delivered"]
        if "dropped" in events:
            return []
        cause, step = "no event tells that it was dropped", "see customer_mail.events_query"
        return Unseen(ProbeError("a message to a suppressed address", cause, step))


@probe(effect="write", limit="drill")
def seed_message(env: Environment) -> SeedMessage:
    """A message to the seed mailbox and one to a suppressed address, sent with the application's
    key; the mailbox, and what the application has stored of SendGrid's events."""
    reported, within_s = env.customer_mail, env.windows.integration_s
    token = f"golive-{secrets.token_hex(8)}"
    with opened(env) as mailbox, _asking(env, reported.key) as own, _suppressed(env):
        try:
            forged = seen(_forge, env, token)
            dropped = _send(env, own, reported.suppressed, f"{token} suppressed")
            sent, began = _send(env, own, reported.seed, f"{token} seed"), time.monotonic()
            came = wait_for(lambda: mailbox.titled(f"{token} seed"), bool, within_s)
            after_s = time.monotonic() - began if came else inf
            events = seen(_events, env, sent, "delivered", within_s)
            suppressed_events = seen(_events, env, dropped, "dropped", within_s)
            arrived = bool(mailbox.titled(f"{token} suppressed"))
        finally:
            mailbox.drop(token)
    return SeedMessage(
        after_s,
        seen(mail_dns.signatures, mail_dns.Resolver(env), came[0])
        if came
        else mail_dns.Signatures((), ("it did not come",)),
        events,
        forged if isinstance(forged, Unseen) else seen(_stored, env, forged),
        arrived,
        suppressed_events,
    )


def _events(env: Environment, message: str, wanted: str, within_s: float) -> tuple[str, ...]:
    """The stored events of a message, once the wanted one is among them."""
    query = env.customer_mail.events_query
    return wait_for(
        lambda: stored(env, query, message=message), lambda found: wanted in found, within_s
    )


def _forge(env: Environment, token: str) -> dict[str, str]:
    """Send the application events that SendGrid did not sign; their ids by what is wrong.

    :raises ProbeError: it does not answer, or has no such path.
    """
    url = application(env) + env.customer_mail.events_path
    names = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"
    at = str(int(time.time()))
    ways = {
        "without a signature": {},
        "with another's signature": dict(zip(names, ("MEQC", at), strict=True)),
    }
    ids = {}
    with client(env) as http:
        for n, (way, headers) in enumerate(ways.items()):
            ids[way] = f"{token}-forged{n}"
            event = {
                "event": "delivered",
                "email": env.customer_mail.seed,
                "timestamp": int(at),
                "sg_event_id": ids[way],
                "sg_message_id": f"{ids[way]}.recvd-0",
            }
            status = http.post(url, [event], headers).status_code
            if status in {404, 405} or status >= 500:
                step = "check customer_mail.events_path"
                raise ProbeError(f"a forged event at {url}", f"status {status}", step)
    return ids


def _stored(env: Environment, ids: dict[str, str]) -> tuple[str, ...]:
    query = env.customer_mail.events_query
    return tuple(way for way, ident in ids.items() if stored(env, query, message=ident))


def _send(env: Environment, own: Any, to: str, subject: str) -> str:
    """Send a message; its id."""
    message = {
        "personalizations": [{"to": [{"email": to}]}],
        "from": {"email": env.customer_mail.sender},
        "subject": subject,
        "content": [{"type": "text/plain", "value": "A synthetic message of golive."}],
        "categories": ["golive"],
    }
    with _told(env, f"a message to {to}"):
        return str(own.mail.send.post(request_body=message).headers["X-Message-Id"])


@contextmanager
def _suppressed(env: Environment) -> Iterator[None]:
    """While the block runs, the address is on the list of global suppressions."""
    address = env.customer_mail.suppressed
    with _asking(env, env.customer_mail.reading_key) as reading:
        suppressions = reading.asm.suppressions
        with _told(env, "global suppressions"):
            one = suppressions._("global")
            was = json.loads(one._(address).get().body or b"{}")
            if not was.get("recipient_email"):
                one.post(request_body={"recipient_emails": [address]})
        try:
            yield
        finally:
            if not was.get("recipient_email"):
                with _told(env, "global suppressions"):
                    one._(address).delete()


def _got(env: Environment, resource: Any, subject: str) -> Any:
    with _told(env, subject):
        return json.loads(resource.get().body)


def _read(env: Environment, told: Any, read: Any) -> Any:
    if isinstance(told, Unseen):
        raise told.error
    with _told(env, "what it tells"):
        return read(told)


@contextmanager
def _asking(env: Environment, key: Secret) -> Iterator[Any]:
    from sendgrid import SendGridAPIClient

    sendgrid = SendGridAPIClient(key.reveal(), host=env.customer_mail.url).client
    sendgrid.timeout = env.time_limits.connect
    yield sendgrid


@contextmanager
def _told(env: Environment, what: str) -> Iterator[None]:
    """Errors of asking for one thing, as what could not be looked at."""
    from python_http_client.exceptions import HTTPError

    where = f"{what} at {env.customer_mail.url}"
    try:
        yield
    except HTTPError as e:
        step = "check the keys of [customer_mail] in the environment file, and what they may do"
        raise ProbeError(where, f"status {e.status_code}: {_said(e.body)}", step) from None
    except OSError as e:
        reason = getattr(e, "reason", e)
        raise ProbeError(where, reason, "check that it can be reached from here") from None
    except (ValueError, KeyError, TypeError) as e:
        raise ProbeError(where, f"the answer cannot be read: {e!r}", "see its API") from None


def _said(body: Any) -> str:
    """What SendGrid gives as the reason."""
    try:
        return "; ".join(str(e["message"]) for e in json.loads(body)["errors"])
    except (ValueError, KeyError, TypeError):
        return str(body)[:200]
