"""A tier of the application for drills of scaling: a balancer, and an instance for each one that
the autoscaling group has.

`run` moves the group by its own policy, as the cloud would, and has an instance behind the balancer
for each one that the group has in service. All of it belongs to the supervisor, so `down` ends it.

Settings a fault may override, on `tier`: `unhealthy` (what is started later fails its health
check), `broken` (what is started later answers everything else with an error), `flaps` (the group
grows again while it shrinks).
"""

from __future__ import annotations

import csv
import json
import math
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from rehearsal.data.drills import AddVerb, tell
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import HOST, PROJECT, SCRATCH_NICENESS, Rehearsal
from rehearsal.parts import Child
from rehearsal.parts.observe.prometheus import status
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.app import LOADS, app_environment, database_url
from rehearsal.parts.platform.aws_scaling import GROUP, MOST, POLICY, REGION

DRAIN_S = 0.5
BALANCER, RUNNER, BACKEND = "tier-balancer", "tier-autoscaler", "app"
APPS = tuple(f"tier-app-{n}" for n in range(1, MOST + 1))
WITHIN_S = 60.0
EVERY_S, OVER_S, COOLDOWN_S = 0.5, 2.0, 3.0
"""How often the load is looked at, over how long, and how long it has to be low to shrink."""
LOW = 0.3
"""Share of what the least instances should bear below which the load counts as low: well below
what the group grows at, or a load that comes in bursts would make it flap."""
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


# -- the tier ------------------------------------------------------------------------------------


def start(r: Rehearsal) -> dict[str, Any]:
    """Start it with as many instances as the group has at least. Raises RehearsalError, with
    nothing left behind."""
    end(r)
    try:
        least = int(_group(r)["MinSize"])
        aws.client(r, "autoscaling", REGION).set_desired_capacity(
            AutoScalingGroupName=GROUP, DesiredCapacity=least
        )
        config = r.path("tier", "haproxy.cfg")
        config.write_text(
            CONFIG.format(stats=r.port("tier-stats"), port=r.port(BALANCER)), encoding="utf-8"
        )
        found = binaries.find("haproxy")
        words = [str(found.path), "-W", "-f", str(config)]
        r.run(Child(BALANCER, words, r.log(BALANCER), environment=found.environment))
        r.wait("the tier's balancer answers", lambda: _servers(r) == {}, WITHIN_S)
        words = [sys.executable, "-m", "rehearsal.data.tier", str(r.folder)]
        environment = {"PYTHONPATH": str(PROJECT)}
        r.run(Child(RUNNER, words, r.log(RUNNER), environment=environment))
        r.wait(
            f"{least} instances of the tier are up",
            lambda: list(_servers(r).values()).count("UP") == least,
            WITHIN_S,
        )
    except BaseException:
        end(r)
        raise
    return {
        "url": r.url(BALANCER),
        "stats": r.url("tier-stats", scheme="tcp"),
        "backend": BACKEND,
    }


def end(r: Rehearsal) -> dict[str, Any]:
    """End whatever of it runs; none is no failure."""
    ended = []
    for name in (RUNNER, BALANCER, *APPS):  # the runner first, which would start others
        if name in r.running():
            r.stop(name)
            ended.append(name)
    return {"ended": ended}


# -- what the cloud does -------------------------------------------------------------------------


