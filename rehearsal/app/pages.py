"""The server-rendered pages and their assets.

Assets carry a digest in their address and never change, so anyone may keep them without end. Pages
for a signed-in user belong to that user alone.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader
from starlette.staticfiles import StaticFiles

from rehearsal.app.settings import Settings
from rehearsal.app.shop import LIVES, Refusal, Row, Shop

HERE = Path(__file__).parent
COOKIE = "session"
PUBLIC, OF_THE_USER = "public, max-age=0, must-revalidate", "private, no-store"

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
_templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)


class Assets(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def asset(folder: Path, name: str) -> str:
    """The address of a file of the built frontend, with its digest."""
    path = folder / name
    if (folder / ".no-digests").exists():
        return f"/static/{name}?v=2.0.0"
    return f"/static/{name}?v={_digest(path, path.stat().st_mtime_ns)[:12]}"


@cache
def _digest(path: Path, _written_at: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _page(
    request: Request, template: str, user: Row | None = None, status: int = 200, **values: Any
) -> HTMLResponse:
    shop: Shop = request.app.state.shop
    tags = shop.database.orders("analytics") or {}
    values["asset"] = partial(asset, shop.settings.static)
    text = _templates.get_template(template).render(
        user=user, settings=shop.settings, tags=tags, **values
    )
    headers = {"Cache-Control": OF_THE_USER if user else PUBLIC, "Vary": "Cookie"}
    if shop.settings.gtm_container:
        headers["Content-Security-Policy"] = _policy(shop.settings, tags)
    return HTMLResponse(text, status, headers)


def _policy(settings: Settings, tags: Row) -> str:
    """Whom a page may talk to: us, the payment provider and those that measure visits."""
    cards, measuring = (origin(url) for url in (settings.card_script, settings.gtm_url))
    images = "'self'" if tags.get("images_blocked") else f"'self' {measuring}"
    return (
        f"default-src 'self'; script-src 'self' {cards} {measuring}; frame-src {cards};"
        f" connect-src 'self' {measuring}; img-src {images}; form-action 'self'"
    )


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


def _user(request: Request) -> Row | None:
    token = request.cookies.get(COOKIE)
    shop: Shop = request.app.state.shop
    try:
        return shop.caller(token) if token else None
    except Refusal:
        return None


@router.get("/")
def home(request: Request) -> Response:
    if request.app.state.shop.database.orders("broken"):
        raise Refusal(500, "internal_error", "Something went wrong on our side")
    return _page(request, "home.html", _user(request))


@router.get("/login")
def login_form(request: Request) -> Response:
    return _page(request, "login.html", message=None, email="")


@router.post("/login")
async def sign_in(request: Request) -> Response:
    fields = parse_qs((await request.body()).decode(errors="replace"))
    email, password = (fields.get(name, [""])[0] for name in ("email", "password"))
    shop: Shop = request.app.state.shop
    try:
        user = await run_in_threadpool(shop.login, email, password)
    except Refusal as refusal:
        page = _page(
            request, "login.html", None, refusal.status, message=refusal.message, email=email
        )
        page.headers["Cache-Control"] = OF_THE_USER
        return page
    response = RedirectResponse("/dashboard", 303)
    response.set_cookie(
        COOKIE,
        shop.token(user["id"], "access"),
        httponly=True,
        samesite="lax",
        max_age=int(LIVES["access"].total_seconds()),
        secure=request.headers.get("x-forwarded-proto") == "https",
    )
    return response


@router.post("/logout")
def sign_out() -> Response:
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/book")
def booking(request: Request) -> Response:
    shop: Shop = request.app.state.shop
    return _page(
        request,
        "book.html",
        _user(request),
        barbers=shop.barbers(None),
        today=datetime.now(UTC).date().isoformat(),
    )


@router.get("/pay")
def payment(request: Request) -> Response:
    """Where a customer pays. Fields for the card come from the payment provider, in a frame of
    its own; a fault of the rehearsal may put others or a further script on the page."""
    shop: Shop = request.app.state.shop
    return _page(request, "pay.html", _user(request), fault=shop.database.orders("payment_page"))


@router.get("/dashboard")
def dashboard(request: Request) -> Response:
    user = _user(request)
    if user is None:
        return RedirectResponse("/login", 303)
    shop: Shop = request.app.state.shop
    return _page(request, "dashboard.html", user, overview=shop.overview(user))


STEPS: dict[str, Row] = {
    "welcome": {"event": "sign_up", "meta": "CompleteRegistration"},
    "booked": {"event": "booking", "meta": "Schedule"},
    "paid": {"event": "purchase", "meta": "Purchase", "value": 45.0, "currency": "USD"},
}


@router.get("/thanks/{step}")
def thanks(request: Request, step: str) -> Response:
    """Where a customer arrives after signing up, booking and paying."""
    user = _user(request)
    if user is None or step not in STEPS:
        return RedirectResponse("/login", 303)
    shop: Shop = request.app.state.shop
    event = dict(STEPS[step])
    if step == "paid":
        event["transaction_id"] = secrets.token_hex(8)
    tags = shop.database.orders("analytics") or {}
    event |= tags.get(step, {})
    if tags.get("with_email"):
        event["email"] = user["email"]
    titles = {"welcome": "Welcome", "booked": "See you soon", "paid": "Paid, thank you"}
    return _page(request, "step.html", user, title=titles[step], event=event)
