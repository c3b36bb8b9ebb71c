"""4:00 PM - 5:00 PM: Launch Day Wrap-Up (Product Manager)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from golive import findings, readiness
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
)
from golive.papers.approval import BusinessCase
from golive.papers.kinds import RiskRegister, Stakeholders
from golive.papers.messages import Figure, MediaLog, Message, personal_data, unsaid
from golive.people.statements import Vouched
from golive.probes.people.announcements import Arrival, Arrivals
from golive.probes.people.calendar import LaunchCalendar
from golive.probes.people.mail import Delivery
from golive.probes.saas.tracker import Issues
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.verdicts import Verdict

PHASES = ("phase_1", "phase_2", "phase_3", "phase_4")
CRITERIA, ASSESSED, REVIEWED = "T0-1600.1.1", "T0-1600.1.2", "T0-1600.1.4"
"""Evaluation of the criteria, assessment of the measures of success, technical review."""
EVERYBODY, STAKEHOLDERS = "message-everybody.md", "message-stakeholders.md"
STAND_DOWN, CUSTOMERS = "message-stand-down.md", "message-customer-figures.md"
RELEASE, TEAM = "message-press.md", "message-team.md"
CUSTOMER_METRICS = ("KB.1", "KB.2", "KB.3", "KB.4", "KO.3")
"""Registrations, booking completion, payment success, satisfaction, support response."""
AGREE = ("product_manager", "executive_team")
"""Who decide that there is no press work."""


def _quoted(figures: Iterable[Figure], measured: Mapping[str, float]) -> Iterator[Claim]:
    """That every figure told is the measured one, to as many digits as it shows."""
    told = list(figures)
    other = [
        f"{f.metric} {f.value:g}, measured {measured.get(f.metric, 'never')}"
        for f in told
        if f.metric not in measured or not f.is_rounded(measured[f.metric])
    ]
    yield none_of("figures other than measured", other, among=len(told), of="figures")
    vague = [f.metric for f in told if f.sample < 1 or f.window_hours <= 0]
    yield none_of("figures without window or sample", vague, among=len(told), of="figures")


def _tonight(sent: Message, limits: Limits) -> Claim:
    """That it was sent on this very evening, or the launch's evening a day ago at most."""
    hours = (datetime.now(UTC) - sent.sent_at).total_seconds() / 3600
    required = f"0 to {limits.told_age_h:g}"
    return holds(
        "hours since it was sent", 0 <= hours <= limits.told_age_h, f"{hours:.1f}", required
    )


@attested(
    "T0-1600.1.5",
    "each objective of the approved business case was judged as met, on course or missed, with "
    "the reason and the measured figure, after today's success indicators were known",
    papers=("objective-evaluation.md", "kpi-assessment.md"),
)
def test_every_objective_was_judged_by_its_measured_figure(
    papers: Papers, deliverables: Deliverables, vouched: Vouched
) -> None:
    """The evaluation against the objectives of the business case, and its figures and time
    against the assessment of the measures of success; the verdict of T0-1600.1.2, and that it was
    signed after that. Figures are those that people wrote down in kpi-assessment.md: whether they
    are what systems measure is T0-1600.1.2's to judge.

    Remedy: judge the objective that is named by its measured figure, once T0-1600.1.2 has passed;
    then the Product Manager signs `golive attest T0-1600.1.5`.
    """
    evaluation = papers.read(ObjectiveEvaluation).data
    assessment = papers.read(KpiAssessment).data
    objectives = {o.id: o for o in papers.read(BusinessCase).data.objectives}
    assert same_set("objectives judged", [r.id for r in evaluation.results], objectives)
    twice = [i for i, n in Counter(r.id for r in evaluation.results).items() if n > 1]
    assert none_of("objectives judged twice", twice, among=len(objectives), of="objectives")
    values, results = assessment.values, evaluation.results
    wrong = [
        f"{r.id}: {r.value:g}, measured {values.get(m, 'never')} ({m})"
        for r in results
        if values.get(m := objectives[r.id].metric) != r.value
    ]
    assert none_of("figures other than measured", wrong, among=len(results), of="figures")
    missed = [
        r.id for r in results if r.result == "met" and objectives[r.id].metric in assessment.missed
    ]
    assert none_of("objectives called met though missed", missed, among=len(results), of="results")
    known_at = f"{assessment.assessed_at:%F %T} UTC"
    assert holds(
        "when it was evaluated",
        evaluation.evaluated_at >= assessment.assessed_at,
        f"{evaluation.evaluated_at:%F %T} UTC",
        f"after {known_at}",
    )
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
    """The lessons against the four phases and the tracker's grave issues of the launch that are
    no drills; their owners against the roster, the issues that they are followed up in against
    the tracker.

    Remedy: write the lesson that is missing, or file the issue that it names; then sign the
    lessons again.
    """
    paper = papers.read(LessonsLearned).data
    lessons = paper.lessons
    assert equal("the day they were written", paper.written_on, context.today)
    for claim in findings.canary(issues):
        assert claim
    grave = [
        f"#{i.number}"
        for i in issues.labelled(issues.names.launch)
        if i.severity in ("critical", "high") and "Drill" not in i.fields
    ]
    wanted = [*PHASES, *grave]
    bare = sorted(set(wanted) - {lesson.about for lesson in lessons})
    assert none_of(
        "phases and grave issues without a lesson", bare, among=len(wanted), of="phases and issues"
    )
    vague = [le.about for le in lessons if not (le.cause.strip() and le.action.strip())]
    assert none_of("lessons without cause or action", vague, among=len(lessons), of="lessons")
    loose = [f"{le.about}: {le.owner}" for le in lessons if le.owner not in context.roster.people]
    assert none_of(
        "lessons without an owner on the roster", loose, among=len(lessons), of="lessons"
    )
    lost = [f"{le.about}: #{le.issue}" for le in lessons if issues.get(le.issue) is None]
    assert none_of("lessons whose issue does not exist", lost, among=len(lessons), of="lessons")


