"""TOML files, read within limits."""

from __future__ import annotations

import pickle
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from golive.files import read_text, shown
from golive.verdicts import GoliveError

_MOST_TOML_BYTES = 4 * 2**20
_DEEPEST = 50
"""Tables and lists inside one another; golive's own files have five."""
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DEEP_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{_DEEPEST}}}")
"""A dotted key so long that reading it takes time which grows with its square."""


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary.

    :raises GoliveError: it cannot be read, is not TOML, or is nested over 50 deep; names file
        and place.
    """
    text = read_text(path, _MOST_TOML_BYTES, "a file of TOML", links=True)
    if _DEEP_KEY.search(text):
        raise _too_deep(path)
    try:
        value: dict[str, Any] = pickle.loads(_parsed(text))  # noqa: S301 - made in this process, just below
    except ValueError as e:  # TOML's own errors, and numbers that are too long
        raise GoliveError(f"{shown(path)}: is not valid TOML: {e}") from None
    except RecursionError:
        raise _too_deep(path) from None
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise _too_deep(path)
    return value


@lru_cache(maxsize=64)
def _parsed(text: str) -> bytes:
    """A session reads some files several times, and reading TOML is slow. Whoever reads one may
    change what they get, so it is kept in a form of which everybody gets a copy."""
    return pickle.dumps(tomllib.loads(text))


def _inside(value: Any) -> list[Any]:
    """The tables and lists in one."""
    inner = value.values() if isinstance(value, dict) else value
    return [i for i in inner if isinstance(i, (dict, list))]


def _too_deep(path: Path) -> GoliveError:
    return GoliveError(
        f"{shown(path)}: is nested over {_DEEPEST} deep; expected a flatter file of TOML"
    )
