"""A copy of a live world's folder, in which nothing runs but the stubs that people work with.

    python -m tests.campaign.paper_world SNAPSHOT PLACE

It answers each line of its input, ``{"faults": [NAME, ...]}``, with a row of the campaign for each
of them, as it is settled, and then ``{}``. Each round begins with the folder as it was when all was
green; its faults are injected and reverted by their own code in this process, and every item is run
in a fork of it (see :mod:`tests.campaign.worker`) on the facts of the live world that
:mod:`tests.campaign.frozen` lets stand.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from golive import ledger, procedure
from golive.probes import register_all
from golive.procedure import Procedure
from rehearsal import endpoints, faults
from rehearsal.kernel import inventory
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Part
from rehearsal.parts.people.messages import Messages
from rehearsal.parts.saas.saas_stubs import SaasStubs
from rehearsal.staff import papers
from tests.campaign import clauses, frozen
from tests.campaign.judging import Tried, judge, planned, resting
from tests.campaign.rounds import Attempt, Planned, settle
from tests.campaign.rows import Row, followers, is_red, resting_on_unwritten, row
from tests.campaign.worker import Worker

ROOT = Path(__file__).resolve().parents[2]
WORLD, FACTS = "world", "facts.pickle"
"""What a snapshot consists of."""
HOW = "papers"
_STUBS: tuple[Part, ...] = (SaasStubs(), Messages())
_READY_WITHIN_S = 30.0
_MOST_UNSOUND = 5
"""Items that may be red by the live world's facts, of one slow moment say; faults that name them
are not tried."""
_GROWING = frozenset({"messages", "logs"})
"""Folders that a stub appends to while it runs, which tell what was sent, not what was changed."""
_OF_THE_LIVE_ONE = ("supervisor.json", "ports.json", "faults.json")


class PaperWorldError(Exception):
    """The copy cannot show what a fault does."""


class PaperWorld:
    """One copy. Enter it to have its stubs run and all of its items green.

    :raises PaperWorldError: an item that was green in the live world is not green in the copy.
    """

    def __init__(self, snapshot: Path, place: Path, *, recording: bool = False) -> None:
        self.place = place
        self.recording = recording
        self.r = Rehearsal(place / "rehearsal")
        self.reports = place / "reports"
        self._snapshot = snapshot
        self._facts: dict[str, bytes] = pickle.loads((snapshot / FACTS).read_bytes())
        self._procedure: Procedure = procedure.load(ROOT / "suites" / "procedure.toml")
        self._clauses = clauses.load(clauses.known())
        self._hold = ExitStack()
        self._excused: dict[str, str] = {}
        self._before: dict[str, ledger.ItemVerdict] = {}
        self._unsound: dict[str, str] = {}
        self._derived: frozenset[str] = frozenset()
        self._rests: frozenset[str] = frozenset()
        self._probes: dict[str, frozenset[str]] = {}
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
        ports = json.loads((self.r.folder / "state" / "ports.json").read_text())["ports"]
        for name in _OF_THE_LIVE_ONE:
            # A copy must never reach the live world: every part has another port here.
            (self.r.folder / "state" / name).unlink(missing_ok=True)
        os.environ["GOLIVE_REHEARSAL"] = str(self.r.folder)
        self._hold.enter_context(running(self.r))
        for part in _STUBS:  # what was found of a stub holds of this one
            self._facts = moved(self._facts, ports[part.name], self.r.port(part.name))
        self._worker = Worker(self._facts, self._complete)
        papers.write(self.r)  # with the addresses of these stubs
        endpoints.write(self.r, inventory.parts())
        self.look(())  # signs what has changed by moving here, and makes the documents
        every = frozenset().union(*frozen.LOOKED_AT.values())
        green = self.look((), looked_at=every)
        self._worker.learns = False  # each round begins with the facts of this look
        self._excused = resting_on_unwritten(green)
        self._before = {i: green[i] for i in self._excused}
        self._derived = frozenset(i.id for i in self._procedure if i.way == "derived")
        self._rests = resting(ROOT / "suites")
        self._unsound = {
            v.id: f"{v.id} {v.verdict.value}: {v.message}"
            for v in green.values()
            if is_red(v) and v.id not in self._excused
        }
        if len(self._unsound) > _MOST_UNSOUND:
            reported = "\n  ".join(self._unsound.values())
            raise PaperWorldError(f"without any fault these are not green:\n  {reported}")
        self._excused = self._excused | self._unsound
        self._inputs = frozen.inputs(self.r.folder / "people")
        self._pristine = {
            name: keep(self.place / name, self.place / "pristine" / name)
            for name in ("rehearsal", "reports")
        }

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

    def settled(self, names: Sequence[str]) -> Iterator[Row]:
        """Try faults together, and narrow down what is wrong; a row for each."""
        together = [planned(faults.get(name), self._derived, self._rests) for name in names]
        for fault in together:
            if red := [self._unsound[i] for i in sorted(fault.expected & set(self._unsound))]:
                error = f"without any fault: {'; '.join(red)}"
                yield row(
                    fault.name,
                    fault.expected,
                    {},
                    reverted={},
                    duration_s=0.0,
                    how=HOW,
                    error=error,
                )
        sound = [f for f in together if not f.expected & set(self._unsound)]
        if sound:
            yield from settle(sound, self.attempt)

    def attempt(self, together: Sequence[Planned], number: int) -> Attempt:
        """Inject these faults, look at all items, revert, look at what was red, judge."""
        how = HOW if len(together) == 1 else f"{HOW}, {len(together)} together"
        tried = Tried(together, how, {}, {}, {}, 0.0)
        started = time.monotonic()
        try:
            self._try(tried)
        except PaperWorldError as e:
            tried.errors = dict.fromkeys((f.name for f in together), str(e)) | tried.errors
        tried.seconds = time.monotonic() - started
        self._probes |= {v.id: frozenset(v.facts) for v in tried.found.values()}
        unseen = {f.name for f in together} - faults.seen()
        return judge(
            tried,
            self._probes,
            self._excused,
            recording=self.recording,
            unseen=unseen,
            clauses=self._clauses,
            before=self._before,
        )

    def _try(self, tried: Tried) -> None:
        expected = {item for fault in tried.faults for item in fault.expected}
        if not all(
            f.expected <= self._derived or frozen.spoils_documents(f.touches) for f in tried.faults
        ):
            tried.found |= self._in_force(tried, ())
            tried.reverted |= self._again(tried, expected)
            return
        # New verdicts would have the documents made again, the spoilt one as well: first those that
        # it has to turn red look at it as it is, then all others have new verdicts, and with them
        # those that are red for a document which is made and that nobody can sign.
        tried.found |= self._in_force(tried, expected, settled=True)
        tried.reverted |= self._again(tried, expected)
        named = {item for fault in tried.faults for item in fault.named}
        seen = {i for i, v in tried.found.items() if i in named or is_red(v)}
        tried.found |= self._in_force(tried, {i.id for i in self._procedure} - seen)
        self.restore()
        tried.reverted |= self._again(tried, set(tried.found) - set(tried.reverted))

    def _in_force(
        self, tried: Tried, items: Collection[str], *, settled: bool = False
    ) -> dict[str, ledger.ItemVerdict]:
        """What is found while the faults are in force; they are reverted afterwards.

        :param settled: people state first what a run has made anew, the status report say, else
            they would do so now, and what rests on it would be made again.
        """
        self.restore()
        if settled:
            self.look(items)
        names = [fault.name for fault in tried.faults]
        touched = [place for fault in tried.faults for place in fault.touches]
        tried.errors |= self._each(names, faults.inject)
        try:
            stale = frozen.stale(self._inputs, frozen.inputs(self.r.folder / "people"))
            if stale:
                raise PaperWorldError(f"only running parts can show it: it reaches {stale}")
            return self.look(items, frozen.looked_at(touched))
        finally:
            in_force = faults.in_force(self.r)
            tried.errors |= self._each([n for n in reversed(names) if n in in_force], faults.revert)

    def _again(self, tried: Tried, items: Collection[str]) -> dict[str, ledger.ItemVerdict]:
        """The verdicts, now that nothing is in force, of what was red among these or should have
        been; what was red for others being red is green with those."""
        red = _reds(tried.found)
        due = {item for fault in tried.faults for item in fault.expected} & set(items)
        due |= red - followers(tried.found, red - set(self._excused))
        touched = [place for fault in tried.faults for place in fault.touches]
        due -= {*self._excused, *tried.reverted}
        if not due:
            return {}
        found = self.look(due, frozen.looked_at(touched))
        # What reads another item's statement may have its turn before that one is signed anew.
        left, before = _reds(found), {*due}
        while left and left < before:
            found = {**found, **self.look(left, frozen.looked_at(touched))}
            left, before = _reds(found), left
        return found

    def _each(self, names: Iterable[str], do: Callable[[Rehearsal, str], None]) -> dict[str, str]:
        """Do it with each fault; why it failed, by name. One fault's mistake must not end the copy,
        nor the others' turn."""
        errors: dict[str, str] = {}
        for name in names:
            try:
                do(self.r, name)
            except Exception as e:  # noqa: BLE001 - reported as that fault's row
                errors[name] = f"{do.__name__}: {type(e).__name__}: {e}"
        return errors

    def restore(self) -> None:
        """Put the folders back as they were when all was green."""
        for name, pristine in self._pristine.items():
            put_back(pristine, self.place / name)


