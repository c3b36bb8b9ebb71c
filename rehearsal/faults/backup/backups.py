"""Faults of the backups: the full ones, the WAL archive, the copy far away, who is notified."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml

from rehearsal.data import backups
from rehearsal.faults import fault
from rehearsal.kernel import binaries
from rehearsal.kernel.world import DATABASE, Rehearsal
from rehearsal.parts import Child
from rehearsal.parts.data.postgres import REPLICATION_ROLE, archive_folder
from rehearsal.parts.platform import aws

COPIER = "backup-copier"
EMPTY = "empty-cluster"
AGE_RULE = "BackupTooOld"

# -- full backups ----------------------------------------------------------------------------------


@fault(
    "backup-cut-short",
    expect_fail=["D-13.2.1"],
    touches=["backups/newest"],
    title="a file of the newest backup is cut short",
)
def backup_cut_short(r: Rehearsal) -> None:
    newest = Path(backups.get(r, "newest").path)
    # Of template1, which nobody opens: the backup restores, and only its manifest tells.
    victim = max((newest / "base" / "1").iterdir(), key=lambda path: path.stat().st_size)
    shutil.copy2(victim, r.path("state", "cut-short"))
    r.remember("backup-cut-short", str(victim))
    # A new file: other rehearsals may share the old one.
    half = victim.read_bytes()[: victim.stat().st_size // 2]
    victim.unlink()
    victim.write_bytes(half)


@backup_cut_short.revert
def make_the_file_whole(r: Rehearsal) -> None:
    shutil.copy2(r.path("state", "cut-short"), r.recall("backup-cut-short"))
    r.forget("backup-cut-short")


@fault(
    "backup-manifest-removed",
    expect_fail=["D-13.2.1"],
    touches=["backups/newest"],
    title="the newest backup has no manifest",
)
def backup_manifest_removed(r: Rehearsal) -> None:
    manifest = Path(backups.get(r, "newest").path) / "backup_manifest"
    r.remember("backup-manifest", str(manifest))
    manifest.rename(r.path("state", "backup_manifest"))


@backup_manifest_removed.revert
def put_the_manifest_back(r: Rehearsal) -> None:
    r.path("state", "backup_manifest").rename(r.recall("backup-manifest"))
    r.forget("backup-manifest")


@fault(
    "backup-of-empty-database",
    # Nothing that begins with the newest backup works, and its size sets off an alert for good.
    expect_fail=["D-13.2.1"],
    touches=["backups"],
    title="the backup job copied another, empty cluster",
)
def backup_of_empty_database(r: Rehearsal) -> None:
    data, server = r.data(EMPTY), binaries.find("postgres")
    data.mkdir(parents=True)
    binaries.give_away(data)
    r.tool("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")
    live = r.data("postgres-primary")
    settings = {
        "port": str(r.port(EMPTY)),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": str(live / "server.pem"),
        "ssl_key_file": str(live / "server.key"),
    }
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    argv = [str(server.path), "-D", str(data), *words]
    r.run(
        Child(
            name=EMPTY,
            argv=argv,
            log=r.log(EMPTY),
            environment=dict(server.environment),
            stop_signal=signal.SIGQUIT,
            death_signal=signal.SIGQUIT,
            unprivileged=True,
        )
    )
    try:
        r.wait("the empty cluster answers", lambda: _furnish(r), within_s=20)
        r.remember(EMPTY, backups.take(r, part=EMPTY).id)
    finally:
        r.stop(EMPTY)
        shutil.rmtree(data)


def _furnish(r: Rehearsal) -> bool:
    where = f"host=127.0.0.1 port={r.port(EMPTY)} user=postgres dbname=postgres"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"create role {REPLICATION_ROLE} login replication".encode())
        connection.execute(f"create database {DATABASE}".encode())
    return True


@backup_of_empty_database.revert
def forget_the_empty_backup(r: Rehearsal) -> None:
    folder = r.path("backups", r.recall(EMPTY))
    folder.with_suffix(".json").unlink()
    shutil.rmtree(folder)
    r.forget(EMPTY)


# -- WAL archive -----------------------------------------------------------------------------------


@fault(
    "wal-segment-missing",
    expect_fail=["D-13.2.2"],
    touches=["archive", "backups/known"],
    title="the WAL archive has a gap",
)
def wal_segment_missing(r: Rehearsal) -> None:
    _take_segment_away(r)


@wal_segment_missing.revert
def close_the_gap(r: Rehearsal) -> None:
    _put_segment_back(r)


@fault(
    "wal-segment-of-another-system",
    expect_fail=["D-13.2.2"],
    touches=["archive", "backups/known"],
    title="a segment of the WAL archive, whole by its size, is another database system's",
)
def wal_segment_of_another_system(r: Rehearsal) -> None:
    kept = _take_segment_away(r)
    content = bytearray(kept.read_bytes())
    content[24:32] = (7711).to_bytes(8, "little")  # the system's identifier in the first page
    (archive_folder(r) / kept.name).write_bytes(content)


@wal_segment_of_another_system.revert
def put_our_segment_back(r: Rehearsal) -> None:
    _put_segment_back(r)


@fault(
    "wal-gap-of-another-timeline",
    expect_fail=["D-13.2.2"],
    touches=["archive", "backups/known", "aws"],
    title="in place of a WAL segment lies one of that number of another timeline",
)
def wal_gap_of_another_timeline(r: Rehearsal) -> None:
    kept = _take_segment_away(r)
    shutil.copy(kept, archive_folder(r) / _of_another_timeline(kept.name))


@wal_gap_of_another_timeline.revert
def remove_the_other_timeline(r: Rehearsal) -> None:
    other = _of_another_timeline(_put_segment_back(r))
    (archive_folder(r) / other).unlink()
    for bucket, region in (
        (aws.SOURCE_BUCKET, aws.SOURCE_REGION),
        (aws.COPY_BUCKET, r.recall("aws")["copy_region"]),
    ):
        aws.client(r, "s3", region).delete_object(Bucket=bucket, Key=f"wal/{other}")


def _of_another_timeline(name: str) -> str:
    return f"00000009{name[8:]}"


def _take_segment_away(r: Rehearsal) -> Path:
    """Take a segment out of the archive that lies between the two full backups: a recovery from
    the newer one does not need it. Where it is kept."""
    older, newer = backups.known(r)[-2:]
    size = int(r.primary.sql("select pg_size_bytes(current_setting('wal_segment_size'))")[0][0])
    position = "select pg_walfile_name(%s::pg_lsn - %s::numeric)"
    [(name,)] = r.primary.sql(position, [newer.start_lsn, size])
    assert older.start_lsn < newer.start_lsn, "the backups have no segment between them"
    kept = r.path("state", name)
    (archive_folder(r) / name).rename(kept)
    r.remember("wal-segment", name)
    return kept


def _put_segment_back(r: Rehearsal) -> str:
    """Its name."""
    name: str = r.recall("wal-segment")
    r.path("state", name).rename(archive_folder(r) / name)
    r.forget("wal-segment")
    return name


@fault(
    "recovery-target-ignored",
    expect_fail=["D-13.2.1"],
    touches=["drills/ignore_target"],
    title="a restore goes on to the end of the archive, whatever is asked for",
)
def recovery_target_ignored(r: Rehearsal) -> None:
    r.override("drills", ignore_target=True)


@recovery_target_ignored.revert
def heed_the_recovery_target(r: Rehearsal) -> None:
    r.clear_override("drills", "ignore_target")


# -- the copy in another region --------------------------------------------------------------------


@fault(
    "replication-stopped",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy"],
    title="backups reach no second region",
)
def replication_stopped(r: Rehearsal) -> None:
    r.stop(COPIER)
    aws.client(r, "s3").delete_bucket_replication(Bucket=aws.SOURCE_BUCKET)


@replication_stopped.revert
def replicate_again(r: Rehearsal) -> None:
    aws.replicate(r, r.recall("aws")["copy_key"])
    r.start(COPIER)


@fault(
    "copy-in-the-same-region",
    # No region has another's keys, so the copy is not under its declared key either.
    expect_fail=["D-13.2.3"],
    touches=["aws/copy"],
    title="the copy lies in the region of its source",
    within_s=90,
)
def copy_in_the_same_region(r: Rehearsal) -> None:
    _move_copy(r, aws.SOURCE_REGION)


@copy_in_the_same_region.revert
def copy_in_another_region(r: Rehearsal) -> None:
    # Brought to the source anew, too: copied this late, old backups would never be in time again.
    _move_copy(r, aws.COPY_REGION, anew=True)


def _move_copy(
    r: Rehearsal, region: str, *, anew: bool = False, lock_days: int = aws.RETENTION_DAYS
) -> None:
    """Make the copy's bucket again in a region, and let the job fill it."""
    facts = r.recall("aws")
    r.stop(COPIER)
    s3, bucket = aws.client(r, "s3", facts["copy_region"]), aws.COPY_BUCKET
    if anew:
        _empty(aws.client(r, "s3"), aws.SOURCE_BUCKET)
    _empty(s3, bucket)
    s3.delete_bucket(Bucket=bucket)
    key = aws.make_bucket(r, bucket, region, lock_days)
    r.remember("aws", {**facts, "copy_region": region, "copy_key": key})
    r.start(COPIER)


