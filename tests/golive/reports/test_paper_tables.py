from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace as changed

from golive.papers.aftermath import SupportShift, SupportShifts
from golive.papers.kinds import Risk, RiskRegister, RoleTable, Shift
from golive.papers.messages import PlannedMessage
from golive.reports import paper_tables

OPENS = datetime(2026, 12, 7, 6, tzinfo=UTC)
CLOSES = OPENS + timedelta(hours=4)


def shifts(*hours: tuple[float, float], agents: list[str]) -> SupportShifts:
    """Shifts from and until these hours after opening."""
    return SupportShifts(
        shifts=[
            SupportShift(
                starts=OPENS + timedelta(hours=a), ends=OPENS + timedelta(hours=b), agents=agents
            )
            for a, b in hours
        ]
    )


def test_the_role_table_names_holder_and_backup() -> None:
    shift = Shift(role="qa_lead", primary="quinn", backup="tess", starts="06:00", ends="17:00")
    table = paper_tables.role_table(RoleTable(date=date(2026, 12, 7), shifts=[shift]))
    assert table.rows == [["qa_lead", "quinn", "tess"]]
    assert len(table.columns) == 3


def test_the_room_for_a_rollback_is_told_by_phase() -> None:
    assert paper_tables.rollback_room({"phase_1": 90.0}).rows == [["phase_1", 90.0]]


def test_a_support_shift_is_told_with_its_time_zone_and_everybody_on_it() -> None:
    paper = shifts((0, 4), agents=["amy", "mina"])
    assert paper_tables.support_shifts(paper.shifts).rows == [
        ["2026-12-07 06:00 +0000", "2026-12-07 10:00 +0000", "amy, mina"]
    ]


def test_shifts_of_a_span_are_those_of_which_some_part_is_in_it() -> None:
    found = shifts((-2, 0), (-1, 1), (1, 2), (3, 6), (4, 5), agents=["amy"]).during(OPENS, CLOSES)
    assert [(s.starts - OPENS).total_seconds() / 3600 for s in found] == [-1, 1, 3]


def test_times_of_a_span_without_anybody_are_told() -> None:
    assert shifts((-1, 2), (2, 5), agents=["amy"]).uncovered(OPENS, CLOSES) == []
    assert shifts((3, 5), (0, 1), agents=["amy"]).uncovered(OPENS, CLOSES) == ["07:00 to 09:00"]
    assert shifts((0, 1), agents=["amy"]).uncovered(OPENS, CLOSES) == ["07:00 to 10:00"]
    assert shifts((0, 4), agents=[]).uncovered(OPENS, CLOSES) == ["06:00 to 10:00"]
    assert shifts((5, 6), agents=["amy"]).uncovered(OPENS, CLOSES) == ["06:00 to 10:00"]


def test_planned_messages_leave_at_a_time_of_a_zone() -> None:
    message = PlannedMessage(
        id="M-1",
        channel="e-mail",
        owner="paul",
        send_at=OPENS,
        recipients=4,
        text="announcement.md",
        text_sha256="ab" * 32,
        no_go_text="another day",
    )
    rows = paper_tables.planned_messages([message]).rows
    assert rows == [["M-1", "paul", "2026-12-07 06:00 +0000", 4]]


def test_who_was_briefed_is_told_by_name() -> None:
    rows = paper_tables.briefed(
        {"tess": "2026-12-04, technical", "amy": "2026-12-03, support"}
    ).rows
    assert rows == [["amy", "2026-12-03, support"], ["tess", "2026-12-04, technical"]]


def test_a_risk_that_is_over_says_why() -> None:
    day = date(2026, 12, 1)
    risk = Risk(
        id="R-1",
        title="it breaks",
        area="db",
        likelihood="low",
        impact="high",
        score="high",
        owner="tess",
        mitigation="fix it",
        trigger="an alert",
        scored_on=day,
        review_on=day,
    )
    first = RiskRegister(changed_on=day, risks=[risk])
    new = changed(risk, id="R-2", score="low")
    now = RiskRegister(changed_on=day, risks=[new], closed={"R-1": "fixed"})
    rows = [["R-1", "high", "over", "fixed"], ["R-2", "not there", "low", ""]]
    assert paper_tables.risk_scores(first, now).rows == rows
    assert paper_tables.risk_scores(None, first).rows == [["R-1", "not there", "high", ""]]
