"""Autoscaling under load: a group grows, what it starts serves, and it shrinks back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec

from golive.environments import Environment
from golive.load.running import Answered, SteadyLoad
from golive.probes.platform.autoscaling import ScalingGroup, ScalingGroups
from golive.probes.platform.aws_clients import asking
from golive.probes.traffic.balancer import backends
from golive.probes.transport import commands
from golive.probes.transport.commands import Deadline
from golive.probing import pause, probe
from golive.sections import declares
from golive.verdicts import ProbeError, Unseen, seen

REQUESTS = 1_000
"""Fewer could not show that less than one in a thousand fails."""
_PATIENCE = 6
"""How many times as long as the load should take for that many it may take, on a busy machine."""
_POLL_S = 0.5
_BASELINE_S = 2.0
_FAILED = ("Failed", "Cancelled")
_LAUNCHING, _TERMINATING = "Launching", "Terminating"


@dataclass(frozen=True, slots=True)
class Activity:
    """What a group did."""

    at: datetime
    what: str
    status: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.what}: {self.status}"


@dataclass(frozen=True, slots=True)
class ScalingRun:
    """One group under load."""

    group: str
    started_at: datetime
    requests: int
    failed: tuple[str, ...]
    """What became of requests that a customer would have seen fail, with how often."""
    failed_count: int
    sizes: tuple[int, ...]
    """Instances wanted, one after another as it changed."""
    added_s: float
    """From the beginning of the load until more instances than before were in service; infinite:
    never."""
    serving_s: float
    """Until an instance answered that had not before."""
    newcomers: tuple[str, ...]
    """Instances that answered and had not before."""
    newcomers_up: int | Unseen
    """Servers that the balancer found healthy, beside as many as before; unseen where no balancer
    can be asked."""
    back_s: float
    """From the end of the load until the group was back at its minimum."""
    activities: tuple[Activity, ...] | Unseen

    @property
    def failing(self) -> str:
        """What failed, as messages name it."""
        return f"requests failed in {self.group} {', '.join(self.failed)}".rstrip()

    @property
    def failed_percent(self) -> float:
        """Of the requests; all of them where there was none."""
        return 100.0 * self.failed_count / self.requests if self.requests else 100.0

    @property
    def flapping(self) -> list[str]:
        """Changes in the other direction after it had begun to shrink: of the sizes that were
        seen, and of the activities, which tell what happened between two looks."""
        shrinking, found = False, list[str]()
        for activity in () if isinstance(self.activities, Unseen) else self.activities:
            if shrinking and activity.what.startswith(_LAUNCHING):
                found.append(f"{self.group}: {activity} after it had shrunk")
            shrinking = shrinking or activity.what.startswith(_TERMINATING)
        if found:
            return found
        shrinking = False
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            if after > before and shrinking:
                found.append(f"{self.group}: from {before} to {after} after it had shrunk")
            shrinking = shrinking or after < before
        return found

    @property
    def failures(self) -> list[str] | Unseen:
        """Activities that failed."""
        if isinstance(self.activities, Unseen):
            return self.activities
        return [f"{self.group}: {a}" for a in self.activities if a.status in _FAILED]


@dataclass(frozen=True, slots=True)
class ScalingRuns:
    """Every declared group under load, one after another."""

    runs: tuple[ScalingRun, ...]

    @property
    def requests(self) -> dict[str, int]:
        return {r.group: r.requests for r in self.runs}

    @property
    def added_s(self) -> dict[str, float]:
        return {r.group: r.added_s for r in self.runs}

    @property
    def serving_s(self) -> dict[str, float]:
        return {r.group: r.serving_s for r in self.runs}

    @property
    def back_s(self) -> dict[str, float]:
        return {r.group: r.back_s for r in self.runs}

    @property
    def without_healthy_newcomer(self) -> list[str] | Unseen:
        """Groups of which the balancer found no further server healthy."""
        unseen = next(
            (r.newcomers_up for r in self.runs if isinstance(r.newcomers_up, Unseen)), None
        )
        known = [r for r in self.runs if not isinstance(r.newcomers_up, Unseen)]
        found = [r.group for r in known if not r.newcomers_up]
        return found if found or unseen is None else unseen

    @property
    def flapping(self) -> list[str]:
        return [change for r in self.runs for change in r.flapping]

    @property
    def failures(self) -> list[str] | Unseen:
        """Activities that failed; unseen where none is known to have, and some could not be
        seen."""
        told = [r.failures for r in self.runs]
        unseen = next((f for f in told if isinstance(f, Unseen)), None)
        found = [a for f in told if not isinstance(f, Unseen) for a in f]
        return found if found or unseen is None else unseen

    @property
    def activities(self) -> int | Unseen:
        """How many activities were told."""
        unseen = next((r.activities for r in self.runs if isinstance(r.activities, Unseen)), None)
        if unseen is not None:
            return unseen
        return sum(len(r.activities) for r in self.runs if not isinstance(r.activities, Unseen))


class _Tier(msgspec.Struct, frozen=True):
    """Where a group's instances are reached."""

    url: str
    stats: str = ""
    backend: str = ""


