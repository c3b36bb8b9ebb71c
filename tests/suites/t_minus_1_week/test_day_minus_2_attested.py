"""Day -2, attested items: on literal papers and facts, each clause holds, its fault breaks it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import readiness
from golive.papers import kinds
from golive.probes.platform.flags import Flags
from golive.probes.saas.launch_tools import DryRun, LaunchTools
from golive.verdicts import Pending
from tests.golive.test_findings import issue, issues
from tests.suites.attested import (
    PROCEDURE,
    Context,
    Said,
    Shelf,
    days,
    judge,
    register,
    risk,
    signed,
)

AREAS = sorted({i.area for i in PROCEDURE})
DIGEST = "0" * 64
"""Of every paper on the shelf."""


# -- D-2.1.3 -------------------------------------------------------------------------------------


def rescored(ago: int = 0, **first: Any) -> kinds.RiskRegister:
    """A risk in each area and more, the first otherwise."""
    known = register(12, ago, **first)
    areas = [*AREAS, *AREAS]
    risks = [changed(r, area=areas[n]) for n, r in enumerate(known.risks)]
    return changed(known, risks=[changed(risks[0], **first), *risks[1:]])


@pytest.mark.parametrize(
    ("risks", "broken"),
    [
        (rescored(), ""),
        (changed(rescored(), risks=rescored().risks[:9]), "risks"),
        (
            changed(rescored(), risks=[r for r in rescored().risks if r.area != "db"] * 2),
            "areas with a risk",
        ),
        (rescored(scored_on=days(-2)), ""),
        (rescored(scored_on=days(-3)), "days since a risk was scored"),
        (rescored(scored_on=days(1)), ""),  # it may be that day where it was scored
        (rescored(scored_on=days(2)), "days since a risk was scored"),
        (rescored(owner="gloria"), "risks without an owner on the roster"),
        (rescored(covers=["#8"]), "accepted issues and waivers without a risk"),
        (rescored(covers=["D-14"]), "accepted issues and waivers without a risk"),
    ],
)
def test_the_register_is_scored_again(
    monkeypatch: pytest.MonkeyPatch, risks: kinds.RiskRegister, broken: str
) -> None:
    monkeypatch.setattr(readiness, "red", lambda *_, **__: [])
    context = Context(areas=AREAS)
    assert judge("D-2.1.3", papers=Shelf(risks), issues=issues(), context=context) == broken


def test_what_was_red_has_a_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "red", lambda *_, **__: ["D-7.D.1"])
    facts = {"issues": issues(), "context": Context(areas=AREAS)}
    assert judge("D-2.1.3", papers=Shelf(rescored()), **facts) == "red items without a risk"
    covered = rescored(covers=["#8", "D-14", "D-7"])
    assert judge("D-2.1.3", papers=Shelf(covered), **facts) == ""


@pytest.mark.parametrize(("days_ago", "held"), [(1, True), (3, False)])
def test_the_register_is_signed_as_it_was_scored(
    monkeypatch: pytest.MonkeyPatch, days_ago: float, held: bool
) -> None:
    monkeypatch.setattr(readiness, "red", lambda *_, **__: [])
    facts = {"issues": issues(), "context": Context(areas=AREAS)}
    said = Said(signed("paul", 24 * days_ago))
    found = judge("D-2.1.3", papers=Shelf(rescored(ago=1)), vouched=said, **facts)
    assert found == ("" if held else "signatures older than the register")


# -- D-2.2.2 -------------------------------------------------------------------------------------

WEIGHED = kinds.WeighedRisk(id="R-1", cost="an hour", benefit="a year", net="worth it")


def analysis(**changes: Any) -> kinds.RiskBenefit:
    known = kinds.RiskBenefit(register_sha256=DIGEST, risks=[WEIGHED], week_of_delay="a month")
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("paper", "risks", "broken"),
    [
        (analysis(), register(), ""),
        (analysis(risks=[]), register(score="low"), ""),
        (analysis(register_sha256="1" * 64), register(), "risk register that is weighed"),
        (analysis(risks=[]), register(), "high risks that are weighed"),
        (
            analysis(),
            changed(register(), risks=[risk(1), risk(11, score="high")]),
            "high risks that are weighed",
        ),
        (analysis(risks=[changed(WEIGHED, net="")]), register(), "risks weighed in part"),
        (analysis(week_of_delay=" "), register(), "what a week of delay costs"),
    ],
)
def test_high_risks_are_weighed(
    paper: kinds.RiskBenefit, risks: kinds.RiskRegister, broken: str
) -> None:
    assert judge("D-2.2.2", papers=Shelf(paper, risks)) == broken


# -- D-2.2.3 -------------------------------------------------------------------------------------

NAMES = ("reduced-scope", "delay", *(f"abort-phase-{n}" for n in (1, 2, 3, 4)), "full-rollback")


def scenarios(ident: str = "", *more: kinds.Scenario, **changes: Any) -> kinds.Scenarios:
    """All of them, one otherwise."""
    planned = [
        kinds.Scenario(
            id=name,
            trigger="it is red",
            decider="technical_lead",
            limit_minutes=30,
            commands=["roll-back"],
        )
        for name in NAMES
    ]
    planned = [changed(s, **changes) if s.id == ident else s for s in planned]
    return kinds.Scenarios(scenarios=[*planned, *more])


LATE = changed(scenarios().scenarios[2], limit_minutes=31)


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (scenarios(), ""),
        (scenarios("delay", commands=[]), ""),
        (changed(scenarios(), scenarios=scenarios().scenarios[:-1]), "scenarios"),
        (scenarios("delay", decider="a king"), "scenarios that nobody can decide"),
        (scenarios("", LATE), "scenarios that stand twice"),
        (scenarios("delay", limit_minutes=0), "scenarios without a time limit"),
        (scenarios("abort-phase-2", commands=[]), "aborts and rollbacks without a command"),
        (scenarios("full-rollback", commands=[]), "aborts and rollbacks without a command"),
        (scenarios("abort-phase-4", limit_minutes=31), "minutes to abort a phase"),
        (scenarios("delay", commands=["explode"]), "commands that do not exist"),
        (scenarios("delay", flags=["lights"]), "feature flags that do not exist"),
    ],
)
def test_each_course_of_the_day_is_planned(paper: kinds.Scenarios, broken: str) -> None:
    runs = LaunchTools({"roll-back": DryRun("roll-back", "", (), "", False)})
    assert judge("D-2.2.3", papers=Shelf(paper), launch_tools=runs, flags=Flags({})) == broken


# -- D-2.2.4 -------------------------------------------------------------------------------------

ASKED = ["paul", "elena", "tess", "quinn", "amy"]
REPORT = "a" * 64


def given(by: str = "", **changes: Any) -> Said:
    """Everybody's input, one otherwise."""
    said = []
    for person in ASKED:
        known = {"input": "go", "reason": "it holds", "conditions": [], "report": REPORT}
        data = known | (changes if person == by else {})
        report = data.pop("report")
        one = signed(person, **data)
        one.statement.evidence = [SimpleNamespace(sha256=report)]
        said.append(one)
    return Said(*said)


