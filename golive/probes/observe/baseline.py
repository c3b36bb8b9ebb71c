"""The performance baseline: a file of figures, each with the query that it came from.

The file is JSON::

    {"environment": "staging", "version": "2.0.0",
     "began": "2026-11-01T00:00:00Z", "ended": "2026-11-08T00:00:00Z",
     "figures": [{"kind": "p95", "of": "GET /api/v2/services/", "value": 0.071,
                  "promql": "histogram_quantile(0.95, ...)", "series": "http_seconds_count{...}"}]}

``value`` is what ``promql`` gave when it ended, and ``series`` a plain selector of what it is
reckoned from. Kinds are p50, p95, p99 and errors of an endpoint, page_load of a page, query_p95 of
``database``, uptime of a service, cpu and memory of a component, replication_lag of a standby.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.files import read
from golive.probes.observe import prometheus
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError, Unseen, seen, unseen_among

_MOST_BYTES = 2**22
_OF_ENDPOINTS = ("p50", "p95", "p99", "errors")
_SELECTOR = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\})?')
_PARTS = re.compile(r"_(?:bucket|count|sum|total)$")


class Written(msgspec.Struct, frozen=True):
    """A figure as the file has it."""

    kind: str
    of: str
    value: float
    promql: str
    series: str

    @property
    def name(self) -> str:
        """What it is, as messages tell it."""
        return f"{self.kind} of {self.of}"

    @property
    def flaw(self) -> str:
        """Why its query cannot be one of its series; empty where it can."""
        selector = _SELECTOR.fullmatch(self.series.strip())
        if selector is None:
            return "its series is no plain selector"
        metric = _PARTS.sub("", selector[1])
        if metric not in self.promql:
            return f"its query is not about {metric}"
        route = self.of.rpartition(" ")[2]
        if self.kind in (*_OF_ENDPOINTS, "page_load"):
            texts = (self.series, self.promql)
            if not all(f'"{route}"' in text for text in texts):
                return f"its query or its series is not about {route}"
        return ""


class _File(msgspec.Struct, frozen=True):
    environment: str
    version: str
    began: datetime
    ended: datetime
    figures: list[Written]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A figure, and what the metrics tell of it now."""

    written: Written
    samples: float | Unseen
    coverage_percent: float | Unseen
    """Of the moments of the baseline, those with a sample."""
    value: float | Unseen
    """Not a number where there is none any more."""

    @property
    def difference_percent(self) -> float | Unseen:
        """How far the figure is from what the metrics tell; infinite where they tell none."""
        if isinstance(self.value, Unseen):
            return self.value
        if self.value == self.written.value:
            return 0.0
        if not math.isfinite(self.value) or not math.isfinite(self.written.value):
            return math.inf
        base = abs(self.value)
        return 100 * abs(self.written.value - self.value) / base if base else math.inf


@dataclass(frozen=True, slots=True)
class PerformanceBaseline:
    """The baseline as it lies there, beside the metrics."""

    file: str
    sha256: str
    environment: str
    version: str
    serving: tuple[str, ...]
    """Versions that serve now."""
    version_coverage_percent: float | Unseen
    """Moments of the baseline at which its version served."""
    began: datetime
    ended: datetime
    wanted: tuple[str, ...]
    """The figures that it has to have, by name."""
    figures: tuple[Recomputed, ...]

    @property
    def days(self) -> float:
        """How long it is over."""
        return (self.ended - self.began).total_seconds() / 86_400

    @property
    def lacking(self) -> list[str]:
        """Figures that are not in it."""
        found = {f.written.name for f in self.figures}
        return [name for name in self.wanted if name not in found]

    @property
    def flawed(self) -> list[str]:
        """Figures that are twice, share a query, or whose query cannot be one of their series."""
        names = Counter(f.written.name for f in self.figures)
        queries = Counter(f.written.promql for f in self.figures)
        found = [f"{name} ({n} times)" for name, n in names.items() if n > 1]
        for figure in self.figures:
            one = figure.written
            shared = "it shares its query with another" if queries[one.promql] > 1 else ""
            if why := one.flaw or shared:
                found.append(f"{one.name} ({why})")
        return found

    def without_samples(self) -> list[str] | Unseen:
        """Figures whose series have no sample in its time."""
        known = [f.written.name for f in self.figures if f.samples == 0.0]
        unseen = unseen_among(f.samples for f in self.figures)
        return known if known or unseen is None else unseen

    def coverage_percent(self, least: float) -> dict[str, float] | Unseen:
        """By figure, and of the version; unseen where none is known to be less and one could not
        be looked at."""
        values = {f.written.name: f.coverage_percent for f in self.figures}
        values["the version"] = self.version_coverage_percent
        known = {k: v for k, v in values.items() if not isinstance(v, Unseen)}
        unseen = unseen_among(values.values())
        return known if unseen is None or any(v < least for v in known.values()) else unseen

    def difference_percent(self, most: float) -> dict[str, float] | Unseen:
        """By figure, from what the metrics tell now; unseen as above."""
        values = {f.written.name: f.difference_percent for f in self.figures}
        known = {k: v for k, v in values.items() if not isinstance(v, Unseen)}
        unseen = unseen_among(values.values())
        return known if unseen is None or any(v > most for v in known.values()) else unseen


