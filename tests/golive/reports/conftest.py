"""Literal runs, and a real browser to read their pages in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from golive import ledger, procedure
from golive.ledger import (
    Claim,
    EnvironmentRef,
    Gathered,
    Head,
    ItemVerdict,
    Line,
    Run,
    Suite,
)
from golive.masking import Mask
from golive.verdicts import Verdict
from rehearsal.kernel.binaries import find

SUITES = Path(__file__).parents[3] / "suites"
STARTED = datetime(2026, 11, 23, 22, 43, 7, tzinfo=UTC)


class Runs:
    """Makes runs from words, by way of the ledger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def line(self, ident: str = "D-13.1.2", **changes: Any) -> Line:
        """An item's line."""
        known: dict[str, Any] = {
            "title": f"Title of {ident}",
            "owner": "Database Administrator",
            "block": "day_minus_13",
            "block_title": "Day -13: Database",
            "phase": "t_minus_2_weeks",
            "task": "Performance",
            "time": "3 hours",
            "minutes": 180,
            "area": "db",
            "way": "probe",
            "effect": "read",
            "order": 0,
        }
        return Line(id=ident, **(known | changes))

    def lines(self, *idents: str, **changes: Any) -> list[Line]:
        """Several lines, one after another in the procedure."""
        first = changes.pop("order", 0)
        return [self.line(i, order=first + n, **changes) for n, i in enumerate(idents)]

    def verdict(self, ident: str, verdict: Verdict = Verdict.PASS, **changes: Any) -> ItemVerdict:
        """A verdict with one claim that fits it."""
        holds = verdict is Verdict.PASS
        judged = verdict in (Verdict.PASS, Verdict.FAIL)
        known: dict[str, Any] = {
            "started_at": STARTED + timedelta(seconds=1),
            "duration_s": 0.42,
            "how": "The histogram in Prometheus.",
            "remedy": "Add the index, then run again.",
            "message": "" if holds else f"why {ident} is {verdict}",
            "claims": [Claim("p95", "23.4 ms", "below 50 ms", holds)] if judged else [],
            "nodeid": "suites/test_x.py::test_x",
        }
        return ItemVerdict(id=ident, verdict=verdict, **(known | changes))

    def run(
        self,
        selected: Sequence[Line],
        verdicts: Sequence[ItemVerdict],
        *,
        facts: Sequence[Gathered] = (),
        kind: str = "rehearsal",
        exit_status: int | None = 1,
        **changes: Any,
    ) -> Run:
        """A run read back from disk; ``exit_status`` None: it was cut off."""
        self._made += 1
        known: dict[str, Any] = {
            "id": f"20261123T224307Z-{kind}-{self._made}",
            "environment": EnvironmentRef(kind, kind, f"The {kind}", "9f31c6e2ab04" * 5),
            "candidate": "v2.0.0",
            "launch_date": date(2026, 12, 7),
            "today": date(2026, 11, 24),
            "who": "dba",
            "host": "build-7",
            "started_at": STARTED,
            "suite": Suite("c9d6fab09b1c", clean=True),
            "packages": {"pytest": "9.2.0"},
            "windows": {"queries_s": 300.0},
            "unwritten": [],
        }
        given = known | changes
        sizes = Counter(line.block for line in [*selected, *given.get("unwritten", [])])
        head = Head(selected=list(selected), **({"blocks": dict(sizes)} | given))
        written = ledger.Ledger(self._folder, head, Mask())
        for gathered in facts:
            written.add_facts(gathered)
        for verdict in verdicts:
            written.add_verdict(verdict)
        if exit_status is not None:
            written.close(exit_status)
        return ledger.read_run(written.folder)

    def simple(self, *verdicts: Verdict, **changes: Any) -> Run:
        """One block with these verdicts, complete and ended."""
        idents = [f"D-13.1.{n}" for n in range(1, len(verdicts) + 1)]
        reported = [self.verdict(i, v) for i, v in zip(idents, verdicts, strict=True)]
        return self.run(self.lines(*idents), reported, **changes)

    def everything(self, **changes: Any) -> Run:
        """All items of the procedure with mixed verdicts, three claims each, and facts."""
        items = list(procedure.load(SUITES / "procedure.toml"))
        fields = Line.__struct_fields__
        lines = [Line(**{name: getattr(item, name) for name in fields}) for item in items]
        cycle = [*[Verdict.PASS] * 14, *Verdict]
        claims = [
            Claim("streaming standbys", "1", "at least 1", holds=True),
            Claim(
                "replay lag of each standby",
                "1 measured, worst db-2 0.2 s",
                "each at most 10 s",
                holds=True,
            ),
            Claim(
                "inactive slots",
                "none among 2 slots",
                "none among at least one of slots",
                holds=True,
            ),
        ]
        verdicts = [
            self.verdict(line.id, v, facts=[f"probe_{n % 60}"], claims=claims)
            if (v := cycle[n % len(cycle)]) is Verdict.PASS
            else self.verdict(line.id, v, facts=[f"probe_{n % 60}"])
            for n, line in enumerate(lines)
        ]
        facts = [
            Gathered(
                probe=f"probe_{n}",
                observed_at=STARTED,
                duration_s=0.3,
                value={"count": n, "rows": [{"name": f"row {k}", "ms": k * 1.5} for k in range(9)]},
            )
            for n in range(60)
        ]
        return self.run(lines, verdicts, facts=facts, **changes)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Makes runs from words."""
    return Runs(tmp_path / "reports")


@pytest.fixture(scope="package")  # its event loop would stand in the way of other tests' own
def browser() -> Iterator[Browser]:
    """Headless Chromium: the system's, or what ``make setup`` fetched; its absence is an error."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
    binary = find("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(binary.path), args=root, env={**os.environ, **binary.environment}
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a file in a page; what else it asks for, and any error in it, fails the test."""
    contexts = []
    errors: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        errors.append(dialog.message)
        dialog.dismiss()

    def opened(path: Path, *, width: int = 1280, dark: bool = False, script: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: errors.append(r.url) if r.url != path.as_uri() else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("dialog", dismissed)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def _violations(page: Page) -> list[str]:
    """What axe finds on a page, with its details closed and open."""
    found: list[str] = []
    for state in ("as it opens", "all open"):
        if state == "all open":
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found += [
            f"{state}: {v['id']}: {[n['target'] for n in v['nodes']][:3]}"
            for v in Axe().run(page).response["violations"]
        ]
    return found


@pytest.fixture
def accessible(open_page: Callable[..., Page]) -> Callable[[Path], None]:
    """Assert that axe finds nothing and nothing overflows: light, dark, and on a phone."""

    def check(path: Path) -> None:
        for width, dark in ((1280, False), (1280, True), (360, False)):
            page = open_page(path, width=width, dark=dark)
            assert _violations(page) == [], f"{width} px, dark {dark}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    return check
