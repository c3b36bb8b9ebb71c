"""Which faults are injected together, and which of them a mismatch is down to.

Two faults conflict when they touch the same part or file, or turn the same item red: then neither
can be told from the other, and they never share a round. All of this is plain arithmetic; what a
round does is :mod:`tests.campaign.live`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.campaign.rows import Row

EVERYTHING = "*"
"""Touches, or is reached by, whatever there is."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault as rounds are planned.

    ``red`` are the items by which it is told from others; ``expected`` has also those that follow
    from them, by name; ``named`` are those that it was written for.
    """

    name: str
    touches: frozenset[str]
    red: frozenset[str]
    expected: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()


Round = tuple[Planned, ...]


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether two sets of places have one in common: ``postgres`` is all of its places, so it
    has ``postgres/refunds`` in common with it, which has none with ``postgres/payouts``."""
    pairs = [(a, b) for a in some for b in others]
    return any(_within(a, b) or _within(b, a) for a, b in pairs)


def _within(inner: str, outer: str) -> bool:
    return outer in (EVERYTHING, inner) or inner.startswith(f"{outer}/")


def conflict(one: Planned, other: Planned) -> bool:
    """Whether two faults may not be in force at once."""
    return bool(one.red & other.red) or overlap(one.touches, other.touches)


def plan(
    faults: Iterable[Planned],
    *,
    first: Collection[str] = (),
    cost: Callable[[Planned], float] = lambda _: 0.0,
    at_most: int = 0,
) -> list[Round]:
    """Rounds that have each fault once, and no two that conflict.

    :param first: names of faults that the first rounds have.
    :param cost: seconds that a round takes for this fault; dear ones share rounds.
    :param at_most: faults in a round; 0: as many as do not conflict.
    """
    all_of_them = list(faults)
    degree = {a.name: sum(conflict(a, b) for b in all_of_them) for a in all_of_them}
    rounds: list[list[Planned]] = []
    for fault in sorted(
        all_of_them, key=lambda f: (f.name not in first, -cost(f), -degree[f.name], f.name)
    ):
        for made in rounds:
            full = at_most and len(made) >= at_most
            if not full and not any(conflict(fault, other) for other in made):
                made.append(fault)
                break
        else:
            rounds.append([fault])
    return [tuple(made) for made in rounds]


def in_order(
    rounds: Sequence[Round],
    *,
    first: Collection[str] = (),
    turn: int = 0,
    cost: Callable[[str], float] = lambda _: 1.0,
) -> list[Round]:
    """The rounds as they are tried: those with a fault of ``first``, then from another one by
    ``turn``; each followed by one that turns few of the same items red, since those that the next
    one leaves alone are seen green in it.

    :param cost: seconds that it takes to look at an item once more.
    """
    urgent = [r for r in rounds if any(f.name in first for f in r)]
    others = [r for r in rounds if r not in urgent]
    start = turn % max(len(others), 1)
    return [*_chain(urgent, cost), *_chain(others[start:] + others[:start], cost)]


def _chain(rounds: Sequence[Round], cost: Callable[[str], float]) -> list[Round]:
    left, chain = list(rounds), list[Round]()
    while left:
        last = reds(chain[-1]) if chain else frozenset()
        best = min(left, key=lambda r: sum(cost(i) for i in reds(r) & last))
        left.remove(best)
        chain.append(best)
    return chain


def reds(faults: Iterable[Planned]) -> frozenset[str]:
    """Every item that these turn red."""
    return frozenset(item for fault in faults for item in fault.red)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of injecting some faults together: a row for each, by its name, right or wrong."""

    rows: Mapping[str, Row]
    contested: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Items that are red and may be a fault's doing or another's, by its name."""

    @property
    def suspects(self) -> list[str]:
        """Those that may be what was wrong."""
        return [name for name, row in self.rows.items() if row.wrong]


def settle(
    faults: Sequence[Planned],
    attempt: Callable[[Sequence[Planned], int], Attempt],
    *,
    alone_at_most: int = 2,
    made: Attempt | None = None,
) -> Iterator[Row]:
    """Try faults together and yield the row of each once it is settled.

    Those that were right are. Suspects are tried again without those that may have turned the same
    item red, else in halves, down to each alone, which is tried until it is right, or has been so
    ``alone_at_most`` times; its row tells how often it was tried in all.

    :param attempt: injects these faults together for the nth time, looks, reverts, and judges.
    :param made: the first attempt, where it has been made.
    """
    yield from _narrow(faults, made or attempt(faults, 1), attempt, 1, alone_at_most)


def _narrow(
    faults: Sequence[Planned],
    seen: Attempt,
    attempt: Callable[[Sequence[Planned], int], Attempt],
    tried: int,
    alone_left: int,
) -> Iterator[Row]:
    yield from (replace(row, tries=tried) for row in seen.rows.values() if not row.wrong)
    suspects = [f for f in faults if f.name in seen.suspects]
    if len(faults) == 1:
        alone_left -= 1
        if suspects and not alone_left:
            yield replace(seen.rows[suspects[0].name], tries=tried)
            return
    for part in _parts(suspects, seen.contested):
        again = attempt(part, tried + 1)
        yield from _narrow(part, again, attempt, tried + 1, alone_left)


def _parts(
    suspects: Sequence[Planned], contested: Mapping[str, frozenset[str]]
) -> list[list[Planned]]:
    """Suspects in groups of which no two may have turned the same item red, so that each red is
    one fault's; in halves where nothing keeps them apart."""
    groups: list[list[Planned]] = []
    for fault in suspects:
        mine = contested.get(fault.name, frozenset())
        for group in groups:
            if not any(mine & contested.get(f.name, frozenset()) for f in group):
                group.append(fault)
                break
        else:
            groups.append([fault])
    if len(groups) > 1 or len(suspects) < 2:
        return groups
    middle = (len(suspects) + 1) // 2
    return [list(suspects[:middle]), list(suspects[middle:])]