def context() -> Context:
    known = Context()
    people = known.roster.people
    people["quinn"] = changed(people["quinn"], roles=["devops_lead"])
    people["amy"] = changed(people["amy"], roles=["security_lead"])
    return known


def inputs(said: Said, *more: Any, asked: list[str] = ASKED, place: Context | None = None) -> str:
    return judge(
        "D-2.2.4",
        papers=Shelf(kinds.Stakeholders(people=asked)),
        vouched=said,
        deliverables=SimpleNamespace(digest=lambda _: REPORT),
        issues=issues(*more),
        context=place or context(),
    )


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        (given(), ""),
        (given("amy", input="no-go"), ""),
        (given("amy", input="conditional", conditions=[8]), ""),
        (given("amy", input="perhaps"), "inputs that say neither go, conditional nor no-go"),
        (given("amy", input="conditional"), "inputs that say neither go, conditional nor no-go"),
        (given("amy", reason=""), "inputs without a reason"),
        (given("amy", report="b" * 64), "inputs on another final-status-report.html"),
        (
            given("amy", input="conditional", conditions=[4711]),
            "conditions without an issue that somebody owns",
        ),
        (
            given("amy", input="conditional", conditions=[9]),
            "conditions without an issue that somebody owns",
        ),
    ],
)
def test_stakeholders_say_what_they_think_of_the_report(said: Said, broken: str) -> None:
    assert inputs(said, issue(9, assignees=())) == broken


def test_every_role_is_asked_in_person() -> None:
    assert inputs(given(), asked=ASKED[:-1]) == "roles without a stakeholder"
    with pytest.raises(Pending):
        inputs(Said(*given().valid[:-1]))
    place = context()
    place.roster.people["amy"] = changed(place.roster.people["amy"], name="tess")
    assert inputs(given(), place=place) == "stakeholders under two ids"
