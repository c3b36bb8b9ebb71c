"""The configuration validation report: results by key, instances, drift and a rollback's time.

Of a value only its digest is told, which holds within the run that took it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import nan
from typing import Any

from golive.claims import Claim, at_least, at_most, equal, none_of, same_set
from golive.deliverables import Basis, Deliverable, with_tables
from golive.launch import Limits
from golive.reports.documents import NOT_MEASURED, Content, Table
from golive.results.recorded import (
    cell,
    exempt,
    figure,
    number,
    recorded,
)
from golive.verdicts import Unseen

VARIABLES, SECRETS = "Variables by key", "Secrets by key"
FLAGS, SOURCES = "Flags by key", "Differences from git by source"
DRIFT, ROLLBACK = "differences from git", "a change and its rollback"
_KEYED = {VARIABLES: "process_variables", SECRETS: "configured_secrets", FLAGS: "flag_table"}
"""The tables with results by key, and a probe of the item that each is from."""


def written(basis: Basis) -> Content:
    """The overview of the items, and below it what was found key by key."""
    tables = [_variables(basis), _secrets(basis), _flags(basis), _sources(basis)]
    figures = [
        figure("keys with a result", len(tables[0].rows)),
        figure("instances covered", len(tables[0].columns) - 2),
        figure(DRIFT, _drift(basis)),
        figure(ROLLBACK, _rollback_min(basis), "min"),
    ]
    return with_tables(*tables, figures=figures)(basis)


def judged(document: Deliverable, instances: Collection[str], limits: Limits) -> Iterator[Claim]:
    """Every packaged key has a result on every instance, nothing drifts, and a rollback is quick.

    :param instances: the declared ones.
    """
    basis = document.basis
    tables = {t.title: t for t in document.document.tables}
    variables = tables.get(VARIABLES, Table(title=VARIABLES, columns=[], rows=[]))
    if not exempt(basis, "process_variables"):
        packaged = recorded(basis, "packaged_configuration", "keys")
        found = recorded(basis, "process_variables", "released")
        keys = [str(row[0]) for row in variables.rows]
        yield same_set("keys with a result", _or_unseen(keys, found), packaged)
        covered = _or_unseen(variables.columns[2:], found)
        yield same_set("instances that results are of", covered, instances)
    told = [title for title, probe in _KEYED.items() if not exempt(basis, probe)]
    rows = [(title, row) for title in told if title in tables for row in tables[title].rows]
    lacking = [f"{title}: {row[0]}" for title, row in rows if NOT_MEASURED in row]
    yield none_of("keys without a result", lacking, among=len(rows), of="keys", may_be_empty=True)
    if not exempt(basis, "config_drift"):
        yield equal(DRIFT, number(document, DRIFT, _drift(basis)), 0.0)
    if not exempt(basis, "config_rollback"):
        took = number(document, ROLLBACK, _rollback_min(basis))
        yield at_least("time that its rollback took", took, 0.0, "min")
        yield at_most(ROLLBACK, took, limits.configuration.rollback_minutes, "min")


def _or_unseen(names: list[str], source: object) -> list[str] | Unseen:
    return source if isinstance(source, Unseen) and not names else names


def _of(basis: Basis, probe: str, *keys: str) -> Mapping[str, Any]:
    found = recorded(basis, probe, *keys)
    return found if isinstance(found, Mapping) else {}


def _variables(basis: Basis) -> Table:
    released = _of(basis, "process_variables", "released")
    processes = _of(basis, "process_variables", "processes")
    of = {name: v.get("digests", {}) for name, v in processes.items() if isinstance(v, Mapping)}
    return Table(
        title=VARIABLES,
        columns=["variable", "released", *of],
        rows=[
            [name, cell(digest), *(cell(digests.get(name)) for digests in of.values())]
            for name, digest in released.items()
        ],
    )


def _secrets(basis: Basis) -> Table:
    resolved = _of(basis, "configured_secrets", "resolved")
    return Table(
        title=SECRETS,
        columns=["secret", "current value"],
        rows=[[name, cell(digest)] for name, digest in resolved.items()],
    )


def _flags(basis: Basis) -> Table:
    table = recorded(basis, "flag_table", "entries")
    known = _of(basis, "flags", "all")
    answers = _of(basis, "flag_outage", "answers")
    entries = [] if isinstance(table, Unseen) else table
    return Table(
        title=FLAGS,
        columns=["flag", "launch table", "switched on", "without its service"],
        rows=[
            [
                e["name"],
                e["launch"],
                cell(_word(known.get(e["name"], {}).get("enabled"))),
                cell(_word(answers.get(e["name"]))),
            ]
            for e in entries
        ],
    )


def _word(on: object) -> str | None:
    return None if on is None else "on" if on else "off"


def _sources(basis: Basis) -> Table:
    return Table(
        title=SOURCES,
        columns=["source", "differences"],
        rows=[[source, cell(count)] for source, count in _differences(basis).items()],
    )


def _differences(basis: Basis) -> Mapping[str, Any]:
    return _of(basis, "config_drift", "differences")


def _drift(basis: Basis) -> Any:
    found = recorded(basis, "config_drift", "differences")
    if isinstance(found, Unseen):
        return found
    if not found:  # nothing was compared, so that there is no count
        return recorded(basis, "config_drift", "differences", "of any source")
    return sum(nan if count is None else float(count) for count in found.values())


def _rollback_min(basis: Basis) -> Any:
    return recorded(basis, "config_rollback", "duration_min")
