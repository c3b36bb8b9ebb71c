"""What a part of the rehearsal is.

A part is one process (``Part``) or one piece of work between processes (``Job``). The supervisor
starts parts side by side as soon as all they need is ready. A module below this package
exports ``PARTS``, a tuple of instances; ``rehearsal.kernel.inventory`` lists the modules.

    class Receiver(Part):
        name = "receiver"
        title = "on-call inbox"

        def command(self, r: Rehearsal) -> list[str]:
            return [sys.executable, "-m", __name__, str(r.port("receiver"))]

        def ready(self, r: Rehearsal) -> bool:
            return answers(r.port("receiver"))

``prepare``, ``command``, ``environment``, ``ready`` and ``after`` run in the supervisor, in a
thread of their own, again at every restart: they read settings with ``r.setting(...)`` so that
a fault can change one with ``r.override(...)`` and restart or reload the part.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel import binaries

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal


NEEDED_BY_ALL = frozenset({"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH"})
"""Variables that a program cannot do without, whatever it is configured with."""
Endpoints = dict[str, dict[str, Any]]
"""Tables of an environment file, as far as one part fills them in."""


@dataclass(frozen=True)
class Child:
    """A process to be owned by the supervisor."""

    name: str
    argv: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    loads: tuple[str, ...] = ()
    """Modules that a Python process of this project is forked with, see
    ``rehearsal.kernel.process_pool``."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 1.5
    death_signal: signal.Signals = signal.SIGKILL
    unprivileged: bool = False
    own_environment: bool = False
    """Whether it gets nothing of the environment of whoever started the rehearsal but what every
    program needs."""

    def variables(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """All of its environment."""
        kept = inherited
        if self.own_environment:
            kept = {name: value for name, value in inherited.items() if name in NEEDED_BY_ALL}
        return {**kept, **self.environment}

    def words(self) -> list[str]:
        """The command to run: as an ordinary user where root is refused, and ended by the kernel
        together with who started it. The namespace comes first, as changing the user clears the
        death signal."""
        words = binaries.unprivileged() if self.unprivileged else []
        if sys.platform == "linux" and shutil.which("setpriv"):
            words += ["setpriv", "--pdeathsig", self.death_signal.name.removeprefix("SIG"), "--"]
        return [*words, *self.argv]


class Part:
    """One process of the rehearsal. Subclasses set the attributes and override the methods."""

    name: str
    title: str = ""
    needs: tuple[str, ...] = ()
    binary: str | None = None
    """Name in ``rehearsal.kernel.binaries``; None where the part is Python of this project."""
    port_names: tuple[str, ...] | None = None
    """Ports shown in the progress and checked before the start; by default the part's name."""
    ready_within_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 1.5
    reload_signal: signal.Signals = signal.SIGHUP
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor dies; a gentler one where a master process
    has to take its workers along (nginx, haproxy: SIGTERM)."""
    unprivileged: bool = False
    """Whether the program refuses to run as root."""
    loads: tuple[str, ...] = ()
    """Modules that take long to load. Parts with the same ones are forked from one process."""
    own_environment: bool = False
    """As of `Child`."""

    def prepare(self, r: Rehearsal) -> None:
        """Write configuration and data. Runs before every start, so it must be repeatable."""

    def command(self, r: Rehearsal) -> list[str]:
        """The program in the foreground; argv[0] is a path."""
        raise NotImplementedError

    def environment(self, r: Rehearsal) -> dict[str, str]:
        """Variables on top of the supervisor's own."""
        return {}

    def ready(self, r: Rehearsal) -> bool:
        """Whether it serves. An exception means not yet; RehearsalError means never."""
        return all(answers(r.port(name)) for name in self.ports)

    def after(self, r: Rehearsal) -> None:
        """Work to do once it is ready and before whatever needs it starts."""

    def endpoints(self, r: Rehearsal) -> Endpoints:
        """What it tells others of itself, see ``rehearsal.endpoints``."""
        return {}

    @property
    def ports(self) -> tuple[str, ...]:
        return (self.name,) if self.port_names is None else self.port_names

    def child(self, r: Rehearsal) -> Child:
        return Child(
            name=self.name,
            argv=self.command(r),
            log=r.log(self.name),
            environment=self.environment(r),
            loads=self.loads,
            stop_signal=self.stop_signal,
            stop_within_s=self.stop_within_s,
            death_signal=self.death_signal,
            unprivileged=self.unprivileged,
            own_environment=self.own_environment,
        )


class Job(Part):
    """Work that ends by itself during ``up`` (a backup, a bucket, a burst of requests)."""

    port_names = ()

    def run(self, r: Rehearsal) -> None:
        raise NotImplementedError

    def ready(self, r: Rehearsal) -> bool:
        return True


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on the port."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
