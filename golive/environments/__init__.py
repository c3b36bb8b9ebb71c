"""The typed model of an environment and its loader.

An environment is one TOML file. What it does not say comes from ``product.toml`` beside the
suites (the product's own paths and names); what a started environment only knows once it is
up (ports, say) comes from an overlay that it writes. Secrets stand in none of them, only the
names of the environment variables or files that hold them.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from golive.decoding import convert
from golive.files import read_text, shown
from golive.masking import Mask
from golive.verdicts import GoliveError

_MOST_TOML_BYTES = 4 * 2**20
_MOST_SECRET_BYTES = 2**20
_DEEPEST = 50
"""Tables and lists inside one another; golive's own files have five."""
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DEEP_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{_DEEPEST}}}")
"""A dotted key so long that reading it takes time which grows with its square."""


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is found: an environment variable, or a file (relative to its TOML)."""

    env: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        # Anything else would be taken for no secret, and not be masked.
        if bool(self.env) == bool(self.file):
            raise ValueError("found no secret; expected either { env = ... } or { file = ... }")

    def reveal(self) -> str:
        """The secret itself. The loader has made sure that it can be read.

        :raises GoliveError: it has gone since.
        """
        if self.env:
            value = os.environ.get(self.env)
            if not value:
                raise GoliveError(f"the environment variable {self.env} is unset or empty")
            return value
        try:
            value = read_text(Path(self.file), _MOST_SECRET_BYTES, "a secret", links=True).strip()
        except GoliveError as e:
            raise GoliveError(f"the secret file {e}") from None
        if not value:
            raise GoliveError(f"the secret file {self.file} is empty")
        return value


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the environment file."""


class TimeLimits(_Section, frozen=True, kw_only=True):
    """Seconds that a look may take, by kind of probe."""

    connect: float = 5.0
    probe: float = 30.0
    drill: float = 900.0

    def seconds(self, name: str) -> float:
        """The limit of that name."""
        return float(getattr(self, name))


class Windows(_Section, frozen=True, kw_only=True):
    """How far back, or how long, a check looks. Scaled in a rehearsal; reports print it."""

    queries_s: float = 86_400.0
    """Query times are taken over this window."""
    point_in_time_gap_s: float = 60.0
    """Time between the two marker rows of a point-in-time recovery."""
    alert_delivery_s: float = 600.0
    """A backup alert is waited for this long."""
    rollback_s: float = 900.0
    """A rollback of the data may take this long."""
    recovery_reach_s: float = 0.0
    """Recovery has to reach back this far; 0: over the whole retention of the backups."""
    lock_wait_alert_s: float = 120.0
    synthetic_lock_s: float = 35.0
    """How long the synthetic blocked lock is held."""
    contact_reply_s: float = 900.0
    """How long the answer to a test message is waited for."""
    contact_test_s: float = 43_200.0
    """A test message is not sent again while a newer one than this was answered."""
    page_s: float = 60.0
    """How long a page is waited for once its time has come."""
    war_room_alert_s: float = 60.0
    """How long the war room's test alert is waited for."""


class Started(_Section, frozen=True, kw_only=True):
    """How an environment is started when it is not up, and what it then writes."""

    command: list[str]
    folder: str
    """Where it keeps everything; GOLIVE_REHEARSAL in the environment names another."""
    overlay: str = "endpoints.toml"


class Node(_Section, frozen=True, kw_only=True):
    """One PostgreSQL server."""

    name: str
    role: Literal["primary", "standby"]
    host: str
    port: int = 5432
    address: str = "local://"
    """Where testinfra finds the machine, e.g. ``ssh://db-1``."""


class Pooler(_Section, frozen=True, kw_only=True):
    """One pgbouncer."""

    name: str
    host: str
    port: int = 6432
    admin_user: str
    admin_password: Secret
    pool_mode: Literal["session", "transaction", "statement"] = "transaction"


class HotQuery(_Section, frozen=True, kw_only=True):
    """A read-only query whose plan the planner must estimate well."""

    name: str
    sql: str


class IntegrityCheck(_Section, frozen=True, kw_only=True):
    """SQL that returns the rows violating a rule, over a table that must not be empty."""

    name: str
    table: str
    sql: str


