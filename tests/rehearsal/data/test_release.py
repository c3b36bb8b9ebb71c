"""The release's repository and checkout are made again without ever being away."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from rehearsal.data import dependencies, release
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import FAULTS_FILE, set_app_faults


def test_what_cannot_be_made_again_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r = Rehearsal(tmp_path)
    release.publish(r)
    policies = release.checkout(r) / "k8s" / "network-policies.yaml"
    policies.write_text("changed")
    made = dependencies.lay_out

    def fails(folder: Path) -> None:
        made(folder)
        assert policies.read_text() == "changed"
        raise RehearsalError("no")

    monkeypatch.setattr(dependencies, "lay_out", fails)
    with pytest.raises(RehearsalError):
        release.publish(r)
    assert policies.read_text() == "changed"
    monkeypatch.setattr(dependencies, "lay_out", made)
    release.publish(r)
    assert policies.read_text() != "changed"
    assert {p.name for p in tmp_path.glob("release*")} == {"release", "release.git"}

    def edit(folder: Path) -> None:
        (folder / "more.py").write_text("")

    release.retag(r, edit)
    release.restore_checkout(r)
    assert (release.migrations(r) / "more.py").exists()


def test_faults_of_the_application_come_and_go_side_by_side(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)

    def together(on: bool | None) -> None:
        threads = [
            threading.Thread(target=set_app_faults, args=(r,), kwargs={f"fault_{n}": on})
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(5):
        together(True)
        assert len(json.loads(r.path(FAULTS_FILE).read_text())) == 8
        together(None)
        assert json.loads(r.path(FAULTS_FILE).read_text()) == {}
