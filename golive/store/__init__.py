"""Where runs, statements and signed documents meet: a shared folder or an object store.

One object holds one bundle, the folder of one of them, and is never changed:

``runs/<id>.<sha256>.tar``  ``statements/<id>.<sha256>.tar``  ``documents/<id>.<sha256>.tar``

The name holds the digest of the object's own bytes. The same folder always makes the same bytes,
so an object that is there need not be sent again, and people who push at the same time cannot
harm one another. The list of objects is the only index. What comes out of a store is believed
only as far as it fits its name, and is never put over something that lies here.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import msgspec

from golive import ledger
from golive.context import Context
from golive.decoding import decode
from golive.files import create, read
from golive.files import folder as make_folder
from golive.files import write as write_file
from golive.masking import Mask, given_away
from golive.people import statements
from golive.signing import signed
from golive.verdicts import GoliveError, Pending, ProbeError

RUNS, STATEMENTS, DOCUMENTS = KINDS = ("runs", "statements", "documents")
MOST_BYTES = 256 * 2**20
"""Of a bundle."""
MOST_FILES = 10_000
"""In a bundle."""

_OBJECT_STORES = ("s3", "gs", "gcs", "az", "abfs", "memory")
"""Where writing an object is atomic. Elsewhere a reader could meet half of one."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,179}")
_NAME = re.compile(rf"(?P<id>{_ID.pattern})\.(?P<digest>[0-9a-f]{{64}})\.tar")
_RUN_FILES = (ledger.HEAD, ledger.FACTS, ledger.VERDICTS, ledger.END, f"{ledger.END}.sig")
_STATEMENT_FILES = (statements.BODY, f"{statements.BODY}.sig")
_EVIDENCE = re.compile(
    rf"{statements.EVIDENCE}/(?P<digest>[0-9a-f]{{64}})-[A-Za-z0-9][A-Za-z0-9._ -]{{0,119}}"
)
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]{1,100}")
_AT_ONCE = 4
_ABANDONED_S = 24 * 3600
"""Age of a temporary file or folder whose writer is surely gone."""
_NEXT_STEPS = {
    "NoCredentialsError": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "EndpointConnectionError": "look at the network, and at AWS_ENDPOINT_URL where it is set",
    "ConnectTimeoutError": "look at the network, and at AWS_ENDPOINT_URL where it is set",
}

Progress = Callable[[str, int, int], None]
"""Is told the kind, how many bundles have been looked at, and of how many."""


class Refused(Exception):
    """One bundle cannot be taken; its text says why. The others can."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a store, as its name and its entry in the list say."""

    path: str
    name: str
    id: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How a store keeps an object."""

    place: str
    versions: int
    """Of the object, deletions included."""
    lock: str
    """Mode of the object lock, as S3 names it; empty: anybody who may write can change it."""
    locked_until: datetime | None


@dataclass
class Outcome:
    """What a push or a pull has done."""

    store: str
    moved: dict[str, list[str]]
    """Ids of what was sent or fetched."""
    there: dict[str, int]
    """How many were on the other side already."""
    running: list[str] = field(default_factory=list)
    """Runs that are still written to."""
    ignored: list[str] = field(default_factory=list)
    """Objects whose names are no bundle's."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why, by the name of the bundle."""

    def refuse(self, name: str, why: object) -> None:
        """Note a bundle that was not taken."""
        self.refused[_plain(name)] = _plain(str(why))


