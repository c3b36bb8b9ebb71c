"""Pushing and pulling."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from golive import ledger
from golive.cli import main
from golive.store import (
    DOCUMENTS,
    KINDS,
    RUNS,
    STATEMENTS,
    Store,
    pack,
)
from golive.verdicts import GoliveError
from tests.golive.store.sharing import (
    COMMAND,
    OTHER_RUN,
    ROOT,
    RUN,
    WRITES_FOR_EVER,
    Clone,
    Inside,
    kill_at,
)
from tests.golive.test_ledger import head


def test_three_clones_come_to_hold_the_same(place: str, clone: Callable[[str], Clone]) -> None:
    ann, bob, eve = clone("ann"), clone("bob"), clone("eve")
    ann.run()
    ann.state()
    bob.run(OTHER_RUN)
    bob.state("D-5.1.3", evidence=b"other")
    eve.state("D+1.3.5", "rehearsal")
    first = ann.push(place)
    assert (first.moved[RUNS], len(first.moved[STATEMENTS])) == ([RUN], 1)
    assert first.there == {RUNS: 0, STATEMENTS: 0}
    for one in (bob, eve, ann, bob, eve):
        done = one.push(place)
        done.refused.update(one.pull(place).refused)
        assert done.refused == {}
    assert len(ann.everything()) == 5 + 4 + 3 * 3
    assert ann.everything() == bob.everything() == eve.everything()
    again = bob.push(place)
    assert again.moved == {RUNS: [], STATEMENTS: []}
    assert again.there == {RUNS: 2, STATEMENTS: 3}
    assert ann.pull(place).there == {RUNS: 2, STATEMENTS: 3}
    for run in ledger.runs(bob.reports):
        assert ledger.read_run(run).end is not None
    assert len(Inside(place).names()) == 5


def test_only_one_environment_travels_where_one_is_named(
    place: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob, eve = clone("ann"), clone("bob"), clone("eve")
    for ident in (RUN, OTHER_RUN):
        ann.run(ident)
    staged = ann.state("D-5.1.2", "staging")
    ann.state("D-5.1.2", "rehearsal")
    done = ann.push(place, "staging")
    assert done.moved == {RUNS: [RUN], STATEMENTS: [staged.name]}
    ann.push(place)
    done = bob.pull(place, "staging")
    assert done.moved == {RUNS: [RUN], STATEMENTS: [staged.name]}
    assert len(bob.everything()) == 5 + 3
    assert eve.pull(place, "production").moved == {RUNS: [], STATEMENTS: []}
    assert eve.everything() == {}


def test_pushing_at_the_same_time_loses_nothing(shared: str, clone: Callable[[str], Clone]) -> None:
    clones = [clone(f"clone-{n}") for n in range(5)]
    same = clones[0].run()
    for n, one in enumerate(clones):
        if n:
            shutil.copytree(same, one.folders[RUNS] / RUN)
        one.run(f"20261124T09000{n}.000000Z-staging-{n}")
        one.state(f"D-5.1.{n}")
    at_once = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", COMMAND, "push", "--json"),
                *("--store", shared, "--reports", str(one.reports)),
            ],
            stdout=subprocess.PIPE,
        )
        for one in clones
    ]
    reported = [json.loads(p.communicate(timeout=120)[0]) for p in at_once]
    assert [p.returncode for p in at_once] == [0] * 5
    assert all(len(t["pushed"]["statements"]) == 1 and t["refused"] == {} for t in reported)
    assert len(Inside(shared).names()) == 6 + 5
    last = clone("last")
    assert last.pull(shared).refused == {}
    assert last.everything() == {k: v for one in clones for k, v in one.everything().items()}


def test_a_running_run_is_told_and_not_pushed_but_a_killed_one_is(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, str(ann.reports)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(msgspec.json.encode(head(RUN)) + b"\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == b"written\n"
        done = ann.push(folder)
        assert (done.running, done.moved[RUNS], done.refused) == ([RUN], [], {})
        assert Inside(folder).names() == []
    finally:
        writer.kill()
        writer.communicate()
    done = ann.push(folder)
    assert (done.running, done.moved[RUNS]) == ([], [RUN])
    bob.pull(folder)
    assert ledger.read_run(bob.folders[RUNS] / RUN).end is None


def test_a_push_that_was_killed_leaves_nothing_that_a_reader_meets(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    kill_at("fsync", "push", "--store", folder, "--reports", str(ann.reports))
    (left,) = (Path(folder) / RUNS).iterdir()
    assert left.name.endswith(".part")
    done = bob.pull(folder)
    assert (done.moved, done.ignored, done.refused) == ({RUNS: [], STATEMENTS: []}, [], {})
    assert ann.push(folder).moved[RUNS] == [RUN]
    assert bob.pull(folder).moved[RUNS] == [RUN]
    assert left.exists()  # its writer might still be at it
    os.utime(left, (time.time() - 2 * 24 * 3600,) * 2)
    ann.push(folder)
    assert not left.exists()


def test_a_pull_that_was_killed_leaves_no_half_run_or_statement(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    kill = ("pull", "--store", folder, "--reports", str(bob.reports))
    ann.push(folder)
    kill_at("rename", *kill)
    (left,) = bob.reports.glob(".pull-*")
    assert list(left.rglob("run.json"))
    assert list(bob.folders[RUNS].iterdir()) == []
    os.utime(left, (time.time() - 2 * 24 * 3600,) * 2)
    assert bob.pull(folder).moved[RUNS] == [RUN]
    assert bob.everything() == ann.everything()
    assert not left.exists()


def test_two_contents_under_one_id_are_told_and_neither_is_overwritten(
    place: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob, eve = clone("ann"), clone("bob"), clone("eve")
    ann.run(detail="mine")
    bob.run(detail="another")
    bob.run(OTHER_RUN)
    ann.push(place)
    objects = Inside(place).names()
    done = bob.push(place)
    assert "the store holds another content under this id" in done.refused[f"runs/{RUN}"]
    assert done.moved[RUNS] == [OTHER_RUN]
    before = bob.everything()
    (refused,) = bob.pull(place).refused.items()
    assert refused[0] == objects[0]
    assert "has another content; neither was changed" in refused[1]
    assert bob.everything() == before
    assert set(objects) < set(Inside(place).names())
    # As two who pushed in the same moment, or somebody who added one, would leave it.
    Inside(place).add(RUNS, RUN, pack(bob.folders[RUNS] / RUN, RUNS))
    done = eve.pull(place)
    assert "holds 2 contents under this id" in done.refused[f"runs/{RUN}"]
    assert done.moved[RUNS] == [OTHER_RUN]


def test_who_pushes_another_content_in_the_same_moment_is_told(
    folder: str, clone: Callable[[str], Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run(detail="mine")
    bob.run(detail="another")
    publish = Store.publish

    def overtaken(self: Store, kind: str, name: str, data: bytes) -> None:
        monkeypatch.setattr(Store, "publish", publish)
        bob.push(folder)
        publish(self, kind, name, data)

    monkeypatch.setattr(Store, "publish", overtaken)
    assert "holds 2 contents under this id" in ann.push(folder).refused[f"runs/{RUN}"]


@pytest.mark.parametrize("same", [True, False])
def test_what_came_here_while_it_was_fetched_is_left_as_it_is(
    folder: str, clone: Callable[[str], Clone], monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run(detail="mine")
    ann.push(folder)
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        bob.run(detail="another")
        if same:
            shutil.rmtree(target)
            shutil.copytree(ann.folders[RUNS] / RUN, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    done = bob.pull(folder)
    assert (done.moved[RUNS], done.there[RUNS], len(done.refused)) == ([], int(same), int(not same))
    assert (bob.everything() == ann.everything()) is same
    assert [p.name for p in bob.folders[RUNS].iterdir()] == [RUN]


def test_a_folder_for_what_is_fetched_that_cannot_be_written_is_named(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    ann.push(folder)
    bob.folders[RUNS].write_text("a file where the folder should be")
    with pytest.raises(GoliveError, match=r"bob/runs: cannot be written: .*; make room or name"):
        bob.pull(folder)


def test_the_commands_say_what_they_did(
    tmp_path: Path,
    folder: str,
    clone: Callable[[str], Clone],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    ann.state()
    ann.state("D-5.1.3")
    mine = ("--store", folder, "--reports", str(ann.reports))
    assert main(["push", *mine]) == 0
    assert capsys.readouterr().out == (
        f"pushed 1 run, 2 statements, 0 documents; 0 were there already ({folder})\n"
    )
    elsewhere = ("--statements", str(tmp_path / "signed"))
    assert main(["pull", "--store", folder, "--reports", str(bob.reports), *elsewhere]) == 0
    assert capsys.readouterr().out == (
        f"pulled 1 run, 2 statements, 0 documents; 0 were there already ({folder})\n"
    )
    assert len(list((tmp_path / "signed").iterdir())) == 2
    inside = Inside(folder)
    (name,) = (n for n in inside.names() if n.startswith(RUNS))
    shutil.rmtree(bob.folders[RUNS] / RUN)
    inside.write(name, b"x")
    assert main(["pull", "--store", folder, "--reports", str(bob.reports), *elsewhere]) == 1
    reported = capsys.readouterr()
    none = "pulled 0 runs, 0 statements, 0 documents"
    assert reported.out == f"{none}; 2 were there already ({folder})\n"
    assert reported.err.startswith(f"refused: {name}: does not match its digest")
    command = ["pull", "--store", folder, "--reports", str(bob.reports), *elsewhere, "--json"]
    assert main(command) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["pulled"] == {kind: [] for kind in KINDS}
    assert answer["there"] == {RUNS: 0, STATEMENTS: 2, DOCUMENTS: 0}
    assert list(answer["refused"]) == [name]
    assert main(["push", "--store", folder, "--reports", str(tmp_path / "lost")]) == 1
    assert "lost: there is no such folder; expected reports to push" in capsys.readouterr().err


def test_the_launch_names_the_store(
    tmp_path: Path,
    folder: str,
    clone: Callable[[str], Clone],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = clone("reports")
    ann.run(OTHER_RUN)
    (tmp_path / "suites").mkdir()
    file = tmp_path / "suites" / "launch.toml"
    said = 'date = 2026-12-07\ncandidate = "v2.0.0"\nprevious = "v1.9.0"\n'
    file.write_text(f"[launch]\n{said}[thresholds]\n")
    monkeypatch.chdir(tmp_path)
    assert main(["push"]) == 1
    assert "suites/launch.toml: launch.store: the key is missing; expected" in (
        capsys.readouterr().err
    )
    file.write_text(f'[launch]\n{said}store = "store"\n[thresholds]\n')
    assert main(["push"]) == 0
    assert capsys.readouterr().out.startswith("pushed 1 run, 0 statements")
    assert len(Inside(folder).names()) == 1
