"""Offenders among several things of which some could not be looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from golive.verdicts import Unseen, unseen_among

Found = TypeVar("Found", bound=Collection[object])


def known(found: Found, looks: Iterable[object]) -> Found | Unseen:
    """What was found, if anything; else unseen where one of the looks was."""
    if found:
        return found
    unseen = unseen_among(looks)
    return found if unseen is None else unseen
