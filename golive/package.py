"""The go/no-go package: one zip that anybody can check without golive, and with it.

It holds the answer and everything that the answer was made from, so that whoever has it can come
to the answer anew. ``SHA256SUMS`` names every file; people sign that. The zip itself is written
in one way only (sorted, without times, sealed by the digest of its own bytes in its comment), so
that nothing can be hidden between its files and no byte of it can change.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO, Literal, get_args

import msgspec

from golive import decoding, drift, ledger, provenance, signatures
from golive import launch as launch_file
from golive import procedure as procedure_file
from golive import roster as roster_file
from golive.answer import GO, Answer, decode, encode
from golive.context import Context
from golive.environments import Outline, People
from golive.files import folder as make_folder
from golive.files import read as read_file
from golive.files import write as write_file
from golive.masking import Mask, given_away
from golive.readiness import assess
from golive.reports import launch_page, sheets
from golive.reports.documents import read_document
from golive.roster import Person, Roster, Runner
from golive.statements import BODY, EVIDENCE, digest_of, read_statement
from golive.verdicts import GoliveError

SUMS = "SHA256SUMS"
INDEX, ANSWER, HOW_TO = "index.html", "answer.json", "HOW-TO-VERIFY.txt"
ABOUT, ROSTER, SIGNERS = "package.json", "roster.toml", "allowed_signers"
SCHEMA = 2
"""Since 2 a package says which code, suites and environment its answer was made with."""
_MOST_BYTES = 2 * 2**30
"""Of all files together."""
_MOST_FILES = 200_000
_MOST_RATIO = 400
"""By which all files together may be larger than the zip: text packs well, a bomb better."""
Kind = Literal["rehearsal", "staging", "production"]
"""Of an environment."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE = stat.S_IFREG | 0o644
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +@-]{0,250}(?:/[A-Za-z0-9][A-Za-z0-9._ +@-]{0,250})*")
_SIGNATURE = re.compile(rf"{SUMS}\.(?P<person>[A-Za-z0-9_-]+)\.sig")
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]+)")
_RUN_FILES = (ledger.HEAD, ledger.FACTS, ledger.VERDICTS, ledger.END, f"{ledger.END}.sig")
_STATEMENT_FILES = (BODY, f"{BODY}.sig", EVIDENCE)
_CLOCKS_DIFFER = timedelta(minutes=5)
_MOST_SIGNATURE = 2**16
_FOLDERS = ("documents", "papers", "runs", "sheets", "statements", "suites")

Files = dict[str, bytes]


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the package is of."""

    schema: int = SCHEMA
    golive: str
    """The version that made it."""
    environment: str
    environment_kind: Kind
    environment_title: str
    engine: str
    """SHA-256 of the golive that made it."""
    fingerprint: str
    """Of the environment."""
    suite: ledger.Suite
    """The suites that the answer was made with."""

    @property
    def is_rehearsal(self) -> bool:
        """Whether it decides nothing."""
        return self.environment_kind == "rehearsal"


# -- making one --------------------------------------------------------------------------------


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
        HOW_TO: _how_to(answer).encode(),
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


def sign(path: Path, person: str, key: Path, roster: Roster) -> None:
    """Add somebody's signature to a package.

    :raises GoliveError: it is no whole package, the key cannot sign, or is not that person's.
    """
    with opened(path) as package:
        sums = package.folder / SUMS
        place = sums.with_name(f"{SUMS}.{person}.sig")
        signatures.sign(sums, key, signatures.PACKAGES, place=place)
        signers = roster.allowed_signers([person])
        found = signatures.verify(sums, signers, person, signatures.PACKAGES, signature=place)
        if not found.valid:
            raise GoliveError(f"{key}: is no key of {person}: {found.cause}")
        names = [*package.names, place.name]
        files = {name: (package.folder / name).read_bytes() for name in names}
    write(path, zipped(files))


def write(path: Path, data: bytes) -> Path:
    """Put a package in its place, whole or not at all.

    :raises GoliveError: it cannot be written.
    """
    try:
        make_folder(path.parent)
        return write_file(path, data)
    except OSError as e:
        raise GoliveError(f"{path}: cannot be written: {e.strerror}") from None


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a package's bytes, with the list of their digests.

    :raises GoliveError: a name that no package may have, or more than fits.
    """
    for name in files:
        if not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise GoliveError(f"{name!r}: is no name of a file in a package; rename the file")
    total = sum(map(len, files.values()))
    if total > _MOST_BYTES or len(files) >= _MOST_FILES:
        raise GoliveError(
            f"the package would have {len(files):,} files of {total / 2**20:,.0f} MiB; expected"
            f" at most {_MOST_BYTES // 2**20:,} MiB: move old runs elsewhere"
        )
    content = {n: d for n, d in files.items() if n != SUMS and not _SIGNATURE.fullmatch(n)}
    lines = [f"{hashlib.sha256(content[n]).hexdigest()}  {n}\n" for n in sorted(content)]
    whole = dict(files) | {SUMS: "".join(lines).encode()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(whole):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = _FILE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, whole[name], compresslevel=6)
        archive.comment = b"0" * 64
    data = buffer.getvalue()[:-64]
    return data + hashlib.sha256(data).hexdigest().encode()


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
        cause = _not_its_makers(ledger.read_run(folder, facts=False), context)
        if cause and not _is_set_aside(folder, context):
            raise GoliveError(f"{folder}: {cause}; a package holds only runs that somebody signed")
        if cause:
            _add_whole(files, f"runs/{ref.id}", folder)
            continue
        for name in _RUN_FILES:
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
            if place is None or not place.exists() or not _is_set_aside(place, context):
                continue
            if not any(n.startswith(f"{name}/") for n in files):
                _add_whole(files, name, place)


