"""What a look was made with: golive's own code, the suites, each check, the environment.

A verdict counts as green only while all of this is as it was when the run was made, so that a
check which was loosened, run and put back proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from golive import launch
from golive.files import read
from golive.items import MOST_SOURCE_BYTES, read_cards_of
from golive.ledger import Suite

_OWN = Path(__file__).resolve().parent
_LIMIT_S = 30.0
_FREE = {"launch": ("date",)}
"""What launch.toml may say otherwise without judging otherwise."""


@dataclass(frozen=True)
class Origin:
    """All that a verdict depends on besides what was looked at."""

    engine: str
    """SHA-256 of golive's own code."""
    fingerprint: str
    """Of the environment."""
    suite: Suite
    checks: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each item's check, by id."""


def origin(root: Path, suites: Path, fingerprint: str) -> Origin:
    """All of it as it lies there now.

    :raises GoliveError: a file of the suites cannot be read.
    """
    return Origin(engine_digest(), fingerprint, suite(root, suites), check_digests(suites))


@cache
def engine_digest() -> str:
    """SHA-256 over golive's own files: names and bytes, in the order of the names."""
    kinds = (".py", ".j2", ".css", ".js")
    return _digest({p.relative_to(_OWN).as_posix(): _read(p) for p in _below(_OWN, kinds)})


def check_digests(suites: Path) -> dict[str, str]:
    """SHA-256 of each item's check: of the file that it stands in, and of what files share.

    :raises GoliveError: a file is not Python.
    """
    shared = shared_code(suites)
    return {
        ident: file_digest(path, shared)
        for path in sorted(suites.rglob("test_*.py"))
        for ident in read_cards_of(path)
    }


def shared_code(suites: Path) -> bytes:
    """What files of checks may share: every other Python file below the suites."""
    others = (p for p in _below(suites, (".py",)) if not p.name.startswith("test_"))
    return _digest({p.relative_to(suites).as_posix(): _read(p) for p in others}).encode()


def file_digest(path: Path, shared: bytes) -> str:
    """SHA-256 of the checks in one file. ``shared``: see :func:`shared_code`."""
    return hashlib.sha256(shared + _read(path)).hexdigest()


def suite(root: Path, suites: Path) -> Suite:
    """The state of the suites: git's commit, whether they are as committed, and their digest.

    :raises GoliveError: procedure or launch cannot be read.
    """
    commit = _git(root, "rev-parse", "HEAD")
    clean = None if commit is None else not changed_files(root, suites)
    return Suite((commit or b"unknown").decode().strip(), clean, suite_digest(suites))


def suite_digest(suites: Path) -> str:
    """SHA-256 of what has to hold: procedure, launch but for its date, every check.

    :raises GoliveError: launch.toml cannot be read.
    """
    files = {p.relative_to(suites).as_posix(): _read(p) for p in _below(suites, (".py",))}
    files["procedure.toml"] = _read(suites / "procedure.toml")
    files["launch.toml"] = json.dumps(launch_rules(suites), sort_keys=True, default=str).encode()
    return _digest(files)


def launch_rules(suites: Path) -> dict[str, Any]:
    """What launch.toml and the thresholds say, without what changes no judgement."""
    raw = launch.read(suites / "launch.toml")
    return {
        name: {k: v for k, v in table.items() if k not in _FREE.get(name, ())}
        if isinstance(table, dict)
        else table
        for name, table in raw.items()
    }


def changed_files(root: Path, suites: Path) -> list[str]:
    """Files of the suites that are not as git's newest commit has them, or are not in it.

    Bytes are compared, so what git ignores on request is seen as well.
    """
    reported = _git(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
    top = _git(root, "rev-parse", "--show-toplevel")
    if reported is None or top is None:
        return [f"{suites.name}: git cannot say"]
    place = Path(top.decode().rstrip("\n"))
    watched = [suites, *(root / n for n in ("conftest.py", "markers.ini", "pyproject.toml"))]
    committed: dict[Path, str] = {}
    for entry in reported.split(b"\0"):
        meta, _, name = entry.partition(b"\t")
        path = place / name.decode(errors="surrogateescape")
        if any(w == path or w in path.parents for w in watched):
            committed[path] = meta.split()[2].decode()
    here = {p for w in watched for p in ([w] if w.is_file() else w.rglob("*")) if p.is_file()}
    here = {p for p in here if "__pycache__" not in p.parts}
    return sorted(
        str(p.relative_to(place) if place in p.parents else p)
        for p in here | set(committed)
        if p not in here or p not in committed or _blob(p, committed[p]) != committed[p]
    )


def _blob(path: Path, like: str) -> str:
    """What git calls a file of these bytes."""
    data = _read(path)
    kind = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return kind(b"blob %d\0" % len(data) + data).hexdigest()


def _read(path: Path) -> bytes:
    return read(path, MOST_SOURCE_BYTES, "a file of the suites", links=True)


def _below(folder: Path, kinds: tuple[str, ...]) -> Iterator[Path]:
    # os.walk takes a third of the time of Path.rglob, and this is walked at the start of each run.
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(kinds) and (path := Path(place, name)).suffix and path.is_file():
                yield path


def _digest(files: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
