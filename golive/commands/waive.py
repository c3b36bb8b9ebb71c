"""``golive waive``: let the launch go without an item, until a date; two people sign."""

from __future__ import annotations

import argparse

from golive.commands import _exempt
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", default="", metavar="DATE", help="the last day on which it may be open"
    )
    parser.add_argument("--risk", default="", metavar="TEXT", help="what may happen meanwhile")
    _exempt.arguments(parser)


def run(options: argparse.Namespace) -> int:
    if options.item and not options.second:
        for word, expected in (("until", "a date"), ("risk", "what may happen meanwhile")):
            if not getattr(options, word).strip():
                raise GoliveError(f"--{word}: is missing; expected {expected}")
    return _exempt.run(options, "waive", risk=options.risk, until=options.until)
