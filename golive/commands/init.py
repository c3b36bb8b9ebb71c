"""``golive init``: a launch folder for a real team, so that nobody has to guess a format.

Beside ``suites/`` its README also says which items rest on which paper, whose they are and when
the first of them is due. What is there already is never written over.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import date, timedelta
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from golive.context import Context
from golive.decoding import convert
from golive.masking import clean
from golive.papers import Kind, template
from golive.papers.kinds import all_kinds
from golive.people import roster
from golive.procedure import Item
from golive.toml import read_toml
from golive.verdicts import GoliveError

SCHEMA = 1
_README = """\
# Launch folder

One Markdown file for each document that people write. What a check reads stands between the two
lines of `---`; write over everything in [brackets], and leave out what says so. Below it stands
what people read.

A name with `*` may be there several times: copy its TEMPLATE, which is no paper of its own.
"""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    items: dict[str, list[str]]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--env", default="production", metavar="NAME", help="for which environment (%(default)s)"
    )
    of_env = parser.add_argument_group("golive init env: an environment's first file")
    of_env.add_argument("--dsn", default="", help="connection string of the database")
    of_env.add_argument("--url", default="", help="where users reach the product")
    of_env.add_argument("--checkout", type=Path, help="a checkout of the product")
    of_env.add_argument("--out", type=Path, help="the file (suites/environments/local.toml)")
    of_env.add_argument(
        "--kind", default="staging", choices=("staging", "production"), help="(%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    folder: Path = options.folder
    if folder == Path("env"):
        return _environment(options)
    if folder.exists() and not folder.is_dir():
        raise GoliveError(f"{folder}: is a file; expected a folder, or a name for a new one")
    context = Context.open(options.env) if Path("suites").is_dir() else None
    files = {k.template_file(): template(k) for k in all_kinds()}
    if context is None:
        files["README.md"] = f"{_README}\n{_table(('paper', 'what it is'), _plain_rows())}"
        files["roster.toml"] = roster.template([])
    else:
        files["README.md"] = _readme(context)
        if not context.roster_file.exists():
            files["roster.toml"] = roster.template([*context.owner_roles, *context.launch.roles])
    kept = _laid_out(folder, files)
    print(clean(f"{folder}: laid out {len(files) - len(kept)} of {len(files)} files"))
    if kept:
        print(f"kept as they are: {', '.join(kept) if len(kept) < len(files) else 'all of them'}")
    if context is not None:
        _point_out(context, folder)
    return 0


def _environment(options: argparse.Namespace) -> int:
    from golive import discovery  # which loads what only this needs

    if not (options.dsn or options.url):
        raise GoliveError("golive init env: found neither --dsn nor --url; expected one of them")
    path: Path = options.out or Path("suites") / "environments" / "local.toml"
    text = discovery.written(
        path.stem,
        options.kind,
        discovery.database(options.dsn) if options.dsn else None,
        discovery.site(options.url) if options.url else None,
        discovery.checkout(options.checkout) if options.checkout else {},
        options.dsn,
        options.checkout,
    )
    if _laid_out(path.parent, {path.name: text}):
        raise GoliveError(f"{path}: is there already; name another file with --out")
    print(clean(f"{path}: written; next: read it, then `golive doctor --env {path}`"))
    return 0


def _laid_out(folder: Path, files: dict[str, str]) -> list[str]:
    """Write what is not there yet; returns the names of what is."""
    kept = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            try:
                with (folder / name).open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                kept.append(name)
    except OSError as e:
        raise GoliveError(f"{folder}: cannot be written: {e.strerror}") from None
    return kept


def _point_out(context: Context, folder: Path) -> None:
    """What the environment has to be given."""
    name = context.environment.name
    if context.papers.resolve() != folder.resolve():
        print(
            clean(
                f"{name} reads its papers from {context.papers}; `papers` in its [people] says so"
            )
        )
    if not context.roster_file.exists():
        print(
            clean(
                f"{name} has no roster yet: fill in {folder / 'roster.toml'} and put it at"
                f" {context.roster_file}"
            )
        )


# -- what is needed, by whom, when -------------------------------------------------------------


def needed(context: Context) -> dict[str, list[Item]]:
    """The items that rest on each kind of paper, in the order in which they are due.

    :raises GoliveError: papers.toml names an item or a paper that there is not.
    """
    path = context.suites / "papers.toml"
    files = {k.file for k in all_kinds()}
    named: dict[str, set[str]] = {file: set() for file in files}
    if path.exists():
        try:
            said = convert(read_toml(path), _File)
        except msgspec.ValidationError as e:
            raise GoliveError(f"{path}: {e}") from None
        if said.schema != SCHEMA:
            raise GoliveError(f"{path}: schema: found {said.schema}; expected {SCHEMA}")
        for file, ids in said.items.items():
            if file not in files:
                raise GoliveError(f"{path}: items: found the paper {file!r}, which is of no kind")
            for ident in ids:
                if ident not in context.procedure.items:
                    raise GoliveError(f"{path}: items.{file}: found {ident!r}, which is no item")
            named[file] |= set(ids)
    for ident, (card, _) in context.cards.items():
        for paper in card.papers:
            for file in files:
                if fnmatch(paper, file) and ident in context.procedure.items:
                    named[file].add(ident)
    return {
        file: sorted((context.procedure.items[i] for i in ids), key=lambda i: (i.due_day, i.order))
        for file, ids in named.items()
    }


def _readme(context: Context) -> str:
    launch, last, rows = context.launch.date, date.max, []
    rests = needed(context)
    for kind in all_kinds():
        items = rests[kind.file]
        due = launch + timedelta(days=items[0].due_day) if items else last
        owners = ", ".join(dict.fromkeys(i.owner or "nobody named" for i in items))
        ids = ", ".join(i.id for i in items)
        first = "" if due == last else due.isoformat()
        rows.append((due, (kind.file, _what(kind), owners, first, ids)))
    rows.sort(key=lambda row: row[0])
    head = ("paper", "what it is", "whose", "first needed", "items that rest on it")
    return (
        f"{_README}\nPeople, their roles and keys stand in `{_shown(context)}`."
        f" The launch is on {launch}.\n\n{_table(head, (cells for _, cells in rows))}"
    )


def _shown(context: Context) -> str:
    file = context.roster_file
    return str(file.relative_to(context.root) if file.is_relative_to(context.root) else file)


def _plain_rows() -> list[tuple[str, ...]]:
    return [(k.file, _what(k)) for k in all_kinds()]


def _what(kind: type[Kind]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)
