"""What is no whole package is refused before anything in it is believed."""

from __future__ import annotations

import hashlib
import random
import re
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from golive import package
from golive.verdicts import GoliveError
from tests.golive.package.packing import raw, refused


def test_one_flipped_byte_anywhere_is_noticed(made: Any, tmp_path: Path) -> None:
    data = made[1].read_bytes()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        places = [i.header_offset + 30 + len(i.filename) for i in archive.infolist()]
        places += [i.header_offset + 10 for i in archive.infolist()]
        places += [archive.start_dir, archive.start_dir + 12, archive.start_dir + 40]
    rng = random.Random(3)
    places += [rng.randrange(len(data)) for _ in range(200)]
    places += [0, len(data) - 1, len(data) - 64, len(data) - 65, len(data) - 86]
    for n in places:
        flipped = bytearray(data)
        flipped[n] ^= 1 << rng.randrange(8)
        path = tmp_path / "flipped.zip"
        path.write_bytes(flipped)
        with pytest.raises(GoliveError), package.opened(path):
            pytest.fail(f"byte {n} of {len(data)}")


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        (b"", "is empty"),
        (b"hello", "is no whole zip"),
        (b"PK\x05\x06" + b"\0" * 18, "holds nothing"),
        (raw({"index.html": b""}), "SHA256SUMS is missing"),
        (raw({"SHA256SUMS": b""}), "package.json: is damaged or not there"),
        (raw({"SHA256SUMS": b"x"}), "SHA256SUMS: line 1 is damaged"),
        (raw({"SHA256SUMS": b"", "index.html": b""}), "index.html: is not listed in SHA256SUMS"),
        (raw({"SHA256SUMS": b"", "evil.html": b""}), "evil.html: is no part of a package"),
        (raw({"SHA256SUMS": b"0" * 64 + b"  index.html\n"}), "index.html: is listed in SHA256SUMS"),
        (raw({"SHA256SUMS": b"0" * 64 + b"  index.html\n", "index.html": b""}), "was altered"),
        (raw({"SHA256SUMS": b""}, seal=False), "do not match its seal"),
        (raw({"../evil": b""}), "found the name '../evil'"),
        (raw({"runs/../../evil": b""}), "found the name"),
        (raw({"/etc/passwd": b""}), "found the name '/etc/passwd'"),
        (raw({"runs\\evil": b""}), "found the name"),
        (raw({"runs/": b""}), "found the name 'runs/'"),
        (raw({"a\x1b[31m": b""}), "found the name"),
        (raw({"index.html": b"", "INDEX.html": b""}), "found index.html and INDEX.html"),
        (raw({"index.html": b"/etc/passwd"}, mode=0o120777), "is no ordinary file"),
        (raw({"index.html": b"\0" * 2**26}), "would unpack to 64 MiB"),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes, reported: str) -> None:
    path = tmp_path / "p.zip"
    path.write_bytes(data)
    assert reported in refused(path)
    assert [p.name for p in tmp_path.iterdir()] == ["p.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for text in ("one", "two"):
            info = zipfile.ZipInfo("index.html")
            info.external_attr = 0o100644 << 16
            archive.writestr(info, text)
    (tmp_path / "p.zip").write_bytes(buffer.getvalue())
    assert "expected it once" in refused(tmp_path / "p.zip")


def test_a_truncated_package_is_refused(zipped: Path) -> None:
    data = zipped.read_bytes()
    for length in (1, 100, len(data) // 2, len(data) - 1):
        zipped.write_bytes(data[:length])
        assert re.search("altered( or cut off)?$", refused(zipped))


def test_bytes_hidden_between_files_are_noticed(zipped: Path) -> None:
    data = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        start = archive.start_dir
    hidden = b"hidden"
    body = data[:start] + hidden + data[start:-64]
    at = len(body) - 22
    body = body[: at + 16] + struct.pack("<L", start + len(hidden)) + body[at + 20 :]
    zipped.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
    assert "something is hidden between its files" in refused(zipped)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.zip")
    assert "is a folder" in refused(tmp_path)
