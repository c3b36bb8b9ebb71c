"""Faults of what watches the integrations."""

from __future__ import annotations

import urllib.parse

from rehearsal.faults import fault
from rehearsal.faults.backup.backups import _get, receiver_of
from rehearsal.faults.data.monitoring import changed_rule
from rehearsal.kernel.world import Rehearsal

ITEM = "D-11.3.4"
STRIPE, OTHERS = "StripeFailuresHigh", "IntegrationFailuresHigh"
SHARE = "bookedbarber:integration_failures:share"
DROPPED = 'bookedbarber_integration_requests_total{integration="twilio"}'

changed_rule(
    "stripe-rule-of-5-percent",
    STRIPE,
    ITEM,
    "the rule over failures of Stripe fires from 5 % on, not from 2 %",
    *("query", "> 0.05"),
    expr=f'{SHARE}{{integration="stripe"}} > 0.05',
)
changed_rule(
    "integration-rule-of-others",
    OTHERS,
    ITEM,
    "the rule over failures of the other integrations picks none that there is",
    *("query", "nobody"),
    expr=f'{SHARE}{{integration="nobody"}} > 0.05',
)
changed_rule(
    "integration-rule-broken",
    OTHERS,
    ITEM,
    "the rule over failures of the other integrations cannot be evaluated",
    *("health", "err"),
    expr=f"{SHARE} * on () group_left () {SHARE} > 0.05",
)
changed_rule(
    "integration-rule-of-nothing",
    OTHERS,
    ITEM,
    "the rule over failures of the other integrations counts what nobody exports, too",
    *("query", "timeouts_of_others"),
    expr=f'{SHARE}{{integration!="stripe"}} > 0.05 or timeouts_of_others > 0',
)


@fault(
    "twilio-not-counted",
    expect_fail=[ITEM],
    touches=["prometheus/targets"],
    title="Prometheus has no requests to Twilio",
    settled=lambda r: not _has(r),
    reverted=lambda r: _has(r),
)
def twilio_not_counted(r: Rehearsal) -> None:
    name, _, label = DROPPED.partition("{")
    r.override("prometheus", dropped={"__name__": name, "integration": label.split('"')[1]})
    r.reload("prometheus")


@twilio_not_counted.revert
def count_twilio(r: Rehearsal) -> None:
    r.clear_override("prometheus", "dropped")
    r.reload("prometheus")


@fault(
    "integration-alerts-unheard",
    expect_fail=[ITEM],
    touches=["alertmanager/routes"],
    title="alerts of integrations go to a receiver that tells nobody",
    settled=lambda r: receiver_of(r, "integration") == "mailbox",
    reverted=lambda r: receiver_of(r, "integration") != "mailbox",
)
def integration_alerts_unheard(r: Rehearsal) -> None:
    r.override("alertmanager", routes={"integration": "mailbox"})
    r.reload("alertmanager")


@integration_alerts_unheard.revert
def hear_integration_alerts(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "routes")
    r.reload("alertmanager")


def _has(r: Rehearsal) -> bool:
    """Whether Prometheus has a sample of it now."""
    words = urllib.parse.urlencode({"query": DROPPED})
    return bool(_get(r, "prometheus", f"/api/v1/query?{words}")["data"]["result"])
