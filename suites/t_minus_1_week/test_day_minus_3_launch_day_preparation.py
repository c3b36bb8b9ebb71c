"""Day -3: Launch Day Preparation (Technical Lead)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from golive.claims import Claim, at_least, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, with_tables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.aftermath import SupportShifts
from golive.papers.kinds import (
    Briefing,
    Criteria,
    EmergencyRunbook,
    KnownIssues,
    LaunchProcedure,
    LaunchTimeline,
    QuestionLog,
    RoleTable,
    WarRoom,
)
from golive.people.statements import Vouched, made_before
from golive.probes.people.calendar import LaunchCalendar
from golive.probes.saas.launch_tools import LaunchTools, Manifest
from golive.probes.saas.tracker import Issues
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.reports import paper_tables
from golive.reports.documents import Figure

LAUNCH_DAY = ("06:00", "17:00")
ENDING = "signatures that end before launch day is over"
MIGRATIONS = "migrations"
"""What the release manifest calls the candidate's migrations."""
ANNOUNCED_FROM = "phase_4"
"""The block of launch day from which on anything may be announced."""
TEMPLATES = ("announcement-customers.md", "legal-notice.md")
"""What customers are told, and what they are told after a data incident."""
QUOTED = ("criteria.md", "risk-register.md", "emergency-runbook.md")
"""The decision's criteria, the top risks, and triggers and limits of the emergency procedures."""


def _attended(
    briefing: Briefing, context: Context, vouched: Vouched, limits: Limits
) -> Iterator[Claim]:
    """That everybody of a briefing's audience was there, or was briefed alone, in time; and that
    it was signed once all had been."""
    expected, told = context.audience(briefing.audience), _told(briefing, context, limits)
    subject = f"people of the {briefing.audience} audience not briefed in time"
    yield none_of(subject, sorted(set(expected) - told), among=expected, of="people")
    said, early = vouched.counted, made_before(vouched.counted, briefing.last_day)
    subject = "signatures older than the briefing"
    yield none_of(subject, early, among=said, of="signatures", may_be_empty=True)


def _told(briefing: Briefing, context: Context, limits: Limits) -> set[str]:
    """Who was briefed in time."""
    return briefing.told_within(limits.reviews.briefing_days, context.today)


def _as_they_are(
    briefing: Briefing, names: tuple[str, ...], context: Context, what: str
) -> Iterator[Claim]:
    """That a briefing quotes these papers as they lie there."""
    unsaid = [name for name in names if name not in briefing.papers]
    yield none_of(f"{what} that were not presented", unsaid, among=names, of=what)
    now = context.digests(names)
    changed = [name for name in names if briefing.papers.get(name) != now[name]]
    yield none_of(f"{what} that have changed since", changed, among=names, of=what)


@attested(
    "D-3.1.1",
    "the war room and its bridge are booked for the whole of launch day from 06:00 to 17:00, "
    "with working join and backup links and everyone on the launch roster invited",
    papers=("war-room.md",),
)
def test_the_war_room_is_booked_all_launch_day_and_its_links_answer(
    papers: Papers,
    launch_calendar: LaunchCalendar,
    war_room_bridges: Answers[Link],
    context: Context,
    vouched: Vouched,
    env: Environment,
) -> None:
    """The event of the war room in the calendar, which the paper names: its day and hours, its
    links, who is invited; what the bridge and the backup bridge answer; and whether what was
    signed holds to the end of launch day.

    Remedy: book the hours that are missing, invite who is named, or fix the link; then have the
    paper signed again.
    """
    room, title = papers.read(WarRoom).data, env.calendar.war_room
    found = launch_calendar.titled(title)
    assert equal(f"events called {title}", len(found), 1)
    said, event, (starts, ends) = vouched.counted, found[0], LAUNCH_DAY
    assert equal("event that the paper names", room.event, event.id)
    day, booked = context.launch.date, f"{event.start:%F %H:%M} to {event.end:%F %H:%M}"
    whole, required = event.spans(day, starts, ends), f"all of {day}, {starts} to {ends}"
    assert holds("hours of the war room", whole, booked, required)
    links = (room.bridge, room.backup_bridge)
    assert holds("bridges", len(set(links)) == len(links), " and ".join(links), "two different")
    unnamed = [link for link in links if link not in event.text]
    assert none_of("bridges that the event does not name", unnamed, among=links, of="bridges")
    dead = [str(page) for page in war_room_bridges.of(links).values() if not page.is_there]
    assert none_of("bridges that do not answer", dead, among=links, of="bridges")
    missing = sorted({p.id for p in context.team} - event.invited(context.team))
    assert none_of("people who are not invited", missing, among=context.team, of="people")
    ending = context.ending_early("D-3.1.1", said)
    assert none_of(ENDING, ending, among=said, of="signatures", may_be_empty=True)


