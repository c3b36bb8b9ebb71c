"""The report of a run: what it says, that it is safe, and that everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from golive.ledger import Claim, EnvironmentRef, Gathered, Run, Suite
from golive.reports.run_report import view_of, write_run_report
from golive.verdicts import GoliveError, Verdict

Open = Callable[..., Page]
HOSTILE = "<script>hacked = 1</script><img src=x onerror='hacked=1'>\"'&\x1b[31m\u202e{{ 7 * 7 }}"


@pytest.fixture
def show(tmp_path: Path, open_page: Open) -> Callable[..., Page]:
    """Write a run's report and open it."""

    def written(run: Run, **how: Any) -> Page:
        return open_page(write_run_report(run, tmp_path / "report.html"), **how)

    return written


def text(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).first.inner_text().split())


# -- what it says ------------------------------------------------------------------------------


def test_one_answer_stands_on_top_grouped_by_owner_most_pressing_first(
    runs: Any, show: Any
) -> None:
    lines = [
        runs.line("A.1", owner="Pending Owner", order=0),
        runs.line("B.1", owner="Unknown Owner", order=1),
        runs.line("C.1", owner="Red Owner", order=2),
        runs.line("C.2", owner="Red Owner", order=3),
        runs.line("D.1", owner="Green Owner", order=4),
    ]
    verdicts = [
        runs.verdict("A.1", Verdict.PENDING),
        runs.verdict("B.1", Verdict.UNKNOWN),
        runs.verdict("C.1", Verdict.PENDING),
        runs.verdict("C.2", Verdict.FAIL),
        runs.verdict("D.1"),
    ]
    page = show(runs.run(lines, verdicts))
    assert text(page, "#answer") == "4 of 5 items stand in the way."
    owners = page.locator(".owner h3").all_inner_texts()
    assert [o.split("\n")[0].strip() for o in owners] == [
        "Red Owner",
        "Unknown Owner",
        "Pending Owner",
    ]
    first = page.locator(".owner").first.locator(".waiting li")
    assert first.count() == 2
    assert " ".join(first.first.inner_text().split()) == (
        "FAIL C.2 Title of C.2 p95: 23.4 ms; required below 50 ms"
    )


def test_a_run_without_red_says_what_still_counts_against_go(runs: Any, show: Any) -> None:
    run = runs.simple(
        Verdict.PASS, unwritten=[runs.line("D-12.1.1", block="other", order=1)], deselected=3
    )
    page = show(run)
    assert text(page, "#answer") == "Nothing that was looked at stands in the way."
    caveats = text(page, ".caveats")
    assert "1 item of the procedure is not written yet; it counts against GO." in caveats
    assert "3 written items were not part of this run." in caveats
    assert not page.locator(".unwritten li").is_visible()
    page.locator(".unwritten summary").click()
    assert page.locator(".unwritten li").inner_text() == "D-12.1.1 Title of D-12.1.1"


def test_an_empty_run_is_no_good_news(runs: Any, show: Any) -> None:
    page = show(runs.run([], []))
    assert text(page, "#answer") == "Nothing was looked at."
    assert page.locator(".answer.clear").count() == 0


def test_an_interrupted_run_says_so_and_cannot_be_signed(runs: Any, show: Any) -> None:
    lines = runs.lines("D-13.1.1", "D-13.1.2")
    page = show(runs.run(lines, [runs.verdict("D-13.1.1")], exit_status=None))
    assert text(page, "#answer") == "1 of 2 items stands in the way."
    assert "The run was interrupted: it has 1 verdict for 2 selected items" in text(page, "main")
    assert "Not ready to sign: 1 NOT REACHED, the run did not end." in text(page, ".paper")
    assert "no end: interrupted" in text(page, "footer")


def test_a_run_stopped_by_hand_says_so(runs: Any) -> None:
    run = runs.run(runs.lines("A.1", "A.2"), [runs.verdict("A.1")], exit_status=2)
    assert "The run was stopped before 1 item had a turn." in view_of(run).caveats


