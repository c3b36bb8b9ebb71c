"""HTTP: the API, the health and metrics endpoints, the errors, and how each answer is marked."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.app import (
    calendar,
    documented,
    features,
    notifications,
    pages,
    payments,
    public_booking,
    secret_client,
    shapes,
)
from rehearsal.app.cache import CacheError
from rehearsal.app.flags import FlagClient
from rehearsal.app.limits import Limited
from rehearsal.app.settings import Settings
from rehearsal.app.shop import CLOSES, OPENS, SLOT, Refusal, Row, Shop

api = APIRouter(route_class=documented.Documented)
legacy = APIRouter(route_class=documented.Documented)
"""Operations that v2.0.0 has given up."""


def create_app(settings: Settings) -> FastAPI:
    shop = Shop(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        shop.database.engine.dispose()

    app = FastAPI(
        title="BookedBarber V2 reference application", version=settings.version, lifespan=lifespan
    )
    app.state.shop = shop
    app.state.flags = FlagClient(settings)
    app.state.flags.start()
    if not settings.is_v2:
        app.include_router(legacy)
    app.include_router(api)
    app.include_router(notifications.router)
    app.include_router(calendar.router)
    app.include_router(public_booking.router)
    app.state.payments = payments.Payments(shop, payments.PaymentSettings.from_environment())
    app.include_router(payments.router)
    app.include_router(pages.router)
    app.include_router(features.router)
    app.include_router(secret_client.router(shop))
    app.mount("/static", pages.Assets(directory=settings.static))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(DataError, _invalid)
    app.add_exception_handler(OverflowError, _invalid)
    app.add_exception_handler(SQLAlchemyError, _database_away)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Spoilt, shop=shop)
    app.add_middleware(Limited, shop=shop)
    app.add_middleware(Marked, shop=shop)
    orders = shop.database.orders("api") or {}
    if orders.get("undocumented"):
        app.add_api_route(str(orders["undocumented"]), health, include_in_schema=False)

    known: dict[str, Row] = {}

    def document() -> Row:
        orders = shop.database.orders("api") or {}
        ordered = json.dumps(orders, sort_keys=True)
        if ordered not in known:
            known.clear()
            known[ordered] = documented.document(app, settings, orders)
        return known[ordered]

    app.openapi = document  # type: ignore[method-assign]
    return app


class Marked:
    """Names instance and version on every answer, forbids caching by default, keeps the time."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app, self._shop = app, shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = time.perf_counter(), 500

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Instance"] = self._shop.settings.instance
                headers["X-App-Version"] = self._shop.settings.version
                debug = self._shop.database.orders("debug_header")
                if debug and not scope["path"].startswith("/static"):
                    headers["X-Debug"] = str(debug)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._app(scope, receive, marked)
        finally:
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            figures = self._shop.metrics.requests.labels(scope["method"], route, str(status))
            figures.observe(time.perf_counter() - began)