def _not_its_makers(run: ledger.Run, context: Context) -> str:
    """Why nobody on the roster stands for a run that has ended; empty where somebody does."""
    if run.head.environment.kind != context.environment.kind:
        return f"it says that {context.environment.name} is a {run.head.environment.kind}"
    if run.end is None or context.environment.kind == "rehearsal":
        return ""
    return ledger.unsigned(run, context.roster)


def _is_set_aside(folder: Path, context: Context) -> bool:
    """Whether two people have said that a record is not to be counted, as it lies there."""
    return context.statements.set_aside(folder.name, digest_of(folder)) is not None


def _add_statements(files: Files, context: Context) -> None:
    here = context.statements.here().kept
    ids = {s.id for s in here}
    for name, cause in context.statements.disputed().items():
        if name not in ids:
            raise GoliveError(f"{name}: {cause}; a package holds only statements that can be read")
    for signed in here:
        place = f"statements/{signed.id}"
        more = [p for p in sorted(signed.folder.iterdir()) if p.name not in _STATEMENT_FILES]
        if more and _is_set_aside(signed.folder, context):
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
    for path in (context.procedure.source, context.launch.source, *checks):
        files[f"suites/{path.relative_to(context.suites).as_posix()}"] = _read(path)


def _read(path: Path) -> bytes:
    return read_file(path, _MOST_BYTES, "a file to package")


def _without_secrets(files: Files, mask: Mask) -> None:
    """What people wrote or attached may hold what nobody may hand on.

    Runs were masked as they were written, by what was known then and there.
    """
    # What pages and the answer show stands in a file that somebody wrote, which is told first.
    follows = {n for n in files if n in (INDEX, ANSWER) or n.startswith("sheets/")}
    for name in sorted(files, key=lambda n: (n in follows, n)):
        if cause := given_away(files[name], mask):
            raise GoliveError(
                f"{name}: {cause}; take it out (of a statement: revoke it and make it anew"
                " without), then package"
            )


