"""``golive sign``: a document, by somebody of the roster."""

from __future__ import annotations

import pytest

from golive.cli import main
from golive.people.signatures import signature_of
from tests.conftest import Office

Capture = pytest.CaptureFixture[str]


def test_a_person_signs_a_document(office: Office, capsys: Capture) -> None:
    document = office.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--as", "paul", "--key", str(office.keys["paul"])]
    assert main([*words, "--env", "staging"]) == 0
    assert office.desk().roster.signature(document, "product_manager").valid
    assert f"signed: {signature_of(document)}" in capsys.readouterr().out


def test_a_rehearsals_people_sign_with_their_throw_away_keys(office: Office) -> None:
    people = {"roster": "suites/people/roster.toml", "papers": "papers", "keys": "keys"}
    office.folder.environment("rehearsal", kind="rehearsal", people=people)
    document = office.folder.write("report.html", "p95 is 3 ms")
    assert main(["sign", str(document), "--as", "tess", "--env", "rehearsal"]) == 0
    assert office.desk().roster.signature(document, "technical_lead").valid


def test_somebody_elses_key_leaves_no_signature(office: Office, capsys: Capture) -> None:
    document = office.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--as", "paul", "--key", str(office.keys["tess"])]
    assert main([*words, "--env", "staging"]) == 1
    assert "which is no key of paul" in capsys.readouterr().err
    assert not signature_of(document).exists()


def test_a_person_without_a_roster_is_nobody(office: Office, capsys: Capture) -> None:
    document = office.folder.write("report.html", "p95 is 3 ms")
    assert main(["sign", str(document), "--as", "paul"]) == 1
    assert "expected --env, whose roster tells whose key it is" in capsys.readouterr().err


def test_a_role_that_the_signer_does_not_have_is_refused(office: Office, capsys: Capture) -> None:
    document = office.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--key", str(office.keys["paul"]), "--env", "staging"]
    assert main([*words, "--role", "technical_lead"]) == 1
    assert "--role: found technical_lead; paul has the roles" in capsys.readouterr().err
    assert main([*words, "--role", "product_manager"]) == 0
    assert signature_of(document, "product_manager").is_file()
