"""Faults of what Prometheus has samples of."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal

COUNT = 'bookedbarber_db_query_seconds_count{instance="app-2"}'
WAITS = 'database_longest_transaction_seconds{server="postgres-primary"}'


@fault(
    "instance-not-scraped",
    expect_fail=["D-13.1.2"],
    touches=["prometheus/targets"],
    title="Prometheus scrapes one of two instances",
    settled=lambda r: not _has(r, COUNT),
    reverted=lambda r: _has(r, COUNT),
)
def instance_not_scraped(r: Rehearsal) -> None:
    r.override("prometheus", without_targets=["app-2"])
    r.reload("prometheus")


@instance_not_scraped.revert
def scrape_both_instances(r: Rehearsal) -> None:
    r.clear_override("prometheus", "without_targets")
    r.reload("prometheus")


@fault(
    "primary-not-watched",
    expect_fail=["D-13.3.4"],
    touches=["exporter/database"],
    title="the longest transaction is exported of the standby alone",
    settled=lambda r: not _has(r, WAITS),
    reverted=lambda r: _has(r, WAITS),
)
def primary_not_watched(r: Rehearsal) -> None:
    r.override("exporter", hidden={"database_longest_transaction_seconds": ["postgres-primary"]})


@primary_not_watched.revert
def watch_the_primary(r: Rehearsal) -> None:
    r.clear_override("exporter", "hidden")


def _has(r: Rehearsal, series: str) -> bool:
    """Whether Prometheus has a sample of it now."""
    words = urllib.parse.urlencode({"query": series})
    url = f"http://127.0.0.1:{r.port('prometheus')}/api/v1/query?{words}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bool(json.load(answer)["data"]["result"])
