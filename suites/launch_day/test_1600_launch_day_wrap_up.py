"""4:00 PM - 5:00 PM: Launch Day Wrap-Up (Product Manager)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from golive import announcements, findings
from golive.claims import Claim, at_least, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.aftermath import (
    Feedback,
    KpiAssessment,
    LessonsLearned,
    ObjectiveEvaluation,
    OnCallRota,
    empty_or_copied,
    given_before,
    in_anothers_role,
    untracked,
)
from golive.papers.approval import BusinessCase
from golive.papers.kinds import RiskRegister, Stakeholders
from golive.papers.messages import MediaLog, Message, personal_data, unsaid
from golive.people.statements import Vouched
from golive.probes.people.announcements import Arrivals
from golive.probes.people.calendar import LaunchCalendar
from golive.probes.people.mail import Delivery
from golive.probes.saas.tracker import Issues
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers

PHASES = ("phase_1", "phase_2", "phase_3", "phase_4")
CRITERIA, ASSESSED, REVIEWED = "T0-1600.1.1", "T0-1600.1.2", "T0-1600.1.4"
"""Evaluation of the criteria, assessment of the measures of success, technical review."""
EVERYBODY, STAKEHOLDERS = "message-everybody.md", "message-stakeholders.md"
STAND_DOWN, CUSTOMERS = "message-stand-down.md", "message-customer-figures.md"
RELEASE, TEAM = "message-press.md", "message-team.md"
CUSTOMER_METRICS = ("KB.1", "KB.2", "KB.3", "KB.4", "KO.3")
"""Registrations, booking completion, payment success, satisfaction, support response."""
OFF = "product_manager"
"""Who signs the feedback of all off."""
AGREE = ("product_manager", "executive_team")
"""Who decide that there is no press work."""
OUTCOMES = "success, partial success or rolled back"


def _tonight(sent: Message, limits: Limits) -> Claim:
    """That it was sent on this very evening, or the launch's evening a day ago at most."""
    hours = (datetime.now(UTC) - sent.sent_at).total_seconds() / 3600
    required = f"0 to {limits.announcements.age_h:g}"
    return holds(
        "hours since it was sent",
        0 <= hours <= limits.announcements.age_h,
        f"{hours:.1f}",
        required,
    )


def _assessed_before(subject: str, at: datetime, assessment: KpiAssessment) -> Claim:
    """That the measures of success had been assessed by then."""
    known_at = assessment.assessed_at
    return holds(subject, at >= known_at, f"{at:%F %T} UTC", f"after {known_at:%F %T} UTC")


@attested(
    "T0-1600.1.5",
    "each objective of the approved business case was judged as met, on course or missed, with "
    "the reason and the measured figure, after today's success indicators were known",
    papers=("objective-evaluation.md", "kpi-assessment.md"),
)
def test_every_objective_was_judged_by_its_measured_figure(
    papers: Papers,
    deliverables: Deliverables,
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
) -> None:
    """The evaluation against the objectives of the business case, which has to be the one that
    was approved (D-5.1.3), and its figures and time against the assessment of the measures of
    success; the verdict of T0-1600.1.2, and that it was signed after that. Figures are those that
    people wrote down in kpi-assessment.md: whether they are what systems measure is
    T0-1600.1.2's to judge.

    Remedy: judge the objective that is named by its measured figure, once T0-1600.1.2 has passed;
    then the Product Manager signs `golive attest T0-1600.1.5`.
    """
    evaluation = papers.read(ObjectiveEvaluation).data
    assessment = papers.read(KpiAssessment).data
    case = papers.read(BusinessCase)
    known = case.sha256 in vouched_of("D-5.1.3").digests(case.name).values()
    observed = "that" if known else "another one"
    assert holds("business case judged by", known, observed, "the one approved in D-5.1.3")
    metric_of = {o.id: o.metric for o in case.data.objectives}
    results = evaluation.results
    assert same_set("objectives judged", [r.id for r in results], metric_of)
    twice = evaluation.judged_twice
    assert none_of("objectives judged twice", twice, among=metric_of, of="objectives")
    wrong = evaluation.misquoted(metric_of, assessment.values)
    assert none_of("figures other than measured", wrong, among=results, of="figures")
    missed = evaluation.called_met(metric_of, assessment.missed)
    assert none_of("objectives called met though missed", missed, among=results, of="results")
    assert _assessed_before("when it was evaluated", evaluation.evaluated_at, assessment)
    for claim in deliverables.resting("T0-1600.1.5", (ASSESSED,), before=vouched):
        assert claim


