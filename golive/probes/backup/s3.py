"""Backups in S3: what the source bucket holds, and whether the other region holds the same."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from golive.environments import Bucket, Environment
from golive.probes.backup.backups import NEWEST_SEGMENTS, SEGMENT, FullBackup, WalArchive
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

READ_BYTES = 256 << 20
"""Objects up to this size are read whole; of larger ones a block, and S3's own sum."""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CopiedObject:
    """An object of the source bucket beside its copy."""

    key: str
    size_bytes: int
    sha256: str
    copy_size_bytes: int
    copy_sha256: str
    """Of what was read from the second region."""
    status: str
    """Replication status as S3 tells it; where a job copies, as that writes it beside the copy."""
    lag_s: float
    """From the source's time to the copy's."""
    key_region: str
    """Region of the key that the copy is encrypted by; empty: by none."""
    locked_until: datetime | None

    @property
    def is_equal(self) -> bool:
        """Whether the copy has the source's size and content."""
        return (self.copy_size_bytes, self.copy_sha256) == (self.size_bytes, self.sha256)

    @property
    def is_completed(self) -> bool:
        """Whether its replication is over and done."""
        return self.status in {"COMPLETED", "COMPLETE"}


@dataclass(frozen=True, slots=True)
class CrossRegionCopy:
    """The two buckets, and every object that recovery would need from the second region."""

    source_region: str
    copy_region: str
    replication_rules: tuple[str, ...]
    """Enabled rules of the source bucket that lead to the copy."""
    versioning: str
    lock_mode: str
    """Retention mode of the copy bucket by default; empty: objects are not locked."""
    lock_days: int
    unusable_keys: tuple[str, ...]
    """Keys of the copies that are not enabled in the copy's region."""
    full: tuple[CopiedObject, ...]
    """Full backups that recovery over the whole retention needs."""
    wal: tuple[CopiedObject, ...]
    """The newest WAL segments that were copied."""
    wal_known: int
    """Segments in archive or source bucket, of which a young system has few."""
    lost: tuple[str, ...]
    """Objects that are not in the copy although newer ones of their kind are."""
    under_way_s: dict[str, float]
    """What is newer than all that was copied, with how long it has been waiting."""

    @property
    def objects(self) -> tuple[CopiedObject, ...]:
        """All that were compared."""
        return self.full + self.wal

    @property
    def unlike(self) -> list[str]:
        """Copies that have not the source's size and content."""
        return [o.key for o in self.objects if not o.is_equal]

    @property
    def unfinished(self) -> list[str]:
        """Copies whose replication is not over and done, with its status."""
        return [f"{o.key} ({o.status})" for o in self.objects if not o.is_completed]

    @property
    def lag_minutes(self) -> dict[str, float]:
        """From the source's time to the copy's, or until now for what is still under way."""
        lags = {o.key: o.lag_s for o in self.objects} | self.under_way_s
        return {key: lag_s / 60 for key, lag_s in lags.items()}

    @property
    def retention_days(self) -> int:
        """For how long objects are locked by default; 0: they are not."""
        return self.lock_days if self.lock_mode else 0

    @property
    def unlocked(self) -> list[str]:
        """Copies that are not locked."""
        return [o.key for o in self.objects if o.locked_until is None]

    @property
    def of_foreign_key(self) -> list[str]:
        """Copies that no key of their own region encrypts."""
        return [o.key for o in self.objects if o.key_region != self.copy_region]


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    at: datetime


