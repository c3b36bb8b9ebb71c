"""What containers use, by a Prometheus of the test's own with a made-up history."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.observe.container_use import ContainerUse, Use, container_use, pods
from golive.probes.platform.container_resources import ContainerResources, Given
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel import binaries

EnvWith = Callable[..., Environment]
GIB = 2**30
DAY_S, STEP_S, WINDOW_S = 86_400, 600, 2 * 86_400
ENDS = int(time.time()) // STEP_S * STEP_S
BEGINS = ENDS - WINDOW_S - 3_600
MEMORY, CPU = "container_memory_working_set_bytes", "container_cpu_usage_seconds_total"
PERIODS, THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
KILLS, RESTARTS = "container_oom_events_total", "kube_pod_container_status_restarts_total"
ENDED_FOR = "kube_pod_container_status_last_terminated_reason"


def history() -> dict[str, Callable[[int], float | None]]:
    """Series, each with its value by the seconds since it began."""
    found: dict[str, Callable[[int], float | None]] = {}

    def pod(
        name: str,
        workload: str,
        memory: Callable[[int], float | None] = lambda _: 0.5 * GIB,
        cores: float = 0.25,
        waits: float = 0.01,
        rest: Mapping[str, Callable[[int], float | None]] = MappingProxyType({}),
    ) -> None:
        labels = f'namespace="shop",pod="{name}",container="{workload}"'
        found[f"{MEMORY}{{{labels}}}"] = memory
        found[f"{CPU}{{{labels}}}"] = lambda t: cores * t
        found[f"{PERIODS}{{{labels}}}"] = lambda t: 10 * t
        found[f"{THROTTLED}{{{labels}}}"] = lambda t: 10 * waits * t
        for metric, value in rest.items():
            reason = ',reason="OOMKilled"' if metric == ENDED_FOR else ""
            found[f"{metric}{{{labels}{reason}}}"] = value

    never: dict[str, Callable[[int], float | None]] = {KILLS: lambda _: 0}
    pod("web-5d9f-abcde", "web", rest=never)
    pod("web-5d9f-fghij", "web", memory=lambda _: 0.3 * GIB, cores=0.1, rest=never)
    pod("web-admin-5d9f-klmno", "web", memory=lambda _: 9 * GIB, cores=9)  # another workload's
    pod("hot-5d9f-abcde", "hot", cores=0.45, waits=0.2, rest=never)
    pod("hot-5d9f-fghij", "hot", memory=lambda _: 0.9 * GIB, rest=never)
    # One that spends two percent of the time near its limit, and one with samples of half of it.
    pod("peak-5d9f-abcde", "peak", lambda t: (0.95 if t % 30_000 < 600 else 0.5) * GIB, rest=never)
    pod("gap-0", "gap", lambda t: None if t < WINDOW_S / 2 else 0.5 * GIB)
    # Killed before the window, killed within it, and ended for that within it.
    pod("old-0", "old", rest={KILLS: lambda _: 3})
    pod("late-0", "late", rest={KILLS: lambda t: 1 if t > DAY_S else None})
    pod("back-0", "back", rest={KILLS: lambda t: int(DAY_S < t < 1.5 * DAY_S)})
    again: dict[str, Callable[[int], float | None]] = {RESTARTS: lambda t: int(t > DAY_S)}
    pod("ended-0", "ended", rest={**again, ENDED_FOR: lambda t: 1 if t > DAY_S else None})
    pod("before-0", "before", rest={RESTARTS: lambda _: 4, ENDED_FOR: lambda _: 1})
    # Series for each core, and none of namespaces.
    for core in range(4):
        found[f'{CPU}{{namespace="shop",pod="cores-0",container="cores",cpu="cpu0{core}"}}'] = (
            lambda t: 0.1 * t
        )
    found['process_resident_memory_bytes{job="api",instance="a:1"}'] = lambda _: 0.4 * GIB
    found['process_cpu_seconds_total{job="api",instance="a:1"}'] = lambda t: 0.2 * t
    return found


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    lines = []
    known: set[str] = set()
    for series, value in sorted(history().items()):
        name = series.partition("{")[0]
        if name not in known:
            lines.append(f"# TYPE {name} unknown\n")
            known.add(name)
        for at in range(BEGINS, ENDS + 1, STEP_S):
            is_at = value(at - BEGINS)
            if is_at is not None:
                lines.append(f"{series} {is_at} {at}\n")
    (folder / "history").write_text("".join([*lines, "# EOF\n"]))
    found = binaries.find("promtool")
    words = ["tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=384h"]
    environment = {**os.environ, **found.environment}
    data = folder / "data"
    subprocess.run([found.path, *words, folder / "history", data], env=environment, check=True)
    (folder / "prometheus.yml").write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [
            binaries.find("prometheus").path,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        env=environment,
        cwd=folder,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@dataclass
class Looking:
    """Looks at some containers."""

    env_with: EnvWith
    url: str
    run: Path

    def at(self, *given: Given, **changes: Any) -> ContainerUse:
        """At the moment where the history ends."""
        times = {"began": self.told(ENDS - WINDOW_S), "ended": self.told(ENDS)}
        self.run.write_text(json.dumps(times))
        said = f"print(open({str(self.run)!r}).read())"
        names = {"interval_s": STEP_S, "load_run_command": [sys.executable, "-c", said], **changes}
        env = self.env_with(monitoring={"prometheus": self.url}, resource_use=names)
        return container_use(env, ContainerResources(given))

    def one(self, given: Given, **changes: Any) -> Use:
        (found,) = self.at(given, **changes).uses
        return found

    @staticmethod
    def told(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.fixture
def looking(env_with: EnvWith, prometheus: str, tmp_path: Path) -> Looking:
    return Looking(env_with, prometheus, tmp_path / "run.json")


def given(name: str, kind: str = "StatefulSet", pods: int = 1, **changes: Any) -> Given:
    workload = f"{kind}/{name}"
    one = Given(
        *(f"{workload} container {name} of manifests", "", "shop", workload, name, False, pods),
        cpu_request=Decimal("0.5"),
        cpu_limit=Decimal(1),
        memory_request=Decimal(GIB) / 2,
        memory_limit=Decimal(GIB),
    )
    return replace(one, **changes)


def web(**changes: Any) -> Given:
    return given("web", "Deployment", 2, **changes)


def number(value: object) -> float:
    assert isinstance(value, float), value
    return round(value, 1)


def test_the_busiest_pod_of_a_container_counts(looking: Looking) -> None:
    found = looking.one(web())
    assert found.coverage_percent == {"memory": 100.0, "CPU": 100.0}
    assert number(found.memory_percent) == 50.0
    assert number(found.cpu_percent) == 50.0
    assert number(found.throttled_percent) == 1.0
    assert found.kills == 0
    hot = looking.one(given("hot", "Deployment", 2))
    assert number(hot.memory_percent) == 90.0
    assert number(hot.cpu_percent) == 90.0
    assert number(hot.throttled_percent) == 20.0


def test_the_95th_percentile_leaves_out_short_peaks(looking: Looking) -> None:
    assert number(looking.one(given("peak", "Deployment")).memory_percent) == 50.0


def test_a_moment_without_samples_of_all_pods_is_not_covered(looking: Looking) -> None:
    half = looking.one(given("gap")).coverage_percent
    assert not isinstance(half, Unseen)
    assert 45 < half["memory"] < 55
    assert half["CPU"] == 100.0
    assert looking.one(replace(web(), pods=4)).coverage_percent == {"memory": 50.0, "CPU": 50.0}
    nobody = looking.one(given("nobody"))
    assert nobody.coverage_percent == {"memory": 0.0, "CPU": 0.0}
    assert (nobody.memory_percent, nobody.cpu_percent) == (None, None)
    assert isinstance(nobody.throttled_percent, Unseen)
    assert "has a series of it" in repr(nobody.kills)


def test_what_is_not_given_has_no_share(looking: Looking) -> None:
    bare = looking.one(web(cpu_request=None, cpu_limit=None, memory_limit=None))
    assert (bare.memory_percent, bare.cpu_percent, bare.throttled_percent) == (None, None, None)
    assert looking.at(web(cpu_limit=None)).with_cpu_limit == 0


def test_cores_of_one_pod_are_added_up(looking: Looking) -> None:
    assert number(looking.one(given("cores")).cpu_percent) == 80.0


@pytest.mark.parametrize(
    ("name", "times"),
    [("old", 0), ("late", 1), ("back", 1), ("ended", 1), ("before", 0)],
)
def test_kills_within_the_time_are_told_by_either_metric(
    looking: Looking, name: str, times: int
) -> None:
    found = looking.at(given(name))
    assert number(found.uses[0].kills) == pytest.approx(times, abs=0.1)
    subject = f"StatefulSet/{name} container {name} of manifests"
    assert found.killed == ([f"{subject} ({times} times)"] if times else [])


def test_kills_that_no_metric_tells_are_in_kernel_logs(looking: Looking, tmp_path: Path) -> None:
    log = tmp_path / "kernel.log"
    logs = [{"address": "local://", "command": ["cat", str(log)]}]
    booted = f"{looking.told(BEGINS - 99)} node kernel: Linux version 6.8"
    killed = "node kernel: Memory cgroup out of memory: Killed process 7 (python)"
    quiet = given("gap")  # no metric tells its kills
    assert "no machine is declared" in repr(looking.at(quiet).logged_kills)
    assert isinstance(looking.at(quiet).killed, Unseen)
    log.write_text(f"{booted}\n{looking.told(BEGINS - 9)} {killed}\n")
    assert looking.at(quiet, kernel_logs=logs).killed == []
    log.write_text(f"{booted}\n{looking.told(ENDS - 9)} {killed}\n")
    (told,) = looking.at(web(), kernel_logs=logs).killed
    assert told.startswith("local://: process 7 (python) (")
    log.write_text(f"{looking.told(ENDS - 9)} node kernel: usb 1-1: new device\n")
    late = looking.at(quiet, kernel_logs=logs)
    assert "it begins at" in repr(late.logged_kills)
    assert isinstance(late.killed, Unseen)
    assert looking.at(web(), kernel_logs=logs).killed == []  # its metrics tell
    log.unlink()
    assert "kernel.log" in repr(looking.at(quiet, kernel_logs=logs).logged_kills)


def test_series_may_be_named_and_told_apart_otherwise(looking: Looking) -> None:
    names = {
        "memory": "process_resident_memory_bytes",
        "cpu": "process_cpu_seconds_total",
        "matchers": {"Deployment/web": 'job="api"'},
    }
    found = looking.one(replace(web(), pods=1), **names)
    assert number(found.memory_percent) == 40.0
    assert number(found.cpu_percent) == 40.0
    assert found.coverage_percent == {"memory": 100.0, "CPU": 100.0}


def test_a_metric_that_nothing_has_is_unseen_and_says_what_to_write(looking: Looking) -> None:
    found = looking.at(web(), memory="nothing_bytes")
    assert "name another one in [resource_use]" in repr(found.memory_percent(20, 80))
    assert isinstance(found.coverage_percent(95), Unseen)
    assert isinstance(found.cpu_percent(20, 80), dict)


def test_what_is_known_to_be_wrong_stays_so_whatever_else_is_unseen() -> None:
    unseen = Unseen(ProbeError("a", "b"))
    sound = Use("sound", {"memory": 100.0}, 50.0, 50.0, 1.0, 0.0)
    dark = Use("dark", unseen, unseen, unseen, unseen, unseen)
    bad = Use("bad", {"memory": 50.0}, 90.0, 10.0, 5.0, 1.0)
    period: Any = None

    def all_of(*uses: Use) -> tuple[object, ...]:
        found = ContainerUse(period, 0.0, uses, unseen)
        return (
            found.coverage_percent(95),
            found.memory_percent(20, 80),
            found.cpu_percent(20, 80),
            found.throttled(5),
            found.killed,
        )

    assert all(isinstance(one, Unseen) for one in all_of(sound, dark))
    assert not any(isinstance(one, Unseen) for one in all_of(sound, dark, bad))
    assert all_of(sound, bad)[3:] == (["bad 5.0 %"], ["bad (1 times)"])


def test_the_last_days_or_the_latest_load_run(
    looking: Looking, env_with: EnvWith, prometheus: str
) -> None:
    run = looking.at(web()).period
    assert (run.subject, run.length_s, run.is_load_run) == ("the latest load run", WINDOW_S, True)
    assert (run.least_s(7, 30), replace(run, is_load_run=False).least_s(7, 30)) == (1800, 604_800)
    last = env_with(monitoring={"prometheus": prometheus})
    days = container_use(last, ContainerResources((web(),))).period
    assert (days.subject, days.length_s) == ("the last 7 days", 604_800)
    for began, ended in ((5, 4), (4, 5 + 9 * time.time())):
        times = {"began": looking.told(began), "ended": looking.told(ended)}
        other = looking.run.with_suffix(".other")
        other.write_text(json.dumps(times))
        words = ["cat", str(other)]
        with pytest.raises(ProbeError, match="print when it began and ended"):
            looking.at(web(), load_run_command=words)


def test_what_ends_by_itself_is_not_measured(looking: Looking) -> None:
    found = looking.at(web(), given("wait", ends=True))
    assert [u.subject for u in found.uses] == ["Deployment/web container web of manifests"]
    with pytest.raises(ProbeError, match="every container of the manifests is meant to end"):
        looking.at(given("wait", ends=True))


@pytest.mark.parametrize(
    ("workload", "expression"),
    [
        ("Deployment/web", "web-[a-z0-9]+-[a-z0-9]+"),
        ("StatefulSet/db", "db-[0-9]+"),
        ("DaemonSet/agent", "agent-[a-z0-9]+"),
        ("Pod/a.b", "a[.]b"),
        (f"Deployment/{'x' * 50}", f"{'x' * 45}.*"),
    ],
)
def test_names_of_pods_by_the_kind_of_their_workload(workload: str, expression: str) -> None:
    assert pods(workload) == expression
