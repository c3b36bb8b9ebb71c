"""The lines of a Markdown document, found in the tree of its elements."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.front_matter import front_matter_plugin

from golive.files import read_text
from golive.tracing.words import (
    DASHES,
    Mark,
    Span,
    fold,
    key_of,
    mark_of,
    plain,
    properties,
    span_of,
    split_clauses,
    without_brackets,
    without_sign,
)
from golive.verdicts import GoliveError

_MOST_BYTES = 16 * 2**20
"""A procedure of 500 lines takes 50 kB; parsing takes time that grows faster than the file."""
_DEEPEST = 100
_MOST_LINES = 50_000
_LONGEST_LINE = 10_000
_MOST_CELLS = 150_000
_MOST_MARKS = 300_000
"""Characters that may begin markup within a line. Each takes the parser up to 50 microseconds."""
_MARKS = re.compile(r"[\[*_<&!`(]")
_MOST_OPEN = 1_000_000
"""Of all brackets, how many others are open where each opens: a microsecond for each of those."""
_BRACKETS = re.compile(r"\\.|!?\[|\]", re.DOTALL)
_NUMBERING = re.compile(r"(?:\d+(?:\.\d+)*[.)]|\d+(?:\.\d+)+)\s+")
_NOBODY = re.compile(r"(?:tb[acd]|n/?a|none|\?+|[-\u2013\u2014]+|\[.*\]|_+)?", re.IGNORECASE)
_BOX = re.compile(r"\[(?P<tick>[ xX])\](?:\s+|$)")
_SIGNS = {"\u2610": False, "\u2b1c": False, "\u2611": True, "\u2612": True, "\u2705": True}
_GENERIC = re.compile(r"(?:(?:key |main )?tasks?|check ?lists?|steps|activities|actions|to-?dos?)")
_KINDS = {
    "deliverable": re.compile(r"\bdeliverables$"),
    "trigger": re.compile(r"\btriggers$"),
    "metric": re.compile(r"\b(?:metrics(?: and kpis)?|kpis|success criteria)$"),
    "contact": re.compile(r"\bcontacts?(?: list| table)?$"),
    "escalation": re.compile(r"\bescalation(?: matrix| levels| path| ladder)?$"),
}
_ROLLBACK = re.compile(r"\broll-?\s?backs?\b|\bback-?out\b|\bfall-?back\b", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class _Said:
    """What a document says of an owner and times, at one place."""

    line: int
    owner: str = ""
    owner_line: int = 0
    clock: str = ""
    lasts: str = ""
    span: Span | None = None

    def take(self, key: str, value: str, line: int) -> None:
        value = plain(value).rstrip(".")
        if key == "owner":
            self.owner, self.owner_line = ("" if _NOBODY.fullmatch(value) else value), line
        elif (span := span_of(value)) is not None:
            self.lasts, self.span = value, span
        elif value:
            self.clock = value


@dataclass(slots=True, eq=False)
class _Place(_Said):
    """A heading, a bold line, or an entry of a list that others are nested in."""

    title: str = ""
    heading: str = ""
    """The title with the day or clock time that stands in brackets behind it."""
    is_bold: bool = False
    level: int = 0
    parent: _Place | None = None
    how: str = "root"
    mark: Mark = field(default_factory=Mark)

    @property
    def path(self) -> list[_Place]:
        """From the outermost place to this one, without the document itself."""
        found: list[_Place] = []
        at: _Place | None = self
        while at is not None and at.how != "root":
            found.append(at)
            at = at.parent
        return found[::-1]


@dataclass(slots=True, eq=False)
class _Entry(_Said):
    """What could be a line."""

    title: str = ""
    place: _Place = field(default_factory=lambda: _Place(0))
    how: str = ""
    boxed: bool = False
    ticked: bool = False
    lead: str = ""
    inner: _Place | None = None
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

    ``prose`` are the bullets, numbers and rows that were not read as lines.
    """

    source: Path
    title: str
    lines: tuple[Line, ...]
    blocks: dict[int, Block]
    tasks: dict[int, str]
    prose: tuple[tuple[int, str], ...]


def read(path: Path) -> Document:
    """Read a procedure in Markdown.

    :raises GoliveError: it cannot be read as a whole, or holds no line.
    """
    expected = "a procedure as Markdown in UTF-8"
    text = read_text(path, _MOST_BYTES, expected, links=True).removeprefix("\ufeff")
    found = parse(text, path)
    if not found.lines:
        raise GoliveError(
            f"{path}: found no line of a procedure; expected checkboxes (- [ ] ...), or lists"
            " below headings with days, times or phases"
        )
    return found


