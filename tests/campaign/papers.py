"""Faults that change only what people write, sign and keep: tried in copies of a live world.

A snapshot is taken once, from a live world whose items are all green: its folder, and the facts
of every probe. Each copy has its own processes (see :mod:`tests.campaign.paper_world`), so that
all cores have work and no fault waits for a running part.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import queue
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from golive.items import parameters_of, read_cards
from rehearsal.faults import Fault
from tests.campaign import frozen
from tests.campaign.paper_world import FACTS, ROOT, WORLD
from tests.campaign.rounds import Round
from tests.campaign.rows import Row

_LEFT_OUT = frozenset({"data", "backups", "logs", "wal-archive"})
"""What running parts keep in the world's folder: no copy of it runs any of them."""


class SnapshotError(Exception):
    """A snapshot cannot be used."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A live world as it was when all was green: its folder's files and its facts."""

    folder: Path


def take_snapshot(world: Path, facts: Mapping[str, bytes], to: Path) -> Snapshot:
    """Copy what people's side of a live world consists of, beside the facts of all its probes.

    :param world: the rehearsal's folder, whose items have just been seen green.
    :param facts: what its probes found in that run, pickled, by the names of the probes.
    :param to: the folder of the snapshot; one that is there is replaced.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)

    def left_out(folder: str, names: list[str]) -> set[str]:
        out = {n for n in names if not _is_plain(Path(folder, n))}
        return out | (_LEFT_OUT & set(names) if Path(folder) == world else set())

    shutil.copytree(world, to / WORLD, symlinks=True, ignore=left_out)
    (to / FACTS).write_bytes(pickle.dumps(dict(facts)))
    return Snapshot(to)


def _is_plain(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def for_papers(fault: Fault) -> bool:
    """Whether a fault can be tried in a copy: it touches nothing that runs but the stubs of what
    people work with, and no item that it turns red asks what does."""
    return frozen.in_a_copy(fault.touches) and not _asking().intersection(fault.all_red)


@cache
def _asking() -> frozenset[str]:
    """Items that ask a running part themselves, for what a document names."""
    cards = read_cards(ROOT / "suites")
    return frozenset(i for i, (_, source) in cards.items() if "ask" in parameters_of(source))


def run_paper_rounds(
    rounds: Sequence[Round],
    snapshot: Snapshot,
    workers: int = 0,
    *,
    place: Path | None = None,
    recording: bool = False,
    until: float = math.inf,
) -> Iterator[Row]:
    """Try rounds of faults in copies, side by side; a row for each fault as it is settled.

    Every item is run in each round, so a row's reds are all there are. Whoever stops asking ends
    the copies, with the rounds that are under way.

    :param workers: how many copies; 0: one for each core.
    :param place: where the copies lie; default: a temporary folder.
    :param recording: whether what a fault turns red beside what it was written for is right.
    :param until: of the monotonic clock: no round but each copy's first begins after that.
    :raises SnapshotError: a copy is not green without any fault, so that nothing could be learned.
    """
    count = max(1, min(workers or os.cpu_count() or 1, len(rounds)))
    waiting: queue.SimpleQueue[Round] = queue.SimpleQueue()
    for together in rounds:
        waiting.put(together)
    done: queue.SimpleQueue[Row | str | None] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="golive-papers-") as temporary:
        base = place or Path(temporary)
        words = ("--record",) if recording else ()
        copies: list[subprocess.Popen[str]] = []
        threads = [
            threading.Thread(
                target=_work, args=(snapshot, base / str(n), words, waiting, done, copies, until)
            )
            for n in range(count)
        ]
        for thread in threads:
            thread.start()
        problems: list[str] = []
        try:
            yield from _rows(done, len(threads), problems)
        finally:
            while not waiting.empty():
                waiting.get_nowait()
            for copy in copies:
                copy.terminate()  # those that had nothing left to do have ended
            for thread in threads:
                thread.join()
    if problems:
        raise SnapshotError("; ".join(problems))


def _rows(
    done: queue.SimpleQueue[Row | str | None], working: int, problems: list[str]
) -> Iterator[Row]:
    while working:
        one = done.get()
        if one is None:
            working -= 1
        elif isinstance(one, str):
            problems.append(one)
        else:
            yield one


def _work(
    snapshot: Snapshot,
    place: Path,
    options: Sequence[str],
    waiting: queue.SimpleQueue[Round],
    done: queue.SimpleQueue[Row | str | None],
    copies: list[subprocess.Popen[str]],
    until: float,
) -> None:
    """Have one copy, which joins the others, try rounds until none is left or the time is up."""
    place.mkdir(parents=True, exist_ok=True)
    log = place.parent / f"{place.name}.log"
    words = ["-m", "tests.campaign.paper_world", str(snapshot.folder), str(place), *options]
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        copies.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        begun = False
        try:
            for answer in _answers(process.stdout):
                if problem := answer.get("error"):
                    done.put(str(problem))
                    return
                if answer:
                    done.put(_row(answer))
                    continue
                try:
                    if begun and time.monotonic() > until:
                        return
                    together = waiting.get_nowait()
                except queue.Empty:
                    return
                begun = True
                names = [fault.name for fault in together]
                print(json.dumps({"faults": names}), file=process.stdin, flush=True)
            done.put(f"a copy ended early: {log.read_text(errors='replace')[-1500:]}")
        except OSError as e:
            done.put(f"a copy does not listen: {e}; {log.read_text(errors='replace')[-1500:]}")
        finally:
            process.stdin.close()
            process.wait()
            done.put(None)


def _answers(lines: Iterable[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        yield json.loads(line)


def _row(answer: Mapping[str, object]) -> Row:
    lists = ("expected_red", "red", "messages")
    fields = {k: tuple(v) if k in lists and isinstance(v, list) else v for k, v in answer.items()}
    return Row(**fields)  # type: ignore[arg-type]
