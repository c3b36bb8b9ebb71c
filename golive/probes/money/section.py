"""Payments."""

from __future__ import annotations

from golive.sections import Secret, Section, needed


class Stripe(Section, frozen=True, kw_only=True):
    """Payments."""

    url: str = "https://api.stripe.com"
    card_origin: str = "https://js.stripe.com"
    """Where the fields for a card come from."""
    key: Secret = needed()
    """A restricted key that may read the account."""
