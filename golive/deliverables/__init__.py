"""Deliverables of a day: made from the newest verdicts, signed by their owners, checked here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from golive import readiness
from golive.answer import MISSING, STALE, UNWRITTEN
from golive.claims import Claim, at_most, each_at_most, equal, holds, none_of, same_set
from golive.context import Context
from golive.files import read as read_file
from golive.files import sha256
from golive.launch import Launch
from golive.ledger import ItemVerdict, Line
from golive.masking import Mask
from golive.people import signatures
from golive.people.signatures import Signature
from golive.people.statements import Exemption, Signed, Vouched
from golive.readiness import Finding, as_line
from golive.reports import overview, pages
from golive.reports.documents import (
    MOST_BYTES,
    NOT_MEASURED,
    Content,
    Document,
    Figure,
    Look,
    Signer,
    Table,
    VerdictRow,
    differences,
    figures_in,
    page,
    read_document,
    settled,
    write_document,
)
from golive.reports.overview import Standing
from golive.verdicts import GoliveError, Pending, ProbeError, Verdict

Write = Callable[["Basis"], Content]
"""What a document says, from what it is made from."""

NOBODY_WROTE = "items it rests on that nobody has written yet"
NOT_GREEN = "verdicts that are not green"
NOT_JUDGED = "what it asks for that no check judges yet"
FILES = "Documents"
NOBODY_LOOKED = "items it rests on that nobody has looked at yet"
_GREEN = frozenset({Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE})
_RUNS_SHOWN = 30
_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Basis:
    """What a document is made from. ``findings`` lacks items that nobody has looked at."""

    item: str
    rests_on: tuple[str, ...]
    findings: dict[str, Finding]
    unwritten: tuple[str, ...]
    """Those of ``rests_on`` that no check exists for."""
    exempt: dict[str, Exemption]
    """Those that are waived or not applicable."""
    context: Context
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
            if self.state(i) in _GREEN and finding.age_h(self.made_at) > self.fresh_h(i)
        ]

    def fresh_h(self, ident: str) -> float:
        """Hours for which launch.toml lets a verdict of the item count."""
        way = self.context.procedure.items[ident].way
        return self.launch.freshness(ident, way).total_seconds() / 3600

    @property
    def standings(self) -> list[Standing]:
        """Every item it rests on as it stands."""
        out = []
        for ident in self.rests_on:
            finding = self.findings.get(ident)
            if ident in self.unwritten:
                state = UNWRITTEN
            elif finding is None:
                state = MISSING
            else:
                state = STALE if ident in self.stale else str(self.state(ident))
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


def overview_of(basis: Basis) -> Content:
    """Every claim of every item, facts at a glance, counts, and what people have stated: says
    what there is to say where nothing more particular is asked for."""
    content = overview.overview(basis.standings, basis.facts)
    return replace(content, tables=[*content.tables, *_stated(basis), *_waived(basis)])


def with_tables(
    *tables: Table,
    figures: Iterable[Figure] = (),
    inputs: Mapping[str, str] | None = None,
) -> Write:
    """The overview with more below it.

    :param inputs: digests of what the rest comes from, by name.
    """

    def write(basis: Basis) -> Content:
        content = overview_of(basis)
        return replace(
            content,
            figures=[*content.figures, *figures],
            tables=[*content.tables, *tables],
            inputs=inputs or {},
        )

    return write


def _stated(basis: Basis) -> list[Table]:
    """The statements that hold on the items, with the digests of their evidence."""
    rows: list[list[str | float]] = []
    for ident in basis.rests_on:
        for s in basis.stated(ident):
            said = s.statement
            named = ", ".join(f"{e.name} {e.sha256[:12]}".strip() for e in said.evidence)
            rows.append(
                [
                    s.id,
                    ident,
                    said.by,
                    _title(basis.context, said.role),
                    pages.moment(said.made_at),
                    named,
                ]
            )
    columns = ["statement", "item", "by", "in the role", "on", "evidence"]
    return [Table(title="What people have stated", columns=columns, rows=rows)] if rows else []


def tally_of(basis: Basis) -> Content:
    """Counts by state, day and area, what is waived, and which suite looked: for documents over
    more items than one reads."""
    content = overview.tally(basis.standings)
    suites = sorted({f.run.head.suite.commit[:12] or "unknown" for f in basis.findings.values()})
    told = Figure(name="suite", value=", ".join(suites) or "none")
    return replace(
        content,
        figures=[*content.figures, told],
        tables=[*content.tables, *_waived(basis)],
    )


def manifest_of(basis: Basis) -> Content:
    """The documents made for the items, each with its digest: once one is another, this one is
    out of date. And what people have stated, with the digests of their evidence."""
    found = documents_of(basis.context)
    rows: list[list[str | float]] = [
        [i, found[i].name, sha256(found[i], MOST_BYTES, "a document")]
        for i in basis.rests_on
        if i in found
    ]
    content = tally_of(basis)
    return replace(
        content,
        tables=[
            *content.tables,
            *_stated(basis),
            Table(title=FILES, columns=["item", "file", "SHA-256"], rows=rows),
        ],
        inputs={f"{row[0]}, file": str(row[2]) for row in rows},
    )


def _bytes(path: Path) -> bytes:
    """A document's page."""
    return read_file(path, MOST_BYTES, "a document")


