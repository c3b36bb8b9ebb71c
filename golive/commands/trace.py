"""``golive trace``: a go-live procedure in Markdown, held against the items of a suite."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from golive import procedure, tracing
from golive.masking import clean
from golive.tracing import TIMED, Difference, Document, Trace

_SHOWN = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document", type=Path, help="a procedure in Markdown")
    parser.add_argument(
        "--suites",
        type=Path,
        default=Path("suites"),
        metavar="FOLDER",
        help="where the procedure.toml lies that it is compared with (default: suites)",
    )
    parser.add_argument("--json", action="store_true", help="for machines, see docs/trace.md")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="OUT.toml",
        help="make a procedure.toml of the document; an earlier one keeps its ids",
    )


def run(options: argparse.Namespace) -> int:
    document = tracing.read(options.document)
    if options.write is not None:
        written = tracing.write(document, options.write)
        if options.json:
            _print_json(_document(document) | _written(written))
        else:
            print("\n".join(map(clean, _written_lines(document, written))))
        return 0
    found = tracing.trace(document, procedure.load(options.suites / "procedure.toml"))
    if options.json:
        _print_json(_document(document) | _found(found))
    else:
        print("\n".join(map(clean, _lines(found))))
    return int(bool(found.differences))


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def _document(document: Document) -> dict[str, Any]:
    return {
        "document": str(document.source),
        "lines": len(document.lines),
        "prose": [{"line": n, "text": text} for n, text in document.prose],
        "unread": [{"line": n, "text": text} for n, text in document.unread],
    }


def _found(found: Trace) -> dict[str, Any]:
    return {
        "procedure": str(found.procedure.source),
        "items": len(found.procedure.items),
        "differences": [
            {
                "kind": d.kind,
                "about": d.about,
                "line": d.line,
                "block": d.block,
                "ids": list(d.ids),
                "document": d.found,
                "procedure": d.expected,
            }
            for d in found.differences
        ],
    }


def _written(written: tracing.Written) -> dict[str, Any]:
    return {
        "written": str(written.path),
        "kept": list(written.kept),
        "added": list(written.added),
        "removed": [{"id": i.id, "title": i.title} for i in written.removed],
    }


def _lines(found: Trace) -> list[str]:
    """The differences for a terminal, by block, each with the line it stands on."""
    document, of = found.document, found.procedure
    lines = [
        f"{document.source}: {len(document.lines)} lines; {of.source}: {len(of.items)} items",
        *_prose(document),
    ]
    for block, reported in itertools.groupby(found.differences, lambda d: d.block):
        lines += ["", block, *(f"  {_place(d):>6}  {_sentence(d)}" for d in reported)]
    kinds = Counter(d.kind for d in found.differences)
    tally = ", ".join(f"{n} {_TALLY[kind]}" for kind, n in kinds.items())
    return [*lines, "", f"differences: {tally}" if tally else "no differences"]


_TALLY = {
    "line": "without an item",
    "item": "without a line",
    "title": "of title",
    "owner": "of owner",
    "time": "of time",
    "duration": "of duration",
    "moved": "moved",
}


def _place(d: Difference) -> str:
    return "-" if d.line is None else f"{d.line}"


def _sentence(d: Difference) -> str:
    if d.kind == "line":
        return f"no item for: {d.found}"
    if d.kind == "item":
        return f"no line for {d.ids[0]}: {d.expected}"
    found, expected = d.found or "nothing", d.expected or "nothing"
    if d.kind == "moved":
        return f"{d.ids[0]} moved: stands {_where(found)}; expected {_where(expected)}"
    ids = ", ".join(d.ids[:_SHOWN])
    if len(d.ids) > _SHOWN:
        ids += f" and {len(d.ids) - _SHOWN} more"
    about = "" if d.about == "item" else f" of the {d.about}"
    return f"{d.kind}{about}: document {found}; procedure {expected} ({ids})"


def _where(place: str) -> str:
    return place if place.startswith(("behind ", "at ")) else f"in {place}"


def _prose(document: Document) -> list[str]:
    """Every line that was not read, by number, and in words what may have been meant."""
    shown = _runs(sorted({n for n, _ in document.prose}))
    lines = [f"read as prose, not as lines: {shown}"] if shown else []
    return [*lines, *(f"could not be read: line {n}: {text}" for n, text in document.unread)]


def _runs(numbers: list[int]) -> str:
    """Numbers in rising order: ``3, 7-9``."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def _without_day(document: Document) -> list[str]:
    """Tasks of which the document says no day, though a procedure needs one."""
    numbers = [ln.number for ln in document.lines if ln.due is None and ln.kind in TIMED]
    return [f"no day is said, so due on launch day: {_runs(numbers)}"] if numbers else []


def _written_lines(document: Document, written: tracing.Written) -> list[str]:
    tally = f"{len(written.kept)} kept, {len(written.added)} added, {len(written.removed)} removed"
    return [
        f"{written.path}: {len(document.lines)} items: {tally}",
        *_prose(document),
        *_without_day(document),
        *(f"  removed {i.id}: {i.title}" for i in written.removed),
    ]
