"""Attested items of days -8 to -5, on literal papers: each clause holds, its fault breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import launch, procedure, readiness
from golive.papers import aftermath, approval, kinds
from golive.people.roster import Person, Roster
from golive.probes.money import sales
from golive.probes.observe.components import Component
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.transport.answers import Answers
from golive.verdicts import Pending
from tests.checks import broken
from tests.golive.test_findings import issue, issues

SUITES = Path(__file__).parents[2] / "suites"
LAUNCH = launch.load(SUITES / "launch.toml")
PROCEDURE = procedure.load(SUITES / "procedure.toml")
TODAY = date(2026, 12, 1)
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
PEOPLE = {
    "paul": ["product_manager"],
    "quinn": ["qa_lead"],
    "elena": ["executive_team"],
    "tess": ["technical_lead"],
    "amy": ["support_lead", "support"],
    "mina": ["support"],
}
DIGESTS = {
    "slides.pdf": "a" * 64,
    "executive-presentation.md": "b" * 64,
    "architecture.md": "c" * 64,
    "business-case.md": "d" * 64,
}
RUNS = [f"part-{n}" for n in range(10)]
RIGHT = ["tess", "30", "roll back", "v1.9.0", "5"]


def days(count: int) -> date:
    return TODAY + timedelta(count)


def signed(by: str, hours_ago: float = 0, **data: Any) -> Any:
    statement = SimpleNamespace(by=by, data=data, made_at=AT - timedelta(hours=hours_ago))
    return SimpleNamespace(statement=statement, valid=True)


class Said:
    """Stands for what people stated of the item."""

    def __init__(self, *valid: Any) -> None:
        self.valid = self.counted = list(valid)

    def of(self, person: str) -> Any:
        return next((s for s in self.valid if s.statement.by == person), None)

    def claims(self) -> None:
        if not self.valid:
            raise Pending("not stated yet")

    def by_everyone(self, people: list[str], _: str) -> bool:
        if any(self.of(p) is None for p in people):
            raise Pending("somebody has not")
        return True


class Shelf:
    """Stands for the papers: one of each kind."""

    def __init__(self, *papers: Any) -> None:
        self.papers = {type(p): p for p in papers}

    def read(self, kind: Any) -> Any:
        return SimpleNamespace(data=self.papers[kind], sha256="0" * 64)


class Context(SimpleNamespace):
    """Stands for the context on a day of the last week."""

    def __init__(self, **more: Any) -> None:
        people = {
            p: Person(id=p, name=p, email="", phone="", roles=roles) for p, roles in PEOPLE.items()
        }
        super().__init__(
            today=TODAY,
            launch=LAUNCH,
            roster=Roster(Path("roster.toml"), people, {}, ()),
            team=[people[p] for p in ("paul", "quinn", "elena", "tess")],
            statements=SimpleNamespace(exempted=lambda: ["D-14.1.1"]),
            audience=lambda _: ["amy", "mina"],
            vouched=lambda _: Said(signed("tess", 1)),
        )
        vars(self).update(more)

    def anew(self) -> Context:
        return self

    def digests(self, names: tuple[str, ...]) -> dict[str, str]:
        return {n: DIGESTS[n] for n in names}

    def ids_of(self, block: str) -> list[str]:
        return [i.id for i in PROCEDURE if i.block == block]


def judge(ident: str, **facts: Any) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    return broken(ident, {"context": Context(), "limits": LAUNCH.limits} | facts)


# -- D-8.3.5 ------------------------------------------------------------------------------------


SHIFTS = [
    aftermath.SupportShift(
        starts=datetime(2026, 12, 7, 6, tzinfo=UTC) + timedelta(n),
        ends=datetime(2026, 12, 7, 22, tzinfo=UTC) + timedelta(n),
        agents=["mina"],
    )
    for n in range(8)
]


def trained(agent: str, ago: int = 6, percent: float = 80) -> aftermath.Score:
    return aftermath.Score(agent=agent, finished_on=days(-ago), percent=percent)


BOTH = [trained("amy"), trained("mina")]


@pytest.mark.parametrize(
    ("version", "scores", "shifts", "broken"),
    [
        ("v2.0.0", BOTH, SHIFTS, ""),
        ("v1.9.0", BOTH, SHIFTS, "the version trained on"),
        ("v2.0.0", BOTH[:1], SHIFTS, "people who finished the training"),
        ("v2.0.0", [*BOTH, trained("paul")], SHIFTS, "people who finished the training"),
        ("v2.0.0", [BOTH[0], trained("mina", 30)], SHIFTS, ""),
        ("v2.0.0", [BOTH[0], trained("mina", 31)], SHIFTS, "trained over 30 days ago, or not yet"),
        ("v2.0.0", [BOTH[0], trained("mina", -1)], SHIFTS, "trained over 30 days ago, or not yet"),
        ("v2.0.0", [BOTH[0], trained("mina", percent=79)], SHIFTS, "score in the test"),
        ("v2.0.0", BOTH, SHIFTS[:7], "days with a shift"),
        (
            "v2.0.0",
            BOTH,
            [*SHIFTS[:7], changed(SHIFTS[7], agents=["paul"])],
            "shifts without a trained agent",
        ),
    ],
)
def test_support_is_trained(version: str, scores: Any, shifts: Any, broken: str) -> None:
    shelf = Shelf(
        aftermath.TrainingScores(version=version, scores=scores),
        aftermath.SupportShifts(shifts=shifts),
    )
    assert judge("D-8.3.5", papers=shelf) == broken


def test_one_support_agent_is_not_enough() -> None:
    context = Context(audience=lambda _: ["amy"])
    shelf = Shelf(
        aftermath.TrainingScores(version="v2.0.0", scores=BOTH[:1]),
        aftermath.SupportShifts(shifts=SHIFTS),
    )
    assert judge("D-8.3.5", papers=shelf, context=context) == "support agents on the roster"


# -- D-6.3.2 ------------------------------------------------------------------------------------


def entry(**changes: Any) -> kinds.KnownIssue:
    known = kinds.KnownIssue(
        number=8, severity="low", impact="slow", workaround="wait", owner="tess", due=days(3)
    )
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("entries", "more", "broken"),
    [
        ([entry()], [], ""),
        ([], [], "issues in the register"),
        ([entry()], [issue(9)], "issues in the register"),
        ([entry()], [issue(9, milestone="v2.1.0")], ""),
        ([entry(), entry(number=9)], [], "issues in the register"),
        ([entry(severity="high")], [], "issues graver than medium"),
        ([entry(), entry(number=9)], [issue(9, severity="high")], "issues graver than medium"),
        ([entry(owner="nobody")], [], "entries without impact, or an owner on the roster"),
        ([entry(impact=" ")], [], "entries without impact, or an owner on the roster"),
    ],
)
def test_known_issues_are_those_that_stay_open(
    entries: list[kinds.KnownIssue], more: list[Any], broken: str
) -> None:
    register = kinds.KnownIssues(issues=entries)
    assert judge("D-6.3.2", papers=Shelf(register), issues=issues(*more)) == broken


@pytest.mark.parametrize(
    ("nil", "closed", "broken"),
    [
        (True, 20, ""),
        (False, 20, "a register without entries"),
        (True, 19, "closed issues of the milestone"),
    ],
)
def test_no_known_issue_is_said_in_so_many_words(nil: bool, closed: int, broken: str) -> None:
    found = issues()
    found = replace(found, all=tuple(i for i in found.all if not i.is_open)[:closed])
    register = kinds.KnownIssues(issues=[], none_open=nil)
    assert judge("D-6.3.2", papers=Shelf(register), issues=found) == broken


# -- D-6.3.4, D-5.1.4 ---------------------------------------------------------------------------


def risk(number: int = 1, **changes: Any) -> kinds.Risk:
    known = kinds.Risk(
        id=f"R-{number}",
        title="it breaks",
        area="db",
        likelihood="low",
        impact="high",
        score="high" if number == 1 else "low",
        owner="tess",
        mitigation="mend it",
        mitigated_by=days(2),
        trigger="an alert",
        scored_on=TODAY,
        review_on=TODAY,
        decision="reduce",
        decided_by="elena",
        covers=["#8", "D-14.1.1"] if number == 1 else [],
    )
    return changed(known, **changes)


def register(count: int = 10, ago: int = 0, **first: Any) -> kinds.RiskRegister:
    risks = [risk(1, **first), *(risk(n) for n in range(2, count + 1))]
    return kinds.RiskRegister(changed_on=days(-ago), risks=risks)


ROLES = kinds.RoleTable(
    date=LAUNCH.date,
    shifts=[
        kinds.Shift(
            role="technical_lead", primary="tess", backup="quinn", starts="06:00", ends="17:00"
        )
    ],
)
VAGUE = "risks without mitigation, trigger, or an owner in the role table"


@pytest.mark.parametrize(
    ("risks", "broken"),
    [
        (register(), ""),
        (register(9), "risks"),
        (register(ago=3), ""),
        (register(ago=4), "days since the register was changed"),
        (register(owner="elena"), VAGUE),
        (register(mitigation=" "), VAGUE),
        (register(trigger=""), VAGUE),
        (register(review_on=days(-1)), "reviews that are overdue"),
        (register(covers=["D-14.1.1"]), "known issues and waivers without a risk"),
        (register(covers=["#8"]), "known issues and waivers without a risk"),
        (register(mitigated_by=None), "high risks not mitigated before the launch"),
        (register(mitigated_by=LAUNCH.date), "high risks not mitigated before the launch"),
        (register(score="low", mitigated_by=None), ""),
    ],
)
def test_the_register_is_current(risks: kinds.RiskRegister, broken: str) -> None:
    assert judge("D-6.3.4", papers=Shelf(risks, ROLES), issues=issues()) == broken


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


# -- D-5.1.1 ------------------------------------------------------------------------------------


def minutes(**changes: Any) -> approval.ExecutivePresentation:
    known = approval.ExecutivePresentation(
        held_on=days(-7),
        attendees=["paul", "elena"],
        slides="slides.pdf",
        slides_sha256="a" * 64,
        counted_at=AT,
        counts={"PASS": 400, "FAIL": 1, "UNKNOWN": 0, "PENDING": 2},
        decisions=[approval.ActionPoint(text="launch", owner="elena", due=days(6))],
    )
    return changed(known, **changes)


LOST = approval.ActionPoint(text="who", owner="somebody", due=days(6))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"held_on": days(-8)}, "days since the presentation"),
        ({"held_on": days(1)}, "days since the presentation"),
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
    at_that_time = {AT: {"PASS": 400, "FAIL": 1, "PENDING": 2, "NOT LOOKED AT": 76}}
    monkeypatch.setattr(readiness, "counts", lambda _, moment: at_that_time[moment])
    assert judge("D-5.1.1", papers=Shelf(minutes(**changes))) == broken


# -- D-5.1.2 ------------------------------------------------------------------------------------


def found(severity: Any = "major", owner: str = "tess", open_: bool = False) -> approval.Finding:
    return approval.Finding(id="A-1", severity=severity, title="hole", owner=owner, open=open_)


def single(
    component: str = RUNS[0], decision: str = "it is quick to replace", by: str = "tess"
) -> Any:
    return approval.SinglePoint(component=component, decision=decision, decided_by=by)


def architecture(names: list[str] = RUNS, **changes: Any) -> approval.Architecture:
    parts = [approval.Component(name=n, kind="database") for n in names]
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


# -- D-5.1.3 ------------------------------------------------------------------------------------

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
        ({"goals": GOALS | {"KB.2": 75.0}}, (1000, 5_000_000), "goals that are not the criteria's"),
    ],
)
def test_the_business_case_is_true(
    changes: dict[str, Any], sold: tuple[int, int], broken: str
) -> None:
    known = Answers({f"{days(-30)}": sales.Sales(*sold)}, {})
    case = approval.BusinessCase(
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
    shelf = Shelf(changed(case, **changes), CRITERIA)
    assert judge("D-5.1.3", papers=shelf, baseline_sales=known) == broken


# -- D-5.1.5 ------------------------------------------------------------------------------------

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


def test_the_approval_waits_for_the_reviews() -> None:
    context = Context(vouched=lambda i: Said(*([] if i == "D-5.1.3" else [signed("tess", 1)])))
    facts = {"release_manifest": MANIFEST, "vouched": Said(), "context": context}
    with pytest.raises(Pending, match="not stated yet"):
        judge("D-5.1.5", papers=Shelf(approved()), **facts)


# -- D-5.3.4 ------------------------------------------------------------------------------------


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
    assert judge("D-5.3.4", papers=Shelf(runbook(questions)), vouched=said) == broken


@pytest.mark.parametrize("person", ["mina", "tess"])
def test_one_who_has_not_acknowledged_the_runbook_is_waited_for(person: str) -> None:
    said = Said(*(signed(p, answers=RIGHT) for p in PEOPLE if p != person))
    with pytest.raises(Pending):
        judge("D-5.3.4", papers=Shelf(runbook()), vouched=said)
