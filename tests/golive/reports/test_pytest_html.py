"""pytest-html's report with golive's columns, as a reader finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

ITEMS = '''
@item("D-2.1.1")
def test_one() -> None:
    """Looked at.

    Remedy: fix <b>it</b>.
    """
    assert at_most("p95 <i>", 23.4, 50, "ms")

@item("D-2.1.2")
def test_two() -> None:
    """Looked at."""
    assert at_most("E<img src=x onerror=hacked=1>", 61, 50, "ms")

@item("D-2.1.3")
def test_three(request) -> None:
    """Looked at."""
    raise ProbeError("db-1", "timed out", "is it up?")

@attested("D-2.2.1", "it was done")
def test_four() -> None:
    """Stated."""
'''


def test_it_shows_ids_owners_verdicts_and_measurements(
    root: Any, open_page: Callable[..., Page]
) -> None:
    root.items(ITEMS)
    done = root.run(
        "-p",
        "pytest_metadata.plugin",
        "-p",
        "pytest_html.plugin",
        "--html=out.html",
        "--self-contained-html",
    )
    assert done.ret == 1
    page = open_page(root.path / "out.html")
    assert page.title() == "Launch validation"
    heads = page.locator("#results-table-head th:visible").all_inner_texts()
    assert heads == ["Id", "Title", "Owner", "Verdict", "Measured", "Duration"]
    rows = {
        cells[0]: cells[1:5]
        for row in page.locator("tr.collapsible").all()
        if (cells := row.locator("td:visible").all_inner_texts())
    }
    assert rows == {
        "D-2.1.1": [
            "Title of D-2.1.1",
            "Product Manager",
            "PASS",
            "p95 <i>: 23.4 ms; required at most 50 ms",
        ],
        "D-2.1.2": [
            "Title of D-2.1.2",
            "Product Manager",
            "FAIL",
            "E<img src=x onerror=hacked=1>: 61 ms; required at most 50 ms",
        ],
        "D-2.1.3": [
            "Title of D-2.1.3",
            "Product Manager",
            "UNKNOWN",
            "could not look at db-1: timed out; next: is it up?",
        ],
        "D-2.2.1": [
            "Title of D-2.2.1",
            "Product Manager",
            "PENDING",
            ("not stated yet by product manager: it was done; next: `golive attest D-2.2.1`"),
        ],
    }
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img[src='x']").count() == 0
    failed = page.locator("input[data-test-result=failed]")
    failed.uncheck()
    assert page.locator("tr.collapsible").count() == 1
    failed.check()
    page.get_by_role("button", name="Show all details").click()
    logs = "\n".join(page.locator(".log").all_inner_texts())
    assert "fix <b>it</b>." in logs
    assert "BROKEN  E<img src=x onerror=hacked=1>: 61 ms" in logs