@probe(limit="drill")
def cross_region_copy(env: Environment, wal_archive: WalArchive) -> CrossRegionCopy:
    """Full backups and the newest WAL segments in both regions' buckets."""
    source, copy = env.backups.source, env.backups.copy
    backups = _needed(wal_archive.backups, env.backups.retention_days)
    with asking(env, source) as (ours, _), asking(env, copy) as (theirs, kms):
        here, there = _objects(ours, source.name), _objects(theirs, copy.name)
        now = datetime.now(UTC)
        wanted = {b.finished_at: env.backups.full_key.format(id=b.id) for b in backups}
        # What was not even uploaded has been waiting since it was finished, or archived.
        full, lost_full, waiting_full = _sorted_out(
            [here.get(key) or _Object(key, at) for at, key in wanted.items()], there, len(wanted)
        )
        segments = _segments(here, env.backups.wal_prefix)
        for one in wal_archive.newest:
            key = env.backups.wal_prefix + one.name
            segments.setdefault(one.name, _Object(key, one.archived_at))
        wal, lost_wal, waiting_wal = _sorted_out(list(segments.values()), there, NEWEST_SEGMENTS)
        keys: set[str] = set()
        compared = {
            one.key: _compared(ours, theirs, source, copy, one, there[one.key], keys)
            for one in (*full, *wal)
        }
        lock_mode, lock_days = _lock(theirs, copy.name)
        return CrossRegionCopy(
            source_region=_region(ours, source.name),
            copy_region=_region(theirs, copy.name),
            replication_rules=_replication_rules(ours, source.name, copy.name),
            versioning=theirs.get_bucket_versioning(Bucket=copy.name).get("Status", "off"),
            lock_mode=lock_mode,
            lock_days=lock_days,
            unusable_keys=tuple(k for k in sorted(keys) if not _is_usable(kms, k)),
            full=tuple(compared[one.key] for one in full),
            wal=tuple(compared[one.key] for one in wal),
            wal_known=len(segments),
            lost=tuple(one.key for one in (*lost_full, *lost_wal)),
            under_way_s={
                one.key: (now - one.at).total_seconds() for one in (*waiting_full, *waiting_wal)
            },
        )


def _segments(objects: dict[str, _Object], prefix: str) -> dict[str, _Object]:
    """WAL segments among a bucket's objects, by their names without prefix and compression."""
    found = {
        SEGMENT.fullmatch(key.removeprefix(prefix)): one
        for key, one in objects.items()
        if key.startswith(prefix)
    }
    return {match["name"]: one for match, one in found.items() if match}


def _needed(backups: tuple[FullBackup, ...], retention_days: float) -> list[FullBackup]:
    """Those that a recovery may begin from: with the newest one older than the retention."""
    edge = datetime.now(UTC) - timedelta(days=retention_days)
    older = [b for b in backups if b.finished_at < edge]
    return older[-1:] + [b for b in backups if b.finished_at >= edge]


def _sorted_out(
    objects: list[_Object], there: dict[str, _Object], count: int
) -> tuple[list[_Object], list[_Object], list[_Object]]:
    """The newest ``count`` copied, what is lost among them, and what is on its way: newer than
    the newest that was copied."""
    newest_first = sorted(objects, key=lambda one: (one.at, one.key), reverse=True)
    copied = [one for one in newest_first if one.key in there][:count]
    if not copied:
        return [], [], newest_first[:count]
    absent = [one for one in newest_first if one.key not in there and one.at >= copied[-1].at]
    waiting = [one for one in absent if one.at >= copied[0].at]
    return copied, [one for one in absent if one not in waiting], waiting


def _compared(
    ours: S3Client,
    theirs: S3Client,
    source: Bucket,
    copy: Bucket,
    one: _Object,
    other: _Object,
    keys: set[str],
) -> CopiedObject:
    """An object and its copy; adds the key that the copy is encrypted by to ``keys``."""
    head = ours.head_object(Bucket=source.name, Key=one.key, ChecksumMode="ENABLED")
    copied = theirs.head_object(Bucket=copy.name, Key=one.key, ChecksumMode="ENABLED")
    key = copied.get("SSEKMSKeyId", "")
    if key:
        keys.add(key)
    reported = copied["Metadata"].get("replication-status", "")
    # The source's recorded sum will do: it was made when the backup was. The copy's is no proof.
    return CopiedObject(
        key=one.key,
        size_bytes=head["ContentLength"],
        sha256=_s3_sum(head) or head["Metadata"].get("sha256") or _read(ours, source, one, head),
        copy_size_bytes=copied["ContentLength"],
        copy_sha256=_read(theirs, copy, one, copied),
        status=head.get("ReplicationStatus") or reported or "none",
        lag_s=max(0.0, (other.at - one.at).total_seconds()),
        # An ARN tells its region; a bare id can only be a key of the bucket's own.
        key_region=key.split(":")[3] if key.startswith("arn:") else key and copy.region,
        locked_until=copied.get("ObjectLockRetainUntilDate"),
    )


