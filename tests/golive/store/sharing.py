"""Folders that share a store."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import fsspec
import msgspec

from golive import ledger
from golive.context import Context
from golive.ledger import Ledger
from golive.masking import Mask
from golive.people import signatures, statements
from golive.people.signatures import sign
from golive.people.statements import Evidence, Statement
from golive.store import (
    RUNS,
    STATEMENTS,
    Makers,
    Outcome,
    Store,
    pull,
    push,
)
from tests.conftest import RUNNER, Project
from tests.golive.test_ledger import NOW, head, verdict

RUN = "20261124T090000.000000Z-staging-ab12"
OTHER_RUN = "20261124T100000.000000Z-rehearsal-cd34"
COMMAND = "import sys; from golive.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[3]


class Clone:
    """Somebody's own reports, in a launch whose roster says who may make runs."""

    project: Project

    def __init__(self, folder: Path) -> None:
        self.reports = folder
        folder.mkdir()

    @property
    def folders(self) -> dict[str, Path]:
        return {RUNS: self.reports / "runs", STATEMENTS: self.reports / "statements"}

    def run(self, ident: str = RUN, detail: str = "", *, by: str = RUNNER, key: str = "") -> Path:
        """A run that has ended. ``by``: who says to have made it; ``key``: with whose key."""
        environment = ident.partition("-")[2].rpartition("-")[0]
        ref = ledger.EnvironmentRef(environment, environment, environment.title(), "f" * 64)
        written = Ledger(
            self.reports, msgspec.structs.replace(head(ident), environment=ref), Mask()
        )
        written.add_verdict(verdict("D-13.1.1", detail=detail))
        own = None
        if by and environment != "rehearsal":
            own = ledger.Signing(by, self.project.keys[by], self.project.context().roster)
        written.close(0, own)
        if key:
            sign(written.folder / ledger.END, self.project.keys[key], signatures.RUNS)
        (written.folder / "report.html").write_text("made again by golive report")
        return written.folder

    def state(
        self, item: str = "D-5.1.2", environment: str = "staging", evidence: bytes = b"%PDF-"
    ) -> Path:
        digest = hashlib.sha256(evidence).hexdigest()
        said = Statement(
            kind="attest",
            item=item,
            environment=environment,
            environment_kind=environment,
            candidate="v2.0.0",
            by="ann",
            role="technical_lead",
            text="I did it",
            evidence=[Evidence(name="proof.pdf", sha256=digest, bytes=len(evidence))],
            made_at=NOW,
            expires_at=NOW + timedelta(days=7),
        )
        folder = self.folders[STATEMENTS] / statements.identify(said)
        (folder / "evidence").mkdir(parents=True)
        (folder / "statement.json").write_bytes(statements.canonical(said))
        (folder / "statement.json.sig").write_text("-----BEGIN SSH SIGNATURE-----\n")
        (folder / "evidence" / f"{digest}-proof.pdf").write_bytes(evidence)
        return folder

    def push(self, place: str, env: str = "") -> Outcome:
        return push(Store(place), self.folders, env, makers=Makers(self.project.path))

    def pull(self, place: str, env: str = "") -> Outcome:
        return pull(Store(place), self.folders, env, makers=Makers(self.project.path))

    def everything(self) -> dict[str, bytes]:
        return contents(self.reports)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the reports, which do not travel."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "report.html"
    }


def s3_client(aws_url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=aws_url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="kestrel-7f3a9c",
    )


class Inside:
    """The objects of a store, for somebody who alters them."""

    def __init__(self, place: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(
            place, skip_instance_cache=True, use_listings_cache=False
        )

    def names(self) -> list[str]:
        found = self.fs.find(self.root)
        return sorted(str(p).removeprefix(f"{self.root}/") for p in found)

    def read(self, name: str) -> bytes:
        data: bytes = self.fs.cat_file(f"{self.root}/{name}")
        return data

    def write(self, name: str, data: bytes) -> str:
        path = f"{self.root}/{name}"
        self.fs.makedirs(self.fs._parent(path), exist_ok=True)
        self.fs.pipe_file(path, data)
        return name

    def add(self, kind: str, ident: str, data: bytes) -> str:
        return self.write(f"{kind}/{ident}.{hashlib.sha256(data).hexdigest()}.tar", data)


WRITES_FOR_EVER = """
import sys, time
from pathlib import Path
import msgspec
from golive import ledger
from golive.masking import Mask
head = msgspec.json.decode(sys.stdin.readline(), type=ledger.Head)
ledger.Ledger(Path(sys.argv[1]), head, Mask())
print("written", flush=True)
time.sleep(600)
"""
STOPS_AT = """
import os, sys, time
from pathlib import Path
from golive.cli import main
from golive.context import Context

def stop(*_):
    print("there", flush=True)
    time.sleep(600)

owner, name = {"fsync": (os, "fsync"), "rename": (Path, "rename")}[sys.argv[1]]
setattr(owner, name, stop)
main(sys.argv[2:])
"""


def kill_at(where: str, *command: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPS_AT, where, *command], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


def member(name: str, data: bytes = b"{}", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as made:
        for info, data in members:
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _evidence(folder: Path) -> Path:
    (found,) = (folder / "evidence").iterdir()
    return found


@contextmanager
def without_privileges() -> Iterator[Path]:
    """A folder and a process that permissions hold for, whoever runs the tests."""
    place = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    try:
        if root:
            os.chown(place, 65534, 65534)
            os.seteuid(65534)
        yield place
    finally:
        if root:
            os.seteuid(0)
        for path in place.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(place)


def recomputed(run: Path, name: str, old: bytes, new: bytes) -> Path:
    """A run edited by hand, with its digest made again."""
    data = (run / name).read_bytes()
    assert old in data
    (run / name).write_bytes(data.replace(old, new))
    end = msgspec.json.decode((run / ledger.END).read_bytes())
    end["digest"] = ledger.digest(run)
    (run / ledger.END).write_bytes(msgspec.json.encode(end))
    return run


FORGERIES: list[tuple[Callable[[Clone], Path], str]] = [
    (lambda c: c.run(by=""), "nobody has signed its end; expected a signature of somebody on"),
    (lambda c: recomputed(c.run(), ledger.VERDICTS, b"PASS", b"FAIL"), "signature of ci is not"),
    (lambda c: c.run(by=RUNNER, key="joel"), "the signature of ci is not valid"),
    (lambda c: _without(c.run(), f"{ledger.END}.sig"), "the signature of ci is not valid"),
    (
        lambda c: recomputed(
            c.run(by=""), ledger.HEAD, b'"kind": "staging"', b'"kind": "rehearsal"'
        ),
        "nobody has signed its end",
    ),
]


def _without(run: Path, name: str) -> Path:
    (run / name).unlink()
    return run


def with_store(project: Project, place: str) -> Context:
    context = project.context()
    return replace(context, launch=replace(context.launch, store=place))
