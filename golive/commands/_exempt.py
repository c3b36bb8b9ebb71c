"""Setting an item aside: what ``golive waive`` and ``golive not-applicable`` share."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from golive.commands import _saying, _signer
from golive.commands._saying import Draft, tell
from golive.commands._signer import Signer
from golive.context import Context
from golive.people.statements import Kind, Statement
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    """What both commands take."""
    parser.add_argument("item", nargs="?", default="", metavar="ITEM")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why")
    parser.add_argument(
        "--second",
        default="",
        metavar="STATEMENT_ID",
        help="sign what somebody else has signed first, word for word",
    )
    parser.add_argument("--role", default="", help="the role you sign in")
    _signer.arguments(parser)


def run(options: argparse.Namespace, kind: Kind, *, risk: str = "", until: str = "") -> int:
    """Sign as the first person, or as the second."""
    if bool(options.item) == bool(options.second):
        raise GoliveError(f"{kind}: expected an ITEM, or --second STATEMENT_ID; just one of them")
    for word, value in (("reason", options.reason), ("risk", risk), ("until", until)):
        if options.second and value:
            raise GoliveError(f"--{word}: the second person signs what the first one wrote")
    if options.item and not options.reason.strip():
        raise GoliveError("--reason: is missing; expected why the item is set aside")
    context = Context.open(options.env, reports=options.reports)
    with _signer.signing(context, options) as signer:
        if options.second:
            statement = _second(context, signer, kind, options)
        else:
            statement = _first(context, signer, kind, options, risk, until)
        signed = _saying.publish(context, signer, Draft(statement))
        tell(*_saying.told_after(context, signer, signed))
    exemption, causes = context.reloaded().statements.exemption(signed.statement.item)
    if exemption is not None:
        by = f"{exemption.first.statement.by} and {exemption.second.statement.by}"
        tell(f"  complete  signed by {by}, in force until {exemption.until:%Y-%m-%d %H:%M} UTC")
        return 0
    if options.second:
        raise GoliveError(f"{signed.id}: was signed, but is not in force: {'; '.join(causes)}")
    seconds = [
        f"{r} ({', '.join(p.name for p in context.roster.entitled(r)) or 'nobody'})"
        for r in dict.fromkeys([*_owners(context, options.item), *context.launch.second_signers])
        if not context.statements.entitlement.not_both(options.item, signed.statement.role, r)
    ]
    tell(
        f"  missing   a second person, as {' or '.join(seconds)}:"
        f" golive {kind} --second {signed.id} --env {context.environment.name}"
    )
    return 0


def _first(
    context: Context, signer: Signer, kind: Kind, options: argparse.Namespace, risk: str, until: str
) -> Statement:
    item = options.item
    _saying.item_of(context, item)
    if kind == "not-applicable" and not context.launch.may_be_not_applicable(item):
        may = ", ".join(context.launch.not_applicable) or "none"
        raise GoliveError(
            f"{item}: can never be not applicable; expected one of {may}"
            f" (people.not_applicable in {context.launch.source});"
            " to launch without it: golive waive"
        )
    allowed = list(dict.fromkeys([*_owners(context, item), *context.launch.second_signers]))
    role = one_of(context, signer, allowed, options.role)
    now = datetime.now(UTC).replace(microsecond=0)
    ends = _saying.until(
        until, now, context.statements.entitlement.latest(kind, item, now), "--until"
    )
    return _saying.draft(
        context,
        kind,
        signer.person.id,
        role,
        options.reason,
        item=item,
        risk=risk,
        made_at=now,
        expires_at=ends,
    )


def _second(context: Context, signer: Signer, kind: Kind, options: argparse.Namespace) -> Statement:
    first = context.statements.find(options.second)
    said = first.statement
    if said.kind != kind or said.about:
        what = f"second part of a {said.kind}" if said.about else said.kind
        raise GoliveError(f"--second: {first.id} is a {what}; expected the first part of a {kind}")
    if not first.valid:
        raise GoliveError(f"--second: {first.id} does not hold: {first.cause}")
    if said.by == signer.person.id:
        raise GoliveError(
            f"--second: {said.by} signed {first.id} first; expected another person to sign second"
        )
    own = context.roster.roles_of(signer.person.id)
    causes = {r: context.statements.entitlement.not_both(said.item, said.role, r) for r in own}
    role = one_of(context, signer, [r for r in own if not causes[r]], options.role, causes)
    tell(*(line.replace("signed:", "first:", 1) for line in _saying.shown(context, first)), "")
    return _saying.draft(
        context,
        kind,
        signer.person.id,
        role,
        said.text,
        item=said.item,
        risk=said.risk,
        about=first.sha256,
        expires_at=said.expires_at,
    )


def _owners(context: Context, item: str) -> list[str]:
    owner = context.procedure.items[item].owner_mark
    return [owner] if owner else list(context.launch.approvers)


def one_of(
    context: Context,
    signer: Signer,
    allowed: list[str],
    wanted: str,
    causes: dict[str, str] | None = None,
) -> str:
    """The role to sign in, of those allowed.

    :raises GoliveError: the signer has none of them, or not the wanted one.
    """
    own = context.roster.roles_of(signer.person.id)
    may = [r for r in allowed if r in own and wanted in ("", r)]
    if may:
        return may[0]
    why = "; ".join(f"as {r}: {c}" for r, c in (causes or {}).items() if c)
    raise GoliveError(
        f"{'--role: found ' + wanted if wanted else '--as: found ' + signer.person.id}, but"
        f" {signer.person.id} has the roles {', '.join(own) or 'none'}; "
        + (why or f"expected one of {', '.join(allowed) or 'none'}")
    )
