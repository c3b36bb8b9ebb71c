"""An environment's own commands: argument lists with ``{placeholders}``, one JSON document back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import msgspec

from golive.decoding import decode
from golive.verdicts import ProbeError

Answer = TypeVar("Answer")
_TAIL_CHARACTERS = 600
"""The end of a failed command's error text that a message shows."""
_STOPPED = "it had not ended after {:.0f} s and was stopped"
_SILENT = "it said nothing"


class CommandFailed(ProbeError):
    """The command ran and ended with a failure, or not in time. ``reason`` is what it said;
    ``status`` is None where it was stopped."""

    def __init__(
        self, subject: str, cause: str, next_step: str, reason: str, status: int | None = None
    ) -> None:
        super().__init__(subject, cause, next_step)
        self.reason = reason
        self.status = status


class Deadline:
    """What is left of a drill's time. A drill stops its last command before its own limit ends,
    so that it can still clean up."""

    def __init__(self, limit_s: float) -> None:
        self._ends = time.monotonic() + 0.9 * limit_s

    @property
    def left_s(self) -> float:
        """Seconds left, a few at least so that cleaning up is always tried."""
        return max(5.0, self._ends - time.monotonic())


@overload
def run(
    command: Sequence[str], values: Mapping[str, object], *, key: str, within_s: float
) -> None: ...


@overload
def run(
    command: Sequence[str],
    values: Mapping[str, object],
    *,
    key: str,
    within_s: float,
    answer: type[Answer],
) -> Answer: ...


def run(
    command: Sequence[str],
    values: Mapping[str, object],
    *,
    key: str,
    within_s: float,
    answer: Any = None,
) -> Any:
    """Run a command of the environment file to its end; what it prints, as ``answer``.

    Beside ``values``, ``{python}`` stands for the interpreter that golive runs in.

    :param key: where the command stands in the environment file, for messages.
    :param answer: the type that its JSON document must fit; None: it need not print one.
    :raises CommandFailed: it ended with another status than 0, or not within ``within_s``; with
        the end of what it wrote to stderr.
    :raises ProbeError: it cannot be started, or its answer is no JSON document of that type.
    """
    subject, out = _printed(command, values, key, within_s, None)
    if answer is None:
        return None
    try:
        return decode(out, answer, strict=False)
    except msgspec.DecodeError as e:
        raise ProbeError(
            subject,
            f"its answer {_tail(out, 120)!r} is not the JSON document that is expected: {e}",
            f"compare what it prints with the description of {key}",
        ) from None


def output(
    command: Sequence[str],
    values: Mapping[str, object],
    *,
    key: str,
    within_s: float,
    given: bytes | None = None,
) -> str:
    """Run a command to its end; what it prints, as text.

    :param given: what it reads; None: nothing.
    :raises CommandFailed: as :func:`run`.
    :raises ProbeError: it cannot be started.
    """
    return _printed(command, values, key, within_s, given)[1]


def _printed(
    command: Sequence[str],
    values: Mapping[str, object],
    key: str,
    within_s: float,
    given: bytes | None,
) -> tuple[str, str]:
    argv = _filled(command, {"python": sys.executable, **values}, key)
    subject = f"{key} ({_shown(argv)})"
    status, printed, err = _ended(argv, within_s, subject, given)
    out = printed.decode(errors="replace")
    if status is None:
        reason = _STOPPED.format(within_s)
        raise CommandFailed(subject, f"{reason}: {_tail(err)}", "run it by hand", reason)
    if status != 0:
        reason = _tail(err) or _tail(out) or _SILENT
        cause = f"exit status {status}: {reason}"
        raise CommandFailed(subject, cause, "run it by hand", reason, status)
    return subject, out


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended by itself, whatever its status, with all that it wrote."""

    status: int
    out: str
    err: str


def finished(
    command: Sequence[str], values: Mapping[str, object], *, key: str, within_s: float
) -> Finished:
    """Run a command whose failure is an answer, too.

    :raises CommandFailed: it had not ended in time.
    :raises ProbeError: it cannot be started.
    """
    argv = _filled(command, {"python": sys.executable, **values}, key)
    subject = f"{key} ({_shown(argv)})"
    status, out, err = _ended(argv, within_s, subject)
    if status is None:
        reason = _STOPPED.format(within_s)
        raise CommandFailed(subject, f"{reason}: {_tail(err)}", "run it by hand", reason)
    return Finished(status, out.decode(errors="replace"), err)


@dataclass(frozen=True, slots=True)
class Piped:
    """What came out of a command that something was piped through."""

    content: bytes
    failure: str
    """Why it ended with another status than 0, or was stopped; empty when it did neither."""
    is_stopped: bool = False
    """Whether it had not ended by itself in time."""


def pipe(
    command: Sequence[str],
    values: Mapping[str, object],
    content: bytes,
    *,
    key: str,
    within_s: float,
    environment: Mapping[str, str],
) -> Piped:
    """Pipe bytes through a command of the environment file, all in memory.

    :param environment: all of its environment variables; this process's own are not passed on.
    :raises ProbeError: it cannot be started.
    """
    argv = _filled(command, {"python": sys.executable, **values}, key)
    status, out, err = _ended(argv, within_s, f"{key} ({_shown(argv)})", content, environment)
    if status is None:
        return Piped(out, _STOPPED.format(within_s), is_stopped=True)
    return Piped(out, "" if status == 0 else _tail(err) or _SILENT)


def _filled(command: Sequence[str], values: Mapping[str, object], key: str) -> list[str]:
    try:
        argv = [word.format_map(values) for word in command]
    except (KeyError, ValueError, IndexError, AttributeError) as e:
        known = ", ".join(f"{{{name}}}" for name in sorted(values))
        raise ProbeError(
            key, f"the placeholder {e} is not known", f"use those there are: {known}"
        ) from None
    if not argv:
        raise ProbeError(key, "it is empty", f"write the command in {key} of the environment file")
    return argv


def _ended(
    argv: list[str],
    within_s: float,
    subject: str,
    content: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int | None, bytes, str]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if content is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as e:
        raise ProbeError(
            subject, f"it cannot be started: {e.strerror or e}", "check the path of the command"
        ) from None
    with process:
        try:
            out, err = process.communicate(content, timeout=within_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            out, err = process.communicate()
            return None, out, err.decode(errors="replace")
        except BaseException:
            _stop(process)
            raise
    return process.returncode, out, err.decode(errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the command with everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            continue
        return


def _shown(argv: list[str]) -> str:
    text = " ".join(os.path.basename(argv[0]) if n == 0 else word for n, word in enumerate(argv))  # noqa: PTH119
    return text if len(text) <= 160 else f"{text[:157]}..."


def _tail(text: str, length: int = _TAIL_CHARACTERS) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"... {flat[-length:]}"