@attested(
    "D-3.1.4",
    "the launch roster is final, and for every role and every hour from 06:00 to 17:00 it "
    "names exactly one primary and a different backup, nobody primary twice in an hour, each "
    "with a complete contact entry",
    papers=("role-table.md",),
)
def test_every_hour_of_launch_day_has_a_primary_and_a_backup(
    papers: Papers, context: Context
) -> None:
    """The role table hour by hour from 06:00 to 17:00, against the roster's contact entries.

    Remedy: fill the hours named, or the contact entry of the person named; then have the role
    table signed again.
    """
    table, roles = papers.read(RoleTable).data, context.owner_roles
    assert equal("date of the role table", table.date, context.launch.date)
    gaps = [f"{r}: {g}" for r in roles for g in table.gaps(r, *LAUNCH_DAY)]
    assert none_of("hours without a primary", gaps, among=roles, of="roles")
    for subject, offenders in {
        "roles with two primaries at once": table.contested,
        "shifts without a backup of their own": table.without_backup,
        "people in two roles at once": table.double_booked,
        "people under two ids": context.roster.doubles(sorted(table.people)),
        "people without a complete contact entry": context.roster.unreachable(table.people),
    }.items():
        assert none_of(subject, offenders, among=table.shifts, of="shifts")


@attested(
    "D-3.2.1",
    "the Technical Lead and the DevOps Lead both reviewed, within the last 3 days, the current "
    "launch procedure, whose commands, at least the 9 launch scripts, all exist and end their "
    "dry run with status 0",
    by=("technical_lead", "devops_lead"),
    papers=("launch-procedure.md",),
)
def test_the_launch_procedure_names_commands_that_work_and_items_that_exist(
    papers: Papers, launch_tools: LaunchTools, context: Context, limits: Limits
) -> None:
    """The procedure's fenced blocks of commands, each run dry, and its check boxes against the
    items of launch day.

    Remedy: fix the command or the line that is named, and have the procedure signed again by
    both leads.
    """
    paper, runs = papers.read(LaunchProcedure), launch_tools.dry_runs
    assert equal("version of the launch procedure", paper.data.version, context.launch.candidate)
    named = paper.commands
    assert at_least("commands in the launch procedure", len(named), limits.launch_day.commands)
    unknown = sorted(named - set(runs))
    assert none_of("commands that do not exist", unknown, among=named, of="commands")
    refused = [f"{n}: {runs[n].refused}" for n in sorted(named) if runs[n].refused]
    assert none_of("commands whose dry run is refused", refused, among=named, of="commands")
    day = {i for block in context.launch_day_blocks for i in context.ids_of(block)}
    boxes = [line.split()[0] for line in paper.check_boxes if line.split()]
    twice = sorted({b for b in boxes if boxes.count(b) > 1})
    assert none_of("items with two check boxes", twice, among=boxes, of="check boxes")
    assert same_set("items with a check box", boxes, day)


