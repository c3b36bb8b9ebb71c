"""The procedure: every item with its block, task, owner and times, as procedure.toml has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from golive.decoding import convert
from golive.toml import read_toml
from golive.verdicts import GoliveError

SCHEMA = 1


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    title: str
    area: str
    way: str
    effect: str


class _Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    kind: str
    items: list[_Item]
    time: str = ""
    minutes: int | None = None


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mark: str
    phase: str
    chapter: str
    title: str
    owner: str
    due: int
    task: list[_Task]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    block: list[_Block]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the procedure.

    ``minutes`` is what the procedure plans for the item's whole task; None where it says
    nothing. ``due_day`` counts days from the launch date.
    """

    id: str
    title: str
    owner: str
    block: str
    block_title: str
    phase: str
    chapter: str
    task: str
    kind: str
    time: str
    minutes: int | None
    area: str
    way: str
    effect: str
    due_day: int
    order: int

    @property
    def owner_mark(self) -> str:
        """The owner as a mark: ``database_administrator``; empty where nobody is named."""
        return _mark(self.owner)


@lru_cache(maxsize=256)
def _mark(owner: str) -> str:
    """Asked of every item whenever one of them is judged by its owner."""
    return owner.lower().replace("-", "_").replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Procedure:
    """All items by id, in the procedure's order."""

    source: Path
    items: dict[str, Item]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items.values())

    def under(self, prefix: str) -> list[Item]:
        """The item of that id, or all items whose ids continue it.

        :raises GoliveError: there is none.
        """
        found = [i for i in self if i.id == prefix or i.id.startswith(prefix + ".")]
        if not found:
            near = [i.id for i in self if i.id.startswith(prefix[:4])][:3]
            hint = f", e.g. {', '.join(near)}" if near else ""
            raise GoliveError(f"{self.source}: found no item {prefix!r}; expected an id{hint}")
        return found


def load(path: Path) -> Procedure:
    """Read a procedure.

    :raises GoliveError: it is not one; names the file, the key, what was found and expected.
    """
    try:
        file = convert(read_toml(path), _File)
    except msgspec.ValidationError as e:
        raise GoliveError(f"{path}: {e}") from None
    if file.schema != SCHEMA:
        raise GoliveError(f"{path}: schema: found {file.schema}; expected {SCHEMA}")
    items: dict[str, Item] = {}
    for block in file.block:
        for task in block.task:
            for i in task.items:
                if i.id in items:
                    raise GoliveError(f"{path}: id: found {i.id!r} twice; expected it once")
                items[i.id] = Item(
                    id=i.id,
                    title=i.title,
                    owner=block.owner,
                    block=block.mark,
                    block_title=block.title,
                    phase=block.phase,
                    chapter=block.chapter,
                    task=task.title,
                    kind=task.kind,
                    time=task.time,
                    minutes=task.minutes,
                    area=i.area,
                    way=i.way,
                    effect=i.effect,
                    due_day=block.due,
                    order=len(items),
                )
    if not items:
        raise GoliveError(f"{path}: block: found no item; expected at least one")
    return Procedure(path, items)
