"""A soak: the rehearsal stays up for hours, and all items are looked at again and again.

``python -m tests.benchmarks --soak [--hours 4] [--every 30]`` brings up a rehearsal of its own,
looks at all items each half hour, the last time after the last hour, and tells what turned red
and when. Nothing is broken on purpose, so whatever turns red does so by itself: by growth, by age,
or for a moment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from golive import ledger
from golive.ledger import ItemVerdict
from tests.campaign import rows

ROOT = Path(__file__).resolve().parent.parent.parent
_DONE = {0, 1}
"""How pytest ends once all items have a verdict."""
_LONGEST = 100
"""Characters of a message in the table."""


class SoakError(Exception):
    """The rehearsal or a run did not come to an end as it should."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An item that was green, or was looked at for the first time, and is red."""

    minutes: float
    """From the beginning."""
    item: str
    verdict: str
    message: str
    back_after: float | None = None
    """Minutes until it was seen green again; None where it stayed red."""

    def row(self) -> tuple[str, str, str, str]:
        stayed = "stayed red" if self.back_after is None else f"for {self.back_after:.0f} min"
        message = self.message.splitlines()[0] if self.message else ""
        return f"{self.minutes:.0f} min", f"{self.item} {self.verdict}", stayed, message[:_LONGEST]


Look = tuple[float, Mapping[str, ItemVerdict]]
"""Minutes from the beginning, and what every item was then."""


def turned_red(looks: list[Look]) -> list[Turn]:
    """What turned red between two looks, and when it was green again.

    What rests on items that nobody has written is red from the beginning and no finding.
    """
    turns: dict[str, Turn] = {}
    over: list[Turn] = []
    for minutes, found in looks:
        excused = rows.resting_on_unwritten(found)
        for ident, v in found.items():
            is_red = rows.is_red(v) and ident not in excused
            if is_red and ident not in turns:
                turns[ident] = Turn(minutes, ident, v.verdict.value, v.message)
            elif not is_red and ident in turns:
                t = turns.pop(ident)
                over.append(
                    Turn(t.minutes, t.item, t.verdict, t.message, back_after=minutes - t.minutes)
                )
    return sorted([*over, *turns.values()], key=lambda t: (t.minutes, t.item))


def soak(folder: Path, hours: float, every_min: float, tell: Callable[..., None]) -> int:
    """Tell what turned red, as rows; 1 if anything did, else 0.

    :raises SoakError: the rehearsal does not come up, or a run looked at nothing.
    """
    environment = {**os.environ, "GOLIVE_REHEARSAL": str(folder / "rehearsal")}
    _rehearsal("up", environment)
    looks: list[Look] = []
    began = time.monotonic()
    try:
        for due_s in _moments(hours * 3600, every_min * 60):
            threading.Event().wait(max(0.0, began + due_s - time.monotonic()))
            minutes = (time.monotonic() - began) / 60
            looks.append((minutes, _look(folder, environment)))
            red = [t for t in turned_red(looks) if t.back_after is None]
            tell(f"{minutes:.0f} min", f"{len(looks[-1][1])} items", f"{len(red)} red", "")
    finally:
        _rehearsal("down", environment)
    turns = turned_red(looks)
    tell("after", "item", "how long", "what it says")
    for turn in turns:
        tell(*turn.row())
    if not turns:
        tell(f"{hours:g} h", f"{len(looks)} runs", "nothing turned red", "")
    return int(bool(turns))


def _moments(total_s: float, every_s: float) -> Iterator[float]:
    """Seconds from the beginning at which to look: at once, each time anew, and at the end."""
    at = 0.0
    while at < total_s:
        yield at
        at += every_s
    yield total_s


def _look(folder: Path, environment: Mapping[str, str]) -> dict[str, ItemVerdict]:
    """The verdicts of all items, as of now.

    :raises SoakError: there are none.
    """
    reports = folder / "reports"
    words = ["-q", "-p", "no:cacheprovider", "--env=rehearsal", f"--reports={reports}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    runs = ledger.runs(reports) if reports.exists() else []
    if done.returncode not in _DONE or not runs:
        raise SoakError(f"pytest ended with {done.returncode}: {done.stdout[-1500:]}")
    verdicts = ledger.read_run(runs[-1], facts=False).verdicts
    if not any(v.verdict.value == "PASS" for v in verdicts.values()):
        raise SoakError(f"no item is green: {done.stdout[-1500:]}")
    return verdicts


def _rehearsal(verb: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", verb],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SoakError(f"rehearsal {verb}: {done.stdout[-500:]}{done.stderr[-1500:]}")