def documents_of(context: Context) -> dict[str, Path]:
    """The documents that lie there, by item; what is none of ours is left out."""
    found = {}
    for path in sorted(context.documents.glob("*.html")):
        with suppress(GoliveError):
            found[read_document(path).item] = path
    return found


def _waived(basis: Basis) -> list[Table]:
    """What people have waived or declared not applicable, and until when."""
    rows: list[list[str | float]] = [
        [
            i,
            str(basis.state(i)),
            e.first.statement.text,
            f"{e.first.statement.by}, {e.second.statement.by}",
            pages.moment(e.until),
        ]
        for i, e in basis.exempt.items()
        if i in basis.findings and basis.state(i) is not Verdict.PASS
    ]
    columns = ["item", "state", "why", "by", "until"]
    return [Table(title="Waived or not applicable", columns=columns, rows=rows)] if rows else []


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A document as it lies on disk, and as the ledger would have it now."""

    path: Path
    basis: Basis
    document: Document
    anew: Document
    signatures: tuple[Signature, ...]
    """One for each role that signs, in the document's order."""
    mask: Mask

    def figure(self, name: str) -> float | str:
        """A figure of the document."""
        return next((f.value for f in self.document.figures if f.name == name), NOT_MEASURED)

    def claims(
        self,
        *,
        max_age_h: float | None = None,
        older: Mapping[str, float] | None = None,
        live: str = "",
        extra: Iterable[Claim] = (),
        red_too: bool = False,
        not_judged: tuple[str, ...] = (),
    ) -> Iterator[Claim]:
        """What makes any deliverable one to rely on, most basic first.

        :param max_age_h: of its verdicts; default: as long as launch.toml lets each count.
        :param older: other ages, by what ids begin with.
        :param live: what the document's subject is now; empty where it has none.
        :param extra: further claims, made once it is known that there is something to judge.
        :param red_too: it is about what is not green, so that verdicts may be red.
        :param not_judged: what the item asks for beyond that and no check judges yet: while there
            is something, the item is red and says so.
        :raises ProbeError: everything else holds, but something could not be looked at.
        :raises Pending: everything else holds, and people still have to state or sign it.
        """
        d, among, basis = self.document, len(self.basis.rests_on), self.basis
        for subject, lacking, required in (
            (NOBODY_WROTE, basis.unwritten, "a check of each"),
            (NOBODY_LOOKED, basis.not_looked_at, "a verdict of each"),
        ):
            shown = ", ".join(lacking[:_SHOWN]) or f"none of {among}"
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            observed = f"{shown}{more}"
            yield holds(subject, among and not lacking, observed, required)
        found = {row.id: row for row in d.verdicts}
        yield same_set(f"verdicts in the {d.title}", found, basis.rests_on)
        yield from self._about()
        if live:
            yield equal(f"the {d.subject_kind} it is about", d.subject, live)
        open_ = {i: r.verdict for i, r in found.items() if r.verdict not in _GREEN}
        if Verdict.FAIL in open_.values() and not red_too:
            red = [f"{i} {verdict.value}" for i, verdict in open_.items()]
            yield none_of(NOT_GREEN, red, among=among, of="verdicts", ids=open_)
        yield from self._ages(found, max_age_h, older or {})
        lacking = [f.name for f in d.figures if f.value == NOT_MEASURED]
        yield none_of("figures not measured", lacking, among=len(d.figures), of="figures")
        yield from extra
        yield from self._true()
        if not_judged:
            said = "; ".join(not_judged)
            yield holds(NOT_JUDGED, False, said, "a check of each")
        if Verdict.FAIL not in open_.values() and not red_too:
            self._wait_for(open_)
            yield none_of(NOT_GREEN, [], among=among, of="verdicts")
        yield from self._signed()

    def status_claims(self, *, max_age_h: float) -> Iterator[Claim]:
        """As :meth:`claims`, of a document that tells how things stand, whatever they are like.

        :param max_age_h: of the document itself.
        """
        found = [row.id for row in self.document.verdicts]
        title = self.document.title
        yield same_set(f"verdicts in the {title}", found, list(self.basis.findings))
        yield from self._about()
        age_h = (datetime.now(UTC) - self.document.made_at).total_seconds() / 3600
        yield at_most(f"age of the {title}", age_h, max_age_h, "h")
        yield from self._true()
        yield from self._signed()

    def has_documents(self) -> Claim:
        """Whether a document lies there for each derived item that it rests on."""
        there = documents_of(self.basis.context)
        wanted = [i for i in self.basis.rests_on if self._is_derived(i)]
        lacking = [i for i in wanted if i not in there]
        return none_of("items without their document", lacking, among=len(wanted), of="documents")

    def packed(self) -> Iterator[Claim]:
        """What makes the documents that it lists ones to hand over: none lacks, each is of this
        environment and candidate, shows just the data that it carries, tells what the ledger has
        now of everything it rests on, and is signed by those whom it names."""
        yield self.has_documents()
        context, files = self.basis.context, documents_of(self.basis.context)
        listed = {i: files[i] for i in self.basis.rests_on if i in files}
        read = {i: read_document(path) for i, path in listed.items()}
        n = len(read)
        here = (self.basis.environment, self.basis.launch.candidate)
        other = [i for i, d in read.items() if (d.environment, d.candidate) != here]
        subject = f"documents not about {here[1]} in {here[0]}"
        yield none_of(subject, other, among=n, of="documents")
        empty = [i for i, d in read.items() if not d.verdicts]
        yield none_of("documents that rest on nothing", empty, among=n, of="documents")
        altered = [i for i, d in read.items() if page(d).encode() != _bytes(listed[i])]
        yield none_of(
            "documents that show something else than their data", altered, among=n, of="documents"
        )
        sources = {row.id for d in read.values() for row in d.verdicts}
        newest = readiness.newest(context, sorted(sources))
        now = {i: digest_of(finding.verdict) for i, finding in newest.items()}
        older = [
            f"{i} ({', '.join(r.id for r in d.verdicts if now.get(r.id) != r.digest)})"
            for i, d in read.items()
            if any(now.get(r.id) != r.digest for r in d.verdicts)
        ]
        yield none_of("documents older than what they rest on", older, among=n, of="documents")
        unsigned = [
            f"{i} by {signer.title}"
            for i, d in read.items()
            for number, signer in enumerate(d.signers)
            if not context.roster.signature(
                listed[i], signer.role, signature=_place(listed[i], number, signer)
            ).valid
        ]
        yield none_of("documents without a valid signature", unsigned, among=n, of="documents")

    def _is_derived(self, ident: str) -> bool:
        return self.basis.context.procedure.items[ident].way == "derived"

    def _about(self) -> Iterator[Claim]:
        d, basis, among = self.document, self.basis, len(self.basis.rests_on)
        yield equal("the environment it is about", d.environment, basis.environment)
        yield equal("the candidate it is about", d.candidate, basis.launch.candidate)
        others = [
            f"{i} ({f.run.head.candidate})"
            for i, f in basis.findings.items()
            if f.run.head.candidate != basis.launch.candidate
        ]
        yield none_of("verdicts on another candidate", others, among=among, of="verdicts")

    def lasting(self, days_after_launch: int = 0) -> Claim:
        """Whether what people have stated still holds on launch day, or days after it.

        A rehearsal looks at every item as on its own day, so launch day is as far ahead as the
        procedure has it.
        """
        context = self.basis.context
        day = context.launch.due(days_after_launch)
        if context.environment.kind == "rehearsal":
            ahead = days_after_launch - context.procedure.items[self.basis.item].due_day
            day = datetime.now(UTC).date() + timedelta(days=ahead)
        ends = {
            f"{i} by {s.statement.by}": context.statements.entitlement.ends(s.statement)
            for i in self.basis.rests_on
            for s in self.basis.stated(i)
        }
        early = [f"{who} ({end:%F})" for who, end in ends.items() if end.date() < day]
        subject = f"statements that end before {day:%F}"
        # Where nobody has stated anything yet, its items are pending, and so is the document.
        return none_of(subject, early, among=len(ends), of="statements", may_be_empty=True)

    def later(self, ident: str) -> Claim:
        """Whether every statement on an item is later than all those on the others."""
        made = {i: [s.statement.made_at for s in self.basis.stated(i)] for i in self.basis.rests_on}
        last = made.pop(ident)
        before = [at for found in made.values() for at in found]
        early = [f"{at:%F %T}" for at in last if at < max(before, default=at)]
        return none_of(
            f"statements on {ident} before one of the others",
            early,
            among=len(last),
            of="statements",
            may_be_empty=True,  # until somebody states it, it is pending
        )

    def _ages(
        self, found: dict[str, VerdictRow], max_age_h: float | None, older: Mapping[str, float]
    ) -> Iterator[Claim]:
        now = datetime.now(UTC)
        by_limit: dict[float, dict[str, float]] = {}
        for ident, row in found.items():
            # The longest prefix decides.
            under = [p for p in older if ident == p or ident.startswith(f"{p}.")]
            if under:
                limit = older[max(under, key=len)]
            elif max_age_h is not None:
                limit = max_age_h
            else:
                limit = self.basis.fresh_h(ident)
            by_limit.setdefault(limit, {})[ident] = (now - row.looked_at).total_seconds() / 3600
        for limit, ages in by_limit.items():
            yield each_at_most("age of its verdicts", ages, limit, "h")
        newest = max((row.looked_at for row in found.values()), default=now)
        made = self.document.made_at
        yield holds(
            "when it was made", made >= newest, f"{made:%F %T} UTC", "after its newest verdict"
        )

    def _true(self) -> Iterator[Claim]:
        """The document says what the ledger says, and the page what the document says."""
        yield none_of(
            "figures that differ from the ledger",
            differences(self.document, self.anew),
            among=figures_in(self.document),
            of="figures",
            see=str(self.path),
        )
        data = _bytes(self.path)
        text = data.decode(errors="replace")
        shows_it = page(self.document).encode() == data
        observed = "just that" if shows_it else "something else"
        yield holds(f"what {self.path.name} shows", shows_it, observed, "the data that it carries")
        tells = self.mask(text) != text
        observed = "a secret or a password in an address" if tells else "none"
        yield holds(f"secrets in {self.path.name}", not tells, observed, "none")

    def _wait_for(self, open_: dict[str, Verdict]) -> None:
        unknown = [i for i, verdict in open_.items() if verdict is Verdict.UNKNOWN]
        if unknown:
            raise ProbeError(
                f"all that the {self.document.title} rests on",
                f"{', '.join(unknown)} could not be looked at",
                "make that reachable, run those again, then this",
            )
        told = [f"{i} is {verdict.value}" for i, verdict in open_.items()]
        told += [f"{i}: {why}" for i in self.basis.findings if (why := self.basis.lapsed(i))]
        if told:
            raise Pending(
                f"the {self.document.title} rests on what is still to come: {'; '.join(told)}"
            )

    def _signed(self) -> Iterator[Claim]:
        for signer, signature in zip(self.document.signers, self.signatures, strict=True):
            if signature.exists:
                yield holds(
                    f"the signature of the {signer.title} on {self.path.name}",
                    signature.valid,
                    "valid" if signature.valid else signature.cause,
                    "a valid one over the document as it lies there",
                )
        pairs = zip(self.document.signers, self.signatures, strict=True)
        missing = [
            f"the {signer.title} reads it and runs `golive sign {self.path}"
            f" --env {self.document.environment}{f' --role {signer.role}' if n else ''}`"
            for n, (signer, signature) in enumerate(pairs)
            if not signature.exists
        ]
        if missing:
            raise Pending(f"{self.path} is made and true, but not signed: {'; '.join(missing)}")


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
        anew = settled(
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
        if not altered and not (signed and _same_basis(path, anew)):
            for n, signer in enumerate(who):
                _place(path, n, signer).unlink(missing_ok=True)
            latest = anew.history[-_RUNS_SHOWN:]
            write_document(msgspec.structs.replace(anew, history=latest), path)
        if not altered and (basis.is_whole or not whole):
            self._rehearse_signing(path, who)
            signatures = self._signatures(path, who)
        return Deliverable(path, basis, read_document(path), anew, signatures, self.mask)

    def digest(self, name: str) -> str:
        """SHA-256 of a document as it lies there.

        :raises Pending: it is not there.
        """
        path = self.context.documents / name
        if not path.is_file():
            raise Pending(f"{path} is not there; run the item that makes it, then this")
        return hashlib.sha256(path.read_bytes()).hexdigest()

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
        open_ = [i for i, state in states.items() if state not in _GREEN]
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
        if before is not None:
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
        return [Signer(role=r, title=_title(self.context, r)) for r in roles]

    def _due(self, line: Line) -> Any:
        return self.context.launch.due(self.context.procedure.items[line.id].due_day)

    def _signatures(self, path: Path, signers: list[Signer]) -> tuple[Signature, ...]:
        return tuple(
            self._signature(path, signer.role, _place(path, n, signer))
            for n, signer in enumerate(signers)
        )

    def _signature(self, path: Path, role: str, place: Path) -> Signature:
        return self.context.roster.signature(path, role, signature=place)

    def _rehearse_signing(self, path: Path, signers: list[Signer]) -> None:
        """In a rehearsal, whose keys are throw-away ones, a role's holder signs by itself."""
        if self.context.keys is None:
            return
        for n, signer in enumerate(signers):
            place = _place(path, n, signer)
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


def digest_of(verdict: ItemVerdict) -> str:
    """SHA-256 of a verdict as the ledger has it."""
    return hashlib.sha256(msgspec.json.encode(verdict, order="sorted")).hexdigest()


def _place(path: Path, number: int, signer: Signer) -> Path:
    """Where a signer's signature lies: the first one's as ssh-keygen names it."""
    return signatures.signature_of(path, signer.role if number else "")


def _title(context: Context, role: str) -> str:
    """A role as the procedure writes it, where it owns something there."""
    owners = {i.owner_mark: i.owner for i in context.procedure}
    return owners.get(role) or role.replace("_", " ").capitalize()


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


def _same_basis(path: Path, anew: Document) -> bool:
    """Whether the signed document is about the newest runs and statements: else it is out of
    date, not wrong."""
    try:
        return read_document(path).inputs == anew.inputs
    except GoliveError:
        return True  # signed, but no document of ours: to be judged, not to be replaced
