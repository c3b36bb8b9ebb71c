"""The go/no-go decision: who decided what on which package, and the document of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from golive.claims import Claim, equal, holds, none_of
from golive.context import Context
from golive.deliverables import Basis, Deliverable, Write, with_tables
from golive.papers import Paper
from golive.papers.kinds import GoNoGo
from golive.people.statements import Statement
from golive.reports import pages
from golive.reports.documents import Content, Table
from golive.store import Kept


def decided(context: Context) -> dict[str, Statement]:
    """What everybody says who decided by command, by ``person as role``: of each person the
    decision that stands in each role."""
    said = [s.statement for every in context.statements.votes().values() for s in every]
    return {f"{s.by} as {s.role}": s for s in said}


def contrary(record: GoNoGo, votes: Mapping[str, Statement]) -> list[str]:
    """Who decided otherwise than the record says."""
    return sorted(who for who, s in votes.items() if s.data.get("decision") != record.decision)


def on_another_package(record: GoNoGo, votes: Mapping[str, Statement]) -> list[str]:
    """Who decided on another package than the record names."""
    return [who for who, s in votes.items() if s.about and s.about != record.package_sha256]


def votes_fit(record: GoNoGo, document: Deliverable) -> Iterator[Claim]:
    """That nobody voted after the document of the decision was made, which the second itself is
    not, nor on another package than the record names. Before anybody has voted, the items it rests
    on are pending, and so is the document."""
    basis, by_command = document.basis, decided(document.basis.context)
    votes = [s.statement.made_at for i in basis.rests_on for s in basis.stated(i)]
    votes += [s.made_at for s in by_command.values()]
    made_at = document.document.made_at.replace(microsecond=999_999)
    for subject, offenders in {
        "votes after the document was made": [f"{at:%F %T}" for at in votes if at > made_at],
        "votes on another package": on_another_package(record, by_command),
    }.items():
        yield none_of(subject, offenders, among=votes, of="votes", may_be_empty=True)


def locked(copy: Kept, until: date) -> Iterator[Claim]:
    """That a store has just one version of a document, which nobody can change before a day."""
    yield equal(f"versions of {copy.place}", copy.versions, 1)
    holds_it, required = copy.is_locked_until(until), f"at least until {until}"
    yield holds(f"lock of {copy.place}", holds_it, copy.lock_told, required)


def recorded(record: Paper[GoNoGo], present: str, signed: str) -> Write:
    """A document of the record of the meeting, who was there, and every vote.

    :param present: the item in which people state that they were there.
    :param signed: the item in which they sign the record.
    """

    def write(basis: Basis) -> Content:
        votes = [s.statement for s in basis.stated(signed)] + list(decided(basis.context).values())
        there = [s.statement for s in basis.stated(present)]
        tables = (
            _what(record.data),
            _there(there),
            _votes(record.data, votes),
            _risks(record.data),
        )
        digests = {f"vote {n}": s.by + s.made_at.isoformat() for n, s in enumerate(votes, 1)}
        return with_tables(*tables, inputs={record.name: record.sha256} | digests)(basis)

    return write


def _what(record: GoNoGo) -> Table:
    rows: list[list[str | float]] = [
        ["decision", record.decision],
        ["held on", record.held_on.isoformat()],
        ["reasons", record.reasons],
        ["commit", record.commit],
        ["package", record.package_sha256],
        ["risk register", record.register_sha256],
    ]
    rows += [[f"condition {n}", c] for n, c in enumerate(record.conditions, 1)]
    return Table(title="The decision", columns=["what", "as recorded"], rows=rows)


def _there(said: list[Statement]) -> Table:
    rows: list[list[str | float]] = [[f"{s.by} as {s.role}", pages.moment(s.made_at)] for s in said]
    return Table(title="Who was there", columns=["person", "signed on"], rows=rows)


def _votes(record: GoNoGo, votes: list[Statement]) -> Table:
    rows: list[list[str | float]] = [
        [
            f"{s.kind} by {s.by} as {s.role}",
            str(s.data.get("decision", record.decision)),
            pages.moment(s.made_at),
        ]
        for s in votes
    ]
    return Table(title="Votes", columns=["vote", "decision", "signed on"], rows=rows)


def _risks(record: GoNoGo) -> Table:
    rows: list[list[str | float]] = [
        [r.id, r.decision, r.owner, str(r.done_by or "")] for r in record.risks
    ]
    return Table(title="Risks", columns=["risk", "decision", "owner", "done by"], rows=rows)
