"""What an item is in code: a function that carries the id of its line in the procedure."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from golive.files import read_text
from golive.verdicts import GoliveError

Check = TypeVar("Check", bound=Callable[..., None])

MOST_SOURCE_BYTES = 4 * 2**20
"""Of a file of checks."""
ATTRIBUTE = "__golive_item__"
"""Where a function keeps its card."""


@dataclass(frozen=True, slots=True)
class Card:
    """What code says of an item. ``way`` is empty where the procedure's word is enough."""

    id: str
    way: str = ""
    asks: str = ""
    by: tuple[str, ...] = ()
    """Roles that have to state it, each by another person; empty: the item's owner."""
    each: bool = False
    """Whether everybody of a set states it in person; the check says of which."""
    papers: tuple[str, ...] = ()
    """File names of the papers that a statement has to name as its evidence, as they lie there."""
    last: bool = False
    """Whether it runs after the other items that follow from verdicts."""


def item(
    ident: str, *, by: tuple[str, ...] = (), papers: tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Mark a function as the check of that item of the procedure.

    :param by: roles whose statement about it the check looks at, where it rests on one.
    :param papers: file names of the papers that such a statement has to name as its evidence.
    """
    return _carded(Card(ident, by=by, papers=papers))


def derived(ident: str, *, last: bool = False) -> Callable[[Check], Check]:
    """Mark a function as an item that follows from the verdicts of others.

    It runs after everything else of the session.

    :param last: it follows from derived items that stand below it, so it runs after those too.
    """
    return _carded(Card(ident, way="derived", last=last))


def attested(
    ident: str,
    asks: str,
    *,
    by: tuple[str, ...] = (),
    each: bool = False,
    papers: tuple[str, ...] = (),
    last: bool = False,
) -> Callable[[Check], Check]:
    """Mark a function as an item that people vouch for.

    The function holds what a machine can cross-check. It runs first: where it is red the item
    is, whatever people have signed. Then the statements are looked at; while one is missing or
    not valid the item is PENDING. Arguments are literals, since they are read without running
    the file.

    :param asks: what those who sign state, as a clause: "everybody was notified".
    :param by: roles that have to state it; default: the owner of the item.
    :param each: everybody of a set states it; the function asks ``vouched.by_everyone(...)``.
    :param papers: file names of the papers that a statement has to name as its evidence.
    :param last: what is stated is about the document of a derived item that stands below it, so
        it runs after that.
    """
    return _carded(Card(ident, "attested", asks, by, each, papers, last))


def read_cards(suites: Path) -> dict[str, tuple[Card, str]]:
    """The cards of all items below a folder, and the source of each check, without running any.

    :raises GoliveError: a file is not Python, or an attested item's arguments are not literals.
    """
    found: dict[str, tuple[Card, str]] = {}
    for path in sorted(suites.rglob("test_*.py")):
        found |= read_cards_of(path)
    return found


@cache
def parameters_of(source: str) -> tuple[str, ...]:
    """What checks take: probes and other fixtures, by their functions' parameters."""
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    return tuple(a.arg for f in functions for a in f.args.args)


def read_cards_of(path: Path) -> dict[str, tuple[Card, str]]:
    """The cards of one file's items, and the source of each check.

    :raises GoliveError: as :func:`read_cards`.
    """
    return dict(_cards_in(path, read_text(path, MOST_SOURCE_BYTES, "a file of checks", links=True)))


@lru_cache(maxsize=256)
def _cards_in(path: Path, text: str) -> dict[str, tuple[Card, str]]:
    """A run looks at the same text several times: at its cards, and at the digest of each check."""
    found: dict[str, tuple[Card, str]] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError as e:
        raise GoliveError(f"{path}: line {e.lineno}: is not valid Python: {e.msg}") from None
    except (ValueError, RecursionError, MemoryError) as e:  # NUL bytes; nested without end
        raise GoliveError(f"{path}: is not valid Python: {e}; expected checks") from None
    lines = text.splitlines()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for call in node.decorator_list:
                card = _card_of_call(call, path)
                if card is not None:
                    first = node.decorator_list[0].lineno
                    own = [line.rstrip() for line in lines[first - 1 : node.end_lineno]]
                    found[card.id] = card, "\n".join(own)
    return found


def _card_of_call(call: ast.expr, path: Path) -> Card | None:
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args):
        return None
    word = call.func.id
    if word not in ("item", "derived", "attested"):
        return None
    try:
        given = [ast.literal_eval(a) for a in call.args]
        named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    except ValueError:
        raise GoliveError(
            f"{path}: line {call.lineno}: found an argument of {word}() that is no literal;"
            " expected literals, since they are read without running the file"
        ) from None
    if word != "attested":
        return Card(given[0], "derived" if word == "derived" else "", **named)
    return Card(given[0], "attested", given[1] if len(given) > 1 else named.pop("asks"), **named)


def card_of(function: object) -> Card | None:
    """The card of a function, if it is an item."""
    card = getattr(function, ATTRIBUTE, None)
    return card if isinstance(card, Card) else None


def described(function: Callable[..., Any]) -> tuple[str, str]:
    """How an item is verified (its first docstring paragraph) and its remedy."""
    paragraphs = re.split(r"\n\s*\n", inspect.getdoc(function) or "")
    remedy = next((p for p in paragraphs if p.startswith("Remedy:")), "")
    how = " ".join(p for p in paragraphs if p and not p.startswith("Remedy:"))
    return " ".join(how.split()), " ".join(remedy.removeprefix("Remedy:").split())


def _carded(card: Card) -> Callable[[Check], Check]:
    def mark(function: Check) -> Check:
        setattr(function, ATTRIBUTE, card)
        return function

    return mark
