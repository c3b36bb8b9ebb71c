"""Alerting rules tried out by promtool on made-up series: at what value each begins to fire, and
after how long.

The rules are those that Prometheus has loaded, with the recording rules that they rest on. The
series have the labels of the product's own, so that a rule that picks others stays silent.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from golive.environments import Environment, Measure
from golive.probes.observe import prometheus, promql
from golive.probes.transport import commands
from golive.verdicts import ProbeError

Kind = Literal["quantile", "share", "up", "days", "value"]
QUANTILE = 0.95
_WINDOW = "5m"
"""Of rates, where the measured value itself is reckoned."""
_LABEL_SETS = 3
_RATE = 1000.0
"""What counters grow by with each step; a rule may ask for some traffic."""
_LONGEST_STEP_S = 30.0
_MOST_STEPS = 720
_LEAD_S = 900.0
_COARSE, _INNER, _CLOSE = 3.0, 8, 1.004
"""The ratio of neighbours at first, how many lie between them in each later round, and the ratio
of two values, silent and firing, that are close enough."""
_UNITS: dict[Kind, tuple[str, float]] = {
    "quantile": ("ms", 1000.0),
    "share": ("%", 100.0),
    "up": ("", 1.0),
    "days": ("d", 1.0),
    "value": ("", 1.0),
}
_CONTROL = "control"
_FOUND = re.compile(
    r'golive!=\\"(\w+)\\"(?:[^"\\]|\\.)*", time: (\S+),\s*exp: [^\n]*\n\s*got: ([^\n]*)'
)
_DURATION = re.compile(r"(\d+)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Trial:
    """What one rule does with a measured value that grows worse."""

    rule: str
    unit: str
    silent_at: float | None
    """The worst value at which it is silent; None: it fires at any."""
    fires_at: float | None
    """The best value at which it fires, less than a percent from the other; None: at none."""
    after_s: float
    """From the first value beyond that until it fires, with nothing before; infinite: never."""
    after_good_s: float
    """The same after a quarter of an hour of good values."""

    @property
    def is_silent(self) -> bool:
        """Whether it never fires, however bad the value is."""
        return self.fires_at is None

    def begins_at(self, value: float, tolerance: float = 0.01) -> bool:
        """Whether it is silent just on the good side of a value, and fires just on the bad one."""
        if self.silent_at is None or self.fires_at is None:
            return False
        return all(abs(one / value - 1) <= tolerance for one in (self.silent_at, self.fires_at))

    def waits(self, seconds: float) -> bool:
        """Whether it fires after so long: a rule that holds back, or one that averages."""
        held = seconds <= self.after_s <= 1.1 * seconds
        return held or 0.9 * seconds <= self.after_good_s <= 1.1 * seconds

    def __str__(self) -> str:
        if self.fires_at is None:
            return f"{self.rule} never fires"
        if self.silent_at is None:
            return f"{self.rule} fires at any value"
        value = f" from {float(f'{self.fires_at:.3g}'):g} {self.unit}" if self.unit else ""
        return f"{self.rule} fires{value} after {self.after_s / 60:.1f} min"


@dataclass(frozen=True, slots=True)
class _Fed:
    """A series of the trials, and what of the measure it has."""

    series: str
    role: str
    bound: float = 0.0
    """Of a bucket."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A measure as Prometheus has it now."""

    noun: str
    kind: Kind
    metrics: frozenset[str]
    """What a rule over it reads."""
    presence: str
    """A selector whose samples say that it was measured."""
    truth: str
    """PromQL: the measured value, as it is reckoned here."""
    fed: tuple[_Fed, ...]
    bounds: tuple[float, ...] = ()
    """Of the histogram's buckets, the last one left out."""

    @property
    def unit(self) -> str:
        """What values are told in."""
        return _UNITS[self.kind][0]

    @property
    def per_unit(self) -> float:
        """What the metric's own value is multiplied by for that."""
        return _UNITS[self.kind][1]

    @property
    def values(self) -> list[float]:
        """From good to bad, in the metric's own unit."""
        if self.kind == "up":
            return [1.0, 0.0]
        if self.kind == "days":
            return _grid(1.0, 1000.0)[::-1]
        if self.kind == "share":
            return [*_grid(3e-5, 0.9), 1.0]
        if self.kind == "value":
            return _grid(1e-4, 1e6)
        return [*(v for v in _grid(self.bounds[0], self.bounds[-1])), self.bounds[-1]]

    def inputs(self, value: float, lead: int, steps: int, step_s: float) -> list[dict[str, str]]:
        """Series as promtool takes them: good ones for some steps, then those of the value."""
        return [
            {"series": one.series, "values": self._course(one, value, lead, steps, step_s)}
            for one in self.fed
        ]

    def _course(self, one: _Fed, value: float, lead: int, steps: int, step_s: float) -> str:
        if one.role in {"up", "value"}:
            good = 1.0 if one.role == "up" else 0.0
            return f"{_flat(good, lead)} {_flat(value, steps)}" if lead else _flat(value, steps)
        if one.role == "expires":
            ends = value * 86_400
            early = f"{_number(ends + 4e8)}+{_number(step_s)}x{lead - 1} " if lead else ""
            return f"{early}{_number(ends + lead * step_s)}+{_number(step_s)}x{steps}"
        bad = self._growth(one, value)
        if not lead:
            return f"0+{_number(bad)}x{steps}"
        good = self._growth(one, self.bounds[0] if self.bounds else 0.0)
        begins = good * (lead - 1) + bad
        return f"0+{_number(good)}x{lead - 1} {_number(begins)}+{_number(bad)}x{steps}"

    def _growth(self, one: _Fed, value: float) -> float:
        """What a counter grows by with each step."""
        shares = {"failed": value, "succeeded": 1 - value, "sum": value}
        if one.role == "bucket":
            return _RATE * _below(one.bound, value, self.bounds)
        return _RATE * shares.get(one.role, 1.0)