class Postgres(_Section, frozen=True, kw_only=True):
    """The database cluster. ``user`` reads the catalogues (pg_monitor and the tables)."""

    database: str
    user: str
    password: Secret
    app_role: str
    migration_role: str = ""
    app_clients: list[str] = []
    """Addresses that application backends may come from besides the poolers'."""
    sslmode: str = "prefer"
    sslrootcert: str = ""
    """File of the authority that signed the servers' certificates, for sslmode verify-*."""
    nodes: list[Node]
    poolers: list[Pooler] = []
    operator_role: str = ""
    """The role whose members are the people who may change data by hand."""
    burst_user: str = ""
    burst_password: Secret | None = None
    burst_clients: int = 200
    core_tables: list[str]
    large_table_rows: int = 10_000
    hot_queries: list[HotQuery] = []
    integrity_checks: list[IntegrityCheck] = []
    marker_table: str = "golive_marker"
    """A table of the suite's own for synthetic rows; made and dropped by the probes."""
    production_rows: dict[str, int] = {}
    """Row counts of production by table, for checks on a copy of its size."""
    sales_query: str
    """One row of bookings and revenue_cents for the time from %(start)s until before %(end)s."""

    @property
    def primary(self) -> Node:
        """The declared primary."""
        return next(n for n in self.nodes if n.role == "primary")

    @property
    def standbys(self) -> list[Node]:
        """The declared standbys."""
        return [n for n in self.nodes if n.role == "standby"]


class RedisNode(_Section, frozen=True, kw_only=True):
    """One Redis server."""

    name: str
    host: str
    port: int = 6379


class Redis(_Section, frozen=True, kw_only=True):
    """The cache cluster. Which node is the master is the sentinels' to say."""

    nodes: list[RedisNode]
    sentinels: list[RedisNode] = []
    tls: bool = False
    master_name: str
    password: Secret
    sentinel_password: Secret | None = None
    eviction_policy: str


class Instance(_Section, frozen=True, kw_only=True):
    """One running application instance."""

    name: str
    url: str


class Paths(_Section, frozen=True, kw_only=True):
    """The product's paths."""

    health: str
    health_detailed: str
    login: str
    me: str
    appointments: str
    slots: str
    services: str
    barbers: str
    metrics: str
    pages: list[str]
    payment: list[str]
    """Pages on which customers pay."""
    signed_in_pages: list[str]
    never_cached: list[str]
    """Paths whose answers belong to one user."""


class Account(_Section, frozen=True, kw_only=True):
    """A synthetic user of the product."""

    email: str
    password: Secret


class Logs(_Section, frozen=True, kw_only=True):
    """A folder or a file of the product's logs."""

    path: str
    address: str = "local://"
    """Where testinfra finds the machine."""


class Application(_Section, frozen=True, kw_only=True):
    """The product as its users reach it."""

    url: str
    instances: list[Instance]
    paths: Paths
    instance_header: str
    version_header: str
    accounts: list[Account]
    """Two synthetic users at least, so that their answers can be told apart."""
    logs: list[Logs] = []
    """Everything that the product writes about what it does, of 7 days at least."""
    session_cookie: str
    """The cookie that carries the access token to signed-in pages."""
    metrics: AppMetrics


class AppMetrics(_Section, frozen=True, kw_only=True):
    """Names of the product's metrics in Prometheus."""

    query_seconds: str
    """A histogram of application query times."""
    statement_label: str


class Balancer(_Section, frozen=True, kw_only=True):
    """The load balancer (haproxy) in front of the instances."""

    url: str
    """The public HTTPS name as the balancer serves it."""
    http_url: str
    config: str
    check_command: list[str]
    """Judges a configuration; ``-f`` and the file are appended."""
    stats: str
    """The stats socket: ``tcp://host:port``, or its path on the balancer's machine."""
    backend: str
    address: str = "local://"
    """Where testinfra finds the balancer's machine."""
    client_address_field: str
    """Dotted path in the detailed health answer that tells the client's address."""


class EdgeNode(_Section, frozen=True, kw_only=True):
    """One address that serves the public hosts."""

    name: str
    host: str
    port: int = 443
    http_port: int = 80


