"""A warm worker: runs pytest again and again over one rehearsal, each time in a fork of itself.

It reads one JSON line for each run from its input and answers with one on its output:

    {"arguments": ["--env", "rehearsal"], "keep": ["tls_estate"], "log": "/somewhere/run.log"}
    {"status": 0, "seconds": 4.2, "looked": {"redis_cluster": 1.3}, "kept": ["tls_estate"]}

    {"save": "/somewhere/facts.pickle", "names": ["tls_estate"]}
    {"load": "/somewhere/facts.pickle"}

What a run has imported, the worker imports, so that the next fork has it already. Facts that a
run has gathered stay in the worker's memory; the probes in ``keep`` are not looked at again but
have the facts of their last look. The engine knows nothing of this: the fork changes its own copy
of the fact store before pytest begins.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from golive.probes import register_all
from golive.probing import REGISTRY, Facts, FactStore, Probe
from golive.reports import run_report

_OWN = ("suites", "tests", "test_", "conftest", "golive_")
"""Modules that a run imports by itself, and again: pytest rewrites their assertions."""


def seed(kept: Mapping[str, Facts], stores: list[FactStore]) -> None:
    """Have every fact store of this process begin with facts that were gathered before.

    They go on the run's record like any others, with the time of their own look.

    :param kept: the facts, by the names of their probes.
    :param stores: every store made from now on is added here.
    """
    make, begin = FactStore.__init__, FactStore._future

    def seeded(store: FactStore, *arguments: Any, **named: Any) -> None:
        make(store, *arguments, **named)
        stores.append(store)

    def asked(store: FactStore, p: Probe) -> Future[Facts]:
        facts = kept.get(p.name)
        if facts is None:
            return begin(store, p)
        with store._lock:
            known = store._futures.get(p.name)
            if known is not None:
                return known
            future = store._futures[p.name] = Future()
        store._settle(p, future, facts.observed_at, facts.duration_s, value=facts.value)
        return future

    setattr(FactStore, "__init__", seeded)  # noqa: B010 - mypy takes no assignment to it
    setattr(FactStore, "_future", asked)  # noqa: B010


def gathered(stores: Iterable[FactStore]) -> dict[str, Facts]:
    """What the registered probes have found, by name; without those that could not look."""
    found: dict[str, Facts] = {}
    for store in stores:
        for name, future in dict(store._futures).items():
            if name in REGISTRY and future.done() and future.result().error is None:
                found[name] = future.result()
    return found


def portable(facts: Mapping[str, Facts]) -> dict[str, bytes]:
    """Each probe's facts as bytes; those that cannot be copied are left out, and so looked at
    again."""
    made: dict[str, bytes] = {}
    for name, one in facts.items():
        try:
            made[name] = pickle.dumps(one)
        except (pickle.PicklingError, TypeError, AttributeError):
            continue
    return made


def _importable() -> list[str]:
    return [
        name
        for name, module in sorted(sys.modules.items())
        if not name.startswith(_OWN)
        and isinstance(module, types.ModuleType)
        and getattr(module, "__spec__", None) is not None
    ]


def _child(request: Mapping[str, Any], kept: Mapping[str, bytes], answer: int) -> int:
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(log, number)
    stores: list[FactStore] = []
    seed({name: pickle.loads(data) for name, data in kept.items()}, stores)
    # Nobody looks at a page of each run; the ledger has all of it.
    setattr(run_report, "write_run_report", lambda _, *pages: pages[-1])  # noqa: B010
    status = int(pytest.main(list(request["arguments"])))
    new = {n: f for n, f in gathered(stores).items() if n not in kept}
    looked = {n: f.duration_s for n, f in new.items()}
    with os.fdopen(answer, "wb") as pipe:
        pickle.dump((looked, portable(new), _importable()), pipe)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


class Worker:
    """Keeps facts between runs, and what they import.

    :param facts: what was gathered before the first run.
    :param prepare: called in each fork before pytest begins.
    """

    learns = True
    """Whether what a run gathers is kept for the next one."""

    def __init__(
        self,
        facts: Mapping[str, bytes] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.facts: dict[str, bytes] = dict(facts or {})
        self._prepare = prepare
        self._imported: set[str] = set()

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One run of pytest in a fork: its exit status, its time, what was looked at and kept."""
        started = time.monotonic()
        kept = {n: self.facts[n] for n in request["keep"] if n in self.facts}
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            status = 70
            try:
                os.close(reading)
                self._prepare()
                status = _child(request, kept, writing)
            except BaseException as e:  # noqa: BLE001 - the log tells it, the status the worker
                os.write(2, f"{type(e).__name__}: {e}\n".encode())
            finally:
                os._exit(status)  # threads of looks that were left behind must not hold it
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as pipe:
                data = pipe.read()
        except BaseException:  # whoever is told to end takes the run with it
            os.kill(child, signal.SIGKILL)
            raise
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        looked: dict[str, float] = {}
        if data:
            looked, facts, modules = pickle.loads(data)
            if self.learns:
                self.facts = kept | facts
            self._warm(modules)
        return {
            "status": status,
            "seconds": round(time.monotonic() - started, 2),
            "looked": looked,
            "kept": sorted(kept),
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a line asks for."""
        if "save" in request:
            kept = {n: self.facts[n] for n in request["names"] if n in self.facts}
            Path(request["save"]).write_bytes(pickle.dumps(kept))
            return {"saved": sorted(kept)}
        if "load" in request:
            self.facts = pickle.loads(Path(request["load"]).read_bytes())
            return {"loaded": sorted(self.facts)}
        return self.run(request)

    def _warm(self, modules: Iterable[str]) -> None:
        for name in modules:
            if name in self._imported or name in sys.modules:
                continue
            self._imported.add(name)
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - then the next run imports it, or tells why not
                continue
        if threading.active_count() > 1:
            names = ", ".join(t.name for t in threading.enumerate())
            raise SystemExit(f"worker: cannot fork beside other threads: {names}")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(Path(__file__).resolve().parents[2])
    register_all()
    worker = Worker()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
