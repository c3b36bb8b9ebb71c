"""What came of faults that were in force together: whose red is whose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from golive import ledger
from golive.items import read_cards
from rehearsal.faults import Fault
from tests.campaign import clauses as told
from tests.campaign import rows
from tests.campaign.clauses import Clause
from tests.campaign.reach import may_redden, reach
from tests.campaign.rounds import Attempt, Planned, overlap, reds


@dataclass
class Tried:
    """What came of one round before it is judged."""

    faults: Sequence[Planned]
    how: str
    found: dict[str, ledger.ItemVerdict]
    reverted: dict[str, ledger.ItemVerdict]
    errors: dict[str, str]
    """Why a fault could not be injected or reverted."""
    seconds: float
    owed: frozenset[str] = frozenset()
    """Items that were red and that the next look has yet to show green."""


_ASKS_FOR_OTHERS = re.compile(r"\bdeliverables: Deliverables\b")


def resting(suites: Path) -> frozenset[str]:
    """The items that look at the verdicts of others, and say which of them they are red for."""
    cards = read_cards(suites)
    return frozenset(i for i, (_, source) in cards.items() if _ASKS_FOR_OTHERS.search(source))


def planned(fault: Fault, derived: frozenset[str], rests: frozenset[str] = frozenset()) -> Planned:
    """A fault as rounds are planned: what only follows from its other items is told apart by
    what it says, so that it may share a round with what has the same follow.

    :param rests: items that follow from others unless the fault was written for them.
    """
    red, named = frozenset(fault.all_red), frozenset(fault.expect_fail)
    own = red - derived - (rests - named) or red
    return Planned(fault.name, frozenset(fault.touches), own, red, named)


def judge(
    tried: Tried,
    probes: Mapping[str, Collection[str]],
    excused: Mapping[str, str],
    *,
    recording: bool = False,
    unseen: Collection[str] = (),
    clauses: Sequence[Clause] = (),
    before: rows.Verdicts = MappingProxyType({}),
    behind: Collection[str] = (),
) -> Attempt:
    """A row for each fault of a round. What is red beside what all of them name is held against
    each that it could be down to.

    :param probes: the probes whose facts each item takes.
    :param excused: items that are red without any fault.
    :param recording: whether what a fault turns red beside what it was written for is right.
    :param unseen: faults of which it is in any case, since nobody has recorded what they do.
    :param clauses: those of all items; a fault has to show the ones that name it.
    :param before: verdicts of excused items without any fault: what a fault that names one adds to
        it shows whether it is told there.
    :param behind: items that are red after reverting for nothing but what is excused.
    """
    found = tried.found
    named = reds(tried.faults)
    red = {i for i, v in found.items() if rows.is_red(v) and i not in excused}
    following = rows.followers(found, red)
    strange = red - named - following
    held = {
        f.name: {i for i in strange if may_redden(f.touches, probes.get(i, ()))}
        for f in tried.faults
    }
    sole = _sole(tried, strange, probes) if recording else {}
    # What none of them could have done by what it touches may be anybody's doing.
    nobodys = strange - {i for items in held.values() for i in items}
    made: dict[str, rows.Row] = {}
    for f in tried.faults:
        own = f.red | held[f.name] | nobodys
        own |= rows.due_to(found, own & red)
        # What names one of its items as the reason follows from it, recorded or not.
        expected = f.expected | (rows.due_to(found, f.expected & red) & red)
        if recording or f.name in unseen:  # what is another's in a round is nobody else's alone
            # What is recorded and red stays so: in a round it may hide behind another's.
            own |= f.expected
            own -= {i for i, name in sole.items() if name != f.name}
            sure: frozenset[str] | set[str] = red
            if len(tried.faults) > 1:
                sure = f.red | f.expected | {i for i, name in sole.items() if name == f.name}
            mine = own & sure & red  # what follows is theirs whose items it follows from
            expected = f.named | mine | (rows.due_to(found, mine) & red)
        row = rows.row(
            f.name,
            expected - set(excused),
            {i: v for i, v in found.items() if i in own | f.expected},
            reverted=tried.reverted,
            duration_s=tried.seconds / len(tried.faults),
            how=tried.how,
            excused=excused,
            follows={*following, *behind},
            error=tried.errors.get(f.name, ""),
            broken={i: _broken_by(f, found[i], tried.faults) for i in red},
            beside={
                i: rows.added(found[i], before[i]) for i in f.expected & set(before) & set(found)
            },
        )
        made[f.name] = told.judged(clauses, row)
    return Attempt(made, _contested(held))


def _contested(held: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Of what is held against each, what is held against another too."""
    often = Counter(item for items in held.values() for item in items)
    return {name: frozenset(i for i in items if often[i] > 1) for name, items in held.items()}


def _broken_by(f: Planned, v: ledger.ItemVerdict, together: Sequence[Planned]) -> tuple[str, ...]:
    """What an item's claims that this fault of a round has broken are about.

    Faults of a round have no item in common but what follows from others: in that, a claim that
    names items is this one's where it names one that is red with it, and a claim that names none
    is that of the fault which the item is told by."""
    if not any(v.id in other.expected for other in together if other is not f):
        return rows.subjects(v)
    mine = [c for c in v.claims if (f.expected & set(c.ids) if c.ids else v.id in f.red)]
    return rows.subjects(msgspec.structs.replace(v, claims=mine))


def _sole(
    tried: Tried, strange: Collection[str], probes: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Of items that are red unrecorded, those whose probes look at what just one of the faults
    touches, by its name. A pass that does not record tells where that was somebody else's doing."""
    found: dict[str, str] = {}
    for item in strange:
        reached = {place for probe in probes.get(item, ()) for place in reach(probe)}
        near = [f.name for f in tried.faults if overlap(f.touches, reached)]
        if len(near) == 1:
            found[item] = near[0]
    return found