def subject(env: Environment, noun: str, measure: Measure, key: str) -> Subject:
    """A measure with the labels, and the buckets, that its series have now.

    :param key: where it stands in the environment file, for messages.
    :raises ProbeError: it is not declared as it has to be, or Prometheus has no series of it.
    """
    declared = {
        role: promql.selector(text, f"{key}.{role}")
        for role in ("histogram", "failed", "succeeded", "total", "up", "expires", "value")
        if (text := getattr(measure, role))
    }
    kinds = [r for r in declared if r not in {"succeeded", "total"}]
    if len(kinds) != 1 or (kinds == ["failed"]) is not (len(declared) > 1):
        raise ProbeError(
            key,
            f"it declares {', '.join(declared) or 'no metric'}",
            "write one of histogram, up, expires, value; or failed, and succeeded or total",
        )
    if kinds == ["histogram"]:
        return _histogram(env, noun, declared["histogram"], key)
    found = {role: _live(env, str(one)) for role, one in declared.items()}
    known = next((labels for labels in reversed(found.values()) if labels), None)
    if known is None:
        raise _nothing(noun, ", ".join(map(str, declared.values())), key)
    fed = tuple(
        _Fed(promql.series(one.metric, {**labels, **one.labels}), role)
        for role, one in declared.items()
        for labels in _of_each(found, role, known)
    )
    metrics = frozenset(one.metric for one in declared.values())
    texts = {role: str(one) for role, one in declared.items()}
    if kinds == ["failed"]:
        rates = {role: f"sum(rate({text}[{_WINDOW}]))" for role, text in texts.items()}
        whole = rates.get("total") or f"({rates['failed']} + {rates['succeeded']})"
        presence = texts.get("total") or texts["succeeded"]
        return Subject(noun, "share", metrics, presence, f"{rates['failed']} / {whole}", fed)
    if kinds == ["up"]:
        return Subject(noun, "up", metrics, texts["up"], f"min({texts['up']})", fed)
    if kinds == ["expires"]:
        truth = f"(min({texts['expires']}) - time()) / 86400"
        return Subject(noun, "days", metrics, texts["expires"], truth, fed)
    return Subject(noun, "value", metrics, texts["value"], f"max({texts['value']})", fed)


