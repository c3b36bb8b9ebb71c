"""The suites' checks as plain functions, judged on literal facts."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from golive.claims import Claim, collect
from golive.items import card_of

SUITES = Path(__file__).resolve().parents[1] / "suites"


@cache
def checks(way: str = "") -> dict[str, Callable[..., None]]:
    """The check of every item, by id, or of those verified in one way; of attested ones, what a
    machine looks at."""
    found: dict[str, Callable[..., None]] = {}
    for path in sorted(SUITES.glob("*/test_*.py")):
        spec = importlib.util.spec_from_file_location(f"suites_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            card = card_of(value)
            if card is not None and way in ("", card.way):
                found[card.id] = value
    return found


def breaking(ident: str, facts: Mapping[str, Any]) -> Claim | None:
    """The claim that breaks an item, which is given those of the facts that it asks for; None
    when it is green."""
    check = checks()[ident]
    wanted = inspect.signature(check).parameters
    with collect() as claims:
        try:
            check(**{name: facts[name] for name in wanted})
        except AssertionError:
            return claims[-1]
    assert claims, f"{ident} is green without a claim"
    return None


def broken(ident: str, facts: Mapping[str, Any]) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    claim = breaking(ident, facts)
    return "" if claim is None else claim.subject  # one that does not hold is falsy
