"""How each item stands, by its runs and by what people have stated."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from golive.answer import (
    MISSING,
    STALE,
    SUSPECT,
    UNWRITTEN,
    Day,
    Standing,
)
from golive.context import Context
from golive.launch import Launch
from golive.people.statements import Exemption, Signed, Statements
from golive.procedure import Item
from golive.readiness.fresh import GREEN, unusable_run
from golive.readiness.record import Looked, Record
from golive.readiness.wording import TEXT_KEPT, as_line, as_said, plain
from golive.verdicts import Pending, Verdict

_CLAIMS_KEPT = 6


class Judge:
    """How items stand, at a moment."""

    def __init__(self, context: Context, record: Record, today: date, all_due: bool) -> None:
        self.context = context
        self.record = record
        self.today = today
        self.all_due = all_due
        self.written = set(context.cards)
        self._papers: dict[tuple[str, ...], dict[str, str]] = {}
        self.fresh = {i.id: context.launch.freshness(i.id, i.way) for i in context.procedure}

    def standings(self, now: datetime, statements: Statements) -> list[Standing]:
        """Every item, with statements checked."""
        said: dict[str, list[Signed]] = defaultdict(list)
        for signed in statements.everything():
            said[signed.statement.item].append(signed)
        return [
            self._standing(line, now, said[line.id], statements) for line in self.context.procedure
        ]

    def states(self, moment: datetime, statements: Statements) -> dict[str, str]:
        """How items stood at an earlier moment, with what had been stated by then."""
        statements.everything()  # their signatures are looked at side by side
        return {i.id: self._state(i, moment, statements)[0] for i in self.context.procedure}

    def days(self, now: datetime, standings: Sequence[Standing]) -> list[Day]:
        """The course over the days on which something was looked at, the last 60 of them.

        Days that are over are as their runs saw them, which looked at statements too.
        """
        found = {x.at.date() for looked in self.record.of.values() for x in looked}
        out = []
        for day in sorted(found)[-60:]:
            end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            if end <= now:
                counts = Counter(str(self._by_runs(i, end)[0]) for i in self.context.procedure)
            else:
                counts = Counter(s.state for s in standings)
            out.append(Day(day=day, counts=dict(counts)))
        return out

    def _standing(
        self, line: Item, now: datetime, said: list[Signed], statements: Statements
    ) -> Standing:
        state, reason, looked = self._state(line, now, statements)
        due = self.context.launch.due(line.due_day)
        is_due = self.all_due or due <= self.today
        is_open = state not in GREEN
        fresh = self.fresh[line.id]
        return Standing(
            line=as_line(line),
            due=due,
            is_due=is_due,
            counts=is_due or line.due_day < 0,
            state=str(state),
            is_open=is_open,
            reason=reason[:TEXT_KEPT],
            since=self._since(line.id) if is_open else None,
            looked_at=looked.at if looked else None,
            fresh_until=looked.at + fresh if looked else None,
            run=looked.run.head.id if looked else "",
            how=looked.verdict.how if looked else "",
            remedy=looked.verdict.remedy if looked else "",
            claims=sorted(looked.verdict.claims, key=lambda c: c.holds)[:_CLAIMS_KEPT]
            if looked
            else [],
            said=[as_said(s, self.context) for s in said],
        )

    def _state(
        self, line: Item, now: datetime, statements: Statements
    ) -> tuple[str, str, Looked | None]:
        """How an item stands by its runs and by what people have stated; why; the newest look."""
        state, reason, looked = self._by_runs(line, now)
        if state == Verdict.PASS and line.way == "attested":
            lapsed = self._lapsed(line, statements)
            if lapsed:
                state, reason = Verdict.PENDING, lapsed
        elif (
            state == Verdict.PENDING
            and statements.has(line.id, "attest")
            and not self._lapsed(line, statements)
        ):
            reason = f"stated since the newest run; run `pytest --item {line.id}` again"
        if state == Verdict.PASS or not statements.has(line.id, "waive", "not-applicable"):
            return state, reason, looked
        exemption, refused = statements.exemption(line.id)
        if exemption is not None and _contradicted(self.context.launch, exemption, line, state):
            return (
                state,
                f"{reason}; it was declared not applicable, which this contradicts",
                looked,
            )
        if exemption is not None:
            was = f"{state}: {reason}".rstrip(": ")
            by = f"{exemption.first.statement.by} and {exemption.second.statement.by}"
            why = exemption.first.statement.text
            reason = f"{why} ({by}, until {exemption.until:%Y-%m-%d}); it was {was}"
            waived = exemption.kind == "waive"
            return Verdict.WAIVED if waived else Verdict.NOT_APPLICABLE, reason, looked
        reported = plain("; ".join(refused), self.context)
        return state, f"{reason}; {reported}".strip("; "), looked

    def _by_runs(self, line: Item, now: datetime) -> tuple[str, str, Looked | None]:
        looked = self.record.newest_of(line.id, now)
        if looked is None:
            if line.id not in self.written:
                return UNWRITTEN, "nobody has written a check of it yet", None
            return MISSING, "no run on record has looked at it", None
        verdict = looked.verdict.verdict
        if verdict not in GREEN:
            return verdict, looked.verdict.message, looked
        if not looked.whole:
            cause = plain(unusable_run(looked.run, self.context), self.context)
            return MISSING, cause or f"the run {looked.run.head.id} does not count", looked
        if looked.suspect:
            return SUSPECT, f"{looked.suspect}; look again", looked
        fresh = self.fresh[line.id]
        if looked.at + fresh < now:
            ends = looked.at + fresh
            return STALE, f"its {verdict} counted until {ends:%Y-%m-%d %H:%M} UTC", looked
        return verdict, "", looked

    def _lapsed(self, line: Item, statements: Statements) -> str:
        """Why what people stated of an item does not hold now; empty while it does."""
        card = self.context.cards[line.id][0] if line.id in self.context.cards else None
        if card is None:
            return "nobody has written a check of it yet"
        try:
            vouched = statements.vouched(line.id, self._digests(card.papers))
            vouched.claims()
        except Pending as e:
            return plain(str(e), self.context)
        if card.each:
            people = {s.statement.by for s in vouched.all}
            gone = sorted(p for p in people if vouched.of(p) is None)
            if gone or not people:
                cause = next((s.cause for s in vouched.all if s.cause), "nobody has stated it")
                return plain(f"{', '.join(gone) or 'nobody'}: {cause}", self.context)
        return ""

    def _digests(self, papers: tuple[str, ...]) -> dict[str, str]:
        if papers not in self._papers:
            self._papers[papers] = self.context.digests(papers)
        return self._papers[papers]

    def _since(self, ident: str) -> datetime | None:
        began: datetime | None = None
        for looked in self.record.of.get(ident, []):
            if looked.is_green:
                break
            began = looked.at
        return began


def _contradicted(launch: Launch, exemption: Exemption, line: Item, state: str) -> bool:
    """Whether an item is declared not applicable although its check has found that it applies."""
    declared = exemption.kind == "not-applicable"
    return declared and state == Verdict.FAIL and launch.is_cross_checked(line.id)