@attested(
    "T0-1600.2.3",
    "the lessons written down today have at least one entry for each of the 4 phases and for "
    "each issue of high severity or above, each with cause, action, an owner on the roster and "
    "an issue that exists",
    papers=("lessons-learned.md",),
)
def test_every_phase_and_grave_issue_has_taught_something(
    papers: Papers, issues: Issues, context: Context
) -> None:
    """The lessons against the four phases and the tracker's critical or high issues of the launch,
    drills left out; their owners against the roster, the issues that they are followed up in
    against the tracker.

    Remedy: write the lesson that is missing, or file the issue that it names; then sign the
    lessons again.
    """
    paper, people = papers.read(LessonsLearned).data, context.roster.people
    lessons = paper.lessons
    assert equal("the day they were written", paper.written_on, context.today)
    for claim in findings.canary(issues):
        assert claim
    wanted = [*PHASES, *(f"#{i.number}" for i in issues.severe_of_launch)]
    bare, of = paper.without_lesson(wanted), "phases and issues"
    assert none_of("phases and critical or high issues without a lesson", bare, among=wanted, of=of)
    for subject, offenders in {
        "lessons without cause or action": paper.vague,
        "lessons without an owner on the roster": paper.unowned(people),
        "lessons whose issue does not exist": paper.untracked(issues.numbers),
    }.items():
        assert none_of(subject, offenders, among=lessons, of="lessons")


@attested(
    "T0-1600.2.4",
    "every role on the launch roster, at least 5 people, gave feedback in person after the "
    "cutover, and each concern rated high has an issue",
    each=True,
)
def test_every_role_gave_feedback_of_its_own(
    papers: Papers, vouched: Vouched, issues: Issues, context: Context, limits: Limits
) -> None:
    """One paper of each role's holder, signed by that very person after the cutover; no two alike
    and none empty; the tracker's issue for each high concern; all of them among the evidence of
    the Product Manager's own statement.

    Remedy: whoever is missing writes feedback-ID.md and signs `golive attest T0-1600.2.4
    --evidence` with its path; file the issue of the concern that is named. The Product Manager
    signs with the paths of all, once they are there.
    """
    given = {f.data.person: f for f in papers.all_of(Feedback)}
    roster = context.roster
    holders = [*dict.fromkeys(p.id for r in context.owner_roles for p in roster.holders(r))]
    least = limits.launch_day.feedback_people
    assert at_least("people who have to give feedback", len(holders), least)
    assert same_set("people who gave feedback", given, holders)
    said, cutover = [f.data for f in given.values()], papers.read(Message, TEAM).data.cutover_at
    assert holds("time of the cutover", cutover, cutover, f"cutover_at in {TEAM}")
    for subject, offenders in {
        "feedback from before the cutover": given_before(cutover, said),
        "feedback that is empty or another's": empty_or_copied(said),
        "feedback in another's role": in_anothers_role(said, roster.roles_of),
        "high concerns without an issue": untracked(said, issues.numbers),
        "feedback not signed off": announcements.not_signed_off(vouched, OFF, given.values()),
    }.items():
        assert none_of(subject, offenders, among=given, of="feedback")
    signed, other = announcements.signed_another(vouched, given)
    subject, of = "people who signed something else than their feedback", "people who have signed"
    assert none_of(subject, other, among=signed, of=of, may_be_empty=True)
    assert vouched.by_everyone(holders, "people who signed their feedback")


@attested(
    "T0-1600.3.1",
    "the outcome of v2.0.0 was announced after its technical criteria were judged, calls it a "
    "success only if none of them failed, and quotes the measured figures",
    papers=("message-everybody.md", "kpi-assessment.md"),
)
def test_success_is_announced_only_where_no_technical_criterion_failed(
    papers: Papers,
    message_links: Answers[Link],
    env: Environment,
    context: Context,
    deliverables: Deliverables,
    limits: Limits,
) -> None:
    """The announcement: its outcome against the technical measures of success, in the assessment
    and on record; its figures against the assessment and its own text; its links, asked now; the
    verdict of T0-1600.1.1. Figures are those that people wrote down in kpi-assessment.md: whether
    they are what systems measure is T0-1600.1.2's to judge.

    Remedy: announce the outcome as it is and with the measured figures; write message-everybody.md
    as it was sent; then the Product Manager signs `golive attest T0-1600.3.1`.
    """
    paper, assessment = papers.read(Message, EVERYBODY), papers.read(KpiAssessment).data
    sent, technical = (
        paper.data,
        [i for i in context.ids_of("success_metric") if i.startswith("KT.")],
    )
    assert equal("the version announced", sent.version, context.launch.candidate)
    lacking = unsaid(paper.body, [sent.version])
    assert none_of("what the text does not name", lacking, among=1, of="versions")
    for claim in announcements.outcome(sent, technical, assessment, context):
        assert claim
    for claim in announcements.quoted(sent, assessment.values):
        assert claim
    absent = unsaid(paper.body, [f.text for f in sent.figures])
    assert none_of("figures not in the text", absent, among=sent.figures, of="figures")
    assert announcements.in_production(message_links.of(sent.links).values(), env.edge.hosts)
    assert _tonight(sent, limits)
    assert _assessed_before("when it was announced", sent.sent_at, assessment)
    for claim in deliverables.resting("T0-1600.3.1", (CRITERIA,)):
        assert claim


