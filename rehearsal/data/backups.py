"""Backups of the rehearsal's database: full backups, the WAL archive, the copy far away.

    <folder>/backups/ID/           a base backup in plain format, with its manifest
    <folder>/backups/ID.json       what is known of it; written last, so it says "complete"
    <folder>/backups/ID.tar.gz     the backup as one file, where it has been packed already
    <folder>/wal-archive/          completed WAL segments
    s3://source/full/ID.tar.gz     the same in the first region, and again in the second,
    s3://source/wal/SEGMENT        sealed before it leaves, see `rehearsal.data.backup_encryption`

Replication between the regions is S3's own work in production. moto keeps the rule and does
nothing, so `copy` does it: it reads each object of the source bucket, proves its SHA-256, and
writes it to the second region. S3 would show `ReplicationStatus` on both objects; moto cannot be
told one, so the copy carries it as metadata (`replication-status`, `replicated-at`, `sha256`).
That is this job's own word: whoever verifies compares size and SHA-256 of what is really there.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import secrets
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from rehearsal.data import backup_encryption
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.data.postgres import REPLICATION_ROLE, archive_folder
from rehearsal.parts.platform import aws

_SEGMENT = re.compile(r"^[0-9A-F]{24}$")


@dataclass(frozen=True)
class Backup:
    """One complete full backup."""

    id: str
    path: str
    started_at: str
    finished_at: str
    start_lsn: str
    stop_lsn: str
    timeline: int
    system_identifier: str
    size_bytes: int
    """All files together."""
    seconds: float


# -- full backups ------------------------------------------------------------------------------


def take(r: Rehearsal, *, part: str = "postgres-primary") -> Backup:
    """Take a full backup of the server and record it. Raises RehearsalError when it fails."""
    started = datetime.now(UTC)
    began = time.monotonic()
    name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    folder = r.path("backups", name)
    unfinished = folder.with_name(f".{name}.new")
    try:
        r.tool(
            "pg_basebackup",
            *("-D", unfinished, "-X", "stream", "--checkpoint=fast", "--label", name),
            # A machine that loses power loses the whole rehearsal.
            *("--manifest-checksums=SHA256", "--no-sync"),
            *("-d", f"host=127.0.0.1 port={r.port(part)} user={REPLICATION_ROLE}"),
            environment={"PGPASSWORD": r.secret(REPLICATION_ROLE), "PGSSLMODE": "require"},
        )
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    [wal] = json.loads((folder / "backup_manifest").read_bytes())["WAL-Ranges"]
    backup = Backup(
        id=name,
        path=str(folder),
        started_at=started.isoformat(),
        finished_at=datetime.now(UTC).isoformat(),
        start_lsn=wal["Start-LSN"],
        stop_lsn=wal["End-LSN"],
        timeline=wal["Timeline"],
        system_identifier=system_identifier(r, folder),
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        seconds=round(time.monotonic() - began, 3),
    )
    record(r, backup)
    return backup


def record(r: Rehearsal, backup: Backup, base: Path | None = None) -> None:
    """Write what is known of a backup."""
    path = (base or r.folder) / "backups" / f"{backup.id}.json"
    write_atomically(path, json.dumps(asdict(backup), indent=1), 0o644)


def system_identifier(r: Rehearsal, data: Path) -> str:
    """The identifier in the control file of a data directory."""
    said = r.tool("pg_controldata", "-D", data, environment={"LC_ALL": "C"}).stdout
    found = re.search(r"^Database system identifier:\s+(\d+)$", said, re.MULTILINE)
    if found is None:
        raise RehearsalError(f"pg_controldata tells no system identifier of {data}: {said[:300]}")
    return found[1]


def known(r: Rehearsal, base: Path | None = None) -> list[Backup]:
    """All complete full backups, oldest first. Raises RehearsalError for an unreadable record.

    `base` is another folder laid out like a rehearsal's, see `rehearsal.data.backup_failures`.
    """
    found = []
    for path in ((base or r.folder) / "backups").glob("*.json"):
        try:
            found.append(Backup(**json.loads(path.read_text())))
        except (ValueError, TypeError) as error:
            raise RehearsalError(f"{path} is no record of a backup: {error}") from error
    return sorted(found, key=lambda backup: backup.finished_at)


def get(r: Rehearsal, name: str) -> Backup:
    """The backup with that id; `newest` is the newest. Raises RehearsalError for no such."""
    found = {backup.id: backup for backup in known(r)}
    if name == "newest" and found:
        return list(found.values())[-1]
    if name not in found:
        raise RehearsalError(
            f"There is no backup {name!r} in {r.folder / 'backups'}; there are "
            f"{', '.join(found) or 'none'}."
        )
    return found[name]


# -- the WAL archive ---------------------------------------------------------------------------


def archive(r: Rehearsal) -> dict[str, Any]:
    """The archive's state: first and last segment, what is missing between, age of the newest.

    Raises RehearsalError when it is empty.
    """
    files = _segments(r)
    if not files:
        raise RehearsalError(f"The WAL archive {archive_folder(r)} holds no segment.")
    names = [path.name for path in files]
    size = files[-1].stat().st_size
    return {
        "folder": str(archive_folder(r)),
        "segments": len(names),
        "first": names[0],
        "last": names[-1],
        "missing": _gaps(names, 0x1_0000_0000 // size),
        "newest_age_s": round(time.time() - max(path.stat().st_mtime for path in files), 1),
        "segment_bytes": size,
    }


def _segments(r: Rehearsal) -> list[Path]:
    return sorted(path for path in archive_folder(r).iterdir() if _SEGMENT.match(path.name))


def _gaps(names: list[str], per_file: int) -> list[str]:
    """Segments missing between the first and the last of each timeline."""
    missing: list[str] = []
    for timeline in sorted({name[:8] for name in names}):
        there = {
            int(name[8:16], 16) * per_file + int(name[16:], 16)
            for name in names
            if name.startswith(timeline)
        }
        missing += [
            f"{timeline}{number // per_file:08X}{number % per_file:08X}"
            for number in range(min(there), max(there))
            if number not in there
        ]
    return missing


# -- the copy in the second region -------------------------------------------------------------


def copy(r: Rehearsal) -> dict[str, Any]:
    """Bring what is new to the source bucket, and from there to the second region.

    What the second region already has is left as it is. Raises RehearsalError when the store
    does not answer or an object is not what its metadata says.
    """
    began = time.monotonic()
    with aws.told_as("The copy to the second region failed"):
        source, target, key = _stores(r)
        there = keys(source, aws.SOURCE_BUCKET)
        with ThreadPoolExecutor(2) as pool:
            uploads = [
                pool.submit(_upload, r, source, name, path)
                for name, path in local_objects(r).items()
                if name not in there
            ]
            uploaded = [upload.result() for upload in uploads]
            absent = keys(source, aws.SOURCE_BUCKET) - keys(target, aws.COPY_BUCKET)
            copies = [pool.submit(replicate, source, target, key, name) for name in sorted(absent)]
            copied = [one.result() for one in copies]
    return {
        "uploaded": sorted(uploaded),
        "copied": copied,
        "seconds": round(time.monotonic() - began, 3),
    }


def local_objects(r: Rehearsal, base: Path | None = None) -> dict[str, Path]:
    """What has to be in both regions: object name to local file or folder."""
    full = {f"full/{backup.id}.tar.gz": Path(backup.path) for backup in known(r, base)}
    folder = base / archive_folder(r).name if base else archive_folder(r)
    # The archive also holds backup labels and timeline histories, which a recovery needs too.
    files = sorted(folder.iterdir()) if folder.exists() else []
    return full | {f"wal/{path.name}": path for path in files if not path.name.startswith(".")}


def copied(r: Rehearsal) -> set[str]:
    """Names of all objects in the second region. Raises RehearsalError when it is silent."""
    region = r.recall("aws")["copy_region"]
    with aws.told_as("The second region does not answer"):
        return keys(aws.client(r, "s3", region), aws.COPY_BUCKET)


def copy_lag_s(r: Rehearsal, there: set[str], base: Path | None = None) -> float:
    """Age of the oldest backup or segment that is not among the objects `there`; 0 if none."""
    finished = {
        f"full/{backup.id}.tar.gz": datetime.fromisoformat(backup.finished_at).timestamp()
        for backup in known(r, base)
    }
    absent = {name: at for name, at in local_objects(r, base).items() if name not in there}
    ages = [time.time() - (finished.get(name) or at.stat().st_mtime) for name, at in absent.items()]
    return max([0.0, *ages])


def keys(s3: Any, bucket: str) -> set[str]:
    """Names of all objects in the bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def _stores(r: Rehearsal) -> tuple[Any, Any, str]:
    facts = r.recall("aws")
    return (
        aws.client(r, "s3"),
        aws.client(r, "s3", facts["copy_region"]),
        facts["copy_key"],
    )