class Edge(_Section, frozen=True, kw_only=True):
    """The caching edge (CDN)."""

    hosts: list[str]
    nodes: list[EdgeNode]
    assets_from: str
    """The page whose static assets are sampled."""
    asset_sample: int = 12
    """Static assets looked at on each public host."""
    cache_header: str = "X-Cache"
    distribution_id: str


class TlsNode(_Section, frozen=True, kw_only=True):
    """One address behind a name, and the certificate file installed there."""

    host: str
    port: int = 443
    certificate_file: str = ""
    """Empty where a service keeps the certificate, as a CDN does."""
    address: str = "local://"
    """Where testinfra finds the machine."""


class TlsEndpoint(_Section, frozen=True, kw_only=True):
    """A name that is served over TLS, with every address behind it."""

    name: str
    nodes: list[TlsNode] = []
    """Empty: every address that DNS gives for the name, port 443."""
    protocol: Literal["direct", "postgres"] = "direct"
    """Whether TLS begins at once, or after PostgreSQL's own greeting."""


class Tls(_Section, frozen=True, kw_only=True):
    """TLS endpoints and the trust they are checked with."""

    ca_file: str = ""
    endpoints: list[TlsEndpoint]


class BackupAlert(_Section, frozen=True, kw_only=True):
    """A failure mode of the backups: its rule, and how it is induced and repaired."""

    mode: str
    rule: str
    induce: list[str]
    """Command that brings the failure about where it does no harm."""
    repair: list[str]
    """Command that takes it back; it must do no harm where there is nothing to take back."""


class Monitoring(_Section, frozen=True, kw_only=True):
    """Prometheus, Alertmanager and the on-call receiver."""

    prometheus: str
    alertmanager: str
    receiver: str
    """Answers GET with the delivered notifications as JSON."""
    oncall_receiver: str
    """Name of the receiver in Alertmanager's routes."""
    backup_alerts: list[BackupAlert] = []
    migration_metrics: dict[str, str] = {}
    """What is watched while migrating: noun to a plain selector, e.g. ``up{job="db"}``."""
    migration_rules: dict[str, str] = {}
    """The same nouns to names of alerting rules."""
    war_room_labels: dict[str, str] = {}
    """Labels that Alertmanager's routes give to the war room's receiver."""
    lock_wait_rule: str = ""
    """The rule that has to fire when a session waits long for a lock."""
    migration_log: str = ""
    """Log of migration runs, one JSON object a line, each with ``event``: ``start`` with its
    ``steps``, ``step-start`` and ``step-end`` with their ``revision``, ``end`` or ``failed``."""
    migration_log_address: str = "local://"
    """Where testinfra finds the machine that keeps it."""


class Bucket(_Section, frozen=True, kw_only=True):
    """An S3 bucket and its region."""

    name: str
    region: str
    kms_key: str = ""
    """The key that encrypts what is in it: id, ARN or alias, of its own region."""


class Aws(_Section, frozen=True, kw_only=True):
    """AWS as the SDK reaches it."""

    endpoint_url: str = ""
    """Empty: AWS itself."""
    access_key_id: Secret
    secret_access_key: Secret
    groups: dict[str, str] = {}
    """Names of IAM groups by what their members may do: hosting, dns, deploy, secrets."""


