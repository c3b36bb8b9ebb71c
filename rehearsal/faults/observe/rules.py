"""Faults of the rules over the go-live's thresholds: what they fire at, when, and why."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.data.database import _rules
from rehearsal.faults.data.monitoring import changed_rule
from rehearsal.kernel.world import Rehearsal

ITEM = "D-14.2.5"
DOWN, ERRORS, PAYMENTS = "ServiceDown", "ErrorRateHigh", "PaymentFailuresHigh"
RESPONSES, QUERIES, CERTIFICATES = "ResponseTimeHigh", "QueryTimeHigh", "CertificateEndsSoon"
_SHARE = 'sum(rate({0}{{outcome="failed"}}[5m])) / sum(rate({0}[5m])) > {1}'
_ENDS = "certificate_not_after_timestamp_seconds"
_PLANNED = "bookedbarber:db_query_seconds:p95 > 0.05 and on () planned_work == 0"

changed_rule(
    "payment-rule-of-5-percent",
    PAYMENTS,
    ITEM,
    "the rule over failed payments fires from 5 % on, not from 2 %",
    *("query", "> 0.05"),
    expr=_SHARE.format("bookedbarber_payments_total", 0.05),
)
changed_rule(
    "payment-rule-of-a-renamed-metric",
    PAYMENTS,
    ITEM,
    "the rule over failed payments reads a metric by a name that it no longer has",
    *("query", "bookedbarber_charges_total"),
    expr=_SHARE.format("bookedbarber_charges_total", 0.02),
)
changed_rule(
    "error-rule-doubled",
    ERRORS,
    ITEM,
    "two rules fire from 0.1 % of errors on, and none from 1 %",
    *("query", "> 0.001"),
    expr="bookedbarber:http_errors:share > 0.001",
)
changed_rule(
    "error-rule-hasty",
    ERRORS,
    ITEM,
    "the rule over lasting errors fires after two minutes, not after ten",
    *("duration", "120"),
    **{"for": "2m"},
)
changed_rule(
    "response-rule-slow",
    RESPONSES,
    ITEM,
    "the rule over response times fires after half an hour",
    *("duration", "1800"),
    **{"for": "30m"},
)
changed_rule(
    "certificate-rule-broken",
    CERTIFICATES,
    ITEM,
    "the rule over certificates cannot be evaluated",
    *("health", "err"),
    expr=f"{_ENDS} - on () group_left () {_ENDS} < 5184000",
)
changed_rule(
    "query-rule-of-nothing",
    QUERIES,
    ITEM,
    "the rule over query times rests on a metric that nobody exports",
    *("query", "planned_work"),
    expr=_PLANNED,
)


@fault(
    "downtime-rule-missing",
    expect_fail=[ITEM],
    touches=["prometheus/rules"],
    title="no rule watches whether the product answers",
    settled=lambda r: DOWN not in _rules(r),
    reverted=lambda r: DOWN in _rules(r),
)
def downtime_rule_missing(r: Rehearsal) -> None:
    r.override("prometheus", without_rules=[DOWN])
    r.reload("prometheus")


@downtime_rule_missing.revert
def load_the_downtime_rule(r: Rehearsal) -> None:
    r.clear_override("prometheus", "without_rules")
    r.reload("prometheus")


@fault(
    "error-alarms-without-reason",
    expect_fail=[ITEM],
    touches=["prometheus"],
    title="the rule over lasting errors has fired three times while nothing failed",
    settled=lambda r: bool(_rules(r)),
    reverted=lambda r: bool(_rules(r)),
)
def error_alarms_without_reason(r: Rehearsal) -> None:
    r.override("prometheus", false_alarms={ERRORS: 3})
    r.restart("prometheus")


@error_alarms_without_reason.revert
def forget_the_alarms(r: Rehearsal) -> None:
    r.clear_override("prometheus", "false_alarms")
    r.restart("prometheus")
