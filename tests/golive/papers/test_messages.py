"""What planned and sent messages say of themselves, and what is read from texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace as changed

from golive.papers import messages
from golive.papers.messages import Figure

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
    told = [figure(), figure(metric="KB.3", sample=0), figure(metric="KB.4", window_hours=0)]
    sent = messages.Message(
        audience="team", version="v2.0.0", sent_at=NOON, to=["tess"], figures=told
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
