"""Makes and finds the documents of one environment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from golive import readiness
from golive.answer import STALE, UNWRITTEN
from golive.claims import Claim, none_of
from golive.context import Context
from golive.deliverables.basis import GREEN, Basis
from golive.deliverables.contents import Write, overview_of, title
from golive.deliverables.document import (
    NOBODY_LOOKED,
    NOBODY_WROTE,
    NOT_GREEN,
    Deliverable,
    signature_place,
)
from golive.ledger import Line
from golive.masking import Mask
from golive.people import signatures
from golive.people.signatures import Signature
from golive.people.statements import Vouched
from golive.reports import overview
from golive.reports.documents import (
    Document,
    Signer,
    read_document,
    settled,
    write_document,
)
from golive.reports.overview import Standing
from golive.verdicts import GoliveError, Pending, ProbeError, Verdict

_RUNS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Deliverables:
    """Makes and finds the documents of one environment."""

    context: Context
    fingerprint: str
    """Of the environment."""
    mask: Mask

    def of(
        self,
        item: str,
        kind: str,
        rests_on: tuple[str, ...],
        write: Write = overview_of,
        *,
        signers: tuple[str, ...] | None = None,
        whole: bool = True,
    ) -> Deliverable:
        """The document of an item: the one on disk while nothing newer was found, else a new one.

        A signed document that was altered is never written over: it stays for all to see.

        :param kind: the document's file name, without its ending.
        :param rests_on: ids of items, or what ids begin with.
        :param signers: marks of the roles that sign; default: the item's owner alone. The first
            one's signature lies beside the document as ssh-keygen names it.
        :param whole: whether it says anything only once there is a verdict of everything.
        :raises Pending: nobody has looked yet at anything that it rests on.
        """
        basis = self._basis(item, rests_on)
        line = self.context.procedure.items[item]
        content = write(basis)
        who = self._signers((line.owner_mark,) if signers is None else signers)
        issues = overview.open_issues(basis.standings, self._due, _why, _plan)
        reloaded = settled(
            Document(
                kind=kind,
                item=item,
                title=line.title,
                signers=who,
                environment=self.context.environment.name,
                environment_kind=self.context.environment.kind,
                fingerprint=self.fingerprint,
                candidate=self.context.launch.candidate,
                subject=content.subject,
                subject_kind=content.subject_kind,
                made_at=basis.made_at,
                summary=content.summary,
                verdicts=basis.rows(),
                figures=content.figures,
                tables=content.tables,
                inputs=basis.inputs() | dict(content.inputs),
                open=issues,
                history=basis.history(),
            )
        )
        path = self.context.documents / f"{kind}.html"
        signatures = self._signatures(path, who)
        altered = any(s.exists and not s.valid for s in signatures)
        signed = any(s.exists for s in signatures)
        if not altered and not (signed and _same_basis(path, reloaded)):
            for old in path.parent.glob(f"{path.name}*.sig"):
                old.unlink()  # of those, too, who sign it no more: they may sign it again
            latest = reloaded.history[-_RUNS_SHOWN:]
            write_document(msgspec.structs.replace(reloaded, history=latest), path)
        if not altered and (basis.is_whole or not whole):
            self._rehearse_signing(path, who)
            signatures = self._signatures(path, who)
        return Deliverable(path, basis, read_document(path), reloaded, signatures, self.mask)

    def digest(self, name: str) -> str:
        """SHA-256 of a document as it lies there.

        :raises Pending: it is not there.
        """
        path = self.context.documents / name
        if not path.is_file():
            raise Pending(f"{path} is not there; run the item that makes it, then this")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def made_at(self, name: str) -> datetime:
        """When a document was made as it lies there, by the second.

        :raises Pending: it is not there.
        """
        path = self.context.documents / name
        if not path.is_file():
            raise Pending(f"{path} is not there; run the item that makes it, then this")
        return read_document(path).made_at.replace(microsecond=0)

    def resting(
        self,
        item: str,
        rests_on: tuple[str, ...],
        *,
        max_age_h: float | None = None,
        before: Vouched | None = None,
    ) -> Iterator[Claim]:
        """What an item without a document needs of others: each was looked at, holds, is fresh.

        :param max_age_h: of their verdicts; default: as long as launch.toml lets each count.
        :param before: statements that have to be later than every verdict.
        :raises ProbeError: none is red, but some could not be looked at.
        :raises Pending: nobody has looked at any of them yet, or people still have to state some.
        """
        basis = self._basis(item, rests_on)
        among, now = len(basis.rests_on), datetime.now(UTC)
        yield none_of(NOBODY_WROTE, basis.unwritten, among=among, of="items")
        yield none_of(NOBODY_LOOKED, basis.not_looked_at, among=among, of="items")
        states = {i: basis.state(i) for i in basis.findings}
        open_ = [i for i, state in states.items() if state not in GREEN]
        red = [f"{i} {states[i].value}" for i in open_]
        if red and Verdict.FAIL not in states.values():
            _wait(f"all that {item} rests on", states, red)
        yield none_of(NOT_GREEN, red, among=among, of="verdicts", ids=open_)
        stale = []
        for ident, finding in basis.findings.items():
            line = self.context.procedure.items[ident]
            own = self.context.launch.freshness(ident, line.way).total_seconds() / 3600
            if finding.age_h(now) > (own if max_age_h is None else max_age_h):
                stale.append(ident)
        yield none_of("verdicts too old to count", stale, among=among, of="verdicts")
        if before is not None and basis.findings:
            last = max(f.verdict.started_at for f in basis.findings.values())
            early = [s.statement.by for s in before.counted if s.statement.made_at < last]
            yield none_of(
                "statements made before the last verdict",
                early,
                among=len(before.counted),
                of="statements",
                may_be_empty=True,  # they are waited for
            )

    def _basis(self, item: str, rests_on: tuple[str, ...]) -> Basis:
        expanded = tuple(
            dict.fromkeys(
                i.id for p in rests_on for i in self.context.procedure.under(p) if i.id != item
            )
        )
        unwritten = tuple(i for i in expanded if i not in self.context.cards)
        found = readiness.newest(self.context, expanded)
        if not found and not unwritten:
            raise Pending(
                f"nobody has looked yet at {', '.join(rests_on)}: run them first, then this"
            )
        return Basis(
            item,
            expanded,
            {i: found[i] for i in expanded if i in found},
            unwritten,
            {i: e for i in expanded if (e := self.context.statements.exemption(i)[0]) is not None},
            self.context,
            datetime.now(UTC),
        )

    def _signers(self, roles: tuple[str, ...]) -> list[Signer]:
        return [Signer(role=r, title=title(self.context, r)) for r in roles]

    def _due(self, line: Line) -> Any:
        return self.context.launch.due(self.context.procedure.items[line.id].due_day)

    def _signatures(self, path: Path, signers: list[Signer]) -> tuple[Signature, ...]:
        return tuple(
            self._signature(path, signer.role, signature_place(path, n, signer))
            for n, signer in enumerate(signers)
        )

    def _signature(self, path: Path, role: str, place: Path) -> Signature:
        return self.context.roster.signature(path, role, signature=place)

    def _rehearse_signing(self, path: Path, signers: list[Signer]) -> None:
        """In a rehearsal, whose keys are throw-away ones, a role's holder signs by itself."""
        if self.context.keys is None:
            return
        for n, signer in enumerate(signers):
            place = signature_place(path, n, signer)
            keys = [self.context.keys / p.id for p in self.context.roster.holders(signer.role)]
            there = [key for key in keys if key.is_file()]
            if there and not place.is_file():
                signatures.sign(path, there[0], place=place)


