"""Claims: a subject, what was observed and what is required, for use with plain ``assert``.

    assert at_most("p95 over all queries", times.p95_ms, limits.statements.p95_ms, "ms")

A claim is true or false like any expression, reads well in a report whichever it is, and is
noted as evidence by whoever called :func:`collect`. Claims over a set refuse an empty one:
nothing is ever proved about nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import isnan
from typing import Any

_SHOWN = 6
"""Members of a set that a message spells out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One judged statement. ``bool()`` of it is whether it holds."""

    subject: str
    observed: str
    required: str
    holds: bool
    see: str = ""
    """Where to look next, when the item's remedy is too general."""
    ids: tuple[str, ...] = ()
    """The members that offend, every one, where these have ids: what is observed is cut."""

    def __bool__(self) -> bool:
        noted = _evidence.get()
        if noted is not None:
            noted.append(self)
        return self.holds

    def __repr__(self) -> str:
        text = f"{self.subject}: {self.observed}; required {self.required}"
        return f"{text}; see {self.see}" if self.see else text


_evidence: ContextVar[list[Claim] | None] = ContextVar("evidence", default=None)


@contextmanager
def collect() -> Iterator[list[Claim]]:
    """The claims judged while the block runs, in order."""
    noted: list[Claim] = []
    token = _evidence.set(noted)
    try:
        yield noted
    finally:
        _evidence.reset(token)


def at_most(subject: str, observed: float, limit: float, unit: str = "", *, see: str = "") -> Claim:
    """``observed <= limit``."""
    return _compared(subject, observed, "at most", limit, unit, observed <= limit, see)


def at_least(
    subject: str, observed: float, limit: float, unit: str = "", *, see: str = ""
) -> Claim:
    """``observed >= limit``."""
    return _compared(subject, observed, "at least", limit, unit, observed >= limit, see)


def below(subject: str, observed: float, limit: float, unit: str = "", *, see: str = "") -> Claim:
    """``observed < limit``."""
    return _compared(subject, observed, "below", limit, unit, observed < limit, see)


def above(subject: str, observed: float, limit: float, unit: str = "", *, see: str = "") -> Claim:
    """``observed > limit``."""
    return _compared(subject, observed, "above", limit, unit, observed > limit, see)


def between(
    subject: str, observed: float, least: float, most: float, unit: str = "", *, see: str = ""
) -> Claim:
    """``least <= observed <= most``."""
    required = f"{_number(least, '')} to {_number(most, unit)}"
    return Claim(subject, _number(observed, unit), required, least <= observed <= most, see)


def equal(subject: str, observed: object, required: object, *, see: str = "") -> Claim:
    """``observed == required``."""
    return Claim(subject, _shown(observed), _shown(required), observed == required, see)


def holds(
    subject: str, condition: object, observed: object, required: str, *, see: str = ""
) -> Claim:
    """A condition that is none of the others, with what was observed and is required in words."""
    return Claim(subject, _shown(observed), required, bool(condition), see)


def no_failure(subject: str, failure: str, required: str, *, see: str = "") -> Claim:
    """``failure`` is empty; ``required`` is what there is instead, and what is reported then."""
    return Claim(subject, failure or required, required, not failure, see)


def each_at_most(
    subject: str, observed: Mapping[str, float], limit: float, unit: str = "", *, see: str = ""
) -> Claim:
    """Every value of a non-empty mapping is at most ``limit``; tells the worst."""
    over = {k: v for k, v in observed.items() if not v <= limit}
    return _each(subject, observed, over, "at most", limit, unit, see, max)


def each_at_least(
    subject: str, observed: Mapping[str, float], limit: float, unit: str = "", *, see: str = ""
) -> Claim:
    """Every value of a non-empty mapping is at least ``limit``; tells the worst."""
    under = {k: v for k, v in observed.items() if not v >= limit}
    return _each(subject, observed, under, "at least", limit, unit, see, min)


def none_of(
    subject: str,
    offenders: Collection[object],
    *,
    among: int | Sized,
    of: str,
    may_be_empty: bool = False,
    ids: Collection[str] = (),
    see: str = "",
) -> Claim:
    """No offender among the things looked at, of which there must be at least one.

    ``none_of("invalid indexes", facts.invalid, among=facts.indexes, of="user indexes")``

    :param among: what was looked at, or how many there were.
    :param may_be_empty: whether it is also right that there is nothing to look at.
    :param ids: the offenders' ids, for whoever goes on from there.
    """
    count = among if isinstance(among, int) else len(among)
    required = f"none among {'any' if may_be_empty else 'at least one of'} {of}"
    if count < 1 and not may_be_empty:
        return Claim(subject, f"no {of} to look at", required, holds=False, see=see)
    if offenders:
        observed = f"{_listed(offenders)} ({count} {of})"
        return Claim(subject, observed, required, False, see, tuple(ids))
    observed = f"none among {count} {of}" if count else f"there are no {of}"
    return Claim(subject, observed, required, True, see)


def same_set(
    subject: str, observed: Collection[str], declared: Collection[str], *, see: str = ""
) -> Claim:
    """The found names are exactly the declared ones, of which there is at least one."""
    found, wanted = set(observed), set(declared)
    required = f"exactly {_listed(sorted(wanted))}" if wanted else "a set that is not empty"
    if not wanted:
        return Claim(subject, "nothing is declared", required, holds=False, see=see)
    parts = [_listed(sorted(found)) if found else "none"]
    if wanted - found:
        parts.append(f"missing {_listed(sorted(wanted - found))}")
    if found - wanted:
        parts.append(f"not declared {_listed(sorted(found - wanted))}")
    return Claim(subject, "; ".join(parts), required, found == wanted, see)


def _each(
    subject: str,
    observed: Mapping[str, float],
    offenders: Mapping[str, float],
    how: str,
    limit: float,
    unit: str,
    see: str,
    worst: Any,
) -> Claim:
    required = f"each {how} {_number(limit, unit)}"
    if not observed:
        return Claim(subject, "nothing was measured", required, holds=False, see=see)
    if offenders:
        # The worst first, since a list is cut; what is no number is worse than any.
        sign = -1 if worst is max else 1
        ranked = sorted(offenders, key=lambda k: (not isnan(observed[k]), sign * observed[k]))
        text = _listed([f"{k} {_unlike(observed[k], limit, unit)}" for k in ranked])
        text = f"{text} ({len(offenders)} of {len(observed)})"
        return Claim(subject, text, required, holds=False, see=see)
    name = worst(observed, key=observed.__getitem__)
    text = f"{len(observed)} measured, worst {name} {_unlike(observed[name], limit, unit)}"
    return Claim(subject, text, required, holds=True, see=see)


def _compared(
    subject: str, observed: float, how: str, limit: float, unit: str, holds_: bool, see: str
) -> Claim:
    return Claim(
        subject, _unlike(observed, limit, unit), f"{how} {_number(limit, unit)}", bool(holds_), see
    )


def _unlike(value: float, limit: float, unit: str) -> str:
    """A number as it reads best, or in full where it would else read like the limit it is not."""
    text = _number(value, unit)
    if value == limit or text != _number(limit, unit):
        return text
    return f"{value:,} {unit}".rstrip()


def _number(value: float, unit: str) -> str:
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        text = f"{int(value):,}"
    else:
        text = f"{value:,.2f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value or "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        return _listed(list(value)) if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _listed(values: Collection[object]) -> str:
    texts = [str(v) for v in values]
    shown = ", ".join(texts[:_SHOWN])
    return shown if len(texts) <= _SHOWN else f"{shown} and {len(texts) - _SHOWN} more"
