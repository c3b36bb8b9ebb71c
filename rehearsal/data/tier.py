"""Tiers of the application for drills of scaling: a balancer, and instances that come and go.

One has an instance for each one that the autoscaling group has in service, and moves the group by
its own policy, as the cloud would. The other has as many as a command has asked for last, as a
Deployment has. All of it belongs to the supervisor, so `down` ends it.

Settings a fault may override, on `tier` and on `pods`: `unhealthy` (what is started later fails its
health check), `broken` (what is started later answers everything else with an error); on `tier`:
`flaps` (the group grows again while it shrinks).
"""

from __future__ import annotations

import csv
import json
import math
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.data.drills import AddVerb, tell
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import HOST, PROJECT, SCRATCH_NICENESS, Rehearsal
from rehearsal.parts import Child, Endpoints
from rehearsal.parts.observe.prometheus import status
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.app import LOADS, app_environment, database_url
from rehearsal.parts.platform.aws_scaling import GROUP, LEAST, MOST, POLICY, REGION

BACKEND = "app"
WITHIN_S = 60.0
DRAIN_S = 0.5
EVERY_S, OVER_S, COOLDOWN_S = 0.5, 2.0, 3.0
"""How often the load is looked at, over how long, and how long it has to be low to shrink."""
LOW = 0.3
"""Share of what the least instances should bear below which the load counts as low: well below
what the group grows at, or a load that comes in bursts would make it flap."""
PLANNED = {"Deployment/backend": 12, "Deployment/frontend": 8}
"""Replicas that the capacity plan has for the launch. A drill here goes to `MOST`, which is what
two cores bear."""
PODS_PER_S = 90.0
CONFIG = """\
global
    log stdout format raw local0 notice
    stats socket ipv4@127.0.0.1:{stats} level admin
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout queue 5s
    retries 2
    option redispatch
frontend http
    bind 127.0.0.1:{port}
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /health
    http-check expect status 200
"""


@dataclass(frozen=True)
class Tier:
    """A tier by its name, which its processes and its faults' settings go by."""

    name: str

    @property
    def balancer(self) -> str:
        return f"{self.name}-balancer"

    @property
    def stats(self) -> str:
        return f"{self.name}-stats"

    @property
    def runner(self) -> str:
        return f"{self.name}-runner"

    @property
    def apps(self) -> tuple[str, ...]:
        """Names of instances, as many as there may be."""
        return tuple(f"{self.name}-app-{n}" for n in range(1, MOST + 1))

    def start(self, r: Rehearsal, least: int) -> dict[str, Any]:
        """Start it and wait until so many instances are up. Raises RehearsalError, with nothing
        left behind."""
        try:
            config = r.path(self.name, "haproxy.cfg")
            port = r.port(self.balancer)
            config.write_text(CONFIG.format(stats=r.port(self.stats), port=port), encoding="utf-8")
            found = binaries.find("haproxy")
            words, log = [str(found.path), "-W", "-f", str(config)], r.log(self.balancer)
            r.run(Child(self.balancer, words, log, environment=found.environment))
            r.wait(f"{self.balancer} answers", lambda: self.servers(r) == {}, WITHIN_S)
            words = [sys.executable, "-m", "rehearsal.data.tier", self.name, str(r.folder)]
            environment = {"PYTHONPATH": str(PROJECT)}
            r.run(Child(self.runner, words, r.log(self.runner), environment=environment))
            r.wait(f"{least} instances are up", lambda: self.up(r) == least, WITHIN_S)
        except BaseException:
            self.end(r)
            raise
        stats = r.url(self.stats, scheme="tcp")
        return {"url": r.url(self.balancer), "stats": stats, "backend": BACKEND}

    def end(self, r: Rehearsal) -> dict[str, Any]:
        """End whatever of it runs; none is no failure."""
        ended = []
        for name in (self.runner, self.balancer, *self.apps):  # else the runner starts others
            if name in r.running():
                r.stop(name)
                ended.append(name)
        return {"ended": ended}

    def ask(self, r: Rehearsal, command: str) -> str:
        """The answer of the balancer's stats socket. Raises OSError when it cannot be reached."""
        with socket.create_connection((HOST, r.port(self.stats)), 2) as connection:
            connection.sendall(command.encode() + b"\n")
            with connection.makefile() as answer:
                return answer.read()

    def rows(self, r: Rehearsal) -> list[dict[str, str]]:
        """What the balancer tells of the backend and its servers."""
        text = self.ask(r, "show stat").removeprefix("# ")
        return [row for row in csv.DictReader(text.splitlines()) if row["pxname"] == BACKEND]

    def servers(self, r: Rehearsal) -> dict[str, str]:
        """States of the servers by their names."""
        rows = [row for row in self.rows(r) if row["svname"] != "BACKEND"]
        return {row["svname"]: row["status"].split()[0] for row in rows}

    def up(self, r: Rehearsal) -> int:
        """Servers that the balancer finds healthy."""
        return list(self.servers(r).values()).count("UP")


