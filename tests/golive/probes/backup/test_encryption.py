"""Encryption of the backups: the item on literal facts, the probe on moto and a small cipher."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import boto3
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.backup import encryption
from golive.probes.backup.backups import FullBackup
from golive.probes.backup.encryption import (
    BackupEncryption,
    Content,
    EncryptedBucket,
    StoredObject,
    backup_encryption,
    entropy_bits,
    key_kind,
    plain_format,
)
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

CONTENT = Content(7.999, "", 0, "gzip of tar", "", opened_without=False)


def bucket(name: str) -> EncryptedBucket:
    key = f"arn:{name}"
    full = StoredObject(name, "full/b2.tar", 9000, "aws:kms", key, CONTENT)
    wal = tuple(replace(full, key=f"wal/{n}") for n in range(10))
    return EncryptedBucket(name, "aws:kms", key, key, "Enabled", full, wal, 40, 55, ())


SOURCE, COPY = bucket("source"), bucket("copy")
GREEN = BackupEncryption((SOURCE, COPY), texts=5, waiting_s=0.0)


def in_copy(**changes: Any) -> dict[str, Any]:
    return {"buckets": (SOURCE, replace(COPY, **changes))}


def in_segment(**changes: Any) -> dict[str, Any]:
    """A change of one segment in the source."""
    wal = (*SOURCE.wal[:3], replace(SOURCE.wal[3], **changes), *SOURCE.wal[4:])
    return {"buckets": (replace(SOURCE, wal=wal), COPY)}


def in_content(**changes: Any) -> dict[str, Any]:
    return in_segment(content=replace(CONTENT, **changes))


def test_sealed_backups_are_green(judged: Judge) -> None:
    assert judged("D-14.3.4", backup_encryption=GREEN) is None


def test_a_young_system_has_fewer_segments(judged: Judge) -> None:
    young = in_copy(wal=COPY.wal[:3], wal_known=3)
    assert judged("D-14.3.4", backup_encryption=replace(GREEN, **young)) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (in_copy(key_state="Disabled"), r"keys not enabled: arn:copy of copy \(Disabled\)"),
        (in_copy(key_state="PendingDeletion"), "PendingDeletion"),
        (in_copy(algorithm=""), r"buckets not under their key: copy \(not encrypted\)"),
        (in_copy(algorithm="AES256", kms_key=""), r"copy \(AES256\)"),
        (in_copy(kms_key="arn:other"), r"copy \(aws:kms arn:other\)"),
        (in_copy(wal=COPY.wal[:9]), "newest WAL segments in copy: 9; required at least 10"),
        (in_copy(wal=(), wal_known=0), "newest WAL segments in copy: 0; required at least 1"),
        ({"waiting_s": 960.0}, "newest full backup not uploaded: 16 min; required at most 15"),
        (in_segment(algorithm=""), r"their bucket's key: wal/3 in source \(not encrypted\)"),
        (in_segment(kms_key="arn:other"), r"wal/3 in source \(aws:kms arn:other\)"),
        (in_content(readable_as="WAL"), r"anybody can read: wal/3 in source \(WAL\)"),
        ({"texts": 0}, "texts of the database searched for: 0"),
        (in_content(texts=2), r"such texts in raw bytes: wal/3 in source \(2 texts\)"),
        (in_content(entropy_bits=7.89), "entropy per byte: wal/3 in source 7.89 bits"),
        (in_content(opened_without=True), "decrypted without the key: wal/3 in source"),
        (in_content(failure="no access"), r"with the key: wal/3 in source \(no access\)"),
        (in_content(opened_as=""), r"wal/3 in source \(what comes out is no backup\)"),
        (in_copy(keys_inside=("k (a private key)",)), r"backups: k \(a private key\) in copy"),
    ],
)
def test_each_clause_can_fail(judged: Judge, changes: dict[str, Any], message: str) -> None:
    facts = replace(GREEN, **changes)
    assert re.search(message, repr(judged("D-14.3.4", backup_encryption=facts)))


def test_nothing_read_proves_nothing(judged: Judge) -> None:
    blind = tuple(
        replace(
            b,
            full=replace(b.objects[0], content=None),
            wal=tuple(replace(one, content=None) for one in b.wal),
        )
        for b in GREEN.buckets
    )
    claim = judged("D-14.3.4", backup_encryption=replace(GREEN, buckets=blind))
    assert "no objects read to look at" in repr(claim)


DENIED = Unseen(ProbeError("the bucket copy", "AccessDenied", "permit it"))
UNLISTED = {"full": None, "wal": (), "wal_known": 0, "versions": 0}


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": DENIED},
        in_copy(algorithm=DENIED, kms_key=DENIED),
        in_copy(declared_key=DENIED, key_state=DENIED),
        in_copy(keys_inside=DENIED, not_listed=DENIED, **UNLISTED),
        in_copy(
            **dict.fromkeys(("algorithm", "kms_key", "declared_key", "key_state"), DENIED),
            **UNLISTED,
            **dict.fromkeys(("keys_inside", "not_listed"), DENIED),
        ),
        in_copy(keys_inside=DENIED),
        in_segment(content=DENIED),
        in_segment(**dict.fromkeys(("size_bytes", "algorithm", "kms_key", "content"), DENIED)),
    ],
)
def test_what_is_refused_hides_nothing_else(judged: Judge, changes: dict[str, Any]) -> None:
    partly = replace(GREEN, **changes)
    claim = judged("D-14.3.4", backup_encryption=partly)
    assert claim is not None
    assert claim.unseen is DENIED.error
    source, copy = partly.buckets
    inside = replace(source, keys_inside=("k (a private key)",), algorithm="")
    found = replace(partly, buckets=(inside, copy))
    assert found.keys_inside == ["k (a private key) in source"]
    assert found.open_buckets == ["source (not encrypted)"]
    broken = judged("D-14.3.4", backup_encryption=found)
    assert broken is not None
    assert broken.broken


def test_what_was_read_is_judged_beside_what_could_not_be() -> None:
    odd = replace(CONTENT, entropy_bits=1.0, readable_as="WAL", texts=2, opened_without=True)
    wal = (replace(SOURCE.wal[0], content=replace(odd, failure="no")), *SOURCE.wal[1:])
    source = replace(SOURCE, wal=wal, full=replace(SOURCE.objects[0], content=DENIED))
    found = replace(GREEN, buckets=(source, COPY))
    assert found.readable == ["wal/0 in source (WAL)"]
    assert found.telling == ["wal/0 in source (2 texts)"]
    assert found.open_to_anyone == ["wal/0 in source"]
    assert found.lost == ["wal/0 in source (no)"]
    bits = found.entropy_bits(7.9)
    assert not isinstance(bits, Unseen)
    assert min(bits.values()) == 1


# -- bytes -------------------------------------------------------------------------------------


def wal_header(magic: int = 0xD110, info: int = 2, segment: int = 1 << 24) -> bytes:
    page = magic.to_bytes(2, "little") + info.to_bytes(2, "little")
    page += (1).to_bytes(4, "little") + bytes(16) + (77).to_bytes(8, "little")
    return page + segment.to_bytes(4, "little") + (8192).to_bytes(4, "little") + bytes(100)


def packed(texts: bytes = b"client00001@example.com\n" * 400) -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            info = tarfile.TarInfo("base/1")
            info.size = len(texts)
            tar.addfile(info, io.BytesIO(texts))
        return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (packed(), "tar"),
        (gzip.compress(packed(), mtime=0), "gzip of tar"),
        (gzip.compress(wal_header(), mtime=0), "gzip of WAL"),
        (gzip.compress(b"x", mtime=0), "gzip of data"),
        (wal_header(), "WAL"),
        (b"PGDMP\x01", "pg_dump"),
        (b"--\n-- PostgreSQL database dump\n", "SQL"),
        (b"\x28\xb5\x2f\xfd...", "zstd"),
        (b"BZh91AY&SY...", "bzip2"),
        (b"", ""),
        (bytes(1 << 20), ""),
        (b"\x1f\x8b\x08 but no more", ""),
        (wal_header(info=0x41), ""),
        (wal_header(segment=12345), ""),
        (wal_header(magic=0x1234), ""),
    ],
)
def test_formats_that_anybody_can_read_are_known(content: bytes, kind: str) -> None:
    assert plain_format(content) == kind


@given(st.binary(max_size=600))
def test_random_bytes_are_in_no_format(content: bytes) -> None:
    assert plain_format(sha256(content).digest() * 20) == ""


@pytest.mark.parametrize("size", [2_000, 64 << 10, 3 << 20])
def test_entropy_tells_random_bytes_from_others(size: int) -> None:
    noise = os.urandom(size)
    assert 7.9 < entropy_bits(noise) <= 8
    assert entropy_bits(b"select email from users;" * (size // 24)) < 5
    assert entropy_bits(b"") == entropy_bits(bytes(size)) == 0


def test_entropy_is_that_of_the_worst_part() -> None:
    assert entropy_bits(os.urandom(2 << 20) + bytes(256 << 10)) == 0


KEY = random.Random(31).randbytes(31) + b"\xff"
WRAPPED = random.Random(180).randbytes(180)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (KEY, "a key of 32 bytes"),
        (KEY.hex().encode(), "a key in letters"),
        (base64.b64encode(KEY) + b"\n", "a key in letters"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nx", "a private key"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key"),
        (b"# made today\nAGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGP", "a private key"),
        (json.dumps({"Plaintext": base64.b64encode(KEY).decode()}).encode(), "a key by its name"),
        (f"repo1-cipher-pass={base64.b64encode(KEY).decode()}".encode(), "a key by its name"),
        (KEY[:20], ""),
        (b"{}", ""),
        (b"", ""),
        (b"20261123T231205Z-cd52\n", ""),
        (b"000000010000000000000009", ""),
        (f"{KEY.hex()}  full/b1.tar\n".encode(), ""),
        # A wrapped key may lie there: it is longer than what it wraps.
        (
            json.dumps(
                {"wrapped_key": base64.b64encode(random.Random(180).randbytes(180)).decode()}
            ).encode(),
            "",
        ),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", ""),
    ],
)
def test_keys_are_told_from_other_small_things(content: bytes, kind: str) -> None:
    assert key_kind(content) == kind


def test_a_checksum_looks_like_a_key_and_is_none() -> None:
    assert key_kind(KEY.hex().encode(), is_sum=True) == ""
    assert encryption._keys_told("a", {"sha256": KEY.hex(), "nonce": "AAAAAAAAAAAAAAAA"}) == []
    found = encryption._keys_told("a", {"data-key": base64.b64encode(KEY).decode()})
    assert found == ["a (metadata data-key)"]


# -- the probe, on a store ---------------------------------------------------------------------

TEXT = b"client00001@example.com"
CIPHER = """
import os, sys
from hashlib import sha256
raw = sys.stdin.buffer.read()
if not os.environ.get("AWS_SECRET_ACCESS_KEY"):
    sys.exit("no access to the key")
