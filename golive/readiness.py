"""From the verdicts of many runs, and from what people have signed, to one answer.

Fails closed: what was not looked at, does not hold any more, cannot be read, or is about another
candidate or environment is never counted towards GO.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from golive import ledger
from golive.answer import (
    GO,
    MISSING,
    NO_GO,
    STALE,
    UNWRITTEN,
    Answer,
    Change,
    Day,
    Remaining,
    Rule,
    RunRef,
    Said,
    Standing,
)
from golive.desk import Desk
from golive.files import shown
from golive.procedure import Item
from golive.statements import Signed, Statements
from golive.verdicts import GoliveError, Pending, Verdict

_GREEN = frozenset({Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE})
_MINUTES_A_DAY = 8 * 60
_CLOCKS_DIFFER = timedelta(minutes=5)
_SHOWN = 6
_CLAIMS_KEPT = 6
_TEXT_KEPT = 600
"""Characters of a message that an answer keeps; the run has all of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The newest verdict of an item, and the run it is from."""

    run: ledger.Run
    line: ledger.Line
    verdict: ledger.ItemVerdict

    def age_h(self, now: datetime) -> float:
        """Hours since the item began to be looked at."""
        return (now - self.verdict.started_at).total_seconds() / 3600

    @property
    def facts(self) -> dict[str, object]:
        """What the verdict's probes found in the same run; those that could not look are absent."""
        known = self.run.facts
        return {n: known[n].value for n in self.verdict.facts if n in known and not known[n].error}


@dataclass(frozen=True, slots=True)
class Look:
    """What one run found of some items."""

    run: str
    at: datetime
    verdicts: dict[str, Verdict]


def newest(reports: Path, environment: str, wanted: Iterable[str]) -> dict[str, Finding]:
    """The newest verdict of each wanted item in that environment; absent where there is none.

    Verdicts of other environments never count, and neither do those of an unreadable run.
    """
    missing = set(wanted)
    found: dict[str, Finding] = {}
    for run in _runs(reports, environment, newest_first=True):
        if not missing:
            break
        for ident in missing & set(run.verdicts):
            found[ident] = Finding(run, run.lines[ident], run.verdicts[ident])
        missing -= set(found)
    return found


def looks(reports: Path, environment: str, wanted: Iterable[str]) -> list[Look]:
    """What each run in that environment found of the wanted items, oldest first."""
    asked = set(wanted)
    found = []
    for run in _runs(reports, environment):
        verdicts = {i: v.verdict for i, v in run.verdicts.items() if i in asked}
        if verdicts:
            found.append(Look(run.head.id, run.head.started_at, verdicts))
    return found


def oldest_facts(reports: Path, environment: str, probe: str) -> ledger.Run | None:
    """The first run on record in that environment in which the probe could look: the baseline."""
    for run in _runs(reports, environment):
        found = run.facts.get(probe)
        if found is not None and not found.error:
            return run
    return None


def _runs(reports: Path, environment: str, *, newest_first: bool = False) -> Iterator[ledger.Run]:
    folders = ledger.runs(reports)
    for folder in reversed(folders) if newest_first else folders:
        if f"-{environment}-" not in folder.name:
            continue
        # A run that has ended never changes, and many documents rest on the same ones.
        ended = (folder / ledger.END).exists()
        run = _ended_run(folder) if ended else ledger.read_run(folder)
        if run.head.environment.name == environment:
            yield run


@lru_cache(maxsize=512)
def _ended_run(folder: Path) -> ledger.Run:
    return ledger.read_run(folder)