def on_a_tier_of_its_own(env: Environment) -> bool:
    """Whether the drill puts no load on what others look at."""
    return declares(env, "scaling") and bool(env.scaling.tier_command)


@probe(effect="load", limit="drill", isolated=on_a_tier_of_its_own)
def scaling_runs(env: Environment, scaling_groups: ScalingGroups) -> ScalingRuns:
    """Each declared autoscaling group under a load above its target, and after it."""
    clock = Deadline(env.time_limits.drill)
    known = {g.name: g for g in scaling_groups.groups}
    runs = []
    for declared in env.scaling.groups:
        if declared.name not in known:
            continue
        with _tier(env, declared.name, clock) as tier:
            runs.append(_Run(env, known[declared.name], declared, tier).run())
    if not runs:
        raise ProbeError(
            "autoscaling groups", "none of the declared ones is there", "check scaling.groups"
        )
    return ScalingRuns(tuple(runs))


@contextmanager
def _tier(env: Environment, name: str, clock: Deadline) -> Iterator[_Tier]:
    scaling, values = env.scaling, {"name": name}
    if not scaling.tier_command:
        has_one = declares(env, "balancer.stats")
        balancer = env.balancer if has_one else None
        yield _Tier(
            env.application.url,
            balancer.stats if balancer else "",
            balancer.backend if balancer else "",
        )
        return

    def end() -> None:
        key = "scaling.end_command"
        commands.run(scaling.end_command, values, key=key, within_s=env.time_limits.probe)

    end()  # what an interrupted drill may have left
    try:
        yield commands.run(
            scaling.tier_command,
            values,
            key="scaling.tier_command",
            within_s=clock.left_s,
            answer=_Tier,
        )
    finally:
        end()


