"""``golive waive`` and ``golive not-applicable``: two people, the owner among them."""

from __future__ import annotations

import pytest

from golive.cli import main
from golive.people.statements import Exemption
from tests.conftest import SECRET, Office

Capture = pytest.CaptureFixture[str]
WORDS = ("--reason", "later", "--risk", "a late night")


def waive(office: Office, item: str = "D-2.1.3", until: int = 3) -> tuple[str, ...]:
    return ("waive", item, "--until", office.on(until), *WORDS)


def say(office: Office, *words: str, by: str) -> int:
    return main([*words, "--key", str(office.keys[by]), "--env", "staging"])


def newest(office: Office) -> str:
    return max(p.name for p in office.statements.iterdir())


def in_force(office: Office, item: str = "D-2.1.3") -> Exemption | None:
    return office.desk().statements.exemption(item)[0]


def refused(office: Office, capsys: Capture, *words: str, by: str) -> str:
    before = sorted(office.statements.glob("*"))
    assert say(office, *words, by=by) == 1
    assert sorted(office.statements.glob("*")) == before
    return capsys.readouterr().err


def test_one_person_alone_waives_nothing(office: Office, capsys: Capture) -> None:
    assert say(office, *waive(office), by="paul") == 0
    assert in_force(office) is None
    said = capsys.readouterr().out
    assert "missing   a second person, as technical_lead (Tess Lindqvist)" in said
    assert f"golive waive --second {newest(office)} --env staging" in said


def test_the_owner_and_a_second_person_waive_an_item(office: Office, capsys: Capture) -> None:
    say(office, *waive(office), by="paul")
    first = newest(office)
    capsys.readouterr()
    assert say(office, "waive", "--second", first, by="tess") == 0
    found = in_force(office)
    assert found is not None
    assert (found.first.id, found.second.statement.by) == (first, "tess")
    assert f"{found.until:%Y-%m-%d %H:%M}" == f"{office.on(4)} 00:00"  # that day counts too
    said = capsys.readouterr().out
    assert "first: waive D-2.1.3, by Paul Adeyemi as product manager" in said
    assert "risk      a late night" in said
    assert f"complete  signed by paul and tess, in force until {office.on(4)} 00:00 UTC" in said


def test_the_owner_may_sign_second(office: Office) -> None:
    say(office, *waive(office), by="tess")
    assert say(office, "waive", "--second", newest(office), by="leah") == 0
    assert in_force(office) is not None


def test_nobody_seconds_oneself_nor_without_the_right_role(office: Office, capsys: Capture) -> None:
    say(office, *waive(office), by="paul")
    second = ("waive", "--second", newest(office))
    assert "expected another person" in refused(office, capsys, *second, by="paul")
    assert "both signed as product_manager" in refused(office, capsys, *second, by="leah")
    said = refused(office, capsys, *second, by="joel")
    assert "nobody besides the owner signed as technical_lead" in said
    assert in_force(office) is None


def test_a_role_that_both_owns_and_seconds_needs_another_one(
    office: Office, capsys: Capture
) -> None:
    """D+1.1.1 is the technical lead's, who also signs second: never both at once."""
    office.launch(second_signers=["technical_lead", "executive_team"])
    say(office, *waive(office, "D+1.1.1"), by="tess")
    second = ("waive", "--second", newest(office))
    assert "nobody besides the owner" in refused(office, capsys, *second, by="joel")
    assert say(office, *second, by="elena") == 0
    assert in_force(office, "D+1.1.1") is not None


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
    office: Office, capsys: Capture, words: tuple[str, ...], said: str
) -> None:
    dated = (office.on(int(w.removeprefix("DAY"))) if w.startswith("DAY") else w for w in words)
    assert said in refused(office, capsys, *dated, by="paul")


def test_who_neither_owns_nor_seconds_cannot_begin(office: Office, capsys: Capture) -> None:
    said = refused(office, capsys, *waive(office), by="joel")
    assert "joel has the roles support; expected one of product_manager, technical_lead" in said


def test_a_waiver_that_was_revoked_cannot_be_seconded(office: Office, capsys: Capture) -> None:
    say(office, *waive(office), by="paul")
    first = newest(office)
    say(office, "revoke", first, "--reason", "no", by="paul")
    said = refused(office, capsys, "waive", "--second", first, by="tess")
    assert "does not hold: paul revoked it: no" in said


def test_an_item_that_may_be_not_applicable_takes_two_people_too(office: Office) -> None:
    assert say(office, "not-applicable", "D-2.1.7", "--reason", "no such thing", by="paul") == 0
    assert in_force(office, "D-2.1.7") is None
    assert say(office, "not-applicable", "--second", newest(office), by="tess") == 0
    found = in_force(office, "D-2.1.7")
    assert found is not None
    assert found.kind == "not-applicable"


def test_a_second_part_is_no_first_part(office: Office, capsys: Capture) -> None:
    say(office, *waive(office), by="paul")
    say(office, "waive", "--second", newest(office), by="tess")
    found = in_force(office)
    assert found is not None
    said = refused(office, capsys, "waive", "--second", found.second.id, by="paul")
    assert "is a second part of a waive; expected the first part" in said
    said = refused(office, capsys, "not-applicable", "--second", found.first.id, by="tess")
    assert "is a waive; expected the first part of a not-applicable" in said


def test_a_risk_or_a_reason_with_a_secret_is_refused(office: Office, capsys: Capture) -> None:
    for field, words in (
        ("text", ("waive", "D-2.1.3", "--reason", SECRET, "--risk", "x")),
        ("risk", ("waive", "D-2.1.3", "--reason", "x", "--risk", SECRET)),
        ("text", ("not-applicable", "D-2.1.7", "--reason", SECRET)),
    ):
        until = ("--until", office.on(3)) if words[0] == "waive" else ()
        said = refused(office, capsys, *words, *until, by="paul")
        assert f"{field}: holds a secret" in said
        assert SECRET not in said