def _empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in page.get("Versions", []):
            s3.delete_object(
                Bucket=bucket,
                Key=version["Key"],
                VersionId=version["VersionId"],
                BypassGovernanceRetention=True,
            )


@fault(
    "copy-corrupted",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy", "backups/known"],
    title="one byte of a copied backup is another",
)
def copy_corrupted(r: Rehearsal) -> None:
    facts = r.recall("aws")
    # Not the newest: that one is opened too, where a changed byte is found as well.
    s3, name = aws.client(r, "s3", facts["copy_region"]), _object(backups.known(r)[-2])
    found = s3.get_object(Bucket=aws.COPY_BUCKET, Key=name)
    content = bytearray(found["Body"].read())
    content[len(content) // 2] ^= 0xFF
    made = s3.put_object(
        Bucket=aws.COPY_BUCKET,
        Key=name,
        Body=bytes(content),
        Metadata=found["Metadata"],
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=facts["copy_key"],
    )
    r.remember("copy-corrupted", [name, made["VersionId"]])


@copy_corrupted.revert
def drop_the_corrupted_version(r: Rehearsal) -> None:
    name, version = r.recall("copy-corrupted")
    aws.client(r, "s3", r.recall("aws")["copy_region"]).delete_object(
        Bucket=aws.COPY_BUCKET, Key=name, VersionId=version, BypassGovernanceRetention=True
    )
    r.forget("copy-corrupted")


def _object(backup: backups.Backup) -> str:
    return f"full/{backup.id}.tar.gz"


@fault(
    "copy-locked-for-a-day",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy"],
    title="the copy locks what comes in for a day instead of the retention",
    within_s=90,
)
def copy_locked_for_a_day(r: Rehearsal) -> None:
    # Made anew: the store's stand-in lets nobody change the lock of a bucket that is in use.
    _move_copy(r, aws.COPY_REGION, anew=True, lock_days=1)


@copy_locked_for_a_day.revert
def lock_the_copy_for_the_retention(r: Rehearsal) -> None:
    _move_copy(r, aws.COPY_REGION, anew=True)


@fault(
    "copy-lock-expired",
    expect_fail=["D-13.2.3"],
    touches=["aws/copy", "backups/known"],
    title="the lock of a copied backup ended yesterday",
)
def copy_lock_expired(r: Rehearsal) -> None:
    s3, name = aws.client(r, "s3", r.recall("aws")["copy_region"]), _object(backups.known(r)[-2])
    until = s3.head_object(Bucket=aws.COPY_BUCKET, Key=name)["ObjectLockRetainUntilDate"]
    r.remember("copy-lock", [name, until.isoformat()])
    _lock(r, name, datetime.now(UTC) - timedelta(days=1))


@copy_lock_expired.revert
def lock_the_copied_backup_again(r: Rehearsal) -> None:
    name, until = r.recall("copy-lock")
    _lock(r, name, datetime.fromisoformat(until))
    r.forget("copy-lock")


def _lock(r: Rehearsal, name: str, until: datetime) -> None:
    aws.client(r, "s3", r.recall("aws")["copy_region"]).put_object_retention(
        Bucket=aws.COPY_BUCKET,
        Key=name,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
        BypassGovernanceRetention=True,
    )


# -- who is notified ---------------------------------------------------------------------------


@fault(
    "backup-age-rule-missing",
    expect_fail=["D-13.2.4"],
    touches=["prometheus/rules"],
    title="no rule watches the age of the backups",
    settled=lambda r: AGE_RULE not in _rules(r),
    reverted=lambda r: AGE_RULE in _rules(r),
)
def backup_age_rule_missing(r: Rehearsal) -> None:
    r.override("prometheus", without_rules=[AGE_RULE])
    r.reload("prometheus")


@backup_age_rule_missing.revert
def load_the_backup_age_rule(r: Rehearsal) -> None:
    r.clear_override("prometheus", "without_rules")
    r.reload("prometheus")


@fault(
    "backup-alerts-misrouted",
    expect_fail=["D-13.2.4"],
    touches=["alertmanager/routes"],
    title="alerts of the backups go to a mailbox that nobody reads",
    settled=lambda r: receiver_of(r, "backup") != "on-call",
    reverted=lambda r: receiver_of(r, "backup") == "on-call",
)
def backup_alerts_astray(r: Rehearsal) -> None:
    r.override("alertmanager", routes={"backup": "mailbox"})
    r.reload("alertmanager")


@backup_alerts_astray.revert
def route_backup_alerts(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "routes")
    r.reload("alertmanager")


@fault(
    "backups-unmeasured",
    expect_fail=["D-13.2.4"],
    touches=["exporter"],
    title="the exporter cannot measure the backups",
    settled=lambda r: not _measured(r),
    reverted=lambda r: _measured(r),
    within_s=90,
)
def backups_unmeasured(r: Rehearsal) -> None:
    r.override("exporter", blind=["backups"])


@backups_unmeasured.revert
def measure_the_backups(r: Rehearsal) -> None:
    r.clear_override("exporter", "blind")


# -- small tools -----------------------------------------------------------------------------------


def _rules(r: Rehearsal) -> set[str]:
    groups = _get(r, "prometheus", "/api/v1/rules")["data"]["groups"]
    return {rule["name"] for group in groups for rule in group["rules"]}


def _measured(r: Rehearsal) -> bool:
    path = "/api/v1/query?query=backup_last_full_size_bytes"
    return bool(_get(r, "prometheus", path)["data"]["result"])


def receiver_of(r: Rehearsal, area: str) -> str:
    """Where the loaded routes send alerts of an area."""
    config = yaml.safe_load(_get(r, "alertmanager", "/api/v2/status")["config"]["original"])
    routes = config["route"]["routes"]
    return str(next(one["receiver"] for one in routes if area in str(one["matchers"])))


def _get(r: Rehearsal, part: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{r.port(part)}{path}", timeout=5) as answer:
        return json.load(answer)
