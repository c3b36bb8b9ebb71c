"""The fault campaign: every fault turns exactly the items red that it names, reverting them green.

    python -m tests.campaign                     all faults
    python -m tests.campaign --fault NAME        one of them (may be repeated)
    python -m tests.campaign --since REF --minutes 20
                                                 rounds with what changed since REF touches, then
                                                 others in turn by the day, until the time is up
    python -m tests.campaign --clauses           no fault: look whether each clause of each item has
                                                 its claim and its fault, write docs/clauses.md

Faults that touch nothing in common and turn no item in common red are injected together; all items
are run once, and what is red is compared with what the faults of the round name, and with what is
recorded of them in ``rehearsal/faults/recorded.toml``. A mismatch is narrowed down to its fault,
which is tried alone and, since items measure times and the machine has other work, once more after
a calm moment; the table tells how many tries it took. Faults of nothing but papers are tried beside
that in folders of their own. Within a round, a fault that turns an item red which another one of
the round names goes unseen; which faults share a round changes with the faults.

A fault has to break the claims of the clauses that name it (``tests/suites/clauses``).

The table goes to ``reports/campaign.md`` and, line by line as it grows, to
``reports/campaign.jsonl``. A rehearsal that was up is left up.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from golive import procedure
from golive.probes import register_all
from golive.probing import REGISTRY
from rehearsal.faults import RECORDED, Fault, all_faults, seen, waiting
from tests.campaign import clauses, frozen, papers, rounds, rows
from tests.campaign.judging import Tried, planned, resting
from tests.campaign.live import ROOT, CampaignError, World
from tests.campaign.reach import touched
from tests.campaign.recorded import text as recorded_text

_PAPERS_SHARE = 0.4
"""Of the time, for faults that are tried in copies, where there are others too."""
_WHOLE_MINUTES = 60.0
"""A pass of less than this is one of many: it neither waits long for a busy machine to come to rest
nor counts as wrong what such a machine does not let it try."""
_SLOW = frozenset(
    {"migration_drill", "rollback_drill", "restore_drill", "point_in_time_drill"}
    | {"backup_encryption", "escalation_drill", "lock_wait_alert", "contact_test"}
    | {"failover_drill", "scaling_runs"}
)
"""Probes that take half a minute: faults that they have to look at again share rounds."""


def chosen(faults: Mapping[str, Fault], names: Sequence[str]) -> list[Fault]:
    """The named faults, else all.

    :raises CampaignError: there is none of such a name.
    """
    if missing := [n for n in names if n not in faults]:
        raise CampaignError(f"there is no fault {', '.join(missing)}")
    return [faults[n] for n in names] if names else list(faults.values())


def tryable(told: Iterable[clauses.Clause]) -> dict[str, Fault]:
    """The faults that a campaign tries, by name: also of items that are red without them, where a
    clause says what they have to add to these."""
    named = {name for c in told for name in c.faults}
    return {**all_faults(), **{n: f for n, f in waiting().items() if n in named}}


def changed_since(ref: str) -> set[str]:
    """Files that differ from that commit, as paths from the root.

    :raises CampaignError: git knows no such commit.
    """
    reported = subprocess.run(
        ["git", "diff", "--name-only", ref], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if reported.returncode:
        raise CampaignError(f"--since {ref}: {reported.stderr.strip()}")
    return set(reported.stdout.split())


def concerned(changed: Iterable[str], faults: Iterable[Fault]) -> set[str]:
    """The faults that changed files concern: their own file, that of an item that they turn red,
    or that of a probe that looks at what they touch."""
    files = set(changed)
    checks = [ROOT / f for f in files if f.startswith("suites/") and f.endswith(".py")]
    said = "".join(path.read_text(encoding="utf-8") for path in checks if path.exists())
    found: set[str] = set()
    for fault in faults:
        looked = touched(fault.touches)
        sources = {f"{REGISTRY[n].look.__module__.replace('.', '/')}.py" for n in looked}
        sources.add(f"{fault.breaks.__module__.replace('.', '/')}.py")
        if sources & files or any(f'"{item}"' in said for item in fault.all_red):
            found.add(fault.name)
    return found


def in_turn(faults: Sequence[Fault], first: Collection[str], turn: int) -> list[Fault]:
    """Those of ``first``, then the others beginning with another one by ``turn``."""
    urgent = [f for f in faults if f.name in first]
    others = [f for f in faults if f.name not in first]
    start = turn % max(len(others), 1)
    return [*urgent, *others[start:], *others[:start]]


def untried(fault: Fault, red: Mapping[str, str]) -> rows.Row:
    """The row of a fault that names what is red without it."""
    reported = "; ".join(red[i] for i in fault.all_red if i in red)
    return rows.row(
        fault.name,
        fault.all_red,
        {},
        reverted={},
        duration_s=0.0,
        how="not tried",
        error=f"without any fault: {reported}",
    )


class Campaign:
    """One pass over some faults: rows as they come, and the table at the end."""

    def __init__(self, reports: Path, total: int) -> None:
        self.rows: list[rows.Row] = []
        self.total = total
        self._table = reports / "campaign.md"
        self._lines = reports / "campaign.jsonl"
        self._started = time.monotonic()
        reports.mkdir(exist_ok=True)
        self._lines.unlink(missing_ok=True)

    def say(self, text: str) -> None:
        """A line of progress, with the seconds since it began."""
        print(f"[{time.monotonic() - self._started:6.0f} s] {text}", flush=True)

    def add(self, row: rows.Row) -> None:
        """Keep a settled row, and tell it."""
        self.rows.append(row)
        rows.append(self._lines, row)
        self._write()  # whenever it is killed, the table has what is settled
        mark = "WRONG" if row.wrong else "ok"
        count = f"{len(self.rows)}/{self.total}"
        self.say(f"{count:>8} {mark:5} {row.fault:40} {', '.join(row.red)} ({row.how})")
        if row.wrong:
            print(f"             {row.wrong}", flush=True)

    def finish(self, excused: Mapping[str, str]) -> None:
        """Write the table and tell how it went."""
        print(self._write(excused).splitlines()[-1])
        print(f"table: {self._table}")

    def _write(self, excused: Mapping[str, str] = MappingProxyType({})) -> str:
        text = rows.table(self.rows, self.total - len(self.rows), excused)
        self._table.write_text(text, encoding="utf-8")
        return text


def paper_rounds(
    world: World,
    made: Sequence[rounds.Round],
    campaign: Campaign,
    workers: int,
    until: float,
) -> None:
    """Try rounds of faults of what people write in copies of the world; none begins once the time
    is up, but for the first.

    :raises papers.SnapshotError: a copy is not green by itself.
    """
    count = sum(len(together) for together in made)
    campaign.say(f"{count} faults of papers and their like in {len(made)} rounds")
    with world.timed("papers"):
        snapshot = world.snapshot()
        tried = papers.run_paper_rounds(
            made, snapshot, workers, recording=world.recording, until=until
        )
        assert isinstance(tried, Generator)  # so that whoever stops asking can tell it
        with closing(tried):
            for row in tried:
                campaign.add(row)


def in_copies(
    faults: Sequence[Fault], derived: frozenset[str], rests: frozenset[str]
) -> list[rounds.Round]:
    """Rounds for copies: those of spoilt documents apart, since what looks at a document looks
    before anything else does."""
    spoilt = [f for f in faults if set(f.all_red) <= derived or frozen.spoils_documents(f.touches)]
    others = [f for f in faults if f not in spoilt]
    return [
        r for fs in (others, spoilt) for r in rounds.plan(planned(f, derived, rests) for f in fs)
    ]


def live_rounds(
    world: World,
    made: Sequence[rounds.Round],
    campaign: Campaign,
    until: float,
) -> None:
    """Try the rounds one after another until the time is up. What a round has turned red and the
    next one does not is seen green in the next one."""
    before: Tried | None = None
    for number, together in enumerate(made, 1):
        if time.monotonic() > until:
            break
        names = ", ".join(f.name for f in together)
        campaign.say(f"round {number} of {len(made)}: {names}")
        coming = made[number] if number < len(made) else ()
        if not world.patient:  # what a busy machine does not let be tried has its turn again
            world.calm({i for f in together for i in f.expected})
            for fault in [f for f in together if world.unquiet(f)]:
                campaign.say(f"not tried: {fault.name}, without it: {world.unquiet(fault)}")
            together = tuple(f for f in together if not world.unquiet(f))
        if not together:
            continue
        later = set(world.probes) - rounds.reds(coming) if coming else set()
        tried = world.try_together(together, f"round {number}", later)
        if before is not None:
            seen = tried.found | tried.reverted
            before.reverted |= {i: seen[i] for i in before.owed if i in seen}
            before.owed = frozenset()
            _settle(world, before, tried, campaign)
        before = tried
    if before is not None:
        world.settle_owed(before)
        _settle(world, before, None, campaign)


def _settle(world: World, tried: Tried, after: Tried | None, campaign: Campaign) -> None:
    world.see_sound(tried)
    judged = world.judge(tried)
    if judged.suspects and after is not None:
        world.settle_owed(after)  # else what comes now would have to show it
    for row in rounds.settle(tried.faults, world.attempt, made=judged):
        campaign.add(row)


def rewrite(told: Sequence[clauses.Clause], what: clauses.Known) -> int:
    """Write the table of clauses, and tell what is missing: the exit status."""
    clauses.TABLE.write_text(clauses.table(told, what), encoding="utf-8")
    print(f"table: {clauses.TABLE}, {len(told)} clauses")
    missing = [*clauses.gaps(told, what), *clauses.unnamed(told, what)]
    for one in missing:
        print(f"campaign: {one}", file=sys.stderr)
    return 1 if missing else 0


def _interrupted(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--fault", action="append", default=[], metavar="NAME")
    add("--recorded", action="store_true", help="only faults that a campaign has recorded")
    add("--unrecorded", action="store_true", help="only faults that none has recorded")
    add("--since", metavar="REF", help="rounds with faults that changes since REF concern first")
    add("--minutes", type=float, default=24 * 60.0, help="begin no round after so long")
    add("--workers", type=int, default=2, help="processes for faults of papers (default: 2)")
    add("--at-most", type=int, default=0, metavar="N", help="faults in a round; 1: each alone")
    add("--no-baseline", action="store_true", help="believe that all is green without a fault")
    add("--record", action="store_true", help=f"rewrite {RECORDED.relative_to(ROOT)}")
    add("--clauses", action="store_true", help=f"only rewrite {clauses.TABLE.relative_to(ROOT)}")
    add("--keep", action="store_true", help="leave the rehearsal up, for the next --fault")
    add("--folder", type=Path, default=ROOT / ".parts" / "campaign")
    options = parser.parse_args(arguments)
    try:
        known = clauses.known()
        told = clauses.load(known)
    except clauses.ClauseError as e:
        print(f"campaign: {e}", file=sys.stderr)
        return 2
    incomplete = clauses.gaps(told, known)
    if options.clauses:
        return rewrite(told, known)
    if incomplete and not options.fault:  # one fault is tried while its clause is being written
        reported = "\n  ".join(incomplete)
        print(f"campaign: clauses without claim, fault or reason:\n  {reported}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # either takes down what was brought up
        signal.signal(number, _interrupted)
    register_all()
    started = time.monotonic()
    until = started + options.minutes * 60
    try:
        faults = chosen(tryable(told), options.fault)
        faults = [f for f in faults if f.name in seen()] if options.recorded else faults
        faults = [f for f in faults if f.name not in seen()] if options.unrecorded else faults
        first = concerned(changed_since(options.since), faults) if options.since else set()
    except CampaignError as e:
        print(f"campaign: {e}", file=sys.stderr)
        return 2
    campaign = Campaign(ROOT / "reports", len(faults))
    patient = options.minutes >= _WHOLE_MINUTES
    world = World(
        options.folder, campaign.say, recording=options.record, clauses=told, patient=patient
    )
    items = procedure.load(ROOT / "suites" / "procedure.toml").items
    derived = frozenset(i for i, line in items.items() if line.way == "derived")
    rests = resting(ROOT / "suites")
    broken: list[str] = []
    try:
        turn = datetime.now(UTC).toordinal() * 17
        campaign.say(f"{len(faults)} faults; bringing the rehearsal up, where it is not")
        world.up()
        remembered = bool(options.fault or options.no_baseline) and world.remember()
        if not (remembered or options.no_baseline):
            campaign.say("looking at all items without any fault")
            world.baseline()
        broken += clauses.unmade(told, world.green)
        if red := [said for i, said in world.unsound.items() if i not in world.noise]:
            broken.append(f"red without any fault: {'; '.join(red)}")
        for fault in [f for f in faults if set(f.all_red) & set(world.unsound)]:
            row = untried(fault, world.unsound)
            noisy = set(fault.all_red) & set(world.unsound) <= world.noise
            if noisy and options.minutes < _WHOLE_MINUTES:  # it has its turn in another pass
                campaign.say(f"not tried: {fault.name}, {row.wrong}")
            else:
                campaign.add(row)
            faults.remove(fault)
        written = in_turn([f for f in faults if papers.for_papers(f)], first, turn)
        if written:
            share = 1.0 if len(written) == len(faults) else _PAPERS_SHARE
            now = time.monotonic()
            ends = now + (until - now) * share
            try:
                paper_rounds(
                    world,
                    rounds.in_order(in_copies(written, derived, rests), first=first, turn=turn),
                    campaign,
                    options.workers,
                    ends,
                )
            except papers.SnapshotError as e:  # the others have a world of their own
                campaign.say(f"the copies: {e}")
                broken.append(str(e))
        live = [planned(f, derived, rests) for f in faults if f not in written]
        made = rounds.plan(
            live,
            first=first,
            cost=lambda f: float(len(touched(f.touches) & _SLOW)),
            at_most=options.at_most,
        )
        live_rounds(world, rounds.in_order(made, first=first, turn=turn), campaign, until)
        broken += [world.last_look(), *world.damage]
    except CampaignError as e:
        broken.append(str(e))
    finally:
        if options.record:  # however it ends, what has been seen is worth keeping
            RECORDED.write_text(recorded_text(faults, campaign.rows), encoding="utf-8")
        world.down(keep=options.keep)
    campaign.finish(world.excused)
    for what, seconds in sorted(world.spent_s.items(), key=lambda pair: -pair[1]):
        print(f"{seconds:7.1f} s  {what}")
    print(f"{time.monotonic() - started:7.1f} s  in all")
    broken = [problem for problem in broken if problem]
    for problem in broken:
        print(f"campaign: {problem}", file=sys.stderr)
    wrong = any(r.wrong for r in campaign.rows)
    return 1 if broken or wrong or not campaign.rows else 0


if __name__ == "__main__":
    sys.exit(main())