class _Run:
    """One group, its load, and what is seen of both."""

    def __init__(self, env: Environment, group: ScalingGroup, declared: Any, tier: _Tier) -> None:
        self._env, self._group, self._declared, self._tier = env, group, declared, tier
        self._url = declared.url or tier.url
        self._path = declared.path or env.application.paths.health
        self._sizes: list[int] = []

    def run(self) -> ScalingRun:
        """:raises ProbeError: the group cannot be asked, or nothing can be put under load."""
        started_at, windows = datetime.now(UTC), self._env.windows
        before = self._in_service()
        known, up_before = self._baseline(), seen(self._up)
        load = SteadyLoad(
            self._env,
            self._url,
            self._path,
            per_s=self._declared.per_s,
            users=self._declared.users,
        )
        with load:
            self._await(lambda: bool(load.answers()), self._env.time_limits.probe)
            began = time.time()
            state: dict[str, Any] = {"added": inf, "up": 0}

            def grown() -> bool:
                if state["added"] == inf and self._in_service() > before:
                    state["added"] = time.time() - began
                if not isinstance(up_before, Unseen):
                    state["up"] = max(state["up"], self._up() - up_before)
                served = {a.instance for a in load.answers() if not a.failed} - known - {""}
                done = bool(served) and state["added"] < inf
                overdue = time.time() - began > windows.scale_out_s
                return (done or overdue) and len(load.answers()) >= REQUESTS

            self._await(
                grown, max(windows.scale_out_s, _PATIENCE * REQUESTS / self._declared.per_s)
            )
            ended = time.time()
        answers = load.answers()
        is_back = self._await(self._is_back, windows.scale_in_s)
        back_s = time.time() - ended if is_back else inf
        failed = [a for a in answers if a.failed]
        firsts: dict[str, float] = {}
        for a in answers:
            if not a.failed and a.instance and a.instance not in known:
                firsts.setdefault(a.instance, a.at - began)
        return ScalingRun(
            group=self._group.name,
            started_at=started_at,
            requests=len(answers),
            failed=_counted(failed),
            failed_count=len(failed),
            sizes=tuple(self._sizes),
            added_s=state["added"],
            serving_s=max(0.0, min(firsts.values(), default=inf)),
            newcomers=tuple(sorted(firsts)),
            newcomers_up=up_before if isinstance(up_before, Unseen) else state["up"],
            back_s=back_s,
            activities=seen(self._activities, started_at),
        )

    def _baseline(self) -> set[str]:
        """Instances that answer before there is more to do.

        :raises ProbeError: none answers, or their answers do not tell which one they are.
        """
        load = SteadyLoad(self._env, self._url, self._path, per_s=5.0, users=1)
        with load:
            self._await(lambda: bool(load.answers()), self._env.time_limits.probe)
            pause(_BASELINE_S)
        answers = load.answers()
        found = {a.instance for a in answers if not a.failed}
        if not found or found == {""}:
            why = (
                f"answers without {self._env.application.instance_header}"
                if found
                else ("; ".join(_counted(answers)) or "no answer")
            )
            step = "check scaling.groups, and application.instance_header"
            raise ProbeError(f"{self._url}{self._path}", why, step)
        return found

    def _table(self) -> dict[str, Any]:
        step = "see the group; somebody may have deleted it"
        with asking(
            self._env,
            f"the group {self._group.name}",
            step,
            self._env.scaling.region,
            "autoscaling",
        ) as scaling:
            found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self._group.name])
        if not found["AutoScalingGroups"]:
            raise ProbeError(f"the group {self._group.name}", "it is not there any more", step)
        table: dict[str, Any] = found["AutoScalingGroups"][0]
        wanted = int(table["DesiredCapacity"])
        if not self._sizes or self._sizes[-1] != wanted:
            self._sizes.append(wanted)
        return table

    def _in_service(self) -> int:
        """Healthy instances in service."""
        return sum(
            i.get("LifecycleState") == "InService" and i.get("HealthStatus") == "Healthy"
            for i in self._table().get("Instances", [])
        )

    def _is_back(self) -> bool:
        table = self._table()
        least = int(table["MinSize"])
        return int(table["DesiredCapacity"]) == least == len(table.get("Instances", []))

    def _up(self) -> int:
        """Servers that the balancer finds healthy.

        :raises ProbeError: it cannot be asked.
        """
        if not self._tier.stats:
            step = "declare the balancer, or have scaling.tier_command print its stats"
            raise ProbeError("servers behind the balancer", "no balancer is known to ask", step)
        env = self._env
        if env.scaling.tier_command:
            balancer = msgspec.structs.replace(
                env.balancer, stats=self._tier.stats, backend=self._tier.backend, address="local://"
            )
            env = msgspec.structs.replace(env, balancer=balancer)
        return sum(s.status.split()[:1] == ["UP"] for s in backends(env))

    def _activities(self, since: datetime) -> tuple[Activity, ...]:
        step = "let this key call autoscaling:DescribeScalingActivities"
        subject = f"activities of {self._group.name}"
        with asking(self._env, subject, step, self._env.scaling.region, "autoscaling") as scaling:
            pages = scaling.get_paginator("describe_scaling_activities").paginate(
                AutoScalingGroupName=self._group.name
            )
            found = list[Activity]()
            for page in pages:  # newest first
                for a in page["Activities"]:
                    if a["StartTime"] < since.replace(microsecond=0):
                        return tuple(reversed(found))
                    what = str(a.get("Description", ""))
                    found.append(Activity(a["StartTime"], what, str(a["StatusCode"])))
        return tuple(reversed(found))

    def _await(self, holds: Callable[[], bool], within_s: float) -> bool:
        ends = time.monotonic() + within_s
        while not (held := holds()) and time.monotonic() < ends:
            pause(_POLL_S)
        return held


def _counted(answers: list[Answered]) -> tuple[str, ...]:
    told: dict[str, int] = {}
    for a in answers:
        text = f"{a.instance or 'nobody'}: {a.error or f'status {a.status}'}"
        told[text] = told.get(text, 0) + 1
    return tuple(f"{text} ({n} times)" for text, n in told.items())