def assess(
    desk: Desk,
    *,
    today: date,
    all_due: bool = False,
    now: datetime | None = None,
    before: datetime | None = None,
) -> Answer:
    """Whether it can be launched, with every rule and every item.

    :param today: the day as which the launch is looked at.
    :param all_due: everything is due, as in a rehearsal without a day of its own.
    :param before: the moment to compare with; default: a day ago.
    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    moment = now or datetime.now(UTC)
    earlier = before or moment - timedelta(days=1)
    record = _Record(desk)
    statements = desk.statements.here(moment)
    judge = _Judge(desk, record, today, all_due)
    standings = judge.standings(moment, statements)
    then = (
        judge.states(earlier, statements.here(earlier, past=True))
        if record.was_there(earlier)
        else None
    )
    decided = _Decided(desk, statements)
    rules = _rules(desk, record, standings, decided, moment)
    remaining, earliest, reason = _remaining(desk, standings, today)
    return Answer(
        environment=desk.environment.name,
        environment_kind=desk.environment.kind,
        environment_title=desk.environment.title,
        candidate=desk.launch.candidate,
        launch_date=desk.launch.date,
        today=today,
        made_at=moment,
        answer=GO if all(r.holds for r in rules) else NO_GO,
        rules=rules,
        standings=standings,
        changes=[] if then is None else _changes(standings, then),
        changed_since=None if then is None else earlier,
        days=judge.days(moment, standings),
        runs=record.refs,
        remaining=remaining,
        earliest=earliest,
        earliest_reason=reason,
        decisions=[_said(s, desk) for s in decided.all],
        awaited=decided.awaited,
        holders={
            i.owner: [p.name for p in desk.roster.holders(i.owner_mark)]
            for i in desk.procedure
            if i.owner
        },
    )


def counts(desk: Desk, moment: datetime) -> dict[str, int]:
    """How many items were in each state at a moment, by what was on record then.

    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    all_due = desk.environment.kind == "rehearsal"
    answer = assess(desk, today=moment.date(), all_due=all_due, now=moment)
    return dict(Counter(s.state for s in answer.standings))


@dataclass(frozen=True, slots=True)
class _Looked:
    """One verdict on record."""

    run: ledger.Run
    verdict: ledger.ItemVerdict
    whole: bool
    """Whether its run was closed, so that nothing could be added or taken away since."""

    @property
    def at(self) -> datetime:
        return self.verdict.started_at

    @property
    def is_green(self) -> bool:
        return self.whole and self.verdict.verdict in _GREEN


class _Record:
    """The runs of one environment and candidate, and what is wrong with others."""

    def __init__(self, desk: Desk) -> None:
        self.refs: list[RunRef] = []
        self.damaged: list[str] = []
        self.strangers: dict[str, list[str]] = {}
        self.unclean: list[str] = []
        self.of: dict[str, list[_Looked]] = defaultdict(list)
        """Verdicts of each item, newest first."""
        self.newest: datetime | None = None
        headless = (p.parent for p in (desk.reports / "runs").glob(f"[!.]*/{ledger.VERDICTS}"))
        for folder in sorted({*ledger.runs(desk.reports), *headless}):
            self._add(folder, desk)
        for looked in self.of.values():
            looked.sort(key=lambda x: x.at, reverse=True)
        self.refs.reverse()

    def was_there(self, moment: datetime) -> bool:
        """Whether anything had been looked at by then."""
        return any(looked[-1].at <= moment for looked in self.of.values())

    def _add(self, folder: Path, desk: Desk) -> None:
        env = desk.environment
        try:
            run = ledger.read_run(folder, facts=False)
        except GoliveError as e:
            # Whose it was can only be told from its name.
            if f"-{env.name}-" in folder.name:
                self.damaged.append(shown(folder.name))
                self.refs.append(RunRef(id=shown(folder.name), cause=_plain(str(e), desk)))
            return
        head = run.head
        if (head.environment.name, head.environment.kind) != (env.name, env.kind):
            return
        cause = ""
        if head.candidate != desk.launch.candidate:
            cause = f"it is about {head.candidate}"
        elif run.end is None:
            cause = "it did not end, so nothing green of it counts"
        self.refs.append(
            RunRef(
                id=head.id,
                started_at=head.started_at,
                ended_at=run.end.ended_at if run.end else None,
                who=head.who,
                host=head.host,
                digest=run.end.digest if run.end else "",
                commit=head.suite.commit,
                clean=head.suite.clean,
                counts=dict(Counter(str(v.verdict) for v in run.verdicts.values())),
                cause=cause,
            )
        )
        if head.candidate != desk.launch.candidate:
            return
        if head.suite.clean is not True:
            self.unclean.append(head.id)
        strangers = sorted(set(run.verdicts) - set(desk.procedure.items))
        if strangers:
            self.strangers[head.id] = strangers
        for verdict in run.verdicts.values():
            if verdict.verdict is Verdict.NOT_DUE:
                continue  # it says nothing of the item
            self.of[verdict.id].append(_Looked(run, verdict, run.end is not None))
        times = [head.started_at, *(v.started_at for v in run.verdicts.values())]
        newest = max([*times, run.end.ended_at] if run.end else times)
        self.newest = newest if self.newest is None else max(self.newest, newest)