class Spoilt:
    """What the rehearsal orders whole operations to answer, under ``api``: ``refuses`` (the path
    that refuses all), ``takes_anything`` (the path that succeeds with all)."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app, self._shop = app, shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        orders = self._shop.database.orders("api") or {}
        path = scope.get("path")
        if path is not None and path == orders.get("refuses"):
            refused = _error(403, "permission_denied", "Nobody may do that")
            return await refused(scope, receive, send)
        if path is not None and path == orders.get("takes_anything"):
            return await JSONResponse({"access_token": "none"})(scope, receive, send)
        return await self._app(scope, receive, send)


def _error(status: int, kind: str, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


def _refused(_: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refusal)
    return _error(refusal.status, refusal.kind, refusal.message)


def _invalid(_: Request, __: Exception) -> JSONResponse:
    return _error(400, "invalid_value", "A value lies outside of what can be stored")


def _database_away(request: Request, error: Exception) -> JSONResponse:
    logging.getLogger("uvicorn.error").error("%s: %s", request.url.path, error)
    return _error(503, "database_unavailable", "The database cannot be reached; try again")


def _broken(_: Request, __: Exception) -> JSONResponse:
    return _error(500, "internal_error", "Something went wrong on our side")


async def shop(request: Request) -> Shop:  # a plain one would cost each request a thread
    found: Shop = request.app.state.shop
    return found


TheShop = Annotated[Shop, Depends(shop)]
_bearer = HTTPBearer(auto_error=False)


def caller(
    shop: TheShop,
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Row:
    if bearer is None and request.url.path == (shop.database.orders("api") or {}).get("open"):
        return shop.anybody()
    if bearer is None:
        raise Refusal(401, "authentication_error", "Sign in and send the access token")
    return shop.caller(bearer.credentials)


Caller = Annotated[Row, Depends(caller)]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=500)]


def found(row: Row | None, what: str) -> Row:
    if row is None:
        raise HTTPException(404, f"{what} not found")
    return row


# --- health and metrics -------------------------------------------------------------------------


def _identity(shop: Shop) -> Row:
    return {
        "instance": shop.settings.instance,
        "version": shop.settings.version,
        "timestamp": datetime.now(UTC).isoformat(),
    }


def _checked(check: Callable[[], Any]) -> Row:
    """What a dependency says, with the milliseconds it took; unhealthy with the reason."""
    began = time.perf_counter()
    try:
        details = check() or {}
    except CacheError as error:
        return {"status": "unhealthy", "error": str(error)}
    except SQLAlchemyError as error:  # its text may name hosts and users
        return {"status": "unhealthy", "error": type(error).__name__}
    took_ms = round((time.perf_counter() - began) * 1000, 2)
    return {"status": "healthy", "response_time_ms": took_ms, **details}


def _dependencies(shop: Shop) -> tuple[str, dict[str, Row]]:
    """Without the database nothing works; without Redis everything does, only slower."""
    parts = {"database": _checked(shop.database_state), "redis": _checked(shop.cache.ping)}
    if parts["database"]["status"] != "healthy":
        return "unhealthy", parts
    return ("healthy" if parts["redis"]["status"] == "healthy" else "degraded"), parts


def _judged(model: type[BaseModel]) -> dict[str, Any]:
    """A health check's words for its decorator: it says the same when it answers 503."""
    away = {"model": model, "description": "It cannot do its work"}
    return {"response_model": model, "responses": {503: away}}


def _reported(status: str, body: Row) -> JSONResponse:
    return JSONResponse({"status": status, **body}, 503 if status == "unhealthy" else 200)


@api.get("/health", response_model=documented.Health)
async def health(request: Request) -> Row:
    found = await shop(request)
    if found.database.orders("unhealthy"):
        raise Refusal(503, "unhealthy", "This instance is not ready")
    return {"status": "healthy", **_identity(found)}


@api.get("/api/v1/health/", **_judged(documented.Health))
def health_summary(shop: TheShop) -> JSONResponse:
    return _reported(_dependencies(shop)[0], _identity(shop))


@api.get("/api/v1/health/detailed", **_judged(documented.HealthDetails))
def health_detailed(shop: TheShop, request: Request) -> JSONResponse:
    status, parts = _dependencies(shop)
    peer = request.client.host if request.client else None
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    return _reported(
        status,
        {
            **_identity(shop),
            "components": parts,
            "schema_revision": parts["database"].get("schema_revision"),
            "client_address": forwarded or peer,
            "peer_address": peer,
        },
    )


@api.get("/api/v1/health/database", **_judged(documented.Check))
def health_database(shop: TheShop) -> JSONResponse:
    state = _checked(shop.database_state)
    return _reported(state["status"], state)


@api.get("/api/v1/health/redis", **_judged(documented.Check))
def health_redis(shop: TheShop) -> JSONResponse:
    state = _checked(shop.cache.ping)
    return _reported(state["status"], state)


@api.get("/api/v1/health/dependencies", **_judged(documented.Dependencies))
def health_dependencies(shop: TheShop) -> JSONResponse:
    status, parts = _dependencies(shop)
    return _reported(status, {"dependencies": parts})


@api.get("/metrics", include_in_schema=False)
def metrics(shop: TheShop) -> Response:
    return Response(generate_latest(shop.metrics.registry), media_type=CONTENT_TYPE_LATEST)


# --- auth ---------------------------------------------------------------------------------------


