"""Which probes there are, read from the source, so that a run imports only what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from golive.probing import REGISTRY

_PACKAGE = "golive.probes"
_HERE = Path(__file__).parent
_DECLARED = re.compile(
    r"^@probe\((?:[^()]|\([^()]*\))*\)[^\n]*\n(?:@[^\n]*\n)*"  # decorators
    r"def (?P<name>\w+)\((?:[^()]|\([^()]*\))*\)[^:]*:[^\n]*\n"
    r'(?:    """(?P<summary>[^\n]*?)(?:"""|\n))?',
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A probe as it stands in the source."""

    name: str
    summary: str
    module: str


@cache
def declared() -> dict[str, Declared]:
    """Every probe of golive's own by name, without importing any."""
    found = {}
    for path in sorted(_HERE.rglob("*.py")):
        inner = path.relative_to(_HERE).with_suffix("").parts
        for match in _DECLARED.finditer(path.read_text(encoding="utf-8")):
            one = Declared(match["name"], match["summary"] or "", ".".join([_PACKAGE, *inner]))
            found[one.name] = one
    return found


def register(names: Iterable[str]) -> None:
    """Register those of golive's own probes that are named, and what they need."""
    wanted, seen = list(names), set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in REGISTRY and name in declared():
            import_module(declared()[name].module)
        if name in REGISTRY:
            wanted += REGISTRY[name].needs
