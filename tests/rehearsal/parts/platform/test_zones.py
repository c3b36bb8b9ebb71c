"""Zones let in whom the released policies allow, and the kernel keeps out all others."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.data import product, release
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import zones
from tests.rehearsal.lone_parts import running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="filters of sockets are Linux's")


@pytest.fixture
def r(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(tmp_path)
    checkout = release.migrations(made).parent
    product.lay_out(checkout, product.CANDIDATE)
    return made


@pytest.fixture
def up(r: Rehearsal) -> Iterator[Rehearsal]:
    with running(r, zones.Zones()):
        yield r


def connects(r: Rehearsal, source: str, to: str) -> bool:
    port = r.port(zones.port_name(zones.LISTENERS[to]))
    at, own = (zones.address(to), port), (zones.address(source), 0)
    try:
        socket.create_connection(at, timeout=0.5, source_address=own).close()
    except TimeoutError:
        return False
    return True


def test_the_pairs_that_the_released_policies_allow(r: Rehearsal) -> None:
    pods = {s: zones.sources(r, s, p) for s, p in zones.LISTENERS.items() if s in zones.WORKLOADS}
    assert pods == {
        "backend": ["balancer"],
        "frontend": ["balancer"],
        "pgbouncer": ["backend", "migrate"],
    }
    outside = {
        to: [s for s in zones.sources(r, to, p) if s in zones.WORKLOADS]
        for to, p in zones.LISTENERS.items()
        if to not in zones.WORKLOADS
    }
    assert outside["database"] == ["pgbouncer"]
    assert outside["redis"] == outside["stripe"] == ["backend"]
    assert set(outside["dns"]) == set(zones.WORKLOADS)


def test_who_may_connects_and_who_may_not_waits_in_vain(up: Rehearsal) -> None:
    assert connects(up, "backend", "pgbouncer")
    assert connects(up, "balancer", "frontend")
    assert not connects(up, "frontend", "pgbouncer")
    assert not connects(up, "frontend", "database")
    assert not connects(up, "balancer", "pgbouncer")


def test_faults_open_and_cut_zones(r: Rehearsal) -> None:
    r.override("zones", cut_off=[["backend", "pgbouncer"]])
    assert zones.sources(r, "pgbouncer", 6432) == ["migrate"]
    r.override("zones", enforced=False)
    with running(r, zones.Zones()):
        assert connects(r, "frontend", "database")


def test_it_tells_where_zones_are(r: Rehearsal) -> None:
    told = {z["name"]: z for z in zones.Zones().endpoints(r)["network_policy"]["zones"]}
    assert set(told) == set(zones.ZONES)
    assert told["database"]["ports"] == {"5432": r.port("zones-5432")}
    assert "host" not in told["balancer"]
