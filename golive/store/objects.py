"""The objects of a store: a shared folder, or whatever fsspec speaks to."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from golive.files import create
from golive.files import folder as make_folder
from golive.masking import Mask
from golive.store import limits
from golive.store.limits import KINDS, Refused, plain
from golive.verdicts import GoliveError

_OBJECT_STORES = ("s3", "gs", "gcs", "az", "abfs", "memory")
"""Where writing an object is atomic. Elsewhere a reader could meet half of one."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,179}")
_NAME = re.compile(rf"(?P<id>{ID.pattern})\.(?P<digest>[0-9a-f]{{64}})\.tar")
_NEXT_STEPS = {
    "NoCredentialsError": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "EndpointConnectionError": "look at the network, and at AWS_ENDPOINT_URL where it is set",
    "ConnectTimeoutError": "look at the network, and at AWS_ENDPOINT_URL where it is set",
}
_ABANDONED_S = 24 * 3600
"""Age of a temporary file or folder whose writer is surely gone."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a store, as its name and its entry in the list say."""

    path: str
    name: str
    id: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How a store keeps an object."""

    place: str
    versions: int
    """Of the object, deletions included."""
    lock: str
    """Mode of the object lock, as S3 names it; empty: anybody who may write can change it."""
    locked_until: datetime | None

    def is_locked_until(self, day: date) -> bool:
        """Whether nobody can change it before that day."""
        return self.locked_until is not None and self.locked_until.date() >= day

    @property
    def lock_told(self) -> str:
        """Its lock in words."""
        return f"{self.lock or 'none'}, until {self.locked_until}"


class Store:
    """A shared folder or an object store.

    :param place: a folder, or a URL whose scheme fsspec knows.
    :param root: what a relative folder is relative to.
    :raises GoliveError: here and in each method: it is of no use; names it and the next step.
    """

    def __init__(self, place: str, root: Path | None = None) -> None:
        self._mask = Mask()
        for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            if len(os.environ.get(variable, "")) >= 8:
                self._mask.add(os.environ[variable])
        scheme, remote, rest = place.partition("://")
        if not remote:
            place = f"file://{((root or Path.cwd()) / Path(place).expanduser()).resolve()}"
            scheme = "file"
        elif "@" in rest and scheme != "file":
            user, _, _ = rest.rpartition("@")
            raise GoliveError(
                f"store {scheme}://{'*' * 8}@{plain(rest[len(user) + 1 :])}: holds credentials;"
                " expected them in the environment or in a profile (AWS_PROFILE,"
                " AWS_ACCESS_KEY_ID), not in an address that others read"
            )
        self._is_folder = scheme in ("file", "local")
        if not self._is_folder and scheme not in _OBJECT_STORES:
            raise GoliveError(
                f"store {self._mask(place)}: found the scheme {scheme!r}; expected a folder, or an"
                f" address of {', '.join(f'{s}://' for s in ('s3', 'gs', 'az'))}"
            )
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if scheme == "s3":
            options["config_kwargs"] = {"connect_timeout": 20, "retries": {"max_attempts": 2}}
        self.shown = (
            place.removeprefix(f"{scheme}://") if self._is_folder else self._mask(place)
        ) or place
        import fsspec  # takes a while to load, and most sessions speak to no store

        try:
            self._fs, root_path = fsspec.core.url_to_fs(place, **options)
        except ImportError as e:
            raise GoliveError(
                f"store {self.shown}: {plain(str(e))}; expected the package for {scheme}:// to be"
                " installed"
            ) from None
        self._root = root_path.rstrip("/")
        if not self._is_folder and not self._root.strip("/"):
            raise GoliveError(f"store {self.shown}: names no bucket; expected {scheme}://BUCKET")

    def list(self, kind: str) -> tuple[dict[str, list[Stored]], list[str]]:
        """What there is of a kind, by id, and names that are no bundle's."""
        with self._telling("cannot be listed"):
            try:
                entries = self._fs.ls(f"{self._root}/{kind}", detail=True, refresh=True)
            except FileNotFoundError:
                self._exists()
                entries = []
        found: dict[str, list[Stored]] = {}
        others: list[str] = []
        for entry in sorted(entries, key=lambda e: str(e["name"])):
            path = str(entry["name"])
            name = path.rpartition("/")[2]
            if name.startswith(".") or not name or entry["type"] == "directory":
                continue  # being written; the folder itself
            if (match := _NAME.fullmatch(name)) is None or entry["type"] != "file":
                others.append(plain(f"{kind}/{name}"))
                continue
            one = Stored(path, name, match["id"], match["digest"], int(entry["size"] or 0))
            found.setdefault(one.id, []).append(one)
        return found, others

    def read(self, stored: Stored) -> bytes:
        """An object's content, once it fits its name.

        :raises Refused: it does not, is too large, or cannot be read.
        """
        if not 0 < stored.bytes <= limits.MOST_BYTES:
            raise Refused(
                f"has {stored.bytes:,} bytes; expected a bundle of at most"
                f" {limits.MOST_BYTES // 2**20} MiB"
            )
        with self._telling("cannot be read"):
            try:
                # Bounded, whatever the list said of its size.
                data: bytes = self._fs.cat_file(stored.path, start=0, end=limits.MOST_BYTES + 1)
            except (FileNotFoundError, PermissionError, IsADirectoryError) as e:
                raise Refused(f"cannot be read: {self._cause(e)}") from None
        found = hashlib.sha256(data).hexdigest()
        if found != stored.digest:
            raise Refused(
                f"does not match its digest: its content has {found[:12]}..., so it was altered"
                " or cut off in the store; remove it there and push again from where it came"
            )
        return data

    def publish(self, kind: str, name: str, data: bytes) -> None:
        """Write an object so that a reader sees all of it or nothing."""
        with self._telling("cannot be written"):
            if not self._is_folder:
                # Twice the chunk size is where s3fs would begin to send it in parts.
                more = {"chunksize": limits.MOST_BYTES} if "s3" in self._fs.protocol else {}
                self._fs.pipe_file(f"{self._root}/{kind}/{name}", data, **more)
                return
            # As open as the folder of the store itself is, whatever the umask of who pushes.
            mode = stat.S_IMODE(Path(self._root).stat().st_mode)
            folder = Path(self._root) / kind
            if not folder.is_dir():
                make_folder(folder).chmod(mode)
            draft = folder / f".{secrets.token_hex(8)}.part"
            try:
                with create(draft) as file:
                    os.fchmod(file.fileno(), mode & 0o666)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(folder / name)
            finally:
                draft.unlink(missing_ok=True)

    def kept(self, stored: Stored) -> Kept:
        """How the store keeps an object: whether it can be changed, and whether it was."""
        if "s3" not in self._fs.protocol:
            return Kept(f"{self.shown}/{stored.name}", 1, "", None)
        bucket, _, key = stored.path.partition("/")
        with self._telling("cannot be asked how it keeps objects"):
            head = self._fs.call_s3("head_object", Bucket=bucket, Key=key)
            reported = self._fs.call_s3("list_object_versions", Bucket=bucket, Prefix=key)
        versions = [*reported.get("Versions", []), *reported.get("DeleteMarkers", [])]
        return Kept(
            f"s3://{stored.path}",
            sum(v["Key"] == key for v in versions),
            head.get("ObjectLockMode", ""),
            head.get("ObjectLockRetainUntilDate"),
        )

    def tidy(self) -> None:
        """Remove what pushes that were killed have left behind."""
        if self._is_folder:
            for kind in KINDS:
                remove_abandoned(Path(self._root) / kind, ".*.part")

    def _exists(self) -> None:
        if self._is_folder:
            if not Path(self._root).is_dir():
                raise GoliveError(
                    f"store {self.shown}: there is no such folder; make it, or mount what it"
                    " is on, then try again"
                )
        elif "memory" not in self._fs.protocol:
            bucket = self._root.partition("/")[0]
            if not self._fs.exists(bucket):
                raise GoliveError(
                    f"store {self.shown}: there is no bucket {bucket!r}; make it, or correct the"
                    " address (launch.store in launch.toml, or --store)"
                )

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (GoliveError, Refused):
            raise
        except Exception as e:  # noqa: BLE001 - each kind of store has errors of its own
            step = _NEXT_STEPS.get(type(e).__name__, "fix it and try again")
            if isinstance(e, PermissionError):
                step = "ask its owner for the right to read, list and write there"
            elif isinstance(e, OSError) and e.errno == errno.EROFS:
                step = "mount it so that it can be written to"
            elif isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT):
                step = "make room, then try again; what was sent before is whole"
            raise GoliveError(
                f"store {self.shown}: {what}: {self._cause(e)}; next: {step}"
            ) from None

    def _cause(self, error: Exception) -> str:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return plain(self._mask(text or type(error).__name__))


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove temporary files and folders of writers that were killed."""
    for path in folder.glob(pattern):
        with suppress(OSError):  # another's, who is still at it or has just ended
            if time.time() - path.lstat().st_mtime < _ABANDONED_S:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
