"""What containers use of what they ask for and may have, as Prometheus has it.

The busiest pod of a container counts at each moment, so that a full one does not hide behind idle
ones; a moment without a sample of as many pods as there are at least is not covered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import msgspec

from golive.environments import Environment
from golive.probes.observe import prometheus
from golive.probes.observe.section import KernelLog
from golive.probes.platform.container_resources import ContainerResources, Given
from golive.probes.transport import commands
from golive.probes.transport.machines import Machine
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_SHARE = 0.95
"""The quantile that is taken of the use."""
_RATE_S = 300.0
"""Use of the CPU is taken over this long at least, and over four samples."""
_PERIODS = 3_000
"""A pod with fewer (five minutes of work) has little but its start, which is often throttled."""
_WHOLE = 45
"""Longer names of workloads are cut in those of their pods."""
_PODS = {
    "Deployment": "-[a-z0-9]+-[a-z0-9]+",
    "Rollout": "-[a-z0-9]+-[a-z0-9]+",
    "StatefulSet": "-[0-9]+",
    "Pod": "",
}
"""What follows a workload's name in those of its pods, by kind; of the rest, a suffix."""
_KILLED = re.compile(r"out of memory.*?Killed process (.*)", re.IGNORECASE)


class LoadRun(msgspec.Struct, frozen=True):
    """When the latest load run was."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """What is looked at."""

    subject: str
    began: datetime
    ended: datetime
    is_load_run: bool = False

    @property
    def length_s(self) -> float:
        """How long it is."""
        return (self.ended - self.began).total_seconds()

    def least_s(self, days: float, load_run_minutes: float) -> float:
        """How long it has to be: a load run need not last for days."""
        return load_run_minutes * 60 if self.is_load_run else days * 86_400


@dataclass(frozen=True, slots=True)
class Use:
    """What one container used; None where it has no such request or limit to compare it with."""

    subject: str
    coverage_percent: dict[str, float] | Unseen
    """Moments with samples of all of its pods, by metric."""
    memory_percent: float | Unseen | None
    """95th percentile, of the limit."""
    cpu_percent: float | Unseen | None
    """95th percentile, of the request."""
    throttled_percent: float | Unseen | None
    """Periods in which the pod that was throttled most had to wait."""
    kills: float | Unseen
    """How often one of it was ended for want of memory, as metrics tell."""


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """What every container used that keeps running."""

    period: Period
    age_s: float
    """Since the end of the period."""
    uses: tuple[Use, ...]
    logged_kills: tuple[str, ...] | Unseen
    """Kills that the kernel logs tell of; unseen where these cannot be read, or do not reach back
    over the whole period."""

    def coverage_percent(self, least: float) -> dict[str, float] | Unseen:
        """By container and metric."""
        known: dict[str, float] = {}
        for use in self.uses:
            if not isinstance(use.coverage_percent, Unseen):
                known |= {f"{use.subject}, {k}": v for k, v in use.coverage_percent.items()}
        bad = any(not v >= least for v in known.values())
        return _known(known, (u.coverage_percent for u in self.uses), bad)

    def memory_percent(self, least: float, most: float) -> dict[str, float] | Unseen:
        """Of the limit, by container; unseen where none is known to be beyond both bounds and one
        could not be looked at. So are the others."""
        return _within({u.subject: u.memory_percent for u in self.uses}, least, most)

    def cpu_percent(self, least: float, most: float) -> dict[str, float] | Unseen:
        """Of the request, by container."""
        return _within({u.subject: u.cpu_percent for u in self.uses}, least, most)

    def throttled(self, below: float) -> list[str] | Unseen:
        """Containers that had to wait for as many of their periods, or more."""
        values = {u.subject: u.throttled_percent for u in self.uses}
        known = {k: v for k, v in values.items() if isinstance(v, float)}
        over = [f"{k} {v:.1f} %" for k, v in known.items() if not v < below]
        unseen = unseen_among(values.values())
        return over if over or unseen is None else unseen

    @property
    def with_cpu_limit(self) -> int:
        """Containers that can be throttled."""
        return sum(u.throttled_percent is not None for u in self.uses)

    @property
    def killed(self) -> list[str] | Unseen:
        """Containers that ran out of memory, as metrics or kernel logs tell; unseen where there is
        none and of some neither does."""
        logs = self.logged_kills
        known = [(u.subject, u.kills) for u in self.uses if not isinstance(u.kills, Unseen)]
        found = [f"{name} ({kills:.0f} times)" for name, kills in known if kills]
        if not isinstance(logs, Unseen):
            return found + list(logs)
        unseen = unseen_among(u.kills for u in self.uses)
        return found if found or unseen is None else unseen


def _known(
    known: dict[str, float], values: Iterable[object], bad: bool
) -> dict[str, float] | Unseen:
    unseen = unseen_among(values)
    return known if bad or unseen is None else unseen


def _within(
    values: dict[str, float | Unseen | None], least: float, most: float
) -> dict[str, float] | Unseen:
    known = {k: v for k, v in values.items() if isinstance(v, float)}
    return _known(known, values.values(), any(not least <= v <= most for v in known.values()))


@probe()
def container_use(env: Environment, container_resources: ContainerResources) -> ContainerUse:
    """Memory, CPU, throttling and kills of each container that keeps running, and how much of the
    time there are samples of."""
    running = [c for c in container_resources.containers if not c.ends]
    if not running:
        raise ProbeError(
            "what containers use",
            "every container of the manifests is meant to end",
            "check kubernetes.manifests",
        )
    now = datetime.fromtimestamp(prometheus.query(env, "time()")[0].value, UTC)
    period = _period(env, now)
    look = _Looks(env, period)
    return ContainerUse(
        period,
        (now - period.ended).total_seconds(),
        tuple(look.of(one) for one in running),
        seen(_logged, env.resource_use.kernel_logs, period),
    )


def _period(env: Environment, now: datetime) -> Period:
    words = env.resource_use.load_run_command
    if not words:
        length_s = env.windows.resources_s
        began = now - timedelta(seconds=length_s)
        return Period(f"the last {length_s / 86_400:g} days", began, now)
    key = "resource_use.load_run_command"
    run = commands.run(words, {}, key=key, within_s=env.time_limits.probe, answer=LoadRun)
    if run.began.tzinfo is None or run.ended.tzinfo is None or not run.began < run.ended <= now:
        raise ProbeError(
            "the latest load run",
            f"it prints {run.began.isoformat()} to {run.ended.isoformat()}",
            f"have {key} print when it began and ended, with the zone, and after it has",
        )
    return Period("the latest load run", run.began, run.ended, is_load_run=True)


class _Looks:
    """Questions to Prometheus about one period."""

    def __init__(self, env: Environment, period: Period) -> None:
        self._names = env.resource_use
        self._at = period.ended
        self._length_s = round(period.length_s)
        interval_s = self._names.interval_s
        self._step = f"{interval_s:g}s"
        self._over = f"[{self._length_s}s:{self._step}]"
        self._rate = f"[{max(_RATE_S, 4 * interval_s):g}s]"
        self._whole = f"[{self._length_s}s]"
        # The same container may be in two sets of manifests, and is asked about once.
        self._value: Callable[[str], float | None] = cache(
            lambda promql: _number(prometheus.query(env, promql, self._at))
        )

    def of(self, one: Given) -> Use:
        n, chosen = self._names, self._matchers(one)
        return Use(
            one.subject,
            seen(self._coverage, one, chosen),
            seen(self._percent, n.memory, self._memory(chosen), one.memory_limit),
            seen(self._percent, n.cpu, self._cpu(chosen), one.cpu_request),
            None if one.cpu_limit is None else seen(self._throttled, one, chosen),
            seen(self._kills, one, chosen),
        )

    def _matchers(self, one: Given) -> str:
        """What tells this container's series from all others."""
        n = self._names
        for name in (f"{one.workload}/{one.container}", one.workload):
            if name in n.matchers:
                return n.matchers[name]
        return (
            f'{n.namespace_label}="{one.namespace}",{n.pod_label}=~"{pods(one.workload)}",'
            f'{n.container_label}="{one.container}"'
        )

    def _memory(self, chosen: str) -> str:
        return f"max(max_over_time({self._names.memory}{{{chosen}}}[{self._step}]))"

    def _cpu(self, chosen: str) -> str:
        # Of one pod there may be a series for each core.
        return f"max(sum without (cpu) (rate({self._names.cpu}{{{chosen}}}{self._rate})))"

    def _there_is(self, metric: str) -> None:
        """:raises ProbeError: Prometheus has no series of that metric at all."""
        if not self._value(f"count(last_over_time({metric}{self._whole}))"):
            raise ProbeError(
                f"the metric {metric}",
                "Prometheus has no series of it",
                "scrape what tells it, or name another one in [resource_use]",
            )

    def _coverage(self, one: Given, chosen: str) -> dict[str, float]:
        found = {}
        for name, metric in (("memory", self._names.memory), ("CPU", self._names.cpu)):
            self._there_is(metric)
            each = f"count(sum without (cpu) (count_over_time({metric}{{{chosen}}}[{self._step}])))"
            covered = self._value(f"sum_over_time(clamp_max({each}, {one.pods}){self._over})")
            moments = self._value(f"count_over_time(vector(1){self._over})") or 1.0
            found[name] = 100 * (covered or 0.0) / (one.pods * moments)
        return found

    def _percent(self, metric: str, used: str, given: Decimal | None) -> float | None:
        """95th percentile of what was used, of what is given; None where that is nothing, or
        nothing was measured, which coverage tells."""
        if not given:
            return None
        self._there_is(metric)
        value = self._value(f"quantile_over_time({_SHARE}, {used}{self._over})")
        return None if value is None else 100 * value / float(given)

    def _throttled(self, one: Given, chosen: str) -> float:
        n = self._names
        waited, all_ = (
            f"increase({metric}{{{chosen}}}{self._whole})"
            for metric in (n.throttled_periods, n.periods)
        )
        each = f"{waited} / ({all_} > 0)"
        busy = f"max({each} and {all_} >= {_PERIODS})"
        value = self._value(f"{busy} or max({each}) or max(0 * {all_})")
        if value is None:
            raise ProbeError(
                f"throttling of {one.subject}",
                f"{n.throttled_periods} or {n.periods} have no series of it",
                "scrape cAdvisor's, or name others in [resource_use]",
            )
        return 100 * value

    def _kills(self, one: Given, chosen: str) -> float:
        """By the container's own counter, or by why it ended before it was started again."""
        n, whole = self._names, self._whole
        told = f"{n.kills}{{{chosen}}}"
        since = f"(max_over_time({told}{whole}) - {told} offset {self._length_s}s)"
        counted = [
            # The first says nothing of a counter that began above 0, the second of one set back.
            self._value(f"sum({since} or max_over_time({told}{whole}))"),
            self._value(f"sum(increase({told}{whole}))"),
        ]
        known = [max(0.0, one) for one in counted if one is not None]
        again = f"increase({n.restarts}{{{chosen}}}{whole})"
        if self._value(f"count({again})"):
            labels = f"{n.namespace_label}, {n.pod_label}, {n.container_label}"
            for_it = f'max_over_time({n.ended_for}{{{chosen},reason="OOMKilled"}}{whole}) > 0'
            known.append(self._value(f"count({for_it} and on ({labels}) {again} > 0)") or 0.0)
        if not known:
            raise ProbeError(
                f"kills of {one.subject} for want of memory",
                f"neither {n.kills} nor {n.restarts} has a series of it",
                "scrape one of them, or declare resource_use.kernel_logs",
            )
        return max(known)


