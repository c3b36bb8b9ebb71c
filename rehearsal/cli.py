"""The rehearsal's commands: ``python -m rehearsal up | down | status | fault | revert | faults``.

What is for people goes to standard error or, for ``status`` and ``faults``, to standard
output; working verbs print one JSON document on standard output. A failure is one paragraph
and exit status 1; wrong usage is 2.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rehearsal import faults, lifecycle, walk
from rehearsal.data import drills, failover, tier
from rehearsal.kernel import control
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import disk_full
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.lifecycle import speak


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
            print(disk_full("The rehearsal", r.folder), file=sys.stderr)
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
    verb("revert", _revert, "fix it again (without a name: everything)").add_argument(
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
    failover.add_verbs(verb)
    tier.add_verbs(verb)
    return parser


# -- up and down -------------------------------------------------------------------------------


def _up(r: Rehearsal, options: Any) -> None:
    lifecycle.up(
        r, only=[n for n in options.only.split(",") if n], reported=_reported(options.port)
    )


def _reported(words: Sequence[str]) -> dict[str, int]:
    reported: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if not name or not number.isdigit() or not 1024 <= int(number) < 32_768:
            raise RehearsalError(
                f"--port {word}: found no NAME=NUMBER with a number from 1024 to 32767."
            )
        reported[name] = int(number)
    return reported


def _down(r: Rehearsal, _: Any) -> None:
    lifecycle.down(r)


def _walk(r: Rehearsal, options: Any) -> int:
    return walk.walk(r, options.words, options.reports.resolve())


# -- status and faults -------------------------------------------------------------------------


def _status(r: Rehearsal, options: Any) -> int:
    running = control.supervisor(r.folder)
    parts = r.ask("status")["parts"] if running else {}
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
    speak(f"{one.title}. Now red: {', '.join(one.all_red)}.")


def _revert(r: Rehearsal, options: Any) -> None:
    if options.name:
        faults.revert(r, options.name)
        speak(f"{options.name} is reverted.")
    else:
        reverted = faults.revert_all(r)
        speak(f"Reverted: {', '.join(reverted)}." if reverted else "No fault is in force.")
