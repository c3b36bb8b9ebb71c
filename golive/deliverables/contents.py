"""What documents say, from what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from golive.context import Context
from golive.deliverables.basis import Basis
from golive.files import read as read_file
from golive.files import sha256
from golive.reports import overview, pages
from golive.reports.documents import (
    MOST_BYTES,
    Content,
    Figure,
    Table,
    read_document,
)
from golive.verdicts import GoliveError, Verdict

Write = Callable[["Basis"], Content]
"""What a document says, from what it is made from."""
FILES = "Documents"


def overview_of(basis: Basis) -> Content:
    """Every claim of every item, facts at a glance, counts, and what people have stated: says
    what there is to say where nothing more particular is asked for."""
    content = overview.overview(basis.standings, basis.facts)
    return replace(content, tables=[*content.tables, *_stated(basis), *_waived(basis)])


def with_tables(
    *tables: Table,
    figures: Iterable[Figure] = (),
    inputs: Mapping[str, str] | None = None,
) -> Write:
    """The overview with more below it.

    :param inputs: digests of what the rest comes from, by name.
    """

    def write(basis: Basis) -> Content:
        content = overview_of(basis)
        return replace(
            content,
            figures=[*content.figures, *figures],
            tables=[*content.tables, *tables],
            inputs=inputs or {},
        )

    return write


def tally_of(basis: Basis) -> Content:
    """Counts by state, day and area, what is waived, and which suite looked: for documents over
    more items than one reads."""
    content = overview.tally(basis.standings)
    suites = sorted({f.run.head.suite.commit[:12] or "unknown" for f in basis.findings.values()})
    reported = Figure(name="suite", value=", ".join(suites) or "none")
    return replace(
        content,
        figures=[*content.figures, reported],
        tables=[*content.tables, *_waived(basis)],
    )


def manifest_of(basis: Basis) -> Content:
    """The documents made for the items, each with its digest: once one is another, this one is
    out of date. And what people have stated, with the digests of their evidence."""
    found = documents_of(basis.context)
    rows: list[list[str | float]] = [
        [i, found[i].name, sha256(found[i], MOST_BYTES, "a document")]
        for i in basis.rests_on
        if i in found
    ]
    content = tally_of(basis)
    return replace(
        content,
        tables=[
            *content.tables,
            *_stated(basis),
            Table(title=FILES, columns=["item", "file", "SHA-256"], rows=rows),
        ],
        inputs={f"{row[0]}, file": str(row[2]) for row in rows},
    )


def documents_of(context: Context) -> dict[str, Path]:
    """The documents that lie there, by item; what is none of ours is left out."""
    found = {}
    for path in sorted(context.documents.glob("*.html")):
        with suppress(GoliveError):
            found[read_document(path).item] = path
    return found


def _stated(basis: Basis) -> list[Table]:
    """The statements that hold on the items, with the digests of their evidence."""
    rows: list[list[str | float]] = []
    for ident in basis.rests_on:
        for s in basis.stated(ident):
            said = s.statement
            named = ", ".join(f"{e.name} {e.sha256[:12]}".strip() for e in said.evidence)
            rows.append(
                [
                    s.id,
                    ident,
                    said.by,
                    title(basis.context, said.role),
                    pages.moment(said.made_at),
                    named,
                ]
            )
    columns = ["statement", "item", "by", "in the role", "on", "evidence"]
    return [Table(title="What people have stated", columns=columns, rows=rows)] if rows else []


def _waived(basis: Basis) -> list[Table]:
    """What people have waived or declared not applicable, and until when."""
    rows: list[list[str | float]] = [
        [
            i,
            str(basis.state(i)),
            e.first.statement.text,
            f"{e.first.statement.by}, {e.second.statement.by}",
            pages.moment(e.until),
        ]
        for i, e in basis.exempt.items()
        if i in basis.findings and basis.state(i) is not Verdict.PASS
    ]
    columns = ["item", "state", "why", "by", "until"]
    return [Table(title="Waived or not applicable", columns=columns, rows=rows)] if rows else []


def title(context: Context, role: str) -> str:
    """A role as the procedure writes it, where it owns something there."""
    owners = {i.owner_mark: i.owner for i in context.procedure}
    return owners.get(role) or role.replace("_", " ").capitalize()


def bytes_of(path: Path) -> bytes:
    """A document's page."""
    return read_file(path, MOST_BYTES, "a document")
