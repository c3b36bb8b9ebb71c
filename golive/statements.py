"""Statements: what a person says of an item, signed with that person's own SSH key.

A statement is one folder that is never changed:

``statement.json``      canonical JSON: what is said, of what, by whom, until when
``statement.json.sig``  the signature over it, by ``ssh-keygen -Y sign`` for golive-statement
``evidence/``           the files it names, each as ``<sha256>-<name>``

Nothing in it is believed: whoever uses a statement has it checked anew. One that does not hold
is kept with the reason, so that a page can show it. docs/statements.md tells the format, and how
to check one by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from golive import signatures
from golive.claims import Claim, holds, same_set
from golive.decoding import decode
from golive.files import NotThere, read, shown, write
from golive.files import folder as make_folder
from golive.files import sha256 as digest_of
from golive.items import Card
from golive.launch import Launch
from golive.masking import clean
from golive.procedure import Item, Procedure
from golive.roster import Roster
from golive.verdicts import GoliveError, Pending

SCHEMA = 1
BODY, EVIDENCE = "statement.json", "evidence"
Kind = Literal["attest", "waive", "not-applicable", "approve", "revoke"]
MOST_EVIDENCE_BYTES = 64 * 2**20
_MOST_EVIDENCE = 100
_MOST_BODY_BYTES = 2**20
_MOST_SIGNATURE_BYTES = 2**16
_MOST_TEXT = 10_000
_SHOWN = 300
"""Characters of somebody's words in a reason."""
_AFTER_LAUNCH = timedelta(days=8)
"""From midnight of the launch date, or of the item's own where that is later: when the longest
waiver ends."""
DECISIONS = ("go", "no-go")
_CLOCKS_DIFFER = timedelta(minutes=5)
"""By which a signer's clock may be ahead of this one's."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,119}")
_URL = re.compile(r"https?://[!#-;=?-~]{1,2000}")
_PRIVATE = "PRIVATE KEY-----"
"""What a file ends its first line with that nobody may ever hand on."""


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
    on."""
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it lies there. ``cause`` says why it does not hold; empty when it does."""

    id: str
    folder: Path
    statement: Statement
    cause: str = ""
    is_superseded: bool = False
    """Whether the same person has stated it anew since, so that it was not looked at."""

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
        return [self.folder / EVIDENCE / _stored(e) for e in self.statement.evidence if e.sha256]


@dataclass
class Vouched:
    """What people have said of one item.

    Checks ask :meth:`by_everyone` where each of a set has to say it; the roles of the card are
    asked by the plugin, after the check has run.
    """

    item: Item
    card: Card
    all: list[Signed]
    """Newest first."""
    roster: Roster
    two_people: bool = False
    asked_everyone: bool = field(default=False, init=False)

    @property
    def valid(self) -> list[Signed]:
        """Those that hold, newest first."""
        return [s for s in self.all if s.valid]

    @property
    def data(self) -> dict[str, Any]:
        """The answers of the newest that holds; none before somebody has stated it."""
        return self.valid[0].statement.data if self.valid else {}

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have to state it."""
        return self.card.by or ((self.item.owner_mark,) if self.item.owner_mark else ())

    def of(self, person: str) -> Signed | None:
        """The newest valid statement of a person."""
        return next((s for s in self.valid if s.statement.by == person), None)

    def in_role(self, role: str) -> Signed | None:
        """The newest valid statement made in a role."""
        return next((s for s in self.valid if s.statement.role == role), None)

    def by_everyone(self, people: Iterable[str], what: str) -> Claim:
        """That each of these people has stated it in person.

        :raises Pending: somebody has not; names them, and why what there is does not hold.
        """
        self.asked_everyone = True
        wanted = list(dict.fromkeys(people))
        missing = [p for p in wanted if self.of(p) is None]
        if wanted and missing:
            raise Pending(self._lacking(missing, lambda s: s.statement.by))
        return same_set(what, [p for p in wanted if p not in missing], wanted)

    def claims(self) -> list[Claim]:
        """That each role has stated it, by different people with keys of their own.

        :raises Pending: one has not; says what is missing and why what there is does not hold.
        """
        if self.card.each:
            return []
        missing = [r for r in self.roles if self.in_role(r) is None]
        if missing or not self.roles:
            raise Pending(self._lacking(missing or ["somebody"], lambda s: s.statement.role))
        if self.two_people and len({s.statement.by for s in self.valid}) < 2:
            raise Pending(
                f"{self.item.id} needs the signatures of two people; so far only"
                f" {self.roster.people[self.valid[0].statement.by].name} has signed"
                f" (`golive attest {self.item.id}`)"
            )
        signed = self._one_each()
        if signed is None:
            people = ", ".join(sorted({s.statement.by for s in self.valid}))
            raise Pending(
                f"{people} signed in several roles; each of {', '.join(self.roles)} needs a"
                f" person of its own (`golive attest {self.item.id}`)"
            )
        return [_signed_claim(r, s, self.roster) for r, s in signed.items()]

    def _one_each(self) -> dict[str, Signed] | None:
        """The newest valid statements in which each role speaks through a person of its own."""
        choices = []
        for role in self.roles:
            by = {s.statement.by: s for s in reversed(self.valid) if s.statement.role == role}
            choices.append(sorted(by.values(), key=lambda s: s.statement.made_at, reverse=True)[:9])
        for chosen in itertools.product(*choices):
            if len({s.statement.by for s in chosen}) == len(chosen):
                return dict(zip(self.roles, chosen, strict=True))
        return None

    def _lacking(self, missing: Sequence[str], key: Callable[[Signed], str]) -> str:
        names = [self.roster.people[m].name if m in self.roster.people else m for m in missing]
        shown = ", ".join(n.replace("_", " ") for n in names[:8])
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        text = f"not stated yet by {shown}{more}: {self.card.asks or self.item.title}"
        refused = [s for s in self.all if s.cause and key(s) in missing] or [
            s for s in self.all if s.cause
        ]
        if refused:
            newest = refused[0]
            text += (
                f"; SUSPECT: {_shown(newest.statement.by)} signed it {_when(newest)}, but"
                f" {newest.cause}"
            )
        return f"{text}; next: `golive attest {self.item.id}`"


