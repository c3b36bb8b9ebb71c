"""What a package holds, and what keeps it from being made."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive import package
from golive.answer import GO, NO_GO
from golive.cli import main
from golive.masking import Mask
from golive.readiness import assess
from golive.verdicts import GoliveError, Verdict
from tests.conftest import SECRET, SECRET_VARIABLE, Project
from tests.golive.package.packing import SIGNED, check, files_of, launched, packed, rebuilt, refused


def test_a_package_holds_what_the_answer_rests_on(made: Any) -> None:
    found = check(made[1])
    assert (found.answer.answer, found.runs, found.statements, found.documents) == (GO, 2, 3, 2)
    assert found.signed_by == SIGNED
    assert found.unsigned == []
    names = set(files_of(made[1]))
    for name in (
        "index.html",
        "answer.json",
        "package.json",
        "roster.toml",
        "allowed_signers",
        "HOW-TO-VERIFY.txt",
        "SHA256SUMS",
        "SHA256SUMS.elena.sig",
        "sheets/day_minus_2.html",
        "documents/status-report.html",
        "documents/status-report.html.sig",
        "documents/status-report.html.technical_lead.sig",
        "suites/launch.toml",
        "suites/procedure.toml",
        "suites/t_minus_1_week/test_others.py",
    ):
        assert name in names
    assert sum(n.endswith("end.json") for n in names) == 2
    assert any(
        re.fullmatch(r"statements/[^/]+/evidence/\w+-minutes of the day\.md", n) for n in names
    )


def test_the_same_answer_makes_the_same_bytes(made: Any) -> None:
    project, path = made
    answer = check(path).answer
    context = project.context()
    again = assess(context, today=answer.today, now=answer.made_at)
    one, other = (package.build(context, a, Mask()) for a in (answer, again))
    assert one == other


def test_somebody_adds_a_signature_later(made: Any, zipped: Path) -> None:
    project = made[0]
    package.sign(zipped, "paul", project.keys["paul"], project.context().roster)
    paul = ("Paul Adeyemi", "product manager")
    assert check(zipped).signed_by == [SIGNED[0], paul, SIGNED[1]]
    with pytest.raises(GoliveError, match="is no key of paul"):
        package.sign(zipped, "paul", project.keys["tess"], project.context().roster)


def test_it_tells_how_to_reach_nobody(made: Any) -> None:
    roster = files_of(made[1])["roster.toml"].decode()
    assert "Elena Marsh" in roster
    assert "@example.com" not in roster
    assert "+1202" not in roster


def test_where_the_folders_of_a_machine_lie_does_not_matter_to_the_answer(project: Project) -> None:
    launched(project)
    here = project.context().root
    for folder in (here, here / "reports", Path("/home/of/another")):
        message = f"{folder}/documents/staging/d.html is made and true, but not signed"
        project.looked({"D-2.D.1": Verdict.PENDING}, ago=timedelta(minutes=1), message=message)
        assert check(packed(project)).answer.answer == NO_GO


def test_a_no_go_is_packaged_too(project: Project) -> None:
    launched(project)
    project.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(seconds=5))
    assert check(packed(project)).answer.answer == NO_GO


def test_a_statement_that_does_not_hold_is_in_it_with_its_reason(project: Project) -> None:
    launched(project)
    project.sign(by="joel")
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    project.sign(key="tess", made_at=later)
    (item,) = [s for s in check(packed(project)).answer.standings if s.line.id == "D-2.2.1"]
    causes = [x.cause for x in item.said]
    assert any("may not state it" in c for c in causes)
    assert any("its signature is not valid" in c for c in causes)


def test_it_holds_every_python_file_of_the_suites(made: Any) -> None:
    names = set(files_of(made[1]))
    for path in (made[0].path / "suites").rglob("*.py"):
        assert f"suites/{path.relative_to(made[0].path / 'suites').as_posix()}" in names
    assert "suites/shared.py" in names


def test_a_run_that_nobody_signed_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    run = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="")
    context = project.context()
    with pytest.raises(GoliveError, match=f"{run.name}: nobody has signed its end; a package"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())


def test_runs_of_a_rehearsal_need_no_signature(project: Project) -> None:
    launched(project, "rehearsal")
    project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="", env="rehearsal")
    assert check(packed(project, "rehearsal")).runs == 3


def test_what_a_package_cannot_hold_keeps_it_from_being_made(project: Project) -> None:
    launched(project)

    def reported(folder: Path) -> str:
        context = project.context()
        with pytest.raises(GoliveError) as caught:
            package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())
        shutil.rmtree(folder)
        return str(caught.value)

    reports = project.context().reports
    for folder in (reports / "runs" / ".x", reports / "runs" / "rubbish"):
        folder.mkdir()
        assert f"runs/{folder.name}" in reported(folder)
    signed = project.sign(text="again")
    (signed.folder / "note.txt").write_text("x")
    assert "note.txt: is no part of the statement" in reported(signed.folder)
    gone = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    project.sign(text="on what was seen")
    shutil.rmtree(gone)
    said = reported(project.looked({"D-2.1.2": Verdict.PASS}, ago=timedelta(seconds=8)))
    assert gone.name in said
    assert "fetch them with `golive pull`" in said


def test_what_two_people_set_aside_does_not_keep_it_from_being_made(project: Project) -> None:
    launched(project)
    runs = project.context().reports / "runs"
    unsigned = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=3), by="")
    (unsigned / "report.html").write_text("made again by golive report")
    damaged = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=4))
    (damaged / "verdicts.jsonl").write_text("{")
    gone = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=5))
    project.sign(text="on what was seen")
    shutil.rmtree(gone)
    (runs / "rubbish").mkdir()
    (project.statements / "rubble").mkdir()
    for record in (unsigned.name, damaged.name, gone.name, "rubbish", "rubble"):
        before = set(project.statements.iterdir())
        words = ("--env", "staging", "--key")
        why = ("--reason", "the disk was full")
        assert main(["set-aside", record, *why, *words, str(project.keys["tess"])]) == 0
        (first,) = set(project.statements.iterdir()) - before
        second = ("--second", first.name, *words, str(project.keys["elena"]))
        assert main(["set-aside", *second]) == 0
    path = packed(project)
    assert check(path).answer.answer == GO
    assert f"runs/{unsigned.name}/report.html" in files_of(path)
    assert f"runs/{damaged.name}/verdicts.jsonl" in files_of(path)
    rebuilt(path, (project, path), lambda f: f.pop(f"runs/{unsigned.name}/report.html"))
    assert f"runs/{unsigned.name}: nobody has signed its end" in refused(path)


def test_a_secret_that_somebody_wrote_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    mask = Mask()
    mask.add(SECRET)
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    assert SECRET.encode() not in package.build(context, answer, mask)
    for text, reported in (
        (f"the token is {SECRET}", "holds a secret"),
        ("postgresql://golive:hunter2hunter2@db-1/app", "holds a secret, or a password"),
    ):
        file = project.folder.write("evidence.txt", text)
        signed = project.sign(files=[file])
        context = project.context()
        answer = assess(context, today=datetime.now(UTC).date())
        with pytest.raises(GoliveError, match=reported) as caught:
            package.build(context, answer, mask)
        assert signed.id in str(caught.value)
        assert SECRET not in str(caught.value)
        shutil.rmtree(signed.folder)
    path = context.documents / "status-report.html"
    path.write_text(path.read_text() + "-----BEGIN OPENSSH PRIVATE KEY-----")
    with pytest.raises(GoliveError, match=r"status-report\.html: holds a private key"):
        package.build(project.context(), answer, Mask())


def test_a_secret_in_any_part_of_it_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    check = project.path / "suites" / "t_minus_1_week" / "test_day_minus_2.py"
    mask = Mask()
    mask.add(SECRET)
    for file, name in (
        (context.documents / "status-report.html", "documents/status-report.html"),
        (check, "suites/t_minus_1_week/test_day_minus_2.py"),
    ):
        before = file.read_bytes()
        for more in (SECRET.encode().hex(), SECRET.upper(), "PuTTY-User-Key-File-2: ssh-rsa"):
            file.write_bytes(before + more.encode())
            with pytest.raises(GoliveError) as caught:
                package.build(context, answer, mask)
            assert str(caught.value).startswith(f"{name}: holds a ")
            assert more not in str(caught.value)
        file.write_bytes(before)
    run = project.looked({"D-2.1.1": Verdict.FAIL}, message=f"{SECRET} " + "{id} {verdict}")
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    with pytest.raises(GoliveError) as caught:
        package.build(context, answer, mask)
    assert str(caught.value).startswith(f"runs/{run.name}/verdicts.jsonl: holds a secret")
    assert SECRET not in str(caught.value)


def test_it_is_not_made_where_secrets_are_not_at_hand_to_search_it_for(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(project)
    monkeypatch.delenv(SECRET_VARIABLE)
    words = ["package", "--env", "staging", "--out", "p.zip"]
    assert main(words) == 1
    reported = capsys.readouterr().err
    assert f"staging: {SECRET_VARIABLE} is not at hand" in reported
    assert "--secrets-elsewhere" in reported
    assert not Path("p.zip").exists()
    assert main([*words, "--secrets-elsewhere"]) == 0
    assert f"searched  not for {SECRET_VARIABLE}" in capsys.readouterr().out
    assert Path("p.zip").exists()


def test_of_a_rehearsal_it_is_made_and_what_was_not_searched_for_told(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(project, "rehearsal")
    monkeypatch.delenv(SECRET_VARIABLE)
    assert main(["package", "--env", "rehearsal", "--out", "p.zip"]) == 0
    assert f"searched  not for {SECRET_VARIABLE}" in capsys.readouterr().out


def test_no_key_of_anybodys_is_in_it(made: Any) -> None:
    project, path = made
    content = b"".join(files_of(path).values())
    assert b"PRIVATE KEY" not in content
    for key in project.keys.values():
        secret = "".join(key.read_text().splitlines()[1:-1])
        assert secret[60:120].encode() not in content


def test_a_damaged_run_or_statement_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    context = project.context()
    folder = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    (folder / "verdicts.jsonl").write_text("")
    with pytest.raises(GoliveError, match="was altered after it ended"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())
    shutil.rmtree(folder)
    (project.statements / "empty").mkdir()
    context = project.context()
    with pytest.raises(GoliveError, match=r"empty: .*only statements that can be read"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())


def test_what_cannot_be_packaged_is_told(project: Project, capsys: Any) -> None:
    project.fresh()
    for words, reported in (
        (["package"], "expected --env NAME, or --sign FILE"),
        (["package", "--sign", "none.zip"], "none.zip: cannot be read"),
        (["package", "--sign", "none.zip", "--out", "x"], "no --out or --today"),
    ):
        assert main(words) == 1
        assert reported in capsys.readouterr().err