class _Decided:
    """What those who decide have said of the launch."""

    def __init__(self, desk: Desk, statements: Statements) -> None:
        self.all = statements.decisions()
        valid = [s for s in self.all if s.valid]
        newest: dict[str, str] = {}
        for s in valid:  # newest first
            newest.setdefault(s.statement.by, str(s.statement.data.get("decision", "")))
        self.roles = {s.statement.role for s in valid if newest[s.statement.by] == "go"}
        self.against = sorted(p for p, d in newest.items() if d != "go")
        self.awaited = [r for r in desk.launch.approvers if r not in self.roles]


class _Judge:
    """How items stand, at a moment."""

    def __init__(self, desk: Desk, record: _Record, today: date, all_due: bool) -> None:
        self.desk = desk
        self.record = record
        self.today = today
        self.all_due = all_due
        self.written = set(desk.cards)
        self._papers: dict[tuple[str, ...], dict[str, str]] = {}
        self.fresh = {i.id: desk.launch.freshness(i.id, i.way) for i in desk.procedure}

    def standings(self, now: datetime, statements: Statements) -> list[Standing]:
        """Every item, with statements checked."""
        said: dict[str, list[Signed]] = defaultdict(list)
        for signed in statements.everything():
            said[signed.statement.item].append(signed)
        return [
            self._standing(line, now, said[line.id], statements) for line in self.desk.procedure
        ]

    def states(self, moment: datetime, statements: Statements) -> dict[str, str]:
        """How items stood at an earlier moment, with what had been stated by then."""
        statements.everything()  # their signatures are looked at side by side
        return {i.id: self._state(i, moment, statements)[0] for i in self.desk.procedure}

    def days(self, now: datetime, standings: Sequence[Standing]) -> list[Day]:
        """The course over the days on which something was looked at, the last 60 of them.

        Days that are over are as their runs saw them, which looked at statements too.
        """
        found = {x.at.date() for looked in self.record.of.values() for x in looked}
        out = []
        for day in sorted(found)[-60:]:
            end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            if end <= now:
                counts = Counter(str(self._by_runs(i, end)[0]) for i in self.desk.procedure)
            else:
                counts = Counter(s.state for s in standings)
            out.append(Day(day=day, counts=dict(counts)))
        return out

    def _standing(
        self, line: Item, now: datetime, said: list[Signed], statements: Statements
    ) -> Standing:
        state, reason, looked = self._state(line, now, statements)
        due = self.desk.launch.due(line.due_day)
        is_due = self.all_due or due <= self.today
        is_open = state not in _GREEN
        fresh = self.fresh[line.id]
        return Standing(
            line=as_line(line),
            due=due,
            is_due=is_due,
            counts=is_due or line.due_day < 0,
            state=str(state),
            is_open=is_open,
            reason=reason[:_TEXT_KEPT],
            since=self._since(line.id) if is_open else None,
            looked_at=looked.at if looked else None,
            fresh_until=looked.at + fresh if looked else None,
            run=looked.run.head.id if looked else "",
            how=looked.verdict.how if looked else "",
            remedy=looked.verdict.remedy if looked else "",
            claims=sorted(looked.verdict.claims, key=lambda c: c.holds)[:_CLAIMS_KEPT]
            if looked
            else [],
            said=[_said(s, self.desk) for s in said],
        )

    def _state(
        self, line: Item, now: datetime, statements: Statements
    ) -> tuple[str, str, _Looked | None]:
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
        if exemption is not None:
            was = f"{state}: {reason}".rstrip(": ")
            by = f"{exemption.first.statement.by} and {exemption.second.statement.by}"
            why = exemption.first.statement.text
            reason = f"{why} ({by}, until {exemption.until:%Y-%m-%d}); it was {was}"
            waived = exemption.kind == "waive"
            return Verdict.WAIVED if waived else Verdict.NOT_APPLICABLE, reason, looked
        told = _plain("; ".join(refused), self.desk)
        return state, f"{reason}; {told}".strip("; "), looked

    def _by_runs(self, line: Item, now: datetime) -> tuple[str, str, _Looked | None]:
        looks = self.record.of.get(line.id, [])  # newest first
        first = bisect_left(looks, -now.timestamp(), key=lambda x: -x.at.timestamp())
        looked = looks[first] if first < len(looks) else None
        if looked is None:
            if line.id not in self.written:
                return UNWRITTEN, "nobody has written a check of it yet", None
            return MISSING, "no run on record has looked at it", None
        verdict = looked.verdict.verdict
        if verdict not in _GREEN:
            return verdict, looked.verdict.message, looked
        if not looked.whole:
            return MISSING, f"the run {looked.run.head.id} did not end", looked
        fresh = self.fresh[line.id]
        if looked.at + fresh < now:
            ends = looked.at + fresh
            return STALE, f"its {verdict} counted until {ends:%Y-%m-%d %H:%M} UTC", looked
        return verdict, "", looked

    def _lapsed(self, line: Item, statements: Statements) -> str:
        """Why what people stated of an item does not hold now; empty while it does."""
        card = statements.cards[line.id][0] if line.id in statements.cards else None
        if card is None:
            return "nobody has written a check of it yet"
        try:
            vouched = statements.vouched(line.id, self._digests(card.papers))
            vouched.claims()
        except Pending as e:
            return _plain(str(e), self.desk)
        if card.each:
            people = {s.statement.by for s in vouched.all}
            gone = sorted(p for p in people if vouched.of(p) is None)
            if gone or not people:
                cause = next((s.cause for s in vouched.all if s.cause), "nobody has stated it")
                return _plain(f"{', '.join(gone) or 'nobody'}: {cause}", self.desk)
        return ""

    def _digests(self, papers: tuple[str, ...]) -> dict[str, str]:
        if papers not in self._papers:
            self._papers[papers] = self.desk.digests(papers)
        return self._papers[papers]

    def _since(self, ident: str) -> datetime | None:
        began: datetime | None = None
        for looked in self.record.of.get(ident, []):
            if looked.is_green:
                break
            began = looked.at
        return began


