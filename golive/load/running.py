"""A steady load as a process of its own, since locust changes the one that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from golive.environments import Environment
from golive.verdicts import ProbeError

_FILE = Path(__file__).with_name("steady.py")
_ENDS_WITHIN_S = 10.0
_KEPT_LINES = 20


class Answered(msgspec.Struct, frozen=True):
    """One request of the load."""

    at: float
    """Unix seconds at which it was begun."""
    status: int
    """0 where nothing answered."""
    instance: str
    error: str

    @property
    def failed(self) -> bool:
        """Whether a customer would have seen an error."""
        return bool(self.error) or not 200 <= self.status < 400


class SteadyLoad:
    """Users who ask for one path for as long as the block lasts.

    :param per_s: requests of all of them together.
    """

    def __init__(self, env: Environment, url: str, path: str, *, per_s: float, users: int) -> None:
        self._argv = [
            *(sys.executable, "-m", "locust", "-f", str(_FILE), "--headless", "--skip-log-setup"),
            *("--host", url.rstrip("/"), "-u", str(users), "-r", str(users), "--stop-timeout", "2"),
        ]
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LOCUST_")},
            "GOLIVE_LOAD_PATH": path,
            "GOLIVE_LOAD_EACH_PER_S": str(per_s / users),
            "GOLIVE_LOAD_CA_FILE": env.tls.ca_file,
            "GOLIVE_LOAD_INSTANCE_HEADER": env.application.instance_header,
        }
        self._answers: list[Answered] = []
        self._said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        """:raises ProbeError: locust cannot be started."""
        try:
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        except OSError as e:
            raise ProbeError("the load", f"locust cannot be started: {e}", "make setup") from None
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ENDS_WITHIN_S)
        self._reader.join(_ENDS_WITHIN_S)

    def answers(self) -> list[Answered]:
        """What came of each request so far.

        :raises ProbeError: locust has ended before a single one.
        """
        if not self._answers and self._process is not None and self._process.poll() is not None:
            said = " ".join(self._said[-_KEPT_LINES:])[-400:] or "nothing"
            raise ProbeError("the load", f"locust ended at once and said: {said}", "run it by hand")
        return list(self._answers)

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        decode = msgspec.json.Decoder(Answered).decode
        for line in self._process.stdout:
            if not line.startswith('{"at"'):
                self._said = [*self._said, line.strip()][-_KEPT_LINES:]
                continue
            try:
                self._answers.append(decode(line))
            except msgspec.DecodeError:
                self._said.append(line.strip())
