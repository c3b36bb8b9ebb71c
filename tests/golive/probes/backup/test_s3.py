"""The copy of backups in another region: the item on literal facts, the probe on moto."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.backup import s3
from golive.probes.backup.backups import ArchivedSegment, FullBackup, WalArchive
from golive.probes.backup.s3 import CopiedObject, CrossRegionCopy, cross_region_copy
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
OBJECT = CopiedObject(
    key="full/b1.tar",
    size_bytes=5,
    sha256="aa",
    copy_size_bytes=5,
    copy_sha256="aa",
    status="COMPLETED",
    lag_s=30.0,
    key_region="us-west-2",
    made_at=NOW - HOUR,
    locked_until=NOW + timedelta(days=30),
)
GREEN = CrossRegionCopy(
    source_region="us-east-1",
    copy_region="us-west-2",
    replication_rules=("to the west",),
    versioning="Enabled",
    lock_mode="COMPLIANCE",
    lock_days=30,
    unusable_keys=(),
    full=(OBJECT, replace(OBJECT, key="full/b2.tar")),
    wal=tuple(replace(OBJECT, key=f"wal/{n}") for n in range(10)),
    wal_known=40,
    lost=(),
    under_way_s={},
)
SOURCE = {"name": "backups", "region": "us-east-1"}
COPY = {"name": "backups-copy", "region": "us-west-2"}


@pytest.fixture
def env(env_with: EnvWith) -> Environment:
    return env_with(backups={"source": SOURCE, "copy": COPY, "retention_days": 30.0})


def with_one(**changes: Any) -> dict[str, Any]:
    return {"full": (replace(OBJECT, **changes), GREEN.full[1])}


def test_a_good_copy_is_green(judged: Judge, env: Environment) -> None:
    assert judged("D-13.2.3", cross_region_copy=GREEN, env=env) is None


def test_a_young_system_has_fewer_segments(judged: Judge, env: Environment) -> None:
    facts = replace(GREEN, wal=GREEN.wal[:3], wal_known=3)
    assert judged("D-13.2.3", cross_region_copy=facts, env=env) is None


def test_the_lock_of_what_is_older_than_the_retention_may_have_ended(
    judged: Judge, env: Environment
) -> None:
    made_at = NOW - timedelta(days=35)
    old = {"made_at": made_at, "locked_until": made_at + timedelta(days=30)}
    assert judged("D-13.2.3", cross_region_copy=replace(GREEN, **with_one(**old)), env=env) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_region": "eu-west-1"}, "source bucket: eu-west-1; required us-east-1"),
        ({"copy_region": "us-east-1"}, "copy: us-east-1; required another than us-east-1"),
        ({"replication_rules": ()}, "rules to the copy: 0"),
        ({"lost": ("wal/7",)}, "lost objects: wal/7"),
        ({"full": (OBJECT,)}, "copied full backups: 1; required at least 2"),
        ({"wal": GREEN.wal[:9]}, "copied WAL segments: 9; required at least 10"),
        (with_one(copy_sha256="ab"), "unlike their source: full/b1.tar"),
        (with_one(copy_size_bytes=4), "unlike their source: full/b1.tar"),
        (with_one(status="PENDING"), r"replication: full/b1.tar \(PENDING\)"),
        (with_one(status="FAILED"), "FAILED"),
        (with_one(lag_s=901.0), "lag of the copy: full/b1.tar 15"),
        ({"under_way_s": {"wal/9": 960.0}}, "lag of the copy: wal/9 16 min"),
        ({"versioning": "Suspended"}, "versioning of the copy: Suspended"),
        (with_one(locked_until=None), "copies that are not locked: full/b1.tar"),
        (with_one(locked_until=NOW - HOUR), r"not locked: full/b1.tar \(0 d\)"),
        (with_one(locked_until=NOW + 23 * HOUR), r"not locked: full/b1.tar \(1 d\).* 30 d each"),
        ({"lock_mode": ""}, "retention lock of the copy: 0 d"),
        ({"lock_days": 1}, "retention lock of the copy: 1 d; required at least 30 d"),
        (with_one(key_region="us-east-1"), "key of their own region: full/b1.tar"),
        (with_one(key_region=""), "key of their own region: full/b1.tar"),
        ({"unusable_keys": ("arn:k",)}, "cannot be used: arn:k"),
    ],
)
def test_each_clause_can_fail(
    judged: Judge, env: Environment, changes: dict[str, Any], message: str
) -> None:
    facts = replace(GREEN, **changes)
    assert re.search(message, repr(judged("D-13.2.3", cross_region_copy=facts, env=env)))


@pytest.mark.parametrize("right", ["replication_rules", "versioning", "lock_mode", "unusable_keys"])
def test_a_right_that_the_reading_key_lacks_hides_nothing_else(
    judged: Judge, env: Environment, right: str
) -> None:
    unseen = Unseen(ProbeError("bucket", "AccessDenied", "permit it"))
    partly: Any = {right: unseen}
    claim = judged("D-13.2.3", cross_region_copy=replace(GREEN, **partly), env=env)
    assert claim is not None
    assert claim.unseen is unseen.error
    lost = replace(GREEN, **partly, lost=("backups/9",))
    broken = judged("D-13.2.3", cross_region_copy=lost, env=env)
    assert broken is not None
    assert "backups/9" in broken.observed


DENIED = Unseen(ProbeError("bucket", "AccessDenied", "permit it"))


@pytest.mark.parametrize(
    "changes",
    [
        {"source_region": DENIED},
        {"copy_region": DENIED},
        {"not_listed": DENIED, "full": (), "wal": (), "wal_known": 0},
        {"archive_unseen": DENIED},
        *(
            with_one(**dict.fromkeys(names.split(), DENIED))
            for names in (
                "size_bytes sha256 status",
                "copy_size_bytes copy_sha256 key_region locked_until",
                "copy_sha256",
                "locked_until",
            )
        ),
    ],
)
def test_a_call_that_is_refused_hides_nothing_else(
    judged: Judge, env: Environment, changes: dict[str, Any]
) -> None:
    partly = replace(GREEN, **changes)
    claim = judged("D-13.2.3", cross_region_copy=partly, env=env)
    assert claim is not None
    assert claim.unseen is DENIED.error
    last = replace(partly, unusable_keys=("arn:k",))
    assert "arn:k" in repr(judged("D-13.2.3", cross_region_copy=last, env=env))


def test_what_is_seen_of_some_objects_is_told_beside_those_that_are_not() -> None:
    one = replace(OBJECT, copy_sha256=DENIED, status=DENIED, key_region=DENIED, locked_until=DENIED)
    other = replace(
        OBJECT, key="wal/1", copy_sha256="ab", status="FAILED", key_region="", locked_until=None
    )
    found = replace(GREEN, full=(one,), wal=(other,))
    assert (found.unlike, found.unlocked(30), found.of_foreign_key) == (["wal/1"],) * 3
    assert found.unfinished == ["wal/1 (FAILED)"]
    assert replace(one, copy_size_bytes=4).is_equal is False
    late = replace(found, archive_unseen=DENIED, under_way_s={"wal/9": 960.0})
    lags = late.lag_minutes(15)
    assert not isinstance(lags, Unseen)
    assert lags["wal/9"] == 16


# -- the probe, on a store ---------------------------------------------------------------------


class Store:
    """Two buckets in two regions, with a backup of each of two days, and three segments."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.east, self.west = self._client("s3", "us-east-1"), self._client("s3", "us-west-2")
        self.key = self._client("kms", "us-west-2").create_key()["KeyMetadata"]["Arn"]
        self.east.create_bucket(Bucket="backups", ObjectLockEnabledForBucket=True)
        self.west.create_bucket(
            Bucket="backups-copy",
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
        )
        self.east.put_bucket_replication(
            Bucket="backups",
            ReplicationConfiguration={
                "Role": "arn:aws:iam::1:role/r",
                "Rules": [
                    {
                        "ID": "west",
                        "Status": "Enabled",
                        "Priority": 1,
                        "Filter": {"Prefix": ""},
                        "Destination": {"Bucket": "arn:aws:s3:::backups-copy"},
                        "DeleteMarkerReplication": {"Status": "Disabled"},
                    }
                ],
            },
        )
        for name in ("full/b1.tar", "full/b2.tar", *(f"wal/{segment(n)}" for n in (1, 2, 3))):
            self.put(name)
            self.copy(name)
        self.put(f"wal/{segment(3)}.backup")

    def _client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def put(self, name: str) -> None:
        content = name.encode()
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.east.put_object(Bucket="backups", Key=name, Body=content, ChecksumSHA256=checksum)

    def copy(self, name: str, content: bytes | None = None) -> None:
        self.west.put_object(
            Bucket="backups-copy",
            Key=name,
            Body=content or name.encode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.key,
            Metadata={"replication-status": "COMPLETED"},
        )