@attested(
    "D-3.2.5",
    "the Technical, DevOps and Security Leads reviewed, within the last 3 days, the same text "
    "of the emergency procedures, in which each of the 5 rollback triggers has a decider, a "
    "command, a time limit and an alert or signal with the procedure's numbers",
    by=("technical_lead", "devops_lead", "security_lead"),
    papers=("emergency-runbook.md",),
)
def test_every_rollback_trigger_can_be_decided_and_acted_on(
    papers: Papers, launch_tools: LaunchTools, context: Context, limits: Limits
) -> None:
    """The runbook's triggers: decider, command, time limit, signal, and the procedure's numbers.

    Remedy: complete the trigger that is named; then all three leads sign the same text again.
    """
    runbook = papers.read(EmergencyRunbook).data
    triggers, numbers = {t.id: t for t in runbook.triggers}, limits.rollback
    assert same_set("rollback triggers", triggers, context.ids_of("rollback_trigger"))
    for subject, offenders in {
        "triggers that nobody can decide": runbook.without_decider(context.roster.roles),
        "triggers without a command": runbook.without_command(launch_tools.dry_runs),
        "triggers without time limit or signal": runbook.vague_triggers,
    }.items():
        assert none_of(subject, offenders, among=triggers, of="triggers")
    payments, errors, down = (triggers[i] for i in ("RT.3", "RT.2", "RT.1"))
    assert equal("failing payments that roll back", payments.threshold, numbers.payment_percent)
    assert equal("errors that roll back", errors.threshold, numbers.error_percent)
    assert equal("minutes of errors that roll back", errors.minutes, numbers.error_minutes)
    assert equal("minutes of downtime that roll back", down.minutes, numbers.down_minutes)


@attested(
    "D-3.3.1",
    "everyone technical on the launch roster was briefed within the last 3 days, absentees by "
    "name afterwards, on the release's own commit, migrations, deploy and rollback commands",
    papers=("briefing-technical.md",),
)
def test_the_technical_team_was_briefed_on_what_will_be_deployed(
    papers: Papers,
    context: Context,
    vouched: Vouched,
    release_manifest: Manifest,
    launch_tools: LaunchTools,
    env: Environment,
    limits: Limits,
) -> None:
    """The briefing's attendees against the technical people on the roster; its commit, migrations
    and commands against the release manifest and the launch commands, with the deploy and the
    rollback command among them; and that it was signed afterwards, until launch day is over.

    Remedy: brief whoever is missing and note it by name; a deck about another commit is reported
    again.
    """
    briefing = papers.read(Briefing, "briefing-technical.md").data
    commands = briefing.commands
    for claim in _attended(briefing, context, vouched, limits):
        assert claim
    assert equal("commit that was presented", briefing.commit, release_manifest.commit)
    migrations = release_manifest.digest_of(MIGRATIONS)
    assert equal("migrations that were presented", briefing.migrations_sha256, migrations)
    unsaid = {env.tools.deploy, env.tools.emergency_rollback} - {"", *commands}
    subject = "deploy and rollback commands that were not presented"
    assert none_of(subject, sorted(unsaid), among=commands, of="commands")
    unknown = sorted(set(commands) - set(launch_tools.dry_runs))
    assert none_of("commands that do not exist", unknown, among=commands, of="commands")
    said, ending = vouched.counted, context.ending_early("D-3.3.1", vouched.counted)
    assert none_of(ENDING, ending, among=said, of="signatures", may_be_empty=True)


