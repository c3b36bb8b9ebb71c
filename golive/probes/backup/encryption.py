"""Whether backups can be read by whoever holds the buckets, or only by who holds the keys."""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from golive.environments import Bucket, Environment
from golive.probes.backup.backups import NEWEST_SEGMENTS, FullBackup, full_backups
from golive.probes.backup.s3 import READ_BYTES, asking, called
from golive.probes.backup.wal import SEGMENT
from golive.probes.data.postgres import connect
from golive.probes.transport import commands
from golive.probes.transport.commands import Deadline
from golive.probes.transport.rights import permitted
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

HEAD_BYTES = 64 << 20
"""Of objects above ``READ_BYTES`` this much is read and decrypted."""
SMALL_BYTES = 16 << 10
"""Objects up to this size are looked through for keys; no key is larger."""
_BLOCK_BYTES = 64 << 10
_BLOCKS = 16
_SHORTEST_TEXT = 8
"""Characters below which a text may well turn up by chance."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Content:
    """What an object's raw bytes are like, and what comes of decrypting them."""

    entropy_bits: float
    """Shannon entropy per byte, the least of blocks spread over the whole."""
    readable_as: str
    """The unencrypted format that the raw bytes are in; empty: none that is known."""
    texts: int
    """How many of the database's known texts stand in the raw bytes."""
    opened_as: str
    """With the key: the format that came out; empty: nothing that is a backup."""
    failure: str
    """With the key: why the command failed; empty when it did not."""
    opened_without: bool
    """Without the key the command succeeded, or brought a backup out."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a bucket, and how the bucket encrypts it."""

    bucket: str
    key: str
    size_bytes: int | Unseen
    algorithm: str | Unseen
    """Server-side; empty: none."""
    kms_key: str | Unseen
    """ARN of the key where it could be reported; empty: none."""
    content: Content | Unseen | None
    """None where equal content was read from the other bucket, or the key cannot be used."""

    def __str__(self) -> str:
        return f"{self.key} in {self.bucket}"


@dataclass(frozen=True, slots=True)
class EncryptedBucket:
    """A declared bucket of backups."""

    name: str
    algorithm: str | Unseen
    """What new objects are encrypted with; empty: nothing."""
    kms_key: str | Unseen
    declared_key: str | Unseen
    """ARN of the declared key; as declared, where there is no such key."""
    key_state: str | Unseen
    """Of the declared key, as KMS tells it."""
    full: StoredObject | None
    """The newest full backup that is in the bucket; None where that could not be listed."""
    wal: tuple[StoredObject, ...]
    """The newest WAL segments in the bucket, newest first."""
    wal_known: int
    versions: int
    """Everything in the bucket, older versions included."""
    keys_inside: tuple[str, ...] | Unseen
    """What looks like a key among its small objects and in metadata."""
    not_listed: Unseen | None = None
    """Why its objects could not be listed; then there is none here."""

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """All whose encryption was looked at."""
        return (*([] if self.full is None else [self.full]), *self.wal)

    @property
    def wal_count(self) -> int | Unseen:
        """How many of the newest WAL segments are in the bucket."""
        return len(self.wal) if self.not_listed is None else self.not_listed

    def wal_wanted(self, number: int) -> int:
        """Of so many WAL segments, those that there can be; a young system has few."""
        return max(1, min(self.wal_known, number))

    def is_encrypting(self, algorithm: str | Unseen, kms_key: str | Unseen) -> bool | Unseen:
        """Whether that is encryption by KMS with the declared key."""
        if isinstance(algorithm, Unseen):
            return algorithm
        if algorithm not in {"aws:kms", "aws:kms:dsse"}:
            return False
        unseen = unseen_among((kms_key, self.declared_key))
        return kms_key == self.declared_key if unseen is None else unseen


def _where_not(looks: Iterable[tuple[str, bool | Unseen]]) -> list[str] | Unseen:
    """What something does not hold of; unseen where that is known of nothing, and of one it could
    not be looked at."""
    tried = list(looks)
    found = [name for name, holds in tried if not isinstance(holds, Unseen) and not holds]
    unseen = unseen_among(holds for _, holds in tried)
    return found if found or unseen is None else unseen