@attested(
    "T0-1600.3.2",
    "every stakeholder of the approval list got today's update with status, table of success "
    "indicators, open risks and next checkpoint, and none of it bounced",
    papers=("message-stakeholders.md", "stakeholders.md"),
)
def test_every_stakeholder_got_an_update_that_is_whole(
    papers: Papers,
    message_deliveries: Answers[Delivery],
    context: Context,
    deliverables: Deliverables,
    limits: Limits,
) -> None:
    """The update: its addressees against the approval list, its table against the procedure's
    measures of success and their assessment, its risks against those that the register scores
    high; its delivery in SendGrid's activity where it was sent by mail; the verdict of
    T0-1600.1.4. Figures are those that people wrote down in kpi-assessment.md.

    Remedy: send the update, whole, to the stakeholder who is named, by another way where mail
    bounced; write message-stakeholders.md as it was sent; then sign `golive attest T0-1600.3.2`.
    """
    sent, asked = papers.read(Message, STAKEHOLDERS).data, papers.read(Stakeholders).data.people
    assert none_of("stakeholders not told", sent.not_told(asked), among=asked, of="stakeholders")
    assert _tonight(sent, limits)
    assert holds("status", sent.outcome, sent.outcome, OUTCOMES)
    assert same_set("measures in the table", sent.metrics, context.ids_of("success_metric"))
    for claim in announcements.quoted(sent, papers.read(KpiAssessment).data.values):
        assert claim
    register = papers.read(RiskRegister).data
    for subject, offenders in {
        "high risks not told": [r.id for r in register.high if r.id not in sent.open_risks],
        "risks that the register does not have": sorted({*sent.open_risks} - {*register.scores}),
    }.items():
        assert none_of(subject, offenders, among=register.risks, of="risks")
    comes = sent.next_checkpoint
    assert holds("next checkpoint", comes and comes > sent.sent_at, comes, "after the update")
    roster, of = context.roster, "stakeholders"
    for claim in announcements.delivered(sent, asked, message_deliveries, roster, of):
        assert claim
    for claim in deliverables.resting("T0-1600.3.2", (REVIEWED,)):
        assert claim


@attested(
    "T0-1600.3.3",
    "everyone on the roster, the support team included, was told after 16:00 the result, who "
    "stands down and who keeps watch, tonight's on-call person and the time of tomorrow's "
    "review",
    papers=("message-stand-down.md",),
)
def test_everybody_knows_the_result_and_who_watches_tonight(
    papers: Papers,
    env: Environment,
    context: Context,
    launch_calendar: LaunchCalendar,
    limits: Limits,
) -> None:
    """The message: its addressees against the roster and its support team, its result against
    the one announced in T0-1600.3.1, its time by the
    launch's clock, its on-call person against the rota at 22:00, its review against the
    calendar's on the day after the launch.

    Remedy: tell whoever is named; correct the name by the rota or put the review into the
    calendar, and tell everybody again. Write message-stand-down.md as it was sent; then the
    Product Manager signs `golive attest T0-1600.3.3`.
    """
    sent, people = papers.read(Message, STAND_DOWN).data, context.roster.people
    missed, support = sorted(sent.not_told(people)), context.audience("support")
    assert none_of("people on the roster not told", missed, among=people, of="people")
    assert none_of("support not told", sent.not_told(support), among=support, of="support agents")
    announced = papers.read(Message, EVERYBODY).data.outcome
    assert equal("result", sent.outcome or "nothing", announced)
    assert holds("stand-down or watch", sent.watch, sent.watch, "one of them")
    assert _tonight(sent, limits)
    at = sent.sent_at.astimezone(ZoneInfo(env.calendar.time_zone))
    assert at_least("hour at which it was sent", at.hour, limits.announcements.evening_from_h, "h")
    night = datetime.combine(at.date(), time(int(limits.contacts.night_from_h)), at.tzinfo)
    subject = f"who is called first on {night:%F} at {night:%H:%M}"
    watch = papers.read(OnCallRota).data.at(night)
    rota = f"as the rota has it: {', '.join(watch) or 'nobody'}"
    assert holds(subject, sent.on_call in watch, sent.on_call, rota)
    tomorrow = context.launch.due(1)
    reviews = launch_calendar.beginning(env.calendar.review, on=tomorrow)
    planned = ", ".join(str(e) for e in reviews) or f"none on {tomorrow}"
    is_planned = sent.review_at in [e.start for e in reviews]
    assert holds("review told", is_planned, sent.review_at, f"as the calendar has it: {planned}")


