"""The evening of the launch: everybody's own feedback."""

from __future__ import annotations

from rehearsal.says import holders
from rehearsal.script import Entry, states
from rehearsal.world import Rehearsal


def feedback() -> list[Entry]:
    """One entry for each holder of a role, over the own paper."""
    return [{**e, "papers": [f"feedback-{e['by']}.md"]} for e in holders()]


@states("T0-1600.2.4")
def gives_feedback(_: Rehearsal) -> list[Entry]:
    return feedback()
