"""Attested items of the launch's evening and the day after, on literal papers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import launch
from golive.papers import aftermath
from golive.people.roster import Person, Roster
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.verdicts import Pending
from tests.checks import broken
from tests.golive.test_findings import issue, issues

SUITES = Path(__file__).parents[2] / "suites"
LIMITS = launch.load(SUITES / "launch.toml").limits
TODAY = date(2026, 12, 7)
AT = datetime(2026, 12, 7, 16, tzinfo=UTC)
ROLES = ("a", "b", "c", "d", "e")
PEOPLE = {p: Person(id=p, name=p, email="", phone="", roles=[f"role_{p}"]) for p in ROLES}


def context(roles: tuple[str, ...] = ROLES) -> Any:
    return SimpleNamespace(
        today=TODAY,
        owner_roles=[f"role_{r}" for r in roles],
        roster=Roster(Path("roster.toml"), PEOPLE, {}, ()),
    )


def judge(ident: str, **facts: Any) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    return broken(ident, facts)


def lesson(about: str, **changes: Any) -> aftermath.Lesson:
    known = aftermath.Lesson(about=about, lesson="l", cause="c", action="a", owner="a", issue=100)
    return changed(known, **changes)


FOUR = [lesson(f"phase_{n}") for n in (1, 2, 3, 4)]
GRAVE = issue(17, labels=("launch",), severity="high", milestone="")


@pytest.mark.parametrize(
    ("lessons", "more", "broken"),
    [
        (FOUR, [], ""),
        (FOUR[:3], [], "phases and grave issues without a lesson"),
        (FOUR, [GRAVE], "phases and grave issues without a lesson"),
        ([*FOUR, lesson("#17")], [GRAVE], ""),
        (FOUR, [issue(17, labels=("launch",), severity="medium", milestone="")], ""),
        (
            FOUR,
            [issue(17, labels=("launch",), severity="critical", fields={"Drill": "yes"})],
            "",
        ),
        ([*FOUR[:3], lesson("phase_4", cause=" ")], [], "lessons without cause or action"),
        ([*FOUR[:3], lesson("phase_4", action="")], [], "lessons without cause or action"),
        (
            [*FOUR[:3], lesson("phase_4", owner="x")],
            [],
            "lessons without an owner on the roster",
        ),
        ([*FOUR[:3], lesson("phase_4", issue=4711)], [], "lessons whose issue does not exist"),
    ],
)
def test_lessons_of_every_phase_and_grave_issue(
    lessons: list[aftermath.Lesson], more: list[Any], broken: str
) -> None:
    paper = SimpleNamespace(data=aftermath.LessonsLearned(written_on=TODAY, lessons=lessons))
    shelf = SimpleNamespace(read=lambda _: paper)
    facts = {"papers": shelf, "issues": issues(*more), "context": context()}
    assert judge("T0-1600.2.3", **facts) == broken


def test_lessons_are_written_on_the_day() -> None:
    paper = aftermath.LessonsLearned(written_on=date(2026, 12, 6), lessons=FOUR)
    shelf = SimpleNamespace(read=lambda _: SimpleNamespace(data=paper))
    facts = {"papers": shelf, "issues": issues(), "context": context()}
    assert judge("T0-1600.2.3", **facts) == "the day they were written"


def feedback(person: str, **changes: Any) -> aftermath.Feedback:
    known = aftermath.Feedback(
        person=person,
        role=f"role_{person}",
        given_at=AT,
        went_well=f"all of {person}",
        to_change="nothing",
    )
    return changed(known, **changes)


class Said:
    """Stands for statements: who signed the paper of whom."""

    def __init__(self, signed: dict[str, str]) -> None:
        self.signed = signed

    def of(self, person: str) -> Any:
        if person not in self.signed:
            return None
        evidence = [SimpleNamespace(sha256=self.signed[person])]
        return SimpleNamespace(statement=SimpleNamespace(evidence=evidence))

    def by_everyone(self, people: list[str], _: str) -> bool:
        if set(people) - set(self.signed):
            raise Pending("somebody has not")
        return True


ALL = [feedback(p) for p in ROLES]
OWN = {p: f"digest of {p}" for p in ROLES}
HIGH = aftermath.Concern(text="slow", grade="high")


def judge_feedback(
    papers: list[aftermath.Feedback],
    signed: dict[str, str],
    roles: tuple[str, ...] = ROLES,
) -> str:
    found = [SimpleNamespace(data=f, sha256=f"digest of {f.person}") for f in papers]
    return judge(
        "T0-1600.2.4",
        papers=SimpleNamespace(all_of=lambda _: found),
        vouched=Said(signed),
        issues=issues(),
        context=context(roles),
        limits=LIMITS,
    )


@pytest.mark.parametrize(
    ("papers", "broken"),
    [
        (ALL, ""),
        (ALL[:4], "people who gave feedback"),
        ([*ALL[:4], feedback("x")], "people who gave feedback"),
        (
            [*ALL[:4], feedback("e", went_well=" ", to_change="")],
            "feedback that is empty or another's",
        ),
        ([*ALL[:4], feedback("e", went_well="All  of D")], "feedback that is empty or another's"),
        ([*ALL[:4], feedback("e", concerns=[HIGH])], "high concerns without an issue"),
        (
            [*ALL[:4], feedback("e", concerns=[changed(HIGH, issue=4711)])],
            "high concerns without an issue",
        ),
        ([*ALL[:4], feedback("e", concerns=[changed(HIGH, issue=100)])], ""),
        ([*ALL[:4], feedback("e", concerns=[changed(HIGH, grade="medium")])], ""),
    ],
)
def test_everybody_gives_feedback(papers: list[aftermath.Feedback], broken: str) -> None:
    assert judge_feedback(papers, OWN) == broken


def test_feedback_of_four_people_is_too_little() -> None:
    assert judge_feedback(ALL[:4], OWN, ROLES[:4]) == "people who have to give feedback"


def test_nobody_signs_the_feedback_of_another() -> None:
    broken = judge_feedback(ALL, OWN | {"e": "digest of d"})
    assert broken == "people who signed something else than their feedback"


def test_feedback_that_nobody_signed_is_waited_for() -> None:
    with pytest.raises(Pending):
        judge_feedback(ALL, {p: s for p, s in OWN.items() if p != "e"})


def finding(area: Any, *sources: str) -> aftermath.MarketFinding:
    return aftermath.MarketFinding(area=area, finding="f", sources=list(sources))


MARKET = [finding(a, f"https://{a}.example") for a in ("press", "social", "reviews", "competitors")]


@pytest.mark.parametrize(
    ("findings", "status", "broken"),
    [
        (MARKET, 200, ""),
        (MARKET[:3], 200, "parts of the market"),
        ([*MARKET[:3], finding("competitors")], 200, "findings without a source"),
        (MARKET, 404, "sources that are not there"),
    ],
)
def test_the_market_was_evaluated(findings: list[Any], status: int, broken: str) -> None:
    urls = [url for f in findings for url in f.sources]
    sources = Answers({u: Link(u, 200 if n else status, u) for n, u in enumerate(urls)}, {})
    paper = aftermath.MarketResponse(evaluated_at=AT, visits=1, reviews=0, findings=findings)
    shelf = SimpleNamespace(read=lambda _: SimpleNamespace(data=paper))
    assert judge("D+1.3.5", papers=shelf, market_sources=sources) == broken
