"""Faults of Day -7: roles, protocol, runbook and timeline as people wrote and signed them."""

from __future__ import annotations

from typing import Any

from rehearsal.faults.people.stating import DAY_S, Stating
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
