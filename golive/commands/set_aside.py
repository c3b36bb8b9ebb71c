"""``golive set-aside``: count without a record that is damaged or missing; two people sign.

What is in order is never set aside: a no-go that verifies, a run that found something red.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from golive import chain, ledger
from golive.commands import _saying, _signer
from golive.commands._exempt import one_of
from golive.commands._saying import Draft, tell
from golive.commands._signer import Signer
from golive.context import Context
from golive.people.statements import UNREADABLE, Statement, digest_of
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "record",
        nargs="?",
        default="",
        metavar="RECORD",
        help="the name of a run or a statement, or of what else lies among them",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="what has happened to it")
    parser.add_argument(
        "--second",
        default="",
        metavar="STATEMENT_ID",
        help="sign what somebody else has signed first, word for word",
    )
    parser.add_argument("--role", default="", help="the role you sign in")
    _signer.arguments(parser)


def run(options: argparse.Namespace) -> int:
    if bool(options.record) == bool(options.second):
        raise GoliveError(
            "set-aside: expected a RECORD, or --second STATEMENT_ID; just one of them"
        )
    if options.second and options.reason:
        raise GoliveError("--reason: the second person signs what the first one wrote")
    if options.record and not options.reason.strip():
        raise GoliveError("--reason: is missing; expected what has happened to the record")
    context = Context.open(options.env, reports=options.reports)
    with _signer.signing(context, options) as signer:
        made = (
            _second(context, signer, options)
            if options.second
            else _first(context, signer, options)
        )
        signed = _saying.publish(context, signer, Draft(made))
        tell(*_saying.told_after(context, signer, signed))
    record, sha256 = made.data["record"], made.data["sha256"]
    found = context.reloaded().statements.set_aside(record, sha256)
    if found is not None:
        by = f"{found.first.statement.by} and {found.second.statement.by}"
        tell(f"  complete  {record} is set aside, signed by {by}")
        return 0
    roles = [
        r
        for r in context.statements.entitlement.may_set_aside
        if not context.statements.entitlement.not_both_aside(made.role, r)
    ]
    seconds = (f"{r} ({_saying.entitled(context, r)})" for r in roles)
    tell(
        f"  missing   a second person, as {' or '.join(seconds)}:"
        f" golive set-aside --second {signed.id} --env {context.environment.name}"
    )
    return 0


def _first(context: Context, signer: Signer, options: argparse.Namespace) -> Statement:
    record = options.record.encode(errors="backslashreplace").decode()
    place, wrong = _found(context, record)
    if not wrong:
        raise GoliveError(
            f"{record}: is in order, so it counts; what somebody has said is taken back with"
            " `golive revoke`, and what a run has found is looked at again"
        )
    sha256 = "" if place is None else digest_of(place)
    if sha256 == UNREADABLE:
        raise GoliveError(f"{place}: cannot be read whole; make it readable, then set it aside")
    role = one_of(context, signer, context.statements.entitlement.may_set_aside, options.role)
    tell(f"{record}: {wrong}", "")
    return _saying.draft(
        context,
        "set-aside",
        signer.person.id,
        role,
        options.reason,
        data={"record": record, "sha256": sha256},
    )


def _second(context: Context, signer: Signer, options: argparse.Namespace) -> Statement:
    first = context.statements.find(options.second)
    said = first.statement
    if said.kind != "set-aside" or said.about:
        what = f"second part of a {said.kind}" if said.about else said.kind
        raise GoliveError(
            f"--second: {first.id} is a {what}; expected the first part of a set-aside"
        )
    if not first.valid:
        raise GoliveError(f"--second: {first.id} does not hold: {first.cause}")
    if said.by == signer.person.id:
        raise GoliveError(
            f"--second: {said.by} signed {first.id} first; expected another person to sign second"
        )
    record = said.data["record"]
    place, wrong = _found(context, record)
    if not wrong or (digest_of(place) if place else "") != said.data["sha256"]:
        raise GoliveError(
            f"--second: {record} is not as {said.by} saw it: {wrong or 'it is in order'}; expected"
            " a first part about what lies there now"
        )
    own = context.roster.roles_of(signer.person.id)
    causes = {r: context.statements.entitlement.not_both_aside(said.role, r) for r in own}
    role = one_of(context, signer, [r for r in own if not causes[r]], options.role, causes)
    tell(*(line.replace("signed:", "first:", 1) for line in _saying.shown(context, first)), "")
    return _saying.draft(
        context, "set-aside", signer.person.id, role, said.text, data=said.data, about=first.sha256
    )


def _found(context: Context, record: str) -> tuple[Path | None, str]:
    """Where a record lies, None where it is missing, and what is wrong with it; empty: nothing.

    :raises GoliveError: it is neither there nor missing.
    """
    place = context.statements.place_of(record)
    run = next((p for p in _runs(context) if _named(p) == record), None)
    if place is not None and run is not None:
        raise GoliveError(f"{record}: lies among the runs and among the statements; move one away")
    gaps = chain.gaps(
        chain.here(context.reports, context.statements.folder, context.environment.name)
    )
    if place is not None:
        return place, context.statements.here().disputed().get(record, "") or gaps.get(record, "")
    if run is not None:
        return run, _wrong(context, run) or gaps.get(record, "")
    if record not in gaps:
        raise GoliveError(
            f"{record}: is neither here nor missing; expected the name of a run, of a statement,"
            " or of one that `golive status` misses"
        )
    return None, gaps[record]


def _runs(context: Context) -> list[Path]:
    place = context.reports / "runs"
    return sorted(place.iterdir()) if place.is_dir() else []


def _named(path: Path) -> str:
    return path.name.encode(errors="backslashreplace").decode()


def _wrong(context: Context, folder: Path) -> str:
    """Why nothing of a run can count, whatever it has found; empty where it is in order."""
    if folder.is_symlink() or not folder.is_dir():
        return "is no run"
    try:
        found = ledger.read_run(folder, facts=False)
    except GoliveError as e:
        return str(e)
    here = context.environment
    if found.head.id != folder.name:
        return f"holds the run {found.head.id}"
    if found.head.environment.name != here.name:
        raise GoliveError(
            f"{folder.name}: is of {found.head.environment.name}; expected --env of that name"
        )
    if ledger.is_running(folder):
        raise GoliveError(f"{folder.name}: is still going on; wait for its end")
    if found.head.environment.kind != here.kind:
        return f"says that {here.name} is a {found.head.environment.kind}"
    if found.end is None:
        return "did not end"
    return "" if here.kind == "rehearsal" else ledger.unsigned(found, context.roster)
