"""Backups in S3: what the source bucket holds, and whether the other region holds the same."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from golive.environments import Bucket, Environment
from golive.probes.backup.backups import NEWEST_SEGMENTS, FullBackup, WalArchive
from golive.probes.backup.wal import SEGMENT
from golive.probes.transport.rights import is_refusal, permitted
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_LOCK_SLACK_DAYS = 1 / 24
"""Between an object's own time and that its lock is counted from."""
READ_BYTES = 256 << 20
"""Objects up to this size are read whole; of larger ones a block, and S3's own sum."""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CopiedObject:
    """An object of the source bucket beside its copy."""

    key: str
    size_bytes: int | Unseen
    sha256: str | Unseen
    copy_size_bytes: int | Unseen
    copy_sha256: str | Unseen
    """Of what was read from the second region."""
    status: str | Unseen
    """Replication status as S3 tells it; where a job copies, as that writes it beside the copy."""
    lag_s: float
    """From the source's time to the copy's."""
    key_region: str | Unseen
    """Region of the key that the copy is encrypted by; empty: by none."""
    made_at: datetime
    """Of the source."""
    locked_until: datetime | Unseen | None

    @property
    def locked_days(self) -> float | Unseen:
        """From the source's time to the end of the lock, even if that has passed; 0: none."""
        if isinstance(self.locked_until, Unseen):
            return self.locked_until
        if self.locked_until is None:
            return 0.0
        return max(0.0, (self.locked_until - self.made_at) / timedelta(days=1))

    @property
    def is_equal(self) -> bool | Unseen:
        """Whether the copy has the source's size and content."""
        for copied, own in (
            (self.copy_size_bytes, self.size_bytes),
            (self.copy_sha256, self.sha256),
        ):
            unseen = unseen_among((copied, own))
            if unseen is not None:
                return unseen
            if copied != own:
                return False
        return True

    @property
    def is_completed(self) -> bool | Unseen:
        """Whether its replication is over and done."""
        if isinstance(self.status, Unseen):
            return self.status
        return self.status in {"COMPLETED", "COMPLETE"}


@dataclass(frozen=True, slots=True)
class CrossRegionCopy:
    """The two buckets, and every object that recovery would need from the second region."""

    source_region: str | Unseen
    copy_region: str | Unseen
    replication_rules: tuple[str, ...] | Unseen
    """Enabled rules of the source bucket that lead to the copy."""
    versioning: str | Unseen
    lock_mode: str | Unseen
    """Retention mode of the copy bucket by default; empty: objects are not locked."""
    lock_days: int
    unusable_keys: tuple[str, ...] | Unseen
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
    not_listed: Unseen | None = None
    """Why the objects of a bucket could not be listed; then there is none here."""
    archive_unseen: Unseen | None = None
    """Why it is unknown whether there is more in the archive than in the source bucket."""

    @property
    def objects(self) -> tuple[CopiedObject, ...] | Unseen:
        """All that were compared."""
        return self.full + self.wal if self.not_listed is None else self.not_listed

    @property
    def full_count(self) -> int | Unseen:
        """How many full backups were copied."""
        return len(self.full) if self.not_listed is None else self.not_listed

    @property
    def wal_count(self) -> int | Unseen:
        """How many of the newest WAL segments were copied."""
        return len(self.wal) if self.not_listed is None else self.not_listed

    @property
    def lost_keys(self) -> tuple[str, ...] | Unseen:
        """Objects that are not in the copy, of those that had to be."""
        return self.lost if self.not_listed is None else self.not_listed

    @property
    def is_elsewhere(self) -> bool | Unseen:
        """Whether the copy is in another region than the source."""
        unseen = unseen_among((self.copy_region, self.source_region))
        return self.copy_region != self.source_region if unseen is None else unseen

    @property
    def other_region(self) -> str:
        """Where the copy has to be, in words."""
        region = self.source_region
        return f"another than {'the source' if isinstance(region, Unseen) else region}"

    @property
    def unlike(self) -> list[str] | Unseen:
        """Copies that have not the source's size and content."""
        return self._where_not(lambda o: o.is_equal, lambda o: o.key)

    @property
    def unfinished(self) -> list[str] | Unseen:
        """Copies whose replication is not over and done, with its status."""
        return self._where_not(lambda o: o.is_completed, lambda o: f"{o.key} ({o.status})")

    def lag_minutes(self, most: float) -> dict[str, float] | Unseen:
        """From the source's time to the copy's, or until now for what is still under way; unseen
        where nothing is known to be over ``most``, and not all that has to be copied is known."""
        lags = {o.key: o.lag_s for o in self.full + self.wal} | self.under_way_s
        minutes = {key: lag_s / 60 for key, lag_s in lags.items()}
        unseen = unseen_among((self.not_listed, self.archive_unseen))
        return minutes if unseen is None or any(m > most for m in minutes.values()) else unseen

    @property
    def rules(self) -> int | Unseen:
        """How many enabled rules lead to the copy."""
        rules = self.replication_rules
        return rules if isinstance(rules, Unseen) else len(rules)

    @property
    def retention_days(self) -> int | Unseen:
        """For how long objects are locked by default; 0: they are not."""
        if isinstance(self.lock_mode, Unseen):
            return self.lock_mode
        return self.lock_days if self.lock_mode else 0

    def unlocked(self, days: float) -> list[str] | Unseen:
        """Copies that are not locked for so long, with the days that they are."""
        return self._where_not(
            lambda o: o.locked_days >= days - _LOCK_SLACK_DAYS,
            lambda o: f"{o.key} ({o.locked_days:.3g} d)" if o.locked_until else o.key,
        )

    @property
    def of_foreign_key(self) -> list[str] | Unseen:
        """Copies that no key of their own region encrypts."""
        return self._where_not(lambda o: o.key_region == self.copy_region, lambda o: o.key)

    def _where_not(
        self,
        holds: Callable[[CopiedObject], bool | Unseen],
        named: Callable[[CopiedObject], str],
    ) -> list[str] | Unseen:
        """Objects that something does not hold of; unseen where that is known of none, and one
        could not be looked at."""
        if self.not_listed is not None:
            return self.not_listed
        looks = [(o, holds(o)) for o in self.full + self.wal]
        found = [named(o) for o, held in looks if not isinstance(held, Unseen) and not held]
        unseen = unseen_among(held for _, held in looks)
        return found if found or unseen is None else unseen


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    at: datetime


