"""Contacts: the items on literal facts, and what counts as a number, an address, a placeholder."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.papers.approval import Delegation
from golive.people.roster import Key, Person, Roster
from golive.probes.people import contacts, mail, sms
from golive.probes.people.calendar import Attendee, Event, LaunchCalendar
from golive.probes.people.contacts import (
    Contact,
    ContactTest,
    Trial,
    is_address,
    is_e164,
    is_placeholder,
)
from golive.probes.people.mail import Reply, Sent
from golive.probes.people.sms import Text
from golive.probes.platform.aws import AwsGroups
from golive.probes.saas.status_page import Member
from golive.verdicts import ProbeError

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

NOW = datetime(2026, 12, 1, 18, 0, tzinfo=UTC)
LAUNCH = dt.date(2026, 12, 7)
ROLES = {
    "CO.1": "technical_lead",
    "CO.2": "devops_lead",
    "CO.3": "product_manager",
    "CO.4": "security_lead",
    "CO.5": "executive_team",
}


def key(n: int) -> Key:
    """A key of one's own."""
    parts = b"".join(len(p).to_bytes(4, "big") + p for p in (b"ssh-ed25519", bytes([n]) * 32))
    return Key(public=f"ssh-ed25519 {base64.b64encode(parts).decode()}")


def red(claim: Claim | None) -> str:
    """What a red item says."""
    assert claim is not None
    assert not claim.holds
    return repr(claim)


def person(ident: str, n: int, role: str, **more: Any) -> Person:
    powers = ["rollback", "breach-confirmation"]
    own = {"powers": powers, "keys": [key(n)], **more}
    fields = {"email": f"{ident}@shop.example", "phone": f"+1202555010{n}", **own}
    held = {"roles": [role]} if n == 0 else {"backs_up": [role]}
    return Person(**{"id": ident, "name": f"{ident.title()} Doe", **held, **fields})


def trial(address: str, **more: Any) -> Trial:
    sent = NOW - timedelta(hours=1)
    fields = {"answered_at": sent + timedelta(minutes=14), "answered_from": address, **more}
    return replace(Trial(address, sent, "delivered"), **fields)


def contact(someone: Person, **more: Any) -> Contact:
    night = datetime(2026, 12, 1, 4, 30, tzinfo=UTC)  # 23:30 in New York
    return replace(
        Contact(
            person=someone,
            roles=tuple(someone.roles),
            backs_up=tuple(someone.backs_up),
            placeholders=(),
            e164=True,
            addressable=True,
            texts=(trial(someone.phone), trial(someone.phone, sent_at=night, answered_at=night)),
            mails=(trial(someone.email),),
        ),
        **more,
    )


class World:
    """One role's holder and backup, and every fact that its item takes, all in order."""

    def __init__(self, ident: str) -> None:
        role = ROLES[ident]
        lead, backup = person("lead", 0, role), person("backup", 1, role)
        self.facts: dict[str, Any] = {"contact_test": everybody(contact(lead), contact(backup))}
        roster = Roster(Path("roster.toml"), {p.id: p for p in (lead, backup)}, {}, ())
        launch = SimpleNamespace(date=LAUNCH)
        events = LaunchCalendar("America/New_York", (event(6, 12), event(12, 17)))
        members = (Member(lead.email, ""), Member(backup.email, ""))
        groups = AwsGroups(
            dict.fromkeys(("hosting", "dns", "deploy", "secrets"), ("lead", "backup"))
        )
        own: dict[str, dict[str, Any]] = {
            "CO.1": {"launch_calendar": events, "launch": launch},
            "CO.2": {"aws_groups": groups},
            "CO.3": {
                "status_page_members": members,
                "flag_editors": (lead.email, backup.email),
            },
            "CO.4": {"aws_groups": groups, "launch": launch},
            "CO.5": {"launch": launch, **delegated()},
        }
        self.facts |= {"roster": roster, **own[ident]}
        self.lead, self.backup = lead, backup


def everybody(*found: Contact) -> ContactTest:
    return ContactTest("roster.toml", "America/New_York", NOW, 900.0, found)


def event(since: int, until: int, answer: str = "accepted") -> Event:
    zone = dt.timezone(timedelta(hours=-5))
    times = [datetime(2026, 12, 7, hour, tzinfo=zone) for hour in (since, until)]
    attendees = (Attendee("lead@shop.example", answer),)
    return Event("e", "Block", times[0], times[1], "America/New_York", attendees, "")


