"""Signed documents travel between machines, and are never lost."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.cli import main
from golive.people.signatures import sign, signature_of
from golive.reports.documents import Document, Signer, read_document, write_document
from golive.signing import signed
from golive.store import DOCUMENTS, Store, pull, push
from golive.verdicts import GoliveError
from tests.conftest import Project
from tests.golive.reports.test_documents import AT, document

KIND = "architecture-review"
BOTH = [
    Signer(role="product_manager", title="Product Manager"),
    Signer(role="technical_lead", title="Technical Lead"),
]


def paper(**changes: Any) -> Document:
    return document(kind=KIND, item="D-2.D.1", signers=BOTH, **changes)


def make(project: Project, **changes: Any) -> Path:
    """A document where the context's documents lie."""
    return write_document(paper(**changes), project.context().documents / f"{KIND}.html")


def by_command(project: Project, page: Path, person: str, *more: str) -> None:
    words = ["sign", str(page), "--as", person, "--key", str(project.keys[person])]
    assert main([*words, "--env", "staging", *more]) == 0


def kept(project: Project) -> list[Path]:
    return sorted(project.context().signed.iterdir())


def moved_out(project: Project) -> Path:
    """Empty the context: as on another clone that has only pulled."""
    shutil.rmtree(project.context().documents)
    return project.context().documents / f"{KIND}.html"


def test_what_was_signed_is_kept_byte_for_byte_whatever_becomes_of_the_document(
    project: Project,
) -> None:
    page = make(project)
    by_command(project, page, "paul")
    was = page.read_bytes(), signature_of(page).read_bytes()
    make(project, made_at=AT + timedelta(days=1))
    (folder,) = kept(project)
    copy = signed.read(folder)
    assert (copy.page.read_bytes(), copy.signature.read_bytes()) == was
    assert copy.id == folder.name
    assert copy.role == "product_manager"


