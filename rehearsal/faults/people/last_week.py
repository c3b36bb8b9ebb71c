"""Faults of Days -3 to -1: briefings, procedures, risks and the go/no-go meeting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs as verbs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import calendar, papers, people, saas_stubs, scripts
from rehearsal.staff.scripted_statements import entry
from rehearsal.staff.scripted_statements.launch_day import five, inputs

made = Stating(__name__)
ROLES, PROCEDURE, RUNBOOK = "role-table.md", "launch-procedure.md", "emergency-runbook.md"
TECHNICAL, BUSINESS = "briefing-technical.md", "briefing-business.md"
SUPPORT, MANAGEMENT = "briefing-support.md", "briefing-management.md"
REGISTER, ANALYSIS, SCENARIOS = "risk-register.md", "risk-benefit.md", "scenarios.md"
MEETING = "go-no-go.md"


REPORT = "final-status-report.html"
SOFIA = {"by": "sofia", "role": "security_lead"}
"""The Security Lead's backup, who was there."""
DELEGATES = entry("security_lead", data={"delegate": "sofia"})


def _seventeen_days_ago(data: dict[str, Any]) -> None:
    data["held_at"] -= timedelta(days=17)


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
    inputs()[:4],
    "a stakeholder has not said anything",
)
made.stated(
    "condition-without-issue",
    "D-2.2.4",
    inputs("conditional", conditions=[4711]),
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
    "stand-in-without-delegation",
    "D-1.1.1",
    [*five()[:3], SOFIA, *five()[4:]],
    "somebody stood in for the Security Lead at the meeting, who has not delegated that",
)
made.stated(
    "delegation-of-two-days-ago",
    "D-1.1.1",
    [*five()[:3], SOFIA, *five()[4:], {**DELEGATES, "made_ago_s": 2 * DAY_S}],
    "the Security Lead's delegation for the meeting has run out",
)
made.stated(
    "presence-signed-long-ago",
    "D-1.1.1",
    [*five()[:4], entry("executive_team", made_ago_s=2 * DAY_S)],
    "the executive signed two days ago to be at the meeting",
)


@fault(
    "one-voter-under-two-ids",
    expect_fail=["D-1.1.1"],
    touches=["roster/sanjay"],
    title="the Security Lead of the roster is the executive under another id",
)
def one_voter_under_two_ids(r: Rehearsal) -> None:
    r.override("people", sanjay={"name": people.holder("executive_team").name})
    people.roster(r)


@one_voter_under_two_ids.revert
def two_voters(r: Rehearsal) -> None:
    r.clear_override("people", "sanjay")
    people.roster(r)


@fault(
    "meeting-declined",
    expect_fail=["D-1.1.1"],
    touches=["messages/calendar"],
    title="the Security Lead has declined the go/no-go meeting",
)
def meeting_declined(r: Rehearsal) -> None:
    answer = {"sanjay": {"responseStatus": "declined"}}
    patch = {"events": {"go-no-go": {"attendees": answer}}}
    r.override("messages", **{"calendar-meeting-declined": patch})