class Makers:
    """Who may have made the runs of each environment: whoever is on the roster of the suites in a
    folder. Outside rehearsals a run that has ended carries such a signature, or does not travel.

    :param root: the folder with ``suites/``; default: the working directory.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = (root or Path.cwd()).resolve()
        self._contexts: dict[str, Context | str] = {}

    def refuse(self, run: ledger.Run) -> None:
        """Refuse a run that nobody stands for.

        :raises Refused: nobody has signed its end who may, or that cannot be told here.
        """
        environment = run.head.environment
        context = self._context(environment.name)
        # As it is described here; a run could say of production that it is a rehearsal.
        kind = environment.kind if isinstance(context, str) else context.environment.kind
        if run.end is None or kind == "rehearsal":
            return
        if isinstance(context, str):
            raise Refused(f"is unverified, since nothing here says who may have made it: {context}")
        try:
            cause = ledger.unsigned(run, context.roster)
        except (GoliveError, ProbeError) as e:
            raise Refused(f"is unverified, since nobody can tell who made it: {e}") from None
        if cause:
            raise Refused(
                f"{cause}; expected a signature of somebody on {context.roster_file.name}"
            )

    def _context(self, environment: str) -> Context | str:
        """The context of an environment, or why there is none."""
        if environment not in self._contexts:
            try:
                if not _ENVIRONMENT.fullmatch(environment):
                    raise GoliveError(f"{_shown(environment)} is no name of an environment")
                self._contexts[environment] = Context.open(environment, self._root)
            except (GoliveError, OSError) as e:
                self._contexts[environment] = str(e)
        return self._contexts[environment]


@dataclass(frozen=True, slots=True)
class _Job:
    id: str
    name: str
    """What it is refused by."""
    do: Callable[[], bool | None]
    """Whether it was moved; if not, it was there. None: it is of another environment."""


class Store:
    """A shared folder or an object store.

    :param place: a folder, or a URL whose scheme fsspec knows.
    :param root: what a relative folder is relative to.
    :raises GoliveError: here and in each method: it is of no use; names it and the next step.
    """

    def __init__(self, place: str, root: Path | None = None) -> None:
        self._mask = Mask()
        for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            if len(os.environ.get(variable, "")) >= 8:
                self._mask.add(os.environ[variable])
        scheme, remote, rest = place.partition("://")
        if not remote:
            place = f"file://{((root or Path.cwd()) / Path(place).expanduser()).resolve()}"
            scheme = "file"
        elif "@" in rest and scheme != "file":
            user, _, _ = rest.rpartition("@")
            raise GoliveError(
                f"store {scheme}://{'*' * 8}@{_plain(rest[len(user) + 1 :])}: holds credentials;"
                " expected them in the environment or in a profile (AWS_PROFILE,"
                " AWS_ACCESS_KEY_ID), not in an address that others read"
            )
        self._is_folder = scheme in ("file", "local")
        if not self._is_folder and scheme not in _OBJECT_STORES:
            raise GoliveError(
                f"store {self._mask(place)}: found the scheme {scheme!r}; expected a folder, or an"
                f" address of {', '.join(f'{s}://' for s in ('s3', 'gs', 'az'))}"
            )
        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if scheme == "s3":
            options["config_kwargs"] = {"connect_timeout": 20, "retries": {"max_attempts": 2}}
        self.shown = (
            place.removeprefix(f"{scheme}://") if self._is_folder else self._mask(place)
        ) or place
        try:
            self._fs, root_path = fsspec.core.url_to_fs(place, **options)
        except ImportError as e:
            raise GoliveError(
                f"store {self.shown}: {_plain(str(e))}; expected the package for {scheme}:// to be"
                " installed"
            ) from None
        self._root = root_path.rstrip("/")
        if not self._is_folder and not self._root.strip("/"):
            raise GoliveError(f"store {self.shown}: names no bucket; expected {scheme}://BUCKET")

    def list(self, kind: str) -> tuple[dict[str, list[Stored]], list[str]]:
        """What there is of a kind, by id, and names that are no bundle's."""
        with self._telling("cannot be listed"):
            try:
                entries = self._fs.ls(f"{self._root}/{kind}", detail=True, refresh=True)
            except FileNotFoundError:
                self._exists()
                entries = []
        found: dict[str, list[Stored]] = {}
        others: list[str] = []
        for entry in sorted(entries, key=lambda e: str(e["name"])):
            path = str(entry["name"])
            name = path.rpartition("/")[2]
            if name.startswith(".") or not name or entry["type"] == "directory":
                continue  # being written; the folder itself
            if (match := _NAME.fullmatch(name)) is None or entry["type"] != "file":
                others.append(_plain(f"{kind}/{name}"))
                continue
            one = Stored(path, name, match["id"], match["digest"], int(entry["size"] or 0))
            found.setdefault(one.id, []).append(one)
        return found, others

    def read(self, stored: Stored) -> bytes:
        """An object's content, once it fits its name.

        :raises Refused: it does not, is too large, or cannot be read.
        """
        if not 0 < stored.bytes <= MOST_BYTES:
            raise Refused(
                f"has {stored.bytes:,} bytes; expected a bundle of at most"
                f" {MOST_BYTES // 2**20} MiB"
            )
        with self._telling("cannot be read"):
            try:
                # Bounded, whatever the list said of its size.
                data: bytes = self._fs.cat_file(stored.path, start=0, end=MOST_BYTES + 1)
            except (FileNotFoundError, PermissionError, IsADirectoryError) as e:
                raise Refused(f"cannot be read: {self._cause(e)}") from None
        found = hashlib.sha256(data).hexdigest()
        if found != stored.digest:
            raise Refused(
                f"does not match its digest: its content has {found[:12]}..., so it was altered"
                " or cut off in the store; remove it there and push again from where it came"
            )
        return data

    def publish(self, kind: str, name: str, data: bytes) -> None:
        """Write an object so that a reader sees all of it or nothing."""
        with self._telling("cannot be written"):
            if not self._is_folder:
                # Twice the chunk size is where s3fs would begin to send it in parts.
                more = {"chunksize": MOST_BYTES} if "s3" in self._fs.protocol else {}
                self._fs.pipe_file(f"{self._root}/{kind}/{name}", data, **more)
                return
            # As open as the folder of the store itself is, whatever the umask of who pushes.
            mode = stat.S_IMODE(Path(self._root).stat().st_mode)
            folder = Path(self._root) / kind
            if not folder.is_dir():
                make_folder(folder).chmod(mode)
            draft = folder / f".{secrets.token_hex(8)}.part"
            try:
                with create(draft) as file:
                    os.fchmod(file.fileno(), mode & 0o666)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(folder / name)
            finally:
                draft.unlink(missing_ok=True)

    def kept(self, stored: Stored) -> Kept:
        """How the store keeps an object: whether it can be changed, and whether it was."""
        if "s3" not in self._fs.protocol:
            return Kept(f"{self.shown}/{stored.name}", 1, "", None)
        bucket, _, key = stored.path.partition("/")
        with self._telling("cannot be asked how it keeps objects"):
            head = self._fs.call_s3("head_object", Bucket=bucket, Key=key)
            told = self._fs.call_s3("list_object_versions", Bucket=bucket, Prefix=key)
        versions = [*told.get("Versions", []), *told.get("DeleteMarkers", [])]
        return Kept(
            f"s3://{stored.path}",
            sum(v["Key"] == key for v in versions),
            head.get("ObjectLockMode", ""),
            head.get("ObjectLockRetainUntilDate"),
        )

    def tidy(self) -> None:
        """Remove what pushes that were killed have left behind."""
        if self._is_folder:
            for kind in KINDS:
                _remove_abandoned(Path(self._root) / kind, ".*.part")

    def _exists(self) -> None:
        if self._is_folder:
            if not Path(self._root).is_dir():
                raise GoliveError(
                    f"store {self.shown}: there is no such folder; make it, or mount what it"
                    " is on, then try again"
                )
        elif "memory" not in self._fs.protocol:
            bucket = self._root.partition("/")[0]
            if not self._fs.exists(bucket):
                raise GoliveError(
                    f"store {self.shown}: there is no bucket {bucket!r}; make it, or correct the"
                    " address (launch.store in launch.toml, or --store)"
                )

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (GoliveError, Refused):
            raise
        except Exception as e:  # noqa: BLE001 - each kind of store has errors of its own
            step = _NEXT_STEPS.get(type(e).__name__, "mend it and try again")
            if isinstance(e, PermissionError):
                step = "ask its owner for the right to read, list and write there"
            elif isinstance(e, OSError) and e.errno == errno.EROFS:
                step = "mount it so that it can be written to"
            elif isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT):
                step = "make room, then try again; what was sent before is whole"
            raise GoliveError(
                f"store {self.shown}: {what}: {self._cause(e)}; next: {step}"
            ) from None

    def _cause(self, error: Exception) -> str:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return _plain(self._mask(text or type(error).__name__))


