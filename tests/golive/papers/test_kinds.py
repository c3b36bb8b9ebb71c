"""What papers of the decision and of launch day say of themselves, on literal ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.papers import kinds

DAY = date(2026, 12, 1)
LAUNCH = date(2026, 12, 7)
PEOPLE = ("tess", "dave")


def runbook(**changes: Any) -> kinds.EmergencyRunbook:
    trigger = kinds.Trigger(
        id="RT.1",
        threshold=5,
        decider="technical_lead",
        command="rollback",
        limit_minutes=15,
        alert="HighErrors",
    )
    questions = [kinds.CheckQuestion(question="?", answer=a) for a in ("tess", "30", "Roll Back")]
    return kinds.EmergencyRunbook(
        triggers=[changed(trigger, **changes)],
        steps=[],
        technical_lead_may_start=True,
        escalation_minutes=[],
        questions=questions,
    )


def test_triggers_that_nobody_can_act_on() -> None:
    assert runbook().without_decider({"technical_lead"}) == []
    assert runbook().without_decider({"qa_lead"}) == ["RT.1: technical_lead"]
    assert runbook().without_command({"rollback": 1}) == []
    assert runbook(command="undo").without_command({"rollback": 1}) == ["RT.1: undo"]
    assert runbook().vague_triggers == []
    assert runbook(limit_minutes=0).vague_triggers == ["RT.1"]
    assert runbook(alert=" ").vague_triggers == ["RT.1"]


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (["tess", "30", "roll back"], 3),
        (["TESS ", 30, "x"], 2),
        (["30", "tess"], 0),
        (["tess"], 1),
        ("tess", 0),
        (None, 0),
    ],
)
def test_right_answers_stand_at_their_place(answers: object, right: int) -> None:
    assert runbook().right_answers(answers) == right


def shift(role: str = "technical_lead", **changes: Any) -> kinds.Shift:
    known = kinds.Shift(role=role, primary="tess", backup="theo", starts="06:00", ends="17:00")
    return changed(known, **changes)


def test_who_has_which_role_and_what_access_it_needs() -> None:
    table = kinds.RoleTable(
        date=LAUNCH,
        shifts=[shift(), shift("devops_lead", primary="dave", backup="dave"), shift(backup="")],
        access={"technical_lead": ["deploy"], "devops_lead": ["deploy", "database"]},
    )
    assert table.without_backup == ["devops_lead from 06:00", "technical_lead from 06:00"]
    assert table.primaries("technical_lead") == {"tess"}
    assert table.backups("technical_lead") == {"theo", ""}
    assert "devops_lead: dave" in table.assignments
    assert table.kinds_of_access(["technical_lead", "qa_lead"]) == {"deploy"}
    needed = {"tess: deploy", "theo: deploy", "dave: deploy", "dave: database"}
    assert table.needed_access >= needed


def risk(ident: str = "R-1", **changes: Any) -> kinds.Risk:
    known = kinds.Risk(
        id=ident,
        title="it breaks",
        area="db",
        likelihood="low",
        impact="high",
        score="high",
        owner="tess",
        mitigation="fix it",
        mitigated_by=date(2026, 12, 6),
        trigger="an alert",
        scored_on=DAY,
        review_on=DAY,
        decision="reduce",
        decided_by="dave",
        covers=["#8"],
    )
    return changed(known, **changes)


def register(*risks: kinds.Risk, **closed: str) -> kinds.RiskRegister:
    return kinds.RiskRegister(changed_on=DAY, risks=list(risks), closed=closed)


def test_a_register_in_order_has_no_offenders() -> None:
    one = register(risk())
    assert [r.id for r in one.high] == ["R-1"]
    assert one.scores == {"R-1": "high"}
    assert one.stopping == one.undecided(PEOPLE) == one.unowned(PEOPLE) == one.vague(PEOPLE) == []
    assert one.overdue(DAY) == one.uncovered(["#8"]) == one.unmitigated(LAUNCH) == []


def test_risks_that_offend_are_named_with_what_is_wrong() -> None:
    assert register(risk(decision="stop")).stopping == ["R-1"]
    assert register(risk(decision="")).undecided(PEOPLE) == ["R-1 (no decision, dave)"]
    assert register(risk(decided_by="")).undecided(PEOPLE) == ["R-1 (reduce, nobody)"]
    assert register(risk(score="low", decision="")).undecided(PEOPLE) == []
    assert register(risk(owner="x")).unowned(PEOPLE) == ["R-1: x"]
    for change in ({"owner": "x"}, {"title": " "}, {"mitigation": ""}, {"trigger": " "}):
        assert register(risk(**change)).vague(PEOPLE) == ["R-1"]
    assert register(risk(review_on=date(2026, 11, 30))).overdue(DAY) == ["R-1: 2026-11-30"]
    assert register(risk()).uncovered(["#8", "D-14.1.1"]) == ["D-14.1.1"]
    assert register(risk(mitigated_by=LAUNCH)).unmitigated(LAUNCH) == ["R-1"]
    assert register(risk(mitigated_by=None)).unmitigated(LAUNCH) == ["R-1"]
    assert register(risk(score="low", mitigated_by=None)).unmitigated(LAUNCH) == []


def test_a_risk_is_dropped_where_nothing_says_why() -> None:
    before = register(risk("R-1"), risk("R-2"))
    assert register(risk("R-1"), risk("R-2")).dropped_since(before) == []
    assert register(risk("R-1")).dropped_since(before) == ["R-2"]
    assert register(risk("R-1"), **{"R-2": " "}).dropped_since(before) == ["R-2"]
    assert register(risk("R-1"), **{"R-2": "it is over"}).dropped_since(before) == []


def known(**changes: Any) -> kinds.KnownIssues:
    one = kinds.KnownIssue(
        number=8, severity="low", impact="slow", workaround="wait", owner="tess", due=DAY
    )
    return kinds.KnownIssues(issues=[changed(one, **changes)])


def test_known_issues_that_are_too_much_or_say_too_little() -> None:
    assert known().above_medium({"#8": "medium"}) == []
    assert known(severity="high").above_medium({"#8": "low"}) == ["#8 (high, in the tracker low)"]
    assert known().above_medium({"#8": "high"}) == ["#8 (low, in the tracker high)"]
    assert known().vague(PEOPLE) == []
    assert known(impact=" ").vague(PEOPLE) == known(owner="x").vague(PEOPLE) == ["#8"]
    assert known().with_workaround == {8}
    assert known(workaround=" ").with_workaround == set()


def test_limits_that_differ_from_the_criteria() -> None:
    metrics = [kinds.Metric(id="KB.1", limit=100, owner="product_manager")]
    criteria = kinds.Criteria(metrics=metrics, criteria=[])
    assert criteria.differing({"KB.1": 100.0}) == []
    assert criteria.differing({"KB.1": 99.5, "KB.2": 3}) == ["KB.1: 99.5", "KB.2: 3"]


def test_who_was_briefed_in_time() -> None:
    briefing = kinds.Briefing(
        audience="technical",
        held_on=date(2026, 11, 28),
        attendees=["tess", "dave"],
        briefed_alone={"dave": date(2026, 11, 27), "theo": date(2026, 12, 2)},
    )
    assert briefing.told_within(3, DAY) == {"tess"}


def test_a_log_without_questions_says_so() -> None:
    question = kinds.Question(question="?", answer="!", answered_by="tess")
    assert kinds.QuestionLog(audience="support").is_empty
    assert not kinds.QuestionLog(audience="support", none_raised=True).is_empty
    assert not kinds.QuestionLog(audience="support", questions=[question]).is_empty


def test_risks_weighed_in_part() -> None:
    whole = kinds.WeighedRisk(id="R-1", cost="c", benefit="b", net="n")
    risks = [whole, changed(whole, id="R-2", net="")]
    assert kinds.RiskBenefit(
        register_sha256="0" * 64, risks=risks, week_of_delay="$1"
    ).weighed_in_part == ["R-2"]


def test_what_scenarios_name() -> None:
    abort = kinds.Scenario(
        id="abort-phase-1",
        trigger="t",
        decider="technical_lead",
        limit_minutes=30,
        commands=["rollback"],
        flags=["b", "a"],
    )
    delay = changed(abort, id="delay", decider="cook", limit_minutes=90, flags=["a"])
    paper = kinds.Scenarios(scenarios=[abort, delay])
    assert paper.without_decider({"technical_lead"}) == ["delay: cook"]
    assert paper.abort_minutes == {"abort-phase-1": 30}
    assert paper.commands == {"rollback"}
    assert paper.flags == ["a", "b"]


def test_what_the_meeting_decided_of_risks() -> None:
    done = kinds.Decision(id="R-1", decision="mitigate", owner="tess", done_by=date(2026, 12, 6))
    decided = [
        done,
        changed(done, id="R-2", decision="stop"),
        changed(done, id="R-3", owner="x"),
        changed(done, id="R-4", done_by=LAUNCH),
        changed(done, id="R-5", done_by=None),
    ]
    meeting = kinds.GoNoGo(
        held_at=datetime(2026, 12, 6, 20, tzinfo=UTC),
        decision="go",
        reasons="r",
        conditions=[],
        commit="",
        register_sha256="",
        risks=decided,
    )
    assert meeting.stopping == ["R-2"]
    late = ["R-3: x, 2026-12-06", "R-4: tess, 2026-12-07", "R-5: tess, None"]
    assert meeting.late_mitigations(PEOPLE, LAUNCH) == late


def test_shifts_beyond_somebodys_hours_are_named() -> None:
    shift = kinds.Shift(
        role="qa_lead", primary="quinn", backup="theo", starts="06:00", ends="17:00"
    )
    table = kinds.RoleTable(date=DAY, shifts=[shift])
    whole = {"quinn": "06:00-17:00", "theo": "05:30 to 18:00"}
    assert table.beyond(whole) == []
    assert table.beyond({"quinn": "06:00-17:00"}) == [], "theo has not spoken yet"
    for hours in ("06:00-12:00", "07:00-17:00", "", "all day"):
        [said] = table.beyond(whole | {"theo": hours})
        assert said.startswith("theo (qa_lead from 06:00 to 17:00, available ")


def test_two_primaries_of_a_role_at_once() -> None:
    day = date(2026, 12, 7)
    first, second = shift(primary="a", ends="12:00"), shift(primary="b", starts="12:00")
    assert kinds.RoleTable(date=day, shifts=[first, second]).contested == []
    both = kinds.RoleTable(date=day, shifts=[first, shift(primary="b", starts="11:00")])
    assert both.contested == ["technical_lead: a and b at 11:00"]


def test_what_ids_begin_with_covers_them() -> None:
    held = register(risk(covers=["D-1", "#1", "D-13.1.2"]))
    open_ = ["D-1.2.3", "D-13.1.2", "D-13.1.20", "#1", "#12", "D-14.1.1"]
    assert held.uncovered(open_) == ["D-13.1.20", "#12", "D-14.1.1"]
    assert register(risk(covers=[])).uncovered(["#1"]) == ["#1"]


def test_the_hours_of_a_timeline() -> None:
    slots = [
        kinds.Slot(block=b, starts=s, ends=e, owner="technical_lead")
        for b, s, e in (("phase_4", "12:30", "13:00"), ("launch_1600", "16:00", "18:00"))
    ]
    day = kinds.LaunchTimeline(date=date(2026, 12, 7), utc_offset="-05:00", slots=slots)
    assert day.hours_from("phase_4") == "12:30 to 18:00"
    assert day.hours_from("phase_3") == ""
    assert day.minutes_left(["phase_4", "phase_3"], "17:00") == {"phase_4": 240.0, "phase_3": 0.0}
    assert day.minutes_left(["phase_4"], "19:00") == {"phase_4": 300.0}


def test_scenarios_that_say_too_little() -> None:
    def planned(ident: str, **changes: Any) -> kinds.Scenario:
        known: dict[str, Any] = {"trigger": "t", "decider": "d", "limit_minutes": 30}
        return kinds.Scenario(id=ident, **(known | changes))

    paper = kinds.Scenarios(
        scenarios=[
            planned("delay", limit_minutes=0),
            planned("abort-phase-1"),
            planned("abort-phase-1", commands=["stop"]),
            planned("full-rollback"),
        ]
    )
    assert paper.endless == ["delay"]
    assert paper.idle == ["abort-phase-1", "full-rollback"]
    assert paper.repeated == ["abort-phase-1"]


def test_the_last_day_of_a_briefing() -> None:
    held = kinds.Briefing(audience="support", held_on=date(2026, 12, 3), attendees=["amy"])
    assert held.last_day == date(2026, 12, 3)
    alone = changed(held, briefed_alone={"mina": date(2026, 12, 4)})
    assert alone.last_day == date(2026, 12, 4)
