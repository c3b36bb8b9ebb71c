"""What is no whole bundle is refused on both ways."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from golive.cli import main
from golive.store import (
    KINDS,
    RUNS,
    STATEMENTS,
    limits,
    pack,
)
from golive.verdicts import Verdict
from tests.conftest import SECRET, SECRET_VARIABLE, Project
from tests.golive.signing.test_signed import by_command, make
from tests.golive.store.sharing import (
    OTHER_RUN,
    RUN,
    Clone,
    Inside,
    _evidence,
    _flip,
    contents,
    member,
    tar,
)
from tests.golive.test_ledger import head


def test_the_same_content_always_makes_the_same_bytes(clone: Callable[[str], Clone]) -> None:
    ann, bob = clone("ann"), clone("bob")
    mine = ann.state()
    packed = pack(mine, STATEMENTS)
    theirs = bob.folders[STATEMENTS] / mine.name
    (theirs / "evidence").mkdir(parents=True)
    for name in reversed(contents(mine)):
        shutil.copyfile(mine / name, theirs / name)
        (theirs / name).chmod(0o600)
        os.utime(theirs / name, (1, 1))
    assert pack(theirs, STATEMENTS) == packed
    # Bytes that other machines and later versions have to come to as well.
    tree = ann.reports / RUN
    tree.mkdir()
    (tree / "run.json").write_bytes(b"{}\n")
    assert hashlib.sha256(pack(tree, RUNS)).hexdigest() == (
        "c79eeb0cef57ad13640a0e77898de49583f31873c1353dfe1ac00e48c39f1d91"
    )


@pytest.mark.parametrize(
    ("alter", "why"),
    [
        (_flip(0), "does not match its digest"),
        (_flip(700), "does not match its digest"),
        (_flip(10239), "does not match its digest"),
        (lambda data: data[:1000], "does not match its digest"),
        (lambda data: data + b"\0", "does not match its digest"),
        (lambda data: b"", "has 0 bytes; expected a bundle of at most 256 MiB"),
    ],
)
def test_an_altered_object_is_refused_by_name_and_the_others_are_taken(
    place: str, clone: Callable[[str], Clone], alter: Callable[[bytes], bytes], why: str
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    ann.run(OTHER_RUN)
    ann.state()
    ann.push(place)
    inside = Inside(place)
    (name,) = (n for n in inside.names() if RUN in n)
    inside.write(name, alter(inside.read(name)))
    done = bob.pull(place)
    assert list(done.refused) == [name]
    assert why in done.refused[name]
    assert (done.moved[RUNS], len(done.moved[STATEMENTS])) == ([OTHER_RUN], 1)
    assert sorted(p.name for p in bob.folders[RUNS].iterdir()) == [OTHER_RUN]
    before = ann.everything()
    assert ann.pull(place).refused == {}  # it has its own
    assert ann.everything() == before


def test_an_object_that_was_cut_off_is_noticed_by_who_has_the_whole_one(
    place: str, clone: Callable[[str], Clone]
) -> None:
    ann = clone("ann")
    ann.run()
    ann.push(place)
    inside = Inside(place)
    (name,) = inside.names()
    inside.write(name, inside.read(name)[:1000])
    assert "was cut off in the store" in ann.push(place).refused[f"runs/{RUN}"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar(member("../run.json")), "holds '../run.json', which has no place in it"),
        (tar(member(f"{RUN}/../../run.json")), "which has no place in it"),
        (tar(member(f"{RUN}/sub/../run.json")), "which has no place in it"),
        (tar(member("/tmp/run.json")), "holds '/tmp/run.json', which has no place in it"),
        (tar(member("run.json")), "holds 'run.json', which has no place in it"),
        (tar(member(f"{OTHER_RUN}/run.json")), "which has no place in it"),
        (tar(member(f"{RUN}/report.html")), "which has no place in it"),
        (tar(member(f"{RUN}/\x1b[2Jrun.json")), "/\\x1b[2Jrun.json', which has no place in it"),
        (tar(member(f"{RUN}/run\u202e.json")), "/run\\u202e.json', which has no place in it"),
        (
            tar(member(f"{RUN}/run.json", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
            "/run.json', which is no ordinary file",
        ),
        (
            tar(member(f"{RUN}/run.json", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
            "which is no ordinary file",
        ),
        (tar(member(f"{RUN}/run.json", b"", type=tarfile.CHRTYPE)), "which is no ordinary file"),
        (tar(member(f"{RUN}/run.json", b"", type=tarfile.FIFOTYPE)), "which is no ordinary file"),
        (tar(member(RUN, b"", type=tarfile.DIRTYPE)), "which is no ordinary file"),
        (
            tar(member(f"{RUN}/run.json", b"", type=tarfile.GNUTYPE_SPARSE)),
            "which is no ordinary file",
        ),
        (
            tar(
                member(
                    f"{RUN}/run.json",
                    b"",
                    pax_headers={
                        "GNU.sparse.map": "0,0",
                        "GNU.sparse.size": str(2**50),
                        "GNU.sparse.realsize": str(2**50),
                    },
                )
            ),
            "which is no ordinary file",
        ),
        (tar(member(f"{RUN}/run.json"), member(f"{RUN}/run.json")), "/run.json' twice"),
        (tar(member(f"{RUN}/run.json")), "run.json: schema: found None; this golive reads"),
        (tar(member(f"{RUN}/run.json", b"[" * 10**6)), "run.json: is damaged: "),
        (tar(member(f"{RUN}/end.json")), "run.json: cannot be read: No such file"),
        (tar(), "run.json: cannot be read: No such file"),
        (b"no archive", "is no archive that can be read"),
        (b"\x1f\x8b" + bytes(600), "is no archive that can be read"),
        (tar(member(f"{RUN}/run.json"))[:520], "is no archive that can be read"),
        (
            tar(member(f"{RUN}/run.json", msgspec.json.encode(head(OTHER_RUN)))),
            f"holds the run '{OTHER_RUN}'; expected it under that name",
        ),
        (
            tar(member(f"{RUN}/run.json", msgspec.json.encode(head(RUN)), mtime=1)),
            "was not packed by golive",
        ),
        (
            tar(member(f"{RUN}/run.json", msgspec.json.encode(head(RUN)))) + b"more",
            "was not packed by golive",
        ),
    ],
)
def test_a_hostile_bundle_changes_nothing(
    tmp_path: Path, folder: str, clone: Callable[[str], Clone], data: bytes, why: str
) -> None:
    bob = clone("bob")
    bob.run(OTHER_RUN)
    name = Inside(folder).add(RUNS, RUN, data)
    before = contents(tmp_path)
    done = bob.pull(folder)
    assert list(done.refused) == [name]
    assert why in done.refused[name]
    assert done.refused[name].isprintable()
    assert done.moved == {RUNS: [], STATEMENTS: []}
    assert contents(tmp_path) == before
    assert [p.name for p in bob.folders[RUNS].iterdir()] == [OTHER_RUN]


def test_bundles_that_are_too_large_are_refused_on_both_ways(
    folder: str, clone: Callable[[str], Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = clone("ann"), clone("bob")
    said = ann.state(evidence=b"x" * 20_000)
    monkeypatch.setattr(limits, "MOST_BYTES", 20_000)
    assert "expected at most 0 MiB" in ann.push(folder).refused[f"statements/{said.name}"]
    monkeypatch.setattr(limits, "MOST_BYTES", 200_000)
    monkeypatch.setattr(limits, "MOST_FILES", 2)
    assert "has 3 files; expected at most 2" in ann.push(folder).refused[f"statements/{said.name}"]
    assert Inside(folder).names() == []
    monkeypatch.setattr(limits, "MOST_FILES", 3)
    ann.push(folder)
    (name,) = Inside(folder).names()
    monkeypatch.setattr(limits, "MOST_FILES", 2)
    assert bob.pull(folder).refused == {name: "holds more than 2 files"}
    monkeypatch.setattr(limits, "MOST_BYTES", 20_000)
    assert "bytes; expected a bundle of at most" in bob.pull(folder).refused[name]
    assert bob.everything() == {}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda f: (f / "statement.json.sig").unlink(), "nobody has signed it"),
        (lambda f: (f / "statement.json").unlink(), "statement.json"),
        (lambda f: (f / "statement.json").write_text("{}"), "statement.json"),
        (lambda f: _evidence(f).write_bytes(b"other"), "does not match the digest in its name"),
        (lambda f: _evidence(f).unlink(), "does not hold just the evidence that it names"),
        (
            lambda f: (f / "evidence" / f"{'0' * 64}-more").write_bytes(b""),
            "does not hold just the evidence that it names",
        ),
    ],
)
def test_a_statement_that_is_not_whole_is_refused_on_both_ways(
    folder: str, clone: Callable[[str], Clone], spoil: Callable[[Path], None], why: str
) -> None:
    ann, bob = clone("ann"), clone("bob")
    said = ann.state()
    spoil(said)
    assert why in ann.push(folder).refused[f"statements/{said.name}"]
    assert Inside(folder).names() == []
    name = Inside(folder).add(STATEMENTS, said.name, pack(said, STATEMENTS))
    assert why in bob.pull(folder).refused[name]
    assert bob.everything() == {}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda f: (f / "more.txt").write_text("x"), "holds 'more.txt', which has no place in it"),
        (lambda f: (f / "link").symlink_to("/etc/passwd"), "'link', which is no ordinary file"),
        (lambda f: os.mkfifo(f / "pipe"), "holds 'pipe', which is no ordinary file"),
        (
            lambda f: (f / "evidence" / "\x1b[2J").write_text("x"),
            "holds 'evidence/\\x1b[2J', which has no place in it",
        ),
    ],
)
def test_what_has_no_place_in_a_statement_is_not_sent(
    folder: str, clone: Callable[[str], Clone], spoil: Callable[[Path], None], why: str
) -> None:
    ann = clone("ann")
    said = ann.state()
    spoil(said)
    assert why in ann.push(folder).refused[f"statements/{said.name}"]
    assert Inside(folder).names() == []


def test_a_run_that_was_altered_here_or_is_a_link_is_not_sent_and_the_others_are(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann = clone("ann")
    run = ann.run()
    (run / "verdicts.jsonl").write_bytes((run / "verdicts.jsonl").read_bytes() * 2)
    ann.run(OTHER_RUN)
    (ann.folders[RUNS] / "linked").symlink_to(ann.folders[RUNS] / OTHER_RUN)
    done = ann.push(folder)
    assert done.moved[RUNS] == [OTHER_RUN]
    assert "was altered after it ended" in done.refused[f"runs/{RUN}"]
    assert done.refused["runs/linked"] == "is no folder"


def test_what_holds_a_secret_is_not_sent_and_told_by_name(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    good = project.sign()
    text = project.sign("D-2.1.8", text=f"with {SECRET}")
    file = project.folder.write("evidence.txt", f"{'x' * 9000} {SECRET.encode().hex()}")
    evidence = project.sign("D-2.1.9", files=[file])
    run = project.looked({"D-2.1.1": Verdict.FAIL}, message=f"as {SECRET} " + "{id}{verdict}")
    address = project.looked({"D-2.1.1": Verdict.FAIL}, message="redis://:hunter2hunter2@db {id}")
    page = make(project)
    by_command(project, page, "paul")
    folder = next(project.context().signed.iterdir())
    copy = folder / page.name
    copy.write_text(copy.read_text().replace("</body>", f"<!-- {SECRET} --></body>"))
    capsys.readouterr()
    assert main(["push", "--store", str(shared)]) == 1
    reported = capsys.readouterr()
    assert SECRET not in reported.out + reported.err
    for name, where in (
        (f"statements/{text.id}", "statement.json"),
        (f"statements/{evidence.id}", "evidence.txt"),
        (f"runs/{run.name}", "verdicts.jsonl"),
        (f"documents/{folder.name}", page.name),
    ):
        (line,) = (x for x in reported.err.splitlines() if x.startswith(f"refused: {name}: "))
        assert f"{where}: holds a secret" in line
        assert "change it" in line
    sent = [p.name for kind in KINDS for p in (shared / kind).glob("*.tar")]
    assert len(sent) == 2
    assert any(name.startswith(good.id) for name in sent)
    assert any(name.startswith(address.name) for name in sent), "the ledger has masked it"


def test_what_was_not_searched_for_is_told(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "shared").mkdir()
    project.sign()
    monkeypatch.delenv(SECRET_VARIABLE)
    assert main(["push", "--store", str(tmp_path / "shared")]) == 0
    assert f"not searched for: {SECRET_VARIABLE} (staging), not at hand here" in (
        capsys.readouterr().err
    )
    shutil.rmtree(project.path / "suites" / "environments")
    assert main(["push", "--store", str(tmp_path / "shared")]) == 0
    assert "not searched for secrets: found no environment in suites/environments" in (
        capsys.readouterr().err
    )
