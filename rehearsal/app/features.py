"""What the flags make of the product, and how an instance evaluates them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from rehearsal.app import documented
from rehearsal.app.flags import FlagClient

router = APIRouter(route_class=documented.Documented)
Row = dict[str, Any]


def _flags(request: Request) -> FlagClient:
    """The instance's own client, frozen where the rehearsal orders it."""
    client: FlagClient = request.app.state.flags
    kept = request.app.state.shop.database.orders("flags_kept") or []
    client.keep_for_ever(request.app.state.shop.settings.instance in kept)
    return client


Flags = Annotated[FlagClient, Depends(_flags)]


@router.get("/api/v1/internal/flags", include_in_schema=False)
def evaluated(flags: Flags, request: Request) -> Row:
    """Every flag as this instance evaluates it."""
    return {
        "instance": request.app.state.shop.settings.instance,
        "source": "service" if flags.is_told else "defaults",
        "flags": flags.evaluated(),
    }


@router.get("/api/v2/features", response_model=documented.Features)
def features(flags: Flags) -> Row:
    """What the pages offer."""
    whole = not flags.is_enabled("reduced-scope")
    return {
        "open": not flags.is_enabled("maintenance-mode"),
        "new_booking_flow": flags.is_enabled("booking-v2"),
        "express_payouts": whole and flags.is_enabled("express-payouts"),
        "calendar_sync": whole and flags.is_enabled("calendar-sync"),
        "sms_reminders": whole and flags.is_enabled("sms-reminders"),
    }
