"""Faults of Days -3 to -1: briefings, procedures, risks and the go/no-go meeting."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs as verbs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import calendar, people, saas_stubs
from rehearsal.staff.scripted_statements import entry
from rehearsal.staff.scripted_statements.launch_day import five

made = Stating(__name__)
ROLES, PROCEDURE, RUNBOOK = "role-table.md", "launch-procedure.md", "emergency-runbook.md"
TECHNICAL, BUSINESS = "briefing-technical.md", "briefing-business.md"
SUPPORT, MANAGEMENT = "briefing-support.md", "briefing-management.md"
REGISTER, ANALYSIS, SCENARIOS = "risk-register.md", "risk-benefit.md", "scenarios.md"
MEETING = "go-no-go.md"


def _add_high_risk(data: dict[str, Any]) -> None:
    risk = dict(data["risks"][1])
    data["risks"].append(risk | {"id": "R-11", "title": "another one"})


# -- Day -3 -------------------------------------------------------------------------------------

made.written(
    "hour-without-primary",
    "D-3.1.4",
    ROLES,
    lambda d: d["shifts"][8].update(ends="10:00"),
    "nobody is primary Technical Lead after 10:00",
)
made.stated(
    "roster-signed-long-ago",
    "D-3.1.4",
    [entry("technical_lead", made_ago_s=4 * DAY_S)],
    "the signature over the launch roster has expired",
)
made.stated(
    "procedure-signed-by-one",
    "D-3.2.1",
    [entry("technical_lead")],
    "only one of two leads has signed the launch procedure",
)
made.written(
    "runbook-of-five-percent",
    "D-3.2.5",
    RUNBOOK,
    lambda d: d["triggers"][2].update(threshold=5),
    "the emergency procedures roll back at 5 % of failing payments",
)
made.stated(
    "security-lead-signed-long-ago",
    "D-3.2.5",
    [
        entry("technical_lead"),
        entry("devops_lead"),
        entry("security_lead", made_ago_s=4 * DAY_S),
    ],
    "the Security Lead's review of the emergency procedures has expired",
)
made.written(
    "engineer-not-briefed",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d["attendees"].remove("ivan"),
    "an engineer was not at the technical briefing",
)
made.written(
    "old-commit-presented",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d.update(commit="0" * 40),
    "the technical briefing was about another commit",
)
made.stated(
    "briefing-signed-by-another",
    "D-3.3.1",
    [entry("product_manager")],
    "the technical briefing is signed by the Product Manager",
)
made.written(
    "wrong-limit-presented",
    "D-3.3.2",
    BUSINESS,
    lambda d: d["metrics"].update({"KB.3": 95}),
    "the business team was given another limit of payment success",
)
made.written(
    "business-not-briefed",
    "D-3.3.2",
    BUSINESS,
    lambda d: d["attendees"].remove("felix"),
    "somebody of the business was not briefed",
)
made.written(
    "support-not-briefed",
    "D-3.3.3",
    SUPPORT,
    lambda d: d["attendees"].remove("joel"),
    "somebody of support was not briefed",
)
made.written(
    "answer-in-two-hours",
    "D-3.3.3",
    SUPPORT,
    lambda d: d.update(response_hours=2),
    "support was told to answer within two hours",
)
made.stated(
    "management-briefing-signed-by-another",
    "D-3.3.4",
    [entry("technical_lead")],
    "the management briefing is signed by the Technical Lead",
)
made.written(
    "executive-deputy-absent",
    "D-3.3.4",
    MANAGEMENT,
    lambda d: d["attendees"].remove("marcus"),
    "the executive's deputy was not at the management briefing",
)
made.written(
    "log-says-nothing",
    "D-3.3.5",
    "questions-support.md",
    lambda d: d.update(none_raised=False),
    "the log of a briefing has neither questions nor a word that there were none",
)


@fault(
    "question-open",
    expect_fail=["D-3.3.5"],
    touches=["saas-stubs/tracker"],
    title="a question of the briefings is open",
)
def question_open(r: Rehearsal) -> None:
    verbs.reopened(r, "question-open", 341)


@question_open.revert
def answer_it(r: Rehearsal) -> None:
    verbs.restore(r, "question-open")


@fault(
    "war-room-ends-early",
    expect_fail=["D-3.1.1"],
    touches=["messages/calendar"],
    title="the war room is booked until 13:00",
)
def war_room_ends_early(r: Rehearsal) -> None:
    end = {"dateTime": f"{saas_stubs.LAUNCH}T13:00:00-05:00", "timeZone": calendar.ZONE}
    r.override("messages", **{"calendar-war-room": {"events": {"war-room": {"end": end}}}})


@war_room_ends_early.revert
def book_the_afternoon(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-war-room")


@fault(
    "backup-bridge-gone",
    expect_fail=["D-3.1.1"],
    touches=["saas-stubs/pages/bridge-backup"],
    title="the backup bridge answers 404",
)
def backup_bridge_gone(r: Rehearsal) -> None:
    verbs.page_status(r, "backup-bridge-gone", "/bridge-backup", 404)


@backup_bridge_gone.revert
def bring_it_back(r: Rehearsal) -> None:
    verbs.restore(r, "backup-bridge-gone")


made.stated("war-room-signed-by-another", "D-3.1.1", [entry("qa_lead")], "signed by the QA Lead")

# -- Day -2 -------------------------------------------------------------------------------------

made.written(
    "risk-scored-long-ago",
    "D-2.1.3",
    REGISTER,
    lambda d: d["risks"][0].update(scored_on="2026-01-05"),
    "a risk was scored months ago",
)
made.stated(
    "register-signed-by-another",
    "D-2.1.3",
    [entry("qa_lead")],
    "the risk register is signed by the wrong role",
)
made.written(
    "accepted-issue-without-risk",
    "D-2.1.3",
    REGISTER,
    lambda d: d["risks"][5].update(covers=[]),
    "no risk covers the known issues",
)
made.written(
    "high-risk-not-weighed",
    "D-2.2.2",
    ANALYSIS,
    lambda d: d["risks"].pop(),
    "a high risk is not weighed",
)
made.stated(
    "analysis-without-executive",
    "D-2.2.2",
    [entry("product_manager")],
    "no executive has signed the risk/benefit analysis",
)
made.written(
    "no-abort-of-phase-3",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"].pop(4),
    "there is no plan to abort phase 3",
)
made.written(
    "flag-that-does-not-exist",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][0].update(flags=["launch-lights"]),
    "a scenario names a feature flag that does not exist",
)
made.stated(
    "stakeholder-silent",
    "D-2.2.4",
    five(data={"input": "go", "conditions": []})[:4],
    "a stakeholder has not said anything",
)
made.stated(
    "condition-without-issue",
    "D-2.2.4",
    five(data={"input": "conditional", "conditions": [4711]}),
    "a condition has no issue in the tracker",
)

# -- Day -1 -------------------------------------------------------------------------------------

made.stated("security-lead-absent", "D-1.1.1", five()[:3] + five()[4:], "no security in the room")
made.stated(
    "present-with-another-key",
    "D-1.1.1",
    [*five()[:4], entry("executive_team", key="tess")],
    "one key signed for two people in the meeting",
)
made.stated(
    "another-report-presented",
    "D-1.1.2",
    [entry("executive_team")],
    "the final status report is not what was presented",
)
made.written(
    "high-risk-undecided",
    "D-1.1.3",
    MEETING,
    lambda d: d["risks"].pop(),
    "a high risk was not decided",
)
made.written(
    "mitigated-after-launch",
    "D-1.1.3",
    MEETING,
    lambda d: d["risks"][0].update(done_by="2026-12-09"),
    "a mitigation is done after the launch",
)
made.written(
    "high-risk-added-after-the-meeting",
    "D-1.1.3",
    REGISTER,
    _add_high_risk,
    "a high risk was added after the meeting",
    reported=False,
)
made.written(
    "decided-on-another-commit",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(commit="0" * 40),
    "the decision is about another commit",
)
made.written(
    "decided-on-no-package",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(package_sha256=""),
    "the record does not say which package was decided on",
)
made.stated(
    "decision-without-executive",
    "D-1.1.5",
    five()[:4],
    "no executive has signed the decision",
)
made.stated(
    "procedures-without-executive",
    "D-1.3.2",
    five()[:2] + five()[3:4],
    "no executive has signed the emergency procedures",
)
made.written(
    "escalation-of-45-minutes",
    "D-1.3.2",
    RUNBOOK,
    lambda d: d["escalation_minutes"].__setitem__(1, 45),
    "the emergency procedures tell the executive team after 45 minutes",
)

# -- What the documents of these days add up ----------------------------------------------------


@fault(
    "joined-after-the-briefings",
    expect_fail=["D-3.D.2"],
    touches=["roster/greta"],
    title="there is another data protection officer since the briefings",
)
def joined_after_the_briefings(r: Rehearsal) -> None:
    r.override("people", greta={"id": "gloria", "name": "Gloria Voss"})
    people.roster(r)


@joined_after_the_briefings.revert
def the_one_who_was_briefed(r: Rehearsal) -> None:
    r.clear_override("people", "greta")
    people.roster(r)


def _drop_in_silence(data: dict[str, Any]) -> None:
    data["risks"][8].update(id="R-11", title="another one")


made.written(
    "risk-dropped-in-silence",
    "D-2.D.3",
    REGISTER,
    _drop_in_silence,
    "a risk is gone from the register without a word",
)