def _signed_claim(role: str, signed: Signed, roster: Roster) -> Claim:
    s = signed.statement
    name = roster.people[s.by].name
    return holds(
        f"statement of the {role.replace('_', ' ')}",
        True,
        f"signed by {name} {_when(signed)}, holds until {s.expires_at:%Y-%m-%d %H:%M} UTC",
        "a valid signature",
    )


@dataclass(frozen=True)
class Exemption:
    """A waiver or a not-applicable that two people have signed."""

    kind: Kind
    first: Signed
    second: Signed

    @property
    def until(self) -> datetime:
        """When it ends."""
        return min(self.first.statement.expires_at, self.second.statement.expires_at)


class Statements:
    """All statements in a folder, judged for one environment and candidate.

    :param fingerprints: of every item that code exists for.
    :param now: for tests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        roster: Roster,
        launch: Launch,
        procedure: Procedure,
        environment: str,
        environment_kind: str,
        cards: Mapping[str, tuple[Card, str]],
        now: datetime | None = None,
    ) -> None:
        self.folder = folder
        self.roster = roster
        self.launch = launch
        self.procedure = procedure
        self.environment = environment
        self.environment_kind = environment_kind
        self.cards = cards
        self.now = now or datetime.now(UTC)
        self._checked: dict[str, Signed] = {}
        self._lasting: dict[tuple[str, str], str] = {}
        """What time does not change of a statement: its evidence, its signature."""

    @property
    def kept(self) -> list[Signed]:
        """Every statement as it lies there, unjudged, newest first."""
        return self._read[0]

    def here(self, now: datetime | None = None, *, past: bool = False) -> Statements:
        """Those of this environment, judged as at a moment.

        :param past: without those that had not been made by then.
        """
        view = Statements(
            self.folder,
            roster=self.roster,
            launch=self.launch,
            procedure=self.procedure,
            environment=self.environment,
            environment_kind=self.environment_kind,
            cards=self.cards,
            now=now or self.now,
        )
        view._lasting = self._lasting
        found, broken = self._read
        ends = view.now + _CLOCKS_DIFFER
        mine = [
            s
            for s in found
            if s.statement.kind == "revoke" or s.statement.environment == self.environment
        ]
        if past:
            mine = [s for s in mine if s.statement.made_at <= ends]
        view.__dict__["_read"] = mine, broken
        return view

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """Folders that hold no statement, with what is wrong."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[list[Signed], dict[str, str]]:
        """Every statement as it lies there, unjudged, newest first; and what is none."""
        found: list[Signed] = []
        broken: dict[str, str] = {}
        for folder in sorted(self.folder.glob("*")) if self.folder.is_dir() else []:
            if folder.name.startswith("."):
                continue
            try:
                found.append(read_statement(folder))
            except GoliveError as e:
                broken[shown(folder.name)] = str(e)
        found.sort(key=lambda s: (s.statement.made_at, s.id), reverse=True)
        return found, broken

    @cached_property
    def _by_item(self) -> dict[str, list[Signed]]:
        out: dict[str, list[Signed]] = {}
        for s in self._read[0]:
            out.setdefault(s.statement.item, []).append(s)
        return out

    def vouched(self, item: str, papers: Mapping[str, str] | None = None) -> Vouched:
        """What people have attested of an item.

        :param papers: SHA-256 of the papers that the item needs, by file name, as they lie there
            now; a statement that does not name just these does not hold.
        """
        line = self.procedure.items[item]
        said = [s for s in self._attested(item, papers or {}) if not s.is_superseded]
        return Vouched(
            line,
            self.cards.get(item, (Card(item),))[0],
            said,
            self.roster,
            two_people=self.launch.needs_two(item),
        )

    def exemption(self, item: str) -> tuple[Exemption | None, list[str]]:
        """The waiver or not-applicable in force for an item, and why others are not."""
        causes: list[str] = []
        for kind in ("not-applicable", "waive"):
            said = [self.check(s) for s in self._of(item, kind)]
            seconds = [s for s in said if s.statement.about]
            firsts = {s.sha256: s for s in said if not s.statement.about}
            for second in seconds:
                first = firsts.get(second.statement.about)
                cause = self._not_two(item, kind, first, second)
                if not cause and first is not None:
                    return Exemption(first.statement.kind, first, second), causes
                causes.append(cause)
            agreed = {s.statement.about for s in seconds}
            causes += [
                f"{s.id}: {s.cause or 'nobody has signed as the second person'}"
                for digest, s in firsts.items()
                if digest not in agreed
            ]
        return None, causes

    def exempted(self) -> list[str]:
        """The items that are waived or not applicable now."""
        said = {
            s.statement.item
            for s in self._read[0]
            if s.statement.kind in ("waive", "not-applicable")
        }
        return sorted(i for i in said if i and self.exemption(i)[0] is not None)

    def decisions(self) -> list[Signed]:
        """Approvals and refusals of the launch, newest first."""
        return [self.check(s) for s in self._of("", "approve")]

    def find(self, ident: str) -> Signed:
        """A statement by its id, or by what its id begins with, checked.

        :raises GoliveError: there is none, or more than one.
        """
        found = [s for s in self._read[0] if s.id == ident] or [
            s for s in self._read[0] if ident and s.id.startswith(ident)
        ]
        if len(found) != 1:
            there = "several" if found else "none"
            raise GoliveError(
                f"{self.folder}: found {there} of the id {_shown(ident)!r}; expected one of those"
                " that `golive statements` lists"
            )
        return self.check(found[0])

    def everything(self) -> list[Signed]:
        """All of this environment, checked, newest first; ssh-keygen runs several at a time."""
        mine = [s for s in self._read[0] if s.statement.environment == self.environment]
        asked = list(dict.fromkeys(s.statement.item for s in mine if s.statement.kind == "attest"))
        others = [s for s in mine if s.statement.kind != "attest"]
        with ThreadPoolExecutor(4) as pool:
            found = [s for said in pool.map(self._attested, asked) for s in said]
            found += pool.map(self.check, others)
        of_here = [s for s in found if s.statement.environment == self.environment]
        return sorted(of_here, key=lambda s: (s.statement.made_at, s.id), reverse=True)

    def _attested(self, item: str, papers: Mapping[str, str] | None = None) -> list[Signed]:
        """What was stated of an item, newest first; of a person in a role only up to the newest
        that holds, since looking at signatures takes most of the time."""
        found: list[Signed] = []
        newer: dict[tuple[str, str], Signed] = {}
        for s in self._of(item, "attest"):
            who = s.statement.by, s.statement.role
            if who in newer:
                cause = f"{_shown(s.statement.by)} stated it anew {_when(newer[who])}"
                found.append(Signed(s.id, s.folder, s.statement, cause, is_superseded=True))
                continue
            checked = _on_papers(self.check(s), papers or {})
            found.append(checked)
            if checked.valid:
                newer[who] = checked
        return found

    def check(self, signed: Signed) -> Signed:
        """The statement with the first reason for which it does not hold, if there is one."""
        if signed.id not in self._checked:
            self._checked[signed.id] = _with_cause(signed, self._cause(signed))
        return self._checked[signed.id]

    def has(self, item: str, *kinds: Kind) -> bool:
        """Whether anything of these kinds was said of an item, whether it holds or not."""
        return any(s.statement.kind in kinds for s in self._by_item.get(item, []))

    # -- why one does not hold --------------------------------------------------------------

    def _of(self, item: str, kind: str) -> list[Signed]:
        return [s for s in self._by_item.get(item, []) if s.statement.kind == kind]

    def _cause(self, signed: Signed) -> str:
        s = signed.statement
        if s.kind == "revoke":
            # It stays, whatever becomes of the item or the candidate: nothing comes back to life.
            return _malformed(s) or self._of_nobody(s) or self._badly_signed(signed)
        return (
            _malformed(s)
            or self._about_another(s)
            or self._out_of_time(s)
            or self._not_entitled(s)
            or self._altered(signed)
            or self._badly_signed(signed)
            or self.revoked(signed)
            or self._decided_anew(signed)
        )

    def _about_another(self, s: Statement) -> str:
        if (s.environment, s.environment_kind) != (self.environment, self.environment_kind):
            return (
                f"it is about {_shown(s.environment)} ({_shown(s.environment_kind)}), not"
                f" {self.environment} ({self.environment_kind})"
            )
        if s.candidate != self.launch.candidate:
            return f"it is about {_shown(s.candidate)}, not {self.launch.candidate}"
        if s.item:
            line = self.procedure.items.get(s.item)
            if line is None:
                return f"the procedure has no item {_shown(s.item)}"
            mark = fingerprint(line.title, self.cards.get(s.item))
            if (s.title, s.fingerprint) != (line.title, mark):
                return "the item or its check has changed since"
        return ""

    def _out_of_time(self, s: Statement) -> str:
        if s.made_at > self.now + _CLOCKS_DIFFER:
            return f"it is dated {s.made_at:%Y-%m-%d %H:%M} UTC, which has not come"
        ends = self.ends(s)
        if self.now >= ends:
            return f"it expired on {ends:%Y-%m-%d %H:%M} UTC"
        return ""

    def _of_nobody(self, s: Statement) -> str:
        """Why its author cannot be told; empty where it is somebody of the roster, in a role."""
        if s.by not in self.roster.people:
            return f"{_shown(s.by)} is not on the roster"
        if s.by in self.roster.shared_keys:
            others = [p for p in self.roster.shared_keys[s.by] if p != s.by]
            return f"{s.by} and {', '.join(others)} have the same key"
        if s.role not in self.roster.roles_of(s.by):
            return f"{s.by} neither holds nor backs up the role {_shown(s.role)}"
        return ""

    def _not_entitled(self, s: Statement) -> str:
        cause = self._of_nobody(s)
        if cause:
            return cause
        if s.kind == "attest" and not self.is_asked_of_each(s.item):
            allowed = self.may_attest(s.item)
            if s.role not in allowed:
                return f"the role {s.role} may not state it; {', '.join(allowed)} may"
        if s.kind == "approve" and s.role not in self.launch.approvers:
            return f"the role {s.role} does not decide on the launch"
        return ""

    def is_asked_of_each(self, item: str) -> bool:
        """Whether everybody of a set states the item in person, in whatever role."""
        return item in self.cards and self.cards[item][0].each

    def may_attest(self, item: str) -> list[str]:
        """The roles in which somebody may state an item that is not asked of everybody."""
        card = self.cards[item][0] if item in self.cards else Card(item)
        owner = self.procedure.items[item].owner_mark
        roles = list(card.by or ((owner,) if owner else ()))
        if self.launch.needs_two(item):
            roles += self.launch.second_signers
        return list(dict.fromkeys(roles))

    def _altered(self, signed: Signed) -> str:
        return self._once("evidence", signed, _altered_evidence)

    def _badly_signed(self, signed: Signed) -> str:
        return self._once("signature", signed, self._signature_fails)

    def _once(self, what: str, signed: Signed, find: Callable[[Signed], str]) -> str:
        key = what, signed.id
        if key not in self._lasting:
            self._lasting[key] = find(signed)
        return self._lasting[key]

    def _signature_fails(self, signed: Signed) -> str:
        s = signed.statement
        found = signatures.verify(
            signed.folder / BODY,
            self.roster.allowed_signers([s.by]),
            s.by,
            signatures.STATEMENTS,
            at=s.made_at,
        )
        return "" if found.valid else f"its signature is not valid: {found.cause}"

    @cached_property
    def _revocations(self) -> dict[str, list[Signed]]:
        out: dict[str, list[Signed]] = {}
        for s in self._read[0]:
            if s.statement.kind == "revoke":
                out.setdefault(s.statement.about, []).append(s)
        return out

    def revoked(self, signed: Signed) -> str:
        """Who took it back, and why; empty where nobody has."""
        if not self._revocations:
            return ""
        for s in self._revocations.get(signed.sha256, []):
            if self.may_revoke(s.statement, signed) and self.check(s).valid:
                return f"{s.statement.by} revoked it: {_shown(s.statement.text)}"
        return ""

    def may_revoke(self, revocation: Statement, signed: Signed) -> bool:
        """Whether it is one's own, one's item, or one's right as a second signer or approver."""
        line = self.procedure.items.get(signed.statement.item)
        return revocation.by == signed.statement.by or revocation.role in (
            *([line.owner_mark] if line and line.owner_mark else []),
            *self.launch.second_signers,
            *self.launch.approvers,
        )

    def _decided_anew(self, signed: Signed) -> str:
        """A decision counts until the same person decides again, for good."""
        mine = signed.statement
        if mine.kind != "approve":
            return ""
        for s in self._of("", "approve"):
            newer = (s.statement.made_at, s.id) > (mine.made_at, signed.id)
            if s.statement.by == mine.by and newer:
                said = s.statement
                cause = _malformed(said) or self._about_another(said) or self._not_entitled(said)
                future = said.made_at > self.now + _CLOCKS_DIFFER
                if not cause and not future and not self._badly_signed(s):
                    return f"{mine.by} decided anew {_when(s)}"
        return ""

    def ends(self, s: Statement) -> datetime:
        """When a statement stops to hold: as its signer says, but never later than launch.toml."""
        return min(s.expires_at, self.latest(s.kind, s.item, s.made_at))

    def latest(self, kind: Kind, item: str, made_at: datetime) -> datetime:
        """The latest moment until which such a statement can hold."""
        if kind in ("waive", "not-applicable"):
            line = self.procedure.items.get(item)
            day = self.launch.due(max(0, line.due_day if line else 0))
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + _AFTER_LAUNCH
        return min(made_at, self.now + _CLOCKS_DIFFER) + self.launch.validity(item or kind)

    def _not_two(self, item: str, kind: str, first: Signed | None, second: Signed) -> str:
        """Why two statements are no waiver of an item by its owner and a second person."""
        if first is None:
            return f"{second.id}: the statement that it seconds is not there"
        for one in (first, second):
            if one.cause:
                return f"{one.id}: {one.cause}"
        a, b = first.statement, second.statement
        if a.by == b.by:
            return f"{second.id}: {a.by} signed twice; a second person has to"
        if (a.expires_at, a.text, a.risk) != (b.expires_at, b.text, b.risk):
            return f"{second.id}: it says something else than the one it seconds"
        cause = self.not_both(item, a.role, b.role)
        if cause:
            return f"{second.id}: {cause}"
        if kind == "not-applicable" and not self.launch.may_be_not_applicable(item):
            return f"{second.id}: {item} can never be not applicable"
        return ""

    def not_both(self, item: str, one: str, other: str) -> str:
        """Why two roles do not make a waiver: its owner, and another of launch.toml's second ones.

        An item that nobody owns takes two of those that sign second or decide.
        """
        seconds = self.launch.second_signers
        owner = self.procedure.items[item].owner_mark
        owners = (owner,) if owner else (*seconds, *self.launch.approvers)
        if one == other:
            return f"both signed as {one}; the second person signs in another role"
        if not {one, other} & set(owners):
            return f"the item's owner, {owner or 'one of ' + ', '.join(owners)}, has not signed"
        pairs = ((one, other), (other, one))
        if not any(a in owners and b in seconds for a, b in pairs):
            wanted = ", ".join(r for r in seconds if r != owner) or "nobody: see launch.toml"
            return f"nobody besides the owner signed as {wanted}"
        return ""


