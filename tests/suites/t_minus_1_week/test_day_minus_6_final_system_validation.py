"""Day -6: registers and documents, on literal papers and issues: each clause holds, its fault
breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import readiness
from golive.papers import kinds
from golive.probes.saas.tracker import Authors, CheckRun, CheckRuns, Fixes
from tests.golive.test_findings import COMMIT, issue, issues
from tests.suites.attested import LAUNCH, Said, Shelf, days, judge, register, signed
from tests.suites.derived import World, pull_request


def test_bugs_are_settled_before_the_summary_is_signed(world: World) -> None:
    world.in_order("D-6.D.2")
    mine = issues(issue(9, severity="high", state="closed", closed_by="hugo", verified_by="hugo"))
    reported = "bugs not verified by another than who fixed them"
    assert world.broken("D-6.D.2", issues=mine) == reported


def test_the_gates_need_ci_and_two_approvals(world: World) -> None:
    world.in_order("D-6.3.5")
    one = (pull_request(approvals=("tess",)),)
    assert world.broken("D-6.3.5", pull_requests=one) == "approvals"
    failed = CheckRuns("v2.0.0", COMMIT, ("build",), (CheckRun("build", "completed", "failure"),))
    reported = "required checks that have not succeeded"
    assert world.broken("D-6.3.5", check_runs=failed) == reported
    moved = CheckRuns("v2.0.0", "f" * 40, ("build",), (CheckRun("build", "completed", "success"),))
    assert world.broken("D-6.3.5", check_runs=moved) == "commit that CI has checked"
    against = (pull_request(objections=("sanjay",)),)
    assert world.broken("D-6.3.5", pull_requests=against).startswith("pull requests that somebody")


def test_no_author_of_the_release_signs_that_it_is_good(world: World) -> None:
    world.in_order("D-6.D.3")
    assert world.broken("D-6.D.3") == ""
    reported = "signers who wrote commits of the release"
    for name, email in (("QA Lead", "x@example.com"), ("Q", "QA_Lead@Example.com")):
        wrote = Authors("v1.9.0..v2.0.0", 3, ((name, email),))
        with_name = world.broken("D-6.D.3", release_authors=wrote)
        assert with_name == (reported if "@Example" in email else "")
    moved = Fixes("v2.0.0", "ab" * 20, (), ())
    assert world.broken("D-6.D.3", fixes=moved) == "commit of v2.0.0"


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
        ([entry(severity="high")], [], "issues above medium"),
        ([entry(), entry(number=9)], [issue(9, severity="high")], "issues above medium"),
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
def test_the_register_is_current(
    monkeypatch: pytest.MonkeyPatch, risks: kinds.RiskRegister, broken: str
) -> None:
    monkeypatch.setattr(readiness, "red", lambda *_, **__: [])
    assert judge("D-6.3.4", papers=Shelf(risks, ROLES), issues=issues()) == broken


def test_what_was_red_has_a_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def red(_: Any, *, but: Any) -> list[str]:
        asked.extend(but)
        return ["D-13.1.2"]

    monkeypatch.setattr(readiness, "red", red)

    def judged(*covers: str) -> str:
        risks = register(covers=["#8", "D-14.1.1", *covers])
        return judge("D-6.3.4", papers=Shelf(risks, ROLES), issues=issues())

    assert judged() == judged("D-1", "D-13.1.20") == "red items without a risk"
    assert judged("D-13.1.2") == judged("D-13") == ""
    assert "D-6.3.4" in asked, "else it would stay red for having been red"


@pytest.mark.parametrize(("days_ago", "held"), [(3, True), (5, False)])
def test_the_register_is_signed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, days_ago: float, held: bool
) -> None:
    monkeypatch.setattr(readiness, "red", lambda *_, **__: [])
    shelf, said = Shelf(register(ago=3), ROLES), Said(signed("quinn", 24 * days_ago))
    broken = judge("D-6.3.4", papers=shelf, issues=issues(), vouched=said)
    assert broken == ("" if held else "signatures older than the register")
