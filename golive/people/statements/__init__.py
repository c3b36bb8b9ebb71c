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
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from golive.claims import Claim, holds, same_set
from golive.decoding import decode
from golive.files import NotThere, read, shown, write
from golive.files import folder as make_folder
from golive.files import sha256 as sha256_of
from golive.items import Card
from golive.launch import Launch
from golive.masking import clean, private_key
from golive.people import signatures
from golive.people.roster import Roster
from golive.procedure import Item, Procedure
from golive.verdicts import GoliveError, Pending

SCHEMA = 2
"""Since 2 a statement names the records before it and, where it decides, the readiness it saw."""
BODY, EVIDENCE = "statement.json", "evidence"
Kind = Literal["attest", "waive", "not-applicable", "approve", "revoke", "set-aside"]
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
FOR_GOOD = timedelta(days=36500)
"""For how long what takes something back holds, and what sets a damaged record aside."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLOCKS_DIFFER = timedelta(minutes=5)
"""By which a signer's clock may be ahead of this one's."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,119}")
_URL = re.compile(r"https?://[!#-;=?-~]{1,2000}")
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
        """Those that hold, newest first, whether they say go or no-go."""
        return [s for s in self.all if s.valid]

    @property
    def against(self) -> list[Signed]:
        """Every no-go that its author has not lifted, newest first."""
        return [s for s in self.valid if is_no_go(s.statement)]

    @property
    def chosen(self) -> dict[str, Signed]:
        """What counts of each role that has to state it and has spoken: see :meth:`choose`."""
        return self.choose(self.roles)

    def choose(self, roles: Iterable[str]) -> dict[str, Signed]:
        """What counts of each of these roles that has spoken, by role.

        That is a no-go wherever somebody who may has said so and not lifted it. Else it is the
        newest that holds, so that each role speaks through a person of its own where it can.
        """
        choices: dict[str, list[Signed]] = {}
        for role in roles:
            said = [s for s in self.valid if s.statement.role == role]
            noes = [s for s in said if is_no_go(s.statement)]
            by = {s.statement.by: s for s in reversed(said)}
            newest = sorted(by.values(), key=lambda s: s.statement.made_at, reverse=True)
            if said:
                choices[role] = noes[:1] or newest[:9]
        for chosen in itertools.product(*choices.values()):
            if len({s.statement.by for s in chosen}) == len(chosen):
                return dict(zip(choices, chosen, strict=True))
        return {role: said[0] for role, said in choices.items()}

    @property
    def counted(self) -> list[Signed]:
        """The statements that the item is judged by: those chosen, and a second person's where
        the item takes two and the roles have given one."""
        chosen = list({s.id: s for s in self.chosen.values()}.values())
        people = {s.statement.by for s in chosen}
        if self.two_people and len(people) == 1:
            others = (s for s in self.valid if s.statement.by not in people)
            chosen += [s for s in others if not is_no_go(s.statement)][:1]
        return chosen

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have to state it."""
        return self.card.by or ((self.item.owner_mark,) if self.item.owner_mark else ())

    def of(self, person: str) -> Signed | None:
        """The newest valid statement of a person; a no-go states nothing."""
        return next((s for s in self._for_it if s.statement.by == person), None)

    def in_role(self, role: str) -> Signed | None:
        """The newest valid statement made in a role; a no-go states nothing."""
        return next((s for s in self._for_it if s.statement.role == role), None)

    @property
    def _for_it(self) -> list[Signed]:
        return [s for s in self.valid if not is_no_go(s.statement)]

    def unopposed(self) -> Claim:
        """That nobody who may says no-go, as far as that person has not lifted it."""
        said = [
            f"{self.roster.people[s.statement.by].name} as {s.statement.role} {_when(s)}"
            for s in self.against
        ]
        return holds("people who said no-go", not said, ", ".join(said) or "nobody", "nobody")

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
        if self.against:
            said = self.against[0].statement
            raise Pending(
                f"{self.roster.people[said.by].name} said no-go as {said.role.replace('_', ' ')}"
                f" {_when(self.against[0])}: {_shown(said.text)}; only {said.by} lifts it"
                f" (`golive attest {self.item.id}`)"
            )
        if self.card.each:
            return []
        chosen = self.chosen
        missing = [r for r in self.roles if r not in chosen]
        if missing or not self.roles:
            raise Pending(self._lacking(missing or ["somebody"], lambda s: s.statement.role))
        people = list(dict.fromkeys(s.statement.by for s in self.counted))
        if self.two_people and len(people) < 2:
            raise Pending(
                f"{self.item.id} needs the signatures of two people; so far only"
                f" {self.roster.people[people[0]].name} has signed"
                f" (`golive attest {self.item.id}`)"
            )
        if len({s.statement.by for s in chosen.values()}) < len(chosen):
            raise Pending(
                f"{', '.join(sorted(people))} signed in several roles; each of"
                f" {', '.join(self.roles)} needs a person of its own"
                f" (`golive attest {self.item.id}`)"
            )
        return [_signed_claim(s.statement.role, s, self.roster) for s in self.counted]

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
    """A waiver, a not-applicable or a record set aside, which two people have signed."""

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

    @cached_property
    def kept(self) -> list[Signed]:
        """Every statement as it lies there, unjudged, newest first."""
        return self._found[0]

    def here(self, now: datetime | None = None, *, past: bool = False) -> Statements:
        """Those of this environment, judged as at a moment; of others what takes away.

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
        found, broken, places = self._found
        if past:
            found = [s for s in found if not view._is_ahead(s.statement)]
        mine = [s for s in found if s.statement.environment == self.environment]
        view.__dict__["_found"] = found, broken, places
        view.__dict__["kept"] = [
            s
            for s in found
            if s.statement.environment == self.environment or takes_away(s.statement)
        ]
        view.__dict__["_by_item"] = _by_item(mine)
        return view

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """What lies in the folder and is no statement, by name, with what is wrong; without what
        two people have set aside."""
        return {n: why for n, why in self._found[1].items() if not self._is_set_aside(n)}

    def disputed(self) -> dict[str, str]:
        """What lies in the folder and breaks the trust in the rest, by name, with why.

        That is whatever is no statement; of every environment each revocation and each no-go that
        does not verify; of this one any other statement whose signature, evidence or folder was
        altered. What was done again soundly is left out, and so is what two people have set aside.
        """
        with ThreadPoolExecutor(4) as pool:
            causes = list(pool.map(self._dispute, self._found[0]))
        found = {s.id: why for s, why in zip(self._found[0], causes, strict=True) if why}
        lifted = [name for name in found if self._is_set_aside(name)]
        return self.unreadable | {n: why for n, why in found.items() if n not in lifted}

    def set_aside(self, record: str, sha256: str) -> Exemption | None:
        """By whom a damaged or missing record was set aside, as it lies there now.

        :param record: name of the folder of a run or a statement, or what else lies there.
        :param sha256: its :func:`digest_of`.
        """
        said = [
            self.check(s)
            for s in self._of("", "set-aside")
            if (s.statement.data.get("record"), s.statement.data.get("sha256")) == (record, sha256)
        ]
        firsts = {s.sha256: s for s in said if not s.statement.about}
        for second in said:
            first = firsts.get(second.statement.about)
            if first is not None and not self.not_aside(first, second):
                return Exemption("set-aside", first, second)
        return None

    def all_set_aside(self) -> list[Exemption]:
        """Every record that two people have set aside, whatever has become of it since."""
        pairs = dict.fromkeys(
            (str(s.statement.data.get("record")), str(s.statement.data.get("sha256")))
            for s in self._of("", "set-aside")
        )
        return [e for e in (self.set_aside(*pair) for pair in pairs) if e is not None]

    def not_aside(self, first: Signed, second: Signed) -> str:
        """Why two statements do not set a record aside; empty where they do."""
        a, b = first.statement, second.statement
        for one in (first, second):
            if one.cause:
                return f"{one.id}: {one.cause}"
        if a.by == b.by:
            return f"{second.id}: {a.by} signed twice; a second person has to"
        if (a.text, a.data) != (b.text, b.data) or b.about != first.sha256:
            return f"{second.id}: it says something else than the one it seconds"
        return self.not_both_aside(a.role, b.role)

    def not_both_aside(self, one: str, other: str) -> str:
        """Why two roles do not set a record aside: one that decides, and another that decides or
        signs second."""
        deciding, all_ = self.launch.approvers, self.may_set_aside
        if one == other:
            return f"both signed as {one}; the second person signs in another role"
        if not {one, other} & set(deciding) or not {one, other} <= set(all_):
            return (
                f"{one} and {other} do not do: one of {', '.join(deciding)} has to sign, and"
                f" another of {', '.join(all_)}"
            )
        return ""

    @property
    def may_set_aside(self) -> list[str]:
        """The roles in which somebody may sign that a record is set aside."""
        return list(dict.fromkeys([*self.launch.approvers, *self.launch.second_signers]))

    def place_of(self, record: str) -> Path | None:
        """Where a statement, or what else lies in the folder, lies; None: it is not there."""
        return self._found[2].get(record)

    @cached_property
    def _found(self) -> tuple[list[Signed], dict[str, str], dict[str, Path]]:
        """Every statement as it lies there, unjudged, newest first; what is none, with why; and
        where all of it lies, by name."""
        found: list[Signed] = []
        broken: dict[str, str] = {}
        places: dict[str, Path] = {}
        try:
            there = sorted(self.folder.iterdir()) if os.path.lexists(self.folder) else []
        except OSError as e:
            broken[self.folder.name] = f"{self.folder}: cannot be read: {e.strerror}"
            there = []
        for folder in there:
            name = folder.name.encode(errors="backslashreplace").decode()
            places[name] = folder
            try:
                found.append(read_statement(folder))
            except GoliveError as e:
                broken[shown(name)] = str(e)
        found.sort(key=_order, reverse=True)
        return found, broken, places

    @cached_property
    def _by_item(self) -> dict[str, list[Signed]]:
        return _by_item(self.kept)

    @cached_property
    def _by_digest(self) -> dict[str, Signed]:
        return {s.sha256: s for s in self._found[0]}

    @cached_property
    def _acts(self) -> dict[tuple[str, ...], list[Signed]]:
        """The statements that say the same of the same, newest first."""
        out: dict[tuple[str, ...], list[Signed]] = {}
        for s in self._found[0]:
            out.setdefault(_act(s.statement), []).append(s)
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
            s.statement.item for s in self.kept if s.statement.kind in ("waive", "not-applicable")
        }
        return sorted(i for i in said if i and self.exemption(i)[0] is not None)

    def decisions(self) -> list[Signed]:
        """Approvals and refusals of the launch, newest first."""
        return [self.check(s) for s in self._of("", "approve")]

    def votes(self) -> dict[str, list[Signed]]:
        """What each role that decides on the launch says now: of everybody entitled the newest
        decision in that role that stands, newest first; empty where nobody has decided.

        A role says go where there is a go among them and no no-go: a no-go stands until the one
        who said it lifts it, whoever else says go. Somebody in two roles decides for each of them
        by a signature of its own.
        """
        said = [s for s in self.decisions() if s.valid]
        return {r: [s for s in said if s.statement.role == r] for r in self.launch.approvers}

    def find(self, ident: str) -> Signed:
        """A statement by its id, or by what its id begins with, checked.

        :raises GoliveError: there is none, or more than one.
        """
        found = [s for s in self.kept if s.id == ident] or [
            s for s in self.kept if ident and s.id.startswith(ident)
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
        mine = [s for s in self.kept if s.statement.environment == self.environment]
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
                if is_no_go(newer[who].statement):
                    cause = f"{_shown(s.statement.by)} said no-go {_when(newer[who])}"
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
            return self._unsound(signed)
        if is_no_go(s):  # it never runs out, whatever becomes of its author's roles or the check
            return (
                self._about_another(s)
                or self._unsound(signed)
                or self.revoked(signed)
                or self._decided_anew(signed)
            )
        return (
            _malformed(s)
            or self._about_another(s)
            or self._out_of_time(s)
            or self._not_entitled(s)
            or self._altered(signed)
            or self._badly_signed(signed)
            or self.revoked(signed)
            or self._in_doubt(signed)
            or self._decided_anew(signed)
        )

    def _unsound(self, signed: Signed) -> str:
        """Why it is not what somebody who may has said, whatever the time is."""
        return (
            _malformed(signed.statement)
            or self._not_entitled(signed.statement)
            or self._altered(signed)
            or self._badly_signed(signed)
        )

    def _dispute(self, signed: Signed) -> str:
        """Why it breaks the trust in the rest; empty where it does not."""
        s = signed.statement
        if self._again(signed) is not None:
            return ""
        if takes_away(s):
            cause = self._unsound(signed)
        elif s.environment != self.environment or s.by not in self.roster.people:
            return ""  # it counts for nothing here
        else:
            cause = self._altered(signed) or self._badly_signed(signed)
        if not cause:
            return ""
        return (
            f"{cause}; next: {_shown(s.by)} does it again, or two people set it aside (`golive"
            f" set-aside {signed.id}`)"
        )

    def _again(self, signed: Signed, candidate: str = "") -> Signed | None:
        """Where the same person has done the same since, soundly; a revocation, whoever may.

        What lifts a no-go has not been taken back itself.

        :param candidate: only of this one.
        """
        mine = signed.statement
        for s in self._acts[_act(mine)]:
            said = s.statement
            if _order(s) <= _order(signed):
                return None
            if candidate not in ("", said.candidate) or self._unsound(s):
                continue
            if not takes_away(said) and self._is_ahead(said):
                continue
            lifts = is_no_go(mine) and not is_no_go(said)
            if not lifts or not (self.revoked(s) or self._in_doubt(s)):
                return s
        return None

    def _is_set_aside(self, name: str) -> bool:
        named = (s.statement.data.get("record") for s in self._of("", "set-aside"))
        place = self.place_of(name)
        if name not in named or place is None:
            return False
        return self.set_aside(name, digest_of(place)) is not None

    def _about_another(self, s: Statement) -> str:
        if (s.environment, s.environment_kind) != (self.environment, self.environment_kind):
            return (
                f"it is about {_shown(s.environment)} ({_shown(s.environment_kind)}), not"
                f" {self.environment} ({self.environment_kind})"
            )
        if s.candidate != self.launch.candidate and s.kind != "set-aside":
            return f"it is about {_shown(s.candidate)}, not {self.launch.candidate}"
        if s.item:
            line = self.procedure.items.get(s.item)
            if line is None:
                return f"the procedure has no item {_shown(s.item)}"
            mark = fingerprint(line.title, self.cards.get(s.item))
            if (s.title, s.fingerprint) != (line.title, mark) and not is_no_go(s):
                return "the item or its check has changed since"
        return ""

    def _is_ahead(self, s: Statement) -> bool:
        return s.made_at > self.now + _CLOCKS_DIFFER

    def _out_of_time(self, s: Statement) -> str:
        if self._is_ahead(s):
            return f"it is dated {s.made_at:%Y-%m-%d %H:%M} UTC, which has not come"
        ends = self.ends(s)
        if self.now >= ends:
            return f"it expired on {ends:%Y-%m-%d %H:%M} UTC"
        return ""

    def _of_nobody(self, s: Statement) -> str:
        """Why its author cannot be told; empty where it is somebody of the roster, in a role.

        What takes away stands by the roles of its own day.
        """
        if s.by not in self.roster.people:
            return f"{_shown(s.by)} is not on the roster"
        if s.by in self.roster.shared_keys:
            others = [p for p in self.roster.shared_keys[s.by] if p != s.by]
            return f"{s.by} and {', '.join(others)} have the same key"
        if s.role not in self.roster.roles_of(s.by, s.made_at.date() if takes_away(s) else None):
            return f"{s.by} neither holds nor backs up the role {_shown(s.role)}"
        return ""

    def _not_entitled(self, s: Statement) -> str:
        cause = self._of_nobody(s)
        if cause:
            return cause
        known = s.item in self.procedure.items
        if s.kind == "attest" and known and not self.is_asked_of_each(s.item):
            allowed = self.may_attest(s.item)
            if s.role not in allowed:
                return f"the role {s.role} may not state it; {', '.join(allowed)} may"
        if s.kind == "approve" and s.role not in self.launch.approvers:
            return f"the role {s.role} does not decide on the launch"
        if s.kind == "set-aside" and s.role not in self.may_set_aside:
            return f"the role {s.role} may not set a record aside"
        target = self._by_digest.get(s.about)
        if s.kind == "revoke" and target is not None and not self.may_revoke(s, target):
            return f"{s.by} may not take {target.id} back"
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
        for s in self._found[0]:
            if s.statement.kind == "revoke":
                out.setdefault(s.statement.about, []).append(s)
        return out

    def revoked(self, signed: Signed) -> str:
        """Who took it back, and why; empty where nobody has."""
        if not self._revocations:
            return ""
        for s in self._revocations.get(signed.sha256, []):
            if not self._unsound(s):
                return f"{s.statement.by} revoked it: {_shown(s.statement.text)}"
        return ""

    def _in_doubt(self, signed: Signed) -> str:
        """Whether a revocation of it does not verify, which takes it back all the same. Not so
        what sets records aside: while such a revocation lies there, nothing is GO anyway."""
        if not self._revocations or signed.statement.kind == "set-aside":
            return ""
        for s in self._revocations.get(signed.sha256, []):
            cause = self._unsound(s)
            if cause and not self._is_set_aside(s.id):
                return f"a revocation of it does not verify ({s.id}): {cause}"
        return ""

    def may_revoke(self, revocation: Statement, signed: Signed) -> bool:
        """Whether it is one's own, one's item, or one's right as a second signer or approver.

        A no-go is taken back by nobody but the one who said it.
        """
        if revocation.by == signed.statement.by or is_no_go(signed.statement):
            return revocation.by == signed.statement.by
        line = self.procedure.items.get(signed.statement.item)
        return revocation.role in (
            *([line.owner_mark] if line and line.owner_mark else []),
            *self.launch.second_signers,
            *self.launch.approvers,
        )

    def _decided_anew(self, signed: Signed) -> str:
        """A decision or a vote counts until the same person decides again in that role, for good.

        A no-go is lifted by what holds for good; a go ends with any no-go after it, even with one
        that does not verify.
        """
        mine = signed.statement
        if is_no_go(mine):
            anew = self._again(signed, mine.candidate)
            return "" if anew is None else f"{mine.by} decided anew {_when(anew)}"
        if mine.kind not in ("approve", "attest"):
            return ""
        for s in self._acts[_act(mine)]:
            said = s.statement
            if _order(s) <= _order(signed):
                break
            if not is_no_go(said) and (mine.kind == "attest" or self._is_ahead(said)):
                continue
            cause = self._unsound(s)
            if not cause and said.candidate == mine.candidate:
                return f"{mine.by} decided anew {_when(s)}"
            if cause and is_no_go(said) and not self._is_set_aside(s.id):
                return f"a no-go of {mine.by} after it does not verify ({s.id}): {cause}"
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
        made = min(made_at, self.now + _CLOCKS_DIFFER)
        if kind in ("revoke", "set-aside"):
            return made + FOR_GOOD
        return made + self.launch.validity(item or kind)

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


def is_no_go(s: Statement) -> bool:
    """Whether it says no: a decision against the launch, or a vote against what an item asks."""
    if s.kind == "approve":
        return s.data.get("decision") != "go"
    against = s.data.get("vote", "go") != "go" or s.data.get("decision") == "no-go"
    return s.kind == "attest" and against


def takes_away(s: Statement) -> bool:
    """Whether GO can only be less with it: a revocation or a no-go."""
    return s.kind == "revoke" or is_no_go(s)


def _order(signed: Signed) -> tuple[datetime, bool, str]:
    """Of what was said in the same second, what takes away is said last."""
    return signed.statement.made_at, takes_away(signed.statement), signed.id


def _act(s: Statement) -> tuple[str, ...]:
    """What is the same for statements of which a newer one takes an older one's place."""
    if s.kind == "revoke":
        return s.kind, s.about
    mine = (s.kind, s.environment, s.by, s.role, s.item)
    if s.kind in ("approve", "attest"):
        return mine
    return *mine, s.about, str(s.data.get("record", ""))


def _by_item(statements: Iterable[Signed]) -> dict[str, list[Signed]]:
    out: dict[str, list[Signed]] = {}
    for s in statements:
        out.setdefault(s.statement.item, []).append(s)
    return out


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


UNREADABLE = "unreadable"
"""In place of a digest: nobody can have seen it."""


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
                what = _sha256(path)
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
    if key := reserved_key(statement.data):
        raise GoliveError(f"{path}: data: found the key {key!r}, which a statement has itself")
    return Signed(folder.name, folder, statement)


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
    try:
        make_folder(folder)
        draft = drafts(folder)
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


def drafts(folder: Path) -> Path:
    """A new folder for what is not whole yet, beside another one: within it, it would be an entry
    that nobody has signed.

    :raises OSError: it cannot be made.
    """
    place = folder.resolve()
    return Path(tempfile.mkdtemp(prefix=f".{place.name}-drafts-", dir=place.parent))


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
    if key := reserved_key(statement.data):
        raise GoliveError(
            f"--data: found the key {key!r}, which a statement has itself; expected another name"
        )
    body = canonical(statement)
    if private_key(body):
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
    :raises GoliveError: it is no ordinary file, larger than 64 MiB, or holds a private key.
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
        if private_key(path.read_bytes()):
            raise GoliveError(f"{path}: holds a private key; expected evidence to hand on")
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
    return sha256_of(path, MOST_EVIDENCE_BYTES, "evidence")


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
