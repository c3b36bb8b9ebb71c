"""Who states what in a rehearsal: the script that the suite's own people sign by.

An item that the script does not name is stated by the holders of the roles that have to; what
others need is told by `rehearsal.staff.scripted_statements`.

A fault replaces an item's entries with `spoil`, and `fix` puts them back. Both throw away what
was signed, since a rehearsal's statements are its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people, scripted_statements
from rehearsal.staff.scripted_statements import Entry


def write(r: Rehearsal) -> None:
    """Write the script, and the digests of the papers as their authors left them."""
    script = scripted_statements.entries(r) | r.overrides("statements")
    folder = people.keys(r).parent
    write_atomically(folder / "script.json", json.dumps(script, sort_keys=True), 0o644)
    papers = people.papers(r)
    digests = {
        path.relative_to(papers).as_posix(): sha256(path) for path in sorted(papers.rglob("*.md"))
    }
    write_atomically(folder / "papers.json", json.dumps(digests, sort_keys=True), 0o644)


def spoil(r: Rehearsal, item: str, entries: list[Entry]) -> None:
    """Have an item stated like this from now on; by nobody where the list is empty."""
    r.override("statements", **{item: entries})
    forget(r, item)
    write(r)


def fall_silent(r: Rehearsal, item: str) -> None:
    """Have nobody state an item any more; what was signed of it stays as it is."""
    r.override("statements", **{item: []})
    write(r)


def fix(r: Rehearsal, item: str) -> None:
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
