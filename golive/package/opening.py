"""Opening a package: whole, as golive writes one, every file as listed."""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import msgspec

from golive import decoding, provenance
from golive import launch as launch_file
from golive import procedure as procedure_file
from golive.context import Context
from golive.environments import Outline, People
from golive.files import read as read_file
from golive.package import drift
from golive.package.form import (
    ABOUT,
    ANSWER,
    EPOCH,
    FILE,
    FOLDERS,
    HOW_TO,
    INDEX,
    MOST_BYTES,
    MOST_FILES,
    NAME,
    ROSTER,
    SCHEMA,
    SIGNATURE,
    SIGNERS,
    SUMS,
    About,
)
from golive.verdicts import GoliveError

_MOST_RATIO = 400
"""By which all files together may be larger than the zip: text packs well, a bomb better."""
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]+)")


@dataclass(frozen=True)
class Package:
    """A package whose bytes are in order, unpacked; what it says is not checked yet."""

    path: Path
    folder: Path
    names: tuple[str, ...]
    about: About

    @property
    def digest(self) -> str:
        """SHA-256 of the list that people sign."""
        return hashlib.sha256((self.folder / SUMS).read_bytes()).hexdigest()

    def context(self, roster: Path | None = None) -> Context:
        """The context that the package was made on.

        :param roster: another roster than the enclosed one.
        """
        about, suites = self.about, self.folder / "suites"
        people = People(
            roster=str(roster.resolve()) if roster else ROSTER,
            papers="papers",
            statements="statements",
            documents="documents",
        )
        outline = Outline(
            name=about.environment,
            kind=about.environment_kind,
            title=about.environment_title,
            people=people,
            fingerprint=about.fingerprint,
        )
        checks = provenance.check_digests(suites)
        return Context(
            self.folder,
            self.folder,
            outline,
            launch_file.load(suites / drift.LAUNCH),
            procedure_file.load(suites / drift.PROCEDURE),
            known_origin=provenance.Origin(about.engine, about.fingerprint, about.suite, checks),
        )


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """Unpack a package that is whole: as golive writes one, every file as listed.

    :raises GoliveError: it is not; says what is wrong first.
    """
    with tempfile.TemporaryDirectory(prefix="golive-package-") as place:
        folder = Path(place).resolve()
        names = _unpack(path, folder)
        _check_sums(path, folder, names)
        about_file = folder / ABOUT
        try:
            about = decoding.decode(about_file.read_bytes(), About)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            raise wrong(path, ABOUT, f"is damaged or not there: {e}") from None
        if about.schema != SCHEMA:
            raise wrong(path, ABOUT, f"schema: found {about.schema}; this golive reads {SCHEMA}")
        yield Package(path, folder, names, about)


def named(folders: Iterable[Path], digest: str) -> Path | None:
    """The package that goes by a digest: of its file, or of the list that people sign, which stays
    the same when a signature is added. Whether it is whole, :func:`opened` tells."""
    for path in sorted(p for folder in folders for p in folder.glob("*.zip")):
        with suppress(GoliveError, OSError, KeyError, zipfile.BadZipFile, zlib.error):
            data = read_file(path, MOST_BYTES, "a package", links=True)
            with zipfile.ZipFile(BytesIO(data)) as archive:
                listed = hashlib.sha256(archive.read(SUMS)).hexdigest()
            if digest in (listed, hashlib.sha256(data).hexdigest()):
                return path
    return None


def wrong(path: Path, name: str, what: str) -> GoliveError:
    """What is wrong with a file of a package."""
    return GoliveError(f"{path}: {name}: {what}")


def _unpack(path: Path, folder: Path) -> tuple[str, ...]:
    data = read_file(path, MOST_BYTES, "a package", links=True)
    if not data:
        raise GoliveError(f"{path}: is empty; expected a package")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            _check_form(path, data, archive, members)
            for info in members:
                target = folder / info.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, target.open("xb") as out:
                    _copy(source, out, info, path)
            return tuple(m.filename for m in members)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as e:
        raise GoliveError(f"{path}: is no whole zip: {e}; it was altered or cut off") from None
    except OSError as e:
        raise GoliveError(f"{path}: cannot be unpacked: {e}") from None