def segment(number: int) -> str:
    return f"0000000100000000{number:08X}"


def backup(name: str, days_ago: float) -> FullBackup:
    at = NOW - timedelta(days=days_ago)
    return FullBackup(name, f"/{name}", at, at, "0/1000028", "0/1000100", "7711", 5)


ARCHIVE = WalArchive(
    backups=(backup("b1", 2), backup("b2", 1)),
    segments=3,
    missing=(),
    newest=tuple(ArchivedSegment(segment(n), NOW - HOUR) for n in (3, 2, 1)),
    newest_age_s=1.0,
    failing_since=None,
    reach_h=48.0,
)


@pytest.fixture
def store(aws_url: str) -> Store:
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    return Store(aws_url)


@pytest.fixture
def on_store(store: Store, env_with: EnvWith) -> Environment:
    return env_with(
        aws={"endpoint_url": store.url},
        backups={
            "source": SOURCE,
            "copy": COPY,
            "full_key": "full/{id}.tar",
            "wal_prefix": "wal/",
            "retention_days": 30.0,
        },
    )


def test_objects_are_read_from_both_regions(on_store: Environment) -> None:
    found = cross_region_copy(on_store, ARCHIVE)
    assert (found.source_region, found.copy_region) == ("us-east-1", "us-west-2")
    assert found.replication_rules == ("west",)
    assert [o.key for o in found.full] == ["full/b2.tar", "full/b1.tar"]
    assert {o.key for o in found.wal} == {f"wal/{segment(n)}" for n in (1, 2, 3)}
    assert found.wal_known == 3
    assert all(o.is_equal and o.is_completed for o in found.full + found.wal)
    assert {o.key_region for o in found.full + found.wal} == {"us-west-2"}
    assert (found.lost, found.under_way_s, found.unusable_keys) == ((), {}, ())
    assert found.versioning == "Enabled"
    assert found.lock_mode == ""