def push(
    store: Store,
    folders: dict[str, Path],
    env: str = "",
    progress: Progress | None = None,
    *,
    makers: Makers | None = None,
    mask: Mask | None = None,
) -> Outcome:
    """Send what the store does not have.

    :param folders: where the bundles of each kind lie here.
    :param env: only those of this environment.
    :param makers: who may have made the runs; default: by the suites in the working directory.
    :param mask: knows the secrets that must not be sent.
    :raises GoliveError: the store is of no use, or a folder cannot be read.
    """
    known_makers = makers or Makers()
    out = Outcome(store.shown, {kind: [] for kind in folders}, dict.fromkeys(folders, 0))
    for kind, folder in folders.items():
        there, ignored = store.list(kind)
        out.ignored += ignored
        jobs: list[_Job] = []
        for local in _local(kind, folder):
            if env and kind == RUNS and _environment_of(local.name) != env:
                continue
            if kind == RUNS and ledger.is_running(local):
                out.running.append(_plain(local.name))
                continue
            known = there.get(local.name, [])
            send = partial(_send, store, kind, local, known, env, known_makers, mask or Mask())
            jobs.append(_Job(local.name, local.name, send))
        _do(jobs, kind, out, progress)
        if out.moved[kind]:
            # Somebody may have sent the same id at the same time, with another content.
            after, _ = store.list(kind)
            for ident in out.moved[kind]:
                if len(after.get(ident, [])) > 1:
                    out.refuse(f"{kind}/{ident}", _several(after[ident]))
    store.tidy()
    return out


