"""Bringing a rehearsal up and down as a whole, and telling what happens meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from rehearsal import faults
from rehearsal.kernel import control, inventory, ports
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import tail
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.staff import launch_tools, papers

NEEDED_MB = 1_500
"""Free space that a rehearsal wants before it starts: data of primary and standby, two backups,
their copies and scratch instances come to about 1.2 GB."""
DOWN_WITHIN_S = 15.0
KEPT = frozenset({"certificates", "secrets", "logs", "state"})
KEPT_STATE = frozenset({"ports.json"})


def speak(text: str) -> None:
    """Tell people something, on standard error."""
    print(text, file=sys.stderr, flush=True)


def up(
    r: Rehearsal,
    *,
    only: Sequence[str] = (),
    reported: dict[str, int] | None = None,
    say: Callable[[str], None] = speak,
) -> bool:
    """Bring the rehearsal up, telling part by part; False when it was up already.

    Raises RehearsalError when a part fails; nothing runs then.
    """
    began = time.monotonic()
    _check_folder(r)
    with r.path("state", "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = control.supervisor(r.folder)
        if running is not None:
            say(f"The rehearsal in {r.folder} is up already (supervisor: process {running.pid}).")
            launch_tools.renew(r)
            if not faults.in_force(r):  # one may have a hand in a paper
                papers.renew(r)
            return False
        parts = inventory.parts(only)
        _clear_away(r, say)
        if reported:
            ports.tell(r.folder, reported)
        say(f"Bringing {len(parts)} parts up in {r.folder}")
        _launch(r, only, say)
    say(f"Up in {time.monotonic() - began:.1f} s. `python -m rehearsal status` shows what runs.")
    return True


def _check_folder(r: Rehearsal) -> None:
    """Refuse a folder that cannot be written or whose disk is nearly full."""
    if r.folder.is_dir() and any(r.folder.iterdir()) and not (r.folder / "state").is_dir():
        raise RehearsalError(
            f"The folder {r.folder} holds something else than a rehearsal, which would be "
            "deleted. Set GOLIVE_REHEARSAL to an empty or new folder."
        )
    try:
        r.folder.mkdir(parents=True, exist_ok=True)
        r.folder.chmod(0o711)
    except OSError as error:
        raise RehearsalError(
            f"The folder {r.folder} cannot be used: {error.strerror}. Set GOLIVE_REHEARSAL to "
            "one that this user may write to."
        ) from error
    free_mb = shutil.disk_usage(r.folder).free // 1_000_000
    if free_mb < NEEDED_MB:
        raise RehearsalError(
            f"The disk of {r.folder} has {free_mb} MB free; a rehearsal needs {NEEDED_MB} MB. "
            "Free some space, or set GOLIVE_REHEARSAL to a folder on another disk."
        )


def _clear_away(r: Rehearsal, say: Callable[[str], None]) -> None:
    """Every rehearsal begins with fresh data. What an earlier one left goes: processes that
    the kernel could not end, data, faults. Certificates, secrets, ports and logs stay."""
    left = control.leftovers(r.folder)
    if left:
        say(f"Ending {len(left)} processes that an earlier supervisor left behind.")
        control.end(left)
    for path in r.folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (r.folder / "state").glob("*.json"):
        if path.name not in KEPT_STATE:
            path.unlink()


def _launch(r: Rehearsal, only: Sequence[str], say: Callable[[str], None]) -> None:
    reading, writing = os.pipe()
    r.secret_file("control")
    with r.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rehearsal.kernel.supervisor",
                str(r.folder),
                str(writing),
                *only,
            ],
            env={**os.environ, "PYTHONPATH": str(PROJECT), control.MARK: str(r.folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
            cwd=r.folder,
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as events:
            for line in events:
                event = json.loads(line)
                if event["event"] == "ready":
                    say(_progress(event))
                elif event["event"] == "failed":
                    process.wait(DOWN_WITHIN_S)
                    raise RehearsalError(event["why"])
                elif event["event"] == "up":
                    return
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait(DOWN_WITHIN_S)
        raise
    raise RehearsalError(
        f"The supervisor ended before the rehearsal was up. Its log, {r.log('supervisor')}, "
        f"ends:\n{tail(r.log('supervisor'))}"
    )


def _progress(event: dict[str, Any]) -> str:
    where = " ".join(map(str, event["ports"]))
    return f"  {event['part']:<20} {event['seconds']:>5.1f} s  {where:<12} {event['origin']}"


def down(r: Rehearsal, say: Callable[[str], None] = speak) -> None:
    """Stop everything and make sure that no process of this rehearsal is left.

    Raises RehearsalError naming the processes that could not be ended.
    """
    began = time.monotonic()
    running = control.supervisor(r.folder)
    if running is not None:
        process = psutil.Process(running.pid)
        try:
            r.ask("down")
        except RehearsalError:
            process.terminate()
        if not control.ended(process, DOWN_WITHIN_S):
            control.end([process])
    left = control.leftovers(r.folder)
    control.end(left)
    stubborn = [one for one in left if one.is_running()]
    if stubborn:
        names = ", ".join(f"{one.name()} ({one.pid})" for one in stubborn)
        raise RehearsalError(f"These processes could not be ended: {names}. End them by hand.")
    (r.folder / "state" / "supervisor.json").unlink(missing_ok=True)
    (r.folder / "endpoints.toml").unlink(missing_ok=True)
    if running is None and not left:
        say(f"The rehearsal in {r.folder} was not up.")
    else:
        say(f"Down in {time.monotonic() - began:.1f} s; no process is left.")