def delegated(**changes: Any) -> dict[str, Any]:
    """The delegation that the lead has written and signed."""
    said = SimpleNamespace(statement=SimpleNamespace(by="lead"))
    fields: dict[str, Any] = {
        "delegated_by": "lead",
        "to": "backup",
        "covers": ["launch decision", "public statements"],
        "until": LAUNCH,
    }
    data = Delegation(**fields | changes)
    return {
        "papers": SimpleNamespace(read=lambda _: SimpleNamespace(data=data)),
        "vouched": SimpleNamespace(claims=list, counted=[said]),
    }


@pytest.mark.parametrize("ident", ROLES)
def test_people_who_answered_are_green(judged: Judge, ident: str) -> None:
    assert judged(ident, **World(ident).facts) is None


def elsewhere(someone: Person) -> Trial:
    return trial(someone.phone, answered_from="+12025550199")


@pytest.mark.parametrize("ident", ROLES)
@pytest.mark.parametrize(
    ("lead", "says"),
    [
        ({"placeholders": ("name",)}, "Lead Doe (name)"),
        ({"e164": False}, "phone numbers not in E.164 form: Lead Doe"),
        ({"addressable": False}, "mail addresses not in the form of one: Lead Doe"),
        ({"backs_up": "own"}, "holders who back up themselves: Lead Doe"),
        ({"texts": ()}, "text to Lead Doe (none was sent)"),
        ({"texts": "silent"}, "text to Lead Doe (undelivered)"),
        ({"mails": "silent"}, "mail to Lead Doe (undelivered)"),
        ({"texts": "elsewhere"}, "text to Lead Doe (from +12025550199)"),
        ({"texts": "late"}, "text to Lead Doe 15.1 min"),
        ({"mails": "old"}, "mail to Lead Doe 14.1 d"),
    ],
)
def test_a_contact_that_is_not_right_is_red(
    judged: Judge, ident: str, lead: dict[str, Any], says: str
) -> None:
    world = World(ident)
    [(key, value)] = lead.items()
    address = world.lead.email if key == "mails" else world.lead.phone
    sent = trial(address).sent_at
    reported: dict[Any, Any] = {
        "own": (ROLES[ident],),
        "silent": (trial(address, status="undelivered", answered_at=None, answered_from=""),),
        "elsewhere": (elsewhere(world.lead),),
        "late": (trial(address, answered_at=sent + timedelta(minutes=15.1)),),
        "old": (
            trial(
                address, sent_at=NOW - timedelta(days=14.1), answered_at=NOW - timedelta(days=14.1)
            ),
        ),
    }
    value = reported.get(value, value)
    world.facts["contact_test"] = everybody(
        contact(world.lead, **{key: value}), contact(world.backup)
    )
    assert says in red(judged(ident, **world.facts))


@pytest.mark.parametrize("ident", ROLES)
def test_a_role_without_holder_or_backup_or_with_one_phone_is_red(
    judged: Judge, ident: str
) -> None:
    world, role = World(ident), ROLES[ident]
    lead, backup = contact(world.lead), contact(world.backup)
    same = contact(msgspec.structs.replace(world.backup, phone=world.lead.phone))
    for found, says in (
        ((backup,), f"holders of {role}: 0"),
        ((lead,), f"backups of {role}: 0"),
        ((lead, same), "contacts with another's phone number: Lead Doe, Backup Doe"),
    ):
        world.facts["contact_test"] = everybody(*found)
        assert says in red(judged(ident, **world.facts))


def with_lead(world: World, **fields: Any) -> dict[str, Any]:
    lead = msgspec.structs.replace(world.lead, **fields)
    people = {"lead": lead, "backup": world.backup}
    return {**world.facts, "roster": replace(world.facts["roster"], people=people)}


@pytest.mark.parametrize(
    ("ident", "says"), [("CO.1", "without a rollback key"), ("CO.4", "without the breach key")]
)
def test_a_lead_whose_key_decides_nothing_is_red(judged: Judge, ident: str, says: str) -> None:
    ended = Key(public=key(0).public, until=LAUNCH - timedelta(days=1))
    changes: list[dict[str, Any]] = [{"powers": []}, {"keys": []}, {"keys": [ended]}]
    for fields in changes:
        assert says in red(judged(ident, **with_lead(World(ident), **fields)))


def test_a_launch_hour_that_the_technical_lead_has_not_accepted_is_red(judged: Judge) -> None:
    facts = World("CO.1").facts
    declined = LaunchCalendar("America/New_York", (event(6, 12), event(12, 17, "declined")))
    facts["launch_calendar"] = declined
    assert "Lead Doe at 12:00" in red(judged("CO.1", **facts))


