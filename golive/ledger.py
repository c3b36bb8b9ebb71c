"""Runs on disk: append-only, readable however a run ended, the only thing reports read.

A run is one folder below ``reports/runs``:

``run.json``        written first: environment, candidate, who, where, what was selected
``facts.jsonl``     one line for each probe as soon as it has looked
``verdicts.jsonl``  one line for each item as soon as it has a verdict
``end.json``        written last: when it ended, its exit status, the digest of the rest
``end.json.sig``    the signature over it, by ``ssh-keygen -Y sign`` for golive-run

Lines reach the operating system before the next item starts, so a killed run keeps every
verdict it had. A reader takes a last line that was cut off as not written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import msgspec

from golive import files
from golive.decoding import convert, decode, decode_lines
from golive.masking import Mask
from golive.people import signatures
from golive.people.roster import Roster
from golive.verdicts import GoliveError, ProbeError, Verdict

SCHEMA = 2
"""Version of the layout above; a reader refuses any other. Since 2 a run says what it looked with,
names the records before it, and is signed."""

HEAD, FACTS, VERDICTS, END = "run.json", "facts.jsonl", "verdicts.jsonl", "end.json"
SIGNATURE = f"{END}.sig"
FILES = (HEAD, FACTS, VERDICTS, END, SIGNATURE)
_MOST_BYTES = {HEAD: 16 * 2**20, FACTS: 256 * 2**20, VERDICTS: 256 * 2**20, END: 2**16}
_EXPECTED = "a run's record"
_NO_RECORD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_WRITTEN_LATELY_S = 3600


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the procedure, as the run knew it."""

    id: str
    title: str
    owner: str
    block: str
    block_title: str
    phase: str
    task: str
    time: str = ""
    minutes: int | None = None
    area: str
    way: str
    effect: str
    order: int


class Claim(msgspec.Struct, frozen=True):
    """What was observed of a subject, and what is required."""

    subject: str
    observed: str
    required: str
    holds: bool
    see: str = ""
    ids: list[str] = []
    """The members that offend, every one, where these have ids."""
    unseen: bool = False
    """Whether what it is about could not be looked at, so that it neither holds nor is broken."""
    whole: list[str] = []
    """Every member of a list that ``observed`` cuts."""
    sql: list[str] = []
    """Statements that mend what offends, where SQL does."""

    @property
    def broken(self) -> bool:
        """Whether it was looked at and does not hold."""
        return not (self.holds or self.unseen)


class ItemVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """An item's verdict with everything that led to it."""

    id: str
    verdict: Verdict
    started_at: datetime
    duration_s: float
    how: str = ""
    message: str = ""
    remedy: str = ""
    claims: list[Claim] = []
    asserted: list[str] = []
    """Assertions that held besides the claims, as pytest explains them."""
    facts: list[str] = []
    """Names of the probes it used."""
    detail: str = ""
    """Traceback and captured output, where there is any worth keeping."""
    nodeid: str = ""
    check: str = ""
    """SHA-256 of what its check is written in: :func:`golive.provenance.check_digests`."""
    limits: dict[str, float] = {}
    """The thresholds of launch.toml that its check asked for, as they were."""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found."""

    probe: str
    observed_at: datetime
    duration_s: float
    value: Any = None
    error: str = ""


class EnvironmentRef(msgspec.Struct, frozen=True):
    """Which environment it was."""

    name: str
    kind: str
    title: str
    fingerprint: str


class Suite(msgspec.Struct, frozen=True):
    """Which state of the suite it was. ``clean`` is None where git could not say."""

    commit: str
    clean: bool | None
    digest: str = ""
    """SHA-256 of what has to hold: :func:`golive.provenance.suite_digest`."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """A pytest plugin or conftest that was loaded."""

    name: str
    source: str
    """A package with its version, or a file: relative to the project where it lies in it."""
    sha256: str = ""
    """Of the file."""
    known: bool
    """Whether golive brought it, or launch.toml names it."""


class Signatory(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on the roster, or a runner: what changed of them since a run can be reported."""

    roles: list[str] = []
    keys: list[str] = []


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """By what it was judged and who decides, so that what changed since can be reported."""

    thresholds: dict[str, float] = {}
    approvers: list[str] = []
    people: dict[str, Signatory] = {}


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before its first item."""

    schema: int = SCHEMA
    id: str
    environment: EnvironmentRef
    candidate: str
    launch_date: date
    today: date
    who: str
    host: str
    started_at: datetime
    suite: Suite
    packages: dict[str, str]
    windows: dict[str, float]
    selected: list[Line]
    unwritten: list[Line]
    blocks: dict[str, int] = {}
    """How many items the procedure has in each block."""
    deselected: int = 0
    report_only: bool = False
    engine: str = ""
    """SHA-256 of golive's own code: :func:`golive.provenance.engine_digest`."""
    plugins: list[Plugin] = []
    """What pytest had loaded."""
    rules: Rules = Rules()
    before: dict[str, str] = {}
    """The newest records of its environment when it began, id to SHA-256: see
    :mod:`golive.chain`."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    ended_at: datetime
    exit_status: int
    digest: str
    """SHA-256 over run.json, facts.jsonl and verdicts.jsonl, in this order."""
    by: str = ""
    """Id on the roster of who signs it; empty: nobody does."""
    plugins: list[Plugin] = []
    """What pytest had loaded by then besides what it had at the start."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run as read from disk."""

    folder: Path
    head: Head
    verdicts: dict[str, ItemVerdict]
    facts: dict[str, Gathered]
    end: End | None

    @property
    def digest(self) -> str:
        """SHA-256 of what is there now."""
        return digest(self.folder)

    @property
    def sha256(self) -> str:
        """Digest by which later records name it; an ended run's covers all of its files."""
        return seal(self.folder)

    @property
    def lines(self) -> dict[str, Line]:
        """Selected items by id, in the procedure's order."""
        return {line.id: line for line in sorted(self.head.selected, key=lambda x: x.order)}


@dataclasses.dataclass(frozen=True, slots=True)
class Signing:
    """Who signs a run's end, and how."""

    by: str
    """An id on the roster."""
    key: Path
    roster: Roster
    """Which the signature has to stand by."""


