"""A rehearsal's people sign as its script says, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from golive.context import Context
from golive.people.statements import Signed
from golive.rehearsing import rehearse, rehearse_exemption
from golive.verdicts import GoliveError
from tests.conftest import STATED, Project

ITEM = "D-2.2.1"


@pytest.fixture
def rehearsal(project: Project) -> Project:
    """A rehearsal whose keys are the project's."""
    people = {"roster": "suites/people/roster.toml", "papers": "papers", "keys": "people/keys"}
    (project.path / "people").mkdir()
    (project.path / "keys").rename(project.path / "people/keys")
    project.keys = {i: project.path / "people/keys" / i for i in project.keys}
    for kind in ("rehearsal", "staging"):
        project.folder.environment(kind, kind=kind, people=people)
    return project


def script(project: Project, *entries: dict[str, Any]) -> None:
    project.folder.write("people/script.json", json.dumps({ITEM: list(entries)}))


def rehearsed(project: Project, env: str = "rehearsal") -> list[Signed]:
    """What is stated of the item, newest first, after its people had their say."""
    rehearse(project.context(env), ITEM)
    return project.context(env).statements.vouched(ITEM).all


def test_without_a_script_the_holder_of_each_role_states_it_once(rehearsal: Project) -> None:
    (signed,) = rehearsed(rehearsal)
    assert (signed.statement.by, signed.valid) == ("paul", True)
    assert signed.statement.text == "everybody was notified"
    assert [s.id for s in rehearsed(rehearsal)] == [signed.id]


def test_two_people_sign_where_two_have_to(rehearsal: Project) -> None:
    rehearsal.launch(two_signatures=["D-2.2"])
    assert {s.statement.by for s in rehearsed(rehearsal)} == {"paul", "tess"}
    assert all(rehearsal.context("rehearsal").statements.vouched(ITEM).claims())


def test_outside_a_rehearsal_nobody_signs_by_itself(rehearsal: Project) -> None:
    """Even where an environment that is none names a folder of keys."""
    assert rehearsed(rehearsal, "staging") == []
    assert Context.open("staging", rehearsal.path).keys is not None


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
    rehearsal: Project, entries: list[dict[str, Any]], cause: str
) -> None:
    script(rehearsal, *entries)
    (first,) = rehearsed(rehearsal)
    assert cause in first.cause
    assert [s.id for s in rehearsed(rehearsal)] == [first.id]


def test_nobody_states_what_the_script_leaves_to_nobody(rehearsal: Project) -> None:
    script(rehearsal)
    assert rehearsed(rehearsal) == []


def test_a_changed_check_is_stated_anew(rehearsal: Project) -> None:
    rehearsed(rehearsal)
    rehearsal.folder.items(STATED.replace("Signed.", "Signed again."))
    assert [s.valid for s in rehearsed(rehearsal)].count(True) == 1


def test_only_a_paper_that_its_author_rewrote_is_signed_anew(rehearsal: Project) -> None:
    rehearsal.folder.items(STATED.replace('_manager",)', '_manager",), papers=("runbook.md",)'))

    def write(text: str, *, by_author: bool) -> bool:
        rehearsal.folder.write("papers/runbook.md", text)
        if by_author:
            digests = {"runbook.md": hashlib.sha256(text.encode()).hexdigest()}
            rehearsal.folder.write("people/papers.json", json.dumps(digests))
        rehearse(rehearsal.context("rehearsal"), ITEM)
        context = rehearsal.context("rehearsal")
        said = context.statements.vouched(ITEM, context.digests(("runbook.md",)))
        return bool(said.valid)

    assert rehearsed(rehearsal) == []  # there is nothing yet that could be signed
    assert write("one", by_author=True)
    assert not write("two", by_author=False)
    assert write("three", by_author=True)


def test_what_comes_after_another_item_is_stated_once_more_when_that_is_newer(
    rehearsal: Project,
) -> None:
    rehearsal.folder.items(
        '@item("D-2.1.1")\ndef test_first():\n    pass\n', "suites/t_minus_1_week/test_first.py"
    )
    script(rehearsal, {"by": "paul", "made_ago_s": 60})
    (early,) = rehearsed(rehearsal)
    script(rehearsal, {"by": "paul", "after": ["D-2.1.1"]})
    (reloaded,) = rehearsed(rehearsal)
    (first,) = rehearsal.context("rehearsal").vouched("D-2.1.1").valid
    assert reloaded.statement.made_at >= first.statement.made_at > early.statement.made_at
    assert [s.id for s in rehearsed(rehearsal)] == [reloaded.id]


def test_a_damaged_script_is_told_by_name(rehearsal: Project) -> None:
    rehearsal.folder.write("people/script.json", "{")
    with pytest.raises(GoliveError, match=r"script\.json: is damaged"):
        rehearsed(rehearsal)


# -- what two people declare not applicable ----------------------------------------------------

ABSENT = {"text": "there is none"}
BOTH = (
    {"by": "paul", "role": "product_manager", **ABSENT},
    {"by": "tess", "role": "technical_lead", **ABSENT},
)


def exempted(project: Project, env: str = "rehearsal") -> tuple[bool, str]:
    """Whether the item is not applicable, after its people had their say; and why not."""
    project.launch(not_applicable=[ITEM])
    rehearse_exemption(project.context(env), ITEM)
    found, causes = project.context(env).statements.exemption(ITEM)
    return found is not None and found.kind == "not-applicable", "; ".join(causes)


def test_two_people_declare_an_item_not_applicable_once(rehearsal: Project) -> None:
    script(rehearsal, *BOTH)
    assert exempted(rehearsal) == (True, "")
    signed = sorted(rehearsal.context("rehearsal").statements.records.places)
    assert exempted(rehearsal)[0]
    assert sorted(rehearsal.context("rehearsal").statements.records.places) == signed


@pytest.mark.parametrize(
    ("entries", "cause"),
    [
        ((), ""),
        (BOTH[:1], "nobody has signed as the second person"),
        (tuple({**e, "made_ago_s": 3 * 86400, "holds_s": 86400} for e in BOTH), "it expired on"),
        (({**BOTH[0], "key": "tess"}, BOTH[1]), "its signature is not valid"),
    ],
)
def test_what_the_script_spoils_of_it_stays_spoilt(
    rehearsal: Project, entries: tuple[dict[str, Any], ...], cause: str
) -> None:
    script(rehearsal, *entries)
    assert exempted(rehearsal)[0] is False
    is_signed, why = exempted(rehearsal)
    assert is_signed is False
    assert cause in why


def test_outside_a_rehearsal_nobody_declares_anything_by_itself(rehearsal: Project) -> None:
    script(rehearsal, *BOTH)
    assert exempted(rehearsal, "staging") == (False, "")
