"""Day -5: Stakeholder Approval and Communication (Product Manager)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from golive import readiness
from golive.claims import (
    Claim,
    above,
    at_least,
    between,
    each_at_least,
    each_at_most,
    equal,
    holds,
    none_of,
    same_set,
)
from golive.context import Context
from golive.deliverables import Deliverables, with_tables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.approval import (
    Architecture,
    BusinessCase,
    ExecutivePresentation,
    FinalApproval,
    unowned,
)
from golive.papers.kinds import (
    Criteria,
    EmergencyRunbook,
    LaunchTimeline,
    RiskRegister,
    RoleTable,
)
from golive.papers.messages import CommunicationPlan
from golive.people.roster import Roster
from golive.people.statements import Vouched, made_before
from golive.probes.money.sales import Sales
from golive.probes.observe.components import Component
from golive.probes.people.calendar import Event, LaunchCalendar
from golive.probes.platform.aws import (
    AwsGroups,
    AwsUser,
    unused_days,
    without_second_factor,
)
from golive.probes.saas.launch_tools import Manifest
from golive.probes.saas.status_page import Member
from golive.probes.saas.tracker import Fixes
from golive.probes.transport.answers import Answers
from golive.reports import paper_tables

REVIEWS = ("D-5.1.1", "D-5.1.2", "D-5.1.3", "D-5.1.4")
REVIEWED = ("architecture.md", "business-case.md", "executive-presentation.md")
"""What those who approve have read at least. Not the risk register, which is scored again later."""
ANNOUNCED_FROM = "phase_4"
"""The block of launch day from which on anything may be reported."""
TOO_EARLY = "signatures older than what they are about"
POINTS = "decisions and questions"
COUNTED = ("PASS", "FAIL", "UNKNOWN", "PENDING")
"""The states that executives have to be shown."""


@attested(
    "D-5.1.1",
    "the executive team, at least 1 of them by name, saw the readiness presentation within the "
    "last 7 days, and its minutes name attendees, slides, the readiness counts shown, and each "
    "decision and open question with owner and date",
    papers=("executive-presentation.md",),
)
def test_an_executive_saw_the_slides_as_they_lie_there(
    papers: Papers, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The minutes: their date, who was there, the slides by their digest, the counts against what
    was on record shortly before, who does what, and that they were signed after it was over.

    Remedy: present it to an executive, or put the slides back that were shown; correct the count
    that is named and tell the executives; name an owner of each decision and question. Then sign
    the minutes again, once the presentation is over.
    """
    minutes, roster = papers.read(ExecutivePresentation).data, context.roster
    days, there, said = minutes.days_ago(context.today), minutes.attendees, vouched.counted
    assert between("days since the presentation", days, 0, limits.reviews.presentation_days)
    early = made_before(said, minutes.ended_at)
    assert none_of(TOO_EARLY, early, among=said, of="signatures", may_be_empty=True)
    counted_h, most_h = minutes.counted_h_before, limits.reviews.presentation_counts_h
    assert between("from the counts to the end of the presentation", counted_h, 0, most_h, "h")
    strangers = roster.strangers(there)
    assert none_of("attendees not on the roster", strangers, among=there, of="attendees")
    executives = {p.id for p in roster.entitled("executive_team")}
    assert at_least("executives who attended", len(executives & set(there)), 1)
    [(name, slides)] = context.digests((minutes.slides,)).items()
    assert equal(f"digest of {name}", slides, minutes.slides_sha256)
    unsaid = [state for state in COUNTED if state not in minutes.counts]
    assert none_of("states that were not counted", unsaid, among=COUNTED, of="states")
    wrong = minutes.miscounted(readiness.counts(context, minutes.counted_at))
    assert none_of("counts that differ from the record", wrong, among=minutes.counts, of="counts")
    assert at_least("decisions in the minutes", len(minutes.decisions), 1)
    points, loose = minutes.action_points, unowned(minutes.action_points, roster.people)
    assert none_of(f"{POINTS} without an owner on the roster", loose, among=points, of=POINTS)


