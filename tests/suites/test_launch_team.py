"""Roles, protocol, runbook and timeline of launch day, on literal papers: each clause holds, its
fault breaks it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import launch, procedure
from golive.claims import Claim, same_set
from golive.papers.kinds import (
    CommunicationProtocol,
    EmergencyRunbook,
    LaunchTimeline,
    RoleTable,
    RollbackStep,
    Shift,
    Slot,
    Trigger,
)
from golive.people.roster import Person, Roster
from golive.probes.saas.launch_tools import DryRun, LaunchTools
from tests.checks import SUITES, breaking

LAUNCH = launch.load(SUITES / "launch.toml")
PROCEDURE = procedure.load(SUITES / "procedure.toml")
OWNERS = list(dict.fromkeys(i.owner_mark for i in PROCEDURE if i.owner_mark))
BLOCKS = list(
    dict.fromkeys(i.block for i in PROCEDURE if i.phase == "launch_day" and i.due_day == 0)
)
OWNER_OF = {i.block: i.owner_mark for i in PROCEDURE}


def ids_of(block: str) -> list[str]:
    return [i.id for i in PROCEDURE if i.block == block]


def person(ident: str, role: str) -> Person:
    return Person(id=ident, name=ident, email="", phone="", roles=[role])


PEOPLE = {
    **{role: person(role, role) for role in OWNERS},
    **{f"{role}-2": person(f"{role}-2", role) for role in OWNERS},
}
CONTEXT = SimpleNamespace(
    roster=Roster(Path("roster.toml"), PEOPLE, {}, ()),
    owner_roles=OWNERS,
    launch=LAUNCH,
    launch_day_blocks=BLOCKS,
    owner_of_block=OWNER_OF.__getitem__,
    ids_of=ids_of,
)


class Shelf:
    """Stands for the papers: one of each kind."""

    def __init__(self, *papers: Any, left_open: tuple[str, ...] = ()) -> None:
        self._papers = {type(p): p for p in papers}
        self._left_open = left_open

    def read(self, kind: Any) -> Any:
        return SimpleNamespace(data=self._papers[kind], left_open=self._left_open)


def judged(ident: str, *papers: Any, **more: Any) -> str:
    """What the claim says that breaks an item; empty when it is green."""
    facts = {"context": CONTEXT, "limits": LAUNCH.limits, "papers": Shelf(*papers)} | more
    claim = breaking(ident, facts)
    return "" if claim is None else repr(claim)


# -- D-7.4.1, D-7.4.5 ----------------------------------------------------------------------------

SHIFTS = {
    role: Shift(role=role, primary=role, backup=f"{role}-2", starts="00:00", ends="23:59")
    for role in OWNERS
}
SLOTS = {
    block: Slot(
        block=block,
        starts=f"{6 + n:02}:00",
        ends=f"{7 + n:02}:00",
        owner=OWNER_OF[block],
        gate=block.startswith("phase_"),
    )
    for n, block in enumerate(BLOCKS)
}


def table(role: str = "qa_lead", **changes: str) -> RoleTable:
    """All roles held, one shift otherwise."""
    shifts = SHIFTS | {role: changed(SHIFTS[role], **changes)}
    return RoleTable(date=LAUNCH.date, shifts=list(shifts.values()))


def contender(**changes: str) -> Shift:
    """Somebody else as primary QA lead from noon on."""
    known = Shift(
        role="qa_lead", primary="qa_lead-2", backup="qa_lead", starts="12:00", ends="23:59"
    )
    return changed(known, **changes)


def timeline(block: str = "phase_2", **changes: Any) -> LaunchTimeline:
    """All blocks in order, one slot otherwise."""
    slots = SLOTS | {block: changed(SLOTS[block], **changes)}
    return LaunchTimeline(date=LAUNCH.date, utc_offset="-05:00", slots=list(slots.values()))


def shorter(paper: Any, field: str) -> Any:
    """The paper without the last entry of a list."""
    return changed(paper, **{field: getattr(paper, field)[:-1]})


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (table(), ""),
        (shorter(table(), "shifts"), f"roles in the role table: {', '.join(sorted(OWNERS))[:9]}"),
        (table(primary="nobody"), "people who are not on the roster: nobody"),
        (table(backup="qa_lead"), "shifts whose backup is their primary: qa_lead: qa_lead"),
        (
            table(primary="devops_lead"),
            "people in a role that the roster does not give them: devops_lead (qa_lead)",
        ),
        (
            table(backup="devops_lead-2"),
            "people in a role that the roster does not give them: devops_lead-2 (qa_lead)",
        ),
        (
            table("devops_lead", starts="08:30"),
            "times without the owner of a block: ",
        ),
        (changed(table(), date=date(2026, 12, 8)), "date of the role table: 2026-12-08"),
        (
            changed(table(), shifts=[*table().shifts, contender()]),
            "roles with two primaries at once: qa_lead: qa_lead and qa_lead-2 at 12:00",
        ),
        (
            changed(
                table(), shifts=[*table().shifts, contender(primary="qa_lead", backup="qa_lead-2")]
            ),
            "",
        ),
        (
            changed(table(ends="12:00"), shifts=[*table(ends="12:00").shifts, contender()]),
            "",
        ),
    ],
)
def test_each_role_is_held_by_somebody_of_it_and_backed_up(roles: RoleTable, says: str) -> None:
    said = judged("D-7.4.1", roles, timeline())
    assert said.startswith(says) if says else said == ""


def test_nobody_holds_two_roles_at_once() -> None:
    both = changed(PEOPLE["devops_lead"], roles=["devops_lead", "qa_lead"])
    people = PEOPLE | {"devops_lead": both}
    roster = Roster(Path("roster.toml"), people, {}, ())
    context = SimpleNamespace(**{**vars(CONTEXT), "roster": roster})
    said = judged("D-7.4.1", table(primary="devops_lead"), timeline(), context=context)
    assert said.startswith("people in two roles at once: devops_lead (")


def test_nobody_has_two_ids() -> None:
    same = changed(PEOPLE["qa_lead-2"], name=PEOPLE["qa_lead"].name)
    roster = Roster(Path("roster.toml"), PEOPLE | {"qa_lead-2": same}, {}, ())
    context = SimpleNamespace(**{**vars(CONTEXT), "roster": roster})
    said = judged("D-7.4.1", table(), timeline(), context=context)
    assert said.startswith("people under two ids: qa_lead and qa_lead-2 (same name)")


def test_each_block_of_the_day_is_in_the_timeline_that_roles_are_held_by() -> None:
    short = shorter(timeline(), "slots")
    assert judged("D-7.4.1", table(), short).startswith("blocks of launch day: ")


ENV = SimpleNamespace(calendar=SimpleNamespace(time_zone="America/New_York"))


@pytest.mark.parametrize(
    ("paper", "says"),
    [
        (timeline(), ""),
        (changed(timeline(), date=date(2026, 12, 8)), "date of the timeline: 2026-12-08"),
        (changed(timeline(), utc_offset="-04:00"), "time zone of the timeline: -04:00"),
        (changed(timeline(), slots=timeline().slots[::-1]), "blocks in the timeline's order: "),
        (timeline(owner="qa_lead"), "blocks with another owner: phase_2: qa_lead"),
        (
            timeline(starts="08:59"),
            "blocks that overlap: phase_2 begins at 08:59, phase_1 ends at ",
        ),
        (timeline(ends="08:00"), "blocks that overlap: phase_3 begins at "),
        (timeline(gate=False), "phases without a go/no-go: phase_2"),
    ],
)
def test_the_timeline_is_the_procedures_in_order(paper: LaunchTimeline, says: str) -> None:
    said = judged("D-7.4.5", paper, table(), env=ENV)
    assert said.startswith(says) if says else said == ""


def test_the_timeline_books_nobody_twice() -> None:
    said = judged("D-7.4.5", timeline(), table(primary="devops_lead"), env=ENV)
    assert said.startswith("people booked twice: devops_lead (")


# -- D-7.4.2 -------------------------------------------------------------------------------------

PROTOCOL = CommunicationProtocol(
    primary_channel="#launch",
    fallback_channel="the bridge",
    update_minutes={"low": 240, "medium": 60, "high": 30, "critical": 15},
    spokesperson="product_manager",
    decision_path=["technical_lead", "executive_team"],
)


def by_everyone(people: list[str], what: str) -> Claim:
    return same_set(what, people, OWNERS + [f"{role}-2" for role in OWNERS])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"primary_channel": " "}, "primary channel: "),
        ({"fallback_channel": ""}, "fallback channel: "),
        ({"fallback_channel": "#launch"}, "channels: #launch and #launch"),
        ({"update_minutes": {"low": 1}}, "severities with a time of update: low; missing"),
        (
            {"update_minutes": {"low": 0, "medium": 60, "high": 30, "critical": 15}},
            "severities without updates: low (4 severities)",
        ),
        ({"spokesperson": "nobody"}, "spokesperson: nobody"),
        ({"decision_path": ["a king"]}, "roles that decide but nobody holds: a king"),
    ],
)
def test_the_protocol_is_whole(changes: dict[str, Any], says: str) -> None:
    vouched = SimpleNamespace(by_everyone=by_everyone)
    said = judged("D-7.4.2", changed(PROTOCOL, **changes), vouched=vouched)
    assert said.startswith(says) if says else said == ""


def test_every_holder_knows_the_protocol() -> None:
    vouched = SimpleNamespace(by_everyone=lambda people, what: same_set(what, people, ["tess"]))
    assert judged("D-7.4.2", PROTOCOL, vouched=vouched).startswith("role holders who know it: ")


# -- D-7.4.3 -------------------------------------------------------------------------------------

NUMBERS = {"RT.1": (0, 5), "RT.2": (1, 10), "RT.3": (2, 0)}
"""Of the procedure: per cent, and for how many minutes."""
TRIGGERS = {
    ident: Trigger(
        id=ident,
        threshold=NUMBERS.get(ident, (0, 0))[0],
        minutes=NUMBERS.get(ident, (0, 0))[1],
        decider="technical_lead",
        command="rollback",
        limit_minutes=5,
        alert="an alert",
    )
    for ident in ids_of("rollback_trigger")
}
STEPS = {
    ident: RollbackStep(
        id=ident, owner="devops_lead", action="an action", command="stop", limit_minutes=5
    )
    for ident in ids_of("rollback")
}


def runbook(ident: str = "RT.4", **changes: Any) -> EmergencyRunbook:
    """All triggers and steps, one otherwise."""
    entries: dict[str, Any] = {**TRIGGERS, **STEPS}
    entries[ident] = changed(entries[ident], **changes)
    return EmergencyRunbook(
        triggers=[entries[i] for i in TRIGGERS],
        steps=[entries[i] for i in STEPS],
        technical_lead_may_start=True,
        escalation_minutes=[15, 30, 60],
        questions=[],
    )


def tools(**refused: str) -> LaunchTools:
    names = ("rollback", "stop", *refused)
    return LaunchTools({n: DryRun(n, "", (), refused.get(n, ""), False) for n in names})


STEP = next(iter(STEPS))


@pytest.mark.parametrize(
    ("paper", "says"),
    [
        (runbook(), ""),
        (shorter(runbook(), "triggers"), "triggers in the runbook: "),
        (shorter(runbook(), "steps"), "steps in the runbook: "),
        (runbook("RT.2", threshold=77.0), "threshold of RT.2: 77.0"),
        (runbook("RT.1", minutes=77.0), "minutes of RT.1: 77.0"),
        (runbook(decider="a king"), "roles in the runbook that nobody holds: a king (3 roles)"),
        (runbook(STEP, owner="a king"), "roles in the runbook that nobody holds: a king (3 roles)"),
        (runbook(limit_minutes=0), "entries without a time limit: RT.4 (19 entries)"),
        (runbook(STEP, limit_minutes=-1), f"entries without a time limit: {STEP} (19 entries)"),
        (runbook(command="explode"), "commands that do not exist: explode (3 commands)"),
    ],
)
def test_the_runbook_covers_what_the_procedure_has(paper: EmergencyRunbook, says: str) -> None:
    said = judged("D-7.4.3", paper, launch_tools=tools())
    assert said.startswith(says) if says else said == ""


def test_nothing_of_the_runbook_is_left_to_be_filled_in() -> None:
    papers = Shelf(runbook(), left_open=("[Name]",))
    said = judged("D-7.4.3", papers=papers, launch_tools=tools())
    assert said.startswith("placeholders left in the runbook: [Name]")


def test_each_command_of_the_runbook_can_be_run() -> None:
    said = judged("D-7.4.3", runbook(), launch_tools=tools(stop="nothing runs"))
    assert said.startswith("commands whose dry run is refused: stop: nothing runs (2 commands)")
