"""Decides which entries are lines, and what applies to each."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from golive.tracing.document import (
    TIMED,
    Block,
    Document,
    Entry,
    Line,
    Place,
    Said,
    Words,
    at,
    contradiction,
)
from golive.tracing.elements import Reader
from golive.tracing.words import (
    DASHES,
    Mark,
    fold,
    is_like_clock,
    is_like_day,
    mark_of,
    plain,
    without_brackets,
)

_GENERIC = re.compile(r"(?:(?:key |main )?tasks?|check ?lists?|steps|activities|actions|to-?dos?)")
_KINDS = {
    "deliverable": re.compile(r"\bdeliverables$"),
    "trigger": re.compile(r"\btriggers$"),
    "metric": re.compile(r"\b(?:metrics(?: and kpis)?|kpis|success criteria)$"),
    "contact": re.compile(r"\bcontacts?(?: list| table)?$"),
    "escalation": re.compile(r"\bescalation(?: matrix| levels| path| ladder)?$"),
}
_ROLLBACK = re.compile(r"\broll-?\s?backs?\b|\bback-?out\b|\bfall-?back\b", re.IGNORECASE)


class Resolver:
    """Decides which entries are lines, and what applies to each."""

    def __init__(self, reader: Reader, source: Path) -> None:
        self.reader, self.source = reader, source
        headings = [p for p in reader.places if p.how == "heading"]
        self.title: Place | None = None
        if len(headings) > 1 and not headings[0].mark:
            is_title = all(p.level > headings[0].level for p in headings[1:])
            self.title = headings[0] if is_title else None
        self.minutes: dict[int, int] = {}
        self.ends: dict[int, float] = {}
        self.contradictions: list[tuple[int, str]] = []
        over_marked = {id(a) for p in headings if p.mark for a in p.path[:-1] if a.mark}
        levels = Counter(p.level for p in headings if p.mark and id(p) not in over_marked)
        self.level = max(levels, key=lambda n: (levels[n], n)) if levels else 0

    def document(self) -> Document:
        self._assign_index_rows()
        block_of = {id(p): self._block(p) for p in {e.place for e in self.reader.entries}}
        blocks: dict[int, Place] = {p.line: p for p in block_of.values()}
        over = {id(a) for p in blocks.values() for a in p.path[:-1]}
        boxed = {id(block_of[id(e.place)]) for e in self.reader.entries if e.boxed}
        # A list's entry is a task, not a line, where lines are nested in it.
        holds: set[int] = set()
        chosen: list[Entry] = []
        prose: list[tuple[int, str]] = list(self.reader.hidden)
        for e in reversed(self.reader.entries):
            block = block_of[id(e.place)]
            kind, depth = self._kind(e.place, block)
            is_task = e.inner is not None and id(e.inner) in holds
            is_line = e.boxed
            if not e.boxed and not is_task and kind != "task":
                is_line = all(p.how not in {"entry", "box"} for p in e.place.path[depth:])
            elif not e.boxed and not is_task and id(block) not in boxed | over:
                has_day = any(mark_of(clock.text).days for clock in e.clocks)
                is_marked = has_day or any(p.mark for p in block.path)
                above = [p for p in e.place.path if p.how in {"entry", "box"}]
                is_live = is_marked or bool(_ROLLBACK.search(block.title))
                is_line = is_live and all(p.is_title for p in above)
            if is_line:
                chosen.append(e)
                holds |= {id(p) for p in e.place.path}
            elif not is_task:
                prose.append((e.line, e.raw or e.title))
        chosen.reverse()
        self._assign_document_owner(chosen)
        lines = tuple(self._line(e, block_of[id(e.place)]) for e in chosen)
        used = {ln.block for ln in lines}
        tasks: dict[int, str] = {}
        for e in chosen:
            block = block_of[id(e.place)]
            task = self._task(e.place, block)
            tasks[task.line] = task.title or self._name()
        read = {n: self._as_block(p) for n, p in blocks.items() if n in used}
        chapters = {b.chapter_line for b in read.values()}
        told = {ln.number for ln in lines} | {n for n, _ in prose} | tasks.keys() | used | chapters
        prose += [  # entries that hold others, and whose words stand nowhere
            (p.line, p.heading)
            for p in self.reader.places
            if p.line not in told and self.reader.is_like_line(p.line)
            if not _GENERIC.fullmatch(fold(p.title))
        ]
        return Document(
            self.source,
            self._name(),
            lines,
            read,
            tasks,
            tuple(sorted(prose)),
            tuple(sorted({*self.reader.unread, *self._unread(chosen, block_of)})),
        )

    def _unread(self, chosen: list[Entry], block_of: dict[int, Place]) -> Iterator[tuple[int, str]]:
        """What places and lines say of days, times and owners that could not be read."""
        # A duration in a trigger or metric is a threshold.
        tasks = [e for e in chosen if self._kind(e.place, block_of[id(e.place)])[0] in TIMED]
        for said in [self.reader.root, *self.reader.places, *tasks]:
            yield from said.unread
            for key, strand in said.strands().items():
                for first, then in itertools.pairwise(strand):
                    if not self._is_between(first.line, then.line):
                        yield contradiction(key, first, then)
        for p in self.reader.places:
            if p.how not in {"heading", "line"}:
                continue
            days = p.mark.days or any(mark_of(clock.text).days for clock in p.clocks)
            if not days and is_like_day(p.heading):
                yield p.line, f"a day: {p.heading}"
            elif not p.mark.clock and is_like_clock(p.mark.rest):
                yield p.line, f"a clock time: {p.heading}"
        yield from self.contradictions

    def _is_between(self, first: int, then: int) -> bool:
        """Whether anything that could be a line stands between two lines."""
        n = bisect.bisect_right(self.reader.entries, first, key=lambda e: e.line)
        return n < len(self.reader.entries) and self.reader.entries[n].line < then

    def _name(self) -> str:
        return self.title.title if self.title else self.source.stem

    def _assign_index_rows(self) -> None:
        """A table that names blocks or tasks of the document says who does them and when."""
        named: dict[str, list[Place]] = defaultdict(list)
        for p in self.reader.places:
            if p.how != "box":
                for name in {fold(p.title), fold(p.mark.rest)} - {""}:
                    named[name].append(p)
        kept = []
        for e in self.reader.entries:
            places: list[Place] = []
            if e.how == "row" and not e.boxed:
                places = named.get(fold(e.title), []) or named.get(fold(e.name), [])
            if len(places) != 1 or places[0] in e.place.path or not _says_who_or_how_long(e):
                kept.append(e)
                continue
            place = places[0]
            place.unread += e.unread
            for key, strand in e.strands().items():
                there = place.strands()[key]
                if there:
                    differing = (words for words in strand if words.text != there[0].text)
                    place.unread += [contradiction(key, there[0], words) for words in differing]
                else:
                    there += strand
        self.reader.entries = kept

    def _block(self, place: Place) -> Place:
        path = [p for p in place.path if p.how == "heading" and p is not self.title]
        if not path:
            return self.title or self.reader.root
        marked = [p for p in path if p.mark]
        if marked:
            deeper = [p for p in path if marked[-1].level < p.level <= self.level]
            return deeper[-1] if deeper else marked[-1]
        if self.level:
            return [p for p in path if p.level <= self.level or p is path[0]][-1]
        return path[min(1, len(path) - 1)]

    def _below(self, place: Place, block: Place) -> list[Place]:
        path = place.path
        return path[path.index(block) + 1 :] if block in path else path

    def _task(self, place: Place, block: Place) -> Place:
        named = [
            p
            for p in self._below(place, block)
            if p.how != "box" and p is not self.title and not _GENERIC.fullmatch(fold(p.title))
        ]
        return named[-1] if named else block

    def _kind(self, place: Place, block: Place) -> tuple[str, int]:
        """What the lines of a place are, and how many places of its path it takes to say so."""
        path = place.path
        first = path.index(block) if block in path else 0
        for n in range(len(path), first, -1):
            title = fold(without_brackets(path[n - 1].title))
            for kind, pattern in _KINDS.items():
                if path[n - 1].how != "box" and pattern.search(title):
                    return kind, n
        return "task", 0

    def _assign_document_owner(self, entries: list[Entry]) -> None:
        """The document's owner is the lines' where no other is named anywhere."""
        root = self.title or self.reader.root
        root.owners = root.owners or self.reader.root.owners
        if any(s.owners for e in entries for s in (e, *e.place.path) if s is not root):
            root.owners = []

    def _line(self, e: Entry, block: Place) -> Line:
        task = self._task(e.place, block)
        kind, _ = self._kind(e.place, block)
        title = e.title
        if kind in {"trigger", "metric", "escalation"} and not e.boxed:
            title = e.raw  # a duration is part of a threshold there
        elif kind == "contact" and not e.boxed:
            title = _contact(e)
        above = [*reversed(e.place.path), self.reader.root]
        owner = next((w for s in (e, *above) if (w := at(s.owners, e.line))), None)
        timed: list[Said] = []
        if kind in TIMED:
            below = [p for p in self._below(e.place, block) if p.how != "box"]
            timed = [e, *reversed(below), *([block] if task is block else [])]
        said = next((s for s in timed if s.clocks or s.durations), None)
        clock = at(said.clocks, e.line) if said else None
        lasts = at(said.durations, e.line) if said else None
        due, is_own = self._due(e, block)
        return Line(
            number=e.line,
            title=plain(title),
            ticked=e.ticked,
            kind=kind,
            owner=owner.text if owner else "",
            owner_line=owner.line if owner else block.line,
            time=(clock and clock.text) or (lasts and lasts.text) or "",
            minutes=self._minutes(lasts, block) if lasts else None,
            time_line=said.line if said else task.line,
            block=block.line,
            task=task.line,
            due=due,
            is_due_own=is_own,
        )

    def _minutes(self, said: Words, block: Place) -> int | None:
        """Planned minutes; "5-15 minutes" behind "0-5 minutes" is a window of ten."""
        if said.span is None:
            return None
        if id(said) not in self.minutes:
            low, high = said.span.low, said.span.high
            is_window = said.span.is_range and low == self.ends.get(block.line, 0.0)
            self.minutes[id(said)] = math.ceil(high - low if is_window else high)
            if said.span.is_range:
                self.ends[block.line] = high
        return self.minutes[id(said)]

    def _due(self, e: Entry, block: Place) -> tuple[int | None, bool]:
        """The day a line is due, and whether its block says so, not just the chapter."""
        places = (e, *reversed(self._below(e.place, block)), block)
        own = [_said_day(said, e.line) for said in places]
        above = [_said_day(place, e.line) for place in reversed(block.path[:-1])]
        said = [mark for mark in (*own, *above) if mark]
        if not said:
            return (0, False) if block.mark.clock else (None, False)
        due, around = said[0].days, [m.days for m in said[1:] if m.days]
        assert due is not None
        day, first = due[0], around[0][0] if around else due[0]
        covers = max((m.covers for m in said[1:2]), default=1)
        if not said[0].is_counted and covers > 1 and 1 <= day <= covers:
            day = first + day - 1  # the third day of a week
        elif 0 <= day < first and (covers > 1 or not said[0].is_counted):
            self.contradictions.append(
                (e.line, f"a day: {day:+d} stands below what begins on day {first:+d}")
            )
            day = first
        return day, any(own)

    def _as_block(self, place: Place) -> Block:
        above = [p for p in place.path[:-1] if p is not self.title]
        title = place.heading or self._name()
        chapter = above[-1].heading if above else self._name()
        return Block(place.line, title, chapter, above[-1].line if above else 0, mark_of(title))


def _says_who_or_how_long(entry: Entry) -> bool:
    return any(words.text for words in [*entry.owners, *entry.durations])


def _said_day(said: Said, line: int) -> Mark | None:
    """What says on which day a line is; None for nothing."""
    clock = at(said.clocks, line)
    mark = mark_of(clock.text if clock else "")
    if not mark.days and isinstance(said, Place):
        mark = said.mark
    return mark if mark.days else None


def _contact(entry: Entry) -> str:
    """Who a contact's line is about, without how to reach them."""
    if entry.how == "row" or entry.lead:
        return entry.lead.rstrip(": ") or entry.title
    return re.split(rf":\s|\s[{DASHES}|]\s|\s\(", entry.raw, maxsplit=1)[0].rstrip(":")
