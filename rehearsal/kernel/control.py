"""Talking to the supervisor of a rehearsal, and finding out whether there is one."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import read_state

MARK = "REHEARSAL_CHILD_OF"
"""Environment variable of every process of a rehearsal; its value is the folder."""
TALK_WITHIN_S = 180.0


@dataclass(frozen=True)
class Record:
    """What a running supervisor wrote of itself."""

    pid: int
    port: int
    begun: float
    """Start of the process, Unix seconds: a pid alone may be somebody else's by now."""


def supervisor(folder: Path) -> Record | None:
    """The running supervisor of the rehearsal in a folder; None when there is none, whatever an
    old record says."""
    known = read_state(folder / "state" / "supervisor.json")
    if not known:
        return None
    record = Record(known["pid"], known["port"], known["begun"])
    try:
        process = psutil.Process(record.pid)
        alive = process.status() != psutil.STATUS_ZOMBIE
        same = abs(process.create_time() - record.begun) < 2.0
    except psutil.NoSuchProcess:
        return None
    return record if alive and same else None


def ask(folder: Path, secret: str, log: Path, verb: str, /, **request: Any) -> dict[str, Any]:
    """Have the supervisor of a rehearsal's folder do something; its answer.

    :param secret: what it knows requests by.
    :param log: its log, which an error points to.

    Raises RehearsalError when there is no supervisor, or with the supervisor's own words.
    """
    record = supervisor(folder)
    if record is None:
        raise RehearsalError(
            f"The rehearsal in {folder} is not up. `python -m rehearsal up` starts it."
        )
    message = json.dumps({"verb": verb, "token": secret, **request}) + "\n"
    try:
        with socket.create_connection(("127.0.0.1", record.port), timeout=TALK_WITHIN_S) as line:
            line.sendall(message.encode())
            with line.makefile() as answers:
                text = answers.readline()
    except OSError as error:
        raise RehearsalError(
            f"The supervisor of {folder} (process {record.pid}) does not answer to {verb}: "
            f"{error}. See {log}."
        ) from error
    if not text:
        raise RehearsalError(f"The supervisor of {folder} hung up during {verb}. See {log}.")
    answer: dict[str, Any] = json.loads(text)
    if "error" in answer:
        raise RehearsalError(answer["error"])
    return answer


def leftovers(folder: Path) -> list[psutil.Process]:
    """Processes that belong to the rehearsal of that folder, the supervisor's own excepted."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(MARK) == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            # Somebody else's process, or one that ended just now.
            continue
    return found


def ended(process: psutil.Process, within_s: float) -> bool:
    """Wait until a process has ended, collected by its parent or not: an init may take seconds
    for that. False when it runs on."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def end(processes: list[psutil.Process], within_s: float = 2.0) -> None:
    """End processes, by force after half of the time."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=within_s / 2)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=within_s / 2)
