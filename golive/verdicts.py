"""What can be said of an item, and the one place where pytest's outcomes become verdicts."""

from __future__ import annotations

from enum import StrEnum

import pytest


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
        text = f"could not look at {self.subject}: {self.cause}"
        return f"{text}; next: {self.next_step}" if self.next_step else text


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
