"""A page's policy permits its own script and styles, and nothing that got in beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from golive.reports import sheets
from golive.reports.documents import page as document_page
from golive.reports.launch_page import page as launch_page
from golive.reports.run_report import page as run_page
from golive.verdicts import Verdict
from tests.golive.reports.test_documents import document
from tests.golive.reports.test_launch_page import answer, standing

INJECTED = (
    "<script>window.hacked = 'script'</script>"
    "<img src=x onerror=\"window.hacked = 'handler'\">"
    "<svg onload=\"window.hacked = 'svg'\"></svg>"
    "<iframe srcdoc=\"<script>parent.hacked = 'frame'</script>\"></iframe>"
    "<style>main { display: none }</style>"
    "<form action='https://example.com/'><button id=leak>Send</button></form>"
    "<base href='https://example.com/'>"
)
Pages = dict[str, str]


@pytest.fixture
def pages(runs: Any) -> Pages:
    """One of each kind."""
    run = runs.simple(Verdict.PASS, Verdict.FAIL)
    of = answer(standing(runs, "D-13.1.1", Verdict.PASS), standing(runs, "D-13.1.2", Verdict.FAIL))
    return {
        "run": run_page(run),
        "launch": launch_page(of),
        "document": document_page(document()),
        "sheet": next(iter(sheets.sheets(of).values())),
    }


KINDS = ("run", "launch", "document", "sheet")


@pytest.mark.parametrize("kind", KINDS)
def test_what_got_into_a_page_does_not_run_and_the_page_itself_does(
    pages: Pages, kind: str, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "page.html"
    path.write_text(pages[kind].replace("<main", f"{INJECTED}<main", 1), encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(path.as_uri())
    page.wait_for_load_state()
    assert page.locator("#leak").count() == 1, "it has to be in the page to prove anything"
    page.locator("#leak").dispatch_event("click")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked || 'nothing'") == "nothing"
    assert page.url == path.as_uri()
    assert page.evaluate("document.baseURI") == path.as_uri()
    assert page.locator("main").is_visible()
    assert [u for u in asked if not u.startswith("file:")] == []
    if kind in ("run", "launch"):
        assert page.locator("#filter").is_visible(), "our own script shows it"
    page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_as_it_is_breaks_no_rule_of_its_policy(
    pages: Pages, kind: str, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    path = tmp_path / "page.html"
    path.write_text(pages[kind], encoding="utf-8")
    page = open_page(path)  # an error that the browser tells of fails the test
    assert page.evaluate("getComputedStyle(document.body).fontFamily") != "serif"
    assert page.evaluate("document.styleSheets.length") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_names_what_it_permits_and_is_the_same_each_time(
    pages: Pages, kind: str, runs: Any
) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', pages[kind])
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert "unsafe" not in rules["script-src"] + rules["style-src-elem"]
    assert ("sha256-" in rules["script-src"]) == (kind in ("run", "launch"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    if kind == "document":
        assert pages[kind] == document_page(document())