@pytest.mark.parametrize(("ident", "group"), [("CO.2", "dns"), ("CO.4", "secrets")])
def test_a_backup_missing_in_a_group_is_red(judged: Judge, ident: str, group: str) -> None:
    facts = World(ident).facts
    facts["aws_groups"] = AwsGroups({**facts["aws_groups"].members, group: ("lead",)})
    assert "Backup Doe" in red(judged(ident, **facts))


@pytest.mark.parametrize(
    ("fact", "value", "says"),
    [
        ("status_page_members", (Member("lead@shop.example", ""),), "may not publish: Backup Doe"),
        ("flag_editors", ("backup@shop.example",), "may not change flags: Lead Doe"),
    ],
)
def test_a_product_manager_who_may_not_publish_or_switch_is_red(
    judged: Judge, fact: str, value: object, says: str
) -> None:
    assert says in red(judged("CO.3", **{**World("CO.3").facts, fact: value}))


def test_a_security_lead_who_answered_only_by_day_is_red(judged: Judge) -> None:
    world = World("CO.4")
    by_day = contact(world.lead, texts=(trial(world.lead.phone),))
    world.facts["contact_test"] = everybody(by_day, contact(world.backup))
    assert "no test by night: Lead Doe" in red(judged("CO.4", **world.facts))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"delegated_by": "backup"}, "who delegates, by the paper: backup"),
        ({"to": "lead"}, "who decides instead: lead"),
        ({"to": "stranger"}, "who decides instead: stranger"),
        ({"covers": ["launch decision"]}, "missing public statements"),
        ({"until": LAUNCH - timedelta(days=1)}, "end of the delegation: 2026-12-06"),
    ],
)
def test_a_delegation_that_does_not_hold_on_launch_day_is_red(
    judged: Judge, changes: dict[str, Any], says: str
) -> None:
    assert says in red(judged("CO.5", **World("CO.5").facts | delegated(**changes)))


# -- the probe -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "right"),
    [
        ("+12025550108", True),
        ("+4930123456", True),
        ("(202) 555-0108", False),
        ("+1 202 555 0108", False),
        ("+1202555", False),
        ("12025550108", False),
        ("", False),
    ],
)
def test_a_phone_number_is_one_that_exists_in_e164_form(phone: str, right: bool) -> None:
    assert is_e164(phone) is right


@pytest.mark.parametrize(
    "text",
    [
        *("ada@xxxshop.example", "ada+todo@example.com", "Todo Rossi", "ada@unknown.example"),
        *("Placeholder Smith", "Nadia Tbdari", "tba@shop.example", "Maxxx Power", "N. A. Obi"),
        "Ada Obi (Todo list of mornings)",
    ],
)
def test_a_name_or_address_that_contains_a_placeholders_word_is_none(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "TBD", "tba", "Todo", "TODO: ask Ada", "n/a", "N/A", "unknown", "???", "xxx"),
        *("[Name]", "Ada [Surname]", "<your name>", "{name}", "your name", "First Last"),
        *("Ada (TBD)", "(unknown)", "- todo -", "XXX-XXXX", "+1 202 555 xxxx"),
    ],
)
def test_a_field_that_is_such_a_word_as_a_whole_or_in_brackets_is_a_placeholder(text: str) -> None:
    assert is_placeholder(text)


def test_an_answer_counts_by_night_and_as_hers_in_any_letter_case() -> None:
    who = Person(
        id="ada", name="Ada", email="ada@example.com", phone="+12025550123", roles=["lead"]
    )
    at = datetime(2026, 11, 1, 23, 5, tzinfo=UTC)

    def judged(answered_from: str) -> tuple[list[str], list[datetime]]:
        trial = Trial(who.email, at, "delivered", at, answered_from)
        one = Contact(who, ("lead",), (), (), True, True, (), (trial,))
        return one.from_elsewhere, ContactTest("r", "UTC", at, 1.0, (one,)).by_night(one, 22, 6)

    assert judged("Ada@Example.com") == ([], [at])
    assert judged("eve@example.com") == (["mail to Ada (from eve@example.com)"], [])


@pytest.mark.parametrize(
    ("email", "right"),
    [
        ("tess@shop.example", True),
        ("tess.l+x@mail.shop.example", True),
        ("tess(at)shop.example", False),
        ("Tess <tess@shop.example>", False),
        ("tess@shop", False),
        ("", False),
    ],
)
def test_a_mail_address_has_the_form_of_one_and_nothing_around(email: str, right: bool) -> None:
    assert is_address(email) is right


