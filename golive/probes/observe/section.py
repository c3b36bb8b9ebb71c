"""Monitoring and alerting."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from golive.sections import Section, needed


class BackupAlert(Section, frozen=True, kw_only=True):
    """A failure mode of the backups: its rule, and how it is induced and repaired."""

    mode: str
    rule: str
    induce: list[str]
    """Command that brings the failure about where it does no harm."""
    repair: list[str]
    """Command that takes it back; it must do no harm where there is nothing to take back."""


class Measure(Section, frozen=True, kw_only=True):
    """Something that alerting rules watch, by the product's own metrics. One of ``histogram``,
    ``failed``, ``up``, ``expires`` and ``value`` says what kind it is. Metrics are plain
    selectors: ``name{label="value"}``."""

    TABLE: ClassVar = "monitoring.thresholds"
    histogram: str = ""
    """A histogram of seconds, without ``_bucket``: rules are about its 95th percentile."""
    failed: str = ""
    """A counter of failures; beside it ``succeeded`` or ``total``, or both."""
    succeeded: str = ""
    total: str = ""
    up: str = ""
    """Is 0 while it is down."""
    expires: str = ""
    """When it ends, in seconds since 1970."""
    value: str = ""
    """A gauge that has the measured value itself, larger when it is worse."""
    rules: list[str] = []
    """Names of the alerting rules over it; empty: those whose expressions read its metrics."""


class WatchedIntegration(Section, frozen=True, kw_only=True):
    """A third party as the product's own metrics tell of it, by plain selectors."""

    TABLE: ClassVar = "monitoring.integrations"
    succeeded: str
    """A counter of what succeeded."""
    failed: str
    """A counter of what failed."""
    latency: str
    """Any series of how long it took: of a histogram, ``name_count{label="value"}``."""
    rules: list[str] = []
    """Names of the alerting rules over its failures; empty: those whose expressions read them."""


class Monitoring(Section, frozen=True, kw_only=True):
    """Prometheus, Alertmanager and the on-call receiver."""

    prometheus: str = needed()
    alertmanager: str = needed()
    receiver: str = needed()
    """Answers GET with the delivered notifications as JSON."""
    known_as: dict[str, str] = {}
    """Declared instances and database nodes by name, to the value of the label that their series
    have in Prometheus, where that is neither their name nor their address."""
    oncall_receiver: str = needed()
    """Name of the receiver in Alertmanager's routes."""
    backup_alerts: list[BackupAlert] = []
    migration_metrics: dict[str, str] = {}
    """What is watched while migrating: noun to a plain selector, e.g. ``up{job="db"}``."""
    migration_rules: dict[str, str] = {}
    """The same nouns to names of alerting rules."""
    war_room_labels: dict[str, str] = {}
    """Labels that Alertmanager's routes give to the war room's receiver."""
    critical_labels: dict[str, str] = msgspec.field(
        default_factory=lambda: {"severity": "critical"}
    )
    """Labels of an alert that is critical."""
    promtool: list[str] = msgspec.field(default_factory=lambda: ["promtool"])
    """Tries loaded rules on made-up series."""
    thresholds: dict[str, Measure] = {}
    """What the go-live's thresholds are about, by noun."""
    integrations: dict[str, WatchedIntegration] = {}
    lock_wait_rule: str = ""
    """The rule that has to fire when a session waits long for a lock."""
    migration_log: str = ""
    """Log of migration runs, one JSON object a line, each with ``event``: ``start`` with its
    ``steps``, ``step-start`` and ``step-end`` with their ``revision``, ``end`` or ``failed``."""
    migration_log_address: str = "local://"
    """Where testinfra finds the machine that keeps it."""