# -- opening one -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """A package whose bytes are in order, unpacked; what it says is not checked yet."""

    path: Path
    folder: Path
    names: tuple[str, ...]
    about: About

    @property
    def digest(self) -> str:
        """SHA-256 of the list that people sign."""
        return hashlib.sha256((self.folder / SUMS).read_bytes()).hexdigest()

    def context(self, roster: Path | None = None) -> Context:
        """The context that the package was made on.

        :param roster: another roster than the enclosed one.
        """
        about, suites = self.about, self.folder / "suites"
        people = People(
            roster=str(roster.resolve()) if roster else ROSTER,
            papers="papers",
            statements="statements",
            documents="documents",
        )
        outline = Outline(
            name=about.environment,
            kind=about.environment_kind,
            title=about.environment_title,
            people=people,
            fingerprint=about.fingerprint,
        )
        checks = provenance.check_digests(suites)
        return Context(
            self.folder,
            self.folder,
            outline,
            launch_file.load(suites / drift.LAUNCH),
            procedure_file.load(suites / drift.PROCEDURE),
            known_origin=provenance.Origin(about.engine, about.fingerprint, about.suite, checks),
        )


@contextmanager
def opened(path: Path) -> Iterator[Package]:
    """Unpack a package that is whole: as golive writes one, every file as listed.

    :raises GoliveError: it is not; says what is wrong first.
    """
    with tempfile.TemporaryDirectory(prefix="golive-package-") as place:
        folder = Path(place).resolve()
        names = _unpack(path, folder)
        _check_sums(path, folder, names)
        about_file = folder / ABOUT
        try:
            about = decoding.decode(about_file.read_bytes(), About)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            raise _wrong(path, ABOUT, f"is damaged or not there: {e}") from None
        if about.schema != SCHEMA:
            raise _wrong(path, ABOUT, f"schema: found {about.schema}; this golive reads {SCHEMA}")
        yield Package(path, folder, names, about)


def _wrong(path: Path, name: str, what: str) -> GoliveError:
    return GoliveError(f"{path}: {name}: {what}")


def _unpack(path: Path, folder: Path) -> tuple[str, ...]:
    data = read_file(path, _MOST_BYTES, "a package", links=True)
    if not data:
        raise GoliveError(f"{path}: is empty; expected a package")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            _check_form(path, data, archive, members)
            for info in members:
                target = folder / info.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, target.open("xb") as out:
                    _copy(source, out, info, path)
            return tuple(m.filename for m in members)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as e:
        raise GoliveError(f"{path}: is no whole zip: {e}; it was altered or cut off") from None
    except OSError as e:
        raise GoliveError(f"{path}: cannot be unpacked: {e}") from None


def _copy(source: IO[bytes], out: IO[bytes], info: zipfile.ZipInfo, path: Path) -> None:
    left = info.file_size
    while piece := source.read(2**20):
        left -= len(piece)
        if left < 0:
            raise _wrong(path, info.filename, "is larger than the zip says")
        out.write(piece)


def _check_form(
    path: Path, data: bytes, archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]
) -> None:
    """The zip is one that golive writes, and not a byte of it has changed."""
    if not members:
        raise GoliveError(f"{path}: holds nothing; expected a package")
    if len(members) > _MOST_FILES:
        raise GoliveError(f"{path}: holds {len(members):,} files; expected {_MOST_FILES:,} at most")
    seen: dict[str, str] = {}
    for info in members:
        name = info.orig_filename
        if not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise GoliveError(f"{path}: found the name {name[:200]!r}, which no package has")
        if name.lower() in seen:
            raise GoliveError(f"{path}: found {seen[name.lower()]} and {name}; expected it once")
        seen[name.lower()] = name
        if info.external_attr >> 16 != _FILE:
            raise _wrong(path, name, "is no ordinary file")
    total = sum(m.file_size for m in members)
    if total > _MOST_BYTES or total > max(_MOST_RATIO * len(data), 2**24):
        raise GoliveError(
            f"{path}: would unpack to {total / 2**20:,.0f} MiB from {len(data) / 2**20:,.1f} MiB;"
            " expected a package"
        )
    if len(archive.comment) != 64:
        raise GoliveError(f"{path}: is not sealed; it was not written by golive, or altered")
    if hashlib.sha256(data[:-64]).hexdigest().encode() != archive.comment:
        raise GoliveError(f"{path}: its bytes do not match its seal, so it was altered or cut off")
    offset = 0
    for info in members:
        # What stands before a file's bytes says the same as the directory at the end.
        header = data[offset : offset + 30]
        length = int.from_bytes(header[26:28], "little")
        own = data[offset + 30 : offset + 30 + length]
        plain = (
            info.header_offset == offset
            and own == info.orig_filename.encode()
            and int.from_bytes(header[28:30], "little") == 0
            and int.from_bytes(header[18:22], "little") == info.compress_size
            and int.from_bytes(header[22:26], "little") == info.file_size
            and info.flag_bits == int.from_bytes(header[6:8], "little") == 0
            and info.compress_type == int.from_bytes(header[8:10], "little")
            and info.compress_type == zipfile.ZIP_DEFLATED
            and not info.extra
            and not info.comment
            and info.date_time == _EPOCH
        )
        if not plain:
            raise _wrong(path, info.filename, "is not stored as golive stores a file")
        offset += 30 + length + info.compress_size
    if offset != archive.start_dir:
        raise GoliveError(f"{path}: something is hidden between its files")