def over(
    subject_: Subject,
    measure: Measure,
    rules: Iterable[prometheus.Rule],
    recordings: Sequence[prometheus.Recording],
) -> list[prometheus.Rule]:
    """The alerting rules over a measure: by their names, or by the metrics that they read."""
    if measure.rules:
        return [r for r in rules if r.name in measure.rules]
    return [r for r in rules if subject_.metrics & _read(r.query, recordings)[0]]


def trials(
    env: Environment,
    subject_: Subject,
    rules: Sequence[prometheus.Rule],
    recordings: Sequence[prometheus.Recording],
) -> tuple[Trial, ...]:
    """Each of the rules, tried out.

    :raises ProbeError: promtool cannot be run, or does not come to a judgement.
    """
    if not rules:
        return ()
    with tempfile.TemporaryDirectory(prefix="golive-rules-") as folder:
        bench = _Bench(env, Path(folder), subject_, rules, recordings)
        brackets = bench.brackets()
        waited = bench.waited({n: b for n, (_, b) in brackets.items() if b is not None})
    unit, per_unit = subject_.unit, subject_.per_unit
    return tuple(
        Trial(
            rule.name,
            unit,
            None if silent is None else silent * per_unit,
            None if fires is None else fires * per_unit,
            *waited.get(number, (math.inf, math.inf)),
        )
        for number, rule in enumerate(rules)
        for silent, fires in [brackets[number]]
    )


def of_nothing(
    env: Environment, rule: prometheus.Rule, recordings: Sequence[prometheus.Recording]
) -> list[str]:
    """Metrics that a rule reads and Prometheus has no series of now, where what it compares has
    none; a selector that picks only what has not happened yet is none of them.

    :raises ProbeError: Prometheus cannot be asked.
    """
    if all(prometheus.query(env, f"count({o})") for o in promql.operands(rule.query)):
        return []
    read = sorted(_read(rule.query, recordings)[0])
    return [metric for metric in read if not prometheus.query(env, f"count({metric})")]