@attested(
    "T0-1600.2.4",
    "every role on the launch roster, at least 5 people, gave feedback in person after the "
    "cutover, and each concern rated high has an issue",
    each=True,
)
def test_every_role_gave_feedback_of_its_own(
    papers: Papers, vouched: Vouched, issues: Issues, context: Context, limits: Limits
) -> None:
    """One paper of each role's holder, signed by that very person; no two alike and none empty;
    the tracker's issue for each high concern.

    Remedy: whoever is missing writes feedback-ID.md and signs `golive attest T0-1600.2.4
    --evidence` with its path; file the issue of the concern that is named.
    """
    given = {f.data.person: f for f in papers.all_of(Feedback)}
    holders = list(
        dict.fromkeys(p.id for r in context.owner_roles for p in context.roster.holders(r))
    )
    assert at_least("people who have to give feedback", len(holders), limits.feedback_people)
    assert same_set("people who gave feedback", given, holders)
    texts = {
        p: " ".join(f"{f.data.went_well} {f.data.to_change}".split()).casefold()
        for p, f in given.items()
    }
    often = Counter(texts.values())
    copied = sorted(p for p, text in texts.items() if not text or often[text] > 1)
    assert none_of("feedback that is empty or another's", copied, among=len(given), of="feedback")
    known = {i.number for i in issues.all}
    loose = [
        f"{p}: {c.text}"
        for p, f in given.items()
        for c in f.data.concerns
        if c.grade == "high" and c.issue not in known
    ]
    assert none_of("high concerns without an issue", loose, among=len(given), of="feedback")
    own = {p: {e.sha256 for e in s.statement.evidence} for p in holders if (s := vouched.of(p))}
    other = sorted(p for p, signed in own.items() if given[p].sha256 not in signed)
    assert none_of(
        "people who signed something else than their feedback",
        other,
        among=len(own),
        of="people who have signed",
        may_be_empty=True,
    )
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
    paper = papers.read(Message, EVERYBODY)
    sent, assessment = paper.data, papers.read(KpiAssessment).data
    assert equal("the version announced", sent.version, context.launch.candidate)
    assert none_of(
        "what the text does not name", unsaid(paper.body, [sent.version]), among=1, of="versions"
    )
    for claim in _outcome(sent, assessment, context):
        assert claim
    for claim in _quoted(sent.figures, assessment.values):
        assert claim
    absent = unsaid(paper.body, [f"{f.value:,.10g}" for f in sent.figures])
    assert none_of("figures not in the text", absent, among=len(sent.figures), of="figures")
    ends = message_links.of(sent.links).values()
    misrouted = [p for p in ends if not p.is_at(env.edge.hosts)]
    assert none_of("links that do not end in production", misrouted, among=len(ends), of="links")
    assert _tonight(sent, limits)
    known_at = f"{assessment.assessed_at:%F %T} UTC"
    assert holds(
        "when it was announced",
        sent.sent_at >= assessment.assessed_at,
        f"{sent.sent_at:%F %T} UTC",
        f"after {known_at}",
    )
    for claim in deliverables.resting("T0-1600.3.1", (CRITERIA,)):
        assert claim


