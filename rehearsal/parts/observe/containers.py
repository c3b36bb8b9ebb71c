"""What the pods of the manifests use: seven days of it backfilled, and from then on exported.

Nothing runs in pods here, so their use is reckoned: a function of the time alone, so that what is
exported goes on where the history ends. The history ends when Prometheus first starts.

Settings of `containers` that a fault may override, for the history alone and until Prometheus is
started again: `throttled` (share of the first pod's periods, by workload), `killed` (workloads
whose first pod ran out of memory), `unscraped` (workloads whose first pod has no samples), `memory`
and `cpu` (factors of the use, by workload).
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

NAME = "containers"
DAY_S = 86_400
HISTORY_S = 7 * DAY_S + 7_200
"""A little more than what is looked at, so that counters have a value where that begins."""
INTERVAL_S = 900
LABELS = {"instance": "exporter", "job": NAME}
"""As Prometheus gives what it scrapes."""
MEMORY = "container_memory_working_set_bytes"
CPU = "container_cpu_usage_seconds_total"
PERIODS = "container_cpu_cfs_periods_total"
THROTTLED = "container_cpu_cfs_throttled_periods_total"
KILLS = "container_oom_events_total"
KINDS = {MEMORY: "gauge", CPU: "counter", PERIODS: "counter", THROTTLED: "counter"} | {
    KILLS: "counter"
}
_MIB = 1 << 20
_SWING = 0.15
"""How far use is above and below its mean in the course of a day."""
_PER_S = 10
"""Periods of the CPU's scheduler."""
_SHARE = 0.01
"""Of them, those in which a pod usually has to wait."""


@dataclass(frozen=True)
class Workload:
    """A workload of the chart, with as many pods as there are at least."""

    name: str
    pods: tuple[str, ...]
    memory_bytes: int
    """Mean, of each pod."""
    cpu_cores: float


WORKLOADS = (
    Workload("backend", ("x2k4p", "m7rzt", "q9c5d", "h6wvn"), 540 * _MIB, 0.26),
    Workload("frontend", ("b8l2s", "t4xqf", "z7n9k"), 250 * _MIB, 0.12),
    Workload("pgbouncer", ("d5vgj", "w2hcm"), 110 * _MIB, 0.1),
)
_REVISION = "6c9f7d5b48"


def pods() -> Iterator[tuple[Workload, int, dict[str, str]]]:
    """Every pod with its workload, its place there, and the labels of its container."""
    for one in WORKLOADS:
        for n, suffix in enumerate(one.pods):
            pod = f"{one.name}-{_REVISION}-{suffix}"
            yield one, n, {"namespace": "bookedbarber", "pod": pod, "container": one.name}


def use(one: Workload, n: int, at: float) -> dict[str, float]:
    """What the n-th pod uses, or has used since 1970, by metric."""
    turn = 2 * math.pi * at / DAY_S + n
    grown = at - _SWING * DAY_S / (2 * math.pi) * math.cos(turn)
    return {
        MEMORY: round(one.memory_bytes * (1 + _SWING / 2 * math.sin(turn))),
        CPU: round(one.cpu_cores * grown, 3),
        PERIODS: round(_PER_S * at),
        THROTTLED: round(_PER_S * _SHARE * at),
        KILLS: 0,
    }


def lay_out(r: Rehearsal, *more: Callable[[Rehearsal, int], Iterable[str]]) -> None:
    """Put the history among Prometheus' blocks, in the place of what was put there before, and
    begin the kernel log. Prometheus must not run.

    :param more: what else there is in it, by when it ends."""
    data, state, end = r.data("prometheus"), _state(r), ends(r)
    known = json.loads(state.read_text()) if state.is_file() else {}
    text = "".join(chain(lines(r, end), *(one(r, end) for one in more)))
    digest = hashlib.sha256(text.encode()).hexdigest()
    if known.get("digest") != digest:
        for name in known.get("blocks", []):
            shutil.rmtree(data / name, ignore_errors=True)
        made = backfill(r, data, text)
        state.write_text(json.dumps({"ends": end, "digest": digest, "blocks": made}))
    log = kernel_log(r)
    if not log.is_file():
        booted = datetime.fromtimestamp(end - HISTORY_S - DAY_S, UTC).isoformat()
        log.write_text(f"{booted} node-1 kernel: Linux version 6.8.0\n")


def ends(r: Rehearsal) -> int:
    """When the history ends, in Unix seconds: when it was first put there."""
    state = _state(r)
    if state.is_file():
        return int(json.loads(state.read_text())["ends"])
    return int(time.time() // INTERVAL_S * INTERVAL_S)


def _state(r: Rehearsal) -> Path:
    return r.path("prometheus", "container-history.json")


def backfill(r: Rehearsal, data: Path, text: str) -> list[str]:
    """Make one block of samples in the OpenMetrics format; its name among Prometheus' data. Of two
    that overlap Prometheus would make a third."""
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data.parent) as folder:
        source, made = Path(folder, "history"), Path(folder, "blocks")
        source.write_text(f"{text}# EOF\n")
        # The usual blocks of two hours take a hundred times as long.
        words = ("--quiet", "--max-block-duration=1000h", source, made)
        r.tool("promtool", "tsdb", "create-blocks-from", "openmetrics", *words)
        blocks = sorted(made.iterdir())
        for block in blocks:
            block.replace(data / block.name)
    return [block.name for block in blocks]


def lines(r: Rehearsal, end: int) -> Iterator[str]:
    """The history in the OpenMetrics format."""
    settings = {
        key: r.setting(NAME, key, {})
        for key in ("throttled", "killed", "unscraped", "memory", "cpu")
    }
    moments = range(end - HISTORY_S, end + 1, INTERVAL_S)
    seen = [
        (labels, at, _altered(one, n, at, end, settings))
        for one, n, labels in pods()
        if n > 0 or one.name not in settings["unscraped"]
        for at in moments
    ]
    for metric, kind in KINDS.items():
        yield f"# TYPE {metric.removesuffix('_total') if kind == 'counter' else metric} {kind}\n"
        for labels, at, values in seen:
            text = ",".join(f'{k}="{v}"' for k, v in (labels | LABELS).items())
            yield f"{metric}{{{text}}} {values[metric]} {at}\n"


def _altered(one: Workload, n: int, at: int, end: int, settings: dict[str, Any]) -> Any:
    """What a pod used, as faults have it. Counters end as they do without."""
    found = use(one, n, at)
    found[MEMORY] = round(found[MEMORY] * settings["memory"].get(one.name, 1))
    last = use(one, n, end)
    found[CPU] = last[CPU] - (last[CPU] - found[CPU]) * settings["cpu"].get(one.name, 1)
    if n == 0 and one.name in settings["throttled"]:
        lacking = (last[PERIODS] - found[PERIODS]) * settings["throttled"][one.name]
        found[THROTTLED] = round(last[THROTTLED] - lacking)
    if n == 0 and one.name in settings["killed"]:
        found[KILLS] = int(end - 3 * DAY_S <= at < end - DAY_S)
    return found


def kernel_log(r: Rehearsal) -> Path:
    """What the kernel of the pods' node tells."""
    return r.path("prometheus", "kernel.log")