def parse(text: str, source: Path) -> Document:
    """The document of a text; ``source`` is its name in messages.

    :raises GoliveError: it is nested more deeply than can be read, or would take too long.
    """
    _check_size(text, source)
    parser = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable("table")
    parser.core.ruler.after("block", "brackets", lambda state: _check_brackets(state, source))
    tokens = parser.use(front_matter_plugin).parse(text)
    deepest = max(tokens, key=lambda t: t.level, default=None)
    if deepest is not None and deepest.level >= _DEEPEST - 1:
        line = (deepest.map or [0])[0] + 1
        raise GoliveError(
            f"{source}: line {line}: lists and quotes are nested more than {_DEEPEST // 2} deep;"
            " expected a flatter document"
        )
    reader = _Reader(source)
    reader.siblings(_nodes(tokens), reader.root)
    return _Resolver(reader, source).document()


def _check_size(text: str, source: Path) -> None:
    """Refuse what would take minutes to read, before any of it is parsed.

    :raises GoliveError: names the line from which on it is too much.
    """
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise GoliveError(
            f"{source}: has {len(lines):,} lines; expected at most {_MOST_LINES:,}: divide it"
        )
    cells = marks = 0
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            raise GoliveError(
                f"{source}: line {number}: has {len(line):,} characters; expected at most"
                f" {_LONGEST_LINE:,} in a line"
            )
        cells += line.count("|")
        if cells > _MOST_CELLS:
            raise GoliveError(
                f"{source}: line {number}: the tables up to here have over {_MOST_CELLS:,} cells;"
                " expected fewer: divide the document, or leave columns out"
            )
        marks += len(_MARKS.findall(line))
        if marks > _MOST_MARKS:
            raise GoliveError(
                f"{source}: line {number}: the marks of Markdown ([ * _ < & ! ` and"
                f" round brackets) up to here are over {_MOST_MARKS:,}; expected fewer: divide it"
            )


def _check_brackets(state: StateCore, source: Path) -> None:
    """Refuse brackets that take the parser long, since it looks for the end of each in turn.

    :raises GoliveError: names the line from which on it is too much.
    """
    total = 0
    for token in state.tokens:
        open_ = 0
        for match in _BRACKETS.finditer(token.content if token.type == "inline" else ""):
            if match[0] == "]":
                open_ = max(open_ - 1, 0)
            elif match[0].endswith("[") and not match[0].startswith("\\"):
                total += min(open_, _DEEPEST) * (3 if match[0] == "![" else 1)
                open_ += 1
        if total > _MOST_OPEN:
            raise GoliveError(
                f"{source}: line {(token.map or [0])[0] + 1}: square brackets are left open or"
                " stand in one another too often; expected each [ with its ]"
            )


def _nodes(tokens: list[Token]) -> Iterator[SyntaxTreeNode]:
    """The document's elements one by one: the tree of all at once would be large."""
    start = 0
    for i, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            yield SyntaxTreeNode(tokens[start : i + 1]).children[0]
            start = i + 1


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


def _strip_clauses(text: str, said: _Said, *, days: bool = True) -> str:
    """The title in a text; what stands behind it about owner and times goes to ``said``."""
    title, clauses = split_clauses(text, days=days)
    for key, value in clauses:
        said.take(key, value, said.line)
    return title


