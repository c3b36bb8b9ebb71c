"""The desk: where what people write and sign lies, without a secret."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from golive.desk import Desk
from golive.verdicts import GoliveError, Pending
from tests.conftest import SECRET_VARIABLE, Office


def test_it_opens_without_any_secret(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    desk = office.desk()
    assert (desk.environment.name, desk.environment.kind) == ("staging", "staging")
    assert desk.statements.folder == office.path / "reports" / "statements"
    assert desk.papers == office.path / "papers"
    assert desk.documents == office.path / "reports" / "documents" / "staging"
    assert desk.keys is None


def test_an_environment_names_its_own_places(office: Office) -> None:
    places = {"statements": "signed", "documents": "/srv/documents"}
    people = {"roster": "suites/people/roster.toml", "papers": "papers"} | places
    office.folder.environment("staging", people=people)
    desk = office.desk()
    assert desk.statements.folder == office.path / "signed"
    assert desk.documents == Path("/srv/documents")


def test_elsewhere_than_beside_the_suites_it_says_so(office: Office, tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="expected to be called beside the suites"):
        Desk.open("staging", tmp_path)
    with pytest.raises(GoliveError, match="moon"):
        Desk.open("moon", office.path)


def test_a_missing_roster_is_told_by_name(office: Office) -> None:
    (office.path / "suites/people/roster.toml").unlink()
    with pytest.raises(GoliveError, match=r"roster\.toml"):
        office.desk().roster  # noqa: B018


def test_what_was_signed_since_is_seen_anew(office: Office) -> None:
    desk = office.desk()
    assert desk.statements.everything() == []
    signed = office.sign()
    assert desk.statements.everything() == []
    assert [s.id for s in desk.anew().statements.everything()] == [signed.id]


def test_papers_are_named_by_the_digest_of_their_bytes(office: Office) -> None:
    office.folder.write("papers/runbook.md", "# Runbook\n")
    digest = hashlib.sha256(b"# Runbook\n").hexdigest()
    assert office.desk().digests(("runbook.md",)) == {"runbook.md": digest}


def test_a_paper_that_is_missing_or_a_link_is_still_to_be_written(office: Office) -> None:
    with pytest.raises(Pending, match=r"runbook\.md is not there; `golive init"):
        office.desk().digests(("runbook.md",))
    office.folder.write("papers/other.md", "x")
    (office.path / "papers/runbook.md").symlink_to(office.path / "papers/other.md")
    with pytest.raises(Pending, match=r"runbook\.md: is a symbolic link"):
        office.desk().digests(("runbook.md",))