def _check_sums(path: Path, folder: Path, names: Sequence[str]) -> None:
    if SUMS not in names:
        raise GoliveError(f"{path}: {SUMS} is missing; expected a package")
    text = (folder / SUMS).read_bytes().decode(errors="replace")
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        match = _LINE.fullmatch(line.removesuffix("\n"))
        if match is None or not line.endswith("\n") or match["name"] in listed:
            raise _wrong(path, SUMS, f"line {number} is damaged")
        listed[match["name"]] = match["digest"]
    known = (INDEX, ANSWER, HOW_TO, ABOUT, ROSTER, SIGNERS, SUMS)
    for name in names:
        top, _, below = name.partition("/")
        if not (top in _FOLDERS if below else name in known or _SIGNATURE.fullmatch(name)):
            raise _wrong(path, name, "is no part of a package")
    there = [n for n in names if n != SUMS and not _SIGNATURE.fullmatch(n)]
    for name in there:
        if name not in listed:
            raise _wrong(path, name, f"is not listed in {SUMS}")
    for name, digest in listed.items():
        if name not in there:
            raise _wrong(path, name, f"is listed in {SUMS}, but is not there")
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise _wrong(path, name, f"was altered: it does not match {SUMS}")
    if list(listed) != sorted(listed):
        raise _wrong(path, SUMS, "is not sorted")


# -- checking one ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What whoever checks a package knows already, so that the package is not asked for it."""

    roster: Path | None = None
    """Who may sign; None: the enclosed roster is believed."""
    suites: Path | None = None
    """By what rules it has to be made; None: the enclosed ones are believed."""
    fingerprint: str = ""
    """Of the environment as it is described there; empty: the package is believed."""
    kind: str = ""
    """Of the environment as it is described there; empty: the package is believed."""
    engine: str = ""
    """SHA-256 of the golive that may have made it; default: this one."""
    purpose: str = ""
    """Name or kind of the environment that is to be decided on."""
    not_before: datetime | None = None
    """How old the answer may be."""


@dataclass(frozen=True)
class Verified:
    """What holds of a package."""

    answer: Answer
    about: About
    signed_by: list[tuple[str, str]]
    """Name and roles."""
    unsigned: list[str]
    """Roles that decide on the launch and have not signed it."""
    runs: int
    statements: int
    documents: int
    """With a signature."""
    digest: str


