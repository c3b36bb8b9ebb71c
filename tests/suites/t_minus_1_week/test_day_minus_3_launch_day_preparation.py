"""Day -3: its documents, on literal papers."""

from __future__ import annotations

from datetime import date

import msgspec

from golive.deliverables import documents_of
from golive.papers.kinds import Briefing
from golive.reports.documents import read_document
from tests.suites.derived import ROLES, World


def test_everybody_of_today_was_briefed(world: World) -> None:
    world.in_order("D-3.D.2")
    assert world.broken("D-3.D.2") == ""
    document = read_document(documents_of(world.context)["D-3.D.2"])
    assert {f.name: f.value for f in document.figures}["people who were briefed"] == len(ROLES)
    reported = world.fixtures()["papers"].read(Briefing, "briefing-technical.md").data
    without = msgspec.structs.replace(reported, attendees=ROLES[1:])
    world.write(without, "briefing-technical.md")
    assert world.broken("D-3.D.2") == "people who were briefed"
    alone = msgspec.structs.replace(without, briefed_alone={ROLES[0]: date(2026, 12, 4)})
    world.write(alone, "briefing-technical.md")
    assert world.broken("D-3.D.2") == ""
    stranger = msgspec.structs.replace(reported, attendees=[*ROLES, "gloria"])
    world.write(stranger, "briefing-technical.md")
    assert world.broken("D-3.D.2") == "people who were briefed"
    world.write(reported, "briefing-technical.md")
    (world.context.papers / "briefing-support.md").unlink()
    assert world.broken("D-3.D.2") == "briefings"