def test_two_people_sign_on_two_machines_and_a_third_has_both(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, third = tmp_path / "shared", tmp_path / "third"
    shared.mkdir()
    page = make(project)
    by_command(project, page, "paul")
    signature_of(page).unlink()  # the other machine made the same page, and has not seen his name
    by_command(project, page, "tess", "--role", "technical_lead")
    push(Store(str(shared)), {DOCUMENTS: project.context().signed})
    assert pull(Store(str(shared)), {DOCUMENTS: third / "signed"}).moved[DOCUMENTS] == [
        folder.name for folder in kept(project)
    ]
    shutil.rmtree(project.context().signed)
    shutil.copytree(third / "signed", project.context().signed)
    here = moved_out(project)
    assert signed.lay_out(project.context()) == [here]
    roster = project.context().roster
    assert roster.signature(here, "product_manager").valid
    second = signature_of(here, "technical_lead")
    assert roster.signature(here, "technical_lead", signature=second).valid
    assert signed.lay_out(project.context()) == [], "all is there already"


def test_pull_lays_out_what_others_signed_and_says_so(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared").mkdir()
    by_command(project, make(project), "paul")
    place = ("--store", str(tmp_path / "shared"))
    assert main(["push", *place, "--env", "staging"]) == 0
    assert "pushed 0 runs, 0 statements, 1 document" in capsys.readouterr().out
    assert main(["push", *place, "--env", "production"]) == 0
    here = moved_out(project)
    shutil.rmtree(project.context().signed)
    assert main(["pull", *place]) == 0
    assert f"signed by others: {here.relative_to(project.path)}" in capsys.readouterr().out
    assert project.context().roster.signature(here, "product_manager").valid


@pytest.mark.parametrize(
    ("own", "goes"),
    [
        (paper(), True),  # the same page, unsigned
        (paper(made_at=AT + timedelta(hours=1)), True),  # made later, and says the same
        (paper(made_at=AT - timedelta(hours=1), candidate="v1.9.0"), True),
        (paper(made_at=AT + timedelta(hours=1), candidate="v2.0.1"), False),
    ],
)
def test_an_unsigned_document_gives_way_unless_it_is_newer_and_says_something_else(
    project: Project, own: Document, goes: bool
) -> None:
    by_command(project, make(project), "paul")
    here = write_document(own, moved_out(project))
    before = here.read_bytes()
    assert bool(signed.lay_out(project.context())) is goes
    assert signature_of(here).exists() is goes
    assert (read_document(here) == paper()) is goes
    assert goes or here.read_bytes() == before


@pytest.mark.parametrize(("days", "goes"), [(-1, True), (1, False)])
def test_of_two_signed_ones_the_newer_lies_there_and_neither_is_lost(
    project: Project, days: int, goes: bool
) -> None:
    by_command(project, make(project), "paul")
    here = write_document(paper(made_at=AT + timedelta(days=days)), moved_out(project))
    sign(here, project.keys["paul"])  # by ssh-keygen or an older golive: there is no copy of it
    own = here.read_bytes()
    signed.lay_out(project.context())
    assert (read_document(here).made_at == AT) is goes
    assert project.context().roster.signature(here, "product_manager").valid
    copies = {folder / f"{KIND}.html" for folder in kept(project)}
    assert not goes or own in {c.read_bytes() for c in copies}


@pytest.mark.parametrize("spoilt", ["page", "signature", "name", "role", "environment", "folder"])
def test_what_nobody_signed_who_may_is_not_laid_out(project: Project, spoilt: str) -> None:
    person = "noor" if spoilt == "role" else "paul"
    page = make(project, environment="production" if spoilt == "environment" else "staging")
    sign(page, project.keys["tess" if spoilt == "role" else person])
    folder = signed.keep(page, signature_of(page), project.context().signed)
    assert folder is not None
    if spoilt == "page":
        write_document(paper(candidate="v6.6.6"), folder / page.name)
    if spoilt == "signature":
        (folder / f"{page.name}.sig").write_text("none")
    if spoilt == "name":
        (folder / f"{page.name}.sig").rename(folder / f"{page.name}.qa_lead.sig")
    if spoilt == "folder":
        folder.rename(folder.with_name("another"))
    here = moved_out(project)
    assert signed.lay_out(project.context()) == []
    assert not here.exists()


def test_a_document_that_was_altered_here_stays_for_all_to_see(project: Project) -> None:
    page = make(project)
    by_command(project, page, "paul")
    page.write_text("altered")
    assert signed.lay_out(project.context()) == []
    assert page.read_text() == "altered"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda f: f.joinpath("more.html").write_text("x"), "found"),
        (lambda f: f.joinpath(f"{KIND}.html.sig").unlink(), "and one signature over it"),
        (lambda f: f.joinpath(f"{KIND}.html").write_text("x"), "found no embedded data"),
        (lambda f: f.joinpath("note.txt").write_text("x"), "which has no place in it"),
        (lambda f: f.rename(f.with_name("another")), "expected it under that name"),
    ],
)
def test_a_copy_that_is_not_whole_is_not_sent(
    project: Project, tmp_path: Path, spoil: Any, why: str
) -> None:
    (tmp_path / "shared").mkdir()
    by_command(project, make(project), "paul")
    spoil(kept(project)[0])
    done = push(Store(str(tmp_path / "shared")), {DOCUMENTS: project.context().signed})
    (reported,) = done.refused.values()
    assert why in reported
    assert not list((tmp_path / "shared").rglob("*.tar"))


def test_a_file_of_others_can_be_signed_but_does_not_travel(project: Project) -> None:
    page = project.folder.write("minutes.html", "we met")
    by_command(project, page, "paul")
    assert not project.context().signed.exists()


def test_where_copies_cannot_be_written_is_named(project: Project) -> None:
    page = make(project)
    sign(page, project.keys["paul"])
    project.context().signed.write_text("no folder")
    with pytest.raises(GoliveError, match=r"signed/2026.*: cannot be written"):
        signed.keep(page, signature_of(page), project.context().signed)


def test_the_day_is_the_documents_own(project: Project) -> None:
    page = make(project, made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=AT.tzinfo))
    by_command(project, page, "paul")
    assert kept(project)[0].name.startswith(f"20260102T030405Z-staging-{KIND}-")