def test_a_row_shows_what_was_measured_the_broken_claims_first(runs: Any, show: Any) -> None:
    claims = [
        Claim("first", "1", "at least 1", holds=True),
        Claim("second", "2 s", "at most 1 s", holds=False, see="its log"),
        Claim("third", "3", "at least 1", holds=True),
    ]
    run = runs.run(
        runs.lines("D-13.1.1"),
        [
            runs.verdict(
                "D-13.1.1",
                Verdict.FAIL,
                claims=claims,
                asserted=["len(tables) == 3"],
                facts=["tables"],
                detail="line 3: AssertionError",
            )
        ],
        facts=[
            Gathered(
                probe="tables",
                observed_at=runs.verdict("x").started_at,
                duration_s=0.2,
                value={"count": 3, "rows": {"users": 12, "payments": [1, 2, 3]}},
            )
        ],
    )
    page = show(run)
    row = page.locator("details.row")
    assert " ".join(row.locator(".meas").inner_text().split()) == (
        "second 2 s; required at most 1 s 2 more claims"
    )
    body = " ".join(row.locator(".body").inner_text().split())
    for said in (
        "Remedy Add the index, then run again.",
        "Message why D-13.1.1 is FAIL",
        "no second 2 s at most 1 s See its log yes first",
        "len(tables) == 3",
        "The histogram in Prometheus.",
        "tables count 3",
        "probe, read, db; suites/test_x.py::test_x",
    ):
        assert said in body
    page.locator(".glances a").click()
    facts = page.locator("#f-tables")
    expect(facts).to_have_attribute("open", "")  # once the browser has told of the new address
    assert "users 12 payments 1, 2, 3" in " ".join(facts.inner_text().split())


def test_a_list_is_whole_in_the_details_and_its_sql_can_be_copied(runs: Any, show: Any) -> None:
    names = [f"ix_{n}" for n in range(106)]
    drops = [f"drop index concurrently {name};" for name in names]
    claim = Claim("duplicates", "ix_0 and 105 more", "none", False, whole=names, sql=drops)
    verdict = runs.verdict("A.1", Verdict.FAIL, claims=[claim])
    page = show(runs.run(runs.lines("A.1", "A.2"), [verdict, runs.verdict("A.2")]))
    page.locator("#q").fill("ix_105")
    assert page.locator("#shown").inner_text() == "1 of 2 shown"
    row = page.locator("details.row:not([hidden])")
    row.locator("summary", has_text="All 106").click()
    assert row.locator("details.whole li").count() == 106
    row.locator("summary", has_text="SQL that mends them").click()
    assert row.locator("details.whole pre").inner_text() == "\n".join(drops)
    row.locator("button.copy").click()
    expect(row.locator("button.copy")).to_have_text(re.compile("Copied|Selected"))


def test_a_message_that_a_claim_says_already_is_not_said_twice(runs: Any) -> None:
    said = "p95: 23.4 ms; required below 50 ms"
    for message, shown in ((f"{said}; see its plan", ""), ("something else", "something else")):
        verdict = runs.verdict("A.1", Verdict.FAIL, message=message)
        (block,) = view_of(runs.run(runs.lines("A.1"), [verdict])).blocks
        assert block.rows[0].message == shown


def test_the_sheet_says_who_signs_what(runs: Any, show: Any) -> None:
    run = runs.simple(Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE)
    page = show(run)
    sheet = text(page, ".paper")
    for said in (
        "Day -13: Database",
        "Ready to sign: every item of this block holds.",
        "1 PASS",
        "Owner Database Administrator",
        "Planned 3 hours",
        "Candidate v2.0.0",
        run.digest,
        "I have read this run and state that the items above hold.",
        "Name Date Signature",
    ):
        assert said in sheet


@pytest.mark.parametrize(
    ("verdict", "changes", "reason"),
    [
        (Verdict.FAIL, {}, ["1 FAIL"]),
        (Verdict.UNKNOWN, {}, ["1 UNKNOWN"]),
        (Verdict.PENDING, {}, ["1 PENDING"]),
        (Verdict.NOT_DUE, {}, ["1 NOT DUE"]),
        (Verdict.PASS, {}, []),
        (Verdict.PASS, {"exit_status": None}, ["the run did not end"]),
        (Verdict.PASS, {"blocks": {"day_minus_13": 2}}, ["not all of its items were selected"]),
    ],
)
def test_a_block_is_ready_only_when_all_of_it_holds(
    runs: Any, verdict: Verdict, changes: dict[str, Any], reason: list[str]
) -> None:
    (block,) = view_of(runs.simple(verdict, **changes)).blocks
    assert block.reasons == reason


def test_an_unwritten_item_keeps_its_block_from_being_signed(runs: Any) -> None:
    unwritten = [runs.line("D-13.1.2", order=1, task="Other", minutes=60)]
    (block,) = view_of(runs.simple(Verdict.PASS, unwritten=unwritten)).blocks
    assert block.reasons == ["1 UNWRITTEN"]
    assert block.minutes == 240


def test_a_block_between_known_items_is_whole_though_others_were_deselected(runs: Any) -> None:
    before = runs.line("D-14.1.1", block="before", order=0)
    after = runs.line("D-12.1.1", block="after", order=3)
    run = runs.run(
        runs.lines("D-13.1.1", "D-13.1.2", order=1),
        [runs.verdict("D-13.1.1"), runs.verdict("D-13.1.2")],
        unwritten=[before, after],
        deselected=5,
    )
    assert view_of(run).blocks[0].reasons == []