def verify(package: Package, trust: Trust | None = None) -> Verified:
    """Check what an opened package says, down to the answer, made anew.

    :raises GoliveError: the first thing that is wrong.
    """
    known = trust or Trust()
    path, folder, about = package.path, package.folder, package.about
    rules = (f"suites/{name}" for name in (drift.LAUNCH, drift.PROCEDURE))
    for name in (INDEX, ANSWER, HOW_TO, ROSTER, SIGNERS, *rules):
        if name not in package.names:
            raise _wrong(path, name, "is missing")
    of_kind = known.purpose in get_args(Kind)
    if known.purpose not in ("", about.environment_kind if of_kind else about.environment):
        what = "a REHEARSAL, which decides nothing" if about.is_rehearsal else about.environment
        raise GoliveError(f"{path}: is about {what}; expected one about {known.purpose}")
    _check_engine(package, known.engine)
    _check_rules(package, known)
    people = roster_file.load(folder / ROSTER)
    if people.allowed_signers() != (folder / SIGNERS).read_text(encoding="utf-8"):
        raise _wrong(path, SIGNERS, f"names other keys than {ROSTER}")
    answer = decode((folder / ANSWER).read_bytes(), Path(f"{path}: {ANSWER}"))
    of = (answer.environment, answer.environment_kind, answer.environment_title)
    if of != (about.environment, about.environment_kind, about.environment_title):
        raise _wrong(path, ABOUT, f"is about {about.environment}, the answer about {of[0]}")
    _check_age(path, answer, known.not_before)
    context = package.context(known.roster)
    signers = _signers(package, context.roster, answer.made_at)
    runs = _check_runs(package, context)
    statements = _check_statements(package, context)
    documents = _check_documents(package, context.roster, answer.made_at)
    _check_answer(package, answer, context, known.roster)
    _check_pages(package, answer)
    lacking = _lacking(context.launch.approvers, signers, context.roster)
    if lacking and answer.answer == GO:
        raise GoliveError(
            f"{path}: is {GO}, but nobody has signed it as {', '.join(lacking)}; each role that"
            " decides does, by a person of its own, with"
            f" `golive package --sign {path} --as PERSON`"
        )
    signed = [(p.name, _roles(context.roster, p.id)) for p in signers]
    return Verified(answer, about, signed, lacking, runs, statements, documents, package.digest)


def _check_engine(package: Package, trusted: str) -> None:
    """The same code has to come to the same answer, so it is the same code."""
    about, own = package.about, provenance.engine_digest()
    if about.engine == (trusted or own):
        return
    if trusted:
        raise GoliveError(
            f"{package.path}: was made by a golive {about.golive} of SHA-256 {about.engine};"
            f" expected {trusted}, which --golive names"
        )
    raise GoliveError(
        f"{package.path}: was made by golive {about.golive} of SHA-256 {about.engine}, this is"
        f" {version('golive')} of {own}; check it with the golive that made it, or, once you know"
        " from somebody you trust that this is its code, add --golive SHA256"
    )


def _check_rules(package: Package, known: Trust) -> None:
    """The suites are those that the package says, and say what one's own say."""
    about, theirs = package.about, package.folder / "suites"
    with _told(package):
        if provenance.suite_digest(theirs) != about.suite.digest:
            raise GoliveError("suites: are not those that package.json says the answer rests on")
        if known.suites is not None:
            drift.refuse(theirs, known.suites)
    if known.kind not in ("", about.environment_kind):
        raise GoliveError(
            f"{package.path}: says that {about.environment} is a {about.environment_kind}; expected"
            f" {known.kind}, as {known.suites} describes it"
        )
    # A rehearsal has other ports whenever it comes up.
    if known.fingerprint not in ("", about.fingerprint) and not about.is_rehearsal:
        raise GoliveError(
            f"{package.path}: its environment {about.environment} is described otherwise than by"
            f" {known.suites}; make it anew from the same description"
        )


def _check_age(path: Path, answer: Answer, not_before: datetime | None) -> None:
    made = f"{answer.made_at:%Y-%m-%d %H:%M} UTC"
    if answer.made_at > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise GoliveError(f"{path}: its answer is of {made}, which has not come; look at the clock")
    if not_before is not None and answer.made_at < not_before:
        raise GoliveError(
            f"{path}: its answer is of {made}; expected none older than"
            f" {not_before:%Y-%m-%d %H:%M} UTC: make it anew"
        )


def _lacking(approvers: Sequence[str], signers: Sequence[Person], roster: Roster) -> list[str]:
    """The roles that decide and for which nobody has signed, where each person speaks for one."""
    speaks: dict[str, str] = {}

    def finds_one(role: str, asked: set[str]) -> bool:
        for person in signers:
            if person.id in asked or person not in roster.entitled(role):
                continue
            asked.add(person.id)
            if person.id not in speaks or finds_one(speaks[person.id], asked):
                speaks[person.id] = role
                return True
        return False

    return [role for role in approvers if not finds_one(role, set())]


def _roles(roster: Roster, person: str) -> str:
    return ", ".join(r.replace("_", " ") for r in roster.roles_of(person))


