"""Day -7: Full Launch Rehearsal (Technical Lead)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

from golive import findings
from golive.claims import Claim, at_least, each_at_least, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, Write, with_tables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Paper, Papers
from golive.papers.kinds import (
    CommunicationProtocol,
    EmergencyRunbook,
    LaunchProcedure,
    LaunchTimeline,
    RoleTable,
)
from golive.people.statements import Signed, Vouched
from golive.probes.people.calendar import Event, LaunchCalendar
from golive.probes.saas.launch_tools import LaunchTools
from golive.probes.saas.tracker import Issues
from golive.reports import paper_tables
from golive.reports.documents import Figure

PHASES = ("phase_1", "phase_2", "phase_3", "phase_4")
"""Of the deployment: after each of them there has to be room for a rollback."""


LEVELS = ("low", "medium", "high", "critical")
"""Severities of which the team is notified."""


@attested(
    "D-7.4.1",
    "all 9 owner roles of the procedure have one named holder and a different backup, nobody is "
    "primary in two roles at the same hour, and all 10 blocks of launch day are covered",
    papers=("role-table.md",),
)
def test_every_role_is_held_and_backed_up_all_launch_day(papers: Papers, context: Context) -> None:
    """The role table against the roster, the procedure's owners and its blocks of launch day.

    Remedy: name who is missing in the role table, and have it signed again.
    """
    table, roster = papers.read(RoleTable).data, context.roster
    shifts, people = table.shifts, table.people
    assert equal("date of the role table", table.date, context.launch.date)
    assert same_set("roles in the role table", {s.role for s in shifts}, context.owner_roles)
    foreign = "people in a role that the roster does not give them"
    for subject, offenders in {
        "people who are not on the roster": sorted(people - set(roster.people)),
        "people under two ids": roster.doubles(sorted(people)),
        foreign: table.in_another_role(roster.roles_of),
        "shifts whose backup is their primary": table.own_backups,
        "roles with two primaries at once": table.contested,
        "people in two roles at once": table.double_booked,
    }.items():
        assert none_of(subject, offenders, among=shifts, of="shifts")
    timeline = papers.read(LaunchTimeline).data
    assert same_set("blocks of launch day", timeline.blocks, context.launch_day_blocks)
    slots, gaps = timeline.slots, table.unheld(timeline.slots)
    assert none_of("times without the owner of a block", gaps, among=slots, of="blocks")


@attested(
    "D-7.4.2",
    "the communication protocol states primary and fallback channel, how often the team is told "
    "by severity, who speaks for it and who decides, and all 9 role holders know it",
    each=True,
    papers=("communication-protocol.md",),
)
def test_the_communication_protocol_is_whole_and_known(
    papers: Papers, context: Context, vouched: Vouched
) -> None:
    """The protocol's channels, times, spokesperson and path of decision against the roster.

    Remedy: complete the protocol, tell the team, and have it signed again.
    """
    said, roster = papers.read(CommunicationProtocol).data, context.roster
    for channel, name in said.channels.items():
        assert holds(channel, name.strip(), name, "named")
    both = f"{said.primary_channel} and {said.fallback_channel}"
    assert holds("channels", said.primary_channel != said.fallback_channel, both, "different")
    assert same_set("severities with a time of update", list(said.update_minutes), LEVELS)
    assert none_of("severities without updates", said.never_told, among=LEVELS, of="severities")
    speaks, path = said.spokesperson, said.decision_path
    assert holds("spokesperson", speaks in roster.people, speaks, "on the roster")
    unfilled = [r for r in path if not roster.holders(r)]
    assert none_of("roles that decide but nobody holds", unfilled, among=path, of="roles")
    holders = [p.id for role in context.owner_roles for p in roster.holders(role)]
    assert vouched.by_everyone(holders, "role holders who know it")


@attested(
    "D-7.4.3",
    "the emergency runbook covers the 5 rollback triggers with the procedure's numbers and all 14 "
    "steps of the rollback, each with owner, action and time limit",
    papers=("emergency-runbook.md",),
)
def test_the_emergency_runbook_covers_triggers_and_rollback(
    papers: Papers, launch_tools: LaunchTools, context: Context, limits: Limits
) -> None:
    """The runbook against the procedure's triggers and steps and their numbers, the roster, and
    the dry run of each command that it names; whether anything is left to be filled in.

    Remedy: complete the runbook, or fix the command that refuses; then have it signed again.
    """
    paper = papers.read(EmergencyRunbook)
    runbook, left = paper.data, paper.left_open
    triggers, steps = {t.id: t for t in runbook.triggers}, [s.id for s in runbook.steps]
    assert same_set("triggers in the runbook", triggers, context.ids_of("rollback_trigger"))
    assert same_set("steps in the runbook", steps, context.ids_of("rollback"))
    for ident, (threshold, minutes) in _numbers_of_triggers(limits).items():
        assert equal(f"threshold of {ident}", triggers[ident].threshold, threshold)
        assert equal(f"minutes of {ident}", triggers[ident].minutes, minutes)
    roles, entries, named = runbook.roles, runbook.entries, runbook.commands
    assert none_of("placeholders left in the runbook", left, among=entries, of="entries")
    nobody = sorted(r for r in roles if not context.roster.holders(r))
    assert none_of("roles in the runbook that nobody holds", nobody, among=roles, of="roles")
    assert none_of("entries without a time limit", runbook.endless, among=entries, of="entries")
    assert at_least("commands in the runbook", len(named), 1)
    unknown = launch_tools.unknown(named)
    assert none_of("commands that do not exist", unknown, among=named, of="commands")
    refused = launch_tools.refused(named)
    assert none_of("commands whose dry run is refused", refused, among=named, of="commands")


def _numbers_of_triggers(limits: Limits) -> dict[str, tuple[float, float]]:
    """Threshold and minutes of the triggers for which the procedure has numbers."""
    return {
        "RT.1": (0, limits.rollback.down_minutes),
        "RT.2": (limits.rollback.error_percent, limits.rollback.error_minutes),
        "RT.3": (limits.rollback.payment_percent, 0),
    }


@attested(
    "D-7.4.5",
    "the launch timeline has all 10 blocks of launch day in order, with date, time zone, owner "
    "and the go/no-go points of its 4 phases, and books nobody twice",
    papers=("launch-timeline.md",),
)
def test_the_launch_timeline_has_every_block_in_order(
    papers: Papers, context: Context, env: Environment
) -> None:
    """The timeline against the procedure's blocks, their owners and order, the calendar's time
    zone and the role table.

    Remedy: correct the timeline, and have it signed again.
    """
    timeline, blocks = papers.read(LaunchTimeline).data, context.launch_day_blocks
    slots = timeline.slots
    assert equal("date of the timeline", timeline.date, context.launch.date)
    noon = datetime.combine(timeline.date, time(12), ZoneInfo(env.calendar.time_zone))
    assert equal("time zone of the timeline", timeline.utc_offset, noon.isoformat()[-6:])
    assert equal("blocks in the timeline's order", timeline.blocks, blocks)
    other = timeline.of_other_owner({b: context.owner_of_block(b) for b in blocks})
    assert none_of("blocks with another owner", other, among=slots, of="blocks")
    assert none_of("blocks that overlap", timeline.overlaps, among=slots, of="blocks")
    ungated, phases = timeline.without_gate, timeline.phases
    assert none_of("phases without a go/no-go", ungated, among=phases, of="phases")
    booked = papers.read(RoleTable).data.double_booked
    assert none_of("people booked twice", booked, among=slots, of="blocks")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-7.D.1")
def test_the_rehearsal_report_is_whole_and_every_deviation_is_somebodys(
    deliverables: Deliverables, issues: Issues, limits: Limits
) -> None:
    """The newest verdicts of D-7.1 and the tracker's issues that came up in the rehearsal, made
    into the report and compared with it; the signature.

    Remedy: run what is missing, too old or red. Give each deviation an owner; close critical
    ones. Then read the document again and sign it.
    """
    document = deliverables.of(
        "D-7.D.1", "launch-rehearsal-report", ("D-7.1",), findings.deviations(issues)
    )
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        extra=findings.deviations_settled(issues),
        not_judged=(
            "one rehearsal run in all five",
            "planned against measured time of every deploy step, under 30 min in all",
        ),
    ):
        assert claim


@derived("D-7.D.2")
def test_the_rollback_is_validated_with_the_script_that_ships(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-7.2, all on this candidate, made into the validation and compared
    with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-7.D.2", "rollback-procedures-validation", ("D-7.2",))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "one drill in all five, its step times adding up to under 30 min",
            "the rollback script's digest equal to the one that ships",
        ),
    ):
        assert claim


@derived("D-7.D.3")
def test_the_team_is_confirmed_ready_until_launch_day(
    deliverables: Deliverables, papers: Papers, limits: Limits
) -> None:
    """The newest verdicts of D-7.3 and D-7.4 and how long the statements among them hold, made
    into the confirmation and compared with it; the people of the role table against the roster's
    and against who acknowledged the protocol; the signature.

    Remedy: run what is missing, too old or red; renew statements that end before launch day.
    Whoever is named is put into the role table and the roster alike, and signs `golive attest
    D-7.4.2`. Then read the document again and sign it.
    """
    table = papers.read(RoleTable)
    write = with_tables(paper_tables.role_table(table.data), inputs={table.name: table.sha256})
    document = deliverables.of("D-7.D.3", "team-readiness-confirmation", ("D-7.3", "D-7.4"), write)
    team, primaries = [p.id for p in deliverables.context.team], table.data.primaries()
    known = {s.statement.by for s in document.basis.stated("D-7.4.2")}
    unaware = sorted(primaries - known) if known else []
    extra = [
        document.lasting(),
        same_set("people in the role table", table.data.people, team),
        none_of("primaries who have not acknowledged", unaware, among=primaries, of="primaries"),
    ]
    replies = ("the same people in the replies to the drill",)
    age_h = limits.documents.certificate_age_h
    for claim in document.claims(max_age_h=age_h, extra=extra, not_judged=replies):
        assert claim


@derived("D-7.D.4")
def test_the_launch_timeline_is_frozen_with_room_in_every_step(
    deliverables: Deliverables,
    papers: Papers,
    launch_calendar: LaunchCalendar,
    env: Environment,
    limits: Limits,
) -> None:
    """The newest verdicts of D-7.1, D-7.2 and D-7.4.5, made into the document and compared with
    it; the minutes that the timeline leaves after each phase; its digest in the calendar's events
    of launch day, in the launch procedure, and among the evidence of D-7.4.5, which is the copy
    that the package has; the signature.

    Remedy: run what is missing, too old or red. Move a phase that ends too late; put the SHA-256
    of the timeline as it is into the calendar's events and the launch procedure; whoever signed
    D-7.4.5 over another one signs again. Then read the document again and sign it.
    """
    timeline, procedure = papers.read(LaunchTimeline), papers.read(LaunchProcedure)
    left = timeline.data.minutes_left(PHASES, f"{limits.contacts.launch_until_h:02.0f}:00")
    kind, write = "final-launch-timeline", _with_room(timeline, left)
    document = deliverables.of("D-7.D.4", kind, ("D-7.1", "D-7.2", "D-7.4.5"), write)
    signed = document.basis.stated("D-7.4.5")
    events = launch_calendar.beginning(env.calendar.block)
    quoted, least = procedure.data.timeline_sha256, limits.reviews.rollback_room_minutes
    extra = [
        each_at_least("left of launch day after", left, least, "min"),
        equal(f"timeline that {procedure.name} quotes", quoted, timeline.sha256),
        *_quoted(timeline.sha256, signed, events),
    ]
    measured = ("measured time of every step plus 25 %",)
    age_h = limits.documents.certificate_age_h
    for claim in document.claims(max_age_h=age_h, extra=extra, not_judged=measured):
        assert claim


def _with_room(timeline: Paper[LaunchTimeline], left: Mapping[str, float]) -> Write:
    """What the document says beyond its items: what each phase leaves of the day."""
    return with_tables(
        paper_tables.rollback_room(left),
        figures=[Figure(name="digest of the timeline", value=timeline.sha256)],
        inputs={timeline.name: timeline.sha256},
    )


def _quoted(digest: str, signed: list[Signed], events: list[Event]) -> list[Claim]:
    """That whoever has stated D-7.4.5 has seen this timeline, and the calendar quotes it."""
    seen = "statements on D-7.4.5 over another timeline"
    by = [s.statement.by for s in signed if digest not in {e.sha256 for e in s.statement.evidence}]
    reported = "events with another digest of the timeline"
    other = [str(e) for e in events if digest not in e.text]
    return [
        none_of(seen, by, among=signed, of="statements", may_be_empty=True),
        none_of(reported, other, among=events, of="events of launch day"),
    ]
