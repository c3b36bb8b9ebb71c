"""Items of a document, as a procedure.toml whose ids last."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import unicodedata
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from golive import procedure
from golive.files import read_text
from golive.procedure import Item
from golive.tracing.comparing import Trace, trace
from golive.tracing.document import Block, Document, Line
from golive.tracing.words import fold
from golive.verdicts import GoliveError

_MOST_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Written:
    """What ``write`` did: ids that it kept, made, and no longer found in the document."""

    path: Path
    kept: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[Item, ...]


def write(document: Document, path: Path) -> Written:
    """Make a procedure.toml of a document.

    An id is made of what its line says and where, so lines elsewhere do not change it. Where
    ``path`` is a procedure already, lines that are unchanged, renamed or moved keep their ids,
    and with them area, way and effect; all else is as the document says.

    :raises GoliveError: ``path`` is something else, has comments that would be lost, shares no
        line with the document, or cannot be written. It then is as it was.
    """
    path = path.resolve()
    before: Trace | None = None
    name = _comment(document.source.name)
    head = f"# Items of {name}. Ids are stable; `due` counts days from the launch date.\n"
    if path.exists():
        try:
            before = trace(document, procedure.load(path))
        except GoliveError as e:
            raise GoliveError(f"{e}; --write overwrites nothing but a procedure") from None
        if not before.pairs:
            raise GoliveError(
                f"{path}: has no item that {document.source} has a line for; expected an earlier"
                " state of the same procedure, or a new file"
            )
        head = _head(path)
    items = _items(document, before)
    text = head + _toml(items)
    whole = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            whole.write_text(text, encoding="utf-8")
            procedure.load(whole)  # what could not be read again must replace nothing
            whole.replace(path)
        finally:
            whole.unlink(missing_ok=True)
    except OSError as e:
        raise GoliveError(f"{path}: cannot be written: {e.strerror}") from None
    new = {i.id for i in items}
    old = before.procedure.items if before else {}
    return Written(
        path,
        kept=tuple(i.id for i in items if i.id in old),
        added=tuple(i.id for i in items if i.id not in old),
        removed=tuple(i for i in old.values() if i.id not in new),
    )


def _items(document: Document, before: Trace | None) -> list[Item]:
    """An item for each line; ids, areas, ways, effects and marks as they were before."""
    pairs = before.pairs if before else {}
    used = set(before.procedure.items) if before else set()
    of_block: dict[int, Item] = {}
    for n, item in sorted(pairs.items(), reverse=True):
        line = document.lines[n]
        if item.block_title == document.blocks[line.block].title or line.block not in of_block:
            of_block[line.block] = item
    names = _Marks({i.block: i.block_title for i in before.procedure} if before else {})
    items = []
    for n, line in enumerate(document.lines):
        block = document.blocks[line.block]
        same = pairs.get(n)
        # A block of the document may be several of the procedure, of the same title.
        is_here = same is not None and same.block_title == of_block[line.block].block_title
        near = same if is_here else of_block.get(line.block)
        if same is not None:
            ident = same.id
        else:
            ident = _new_id(document, line, used)
            used.add(ident)
        is_free = is_here and line.task == line.block  # the document names no task
        due = line.due if line.due is not None else 0
        if near is not None and not line.is_due_own:
            due = near.due_day
        items.append(
            Item(
                id=ident,
                title=line.title,
                owner=line.owner,
                block=near.block if near else names.block(block, line),
                block_title=block.title,
                phase=near.phase if near else _word(block.chapter, "procedure"),
                chapter=block.chapter,
                task=same.task if same and is_free else document.tasks[line.task],
                kind=same.kind if same else line.kind,
                time=line.time,
                minutes=line.minutes,
                area=same.area if same else "team",
                way=same.way if same else "attested",
                effect=same.effect if same else "read",
                due_day=due,
                order=n,
            )
        )
    return items


def _new_id(document: Document, line: Line, used: set[str]) -> str:
    """An id for a line: its day or time, then letters that follow from its words and place."""
    block = document.blocks[line.block]
    rest = block.mark.rest or block.title
    said = (block.chapter, rest, document.tasks[line.task], line.title)
    words = "\n".join(map(fold, said))
    for nth in itertools.count():
        digest = hashlib.sha256(f"{words}\n{nth}".encode()).digest()
        letters = "".join("abcdefghjkmnpqrstuvwxyz23456789"[b % 31] for b in digest[:5])
        ident = f"{_code(block, line)}.{letters}"
        if ident not in used:
            return ident
    raise AssertionError


def _code(block: Block, line: Line) -> str:
    day = line.due if line.is_due_own or block.mark.clock else None
    when = "" if day is None else "T0" if day == 0 else f"D{day:+d}"
    if block.mark.clock:
        return f"{when}-{block.mark.clock[0] // 60:02}{block.mark.clock[0] % 60:02}"
    if when:
        return when
    words = (block.mark.phase or _word(block.title, "line")).replace(" ", "_").split("_")
    return "".join(w if w.isdigit() else w[:1].upper() for w in words[:4])


class _Marks:
    """Marks of new blocks: one for each day, time or title, never that of another block."""

    def __init__(self, taken: dict[str, str]) -> None:
        self.taken = taken

    def block(self, block: Block, line: Line) -> str:
        days, clock = block.mark.days, block.mark.clock
        day = days[0] if days else None
        if line.due is not None and (clock or not block.mark.is_counted):
            day = line.due
        when = [] if day is None else [f"day_{('minus', 'plus')[day >= 0]}_{abs(day)}"]
        if day == 0:
            when = ["launch"] if clock else ["launch_day"]
        if block.mark.minutes:
            part = round(block.mark.minutes[0])
            when = [f"launch_{('minus', 'plus')[part >= 0]}_{abs(part)}_minutes"]
        if clock:
            when.append(f"{clock[0] // 60:02}{clock[0] % 60:02}")
        word = "_".join(when) or _word(block.mark.phase or block.title, "block")
        for nth in itertools.count(1):
            name = word if nth == 1 else f"{word}_{nth}"
            if self.taken.setdefault(name, block.title) == block.title:
                return name
        raise AssertionError


def _word(text: str, otherwise: str) -> str:
    """A text as a mark: lower-case ASCII letters, digits and underscores."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    word = re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_")
    word = re.sub(r"^([dt])_(?=\d)", r"\1_minus_", word) if re.match(r"[DTdt]-\d", text) else word
    if not word or word[0].isdigit() or word in {"and", "or", "not"}:
        word = f"{otherwise}_{word}".rstrip("_")
    return word


