"""The launch page: the answer on top, everything else by a click, for everybody to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from golive import procedure
from golive.answer import (
    GO,
    MISSING,
    NO_GO,
    STALE,
    UNWRITTEN,
    Answer,
    Change,
    Day,
    Remaining,
    Rule,
    RunRef,
    Said,
    Standing,
)
from golive.ledger import Claim
from golive.readiness import as_line
from golive.reports.launch_page import STATES, view_of, write_launch_page
from golive.verdicts import GoliveError, Verdict

Open = Callable[..., Page]
SUITES = Path(__file__).parents[3] / "suites"
NOW = datetime(2026, 11, 25, 21, 13, 7, tzinfo=UTC)
LAUNCH = date(2026, 12, 7)
HOSTILE = "<script>hacked = 1</script><img src=x onerror='hacked=1'>\"'&\x1b[31m\u202e{{ 7 * 7 }}"
GREEN = (Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE)


def standing(
    runs: Any, ident: str = "D-13.1.1", state: str = Verdict.PASS, **changes: Any
) -> Standing:
    """An item as it stands; fields of its line by name."""
    fields = set(Standing.__struct_fields__)
    line = runs.line(ident, **{k: v for k, v in changes.items() if k not in fields})
    known: dict[str, Any] = {
        "line": line,
        "due": LAUNCH - timedelta(days=13),
        "is_due": True,
        "counts": True,
        "state": str(state),
        "is_open": state not in GREEN,
        "reason": "" if state in GREEN else f"why {ident} is {state}",
        "since": None if state in GREEN else NOW - timedelta(days=3),
        "looked_at": NOW - timedelta(hours=2),
        "fresh_until": NOW + timedelta(hours=22),
        "run": "20261125T190000Z-staging-1",
        "how": "The histogram in Prometheus.",
        "remedy": "add the index, then run again",
        "claims": [Claim("p95", "23.4 ms", "below 50 ms", state in GREEN)],
    }
    one: Standing = Standing(**(known | {k: v for k, v in changes.items() if k in fields}))
    return one


def said(**changes: Any) -> Said:
    """A statement."""
    known: dict[str, Any] = {
        "id": "20261125T180000Z-D-13.1.1-paul-0123456789ab",
        "kind": "attest",
        "by": "Paul Adeyemi",
        "role": "product_manager",
        "text": "everybody was notified",
        "made_at": NOW - timedelta(hours=3),
        "expires_at": NOW + timedelta(days=6),
    }
    return Said(**(known | changes))


def rule(name: str = "failed", *, holds: bool = True, **changes: Any) -> Rule:
    """A rule."""
    known: dict[str, Any] = {"subject": f"the {name}", "observed": "none", "required": "none"}
    return Rule(name=name, holds=holds, **(known | changes))


def answer(*standings: Standing, **changes: Any) -> Answer:
    """An answer over these items; NO-GO where one of them is open."""
    waiting = [s for s in standings if s.counts and s.is_open]
    owners = dict.fromkeys(s.line.owner for s in waiting)
    known: dict[str, Any] = {
        "environment": "staging",
        "environment_kind": "staging",
        "environment_title": "The staging",
        "candidate": "v2.0.0",
        "launch_date": LAUNCH,
        "today": NOW.date(),
        "made_at": NOW,
        "answer": NO_GO if waiting else GO,
        "rules": [rule("failed", holds=not waiting), rule("approved")],
        "standings": list(standings),
        "changes": [],
        "changed_since": NOW - timedelta(days=1),
        "days": [Day(day=NOW.date(), counts={"PASS": 1})],
        "runs": [RunRef(id="20261125T190000Z-staging-1", started_at=NOW, digest="9f" * 32)],
        "remaining": [
            Remaining(
                owner=o or "no owner",
                items=sum(s.line.owner == o for s in waiting),
                minutes=180,
                done_by=NOW.date(),
            )
            for o in owners
        ],
        "earliest": NOW.date(),
        "earliest_reason": "nothing stands in the way",
        "decisions": [],
        "awaited": [],
        "readiness": "ab" * 32,
        "rule_changes": [],
        "rules_since": None,
        "elsewhere": None,
        "holders": {"Database Administrator": ["Dana Reyes"]},
    }
    return Answer(**(known | changes))


def everything(runs: Any) -> Answer:
    """All items of the procedure in all states, with 500 statements, 60 runs and 60 days."""
    items = list(procedure.load(SUITES / "procedure.toml"))
    cycle = [*[Verdict.PASS] * 14, *STATES]
    reported = []
    for n, item in enumerate(items):
        one = standing(
            runs,
            item.id,
            cycle[n % len(cycle)],
            due=LAUNCH + timedelta(days=item.due_day),
            counts=item.due_day < 0,
            claims=[
                Claim(
                    "replay lag of each standby",
                    "2 measured, worst db-2 0.2 s",
                    "each at most 10 s",
                    holds=True,
                ),
                Claim("streaming standbys", "2", "at least 1", holds=True),
            ],
            said=[said(text=f"I stand for {item.title}, as seen on the day") for _ in range(500)][
                n * 500 // 479 : (n + 1) * 500 // 479
            ],
        )
        reported.append(msgspec.structs.replace(one, line=as_line(item)))
    days = [
        Day(day=NOW.date() - timedelta(days=59 - n), counts={"PASS": 5 * n, "FAIL": 479 - 5 * n})
        for n in range(60)
    ]
    refs = [
        RunRef(
            id=f"202611{n % 28 + 1:02}T190000Z-staging-{n}",
            started_at=NOW,
            digest="9f" * 32,
            who="nightly",
            host="ci-7",
            counts={"PASS": 300, "FAIL": 179},
            clean=True,
            commit="c9d6fab09b1c",
        )
        for n in range(60)
    ]
    return answer(*reported, days=days, runs=refs)


@pytest.fixture
def show(tmp_path: Path, open_page: Open) -> Callable[..., Page]:
    """Write an answer's page and open it."""

    def written(of: Answer, **how: Any) -> Page:
        return open_page(write_launch_page(of, tmp_path / "launch.html"), **how)

    return written


