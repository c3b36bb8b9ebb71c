"""What items ask of people and their papers: the roster, statements, documents, stored copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from golive import verdicts
from golive.claims import holds
from golive.context import Context
from golive.environments import Environment
from golive.probing import FactStore, Probe
from golive.session.collecting import card_on
from golive.session.setup import Setup
from golive.verdicts import GoliveError, Pending

if TYPE_CHECKING:
    from golive.deliverables import Deliverables
    from golive.people.statements import Exempted, Vouched
    from golive.store import Kept


T = TypeVar("T")


class People:
    """People's part of a run. What only some items need is imported when the first one asks."""

    def __init__(self, setup: Setup, env: Environment, context: Context, facts: FactStore) -> None:
        self._setup = setup
        self._env = env
        self._context = context
        self._facts = facts
        self._vouched: dict[str, Vouched] = {}

    def context(self) -> Context:
        """Where what people write and sign lies.

        :raises ProbeError: there is no roster.
        """
        try:
            self._context.roster  # noqa: B018 - read here, so that it is reported once and by name
        except GoliveError as e:
            step = "name it in people.roster of the environment (`golive init` writes one)"
            raise verdicts.ProbeError("the roster", e, step) from None
        return self._context

    def deliverables(self) -> Deliverables:
        """The documents of this session's environment, with what is signed by now.

        :raises ProbeError: there is no roster that could say who signs them.
        """
        from golive.deliverables import Deliverables

        context = self.context().reloaded()
        return Deliverables(context, self._env.fingerprint, self._setup.mask)

    def ask(self, name: str, look: Callable[[Environment], T], noted: list[str]) -> T:
        """What a look finds that only an item knows what at, within a time limit and on record.

        :param noted: names of the facts that the item rests on; this one joins them.
        :raises ProbeError: it could not look.
        """
        if name not in noted:
            noted.append(name)
        found: T = self._facts.ask(Probe(name, look, (), "read", "probe", name))
        return found

    def kept(self, page: Path, noted: list[str]) -> Kept:
        """How the store of launch.toml keeps a document, asked within a time limit and on record.

        :param noted: names of the facts that the item rests on; this one joins them.
        :raises Pending: no store is named, or the document is not in it.
        :raises ProbeError: the store cannot be asked, or has something else.
        """
        from golive.store import Kept, kept_document

        context = self.context()

        def look(_: Environment) -> Kept | Pending:
            try:
                return kept_document(context, page)
            except Pending as e:  # that it is not there yet is an answer, too
                return e

        found = self.ask(f"stored copy of {page.name}", look, noted)
        if isinstance(found, Pending):
            raise found
        assert isinstance(found, Kept)
        return found

    def vouched(self, item: str) -> Vouched:
        """What people have stated of an item, once for each item and session.

        :raises ProbeError: there is no roster.
        :raises Pending: a paper that the item needs is not there.
        """
        from golive import rehearsing

        if item not in self._vouched:
            context = self.context()
            rehearsing.rehearse(context, item)
            card = context.cards[item][0]
            papers = context.digests(card.papers)
            self._vouched[item] = context.reloaded().statements.vouched(item, papers)
        return self._vouched[item]

    def exempted(self, item: str) -> Exempted:
        """Whether two people have declared an item not applicable, by now.

        :raises ProbeError: there is no roster.
        """
        from golive import rehearsing
        from golive.people.statements import Exempted

        rehearsing.rehearse_exemption(self.context(), item)
        exemption, causes = self.context().reloaded().statements.exemption(item)
        if exemption is None or exemption.kind != "not-applicable":
            return Exempted(False, "; ".join(causes) or "nobody has signed that")
        first, second = exemption.first.statement, exemption.second.statement
        until = f"until {exemption.until:%Y-%m-%d}"
        return Exempted(True, f"{first.by} and {second.by}, {until}: {first.text}")

    def vouch(self, node: pytest.Item, failed: bool, broken: bool = False) -> None:
        """After the check of an attested item: that people have stated it.

        :param failed: the check is red, so that the statements are only noted beside it.
        :param broken: it is for a claim that is broken: then what is still to be stated is told
            beside that.
        :raises Pending: a statement is missing or does not hold.
        :raises ProbeError: there is no roster.
        """
        card = card_on(node)
        if card.way != "attested":
            return
        vouched = self.vouched(card.id)
        if failed:
            for signed in vouched.valid:
                s = signed.statement
                said = f"{s.by} stated it on {s.made_at:%Y-%m-%d}"
                note = holds("a statement that the check contradicts", True, said, "none")
                bool(note)
            if broken:
                try:
                    vouched.claims()
                except Pending as e:
                    bool(holds("what people have to state", False, str(e), "signed, and holds"))
            return
        for claim in vouched.claims():
            assert claim
        if vouched.card.each and not vouched.asked_everyone:
            raise GoliveError(
                f"{node.nodeid}: is attested by each of a set, but asks for nobody;"
                " expected vouched.by_everyone(...) in it"
            )
