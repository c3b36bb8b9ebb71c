"""A rehearsal's people sign by themselves, with throw-away keys, as its script says.

The rehearsal writes two files beside its keys: ``script.json`` has entries by item, and
``papers.json`` the SHA-256 of each paper as its author left it. An item without entries is stated
by the holder of each role that has to. What a fault spoils must stay spoilt, so only what was
never signed, has run out, or was signed for another check or an older paper is signed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from golive.context import Context
from golive.decoding import decode
from golive.files import NotThere, read
from golive.people.statements import (
    Evidence,
    Signed,
    Statement,
    evidence_name,
    evidence_of,
    fingerprint,
    keep,
)
from golive.verdicts import GoliveError, Pending

T = TypeVar("T")
_MOST_BYTES = 4 * 2**20


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who states an item. Empty: the holder of the role; the owner's role; what the item asks."""

    by: str = ""
    role: str = ""
    text: str = ""
    data: dict[str, Any] = {}
    links: list[str] = []
    papers: list[str] = []
    """File names of papers of one's own that are named as evidence besides those of the item."""
    documents: list[str] = []
    """File names of deliverables that are named as evidence, as they lie there."""
    made_ago_s: float = 0.0
    holds_s: float = 0.0
    key: str = ""
    """Somebody else's key, where it is signed with the wrong one."""
    after: list[str] = []
    """Items that have to be stated before, and are; it is stated again once they are newer."""


def rehearse(context: Context, item: str) -> None:
    """Bring a rehearsal's statements about an item up to its script.

    :raises GoliveError: the script is damaged.
    """
    keys = context.keys
    if keys is None or context.environment.kind != "rehearsal":
        return  # nobody but people themselves signs anything that counts
    card = context.cards[item][0]
    line = context.procedure.items[item]
    entries = (_read(keys.parent / "script.json", dict[str, list[Entry]]) or {}).get(item)
    if entries is None:
        entries = [Entry(role=r) for r in (card.by or (line.owner_mark,)) if r]
        if context.launch.needs_two(item) and len(entries) == 1:
            others = [r for r in context.launch.second_signers if r != entries[0].role]
            entries += [Entry(role=r) for r in others[:1]]
    try:
        papers = context.digests(card.papers)
    except Pending:
        return  # there is nothing yet that could be signed
    written = _read(keys.parent / "papers.json", dict[str, str]) or {}
    for before in dict.fromkeys(i for e in entries for i in e.after):
        rehearse(context.reloaded(), before)  # it may have been stated a moment ago
    had = context.statements.vouched(item).all
    for entry in entries:
        _state(context, item, entry, papers, written, had, keys)


def rehearse_exemption(context: Context, item: str) -> None:
    """Have the two people of a rehearsal's script declare an item not applicable, the second what
    the first one wrote. One that was signed stays as it is, unless it has run out by itself.

    :raises GoliveError: the script is damaged.
    """
    keys = context.keys
    if keys is None or context.environment.kind != "rehearsal":
        return
    entries = (_read(keys.parent / "script.json", dict[str, list[Entry]]) or {}).get(item, [])
    about, ends = "", datetime.max.replace(tzinfo=UTC)
    line, entitlement = context.procedure.items[item], context.statements.entitlement
    had = [s for s in context.statements.everything() if s.statement.item == item]
    for entry in entries:
        same = [s for s in had if (s.statement.by, s.statement.role) == (entry.by, entry.role)]
        key = keys / (entry.key or entry.by)
        ran_out = [s for s in same if "expired" in s.cause and not entry.made_ago_s]
        kept = next((s for s in same if s not in ran_out), None)
        if kept is None and key.is_file():
            made_at = datetime.now(UTC).replace(microsecond=0)
            made_at -= timedelta(seconds=entry.made_ago_s)
            latest = entitlement.latest("not-applicable", item, made_at)
            held = made_at + timedelta(seconds=entry.holds_s) if entry.holds_s else latest
            ends = min(ends, held)
            statement = Statement(
                kind="not-applicable",
                item=item,
                title=line.title,
                fingerprint=fingerprint(line.title, context.cards.get(item)),
                environment=context.environment.name,
                environment_kind=context.environment.kind,
                candidate=context.launch.candidate,
                by=entry.by,
                role=entry.role,
                text=entry.text,
                about=about,
                made_at=made_at,
                expires_at=ends,
            )
            kept = keep(statement, [], key, context.statements.folder)
        if kept is not None:
            about, ends = about or kept.sha256, min(ends, kept.statement.expires_at)


def _state(
    context: Context,
    item: str,
    entry: Entry,
    papers: dict[str, str],
    written: dict[str, str],
    had: list[Signed],
    keys: Path,
) -> None:
    line, (card, _) = context.procedure.items[item], context.cards[item]
    role = entry.role or line.owner_mark
    holders = context.roster.holders(role)
    by = entry.by or (holders[0].id if holders else "")
    key = keys / (entry.key or by)
    mark = fingerprint(line.title, context.cards[item])
    # A paper that is as its author left it is signed again; one that somebody altered is not.
    papers = papers | context.digests(tuple(entry.papers))
    current = {evidence_name(n): s for n, s in papers.items() if written.get(n) == s}
    files = [context.papers / name for name in papers]
    for path in (context.documents / name for name in entry.documents):
        if path.is_file():
            current[evidence_name(path.name)] = evidence_of(path).sha256
            files.append(path)
    made_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=entry.made_ago_s)
    now = context.reloaded()
    since = [s.statement.made_at for before in entry.after for s in now.vouched(before).valid]
    for s in had:
        said = s.statement
        if (said.by, said.role, said.data, said.fingerprint) != (by, role, entry.data, mark):
            continue
        if since and said.made_at < max(since):
            continue
        kept = {e.name: e.sha256 for e in said.evidence if e.sha256}
        ran_out = "expired" in s.cause and not entry.made_ago_s
        if not ran_out and all(kept.get(name) == sha256 for name, sha256 in current.items()):
            return
    if not by or not key.is_file():
        return
    validity = context.launch.validity(item)
    ends = timedelta(seconds=entry.holds_s) if entry.holds_s else validity
    statement = Statement(
        kind="attest",
        item=item,
        title=line.title,
        fingerprint=mark,
        environment=context.environment.name,
        environment_kind=context.environment.kind,
        candidate=context.launch.candidate,
        by=by,
        role=role,
        text=entry.text or card.asks or line.title,
        data=entry.data,
        evidence=[Evidence(name="link", url=url) for url in entry.links],
        made_at=made_at,
        expires_at=made_at + ends,
    )
    keep(statement, files, key, context.statements.folder)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return decode(read(path, _MOST_BYTES, "a file of a rehearsal"), kind)
    except NotThere:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise GoliveError(f"{path}: is damaged: {e}") from None
