"""What the issue tracker adds to documents, on literal issues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from golive import findings
from golive.claims import Claim
from golive.environments import TrackerLabels
from golive.probes.saas.tracker import Fixes, Issue, Issues
from golive.verdicts import Verdict

COMMIT = "c0ffee" + "0" * 34
LAUNCH, TODAY = date(2026, 12, 7), date(2026, 11, 27)
OPENED = datetime(2026, 11, 10, tzinfo=UTC)
FIXES = Fixes("v2.0.0", COMMIT, (COMMIT,), ())
NAMES = TrackerLabels(
    critical="severity: critical",
    high="severity: high",
    medium="severity: medium",
    low="severity: low",
    known_issue="known-issue",
    blocker="launch-blocker",
    launch="launch",
    question="launch-question",
    condition="launch-condition",
    post_launch="post-launch",
    finding="security-finding",
    verified="verified",
)


def issue(number: int = 9, **changes: Any) -> Issue:
    """An open issue of low severity in the milestone that is a known one, somebody's and due."""
    known: dict[str, Any] = {
        "number": number,
        "title": f"Bug {number}",
        "url": "",
        "state": "open",
        "labels": ("known-issue",),
        "severity": "low",
        "milestone": "v2.0.0",
        "assignees": ("hugo",),
        "author": "quinn",
        "opened_at": OPENED,
        "closed_at": None,
        "closed_by": "",
        "commits": (COMMIT,),
        "reopened_at": (),
        "verified_by": "",
        "verified_at": None,
        "severity_changes": (),
        "due": date(2026, 12, 1),
        "fields": {"Test": "tests/test_it.py"},
        "text_sha256": "",
    }
    return Issue(**(known | changes))


def issues(*more: Issue) -> Issues:
    """Twenty fixed bugs, one of them critical or high, and a known issue; then others."""
    fixed = [
        issue(
            n,
            state="closed",
            severity="high" if n == 101 else "medium",
            labels=(),
            closed_by="hugo",
            verified_by="quinn",
        )
        for n in range(100, 120)
    ]
    return Issues(
        repository="a/b",
        milestone="v2.0.0",
        milestone_due=LAUNCH,
        labels=(),
        names=NAMES,
        canary=100,
        all=(*fixed, issue(8), *more),
    )


def finding(number: int = 9, **changes: Any) -> Issue:
    return issue(number, **({"labels": ("security-finding",)} | changes))


def broken(claims: Iterator[Claim]) -> list[str]:
    return [f"{c.subject}: {c.observed}" for c in claims if not c.holds]


@pytest.mark.parametrize(
    ("found", "reported"),
    [
        (finding(severity="critical"), "open critical or high findings: #9 Bug 9"),
        (finding(severity="high"), "open critical or high findings: #9 Bug 9"),
        (finding(severity=""), "findings without a severity: #9 Bug 9"),
        (finding(severity="medium", assignees=()), "provided for: #9 Bug 9 (no owner)"),
        (finding(severity="medium", due=None), "provided for: #9 Bug 9 (no due date)"),
        (finding(severity="medium", due=LAUNCH), "provided for: #9 Bug 9 (due 2026-12-07)"),
    ],
)
def test_open_findings_are_small_and_provided_for(found: Issue, reported: str) -> None:
    (said,) = broken(findings.findings_settled(issues(found), LAUNCH))
    assert reported in said


def test_closed_and_small_findings_stand_in_nobodys_way() -> None:
    found = [
        finding(9, severity="high", state="closed"),
        finding(10, severity="low", due=None),
        finding(11, severity="medium"),
    ]
    assert broken(findings.findings_settled(issues(*found), LAUNCH)) == []


@pytest.mark.parametrize(
    "claims",
    [
        lambda reported: findings.findings_settled(reported, LAUNCH),
        lambda reported: findings.remediated({"D-14.1.1": Verdict.PASS}, reported, LAUNCH, TODAY),
        lambda reported: findings.bugs_settled(reported, FIXES, 1),
        findings.deviations_settled,
    ],
)
def test_without_the_known_issue_nothing_is_believed(
    claims: Callable[[Issues], Iterator[Claim]],
) -> None:
    blind = Issues("a/b", "v2.0.0", None, (), NAMES, 100, (issue(7, state="closed"),))
    assert next(claims(blind)).holds is False


def test_issues_are_counted_by_severity() -> None:
    table = findings.counts([finding(9), finding(10, severity="high", state="closed")], "x")
    assert table.rows == [
        ["critical", 0.0, 0.0],
        ["high", 0.0, 1.0],
        ["medium", 0.0, 0.0],
        ["low", 1.0, 0.0],
    ]
    assert findings.counts([finding(severity="")], "x").rows[-1] == ["no severity", 1.0, 0.0]


def test_another_state_is_another_digest() -> None:
    assert findings.digest([issue()]) == findings.digest([issue()])
    assert findings.digest([issue()]) != findings.digest([issue(state="closed")])


PLAN: dict[str, Any] = {
    "severity": "high",
    "labels": (),
    "fields": {"Retest": "D-14.1.2, D-14.1.3", "Remediation": "Another node."},
}
RED = {"D-14.1.1": Verdict.PASS, "D-14.1.2": Verdict.FAIL}


