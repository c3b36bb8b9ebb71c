"""Runs travel only where somebody stands for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from golive import ledger
from golive.cli import main
from golive.store import (
    RUNS,
    pack,
)
from tests.golive.store.sharing import FORGERIES, OTHER_RUN, RUN, Clone, Inside, recomputed


@pytest.mark.parametrize(("forge", "why"), FORGERIES)
def test_a_run_that_its_maker_did_not_sign_is_refused_by_name_on_both_ways(
    folder: str, clone: Callable[[str], Clone], forge: Callable[[Clone], Path], why: str
) -> None:
    ann, bob = clone("ann"), clone("bob")
    run = forge(ann)
    ann.run(OTHER_RUN)
    done = ann.push(folder)
    assert why in done.refused[f"runs/{RUN}"]
    assert done.moved[RUNS] == [OTHER_RUN]
    name = Inside(folder).add(RUNS, RUN, pack(run, RUNS))
    done = bob.pull(folder)
    assert why in done.refused[name]
    assert done.moved[RUNS] == [OTHER_RUN]
    assert [p.name for p in bob.folders[RUNS].iterdir()] == [OTHER_RUN]


def test_where_nothing_says_who_may_make_runs_they_are_unverified(
    tmp_path: Path,
    folder: str,
    clone: Callable[[str], Clone],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob = clone("ann"), clone("bob")
    for ident in (RUN, OTHER_RUN):
        ann.run(ident)
    assert ann.push(folder).refused == {}
    monkeypatch.chdir(tmp_path)
    mine = ("--store", folder, "--reports")
    assert main(["pull", *mine, str(bob.reports)]) == 1
    reported = capsys.readouterr()
    assert RUN in reported.err
    assert "is unverified, since nothing here says who may have made it" in reported.err
    assert [p.name for p in bob.folders[RUNS].iterdir()] == [OTHER_RUN]
    (tmp_path / "elsewhere").mkdir()
    assert main(["push", "--store", "elsewhere", "--reports", str(ann.reports)]) == 1
    assert "is unverified, since nothing here says" in capsys.readouterr().err
    (tmp_path / "suites").symlink_to(Clone.project.path / "suites")
    assert main(["pull", *mine, str(bob.reports)]) == 0
    roster = Clone.project.path / "suites" / "people" / "roster.toml"
    kept = roster.read_bytes()
    shutil.rmtree(bob.folders[RUNS])
    try:
        roster.unlink()
        done = bob.pull(folder)
    finally:
        roster.write_bytes(kept)
    (why,) = done.refused.values()
    assert why.startswith("is unverified, since nobody can tell who made it")


def test_an_environment_that_names_a_file_is_not_looked_up(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    other = Clone.project.folder.environment("mine")
    run = recomputed(ann.run(), ledger.HEAD, b'"name": "staging"', f'"name": "{other}"'.encode())
    name = Inside(folder).add(RUNS, RUN, pack(run, RUNS))
    assert "is no name of an environment" in bob.pull(folder).refused[name]
