"""Faults of Day -7: roles, protocol, runbook and timeline as people wrote and signed them."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people
from rehearsal.staff.scripted_statements import entry, holders, without

made = Stating(__name__)
ROLES, PROTOCOL = "role-table.md", "communication-protocol.md"
RUNBOOK, TIMELINE = "emergency-runbook.md", "launch-timeline.md"

made.stated("roles-not-confirmed", "D-7.4.1", [], "nobody has signed the role table")
made.stated(
    "roles-confirmed-by-another",
    "D-7.4.1",
    [entry("product_manager")],
    "the role table is signed by the Product Manager",
)
made.written(
    "role-without-backup",
    "D-7.4.1",
    ROLES,
    lambda d: d["shifts"][0].update(backup=d["shifts"][0]["primary"]),
    "the backup of a role is its holder",
)
made.written(
    "primary-in-two-roles",
    "D-7.4.1",
    ROLES,
    lambda d: d["shifts"][1].update(primary=d["shifts"][8]["primary"]),
    "somebody is primary in two roles at once",
)
made.altered(
    "role-table-altered",
    "D-7.4.1",
    ROLES,
    lambda d: d["shifts"][2].update(ends="18:00"),
    "the role table was altered after it was signed",
)

made.stated(
    "protocol-not-known",
    "D-7.4.2",
    without(holders(), "petra"),
    "a role holder has not acknowledged the communication protocol",
)
made.stated(
    "protocol-read-long-ago",
    "D-7.4.2",
    [*without(holders(), "tess"), entry("technical_lead", made_ago_s=8 * DAY_S)],
    "an acknowledgement of the communication protocol has expired",
)
made.written(
    "channels-are-one",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d.update(fallback_channel=d["primary_channel"]),
    "the fallback channel is the primary one",
)
made.altered(
    "protocol-altered",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d["update_minutes"].update(critical=60),
    "the communication protocol was altered after it was signed",
)

made.written(
    "runbook-lacks-a-trigger",
    "D-7.4.3",
    RUNBOOK,
    lambda d: d["triggers"].pop(2),
    "the emergency runbook lacks the trigger of failing payments",
)
made.written(
    "runbook-names-no-command",
    "D-7.4.3",
    RUNBOOK,
    lambda d: d["steps"][0].update(command="undo-everything"),
    "the emergency runbook names a command that does not exist",
)
made.stated(
    "runbook-signed-by-another",
    "D-7.4.3",
    [entry("qa_lead")],
    "the emergency runbook is signed by the QA Lead",
)

made.stated(
    "timeline-read-long-ago",
    "D-7.4.5",
    [entry("technical_lead", made_ago_s=8 * DAY_S)],
    "the review of the timeline has expired",
)


def _swapped(data: dict[str, Any]) -> None:
    slots = data["slots"]
    slots[4], slots[5] = slots[5], slots[4]


made.written(
    "phases-swapped", "D-7.4.5", TIMELINE, _swapped, "two phases of the timeline are swapped"
)
made.written(
    "phase-without-gate",
    "D-7.4.5",
    TIMELINE,
    lambda d: d["slots"][3].update(gate=False),
    "a phase of the timeline has no go/no-go",
)
made.written(
    "timeline-in-another-zone",
    "D-7.4.5",
    TIMELINE,
    lambda d: d.update(utc_offset="+00:00"),
    "the timeline's hours are those of another time zone than the calendar's",
)


# -- roles and timeline against each other, the roster and the day -------------------------------

QA, PERFORMANCE = 6, 4
"""Shifts of the role table."""


def _second_primary(data: dict[str, Any]) -> None:
    shift = dict(data["shifts"][QA])
    data["shifts"].append(shift | {"primary": "theo", "backup": "quinn", "starts": "12:00"})


made.stated(
    "roles-confirmed-long-ago",
    "D-7.4.1",
    [entry("technical_lead", made_ago_s=8 * DAY_S)],
    "the signature over the role table has expired",
)
made.written(
    "role-table-of-another-day",
    ["D-7.4.1", "D-3.1.4"],
    ROLES,
    lambda d: d.update(date="2026-12-08"),
    "the role table is that of another day",
)
made.written(
    "role-with-two-primaries",
    ["D-7.4.1", "D-3.1.4", "D-5.3.2"],
    ROLES,
    _second_primary,
    "two people are primary QA Lead from noon on",
)
made.written(
    "role-held-by-another",
    ["D-7.4.1", "D-5.3.2"],
    ROLES,
    lambda d: d["shifts"][PERFORMANCE].update(backup="theo"),
    "somebody backs up a role that the roster does not give him",
)
made.written(
    "role-held-by-a-stranger",
    ["D-7.4.1", "D-3.1.4", "D-5.3.2", "D-5.3.4", "D-5.D.3", "D-7.D.3"],
    ROLES,
    lambda d: d["shifts"][QA].update(backup="gloria"),
    "somebody who is not on the roster backs up a role",
)
made.written(
    "role-not-in-the-table",
    ["D-7.4.1", "D-3.1.4", "D-5.3.2", "D-6.3.4"],
    ROLES,
    lambda d: d["shifts"].pop(PERFORMANCE),
    "the role table lacks the Performance Lead",
)
made.written(
    "role-placeholder-left",
    "D-7.4.1",
    ROLES,
    lambda d: d["shifts"][QA].update(backup="[Name]"),
    "the role table says [Name]",
)


@fault(
    "one-person-under-two-ids",
    expect_fail=["D-7.4.1", "D-3.1.4", "D-5.1.5", "D-2.2.4"],
    touches=["roster/sanjay"],
    title="the Security Lead is the Technical Lead under another id",
)
def one_person_under_two_ids(r: Rehearsal) -> None:
    r.override("people", sanjay={"name": "Tess Lindqvist"})
    people.roster(r)


@one_person_under_two_ids.revert
def two_people_again(r: Rehearsal) -> None:
    r.clear_override("people", "sanjay")
    people.roster(r)


@fault(
    "lead-without-phone",
    expect_fail=["D-3.1.4"],
    touches=["roster/ines"],
    title="the roster has no phone number of the Integration Lead",
)
def lead_without_phone(r: Rehearsal) -> None:
    r.override("people", ines={"phone": ""})
    people.roster(r)


@lead_without_phone.revert
def lead_with_phone(r: Rehearsal) -> None:
    r.clear_override("people", "ines")
    people.roster(r)


made.written(
    "block-not-in-the-timeline",
    ["D-7.4.1", "D-7.4.5"],
    TIMELINE,
    lambda d: d["slots"].pop(8),
    "the timeline lacks a block of launch day",
)
made.written(
    "timeline-of-another-day",
    "D-7.4.5",
    TIMELINE,
    lambda d: d.update(date="2026-12-08"),
    "the timeline is that of another day",
)
made.written(
    "block-of-another-owner",
    "D-7.4.5",
    TIMELINE,
    lambda d: d["slots"][8].update(owner="qa_lead"),
    "the timeline gives a block to another role than the procedure",
)
made.written(
    "blocks-overlap",
    "D-7.4.5",
    TIMELINE,
    lambda d: d["slots"][4].update(ends="11:45"),
    "two blocks of the timeline overlap",
)
made.written(
    "phase-4-without-room",
    ["D-7.4.5", "D-7.D.4"],
    TIMELINE,
    lambda d: d["slots"][6].update(ends="16:45"),
    "phase 4 ends too late for a rollback on launch day",
)
made.stated(
    "timeline-signed-by-another",
    "D-7.4.5",
    [entry("qa_lead")],
    "the timeline is signed by the QA Lead",
)

# -- protocol -----------------------------------------------------------------------------------

made.written(
    "spokesperson-unknown",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d.update(spokesperson="gloria"),
    "whoever speaks for the team is not on the roster",
)
made.written(
    "severity-left-out",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d["update_minutes"].pop("low"),
    "the protocol does not say how often the team is told of what is low",
)
made.written(
    "severity-never-told",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d["update_minutes"].update(low=0),
    "the team is never told of what is low",
)
made.written(
    "decider-nobody-is",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d["decision_path"].append("king"),
    "a role decides that nobody holds",
)
made.written(
    "path-of-decision-empty",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d.update(decision_path=[]),
    "the protocol does not say who decides",
)
made.written(
    "fallback-channel-blank",
    "D-7.4.2",
    PROTOCOL,
    lambda d: d.update(fallback_channel=" "),
    "the protocol names no fallback channel",
)

# -- runbook ------------------------------------------------------------------------------------

made.written(
    "runbook-lacks-a-step",
    "D-7.4.3",
    RUNBOOK,
    lambda d: d["steps"].pop(3),
    "the emergency runbook lacks a step of the rollback",
)
made.written(
    "runbook-step-of-nobody",
    "D-7.4.3",
    RUNBOOK,
    lambda d: d["steps"][0].update(owner="king"),
    "a step of the rollback is of a role that nobody holds",
)
made.written(
    "runbook-step-without-limit",
    "D-7.4.3",
    RUNBOOK,
    lambda d: d["steps"][0].update(limit_minutes=0),
    "a step of the rollback has no time limit",
)
made.written(
    "runbook-of-other-minutes",
    ["D-7.4.3", "D-3.2.5"],
    RUNBOOK,
    lambda d: d["triggers"][0].update(minutes=15),
    "the emergency runbook rolls back after 15 minutes of downtime",
)
made.written(
    "trigger-decided-by-nobody",
    ["D-7.4.3", "D-3.2.5"],
    RUNBOOK,
    lambda d: d["triggers"][3].update(decider="king"),
    "a trigger is decided by a role that nobody holds",
)
made.written(
    "trigger-without-command",
    ["D-7.4.3", "D-3.2.5"],
    RUNBOOK,
    lambda d: d["triggers"][3].update(command="undo-everything"),
    "a trigger names a command that does not exist",
)
made.written(
    "trigger-without-limit",
    ["D-7.4.3", "D-3.2.5"],
    RUNBOOK,
    lambda d: d["triggers"][3].update(limit_minutes=0),
    "a trigger has no time limit",
)
made.written(
    "trigger-of-other-errors",
    ["D-7.4.3", "D-3.2.5"],
    RUNBOOK,
    lambda d: d["triggers"][1].update(threshold=5, minutes=30),
    "the emergency runbook rolls back at 5 % of errors in 30 minutes",
)
made.reworded(
    "runbook-placeholder-left",
    "D-7.4.3",
    RUNBOOK,
    ("says so in the war room", "says so to [Name]"),
    "the emergency runbook says [Name]",
)
made.stated(
    "runbook-reviewed-long-ago",
    "D-7.4.3",
    [entry("technical_lead", made_ago_s=8 * DAY_S)],
    "the review of the emergency runbook has expired",
)

# -- what the day's documents add ----------------------------------------------------------------

rehearsed = Stating(__name__, "D-7.1.1")
rehearsed.written(
    "procedure-follows-another-timeline",
    "D-7.D.4",
    "launch-procedure.md",
    lambda d: d.update(timeline_sha256="0" * 64),
    "the launch procedure quotes another timeline",
)


@fault(
    "events-with-another-timeline",
    expect_fail=["D-7.D.4"],
    touches=["messages/calendar"],
    title="an event of launch day quotes another timeline",
    waits_for=["D-7.1.1"],
)
def events_with_another_timeline(r: Rehearsal) -> None:
    quoted = {"description": f"Timeline SHA-256: {'0' * 64}"}
    r.override("messages", **{"calendar-timeline": {"events": {"block-0900": quoted}}})


@events_with_another_timeline.revert
def events_with_the_timeline(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-timeline")


@fault(
    "deviation-of-nobody",
    expect_fail=["D-7.D.1"],
    touches=["saas-stubs/tracker"],
    title="a deviation of the rehearsal has no owner, and is critical",
    waits_for=["D-7.1.1"],
)
def deviation_of_nobody(r: Rehearsal) -> None:
    saas_stubs.with_issue(r, "deviation-of-nobody", severity="critical", labels=["launch"])


@deviation_of_nobody.revert
def no_deviation(r: Rehearsal) -> None:
    saas_stubs.restore(r, "deviation-of-nobody")
