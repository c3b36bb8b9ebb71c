"""Files that several processes share: written in one step, read whole."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

TAIL_LINES = 12


def read_state(path: Path) -> dict[str, Any]:
    """A state file's content; {} where it does not exist yet."""
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return state


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that readers see the old or the new content, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(opened, "w") as file:
            os.fchmod(opened, mode)  # whatever the umask is: other users run some of it
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_secret(path: Path, value: str) -> None:
    write_atomically(path, value + "\n", 0o600)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_text(errors="replace")[-20_000:]
    except FileNotFoundError:
        return "    (it is empty)"
    last = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line}" for line in last) or "    (it is empty)"


def disk_full(what: str, folder: Path) -> str:
    """A paragraph for an owner: what found the disk of the folder full, and what to do."""
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    return (
        f"{what} found the disk of {folder} full ({free_mb} MB free). Free some space there, or "
        "set GOLIVE_REHEARSAL to a folder on another disk, and start again."
    )
