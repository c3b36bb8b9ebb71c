"""Faults of the performance baseline: its file, and the series that it came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe import measured

_ITEM = ["D-14.D.3"]


def _written(name: str, title: str, change: Callable[[dict[str, Any]], object]) -> None:
    """The file says something else."""

    @fault(
        name,
        expect_fail=_ITEM,
        touches=["prometheus/baseline"],
        title=title,
    )
    def write(r: Rehearsal) -> None:
        path = measured.file(r)
        r.remember("baseline", path.read_text())
        document = json.loads(path.read_text())
        change(document)
        write_atomically(path, json.dumps(document, indent=1), 0o644)

    @write.revert
    def write_again(r: Rehearsal) -> None:
        write_atomically(measured.file(r), r.recall("baseline"), 0o644)
        r.forget("baseline")


def _figure(document: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in document["figures"] if f["kind"] == kind)
    return found


def _cut_short(document: dict[str, Any]) -> None:
    began = datetime.fromisoformat(document["began"]) + timedelta(days=1)
    document["began"] = began.isoformat()


_written(
    "baseline-p95-altered",
    "the baseline's p95 of an endpoint is a tenth lower than what was measured",
    lambda d: _figure(d, "p95").update(value=0.9 * _figure(d, "p95")["value"]),
)
_written(
    "baseline-of-another-environment",
    "the baseline is staging's",
    lambda d: d.update(environment="staging"),
)
_written(
    "baseline-of-the-version-before",
    "the baseline is of the version before the one that serves",
    lambda d: d.update(version="1.9.0"),
)
_written("baseline-of-six-days", "the baseline is over six days", _cut_short)
_written(
    "baseline-without-an-endpoint",
    "the baseline does not tell of an endpoint's errors",
    lambda d: d["figures"].remove(_figure(d, "errors")),
)
_written(
    "baseline-figure-of-nothing",
    "a figure of the baseline is of a query that asks for no metric",
    lambda d: _figure(d, "memory").update(promql=f"vector({_figure(d, 'memory')['value']})"),
)


@fault(
    "component-not-measured",
    expect_fail=_ITEM,
    touches=["prometheus/measured"],
    title="the replication lag's series of the baseline's days are gone",
)
def component_not_measured(r: Rehearsal) -> None:
    r.override(measured.NAME, left_out=[measured.LAG])
    r.restart("prometheus")


@component_not_measured.revert
def measure_it(r: Rehearsal) -> None:
    r.clear_override(measured.NAME, "left_out")
    r.restart("prometheus")
