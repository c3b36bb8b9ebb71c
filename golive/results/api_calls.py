"""The results of testing the API: what became of the calls of each operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golive.claims import Claim, at_least, equal, none_of, same_set
from golive.deliverables import Basis, Deliverable, with_tables
from golive.reports.documents import NOT_MEASURED, Content, Table
from golive.results.recorded import NOT_SEEN, cell, exempt, figure, number, recorded
from golive.verdicts import Unseen

OPERATIONS = "Operations"
CALLS, FAILURES = "calls in all", "failures in all"
DOCUMENTED, RELEASE = "operations of the API's document", "release that was called"


def written(basis: Basis) -> Content:
    """The overview of the items, and below it each operation with its calls, statuses, failures
    and p95."""
    found = _operations(basis)
    known = [] if isinstance(found, Unseen) else found
    columns = ["operation", "calls", "statuses", "failures", "p95 ms"]
    return with_tables(
        Table(title=OPERATIONS, columns=columns, rows=[_row(one) for one in known], plot="p95 ms"),
        figures=[
            figure(DOCUMENTED, _run(basis, "document")),
            figure(CALLS, _total(found, CALLS)),
            figure(FAILURES, _total(found, FAILURES)),
            figure(RELEASE, _run(basis, "tag")),
        ],
    )(basis)


def judged(document: Deliverable, tag: str | Unseen) -> Iterator[Claim]:
    """Every operation of the candidate's document is there, called and measured, and what is told
    of all of them is what the run has on record.

    :param tag: the candidate's.
    """
    basis = document.basis
    if exempt(basis, "api_run"):
        return
    found, rows = _operations(basis), _rows(document)
    if isinstance(found, Unseen):
        yield same_set("operations in the results", found, found)
        return
    named = [str(row[0]) for row in rows]
    yield same_set("operations in the results", named, [str(one["operation"]) for one in found])
    documented = number(document, DOCUMENTED, _run(basis, "document"))
    yield at_least(DOCUMENTED, documented, 1)
    yield equal("operations with results", float(len(rows)), documented)
    if not exempt(basis, "api_document"):
        published = recorded(basis, "api_document", "operations")
        yield equal("operations by the document's own item", published, _run(basis, "document"))
    idle = [row[0] for row in rows if row[1] == 0.0]
    yield none_of("operations without a call", idle, among=rows, of="operations")
    lacking = [row[0] for row in rows if NOT_MEASURED in row or NOT_SEEN in row or "" in row]
    yield none_of("operations not measured", lacking, among=rows, of="operations")
    for name, place in ((CALLS, 1), (FAILURES, 3)):
        raw, said = _total(found, name), number(document, name, _total(found, name))
        told = sum(row[place] for row in rows if isinstance(row[place], float))
        yield equal(f"{name}, added up", told, raw)
        yield equal(name, said, raw)
    yield equal(RELEASE, document.figure(RELEASE), tag)


def _run(basis: Basis, key: str) -> Any:
    return recorded(basis, "api_run", key)


def _operations(basis: Basis) -> list[Mapping[str, Any]] | Unseen:
    found: list[Mapping[str, Any]] | Unseen = _run(basis, "operations")
    return found


def _row(one: Mapping[str, Any]) -> list[str | float]:
    statuses = sorted(one["statuses"].items())
    return [
        str(one["operation"]),
        float(one["calls"]),
        ", ".join(f"{status}: {count}" for status, count in statuses),
        _failures(one),
        cell(one["p95_ms"]),
    ]


def _failures(one: Mapping[str, Any]) -> float:
    """Answers of status 5xx."""
    return float(sum(count for status, count in one["statuses"].items() if int(status) >= 500))


def _total(found: list[Mapping[str, Any]] | Unseen, name: str) -> float | Unseen:
    if isinstance(found, Unseen):
        return found
    counted = _failures if name == FAILURES else lambda one: float(one["calls"])
    return sum(map(counted, found), 0.0)


def _rows(document: Deliverable) -> list[list[Any]]:
    table = next((t for t in document.document.tables if t.title == OPERATIONS), None)
    return list(table.rows) if table else []
