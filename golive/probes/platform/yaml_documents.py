"""YAML as whoever deploys it wrote it: every document with the line of each of its keys.

Read as Kubernetes and its tools read it: JSON's types only, so that a date is a text. What a
plain reader would hide is told: a key that stands twice, of which the last wins silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

_MOST_NODES = 200_000
"""Of one file; aliases count each time, as a few of them may stand for millions."""

Where = tuple[str | int, ...]
"""The way to a value: keys and indexes from the document's top."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a file, and where."""

    place: Place
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    path: str
    line: int
    value: Any
    lines: Mapping[Where, int] = field(repr=False)

    def place(self, *where: str | int) -> Place:
        """Where a value stands; of one that is not there, where it ought to."""
        while where and where not in self.lines:
            where = where[:-1]
        return Place(self.path, self.lines.get(where, self.line))


def read(path: str, text: str, *, offset: int = 0) -> tuple[tuple[Document, ...], tuple[Flaw, ...]]:
    """Every document of a file that holds anything, and what is wrong with the file.

    After what is no YAML nothing more of the file can be read.

    :param path: as it is told.
    :param offset: of the text's first line in the file.
    """
    documents: list[Document] = []
    flaws: list[Flaw] = []
    budget = iter(range(_MOST_NODES))
    loader = _loader()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            lines: dict[Where, int] = {}
            for where, line, twice in _walk(node, (), budget):
                lines.setdefault(where, line + offset)
                if twice:
                    what = f"the key {where[-1]!r} stands twice; the first one is lost"
                    flaws.append(Flaw(Place(path, line + offset), what))
            value = loader.construct_document(node)
            if value is not None:
                line = node.start_mark.line + 1 + offset
                documents.append(Document(path, line, value, lines))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = (mark.line + 1 if mark else 1) + offset
        flaws.append(Flaw(Place(path, line), f"is no YAML: {e.problem or e.context}"))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as e:
        flaws.append(Flaw(Place(path, 1 + offset), f"cannot be read as YAML: {_short(e)}"))
    finally:
        loader.dispose()
    return tuple(documents), tuple(flaws)


def _short(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _walk(node: Any, where: Where, budget: Iterator[int]) -> Iterator[tuple[Where, int, bool]]:
    """The line of each value, and whether its key stood in the same mapping before."""
    if next(budget, None) is None:
        raise ValueError(f"it holds more than {_MOST_NODES:,} values")
    if not where:
        yield where, node.start_mark.line + 1, False
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else str(key.start_mark.line)
            is_merge = isinstance(key, yaml.ScalarNode) and key.tag == "tag:yaml.org,2002:merge"
            inner = where if is_merge else (*where, name)
            yield inner, key.start_mark.line + 1, name in seen and not is_merge
            seen.add(name)
            yield from _below(value, inner, budget)
    elif isinstance(node, yaml.SequenceNode):
        for n, value in enumerate(node.value):
            yield (*where, n), value.start_mark.line + 1, False
            yield from _below(value, (*where, n), budget)


def _below(node: Any, where: Where, budget: Iterator[int]) -> Iterator[tuple[Where, int, bool]]:
    if isinstance(node, yaml.ScalarNode):
        next(budget, None)
        return
    yield from _walk(node, where, budget)


@cache
def _loader() -> Any:
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Takes dates for texts and values of unknown tags (``!reference``) for what they are."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in base.yaml_implicit_resolvers.items()
    }

    def plain(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("!", plain)
    return Loader