@attested(
    "D-5.1.2",
    "the Technical Lead and the Security Lead both reviewed the same architecture document, "
    "whose components, at least 10, are those that really run, with a recorded decision for "
    "each single point of failure and 0 open major findings",
    by=("technical_lead", "security_lead"),
    papers=("architecture.md",),
)
def test_the_architecture_that_was_reviewed_is_the_one_that_runs(
    papers: Papers, running_components: tuple[Component, ...], context: Context, limits: Limits
) -> None:
    """The document's components against what monitoring, balancer, clusters and AWS show now; its
    single points of failure and findings.

    Remedy: enter the component that runs, or strike out the one that does not; close major
    findings. Then both leads review the document and sign it.
    """
    document, people = papers.read(Architecture).data, context.roster.people
    running = [c.name for c in running_components]
    assert at_least("components that run", len(running), limits.components.running)
    assert same_set("components in the document", [c.name for c in document.components], running)
    assert equal("the version it is about", document.version, context.launch.candidate)
    single, of = document.single_points, "single points of failure"
    for subject, offenders in {
        f"{of} that do not run": [s.component for s in single if s.component not in running],
        f"{of} that nobody decided on": document.undecided(people),
    }.items():
        assert none_of(subject, offenders, among=single, of=of, may_be_empty=True)
    found, of = document.findings, "findings"
    for subject, offenders in {
        "open major findings": document.open_major_findings,
        "findings without an owner on the roster": unowned(found, people),
    }.items():
        assert none_of(subject, offenders, among=found, of=of, may_be_empty=True)


@attested(
    "D-5.1.3",
    "the business case, at most 14 days old, states baseline week, revenue and cost, gives "
    "bookings and revenue within 1 % of what the database holds for that week, repeats the 5 "
    'business goals of the procedure, and says how "revenue positive within 7 days" is '
    "computed",
    by=("executive_team",),
    papers=("business-case.md",),
)
def test_the_business_case_rests_on_what_was_sold(
    papers: Papers,
    baseline_sales: Answers[Sales],
    context: Context,
    vouched: Vouched,
    limits: Limits,
) -> None:
    """The baseline against the database's bookings and payments of that week, which was over; the
    goals against the procedure's numbers and the criteria; and that it was signed as written.

    Remedy: correct the figure or goal that is named; then an executive signs the case again.
    """
    case, said = papers.read(BusinessCase).data, vouched.counted
    days, early = (context.today - case.written_on).days, made_before(said, case.written_on)
    assert between("days since it was written", days, 0, limits.reviews.business_case_days)
    assert none_of(TOO_EARLY, early, among=said, of="signatures", may_be_empty=True)
    ended, by = case.ends_on <= case.written_on, f"by {case.written_on}"
    assert holds("end of the baseline week", ended, case.ends_on, by)
    assert above("cost of the baseline week", case.baseline_cost_cents / 100, 0, case.currency)
    computed, goals = case.revenue_positive, _goals_of_procedure(limits)
    assert holds('computation of "revenue positive"', computed.strip(), computed, "stated")
    [sold] = baseline_sales.of([f"{case.baseline_week}"]).values()
    assert at_least("bookings of the baseline week", sold.bookings, 1)
    assert above("revenue of the baseline week", sold.revenue_cents / 100, 0, case.currency)
    off, most = case.off_percent(sold.bookings, sold.revenue_cents), limits.reviews
    assert each_at_most("difference from the database", off, most.business_case_percent, "%")
    assert same_set("goals", case.goals, goals)
    for of, other in {
        "procedure": case.differing(goals),
        "criteria": papers.read(Criteria).data.differing(case.goals),
    }.items():
        assert none_of(f"goals that are not the {of}'s", other, among=case.goals, of="goals")


def _goals_of_procedure(limits: Limits) -> dict[str, float]:
    """The business metrics with the procedure's numbers."""
    goals = limits.business_goals
    return {
        "KB.1": goals.registrations,
        "KB.2": goals.completed_percent,
        "KB.3": goals.paid_percent,
        "KB.4": goals.satisfaction,
        "KB.5": goals.revenue_above,
    }


