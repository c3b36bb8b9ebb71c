"""Faults of the buckets that backups lie in."""

from __future__ import annotations

import base64
import dataclasses
import io
import tarfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.data import backups
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws

COPIER = "backup-copier"


def _copy_store(r: Rehearsal) -> Any:
    return aws.client(r, "s3", r.recall("aws")["copy_region"])


def _full(r: Rehearsal, number: int) -> str:
    return f"full/{backups.known(r)[number].id}.tar.gz"


@fault(
    "copied-backup-deleted",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy", "backups/known"],
    title="an older full backup was deleted in the second region",
)
def copied_backup_deleted(r: Rehearsal) -> None:
    r.stop(COPIER)  # it would be brought there again
    made = _copy_store(r).delete_object(Bucket=aws.COPY_BUCKET, Key=_full(r, -2))
    r.remember("copied-backup-deleted", [_full(r, -2), made["VersionId"]])


@copied_backup_deleted.revert
def undelete_the_backup(r: Rehearsal) -> None:
    name, marker = r.recall("copied-backup-deleted")
    _copy_store(r).delete_object(Bucket=aws.COPY_BUCKET, Key=name, VersionId=marker)
    r.start(COPIER)
    r.forget("copied-backup-deleted")


@fault(
    "copied-wal-deleted",
    # Its encryption cannot be looked at either.
    expect_fail=["D-13.2.3", "D-14.3.4"],
    touches=["aws/copy", "aws/source", "archive"],
    title="the second region holds no WAL",
)
def copied_wal_deleted(r: Rehearsal) -> None:
    r.stop(COPIER)
    s3, markers = _copy_store(r), {}
    for name in [n for n in backups.keys(s3, aws.COPY_BUCKET) if n.startswith("wal/")]:
        markers[name] = s3.delete_object(Bucket=aws.COPY_BUCKET, Key=name)["VersionId"]
    r.remember("copied-wal-deleted", markers)


@copied_wal_deleted.revert
def undelete_the_wal(r: Rehearsal) -> None:
    s3 = _copy_store(r)
    for name, marker in r.recall("copied-wal-deleted").items():
        s3.delete_object(Bucket=aws.COPY_BUCKET, Key=name, VersionId=marker)
    r.start(COPIER)
    r.forget("copied-wal-deleted")


@fault(
    "copy-not-versioned",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy"],
    title="the copy's bucket keeps no versions any more",
)
def copy_not_versioned(r: Rehearsal) -> None:
    _set_versioning(r, "Suspended")


@copy_not_versioned.revert
def version_the_copy(r: Rehearsal) -> None:
    _set_versioning(r, "Enabled")


def _set_versioning(r: Rehearsal, status: str) -> None:
    _copy_store(r).put_bucket_versioning(
        Bucket=aws.COPY_BUCKET, VersioningConfiguration={"Status": status}
    )


@fault(
    "copy-key-disabled",
    # What nobody can decrypt there, nobody can restore there.
    expect_fail=["D-13.2.3", "D-14.3.4"],
    touches=["aws/keys", "aws/copy"],
    title="the key of the copy is disabled in the second region",
)
def copy_key_disabled(r: Rehearsal) -> None:
    kms, key = _copy_key(r)
    kms.disable_key(KeyId=key)


@copy_key_disabled.revert
def enable_the_copy_key(r: Rehearsal) -> None:
    kms, key = _copy_key(r)
    kms.enable_key(KeyId=key)


def _copy_key(r: Rehearsal) -> tuple[Any, str]:
    facts = r.recall("aws")
    return aws.client(r, "kms", facts["copy_region"]), str(facts["copy_key"]).rpartition("/")[2]


@fault(
    "bucket-without-key",
    expect_fail=["D-14.3.4"],
    touches=["aws/source"],
    title="the bucket of the backups encrypts with a key of S3's own",
)
def bucket_without_key(r: Rehearsal) -> None:
    _encrypt(r, {"SSEAlgorithm": "AES256"})