class Backups(_Section, frozen=True, kw_only=True):
    """Backups and the commands that work with them.

    For the drills ``postgres.user`` may execute pg_wal_replay_pause and pg_wal_replay_resume (on a
    standby), pg_switch_wal, and amcheck's functions, and may make a table for marker rows.

    A command is an argument list; ``{python}`` and the placeholders named here are filled in.
    It ends with status 0 when it did what it says, and prints one JSON document on stdout.
    """

    list_command: list[str]
    """Prints the full backups: a list of id, path, started_at, finished_at, start_lsn, stop_lsn,
    system_identifier (as text), size_bytes."""
    verify_command: list[str] = msgspec.field(default_factory=lambda: ["pg_verifybackup", "{path}"])
    """Checks the files of the backup {id} at {path} against its manifest; prints anything."""
    archive: str
    """The WAL archive, as a folder that the suite can read; {wal} files, compressed or not."""
    restore_command: list[str]
    """Restores the backup {id} and the WAL after it to a new, empty instance {name} of its own,
    with recovery_target_{kind} = {target} ({kind} is lsn or time), not inclusive, promoted.
    Prints host and port."""
    discard_command: list[str]
    """Ends and removes the instance {name} and what was served on it; no error when there is none.
    Prints anything."""
    serve_command: list[str]
    """Starts the application's {version} on the instance {name}, sharing no cache with a live one.
    Prints url."""
    decrypt_command: list[str] = []
    """Decrypts what the bucket {bucket} in {region} has as {key}: the raw content comes on stdin,
    its metadata as {metadata} (JSON), the plain content goes to stdout. It has access to keys by
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY alone, without which it fails. Of objects above
    256 MiB it is given the beginning, and may fail at its end."""
    known_row: str
    """SQL: the newest row older than %(before)s of a table that is always written to, as key."""
    known_text: str
    """SQL: a few texts older than %(before)s, of 8 characters or more, that would be in the bytes
    of a backup that anybody can read. Reports never show them."""
    retention_days: float
    """For how long backups are kept."""
    full_key: str = "full/{id}.tar"
    """The object of a full backup in the buckets."""
    wal_prefix: str = "wal/"
    """What the objects of archived WAL segments begin with."""
    source: Bucket
    copy: Bucket


class Release(_Section, frozen=True, kw_only=True):
    """The candidate, the version before it, and how the data moves between them."""

    repository: str
    """The git repository that holds the release tags."""
    tag: str
    previous_tag: str
    migrations: str
    """The migrations' folder inside the repository."""
    declared_schema: str
    """File in the repository: the candidate's schema as the schema command prints it."""
    loss_list: str
    """File in the repository (TOML, tables ``lost`` of table, column, reason): what a rollback
    may lose; the column ``*`` stands for the whole table."""
    copy_command: list[str]
    """Restores the newest backup to a scratch instance {name} in {tag}'s schema. Prints host
    and port."""
    heads_command: list[str]
    """Prints the migrations' heads, and releases: the head of each release tag."""
    digest_command: list[str]
    """Prints files: SHA-256 by path of the migrations that the migrate command would run."""
    migrate_command: list[str]
    """Migrates the scratch instance {name} to {tag}. Prints revisions: those it applied."""
    rollback_command: list[str]
    """Takes the scratch instance {name} back to {tag}. Prints revisions: those it took back."""
    schema_command: list[str]
    """Prints the schema of the scratch instance {name}, by kind and name."""
    version_table: str = "alembic_version"
    """Its one row tells the migration that a database stands at."""
    changed_columns: list[str] = []
    """Columns, as table.column, whose values in older rows a migration changes on purpose."""
    booking_service: str
    """The service that drills book."""


class TrackerLabels(_Section, frozen=True, kw_only=True):
    """What the tracker's labels are called."""

    critical: str
    high: str
    medium: str
    low: str
    known_issue: str
    blocker: str
    launch: str
    """Came up on the launch day, or in a rehearsal of it."""
    question: str
    condition: str
    post_launch: str
    finding: str
    """Found by an audit, a scan or a penetration test."""
    verified: str
    """Put on by whoever saw that it is fixed."""


class Tracker(_Section, frozen=True, kw_only=True):
    """The issue tracker: one repository, as GitHub's REST API tells of it."""

    url: str = "https://api.github.com"
    repository: str
    """``owner/name``"""
    token: Secret
    """May read issues, pull requests, contents and checks."""
    milestone: str
    """Title of the milestone that holds the candidate's issues."""
    labels: TrackerLabels
    required_checks: list[str] = []
    """Names of the check runs that the candidate's commit has to have."""
    canary: int = 0
    """Number of a closed issue of the milestone that every look has to find."""


class StatusPage(_Section, frozen=True, kw_only=True):
    """The public status page, as Atlassian Statuspage's REST API tells of it."""

    url: str = "https://api.statuspage.io/v1"
    page: str
    """Its id."""
    key: Secret
    organization: str = ""
    """Id of the organisation whose members may publish."""
    public_url: str
    """Where customers read it."""


