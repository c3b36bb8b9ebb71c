"""Workloads of Kubernetes scaled to their maximum and back under load, and what their autoscalers
say of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import msgspec

from golive.environments import Environment
from golive.load.running import SteadyLoad
from golive.probes.platform.scaling import REQUESTS, counted
from golive.probes.platform.workload_scaling import WorkloadScaling
from golive.probes.transport import commands
from golive.probes.transport.commands import Deadline
from golive.probing import pause, probe
from golive.sections import declares
from golive.verdicts import ProbeError

_POLL_S = 0.5
_PATIENCE = 6
"""How many times as long as it should take for that many requests the load may take."""
_SOUND = {"AbleToScale": "True", "ScalingActive": "True"}
"""Conditions of an autoscaler that works (Kubernetes, HorizontalPodAutoscaler)."""


@dataclass(frozen=True, slots=True)
class WorkloadRun:
    """One workload, scaled to its maximum and back under load."""

    workload: str
    before: int
    """Replicas at the start, and at the end again."""
    most: int
    grown_s: float
    """From asking for the most replicas until all were ready; infinite: they never were."""
    shrunk_s: float
    """From asking for as many as before until there were just these."""
    requests: int
    failed_count: int
    failed: tuple[str, ...]
    """What became of requests that a customer would have seen fail, with how often."""


@dataclass(frozen=True, slots=True)
class WorkloadRuns:
    """Every declared workload, one after another."""

    planned: dict[str, int]
    """Replicas that the capacity plan has, by kind and name."""
    runs: tuple[WorkloadRun, ...]

    @property
    def declared(self) -> list[str]:
        return list(self.planned)

    @property
    def grown_s(self) -> dict[str, float]:
        return {f"{r.workload} to {r.most}": r.grown_s for r in self.runs}

    @property
    def shrunk_s(self) -> dict[str, float]:
        return {f"{r.workload} to {r.before}": r.shrunk_s for r in self.runs}

    @property
    def requests(self) -> dict[str, int]:
        return {r.workload: r.requests for r in self.runs}

    @property
    def failed(self) -> list[str]:
        return [f"{r.workload}: {what}" for r in self.runs for what in r.failed]

    @property
    def asked(self) -> int:
        """Requests of all of them."""
        return sum(r.requests for r in self.runs)


class _Replicas(msgspec.Struct, frozen=True):
    wanted: int
    ready: int


class _Tier(msgspec.Struct, frozen=True):
    url: str


def on_a_tier_of_its_own(env: Environment) -> bool:
    """Whether the drill disrupts nothing that others look at."""
    return declares(env, "scaling") and bool(env.scaling.workload_tier_command)


@probe(effect="disrupt", limit="drill", isolated=on_a_tier_of_its_own)
def workload_runs(env: Environment, workload_scaling: WorkloadScaling) -> WorkloadRuns:
    """Each declared workload under load, scaled to its maximum and back."""
    clock = Deadline(env.time_limits.drill)
    runs = []
    for declared in env.scaling.workloads:
        most = declared.most or workload_scaling.most_of(declared.name)
        if not most:
            raise ProbeError(
                f"the scaling of {declared.name}",
                "no autoscaler says how far it goes",
                "see the manifests, or write most in scaling.workloads",
            )
        with _tier(env, declared.name, clock) as url:
            runs.append(_Run(env, declared, url, most, clock).run())
    if not runs:
        raise ProbeError(
            "workloads that serve users", "none is declared", "declare them in scaling.workloads"
        )
    return WorkloadRuns({w.name: w.planned for w in env.scaling.workloads}, tuple(runs))


@probe()
def autoscaler_conditions(env: Environment) -> tuple[str, ...]:
    """What the cluster says that keeps an autoscaler from working; nothing without a cluster.

    :raises ProbeError: the cluster cannot be asked, or has no autoscaler.
    """
    if not env.kubernetes.cluster:
        return ()
    words = ["get", "horizontalpodautoscalers.autoscaling", "--output=json"]
    found = commands.run(
        [*env.kubernetes.kubectl, *words, "--namespace", env.kubernetes.namespace],
        {},
        key="kubernetes.kubectl",
        within_s=env.time_limits.probe,
        answer=dict[str, Any],
    )
    items = found.get("items") or []
    if not items:
        raise ProbeError(
            f"autoscalers in {env.kubernetes.namespace}",
            "the cluster has none",
            "check kubernetes.namespace, and that the manifests were applied",
        )
    return tuple(told for one in items for told in _unsound(one))


def _unsound(table: dict[str, Any]) -> Iterator[str]:
    name = table.get("metadata", {}).get("name", "?")
    conditions = {c.get("type"): c for c in table.get("status", {}).get("conditions") or []}
    for kind, wanted in _SOUND.items():
        one = conditions.get(kind, {})
        if one.get("status") != wanted:
            why = one.get("reason") or "no such condition"
            yield f"{name}: {kind} is {one.get('status', 'not told')}, {why}"


@contextmanager
def _tier(env: Environment, name: str, clock: Deadline) -> Iterator[str]:
    """Where the workload is reached: a tier of its own, ended afterwards, or the application."""
    scaling, values = env.scaling, _named(name)
    if not scaling.workload_tier_command:
        yield env.application.url
        return

    def end() -> None:
        key = "scaling.workload_end_command"
        command = scaling.workload_end_command
        commands.run(command, values, key=key, within_s=env.time_limits.probe)

    end()  # what an interrupted drill may have left
    try:
        yield commands.run(
            scaling.workload_tier_command,
            values,
            key="scaling.workload_tier_command",
            within_s=clock.left_s,
            answer=_Tier,
        ).url
    finally:
        end()


def _named(workload: str) -> dict[str, object]:
    kind, _, name = workload.rpartition("/")
    return {"kind": kind or "Deployment", "name": name}


class _Run:
    """One workload and the load on it."""

    def __init__(
        self, env: Environment, declared: Any, url: str, most: int, clock: Deadline
    ) -> None:
        self._env, self._declared, self._most, self._clock = env, declared, most, clock
        self._url = declared.url or url
        self._path = declared.path or env.application.paths.health

    def run(self) -> WorkloadRun:
        """:raises ProbeError: it cannot be scaled, or nothing can be put under load."""
        before = self._replicas().wanted
        if before >= self._most:
            step = "scale it in first, or see its autoscaler's maxReplicas"
            cause = f"it has {before} replicas already; the most are {self._most}"
            raise ProbeError(f"the scaling of {self._declared.name}", cause, step)
        within_s, per_s = self._env.windows.scale_out_s, self._declared.per_s
        load = SteadyLoad(self._env, self._url, self._path, per_s=per_s, users=self._declared.users)
        with load:
            self._await(lambda: bool(load.answers()), self._env.time_limits.probe)
            try:
                grown_s = self._scaled_to(self._most, within_s)
                half = REQUESTS / 2  # while there are many, and while they go
                self._await(lambda: len(load.answers()) >= half, _PATIENCE * half / per_s)
                shrunk_s = self._scaled_to(before, within_s)
                enough = _PATIENCE * REQUESTS / per_s
                self._await(lambda: len(load.answers()) >= REQUESTS, enough)
            finally:
                with suppress(ProbeError):
                    if self._replicas().wanted != before:
                        self._scale(before)
        answers = load.answers()
        failed = [a for a in answers if a.failed]
        return WorkloadRun(
            self._declared.name,
            before,
            self._most,
            grown_s,
            shrunk_s,
            len(answers),
            len(failed),
            counted(failed),
        )

    def _scaled_to(self, replicas: int, within_s: float) -> float:
        """Seconds until all of so many replicas were ready; infinite: never in that time."""
        began = time.monotonic()
        self._scale(replicas)
        wanted = _Replicas(replicas, replicas)
        done = self._await(lambda: self._replicas() == wanted, within_s)
        return time.monotonic() - began if done else inf

    def _scale(self, replicas: int) -> None:
        commands.run(
            self._env.scaling.scale_command,
            {**_named(self._declared.name), "replicas": replicas},
            key="scaling.scale_command",
            within_s=self._clock.left_s,
        )

    def _replicas(self) -> _Replicas:
        return commands.run(
            self._env.scaling.replicas_command,
            _named(self._declared.name),
            key="scaling.replicas_command",
            within_s=self._env.time_limits.probe,
            answer=_Replicas,
        )

    def _await(self, holds: Callable[[], bool], within_s: float) -> bool:
        ends = time.monotonic() + within_s
        while not (held := holds()) and time.monotonic() < ends:
            pause(_POLL_S)
        return held
