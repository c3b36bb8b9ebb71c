"""The fault campaign: every fault reddens exactly the items it names, and reverting mends them.

    python -m tests.campaign                     all faults
    python -m tests.campaign --fault NAME        one of them (may be repeated)
    python -m tests.campaign --since REF --minutes 20
                                                 what changed since REF touches, then others in
                                                 turn by the day, until the time is used up

For each fault: inject it, run the items that look at anything the named ones look at, compare,
revert, run the named ones again. What went wrong is tried up to twice more, the last time after a
calm minute, since items measure times and the machine has other work; the table tells how many
tries it took. Rehearsals of its own work side by side. The table goes to ``reports/campaign.md``
and, line by line as it grows, to ``reports/campaign.jsonl``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from golive import ledger, procedure
from golive.probes import register_all
from golive.probing import REGISTRY
from golive.verdicts import Verdict
from rehearsal.faults import Fault, all_faults
from tests.campaign.rows import Row, resting_on_unwritten, table, unclear

ROOT = Path(__file__).resolve().parents[2]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--env", "rehearsal"]
_CALM_S = (60.0, 90.0, 150.0, 300.0)
"""Time for measurements taken while the rehearsal came up to lose their weight: query times are
taken over five minutes."""
_BEFORE_TRYING_AGAIN_S = (0.0, 60.0)
_HARMLESS = {Verdict.PASS, Verdict.NOT_DUE}


class CampaignError(Exception):
    """The campaign itself could not go on."""


class World:
    """One rehearsal with a reports folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports = folder / "reports"
        self.environment = {**os.environ, "GOLIVE_REHEARSAL": str(folder / "rehearsal")}
        self.probes: dict[str, frozenset[str]] = {}
        self.derived: set[str] = set()
        self.unwritten: dict[str, str] = {}
        """Items that are red without any fault, since what they rest on is not written."""

    def rehearsal(self, *arguments: str) -> None:
        """Run one of the rehearsal's commands.

        :raises CampaignError: it failed; with what it said.
        """
        done = subprocess.run(
            [sys.executable, "-m", "rehearsal", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-1500:]
            raise CampaignError(f"rehearsal {' '.join(arguments)} failed: {said}")

    def verdicts(self, items: Iterable[str]) -> dict[str, ledger.ItemVerdict]:
        """The verdicts of these items, looked at now."""
        chosen = [a for ident in sorted(items) for a in ("--item", ident)]
        return self._run(*chosen).verdicts

    def _run(self, *selection: str) -> ledger.Run:
        done = subprocess.run(
            [*PYTEST, f"--reports={self.reports}", *selection],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):
            said = f"{done.stdout}{done.stderr}"[-1500:]
            raise CampaignError(f"pytest ended with {done.returncode}: {said}")
        return ledger.read_run(ledger.runs(self.reports)[-1])

    def baseline(self) -> None:
        """Bring the rehearsal up and see every item green, but those that rest on items or checks
        that nobody has written yet.

        :raises CampaignError: one is not; nothing could be learned from a fault then.
        """
        self.rehearsal("up")
        found = self._run()
        verdicts = dict(found.verdicts)
        for calm_s in (*_CALM_S, 0.0):
            self.unwritten = resting_on_unwritten(verdicts)
            red = {
                v.id: f"{v.id} {v.verdict.value}: {v.message}"
                for v in verdicts.values()
                if v.verdict not in _HARMLESS and v.id not in self.unwritten
            }
            if not red or not calm_s:
                break
            # Bringing a rehearsal up is itself a load that query times remember.
            print(f"baseline: {', '.join(red)} red, once more", flush=True)
            threading.Event().wait(calm_s)
            verdicts |= self.verdicts(red)
        if red or not verdicts:
            told = "\n  ".join(red.values())
            raise CampaignError(f"without any fault these are not green:\n  {told}")
        self.probes = {v.id: frozenset(v.facts) for v in verdicts.values()}
        self.derived = {line.id for line in found.head.selected if line.way == "derived"}

    def reach(self, fault: Fault) -> set[str]:
        """The items that a fault may touch: those it names, and those sharing a probe with
        them. Items that follow from others are red whenever those are, so only named ones."""
        named = set(fault.expect_fail)
        if named <= self.derived:  # new verdicts would have a spoilt document made anew
            return named
        looked = frozenset().union(*(self.probes.get(i, frozenset()) for i in named))
        return named | {
            i for i, probes in self.probes.items() if probes & looked and i not in self.derived
        }

    def try_fault(self, fault: Fault) -> Row:
        """Inject, look, revert, look again."""
        started = time.monotonic()
        red: dict[str, ledger.ItemVerdict] = {}
        wrong: list[str] = []
        try:
            unknown = set(fault.expect_fail) - set(self.probes)
            if unknown:
                raise CampaignError(f"it names {', '.join(sorted(unknown))}, which nobody wrote")
            if self.derived.intersection(fault.expect_fail):
                self.verdicts(fault.expect_fail)  # documents of what the faults before this left
            self.rehearsal("fault", fault.name)
            try:
                found = self.verdicts(self.reach(fault))
            finally:
                self.rehearsal("revert", fault.name)
            red = {
                i: v
                for i, v in found.items()
                if v.verdict not in _HARMLESS and i not in self.unwritten
            }
            if set(red) != set(fault.expect_fail):
                wrong.append(f"red are {', '.join(sorted(red)) or 'none'}")
            wrong += [f"{i}: {why}" for i, v in red.items() if (why := unclear(v))]
            # Later faults rest on the newest verdicts, so whatever went red is looked at again.
            reverted = self.verdicts({*fault.expect_fail, *red})
            still = [i for i, v in reverted.items() if v.verdict not in _HARMLESS]
            wrong += [f"{i} is not green after reverting: {reverted[i].message}" for i in still]
        except CampaignError as e:
            wrong.append(str(e))
        return Row(
            fault=fault.name,
            expected_red=tuple(sorted(fault.expect_fail)),
            red=tuple(sorted(red)),
            messages=tuple(f"{i} {v.verdict.value}: {v.message}" for i, v in sorted(red.items())),
            wrong="; ".join(wrong),
            duration_s=round(time.monotonic() - started, 1),
        )


def chosen(faults: dict[str, Fault], names: list[str]) -> list[Fault]:
    """The named faults, else all, from another one on each day."""
    if names:
        missing = [n for n in names if n not in faults]
        if missing:
            raise CampaignError(f"there is no fault {', '.join(missing)}")
        return [faults[n] for n in names]
    ordered = list(faults.values())
    # Starting at another place each day, a share that fits the time covers all within days.
    turn = datetime.now(UTC).toordinal() * 17 % max(len(ordered), 1)
    return ordered[turn:] + ordered[:turn]


def changed_since(ref: str) -> set[str]:
    """Files that differ from that commit, as paths from the root."""
    told = subprocess.run(
        ["git", "diff", "--name-only", ref], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise CampaignError(f"--since {ref}: {told.stderr.strip()}")
    return set(told.stdout.split())


def touches(changed: set[str], fault: Fault, probes: dict[str, frozenset[str]]) -> bool:
    """Whether a change concerns a fault: its own file, an item's that it names, or a probe's."""
    blocks = procedure.load(ROOT / "suites" / "procedure.toml").items
    looked = frozenset().union(*(probes.get(i, frozenset()) for i in fault.expect_fail))
    known = [REGISTRY[n] for n in looked if n in REGISTRY]  # items may ask for more by themselves
    sources = {f"{p.look.__module__.replace('.', '/')}.py" for p in known}
    sources.add(f"rehearsal/faults/{fault.area}.py")
    files = tuple(f"test_{blocks[i].block}_" for i in fault.expect_fail if i in blocks)
    return bool(sources & changed) or any(Path(f).name.startswith(files) for f in changed)


def work(world: World, faults: queue.SimpleQueue[Fault], rows: list[Row], until: float) -> None:
    """Try faults from the queue until it is empty or the time is used up."""
    while time.monotonic() < until:
        try:
            fault = faults.get_nowait()
        except queue.Empty:
            return
        row = world.try_fault(fault)
        for tries, calm_s in enumerate(_BEFORE_TRYING_AGAIN_S, 2):
            if not row.wrong:
                break
            print(f"again {row.fault}: {row.wrong}", flush=True)
            threading.Event().wait(calm_s)
            row = dataclasses.replace(world.try_fault(fault), tries=tries)
        rows.append(row)
        mark = "WRONG" if row.wrong else "ok"
        print(f"{mark:5} {row.fault:44} {row.duration_s:6.1f} s  {', '.join(row.red)}", flush=True)
        if row.wrong:
            print(f"      {row.wrong}", flush=True)
        with (ROOT / "reports" / "campaign.jsonl").open("a") as file:
            file.write(json.dumps(dataclasses.asdict(row)) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME")
    parser.add_argument("--since", metavar="REF", help="faults that changes since REF touch first")
    parser.add_argument("--minutes", type=float, default=24 * 60.0)
    parser.add_argument(
        "--workers",
        type=int,
        default=max(1, (os.cpu_count() or 2) // 2),
        help="rehearsals side by side; each needs about two cores (default: half of them)",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / ".parts" / "campaign")
    options = parser.parse_args(arguments)
    register_all()
    until = time.monotonic() + options.minutes * 60
    try:
        faults = chosen(all_faults(), options.fault)
        changed = changed_since(options.since) if options.since else set()
    except CampaignError as e:
        print(f"campaign: {e}", file=sys.stderr)
        return 2
    (ROOT / "reports").mkdir(exist_ok=True)
    (ROOT / "reports" / "campaign.jsonl").unlink(missing_ok=True)
    worlds = [
        World(options.folder / str(n)) for n in range(max(1, min(options.workers, len(faults))))
    ]
    rows: list[Row] = []
    broken: list[str] = []
    waiting: queue.SimpleQueue[Fault] = queue.SimpleQueue()

    def side_by_side(do: Callable[[World], None]) -> None:
        def guarded(world: World) -> None:
            try:
                do(world)
            except CampaignError as e:
                broken.append(str(e))

        threads = [threading.Thread(target=guarded, args=(world,)) for world in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    try:
        side_by_side(World.baseline)
        if not broken:
            probes = worlds[0].probes
            for fault in sorted(faults, key=lambda f: not touches(changed, f, probes)):
                waiting.put(fault)
            side_by_side(lambda world: work(world, waiting, rows, until))
    finally:
        side_by_side(lambda world: world.rehearsal("down"))
    text = table(rows, len(faults) - len(rows), worlds[0].unwritten)
    (ROOT / "reports" / "campaign.md").write_text(text)
    print(text.splitlines()[-1])
    print(f"table: {ROOT / 'reports' / 'campaign.md'}")
    for problem in broken:
        print(f"campaign: {problem}", file=sys.stderr)
    return 1 if broken or any(r.wrong for r in rows) or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