@pytest.mark.parametrize(
    ("verdicts", "filed", "reported"),
    [
        (RED, [], "without just one issue: D-14.1.2 (0 issues)"),
        (RED, [issue(9, **PLAN), issue(10, **PLAN)], "just one issue: D-14.1.2 (2 issues)"),
        ({"D-14.1.2": Verdict.WAIVED}, [], "just one issue: D-14.1.2 (0 issues)"),
        ({"D-14.1.2": Verdict.UNKNOWN}, [], "just one issue: D-14.1.2 (0 issues)"),
        (RED, [issue(9, **PLAN, assignees=())], "provided for: #9 Bug 9 (lacks owner)"),
        (RED, [issue(9, **(PLAN | {"severity": ""}))], "provided for: #9 Bug 9 (lacks severity)"),
        (
            RED,
            [issue(9, **(PLAN | {"fields": {"Retest": "D-14.1.2"}}))],
            "provided for: #9 Bug 9 (lacks remediation)",
        ),
        (RED, [issue(9, **PLAN, due=None)], "provided for: #9 Bug 9 (lacks a day)"),
        (RED, [issue(9, **PLAN, due=LAUNCH)], "(lacks a day by 2026-12-06)"),
        (RED, [issue(9, **PLAN, due=date(2026, 11, 26))], "overdue issues: #9 Bug 9 (due 2026-11"),
        (RED, [issue(9, **PLAN, state="closed")], "still red: #9 Bug 9 (D-14.1.2)"),
    ],
)
def test_each_red_item_has_one_issue_with_a_plan(
    verdicts: dict[str, Verdict], filed: list[Issue], reported: str
) -> None:
    (said,) = broken(findings.remediated(verdicts, issues(*filed), LAUNCH, TODAY))
    assert reported in said


def test_a_plan_that_is_whole_holds() -> None:
    reported = issues(issue(9, **PLAN))
    assert broken(findings.remediated(RED, reported, LAUNCH, TODAY)) == []
    waived = RED | {"D-14.1.2": Verdict.WAIVED}
    closed = issues(issue(9, **PLAN, state="closed"))
    assert broken(findings.remediated(waived, closed, LAUNCH, TODAY)) == []


@pytest.mark.parametrize(
    ("severity", "due", "holds"),
    [
        ("high", date(2026, 12, 6), True),
        ("high", date(2026, 12, 7), False),
        ("medium", date(2026, 12, 10), True),
        ("medium", date(2026, 12, 11), False),
        ("low", date(2027, 2, 8), True),
        ("low", date(2027, 2, 9), False),
    ],
)
def test_a_finding_is_due_by_its_severity(severity: str, due: date, holds: bool) -> None:
    found = finding(9, severity=severity, due=due, fields=PLAN["fields"])
    verdicts = {"D-9.1.1": Verdict.PASS}
    said = broken(findings.remediation_plan(verdicts, issues(found), LAUNCH, TODAY))
    assert (said == []) is holds


def test_with_nothing_open_no_plan_is_needed_but_items_are() -> None:
    assert (
        broken(findings.remediation_plan({"D-9.1.1": Verdict.PASS}, issues(), LAUNCH, TODAY)) == []
    )
    assert broken(findings.remediation_plan({}, issues(), LAUNCH, TODAY)) != []


SERIOUS: dict[str, Any] = {
    "severity": "critical",
    "state": "closed",
    "labels": (),
    "closed_by": "hugo",
    "verified_by": "quinn",
}


@pytest.mark.parametrize(
    ("bug", "reported"),
    [
        (issue(9, **SERIOUS | {"state": "open"}), "critical and high bugs still open: #9 Bug 9"),
        (issue(9, **SERIOUS, commits=()), "not in the candidate: #9 Bug 9 (no commit)"),
        (issue(9, **SERIOUS, commits=("f" * 40,)), "not in the candidate: #9 Bug 9 (ffffffffffff)"),
        (issue(9, **SERIOUS, fields={}), "bugs without a test: #9 Bug 9"),
        (issue(9, **SERIOUS | {"verified_by": "hugo"}), "than who fixed them: #9 Bug 9 (hugo)"),
        (issue(9, **SERIOUS | {"verified_by": ""}), "than who fixed them: #9 Bug 9 (nobody)"),
        (issue(9, severity=""), "issues without a severity: #9 Bug 9"),
        (issue(9, labels=()), "issues still open: #8, #9; not declared #9"),
        (issue(9, milestone=""), "issues still open: #8; missing #9"),
    ],
)
def test_bugs_are_fixed_tested_verified_or_known(bug: Issue, reported: str) -> None:
    said = broken(findings.bugs_settled(issues(bug), FIXES, 20))
    assert any(reported in one for one in said), said


def test_bugs_that_are_settled_hold_and_too_few_do_not() -> None:
    assert broken(findings.bugs_settled(issues(), FIXES, 20)) == []
    (said,) = broken(findings.bugs_settled(issues(), FIXES, 22))
    assert said == "issues in the milestone: 21"


def test_the_summary_counts_what_was_opened_resolved_and_reopened() -> None:
    again = issue(9, **SERIOUS, reopened_at=(OPENED,))
    figures, (by_severity, serious, still) = findings.resolved(issues(again))
    assert figures[0].value == 22
    assert by_severity.rows[0] == ["critical", 1.0, 1.0, 1.0, 0.0]
    assert by_severity.rows[3] == ["low", 1.0, 0.0, 0.0, 1.0]
    assert serious.rows[-1] == [
        "#9 Bug 9",
        "critical",
        COMMIT[:12],
        "tests/test_it.py",
        "hugo",
        "quinn",
    ]
    assert [row[0] for row in still.rows] == ["#8 Bug 8"]


def test_issues_are_told_apart_by_what_the_launch_asks_of_them() -> None:
    launch = {"labels": ("launch",), "milestone": ""}
    severe = issue(17, severity="critical", **launch)
    drill = issue(18, severity="high", fields={"Drill": "yes"}, **launch)
    found = issues(severe, drill, issue(19, severity="medium", **launch), issue(20, state="closed"))
    assert found.severe_of_launch == [severe]
    assert [one.number for one in found.open_known] == [8]
    assert found.numbers == {*range(100, 120), 8, 17, 18, 19, 20}
