"""Archived WAL segments by what stands in them, and the timelines that they belong to."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from golive.verdicts import ProbeError

SEGMENT = re.compile(r"(?P<name>[0-9A-F]{24})(?P<suffix>\.(?:gz|zst|lz4|xz|bz2|br))?")
_HEADER = "HHIQI4xQII"
"""Magic, flags, timeline, position, rest of a record, system, segment size and page size: how the
first page of a segment begins."""
_HEADER_BYTES = struct.calcsize(f"={_HEADER}")
_BLOCK_BYTES = 1 << 20
_LONG = 0x0002
_MAGIC = frozenset({0xD0, 0xD1})
"""High byte of the number that PostgreSQL begins each page with, in all versions since 8.0."""


def lsn(text: str) -> int:
    """A log position as a number of bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_name(timeline: int, number: int, size: int) -> str:
    """The file name of a WAL segment."""
    per_id = 0x1_0000_0000 // size
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def segment_number(name: str, size: int) -> int:
    """The place of a WAL segment in the sequence of all, whatever its timeline."""
    return int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:24], 16)


@dataclass(frozen=True, slots=True)
class Timelines:
    """The timelines that lead to a server's own, each with the number of its first segment."""

    begins: tuple[tuple[int, int], ...]
    """Oldest first."""

    def at(self, number: int) -> int:
        """The timeline whose segment of that number recovery takes: the newest that has begun."""
        return [timeline for timeline, first in self.begins if first <= number][-1]


def timelines(current: int, history: str, size: int) -> Timelines:
    """Of a server's timeline and its history file; an empty text has none before it."""
    # Each line: an earlier timeline, and the position that it was left at.
    lines = [words for line in history.splitlines() if (words := line.split("#")[0].split())]
    firsts = [0, *(lsn(words[1]) // size for words in lines)]
    return Timelines(
        tuple(zip([*(int(words[0]) for words in lines), current], firsts, strict=True))
    )


def flaw(path: Path, system: int | None, size: int) -> str:
    """Why a file is not the segment that its name says, of that database system; empty: it is.

    :param system: None where nobody knows which it has to be.
    :raises ProbeError: it cannot be opened or unpacked here.
    """
    try:
        head, length = _beginning(path, size)
    except (EOFError, lzma.LZMAError, zlib.error, _Broken):
        return "cannot be unpacked to its end"
    except OSError as e:
        step = "let the user that runs golive read the WAL archive"
        raise ProbeError(f"the WAL segment {path}", e.strerror or e, step) from None
    if length != size:
        return f"{length:,} of {size:,} bytes"
    order = "<" if head[1] in _MAGIC else ">"  # as the server's machine has it
    magic, flags, timeline, position, _, of_system, _, _ = struct.unpack(order + _HEADER, head)
    if magic >> 8 not in _MAGIC or not flags & _LONG:
        return "does not begin with a page of WAL"
    if system is not None and of_system != system:
        return f"of the database system {of_system}"
    if position != segment_number(path.name, size) * size:
        return f"begins at {position >> 32:X}/{position & 0xFFFFFFFF:X}"
    # The first segment of a timeline begins as a copy of that which it branched off from.
    if timeline > int(path.name[:8], 16):
        return f"of the timeline {timeline}"
    return ""


def text(path: Path) -> str:
    """A small text file, packed or not.

    :raises ProbeError: it cannot be read.
    """
    kind = _PACKED.get(path.suffix)
    try:
        with closing(kind.open(path) if kind else path.open("rb")) as file:
            return file.read(_BLOCK_BYTES).decode(errors="replace")
    except (OSError, EOFError, lzma.LZMAError, zlib.error, _Broken) as e:
        step = "let the user that runs golive read the WAL archive"
        raise ProbeError(f"the timeline history {path}", e, step) from None


class _Broken(Exception):
    """A file that ends too early for its format."""


def _beginning(path: Path, size: int) -> tuple[bytes, int]:
    """The header of a segment, and how long the segment is, unpacked."""
    suffix = SEGMENT.fullmatch(path.name)["suffix"] or ""  # type: ignore[index]
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
        length = path.stat().st_size
        if not suffix:
            return start.ljust(_HEADER_BYTES, b"\0"), length
        kind = _PACKED[suffix]
        if not start.startswith(kind.magic) or not start:
            raise ProbeError(
                f"the WAL segment {path}",
                f"it is not packed as {suffix} says",
                "where it is encrypted, judge the archive by the drill and with the backup's tool",
            )
        if suffix == ".gz":  # it tells at its end how much is in it
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEADER_BYTES)
            file.seek(-4, 2)
            return head.ljust(_HEADER_BYTES, b"\0"), int.from_bytes(file.read(4), "little")
    with closing(kind.open(path)) as unpacked:
        head = unpacked.read(_HEADER_BYTES)
        length = len(head)
        while length <= size and (block := unpacked.read(_BLOCK_BYTES)):
            length += len(block)
    return head.ljust(_HEADER_BYTES, b"\0"), length


@dataclass(frozen=True, slots=True)
class _Packed:
    magic: bytes
    open: Callable[[Path], IO[bytes] | _Program]


class _Program:
    """What a program unpacks, as a file."""

    def __init__(self, name: str, path: Path) -> None:
        found = shutil.which(name)
        if found is None:
            step = f"install {name} where golive runs"
            raise ProbeError(f"the WAL segment {path}", f"there is no {name} here", step)
        self._process = subprocess.Popen(
            [found, "-dc", "--", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        block = self._process.stdout.read(length)
        if len(block) < length and self._process.wait() != 0:
            raise _Broken
        return block

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()


def _program(name: str) -> Callable[[Path], _Program]:
    return lambda path: _Program(name, path)


_PACKED = {
    ".gz": _Packed(b"\x1f\x8b", gzip.open),  # type: ignore[arg-type]
    ".bz2": _Packed(b"BZh", bz2.open),
    ".xz": _Packed(b"\xfd7zXZ\0", lzma.open),
    ".zst": _Packed(b"\x28\xb5\x2f\xfd", _program("zstd")),
    ".lz4": _Packed(b"\x04\x22\x4d\x18", _program("lz4")),
    ".br": _Packed(b"", _program("brotli")),
}
