"""Files and commands on the machines that an environment names, through testinfra."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from testinfra.host import Host


@dataclass(frozen=True, slots=True)
class Output:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What it said when it failed: the end of its error text, in one line."""
        text = " ".join((self.err or self.out).split())
        return text[-400:] or f"exit status {self.status} without a word"


class Machine:
    """A machine by testinfra's address, e.g. ``local://`` or ``ssh://db-1?sudo=true``."""

    def __init__(self, address: str) -> None:
        self.address = address

    @cached_property
    def _host(self) -> Host:
        import testinfra

        return testinfra.get_host(self.address)

    @property
    def is_local(self) -> bool:
        """Whether it is the machine that golive runs on."""
        return self.address.startswith("local")

    def run(self, *argv: str) -> Output:
        """Run a command to its end.

        :raises ProbeError: the machine cannot be reached. A failing command is no error.
        """
        try:
            done = self._host.run(" ".join(["%s"] * len(argv)), *argv)
        except (RuntimeError, ValueError, OSError, ImportError) as e:
            # Of a failed login, testinfra hands over the whole result: its words will do.
            words = getattr(e.args[0], "stderr", "") if e.args else ""
            raise ProbeError(
                f"the machine {self.address}",
                words or e,
                "check the address in the environment file and that this user may log in there",
            ) from None
        return Output(done.rc, done.stdout, done.stderr)

    def answer(self, *argv: str) -> str:
        """What a command prints.

        :raises ProbeError: it fails, or the machine cannot be reached.
        """
        done = self.run(*argv)
        if done.status != 0:
            raise ProbeError(
                f"{argv[-1]} on {self.address}",
                f"{argv[0]}: {done.complaint}",
                "check the path in the environment file; where only root may look, append"
                " ?sudo=true to the machine's address",
            )
        return done.out

    def read(self, path: str) -> str:
        """A text file.

        :raises ProbeError: it cannot be read.
        """
        return self.answer("cat", "--", path)

    def altered_at(self, path: str) -> datetime:
        """When a file was last changed, by that machine's clock, in whole seconds: its content,
        its place or its rights, or the link that stands there. Unlike the time of modification,
        nobody can set it.

        :raises ProbeError: it cannot be looked at.
        """
        seconds = [self.answer("stat", *how, "-c", "%Z", "--", path) for how in (["-L"], [])]
        return datetime.fromtimestamp(max(map(int, seconds)), UTC)

    def now(self) -> datetime:
        """The machine's own clock, in whole seconds."""
        return datetime.fromtimestamp(int(self.answer("date", "+%s")), UTC)

    def disk_free_percent(self, path: str) -> float:
        """Free share of the file system that holds ``path``, as an ordinary user may use it.

        :raises ProbeError: the path cannot be looked at.
        """
        table = self.answer("df", "-P", "-k", "--", path)
        # The device's and the mount's name may hold blanks, so the figures are looked for.
        found = re.search(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s", table)
        used, free = (int(found[2]), int(found[3])) if found else (0, 0)
        if not used + free:
            raise ProbeError(
                f"disk space of {path} on {self.address}",
                f"df answered {table.strip()!r}",
                "run df -P -k there by hand",
            )
        return 100.0 * free / (used + free)
