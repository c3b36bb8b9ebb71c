"""12:30 PM - 1:00 PM: Phase 4 - Final Validation and DNS Cutover (Technical Lead)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from golive import announcements
from golive.claims import Claim, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.messages import Announcement, Message
from golive.people.statements import Vouched
from golive.probes.people.mail import Delivery
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers

HEALTH = "T0-1230.2.5"
"""The health checks after the cutover."""
TEAM, SOCIAL, PRESS = "message-team.md", "message-social.md", "message-press.md"
AGREE = ("product_manager", "executive_team")
"""Who decide that there is no press work."""


def _after_health(
    papers: Papers,
    context: Context,
    moments: Mapping[str, datetime],
    most_minutes: float | None = None,
) -> Iterator[Claim]:
    """That everything was told after the health checks first passed after the cutover that the
    team was notified of, and soon enough."""
    passed_at = announcements.first_passed(
        context, HEALTH, papers.read(Message, TEAM).data.cutover_at
    )
    return announcements.after_health_checks(HEALTH, passed_at, moments, most_minutes)


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

    Remedy: send the approved text to whoever is named, or fix the link; write message-team.md as
    it was sent. Sent too early: send again once T0-1230.2.5 has passed. Then sign `golive attest
    T0-1230.3.1`.
    """
    paper, people = papers.read(Message, TEAM), context.roster.people
    sent, most = paper.data, limits.announcements
    for claim in announcements.approved(papers, paper, context.launch.candidate):
        assert claim
    for claim in announcements.names_all(papers, paper, context.roster):
        assert claim
    missed = sorted(sent.not_told(people))
    assert none_of("people on the roster who were not told", missed, among=people, of="people")
    assert announcements.after_cutover(paper, {TEAM: sent.sent_at}, most.health_check_minutes)
    there = message_links.of(sent.links)
    gone = [p for p in there.values() if not p.is_there]
    assert none_of("links that do not answer", gone, among=there, of="links")
    known = [p for p in sent.to if p in people]
    for claim in announcements.delivered(sent, known, message_deliveries, context.roster, "mails"):
        assert claim
    for claim in deliverables.resting("T0-1230.3.1", (HEALTH,)):
        assert claim
    for claim in _after_health(papers, context, {TEAM: sent.sent_at}, most.team_minutes):
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
    for claim in announcements.approved(papers, paper, context.launch.candidate):
        assert claim
    posts, approved = paper.data.posts, papers.read(Announcement, paper.data.approved_text)
    assert same_set("channels with a post", {p.channel for p in posts}, approved.data.channels)
    times = {p.address: p.published_at for p in posts}
    team = papers.read(Message, TEAM)
    assert announcements.after_cutover(team, times, limits.announcements.health_check_minutes)
    for claim in announcements.posted(posts, message_links.of(times), approved.body):
        assert claim
    ends = message_links.of(p.link for p in posts).values()
    assert announcements.in_production(ends, env.edge.hosts)
    untagged = [p for p in ends if not p.has_parameter("utm_campaign")]
    assert none_of("links without their campaign tag", untagged, among=ends, of="links")
    for claim in deliverables.resting("T0-1230.3.3", (HEALTH,)):
        assert claim
    for claim in _after_health(papers, context, times):
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
    if announcements.says_no_press(vouched):
        for claim in announcements.no_press(vouched, AGREE):
            assert claim
        for claim in announcements.agreed_before(vouched, vouched_of("D-1.2.1")):
            assert claim
        return
    paper = papers.read(Message, PRESS)
    for claim in announcements.approved(papers, paper, context.launch.candidate):
        assert claim
    for claim in announcements.reached_outlets(papers, paper):
        assert claim
    team, times = papers.read(Message, TEAM), {PRESS: paper.data.sent_at}
    assert announcements.after_cutover(team, times, limits.announcements.health_check_minutes)
    ends = message_links.of(paper.data.links).values()
    assert announcements.in_production(ends, env.edge.hosts)
    if signed := vouched.counted:
        digests = {s.statement.by: {e.sha256 for e in s.statement.evidence} for s in signed}
        other = [by for by, known in digests.items() if paper.sha256 not in known]
        assert none_of("people who signed another release", other, among=signed, of="people")