def pull(
    store: Store,
    folders: dict[str, Path],
    env: str = "",
    progress: Progress | None = None,
    *,
    makers: Makers | None = None,
) -> Outcome:
    """Fetch what is not here. Nothing that lies here is changed.

    :param folders: where the bundles of each kind lie here.
    :param env: only those of this environment.
    :param makers: who may have made the runs; default: by the suites in the working directory.
    :raises GoliveError: the store is of no use, or a folder cannot be written.
    """
    known_makers = makers or Makers()
    out = Outcome(store.shown, {kind: [] for kind in folders}, dict.fromkeys(folders, 0))
    for kind, folder in folders.items():
        there, ignored = store.list(kind)
        out.ignored += ignored
        jobs: list[_Job] = []
        for ident, known in there.items():
            if env and kind == RUNS and _environment_of(ident) != env:
                continue
            if len(known) > 1:
                out.refuse(f"{kind}/{ident}", _several(known))
                continue
            fetch = partial(_fetch, store, kind, known[0], folder, env, known_makers)
            jobs.append(_Job(ident, known[0].name, fetch))
        _do(jobs, kind, out, progress)
        _remove_abandoned(folder.resolve().parent, ".pull-*")
    return out


def compare(context: Context) -> list[str]:
    """Runs and statements of the context's environment that the store of launch.toml holds and that
    are not here, or not with the same content.

    :raises GoliveError: launch.toml names no store, or the store cannot be asked.
    """
    if not context.launch.store:
        raise GoliveError(f"{context.launch.source}: launch.store: names no store to compare with")
    store, env = Store(context.launch.store, context.root), context.environment.name
    found: list[str] = []
    for kind, folder in ((RUNS, context.reports / "runs"), (STATEMENTS, context.statements.folder)):
        there, _ = store.list(kind)
        mine = [i for i in there if kind == STATEMENTS or _environment_of(i) == env]
        asked = [partial(_elsewhere, store, kind, there[i], folder / i, env) for i in mine]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found += [told for told in pool.map(lambda ask: ask(), asked) if told]
    return found


