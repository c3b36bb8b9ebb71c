"""Statements as they lie in their folder, unjudged."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from golive.decoding import decode
from golive.files import NotThere, read, shown
from golive.files import sha256 as sha256_of
from golive.people import signatures
from golive.people.statements.model import (
    BODY,
    EVIDENCE,
    MOST_BODY_BYTES,
    MOST_EVIDENCE,
    MOST_EVIDENCE_BYTES,
    SCHEMA,
    Signed,
    Statement,
    canonical,
    identify,
    no_evidence,
    order,
    quoted,
    reserved_key,
    stored,
)
from golive.verdicts import GoliveError

_MOST_SIGNATURE_BYTES = 2**16


@dataclass(frozen=True)
class Records:
    """What lies in a folder of statements, unjudged."""

    found: list[Signed]
    """Every statement, newest first."""
    broken: dict[str, str]
    """What is none, by name, with why."""
    places: dict[str, Path]
    """Where all of it lies, by name."""

    @cached_property
    def by_digest(self) -> dict[str, Signed]:
        """The statements by what others refer to them by."""
        return {s.sha256: s for s in self.found}

    @cached_property
    def acts(self) -> dict[tuple[str, ...], list[Signed]]:
        """The statements that say the same of the same, newest first: see :func:`act`."""
        out: dict[tuple[str, ...], list[Signed]] = {}
        for s in self.found:
            out.setdefault(act(s.statement), []).append(s)
        return out

    @cached_property
    def revocations(self) -> dict[str, list[Signed]]:
        """The revocations, by the digest of what they take back."""
        out: dict[str, list[Signed]] = {}
        for s in self.found:
            if s.statement.kind == "revoke":
                out.setdefault(s.statement.about, []).append(s)
        return out


_SETTLED_NS = 2 * 10**9
"""How long a file must have been left alone before it counts as the same by its times."""
_STAMPED = ("", BODY, signatures.signature_of(Path(BODY)).name)
_read: dict[Path, tuple[tuple[int, ...], Signed]] = {}
"""Statements that this process has read, with what their files were like before that."""


def _read_once(folder: Path) -> Signed:
    """As :func:`read_statement`, but read again only once its folder or its files are others.

    A run asks hundreds of times for all statements. Nobody but the kernel sets a file's time of
    change; one that is only just past cannot tell two writes apart, so it is not believed.
    """
    before = _stamp(folder)
    known = _read.get(folder)
    if known is not None and known[0] == before:
        return known[1]
    signed = read_statement(folder)
    if before and max(before[::3]) < time.time_ns() - _SETTLED_NS:
        _read[folder] = before, signed
    return signed


def _stamp(folder: Path) -> tuple[int, ...]:
    """What changes whenever a statement's folder, body or signature does; empty: not all of it is
    there."""
    found: list[int] = []
    try:
        for name in _STAMPED:  # a slash behind the folder would follow a link in its place
            at = os.lstat(f"{folder}/{name}" if name else folder)
            found += (at.st_ctime_ns, at.st_ino, at.st_size)
    except (OSError, ValueError):
        return ()
    return tuple(found)


def read_folder(place: Path) -> Records:
    """All that lies in a folder; what cannot be read is among what is broken."""
    found: list[Signed] = []
    broken: dict[str, str] = {}
    places: dict[str, Path] = {}
    try:
        there = sorted(place.iterdir()) if os.path.lexists(place) else []
    except OSError as e:
        broken[place.name] = f"{place}: cannot be read: {e.strerror}"
        there = []
    for folder in there:
        name = folder.name.encode(errors="backslashreplace").decode()
        places[name] = folder
        try:
            found.append(_read_once(folder))
        except GoliveError as e:
            broken[shown(name)] = str(e)
    found.sort(key=order, reverse=True)
    return Records(found, broken, places)


UNREADABLE = "unreadable"
"""In place of a digest: nobody can have seen it."""


def read_statement(folder: Path) -> Signed:
    """A statement as it lies there, unjudged.

    :raises GoliveError: it is none, or is not written as golive writes one; names the file.
    """
    path = folder / BODY
    if folder.is_symlink():
        raise GoliveError(f"{folder}: is a symbolic link; expected the statement's own folder")
    signature = signatures.signature_of(path)
    data = read(path, MOST_BODY_BYTES, "a statement")
    with suppress(NotThere):  # it is not signed: a reason of its own
        read(signature, _MOST_SIGNATURE_BYTES, "the signature of a statement")
    try:
        raw = msgspec.json.decode(data)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if schema != SCHEMA or type(schema) is not int:
            raise GoliveError(
                f"{path}: schema: found {schema!r:.40}; this golive reads {SCHEMA}: use the golive"
                " that wrote it, or have it signed again"
            )
        statement = decode(data, Statement)
        for key, at in (("made_at", statement.made_at), ("expires_at", statement.expires_at)):
            if at.tzinfo is None or at.utcoffset():
                raise GoliveError(f"{path}: {key}: found {at.isoformat()}; expected it in UTC")
        if canonical(statement) != data:
            raise GoliveError(f"{path}: is not in canonical form, so it was altered")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as e:
        raise GoliveError(f"{path}: is damaged: {quoted(str(e))}") from None
    expected = identify(statement)
    if folder.name != expected:
        raise GoliveError(
            f"{folder}: holds the statement {quoted(expected)}; expected it under that name"
        )
    if len(statement.evidence) > MOST_EVIDENCE:
        raise GoliveError(f"{path}: evidence: found {len(statement.evidence)}, over 100")
    for one in statement.evidence:
        cause = no_evidence(one)
        if cause:
            raise GoliveError(f"{path}: evidence: {cause}")
    if key := reserved_key(statement.data):
        raise GoliveError(f"{path}: data: found the key {key!r}, which a statement has itself")
    return Signed(folder.name, folder, statement)


def digest_of(place: Path) -> str:
    """SHA-256 over what lies at a place, whatever it is: each file by its name and bytes, each
    link by where it leads; empty where there is nothing, UNREADABLE where not all can be read."""
    total = hashlib.sha256()
    try:
        if not os.path.lexists(place):
            return ""
        for path in [place, *sorted(_below(place))]:
            name = os.fsencode(path.relative_to(place))
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                what = evidence_digest(path)
            else:
                what = os.fsencode(path.readlink()).hex() if stat.S_ISLNK(mode) else ""
            total.update(f"{name.hex()} {stat.S_IFMT(mode):o} {what}\n".encode())
    except (OSError, GoliveError):
        return UNREADABLE
    return total.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    if folder.is_dir() and not folder.is_symlink():
        for place, folders, files in os.walk(folder, onerror=fail):
            yield from (Path(place) / name for name in (*folders, *files))


def altered_evidence(signed: Signed) -> str:
    """What of a statement\'s folder is not as was signed; empty where all of it is."""
    folder = signed.folder / EVIDENCE
    named = {stored(e): e for e in signed.statement.evidence if e.sha256}
    known = {BODY, signatures.signature_of(signed.folder / BODY).name, EVIDENCE}
    try:
        for path in sorted(signed.folder.iterdir()):
            if path.name not in known:
                return f"its folder holds {quoted(path.name)[:40]!r}, which is no part of it"
        if folder.is_symlink():
            return "its evidence is a symbolic link"
        there = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        for name in sorted(there - set(named)):
            return f"its folder holds {quoted(name)[:40]!r}, which it does not name"
        for name, evidence in named.items():
            path = folder / name
            if path.is_symlink() or not path.is_file():
                return f"its evidence {evidence.name} is not there"
            if path.stat().st_size != evidence.bytes or evidence_digest(path) != evidence.sha256:
                return f"its evidence {evidence.name} was altered"
    except OSError as e:
        return f"its evidence cannot be read: {e.strerror}"
    except GoliveError as e:
        return f"its evidence cannot be read: {e}"
    return ""


def evidence_digest(path: Path) -> str:
    """SHA-256 of a file that is evidence.

    :raises GoliveError: it is no ordinary file, or too large.
    """
    return sha256_of(path, MOST_EVIDENCE_BYTES, "evidence")


def act(s: Statement) -> tuple[str, ...]:
    """What is the same for statements of which a newer one takes an older one's place."""
    if s.kind == "revoke":
        return s.kind, s.about
    mine = (s.kind, s.environment, s.by, s.role, s.item)
    if s.kind in ("approve", "attest"):
        return mine
    return *mine, s.about, str(s.data.get("record", ""))
