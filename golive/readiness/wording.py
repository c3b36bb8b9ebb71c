"""What lies here in the words and types of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from golive import ledger
from golive.answer import (
    Said,
)
from golive.context import Context
from golive.masking import clean
from golive.people.statements import Signed
from golive.procedure import Item

_SHOWN = 6
TEXT_KEPT = 600
"""Characters of a message that an answer keeps; the run has all of it."""
CLOCKS_DIFFER = timedelta(minutes=5)


def as_said(signed: Signed, context: Context) -> Said:
    """A statement as answers carry it."""
    s = signed.statement
    person = context.roster.people.get(s.by)
    return Said(
        id=signed.id,
        kind=s.kind if s.kind != "approve" else str(s.data.get("decision", "?")),
        by=person.name if person else s.by,
        role=s.role,
        text=s.text[:TEXT_KEPT],
        risk=s.risk[:TEXT_KEPT],
        made_at=s.made_at,
        expires_at=s.expires_at,
        cause=signed.cause,
        is_superseded=signed.is_superseded,
        evidence=[e.name for e in s.evidence if e.sha256],
        links=[e.url for e in s.evidence if e.url],
    )


def as_line(item: Item) -> ledger.Line:
    """An item of the procedure as runs and answers carry it."""
    return ledger.Line(
        id=item.id,
        title=item.title,
        owner=item.owner,
        block=item.block,
        block_title=item.block_title,
        phase=item.phase,
        task=item.task,
        time=item.time,
        minutes=item.minutes,
        area=item.area,
        way=item.way,
        effect=item.effect,
        order=item.order,
    )


def plain(text: str, context: Context) -> str:
    """Text about what lies here, without where the folders are on this machine.

    What a run has recorded stays as it is: the same answer has to follow from it anywhere.
    """
    for folder, name in ((context.papers, "papers"), (context.reports, "reports")):
        text = text.replace(str(folder), name)
    return text.replace(f"{context.root}/", "")


def listed(ids: Sequence[str]) -> str:
    """How many, and the first of them."""
    shown = ", ".join(ids[:_SHOWN])
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)}: {shown}{more}"


def reported(found: Mapping[str, str], context: Context) -> list[str]:
    """What was found wrong, by name with the reason, one line each."""
    return [f"{clean(name)} ({plain(why, context)})" for name, why in sorted(found.items())]
