"""The package that lay before the go/no-go meeting: one that can be opened and checked, with
nothing in it but of what it is. What a real one holds is for whoever tests packages."""

from __future__ import annotations

import hashlib
import json
import zipfile
from io import BytesIO
from pathlib import Path

from rehearsal.kernel.world import Rehearsal

SUMS = "SHA256SUMS"
_ABOUT = {
    "schema": 2,
    "golive": "rehearsal",
    "environment": "rehearsal",
    "environment_kind": "rehearsal",
    "environment_title": "Rehearsal",
    "engine": "",
    "fingerprint": "",
    "suite": {"commit": "", "clean": None},
}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644 << 16


def folder(r: Rehearsal) -> Path:
    """Where packages lie."""
    return r.path("people", "packages", "x").parent


def write(r: Rehearsal) -> str:
    """Write the package where it is not there; SHA-256 of the list of its files."""
    files = {"package.json": json.dumps(_ABOUT, sort_keys=True).encode()}
    sums = "".join(f"{hashlib.sha256(d).hexdigest()}  {n}\n" for n, d in sorted(files.items()))
    path = folder(r) / "before-the-meeting.zip"
    if not path.exists():
        path.write_bytes(_zipped(files | {SUMS: sums.encode()}))
    return hashlib.sha256(sums.encode()).hexdigest()


def _zipped(files: dict[str, bytes]) -> bytes:
    """As a package is written: sorted, without times, sealed by the digest of its own bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = _FILE
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name], compresslevel=6)
        archive.comment = b"0" * 64
    data = buffer.getvalue()[:-64]
    return data + hashlib.sha256(data).hexdigest().encode()
