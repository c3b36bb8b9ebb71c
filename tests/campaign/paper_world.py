"""A copy of a live world's folder, in which nothing runs but the stubs that people work with.

    python -m tests.campaign.paper_world SNAPSHOT PLACE

It answers each line of its input, ``{"fault": NAME}``, with a row of the campaign. Each fault
begins with the folder as it was when all was green, is injected and reverted by its own code in
this process, and every item is run in a fork of it (see :mod:`tests.campaign.worker`) on the
facts of the live world that :mod:`tests.campaign.frozen` lets stand.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from golive import ledger, procedure
from golive.probes import register_all
from golive.probing import Facts
from golive.procedure import Procedure
from rehearsal import endpoints, faults
from rehearsal.faults import Fault
from rehearsal.kernel import inventory
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Part
from rehearsal.parts.people.messages import Messages
from rehearsal.parts.saas.saas_stubs import SaasStubs
from rehearsal.staff import papers
from tests.campaign import frozen
from tests.campaign.rows import Row, Verdicts, is_red, resting_on_unwritten, row
from tests.campaign.worker import Worker

ROOT = Path(__file__).resolve().parents[2]
WORLD, FACTS = "world", "facts.pickle"
"""What a snapshot consists of."""
HOW = "papers"
_STUBS: tuple[Part, ...] = (SaasStubs(), Messages())
_READY_WITHIN_S = 30.0
_GROWING = frozenset({"messages", "logs"})
"""Folders that a stub appends to while it runs, which tell what was sent, not what was changed."""
_OF_THE_LIVE_ONE = ("supervisor.json", "ports.json", "faults.json")


class PaperWorldError(Exception):
    """The copy cannot show what a fault does."""


class PaperWorld:
    """One copy. Enter it to have its stubs run and all of its items green.

    :raises PaperWorldError: an item that was green in the live world is not green in the copy.
    """

    def __init__(self, snapshot: Path, place: Path) -> None:
        self.place = place
        self.r = Rehearsal(place / "rehearsal")
        self.reports = place / "reports"
        self._snapshot = snapshot
        self._facts: dict[str, bytes] = pickle.loads((snapshot / FACTS).read_bytes())
        self._worker = Worker(self._facts, self._complete)
        self._procedure: Procedure = procedure.load(ROOT / "suites" / "procedure.toml")
        self._hold = ExitStack()
        self._excused: dict[str, str] = {}
        self._derived: set[str] = set()
        self._inputs: dict[str, object] = {}
        self._pristine: dict[str, Path] = {}

    def __enter__(self) -> PaperWorld:
        try:
            self._begin()
        except BaseException:
            self._hold.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._hold.close()

    # -- coming up -----------------------------------------------------------------------------

    def _begin(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        shutil.copytree(self._snapshot / WORLD, self.r.folder, symlinks=True)
        for name in _OF_THE_LIVE_ONE:
            # A copy must never reach the live world: every part has another port here.
            (self.r.folder / "state" / name).unlink(missing_ok=True)
        os.environ["GOLIVE_REHEARSAL"] = str(self.r.folder)
        self._hold.enter_context(running(self.r))
        papers.write(self.r)  # with the addresses of these stubs
        endpoints.write(self.r, inventory.parts())
        self._move_card_origin()
        self.look(())  # signs what has changed by moving here, and makes the documents
        every = frozenset().union(*frozen.LOOKED_AT.values())
        green = self.look((), looked_at=every)
        self._excused = resting_on_unwritten(green)
        self._derived = {i.id for i in self._procedure if i.way == "derived"}
        red = {i: v for i, v in green.items() if is_red(v) and i not in self._excused}
        if red:
            reported = "\n  ".join(f"{i} {v.verdict.value}: {v.message}" for i, v in red.items())
            raise PaperWorldError(f"without any fault these are not green:\n  {reported}")
        self._inputs = frozen.inputs(self.r.folder / "people")
        self._pristine = {
            name: keep(self.place / name, self.place / "pristine" / name)
            for name in ("rehearsal", "reports")
        }

    def _move_card_origin(self) -> None:
        """Have the payment pages' card fields come from this copy's stub, as its papers say."""
        moved = [
            tomllib.loads((folder / "endpoints.toml").read_text())["stripe"]["card_origin"]
            for folder in (self._snapshot / WORLD, self.r.folder)
        ]
        facts: Facts = pickle.loads(self._facts["payment_pages"])
        pages = tuple(
            replace(
                page,
                scripts=tuple(s.replace(*moved) for s in page.scripts),
                card_fields=tuple(s.replace(*moved) for s in page.card_fields),
            )
            for page in facts.value
        )
        self._facts["payment_pages"] = pickle.dumps(replace(facts, value=pages))
        self._worker = Worker(self._facts, self._complete)

    def _complete(self) -> None:
        frozen.complete({n: pickle.loads(data) for n, data in self._facts.items()})

    # -- looking -------------------------------------------------------------------------------

    def look(
        self, items: Collection[str], looked_at: Collection[str] = ()
    ) -> dict[str, ledger.ItemVerdict]:
        """The verdicts of these items, of all where none is named.

        :param looked_at: the probes that look here for real.
        :raises PaperWorldError: pytest could not run; with where it says why.
        """
        log = self.place / "pytest.log"
        log.unlink(missing_ok=True)
        arguments = ["-q", "-p", "no:cacheprovider", f"--env={self._environment()}"]
        arguments += [f"--reports={self.reports}"]
        arguments += [f"--item={i}" for i in sorted(items)]
        keep = sorted(set(self._facts) - set(looked_at))
        done = self._worker.run({"arguments": arguments, "keep": keep, "log": str(log)})
        if done["status"] not in (0, 1):
            said = log.read_text(errors="replace")[-1500:]
            raise PaperWorldError(f"pytest ended with {done['status']}: {said}")
        return ledger.read_run(ledger.runs(self.reports)[-1], facts=False).verdicts

    def _environment(self) -> Path:
        """The rehearsal's environment, which is up already."""
        path = self.place / "rehearsal.toml"
        if not path.exists():
            text = (ROOT / "suites" / "environments" / "rehearsal.toml").read_text()
            path.write_text(re.sub(r"(?m)^command = .*$", 'command = ["true"]', text, count=1))
        return path

    # -- faults --------------------------------------------------------------------------------

    def try_fault(self, fault: Fault) -> Row:
        """Inject, look at all items, revert, look again at those that were red."""
        started = time.monotonic()
        found: Verdicts = {}
        after: Verdicts = {}
        error = ""
        try:
            found, after = self._tried(fault)
        except (PaperWorldError, RehearsalError) as e:
            error = str(e)
        return row(
            fault.name,
            fault.all_red,
            found,
            reverted=after,
            duration_s=time.monotonic() - started,
            how=HOW,
            excused=self._excused,
            error=error,
        )

    def _tried(self, fault: Fault) -> tuple[Verdicts, Verdicts]:
        looked_at = frozen.looked_at(fault.touches)
        if not set(fault.all_red) <= self._derived:
            found = self._in_force(fault, (), looked_at)
            return found, self.look(self._red(fault, found), looked_at)
        # New verdicts would have the documents made again, the spoilt one as well: first the named
        # ones look at it as it is, then all others have new verdicts.
        found = self._in_force(fault, fault.all_red, looked_at)
        after = self.look(self._red(fault, found), looked_at)
        others = [i.id for i in self._procedure if i.id not in fault.all_red]
        found |= self._in_force(fault, others, looked_at)
        self.restore()
        if more := self._red(fault, found) - set(after):
            after |= self.look(more, looked_at)
        return found, after

    def _in_force(
        self, fault: Fault, items: Collection[str], looked_at: Collection[str]
    ) -> dict[str, ledger.ItemVerdict]:
        """What is found while the fault is in force; it is reverted afterwards."""
        self.restore()
        try:
            faults.inject(self.r, fault.name)
        except Exception as e:  # one fault's mistake must not end the copy, nor the others' turn
            raise PaperWorldError(f"it cannot be injected: {type(e).__name__}: {e}") from e
        try:
            stale = frozen.stale(self._inputs, frozen.inputs(self.r.folder / "people"))
            if stale:
                raise PaperWorldError(f"only running parts can show it: it reaches {stale}")
            return self.look(items, looked_at)
        finally:
            faults.revert(self.r, fault.name)

    def _red(self, fault: Fault, found: Mapping[str, ledger.ItemVerdict]) -> set[str]:
        red = {i for i, v in found.items() if is_red(v)}
        return (red | set(fault.all_red)) - set(self._excused)

    def restore(self) -> None:
        """Put the folders back as they were when all was green."""
        for name, pristine in self._pristine.items():
            put_back(pristine, self.place / name)