def _wait(subject: str, states: Mapping[str, Verdict], red: list[str]) -> None:
    """What is not green, and not red either, is still to come."""
    unknown = [i for i, state in states.items() if state is Verdict.UNKNOWN]
    if unknown:
        raise ProbeError(
            subject,
            f"{', '.join(unknown)} could not be looked at",
            "make that reachable, run those again, then this",
        )
    raise Pending(f"{subject} is still to come: {', '.join(red)}")


def _why(standing: Standing) -> str:
    if standing.verdict is not None:
        stale = standing.state == STALE
        return standing.verdict.message or ("looked at too long ago" if stale else "no reason")
    written = standing.state != UNWRITTEN
    return "nobody has looked at it yet" if written else "nobody has written its check yet"


def _plan(standing: Standing) -> str:
    if standing.state == UNWRITTEN:
        return "Write its check."
    if standing.verdict is None or standing.state == STALE:
        return f"Run `pytest --item {standing.line.id}`."
    return standing.verdict.remedy


def _same_basis(path: Path, reloaded: Document) -> bool:
    """Whether the signed document is about the newest runs and statements: else it is out of
    date, not wrong."""
    try:
        return read_document(path).inputs == reloaded.inputs
    except GoliveError:
        return True  # signed, but no document of ours: to be judged, not to be replaced
