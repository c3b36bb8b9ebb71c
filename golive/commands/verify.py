"""``golive verify``: whether a package is whole, signed, and says what its records say."""

from __future__ import annotations

import argparse
from pathlib import Path

from golive import package
from golive.commands._saying import tell
from golive.desk import Desk
from golive.reports.pages import counted
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", type=Path)
    parser.add_argument(
        "--roster", type=Path, metavar="FILE",
        help="who may sign (default: the roster of these suites, else the enclosed one)",
    )  # fmt: skip
    parser.add_argument(
        "--for", dest="purpose", default="", metavar="ENV",
        help="refuse a package that is not about this environment, or one of this kind",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    with package.opened(options.package) as opened:
        roster = options.roster or _own(opened.about.environment)
        found = package.verify(opened, roster, options.purpose)
    answer = found.answer
    mark = "REHEARSAL, decides nothing: " if answer.is_rehearsal else ""
    signed = [f"  signed    {name} ({roles})" for name, roles in found.signed_by]
    trusted = f"  roster    {roster}"
    if roster is None:
        trusted = (
            "  roster    the enclosed one was believed: that these keys are these people's is not"
            " shown; name yours with --roster"
        )
    tell(
        f"holds: {options.package}",
        f"  answer    {mark}{answer.answer}, {answer.candidate} on {answer.environment_title}, as"
        f" of {answer.made_at:%Y-%m-%d %H:%M} UTC",
        *signed,
        trusted,
        f"  made anew from {counted(found.runs, 'run')} and"
        f" {counted(found.statements, 'statement')};"
        f" {counted(found.documents, 'signature')} of documents hold",
    )
    return 0


def _own(environment: str) -> Path | None:
    """The roster of the suites here, if they know that environment."""
    if not (Path("suites") / "environments" / f"{environment}.toml").is_file():
        return None
    try:
        file = Desk.open(environment).roster_file
    except GoliveError:  # a rehearsal that is not up has none
        return None
    return file if file.is_file() else None
