"""Phase 4: what is told after the health checks, on the rehearsal's own papers with one thing
changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from golive.verdicts import Verdict
from rehearsal.staff import papers
from tests.suites.launch_day.announced import (
    BOTH,
    LONG_AGO,
    MAIL,
    NOON,
    Said,
    World,
    agreed,
    paper_with,
    signed,
)


@pytest.mark.parametrize(
    ("ident", "minutes", "broken"),
    [
        ("T0-1230.3.1", None, "health checks passed after the cutover"),
        ("T0-1230.3.1", 16, "minutes from the health checks"),
        ("T0-1230.3.1", 0, ""),
        ("T0-1230.3.1", -1, "health checks passed after the cutover"),
        ("T0-1230.3.3", None, "health checks passed after the cutover"),
        ("T0-1230.3.3", 21, "minutes from the health checks"),
        ("T0-1230.3.3", 19, ""),
    ],
)
def test_nothing_is_told_before_the_health_checks_have_passed(
    world: World, ident: str, minutes: int | None, broken: str
) -> None:
    cutover = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0)
    at = cutover - timedelta(days=2, minutes=-(minutes or 0))
    verdict = Verdict.FAIL if minutes is None else Verdict.PASS
    world.looks = [SimpleNamespace(at=at, verdicts={"T0-1230.2.5": verdict})]
    assert world.judge(ident) == broken


def test_the_team_is_told_within_30_minutes(world: World) -> None:
    late = {"sent_at": datetime.now(UTC).replace(hour=20, minute=40) - timedelta(days=2)}
    with paper_with(world, "message-team.md", lambda d: d.update(late)):
        assert world.judge("T0-1230.3.1") == "minutes from the health checks"


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        (agreed(*BOTH), ""),
        (agreed("product_manager"), "roles that agreed to do no press work"),
        (agreed("technical_lead", cause="it may not"), "agreements that do not hold"),
        (agreed(*BOTH, cause="it expired"), "agreements that do not hold"),
        (agreed(*BOTH, at=NOON + timedelta(minutes=1)), "agreements after that"),
    ],
)
def test_no_press_work_is_agreed_in_time_by_those_who_may(
    world: World, said: Said, broken: str
) -> None:
    world.statements["T0-1230.3.5"] = said
    assert world.judge("T0-1230.3.5") == broken


def test_no_press_work_needs_an_authorised_launch_to_compare_with(world: World) -> None:
    world.statements = {"T0-1230.3.5": agreed(*BOTH), "D-1.2.1": Said()}
    assert world.judge("T0-1230.3.5") == "signatures that authorise the launch"


def test_whoever_signs_the_release_signs_the_one_that_was_sent(world: World) -> None:
    world.statements["T0-1230.3.5"] = Said(signed("paul", "product_manager"))
    assert world.judge("T0-1230.3.5") == "people who signed another release"


def test_a_mail_to_the_team_that_bounced_is_told(world: World) -> None:
    with paper_with(world, "message-team.md", lambda d: d.update(mail_id=MAIL)):
        assert world.judge("T0-1230.3.1") == ""
        world.bounced = {"mina"}
        assert world.judge("T0-1230.3.1") == "mails not delivered"


@pytest.mark.parametrize(
    ("ident", "paper", "change", "broken"),
    [
        ("T0-1230.3.1", "message-team.md", {"version": "v1.9.0"}, "version in message-team.md"),
        ("T0-1230.3.1", "message-team.md", {"cutover_at": None}, "time of the cutover"),
        (
            "T0-1230.3.1",
            "message-team.md",
            {"approved_text": "x.md"},
            "approved text of message-team.md",
        ),
        ("T0-1230.3.3", "message-social.md", {"posts": []}, "channels with a post"),
        ("T0-1230.3.5", "message-press.md", {"outlets": []}, "outlets"),
        ("T0-1230.3.5", "message-press.md", {"outlets": ["one"]}, "outlets that got it"),
        ("T0-1230.3.5", "message-press.md", {"links": []}, "links that do not end in production"),
        ("T0-1230.3.5", "message-press.md", {"sent_at": LONG_AGO}, "minutes from the cutover"),
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
        ("T0-1230.3.1", "announcement-team.md", ("omar", "nobody"), "what the text does not name"),
        ("T0-1230.3.1", "announcement-team.md", ("12:30", "noon"), "what the text does not name"),
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
