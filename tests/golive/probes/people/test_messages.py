"""Texts, mails and the calendar, by the services' own clients against the rehearsal's stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive.environments import Environment, Secret
from golive.probes.people import calendar, contacts, mail, sms
from golive.verdicts import ProbeError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.people.messages import (
    ACCOUNT,
    CALENDAR_TOKEN,
    INBOX_KEY,
    MAIL_KEY,
    MOST_PER_PAGE,
    NUMBER,
    PARTS,
    REPLY_TO,
    SENDER,
    SMS_TOKEN,
)
from rehearsal.staff import calendar as launch_calendar
from rehearsal.staff import papers, people
from tests.rehearsal.lone_parts import running

EnvWith = Callable[..., Environment]
OMAR = next(p for p in people.PEOPLE if p.id == "omar")
PHONE, ADDRESS = people.phone(OMAR), people.email(OMAR)


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("messages"))
    people.roster(r)  # their keys take a while to make
    with running(r, PARTS[0]):
        yield r


def reached(env_with: EnvWith, r: Rehearsal, port: int) -> Environment:
    url = f"http://127.0.0.1:{port}"

    def secret(name: str) -> dict[str, str]:
        return {"file": str(r.secret_file(name))}

    env = env_with(
        calendar={
            "url": f"{url}/calendar/v3/",
            "calendar": launch_calendar.CALENDAR,
            "credentials": secret(CALENDAR_TOKEN),
            "time_zone": launch_calendar.ZONE,
        },
        mail={
            "url": url,
            "key": secret(MAIL_KEY),
            "sender": SENDER,
            "reply_to": REPLY_TO,
            "inbox": f"{url}/inbound/mail",
            "inbox_key": secret(INBOX_KEY),
        },
        sms={"url": url, "account": ACCOUNT, "token": secret(SMS_TOKEN), "sender": NUMBER},
        contacts={"roles": ["devops_lead"]},
        windows={"contact_reply_s": 3.0, "contact_test_s": 0.0},
    )
    roster = msgspec.structs.replace(env.people, roster=str(people.roster(r)))
    return msgspec.structs.replace(env, people=roster)


@pytest.fixture
def env(env_with: EnvWith, r: Rehearsal) -> Environment:
    return reached(env_with, r, r.port("messages"))


@pytest.fixture
def nowhere(env_with: EnvWith, r: Rehearsal, dead_port: int) -> Environment:
    return reached(env_with, r, dead_port)


def wrong(env: Environment, path: str, tmp_path: Path) -> Environment:
    """The environment with another secret."""
    section, key = path.split(".")
    (tmp_path / "secret").write_text("not-the-secret")
    reported = msgspec.structs.replace(
        getattr(env, section), **{key: Secret(file=str(tmp_path / "secret"))}
    )
    return msgspec.structs.replace(env, **{section: reported})


def since() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5)


def test_a_text_is_delivered_and_its_answer_comes_from_the_persons_number(env: Environment) -> None:
    assert sms.send(env, PHONE, "Reply with the code ABC12345.") == ""
    log = sms.texts(env, since())
    assert [(t.to, t.status) for t in log if "code ABC12345" in t.body] == [(PHONE, "delivered")]
    assert [(t.sender, t.inbound) for t in log if t.body == "ABC12345"] == [(PHONE, True)]


def test_a_number_that_is_none_is_refused_with_the_reason(env: Environment) -> None:
    assert "(21211)" in sms.send(env, "(202) 555-0107", "hello")


def test_every_page_of_the_log_is_read(env: Environment) -> None:
    for n in range(MOST_PER_PAGE + 5):
        sms.send(env, "+12025550198", f"number {n}")
    assert len([t for t in sms.texts(env, since()) if t.to == "+12025550198"]) == MOST_PER_PAGE + 5


def test_a_mail_is_delivered_and_its_answer_comes_from_the_persons_address(
    env: Environment,
) -> None:
    assert mail.send(env, ADDRESS, "Test 'XYZ98765'", "Reply with the code XYZ98765.") == ""
    [sent] = [m for m in mail.activity(env, since()) if "XYZ98765" in m.subject]
    assert (sent.to, sent.status) == (ADDRESS, "delivered")
    assert [m.sender for m in mail.replies(env, since()) if "XYZ98765" in m.subject] == [ADDRESS]


def test_an_address_that_is_none_is_refused_with_the_reason(env: Environment) -> None:
    assert "valid address" in mail.send(env, "omar(at)shop.example", "hello", "hello")


def test_what_became_of_one_message_is_told_by_its_id(env: Environment, r: Rehearsal) -> None:
    r.remember(papers.UPDATE, {"day": "", "id": ""})
    r.override("messages", elena={"mail_bounces": True})
    ident = papers.mailed(r, "today")
    r.clear_override("messages", "elena")
    assert ident
    assert papers.mailed(r, "today") == ident
    reported = mail.delivery(env, ident, since())
    to = [people.email(people.holder(role)) for role in papers.STAKEHOLDER_ROLES]
    assert set(reported.status) == set(to)
    assert reported.missed([to[0].upper(), to[-1]]) == [f"{to[-1]} (not_delivered)"]
    assert reported.missed(["nobody@example.com"]) == ["nobody@example.com (not sent to)"]
    assert mail.delivery(env, "another", since()).status == {}


def test_a_mail_from_a_domain_that_is_not_ours_could_not_be_tried(env: Environment) -> None:
    other = msgspec.structs.replace(env.mail, sender="launch@other.example")
    with pytest.raises(ProbeError, match="status 403"):
        mail.send(msgspec.structs.replace(env, mail=other), ADDRESS, "hello", "hello")


def test_the_calendar_is_read_to_its_last_page(env: Environment) -> None:
    found = calendar.launch_calendar(env)
    expected = len(launch_calendar.BLOCKS) + 10
    assert len(found.events) == expected
    [room] = found.titled("Launch war room")
    assert (f"{room.start:%H:%M}", f"{room.end:%H:%M}", room.zone) == (
        "06:00",
        "17:00",
        launch_calendar.ZONE,
    )
    assert room.answer_of(ADDRESS) == "accepted"
    assert len(found.beginning("Launch: ")) == len(launch_calendar.BLOCKS)


def test_hours_without_an_accepted_event_are_told(env: Environment, r: Rehearsal) -> None:
    declined: dict[str, Any] = {"attendees": {"omar": {"responseStatus": "declined"}}}
    names = ["war-room", "block-0900"]
    r.override("messages", calendar_declined={"events": dict.fromkeys(names, declined)})
    try:
        found = calendar.launch_calendar(env)
    finally:
        r.clear_override("messages", "calendar_declined")
    [room] = found.titled("Launch war room")
    assert found.uncovered_hours(ADDRESS, room.start, room.end) == ["09:00"]


def test_a_calendar_that_cannot_be_read_is_told_and_is_not_free(
    env: Environment, r: Rehearsal
) -> None:
    [room] = calendar.launch_calendar(env).titled("Launch war room")
    found = calendar.busy(env, [ADDRESS, "stranger@shop.example"], room.start, room.end)
    assert found[ADDRESS].spans[0] == (room.start, room.end)
    assert found["stranger@shop.example"].error == "notFound"


def test_contacts_are_tested_and_who_is_silent_is_told(env: Environment, r: Rehearsal) -> None:
    found = contacts.contact_test(env)
    assert [c.unanswered for c in found.of("devops_lead")] == [[], []]
    r.override("messages", omar={"silent": True})
    try:
        [omar] = contacts.contact_test(env).holders("devops_lead")
    finally:
        r.clear_override("messages", "omar")
    assert omar.unanswered == [
        "text to Omar Haddad (delivered)",
        "mail to Omar Haddad (delivered)",
    ]


LOOKS: dict[str, Callable[[Environment], object]] = {
    "sms.token": lambda env: sms.texts(env, since()),
    "mail.key": lambda env: mail.activity(env, since()),
    "mail.inbox_key": lambda env: mail.replies(env, since()),
    "calendar.credentials": calendar.launch_calendar,
}


@pytest.mark.parametrize("key", LOOKS)
def test_with_a_wrong_secret_it_could_not_look(env: Environment, tmp_path: Path, key: str) -> None:
    with pytest.raises(ProbeError) as caught:
        LOOKS[key](wrong(env, key, tmp_path))
    assert "not-the-secret" not in str(caught.value)


@pytest.mark.parametrize("key", LOOKS)
def test_where_nothing_answers_it_could_not_look(nowhere: Environment, key: str) -> None:
    with pytest.raises(ProbeError, match="refused"):
        LOOKS[key](nowhere)


def test_the_account_that_mail_is_sent_from(env: Environment, nowhere: Environment) -> None:
    domain = SENDER.rpartition("@")[2]
    assert mail.sending_account(env) == mail.SendingAccount("sg-rehearsal", (domain,), domain)
    with pytest.raises(ProbeError, match="SendGrid at"):
        mail.sending_account(nowhere)
