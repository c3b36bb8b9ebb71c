"""What the rehearsal's people state where the role's holder alone does not do: one module a block.

@states("D-5.3.2")
def accepts(r: Rehearsal) -> list[Entry]: ...
"""

from __future__ import annotations

from rehearsal.staff import people
from rehearsal.staff.scripts import Entry


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
