"""``golive waive`` and ``golive not-applicable``: two people, the owner among them."""

from __future__ import annotations

import pytest

from golive.cli import main
from golive.people.statements import Exemption
from tests.conftest import SECRET, Project

Capture = pytest.CaptureFixture[str]
WORDS = ("--reason", "later", "--risk", "a late night")


def waive(project: Project, item: str = "D-2.1.3", until: int = 3) -> tuple[str, ...]:
    return ("waive", item, "--until", project.on(until), *WORDS)


def say(project: Project, *words: str, by: str) -> int:
    return main([*words, "--key", str(project.keys[by]), "--env", "staging"])


def newest(project: Project) -> str:
    return max(p.name for p in project.statements.iterdir())


def in_force(project: Project, item: str = "D-2.1.3") -> Exemption | None:
    return project.context().statements.exemption(item)[0]


def refused(project: Project, capsys: Capture, *words: str, by: str) -> str:
    before = sorted(project.statements.glob("*"))
    assert say(project, *words, by=by) == 1
    assert sorted(project.statements.glob("*")) == before
    return capsys.readouterr().err


def test_one_person_alone_waives_nothing(project: Project, capsys: Capture) -> None:
    assert say(project, *waive(project), by="paul") == 0
    assert in_force(project) is None
    said = capsys.readouterr().out
    assert "missing   a second person, as technical_lead (Tess Lindqvist)" in said
    assert f"golive waive --second {newest(project)} --env staging" in said


def test_the_owner_and_a_second_person_waive_an_item(project: Project, capsys: Capture) -> None:
    say(project, *waive(project), by="paul")
    first = newest(project)
    capsys.readouterr()
    assert say(project, "waive", "--second", first, by="tess") == 0
    found = in_force(project)
    assert found is not None
    assert (found.first.id, found.second.statement.by) == (first, "tess")
    assert f"{found.until:%Y-%m-%d %H:%M}" == f"{project.on(4)} 00:00"  # that day counts too
    said = capsys.readouterr().out
    assert "first: waive D-2.1.3, by Paul Adeyemi as product manager" in said
    assert "risk      a late night" in said
    assert f"complete  signed by paul and tess, in force until {project.on(4)} 00:00 UTC" in said


def test_the_owner_may_sign_second(project: Project) -> None:
    say(project, *waive(project), by="tess")
    assert say(project, "waive", "--second", newest(project), by="leah") == 0
    assert in_force(project) is not None


def test_nobody_seconds_oneself_nor_without_the_right_role(
    project: Project, capsys: Capture
) -> None:
    say(project, *waive(project), by="paul")
    second = ("waive", "--second", newest(project))
    assert "expected another person" in refused(project, capsys, *second, by="paul")
    assert "both signed as product_manager" in refused(project, capsys, *second, by="leah")
    said = refused(project, capsys, *second, by="joel")
    assert "nobody besides the owner signed as technical_lead" in said
    assert in_force(project) is None


def test_a_role_that_both_owns_and_seconds_needs_another_one(
    project: Project, capsys: Capture
) -> None:
    """D+1.1.1 is the technical lead's, who also signs second: never both at once."""
    project.launch(second_signers=["technical_lead", "executive_team"])
    say(project, *waive(project, "D+1.1.1"), by="tess")
    second = ("waive", "--second", newest(project))
    assert "nobody besides the owner" in refused(project, capsys, *second, by="joel")
    assert say(project, *second, by="elena") == 0
    assert in_force(project, "D+1.1.1") is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("waive", "D-2.1.3", "--reason", "x", "--risk", "y"), "--until: is missing"),
        (("waive", "D-2.1.3", "--until", "DAY+3", "--risk", "y"), "--reason: is missing"),
        (("waive", "D-2.1.3", "--until", "DAY+3", "--reason", "x"), "--risk: is missing"),
        (("waive", "D-2.1.3", "--until", "DAY+8", *WORDS), "00:00 UTC at the latest"),
        (("waive", "D-2.1.3", "--until", "2020-01-01", *WORDS), "which has passed"),
        (("waive", "D-0", "--until", "DAY+3", *WORDS), "found no item 'D-0'"),
        (("waive",), "expected an ITEM, or --second"),
        (("waive", "--second", "none"), "found none of the id 'none'"),
        (("waive", "--second", "none", "--risk", "x"), "--risk: the second person signs"),
        (("not-applicable", "D-2.1.3", "--reason", "x"), "can never be not applicable"),
    ],
)
def test_what_could_not_hold_is_refused(
    project: Project, capsys: Capture, words: tuple[str, ...], said: str
) -> None:
    dated = (project.on(int(w.removeprefix("DAY"))) if w.startswith("DAY") else w for w in words)
    assert said in refused(project, capsys, *dated, by="paul")


def test_who_neither_owns_nor_seconds_cannot_begin(project: Project, capsys: Capture) -> None:
    said = refused(project, capsys, *waive(project), by="joel")
    assert "joel has the roles support; expected one of product_manager, technical_lead" in said


def test_a_waiver_that_was_revoked_cannot_be_seconded(project: Project, capsys: Capture) -> None:
    say(project, *waive(project), by="paul")
    first = newest(project)
    say(project, "revoke", first, "--reason", "no", by="paul")
    said = refused(project, capsys, "waive", "--second", first, by="tess")
    assert "does not hold: paul revoked it: no" in said


def test_an_item_that_may_be_not_applicable_takes_two_people_too(project: Project) -> None:
    assert say(project, "not-applicable", "D-2.1.7", "--reason", "no such thing", by="paul") == 0
    assert in_force(project, "D-2.1.7") is None
    assert say(project, "not-applicable", "--second", newest(project), by="tess") == 0
    found = in_force(project, "D-2.1.7")
    assert found is not None
    assert found.kind == "not-applicable"


def test_a_second_part_is_no_first_part(project: Project, capsys: Capture) -> None:
    say(project, *waive(project), by="paul")
    say(project, "waive", "--second", newest(project), by="tess")
    found = in_force(project)
    assert found is not None
    said = refused(project, capsys, "waive", "--second", found.second.id, by="paul")
    assert "is a second part of a waive; expected the first part" in said
    said = refused(project, capsys, "not-applicable", "--second", found.first.id, by="tess")
    assert "is a waive; expected the first part of a not-applicable" in said


def test_a_risk_or_a_reason_with_a_secret_is_refused(project: Project, capsys: Capture) -> None:
    for field, words in (
        ("text", ("waive", "D-2.1.3", "--reason", SECRET, "--risk", "x")),
        ("risk", ("waive", "D-2.1.3", "--reason", "x", "--risk", SECRET)),
        ("text", ("not-applicable", "D-2.1.7", "--reason", SECRET)),
    ):
        until = ("--until", project.on(3)) if words[0] == "waive" else ()
        said = refused(project, capsys, *words, *until, by="paul")
        assert f"{field}: holds a secret" in said
        assert SECRET not in said
