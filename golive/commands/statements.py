"""``golive statements``: what people have signed, and whether it holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from golive.commands import _saying
from golive.commands._saying import tell
from golive.context import Context
from golive.people.statements import Signed, Statement, is_no_go

SCHEMA = 1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "item", nargs="?", default="", metavar="ITEM", help="only of this item or below this id"
    )
    parser.add_argument("--env", required=True, metavar="NAME", help="a name or a TOML file")
    parser.add_argument("--reports", type=Path, default=None, metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="everything, see docs/statements.md")
    parser.add_argument(
        "--signers",
        action="store_true",
        help="only whose keys may sign, as ssh-keygen's allowed signers",
    )


def run(options: argparse.Namespace) -> int:
    context = Context.open(options.env, reports=options.reports)
    if options.signers:
        print(context.roster.allowed_signers(), end="")
        return 0
    wanted = {i.id for i in context.procedure.under(options.item)} if options.item else None
    found = [
        s for s in context.statements.everything() if wanted is None or s.statement.item in wanted
    ]
    broken, disputed = context.statements.unreadable, context.statements.here().disputed()
    if options.json:
        print(json.dumps(_reported(context, found, broken, disputed), indent=1))
        return 0
    if not found and not disputed:
        tell(
            f"{context.statements.folder}: nobody has signed anything about {_of(context, options)}"
        )
    for signed in found:
        tell(*_lines(context, signed))
    for one in context.statements.all_set_aside():
        by = f"{one.first.statement.by} and {one.second.statement.by}"
        tell(f"set aside: {one.first.statement.data['record']}: by {by}")
    for name, why in disputed.items():
        what = "no statement" if name in broken else "counts against GO"
        tell(f"{what}: {name}: {why}")
    return 0


def _of(context: Context, options: argparse.Namespace) -> str:
    return f"{options.item or 'the launch'} in {context.environment.name}"


def _lines(context: Context, signed: Signed) -> list[str]:
    s = signed.statement
    if not signed.valid:
        state = f"DOES NOT HOLD: {signed.cause}"
    elif s.kind in ("revoke", "set-aside"):
        state = "holds"
    elif is_no_go(s):
        state = f"holds until {s.by} lifts it"
    else:
        state = f"holds until {context.statements.entitlement.ends(s):%Y-%m-%d %H:%M} UTC"
    what = f"{s.kind} {s.item or s.data.get('decision') or s.data.get('record', '')}".strip()
    lines = [
        f"{what}  by {s.by} as {s.role}  {s.made_at:%Y-%m-%d %H:%M} UTC  {state}",
        f"  {signed.id}",
        f"  {' '.join(s.text.split())[:300]}",
    ]
    return lines + [f"  evidence: {_saying.evidence_told(e)}" for e in s.evidence]


def _reported(
    context: Context, found: list[Signed], broken: dict[str, str], disputed: dict[str, str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "environment": context.environment.name,
        "candidate": context.launch.candidate,
        "statements": [
            {
                "id": signed.id,
                "sha256": signed.sha256,
                "kind": s.kind,
                "item": s.item,
                "by": s.by,
                "role": s.role,
                "text": s.text,
                "risk": s.risk,
                "data": s.data,
                "about": s.about,
                "readiness": s.readiness,
                "before": s.before,
                "candidate": s.candidate,
                "evidence": [
                    {"name": e.name, "sha256": e.sha256, "bytes": e.bytes, "url": e.url}
                    for e in s.evidence
                ],
                "made_at": s.made_at.isoformat(),
                "ends_at": _ends_at(context, s),
                "holds": signed.valid,
                "cause": signed.cause,
            }
            for signed in found
            for s in [signed.statement]
        ],
        "no_statements": broken,
        "disputed": disputed,
        "set_aside": [
            {
                "record": one.first.statement.data["record"],
                "sha256": one.first.statement.data["sha256"],
                "by": [one.first.statement.by, one.second.statement.by],
            }
            for one in context.statements.all_set_aside()
        ],
    }


def _ends_at(context: Context, s: Statement) -> str | None:
    if s.kind in ("revoke", "set-aside") or is_no_go(s):
        return None
    return context.statements.entitlement.ends(s).isoformat()
