from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.data import backup_failures, backups
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from tests.rehearsal.lone_parts import running


def backup(r: Rehearsal, name: str) -> backups.Backup:
    """A record of a backup, and a folder with something in it."""
    folder = r.path("backups", name, "PG_VERSION")
    folder.write_text("15\n")
    now = datetime.now(UTC).isoformat()
    made = backups.Backup(
        id=name,
        path=str(folder.parent),
        started_at=now,
        finished_at=now,
        start_lsn="0/2000028",
        stop_lsn="0/3000000",
        timeline=1,
        system_identifier="7",
        size_bytes=9_000,
        seconds=0.5,
    )
    backups.record(r, made)
    return made


def segment(r: Rehearsal, number: int) -> Path:
    path = r.path("wal-archive", f"00000001{0:08X}{number:08X}")
    path.write_bytes(number.to_bytes(1, "big") * 1024)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("backups"))
    with running(r, aws.aws):
        yield r


def test_the_copy_brings_backups_and_segments_to_both_regions(store: Rehearsal) -> None:
    backup(store, "first")
    segment(store, 1)
    assert backups.copy_lag_s(store, backups.copied(store)) > 0
    done = backups.copy(store)
    names = ["full/first.tar.gz", "wal/000000010000000000000001"]
    assert done["uploaded"] == done["copied"] == names
    assert backups.copy_lag_s(store, backups.copied(store)) == 0
    for name in names:
        source = aws.client(store, "s3").head_object(Bucket=aws.SOURCE_BUCKET, Key=name)
        copy = aws.client(store, "s3", aws.COPY_REGION).head_object(
            Bucket=aws.COPY_BUCKET, Key=name
        )
        assert copy["ContentLength"] == source["ContentLength"]
        assert copy["Metadata"]["sha256"] == source["Metadata"]["sha256"]
        assert copy["Metadata"]["replication-status"] == "COMPLETED"
        assert copy["Metadata"].items() >= source["Metadata"].items()
        assert f":{aws.COPY_REGION}:" in copy["SSEKMSKeyId"]
        assert copy["ObjectLockMode"] == "GOVERNANCE"


def test_a_second_copy_has_nothing_to_do(store: Rehearsal) -> None:
    backups.copy(store)
    done = backups.copy(store)
    assert done["uploaded"] == done["copied"] == []


def test_a_damaged_object_is_not_copied(store: Rehearsal) -> None:
    aws.client(store, "s3").put_object(
        Bucket=aws.SOURCE_BUCKET,
        Key="wal/damaged",
        Body=io.BytesIO(b"other"),
        Metadata={"sha256": "0" * 64},
        ChecksumAlgorithm="SHA256",
    )
    with pytest.raises(RehearsalError, match="damaged is not what its metadata says"):
        backups.copy(store)
    assert "wal/damaged" not in backups.copied(store)


def test_a_silent_store_is_told_in_one_paragraph(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    r.remember("aws", {"copy_region": aws.COPY_REGION, "copy_key": "k"})
    with pytest.raises(RehearsalError, match="The copy to the second region failed"):
        backups.copy(r)


def test_a_gap_in_the_archive_is_named(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    r.path("wal-archive").mkdir()
    with pytest.raises(RehearsalError, match="holds no segment"):
        backups.archive(r)
    for number in (1, 2, 4):
        segment(r, number)
    r.path("wal-archive", "000000010000000000000002.00000028.backup").touch()
    found = backups.archive(r)
    assert found["segments"] == 3
    assert found["missing"] == ["000000010000000000000003"]


def test_an_unreadable_record_is_no_missing_backup(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    assert backups.known(r) == []
    r.path("backups", "broken.json").write_text("{")
    with pytest.raises(RehearsalError, match=r"broken\.json is no record of a backup"):
        backups.known(r)


def test_an_unknown_backup_names_those_there_are(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    backup(r, "first")
    assert backups.get(r, "newest").id == "first"
    with pytest.raises(RehearsalError, match="there are first"):
        backups.get(r, "second")


@pytest.mark.parametrize("mode", ["old-backup", "small-backup", "late-copy"])
def test_a_mishap_shows_in_a_set_of_its_own_and_can_be_taken_back(
    tmp_path: Path, mode: str
) -> None:
    r = Rehearsal(tmp_path)
    real = backup(r, "first")
    backup_failures.repair(r, mode)  # harmless where there is nothing
    backup_failures.induce(r, mode)
    base = backup_failures.sets(r)[mode]
    there = backups.known(r, base)
    assert {
        "old-backup": lambda: datetime.now(UTC).timestamp() - _finished(there[-1]) > 24 * 3600,
        "small-backup": lambda: there[-1].size_bytes < 0.5 * there[-2].size_bytes,
        "late-copy": lambda: backups.copy_lag_s(r, set(), base) > 15 * 60,
    }[mode]()
    assert backups.known(r) == [real]
    with pytest.raises(RehearsalError, match="in force already"):
        backup_failures.induce(r, mode)
    backup_failures.repair(r, mode)
    assert list(backup_failures.sets(r)) == ["database"]


def _finished(one: backups.Backup) -> float:
    return datetime.fromisoformat(one.finished_at).timestamp()


def test_an_unknown_mishap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="no failure of backups"):
        backup_failures.induce(Rehearsal(tmp_path), "meteor")


def test_a_backup_is_packed_once_and_never_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path(backup(Rehearsal(tmp_path), "first").path)
    monkeypatch.setattr(backups, "_pack", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backups.pack(made)
    assert not made.with_name("first.tar.gz").exists()
    monkeypatch.undo()
    packed = backups.pack(made)
    before = packed.stat()
    assert backups.pack(made) == packed
    assert packed.stat() == before
    assert backups.packed(made) == packed.read_bytes()
