"""The records of one environment form a chain, so that one which was deleted is missed.

Each run and each statement names the newest records that were there when it was made, by id and
SHA-256. People work side by side, so it is a chain of many strands: the next record ties together
whatever nobody has named yet. What no later record names, the newest of all, can be cut off
without a trace here; a store keeps that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from golive import ledger
from golive.decoding import decode
from golive.people.statements import BODY, read_statement
from golive.verdicts import GoliveError


@dataclass(frozen=True, slots=True)
class Record:
    """A run or a statement: its id, the SHA-256 that others name it by, those that it names."""

    id: str
    sha256: str
    before: Mapping[str, str]


class _Environment(msgspec.Struct):
    name: str


class _Head(msgspec.Struct):
    environment: _Environment
    before: dict[str, str] = {}


def tips(records: Iterable[Record]) -> dict[str, str]:
    """The records that no other one names yet, id to SHA-256."""
    known = {r.id: r for r in records}
    named = {i for r in known.values() for i in r.before}
    return {i: r.sha256 for i, r in sorted(known.items()) if i not in named}


def gaps(records: Iterable[Record]) -> dict[str, str]:
    """What records name that is not there, or is there with other bytes; by id, with the reason."""
    known = {r.id: r for r in records}
    found: dict[str, str] = {}
    for record in known.values():
        for ident, sha256 in record.before.items():
            there = known.get(ident)
            if there is None:
                found[ident] = f"{record.id} names it, but it is not here"
            elif there.sha256 != sha256:
                found.setdefault(ident, f"it is not what {record.id} names: it was altered since")
    return found


def here(reports: Path, statements: Path, environment: str) -> list[Record]:
    """The records of an environment that can be read, without whether they hold.

    A run that is still going on is none yet.
    """
    return [*_runs(reports, environment), *_statements(statements, environment)]


def _runs(reports: Path, environment: str) -> list[Record]:
    found = []
    for folder in ledger.runs(reports):
        try:
            head = decode((folder / ledger.HEAD).read_bytes(), _Head)
            if head.environment.name == environment and not ledger.is_running(folder):
                found.append(Record(folder.name, ledger.seal(folder), head.before))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # readiness names it
    return found


def _statements(folder: Path, environment: str) -> list[Record]:
    found = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not (place / BODY).is_file():
            continue
        try:
            signed = read_statement(place)
        except GoliveError:
            continue  # readiness names it
        if signed.statement.environment == environment:
            found.append(Record(signed.id, signed.sha256, signed.statement.before))
    return found
