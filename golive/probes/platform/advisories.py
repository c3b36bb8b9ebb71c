"""Advisories in OSV's format (https://ossf.github.io/osv-schema/), and which of them hold for a
package's version. Severities are those of the advisory's publisher, else of its CVSS vector."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import total_ordering
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import decode
from golive.probes.platform.locks import NPM, PYPI, normal
from golive.verdicts import ProbeError

CRITICAL, HIGH, MODERATE, LOW, UNRATED = "critical", "high", "moderate", "low", "unrated"
_RANK = {UNRATED: 0, LOW: 1, MODERATE: 2, HIGH: 3, CRITICAL: 4}
_WORDS = {"medium": MODERATE, "negligible": LOW, "none": LOW, "info": LOW}
_MOST_BYTES = 8 * 2**20
_CLOCKS_APART = timedelta(hours=1)


class _Named(msgspec.Struct):
    name: str
    ecosystem: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Named | None = None
    ranges: list[_Range] = []
    versions: list[str] = []
    database_specific: dict[str, Any] | None = None
    severity: list[dict[str, str]] = []


class _Advisory(msgspec.Struct):
    id: str
    modified: datetime
    withdrawn: datetime | None = None
    aliases: list[str] | None = None
    severity: list[dict[str, str]] | None = None
    database_specific: dict[str, Any] | None = None
    affected: list[_Affected] | None = None


@dataclass(frozen=True, slots=True)
class Advisory:
    """What an advisory says of one version of a package."""

    id: str
    aliases: tuple[str, ...]
    severity: str

    @property
    def ids(self) -> frozenset[str]:
        """All that it goes by."""
        return frozenset((self.id, *self.aliases))


class Advisories:
    """A snapshot, as far as it is about an ecosystem."""

    def __init__(self, ecosystem: str, found: Iterable[_Advisory], now: datetime) -> None:
        self.ecosystem = ecosystem
        self._by_name: dict[str, list[tuple[_Advisory, _Affected]]] = defaultdict(list)
        self._severities: dict[str, str] = {}
        self.count = 0
        newest: datetime | None = None
        for one in found:
            own = [a for a in one.affected or [] if a.package and _is_of(a.package, ecosystem)]
            if not own:
                continue
            self.count += 1
            # A date to come is a mistake in one of them, and says nothing of the snapshot's age.
            if one.modified <= now + _CLOCKS_APART and (newest is None or one.modified > newest):
                newest = one.modified
            if one.withdrawn is not None:
                continue
            for name in (one.id, *(one.aliases or [])):
                rated = _rated(one, own[0])
                self._severities[name] = worse(rated, self._severities.get(name, UNRATED))
            for affected in own:
                assert affected.package is not None
                self._by_name[normal(affected.package.name, ecosystem)].append((one, affected))
        self.newest = newest
        """When the newest advisory was changed: the snapshot is at most this old."""

    def of(self, name: str, version: str) -> list[Advisory]:
        """Those that hold for a version."""
        found: dict[str, Advisory] = {}
        for one, affected in self._by_name.get(normal(name, self.ecosystem), []):
            if holds_for(affected.versions, _ranges(affected), version, self.ecosystem):
                aliases = tuple(one.aliases or [])
                severity = worse(_rated(one, affected), self.severity_of((one.id, *aliases)))
                found[one.id] = Advisory(one.id, aliases, severity)
        return list(found.values())

    def severity_of(self, ids: Iterable[str]) -> str:
        """The worst that any advisory of these ids says."""
        worst = UNRATED
        for ident in ids:
            worst = worse(worst, self._severities.get(ident, UNRATED))
        return worst


def load(path: Path, ecosystem: str, now: datetime | None = None) -> Advisories:
    """A snapshot: osv.dev's ZIP archive, or a folder of JSON files.

    :raises ProbeError: it cannot be read, or has no advisory of the ecosystem.
    """
    subject, step = f"the advisories {path}", "fetch the snapshot again: all.zip of osv.dev"
    try:
        loaded = Advisories(ecosystem, _read(path), now or datetime.now(UTC))
    except (OSError, zipfile.BadZipFile, msgspec.MsgspecError, ValueError) as e:
        raise ProbeError(subject, e, step) from None
    if not loaded.count or loaded.newest is None:
        raise ProbeError(subject, f"it has no advisory of {ecosystem}", step)
    return loaded


def _read(path: Path) -> Iterator[_Advisory]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield decode(file.read_bytes(), _Advisory)
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".json"):
                if entry.file_size > _MOST_BYTES:
                    raise ValueError(f"{entry.filename} in it has {entry.file_size:,} bytes")
                yield decode(archive.read(entry), _Advisory)


def _is_of(package: _Named, ecosystem: str) -> bool:
    return package.ecosystem.partition(":")[0] == ecosystem


def _ranges(affected: _Affected) -> list[list[dict[str, str]]]:
    return [r.events for r in affected.ranges if r.type != "GIT"]


# -- severity --------------------------------------------------------------------------------------


def word(text: str) -> str:
    """A severity in one spelling, of whichever scanner."""
    lower = text.strip().lower()
    lower = _WORDS.get(lower, lower)
    return lower if lower in _RANK else UNRATED


def worse(one: str, other: str) -> str:
    """The worse of two."""
    return max(one, other, key=_RANK.__getitem__)


def of_score(score: float) -> str:
    """CVSS's own words for its scores (specification v3.1, table 14)."""
    if score >= 9.0:
        return CRITICAL
    if score >= 7.0:
        return HIGH
    return MODERATE if score >= 4.0 else LOW


