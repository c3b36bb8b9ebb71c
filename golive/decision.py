"""The go/no-go decision: who decided what on which package, and the document of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from golive import package
from golive.claims import Claim, between, equal, holds, none_of
from golive.context import Context
from golive.deliverables import Basis, Deliverable, Write, with_tables
from golive.papers import Paper
from golive.papers.approval import Delegation
from golive.papers.kinds import GoNoGo
from golive.people.roster import Roster
from golive.people.statements import Statement, Vouched
from golive.probes.people.calendar import Event
from golive.reports import pages
from golive.reports.documents import Content, Table
from golive.store import Kept
from golive.verdicts import GoliveError

DELEGATE = "delegate"
"""In what somebody states who is not coming: the id of who comes instead."""


def present(said: Vouched, roles: Collection[str]) -> dict[str, str]:
    """Who was at the meeting for each of these roles, by role: its holder, or a stand-in where no
    holder was there. Who sent somebody else was not."""
    here = [s for s in said.all if DELEGATE not in s.statement.data]
    holders = {r: {p.id for p in said.roster.holders(r)} for r in roles}
    in_person = {
        s.statement.role
        for s in here
        if s.valid and s.statement.by in holders.get(s.statement.role, ())
    }
    counted = [
        s
        for s in here
        if s.statement.role not in in_person or s.statement.by in holders[s.statement.role]
    ]
    return {r: s.statement.by for r, s in replace(said, all=counted).choose(roles).items()}


def not_accepted(
    there: Mapping[str, str], meetings: Collection[Event], roster: Roster
) -> list[str]:
    """Which roles' holders were there though they have accepted none of these events, by mail
    address. Stand-ins need not have been invited.

    :param there: who was there, by role.
    """
    return [
        f"{person} as {role}"
        for role, person in there.items()
        if person in {p.id for p in roster.holders(role)}
        and not any(m.answer_of(roster.people[person].email) == "accepted" for m in meetings)
    ]


def without_delegation(
    there: Mapping[str, str], said: Vouched, context: Context, lasting: str
) -> list[str]:
    """Who stood in for a role whose holder has not said so: neither of this meeting, by a
    statement that holds now, nor for longer, by a paper that is signed for another item.

    :param there: who was there, by role.
    :param lasting: the item that a delegation is signed for.
    """
    lacking = []
    for role, person in there.items():
        holders = {p.id for p in context.roster.holders(role)}
        sent = {
            str(s.statement.data.get(DELEGATE))
            for s in said.valid
            if s.statement.by in holders and s.statement.role == role
        }
        if person not in holders | sent | _standing_in(holders, context, lasting):
            lacking.append(f"{person} as {role}")
    return lacking


def _standing_in(holders: Collection[str], context: Context, item: str) -> set[str]:
    """To whom one of a role's holders has delegated decisions on the launch for longer."""
    papers = [p.data for p in context.signed_papers(item, Delegation)[:1]]
    return {
        d.to
        for d in papers
        if d.delegated_by in holders and d.until >= context.today and "launch decision" in d.covers
    }


def packaged(record: GoNoGo, context: Context) -> Iterator[Claim]:
    """That the package which was decided on is named, lies there whole, and is of this
    environment."""
    digest, places = record.package_sha256, ", ".join(map(str, context.packages))
    is_one = re.fullmatch("[0-9a-f]{64}", digest)
    yield holds("package that was decided on", is_one, digest or "not named", "its SHA-256")
    path = package.named(context.packages, digest) if is_one else None
    subject, required = "place of the package that was decided on", f"a package in {places}"
    yield holds(subject, path, path or "none of that digest", required)
    if path is None:
        return
    try:
        with package.opened(path) as found:
            of, cause = found.about.environment, ""
    except GoliveError as e:
        of, cause = "", str(e)
    yield holds(
        f"whether {path.name} is whole", not cause, cause or "it is", "every file as listed"
    )
    if not cause:
        yield equal("environment of the package that was decided on", of, context.environment.name)


def in_time(record: GoNoGo, said: Vouched, most_h: float) -> Iterator[Claim]:
    """That the meeting was held in the last hours, and what is signed of it was signed since."""
    age_h = (datetime.now(UTC) - record.held_at).total_seconds() / 3600
    yield between("hours since the meeting", age_h, 0, most_h, "h")
    signed, of = said.counted, "signatures"
    early = [s.statement.by for s in signed if s.statement.made_at < record.held_at]
    yield none_of("signed before the meeting", early, among=signed, of=of, may_be_empty=True)


def signed_there(said: Vouched, at_meeting: Vouched, roles: Collection[str]) -> Claim:
    """That whoever signed the decision was at the meeting."""
    there = present(at_meeting, roles).values()
    signed = [s.statement.by for s in said.counted]
    away = [person for person in signed if person not in there]
    # Who has not signed yet is waited for.
    subject = "signed without having been there"
    return none_of(subject, away, among=signed, of="signatures", may_be_empty=True)


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
        ["held at", pages.moment(record.held_at)],
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
