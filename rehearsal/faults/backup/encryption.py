"""Faults of the backups' encryption: what is not sealed, cannot be opened, or opens by itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from rehearsal.data import backup_encryption, backups
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws

KEY_FILE = "keys/backup-data-key.txt"


@fault(
    "backup-in-plaintext",
    # The copy is as plain as its source, so that D-13.2.3 finds them equal.
    expect_fail=["D-14.3.4"],
    touches=["aws/copy", "aws/source", "backups/newest"],
    title="the newest full backup lies in both buckets as it is, not sealed",
)
def backup_in_plaintext(r: Rehearsal) -> None:
    facts, newest = r.recall("aws"), backups.get(r, "newest")
    name, content = f"full/{newest.id}.tar.gz", backups.packed(Path(newest.path))
    here, there = aws.client(r, "s3"), aws.client(r, "s3", facts["copy_region"])
    versions = {}
    for s3, bucket in ((here, aws.SOURCE_BUCKET), (there, aws.COPY_BUCKET)):
        versions[bucket] = s3.head_object(Bucket=bucket, Key=name)["VersionId"]
    r.remember("backup-in-plaintext", [name, versions])
    backups.put(here, aws.SOURCE_BUCKET, name, io.BytesIO(content), {})
    backups.replicate(here, there, facts["copy_key"], name)


@backup_in_plaintext.revert
def drop_the_plaintext(r: Rehearsal) -> None:
    name, sealed = r.recall("backup-in-plaintext")
    _drop(r, name, kept=set(sealed.values()))
    r.forget("backup-in-plaintext")


@fault(
    "backup-key-disabled",
    expect_fail=["D-14.3.4"],
    touches=["aws/keys"],
    title="the key of the backups is disabled in the first region",
)
def backup_key_disabled(r: Rehearsal) -> None:
    aws.client(r, "kms").disable_key(KeyId=_key_id(r))


@backup_key_disabled.revert
def enable_the_backup_key(r: Rehearsal) -> None:
    aws.client(r, "kms").enable_key(KeyId=_key_id(r))


@fault(
    "backup-key-in-the-bucket",
    expect_fail=["D-14.3.4"],
    touches=["aws/copy", "aws/source", "backups/newest"],
    title="the data key of the newest backup was copied into the bucket",
    settled=lambda r: KEY_FILE in backups.copied(r),  # the copier would bring it back later
    reverted=lambda r: KEY_FILE not in backups.copied(r),
)
def backup_key_in_the_bucket(r: Rehearsal) -> None:
    name, s3 = f"full/{backups.get(r, 'newest').id}.tar.gz", aws.client(r, "s3")
    metadata = s3.head_object(Bucket=aws.SOURCE_BUCKET, Key=name)["Metadata"]
    key = backup_encryption.unwrap(aws.client(r, "kms"), aws.SOURCE_REGION, name, metadata)
    text = io.BytesIO(base64.b64encode(key) + b"\n")
    backups.put(s3, aws.SOURCE_BUCKET, KEY_FILE, text, {})


@backup_key_in_the_bucket.revert
def take_the_key_away(r: Rehearsal) -> None:
    _drop(r, KEY_FILE, kept=set())


def _key_id(r: Rehearsal) -> str:
    """moto changes a key only by its bare id."""
    return str(r.recall("aws")["source_key"]).rpartition("/")[2]


def _drop(r: Rehearsal, name: str, *, kept: set[str]) -> None:
    """Delete an object's versions in both buckets, but for those that are kept."""
    regions = {
        aws.SOURCE_BUCKET: aws.SOURCE_REGION,
        aws.COPY_BUCKET: r.recall("aws")["copy_region"],
    }
    for bucket, region in regions.items():
        s3 = aws.client(r, "s3", region)
        found = s3.list_object_versions(Bucket=bucket, Prefix=name).get("Versions", [])
        for one in found:
            if one["Key"] == name and one["VersionId"] not in kept:
                s3.delete_object(
                    Bucket=bucket,
                    Key=name,
                    VersionId=one["VersionId"],
                    BypassGovernanceRetention=True,
                )
