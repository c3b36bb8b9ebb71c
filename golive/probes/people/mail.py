"""Mail: sent with SendGrid's own SDK, what its activity tells of it, and what came back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from golive.environments import Environment
from golive.probes.transport.rest import api
from golive.probing import probe
from golive.verdicts import ProbeError

_MOST = 1_000
"""What SendGrid's activity tells at most in one answer; it has no further pages."""
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail to one person, as the activity tells it; times are told to the second."""

    ident: str
    to: str
    subject: str
    status: str
    """``delivered``, ``processing`` or ``not_delivered``."""
    last_event_at: datetime


class Reply(msgspec.Struct, frozen=True):
    """A mail that came back."""

    received_at: datetime
    sender: str = msgspec.field(name="from")
    to: str
    subject: str
    text: str


def send(env: Environment, to: str, subject: str, text: str) -> str:
    """Send a mail; why SendGrid does not take it, or nothing.

    :raises ProbeError: SendGrid cannot be asked, or lets nobody in.
    """
    from python_http_client.exceptions import HTTPError

    # Not by the SDK's own builder, which fails on an address that is to be refused.
    message = {
        "personalizations": [{"to": [{"email": to}]}],
        "from": {"email": env.mail.sender},
        "reply_to": {"email": env.mail.reply_to},
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}],
    }
    with _asking(env) as sendgrid:
        try:
            sendgrid.mail.send.post(request_body=message)
        except HTTPError as e:
            if e.status_code != _BAD_REQUEST:
                raise
            return _said(e.body)
    return ""


def activity(env: Environment, since: datetime) -> list[Sent]:
    """What was sent from our address from a moment on.

    :raises ProbeError: SendGrid cannot be asked, or has more than it tells.
    """
    until = datetime.now(UTC) + timedelta(minutes=1)
    span = " AND ".join(f'TIMESTAMP "{at:%Y-%m-%dT%H:%M:%SZ}"' for at in (since, until))
    query = f'from_email="{env.mail.sender}" AND last_event_time BETWEEN {span}'
    with _asking(env) as sendgrid:
        answer = sendgrid.messages.get(query_params={"query": query, "limit": _MOST})
    try:
        found = json.loads(answer.body)["messages"]
        sent = [
            Sent(
                ident=str(m["msg_id"]),
                to=str(m["to_email"]),
                subject=str(m["subject"]),
                status=str(m["status"]),
                last_event_at=datetime.fromisoformat(m["last_event_time"]),
            )
            for m in found
        ]
    except (ValueError, KeyError, TypeError) as e:
        raise ProbeError(
            f"mail activity at {env.mail.url}", f"the answer cannot be read: {e!r}", "see its API"
        ) from None
    if len(sent) >= _MOST:
        raise ProbeError(
            f"mail activity at {env.mail.url}",
            f"it tells no more than {_MOST:,} mails, and there are as many since"
            f" {since:%Y-%m-%d %H:%M} UTC",
            "send what the launch sends from an address of its own",
        )
    return sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message, by the address it went to, in lower case."""

    status: dict[str, str]

    def missed(self, addresses: Iterable[str]) -> list[str]:
        """The addresses that it did not reach, with what is told of them."""
        return [
            f"{to} ({self.status.get(to.lower(), 'not sent to')})"
            for to in addresses
            if self.status.get(to.lower()) != "delivered"
        ]


def delivery(env: Environment, ident: str, since: datetime) -> Delivery:
    """What the activity tells of the message that has an ``X-Message-Id``.

    :param since: when it was sent, or before.
    :raises ProbeError: SendGrid cannot be asked, or has more than it tells.
    """
    # The ids of the mails that a message is made of begin with its own and a dot.
    mails = [m for m in activity(env, since) if m.ident.split(".")[0] == ident.split(".")[0]]
    return Delivery({m.to.lower(): m.status for m in mails})


def replies(env: Environment, since: datetime) -> list[Reply]:
    """What came back from a moment on.

    :raises ProbeError: the inbox cannot be read.
    """
    bearer = f"Bearer {env.mail.inbox_key.reveal()}"
    with api(env, "the inbox of replies", env.mail.inbox, bearer) as inbox:
        return inbox.one("", list[Reply], since=since.isoformat())


@contextmanager
def _asking(env: Environment) -> Iterator[Any]:
    from python_http_client.exceptions import HTTPError
    from sendgrid import SendGridAPIClient

    sendgrid = SendGridAPIClient(env.mail.key.reveal(), host=env.mail.url).client
    sendgrid.timeout = env.time_limits.connect
    where = f"SendGrid at {env.mail.url}"
    try:
        yield sendgrid
    except HTTPError as e:
        step = "check mail.key in the environment file, and what it may do"
        raise ProbeError(where, f"status {e.status_code}: {_said(e.body)}", step) from None
    except OSError as e:
        reason = getattr(e, "reason", e)
        raise ProbeError(where, reason, "check that it can be reached from here") from None


def _said(body: Any) -> str:
    """What SendGrid gives as the reason."""
    try:
        return "; ".join(str(e["message"]) for e in json.loads(body)["errors"])
    except (ValueError, KeyError, TypeError):
        return str(body)[:200]


@dataclass(frozen=True, slots=True)
class SendingAccount:
    """The account that mail is sent from."""

    name: str
    domains: tuple[str, ...]
    """Those it may send from: authenticated, and still valid."""
    sender_domain: str
    """The one that the launch's own mail is sent from."""


@probe()
def sending_account(env: Environment) -> SendingAccount:
    """SendGrid's account by its key, and its authenticated domains."""
    with _asking(env) as sendgrid:
        who = sendgrid.user.username.get()
        domains = sendgrid.whitelabel.domains.get()
    try:
        return SendingAccount(
            name=str(json.loads(who.body)["username"]),
            domains=tuple(sorted(d["domain"] for d in json.loads(domains.body) if d["valid"])),
            sender_domain=env.mail.sender.rpartition("@")[2],
        )
    except (ValueError, KeyError, TypeError) as e:
        raise ProbeError(
            f"the account at {env.mail.url}", f"the answer cannot be read: {e!r}", "see its API"
        ) from None
