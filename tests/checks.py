"""The real suites' checks, judged on literal facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from golive.claims import Claim
from golive.testing import Suites

SUITES = Path(__file__).resolve().parents[1] / "suites"
_REAL = Suites(SUITES)


def checks(way: str = "") -> dict[str, Callable[..., None]]:
    """The check of every item, by id, or of those verified in one way."""
    return _REAL.of_way(way) if way else _REAL.checks


def breaking(ident: str, facts: Mapping[str, Any]) -> Claim | None:
    """The claim that breaks an item; None when it is green."""
    return _REAL.judged(ident, **facts)


def broken(ident: str, facts: Mapping[str, Any]) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    claim = breaking(ident, facts)
    return "" if claim is None else claim.subject  # one that does not hold is falsy
