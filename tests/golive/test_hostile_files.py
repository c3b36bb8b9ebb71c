"""Whatever lies where golive reads a file: one paragraph that names it; no hang, no traceback."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from golive import ledger
from golive.cli import main
from golive.ledger import is_running, read_run
from golive.reports.documents import Document, Signer, read_document, write_document
from golive.toml import read_toml
from golive.verdicts import GoliveError, Verdict
from tests.conftest import ITEMS, STATED, Project

Capture = pytest.CaptureFixture[str]
GREEN = dict.fromkeys([i for i in ITEMS if i.startswith("D-2")], Verdict.PASS)
ODD = os.fsdecode(b"caf\xe9")
"""A file name that is no UTF-8, as Python has it."""
_LONGEST_S = 30
_MEMORY = 2 * 2**30


class _Hangs(BaseException):
    """Not caught on the way by what takes any error for a file that cannot be read."""


@pytest.fixture(autouse=True)
def bounds() -> Iterator[None]:
    """What hangs or grows without end fails, instead of taking the tests and the machine along."""

    def over(_: int, __: FrameType | None) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(_LONGEST_S)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# -- what an attacker can put in a file's place ------------------------------------------------


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    os.truncate(path, 8 * 2**30)  # takes no room on the disk


def link(path: Path) -> None:
    real = Path.cwd() / f"real-{path.name}"
    path.rename(real)
    path.symlink_to(real)


def gone(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


HOSTILE = [pipe, endless, folder, huge]


@pytest.fixture
def launch(project: Project) -> Project:
    """A launch with a run, a statement with evidence, a paper and a document."""
    project.fresh()
    project.folder.items(
        STATED + '\n@attested("D-2.1.8", "the papers are true", papers=("runbook.md",))\n'
        "def test_the_papers_are_true(vouched):\n    '''Signed.'''\n"
    )
    project.folder.write("papers/runbook.md", "# Runbook\n")
    project.looked(GREEN)
    project.sign(files=[project.folder.write("minutes.txt", "we met")])
    context = project.context()
    document = Document(
        kind="status-report",
        item="D-2.D.1",
        title="Status report",
        signers=[Signer(role="product_manager", title="Product Manager")],
        environment="staging",
        environment_kind="staging",
        fingerprint="9f",
        candidate="v2.0.0",
        made_at=project.draft().made_at,
        summary="All is well.",
        verdicts=[],
        figures=[],
        tables=[],
    )
    write_document(document, context.documents / "status-report.html")
    return project


def run_of(project: Project) -> Path:
    return ledger.runs(project.folder.reports)[0]


def said(capsys: Capture, *words: str, status: int = 1) -> str:
    """What a command says that ends with this status, and with no traceback."""
    capsys.readouterr()
    assert main(list(words)) == status
    reported = capsys.readouterr()
    assert "Traceback" not in reported.out + reported.err
    return reported.out + reported.err


def refused(capsys: Capture, path: Path, *words: str) -> None:
    """The command fails with one paragraph that names the file and what is expected there."""
    out = said(capsys, *words)
    (reported,) = [line for line in out.splitlines() if line.startswith("golive: ")]
    assert path.name in reported or "/dev/zero: is a device" in reported
    assert "expected" in reported


STATUS = ("status", "--env", "staging")


@pytest.mark.parametrize("put", [*HOSTILE, gone])
@pytest.mark.parametrize(
    "name",
    [
        "suites/launch.toml",
        "suites/procedure.toml",
        "suites/product.toml",
        "suites/environments/staging.toml",
        "suites/people/roster.toml",
        "suites/t_minus_1_week/test_day_minus_2.py",
    ],
)
def test_a_file_of_the_suites_that_is_none_is_named(
    launch: Project, capsys: Capture, name: str, put: Callable[[Path], None]
) -> None:
    path = launch.path / name
    put(path)
    refused(capsys, path, *STATUS)


def test_a_file_of_the_suites_may_be_a_link(launch: Project, capsys: Capture) -> None:
    for name in ("launch.toml", "procedure.toml", "environments/staging.toml"):
        link(launch.path / "suites" / name)
    assert said(capsys, *STATUS).startswith("NO-GO")


@pytest.mark.parametrize("put", [*HOSTILE, link])
@pytest.mark.parametrize("name", ["run.json", "verdicts.jsonl", "facts.jsonl", "end.json"])
def test_a_record_of_a_run_that_is_no_ordinary_file_breaks_it_by_name(
    launch: Project, capsys: Capture, name: str, put: Callable[[Path], None]
) -> None:
    path = run_of(launch) / name
    put(path)
    with pytest.raises(GoliveError, match=rf"{name}: .*expected"):
        read_run(run_of(launch))
    out = said(capsys, *STATUS)
    assert f"BROKEN  runs           runs that cannot be trusted: 1: {run_of(launch).name}" in out
    refused(capsys, path, "report", str(run_of(launch)))


def test_an_end_that_leads_nowhere_is_no_missing_end(launch: Project) -> None:
    gone(run_of(launch) / "end.json")
    with pytest.raises(GoliveError, match=r"end\.json: is a symbolic link"):
        read_run(run_of(launch))


@pytest.mark.parametrize("put", [*HOSTILE, link, gone])
def test_nobody_writes_to_a_run_whose_verdicts_are_no_file(
    launch: Project, put: Callable[[Path], None]
) -> None:
    (run_of(launch) / "end.json").unlink()
    put(run_of(launch) / "verdicts.jsonl")
    if put is not huge:
        assert not is_running(run_of(launch))


@pytest.mark.parametrize("put", [*HOSTILE, link])
@pytest.mark.parametrize("name", ["run.json", "facts.jsonl"])
def test_such_a_run_is_neither_pushed_nor_packaged(
    launch: Project, capsys: Capture, name: str, put: Callable[[Path], None]
) -> None:
    (launch.path / "store").mkdir()
    put(run_of(launch) / name)
    out = said(capsys, "push", "--store", "store", "--env", "staging")
    assert f"refused: runs/{run_of(launch).name}: " in out
    assert name in out or "has 8,192.0 MiB" in out
    assert list((launch.path / "store").rglob("*.tar")) != []  # the statement is sent all the same
    assert name in said(capsys, "package", "--env", "staging")


@pytest.mark.parametrize("put", [*HOSTILE, link])
@pytest.mark.parametrize("name", ["statement.json", "statement.json.sig", "evidence"])
def test_a_part_of_a_statement_that_is_no_ordinary_file_is_named(
    launch: Project, capsys: Capture, name: str, put: Callable[[Path], None]
) -> None:
    (statement,) = launch.statements.iterdir()
    path = statement / name
    if name == "evidence":
        (path,) = path.iterdir()
    put(path)
    out = said(capsys, "statements", "--env", "staging", status=0)
    assert f"{path.name}: " in out or "its evidence minutes.txt" in out
    out = said(capsys, "package", "--env", "staging")
    assert "golive: " in out


@pytest.mark.parametrize("put", [*HOSTILE, link, gone])
def test_a_document_that_is_no_ordinary_file_is_no_document(
    launch: Project, put: Callable[[Path], None]
) -> None:
    path = launch.context().documents / "status-report.html"
    put(path)
    with pytest.raises(GoliveError, match=r"status-report\.html: .*expected a document"):
        read_document(path)


ATTEST = ("attest", "D-2.2.1", "--env", "staging", "--statement", "told")


@pytest.mark.parametrize("put", HOSTILE)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("a.json", (*ATTEST, "--data", "a.json")),
        ("a.txt", (*ATTEST, "--evidence", "a.txt")),
        ("a.toml", ("attest", "--env", "staging", "--from", "a.toml")),
        ("a.json", ("approve", "go", "--env", "staging", "--about", "a.json")),
        ("a.md", ("trace", "a.md")),
        ("a.zip", ("verify", "a.zip")),
        ("a.toml", ("trace", "real.md", "--write", "a.toml")),
        ("a.html", ("sign", "a.html", "--key", "keys/paul")),
    ],
)
def test_a_file_of_the_command_line_that_is_none_is_named(
    launch: Project,
    capsys: Capture,
    given: str,
    words: tuple[str, ...],
    put: Callable[[Path], None],
) -> None:
    launch.folder.write("real.md", "- [ ] One\n")
    path = launch.folder.write(given, "x")
    put(path)
    if "--env" in words:
        words = (*words, "--key", str(launch.keys["elena" if "approve" in words else "paul"]))
    if "approve" in words:
        words = (*words, "--reason", "because")
    refused(capsys, path, *words)


@pytest.mark.parametrize("put", [*HOSTILE, link])
def test_a_paper_that_is_no_file_is_asked_for(
    launch: Project, capsys: Capture, put: Callable[[Path], None]
) -> None:
    put(launch.path / "papers" / "runbook.md")
    words = ("attest", "D-2.1.8", "--env", "staging", "--statement", "true")
    out = said(capsys, *words, "--key", str(launch.keys["paul"]))
    assert "runbook.md" in out


# -- what they may hold -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 100_000}{']' * 100_000}",
        "x = " + "{a=" * 100_000 + "1" + "}" * 100_000,
        f"{'a.' * 100_000}a = 1",
        f"[{'a.' * 100_000}a]\nb = 1",
    ],
    ids=["arrays", "tables", "dotted", "header"],
)
def test_toml_that_is_nested_without_end_is_refused(
    launch: Project, capsys: Capture, text: str
) -> None:
    path = launch.folder.write("deep.toml", text)
    with pytest.raises(GoliveError, match=r"deep\.toml: is nested over \d+ deep; expected"):
        read_toml(path)
    for name in ("launch.toml", "environments/staging.toml", "people/roster.toml"):
        path = launch.path / "suites" / name
        before = path.read_text()
        path.write_text(text)
        refused(capsys, path, *STATUS)
        path.write_text(before)


def test_json_that_is_nested_without_end_is_refused(launch: Project, capsys: Capture) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (run_of(launch) / "run.json").write_text(deep)
    assert "runs that cannot be trusted: 1" in said(capsys, *STATUS)
    launch.folder.write("a.json", deep)
    refused(capsys, Path("a.json"), *ATTEST, "--data", "a.json", "--key", str(launch.keys["paul"]))


# -- names ------------------------------------------------------------------------------------


def test_names_that_are_no_utf8_are_told_wherever_they_stand(
    launch: Project, capsys: Capture
) -> None:
    reports = launch.folder.reports
    for place in (
        reports / "runs",
        launch.statements,
        launch.context().documents,
        reports / "signed",
    ):
        place.mkdir(parents=True, exist_ok=True)
        (place / ODD).mkdir()
        (place / f"{ODD}.html").write_text("x")
        (place / f"20261124T090000Z-staging-{ODD}").mkdir()
    damaged = reports / "runs" / f"20261124T090000Z-staging-{ODD}"
    (damaged / "run.json").write_text("{}")
    (damaged / ODD).write_text("x")
    (launch.path / "papers" / f"briefing-{ODD}.md").write_text("x")
    (launch.path / "papers" / f"{ODD}.md").write_text("x")
    (launch.path / "store").mkdir()
    key = ("--key", str(launch.keys["paul"]))
    assert "caf\\udce9" in said(capsys, *STATUS)
    json.loads(said(capsys, *STATUS, "--json"))
    said(capsys, *STATUS, "--page", "launch.html", "--ctrf", "ctrf.json")
    assert "caf\\udce9" in said(capsys, "statements", "--env", "staging", status=0)
    json.loads(said(capsys, "statements", "--env", "staging", "--json", status=0))
    assert "documents/caf\N{REPLACEMENT CHARACTER}: is no name" in said(
        capsys, "push", "--store", "store"
    )
    assert "caf\\udce9" in said(capsys, "package", "--env", "staging")
    said(capsys, *ATTEST, *key, status=0)
    said(capsys, "report", str(damaged))
    said(capsys, "trace", f"{ODD}.md")
    said(capsys, "verify", f"{ODD}.zip")
    said(capsys, "status", "--env", f"{ODD}.toml")


def test_evidence_with_such_a_name_is_kept_under_a_plain_one(
    launch: Project, capsys: Capture
) -> None:
    launch.folder.write(f"{ODD}.txt", "we met")
    out = said(
        capsys, *ATTEST, "--evidence", f"{ODD}.txt", "--key", str(launch.keys["paul"]), status=0
    )
    assert "evidence  caf_.txt" in out


# -- what golive writes is its owner's alone --------------------------------------------------


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_everything_that_is_written_is_its_owners_alone_whatever_the_umask(
    project: Project, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        project.fresh()
        known = set(tmp_path.rglob("*"))
        (tmp_path / "store").mkdir(mode=0o700)
        key = ["--key", str(project.keys["paul"])]
        project.looked(GREEN)
        note = project.folder.write("minutes.txt", "we met")
        note.chmod(0o666)
        known |= {note}
        env = ["--env", "staging"]
        assert main([*ATTEST, "--evidence", "minutes.txt", *key]) == 0
        document = Document(
            kind="status-report",
            item="D-2.D.1",
            title="Status report",
            signers=[Signer(role="product_manager", title="Product Manager")],
            environment="staging",
            environment_kind="staging",
            fingerprint="9f",
            candidate="v2.0.0",
            made_at=project.draft().made_at,
            summary="All is well.",
            verdicts=[],
            figures=[],
            tables=[],
        )
        page = write_document(document, project.context().documents / "status-report.html")
        assert main(["sign", str(page), *env, *key]) == 0
        assert main(["report"]) == 0
        assert main(["status", *env, "--page", "reports/launch.html", "--ctrf", "out/c.json"]) == 1
        assert main(["package", *env, *key]) == 0
        assert main(["push", "--store", str(tmp_path / "store"), *env]) == 0
        others = project.path.parent / "others"
        assert main(["pull", "--store", str(tmp_path / "store"), "--reports", str(others)]) == 0
    finally:
        os.umask(before)
    made = set(tmp_path.rglob("*")) - known
    modes = {p: stat.S_IMODE(p.lstat().st_mode) for p in made}
    wrong = {p: oct(m) for p, m in modes.items() if m != (0o700 if p.is_dir() else 0o600)}
    assert wrong == {}
    assert len(modes) > 30, modes


@pytest.mark.parametrize(
    ("store", "folder", "file"),
    [(0o2770, 0o2770, 0o660), (0o755, 0o755, 0o644), (0o700, 0o700, 0o600)],
)
def test_what_is_pushed_is_as_open_as_its_store_whatever_the_umask(
    launch: Project, store: int, folder: int, file: int
) -> None:
    place = launch.path / "store"
    place.mkdir()
    place.chmod(store)
    before = os.umask(0o077)
    try:
        assert main(["push", "--store", "store", "--env", "staging"]) == 0
    finally:
        os.umask(before)
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in place.rglob("*")}
    assert {m for p, m in modes.items() if p.is_dir()} == {folder}
    assert {m for p, m in modes.items() if not p.is_dir()} == {file}
