"""Signatures on a package: adding one, and whose there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from golive.package.form import (
    ROSTER,
    SIGNATURE,
    SUMS,
    zipped,
)
from golive.package.opening import Package, opened, wrong
from golive.package.writing import write
from golive.people import signatures
from golive.people.roster import Person, Roster
from golive.verdicts import GoliveError

_MOST_SIGNATURE = 2**16


def sign(path: Path, person: str, key: Path, roster: Roster) -> None:
    """Add somebody's signature to a package.

    :raises GoliveError: it is no whole package, the key cannot sign, or is not that person's.
    """
    with opened(path) as package:
        sums = package.folder / SUMS
        place = sums.with_name(f"{SUMS}.{person}.sig")
        signatures.sign(sums, key, signatures.PACKAGES, place=place)
        signers = roster.allowed_signers([person])
        found = signatures.verify(sums, signers, person, signatures.PACKAGES, signature=place)
        if not found.valid:
            raise GoliveError(f"{key}: is no key of {person}: {found.cause}")
        names = [*package.names, place.name]
        files = {name: (package.folder / name).read_bytes() for name in names}
    write(path, zipped(files))


def people_who_signed(package: Package, roster: Roster, at: datetime) -> list[Person]:
    """Those of the roster who have signed the list of files.

    :param at: when the answer was made: their keys have to count then.
    :raises GoliveError: a signature is not valid, or there is none.
    """
    found = []
    for name in package.names:
        match = SIGNATURE.fullmatch(name)
        if match is None:
            continue
        who = match["person"]
        if not roster.roles_of(who):
            raise wrong(package.path, name, f"{who} has no role on {_shown(roster, package)}")
        cause = bad(
            package.folder / SUMS, package.folder / name, [who], roster, signatures.PACKAGES, at
        )
        if cause:
            raise wrong(package.path, name, cause)
        found.append(roster.people[who])
    if not found:
        raise GoliveError(
            f"{package.path}: nobody has signed it; somebody of the roster does with"
            f" `golive package --sign {package.path} --as PERSON`"
        )
    return found


def lacking_roles(approvers: Sequence[str], signers: Sequence[Person], roster: Roster) -> list[str]:
    """The roles that decide and for which nobody has signed, where each person speaks for one."""
    speaks: dict[str, str] = {}

    def finds_one(role: str, asked: set[str]) -> bool:
        for person in signers:
            if person.id in asked or person not in roster.entitled(role):
                continue
            asked.add(person.id)
            if person.id not in speaks or finds_one(speaks[person.id], asked):
                speaks[person.id] = role
                return True
        return False

    return [role for role in approvers if not finds_one(role, set())]


def bad(
    path: Path, place: Path, people: Sequence[str], roster: Roster, namespace: str, at: datetime
) -> str:
    """Why none of these people's keys has made a signature; empty where one has."""
    cause = "nobody on the roster may sign it"
    if place.stat().st_size > _MOST_SIGNATURE:
        return "is no signature"
    for who in people:
        if who in roster.shared_keys:
            cause = f"{', '.join(roster.shared_keys[who])} have the same key"
            continue
        signers = roster.allowed_signers([who])
        if not signers:
            continue
        found = signatures.verify(path, signers, who, namespace, signature=place, at=at)
        if found.valid:
            return ""
        cause = f"is not valid: {found.cause}"
    return cause


def _shown(roster: Roster, package: Package) -> str:
    own = package.folder / ROSTER
    return "the enclosed roster" if roster.source == own else str(roster.source)
