"""Making a statement: signed, with its evidence, whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from golive.files import folder as make_folder
from golive.files import read, write
from golive.masking import private_key
from golive.people import signatures
from golive.people.statements.model import (
    BODY,
    EVIDENCE,
    MOST_BODY_BYTES,
    MOST_EVIDENCE,
    MOST_EVIDENCE_BYTES,
    Evidence,
    Signed,
    Statement,
    canonical,
    identify,
    malformed,
    no_evidence,
    reserved_key,
    stored,
)
from golive.people.statements.reading import evidence_digest, read_statement
from golive.verdicts import GoliveError

_MOST_TEXT = 10_000


def keep(
    statement: Statement,
    files: Sequence[Path],
    key: Path,
    folder: Path,
    addresses: Mapping[Path, str] | None = None,
    signers: str = "",
) -> Signed:
    """Sign a statement and put it into the folder with its evidence, whole or not at all.

    :param files: the evidence, copied in; named after what the statement lists already, such as
        addresses.
    :param addresses: where files among them were fetched from.
    :param signers: allowed signers; a key that is not the person's among them leaves nothing.
    :raises GoliveError: it says nothing; a file is missing, too large or a link; the key cannot
        sign, or is not the person's; the folder cannot be written.
    """
    brought: dict[str, tuple[Path, Evidence]] = {}
    for file in files:
        one = evidence_of(file, (addresses or {}).get(file, ""))
        brought.setdefault(stored(one), (file, one))
    named = [*statement.evidence, *(one for _, one in brought.values())]
    statement = msgspec.structs.replace(statement, evidence=named)
    sayable(statement)
    ident = identify(statement)
    try:
        make_folder(folder)
        draft = drafts(folder)
        try:
            write(draft / BODY, canonical(statement))
            for name, (file, evidence) in brought.items():
                make_folder(draft / EVIDENCE)
                write(draft / EVIDENCE / name, read(file, MOST_EVIDENCE_BYTES, "evidence"))
                if evidence_digest(draft / EVIDENCE / name) != evidence.sha256:
                    raise GoliveError(f"{file}: changed while it was copied; try again")
            signatures.sign(draft / BODY, key, signatures.STATEMENTS)
            if signers:
                found = signatures.verify(
                    draft / BODY, signers, statement.by, signatures.STATEMENTS, at=statement.made_at
                )
                if not found.valid:
                    raise GoliveError(
                        f"{key}: is no key of {statement.by} that counts today: {found.cause}"
                    )
            draft.replace(folder / ident)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as e:
        raise GoliveError(f"{folder}: cannot be written: {e.strerror}") from None
    return read_statement(folder / ident)


def drafts(folder: Path) -> Path:
    """A new folder for what is not whole yet, beside another one: within it, it would be an entry
    that nobody has signed.

    :raises OSError: it cannot be made.
    """
    place = folder.resolve()
    return Path(tempfile.mkdtemp(prefix=f".{place.name}-drafts-", dir=place.parent))


def sayable(statement: Statement) -> None:
    """Whether it is worth a signature.

    :raises GoliveError: it says nothing, or too much, or gives away a private key.
    """
    cause = malformed(statement)
    if cause:
        raise GoliveError(f"{statement.item or statement.kind}: {cause}; expected words for it")
    for text in (statement.text, statement.risk):
        if len(text) > _MOST_TEXT:
            raise GoliveError(
                f"the statement has {len(text)} characters; expected {_MOST_TEXT} at most"
            )
    if key := reserved_key(statement.data):
        raise GoliveError(
            f"--data: found the key {key!r}, which a statement has itself; expected another name"
        )
    body = canonical(statement)
    if private_key(body):
        raise GoliveError("the statement holds a private key; expected none: it would be handed on")
    if len(body) > MOST_BODY_BYTES:
        raise GoliveError(f"the statement has {len(body)} bytes; expected 1 MiB at most")
    if len(statement.evidence) > MOST_EVIDENCE:
        raise GoliveError(
            f"--evidence: found {len(statement.evidence)}; expected {MOST_EVIDENCE} at most"
        )
    for one in statement.evidence:
        cause = no_evidence(one)
        if cause:
            raise GoliveError(f"--evidence: {cause}")


def evidence_of(path: Path, url: str = "") -> Evidence:
    """A file as evidence.

    :param url: where it was fetched from.
    :raises GoliveError: it is no ordinary file, larger than 64 MiB, or holds a private key.
    """
    if path.is_symlink():
        raise GoliveError(f"{path}: is a symbolic link; expected the file itself as evidence")
    if not path.is_file():
        what = "is no ordinary file" if path.exists() else "there is no such file"
        raise GoliveError(f"{path}: {what}; expected evidence")
    try:
        size = path.stat().st_size
        if size > MOST_EVIDENCE_BYTES:
            raise GoliveError(
                f"{path}: has {size / 2**20:,.0f} MiB; expected 64 MiB at most as evidence: attach"
                " an extract, or an address with --evidence URL"
            )
        if private_key(path.read_bytes()):
            raise GoliveError(f"{path}: holds a private key; expected evidence to hand on")
        digest = evidence_digest(path)
    except OSError as e:
        raise GoliveError(f"{path}: cannot be read: {e.strerror}") from None
    return Evidence(name=evidence_name(path.name), sha256=digest, bytes=size, url=url)


def evidence_name(name: str) -> str:
    """A file's name as a statement has it: without what a terminal or a page could trip over."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name.rsplit("/", 1)[-1])
    return (plain.lstrip("._ -") or "file")[:120]
