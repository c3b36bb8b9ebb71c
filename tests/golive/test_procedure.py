from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from golive import marks, procedure
from golive.verdicts import GoliveError

ROOT = Path(__file__).resolve().parents[2]
PROCEDURE = procedure.load(ROOT / "suites/procedure.toml")
ITEM = '{ id = "A.1", title = "T", area = "db", way = "probe", effect = "read" }'
BLOCK = f"""schema = 1
[[block]]
mark = "m"
phase = "p"
chapter = "C"
title = "B"
owner = "QA Lead"
due = -2
[[block.task]]
title = "T"
kind = "task"
items = [{ITEM}]
"""


def test_the_procedure_has_all_479_items_and_each_has_its_marks() -> None:
    ways = Counter(i.way for i in PROCEDURE)
    assert sum(ways.values()) == 479
    assert ways["attested"] == 62
    assert [i.order for i in PROCEDURE] == list(range(479))
    known = set(marks.load(ROOT / "markers.ini"))
    for item in PROCEDURE:
        wanted = {item.block, item.phase, item.owner_mark, item.area, item.way, item.effect}
        assert wanted - {""} <= known, item.id


def test_a_block_s_items_are_due_on_its_day_and_owned_by_its_owner() -> None:
    found = {i.id: i for i in PROCEDURE if i.block == "day_minus_13"}
    assert len(found) == 15
    assert {(i.owner_mark, i.due_day) for i in found.values()} == {("database_administrator", -13)}
    assert found["D-13.1.2"].title == "Query performance validated (< 50ms p95)"
    assert found["D-13.1.2"].minutes == 180
    assert found["D-13.D.1"].way == "derived"


def test_a_prefix_is_of_whole_parts_of_an_id() -> None:
    assert [i.id for i in PROCEDURE.under("D-13.1")] == [f"D-13.1.{n}" for n in (1, 2, 3, 4)]
    assert [i.id for i in PROCEDURE.under("D-13.1.1")] == ["D-13.1.1"]
    assert {i.block for i in PROCEDURE.under("D-1")} == {"day_minus_1"}
    with pytest.raises(GoliveError, match=r"found no item 'D-13\.9'; expected an id, e\.g\. D-13"):
        PROCEDURE.under("D-13.9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 1\nblock = []", r"block: found no item; expected at least one"),
        (BLOCK.replace("schema = 1", "schema = 2"), r"schema: found 2; expected 1"),
        (BLOCK.replace("due = -2", 'due = "-2"'), r"Expected `int`, got `str` - at `\$\.block"),
        (BLOCK.replace('owner = "QA Lead"\n', ""), r"missing required field `owner`"),
        (BLOCK + "minuts = 3\n", r"unknown field `minuts`"),
        (BLOCK.replace(ITEM, f"{ITEM}, {ITEM}"), r"id: found 'A\.1' twice; expected it once"),
        (BLOCK + "=", r"is not valid TOML: .* \(at line 13, column 1\)"),
    ],
)
def test_a_wrong_procedure_is_refused_with_file_key_and_what_was_found(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "procedure.toml"
    path.write_text(text)
    with pytest.raises(GoliveError, match=message) as caught:
        procedure.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
