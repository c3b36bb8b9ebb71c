"""``golive report``: the report of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from golive import ledger
from golive.reports.run_report import write_run_report
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, nargs="?", help="a run's folder (default: the newest)")
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")


def run(options: argparse.Namespace) -> int:
    folder = options.run
    if folder is None:
        found = ledger.runs(options.reports)
        if not found:
            raise GoliveError(f"{options.reports / 'runs'}: found no run; expected at least one")
        folder = found[-1]
    print(f"report: {write_run_report(ledger.read_run(folder), folder / 'report.html')}")
    return 0