def text(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).first.inner_text().split())


# -- what it says ------------------------------------------------------------------------------


def test_the_answer_is_the_largest_word_and_one_sentence_says_why(runs: Any, show: Any) -> None:
    page = show(
        answer(
            standing(runs, "D-13.1.1", Verdict.FAIL),
            standing(runs, "D-13.1.2"),
            awaited=["executive_team", "technical_lead"],
            rules=[
                rule("failed", holds=False),
                rule("approved", holds=False),
                rule("clock", holds=False, subject="this clock"),
            ],
        )
    )
    assert text(page, "h1") == "NO-GO"
    assert text(page, ".sentence") == (
        "1 of 2 items stands in the way, 2 roles have yet to approve and 1 other rule is broken"
        " (this clock)."
    )
    sizes = page.locator("h1, h2, h3, .sentence").evaluate_all(
        "es => es.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert sizes[0] > 2 * max(sizes[1:])
    assert page.title() == "NO-GO: v2.0.0 on The staging"


def test_go_says_what_it_rests_on_and_asks_nobody_to_act(runs: Any, show: Any) -> None:
    page = show(answer(standing(runs)))
    assert text(page, "h1") == "GO"
    assert text(page, ".sentence") == "All 1 item that GO rests on hold and all have approved."
    assert page.locator(".acts, .whose").count() == 0


def test_an_answer_over_nothing_is_no_good_news(show: Any) -> None:
    page = show(
        answer(
            answer=NO_GO,
            rules=[rule("looked-at-all", holds=False)],
            days=[],
            runs=[],
            changed_since=None,
        )
    )
    assert text(page, "h1") == "NO-GO"
    assert text(page, ".sentence") == "There is no item that GO could rest on."
    assert "There is no run of this environment." in text(page, "main")
    assert "nothing to compare with" in text(page, ".glance")


def test_whose_items_are_due_first_acts_first_and_is_named(runs: Any, show: Any) -> None:
    early = standing(runs, "D-14.1.1", Verdict.PENDING, owner="Database Administrator")
    late = [
        standing(runs, f"D-2.1.{n}", Verdict.FAIL, owner="QA Lead", due=LAUNCH, order=n)
        for n in range(1, 9)
    ]
    page = show(answer(*late, early))
    first = text(page, ".acts li")
    assert first.startswith("Database Administrator Dana Reyes 1 item open since 22 Nov, planned")
    assert "Can be done by 25 November 2026. First: D-14.1.1 Title of D-14.1.1 PENDING" in first
    owners = [h.split("\n")[0] for h in page.locator(".whose h3").all_inner_texts()]
    assert owners == ["Database Administrator", "QA Lead"]
    assert text(page, ".owner:nth-of-type(2) .waiting li") == (
        "FAIL D-2.1.1 Title of D-2.1.1 since 22 Nov p95: 23.4 ms; required below 50 ms"
    )
    assert text(page, ".owner:nth-of-type(2) .more summary") == "and 2 more items"


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("approved", "Decide on the launch: executive team. golive approve go|no-go"),
        ("no-objection", "Settle the objections below with those who raised them."),
        (
            "runs",
            (
                "Bring back the runs that cannot be trusted, or two people set them aside."
                " golive set-aside RUN"
            ),
        ),
        (
            "chain",
            "Bring back the records that are missing, or two people set them aside. golive pull",
        ),
        ("store", "Fetch what the store holds and this machine does not. golive pull"),
        ("clock", "Set this machine's clock, then ask again."),
    ],
)
def test_a_rule_that_no_item_stands_for_has_a_step_of_its_own(
    runs: Any, show: Any, name: str, step: str
) -> None:
    broken = answer(
        standing(runs), answer=NO_GO, rules=[rule(name, holds=False)], awaited=["executive_team"]
    )
    assert text(show(broken), ".acts .step") == f"Next {step}"