if not raw.startswith(b"SEAL"):
    sys.exit("not sealed")
raw, key = raw[4:], sys.argv[1].encode()
stream = b"".join(sha256(key + n.to_bytes(4, "big")).digest() for n in range(len(raw) // 32 + 1))
sys.stdout.buffer.write(bytes(a ^ b for a, b in zip(raw, stream)))
"""
"""A toy: what it does is its own inverse, and anybody's. Only who may run it counts here."""
DECRYPT = ["{python}", "-I", "-S", "-c", CIPHER.replace("{", "{{").replace("}", "}}"), "{key}"]


def sealed(name: str, content: bytes) -> bytes:
    stream = b"".join(
        sha256(name.encode() + n.to_bytes(4, "big")).digest() for n in range(len(content) // 32 + 1)
    )
    return b"SEAL" + bytes(a ^ b for a, b in zip(content, stream, strict=False))


def segment(number: int) -> str:
    return f"wal/0000000100000000{number:08X}"


class Store:
    """A bucket in each of two regions, with a sealed full backup and two segments each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, str] = {}
        for name, region in (("backups", "us-east-1"), ("backups-copy", "us-west-2")):
            kms, s3 = self.client("kms", region), self.client("s3", region)
            self.keys[name] = kms.create_key()["KeyMetadata"]["Arn"]
            kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=self.keys[name])
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=name, **(where if region != "us-east-1" else {}))
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"alias/{name}"}
            s3.put_bucket_encryption(
                Bucket=name,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": rule}]
                },
            )
            self.put("full/b1.tar", sealed("full/b1.tar", packed()), name, region)
            for n in (1, 2):
                content = wal_header() + os.urandom(5_000)
                self.put(segment(n), sealed(segment(n), content), name, region)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def put(
        self,
        name: str,
        content: bytes,
        bucket: str = "backups",
        region: str = "us-east-1",
        **words: Any,
    ) -> None:
        self.client("s3", region).put_object(
            Bucket=bucket,
            Key=name,
            Body=content,
            **{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.keys[bucket], **words},
        )


@pytest.fixture
def store(aws_url: str) -> Store:
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    return Store(aws_url)


def declared(name: str, region: str, **changes: str) -> dict[str, str]:
    return {"name": name, "region": region, "kms_key": f"alias/{name}", **changes}


def backup(name: str, hours_ago: float) -> FullBackup:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return FullBackup(name, f"/{name}", at, at, "0/1000028", "0/1000100", "7711", 5)


@pytest.fixture
def on_store(store: Store, env_with: EnvWith, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(encryption, "full_backups", lambda env: [backup("b1", 2)])
    monkeypatch.setattr(encryption, "_known_texts", lambda env, before: [TEXT])
    return env_with(
        aws={"endpoint_url": store.url},
        backups={
            "decrypt_command": DECRYPT,
            "source": declared("backups", "us-east-1"),
            "copy": declared("backups-copy", "us-west-2"),
            "full_key": "full/{id}.tar",
            "wal_prefix": "wal/",
        },
    )


def test_sealed_objects_are_read_and_opened_in_both_regions(
    on_store: Environment, store: Store
) -> None:
    found = backup_encryption(on_store)
    assert [b.declared_key for b in found.buckets] == list(store.keys.values())
    assert (found.unusable_keys, found.open_buckets, found.open_objects) == ([], [], [])
    assert (found.readable, found.telling, found.open_to_anyone) == ([], [], [])
    assert (found.lost, found.keys_inside, found.waiting_s) == ([], [], 0)
    assert [one.key for one in found.objects[:3]] == ["full/b1.tar", segment(2), segment(1)]
    assert [c.opened_as for c in found.contents.values()] == ["tar", "WAL", "WAL", "tar", "WAL"]
    assert found.versions == 6


@pytest.mark.parametrize(
    ("operation", "right", "facts"),
    [
        ("GetBucketEncryption", "s3:GetEncryptionConfiguration", {"open_buckets"}),
        ("DescribeKey", "kms:DescribeKey", {"unusable_keys", "open_buckets", "open_objects"}),
        ("HeadObject", "s3:GetObject", {"open_objects", "lost", "readable", "keys_inside"}),
        ("GetObject", "s3:GetObject and kms:Decrypt", {"lost", "readable"}),
        (
            "ListObjectVersions",
            "s3:ListBucketVersions",
            {"open_objects", "lost", "readable", "keys_inside"},
        ),
    ],
)
def test_a_right_that_lacks_in_one_region_hides_what_needs_it(
    on_store: Environment,
    refuse: Callable[..., None],
    operation: str,
    right: str,
    facts: set[str],
) -> None:
    refuse(operation, region="us-west-2")
    found = backup_encryption(on_store)
    names = ("open_buckets", "unusable_keys", "open_objects", "lost", "readable", "keys_inside")
    looks = {name: getattr(found, name) for name in names}
    hidden = {name: one for name, one in looks.items() if isinstance(one, Unseen)}
    assert set(hidden) == facts
    steps = {one.error.next_step for one in hidden.values()}
    assert steps == {f"permit {right} to the reading key"}
    assert [o.key for o in found.buckets[0].objects] == ["full/b1.tar", segment(2), segment(1)]


def test_small_objects_that_may_not_be_read_leave_keys_unseen(
    on_store: Environment, store: Store, refuse: Callable[..., None]
) -> None:
    store.put("wal.key", KEY, "backups-copy", "us-west-2")
    refuse("GetObject", region="us-west-2")
    found = backup_encryption(on_store).keys_inside
    assert isinstance(found, Unseen)
    assert "s3:GetObjectVersion and kms:Decrypt" in found.error.next_step


def test_a_region_that_answers_nothing_hides_its_bucket_alone(
    on_store: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ProbeError("a text that every backup has to hold", "denied", "grant it")

    def refused(env: Environment, before: datetime) -> list[bytes]:
        raise error

    monkeypatch.setattr(encryption, "_known_texts", refused)
    gone = msgspec.structs.replace(on_store.backups.copy, name="gone")
    backups = msgspec.structs.replace(on_store.backups, copy=gone)
    found = backup_encryption(msgspec.structs.replace(on_store, backups=backups))
    source, copy = found.buckets
    assert (source.key_state, source.wal_count) == ("Enabled", 2)
    assert isinstance(copy.key_state, Unseen)
    assert "NoSuchBucket" in copy.key_state.error.cause
    assert isinstance(found.telling, Unseen)
    assert found.telling.error is error
    assert len(found.contents) == 3


def test_a_backup_in_plaintext_is_found(on_store: Environment, store: Store) -> None:
    store.put("full/b1.tar", packed())
    found = backup_encryption(on_store)
    assert found.readable == ["full/b1.tar in backups (tar)"]
    assert found.telling == ["full/b1.tar in backups (1 texts)"]
    assert found.contents["full/b1.tar in backups"].entropy_bits < 7.9
    assert found.lost == ["full/b1.tar in backups (not sealed)"]


def test_a_compressed_backup_is_in_plaintext_however_random_it_looks(
    on_store: Environment, store: Store
) -> None:
    store.put("full/b1.tar", gzip.compress(packed()))
    assert backup_encryption(on_store).readable == ["full/b1.tar in backups (gzip of tar)"]


def test_another_key_and_none_are_found(on_store: Environment, store: Store) -> None:
    other = store.client("kms").create_key()["KeyMetadata"]["Arn"]
    store.put(segment(1), sealed(segment(1), wal_header()), SSEKMSKeyId=other)
    assert backup_encryption(on_store).open_objects == [
        f"{segment(1)} in backups (aws:kms {other})"
    ]
    store.client("s3").put_bucket_encryption(
        Bucket="backups",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    assert backup_encryption(on_store).open_buckets == ["backups (AES256)"]


def test_a_bucket_without_encryption_is_found(on_store: Environment, store: Store) -> None:
    store.client("s3", "us-west-2").delete_bucket_encryption(Bucket="backups-copy")
    assert backup_encryption(on_store).open_buckets == ["backups-copy (not encrypted)"]


def test_a_disabled_key_is_found_and_nothing_is_read_by_it(
    on_store: Environment, store: Store
) -> None:
    store.client("kms").disable_key(KeyId=store.keys["backups"].rpartition("/")[2])
    found = backup_encryption(on_store)
    assert found.unusable_keys == [f"{store.keys['backups']} of backups (Disabled)"]
    assert all("backups-copy" in name for name in found.contents)


def test_a_key_that_is_not_there_is_a_finding(on_store: Environment, env_with: EnvWith) -> None:
    env = env_with(
        aws={"endpoint_url": on_store.aws.endpoint_url},
        backups={
            "decrypt_command": DECRYPT,
            "source": declared("backups", "us-east-1", kms_key="alias/gone"),
            "copy": declared("backups-copy", "us-west-2"),
            "full_key": "full/{id}.tar",
            "wal_prefix": "wal/",
        },
    )
    assert backup_encryption(env).unusable_keys == ["alias/gone of backups (not there)"]


def test_a_key_beside_the_backups_is_found_in_older_versions_too(
    on_store: Environment, store: Store
) -> None:
    store.put("notes/readme.txt", base64.b64encode(KEY))
    store.put("notes/readme.txt", b"nothing to see")
    store.put("wal.key", KEY, "backups-copy", "us-west-2")
    store.put("full/b1.tar.sha256", KEY.hex().encode())
    store.put(segment(2), sealed(segment(2), wal_header()), Metadata={"dek": KEY.hex()})
    assert backup_encryption(on_store).keys_inside == [
        "notes/readme.txt (a key in letters, an older version) in backups",
        f"{segment(2)} (metadata dek) in backups",
        "wal.key (a key of 32 bytes) in backups-copy",
    ]


def test_a_command_that_needs_no_key_opens_for_anyone(
    on_store: Environment, env_with: EnvWith
) -> None:
    open_ = [word.replace("AWS_SECRET_ACCESS_KEY", "PATH") for word in DECRYPT]
    env = env_with(
        aws={"endpoint_url": on_store.aws.endpoint_url},
        backups={
            "decrypt_command": open_,
            "source": declared("backups", "us-east-1"),
            "copy": declared("backups-copy", "us-west-2"),
            "full_key": "full/{id}.tar",
            "wal_prefix": "wal/",
        },
    )
    assert len(backup_encryption(env).open_to_anyone) == 5


def test_nothing_of_this_process_gives_the_command_access(
    on_store: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of whoever runs this")
    assert backup_encryption(on_store).open_to_anyone == []


def test_of_a_large_object_the_beginning_is_enough(
    on_store: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "READ_BYTES", 6_000)
    monkeypatch.setattr(encryption, "HEAD_BYTES", 2_048)
    content = backup_encryption(on_store).contents["full/b1.tar in backups"]
    assert (content.opened_as, content.failure) == ("tar", "")


def test_the_newest_backup_may_be_on_its_way(
    on_store: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [backup("b1", 2), backup("b2", 1)]
    monkeypatch.setattr(encryption, "full_backups", lambda env: two)
    found = backup_encryption(on_store)
    assert found.buckets[0].objects[0].key == "full/b1.tar"
    assert 3_600 <= found.waiting_s < 3_700
    monkeypatch.setattr(encryption, "full_backups", lambda env: two[1:])
    with pytest.raises(ProbeError, match="none of 1 is there"):
        backup_encryption(on_store)


@pytest.mark.parametrize("missing", ["backups.decrypt_command", "backups.source.kms_key"])
def test_what_is_not_declared_is_asked_for(env_with: EnvWith, missing: str) -> None:
    backups: dict[str, Any] = {
        "decrypt_command": DECRYPT,
        "source": declared("backups", "us-east-1"),
        "copy": declared("backups-copy", "us-west-2"),
    }
    if missing == "backups.decrypt_command":
        del backups["decrypt_command"]
    else:
        del backups["source"]["kms_key"]
    with pytest.raises(ProbeError, match=f"{missing} not declared; next: write {missing} in"):
        backup_encryption(env_with(backups=backups))


def test_a_dead_store_is_not_looked_at(
    on_store: Environment, env_with: EnvWith, dead_port: int
) -> None:
    env = env_with(
        aws={"endpoint_url": f"http://127.0.0.1:{dead_port}"},
        backups={
            "decrypt_command": DECRYPT,
            "source": declared("backups", "us-east-1"),
            "copy": declared("backups-copy", "us-west-2"),
        },
    )
    with pytest.raises(ProbeError, match="check that AWS can be reached"):
        backup_encryption(env)
