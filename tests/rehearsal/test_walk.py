"""The people's way by command: a step that does not do what it should ends it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from rehearsal import walk
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(
        RehearsalError, match=r"`golive verify none\.zip` failed with status 1:\n.*"
    ):
        walk._golive("verify", "none.zip")


def test_a_command_that_must_be_refused_and_is_not_is_told() -> None:
    with pytest.raises(RehearsalError, match=r"`golive trace --help` was not refused"):
        walk._golive("trace", "--help", refused=True)


def test_a_command_that_says_something_else_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RehearsalError, match=r"does not say 'holds:'"):
        walk._golive("trace", "--help", says="holds:")
    assert "usage:" in walk._golive("trace", "--help", says="usage: golive trace")
    reported = capsys.readouterr().out
    assert reported.startswith("  $ golive trace --help\n")
    assert "\n    usage: golive trace" in reported


def test_an_id_that_is_nowhere_is_told() -> None:
    with pytest.raises(RehearsalError, match="in what golive said"):
        walk._found(r"^ +id +(\S+)$", "signed: nothing")
    assert walk._found(r"^ +id +(\S+)$", "signed: x\n  id        y-1\n") == "y-1"


@pytest.mark.parametrize("which", ["token", "key"])
def test_a_secret_in_a_page_or_inside_the_package_is_told_by_name_alone(
    tmp_path: Path, which: str
) -> None:
    r = Rehearsal(tmp_path / "rehearsal")
    token, key = r.secret("stripe-key"), (people.keys(r) / "elena").read_text()
    page, zipped = tmp_path / "page.html", tmp_path / "p.zip"
    page.write_text("nothing")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("runs/a.json", "nothing")
    assert walk.keeps_secrets(r, [page, zipped]) > len(people.PEOPLE)
    if which == "token":
        page.write_text(f"the token is {token}.")
        reported = "the secret stripe-key stands in page.html"
    else:
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("runs/a.json", key)
        reported = "the secret elena stands in p.zip: runs/a.json"
    with pytest.raises(RehearsalError) as caught:
        walk.keeps_secrets(r, [page, zipped])
    assert str(caught.value) == reported
