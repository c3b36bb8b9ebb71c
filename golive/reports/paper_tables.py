"""Tables of deliverables that show what papers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from golive.papers.aftermath import SupportShift
from golive.papers.kinds import RoleTable
from golive.reports.documents import Table


def role_table(paper: RoleTable) -> Table:
    """Who holds each role, and who stands in."""
    return Table(
        title="The role table",
        columns=["role", "primary", "backup"],
        rows=[[s.role, s.primary, s.backup] for s in paper.shifts],
    )


def rollback_room(minutes_left: Mapping[str, float]) -> Table:
    """What each phase leaves of launch day."""
    return Table(
        title="Room for a rollback",
        columns=["phase", "minutes left"],
        rows=[[phase, minutes] for phase, minutes in minutes_left.items()],
    )


def support_shifts(shifts: Iterable[SupportShift]) -> Table:
    """Who answers customers on launch day, from when until when."""
    return Table(
        title="Support on launch day",
        columns=["from", "until", "who"],
        rows=[
            [f"{s.starts:%F %H:%M %z}", f"{s.ends:%F %H:%M %z}", ", ".join(s.agents)]
            for s in shifts
        ],
    )