def pods(workload: str) -> str:
    """A regular expression for the names of a workload's pods.

    :param workload: kind and name.
    """
    kind, _, name = workload.partition("/")
    written = name[:_WHOLE].replace(".", "[.]")
    return f"{written}.*" if len(name) > _WHOLE else written + _PODS.get(kind, "-[a-z0-9]+")


def _number(found: list[prometheus.Sample]) -> float | None:
    """The one value of an answer; NaN, a ratio of nothing, is none."""
    values = [one.value for one in found if one.value == one.value]
    return max(values, default=None)


def _logged(logs: list[KernelLog], period: Period) -> tuple[str, ...]:
    if not logs:
        raise ProbeError(
            "kernel logs", "no machine is declared", "declare resource_use.kernel_logs"
        )
    return tuple(told for log in logs for told in _killed_on(log, period))


def _killed_on(log: KernelLog, period: Period) -> list[str]:
    lines = [(_time(line), line) for line in Machine(log.address).answer(*log.command).splitlines()]
    dated = [at for at, _ in lines if at is not None]
    found = []
    for at, line in lines:
        killed = _KILLED.search(line)
        if killed and (at is None or period.began <= at <= period.ended):
            found.append(f"{log.address}: process {killed[1][:60]} ({at or 'not dated'})")
    if not found and (not dated or min(dated) > period.began):
        raise ProbeError(
            f"the kernel log of {log.address}",
            f"it begins at {min(dated):%F %T}" if dated else "it has no line with a time",
            "keep it for longer, or have the containers' metrics tell",
        )
    return found


def _time(line: str) -> datetime | None:
    """When a line was written, in local time where it says no zone."""
    try:
        return datetime.fromisoformat(line.split(maxsplit=1)[0]).astimezone(UTC)
    except (ValueError, IndexError):
        return None
