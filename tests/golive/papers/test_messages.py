"""What planned and sent messages say of themselves, and what is read from texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.papers import messages
from golive.papers.messages import Figure, personal_data, unsaid

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)


def test_planned_messages_that_offend() -> None:
    one = messages.PlannedMessage(
        id="M-1",
        channel="e-mail",
        owner="paul",
        send_at=NOON,
        recipients=4,
        text="announcement.md",
        text_sha256="ab" * 32,
        no_go_text="another day",
    )
    other = changed(one, id="M-2", owner="x", recipients=0, no_go_text=" ", text="t.md")
    plan = messages.CommunicationPlan(messages=[one, other])
    assert plan.unowned(["paul"]) == ["M-2 (x)"]
    assert plan.to_nobody == plan.without_no_go_text == ["M-2"]
    assert plan.until(NOON)[0] == "M-1 (2026-12-07 12:00 +0000)"
    assert plan.until(NOON - timedelta(seconds=1)) == []
    assert plan.outside(NOON, NOON) == []
    assert len(plan.outside(NOON + timedelta(minutes=1), NOON + timedelta(hours=1))) == 2
    assert len(plan.outside(NOON - timedelta(hours=1), NOON - timedelta(minutes=1))) == 2


def figure(**changes: Any) -> Figure:
    return changed(Figure(metric="KB.2", value=84.3, window_hours=1, sample=9), **changes)


def test_figures_and_people_of_a_message() -> None:
    reported = [figure(), figure(metric="KB.3", sample=0), figure(metric="KB.4", window_hours=0)]
    sent = messages.Message(
        audience="team", version="v2.0.0", sent_at=NOON, to=["tess"], figures=reported
    )
    assert sent.not_told(["paul", "tess", "amy"]) == ["paul", "amy"]
    assert sent.metrics == {"KB.2", "KB.3", "KB.4"}
    assert sent.vague_figures == ["KB.3", "KB.4"]
    assert sent.misquoted({"KB.2": 84.34, "KB.3": 84.2}) == [
        "KB.3 84.3, measured 84.2",
        "KB.4 84.3, measured never",
    ]
    assert figure(value=1234567.5).text == "1,234,567.5"


def enquiry(**changes: Any) -> messages.Enquiry:
    known = messages.Enquiry(
        outlet="Daily",
        received_at=NOON,
        question="?",
        answer="!",
        answered_by="paul",
        answered_at=NOON + timedelta(minutes=5),
    )
    return changed(known, **changes)


def log(*enquiries: messages.Enquiry, **more: Any) -> messages.MediaLog:
    return messages.MediaLog(press_address="press@example.com", enquiries=[*enquiries], **more)


def test_an_enquiry_stands_for_one_mail_of_its_minute() -> None:
    assert log(enquiry()).unlogged([NOON + timedelta(seconds=59)]) == []
    assert log(enquiry()).unlogged([NOON, NOON]) == ["mail at 2026-12-07 12:00:00 UTC"]
    assert len(log(enquiry()).unlogged([NOON + timedelta(seconds=61)])) == 1
    assert len(log().unlogged([NOON])) == 1


def test_enquiries_that_nobody_answered_in_time() -> None:
    assert log(enquiry()).unanswered(["paul"]) == []
    assert log(enquiry()).unanswered(["amy"]) == ["Daily (paul)"]
    early = enquiry(answered_at=NOON - timedelta(minutes=1))
    assert log(early).unanswered(["paul"]) == ["Daily (paul)"]
    assert log(enquiry()).before(NOON) == []
    assert log(enquiry()).before(NOON + timedelta(minutes=1)) == ["Daily"]


def test_outlets_that_have_not_heard_again() -> None:
    again = [messages.FollowUp(outlet="Daily", sent_at=NOON)]
    paper = log(follow_ups=again)
    assert paper.not_followed_up(["Daily", "Weekly"], NOON) == ["Weekly"]
    assert paper.not_followed_up(["Daily"], NOON + timedelta(minutes=1)) == ["Daily"]


@pytest.mark.parametrize(
    ("shown", "measured", "right"),
    [
        (84.3, 84.3, True),
        (84, 84.3, True),
        (84.0, 84.3, True),
        (84.3, 84.34, True),
        (84.3, 84.26, True),
        (84.3, 84.2, False),
        (85, 84.3, False),
        (100, 99.6, True),
        (100, 99.4, False),
        (0.02, 0.0249, True),
        (0.02, 0.03, False),
    ],
)
def test_a_figure_is_the_measured_one_to_the_digits_it_shows(
    shown: float, measured: float, right: bool
) -> None:
    figure = Figure(metric="KB.2", value=shown, window_hours=1, sample=1)
    assert figure.is_rounded(measured) is right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("84.3 % of 512 since 2026-12-07T12:30:00Z", []),
        ("# The Heading\nAll is well.", []),
        ("Thanks to Tess Lindqvist.", []),
        ("Thanks to Jane Q. Doe.", ["name in line 1"]),
        ("a\nwrite to jane.doe@example.com", ["mail address in line 2"]),
        ("call +1 (202) 555-0100 now", ["phone number in line 1"]),
    ],
)
def test_personal_data_is_told_by_its_line_and_not_shown(text: str, found: list[str]) -> None:
    assert personal_data(text, {"Tess Lindqvist"}) == found


def test_words_are_looked_for_whole() -> None:
    assert unsaid("v2.0.0 is up 99.97 %, see 12.", ["v2.0.0", "99.97", "12"]) == []
    assert unsaid("v2.0.0.1 at 199.97", ["v2.0.0", "99.97", "v2"]) == ["v2.0.0", "99.97", "v2"]
