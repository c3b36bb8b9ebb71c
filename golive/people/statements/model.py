"""What is said and signed: a statement, and what can be told of it alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from golive.items import Card
from golive.masking import clean

SCHEMA = 2
"""Since 2 a statement names the records before it and, where it decides, the readiness it saw."""
BODY, EVIDENCE = "statement.json", "evidence"
Kind = Literal["attest", "waive", "not-applicable", "approve", "revoke", "set-aside"]
MOST_EVIDENCE_BYTES = 64 * 2**20
MOST_EVIDENCE = 100
MOST_BODY_BYTES = 2**20
_SHOWN = 300
"""Characters of somebody's words in a reason."""
DECISIONS = ("go", "no-go")
FOR_GOOD = timedelta(days=36500)
"""For how long what takes something back holds, and what sets a damaged record aside."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,119}")
_URL = re.compile(r"https?://[!#-;=?-~]{1,2000}")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the statement names, or an address with nothing but the signer's word."""

    name: str
    sha256: str = ""
    bytes: int = 0
    url: str = ""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed."""

    schema: int = SCHEMA
    kind: Kind
    item: str = ""
    title: str = ""
    fingerprint: str = ""
    """SHA-256 over the item's title and the source of its check."""
    environment: str
    environment_kind: str
    candidate: str
    by: str
    """Id of the person on the roster."""
    role: str
    """The role in which it is said."""
    text: str
    """What is stated, or why."""
    risk: str = ""
    data: dict[str, Any] = {}
    """Answers in a form that a check can read."""
    evidence: list[Evidence] = []
    about: str = ""
    """SHA-256 of what it refers to: the statement that it seconds or revokes, or what is decided
    on. What is set aside stands in ``data``: ``record``, its name, and ``sha256``, see
    :func:`digest_of`."""
    readiness: str = ""
    """SHA-256 of the readiness that an approval rests on, see :mod:`golive.readiness`."""
    before: dict[str, str] = {}
    """The newest records of its environment when it was made, id to SHA-256: see
    :mod:`golive.chain`."""
    made_at: datetime
    expires_at: datetime


_RESERVED = frozenset(Statement.__struct_fields__)


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it lies there. ``cause`` says why it does not hold; empty when it does."""

    id: str
    folder: Path
    statement: Statement
    cause: str = ""
    is_superseded: bool = False
    """Whether the same person has stated it again since, so that it was not looked at."""

    @property
    def valid(self) -> bool:
        """Whether it holds."""
        return not self.cause

    @property
    def sha256(self) -> str:
        """Digest of what was signed, by which another statement refers to it."""
        return hashlib.sha256(canonical(self.statement)).hexdigest()

    @property
    def evidence(self) -> list[Path]:
        """The files it brought along."""
        return [self.folder / EVIDENCE / stored(e) for e in self.statement.evidence if e.sha256]


@dataclass(frozen=True)
class Exemption:
    """A waiver, a not-applicable or a record set aside, which two people have signed."""

    kind: Kind
    first: Signed
    second: Signed

    @property
    def until(self) -> datetime:
        """When it ends."""
        return min(self.first.statement.expires_at, self.second.statement.expires_at)


@dataclass(frozen=True, slots=True)
class Exempted:
    """Whether an item is declared not applicable, as a check of its own sees it."""

    is_signed: bool
    told: str
    """By whom and why, or why it is not."""


def canonical(statement: Statement) -> bytes:
    """The bytes that are signed."""
    return msgspec.json.encode(statement, order="sorted") + b"\n"


def identify(statement: Statement) -> str:
    """The name of a statement's folder: time, item, person, and a piece of its digest."""
    body = hashlib.sha256(canonical(statement)).hexdigest()
    what = statement.item or statement.kind
    at = statement.made_at.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%SZ}-{what}-{statement.by}-{body[:12]}"