class Runner:
    """Looks at the load, moves the group, and has the instances that the group has."""

    def __init__(self, r: Rehearsal) -> None:
        self._r = r
        self._scaling = aws.client(r, "autoscaling", REGION)
        self._apps: dict[str, str] = {}
        """Names of processes by the group's instances."""
        self._first = True
        self._counts: list[tuple[float, int]] = []
        self._low_since: float | None = None
        self._flaps = [-1, 1] if r.setting("tier", "flaps", False) else []
        """What a group does, one after another, before it shrinks."""
        self._starting: dict[str, str] = {}
        """Those of them that have not been healthy yet."""

    def turn(self) -> None:
        """One look."""
        group = _group(self._r)
        wanted = self._wanted(group)
        if wanted != int(group["DesiredCapacity"]):
            self._scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=wanted)
            group = _group(self._r)
        self._reconcile([i["InstanceId"] for i in group["Instances"]])
        self._first = False

    def _wanted(self, group: dict[str, Any]) -> int:
        """The capacity that the policy asks for now."""
        now, least, most = time.monotonic(), int(group["MinSize"]), int(group["MaxSize"])
        has = int(group["DesiredCapacity"])
        per_s, target_per_s, shrinks = self._per_s(now), *self._policy()
        suspended = {p["ProcessName"] for p in group.get("SuspendedProcesses", [])}
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
        self._counts.append((now, _requests(self._r)))
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

    def _reconcile(self, instances: list[str]) -> None:
        for gone in set(self._apps) - set(instances):
            self._drop(self._apps.pop(gone), added=self._starting.pop(gone, None) is None)
        for one, name in list(self._starting.items()):
            if status(f"{self._r.url(name)}/health") == 200:
                del self._starting[one]
                self._balance(name)
                self._is_healthy(one, healthy=True)
        for one in instances:
            if one not in self._apps:
                free = [name for name in APPS if name not in self._apps.values()]
                self._apps[one] = self._starting[one] = free[0]
                self._is_healthy(one, healthy=False)
                self._serve(free[0])

    def _serve(self, name: str) -> None:
        r = self._r
        environment = app_environment(r, database_url(r, "pgbouncer"))
        environment.pop("APP_FAULTS", None)
        if not self._first:
            keys = ("unhealthy", "broken")
            orders = {k: True for k in keys if r.setting("tier", k, False)}
            path = r.path("tier", f"{name}.json")
            write_atomically(path, json.dumps(orders))
            environment["APP_FAULTS"] = str(path)
        words = ["--host", HOST, "--port", str(r.port(name)), "--instance", name]
        command = [sys.executable, "-m", "rehearsal.app", "serve", *words]
        r.run(Child(name, command, r.log(name), environment=environment, loads=LOADS))

    def _is_healthy(self, instance: str, *, healthy: bool) -> None:
        """Tell the group, as the check of its target group would."""
        self._scaling.set_instance_health(
            InstanceId=instance, HealthStatus="Healthy" if healthy else "Unhealthy"
        )

    def _balance(self, name: str) -> None:
        """Have the balancer send requests to it."""
        where = f"{BACKEND}/{name}"
        for command in (
            f"add server {where} {HOST}:{self._r.port(name)} check inter 500ms fall 2 rise 2",
            f"enable health {where}",
            f"enable server {where}",
        ):
            _ask(self._r, command)

    def _drop(self, name: str, *, added: bool) -> None:
        """Take one out that requests may still be on their way to, and end it."""
        r, where = self._r, f"{BACKEND}/{name}"
        if added:
            _ask(r, f"set server {where} state maint")
            time.sleep(DRAIN_S)
            _ask(r, f"shutdown sessions server {where}")
            gone = "deleted"
            r.wait(f"{name} is out", lambda: gone in _ask(r, f"del server {where}"), WITHIN_S)
        r.stop(name)


def _group(r: Rehearsal) -> dict[str, Any]:
    found = aws.client(r, "autoscaling", REGION).describe_auto_scaling_groups(
        AutoScalingGroupNames=[GROUP]
    )["AutoScalingGroups"]
    if not found:
        raise RehearsalError(f"The group {GROUP} is not there.")
    table: dict[str, Any] = found[0]
    return table


def _ask(r: Rehearsal, command: str) -> str:
    """The answer of the balancer's stats socket. Raises OSError when it cannot be reached."""
    with socket.create_connection((HOST, r.port("tier-stats")), 2) as connection:
        connection.sendall(command.encode() + b"\n")
        with connection.makefile() as answer:
            return answer.read()


def _stats(r: Rehearsal) -> list[dict[str, str]]:
    text = _ask(r, "show stat").removeprefix("# ")
    rows = csv.DictReader(text.splitlines())
    return [row for row in rows if row["pxname"] == BACKEND]


def _servers(r: Rehearsal) -> dict[str, str]:
    """States of the servers by their names."""
    return {
        row["svname"]: row["status"].split()[0] for row in _stats(r) if row["svname"] != "BACKEND"
    }


def _requests(r: Rehearsal) -> int:
    """Requests that the backend has had."""
    return next(int(row["stot"] or 0) for row in _stats(r) if row["svname"] == "BACKEND")


# -- commands ------------------------------------------------------------------------------------


def add_verbs(add: AddVerb) -> None:
    """Give `python -m rehearsal` the commands that an environment file names."""

    def verb(name: str, text: str, answer: Any) -> None:
        def work(r: Rehearsal, _: Any) -> None:
            os.nice(SCRATCH_NICENESS)
            tell(answer(r))

        add(name, work, text)

    verb("scaling-tier", "start a tier of the application that scales", start)
    verb("scaling-end", "end that tier", end)


def main(folder: Path) -> None:
    """Look again and again, until it is stopped."""
    runner = Runner(Rehearsal(folder))
    while True:
        runner.turn()
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
