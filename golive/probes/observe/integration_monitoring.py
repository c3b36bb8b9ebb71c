"""What watches the product's integrations: their series, the rules over their failures, tried out,
and whom those reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from golive.environments import Environment, Measure, WatchedIntegration
from golive.probes.observe import prometheus, promql, rule_trials
from golive.probes.observe.rule_trials import Trial
from golive.probes.observe.scraping import samples
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among


@dataclass(frozen=True, slots=True)
class FailureRules:
    """The rules over an integration's failures."""

    trials: tuple[Trial, ...]
    broken: tuple[str, ...]
    """Rules that Prometheus cannot evaluate, and why."""
    of_nothing: tuple[str, ...]
    """Rules whose expression has no series now, and what they read in vain."""
    unheard: tuple[str, ...] | Unseen
    """Rules whose alerts reach no receiver that tells anybody, and where they go."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One integration, as its monitoring has it."""

    sample_age_s: dict[str, float] | Unseen
    """Age of the newest sample of what succeeded, what failed and how long it took; infinite where
    there is none."""
    rules: FailureRules | Unseen


@dataclass(frozen=True, slots=True)
class IntegrationWatch:
    """The monitoring of every declared integration. What is asked of one that is not declared is
    unseen, unless another one is at fault."""

    integrations: dict[str, Watched]

    def sample_age_s(self, names: Sequence[str], most_s: float) -> dict[str, float] | Unseen:
        """Age of the newest sample of each series."""
        every = {name: self._of(name).sample_age_s for name in names}
        known = {
            f"{name} {what}": age_s
            for name, ages in every.items()
            if not isinstance(ages, Unseen)
            for what, age_s in ages.items()
        }
        unseen = unseen_among(every.values())
        return known if unseen is None or any(a > most_s for a in known.values()) else unseen

    def unwatched(self, names: Sequence[str], most_percent: float) -> list[str] | Unseen:
        """Integrations of whose failures no rule fires by then, with what those over them do."""
        rules = {name: self._of(name).rules for name in names}
        found = []
        for name, one in rules.items():
            if isinstance(one, Unseen):
                continue
            firing = [t for t in one.trials if t.fires_at is not None and t.silent_at is not None]
            if not any(t.fires_at is not None and t.fires_at <= most_percent for t in firing):
                found.append(f"{name} ({_told(one.trials)})")
        return _or_unseen(found, rules)

    def off(self, wanted: Mapping[str, float]) -> list[str] | Unseen:
        """Integrations whose failures have not one rule that fires from their share, in percent,
        with what those over them do."""
        rules = {name: self._of(name).rules for name in wanted}
        found = [
            f"{name} from {wanted[name]:g} % ({_told(one.trials)})"
            for name, one in rules.items()
            if not isinstance(one, Unseen)
            and sum(t.begins_at(wanted[name]) for t in one.trials) != 1
        ]
        return _or_unseen(found, rules)

    def broken(self, names: Sequence[str]) -> list[str] | Unseen:
        """Rules that cannot be evaluated, and why."""
        return self._each(names, "broken")

    def of_nothing(self, names: Sequence[str]) -> list[str] | Unseen:
        """Rules whose expression has no series now, and what they read in vain."""
        return self._each(names, "of_nothing")

    def unheard(self, names: Sequence[str]) -> list[str] | Unseen:
        """Rules whose alerts reach nobody, and where they go."""
        return self._each(names, "unheard")

    def rules(self, names: Sequence[str]) -> list[str] | Unseen:
        """The rules over the integrations' failures, by name."""
        found = {name: self._of(name).rules for name in names}
        every = [
            t.rule for one in found.values() if not isinstance(one, Unseen) for t in one.trials
        ]
        return _or_unseen(list(dict.fromkeys(every)), found)

    def _each(self, names: Sequence[str], what: str) -> list[str] | Unseen:
        # A rule's attribute is unseen where the rules are.
        every = {name: getattr(self._of(name).rules, what) for name in names}
        found = [t for texts in every.values() if not isinstance(texts, Unseen) for t in texts]
        return _or_unseen(list(dict.fromkeys(found)), every)

    def _of(self, name: str) -> Watched:
        known = self.integrations.get(name)
        if known is not None:
            return known
        unseen = Unseen(
            ProbeError(
                f"the monitoring of {name}",
                f"monitoring.integrations.{name} is not declared",
                f"write [monitoring.integrations.{name}] with its series in the environment",
            )
        )
        return Watched(unseen, unseen)


@probe(limit="drill")
def integration_watch(env: Environment) -> IntegrationWatch:
    """Series, rules tried by promtool, and routes of each declared integration."""
    declared = env.monitoring.integrations
    if not declared:
        raise ProbeError(
            "the monitoring of integrations",
            "monitoring.integrations is not declared",
            "write [monitoring.integrations.NAME] with the product's series in the environment",
        )
    rules = prometheus.rules(env)
    recordings = prometheus.recordings(env)
    config = seen(prometheus.alertmanager_config, env)

    def look(name: str) -> Watched:
        one = declared[name]
        return Watched(
            seen(_ages, env, name, one), seen(_rules, env, name, one, rules, recordings, config)
        )

    with ThreadPoolExecutor(2) as two:
        return IntegrationWatch(dict(zip(declared, two.map(look, declared), strict=True)))


def _ages(env: Environment, name: str, one: WatchedIntegration) -> dict[str, float]:
    found = {}
    for what in ("succeeded", "failed", "latency"):
        text = str(promql.selector(getattr(one, what), f"monitoring.integrations.{name}.{what}"))
        ages = [age_s for _, age_s in samples(env, f"timestamp({text})")]
        found[what] = min(ages, default=math.inf)
    return found


def _rules(
    env: Environment,
    name: str,
    one: WatchedIntegration,
    rules: Sequence[prometheus.Rule],
    recordings: Sequence[prometheus.Recording],
    config: dict[str, Any] | Unseen,
) -> FailureRules:
    measure = Measure(failed=one.failed, succeeded=one.succeeded, rules=one.rules)
    subject = rule_trials.subject(env, name, measure, f"monitoring.integrations.{name}")
    over = rule_trials.over(subject, measure, rules, recordings)
    broken = [r for r in over if r.health == "err"]
    trials = rule_trials.trials(env, subject, [r for r in over if r not in broken], recordings)
    # Rules over the same metric that never fire here are another integration's.
    silent = {t.rule for t in trials if t.is_silent}
    own = [r for r in over if r not in broken and r.name not in silent]
    nothing = {r.name: rule_trials.of_nothing(env, r, recordings) for r in own}
    return FailureRules(
        trials=trials,
        broken=tuple(f"{r.name}: {r.last_error}" for r in broken),
        of_nothing=tuple(f"{n}: no series of {', '.join(m)}" for n, m in nothing.items() if m),
        unheard=config if isinstance(config, Unseen) else tuple(_unheard(config, own)),
    )


def _unheard(config: Mapping[str, Any], rules: Sequence[prometheus.Rule]) -> list[str]:
    heard = prometheus.telling(config)
    found = []
    for rule in rules:
        to = prometheus.routed(dict(config), {"alertname": rule.name, **rule.labels})
        if not heard.intersection(to):
            found.append(f"{rule.name} (to {', '.join(to)})")
    return found


def _told(trials: Sequence[Trial]) -> str:
    own = [t for t in trials if not t.is_silent] or list(trials)
    return ", ".join(map(str, own)) or "no loaded rule reads its series"


def _or_unseen(found: list[str], looked_at: Mapping[str, object]) -> list[str] | Unseen:
    unseen = unseen_among(looked_at.values())
    return found if found or unseen is None else unseen
