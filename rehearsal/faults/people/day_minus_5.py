"""Faults of Day -5: presentation, reviews, the final approval, and who knows the runbook."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import papers, people
from rehearsal.staff.scripted_statements import entry, without
from rehearsal.staff.scripted_statements.day_minus_5 import REVIEWS, RIGHT, acknowledge, approve

made = Stating(__name__)
MINUTES, ARCHITECTURE = "executive-presentation.md", "architecture.md"
CASE = "business-case.md"
REGISTER, APPROVAL, RUNBOOK = "risk-register.md", "final-approval.md", "emergency-runbook.md"


def _without_standby(data: dict[str, Any]) -> None:
    data["components"] = [c for c in data["components"] if c["name"] != "postgres-standby"]


# -- D-5.1.1 ------------------------------------------------------------------------------------

made.stated(
    "minutes-signed-by-another",
    "D-5.1.1",
    [entry("technical_lead")],
    "the minutes are signed by the Technical Lead",
)
made.written(
    "no-executive-attended",
    "D-5.1.1",
    MINUTES,
    lambda d: d.update(attendees=["paul", "tess"]),
    "no executive attended the presentation",
)
made.written(
    "counts-embellished",
    "D-5.1.1",
    MINUTES,
    lambda d: d["counts"].update(PASS=400),
    "executives were shown more passed items than there were",
)
made.written(
    "decision-without-owner",
    "D-5.1.1",
    MINUTES,
    lambda d: d["decisions"][0].update(owner="the team"),
    "a decision has no owner on the roster",
)


@fault(
    "slides-altered",
    expect_fail=["D-5.1.1"],
    touches=["papers/executive-presentation.md"],
    title="the slides are others than those shown",
)
def slides_altered(r: Rehearsal) -> None:
    with (people.papers(r) / "slides" / "readiness.txt").open("a") as slides:
        slides.write("All is well.\n")


@slides_altered.revert
def slides_as_shown(r: Rehearsal) -> None:
    papers.write(r, MINUTES)


# -- D-5.1.2 ------------------------------------------------------------------------------------

made.stated(
    "architecture-signed-by-one",
    "D-5.1.2",
    [entry("technical_lead")],
    "only one of two leads has signed the architecture",
)
made.written(
    "standby-not-in-the-document",
    "D-5.1.2",
    ARCHITECTURE,
    _without_standby,
    "the architecture document lacks the standby",
)
made.written(
    "major-finding-open",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d["findings"][0].update(open=True),
    "a major finding of the architecture review is open",
)
made.altered(
    "architecture-altered",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d["components"][0].update(kind="something else"),
    "the architecture was altered after it was signed",
)

# -- D-5.1.3 ------------------------------------------------------------------------------------

made.stated(
    "case-signed-long-ago",
    "D-5.1.3",
    [entry("executive_team", made_ago_s=15 * DAY_S)],
    "the signature over the business case has expired",
)
made.written(
    "baseline-off-by-five-percent",
    "D-5.1.3",
    CASE,
    lambda d: d.update(baseline_revenue_cents=round(1.05 * d["baseline_revenue_cents"])),
    "the baseline's revenue differs from the database by 5 %",
)
made.written(
    "goal-of-another-number",
    "D-5.1.3",
    CASE,
    lambda d: d["goals"].update({"KB.2": 75}),
    "a goal of the business case is not the procedure's",
)

# -- D-5.1.4 ------------------------------------------------------------------------------------

made.stated(
    "risks-reviewed-by-another",
    "D-5.1.4",
    [entry("executive_team"), entry("technical_lead")],
    "the Security Lead has not signed the review of the risks",
)
made.written(
    "high-risk-without-decision",
    "D-5.1.4",
    REGISTER,
    lambda d: d["risks"][1].update(decision=""),
    "nobody has decided on a high risk",
)
made.altered(
    "register-altered-after-review",
    "D-5.1.4",
    REGISTER,
    lambda d: d["risks"][0].update(title="something harmless"),
    "the risk register was altered after it was signed",
)

# -- D-5.1.5 ------------------------------------------------------------------------------------

made.stated(
    "approval-missing",
    "D-5.1.5",
    approve()[:3],
    "the Security Lead has not approved",
)
made.stated(
    "one-key-approves-twice",
    "D-5.1.5",
    [*approve()[:3], entry("security_lead", key="tess", after=REVIEWS)],
    "one key signed two of the approvals",
)
made.stated(
    "approved-before-the-reviews",
    "D-5.1.5",
    [*approve()[1:], entry("executive_team", made_ago_s=3 * DAY_S)],
    "an approval is older than the reviews",
)
made.written(
    "approval-with-open-condition",
    "D-5.1.5",
    APPROVAL,
    lambda d: d["conditions"][0].update(open=True),
    "a condition of the approval is open",
)
made.written(
    "approval-of-another-release",
    "D-5.1.5",
    APPROVAL,
    lambda d: d.update(commit="0" * 40),
    "the approval is about another release",
)

# -- D-5.3.4 ------------------------------------------------------------------------------------

made.stated(
    "runbook-not-acknowledged",
    "D-5.3.4",
    without(acknowledge(), "mina"),
    "a support agent has not acknowledged the emergency runbook",
)
made.stated(
    "runbook-acknowledged-long-ago",
    "D-5.3.4",
    [{**e, "made_ago_s": 6 * DAY_S} if e["by"] == "hugo" else e for e in acknowledge()],
    "an acknowledgement of the emergency runbook has expired",
)
made.stated(
    "runbook-not-understood",
    "D-5.3.4",
    [
        {**e, "data": {"answers": ["nobody", "45", *RIGHT[2:]]}} if e["by"] == "noor" else e
        for e in acknowledge()
    ],
    "somebody answered two questions on the emergency runbook wrong",
)
