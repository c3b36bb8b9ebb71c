"""``golive revoke``: one's own, one's item's, or as one who signs second or decides."""

from __future__ import annotations

import time

import pytest

from golive.cli import main
from tests.conftest import SECRET, STATED, Office

Capture = pytest.CaptureFixture[str]


def revoke(office: Office, ident: str, *, by: str, env: str = "staging") -> int:
    words = ["revoke", ident, "--reason", "\x1b[1mnot true"]
    return main([*words, "--key", str(office.keys[by]), "--env", env])


@pytest.mark.parametrize("by", ["paul", "leah", "tess", "elena"])
def test_what_is_revoked_does_not_hold(office: Office, capsys: Capture, by: str) -> None:
    """By the signer, the owner of the item, one who signs second, one who decides."""
    signed = office.sign()
    assert revoke(office, signed.id, by=by) == 0
    assert office.cause(signed) == f"{by} revoked it: not true"
    assert f"revoked   {signed.id}: {by} revoked it: not true" in capsys.readouterr().out


def test_somebody_without_a_say_revokes_nothing(office: Office, capsys: Capture) -> None:
    signed = office.sign()
    assert revoke(office, signed.id, by="joel") == 1
    assert "can be revoked by paul, who signed it" in capsys.readouterr().err


def test_a_revocation_by_hand_of_somebody_without_a_say_is_told(office: Office) -> None:
    """It takes back what it is about, since nobody can say what it once was."""
    signed = office.sign()
    by_hand = office.sign("", "joel", kind="revoke", about=signed.sha256)
    assert f"joel may not take {signed.id} back" in office.cause(signed)
    assert list(office.desk().statements.disputed()) == [by_hand.id]


def test_a_no_go_is_taken_back_by_nobody_but_its_author(office: Office, capsys: Capture) -> None:
    no_go = office.sign("", "elena", kind="approve", data={"decision": "no-go"})
    assert revoke(office, no_go.id, by="tess") == 1
    assert "is a no-go, which only elena takes back" in capsys.readouterr().err
    assert revoke(office, no_go.id, by="elena") == 0
    assert "elena revoked it" in office.cause(no_go)


def test_a_revocation_that_was_damaged_is_signed_again(office: Office, capsys: Capture) -> None:
    signed = office.sign()
    assert revoke(office, signed.id, by="paul") == 0
    (first,) = (p for p in office.statements.iterdir() if p.name != signed.id)
    (first / "statement.json.sig").unlink()
    assert list(office.desk().statements.disputed()) == [first.name]
    time.sleep(1.1)  # a second of its own
    assert revoke(office, signed.id, by="tess") == 0
    assert office.desk().statements.disputed() == {}


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(
    office: Office, capsys: Capture
) -> None:
    office.sign()
    assert revoke(office, "20", by="paul") == 0
    assert revoke(office, "20", by="paul") == 1
    assert "found several of the id '20'" in capsys.readouterr().err


def test_a_revocation_stays_whatever_becomes_of_the_item(office: Office) -> None:
    signed = office.sign()
    office.folder.items(STATED.replace("Signed.", "Changed."))
    revoke(office, signed.id, by="paul")
    office.folder.items(STATED)  # as it was signed
    assert "revoked it" in office.cause(signed)


def test_it_is_not_revoked_twice_nor_can_that_be_taken_back(
    office: Office, capsys: Capture
) -> None:
    signed = office.sign()
    revoke(office, signed.id, by="paul")
    assert revoke(office, signed.id, by="paul") == 1
    assert "is revoked already" in capsys.readouterr().err
    (other,) = (p.name for p in office.statements.iterdir() if p.name != signed.id)
    assert revoke(office, other, by="paul") == 1
    assert "is a revocation, which stays" in capsys.readouterr().err


def test_what_was_signed_for_another_environment_is_revoked_there(
    office: Office, capsys: Capture
) -> None:
    signed = office.sign(environment="production", environment_kind="production")
    assert revoke(office, signed.id, by="paul") == 1
    assert "is of production; expected --env of that name" in capsys.readouterr().err


def test_a_reason_with_a_secret_revokes_nothing(office: Office, capsys: Capture) -> None:
    signed = office.sign()
    words = ["revoke", signed.id, "--reason", SECRET, "--key", str(office.keys["paul"])]
    assert main([*words, "--env", "staging"]) == 1
    told = capsys.readouterr()
    assert "text: holds a secret" in told.err
    assert SECRET not in told.out + told.err
    assert office.cause(signed) == ""
