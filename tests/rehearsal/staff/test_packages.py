"""The package that lay before the meeting, and the authorisation that follows its decision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golive import package
from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import launch_tools, packages, people


def test_the_package_is_one_that_golive_opens_and_stays_the_same(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    digest = packages.write(r)
    path = package.named([packages.folder(r)], digest)
    assert path is not None
    before = path.read_bytes()
    assert packages.write(r) == digest
    assert path.read_bytes() == before
    with package.opened(path) as found:
        assert found.digest == digest
        assert found.about.environment == "rehearsal"
        assert found.about.is_rehearsal


@pytest.fixture
def r(tmp_path: Path) -> Rehearsal:
    r = Rehearsal(tmp_path)
    release.publish(r)
    launch_tools.install(r)
    return r


def test_another_decision_is_authorised_on_again(r: Rehearsal) -> None:
    launch_tools.follow(r)
    path = launch_tools.authorisation(r)
    assert not path.exists(), "nothing was authorised yet"
    launch_tools.authorise(r)
    assert json.loads(path.read_text())["decision_sha256"] == ""
    paper = people.papers(r) / launch_tools.DECISION
    paper.write_text("go")
    launch_tools.follow(r)
    first = path.read_text()
    assert len(json.loads(first)["decision_sha256"]) == 64
    launch_tools.follow(r)
    assert path.read_text() == first
    paper.write_text("go, after all")
    launch_tools.follow(r)
    assert json.loads(path.read_text())["decision_sha256"] not in first
