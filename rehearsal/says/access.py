"""Access: everybody accepts the own role in person."""

from __future__ import annotations

from rehearsal.says import everybody
from rehearsal.script import Entry, states
from rehearsal.world import Rehearsal


@states("D-5.3.2")
def accepts_the_role(_: Rehearsal) -> list[Entry]:
    return everybody()
