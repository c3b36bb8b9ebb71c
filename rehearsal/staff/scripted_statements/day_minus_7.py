"""Day -7: what everybody states in person."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, holders, states


@states("D-7.4.2")
def knows_the_protocol(_: Rehearsal) -> list[Entry]:
    return holders()