@meeting_declined.revert
def meeting_accepted(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-meeting-declined")


made.stated(
    "report-presented-by-another",
    "D-1.1.2",
    [entry("product_manager", documents=[REPORT])],
    "the Product Manager signed that the final status report was presented",
)
made.stated(
    "report-presented-long-ago",
    "D-1.1.2",
    [entry("executive_team", documents=[REPORT], made_ago_s=2 * DAY_S)],
    "the final status report was presented two days ago",
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
made.stated(
    "risks-decided-without-executive",
    "D-1.1.3",
    [entry("product_manager")],
    "no executive has signed the decisions on risks",
)
made.stated(
    "risks-decided-long-ago",
    "D-1.1.3",
    [entry("executive_team", made_ago_s=2 * DAY_S)],
    "the decisions on risks were signed two days ago",
)
made.written(
    "risk-stops-the-launch",
    "D-1.1.3",
    MEETING,
    lambda d: d["risks"][1].update(decision="stop"),
    "the meeting decided to go although a risk stops the launch",
)
made.written(
    "signed-before-the-meeting",
    "D-1.1.3",
    MEETING,
    lambda d: d.update(held_at=d["held_at"] + timedelta(days=1)),
    "the decisions on risks were signed before the meeting",
)
made.written(
    "risks-decided-17-days-ago",
    "D-1.1.3",
    MEETING,
    _seventeen_days_ago,
    "the meeting that decided on risks was held 17 days ago",
)
criteria = Stating(__name__, "D-1.1.4")
criteria.written(
    "decided-17-days-ago",
    "D-1.1.5",
    MEETING,
    _seventeen_days_ago,
    "the meeting that decided was held 17 days ago",
)
criteria.written(
    "decided-on-a-package-that-is-gone",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(package_sha256="0" * 64),
    "no package lies there that goes by the digest in the record",
)
criteria.written(
    "decided-for-no-reason",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(reasons=""),
    "the record of the decision gives no reasons",
)
criteria.stated(
    "no-go-of-one-lead",
    "D-1.1.5",
    [{**e, "data": {"decision": "no-go"}} if e["by"] == "sanjay" else e for e in five()],
    "the Security Lead signed the record with a no-go",
)


@fault(
    "decision-signed-by-an-absentee",
    expect_fail=["D-1.1.5"],
    touches=["statements/D-1.1.1"],
    title="the Security Lead signed the decision, but had sent somebody else to the meeting",
    waits_for=["D-1.1.4"],
)
def decision_signed_by_an_absentee(r: Rehearsal) -> None:
    scripts.spoil(r, "D-1.1.1", [*five()[:3], SOFIA, *five()[4:], DELEGATES])


@decision_signed_by_an_absentee.revert
def decision_signed_by_who_was_there(r: Rehearsal) -> None:
    scripts.fix(r, "D-1.1.1")


criteria.written(
    "decided-on-another-commit",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(commit="0" * 40),
    "the decision is about another commit",
)
criteria.written(
    "decided-on-no-package",
    "D-1.1.5",
    MEETING,
    lambda d: d.update(package_sha256=""),
    "the record does not say which package was decided on",
)
criteria.stated(
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
made.stated(
    "procedures-reviewed-long-ago",
    "D-1.3.2",
    [*five()[:2], five()[3], entry("executive_team", made_ago_s=2 * DAY_S)],
    "the executive reviewed the emergency procedures two days ago",
)
made.written(
    "rollback-needs-approval",
    "D-1.3.2",
    RUNBOOK,
    lambda d: d.update(technical_lead_may_start=False),
    "the emergency procedures let nobody start a rollback without approval",
)


@fault(
    "procedures-not-signed-on-day-minus-3",
    expect_fail=["D-1.3.2", "D-3.2.5"],
    touches=["statements/D-3.2.5"],
    title="nobody has signed on Day -3 the emergency procedures that are reviewed on Day -1",
)
def procedures_not_signed_on_day_minus_3(r: Rehearsal) -> None:
    scripts.spoil(r, "D-3.2.5", [])


@procedures_not_signed_on_day_minus_3.revert
def procedures_signed(r: Rehearsal) -> None:
    scripts.fix(r, "D-3.2.5")


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

# -- what was signed before what it is about, and other relations --------------------------------

BEFORE_S = 2.8 * DAY_S
"""Before any hour of yesterday, when the briefings were held, and still in force."""


def _calendar(name: str, items: list[str], title: str, **event: Any) -> None:
    """The war room's event in the calendar is otherwise."""
    key = f"calendar-{name}"

    def step(r: Rehearsal) -> None:
        r.override("messages", **{key: {"events": {"war-room": event}}})

    step.__module__ = __name__
    made_ = fault(name, expect_fail=items, touches=["messages/calendar"], title=title)(step)
    made_.revert(lambda r: r.clear_override("messages", key))


def _at(day: int, hour: int) -> dict[str, str]:
    at = saas_stubs.LAUNCH + timedelta(days=day)
    return {"dateTime": f"{at}T{hour:02}:00:00-05:00", "timeZone": calendar.ZONE}


_calendar(
    "war-room-not-for-everybody",
    ["D-3.1.1", "D-5.D.3"],
    "somebody of the team is not invited to the war room",
    attendees={"quinn": None},
)
_calendar(
    "war-room-on-another-day",
    ["D-3.1.1"],
    "the war room is booked for the day after",
    start=_at(1, 6),
    end=_at(1, 17),
)
_calendar(
    "war-room-begins-late",
    ["D-3.1.1"],
    "the war room is booked from 07:00 on",
    start=_at(0, 7),
)
_calendar(
    "war-room-without-backup-bridge",
    ["D-3.1.1"],
    "the war room's event does not name the backup bridge",
    description="see the launch folder",
)
made.written(
    "war-room-of-another-event",
    "D-3.1.1",
    "war-room.md",
    lambda d: d.update(event="0" * 26),
    "the paper names another event than the calendar's",
)
made.written(
    "bridges-are-one",
    "D-3.1.1",
    "war-room.md",
    lambda d: d.update(backup_bridge=d["bridge"]),
    "the backup bridge is the bridge",
)
made.stated(
    "war-room-statement-ends-early",
    "D-3.1.1",
    [entry("technical_lead", holds_s=2 * DAY_S)],
    "the signature on the war room ends before launch day does",
)
made.stated(
    "war-room-signed-long-ago",
    "D-3.1.1",
    [entry("technical_lead", made_ago_s=5 * DAY_S)],
    "the signature on the war room has expired",
)
made.reworded(
    "procedure-names-no-command",
    "D-3.2.1",
    PROCEDURE,
    ("check-infrastructure --dry-run", "check-everything --dry-run"),
    "the launch procedure names a command that does not exist",
)
made.reworded(
    "procedure-lacks-a-command",
    "D-3.2.1",
    PROCEDURE,
    ("warm-caches --dry-run", "verify-deployment --dry-run"),
    "the launch procedure lacks one of the launch commands",
)
made.reworded(
    "procedure-lacks-a-box",
    "D-3.2.1",
    PROCEDURE,
    ("- [ ] T0-0600.1.1 ", "- T0-0600.1.1 "),
    "an item of launch day has no check box in the launch procedure",
)
made.reworded(
    "procedure-box-twice",
    "D-3.2.1",
    PROCEDURE,
    ("- [ ] T0-0600.1.2 ", "- [ ] T0-0600.1.1 "),
    "an item of launch day has two check boxes in the launch procedure",
)
made.written(
    "procedure-of-another-version",
    "D-3.2.1",
    PROCEDURE,
    lambda d: d.update(version="v1.9.0"),
    "the launch procedure is about another version",
)
made.stated(
    "procedure-signed-long-ago",
    "D-3.2.1",
    [entry(role, made_ago_s=4 * DAY_S) for role in ("technical_lead", "devops_lead")],
    "the review of the launch procedure has expired",
)
made.written(
    "other-migrations-presented",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d.update(migrations_sha256="0" * 64),
    "the technical briefing was about other migrations",
)
made.written(
    "rollback-not-presented",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d["commands"].remove("emergency-rollback"),
    "the technical briefing did not tell how to roll back",
)
made.written(
    "no-such-command-presented",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d["commands"].append("undo-everything"),
    "the technical briefing told of a command that does not exist",
)
made.written(
    "technical-briefing-long-ago",
    "D-3.3.1",
    TECHNICAL,
    lambda d: d.update(held_on=d["held_on"] - timedelta(days=5)),
    "the technical briefing was held six days ago",
)
made.stated(
    "briefing-signed-before-it-was-held",
    "D-3.3.1",
    [entry("technical_lead", made_ago_s=BEFORE_S)],
    "the technical briefing was signed before it was held",
)
made.stated(
    "briefing-statement-ends-early",
    "D-3.3.1",
    [entry("technical_lead", holds_s=2 * DAY_S)],
    "the signature on the technical briefing ends before launch day does",
)
made.written(
    "measure-not-presented",
    "D-3.3.2",
    BUSINESS,
    lambda d: d["metrics"].pop("KB.3"),
    "the business team was not told of a measure of success",
)
made.written(
    "announcements-at-other-hours",
    "D-3.3.2",
    BUSINESS,
    lambda d: d.update(announced_from="09:00"),
    "the business team was told other hours of the announcements",
)
made.stated(
    "business-briefing-signed-before-it-was-held",
    "D-3.3.2",
    [entry("product_manager", made_ago_s=BEFORE_S)],
    "the business briefing was signed before it was held",
)
made.stated(
    "business-briefing-signed-by-another",
    "D-3.3.2",
    [entry("qa_lead")],
    "the business briefing is signed by the QA Lead",
)
made.altered(
    "business-briefing-altered",
    "D-3.3.2",
    BUSINESS,
    lambda d: d["briefed_alone"].update(amy=d["held_on"]),
    "the business briefing was altered after it was signed",
)
made.written(
    "agent-on-shift-not-briefed",
    "D-3.3.3",
    "support-shifts.md",
    lambda d: d["shifts"][1]["agents"].append("leah"),
    "somebody answers customers on launch day who was not briefed",
)
made.written(
    "known-issue-not-presented",
    "D-3.3.3",
    SUPPORT,
    lambda d: d["known_issues"].pop(),
    "support was not told of a known issue",
)
made.written(
    "escalation-told-otherwise",
    "D-3.3.3",
    SUPPORT,
    lambda d: d["escalation_minutes"].__setitem__(1, 45),
    "support was told to wait 45 minutes for the executive team",
)
made.written(
    "template-not-presented",
    "D-3.3.3",
    SUPPORT,
    lambda d: d["papers"].pop("legal-notice.md"),
    "support does not know a template for customers",
)
made.written(
    "template-changed-after-briefing",
    "D-3.3.3",
    "legal-notice.md",
    lambda d: d.update(authority="the authority next door"),
    "a template for customers was changed after the briefing",
    reported=False,
)
made.stated(
    "support-briefing-signed-before-it-was-held",
    "D-3.3.3",
    [entry("product_manager", made_ago_s=BEFORE_S)],
    "the support briefing was signed before it was held",
)
made.stated(
    "support-briefing-signed-long-ago",
    "D-3.3.3",
    [entry("product_manager", made_ago_s=4 * DAY_S)],
    "the signature on the support briefing has expired",
)
made.written(
    "paper-not-presented",
    "D-3.3.4",
    MANAGEMENT,
    lambda d: d["papers"].pop("criteria.md"),
    "management was not told of the criteria",
)
made.written(
    "register-changed-after-briefing",
    "D-3.3.4",
    REGISTER,
    lambda d: d["risks"][0].update(trigger="a phone call"),
    "the risk register was changed after management was briefed",
    reported=False,
)
made.stated(
    "management-briefing-signed-before-it-was-held",
    "D-3.3.4",
    [entry("executive_team", made_ago_s=BEFORE_S)],
    "the management briefing was signed before it was held",
)
made.written(
    "question-answered-by-a-stranger",
    "D-3.3.5",
    "questions-technical.md",
    lambda d: d["questions"][0].update(answered_by="gloria"),
    "a question was answered by nobody of the roster",
)
made.written(
    "question-without-issue",
    "D-3.3.5",
    "questions-technical.md",
    lambda d: d["questions"][0].update(issue=4711),
    "the issue of a question is not there",
)
made.written(
    "question-without-answer",
    "D-3.3.5",
    "questions-technical.md",
    lambda d: d["questions"][0].update(answer=" "),
    "a question has no answer",
)
made.stated(
    "questions-signed-before-the-briefings",
    "D-3.3.5",
    [entry("technical_lead", made_ago_s=BEFORE_S)],
    "the logs of questions were signed before the briefings were held",
)
made.stated(
    "questions-signed-long-ago",
    "D-3.3.5",
    [entry("technical_lead", made_ago_s=4 * DAY_S)],
    "the signature over the logs of questions has expired",
)


@fault(
    "log-of-questions-gone",
    expect_fail=["D-3.3.5"],
    touches=["papers/questions-support.md"],
    title="a briefing has no log of questions",
)
def log_of_questions_gone(r: Rehearsal) -> None:
    (people.papers(r) / "questions-support.md").unlink()


@log_of_questions_gone.revert
def log_of_questions_there(r: Rehearsal) -> None:
    papers.write(r, "questions-support.md")


@fault(
    "label-of-questions-gone",
    expect_fail=["D-3.3.5"],
    touches=["saas-stubs/tracker"],
    title="the tracker has no label for questions any more",
)
def label_of_questions_gone(r: Rehearsal) -> None:
    verbs.without_label(r, "label-of-questions-gone", "launch-question")


@label_of_questions_gone.revert
def label_of_questions_there(r: Rehearsal) -> None:
    verbs.restore(r, "label-of-questions-gone")


made.written(
    "area-without-risk",
    "D-2.1.3",
    REGISTER,
    lambda d: d["risks"][4].update(area="db"),
    "the risk register has no risk of performance",
)
made.written(
    "risk-owned-by-a-stranger",
    ["D-2.1.3", "D-6.3.4"],
    REGISTER,
    lambda d: d["risks"][6].update(owner="gloria"),
    "a risk is owned by nobody of the roster",
)
made.stated(
    "rescored-register-signed-before",
    "D-2.1.3",
    [entry("product_manager", made_ago_s=1.7 * DAY_S)],
    "the risk register was signed before it was scored again",
)
made.written(
    "analysis-of-an-older-register",
    "D-2.2.2",
    ANALYSIS,
    lambda d: d.update(register_sha256="0" * 64),
    "the analysis weighs an older risk register",
)
made.written(
    "risk-weighed-in-part",
    "D-2.2.2",
    ANALYSIS,
    lambda d: d["risks"][0].update(net=" "),
    "a high risk has no net position",
)
made.written(
    "delay-not-weighed",
    "D-2.2.2",
    ANALYSIS,
    lambda d: d.update(week_of_delay=""),
    "the analysis does not say what a week of delay costs",
)
made.stated(
    "analysis-signed-long-ago",
    "D-2.2.2",
    [entry(role, made_ago_s=3 * DAY_S) for role in ("product_manager", "executive_team")],
    "the signatures over the risk/benefit analysis have expired",
)
made.written(
    "scenario-of-nobody",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][1].update(decider="king"),
    "a scenario is decided by a role that nobody holds",
)
made.written(
    "scenario-twice",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"].append(d["scenarios"][2] | {"limit_minutes": 20}),
    "a phase has two plans to abort it",
)
made.written(
    "scenario-without-limit",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][1].update(limit_minutes=0),
    "a scenario has no time limit",
)
made.written(
    "scenario-without-trigger",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][1].update(trigger=" "),
    "a scenario has no trigger",
)
made.written(
    "abort-without-command",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][3].update(commands=[]),
    "a plan to abort a phase names no command",
)
made.written(
    "abort-of-no-such-command",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][3].update(commands=["undo-everything"]),
    "a plan to abort a phase names a command that does not exist",
)
made.written(
    "abort-of-45-minutes",
    "D-2.2.3",
    SCENARIOS,
    lambda d: d["scenarios"][5].update(limit_minutes=45),
    "phase 4 may take 45 minutes to abort",
)
made.stated(
    "scenarios-signed-by-one",
    "D-2.2.3",
    [entry("product_manager")],
    "the Technical Lead has not signed the scenarios",
)
made.stated(
    "scenarios-agreed-long-ago",
    "D-2.2.3",
    [entry(role, made_ago_s=3 * DAY_S) for role in ("product_manager", "technical_lead")],
    "the signatures over the scenarios have expired",
)
made.stated(
    "input-without-the-report",
    "D-2.2.4",
    inputs(documents=[]),
    "stakeholders' input is on another status report",
)
made.stated(
    "input-without-reason",
    "D-2.2.4",
    inputs(reason=""),
    "stakeholders give no reason",
)
made.stated(
    "input-neither-go-nor-no-go",
    "D-2.2.4",
    inputs("perhaps"),
    "a stakeholder says neither go nor no-go",
)
made.stated(
    "conditional-without-condition",
    "D-2.2.4",
    inputs("conditional"),
    "a stakeholder says conditional, and names no condition",
)
made.stated(
    "input-with-anothers-key",
    "D-2.2.4",
    [*inputs()[:4], {**inputs()[4], "key": "tess"}],
    "one key signed the input of two stakeholders",
)
made.stated(
    "input-of-three-days-ago",
    "D-2.2.4",
    inputs(made_ago_s=3 * DAY_S),
    "stakeholders' input has expired",
)
made.written(
    "stakeholder-not-registered",
    "D-2.2.4",
    "stakeholders.md",
    lambda d: d["people"].remove("omar"),
    "nobody of DevOps is registered as a stakeholder",
)
made.written(
    "high-risk-of-nobody",
    ["D-2.D.3", "D-2.1.3", "D-6.3.4"],
    REGISTER,
    lambda d: d["risks"][1].update(owner="gloria"),
    "a high risk is owned by nobody who can sign",
)
