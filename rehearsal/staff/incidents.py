"""Synthetic incidents for drills, and the clock that they are open by.

    python -m rehearsal.staff.incidents open NAME --severity critical --impact TEXT
        [--resolve-after S]
    python -m rehearsal.staff.incidents acknowledge NAME
    python -m rehearsal.staff.incidents close NAME

A program of its own that loads next to nothing, since a drill cannot wait for it.

An incident is open by a clock that runs `CLOCK` times as fast as any other, so that an hour of
escalation passes in half a minute while rules, routes and pager stay as they are.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLOCK = 100.0
"""Seconds that an incident has been open, for each second that passes."""
ANSWER_S = 300.0
"""By the incident's clock: after it the pager asks somebody else, and asks again."""
Incidents = dict[str, dict[str, Any]]


class Unknown(Exception):
    """There is no such incident, or there is one already."""


def begin(folder: Path, name: str, *, severity: str, impact: str, resolve_after_s: float) -> None:
    """Open an incident in the rehearsal of that folder.

    :param resolve_after_s: by its own clock it resolves then by itself; 0: it stays open.

    Raises Unknown where it is open already.
    """
    with _changing(folder) as known:
        if name in known:
            raise Unknown(f"The incident {name!r} is open already.")
        known[name] = {
            "severity": severity,
            "impact": impact,
            "opened": time.time(),
            "resolve_after_s": resolve_after_s,
            "acknowledged": 0.0,
        }


def acknowledge(folder: Path, name: str) -> None:
    """Somebody answers the pages of an incident. Raises Unknown where it is not open."""
    with _changing(folder) as known:
        if name not in known:
            raise Unknown(f"There is no incident {name!r}; open are {', '.join(known) or 'none'}.")
        known[name]["acknowledged"] = time.time()


def end(folder: Path, name: str) -> None:
    """Close an incident; does nothing where there is none."""
    with _changing(folder) as known:
        known.pop(name, None)


def open_now(folder: Path) -> Incidents:
    """Every open incident, with the seconds (`open_s`) it has been so by its own clock."""
    found = {}
    for name, incident in _read(folder).items():
        open_s = (time.time() - incident["opened"]) * CLOCK
        if not 0 < incident["resolve_after_s"] <= open_s:
            found[name] = {**incident, "open_s": open_s}
    return found


def _path(folder: Path) -> Path:
    return folder / "state" / "incidents.json"


def _read(folder: Path) -> Incidents:
    try:
        known: Incidents = json.loads(_path(folder).read_text())
    except FileNotFoundError:
        return {}
    return known


@contextmanager
def _changing(folder: Path) -> Iterator[Incidents]:
    path = _path(folder)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(folder)
        yield known
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(known))
        draft.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="rehearsal.staff.incidents", description="Incidents for drills."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("acknowledge").add_argument("name")
    verbs.add_parser("close").add_argument("name")
    begun = verbs.add_parser("open")
    begun.add_argument("name")
    begun.add_argument("--severity", default="critical")
    begun.add_argument("--impact", required=True, help="what customers notice, in a line")
    begun.add_argument("--resolve-after", type=float, default=0.0, metavar="SECONDS")
    reported, folder = parser.parse_args(), Path(os.environ["GOLIVE_REHEARSAL"])
    try:
        if reported.verb == "open":
            about = {"severity": reported.severity, "impact": reported.impact}
            begin(folder, reported.name, **about, resolve_after_s=reported.resolve_after)
        elif reported.verb == "acknowledge":
            acknowledge(folder, reported.name)
        else:
            end(folder, reported.name)
    except Unknown as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