@dataclass(frozen=True, slots=True)
class BackupEncryption:
    """Both declared buckets of backups."""

    buckets: tuple[EncryptedBucket, ...]
    """The source first."""
    texts: int | Unseen
    """Texts that are in the live database since before the newest backup."""
    waiting_s: float | Unseen
    """How long the newest full backup has been finished without being in the source bucket."""

    @property
    def not_listed(self) -> Unseen | None:
        """Why the objects of a bucket could not be listed."""
        return unseen_among(b.not_listed for b in self.buckets)

    @property
    def objects(self) -> tuple[StoredObject, ...] | Unseen:
        """All whose encryption was looked at; unseen where no bucket was listed."""
        unseen = self.not_listed
        return self._objects if self._objects or unseen is None else unseen

    @property
    def _objects(self) -> tuple[StoredObject, ...]:
        return tuple(one for bucket in self.buckets for one in bucket.objects)

    @property
    def contents(self) -> dict[str, Content]:
        """What was read and decrypted, by object."""
        return {str(o): o.content for o in self._objects if isinstance(o.content, Content)}

    @property
    def read(self) -> dict[str, Content] | Unseen:
        """What was read and decrypted; unseen where nothing was, of something that had to be."""
        unseen = self._unread
        return self.contents if self.contents or unseen is None else unseen

    @property
    def _unread(self) -> Unseen | None:
        return unseen_among((*(o.content for o in self._objects), self.not_listed))

    def entropy_bits(self, least: float) -> dict[str, float] | Unseen:
        """Shannon entropy per byte, by object; unseen where none is known to be under ``least``,
        and not all could be read."""
        bits = {name: content.entropy_bits for name, content in self.contents.items()}
        unseen = self._unread
        return bits if unseen is None or any(b < least for b in bits.values()) else unseen

    @property
    def versions(self) -> int | Unseen:
        """Everything that lies in the buckets."""
        count, unseen = sum(bucket.versions for bucket in self.buckets), self.not_listed
        return count if count or unseen is None else unseen

    @property
    def open_buckets(self) -> list[str] | Unseen:
        """Buckets that do not encrypt new objects by their declared key."""
        return _where_not(
            (
                f"{b.name} ({_encryption(b.algorithm, b.kms_key)})",
                b.is_encrypting(b.algorithm, b.kms_key),
            )
            for b in self.buckets
        )

    @property
    def unusable_keys(self) -> list[str] | Unseen:
        """Declared keys that are not enabled."""
        return _where_not(
            (b.name, b.key_state)
            if isinstance(b.key_state, Unseen)
            else (f"{b.declared_key} of {b.name} ({b.key_state})", b.key_state == "Enabled")
            for b in self.buckets
        )

    @property
    def open_objects(self) -> list[str] | Unseen:
        """Objects that their bucket's declared key does not encrypt."""
        looks = [
            (
                f"{one} ({_encryption(one.algorithm, one.kms_key)})",
                b.is_encrypting(one.algorithm, one.kms_key),
            )
            for b in self.buckets
            for one in b.objects
        ]
        return _where_not(
            looks + [("", unseen) for unseen in (self.not_listed,) if unseen is not None]
        )

    def _contents_that(self, is_odd: Callable[[Content], str]) -> list[str] | Unseen:
        """Objects whose content is odd, with how; unseen where none is known to be, and one could
        not be read."""
        odd = {name: is_odd(content) for name, content in self.contents.items()}
        found = [f"{name}{how}" for name, how in odd.items() if how]
        unseen = self._unread
        return found if found or unseen is None else unseen

    @property
    def readable(self) -> list[str] | Unseen:
        """Objects whose raw bytes are a backup that anybody can read."""
        return self._contents_that(lambda c: f" ({c.readable_as})" if c.readable_as else "")

    @property
    def telling(self) -> list[str] | Unseen:
        """Objects in whose raw bytes texts of the database stand."""
        if isinstance(self.texts, Unseen):
            return self.texts
        return self._contents_that(lambda c: f" ({c.texts} texts)" if c.texts else "")

    @property
    def open_to_anyone(self) -> list[str] | Unseen:
        """Objects that were decrypted without the key."""
        return _where_not(
            [(name, not c.opened_without) for name, c in self.contents.items()]
            + ([] if self._unread is None else [("", self._unread)])
        )

    @property
    def lost(self) -> list[str] | Unseen:
        """Objects that were not decrypted with the key."""
        return self._contents_that(
            lambda c: (
                f" ({c.failure or 'what comes out is no backup'})"
                if c.failure or not c.opened_as
                else ""
            )
        )

    @property
    def keys_inside(self) -> list[str] | Unseen:
        """What looks like a key and lies beside the backups."""
        found = [
            f"{one} in {b.name}"
            for b in self.buckets
            if not isinstance(b.keys_inside, Unseen)
            for one in b.keys_inside
        ]
        unseen = unseen_among(b.keys_inside for b in self.buckets)
        return found if found or unseen is None else unseen