@attested(
    "D-3.3.2",
    "everyone from business on the launch roster was briefed within the last 3 days on the 15 "
    "success metrics with their thresholds and on the hours of the announcements",
    by=("product_manager",),
    papers=("briefing-business.md",),
)
def test_the_business_team_knows_the_measures_of_success(
    papers: Papers, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The briefing's attendees against the business people on the roster; the limits that it
    told against the criteria, and the hours of the announcements against the launch timeline.

    Remedy: brief whoever is missing; correct the number that was told otherwise, tell it again.
    """
    briefing = papers.read(Briefing, "briefing-business.md").data
    for claim in _attended(briefing, context, vouched, limits):
        assert claim
    reported, metrics = briefing.metrics, context.ids_of("success_metric")
    assert same_set("measures that were presented", reported, metrics)
    other = papers.read(Criteria).data.differing(reported)
    assert none_of(
        "limits told otherwise than in the criteria", other, among=reported, of="measures"
    )
    hours = papers.read(LaunchTimeline).data.hours_from(ANNOUNCED_FROM)
    assert equal("hours of the announcements", briefing.announced_hours, hours)


@attested(
    "D-3.3.3",
    "every support shift of launch day and day +1 was briefed within the last 3 days on the "
    "open known issues with their workarounds, escalation levels 1 to 4, the customer "
    "templates and the response target of 1 hour",
    by=("product_manager",),
    papers=("briefing-support.md",),
)
def test_support_knows_every_open_issue_and_whom_to_call(
    papers: Papers, context: Context, vouched: Vouched, issues: Issues, limits: Limits
) -> None:
    """The briefing's attendees against the support people on the roster and in the shifts of
    launch day and the day after it; the known issues that it told against the tracker's open ones;
    what customers are told against the templates as they are; escalation and time to answer
    against the procedure.

    Remedy: brief whoever is missing, and tell support of the issue that is named.
    """
    briefing = papers.read(Briefing, "briefing-support.md").data
    for claim in _attended(briefing, context, vouched, limits):
        assert claim
    days, told = _two_days(context), _told(briefing, context, limits)
    agents = papers.read(SupportShifts).data.agents_on(days)
    unaware, subject = sorted(agents - told), "agents of the first two days not briefed in time"
    assert none_of(subject, unaware, among=agents, of="agents")
    for claim in _as_they_are(briefing, TEMPLATES, context, "customer templates"):
        assert claim
    known, reported = issues.open_known, {str(n) for n in briefing.known_issues}
    if known or reported:
        assert same_set("known issues presented", reported, [str(i.number) for i in known])
    around = papers.read(KnownIssues).data.with_workaround
    bare = [str(i) for i in known if i.number not in around]
    assert none_of("known issues without a workaround", bare, among=issues.all, of="issues")
    levels = context.roster.escalation_minutes
    assert equal("minutes to each level of escalation", briefing.escalation_minutes, levels)
    hours, wanted = briefing.response_hours, limits.support.response_h
    assert holds("hours to an answer", hours == wanted, hours, f"{wanted:g}")


def _two_days(context: Context) -> set[date]:
    """Launch day and the day after it."""
    return {context.launch.due(0), context.launch.due(1)}


@attested(
    "D-3.3.4",
    "everyone of escalation level 3, and each deputy, was briefed within the last 3 days on "
    "the current decision criteria, top risks, rollback triggers and spending limits",
    by=("executive_team",),
    papers=("briefing-management.md",),
)
def test_management_was_briefed_on_the_papers_as_they_are(
    papers: Papers, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The briefing's attendees against everybody of escalation level 3, by the roster; the
    criteria, risks and emergency procedures that it quotes against those that lie there now.

    Remedy: brief whoever is missing; a paper that changed since is presented again.
    """
    briefing = papers.read(Briefing, "briefing-management.md").data
    for claim in _attended(briefing, context, vouched, limits):
        assert claim
    level = context.roster.at_level(3)
    unaware = sorted(set(level) - _told(briefing, context, limits))
    assert none_of("people of level 3 not briefed in time", unaware, among=level, of="people")
    for claim in _as_they_are(briefing, QUOTED, context, "papers"):
        assert claim


@attested(
    "D-3.3.5",
    "each of the 4 briefings has a log of the last 3 days with at least one question or a "
    'signed "none raised", and every question has an answer, who gave it, and a closed issue',
)
def test_every_question_of_the_briefings_is_answered(
    papers: Papers, context: Context, vouched: Vouched, issues: Issues
) -> None:
    """One log of questions for each briefing, signed after the last of them, and the tracker's
    issues labelled as questions.

    Remedy: answer what is open and close its issue; write the log that is missing.
    """
    logs = [log.data for log in papers.all_of(QuestionLog)]
    logged, empty = {x.audience for x in logs}, [x.audience for x in logs if x.is_empty]
    assert same_set("briefings with a log of questions", logged, context.launch.audiences)
    last, said = _last_briefing(papers, context), vouched.counted
    early, subject = made_before(said, last), "signatures older than the last briefing"
    assert none_of(subject, early, among=said, of="signatures", may_be_empty=True)
    assert none_of("logs that say nothing", empty, among=logs, of="logs")
    questions = [q for log in logs for q in log.questions]
    assert at_least("questions on record", len(questions), 1)
    strangers = context.roster.strangers(q.answered_by for q in questions)
    subject = "questions answered by nobody of the roster"
    assert none_of(subject, strangers, among=questions, of="questions")
    label = issues.names.question
    assert holds("label for questions", label in issues.labels, label, "there in the tracker")
    asked = issues.labelled(label)
    still = [str(i) for i in asked if i.is_open]
    assert none_of("questions still open", still, among=asked, of="issues with that label")
    closed = {None, *(i.number for i in asked if not i.is_open)}  # not every question needs one
    bare = [f"#{q.issue}" for q in questions if q.issue not in closed]
    assert none_of("questions whose issue is not closed", bare, among=questions, of="questions")


def _last_briefing(papers: Papers, context: Context) -> date:
    """When the last of the briefings was held."""
    held = [papers.read(Briefing, f"briefing-{a}.md").data for a in context.launch.audiences]
    return max(briefing.last_day for briefing in held)


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-3.D.1")
def test_the_launch_day_setup_is_confirmed(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdicts of D-3.1, made into the confirmation and compared with it; the
    signature, and that it is younger than they are.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-3.D.1", "launch-day-setup-confirmation", ("D-3.1",))
    for claim in document.claims(max_age_h=limits.documents.report_age_h):
        assert claim


@derived("D-3.D.2")
def test_everybody_on_the_roster_was_briefed(deliverables: Deliverables, papers: Papers) -> None:
    """The newest verdicts of D-3.3 and the statements behind them, with whoever each of the four
    briefings reached, made into the document and compared with it; all of them together against
    the roster as it is now; the signature.

    Remedy: run what is missing, too old or red. Brief whoever is named alone, note it by name and
    day in the paper of a briefing, and have that signed again; strike out who is not on the
    roster. Then read the document again and sign it.
    """
    briefings = {b.data.audience: b for b in papers.all_of(Briefing)}
    reported = {
        p: f"{day}, {a}" for a, b in briefings.items() for p, day in b.data.reported.items()
    }
    context = deliverables.context
    roster, audiences = sorted(context.roster.people), context.launch.audiences
    digests = {b.name: b.sha256 for b in briefings.values()} | {"roster": ", ".join(roster)}
    figures = [
        Figure(name="people on the roster", value=len(roster)),
        Figure(name="people who were briefed", value=len(reported)),
    ]
    write = with_tables(paper_tables.briefed(reported), figures=figures, inputs=digests)
    document = deliverables.of("D-3.D.2", "team-briefing-completion", ("D-3.3",), write)
    extra = [
        same_set("briefings", briefings, audiences),
        same_set("people who were briefed", reported, roster),
    ]
    for claim in document.claims(extra=extra):
        assert claim


@derived("D-3.D.3")
def test_the_documentation_is_that_which_was_reviewed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-3.2 and the statements behind them, made into the document and
    compared with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-3.D.3", "final-documentation-validation", ("D-3.2",))
    rest = ("a manifest of the five documents with the digests of the release branch",)
    for claim in document.claims(max_age_h=limits.documents.report_age_h, not_judged=rest):
        assert claim
