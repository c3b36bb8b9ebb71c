"""Whether the runs, statements and documents in a package are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from golive import ledger
from golive.context import Context
from golive.package.form import (
    RUN_FILES,
    STATEMENT_FILES,
)
from golive.package.opening import Package, wrong
from golive.package.records import is_set_aside, not_its_makers
from golive.package.signing import bad
from golive.people import signatures
from golive.people.roster import Roster
from golive.people.statements import read_statement
from golive.reports.documents import read_document
from golive.verdicts import GoliveError


def check_runs(package: Package, context: Context) -> int:
    """How many runs are sound; the others were set aside.

    :raises GoliveError: something in one is wrong.
    """
    return sum(_sound(f, context, _check_run, package) for f in _folders(package.folder / "runs"))


def check_statements(package: Package, context: Context) -> int:
    """How many statements are sound; the others were set aside.

    :raises GoliveError: something in one is wrong.
    """
    folders = _folders(package.folder / "statements")
    return sum(_sound(f, context, _check_statement, package) for f in folders)


def _sound(
    folder: Path,
    context: Context,
    check: Callable[[Package, Path, Context], None],
    package: Package,
) -> bool:
    """Whether a record holds; if not, two people have set it aside.

    :raises GoliveError: they have not.
    """
    try:
        check(package, folder, context)
    except GoliveError:
        if not is_set_aside(folder, context):
            raise
        return False
    return True


def _check_run(package: Package, folder: Path, context: Context) -> None:
    name = f"runs/{folder.name}"
    with as_of_package(package):
        run = ledger.read_run(folder)
    if run.head.id != folder.name:
        raise wrong(package.path, name, f"is the run {run.head.id}")
    if run.head.environment.name != context.environment.name:
        raise wrong(package.path, name, f"is a run of {run.head.environment.name}")
    cause = not_its_makers(run, context)
    if cause:
        raise wrong(package.path, name, cause)
    _check_files(package, folder, RUN_FILES, "a run")


def _check_statement(package: Package, folder: Path, _: Context) -> None:
    with as_of_package(package):
        read_statement(folder)
    _check_files(package, folder, STATEMENT_FILES, "a statement")


def _check_files(package: Package, folder: Path, known: Sequence[str], what: str) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            name = path.relative_to(package.folder).as_posix()
            raise wrong(package.path, name, f"is no part of {what}")


def check_documents(package: Package, roster: Roster, at: datetime) -> int:
    """How many valid signatures there are on documents.

    :raises GoliveError: something in one is wrong.
    """
    signed = 0
    for place in sorted((package.folder / "documents").glob("*.sig")):
        name, _, role = place.name.removesuffix(".sig").partition(".html")
        path = place.with_name(f"{name}.html")
        if not path.is_file():
            raise wrong(package.path, f"documents/{place.name}", "is of a document not there")
        with as_of_package(package):
            document = read_document(path)
        role = role.removeprefix(".") or (document.signers[0].role if document.signers else "")
        if role not in [s.role for s in document.signers]:
            raise wrong(package.path, f"documents/{place.name}", f"{role} does not sign that")
        people = [p.id for p in roster.entitled(role)]
        cause = bad(path, place, people, roster, signatures.DOCUMENTS, at)
        if cause:
            raise wrong(package.path, f"documents/{place.name}", cause)
        signed += 1
    return signed


def _folders(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


@contextmanager
def as_of_package(package: Package) -> Iterator[None]:
    """What is wrong inside is reported as of the package."""
    try:
        yield
    except GoliveError as e:
        raise GoliveError(f"{package.path}: {str(e).replace(f'{package.folder}/', '')}") from None
