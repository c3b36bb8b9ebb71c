"""What the product sends to customers, and what the services it sends by report back.

A callback counts only with its service's own signature; each is a row of the queue then.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from rehearsal.app.documented import Documented, signed_by
from rehearsal.app.shop import Refusal, Row, Shop, _now

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
router = APIRouter(route_class=Documented)


class Received(BaseModel):
    """How many callbacks were taken."""

    received: int


def _callback(path: str, provider: str) -> Callable[[Endpoint], Endpoint]:
    """A route that a service calls back, with what it has signed."""
    return router.post(path, response_model=Received, **signed_by(provider))


CALLBACK = "provider_callback"
"""Template of the rows that keep callbacks."""
_STATUS = {"delivered": "sent", "sent": "sent", "failed": "failed", "undelivered": "failed"}
_STATUS |= {"dropped": "failed", "bounce": "failed"}


def record(shop: Shop, channel: str, name: str, callbacks: Iterable[Row]) -> None:
    """Keep callbacks, each once: services repeat what they believe to be lost.

    ``name`` is the key of what tells two apart.
    """
    import sqlalchemy as sa

    table = shop.tables.notifications
    with shop.database.transaction() as tx:
        for one in callbacks:
            same = sa.and_(
                table.c.user_id.is_(None),  # by its index there are few such rows
                table.c.template == CALLBACK,
                table.c.payload[name].astext == str(one[name]),
                table.c.payload["event"].astext == str(one["event"]),
            )
            if tx.one("callbacks.same", sa.select(table.c.id).where(same).limit(1)):
                continue
            values = {
                "template": CALLBACK,
                "channel": channel,
                "status": _STATUS.get(str(one["event"]), "pending"),
                "payload": one,
                "scheduled_for": _now(),
                "created_at": _now(),
            }
            if values["status"] == "pending":  # nothing waits to be sent
                values["status"] = "sent"
            tx.run("callbacks.insert", table.insert().values(values))


# -- mail ------------------------------------------------------------------------------------------


@_callback("/api/v2/webhooks/sendgrid", "SendGrid")
async def mail_events(request: Request) -> Row:
    """Events of SendGrid, signed with the key of its event webhook."""
    shop: Shop = request.app.state.shop
    body = await request.body()
    if not (shop.database.orders("mail_events_unsigned") or _is_sendgrids(shop, request, body)):
        raise Refusal(403, "invalid_signature", "This is not signed by SendGrid")
    try:
        events = [e for e in json.loads(body) if isinstance(e, dict) and "sg_event_id" in e]
    except ValueError:
        raise Refusal(400, "invalid_value", "The body is no JSON") from None
    await run_in_threadpool(record, shop, "email", "sg_event_id", events)
    return {"received": len(events)}


def _is_sendgrids(shop: Shop, request: Request, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    at = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not (signature and at and shop.settings.sendgrid_webhook_public_key):
        return False
    try:
        der = base64.b64decode(shop.settings.sendgrid_webhook_public_key)
        public: Any = serialization.load_der_public_key(der)
        public.verify(base64.b64decode(signature), at.encode() + body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


# -- texts -----------------------------------------------------------------------------------------


@_callback("/api/v2/webhooks/sms/status", "Twilio")
async def text_status(request: Request) -> Row:
    """A status callback of Twilio's."""
    form = await _form(request)
    return await _keep(request, {**form, "event": form.get("MessageStatus", "")})


@_callback("/api/v2/webhooks/sms", "Twilio")
@_callback("/api/v2/webhooks/sms/incoming", "Twilio")
async def incoming_text(request: Request) -> Row:
    """A text that came to our number; what it says is not kept."""
    form = await _form(request)
    word = form.get("Body", "").strip().upper()
    event = word.lower() if word in {"STOP", "START", "HELP"} else "received"
    return await _keep(request, {**form, "event": event, "Body": ""})


async def _form(request: Request) -> dict[str, str]:
    """The fields of a request that Twilio has signed. Raises Refusal for any other."""
    shop: Shop = request.app.state.shop
    form = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
    settings = shop.settings
    text = f"{settings.public_url}{request.url.path}"
    text += "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(settings.twilio_auth_token.encode(), text.encode(), hashlib.sha1).digest()
    given = request.headers.get("x-twilio-signature", "").encode()
    signed = hmac.compare_digest(base64.b64encode(digest), given) and settings.twilio_auth_token
    if not (signed or shop.database.orders("sms_callbacks_unsigned")):
        raise Refusal(403, "invalid_signature", "This is not signed by Twilio")
    if not form.get("MessageSid"):
        raise Refusal(400, "invalid_value", "MessageSid is missing")
    return form


async def _keep(request: Request, callback: Row) -> Row:
    shop: Shop = request.app.state.shop
    with shop.metrics.calling("twilio"):
        await run_in_threadpool(record, shop, "sms", "MessageSid", [callback])
    return {"received": 1}
