"""The command ``golive``: one module below ``golive.commands`` for each of its words."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from typing import Any

from golive.commands import COMMANDS
from golive.masking import clean
from golive.verdicts import GoliveError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; exit status 0, 1 (it failed) or 2 (wrong usage)."""
    if arguments is None:
        gc.disable()  # a command is short, and reads much that nothing refers back to
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["rehearsal"]:
        from rehearsal import cli as rehearsal_cli

        return rehearsal_cli.main(given[1:])
    parser = argparse.ArgumentParser(prog="golive", description="Launch validation.")
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = words.add_parser(name, help=summary, description=summary)
        if given[:1] == [name]:  # the others' modules are not needed
            _module(name).arguments(command)
    words.add_parser(
        "rehearsal", help="the embedded environment: up, down, status, fault, revert, faults"
    )
    options = parser.parse_args(given)
    try:
        return int(_module(options.command).run(options))
    except GoliveError as e:
        print(f"golive: {clean(str(e))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read it, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _module(name: str) -> Any:
    return importlib.import_module(f"golive.commands.{name.replace('-', '_')}")
