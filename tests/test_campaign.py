"""What the campaign's baseline excuses, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from golive import ledger
from golive.claims import Claim, holds, none_of
from golive.deliverables import NOBODY_WROTE, NOT_GREEN
from golive.verdicts import Verdict
from tests.campaign.rows import resting_on_unwritten

UNWRITTEN = [f"D-2.1.{n}" for n in range(1, 7)]


def judged(broken: Mapping[str, Claim]) -> dict[str, ledger.ItemVerdict]:
    """Items that fail, each by the claim given."""
    return {
        ident: ledger.ItemVerdict(
            id=ident,
            verdict=Verdict.FAIL,
            started_at=datetime(2026, 12, 1, tzinfo=UTC),
            duration_s=0.1,
            claims=[ledger.Claim(c.subject, c.observed, c.required, c.holds, ids=list(c.ids))],
        )
        for ident, c in broken.items()
    }


def resting(*ids: str) -> Claim:
    told = [f"{i} FAIL" for i in ids]
    return none_of(NOT_GREEN, told, among=9, of="verdicts", ids=ids)


def test_what_rests_on_unwritten_items_alone_is_excused_however_many_they_are() -> None:
    nobody = {i: holds(NOBODY_WROTE, False, "D-2.9.9", "a check of each") for i in UNWRITTEN}
    verdicts = judged({**nobody, "D-2.D.1": resting(*UNWRITTEN)})
    assert set(resting_on_unwritten(verdicts)) == {*UNWRITTEN, "D-2.D.1"}


def test_a_seventh_item_that_fails_by_itself_is_never_excused() -> None:
    """A message shows six members and counts the rest; the seventh was not looked at."""
    nobody = {i: holds(NOBODY_WROTE, False, "D-2.9.9", "a check of each") for i in UNWRITTEN}
    genuine = {"D-2.1.7": holds("lag", False, "31 s", "at most 10 s")}
    verdicts = judged({**nobody, **genuine, "D-2.D.1": resting(*UNWRITTEN, "D-2.1.7")})
    assert set(resting_on_unwritten(verdicts)) == set(UNWRITTEN)


def test_a_claim_that_names_nobody_excuses_nothing() -> None:
    told = holds(NOT_GREEN, False, "D-2.1.1 FAIL", "none")
    verdicts = judged({"D-2.1.1": holds(NOBODY_WROTE, False, "x", "y"), "D-2.D.1": told})
    assert set(resting_on_unwritten(verdicts)) == {"D-2.1.1"}
