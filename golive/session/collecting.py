"""Collection: every item has its id, its marks and its place in the order."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from golive import procedure
from golive.items import Card, card_of
from golive.probes.declared import declared, register
from golive.probing import EFFECTS, REGISTRY, closure, disturbing, exclusive
from golive.session.setup import Setup
from golive.verdicts import GoliveError


def card_on(node: pytest.Item) -> Card:
    """The card of a collected item.

    :raises GoliveError: it has none.
    """
    card = card_of(getattr(node, "obj", None))
    if card is None:
        raise GoliveError(
            f"{node.nodeid}: carries no id; expected @item, derived() or attested() on it"
        )
    return card


def fixtures_of(node: pytest.Item) -> list[str]:
    """The names of what an item asks for."""
    return node.fixturenames if isinstance(node, pytest.Function) else []


def probe_fixtures(facts_of: Callable[[str], Any]) -> types.ModuleType:
    """Every probe as a session fixture of the same name, golive's own and those registered by now.

    :param facts_of: what reads a probe's facts, by its name.
    """
    module = types.ModuleType("golive_probe_fixtures")
    summaries = {p.name: p.summary for p in declared().values()}
    summaries |= {p.name: p.summary for p in REGISTRY.values()}
    for name, summary in summaries.items():
        reader = _reader(facts_of, name)
        reader.__doc__ = summary
        setattr(module, name, pytest.fixture(scope="session", name=name)(reader))
    return module


def _reader(facts_of: Callable[[str], Any], name: str) -> Callable[[], Any]:
    def read() -> Any:
        return facts_of(name)

    return read


class Collection:
    """The items of a session."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.is_arranged = False
        self.size = 0
        """How many items were collected, those left out included."""

    def arrange(self, items: list[pytest.Item]) -> None:
        """Check every item's id, stamp its marks, keep the wanted ones, and put what disturbs
        others, and what follows from others, last.

        :raises GoliveError: an item without an id, with an unknown one, or with another's.
        """
        register({name for node in items for name in fixtures_of(node)})
        nodes: dict[str, pytest.Item] = {}
        for node in items:
            line = self._line(node, card_on(node))
            if line.id in nodes:
                raise GoliveError(
                    f"{node.nodeid}: found the id {line.id!r}, which {nodes[line.id].nodeid}"
                    " has already; expected each id once"
                )
            nodes[line.id] = node
            self._stamp(node, line)
        self.size = len(nodes)
        if self._setup.wanted:
            self._keep_wanted(items, set(nodes))
        items.sort(key=self._order)

    def _line(self, node: pytest.Item, card: Card) -> procedure.Item:
        lines = self._setup.procedure
        line = lines.items.get(card.id)
        if line is None:
            raise GoliveError(
                f"{node.nodeid}: found the id {card.id!r}; expected one of the"
                f" {len(lines.items)} in {lines.source}"
            )
        if card.way and card.way != line.way:
            raise GoliveError(
                f"{node.nodeid}: {card.id} is written as {card.way}; {lines.source} says {line.way}"
            )
        allowed = EFFECTS.index(line.effect)
        for p in closure(fixtures_of(node)).values():
            if EFFECTS.index(p.effect) > allowed:
                raise GoliveError(
                    f"{node.nodeid}: uses the probe {p.name}, whose effect is {p.effect!r};"
                    f" {lines.source} allows {card.id} only {line.effect!r}"
                )
        return line

    def _stamp(self, node: pytest.Item, line: procedure.Item) -> None:
        for mark in (line.block, line.phase, line.owner_mark, line.area, line.way, line.effect):
            if not mark:
                continue
            if mark not in self._setup.marks:
                raise GoliveError(
                    f"{self._setup.root / 'markers.ini'}: {mark}: the mark is missing;"
                    f" {line.id} needs it"
                )
            node.add_marker(mark)

    def _keep_wanted(self, items: list[pytest.Item], collected: set[str]) -> None:
        wanted, config = self._setup.wanted, self._setup.config
        # A run that names files collects only those; only a whole collection can tell.
        if not wanted & collected:
            raise GoliveError(
                f"--item {', '.join(config.option.item)}: nobody has written"
                f" {', '.join(sorted(wanted)[:6])} yet among what was collected"
            )
        out = [n for n in items if card_on(n).id not in wanted]
        items[:] = [n for n in items if card_on(n).id in wanted]
        if out:
            config.hook.pytest_deselected(items=out)

    def _order(self, node: pytest.Item) -> tuple[int, int]:
        card, names = card_on(node), fixtures_of(node)
        line = self._setup.procedure.items[card.id]
        if line.way == "derived" or "deliverables" in names:
            # They look at the verdicts of others, drills included, and at each other's papers.
            return (3 + card.last, line.order)
        probes = closure(names)
        return (bool(disturbing(probes)) + bool(exclusive(probes)), line.order)