def _outcome(sent: Message, assessment: KpiAssessment, context: Context) -> Iterator[Claim]:
    """That an outcome is told, and that it is no success where a technical criterion failed."""
    yield holds("outcome", sent.outcome, sent.outcome, "success, partial success or rolled back")
    technical = [i for i in context.ids_of("success_metric") if i.startswith("KT.")]
    unknown = [i for i in technical if i not in assessment.values]
    yield none_of("technical criteria not assessed", unknown, among=len(technical), of="criteria")
    on_record = readiness.newest(context, technical)
    red = [
        i
        for i in technical
        if i in assessment.missed
        or (i in on_record and on_record[i].verdict.verdict is Verdict.FAIL)
    ]
    told = red if sent.outcome == "success" else []
    yield none_of(
        "criteria that failed though it was called a success",
        told,
        among=len(technical),
        of="technical criteria",
    )


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
    sent, people = papers.read(Message, STAKEHOLDERS).data, context.roster.people
    asked = papers.read(Stakeholders).data.people
    missed = sorted(set(asked) - set(sent.to))
    assert none_of("stakeholders not told", missed, among=len(asked), of="stakeholders")
    assert _tonight(sent, limits)
    assert holds("status", sent.outcome, sent.outcome, "success, partial success or rolled back")
    metrics = context.ids_of("success_metric")
    assert same_set("measures in the table", [f.metric for f in sent.figures], metrics)
    for claim in _quoted(sent.figures, papers.read(KpiAssessment).data.values):
        assert claim
    risks = papers.read(RiskRegister).data.risks
    untold = [r.id for r in risks if r.score == "high" and r.id not in sent.open_risks]
    assert none_of("high risks not told", untold, among=len(risks), of="risks")
    unknown = sorted(set(sent.open_risks) - {r.id for r in risks})
    assert none_of("risks that the register does not have", unknown, among=len(risks), of="risks")
    comes = sent.next_checkpoint
    assert holds("next checkpoint", comes and comes > sent.sent_at, comes, "after the update")
    if sent.mail_id:
        [told] = message_deliveries.of([sent.mail_id]).values()
        strangers = [p for p in asked if p not in people]
        misrouted = strangers + told.missed(people[p].email for p in asked if p in people)
        assert none_of("mails not delivered", misrouted, among=len(asked), of="stakeholders")
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
    """The message: its addressees against the roster and its support team, its time by the
    launch's clock, its on-call person against the rota at 22:00, its review against the
    calendar's on the day after the launch.

    Remedy: tell whoever is named; correct the name by the rota or put the review into the
    calendar, and tell everybody again. Write message-stand-down.md as it was sent; then the
    Product Manager signs `golive attest T0-1600.3.3`.
    """
    sent, people = papers.read(Message, STAND_DOWN).data, context.roster.people
    missed = sorted(set(people) - set(sent.to))
    assert none_of("people on the roster not told", missed, among=len(people), of="people")
    support = context.audience("support")
    unsupported = [p for p in support if p not in sent.to]
    assert none_of("support not told", unsupported, among=len(support), of="support agents")
    assert holds("result", sent.outcome, sent.outcome, "success, partial success or rolled back")
    assert holds("stand-down or watch", sent.watch, sent.watch, "one of them")
    assert _tonight(sent, limits)
    at = sent.sent_at.astimezone(ZoneInfo(env.calendar.time_zone))
    assert at_least("hour at which it was sent", at.hour, limits.evening_from_h, "h")
    night = datetime.combine(at.date(), time(int(limits.night_from_h)), at.tzinfo)
    watch = papers.read(OnCallRota).data.at(night)
    assert holds(
        f"who is called first on {night:%F} at {night:%H:%M}",
        sent.on_call in watch,
        sent.on_call,
        f"as the rota has it: {', '.join(watch) or 'nobody'}",
    )
    tomorrow = context.launch.due(1)
    reviews = [
        e for e in launch_calendar.beginning(env.calendar.review) if e.start.date() == tomorrow
    ]
    planned = ", ".join(str(e) for e in reviews) or f"none on {tomorrow}"
    assert holds(
        "review told",
        sent.review_at in [e.start for e in reviews],
        sent.review_at,
        f"as the calendar has it: {planned}",
    )


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
    and call the file back. Share it anew; then the Product Manager signs `golive attest
    T0-1600.3.4`.
    """
    paper = papers.read(Message, CUSTOMERS)
    sent = paper.data
    for audience in ("support", "management"):
        group = context.audience(audience)
        missed = [p for p in group if p not in sent.to]
        assert none_of(f"{audience} not told", missed, among=len(group), of="people")
    assert at_least("figures", len(sent.figures), limits.customer_figures)
    lacking = sorted(set(CUSTOMER_METRICS) - {f.metric for f in sent.figures})
    assert none_of(
        "customer figures not shared", lacking, among=len(CUSTOMER_METRICS), of="figures"
    )
    for claim in _quoted(sent.figures, papers.read(KpiAssessment).data.values):
        assert claim
    told = personal_data(paper.text, {p.name for p in context.roster.people.values()})
    assert none_of("personal data", told, among=len(paper.text.splitlines()), of="lines")
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
    log, team = papers.read(MediaLog).data, papers.read(Message, TEAM).data
    assert holds("time of the cutover", team.cutover_at, team.cutover_at, f"cutover_at in {TEAM}")
    assert team.cutover_at is not None
    came = arrivals.to(log.press_address, team.cutover_at)
    agreed = vouched_of("T0-1230.3.5")
    if any(s.statement.data.get("press") == "none" for s in agreed.all):
        for claim in _no_press(agreed, log, came):
            assert claim
        return
    assert holds(
        "enquiries on record",
        log.enquiries or log.none_received,
        len(log.enquiries),
        "some, or none_received: true",
    )
    for claim in _answered(log, came, team.cutover_at, context):
        assert claim
    release = papers.read(Message, RELEASE).data
    again = {f.outlet for f in log.follow_ups if f.sent_at >= release.sent_at}
    silent = [o for o in release.outlets if o not in again]
    assert none_of("outlets without a follow-up", silent, among=len(release.outlets), of="outlets")


def _no_press(agreed: Vouched, log: MediaLog, came: list[Arrival]) -> Iterator[Claim]:
    """That the agreement to do no press work stands, and that nobody asked."""
    said = [s for s in agreed.all if s.statement.data.get("press") == "none"]
    lapsed = [f"{s.statement.by}: {s.cause}" for s in said if not s.valid]
    yield none_of("agreements that do not hold", lapsed, among=len(said), of="agreements")
    agree = {s.statement.role for s in agreed.counted if s in said}
    yield same_set("roles that agreed to do no press work", agree, AGREE)
    asked = [f"{e.outlet} at {e.received_at:%F %T} UTC" for e in log.enquiries]
    asked += [f"mail at {r.received_at:%F %T} UTC" for r in came]
    yield none_of(
        "enquiries though there is no press work",
        asked,
        among=len(asked),
        of="enquiries",
        may_be_empty=True,
    )


def _answered(
    log: MediaLog, came: list[Arrival], cutover: datetime, context: Context
) -> Iterator[Claim]:
    """That every mail of the press is on record, and every enquiry answered by one of us."""
    among = len(log.enquiries) + len(came)
    times = [e.received_at for e in log.enquiries]
    near, unlogged = timedelta(minutes=1), []  # the log tells times by the minute
    for r in came:
        match = next((at for at in times if abs(r.received_at - at) <= near), None)
        if match is None:
            unlogged.append(f"mail at {r.received_at:%F %T} UTC")
        else:  # another mail needs an entry of its own
            times.remove(match)
    yield none_of(
        "enquiries not on record", unlogged, among=among, of="enquiries", may_be_empty=True
    )
    early = [e.outlet for e in log.enquiries if e.received_at < cutover]
    yield none_of(
        "enquiries from before the cutover", early, among=among, of="enquiries", may_be_empty=True
    )
    people = context.roster.people
    open_ = [
        f"{e.outlet} ({e.answered_by})"
        for e in log.enquiries
        if e.answered_by not in people or e.answered_at < e.received_at
    ]
    yield none_of(
        "enquiries that nobody on the roster answered",
        open_,
        among=among,
        of="enquiries",
        may_be_empty=True,
    )
