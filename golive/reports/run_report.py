"""The report of one run: what stands in the way, the sheets to sign, every item with its proof."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from golive.ledger import Claim, Gathered, ItemVerdict, Line, Run
from golive.reports import pages
from golive.verdicts import Verdict

T = TypeVar("T")

NOT_REACHED = "NOT REACHED"
"""Selected, but the run ended before it had a verdict."""
UNWRITTEN = "UNWRITTEN"
"""In the procedure, but no check of it exists."""

STATES = (
    Verdict.FAIL,
    Verdict.UNKNOWN,
    NOT_REACHED,
    Verdict.PENDING,
    Verdict.WAIVED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
    Verdict.NOT_DUE,
    UNWRITTEN,
)
"""Every state a page shows, the most pressing first."""

_OPEN = (*(v for v in Verdict if v.is_open), NOT_REACHED)
_RED = (Verdict.FAIL, Verdict.UNKNOWN)
_SIGNABLE = (Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE)
_RANK = {str(state): rank for rank, state in enumerate(STATES)}
_CLAIMS_IN_ROW = 3
_LISTED_PER_OWNER = 6
_LEAD_LENGTH = 400
"""Characters of a message that stand in a row; the whole of it is in the details."""
_ROWS_OPEN = 12
"""Red items up to which all of them stand open."""
_STOPPED_BY_HAND = 2
"""pytest's exit status after Ctrl-C."""
_SHEETS_OPEN = 2
"""Blocks up to which a run's sheets stand open on the screen; on paper they always do."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a probe found, with the figures that fit beside an item."""

    gathered: Gathered
    anchor: str
    glance: list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Row:
    """An item as it stands in the report."""

    line: Line
    state: str
    verdict: ItemVerdict | None
    claims: list[Claim]
    """Those that do not hold first."""
    lead: str
    """What there is to say where claims do not say it."""
    facts: list[Fact]

    @property
    def anchor(self) -> str:
        """Where in the page it is."""
        return anchor("i", self.line.id)

    @property
    def is_open(self) -> bool:
        """Whether it stands in the way."""
        return self.state in _OPEN

    @property
    def measured(self) -> list[Claim]:
        """The claims that fit into a row; of a red item those that made it red."""
        broken = [c for c in self.claims if c.broken]
        seen = [c for c in self.claims if not c.unseen]  # of the others the message tells
        return (broken or seen)[:_CLAIMS_IN_ROW]

    @property
    def message(self) -> str:
        """The verdict's message, unless a claim says the same."""
        said = self.verdict.message if self.verdict else ""
        return "" if any(said.startswith(_spoken(c)) for c in self.claims) else said

    @property
    def tells_more(self) -> bool:
        """Whether the details have something to add to the claims of the row."""
        listed = any(c.see or c.whole or c.sql for c in self.claims)
        return listed or len(self.claims) > len(self.measured)


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a block."""

    title: str
    time: str
    minutes: int | None
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Block:
    """A block: what its owner signs."""

    mark: str
    title: str
    owner: str
    phase: str
    tasks: list[Task]
    unwritten: list[Line]
    minutes: int
    counts: dict[str, int]
    reasons: list[str]
    """Why it cannot be signed; empty when it can."""

    @property
    def rows(self) -> list[Row]:
        """Its items."""
        return [row for task in self.tasks for row in task.rows]

    @property
    def anchor(self) -> str:
        """Where in the page its items begin."""
        return anchor("b", self.mark)


@dataclass(frozen=True, slots=True)
class InTheWay:
    """What one owner has to see to."""

    owner: str
    rows: list[Row]
    counts: dict[str, int]

    @property
    def first(self) -> list[Row]:
        """What is listed at once."""
        return self.rows[:_LISTED_PER_OWNER]

    @property
    def rest(self) -> list[Row]:
        """What a click lists."""
        return self.rows[_LISTED_PER_OWNER:]


@dataclass(frozen=True, slots=True)
class View:
    """All that the page says of a run."""

    run: Run
    title: str
    answer: str
    caveats: list[str]
    clear: bool
    blocks: list[Block]
    in_the_way: list[InTheWay]
    counts: dict[str, int]
    unwritten: list[tuple[str, list[Line]]]
    facts: list[Fact]

    @property
    def is_rehearsal(self) -> bool:
        """Whether it decides nothing."""
        return self.run.head.environment.kind == "rehearsal"

    @property
    def duration_s(self) -> float | None:
        """From start to end."""
        end = self.run.end
        return (end.ended_at - self.run.head.started_at).total_seconds() if end else None

    @property
    def sheets_open(self) -> bool:
        """Whether the sheets are few enough to stand open on a screen."""
        return len(self.blocks) <= _SHEETS_OPEN

    def opens(self, row: Row) -> bool:
        """Whether a row stands open at first: what is red, while there is little of it."""
        return row.state in _RED and sum(self.counts.get(str(s), 0) for s in _RED) <= _ROWS_OPEN

    def all_of(self, what: Callable[[Line], str]) -> list[str]:
        """The different values of something over all selected items."""
        return sorted({what(line) for line in self.run.head.selected})

    @property
    def owners(self) -> list[str]:
        """Owners to filter by."""
        return self.all_of(lambda line: line.owner)

    @property
    def areas(self) -> list[str]:
        """Areas to filter by."""
        return self.all_of(lambda line: line.area)


def write_run_report(run: Run, *paths: Path) -> Path:
    """Write the report of a run, ended or not, as one file that needs nothing else.

    :param paths: where to; each is the same page.
    :returns: the last of them.
    :raises GoliveError: a file cannot be written.
    """
    html = page(run)
    return [pages.write(path, html) for path in paths][-1]


def page(run: Run) -> str:
    """The report as HTML."""
    return pages.render(
        "run.html.j2",
        view=view_of(run),
        run=run,
        head=run.head,
        digest=run.digest,
        running=pages.running(f"Run {run.head.id}, digest {run.digest[:12]}"),
        states=[str(s) for s in STATES],
    )


def view_of(run: Run) -> View:
    """What a run says, in the order in which one reads it."""
    facts = {name: _fact(gathered) for name, gathered in run.facts.items()}
    rows = [_row(line, run, facts) for line in run.lines.values()]
    unwritten = sorted(run.head.unwritten, key=lambda line: line.order)
    blocks = _blocks(rows, unwritten, run)
    waiting = [row for row in rows if row.is_open]
    return View(
        run=run,
        title=blocks[0].title if len(blocks) == 1 else "Launch validation",
        answer=_answer(len(waiting), len(rows)),
        caveats=_caveats(run, rows),
        clear=bool(rows) and not waiting,
        blocks=blocks,
        in_the_way=_in_the_way(waiting),
        counts=_counts([r.state for r in rows] + [UNWRITTEN] * len(unwritten)),
        unwritten=[
            (lines[0].block_title, lines) for lines in _grouped(unwritten, lambda x: x.block)
        ],
        facts=list(facts.values()),
    )


def anchor(kind: str, name: str) -> str:
    """An id for HTML."""
    return f"{kind}-{re.sub(r'[^A-Za-z0-9._-]', '-', name)}"


def _row(line: Line, run: Run, facts: dict[str, Fact]) -> Row:
    verdict = run.verdicts.get(line.id)
    if verdict is None:
        return Row(line, NOT_REACHED, None, [], "The run ended before its turn.", [])
    claims = sorted(verdict.claims, key=lambda c: (c.holds, c.unseen))
    return Row(
        line=line,
        state=str(verdict.verdict),
        verdict=verdict,
        claims=claims,
        lead=_lead(verdict, claims),
        facts=[facts[name] for name in verdict.facts if name in facts],
    )


def _lead(verdict: ItemVerdict, claims: list[Claim]) -> str:
    """What the row says when claims do not: why it is as it is, or what held."""
    if verdict.verdict == Verdict.PASS:
        return "" if claims else _shortened("; ".join(verdict.asserted[:_CLAIMS_IN_ROW]))
    reported = any(c.broken for c in claims)
    return "" if reported else _shortened(verdict.message)


def _spoken(claim: Claim) -> str:
    return f"{claim.subject}: {claim.observed}; required {claim.required}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LEAD_LENGTH else f"{text[:_LEAD_LENGTH].rstrip()} …"


def _fact(gathered: Gathered) -> Fact:
    value = gathered.value
    pairs = value.items() if isinstance(value, dict) else ()
    glance = [(k, v) for k, v in pairs if pages.is_scalar(v) and len(str(v)) <= 60]
    return Fact(gathered, anchor("f", gathered.probe), glance[:6])


def _blocks(rows: list[Row], unwritten: list[Line], run: Run) -> list[Block]:
    blocks = []
    for members in _grouped(rows, lambda r: r.line.block):
        line = members[0].line
        missing = [u for u in unwritten if u.block == line.block]
        tasks = [
            Task(group[0].line.task, group[0].line.time, group[0].line.minutes, group)
            for group in _grouped(members, lambda r: r.line.task)
        ]
        planned = {x.task: x.minutes or 0 for x in [*(r.line for r in members), *missing]}
        counts = _counts([r.state for r in members] + [UNWRITTEN] * len(missing))
        reasons = [f"{n} {state}" for state, n in counts.items() if state not in _SIGNABLE]
        if not _is_whole([r.line for r in members] + missing, run):
            reasons.append("not all of its items were selected")
        if run.end is None:
            reasons.append("the run did not end")
        blocks.append(
            Block(
                mark=line.block,
                title=line.block_title,
                owner=line.owner,
                phase=line.phase,
                tasks=tasks,
                unwritten=missing,
                minutes=sum(planned.values()),
                counts=counts,
                reasons=reasons,
            )
        )
    return blocks


def _is_whole(lines: list[Line], run: Run) -> bool:
    """Whether these are all items that the procedure has in their block."""
    return len(lines) == run.head.blocks.get(lines[0].block, -1)


def _in_the_way(rows: list[Row]) -> list[InTheWay]:
    found = []
    for members in _grouped(sorted(rows, key=lambda r: r.line.owner), lambda r: r.line.owner):
        members.sort(key=lambda r: (_RANK[r.state], r.line.order))
        counts = _counts([r.state for r in members])
        found.append(InTheWay(members[0].line.owner, members, counts))
    return sorted(found, key=lambda w: [-w.counts.get(str(s), 0) for s in STATES])


def _answer(waiting: int, total: int) -> str:
    if not total:
        return "Nothing was looked at"
    if not waiting:
        return "Nothing that was looked at stands in the way"
    verb = "stands" if waiting == 1 else "stand"
    return f"{waiting:,} of {pages.counted(total, 'item')} {verb} in the way"


def _caveats(run: Run, rows: list[Row]) -> list[str]:
    head, said = run.head, []
    missed = sum(row.state == NOT_REACHED for row in rows)
    if run.end is None:
        said.append(
            f"The run was interrupted: it has {pages.counted(len(run.verdicts), 'verdict')}"
            f" for {pages.counted(len(rows), 'selected item')} and no end. It cannot be signed."
        )
    elif missed:
        why = "was stopped" if run.end.exit_status == _STOPPED_BY_HAND else "ended"
        said.append(f"The run {why} before {pages.counted(missed, 'item')} had a turn.")
    if head.unwritten:
        n = len(head.unwritten)
        said.append(
            f"{pages.counted(n, 'item')} of the procedure {'is' if n == 1 else 'are'} not"
            f" written yet; {'it counts' if n == 1 else 'each counts'} against GO."
        )
    if head.deselected:
        n = head.deselected
        said.append(
            f"{pages.counted(n, 'written item')} {'was' if n == 1 else 'were'} not part of"
            " this run."
        )
    if head.report_only:
        said.append("It ran with --report-only: its exit status says nothing.")
    if head.suite.clean is not True:
        said.append(
            "The suite had changes that are not committed."
            if head.suite.clean is False
            else "Whether the suite had uncommitted changes is not known."
        )
    return said


def _counts(states: Iterable[str]) -> dict[str, int]:
    found = Counter(states)
    return {str(s): found[s] for s in STATES if found[s]}


def _grouped(members: Iterable[T], key: Callable[[T], str]) -> list[list[T]]:
    """Members with the same key together, in the order in which keys first appear."""
    groups: dict[str, list[T]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    return list(groups.values())
