"""A document and a procedure compared in both directions."""

from __future__ import annotations

import bisect
import difflib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from golive.procedure import Item, Procedure
from golive.tracing.document import Block, Document, Line
from golive.tracing.words import fold, mark_of, plain, span_of
from golive.verdicts import GoliveError

_ALIKE = 0.6
"""How alike two titles in the same place are, from 0 to 1, to be one title that changed."""
_MOST_PAIRS = 500_000
"""Titles that are compared with one another, which takes about 20 microseconds a pair."""
_ALIKE_ELSEWHERE = 0.75
"""The same for titles in two tasks of a block."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a document and a procedure differ.

    ``kind`` is line (it has no item), item (it has no line), title, owner, time, duration or
    moved. ``about`` is what differs: an item, a task, a block or a chapter. ``found`` is what
    the document says, ``expected`` what the procedure does; ``line`` is where the document says
    so, None where it says nothing.
    """

    kind: str
    about: str
    line: int | None
    block: str
    ids: tuple[str, ...]
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A document's lines beside a procedure's items."""

    document: Document
    procedure: Procedure
    pairs: dict[int, Item]
    """Items by the position of their line in the document."""
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class _Group:
    """Lines or items of one block or task, by their place in the whole."""

    key: Hashable
    title: str
    members: list[int]
    titles: Counter[str]


def trace(document: Document, of: Procedure) -> Trace:
    """Compare in both directions; no differences where both say the same."""
    matching = _Matching(document, list(of))
    matching.match()
    return Trace(document, of, matching.found, tuple(matching.differences()))


class _Matching:
    """Which line is which item. Blocks are paired first, then their tasks, then titles."""

    def __init__(self, document: Document, items: list[Item]) -> None:
        self.document, self.items = document, items
        self.lines = document.lines
        self.blocks: dict[Hashable, Hashable] = {}
        self.tasks: dict[Hashable, Hashable] = {}
        self.found: dict[int, Item] = {}
        self.taken: set[int] = set()
        self.compared = 0

    def match(self) -> None:
        document = self.document
        every_line, every_item = range(len(self.lines)), range(len(self.items))
        ours = self._grouped(every_line, self._block_of_line, self._line_title, self._block_title)
        theirs = self._grouped(
            every_item, self._block_of_item, self._item_title, lambda i: self.items[i].block_title
        )
        for mine, their in self._paired(ours, theirs, lambda title: mark_of(title).rest):
            self.blocks[mine.key] = their.key
            for a, b in self._paired(
                self._grouped(
                    mine.members,
                    self._task_of_line,
                    self._line_title,
                    lambda n: document.tasks[self.lines[n].task],
                ),
                self._grouped(
                    their.members,
                    self._task_of_item,
                    self._item_title,
                    lambda i: self.items[i].task,
                ),
                lambda title: title,
            ):
                self.tasks[a.key] = b.key
        self._exactly(lambda n: self.tasks.get(self._task_of_line(n)), self._task_of_item)
        self._exactly(lambda n: self.blocks.get(self._block_of_line(n)), self._block_of_item)
        self._exactly(lambda _: "", lambda _: "")
        self._nearly(lambda n: self.tasks.get(self._task_of_line(n)), self._task_of_item, _ALIKE)
        self._nearly(
            lambda n: self.blocks.get(self._block_of_line(n)), self._block_of_item, _ALIKE_ELSEWHERE
        )

    def _line_title(self, n: int) -> str:
        return self.lines[n].title

    def _item_title(self, i: int) -> str:
        return plain(self.items[i].title)

    def _block_title(self, n: int) -> str:
        return self.document.blocks[self.lines[n].block].title

    def _block_of_line(self, n: int) -> Hashable:
        """By its words, as an item's: two sections of the same title are one."""
        block = self.document.blocks[self.lines[n].block]
        return block.chapter, block.title

    def _block_of_item(self, i: int) -> Hashable:
        return self.items[i].chapter, self.items[i].block_title

    def _task_of_line(self, n: int) -> Hashable:
        return self._block_of_line(n), self.document.tasks[self.lines[n].task]

    def _task_of_item(self, i: int) -> Hashable:
        return self._block_of_item(i), self.items[i].task

    def _grouped(
        self,
        members: Iterable[int],
        key: Callable[[int], Hashable],
        member_title: Callable[[int], str],
        title: Callable[[int], str],
    ) -> list[_Group]:
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for n in members:
            groups[key(n)].append(n)
        return [
            _Group(k, title(ns[0]), ns, Counter(fold(member_title(n)) for n in ns))
            for k, ns in groups.items()
        ]

    def _paired(
        self, ours: list[_Group], theirs: list[_Group], bare: Callable[[str], str]
    ) -> list[tuple[_Group, _Group]]:
        if ours:
            self._spend(len(ours), len(theirs), ours[0].members[0])
        return _paired(ours, theirs, bare)

    def _spend(self, ours: int, theirs: int, first: int) -> None:
        """Count what has to be compared.

        :raises GoliveError: it is too much; names the line where that begins.
        """
        self.compared += ours * theirs
        if self.compared > _MOST_PAIRS:
            raise GoliveError(
                f"{self.document.source}: line {self.lines[first].number}: {ours:,} titles from"
                f" here on and {theirs:,} of the procedure are too many pairs to compare; expected"
                f" at most {_MOST_PAIRS:,} in all: divide the document, or its sections"
            )

    def _left(
        self,
        where_line: Callable[[int], Hashable | None],
        where_item: Callable[[int], Hashable],
    ) -> Iterator[tuple[list[int], list[int]]]:
        """Lines and items that have no partner yet, by the place that both are in."""
        lines: dict[Hashable, list[int]] = defaultdict(list)
        items: dict[Hashable, list[int]] = defaultdict(list)
        for n in range(len(self.lines)):
            if n not in self.found and (place := where_line(n)) is not None:
                lines[place].append(n)
        for i in range(len(self.items)):
            if i not in self.taken:
                items[where_item(i)].append(i)
        for place, some in lines.items():
            yield some, items.get(place, [])

    def _exactly(
        self,
        where_line: Callable[[int], Hashable | None],
        where_item: Callable[[int], Hashable],
    ) -> None:
        for lines, items in self._left(where_line, where_item):
            named: dict[str, list[int]] = defaultdict(list)
            for i in reversed(items):
                named[self._item_title(i)].append(i)
            for n in lines:
                if same := named.get(self.lines[n].title):
                    self._pair(n, same.pop())

    def _nearly(
        self,
        where_line: Callable[[int], Hashable | None],
        where_item: Callable[[int], Hashable],
        least: float,
    ) -> None:
        for lines, items in self._left(where_line, where_item):
            self._spend(len(lines), len(items), lines[0])
            scored = []
            for y, i in enumerate(items):
                matcher = _matcher(self._item_title(i))
                for x, n in enumerate(lines):
                    if likeness := _likeness(matcher, self.lines[n].title, least):
                        scored.append((-likeness, abs(x - y), n, i))
            for _, _, n, i in sorted(scored):
                if n not in self.found and i not in self.taken:
                    self._pair(n, i)

    def _pair(self, n: int, i: int) -> None:
        self.found[n] = self.items[i]
        self.taken.add(i)

    # -- differences

    def differences(self) -> list[Difference]:
        """All, in the order of the document; items without a line behind their predecessor."""
        document = self.document
        found: list[tuple[float, Difference]] = []
        for n, line in enumerate(self.lines):
            if n not in self.found:
                found.append((line.number, self._reported("line", "item", n, line.title, "")))
        position = {item.id: self.lines[n].number for n, item in self.found.items()}
        last = 0.0
        for i, item in enumerate(self.items):
            if i in self.taken:
                last = position[item.id]
                continue
            reported = Difference(
                "item", "item", None, item.block_title, (item.id,), "", item.title
            )
            found.append((last + 0.5, reported))
        moved = self._moved()
        gathered: dict[Hashable, tuple[float, Difference]] = {}
        for n, item in sorted(self.found.items()):
            line = self.lines[n]
            block = document.blocks[line.block]
            if n in moved:
                found.append((line.number, moved[n]))
            if line.title != plain(item.title):
                found.append(
                    (line.number, self._reported("title", "item", n, line.title, item.title))
                )
            for place, reported in self._around(n, line, block, item):
                key = (place, reported.kind, reported.about, reported.found, reported.expected)
                before = gathered.get(key)
                ids = (*(before[1].ids if before else ()), item.id)
                gathered[key] = (reported.line or 0, replace(reported, ids=ids))
        found += gathered.values()
        return [reported for _, reported in sorted(found, key=lambda f: f[0])]

    def _reported(
        self,
        kind: str,
        about: str,
        n: int,
        found: str,
        expected: str,
        line: int | None = None,
    ) -> Difference:
        ids = (self.found[n].id,) if n in self.found else ()
        number = self.lines[n].number if line is None else line
        return Difference(kind, about, number, self._block_title(n), ids, found, expected)

    def _around(
        self, n: int, line: Line, block: Block, item: Item
    ) -> Iterator[tuple[Hashable, Difference]]:
        """What differs around an item: said once where it is said once."""
        # A line that stands elsewhere has the owner, times and titles of where it stands.
        is_elsewhere = not self._is_in_place(n, item)
        if line.owner != plain(item.owner) and (not is_elsewhere or line.owner_line == line.number):
            yield (
                line.owner_line,
                self._reported("owner", "item", n, line.owner, item.owner, line.owner_line),
            )
        if is_elsewhere:
            return
        ours, theirs = _times(line.time), _times(item.time)
        if line.minutes != item.minutes:
            yield (
                line.time_line,
                self._reported(
                    "duration",
                    "task",
                    n,
                    line.time if line.minutes is not None else "",
                    item.time if item.minutes is not None else "",
                    line.time_line,
                ),
            )
        if ours != theirs:
            yield (
                line.time_line,
                self._reported(
                    "time",
                    "task",
                    n,
                    line.time if ours else "",
                    item.time if theirs else "",
                    line.time_line,
                ),
            )
        task = self.document.tasks[line.task]
        if line.task != line.block and task != plain(item.task):
            yield line.task, self._reported("title", "task", n, task, item.task, line.task)
        mine, their = block.mark, mark_of(item.block_title)
        says_when = bool(mine.days or mine.clock)
        is_day_kept = mine.when == their.when or (
            their.days is None
            and mine.days is not None
            and mine.days[0] <= item.due_day <= mine.days[1]
        )
        is_due_kept = not line.is_due_own or line.due == item.due_day
        if not is_day_kept or mine.clock != their.clock or not is_due_kept:
            expected = item.block_title
            if not their.days and (not is_due_kept or mine.days):
                expected += f" (day {item.due_day:+d})"
            yield (
                block.number,
                self._reported(
                    "time", "block", n, block.title if says_when else "", expected, block.number
                ),
            )
        if (mine.phase, plain(mine.rest)) != (their.phase, plain(their.rest)):
            yield (
                block.number,
                self._reported("title", "block", n, block.title, item.block_title, block.number),
            )
        if plain(block.chapter) != plain(item.chapter):
            yield (
                ("chapter", block.chapter_line),
                self._reported(
                    "title", "chapter", n, block.chapter, item.chapter, block.chapter_line
                ),
            )

    def _is_in_place(self, n: int, item: Item) -> bool:
        """Whether a line stands in its item's task."""
        its_task = ((item.chapter, item.block_title), item.task)
        return self.tasks.get(self._task_of_line(n)) == its_task

    def _moved(self) -> dict[int, Difference]:
        """Lines that stand in another block or task than their item, or out of its order."""
        position = {item.id: i for i, item in enumerate(self.items)}
        moved: dict[int, Difference] = {}
        in_place: list[tuple[int, int]] = []
        for n, item in sorted(self.found.items()):
            i = position[item.id]
            if self._is_in_place(n, item):
                in_place.append((n, i))
                continue
            line = self.lines[n]
            found = f"{self._block_title(n)} / {self.document.tasks[line.task]}"
            expected = f"{item.block_title} / {item.task}"
            moved[n] = self._reported("moved", "item", n, found, expected)
        kept = _longest_rise([i for _, i in in_place])
        before: Item | None = None
        for at, (n, i) in enumerate(in_place):
            if at in kept:
                before = self.items[i]
                continue
            found = f"behind {before.id} {before.title}" if before else "at the beginning"
            wanted = self.items[i - 1] if i else None
            expected = f"behind {wanted.id} {wanted.title}" if wanted else "at the beginning"
            moved[n] = self._reported("moved", "item", n, found, expected)
        return moved