def _toml(items: list[Item]) -> str:
    """Items as a procedure.toml; a block ends where its owner does, a task where its time does."""
    text = ["schema = 1\n"]

    def block_key(i: Item) -> tuple[Hashable, ...]:
        return i.block, i.phase, i.chapter, i.block_title, i.owner, i.due_day

    def task_key(i: Item) -> tuple[Hashable, ...]:
        return i.task, i.kind, i.time, i.minutes

    for _, in_block in itertools.groupby(items, block_key):
        members = list(in_block)
        b = members[0]
        text.append(
            f"\n[[block]]\nmark = {_quoted(b.block)}\nphase = {_quoted(b.phase)}\n"
            f"chapter = {_quoted(b.chapter)}\ntitle = {_quoted(b.block_title)}\n"
            f"owner = {_quoted(b.owner)}\ndue = {b.due_day}\n"
        )
        for _, in_task in itertools.groupby(members, task_key):
            rows = list(in_task)
            t = rows[0]
            text.append(f"\n[[block.task]]\ntitle = {_quoted(t.task)}\nkind = {_quoted(t.kind)}\n")
            if t.time:
                text.append(f"time = {_quoted(t.time)}\n")
            if t.minutes is not None:
                text.append(f"minutes = {t.minutes}\n")
            text.append("items = [\n")
            text += [
                f"  {{ id = {_quoted(i.id)}, area = {_quoted(i.area)}, way = {_quoted(i.way)},"
                f" effect = {_quoted(i.effect)}, title = {_quoted(i.title)} }},\n"
                for i in rows
            ]
            text.append("]\n")
    return "".join(text)


def _quoted(text: str) -> str:
    """A TOML string: JSON's is one, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _head(path: Path) -> str:
    """The comment at the beginning of a procedure.

    :raises GoliveError: there are comments further on, which writing it again would lose.
    """
    lines = read_text(path, _MOST_BYTES, "a procedure.toml", links=True).splitlines()
    head = list(itertools.takewhile(lambda ln: ln.startswith("#") or not ln.strip(), lines))
    known = set(_toml(list(procedure.load(path))).splitlines())
    for n, line in enumerate(lines[len(head) :], len(head) + 1):
        if "#" in line and line not in known:
            raise GoliveError(
                f"{path}: line {n}: found a comment, which would be lost; expected comments only"
                " at the beginning of the file"
            )
    return "".join(f"{line}\n" for line in head)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
