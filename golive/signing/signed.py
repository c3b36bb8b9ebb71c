"""Documents as they were signed, which is what other machines and later days need of them.

A document is made again whenever something newer was found, so what lies in ``documents/`` may not
be what somebody has put their name to. Each signature is therefore kept with a copy of just the
bytes that it is over, and never changed:

``signed/<made_at>-<environment>-<kind>-<first 12 of the signature's SHA-256>/``
``    <kind>.html``  ``<kind>.html.sig`` or, of a further signer, ``<kind>.html.<role>.sig``
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from golive import files
from golive.context import Context
from golive.reports.documents import MOST_BYTES, Document, differences, read_document
from golive.verdicts import GoliveError

FILE = re.compile(r"(?P<kind>[a-z0-9][a-z0-9-]{0,79})\.html(?:(?:\.(?P<role>[a-z_]{1,40}))?\.sig)?")
"""A document, or a signature over it."""
_MOST_SIGNATURE_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Copy:
    """One signature, and what it is over."""

    document: Document
    page: Path
    signature: Path

    @property
    def id(self) -> str:
        """What its folder is called."""
        return _identify(self.document, _signature(self.signature))

    @property
    def role(self) -> str:
        """In which it was signed."""
        named = FILE.fullmatch(self.signature.name)
        own = named["role"] if named else None
        return own or (self.document.signers[0].role if self.document.signers else "")


def read(folder: Path) -> Copy:
    """A copy that lies there.

    :raises GoliveError: it is none; says why.
    """
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    page = folder / (names[0] if names else "none")
    document = read_document(page)
    expected = f"{document.kind}.html"
    if len(names) != 2 or page.name != expected or not names[1].startswith(f"{expected}."):
        raise GoliveError(
            f"{folder}: found {', '.join(names) or 'nothing'}; expected {expected} and one"
            " signature over it"
        )
    _signature(folder / names[1])
    return Copy(document, page, folder / names[1])


def keep(page: Path, signature: Path, folder: Path) -> Path | None:
    """Copy a document and its signature to where nothing changes them; None: no such document.

    :raises GoliveError: they cannot be written.
    """
    try:
        document = read_document(page)
    except GoliveError:
        return None  # a file that golive did not make can be signed, but does not travel
    target = folder / _identify(document, _signature(signature))
    draft = folder / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        files.folder(draft, new=True)
        for path in (page, signature):
            _copy(path, draft / path.name)
        if not target.exists():
            draft.rename(target)
    except OSError as e:
        raise GoliveError(f"{target}: cannot be written: {e.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def copies(context: Context) -> list[Copy]:
    """What was signed by somebody who may sign it now, of this environment; oldest first."""
    out = []
    for folder in sorted(context.signed.iterdir()) if context.signed.is_dir() else []:
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            one = read(folder)
        except GoliveError:
            continue  # `golive push` names it
        if one.document.environment != context.environment.name or one.id != folder.name:
            continue
        if one.role not in [s.role for s in one.document.signers]:
            continue
        if context.roster.signature(one.page, one.role, signature=one.signature).valid:
            out.append(one)
    return out


def lay_out(context: Context) -> list[Path]:
    """Put the newest signed documents where documents lie, with all their signatures.

    Only what somebody signed who may. What lies there stays where it is signed and as new, or
    unsigned, newer and says something else; what is signed and older is kept before it goes.

    :returns: the documents that changed, or got a signature.
    """
    newest: dict[str, list[Copy]] = {}
    for one in copies(context):
        found = newest.setdefault(one.document.kind, [])
        if found and one.document.made_at > found[0].document.made_at:
            found.clear()
        if not found or _page(one.page) == _page(found[0].page):
            found.append(one)
    return [place for kind, copies in newest.items() if (place := _place(context, kind, copies))]


def _place(context: Context, kind: str, copies: list[Copy]) -> Path | None:
    here = context.documents / f"{kind}.html"
    changed = False
    if not here.is_file() or _page(here) != _page(copies[0].page):
        if here.is_file() and not _gives_way(here, copies[0].document, context):
            return None
        files.folder(context.documents)
        for old in _signatures(here):
            old.unlink()
        _copy(copies[0].page, here)
        changed = True
    for one in copies:
        place = here.with_name(one.signature.name)
        if not place.exists():
            _copy(one.signature, place)
            changed = True
    return here if changed else None


def _gives_way(here: Path, to: Document, context: Context) -> bool:
    try:
        own = read_document(here)
    except GoliveError:
        return False  # altered or none of ours: that is for its item to tell
    signed = _signatures(here)
    if own.made_at < to.made_at:
        for signature in signed:
            keep(here, signature, context.signed)
        return True
    return not signed and not differences(own, to)


def _signatures(page: Path) -> list[Path]:
    return sorted(p for p in page.parent.glob(f"{page.name}*.sig") if FILE.fullmatch(p.name))


def _copy(source: Path, target: Path) -> None:
    files.write(target, _page(source))


def _page(path: Path) -> bytes:
    return files.read(path, MOST_BYTES, "a document, or a signature over it")


def _signature(path: Path) -> bytes:
    return files.read(path, _MOST_SIGNATURE_BYTES, "a signature")


def _identify(document: Document, signature: bytes) -> str:
    made = f"{document.made_at:%Y%m%dT%H%M%S}Z"
    digest = hashlib.sha256(signature).hexdigest()
    return f"{made}-{document.environment}-{document.kind}-{digest[:12]}"
