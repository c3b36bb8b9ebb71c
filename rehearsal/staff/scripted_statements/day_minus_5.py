"""Day -5: the final approval after the reviews, and what everybody states in person."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people
from rehearsal.staff.launch_tools import PREVIOUS
from rehearsal.staff.scripted_statements import Entry, entry, everybody, states

APPROVERS = ("executive_team", "product_manager", "technical_lead", "security_lead")
REVIEWS = ["D-5.1.1", "D-5.1.2", "D-5.1.3", "D-5.1.4"]
RIGHT = ("technical_lead", "30", "emergency-rollback", PREVIOUS, "5")
"""The answers to the emergency runbook's questions, in their order."""


def acknowledge(answers: tuple[str, ...] = RIGHT) -> list[Entry]:
    """One entry for each of the team and of support, with their answers."""
    said = {"answers": list(answers)}
    support = [
        {"by": p.id, "role": role, "data": said}
        for p in people.PEOPLE
        for role in [r for r in (*p.roles, *p.backs_up) if r.startswith("support")][:1]
    ]
    return [*everybody(data=said), *support]


def approve(**fields: object) -> list[Entry]:
    """One entry for each of the four who approve, once the reviews are stated."""
    return [entry(role, **{"after": REVIEWS, **fields}) for role in APPROVERS]


@states("D-5.1.4")
def reviews_the_risks(_: Rehearsal) -> list[Entry]:
    return [entry(role, after=["D-6.3.4"]) for role in ("executive_team", "security_lead")]


@states("D-5.1.5")
def approves(_: Rehearsal) -> list[Entry]:
    return approve()


@states("D-5.3.4")
def knows_the_runbook(_: Rehearsal) -> list[Entry]:
    first, *others = acknowledge()  # once it has been reviewed
    return [{**first, "after": ["D-7.4.3"]}, *others]
