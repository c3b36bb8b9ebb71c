"""Faults: named, reversible ways to break one thing in the rehearsal.

A module below this package holds the faults of one area, about five lines each:

    TOUCHES = ["postgres/standby"]

    @fault("pause-wal-replay", expect_fail=["D-14.1.1"], title="WAL replay is paused")
    def pause_wal_replay(r: Rehearsal) -> None:
        r.standby.sql("select pg_wal_replay_pause()")

    @pause_wal_replay.revert
    def resume_wal_replay(r: Rehearsal) -> None:
        r.standby.sql("select pg_wal_replay_resume()")

``touches`` says what it changes, so that the campaign knows what can be broken at once and what
has to be looked at again: a part, or something of it after a slash (``postgres/refunds``,
``messages/levels``), else ``papers/FILE``, ``documents/KIND``, ``statements/ITEM``,
``roster/PERSON``, ``keys/PERSON``. A module's ``TOUCHES`` holds for those of its faults that say
nothing else.

``expect_fail`` names what the fault was written for. What else goes red with it stands in
``recorded.toml``, which ``python -m tests.campaign --record`` writes.

What reverting needs to know is kept with ``r.remember`` and read with ``r.recall``, so that
another process can revert. Which faults are in force stands in the folder's state.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal

Step = Callable[[Rehearsal], None]
Settled = Callable[[Rehearsal], bool]


@dataclass
class Fault:
    """One fault.

    ``expect_fail`` names the items that it was written for, ``touches`` what it changes;
    ``settled`` is waited for after breaking, ``reverted`` after reverting, each at most
    ``within_s`` seconds. ``waits_for`` names items without whose check those are red anyway, so
    that nothing but their message tells of the fault.
    """

    name: str
    title: str
    expect_fail: tuple[str, ...]
    touches: tuple[str, ...]
    area: str
    breaks: Step
    settled: Settled | None = None
    within_s: float = 30.0
    restores: Step | None = None
    reverted: Settled | None = None
    waits_for: tuple[str, ...] = ()

    def __call__(self, r: Rehearsal) -> None:
        self.breaks(r)

    def revert(self, step: Step) -> Step:
        """Decorator: the function that puts back what the fault broke."""
        self.restores = step
        return step

    @property
    def all_red(self) -> tuple[str, ...]:
        """Every item that goes red: those that it was written for, then those recorded of it."""
        return tuple(dict.fromkeys((*self.expect_fail, *recorded().get(self.name, ()))))


RECORDED = Path(__file__).parent / "recorded.toml"
UNSEEN = "unseen"
"""The table of what is only believed, since no campaign has recorded it yet."""
_registry: dict[str, Fault] = {}


def fault(
    name: str,
    *,
    expect_fail: Sequence[str],
    title: str,
    touches: Sequence[str] = (),
    settled: Settled | None = None,
    reverted: Settled | None = None,
    within_s: float = 30.0,
    waits_for: Sequence[str] = (),
) -> Callable[[Step], Fault]:
    """Decorator: register the function as the fault of that name.

    Raises RehearsalError at import when the name is taken, or when it names no item or nothing
    that it touches.
    """

    def register(step: Step) -> Fault:
        if name in _registry:
            raise RehearsalError(f"The fault {name!r} is defined twice.")
        if not expect_fail:
            raise RehearsalError(f"The fault {name!r} names no item that it reddens.")
        touched = touches or step.__globals__.get("TOUCHES", ())
        if not touched:
            raise RehearsalError(f"The fault {name!r} names nothing that it touches.")
        area = step.__module__.rpartition(".")[2]
        made = Fault(
            name,
            title,
            tuple(expect_fail),
            tuple(touched),
            area,
            step,
            settled,
            within_s,
            None,
            reverted,
            tuple(waits_for),
        )
        _registry[name] = made
        return made

    return register


@cache
def _written() -> dict[str, Any]:
    return tomllib.loads(RECORDED.read_text(encoding="utf-8"))


@cache
def recorded() -> dict[str, tuple[str, ...]]:
    """What goes red beside the items that a fault was written for, by the fault's name: as a
    campaign has seen it, or else as it is believed to be."""
    found = _written()
    believed = found.get(UNSEEN, {})
    return {name: tuple(i) for name, i in {**believed, **found}.items() if name != UNSEEN}


def seen() -> frozenset[str]:
    """The faults of which a campaign has recorded all that goes red with them."""
    return frozenset(_written()) - {UNSEEN}


@cache
def _load() -> None:
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    for one in _registry.values():
        if one.restores is None:
            raise RehearsalError(f"The fault {one.name!r} has no @{one.name}.revert function.")


def all_faults() -> dict[str, Fault]:
    """Every fault by name, in order of area and definition, but those that wait."""
    return {name: one for name, one in _known().items() if not one.waits_for}


def waiting() -> dict[str, Fault]:
    """The faults of items that are red without them, since what those rest on has no check."""
    return {name: one for name, one in _known().items() if one.waits_for}


def _known() -> dict[str, Fault]:
    _load()
    return dict(sorted(_registry.items(), key=lambda pair: pair[1].area))


def get(name: str) -> Fault:
    """The fault of that name. Raises RehearsalError, with near names, where there is none."""
    faults = _known()
    if name not in faults:
        near = difflib.get_close_matches(name, faults, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise RehearsalError(
            f"There is no fault {name!r}.{hint} `python -m rehearsal faults` lists all."
        )
    return faults[name]


def in_force(r: Rehearsal) -> dict[str, float]:
    """Names of the faults applied and not yet reverted, with the time (Unix seconds) of each."""
    return dict(r._read("faults"))


def inject(r: Rehearsal, name: str) -> None:
    """Break it and wait until the break shows.

    Raises RehearsalError when the fault is in force already, or does not show in time. One that
    failed half-way counts as in force, so that it can be reverted.
    """
    one = get(name)
    with r._change("faults") as state:
        if name in state:
            raise RehearsalError(
                f"The fault {name!r} is in force already; `python -m rehearsal revert {name}` "
                "takes it back."
            )
        # Recorded first: a process killed in the middle leaves a fault that can be reverted.
        state[name] = time.time()
    one.breaks(r)
    if one.settled is not None:
        settled = one.settled
        r.wait(f"the fault {name} shows", lambda: settled(r), one.within_s, 0.1)


def revert(r: Rehearsal, name: str) -> None:
    """Put back what the fault broke and wait until it is reverted.

    Raises RehearsalError when the fault is not in force.
    """
    one = get(name)
    if name not in in_force(r):
        raise RehearsalError(f"The fault {name!r} is not in force, so there is nothing to revert.")
    assert one.restores is not None
    one.restores(r)
    if one.reverted is not None:
        reverted = one.reverted
        r.wait(f"the fault {name} is reverted", lambda: reverted(r), one.within_s, 0.1)
    with r._change("faults") as state:
        state.pop(name, None)


def revert_all(r: Rehearsal) -> list[str]:
    """Revert every fault in force, newest first; their names."""
    names = sorted(in_force(r), key=in_force(r).__getitem__, reverse=True)
    for name in names:
        revert(r, name)
    return names
