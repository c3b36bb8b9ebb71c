from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import fsspec
import msgspec
import pytest
import requests
from moto.server import ThreadedMotoServer

from golive import ledger, store
from golive.cli import main
from golive.context import Context
from golive.ledger import Ledger
from golive.masking import Mask
from golive.people import signatures, statements
from golive.people.signatures import sign
from golive.people.statements import Evidence, Statement
from golive.store import (
    DOCUMENTS,
    KINDS,
    RUNS,
    STATEMENTS,
    Makers,
    Outcome,
    Store,
    compare,
    kept_document,
    pack,
    pull,
    push,
)
from golive.verdicts import GoliveError, Pending, ProbeError, Verdict
from tests.conftest import RUNNER, SECRET, SECRET_VARIABLE, Folder, Project
from tests.golive.signing.test_signed import by_command, make
from tests.golive.test_ledger import NOW, head, verdict

RUN = "20261124T090000.000000Z-staging-ab12"
OTHER_RUN = "20261124T100000.000000Z-rehearsal-cd34"
COMMAND = "import sys; from golive.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[3]


# -- a clone, and what lies in it ---------------------------------------------------------------


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
        (written.folder / "report.html").write_text("made anew by golive report")
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


# -- stores --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3_client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="kestrel-7f3a9c",
    )


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on a server, as the environment of the process names it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kestrel-7f3a9c")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    requests.post(f"{endpoint}/moto-api/reset", timeout=10).raise_for_status()
    s3_client(endpoint).create_bucket(
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


# -- what meets ----------------------------------------------------------------------------------


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


def test_an_object_is_named_by_its_own_digest_and_can_be_opened_without_golive(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann = clone("ann")
    ann.state()
    ann.push(folder)
    (name,) = Inside(folder).names()
    data = (Path(folder) / name).read_bytes()
    assert name.split(".")[-2] == hashlib.sha256(data).hexdigest()
    subprocess.run(["tar", "-xf", str(Path(folder) / name)], cwd=folder, check=True)
    (ident,) = (p.name for p in ann.folders[STATEMENTS].iterdir())
    assert contents(Path(folder) / ident) == contents(ann.folders[STATEMENTS] / ident)


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
    told = [json.loads(p.communicate(timeout=120)[0]) for p in at_once]
    assert [p.returncode for p in at_once] == [0] * 5
    assert all(len(t["pushed"]["statements"]) == 1 and t["refused"] == {} for t in told)
    assert len(Inside(shared).names()) == 6 + 5
    last = clone("last")
    assert last.pull(shared).refused == {}
    assert last.everything() == {k: v for one in clones for k, v in one.everything().items()}


# -- runs that have not ended --------------------------------------------------------------------

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


# -- killed in the middle ------------------------------------------------------------------------

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


@pytest.mark.parametrize("size", [101 * 2**20])
def test_a_large_object_is_still_one_request(s3: str, endpoint: str, size: int) -> None:
    name = f"{RUN}.{'0' * 64}.tar"
    Store(s3).publish(RUNS, name, bytes(size))
    found = s3_client(endpoint).head_object(Bucket="launch", Key=f"our/store/runs/{name}")
    assert found["ContentLength"] == size
    assert "-" not in found["ETag"]  # which parts would have left in it


# -- altered in the store ------------------------------------------------------------------------


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


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
    monkeypatch.setattr(store, "MOST_BYTES", 20_000)
    assert "expected at most 0 MiB" in ann.push(folder).refused[f"statements/{said.name}"]
    monkeypatch.setattr(store, "MOST_BYTES", 200_000)
    monkeypatch.setattr(store, "MOST_FILES", 2)
    assert "has 3 files; expected at most 2" in ann.push(folder).refused[f"statements/{said.name}"]
    assert Inside(folder).names() == []
    monkeypatch.setattr(store, "MOST_FILES", 3)
    ann.push(folder)
    (name,) = Inside(folder).names()
    monkeypatch.setattr(store, "MOST_FILES", 2)
    assert bob.pull(folder).refused == {name: "holds more than 2 files"}
    monkeypatch.setattr(store, "MOST_BYTES", 20_000)
    assert "bytes; expected a bundle of at most" in bob.pull(folder).refused[name]
    assert bob.everything() == {}


def _evidence(folder: Path) -> Path:
    (found,) = (folder / "evidence").iterdir()
    return found


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


# -- one id, two contents ------------------------------------------------------------------------


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


def test_what_is_no_bundle_is_told_and_left_alone(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann = clone("ann")
    inside = Inside(folder)
    for name in ("runs/readme.txt", "runs/\x1b[2J.tar", f"runs/..{'0' * 64}.tar", "runs/.hidden"):
        inside.write(name, b"x")
    os.mkfifo(Path(folder) / RUNS / f"{RUN}.{'0' * 64}.tar")  # which reading would wait on
    (Path(folder) / RUNS / "folder").mkdir()
    done = ann.pull(folder)
    assert done.ignored == [
        "runs/\N{REPLACEMENT CHARACTER}[2J.tar",
        f"runs/{RUN}.{'0' * 64}.tar",
        "runs/readme.txt",
    ]
    assert done.refused == {}
    assert ann.everything() == {}


# -- stores that are of no use -------------------------------------------------------------------


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


def test_a_store_that_may_only_be_read_can_be_pulled_from() -> None:
    with without_privileges() as place:
        (place / "store").mkdir()
        ann, bob = Clone(place / "ann"), Clone(place / "bob")
        ann.run(OTHER_RUN)
        ann.push(str(place / "store"))
        ann.run(f"{OTHER_RUN}a")
        for name in ("store/runs", "store"):
            (place / name).chmod(0o555)
        with pytest.raises(GoliveError) as caught:
            ann.push(str(place / "store"))
        assert str(caught.value) == (
            f"store {place / 'store'}: cannot be written: Permission denied; next: ask its owner"
            " for the right to read, list and write there"
        )
        assert bob.pull(str(place / "store")).moved[RUNS] == [OTHER_RUN]
        (place / "store" / "runs").chmod(0)
        with pytest.raises(GoliveError, match="store: cannot be listed: Permission denied"):
            bob.pull(str(place / "store"))


def test_a_folder_for_what_is_fetched_that_cannot_be_written_is_named(
    folder: str, clone: Callable[[str], Clone]
) -> None:
    ann, bob = clone("ann"), clone("bob")
    ann.run()
    ann.push(folder)
    bob.folders[RUNS].write_text("a file where the folder should be")
    with pytest.raises(GoliveError, match=r"bob/runs: cannot be written: .*; make room or name"):
        bob.pull(folder)


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "No space left on device; next: make room, then try again"),
        (errno.EROFS, "Read-only file system; next: mount it so that it can be written to"),
        (errno.EIO, "Input/output error; next: mend it and try again"),
    ],
)
def test_a_store_that_fails_is_told_with_the_next_step_and_leaves_no_half_object(
    folder: str,
    clone: Callable[[str], Clone],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    step: str,
) -> None:
    ann = clone("ann")
    ann.run()

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(GoliveError) as caught:
        ann.push(folder)
    assert str(caught.value).startswith(f"store {folder}: cannot be written: {step}")
    assert Inside(folder).names() == []


