"""What makes a message that was sent one to rely on: its text, its time, its figures, its links.

For items about what is reported at a launch; what each of them asks for beyond that stands there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from golive import readiness
from golive.claims import (
    Claim,
    at_least,
    each_at_least,
    each_at_most,
    equal,
    holds,
    none_of,
    same_set,
)
from golive.context import Context
from golive.papers import Paper, Papers
from golive.papers.aftermath import Feedback, KpiAssessment
from golive.papers.kinds import WarRoom
from golive.papers.messages import (
    Announcement,
    CommunicationPlan,
    MediaLog,
    Message,
    Post,
    plain,
    unsaid,
)
from golive.people.roster import Roster
from golive.people.statements import Vouched
from golive.probes.people.mail import Delivery
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.verdicts import Verdict


def approved(papers: Papers, sent: Paper[Message], candidate: str) -> Iterator[Claim]:
    """That what was sent is the text that was approved: the plan has its digest."""
    name = sent.data.approved_text
    plan = papers.read(CommunicationPlan).data
    planned = plan.of(name)
    names = ", ".join(m.text for m in plan.messages)
    yield holds(f"approved text of {sent.name}", planned, name, f"one of the plan: {names}")
    assert planned is not None
    approved = papers.read(Announcement, name)
    yield equal(f"digest of {name}", approved.sha256, planned.text_sha256)
    same = plain(sent.body) == plain(approved.body)
    yield holds(f"text of {sent.name}", same, "just that" if same else "another", f"that of {name}")
    yield equal(f"version in {sent.name}", sent.data.version, candidate)


def names_all(papers: Papers, sent: Paper[Message], roster: Roster) -> Iterator[Claim]:
    """That the team reads of version, time of the cutover, war room and whom to escalate to."""
    announced = papers.read(Announcement, sent.data.approved_text).data
    roles = [role for level in roster.escalation[:1] for role in level.roles]
    first = [p for role in roles for p in roster.holders(role)]
    yield at_least("people of the first level of escalation", len(first), 1)
    facts = [announced.version, f"{announced.launches_at:%H:%M}", papers.read(WarRoom).data.bridge]
    lacking = unsaid(sent.body, facts)
    lacking += [p.id for p in first if len(unsaid(sent.body, [p.id, p.name])) == 2]
    yield none_of("what the text does not name", lacking, among=len(facts) + len(first), of="facts")


def reached_outlets(papers: Papers, sent: Paper[Message]) -> Iterator[Claim]:
    """That a release went to as many outlets as planned, with every approved figure; it is of an
    approved text, see :func:`approved`."""
    planned = papers.read(CommunicationPlan).data.of(sent.data.approved_text)
    assert planned is not None
    outlets = len(sent.data.outlets)
    yield at_least("outlets", outlets, 1)
    yield equal("outlets that got it", outlets, planned.recipients)
    figures = papers.read(Announcement, sent.data.approved_text).data.figures
    absent = unsaid(sent.body, [f"{value:,.10g}" for value in figures.values()])
    subject, of = "approved figures not in the text", "approved figures"
    yield none_of(subject, absent, among=figures, of=of, may_be_empty=True)


def after_cutover(
    team: Paper[Message], moments: Mapping[str, datetime], least_minutes: float
) -> Claim:
    """Nothing was announced before the cutover that the team learned of, nor in the minutes
    after it that the health checks take."""
    cutover = team.data.cutover_at
    if cutover is None:
        return holds("time of the cutover", False, f"none in {team.name}", "cutover_at")
    minutes = {what: (at - cutover).total_seconds() / 60 for what, at in moments.items()}
    return each_at_least("minutes from the cutover", minutes, least_minutes, "min")


def after_health_checks(
    item: str,
    passed_at: datetime | None,
    moments: Mapping[str, datetime],
    most_minutes: float | None = None,
) -> Iterator[Claim]:
    """That everything was told after the health checks had passed, and soon enough.

    :param item: the item that is the health checks.
    :param passed_at: see :func:`first_passed`.
    """
    yield holds("health checks passed after the cutover", passed_at, passed_at, f"{item} passed")
    assert passed_at is not None
    minutes = {what: (at - passed_at).total_seconds() / 60 for what, at in moments.items()}
    yield each_at_least("minutes from the health checks", minutes, 0, "min")
    if most_minutes is not None:
        yield each_at_most("minutes from the health checks", minutes, most_minutes, "min")


def first_passed(context: Context, item: str, since: datetime | None) -> datetime | None:
    """When an item first passed from a moment on; None where it did not."""
    found = readiness.looks(context.reports, context.environment.name, (item,))
    passed = (look.at for look in found if look.verdicts[item] is Verdict.PASS)
    return min((at for at in passed if since is None or at >= since), default=None)


def quoted(sent: Message, measured: Mapping[str, float]) -> Iterator[Claim]:
    """That every figure told is the measured one, to as many digits as it shows."""
    reported, other = sent.figures, sent.misquoted(measured)
    yield none_of("figures other than measured", other, among=reported, of="figures")
    vague = sent.vague_figures
    yield none_of("figures without window or sample", vague, among=reported, of="figures")


def outcome(
    sent: Message, criteria: Collection[str], assessment: KpiAssessment, context: Context
) -> Iterator[Claim]:
    """That an outcome is reported, and that it is no success where one of the technical criteria
    failed, by its assessment or by its newest verdict."""
    yield holds("outcome", sent.outcome, sent.outcome, "success, partial success or rolled back")
    of = "technical criteria"
    unknown = [i for i in criteria if i not in assessment.values]
    yield none_of("technical criteria not assessed", unknown, among=criteria, of="criteria")
    newest = readiness.newest(context, list(criteria))
    failed = {i for i, found in newest.items() if found.verdict.verdict is Verdict.FAIL}
    failed |= set(assessment.missed)
    reported = [i for i in criteria if i in failed] if sent.outcome == "success" else []
    subject = "criteria that failed though it was called a success"
    yield none_of(subject, reported, among=criteria, of=of)


def posted(posts: Collection[Post], pages: Mapping[str, Link], text: str) -> Iterator[Claim]:
    """That every post is there, with that text and the link that it is listed with.

    :param pages: what each post's address answers with.
    """
    words = plain(text)
    for subject, offenders in {
        "posts that are not there": [str(p) for p in pages.values() if not p.is_there],
        "posts with another text": [url for url, p in pages.items() if words not in p.words],
        "posts without the link listed": [
            p.address for p in posts if p.link not in pages[p.address].links
        ],
    }.items():
        yield none_of(subject, offenders, among=posts, of="posts")


def in_production(links: Collection[Link], hosts: Iterable[str]) -> Claim:
    """That every link answers, and ends on one of the product's hosts."""
    known = set(hosts)
    other = [link for link in links if not link.is_at(known)]
    return none_of("links that do not end in production", other, among=links, of="links")


