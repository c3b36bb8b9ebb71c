"""All runs of one environment and candidate, and what is wrong with them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from golive import chain, ledger
from golive.answer import (
    RunRef,
)
from golive.context import Context
from golive.files import shown
from golive.people.statements import digest_of
from golive.readiness.changes import changed_rules
from golive.readiness.fresh import GREEN, suspect, unusable_run
from golive.readiness.wording import plain
from golive.verdicts import GoliveError, Verdict


@dataclass(frozen=True, slots=True)
class Looked:
    """One verdict on record."""

    run: ledger.Run
    verdict: ledger.ItemVerdict
    whole: bool
    """Whether its run was closed, so that nothing could be added or taken away since."""

    @property
    def at(self) -> datetime:
        return self.verdict.started_at

    suspect: str = ""
    """Why it does not count, where it says that it is green."""

    @property
    def is_green(self) -> bool:
        return self.whole and not self.suspect and self.verdict.verdict in GREEN


class Record:
    """The runs of one environment and candidate, and what is wrong with others."""

    def __init__(self, context: Context) -> None:
        self.refs: list[RunRef] = []
        self.damaged: dict[str, str] = {}
        """What lies among the runs and can never count, by name, with the reason."""
        self.records: list[chain.Record] = []
        self.strangers: dict[str, list[str]] = {}
        self.unclean: list[str] = []
        self.others: list[str] = []
        """Runs with other suites than those that lie here."""
        self.first: ledger.Head | None = None
        self.of: dict[str, list[Looked]] = defaultdict(list)
        """Verdicts of each item, newest first."""
        self.newest: datetime | None = None
        place = context.reports / "runs"
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            self._add(folder, context)
        for looked in self.of.values():
            looked.sort(key=lambda x: x.at, reverse=True)
        self._ages = {i: [-x.at.timestamp() for x in looked] for i, looked in self.of.items()}
        self.refs.reverse()

    def unended(self, records: Sequence[chain.Record]) -> dict[str, str]:
        """Runs that did not end and that no later record names as they lie there."""
        named = {(i, sha256) for r in records for i, sha256 in r.before.items()}
        own = {r.id: r.sha256 for r in self.records}
        return {
            ref.id: "it did not end, and no later record names it; look again, or wait for its end"
            for ref in self.refs
            if ref.started_at and not ref.ended_at and (ref.id, own.get(ref.id)) not in named
        }

    def newest_of(self, ident: str, moment: datetime) -> Looked | None:
        """The newest look at an item by a moment."""
        first = bisect_left(self._ages.get(ident, []), -moment.timestamp())
        looked = self.of.get(ident, [])
        return looked[first] if first < len(looked) else None

    def rule_changes(self, context: Context) -> list[str]:
        """What is otherwise now than the first run on record says."""
        return [] if self.first is None else changed_rules(self.first.rules, context.rules)

    def was_there(self, moment: datetime) -> bool:
        """Whether anything had been looked at by then."""
        return any(looked[-1].at <= moment for looked in self.of.values())

    def _add(self, folder: Path, context: Context) -> None:
        env = context.environment
        try:
            run = _whole_run(folder)
        except GoliveError as e:
            # What cannot be read may be of any environment, whatever its name claims.
            if context.statements.set_aside(folder.name, digest_of(folder)) is None:
                self.damaged[folder.name] = plain(str(e), context)
                self.refs.append(RunRef(id=shown(folder.name), cause=plain(str(e), context)))
            return
        head = run.head
        if head.environment.name != env.name:
            return
        self.records.append(chain.Record(head.id, run.sha256, head.before))
        if self.first is None:
            self.first = head
        cause = self._wrong(run, folder, context)
        unusable = cause or plain(unusable_run(run, context), context)
        if not cause and head.candidate != context.launch.candidate:
            unusable = f"it is about {head.candidate}"
        self.refs.append(
            RunRef(
                id=head.id,
                started_at=head.started_at,
                ended_at=run.end.ended_at if run.end else None,
                who=head.who,
                host=head.host,
                digest=run.end.digest if run.end else "",
                commit=head.suite.commit,
                clean=head.suite.clean,
                by=run.end.by if run.end else "",
                counts=dict(Counter(str(v.verdict) for v in run.verdicts.values())),
                cause=unusable,
            )
        )
        if head.candidate != context.launch.candidate:
            return
        if head.suite.clean is not True:
            self.unclean.append(head.id)
        if head.suite.digest != context.origin.suite.digest:
            self.others.append(head.id)
        strangers = sorted(set(run.verdicts) - set(context.procedure.items))
        if strangers:
            self.strangers[head.id] = strangers
        for verdict in run.verdicts.values():
            if verdict.verdict is Verdict.NOT_DUE:
                continue  # it says nothing of the item
            doubt = suspect(run, verdict, context) if verdict.verdict in GREEN else ""
            self.of[verdict.id].append(Looked(run, verdict, not unusable, doubt))
        times = [head.started_at, *(v.started_at for v in run.verdicts.values())]
        newest = max([*times, run.end.ended_at] if run.end else times)
        self.newest = newest if self.newest is None else max(self.newest, newest)

    def _wrong(self, run: ledger.Run, folder: Path, context: Context) -> str:
        """Why a run that can be read keeps the rule on runs from holding; empty where it does
        not. A run that was killed is noted once a later record names it."""
        cause = ""
        if run.head.environment.kind != context.environment.kind:
            cause = f"it says that {context.environment.name} is a {run.head.environment.kind}"
        elif run.end is not None and context.environment.kind != "rehearsal":
            cause = plain(ledger.unsigned(run, context.roster), context)
        if cause and context.statements.set_aside(folder.name, digest_of(folder)) is None:
            self.damaged[folder.name] = cause
        return cause


def _whole_run(folder: Path) -> ledger.Run:
    """What lies among the runs, if it is one.

    :raises GoliveError: it is none, is damaged, or goes by another name than its own.
    """
    if folder.name.startswith(".") or folder.is_symlink() or not folder.is_dir():
        raise GoliveError(f"{folder}: is no run; expected nothing else among the runs")
    run = ledger.read_run(folder, facts=False)
    if run.head.id != folder.name:
        raise GoliveError(f"{folder}: holds the run {run.head.id}; expected it under that name")
    if f"-{run.head.environment.name}-" not in folder.name:
        raise GoliveError(f"{folder}: is of {run.head.environment.name}, its name says another")
    return run
