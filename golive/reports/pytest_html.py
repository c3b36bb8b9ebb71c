"""pytest-html's own report (``--html``), with golive's columns and words.

pytest-html filters and sorts by its outcome, so that column stays in the page, hidden; what is
shown is the verdict. Its cells are HTML: everything that comes from a run is escaped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import pytest

from golive.reports.pages import clean, slug

_COLUMNS = ("id", "title", "owner", "verdict", "measured")
_CLAIMS_IN_ROW = 3
_STYLE = """<style>
body { color: #1d1c1a; font-size: 14px; line-height: 1.45; min-width: 0; margin: 24px; }
#results-table, .summary p { color: #1d1c1a; font-size: 13px; }
#results-table th, #results-table td { vertical-align: top; }
.col-id { white-space: nowrap; font-family: monospace; }
.col-verdict { white-space: nowrap; font-weight: bold; }
.v-pass { color: #1c6738; } .v-fail { color: #a81e1b; } .v-unknown { color: #855000; }
.v-pending { color: #34508f; } .v-waived { color: #6c3c8a; }
.v-not-due, .v-not-applicable { color: #5e5a53; }
.col-measured b { display: block; font-weight: normal; }
</style>"""
_LEADING_E = re.compile(r"^E", re.MULTILINE)
"""pytest-html wraps lines that begin so, and would break tags that they hold."""


@pytest.hookimpl(optionalhook=True)
def pytest_html_report_title(report: Any) -> None:
    """Say whose report it is."""
    report.title = "Launch validation"


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str]) -> None:
    """Bring the style along, since the page must need no other file."""
    prefix.append(_STYLE)


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_header(cells: list[str]) -> None:
    """Id, title, owner, verdict, measured and duration, instead of outcome and node id."""
    result, _, duration, _ = cells
    heads = [
        f'<th class="sortable" data-column-type="{name}">{name.capitalize()}</th>'
        for name in _COLUMNS
    ]
    cells[:] = [result.replace("<th ", "<th hidden ", 1), *heads, duration]


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_row(report: Any, cells: list[str]) -> None:
    """One item; what is no item (a file that cannot be collected) keeps its node id."""
    result, _, duration, _ = cells
    ran = getattr(report, "golive", None)
    if ran is None:
        values = [report.nodeid, "", "", "UNKNOWN" if report.outcome == "failed" else "", ""]
    else:
        line = ran.line
        values = [line.id, line.title, line.owner, ran.verdict.value, ""]
    shown = [_cell(name, text) for name, text in zip(_COLUMNS, values, strict=True)]
    if ran is not None:
        shown[-1] = f'<td class="col-measured">{"".join(_measured(ran))}</td>'
    cells[:] = [result.replace("<td ", "<td hidden ", 1), *shown, duration]


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_table_html(report: Any, data: list[str]) -> None:
    """Everything that led to the verdict, in words; the traceback last."""
    ran = getattr(report, "golive", None)
    if ran is None:
        return
    parts = [
        ("How it was verified", ran.how),
        ("Message", ran.message),
        ("Remedy", ran.remedy),
        ("Claims", "\n".join(f"{_state(c)}  {c!r}" for c in ran.claims)),
        ("Other assertions that held", "\n".join(ran.asserted)),
        ("Facts used", ", ".join(ran.facts)),
        ("Traceback and output", ran.detail),
    ]
    data[:] = [f"<b>{title}</b>\n{_text(text)}\n" for title, text in parts if text]


def _state(claim: Any) -> str:
    return "NOT SEEN" if claim.unseen else "holds" if claim.holds else "BROKEN"


def _measured(ran: Any) -> Iterator[str]:
    broken = [c for c in ran.claims if c.broken]
    for claim in (broken or list(ran.claims))[:_CLAIMS_IN_ROW]:
        yield f"<b>{_text(repr(claim))}</b>"
    if not broken and ran.message:
        yield f"<b>{_text(ran.message)}</b>"


def _cell(name: str, text: str) -> str:
    style = f" v-{slug(text)}" if name == "verdict" and text else ""
    return f'<td class="col-{name}{style}">{_text(text)}</td>'


def _text(text: str) -> str:
    return _LEADING_E.sub("&#69;", escape(clean(text)))
