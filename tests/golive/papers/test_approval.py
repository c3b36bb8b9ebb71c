"""What papers that are approved say of themselves, on literal ones."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from golive.papers import approval

DAY = date(2026, 12, 1)
PEOPLE = ("tess", "elena")


def test_counts_that_differ_from_the_record() -> None:
    point = approval.ActionPoint(text="launch", owner="elena", due=DAY)
    minutes = approval.ExecutivePresentation(
        ended_at=datetime(2026, 12, 1, 1, 30, tzinfo=UTC),
        attendees=[],
        slides="slides.pdf",
        slides_sha256="a" * 64,
        counted_at=datetime(2026, 12, 1, tzinfo=UTC),
        counts={"PASS": 400, "FAIL": 1, "STALE": 0},
        decisions=[point],
        open_questions=[point, point],
    )
    assert minutes.miscounted({"PASS": 400, "FAIL": 1, "PENDING": 3}) == []
    assert minutes.miscounted({"PASS": 399}) == ["PASS: 400, on record 399", "FAIL: 1, on record 0"]
    assert len(minutes.action_points) == 3
    assert (minutes.days_ago(DAY), minutes.counted_h_before) == (0, 1.5)


def test_what_nobody_owns_or_decided() -> None:
    point = approval.ActionPoint(text="launch", owner="gloria", due=DAY)
    major = approval.Finding(id="A-1", severity="major", title="hole", owner="tess", open=True)
    minor = approval.Finding(id="A-2", severity="minor", title="dent", owner="x", open=True)
    assert approval.unowned([point, major, minor], PEOPLE) == ["launch (gloria)", "dent (x)"]
    single = [
        approval.SinglePoint(component=name, decision=decision, decided_by=by)
        for name, decision, by in (("a", "d", "tess"), ("b", " ", "tess"), ("c", "d", "x"))
    ]
    document = approval.Architecture(
        version="v2.0.0", components=[], single_points=single, findings=[major, minor]
    )
    assert document.undecided(PEOPLE) == ["b", "c"]
    kinds = {"a": "pooler", "d": "cache", "e": "cache", "f": "balancer"}
    seen = [approval.Component(name=n, kind=k) for n, k in kinds.items()]
    document = msgspec.structs.replace(document, components=seen)
    assert document.undecided(PEOPLE) == ["b", "c", "f"], "the only one of its kind is one, too"
    assert document.open_major_findings == ["hole"]


def test_how_far_a_baseline_is_from_what_was_sold() -> None:
    case = approval.BusinessCase(
        written_on=DAY,
        currency="USD",
        baseline_week=DAY,
        baseline_bookings=990,
        baseline_revenue_cents=5_100,
        baseline_cost_cents=1,
        goals={},
        objectives=[],
        revenue_positive="r",
    )
    assert case.off_percent(1_000, 5_000) == {"bookings": 1.0, "revenue": 2.0}


def test_conditions_that_are_open() -> None:
    conditions = [
        approval.Condition(text=text, owner="tess", open=is_open)
        for text, is_open in (("a deputy", False), ("a fix", True))
    ]
    paper = approval.FinalApproval(
        version="v2.0.0", commit="c" * 40, scope=[], documents={}, conditions=conditions
    )
    assert paper.open_conditions == ["a fix"]
