"""Faults of what people write and sign, one line each.

made = Stating(__name__)
made.stated("minutes-not-signed", "D-5.1.1", [], "nobody has signed the minutes")
made.written("no-executive", "D-5.1.1", "minutes.md", no_executive, "no executive attended")
made.altered("minutes-altered", "D-5.1.1", "minutes.md", later, "altered after signing")
"""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.faults import Step, fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import papers, scripts
from rehearsal.staff.scripted_statements import Entry

DAY_S = 86_400.0
Items = str | Sequence[str]


class Stating:
    """Registers faults of one module."""

    def __init__(self, module: str, *waits_for: str) -> None:
        """:param waits_for: items without whose check all of these are red anyway."""
        self._module = module
        self._waits_for = waits_for

    def stated(self, name: str, items: Items, entries: list[Entry], title: str) -> None:
        """An item, the first where there are several, is stated by these; by nobody where there
        are none."""
        item = items if isinstance(items, str) else items[0]
        self._fault(
            name,
            items,
            title,
            lambda r: scripts.spoil(r, item, entries),
            lambda r: scripts.fix(r, item),
            f"statements/{item}",
        )

    def written(
        self,
        name: str,
        items: Items,
        paper: str,
        how: papers.Change,
        title: str,
        *,
        reported: bool = True,
    ) -> None:
        """A paper says something else, and is signed as it is; papers that quote it know it,
        unless nobody ``told`` their authors."""
        self._fault(
            name,
            items,
            title,
            lambda r: papers.change(r, paper, how, reported=reported),
            lambda r: papers.write(r, paper),
            f"papers/{paper}",
        )

    def reworded(
        self, name: str, items: Items, paper: str, words: tuple[str, str], title: str
    ) -> None:
        """A paper's text says the second of these words for the first, and is signed as it is."""
        self._fault(
            name,
            items,
            title,
            lambda r: papers.reword(r, paper, *words),
            lambda r: papers.write(r, paper),
            f"papers/{paper}",
        )

    def outdated(
        self, name: str, items: Items, paper: str, how: papers.Change, title: str, *, signed: str
    ) -> None:
        """A paper says something else and is signed as it is, but for one item.

        :param signed: that item: what people have signed of it is about the paper as it was.
        """

        def breaks(r: Rehearsal) -> None:
            scripts.fall_silent(r, signed)
            papers.change(r, paper, how)

        def restores(r: Rehearsal) -> None:
            papers.write(r, paper)
            scripts.fix(r, signed)

        self._fault(name, items, title, breaks, restores, f"papers/{paper}", f"statements/{signed}")

    def altered(self, name: str, items: Items, paper: str, how: papers.Change, title: str) -> None:
        """A paper says something else than what was signed."""
        self._fault(
            name,
            items,
            title,
            lambda r: papers.alter(r, paper, how),
            lambda r: papers.write(r, paper),
            f"papers/{paper}",
        )

    def _fault(
        self, name: str, items: Items, title: str, breaks: Step, fixes: Step, *touched: str
    ) -> None:
        named = [items] if isinstance(items, str) else items

        def step(r: Rehearsal) -> None:
            breaks(r)

        step.__module__ = self._module
        fault(
            name,
            expect_fail=named,
            touches=touched,
            title=title,
            waits_for=self._waits_for,
        )(step).revert(fixes)