def _malformed(s: Statement) -> str:
    """Why it says nothing that could hold."""
    if not s.text.strip():
        return "it states nothing"
    if s.kind == "waive" and not s.risk.strip():
        return "it names no risk"
    if s.kind == "approve" and s.data.get("decision") not in DECISIONS:
        return f"it decides neither {' nor '.join(DECISIONS)}"
    if s.kind == "approve" and s.item:
        return "it is a decision on the launch, but names an item"
    if s.kind in ("attest", "waive", "not-applicable") and not s.item:
        return "it names no item"
    if s.kind == "revoke" and not s.about:
        return "it revokes nothing"
    return ""


def _shown(text: str) -> str:
    """Somebody's words as part of a reason: on one line, harmless, not too long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


def _with_cause(signed: Signed, cause: str) -> Signed:
    return Signed(signed.id, signed.folder, signed.statement, cause)


def fingerprint(title: str, card: tuple[Card, str] | None) -> str:
    """SHA-256 over an item's title and the source of its check: what a statement is about."""
    source = card[1] if card else ""
    return hashlib.sha256(f"{title}\n{source}".encode()).hexdigest()


def canonical(statement: Statement) -> bytes:
    """The bytes that are signed."""
    return msgspec.json.encode(statement, order="sorted") + b"\n"


