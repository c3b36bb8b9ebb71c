"""What tests of packages share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from golive import provenance
from tests.conftest import Project
from tests.golive.package.packing import committed, launched, packed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """A launch and its package, made once: tests that change it work on a copy."""
    from tests.conftest import Folder

    folder = tmp_path_factory.mktemp("launch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "suite", committed)
        project = Project(Folder(folder))
        launched(project)
        return project, packed(project)


@pytest.fixture(autouse=True)
def as_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What git says of suites has tests of its own."""
    monkeypatch.setattr(provenance, "suite", committed)


@pytest.fixture
def zipped(made: tuple[Project, Path], tmp_path: Path) -> Path:
    """A copy of the package."""
    return Path(shutil.copy(made[1], tmp_path / "p.zip"))
