"""One reader for every file that comes from elsewhere, and one way to write golive's own."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from golive import files
from golive.verdicts import GoliveError

MOST = 2**10


@pytest.fixture(params=[0o022, 0o000, 0o777], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def refusal(path: Path, **how: bool) -> str:
    with pytest.raises(GoliveError) as caught:
        files.read(path, MOST, "a record", **how)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "expected a record" in text
    assert "\n" not in text
    return text


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_an_ordinary_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for data in (b"", b"x", bytes(range(256)) * 4):
        path.write_bytes(data)
        assert files.read(path, MOST, "a record") == data
        assert files.sha256(path, MOST, "a record") == hashlib.sha256(data).hexdigest()


def test_a_file_may_have_just_the_size_and_no_byte_more(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"x" * (MOST + 1))
    assert "has 1,025 bytes; expected a record, of 1 KiB at most" in refusal(path)
    with pytest.raises(GoliveError, match="of 1 KiB at most"):
        files.sha256(path, MOST, "a record")


def test_a_file_that_grows_while_it_is_read_is_bounded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"x")

    def growing(descriptor: int, *_: object) -> BinaryIO:
        path.write_bytes(b"x" * 5 * MOST)
        return open(descriptor, "rb")

    monkeypatch.setattr(os, "fdopen", growing)
    assert "has 5,120 bytes" in refusal(path)


def test_what_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(
        files.NotThere, match="cannot be read: No such file or directory; expected a record"
    ):
        files.read(tmp_path / "run.json", MOST, "a record")
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be read: Not a directory" in refusal(tmp_path / "file" / "run.json")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    os.mkfifo(path)
    assert "is a pipe" in refusal(path)
    assert "is a pipe" in refusal(path, links=True)


@pytest.mark.parametrize("device", ["zero", "null", "full", "urandom"])
def test_a_device_is_refused_whether_linked_or_not(tmp_path: Path, device: str) -> None:
    link = tmp_path / "run.json"
    link.symlink_to(f"/dev/{device}")
    assert "is a device" in refusal(link, links=True)
    assert "is a symbolic link" in refusal(link)
    assert "is a device" in refusal(Path("/dev") / device)


def test_a_folder_and_a_socket_are_refused_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    assert "is a folder" in refusal(tmp_path / "run.json")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert "is a socket" in refusal(tmp_path / "s")


def test_a_link_is_followed_only_where_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"{}")
    link = tmp_path / "run.json"
    link.symlink_to("real")
    assert "is a symbolic link; expected a record, the file itself" in refusal(link)
    assert files.read(link, MOST, "a record", links=True) == b"{}"
    link.unlink()
    link.symlink_to("run.json")
    assert "cannot be read" in refusal(link, links=True)
    link.unlink()
    link.symlink_to("gone")
    with pytest.raises(files.NotThere):
        files.read(link, MOST, "a record", links=True)


def test_text_that_is_no_utf8_is_named_by_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"ab\xff")
    with pytest.raises(GoliveError, match=r"run\.json: is not UTF-8 text: .* at byte 2"):
        files.read_text(path, MOST, "a record")
    path.write_bytes("ü\r\n".encode())
    assert files.read_text(path, MOST, "a record") == "ü\r\n"


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\x1b[31m\n"))
    with pytest.raises(GoliveError) as caught:
        files.read(odd, MOST, "a record")
    assert (
        str(caught.value)
        .encode()
        .endswith(
            rb"caf\udce9\x1b[31m\n: cannot be read: No such file or directory; expected a record"
        )
    )
    with pytest.raises(GoliveError, match=r"a\\x00b: cannot be read: embedded null"):
        files.read(Path("a\0b"), MOST, "a record")
    assert files.shown(Path("für/日")) == "für/日"


def test_any_refusal_with_such_a_name_can_be_printed() -> None:
    said = str(GoliveError(f"reports/{os.fsdecode(b'caf' + bytes([0xE9]))}: is no run"))
    assert said.encode() == rb"reports/caf\udce9: is no run"


@pytest.mark.usefixtures("umask")
def test_folders_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    made = files.folder(tmp_path / "there" / "a" / "b")
    assert made == tmp_path / "there" / "a" / "b"
    assert (mode(made), mode(made.parent), mode(tmp_path / "there")) == (0o700, 0o700, 0o755)
    made.chmod(0o750)
    files.folder(made)
    assert mode(made) == 0o750
    with pytest.raises(FileExistsError):
        files.folder(made, new=True)


def test_a_folder_is_not_made_where_something_else_lies(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            files.folder(tmp_path / name)
    with pytest.raises(OSError, match="file"):
        files.folder(tmp_path / "file" / "below")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("umask")
def test_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = files.write(tmp_path / "run.json", b"one")
    assert (path.read_bytes(), mode(path)) == (b"one", 0o600)
    path.chmod(0o644)
    files.write(path, b"two")
    assert (path.read_bytes(), mode(path)) == (b"two", 0o600)
    with files.create(tmp_path / "new") as file:
        file.write(b"x")
    assert mode(tmp_path / "new") == 0o600
    for piece in (b"a", b"b"):
        descriptor = files.append_only(tmp_path / "lines")
        os.write(descriptor, piece)
        os.close(descriptor)
    assert ((tmp_path / "lines").read_bytes(), mode(tmp_path / "lines")) == (b"ab", 0o600)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lines", "new", "run.json"]


def test_writing_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"kept")
    link = tmp_path / "run.json"
    link.symlink_to("precious")
    for attempt in (files.create, files.append_only):
        with pytest.raises(OSError, match=r"run\.json"):
            attempt(link)
    files.write(link, b"new")
    assert (link.is_symlink(), link.read_bytes()) == (False, b"new")
    assert (tmp_path / "precious").read_bytes() == b"kept"


def test_a_write_that_fails_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write(tmp_path / ("x" * 250), b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