def test_locks_count_from_the_time_of_the_source(on_store: Environment, store: Store) -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    store.west.put_object_retention(Bucket="backups-copy", Key="full/b1.tar", Retention=retention)
    found = cross_region_copy(on_store, ARCHIVE)
    locked = {o.key: o.locked_days for o in found.full + found.wal if o.locked_until}
    assert locked == {"full/b1.tar": pytest.approx(2, abs=0.01)}
    assert "full/b1.tar (2 d)" in found.unlocked(30)
    assert "full/b1.tar (2 d)" not in found.unlocked(2)


@pytest.mark.parametrize(
    ("operation", "region", "right", "parts"),
    [
        ("GetBucketLocation", "us-east-1", "s3:GetBucketLocation", {"source_region"}),
        ("GetBucketLocation", "us-west-2", "s3:GetBucketLocation", {"copy_region"}),
        (
            "GetBucketReplication",
            "us-east-1",
            "s3:GetReplicationConfiguration",
            {"replication_rules"},
        ),
        ("ListObjectsV2", "us-west-2", "s3:ListBucket", {"not_listed", "unusable_keys"}),
        ("DescribeKey", "us-west-2", "kms:DescribeKey", {"unusable_keys"}),
        ("GetObject", "us-west-2", "s3:GetObject and kms:Decrypt", {"unlike"}),
        ("HeadObject", "us-east-1", "s3:GetObject", {"unlike"}),
        ("GetObjectRetention", "us-west-2", "s3:GetObjectRetention", {"locks"}),
    ],
)
def test_a_right_that_lacks_in_one_region_hides_what_needs_it(
    on_store: Environment,
    refuse: Callable[..., None],
    operation: str,
    region: str,
    right: str,
    parts: set[str],
) -> None:
    refuse(operation, region=region)
    found = cross_region_copy(on_store, ARCHIVE)
    looks = {
        name: getattr(found, name)
        for name in (
            *("source_region", "copy_region", "replication_rules", "versioning", "lock_mode"),
            *("unusable_keys", "not_listed"),
        )
    }
    if found.not_listed is None:
        looks |= {"unlike": found.unlike, "locks": found.unlocked(30)}
    hidden = {name: one for name, one in looks.items() if isinstance(one, Unseen)}
    assert set(hidden) == parts
    steps = {one.error.next_step for one in hidden.values()}
    assert steps == {f"permit {right} to the reading key"}


