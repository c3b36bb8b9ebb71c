"""Tables of deliverables that show what papers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from golive.papers.aftermath import SupportShift
from golive.papers.kinds import RiskRegister, RoleTable
from golive.papers.messages import PlannedMessage
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


def planned_messages(messages: Iterable[PlannedMessage]) -> Table:
    """Whose each message is, when it leaves and to how many."""
    return Table(
        title="Planned messages",
        columns=["message", "owner", "leaves", "to"],
        rows=[[m.id, m.owner, f"{m.send_at:%F %H:%M %z}", m.recipients] for m in messages],
    )


def briefed(reported: Mapping[str, str]) -> Table:
    """Who was briefed, and when and with whom."""
    return Table(
        title="Who was briefed",
        columns=["person", "when and with whom"],
        rows=[[person, reported[person]] for person in sorted(reported)],
    )


def risk_scores(first: RiskRegister | None, now: RiskRegister) -> Table:
    """Every risk with its score in the register of Day -5, if there is one, and now, and why it is
    over."""
    then, today = first.scores if first else {}, now.scores
    return Table(
        title="Scores on day -5 and now",
        columns=["risk", "on day -5", "now", "why it is over"],
        rows=[
            [i, then.get(i, "not there"), today.get(i, "over"), now.closed.get(i, "")]
            for i in sorted({*then, *today})
        ],
    )
