"""What tests of stores share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
import requests

from golive.store import (
    RUNS,
    STATEMENTS,
    Store,
    compare,
    push,
)
from golive.verdicts import Verdict
from tests.conftest import Folder, Project
from tests.golive.store.sharing import ROOT, Clone, s3_client


@pytest.fixture(scope="module", autouse=True)
def launch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the launch that all clones are of."""
    Clone.project = Project(Folder(tmp_path_factory.mktemp("launch")))
    return Clone.project.path


@pytest.fixture(autouse=True)
def in_launch(launch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are called there."""
    monkeypatch.chdir(launch)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[str], Clone]:
    return lambda name: Clone(tmp_path / name)


@pytest.fixture
def s3(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on a server, as the environment of the process names it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kestrel-7f3a9c")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    requests.post(f"{aws_url}/moto-api/reset", timeout=10).raise_for_status()
    s3_client(aws_url).create_bucket(
        Bucket="launch", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return "s3://launch/our/store"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    made = tmp_path / "store"
    made.mkdir()
    return str(made)


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of store, empty."""
    if request.param == "memory":
        yield "memory://launch"
        fsspec.filesystem("memory").store.clear()
    elif request.param == "file":
        yield f"file://{request.getfixturevalue('folder')}"
    else:
        yield request.getfixturevalue(request.param)


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest) -> str:
    """Those that several processes can reach."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def pushed(project: Project, place: str) -> Project:
    """A launch with a run, an attestation and a no-go, all of which were pushed."""
    path = project.path / "suites" / "launch.toml"
    path.write_text(path.read_text().replace('"previous"', f'"store" = "{place}", "previous"', 1))
    project.looked({"D-2.1.1": Verdict.PASS})
    project.looked({"D-2.1.1": Verdict.PASS}, env="rehearsal")
    project.sign()
    project.sign("", "tess", kind="approve", data={"decision": "no-go"}, text="it leaks")
    done = push(
        Store(place), {RUNS: project.path / "reports" / "runs", STATEMENTS: project.statements}
    )
    assert done.refused == {}
    assert compare(project.context()) == []
    return project
