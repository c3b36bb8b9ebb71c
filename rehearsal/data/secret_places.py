"""Places in which a secret may turn up: an image's layers, the release repository's history."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

from rehearsal.data import release
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal

LEAK = "refs/heads/hotfix-keys"
"""A branch that nobody merged."""


def image(r: Rehearsal) -> Path:
    """The backend's image as an OCI layout: the release's own code as its one layer."""
    return r.path("images", "backend")


def make_image(r: Rehearsal, **beside: str) -> None:
    """Write the image again; `beside` are further files of the layer, by name."""
    folder = image(r)
    shutil.rmtree(folder, ignore_errors=True)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        layer.add(release.checkout(r) / release.BACKEND, "srv/app")
        for name, text in beside.items():
            member = tarfile.TarInfo(f"srv/{name}")
            member.size = len(text.encode())
            layer.addfile(member, io.BytesIO(text.encode()))
    packed = _blob(folder, gzip.compress(content.getvalue(), 1))
    config = _blob(folder, json.dumps({"config": {"User": "app", "Env": ["PORT=8000"]}}).encode())
    manifest = {"schemaVersion": 2, "config": {"digest": config}, "layers": [{"digest": packed}]}
    index = {
        "schemaVersion": 2,
        "manifests": [{"digest": _blob(folder, json.dumps(manifest).encode())}],
    }
    write_atomically(folder / "oci-layout", '{"imageLayoutVersion": "1.0.0"}', 0o644)
    write_atomically(folder / "index.json", json.dumps(index), 0o644)


def _blob(folder: Path, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / "sha256" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"sha256:{name}"


def commit_key(r: Rehearsal, text: str) -> None:
    """Commit a file with that text on a branch of the release repository."""
    repository = release.repository(r)
    blob = release.git(repository, "hash-object", "-w", "--stdin", text=text)
    tree = release.git(repository, "mktree", text=f"100644 blob {blob}\tnotes.txt\n")
    made = release.git(repository, "commit-tree", tree, "-m", "Notes")
    release.git(repository, "update-ref", LEAK, made)


def forget_key(r: Rehearsal) -> None:
    """Delete that branch."""
    release.git(release.repository(r), "update-ref", "-d", LEAK)