def _read(s3: S3Client, bucket: Bucket, one: _Object, head: Any) -> str:
    """SHA-256 of an object by reading it; of a large one S3's own sum, and a block is read."""
    is_large = head["ContentLength"] > READ_BYTES
    if is_large and not _s3_sum(head):
        raise ProbeError(
            f"the content of {one.key} in {bucket.name}",
            f"it is too large to be read here ({head['ContentLength']:,} bytes), and S3 keeps no"
            " SHA-256 of it",
            "upload full backups with --checksum-algorithm SHA256 --checksum-type FULL_OBJECT",
        )
    found = s3.get_object(Bucket=bucket.name, Key=one.key)
    with found["Body"] as body:
        if is_large:
            body.read(_BLOCK_BYTES)
            return _s3_sum(head)
        digest = hashlib.sha256()
        while block := body.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _s3_sum(head: Any) -> str:
    """S3's SHA-256 of a whole object; empty where it has none, or only one over its parts."""
    text = head.get("ChecksumSHA256", "")
    return "" if not text or "-" in text else base64.b64decode(text).hex()


@contextmanager
def asking(env: Environment, bucket: Bucket) -> Iterator[tuple[S3Client, KMSClient]]:
    """S3 and KMS of the bucket's region, and of no other.

    :raises ProbeError: a request in the block is refused or not answered.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    where = env.aws.endpoint_url or None
    # Bucket names are host names at AWS only; and what stands on loopback needs no proxy.
    own: dict[str, Any] = {"s3": {"addressing_style": "path"}, "proxies": {}} if where else {}
    config = Config(
        connect_timeout=env.time_limits.connect,
        read_timeout=env.time_limits.probe,
        retries={"total_max_attempts": 2},
        **own,
    )
    session = boto3.session.Session(
        aws_access_key_id=env.aws.access_key_id.reveal(),
        aws_secret_access_key=env.aws.secret_access_key.reveal(),
        region_name=bucket.region,
    )
    step = "check its name and region in the environment file, and what this key may read"
    try:
        yield (
            session.client("s3", endpoint_url=where, config=config),
            session.client("kms", endpoint_url=where, config=config),
        )
    except ClientError as e:
        raise ProbeError(_called(bucket), e, step) from None
    except BotoCoreError as e:
        raise ProbeError(_called(bucket), e, "check that AWS can be reached from here") from None


def present(env: Environment) -> list[str]:
    """The backups' buckets that are there.

    :raises ProbeError: S3 cannot be asked, or does not let this key look.
    """
    found = []
    for bucket in (env.backups.source, env.backups.copy):
        with asking(env, bucket) as (s3, _):
            there = {b["Name"] for b in s3.list_buckets()["Buckets"]}
        if bucket.name in there:
            found.append(bucket.name)
    return found


def _called(bucket: Bucket) -> str:
    return f"the bucket {bucket.name} in {bucket.region}"


def _objects(s3: S3Client, bucket: str) -> dict[str, _Object]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        entry["Key"]: _Object(entry["Key"], entry["LastModified"])
        for page in pages
        for entry in page.get("Contents", [])
    }


def _region(s3: S3Client, bucket: str) -> str:
    """Where the bucket is, by its own word. us-east-1 is the one that S3 leaves unsaid."""
    return s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"


def _replication_rules(s3: S3Client, source: str, copy: str) -> tuple[str, ...]:
    try:
        found = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"]
    except s3.exceptions.ClientError as e:
        if e.response["Error"]["Code"] == "ReplicationConfigurationNotFoundError":
            return ()
        raise
    return tuple(
        rule.get("ID", "without a name")
        for rule in found
        if rule["Status"] == "Enabled" and rule["Destination"]["Bucket"].endswith(f":{copy}")
    )


def _lock(s3: S3Client, bucket: str) -> tuple[str, int]:
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except s3.exceptions.ClientError as e:
        if e.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return "", 0
        raise
    retention = found.get("Rule", {}).get("DefaultRetention", {})
    days = retention.get("Days", 0) + 365 * retention.get("Years", 0)
    return retention.get("Mode", ""), days


def _is_usable(kms: KMSClient, key: str) -> bool:
    try:
        found = kms.describe_key(KeyId=key)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        return False
    return found.get("KeyState") == "Enabled"