def _signers(package: Package, roster: Roster, at: datetime) -> list[Person]:
    found = []
    for name in package.names:
        match = _SIGNATURE.fullmatch(name)
        if match is None:
            continue
        who = match["person"]
        if not roster.roles_of(who):
            raise _wrong(package.path, name, f"{who} has no role on {_shown(roster, package)}")
        cause = _bad(
            package.folder / SUMS, package.folder / name, [who], roster, signatures.PACKAGES, at
        )
        if cause:
            raise _wrong(package.path, name, cause)
        found.append(roster.people[who])
    if not found:
        raise GoliveError(
            f"{package.path}: nobody has signed it; somebody of the roster does with"
            f" `golive package --sign {package.path} --as PERSON`"
        )
    return found


def _bad(
    path: Path, place: Path, people: Sequence[str], roster: Roster, namespace: str, at: datetime
) -> str:
    """Why none of these people's keys has made a signature; empty where one has."""
    cause = "nobody on the roster may sign it"
    if place.stat().st_size > _MOST_SIGNATURE:
        return "is no signature"
    for who in people:
        if who in roster.shared_keys:
            cause = f"{', '.join(roster.shared_keys[who])} have the same key"
            continue
        signers = roster.allowed_signers([who])
        if not signers:
            continue
        found = signatures.verify(path, signers, who, namespace, signature=place, at=at)
        if found.valid:
            return ""
        cause = f"is not valid: {found.cause}"
    return cause


def _check_runs(package: Package, context: Context) -> int:
    return sum(_sound(f, context, _check_run, package) for f in _folders(package.folder / "runs"))


def _check_statements(package: Package, context: Context) -> int:
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
        if not _is_set_aside(folder, context):
            raise
        return False
    return True


def _check_run(package: Package, folder: Path, context: Context) -> None:
    name = f"runs/{folder.name}"
    with _told(package):
        run = ledger.read_run(folder)
    if run.head.id != folder.name:
        raise _wrong(package.path, name, f"is the run {run.head.id}")
    if run.head.environment.name != context.environment.name:
        raise _wrong(package.path, name, f"is a run of {run.head.environment.name}")
    cause = _not_its_makers(run, context)
    if cause:
        raise _wrong(package.path, name, cause)
    _check_files(package, folder, _RUN_FILES, "a run")


def _check_statement(package: Package, folder: Path, _: Context) -> None:
    with _told(package):
        read_statement(folder)
    _check_files(package, folder, _STATEMENT_FILES, "a statement")


def _check_files(package: Package, folder: Path, known: Sequence[str], what: str) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            name = path.relative_to(package.folder).as_posix()
            raise _wrong(package.path, name, f"is no part of {what}")


def _check_documents(package: Package, roster: Roster, at: datetime) -> int:
    signed = 0
    for place in sorted((package.folder / "documents").glob("*.sig")):
        name, _, role = place.name.removesuffix(".sig").partition(".html")
        path = place.with_name(f"{name}.html")
        if not path.is_file():
            raise _wrong(package.path, f"documents/{place.name}", "is of a document not there")
        with _told(package):
            document = read_document(path)
        role = role.removeprefix(".") or (document.signers[0].role if document.signers else "")
        if role not in [s.role for s in document.signers]:
            raise _wrong(package.path, f"documents/{place.name}", f"{role} does not sign that")
        people = [p.id for p in roster.entitled(role)]
        cause = _bad(path, place, people, roster, signatures.DOCUMENTS, at)
        if cause:
            raise _wrong(package.path, f"documents/{place.name}", cause)
        signed += 1
    return signed


def _check_answer(package: Package, answer: Answer, context: Context, roster: Path | None) -> None:
    """What the answer was made from makes it again."""
    items = answer.standings
    anew = assess(
        context,
        today=answer.today,
        all_due=bool(items) and all(s.is_due for s in items),
        now=answer.made_at,
        before=answer.changed_since,
        elsewhere=answer.elsewhere,
    )
    if encode(anew) == (package.folder / ANSWER).read_bytes():
        return
    by = f" (made by golive {package.about.golive}, this is {version('golive')})"
    whose = f" with {roster}" if roster else ""
    raise _wrong(
        package.path,
        ANSWER,
        f"is not what its runs and statements say{whose}: {_difference(answer, anew)}"
        f"{by if package.about.golive != version('golive') else ''}",
    )


