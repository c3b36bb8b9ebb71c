from __future__ import annotations

from pathlib import Path

import pytest

from golive import marks
from golive.verdicts import GoliveError

KNOWN = {"day_minus_13", "database_administrator", "disrupt", "skip"}
SOURCE = Path("markers.ini")


@pytest.mark.parametrize(
    "expression",
    [
        "day_minus_13",
        "database_administrator and not disrupt",
        "not (day_minus_13 or disrupt)",
        "skip(reason='whatever_this_is')",
        "True",
    ],
)
def test_an_expression_of_marks_is_taken(expression: str) -> None:
    marks.check_expression(expression, KNOWN, SOURCE)


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("day_minus_31", "found 'day_minus_31', which is no mark; did you mean 'day_minus_13'?"),
        ("not disrupts", "found 'disrupts', which is no mark; did you mean 'disrupt'?"),
        ("disrupt or xyzzy", "found 'xyzzy', which is no mark; markers.ini lists the marks"),
    ],
)
def test_a_typo_is_refused_though_pytest_would_select_by_it(expression: str, hint: str) -> None:
    with pytest.raises(GoliveError) as caught:
        marks.check_expression(expression, KNOWN, SOURCE)
    assert str(caught.value).startswith(f"-m '{expression}': ")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[block]\na = A\n", r"\[phase\]: the group is missing; expected its marks"),
        ("a = A\n", r"contains no section headers"),
        ("[block]\na = A\na = B\n", r"option 'a' in section 'block' already exists"),
    ],
)
def test_a_wrong_list_of_marks_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "markers.ini"
    path.write_text(text)
    with pytest.raises(GoliveError, match=message) as caught:
        marks.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    path.unlink()
    with pytest.raises(GoliveError, match="cannot be read: No such file"):
        marks.load(path)
