"""Services of others that people work with, and the commands of the launch day."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from golive.sections import Secret, Section, needed


class TrackerLabels(Section, frozen=True, kw_only=True):
    """What the tracker's labels are called."""

    TABLE: ClassVar = "tracker.labels"
    critical: str = needed()
    high: str = needed()
    medium: str = needed()
    low: str = needed()
    known_issue: str = needed()
    blocker: str = needed()
    launch: str = needed()
    """Came up on the launch day, or in a rehearsal of it."""
    question: str = needed()
    condition: str = needed()
    post_launch: str = needed()
    finding: str = needed()
    """Found by an audit, a scan or a penetration test."""
    verified: str = needed()
    """Put on by whoever saw that it is fixed."""


class Tracker(Section, frozen=True, kw_only=True):
    """The issue tracker: one repository, as GitHub's REST API tells of it."""

    url: str = "https://api.github.com"
    repository: str = needed()
    """``owner/name``"""
    token: Secret = needed()
    """May read issues, pull requests, contents and checks."""
    milestone: str = needed()
    """Title of the milestone that holds the candidate's issues."""
    labels: TrackerLabels = needed()
    required_checks: list[str] = []
    """Names of the check runs that the candidate's commit has to have."""
    canary: int = 0
    """Number of a closed issue of the milestone that every look has to find."""


class StatusPage(Section, frozen=True, kw_only=True):
    """The public status page, as Atlassian Statuspage's REST API tells of it."""

    url: str = "https://api.statuspage.io/v1"
    page: str = needed()
    """Its id."""
    key: Secret = needed()
    organization: str = ""
    """Id of the organisation whose members may publish."""
    public_url: str = needed()
    """Where customers read it."""


class CustomerMail(Section, frozen=True, kw_only=True):
    """Mail to customers, sent through SendGrid."""

    url: str = "https://api.sendgrid.com"
    account: str = needed()
    """User name of the production account."""
    key: Secret = needed()
    """The key that the application sends with. A message to the seed mailbox is sent with it."""
    reading_key: Secret = needed()
    """Reads keys, account, credits and domains, and changes global suppressions."""
    scopes: list[str] = needed()
    """What the application's key may do, and nothing else."""
    sender: str = needed()
    seed: str = needed()
    """An address of our own, whose mailbox is read."""
    suppressed: str = needed()
    """Another address of the same mailbox (``seed+suppressed@``): put on the suppression list
    while it is looked at."""
    mailbox: str = needed()
    """``imaps://host:993``"""
    mailbox_user: str = needed()
    mailbox_password: Secret = needed()
    nameservers: list[str] = []
    """``address:port`` of whom the records of SPF, DKIM and DMARC are asked; empty: this machine's
    own resolver."""
    events_path: str = needed()
    """Where the application takes events of SendGrid."""
    events_query: str = needed()
    """SQL: the names of the stored events of the message whose id begins with ``%(message)s``."""


class CustomerSms(Section, frozen=True, kw_only=True):
    """Texts to customers, sent through Twilio."""

    url: str = ""
    """Below it, ``/api``, ``/messaging``, ``/pricing`` and ``/accounts`` stand for Twilio hosts of
    these names; empty: Twilio itself."""
    account: str = needed()
    """The account's SID."""
    user: str = ""
    """SID of an API key, whose secret ``token`` is then; empty: the account itself."""
    token: Secret = needed()
    """May read the account and its numbers, and send."""
    sender: str = needed()
    """Whom customers get texts from: a number in E.164 form, a short code, or the SID of a
    messaging service."""
    test_number: str = needed()
    """Another number of the same account, which gets a text and answers STOP."""
    nobodys_number: str = needed()
    """A number of valid form that nobody has: a text to it fails."""
    countries: list[str] = needed()
    """ISO codes of the countries of the launch."""
    callback_base: str = ""
    """What the address of callbacks begins with, as Twilio reaches it; empty: application.url."""
    status_path: str = needed()
    """Where the application takes Twilio's status callbacks."""
    statuses_query: str = needed()
    """SQL: the stored statuses of the message whose SID is ``%(message)s``."""


class CustomerCalendar(Section, frozen=True, kw_only=True):
    """The barbers' Google calendars, which the product writes appointments to."""

    url: str = "https://www.googleapis.com/calendar/v3/"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    tokeninfo_url: str = "https://oauth2.googleapis.com/tokeninfo"
    consent_url: str = "https://accounts.google.com/o/oauth2/"
    """What the address of the consent screen begins with; nothing else is asked."""
    project: str = needed()
    """Number of the production project, which its clients' ids begin with."""
    scopes: list[str] = needed()
    """The least that the product needs."""
    auth_path: str = needed()
    """Where the application tells the address of the consent screen."""
    client_id: str = needed()
    client_secret: Secret = needed()
    refresh_token: Secret = needed()
    """Of the test calendar, granted to that client."""
    calendar: str = needed()
    """Id of a test calendar, which nothing but synthetic appointments is written to."""
    barber_id: int = needed()
    """The synthetic barber who has connected it."""
    time_zone: str = needed()
    """The shop's own, by the tz database."""
    naive_times: str = "UTC"
    """The zone of times that the application tells without an offset."""