def _copy(source: IO[bytes], out: IO[bytes], info: zipfile.ZipInfo, path: Path) -> None:
    left = info.file_size
    while piece := source.read(2**20):
        left -= len(piece)
        if left < 0:
            raise wrong(path, info.filename, "is larger than the zip says")
        out.write(piece)


def _check_form(
    path: Path, data: bytes, archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]
) -> None:
    """The zip is one that golive writes, and not a byte of it has changed."""
    if not members:
        raise GoliveError(f"{path}: holds nothing; expected a package")
    if len(members) > MOST_FILES:
        raise GoliveError(f"{path}: holds {len(members):,} files; expected {MOST_FILES:,} at most")
    _check_names(path, members)
    total = sum(m.file_size for m in members)
    if total > MOST_BYTES or total > max(_MOST_RATIO * len(data), 2**24):
        raise GoliveError(
            f"{path}: would unpack to {total / 2**20:,.0f} MiB from {len(data) / 2**20:,.1f} MiB;"
            " expected a package"
        )
    if len(archive.comment) != 64:
        raise GoliveError(f"{path}: is not sealed; it was not written by golive, or altered")
    if hashlib.sha256(data[:-64]).hexdigest().encode() != archive.comment:
        raise GoliveError(f"{path}: its bytes do not match its seal, so it was altered or cut off")
    offset = 0
    for info in members:
        offset = _after(info, data, offset, path)
    if offset != archive.start_dir:
        raise GoliveError(f"{path}: something is hidden between its files")


def _check_names(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Each name is one that a package has, stands there once, and is of an ordinary file."""
    seen: dict[str, str] = {}
    for info in members:
        name = info.orig_filename
        if not NAME.fullmatch(name) or ".." in name.split("/"):
            raise GoliveError(f"{path}: found the name {name[:200]!r}, which no package has")
        if name.lower() in seen:
            raise GoliveError(f"{path}: found {seen[name.lower()]} and {name}; expected it once")
        seen[name.lower()] = name
        if info.external_attr >> 16 != FILE:
            raise wrong(path, name, "is no ordinary file")


def _after(info: zipfile.ZipInfo, data: bytes, offset: int, path: Path) -> int:
    """Where a file that begins at an offset ends, stored as golive stores one.

    What stands before a file's bytes has to say the same as the directory at the end.
    """
    header = data[offset : offset + 30]
    length = int.from_bytes(header[26:28], "little")
    own = data[offset + 30 : offset + 30 + length]
    plain = (
        info.header_offset == offset
        and own == info.orig_filename.encode()
        and int.from_bytes(header[28:30], "little") == 0
        and int.from_bytes(header[18:22], "little") == info.compress_size
        and int.from_bytes(header[22:26], "little") == info.file_size
        and info.flag_bits == int.from_bytes(header[6:8], "little") == 0
        and info.compress_type == int.from_bytes(header[8:10], "little")
        and info.compress_type == zipfile.ZIP_DEFLATED
        and not info.extra
        and not info.comment
        and info.date_time == EPOCH
    )
    if not plain:
        raise wrong(path, info.filename, "is not stored as golive stores a file")
    return offset + 30 + length + info.compress_size


def _check_sums(path: Path, folder: Path, names: Sequence[str]) -> None:
    if SUMS not in names:
        raise GoliveError(f"{path}: {SUMS} is missing; expected a package")
    text = (folder / SUMS).read_bytes().decode(errors="replace")
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        match = _LINE.fullmatch(line.removesuffix("\n"))
        if match is None or not line.endswith("\n") or match["name"] in listed:
            raise wrong(path, SUMS, f"line {number} is damaged")
        listed[match["name"]] = match["digest"]
    known = (INDEX, ANSWER, HOW_TO, ABOUT, ROSTER, SIGNERS, SUMS)
    for name in names:
        top, _, below = name.partition("/")
        if not (top in FOLDERS if below else name in known or SIGNATURE.fullmatch(name)):
            raise wrong(path, name, "is no part of a package")
    there = [n for n in names if n != SUMS and not SIGNATURE.fullmatch(n)]
    for name in there:
        if name not in listed:
            raise wrong(path, name, f"is not listed in {SUMS}")
    for name, digest in listed.items():
        if name not in there:
            raise wrong(path, name, f"is listed in {SUMS}, but is not there")
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise wrong(path, name, f"was altered: it does not match {SUMS}")
    if list(listed) != sorted(listed):
        raise wrong(path, SUMS, "is not sorted")