def test_every_rule_is_listed_the_broken_ones_first(runs: Any, show: Any) -> None:
    rules = [rule("written"), rule("failed", holds=False, observed="1: D-13.1.1")]
    page = show(answer(standing(runs, state=Verdict.FAIL), rules=rules))
    reported = [" ".join(t.split()) for t in page.locator(".rules tbody tr").all_inner_texts()]
    assert reported == [
        "broken The failed failed 1: D-13.1.1 none",
        "holds The written written none none",
    ]


def test_the_timeline_has_every_day_a_mark_for_today_and_each_blocks_most_pressing_state(
    runs: Any, show: Any
) -> None:
    def on(day: int, ident: str, state: str = Verdict.PASS) -> Standing:
        due = LAUNCH + timedelta(days=day)
        block = f"b{day}"
        return standing(
            runs, ident, state, due=due, block=block, block_title=f"B {day}", order=day + 20
        )

    page = show(
        answer(on(-14, "A.1"), on(-14, "A.2", STALE), on(-1, "B.1", Verdict.UNKNOWN), on(7, "C.1"))
    )
    days = page.locator(".timeline .day").all_text_contents()
    assert len(days) == 22
    assert (days[0], days[2], days[14], days[21]) == ("\N{MINUS SIGN}14", "today", "launch", "+7")
    assert page.locator(".timeline .today").count() == 1
    cells = page.locator(".timeline .cell").evaluate_all("cs => cs.map(c => c.ariaLabel)")
    assert cells == ["B -14: 1 STALE, 1 PASS", "B -1: 1 UNKNOWN", "B 7: 1 PASS"]
    shape = page.locator(".timeline .cell use").first.get_attribute("href")
    assert shape == "#s-stale"
    page.locator(".timeline .cell").first.click()
    expect(page.locator("#b-b-14")).to_be_in_viewport()