def _upload(r: Rehearsal, s3: Any, name: str, path: Path) -> str:
    content, metadata = backup_encryption.seal(r, name, packed(path))
    put(s3, aws.SOURCE_BUCKET, name, io.BytesIO(content), metadata)
    return name


def packed(path: Path) -> bytes:
    """A file's content, or a folder as one compressed tar."""
    if path.is_file():
        return path.read_bytes()
    ahead = _ahead(path)
    return ahead.read_bytes() if ahead.exists() else _pack(path)


def pack(folder: Path) -> Path:
    """Pack a backup's folder ahead of its upload, once, for those who upload it again and again;
    the file."""
    file = _ahead(folder)
    if not file.exists():
        unfinished = file.with_name(f".{file.name}.new")
        unfinished.write_bytes(_pack(folder))
        unfinished.replace(file)
    return file


def _ahead(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.tar.gz")


def _pack(folder: Path) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=folder.name)
    return into.getvalue()


def replicate(source: Any, target: Any, key: str, name: str) -> str:
    """Copy an object to the second region, with all that opening it needs."""
    found = source.get_object(Bucket=aws.SOURCE_BUCKET, Key=name)
    with tempfile.TemporaryFile() as content:
        shutil.copyfileobj(found["Body"], content)
        if _sha256(content) != found["Metadata"].get("sha256"):
            raise RehearsalError(
                f"s3://{aws.SOURCE_BUCKET}/{name} is not what its metadata says: its SHA-256 is "
                f"{_sha256(content)}. Upload it again; a damaged object is not copied."
            )
        written = {
            **found["Metadata"],
            "replication-status": "COMPLETED",
            "replicated-at": datetime.now(UTC).isoformat(),
            "source-version": found["VersionId"],
        }
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        put(target, aws.COPY_BUCKET, name, content, written, **encryption)
    return name