class Flags(_Section, frozen=True, kw_only=True):
    """The feature flags, as Unleash tells its clients."""

    url: str
    """Up to and with ``/api``."""
    token: Secret
    """A client's token, which decides on project and environment."""
    admin_token: Secret | None = None
    """A token that may read who has an account there."""


class Tools(_Section, frozen=True, kw_only=True):
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
    """The release manifest: JSON with candidate, previous, commit and artefacts; hosting (workspace
    and services as the host calls them) and outbound (the hosts outside that the product is
    configured to contact)."""
    authorisation: str = ""
    """Where the deploy command looks for the signed launch authorisation."""
    artefacts_command: list[str] = []
    """Prints ``[{"name", "version", "sha256"}]``: what the artefact store holds now."""
    audit_command: list[str] = []
    """Prints ``[{"at", "tool", "operator", "dry_run", "refused"}]``, oldest first."""


class Calendar(_Section, frozen=True, kw_only=True):
    """The launch's calendar, as Google's API tells it."""

    url: str = "https://www.googleapis.com/calendar/v3/"
    calendar: str
    """Its id."""
    credentials: Secret
    """A service account's key (JSON), or an access token. It may read events and free/busy."""
    time_zone: str
    """The launch's own, by the tz database."""
    war_room: str
    """Title of the event that the launch team is in all day."""
    go_no_go: str
    review: str
    """What the titles of reviews after the launch begin with."""
    block: str
    """What the titles of the launch day's blocks begin with."""


class Compliance(_Section, frozen=True, kw_only=True):
    """What compliance is certified of, and by whom."""

    frameworks: list[str]
    """Those in scope."""
    criteria: list[str]
    """The trust services criteria of SOC 2 that are assessed."""
    entity: str
    """The legal entity that certificates name."""
    system: str
    """The system that they name."""
    issuers: list[str]
    """Who may certify."""


class Mail(_Section, frozen=True, kw_only=True):
    """Mail as SendGrid's API sends it and tells of it."""

    url: str = "https://api.sendgrid.com"
    key: Secret
    """May send, and read mail activity, the account and its domains."""
    sender: str
    reply_to: str
    inbox: str
    """Answers GET ``?since=ISO`` with the mails that came to ``reply_to``, as JSON: a list of
    received_at, from, to, subject, text."""
    inbox_key: Secret
    """Sent there as a bearer token."""


class Browser(_Section, frozen=True, kw_only=True):
    """Chromium, where pages have to be seen as a customer sees them."""

    program: str = "chromium"
    variables: dict[str, str] = {}
    """Environment variables that it needs."""


class Stripe(_Section, frozen=True, kw_only=True):
    """Payments."""

    url: str = "https://api.stripe.com"
    card_origin: str = "https://js.stripe.com"
    """Where the fields for a card come from."""
    key: Secret
    """A restricted key that may read the account."""


class Sms(_Section, frozen=True, kw_only=True):
    """Text messages as Twilio's API sends them and tells of them."""

    url: str = "https://api.twilio.com"
    account: str
    """The account's SID."""
    token: Secret
    sender: str
    """Our number, in E.164 form; replies come back to it."""


class Contacts(_Section, frozen=True, kw_only=True):
    """Whom test messages are sent to."""

    roles: list[str]
    """Roles whose holders and backups are to answer."""


class Escalation(_Section, frozen=True, kw_only=True):
    """How a drill of the escalation opens an incident, and what it looks for.

    Commands are argument lists with the placeholders named here; none has to print anything.
    """

    open_command: list[str]
    """Opens a synthetic incident {name} of {severity} with {impact} in a line, which shows in
    ``metric``. It resolves by itself after {resolve_after_s}, by its own clock, unless that is 0.
    """
    acknowledge_command: list[str]
    """Answers the pages of the incident {name} as somebody of level 1."""
    close_command: list[str]
    """Closes the incident {name}; does no harm where there is none."""
    promtool: list[str] = msgspec.field(default_factory=lambda: ["promtool"])
    clock: float = 1.0
    """Seconds that a synthetic incident is open, for each second that passes."""
    metric: str = "incident_open_seconds"
    rules: list[str]
    """The alerting rules of the levels, the first one's first."""
    duty_role: str
    """Who is asked at the last level whether outsiders are told."""