GROUPS, PODS = Tier("tier"), Tier("pods")


# -- the commands' work --------------------------------------------------------------------------


def start(r: Rehearsal) -> dict[str, Any]:
    """Start the autoscaling group's tier with as many instances as the group has at least."""
    GROUPS.end(r)
    least = int(group(r)["MinSize"])
    aws.client(r, "autoscaling", REGION).set_desired_capacity(
        AutoScalingGroupName=GROUP, DesiredCapacity=least
    )
    return GROUPS.start(r, least)


def start_pods(r: Rehearsal) -> dict[str, Any]:
    """Start a workload's tier with two replicas."""
    PODS.end(r)
    scale(r, LEAST)
    return PODS.start(r, LEAST)


def scale(r: Rehearsal, replicas: int) -> dict[str, Any]:
    """Have a workload's tier have so many replicas. Raises RehearsalError."""
    if not 0 < replicas <= MOST:
        raise RehearsalError(f"{replicas} replicas: found; expected 1 to {MOST}.")
    r.remember("pods", {"replicas": replicas})
    return {"replicas": replicas}


def replicas(r: Rehearsal) -> dict[str, int]:
    """How many replicas a workload's tier should have, and how many are ready."""
    return {"wanted": int(r.recall("pods")["replicas"]), "ready": PODS.up(r)}


def group(r: Rehearsal) -> dict[str, Any]:
    """The autoscaling group. Raises RehearsalError where there is none."""
    found = aws.client(r, "autoscaling", REGION).describe_auto_scaling_groups(
        AutoScalingGroupNames=[GROUP]
    )["AutoScalingGroups"]
    if not found:
        raise RehearsalError(f"The group {GROUP} is not there.")
    table: dict[str, Any] = found[0]
    return table


# -- what the cloud does -------------------------------------------------------------------------


class Replicas:
    """Has the instances that were asked for, behind the balancer once they are healthy."""

    def __init__(self, r: Rehearsal, tier: Tier) -> None:
        self._r, self._tier = r, tier
        self._apps: dict[str, str] = {}
        """Names of processes by instance."""
        self._starting: dict[str, str] = {}
        """Those of them that have not been healthy yet."""
        self._first = True

    def turn(self) -> None:
        """One look."""
        self._reconcile(self.wanted())
        self._first = False

    def wanted(self) -> list[str]:
        """Names of the instances that there should be."""
        return [f"pod-{n}" for n in range(int(self._r.recall("pods")["replicas"]))]

    def is_healthy(self, instance: str, *, healthy: bool) -> None:
        """What a health check has found."""

    def _reconcile(self, instances: list[str]) -> None:
        for gone in set(self._apps) - set(instances):
            self._drop(self._apps.pop(gone), added=self._starting.pop(gone, None) is None)
        for one, name in list(self._starting.items()):
            if status(f"{self._r.url(name)}/health") == 200:
                del self._starting[one]
                self._balance(name)
                self.is_healthy(one, healthy=True)
        for one in instances:
            if one not in self._apps:
                free = [name for name in self._tier.apps if name not in self._apps.values()]
                self._apps[one] = self._starting[one] = free[0]
                self.is_healthy(one, healthy=False)
                self._serve(free[0])

    def _serve(self, name: str) -> None:
        r, tier = self._r, self._tier.name
        environment = app_environment(r, database_url(r, "pgbouncer"))
        environment.pop("APP_FAULTS", None)
        if not self._first:
            orders = {k: True for k in ("unhealthy", "broken") if r.setting(tier, k, False)}
            path = r.path(tier, f"{name}.json")
            write_atomically(path, json.dumps(orders))
            environment["APP_FAULTS"] = str(path)
        words = ["--host", HOST, "--port", str(r.port(name)), "--instance", name]
        command = [sys.executable, "-m", "rehearsal.app", "serve", *words]
        r.run(Child(name, command, r.log(name), environment=environment, loads=LOADS))

    def _balance(self, name: str) -> None:
        """Have the balancer send requests to it."""
        where = f"{BACKEND}/{name}"
        for command in (
            f"add server {where} {HOST}:{self._r.port(name)} check inter 500ms fall 2 rise 2",
            f"enable health {where}",
            f"enable server {where}",
        ):
            self._tier.ask(self._r, command)

    def _drop(self, name: str, *, added: bool) -> None:
        """Take one out that requests may still be on their way to, and end it."""
        r, where, ask = self._r, f"{BACKEND}/{name}", self._tier.ask
        if added:
            ask(r, f"set server {where} state maint")
            time.sleep(DRAIN_S)
            ask(r, f"shutdown sessions server {where}")
            gone = "deleted"
            r.wait(f"{name} is out", lambda: gone in ask(r, f"del server {where}"), WITHIN_S)
        r.stop(name)


