"""Documents that people sign: what their pages show is what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from golive.reports.documents import (
    Document,
    Figure,
    Look,
    OpenIssue,
    Signer,
    Table,
    VerdictRow,
    bars,
    canonical,
    differences,
    figures_in,
    read_document,
    write_document,
)
from golive.verdicts import GoliveError, Verdict

AT = datetime(2026, 11, 23, 22, 43, 7, tzinfo=UTC)
HOSTILE = "</script><script>hacked = 1</script>&\x1b[31m"


def document(**changes: Any) -> Document:
    known: dict[str, Any] = {
        "kind": "database-performance-report",
        "item": "D-13.D.1",
        "title": "Database performance report",
        "signers": [Signer(role="database_administrator", title="Database Administrator")],
        "environment": "staging",
        "environment_kind": "staging",
        "fingerprint": "9f31c6e2ab04" * 5,
        "candidate": "v2.0.0",
        "subject": "7448812311234123123",
        "subject_kind": "database system identifier",
        "made_at": AT,
        "summary": "p95 over all queries is 12.4 ms.",
        "verdicts": [
            VerdictRow(
                id="D-13.1.2",
                title="Query performance validated",
                verdict=Verdict.PASS,
                value="p95: 12.4 ms",
                target="below 50 ms",
                looked_at=AT,
                run="20261123-run",
                digest="ab12" * 16,
            )
        ],
        "figures": [Figure(name="p95 over all queries", value=12.4, unit="ms", limit=50.0)],
        "tables": [
            Table(
                title="p95 of each statement",
                columns=["statement", "calls", "p95 ms"],
                rows=[["by day", 1200.0, 64.0], ["by barber", 90.0, 16.0], ["odd", 3.0, "none"]],
                plot="p95 ms",
                limit=50.0,
            )
        ],
    }
    return Document(**(known | changes))


def test_a_page_carries_its_document(tmp_path: Path) -> None:
    path = write_document(document(), tmp_path / "d.html")
    assert read_document(path) == document()
    assert differences(read_document(path), document()) == []
    first = path.read_bytes()
    assert write_document(read_document(path), path).read_bytes() == first


def test_a_page_shows_verdicts_figures_and_bars(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(write_document(document(), tmp_path / "d.html"))
    said = " ".join(page.locator("body").inner_text().split())
    for words in (
        "Candidate v2.0.0 on staging, made 23 November 2026, 22:43:07 UTC",
        "p95 over all queries is 12.4 ms.",
        "PASS D-13.1.2 Query performance validated p95: 12.4 ms below 50 ms",
        "ab12ab12ab12ab12",
        "p95 over all queries 12.4 ms 50 ms",
        "by day 1,200 64 over by barber 90 16 odd 3 none",
        "Database Administrator Date Signature",
        "7448812311234123123",
    ):
        assert words in said
    widths = page.locator("rect.mass").evaluate_all("rs => rs.map(r => r.getAttribute('width'))")
    assert widths == ["100.00", "25.00"]
    assert page.locator(".limit").first.get_attribute("d") == "M78.12 0v8"
    assert page.locator(".rehearsal").count() == 0


def test_hostile_words_stay_words(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    hostile = document(
        **dict.fromkeys(("title", "environment", "candidate", "summary", "subject"), HOSTILE),
        signers=[Signer(role=HOSTILE, title=HOSTILE)],
        open=[
            OpenIssue(
                id=HOSTILE, title=HOSTILE, state=HOSTILE, owner=HOSTILE, due=AT.date(), why=HOSTILE
            )
        ],
        history=[Look(run=HOSTILE, at=AT, verdicts={HOSTILE: Verdict.FAIL})],
        environment_kind="rehearsal",
        figures=[Figure(name=HOSTILE, value=HOSTILE, unit=HOSTILE)],
        tables=[Table(title=HOSTILE, columns=[HOSTILE, "b"], rows=[[HOSTILE, 1.0]], plot="b")],
    )
    path = write_document(hostile, tmp_path / "d.html")
    page = open_page(path)
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("script").count() == 1
    assert "\x1b" not in path.read_text(encoding="utf-8")
    assert read_document(path) == hostile
    assert page.locator(".rehearsal").count() == 1


def test_the_data_is_canonical() -> None:
    data = canonical(document(title="<&>"))
    assert b'"title":"\\u003c\\u0026\\u003e"' in data
    keys = re.findall(
        rb'"(\w+)":', canonical(document(signers=[], verdicts=[], figures=[], tables=[]))
    )
    assert keys == sorted(keys)
    assert msgspec.json.decode(data, type=Document).title == "<&>"


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"candidate": "v2.0.1"}, "candidate is v2.0.1, the ledger has v2.0.0"),
        ({"figures": []}, "p95 over all queries is missing, the ledger has 12.4 ms"),
        (
            {"tables": [Table(title="new", columns=["a", "b"], rows=[["x", 1.0]])]},
            "new, x, b is 1.0, the ledger has none",
        ),
    ],
)
def test_differences_name_the_figure(change: dict[str, Any], reported: str) -> None:
    assert reported in differences(document(**change), document())


def test_every_statement_of_fact_is_counted() -> None:
    assert figures_in(document()) == 6 + 6 + 1 + 6


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("<html></html>", "found no embedded data"),
        (
            '<script type="application/json" id="golive-document">{"kind":1}</script>',
            "its embedded data is damaged",
        ),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, text: str, reported: str) -> None:
    path = tmp_path / "d.html"
    path.write_text(text)
    with pytest.raises(GoliveError, match=reported):
        read_document(path)
    with pytest.raises(GoliveError, match="cannot be read"):
        read_document(tmp_path / "none.html")


def test_the_course_over_the_runs_is_drawn_and_told(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    looks = [
        Look(run="a", at=AT, verdicts={"A": Verdict.PASS, "B": Verdict.FAIL}),
        Look(run="b", at=AT, verdicts={"A": Verdict.PASS}),
    ]
    made = document(history=looks)
    assert [b.pieces for b in bars(made)] == [
        [(Verdict.PASS, 0.0, 50.0), (Verdict.FAIL, 50.0, 50.0)],
        [(Verdict.PASS, 0.0, 50.0)],
    ]
    page = open_page(write_document(made, tmp_path / "d.html"))
    assert page.locator(".course rect").count() == 3
    page.locator("summary").click()
    said = " ".join(page.locator("main").inner_text().split())
    assert "2 runs from 23 November 2026" in said
    assert "B FAIL 2" in said
    forged = [looks[0], Look(run="b", at=AT, verdicts={"A": Verdict.FAIL})]
    reported = "what the run b found is not what the ledger has of it"
    assert differences(document(history=forged), made) == [reported]


def test_open_issues_have_state_owner_day_and_reason(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    issue = OpenIssue(
        id="D-14.1.1",
        title="Cluster",
        state="NOT LOOKED AT",
        owner="DevOps Lead",
        due=AT.date(),
        why="nobody has looked at it yet",
    )
    page = open_page(write_document(document(open=[issue]), tmp_path / "d.html"))
    said = " ".join(page.locator("main").inner_text().split())
    assert (
        "NOT LOOKED AT D-14.1.1 Cluster DevOps Lead due 23 November 2026"
        " nobody has looked at it yet" in said
    )


def test_each_signer_has_a_line(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    signers = [*document().signers, Signer(role="finance", title="Finance")]
    page = open_page(write_document(document(signers=signers), tmp_path / "d.html"))
    assert page.locator(".lines dt").all_inner_texts()[::3] == ["Database Administrator", "Finance"]


def test_axe_finds_nothing_in_a_document(
    tmp_path: Path, accessible: Callable[[Path], None]
) -> None:
    empty = Table(title="Index findings", columns=["index", "finding"], rows=[])
    issue = OpenIssue(
        id="D-14.1.1",
        title="Cluster",
        state="UNWRITTEN",
        owner="DevOps Lead",
        due=AT.date(),
        why="nobody has written its check yet",
    )
    look = Look(run="a", at=AT, verdicts={"A": Verdict.PASS, "B": Verdict.FAIL})
    full = document(
        environment_kind="rehearsal",
        tables=[*document().tables, empty],
        open=[issue],
        history=[look] * 30,
    )
    accessible(write_document(full, tmp_path / "d.html"))


def test_a_document_that_rests_on_nothing_says_so(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    bare = document(verdicts=[], figures=[], tables=[])
    page = open_page(write_document(bare, tmp_path / "d.html"))
    assert "There is no verdict that it could rest on." in page.locator("main").inner_text()