def test_a_day_of_many_blocks_is_shown_block_by_block(runs: Any, show: Any) -> None:
    blocks = [
        standing(
            runs,
            f"T.{n}",
            block=f"t{n}",
            block_title=f"{n}:00 AM - {n + 1}:00 AM: Work",
            due=LAUNCH,
            order=n,
        )
        for n in range(6, 10)
    ]
    page = show(answer(*blocks))
    assert text(page, ".timeline h3") == "7 December 2026, block by block"
    heads = page.locator(".wide-strip .day").all_text_contents()
    assert heads == ["6:00 AM", "7:00 AM", "8:00 AM", "9:00 AM"]
    first = page.locator(".strip .cell").first
    assert first.get_attribute("aria-label") == "4 blocks: 4 PASS"
    assert first.get_attribute("href") == "#d-2026-12-07"


def test_an_item_tells_claims_reason_remedy_statements_and_run(runs: Any, show: Any) -> None:
    reported = [
        said(evidence=["minutes.md"], links=["https://example.com/x"]),
        said(by="Tess", role="technical_lead", cause="its evidence minutes.md was altered"),
        said(is_superseded=True, cause="Paul stated it again"),
    ]
    page = show(answer(standing(runs, "D-13.1.1", Verdict.FAIL, said=reported)))
    page.locator("#i-D-13\\.1\\.1 summary").click()
    body = text(page, "#i-D-13\\.1\\.1 .body")
    for words in (
        "Remedy Add the index, then run again",
        "Reason why D-13.1.1 is FAIL",
        "Broken: p95 23.4 ms; required below 50 ms",
        "Paul Adeyemi Product manager states, 25 Nov 2026, 18:13 UTC, until 1 Dec 2026, 21:13 UTC:",
        "everybody was notified",
        "Evidence: minutes.md, https://example.com/x",
        "Does not hold: its evidence minutes.md was altered",
        "and 1 earlier one by the same people",
        "in the way since 22 Nov 2026, 21:13 UTC",
        "looked at 25 Nov 2026, 19:13 UTC, counts until 26 Nov 2026, 19:13 UTC, run 20261125T19",
    ):
        assert words in body
    assert "stated it again" not in body


def test_what_is_not_due_is_no_open_issue(runs: Any) -> None:
    later = [
        standing(runs, f"D+1.1.{n}", state, counts=False, is_due=False, order=n)
        for n, state in enumerate((MISSING, STALE, Verdict.PENDING, Verdict.FAIL, UNWRITTEN))
    ]
    view = view_of(answer(*later))
    assert [r.state for r in view.rows] == ["NOT DUE"] * 3 + ["FAIL", "UNWRITTEN"]
    assert (view.whose, view.counts, view.later) == ([], {}, 5)


def test_changes_are_told_apart_as_worse_and_better(runs: Any, show: Any) -> None:
    changes = [
        Change(id="D-13.1.1", title="One", owner="QA", before="PASS", after="FAIL"),
        Change(id="D-13.1.2", title="Two", owner="QA", before="PENDING", after="PASS"),
        Change(id="D-13.1.3", title="Three", owner="QA", before="PASS", after="STALE"),
    ]
    page = show(
        answer(*(standing(runs, c.id, order=n) for n, c in enumerate(changes)), changes=changes)
    )
    assert "Since 24 Nov 2026, 21:13 UTC 2 worse, 1 better" in text(page, ".glance")
    rows = [" ".join(t.split()) for t in page.locator(".changed li").all_inner_texts()]
    assert rows == [
        "D-13.1.1 One PASS → is now FAIL",
        "D-13.1.3 Three PASS → is now STALE",
        "D-13.1.2 Two PENDING → is now PASS",
    ]


def test_decisions_stand_with_who_is_still_to_decide(runs: Any, show: Any) -> None:
    reported = [
        said(kind="no-go", by="Elena Marsh", role="executive_team", text="too early"),
        said(kind="go", cause="it expired on 2026-11-24"),
    ]
    page = show(answer(standing(runs), decisions=reported, awaited=["technical_lead"]))
    decisions = text(page, ".decisions")
    assert "NO-GO Elena Marsh Executive team, 25 Nov 2026, 18:13 UTC: too early" in decisions
    assert "Does not hold: it expired on 2026-11-24" in decisions
    assert "Still to decide: Technical lead." in decisions


