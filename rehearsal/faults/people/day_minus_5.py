"""Faults of Day -5: presentation, reviews, the final approval, and who knows the runbook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rehearsal.data import release
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
    ["D-5.3.4", "D-5.D.3"],
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

# -- what was signed, when and until when --------------------------------------------------------


def _a_week_earlier(data: dict[str, Any]) -> None:
    for key in ("ended_at", "counted_at"):
        data[key] -= timedelta(days=8)


def _counted_before(data: dict[str, Any]) -> None:
    data["counted_at"] -= timedelta(days=2)


def _unfinished_week(data: dict[str, Any]) -> None:
    data["baseline_week"] = data["written_on"] - timedelta(days=3)


def _without_single_point(data: dict[str, Any]) -> None:
    data["single_points"] = [s for s in data["single_points"] if s["component"] != "pgbouncer"]


made.stated(
    "minutes-signed-before-the-meeting",
    "D-5.1.1",
    [entry("product_manager", made_ago_s=5 * DAY_S)],
    "the minutes were signed before the presentation was held",
)
made.written(
    "presented-long-ago",
    "D-5.1.1",
    MINUTES,
    _a_week_earlier,
    "the presentation was held more than a week ago",
)
made.written(
    "counts-of-another-day",
    "D-5.1.1",
    MINUTES,
    _counted_before,
    "executives were shown counts of days before",
)
made.written(
    "state-not-counted",
    "D-5.1.1",
    MINUTES,
    lambda d: d["counts"].pop("UNKNOWN"),
    "executives were not shown how many items are unknown",
)
made.written(
    "attendee-of-nowhere",
    "D-5.1.1",
    MINUTES,
    lambda d: d["attendees"].append("gloria"),
    "somebody attended who is not on the roster",
)
made.written(
    "nothing-decided",
    "D-5.1.1",
    MINUTES,
    lambda d: d.update(decisions=[]),
    "the minutes name no decision",
)
made.written(
    "component-that-does-not-run",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d["components"].append({"name": "redis-archive", "kind": "cache"}),
    "the architecture document has a component that does not run",
)
made.written(
    "architecture-of-another-version",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d.update(version="v1.9.0"),
    "the architecture document is about another version",
)
made.written(
    "single-point-not-decided",
    "D-5.1.2",
    ARCHITECTURE,
    _without_single_point,
    "nobody has decided on the only pooler",
)
made.written(
    "single-point-of-nothing",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d["single_points"][0].update(component="redis-archive"),
    "a single point of failure is no component that runs",
)
made.written(
    "review-finding-without-owner",
    "D-5.1.2",
    ARCHITECTURE,
    lambda d: d["findings"][1].update(owner="the team"),
    "a finding of the architecture review has no owner on the roster",
)
made.written(
    "case-of-last-month",
    "D-5.1.3",
    CASE,
    lambda d: d.update(written_on=d["written_on"] - timedelta(days=20)),
    "the business case was written three weeks ago",
)
made.stated(
    "case-signed-before-it-was-written",
    "D-5.1.3",
    [entry("executive_team", made_ago_s=5 * DAY_S)],
    "the business case was signed before it was written",
)
made.stated(
    "case-signed-by-another",
    "D-5.1.3",
    [entry("technical_lead")],
    "the business case is signed by the Technical Lead",
)
made.written(
    "baseline-week-not-over",
    "D-5.1.3",
    CASE,
    _unfinished_week,
    "the business case rests on a week that was not over",
)
made.written(
    "baseline-without-cost",
    "D-5.1.3",
    CASE,
    lambda d: d.update(baseline_cost_cents=0),
    "the business case states no cost",
)
made.written(
    "goal-left-out",
    "D-5.1.3",
    CASE,
    lambda d: d["goals"].pop("KB.4"),
    "the business case leaves out a goal of the procedure",
)
made.written(
    "computation-not-stated",
    "D-5.1.3",
    CASE,
    lambda d: d.update(revenue_positive=" "),
    "the business case does not say how revenue is computed",
)
made.outdated(
    "register-reviewed-is-another",
    ["D-5.1.4", "D-6.3.4"],
    REGISTER,
    lambda d: d["risks"][0].update(title="something harmless"),
    "the risk register that was reviewed is not the one that the QA Lead signed",
    signed="D-6.3.4",
)
made.stated(
    "risks-reviewed-before-the-change",
    "D-5.1.4",
    [entry(role, made_ago_s=3 * DAY_S) for role in ("executive_team", "security_lead")],
    "the risks were reviewed before the register's last change",
)
made.stated(
    "risks-reviewed-long-ago",
    "D-5.1.4",
    [entry(role, made_ago_s=8 * DAY_S) for role in ("executive_team", "security_lead")],
    "the review of the risks has expired",
)
made.written(
    "risk-that-stops",
    "D-5.1.4",
    REGISTER,
    lambda d: d["risks"][1].update(decision="stop"),
    "it was decided that a risk stops the launch",
)
made.stated(
    "approval-ends-before-launch",
    ["D-5.1.5", "D-5.D.1"],
    [*approve()[:3], entry("security_lead", after=REVIEWS, holds_s=2 * DAY_S)],
    "an approval ends before launch day",
)
made.written(
    "approval-of-another-version",
    "D-5.1.5",
    APPROVAL,
    lambda d: d.update(version="v1.9.0"),
    "the approval is about another version",
)
made.written(
    "approval-without-scope",
    "D-5.1.5",
    APPROVAL,
    lambda d: d.update(scope=[]),
    "the approval names no scope",
)
made.written(
    "approval-without-a-paper",
    "D-5.1.5",
    APPROVAL,
    lambda d: d["documents"].pop("business-case.md"),
    "the approval does not name one of the papers that were reviewed",
)
made.written(
    "case-changed-after-approval",
    "D-5.1.5",
    CASE,
    lambda d: d["objectives"].pop(),
    "the business case was changed after the final approval",
    reported=False,
)
made.outdated(
    "runbook-known-is-another",
    ["D-5.3.4", "D-7.4.3"],
    RUNBOOK,
    lambda d: d["steps"][0].update(action="run it"),
    "the emergency runbook that everybody knows is not the one that was reviewed",
    signed="D-7.4.3",
)
made.written(
    "runbook-of-four-questions",
    "D-5.3.4",
    RUNBOOK,
    lambda d: d["questions"].pop(),
    "the emergency runbook asks four questions",
)


@fault(
    "tag-moved",
    expect_fail=["D-5.D.1", "D-6.D.3"],
    touches=["release/tag"],
    title="the release's tag names another commit than the one that was approved",
)
def tag_moved(r: Rehearsal) -> None:
    release.move_tag(r)


@tag_moved.revert
def tag_as_it_was(r: Rehearsal) -> None:
    release.restore_tag(r)


# -- what the day's documents add ----------------------------------------------------------------

messages = Stating(__name__, "D-5.2.1")
PLAN = "communication-plan.md"


def _day_before(data: dict[str, Any]) -> None:
    data["messages"][0]["send_at"] -= timedelta(days=2)


messages.written(
    "planned-message-of-nobody",
    "D-5.D.2",
    PLAN,
    lambda d: d["messages"][0].update(owner="gloria"),
    "a planned message has no owner on the roster",
)
messages.written(
    "planned-message-before-go",
    "D-5.D.2",
    PLAN,
    _day_before,
    "a planned message leaves before the go/no-go",
)
messages.written(
    "planned-message-to-nobody",
    "D-5.D.2",
    PLAN,
    lambda d: d["messages"][0].update(recipients=0),
    "a planned message goes to nobody",
)
messages.written(
    "plan-of-three-messages",
    "D-5.D.2",
    PLAN,
    lambda d: d.update(messages=d["messages"][:3]),
    "the communication plan has three messages",
)
