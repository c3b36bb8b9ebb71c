"""pytest as a process of its own that need not load its packages first.

A server, started once for a test session, loads what every run of golive loads, save what pytest
rewrites while it loads it, and forks for each run. A run has its own memory, working directory,
variables, streams and exit status, as if it had been started again. Only how Python itself starts
is not repeated, so what would start otherwise is started again: a run with other variables of
Python's, or with a folder on PYTHONPATH that holds what is loaded already.
"""

from __future__ import annotations

import inspect
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_PATH = os.environ.get("PYTHONPATH", "")
"""As it was before a test changed it."""


def run_pytest(
    arguments: Sequence[object],
    *,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    within_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m pytest` in a folder to its end.

    :param variables: those of the environment that are other than here.
    :raises TimeoutError: it did not end in time, and was killed.
    """
    words, environment = [str(word) for word in arguments], {**os.environ, **(variables or {})}
    return _server().run(words, folder, environment, within_s)


def _of_python(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python reads while it starts, but for where it looks for modules."""
    python = (name for name in variables if name.startswith("PYTHON") and name != "PYTHONPATH")
    return {name: variables[name] for name in python}


def _places(variables: Mapping[str, str]) -> list[str]:
    """The folders of PYTHONPATH, as Python puts them on its path."""
    named = variables.get("PYTHONPATH", "")
    return list(dict.fromkeys(map(os.path.abspath, named.split(os.pathsep)))) if named else []


def _holds_what_is_loaded(folder: str) -> bool:
    """Whether a module of a folder has a name that is loaded here, or while Python starts."""
    there = Path(folder).glob("*")
    names = {path.name if path.is_dir() else inspect.getmodulename(path) for path in there}
    return not names.isdisjoint((*sys.modules, "sitecustomize", "usercustomize"))


class _Server:
    """Forks runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": _PATH},
        )

    def run(
        self, words: list[str], folder: Path, variables: dict[str, str], within_s: float
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as place:
            streams = {name: str(Path(place) / name) for name in ("out", "err")}
            wish = {"arguments": words, "folder": str(folder), "variables": variables} | streams
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            self._process.stdin.flush()
            status = self._status(self._line(), within_s)
            out, err = (
                Path(path).read_text(encoding="utf-8", errors="replace")
                for path in streams.values()
            )
        if status is None:
            raise TimeoutError(f"pytest {words} did not end within {within_s:g} s:\n{out}{err}")
        return subprocess.CompletedProcess(words, status, out, err)

    def _status(self, pid: int, within_s: float) -> int | None:
        """How a run ended; None where it had to be killed."""
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], within_s)[0]:
            return self._line()
        os.kill(pid, signal.SIGKILL)
        self._line()
        return None

    def _line(self) -> int:
        """A number that the server says, read bytewise: what is left stays for select to see."""
        assert self._process.stdout is not None
        said = bytearray()
        while not said.endswith(b"\n"):
            byte = os.read(self._process.stdout.fileno(), 1)
            assert byte, "the server of runs has ended"
            said += byte
        return int(said)

    def end(self) -> None:
        self._process.communicate()


@cache
def _server() -> _Server:
    return _Server()


def end() -> None:
    """End what forks, if anything was run."""
    if _server.cache_info().currsize:
        _server().end()
        _server.cache_clear()


def _serve() -> None:
    import importlib
    import runpy

    del sys.path[0]  # this file's folder; a run has its working directory there
    began, own = _of_python(os.environ), _places(os.environ)
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
            places = _places(wish["variables"])
            others = [place for place in places if place not in sys.path]
            if _of_python(wish["variables"]) != began or any(map(_holds_what_is_loaded, others)):
                words = [sys.executable, "-m", "pytest", *wish["arguments"]]
                os.execve(sys.executable, words, wish["variables"])
            left = [p for p in sys.path if p not in {*own, *places}]
            sys.path[:] = [wish["folder"], *places, *left]
            sys.argv = ["pytest", *wish["arguments"]]
            runpy.run_module("pytest", run_name="__main__", alter_sys=True)
            sys.exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
