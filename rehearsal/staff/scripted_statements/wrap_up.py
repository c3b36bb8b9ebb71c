"""The evening of the launch: everybody's own feedback."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people
from rehearsal.staff.scripted_statements import Entry, holders, states


def holders_own() -> list[Entry]:
    """One entry for each holder of a role, over the own paper."""
    return [{**e, "papers": [f"feedback-{e['by']}.md"]} for e in holders()]


def feedback() -> list[Entry]:
    """The same, the Product Manager's over all papers."""
    own = holders_own()
    everything = [name for e in own for name in e["papers"]]
    manager = people.holder("product_manager").id
    return [{**e, "papers": everything} if e["by"] == manager else e for e in own]


@states("T0-1600.2.4")
def gives_feedback(_: Rehearsal) -> list[Entry]:
    return feedback()