class _Bench:
    """Rules laid out for promtool, and one way of asking it: which of them fire on which series."""

    def __init__(
        self,
        env: Environment,
        folder: Path,
        subject_: Subject,
        rules: Sequence[prometheus.Rule],
        recordings: Sequence[prometheus.Recording],
    ) -> None:
        read = [_read(rule.query, recordings) for rule in rules]
        texts = [*(r.query for r in rules), *(o.query for _, used in read for o in used)]
        ranges = [promql.longest_range_s(t) for t in texts]
        held_s = max(rule.for_s for rule in rules)
        self._horizon_s = held_s + max(ranges, default=0.0) + 300
        shortest_s = min(promql.shortest_range_s(t) for t in texts)
        fine_s = max(1.0, min(_LONGEST_STEP_S, shortest_s / 4))
        self._step_s = math.ceil(max(fine_s, self._horizon_s / _MOST_STEPS))
        self._env, self._folder, self._subject = env, folder, subject_
        self._count = len(rules)
        self._rules = folder / "rules.json"
        used = [o for o in recordings if any(o in more for _, more in read)]
        written: list[dict[str, Any]] = [
            {"record": o.name, "expr": o.query, "labels": o.labels} for o in used
        ]
        written += [
            {"alert": f"r{n}", "expr": r.query, "for": f"{math.ceil(r.for_s)}s"}
            for n, r in enumerate(rules)
        ]
        self._rules.write_text(json.dumps({"groups": [{"name": "tried", "rules": written}]}))

    def brackets(self) -> dict[int, tuple[float | None, float | None]]:
        """The worst value at which each rule is silent, and the best one at which it fires."""
        values = self._subject.values
        firing = self._firing(values)
        found: dict[int, tuple[float | None, float | None]] = {}
        while True:
            for rule in range(self._count):
                fires = [n for n, v in enumerate(values) if rule in firing[v]]
                first = fires[0] if fires else None
                silent = values[-1] if first is None else values[first - 1] if first else None
                found[rule] = silent, None if first is None else values[first]
            wide = {
                (a, b)
                for a, b in found.values()
                if a is not None and b is not None and max(a, b) > _CLOSE * min(a, b) > 0
            }
            if not wide:
                return found
            more = [v for pair in wide for v in _between(*pair)]
            firing |= self._firing(more)
            values = sorted({*values, *more}, reverse=values[0] > values[-1])

    def waited(self, values: Mapping[int, float]) -> dict[int, tuple[float, float]]:
        """How long each rule takes to fire at a value a little worse than its own: from the
        first sample on, and after good ones."""
        step_s, lead = self._step_s, math.ceil(_LEAD_S / self._step_s)
        steps = math.ceil(self._horizon_s / step_s)
        tests, rules = [], []
        for rule, value in values.items():
            worse = self._worse(value)
            for begins in (0, lead):
                whole = steps + (steps if begins else 0)
                inputs = self._subject.inputs(worse, begins, whole, step_s)
                tests.append((inputs, [float((begins + n) * step_s) for n in range(whole + 1)]))
                rules.append((rule, begins))
        found: dict[int, list[float]] = {}
        for (rule, begins), fired in zip(rules, self._asked(tests), strict=True):
            since = [at - begins * step_s for at, which in fired.items() if rule in which]
            found.setdefault(rule, []).append(min(since, default=math.inf))
        return {rule: (first, after) for rule, (first, after) in found.items()}

    def _worse(self, value: float) -> float:
        subject_ = self._subject
        if subject_.kind == "days":
            return value * 0.98
        worst = {"share": 1.0, "quantile": subject_.bounds[-1] if subject_.bounds else 1.0}
        return min(value * 1.05, worst.get(subject_.kind, math.inf))

    def _firing(self, values: Sequence[float]) -> dict[float, set[int]]:
        steps = math.ceil(self._horizon_s / self._step_s)
        at = float(steps * self._step_s)
        tests = [(self._subject.inputs(v, 0, steps, self._step_s), [at]) for v in values]
        return {v: found[at] for v, found in zip(values, self._asked(tests), strict=True)}

    def _asked(
        self, tests: Sequence[tuple[list[dict[str, str]], list[float]]]
    ) -> list[dict[float, set[int]]]:
        """Which rules fire in each test, by the time at which they are looked at."""
        step = f"{self._step_s}s"
        cases = [
            _case(step, str(number), inputs, times) for number, (inputs, times) in enumerate(tests)
        ]
        cases.append(_case(step, _CONTROL, [], [0.0]))
        case = self._folder / "case.json"
        document = {"rule_files": [str(self._rules)], "evaluation_interval": step, "tests": cases}
        case.write_text(json.dumps(document))
        key = "monitoring.promtool"
        command = [*self._env.monitoring.promtool, "test", "rules", str(case)]
        done = commands.finished(command, {}, key=key, within_s=self._env.time_limits.probe)
        found: list[dict[float, set[int]]] = [{at: set() for at in times} for _, times in tests]
        judged = False
        for marker, time, got in _FOUND.findall(done.err + done.out):
            if marker == _CONTROL:
                judged = True
            else:
                which = {int(n) for n in re.findall(r'alertname="r(\d+)"', got)}
                found[int(marker)][_seconds(time)] = which
        if not judged:  # there is one that has to be reported
            said = " ".join((done.err or done.out).split())[-400:]
            raise ProbeError(
                f"{key} ({' '.join(self._env.monitoring.promtool)})",
                f"it judged nothing: {said or 'it said nothing'}",
                "run `promtool test rules` by hand, and name it in monitoring.promtool",
            )
        return found


def _case(
    step: str, marker: str, inputs: list[dict[str, str]], times: Sequence[float]
) -> dict[str, Any]:
    """A test that expects no alert, so that promtool reports each that fires."""
    firing = f'ALERTS{{alertstate="firing",golive!="{marker}"}}'
    which = f"count by (alertname) ({firing})"
    if marker == _CONTROL:
        which = f"vector(1) unless {firing}"
    asked = [{"expr": which, "eval_time": f"{at:g}s", "exp_samples": []} for at in times]
    return {"interval": step, "input_series": inputs, "promql_expr_test": asked}


