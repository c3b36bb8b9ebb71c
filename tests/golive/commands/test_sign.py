"""``golive sign``: a document, by somebody of the roster."""

from __future__ import annotations

import pytest

from golive.cli import main
from golive.people.signatures import signature_of
from tests.conftest import Project

Capture = pytest.CaptureFixture[str]


def test_a_person_signs_a_document(project: Project, capsys: Capture) -> None:
    document = project.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--as", "paul", "--key", str(project.keys["paul"])]
    assert main([*words, "--env", "staging"]) == 0
    assert project.context().roster.signature(document, "product_manager").valid
    assert f"signed: {signature_of(document)}" in capsys.readouterr().out


def test_a_rehearsals_people_sign_with_their_throw_away_keys(project: Project) -> None:
    people = {"roster": "suites/people/roster.toml", "papers": "papers", "keys": "keys"}
    project.folder.environment("rehearsal", kind="rehearsal", people=people)
    document = project.folder.write("report.html", "p95 is 3 ms")
    assert main(["sign", str(document), "--as", "tess", "--env", "rehearsal"]) == 0
    assert project.context().roster.signature(document, "technical_lead").valid


def test_somebody_elses_key_leaves_no_signature(project: Project, capsys: Capture) -> None:
    document = project.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--as", "paul", "--key", str(project.keys["tess"])]
    assert main([*words, "--env", "staging"]) == 1
    assert "which is no key of paul" in capsys.readouterr().err
    assert not signature_of(document).exists()


def test_a_person_without_a_roster_is_nobody(project: Project, capsys: Capture) -> None:
    document = project.folder.write("report.html", "p95 is 3 ms")
    assert main(["sign", str(document), "--as", "paul"]) == 1
    assert "expected --env, whose roster tells whose key it is" in capsys.readouterr().err


def test_a_role_that_the_signer_does_not_have_is_refused(project: Project, capsys: Capture) -> None:
    document = project.folder.write("report.html", "p95 is 3 ms")
    words = ["sign", str(document), "--key", str(project.keys["paul"]), "--env", "staging"]
    assert main([*words, "--role", "technical_lead"]) == 1
    assert "--role: found technical_lead; paul has the roles" in capsys.readouterr().err
    assert main([*words, "--role", "product_manager"]) == 0
    assert signature_of(document, "product_manager").is_file()