def _elsewhere(store: Store, kind: str, known: list[Stored], here: Path, env: str) -> str:
    """What the store holds under an id and is not here as it is there; empty: nothing of it."""
    try:
        own = hashlib.sha256(pack(here, kind)).hexdigest() if os.path.lexists(here) else ""
    except (Refused, OSError):
        own = "unlike any"
    if {s.digest for s in known} == {own}:
        return ""
    if kind == STATEMENTS and not any(_may_be_of(store, s, env) for s in known):
        return ""
    return f"{here.name} (here with another content)" if own else here.name


def _may_be_of(store: Store, stored: Stored, env: str) -> bool:
    """Whether a statement is of an environment, or revokes, which counts in each."""
    with tempfile.TemporaryDirectory(prefix="golive-store-") as place:
        draft = Path(place) / stored.id
        try:
            _unpack(store.read(stored), draft, STATEMENTS)
            said = statements.read_statement(draft).statement
        except (Refused, GoliveError, OSError):
            return True  # it cannot be told, so somebody has to look
    return said.environment == env or said.kind == "revoke"


def kept_document(context: Context, page: Path) -> Kept:
    """How the store of launch.toml keeps a document as it lies there signed, after its content
    there was found to be the same.

    :raises Pending: no store is named, or the document has not been sent to it.
    :raises ProbeError: the store cannot be asked, or what it has is something else.
    """
    if not context.launch.store:
        raise Pending(f"{context.launch.source}: launch.store names no store; name one, then push")
    content = _own(page)
    mine = [c for c in signed.copies(context) if _own(c.page) == content]
    if not mine:
        sign = f"golive sign {page} --env {context.environment.name}"
        raise Pending(f"{page} was not kept as it was signed; `{sign}` does that")
    try:
        store = Store(context.launch.store, context.root)
        there, _ = store.list(DOCUMENTS)
        found = [s for c in mine for s in there.get(c.id, [])]
        if not found:
            raise Pending(f"{page} is signed, but not in {store.shown}; `golive push` sends it")
        if len(found) > 1:
            raise Refused(_several(found))
        folder = next(c.page.parent for c in mine if c.id == found[0].id)
        if store.read(found[0]) != pack(folder, DOCUMENTS):
            raise Refused("holds something else than what was signed here")
        return store.kept(found[0])
    except (GoliveError, Refused) as e:
        step = "look at it there; remove what is not genuine, and push again"
        raise ProbeError(f"the copy of {page.name} in the store", e, step) from None


def pack(folder: Path, kind: str) -> bytes:
    """A bundle's folder as one archive; the same content always gives the same bytes.

    :raises Refused: it holds what does not belong there, or is too large.
    """
    files = _files(folder, kind)
    total = sum(path.stat().st_size for path in files.values())
    if len(files) > MOST_FILES:
        raise Refused(f"has {len(files):,} files; expected at most {MOST_FILES:,}")
    buffer = io.BytesIO()
    if total <= MOST_BYTES:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, path in sorted(files.items()):
                data = _own(path)
                member = tarfile.TarInfo(f"{folder.name}/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    if max(total, buffer.tell()) > MOST_BYTES:
        raise Refused(
            f"has {total / 2**20:,.1f} MiB; expected at most {MOST_BYTES // 2**20} MiB in a bundle"
        )
    return buffer.getvalue()


def _send(
    store: Store,
    kind: str,
    folder: Path,
    known: list[Stored],
    env: str,
    makers: Makers,
    mask: Mask,
) -> bool | None:
    if _ID.fullmatch(folder.name) is None:
        raise Refused("is no name of a bundle; expected letters, digits, . + _ -")
    if env and kind == STATEMENTS and _environment(folder) != env:
        return None
    if env and kind == DOCUMENTS and _verify(folder, kind, makers) != env:
        return None
    data = pack(folder, kind)
    digest = hashlib.sha256(data).hexdigest()
    others = [s for s in known if s.digest != digest]
    if others:
        _verify(folder, kind, makers)  # an altered run says so itself
        raise Refused(
            f"the store holds another content under this id ({others[0].name}); neither was"
            " changed; find out which is genuine"
        )
    if known:
        if known[0].bytes != len(data):
            raise Refused(
                f"was cut off in the store: {known[0].name} has {known[0].bytes:,} bytes; expected"
                f" {len(data):,}; remove it there and push again"
            )
        return False
    _verify(folder, kind, makers)
    _search(data, mask)
    store.publish(kind, f"{folder.name}.{digest}.tar", data)
    return True


def _search(data: bytes, mask: Mask) -> None:
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
                    " so change it; then make this anew without"
                )


