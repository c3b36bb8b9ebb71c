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


class KernelLog(Section, frozen=True, kw_only=True):
    """The kernel log of a machine that containers run on."""

    TABLE: ClassVar = "resource_use.kernel_logs"
    address: str
    """Where testinfra finds the machine, e.g. ``ssh://node-1?sudo=true``."""
    command: list[str] = msgspec.field(
        default_factory=lambda: [
            *("journalctl", "_TRANSPORT=kernel", "--quiet", "--no-pager", "--output=short-iso"),
        ]
    )
    """Prints its lines, each beginning with a time in ISO 8601."""


class ResourceUse(Section, frozen=True, kw_only=True):
    """What containers use, as Prometheus has it. The names are cAdvisor's and those of
    kube-state-metrics."""

    memory: str = "container_memory_working_set_bytes"
    cpu: str = "container_cpu_usage_seconds_total"
    periods: str = "container_cpu_cfs_periods_total"
    throttled_periods: str = "container_cpu_cfs_throttled_periods_total"
    kills: str = "container_oom_events_total"
    """How often a container was out of memory."""
    restarts: str = "kube_pod_container_status_restarts_total"
    ended_for: str = "kube_pod_container_status_last_terminated_reason"
    namespace_label: str = "namespace"
    pod_label: str = "pod"
    container_label: str = "container"
    matchers: dict[str, str] = {}
    """Where series are told apart otherwise: matchers, e.g. ``job="backend"``, by kind and name of
    the workload (``Deployment/backend``), or also the container's (``Deployment/backend/web``)."""
    interval_s: float = 60.0
    """Time between two samples of these."""
    load_run_command: list[str] = []
    """Prints began and ended (times with zone) of the latest load run, which is looked at instead
    of the last days."""
    kernel_logs: list[KernelLog] = []
    """Those of the machines that run the product's containers and nothing else."""


class Baseline(Section, frozen=True, kw_only=True):
    """The performance baseline, and what it has to tell."""

    path: str = needed()
    """JSON on this machine; see golive/probes/observe/baseline.py."""
    endpoints: list[str] = needed()
    """Key endpoints: method and route, as the metrics have them."""
    pages: list[str] = needed()
    services: list[str] = needed()
    """What has an uptime, by the names that the baseline has for it."""
    components: list[str] = needed()
    """What uses CPU and memory."""
    version_metric: str = needed()
    """A series for each instance that serves, with its version as a label."""
    version_label: str = "version"
    interval_s: float = 60.0
    """Time between two samples."""
