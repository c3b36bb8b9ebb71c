"""The rehearsal's papers of the last weeks are consistent, and each fault of them breaks the claims
of the clauses that name it: tried with nothing running, beside the campaign."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rehearsal import faults
from tests.campaign import clauses
from tests.checks import SUITES
from tests.suites.written import CARDS, Written, quiet
from tests.unwritten import resting_on_unwritten

MINE = ("D-7.", "D-6.", "D-5.", "D-3.", "D-2.")
ITEMS = sorted(i for i, (card, _) in CARDS.items() if card.way == "attested" and i.startswith(MINE))
PLACES = ("papers/", "statements/", "roster/", "messages/calendar", "saas-stubs/tracker")
KNOWN = clauses.known()
ALL = clauses.load(KNOWN)
CLAUSES = [c for c in ALL if c.item in ITEMS]
FAULTS = {**faults.all_faults(), **faults.waiting()}
TRIED = sorted(
    {
        name
        for c in CLAUSES
        for name in c.faults
        if all(place.startswith(PLACES) for place in FAULTS[name].touches)
    }
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("written"))


@pytest.fixture(autouse=True)
def nothing_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet(monkeypatch)


@pytest.mark.parametrize("ident", ITEMS)
def test_the_untouched_rehearsal_is_green(world: Written, ident: str) -> None:
    assert world.judge(ident) == ([], "")


@pytest.mark.parametrize("name", TRIED)
def test_a_fault_shows_the_clauses_that_name_it(world: Written, name: str) -> None:
    fault = FAULTS[name]
    named = [c for c in CLAUSES if name in c.faults]
    if any("changed since" in c.tells or "signed for" in c.claim for c in named):
        for item in dict.fromkeys(c.item for c in named):
            world.judge(item)  # it is about what was signed before
        world.ahead += timedelta(seconds=1)  # statements of one second have no order
    fault.breaks(world.r)
    try:
        for clause in named:
            broken, said = world.judge(clause.item)
            assert clause.shown(broken, said), f"{clause.item}: {clause.text}: {broken} {said}"
    finally:
        assert fault.restores is not None
        fault.restores(world.r)
        world.forget()  # within a second the same would be signed again under the same name
    for item in dict.fromkeys(c.item for c in named):
        assert world.judge(item) == ([], "")


RESTING = sorted(resting_on_unwritten(SUITES) & {c.item for c in ALL if c.faults})
ADDED = sorted({(name, c.item) for c in ALL if c.item in RESTING for name in c.faults})


@pytest.mark.parametrize(("name", "ident"), [a for a in ADDED if a[1].startswith(MINE)])
def test_a_fault_adds_its_claims_to_an_item_that_is_red_anyway(
    world: Written, name: str, ident: str
) -> None:
    fault, before = FAULTS[name], world.derive(ident)
    fault.breaks(world.r)
    try:
        new = {subject for subject, _ in world.derive(ident) - before}
        for clause in (c for c in ALL if c.item == ident and name in c.faults):
            assert clause.shown(new, ""), f"{clause.text}: {sorted(new)}"
    finally:
        assert fault.restores is not None
        fault.restores(world.r)
        world.forget()
    assert {subject for subject, _ in world.derive(ident)} == {subject for subject, _ in before}
