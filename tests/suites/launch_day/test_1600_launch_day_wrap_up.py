"""The wrap-up: feedback and lessons on literal papers; announcements on the rehearsal's own with
one thing changed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive import launch
from golive.papers import aftermath
from golive.people.roster import Person, Roster
from golive.probes.people import mail
from golive.verdicts import Pending, Verdict
from rehearsal.staff import papers
from tests.checks import broken
from tests.golive.test_findings import issue, issues
from tests.suites.derived import SUITES
from tests.suites.launch_day.announced import (
    BOTH,
    CUSTOMERS,
    EVERYBODY,
    LONG_AGO,
    NOON,
    STAKEHOLDERS,
    STAND_DOWN,
    Said,
    World,
    agreed,
    paper_with,
)

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


SERIOUS = issue(17, labels=("launch",), severity="high", milestone="")


@pytest.mark.parametrize(
    ("lessons", "more", "broken"),
    [
        (FOUR, [], ""),
        (FOUR[:3], [], "phases and critical or high issues without a lesson"),
        (FOUR, [SERIOUS], "phases and critical or high issues without a lesson"),
        ([*FOUR, lesson("#17")], [SERIOUS], ""),
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


def test_lessons_are_not_judged_by_a_tracker_that_hides_what_is_known() -> None:
    paper = SimpleNamespace(data=aftermath.LessonsLearned(written_on=TODAY, lessons=FOUR))
    shelf = SimpleNamespace(read=lambda _: paper)
    facts = {"papers": shelf, "issues": replace(issues(), canary=4711), "context": context()}
    assert judge("T0-1600.2.3", **facts) == "the known issue #4711"


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


class SignedPapers:
    """Stands for statements: who signed the paper of whom."""

    def __init__(self, signed: dict[str, str], signed_off: list[str]) -> None:
        self.signed = signed
        self.signed_off = signed_off

    def of(self, person: str) -> Any:
        if person not in self.signed:
            return None
        evidence = [SimpleNamespace(sha256=self.signed[person])]
        return SimpleNamespace(statement=SimpleNamespace(evidence=evidence))

    def in_role(self, role: str) -> Any:
        assert role == "product_manager"
        evidence = [SimpleNamespace(sha256=s) for s in self.signed_off]
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
    signed_off: str = "abcdex",
    cutover: datetime | None = AT,
) -> str:
    found = [
        SimpleNamespace(data=f, sha256=f"digest of {f.person}", name=f"feedback-{f.person}.md")
        for f in papers
    ]
    team = SimpleNamespace(data=SimpleNamespace(cutover_at=cutover))
    return judge(
        "T0-1600.2.4",
        papers=SimpleNamespace(all_of=lambda _: found, read=lambda *_: team),
        vouched=SignedPapers(signed, [f"digest of {p}" for p in signed_off]),
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


def test_feedback_is_given_after_the_cutover_and_signed_off_as_a_whole() -> None:
    later = AT + timedelta(seconds=1)
    assert judge_feedback(ALL, OWN, cutover=later) == "feedback from before the cutover"
    assert judge_feedback(ALL, OWN, cutover=None) == "time of the cutover"
    assert judge_feedback(ALL, OWN, signed_off="abce") == "feedback not signed off"


def test_nobody_signs_the_feedback_of_another() -> None:
    broken = judge_feedback(ALL, OWN | {"e": "digest of d"})
    assert broken == "people who signed something else than their feedback"


def test_feedback_that_nobody_signed_is_waited_for() -> None:
    with pytest.raises(Pending):
        judge_feedback(ALL, {p: s for p, s in OWN.items() if p != "e"})


def test_the_evaluation_is_signed_after_the_assessment(world: World) -> None:
    assert world.judge("T0-1600.1.5") == ""
    assert world.deliverables.before is not None


def reply(**changes: Any) -> mail.Reply:
    known = {
        "received_at": NOON - timedelta(days=1, hours=-9),
        "sender": "editor@example.com",
        "to": papers.PRESS_ADDRESS,
        "subject": "?",
        "text": "?",
    }
    return mail.Reply(**{**known, **changes})


@pytest.mark.parametrize(
    ("came", "broken"),
    [
        ([reply()], ""),  # at 21:00, as the log has it
        ([reply(received_at=NOON)], "enquiries not on record"),
        ([reply(), reply()], "enquiries not on record"),
        ([reply(received_at=NOON, to="reply@example.com")], ""),
    ],
)
def test_every_mail_to_the_press_address_is_on_record(
    world: World, came: list[mail.Reply], broken: str
) -> None:
    world.inbox = came
    assert world.judge("T0-1600.3.5") == broken


@pytest.mark.parametrize(
    ("said", "came", "enquiries", "broken"),
    [
        (agreed(*BOTH), [], False, ""),
        (agreed(*BOTH), [], True, "enquiries though there is no press work"),
        (agreed(*BOTH), [reply()], False, "enquiries though there is no press work"),
        (agreed(*BOTH, cause="it expired"), [], False, "agreements that do not hold"),
        (agreed("executive_team"), [], False, "roles that agreed to do no press work"),
    ],
)
def test_without_press_work_nobody_asks(
    world: World, said: Said, came: list[mail.Reply], enquiries: bool, broken: str
) -> None:
    world.inbox, world.statements["T0-1230.3.5"] = came, said
    empty = paper_with(world, "media-log.md", lambda d: d.update(enquiries=[]))
    with nullcontext() if enquiries else empty:
        assert world.judge("T0-1600.3.5") == broken


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda d: d.update(enquiries=[]), "enquiries on record"),
        (lambda d: d.update(enquiries=[], none_received=True), ""),
        (
            lambda d: d["enquiries"][0].update(answered_by="somebody"),
            "enquiries that nobody on the roster answered",
        ),
        (
            lambda d: d["enquiries"][0].update(
                received_at=d["enquiries"][0]["received_at"] - timedelta(hours=26)
            ),
            "enquiries from before the cutover",
        ),
        (
            lambda d: d["follow_ups"][0].update(
                sent_at=d["follow_ups"][0]["sent_at"] - timedelta(hours=26)
            ),
            "outlets without a follow-up",
        ),
    ],
)
def test_the_log_of_the_press_is_whole(world: World, change: Any, broken: str) -> None:
    with paper_with(world, "media-log.md", change):
        assert world.judge("T0-1600.3.5") == broken


def test_a_bounced_update_is_told(world: World) -> None:
    world.bounced = {"elena"}
    assert world.judge("T0-1600.3.2") == "mails not delivered"


def test_a_red_technical_criterion_on_record_is_no_success(world: World) -> None:
    world.verdicts = {"KT.2": Verdict.FAIL}
    assert world.judge("T0-1600.3.1") == "criteria that failed though it was called a success"
    with paper_with(world, EVERYBODY, lambda d: d.update(outcome="partial success")):
        assert world.judge("T0-1600.3.1") == ""


def test_the_evening_begins_at_16(world: World) -> None:
    noon = datetime.now(UTC).replace(hour=12)  # 07:00 or 08:00 in New York
    at = noon if noon <= datetime.now(UTC) else noon - timedelta(days=1)
    with paper_with(world, STAND_DOWN, lambda d: d.update(sent_at=at)):
        assert world.judge("T0-1600.3.3") == "hour at which it was sent"


@pytest.mark.parametrize(
    ("ident", "paper", "change", "broken"),
    [
        ("T0-1600.3.1", EVERYBODY, {"outcome": ""}, "outcome"),
        ("T0-1600.3.1", EVERYBODY, {"figures": []}, "figures other than measured"),
        (
            "T0-1600.3.1",
            EVERYBODY,
            {"links": ["http://127.0.0.1/press"]},
            "links that do not end in production",
        ),
        ("T0-1600.3.1", EVERYBODY, {"sent_at": LONG_AGO}, "hours since it was sent"),
        ("T0-1600.3.1", EVERYBODY, {"version": "v1.9.0"}, "the version announced"),
        ("T0-1600.3.2", STAKEHOLDERS, {"outcome": ""}, "status"),
        ("T0-1600.3.2", STAKEHOLDERS, {"open_risks": []}, "high risks not told"),
        (
            "T0-1600.3.2",
            STAKEHOLDERS,
            {"open_risks": ["R-02", "R-04", "R-99"]},
            "risks that the register does not have",
        ),
        ("T0-1600.3.2", STAKEHOLDERS, {"next_checkpoint": None}, "next checkpoint"),
        ("T0-1600.3.2", STAKEHOLDERS, {"next_checkpoint": LONG_AGO}, "next checkpoint"),
        (
            "T0-1600.3.2",
            STAKEHOLDERS,
            {"sent_at": NOON + timedelta(days=1)},
            "hours since it was sent",
        ),
        ("T0-1600.3.3", STAND_DOWN, {"watch": ""}, "stand-down or watch"),
        ("T0-1600.3.3", STAND_DOWN, {"outcome": ""}, "result"),
        ("T0-1600.3.3", STAND_DOWN, {"review_at": None}, "review told"),
        ("T0-1600.3.4", CUSTOMERS, {"to": ["elena", "marcus"]}, "support not told"),
        ("T0-1600.3.4", CUSTOMERS, {"figures": []}, "figures"),
    ],
)
def test_each_clause_breaks_by_itself(
    world: World, ident: str, paper: str, change: dict[str, Any], broken: str
) -> None:
    with paper_with(world, paper, lambda d: d.update(change)):
        assert world.judge(ident) == broken


@pytest.mark.parametrize(
    ("ident", "paper", "words", "broken"),
    [
        ("T0-1600.3.1", EVERYBODY, ("99.97", "99.99"), "figures not in the text"),
        ("T0-1600.3.1", EVERYBODY, ("v2.0.0", "it"), "what the text does not name"),
        ("T0-1600.3.4", CUSTOMERS, ("hours.", "hours, as Grumpy Client said."), "personal data"),
        ("T0-1600.3.4", CUSTOMERS, ("hours.", "hours: +1 202 555 0100."), "personal data"),
    ],
)
def test_the_texts_say_what_they_have_to(
    world: World, ident: str, paper: str, words: tuple[str, str], broken: str
) -> None:
    papers.reword(world.r, paper, *words)
    if paper.startswith("announcement"):  # approved and sent like that
        papers.write(world.r, *papers.quoting(paper))
    try:
        assert world.judge(ident) == broken
    finally:
        papers.write(world.r, paper)