def _times(text: str) -> Hashable:
    """A time for comparing: a duration is none, a day or clock time is what it means."""
    text = plain(text)
    if not text or span_of(text):
        return ""
    mark = mark_of(text)
    return (mark.when, mark.clock) if mark else text.casefold()


def _paired(
    ours: list[_Group], theirs: list[_Group], bare: Callable[[str], str]
) -> list[tuple[_Group, _Group]]:
    """Groups that are the same by their title, or else by their members."""
    scored = []
    for y, their in enumerate(theirs):
        matcher = _matcher(fold(bare(their.title)))
        for x, mine in enumerate(ours):
            shared = (mine.titles & their.titles).total()
            share = shared / max(mine.titles.total(), their.titles.total())
            likeness = max(share, _likeness(matcher, fold(bare(mine.title)), _ALIKE))
            is_same = plain(mine.title) == plain(their.title)
            if is_same or likeness >= _ALIKE or share >= 0.5:
                scored.append((-share - likeness - is_same, abs(x - y), x, y))
    pairs = []
    left, right = set(range(len(ours))), set(range(len(theirs)))
    for _, _, x, y in sorted(scored):
        if x in left and y in right:
            left.remove(x)
            right.remove(y)
            pairs.append((ours[x], theirs[y]))
    return pairs


def _matcher(text: str) -> difflib.SequenceMatcher[str]:
    """What compares many texts with one: it prepares that one once."""
    return difflib.SequenceMatcher(None, "", text, autojunk=False)


def _likeness(matcher: difflib.SequenceMatcher[str], text: str, least: float) -> float:
    """From 0 to 1; 0 below ``least``."""
    matcher.set_seq1(text)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0.0


def _longest_rise(numbers: list[int]) -> set[int]:
    """Positions of a longest rising part: what need not have moved."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for at, number in enumerate(numbers):
        k = bisect.bisect_left(tails, number)
        tails[k : k + 1] = [number]
        ends[k : k + 1] = [at]
        previous.append(ends[k - 1] if k else -1)
    kept: set[int] = set()
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.add(at)
        at = previous[at]
    return kept