def _fetch(
    store: Store, kind: str, stored: Stored, target: Path, env: str, makers: Makers
) -> bool | None:
    here = target / stored.id
    if os.path.lexists(here):
        return _unless_same(here, kind, stored)
    data = store.read(stored)
    with _writing(target):
        make_folder(target)
        # Beside what is read: whatever lies among runs or statements has to be one.
        beside = target.resolve().parent
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=beside) as place:
            draft = Path(place) / stored.id
            _unpack(data, draft, kind)
            found = _verify(draft, kind, makers)
            if hashlib.sha256(pack(draft, kind)).hexdigest() != stored.digest:
                raise Refused("was not packed by golive: it holds more than its files")
            if env and found != env:
                return None
            try:
                draft.rename(here)
            except OSError as e:
                if e.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise
                return _unless_same(here, kind, stored)
    return True


def _unless_same(here: Path, kind: str, stored: Stored) -> bool:
    try:
        same = hashlib.sha256(pack(here, kind)).hexdigest() == stored.digest
    except (Refused, OSError) as e:
        raise Refused(f"{here} is there, but {e}; neither was changed") from None
    if not same:
        raise Refused(f"{here} has another content; neither was changed; find out which is genuine")
    return False


def _unpack(data: bytes, folder: Path, kind: str) -> None:
    """Write an archive's files below the folder, after a look at all of them.

    :raises Refused: a member is no ordinary file of such a bundle.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                name = member.name.removeprefix(f"{folder.name}/")
                if member.type != tarfile.REGTYPE or member.sparse is not None:
                    raise Refused(f"holds {_shown(member.name)}, which is no ordinary file")
                if name == member.name or not _belongs(name, kind):
                    raise Refused(f"holds {_shown(member.name)}, which has no place in it")
                if name in files:
                    raise Refused(f"holds {_shown(member.name)} twice")
                if len(files) >= MOST_FILES:
                    raise Refused(f"holds more than {MOST_FILES:,} files")
                source = tar.extractfile(member)
                files[name] = source.read() if source is not None else b""
    except Refused:
        raise
    except Exception as e:  # noqa: BLE001 - a hostile archive breaks tarfile in many ways
        raise Refused(f"is no archive that can be read: {_plain(str(e))}") from None
    for name, content in files.items():
        path = folder / name
        make_folder(path.parent)
        write_file(path, content)


def _verify(folder: Path, kind: str, makers: Makers) -> str:
    """The environment of a bundle that is whole, goes by its own name and, a run, has a maker.

    :raises Refused: it is not.
    """
    try:
        if kind == RUNS:
            run = ledger.read_run(folder)
            if run.head.id != folder.name:
                raise Refused(f"holds the run {_shown(run.head.id)}; expected it under that name")
            makers.refuse(run)
            return run.head.environment.name
        if kind == DOCUMENTS:
            copy = signed.read(folder)
            if copy.id != folder.name:
                raise Refused(f"holds the document {_shown(copy.id)}; expected it under that name")
            return copy.document.environment
        if not (folder / _STATEMENT_FILES[1]).is_file():
            raise Refused(f"has no {_STATEMENT_FILES[1]}: nobody has signed it")
        said = statements.read_statement(folder)
    except GoliveError as e:
        # Where it lies for the moment is of no use to anybody.
        raise Refused(str(e).replace(f"{folder.parent}/", "")) from None
    files = {p.name: p for p in (folder / statements.EVIDENCE).glob("*")}
    if named := {p.name for p in said.evidence} ^ set(files):
        raise Refused(f"does not hold just the evidence that it names: {_shown(min(named))}")
    for name, path in files.items():
        if hashlib.sha256(_own(path)).hexdigest() != name[:64]:
            raise Refused(f"its evidence {_shown(name)} does not match the digest in its name")
    return said.statement.environment


def _files(folder: Path, kind: str) -> dict[str, Path]:
    """The files of a bundle by their names in it.

    :raises Refused: one is no ordinary file, or does not belong there.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise Refused("is no folder")
    found: dict[str, Path] = {}
    paths = [folder / name for name in _RUN_FILES if os.path.lexists(folder / name)]
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
            raise Refused(f"holds {_shown(name)}, which is no ordinary file")
        if not _belongs(name, kind):
            raise Refused(f"holds {_shown(name)}, which has no place in it")
        found[name] = path
    return found


