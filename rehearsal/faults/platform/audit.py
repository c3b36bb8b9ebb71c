"""Faults of the audit: a trail that stops, acts nobody writes down, logs that can be deleted."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws, aws_audit, aws_rights

TOUCHES = ["aws/audit"]
ITEM = "D-14.3.5"


@fault("audit-trail-stopped", expect_fail=[ITEM], title="the audit trail is stopped")
def audit_trail_stopped(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").stop_logging(Name=aws_audit.TRAIL)


@audit_trail_stopped.revert
def start_the_trail(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").start_logging(Name=aws_audit.TRAIL)


@fault("audit-trail-of-one-region", expect_fail=[ITEM], title="the audit trail has one region")
def audit_trail_of_one_region(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").update_trail(Name=aws_audit.TRAIL, IsMultiRegionTrail=False)


@audit_trail_of_one_region.revert
def audit_trail_of_all_regions(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").update_trail(Name=aws_audit.TRAIL, IsMultiRegionTrail=True)


@fault(
    "audit-trail-without-validation",
    expect_fail=[ITEM],
    title="files of the audit trail may be changed unseen",
)
def audit_trail_without_validation(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").update_trail(Name=aws_audit.TRAIL, EnableLogFileValidation=False)


@audit_trail_without_validation.revert
def validate_the_trail(r: Rehearsal) -> None:
    aws.client(r, "cloudtrail").update_trail(Name=aws_audit.TRAIL, EnableLogFileValidation=True)


@fault(
    "audit-trail-without-delivery",
    expect_fail=[ITEM],
    title="the audit trail has delivered nothing for two days",
)
def audit_trail_without_delivery(r: Rehearsal) -> None:
    aws_rights.age(r, "delivery", aws_audit.TRAIL, 2)


@audit_trail_without_delivery.revert
def deliver_again(r: Rehearsal) -> None:
    aws_rights.age(r, "delivery", aws_audit.TRAIL, 0)


@fault(
    "audit-trail-delivers-nothing",
    expect_fail=[ITEM],
    title="no file of the audit trail is in its bucket",
)
def audit_trail_delivers_nothing(r: Rehearsal) -> None:
    aws_audit.take_away(r, aws.client)


@audit_trail_delivers_nothing.revert
def audit_trail_delivers(r: Rehearsal) -> None:
    aws_audit.deliver(r, aws.client)


@fault(
    "statements-not-logged",
    expect_fail=[ITEM],
    touches=["postgres/logging"],
    title="the database logs neither connections nor statements",
)
def statements_not_logged(r: Rehearsal) -> None:
    _set(r, log_connections="off", log_statement="none")


@statements_not_logged.revert
def statements_logged(r: Rehearsal) -> None:
    _reset(r, "log_connections", "log_statement")


@fault(
    "failed-logins-not-logged",
    expect_fail=[ITEM],
    touches=["postgres/logging"],
    title="the database logs no failed login",
)
def failed_logins_not_logged(r: Rehearsal) -> None:
    _set(r, log_min_messages="panic")


@failed_logins_not_logged.revert
def failed_logins_logged(r: Rehearsal) -> None:
    _reset(r, "log_min_messages")


@fault(
    "log-without-sources",
    expect_fail=[ITEM],
    touches=["postgres/logging"],
    title="the database's log does not tell where somebody came from",
)
def log_without_sources(r: Rehearsal) -> None:
    _set(r, log_line_prefix="%m [%p] %q%u@%d ")


@log_without_sources.revert
def log_with_sources(r: Rehearsal) -> None:
    _reset(r, "log_line_prefix")


def _set(r: Rehearsal, **settings: str) -> None:
    for name, value in settings.items():
        r.primary.sql(f"alter system set {name} = '{value}'")
    r.primary.sql("select pg_reload_conf()")


def _reset(r: Rehearsal, *names: str) -> None:
    for name in names:
        r.primary.sql(f"alter system reset {name}")
    r.primary.sql("select pg_reload_conf()")


@fault(
    "refusals-not-logged",
    expect_fail=[ITEM],
    touches=["balancer/logging"],
    title="the balancer does not write down whom it refuses",
)
def refusals_not_logged(r: Rehearsal) -> None:
    r.override("balancer", log_refused=False)
    r.reload("balancer")


@refusals_not_logged.revert
def refusals_logged(r: Rehearsal) -> None:
    r.clear_override("balancer", "log_refused")
    r.reload("balancer")


@fault(
    "writers-may-delete",
    expect_fail=[ITEM],
    title="those who write the central log may delete it",
)
def writers_may_delete(r: Rehearsal) -> None:
    aws_audit.let_writers_delete(r, aws.client)


@writers_may_delete.revert
def writers_may_not_delete(r: Rehearsal) -> None:
    aws_audit.stop_writers_deleting(r, aws.client)
