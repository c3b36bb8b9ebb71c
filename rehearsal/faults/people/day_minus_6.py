"""Faults of Days -8 and -6: trained support, known issues, and the risk register."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import saas_stubs as staff
from rehearsal.staff.scripted_statements import entry

made = Stating(__name__)
TRAINING, SHIFTS = "training-scores.md", "support-shifts.md"
ISSUES, REGISTER = "known-issues.md", "risk-register.md"
GRAVE_BUG = 302
"""A critical one that is fixed."""


def _untrained_shift(data: dict[str, Any]) -> None:
    data["shifts"][3]["agents"] = ["leah"]


def _afternoon_off(data: dict[str, Any]) -> None:
    first = data["shifts"][0]
    first["ends"] = first["starts"] + timedelta(hours=6)


# -- D-8.3.5 ------------------------------------------------------------------------------------

made.stated(
    "training-signed-by-another",
    "D-8.3.5",
    [entry("support_lead")],
    "the training of support is signed by the Support Lead",
)
made.written(
    "agent-not-trained",
    "D-8.3.5",
    TRAINING,
    lambda d: d["scores"].pop(),
    "a support agent has not finished the training",
)
made.written(
    "agent-failed-the-test",
    ["D-8.3.5", "D-8.D.3"],
    TRAINING,
    lambda d: d["scores"][1].update(percent=79),
    "a support agent failed the test of the training",
)
made.written(
    "shift-without-agent",
    "D-8.3.5",
    SHIFTS,
    _untrained_shift,
    "a shift of launch week has no trained agent",
)
made.written(
    "training-of-the-version-before",
    "D-8.3.5",
    TRAINING,
    lambda d: d.update(version="v1.9.0"),
    "support was trained on the version before",
)
made.written(
    "training-of-2024",
    "D-8.3.5",
    TRAINING,
    lambda d: d["scores"][0].update(finished_on=date(2024, 1, 15)),
    "a support agent was trained in 2024",
)
made.altered(
    "training-sheet-altered",
    "D-8.3.5",
    TRAINING,
    lambda d: d["scores"][0].update(percent=100),
    "the score sheet was altered after it was signed",
)
made.written(
    "day-without-a-shift",
    "D-8.3.5",
    SHIFTS,
    lambda d: d.update(shifts=d["shifts"][:6] + d["shifts"][8:]),
    "on a day of launch week no shift begins",
)

# -- D-8.D.3 ------------------------------------------------------------------------------------

Stating(__name__, "D-8.3.1").written(
    "launch-hours-without-support",
    "D-8.D.3",
    SHIFTS,
    _afternoon_off,
    "nobody answers customers in the afternoon of launch day",
)

# -- D-6.3.2 ------------------------------------------------------------------------------------

made.stated(
    "issues-accepted-by-qa-only",
    "D-6.3.2",
    [entry("qa_lead")],
    "the known issues are accepted by the QA Lead only",
)
made.stated(
    "issues-accepted-long-ago",
    "D-6.3.2",
    [entry("product_manager", made_ago_s=8 * DAY_S)],
    "the acceptance of the known issues has expired",
)
made.altered(
    "known-issue-altered",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][0].update(impact="none"),
    "the text of a known issue was altered after it was accepted",
)
made.written(
    "known-issue-without-owner",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][1].update(owner="nobody"),
    "a known issue has no owner on the roster",
)


@fault(
    "open-issue-not-in-the-register",
    expect_fail=["D-6.3.2"],
    touches=["saas-stubs/tracker"],
    title="an open issue of the milestone is not in the register",
)
def open_issue_not_in_the_register(r: Rehearsal) -> None:
    saas_stubs.with_issue(r, "open-issue-not-in-the-register", severity="medium", assignee="hugo")


@open_issue_not_in_the_register.revert
def close_it(r: Rehearsal) -> None:
    saas_stubs.restore(r, "open-issue-not-in-the-register")


# -- D-6.3.4 ------------------------------------------------------------------------------------

made.stated("register-not-signed", "D-6.3.4", [], "the QA Lead has not signed the risk register")
made.written(
    "register-not-touched-for-days",
    "D-6.3.4",
    REGISTER,
    lambda d: d.update(changed_on="2026-01-05"),
    "the risk register was not changed for months",
)
made.written(
    "high-risk-not-mitigated",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][3].update(mitigated_by=None),
    "a high risk has no mitigation before the launch",
)
made.written(
    "risk-owned-by-nobody",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][6].update(owner="greta"),
    "a risk has no owner in the role table",
)
made.written(
    "register-of-nine-risks",
    ["D-6.3.4", "D-5.1.4", "D-2.1.3"],
    REGISTER,
    lambda d: d["risks"].pop(8),
    "the risk register holds nine risks",
)
made.written(
    "risk-review-overdue",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][0].update(review_on="2026-01-05"),
    "the review of a risk is overdue",
)
made.written(
    "risk-without-mitigation",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][0].update(mitigation=" "),
    "a risk has no mitigation",
)
made.written(
    "red-items-without-risk",
    ["D-6.3.4", "D-2.1.3"],
    REGISTER,
    lambda d: d["risks"][0].update(covers=[]),
    "no risk stands for items that are red",
)
made.stated(
    "register-signed-before-its-change",
    "D-6.3.4",
    [entry("qa_lead", made_ago_s=2 * DAY_S)],
    "the QA Lead signed the risk register before it was changed",
)
made.written(
    "known-issue-above-medium",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][0].update(severity="high"),
    "a known issue is of high severity",
)
made.written(
    "known-issue-without-impact",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][0].update(impact=" "),
    "a known issue does not say what customers notice",
)
made.written(
    "register-lacks-a-known-issue",
    ["D-6.3.2", "D-6.D.2", "D-3.3.3"],
    ISSUES,
    lambda d: d["issues"].pop(0),
    "the register of known issues lacks one",
)

# -- what the day's documents add ----------------------------------------------------------------


@fault(
    "ci-check-failed",
    expect_fail=["D-6.3.5"],
    touches=["saas-stubs/tracker"],
    title="a required check of CI has failed on the candidate",
    waits_for=["D-6.1.1"],
)
def ci_check_failed(r: Rehearsal) -> None:
    saas_stubs.check_concluded(r, "ci-check-failed", staff.CHECKS[0], "failure")


@ci_check_failed.revert
def ci_check_passed(r: Rehearsal) -> None:
    saas_stubs.restore(r, "ci-check-failed")


@fault(
    "bug-left-without-test",
    expect_fail=["D-6.D.2"],
    touches=["saas-stubs/tracker"],
    title="a critical bug names no test and no fix",
)
def bug_left_without_test(r: Rehearsal) -> None:
    record = staff.state(r.folder)["tracker"]["issues"][str(GRAVE_BUG)]
    events = [{**e, "commit": ""} if e["event"] == "closed" else e for e in record["events"]]
    saas_stubs.change_issue(r, "bug-left-without-test", GRAVE_BUG, body="", events=events)


@bug_left_without_test.revert
def bug_with_its_test(r: Rehearsal) -> None:
    saas_stubs.restore(r, "bug-left-without-test")


@fault(
    "grave-bug-open",
    expect_fail=["D-6.D.2", "D-6.3.2"],
    touches=["saas-stubs/tracker"],
    title="a critical bug of the milestone is open again",
)
def grave_bug_open(r: Rehearsal) -> None:
    saas_stubs.reopened(r, "grave-bug-open", GRAVE_BUG)


@grave_bug_open.revert
def grave_bug_closed(r: Rehearsal) -> None:
    saas_stubs.restore(r, "grave-bug-open")


@fault(
    "pull-request-approved-by-one",
    expect_fail=["D-6.3.5"],
    touches=["saas-stubs/tracker"],
    title="a change of the release is approved by one person",
    waits_for=["D-6.1.1"],
)
def pull_request_approved_by_one(r: Rehearsal) -> None:
    number = min(staff.state(r.folder)["tracker"]["pulls"], key=int)
    saas_stubs.approved_by(r, "pull-request-approved-by-one", int(number), "tess")


@pull_request_approved_by_one.revert
def pull_request_approved_by_two(r: Rehearsal) -> None:
    saas_stubs.restore(r, "pull-request-approved-by-one")