def delivered(
    sent: Message, people: Collection[str], reported: Answers[Delivery], roster: Roster, of: str
) -> Iterator[Claim]:
    """That the mail reached each of these people, where it was sent by mail.

    :param of: what these people are called.
    :raises ProbeError: what became of it could not be looked at.
    """
    if sent.mail_id:
        [delivery] = reported.of([sent.mail_id]).values()
        known = [p for p in people if p in roster.people]
        missed = [p for p in people if p not in roster.people]
        missed += delivery.missed(roster.people[p].email for p in known)
        yield none_of("mails not delivered", missed, among=people, of=of)


def signed_another(
    said: Vouched, papers: Mapping[str, Paper[Feedback]]
) -> tuple[list[str], list[str]]:
    """Of those who gave feedback, by person, who has signed, and who of them something else than
    the own one."""
    signed = {p: s for p in papers if (s := said.of(p))}
    digests = {p: {e.sha256 for e in s.statement.evidence} for p, s in signed.items()}
    return list(signed), sorted(p for p in signed if papers[p].sha256 not in digests[p])


def not_signed_off(said: Vouched, role: str, papers: Iterable[Paper[Feedback]]) -> list[str]:
    """Which of these papers are not among what whoever says it in a role has signed."""
    signed = said.in_role(role)
    digests = {e.sha256 for e in signed.statement.evidence} if signed else set[str]()
    return [p.name for p in papers if p.sha256 not in digests]


# -- the press ---------------------------------------------------------------------------------


def says_no_press(agreed: Vouched) -> bool:
    """Whether somebody states that there is no press work."""
    return any(s.statement.data.get("press") == "none" for s in agreed.all)


def no_press(agreed: Vouched, roles: Collection[str]) -> Iterator[Claim]:
    """That the agreement to do no press work stands, by those who may make it.

    :param roles: who decide on that.
    """
    said = [s for s in agreed.all if s.statement.data.get("press") == "none"]
    lapsed = [f"{s.statement.by}: {s.cause}" for s in said if not s.valid]
    yield none_of("agreements that do not hold", lapsed, among=said, of="agreements")
    agree = {s.statement.role for s in agreed.counted if s in said}
    yield same_set("roles that agreed to do no press work", agree, roles)


def agreed_before(agreed: Vouched, authorised: Vouched) -> Iterator[Claim]:
    """That it was agreed to do no press work no later than the launch was authorised."""
    said = [s for s in agreed.all if s.statement.data.get("press") == "none"]
    made = [s.statement.made_at for s in authorised.counted]
    yield at_least("signatures that authorise the launch", len(made), 1)
    late = [s.statement.by for s in said if s.statement.made_at > max(made)]
    yield none_of("agreements after that", late, among=said, of="agreements")


def nobody_asked(log: MediaLog, mails: Collection[datetime]) -> Claim:
    """That the press asked nothing, by the log and by mail.

    :param mails: when mails came to the press address.
    """
    asked = [f"{e.outlet} at {e.received_at:%F %T} UTC" for e in log.enquiries]
    asked += [f"mail at {at:%F %T} UTC" for at in mails]
    subject = "enquiries though there is no press work"
    return none_of(subject, asked, among=asked, of="enquiries", may_be_empty=True)


def answered(
    log: MediaLog, mails: Collection[datetime], cutover: datetime, people: Collection[str]
) -> Iterator[Claim]:
    """That every mail of the press is on record, and every enquiry answered by one of these
    people.

    :param mails: when they came to the press address.
    """
    among = len(log.enquiries) + len(mails)
    for subject, offenders in {
        "enquiries not on record": log.unlogged(mails),
        "enquiries from before the cutover": log.before(cutover),
        "enquiries that nobody on the roster answered": log.unanswered(people),
    }.items():
        yield none_of(subject, offenders, among=among, of="enquiries", may_be_empty=True)
