"""Pushing and pulling: what the other side does not have."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from golive import ledger
from golive.files import folder as make_folder
from golive.masking import Mask
from golive.store.bundles import (
    bundles_in,
    environment,
    environment_of,
    pack,
    search,
    unpack,
    verify,
)
from golive.store.limits import DOCUMENTS, RUNS, STATEMENTS, Refused, plain
from golive.store.makers import Makers
from golive.store.objects import ID, Store, Stored, remove_abandoned
from golive.verdicts import GoliveError

AT_ONCE = 4
Progress = Callable[[str, int, int], None]
"""Is reported the kind, how many bundles have been looked at, and of how many."""


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
        self.refused[plain(name)] = plain(str(why))


@dataclass(frozen=True, slots=True)
class _Job:
    id: str
    name: str
    """What it is refused by."""
    do: Callable[[], bool | None]
    """Whether it was moved; if not, it was there. None: it is of another environment."""


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
        for local in bundles_in(kind, folder):
            if env and kind == RUNS and environment_of(local.name) != env:
                continue
            if kind == RUNS and ledger.is_running(local):
                out.running.append(plain(local.name))
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
                    out.refuse(f"{kind}/{ident}", several(after[ident]))
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
            if env and kind == RUNS and environment_of(ident) != env:
                continue
            if len(known) > 1:
                out.refuse(f"{kind}/{ident}", several(known))
                continue
            fetch = partial(_fetch, store, kind, known[0], folder, env, known_makers)
            jobs.append(_Job(ident, known[0].name, fetch))
        _do(jobs, kind, out, progress)
        remove_abandoned(folder.resolve().parent, ".pull-*")
    return out


def _send(
    store: Store,
    kind: str,
    folder: Path,
    known: list[Stored],
    env: str,
    makers: Makers,
    mask: Mask,
) -> bool | None:
    if ID.fullmatch(folder.name) is None:
        raise Refused("is no name of a bundle; expected letters, digits, . + _ -")
    if env and kind == STATEMENTS and environment(folder) != env:
        return None
    if env and kind == DOCUMENTS and verify(folder, kind, makers) != env:
        return None
    data = pack(folder, kind)
    digest = hashlib.sha256(data).hexdigest()
    others = [s for s in known if s.digest != digest]
    if others:
        verify(folder, kind, makers)  # an altered run says so itself
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
    verify(folder, kind, makers)
    search(data, mask)
    store.publish(kind, f"{folder.name}.{digest}.tar", data)
    return True


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
            unpack(data, draft, kind)
            found = verify(draft, kind, makers)
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


def several(known: list[Stored]) -> str:
    return (
        f"the store holds {len(known)} contents under this id"
        f" ({', '.join(s.digest[:12] for s in known)}): one of them is not genuine; remove it there"
    )


def _do(jobs: list[_Job], kind: str, out: Outcome, progress: Progress | None) -> None:
    """Do all jobs, several at a time. A bundle that is refused does not keep up the others."""
    moved: dict[str, bool | None] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
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


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise GoliveError(
            f"{folder}: cannot be written: {e.strerror}; make room or name another folder;"
            " what was fetched before is whole"
        ) from None