def test_a_region_that_answers_nothing_hides_its_own_part_alone(
    on_store: Environment, env_with: EnvWith, refuse: Callable[..., None]
) -> None:
    gone = {"source": SOURCE, "copy": {"name": "gone", "region": "us-west-2"}}
    env = env_with(
        aws={"endpoint_url": on_store.aws.endpoint_url}, backups=gone | {"retention_days": 30.0}
    )
    found = cross_region_copy(env, ARCHIVE)
    assert (found.source_region, found.rules) == ("us-east-1", 0)
    for part in (found.copy_region, found.versioning, found.objects, found.lost_keys):
        assert isinstance(part, Unseen)
        assert "NoSuchBucket" in part.error.cause


def test_without_a_look_at_the_archive_what_was_uploaded_is_compared(
    on_store: Environment,
) -> None:
    unlisted = replace(ARCHIVE, newest=DENIED, segments=DENIED)
    found = cross_region_copy(on_store, unlisted)
    assert found.wal_count == 3
    assert found.unlike == []
    assert found.lag_minutes(15) is DENIED


def test_a_copy_of_other_content_and_the_same_size_is_found(
    on_store: Environment, store: Store
) -> None:
    store.copy("full/b1.tar", b"full/b1.tas")
    found = cross_region_copy(on_store, ARCHIVE)
    assert found.unlike == ["full/b1.tar"]
    [different] = [o for o in found.full if o.key == "full/b1.tar"]
    assert different.copy_size_bytes == different.size_bytes


def test_what_is_newer_than_all_copies_is_under_way(on_store: Environment, store: Store) -> None:
    store.put(f"wal/{segment(4)}")
    newest = (ArchivedSegment(segment(5), NOW), *ARCHIVE.newest)
    found = cross_region_copy(on_store, replace(ARCHIVE, newest=newest))
    assert f"wal/{segment(4)}" in found.under_way_s
    assert found.lost == ()


def test_a_copy_that_is_gone_between_others_is_lost() -> None:
    objects = [s3._Object(f"wal/{n}", NOW + n * HOUR) for n in range(5)]
    there = {o.key: o for o in objects if o.key != "wal/2"}
    copied, lost, waiting = s3._sorted_out(objects, there, 10)
    assert [o.key for o in copied] == ["wal/4", "wal/3", "wal/1", "wal/0"]
    assert [o.key for o in lost] == ["wal/2"]
    assert waiting == []


def test_a_backup_that_was_never_uploaded_has_been_waiting_since(on_store: Environment) -> None:
    archive = replace(ARCHIVE, backups=(*ARCHIVE.backups, backup("b3", -1)))
    assert "full/b3.tar" in cross_region_copy(on_store, archive).under_way_s


def test_recovery_over_the_retention_begins_before_it() -> None:
    backups = (backup("b0", 40), backup("b1", 31), backup("b2", 29), backup("b3", 1))
    assert [b.id for b in s3._needed(backups, 30)] == ["b1", "b2", "b3"]


def test_a_large_object_counts_by_the_sum_that_s3_made(
    on_store: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "READ_BYTES", 1)
    found = cross_region_copy(on_store, ARCHIVE)
    assert isinstance(found.unlike, Unseen)
    assert "too large to be read here" in found.unlike.error.cause
    assert found.full_count == 2


def test_a_dead_store_is_not_looked_at(env_with: EnvWith, dead_port: int) -> None:
    env = env_with(
        aws={"endpoint_url": f"http://127.0.0.1:{dead_port}"},
        backups={"source": SOURCE, "copy": COPY},
    )
    with pytest.raises(ProbeError, match="check that AWS can be reached"):
        cross_region_copy(env, ARCHIVE)
