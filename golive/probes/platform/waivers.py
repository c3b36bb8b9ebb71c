"""Findings of a scanner that somebody has accepted for a while: id, reason, by whom, until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from golive.decoding import convert
from golive.toml import read_toml
from golive.verdicts import GoliveError, ProbeError


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding that is accepted."""

    id: str
    reason: str
    by: str
    expires: date
    package: str = ""
    """Empty: wherever it is found."""

    def covers(self, ids: Iterable[str], package: str) -> bool:
        """Whether it is about a finding of these ids."""
        return self.id in set(ids) and self.package in ("", package)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    waiver: list[Waiver] = []


@dataclass(frozen=True, slots=True)
class Waivers:
    """What is accepted on a day."""

    all: tuple[Waiver, ...]
    today: date

    def cover(self, ids: Iterable[str], package: str) -> bool:
        """Whether an unexpired one with a reason and a name is about a finding."""
        known = set(ids)
        return any(
            w.covers(known, package) and w.expires >= self.today and w.reason and w.by
            for w in self.all
        )

    def spent(self, ids: Iterable[str], package: str) -> bool:
        """Whether one was about it, and holds no more."""
        known = set(ids)
        return any(w.covers(known, package) for w in self.all) and not self.cover(known, package)


def read(path: Path | None) -> Waivers:
    """The waivers in a file; none where there is no file to read.

    :raises ProbeError: it is there and no list of waivers.
    """
    today = datetime.now(UTC).date()
    if path is None:
        return Waivers((), today)
    try:
        found = convert(read_toml(path), _File)
    except (GoliveError, msgspec.ValidationError) as e:
        step = "write a table `waiver` of id, reason, by and expires for each"
        raise ProbeError(f"the waivers {path}", e, step) from None
    return Waivers(tuple(found.waiver), today)
