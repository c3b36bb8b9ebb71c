"""What a launch authorisation covers, on literal ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from golive.probes.people.authorisation import Authorisation

BEGINS = datetime(2026, 12, 7, 14, tzinfo=UTC)
ENDS = BEGINS + timedelta(hours=4)
ONE = Authorisation(
    environment="staging",
    version="v2.0.0",
    commit="c" * 40,
    artefacts={"backend": "a", "frontend": "b"},
    window_begins_at=BEGINS,
    window_ends_at=ENDS,
    signature_cause="",
    refusal_with="",
    refusals={},
)


def test_its_window_is_open_all_the_time_or_not_at_all() -> None:
    moment = timedelta(seconds=1)
    assert ONE.covers(BEGINS, ENDS)
    assert not ONE.covers(BEGINS - moment, ENDS)
    assert not ONE.covers(BEGINS, ENDS + moment)
    assert ONE.window(ZoneInfo("America/New_York")) == "2026-12-07 09:00 to 2026-12-07 13:00"


def test_artefacts_that_are_not_just_the_authorised_ones_differ() -> None:
    assert ONE.differing({"backend": "a", "frontend": "b"}) == []
    assert ONE.differing({"backend": "a", "frontend": "x"}) == ["frontend"]
    assert ONE.differing({"backend": "a"}) == ["frontend"]
    assert ONE.differing({"backend": "a", "frontend": "b", "worker": "c"}) == ["worker"]
