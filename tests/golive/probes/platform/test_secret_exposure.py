"""Where secrets of a configuration may stand, in places made on disk."""

from __future__ import annotations

import base64
import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.secret_exposure import (
    Search,
    _files,
    _in_history,
    _in_images,
    _in_logs,
)
from golive.verdicts import ProbeError

EnvWith = Callable[..., Environment]
KEY = "s3cr3t/Value+of-20"
SEARCH = Search({"KEY": KEY, "URL": "postgresql://app:pass%40word99@db/x"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"key={KEY}", ["KEY"]),
        ("s3cr3t%2FValue%2Bof-20", ["KEY"]),
        (base64.b64encode(KEY.encode()).decode(), ["KEY"]),
        ("PASS: pass@word99", ["URL"]),
        ("s3cr3t/Value+of-2", []),
        ("", []),
    ],
)
def test_secrets_are_found_in_each_spelling(text: str, names: list[str]) -> None:
    assert SEARCH(text.encode()) == names


def test_what_is_short_is_not_looked_for() -> None:
    assert Search({"PORT": "8000", "FLAG": "true"}).names == []


def git(folder: Path, *words: str) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *words], cwd=folder, env=clean, check=True)


def test_a_key_that_was_deleted_stays_in_history(env_with: EnvWith, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a").write_text("one\n")
    git(folder, "add", "a")
    git(folder, "commit", "-qm", "one")
    env = env_with(release={"repository": str(folder)})
    clean = _in_history(env, SEARCH)
    assert (clean.places, clean.found) == (1, ())
    (folder / "a").write_text(f"one\nkey: {KEY}\n")
    git(folder, "commit", "-qam", "two")
    (folder / "a").write_text("one\n")
    git(folder, "commit", "-qam", "three")
    found = _in_history(env, SEARCH)
    assert found.places == 3
    assert [line.partition(": ")[2] for line in found.found] == ["KEY"]
    git(folder, "commit", "-q", "--allow-empty", "-m", "password is pass@word99")
    assert len(_in_history(env, SEARCH).found) == 2


def layer(text: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("srv/app.env")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_layers_of_a_layout_are_unpacked(
    env_with: EnvWith, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    blobs = tmp_path / "image" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (blobs / "a").write_bytes(pack(layer(f"KEY={KEY}")))
    (blobs / "b").write_bytes(b"{}")
    env = env_with(configuration={"images": [str(tmp_path / "image")]})
    found = _in_images(env, SEARCH)
    assert found.found == ("image, a: KEY",)
    assert found.places >= 2


def test_an_archive_of_docker_save_is_unpacked(env_with: EnvWith, tmp_path: Path) -> None:
    packed = gzip.compress(layer(f"KEY={KEY}"))
    with tarfile.open(tmp_path / "saved.tar", "w") as archive:
        member = tarfile.TarInfo("blobs/sha256/a")
        member.size = len(packed)
        archive.addfile(member, io.BytesIO(packed))
    env = env_with(configuration={"images": [str(tmp_path / "saved.tar")]})
    assert len(_in_images(env, SEARCH).found) == 1


def test_images_that_cannot_be_looked_into_are_told(env_with: EnvWith, tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="none is declared"):
        _in_images(env_with(configuration={"images": []}), SEARCH)
    (tmp_path / "empty").mkdir()
    for content in (None, b"\x28\xb5\x2f\xfd...", b"\x1f\x8b broken"):
        if content:
            (tmp_path / "one").write_bytes(content)
        name = "one" if content else "empty"
        with pytest.raises(ProbeError, match="the image"):
            _in_images(env_with(configuration={"images": [str(tmp_path / name)]}), SEARCH)


def test_rotated_and_packed_logs_are_read(env_with: EnvWith, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("fine\n")
    env = env_with(application={"logs": [{"path": str(tmp_path / "app.log")}]})
    assert _in_logs(env, SEARCH).found == ()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(f"key {KEY}\n".encode()))
    found = _in_logs(env, SEARCH)
    assert (found.places, len(found.found)) == (2, 1)
    old = tmp_path / "app.log.2"
    old.write_text(KEY)
    os.utime(old, (0, 0))
    assert _in_logs(env, SEARCH).places == 2


def test_files_are_judged_by_mode_and_owner(env_with: EnvWith, tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("x")
    path.chmod(0o600)
    owner = path.owner()

    def looked(**more: Any) -> str:
        declared = [{"path": str(path), **more}]
        [found] = _files(env_with(configuration={"secret_files": declared}))
        return found.flaw

    assert looked(user=owner) == ""
    assert "belongs to" in looked(user="nobody-else")
    path.chmod(0o604)
    assert "mode 0604" in looked(user=owner)
    with pytest.raises(ProbeError, match="neither user nor process"):
        looked()
    with pytest.raises(ProbeError, match="none is declared"):
        _files(env_with(configuration={"secret_files": []}))
