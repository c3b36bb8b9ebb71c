"""Text messages: sent with Twilio's own SDK, and what its log tells of them and of replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from twilio.rest import Client

_MOST = 5_000
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Text:
    """One text message of the log; ``sent_at`` is told to the second."""

    sender: str
    to: str
    body: str
    sent_at: datetime
    inbound: bool
    status: str
    error: str = ""


def send(env: Environment, to: str, body: str) -> str:
    """Send a text; why Twilio does not take it, or nothing.

    :raises ProbeError: Twilio cannot be asked, or lets nobody in.
    """
    from twilio.base.exceptions import TwilioRestException

    with _asking(env) as twilio:
        try:
            twilio.messages.create(to=to, from_=env.sms.sender, body=body)
        except TwilioRestException as e:
            if e.status != _BAD_REQUEST:
                raise
            return f"{e.msg} ({e.code})"
    return ""


def texts(env: Environment, since: datetime) -> list[Text]:
    """What was sent and received from a moment on, newest first.

    :raises ProbeError: Twilio cannot be asked, or tells of more than can be read.
    """
    with _asking(env) as twilio:
        found = twilio.messages.list(date_sent_after=since, limit=_MOST + 1)
    if len(found) > _MOST:
        raise ProbeError(
            f"the log of texts at {env.sms.url}",
            f"it has more than {_MOST:,} since {since:%Y-%m-%d %H:%M} UTC",
            "look again when fewer are sent, or with an account of its own for the launch",
        )
    return [
        Text(
            sender=m.from_ or "",
            to=m.to or "",
            body=m.body or "",
            sent_at=(m.date_sent or m.date_created or datetime.now(UTC)).astimezone(UTC),
            inbound=m.direction == "inbound",
            status=str(m.status or ""),
            error=" ".join(str(part) for part in (m.error_code, m.error_message) if part),
        )
        for m in found
    ]


@contextmanager
def _asking(env: Environment) -> Iterator[Client]:
    import requests
    from twilio.base.exceptions import TwilioException, TwilioRestException
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    http = TwilioHttpClient(timeout=env.time_limits.connect)
    if http.session is not None and urlsplit(env.sms.url).hostname == "127.0.0.1":
        http.session.trust_env = False  # what stands on loopback needs no proxy
    twilio = Client(env.sms.account, env.sms.token.reveal(), http_client=http)
    twilio.api.base_url = env.sms.url
    where = f"Twilio at {env.sms.url}"
    try:
        yield twilio
    except TwilioRestException as e:
        step = "check sms.account and sms.token in the environment file"
        raise ProbeError(where, f"status {e.status}: {e.msg}", step) from None
    except TwilioException as e:
        raise ProbeError(where, e, "see Twilio's own status") from None
    except requests.RequestException as e:
        reason = getattr(e.args[0], "reason", e) if e.args else e
        raise ProbeError(where, reason, "check that it can be reached from here") from None
