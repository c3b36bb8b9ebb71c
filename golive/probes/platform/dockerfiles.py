"""Dockerfiles: which images they build on, and as whom the result runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Base:
    """An image that a Dockerfile takes something from."""

    reference: str
    line: int

    @property
    def is_pinned(self) -> bool:
        """Whether it is named by digest."""
        return bool(_PINNED.search(self.reference))


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What of a Dockerfile is judged."""

    bases: tuple[Base, ...]
    user: str
    """Of its last stage, as far as it says; empty: its base's."""


def parse(text: str) -> Dockerfile:
    """A Dockerfile's text; what it cannot tell is left as it is written."""
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    bases: list[Base] = []
    user = ""
    begun = False
    for line, word, rest in _instructions(text):
        if word == "ARG" and not begun:
            name, _, value = rest.partition("=")
            arguments[name.strip()] = value.strip().strip("\"'")
        elif word == "FROM":
            begun, user = True, ""
            match = re.match(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", rest, re.IGNORECASE)
            if match is None:
                continue
            reference = _filled(match[1], arguments)
            if reference.lower() not in stages | {"scratch"}:
                bases.append(Base(reference, line))
            if match[2]:
                stages.add(match[2].lower())
        elif word == "USER":
            user = _filled(rest.strip(), arguments)
        elif word in ("COPY", "ADD"):
            named = re.search(r"--from=(\S+)", rest)
            if named and not named[1].isdigit() and named[1].lower() not in stages:
                bases.append(Base(_filled(named[1], arguments), line))
    return Dockerfile(tuple(bases), user)


def is_root(user: str) -> bool:
    """Whether a container of that user runs as root. Nobody named is root."""
    name = user.partition(":")[0].strip()
    return name in ("", "root") or (name.isdigit() and int(name) == 0)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        while stripped.endswith("\\"):
            following = next(lines, (0, ""))[1].strip()
            if following.startswith("#"):
                continue  # a comment within an instruction
            stripped = f"{stripped[:-1]} {following}"
        heredoc = re.search(r"<<-?[\"']?(\w+)[\"']?", stripped)
        if heredoc:
            for _, inner in lines:
                if inner.strip() == heredoc[1]:
                    break
        word, _, rest = stripped.partition(" ")
        yield number, word.upper(), rest.strip()


def _filled(text: str, arguments: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        return arguments.get(name) or match[2] or match[0]

    return _VARIABLE.sub(value, text)
