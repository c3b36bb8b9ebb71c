"""``golive verify``: whether a package is whole, signed, and says what its records say."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from golive import environments, package
from golive.commands._saying import tell
from golive.launch import parse_date, parse_length
from golive.package import Trust, Verified
from golive.package.drift import LAUNCH
from golive.reports.pages import counted
from golive.toml import read_toml
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", type=Path)
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="who may sign (default: the roster of these suites, else the enclosed one)",
    )
    parser.add_argument(
        "--suites",
        type=Path,
        metavar="FOLDER",
        help="the rules that it has to be made by (default: suites/ here, if it knows the"
        " environment, else the enclosed ones)",
    )
    parser.add_argument(
        "--for",
        dest="purpose",
        default="",
        metavar="ENV",
        help="refuse a package that is not about this environment, or one of this kind",
    )
    parser.add_argument(
        "--not-older-than",
        default="",
        metavar="LENGTH|DATE",
        help='refuse an answer that is older than this, such as "24 h" or 2026-12-07',
    )
    parser.add_argument(
        "--golive",
        default="",
        metavar="SHA256",
        help="the code of another golive that you trust to have made it",
    )


def run(options: argparse.Namespace) -> int:
    if options.golive and not re.fullmatch(r"[0-9a-f]{64}", options.golive):
        raise GoliveError(f"--golive: found {options.golive!r}; expected a SHA-256 of 64 digits")
    with package.opened(options.package) as opened:
        trust = _trust(options, opened.about.environment)
        found = package.verify(opened, trust)
    tell(*_reported(options.package, found, trust))
    return 0


def _reported(path: Path, found: Verified, trust: Trust) -> list[str]:
    answer, about = found.answer, found.about
    mark = "REHEARSAL, decides nothing: " if answer.is_rehearsal else ""
    missing = ", ".join(r.replace("_", " ") for r in found.unsigned)
    roster = trust.roster or (
        "the enclosed one was believed: that these keys are these people's is not shown; name"
        " yours with --roster"
    )
    rules = (
        f"as in {trust.suites}"
        if trust.suites
        else (
            "the enclosed ones were believed: that nobody loosened launch.toml, the procedure or a"
            " check is not shown; name yours with --suites"
        )
    )
    about_it = f"{answer.candidate} on {answer.environment_title}"
    made = f"{counted(found.runs, 'run')} and {counted(found.statements, 'statement')}"
    return [
        f"holds: {path}",
        f"  answer    {mark}{answer.answer}, {about_it}, as of {answer.made_at:%Y-%m-%d %H:%M} UTC",
        *(f"  signed    {name} ({roles})" for name, roles in found.signed_by),
        *([f"  missing   the signatures of {missing}, who decide"] if missing else []),
        f"  roster    {roster}",
        f"  rules     {rules}",
        f"  golive    {about.golive} of SHA-256 {about.engine}",
        f"  made again from {made}; {counted(found.documents, 'signature')} of documents hold",
    ]


def _trust(options: argparse.Namespace, environment: str) -> Trust:
    suites: Path | None = options.suites
    if suites is not None and not (suites / LAUNCH).is_file():
        raise GoliveError(f"--suites: found no {LAUNCH} in {suites}; expected a folder of suites")
    own = suites or Path("suites")
    described = own / "environments" / f"{environment}.toml"
    roster: Path | None = options.roster
    fingerprint = kind = ""
    if described.is_file():
        suites = own
        kind = str(read_toml(described).get("kind", ""))
        outline = _outline(described, own, kind)
        if outline is not None:
            fingerprint = outline.fingerprint
            roster = roster or own.resolve().parent / outline.people.roster
            if not roster.is_file():
                raise GoliveError(
                    f"{roster}: is not there; expected the roster of {environment}, or yours with"
                    " --roster"
                )
    return Trust(
        roster=roster,
        suites=suites,
        fingerprint=fingerprint,
        kind=kind,
        engine=options.golive,
        purpose=options.purpose,
        not_before=_moment(options.not_older_than),
    )


def _outline(described: Path, suites: Path, kind: str) -> environments.Outline | None:
    """An environment as it is described here; None: a rehearsal that is not up."""
    try:
        root = suites.resolve().parent
        return environments.outline(described, suites / "product.toml", root)
    except GoliveError:
        if kind != "rehearsal":
            raise
        return None


def _moment(text: str) -> datetime | None:
    """The start of a day in UTC, or so long ago."""
    where = "--not-older-than"
    if not text:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = parse_date(text, where)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    spaced = re.sub(r"(?<=[0-9])(?=(?:min|h|d)$)", " ", text)
    try:
        return datetime.now(UTC) - parse_length(spaced, where)
    except (GoliveError, OverflowError):
        raise GoliveError(
            f"{where}: found {text!r}; expected a date such as 2026-12-07 or a length of time such"
            ' as "24 h" or "7 d"'
        ) from None
