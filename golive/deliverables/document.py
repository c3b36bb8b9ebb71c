"""A document as it lies there, and the claims that make it one to rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from golive import readiness
from golive.claims import Claim, at_most, each_at_most, equal, holds, none_of, same_set
from golive.deliverables.basis import GREEN, Basis, digest_of
from golive.deliverables.contents import bytes_of, documents_of
from golive.masking import Mask
from golive.people import signatures
from golive.people.signatures import Signature
from golive.reports.documents import (
    NOT_MEASURED,
    Document,
    Signer,
    VerdictRow,
    differences,
    figures_in,
    page,
    read_document,
)
from golive.verdicts import Pending, ProbeError, Unseen, Verdict

NOBODY_WROTE = "items it rests on that nobody has written yet"
NOT_GREEN = "verdicts that are not green"
NOT_JUDGED = "what it asks for that no check judges yet"
NOBODY_LOOKED = "items it rests on that nobody has looked at yet"
_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A document as it lies on disk, and as the ledger would have it now."""

    path: Path
    basis: Basis
    document: Document = field(repr=False)
    reloaded: Document = field(repr=False)
    signatures: tuple[Signature, ...]
    """One for each role that signs, in the document's order."""
    mask: Mask = field(repr=False)

    def figure(self, name: str) -> float | str:
        """A figure of the document."""
        return next((f.value for f in self.document.figures if f.name == name), NOT_MEASURED)

    def claims(
        self,
        *,
        max_age_h: float | None = None,
        older: Mapping[str, float] | None = None,
        live: str | Unseen = "",
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
        if isinstance(live, Unseen) or live:
            yield equal(f"the {d.subject_kind} it is about", d.subject, live)
        open_ = {i: r.verdict for i, r in found.items() if r.verdict not in GREEN}
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
        altered = [i for i, d in read.items() if page(d).encode() != bytes_of(listed[i])]
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
                listed[i], signer.role, signature=signature_place(listed[i], number, signer)
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
        """Whether what people have stated still holds on launch day, or days after it."""
        context = self.basis.context
        day = context.launch_day(self.basis.item, days_after_launch)
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
            differences(self.document, self.reloaded),
            among=figures_in(self.document),
            of="figures",
            see=str(self.path),
        )
        data = bytes_of(self.path)
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
        reported = [f"{i} is {verdict.value}" for i, verdict in open_.items()]
        reported += [f"{i}: {why}" for i in self.basis.findings if (why := self.basis.lapsed(i))]
        if reported:
            raise Pending(
                f"the {self.document.title} rests on what is still to come: {'; '.join(reported)}"
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


def signature_place(path: Path, number: int, signer: Signer) -> Path:
    """Where a signer's signature lies: the first one's as ssh-keygen names it."""
    return signatures.signature_of(path, signer.role if number else "")