def _encryption(algorithm: str | Unseen, kms_key: str | Unseen) -> str:
    if isinstance(algorithm, Unseen):
        return "not seen"
    key = "by a key that was not seen" if isinstance(kms_key, Unseen) else kms_key
    return f"{algorithm} {key}".strip() if algorithm else "not encrypted"


@probe(limit="drill")
def backup_encryption(env: Environment) -> BackupEncryption:
    """Encryption of both buckets, of the newest full backup and of the newest WAL segments."""
    _check_declared(env)
    clock = Deadline(env.time_limits.drill)
    backups = full_backups(env)
    texts = seen(_known_texts, env, backups[-1].started_at)
    searched = [] if isinstance(texts, Unseen) else texts
    looks = [
        (bucket, seen(_looked_at, env, bucket, backups, searched, clock))
        for bucket in (env.backups.source, env.backups.copy)
    ]
    unseen = [look.error for _, look in looks if isinstance(look, Unseen)]
    if len(unseen) == len(looks):
        raise unseen[0]
    source, copy = (
        _hidden(bucket, look) if isinstance(look, Unseen) else look for bucket, look in looks
    )
    return BackupEncryption(
        (source, copy),
        texts if isinstance(texts, Unseen) else len(texts),
        _waiting_s(env, source, backups[-1]),
    )


def _hidden(bucket: Bucket, why: Unseen) -> EncryptedBucket:
    """A bucket that could not be asked for anything."""
    return EncryptedBucket(bucket.name, why, why, why, why, None, (), 0, 0, why, why)


def _waiting_s(env: Environment, source: EncryptedBucket, newest: FullBackup) -> float | Unseen:
    if source.not_listed is not None:
        return source.not_listed
    full = source.full
    if full is not None and full.key == env.backups.full_key.format(id=newest.id):
        return 0.0
    return (datetime.now(UTC) - newest.finished_at).total_seconds()


def _check_declared(env: Environment) -> None:
    """:raises ProbeError: the environment does not say what has to be known."""
    declared = {
        "backups.source.kms_key": env.backups.source.kms_key,
        "backups.copy.kms_key": env.backups.copy.kms_key,
        "backups.decrypt_command": env.backups.decrypt_command,
    }
    missing = [key for key, value in declared.items() if not value]
    if missing:
        raise ProbeError(
            "the encryption of the backups",
            f"{' and '.join(missing)} not declared",
            f"write {' and '.join(missing)} in {env.source or 'the environment file'}",
        )


def _known_texts(env: Environment, before: datetime) -> list[bytes]:
    """Texts that are in every backup since ``before``. They may be personal: never shown.

    :raises ProbeError: the database may not be read for them, or has none.
    """
    from psycopg import errors

    with connect(env, env.postgres.primary) as db:
        try:
            rows = db.execute(env.backups.known_text.encode(), {"before": before}).fetchall()
        except errors.InsufficientPrivilege as e:
            grant = f"grant pg_read_all_data to {db.info.user};"
            raise ProbeError("a text that every backup has to hold", e, grant) from None
    texts = [str(row[0]).encode() for row in rows if len(str(row[0] or "")) >= _SHORTEST_TEXT]
    if not texts:
        raise ProbeError(
            "a text that every backup has to hold",
            f"the database has none of {_SHORTEST_TEXT} characters older than {before:%F %T} UTC",
            "write a query that finds some in backups.known_text of the environment file",
        )
    return texts


# -- one bucket --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Version:
    key: str
    version: str
    size_bytes: int
    at: datetime
    is_latest: bool