@attested(
    "T0-1600.3.4",
    "at least 5 customer figures (registrations, booking completion, payment success, "
    "satisfaction, support response), each as measured with its window and sample size and "
    "without personal data, were shared with support and management",
    papers=("message-customer-figures.md", "kpi-assessment.md"),
)
def test_customer_figures_are_the_measured_ones_and_name_no_customer(
    papers: Papers, context: Context, limits: Limits
) -> None:
    """The file as it was shared: who got it against the roster, its figures against the
    assessment of the measures of success, and whether its text has what reads like a mail
    address, a phone number or a name that is not of the roster. Figures are those that people
    wrote down in kpi-assessment.md: whether they are what systems measure is T0-1600.1.2's to
    judge.

    Remedy: correct the figure that is named, or add its window and sample; take personal data out
    and call the file back. Share it again; then the Product Manager signs `golive attest
    T0-1600.3.4`.
    """
    paper = papers.read(Message, CUSTOMERS)
    sent = paper.data
    for audience in ("support", "management"):
        group = context.audience(audience)
        assert none_of(f"{audience} not told", sent.not_told(group), among=group, of="people")
    assert at_least("figures", len(sent.figures), limits.announcements.customer_figures)
    lacking = sorted(set(CUSTOMER_METRICS) - sent.metrics)
    assert none_of("customer figures not shared", lacking, among=CUSTOMER_METRICS, of="figures")
    for claim in announcements.quoted(sent, papers.read(KpiAssessment).data.values):
        assert claim
    reported = personal_data(paper.text, {p.name for p in context.roster.people.values()})
    assert none_of("personal data", reported, among=paper.text.splitlines(), of="lines")
    assert _tonight(sent, limits)


@attested(
    "T0-1600.3.5",
    "every media enquiry since the cutover, even if there was none, is on record with answer, "
    "person and time, and each outlet that got the release heard from us again, or the signed "
    "agreement that there is no press work still stands",
    papers=("media-log.md",),
)
def test_every_enquiry_of_the_press_is_answered_and_every_outlet_heard_again(
    papers: Papers, arrivals: Arrivals, context: Context, vouched_of: Callable[[str], Vouched]
) -> None:
    """The log of enquiries: against the mail that came to the press address since the cutover, as
    the inbox of replies has it, and the release's outlets. Where T0-1230.3.5 says that there is no
    press work: that this still stands, and that nobody asked. The time of the cutover is that of
    the team's announcement. Enquiries by other ways than mail are the log's own word.

    Remedy: answer the enquiry that is named, or write to the outlet, and add it to media-log.md;
    have an agreement that has run out signed again in T0-1230.3.5, or do the press work. Then the
    Product Manager signs `golive attest T0-1600.3.5`.
    """
    log = papers.read(MediaLog).data
    log, cutover = papers.read(MediaLog).data, papers.read(Message, TEAM).data.cutover_at
    assert holds("time of the cutover", cutover, cutover, f"cutover_at in {TEAM}")
    assert cutover is not None
    mails = [mail.received_at for mail in arrivals.to(log.press_address, cutover)]
    agreed = vouched_of("T0-1230.3.5")
    if announcements.says_no_press(agreed):
        for claim in announcements.no_press(agreed, AGREE):
            assert claim
        assert announcements.nobody_asked(log, mails)
        return
    is_told, required = log.enquiries or log.none_received, "some, or none_received: true"
    assert holds("enquiries on record", is_told, len(log.enquiries), required)
    for claim in announcements.answered(log, mails, cutover, context.roster.people):
        assert claim
    release = papers.read(Message, RELEASE).data
    silent = log.not_followed_up(release.outlets, release.sent_at)
    assert none_of("outlets without a follow-up", silent, among=release.outlets, of="outlets")