def put(
    s3: Any, bucket: str, name: str, content: IO[bytes], metadata: dict[str, str], **words: str
) -> None:
    """Write an object with its SHA-256, as `replicate` wants it."""
    checksum = _sha256(content)
    content.seek(0)
    s3.put_object(
        Bucket=bucket,
        Key=name,
        Body=content,
        # The store compares, so that a transfer cut short is no object.
        ChecksumAlgorithm="SHA256",
        ChecksumSHA256=base64.b64encode(bytes.fromhex(checksum)).decode(),
        Metadata={**metadata, "sha256": checksum},
        **words,
    )


def _sha256(content: IO[bytes]) -> str:
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def follow(r: Rehearsal, every_s: float = 1.0) -> None:
    """Copy without end. What fails is reported, once while it stays the same, and tried again."""
    pause = threading.Event()
    reported = ""
    while True:
        try:
            done = copy(r)
            write_atomically(r.path("state", "copied.json"), json.dumps({"at": time.time()}))
            if done["copied"]:
                print(json.dumps(done), flush=True)
            reported = ""
        except (RehearsalError, OSError) as error:
            if str(error) != reported:
                reported = str(error)
                print(reported, file=sys.stderr, flush=True)
        pause.wait(every_s)


if __name__ == "__main__":
    follow(Rehearsal(Path(sys.argv[1])))
