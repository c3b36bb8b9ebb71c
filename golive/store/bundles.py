"""Bundles: the folder of a run, a statement or a signed document as one archive."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from golive import ledger
from golive.decoding import decode
from golive.files import folder as make_folder
from golive.files import read
from golive.files import write as write_file
from golive.masking import Mask, given_away
from golive.people import statements
from golive.signing import signed
from golive.store import limits
from golive.store.limits import DOCUMENTS, RUNS, STATEMENTS, Refused, plain, shown
from golive.store.makers import Makers
from golive.verdicts import GoliveError

RUN_FILES = (ledger.HEAD, ledger.FACTS, ledger.VERDICTS, ledger.END, f"{ledger.END}.sig")
_STATEMENT_FILES = (statements.BODY, f"{statements.BODY}.sig")
_EVIDENCE = re.compile(
    rf"{statements.EVIDENCE}/(?P<digest>[0-9a-f]{{64}})-[A-Za-z0-9][A-Za-z0-9._ -]{{0,119}}"
)


def pack(folder: Path, kind: str) -> bytes:
    """A bundle's folder as one archive; the same content always gives the same bytes.

    :raises Refused: it holds what does not belong there, or is too large.
    """
    files = _files(folder, kind)
    total = sum(path.stat().st_size for path in files.values())
    if len(files) > limits.MOST_FILES:
        raise Refused(f"has {len(files):,} files; expected at most {limits.MOST_FILES:,}")
    buffer = io.BytesIO()
    if total <= limits.MOST_BYTES:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, path in sorted(files.items()):
                data = own(path)
                member = tarfile.TarInfo(f"{folder.name}/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    if max(total, buffer.tell()) > limits.MOST_BYTES:
        raise Refused(
            f"has {total / 2**20:,.1f} MiB; expected at most {limits.MOST_BYTES // 2**20} MiB in a"
            " bundle"
        )
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, kind: str) -> None:
    """Write an archive's files below the folder, after a look at all of them.

    :raises Refused: a member is no ordinary file of such a bundle.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                name = member.name.removeprefix(f"{folder.name}/")
                if member.type != tarfile.REGTYPE or member.sparse is not None:
                    raise Refused(f"holds {shown(member.name)}, which is no ordinary file")
                if name == member.name or not _belongs(name, kind):
                    raise Refused(f"holds {shown(member.name)}, which has no place in it")
                if name in files:
                    raise Refused(f"holds {shown(member.name)} twice")
                if len(files) >= limits.MOST_FILES:
                    raise Refused(f"holds more than {limits.MOST_FILES:,} files")
                source = tar.extractfile(member)
                files[name] = source.read() if source is not None else b""
    except Refused:
        raise
    except Exception as e:  # noqa: BLE001 - a hostile archive breaks tarfile in many ways
        raise Refused(f"is no archive that can be read: {plain(str(e))}") from None
    for name, content in files.items():
        path = folder / name
        make_folder(path.parent)
        write_file(path, content)


def verify(folder: Path, kind: str, makers: Makers) -> str:
    """The environment of a bundle that is whole, goes by its own name and, a run, has a maker.

    :raises Refused: it is not.
    """
    try:
        if kind == RUNS:
            run = ledger.read_run(folder)
            if run.head.id != folder.name:
                raise Refused(f"holds the run {shown(run.head.id)}; expected it under that name")
            makers.refuse(run)
            return run.head.environment.name
        if kind == DOCUMENTS:
            copy = signed.read(folder)
            if copy.id != folder.name:
                raise Refused(f"holds the document {shown(copy.id)}; expected it under that name")
            return copy.document.environment
        if not (folder / _STATEMENT_FILES[1]).is_file():
            raise Refused(f"has no {_STATEMENT_FILES[1]}: nobody has signed it")
        said = statements.read_statement(folder)
    except GoliveError as e:
        # Where it lies for the moment is of no use to anybody.
        raise Refused(str(e).replace(f"{folder.parent}/", "")) from None
    files = {p.name: p for p in (folder / statements.EVIDENCE).glob("*")}
    if named := {p.name for p in said.evidence} ^ set(files):
        raise Refused(f"does not hold just the evidence that it names: {shown(min(named))}")
    for name, path in files.items():
        if hashlib.sha256(own(path)).hexdigest() != name[:64]:
            raise Refused(f"its evidence {shown(name)} does not match the digest in its name")
    return said.statement.environment


def _files(folder: Path, kind: str) -> dict[str, Path]:
    """The files of a bundle by their names in it.

    :raises Refused: one is no ordinary file, or does not belong there.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise Refused("is no folder")
    found: dict[str, Path] = {}
    paths = [folder / name for name in RUN_FILES if os.path.lexists(folder / name)]
    if kind != RUNS:
        paths = [p for p in folder.iterdir() if not p.name.startswith(".")]
        evidence = folder / statements.EVIDENCE
        if (
            kind == STATEMENTS
            and evidence in paths
            and not evidence.is_symlink()
            and evidence.is_dir()
        ):
            paths.remove(evidence)
            paths += evidence.iterdir()
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Refused(f"holds {shown(name)}, which is no ordinary file")
        if not _belongs(name, kind):
            raise Refused(f"holds {shown(name)}, which has no place in it")
        found[name] = path
    return found


def _belongs(name: str, kind: str) -> bool:
    if kind == RUNS:
        return name in RUN_FILES
    if kind == DOCUMENTS:
        return signed.FILE.fullmatch(name) is not None
    return name in _STATEMENT_FILES or _EVIDENCE.fullmatch(name) is not None


def bundles_in(kind: str, folder: Path) -> list[Path]:
    """The bundles of a kind that lie here, whatever state they are in."""
    if not folder.is_dir():
        return []
    with _reading(folder):
        found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir()]
    if kind == RUNS:  # as the ledger has it: without a head it is no run yet
        found = [p for p in found if (p / ledger.HEAD).exists()]
    return sorted(found)


def own(path: Path) -> bytes:
    """A file of a bundle that lies here.

    :raises Refused: it is no ordinary file, or too large.
    """
    try:
        return read(path, limits.MOST_BYTES, "a file of a bundle")
    except GoliveError as e:
        raise Refused(str(e)) from None


class _OfStatement(msgspec.Struct):
    environment: str


def environment(statement: Path) -> str:
    """Which environment a statement that lies here is of.

    :raises Refused: it does not say.
    """
    try:
        data = own(statement / statements.BODY)
        return decode(data, _OfStatement).environment
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise Refused(f"does not say which environment it is of: {e}") from None


def environment_of(run: str) -> str:
    """The environment in a run's id: ``<time>Z-<environment>-<random>``."""
    return run.partition("-")[2].rpartition("-")[0]


def search(data: bytes, mask: Mask) -> None:
    """Search an archive that is about to be sent.

    :raises Refused: a file in it holds what nobody may hand on; names the file.
    """
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            source = tar.extractfile(member)
            if source is not None and (cause := given_away(source.read(), mask)):
                name = member.name.partition("/")[2]
                raise Refused(
                    f"{mask(name)}: {cause}; it stays here. Whoever could read it here may know it,"
                    " so change it; then make this again without"
                )


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise GoliveError(f"{folder}: cannot be read: {e.strerror}") from None