def _tokens(shop: Shop, user: Row) -> Row:
    return {
        "access_token": shop.token(user["id"], "access"),
        "refresh_token": shop.token(user["id"], "refresh"),
    }


@api.post("/api/v2/auth/register", response_model=shapes.Registration)
def register(shop: TheShop, body: shapes.UserCreate) -> Row:
    user = shop.register(body.email, body.name, body.password, body.user_type)
    return {"message": "Registered; verify your email address to sign in", "user": user}


@api.post("/api/v2/auth/register-client", response_model=shapes.ClientRegistrationResponse)
def register_client(shop: TheShop, body: shapes.ClientRegistration) -> Row:
    user = shop.register_client(
        body.email,
        body.first_name,
        body.last_name,
        body.password,
        body.phone,
        body.marketing_consent,
    )
    return {"message": "Welcome", "user": user, **_tokens(shop, user)}


@api.get(
    "/api/v2/auth/verify-email",
    response_model=shapes.Message,
    responses=documented.errors(401),
)
def verify_email(shop: TheShop, token: str) -> Row:
    shop.verify_email(token)
    return {"message": "Email address verified"}


@api.post("/api/v2/auth/login", response_model=shapes.Token, responses=documented.errors(401, 403))
def login(shop: TheShop, body: shapes.UserLogin) -> Row:
    return _tokens(shop, shop.login(body.email, body.password))


@api.post(
    "/api/v2/auth/refresh", response_model=shapes.Token, responses=documented.errors(401, 403)
)
def refresh(shop: TheShop, body: shapes.RefreshRequest) -> Row:
    return _tokens(shop, shop.refresh(body.refresh_token))


@api.get("/api/v2/auth/me", response_model=shapes.User)
def me(shop: TheShop, caller: Caller) -> Row:
    return {**caller, "primary_organization": shop.organization(caller)}


@api.get("/api/v2/auth/verification-status", response_model=shapes.VerificationStatus)
def verification_status(shop: TheShop, caller: Caller) -> Any:
    if (shop.database.orders("api") or {}).get("lacks_field"):
        return JSONResponse({"verification_required": True})
    return {"email_verified": caller["email_verified"]}


# --- services and barbers -----------------------------------------------------------------------


@api.get("/api/v2/services/", response_model=list[shapes.Service])
def services(
    shop: TheShop,
    _: Caller,
    category: shapes.Category | None = None,
    skip: Skip = 0,
    limit: Limit = 100,
) -> list[Row]:
    return shop.services(category, skip, limit)


@api.get("/api/v2/services/categories", response_model=list[documented.CategoryCount])
def categories(shop: TheShop, _: Caller) -> list[Row]:
    return shop.categories()


@api.get("/api/v2/services/barbers/{barber_id}", response_model=list[shapes.Service])
def services_of_barber(shop: TheShop, _: Caller, barber_id: int) -> list[Row]:
    return shop.services_of(barber_id)


@api.get("/api/v2/services/{service_id}", response_model=shapes.Service)
def service(shop: TheShop, _: Caller, service_id: int) -> Row:
    return found(shop.service(service_id), "Service")


@api.get("/api/v2/barbers/", response_model=list[documented.BarberListed])
def barbers(shop: TheShop, organization_id: int | None = None) -> list[Row]:
    shown = ("id", "name", "role", "primary_organization_id", "next_appointment")
    return [{key: row[key] for key in shown} for row in shop.barbers(organization_id)]


@api.get("/api/v2/barbers/{barber_id}", response_model=shapes.User)
def barber(shop: TheShop, barber_id: int) -> Row:
    return found(shop.barber(barber_id), "Barber")


@api.get("/api/v2/barbers/{barber_id}/profile", response_model=shapes.BarberProfile)
def barber_profile(shop: TheShop, barber_id: int) -> Row:
    return found(shop.profile(barber_id), "Barber")


@api.put("/api/v2/barbers/{barber_id}/profile", response_model=shapes.BarberProfile)
def change_profile(
    shop: TheShop, caller: Caller, barber_id: int, body: shapes.BarberProfileUpdate
) -> Row:
    changed = shop.change_profile(caller, barber_id, body.model_dump(exclude_unset=True))
    return found(changed, "Barber")


