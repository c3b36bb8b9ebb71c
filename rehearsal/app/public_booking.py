"""What anybody may know of a shop before booking there."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from rehearsal.app.documented import Documented
from rehearsal.app.shop import Row, Shop

router = APIRouter(route_class=Documented)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def details(ident: int) -> dict[str, Any]:
    """Address, phone and hours of a shop; synthetic ones, by its number."""
    open_ = {day: {"open": "09:00", "close": "18:00", "closed": False} for day in DAYS}
    return {
        "address": f"{100 + ident} Main Street, New York, NY 10001",
        "phone": f"+1212555{1000 + ident}",
        "timezone": "America/New_York",
        "business_hours": {**open_, "sunday": {"closed": True}},
    }


class PublicOrganization(BaseModel):
    """A shop, as anybody may know it."""

    id: int
    name: str
    slug: str
    address: str
    phone: str
    timezone: str
    business_hours: dict[str, dict[str, str | bool]]


@router.get("/api/v1/public/booking/organization/{slug}", response_model=PublicOrganization)
def organization(request: Request, slug: str) -> Row:
    """A shop by the name in its address."""
    shop: Shop = request.app.state.shop
    organizations = shop.tables.organizations
    with shop.database.transaction() as tx:
        query = sa.select(organizations).where(organizations.c.slug == slug)
        found = tx.one("organizations.by_slug", query)
    if found is None:
        raise HTTPException(404, "Organization not found")
    return {"id": found["id"], "name": found["name"], "slug": slug, **details(found["id"])}