def test_a_rehearsal_carries_its_band_and_others_do_not(runs: Any, show: Any) -> None:
    page = show(answer(standing(runs), environment_kind="rehearsal"))
    assert text(page, ".rehearsal").startswith("REHEARSAL Stand-ins on one machine")
    assert "REHEARSAL: decides nothing" in page.content()
    page = show(answer(standing(runs)))
    assert "ehearsal" not in text(page, "body")


def test_the_plot_has_a_bar_for_each_day_and_its_figures_in_words(runs: Any, show: Any) -> None:
    days = [
        Day(day=date(2026, 11, 23), counts={"PASS": 1, MISSING: 3}),
        Day(day=date(2026, 11, 25), counts={"PASS": 2, "FAIL": 2}),
    ]
    page = show(answer(standing(runs), days=days))
    boxes = page.locator(".course rect").evaluate_all(
        "rs => rs.map(r => [r.getAttribute('class'), Math.round(r.getAttribute('height'))])"
    )
    assert boxes == [["v-pass", 25], ["v-pass", 50], ["v-fail", 50]]
    assert "2 of 1 item held on 25 November 2026, 1 on 23 November 2026." in text(page, "main")
    page.get_by_text("Day by day").click()
    assert "25 November 2026 2 2 FAIL, 2 PASS" in text(page, ".figures")


# -- that it is safe ---------------------------------------------------------------------------


def test_what_anybody_says_is_text_and_nothing_else(runs: Any, show: Any) -> None:
    words = dict.fromkeys(("title", "owner", "block", "block_title", "task", "area"), HOSTILE)
    claim = Claim(HOSTILE, HOSTILE, HOSTILE, holds=False)
    reported = said(
        **dict.fromkeys(("id", "by", "role", "text", "risk", "cause", "kind"), HOSTILE),
        evidence=[HOSTILE],
        links=[HOSTILE],
    )
    one = standing(
        runs,
        "D-13.1.1",
        Verdict.PENDING,
        **words,
        reason=HOSTILE,
        how=HOSTILE,
        remedy=HOSTILE,
        run=HOSTILE,
        claims=[claim],
        said=[reported],
    )
    page = show(
        answer(
            one,
            environment=HOSTILE,
            environment_title=HOSTILE,
            candidate=HOSTILE,
            rules=[
                Rule(name=HOSTILE, subject=HOSTILE, observed=HOSTILE, required=HOSTILE, holds=False)
            ],
            changes=[Change(id=HOSTILE, title=HOSTILE, owner=HOSTILE, before="PASS", after="FAIL")],
            runs=[
                RunRef(
                    id=HOSTILE,
                    who=HOSTILE,
                    host=HOSTILE,
                    digest=HOSTILE,
                    commit=HOSTILE,
                    cause=HOSTILE,
                    counts={HOSTILE: 1},
                )
            ],
            decisions=[reported],
            awaited=[HOSTILE],
            holders={HOSTILE: [HOSTILE]},
            earliest_reason=HOSTILE,
        )
    )
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    html = page.content()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", html)
    assert "{{ 7 * 7 }}" in html


def test_the_page_permits_itself_nothing_from_outside(runs: Any, tmp_path: Path) -> None:
    html = write_launch_page(answer(standing(runs)), tmp_path / "l.html").read_text()
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:|//)", html)


def test_a_page_that_cannot_be_written_says_where(runs: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GoliveError, match=r"file/l\.html: cannot be written"):
        write_launch_page(answer(standing(runs)), tmp_path / "file" / "l.html")


# -- that everybody can read it ----------------------------------------------------------------


def test_all_items_with_500_statements_fit_into_a_megabyte(runs: Any, tmp_path: Path) -> None:
    of = everything(runs)
    assert len(of.standings) == 479
    assert sum(len(s.said) for s in of.standings) == 500
    assert write_launch_page(of, tmp_path / "l.html").stat().st_size < 1_000_000


