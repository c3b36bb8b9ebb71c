"""Ports of a rehearsal: chosen free, below the ephemeral range, and remembered.

Every rehearsal owns a block of 100 ports. The supervisor's own listener takes the first one,
so two rehearsals never share a block; within it a port is taken only when nothing listens.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import zlib
from collections.abc import Mapping
from pathlib import Path

from rehearsal.kernel.errors import RehearsalError

FIRST = 20_000
BLOCK = 100
BLOCKS = 120  # up to 31999: from 32768 on the kernel hands ports out itself


def free(port: int) -> bool:
    """Whether a listener could be opened on the port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port(folder: Path, name: str) -> int:
    """The port of that name in the rehearsal of that folder, chosen at first use.

    Raises RehearsalError when the block is full.
    """
    with _State(folder) as state:
        if name in state.reported:
            return state.reported[name]
        if name not in state.ports:
            taken = set(state.ports.values())
            for candidate in range(state.block + 1, state.block + BLOCK):
                if candidate not in taken and free(candidate):
                    state.ports[name] = candidate
                    break
            else:
                raise RehearsalError(
                    f"No port is free between {state.block} and {state.block + BLOCK - 1} for "
                    f"{name}. Stop what listens there, or remove {folder} for another block."
                )
        return state.ports[name]


def tell(folder: Path, reported: Mapping[str, int]) -> None:
    """Fix ports by name; they are kept even when something else listens there."""
    with _State(folder) as state:
        state.reported.update(reported)


def claim(folder: Path) -> socket.socket:
    """Open the supervisor's listener, which reserves the folder's block of ports.

    Keeps the block of last time when it is still free, else moves to another one, and gives
    every remembered port that something else has taken a new number.
    """
    with _State(folder) as state:
        for step in range(BLOCKS):
            block = FIRST + (state.block - FIRST + step * BLOCK) % (BLOCKS * BLOCK)
            listener = _listen(block)
            if listener is None:
                continue
            if block != state.block:
                state.block, state.ports = block, {}
            state.ports = {name: one for name, one in state.ports.items() if free(one)}
            return listener
    raise RehearsalError(
        f"All {BLOCKS} blocks of ports from {FIRST} on are taken. Take rehearsals down that are "
        "not needed any more (`python -m rehearsal down`)."
    )


def control_port(folder: Path) -> int:
    """The supervisor's own port."""
    with _State(folder) as state:
        return state.block


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        return None
    listener.listen(64)
    return listener


class _State:
    """The folder's ports on disk, locked while looked at and written back when changed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "state" / "ports.json"
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "state" / "ports.lock").open("w")
        default = FIRST + zlib.crc32(os.fsencode(folder)) % BLOCKS * BLOCK
        self.block: int = default
        self.ports: dict[str, int] = {}
        self.reported: dict[str, int] = {}

    def __enter__(self) -> _State:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if self._file.exists():
            known = json.loads(self._file.read_text())
            self.block, self.ports, self.reported = known["block"], known["ports"], known["told"]
        self._before = self._text()
        return self

    def __exit__(self, *_: object) -> None:
        if self._text() != self._before or not self._file.exists():
            temporary = self._file.with_suffix(".new")
            temporary.write_text(self._text())
            temporary.replace(self._file)
        self._lock.close()

    def _text(self) -> str:
        known = {"block": self.block, "ports": self.ports, "told": self.reported}
        return json.dumps(known, indent=1)