@bucket_without_key.revert
def bucket_under_its_key(r: Rehearsal) -> None:
    _encrypt(r, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": r.recall("aws")["source_key"]})


def _encrypt(r: Rehearsal, how: dict[str, str]) -> None:
    aws.client(r, "s3").put_bucket_encryption(
        Bucket=aws.SOURCE_BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": how}]},
    )


def _put_copy(r: Rehearsal, key: str, **metadata: str) -> None:
    """Put an older full backup in the second region once more, under that key."""
    s3, name = _copy_store(r), _full(r, -2)
    found = s3.get_object(Bucket=aws.COPY_BUCKET, Key=name)
    made = s3.put_object(
        Bucket=aws.COPY_BUCKET,
        Key=name,
        Body=found["Body"].read(),
        Metadata={**found["Metadata"], **metadata},
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )
    r.remember("copy put", [name, made["VersionId"]])


@fault(
    "replication-given-up",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy", "backups/known"],
    title="replication of a backup was given up half-way",
)
def replication_given_up(r: Rehearsal) -> None:
    _put_copy(r, r.recall("aws")["copy_key"], **{"replication-status": "FAILED"})


@fault(
    "copy-under-a-foreign-key",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy", "backups/known"],
    title="a copy is encrypted by the first region's key",
)
def copy_under_a_foreign_key(r: Rehearsal) -> None:
    _put_copy(r, r.recall("aws")["source_key"])


@replication_given_up.revert
@copy_under_a_foreign_key.revert
def drop_the_copy_that_was_put(r: Rehearsal) -> None:
    name, version = r.recall("copy put")
    _copy_store(r).delete_object(
        Bucket=aws.COPY_BUCKET, Key=name, VersionId=version, BypassGovernanceRetention=True
    )
    r.forget("copy put")


LATE = timedelta(hours=1)


@fault(
    "newest-backup-not-uploaded",
    expect_fail=["D-14.3.4"],
    touches=["aws/copy", "aws/source", "backups"],
    title="the newest full backup was made an hour ago and is in no bucket",
)
def newest_backup_not_uploaded(r: Rehearsal) -> None:
    r.stop(COPIER)
    known, name = backups.known(r), _full(r, -1)
    r.remember("newest-backup-not-uploaded", [dataclasses.asdict(one) for one in known])
    for one in known:
        finished = datetime.fromisoformat(one.finished_at) - LATE
        backups.record(r, dataclasses.replace(one, finished_at=finished.isoformat()))
    aws.client(r, "s3").delete_object(Bucket=aws.SOURCE_BUCKET, Key=name)


@newest_backup_not_uploaded.revert
def upload_the_newest_backup(r: Rehearsal) -> None:
    for one in r.recall("newest-backup-not-uploaded"):
        backups.record(r, backups.Backup(**one))
    s3, name = aws.client(r, "s3"), _full(r, -1)
    found = s3.list_object_versions(Bucket=aws.SOURCE_BUCKET, Prefix=name)
    for marker in found.get("DeleteMarkers", []):
        s3.delete_object(Bucket=aws.SOURCE_BUCKET, Key=name, VersionId=marker["VersionId"])
    r.start(COPIER)
    r.forget("newest-backup-not-uploaded")


@fault(
    "backup-under-another-key",
    expect_fail=["D-14.3.4"],
    touches=["aws/source", "backups/newest"],
    title="the newest full backup lies under a key of S3's own",
)
def backup_under_another_key(r: Rehearsal) -> None:
    _put_newest(r, lambda content: content, ServerSideEncryption="AES256")


@fault(
    "backup-sealed-as-text",
    expect_fail=["D-14.3.4"],
    touches=["aws/source", "backups/newest"],
    title="the newest full backup was spoilt on its way: it is written in base64",
)
def backup_sealed_as_text(r: Rehearsal) -> None:
    _put_newest(r, base64.b64encode)


@fault(
    "table-uploaded-as-it-is",
    expect_fail=["D-14.3.4"],
    touches=["aws/source", "backups/newest"],
    title="in place of the newest full backup lies a table of it, neither packed nor sealed",
)
def table_uploaded_as_it_is(r: Rehearsal) -> None:
    [(name,)] = r.primary.sql("select pg_relation_filepath('users')")
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        tar.add(Path(backups.get(r, "newest").path) / name, arcname=name)
    _put_newest(r, lambda _: into.getvalue())


def _put_newest(r: Rehearsal, change: Any, **how: str) -> None:
    s3, name = aws.client(r, "s3"), _full(r, -1)
    found = s3.get_object(Bucket=aws.SOURCE_BUCKET, Key=name)
    metadata = {k: v for k, v in found["Metadata"].items() if k != "sha256"}
    backups.put(
        s3, aws.SOURCE_BUCKET, name, io.BytesIO(change(found["Body"].read())), metadata, **how
    )
    r.remember(
        "newest put", [name, s3.head_object(Bucket=aws.SOURCE_BUCKET, Key=name)["VersionId"]]
    )


@backup_under_another_key.revert
@backup_sealed_as_text.revert
@table_uploaded_as_it_is.revert
def drop_what_was_put(r: Rehearsal) -> None:
    name, version = r.recall("newest put")
    aws.client(r, "s3").delete_object(
        Bucket=aws.SOURCE_BUCKET, Key=name, VersionId=version, BypassGovernanceRetention=True
    )
    r.forget("newest put")


@fault(
    "backups-open-for-anyone",
    expect_fail=["D-14.3.4"],
    touches=["drills/opens_for_anyone"],
    title="the command that opens backups does so for whoever runs it",
)
def backups_open_for_anyone(r: Rehearsal) -> None:
    r.override("drills", opens_for_anyone=True)


@backups_open_for_anyone.revert
def backups_open_with_access(r: Rehearsal) -> None:
    r.clear_override("drills", "opens_for_anyone")
