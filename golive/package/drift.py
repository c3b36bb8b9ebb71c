"""What two folders of suites say otherwise: launch.toml, the procedure, and every check.

Whoever is handed an answer compares the rules that it was made by with the own ones, so that no
threshold was loosened and no check was emptied on the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golive import launch, procedure
from golive.items import Card, read_cards_of
from golive.toml import read_toml
from golive.verdicts import GoliveError

LAUNCH, PROCEDURE = "launch.toml", "procedure.toml"
_SHOWN = 8
"""Ids that one line names."""


def differences(theirs: Path, own: Path) -> list[str]:
    """What suites that came along say otherwise than one's own: by file, key and item, a line each.

    :raises GoliveError: a file of either cannot be read.
    """
    return [*_of_launch(theirs, own), *_of_procedure(theirs, own), *_of_checks(theirs, own)]


def _of_launch(theirs: Path, own: Path) -> Iterator[str]:
    there, here = (_flat(launch.read(folder / LAUNCH)) for folder in (theirs, own))
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key):
            said, ours = (v.get(key, "nothing") for v in (there, here))
            yield f"{LAUNCH}: {key}: it has {said}, yours {ours}"


def _flat(table: dict[str, Any], above: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out |= _flat(value, f"{above}{key}.")
        else:
            out[f"{above}{key}"] = json.dumps(value, default=str, ensure_ascii=False)
    return out


def _of_procedure(theirs: Path, own: Path) -> Iterator[str]:
    files = [folder / PROCEDURE for folder in (theirs, own)]
    if files[0].read_bytes() == files[1].read_bytes():
        return
    there, here = (procedure.load(file).items for file in files)
    ids = [i for i in {**here, **there} if here.get(i) != there.get(i)]
    if ids or read_toml(files[0]) != read_toml(files[1]):
        yield f"{PROCEDURE}: says something else{_named(ids)}"


def _of_checks(theirs: Path, own: Path) -> Iterator[str]:
    files = {p.relative_to(f) for f in (theirs, own) for p in f.rglob("*.py") if p.is_file()}
    for name in sorted(files):
        there, here = theirs / name, own / name
        if not here.is_file():
            yield f"{name}: is not among your suites{_named(list(_cards(there)))}"
        elif not there.is_file():
            yield f"{name}: is missing{_named(list(_cards(here)))}"
        elif there.read_bytes() != here.read_bytes():
            cards, ours = _cards(there), _cards(here)
            ids = [i for i in {**ours, **cards} if cards.get(i) != ours.get(i)]
            yield f"{name}: says something else{_named(ids or list(ours))}"


def _cards(path: Path) -> dict[str, tuple[Card, str]]:
    return read_cards_of(path) if path.name.startswith("test_") else {}


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f" of {', '.join(ids[:_SHOWN])}{more}" if ids else ""


def refuse(theirs: Path, own: Path) -> None:
    """Refuse suites that say anything else than one's own.

    :raises GoliveError: they do; names the first differences.
    """
    found = differences(theirs, own)
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise GoliveError(
            f"was made by other rules than those of {own}: {'; '.join(found[:_SHOWN])}{more}; make"
            " it again from the same suites, or name those that you mean with --suites"
        )