def _looked_at(
    env: Environment,
    bucket: Bucket,
    backups: Sequence[FullBackup],
    texts: Sequence[bytes],
    clock: Deadline,
) -> EncryptedBucket:
    """:raises ProbeError: the bucket cannot be asked for anything."""
    with asking(env, bucket) as (s3, kms):
        where = called(bucket)
        described = cache(lambda key: _described(kms, key))
        right = "s3:GetEncryptionConfiguration"
        default = permitted(right, where, _default_encryption, s3, bucket.name)
        algorithm, key = (default, default) if isinstance(default, Unseen) else default
        declared, state = described(bucket.kms_key)
        found = EncryptedBucket(
            name=bucket.name,
            algorithm=algorithm,
            kms_key=key if isinstance(key, Unseen) else described(key)[0],
            declared_key=declared,
            key_state=state,
            full=None,
            wal=(),
            wal_known=0,
            versions=0,
            keys_inside=(),
        )
        right = "s3:ListBucketVersions"
        versions = permitted(right, where, lambda: list(_versions(s3, bucket.name)))
        if isinstance(versions, Unseen):
            return replace(found, keys_inside=versions, not_listed=versions)
        return _filled(env, bucket, found, versions, backups, texts, clock, s3, described)


def _filled(
    env: Environment,
    bucket: Bucket,
    found: EncryptedBucket,
    versions: list[_Version],
    backups: Sequence[FullBackup],
    texts: Sequence[bytes],
    clock: Deadline,
    s3: S3Client,
    described: Callable[[str], tuple[str | Unseen, str | Unseen]],
) -> EncryptedBucket:
    """A bucket with what is in it.

    :raises ProbeError: it has no full backup.
    """
    there = {one.key for one in versions if one.is_latest}
    wal = _segments(versions, env.backups.wal_prefix)
    names = [_newest_full(env, bucket, backups, there), *wal[:NEWEST_SEGMENTS]]
    # Of copies, which are proved to be equal, one of each kind has to open in their region.
    read = names if bucket == env.backups.source else names[:2]
    state = found.key_state
    is_usable = isinstance(state, Unseen) or state == "Enabled"

    def look(key: str) -> tuple[StoredObject, dict[str, str] | Unseen]:
        where = f"{key} in {bucket.name}"
        head: Any = permitted("s3:GetObject", where, s3.head_object, Bucket=bucket.name, Key=key)
        if isinstance(head, Unseen):
            return StoredObject(bucket.name, key, head, head, head, head), head
        content = None
        if key in read and is_usable:
            right = "s3:GetObject and kms:Decrypt"
            content = permitted(right, where, _content, env, s3, bucket, key, head, texts, clock)
        return StoredObject(
            bucket=bucket.name,
            key=key,
            size_bytes=head["ContentLength"],
            algorithm=head.get("ServerSideEncryption", ""),
            kms_key=described(head.get("SSEKMSKeyId", ""))[0],
            content=content,
        ), head["Metadata"]

    def key_in(one: _Version) -> str | Unseen:
        right = "s3:GetObjectVersion and kms:Decrypt"
        return permitted(right, f"{one.key} in {bucket.name}", _key_in, s3, bucket.name, one)

    small = [
        one
        for one in versions
        if 0 < one.size_bytes <= SMALL_BYTES and not SEGMENT.fullmatch(_file(one.key))
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looked = list(pool.map(look, names))
        inside: list[str | Unseen] = [*pool.map(key_in, small)]
    for one, metadata in looked:
        inside += [metadata] if isinstance(metadata, Unseen) else _keys_told(one.key, metadata)
    keys = tuple(dict.fromkeys(k for k in inside if not isinstance(k, Unseen) and k))
    unseen = unseen_among(inside)
    return replace(
        found,
        full=looked[0][0],
        wal=tuple(one for one, _ in looked[1:]),
        wal_known=len(wal),
        versions=len(versions),
        keys_inside=keys if keys or unseen is None else unseen,
    )


def _versions(s3: S3Client, bucket: str) -> Iterator[_Version]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in page.get("Versions", []):
            yield _Version(
                one["Key"], one["VersionId"], one["Size"], one["LastModified"], one["IsLatest"]
            )


def _file(key: str) -> str:
    return key.rpartition("/")[2]


def _segments(versions: Sequence[_Version], prefix: str) -> list[str]:
    """Names of the WAL segments, newest first."""
    found = [
        one
        for one in versions
        if one.is_latest
        and one.key.startswith(prefix)
        and SEGMENT.fullmatch(one.key.removeprefix(prefix))
    ]
    return [one.key for one in sorted(found, key=lambda one: (one.at, one.key), reverse=True)]


def _newest_full(
    env: Environment, bucket: Bucket, backups: Sequence[FullBackup], there: set[str]
) -> str:
    for backup in reversed(backups):
        key = env.backups.full_key.format(id=backup.id)
        if key in there:
            return key
    raise ProbeError(
        f"the full backups in the bucket {bucket.name}",
        f"none of {len(backups)} is there",
        "check backups.full_key in the environment file, and the job that uploads backups",
    )


def _described(kms: KMSClient, key: str) -> tuple[str | Unseen, str | Unseen]:
    """A key's ARN and state; what is no key there stays as it is named."""
    if not key:
        return "", "not there"
    try:
        found = permitted("kms:DescribeKey", f"the key {key}", kms.describe_key, KeyId=key)
    except kms.exceptions.NotFoundException:
        return key, "not there"
    if isinstance(
        found, Unseen
    ):  # an ARN needs nobody to tell it; the ARN of an alias is not its key's
        return key if re.fullmatch(r"arn:.*:key/.*", key) else found, found
    return found["KeyMetadata"]["Arn"], found["KeyMetadata"].get("KeyState", "unknown")


def _default_encryption(s3: S3Client, bucket: str) -> tuple[str, str]:
    try:
        found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    except s3.exceptions.ClientError as e:
        if e.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError":
            return "", ""
        raise
    rule = found["Rules"][0].get("ApplyServerSideEncryptionByDefault", {})
    return rule.get("SSEAlgorithm", ""), rule.get("KMSMasterKeyID", "")


# -- one object's content ----------------------------------------------------------------------


def _content(
    env: Environment,
    s3: S3Client,
    bucket: Bucket,
    key: str,
    head: Any,
    texts: Sequence[bytes],
    clock: Deadline,
) -> Content:
    is_whole = head["ContentLength"] <= READ_BYTES
    with s3.get_object(Bucket=bucket.name, Key=key)["Body"] as body:
        raw = body.read(None if is_whole else HEAD_BYTES)
    values = {
        "bucket": bucket.name,
        "key": key,
        "region": bucket.region,
        "metadata": json.dumps(head["Metadata"], sort_keys=True),
    }

    def piped(credentials: dict[str, str]) -> tuple[str, str]:
        done = commands.pipe(
            env.backups.decrypt_command,
            values,
            raw,
            key="backups.decrypt_command",
            within_s=clock.left_s,
            environment=_variables(env, bucket) | credentials,
        )
        return done.failure, _backup_in(done.content, texts)

    failure, opened_as = piped(
        {
            "AWS_ACCESS_KEY_ID": env.aws.access_key_id.reveal(),
            "AWS_SECRET_ACCESS_KEY": env.aws.secret_access_key.reveal(),
        }
    )
    failure_without, opened_without = piped({})
    return Content(
        entropy_bits=entropy_bits(raw),
        readable_as=plain_format(raw),
        texts=sum(text in raw for text in texts),
        opened_as=opened_as,
        # The beginning alone cannot end well, but what comes of it tells enough.
        failure=failure if is_whole or not opened_as else "",
        opened_without=not failure_without or bool(opened_without),
    )


def _variables(env: Environment, bucket: Bucket) -> dict[str, str]:
    """This process's environment variables, with nothing that gives access to AWS."""
    own = {env.aws.access_key_id.env, env.aws.secret_access_key.env}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k not in own}
    if env.aws.endpoint_url:
        kept["AWS_ENDPOINT_URL"] = env.aws.endpoint_url
    return kept | {
        "AWS_REGION": bucket.region,
        "AWS_DEFAULT_REGION": bucket.region,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _backup_in(content: bytes, texts: Sequence[bytes]) -> str:
    known = plain_format(content)
    return known or ("text of the database" if any(t in content for t in texts) else "")


def entropy_bits(content: bytes) -> float:
    """Shannon entropy in bits per byte, the least of blocks spread over the content.

    With Miller and Madow's correction, without which even random bytes fall short in a few
    thousand; 0 for none.
    """
    last = max(0, len(content) - _BLOCK_BYTES)
    starts = sorted({last * n // (_BLOCKS - 1) for n in range(_BLOCKS)})
    return min(_entropy_bits(content[at : at + _BLOCK_BYTES]) for at in starts)


def _entropy_bits(block: bytes) -> float:
    if not block:
        return 0.0
    total, counts = len(block), Counter(block)
    plain = -sum(n / total * math.log2(n / total) for n in counts.values())
    return min(8.0, plain + (len(counts) - 1) / (2 * total * math.log(2)))


_MAGIC = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"PGDMP": "pg_dump",
    b"-- PostgreSQL": "SQL",
    b"--\n-- PostgreSQL": "SQL",
}
_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_GZIP = b"\x1f\x8b\x08"


def plain_format(content: bytes) -> str:
    """The unencrypted format that a backup's bytes begin as; empty: none that is known."""
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    if _BZIP2.match(content):
        return "bzip2"
    if content.startswith(_GZIP):
        try:
            inner = zlib.decompressobj(wbits=31).decompress(content[:_BLOCK_BYTES], _BLOCK_BYTES)
        except zlib.error:
            return ""
        return f"gzip of {plain_format(inner) or 'data'}"
    if _is_wal(content):
        return "WAL"
    return "tar" if _is_tar(content) else ""


def _is_tar(content: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(content[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_wal(content: bytes) -> bool:
    """Whether a WAL segment's first page header is there (XLogLongPageHeaderData), in either
    byte order."""
    if len(content) < 40:
        return False
    for order in ("little", "big"):

        def number(at: int, size: int, order: Any = order) -> int:
            return int.from_bytes(content[at : at + size], order)

        magic, info, timeline, segment, block = (
            number(at, size) for at, size in ((0, 2), (2, 2), (4, 4), (32, 4), (36, 4))
        )
        powers = all(n.bit_count() == 1 for n in (segment, block))
        if (
            magic >> 8 in {0xD0, 0xD1}
            and info < 0x10
            and info & 0x02
            and timeline
            and powers
            and 1 << 20 <= segment <= 1 << 30
            and 1 << 10 <= block <= 1 << 16
        ):
            return True
    return False


# -- keys that lie about -----------------------------------------------------------------------

_KEY_BYTES = frozenset({16, 24, 32})
_ARMOUR = re.compile(rb"PRIVATE KEY(?: BLOCK)?-----|AGE-SECRET-KEY-1[0-9A-Z]{20}")
_NAMED = re.compile(
    r"(?:plaintext|pass|passphrase|password|key|secret)[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9+/=]{16,})",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9A-Fa-f]+")
_SUM = re.compile(
    r"sha-?\d|md5|sum|digest|etag|hash|nonce|iv$|tag$|version|(^|[-_])id$", re.IGNORECASE
)
"""Names of values that are as long as keys, and none."""


def _key_in(s3: S3Client, bucket: str, one: _Version) -> str:
    # A version from before versioning has the id "null", which S3 takes as it is.
    found = s3.get_object(Bucket=bucket, Key=one.key, VersionId=one.version)
    with found["Body"] as body:
        kind = key_kind(body.read(), is_sum=bool(_SUM.search(_file(one.key).rpartition(".")[2])))
    shown = "" if one.is_latest else ", an older version"
    return f"{one.key} ({kind}{shown})" if kind else ""


def key_kind(content: bytes, *, is_sum: bool = False) -> str:
    """What kind of key a small object is, or holds; empty: none.

    :param is_sum: by its name it is a checksum, which looks like a key.
    """
    if _ARMOUR.search(content):
        return "a private key"
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        return f"a key of {len(content)} bytes" if len(content) in _KEY_BYTES else ""
    if _is_key(text):
        return "" if is_sum else "a key in letters"
    return "a key by its name" if any(_is_key(m[1]) for m in _NAMED.finditer(text)) else ""


def _keys_told(key: str, metadata: Mapping[str, str]) -> list[str]:
    """Metadata of an object that is a key, and not one that is encrypted itself."""
    return [
        f"{key} (metadata {name})"
        for name, value in metadata.items()
        if _is_key(value) and not _SUM.search(name)
    ]


def _is_key(text: str) -> bool:
    """Whether it spells as many bytes as a key has."""
    if _HEX.fullmatch(text):
        return len(text) in {2 * n for n in _KEY_BYTES}
    try:
        return len(base64.b64decode(text, validate=True)) in _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