def read_statement(folder: Path) -> Signed:
    """A statement as it lies there, unjudged.

    :raises GoliveError: it is none, or is not written as golive writes one; names the file.
    """
    path = folder / BODY
    if folder.is_symlink():
        raise GoliveError(f"{folder}: is a symbolic link; expected the statement's own folder")
    signature = signatures.signature_of(path)
    data = read(path, _MOST_BODY_BYTES, "a statement")
    with suppress(NotThere):  # it is not signed: a reason of its own
        read(signature, _MOST_SIGNATURE_BYTES, "the signature of a statement")
    try:
        raw = msgspec.json.decode(data)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if type(schema) is not int or not 1 <= schema <= SCHEMA:
            raise GoliveError(
                f"{path}: schema: found {schema!r:.40}; this golive reads up to {SCHEMA}:"
                " use the newer golive that wrote it"
            )
        statement = decode(data, Statement)
        for key, at in (("made_at", statement.made_at), ("expires_at", statement.expires_at)):
            if at.tzinfo is None or at.utcoffset():
                raise GoliveError(f"{path}: {key}: found {at.isoformat()}; expected it in UTC")
        if canonical(statement) != data:
            raise GoliveError(f"{path}: is not in canonical form, so it was altered")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError) as e:
        raise GoliveError(f"{path}: is damaged: {_shown(str(e))}") from None
    expected = identify(statement)
    if folder.name != expected:
        raise GoliveError(
            f"{folder}: holds the statement {_shown(expected)}; expected it under that name"
        )
    if len(statement.evidence) > _MOST_EVIDENCE:
        raise GoliveError(f"{path}: evidence: found {len(statement.evidence)}, over 100")
    for one in statement.evidence:
        cause = _no_evidence(one)
        if cause:
            raise GoliveError(f"{path}: evidence: {cause}")
    return Signed(folder.name, folder, statement)