@probe(limit="drill")
def cross_region_copy(env: Environment, wal_archive: WalArchive) -> CrossRegionCopy:
    """Full backups and the newest WAL segments in both regions' buckets."""
    source = seen(_source, env)
    copy = seen(_copy, env)
    if isinstance(source, Unseen) and isinstance(copy, Unseen):
        raise source.error
    compared = seen(_objects_compared, env, wal_archive)
    if isinstance(compared, Unseen):
        compared = _Compared((), (), 0, (), {}, compared, not_listed=compared)
    newest = wal_archive.newest
    lock = copy if isinstance(copy, Unseen) else copy.lock
    return CrossRegionCopy(
        source_region=source.region,
        copy_region=copy.region,
        replication_rules=source.rules,
        versioning=copy.versioning,
        lock_mode=lock if isinstance(lock, Unseen) else lock[0],
        lock_days=0 if isinstance(lock, Unseen) else lock[1],
        unusable_keys=compared.unusable_keys,
        full=compared.full,
        wal=compared.wal,
        wal_known=compared.wal_known,
        lost=compared.lost,
        under_way_s=compared.under_way_s,
        not_listed=compared.not_listed,
        archive_unseen=newest if isinstance(newest, Unseen) else None,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    region: str | Unseen
    rules: tuple[str, ...] | Unseen


@dataclass(frozen=True, slots=True)
class _Copy:
    region: str | Unseen
    versioning: str | Unseen
    lock: tuple[str, int] | Unseen


@dataclass(frozen=True, slots=True)
class _Compared:
    full: tuple[CopiedObject, ...]
    wal: tuple[CopiedObject, ...]
    wal_known: int
    lost: tuple[str, ...]
    under_way_s: dict[str, float]
    unusable_keys: tuple[str, ...] | Unseen
    not_listed: Unseen | None = None


def _source(env: Environment) -> _Source:
    """:raises ProbeError: the bucket cannot be asked for anything."""
    bucket, copy = env.backups.source, env.backups.copy
    with asking(env, bucket) as (s3, _):
        where = called(bucket)
        location = permitted("s3:GetBucketLocation", where, _region, s3, bucket.name)
        right = "s3:GetReplicationConfiguration"
        return _Source(
            location, permitted(right, where, _replication_rules, s3, bucket.name, copy.name)
        )


def _copy(env: Environment) -> _Copy:
    """:raises ProbeError: the bucket cannot be asked for anything."""
    bucket = env.backups.copy
    with asking(env, bucket) as (s3, _):
        where = called(bucket)
        return _Copy(
            permitted("s3:GetBucketLocation", where, _region, s3, bucket.name),
            permitted("s3:GetBucketVersioning", where, _versioning, s3, bucket.name),
            permitted("s3:GetBucketObjectLockConfiguration", where, _lock, s3, bucket.name),
        )


def _objects_compared(env: Environment, wal_archive: WalArchive) -> _Compared:
    """:raises ProbeError: one of the buckets cannot be listed."""
    source, copy = env.backups.source, env.backups.copy
    backups = _needed(wal_archive.backups, env.backups.retention_days)
    with asking(env, source) as (ours, _), asking(env, copy) as (theirs, kms):
        here, there = _listed(ours, source), _listed(theirs, copy)
        now = datetime.now(UTC)
        wanted = {b.finished_at: env.backups.full_key.format(id=b.id) for b in backups}
        # What was not even uploaded has been waiting since it was finished, or archived.
        full, lost_full, waiting_full = _sorted_out(
            [here.get(key) or _Object(key, at) for at, key in wanted.items()], there, len(wanted)
        )
        segments = _segments(here, env.backups.wal_prefix)
        for one in () if isinstance(wal_archive.newest, Unseen) else wal_archive.newest:
            key = env.backups.wal_prefix + one.name
            segments.setdefault(one.name, _Object(key, one.archived_at))
        wal, lost_wal, waiting_wal = _sorted_out(list(segments.values()), there, NEWEST_SEGMENTS)
        keys: set[str] = set()
        compared = {
            one.key: _compared(ours, theirs, source, copy, one, there[one.key], keys)
            for one in (*full, *wal)
        }

        hidden = unseen_among(one.key_region for one in compared.values())

        def unusable() -> tuple[str, ...]:
            return tuple(k for k in sorted(keys) if not _is_usable(kms, k))

        return _Compared(
            full=tuple(compared[one.key] for one in full),
            wal=tuple(compared[one.key] for one in wal),
            wal_known=len(segments),
            lost=tuple(one.key for one in (*lost_full, *lost_wal)),
            under_way_s={
                one.key: (now - one.at).total_seconds() for one in (*waiting_full, *waiting_wal)
            },
            unusable_keys=permitted("kms:DescribeKey", called(copy), unusable)
            if hidden is None
            else hidden,
        )


def _listed(s3: S3Client, bucket: Bucket) -> dict[str, _Object]:
    """:raises ProbeError: this key may not."""
    found = permitted("s3:ListBucket", called(bucket), _objects, s3, bucket.name)
    if isinstance(found, Unseen):
        raise found.error
    return found


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
    head = _head(ours, source, one)
    copied = _head(theirs, copy, one)
    size: int | Unseen
    own: str | Unseen
    copy_size: int | Unseen
    copy_sum: str | Unseen
    status: str | Unseen
    region: str | Unseen
    until: datetime | Unseen | None
    if isinstance(head, Unseen):
        size = own = head
    else:
        size = head["ContentLength"]
        # The source's recorded sum will do: it was made when the backup was. The copy's is no
        # proof.
        own = _s3_sum(head) or head["Metadata"].get("sha256", "")
        own = own or seen(_content_sum, ours, source, one, head)
    if isinstance(copied, Unseen):
        copy_size = copy_sum = region = until = copied
        reported = ""
    else:
        copy_size = copied["ContentLength"]
        copy_sum = seen(_content_sum, theirs, copy, one, copied)
        key = copied.get("SSEKMSKeyId", "")
        if key:
            keys.add(key)
        # An ARN tells its region; a bare id can only be a key of the bucket's own.
        region = key.split(":")[3] if key.startswith("arn:") else key and copy.region
        # S3 leaves the lock away, as if there were none, from whom it may not tell of it.
        until = copied.get("ObjectLockRetainUntilDate") or permitted(
            "s3:GetObjectRetention", called(copy), _retained_until, theirs, copy.name, one.key
        )
        reported = copied["Metadata"].get("replication-status", "")
    hidden = unseen_among((head, copied))
    told = "" if isinstance(head, Unseen) else head.get("ReplicationStatus", "")
    status = told or reported or ("none" if hidden is None else hidden)
    return CopiedObject(
        key=one.key,
        size_bytes=size,
        sha256=own,
        copy_size_bytes=copy_size,
        copy_sha256=copy_sum,
        status=status,
        lag_s=max(0.0, (other.at - one.at).total_seconds()),
        key_region=region,
        made_at=one.at,
        locked_until=until,
    )


def _head(s3: S3Client, bucket: Bucket, one: _Object) -> Any:
    return permitted(
        "s3:GetObject",
        f"{one.key} in {bucket.name}",
        s3.head_object,
        Bucket=bucket.name,
        Key=one.key,
        ChecksumMode="ENABLED",
    )


def _content_sum(s3: S3Client, bucket: Bucket, one: _Object, head: Any) -> str:
    """:raises ProbeError: this key may not read the object, or it is too large."""
    where = f"{one.key} in {bucket.name}"
    found = permitted("s3:GetObject and kms:Decrypt", where, _read, s3, bucket, one, head)
    if isinstance(found, Unseen):
        raise found.error
    return found


def _retained_until(s3: S3Client, bucket: str, key: str) -> datetime | None:
    try:
        found = s3.get_object_retention(Bucket=bucket, Key=key)["Retention"]
    except s3.exceptions.ClientError as e:
        if is_refusal(e):
            raise
        return None  # of an object without a lock, and of a store that knows none
    return found.get("RetainUntilDate")


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
        raise ProbeError(called(bucket), e, step) from None
    except BotoCoreError as e:
        raise ProbeError(called(bucket), e, "check that AWS can be reached from here") from None


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


def called(bucket: Bucket) -> str:
    """A bucket as messages name it."""
    return f"the bucket {bucket.name} in {bucket.region}"


def _objects(s3: S3Client, bucket: str) -> dict[str, _Object]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {
        entry["Key"]: _Object(entry["Key"], entry["LastModified"])
        for page in pages
        for entry in page.get("Contents", [])
    }


def _versioning(s3: S3Client, bucket: str) -> str:
    return s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")


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
