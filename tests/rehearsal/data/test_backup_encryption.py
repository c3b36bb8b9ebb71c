"""Sealed backups: nothing to read in the buckets, and either region opens them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.data import backup_encryption, backups
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts.platform import aws
from tests.rehearsal.data.test_backups import backup, segment
from tests.rehearsal.lone_parts import running

REGIONS = (aws.SOURCE_REGION, aws.COPY_REGION)
NAME = "wal/one"
CONTENT = b"client00001@example.com" * 1000


def credentials(r: Rehearsal) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": r.secret("aws-access-key-id"),
        "AWS_SECRET_ACCESS_KEY": r.secret("aws-secret-access-key"),
    }


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("sealing"))
    with running(rehearsal, aws.aws):
        yield rehearsal


@pytest.fixture(scope="module")
def sealed(r: Rehearsal) -> tuple[bytes, dict[str, str]]:
    return backup_encryption.seal(r, NAME, CONTENT)


@pytest.mark.parametrize("region", REGIONS)
def test_either_region_opens_what_was_sealed(
    r: Rehearsal, sealed: tuple[bytes, dict[str, str]], region: str
) -> None:
    body, metadata = sealed
    assert b"client" not in body
    assert (
        backup_encryption.unseal(aws.client(r, "kms", region), region, NAME, body, metadata)
        == CONTENT
    )


def test_each_object_has_a_key_of_its_own(
    r: Rehearsal, sealed: tuple[bytes, dict[str, str]]
) -> None:
    body, metadata = backup_encryption.seal(r, NAME, CONTENT)
    assert body != sealed[0]
    kms = aws.client(r, "kms")
    keys = {backup_encryption.unwrap(kms, REGIONS[0], NAME, one) for one in (metadata, sealed[1])}
    assert len(keys) == 2
    assert not any(key.hex() in json.dumps(metadata) for key in keys)


def test_what_was_touched_does_not_open(r: Rehearsal, sealed: tuple[bytes, dict[str, str]]) -> None:
    body, metadata = sealed
    kms = aws.client(r, "kms")

    def opens(name: str = NAME, body: bytes = body, **changes: str) -> None:
        backup_encryption.unseal(kms, REGIONS[0], name, body, metadata | changes)

    opens()
    with pytest.raises(RehearsalError, match="wal/one does not open"):
        opens(body=bytes([body[0] ^ 1]) + body[1:])
    with pytest.raises(RehearsalError, match=r"wal/two: .*InvalidCiphertext"):
        opens(name="wal/two")
    with pytest.raises(RehearsalError, match="wal/one is not sealed"):
        opens(cipher="none")
    with pytest.raises(RehearsalError, match="'nonce' of wal/one is no base64"):
        opens(nonce="?")
    with pytest.raises(RehearsalError, match="no data key that eu-west-1 could unwrap"):
        backup_encryption.unwrap(kms, "eu-west-1", NAME, metadata)


def test_backups_in_both_buckets_are_sealed(r: Rehearsal) -> None:
    backup(r, "first")
    written = segment(r, 1).read_bytes()
    backups.copy(r)
    for region, bucket in zip(REGIONS, (aws.SOURCE_BUCKET, aws.COPY_BUCKET), strict=True):
        kms = aws.client(r, "kms", region)

        def opened(name: str, kms: Any = kms, region: str = region, bucket: str = bucket) -> bytes:
            found = aws.client(r, "s3", region).get_object(Bucket=bucket, Key=name)
            return backup_encryption.unseal(
                kms, region, name, found["Body"].read(), found["Metadata"]
            )

        with tarfile.open(fileobj=io.BytesIO(opened("full/first.tar.gz"))) as tar:
            assert "first/PG_VERSION" in tar.getnames()
        assert opened("wal/000000010000000000000001") == written


def decrypt(
    r: Rehearsal, *words: str, stdin: bytes = b"", keys: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "rehearsal", "decrypt-backup", "--key", NAME, *words],
        env={**environment, "GOLIVE_REHEARSAL": str(r.folder), **(keys or {})},
        cwd=PROJECT,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_command_opens_what_it_is_given(
    r: Rehearsal, sealed: tuple[bytes, dict[str, str]], tmp_path: Path
) -> None:
    body, metadata = sealed
    words = ["--region", REGIONS[1], "--meta", json.dumps(metadata)]
    done = decrypt(r, *words, "--from", "-", "--to", "-", stdin=body, keys=credentials(r))
    assert (done.returncode, done.stdout) == (0, CONTENT)
    source, to = tmp_path / "sealed", tmp_path / "opened"
    source.write_bytes(body)
    done = decrypt(r, *words, "--from", str(source), "--to", str(to), keys=credentials(r))
    assert json.loads(done.stdout)["size_bytes"] == len(CONTENT)
    assert to.read_bytes() == CONTENT
    assert to.stat().st_mode & 0o777 == 0o600


def test_the_command_opens_nothing_without_access_to_the_key(
    r: Rehearsal, sealed: tuple[bytes, dict[str, str]]
) -> None:
    body, metadata = sealed
    words = ["--region", REGIONS[0], "--meta", json.dumps(metadata), "--from", "-", "--to", "-"]
    done = decrypt(r, *words, stdin=body)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY not set" in done.stderr


def test_the_command_opens_an_object_of_a_bucket(r: Rehearsal, tmp_path: Path) -> None:
    content, metadata = backup_encryption.seal(r, NAME, CONTENT)
    s3 = aws.client(r, "s3")
    backups.put(s3, aws.SOURCE_BUCKET, NAME, io.BytesIO(content), metadata)
    to = tmp_path / "opened"
    done = decrypt(r, "--region", REGIONS[0], "--to", str(to), keys=credentials(r))
    assert done.returncode == 0, done.stderr
    assert to.read_bytes() == CONTENT
