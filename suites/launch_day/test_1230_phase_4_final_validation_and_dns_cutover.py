"""12:30 PM - 1:00 PM: Phase 4 - Final Validation and DNS Cutover (Technical Lead)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

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
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.papers import Paper, Papers
from golive.papers.kinds import WarRoom
from golive.papers.messages import Announcement, CommunicationPlan, Message, plain, unsaid
from golive.people.statements import Vouched
from golive.probes.people.mail import Delivery
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.verdicts import Verdict

HEALTH = "T0-1230.2.5"
"""The health checks after the cutover."""
TEAM, SOCIAL, PRESS = "message-team.md", "message-social.md", "message-press.md"
AGREE = ("product_manager", "executive_team")
"""Who decide that there is no press work."""


def _approved(papers: Papers, sent: Paper[Message], candidate: str) -> Iterator[Claim]:
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


def _names_all(papers: Papers, sent: Paper[Message], context: Context) -> Iterator[Claim]:
    """That the team reads of version, time of the cutover, war room and whom to escalate to."""
    announced = papers.read(Announcement, sent.data.approved_text).data
    first = [
        p
        for lv in context.roster.escalation[:1]
        for r in lv.roles
        for p in context.roster.holders(r)
    ]
    yield at_least("people of the first level of escalation", len(first), 1)
    facts = [announced.version, f"{announced.launches_at:%H:%M}", papers.read(WarRoom).data.bridge]
    lacking = unsaid(sent.body, facts)
    lacking += [p.id for p in first if len(unsaid(sent.body, [p.id, p.name])) == 2]
    yield none_of("what the text does not name", lacking, among=len(facts) + len(first), of="facts")


def _late_enough(papers: Papers, moments: Mapping[str, datetime], least_minutes: float) -> Claim:
    """That nothing was told before the cutover that the team was told of, nor in the minutes
    after it that the health checks take."""
    cutover = papers.read(Message, TEAM).data.cutover_at
    if cutover is None:
        return holds("time of the cutover", False, f"none in {TEAM}", "cutover_at")
    minutes = {what: (at - cutover).total_seconds() / 60 for what, at in moments.items()}
    return each_at_least("minutes from the cutover", minutes, least_minutes, "min")


def _after_health(
    passed_at: datetime | None, moments: Mapping[str, datetime], most_minutes: float | None
) -> Iterator[Claim]:
    """That everything was told after the health checks had passed, and soon enough."""
    yield holds("health checks passed after the cutover", passed_at, passed_at, f"{HEALTH} passed")
    assert passed_at is not None
    minutes = {what: (at - passed_at).total_seconds() / 60 for what, at in moments.items()}
    yield each_at_least("minutes from the health checks", minutes, 0, "min")
    if most_minutes is not None:
        yield each_at_most("minutes from the health checks", minutes, most_minutes, "min")


def _health_passed(papers: Papers, context: Context) -> datetime | None:
    """When they first passed after the cutover that the team was told of."""
    cutover = papers.read(Message, TEAM).data.cutover_at
    found = readiness.looks(context.reports, context.environment.name, (HEALTH,))
    passed = (x.at for x in found if x.verdicts[HEALTH] is Verdict.PASS)
    return min((at for at in passed if cutover is None or at >= cutover), default=None)


@attested(
    "T0-1230.3.1",
    "the approved internal announcement, with version, cutover time, war room and escalation "
    "contacts, went to everyone on the launch roster after the health checks had passed and "
    "within 30 minutes of that",
    papers=("announcement-team.md", "message-team.md"),
)
def test_everybody_was_told_the_approved_text_after_the_health_checks(
    papers: Papers,
    message_links: Answers[Link],
    message_deliveries: Answers[Delivery],
    context: Context,
    deliverables: Deliverables,
    limits: Limits,
) -> None:
    """The message as it was sent: its text against the approved one and that against the digest
    in the communication plan, what it names against war room and roster, its addressees against
    the roster, its links asked now, its delivery where it was sent by mail; the verdict of
    T0-1230.2.5, and when that first passed. The time of the cutover is the message's own word.

    Remedy: send the approved text to whoever is named, or mend the link; write message-team.md as
    it was sent. Sent too early: send again once T0-1230.2.5 has passed. Then sign `golive attest
    T0-1230.3.1`.
    """
    paper = papers.read(Message, TEAM)
    for claim in _approved(papers, paper, context.launch.candidate):
        assert claim
    for claim in _names_all(papers, paper, context):
        assert claim
    sent, people = paper.data, context.roster.people
    missed = sorted(set(people) - set(sent.to))
    assert none_of("people on the roster who were not told", missed, among=len(people), of="people")
    assert _late_enough(papers, {TEAM: sent.sent_at}, limits.health_check_minutes)
    there = message_links.of(sent.links)
    gone = [p for p in there.values() if not p.is_there]
    assert none_of("links that do not answer", gone, among=len(there), of="links")
    if sent.mail_id:
        [told] = message_deliveries.of([sent.mail_id]).values()
        misrouted = told.missed(people[p].email for p in sent.to if p in people)
        assert none_of("mails not delivered", misrouted, among=len(sent.to), of="mails")
    for claim in deliverables.resting("T0-1230.3.1", (HEALTH,)):
        assert claim
    passed_at = _health_passed(papers, context)
    for claim in _after_health(passed_at, {TEAM: sent.sent_at}, limits.announced_minutes):
        assert claim


@attested(
    "T0-1230.3.3",
    "at least one post with the approved text was published on each declared channel after the "
    "health checks had passed, linking to the production host with its campaign tag",
    by=("product_manager",),
    papers=("announcement-social.md", "message-social.md"),
)
def test_every_channel_has_the_approved_post_and_it_leads_to_production(
    papers: Papers,
    message_links: Answers[Link],
    env: Environment,
    context: Context,
    deliverables: Deliverables,
    limits: Limits,
) -> None:
    """The posts as they are listed: their channels against those of the approved text, and that
    against the digest in the communication plan; each post's page and where its link ends, asked
    now; the verdict of T0-1230.2.5, and when that first passed. The time of a post is the word of
    who lists it, that of the cutover the team's announcement's.

    Remedy: publish the approved text on the channel that is named, or correct the post's link;
    list it in message-social.md as it is. Then the Product Manager signs `golive attest
    T0-1230.3.3`.
    """
    paper = papers.read(Message, SOCIAL)
    for claim in _approved(papers, paper, context.launch.candidate):
        assert claim
    posts = paper.data.posts
    approved = papers.read(Announcement, paper.data.approved_text)
    assert same_set("channels with a post", {p.channel for p in posts}, approved.data.channels)
    times = {p.address: p.published_at for p in posts}
    assert _late_enough(papers, times, limits.health_check_minutes)
    found = message_links.of(times)
    gone = [p for p in found.values() if not p.is_there]
    assert none_of("posts that are not there", gone, among=len(posts), of="posts")
    other = [url for url, p in found.items() if plain(approved.body) not in p.words]
    assert none_of("posts with another text", other, among=len(posts), of="posts")
    bare = [p.address for p in posts if p.link not in found[p.address].links]
    assert none_of("posts without the link listed", bare, among=len(posts), of="posts")
    ends = message_links.of(p.link for p in posts).values()
    misrouted = [p for p in ends if not p.is_at(env.edge.hosts)]
    assert none_of("links that do not end in production", misrouted, among=len(ends), of="links")
    untagged = [p for p in ends if not parse_qs(urlsplit(p.final_url).query).get("utm_campaign")]
    assert none_of("links without their campaign tag", untagged, among=len(ends), of="links")
    for claim in deliverables.resting("T0-1230.3.3", (HEALTH,)):
        assert claim
    for claim in _after_health(_health_passed(papers, context), times, None):
        assert claim


@attested(
    "T0-1230.3.5",
    "the approved press release went to its distribution list after the cutover, or the "
    "Product Manager and an executive had agreed, no later than the launch authorisation, that "
    "there is none",
    by=("product_manager", "executive_team"),
)
def test_the_press_got_the_approved_release_or_it_was_agreed_that_it_gets_none(
    papers: Papers,
    message_links: Answers[Link],
    env: Environment,
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
    context: Context,
    limits: Limits,
) -> None:
    """The release as it was sent: its text against the approved one and that against the digest
    in the communication plan, how many outlets got it against the plan, its figures, its links
    asked now, and the evidence of who signed it. Where somebody states that there is none: who
    agreed to that, and when the launch was authorised. The time of the cutover is that of the
    team's announcement.

    Remedy: send the approved text as it is; write message-press.md as it was sent and sign it as
    evidence: `golive attest T0-1230.3.5 --evidence` and its path. Without press work the Product
    Manager and an executive sign `golive attest T0-1230.3.5 --data press=none` before the launch
    is authorised.
    """
    if any(s.statement.data.get("press") == "none" for s in vouched.all):
        for claim in _no_press(vouched, vouched_of("D-1.2.1")):
            assert claim
        return
    paper = papers.read(Message, PRESS)
    for claim in _approved(papers, paper, context.launch.candidate):
        assert claim
    release, plan = paper.data, papers.read(CommunicationPlan).data
    planned = plan.of(release.approved_text)
    assert planned is not None
    assert at_least("outlets", len(release.outlets), 1)
    assert equal("outlets that got it", len(release.outlets), planned.recipients)
    figures = papers.read(Announcement, release.approved_text).data.figures
    absent = unsaid(paper.body, [f"{value:,.10g}" for value in figures.values()])
    assert none_of(
        "approved figures not in the text",
        absent,
        among=len(figures),
        of="approved figures",
        may_be_empty=True,
    )
    assert _late_enough(papers, {PRESS: release.sent_at}, limits.health_check_minutes)
    ends = message_links.of(release.links).values()
    misrouted = [p for p in ends if not p.is_at(env.edge.hosts)]
    assert none_of("links that do not end in production", misrouted, among=len(ends), of="links")
    if vouched.counted:
        other = [
            s.statement.by
            for s in vouched.counted
            if paper.sha256 not in {e.sha256 for e in s.statement.evidence}
        ]
        assert none_of(
            "people who signed another release", other, among=len(vouched.counted), of="people"
        )


def _no_press(agreed: Vouched, authorised: Vouched) -> Iterator[Claim]:
    """That it was agreed in time, by those who may, that the press gets nothing."""
    said = [s for s in agreed.all if s.statement.data.get("press") == "none"]
    lapsed = [f"{s.statement.by}: {s.cause}" for s in said if not s.valid]
    yield none_of("agreements that do not hold", lapsed, among=len(said), of="agreements")
    agree = {s.statement.role for s in agreed.counted if s in said}
    yield same_set("roles that agreed to do no press work", agree, AGREE)
    made = [s.statement.made_at for s in authorised.counted]
    yield at_least("signatures that authorise the launch", len(made), 1)
    late = [s.statement.by for s in said if s.statement.made_at > max(made)]
    yield none_of("agreements after that", late, among=len(said), of="agreements")