def _rules(
    desk: Desk,
    record: _Record,
    standings: Sequence[Standing],
    decided: _Decided,
    now: datetime,
) -> list[Rule]:
    counted = [s for s in standings if s.counts]
    by_state: dict[str, list[str]] = defaultdict(list)
    for s in counted:
        by_state[s.state].append(s.line.id)
    of = f"among {len(counted)} items"

    def none(name: str, subject: str, ids: Sequence[str], among: str = of) -> Rule:
        observed = f"{_listed(ids)}" if ids else f"none {among}"
        return Rule(name=name, subject=subject, observed=observed, required="none", holds=not ids)

    waived = by_state[Verdict.WAIVED]
    counts = len(counted)
    unreadable = sorted(desk.statements.unreadable)
    used = {s.run for s in counted if s.run}
    rules = [
        Rule(
            name="looked-at-all",
            subject="items that GO rests on",
            observed=f"{counts} of {len(standings)}",
            required="at least one, and each with a verdict",
            holds=counts > 0,
        ),
        none("written", "items without a check", by_state[UNWRITTEN]),
        none("looked-at", "items that no run has looked at", by_state[MISSING]),
        none("failed", "items that failed", by_state[Verdict.FAIL]),
        none("unknown", "items that could not be looked at", by_state[Verdict.UNKNOWN]),
        none("pending", "items that people still have to state", by_state[Verdict.PENDING]),
        none("fresh", "items looked at too long ago", by_state[STALE]),
        Rule(
            name="waivers",
            subject="waivers in force",
            observed=_listed(waived) if waived else "none",
            required=f"at most {desk.launch.waivers}",
            holds=len(waived) <= desk.launch.waivers,
        ),
        none("runs", "runs that cannot be read", record.damaged, f"among {len(record.refs)} runs"),
        none(
            "ids",
            "verdicts on ids that the procedure does not have",
            [f"{i} (in {run})" for run, ids in record.strangers.items() for i in ids],
            f"in {len(record.refs)} runs",
        ),
        none("statements", "statements that cannot be read", unreadable, "in the store"),
        Rule(
            name="clock",
            subject="this clock",
            observed=f"{now:%Y-%m-%d %H:%M:%S} UTC",
            required=(
                f"not before the newest record, {record.newest:%Y-%m-%d %H:%M:%S} UTC"
                if record.newest
                else "not before the newest record"
            ),
            holds=record.newest is None or now + _CLOCKS_DIFFER >= record.newest,
        ),
        Rule(
            name="approved",
            subject="roles that approve the launch",
            observed=", ".join(sorted(decided.roles)) or "none",
            required=", ".join(desk.launch.approvers) or "at least one, named in launch.toml",
            holds=bool(desk.launch.approvers) and not decided.awaited,
        ),
        none("no-objection", "people who decided against it", decided.against, "have"),
    ]
    if desk.environment.kind != "rehearsal":
        rules.append(
            none(
                "committed",
                "runs that count but were made with uncommitted changes",
                [r for r in record.unclean if r in used],
                f"among {len(used)} runs",
            )
        )
    return rules


