"""What is told to whom: planned, approved, sent, answered."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, field

from golive.papers import Kind, Part
from golive.papers.words import Moment, PersonId, Sha256


class PlannedMessage(Part, frozen=True, kw_only=True):
    """A message of the plan."""

    id: str
    channel: Annotated[str, Meta(description="e.g. e-mail, status page, social")]
    owner: PersonId
    send_at: Moment
    recipients: Annotated[int, Meta(description="how many")]
    text: Annotated[str, Meta(description="file name of the approved text")]
    text_sha256: Annotated[Sha256, Meta(description="of that file as it was approved")]
    no_go_text: Annotated[str, Meta(description="what is said instead after a no-go")]

    def __str__(self) -> str:
        return f"{self.id} ({self.send_at:%F %H:%M %z})"


class CommunicationPlan(Kind, frozen=True, kw_only=True):
    """Every message of the launch: whose, when, to how many, and what after a no-go."""

    file = "communication-plan.md"
    messages: list[PlannedMessage]

    def of(self, text: str) -> PlannedMessage | None:
        """The message whose approved text has that file name."""
        return next((m for m in self.messages if m.text == text), None)

    def unowned(self, people: Collection[str]) -> list[str]:
        """Messages that none of these people owns, with whom they name."""
        return [f"{m.id} ({m.owner})" for m in self.messages if m.owner not in people]

    def until(self, moment: datetime) -> list[str]:
        """Messages that leave at a moment or before."""
        return [str(m) for m in self.messages if m.send_at <= moment]

    def outside(self, begin: datetime, end: datetime) -> list[str]:
        """Messages that leave before or after a span."""
        return [str(m) for m in self.messages if not begin <= m.send_at <= end]

    @property
    def to_nobody(self) -> list[str]:
        """Messages without a recipient."""
        return [m.id for m in self.messages if m.recipients < 1]

    @property
    def without_no_go_text(self) -> list[str]:
        """Messages that say nothing after a no-go."""
        return [m.id for m in self.messages if not m.no_go_text.strip()]


class Announcement(Kind, frozen=True, kw_only=True):
    """A text as it is approved: what is sent is what stands below."""

    file = "announcement-*.md"
    audience: Literal["public", "customers", "company", "team", "social", "press"]
    launches_at: Moment
    version: str
    links: Annotated[list[str], Meta(description="addresses in the text")] = field(
        default_factory=list
    )
    features: Annotated[list[str], Meta(description="feature flags of what it names")] = field(
        default_factory=list
    )
    figures: Annotated[dict[str, float], Meta(description="approved figures in the text")] = field(
        default_factory=dict
    )
    channels: Annotated[list[str], Meta(description="social channels that it is for")] = field(
        default_factory=list
    )
    freeze_from: Moment | None = None
    freeze_until: Moment | None = None
    report_problems_to: str = ""
    contacts: Annotated[list[str], Meta(description="people to turn to: ids")] = field(
        default_factory=list
    )


class Post(Part, frozen=True, kw_only=True):
    """A published post."""

    channel: str
    address: str
    published_at: Moment
    link: Annotated[str, Meta(description="the address that it links to, as the post shows it")]


class Figure(Part, frozen=True, kw_only=True):
    """A measured figure as it was reported."""

    metric: Annotated[str, Meta(description="id of the metric in the procedure")]
    value: float
    unit: str = ""
    window_hours: float
    sample: Annotated[int, Meta(description="how many it was measured on")]

    def is_rounded(self, measured: float) -> bool:
        """Whether it is a measured value, to as many digits as it shows."""
        exponent = Decimal(str(self.value)).normalize().as_tuple().exponent
        digits = max(0, -int(exponent))
        return round(measured, digits) == round(self.value, digits)

    @property
    def text(self) -> str:
        """Its value as a text says it."""
        return f"{self.value:,.10g}"


class Message(Kind, frozen=True, kw_only=True):
    """A message as it was sent: the text below, to these, at this time."""

    file = "message-*.md"
    audience: Literal[
        "team", "social", "press", "everybody", "stakeholders", "stand-down", "customer figures"
    ]
    version: str
    sent_at: Moment
    approved_text: Annotated[str, Meta(description="file name of the approved text")] = ""
    cutover_at: Annotated[
        Moment | None,
        Meta(description="when DNS was cut over; the team is notified, and it counts"),
    ] = None
    mail_id: Annotated[
        str, Meta(description="X-Message-Id that SendGrid gave it, where it was sent by mail")
    ] = ""
    to: Annotated[list[str], Meta(description="people's ids")] = field(default_factory=list)
    outlets: Annotated[list[str], Meta(description="of the press")] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    links: Annotated[list[str], Meta(description="addresses in the text")] = field(
        default_factory=list
    )
    outcome: Literal["success", "partial success", "rolled back", ""] = ""
    figures: list[Figure] = field(default_factory=list)
    open_risks: Annotated[list[str], Meta(description="ids in the risk register")] = field(
        default_factory=list
    )
    next_checkpoint: Moment | None = None
    watch: Literal["stand down", "continued watch", ""] = ""
    on_call: Annotated[str, Meta(description="a person's id")] = ""
    review_at: Moment | None = None

    def not_told(self, people: Iterable[str]) -> list[str]:
        """Which of these people it did not go to."""
        return [p for p in people if p not in self.to]

    @property
    def metrics(self) -> set[str]:
        """The metrics that it has a figure of."""
        return {f.metric for f in self.figures}

    def misquoted(self, measured: Mapping[str, float]) -> list[str]:
        """Figures other than measured, to as many digits as they show, with both.

        :param measured: value by metric.
        """
        return [
            f"{f.metric} {f.value:g}, measured {measured.get(f.metric, 'never')}"
            for f in self.figures
            if f.metric not in measured or not f.is_rounded(measured[f.metric])
        ]

    @property
    def vague_figures(self) -> list[str]:
        """Metrics of the figures without window or sample."""
        return [f.metric for f in self.figures if f.sample < 1 or f.window_hours <= 0]


class Enquiry(Part, frozen=True, kw_only=True):
    """A question of the press."""

    outlet: str
    received_at: Annotated[
        Moment, Meta(description="to the minute; of a mail, as the inbox has it")
    ]
    question: str
    answer: str
    answered_by: PersonId
    answered_at: Moment


_LOGGED_WITHIN = timedelta(minutes=1)
"""The log tells times by the minute."""


class FollowUp(Part, frozen=True, kw_only=True):
    """What an outlet got after the release."""

    outlet: str
    sent_at: Moment


class MediaLog(Kind, frozen=True, kw_only=True):
    """Every enquiry of the press since the cutover, and its answer."""

    file = "media-log.md"
    press_address: Annotated[
        str, Meta(description="mail address that the press writes to; the inbox receives it too")
    ]
    none_received: Annotated[bool, Meta(description="true states that there was none")] = False
    enquiries: list[Enquiry] = field(default_factory=list)
    follow_ups: list[FollowUp] = field(default_factory=list)

    def unlogged(self, mails: Iterable[datetime]) -> list[str]:
        """Which of these mails, told by when they came, no enquiry of that minute stands for; one
        enquiry stands for one mail."""
        times = [e.received_at for e in self.enquiries]
        lacking = []
        for came in mails:
            match = next((at for at in times if abs(came - at) <= _LOGGED_WITHIN), None)
            if match is None:
                lacking.append(f"mail at {came:%F %T} UTC")
            else:
                times.remove(match)
        return lacking

    def before(self, moment: datetime) -> list[str]:
        """Outlets of the enquiries from before a moment."""
        return [e.outlet for e in self.enquiries if e.received_at < moment]

    def unanswered(self, people: Collection[str]) -> list[str]:
        """Enquiries that none of these people answered after they came, with who is named."""
        return [
            f"{e.outlet} ({e.answered_by})"
            for e in self.enquiries
            if e.answered_by not in people or e.answered_at < e.received_at
        ]

    def not_followed_up(self, outlets: Iterable[str], since: datetime) -> list[str]:
        """Which of these outlets have not heard from us again since a moment."""
        again = {f.outlet for f in self.follow_ups if f.sent_at >= since}
        return [o for o in outlets if o not in again]


class ChangedPage(Part, frozen=True, kw_only=True):
    """A page that the launch changes."""

    path: Annotated[str, Meta(description="e.g. /pricing")]
    title: str
    text_sha256: Annotated[Sha256, Meta(description="of the approved text of the page")]


class WebsiteChanges(Kind, frozen=True, kw_only=True):
    """The pages that the launch changes, with their approved titles and texts."""

    file = "website-changes.md"
    pages: list[ChangedPage]


class HelpChange(Part, frozen=True, kw_only=True):
    """A change that customers see, and where the help tells of it."""

    change: Annotated[str, Meta(description="as the release notes name it")]
    article: Annotated[str, Meta(description="address of the help article")]
    changed_on: date
    labels: Annotated[list[str], Meta(description="labels of the pages that it quotes")] = field(
        default_factory=list
    )
    api_paths: list[str] = field(default_factory=list)


class HelpArticles(Kind, frozen=True, kw_only=True):
    """What the help says of each change that customers see."""

    file = "help-articles.md"
    changes: list[HelpChange]
    withdrawn: Annotated[list[str], Meta(description="articles that are gone or marked")] = field(
        default_factory=list
    )


# -- reading texts ------------------------------------------------------------------------------

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.:/-])\+?\(?\d(?:[ ()/-]{0,2}\d){8,14}(?![\w:-])")
_NAME = re.compile(r"\b[A-Z][a-z]+(?:[ -][A-Z]\.?)? [A-Z][a-z]+\b")


def plain(text: str) -> str:
    """A text by its words alone."""
    return " ".join(text.split())


def personal_data(text: str, known: Collection[str]) -> list[str]:
    """Where a text has what reads like a mail address, a phone number or a person's name; not
    what it says there, since reports show this.

    :param known: names that may stand in it.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        names = [n for n in _NAME.findall(line) if n not in known and not line.startswith("#")]
        for what, has in (
            ("mail address", _MAIL.search(line)),
            ("phone number", _PHONE.search(line)),
            ("name", names),
        ):
            if has:
                found.append(f"{what} in line {number}")
    return found


def unsaid(text: str, words: Iterable[str]) -> list[str]:
    """Which of these do not stand in a text, each as a word of its own."""
    return [w for w in words if not re.search(rf"(?<![\w.]){re.escape(w)}(?!\w|[.,]\d)", text)]
