"""Which declared members of the product a metric has samples of: all of them, or only some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.observe import prometheus
from golive.probes.transport.addresses import spellings
from golive.probes.transport.http import port_of
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a metric has samples of."""

    metric: str
    declared: tuple[str, ...]
    """Declared members that it has to have samples of."""
    age_s: dict[str, float]
    """Age of the newest sample of each of them; infinite where there is none."""
    series: int

    def unscraped(self, most_s: float) -> list[str]:
        """Declared members without a sample that is new enough, with what there is."""
        late = {name: age for name, age in self.age_s.items() if not age <= most_s}
        return [
            f"{name} ({'no sample' if math.isinf(age) else f'none for {age:.0f} s'})"
            for name, age in late.items()
        ]


@dataclass(frozen=True, slots=True)
class Scraping:
    """What the application's own metrics have samples of."""

    instances: Coverage | Unseen
    """Of its query times; unseen where nothing declares which instances there are, or where
    nothing tells them apart."""


@probe()
def scraping(env: Environment) -> Scraping:
    """The declared instances among those whose query times Prometheus has now."""
    metric = env.application.metrics.query_seconds
    label = env.application.metrics.statement_label
    count = f"max without (le, {label}) (timestamp({metric}_count))"
    return Scraping(seen(_instances, env, metric, count))


def _instances(env: Environment, metric: str, query: str) -> Coverage:
    found = samples(env, query)
    try:
        declared = {i.name: i.url for i in env.application.instances}
    except ProbeError as e:
        raise ProbeError(
            f"whether {metric} is of every instance",
            f"{e.cause}; it is of {shown(found)}",
            e.next_step,
        ) from None
    places = {name: (_host(url), port_of(url)) for name, url in declared.items()}
    return coverage(env, metric, found, list(places), places)


def samples(env: Environment, promql: str) -> list[tuple[dict[str, str], float]]:
    """Labels of each series of an expression that gives times, and how long ago that is.

    :raises ProbeError: Prometheus cannot be asked.
    """
    now = prometheus.query(env, "time()")[0].value
    return [(s.labels, now - s.value) for s in prometheus.query(env, promql)]


def coverage(
    env: Environment,
    metric: str,
    found: Iterable[tuple[dict[str, str], float]],
    wanted: Iterable[str],
    places: Mapping[str, tuple[str, int]],
) -> Coverage:
    """Which of the wanted members a metric's series are of.

    A series is a member's when one of its labels is the member's name, its address or host (where
    no other member has the same), or what monitoring.known_as says.

    :param places: every member by name, with its address. Where there is but one, any series is
        its own.
    :raises ProbeError: some are missing, and there are as many series of nobody known.
    """
    known = _spelled(env, places)
    ages: dict[str, float] = {}
    strangers: dict[str, dict[str, str]] = {}
    series = 0
    for labels, age in found:
        series += 1
        owner = next((known[v] for v in labels.values() if v in known), None) or next(
            (known[h] for v in labels.values() if (h := _without_port(v)) in known), None
        )
        if owner is None:
            strangers[shown([(labels, age)])] = labels
        else:
            ages[owner] = min(age, ages.get(owner, math.inf))
        if len(places) == 1:
            ages = {name: min(age, ages.get(name, math.inf)) for name in places}
    wanted = tuple(wanted)
    missing = [name for name in wanted if name not in ages]
    if missing and len(strangers) >= len(missing):
        raise ProbeError(
            f"whether {metric} is of {', '.join(missing)}",
            f"no label of its series is a name or an address of theirs; it is of"
            f" {', '.join(list(strangers)[:_SHOWN])}",
            "say in monitoring.known_as which is which",
        )
    return Coverage(metric, wanted, {n: ages.get(n, math.inf) for n in wanted}, series)


def shown(found: Iterable[tuple[dict[str, str], float]]) -> str:
    """Series for messages, by what tells targets apart."""
    texts = []
    for labels, _ in found:
        kept = {k: v for k, v in labels.items() if k != "__name__"}
        texts.append(kept.get("instance") or ", ".join(f"{k}={v}" for k, v in kept.items()))
    names = list(dict.fromkeys(t or "one series without labels" for t in texts))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more


def _spelled(env: Environment, places: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """Every text that stands for one member alone, to its name."""
    texts: dict[str, set[str]] = {}
    for name, (host, port) in places.items():
        said = {env.monitoring.known_as.get(name, name), name}
        for address in spellings(host, port):
            said |= {address, _without_port(address)}
        for text in said:
            texts.setdefault(text, set()).add(name)
    return {text: names.pop() for text, names in texts.items() if len(names) == 1}


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _without_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else address
