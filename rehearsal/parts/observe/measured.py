"""What the product was measured at before the rehearsal began, and the baseline made of it.

Setting of `measured` that a fault may override until Prometheus is started again: `left_out`
(metrics that were not kept).
"""

from __future__ import annotations

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel.files import write_atomically
from rehearsal.parts import Endpoints, Job
from rehearsal.parts.observe import containers

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

NAME = "measured"
VERSION = "2.0.0"
INTERVAL_S = 900
ENDS_BEFORE_S = 900
"""Before the containers' history ends, so that nobody takes it for what is measured now."""
LENGTH_S = 7 * containers.DAY_S
REQUESTS, QUERIES = "bookedbarber_http_request_duration_seconds", "bookedbarber_db_query_seconds"
LAG, BUILD = "database_replication_lag_seconds", "bookedbarber_build_info"
ENDPOINTS = {
    ("GET", "/api/v2/appointments/slots"): 1.6,
    ("POST", "/api/v2/appointments/"): 0.4,
    ("GET", "/api/v2/services/"): 1.1,
    ("POST", "/api/v2/auth/login"): 0.3,
}
"""Requests each second and instance."""
PAGES = {("GET", "/"): 0.9, ("GET", "/book"): 0.7}
_INSTANCES = ("app-1", "app-2")
_WITHIN = {
    "0.01": 0.08,
    "0.025": 0.34,
    "0.05": 0.7,
    "0.075": 0.88,
    "0.1": 0.96,
    "0.15": 0.988,
    "0.2": 0.996,
    "0.3": 0.999,
    "0.5": 1.0,
    "+Inf": 1.0,
}
"""Share of the requests that are answered within so many seconds."""
_FASTER = {"0.001": 0.3, "0.005": 0.8, "0.01": 0.93, "0.025": 0.99, "0.05": 1.0, "+Inf": 1.0}
"""The same of the database's statements."""
_FAILING = 0.0002


def lines(r: Rehearsal, ends: int) -> Iterator[str]:
    """The history in the OpenMetrics format."""
    left_out = r.setting(NAME, "left_out", [])
    begins = ends - containers.HISTORY_S
    moments = range(begins, ends - ENDS_BEFORE_S + 1, INTERVAL_S)
    known = ""
    for metric, labels, value, grows in sorted(_series(), key=lambda one: one[0]):
        if metric in left_out:
            continue
        if metric != known:
            yield f"# TYPE {metric} unknown\n"
            known = metric
        text = ",".join(f'{k}="{v}"' for k, v in labels.items())
        for at in moments:
            turn = math.sin(2 * math.pi * at / containers.DAY_S)
            now = value * (at - begins) if grows else value * (1 + 0.2 * turn * (metric == LAG))
            yield f"{metric}{{{text}}} {now:.3f} {at}\n"


def _series() -> Iterator[tuple[str, dict[str, str], float, bool]]:
    """Each metric with its labels, its value, or by how much it grows each second."""
    for instance in _INSTANCES:
        own = {"instance": instance, "job": "app"}
        yield BUILD, {**own, "exported_instance": instance, "version": VERSION}, 1, False
        for (method, route), per_s in (ENDPOINTS | PAGES).items():
            labels = {**own, "method": method, "route": route, "status": "200"}
            if (method, route) in ENDPOINTS:
                yield f"{REQUESTS}_count", labels, per_s, True
                yield f"{REQUESTS}_count", {**labels, "status": "500"}, per_s * _FAILING, True
            for le, share in _WITHIN.items():
                yield f"{REQUESTS}_bucket", {**labels, "le": le}, per_s * share, True
        labels = {**own, "statement": "earlier"}
        yield f"{QUERIES}_count", labels, 9, True
        for le, share in _FASTER.items():
            yield f"{QUERIES}_bucket", {**labels, "le": le}, 9 * share, True
    exported = {"instance": "exporter", "job": "database", "standby": "postgres-standby"}
    yield LAG, exported, 0.2, False


# -- the baseline ------------------------------------------------------------------------------


def figures() -> Iterator[dict[str, str]]:
    """Every figure of the baseline without its value."""
    time = f"[{LENGTH_S}s]"

    def quantile(share: float, metric: str, chosen: str = "") -> str:
        return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{chosen}{time})))"

    def figure(kind: str, of: str, promql: str, series: str) -> dict[str, str]:
        return {"kind": kind, "of": of, "promql": promql, "series": series}

    for method, route in ENDPOINTS:
        of, labels = f"{method} {route}", f'method="{method}",route="{route}"'
        chosen, count = f"{{{labels}}}", f"{REQUESTS}_count"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            yield figure(name, of, quantile(share, REQUESTS, chosen), f"{count}{chosen}")
        failed = f'sum(rate({count}{{{labels},status=~"5.."}}{time}))'
        all_ = f"sum(rate({count}{chosen}{time}))"
        yield figure("errors", of, f"{failed} / {all_}", f"{count}{chosen}")
    for _, route in PAGES:
        chosen = f'{{route="{route}"}}'
        load = quantile(0.95, REQUESTS, chosen)
        all_ = f'{REQUESTS}_bucket{{route="{route}",le="+Inf"}}'
        yield figure("page_load", route, load, all_)
    yield figure("query_p95", "database", quantile(0.95, QUERIES), f"{QUERIES}_count")
    served = f'up{{job="app"}}{time}'
    yield figure("uptime", "application", f"100 * avg(avg_over_time({served}))", 'up{job="app"}')
    for one in containers.WORKLOADS:
        chosen = f'{{container="{one.name}"}}'
        cpu, memory = f"{containers.CPU}{chosen}", f"{containers.MEMORY}{chosen}"
        yield figure("cpu", one.name, f"avg(rate({cpu}{time}))", cpu)
        yield figure("memory", one.name, f"avg(avg_over_time({memory}{time}))", memory)
    lag = f'{LAG}{{standby="postgres-standby"}}'
    promql = f"max(quantile_over_time(0.95, {lag}{time}))"
    yield figure("replication_lag", "postgres-standby", promql, lag)


class Baseline(Job):
    name = "baseline"
    title = "performance baseline of the last seven days"
    needs = ("prometheus",)

    def run(self, r: Rehearsal) -> None:
        ended = containers.ends(r) - ENDS_BEFORE_S
        whole = [one | {"value": _value(r, one["promql"], ended)} for one in figures()]
        document = {
            "environment": "rehearsal",
            "version": VERSION,
            "began": datetime.fromtimestamp(ended - LENGTH_S, UTC).isoformat(),
            "ended": datetime.fromtimestamp(ended, UTC).isoformat(),
            "figures": whole,
        }
        write_atomically(file(r), json.dumps(document, indent=1), 0o644)

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {"baseline": {"path": str(file(r))}}


def file(r: Rehearsal) -> Path:
    """The baseline."""
    return r.path("prometheus", "baseline.json")


def _value(r: Rehearsal, promql: str, at: int) -> float:
    words = urllib.parse.urlencode({"query": promql, "time": at})
    url = f"http://127.0.0.1:{r.port('prometheus')}/api/v1/query?{words}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return float(found["data"]["result"][0]["value"][1])


PARTS = (Baseline(),)
