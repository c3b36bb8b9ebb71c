"""Where the project's own Python processes come from: one that has loaded what they share.

Loading FastAPI, SQLAlchemy and the AWS SDK takes longer than all else that `up` does. A process
pool loads such modules once; every ``python -m rehearsal...`` that the supervisor is to own and
that needs them is then a fork of it, with environment, log, session and name of its own. It is
forked twice, so that the kernel hands it to the supervisor: its parent, which collects its exit
status and whose death ends it. Linux only; elsewhere the supervisor starts such processes itself.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.parts import Child

SUPPORTED = sys.platform == "linux"
_REQUEST_BYTES = 100_000
_ROOM, _ROOM_BYTES = "REHEARSAL_ROOM", 16_384
"""What a process pool is started with, so that the environment of every fork fits in its place."""
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


class Born:
    """A process of the process pool: what the supervisor uses of ``subprocess.Popen``."""

    def __init__(self, pid: int, ended: Mapping[int, int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended
        """Statuses of processes that were collected before anybody knew whose they are."""
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    pid, status = self.pid, self._ended.get(self.pid, 0)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit status. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ProcessPool:
    """The supervisor's side of it."""

    def __init__(self, loads: Iterable[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start it; it loads the modules while nothing is asked of it."""
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "rehearsal.kernel.process_pool",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    *loads,
                ],
                env={**os.environ, **environment, _ROOM: "-" * _ROOM_BYTES},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
            )
        self._log = log
        self._environment = dict(environment)
        self._asking = threading.Lock()

    @staticmethod
    def bears(child: Child) -> bool:
        """Whether the child is a module of this project."""
        return SUPPORTED and child.argv[:2] == [sys.executable, "-m"]

    def bear(self, child: Child, folder: Path) -> int:
        """Have the child born; its pid. Waits for what it needs to be loaded.

        Raises RehearsalError when the process pool is no more.
        """
        request = {
            "name": child.name,
            "words": child.argv[2:],
            "loads": child.loads,
            "environment": {**child.variables(os.environ), **self._environment},
            "log": str(child.log),
            "folder": str(folder),
            "death_signal": int(child.death_signal),
        }
        answer = b""
        with self._asking, suppress(OSError):
            self._mine.sendall(json.dumps(request).encode())
            answer = self._mine.recv(_REQUEST_BYTES)
        if not answer:
            raise RehearsalError(
                f"{child.name} cannot be started: the process that the project's own parts are "
                f"forked from has ended; see {self._log}. Take the rehearsal down and up again."
            )
        return int(answer)


# -- the process pool's side --------------------------------------------------------------------


def _serve(line: socket.socket, supervisor: int, coming: list[str]) -> dict[str, Any]:
    """Load, and fork what is asked for. Returns, with the request, in every process born."""
    while True:
        while coming and not select.select([line], [], [], 0)[0]:
            importlib.import_module(coming.pop(0))
        message = line.recv(_REQUEST_BYTES)
        if not message:
            os._exit(0)  # the supervisor has gone
        request: dict[str, Any] = json.loads(message)
        for name in request["loads"]:
            importlib.import_module(name)
        gc.freeze()  # what is loaded is no garbage, and stays shared
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            continue
        if os.fork():
            os._exit(0)
        _settle(request, supervisor)
        line.sendall(str(os.getpid()).encode())
        line.close()
        return request


def _settle(request: Mapping[str, Any], supervisor: int) -> None:
    """Become a process of its own."""
    os.setsid()
    deadline = time.monotonic() + 5
    while os.getppid() != supervisor:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.001)
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl(_PR_SET_PDEATHSIG, request["death_signal"], 0, 0, 0)
    if os.getppid() != supervisor:  # it died before the kernel was asked
        os._exit(1)
    kernel.prctl(_PR_SET_NAME, request["name"].encode()[:15], 0, 0, 0)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    show_environment()


def show_environment() -> None:
    """Let ``/proc/PID/environ`` tell this process's environment. It shows the memory that a program
    was started with, so that a fork would go on showing its parent's.

    Raises RehearsalError where there is no room for it.
    """
    block = b"".join(b"%s=%s\0" % (name, value) for name, value in os.environb.items())
    # Names of programs may hold blanks and brackets; what follows the last one are numbers.
    start, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[47:49])
    if len(block) > end - start:
        raise RehearsalError(f"An environment of {len(block)} bytes has no room in {end - start}.")
    # Nothing points into that memory any more: `os.environ.clear` has dropped all that did, and
    # what is set since lies elsewhere.
    ctypes.memmove(start, block.ljust(end - start, b"\0"), end - start)


def main(descriptor: int, supervisor: int, loads: list[str]) -> None:
    """``python -m rehearsal.kernel.process_pool DESCRIPTOR PID [MODULE ...]``; started by the
    supervisor."""
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    kernel.prctl(_PR_SET_NAME, b"process-pool", 0, 0, 0)
    gc.disable()  # many objects are made while modules load, none of them garbage
    request = _serve(socket.socket(fileno=descriptor), supervisor, loads)
    gc.enable()
    module, *words = request["words"]
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