@probe()
def performance_baseline(env: Environment) -> PerformanceBaseline:
    """The file, and each of its figures as the metrics tell it now."""
    path = Path(env.baseline.path)
    try:
        data = read(path, _MOST_BYTES, "a baseline")
        file = decode(data, _File)
    except (GoliveError, msgspec.MsgspecError) as e:
        raise ProbeError(
            f"the baseline {path}", e, "write it as golive/probes/observe/baseline.py says"
        ) from None
    if file.began.tzinfo is None or file.ended.tzinfo is None or not file.began < file.ended:
        raise ProbeError(
            f"the baseline {path}",
            f"it is from {file.began.isoformat()} to {file.ended.isoformat()}",
            "write both with their zone, the earlier one first",
        )
    metric, label = env.baseline.version_metric, env.baseline.version_label
    serving = {s.labels.get(label, "") for s in prometheus.query(env, metric)} - {""}
    if not serving:
        raise ProbeError(
            "the version now serving",
            f"Prometheus has no {metric} with a label {label}",
            "check baseline.version_metric and baseline.version_label",
        )
    look = _Look(env, file)
    served = f"{metric}{{{label}={_quoted(file.version)}}}"
    return PerformanceBaseline(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        environment=file.environment,
        version=file.version,
        serving=tuple(sorted(serving)),
        version_coverage_percent=seen(look.coverage, served),
        began=file.began,
        ended=file.ended,
        wanted=tuple(_wanted(env)),
        figures=tuple(look.at(one) for one in file.figures),
    )


def _wanted(env: Environment) -> list[str]:
    declared = env.baseline
    names = [f"{kind} of {one}" for one in declared.endpoints for kind in _OF_ENDPOINTS]
    names += [f"page_load of {one}" for one in declared.pages]
    names += ["query_p95 of database"]
    names += [f"uptime of {one}" for one in declared.services]
    names += [f"{kind} of {one}" for one in declared.components for kind in ("cpu", "memory")]
    return names + [f"replication_lag of {one.name}" for one in env.postgres.standbys]


class _Look:
    """Questions about the time of a baseline."""

    def __init__(self, env: Environment, file: _File) -> None:
        self._env = env
        self._at = file.ended
        self._length_s = round((file.ended - file.began).total_seconds())
        self._step = f"{env.baseline.interval_s:g}s"

    def at(self, one: Written) -> Recomputed:
        if _SELECTOR.fullmatch(one.series.strip()) is None:
            none = Unseen(ProbeError(one.name, one.flaw, "correct it in the baseline"))
            return Recomputed(one, none, none, none)
        samples = f"sum(count_over_time({one.series}[{self._length_s}s]))"
        return Recomputed(
            one,
            seen(self._number, samples, 0.0),
            seen(self.coverage, one.series),
            seen(self._number, one.promql, math.nan),
        )

    def coverage(self, series: str) -> float:
        """Share of the moments with a sample of any of the series, in percent."""
        each = f"max(count_over_time({series}[{self._step}]))"
        over = f"[{self._length_s}s:{self._step}]"
        covered = self._number(f"count_over_time({each}{over})", 0.0)
        return 100 * covered / (self._number(f"count_over_time(vector(1){over})", 1.0) or 1.0)

    def _number(self, promql: str, nothing: float) -> float:
        found = prometheus.query(self._env, promql, self._at)
        if len(found) > 1:
            raise ProbeError(
                promql, f"it gives {len(found)} series", "have the baseline's query give one value"
            )
        return found[0].value if found else nothing


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