class People(_Section, frozen=True, kw_only=True):
    """Who signs, and where what people write and sign lies. Relative paths start at the suites'
    own folder's parent."""

    roster: str
    """People, roles, keys: see golive/roster.py. Absolute, once it is loaded."""
    papers: str
    """Folder of the documents that people write (`golive init` lays one out)."""
    statements: str = ""
    """Folder of signed statements; empty: below the reports."""
    keys: str = ""
    """Folder of throw-away private keys; only a rehearsal has one."""
    documents: str = ""
    """Folder of the deliverables that people sign; empty: below the reports."""


class Environment(_Section, frozen=True, kw_only=True):
    """One target of the launch validation."""

    name: str
    kind: Literal["rehearsal", "staging", "production"]
    title: str
    permits: list[Literal["read", "write", "load", "disrupt", "spend"]]
    source: str = ""
    """The file it was loaded from."""
    fingerprint: str = ""
    """SHA-256 over everything it says, without secrets."""
    started: Started | None = None
    time_limits: TimeLimits = TimeLimits()
    windows: Windows = Windows()
    postgres: Postgres
    redis: Redis
    application: Application
    balancer: Balancer
    edge: Edge
    tls: Tls
    monitoring: Monitoring
    aws: Aws
    backups: Backups
    release: Release
    tracker: Tracker
    status_page: StatusPage
    flags: Flags
    calendar: Calendar
    mail: Mail
    sms: Sms
    stripe: Stripe
    browser: Browser = Browser()
    compliance: Compliance
    contacts: Contacts
    escalation: Escalation
    people: People
    tools: Tools = Tools()

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing that it says may enter a real decision."""
        return self.kind == "rehearsal"


def overlay_path(raw: Mapping[str, Any], root: Path) -> Path | None:
    """Where a startable environment writes what it knows only once it is up."""
    started = raw.get("started")
    if not isinstance(started, dict):
        return None
    folder = Path(os.environ.get("GOLIVE_REHEARSAL") or str(started.get("folder", "")))
    return (folder if folder.is_absolute() else root / folder) / str(
        started.get("overlay", "endpoints.toml")
    )


def find(name_or_path: str, suites: Path) -> Path:
    """The file of an environment given by name or path.

    :raises GoliveError: there is none; names those there are.
    """
    folder = suites / "environments"
    if name_or_path.endswith(".toml") or os.sep in name_or_path:
        path = Path(name_or_path)
        if os.path.lexists(path):
            return path
        raise GoliveError(
            f"--env {name_or_path}: there is no such file; expected an environment as TOML"
        )
    path = folder / f"{name_or_path}.toml"
    if os.path.lexists(path):
        return path
    known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
    raise GoliveError(
        f"--env {name_or_path}: {folder} has no environment of that name;"
        f" expected one of {known}, or a path to a TOML file"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary.

    :raises GoliveError: it cannot be read, is not TOML, or is nested over 50 deep; names file
        and place.
    """
    text = read_text(path, _MOST_TOML_BYTES, "a file of TOML", links=True)
    if _DEEP_KEY.search(text):
        raise _too_deep(path)
    try:
        value = tomllib.loads(text)
    except ValueError as e:  # TOML's own errors, and numbers that are too long
        raise GoliveError(f"{shown(path)}: is not valid TOML: {e}") from None
    except RecursionError:
        raise _too_deep(path) from None
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise _too_deep(path)
    return value


def _inside(value: Any) -> list[Any]:
    """The tables and lists in one."""
    inner = value.values() if isinstance(value, dict) else value
    return [i for i in inner if isinstance(i, (dict, list))]


def _too_deep(path: Path) -> GoliveError:
    return GoliveError(
        f"{shown(path)}: is nested over {_DEEPEST} deep; expected a flatter file of TOML"
    )


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's command has to know of an environment: nothing that needs a secret."""

    name: str
    kind: Literal["rehearsal", "staging", "production"]
    title: str
    source: str = ""
    """The file it was read from."""
    people: People
    fingerprint: str = ""
    """As an environment's."""