class Services:
    """Twilio and SendGrid in memory, with people who answer as they are asked to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[Text] = []
        self.sent: list[Sent] = []
        self.replies: list[Reply] = []
        self.asked = 0
        self.answers = True
        self.refusal = ""
        monkeypatch.setattr(sms, "send", self.send_text)
        monkeypatch.setattr(sms, "texts", lambda *_: list(self.texts))
        monkeypatch.setattr(mail, "send", self.send_mail)
        monkeypatch.setattr(mail, "activity", lambda *_: list(self.sent))
        monkeypatch.setattr(mail, "replies", lambda *_: list(self.replies))

    def send_text(self, _: Environment, to: str, body: str) -> str:
        self.asked += 1
        if self.refusal:
            return self.refusal
        now = datetime.now(UTC)
        self.texts.append(Text("+1000", to, body, now, False, "delivered"))
        if self.answers:
            code = body.rstrip(".").rpartition(" ")[2]
            self.texts.append(Text(to, "+1000", f"{code} ok", now, True, "received"))
        return ""

    def send_mail(self, _: Environment, to: str, subject: str, text: str) -> str:
        self.asked += 1
        now = datetime.now(UTC)
        self.sent.append(Sent("m", to, subject, "delivered", now))
        if self.answers:
            code = subject.rpartition(" ")[2]
            reply = {"received_at": now, "from": f"Tess <{to}>", "to": "", "subject": f"Re: {code}"}
            self.replies.append(msgspec.convert({**reply, "text": text}, Reply))
        return ""


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    return Services(monkeypatch)


@pytest.fixture
def env(env_with: EnvWith, tmp_path: Path) -> Environment:
    roster = tmp_path / "roster.toml"
    roster.write_text(
        'schema = 1\n[[person]]\nid = "tess"\nname = "[Name]"\nemail = "tess@shop.example"\n'
        'phone = "+12025550108"\nroles = ["technical_lead"]\n'
    )
    made = env_with(
        contacts={"roles": ["technical_lead"]},
        windows={"contact_reply_s": 0.0, "contact_test_s": 3600.0},
    )
    people = msgspec.structs.replace(made.people, roster=str(roster))
    return msgspec.structs.replace(made, people=people)


def test_a_test_is_joined_with_its_answer_by_the_code(env: Environment, services: Services) -> None:
    [tess] = contacts.contact_test(env).contacts
    assert services.asked == 2
    assert tess.placeholders == ("name",)
    assert [t.answered_from for t in (*tess.texts, *tess.mails)] == [
        "+12025550108",
        "tess@shop.example",
    ]


def test_who_answered_lately_is_not_asked_again(env: Environment, services: Services) -> None:
    contacts.contact_test(env)
    contacts.contact_test(env)
    assert services.asked == 2
    windows = msgspec.structs.replace(env.windows, contact_test_s=0.0)
    contacts.contact_test(msgspec.structs.replace(env, windows=windows))
    assert services.asked == 4


def test_an_answer_with_another_code_is_none(env: Environment, services: Services) -> None:
    services.answers = False
    services.texts.append(
        Text("+12025550108", "+1000", "yes?", datetime.now(UTC), True, "received")
    )
    [tess] = contacts.contact_test(env).contacts
    assert tess.unanswered == ["text to [Name] (delivered)", "mail to [Name] (delivered)"]


def test_a_number_that_is_not_taken_is_told_with_the_reason(
    env: Environment, services: Services
) -> None:
    services.refusal = "Invalid 'To' Phone Number (21211)"
    [tess] = contacts.contact_test(env).contacts
    assert tess.unanswered == ["text to [Name] (Invalid 'To' Phone Number (21211))"]


def test_without_a_roster_it_could_not_look(env: Environment) -> None:
    people = msgspec.structs.replace(env.people, roster="/nonexistent/roster.toml")
    with pytest.raises(ProbeError, match="could not look at the roster"):
        contacts.contact_test(msgspec.structs.replace(env, people=people))


@pytest.mark.parametrize("ident", ROLES)
@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"name": "LEAD  Doe"}, "name"),
        ({"email": "lead+2@shop.example"}, "mail address"),
        ({"keys": [key(0)]}, "key"),
    ],
)
def test_a_backup_is_not_the_lead_under_another_id(
    judged: Judge, ident: str, changes: dict[str, Any], same: str
) -> None:
    world = World(ident)
    double = msgspec.structs.replace(world.backup, **changes)
    people = {p.id: p for p in (world.lead, double)}
    world.facts["roster"] = Roster(Path("roster.toml"), people, {}, ())
    said = red(judged(ident, **world.facts))
    assert f"contacts who are one person under two ids: lead and backup (same {same})" in said
