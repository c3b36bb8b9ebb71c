"""What a document is made from: the newest verdicts, and what people have stated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from golive import readiness
from golive.answer import MISSING, STALE, UNWRITTEN
from golive.context import Context
from golive.items import parameters_of
from golive.launch import Launch
from golive.ledger import ItemVerdict
from golive.people.statements import Exemption, Signed
from golive.readiness import Finding, as_line
from golive.reports.documents import (
    Look,
    VerdictRow,
)
from golive.reports.overview import Standing
from golive.verdicts import Pending, Verdict

GREEN = frozenset({Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class Basis:
    """What a document is made from. ``findings`` lacks items that nobody has looked at."""

    item: str
    rests_on: tuple[str, ...]
    findings: dict[str, Finding] = field(repr=False)  # assertions show what they compare
    unwritten: tuple[str, ...]
    """Those of ``rests_on`` that no check exists for."""
    exempt: dict[str, Exemption] = field(repr=False)
    """Those that are waived or not applicable."""
    context: Context = field(repr=False)
    made_at: datetime

    @property
    def launch(self) -> Launch:
        """What launch.toml says."""
        return self.context.launch

    @property
    def environment(self) -> str:
        """The name of the environment."""
        return self.context.environment.name

    def baseline(self, probe: str) -> dict[str, Any]:
        """What that probe found in the first run on record, with the run's id as ``run``."""
        run = readiness.oldest_facts(self.context.reports, self.environment, probe)
        return {} if run is None else {probe: run.facts[probe].value, "run": run.head.id}

    def item_of(self, probe: str) -> str:
        """Which of ``rests_on`` takes that probe; empty if none does."""
        taking = (i for i in self.rests_on if i in self.context.cards)
        sources = ((i, self.context.cards[i][1]) for i in taking)
        return next((i for i, source in sources if probe in parameters_of(source)), "")

    @property
    def not_looked_at(self) -> list[str]:
        """Written, but without any verdict."""
        return [i for i in self.rests_on if i not in self.findings and i not in self.unwritten]

    @property
    def is_whole(self) -> bool:
        """Whether there is a verdict of everything."""
        return len(self.findings) == len(self.rests_on) and not self.unwritten

    @property
    def facts(self) -> dict[str, Any]:
        """What the probes of all verdicts found, by probe."""
        return {n: v for f in self.findings.values() for n, v in f.facts.items()}

    def state(self, ident: str) -> Verdict:
        """The verdict of an item that was looked at, or what people have made of it."""
        verdict = self.findings[ident].verdict.verdict
        exemption = self.exempt.get(ident)
        if exemption is None or verdict is Verdict.PASS:
            return verdict
        return Verdict.WAIVED if exemption.kind == "waive" else Verdict.NOT_APPLICABLE

    @property
    def stale(self) -> list[str]:
        """Green, but looked at longer ago than launch.toml lets it count."""
        return [
            i
            for i, finding in self.findings.items()
            if self.state(i) in GREEN and finding.age_h(self.made_at) > self.fresh_h(i)
        ]

    def fresh_h(self, ident: str) -> float:
        """Hours for which launch.toml lets a verdict of the item count."""
        way = self.context.procedure.items[ident].way
        return self.launch.freshness(ident, way).total_seconds() / 3600

    @property
    def standings(self) -> list[Standing]:
        """Every item it rests on as it stands."""
        out, stale = [], set(self.stale)
        for ident in self.rests_on:
            finding = self.findings.get(ident)
            if ident in self.unwritten:
                state = UNWRITTEN
            elif finding is None:
                state = MISSING
            else:
                state = STALE if ident in stale else str(self.state(ident))
            line = finding.line if finding else as_line(self.context.procedure.items[ident])
            out.append(Standing(line, state, finding.verdict if finding else None))
        return out

    def rows(self) -> list[VerdictRow]:
        """The verdicts as a document shows them: the broken claim first, else the first one."""
        out = []
        for ident, finding in self.findings.items():
            claims = sorted(finding.verdict.claims, key=lambda c: c.holds)
            out.append(
                VerdictRow(
                    id=ident,
                    title=finding.line.title,
                    verdict=self.state(ident),
                    value=f"{claims[0].subject}: {claims[0].observed}" if claims else "",
                    target=claims[0].required if claims else "",
                    looked_at=finding.verdict.started_at,
                    run=finding.run.head.id,
                    digest=digest_of(finding.verdict),
                )
            )
        return out

    def stated(self, ident: str) -> list[Signed]:
        """The statements that hold on an item and its papers as they lie there, newest first."""
        if self.context.procedure.items[ident].way != "attested" or ident in self.unwritten:
            return []
        try:
            return self.context.vouched(ident).valid
        except Pending:  # a paper is not there, so nothing is stated of it
            return []

    def lapsed(self, ident: str) -> str:
        """Why what people stated of an item does not hold any more; empty while it does."""
        if self.context.procedure.items[ident].way != "attested" or ident in self.exempt:
            return ""
        try:
            said = self.context.vouched(ident)
            said.claims()
        except Pending as e:
            return str(e)
        return "" if said.valid else "no statement holds"

    def inputs(self) -> dict[str, str]:
        """The runs and statements that all of it comes from, by item."""
        found = {i: f.run.head.id for i, f in self.findings.items()}
        found |= {f"{i}, exempt": e.first.id for i, e in self.exempt.items()}
        found |= dict.fromkeys((f"{i}, too old" for i in self.stale), "yes")
        for ident in self.rests_on:
            if said := self.stated(ident):
                found[f"{ident}, stated"] = ", ".join(sorted(s.id for s in said))
        return found

    def history(self) -> list[Look]:
        """What each run found, oldest first."""
        found = readiness.looks(self.context.reports, self.environment, self.rests_on)
        return [Look(run=x.run, at=x.at, verdicts=x.verdicts) for x in found]


def digest_of(verdict: ItemVerdict) -> str:
    """SHA-256 of a verdict as the ledger has it."""
    return hashlib.sha256(msgspec.json.encode(verdict, order="sorted")).hexdigest()
