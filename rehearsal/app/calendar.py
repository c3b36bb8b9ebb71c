"""The barbers' Google calendars: connecting one, and keeping one that is connected in step with
the appointments.

Changes follow in a thread of their own, so that nobody waits for Google.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from rehearsal.app.documented import Documented
from rehearsal.app.settings import Settings
from rehearsal.app.shop import Refusal, Row, Shop

router = APIRouter(route_class=Documented)
SCOPES = "https://www.googleapis.com/auth/calendar.events"
_following = ThreadPoolExecutor(1, thread_name_prefix="calendar")
_log = logging.getLogger("uvicorn.error")


class Authorization(BaseModel):
    """The address of Google's consent screen."""

    authorization_url: str


def caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> Row:
    """Whoever the access token belongs to. Raises Refusal 401."""
    if bearer is None:
        raise Refusal(401, "authentication_error", "Sign in and send the access token")
    shop: Shop = request.app.state.shop
    return shop.caller(bearer.credentials)


@router.get("/api/v2/api/calendar/auth", response_model=Authorization)
def authorize(request: Request, caller: Annotated[Row, Depends(caller)]) -> Row:
    """Where a barber agrees that we write to the calendar."""
    del caller  # that there is one is enough
    shop: Shop = request.app.state.shop
    settings, ordered = shop.settings, shop.database.orders("calendar") or {}
    words = {
        "client_id": ordered.get("client_id", settings.google_client_id),
        "redirect_uri": ordered.get("redirect_uri", settings.google_redirect_uri),
        "scope": ordered.get("scope", SCOPES),
        "response_type": "code",
        "access_type": "offline",
        "prompt": "consent",
    }
    return {"authorization_url": f"{settings.google_url}/o/oauth2/v2/auth?{urlencode(words)}"}


def follow(shop: Shop, visit: Row, change: str) -> None:
    """Bring the calendar of the visit's barber in step with it, soon: add, move or delete."""
    if visit["barber_id"] == shop.settings.google_barber_id:
        _following.submit(_write, shop, visit, change)


def _write(shop: Shop, visit: Row, change: str) -> None:
    ordered = shop.database.orders("calendar") or {}
    if change in ordered.get("lost", []):
        return
    settings = shop.settings
    try:
        with shop.metrics.calling("google_calendar"):
            _change(shop, visit, change, f"{settings.google_url}/calendar/v3/calendars", ordered)
    except (OSError, ValueError, KeyError) as error:
        _log.error("calendar of barber %s: %r", visit["barber_id"], error)


def _change(shop: Shop, visit: Row, change: str, calendars: str, ordered: Row) -> None:
    ident, settings = f"bb{visit['id']}", shop.settings
    events = f"{calendars}/{settings.google_calendar}/events"
    headers = {"Authorization": f"Bearer {_access_token(settings)}"}
    if change == "delete":
        _ask("DELETE", f"{events}/{ident}", headers)
        return
    event = {"id": ident, "summary": visit["service_name"], **_times(shop, visit, ordered)}
    if change == "move":
        _ask("PUT", f"{events}/{ident}", headers, event)
    else:
        _ask("POST", events, headers, event)


def _times(shop: Shop, visit: Row, ordered: Row) -> Row:
    """Begin and end by the clock of the shop, with its zone."""
    name = shop.settings.google_time_zone
    begins: datetime = visit["start_time"]
    ends = begins + timedelta(minutes=visit["duration_minutes"])

    def local(at: datetime) -> datetime:
        if ordered.get("times") == "not converted":
            return at.replace(tzinfo=None)
        if ordered.get("times") == "by today's offset":
            offset = datetime.now(ZoneInfo(name)).utcoffset()
            assert offset is not None
            return at.replace(tzinfo=None) + offset
        return at.astimezone(ZoneInfo(name)).replace(tzinfo=None)

    spans = {"start": begins, "end": ends}
    return {n: {"dateTime": local(at).isoformat(), "timeZone": name} for n, at in spans.items()}


def _access_token(settings: Settings) -> str:
    form = {
        "grant_type": "refresh_token",
        "client_id": settings.google_client_id,
        "client_secret": settings.google_client_secret,
        "refresh_token": settings.google_refresh_token,
    }
    url = f"{settings.google_url}/token"
    request = urllib.request.Request(url, urlencode(form).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return str(json.load(answer)["access_token"])


def _ask(method: str, url: str, headers: dict[str, str], body: Any = None) -> None:
    content = None if body is None else json.dumps(body).encode()
    headers = {**headers, "Content-Type": "application/json"}
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310
        return