@contextmanager
def running(r: Rehearsal) -> Iterator[None]:
    """The stubs over a folder, each in its own process.

    :raises PaperWorldError: one does not come up.
    """
    with ExitStack() as hold:
        for part in _STUBS:
            log = hold.enter_context(r.log(part.name).open("a"))
            process = subprocess.Popen(
                part.command(r),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **part.environment(r)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            hold.callback(process.wait, 10)
            hold.callback(process.terminate)
            ends = time.monotonic() + _READY_WITHIN_S
            while not part.ready(r):
                if process.poll() is not None or time.monotonic() > ends:
                    raise PaperWorldError(f"{part.name} does not come up; see {r.log(part.name)}")
                time.sleep(0.05)
        yield


# -- folders ---------------------------------------------------------------------------------------


def keep(folder: Path, to: Path) -> Path:
    """Copy a folder, to be put back from there."""
    shutil.copytree(folder, to, symlinks=True)
    return to


def put_back(pristine: Path, folder: Path) -> None:
    """Make a folder what it was when it was kept, but for what only grows; what is the same
    already is left alone."""
    was, now = _files(pristine), _files(folder)
    for name in now.keys() - was.keys():
        (folder / name).unlink()
    for name, stamp in was.items():
        if now.get(name) != stamp:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            new = target.with_name(f".{target.name}.back")
            shutil.copy2(pristine / name, new, follow_symlinks=False)
            new.replace(target)  # another file: whoever watches it by its inode sees it change
    for path, _, _ in os.walk(folder, topdown=False):
        inside = Path(path).relative_to(folder)
        if not (pristine / inside).is_dir():
            Path(path).rmdir()


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for path, folders, names in os.walk(folder):
        if Path(path) == folder:
            folders[:] = [f for f in folders if f not in _GROWING]
        for name in names:
            one = Path(path, name)
            stat = one.lstat()
            found[str(one.relative_to(folder))] = (stat.st_size, stat.st_mtime_ns)
    return found


def serve(snapshot: Path, place: Path, lines: Iterable[str]) -> Iterator[str]:
    """The answers to requests, after one, ``{}``, that tells that the copy is up."""
    with PaperWorld(snapshot, place) as world:
        yield "{}"
        for line in lines:
            one = faults.get(json.loads(line)["fault"])
            yield json.dumps(asdict(world.try_fault(one)))


def main(snapshot: Path, place: Path) -> int:
    os.chdir(ROOT)
    register_all()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    try:
        for answer in serve(snapshot, place, sys.stdin):
            print(answer, file=answers, flush=True)
    except (PaperWorldError, RehearsalError) as e:
        print(json.dumps({"error": str(e)}), file=answers, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
