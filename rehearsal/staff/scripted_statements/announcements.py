"""What is reported on launch day: who signs what the press got."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, entry, states

ROLES = ("product_manager", "executive_team")


def no_press(**fields: object) -> list[Entry]:
    """One entry for each of those who agree that there is no press work."""
    return [entry(role, data={"press": "none"}, **fields) for role in ROLES]


@states("T0-1230.3.5")
def sent_the_release(_: Rehearsal) -> list[Entry]:
    return [entry(role, papers=["announcement-press.md", "message-press.md"]) for role in ROLES]
