"""Day -7: its documents, on literal verdicts and papers."""

from __future__ import annotations

import hashlib
import shutil

from golive.papers.kinds import LaunchProcedure
from golive.probes.people.calendar import LaunchCalendar
from tests.golive.test_findings import issue, issues
from tests.suites.derived import World, role_table, timeline


def test_deviations_of_the_rehearsal_are_somebodys_and_settled(world: World) -> None:
    world.in_order("D-7.D.1")
    nobodys = issues(issue(9, labels=("launch",), state="closed", assignees=()))
    assert world.broken("D-7.D.1", issues=nobodys) == "deviations without an owner"
    critical = issues(issue(9, labels=("launch",), severity="critical"))
    assert world.broken("D-7.D.1", issues=critical) == "open critical deviations"


def test_each_phase_leaves_room_for_a_rollback_and_the_calendar_has_the_timeline(
    world: World,
) -> None:
    world.in_order("D-7.D.4")
    assert world.broken("D-7.D.4") == ""
    for late in ({"phase_4": "16:31"}, {"launch_1600": "13:29"}):
        world.write(timeline(**late))
        assert world.broken("D-7.D.4") == "left of launch day after"
    world.write(timeline(phase_4="16:31", launch_1600="18:00"))
    assert world.broken("D-7.D.4") == "left of launch day after", "the day ends at 17:00"
    world.write(timeline())
    old = world.calendar(but="Launch: phase 1", text="00" * 32)
    reported = "events with another digest of the timeline"
    assert world.broken("D-7.D.4", launch_calendar=old) == reported
    assert world.broken("D-7.D.4", launch_calendar=LaunchCalendar("", ())) == reported


def test_role_table_and_roster_are_the_same_people(world: World) -> None:
    world.in_order("D-7.D.3")
    assert world.broken("D-7.D.3") == ""
    gone = next(world.context.statements.folder.glob("*Z-D-7.4.2-*"))
    shutil.move(gone, gone.parent.parent / "away")
    assert world.broken("D-7.D.3") == "primaries who have not acknowledged"
    world.write(role_table(qa_lead="gloria"))
    assert world.broken("D-7.D.3") == "people in the role table"


def test_the_timeline_is_the_same_in_procedure_and_package(world: World) -> None:
    world.in_order("D-7.D.4")
    world.write(LaunchProcedure(version="v2.0.0", timeline_sha256="00" * 32))
    assert world.broken("D-7.D.4") == "timeline that launch-procedure.md quotes"
    later = timeline(phase_3="12:01")
    followed = hashlib.sha256(world.write(later).read_bytes()).hexdigest()
    world.write(LaunchProcedure(version="v2.0.0", timeline_sha256=followed))
    assert world.broken("D-7.D.4") == "statements on D-7.4.5 over another timeline"
