"""Stores that fail, or are none."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from golive.store import (
    RUNS,
    STATEMENTS,
    Store,
)
from golive.verdicts import GoliveError
from tests.golive.store.sharing import (
    OTHER_RUN,
    RUN,
    Clone,
    Inside,
    contents,
    s3_client,
    without_privileges,
)


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


@pytest.mark.parametrize("size", [101 * 2**20])
def test_a_large_object_is_still_one_request(s3: str, aws_url: str, size: int) -> None:
    name = f"{RUN}.{'0' * 64}.tar"
    Store(s3).publish(RUNS, name, bytes(size))
    found = s3_client(aws_url).head_object(Bucket="launch", Key=f"our/store/runs/{name}")
    assert found["ContentLength"] == size
    assert "-" not in found["ETag"]  # which parts would have left in it


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


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "No space left on device; next: make room, then try again"),
        (errno.EROFS, "Read-only file system; next: mount it so that it can be written to"),
        (errno.EIO, "Input/output error; next: fix it and try again"),
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
    s3: str, aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(s3).publish(RUNS, f"{RUN}.{'0' * 64}.tar", b"x")
    requests.post(f"{aws_url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
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
        requests.post(f"{aws_url}/moto-api/reset-auth", data=b"inf", timeout=10)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        port = free.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(GoliveError) as caught:
            Store(s3).list(RUNS)
    assert "cannot be listed: Could not connect to the endpoint URL" in str(caught.value)
    assert "next: look at the network, and at AWS_ENDPOINT_URL" in str(caught.value)