def _difference(said: Answer, anew: Answer) -> str:
    if said.answer != anew.answer:
        return f"it says {said.answer}, they say {anew.answer}"
    for a, b in zip(said.rules, anew.rules, strict=False):
        if a != b:
            return f"rule {a.name}: it says {a.observed}, they say {b.observed}"
    then = {s.line.id: s for s in anew.standings}
    for s in said.standings:
        other = then.get(s.line.id)
        if s != other:
            return f"{s.line.id}: it says {s.state}, they say {other.state if other else 'nothing'}"
    names = [f for f in Answer.__struct_fields__ if getattr(said, f) != getattr(anew, f)]
    return f"it differs in {', '.join(names) or 'its form'}"


def _check_pages(package: Package, answer: Answer) -> None:
    """Pages show what the answer says, and nothing else."""
    expected = {INDEX: launch_page.page(answer)}
    expected |= {f"sheets/{mark}.html": s for mark, s in sheets.sheets(answer).items()}
    for name, page in expected.items():
        place = package.folder / name
        if not place.is_file() or place.read_bytes() != page.encode():
            raise _wrong(package.path, name, f"does not show what {ANSWER} says")
    for place in (package.folder / "sheets").iterdir():
        if f"sheets/{place.name}" not in expected:
            raise _wrong(package.path, f"sheets/{place.name}", "is no sheet of this answer")