def fingerprint(title: str, card: tuple[Card, str] | None) -> str:
    """SHA-256 over an item's title and the source of its check: what a statement is about."""
    source = card[1] if card else ""
    return hashlib.sha256(f"{title}\n{source}".encode()).hexdigest()


def malformed(s: Statement) -> str:
    """Why it says nothing that could hold."""
    if not s.text.strip():
        return "it states nothing"
    if s.kind == "waive" and not s.risk.strip():
        return "it names no risk"
    if s.kind == "approve" and s.data.get("decision") not in DECISIONS:
        return f"it decides neither {' nor '.join(DECISIONS)}"
    if s.kind == "approve" and s.data["decision"] == "go" and not _SHA256.fullmatch(s.readiness):
        return "it does not say which readiness it rests on"
    if s.kind == "set-aside" and not _names_record(s.data):
        return "it names no record and no digest of what lies there"
    if s.kind == "approve" and s.item:
        return "it is a decision on the launch, but names an item"
    if s.kind in ("attest", "waive", "not-applicable") and not s.item:
        return "it names no item"
    if s.kind == "revoke" and not s.about:
        return "it revokes nothing"
    return ""


def _names_record(data: Mapping[str, Any]) -> bool:
    record, sha256 = data.get("record"), data.get("sha256")
    if not isinstance(record, str) or not isinstance(sha256, str):
        return False
    return bool(record) and (not sha256 or _SHA256.fullmatch(sha256) is not None)


def reserved_key(data: object) -> str:
    """The first key in somebody's answers, at any depth, that a statement has itself; empty where
    there is none.

    Whoever checks a statement with a shell alone finds who said what by such keys, so each stands
    in it once.
    """
    if isinstance(data, dict):
        own = next((str(key) for key in data if key in _RESERVED), "")
        return own or reserved_key(list(data.values()))
    if isinstance(data, list):
        return next((key for one in data if (key := reserved_key(one))), "")
    return ""


def no_evidence(one: Evidence) -> str:
    """Why a statement cannot name this as its evidence; empty where it can."""
    if one.url and not _URL.fullmatch(one.url):
        return f"found the address {quoted(one.url)[:60]!r}; expected one of http or https"
    if not one.sha256 and not one.url:
        return f"found {quoted(one.name)[:40]!r} without a digest or an address"
    if one.sha256 and not re.fullmatch(r"[0-9a-f]{64}", one.sha256):
        return f"found the digest {quoted(one.sha256)[:20]!r}; expected a SHA-256"
    if not _NAME.fullmatch(one.name):
        return f"found the name {quoted(one.name)[:40]!r}; expected letters, digits, . _ -"
    if not 0 <= one.bytes <= MOST_EVIDENCE_BYTES:
        return f"found {one.bytes} bytes; expected 64 MiB at most"
    return ""


def is_no_go(s: Statement) -> bool:
    """Whether it says no: a decision against the launch, or a vote against what an item asks."""
    if s.kind == "approve":
        return s.data.get("decision") != "go"
    against = s.data.get("vote", "go") != "go" or s.data.get("decision") == "no-go"
    return s.kind == "attest" and against


def takes_away(s: Statement) -> bool:
    """Whether GO can only be less with it: a revocation or a no-go."""
    return s.kind == "revoke" or is_no_go(s)


def order(signed: Signed) -> tuple[datetime, bool, str]:
    """Of what was said in the same second, what takes away is said last."""
    return signed.statement.made_at, takes_away(signed.statement), signed.id


def stored(evidence: Evidence) -> str:
    """What the file of an evidence is called beside its statement."""
    return f"{evidence.sha256}-{evidence.name}"


def quoted(text: str) -> str:
    """Somebody's words as part of a reason: on one line, harmless, not too long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


def when(signed: Signed) -> str:
    """When something was said, as part of a sentence."""
    return f"on {signed.statement.made_at:%Y-%m-%d at %H:%M} UTC"
