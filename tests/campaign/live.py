"""A rehearsal with a warm worker, in which rounds of faults are tried.

Before and after each round the same process looks, and keeps the facts of probes that nothing in
force touches and nothing has touched since (:mod:`tests.campaign.reach`).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from golive import ledger
from golive.probing import REGISTRY
from golive.verdicts import Verdict
from rehearsal import faults
from rehearsal.kernel.world import Rehearsal
from tests.campaign import rows
from tests.campaign.clauses import Clause
from tests.campaign.judging import Tried, judge
from tests.campaign.papers import Snapshot, take_snapshot
from tests.campaign.reach import may_redden, touched
from tests.campaign.rounds import Attempt, Planned

ROOT = Path(__file__).resolve().parents[2]
_PYTEST = ("-q", "-p", "no:cacheprovider")
_CALM_S = (0.0, 20.0, 40.0, 60.0, 90.0)
"""Before each further look of the baseline: query times are taken over two minutes, and bringing
a rehearsal up is itself a load that they remember."""
_BEFORE_TRYING_AGAIN_S = 20.0
_UNTIL_FORGOTTEN_S = (45.0, 60.0, 90.0)
"""Before each further look at what remembers the last minutes of a busy machine."""
_DONE = frozenset({0, 1})
"""How pytest ends once all items have a verdict."""
_MOST_UNSOUND = 5
_REMEMBERING = frozenset({"query_times", "statements"})
"""Probes whose facts are of the last minutes, whatever used the machine meanwhile."""
_REMEMBERED_FOR_S = 1800.0
_SOURCES = ("golive", "rehearsal", "suites")
_READ = frozenset({".py", ".toml", ".j2"})
Say = Callable[[str], None]


class CampaignError(Exception):
    """The campaign itself could not go on."""


@dataclass
class World:
    """One rehearsal with a worker, and a reports folder of its own.

    :param folder: where both lie; the rehearsal in its folder ``rehearsal``.
    """

    folder: Path
    say: Say
    recording: bool = False
    """Whether what a fault turns red beside what it was written for is taken as right."""
    clauses: Sequence[Clause] = ()
    """What the faults have to show of the items that they turn red."""
    patient: bool = True
    """Whether to wait minutes for what a busy machine has turned red."""
    probes: dict[str, frozenset[str]] = field(default_factory=dict)
    """The probes whose facts each item took when it was last looked at."""
    derived: frozenset[str] = frozenset()
    excused: dict[str, str] = field(default_factory=dict)
    """Items that are red without any fault, since what they rest on is not written."""
    unsound: dict[str, str] = field(default_factory=dict)
    """Of those, items that should have been green, and were not."""
    noise: frozenset[str] = frozenset()
    """Of those, what rests on query times, which remember minutes of a busy machine, and what is
    red for nothing but that."""
    following: frozenset[str] = frozenset()
    """Items that have been red because others were, and are green with those."""
    restless: set[str] = field(default_factory=set)
    """Of those that are excused, what rests on query times and was still red with nothing in force
    after a round that did not name it: excused until a look finds it green."""
    damage: list[str] = field(default_factory=list)
    """What stayed red after the faults of a round had been reverted."""
    green: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The subjects of the claims of each item that was green without any fault."""
    before: dict[str, ledger.ItemVerdict] = field(default_factory=dict)
    """The verdicts without any fault of items that rest on what is not written."""
    left: dict[str, str] = field(default_factory=dict)
    """Of that, what is laid to a fault, by its name."""
    spent_s: dict[str, float] = field(default_factory=dict)
    """Seconds by what they went to."""
    _touched: set[str] = field(default_factory=set)
    """Places that the last faults touched."""
    _stale: set[str] = field(default_factory=lambda: set(REGISTRY))
    _worker: subprocess.Popen[str] | None = None
    _asking: bool = False
    _was_up: bool = True
    _red_with: dict[str, frozenset[str]] = field(default_factory=dict)
    """Items that were red in the round in which a fault was tried first, and may be its doing, by
    its name."""
    _named_before: set[str] = field(default_factory=set)
    """Items that the faults of the last round named."""
    _seen_green_at: float = 0.0
    _remembered: bool = False

    @property
    def rehearsal(self) -> Rehearsal:
        """The rehearsal; a view of its own for whoever asks, so that threads share none."""
        return Rehearsal(self.folder / "rehearsal")

    # -- up and down --------------------------------------------------------------------------

    def up(self) -> None:
        """Bring the rehearsal up where it is not, revert what was left in force, start the worker.

        :raises CampaignError: it does not come up.
        """
        with self.timed("up"):
            self._was_up = self._command("status").returncode == 0
            if not self._was_up:
                done = self._command("up")
                if done.returncode:
                    raise CampaignError(f"the rehearsal does not come up: {_end(done)}")
            faults.revert_all(self.rehearsal)
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.worker"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def down(self, *, keep: bool = False) -> None:
        """End the worker, and the rehearsal too unless it was up before or is to be kept."""
        if self._worker is not None and self._worker.stdin is not None:
            if self._asking:  # it was interrupted, and so is its run
                self._worker.terminate()
            elif self._worker.poll() is None and self._seen_green_at:
                self._save()
            self._worker.stdin.close()
            self._worker.wait(timeout=30)
        if not (self._was_up or keep):
            with self.timed("down"):
                self._command("down")

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GOLIVE_REHEARSAL": str(self.folder / "rehearsal")}

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rehearsal", *words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    # -- looking ------------------------------------------------------------------------------

    def look(
        self, items: Iterable[str] = (), *, broken: Collection[str] = ()
    ) -> dict[str, ledger.ItemVerdict]:
        """The verdicts of these items, else of all, as of now.

        :param broken: what the faults in force touch.
        :raises CampaignError: pytest did not come to an end.
        """
        unsafe = touched(broken) if broken else set()
        keep = sorted(set(REGISTRY) - self._stale - unsafe)
        log = self.folder / "worker.log"
        chosen = [f"--item={ident}" for ident in sorted(items)]
        answer = self._ask(
            arguments=[
                *_PYTEST,
                f"--env={self._environment_file()}",
                f"--reports={self.folder / 'reports'}",
                *chosen,
            ],
            keep=keep,
            log=str(log),
        )
        if answer["status"] not in _DONE:
            reported = log.read_text(errors="replace")[-1500:]
            raise CampaignError(f"pytest ended with {answer['status']}: {reported}")
        looked = set(answer["looked"])
        self._stale = (self._stale - looked) | (looked & unsafe) | (unsafe - set(answer["kept"]))
        run = ledger.read_run(ledger.runs(self.folder / "reports")[-1], facts=False)
        self.probes |= {v.id: frozenset(v.facts) for v in run.verdicts.values()}
        self.derived |= {line.id for line in run.head.selected if line.way == "derived"}
        return run.verdicts

    def _environment_file(self) -> Path:
        """The rehearsal's environment, but that it is not asked to come up before each look."""
        path = self.folder / "rehearsal.toml"
        if not path.exists():
            text = (ROOT / "suites" / "environments" / "rehearsal.toml").read_text()
            path.write_text(re.sub(r"(?m)^command = .*$", 'command = ["true"]', text, count=1))
        return path

    def _ask(self, **request: Any) -> dict[str, Any]:
        worker = self._worker
        if worker is None or worker.stdin is None or worker.stdout is None:
            raise CampaignError("the worker is not running")
        self._asking = True
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        line = worker.stdout.readline()
        self._asking = False
        if not line:
            raise CampaignError(f"the worker ended with {worker.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def baseline(self) -> None:
        """See every item green, but those that rest on items or checks that nobody has written.

        A few that stay red are reported and left out, with the faults that name them.

        :raises CampaignError: more are red, so that nothing could be learned from any fault.
        """
        with self.timed("baseline"):
            verdicts = self.look()
            for calm_s in (*(_CALM_S if self.patient else _CALM_S[:2]), None):
                self.excused = rows.resting_on_unwritten(verdicts)
                red = {
                    v.id: f"{v.id} {v.verdict.value}: {v.message}"
                    for v in verdicts.values()
                    if rows.is_red(v) and v.id not in self.excused
                }
                if not red or calm_s is None:
                    break
                self.say(f"baseline: {', '.join(red)} red, once more")
                threading.Event().wait(calm_s)
                self._stale |= self._probes_of(red)
                verdicts |= self.look(red)
        if len(red) > _MOST_UNSOUND or not verdicts:
            reported = "\n  ".join(red.values())
            raise CampaignError(f"without any fault these are not green:\n  {reported}")
        self.unsound = red
        self.before = {i: verdicts[i] for i in self.excused}
        self.green = {
            v.id: tuple(c.subject for c in v.claims)
            for v in verdicts.values()
            if v.verdict is Verdict.PASS
        }
        slow = {i for i in red if self._probes_of([i]) & _REMEMBERING}
        because = {i: rows.not_green(verdicts[i]) for i in red}
        self.noise = frozenset(slow | {i for i in red if because[i] and because[i] <= slow})
        self.excused |= red
        self._seen_green_at = time.time()
        self._save()

    def last_look(self) -> str:
        """After the last round: what was red because others were, and still is, and what a busy
        machine may have left red and has not forgotten; empty if none."""
        self.calm(self.restless)
        if self.restless and self.patient:
            return f"these stayed red: {'; '.join(self.excused[i] for i in sorted(self.restless))}"
        if not self.following:
            return ""
        with self.timed("look after reverting"):
            found = self.look(self.following)
            if any(map(rows.is_red, found.values())):
                found = self.look(self.following | self._disturbed(self._touched))
        mine = {i: found[i] for i in sorted(self.following)}
        red = [f"{i}: {v.message}" for i, v in mine.items() if rows.is_red(v)]
        return f"these followed from others and stayed red: {'; '.join(red)}" if red else ""

    # -- what a later campaign can begin with --------------------------------------------------

    def remember(self) -> bool:
        """Begin with the facts of an earlier campaign, where the same rehearsal has been seen
        green within half an hour by the same code; whether that is so."""
        try:
            kept = json.loads(self._memory.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        age_s = time.time() - kept["seen_green_at"]
        if kept["stamp"] != self._stamp() or age_s > _REMEMBERED_FOR_S:
            return False
        loaded = self._ask(load=str(self._memory.with_suffix(".pickle")))["loaded"]
        self.probes = {i: frozenset(names) for i, names in kept["probes"].items()}
        self.derived = frozenset(kept["derived"])
        self.excused, self.unsound = kept["excused"], kept["unsound"]
        found = msgspec.convert(kept["before"], list[ledger.ItemVerdict])
        self.before = {v.id: v for v in found}
        self._seen_green_at, self._remembered = kept["seen_green_at"], True
        self._stale = set(REGISTRY) - set(loaded)
        self.say(f"begins with the facts of {age_s / 60:.0f} minutes ago")
        return True

    def snapshot(self) -> Snapshot:
        """The world as it is now that all is green, for copies of it; with remembered facts, that
        of the campaign that gathered them.

        :raises CampaignError: facts of some probe are missing.
        """
        folder = self.folder / "snapshot"
        if self._remembered and folder.exists():
            return Snapshot(folder)
        facts = pickle.loads(self._memory.with_suffix(".pickle").read_bytes())
        if missing := sorted(set(REGISTRY) - set(facts)):
            raise CampaignError(f"there are no facts of {', '.join(missing)} to copy")
        return take_snapshot(self.folder / "rehearsal", facts, folder)

    def _save(self) -> None:
        names = sorted(set(REGISTRY) - self._stale)
        self._ask(save=str(self._memory.with_suffix(".pickle")), names=names)
        kept = {
            "stamp": self._stamp(),
            "seen_green_at": self._seen_green_at,
            "probes": {i: sorted(names) for i, names in self.probes.items()},
            "derived": sorted(self.derived),
            "excused": self.excused,
            "unsound": self.unsound,
            "before": msgspec.to_builtins(list(self.before.values())),
        }
        self._memory.write_text(json.dumps(kept))

    @property
    def _memory(self) -> Path:
        return self.folder / "facts.json"

    def _stamp(self) -> str:
        """The rehearsal that runs, and the code that looks at it."""
        record = (self.folder / "rehearsal" / "state" / "supervisor.json").read_text()
        sources = (p for f in _SOURCES for p in (ROOT / f).rglob("*.*") if p.suffix in _READ)
        newest = max(p.stat().st_mtime_ns for p in sources)
        return f"{newest} {record}"

    # -- a round ------------------------------------------------------------------------------

    def _probes_of(self, items: Iterable[str]) -> set[str]:
        return {name for ident in items for name in self.probes.get(ident, ())}

    def attempt(self, together: Sequence[Planned], number: int) -> Attempt:
        """Inject some faults, look, revert, look at what was red, judge.

        :param number: which attempt it is. The first looks at all items, later ones at those that
            were red in it and may be these faults' doing, since what was green with more faults in
            force is green with fewer; the last ones wait for a calmer moment first.
        """
        if number > 1:
            self.say(f"again: {', '.join(f.name for f in together)}")
        if len(together) == 1 and number > 2 and not self.recording:
            threading.Event().wait(_BEFORE_TRYING_AGAIN_S)
        how = "alone" if len(together) == 1 else f"{len(together)} together"
        items = {i for f in together for i in f.expected | self._red_with.get(f.name, frozenset())}
        tried = self.try_together(together, how, items=items if number > 1 else ())
        self.see_sound(tried)
        return self.judge(tried)

    def see_sound(self, tried: Tried) -> None:
        """Look once more, after a calm moment, at what is red with nothing in force any more. What
        stays red is damage that some fault of the round left: laid to the fault that names it,
        told in any case, and excused from here on, or every later fault would be blamed for it."""
        if not (left := self._left_red(tried.reverted)):
            return
        again = self._disturbed({p for f in tried.faults for p in f.touches}) | {*left}
        lasting = left
        for calm_s in (_BEFORE_TRYING_AGAIN_S, *_UNTIL_FORGOTTEN_S):
            self.say(f"red with nothing in force, once more: {', '.join(sorted(lasting))}")
            threading.Event().wait(calm_s)
            self._stale |= self._probes_of(lasting)
            with self.timed("look after reverting"):
                tried.reverted |= self.look(again)
            lasting = self._left_red({i: tried.reverted[i] for i in left})
            again = {*lasting}
            if not lasting or not self._probes_of(lasting) & _REMEMBERING or not self.patient:
                break
        for item, message in lasting.items():
            said = f"{item} is not green after reverting: {message}"
            by = [f.name for f in tried.faults if item in f.expected]
            self.left |= dict.fromkeys(by, said)
            names = ", ".join(by or [f.name for f in tried.faults])
            self.damage.append(f"{said} (after {names})")
            self.say(self.damage[-1])
        self.excused |= lasting

    def _disturbed(self, places: Collection[str]) -> set[str]:
        """Items that look at these places, red or not: documents tell what was found of green ones
        too, and so what a fault has changed in it."""
        looked = touched(places)
        return {i for i, names in self.probes.items() if names & looked}

    def _left_red(self, found: Mapping[str, ledger.ItemVerdict]) -> dict[str, str]:
        known = {*self.excused, *self.following}
        return {i: v.message for i, v in found.items() if rows.is_red(v) and i not in known}

    def try_together(
        self,
        together: Sequence[Planned],
        how: str,
        later: Collection[str] = (),
        items: Collection[str] = (),
    ) -> Tried:
        """Inject, look at these items, else at all, revert, look at what was red.

        :param later: items that the next look is not going to expect red; what was red among them
            is seen green only then.
        """
        self.calm({i for f in together for i in f.expected})
        started = time.monotonic()
        broken = self._touched = {place for f in together for place in f.touches}
        errors = {f.name: f"without it: {why}" for f in together if (why := self.unquiet(f))}
        found: dict[str, ledger.ItemVerdict] = {}
        reverted: dict[str, ledger.ItemVerdict] = {}
        owed: frozenset[str] = frozenset()
        try:
            with self.timed("inject"):
                errors |= self._each(together, faults.inject)
            self.say(f"{how}: injected; looking at {len(items) or 'all'} items")
            with self.timed("look"):
                found = dict(self.look(items, broken=broken))
            self._rested(found)
        finally:
            with self.timed("revert"):
                errors |= self._each(together, self._revert)
        red = {i for i, v in found.items() if rows.is_red(v) and i not in self.excused}
        # Recording asks whose the others are; a pass that does not has each looked at once more.
        following = rows.followers(found, red)
        named_here = {i for f in together for i in f.expected} - following
        explained = named_here if self.recording else set()
        if not items:
            self._red_with |= self._suspected(together, red - explained, following)
        named = {i for f in together for i in f.expected if i in found}
        self.following |= following
        owed = frozenset((red & named & set(later)) - following - self.derived)
        now = (red | named) - owed - following - set(self.excused)
        if now & self.derived:  # what they look at has to be green before they can be
            owed, now = frozenset(), now | owed
        if now:
            with self.timed("look after reverting"):
                reverted = dict(self.look(now))
        left = self._left_red(reverted)
        slow = {i for i in left if self._probes_of([i]) & _REMEMBERING}
        slow -= named | self._named_before  # those are this round's, or still owed by the last one
        self._named_before = named
        self.restless |= slow
        self.excused |= {i: left[i] for i in slow}
        seconds = time.monotonic() - started
        return Tried(together, how, found, reverted, errors, seconds, owed)

    def _suspected(
        self, together: Sequence[Planned], red: Collection[str], following: frozenset[str]
    ) -> dict[str, frozenset[str]]:
        """Of what is red, what may be each fault's doing by what it touches, what is nobody's by
        that, and what follows from others."""
        may = {
            f.name: {i for i in red if may_redden(f.touches, self.probes.get(i, ()))}
            for f in together
        }
        nobodys = set(red).difference(*may.values())
        return {name: following | items | nobodys for name, items in may.items()}

    def unquiet(self, fault: Planned) -> str:
        """What a fault names and a busy machine has left red, with what it says; empty if none."""
        return "; ".join(self.excused[i] for i in sorted(self.restless & fault.expected))

    def calm(self, named: Collection[str]) -> None:
        """Wait until what is named is green again, where a busy machine has left it red."""
        for calm_s in _UNTIL_FORGOTTEN_S if self.patient else _UNTIL_FORGOTTEN_S[:1]:
            restless = self.restless & set(named)
            if not restless:
                return
            self.say(f"restless, once more: {', '.join(sorted(restless))}")
            threading.Event().wait(calm_s)
            self._stale |= self._probes_of(restless)
            with self.timed("look at what is restless"):
                self._rested(self.look(restless))

    def _rested(self, found: Mapping[str, ledger.ItemVerdict]) -> None:
        for item in {i for i in self.restless if i in found and not rows.is_red(found[i])}:
            self.restless.discard(item)
            self.excused.pop(item)

    def settle_owed(self, tried: Tried) -> None:
        """Look at what is still to be seen green of a round, now."""
        if tried.owed:
            with self.timed("look after reverting"):
                tried.reverted |= self.look(tried.owed)
            tried.owed = frozenset()

    def judge(self, tried: Tried) -> Attempt:
        """A row for each fault of a round: see :func:`tests.campaign.judging.judge`."""
        unseen = {f.name for f in tried.faults} - faults.seen()
        tried.errors |= {f.name: self.left[f.name] for f in tried.faults if f.name in self.left}
        behind = rows.followers(tried.found, self.excused)
        excused = self.excused | dict.fromkeys(behind, "red for nothing but what is excused")
        return judge(
            tried,
            self.probes,
            excused,
            recording=self.recording,
            unseen=unseen,
            clauses=self.clauses,
            before=self.before,
            behind=rows.followers(tried.reverted, self.excused),
        )

    @staticmethod
    def _revert(r: Rehearsal, name: str) -> None:
        if name in faults.in_force(r):
            faults.revert(r, name)

    def _each(
        self, together: Sequence[Planned], do: Callable[[Rehearsal, str], None]
    ) -> dict[str, str]:
        """Do it with each of the faults, side by side, since they touch nothing in common; why it
        failed, by the names of those with which it did."""

        def one(fault: Planned) -> str:
            try:
                do(self.rehearsal, fault.name)
            except Exception as e:  # noqa: BLE001 - a broken fault is wrong, and ends no other
                return f"{do.__name__.lstrip('_')}: {type(e).__name__}: {e}"
            return ""

        with ThreadPoolExecutor(8) as threads:
            reported = dict(
                zip([f.name for f in together], threads.map(one, together), strict=True)
            )
        return {name: why for name, why in reported.items() if why}

    def timed(self, what: str) -> _Timed:
        """A ``with`` whose seconds count as spent on this."""
        return _Timed(self.spent_s, what)


class _Timed:
    def __init__(self, spent_s: dict[str, float], what: str) -> None:
        self._spent_s, self._what = spent_s, what

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took = time.monotonic() - self._started
        self._spent_s[self._what] = self._spent_s.get(self._what, 0.0) + took


def _end(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip()[-1500:]