def _remaining(
    desk: Desk, standings: Sequence[Standing], today: date
) -> tuple[list[Remaining], date | None, str]:
    """What each owner still has to do by the procedure's plan, eight hours a day."""
    waiting = [s for s in standings if s.counts and s.is_open]
    if not waiting:
        return [], today, "nothing stands in the way"
    out = []
    for owner in dict.fromkeys(s.line.owner for s in waiting):
        own = [s for s in waiting if s.line.owner == owner]
        # The procedure plans tasks, so a task counts once however much of it is open.
        tasks = {(s.line.block, s.line.task): s.line.minutes or 0 for s in own}
        minutes = sum(tasks.values())
        days = max(1, math.ceil(minutes / _MINUTES_A_DAY))
        by_work = today + timedelta(days=days - 1)
        out.append(
            Remaining(
                owner=owner or "no owner",
                items=len(own),
                minutes=minutes,
                done_by=max([by_work, *(s.due for s in own)]),
            )
        )
    out.sort(key=lambda x: (x.done_by, x.minutes), reverse=True)
    last = out[0]
    unwritten = sum(s.state == UNWRITTEN for s in waiting)
    if unwritten:
        return out, None, f"{unwritten} items have no check yet, so no day can be named"
    few = "item" if last.items == 1 else "items"
    reason = f"{last.owner} has {last.items} {few} open"
    if last.minutes:
        reason += f", planned for {last.minutes / 60:.3g} h"
    if last.done_by > desk.launch.date:
        reason += f"; the launch is on {desk.launch.date:%Y-%m-%d}, so it has to move"
    return out, last.done_by, reason


def _changes(standings: Sequence[Standing], then: Mapping[str, str]) -> list[Change]:
    return [
        Change(
            id=s.line.id,
            title=s.line.title,
            owner=s.line.owner,
            before=str(then[s.line.id]),
            after=s.state,
            reason=s.reason,
        )
        for s in standings
        if s.state != then[s.line.id]
    ]


def _said(signed: Signed, desk: Desk) -> Said:
    s = signed.statement
    person = desk.roster.people.get(s.by)
    return Said(
        id=signed.id,
        kind=s.kind if s.kind != "approve" else str(s.data.get("decision", "?")),
        by=person.name if person else s.by,
        role=s.role,
        text=s.text[:_TEXT_KEPT],
        risk=s.risk[:_TEXT_KEPT],
        made_at=s.made_at,
        expires_at=s.expires_at,
        cause=signed.cause,
        is_superseded=signed.is_superseded,
        evidence=[e.name for e in s.evidence if e.sha256],
        links=[e.url for e in s.evidence if e.url],
    )


def as_line(item: Item) -> ledger.Line:
    """An item of the procedure as runs and answers carry it."""
    return ledger.Line(
        id=item.id,
        title=item.title,
        owner=item.owner,
        block=item.block,
        block_title=item.block_title,
        phase=item.phase,
        task=item.task,
        time=item.time,
        minutes=item.minutes,
        area=item.area,
        way=item.way,
        effect=item.effect,
        order=item.order,
    )


def _plain(text: str, desk: Desk) -> str:
    """Text about what lies here, without where the folders are on this machine.

    What a run has recorded stays as it is: the same answer has to follow from it anywhere.
    """
    for folder, name in ((desk.papers, "papers"), (desk.reports, "reports")):
        text = text.replace(str(folder), name)
    return text.replace(f"{desk.root}/", "")


def _listed(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)}: {shown}{more}"
