"""Thresholds of the go-live beside the alerting rules that Prometheus has loaded: what each fires
at, whether there is anything that it could fire at, and how often it fired without a reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from golive.environments import Environment, Measure
from golive.probes.observe import prometheus, rule_trials
from golive.probes.observe.rule_trials import Subject, Trial
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

Found = TypeVar("Found")
_STEP_S = 120.0
"""Of the history of alerts; 14 days of it stay below what Prometheus answers at once."""
_COVERED = 0.95
"""The share of the history that has to have samples of what is measured."""
_GAP_STEPS = 2
_REAL = 0.9
"""An alarm was real where the measured value came so close to what the rule fires at."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What the go-live asks for: one rule that fires at a value, in the measure's unit, or once
    something has lasted for some minutes."""

    title: str
    noun: str
    value: float | None = None
    minutes: float = 0

    def told(self, unit: str) -> str:
        """What is asked for, in words."""
        at = "" if self.value is None else f" from {self.value:g} {unit}".rstrip()
        return f"one{at}" + (f" after {self.minutes:g} min" if self.minutes else "")

    def is_of(self, trial: Trial) -> bool:
        """Whether a rule fires just there."""
        at = self.value is None or trial.begins_at(self.value)
        return at and not trial.is_silent and (not self.minutes or trial.waits(self.minutes * 60))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The rules over one measure."""

    noun: str
    title: str
    """The metric, for messages."""
    unit: str
    rules: tuple[str, ...]
    """By name."""
    trials: tuple[Trial, ...]
    broken: tuple[str, ...]
    """Rules that Prometheus cannot evaluate, and why."""
    of_nothing: tuple[str, ...]
    """Rules whose expression has no series now, and what they read in vain."""
    false_alarms: dict[str, int] | Unseen
    """By rule: how often it fired while the measured value gave no reason."""


@dataclass(frozen=True, slots=True)
class AlertThresholds:
    """The rules over everything that is declared to have a threshold."""

    measures: dict[str, Calibrated | Unseen]
    days: float
    """Over how many days false alarms were counted."""

    def unmet(self, wanted: Sequence[Threshold]) -> list[str] | Unseen:
        """Thresholds that not exactly one rule fires at, with what those over it do; unseen where
        each that could be looked at has its rule, and another could not."""
        told = [
            f"{t.title}: {_told(t, one)}; it has to be {t.told(one.unit)}"
            for t in wanted
            for one in self._of([t])
            if sum(map(t.is_of, one.trials)) != 1
        ]
        return self._known(wanted, told, told)

    def rules(self, wanted: Sequence[Threshold]) -> list[str] | Unseen:
        """The rules over what the thresholds are about."""
        found = [r for one in self._of(wanted) for r in one.rules]
        return self._known(wanted, found, found)

    def broken(self, wanted: Sequence[Threshold]) -> list[str] | Unseen:
        """Those that cannot be evaluated, and why."""
        found = [text for one in self._of(wanted) for text in one.broken]
        return self._known(wanted, found, found)

    def of_nothing(self, wanted: Sequence[Threshold]) -> list[str] | Unseen:
        """Those whose expression has no series now, and what they read in vain."""
        found = [text for one in self._of(wanted) for text in one.of_nothing]
        return self._known(wanted, found, found)

    def after_minutes(self, wanted: Sequence[Threshold], most: float) -> dict[str, float] | Unseen:
        """How long each threshold's rule takes to fire; unseen where none takes too long, and
        that of another is not known."""
        found = {
            trial.rule: trial.after_s / 60
            for t in wanted
            for one in self._of([t])
            for trial in one.trials
            if t.is_of(trial)
        }
        return self._known(wanted, found, [m for m in found.values() if m > most])

    def false_alarms(self, wanted: Sequence[Threshold], most: float) -> dict[str, int] | Unseen:
        """How often the thresholds' rules fired without a reason; unseen where none did so too
        often, and the history of one does not reach back far enough."""
        every = [one.false_alarms for one in self._of(wanted)]
        own = {
            trial.rule
            for t in wanted
            for one in self._of([t])
            for trial in one.trials
            if t.is_of(trial)
        }
        found = {
            rule: count
            for one in every
            if not isinstance(one, Unseen)
            for rule, count in one.items()
            if rule in own  # another one over the same metric is about something else
        }
        over = [n for n in found.values() if n > most]
        short = unseen_among(every)
        return short if short is not None and not over else self._known(wanted, found, over)

    def _of(self, wanted: Sequence[Threshold]) -> list[Calibrated]:
        nouns = dict.fromkeys(t.noun for t in wanted)
        found = [self.measures.get(noun) for noun in nouns]
        return [one for one in found if isinstance(one, Calibrated)]

    def _known(self, wanted: Sequence[Threshold], found: Found, over: Sized) -> Found | Unseen:
        """What was found, or why a measure could not be looked at, where nothing breaks a claim
        about the others."""
        unseen = unseen_among(self.measures.get(t.noun, _undeclared(t.noun)) for t in wanted)
        return found if over or unseen is None else unseen