# --- appointments -------------------------------------------------------------------------------


@api.get("/api/v2/appointments/", response_model=shapes.AppointmentList)
def appointments(
    shop: TheShop, caller: Caller, skip: Skip = 0, limit: Limit = 100, status: str | None = None
) -> Row:
    rows, total = shop.appointments(caller, status, skip, limit)
    return {"appointments": rows, "total": total}


@api.post("/api/v2/appointments/", response_model=shapes.Appointment)
def book(
    shop: TheShop,
    caller: Caller,
    body: shapes.AppointmentCreate,
    idempotency_key: Annotated[str | None, Header(max_length=120)] = None,
) -> Row:
    visit = shop.book(caller, body.start, body.service, body.barber_id, body.notes, idempotency_key)
    if isinstance(visit["start_time"], datetime):  # else it is the answer of an earlier request
        calendar.follow(shop, visit, "add")
    return visit


@api.get("/api/v2/appointments/all/list", response_model=shapes.AppointmentList)
def shop_appointments(
    shop: TheShop,
    caller: Caller,
    skip: Skip = 0,
    limit: Limit = 100,
    date_from: date | None = None,
    date_to: date | None = None,
    barber_id: int | None = None,
) -> Row:
    first = date_from or datetime.now(UTC).date()
    last = date_to or first + timedelta(days=7)
    rows, total = shop.shop_appointments(caller, first, last, barber_id, skip, limit)
    return {"appointments": rows, "total": total}


def _slot(at: datetime) -> Row:
    return {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", "datetime": at.isoformat()}


@api.get("/api/v2/appointments/slots", response_model=shapes.Slots)
def slots(shop: TheShop, appointment_date: date, barber_id: int | None = None) -> Row:
    rows = shop.slots(appointment_date, barber_id)
    first = next((row["time"] for row in rows if row["available"]), None)
    return {
        "date": appointment_date.isoformat(),
        "business_hours": {"start": f"{OPENS:%H:%M}", "end": f"{CLOSES:%H:%M}"},
        "slot_duration_minutes": SLOT.seconds // 60,
        "slots": [{**row, "is_next_available": row["time"] == first} for row in rows],
        "next_available": first
        and _slot(datetime.fromisoformat(f"{appointment_date}T{first}:00+00:00")),
    }


@api.get(
    "/api/v2/appointments/slots/next-available",
    response_model=shapes.NextSlot,
    responses=documented.errors(404),
)
def next_available(shop: TheShop) -> Row:
    at = shop.next_available()
    return found(_slot(at) if at else None, "Free slot")


@api.get("/api/v2/appointments/{appointment_id}", response_model=shapes.Appointment)
def appointment(shop: TheShop, caller: Caller, appointment_id: int) -> Row:
    return found(shop.appointment(caller, appointment_id), "Appointment")


@api.post("/api/v2/appointments/{appointment_id}/reschedule", response_model=shapes.Appointment)
def reschedule(
    shop: TheShop, caller: Caller, appointment_id: int, body: shapes.AppointmentReschedule
) -> Row:
    visit = found(shop.reschedule(caller, appointment_id, body.start), "Appointment")
    calendar.follow(shop, visit, "move")
    if (shop.database.orders("api") or {}).get("crash_on_null"):
        visit["notes"] = visit["notes"].strip()
    return visit


@api.put("/api/v2/appointments/{appointment_id}/cancel", response_model=shapes.Appointment)
def cancel(shop: TheShop, caller: Caller, appointment_id: int) -> Row:
    visit = found(shop.cancel(caller, appointment_id), "Appointment")
    calendar.follow(shop, visit, "delete")
    return visit


@api.get("/api/v2/dashboard/overview", response_model=documented.Overview)
def overview(shop: TheShop, caller: Caller) -> Row:
    return shop.overview(caller)


@legacy.get(
    "/api/v2/appointments/next",
    response_model=shapes.NextSlot,
    responses=documented.errors(404),
)
def next_free(shop: TheShop) -> Row:
    """The first free half hour of a week."""
    return next_available(shop)