def test_axe_finds_nothing_in_light_dark_or_on_a_phone(
    runs: Any, tmp_path: Path, accessible: Callable[[Path], None]
) -> None:
    reported = [
        standing(
            runs,
            f"D-13.1.{n}",
            state,
            order=n,
            block=f"b{n % 5}",
            said=[said()],
            due=LAUNCH - timedelta(days=n % 3),
            owner=f"Owner {n % 4}",
        )
        for n, state in enumerate([*STATES, *STATES])
    ]
    of = answer(
        *reported,
        changes=[Change(id="D-13.1.1", title="One", owner="QA", before="PASS", after="FAIL")],
        decisions=[said(kind="go"), said(kind="no-go", cause="it expired")],
        awaited=["technical_lead"],
        rules=[rule("approved", holds=False), rule("failed", holds=False), rule("written")],
        days=[Day(day=NOW.date() - timedelta(days=n), counts={"PASS": 3}) for n in (3, 2, 0)],
        runs=[
            RunRef(id="20261125T190000Z-staging-1", cause="is damaged"),
            RunRef(id="20261124T190000Z-staging-1", started_at=NOW, counts={"PASS": 3}),
        ],
        today=LAUNCH,
        environment_kind="rehearsal",
    )
    accessible(write_launch_page(of, tmp_path / "l.html"))


def test_every_state_is_told_by_word_and_shape(runs: Any, show: Any) -> None:
    reported = [standing(runs, f"A.{n}", s, order=n) for n, s in enumerate(STATES)]
    page = show(answer(*reported))
    badges = page.locator(".row summary span.v")
    assert badges.all_inner_texts() == list(STATES)
    shapes = badges.locator("use").evaluate_all("us => us.map(u => u.getAttribute('href'))")
    assert len(set(shapes)) == len(STATES)
    assert all(page.locator(shape.replace("#", "symbol#")).count() == 1 for shape in shapes)


def test_items_are_filtered_by_owner_state_and_words(runs: Any, show: Any) -> None:
    page = show(
        answer(
            standing(runs, "A.1", owner="One", order=0),
            standing(runs, "A.2", Verdict.FAIL, owner="Two", how="Asks the Oracle.", order=1),
            standing(runs, "B.1", owner="Two", block="b", order=2),
        )
    )

    def shown() -> list[str]:
        ids: list[str] = page.locator("details.row:visible summary .id").all_inner_texts()
        return ids

    assert shown() == ["A.1", "A.2", "B.1"]
    page.locator("#q").fill("oracle")
    assert shown() == ["A.2"]
    assert text(page, "#shown") == "1 of 3 shown"
    page.locator("#all").click()
    expect(page.locator("#shown")).to_have_text("3 shown")
    page.locator("#o").select_option("Two")
    assert shown() == ["A.2", "B.1"]
    page.locator("[name=v][value=FAIL]").uncheck()
    assert shown() == ["B.1"]


def test_a_link_leads_to_its_item_and_opens_it(runs: Any, show: Any) -> None:
    page = show(answer(standing(runs, "D-13.1.1", Verdict.FAIL)))
    page.locator(".acts a").first.click()
    expect(page.locator("#i-D-13\\.1\\.1")).to_have_attribute("open", "")


def test_without_scripts_everything_is_there(runs: Any, show: Any) -> None:
    page = show(
        answer(standing(runs, "D-13.1.1", Verdict.FAIL), standing(runs, "D-13.1.2")), script=False
    )
    assert text(page, "h1") == "NO-GO"
    assert page.locator("details.row:visible").count() == 2
    assert not page.locator("#filter").is_visible()
    page.locator("details.row summary").first.click()
    assert page.locator("details.row .body").first.is_visible()


def test_on_paper_every_item_has_its_line_and_nothing_is_cut_off(runs: Any, show: Any) -> None:
    reported = [standing(runs, f"A.{n}", order=n, block=f"b{n}") for n in range(4)]
    page = show(answer(*reported, standing(runs, "B.1", Verdict.FAIL, order=9)))
    page.set_viewport_size({"width": 673, "height": 900})  # what A4 leaves between its margins
    page.emulate_media(media="print")
    assert page.locator("details.row > summary:visible").count() == 5
    assert not page.locator("#q").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 673
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")
