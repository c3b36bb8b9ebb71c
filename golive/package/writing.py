"""Making a package of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from golive import ledger
from golive.answer import Answer, decode, encode
from golive.context import Context
from golive.files import folder as make_folder
from golive.files import read as read_file
from golive.files import write as write_file
from golive.launch import THRESHOLDS
from golive.masking import Mask, given_away
from golive.package.form import (
    ABOUT,
    ANSWER,
    HOW_TO,
    INDEX,
    MOST_BYTES,
    ROSTER,
    RUN_FILES,
    SIGNERS,
    STATEMENT_FILES,
    About,
    Files,
    zipped,
)
from golive.package.how_to import how_to
from golive.package.records import is_set_aside, not_its_makers
from golive.people import roster as roster_file
from golive.people import signatures
from golive.people.roster import Person, Roster, Runner
from golive.people.statements import BODY, EVIDENCE
from golive.reports import launch_page, sheets
from golive.verdicts import GoliveError


def build(context: Context, answer: Answer, mask: Mask) -> bytes:
    """The package of an answer, unsigned: the same bytes for the same answer.

    :param mask: knows the secrets that must not be in it.
    :raises GoliveError: something that belongs in it is damaged, still being written, too large,
        or holds a secret; names it.
    """
    answer = decode(encode(answer), Path(ANSWER))  # as a reader will have it
    files: Files = {
        INDEX: launch_page.page(answer).encode(),
        ANSWER: encode(answer),
        ABOUT: _about(answer, context),
        ROSTER: public_roster(context.roster).encode(),
        SIGNERS: context.roster.allowed_signers().encode(),
        HOW_TO: how_to(answer).encode(),
    }
    for mark, sheet in sheets.sheets(answer).items():
        files[f"sheets/{mark}.html"] = sheet.encode()
    _add_runs(files, context, answer)
    _add_statements(files, context)
    _add_aside(files, context)
    _add_documents(files, context)
    _add_suites(files, context)
    _without_secrets(files, mask)
    return zipped(files)


def write(path: Path, data: bytes) -> Path:
    """Put a package in its place, whole or not at all.

    :raises GoliveError: it cannot be written.
    """
    try:
        make_folder(path.parent)
        return write_file(path, data)
    except OSError as e:
        raise GoliveError(f"{path}: cannot be written: {e.strerror}") from None


def public_roster(roster: Roster) -> str:
    """The roster without how to reach anybody."""

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")

    def texts(values: Sequence[str]) -> str:
        return f"[{', '.join(map(text, values))}]"

    def keys(of: Person | Runner) -> str:
        out = []
        for key in of.keys:
            days = "".join(
                f", {name} = {day}"
                for name, day in (("since", key.since), ("until", key.until))
                if day
            )
            out.append(f"{{ public = {text(key.material)}{days} }}")
        return f"keys = [{', '.join(out)}]\n"

    def was(person: Person) -> str:
        former = (f"{{ role = {text(w.role)}, until = {w.until} }}" for w in person.was)
        return f"was = [{', '.join(former)}]\n"

    people = [
        f'\n[[person]]\nid = {text(p.id)}\nname = {text(p.name)}\nemail = ""\nphone = ""\n'
        f"roles = {texts(p.roles)}\nbacks_up = {texts(p.backs_up)}\n"
        f"powers = {texts(p.powers)}\n{was(p)}{keys(p)}"
        for p in roster.people.values()
    ]
    runners = [
        f"\n[[runner]]\nid = {text(r.id)}\ntitle = {text(r.title)}\n{keys(r)}"
        for r in roster.runners.values()
    ]
    return "".join([f"schema = {roster_file.SCHEMA}\n", *people, *runners])


def _about(answer: Answer, context: Context) -> bytes:
    about = About(
        golive=version("golive"),
        environment=answer.environment,
        environment_kind=context.environment.kind,
        environment_title=answer.environment_title,
        engine=context.origin.engine,
        fingerprint=context.origin.fingerprint,
        suite=context.origin.suite,
    )
    return msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n"


def _add_runs(files: Files, context: Context, answer: Answer) -> None:
    for rule in answer.rules:
        if rule.name == "chain" and not rule.holds:
            raise GoliveError(
                f"{rule.subject}: {rule.observed}; a package holds all of them: fetch them with"
                " `golive pull`, or have two people set them aside"
            )
    for ref in answer.runs:
        folder = context.reports / "runs" / ref.id
        if ref.started_at is None:
            raise GoliveError(f"{folder}: {ref.cause}; a package holds only runs that can be read")
        if ledger.is_running(folder):
            raise GoliveError(f"{folder}: is still running; wait for its end, then package")
        cause = not_its_makers(ledger.read_run(folder, facts=False), context)
        if cause and not is_set_aside(folder, context):
            raise GoliveError(f"{folder}: {cause}; a package holds only runs that somebody signed")
        if cause:
            _add_whole(files, f"runs/{ref.id}", folder)
            continue
        for name in RUN_FILES:
            if (folder / name).exists():
                files[f"runs/{ref.id}/{name}"] = _read(folder / name)


def _add_whole(files: Files, name: str, place: Path) -> None:
    """All that lies at a place: what people have set aside is known by just that."""
    for path in [place, *sorted(place.rglob("*"))]:
        if not path.is_dir() or path.is_symlink():
            files[(Path(name) / path.relative_to(place)).as_posix()] = _read(path)


def _add_aside(files: Files, context: Context) -> None:
    """What two people have set aside is not counted, but others may name it."""
    for said in context.statements.all_set_aside():
        record = str(said.first.statement.data["record"])
        run = context.reports / "runs" / record if "/" not in record else None
        for kind, place in (("runs", run), ("statements", context.statements.place_of(record))):
            name = f"{kind}/{record}"
            if place is None or not place.exists() or not is_set_aside(place, context):
                continue
            if not any(n.startswith(f"{name}/") for n in files):
                _add_whole(files, name, place)


def _add_statements(files: Files, context: Context) -> None:
    here = context.statements.here().kept
    ids = {s.id for s in here}
    for name, cause in context.statements.disputed().items():
        if name not in ids:
            raise GoliveError(f"{name}: {cause}; a package holds only statements that can be read")
    for signed in here:
        place = f"statements/{signed.id}"
        more = [p for p in sorted(signed.folder.iterdir()) if p.name not in STATEMENT_FILES]
        if more and is_set_aside(signed.folder, context):
            _add_whole(files, place, signed.folder)
            continue
        if more:
            raise GoliveError(
                f"{more[0]}: is no part of the statement, so that a package cannot hold it; take"
                " it away, then package"
            )
        body = signed.folder / BODY
        for path in (body, signatures.signature_of(body)):
            if path.exists():
                files[f"{place}/{path.name}"] = _read(path)
        evidence = signed.folder / EVIDENCE
        for path in sorted(evidence.iterdir()) if evidence.is_dir() else []:
            files[f"{place}/{EVIDENCE}/{path.name}"] = _read(path)


def _add_documents(files: Files, context: Context) -> None:
    folder = context.documents
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.endswith((".html", ".html.sig")) or re.search(r"\.html\.\w+\.sig$", path.name):
            files[f"documents/{path.name}"] = _read(path)
    for name in sorted({n for card, _ in context.cards.values() for n in card.papers}):
        if (context.papers / name).is_file():
            files[f"papers/{name}"] = _read(context.papers / name)


def _add_suites(files: Files, context: Context) -> None:
    checks = sorted(p for p in context.suites.rglob("*.py") if p.is_file())
    limits = sorted((context.suites / THRESHOLDS).glob("*.toml"))
    for path in (context.procedure.source, context.launch.source, *limits, *checks):
        files[f"suites/{path.relative_to(context.suites).as_posix()}"] = _read(path)


def _read(path: Path) -> bytes:
    return read_file(path, MOST_BYTES, "a file to package")


def _without_secrets(files: Files, mask: Mask) -> None:
    """What people wrote or attached may hold what nobody may hand on.

    Runs were masked as they were written, by what was known then and there.
    """
    # What pages and the answer show stands in a file that somebody wrote, which is told first.
    follows = {n for n in files if n in (INDEX, ANSWER) or n.startswith("sheets/")}
    for name in sorted(files, key=lambda n: (n in follows, n)):
        if cause := given_away(files[name], mask):
            raise GoliveError(
                f"{name}: {cause}; take it out (of a statement: revoke it and make it again"
                " without), then package"
            )
