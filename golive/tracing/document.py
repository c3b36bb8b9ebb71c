"""What a Markdown document says has to be done, and where it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from golive.tracing.words import (
    Mark,
    Span,
    mark_of,
    plain,
    span_of,
    split_value,
)

_NOBODY = re.compile(
    r"(?:(?P<open>tb[acd]|\?+|\[.*\]|_+)|n/?a|none|[-\u2013\u2014]+)?", re.IGNORECASE
)


TIMED = frozenset({"task", "deliverable"})
"""Kinds of lines that are done at some time; a duration in another is a threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """An owner, a clock time or a duration as a line says it; no text for a stated nobody."""

    text: str
    line: int
    span: Span | None = None
    """What a duration means; None where that cannot be told."""


@dataclass(slots=True, eq=False)
class Said:
    """What a document says of an owner and times, at one place.

    What is said first holds for the whole place, and what is said anew from its line on.
    """

    line: int
    owners: list[Words] = field(default_factory=list)
    clocks: list[Words] = field(default_factory=list)
    durations: list[Words] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)
    """What could not be read of all that, by line."""

    def take(self, key: str, value: str, line: int) -> None:
        """Note what is said under a key: an owner, a clock time or how long it takes."""
        value = plain(value).rstrip(".")
        if nobody := _NOBODY.fullmatch(value):
            # What is around it says nothing of this one.
            self._note(key, Words("", line))
            if nobody["open"]:
                self.unread.append((line, f"{_NAMED[key]}: {value}"))
            return
        if (span := span_of(value)) is not None and key != "owner":
            self._note("duration", Words(value, line, span))
            return
        if key in {"duration", "unread"}:
            self._note(key, Words(value, line))
            self.unread.append((line, f"{_NAMED[key]}: {value}"))
            return
        value, more = split_value(value)
        nobody = _NOBODY.fullmatch(value)
        self._note(key, Words("" if nobody else value, line))
        if (nobody and nobody["open"]) or (key == "time" and not mark_of(value)):
            self.unread.append((line, f"{_NAMED[key]}: {value}"))
        for other, said in more:
            self.take(other, said, line)

    def strands(self) -> dict[str, list[Words]]:
        """What is said under each key, in the document's order."""
        return {"owner": self.owners, "time": self.clocks, "duration": self.durations}

    def _note(self, key: str, words: Words) -> None:
        strand = self.strands().get(key)
        if strand is None or (strand and strand[-1].text == words.text):
            return
        if strand and strand[-1].line == words.line:  # of two on a line, neither
            said = f"{strand[-1].text or 'none'}, {words.text or 'none'}"
            self.unread.append((words.line, f"{_NAMED[key]}: {said}"))
            strand[-1] = Words("", words.line)
        else:
            strand.append(words)


def at(strand: list[Words], line: int) -> Words | None:
    """What holds on a line: what was said last above it, or else first; None for nothing."""
    above = [words for words in strand if words.line <= line]
    return above[-1] if above else strand[0] if strand else None


def contradiction(key: str, first: Words, then: Words) -> tuple[int, str]:
    """Two lines that say different things of one place, as what could not be read."""
    said = f"{_NAMED[key]}: {then.text or 'none'}, where line {first.line} says another"
    return then.line, said


_NAMED = {
    "owner": "an owner",
    "duration": "a duration",
    "time": "a time",
    "unread": "a day or time",
}


@dataclass(slots=True, eq=False)
class Place(Said):
    """A heading, a bold line, or an entry of a list that others are nested in."""

    title: str = ""
    heading: str = ""
    """The title with the day or clock time that stands in brackets behind it."""
    is_title: bool = False
    """Of a list's entry: whether it is bold as a whole, or ends with a colon."""
    level: int = 0
    parent: Place | None = None
    how: str = "root"
    mark: Mark = field(default_factory=Mark)

    @property
    def path(self) -> list[Place]:
        """From the outermost place to this one, without the document itself."""
        found: list[Place] = []
        at: Place | None = self
        while at is not None and at.how != "root":
            found.append(at)
            at = at.parent
        return found[::-1]


@dataclass(slots=True, eq=False)
class Entry(Said):
    """What could be a line."""

    title: str = ""
    place: Place = field(default_factory=lambda: Place(0))
    how: str = ""
    boxed: bool = False
    ticked: bool = False
    lead: str = ""
    inner: Place | None = None
    name: str = ""
    """What a row of a table may be the name of."""
    raw: str = ""
    """The title with what it says of owner and times."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document that stands for an item."""

    number: int
    title: str
    ticked: bool
    kind: str
    owner: str
    owner_line: int
    """Where the owner is named; the block's heading where nobody is."""
    time: str
    minutes: int | None
    time_line: int
    block: int
    """Line number of the block's heading; 0 for a document without headings."""
    task: int
    due: int | None
    is_due_own: bool
    """Whether the block or task says the day; else the chapter does, or nothing."""


@dataclass(frozen=True, slots=True)
class Block:
    """A day, a time slot or another part of the document that lines stand in."""

    number: int
    title: str
    chapter: str
    chapter_line: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Document:
    """What a Markdown document says has to be done, known or decided.

    ``prose`` are the bullets, numbers and rows that were not read as lines, and checkboxes that
    are not written as one. ``unread`` is what looks like a checkbox, a day, a time, an owner or
    a duration, and could not be read; both by the number of the line.
    """

    source: Path
    title: str
    lines: tuple[Line, ...]
    blocks: dict[int, Block]
    tasks: dict[int, str]
    prose: tuple[tuple[int, str], ...]
    unread: tuple[tuple[int, str], ...]
