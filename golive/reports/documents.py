"""Deliverables: documents made from the ledger that people sign.

A document is data first. Its page carries that data as canonical JSON, so whoever checks a
signed page can make the document again from the ledger and compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import decode
from golive.files import read
from golive.reports import pages
from golive.verdicts import GoliveError, Verdict

MOST_BYTES = 64 * 2**20
"""Of a document's page."""
_BEGINS = b'<script type="application/json" id="golive-document">'
_ENDS = b"</script>"

NOT_MEASURED = "not measured"
"""The value of a figure that no probe found: a document never leaves one out in silence."""


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict that the document rests on."""

    id: str
    title: str
    verdict: Verdict
    value: str
    """What was measured."""
    target: str
    """What is required."""
    looked_at: datetime
    run: str
    digest: str
    """SHA-256 of the ledger's line for this verdict."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number or word. ``limit`` is shown beside it where there is one."""

    name: str
    value: float | str
    unit: str = ""
    limit: float | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a kind, e.g. the p95 of each statement.

    ``plot`` names the column drawn as bars; a bar longer than ``limit`` is marked as over it.
    """

    title: str
    columns: list[str]
    rows: list[list[str | float]]
    plot: str = ""
    limit: float | None = None


class OpenIssue(msgspec.Struct, frozen=True, kw_only=True):
    """An item that stands in the way of what the document says."""

    id: str
    title: str
    state: str
    """A verdict, or why there is none."""
    owner: str
    due: date
    """The item's own day."""
    why: str
    plan: str = ""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found of the items."""

    run: str
    at: datetime
    verdicts: dict[str, Verdict]


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """A role that signs the document: its mark, and how a page calls it."""

    role: str
    title: str


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a document: what the items it rests on do not all have alike.

    ``subject`` names the one thing that everything is about where it could be another, e.g. a
    database cluster; ``subject_kind`` says what it is, e.g. "database system identifier".
    """

    summary: str
    figures: list[Figure]
    tables: list[Table]
    subject: str = ""
    subject_kind: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A deliverable as data."""

    schema: int = 1
    kind: str
    """Also its file name, e.g. ``database-performance-report``."""
    item: str
    title: str
    signers: list[Signer]
    """The roles that sign, the owner's first."""
    environment: str
    environment_kind: str
    fingerprint: str
    candidate: str
    subject: str = ""
    subject_kind: str = ""
    made_at: datetime
    summary: str
    """The one sentence that the document is for."""
    verdicts: list[VerdictRow]
    figures: list[Figure]
    tables: list[Table]
    inputs: dict[str, str] = {}
    """What it is made from: runs, statements and digests by name. Once one is another, the
    document is out of date."""
    open: list[OpenIssue] = []
    history: list[Look] = []
    """What the last runs found, oldest first."""


def settled(document: Document) -> Document:
    """The document as a reader will have it: JSON has one kind of number."""
    return decode(canonical(document), Document)


def canonical(document: Document) -> bytes:
    """The document as canonical JSON: what a page embeds."""
    data = msgspec.json.encode(document, order="sorted")
    # Inside a script element these would end it; JSON has another spelling for them.
    return data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def read_document(path: Path) -> Document:
    """The data of a written document.

    :raises GoliveError: it is no document of ours, or is damaged.
    """
    page = read(path, MOST_BYTES, "a document made by golive")
    start = page.find(_BEGINS)
    end = page.find(_ENDS, start)
    if min(start, end) < 0:
        raise GoliveError(f"{path}: found no embedded data; expected a document made by golive")
    try:
        return decode(page[start + len(_BEGINS) : end], Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise GoliveError(f"{path}: its embedded data is damaged: {e}") from None


def differences(document: Document, ledger: Document) -> list[str]:
    """Where a document says something else than the one made again from the ledger."""
    found: list[str] = []
    said, true = _flat(document), _flat(ledger)
    for key in dict.fromkeys([*true, *said]):
        if key not in said:
            found.append(f"{key} is missing, the ledger has {true[key]}")
        elif key not in true:
            found.append(f"{key} is {said[key]}, the ledger has none")
        elif said[key] != true[key]:
            found.append(f"{key} is {said[key]}, the ledger has {true[key]}")
    # Runs that others bring later may be older ones: they make no document wrong.
    known = {look.run: look for look in ledger.history}
    found += [
        f"what the run {look.run} found is not what the ledger has of it"
        for look in document.history
        if known.get(look.run) != look
    ]
    return found


def figures_in(document: Document) -> int:
    """How many statements of fact a document makes."""
    return len(_flat(document)) + len(document.history)


def _flat(document: Document) -> dict[str, Any]:
    out: dict[str, Any] = {
        key: getattr(document, key)
        for key in ("kind", "item", "environment", "fingerprint", "candidate", "subject")
    }
    for row in document.verdicts:
        for key in ("verdict", "value", "target", "looked_at", "run", "digest"):
            out[f"{row.id} {key}"] = str(getattr(row, key))
    for issue in document.open:
        reported = f"{issue.state}, {issue.owner}, due {issue.due}: {issue.why} {issue.plan}"
        out[f"open issue {issue.id}"] = reported
    out |= {f.name: f"{f.value} {f.unit}".strip() for f in document.figures}
    for table in document.tables:
        for cells in table.rows:
            for column, cell in zip(table.columns[1:], cells[1:], strict=True):
                out[f"{table.title}, {cells[0]}, {column}"] = str(cell)
    return out


def write_document(document: Document, path: Path) -> Path:
    """Write the document as one self-contained page; the same document gives the same bytes.

    :raises GoliveError: the file cannot be written.
    """
    return pages.write(path, page(settled(document)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the plot of the course: where it stands, and its states from the ground up."""

    look: Look
    x: float
    pieces: list[tuple[Verdict, float, float]]
    """State, lower edge and height, of 100."""


_FEWEST_SLOTS = 12
_STACKED = (
    Verdict.PASS,
    Verdict.WAIVED,
    Verdict.NOT_APPLICABLE,
    Verdict.NOT_DUE,
    Verdict.PENDING,
    Verdict.UNKNOWN,
    Verdict.FAIL,
)


def bars(document: Document) -> list[Bar]:
    """The runs side by side, each as high as the share of the items that it looked at."""
    total = max([len(look.verdicts) for look in document.history], default=0)
    drawn = []
    for n, look in enumerate(document.history):
        pieces, base = [], 0.0
        for state in _STACKED:
            height = 100 * sum(v is state for v in look.verdicts.values()) / total
            if height:
                pieces.append((state, base, height))
                base += height
        drawn.append(Bar(look, 100 * n / _slots(document), pieces))
    return drawn


def _slots(document: Document) -> int:
    """Places for runs side by side: few runs do not fill the whole width."""
    return max(len(document.history), _FEWEST_SLOTS)


def page(document: Document) -> str:
    """The document as HTML, its data embedded."""
    return pages.render(
        "document.html.j2",
        document=document,
        bars=bars(document),
        slots=_slots(document),
        states=[s for s in _STACKED if any(s in x.verdicts.values() for x in document.history)],
        data=pages.trusted(canonical(document).decode()),
        running=pages.running(f"{document.title}, {document.environment}, {document.made_at:%F}"),
        scale=_scale,
    )


def _scale(table: Table) -> float:
    """The value that a full-length bar stands for."""
    if table.plot not in table.columns:
        return 1.0
    column = table.columns.index(table.plot)
    drawn = [x for row in table.rows if isinstance(x := row[column], (int, float))]
    return max([*drawn, table.limit or 0.0]) or 1.0
