"""Files as golive reads and writes them.

What comes from elsewhere (a store, a package, another person, an editor) is read here alone, so
that nothing hangs on a pipe, grows without end, or is another file than it seems. What golive
writes is nobody else's to read, whatever the umask, and is there whole or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from golive.verdicts import GoliveError

_PIECE = 2**20
_DRAFT_NAME = 100
"""Characters of a file's name that its draft's name keeps: names end at 255 bytes."""


class NotThere(GoliveError):
    """There is no file of that name."""


def shown(path: Path | str) -> str:
    """A path as text for people: bytes that are no UTF-8, and what cannot be seen, are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


@contextmanager
def opened(
    path: Path, most_bytes: int, expected: str, *, links: bool = False
) -> Iterator[BinaryIO]:
    """An ordinary file, open to be read from its start. Nothing is waited for.

    It is looked at after it was opened, so it is the file that was looked at which is read.

    :param most_bytes: how large it may be.
    :param expected: what ought to be there, for the message.
    :param links: whether it may be a symbolic link.
    :raises NotThere: there is none.
    :raises GoliveError: it is something else, is too large, or cannot be read; the message names
        the file, what was found and what was expected.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | (0 if links else os.O_NOFOLLOW))
    except (OSError, ValueError) as e:  # ValueError: a name with a NUL byte
        raise _refused(path, e, expected, links=links) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise GoliveError(
                f"{shown(path)}: is {_kind(found.st_mode)}; expected {expected}, an ordinary file"
            )
        if found.st_size > most_bytes:
            raise _too_large(path, found.st_size, most_bytes, expected)
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read(path: Path, most_bytes: int, expected: str, *, links: bool = False) -> bytes:
    """What an ordinary file holds.

    :param most_bytes: how large it may be.
    :param expected: what ought to be there, for the message, e.g. ``the record of a run``.
    :param links: whether it may be a symbolic link.
    :raises NotThere: there is none.
    :raises GoliveError: as :func:`opened`.
    """
    return b"".join(_pieces(path, most_bytes, expected, links=links))


def read_text(path: Path, most_bytes: int, expected: str, *, links: bool = False) -> str:
    """What an ordinary file of UTF-8 holds.

    :raises NotThere: there is none.
    :raises GoliveError: as :func:`read`, or it is no UTF-8.
    """
    try:
        return read(path, most_bytes, expected, links=links).decode("utf-8")
    except UnicodeDecodeError as e:
        raise GoliveError(
            f"{shown(path)}: is not UTF-8 text: {e.reason} at byte {e.start}; expected {expected}"
        ) from None


def sha256(path: Path, most_bytes: int, expected: str, *, links: bool = False) -> str:
    """SHA-256 of an ordinary file, in hexadecimal digits, without holding it in memory.

    :raises NotThere: there is none.
    :raises GoliveError: as :func:`opened`.
    """
    total = hashlib.sha256()
    for piece in _pieces(path, most_bytes, expected, links=links):
        total.update(piece)
    return total.hexdigest()


def folder(path: Path, *, new: bool = False) -> Path:
    """A folder, made where it is not there, with those above it, for its owner alone.

    Folders that are there stay as they are.

    :param new: whether it must not be there yet.
    :raises OSError: it cannot be made, or is there although it had to be new.
    """
    missing = [path]
    while not missing[-1].parent.is_dir() and missing[-1] != missing[-1].parent:
        missing.append(missing[-1].parent)
    for one in reversed(missing):
        try:
            one.mkdir(mode=0o700)
        except FileExistsError:
            if (new and one == path) or not one.is_dir():
                raise
        else:
            one.chmod(0o700)  # a umask may have taken from the owner too
    return path


def write(path: Path, data: bytes) -> Path:
    """Put a file there, whole or not at all, for its owner alone. One that is there is replaced.

    :raises OSError: it cannot be written; nothing is left behind.
    """
    draft = path.with_name(f".{path.name[:_DRAFT_NAME]}.{secrets.token_hex(8)}")
    try:
        with create(draft) as file:
            file.write(data)
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return path


def create(path: Path) -> BinaryIO:
    """A new file to write to, for its owner alone.

    :raises OSError: it cannot be made, or is there.
    """
    return os.fdopen(_made(path, os.O_EXCL), "wb")


def append_only(path: Path) -> int:
    """A descriptor whose every write goes to the file's end; a new file is its owner's alone.

    :raises OSError: it cannot be opened, or is a symbolic link.
    """
    return _made(path, os.O_APPEND)


def _made(path: Path, how: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
    descriptor = os.open(path, flags, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _pieces(path: Path, most: int, expected: str, *, links: bool) -> Iterator[bytes]:
    size = 0
    with opened(path, most, expected, links=links) as file:
        try:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > most:  # it grew since it was opened
                    raise _too_large(path, size, most, expected)
                yield piece
        except OSError as e:
            raise _refused(path, e, expected, links=links) from None


def _refused(path: Path, error: Exception, expected: str, *, links: bool) -> GoliveError:
    """Why a file could not be opened."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ELOOP and not links:
        return GoliveError(
            f"{shown(path)}: is a symbolic link; expected {expected}, the file itself"
        )
    if code == errno.ENXIO:  # nobody opens a socket
        return GoliveError(f"{shown(path)}: is a socket; expected {expected}, an ordinary file")
    cause = error.strerror if isinstance(error, OSError) else str(error)
    kind = NotThere if code == errno.ENOENT else GoliveError
    return kind(f"{shown(path)}: cannot be read: {cause}; expected {expected}")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device"


def _too_large(path: Path, size: int, most: int, expected: str) -> GoliveError:
    return GoliveError(
        f"{shown(path)}: has {size:,} bytes; expected {expected}, of {_size(most)} at most"
    )


def _size(most: int) -> str:
    return f"{most / 2**20:g} MiB" if most >= 2**20 else f"{most / 2**10:g} KiB"
