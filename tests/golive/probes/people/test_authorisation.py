"""What a launch authorisation covers, on literal ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from golive.probes.people.authorisation import (
    Authorisation,
    AuthorisedDecision,
    authorised_decision,
)
from golive.verdicts import ProbeError

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


def test_the_decision_that_it_rests_on_is_read_and_none_where_it_names_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "authorisation.json"
    there: Any = SimpleNamespace(tools=SimpleNamespace(authorisation=str(path)))
    said = {
        "environment": "staging",
        "version": "v2.0.0",
        "commit": "c" * 40,
        "artefacts": {},
        "window_begins_at": BEGINS.isoformat(),
        "window_ends_at": ENDS.isoformat(),
    }
    path.write_text(json.dumps(said))
    assert authorised_decision(there) == AuthorisedDecision("")
    path.write_text(json.dumps(said | {"decision_sha256": "d" * 64}))
    assert authorised_decision(there) == AuthorisedDecision("d" * 64)
    path.unlink()
    with pytest.raises(ProbeError, match="launch authorisation"):
        authorised_decision(there)
