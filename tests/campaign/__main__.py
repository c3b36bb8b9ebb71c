"""The fault campaign: every fault turns exactly the items red that it names, reverting them green.

    python -m tests.campaign                     all faults
    python -m tests.campaign --fault NAME        one of them (may be repeated)
    python -m tests.campaign --since REF --minutes 20
                                                 rounds with what changed since REF touches, then
                                                 others in turn by the day, until the time is up

Faults that touch nothing in common and turn no item in common red are injected together; all items
are run once, and what is red is compared with what the faults of the round name, and with what is
recorded of them in ``rehearsal/faults/recorded.toml``. A mismatch is narrowed down to its fault,
which is tried alone and, since items measure times and the machine has other work, once more after
a calm moment; the table tells how many tries it took. Faults of nothing but papers are tried beside
that in folders of their own. Within a round, a fault that turns an item red which another one of
the round names goes unseen; which faults share a round changes with the faults.

The table goes to ``reports/campaign.md`` and, line by line as it grows, to
``reports/campaign.jsonl``. A rehearsal that was up is left up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from golive import procedure
from golive.probes import register_all
from golive.probing import REGISTRY
from rehearsal.faults import RECORDED, Fault, all_faults
from tests.campaign import rounds, rows
from tests.campaign.live import ROOT, CampaignError, Tried, World
from tests.campaign.reach import touched
from tests.campaign.recorded import text as recorded_text

PAPERS = frozenset({"papers", "documents", "statements", "keys", "roster"})
"""What only people write: faults of nothing else need no part that runs."""
_SLOW = frozenset(
    {"migration_drill", "rollback_drill", "restore_drill", "point_in_time_drill"}
    | {"backup_encryption", "escalation_drill", "lock_wait_alert", "contact_test"}
)
"""Probes that take half a minute: faults that they have to look at again share rounds."""


def chosen(faults: Mapping[str, Fault], names: Sequence[str]) -> list[Fault]:
    """The named faults, else all.

    :raises CampaignError: there is none of such a name.
    """
    if missing := [n for n in names if n not in faults]:
        raise CampaignError(f"there is no fault {', '.join(missing)}")
    return [faults[n] for n in names] if names else list(faults.values())


def changed_since(ref: str) -> set[str]:
    """Files that differ from that commit, as paths from the root.

    :raises CampaignError: git knows no such commit.
    """
    told = subprocess.run(
        ["git", "diff", "--name-only", ref], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise CampaignError(f"--since {ref}: {told.stderr.strip()}")
    return set(told.stdout.split())


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


def planned(fault: Fault, derived: frozenset[str]) -> rounds.Planned:
    """A fault as rounds are planned: what only follows from its other items is told apart by
    what it says, so that it may share a round with what has the same follow."""
    red = frozenset(fault.all_red)
    own = red - derived or red
    named = frozenset(fault.expect_fail)
    return rounds.Planned(fault.name, frozenset(fault.touches), own, red, named)


def in_papers(fault: Fault) -> bool:
    """Whether it changes nothing but what people write."""
    return all(place.partition("/")[0] in PAPERS for place in fault.touches)


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
        mark = "WRONG" if row.wrong else "ok"
        count = f"{len(self.rows)}/{self.total}"
        self.say(f"{count:>8} {mark:5} {row.fault:40} {', '.join(row.red)} ({row.how})")
        if row.wrong:
            print(f"             {row.wrong}", flush=True)

    def finish(self, excused: Mapping[str, str]) -> None:
        """Write the table and tell how it went."""
        text = rows.table(self.rows, self.total - len(self.rows), excused)
        self._table.write_text(text, encoding="utf-8")
        print(text.splitlines()[-1])
        print(f"table: {self._table}")


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
    judged = world.judge(tried)
    if judged.suspects and after is not None:
        world.settle_owed(after)  # else what comes now would have to show it
    for row in rounds.settle(tried.faults, world.attempt, made=judged):
        campaign.add(row)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--fault", action="append", default=[], metavar="NAME")
    add("--since", metavar="REF", help="rounds with faults that changes since REF concern first")
    add("--minutes", type=float, default=24 * 60.0, help="begin no round after so long")
    add("--workers", type=int, default=2, help="processes for faults of papers (default: 2)")
    add("--at-most", type=int, default=0, metavar="N", help="faults in a round; 1: each alone")
    add("--no-baseline", action="store_true", help="believe that all is green without a fault")
    add("--record", action="store_true", help=f"rewrite {RECORDED.relative_to(ROOT)}")
    add("--keep", action="store_true", help="leave the rehearsal up, for the next --fault")
    add("--folder", type=Path, default=ROOT / ".parts" / "campaign")
    options = parser.parse_args(arguments)
    register_all()
    started = time.monotonic()
    until = started + options.minutes * 60
    try:
        faults = chosen(all_faults(), options.fault)
        first = concerned(changed_since(options.since), faults) if options.since else set()
    except CampaignError as e:
        print(f"campaign: {e}", file=sys.stderr)
        return 2
    campaign = Campaign(ROOT / "reports", len(faults))
    world = World(options.folder, campaign.say, recording=options.record)
    items = procedure.load(ROOT / "suites" / "procedure.toml").items
    derived = frozenset(i for i, line in items.items() if line.way == "derived")
    broken = ""
    try:
        world.up()
        remembered = bool(options.fault or options.no_baseline) and world.remember()
        if not (remembered or options.no_baseline):
            world.baseline()
        live = [planned(f, derived) for f in faults]
        made = rounds.plan(
            live,
            first=first,
            cost=lambda f: float(len(touched(f.touches) & _SLOW)),
            at_most=options.at_most,
        )
        turn = datetime.now(UTC).toordinal() * 17
        ordered = rounds.in_order(made, first=first, turn=turn)
        live_rounds(world, ordered, campaign, until)
        broken = world.last_look()
    except CampaignError as e:
        broken = str(e)
    finally:
        world.down(keep=options.keep)
    campaign.finish(world.excused)
    if options.record:
        RECORDED.write_text(recorded_text(faults, campaign.rows), encoding="utf-8")
    for what, seconds in sorted(world.spent_s.items(), key=lambda pair: -pair[1]):
        print(f"{seconds:7.1f} s  {what}")
    print(f"{time.monotonic() - started:7.1f} s  in all")
    if broken:
        print(f"campaign: {broken}", file=sys.stderr)
    wrong = any(r.wrong for r in campaign.rows)
    return 1 if broken or wrong or not campaign.rows else 0


if __name__ == "__main__":
    sys.exit(main())
