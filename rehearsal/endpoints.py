"""What a rehearsal tells about itself once it is up: ``endpoints.toml``.

A TOML file in the terms of an environment: addresses, ports, paths and commands that only this
rehearsal knows. Secrets are named by their files. Each part tells its own, and so do the modules
of people, data and drills; here it is joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearsal.data import backup_failures, drills, failover, product, release, tier
from rehearsal.kernel import binaries, toml
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part
from rehearsal.staff import config_tool, launch_tools, papers, people, runbook

BESIDE_PARTS = (
    backup_failures.endpoints,
    drills.endpoints,
    failover.endpoints,
    tier.endpoints,
    release.endpoints,
    product.endpoints,
    launch_tools.endpoints,
    config_tool.endpoints,
    runbook.endpoints,
    papers.endpoints,
    people.endpoints,
)
COMMENT = "Written by `python -m rehearsal up`; `down` removes it."


def write(r: Rehearsal, parts: Iterable[Part]) -> None:
    """Write ``endpoints.toml`` for the running rehearsal, readable by its owner only."""
    write_atomically(r.folder / "endpoints.toml", toml.document(describe(r, parts), COMMENT), 0o600)


def describe(r: Rehearsal, parts: Iterable[Part]) -> Endpoints:
    """The overlay as nested dictionaries. Raises RehearsalError where two tell different things."""
    found: Endpoints = {"browser": _browser()}
    for telling in (*(part.endpoints for part in parts), *BESIDE_PARTS):
        found = joined(found, telling(r))
    return found


def joined(one: Any, other: Any, where: str = "endpoints") -> Any:
    """Two tellings as one: tables are laid over one another and lists follow one another, what
    both tell once; entries with one ``name`` are one entry.

    Raises RehearsalError where they contradict.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = {key: joined(one[key], other[key], f"{where}.{key}") for key in one if key in other}
        return {**one, **other, **both}
    if isinstance(one, list) and isinstance(other, list):
        return _appended(one, other, where)
    if one != other:
        raise RehearsalError(
            f"{where} is reported as {one!r} and as {other!r}; one of them is wrong."
        )
    return one


def _appended(one: list[Any], other: list[Any], where: str) -> list[Any]:
    found = list(one)
    for entry in other:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        same = [n for n, e in enumerate(found) if name and e.get("name") == name]
        if same:
            found[same[0]] = joined(found[same[0]], entry, f"{where}.{name}")
        elif entry not in found:
            found.append(entry)
    return found


def _browser() -> dict[str, Any]:
    """What pages are looked at with; no part, as whoever looks starts it."""
    chromium = binaries.find("chromium")
    return {"program": str(chromium.path), "variables": chromium.environment}
