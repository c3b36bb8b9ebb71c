"""Who signs, and how people are reached."""

from __future__ import annotations

from golive.sections import Secret, Section, needed


class People(Section, frozen=True, kw_only=True):
    """Who signs, and where what people write and sign lies. Relative paths start at the suites'
    own folder's parent."""

    roster: str
    """People, roles, keys: see golive/people/roster.py. Absolute, once it is loaded."""
    papers: str
    """Folder of the documents that people write (`golive init` lays one out)."""
    statements: str = ""
    """Folder of signed statements; empty: below the reports."""
    keys: str = ""
    """Folder of throw-away private keys; only a rehearsal has one."""
    documents: str = ""
    """Folder of the deliverables that people sign; empty: below the reports."""
    packages: str = ""
    """Another folder that packages lie in, beside the one below the reports."""


class Contacts(Section, frozen=True, kw_only=True):
    """Whom test messages are sent to."""

    roles: list[str] = needed()
    """Roles whose holders and backups are to answer."""


class Escalation(Section, frozen=True, kw_only=True):
    """How a drill of the escalation opens an incident, and what it looks for.

    Commands are argument lists with the placeholders named here; none has to print anything.
    """

    open_command: list[str] = needed()
    """Opens a synthetic incident {name} of {severity} with {impact} in a line, which shows in
    ``metric``. It resolves by itself after {resolve_after_s}, by its own clock, unless that is 0.
    """
    acknowledge_command: list[str] = needed()
    """Answers the pages of the incident {name} as somebody of level 1."""
    close_command: list[str] = needed()
    """Closes the incident {name}; does no harm where there is none."""
    clock: float = 1.0
    """Seconds that a synthetic incident is open, for each second that passes."""
    metric: str = "incident_open_seconds"
    rules: list[str] = needed()
    """The alerting rules of the levels, the first one's first."""
    duty_role: str = needed()
    """Who is asked at the last level whether outsiders are informed."""


class Calendar(Section, frozen=True, kw_only=True):
    """The launch's calendar, as Google's API tells it."""

    url: str = "https://www.googleapis.com/calendar/v3/"
    calendar: str = needed()
    """Its id."""
    credentials: Secret = needed()
    """A service account's key (JSON), or an access token. It may read events and free/busy."""
    time_zone: str = needed()
    """The launch's own, by the tz database."""
    war_room: str = needed()
    """Title of the event that the launch team is in all day."""
    go_no_go: str = needed()
    review: str = needed()
    """What the titles of reviews after the launch begin with."""
    block: str = needed()
    """What the titles of the launch day's blocks begin with."""


class Mail(Section, frozen=True, kw_only=True):
    """Mail as SendGrid's API sends it and tells of it."""

    url: str = "https://api.sendgrid.com"
    key: Secret = needed()
    """May send, and read mail activity, the account and its domains."""
    sender: str = needed()
    reply_to: str = needed()
    inbox: str = needed()
    """Answers GET ``?since=ISO`` with the mails that came to ``reply_to``, as JSON: a list of
    received_at, from, to, subject, text."""
    inbox_key: Secret = needed()
    """Sent there as a bearer token."""


class Sms(Section, frozen=True, kw_only=True):
    """Text messages as Twilio's API sends them and tells of them."""

    url: str = "https://api.twilio.com"
    account: str = needed()
    """The account's SID."""
    token: Secret = needed()
    sender: str = needed()
    """Our number, in E.164 form; replies come back to it."""


class Compliance(Section, frozen=True, kw_only=True):
    """What compliance is certified of, and by whom."""

    frameworks: list[str] = needed()
    """Those in scope."""
    criteria: list[str] = needed()
    """The trust services criteria of SOC 2 that are assessed."""
    entity: str = needed()
    """The legal entity that certificates name."""
    system: str = needed()
    """The system that they name."""
    issuers: list[str] = needed()
    """Who may certify."""
