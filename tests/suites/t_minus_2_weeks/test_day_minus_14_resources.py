"""Day -14: what containers ask for and use, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from golive.probes.observe.container_use import ContainerUse, Period, Use
from golive.probes.platform.container_resources import ContainerResources, Given
from golive.verdicts import ProbeError, Unseen
from tests.checks import breaking

ITEM = "D-14.2.4"
UNSEEN = Unseen(ProbeError("Prometheus", "it does not answer", "start it"))
WEB = Given(
    *("web", "web (a.yaml:1)", "shop", "Deployment/web", "web", False, 2),
    cpu_request=Decimal("0.5"),
    cpu_limit=Decimal(1),
    memory_request=Decimal(512),
    memory_limit=Decimal(1024),
)
NOW = datetime(2026, 11, 30, tzinfo=UTC)
DAYS = Period("the last 7 days", NOW - timedelta(days=7), NOW)
RUN = Period("the latest load run", NOW - timedelta(minutes=30), NOW, is_load_run=True)
USE = Use("web", {"memory": 100.0, "CPU": 95.0}, 50.0, 50.0, 1.0, 0.0)
USED = ContainerUse(DAYS, 0.0, (USE,), ())


def broken(given: Given = WEB, used: ContainerUse = USED) -> Any:
    resources = ContainerResources((given,))
    return breaking(ITEM, {"container_resources": resources, "container_use": used})


def test_containers_with_all_they_need_are_green() -> None:
    assert broken() is None
    at_the_bounds = replace(USE, memory_percent=80.0, cpu_percent=20.0, throttled_percent=4.99)
    assert broken(used=replace(USED, uses=(at_the_bounds,))) is None
    no_limit = replace(USE, throttled_percent=None)
    assert broken(replace(WEB, cpu_limit=None), replace(USED, uses=(no_limit,))) is None


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"cpu_request": None}, "without CPU and memory requests"),
        ({"memory_request": None}, "without CPU and memory requests"),
        ({"memory_limit": None}, "without a memory limit"),
        ({"memory_request": Decimal(1025)}, "requests above limits"),
        ({"cpu_request": Decimal("1.1")}, "requests above limits"),
    ],
)
def test_what_a_manifest_lacks_is_red(change: dict[str, Any], subject: str) -> None:
    claim = broken(replace(WEB, **change))
    assert claim.subject == subject
    assert "web (a.yaml:1)" in claim.observed


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"coverage_percent": {"memory": 94.9}}, "sample coverage"),
        ({"memory_percent": 80.1}, "p95 memory of the limit"),
        ({"memory_percent": 19.9}, "p95 memory of the limit"),
        ({"cpu_percent": 80.1}, "p95 CPU of the request"),
        ({"cpu_percent": 19.9}, "p95 CPU of the request"),
        ({"throttled_percent": 5.0}, "throttled"),
        ({"kills": 1.0}, "killed for want of memory"),
        ({"memory_percent": None}, "p95 memory of the limit"),
    ],
)
def test_what_was_used_is_red(change: dict[str, Any], subject: str) -> None:
    assert broken(used=replace(USED, uses=(replace(USE, **change),))).subject == subject


def test_a_kill_that_the_kernel_tells_of_is_red() -> None:
    claim = broken(used=replace(USED, logged_kills=("node-1: process 7",)))
    assert claim.subject == "killed for want of memory"


def test_what_could_not_be_looked_at_is_not_green() -> None:
    claim = broken(used=replace(USED, uses=(replace(USE, kills=UNSEEN),), logged_kills=UNSEEN))
    assert claim.unseen is UNSEEN.error
    assert broken(used=replace(USED, logged_kills=UNSEEN)) is None  # the metrics tell


def test_a_short_look_or_an_old_load_run_is_red() -> None:
    hour = replace(DAYS, began=NOW - timedelta(hours=1))
    assert broken(used=replace(USED, period=hour)).subject == "length of the last 7 days"
    assert broken(used=replace(USED, period=RUN)) is None
    short = replace(RUN, began=NOW - timedelta(minutes=29))
    assert broken(used=replace(USED, period=short)).subject == "length of the latest load run"
    old = replace(USED, period=RUN, age_s=15 * 86_400.0)
    assert broken(used=old).subject == "end of the latest load run"