def _histogram(env: Environment, noun: str, one: promql.Selector, key: str) -> Subject:
    count = promql.Selector(f"{one.metric}_count", one.labels)
    buckets = promql.Selector(f"{one.metric}_bucket", one.labels)
    found = _live(env, str(count))
    bounds = sorted(
        bound
        for sample in prometheus.query(env, f"group by (le) ({buckets})")
        if math.isfinite(bound := float(sample.labels["le"])) and bound > 0
    )
    if not found or not bounds:
        raise _nothing(noun, str(buckets), key)
    texts = {
        s.labels["le"]: float(s.labels["le"])
        for s in prometheus.query(env, f"group by (le) ({buckets})")
    }
    fed = [
        fed
        for labels in found
        for fed in (
            _Fed(promql.series(count.metric, labels), "count"),
            _Fed(promql.series(f"{one.metric}_sum", labels), "sum"),
            *(
                _Fed(promql.series(buckets.metric, {**labels, "le": text}), "bucket", bound)
                for text, bound in texts.items()
            ),
        )
    ]
    metrics = frozenset(f"{one.metric}{end}" for end in ("", "_bucket", "_count", "_sum"))
    truth = f"histogram_quantile({QUANTILE}, sum by (le) (rate({buckets}[{_WINDOW}])))"
    return Subject(noun, "quantile", metrics, str(count), truth, tuple(fed), tuple(bounds))


def _live(env: Environment, selector: str) -> list[dict[str, str]]:
    """Labels of some series that a selector picks now."""
    found = prometheus.query(env, f"topk({_LABEL_SETS}, {selector})")
    return [{k: v for k, v in s.labels.items() if k not in {"__name__", "le"}} for s in found]


def _of_each(
    found: Mapping[str, list[dict[str, str]]], role: str, known: list[dict[str, str]]
) -> list[dict[str, str]]:
    """Labels for the series of one role: those of the whole, so that rules may join the two."""
    return known if role in {"failed", "succeeded", "total"} else found[role]


def _nothing(noun: str, selector: str, key: str) -> ProbeError:
    return ProbeError(
        f"the rules over {noun.replace('_', ' ')}",
        f"Prometheus has no series of {selector}",
        f"name the product's own metric in {key} of the environment file",
    )


def _read(
    query: str, recordings: Sequence[prometheus.Recording]
) -> tuple[frozenset[str], list[prometheus.Recording]]:
    """Metrics that an expression reads, also by way of recording rules, and those rules."""
    names, used = set(promql.metrics(query)), list[prometheus.Recording]()
    while more := [r for r in recordings if r.name in names and r not in used]:
        used += more
        for one in more:
            names |= promql.metrics(one.query)
    return frozenset(names), used


def _below(bound: float, value: float, bounds: Sequence[float]) -> float:
    """The share of observations up to a bucket's bound, where the quantile is to be a value.

    Prometheus takes it that they lie evenly in the quantile's own bucket.
    """
    upper = next((b for b in bounds if value <= b), bounds[-1])
    lower = max((b for b in bounds if b < upper), default=0.0)
    part = (value - lower) / (upper - lower)
    first = lower == 0.0  # nothing lies below it
    below = 0.0 if first or part > QUANTILE else (QUANTILE - part) / (1 - part) if part < 1 else 0.0
    within = min(1.0, QUANTILE / part) if part > QUANTILE else 1 - below
    if bound < lower:
        return 0.0
    if bound < upper:
        return below
    return below + within if bound == upper else 1.0


def _grid(lowest: float, highest: float) -> list[float]:
    count = max(1, math.floor(math.log(highest / lowest, _COARSE) + 1e-9))
    return [lowest * _COARSE**n for n in range(count + 1)]


def _between(a: float, b: float) -> list[float]:
    ratio = (b / a) ** (1 / (_INNER + 1))
    return [a * ratio**n for n in range(1, _INNER + 1)]


def _flat(value: float, steps: int) -> str:
    return f"{_number(value)}+0x{steps - 1}"


def _number(value: float) -> str:
    return f"{value:.12f}".rstrip("0").rstrip(".") or "0"


def _seconds(text: str) -> float:
    return float(sum(int(n) * _SECONDS[unit] for n, unit in _DURATION.findall(text)))
