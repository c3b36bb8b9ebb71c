"""Faults of the evening of the launch and the day after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import entry, without
from rehearsal.staff.scripted_statements.wrap_up import feedback, holders_own

made = Stating(__name__)
LESSONS, MARKET = "lessons-learned.md", "market-response.md"
OF_QUINN, OF_TESS = "feedback-quinn.md", "feedback-tess.md"


def _as_quinn_wrote(data: dict[str, Any]) -> None:
    data.update(
        went_well="Quinn Barrett knew when it was whose turn",
        to_change="Quinn Barrett would like a shorter list of channels",
    )


# -- T0-1600.2.3 --------------------------------------------------------------------------------

made.written(
    "phase-without-lesson",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d["lessons"].pop(2),
    "nothing was written down about phase 3",
)
made.written(
    "lesson-of-a-missing-issue",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d["lessons"][0].update(issue=4711),
    "the action of a lesson is followed up in an issue that does not exist",
)
made.altered(
    "lessons-altered",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d["lessons"][0].update(cause="bad luck"),
    "the lessons were altered after they were signed",
)


@fault(
    "grave-issue-without-lesson",
    expect_fail=["T0-1600.2.3"],
    touches=["saas-stubs/tracker"],
    title="a high issue of the launch day has taught nothing",
)
def grave_issue_without_lesson(r: Rehearsal) -> None:
    saas_stubs.with_issue(
        r,
        "grave-issue-without-lesson",
        severity="high",
        labels=["launch"],
        milestone=False,
        assignee="hugo",
    )


@grave_issue_without_lesson.revert
def no_such_issue(r: Rehearsal) -> None:
    saas_stubs.restore(r, "grave-issue-without-lesson")


made.written(
    "lesson-without-owner",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d["lessons"][0].update(owner="wanda"),
    "somebody who is not on the roster owns a lesson",
)
made.written(
    "lesson-without-cause",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d["lessons"][0].update(cause=" "),
    "a lesson has no cause",
)
made.written(
    "lessons-of-yesterday",
    "T0-1600.2.3",
    LESSONS,
    lambda d: d.update(written_on=d["written_on"] - timedelta(days=1)),
    "the lessons were written on the day before",
)
made.stated("lessons-not-signed", "T0-1600.2.3", [], "nobody has signed the lessons")

# -- T0-1600.2.4 --------------------------------------------------------------------------------

made.stated(
    "role-without-feedback",
    "T0-1600.2.4",
    without(feedback(), "petra"),
    "a role has not signed any feedback",
)
made.stated(
    "feedback-signed-by-another",
    "T0-1600.2.4",
    [{**e, "papers": [OF_QUINN]} if e["by"] == "tess" else e for e in feedback()],
    "somebody signed the feedback of somebody else",
)
made.written(
    "feedback-copied",
    "T0-1600.2.4",
    OF_TESS,
    _as_quinn_wrote,
    "two people gave the same feedback",
)
made.written(
    "high-concern-without-issue",
    "T0-1600.2.4",
    OF_TESS,
    lambda d: d["concerns"][0].update(grade="high"),
    "a high concern has no issue",
)

made.stated(
    "feedback-not-signed-off",
    "T0-1600.2.4",
    holders_own(),
    "the Product Manager has signed nothing but the own feedback",
)
made.written(
    "feedback-in-anothers-role",
    "T0-1600.2.4",
    OF_TESS,
    lambda d: d.update(role="qa_lead"),
    "somebody gave feedback in a role of somebody else",
)
made.written(
    "feedback-before-the-cutover",
    "T0-1600.2.4",
    OF_TESS,
    lambda d: d.update(given_at=d["given_at"] - timedelta(days=3)),
    "feedback was given before the cutover",
)

# -- D+1.3.5 ------------------------------------------------------------------------------------

made.stated(
    "market-evaluated-by-another",
    "D+1.3.5",
    [entry("technical_lead")],
    "the evaluation of the market is signed by the Technical Lead",
)
made.written(
    "area-not-evaluated",
    "D+1.3.5",
    MARKET,
    lambda d: d["findings"].pop(),
    "nobody has looked at the competitors",
)


made.written(
    "market-evaluated-too-early",
    "D+1.3.5",
    MARKET,
    lambda d: d.update(evaluated_at=d["evaluated_at"] - timedelta(hours=12)),
    "the market was evaluated sixteen hours after the cutover",
)
made.written(
    "area-without-source",
    "D+1.3.5",
    MARKET,
    lambda d: d["findings"][1].update(sources=[]),
    "a part of the market was evaluated without a source",
)


@fault(
    "cited-page-gone",
    expect_fail=["D+1.3.5"],
    touches=["saas-stubs/pages/press"],
    title="a page that the evaluation cites is gone",
)
def cited_page_gone(r: Rehearsal) -> None:
    saas_stubs.page_status(r, "cited-page-gone", "/press", 404)


@cited_page_gone.revert
def page_there_again(r: Rehearsal) -> None:
    saas_stubs.restore(r, "cited-page-gone")