def outline(path: Path, product: Path, root: Path) -> Outline:
    """The part of an environment that people's statements refer to.

    :raises GoliveError: as :func:`load`, but secrets are not looked for.
    """
    files = _layers(path, product, root)
    merged = _merged(_merged(files[2][1], files[1][1]), files[0][1])
    try:
        found = convert(merged, Outline)
        return msgspec.structs.replace(found, source=str(path), fingerprint=_fingerprint(merged))
    except msgspec.ValidationError as e:
        raise GoliveError(explained(str(e), path, files, Outline)) from None


def _layers(
    path: Path, product: Path, root: Path, *, up: bool = True
) -> list[tuple[Path | None, dict[str, Any]]]:
    """The files that make up an environment, the one that decides first.

    :param up: what a started environment writes has to be there.
    """
    base = read_toml(product)
    raw = read_toml(path)
    overlay_file = overlay_path(raw, root)
    overlay: dict[str, Any] = {}
    if overlay_file is not None and (up or overlay_file.exists()):
        if not os.path.lexists(overlay_file):
            raise GoliveError(
                f"{path}: [started] expects {overlay_file}, which is not there:"
                " the environment is not up"
            )
        overlay = read_toml(overlay_file)
    return [(overlay_file, overlay), (path, raw), (product, base)]


def load(path: Path, product: Path, root: Path, mask: Mask) -> Environment:
    """Read an environment and make every secret it names known to ``mask``.

    :param product: the file with the product's defaults.
    :param root: the folder that relative paths of a started environment refer to.
    :raises GoliveError: an unknown, missing or wrong key, or a secret that is not there; the
        message names the file, the key, what was found and what was expected.
    """
    files = _layers(path, product, root)
    # Before places of secrets become absolute: it is the same wherever the project lies.
    fingerprint = _fingerprint(_merged(_merged(files[2][1], files[1][1]), files[0][1]))
    for file, layer in files:
        if file is not None:
            _anchor_secrets(layer, file.parent)
    merged = _merged(_merged(files[2][1], files[1][1]), files[0][1])
    try:
        env = convert(merged, Environment)
    except msgspec.ValidationError as e:
        raise GoliveError(explained(str(e), path, files)) from None
    _check(env, path)
    for where, value in _secrets(merged):
        try:
            mask.add(convert(value, Secret).reveal())
        except (GoliveError, ValueError) as e:
            raise GoliveError(f"{path}: {where}: {e}; expected the secret there") from None
    people = msgspec.structs.replace(
        env.people, roster=str(root / env.people.roster), papers=str(root / env.people.papers)
    )
    return msgspec.structs.replace(env, source=str(path), fingerprint=fingerprint, people=people)


def secrets_at_hand(path: Path, product: Path, root: Path, mask: Mask) -> list[str]:
    """Make known to ``mask`` what an environment names as secrets and this machine has.

    Nothing has to be up, and nothing else about the environment has to be right.

    :returns: the variables and files that are not at hand, or too short to look for.
    :raises GoliveError: one of its files cannot be read or is not TOML.
    """
    files = _layers(path, product, root, up=False)
    for file, layer in files:
        if file is not None:
            _anchor_secrets(layer, file.parent)
    overlay = files[0][0]
    missing = []
    if overlay is not None and not overlay.exists():
        missing.append(f"what {overlay} names, which is not there")
    for _, value in _secrets(_merged(_merged(files[2][1], files[1][1]), files[0][1])):
        name = value.get("env") or value.get("file") or "a secret without a name"
        try:
            mask.add(convert(value, Secret).reveal())
        except ValueError as e:  # msgspec's own is one too
            missing.append(
                name if isinstance(e, msgspec.ValidationError) else f"{name} (too short)"
            )
        except GoliveError:
            missing.append(name)
    return list(dict.fromkeys(missing))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        lower = out.get(key)
        both = isinstance(value, dict) and isinstance(lower, dict)
        # A secret's place is one thing: {env} above must not mix with {file} below.
        if both and not ({"env", "file"} & set(value)):
            out[key] = _merged(lower, value)  # type: ignore[arg-type]
        else:
            out[key] = value
    return out