def test_a_rehearsal_carries_its_band_and_production_does_not(runs: Any, show: Any) -> None:
    band = "REHEARSAL Stand-ins on one machine were looked at."
    page = show(runs.simple(Verdict.PASS))
    assert text(page, ".rehearsal").startswith(band)
    assert "signing it decides nothing" in text(page, ".paper")
    page = show(runs.simple(Verdict.PASS, kind="production"))
    assert page.locator(".rehearsal").count() == 0
    assert "ehearsal" not in text(page, "body")


def test_the_footer_identifies_the_run(runs: Any, show: Any) -> None:
    run = runs.simple(Verdict.PASS, suite=Suite("c9d6fab09b1c", clean=False))
    footer = text(show(run), "footer")
    for said in (
        "The rehearsal (rehearsal, rehearsal), fingerprint 9f31c6e2ab04",
        "v2.0.0, launch on 7 December 2026; the run took it to be 24 November 2026",
        f"{run.head.id} by dba on build-7",
        "23 November 2026, 22:43:07 UTC to",
        "commit c9d6fab09b1c, with uncommitted changes",
        "queries_s 5 min 00 s",
        run.digest,
    ):
        assert said in footer


# -- that it is safe ---------------------------------------------------------------------------


def test_what_a_system_answers_is_text_and_nothing_else(runs: Any, show: Any) -> None:
    line = runs.line(
        "D-13.1.1", **dict.fromkeys(("title", "owner", "block_title", "task", "area"), HOSTILE)
    )
    claims = [Claim(HOSTILE, HOSTILE, HOSTILE, holds, HOSTILE) for holds in (True, False)]
    reported = dict.fromkeys(("message", "remedy", "how", "detail", "nodeid"), HOSTILE)
    verdict = runs.verdict(
        line.id, Verdict.FAIL, claims=claims, asserted=[HOSTILE], facts=[HOSTILE], **reported
    )
    at = verdict.started_at
    facts = [
        Gathered(
            probe=HOSTILE, observed_at=at, duration_s=1, value={HOSTILE: [{HOSTILE: HOSTILE}]}
        ),
        Gathered(probe="b", observed_at=at, duration_s=1, error=HOSTILE),
        Gathered(probe="c", observed_at=at, duration_s=1, value=[[[[[HOSTILE, {HOSTILE: 1}]]]]]),
    ]
    run = runs.run(
        [line],
        [verdict],
        facts=facts,
        unwritten=[runs.line("D-13.1.2", title=HOSTILE, order=1)],
        candidate=HOSTILE,
        who=HOSTILE,
        host=HOSTILE,
        environment=EnvironmentRef(HOSTILE, "staging", HOSTILE, HOSTILE),
        suite=Suite(HOSTILE, clean=True),
        packages={HOSTILE: HOSTILE},
        windows={HOSTILE: 1.0},
    )
    page = show(run)
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    html = page.content()
    assert "<script>hacked = 1</script>" in page.locator("body").inner_text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", html)
    assert "{{ 7 * 7 }}" in html


def test_the_page_permits_itself_nothing_from_outside(runs: Any, tmp_path: Path) -> None:
    html = write_run_report(runs.simple(Verdict.PASS), tmp_path / "r.html").read_text()
    assert "content=\"default-src 'none'; script-src 'sha256-" in html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:|//)", html)


def test_a_long_message_is_all_there_and_a_row_stays_a_row(runs: Any, show: Any) -> None:
    message = "x" * 9_990 + " the end."
    run = runs.run(
        runs.lines("D-13.1.1"),
        [runs.verdict("D-13.1.1", Verdict.UNKNOWN, message=message)],
    )
    page = show(run, width=360)
    assert len(page.locator(".lead").inner_text()) < 500
    page.get_by_text("All 9,999 characters of it").click()
    assert message in page.locator(".body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_report_that_cannot_be_written_says_where(runs: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        GoliveError, match=r"file/r\.html: cannot be written: .*; expected a folder"
    ):
        write_run_report(runs.simple(Verdict.PASS), tmp_path / "file" / "r.html")


# -- that everybody can read it ----------------------------------------------------------------


def test_all_items_fit_into_a_megabyte(runs: Any, tmp_path: Path) -> None:
    run = runs.everything()
    assert len(run.lines) == 479
    path = write_run_report(run, tmp_path / "r.html")
    assert path.stat().st_size < 1_000_000


