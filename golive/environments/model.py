"""The typed model of an environment, composed of one section for each system.

The sections stand beside the probes that read them: ``golive/probes/<folder>/section.py`` says
what each key means, what a command is given and what it has to answer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from golive.probes.backup.section import Backups
from golive.probes.data.section import Failover, Postgres, Redis, Release
from golive.probes.money.section import Stripe
from golive.probes.observe.section import Baseline, Monitoring, ResourceUse
from golive.probes.people.section import (
    Calendar,
    Compliance,
    Contacts,
    Escalation,
    Mail,
    People,
    Sms,
)
from golive.probes.platform.build_sections import Dependencies, Images, Package
from golive.probes.platform.section import (
    Audit,
    Aws,
    Configuration,
    Deploy,
    Drift,
    Flags,
    Kubernetes,
    Mesh,
    Network,
    NetworkPolicy,
    Scaling,
    SecretsManager,
)
from golive.probes.saas.section import (
    Analytics,
    BusinessProfile,
    CustomerCalendar,
    CustomerMail,
    CustomerSms,
    StatusPage,
    Tools,
    Tracker,
)
from golive.probes.traffic.section import Api, Application, Balancer, Browser, Edge, Tls
from golive.sections import Section, needed


class TimeLimits(Section, frozen=True, kw_only=True):
    """Seconds that a look may take, by kind of probe."""

    connect: float = 5.0
    probe: float = 30.0
    drill: float = 900.0

    def seconds(self, name: str) -> float:
        """The limit of that name."""
        return float(getattr(self, name))


class Windows(Section, frozen=True, kw_only=True):
    """How far back, or how long, a check looks. Scaled in a rehearsal; reports print it."""

    queries_s: float = 86_400.0
    """Query times are taken over this window."""
    resources_s: float = 604_800.0
    """What containers use is taken over this window."""
    point_in_time_gap_s: float = 60.0
    """Time between the two marker rows of a point-in-time recovery."""
    alert_delivery_s: float = 600.0
    """A backup alert is waited for this long."""
    rollback_s: float = 900.0
    """A rollback of the data may take this long."""
    recovery_reach_s: float = 0.0
    """Recovery has to reach back this far; 0: over the whole retention of the backups."""
    failover_s: float = 60.0
    """After a failover of the database begins, writes have to be restored within this."""
    scale_out_s: float = 300.0
    """From a load above the target until a further instance serves."""
    scale_in_s: float = 900.0
    """From the end of a load until a group is back at its minimum."""
    alert_history_s: float = 1_209_600.0
    """Over how long false alarms are counted."""
    lock_wait_alert_s: float = 120.0
    synthetic_lock_s: float = 35.0
    """How long the synthetic blocked lock is held."""
    contact_reply_s: float = 900.0
    """How long the answer to a test message is waited for."""
    contact_test_s: float = 43_200.0
    """A test message is not sent again while a newer one than this was answered."""
    page_s: float = 60.0
    """How long a page is waited for once its time has come."""
    audit_s: float = 60.0
    """An entry of the central log is waited for this long, and a little longer."""
    flag_s: float = 60.0
    """How long each instance is waited for to show a flag that was switched."""
    drift_s: float = 900.0
    """How long a planted difference is waited for to be reported, alerted and cleared."""
    secret_rotation_s: float = 60.0
    """A rotated secret is waited for this long, and a little longer."""
    payment_s: float = 30.0
    """How long a payment or an event of Stripe's is waited for."""
    payout_s: float = 120.0
    """How long a payout is waited for to be paid or to fail."""
    war_room_alert_s: float = 60.0
    """How long the war room's test alert is waited for."""
    integration_s: float = 90.0
    """How long a synthetic message, callback or appointment is waited for."""


class Started(Section, frozen=True, kw_only=True):
    """How an environment is started when it is not up, and what it then writes."""

    command: list[str]
    folder: str
    """Where it keeps everything; GOLIVE_REHEARSAL in the environment names another."""
    overlay: str = "endpoints.toml"


class Environment(Section, frozen=True, kw_only=True):
    """One target of the launch validation.

    Each section may be left out, and each key of one: what is not declared cannot be looked at,
    and whatever looks there is UNKNOWN and says what to write.
    """

    name: str
    """The file's own name, where it does not say."""
    kind: Literal["rehearsal", "staging", "production"]
    title: str
    permits: list[Literal["read", "write", "load", "disrupt", "spend"]] = msgspec.field(
        default_factory=lambda: ["read"]
    )
    source: str = ""
    """The file it was loaded from."""
    fingerprint: str = ""
    """SHA-256 over everything it says, without secrets."""
    started: Started | None = None
    time_limits: TimeLimits = TimeLimits()
    windows: Windows = Windows()
    postgres: Postgres = needed("PostgreSQL")
    redis: Redis = needed("Redis")
    application: Application = needed("application")
    api: Api = needed("API")
    balancer: Balancer = needed("load balancer")
    edge: Edge = needed("CDN")
    tls: Tls = Tls()
    monitoring: Monitoring = needed("monitoring")
    resource_use: ResourceUse = ResourceUse()
    baseline: Baseline = needed("performance baseline")
    aws: Aws = needed("AWS account")
    audit: Audit = needed("audit trail")
    network: Network = needed("network")
    secrets_manager: SecretsManager = needed("secrets manager")
    backups: Backups = needed("backup")
    release: Release = needed("release repository")
    failover: Failover = needed("rehearsal of a failover of the database")
    deploy: Deploy = needed("checkout of deploy artefacts")
    kubernetes: Kubernetes = needed("Kubernetes")
    mesh: Mesh = Mesh()
    network_policy: NetworkPolicy = needed("list of flows that network policies allow")
    dependencies: Dependencies = needed("lock files")
    images: Images = needed("container images")
    package: Package = needed("packaged configuration")
    tracker: Tracker = needed("issue tracker")
    status_page: StatusPage = needed("status page")
    flags: Flags = needed("feature flag service")
    configuration: Configuration = needed("configuration")
    drift: Drift = needed("drift detection")
    calendar: Calendar = needed("calendar")
    mail: Mail = needed("mail service")
    sms: Sms = needed("SMS service")
    stripe: Stripe = needed("Stripe account")
    browser: Browser = Browser()
    compliance: Compliance = needed("compliance scope")
    contacts: Contacts = needed("contact")
    escalation: Escalation = needed("escalation")
    people: People
    tools: Tools = Tools()
    customer_mail: CustomerMail = needed("mail to customers")
    customer_sms: CustomerSms = needed("texts to customers")
    customer_calendar: CustomerCalendar = needed("barbers' Google calendar")
    business_profile: BusinessProfile = needed("profiles of its shops at Google")
    analytics: Analytics = needed("analytics")
    scaling: Scaling = needed("autoscaling")

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing that it says may enter a real decision."""
        return self.kind == "rehearsal"


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
