"""What a document says of items by default: counts, claims against their limits, facts."""

from __future__ import annotations

from typing import Any

import pytest

from golive.answer import MISSING, UNWRITTEN
from golive.ledger import Claim, ItemVerdict
from golive.reports.documents import Content
from golive.reports.overview import (
    SHARE,
    Standing,
    claims_of,
    glance,
    open_issues,
    overview,
    share_of_limit,
    tally,
)
from golive.verdicts import Verdict
from tests.golive.reports.conftest import STARTED, Runs


@pytest.mark.parametrize(
    ("observed", "required", "share"),
    [
        ("23.4 ms", "at most 50 ms", 46.8),
        ("60 ms", "below 50 ms", 120.0),
        ("20", "at least 10", 50.0),
        ("1,500 rows", "at least 3,000 rows", 200.0),
        ("2 measured, worst db-2 0.2 s", "each at most 10 s", 2.0),
        ("23.4 s", "at most 50 ms", None),
        ("0", "at least 10", None),
        ("3", "at most 0", None),
        ("none among 4 indexes", "none among at least one of indexes", None),
        ("nothing was measured", "each at most 10 s", None),
    ],
)
def test_a_share_is_told_only_of_figures_of_one_unit(
    observed: str, required: str, share: float | None
) -> None:
    assert share_of_limit(Claim("x", observed, required, holds=True)) == share


def test_claims_stand_beside_what_is_required(runs: Runs) -> None:
    line = runs.line("D-14.1.1", title="Cluster configured")
    claims = [
        Claim("lag", "0.2 s", "at most 10 s", holds=True),
        Claim("lag", "20 s", "at most 10 s", holds=False),
        Claim("slots", "none", "none", holds=True),
    ]
    table = claims_of(line, runs.verdict("D-14.1.1", claims=claims))
    assert table.title == "D-14.1.1 Cluster configured"
    assert table.columns == ["what", "measured", "required", "holds", SHARE]
    assert table.rows == [
        ["lag", "0.2 s", "at most 10 s", "yes", 2.0],
        ["lag (2)", "20 s", "at most 10 s", "no", 200.0],
        ["slots", "none", "none", "yes", ""],
    ]
    assert (table.plot, table.limit) == (SHARE, 100.0)


def test_an_item_without_claims_says_why(runs: Runs) -> None:
    table = claims_of(runs.line(), runs.verdict("D-13.1.2", Verdict.PENDING, message="unsigned"))
    assert table.rows == [["PENDING", "unsigned", "", ""]]


def standings(runs: Runs) -> list[Standing]:
    a, b, c, d = runs.lines("D-14.1.1", "D-14.1.2", "D-14.1.3", "D-13.1.1", area="infra")
    d = runs.line("D-13.1.1", area="db", block_title="Day -14: Infrastructure")
    green, red = runs.verdict(a.id), runs.verdict(b.id, Verdict.FAIL)
    return [
        Standing(a, "PASS", green),
        Standing(b, "FAIL", red),
        Standing(c, MISSING, None),
        Standing(d, UNWRITTEN, None),
    ]


def figures(content: Content) -> dict[str, Any]:
    return {f.name: f.value for f in content.figures}


def test_states_are_counted_in_all_by_day_and_by_area(runs: Runs) -> None:
    content = tally(standings(runs))
    assert content.summary == ("1 of 4 items holds: 1 fail, 1 not looked at, 1 unwritten.")
    said = figures(content)
    assert said["items it rests on"] == 4
    assert (said["PASS"], said["FAIL"], said["UNWRITTEN"]) == (1, 1, 1)
    assert (said["claims judged"], said["claims that do not hold"]) == (2, 1)
    by_day, by_area = content.tables
    assert by_day.columns == ["day", "pass", "fail", "not looked at", "unwritten", "items"]
    assert by_day.rows == [
        ["Day -13: Database", 1.0, 1.0, 1.0, 0.0, 3.0],
        ["Day -14: Infrastructure", 0.0, 0.0, 0.0, 1.0, 1.0],
    ]
    assert [row[0] for row in by_area.rows] == ["infra", "db"]


def test_when_all_hold_it_says_so(runs: Runs) -> None:
    line = runs.line()
    one = [Standing(line, "WAIVED", runs.verdict(line.id, Verdict.FAIL))]
    assert tally(one).summary == "The one item it rests on holds."
    assert tally(one * 2).summary == "All 2 items hold."


def test_the_overview_has_every_items_claims_and_the_facts(runs: Runs) -> None:
    content = overview(standings(runs), {"probe": {"count": 3, "rows": [1, 2]}, "other": None})
    titles = [t.title for t in content.tables]
    assert "D-14.1.1 Title of D-14.1.1" in titles
    assert "D-14.1.2 Title of D-14.1.2" in titles
    assert titles[-1] == "Facts at a glance"
    assert content.tables[-1].rows == [["probe: count", "3"]]


def test_facts_are_short_and_few() -> None:
    facts = {
        "other": {"none": ""},
        "probe": {f"n{i}": i for i in range(9)} | {"long": "x" * 99, "none": ""},
    }
    (table,) = glance(facts)
    assert len(table.rows) == 6
    assert glance({}) == []


def test_what_does_not_hold_is_an_open_issue(runs: Runs) -> None:
    found = open_issues(
        standings(runs), lambda _: STARTED.date(), lambda s: f"because {s.state}", str
    )
    assert [(i.id, i.why) for i in found] == [
        ("D-14.1.2", "because FAIL"),
        ("D-14.1.3", "because NOT LOOKED AT"),
        ("D-13.1.1", "because UNWRITTEN"),
    ]
    assert found[0].owner == "Database Administrator"
    assert isinstance(standings(runs)[0].verdict, ItemVerdict)
