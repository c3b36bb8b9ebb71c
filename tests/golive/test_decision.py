"""Votes and the record of the meeting, on literal ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from msgspec.structs import replace as about

from golive import decision
from golive.papers.kinds import GoNoGo
from golive.store import Kept
from tests.suites.votes import says

MEETING = GoNoGo(
    held_at=datetime(2026, 12, 6, 20, tzinfo=UTC),
    decision="go",
    reasons="Every rule holds.",
    conditions=[],
    commit="c" * 40,
    register_sha256="",
    package_sha256="ef" * 32,
    risks=[],
)
UNTIL = date(2026, 12, 8)


def test_contrary_votes_and_those_on_another_package_are_named() -> None:
    votes = {
        f"{s.by} as {s.role}": s
        for s in (
            says("", "tess", 5, decision="go").statement,
            about(says("", "dave", 5, decision="no-go").statement, about="cd" * 32),
            about(says("", "sam", 5, decision="go").statement, about=MEETING.package_sha256),
        )
    }
    assert decision.contrary(MEETING, votes) == ["dave as devops_lead"]
    assert decision.on_another_package(MEETING, votes) == ["dave as devops_lead"]


def test_a_document_is_kept_once_and_locked_long_enough() -> None:
    kept = Kept("s3://x", 1, "COMPLIANCE", datetime(2026, 12, 8, tzinfo=UTC))
    assert all(decision.locked(kept, UNTIL))
    for other in (
        replace(kept, versions=2),
        replace(kept, locked_until=datetime(2026, 12, 7, 23, tzinfo=UTC)),
        replace(kept, lock="", locked_until=None),
    ):
        assert not all(decision.locked(other, UNTIL))
