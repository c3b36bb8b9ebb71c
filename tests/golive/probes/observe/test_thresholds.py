"""Rules over the go-live's thresholds: the item on literal facts, and rules tried by promtool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from golive.claims import Claim
from golive.environments import Environment, Measure
from golive.probes.observe import prometheus, rule_trials, thresholds
from golive.probes.observe.prometheus import Course, Recording, Rule, Sample
from golive.probes.observe.rule_trials import Trial
from golive.probes.observe.thresholds import AlertThresholds, Calibrated
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel import binaries
from rehearsal.parts.observe.prometheus import RULES

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def calibrated(noun: str, unit: str, *trials: Trial, **changes: Any) -> Calibrated:
    counts = {t.rule: 1 for t in trials}
    rules = tuple(counts)
    own = Calibrated(noun, f"{noun}_total", unit, rules, trials, (), (), counts)
    return replace(own, **changes)


def trial(rule: str, unit: str, at: float, after_min: float = 1.5) -> Trial:
    return Trial(rule, unit, at * 0.999, at * 1.001, after_min * 60, after_min * 60 + 240)


RAISED, LASTING = trial("Raised", "%", 0.1), trial("Lasting", "%", 1, 10.5)
PAYMENTS = trial("Payments", "%", 2)
DOWN = Trial("Down", "", 1.0, 0.0, 300, 300)
FACTS = {
    "response_time": calibrated("response_time", "ms", trial("Slow", "ms", 200)),
    "errors": calibrated("errors", "%", RAISED, LASTING),
    "downtime": calibrated(
        "downtime", "", replace(DOWN, rule="Target", after_s=30, after_good_s=30), DOWN
    ),
    "payments": calibrated("payments", "%", PAYMENTS),
    "query_time": calibrated("query_time", "ms", trial("Queries", "ms", 50)),
    "certificates": calibrated("certificates", "d", Trial("Ends", "d", 60.01, 59.9, 0, 0)),
}


def judge(judged: Judge, **changed: Calibrated | Unseen | None) -> Claim | None:
    measures = {n: m for n, m in {**FACTS, **changed}.items() if m is not None}
    return judged("D-14.2.5", alert_thresholds=AlertThresholds(measures, 14.0))


def payments(*trials: Trial, **changes: Any) -> dict[str, Calibrated]:
    return {"payments": calibrated("payments", "%", *trials, **changes)}


def test_one_rule_for_each_threshold_is_green(judged: Judge) -> None:
    assert judge(judged) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            payments(trial("Payments", "%", 5)),
            "Payments fires from 5 % after 1.5 min; it has",
        ),
        (payments(trial("Payments", "%", 2.05)), "fires from 2.05 %"),
        (payments(PAYMENTS, replace(PAYMENTS, rule="Again")), "2 rules, Payments and Again"),
        (payments(), "no loaded rule reads payments_total"),
        (payments(replace(PAYMENTS, fires_at=None)), "Payments never fires"),
        (payments(replace(PAYMENTS, silent_at=None)), "Payments fires at any value"),
        (payments(PAYMENTS, broken=("Odd: many-to-many",)), "Odd: many-to-many"),
        (payments(PAYMENTS, of_nothing=("Payments: no series of x",)), "no series of x"),
        (payments(PAYMENTS, false_alarms={"Payments": 2}), "Payments 2"),
        (payments(replace(PAYMENTS, after_s=1800)), "fires after: Payments 30 min"),
        ({"errors": calibrated("errors", "%", RAISED, trial("Hasty", "%", 1, 2))}, "after 2.0 min"),
        (
            {"downtime": calibrated("downtime", "", replace(DOWN, after_s=30, after_good_s=30))},
            "after 5 min",
        ),
    ],
)
def test_a_rule_that_is_not_right_is_red(
    judged: Judge, changed: dict[str, Calibrated], says: str
) -> None:
    claim = judge(judged, **changed)
    assert claim is not None
    assert claim.broken
    assert says in claim.observed or says in f"{claim.subject}: {claim.observed}"


def test_a_rule_that_averages_over_ten_minutes_is_right_as_well(judged: Judge) -> None:
    averaging = Trial("Lasting", "%", 0.999, 1.001, after_s=30, after_good_s=570)
    assert judge(judged, errors=calibrated("errors", "%", RAISED, averaging)) is None


def test_what_is_not_declared_is_not_known_and_says_what_to_write(judged: Judge) -> None:
    claim = judge(judged, payments=None)
    assert claim is not None
    assert claim.unseen is not None
    assert "[monitoring.thresholds.payments]" in claim.unseen.next_step


def test_without_promtool_nothing_is_known_and_nothing_red(judged: Judge) -> None:
    unseen = Unseen(ProbeError("promtool", "cannot be started"))
    claim = judge(judged, **dict.fromkeys(FACTS, unseen))
    assert claim is not None
    assert claim.unseen is not None


def test_a_rule_that_is_wrong_is_red_beside_what_could_not_be_looked_at(judged: Judge) -> None:
    unseen = Unseen(ProbeError("the rules over payments", "no series"))
    wrong = calibrated("query_time", "ms", trial("Queries", "ms", 100))
    claim = judge(judged, payments=unseen, query_time=wrong)
    assert claim is not None
    assert claim.broken


def test_a_short_history_is_not_known_and_not_green(judged: Judge) -> None:
    short = Unseen(ProbeError("false alarms of 14 days", "3.2 days of them"))
    claim = judge(judged, **payments(PAYMENTS, false_alarms=short))
    assert claim is not None
    assert claim.unseen is not None
    # A rule that is known to fire falsely is red all the same.
    noisy = calibrated("query_time", "ms", trial("Queries", "ms", 50), false_alarms={"Queries": 3})
    claim = judge(judged, **payments(PAYMENTS, false_alarms=short), query_time=noisy)
    assert claim is not None
    assert claim.broken


def test_alarms_of_a_rule_that_no_threshold_asks_for_do_not_count(judged: Judge) -> None:
    other = replace(DOWN, rule="Target", after_s=30, after_good_s=30)
    counts = {"Target": 9, "Down": 1}
    found = calibrated("downtime", "", other, DOWN, false_alarms=counts)
    assert judge(judged, downtime=found) is None
    claim = judge(judged, downtime=replace(found, false_alarms={"Target": 0, "Down": 2}))
    assert claim is not None
    assert "Down 2" in claim.observed


# -- rules, tried out ------------------------------------------------------------------------------

COUNT, BUCKET = "http_seconds_count", "http_seconds_bucket"
LIVE = {
    f'topk(3, {COUNT}{{status="200"}})': [{"status": "200", "route": "/", "job": "web"}],
    f"topk(3, {COUNT})": [{"status": "200", "route": "/", "job": "web"}],
    f"group by (le) ({BUCKET})": [{"le": le} for le in ("0.1", "0.25", "0.5", "+Inf")],
    "topk(3, ends)": [{"name": "www"}],
    'topk(3, up{job="web"})': [{"job": "web", "instance": n} for n in ("1", "2")],
}
ERRORS = Measure(failed=f'{COUNT}{{status="500"}}', succeeded=f'{COUNT}{{status="200"}}')
SHARE = f'sum(rate({COUNT}{{status=~"5.."}}[5m])) / sum(rate({COUNT}[5m]))'


@pytest.fixture
def env(env_with: EnvWith, monkeypatch: pytest.MonkeyPatch) -> Environment:
    def query(_: Environment, asked: str, at: datetime | None = None) -> list[Sample]:
        return [Sample(labels, 1.0, at or NOW) for labels in LIVE.get(asked, [])]

    monkeypatch.setattr(prometheus, "query", query)
    found = binaries.find("promtool")
    words = [f"{key}={value}" for key, value in found.environment.items()]
    return env_with(monitoring={"promtool": ["env", *words, str(found.path)]})


def tried(env: Environment, measure: Measure, *rules: Rule, recorded: str = "") -> list[Trial]:
    recordings = [Recording("share", recorded, {})] if recorded else []
    subject = rule_trials.subject(env, "it", measure, "monitoring.thresholds.it")
    over = rule_trials.over(subject, measure, rules, recordings)
    return list(rule_trials.trials(env, subject, over, recordings))


def rule(query: str, for_s: float = 0.0, name: str = "It") -> Rule:
    return Rule("g", name, query, for_s, {}, "ok", "")


def test_promtool_finds_what_a_rule_over_errors_fires_at_and_after_how_long(
    env: Environment,
) -> None:
    high, low = rule(f"{SHARE} > 0.01", 600, "High"), rule("share > 0.001", 60, "Low")
    other = rule("sum(up) == 0", 0, "Other")
    first, second = tried(env, ERRORS, high, low, other, recorded=SHARE)
    assert (first.rule, second.rule) == ("High", "Low")
    assert first.begins_at(1)
    assert first.waits(600)
    assert second.begins_at(0.1)
    assert not second.waits(600)


def test_a_rule_that_reads_another_label_than_the_product_has_never_fires(
    env: Environment,
) -> None:
    wrong = SHARE.replace("status=~", "code=~")
    [found] = tried(env, ERRORS, rule(f"{wrong} > 0.01"))
    assert found.is_silent


def test_promtool_finds_what_a_rule_over_a_quantile_fires_at(env: Environment) -> None:
    p95 = f"histogram_quantile(0.95, sum by (le) (rate({BUCKET}[5m])))"
    [found] = tried(env, Measure(histogram="http_seconds"), rule(f"{p95} > 0.2"))
    assert found.begins_at(200)


def test_promtool_finds_what_rules_over_ends_and_downtime_fire_at(env: Environment) -> None:
    [ends] = tried(env, Measure(expires="ends"), rule("ends - time() < 60 * 86400"))
    assert ends.begins_at(60)
    [down] = tried(env, Measure(up='up{job="web"}'), rule('up{job="web"} == 0', 300))
    assert down.waits(300)


def test_a_rule_is_found_by_its_name_where_that_is_declared(env: Environment) -> None:
    named = Measure(failed=ERRORS.failed, succeeded=ERRORS.succeeded, rules=["Mine"])
    subject = rule_trials.subject(env, "it", named, "key")
    mine = rule("recorded:elsewhere > 1", name="Mine")
    assert rule_trials.over(subject, named, [rule(f"{SHARE} > 1"), mine], []) == [mine]


def test_a_promtool_that_judges_nothing_is_not_taken_for_silence(
    env: Environment, env_with: EnvWith
) -> None:
    for program in ("true", "false"):
        broken = env_with(monitoring={"promtool": [program]})
        with pytest.raises(ProbeError, match="it judged nothing"):
            tried(broken, ERRORS, rule(f"{SHARE} > 0.01"))


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (Measure(), "it declares no metric"),
        (Measure(failed="a"), "it declares failed"),
        (Measure(up="a", expires="b"), "it declares up, expires"),
        (Measure(up="nobody_has_this"), "Prometheus has no series of nobody_has_this"),
        (Measure(histogram="nor_this"), "Prometheus has no series of nor_this_bucket"),
    ],
)
def test_a_measure_that_cannot_be_fed_says_so(
    env: Environment, measure: Measure, says: str
) -> None:
    with pytest.raises(ProbeError, match=says):
        tried(env, measure)


def test_only_what_is_measured_by_nobody_is_a_rule_of_nothing(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {f"count({COUNT})", "count(up)"}
    monkeypatch.setattr(
        prometheus,
        "query",
        lambda _, asked: [Sample({}, 1.0, NOW)] if asked in there else [],
    )
    # That there has been no error yet is no fault of the rule.
    assert rule_trials.of_nothing(env, rule(f"{SHARE} > 0.01"), []) == []
    assert rule_trials.of_nothing(env, rule("up == 0 and on () planned == 0"), []) == ["planned"]


def test_the_rules_of_the_rehearsal_hold_what_the_go_live_asks_for() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    held = {r["alert"]: r.get("for") for g in groups for r in g["rules"] if "alert" in r}
    assert held["ServiceDown"] == "5m"
    assert held["ErrorRateHigh"] == "10m"


# -- false alarms ----------------------------------------------------------------------------------


def test_alarms_are_counted_once_each_and_not_where_there_was_a_reason(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two alarms of two days: at the first nothing failed, at the second 3 % did."""
    minutes = [NOW - timedelta(days=2, minutes=-2 * n) for n in range(5)]
    minutes += [NOW - timedelta(days=1, minutes=-2 * n) for n in range(5)]
    every = [NOW - timedelta(seconds=605 * n) for n in range(2000)]

    def over_time(_: Environment, asked: str, *__: object) -> list[Course]:
        moments = minutes if "ALERTS" in asked else every
        return [Course({}, tuple((at, 1.0) for at in moments))]

    def query(_: Environment, asked: str, at: datetime | None = None) -> list[Sample]:
        if asked in LIVE:
            return [Sample(labels, 1.0, NOW) for labels in LIVE[asked]]
        bad = at is not None and at > NOW - timedelta(days=1.5)
        return [Sample({}, 0.03 if bad else 0.001, NOW)]

    monkeypatch.setattr(prometheus, "query_range", over_time)
    monkeypatch.setattr(prometheus, "query", query)
    monkeypatch.setattr(thresholds, "datetime", _Clock)
    subject = rule_trials.subject(env, "errors", ERRORS, "key")
    found = thresholds._false_alarms(env, subject, [trial("It", "%", 1)])
    assert found == {"It": 1}
    del every[300:]
    with pytest.raises(ProbeError, match=r"for 2\.1 days of them"):
        thresholds._false_alarms(env, subject, [trial("It", "%", 1)])


class _Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> _Clock:
        return cls.fromtimestamp(NOW.timestamp(), tz)
