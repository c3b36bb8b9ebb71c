"""What the newest look at an item has on record of one of its probes, as the ledger has it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar

import msgspec

from golive.decoding import convert
from golive.deliverables import Basis, Deliverable
from golive.reports.documents import NOT_MEASURED, Figure
from golive.verdicts import ProbeError, Unseen, Verdict

T = TypeVar("T")
NOT_SEEN = "not seen"
"""The value of a figure that the newest look has nothing of."""
_UNSEEN = "<unseen: "
_EXEMPT = frozenset({Verdict.WAIVED, Verdict.NOT_APPLICABLE})


def recorded(basis: Basis, probe: str, *keys: str) -> Any:
    """A fact of the newest record of the item that takes a probe; unseen where that has none.

    :param keys: names of fields, from the probe's facts inwards.
    """
    item = basis.item_of(probe)
    finding = basis.findings.get(item)
    value: Any = finding.facts.get(probe) if finding is not None else None
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        return _lost(item, f"its newest record has no {' '.join((probe, *keys))}")
    if is_unseen(value):
        return _lost(item, value.removeprefix(_UNSEEN).removesuffix(">"))
    return value


def typed(basis: Basis, probe: str, kind: type[T]) -> T | Unseen:
    """All that a probe has found, as it found it; unseen where the record has it otherwise."""
    found = recorded(basis, probe)
    if isinstance(found, Unseen):
        return found
    try:
        return convert(found, kind)
    except msgspec.ValidationError as e:
        return _lost(basis.item_of(probe), f"its record of {probe} cannot be read: {e}")


def is_unseen(value: object) -> bool:
    """Whether a fact stands on record as one that could not be looked at."""
    return isinstance(value, str) and value.startswith(_UNSEEN)


def _lost(item: str, cause: str) -> Unseen:
    return Unseen(ProbeError(f"what {item} has found", cause, f"run `pytest --item {item}` again"))


def cell(value: object) -> float | str:
    """A fact as a table or a figure shows it."""
    if isinstance(value, Unseen) or is_unseen(value):
        return NOT_SEEN
    if value is None:
        return NOT_MEASURED
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(float(value), 4) if isfinite(value) else NOT_MEASURED
    return str(value)


def figure(name: str, value: object, unit: str = "", limit: float | None = None) -> Figure:
    """A fact as a figure."""
    shown = cell(value)
    return Figure(
        name=name, value=shown, unit=unit if isinstance(shown, float) else "", limit=limit
    )


def exempt(basis: Basis, probe: str) -> bool:
    """Whether people have waived the item that takes a probe, or declared it not applicable: then
    a document tells what it has of it, and nothing of that has to hold."""
    item = basis.item_of(probe)
    return item in basis.findings and basis.state(item) in _EXEMPT


def number(document: Deliverable, name: str, value: object) -> float | Unseen:
    """A figure as the document tells it, to be held against a limit; unseen where the record has
    none. What is no number is less and more than any limit.

    :param value: what the record has.
    """
    said = document.figure(name)
    if isinstance(value, Unseen) and said == NOT_SEEN:
        return value
    return said if isinstance(said, float) else float("nan")
