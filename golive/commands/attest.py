"""``golive attest``: state items that people vouch for, one, several from a file, or a block."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import msgspec

from golive import readiness
from golive.commands import _saying, _signer
from golive.commands._saying import tell
from golive.commands._signer import Signer
from golive.context import Context
from golive.decoding import convert
from golive.people.statements import Signed
from golive.procedure import Item
from golive.toml import read_toml
from golive.verdicts import GoliveError


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    item: str
    text: str
    evidence: list[str] = []
    data: dict[str, Any] = {}
    expires: str = ""
    role: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    statement: list[_Entry]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item", nargs="?", default="", metavar="ITEM")
    parser.add_argument("--statement", metavar="TEXT", help="what you state")
    parser.add_argument(
        "--evidence",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE|URL",
        help="kept with the statement; the papers that the item asks for are attached anyway",
    )
    parser.add_argument(
        "--fetch", action="store_true", help="keep what addresses answer, not only the links"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE.json|KEY=VALUE",
        help="answers in a form that the item's check reads",
    )
    parser.add_argument(
        "--expires",
        default="",
        metavar="DATE|LENGTH",
        help="when it stops to hold (default: as long as launch.toml lets it)",
    )
    parser.add_argument("--role", default="", help="the role you state it in")
    parser.add_argument(
        "--block",
        default="",
        metavar="MARK|ID",
        help="go through what you have to state of a block (day_minus_5) or below an id (D-5)",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE.toml",
        help="several statements: [[statement]] with item, text, evidence, data, expires, role",
    )
    _signer.arguments(parser)


def run(options: argparse.Namespace) -> int:
    chosen = [w for w in ("item", "block", "source") if getattr(options, w)]
    if len(chosen) != 1:
        raise GoliveError("attest: expected an ITEM, or --block, or --from; just one of them")
    for word in ("statement", "evidence", "data", "expires"):
        if chosen != ["item"] and getattr(options, word):
            raise GoliveError(f"--{word}: goes with an ITEM; not with --block or --from")
    context = Context.open(options.env, reports=options.reports)
    with _signer.signing(context, options) as signer:
        if options.block:
            return _walk(context, signer, options)
        if options.source:
            return _several(context, signer, options)
        if not (options.statement or "").strip():
            line = _saying.item_of(context, options.item)
            raise GoliveError(f"--statement: is missing; expected what you state of {line.title!r}")
        with _saying.fetching(options.fetch) as fetched:
            made = _saying.attestation(
                context,
                signer,
                options.item,
                options.statement,
                evidence=options.evidence,
                data=_saying.answers(options.data),
                expires=options.expires,
                role=options.role,
                fetched=fetched,
            )
            signed = _saying.publish(context, signer, made)
        tell(*_saying.told_after(context, signer, signed))
    return 0


# -- several from a file ---------------------------------------------------------------------


def _several(context: Context, signer: Signer, options: argparse.Namespace) -> int:
    """Every statement is checked before the first is signed."""
    source: Path = options.source
    entries = _entries(source)
    with _saying.fetching(options.fetch) as fetched:
        made = []
        for n, entry in enumerate(entries, 1):
            try:
                one = _saying.attestation(
                    context,
                    signer,
                    entry.item,
                    entry.text,
                    evidence=entry.evidence,
                    data=entry.data,
                    expires=entry.expires,
                    role=entry.role or options.role,
                    base=source.parent,
                    fetched=fetched,
                )
                _saying.search(context, one)
                made.append(one)
            except GoliveError as e:
                raise GoliveError(f"{source}: statement {n}: {e}; nothing was signed") from None
        done: list[Signed] = []
        try:
            for one in made:
                done.append(_saying.publish(context, signer, one))
                tell(*_saying.told_after(context, signer, done[-1]))
        except GoliveError as e:
            raise GoliveError(f"{e}; {len(done)} of {len(made)} were signed before it") from None
    tell("", f"{len(done)} {'statement' if len(done) == 1 else 'statements'} signed")
    return 0


def _entries(source: Path) -> list[_Entry]:
    expected = "expected tables [[statement]] with item and text"
    try:
        file = convert(read_toml(source), _File)
    except msgspec.ValidationError as e:
        raise GoliveError(f"{source}: {e}; {expected}") from None
    if not file.statement:
        raise GoliveError(f"{source}: statement: found none; {expected}")
    items = [e.item for e in file.statement]
    for item in items:
        if items.count(item) > 1:
            raise GoliveError(f"{source}: item: found {item!r} twice; expected it once")
    return file.statement


# -- a block, item by item -------------------------------------------------------------------

_HOW = (
    "  What you type is signed. An empty line leaves the item for later; so does `skip`."
    " `quit` ends."
)


def _walk(context: Context, signer: Signer, options: argparse.Namespace) -> int:
    """What the signer still has to state of a block. What is signed stays, however it ends."""
    lines = _lines(context, options.block)
    waiting = [line for line in lines if _is_mine(context, signer, line)]
    if not waiting:
        tell(f"{options.block}: nothing waits for {signer.person.name}")
        return 0
    count = f"{len(waiting)} {'item waits' if len(waiting) == 1 else 'items wait'}"
    tell(f"{options.block}: {count} for {signer.person.name}", f"  key: {signer.reported}", _HOW)
    found = readiness.newest(context, {i.id for i in waiting})
    done = 0
    try:
        for n, line in enumerate(waiting, 1):
            tell("", *_asked(context, signer, line, f"{n} of {len(waiting)}", found.get(line.id)))
            done += _ask(context.reloaded(), signer, line, options)
    except (EOFError, KeyboardInterrupt, _Quit) as e:
        if not isinstance(e, _Quit):
            print()
    left = len(waiting) - done
    tell("", f"{done} signed, {left} left" + ("; the same command goes on with them" * (left > 0)))
    return int(left > 0)


class _Quit(Exception):
    """The signer has had enough for now."""


def _lines(context: Context, block: str) -> list[Item]:
    found = [i for i in context.procedure if i.block == block]
    if found:
        return found
    try:
        return context.procedure.under(block)
    except GoliveError:
        marks = ", ".join(dict.fromkeys(i.block for i in context.procedure))
        raise GoliveError(
            f"--block: found {block!r}; expected an id such as D-5, or one of {marks}"
        ) from None


def _is_mine(context: Context, signer: Signer, line: Item) -> bool:
    """Whether the item waits for just this person."""
    card = context.cards[line.id][0] if line.id in context.cards else None
    if card is None or (card.way or line.way) != "attested":
        return False
    own = context.roster.roles_of(signer.person.id)
    mine = _saying.vouched(context, line.id).of(signer.person.id)
    if mine is not None or not own:
        return False
    if card.each:
        return True
    if not _saying.still_missing(context, line.id):
        return False
    missing = _saying.lacking(context, line.id) or context.statements.entitlement.may_attest(
        line.id
    )
    return any(role in own for role in missing)


def _asked(
    context: Context, signer: Signer, line: Item, place: str, found: readiness.Finding | None
) -> list[str]:
    """What the signer has to know before stating an item."""
    card = context.cards[line.id][0]
    due = context.launch.due(line.due_day)
    lines = [f"{place}  {line.id}  {line.title}  (due {due}, {line.owner or 'nobody owns it'})"]
    lines.append(f"  you state   {card.asks}")
    if card.each:
        lines.append(
            "  signed by   everybody whom it concerns, in person; skip it if it is not you"
        )
    else:
        role = _saying.role_for(context, signer.person.id, line.id)
        lines.append(f"  you sign as {role.replace('_', ' ')}")
        others = [r for r in _saying.lacking(context, line.id) if r != role]
        if others:
            named = (
                f"{r.replace('_', ' ')} ({', '.join(p.name for p in context.roster.entitled(r))})"
                for r in others
            )
            lines.append(f"  besides you {', '.join(named)}")
        elif context.launch.needs_two(line.id):
            lines.append("  besides you a second person: this item takes two signatures")
    lines += [f"  attached    {context.papers / name}" for name in card.papers]
    refused = next((s for s in _saying.vouched(context, line.id).all if not s.valid), None)
    if refused is not None:
        by = refused.statement.by
        lines.append(
            f"  no more     what {by} signed {refused.statement.made_at:%Y-%m-%d}: {refused.cause}"
        )
    if found is not None:
        v = found.verdict
        said = f": {' '.join(v.message.split())}" if v.message else ""
        lines.append(f"  newest run  {v.verdict} on {v.started_at:%Y-%m-%d %H:%M} UTC{said}")
    return lines


def _ask(context: Context, signer: Signer, line: Item, options: argparse.Namespace) -> bool:
    """Have one item stated; False where it is left for later."""
    while True:
        text = _answer("statement")
        if text is None:
            return False
        evidence = _answer("evidence (files and addresses, or nothing)", empty=True)
        if evidence is None:
            return False
        data = _answer("answers (KEY=VALUE or FILE.json, or nothing)", empty=True)
        if data is None:
            return False
        try:
            with _saying.fetching(options.fetch) as fetched:
                made = _saying.attestation(
                    context,
                    signer,
                    line.id,
                    text,
                    evidence=_words(evidence),
                    data=_saying.answers(_words(data)),
                    role=options.role,
                    fetched=fetched,
                )
                signed = _saying.publish(context, signer, made)
        except GoliveError as e:
            tell(f"  not signed: {e}", f"  once more, {line.id}:")
            continue
        tell(*_saying.told_after(context, signer, signed))
        return True


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as e:
        raise GoliveError(f"found {text!r}: {e}; expected words as in a shell") from None


def _answer(what: str, *, empty: bool = False) -> str | None:
    """A line of what the signer types; None: leave the item for later."""
    given = input(f"  {what}> ").strip()
    if given == "quit":
        raise _Quit
    return None if given == "skip" or not (given or empty) else given
