"""golive init: a folder that says which paper is whose, and never writes over anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from golive.cli import main
from golive.commands.init import needed
from golive.context import Context
from golive.papers.kinds import all_kinds
from golive.people import roster

PROJECT = Path(__file__).parents[3]
TEMPLATES = {k.template_file() for k in all_kinds()}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the launch's own suites, as the current folder."""
    shutil.copytree(PROJECT / "suites", tmp_path / "suites")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_kind_of_paper_is_needed_by_an_item() -> None:
    rests = needed(Context.open("production", PROJECT))
    assert [file for file, items in rests.items() if not items] == []


def test_the_folder_says_which_paper_is_whose_by_when_and_for_which_item(
    launch: Path, capsys: Capture
) -> None:
    assert main(["init", "launch"]) == 0
    assert {p.name for p in (launch / "launch").iterdir()} == {"README.md", *TEMPLATES}
    readme = (launch / "launch" / "README.md").read_text()
    [row] = [line for line in readme.splitlines() if line.startswith("| architecture.md |")]
    assert row.endswith("| Product Manager | 2026-12-02 | D-5.1.2 |")
    assert "`suites/people/roster.toml`" in readme
    many = len(TEMPLATES) + 1
    assert capsys.readouterr().out == f"launch: laid out {many} of {many} files\n"


def test_what_is_there_is_kept(launch: Path, capsys: Capture) -> None:
    (launch / "launch").mkdir()
    (launch / "launch" / "known-issues.md").write_text("mine")
    assert main(["init", "launch"]) == 0
    assert "kept as they are: known-issues.md\n" in capsys.readouterr().out
    before = {p: p.read_bytes() for p in (launch / "launch").iterdir()}
    assert main(["init", "launch"]) == 0
    assert "kept as they are: all of them\n" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in (launch / "launch").iterdir()} == before
    assert (launch / "launch" / "known-issues.md").read_text() == "mine"


def test_a_launch_without_a_roster_gets_one_to_fill_in(launch: Path, capsys: Capture) -> None:
    (launch / "suites" / "people" / "roster.toml").unlink()
    assert main(["init", "elsewhere"]) == 0
    laid = roster.load(launch / "elsewhere" / "roster.toml")
    for role in Context.open("production", launch).owner_roles:
        [holder], [backup] = laid.holders(role), laid.backups(role)
        assert holder.id != backup.id
        assert holder.name == "[Name]"
    said = capsys.readouterr().out
    assert "production has no roster yet" in said
    assert f"production reads its papers from {launch / 'launch'}" in said


def test_it_works_where_there_are_no_suites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "launch"]) == 0
    assert {p.name for p in (tmp_path / "launch").iterdir()} == {
        *("README.md", "roster.toml"),
        *TEMPLATES,
    }
    assert roster.load(tmp_path / "launch" / "roster.toml").people


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('["D-5.1.2"]', '["D-5.1.9"]', "found 'D-5.1.9', which is no item"),
        ('"architecture.md"', '"architect.md"', "found the paper 'architect.md'"),
        ("schema = 1", "schema = 2", "schema: found 2; expected 1"),
        ('["D-5.1.2"]', '"D-5.1.2"', "Expected `array`"),
    ],
)
def test_a_mistake_in_papers_toml_is_named_and_nothing_laid_out(
    launch: Path, capsys: Capture, old: str, new: str, says: str
) -> None:
    file = launch / "suites" / "papers.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert main(["init", "launch"]) == 1
    assert says in capsys.readouterr().err
    assert not (launch / "launch").exists()


def test_a_file_is_no_folder(launch: Path, capsys: Capture) -> None:
    (launch / "file").touch()
    assert main(["init", "file"]) == 1
    assert "is a file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_named(launch: Path, capsys: Capture) -> None:
    (launch / "file").touch()
    assert main(["init", "file/below"]) == 1
    assert "cannot be written" in capsys.readouterr().err