class Ledger:
    """Writes one run. Safe to use from several threads.

    :raises GoliveError: the folder cannot be made; names it.
    """

    def __init__(self, reports: Path, head: Head, mask: Mask) -> None:
        self.folder = reports / "runs" / head.id
        self._mask = mask
        self._lock = threading.Lock()
        self._closed = False
        try:
            files.folder(self.folder, new=True)
            self._facts = files.append_only(self.folder / FACTS)
            self._verdicts = files.append_only(self.folder / VERDICTS)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(self._verdicts, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(HEAD, head)
        except OSError as e:
            raise GoliveError(
                f"{self.folder}: cannot be written: {e.strerror}; expected a folder for"
                " reports that you may write to (--reports names another)"
            ) from None

    def add_verdict(self, verdict: ItemVerdict) -> None:
        """Append an item's verdict."""
        self._append(self._verdicts, verdict)

    def add_facts(self, gathered: Gathered) -> None:
        """Append what a probe found."""
        self._append(self._facts, gathered)

    def close(
        self,
        exit_status: int,
        signing: Signing | None = None,
        plugins: Sequence[Plugin] = (),
    ) -> tuple[End, str]:
        """Seal the run: nothing is added afterwards.

        A key that does not sign never costs the run: then its end names nobody.

        :returns: its end, and why nobody has signed it although somebody should have.
        """
        with self._lock:
            self._closed = True
            os.fsync(self._facts)
            os.fsync(self._verdicts)
            end = End(
                ended_at=datetime.now(UTC),
                exit_status=exit_status,
                digest=digest(self.folder),
                plugins=list(plugins),
            )
            cause = ""
            if signing is not None:
                signed = msgspec.structs.replace(end, by=signing.by)
                cause = self._sign(signed, signing)
                end = end if cause else signed
            if not end.by:
                self._write(END, end)
            os.close(self._facts)
            os.close(self._verdicts)  # and with it the lock: not running has to mean final
        return end, cause

    def _sign(self, end: End, signing: Signing) -> str:
        """Write the end with a signature that holds, or nothing; why it is nothing."""
        draft = self.folder / f".{END}"
        made = signatures.signature_of(draft)
        try:
            files.write(draft, self._whole(end))
            signatures.sign(draft, signing.key, signatures.RUNS)
            cause = _unsigned(draft, end, signing.roster)
            if not cause:
                made.replace(self.folder / SIGNATURE)  # an end is there only with its signature
                draft.replace(self.folder / END)
        except (GoliveError, ProbeError, OSError) as e:
            cause = str(e).replace(str(draft), END)
        except KeyboardInterrupt:
            cause = "signing was interrupted"
        if cause:
            for path in (made, draft, self.folder / SIGNATURE):
                path.unlink(missing_ok=True)
        return cause

    def _append(self, descriptor: int, value: object) -> None:
        line = self._encode(value) + b"\n"
        with self._lock:
            if self._closed:  # a look that was left behind at its time limit ends late
                return
            os.write(descriptor, line)

    def _write(self, name: str, value: object) -> None:
        files.write(self.folder / name, self._whole(value))

    def _whole(self, value: object) -> bytes:
        return msgspec.json.format(self._encode(value), indent=1) + b"\n"

    def _encode(self, value: object) -> bytes:
        if not isinstance(value, Gathered):  # what a probe has found may be of any type
            with contextlib.suppress(UnicodeEncodeError):  # half a character
                line = msgspec.json.encode(value, enc_hook=_encodable)
                # Where JSON has escaped nothing, each text stands in it as it is, so one look
                # at the whole shows that there is nothing to mask, as there mostly is not.
                if b"\\" not in line and self._mask(text := line.decode()) == text:
                    return line
        plain = msgspec.to_builtins(value, enc_hook=_encodable, str_keys=True)
        return msgspec.json.encode(_each_text(plain, lambda text: _whole(self._mask(text))))


def digest(folder: Path) -> str:
    """SHA-256 over what a run holds besides its end.

    :raises GoliveError: a part of it is no ordinary file, or too large.
    """
    total = hashlib.sha256()
    for name in (HEAD, FACTS, VERDICTS):
        with contextlib.suppress(files.NotThere):
            total.update(files.read(folder / name, _MOST_BYTES[name], _EXPECTED))
    return total.hexdigest()


class JudgedClaim(Protocol):
    """A claim as far as a PASS needs it."""

    @property
    def subject(self) -> str: ...
    @property
    def holds(self) -> bool: ...


class Proof(Protocol):
    """An item's verdict with what it rests on: as it is kept, or while it runs."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def claims(self) -> Sequence[JudgedClaim]: ...
    @property
    def asserted(self) -> Sequence[str]: ...


def unproved(verdict: Proof) -> str:
    """Why a PASS shows nothing; empty where it does, or is no PASS."""
    if verdict.verdict is not Verdict.PASS:
        return ""
    broken = [c for c in verdict.claims if not c.holds]
    if broken:
        return f"it passed although a claim does not hold: {broken[0].subject}"
    if not verdict.claims and not verdict.asserted:
        return "it proved nothing: no claim and no assertion was recorded"
    return ""


def unsigned(run: Run, roster: Roster) -> str:
    """Why the signature over a run's end does not show who made it; empty where it does.

    :raises ProbeError: ssh-keygen is not there.
    """
    return "it did not end" if run.end is None else _unsigned(run.folder / END, run.end, roster)


def _unsigned(path: Path, end: End, roster: Roster) -> str:
    by = end.by
    if not by:
        return "nobody has signed its end"
    if by in roster.shared_keys:
        return f"{', '.join(roster.shared_keys[by])} have the same key"
    signers = roster.allowed_signers([by])
    if not signers:
        return f"{by} signed it, of whom {roster.source.name} has no key"
    found = signatures.verify(path, signers, by, signatures.RUNS, at=end.ended_at)
    return "" if found.valid else f"the signature of {by} is not valid: {found.cause}"


def seal(folder: Path) -> str:
    """SHA-256 of a run's end, which holds the digest of the rest; of the rest where it has none."""
    end = folder / END
    return hashlib.sha256(end.read_bytes()).hexdigest() if end.exists() else digest(folder)


def read_run(folder: Path, *, facts: bool = True) -> Run:
    """A run, finished or not.

    :param facts: whether to read what the probes found, which is most of it.
    :raises GoliveError: it is no run, is damaged, was altered after its end, or is newer than
        this golive.
    """
    head_file = folder / HEAD
    try:
        raw = msgspec.json.decode(files.read(head_file, _MOST_BYTES[HEAD], _EXPECTED))
    except _NO_RECORD as e:
        raise GoliveError(f"{head_file}: is damaged: {e}") from None
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema != SCHEMA or type(schema) is not int:
        raise GoliveError(
            f"{head_file}: schema: found {schema!r:.40}; this golive reads {SCHEMA}: use the golive"
            " that wrote the run, or look again"
        )
    try:
        head = convert(raw, Head)
        end = decode(files.read(folder / END, _MOST_BYTES[END], _EXPECTED), End)
    except files.NotThere:
        end = None
    except _NO_RECORD as e:
        raise GoliveError(f"{folder}: is damaged: {e}") from None
    if end is not None and end.digest != digest(folder):
        raise GoliveError(f"{folder}: was altered after it ended: its digest does not match")
    verdicts = _lines(folder / VERDICTS, ItemVerdict, ended=end is not None)
    found = _lines(folder / FACTS, Gathered, ended=end is not None) if facts else []
    return Run(folder, head, {v.id: v for v in verdicts}, {f.probe: f for f in found}, end)


def is_running(folder: Path) -> bool:
    """Whether somebody may still add to the run: it has no end, and its writer is alive.

    The writer holds a lock on the verdicts, which the operating system lets go with it.
    """
    if (folder / END).exists():
        return False
    path = folder / VERDICTS
    try:
        with files.opened(path, _MOST_BYTES[VERDICTS], _EXPECTED) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except GoliveError:  # it is not there, or nothing that golive writes to
        return False
    except OSError:  # no locks on this file system: what is still written to is running
        return time.time() - path.stat().st_mtime < _WRITTEN_LATELY_S
    return False


def runs(reports: Path) -> list[Path]:
    """The folders of all runs, oldest first."""
    return sorted(p.parent for p in (reports / "runs").glob(f"*/{HEAD}"))


def _lines(path: Path, kind: type[Any], *, ended: bool) -> list[Any]:
    try:
        data = files.read(path, _MOST_BYTES[path.name], _EXPECTED)
    except files.NotThere:
        return []
    lines = data.split(b"\n")
    tail = lines.pop()
    if tail and ended:
        raise GoliveError(f"{path}: is damaged: its last line was cut off")
    whole = data[: len(data) - len(tail)]
    with contextlib.suppress(*_NO_RECORD):
        found = decode_lines(whole, kind)
        if len(found) == len(lines):  # an empty line is none of ours
            return found
    for number, line in enumerate(lines, 1):
        try:
            decode(line, kind)
        except _NO_RECORD as e:
            raise GoliveError(f"{path}: line {number} is damaged: {e}") from None
    raise GoliveError(f"{path}: is damaged: its lines are not as golive writes them")


def _encodable(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _whole(text: str) -> str:
    """Text that JSON can hold: half characters, as of a file name that is no UTF-8, are escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    # Text by text: JSON's own escapes would hide a secret from a mask over the whole line.
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(k)): _each_text(v, change) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each_text(v, change) for v in value]
    return value