def _reds(found: Mapping[str, ledger.ItemVerdict]) -> set[str]:
    return {i for i, v in found.items() if is_red(v)}


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


def moved(facts: dict[str, bytes], old: int, new: int) -> dict[str, bytes]:
    """Pickled facts in which a stub of the live world is found at another port.

    :raises PaperWorldError: the ports' lengths differ, so that a text's length would change.
    """
    was, now = (f"127.0.0.1:{port}".encode() for port in (old, new))
    if len(was) != len(now):
        raise PaperWorldError(f"a stub was at port {old} and is at {new}; expected as many digits")
    return {name: data.replace(was, now) for name, data in facts.items()}


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


def serve(snapshot: Path, place: Path, lines: Iterable[str], recording: bool) -> Iterator[str]:
    """The answers to requests, after one, ``{}``, that tells that the copy is up."""
    with PaperWorld(snapshot, place, recording=recording) as world:
        yield "{}"
        for line in lines:
            for row in world.settled(json.loads(line)["faults"]):
                yield json.dumps(asdict(row))
            yield "{}"


def main(snapshot: Path, place: Path, *words: str) -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its stubs end with it
    register_all()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    try:
        for answer in serve(snapshot, place, sys.stdin, "--record" in words):
            print(answer, file=answers, flush=True)
    except (PaperWorldError, RehearsalError) as e:
        print(json.dumps({"error": str(e)}), file=answers, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
