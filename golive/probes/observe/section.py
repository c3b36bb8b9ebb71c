"""Monitoring and alerting."""

from __future__ import annotations

from golive.sections import Section


class BackupAlert(Section, frozen=True, kw_only=True):
    """A failure mode of the backups: its rule, and how it is induced and repaired."""

    mode: str
    rule: str
    induce: list[str]
    """Command that brings the failure about where it does no harm."""
    repair: list[str]
    """Command that takes it back; it must do no harm where there is nothing to take back."""


class Monitoring(Section, frozen=True, kw_only=True):
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
