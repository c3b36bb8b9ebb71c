"""The rehearsal's commands: ``python -m rehearsal up | down | status | fault | revert | faults``.

What is for people goes to standard error or, for ``status`` and ``faults``, to standard
output; working verbs print one JSON document on standard output. A failure is one paragraph
and exit status 1; wrong usage is 2.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from rehearsal import faults
from rehearsal.data import drills
from rehearsal.kernel import control, inventory, ports, supervisor
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import RehearsalError
from rehearsal.staff import launch_tools

NEEDED_MB = 1_500
"""Free space that a rehearsal wants before it starts: data of primary and standby, two backups,
their copies and scratch instances come to about 1.2 GB."""
DOWN_WITHIN_S = 15.0
KEPT = frozenset({"certificates", "secrets", "logs", "state"})
KEPT_STATE = frozenset({"ports.json"})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    r = Rehearsal()
    try:
        return int(options.do(r, options) or 0)
    except RehearsalError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print(supervisor.disk_full("The rehearsal", r.folder), file=sys.stderr)
            return 1
        raise
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rehearsal",
        description="Real parts on loopback that stand in for the product's environment.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, do: Callable[[Rehearsal, Any], int | None], text: str) -> Any:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(do=do)
        return made

    start = verb("up", _up, "start everything and wait until it serves")
    start.add_argument("--only", default="", help="these parts and what they need, by commas")
    start.add_argument("--port", action="append", default=[], metavar="NAME=NUMBER")
    verb("down", _down, "stop everything")
    verb("status", _status, "what runs").add_argument("--json", action="store_true")
    verb("stop", lambda r, o: r.stop(o.part), "stop one part").add_argument("part")
    verb("start", lambda r, o: r.start(o.part), "start one part again").add_argument("part")
    verb("restart", lambda r, o: r.restart(o.part), "restart one part").add_argument("part")
    verb("faults", _faults, "the faults there are").add_argument("--json", action="store_true")
    verb("fault", _fault, "break one thing").add_argument("name")
    verb("revert", _revert, "mend it again (without a name: everything)").add_argument(
        "name", nargs="?"
    )
    around = verb("walk", _walk, "all items, and what people do around them, by command")
    around.add_argument(
        "--reports",
        type=Path,
        default=PROJECT / "reports",
        metavar="FOLDER",
        help="of runs, pages and packages (default: the project's own)",
    )
    around.add_argument("words", nargs="*", help="more words for pytest, after --")
    drills.add_verbs(verb)
    return parser


# -- up and down -------------------------------------------------------------------------------


def _up(r: Rehearsal, options: Any) -> None:
    up(r, only=[n for n in options.only.split(",") if n], told=_told(options.port))


def _told(words: Sequence[str]) -> dict[str, int]:
    told: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if not name or not number.isdigit() or not 1024 <= int(number) < 32_768:
            raise RehearsalError(
                f"--port {word}: found no NAME=NUMBER with a number from 1024 to 32767."
            )
        told[name] = int(number)
    return told


def up(
    r: Rehearsal,
    *,
    only: Sequence[str] = (),
    told: dict[str, int] | None = None,
    say: Callable[[str], None] | None = None,
) -> bool:
    """Bring the rehearsal up, telling part by part; False when it was up already.

    Raises RehearsalError when a part fails; nothing runs then.
    """
    say = say or _say
    began = time.monotonic()
    _check_folder(r)
    with r.path("state", "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = control.supervisor(r)
        if running is not None:
            say(f"The rehearsal in {r.folder} is up already (supervisor: process {running.pid}).")
            launch_tools.renew(r)
            return False
        parts = inventory.parts(only)
        _clear_away(r, say)
        if told:
            ports.tell(r.folder, told)
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
        f"ends:\n{supervisor.tail(r.log('supervisor'))}"
    )


def _progress(event: dict[str, Any]) -> str:
    where = " ".join(map(str, event["ports"]))
    return f"  {event['part']:<20} {event['seconds']:>5.1f} s  {where:<12} {event['origin']}"


def _down(r: Rehearsal, _: Any) -> None:
    down(r)


def down(r: Rehearsal, say: Callable[[str], None] | None = None) -> None:
    """Stop everything and make sure that no process of this rehearsal is left.

    Raises RehearsalError naming the processes that could not be ended.
    """
    say = say or _say
    began = time.monotonic()
    running = control.supervisor(r)
    if running is not None:
        process = psutil.Process(running.pid)
        try:
            control.ask(r, "down")
        except RehearsalError:
            process.terminate()
        _, alive = psutil.wait_procs([process], timeout=DOWN_WITHIN_S)
        control.end(alive)
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


def _walk(r: Rehearsal, options: Any) -> int:
    from rehearsal.walk import walk  # which calls this module

    return walk(r, options.words, options.reports.resolve())


# -- status and faults -------------------------------------------------------------------------


def _status(r: Rehearsal, options: Any) -> int:
    running = control.supervisor(r)
    parts = control.ask(r, "status")["parts"] if running else {}
    broken = sorted(faults.in_force(r))
    well = bool(parts) and all(part["state"] == "ready" for part in parts.values())
    if options.json:
        document = {
            "folder": str(r.folder),
            "up": running is not None,
            "supervisor": running.pid if running else None,
            "parts": parts,
            "faults": broken,
        }
        print(json.dumps(document, indent=2))
        return 0 if well else 1
    if running is None:
        print(f"The rehearsal in {r.folder} is not up.")
        return 1
    print(f"{r.folder}  (supervisor: process {running.pid})")
    for name, part in parts.items():
        where = " ".join(map(str, part["ports"].values()))
        age = f"{time.time() - part['since']:.0f} s" if part["since"] else ""
        print(
            f"  {name:<20} {part['state']:<12} {where:<12} {part['pid'] or '-':<8} {age:<8} "
            f"{part['origin']}"
        )
    print(f"Faults in force: {', '.join(broken) or 'none'}")
    return 0 if well else 1


def _faults(r: Rehearsal, options: Any) -> None:
    known = faults.all_faults() | faults.waiting()
    broken = faults.in_force(r)
    if options.json:
        rows = [
            {
                "name": one.name,
                "title": one.title,
                "area": one.area,
                "reddens": list(one.all_red),
                "waits_for": list(one.waits_for),
                "in_force": one.name in broken,
            }
            for one in known.values()
        ]
        print(json.dumps(rows, indent=2))
        return
    area = ""
    for one in sorted(known.values(), key=lambda one: one.area):
        if one.area != area:
            area = one.area
            print(area)
        mark = "*" if one.name in broken else "-" if one.waits_for else " "
        print(f" {mark} {one.name:<34} {', '.join(one.all_red):<22} {one.title}")
    print(
        f"{len(known)} faults; * is in force; - is of an item that is red anyway, since what it"
        " rests on has no check yet"
    )


def _fault(r: Rehearsal, options: Any) -> None:
    faults.inject(r, options.name)
    one = faults.get(options.name)
    _say(f"{one.title}. Now red: {', '.join(one.all_red)}.")


def _revert(r: Rehearsal, options: Any) -> None:
    if options.name:
        faults.revert(r, options.name)
        _say(f"{options.name} is reverted.")
    else:
        reverted = faults.revert_all(r)
        _say(f"Reverted: {', '.join(reverted)}." if reverted else "No fault is in force.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
