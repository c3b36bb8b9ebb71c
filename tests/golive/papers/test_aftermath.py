"""What papers of the launch's evening say of themselves, on literal ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec.structs import replace as changed

from golive.papers import aftermath

AT = datetime(2026, 12, 7, 16, tzinfo=UTC)


def result(ident: str, **changes: Any) -> aftermath.ObjectiveResult:
    known = aftermath.ObjectiveResult(id=ident, result="met", value=84.3, reason="r")
    return changed(known, **changes)


def test_results_other_than_measured() -> None:
    results = [result("O-1"), result("O-2", value=80), result("O-1", result="missed")]
    paper = aftermath.ObjectiveEvaluation(evaluated_at=AT, results=results)
    metric_of = {"O-1": "KB.2", "O-2": "KB.3"}
    assert paper.judged_twice == ["O-1"]
    assert paper.misquoted(metric_of, {"KB.2": 84.3, "KB.3": 80}) == []
    wrong = paper.misquoted(metric_of, {"KB.2": 84.3})
    assert wrong == ["O-2: 80, measured never (KB.3)"]
    assert paper.called_met(metric_of, ["KB.2"]) == ["O-1"]
    assert paper.called_met(metric_of, []) == []


def test_lessons_that_say_too_little() -> None:
    whole = aftermath.Lesson(about="phase_1", lesson="l", cause="c", action="a", owner="a", issue=7)
    lessons = [whole, changed(whole, about="#17", cause=" ", owner="x", issue=8)]
    paper = aftermath.LessonsLearned(written_on=date(2026, 12, 7), lessons=lessons)
    assert paper.without_lesson(["phase_2", "#17", "phase_1"]) == ["phase_2"]
    assert paper.vague == ["#17"]
    assert paper.unowned(["a"]) == ["#17: x"]
    assert paper.untracked({7}) == ["#17: #8"]


def test_feedback_that_is_empty_or_copied() -> None:
    concern = aftermath.Concern(text="slow", grade="high", issue=7)
    one = aftermath.Feedback(
        person="a",
        role="r",
        given_at=AT,
        went_well="All of it",
        to_change="nothing",
        concerns=[concern, changed(concern, issue=None), changed(concern, grade="low", issue=None)],
    )
    others = [changed(one, person="b", went_well="all  OF it"), changed(one, person="c", role="x")]
    assert aftermath.empty_or_copied([one]) == []
    assert aftermath.empty_or_copied([one, others[0]]) == ["a", "b"]
    empty = changed(one, person="d", went_well=" ", to_change="")
    assert aftermath.empty_or_copied([one, empty]) == ["d"]
    assert one.untracked({7}) == ["a: slow"]
    assert one.untracked(set()) == ["a: slow", "a: slow"]


def test_who_is_on_in_the_first_days() -> None:
    shifts = [
        aftermath.SupportShift(starts=AT + timedelta(days=n), ends=AT, agents=[name])
        for n, name in enumerate(("amy", "mina", "joel"))
    ]
    paper = aftermath.SupportShifts(shifts=shifts)
    assert paper.agents_on([AT.date(), date(2026, 12, 8)]) == {"amy", "mina"}
