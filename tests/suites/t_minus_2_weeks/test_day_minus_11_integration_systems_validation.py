"""Day -11: its third-party integrations, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from golive.masking import Hidden
from golive.probes.saas.analytics import Hit, Visits
from golive.probes.saas.business_profile import Profile, Profiles
from golive.probes.saas.customer_calendar import OAuthClient, SyntheticAppointment
from golive.probes.saas.customer_mail import MailAccount, MailDomain, SeedMessage
from golive.probes.saas.customer_sms import SmsAccount, SyntheticTexts
from golive.probes.saas.google import Grant
from golive.probes.saas.mail_dns import MailRecord, Signatures
from golive.verdicts import ProbeError, Unseen
from tests.checks import breaking, broken

UNSEEN = Unseen(ProbeError("it", "no right"))
ENV = SimpleNamespace(
    customer_mail=SimpleNamespace(scopes=["mail.send"], account="live"),
    customer_calendar=SimpleNamespace(project="42", scopes=["events"]),
    business_profile=SimpleNamespace(shops={"one": "locations/1", "two": "locations/2"}),
    analytics=SimpleNamespace(container="GTM-1", measurement_id="G-1", pixel_id="77"),
)

# -- mail ------------------------------------------------------------------------------------------

SCOPES = "scopes of the application's key"
MAIL: dict[str, Any] = {
    "customer_mail_account": MailAccount("live", "paid", ("mail.send",), True, 50_000.0),
    "mail_domain": MailDomain("mail.example", (), (MailRecord("SPF", "em.mail.example", ""),)),
    "seed_message": SeedMessage(
        4.0,
        Signatures(("mail.example",), ()),
        ("processed", "delivered"),
        (),
        False,
        ("dropped",),
    ),
}


@pytest.mark.parametrize(
    ("fact", "changes", "told"),
    [
        ("", {}, ""),
        ("customer_mail_account", {"scopes": ()}, SCOPES),
        (
            "customer_mail_account",
            {"scopes": ("mail.send", "x")},
            "scopes of the application's key",
        ),
        ("customer_mail_account", {"has_the_key": False}, "account of the application's key"),
        ("customer_mail_account", {"name": "staging"}, "account of the application's key"),
        ("customer_mail_account", {"plan": "free"}, "plan of the account"),
        ("customer_mail_account", {"mails_per_day": 39_999.0}, "mails that it may send"),
        ("mail_domain", {"failures": ("dkim1",)}, "what is not valid of the sender's domain"),
        (
            "mail_domain",
            {"records": (MailRecord("SPF", "x", "no record"),)},
            "unresolved records of SPF, DKIM and DMARC",
        ),
        ("mail_domain", {"records": ()}, "unresolved records of SPF, DKIM and DMARC"),
        ("seed_message", {"delivered_after_s": 61.0}, "seed message delivered after"),
        ("seed_message", {"delivered_after_s": inf}, "seed message delivered after"),
        ("seed_message", {"signatures": Signatures((), ("x",))}, "DKIM of the seed message"),
        (
            "seed_message",
            {"signatures": Signatures(("sendgrid.info",), ())},
            "DKIM of the seed message",
        ),
        ("seed_message", {"events": ("processed",)}, "its stored events"),
        ("seed_message", {"forged_stored": ("without",)}, "forged events stored"),
        ("seed_message", {"suppressed_arrived": True}, "suppressed mail"),
        ("seed_message", {"suppressed_events": ("delivered",)}, "suppressed mail"),
    ],
)
def test_mail_to_customers(fact: str, changes: dict[str, Any], told: str) -> None:
    facts: dict[str, Any] = dict(MAIL)
    if fact:
        facts[fact] = replace(facts[fact], **changes)
    assert broken("D-11.2.2", {**facts, "env": ENV}) == told


def test_what_was_not_seen_of_mail_is_not_green_and_hides_nothing() -> None:
    facts: dict[str, Any] = {**MAIL, "env": ENV}
    facts["seed_message"] = UNSEEN
    claim = breaking("D-11.2.2", facts)
    assert claim is not None
    assert claim.unseen is not None
    facts["seed_message"] = replace(MAIL["seed_message"], suppressed_events=())
    claim = breaking("D-11.2.2", facts)
    assert claim is not None
    assert (claim.subject, claim.broken) == ("suppressed mail", False)
    facts["customer_mail_account"] = replace(MAIL["customer_mail_account"], plan="free")
    assert broken("D-11.2.2", facts) == "plan of the account"


# -- texts -----------------------------------------------------------------------------------------

TEXTS: dict[str, Any] = {
    "customer_sms_account": SmsAccount("active", "Full", 400.0, "USD", 0.01, (), (), ()),
    "synthetic_texts": SyntheticTexts(
        2.0, "delivered", ("sent", "delivered"), (), ("undelivered",), ""
    ),
}


@pytest.mark.parametrize(
    ("fact", "changes", "told"),
    [
        ("", {}, ""),
        ("customer_sms_account", {"status": "suspended"}, "account"),
        ("customer_sms_account", {"kind": "Trial"}, "kind of the account"),
        ("customer_sms_account", {"balance": 270.0}, "the balance lasts"),
        ("customer_sms_account", {"blocked": ("CA",)}, "countries that it may not text to"),
        ("customer_sms_account", {"cannot_send": ("+1: x",)}, "numbers that cannot send"),
        ("customer_sms_account", {"not_approved": ("+1: x",)}, "registrations not approved"),
        ("synthetic_texts", {"delivered_after_s": inf}, "text delivered after"),
        ("synthetic_texts", {"statuses": ("sent",)}, "its stored statuses"),
        ("synthetic_texts", {"forged_taken": ("without",)}, "forged callbacks taken"),
        ("synthetic_texts", {"to_nobody": ()}, "stored of a text to nobody"),
        ("synthetic_texts", {"to_nobody": ("delivered",)}, "stored of a text to nobody"),
        ("synthetic_texts", {"after_stop": "it was sent"}, "text after STOP"),
    ],
)
def test_texts_to_customers(fact: str, changes: dict[str, Any], told: str) -> None:
    facts = dict(TEXTS)
    if fact:
        facts[fact] = replace(facts[fact], **changes)
    assert broken("D-11.2.3", facts) == told


def test_a_balance_whose_price_was_not_seen_is_not_seen() -> None:
    account = replace(TEXTS["customer_sms_account"], price=UNSEEN)
    claim = breaking("D-11.2.3", {**TEXTS, "customer_sms_account": account})
    assert claim is not None
    assert claim.subject == "the balance lasts"
    assert claim.unseen is not None


# -- the calendar ----------------------------------------------------------------------------------

CALENDAR: dict[str, Any] = {
    "calendar_client": OAuthClient(
        "42-x.apps", "https://www.example/cb", ("events",), ("www.example",), ""
    ),
    "calendar_grant": Grant("", Hidden("token"), "42-x.apps", ("events",), inf),
    "calendar_appointment": SyntheticAppointment("2027-03-14", 1.0, 0.0, 1.0, 0.0, 1.0),
}


@pytest.mark.parametrize(
    ("fact", "changes", "told"),
    [
        ("", {}, ""),
        ("calendar_client", {"client_id": "43-x.apps"}, "project of the application's client"),
        (
            "calendar_client",
            {"redirect_uri": "https://old.example/cb"},
            "where Google sends barbers back to",
        ),
        (
            "calendar_client",
            {"redirect_uri": "http://www.example/cb"},
            "where Google sends barbers back to",
        ),
        ("calendar_client", {"failure": "redirect_uri_mismatch"}, "Google's answer"),
        ("calendar_client", {"scopes": ("all", "events")}, "scopes that are asked for"),
        ("calendar_grant", {"failure": "invalid_grant"}, "refreshing the token"),
        ("calendar_grant", {"client_id": "43-x.apps"}, "project of the token's client"),
        ("calendar_grant", {"scopes": ("all",)}, "scopes of the token"),
        ("calendar_grant", {"refresh_lives_s": 604_799.0}, "end of the refresh token"),
        ("calendar_appointment", {"appeared_after_s": inf}, "calendar follows"),
        ("calendar_appointment", {"moved_after_s": 61.0}, "calendar follows"),
        ("calendar_appointment", {"vanished_after_s": inf}, "calendar follows"),
        ("calendar_appointment", {"appeared_off_min": 300.0}, "event beside the appointment"),
        ("calendar_appointment", {"moved_off_min": 60.0}, "event beside the appointment"),
    ],
)
def test_the_barbers_calendars(fact: str, changes: dict[str, Any], told: str) -> None:
    facts = dict(CALENDAR)
    if fact:
        facts[fact] = replace(facts[fact], **changes)
    assert broken("D-11.2.1", {**facts, "env": ENV}) == told


def test_an_appointment_that_crossed_no_clock_change_is_not_green() -> None:
    visit = replace(CALENDAR["calendar_appointment"], clock_change=UNSEEN)
    claim = breaking("D-11.2.1", {**CALENDAR, "calendar_appointment": visit, "env": ENV})
    assert claim is not None
    assert claim.unseen is not None


# -- profiles --------------------------------------------------------------------------------------

ONE = Profile("one", "locations/1", True, (), "", "")
TWO = Profile("two", "locations/2", True, (), "", "")
GRANT = Grant("", Hidden("token"), "42-x", ("business",), inf)


def profiles(**second: Any) -> Profiles:
    return Profiles("", (), (ONE, replace(TWO, **second)))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (profiles(), ""),
        (Profiles("the quota is 0", UNSEEN, UNSEEN), "access to the API"),
        (Profiles("", ("two",), (ONE,)), "shops without a profile of ours"),
        (profiles(verified=False), "profiles not verified"),
        (profiles(differs=("hours: x",)), "differences from shops' records"),
        (profiles(link="answers 404"), "booking links that fail"),
        (profiles(reviews="status 403"), "reviews that cannot be read"),
        (Profiles("", (), ()), "profiles not verified"),
    ],
)
def test_the_shops_profiles(facts: Profiles, told: str) -> None:
    given = {"profile_grant": GRANT, "business_profiles": facts, "env": ENV}
    assert broken("D-11.2.4", given) == told


def test_one_profile_not_seen_leaves_the_claim_unseen_unless_another_is_wrong() -> None:
    given: dict[str, Any] = {"profile_grant": GRANT, "env": ENV}
    claim = breaking("D-11.2.4", {**given, "business_profiles": profiles(reviews=UNSEEN)})
    assert claim is not None
    assert claim.unseen is not None
    wrong = Profiles("", (), (replace(ONE, reviews="status 403"), replace(TWO, reviews=UNSEEN)))
    told = broken("D-11.2.4", {**given, "business_profiles": wrong})
    assert told == "reviews that cannot be read"


# -- analytics -------------------------------------------------------------------------------------

STEPS = (("landing", "page_view", "PageView", False), ("paid", "purchase", "Purchase", True))


def journey(transaction: str, **last: Any) -> tuple[Hit, ...]:
    bought = Hit("Meta", "paid", "Purchase", "77", "45", "USD", transaction, ())
    return (
        Hit("GA4", "landing", "page_view", "G-1", "", "", "", ()),
        Hit("Meta", "landing", "PageView", "77", "", "", "", ()),
        Hit("GA4", "paid", "page_view", "G-1", "", "", "", ()),
        Hit("GA4", "paid", "purchase", "G-1", "45", "USD", transaction, ()),
        replace(bought, **last),
    )


def visits(*second: Hit, **changes: Any) -> Visits:
    accepted = (journey("a"), second or journey("b"))
    found = Visits(STEPS, 2, (), (), accepted, ("GTM-1",))
    return replace(found, **changes)


HIT = Hit("GA4", "landing", "page_view", "G-1", "", "", "", ())


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (visits(), ""),
        (visits(undecided=(HIT,)), "hits before a choice"),
        (visits(refused=(HIT,)), "hits after a refusal"),
        (visits(*journey("b"), journey("b")[3]), "events that left not once"),
        (visits(*journey("b")[:3]), "events that left not once"),
        (visits(accepted=()), "measurement ids of GA4"),
        (visits(containers=("GTM-2",)), "containers"),
        (visits(containers=("GTM-1", "GTM-2")), "containers"),
        (visits(*(replace(h, to="G-2") for h in journey("b"))), "measurement ids of GA4"),
        (visits(*journey("b", to="78")), "ids of Meta's pixel"),
        (visits(*journey("b", currency="")), "purchases that lack something"),
        (visits(*journey("b", value="0")), "purchases that lack something"),
        (visits(*journey("a")), "purchases that lack something"),
        (visits(*journey("b", personal=("an e-mail address",))), "hits with personal data"),
    ],
)
def test_what_measures_visits(facts: Visits, told: str) -> None:
    assert broken("D-11.2.5", {"analytics_visits": facts, "env": ENV}) == told
