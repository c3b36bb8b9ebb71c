"""``golive approve``: decide go or no-go on the launch."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from golive import readiness
from golive.commands import _saying, _signer
from golive.commands._saying import Draft, tell
from golive.context import Context
from golive.files import NotThere, sha256
from golive.people.signatures import MOST_BYTES
from golive.people.statements import DECISIONS
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("decision", choices=DECISIONS)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why")
    parser.add_argument(
        "--about",
        default="",
        metavar="DIGEST|FILE",
        help="what was decided on: a SHA-256, or the file itself, such as a package",
    )
    parser.add_argument("--role", default="", help="the role you decide in")
    _signer.arguments(parser)


def run(options: argparse.Namespace) -> int:
    context = Context.open(options.env, reports=options.reports)
    about = _digest(options.about)
    with _signer.signing(context, options) as signer:
        own = context.roster.roles_of(signer.person.id)
        may = [r for r in context.launch.approvers if r in own and options.role in ("", r)]
        if not may:
            wanted = ", ".join(context.launch.approvers) or "nobody: people.approvers is empty"
            raise GoliveError(
                f"--as: found {signer.person.id}, who has the roles {', '.join(own) or 'none'};"
                f" who decides on the launch: {wanted} ({context.launch.source})"
            )
        statement = _saying.draft(
            context,
            "approve",
            signer.person.id,
            may[0],
            options.reason,
            data={"decision": options.decision},
            about=about,
            made_at=_after_ones_own(context, signer.person.id, may[0]),
            readiness=_seen(context, options.decision),
        )
        signed = _saying.publish(context, signer, Draft(statement))
        tell(*_saying.told_after(context, signer, signed))
    if about:
        tell(f"  about     {about}")
    votes = context.reloaded().statements.here().votes()
    for role, said in votes.items():
        reported = (f"{s.statement.data['decision']} by {s.statement.by}" for s in said)
        tell(f"  {role}: {', '.join(reported) or 'not decided yet'}")
    return 0


def _seen(context: Context, decision: str) -> str:
    """SHA-256 of the readiness as it is now, on which a go rests."""
    all_due = context.environment.kind == "rehearsal"
    try:
        return readiness.assess(context, today=context.today, all_due=all_due).readiness
    except GoliveError:
        if decision == "go":
            raise
        return ""  # nothing keeps anybody from saying no


def _after_ones_own(context: Context, person: str, role: str) -> datetime:
    """Now, but after what the same person has decided in the same second: of the two the no-go
    would count."""
    now = datetime.now(UTC).replace(microsecond=0)
    said = (s.statement for s in context.statements.decisions())
    same = (s.by == person and s.role == role and s.made_at == now for s in said)
    return now + timedelta(seconds=1) if any(same) else now


def _digest(text: str) -> str:
    if not text or re.fullmatch(r"[0-9a-f]{64}", text):
        return text
    expected = "a SHA-256 (64 digits of 0-9 and a-f) or a file"
    try:
        return sha256(Path(text).expanduser(), MOST_BYTES, expected, links=True)
    except NotThere:
        raise GoliveError(f"--about: found {text!r}; expected {expected}") from None
    except GoliveError as e:
        raise GoliveError(f"--about: {e}") from None
