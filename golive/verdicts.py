"""What can be said of an item, and the one place where pytest's outcomes become verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")


class Verdict(StrEnum):
    """The states of an item. Only PASS, WAIVED and NOT APPLICABLE ever count towards GO."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    """It could not be looked at."""
    PENDING = "PENDING"
    """A person's statement, or evidence, is still to come."""
    WAIVED = "WAIVED"
    NOT_APPLICABLE = "NOT APPLICABLE"
    NOT_DUE = "NOT DUE"

    @property
    def is_open(self) -> bool:
        """Whether a due item with this verdict stands in the way."""
        return self in _OPEN


_OPEN = frozenset({Verdict.FAIL, Verdict.UNKNOWN, Verdict.PENDING})


class GoliveError(Exception):
    """A mistake in what golive was given; its text is one paragraph a user can act on."""

    def __init__(self, text: str) -> None:
        # A file name that is no UTF-8 would break the terminal, page or record that shows it.
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


COULD_NOT_LOOK = "could not look at "


class ProbeError(Exception):
    """A probe could not look: the item is UNKNOWN, never green.

    :param subject: what was to be looked at, e.g. ``standby db-2``.
    :param cause: why it could not be, without secrets.
    :param next_step: what the owner does about it.
    """

    def __init__(self, subject: str, cause: object, next_step: str = "") -> None:
        cause_text = " ".join(str(cause).split()) or type(cause).__name__
        super().__init__(subject, cause_text, next_step)
        self.subject = subject
        self.cause = cause_text
        self.next_step = next_step

    def __str__(self) -> str:
        text = f"{COULD_NOT_LOOK}{self.subject}: {self.cause}"
        return f"{text}; next: {self.next_step}" if self.next_step else text


class Unseen:
    """In place of facts, or of one of them, that could not be looked at.

    A claim about it is unseen, and the check goes on with its other claims: what could be looked
    at is judged, and a check with an unseen claim is UNKNOWN unless another one is broken. Its
    attributes are unseen too, as is what is reckoned from it or compared with it; whatever else
    is done with it (counted, iterated over, taken for true, written into a text) raises its
    error, which makes the item UNKNOWN there.

    :param error: why it could not be looked at.
    """

    __slots__ = ("error",)

    def __init__(self, error: ProbeError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for these to find out what it is
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __repr__(self) -> str:
        return f"<unseen: {self.error}>"

    def _raise(self, *_: object) -> Any:
        raise self.error

    __bool__ = __len__ = __iter__ = __contains__ = __hash__ = __reversed__ = _raise
    __int__ = __float__ = __index__ = __str__ = __format__ = __fspath__ = _raise

    def _unseen(self, *_: object) -> Any:
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _unseen
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _unseen
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _unseen
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _unseen
    __neg__ = __abs__ = __round__ = _unseen


def seen(look: Callable[P, T], *values: P.args, **named: P.kwargs) -> T | Unseen:
    """What a part of a look finds; unseen where it could not look, so that the rest can."""
    try:
        return look(*values, **named)
    except ProbeError as e:
        return Unseen(e)


def unseen_among(values: Iterable[object]) -> Unseen | None:
    """The first of some facts that could not be looked at; None where each was."""
    return next((v for v in values if isinstance(v, Unseen)), None)


class NotPermitted(ProbeError):
    """The environment does not permit the effect that looking would have."""


class Pending(Exception):
    """A statement or a piece of evidence is still to come: the item is PENDING."""


class NotDue(Exception):
    """The item's day has not come."""


def of_exception(error: BaseException | None) -> Verdict:
    """The verdict of an item whose set-up or body ended with ``error`` (None: it returned).

    An exception that is neither an assertion nor one of golive's own says that the check
    broke before it could judge, so it is UNKNOWN: it neither proves nor disproves the item.
    """
    if error is None:
        return Verdict.PASS
    if isinstance(error, pytest.xfail.Exception):  # which pytest derives from its failure
        return Verdict.UNKNOWN
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return Verdict.FAIL
    if isinstance(error, Pending):
        return Verdict.PENDING
    if isinstance(error, NotDue):
        return Verdict.NOT_DUE
    return Verdict.UNKNOWN
