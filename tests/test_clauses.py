"""The clauses of the items: how strictly they are read, judged, and that none is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from golive import ledger, procedure
from golive.claims import Claim, holds, none_of
from golive.deliverables import NOT_GREEN
from golive.verdicts import Verdict
from tests.campaign import clauses, judging, rows
from tests.campaign.__main__ import main
from tests.campaign.clauses import TABLE, Clause, ClauseError, Known
from tests.campaign.judging import Tried
from tests.campaign.rounds import Planned

LINES = {
    ident: procedure.Item(
        id=ident,
        title=f"title of {ident}",
        owner="QA Lead",
        block=block,
        block_title=block,
        phase="",
        chapter="",
        task="",
        kind="task",
        time="",
        minutes=None,
        area="db",
        way="probe",
        effect="read",
        due_day=-1,
        order=order,
    )
    for order, (ident, block) in enumerate({"A.1": "one", "A.2": "one", "B.1": "two"}.items())
}
KNOWN = Known(
    LINES,
    {"one": "Day one", "two": "Day two"},
    {"lag": ["A.1", "A.2"], "gap": ["A.1"], "lie": ["B.1"]},
    {"lag": ["A.1"], "gap": ["A.1"], "lie": ["B.1"]},
)
WHOLE = """
[["A.1"]]
clause = "the standby follows"
claim = "replay lag*"
fault = "lag"
"""


def read(folder: Path, **files: str) -> list[Clause]:
    for block, text in files.items():
        (folder / f"{block}.toml").write_text(text)
    return clauses.load(KNOWN, folder)


def entry(**keys: Any) -> str:
    found = {"clause": "the standby follows", "claim": "replay lag*", "fault": "lag", **keys}
    lines = [f"{key} = {value!r}" for key, value in found.items() if value is not None]
    return "\n".join(['[["A.1"]]', *lines, ""])


# -- reading ---------------------------------------------------------------------------------------


def test_clauses_come_in_the_procedures_order_whatever_the_files(tmp_path: Path) -> None:
    later = '[["A.2"]]\nclause = "x"\nwithout = "A.1 judges it"\n'
    other = '[["B.1"]]\nclause = "y"\ntells = "*nobody*"\nfault = ["lie"]\n'
    found = read(tmp_path, two=other, one=later + WHOLE)
    assert [(c.item, c.faults) for c in found] == [
        ("A.1", ("lag",)),
        ("A.2", ()),
        ("B.1", ("lie",)),
    ]
    assert [c.lacks for c in found] == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (entry(because="x"), r"one.toml: A.1: clause 1: because: is no key"),
        (entry(clause=None), "one.toml: A.1: clause 1: clause: is missing"),
        (entry(claim=""), "A.1: clause 1: claim: found ''; expected a text"),
        (entry(fault=[]), r"clause 1: fault: found \[\]; expected a text"),
        (entry(fault=3), "clause 1: fault: found 3; expected a text"),
        (entry(fault="storm"), "clause 1: fault: there is no fault 'storm'"),
        (entry(fault="lie"), r"clause 1: fault: lie does not turn A\.1 red"),
        (entry(fault=["lag", "lag"]), "clause 1: fault: lag stands twice"),
        (entry(tells="x"), "clause 1: tells: cannot stand beside claim"),
        (entry(without_fault="x"), "clause 1: without_fault: cannot stand beside fault"),
        (entry(without="x"), "clause 1: claim: cannot stand beside without"),
        (entry() + entry(claim="other"), "clause 2: clause: 'the standby follows' stands twice"),
        ('[["Z.9"]]\nclause = "x"\n', "one.toml: Z.9: is no written item"),
        ('[["B.1"]]\nclause = "x"\n', r"one.toml: B.1: is an item of two; expected in two\.toml"),
        ('["A.1"]\nclause = "x"\n', r'A.1: expected clauses, each below \[\["A.1"\]\]'),
        ("[[", "one.toml: is not valid TOML"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_file_item_and_key(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ClauseError, match=told):
        read(tmp_path, one=text)


def test_a_file_of_no_block_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClauseError, match=r"day_one\.toml: no block with a written item"):
        read(tmp_path, day_one=WHOLE)


def test_what_is_missing_is_listed(tmp_path: Path) -> None:
    found = read(tmp_path, one=entry(claim=None, fault=None) + '[["A.2"]]\nclause="x"\nclaim="y"\n')
    assert clauses.gaps(found, KNOWN) == [
        "B.1 has no clause",
        "A.1: 'the standby follows' lacks a claim and a fault",
        "A.2: 'x' lacks a fault",
    ]


def test_a_fault_that_no_clause_names_is_listed(tmp_path: Path) -> None:
    found = read(tmp_path, one=WHOLE)
    assert clauses.unnamed(found, KNOWN) == [
        "gap: no clause of A.1 names it",
        "lie: no clause of B.1 names it",
    ]


def test_a_claim_without_a_fault_has_to_be_one_that_the_item_makes() -> None:
    told = [Clause("A.1", "x", "replay lag*", without_fault="there is one node")]
    assert clauses.unmade(told, {"A.1": ["replay lag of b", "slots"]}) == []
    assert clauses.unmade(told, {"A.2": ["slots"]}) == []
    assert clauses.unmade(told, {"A.1": ["slots"]}) == ["A.1: 'x': it makes no claim 'replay lag*'"]


# -- judging ---------------------------------------------------------------------------------------

LAG = holds("replay lag of db-2", False, "31 s", "at most 10 s")
SLOT = holds("slots", False, "none", "one for each standby")


def resting(*ids: str) -> Claim:
    return none_of(NOT_GREEN, [f"{i} FAIL" for i in ids], among=9, of="verdicts", ids=ids)


def red(ident: str, *broken: Claim, verdict: Verdict = Verdict.FAIL) -> ledger.ItemVerdict:
    return ledger.ItemVerdict(
        id=ident,
        verdict=verdict,
        started_at=datetime(2026, 12, 1, tzinfo=UTC),
        duration_s=0.1,
        remedy="look",
        message="; ".join(map(repr, broken)) or "Elena Marsh has not signed",
        claims=[
            ledger.Claim(c.subject, c.observed, c.required, c.holds, ids=list(c.ids))
            for c in broken
        ],
    )


def green(ident: str) -> ledger.ItemVerdict:
    return red(ident, verdict=Verdict.PASS)


def a_row(fault: str, *found: ledger.ItemVerdict) -> rows.Row:
    return rows.row(
        fault,
        [v.id for v in found],
        {v.id: v for v in found},
        reverted={v.id: green(v.id) for v in found},
        duration_s=1.0,
        how="alone",
    )


FOLLOWS = Clause("A.1", "the standby follows", claim="replay lag*", faults=("lag",))
SIGNED = Clause("A.2", "its owner signs", tells="*has not signed*", faults=("lag",))


def test_a_row_keeps_what_the_broken_claims_of_each_item_are_about() -> None:
    row = a_row("lag", red("A.1", LAG, SLOT), red("A.2", verdict=Verdict.PENDING))
    assert row.broken == {"A.1": ("replay lag of db-2", "slots"), "A.2": ()}


def test_a_fault_that_breaks_the_claim_of_each_clause_is_right() -> None:
    row = a_row("lag", red("A.1", SLOT, LAG), red("A.2", verdict=Verdict.PENDING))
    assert clauses.judge([FOLLOWS, SIGNED], row) == []


def test_a_fault_that_breaks_another_claim_shows_nothing_of_the_clause() -> None:
    row = a_row("lag", red("A.1", SLOT), red("A.2", LAG))
    follows, signed = clauses.judge([FOLLOWS, SIGNED], row)
    wanted = "A.1: clause 'the standby follows' asks for a broken claim 'replay lag*'; found slots"
    assert follows == wanted
    assert "A.2: clause 'its owner signs' asks for a message '*has not signed*'; found" in signed
    assert clauses.judged([FOLLOWS], row).wrong == follows


def test_clauses_of_other_faults_and_of_items_that_are_not_red_are_left_out() -> None:
    assert clauses.judge([FOLLOWS], a_row("gap", red("A.1", SLOT))) == []
    assert clauses.judge([FOLLOWS], a_row("lag", red("A.2", SLOT))) == []


def a_fault(name: str, own: Sequence[str], follows: Sequence[str] = ()) -> Planned:
    place = frozenset({f"postgres/{name}"})
    return Planned(name, place, frozenset(own), frozenset([*own, *follows]), frozenset(own))


def in_a_round(told: Sequence[Clause], *broken: ledger.ItemVerdict) -> dict[str, rows.Row]:
    """What comes of the faults ``a`` and ``b`` together, of which both have the follower D."""
    pair = (a_fault("a", ["A"], ["D"]), a_fault("b", ["B"], ["D"]))
    found = {v.id: v for v in broken}
    tried = Tried(pair, "round 1", found, {i: green(i) for i in found}, {}, 1.0)
    return dict(judging.judge(tried, {}, {}, clauses=told).rows)


REST = Clause("D", "all it rests on is green", claim=NOT_GREEN, faults=("a", "b"))


@pytest.mark.parametrize(("ids", "wrong"), [("AB", set()), ("A", {"b"}), ("B", {"a"})])
def test_what_follows_from_two_faults_of_a_round_is_each_ones_by_the_items_it_names(
    ids: str, wrong: set[str]
) -> None:
    rows_of = in_a_round([REST], red("A", LAG), red("B", SLOT), red("D", resting(*ids)))
    assert {name for name, row in rows_of.items() if row.wrong} == wrong


def test_what_another_fault_of_the_round_breaks_in_a_follower_shows_no_clause() -> None:
    told = [Clause("D", "its document is whole", claim="slots", faults=("a",))]
    rows_of = in_a_round(told, red("A", LAG), red("B", SLOT), red("D", SLOT, resting("A", "B")))
    assert "asks for a broken claim 'slots'" in rows_of["a"].wrong
    assert rows_of["b"].wrong == ""


def excused_in(before: ledger.ItemVerdict, now: ledger.ItemVerdict) -> rows.Row:
    """The row of a fault of an item that is red in any case, since it rests on what is not
    written."""
    one = Planned("a", frozenset({"papers/a.md"}), frozenset("D"), frozenset("D"), frozenset("D"))
    found = Tried([one], "alone", {"D": now}, {"D": before}, {}, 1.0)
    told = [Clause("D", "its figures are true", claim="slots", faults=("a",))]
    excused = {"D": before.message}
    made = judging.judge(found, {}, excused, clauses=told, before={"D": before})
    return made.rows["a"]


def test_of_an_item_that_is_red_in_any_case_a_fault_shows_what_it_adds() -> None:
    row = excused_in(red("D", LAG), red("D", LAG, SLOT))
    assert (row.wrong, row.red) == ("", ())
    assert row.broken == {"D": ("slots",)}
    assert row.messages[0].startswith("D FAIL: slots: none")


def test_of_an_item_that_is_red_in_any_case_a_fault_that_adds_nothing_shows_nothing() -> None:
    assert excused_in(red("D", SLOT), red("D", SLOT)).wrong.startswith("D: clause 'its figures")
    assert "found none" in excused_in(red("D", SLOT), red("D", SLOT)).wrong


# -- the table -------------------------------------------------------------------------------------


def test_the_table_counts_and_shows_each_clause_with_what_shows_it() -> None:
    told = [
        FOLLOWS,
        Clause("A.1", "slots | ways", claim="slots", without_fault="there is one node"),
        Clause("B.1", "the rest", without="A.1 judges it"),
    ]
    text = clauses.table(told, KNOWN)
    assert "| [Day one](#one) | 1 | 2 | 1 | 1 | 0 |" in text
    assert "| all | 2 | 3 | 1 | 1 | 1 |" in text
    assert "| **A.1** title of A.1 | the standby follows | `replay lag*` | `lag` |" in text
    assert "|  | slots \\| ways | `slots` | no fault: there is one node |" in text
    assert "| **B.1** title of B.1 | the rest |  | A.1 judges it |" in text


# -- those of this tree ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of() -> Known:
    return clauses.known()


@pytest.fixture(scope="module")
def told(of: Known) -> list[Clause]:
    return clauses.load(of)


def test_the_table_is_generated_from_the_clauses_as_they_are(told: list[Clause], of: Known) -> None:
    current = TABLE.read_text(encoding="utf-8") == clauses.table(told, of)
    assert current, "run `python -m tests.campaign --clauses`"


def test_every_written_item_has_clauses_and_each_has_its_claim_and_its_fault(
    told: list[Clause], of: Known
) -> None:
    assert clauses.gaps(told, of) == []


def test_every_fault_is_named_by_a_clause_of_each_item_that_it_was_written_for(
    told: list[Clause], of: Known
) -> None:
    assert clauses.unnamed(told, of) == []


def test_a_campaign_over_incomplete_clauses_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clauses, "known", lambda: KNOWN)
    monkeypatch.setattr(clauses, "load", lambda of: [Clause("A.1", "x")])
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "A.2 has no clause\n" in said
    assert "A.1: 'x' lacks a claim and a fault" in said
