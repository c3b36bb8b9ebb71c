"""Day -1 and launch day: everybody in person."""

from __future__ import annotations

from typing import Any

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, entry, everybody, states

PRIMARY_ROLES = (
    "technical_lead",
    "devops_lead",
    "product_manager",
    "security_lead",
    "executive_team",
)


HOURS = "06:00-17:00"
"""For which everybody is available on launch day: those of the role table."""


def five(**fields: Any) -> list[Entry]:
    """One entry for the holder of each primary role."""
    return [entry(role, **fields) for role in PRIMARY_ROLES]


def inputs(said: str = "go", *, reason: str = "every measure holds", **fields: Any) -> list[Entry]:
    """One entry for each stakeholder: what is said on the final status report, and why."""
    conditions = fields.pop("conditions", [])
    data = {"input": said, "reason": reason, "conditions": conditions}
    return five(**{"data": data, "documents": ["final-status-report.html"], **fields})


@states("D-2.2.4")
def gives_input(_: Rehearsal) -> list[Entry]:
    return inputs()


@states("D-1.1.1")
def was_present(_: Rehearsal) -> list[Entry]:
    return five()


@states("D-1.1.2")
def presented(_: Rehearsal) -> list[Entry]:
    return [entry("executive_team", documents=["final-status-report.html"])]


def hours() -> list[Entry]:
    """One entry for everybody, with the hours of launch day."""
    return everybody(data={"hours": HOURS})


@states("D-1.3.5")
def available(_: Rehearsal) -> list[Entry]:
    return hours()


@states("T0-0600.1.1")
def checks_in(_: Rehearsal) -> list[Entry]:
    return everybody()


@states("T0-0800.3.2")
def signs_role_card(_: Rehearsal) -> list[Entry]:
    return everybody()


@states("T0-0600.1.5")
def confirms_the_timeline(_: Rehearsal) -> list[Entry]:
    owners = ("technical_lead", "devops_lead", "integration_lead", "performance_lead")
    return [entry(role) for role in (*owners, "product_manager")]


@states("T0-0900.3.4")
def votes(_: Rehearsal) -> list[Entry]:
    return [entry(role, data={"vote": "go"}) for role in PRIMARY_ROLES[:4]]
