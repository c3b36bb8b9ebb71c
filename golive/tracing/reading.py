"""The lines of a Markdown document, found in the tree of its elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.front_matter import front_matter_plugin

from golive.files import read_text
from golive.tracing.document import Document
from golive.tracing.elements import Reader
from golive.tracing.resolving import Resolver
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
    reader = Reader(source, text)
    reader.siblings(_nodes(tokens), reader.root)
    reader.account()
    return Resolver(reader, source).document()


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
