"""From the verdicts of many runs, and from what people have signed, to one answer.

Fails closed: what was not looked at, does not hold any more, cannot be read, or is about another
candidate or environment is never counted towards GO.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec

from golive import chain, ledger
from golive.answer import (
    GO,
    MISSING,
    NO_GO,
    STALE,
    SUSPECT,
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
from golive.context import Context
from golive.files import shown
from golive.masking import clean
from golive.procedure import Item
from golive.statements import Signed, Statements, digest_of
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


def newest(context: Context, wanted: Iterable[str]) -> dict[str, Finding]:
    """The newest verdict of each wanted item in the context's environment; absent where there is
    none.

    Verdicts of other environments never count, and neither do those of an unreadable run. One
    that is green and cannot count as such (see :func:`suspect`) is UNKNOWN, with the reason.
    """
    missing = set(wanted)
    found: dict[str, Finding] = {}
    for run in _runs(context.reports, context.environment.name, newest_first=True):
        if not missing:
            break
        wanted_here = missing & set(run.verdicts)
        unusable = _unusable(run, context) if wanted_here else ""
        for ident in wanted_here:
            verdict = run.verdicts[ident]
            cause = unusable or suspect(run, verdict, context)
            if verdict.verdict in _GREEN and cause:
                verdict = msgspec.structs.replace(
                    verdict, verdict=Verdict.UNKNOWN, message=f"{SUSPECT}: {cause}; look again"
                )
            found[ident] = Finding(run, run.lines[ident], verdict)
        missing -= set(found)
    return found


def suspect(run: ledger.Run, verdict: ledger.ItemVerdict, context: Context) -> str:
    """Why a verdict that says it is green does not count as such now; empty where it does.

    It counts only while its check, the thresholds that this used, the environment and golive's
    own code are as they were when it was looked at.
    """
    head, origin = run.head, context.origin
    strange = [p for p in (*head.plugins, *(run.end.plugins if run.end else ())) if not p.known]
    if strange and context.environment.kind != "rehearsal":
        return (
            f"{strange[0].name} ({strange[0].source}) was loaded, which golive did not bring and"
            " launch.plugins of launch.toml does not name"
        )
    if head.engine != origin.engine:
        return "golive itself has changed since"
    if verdict.check != origin.checks.get(verdict.id):
        return "its check has changed since"
    for name, value in verdict.limits.items():
        now = context.launch.limits.get(name)
        if now != value:
            is_now = "gone" if now is None else f"{now:g}"
            return f"the threshold {name} was {value:g} then and is {is_now} now"
    # A rehearsal has other ports whenever it comes up, and decides nothing.
    if (
        context.environment.kind != "rehearsal"
        and head.environment.fingerprint != origin.fingerprint
    ):
        return "the environment is described otherwise since"
    return ledger.unproved(verdict)


def _unusable(run: ledger.Run, context: Context) -> str:
    """Why nothing green of a run counts, besides those of the run that goes on here."""
    if run.head.id == context.current_run:
        return ""
    if run.end is None:
        return f"the run {run.head.id} did not end"
    if context.environment.kind == "rehearsal":
        return ""
    cause = ledger.unsigned(run, context.roster)
    return f"the run {run.head.id}: {cause}" if cause else ""


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
    context: Context,
    *,
    today: date,
    all_due: bool = False,
    now: datetime | None = None,
    before: datetime | None = None,
    elsewhere: Sequence[str] | None = None,
) -> Answer:
    """Whether it can be launched, with every rule and every item.

    :param today: the day as which the launch is looked at.
    :param all_due: everything is due, as in a rehearsal without a day of its own.
    :param before: the moment to compare with; default: a day ago.
    :param elsewhere: records that the store of launch.toml holds and that are not here, see
        :func:`golive.store.compare`; None: nobody has compared.
    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    moment = now or datetime.now(UTC)
    earlier = before or moment - timedelta(days=1)
    record = _Record(context)
    statements = context.statements.here(moment)
    judge = _Judge(context, record, today, all_due)
    standings = judge.standings(moment, statements)
    then = (
        judge.states(earlier, statements.here(earlier, past=True))
        if record.was_there(earlier)
        else None
    )
    seen = _readiness(context, record, standings)
    decided = _Decided(context, statements, seen)
    rules = _rules(context, record, standings, decided, moment, statements, elsewhere)
    remaining, earliest, reason = _remaining(context, standings, today)
    return Answer(
        environment=context.environment.name,
        environment_kind=context.environment.kind,
        environment_title=context.environment.title,
        candidate=context.launch.candidate,
        launch_date=context.launch.date,
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
        decisions=[_said(s, context) for s in decided.all],
        awaited=decided.awaited,
        readiness=seen,
        rule_changes=record.rule_changes(context),
        rules_since=record.first.started_at if record.first else None,
        elsewhere=None if elsewhere is None else list(elsewhere),
        holders={
            i.owner: [p.name for p in context.roster.holders(i.owner_mark)]
            for i in context.procedure
            if i.owner
        },
    )


