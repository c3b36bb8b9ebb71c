"""Statements from the command line: drafted, refused before anything is written, signed, shown."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from golive.commands._fetching import fetch
from golive.commands._signer import Signer
from golive.context import Context
from golive.files import read_text, write
from golive.launch import parse_date, parse_length
from golive.masking import MASKED, clean, given_away
from golive.people.statements import (
    Evidence,
    Kind,
    Signed,
    Statement,
    Vouched,
    evidence_name,
    evidence_of,
    fingerprint,
    is_no_go,
    keep,
    sayable,
)
from golive.procedure import Item
from golive.verdicts import GoliveError, Pending

_MOST_FETCHED_BYTES = 16 * 2**20
_MOST_ANSWERS_BYTES = 2**20
_FETCH_LIMIT_S = 30.0
_IS_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Draft:
    """A statement that can be signed, with the files that it brings along."""

    statement: Statement
    files: list[Path] = field(default_factory=list)
    addresses: dict[Path, str] = field(default_factory=dict)


def tell(*lines: str) -> None:
    """Print; what others wrote cannot drive the terminal."""
    for line in lines:
        print(clean(line), flush=True)


def item_of(context: Context, ident: str) -> Item:
    """The item of an id.

    :raises GoliveError: there is none.
    """
    line = context.procedure.items.get(ident)
    if line is None:
        raise GoliveError(
            f"{context.procedure.source}: found no item {ident!r}; expected an id such as"
            f" {next(iter(context.procedure.items))}"
        )
    return line


def draft(
    context: Context,
    kind: Kind,
    by: str,
    role: str,
    text: str,
    *,
    item: str = "",
    risk: str = "",
    data: Mapping[str, Any] | None = None,
    evidence: Sequence[Evidence] = (),
    about: str = "",
    readiness: str = "",
    made_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Statement:
    """What is to be signed, filled in from the context."""
    at = made_at or datetime.now(UTC).replace(microsecond=0)
    line = item_of(context, item) if item else None
    statement = Statement(
        kind=kind,
        item=item,
        title=line.title if line else "",
        fingerprint=fingerprint(line.title, context.cards.get(item)) if line else "",
        environment=context.environment.name,
        environment_kind=context.environment.kind,
        candidate=context.launch.candidate,
        by=by,
        role=role,
        text=text.strip(),
        risk=risk.strip(),
        data=dict(data or {}),
        evidence=list(evidence),
        about=about,
        readiness=readiness,
        before=context.tips(),
        made_at=at,
        expires_at=expires_at or context.statements.entitlement.latest(kind, item, at),
    )
    sayable(statement)
    return statement


def attestation(
    context: Context,
    signer: Signer,
    item: str,
    text: str,
    *,
    evidence: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    expires: str = "",
    role: str = "",
    base: Path | None = None,
    fetched: Path | None = None,
) -> Draft:
    """An attestation, with the papers that its item asks for; refused where it could not hold.

    :param evidence: files, and addresses of http or https.
    :param base: folder at which relative paths start; default: the working directory.
    :param fetched: where addresses are fetched to; None: they are kept as links.
    :raises GoliveError: one paragraph with what is wrong.
    """
    line = item_of(context, item)
    card = context.cards[item][0] if item in context.cards else None
    if card is None:
        raise GoliveError(
            f"{item}: nobody has written its check yet, so that no statement of it could hold"
        )
    if (card.way or line.way) != "attested":
        raise GoliveError(
            f"{item}: is verified by {card.way or line.way}, not by what people state; to launch"
            f" without it: golive waive {item}"
        )
    role = role_for(context, signer.person.id, item, role)
    links: list[Evidence] = []
    files: list[Path] = []
    addresses: dict[Path, str] = {}
    for one in evidence:
        if _IS_URL.match(one):
            link = _link(one)
            if fetched is None:
                links.append(link)
            else:
                file, last = _fetch(one, fetched)
                files.append(file)
                addresses[file] = last
        else:
            path = Path(one).expanduser()
            files.append(path if base is None else base / path)
    try:
        papers = context.digests(card.papers)
    except Pending as e:
        raise GoliveError(f"{item}: {e}") from None
    own = {evidence_name(f.name): f for f in files}
    for name, digest in papers.items():
        given = own.get(evidence_name(name))
        if given is None:
            files.append(context.papers / name)
        elif evidence_of(given).sha256 != digest:
            raise GoliveError(
                f"--evidence: found {given}, but {item} rests on"
                f" {context.papers / name}, which says"
                " something else; expected that one, which is attached by itself"
            )
    for file in files:
        evidence_of(file)
    now = datetime.now(UTC).replace(microsecond=0)
    ends = until(
        expires, now, context.statements.entitlement.latest("attest", item, now), "--expires"
    )
    statement = draft(
        context,
        "attest",
        signer.person.id,
        role,
        text,
        item=item,
        data=data,
        evidence=links,
        made_at=now,
        expires_at=ends,
    )
    return Draft(statement, files, addresses)


def role_for(context: Context, person: str, item: str, wanted: str = "") -> str:
    """The role in which somebody may state an item.

    :raises GoliveError: the person has none, or not the wanted one.
    """
    own = context.roster.roles_of(person)
    if context.statements.entitlement.is_asked_of_each(item):
        may = own
    else:
        allowed = context.statements.entitlement.may_attest(item)
        may = [r for r in allowed if r in own]
    if wanted and wanted in may:
        return wanted
    if wanted or not may:
        asked = context.statements.entitlement.may_attest(item)
        who = "; ".join(f"{r} ({entitled(context, r)})" for r in asked)
        what = f"--role: found {wanted}" if wanted else f"--as: found {person}"
        raise GoliveError(
            f"{what}, but {person} has the roles {', '.join(own) or 'none'}; {item} is stated by"
            f" {who or 'everybody of a set'}"
        )
    missing = lacking(context, item)
    return next((r for r in may if r in missing), may[0])


def lacking(context: Context, item: str) -> list[str]:
    """The roles that have to state an item and have not, validly."""
    said = vouched(context, item)
    return [r for r in said.roles if said.in_role(r) is None]


def still_missing(context: Context, item: str) -> str:
    """Why the statements of an item do not suffice; empty where they do."""
    try:
        vouched(context, item).claims()
    except Pending as e:
        return str(e)
    return ""


def vouched(context: Context, item: str) -> Vouched:
    """What people have stated of an item, with the papers as they lie there."""
    card = context.cards[item][0] if item in context.cards else None
    try:
        papers = context.digests(card.papers if card else ())
    except Pending:
        papers = {}
    return context.statements.vouched(item, papers)


def until(text: str, now: datetime, latest: datetime, where: str) -> datetime:
    """A date, to its end in UTC, or a length of time from now; without either the latest moment.

    :raises GoliveError: it is neither, has passed, or is later than launch.toml lets it be.
    """
    if not text:
        return latest
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = parse_date(text, where)
        ends = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        # A date names a day, so what may last to a moment of that day lasts to it.
        ends = latest if ends - timedelta(days=1) < latest < ends else ends
    else:
        spaced = re.sub(r"(?<=[0-9])(?=(?:min|h|d)$)", " ", text)
        try:
            ends = now + parse_length(spaced, where)
        except OverflowError:
            ends = latest + timedelta(days=1)
        except GoliveError:
            raise GoliveError(
                f"{where}: found {text!r}; expected a date such as 2026-12-07 or a length of time"
                ' such as "24 h" or "7 d"'
            ) from None
    if ends <= now:
        raise GoliveError(f"{where}: found {text}, which has passed; expected a time to come")
    if ends > latest:
        raise GoliveError(
            f"{where}: found {text}; expected {latest:%Y-%m-%d %H:%M} UTC at the latest, which is"
            " as long as launch.toml lets it hold"
        )
    return ends


def publish(context: Context, signer: Signer, made: Draft) -> Signed:
    """Sign it, keep it, and check it as everybody will.

    :raises GoliveError: it could not be signed, holds a secret, or does not hold; says why.
    """
    statement = made.statement
    if not signer.key.is_file():
        raise GoliveError(f"{signer.key}: there is no such key; expected an SSH key to sign with")
    search(context, made)
    kept = keep(
        statement,
        made.files,
        signer.key,
        context.statements.folder,
        made.addresses,
        context.roster.allowed_signers([signer.person.id]),
    )
    found = context.reloaded().statements.check(kept)
    if not found.valid:
        raise GoliveError(f"{found.id}: was signed, but does not hold: {found.cause}")
    return found


def search(context: Context, made: Draft) -> None:
    """Search what is to be signed for this environment's secrets, as far as they are at hand.

    :raises GoliveError: a field of it, or a file, holds one, a password in an address, or a
        private key; names it, but shows nothing of it.
    """
    mask, _ = context.secrets
    s = made.statement
    # A key or a name may be one, too.
    links = [*(e.url for e in s.evidence), *made.addresses.values(), *(f.name for f in made.files)]
    fields: dict[str, Any] = {"text": s.text, "risk": s.risk, "evidence": links}
    fields |= {f"data.{key}": {key: value} for key, value in s.data.items()}
    said = {
        k: json.dumps(v, ensure_ascii=False).encode(errors="replace") for k, v in fields.items()
    }
    files = ((str(f), f.read_bytes()) for f in made.files)
    for name, data in itertools.chain(said.items(), files):
        if cause := given_away(data, mask):
            raise GoliveError(
                f"{mask(name)}: {cause}; expected none, since a statement is handed on: write"
                f" {MASKED} in its place"
            )


def unsearched(context: Context) -> list[str]:
    """A line on the secrets that could not be searched for; none where all are at hand."""
    _, missing = context.secrets
    are = "which is" if len(missing) == 1 else "which are"
    return [f"  searched  not for {', '.join(missing)}, {are} not at hand here"] if missing else []


def shown(context: Context, signed: Signed) -> list[str]:
    """A statement as lines: what it says, on what it rests, until when."""
    s = signed.statement
    what = f"{s.kind} {s.item}".strip()
    decision = f": {s.data['decision']}" if s.kind == "approve" else ""
    name = context.roster.people[s.by].name if s.by in context.roster.people else s.by
    lines = [
        f"signed: {what}{decision}, by {name} as {s.role.replace('_', ' ')}",
        f"  id        {signed.id}",
        f"  of        {_of(s)} ({s.environment}, {s.candidate})",
        f"  says      {s.text}",
    ]
    if s.risk:
        lines.append(f"  risk      {s.risk}")
    if s.data and s.kind not in ("approve", "set-aside"):
        lines.append(f"  answers   {json.dumps(s.data, sort_keys=True, ensure_ascii=False)}")
    lines += [f"  evidence  {evidence_told(e)}" for e in s.evidence]
    if s.readiness:
        lines.append(f"  rests on  the readiness {s.readiness[:12]}... as it is now")
    if s.kind == "set-aside":
        now = f"SHA-256 {s.data['sha256'][:12]}..." if s.data["sha256"] else "missing"
        lines.append(f"  holds     as long as that record is as it is now ({now})")
    elif s.kind != "revoke" and not is_no_go(s):
        ends = f"{context.statements.entitlement.ends(s):%Y-%m-%d %H:%M} UTC"
        changes = ", or until the item, its check or a paper of it changes" if s.item else ""
        lines.append(f"  holds     until {ends}{changes}")
    return lines


def _of(s: Statement) -> str:
    return str(s.data["record"]) if s.kind == "set-aside" else s.title or "the launch"


def evidence_told(e: Evidence) -> str:
    """One piece of evidence as text."""
    if not e.sha256:
        return f"{e.url} (a link, on the signer's word)"
    source = f", fetched from {e.url}" if e.url else ""
    return f"{e.name} ({e.bytes} bytes, SHA-256 {e.sha256[:12]}...{source})"


def told_after(context: Context, signer: Signer, signed: Signed) -> list[str]:
    """What is shown after signing: the statement, the key, and what the item still lacks."""
    reloaded = context.reloaded()
    lines = [*shown(reloaded, signed), f"  key       {signer.reported}", *unsearched(reloaded)]
    if signed.statement.kind == "attest":
        item = signed.statement.item
        if reloaded.statements.entitlement.is_asked_of_each(item):
            lines.append("  next      everybody else of those who have to state it in person")
        else:
            missing = still_missing(reloaded, item)
            lines.append(f"  missing   {missing}" if missing else "  complete  nobody else has to")
    return lines


def answers(given: Sequence[str], base: Path | None = None) -> dict[str, Any]:
    """The structured answers of --data: files of JSON, and KEY=VALUE.

    :raises GoliveError: it is neither, or a key is there twice.
    """
    found: dict[str, Any] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if equals and key:
            fresh = {key: _json_or_text(value)}
        else:
            fresh = _answers_of(Path(one).expanduser() if base is None else base / one)
        for twice in fresh.keys() & found.keys():
            raise GoliveError(f"--data: found {twice!r} twice; expected it once")
        found |= fresh
    return found


def _answers_of(path: Path) -> dict[str, Any]:
    expected = 'expected KEY=VALUE or a file with an object of JSON, such as {"hours": 2}'
    try:
        text = read_text(path, _MOST_ANSWERS_BYTES, "KEY=VALUE or a file of JSON", links=True)
        value = _strict_json(text)
    except GoliveError as e:
        raise GoliveError(f'--data: {e}, such as {{"hours": 2}}') from None
    except (ValueError, RecursionError) as e:
        raise GoliveError(f"--data: {path}: {e}; {expected}") from None
    if not isinstance(value, dict):
        raise GoliveError(f"--data: {path}: found no object; {expected}")
    return value


def _json_or_text(text: str) -> Any:
    try:
        return _strict_json(text)
    except (ValueError, RecursionError):
        return text


def _strict_json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    def number(text: str) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")) or value != value:
            raise ValueError(f"found the number {text}")
        return value

    return json.loads(text, object_pairs_hook=once, parse_float=number, parse_constant=number)


@contextlib.contextmanager
def fetching(wanted: bool) -> Iterator[Path | None]:
    """A folder for what --fetch fetches, or None where links stay links."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="golive-") as folder:
        yield Path(folder)


def _link(url: str) -> Evidence:
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise GoliveError(f"--evidence: found {url!r}; expected a file, or an address of https")
    if parts.password is not None or parts.username is not None:
        raise GoliveError(
            f"--evidence: found an address of {parts.hostname} with a user in it; expected one"
            " without: statements are handed on"
        )
    return Evidence(name=evidence_name(parts.hostname), url=url)


def _fetch(url: str, folder: Path) -> tuple[Path, str]:
    """What an address answers, in a file of its own in the folder, and the address of that."""
    fetched = fetch(url, _MOST_FETCHED_BYTES, _FETCH_LIMIT_S)
    path = urlsplit(fetched.url).path
    name = evidence_name(path) if path.strip("/") else "page.html"
    return write(Path(tempfile.mkdtemp(dir=folder)) / name, fetched.data), fetched.url


def entitled(context: Context, role: str) -> str:
    """Names of those who may sign for a role."""
    return ", ".join(p.name for p in context.roster.entitled(role)) or "nobody on the roster"
