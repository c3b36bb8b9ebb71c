"""The launch page: can we launch, what is in the way, whose is it, what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from golive.answer import GO, MISSING, STALE, SUSPECT, UNWRITTEN, Answer, Change, Standing
from golive.reports import pages
from golive.reports.run_report import anchor
from golive.verdicts import Verdict

T = TypeVar("T")

STATES = (
    str(Verdict.FAIL),
    str(Verdict.UNKNOWN),
    SUSPECT,
    STALE,
    str(Verdict.PENDING),
    MISSING,
    UNWRITTEN,
    str(Verdict.NOT_DUE),
    str(Verdict.WAIVED),
    str(Verdict.PASS),
    str(Verdict.NOT_APPLICABLE),
)
"""Every state that the page shows, the most pressing first."""

_GREEN = frozenset({str(Verdict.PASS), str(Verdict.WAIVED), str(Verdict.NOT_APPLICABLE)})
_RANK = {state: n for n, state in enumerate(STATES)}
_ABOUT_ITEMS = frozenset(
    {"looked-at-all", "written", "looked-at", "failed", "unknown", "pending", "suspect", "fresh"}
)
"""Rules that the number of items in the way tells already."""
_LISTED_PER_OWNER = 6
_ACT_NEXT = 3
_CHANGES_LISTED = 12
_IN_A_COLUMN = 3
"""Blocks of a day up to which each stands in the day's own column."""
_COLUMN, _CELL, _HEAD = 50, 46, 44
"""Width of a day, height of a block and height of the dates, in units of the timeline."""
_SAYS = {
    "attest": "states",
    "waive": "waives it",
    "not-applicable": "declares it not applicable",
    "revoke": "revokes",
    "go": "GO",
    "no-go": "NO-GO",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An item as the page shows it."""

    standing: Standing
    state: str
    """As the standing says; NOT DUE where nobody has to have looked at it yet."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.standing.line.id

    @property
    def anchor(self) -> str:
        """Where in the page it is."""
        return anchor("i", self.id)

    @property
    def waits(self) -> bool:
        """Whether it stands in the way of GO."""
        return self.standing.is_open and self.standing.counts

    @property
    def why(self) -> str:
        """The reason in a line: what was measured, where that tells it."""
        broken = next((c for c in self.standing.claims if c.broken), None)
        if self.state == Verdict.FAIL and broken is not None:
            return f"{broken.subject}: {broken.observed}; required {broken.required}"
        return self.standing.reason


@dataclass(frozen=True, slots=True)
class Block:
    """A block with its items, task by task."""

    mark: str
    title: str
    owner: str
    due: date
    tasks: list[tuple[str, list[Row]]]

    @property
    def rows(self) -> list[Row]:
        """Its items."""
        return [row for _, rows in self.tasks for row in rows]

    @property
    def anchor(self) -> str:
        """Where in the page it begins."""
        return anchor("b", self.mark)

    @property
    def state(self) -> str:
        """The most pressing state of its items."""
        return min((r.state for r in self.rows), key=_RANK.__getitem__)

    @property
    def green(self) -> int:
        """How many of its items hold."""
        return sum(r.state in _GREEN for r in self.rows)

    @property
    def tally(self) -> str:
        """Its counts in words."""
        return tally_of(r.state for r in self.rows)


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in the timeline: one block, or a day's, which stand in a row of their own."""

    x: float
    y: float
    state: str
    label: str
    tells: str
    link: str


@dataclass(frozen=True, slots=True)
class Column:
    """A day, or a block of a day with many."""

    x: float
    head: str
    below: str
    is_today: bool
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Strip:
    """Columns side by side: as wide as ``columns`` of ``step``."""

    columns: list[Column]
    step: int
    height: int

    @property
    def width(self) -> int:
        """In units of the drawing."""
        return self.step * len(self.columns)


@dataclass(frozen=True, slots=True)
class Whose:
    """What one owner still has to see to."""

    owner: str
    holders: str
    rows: list[Row]
    minutes: int
    done_by: date
    since: datetime | None

    @property
    def tally(self) -> str:
        """Its counts in words."""
        return tally_of(r.state for r in self.rows)

    @property
    def first(self) -> list[Row]:
        """What is listed at once."""
        return self.rows[:_LISTED_PER_OWNER]

    @property
    def rest(self) -> list[Row]:
        """What a click lists."""
        return self.rows[_LISTED_PER_OWNER:]


@dataclass(frozen=True, slots=True)
class Bar:
    """A day in the plot of readiness: its states from the ground up, of 100."""

    day: date
    green: int
    counts: dict[str, int]
    x: float
    width: float
    pieces: list[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do, and the command for it."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All that the page says."""

    answer: Answer
    sentence: str
    countdown: str
    counts: dict[str, int]
    """Of the items that GO rests on."""
    later: int
    whose: list[Whose]
    steps: list[Step]
    """What has to be done where it is not about items."""
    strips: list[Strip]
    busy: list[tuple[date, list[Strip]]]
    """Days with many blocks, block by block."""
    blocks: list[Block]
    better: list[Change]
    worse: list[Change]
    bars: list[Bar]
    course: str

    @property
    def next(self) -> list[Whose]:
        """Who has the most ahead."""
        return self.whose[:_ACT_NEXT]

    @property
    def rows(self) -> list[Row]:
        """All items."""
        return [row for block in self.blocks for row in block.rows]

    @property
    def owners(self) -> list[str]:
        """Owners to filter by."""
        return sorted({r.standing.line.owner for r in self.rows})

    @property
    def areas(self) -> list[str]:
        """Areas to filter by."""
        return sorted({r.standing.line.area for r in self.rows})

    @property
    def shown(self) -> dict[str, int]:
        """Counts of all items, as the filter has them."""
        return counts_of_states(r.state for r in self.rows)


def write_launch_page(answer: Answer, path: Path) -> Path:
    """Write the page of an answer as one file that needs nothing else.

    :raises GoliveError: the file cannot be written.
    """
    return pages.write(path, page(answer))


def page(answer: Answer) -> str:
    """The page as HTML: the same bytes for the same answer."""
    return pages.render(
        "launch.html.j2",
        view=view_of(answer),
        answer=answer,
        rules=sorted(answer.rules, key=lambda r: r.holds),
        anchor=anchor,
        says=_SAYS,
        is_go=answer.answer == GO,
        listed=_CHANGES_LISTED,
        running=pages.running(
            f"{answer.answer}, {answer.candidate} on {answer.environment},"
            f" {answer.made_at:%Y-%m-%d %H:%M} UTC"
        ),
    )


def view_of(answer: Answer) -> View:
    """What an answer says, in the order in which one reads it."""
    blocks = _blocks(answer)
    rows = [row for block in blocks for row in block.rows]
    counted = [r for r in rows if r.standing.counts]
    strips, busy = _timeline(answer, blocks)
    worse = [c for c in answer.changes if not _is_better(c)]
    bars = _bars(answer)
    return View(
        answer=answer,
        sentence=_sentence(answer, len(counted)),
        countdown=_countdown(answer),
        counts=counts_of_states(r.state for r in counted),
        later=len(rows) - len(counted),
        whose=_whose(answer, rows),
        steps=_steps(answer),
        strips=strips,
        busy=busy,
        blocks=blocks,
        better=[c for c in answer.changes if _is_better(c)],
        worse=sorted(worse, key=lambda c: _RANK.get(c.after, 0)),
        bars=bars,
        course=_course(bars, len(rows)),
    )


def tally_of(states: Iterable[str]) -> str:
    """``2 FAIL, 14 PASS``, the most pressing first."""
    return ", ".join(f"{n} {state}" for state, n in counts_of_states(states).items())


# -- the answer --------------------------------------------------------------------------------


def _sentence(answer: Answer, counted: int) -> str:
    """The answer in one sentence that says why."""
    waiting = len(answer.in_the_way)
    said = []
    if waiting:
        verb = "stands" if waiting in (1, counted) else "stand"
        of = "every one" if waiting == counted else f"{waiting:,}"
        said.append(f"{of} of {pages.counted(counted, 'item')} {verb} in the way")
    elif not counted:
        said.append("there is no item that GO could rest on")
    if answer.awaited:
        n = len(answer.awaited)
        verb = "has" if n == 1 else "have"
        said.append(f"{pages.counted(n, 'role')} {verb} yet to approve")
    others = [r for r in answer.broken if r.name not in _ABOUT_ITEMS and r.name != "approved"]
    if others:
        subjects = ", ".join(r.subject for r in others[:2])
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        verb = "rule is" if len(others) == 1 else "rules are"
        said.append(f"{len(others)} other {verb} broken ({subjects}{more})")
    if not said and answer.answer == GO:
        said = [f"all {pages.counted(counted, 'item')} that GO rests on hold and all have approved"]
    elif not said:
        said = [f"{pages.counted(len(answer.broken), 'rule')} broken"]
    return pages.sentence(f"{', '.join(said[:-1])} and {said[-1]}" if said[1:] else said[0]) + "."


def _countdown(answer: Answer) -> str:
    days = (answer.launch_date - answer.today).days
    if not days:
        return "today"
    return f"in {pages.counted(days, 'day')}" if days > 0 else f"{pages.counted(-days, 'day')} ago"


def _steps(answer: Answer) -> list[Step]:
    """The next step for each broken rule that no item stands for."""
    known = {
        "approved": Step(
            "Decide on the launch: " + ", ".join(map(_spoken, answer.awaited)),
            "golive approve go|no-go",
        ),
        "no-objection": Step("Settle the objections below with those who raised them"),
        "suspect": Step(
            "Run again what is SUSPECT: it was looked at by other checks, thresholds or code",
            f"pytest --env {answer.environment}",
        ),
        "runs": Step(
            "Bring back the runs that cannot be trusted, or two people set them aside",
            "golive set-aside RUN",
        ),
        "chain": Step(
            "Bring back the records that are missing, or two people set them aside", "golive pull"
        ),
        "store": Step("Fetch what the store holds and this machine does not", "golive pull"),
        "ids": Step("Run again with the suite of this procedure"),
        "statements": Step(
            "Whoever signed what cannot be trusted signs it again, or two people set it aside",
            "golive set-aside STATEMENT",
        ),
        "clock": Step("Set this machine's clock, then ask again"),
        "waivers": Step("Fix what is waived until no more is than launch.toml allows"),
        "committed": Step("Commit the suite, then run again"),
    }
    return [known[r.name] for r in answer.broken if r.name in known]


def _whose(answer: Answer, rows: Sequence[Row]) -> list[Whose]:
    waiting = sorted((r for r in rows if r.waits), key=_urgency)
    found = []
    for left in answer.remaining:
        own = [r for r in waiting if (r.standing.line.owner or "no owner") == left.owner]
        found.append(
            Whose(
                owner=left.owner,
                holders=", ".join(answer.holders.get(left.owner, [])),
                rows=own,
                minutes=left.minutes,
                done_by=left.done_by,
                since=min((r.standing.since for r in own if r.standing.since), default=None),
            )
        )
    # The critical path ends with whoever is done last; whose items are due first acts first.
    return sorted(found, key=lambda w: (min(r.standing.due for r in w.rows), -len(w.rows)))


def _urgency(row: Row) -> tuple[int, int]:
    return _RANK[row.state], row.standing.line.order


def _is_better(change: Change) -> bool:
    return _RANK.get(change.after, 0) > _RANK.get(change.before, 0)


# -- the blocks --------------------------------------------------------------------------------


def _blocks(answer: Answer) -> list[Block]:
    blocks = []
    for members in grouped(answer.standings, lambda s: s.line.block):
        tasks = [
            (group[0].line.task, [Row(s, shown_state(s)) for s in group])
            for group in grouped(members, lambda s: s.line.task)
        ]
        line = members[0].line
        blocks.append(Block(line.block, line.block_title, line.owner, members[0].due, tasks))
    return blocks


def shown_state(s: Standing) -> str:
    """How a page calls it: NOT DUE where nobody has to have looked at it yet."""
    waits = s.is_open and not s.counts and s.state in (MISSING, SUSPECT, STALE, Verdict.PENDING)
    return str(Verdict.NOT_DUE) if waits else s.state


def _timeline(
    answer: Answer, blocks: Sequence[Block]
) -> tuple[list[Strip], list[tuple[date, list[Strip]]]]:
    """The days from the first to the last, a strip for each phase before and one from launch on;
    and the days that have more blocks than fit into a column."""
    by_day = {b[0].due: b for b in grouped(sorted(blocks, key=lambda b: b.due), lambda b: b.due)}
    if not by_day:
        return [], []
    first, last = min(by_day), max(by_day)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    busy = {day: found for day, found in by_day.items() if len(found) > _IN_A_COLUMN}

    def column(day: date, x: float) -> Column:
        own = by_day.get(day, [])
        cells = (
            [_whole_day(day, busy[day], x)]
            if day in busy
            else [_cell(b, x, _HEAD + _CELL * n, _COLUMN) for n, b in enumerate(own)]
        )
        offset = (day - answer.launch_date).days
        head = "launch" if not offset else f"{offset:+d}".replace("-", "\N{MINUS SIGN}")
        return Column(x, head, f"{day.day} {day:%b}", day == answer.today, cells)

    deepest = max(1 if d in busy else len(b) for d, b in by_day.items())
    groups = grouped(days, lambda d: _third(d, answer.launch_date))
    strips = [
        Strip(
            [column(d, n * _COLUMN) for n, d in enumerate(group)],
            _COLUMN,
            _HEAD + _CELL * deepest + 4,
        )
        for group in groups
    ]
    return strips, [(day, _by_block(found)) for day, found in busy.items()]


def _third(day: date, launch: date) -> int:
    days = (day - launch).days
    return 0 if days <= -7 else 1 if days < 0 else 2


def _cell(block: Block, x: float, y: float, width: float) -> Cell:
    total = len(block.rows)
    tells = f"{block.title}: {block.tally}"
    return Cell(x + (width - 46) / 2, y, block.state, f"{block.green}/{total}", tells, block.anchor)


def _whole_day(day: date, blocks: Sequence[Block], x: float) -> Cell:
    rows = [r for b in blocks for r in b.rows]
    state = min((r.state for r in rows), key=_RANK.__getitem__)
    green = sum(r.state in _GREEN for r in rows)
    tells = f"{pages.counted(len(blocks), 'block')}: {tally_of(r.state for r in rows)}"
    return Cell(x + 2, _HEAD, state, f"{green}/{len(rows)}", tells, anchor("d", day.isoformat()))


def _by_block(blocks: Sequence[Block]) -> list[Strip]:
    """The blocks of one day, up to six in a strip so that they also fit a phone."""
    step, most = 100, -(-len(blocks) // 2)
    strips = []
    for group in (blocks[:most], blocks[most:]):
        columns = []
        for n, block in enumerate(group):
            title, _, rest = block.title.partition(": ")
            head, below = (title.split(" - ")[0], rest) if rest else ("", title)
            cell = _cell(block, n * step, _HEAD, step)
            columns.append(Column(n * step, head, _short(below), False, [cell]))
        strips.append(Strip(columns, step, _HEAD + _CELL + 4))
    return strips


def _short(title: str) -> str:
    words = title.split(" - ")[0]
    return words if len(words) <= 16 else f"{words[:15].rstrip()}…"


# -- the course --------------------------------------------------------------------------------


def _bars(answer: Answer) -> list[Bar]:
    if not answer.days:
        return []
    first, last = answer.days[0].day, answer.days[-1].day
    wide = 100 / ((last - first).days + 1)
    drawn = []
    for day in answer.days:
        total = sum(day.counts.values()) or 1
        pieces, base = [], 0.0
        for state in reversed(STATES):
            height = 100 * day.counts.get(state, 0) / total
            if height and state not in (UNWRITTEN, MISSING):  # nothing there, nothing drawn
                pieces.append((state, base, height))
                base += height
        green = sum(n for state, n in day.counts.items() if state in _GREEN)
        x = (day.day - first).days * wide
        drawn.append(Bar(day.day, green, _counts_of(day.counts), x, wide, pieces))
    return drawn


def _course(bars: Sequence[Bar], total: int) -> str:
    if not bars:
        return "Nothing has been looked at yet, so there is no course to show."
    last = bars[-1]
    said = f"{last.green} of {pages.counted(total, 'item')} held on {pages.day(last.day)}"
    if len(bars) > 1:
        first = bars[0]
        said += f", {first.green} on {pages.day(first.day)}"
    return f"{said}. What nobody has looked at is left blank."


def counts_of_states(states: Iterable[str]) -> dict[str, int]:
    """How many there are of each state, the most pressing first."""
    return _counts_of(Counter(states))


def _counts_of(found: dict[str, int]) -> dict[str, int]:
    return {s: found[s] for s in STATES if found.get(s)}


def _spoken(role: str) -> str:
    return role.replace("_", " ")


def grouped(members: Iterable[T], key: Callable[[T], object]) -> list[list[T]]:
    """Members with the same key together, in the order in which keys first appear."""
    groups: dict[object, list[T]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    return list(groups.values())
