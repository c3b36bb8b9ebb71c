"""A rehearsal's people sign as its script says, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from golive.desk import Desk
from golive.people.statements import Signed
from golive.rehearsing import rehearse
from golive.verdicts import GoliveError
from tests.conftest import STATED, Office

ITEM = "D-2.2.1"


@pytest.fixture
def rehearsal(office: Office) -> Office:
    """A rehearsal whose keys are the office's."""
    people = {"roster": "suites/people/roster.toml", "papers": "papers", "keys": "people/keys"}
    (office.path / "people").mkdir()
    (office.path / "keys").rename(office.path / "people/keys")
    office.keys = {i: office.path / "people/keys" / i for i in office.keys}
    for kind in ("rehearsal", "staging"):
        office.folder.environment(kind, kind=kind, people=people)
    return office


def script(office: Office, *entries: dict[str, Any]) -> None:
    office.folder.write("people/script.json", json.dumps({ITEM: list(entries)}))


def rehearsed(office: Office, env: str = "rehearsal") -> list[Signed]:
    """What is stated of the item, newest first, after its people had their say."""
    rehearse(office.desk(env), ITEM)
    return office.desk(env).statements.vouched(ITEM).all


def test_without_a_script_the_holder_of_each_role_states_it_once(rehearsal: Office) -> None:
    (signed,) = rehearsed(rehearsal)
    assert (signed.statement.by, signed.valid) == ("paul", True)
    assert signed.statement.text == "everybody was told"
    assert [s.id for s in rehearsed(rehearsal)] == [signed.id]


def test_two_people_sign_where_two_have_to(rehearsal: Office) -> None:
    rehearsal.launch(two_signatures=["D-2.2"])
    assert {s.statement.by for s in rehearsed(rehearsal)} == {"paul", "tess"}
    assert all(rehearsal.desk("rehearsal").statements.vouched(ITEM).claims())


def test_outside_a_rehearsal_nobody_signs_by_itself(rehearsal: Office) -> None:
    """Even where an environment that is none names a folder of keys."""
    assert rehearsed(rehearsal, "staging") == []
    assert Desk.open("staging", rehearsal.path).keys is not None


@pytest.mark.parametrize(
    ("entries", "cause"),
    [
        ([{"role": "technical_lead"}], "may not state it"),
        ([{"by": "paul", "key": "tess"}], "its signature is not valid"),
        ([{"by": "paul", "made_ago_s": 8 * 86400}], "it expired on"),
        ([{"by": "paul", "made_ago_s": 60, "holds_s": 30}], "it expired on"),
        ([{"by": "joel", "role": "product_manager"}], "neither holds nor backs up"),
    ],
)
def test_what_the_script_spoils_stays_spoilt(
    rehearsal: Office, entries: list[dict[str, Any]], cause: str
) -> None:
    script(rehearsal, *entries)
    (first,) = rehearsed(rehearsal)
    assert cause in first.cause
    assert [s.id for s in rehearsed(rehearsal)] == [first.id]


def test_nobody_states_what_the_script_leaves_to_nobody(rehearsal: Office) -> None:
    script(rehearsal)
    assert rehearsed(rehearsal) == []


def test_a_changed_check_is_stated_anew(rehearsal: Office) -> None:
    rehearsed(rehearsal)
    rehearsal.folder.items(STATED.replace("Signed.", "Signed anew."))
    assert [s.valid for s in rehearsed(rehearsal)].count(True) == 1


def test_only_a_paper_that_its_author_rewrote_is_signed_anew(rehearsal: Office) -> None:
    rehearsal.folder.items(STATED.replace('_manager",)', '_manager",), papers=("runbook.md",)'))

    def write(text: str, *, by_author: bool) -> bool:
        rehearsal.folder.write("papers/runbook.md", text)
        if by_author:
            digests = {"runbook.md": hashlib.sha256(text.encode()).hexdigest()}
            rehearsal.folder.write("people/papers.json", json.dumps(digests))
        rehearse(rehearsal.desk("rehearsal"), ITEM)
        desk = rehearsal.desk("rehearsal")
        said = desk.statements.vouched(ITEM, desk.digests(("runbook.md",)))
        return bool(said.valid)

    assert rehearsed(rehearsal) == []  # there is nothing yet that could be signed
    assert write("one", by_author=True)
    assert not write("two", by_author=False)
    assert write("three", by_author=True)


def test_what_comes_after_another_item_is_stated_once_more_when_that_is_newer(
    rehearsal: Office,
) -> None:
    rehearsal.folder.items(
        '@item("D-2.1.1")\ndef test_first():\n    pass\n', "suites/t_minus_1_week/test_first.py"
    )
    script(rehearsal, {"by": "paul", "made_ago_s": 60})
    (early,) = rehearsed(rehearsal)
    script(rehearsal, {"by": "paul", "after": ["D-2.1.1"]})
    (anew,) = rehearsed(rehearsal)
    (first,) = rehearsal.desk("rehearsal").vouched("D-2.1.1").valid
    assert anew.statement.made_at >= first.statement.made_at > early.statement.made_at
    assert [s.id for s in rehearsed(rehearsal)] == [anew.id]


def test_a_damaged_script_is_told_by_name(rehearsal: Office) -> None:
    rehearsal.folder.write("people/script.json", "{")
    with pytest.raises(GoliveError, match=r"script\.json: is damaged"):
        rehearsed(rehearsal)
