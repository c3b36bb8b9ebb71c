"""Walks a document's elements: what could be a line, and in which place it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it.tree import SyntaxTreeNode

from golive.tracing.document import Entry, Place, Said
from golive.tracing.words import (
    is_moments,
    is_readable,
    key_of,
    mark_of,
    plain,
    properties,
    split_clauses,
    without_brackets,
    without_number,
    without_sign,
)
from golive.verdicts import GoliveError

_BOX = re.compile(r"\[(?P<tick>[ xX])\](?:\s+|$)")
_BULLET = r"(?:[-*+\u2022\u25cf\u25cb\u25aa\u2023\u25e6\u00b7\u2013\u2014]|\d{1,9}[.)])"
_LIKE_BOX = re.compile(
    rf"[\s>#]*(?:{_BULLET}\s*)*"
    r"(?:\[[ \t\u00a0]*[xX\u2713\u2714\u2717v*-]?[ \t\u00a0]*\](?![(\[])"
    r"|[\u2610-\u2612\u2b1c\u2705])"
)
"""A checkbox, or what is meant as one: ``-[ ] x``, ``- [] x``, ``[x]x``."""
_LIKE_LINE = re.compile(
    rf"[\s>]*(?!(?:[-*_]\s*){{3,}}$)(?:{_BULLET}\s+\S|[-+\u2022\u25cf](?=[^\W\d_])|\|.*\|)"
)
"""A bullet, a number or a row of a table, or what is meant as one."""
_HAS_BOX = re.compile(r"(?<!\S)\[[ xX]?\](?=\s|$)")
_LIKE_HTML = re.compile(r"<(?:li|tr)\b|<input\b[^>]*checkbox", re.IGNORECASE)
_IDS = re.compile(
    r"#|ids?|no\.?|nr\.?|num(?:ber)?|ref(?:erence)?\.?|code|key|seq(?:uence)?|order"
    r"|(?:step|task|item|action|check) ?(?:ids?|no\.?|nr\.?|num(?:ber)?|#)|ticket|issue",
    re.IGNORECASE,
)
_CODE = re.compile(r"[#(]?[A-Za-z_./-]{0,12}\d[\w./-]*[).:]?|[A-Za-z#-]?")
_TASKS = re.compile(
    r"(?:(?:what|tasks?|steps?|actions?|activit(?:y|ies)|checks?|items?|to-?dos?|checkpoints?"
    r"|phases?|deliverables?|metrics?|triggers?|procedures?|instructions?|requirements?)"
    r"(?: (?:name|title|description|items?|to take|to do|has to be done))?)",
    re.IGNORECASE,
)
_NOTES = re.compile(
    r"done\??|status|state|results?|ok\??|completed?\??|checked\??|sign-?off|initials|notes?"
    r"|comments?|remarks?|verified|links?",
    re.IGNORECASE,
)
_PER_UNIT = re.compile(r"\b(?P<unit>min(?:ute)?s?|h(?:ou)?rs?|h|sec(?:ond)?s?)\b", re.IGNORECASE)
_LISTS = {"bullet_list", "ordered_list", "table"}
_REMARK = re.compile(r":?\s*\([^()]*\)\s*:?")
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

    def __init__(self, source: Path, text: str) -> None:
        self.source = source
        self.text = ["", *re.split(r"\r\n?|\n", text)]
        """The document's lines by their number."""
        self.root = Place(0)
        self.places: list[Place] = []
        self.entries: list[Entry] = []
        self.hidden: list[tuple[int, str]] = []
        self.unread: list[tuple[int, str]] = []
        self.seen: set[int] = set()
        """Numbers of lines that were read, or are no text."""

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
            elif node.type in {"fence", "front_matter"}:
                self.seen |= _numbers(node)
            elif node.type == "code_block":
                self._code(node)
            node = after

    def is_like_line(self, number: int) -> bool:
        """Whether a line of the source looks like a checkbox, a bullet, a number or a row."""
        text = self.text[number]
        return bool(_LIKE_BOX.match(text) or _LIKE_LINE.match(text))

    def account(self) -> None:
        """Name what looks like a line and was not read as one, whatever the reason."""
        for number, text in enumerate(self.text):
            if number in self.seen:
                continue
            if _LIKE_BOX.match(text):
                self._unread_box(number)
            elif _LIKE_LINE.match(text) or _HAS_BOX.search(text):
                self.hidden.append((number, text.strip()))

    def _unread_box(self, number: int) -> None:
        said = plain(self.text[number])
        self.hidden.append((number, f"a checkbox that was not read: {said}"))
        self.unread.append((number, f"a checkbox: {said}"))
        self.seen.add(number)

    def _code(self, node: SyntaxTreeNode) -> None:
        """Text that is indented too far is code, and that is rarely meant of a list's entry."""
        self.seen |= {n for n in _numbers(node) if not self.is_like_line(n)}

    def _open(self, text: str, line: int, parent: Place, how: str, level: int = 0) -> Place:
        place = Place(line, level=level, parent=parent, how=how)
        text = without_number(without_sign(text))
        place.heading = _strip_clauses(text, Said(line), days=False).rstrip(": ") or text
        place.title = _strip_clauses(text, place).rstrip(": ") or text
        place.mark = mark_of(place.title)
        self.places.append(place)
        if not _LIKE_BOX.match(self.text[line]):
            self.seen.add(line)
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
        is_before_list = after is not None and after.type in _LISTS
        for line in lines:
            if found := properties(line.text):
                self.seen.add(line.number)
                for key, value in found:
                    place.take(key, value, line.number)
            elif _is_title(line) or (
                line is lines[-1]
                and is_before_list
                and (_is_title(line, remark=True) or line.text.endswith(":"))
                and len(line.text) <= 80
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
            self.seen.add(line.number)

    def _html(self, node: SyntaxTreeNode) -> None:
        """Markdown next to an HTML tag is text of the HTML: a checkbox there is none."""
        if node.content.lstrip().lower().startswith(("<!--", "<pre", "<script", "<style")):
            self.seen |= _numbers(node)
            return
        for number, line in enumerate(node.content.splitlines(), _number(node)):
            if _BOX.match(line.lstrip(" -*+")):
                raise GoliveError(
                    f"{self.source}: line {number}: found a checkbox inside an HTML block, where"
                    " Markdown is not read; expected an empty line between the tag and the list"
                )
            if _LIKE_HTML.search(line):
                self.seen.add(number)
                self.hidden.append((number, line.strip()))

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
            and after.type in {"bullet_list", "ordered_list"}
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
        text, own = self._words(lines)
        lead = lines[0].bold
        nested = node.children[1:]
        is_unread = ticked is None and bool(_LIKE_BOX.fullmatch(_boxed(head)))
        if not is_unread:
            self.seen.add(number)
        found = properties(text) if ticked is None and not nested else []
        if found and all(is_readable(*one) for one in found):
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
        if is_unread:
            self._unread_box(number)
        elif entry.title:
            self.entries.append(entry)
        if nested:
            how = "box" if entry.boxed else "entry"
            entry.inner = self._open(text or "-", number, place, how)
            entry.inner.is_title = _is_title(lines[0]) or text.endswith(":")
            for key, value, line_number in own:
                entry.inner.take(key, value, line_number)
            self.siblings(nested, entry.inner)
            if entry.boxed:
                entry.owners = entry.owners or entry.inner.owners[:1]
                entry.durations = entry.durations or entry.inner.durations[:1]
        return entry

    def _words(self, lines: list[_Text]) -> tuple[str, list[tuple[str, str, int]]]:
        """The words of a list's entry, and what its further lines say of owner and times."""
        text, own, is_over = lines[0].text, [], False
        for line in lines[1:]:
            found = properties(line.text)
            own += [(key, value, line.number) for key, value in found]
            is_over |= line.is_hard and not found
            if found:
                self.seen.add(line.number)
            elif _LIKE_LINE.match(line.text) or _LIKE_BOX.match(line.text):
                continue  # no words of this one; named where all lines are accounted for
            elif not is_over:
                text = f"{text} {line.text}".strip()
                self.seen.add(line.number)
            elif line.text:  # behind a line break that is meant as one
                self.hidden.append((line.number, line.text))
        return text, own

    def _table(self, node: SyntaxTreeNode, place: Place) -> None:
        rows = [_row(row) for part in node.children for row in part.children]
        self.seen |= _numbers(node)
        header, body = rows[0].cells, rows[1:]
        for r in rows:
            self._cells_beyond(r, len(header))
        if (
            len(header) == 2
            and not key_of(without_brackets(header[1]))
            and (not body or any(key_of(r.cells[0].rstrip(":")) for r in body))
        ):
            for r in rows:
                if key := key_of(r.cells[0].rstrip(":")):
                    place.take(key, r.cells[1], r.number)
                elif (r is not rows[0] or not body) and any(r.cells):
                    self.hidden.append((r.number, ": ".join(filter(None, r.cells))))
            return
        columns = _Columns.of(header, body)
        if not body:
            self.hidden.append((rows[0].number, ": ".join(header)))
        for r in body:
            entry = Entry(
                r.number,
                place=place,
                how="row",
                boxed=r.tick is not None,
                ticked=bool(r.tick),
                lead=columns.lead(r.cells),
                name=columns.name(r.cells),
                raw=columns.joined(header, r.cells),
            )
            title = columns.title(r.cells)
            entry.title = _strip_clauses(without_sign(title), entry)
            for c, value in enumerate(r.cells):
                unit = columns.units.get(c, "") if re.fullmatch(r"[\d.]+", value) else ""
                if columns.keys[c] and value:
                    entry.take(columns.keys[c], f"{value} {unit}".strip(), r.number)
            if entry.title:
                self.entries.append(entry)
            elif any(r.cells) or entry.boxed:
                words = ": ".join(filter(None, r.cells))
                self.hidden.append((r.number, words or "a checkbox without words"))

    def _cells_beyond(self, row: _Row, columns: int) -> None:
        """Name what Markdown drops of a row that is longer than its table's header."""
        cells = re.split(r"(?<!\\)\|", self.text[row.number].strip(" >\t").strip("|"))
        beyond = [plain(c) for c in cells[columns:] if c.strip()]
        if beyond:
            self.unread.append((row.number, f"cells beyond the columns: {' | '.join(beyond)}"))


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the columns of a table hold."""

    keys: list[str]
    units: dict[int, str]
    codes: frozenset[int]
    """Columns that number or name rows, as C-01 does."""
    main: list[int]
    """Columns that say what has to be done."""
    others: list[int]

    @classmethod
    def of(cls, header: list[str], body: list[_Row]) -> _Columns:
        keys, units = [], {}
        for c, name in enumerate(header):
            key = key_of(without_brackets(name))
            unit = _PER_UNIT.search(name)
            if not key and unit and unit[0] == name:
                key = "duration"
            if key == "duration" and unit:
                units[c] = unit["unit"]
            if not key and not _IDS.fullmatch(name) and is_moments(r.cells[c] for r in body):
                key = "time"
            keys.append(key)
        filled = [c for c in range(len(header)) if not keys[c] and any(r.cells[c] for r in body)]
        codes = frozenset(
            c
            for c in filled
            if _IDS.fullmatch(header[c]) or all(_CODE.fullmatch(r.cells[c]) for r in body)
        )
        texts = [c for c in filled if c not in codes and not _NOTES.fullmatch(header[c])]
        main = [c for c in texts if _TASKS.fullmatch(header[c])][:1] or texts
        others = [c for c in texts if c not in main]
        others += [c for c in filled if c not in texts and c not in codes]
        return cls(keys, units, codes, main, [*others, *sorted(codes)])

    def title(self, cells: list[str]) -> str:
        """What has to be done: the cells that say so, or what else there is."""
        said = [cells[c] for c in self.main if cells[c]]
        return ": ".join(said) or next((cells[c] for c in self.others if cells[c]), "")

    def name(self, cells: list[str]) -> str:
        """The first cell with words."""
        return next((cells[c] for c in [*self.main, *self.others] if cells[c]), "")

    def lead(self, cells: list[str]) -> str:
        """The first cell that is no number of the row."""
        return next((v for c, v in enumerate(cells) if v and c not in self.codes), cells[0])

    def joined(self, header: list[str], cells: list[str]) -> str:
        """A row as one text: ``Uptime: >99.9% (target: 99.95%)``."""
        some = [c for c in range(len(cells)) if c not in self.codes] or range(len(cells))
        more = [f"{header[c].lower()}: {cells[c]}" for c in some[2:] if cells[c]]
        text = ": ".join(cells[c] for c in some[:2] if cells[c])
        return f"{text} ({', '.join(more)})" if more else text


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


def _number(node: SyntaxTreeNode) -> int:
    return (node.map or (0, 0))[0] + 1


def _numbers(node: SyntaxTreeNode) -> set[int]:
    """Numbers of the lines that an element takes."""
    first, end = node.map or (0, 0)
    return set(range(first + 1, end + 1))


def _boxed(head: SyntaxTreeNode) -> str:
    """The beginning of a list's entry, up to the end of what may be a checkbox."""
    raw = head.children[0].content
    return raw[: raw.find("]") + 1] or raw[:1]


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


def _is_title(line: _Text, *, remark: bool = False) -> bool:
    """Whether a line is bold as a whole, but for a colon and clauses behind it, or a remark."""
    if not line.bold or not line.text.startswith(line.bold):
        return False
    behind = line.text[len(line.bold) :].strip()
    if remark and _REMARK.fullmatch(behind):
        return True
    said = Said(0)
    return _strip_clauses(f"x {behind}", said).strip(" :x") == ""
