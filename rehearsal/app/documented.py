"""What clients are told of the API: its OpenAPI document with summaries, errors and examples.

A router of the class ``Documented`` gives each of its operations what all of them share: the
errors that its kind of operation can answer with. ``document`` adds the examples.

Orders of the rehearsal, under ``api``: ``drop`` (``[schema, field]`` that the document loses),
``break_example`` (a schema whose example is broken), ``invent`` (a path that the document has and
the application has not), ``strip`` (what every operation loses, e.g. ``summary``; of ``success``
and ``errors`` what it answers), ``untitled`` (the document loses its title), ``own`` (an instance
whose document is another).
"""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.params import Depends
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from rehearsal.app import shapes
from rehearsal.app.examples import EXAMPLES, PARAMETERS
from rehearsal.app.settings import Settings

Orders = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")


class Reason(BaseModel):
    type: str
    message: str


class Problem(BaseModel):
    """An error of the business or of the service."""

    error: Reason


class NotFound(BaseModel):
    detail: str


class Check(BaseModel, extra="allow"):
    """What one dependency says of itself."""

    status: str
    response_time_ms: float | None = None
    error: str | None = None


class Health(BaseModel):
    status: str
    instance: str
    version: str
    timestamp: str


class HealthDetails(Health):
    components: dict[str, Check]
    schema_revision: str | None
    client_address: str | None
    peer_address: str | None


class Dependencies(BaseModel):
    status: str
    dependencies: dict[str, Check]


class CategoryCount(BaseModel):
    category: str
    count: int


class Received(BaseModel):
    """How many events of a provider were kept."""

    received: int


class Heard(BaseModel):
    """Whether an event of Stripe's was heard, and whether not for the first time."""

    received: bool
    repeated: bool = False


class Consent(BaseModel):
    authorization_url: str


class Features(BaseModel):
    open: bool
    new_booking_flow: bool
    express_payouts: bool
    calendar_sync: bool
    sms_reminders: bool


class Organization(BaseModel):
    id: int
    name: str
    slug: str
    address: str
    phone: str
    timezone: str
    business_hours: dict[str, dict[str, str | bool]]


class Overview(BaseModel):
    last_30_days: dict[str, int]
    revenue: float
    upcoming: list[shapes.Appointment]
    pending_notifications: int


class BarberListed(BaseModel):
    id: int
    name: str
    role: str
    primary_organization_id: int | None
    next_appointment: datetime | None


ERRORS: dict[int, tuple[type[BaseModel], str]] = {
    400: (Problem, "A value cannot be stored, or the request makes no sense now"),
    401: (Problem, "Not signed in, or the token is not valid any more"),
    403: (Problem, "This account may not do that"),
    404: (NotFound, "There is no such thing"),
    409: (Problem, "Something else was there first"),
    429: (Problem, "Too many requests; Retry-After tells when there may be more"),
    500: (Problem, "Something went wrong on our side"),
    503: (Problem, "A service that this rests on is away"),
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of a route's decorator for these statuses."""
    return {
        s: {"model": ERRORS[s][0], "description": ERRORS[s][1]} for s in dict.fromkeys(statuses)
    }


SIGNATURES = {
    "SendGrid": "X-Twilio-Email-Event-Webhook-Signature",
    "Twilio": "X-Twilio-Signature",
    "Stripe": "Stripe-Signature",
}
"""Headers in which providers sign what they send."""
_EVENT = {"type": "object", "additionalProperties": True}
_BODIES: dict[str, dict[str, Any]] = {
    "SendGrid": {"application/json": {"schema": {"type": "array", "items": _EVENT}, "example": []}},
    "Twilio": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["MessageSid"],
                "properties": {"MessageSid": {"type": "string", "minLength": 1}},
            }
        }
    },
    "Stripe": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["id", "type", "created", "data"],
                "properties": {
                    "id": {"type": "string", "minLength": 1, "pattern": "^evt_[A-Za-z0-9_]+$"},
                    "type": {"type": "string", "minLength": 1, "pattern": "^[a-z_.]+$"},
                    "created": {"type": "integer", "minimum": 1_600_000_000, "maximum": 2**31},
                    "data": {
                        "type": "object",
                        "required": ["object"],
                        "properties": {
                            "object": {
                                "type": "object",
                                "required": ["id"],
                                "properties": {"id": {"type": "string", "minLength": 1}},
                            }
                        },
                    },
                },
            }
        }
    },
}


def signed_by(provider: str) -> dict[str, Any]:
    """Words for the decorator of a route that a provider sends signed events to."""
    return {
        "responses": errors(400, 403),
        "openapi_extra": {
            "security": [{provider: []}],
            "requestBody": {"required": True, "content": _BODIES[provider]},
        },
    }


