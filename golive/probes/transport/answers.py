"""What was found of each of several things that papers name.

Each stands for itself: what cannot be looked at for one paper hides nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from golive.environments import Environment
from golive.papers import Kind, Paper, Papers
from golive.probes.transport.rest import each
from golive.verdicts import Pending, ProbeError

K = TypeVar("K", bound=Kind)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What was found of each, or why it could not be looked at, by what papers call it."""

    found: dict[str, T]
    failed: dict[str, ProbeError]

    def of(self, wanted: Iterable[str]) -> dict[str, T]:
        """What was found of these, in the order given and each once.

        :raises ProbeError: one of them could not be looked at; names every such one.
        """
        names = list(dict.fromkeys(wanted))
        failed = [self.failed.get(n) or _unnamed(n) for n in names if n not in self.found]
        raise_all(failed)
        return {n: self.found[n] for n in names}


def answers(names: Iterable[str], look: Callable[[str], T]) -> Answers[T]:
    """What ``look`` says of each, a few at a time."""

    def one(name: str) -> T | ProbeError:
        try:
            return look(name)
        except ProbeError as e:
            return e

    said = each(dict.fromkeys(names), one)
    return Answers(
        {n: a for n, a in said.items() if not isinstance(a, ProbeError)},
        {n: a for n, a in said.items() if isinstance(a, ProbeError)},
    )


def raise_all(failed: list[ProbeError]) -> None:
    """One error of them all; nothing where there is none.

    :raises ProbeError: there is at least one.
    """
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ProbeError(
            f"{len(failed)} addresses",
            "; ".join(f"{one.subject}: {one.cause}" for one in failed),
            failed[0].next_step,
        )


def _unnamed(name: str) -> ProbeError:
    return ProbeError(name, "no paper named it when this run looked", "run it again")


def paper(env: Environment, kind: type[K]) -> K:
    """What a paper says whose addresses a probe looks up.

    :raises ProbeError: it cannot be read, or is still to be written.
    """
    try:
        return Papers(Path(env.people.papers)).read(kind).data
    except Pending as e:
        raise ProbeError(f"the paper {kind.file}", e, "write it first") from None


def papers_there(env: Environment, kind: type[K]) -> list[Paper[K]]:
    """The papers of a kind that can be read as such now. Of the others there is nothing to look
    up: whoever judges one reads it by its name, and gets it then.

    :raises ProbeError: the folder cannot be read.
    """
    shelf, found = Papers(Path(env.people.papers)), []
    for name in shelf.names(kind):
        with suppress(Pending, ProbeError):
            found.append(shelf.read(kind, name))
    return found