def _no_evidence(one: Evidence) -> str:
    if one.url and not _URL.fullmatch(one.url):
        return f"found the address {_shown(one.url)[:60]!r}; expected one of http or https"
    if not one.sha256 and not one.url:
        return f"found {_shown(one.name)[:40]!r} without a digest or an address"
    if one.sha256 and not re.fullmatch(r"[0-9a-f]{64}", one.sha256):
        return f"found the digest {_shown(one.sha256)[:20]!r}; expected a SHA-256"
    if not _NAME.fullmatch(one.name):
        return f"found the name {_shown(one.name)[:40]!r}; expected letters, digits, . _ -"
    if not 0 <= one.bytes <= MOST_EVIDENCE_BYTES:
        return f"found {one.bytes} bytes; expected 64 MiB at most"
    return ""


def identify(statement: Statement) -> str:
    """The name of a statement's folder: time, item, person, and a piece of its digest."""
    body = hashlib.sha256(canonical(statement)).hexdigest()
    what = statement.item or statement.kind
    at = statement.made_at.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%SZ}-{what}-{statement.by}-{body[:12]}"


def keep(
    statement: Statement,
    files: Sequence[Path],
    key: Path,
    folder: Path,
    addresses: Mapping[Path, str] | None = None,
    signers: str = "",
) -> Signed:
    """Sign a statement and put it into the folder with its evidence, whole or not at all.

    :param files: the evidence, copied in; named after what the statement lists already, such as
        addresses.
    :param addresses: where files among them were fetched from.
    :param signers: allowed signers; a key that is not the person's among them leaves nothing.
    :raises GoliveError: it says nothing; a file is missing, too large or a link; the key cannot
        sign, or is not the person's; the folder cannot be written.
    """
    brought: dict[str, tuple[Path, Evidence]] = {}
    for file in files:
        one = evidence_of(file, (addresses or {}).get(file, ""))
        brought.setdefault(_stored(one), (file, one))
    named = [*statement.evidence, *(one for _, one in brought.values())]
    statement = msgspec.structs.replace(statement, evidence=named)
    sayable(statement)
    ident = identify(statement)
    draft = folder / f".{ident}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        make_folder(draft, new=True)
        try:
            write(draft / BODY, canonical(statement))
            for name, (file, evidence) in brought.items():
                make_folder(draft / EVIDENCE)
                write(draft / EVIDENCE / name, read(file, MOST_EVIDENCE_BYTES, "evidence"))
                if _sha256(draft / EVIDENCE / name) != evidence.sha256:
                    raise GoliveError(f"{file}: changed while it was copied; try again")
            signatures.sign(draft / BODY, key, signatures.STATEMENTS)
            if signers:
                found = signatures.verify(
                    draft / BODY, signers, statement.by, signatures.STATEMENTS, at=statement.made_at
                )
                if not found.valid:
                    raise GoliveError(
                        f"{key}: is no key of {statement.by} that counts today: {found.cause}"
                    )
            draft.replace(folder / ident)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as e:
        raise GoliveError(f"{folder}: cannot be written: {e.strerror}") from None
    return read_statement(folder / ident)


