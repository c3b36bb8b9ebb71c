"""Walks a document's elements: what could be a line, and in which place it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it.tree import SyntaxTreeNode

from golive.tracing.document import Entry, Place, Said
from golive.tracing.words import (
    key_of,
    mark_of,
    plain,
    properties,
    split_clauses,
    without_brackets,
    without_sign,
)
from golive.verdicts import GoliveError

_NUMBERING = re.compile(r"(?:\d+(?:\.\d+)*[.)]|\d+(?:\.\d+)+)\s+")
_BOX = re.compile(r"\[(?P<tick>[ xX])\](?:\s+|$)")
_SIGNS = {"\u2610": False, "\u2b1c": False, "\u2611": True, "\u2612": True, "\u2705": True}


@dataclass(slots=True)
class _Text:
    """One line of an inline text, without markup."""

    text: str
    number: int
    is_hard: bool
    """Whether it begins behind a hard line break."""
    bold: str = ""
    """What is bold at its beginning."""


def _texts(inline: SyntaxTreeNode, number: int) -> list[_Text]:
    lines = [_Text("", number, is_hard=True)]
    open_bold = [True]

    def add(text: str, is_bold: bool) -> None:
        line = lines[-1]
        if is_bold and open_bold[0]:
            line.bold += text
        elif text.strip():
            open_bold[0] = False
        line.text += text

    def visit(nodes: Sequence[SyntaxTreeNode], is_bold: bool) -> None:
        for node in nodes:
            is_break = node.type == "html_inline" and node.content.lower().startswith("<br")
            if node.type in {"softbreak", "hardbreak"} or is_break:
                number = lines[-1].number + (not is_break)
                lines.append(_Text("", number, is_hard=node.type != "softbreak"))
                open_bold[0] = True
            elif node.type in {"text", "code_inline"}:
                add(node.content, is_bold)
            elif node.type != "html_inline":
                visit(node.children, is_bold or node.type == "strong")

    visit(inline.children, is_bold=False)
    for line in lines:
        line.text, line.bold = plain(line.text), plain(line.bold)
    return lines


def _strip_clauses(text: str, said: Said, *, days: bool = True) -> str:
    """The title in a text; what stands behind it about owner and times goes to ``said``."""
    title, clauses = split_clauses(text, days=days)
    for key, value in clauses:
        said.take(key, value, said.line)
    return title


class Reader:
    """Walks the elements and keeps what could be a line, and where it stands."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.root = Place(0)
        self.places: list[Place] = []
        self.entries: list[Entry] = []
        self.hidden: list[tuple[int, str]] = []

    def siblings(self, nodes: Iterable[SyntaxTreeNode], place: Place) -> None:
        """Elements that follow one another; headings and bold lines hold for those behind."""
        pending = iter(nodes)
        node = next(pending, None)
        while node is not None:
            after = next(pending, None)
            if node.type == "heading":
                place = self._heading(node, place)
            elif node.type == "paragraph":
                place = self._paragraph(node, after, place)
            elif node.type in {"bullet_list", "ordered_list"}:
                place = self._list(node, after, place)
            elif node.type == "table":
                self._table(node, place)
            elif node.type == "blockquote":
                self.siblings(node.children, place)
            elif node.type == "html_block":
                self._html(node)
            node = after

    def _open(self, text: str, line: int, parent: Place, how: str, level: int = 0) -> Place:
        place = Place(line, level=level, parent=parent, how=how)
        text = without_sign(text)
        if numbered := _NUMBERING.match(text):
            text = text[numbered.end() :] or text
        place.heading = _strip_clauses(text, Said(line), days=False).rstrip(": ") or text
        place.title = _strip_clauses(text, place).rstrip(": ") or text
        place.mark = mark_of(place.title)
        self.places.append(place)
        return place

    def _heading(self, node: SyntaxTreeNode, place: Place) -> Place:
        level = int(node.tag[1])
        text = plain(" ".join(t.text for t in _texts(node.children[0], _number(node))))
        if not text:
            return place
        above: Place | None = place
        while above is not None and above.how not in {"root", "entry", "box"}:
            if above.how == "heading" and above.level < level:
                break
            above = above.parent
        return self._open(text, _number(node), above or self.root, "heading", level)

    def _paragraph(self, node: SyntaxTreeNode, after: SyntaxTreeNode | None, place: Place) -> Place:
        lines = _texts(node.children[0], _number(node))
        for line in lines:
            if found := properties(line.text):
                for key, value in found:
                    place.take(key, value, line.number)
            elif _is_title(line) or (
                line is lines[-1]
                and line.text.endswith(":")
                and len(line.text) <= 80
                and after is not None
                and after.type in {"bullet_list", "ordered_list", "table"}
            ):
                above = place.parent if place.how == "line" else place
                place = self._open(line.text, line.number, above or self.root, "line")
            elif _BOX.match(line.text):
                self._box_without_list(line, place)
        return place

    def _box_without_list(self, line: _Text, place: Place) -> None:
        tick = bool(_tick(line.text))
        entry = Entry(line.number, place=place, how="bullet", boxed=True, ticked=tick)
        entry.raw = _unboxed(line.text)
        entry.title = _strip_clauses(without_sign(entry.raw), entry)
        if entry.title:
            self.entries.append(entry)

    def _html(self, node: SyntaxTreeNode) -> None:
        """Markdown next to an HTML tag is text of the HTML: a checkbox there is none."""
        if node.content.lstrip().lower().startswith(("<!--", "<pre", "<script", "<style")):
            return
        for number, line in enumerate(node.content.splitlines(), _number(node)):
            if _BOX.match(line.lstrip(" -*+")):
                raise GoliveError(
                    f"{self.source}: line {number}: found a checkbox inside an HTML block, where"
                    " Markdown is not read; expected an empty line between the tag and the list"
                )

    def _list(self, node: SyntaxTreeNode, after: SyntaxTreeNode | None, place: Place) -> Place:
        entry = None
        for one in node.children:
            entry = self._entry(one, node.type == "ordered_list", place)
        # "1. Task" and, not indented as it should be, its checkboxes
        if (
            entry is not None
            and node.type == "ordered_list"
            and not entry.boxed
            and entry.inner is None
            and after is not None
            and after.type == "bullet_list"
            and any(_box(e) is not None for e in after.children)
        ):
            if self.entries and self.entries[-1] is entry:  # one without words was not kept
                self.entries.pop()
            above = place.parent if place.how == "line" else place
            return self._open(entry.raw, entry.line, above or self.root, "line")
        return place

    def _entry(self, node: SyntaxTreeNode, is_ordered: bool, place: Place) -> Entry | None:
        number = _number(node)
        head = node.children[0] if node.children and node.children[0].type == "paragraph" else None
        if head is None:
            self.siblings(node.children, place)
            return None
        ticked = _box(node)
        lines = _texts(head.children[0], number)
        text, lead, own = "", lines[0].bold, []
        for i, line in enumerate(lines):
            found = properties(line.text) if i else []
            own += [(key, value, line.number) for key, value in found]
            if not found and not (line.is_hard and i):
                text = f"{text} {line.text}".strip()
            elif line.is_hard and not found:
                break
        nested = node.children[1:]
        if ticked is None and not nested and (found := properties(text)):
            for key, value in found:
                place.take(key, value, number)
            return None
        if ticked is not None:
            text = _unboxed(text)
            if not text.strip():
                self.hidden.append((number, "a checkbox without words"))
        entry = Entry(
            number,
            place=place,
            how="number" if is_ordered else "bullet",
            boxed=ticked is not None,
            ticked=bool(ticked),
            lead=lead,
            raw=text,
        )
        entry.title = _strip_clauses(without_sign(text), entry)
        for key, value, line_number in own:
            entry.take(key, value, line_number)
        if entry.title:
            self.entries.append(entry)
        if nested:
            how = "box" if entry.boxed else "entry"
            entry.inner = self._open(text or "-", number, place, how)
            entry.inner.is_bold = _is_title(lines[0])
            for key, value, line_number in own:
                entry.inner.take(key, value, line_number)
            self.siblings(nested, entry.inner)
            if entry.boxed and entry.inner.owner:
                entry.owner, entry.owner_line = entry.inner.owner, entry.inner.owner_line
            if entry.boxed and entry.inner.span:
                entry.lasts, entry.span = entry.inner.lasts, entry.inner.span
        return entry

    def _table(self, node: SyntaxTreeNode, place: Place) -> None:
        rows = [_row(row) for part in node.children for row in part.children]
        header, body = rows[0].cells, rows[1:]
        if len(header) == 2 and (not body or any(key_of(r.cells[0].rstrip(":")) for r in body)):
            for r in rows:
                if key := key_of(r.cells[0].rstrip(":")):
                    place.take(key, r.cells[1], r.number)
            return
        keys = [key_of(without_brackets(h)) for h in header]
        titles = [
            c
            for c, key in enumerate(keys)
            if not key and not all(re.fullmatch(r"[\d.#]*", r.cells[c]) for r in body)
        ]
        for r in body:
            entry = Entry(
                r.number,
                place=place,
                how="row",
                boxed=r.tick is not None,
                ticked=bool(r.tick),
                lead=r.cells[0],
                raw=_joined(header, r.cells),
            )
            title = next((r.cells[c] for c in titles if r.cells[c]), "")
            entry.title = _strip_clauses(without_sign(title), entry)
            for key, name, value in zip(keys, header, r.cells, strict=True):
                is_bare = key == "duration" and value.isdigit() and "min" in name.casefold()
                if key and value:
                    entry.take(key, f"{value} min" if is_bare else value, r.number)
            if entry.title:
                self.entries.append(entry)
            elif entry.boxed:
                self.hidden.append((r.number, entry.raw or "a checkbox without words"))


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table, its checkbox taken out of its cells."""

    number: int
    cells: list[str]
    tick: bool | None


def _row(node: SyntaxTreeNode) -> _Row:
    tick: bool | None = None
    cells = []
    for cell in node.children:
        text = ""
        for inline in cell.children:
            text = plain(" ".join(t.text for t in _texts(inline, 0)))
            ticked = _tick(inline.content)
            if ticked is not None:
                tick, text = ticked, _unboxed(text)
        cells.append(text)
    return _Row(_number(node), cells, tick)


def _unboxed(text: str) -> str:
    return text[1:].strip() if text[:1] in _SIGNS else _BOX.sub("", text, count=1)


def _joined(header: list[str], cells: list[str]) -> str:
    """A row as one text: ``Uptime: >99.9% (target: 99.95%)``."""
    more = [f"{h.lower()}: {c}" for h, c in zip(header[2:], cells[2:], strict=False) if c]
    text = ": ".join(c for c in cells[:2] if c)
    return f"{text} ({', '.join(more)})" if more else text


def _number(node: SyntaxTreeNode) -> int:
    return (node.map or (0, 0))[0] + 1


def _box(entry: SyntaxTreeNode) -> bool | None:
    """Whether a list's entry is ticked; None where it has no checkbox."""
    if not entry.children or entry.children[0].type != "paragraph":
        return None
    return _tick(entry.children[0].children[0].content)


def _tick(raw: str) -> bool | None:
    """By its source, in which an escaped bracket is no checkbox."""
    if m := _BOX.match(raw):
        return m["tick"] != " "
    return _SIGNS.get(raw[:1])


def _is_title(line: _Text) -> bool:
    """Whether a line is bold as a whole, but for a colon and clauses behind it."""
    if not line.bold or not line.text.startswith(line.bold):
        return False
    behind = line.text[len(line.bold) :].strip()
    said = Said(0)
    return _strip_clauses(f"x {behind}", said).strip(" :x") == ""
