"""``golive revoke``: one's own, one's item's, or as one who signs second or decides."""

from __future__ import annotations

import time

import pytest

from golive.cli import main
from tests.conftest import SECRET, STATED, Project

Capture = pytest.CaptureFixture[str]


def revoke(project: Project, ident: str, *, by: str, env: str = "staging") -> int:
    words = ["revoke", ident, "--reason", "\x1b[1mnot true"]
    return main([*words, "--key", str(project.keys[by]), "--env", env])


@pytest.mark.parametrize("by", ["paul", "leah", "tess", "elena"])
def test_what_is_revoked_does_not_hold(project: Project, capsys: Capture, by: str) -> None:
    """By the signer, the owner of the item, one who signs second, one who decides."""
    signed = project.sign()
    assert revoke(project, signed.id, by=by) == 0
    assert project.cause(signed) == f"{by} revoked it: not true"
    assert f"revoked   {signed.id}: {by} revoked it: not true" in capsys.readouterr().out


def test_somebody_without_a_say_revokes_nothing(project: Project, capsys: Capture) -> None:
    signed = project.sign()
    assert revoke(project, signed.id, by="joel") == 1
    assert "can be revoked by paul, who signed it" in capsys.readouterr().err


def test_a_revocation_by_hand_of_somebody_without_a_say_is_told(project: Project) -> None:
    """It takes back what it is about, since nobody can say what it once was."""
    signed = project.sign()
    by_hand = project.sign("", "joel", kind="revoke", about=signed.sha256)
    assert f"joel may not take {signed.id} back" in project.cause(signed)
    assert list(project.context().statements.disputed()) == [by_hand.id]


def test_a_no_go_is_taken_back_by_nobody_but_its_author(project: Project, capsys: Capture) -> None:
    no_go = project.sign("", "elena", kind="approve", data={"decision": "no-go"})
    assert revoke(project, no_go.id, by="tess") == 1
    assert "is a no-go, which only elena takes back" in capsys.readouterr().err
    assert revoke(project, no_go.id, by="elena") == 0
    assert "elena revoked it" in project.cause(no_go)


def test_a_revocation_that_was_damaged_is_signed_again(project: Project, capsys: Capture) -> None:
    signed = project.sign()
    assert revoke(project, signed.id, by="paul") == 0
    (first,) = (p for p in project.statements.iterdir() if p.name != signed.id)
    (first / "statement.json.sig").unlink()
    assert list(project.context().statements.disputed()) == [first.name]
    time.sleep(1.1)  # a second of its own
    assert revoke(project, signed.id, by="tess") == 0
    assert project.context().statements.disputed() == {}


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(
    project: Project, capsys: Capture
) -> None:
    project.sign()
    assert revoke(project, "20", by="paul") == 0
    assert revoke(project, "20", by="paul") == 1
    assert "found several of the id '20'" in capsys.readouterr().err


def test_a_revocation_stays_whatever_becomes_of_the_item(project: Project) -> None:
    signed = project.sign()
    project.folder.items(STATED.replace("Signed.", "Changed."))
    revoke(project, signed.id, by="paul")
    project.folder.items(STATED)  # as it was signed
    assert "revoked it" in project.cause(signed)


def test_it_is_not_revoked_twice_nor_can_that_be_taken_back(
    project: Project, capsys: Capture
) -> None:
    signed = project.sign()
    revoke(project, signed.id, by="paul")
    assert revoke(project, signed.id, by="paul") == 1
    assert "is revoked already" in capsys.readouterr().err
    (other,) = (p.name for p in project.statements.iterdir() if p.name != signed.id)
    assert revoke(project, other, by="paul") == 1
    assert "is a revocation, which stays" in capsys.readouterr().err


def test_what_was_signed_for_another_environment_is_revoked_there(
    project: Project, capsys: Capture
) -> None:
    signed = project.sign(environment="production", environment_kind="production")
    assert revoke(project, signed.id, by="paul") == 1
    assert "is of production; expected --env of that name" in capsys.readouterr().err


def test_a_reason_with_a_secret_revokes_nothing(project: Project, capsys: Capture) -> None:
    signed = project.sign()
    words = ["revoke", signed.id, "--reason", SECRET, "--key", str(project.keys["paul"])]
    assert main([*words, "--env", "staging"]) == 1
    reported = capsys.readouterr()
    assert "text: holds a secret" in reported.err
    assert SECRET not in reported.out + reported.err
    assert project.cause(signed) == ""