def test_a_place_that_is_no_store_is_told(tmp_path: Path, s3: str) -> None:
    for place, message in [
        (str(tmp_path / "lost"), f"store {tmp_path / 'lost'}: there is no such folder; make it"),
        (f"file://{tmp_path}/lost", f"store {tmp_path}/lost: there is no such folder; make it"),
        ("s3://lost/store", "store s3://lost/store: there is no bucket 'lost'; make it, or"),
        ("s3://", "store s3://: names no bucket; expected s3://BUCKET"),
        ("sftp://host/x", "store sftp://host/x: found the scheme 'sftp'; expected a folder, or"),
        ("gs://launch", "store gs://launch: "),
        (
            "s3://AKIAKESTREL:kestrel/7f3a9c@launch/x",
            "store s3://********@launch/x: holds credentials; expected them in the environment",
        ),
        ("sftp://ann:kestrel-7f3a9c@host/x", "store sftp://********@host/x: holds credentials"),
    ]:
        with pytest.raises(GoliveError) as caught:
            Store(place).list(RUNS)
        assert str(caught.value).startswith(message)
        assert "kestrel" not in str(caught.value).lower()
        assert "\n" not in str(caught.value)


def test_a_server_that_cannot_be_reached_or_denies_access_is_told(
    s3: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(s3).publish(RUNS, f"{RUN}.{'0' * 64}.tar", b"x")
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    try:
        for act in (
            lambda: Store(s3).list(RUNS),
            lambda: Store(s3).publish(RUNS, f"{RUN}.{'1' * 64}.tar", b"x"),
        ):
            with pytest.raises(GoliveError) as caught:
                act()
            assert str(caught.value).startswith(f"store {s3}: cannot be ")
            assert "next: ask its owner for the right to read, list and write" in str(caught.value)
    finally:
        requests.post(f"{endpoint}/moto-api/reset-auth", data=b"inf", timeout=10)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        port = free.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(GoliveError) as caught:
            Store(s3).list(RUNS)
    assert "cannot be listed: Could not connect to the endpoint URL" in str(caught.value)
    assert "next: look at the network, and at AWS_ENDPOINT_URL" in str(caught.value)


# -- the commands --------------------------------------------------------------------------------


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
    told = capsys.readouterr()
    none = "pulled 0 runs, 0 statements, 0 documents"
    assert told.out == f"{none}; 2 were there already ({folder})\n"
    assert told.err.startswith(f"refused: {name}: does not match its digest")
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


# -- who made a run ------------------------------------------------------------------------------


def recomputed(run: Path, name: str, old: bytes, new: bytes) -> Path:
    """A run edited by hand, with its digest made anew."""
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
    told = capsys.readouterr()
    assert RUN in told.err
    assert "is unverified, since nothing here says who may have made it" in told.err
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


# -- what is there and not here ------------------------------------------------------------------


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


def test_what_was_pushed_and_is_not_here_is_named(pushed: Project, place: str) -> None:
    context = pushed.context()
    (no_go,) = pushed.statements.glob("*-approve-tess-*")
    (run,) = (context.reports / "runs").glob("*-staging-*")
    shutil.move(no_go, pushed.path / no_go.name)
    assert compare(context) == [no_go.name]
    run.rename(run.with_name(f".{run.name}"))
    assert compare(context) == [run.name, no_go.name]
    pull(Store(place), {RUNS: context.reports / "runs", STATEMENTS: pushed.statements})
    assert compare(context) == []
    for path in (run / "verdicts.jsonl", no_go / "statement.json.sig"):
        path.write_bytes(path.read_bytes() + b"\n")
    other = " (here with another content)"
    assert compare(context) == [f"{run.name}{other}", f"{no_go.name}{other}"]


def test_records_of_another_environment_are_not_missed_and_revocations_are(
    pushed: Project, place: str
) -> None:
    context = pushed.context()
    for run in (context.reports / "runs").glob("*-rehearsal-*"):
        shutil.rmtree(run)
    other: dict[str, Any] = {"environment": "rehearsal", "environment_kind": "rehearsal"}
    rehearsed = pushed.sign(text="in a rehearsal", **other)
    revoked = pushed.sign("", "paul", kind="revoke", about="0" * 64, text="no", **other)
    push(Store(place), {STATEMENTS: pushed.statements})
    for signed in (rehearsed, revoked):
        shutil.rmtree(signed.folder)
    assert compare(context) == [revoked.id]
    assert rehearsed.id in compare(pushed.context("rehearsal"))


def test_what_cannot_be_told_in_the_store_is_named(pushed: Project, place: str) -> None:
    ident = "20261128T120000Z-D-2.2.1-paul-000000000000"
    Inside(place).add(STATEMENTS, ident, b"no archive")
    (no_go,) = pushed.statements.glob("*-approve-tess-*")
    Inside(place).add(STATEMENTS, no_go.name, b"another")
    named = {ident, f"{no_go.name} (here with another content)"}
    assert set(compare(pushed.context())) == named


def test_a_store_that_cannot_be_asked_is_no_comparison(project: Project, folder: str) -> None:
    with pytest.raises(GoliveError, match="names no store to compare with"):
        compare(project.context())
    with pytest.raises(GoliveError, match="no such folder"):
        compare(with_store(project, f"{folder}/gone"))


# -- how a signed document is kept ---------------------------------------------------------------


def with_store(project: Project, place: str) -> Context:
    context = project.context()
    return replace(context, launch=replace(context.launch, store=place))


def test_a_signed_document_in_a_locked_bucket_is_kept_once_and_until_then(
    project: Project, endpoint: str, s3: str
) -> None:
    page, until = make(project), datetime.now(UTC) + timedelta(days=30)
    with pytest.raises(Pending, match="names no store"):
        kept_document(project.context(), page)
    context, client = with_store(project, "s3://locked/launch"), s3_client(endpoint)
    client.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 31}}
    client.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    with pytest.raises(Pending, match="golive sign"):
        kept_document(context, page)
    by_command(project, page, "paul")
    with pytest.raises(Pending, match="golive push"):
        kept_document(context, page)
    push(Store("s3://locked/launch"), {DOCUMENTS: context.signed})
    kept = kept_document(context, page)
    assert (kept.versions, kept.lock) == (1, "COMPLIANCE")
    assert kept.locked_until is not None
    assert kept.locked_until >= until
    (listed,) = client.list_objects_v2(Bucket="locked")["Contents"]
    content = client.get_object(Bucket="locked", Key=listed["Key"])["Body"].read()
    client.put_object(Bucket="locked", Key=listed["Key"], Body=content)
    assert kept_document(context, page).versions == 2
    client.put_object(Bucket="locked", Key=listed["Key"], Body=b"something else")
    with pytest.raises(ProbeError, match="does not match its digest"):
        kept_document(context, page)


def test_a_folder_keeps_nothing_from_being_changed(project: Project, folder: str) -> None:
    page = make(project)
    by_command(project, page, "paul")
    context = with_store(project, folder)
    push(Store(folder), {DOCUMENTS: context.signed})
    kept = kept_document(context, page)
    assert (kept.lock, kept.locked_until) == ("", None)
    with pytest.raises(ProbeError, match="no such folder"):
        kept_document(with_store(project, f"{folder}/gone"), page)


# -- what must not be sent ---------------------------------------------------------------------


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
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    for name, where in (
        (f"statements/{text.id}", "statement.json"),
        (f"statements/{evidence.id}", "evidence.txt"),
        (f"runs/{run.name}", "verdicts.jsonl"),
        (f"documents/{folder.name}", page.name),
    ):
        (line,) = (x for x in told.err.splitlines() if x.startswith(f"refused: {name}: "))
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