def test_axe_finds_nothing_in_light_dark_or_on_a_phone(
    runs: Any, tmp_path: Path, accessible: Callable[[Path], None]
) -> None:
    lines = runs.lines("D-13.1.1", "D-13.1.2", "D-13.1.3", "D-13.1.4", "D-13.1.5")
    lines += runs.lines("D-12.1.1", "D-12.1.2", "D-12.1.3", block="b", order=5)  # of the same title
    reported = [runs.verdict(x.id, v) for x, v in zip(lines, Verdict, strict=False)]
    facts = [
        Gathered(
            probe="tables",
            observed_at=reported[0].started_at,
            duration_s=0.2,
            value={
                "rows": [{"a": n, "b": "x" * 200} for n in range(70)],
                "none": [],
                "deep": [[[[[1, 2]]]]],
            },
        ),
        Gathered(
            probe="gone", observed_at=reported[0].started_at, duration_s=0.2, error="no answer"
        ),
    ]
    run = runs.run(
        lines, reported, facts=facts, unwritten=[runs.line("D-11.1.1", block="c", order=9)]
    )
    accessible(write_run_report(run, tmp_path / "r.html"))


def test_every_state_is_told_by_word_and_shape(runs: Any, show: Any) -> None:
    verdicts = list(Verdict)
    run = runs.run(
        runs.lines(*(f"A.{n}" for n in range(len(verdicts) + 1))),
        [runs.verdict(f"A.{n}", v) for n, v in enumerate(verdicts)],
        unwritten=[runs.line("A.99", order=99)],
    )
    page = show(run)
    badges = page.locator(".ticks span.v")
    assert badges.all_inner_texts() == [*map(str, verdicts), "NOT REACHED", "UNWRITTEN"]
    shapes = badges.locator("use").evaluate_all("us => us.map(u => u.getAttribute('href'))")
    assert len(set(shapes)) == len(verdicts) + 2
    assert all(page.locator(shape.replace("#", "symbol#")).count() == 1 for shape in shapes)


def test_items_can_be_filtered_without_a_mouse(runs: Any, show: Any) -> None:
    lines = [
        runs.line("A.1", owner="One", area="db", order=0),
        runs.line("A.2", owner="Two", area="security", order=1),
        runs.line("B.1", owner="Two", area="db", block="b", block_title="B", order=2),
    ]
    reported = [
        runs.verdict("A.1"),
        runs.verdict("A.2", Verdict.FAIL, how="Asks the Oracle."),
        runs.verdict("B.1"),
    ]
    page = show(runs.run(lines, reported))

    def shown() -> list[str]:
        return [r.split()[0] for r in page.locator("details.row:visible .id").all_inner_texts()]

    assert shown() == ["A.1", "A.2", "B.1"]
    page.locator("#q").focus()
    page.keyboard.type("oracle")
    assert shown() == ["A.2"]
    assert text(page, "#shown") == "1 of 3 shown"
    assert not page.locator("#h-b-b").is_visible()
    for _ in "oracle":
        page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    page.keyboard.press("T")  # a select takes the letter that its option begins with
    assert shown() == ["A.2", "B.1"]
    page.keyboard.press("Tab")
    page.keyboard.press("d")
    assert shown() == ["B.1"]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the second box is PASS
    assert shown() == []
    assert page.locator("#none").is_visible()
    page.locator("#all").press("Enter")
    expect(page.locator("#shown")).to_have_text("3 shown")
    assert shown() == ["A.1", "A.2", "B.1"]


def test_a_link_leads_to_its_item_even_when_the_filter_hid_it(runs: Any, show: Any) -> None:
    page = show(runs.simple(Verdict.PASS, Verdict.FAIL))
    page.locator("#q").fill("D-13.1.1")
    assert not page.locator("#i-D-13\\.1\\.2").is_visible()
    page.locator(".waiting a").first.click()
    expect(page.locator("#i-D-13\\.1\\.2")).to_be_visible()
    expect(page.locator("#i-D-13\\.1\\.2")).to_have_attribute("open", "")


def test_without_scripts_it_is_a_plain_list(runs: Any, show: Any) -> None:
    page = show(runs.simple(Verdict.PASS, Verdict.FAIL), script=False)
    assert page.locator("details.row:visible").count() == 2
    assert not page.locator("#filter").is_visible()
    page.locator("details.row summary").first.click()
    assert page.locator("details.row .body").first.is_visible()


@pytest.mark.parametrize("script", [True, False])
def test_on_paper_every_sheet_stands_open_on_a_page_of_its_own(
    runs: Any, show: Any, script: bool
) -> None:
    lines = [runs.line(f"{b}.1", block=b, block_title=b, order=n) for n, b in enumerate("abcd")]
    page = show(runs.run(lines, [runs.verdict(x.id) for x in lines]), script=script)
    sheets = page.locator("details.sheet")
    assert sheets.count() == 4
    assert not page.locator(".paper").first.is_visible()
    page.emulate_media(media="print")
    for n in range(4):
        assert page.locator(".lines").nth(n).bounding_box()
    styles = "e => [getComputedStyle(e).breakBefore, getComputedStyle(e).breakAfter].join()"
    assert sheets.first.evaluate(styles) == "page,page"