def _belongs(name: str, kind: str) -> bool:
    if kind == RUNS:
        return name in _RUN_FILES
    if kind == DOCUMENTS:
        return signed.FILE.fullmatch(name) is not None
    return name in _STATEMENT_FILES or _EVIDENCE.fullmatch(name) is not None


def _local(kind: str, folder: Path) -> list[Path]:
    """The bundles of a kind that lie here, whatever state they are in."""
    if not folder.is_dir():
        return []
    with _reading(folder):
        found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir()]
    if kind == RUNS:  # as the ledger has it: without a head it is no run yet
        found = [p for p in found if (p / ledger.HEAD).exists()]
    return sorted(found)


def _own(path: Path) -> bytes:
    """A file of a bundle that lies here.

    :raises Refused: it is no ordinary file, or too large.
    """
    try:
        return read(path, MOST_BYTES, "a file of a bundle")
    except GoliveError as e:
        raise Refused(str(e)) from None


class _OfStatement(msgspec.Struct):
    environment: str


def _environment(statement: Path) -> str:
    """Which environment a statement that lies here is of.

    :raises Refused: it does not say.
    """
    try:
        data = _own(statement / statements.BODY)
        return decode(data, _OfStatement).environment
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise Refused(f"does not say which environment it is of: {e}") from None


def _environment_of(run: str) -> str:
    """The environment in a run's id: ``<time>Z-<environment>-<random>``."""
    return run.partition("-")[2].rpartition("-")[0]


def _several(known: list[Stored]) -> str:
    return (
        f"the store holds {len(known)} contents under this id"
        f" ({', '.join(s.digest[:12] for s in known)}): one of them is not genuine; remove it there"
    )


def _do(jobs: list[_Job], kind: str, out: Outcome, progress: Progress | None) -> None:
    """Do all jobs, several at a time. A bundle that is refused does not keep up the others."""
    moved: dict[str, bool | None] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = {pool.submit(job.do): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(running), 1):
                job = running[future]
                try:
                    moved[job.id] = future.result()
                except (Refused, OSError) as e:
                    out.refuse(f"{kind}/{job.name}", e)
                if progress is not None:
                    progress(kind, number, len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    out.moved[kind] = [job.id for job in jobs if moved.get(job.id)]
    out.there[kind] = sum(has is False for has in moved.values())


def _remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove temporary files and folders of writers that were killed."""
    for path in folder.glob(pattern):
        with suppress(OSError):  # another's, who is still at it or has just ended
            if time.time() - path.lstat().st_mtime < _ABANDONED_S:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise GoliveError(
            f"{folder}: cannot be written: {e.strerror}; make room or name another folder;"
            " what was fetched before is whole"
        ) from None


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise GoliveError(f"{folder}: cannot be read: {e.strerror}") from None


def _shown(name: str) -> str:
    """A name that a stranger chose, harmless in a terminal."""
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")


def _plain(text: str) -> str:
    """Text on one line without control characters or what reorders it."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