def counts(context: Context, moment: datetime) -> dict[str, int]:
    """How many items were in each state at a moment, by what was on record then.

    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    all_due = context.environment.kind == "rehearsal"
    answer = assess(context, today=moment.date(), all_due=all_due, now=moment)
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

    suspect: str = ""
    """Why it does not count, where it says that it is green."""

    @property
    def is_green(self) -> bool:
        return self.whole and not self.suspect and self.verdict.verdict in _GREEN


class _Record:
    """The runs of one environment and candidate, and what is wrong with others."""

    def __init__(self, context: Context) -> None:
        self.refs: list[RunRef] = []
        self.damaged: dict[str, str] = {}
        """What lies among the runs and can never count, by name, with the reason."""
        self.records: list[chain.Record] = []
        self.strangers: dict[str, list[str]] = {}
        self.unclean: list[str] = []
        self.others: list[str] = []
        """Runs with other suites than those that lie here."""
        self.first: ledger.Head | None = None
        self.of: dict[str, list[_Looked]] = defaultdict(list)
        """Verdicts of each item, newest first."""
        self.newest: datetime | None = None
        place = context.reports / "runs"
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            self._add(folder, context)
        for looked in self.of.values():
            looked.sort(key=lambda x: x.at, reverse=True)
        self._ages = {i: [-x.at.timestamp() for x in looked] for i, looked in self.of.items()}
        self.refs.reverse()

    def unended(self, records: Sequence[chain.Record]) -> dict[str, str]:
        """Runs that did not end and that no later record names as they lie there."""
        named = {(i, sha256) for r in records for i, sha256 in r.before.items()}
        own = {r.id: r.sha256 for r in self.records}
        return {
            ref.id: "it did not end, and no later record names it; look again, or wait for its end"
            for ref in self.refs
            if ref.started_at and not ref.ended_at and (ref.id, own.get(ref.id)) not in named
        }

    def newest_of(self, ident: str, moment: datetime) -> _Looked | None:
        """The newest look at an item by a moment."""
        first = bisect_left(self._ages.get(ident, []), -moment.timestamp())
        looked = self.of.get(ident, [])
        return looked[first] if first < len(looked) else None

    def rule_changes(self, context: Context) -> list[str]:
        """What is otherwise now than the first run on record says."""
        return [] if self.first is None else changed_rules(self.first.rules, context.rules)

    def was_there(self, moment: datetime) -> bool:
        """Whether anything had been looked at by then."""
        return any(looked[-1].at <= moment for looked in self.of.values())

    def _add(self, folder: Path, context: Context) -> None:
        env = context.environment
        try:
            run = _whole_run(folder)
        except GoliveError as e:
            # What cannot be read may be of any environment, whatever its name claims.
            if context.statements.set_aside(folder.name, digest_of(folder)) is None:
                self.damaged[folder.name] = _plain(str(e), context)
                self.refs.append(RunRef(id=shown(folder.name), cause=_plain(str(e), context)))
            return
        head = run.head
        if head.environment.name != env.name:
            return
        self.records.append(chain.Record(head.id, run.sha256, head.before))
        if self.first is None:
            self.first = head
        cause = self._wrong(run, folder, context)
        unusable = cause or _plain(_unusable(run, context), context)
        if not cause and head.candidate != context.launch.candidate:
            unusable = f"it is about {head.candidate}"
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
                by=run.end.by if run.end else "",
                counts=dict(Counter(str(v.verdict) for v in run.verdicts.values())),
                cause=unusable,
            )
        )
        if head.candidate != context.launch.candidate:
            return
        if head.suite.clean is not True:
            self.unclean.append(head.id)
        if head.suite.digest != context.origin.suite.digest:
            self.others.append(head.id)
        strangers = sorted(set(run.verdicts) - set(context.procedure.items))
        if strangers:
            self.strangers[head.id] = strangers
        for verdict in run.verdicts.values():
            if verdict.verdict is Verdict.NOT_DUE:
                continue  # it says nothing of the item
            doubt = suspect(run, verdict, context) if verdict.verdict in _GREEN else ""
            self.of[verdict.id].append(_Looked(run, verdict, not unusable, doubt))
        times = [head.started_at, *(v.started_at for v in run.verdicts.values())]
        newest = max([*times, run.end.ended_at] if run.end else times)
        self.newest = newest if self.newest is None else max(self.newest, newest)

    def _wrong(self, run: ledger.Run, folder: Path, context: Context) -> str:
        """Why a run that can be read keeps the rule on runs from holding; empty where it does
        not. A run that was killed is noted once a later record names it."""
        cause = ""
        if run.head.environment.kind != context.environment.kind:
            cause = f"it says that {context.environment.name} is a {run.head.environment.kind}"
        elif run.end is not None and context.environment.kind != "rehearsal":
            cause = _plain(ledger.unsigned(run, context.roster), context)
        if cause and context.statements.set_aside(folder.name, digest_of(folder)) is None:
            self.damaged[folder.name] = cause
        return cause


def _whole_run(folder: Path) -> ledger.Run:
    """What lies among the runs, if it is one.

    :raises GoliveError: it is none, is damaged, or goes by another name than its own.
    """
    if folder.name.startswith(".") or folder.is_symlink() or not folder.is_dir():
        raise GoliveError(f"{folder}: is no run; expected nothing else among the runs")
    run = ledger.read_run(folder, facts=False)
    if run.head.id != folder.name:
        raise GoliveError(f"{folder}: holds the run {run.head.id}; expected it under that name")
    if f"-{run.head.environment.name}-" not in folder.name:
        raise GoliveError(f"{folder}: is of {run.head.environment.name}, its name says another")
    return run


class _Decided:
    """What those who decide have said of the launch."""

    def __init__(self, context: Context, statements: Statements, readiness: str) -> None:
        self.all = [_of_now(s, readiness) for s in statements.decisions()]
        valid = [s for s in self.all if s.valid]
        no = [s for s in valid if s.statement.data.get("decision") == "no-go"]
        refused = {s.statement.role for s in no}
        self.against = sorted({s.statement.by for s in no})
        # A role has approved while one of its people says go and none of them no-go.
        self.roles = {s.statement.role for s in valid} - refused
        self.awaited = [r for r in context.launch.approvers if r not in self.roles]


def _of_now(signed: Signed, readiness: str) -> Signed:
    """A decision, which holds as a go only for the readiness that it saw."""
    s = signed.statement
    if signed.cause or s.data.get("decision") != "go" or s.readiness == readiness:
        return signed
    return replace(signed, cause="what it rests on was looked at again, or stands otherwise, since")


def _readiness(context: Context, record: _Record, standings: Sequence[Standing]) -> str:
    """SHA-256 of what an approval rests on: each item planned before the launch, how it stands and
    which run says so, by which suites, environment and code. Items that record the decision
    itself (``people.decision`` of launch.toml) are looked at after it."""
    origin, known = context.origin, {r.id: r.sha256 for r in record.records}
    seen = {
        s.line.id: [s.state, known.get(s.run, "")]
        for s in standings
        if context.procedure.items[s.line.id].due_day < 0
        and not context.launch.records_the_decision(s.line.id)
    }
    basis = [context.launch.candidate, origin.engine, origin.fingerprint, origin.suite.digest, seen]
    return hashlib.sha256(msgspec.json.encode(basis, order="sorted")).hexdigest()


class _Judge:
    """How items stand, at a moment."""

    def __init__(self, context: Context, record: _Record, today: date, all_due: bool) -> None:
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
            said=[_said(s, self.context) for s in said],
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
        told = _plain("; ".join(refused), self.context)
        return state, f"{reason}; {told}".strip("; "), looked

    def _by_runs(self, line: Item, now: datetime) -> tuple[str, str, _Looked | None]:
        looked = self.record.newest_of(line.id, now)
        if looked is None:
            if line.id not in self.written:
                return UNWRITTEN, "nobody has written a check of it yet", None
            return MISSING, "no run on record has looked at it", None
        verdict = looked.verdict.verdict
        if verdict not in _GREEN:
            return verdict, looked.verdict.message, looked
        if not looked.whole:
            cause = _plain(_unusable(looked.run, self.context), self.context)
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
        card = statements.cards[line.id][0] if line.id in statements.cards else None
        if card is None:
            return "nobody has written a check of it yet"
        try:
            vouched = statements.vouched(line.id, self._digests(card.papers))
            vouched.claims()
        except Pending as e:
            return _plain(str(e), self.context)
        if card.each:
            people = {s.statement.by for s in vouched.all}
            gone = sorted(p for p in people if vouched.of(p) is None)
            if gone or not people:
                cause = next((s.cause for s in vouched.all if s.cause), "nobody has stated it")
                return _plain(f"{', '.join(gone) or 'nobody'}: {cause}", self.context)
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


def _rules(
    context: Context,
    record: _Record,
    standings: Sequence[Standing],
    decided: _Decided,
    now: datetime,
    statements: Statements,
    elsewhere: Sequence[str] | None,
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
    disputed = _told(context.statements.disputed(), context)
    used = {s.run for s in counted if s.run}
    is_rehearsal = context.environment.kind == "rehearsal"
    records = [
        *record.records,
        *(
            chain.Record(s.id, s.sha256, s.statement.before)
            for s in statements.kept
            if s.statement.environment == context.environment.name
        ),
    ]
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
        none("suspect", "items whose check, threshold or code is another now", by_state[SUSPECT]),
        none("fresh", "items looked at too long ago", by_state[STALE]),
        Rule(
            name="waivers",
            subject="waivers in force",
            observed=_listed(waived) if waived else "none",
            required=f"at most {context.launch.waivers}",
            holds=len(waived) <= context.launch.waivers,
        ),
        none(
            "runs",
            "runs that cannot be trusted",
            _told(record.damaged | ({} if is_rehearsal else record.unended(records)), context),
            f"among {len(record.refs)} runs",
        ),
        none(
            "ids",
            "verdicts on ids that the procedure does not have",
            [f"{i} (in {run})" for run, ids in record.strangers.items() for i in ids],
            f"in {len(record.refs)} runs",
        ),
        none("statements", "statements that cannot be trusted", disputed, "among those here"),
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
            required=", ".join(context.launch.approvers) or "at least one, named in launch.toml",
            holds=bool(context.launch.approvers) and not decided.awaited,
        ),
        none("no-objection", "people who decided against it", decided.against, "have"),
    ]
    if not is_rehearsal:
        known = {*record.damaged, *context.statements.disputed()}
        rules += [
            none(
                "chain",
                "records that others name and that are not here, or not as they were",
                _told(_gaps(records, known, context), context),
                f"among {len(records)} records",
            ),
            _committed(context, record, used),
        ]
    if context.launch.store:
        rules.append(_stored(elsewhere))
    return rules


def _committed(context: Context, record: _Record, used: set[str]) -> Rule:
    """Whether what was run, and what lies here, is what was committed."""
    unclean = [f"{r} was made with uncommitted changes" for r in record.unclean if r in used]
    others = [f"{r} was made with other suites than these" for r in record.others if r in used]
    now = context.origin.suite.clean
    here = (
        []
        if now
        else [
            "the suites here differ from their commit"
            if now is False
            else "git cannot say whether the suites here are committed"
        ]
    )
    wrong = [*here, *unclean, *others]
    return Rule(
        name="committed",
        subject="the suites, and those of the runs that count",
        observed=_listed(wrong) if wrong else f"as committed; runs that count: {len(used)}",
        required="as committed, and the same",
        holds=not wrong,
    )


def _stored(elsewhere: Sequence[str] | None) -> Rule:
    """Whether everything that the store holds is here."""
    if elsewhere is None:
        observed = "nobody has compared"
    else:
        observed = _listed(elsewhere) if elsewhere else "none"
    return Rule(
        name="store",
        subject="records of the store that are not here",
        observed=observed,
        required="none (`golive pull` fetches them)",
        holds=elsewhere is not None and not elsewhere,
    )


def _gaps(records: Sequence[chain.Record], told: Iterable[str], context: Context) -> dict[str, str]:
    """What the chain misses and two people have not set aside.

    :param told: names of what lies here damaged, which other rules tell.
    """
    return {
        ident: why
        for ident, why in chain.gaps(records).items()
        if ident not in told and not _is_set_aside(ident, context)
    }


def _is_set_aside(ident: str, context: Context) -> bool:
    """Whether two people have set a record aside, damaged as it lies there or missing."""
    run = context.reports / "runs" / ident
    place = run if "/" not in ident and run.exists() else context.statements.place_of(ident)
    return context.statements.set_aside(ident, digest_of(place) if place else "") is not None


def _told(found: Mapping[str, str], context: Context) -> list[str]:
    return [f"{clean(name)} ({_plain(why, context)})" for name, why in sorted(found.items())]


def changed_rules(then: ledger.Rules, now: ledger.Rules) -> list[str]:
    """What is otherwise in thresholds, approvers and roster, one line each."""
    out = []
    for name in sorted({*then.thresholds, *now.thresholds}):
        old, new = then.thresholds.get(name), now.thresholds.get(name)
        if old != new:
            was, is_now = ("none" if v is None else f"{v:g}" for v in (old, new))
            out.append(f"threshold {name}: {was}, now {is_now}")
    out += [
        f"approvers: {role} {'came' if role in now.approvers else 'left'}"
        for role in sorted(set(then.approvers) ^ set(now.approvers))
    ]
    for person in sorted({*then.people, *now.people}):
        old_one, new_one = then.people.get(person), now.people.get(person)
        if old_one is None or new_one is None:
            out.append(f"roster: {person} {'came' if old_one is None else 'left'}")
            continue
        if old_one.roles != new_one.roles:
            roles = [", ".join(p.roles) or "no role" for p in (old_one, new_one)]
            out.append(f"roster: {person} was {roles[0]}, now {roles[1]}")
        if old_one.keys != new_one.keys:
            out.append(f"roster: {person} has other keys")
    return out


def _remaining(
    context: Context, standings: Sequence[Standing], today: date
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
    if last.done_by > context.launch.date:
        reason += f"; the launch is on {context.launch.date:%Y-%m-%d}, so it has to move"
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


def _said(signed: Signed, context: Context) -> Said:
    s = signed.statement
    person = context.roster.people.get(s.by)
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


def _plain(text: str, context: Context) -> str:
    """Text about what lies here, without where the folders are on this machine.

    What a run has recorded stays as it is: the same answer has to follow from it anywhere.
    """
    for folder, name in ((context.papers, "papers"), (context.reports, "reports")):
        text = text.replace(str(folder), name)
    return text.replace(f"{context.root}/", "")


def _listed(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)}: {shown}{more}"
