"""Day -8: training and hours of support, on literal papers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.deliverables import documents_of
from golive.papers import aftermath
from golive.reports.documents import read_document
from tests.suites.attested import Context, Shelf, days, judge
from tests.suites.derived import World, shifts


def test_support_covers_the_hours_of_launch_day(world: World) -> None:
    world.in_order("D-8.D.3")
    assert world.broken("D-8.D.3") == ""
    document = read_document(documents_of(world.context)["D-8.D.3"])
    figures = {f.name: f.value for f in document.figures}
    assert figures["owner of support"] == "support_lead"
    assert figures["time to an answer, at most"] == 1
    noon = datetime(2026, 12, 7, 17, tzinfo=UTC)
    early = (noon - timedelta(hours=6), noon)
    late = (noon + timedelta(minutes=1), noon + timedelta(hours=5))
    for bare in ((early,), (late,), (early, late)):
        world.write(shifts(*bare))
        assert world.broken("D-8.D.3") == "hours of 2026-12-07 without support"


SHIFTS = [
    aftermath.SupportShift(
        starts=datetime(2026, 12, 7, 6, tzinfo=UTC) + timedelta(n),
        ends=datetime(2026, 12, 7, 22, tzinfo=UTC) + timedelta(n),
        agents=["mina"],
    )
    for n in range(8)
]


def trained(agent: str, ago: int = 6, percent: float = 80) -> aftermath.Score:
    return aftermath.Score(agent=agent, finished_on=days(-ago), percent=percent)


BOTH = [trained("amy"), trained("mina")]


@pytest.mark.parametrize(
    ("version", "scores", "shifts", "broken"),
    [
        ("v2.0.0", BOTH, SHIFTS, ""),
        ("v1.9.0", BOTH, SHIFTS, "the version trained on"),
        ("v2.0.0", BOTH[:1], SHIFTS, "people who finished the training"),
        ("v2.0.0", [*BOTH, trained("paul")], SHIFTS, "people who finished the training"),
        ("v2.0.0", [BOTH[0], trained("mina", 30)], SHIFTS, ""),
        ("v2.0.0", [BOTH[0], trained("mina", 31)], SHIFTS, "trained over 30 days ago, or not yet"),
        ("v2.0.0", [BOTH[0], trained("mina", -1)], SHIFTS, "trained over 30 days ago, or not yet"),
        ("v2.0.0", [BOTH[0], trained("mina", percent=79)], SHIFTS, "score in the test"),
        ("v2.0.0", BOTH, SHIFTS[:7], "days with a shift"),
        (
            "v2.0.0",
            BOTH,
            [*SHIFTS[:7], changed(SHIFTS[7], agents=["paul"])],
            "shifts without a trained agent",
        ),
    ],
)
def test_support_is_trained(version: str, scores: Any, shifts: Any, broken: str) -> None:
    shelf = Shelf(
        aftermath.TrainingScores(version=version, scores=scores),
        aftermath.SupportShifts(shifts=shifts),
    )
    assert judge("D-8.3.5", papers=shelf) == broken


def test_one_support_agent_is_not_enough() -> None:
    context = Context(audience=lambda _: ["amy"])
    shelf = Shelf(
        aftermath.TrainingScores(version="v2.0.0", scores=BOTH[:1]),
        aftermath.SupportShifts(shifts=SHIFTS),
    )
    assert judge("D-8.3.5", papers=shelf, context=context) == "support agents on the roster"
