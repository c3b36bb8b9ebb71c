"""``golive not-applicable``: declare an item not applicable; two people sign."""

from __future__ import annotations

import argparse

from golive.commands import _exempt


def arguments(parser: argparse.ArgumentParser) -> None:
    _exempt.arguments(parser)


def run(options: argparse.Namespace) -> int:
    return _exempt.run(options, "not-applicable")