@attested(
    "D-5.1.4",
    "an executive and the Security Lead reviewed the current version of the risk register, "
    "with at least 10 risks, and decided by name for each high risk whether to accept it, "
    "reduce it or stop the launch",
    by=("executive_team", "security_lead"),
    papers=("risk-register.md",),
)
def test_every_high_risk_of_the_register_has_a_decision(
    papers: Papers, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The register as it lies there: how many risks, who decided what of the high ones, that the
    QA Lead's statement on D-6.3.4 is about the same one, and that it was signed after its last
    change.

    Remedy: decide on the risk that is named; then both sign the register as it is now. Where the
    QA Lead has signed another one, that is signed again first (`golive attest D-6.3.4`).
    """
    paper, said = papers.read(RiskRegister), vouched.counted
    register, other = paper.data, context.signed_otherwise("D-6.3.4", paper)
    assert holds("register signed for D-6.3.4", not other, other or "no other", "this one")
    early = made_before(said, register.changed_on)
    assert none_of(TOO_EARLY, early, among=said, of="signatures", may_be_empty=True)
    risks, undecided = register.risks, register.undecided(context.roster.people)
    assert at_least("risks", len(risks), limits.risks.registered)
    assert none_of("high risks that nobody decided on", undecided, among=risks, of="risks")
    assert none_of("risks that stop the launch", register.stopping, among=risks, of="risks")


@attested(
    "D-5.1.5",
    "4 different people with keys of their own (executive, Product Manager, Technical Lead, "
    "Security Lead) approved the same release digest, scope and reports, after the four "
    "reviews of this block and with 0 open conditions",
    by=("executive_team", "product_manager", "technical_lead", "security_lead"),
    papers=("final-approval.md",),
)
def test_the_release_that_was_approved_is_the_one_that_was_reviewed(
    papers: Papers, release_manifest: Manifest, vouched: Vouched, context: Context
) -> None:
    """The approval's commit against the release manifest, the papers that it names against those
    that lie there, its conditions; that each approval holds through launch day, is another
    person's, and was not given before the reviews.

    Remedy: meet the condition that is named; write the approval for the release and papers as
    they are now, and have all four sign it once the four reviews are stated, until after the
    launch.
    """
    approval, said = papers.read(FinalApproval).data, vouched.counted
    assert equal("the version that was approved", approval.version, context.launch.candidate)
    assert equal("the commit that was approved", approval.commit, release_manifest.commit)
    assert at_least("entries of the scope", len(approval.scope), 1)
    assert same_set("papers that were read", approval.documents, REVIEWED)
    now, conditions = context.digests(REVIEWED), approval.conditions
    changed = [n for n in REVIEWED if approval.documents[n] != now[n]]
    assert none_of("papers that have changed since", changed, among=REVIEWED, of="papers")
    open_ = approval.open_conditions
    assert none_of("open conditions", open_, among=conditions, of="conditions", may_be_empty=True)
    for subject, offenders in {
        "approvals that end before launch day is over": context.ending_early("D-5.1.5", said),
        "approvers who are one person": context.roster.doubles(s.statement.by for s in said),
    }.items():
        assert none_of(subject, offenders, among=said, of="approvals", may_be_empty=True)
    last = _last_review(context.reloaded())
    subject, early = f"approvals before the last review ({last:%F %T} UTC)", made_before(said, last)
    assert none_of(subject, early, among=said, of="approvals", may_be_empty=True)


def _last_review(context: Context) -> datetime:
    """When the last of the reviews was stated.

    :raises Pending: one is not whole yet.
    """
    reviews = [context.vouched(i) for i in REVIEWS]
    for review in reviews:
        review.claims()
    return max(s.statement.made_at for review in reviews for s in review.counted)


@attested(
    "D-5.3.2",
    "every holder and backup of the 9 roles accepted the role in person within the last 3 days "
    "and has the access it needs, with a second factor and a login in the last 7 days, and "
    "nobody outside the role table has that access",
    each=True,
    papers=("role-table.md",),
)
def test_every_role_is_accepted_and_has_its_access_and_nobody_else_has(
    vouched: Vouched,
    papers: Papers,
    context: Context,
    aws_groups: AwsGroups,
    aws_users: tuple[AwsUser, ...],
    database_operators: tuple[str, ...],
    status_page_members: tuple[Member, ...],
    limits: Limits,
) -> None:
    """The role table against the roster; what each role needs by its column of access against
    IAM groups, the members of the database's operators and those who may publish on the status
    page; second factor and last use of each IAM user; acceptances signed one by one. Who the
    users of the Stripe account are Stripe tells nobody but them.

    Remedy: give the access that is lacking, or take it from whoever is not in the role table; the
    person named sets up a second factor, or logs in. Whoever has not accepted the role signs
    `golive attest D-5.3.2`.
    """
    table, roster, roles = papers.read(RoleTable).data, context.roster, context.owner_roles
    for role in roles:
        holders, backups = ({p.id for p in who(role)} for who in (roster.holders, roster.backups))
        assert same_set(f"{role} by the table", table.primaries(role), holders)
        assert same_set(f"backup of {role} by the table", table.backups(role), backups)
    mails = [m.email for m in status_page_members]
    names = {**aws_groups.members, "database": database_operators, "status-page": mails}
    assert same_set("kinds of access in the role table", table.kinds_of_access(roles), names)
    needed, has = table.needed_access, {kind: roster.ids_of(who) for kind, who in names.items()}
    lacking, strangers = table.access_compared(has)
    assert none_of("access that a role lacks", lacking, among=needed, of="accesses")
    assert none_of("access outside the role table", strangers, among=needed, of="accesses")
    single, most_days = without_second_factor(aws_users), limits.access.login_days
    assert none_of("users without a second factor", single, among=aws_users, of="users")
    unused = unused_days(aws_users, datetime.now(UTC), most_days)
    assert each_at_most("last login", unused, most_days, "d ago")
    assert vouched.by_everyone([p.id for p in context.team], "people who accepted their role")


@attested(
    "D-5.3.4",
    "every role holder, backup and rostered support agent acknowledged in person, within the "
    "last 5 days, the current emergency runbook and answered at least 4 of its 5 check "
    "questions right",
    each=True,
    papers=("emergency-runbook.md",),
)
def test_everybody_knows_the_emergency_runbook_as_it_is(
    papers: Papers, vouched: Vouched, context: Context, limits: Limits
) -> None:
    """Each person's own signature over the runbook that lies there, with answers to its questions;
    against holders and backups of every role, the role table and the support people on the roster;
    and that it is the runbook of D-7.4.3.

    Remedy: whoever is named reads the runbook and signs `golive attest D-5.3.4` with the answers
    to its questions, in their order, as the list `answers`.
    """
    paper, table = papers.read(EmergencyRunbook), papers.read(RoleTable).data
    runbook, other = paper.data, context.signed_otherwise("D-7.4.3", paper)
    assert holds("runbook signed for D-7.4.3", not other, other or "no other", "this one")
    assert equal("check questions", len(runbook.questions), limits.reviews.runbook_questions)
    team = [*(p.id for p in context.team), *sorted(table.people)]
    asked = list(dict.fromkeys([*team, *context.audience("support")]))
    said = {p: s.statement.data.get("answers") for p in asked if (s := vouched.of(p))}
    known = {p: runbook.right_answers(answers) for p, answers in said.items()}
    if known:
        assert each_at_least("questions answered right", known, limits.reviews.runbook_answers)
    assert vouched.by_everyone(asked, "people who know the emergency runbook")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-5.D.1")
def test_every_stakeholder_approved_in_order_and_until_launch(
    deliverables: Deliverables, fixes: Fixes, release_manifest: Manifest, limits: Limits
) -> None:
    """The newest verdicts of D-5.1, and the statements behind them: their evidence by digest, how
    long they hold, and that the final approval is later than the reviews; that the release's tag
    still names the commit of its manifest, which was approved; the signature.

    Remedy: run what is missing, too old or red; have statements renewed that end before launch
    day; approve finally once the four reviews are stated. Then read the document again and sign
    it.
    """
    document = deliverables.of("D-5.D.1", "stakeholder-approval-documentation", ("D-5.1",))
    extra = [
        document.lasting(),
        document.later("D-5.1.5"),
        equal(f"commit of {fixes.tag}", fixes.commit, release_manifest.commit),
    ]
    for claim in document.claims(max_age_h=limits.documents.alignment_age_h, extra=extra):
        assert claim


@derived("D-5.D.2")
def test_the_communication_plan_is_ready_to_go_either_way(
    deliverables: Deliverables,
    papers: Papers,
    launch_calendar: LaunchCalendar,
    env: Environment,
    limits: Limits,
) -> None:
    """The newest verdicts of D-5.2 and every message of the plan, made into the document and
    compared with it; whose each message is, when it leaves against the go/no-go meeting in the
    calendar and the frozen timeline, to how many, and what is said after a no-go; the signature.
    That nothing has been sent yet is what D-5.2.1 to D-5.2.4 look at.

    Remedy: run what is missing, too old or red. Name an owner on the roster, a time from the last
    phase on, the size of the audience and the text for a no-go of the message that is named. Then
    read the document again and sign it.
    """
    kind, plan = "communication-plan-execution", papers.read(CommunicationPlan)
    planned = paper_tables.planned_messages(plan.data.messages)
    write = with_tables(planned, inputs={plan.name: plan.sha256})
    document = deliverables.of("D-5.D.2", kind, ("D-5.2",), write)
    meetings = launch_calendar.titled(env.calendar.go_no_go)
    timeline = papers.read(LaunchTimeline).data
    blocks = [s.block for s in timeline.slots]
    assert holds("the timeline's blocks", ANNOUNCED_FROM in blocks, blocks, ANNOUNCED_FROM)
    extra = [
        at_least(
            "planned messages", len(plan.data.messages), limits.announcements.planned_messages
        ),
        equal(f"events called {env.calendar.go_no_go}", len(meetings), 1),
        *_either_way(plan.data, meetings, timeline, deliverables.context.roster),
    ]
    for claim in document.claims(max_age_h=limits.documents.alignment_age_h, extra=extra):
        assert claim


@derived("D-5.D.3")
def test_the_team_is_aligned_role_by_role(
    deliverables: Deliverables,
    papers: Papers,
    launch_calendar: LaunchCalendar,
    env: Environment,
    limits: Limits,
) -> None:
    """The newest verdicts of D-5.3 and the statements behind them, made into the document and
    compared with it; for each role who holds it and who backs it up by the role table, against
    the roster, the war room in the calendar and who knows the emergency runbook; the signature.

    Remedy: run what is missing, too old or red. Correct the role table, the roster or the event
    in which somebody else stands; whoever is named signs `golive attest D-5.3.4`. Then read the
    document again and sign it.
    """
    table, context = papers.read(RoleTable), deliverables.context
    kind, people = "internal-team-alignment", table.data.people
    write = with_tables(paper_tables.role_table(table.data), inputs={table.name: table.sha256})
    document = deliverables.of("D-5.D.3", kind, ("D-5.3",), write)
    declared = {f"{r}: {p.id}" for r in context.owner_roles for p in context.roster.entitled(r)}
    known = [p for i, p in context.roster.people.items() if i in people]
    room = launch_calendar.titled(env.calendar.war_room)
    away = sorted(people - {p for event in room for p in event.invited(known)})
    said = {s.statement.by for s in document.basis.stated("D-5.3.4")}
    unread = sorted(people - said) if said else []
    who = "people of the role table who"
    extra = [
        same_set("who has which role by the role table", table.data.assignments, declared),
        none_of(f"{who} are not in the calendar", away, among=people, of="people"),
        none_of(f"{who} do not know the runbook", unread, among=people, of="people"),
    ]
    rest = ("that the criteria were delivered to the same people",)
    most_h = limits.documents.alignment_age_h
    for claim in document.claims(max_age_h=most_h, extra=extra, not_judged=rest):
        assert claim


def _either_way(
    plan: CommunicationPlan, meetings: list[Event], timeline: LaunchTimeline, roster: Roster
) -> Iterator[Claim]:
    """That each message is somebody's and for somebody, leaves after the go/no-go and when the
    launch may be told of, and says something after a no-go, too."""
    decided = max((e.end for e in meetings), default=datetime.max.replace(tzinfo=UTC))
    begin, end = timeline.span(ANNOUNCED_FROM)
    hours = f"{begin:%H:%M} to {end:%H:%M} of {begin:%F}"
    for subject, offenders in {
        "messages without an owner on the roster": plan.unowned(roster.people),
        "messages before the go/no-go": plan.until(decided),
        f"messages not from {hours}": plan.outside(begin, end),
        "messages to nobody": plan.to_nobody,
        "messages without a text for a no-go": plan.without_no_go_text,
    }.items():
        yield none_of(subject, offenders, among=plan.messages, of="messages")