def _folders(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


@contextmanager
def _told(package: Package) -> Iterator[None]:
    """What is wrong inside is told as of the package."""
    try:
        yield
    except GoliveError as e:
        raise GoliveError(f"{package.path}: {str(e).replace(f'{package.folder}/', '')}") from None


def _shown(roster: Roster, package: Package) -> str:
    own = package.folder / ROSTER
    return "the enclosed roster" if roster.source == own else str(roster.source)


_TEXT = r"""@BAND@How to check this package without golive
========================================

It is about @CANDIDATE@ on @TITLE@, as of @AS_OF@ UTC.
You need unzip, sha256sum and ssh-keygen (OpenSSH 8.9 or newer). Each line that is indented is a
command for a POSIX shell; none of them prints a complaint when all is well.

1. Unpack it into an empty folder, with PACKAGE the path of the zip, and go there:

    export LC_ALL=C TZ=UTC
    unzip -q "$PACKAGE" -d package && cd package

2. Every file is as it was listed:

    sha256sum --check --strict --quiet SHA256SUMS

3. There is no other file but the list and its signatures, and none with a name to hide behind:

    sed 's/^[0-9a-f]*  //' SHA256SUMS > ../listed.txt
    find . ! -type d | cut -c3- | sort > ../there.txt
    grep -vxE 'SHA256SUMS(\.[A-Za-z0-9_-]+\.sig)?' ../there.txt | diff ../listed.txt -
    if find . ! -name . \( -name '.*' -o -name '*[!A-Za-z0-9._ +@-]*' \) | grep .; then exit 1; fi

4. People have signed the list. allowed_signers has their public keys as the package knows them:
compare it with the keys that you know, or put a list of your own in its place.

    ls SHA256SUMS.*.sig
    for sig in SHA256SUMS.*.sig; do
      who=${sig#SHA256SUMS.}; who=${who%.sig}
      ssh-keygen -Y verify -f allowed_signers -I "$who" -n golive-package \
        -O verify-time=@MADE_AT@ -s "$sig" < SHA256SUMS || exit 1
    done

5. Each run is as it was when it ended, and goes by its own name@SIGNED@:

    for run in runs/*; do
      [ -e "$run" ] || continue
      grep -qxF " \"id\": \"${run##*/}\"," "$run/run.json" || { echo "$run: altered"; exit 1; }
      end=$run/end.json
      [ -e "$end" ] || { echo "$run did not end: nothing green of it counts"; continue; }
      value() { sed -nE "s/^ \"$1\": \"([A-Za-z0-9:._-]*)\",?\$/\1/p" "$end"; }
      [ "$(grep -cE '"(ended_at|digest|by)":' "$end")" -eq 3 ] || { echo "$end: altered"; exit 1; }
      digest=$(cd "$run" && cat run.json facts.jsonl verdicts.jsonl | sha256sum | cut -c1-64)
      [ "$(value digest)" = "$digest" ] || { echo "$run was altered"; exit 1; }
@RUN_SIGNED@    done

6. Each statement is signed by who it says, and its evidence is what it names. One that is not
valid is told as such in index.html, with the reason, and does not count. Who said it stands right
after "about" and "before" in the first line, which is all of it.

    for said in statements/*; do
      [ -e "$said" ] || continue
      body=$said/statement.json
      by=$(sed -nE '1s/^\{"about":"[^"\\]*","before":\{[^{}\\]*\},"by":"([A-Za-z0-9_-]+)",.*/\1/p' "$body")
      made=$(sed -nE '1s/.*"made_at":"([0-9T:-]+)(\.[0-9]+)?Z".*/\1/p' "$body" | tr -d 'T:-')
      named=$(sed -nE '1s/.*"evidence":\[(.*)\],"expires_at":.*/\1/p' "$body")
      own=$(grep -oE '"(by|made_at|evidence|expires_at)":' "$body" | wc -l)
      if [ "$(wc -l < "$body")" -ne 1 ] || [ "$own" -ne 4 ]
      then echo "$said: not valid: was not written by golive"; by=
      fi
      [ "$(sha256sum < "$body" | cut -c1-12)" = "${said##*-}" ] \
        || { echo "$said: was altered"; exit 1; }
      ssh-keygen -Y verify -f allowed_signers -I "$by" -n golive-statement \
        -O verify-time="$made" -s "$body.sig" < "$body" || echo "$said: not valid"
      for file in "$said"/*; do
        case ${file##*/} in
          statement.json | statement.json.sig | evidence) ;;
          *) echo "$file: is no part of a statement"; exit 1 ;;
        esac
      done
      for file in "$said"/evidence/*; do
        [ -e "$file" ] || continue
        name=${file##*/}
        echo "${name%%-*}  $file" | sha256sum --check --quiet || echo "$file: was altered"
        case $named in
          *"\"sha256\":\"${name%%-*}\""*) ;;
          *) echo "$file: not named" ;;
        esac
      done
    done

7. Documents that people have signed, NAME.html with NAME.html.sig: by the first signer that the
document names at its end, NAME.html.ROLE.sig by another's role. WHO is the person's name in
allowed_signers:

    # ssh-keygen -Y verify -f allowed_signers -I WHO -n golive-document -s NAME.html.sig < NAME.html

index.html shows the answer with every item; answer.json is the same for machines. Whether the
answer follows from the runs and statements is what `golive verify` shows beyond this.
"""  # noqa: E501 - a command of the shell is one line

_RUN_SIGNED = r"""      by=$(value by)
      made=$(value ended_at | cut -d. -f1 | tr -d 'T:Z-')
      ssh-keygen -Y verify -f allowed_signers -I "$by" -n golive-run \
        -O verify-time="$made" -s "$end.sig" < "$end" || { echo "$run: not signed"; exit 1; }
"""


def _how_to(answer: Answer) -> str:
    rehearsed = answer.is_rehearsal
    words = {
        "BAND": "REHEARSAL: this package decides nothing.\n\n" if rehearsed else "",
        "SIGNED": "" if rehearsed else ".\nWho made it has signed its end",
        "RUN_SIGNED": "" if rehearsed else _RUN_SIGNED,
        "CANDIDATE": _line(answer.candidate),
        "TITLE": _line(answer.environment_title),
        "AS_OF": f"{answer.made_at:%Y-%m-%d %H:%M:%S}",
        "MADE_AT": f"{answer.made_at:%Y%m%d%H%M%S}",
    }
    return re.sub(r"@([A-Z_]+)@", lambda m: words[m[1]], _TEXT)


def _line(text: str) -> str:
    return re.sub(r"[^\w .,:()+-]", "_", text)[:120]
