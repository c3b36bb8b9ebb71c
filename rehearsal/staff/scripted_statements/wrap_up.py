"""The evening of the launch: everybody's own feedback."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, holders, states


def feedback() -> list[Entry]:
    """One entry for each holder of a role, over the own paper."""
    return [{**e, "papers": [f"feedback-{e['by']}.md"]} for e in holders()]


@states("T0-1600.2.4")
def gives_feedback(_: Rehearsal) -> list[Entry]:
    return feedback()
