"""What is still to do, by whom and until when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta

from golive.answer import (
    UNWRITTEN,
    Remaining,
    Standing,
)
from golive.context import Context

_MINUTES_A_DAY = 8 * 60


def remaining(
    context: Context, standings: Sequence[Standing], today: date
) -> tuple[list[Remaining], date | None, str]:
    """What each owner still has to do by the procedure's plan, eight hours a day."""
    waiting = [s for s in standings if s.counts and s.is_open]
    if not waiting:
        return [], today, "nothing stands in the way"
    out = []
    for owner in dict.fromkeys(s.line.owner for s in waiting):
        own = [s for s in waiting if s.line.owner == owner]
        # The procedure plans tasks, so a task counts once however much of it is open.
        tasks = {(s.line.block, s.line.task): s.line.minutes or 0 for s in own}
        minutes = sum(tasks.values())
        days = max(1, math.ceil(minutes / _MINUTES_A_DAY))
        by_work = today + timedelta(days=days - 1)
        out.append(
            Remaining(
                owner=owner or "no owner",
                items=len(own),
                minutes=minutes,
                done_by=max([by_work, *(s.due for s in own)]),
            )
        )
    out.sort(key=lambda x: (x.done_by, x.minutes), reverse=True)
    last = out[0]
    unwritten = sum(s.state == UNWRITTEN for s in waiting)
    if unwritten:
        return out, None, f"{unwritten} items have no check yet, so no day can be named"
    few = "item" if last.items == 1 else "items"
    reason = f"{last.owner} has {last.items} {few} open"
    if last.minutes:
        reason += f", planned for {last.minutes / 60:.3g} h"
    if last.done_by > context.launch.date:
        reason += f"; the launch is on {context.launch.date:%Y-%m-%d}, so it has to move"
    return out, last.done_by, reason
