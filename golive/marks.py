"""The marks of markers.ini: the only words that ``pytest -m`` takes."""

from __future__ import annotations

import configparser
import difflib
import re
from pathlib import Path

from golive.files import read_text
from golive.verdicts import GoliveError

_MOST_BYTES = 2**20
GROUPS = ("block", "phase", "owner", "area", "way", "effect")


def load(path: Path) -> dict[str, str]:
    """Every mark with what it means.

    :raises GoliveError: the file is missing, is no INI file or misses a group.
    """
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        text = read_text(path, _MOST_BYTES, "the marks, as an INI file", links=True)
        parser.read_string(text, source=str(path))
    except configparser.Error as e:
        raise GoliveError(f"{path}: {' '.join(str(e).split())}") from None
    for group in GROUPS:
        if group not in parser:
            raise GoliveError(f"{path}: [{group}]: the group is missing; expected its marks")
    return {name: text for group in GROUPS for name, text in parser[group].items()}


def check_expression(expression: str, known: set[str], source: Path) -> None:
    """Refuse a ``-m`` expression with a word that is no mark: it would select nothing.

    :raises GoliveError: names the word and the nearest mark.
    """
    bare = re.sub(r"\([^()]*=[^()]*\)", "", expression)  # arguments of a mark are not marks
    for word in re.findall(r"[^\W\d]\w*", bare):
        if word in {"and", "or", "not", "True", "False", "None"} or word in known:
            continue
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"{source} lists the marks there are"
        raise GoliveError(f"-m {expression!r}: found {word!r}, which is no mark; {hint}")
