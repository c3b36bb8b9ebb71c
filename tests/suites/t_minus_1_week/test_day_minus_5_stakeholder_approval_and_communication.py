"""Day -5: reviews, approvals and documents, on literal papers: each clause holds, its fault breaks
it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import readiness
from golive.papers import approval, kinds
from golive.probes.money import sales
from golive.probes.observe.components import Component
from golive.probes.people.calendar import Attendee
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.saas.tracker import Fixes
from golive.probes.transport.answers import Answers
from golive.verdicts import Pending, Verdict
from tests.suites.attested import (
    AT,
    DIGESTS,
    PEOPLE,
    RIGHT,
    Context,
    Said,
    Shelf,
    days,
    judge,
    register,
    signed,
)
from tests.suites.derived import World, message, plan, role_table


def test_the_final_approval_is_the_last_statement(world: World) -> None:
    found = world.rests_on("D-5.D.1")
    world.run(dict.fromkeys(found, Verdict.PASS))
    for ident in found:
        early = timedelta(hours=-2 if ident == "D-5.1.5" else -1)
        world.attest(ident, made=early)
    assert world.broken("D-5.D.1") == "statements on D-5.1.5 before one of the others"


def test_the_tag_still_names_the_release_that_was_approved(world: World) -> None:
    world.in_order("D-5.D.1")
    world.attest("D-5.1.5", made=timedelta(seconds=1))
    assert world.broken("D-5.D.1") == ""
    moved = Fixes("v2.0.0", "ab" * 20, (), ())
    assert world.broken("D-5.D.1", fixes=moved) == "commit of v2.0.0"


def test_each_role_is_the_same_person_everywhere(world: World) -> None:
    world.in_order("D-5.D.3")
    assert world.broken("D-5.D.3") == ""
    world.write(role_table(qa_lead="finance"))
    assert world.broken("D-5.D.3") == "who has which role by the role table"
    world.write(role_table())
    away = world.calendar(but="War room", attendees=(Attendee("qa_lead@example.com", ""),))
    reported = "people of the role table who are not in the calendar"
    assert world.broken("D-5.D.3", launch_calendar=away) == reported
    gone = next(world.context.statements.folder.glob("*Z-D-5.3.4-*"))
    shutil.move(gone, gone.parent.parent / "away")
    assert world.broken("D-5.D.3") == "people of the role table who do not know the runbook"


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"owner": "gloria"}, "messages without an owner on the roster"),
        ({"send_at": datetime(2026, 12, 6, 21, tzinfo=UTC)}, "messages before the go/no-go"),
        (
            {"send_at": datetime(2026, 12, 7, 16, tzinfo=UTC)},
            "messages not from 12:30 to 17:00 of 2026-12-07",
        ),
        ({"recipients": 0}, "messages to nobody"),
        ({"no_go_text": " "}, "messages without a text for a no-go"),
    ],
)
def test_each_planned_message_can_go_either_way(
    world: World, changes: dict[str, Any], reported: str
) -> None:
    world.in_order("D-5.D.2")
    assert world.broken("D-5.D.2") == ""
    others = [message(f"M-{n}") for n in range(3)]
    if changes.get("no_go_text") != " ":  # a blank one is no paper of its kind yet
        world.write(plan(*others, message("M-3", **changes)))
        assert world.broken("D-5.D.2") == reported
    world.write(plan(*others))
    assert world.broken("D-5.D.2") == "planned messages"


@pytest.mark.parametrize(
    ("risks", "broken"),
    [
        (register(), ""),
        (register(9), "risks"),
        (register(decision=""), "high risks that nobody decided on"),
        (register(decided_by="nobody"), "high risks that nobody decided on"),
        (register(score="low", decision=""), ""),
        (register(decision="stop"), "risks that stop the launch"),
    ],
)
def test_high_risks_are_decided(risks: kinds.RiskRegister, broken: str) -> None:
    assert judge("D-5.1.4", papers=Shelf(risks)) == broken


def test_the_risks_that_were_reviewed_are_those_that_the_qa_lead_signed() -> None:
    asked = []

    def other(item: str, _: Any) -> list[str]:
        asked.append(item)
        return ["a" * 64]

    found = judge("D-5.1.4", papers=Shelf(register()), context=Context(signed_otherwise=other))
    assert (found, asked) == ("register signed for D-6.3.4", ["D-6.3.4"])


@pytest.mark.parametrize(("days_ago", "held"), [(3, True), (5, False)])
def test_the_risks_were_reviewed_after_their_last_change(days_ago: float, held: bool) -> None:
    said = Said(signed("elena", 24 * days_ago))
    broken = judge("D-5.1.4", papers=Shelf(register(ago=3)), vouched=said)
    assert broken == ("" if held else "signatures older than what they are about")


HELD = AT - timedelta(days=7)
COUNTED = HELD - timedelta(hours=24)


def minutes(**changes: Any) -> approval.ExecutivePresentation:
    known = approval.ExecutivePresentation(
        ended_at=HELD,
        attendees=["paul", "elena"],
        slides="slides.pdf",
        slides_sha256="a" * 64,
        counted_at=COUNTED,
        counts={"PASS": 400, "FAIL": 1, "UNKNOWN": 0, "PENDING": 2},
        decisions=[approval.ActionPoint(text="launch", owner="elena", due=days(6))],
    )
    return changed(known, **changes)


LOST = approval.ActionPoint(text="who", owner="somebody", due=days(6))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"ended_at": HELD - timedelta(days=1)}, "days since the presentation"),
        ({"ended_at": AT + timedelta(days=1)}, "days since the presentation"),
        (
            {"ended_at": HELD + timedelta(hours=1)},
            "from the counts to the end of the presentation",
        ),
        ({"attendees": ["paul", "elena", "x"]}, "attendees not on the roster"),
        ({"attendees": ["paul"]}, "executives who attended"),
        ({"slides_sha256": "e" * 64}, "digest of slides.pdf"),
        ({"counts": {"PASS": 400}}, "states that were not counted"),
        (
            {"counts": {"PASS": 401, "FAIL": 0, "UNKNOWN": 0, "PENDING": 2}},
            "counts that differ from the record",
        ),
        (
            {"counts": {"PASS": 400, "FAIL": 1, "UNKNOWN": 0, "PENDING": 2, "STALE": 3}},
            "counts that differ from the record",
        ),
        ({"decisions": []}, "decisions in the minutes"),
        ({"decisions": [LOST]}, "decisions and questions without an owner on the roster"),
        ({"open_questions": [LOST]}, "decisions and questions without an owner on the roster"),
    ],
)
def test_executives_saw_the_slides(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], broken: str
) -> None:
    at_that_time = {COUNTED: {"PASS": 400, "FAIL": 1, "PENDING": 2, "NOT LOOKED AT": 76}}
    monkeypatch.setattr(readiness, "counts", lambda _, moment: at_that_time[moment])
    assert judge("D-5.1.1", papers=Shelf(minutes(**changes))) == broken


@pytest.mark.parametrize(
    ("hours_after", "broken"), [(-1, "signatures older than what they are about"), (0, ""), (1, "")]
)
def test_minutes_are_signed_once_the_presentation_is_over(
    monkeypatch: pytest.MonkeyPatch, hours_after: float, broken: str
) -> None:
    monkeypatch.setattr(readiness, "counts", lambda _, __: minutes().counts)
    said = Said(signed("paul", 7 * 24 - hours_after))
    assert judge("D-5.1.1", papers=Shelf(minutes()), vouched=said) == broken


@pytest.mark.parametrize(("ahead_h", "held"), [(0, True), (25, False), (-1, False)])
def test_the_counts_are_those_of_the_presentations_day(
    monkeypatch: pytest.MonkeyPatch, ahead_h: float, held: bool
) -> None:
    monkeypatch.setattr(readiness, "counts", lambda _, __: minutes().counts)
    shown = minutes(counted_at=HELD - timedelta(hours=ahead_h))
    reported = "" if held else "from the counts to the end of the presentation"
    assert judge("D-5.1.1", papers=Shelf(shown)) == reported


RUNS = [f"part-{n}" for n in range(10)]


def found(severity: Any = "major", owner: str = "tess", open_: bool = False) -> approval.Finding:
    return approval.Finding(id="A-1", severity=severity, title="hole", owner=owner, open=open_)


def single(
    component: str = RUNS[0], decision: str = "it is quick to replace", by: str = "tess"
) -> Any:
    return approval.SinglePoint(component=component, decision=decision, decided_by=by)


def part(name: str, kind: str = "database") -> approval.Component:
    return approval.Component(name=name, kind=kind)


PARTS = [part(name) for name in RUNS]


def architecture(names: list[str] = RUNS, **changes: Any) -> approval.Architecture:
    parts = [part(n) for n in names]
    known = approval.Architecture(version="v2.0.0", components=parts, single_points=[])
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("document", "running", "broken"),
    [
        (architecture(), RUNS, ""),
        (architecture(findings=[found(), found("minor", open_=True)]), RUNS, ""),
        (architecture(RUNS[:9]), RUNS[:9], "components that run"),
        (architecture(RUNS[:9]), RUNS, "components in the document"),
        (architecture(), [*RUNS, "part-x"], "components in the document"),
        (architecture([*RUNS, "part-x"]), RUNS, "components in the document"),
        (architecture(version="v1.9.0"), RUNS, "the version it is about"),
        (architecture(single_points=[single()]), RUNS, ""),
        (
            architecture(single_points=[single("part-x")]),
            RUNS,
            "single points of failure that do not run",
        ),
        (
            architecture(single_points=[single(decision=" ")]),
            RUNS,
            "single points of failure that nobody decided on",
        ),
        (
            architecture(single_points=[single(by="x")]),
            RUNS,
            "single points of failure that nobody decided on",
        ),
        (
            architecture(components=[*PARTS[:9], part("part-9", "pooler")]),
            RUNS,
            "single points of failure that nobody decided on",
        ),
        (
            architecture(
                components=[*PARTS[:9], part("part-9", "pooler")],
                single_points=[single("part-9")],
            ),
            RUNS,
            "",
        ),
        (architecture(findings=[found(open_=True)]), RUNS, "open major findings"),
        (
            architecture(findings=[found(owner="x")]),
            RUNS,
            "findings without an owner on the roster",
        ),
    ],
)
def test_the_architecture_is_what_runs(
    document: approval.Architecture, running: list[str], broken: str
) -> None:
    seen = tuple(Component(n, ("monitoring",)) for n in running)
    assert judge("D-5.1.2", papers=Shelf(document), running_components=seen) == broken


GOALS = {"KB.1": 100.0, "KB.2": 80.0, "KB.3": 99.0, "KB.4": 4.5, "KB.5": 0.0}


CRITERIA = kinds.Criteria(
    metrics=[kinds.Metric(id=i, limit=v, owner="product_manager") for i, v in GOALS.items()],
    criteria=[],
)


@pytest.mark.parametrize(
    ("changes", "sold", "broken"),
    [
        ({}, (1000, 5_000_000), ""),
        ({"written_on": days(-15)}, (1000, 5_000_000), "days since it was written"),
        ({"written_on": days(1)}, (1000, 5_000_000), "days since it was written"),
        ({"baseline_cost_cents": 0}, (1000, 5_000_000), "cost of the baseline week"),
        (
            {"revenue_positive": " "},
            (1000, 5_000_000),
            'computation of "revenue positive"',
        ),
        ({}, (0, 0), "bookings of the baseline week"),
        ({}, (1000, 0), "revenue of the baseline week"),
        ({"baseline_bookings": 1010}, (1000, 5_000_000), ""),
        ({"baseline_bookings": 1011}, (1000, 5_000_000), "difference from the database"),
        ({"baseline_revenue_cents": 4_750_000}, (1000, 5_000_000), "difference from the database"),
        ({"goals": {"KB.1": 100.0}}, (1000, 5_000_000), "goals"),
        (
            {"goals": GOALS | {"KB.2": 75.0}},
            (1000, 5_000_000),
            "goals that are not the procedure's",
        ),
        ({"baseline_week": days(-20)}, (1000, 5_000_000), "end of the baseline week"),
        ({"baseline_week": days(-21)}, (1000, 5_000_000), ""),
    ],
)
def test_the_business_case_is_true(
    changes: dict[str, Any], sold: tuple[int, int], broken: str
) -> None:
    week = changes.get("baseline_week", days(-30))
    known = Answers({f"{week}": sales.Sales(*sold)}, {})
    assert judge("D-5.1.3", papers=Shelf(case(**changes), CRITERIA), baseline_sales=known) == broken


def case(**changes: Any) -> approval.BusinessCase:
    known = approval.BusinessCase(
        written_on=days(-14),
        currency="USD",
        baseline_week=days(-30),
        baseline_bookings=1000,
        baseline_revenue_cents=5_000_000,
        baseline_cost_cents=1,
        goals=GOALS,
        objectives=[],
        revenue_positive="fees less refunds",
    )
    return changed(known, **changes)


def test_goals_are_the_criterias_too() -> None:
    other = changed(CRITERIA, metrics=[changed(m, limit=1.0) for m in CRITERIA.metrics])
    known = Answers({f"{days(-30)}": sales.Sales(1000, 5_000_000)}, {})
    broken = judge("D-5.1.3", papers=Shelf(case(), other), baseline_sales=known)
    assert broken == "goals that are not the criteria's"


@pytest.mark.parametrize(("days_ago", "held"), [(14, True), (16, False)])
def test_the_case_is_signed_as_it_was_written(days_ago: float, held: bool) -> None:
    known = Answers({f"{days(-30)}": sales.Sales(1000, 5_000_000)}, {})
    said = Said(signed("elena", 24 * days_ago))
    shelf = Shelf(case(), CRITERIA)
    broken = judge("D-5.1.3", papers=shelf, baseline_sales=known, vouched=said)
    assert broken == ("" if held else "signatures older than what they are about")


MANIFEST = Manifest("v2.0.0", "v1.9.0", "c" * 40, [Artefact("backend", "v2.0.0", "1" * 64)])


READ = {n: DIGESTS[n] for n in ("architecture.md", "business-case.md", "executive-presentation.md")}


def approved(**changes: Any) -> approval.FinalApproval:
    known = approval.FinalApproval(
        version="v2.0.0",
        commit="c" * 40,
        scope=["booking"],
        documents=READ,
        conditions=[approval.Condition(text="a deputy", owner="tess", open=False)],
    )
    return changed(known, **changes)


OPEN = approval.Condition(text="a deputy", owner="tess", open=True)


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"version": "v1.9.0"}, "the version that was approved"),
        ({"commit": "d" * 40}, "the commit that was approved"),
        ({"scope": []}, "entries of the scope"),
        ({"documents": {"architecture.md": "c" * 64}}, "papers that were read"),
        ({"documents": READ | {"architecture.md": "f" * 64}}, "papers that have changed since"),
        ({"conditions": [OPEN]}, "open conditions"),
    ],
)
def test_the_approval_is_about_this_release(changes: dict[str, Any], broken: str) -> None:
    facts = {"release_manifest": MANIFEST, "vouched": Said(signed("elena"))}
    assert judge("D-5.1.5", papers=Shelf(approved(**changes)), **facts) == broken


@pytest.mark.parametrize(
    ("hours_ago", "broken"),
    [(0.5, ""), (1, ""), (2, "approvals before the last review (2026-12-01 11:00:00 UTC)")],
)
def test_the_approval_comes_after_the_reviews(hours_ago: float, broken: str) -> None:
    facts = {"release_manifest": MANIFEST, "vouched": Said(signed("elena", hours_ago))}
    assert judge("D-5.1.5", papers=Shelf(approved()), **facts) == broken


def test_an_approval_holds_through_launch_day() -> None:
    context = Context(ending_early=lambda _, said: [s.statement.by for s in said])
    facts = {"release_manifest": MANIFEST, "vouched": Said(signed("elena")), "context": context}
    found = judge("D-5.1.5", papers=Shelf(approved()), **facts)
    assert found == "approvals that end before launch day is over"


def test_those_who_approve_are_different_people() -> None:
    context = Context()
    context.roster.people["elena"] = changed(context.roster.people["tess"], id="elena")
    said = Said(signed("elena"), signed("tess"))
    facts = {"release_manifest": MANIFEST, "vouched": said, "context": context}
    assert judge("D-5.1.5", papers=Shelf(approved()), **facts) == "approvers who are one person"


def test_the_approval_waits_for_the_reviews() -> None:
    context = Context(vouched=lambda i: Said(*([] if i == "D-5.1.3" else [signed("tess", 1)])))
    facts = {"release_manifest": MANIFEST, "vouched": Said(), "context": context}
    with pytest.raises(Pending, match="not stated yet"):
        judge("D-5.1.5", papers=Shelf(approved()), **facts)


TABLE = kinds.RoleTable(
    date=days(6),
    shifts=[
        kinds.Shift(
            role="technical_lead", primary="tess", backup="quinn", starts="06:00", ends="17:00"
        )
    ],
)


def runbook(questions: int = 5) -> kinds.EmergencyRunbook:
    asked = [kinds.CheckQuestion(question="?", answer=a) for a in RIGHT[:questions]]
    return kinds.EmergencyRunbook(
        triggers=[],
        steps=[],
        technical_lead_may_start=True,
        escalation_minutes=[],
        questions=asked,
    )


def everybody(*others: Any) -> Said:
    theirs = {s.statement.by for s in others}
    return Said(*others, *(signed(p, answers=RIGHT) for p in PEOPLE if p not in theirs))


@pytest.mark.parametrize(
    ("questions", "said", "broken"),
    [
        (5, everybody(), ""),
        (5, everybody(signed("amy", answers=["TESS ", 30, "roll back", "v1.9.0", "?"])), ""),
        (
            5,
            everybody(signed("amy", answers=["x", "x", *RIGHT[2:]])),
            "questions answered right",
        ),
        (5, everybody(signed("amy", answers=RIGHT[1:])), "questions answered right"),
        (5, everybody(signed("amy")), "questions answered right"),
        (5, everybody(signed("amy", answers="5")), "questions answered right"),
        (4, everybody(), "check questions"),
    ],
)
def test_everybody_knows_the_runbook(questions: int, said: Said, broken: str) -> None:
    assert judge("D-5.3.4", papers=Shelf(runbook(questions), TABLE), vouched=said) == broken


@pytest.mark.parametrize("person", ["mina", "tess", "hugo"])
def test_one_who_has_not_acknowledged_the_runbook_is_waited_for(person: str) -> None:
    said = Said(*(signed(p, answers=RIGHT) for p in (*PEOPLE, "hugo") if p != person))
    table = changed(TABLE, shifts=[changed(TABLE.shifts[0], backup="hugo")])
    assert judge("D-5.3.4", papers=Shelf(runbook(), TABLE), vouched=everybody()) == ""
    with pytest.raises(Pending):
        judge("D-5.3.4", papers=Shelf(runbook(), table), vouched=said)


def test_the_runbook_is_the_one_that_was_reviewed() -> None:
    asked = Context(signed_otherwise=lambda item, _: ["a" * 64] if item == "D-7.4.3" else [])
    shelf = Shelf(runbook(), TABLE)
    broken = judge("D-5.3.4", papers=shelf, vouched=everybody(), context=asked)
    assert broken == "runbook signed for D-7.4.3"