def _rated(one: _Advisory, affected: _Affected) -> str:
    if one.id.startswith("MAL-"):
        return CRITICAL  # a package made to do harm
    for own in (one.database_specific, affected.database_specific):
        said = (own or {}).get("severity")
        if isinstance(said, str) and word(said) != UNRATED:
            return word(said)
    worst = UNRATED
    for entry in (*(one.severity or []), *affected.severity):
        worst = worse(worst, _scored(entry.get("score", "")))
    return worst


def _scored(vector: str) -> str:
    import cvss

    kinds: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("CVSS:3", cvss.CVSS3),
        ("CVSS:4", cvss.CVSS4),
        ("AV:", cvss.CVSS2),
    )
    for begins, kind in kinds:
        if vector.startswith(begins):
            try:
                return of_score(float(kind(vector).base_score))
            except (cvss.CVSSError, ArithmeticError, ValueError, TypeError):
                return UNRATED
    return UNRATED


# -- versions --------------------------------------------------------------------------------------


def holds_for(
    versions: Iterable[str],
    ranges: Iterable[Iterable[dict[str, str]]],
    version: str,
    ecosystem: str,
) -> bool:
    """OSV's own evaluation: a version is affected where it is listed, or within a range."""
    if version in versions:
        return True
    ordered = _order(ecosystem)
    own = ordered(version)
    for events in ranges:
        steps: list[tuple[Any, int, bool]] = []
        for event in events:
            for kind, text in event.items():
                if kind in ("introduced", "fixed", "last_affected"):
                    at = ordered("" if text == "0" else text)
                    # What is the last affected ends just behind itself.
                    steps.append((at, int(kind == "last_affected"), kind == "introduced"))
        affected = False
        for at, behind, begins in sorted(steps, key=lambda s: (s[0], s[1])):
            if at < own or (at == own and not behind):
                affected = begins
        if affected:
            return True
    return False


def _order(ecosystem: str) -> Callable[[str], Any]:
    return {PYPI: _pep440, NPM: _semver}.get(ecosystem, _semver)


@total_ordering
@dataclass(frozen=True, slots=True)
class _Key:
    value: tuple[Any, ...]

    def __lt__(self, other: _Key) -> bool:
        return self.value < other.value


def _pep440(text: str) -> _Key:
    from packaging.version import InvalidVersion, Version

    if not text:
        return _Key((0,))
    try:
        return _Key((1, Version(text)))
    except InvalidVersion:
        # Before PEP 440 anything was a version; such ones are older than all that are none.
        return _Key((0, *_parts(text)))


def _semver(text: str) -> _Key:
    """Precedence as semver.org has it."""
    if not text:
        return _Key(())
    plain = text.lstrip("v=").partition("+")[0]
    release, _, before = plain.partition("-")
    numbers = [int(n) if n.isdigit() else 0 for n in release.split(".")]
    numbers = [*numbers, 0, 0, 0][:3]
    # A release comes after its previews; numbers come before words.
    return _Key((*numbers, (1,) if not before else (0, *_parts(before))))


def _parts(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"[.]", text) if p)