class _Reader:
    """Walks the elements and keeps what could be a line, and where it stands."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.root = _Place(0)
        self.places: list[_Place] = []
        self.entries: list[_Entry] = []
        self.hidden: list[tuple[int, str]] = []

    def siblings(self, nodes: Iterable[SyntaxTreeNode], place: _Place) -> None:
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

    def _open(self, text: str, line: int, parent: _Place, how: str, level: int = 0) -> _Place:
        place = _Place(line, level=level, parent=parent, how=how)
        text = without_sign(text)
        if numbered := _NUMBERING.match(text):
            text = text[numbered.end() :] or text
        place.heading = _strip_clauses(text, _Said(line), days=False).rstrip(": ") or text
        place.title = _strip_clauses(text, place).rstrip(": ") or text
        place.mark = mark_of(place.title)
        self.places.append(place)
        return place

    def _heading(self, node: SyntaxTreeNode, place: _Place) -> _Place:
        level = int(node.tag[1])
        text = plain(" ".join(t.text for t in _texts(node.children[0], _number(node))))
        if not text:
            return place
        above: _Place | None = place
        while above is not None and above.how not in {"root", "entry", "box"}:
            if above.how == "heading" and above.level < level:
                break
            above = above.parent
        return self._open(text, _number(node), above or self.root, "heading", level)

    def _paragraph(
        self, node: SyntaxTreeNode, after: SyntaxTreeNode | None, place: _Place
    ) -> _Place:
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

    def _box_without_list(self, line: _Text, place: _Place) -> None:
        tick = bool(_tick(line.text))
        entry = _Entry(line.number, place=place, how="bullet", boxed=True, ticked=tick)
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

    def _list(self, node: SyntaxTreeNode, after: SyntaxTreeNode | None, place: _Place) -> _Place:
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

    def _entry(self, node: SyntaxTreeNode, is_ordered: bool, place: _Place) -> _Entry | None:
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
        entry = _Entry(
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

    def _table(self, node: SyntaxTreeNode, place: _Place) -> None:
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
            entry = _Entry(
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
    said = _Said(0)
    return _strip_clauses(f"x {behind}", said).strip(" :x") == ""


class _Resolver:
    """Decides which entries are lines, and what applies to each."""

    def __init__(self, reader: _Reader, source: Path) -> None:
        self.reader, self.source = reader, source
        headings = [p for p in reader.places if p.how == "heading"]
        self.title: _Place | None = None
        if len(headings) > 1 and not headings[0].mark:
            is_title = all(p.level > headings[0].level for p in headings[1:])
            self.title = headings[0] if is_title else None
        self.minutes: dict[int, int] = {}
        self.ends: dict[int, float] = {}
        over_marked = {id(a) for p in headings if p.mark for a in p.path[:-1] if a.mark}
        levels = Counter(p.level for p in headings if p.mark and id(p) not in over_marked)
        self.level = max(levels, key=lambda n: (levels[n], n)) if levels else 0

    def document(self) -> Document:
        self._assign_index_rows()
        block_of = {id(p): self._block(p) for p in {e.place for e in self.reader.entries}}
        blocks: dict[int, _Place] = {p.line: p for p in block_of.values()}
        over = {id(a) for p in blocks.values() for a in p.path[:-1]}
        boxed = {id(block_of[id(e.place)]) for e in self.reader.entries if e.boxed}
        # A list's entry is a task, not a line, where lines are nested in it.
        holds: set[int] = set()
        chosen: list[_Entry] = []
        prose: list[tuple[int, str]] = list(self.reader.hidden)
        for e in reversed(self.reader.entries):
            block = block_of[id(e.place)]
            kind, depth = self._kind(e.place, block)
            is_task = e.inner is not None and id(e.inner) in holds
            is_line = e.boxed
            if not e.boxed and not is_task and kind != "task":
                is_line = all(p.how not in {"entry", "box"} for p in e.place.path[depth:])
            elif not e.boxed and not is_task and id(block) not in boxed | over:
                is_live = any(p.mark for p in block.path) or _ROLLBACK.search(block.title)
                is_task = e.inner is not None and e.inner.is_bold
                above = [p for p in e.place.path if p.how in {"entry", "box"}]
                is_line = bool(is_live) and not is_task and all(p.is_bold for p in above)
            if is_line:
                chosen.append(e)
                holds |= {id(p) for p in e.place.path}
            elif not is_task:
                prose.append((e.line, e.raw))
        chosen.reverse()
        self._assign_document_owner(chosen)
        lines = tuple(self._line(e, block_of[id(e.place)]) for e in chosen)
        used = {ln.block for ln in lines}
        tasks: dict[int, str] = {}
        for e in chosen:
            block = block_of[id(e.place)]
            task = self._task(e.place, block)
            tasks[task.line] = task.title or self._name()
        return Document(
            self.source,
            self._name(),
            lines,
            {n: self._as_block(p) for n, p in blocks.items() if n in used},
            tasks,
            tuple(sorted(prose)),
        )

    def _name(self) -> str:
        return self.title.title if self.title else self.source.stem

    def _assign_index_rows(self) -> None:
        """A table that names blocks or tasks of the document says who does them and when."""
        named: dict[str, list[_Place]] = defaultdict(list)
        for p in self.reader.places:
            if p.how != "box":
                for name in {fold(p.title), fold(p.mark.rest)} - {""}:
                    named[name].append(p)
        kept = []
        for e in self.reader.entries:
            places = named.get(fold(e.title), []) if e.how == "row" and not e.boxed else []
            if len(places) != 1 or places[0] in e.place.path or not (e.owner or e.lasts):
                kept.append(e)
                continue
            place = places[0]
            if e.owner and not place.owner:
                place.owner, place.owner_line = e.owner, e.owner_line
            if e.span and not place.span:
                place.lasts, place.span = e.lasts, e.span
        self.reader.entries = kept

    def _block(self, place: _Place) -> _Place:
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

    def _below(self, place: _Place, block: _Place) -> list[_Place]:
        path = place.path
        return path[path.index(block) + 1 :] if block in path else path

    def _task(self, place: _Place, block: _Place) -> _Place:
        named = [
            p
            for p in self._below(place, block)
            if p.how != "box" and p is not self.title and not _GENERIC.fullmatch(fold(p.title))
        ]
        return named[-1] if named else block

    def _kind(self, place: _Place, block: _Place) -> tuple[str, int]:
        """What the lines of a place are, and how many places of its path it takes to say so."""
        path = place.path
        first = path.index(block) if block in path else 0
        for n in range(len(path), first, -1):
            title = fold(without_brackets(path[n - 1].title))
            for kind, pattern in _KINDS.items():
                if path[n - 1].how != "box" and pattern.search(title):
                    return kind, n
        return "task", 0

    def _assign_document_owner(self, entries: list[_Entry]) -> None:
        """The document's owner is the lines' where no other is named anywhere."""
        root = self.title or self.reader.root
        root.owner = root.owner or self.reader.root.owner
        if any(s.owner for e in entries for s in (e, *e.place.path) if s is not root):
            root.owner = ""

    def _line(self, e: _Entry, block: _Place) -> Line:
        task = self._task(e.place, block)
        kind, _ = self._kind(e.place, block)
        title = e.title
        if kind in {"trigger", "metric", "escalation"} and not e.boxed:
            title = e.raw  # a duration is part of a threshold there
        elif kind == "contact" and not e.boxed:
            title = _contact(e)
        above = [*reversed(e.place.path), self.reader.root]
        owner = next((s for s in (e, *above) if s.owner), None)
        timed: list[_Said] = []
        if kind in {"task", "deliverable"}:
            below = [p for p in self._below(e.place, block) if p.how != "box"]
            timed = [e, *reversed(below), *([block] if task is block else [])]
        said = next((s for s in timed if s.clock or s.lasts), None)
        due, is_own = self._due(e, block)
        return Line(
            number=e.line,
            title=plain(title),
            ticked=e.ticked,
            kind=kind,
            owner=owner.owner if owner else "",
            owner_line=owner.owner_line if owner else block.line,
            time=(said.clock or said.lasts) if said else "",
            minutes=self._minutes(said, block) if said else None,
            time_line=said.line if said else task.line,
            block=block.line,
            task=task.line,
            due=due,
            is_due_own=is_own,
        )

    def _minutes(self, said: _Said, block: _Place) -> int | None:
        """Planned minutes; "5-15 minutes" behind "0-5 minutes" is a window of ten."""
        if said.span is None:
            return None
        if id(said) not in self.minutes:
            low, high = said.span.low, said.span.high
            is_window = said.span.is_range and low == self.ends.get(block.line, 0.0)
            self.minutes[id(said)] = round(high - low if is_window else high)
            if said.span.is_range:
                self.ends[block.line] = high
        return self.minutes[id(said)]

    def _due(self, e: _Entry, block: _Place) -> tuple[int | None, bool]:
        """The day a line is due, and whether its block says so, not just the chapter."""
        for said in (e, *reversed(self._below(e.place, block)), block):
            days = mark_of(said.clock).days
            if isinstance(said, _Place) and days is None:
                days = said.mark.days
            if days:
                return days[0], True
        for place in reversed(block.path[:-1]):
            if days := place.mark.days or mark_of(place.clock).days:
                return days[0], False
        return (0, False) if block.mark.clock else (None, False)

    def _as_block(self, place: _Place) -> Block:
        above = [p for p in place.path[:-1] if p is not self.title]
        title = place.heading or self._name()
        chapter = above[-1].heading if above else self._name()
        return Block(place.line, title, chapter, above[-1].line if above else 0, mark_of(title))


def _contact(entry: _Entry) -> str:
    """Who a contact's line is about, without how to reach them."""
    if entry.how == "row" or entry.lead:
        return entry.lead.rstrip(": ") or entry.title
    return re.split(rf":\s|\s[{DASHES}|]\s|\s\(", entry.raw, maxsplit=1)[0].rstrip(":")
