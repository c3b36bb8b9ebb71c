"""``golive revoke``: take back a statement, one's own or one that one has a say in."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import msgspec

from golive.commands import _saying, _signer
from golive.commands._saying import Draft, tell
from golive.context import Context
from golive.people.statements import FOR_GOOD, is_no_go
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("statement", metavar="STATEMENT_ID")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why it does not hold")
    parser.add_argument("--role", default="", help="the role you revoke it in")
    _signer.arguments(parser)


def run(options: argparse.Namespace) -> int:
    context = Context.open(options.env, reports=options.reports)
    target = context.statements.find(options.statement)
    said = target.statement
    if said.environment != context.environment.name:
        raise GoliveError(f"{target.id}: is of {said.environment}; expected --env of that name")
    if said.kind == "revoke":
        raise GoliveError(
            f"{target.id}: is a revocation, which stays; what it took back can be signed again"
        )
    before = context.statements.revoked(target)
    if before:
        raise GoliveError(f"{target.id}: is revoked already: {before}")
    now = datetime.now(UTC).replace(microsecond=0)
    with _signer.signing(context, options) as signer:
        by = signer.person.id
        may = []
        for role in context.roster.roles_of(by):
            if options.role in ("", role):
                made = _saying.draft(
                    context,
                    "revoke",
                    by,
                    role,
                    options.reason,
                    about=target.sha256,
                    made_at=now,
                    expires_at=now + FOR_GOOD,
                )
                # It is about the statement, whatever has become of its item since.
                made = msgspec.structs.replace(
                    made, item=said.item, title=said.title, fingerprint=said.fingerprint
                )
                may += [made] if context.statements.entitlement.may_revoke(made, target) else []
        if not may:
            if is_no_go(said):
                raise GoliveError(
                    f"--as: found {by}; {target.id} is a no-go, which only {said.by} takes back"
                )
            others = dict.fromkeys([*context.launch.second_signers, *context.launch.approvers])
            raise GoliveError(
                f"--as: found {by}; {target.id} can be revoked by {said.by}, who signed it, by the"
                f" owner of its item, and as {', '.join(others)}"
            )
        signed = _saying.publish(context, signer, Draft(may[0]))
        tell(*_saying.told_after(context, signer, signed))
    after = context.reloaded().statements.find(target.id)
    tell(f"  revoked   {target.id}: {after.cause}")
    return 0
