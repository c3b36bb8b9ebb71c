"""What watches the integrations, on literal facts, and who is told of their alerts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from golive.claims import Claim
from golive.probes.observe import integration_monitoring, prometheus
from golive.probes.observe.integration_monitoring import FailureRules, IntegrationWatch, Watched
from golive.probes.observe.prometheus import Rule
from golive.probes.observe.rule_trials import Trial
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]

NAMES = ("stripe", "sendgrid", "twilio", "google_calendar", "google_business_profile", "analytics")


def trial(rule: str, at: float) -> Trial:
    return Trial(rule, "%", at * 0.999, at * 1.001, 90, 330)


SILENT = Trial("Other", "%", 100.0, None, math.inf, math.inf)
OWN = FailureRules((trial("Failures", 5), SILENT), (), (), ())
FINE = Watched({"succeeded": 1.0, "failed": 1.0, "latency": 2.0}, OWN)
STRIPE = replace(FINE, rules=replace(OWN, trials=(trial("Stripe", 2), SILENT)))


def judge(judged: Judge, **changed: Watched | None) -> Claim | None:
    every: dict[str, Watched | None] = {**dict.fromkeys(NAMES, FINE), "stripe": STRIPE, **changed}
    known = {n: w for n, w in every.items() if w is not None}
    return judged("D-11.3.4", integration_watch=IntegrationWatch(known))


def rules(**changes: Any) -> Watched:
    return replace(FINE, rules=replace(OWN, **changes))


def test_integrations_that_are_watched_are_green(judged: Judge) -> None:
    assert judge(judged) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"twilio": replace(FINE, sample_age_s={"failed": math.inf})}, "twilio failed never"),
        ({"sendgrid": replace(FINE, sample_age_s={"latency": 61})}, "sendgrid latency 61 s"),
        ({"stripe": rules(trials=(trial("Stripe", 5),))}, "stripe from 2 % (Stripe fires from 5 %"),
        (
            {"stripe": rules(trials=(trial("A", 2), trial("B", 2)))},
            "A fires from 2 %",
        ),
        ({"twilio": rules(trials=(SILENT,))}, "twilio (Other never fires)"),
        ({"twilio": rules(trials=())}, "twilio (no loaded rule reads its series)"),
        ({"twilio": rules(trials=(trial("Late", 50),))}, "Late fires from 50 %"),
        ({"twilio": rules(broken=("Odd: many-to-many",))}, "Odd: many-to-many"),
        ({"twilio": rules(of_nothing=("Odd: no series of x",))}, "no series of x"),
        ({"twilio": rules(unheard=("Failures (to mailbox)",))}, "Failures (to mailbox)"),
    ],
)
def test_what_is_not_watched_is_red(judged: Judge, changed: dict[str, Watched], says: str) -> None:
    claim = judge(judged, **changed)
    assert claim is not None
    assert claim.broken
    assert says in claim.observed


def test_an_integration_that_is_not_declared_is_not_known(judged: Judge) -> None:
    claim = judge(judged, analytics=None)
    assert claim is not None
    assert claim.unseen is not None
    assert "[monitoring.integrations.analytics]" in claim.unseen.next_step
    # Another one that is not watched is told all the same.
    claim = judge(judged, analytics=None, twilio=rules(trials=()))
    assert claim is not None
    assert claim.broken


def test_without_promtool_nothing_is_known_and_nothing_red(judged: Judge) -> None:
    unseen = Unseen(ProbeError("promtool", "cannot be started"))
    claim = judge(judged, **dict.fromkeys(NAMES, replace(FINE, rules=unseen)))
    assert claim is not None
    assert claim.unseen is not None


def test_without_alertmanager_the_rest_is_judged(judged: Judge) -> None:
    unseen = Unseen(ProbeError("Alertmanager's routes", "refused"))
    claim = judge(judged, **{name: rules(unheard=unseen) for name in NAMES[1:]})
    assert claim is not None
    assert claim.unseen is not None
    claim = judge(judged, twilio=rules(unheard=unseen, broken=("Odd: bad",)))
    assert claim is not None
    assert claim.broken


def test_a_receiver_that_does_nothing_tells_nobody() -> None:
    config = {
        "route": {"receiver": "mailbox", "routes": [{"matchers": ["area=x"], "receiver": "page"}]},
        "receivers": [
            {"name": "page", "webhook_configs": [{"url": "http://127.0.0.1:1"}]},
            {"name": "empty", "webhook_configs": []},
            {"name": "mailbox"},
        ],
    }
    assert prometheus.telling(config) == {"page"}
    heard = Rule("g", "Heard", "a > 1", 0.0, {"area": "x"}, "ok", "")
    lost = replace(heard, name="Lost", labels={"area": "y"})
    assert integration_monitoring._unheard(config, [heard, lost]) == ["Lost (to mailbox)"]
