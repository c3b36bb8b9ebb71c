"""What each probe looks at, in the words of the faults' ``touches``.

Facts of a probe are kept while no fault touches what it looks at, so a place may be named here
too often, but must not be missing: what a part depends on counts as looked at with it. A probe
that is not named here is looked at again every time. Places that only people write (papers, the
roster) are left out where a probe does not read them itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from golive.probing import REGISTRY, closure
from tests.campaign.rounds import EVERYTHING, overlap

_SERVED = ("app", "pgbouncer", "postgres", "redis")
"""What a request to the application goes through."""
_SITE = ("edge", "balancer", *_SERVED)
_ALERTS = ("prometheus", "alertmanager", "exporter", "messages/receiver")
_COPIES = ("backups", "archive", "postgres", "drills")
_STUBS = ("saas-stubs",)
_MONEY = ("stripe", "messages", *_SITE)
_TOOLS = ("tools", "release", "roster", "keys")
WRITTEN = ("papers", "documents", "statements", "roster", "keys")
"""Places that hold what people write; any item may look at them without a probe."""

REACH: dict[str, tuple[str, ...]] = {
    "restore_drill": (*_COPIES, "app", "release/migrations"),
    "point_in_time_drill": _COPIES,
    "wal_archive": _COPIES,
    "backup_encryption": ("aws", "backups", "drills"),
    "cross_region_copy": ("aws", "backups", "archive"),
    "card_numbers": ("logs", *_SITE),
    "postgres_cluster": ("postgres", "archive"),
    "indexes": ("postgres",),
    "statements": ("postgres", "query-times", "app", "pgbouncer"),
    "costliest_plans": ("postgres", "query-times"),
    "query_times": ("prometheus", "query-times", *_SERVED),
    "table_sizes": ("postgres",),
    "statistics": ("postgres",),
    "integrity": ("postgres",),
    "failover_drill": ("failover",),
    "api_document": ("portal", *_SITE),
    "api_run": (*_COPIES, "app", "portal", "release"),
    "rate_limits": _SITE,
    "process_variables": ("app-1", "app-2", "deployed", "aws", "release", *_SERVED),
    "configured_secrets": ("aws", "deployed", "release", "app", "app-1", "app-2"),
    "secrets_elsewhere": ("aws", "deployed", "release", "images", "logs", *_SITE),
    "flag_references": ("release",),
    "flag_table": ("launch-flags", "roster", "keys"),
    "flag_toggle": ("saas-stubs", "app-1", "app-2", *_SERVED),
    "flag_outage": ("app", "release"),
    "config_drift": ("config-drift", "balancer", "aws", "saas-stubs", *_ALERTS, *_SERVED),
    "planted_drift": ("config-drift", *_ALERTS),
    "config_rollback": ("config-tool", "deployed", *_SITE),
    "deployment_runbook": ("release", "runbook-review", "tools", "roster", "keys"),
    "scaling_groups": ("aws/scaling",),
    "workload_scaling": ("checkout",),
    "workload_runs": ("checkout", "pods", "pgbouncer", "postgres"),
    "autoscaler_conditions": ("checkout",),
    "scaling_runs": ("aws/scaling", "tier", "pgbouncer", "postgres"),
    "database_operators": ("postgres",),
    "baseline_sales": ("postgres", "papers"),
    "candidate_migrations": ("release", "drills"),
    "migration_drill": (*_COPIES, "release/migrations", "migration-log"),
    "rollback_drill": (*_COPIES, "release/migrations", "migration-log"),
    "pooling": _SERVED,
    "pool_bursts": _SERVED,
    "redis_cluster": ("redis",),
    "stripe_account": ("stripe",),
    "webhook_endpoints": ("stripe",),
    "webhook_drill": _MONEY,
    "payment_drill": _MONEY,
    "payout_drill": _MONEY,
    "refund_drill": _MONEY,
    "connected_accounts": ("stripe", "postgres"),
    "reconciliation": ("stripe", "postgres/ledger_entries", "postgres/standby"),
    "backup_alert_drill": (*_ALERTS, *_COPIES, "aws"),
    "running_components": (*_SITE, "prometheus", "exporter", "aws"),
    "migration_watch": (*_ALERTS, "postgres", "migration-log"),
    "lock_wait_alert": (*_ALERTS, "postgres"),
    "message_links": (*_STUBS, *_SITE, "papers"),
    "message_deliveries": ("messages", "papers"),
    "market_sources": (*_STUBS, *_SITE, "papers"),
    "arrivals": ("messages", "papers"),
    "authorisation": (*_TOOLS, "papers"),
    "launch_calendar": ("messages", "papers"),
    "launch_day_absences": ("messages", "papers", "roster"),
    "critical_alerts": _ALERTS,
    "operator_logins": _TOOLS,
    "authorised_decision": (*_TOOLS, "papers"),
    "contact_test": ("messages", "roster"),
    "escalation_drill": (*_ALERTS, "messages", "roster"),
    "sending_account": ("messages",),
    "vendor_portals": (*_STUBS, "roster"),
    "war_room": (*_STUBS, "papers"),
    "war_room_bridges": (*_STUBS, "papers"),
    "war_room_alert": (*_ALERTS, "papers"),
    "aws_groups": ("aws",),
    "aws_users": ("aws",),
    "security_groups": ("aws",),
    "outside_scan": ("aws", *_SITE, "prometheus", "alertmanager"),
    "admin_interfaces": ("ssh", *_SITE, "prometheus", "alertmanager"),
    "aws_accounts": ("aws",),
    "database_logins": ("postgres",),
    "access_list_signature": ("papers", "roster", "keys"),
    "audit_trail": ("aws",),
    "audit_log": ("aws", "balancer", "log-shipper", "postgres"),
    "secret_rotation": ("aws", "app"),
    "kept_secrets": ("aws",),
    "flags": _STUBS,
    "flag_editors": _STUBS,
    "launch_tools": _TOOLS,
    "operator_runs": _TOOLS,
    "emergency_rollback": _TOOLS,
    "unconfirmed_rollback": _TOOLS,
    "release_manifest": _TOOLS,
    "manifest_signature": _TOOLS,
    "stored_artefacts": _TOOLS,
    "launch_audit": _TOOLS,
    "status_page_members": _STUBS,
    "issues": _STUBS,
    "pull_requests": _STUBS,
    "check_runs": _STUBS,
    "fixes": (*_STUBS, "release"),
    "release_authors": (*_STUBS, "release"),
    "balancer_config": ("balancer",),
    "balanced_traffic": ("balancer", *_SERVED),
    "payment_pages": (*_SITE, *_STUBS),
    "cdn_distribution": ("aws", *_SITE),
    "edge_behaviour": _SITE,
    "outbound": (*_TOOLS, *_SITE),
    "privacy_notices": (*_STUBS, *_SITE, "papers"),
    "control_evidence": (*_STUBS, *_SITE, "papers"),
    "packaged_configuration": ("release/checkout", "build/frontend", "aws", "postgres", "redis"),
    "release_images": ("release", "build"),
    "dependency_audit": ("release/checkout", "build", "app"),
    "frontend_assets": (*_SITE, "build/frontend"),
    "surface": _SITE,
    "plain_http": _SITE,
    "api_caching": _SITE,
    "scraping": ("prometheus", "app"),
    "alert_thresholds": (*_ALERTS, "app"),
    "integration_watch": (*_ALERTS, "app"),
    "container_resources": ("checkout",),
    "container_use": ("prometheus", "exporter"),
    "performance_baseline": ("prometheus", "exporter"),
    "ci_workflows": ("checkout",),
    "checkout": ("checkout",),
    "manifests": ("checkout",),
    "manifest_validation": ("checkout",),
    "helm_chart": ("checkout",),
    "service_mesh": ("checkout",),
    "network_policies": ("checkout",),
    "quotas": ("checkout",),
    "cloud_limits": ("aws",),
    "flow_attempts": ("checkout", "zones"),
    "customer_mail_account": ("integrations/mail",),
    "mail_domain": ("integrations/mail",),
    "seed_message": ("integrations/mail", *_SITE),
    "customer_sms_account": ("integrations/sms",),
    "synthetic_texts": ("integrations/sms", *_SITE),
    "calendar_client": ("integrations/google", *_SITE),
    "calendar_grant": ("integrations/google",),
    "calendar_appointment": ("integrations/google", *_SITE),
    "profile_grant": ("integrations/google", "integrations/profile"),
    "business_profiles": ("integrations/google", "integrations/profile", *_SITE),
    "analytics_visits": ("integrations/analytics", *_SITE),
    "tls_estate": ("edge", "balancer", "postgres", "redis", "pgbouncer"),
}


def reach(probe: str) -> frozenset[str]:
    """Everything that a probe, and the probes whose facts it takes, look at."""
    return frozenset(p for name in closure([probe]) for p in REACH.get(name, (EVERYTHING,)))


def touched(places: Iterable[str]) -> set[str]:
    """The probes whose facts may be others once something is changed at these places."""
    changed = tuple(places)
    return {name for name in REGISTRY if overlap(reach(name), changed)}


def may_redden(places: Iterable[str], probes: Iterable[str]) -> bool:
    """Whether a change at these places can show in an item that takes the facts of these probes.
    What people write shows in any."""
    changed = tuple(places)
    seen = {place for name in probes for place in reach(name)}
    return overlap(changed, (*seen, *WRITTEN))