def sayable(statement: Statement) -> None:
    """Whether it is worth a signature.

    :raises GoliveError: it says nothing, or too much, or gives away a private key.
    """
    cause = _malformed(statement)
    if cause:
        raise GoliveError(f"{statement.item or statement.kind}: {cause}; expected words for it")
    for text in (statement.text, statement.risk):
        if len(text) > _MOST_TEXT:
            raise GoliveError(
                f"the statement has {len(text)} characters; expected {_MOST_TEXT} at most"
            )
    body = canonical(statement)
    if _PRIVATE.encode() in body:
        raise GoliveError("the statement holds a private key; expected none: it would be handed on")
    if len(body) > _MOST_BODY_BYTES:
        raise GoliveError(f"the statement has {len(body)} bytes; expected 1 MiB at most")
    if len(statement.evidence) > _MOST_EVIDENCE:
        raise GoliveError(
            f"--evidence: found {len(statement.evidence)}; expected {_MOST_EVIDENCE} at most"
        )
    for one in statement.evidence:
        cause = _no_evidence(one)
        if cause:
            raise GoliveError(f"--evidence: {cause}")


def evidence_of(path: Path, url: str = "") -> Evidence:
    """A file as evidence.

    :param url: where it was fetched from.
    :raises GoliveError: it is no ordinary file, larger than 64 MiB, or a private key.
    """
    if path.is_symlink():
        raise GoliveError(f"{path}: is a symbolic link; expected the file itself as evidence")
    if not path.is_file():
        what = "is no ordinary file" if path.exists() else "there is no such file"
        raise GoliveError(f"{path}: {what}; expected evidence")
    try:
        size = path.stat().st_size
        if size > MOST_EVIDENCE_BYTES:
            raise GoliveError(
                f"{path}: has {size / 2**20:,.0f} MiB; expected 64 MiB at most as evidence: attach"
                " an extract, or an address with --evidence URL"
            )
        with path.open("rb") as file:
            if _PRIVATE.encode() in file.readline(200):
                raise GoliveError(f"{path}: is a private key; expected evidence to hand on")
        digest = _sha256(path)
    except OSError as e:
        raise GoliveError(f"{path}: cannot be read: {e.strerror}") from None
    return Evidence(name=evidence_name(path.name), sha256=digest, bytes=size, url=url)


