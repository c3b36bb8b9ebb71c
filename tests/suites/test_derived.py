"""What every item that follows from others has in common, on literal verdicts: whole it holds, with
a fault it does not.

What no check judges yet keeps an item red; with everything else in order it is red for that
alone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from golive.deliverables import NOBODY_LOOKED, NOBODY_WROTE, NOT_GREEN, NOT_JUDGED, documents_of
from golive.reports.documents import read_document
from golive.verdicts import Verdict
from tests.suites.derived import ABOUT_RED, PROCEDURE, SIGNED_BY_TWO, UNSIGNED, World, derived

every = pytest.mark.parametrize("ident", sorted(set(derived()) - {"D-2.D.2"}))


@every
def test_with_everything_in_order_it_holds_and_the_right_roles_signed(
    world: World, ident: str
) -> None:
    world.in_order(ident)
    world.documents(ident)
    claims = world.claims(ident)
    broken = [repr(c) for c in claims if not c.holds and c.subject != NOT_JUDGED]
    assert broken == []
    path = documents_of(world.context)[ident]
    document = read_document(path)
    owner = [] if ident in UNSIGNED else [PROCEDURE.items[ident].owner_mark]
    assert [s.role for s in document.signers] == SIGNED_BY_TWO.get(ident, owner)
    assert len(list(path.parent.glob(f"{path.name}*.sig"))) == len(document.signers)


@every
def test_without_one_of_its_verdicts_it_is_red(world: World, ident: str) -> None:
    *others, last = world.rests_on(ident)
    world.run(dict.fromkeys(others, Verdict.PASS))
    world.attest_all(others)
    if others:
        assert world.broken(ident) == NOBODY_LOOKED
    del world.context.cards[last]
    (claim,) = [c for c in world.claims(ident) if not c.holds]
    assert (claim.subject, claim.observed) == (NOBODY_WROTE, last)


@every
def test_with_a_red_verdict_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident, but={world.rests_on(ident)[-1]: Verdict.FAIL})
    expected = "red or waived items without just one issue" if ident in ABOUT_RED else NOT_GREEN
    assert world.broken(ident) == expected


@every
def test_with_a_verdict_that_is_too_old_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.run({world.rests_on(ident)[-1]: Verdict.PASS}, age=timedelta(days=100))
    assert world.broken(ident) == "age of its verdicts"


@every
def test_with_a_verdict_on_another_candidate_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.run({world.rests_on(ident)[-1]: Verdict.PASS}, candidate="v1.9.0")
    assert world.broken(ident) == "verdicts on another candidate"


@pytest.mark.parametrize("ident", sorted(set(derived()) - UNSIGNED))
def test_with_a_page_that_was_altered_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.documents(ident)
    world.claims(ident)
    path = documents_of(world.context)[ident]
    path.write_text(path.read_text().replace("23.4 ms", "13.4 ms"))
    assert world.broken(ident) == "figures that differ from the ledger"


@pytest.mark.parametrize(
    ("ident", "stated", "days"),
    [("D-5.D.1", "D-5.1.1", 4), ("D-7.D.3", "D-7.4.1", 6), ("D-8.D.3", "D-8.3.5", 14)],
)
def test_statements_hold_as_long_as_the_launch_needs_them(
    world: World, ident: str, stated: str, days: int
) -> None:
    found = world.rests_on(ident)
    world.run(dict.fromkeys(found, Verdict.PASS))
    for one in found:
        if PROCEDURE.items[one].way == "attested":
            world.attest(one, holds=timedelta(days=days) if one == stated else None)
    assert world.broken(ident).startswith("statements that end before")
