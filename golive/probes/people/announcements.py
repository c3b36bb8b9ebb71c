"""What was reported at the launch, as people's papers list it: where its links lead, what became of
its mails, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from golive.environments import Environment
from golive.papers.aftermath import MarketResponse
from golive.papers.messages import Message
from golive.probes.people import mail
from golive.probes.traffic.pages import Link, follow
from golive.probes.transport.answers import Answers, answers, papers_there
from golive.probing import probe
from golive.verdicts import ProbeError


@probe()
def message_links(env: Environment) -> Answers[Link]:
    """Where the links of every message lead to, and what its posts say."""
    messages = [p.data for p in papers_there(env, Message)]
    posts = [post for m in messages for post in m.posts]
    links = [link for m in messages for link in m.links] + [post.link for post in posts]
    addresses = [post.address for post in posts]
    return follow(env, [*links, *addresses], read=addresses)


@probe()
def message_deliveries(env: Environment) -> Answers[mail.Delivery]:
    """What became of every message that was sent by mail, by the id that it was given."""
    messages = [p.data for p in papers_there(env, Message)]
    sent_at = {m.mail_id: m.sent_at for m in messages if m.mail_id}
    return answers(sent_at, lambda ident: mail.delivery(env, ident, sent_at[ident]))


@probe()
def market_sources(env: Environment) -> Answers[Link]:
    """The pages that the evaluation of the market cites."""
    cited = [f.sources for p in papers_there(env, MarketResponse) for f in p.data.findings]
    return follow(env, [url for sources in cited for url in sources])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that came back, without what it says."""

    received_at: datetime
    to: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Mails that came back from a moment on, which is None where no message tells of a cutover."""

    since: datetime | None
    mails: tuple[Arrival, ...]

    def to(self, address: str, since: datetime) -> list[Arrival]:
        """Those to an address from a moment on.

        :raises ProbeError: no mail from so early was looked at.
        """
        if self.since is None or since < self.since:
            cause = f"this run looked from {self.since or 'no moment'} on, not from {since}"
            raise ProbeError("the inbox of replies", cause, "run it again")
        wanted = address.lower()
        return [m for m in self.mails if m.received_at >= since and wanted in m.to.lower()]


@probe()
def arrivals(env: Environment) -> Arrivals:
    """What came back by mail since the cutover that a message tells of."""
    cutovers = [at for p in papers_there(env, Message) if (at := p.data.cutover_at) is not None]
    if not cutovers:
        return Arrivals(None, ())
    since = min(cutovers)
    return Arrivals(since, tuple(Arrival(r.received_at, r.to) for r in mail.replies(env, since)))
