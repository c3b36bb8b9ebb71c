"""The one process that owns all parts of a rehearsal.

It starts parts side by side by what they need, answers requests (``rehearsal.kernel.control``), and
takes every part along when it ends. Should it be killed, the kernel signals each child
(PR_SET_PDEATHSIG), and as it is the subreaper of all its descendants, no orphan escapes it.
"""

from __future__ import annotations

import ctypes
import errno
import hmac
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psutil

from rehearsal.kernel import binaries, control, inventory, ports, process_pool
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import disk_full, tail, write_atomically
from rehearsal.kernel.world import SCRATCH_NICENESS, Rehearsal
from rehearsal.parts import Child, Job, Part

_PR_SET_CHILD_SUBREAPER = 36


class _Stopping(Exception):
    """The rehearsal is being taken down while a part starts."""


@dataclass
class Running:
    """A child process and what the supervisor knows of it."""

    child: Child
    process: subprocess.Popen[bytes] | process_pool.Born
    since: float
    lock: threading.RLock = field(default_factory=threading.RLock)
    state: str = "starting"


class Supervisor:
    def __init__(self, r: Rehearsal, parts: Sequence[Part], tell: Callable[..., None]) -> None:
        self.r = r
        self.parts = {part.name: part for part in parts}
        self.tell = tell
        self.children: dict[str, Running] = {}
        self.stopping = threading.Event()
        self.done = threading.Event()
        self._spawns: queue.Queue[tuple[Child, Future[Running]]] = queue.Queue()
        self._ended: dict[int, int] = {}
        self._pools: dict[tuple[str, ...], process_pool.ProcessPool] = {}
        if process_pool.SUPPORTED:
            # The empty one is for what needs little, and for what nobody has foreseen.
            self._pools = {loads: self._pool(loads) for loads in {(), *(p.loads for p in parts)}}
        self._locks = {name: threading.RLock() for name in self.parts}

    def _pool(self, loads: tuple[str, ...]) -> process_pool.ProcessPool:
        mark = {control.MARK: str(self.r.folder)}
        return process_pool.ProcessPool(loads, self.r.log("process-pool"), mark)

    # -- the main thread ---------------------------------------------------------------------

    def serve(self, listener: socket.socket) -> None:
        """Spawn what the other threads ask for, until the end.

        Only this thread starts children: the kernel sends the death signal when the *thread*
        that started a process ends, and this one lives as long as the supervisor. What the
        process pool bears is this thread's as well.
        """
        threading.Thread(target=self._listen, args=(listener,), daemon=True).start()
        while not self.done.is_set():
            try:
                child, promise = self._spawns.get(timeout=0.1)
            except queue.Empty:
                self._reap()
                continue
            try:
                promise.set_result(self._spawn(child))
            except Exception as error:  # noqa: BLE001  it is raised where the child was asked for
                promise.set_exception(error)

    def _spawn(self, child: Child) -> Running:
        with child.log.open("ab") as log:
            process = subprocess.Popen(
                child.words(),
                env={**child.variables(os.environ), control.MARK: str(self.r.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.r.folder,
                start_new_session=True,
            )
        return self._own(child, process)

    def _own(self, child: Child, process: subprocess.Popen[bytes] | process_pool.Born) -> Running:
        running = Running(child, process, time.time())
        self.children[child.name] = running
        return running

    def spawn(self, child: Child) -> Running:
        """Start a process, from any thread."""
        if process_pool.ProcessPool.bears(child):
            pid = self._pools.get(child.loads, self._pools[()]).bear(child, self.r.folder)
            return self._own(child, process_pool.Born(pid, self._ended))
        promise: Future[Running] = Future()
        self._spawns.put((child, promise))
        return promise.result(timeout=30)

    def _reap(self) -> None:
        """Collect processes that ended, the orphans that fell to this subreaper among them."""
        own = list(self.children.values())
        for running in own:
            running.process.poll()
        known = {running.process.pid for running in own}
        with suppress(ChildProcessError):
            # Only looked at first: the exit status of a part is its own to collect.
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in known:
                    return
                pid, status = os.waitpid(ended.si_pid, os.WNOHANG)
                self._ended[pid] = status

    # -- up ----------------------------------------------------------------------------------

    def up(self) -> None:
        """Start every part, each as soon as all it needs is ready.

        Raises RehearsalError for the first part that fails; what was started still runs then.
        """
        ready: set[str] = set()
        waiting = dict(self.parts)
        busy: dict[Future[None], str] = {}
        with ThreadPoolExecutor(16, "part") as pool:
            while waiting or busy:
                for name in [n for n, part in waiting.items() if set(part.needs) <= ready]:
                    busy[pool.submit(self.start, waiting.pop(name))] = name
                if not busy:
                    raise RehearsalError(f"These parts need each other: {', '.join(waiting)}.")
                finished, _ = wait(busy, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = busy.pop(future)
                    try:
                        future.result()
                    except _Stopping:
                        continue
                    except Exception as error:
                        self.stopping.set()
                        if isinstance(error, RehearsalError):
                            raise
                        traceback.print_exception(error)
                        raise RehearsalError(self._explain(self.parts[name], error)) from error
                    ready.add(name)
                if self.stopping.is_set():
                    raise RehearsalError("The rehearsal was stopped while it was starting.")

    def start(self, part: Part) -> None:
        """Prepare and start one part and wait until it is ready.

        Raises RehearsalError with the end of its log when it does not become ready.
        """
        began = time.monotonic()
        with self._locks[part.name]:
            current = self.children.get(part.name)
            if current is not None and current.process.poll() is None:
                raise RehearsalError(f"{part.name} is running already.")
            self.tell(event="starting", part=part.name)
            origin = binaries.find(part.binary).origin if part.binary else "this project"
            if isinstance(part, Job):
                part.run(self.r)
            else:
                for name in part.ports:
                    self._check_port(part, name)
                part.prepare(self.r)
                self._await(part, self.spawn(part.child(self.r)))
            part.after(self.r)
        self.tell(
            event="ready",
            part=part.name,
            title=part.title,
            origin="" if isinstance(part, Job) else origin,
            ports=[self.r.port(name) for name in part.ports],
            seconds=round(time.monotonic() - began, 2),
        )

    def _await(self, part: Part, running: Running) -> None:
        deadline = time.monotonic() + part.ready_within_s
        last = ""
        pause = 0.01
        while True:
            if self.stopping.is_set():
                raise _Stopping
            status = running.process.poll()
            if status is not None:
                running.state = "died"
                raise RehearsalError(
                    f"{part.name} ended by itself with {_ending(status)} before it was ready. "
                    + self._tail(part.name)
                )
            try:
                if part.ready(self.r):
                    running.state = "ready"
                    return
                last = ""
            except RehearsalError:
                raise
            except Exception as error:  # noqa: BLE001  any failure to ask means not yet
                last = f" Asked whether it is ready, it said: {str(error).strip()[:300]}"
            if time.monotonic() > deadline:
                raise RehearsalError(
                    f"{part.name} runs but was not ready within {part.ready_within_s:g} s."
                    f"{last} " + self._tail(part.name)
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    def _check_port(self, part: Part, name: str) -> None:
        port = self.r.port(name)
        if not ports.free(port):
            raise RehearsalError(
                f"{part.name} cannot have port {port}: {listener_on(port)} listens there. End "
                "that process, or choose another port with "
                f"`python -m rehearsal up --port {name}=NUMBER`."
            )

    def _tail(self, name: str) -> str:
        log = self.r.log(name)
        return f"Its log, {log}, ends:\n{tail(log)}"

    def _explain(self, part: Part, error: Exception) -> str:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return disk_full(part.name, self.r.folder)
        return (
            f"{part.name} could not be started: {type(error).__name__}: "
            f"{str(error).strip()[:1500]} More stands in {self.r.log('supervisor')}."
        )

    # -- one part at a time ------------------------------------------------------------------

    def stop(self, name: str) -> None:
        """Stop one process by its signal, by force when it takes too long."""
        running = self.children.get(name)
        if running is None:
            raise RehearsalError(f"{name} was never started; see `python -m rehearsal status`.")
        with running.lock:
            running.state = "stopped"
            _end(running)

    def restart(self, name: str) -> None:
        part = self._part(name)
        with self._locks[name]:
            if name in self.children:
                self.stop(name)
            self.start(part)

    def reload(self, name: str) -> None:
        part = self._part(name)
        with self._locks[name]:
            part.prepare(self.r)
            running = self.children.get(name)
            if running is None or running.process.poll() is not None:
                raise RehearsalError(f"{name} does not run, so it cannot be reloaded.")
            running.process.send_signal(part.reload_signal)

    def _part(self, name: str) -> Part:
        if name not in self.parts:
            raise RehearsalError(f"There is no part {name!r}; there are {', '.join(self.parts)}.")
        return self.parts[name]

    def down(self) -> None:
        """End everything at once, and then whatever descendant is left. Nothing of the data is
        used again, so nobody is given time to put it in order."""
        self.stopping.set()
        alive = [one for one in self.children.values() if one.process.poll() is None]
        for running in alive:
            running.process.send_signal(running.child.death_signal)
        control.end(psutil.Process().children(recursive=True))

    # -- requests ----------------------------------------------------------------------------

    def _listen(self, listener: socket.socket) -> None:
        while True:
            line, _ = listener.accept()
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, line.makefile("rw") as talk:
            try:
                request = json.loads(talk.readline())
                if not hmac.compare_digest(request.pop("token"), self.r.secret("control")):
                    raise RehearsalError("The request does not carry this rehearsal's token.")
                answer = self._do(request.pop("verb"), request)
            except RehearsalError as error:
                answer = {"error": str(error)}
            except Exception as error:  # noqa: BLE001  the asker gets it
                traceback.print_exception(error)
                answer = {
                    "error": f"The supervisor failed: {type(error).__name__}: {error}. "
                    f"See {self.r.log('supervisor')}."
                }
            try:
                talk.write(json.dumps(answer) + "\n")
                talk.flush()
            except OSError:
                return  # the asker has gone; what it asked for is done

    def _do(self, verb: str, request: dict[str, Any]) -> dict[str, Any]:
        if verb == "status":
            return {"parts": self.status()}
        if verb == "down":
            threading.Thread(target=self._finish, daemon=True).start()
            return {}
        if verb == "run":
            request["log"] = Path(request["log"])
            request["loads"] = tuple(request["loads"])
            for key in ("stop_signal", "death_signal"):
                request[key] = signal.Signals(request[key])
            running = self.spawn(Child(**request))
            running.state = "ready"
            os.setpriority(os.PRIO_PROCESS, running.process.pid, SCRATCH_NICENESS)
            return {"pid": running.process.pid}
        name = request["part"]
        if verb == "start":
            self.start(self._part(name))
        elif verb == "stop":
            self.stop(name)
        elif verb == "restart":
            self.restart(name)
        elif verb == "reload":
            self.reload(name)
        else:
            raise RehearsalError(f"The supervisor knows no verb {verb!r}.")
        return {}

    def _finish(self) -> None:
        self.down()
        self.done.set()

    def status(self) -> dict[str, dict[str, Any]]:
        """Per process: state, pid, ports, origin and how long it runs."""
        shown: dict[str, dict[str, Any]] = {}
        for name in [*self.parts, *(n for n in self.children if n not in self.parts)]:
            part, running = self.parts.get(name), self.children.get(name)
            if isinstance(part, Job):
                continue
            code = running.process.poll() if running else None
            state = running.state if running else "not started"
            if code is not None and state != "stopped":
                state = f"died ({_ending(code)})"
            program = part.binary if part else None
            shown[name] = {
                "state": state,
                "pid": running.process.pid if running and code is None else None,
                "ports": {n: self.r.port(n) for n in part.ports} if part else {},
                "title": part.title if part else "started by a command",
                "origin": binaries.find(program).origin if program else "this project",
                "since": running.since if running and code is None else None,
            }
        return shown


def _end(running: Running) -> None:
    process, child = running.process, running.child
    if process.poll() is not None:
        return
    group = [psutil.Process(process.pid)]
    try:
        group += group[0].children(recursive=True)
        process.send_signal(child.stop_signal)
        process.wait(child.stop_within_s)
    except psutil.NoSuchProcess:
        pass
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    control.end([one for one in group[1:] if one.is_running()], within_s=1.0)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def listener_on(port: int) -> str:
    """Who listens on the port, as far as this user may know."""
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr[1:] == (port,) and one.pid:
                return f"{psutil.Process(one.pid).name()} (process {one.pid})"
    except psutil.Error:
        pass
    return "another process"


def main(arguments: Sequence[str]) -> int:
    """``python -m rehearsal.kernel.supervisor FOLDER PROGRESS_FD [PART ...]``, as ``up`` does."""
    r = Rehearsal(Path(arguments[0]))
    progress: TextIO | None = os.fdopen(int(arguments[1]), "w", buffering=1)
    telling = threading.Lock()

    def tell(**event: Any) -> None:
        nonlocal progress
        with telling:
            print(json.dumps(event), flush=True)
            try:
                if progress is not None:
                    progress.write(json.dumps(event) + "\n")
            except OSError:
                progress = None  # nobody listens any more

    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    record = r.path("state", "supervisor.json")
    try:
        listener = ports.claim(r.folder)
        parts = inventory.parts(arguments[2:])
    except RehearsalError as error:
        tell(event="failed", why=str(error))
        return 1
    begun = psutil.Process().create_time()
    claimed = {"pid": os.getpid(), "port": listener.getsockname()[1], "begun": begun}
    write_atomically(record, json.dumps(claimed))
    supervisor = Supervisor(r, parts, tell)
    failed = False

    def begin() -> None:
        nonlocal failed, progress
        try:
            supervisor.up()
            inventory.announce(r, complete=not arguments[2:])
        except Exception as error:  # noqa: BLE001  `up` gets it
            failed = True
            if not isinstance(error, RehearsalError):
                traceback.print_exception(error)
            supervisor.down()
            tell(event="failed", why=str(error))
            supervisor.done.set()
        else:
            tell(event="up")
        with telling:
            if progress is not None:
                progress.close()
                progress = None

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=supervisor._finish, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=begin, daemon=True).start()
    supervisor.serve(listener)
    record.unlink(missing_ok=True)
    return 1 if failed else 0


if __name__ == "__main__":
    # _exit: threads may still wait for parts that are gone.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
