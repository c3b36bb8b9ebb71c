"""pytest as a process of its own that need not load its packages first.

A server, started once for a test session, loads what every run of golive loads, save what pytest
rewrites while it loads it, and forks for each run. A run has its own memory, working directory,
variables, streams and exit status, as if it had been started again; only how Python itself starts
is not repeated, so runs with other variables of Python's start again.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def of_python(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python reads while it starts."""
    return {name: value for name, value in variables.items() if name.startswith("PYTHON")}


class Server:
    """Forks runs of `python -m pytest`; a context manager that ends it."""

    def __init__(self) -> None:
        self._variables = of_python(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def fits(self, variables: Mapping[str, str]) -> bool:
        """Whether Python would start in the same way with these variables."""
        return of_python(variables) == self._variables

    def run(self, arguments: Sequence[str], out: Path, err: Path, *, within_s: float) -> int:
        """Run pytest here, with the variables of now; what it says goes into two files.

        :returns: its exit status, negative when a signal ended it.
        :raises TimeoutError: it did not end in time, and was killed.
        """
        wish = {
            "arguments": list(arguments),
            "folder": str(Path.cwd()),
            "variables": dict(os.environ),
            "out": str(out),
            "err": str(err),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        pid, ends = self._line(), time.monotonic() + within_s
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], ends - time.monotonic())[0]:
            os.kill(pid, signal.SIGKILL)
            self._line()
            raise TimeoutError(f"pytest {' '.join(arguments)} did not end within {within_s:.0f} s")
        return self._line()

    def _line(self) -> int:
        assert self._process.stdout is not None
        said = bytearray()  # read bytewise: select looks at the pipe, not into a buffer
        while not said.endswith(b"\n"):
            byte = os.read(self._process.stdout.fileno(), 1)
            assert byte, "the server of runs has ended"
            said += byte
        return int(said)


def _serve() -> None:
    import importlib
    import runpy

    del sys.path[0]  # this file's folder; a run has its working directory there
    from _pytest.config import default_plugins

    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")
    importlib.import_module("golive.session")
    importlib.import_module("golive.probes").register_all()

    import gc

    gc.collect()
    gc.freeze()
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        wish = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, interrupted)
            os.environ.clear()
            os.environ.update(wish["variables"])
            time.tzset()
            os.chdir(wish["folder"])
            for number, path, mode in (
                (0, os.devnull, os.O_RDONLY),
                (1, wish["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
                (2, wish["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            ):
                opened = os.open(path, mode)
                os.dup2(opened, number)
                os.close(opened)
            sys.path.insert(0, wish["folder"])
            sys.argv = ["pytest", *wish["arguments"]]
            runpy.run_module("pytest", run_name="__main__", alter_sys=True)
            sys.exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
