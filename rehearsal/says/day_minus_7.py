"""Day -7: what everybody states in person."""

from __future__ import annotations

from rehearsal.says import holders
from rehearsal.script import Entry, states
from rehearsal.world import Rehearsal


@states("D-7.4.2")
def knows_the_protocol(_: Rehearsal) -> list[Entry]:
    return holders()
