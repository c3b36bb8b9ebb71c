"""Claims: a subject, what was observed and what is required, for use with plain ``assert``.

    assert at_most("p95 over all queries", times.p95_ms, limits.statements.p95_ms, "ms")

A claim is true or false like any expression, reads well in a report whichever it is, and is
noted as evidence by whoever called :func:`collect`. Claims over a set refuse an empty one:
nothing is ever proved about nothing.

While an item runs, a broken claim does not end its check: all that are broken are told together,
and one about what could not be looked at stands beside them. Broken wins over not seen, and that
over what holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from math import isinf, isnan
from typing import Any, ParamSpec, cast

from golive.verdicts import ProbeError, Unseen

P = ParamSpec("P")
Number = float | Unseen
Numbers = Mapping[str, float] | Unseen
"""What may not have been looked at makes a claim that is unseen."""

_SHOWN = 6
"""Members of a set that a message spells out; the rest are counted."""
_KEPT = 2_000
"""Members of a set that a record keeps."""


class Fixable(str):
    """An offender as messages tell it, with the SQL that mends it.

    :param sql: one or more statements; empty where none would.
    """

    sql: str

    def __new__(cls, text: str, sql: str = "") -> Fixable:
        made = super().__new__(cls, text)
        made.sql = sql
        return made


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
    unseen: ProbeError | None = None
    """Why what it is about could not be looked at. It does not hold then, and is true all the
    same, so that the check goes on to its other claims: it is UNKNOWN in the end."""
    whole: tuple[str, ...] = ()
    """Every member of a list that ``observed`` cuts."""
    sql: tuple[str, ...] = ()
    """Statements that mend what offends, where SQL does."""

    def __bool__(self) -> bool:
        noted = _evidence.get()
        if noted is not None:
            noted.append(self)
            if _to_the_end.get():
                return True
        return self.holds or self.unseen is not None

    @property
    def broken(self) -> bool:
        """Whether it was looked at and does not hold."""
        return not (self.holds or self.unseen)

    def __repr__(self) -> str:
        text = f"{self.subject}: {self.observed}; required {self.required}"
        return f"{text}; see {self.see}" if self.see else text


@contextmanager
def to_the_first() -> Iterator[None]:
    """Within the block a broken claim is false: for what several items share, which has to break
    for each of them and not only for the first."""
    token = _to_the_end.set(False)
    try:
        yield
    finally:
        _to_the_end.reset(token)


def _seen(make: Callable[P, Claim]) -> Callable[P, Claim]:
    """Make a claim unseen where anything that it is about is."""

    @wraps(make)
    def made(*values: P.args, **named: P.kwargs) -> Claim:
        for value in (*values, *named.values()):
            if value.__class__ is Unseen:
                subject = values[0] if isinstance(values[0], str) else "what the check is about"
                return _not_seen(subject, value.error)
        return make(*values, **named)

    return made


def _not_seen(subject: str, error: ProbeError) -> Claim:
    observed = f"could not be looked at: {error.subject}: {error.cause}"
    return Claim(subject, observed, "a look at it", False, error.next_step, unseen=error)


_evidence: ContextVar[list[Claim] | None] = ContextVar("evidence", default=None)
_to_the_end: ContextVar[bool] = ContextVar("to the end", default=False)


@contextmanager
def collect(*, to_the_end: bool = False) -> Iterator[list[Claim]]:
    """The claims judged while the block runs, in order.

    :param to_the_end: a broken claim is true, so that the check goes on and every broken one is
        told, not the first alone. Whoever collects has to look at them.
    """
    noted: list[Claim] = []
    tokens = _evidence.set(noted), _to_the_end.set(to_the_end)
    try:
        yield noted
    finally:
        _to_the_end.reset(tokens[1])
        _evidence.reset(tokens[0])


@_seen
def at_most(
    subject: str, observed: Number, limit: Number, unit: str = "", *, see: str = ""
) -> Claim:
    """``observed <= limit``."""
    return _compared(subject, observed, "at most", limit, unit, observed <= limit, see)


@_seen
def at_least(
    subject: str, observed: Number, limit: Number, unit: str = "", *, see: str = ""
) -> Claim:
    """``observed >= limit``."""
    return _compared(subject, observed, "at least", limit, unit, observed >= limit, see)


@_seen
def below(subject: str, observed: Number, limit: Number, unit: str = "", *, see: str = "") -> Claim:
    """``observed < limit``."""
    return _compared(subject, observed, "below", limit, unit, observed < limit, see)


@_seen
def above(subject: str, observed: Number, limit: Number, unit: str = "", *, see: str = "") -> Claim:
    """``observed > limit``."""
    return _compared(subject, observed, "above", limit, unit, observed > limit, see)


@_seen
def between(
    subject: str, observed: Number, least: float, most: float, unit: str = "", *, see: str = ""
) -> Claim:
    """``least <= observed <= most``."""
    required = f"{_number(least, '')} to {_number(most, unit)}"
    return Claim(subject, _number(observed, unit), required, least <= observed <= most, see)


@_seen
def equal(subject: str, observed: object, required: object, *, see: str = "") -> Claim:
    """``observed == required``."""
    claim = Claim(subject, _shown(observed), _shown(required), observed == required, see)
    is_list = isinstance(observed, (list, tuple, set, frozenset))
    return replace(claim, whole=_whole(cast("Collection[object]", observed) if is_list else ()))


@_seen
def holds(
    subject: str, condition: object, observed: object, required: str, *, see: str = ""
) -> Claim:
    """A condition that is none of the others, with what was observed and is required in words."""
    return Claim(subject, _shown(observed), required, bool(condition), see)


@_seen
def no_failure(subject: str, failure: str | Unseen, required: str, *, see: str = "") -> Claim:
    """``failure`` is empty; ``required`` is what there is instead, and what is reported then."""
    text = str(failure)
    return Claim(subject, text or required, required, not text, see)


@_seen
def each_at_most(
    subject: str, observed: Numbers, limit: Number, unit: str = "", *, see: str = ""
) -> Claim:
    """Every value of a non-empty mapping is at most ``limit``; tells the worst."""
    over = {k: v for k, v in observed.items() if not v <= limit}
    return _each(subject, observed, over, "at most", limit, unit, see, max)


@_seen
def each_at_least(
    subject: str, observed: Numbers, limit: Number, unit: str = "", *, see: str = ""
) -> Claim:
    """Every value of a non-empty mapping is at least ``limit``; tells the worst."""
    under = {k: v for k, v in observed.items() if not v >= limit}
    return _each(subject, observed, under, "at least", limit, unit, see, min)


@_seen
def none_of(
    subject: str,
    offenders: Collection[object],
    *,
    among: int | Sized | Unseen,
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
    count: int = among if isinstance(among, int) else len(among)
    required = f"none among {'any' if may_be_empty else 'at least one of'} {of}"
    if count < 1 and not may_be_empty:
        return Claim(subject, f"no {of} to look at", required, holds=False, see=see)
    if offenders:
        observed = f"{_listed(offenders)} ({count} {of})"
        sql = tuple(o.sql for o in offenders if isinstance(o, Fixable) and o.sql)
        whole = _whole(offenders)
        return Claim(subject, observed, required, False, see, tuple(ids), None, whole, sql[:_KEPT])
    observed = f"none among {count} {of}" if count else f"there are no {of}"
    return Claim(subject, observed, required, True, see)


@_seen
def same_set(
    subject: str,
    observed: Collection[str] | Unseen,
    declared: Collection[str] | Unseen,
    *,
    see: str = "",
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
    missing = [f"{name} is missing" for name in sorted(wanted - found)]
    other = [f"{name} is not declared" for name in sorted(found - wanted)]
    is_cut = len(missing) > _SHOWN or len(other) > _SHOWN
    whole = (*missing, *other)[:_KEPT] if is_cut else ()
    return Claim(subject, "; ".join(parts), required, found == wanted, see, whole=whole)


def _each(
    subject: str,
    observed: Any,
    offenders: Mapping[str, float],
    how: str,
    limit: Any,
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
        told = [f"{k} {_unlike(observed[k], limit, unit)}" for k in ranked]
        text = f"{_listed(told)} ({len(offenders)} of {len(observed)})"
        sql = tuple(k.sql for k in ranked if isinstance(k, Fixable) and k.sql)[:_KEPT]
        return Claim(subject, text, required, holds=False, see=see, whole=_whole(told), sql=sql)
    name = worst(observed, key=observed.__getitem__)
    text = f"{len(observed)} measured, worst {name} {_unlike(observed[name], limit, unit)}"
    return Claim(subject, text, required, holds=True, see=see)


def _compared(
    subject: str, observed: Any, how: str, limit: Any, unit: str, holds_: bool, see: str
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


def _number(value: Any, unit: str) -> str:
    if isinf(value):
        # What has not happened has no age, and what never came no time that it took.
        of_time = unit.partition(" ")[0] in {"s", "min", "h", "d"}
        return "never" if of_time else "more than can be told"
    if isnan(value):
        return "not a number"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        text = f"{int(value):,}"
    elif abs(value) >= 100:
        text = f"{value:,.2f}"
    else:
        text = f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.9f}".rstrip("0")
    return f"{text} {unit}".rstrip()


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value or "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        return _listed(list(value)) if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _whole(values: Collection[object]) -> tuple[str, ...]:
    """Every member of a list that a message cuts; nothing of one that it tells whole."""
    if len(values) <= _SHOWN:
        return ()
    texts = tuple(str(v) for v in values)
    rest = len(texts) - _KEPT
    return (*texts[:_KEPT], f"and {rest:,} more") if rest > 0 else texts


def _listed(values: Collection[object]) -> str:
    texts = [str(v) for v in values]
    shown = ", ".join(texts[:_SHOWN])
    return shown if len(texts) <= _SHOWN else f"{shown} and {len(texts) - _SHOWN} more"
