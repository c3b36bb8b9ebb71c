"""6:00 AM - 7:00 AM: Team Assembly and Final Checks (Technical Lead)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from golive.claims import Claim, at_least, each_at_most, holds, none_of, same_set
from golive.context import Context
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.kinds import LaunchTimeline, WarRoom
from golive.people.statements import Vouched
from golive.probes.people.war_room import Room, TestAlert


def _own_and_of_today(said: Vouched, since: datetime | None) -> Iterator[Claim]:
    """That nobody checked in who is not on the roster, nor before a moment."""
    among, of = said.all, "check-ins"
    strangers = said.strangers()
    early = [s.statement.by for s in said.valid if since and s.statement.made_at < since]
    # While there is none yet, everybody is waited for.
    yield none_of("check-ins of strangers", strangers, among=among, of=of, may_be_empty=True)
    yield none_of("check-ins before the morning", early, among=among, of=of, may_be_empty=True)


@attested(
    "T0-0600.1.1",
    "every primary on shift at 06:00 and every backup on call checked in in person after 05:30 "
    "today, or the backup took over from an absent primary by signature",
    each=True,
)
def test_everybody_on_the_roster_has_checked_in(
    vouched: Vouched, context: Context, env: Environment, limits: Limits
) -> None:
    """The check-ins of this morning, each signed with a key of its own, against holders and
    backups of every role on today's roster; takeovers are read from the backups' own check-ins. A
    rehearsal has no morning of its own: there any of the last hours counts.

    Remedy: call whoever is missing. Who is there signs `golive attest T0-0600.1.1`; a backup who
    takes over adds `--data takes_over=ROLE`.
    """
    since = context.on_launch_day(limits.launch_day.check_in_from_h, env.calendar.time_zone)
    for claim in _own_and_of_today(vouched, since):
        assert claim
    newest = (s.statement for s in reversed(vouched.valid))  # of each person, whatever the role
    taken = {s.by: str(s.data.get("takes_over", "")) for s in newest}
    for person, role in taken.items():
        if role:
            backups = [p.id for p in context.roster.backups(role)]
            required = f"one of its backups: {', '.join(backups) or 'there is none'}"
            assert holds(f"takeover of {role}", person in backups, f"by {person}", required)
    absent = {p.id for role in taken.values() if role for p in context.roster.holders(role)}
    expected = [p.id for p in context.team if p.id not in absent]
    assert at_least("people on the roster", len(expected), 1)
    assert vouched.by_everyone(expected, "people who have checked in")


@attested(
    "T0-0600.1.3",
    "the war room works now, within 15 minutes: bridge and backup bridge answer, a test alert "
    "arrived within 60 s, and every planned screen shows fresh data",
    papers=("war-room.md",),
)
def test_the_war_room_hears_an_alert_and_sees_fresh_data(
    war_room: Room, war_room_alert: TestAlert, papers: Papers, limits: Limits
) -> None:
    """Bridge, backup bridge and every planned screen of the paper about the war room, asked now;
    a synthetic alert, followed through Alertmanager to the room's receiver.

    Remedy: fix the link or the screen's source; give the room's receiver its route back in
    Alertmanager. Then the Technical Lead signs `golive attest T0-0600.1.3`, for 15 minutes.
    """
    closed = [f"{name} (status {s})" for name, s in war_room.bridges.items() if s != 200]
    assert none_of("bridges that do not answer", closed, among=war_room.bridges, of="bridges")
    plan = papers.read(WarRoom).data
    assert holds("bridges", plan.bridge != plan.backup_bridge, plan.bridge, "two")
    late = {f"at {plan.receiver}": war_room_alert.after_s(plan.receiver)}
    assert each_at_most("the test alert arrived", late, limits.escalation.page_s, "s later")
    screens = war_room.screens
    gone = [f"{s.url} (status {s.status})" for s in screens if s.status != 200]
    assert none_of("screens that do not load", gone, among=screens, of="screens")
    ages = {s.url: s.age_s for s in screens}
    assert each_at_most("age of a screen's data", ages, limits.war_room.screen_age_s, "s")


@attested(
    "T0-0600.1.5",
    "the owners of phases 1 to 4 and of the wrap-up, all checked in, confirmed this morning "
    "before 07:00 the timeline as it was approved on Day -1, with its time zone",
    each=True,
    papers=("launch-timeline.md",),
)
def test_everybody_who_owns_a_phase_confirms_the_timeline(
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
    papers: Papers,
    context: Context,
    env: Environment,
    limits: Limits,
) -> None:
    """The timeline as it lies there, signed this morning by somebody of each role that owns one
    of its blocks; those who signed against the check-ins. A rehearsal has no morning of its own:
    there any hour counts.

    Remedy: whoever owns the block named signs `golive attest T0-0600.1.5`, or checks in first. A
    timeline that was edited overnight is put back, or decided on again.
    """
    slots = papers.read(LaunchTimeline).data.slots
    assert same_set("blocks in the timeline", {s.block for s in slots}, context.launch_day_blocks)
    owners = {s.owner for s in slots}
    likely = {r: vouched.in_role(r) for r in owners}
    asked = [s.statement.by if s else context.roster.holders(r)[0].id for r, s in likely.items()]
    assert vouched.by_everyone(asked, "people who confirmed the timeline")
    until = context.on_launch_day(limits.launch_day.timeline_until_h, env.calendar.time_zone)
    late = [s.statement.by for s in vouched.valid if until and s.statement.made_at >= until]
    assert none_of("who confirmed it too late", late, among=asked, of="people")
    here = {s.statement.by for s in vouched_of("T0-0600.1.1").valid}
    absent = sorted(set(asked) - here)
    assert none_of("who confirmed it but has not checked in", absent, among=asked, of="people")