def evidence_name(name: str) -> str:
    """A file's name as a statement has it: without what a terminal or a page could trip over."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name.rsplit("/", 1)[-1])
    return (plain.lstrip("._ -") or "file")[:120]


def _stored(evidence: Evidence) -> str:
    return f"{evidence.sha256}-{evidence.name}"


def _sha256(path: Path) -> str:
    return digest_of(path, MOST_EVIDENCE_BYTES, "evidence")


def _altered_evidence(signed: Signed) -> str:
    folder = signed.folder / EVIDENCE
    named = {_stored(e): e for e in signed.statement.evidence if e.sha256}
    known = {BODY, signatures.signature_of(signed.folder / BODY).name, EVIDENCE}
    try:
        for path in sorted(signed.folder.iterdir()):
            if path.name not in known:
                return f"its folder holds {_shown(path.name)[:40]!r}, which is no part of it"
        if folder.is_symlink():
            return "its evidence is a symbolic link"
        there = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        for name in sorted(there - set(named)):
            return f"its folder holds {_shown(name)[:40]!r}, which it does not name"
        for name, evidence in named.items():
            path = folder / name
            if path.is_symlink() or not path.is_file():
                return f"its evidence {evidence.name} is not there"
            if path.stat().st_size != evidence.bytes or _sha256(path) != evidence.sha256:
                return f"its evidence {evidence.name} was altered"
    except OSError as e:
        return f"its evidence cannot be read: {e.strerror}"
    except GoliveError as e:
        return f"its evidence cannot be read: {e}"
    return ""


def _on_papers(signed: Signed, papers: Mapping[str, str]) -> Signed:
    if signed.cause:
        return signed
    for name, sha256 in papers.items():
        known = evidence_name(name)
        had = {e.sha256 for e in signed.statement.evidence if e.name == known}
        if not had:
            return _with_cause(signed, f"it does not name {name} as its evidence")
        if had != {sha256}:
            return _with_cause(signed, f"{name} has changed since")
    return signed


def _when(signed: Signed) -> str:
    return f"on {signed.statement.made_at:%Y-%m-%d at %H:%M} UTC"
