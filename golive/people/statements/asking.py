"""What people have said, as a whole: of an item, of the launch, of damaged records."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from golive.items import Card
from golive.people.statements.judging import Judge
from golive.people.statements.model import (
    Exemption,
    Kind,
    Signed,
    is_no_go,
    quoted,
    when,
)
from golive.people.statements.vouching import Vouched
from golive.people.statements.writing import evidence_name
from golive.verdicts import GoliveError


class Statements(Judge):
    """All statements in a folder, judged for one environment and candidate."""

    def here(self, now: datetime | None = None, *, past: bool = False) -> Statements:
        """Those of this environment, judged as at a moment; of others what takes away.

        :param past: without those that had not been made by then.
        """
        entitlement = replace(self.entitlement, now=now or self.entitlement.now)
        records = self.records
        if past:
            found = [s for s in records.found if not entitlement.is_ahead(s.statement)]
            records = replace(records, found=found)
        return Statements(
            self.folder, entitlement, records=records, own=True, lasting=self._lasting
        )

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """What lies in the folder and is no statement, by name, with what is wrong; without what
        two people have set aside."""
        return {n: why for n, why in self.records.broken.items() if not self._is_set_aside(n)}

    def disputed(self) -> dict[str, str]:
        """What lies in the folder and breaks the trust in the rest, by name, with why.

        That is whatever is no statement; of every environment each revocation and each no-go that
        does not verify; of this one any other statement whose signature, evidence or folder was
        altered. What was done again soundly is left out, and so is what two people have set aside.
        """
        with ThreadPoolExecutor(4) as pool:
            causes = list(pool.map(self._dispute, self.records.found))
        found = {s.id: why for s, why in zip(self.records.found, causes, strict=True) if why}
        lifted = [name for name in found if self._is_set_aside(name)]
        return self.unreadable | {n: why for n, why in found.items() if n not in lifted}

    def all_set_aside(self) -> list[Exemption]:
        """Every record that two people have set aside, whatever has become of it since."""
        pairs = dict.fromkeys(
            (str(s.statement.data.get("record")), str(s.statement.data.get("sha256")))
            for s in self._of("", "set-aside")
        )
        return [e for e in (self.set_aside(*pair) for pair in pairs) if e is not None]

    def place_of(self, record: str) -> Path | None:
        """Where a statement, or what else lies in the folder, lies; None: it is not there."""
        return self.records.places.get(record)

    def vouched(self, item: str, papers: Mapping[str, str] | None = None) -> Vouched:
        """What people have attested of an item.

        :param papers: SHA-256 of the papers that the item needs, by file name, as they lie there
            now; a statement that does not name just these does not hold.
        """
        line = self.entitlement.procedure.items[item]
        said = [s for s in self._attested(item, papers or {}) if not s.is_superseded]
        return Vouched(
            line,
            self.entitlement.cards.get(item, (Card(item),))[0],
            said,
            self.entitlement.roster,
            two_people=self.entitlement.launch.needs_two(item),
            unreadable={n: why for n, why in self.records.broken.items() if f"-{item}-" in n},
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
                cause = self.entitlement.not_two(item, kind, first, second)
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
        return {
            r: [s for s in said if s.statement.role == r] for r in self.entitlement.launch.approvers
        }

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
                f"{self.folder}: found {there} of the id {quoted(ident)!r}; expected one of those"
                " that `golive statements` lists"
            )
        return self.check(found[0])

    def everything(self) -> list[Signed]:
        """All of this environment, checked, newest first; ssh-keygen runs several at a time."""
        mine = [s for s in self.kept if self._is_mine(s)]
        asked = list(dict.fromkeys(s.statement.item for s in mine if s.statement.kind == "attest"))
        others = [s for s in mine if s.statement.kind != "attest"]
        with ThreadPoolExecutor(4) as pool:
            found = [s for said in pool.map(self._attested, asked) for s in said]
            found += pool.map(self.check, others)
        of_here = [s for s in found if self._is_mine(s)]
        return sorted(of_here, key=lambda s: (s.statement.made_at, s.id), reverse=True)

    def _attested(self, item: str, papers: Mapping[str, str] | None = None) -> list[Signed]:
        """What was stated of an item, newest first; of a person in a role only up to the newest
        that holds, since looking at signatures takes most of the time."""
        found: list[Signed] = []
        newer: dict[tuple[str, str], Signed] = {}
        for s in self._of(item, "attest"):
            who = s.statement.by, s.statement.role
            if who in newer:
                cause = f"{quoted(s.statement.by)} stated it again {when(newer[who])}"
                if is_no_go(newer[who].statement):
                    cause = f"{quoted(s.statement.by)} said no-go {when(newer[who])}"
                found.append(Signed(s.id, s.folder, s.statement, cause, is_superseded=True))
                continue
            checked = _on_papers(self.check(s), papers or {})
            found.append(checked)
            if checked.valid:
                newer[who] = checked
        return found

    def has(self, item: str, *kinds: Kind) -> bool:
        """Whether anything of these kinds was said of an item, whether it holds or not."""
        return any(s.statement.kind in kinds for s in self._by_item.get(item, []))


def _on_papers(signed: Signed, papers: Mapping[str, str]) -> Signed:
    if signed.cause:
        return signed
    for name, sha256 in papers.items():
        known = evidence_name(name)
        had = {e.sha256 for e in signed.statement.evidence if e.name == known}
        if not had:
            return replace(signed, cause=f"it does not name {name} as its evidence")
        if had != {sha256}:
            return replace(signed, cause=f"{name} has changed since")
    return signed
