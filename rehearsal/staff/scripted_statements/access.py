"""Access: everybody accepts the own role in person."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, everybody, states


@states("D-5.3.2")
def accepts_the_role(_: Rehearsal) -> list[Entry]:
    return everybody()