def _anchor_secrets(value: Any, folder: Path) -> None:
    """Make the files that secrets name absolute: relative to the TOML that names them."""
    if isinstance(value, dict):
        if _is_secret(value) and "file" in value:
            value["file"] = str(folder / value["file"])
        for inner in value.values():
            _anchor_secrets(inner, folder)
    elif isinstance(value, list):
        for inner in value:
            _anchor_secrets(inner, folder)


def _is_secret(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("env", value.get("file")), str)


def _secrets(value: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Where secrets are named, and how."""
    if isinstance(value, dict):
        if _is_secret(value):
            yield where.lstrip("."), value
            return
        for key, inner in value.items():
            yield from _secrets(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _secrets(inner, f"{where}[{n}]")


def _check(env: Environment, path: Path) -> None:
    """What the types cannot say."""
    primaries = [n.name for n in env.postgres.nodes if n.role == "primary"]
    if len(primaries) != 1:
        raise GoliveError(
            f"{path}: postgres.nodes: found {len(primaries)} nodes with role primary;"
            " expected exactly one"
        )
    for key, names in {
        "postgres.nodes": [n.name for n in env.postgres.nodes],
        "redis.nodes": [n.name for n in env.redis.nodes],
        "application.instances": [n.name for n in env.application.instances],
        "edge.nodes": [n.name for n in env.edge.nodes],
    }.items():
        if len(names) != len(set(names)):
            raise GoliveError(f"{path}: {key}: found a name twice; expected different names")
    if env.people.keys and not env.is_rehearsal:
        raise GoliveError(
            f"{path}: people.keys: found a folder of private keys; only a rehearsal may have"
            f" one, and kind is {env.kind!r}"
        )


_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<at>.*)`)?$", re.DOTALL)


def explained(
    error: str,
    path: Path,
    files: list[tuple[Path | None, dict[str, Any]]],
    model: type[msgspec.Struct] = Environment,
    what_it_is: str = "golive's environment model",
) -> str:
    """msgspec's words as ours: the file that says it, the key, found and expected."""
    match = _AT.match(error)
    what = match["what"] if match else error
    at = (match["at"] if match and match["at"] else "$").removeprefix("$").lstrip(".")
    keys = re.findall(r"[^.\[\]]+", at)
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        key = ".".join([*keys, unknown[1]])
        file = _file_with([*keys, unknown[1]], files) or path
        return f"{file}: {key}: unknown key; expected a key of {what_it_is}"
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        key = ".".join([*keys, missing[1]])
        return f"{path}: {key}: the key is missing; expected a value for it"
    wrong = re.search(r"Expected `(.*)`, got `(.*)`", what)
    file = _file_with(keys, files) or path
    if wrong:
        return f"{file}: {at or 'the file'}: found {wrong[2]}; expected {wrong[1]}"
    choice = re.search(r"Invalid enum value (.*)", what)
    if choice:
        words = ", ".join(map(repr, typing.get_args(_type_at(keys, model))))
        return f"{file}: {at}: found {choice[1]}; expected one of {words}"
    return f"{file}: {at or 'the file'}: {what[:1].lower()}{what[1:]}"


def _type_at(keys: list[str], model: type[msgspec.Struct]) -> Any:
    kind: Any = model
    for key in keys:
        kind = next((a for a in typing.get_args(kind) if a is not type(None)), kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = {f.name: f.type for f in msgspec.structs.fields(kind)}.get(key, kind)
    return kind


def _file_with(keys: list[str], files: list[tuple[Path | None, dict[str, Any]]]) -> Path | None:
    for file, layer in files:
        value: Any = layer
        for key in keys:
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and (key == "..." or key.isdigit()):
                value = value[int(key)] if key.isdigit() and int(key) < len(value) else value[:1]
            else:
                break
        else:
            return file
    return None


def _fingerprint(merged: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(merged, order="sorted")).hexdigest()


def postgres_url(user: str, password: str, host: str, port: int, database: str) -> str:
    """A libpq URL; holds the password, so it must not be shown."""
    return (
        f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{database}"
    )
