"""What the rehearsal's people state where the role's holder alone does not do: one module a block.

An item that no module names is stated by the holders of the roles that have to. One that needs
more (everybody in person, answers in a certain form) has a function:

    @states("D-5.3.2")
    def everybody_accepts(r: Rehearsal) -> list[Entry]:
        return [entry("devops_lead"), ...]
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people

Entry = dict[str, Any]
"""Fields: those of golive's Entry; all may be absent."""
Says = Callable[[Rehearsal], list[Entry]]

_says: dict[str, Says] = {}


def states(item: str) -> Callable[[Says], Says]:
    """Decorator: the function that tells the entries of an item."""

    def register(says: Says) -> Says:
        assert item not in _says, f"{item} has two scripts"
        _says[item] = says
        return says

    return register


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def entries(r: Rehearsal) -> dict[str, list[Entry]]:
    """The entries of every item that a module of this package names."""
    _load()
    return {item: says(r) for item, says in _says.items()}


def entry(role: str, **fields: Any) -> Entry:
    """What the holder of a role states."""
    return {"role": role, "by": people.holder(role).id, **fields}


def everybody(**fields: object) -> list[Entry]:
    """One entry for each holder and backup of a role that owns items."""
    team: list[Entry] = []
    for person in people.PEOPLE:
        roles = [r for r in (*person.roles, *person.backs_up) if r in people.ROLES]
        if roles:
            team.append({"by": person.id, "role": roles[0], **fields})
    return team


def holders(**fields: object) -> list[Entry]:
    """One entry for each holder of a role that owns items."""
    return [{"by": people.holder(r).id, "role": r, **fields} for r in people.ROLES]


def without(entries: list[Entry], person: str) -> list[Entry]:
    """The entries of everybody else."""
    return [e for e in entries if e["by"] != person]