BEARER: dict[str, Any] = {
    "responses": errors(401, 403),
    "openapi_extra": {"security": [{"HTTPBearer": []}]},
}
"""The same of a route that reads the access token itself."""


_OWN = {"shop", "request", "_", "caller", "who", "flags", "payments", "later"}
"""Parameters of routes that clients know nothing of."""
CALLERS = ("caller", "signed_in")
"""Dependencies that ask for a signed-in caller."""


class Documented(APIRoute):
    """A route that documents the errors of its kind."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        own = dict(options.get("responses") or {})
        parameters = inspect.signature(endpoint).parameters
        takes = set(parameters) - _OWN
        usual = [500, 503]
        if "/health" not in path and path != "/metrics":
            usual.append(429)
        if takes:
            usual.append(400)
        if is_secured(endpoint):
            usual += [401, 403]
        if "{" in path:
            usual.append(404)
        if set(options.get("methods") or ()) & {"POST", "PUT", "PATCH", "DELETE"}:
            usual.append(409)
        options["responses"] = {**errors(*sorted(usual)), **own}
        if not options.get("summary") and (text := inspect.getdoc(endpoint)):
            options["summary"] = text.partition("\n")[0].rstrip(".")
        super().__init__(path, endpoint, **options)


def is_secured(endpoint: Callable[..., Any]) -> bool:
    """Whether a route asks for a signed-in caller."""
    hints = typing.get_type_hints(endpoint, include_extras=True)
    return any(
        isinstance(one, Depends) and getattr(one.dependency, "__name__", "") in CALLERS
        for hint in hints.values()
        for one in getattr(hint, "__metadata__", ())
    )


def document(app: FastAPI, settings: Settings, orders: Orders) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    made = get_openapi(
        title="BookedBarber V2 API",
        version=settings.version,
        description=f"Bookings for barber shops. Start at [the guide]({settings.docs_url}/)."
        if settings.docs_url
        else "Bookings for barber shops.",
        routes=app.routes,
    )
    if settings.docs_url:
        made["info"]["contact"] = {"name": "API team", "url": f"{settings.docs_url}/support.html"}
        made["externalDocs"] = {
            "description": "What changed from release to release",
            "url": f"{settings.docs_url}/changelog.md",
        }
    named = {m: {"type": "apiKey", "in": "header", "name": h} for m, h in SIGNATURES.items()}
    told = {name for o in _operations(made) for one in o.get("security", ()) for name in one}
    schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes.update({name: scheme for name, scheme in named.items() if name in told})
    schemas: dict[str, Any] = made.get("components", {}).get("schemas", {})
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name]["examples"] = [copy.deepcopy(example)]
    for operation in _operations(made):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in PARAMETERS:
                parameter["example"] = PARAMETERS[parameter["name"]]
    if settings.is_v2:  # what was released before stays as it was
        _obey(made, schemas, orders)
    if orders.get("own") == settings.instance:
        made["info"]["description"] = "Bookings for barber shops, and for their guests."
    return made


def _operations(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item[m] for item in made["paths"].values() for m in METHODS if m in item]


def _obey(made: dict[str, Any], schemas: dict[str, Any], orders: Orders) -> None:
    if dropped := orders.get("drop"):
        schema, field = dropped
        schemas[schema]["properties"].pop(field)
        schemas[schema]["required"] = [n for n in schemas[schema]["required"] if n != field]
        for example in schemas[schema].get("examples", ()):
            example.pop(field, None)
    if name := orders.get("break_example"):
        schemas[name]["examples"] = [{key: ["no such value"] for key in EXAMPLES[name]}]
    if invented := orders.get("invent"):
        item = made["paths"][str(invented)] = copy.deepcopy(made["paths"]["/health"])
        item["get"]["operationId"] = "invented"
    for operation in _operations(made):
        for key in orders.get("strip", ()):
            operation.pop(key, None)
            answers = operation["responses"]
            for status in [s for s in answers if (s[0] in "45") == (key == "errors")]:
                if key == "errors":
                    answers.pop(status)
                elif key == "success":
                    answers[status].pop("content", None)
    if orders.get("untitled"):
        made["info"].pop("title")


def routes(app: FastAPI) -> list[dict[str, Any]]:
    """Every route that the application has registered, documented or not, but whole folders of
    files."""
    found: dict[tuple[str, str], bool] = {}
    for route in iter_route_contexts(app.routes):
        endpoint = route.endpoint
        if endpoint is not None and route.path:
            extra = getattr(route, "openapi_extra", None) or {}
            secured = is_secured(endpoint) or bool(extra.get("security"))
            for method in sorted(set(route.methods or ()) - {"HEAD"}):
                found.setdefault((method, route.path), secured)
    return [{"method": m, "path": path, "secured": s} for (m, path), s in found.items()]
