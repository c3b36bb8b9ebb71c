"""The deploy artefacts of each release: `rehearsal/product` as it was at that version.

They stand in the project at the candidate's version. What an earlier release was deployed with
differs in nothing but its version and the digests of its images.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints

SOURCE = PROJECT / "rehearsal" / "product"
CANDIDATE = "2.0.0"


def lay_out(checkout: Path, version: str) -> None:
    """Put the artefacts of a version into a checkout, beside what else is there."""
    for path in sorted(SOURCE.rglob("*")):
        target = checkout / path.relative_to(SOURCE)
        if path.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if version != CANDIDATE and CANDIDATE.encode() in path.read_bytes():
            target.write_text(_as_of(version, target.read_text(encoding="utf-8")))


def _as_of(version: str, text: str) -> str:
    """A file's text as it was at an earlier version."""
    digests = r"(:\w+-v)" + re.escape(CANDIDATE) + "@sha256:([0-9a-f]{64})"

    def earlier(match: re.Match[str]) -> str:
        digest = hashlib.sha256(f"{match[2]} at {version}".encode()).hexdigest()
        return f"{match[1]}{version}@sha256:{digest}"

    dashed = CANDIDATE.replace(".", "-")
    text = re.sub(digests, earlier, text).replace(CANDIDATE, version)
    return text.replace(f"migrate-{dashed}", f"migrate-{version.replace('.', '-')}")


def endpoints(r: Rehearsal) -> Endpoints:
    """The program that renders the chart; `helm` by its name where there is none here."""
    try:
        helm = r.program("helm")
    except RehearsalError:
        helm = ["helm"]
    return {"kubernetes": {"helm": helm}}
