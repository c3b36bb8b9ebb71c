"""Who states what in a rehearsal: the script that the suite's own people sign by.

An item that the script does not name is stated by the holders of the roles that have to. One that
needs more (everybody in person, answers in a certain form) has a function:

    @states("D-5.3.2")
    def everybody_accepts(r: Rehearsal) -> list[Entry]:
        return [entry("devops_lead"), ...]

A fault replaces an item's entries with `spoil`, and `mend` puts them back. Both throw away what
was signed, since a rehearsal's statements are its own.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from rehearsal.kernel.world import Rehearsal, write_atomically
from rehearsal.staff import people

Entry = dict[str, Any]
"""Fields: those of golive's Entry; all may be absent."""
Says = Callable[[Rehearsal], list[Entry]]

_says: dict[str, Says] = {}


def states(item: str) -> Callable[[Says], Says]:
    """Decorator: the function that tells the entries of an item."""

    def register(says: Says) -> Says:
        assert item not in _says, f"{item} has two scripts"
        _says[item] = says
        return says

    return register


def entry(role: str, **fields: Any) -> Entry:
    """What the holder of a role states."""
    return {"role": role, "by": people.holder(role).id, **fields}


@cache
def _load() -> None:
    package = importlib.import_module("rehearsal.staff.scripted_statements")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"rehearsal.staff.scripted_statements.{module.name}")


def write(r: Rehearsal) -> None:
    """Write the script, and the digests of the papers as their authors left them."""
    _load()
    script = {item: says(r) for item, says in _says.items()} | r.overrides("statements")
    folder = people.keys(r).parent
    write_atomically(folder / "script.json", json.dumps(script, sort_keys=True), 0o644)
    digests = {
        path.relative_to(people.papers(r)).as_posix(): sha256(path)
        for path in sorted(people.papers(r).rglob("*.md"))
    }
    write_atomically(folder / "papers.json", json.dumps(digests, sort_keys=True), 0o644)


def spoil(r: Rehearsal, item: str, entries: list[Entry]) -> None:
    """Have an item stated like this from now on; by nobody where the list is empty."""
    r.override("statements", **{item: entries})
    forget(r, item)
    write(r)


def mend(r: Rehearsal, item: str) -> None:
    """Have an item stated as it should be again."""
    r.clear_override("statements", item)
    forget(r, item)
    write(r)


def forget(r: Rehearsal, item: str) -> None:
    """Throw away what was signed about an item."""
    for folder in signed(r, item):
        shutil.rmtree(folder)


def signed(r: Rehearsal, item: str) -> list[Path]:
    """The folders of an item's statements, newest first."""
    found = (p for p in people.statements(r).glob(f"*Z-{item}-*") if p.is_dir())
    return sorted(found, reverse=True)


def sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