class Group(Replicas):
    """Looks at the load, moves the group, and has the instances that the group has."""

    def __init__(self, r: Rehearsal, tier: Tier) -> None:
        super().__init__(r, tier)
        self._scaling = aws.client(r, "autoscaling", REGION)
        self._counts: list[tuple[float, int]] = []
        self._low_since: float | None = None
        self._flaps = [-1, 1] if r.setting(tier.name, "flaps", False) else []
        """What a group does, one after another, before it shrinks."""

    def wanted(self) -> list[str]:
        table = group(self._r)
        capacity = self._capacity(table)
        if capacity != int(table["DesiredCapacity"]):
            self._scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=capacity)
            table = group(self._r)
        return [i["InstanceId"] for i in table["Instances"]]

    def is_healthy(self, instance: str, *, healthy: bool) -> None:
        """Tell the group, as the check of its target group would."""
        self._scaling.set_instance_health(
            InstanceId=instance, HealthStatus="Healthy" if healthy else "Unhealthy"
        )

    def _capacity(self, table: dict[str, Any]) -> int:
        """The capacity that the policy asks for now."""
        now, least, most = time.monotonic(), int(table["MinSize"]), int(table["MaxSize"])
        has = int(table["DesiredCapacity"])
        per_s, target_per_s, shrinks = self._per_s(now), *self._policy()
        suspended = {p["ProcessName"] for p in table.get("SuspendedProcesses", [])}
        if target_per_s is None or "AlarmNotification" in suspended:
            return has
        asked = min(most, max(least, math.ceil(per_s / target_per_s)))
        if asked > has:
            self._low_since = None
            return has if "Launch" in suspended else asked
        is_low = per_s < LOW * target_per_s * least
        if has == least or not is_low or not shrinks or "Terminate" in suspended:
            self._low_since = None
            return has
        if self._low_since is None:
            self._low_since = now
        if now - self._low_since < COOLDOWN_S:
            return has
        self._low_since = None
        return has + self._flaps.pop(0) if self._flaps else least

    def _per_s(self, now: float) -> float:
        """Requests a second over the last moments."""
        rows = self._tier.rows(self._r)
        count = next(int(row["stot"] or 0) for row in rows if row["svname"] == "BACKEND")
        self._counts.append((now, count))
        while len(self._counts) > 2 and now - self._counts[1][0] >= OVER_S:
            self._counts.pop(0)
        (began, first), (ended, last) = self._counts[0], self._counts[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def _policy(self) -> tuple[float | None, bool]:
        """Requests a second and instance that the policy aims at, and whether it shrinks."""
        found = self._scaling.describe_policies(AutoScalingGroupName=GROUP, PolicyNames=[POLICY])[
            "ScalingPolicies"
        ]
        if not found:
            return None, False
        tracking = found[0]["TargetTrackingConfiguration"]
        return float(tracking["TargetValue"]) / 60, not tracking.get("DisableScaleIn", False)


# -- commands ------------------------------------------------------------------------------------


def add_verbs(add: AddVerb) -> None:
    """Give `python -m rehearsal` the commands that an environment file names."""

    def verb(name: str, text: str, answer: Any) -> Any:
        def work(r: Rehearsal, options: Any) -> None:
            os.nice(SCRATCH_NICENESS)
            tell(answer(r, options))

        return add(name, work, text)

    verb("scaling-tier", "start a tier that an autoscaling group scales", lambda r, _: start(r))
    verb("scaling-end", "end that tier", lambda r, _: GROUPS.end(r))
    verb("pods-tier", "start a tier with replicas of a workload", lambda r, _: start_pods(r))
    verb("pods-end", "end that tier", lambda r, _: PODS.end(r))
    verb("pods", "how many replicas are wanted and ready", lambda r, _: replicas(r))
    scaled = verb("pods-scale", "want another number of replicas", lambda r, o: scale(r, o.to))
    scaled.add_argument("--to", type=int, required=True, metavar="NUMBER")


def endpoints(r: Rehearsal) -> Endpoints:
    """The workloads, and the commands that an environment file names."""
    return {
        "scaling": {
            "workloads": [
                {"name": name, "planned": planned, "most": MOST, "path": "/", "per_s": PODS_PER_S}
                for name, planned in PLANNED.items()
            ],
            "workload_tier_command": r.command("pods-tier"),
            "workload_end_command": r.command("pods-end"),
            "scale_command": r.command("pods-scale", "--to", "{replicas}"),
            "replicas_command": r.command("pods"),
        }
    }


def main(name: str, folder: Path) -> None:
    """Look again and again, until it is stopped."""
    kind = Group if name == GROUPS.name else Replicas
    runner = kind(Rehearsal(folder), Tier(name))
    while True:
        runner.turn()
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