@probe(limit="drill")
def alert_thresholds(env: Environment) -> AlertThresholds:
    """Loaded alerting rules over each declared measure, tried by promtool, with their history."""
    declared = env.monitoring.thresholds
    if not declared:
        raise _undeclared("NOUN").error
    rules, recordings = prometheus.rules(env), prometheus.recordings(env)
    with ThreadPoolExecutor(2) as two:
        found = two.map(
            lambda noun: seen(_calibrated, env, noun, declared[noun], rules, recordings), declared
        )
        measures = dict(zip(declared, found, strict=True))
    return AlertThresholds(measures, env.windows.alert_history_s / 86_400)


def _calibrated(
    env: Environment,
    noun: str,
    measure: Measure,
    rules: Sequence[prometheus.Rule],
    recordings: Sequence[prometheus.Recording],
) -> Calibrated:
    subject = rule_trials.subject(env, noun, measure, f"monitoring.thresholds.{noun}")
    over = rule_trials.over(subject, measure, rules, recordings)
    sound = [r for r in over if r.health != "err"]
    trials = rule_trials.trials(env, subject, sound, recordings)
    reads = {r.name: rule_trials.of_nothing(env, r, recordings) for r in sound}
    return Calibrated(
        noun=noun,
        title=subject.presence,
        unit=subject.unit,
        rules=tuple(r.name for r in over),
        trials=trials,
        broken=tuple(f"{r.name}: {r.last_error}" for r in over if r.health == "err"),
        of_nothing=tuple(f"{name}: no series of {', '.join(m)}" for name, m in reads.items() if m),
        false_alarms=seen(_false_alarms, env, subject, trials),
    )


def _false_alarms(env: Environment, subject: Subject, trials: Iterable[Trial]) -> dict[str, int]:
    """How often each rule that fires over the measure did so without a reason."""
    end = datetime.now(UTC)
    start = end - timedelta(seconds=env.windows.alert_history_s)
    _reaches_back(env, subject, start, end)
    counts: dict[str, int] = {}
    for trial in trials:
        if trial.fires_at is None:
            continue
        alarms = episodes(env, trial.rule, start, end)
        counts[trial.rule] = sum(not _was_real(env, subject, trial, *one) for one in alarms)
    return counts


def episodes(
    env: Environment, rule: str, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """From when to when a rule's alerts were firing, whichever of its series did so.

    :raises ProbeError: Prometheus cannot be asked.
    """
    firing = f'ALERTS{{alertname={json.dumps(rule)},alertstate="firing"}}'
    # Over the whole step, or an alarm between two of them is not seen.
    asked = f"max(max_over_time({firing}[{_STEP_S:g}s]))"
    found: list[tuple[datetime, datetime]] = []
    for course in prometheus.query_range(env, asked, start, end, _STEP_S):
        for at, _ in course.values:
            if found and (at - found[-1][1]).total_seconds() <= _GAP_STEPS * _STEP_S:
                found[-1] = found[-1][0], at
            else:
                found.append((at, at))
    return found


def _was_real(
    env: Environment, subject: Subject, trial: Trial, began: datetime, ended: datetime
) -> bool:
    """Whether the measured value was at some time as bad as what the rule fires at."""
    window_s = (ended - began).total_seconds() + _STEP_S + 600
    least = subject.kind in {"days", "up"}  # where less is worse
    worst = f"{'min' if least else 'max'}_over_time(({subject.truth})[{window_s:.0f}s:30s])"
    found = prometheus.query(env, worst, ended)
    assert trial.fires_at is not None
    at = trial.fires_at / subject.per_unit
    return any(s.value <= at / _REAL if least else s.value >= at * _REAL for s in found)


def _reaches_back(env: Environment, subject: Subject, start: datetime, end: datetime) -> None:
    """Raise ProbeError where what is measured has no samples over the whole time."""
    days = env.windows.alert_history_s / 86_400
    step_s = max(60.0, env.windows.alert_history_s / 2_000)
    asked = f"count(count_over_time({subject.presence}[{step_s:.0f}s]))"
    found = prometheus.query_range(env, asked, start, end, step_s)
    moments = [at for course in found for at, _ in course.values]
    covered = len(moments) * step_s / env.windows.alert_history_s
    late_s = (min(moments, default=end) - start).total_seconds()
    if covered < _COVERED or late_s > (1 - _COVERED) * env.windows.alert_history_s:
        raise ProbeError(
            f"false alarms of {days:g} days over {subject.noun.replace('_', ' ')}",
            f"Prometheus has {subject.presence} for {covered * days:.1f} days of them",
            "keep at least that much (--storage.tsdb.retention.time), and run this again then",
        )


def _told(threshold: Threshold, found: Calibrated) -> str:
    """What the rules over a measure do, for a threshold that not just one of them is for."""
    fitting = [t for t in found.trials if threshold.is_of(t)]
    if fitting:
        return f"{len(fitting)} rules, {' and '.join(t.rule for t in fitting)}"
    if not found.trials and not found.broken:
        return f"no loaded rule reads {found.title}"
    return ", ".join(map(str, found.trials)) or "; ".join(found.broken)


def _undeclared(noun: str) -> Unseen:
    return Unseen(
        ProbeError(
            f"the rules over {noun.replace('_', ' ')}",
            f"monitoring.thresholds.{noun} is not declared",
            f"write [monitoring.thresholds.{noun}] with the product's metric in the environment",
        )
    )
