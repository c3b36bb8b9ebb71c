"""What the runs on record found, the newest of each item first of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import msgspec

from golive import ledger
from golive.answer import (
    SUSPECT,
)
from golive.context import Context
from golive.readiness.fresh import GREEN, suspect, unusable_run
from golive.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """The newest verdict of an item, and the run it is from."""

    run: ledger.Run
    line: ledger.Line
    verdict: ledger.ItemVerdict

    def age_h(self, now: datetime) -> float:
        """Hours since the item began to be looked at."""
        return (now - self.verdict.started_at).total_seconds() / 3600

    @property
    def facts(self) -> dict[str, object]:
        """What the verdict's probes found in the same run; those that could not look are absent."""
        known = self.run.facts
        return {n: known[n].value for n in self.verdict.facts if n in known and not known[n].error}


@dataclass(frozen=True, slots=True)
class Look:
    """What one run found of some items."""

    run: str
    at: datetime
    verdicts: dict[str, Verdict]


def newest(context: Context, wanted: Iterable[str]) -> dict[str, Finding]:
    """The newest verdict of each wanted item in the context's environment; absent where there is
    none.

    Verdicts of other environments never count, and neither do those of an unreadable run. One
    that is green and cannot count as such (see :func:`suspect`) is UNKNOWN, with the reason.
    """
    missing = set(wanted)
    found: dict[str, Finding] = {}
    for run in _runs(context.reports, context.environment.name, newest_first=True):
        if not missing:
            break
        wanted_here = missing & set(run.verdicts)
        unusable = unusable_run(run, context) if wanted_here else ""
        lines = run.lines if wanted_here else {}
        for ident in wanted_here:
            verdict = run.verdicts[ident]
            cause = unusable or suspect(run, verdict, context)
            if verdict.verdict in GREEN and cause:
                verdict = msgspec.structs.replace(
                    verdict, verdict=Verdict.UNKNOWN, message=f"{SUSPECT}: {cause}; look again"
                )
            found[ident] = Finding(run, lines[ident], verdict)
        missing -= set(found)
    return found


def red(context: Context, *, but: Iterable[str] = ()) -> list[str]:
    """The written items that failed when they were last looked at for this candidate, in the
    procedure's order; those that are waived aside.

    :param but: items left out.
    """
    out = {*context.statements.exempted(), *but}
    known = [i.id for i in context.procedure if i.id in context.cards and i.id not in out]
    found = newest(context, known)
    return [
        i
        for i in known
        if i in found
        and found[i].verdict.verdict is Verdict.FAIL
        and found[i].run.head.candidate == context.launch.candidate
    ]


def looks(reports: Path, environment: str, wanted: Iterable[str]) -> list[Look]:
    """What each run in that environment found of the wanted items, oldest first."""
    asked = set(wanted)
    found = []
    for run in _runs(reports, environment):
        verdicts = {i: v.verdict for i, v in run.verdicts.items() if i in asked}
        if verdicts:
            found.append(Look(run.head.id, run.head.started_at, verdicts))
    return found


def oldest_facts(reports: Path, environment: str, probe: str) -> ledger.Run | None:
    """The first run on record in that environment in which the probe could look: the baseline."""
    for run in _runs(reports, environment):
        found = run.facts.get(probe)
        if found is not None and not found.error:
            return run
    return None


def _runs(reports: Path, environment: str, *, newest_first: bool = False) -> Iterator[ledger.Run]:
    folders = ledger.runs(reports)
    for folder in reversed(folders) if newest_first else folders:
        if f"-{environment}-" not in folder.name:
            continue
        # A run that has ended never changes, and many documents rest on the same ones.
        ended = (folder / ledger.END).exists()
        run = _ended_run(folder) if ended else ledger.read_run(folder)
        if run.head.environment.name == environment:
            yield run


@lru_cache(maxsize=512)
def _ended_run(folder: Path) -> ledger.Run:
    return ledger.read_run(folder)