class ProfiledShop(Section, frozen=True, kw_only=True):
    """A shop of the launch."""

    TABLE: ClassVar = "business_profile.shops"
    shop: str
    """As its record has it in ``shop_path``."""
    location: str
    """``locations/NUMBER``; empty where it has no profile."""


class BusinessProfile(Section, frozen=True, kw_only=True):
    """The shops' profiles at Google, by the APIs of Google Business Profile."""

    url: str = ""
    """Below it, ``/accountmanagement``, ``/businessinformation``, ``/verifications``,
    ``/placeactions`` and ``/v4`` stand for the APIs of these names; empty: Google itself."""
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    tokeninfo_url: str = "https://oauth2.googleapis.com/tokeninfo"
    client_id: str = needed()
    client_secret: Secret = needed()
    refresh_token: Secret = needed()
    """Of the account that manages the profiles."""
    account: str = needed()
    """``accounts/NUMBER``"""
    shops: list[ProfiledShop] = needed()
    """Every one of the launch."""
    shop_path: str = needed()
    """Where the application tells a shop's record, with ``{shop}`` for its name: JSON with address,
    phone, timezone and business_hours."""


class FunnelStep(Section, frozen=True, kw_only=True):
    """One page of the journey that analytics are followed along."""

    TABLE: ClassVar = "analytics.steps"
    name: str
    path: str
    """Where the page is opened."""
    fill: dict[str, str] = {}
    """What is typed there first, by CSS selector; ``{email}`` and ``{password}`` are those of the
    first synthetic account."""
    click: str = ""
    """What is clicked then, by CSS selector; the page it leads to belongs to the step."""
    ga4: str = ""
    """The event of GA4 that leaves once; empty: the step is only on the way."""
    meta: str = ""
    """The same, of Meta's pixel."""
    is_purchase: bool = False


class Analytics(Section, frozen=True, kw_only=True):
    """What measures visits: Google Tag Manager, GA4 and Meta's pixel."""

    container: str = needed()
    measurement_id: str = needed()
    pixel_id: str = needed()
    accept: str = needed()
    """CSS selector of what accepts being measured, on the first page."""
    refuse: str = needed()
    steps: list[FunnelStep] = needed()
    personal: list[str] = []
    """What must not appear in a hit, beside the account's address: its name and phone."""
    container_urls: list[str] = msgspec.field(
        default_factory=lambda: ["https://www.googletagmanager.com/gtm.js"]
    )
    """What addresses begin with; ``*.`` stands for any host below."""
    ga4_urls: list[str] = msgspec.field(
        default_factory=lambda: [
            "https://*.google-analytics.com/g/collect",
            "https://*.analytics.google.com/g/collect",
            "https://analytics.google.com/g/collect",
        ]
    )
    meta_urls: list[str] = msgspec.field(
        default_factory=lambda: ["https://www.facebook.com/tr", "https://www.facebook.com/privacy_"]
    )


class Tools(Section, frozen=True, kw_only=True):
    """The commands of the launch day. Each prints one JSON document, or refuses with a status of
    its own and the reason on stderr; any other status than 0 means that it could not look."""

    commands: dict[str, list[str]] = {}
    """By name; with ``dry_run`` appended they change nothing and print
    ``{"tool": ..., "steps": [{"name", "artefact", "version", "sha256"}], "changed": false}``."""
    dry_run: list[str] = msgspec.field(default_factory=lambda: ["--dry-run"])
    as_operator: list[str] = msgspec.field(default_factory=lambda: ["--as", "{operator}"])
    with_authorisation: list[str] = msgspec.field(
        default_factory=lambda: ["--authorisation", "{authorisation}"]
    )
    accountable: dict[str, str] = {}
    """Command to the role that answers for it."""
    deploy: str = ""
    """The command that installs the candidate, by its name in ``commands``."""
    emergency_rollback: str = ""
    authorised_by: str = ""
    """The role that signs the launch authorisation."""
    refused_status: int = 3
    manifest: str = ""
    """The release manifest: JSON with candidate, previous, commit and artefacts
    (``[{"name", "version", "sha256", "files"}]``: of an image its digest, of an archive also the
    SHA-256 of each file in it, by path); hosting (workspace and services as the host calls them)
    and outbound (the hosts outside that the product is configured to contact). Signed beside it."""
    manifest_signed_by: str = ""
    """The role that signs the release manifest."""
    authorisation: str = ""
    """Where the deploy command looks for the signed launch authorisation."""
    artefacts_command: list[str] = []
    """Prints ``[{"name", "version", "sha256"}]``: what the artefact store holds now."""
    audit_command: list[str] = []
    """Prints ``[{"at", "tool", "operator", "dry_run", "refused"}]``, oldest first."""
    logins: list[str] = []
    """What the same record calls the logins that each operator tries before launch day."""
