"""Compliance: processors, card numbers, controls and certificates on literal facts."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace as changed

from golive.claims import Claim, none_of
from golive.environments import Compliance, Environment
from golive.launch import load
from golive.papers.compliance import (
    CardCompliance,
    Certificate,
    Certificates,
    Control,
    ControlMatrix,
    ProcessingRegister,
    Processor,
)
from golive.people.roster import Person, Roster
from golive.probes.data import card_numbers
from golive.probes.data.card_numbers import TEST_NUMBER, CardNumbers
from golive.probes.saas.tracker import PullRequest
from golive.probes.traffic.browser import PaymentPage
from golive.probes.traffic.outbound import EvidenceLinks, Notice, Outbound, hosts_on
from golive.verdicts import ProbeError, Unseen
from tests.checks import SUITES
from tests.golive.probes.conftest import Shelf

Judged = Callable[..., Claim | None]
TODAY = date(2026, 12, 1)
LAUNCH = load(SUITES / "launch.toml")
PEOPLE = {"sanjay": Person(id="sanjay", name="Sanjay", email="", phone="")}
HOSTS = ("api.stripe.com", "api.twilio.com")
REGISTER = ProcessingRegister(
    reviewed_on=date(2026, 11, 1),
    legal_bases={"bookings": "contract"},
    retention_days={"bookings": 700},
    impact_assessment_on=date(2026, 10, 1),
    breach_notice_hours=72,
    processors=[
        Processor(name="Stripe", hosts=[HOSTS[0]], purpose="pay", contract_on=date(2026, 1, 5)),
        Processor(name="Twilio", hosts=[HOSTS[1]], purpose="text", contract_on=date(2026, 1, 5)),
    ],
    notices=["https://shop.example/privacy", "https://shop.example/cookies"],
)
NOTICES = tuple(Notice(url, 200, ()) for url in REGISTER.notices)


class Seen:
    """Stands for deliverables: the verdicts of others, red where they are named."""

    def __init__(self, *red: str, written: Iterable[str] = ()) -> None:
        self.red = red
        self.asked: tuple[str, ...] = ()
        under = SimpleNamespace(under=lambda prefix: [SimpleNamespace(id=prefix)])
        self.context = SimpleNamespace(cards=set(written), procedure=under)

    def resting(self, _: str, wanted: tuple[str, ...]) -> list[Claim]:
        self.asked = wanted
        red = [i for i in self.red if i in wanted]
        return [none_of("verdicts that are not green", red, among=len(wanted), of="verdicts")]


def context(**more: Any) -> Any:
    """Stands for the context."""
    known = {
        "launch": LAUNCH,
        "roster": Roster(Path("roster.toml"), PEOPLE, {}, ()),
        "statements": SimpleNamespace(exemption=lambda _: (None, "")),
        "digests": lambda names: dict.fromkeys(names, "a" * 64),
    }
    return SimpleNamespace(**known | more)


# -- D-9.2.1 ------------------------------------------------------------------------------------


def gdpr(judged: Judged, register: ProcessingRegister = REGISTER, **more: Any) -> Claim | None:
    facts: dict[str, Any] = {
        "papers": Shelf(register),
        "outbound": Outbound(HOSTS, (), 3),
        "privacy_notices": NOTICES,
        "deliverables": Seen(),
        "today": TODAY,
    }
    return judged("D-9.2.1", **facts | more)


def test_processors_in_order_are_green(judged: Judged) -> None:
    assert gdpr(judged) is None


@pytest.mark.parametrize(
    ("register", "more", "broken"),
    [
        ({"reviewed_on": date(2026, 9, 1)}, {}, "processing record reviewed: 91 d ago"),
        ({"impact_assessment_on": date(2026, 12, 9)}, {}, "impact assessment: 2026-12-09"),
        ({"breach_notice_hours": 96}, {}, "authority told of a breach: 96 h"),
        ({"legal_bases": {}}, {}, "purposes with a legal basis: 0"),
        ({"retention_days": {}}, {}, "days of retention: nothing was measured"),
        ({"retention_days": {"logs": 0}}, {}, "days of retention: logs 0"),
        (
            {"processors": REGISTER.processors[:1]},
            {},
            "without a processor in the register: api.tw",
        ),
        (
            {"processors": [changed(p, contract_on=date(2027, 1, 1)) for p in REGISTER.processors]},
            {},
            "processors without a contract yet: Stripe: 2027-01-01",
        ),
        ({}, {"outbound": Outbound((), (), 3)}, "hosts outside that the product contacts: 0"),
        ({}, {"outbound": Outbound(HOSTS, ("cdn.example",), 3)}, "register: cdn.example"),
        (
            {},
            {"privacy_notices": (NOTICES[0], Notice("/cookies", 404, ()))},
            "notices that do not answer: /cookies (status 404)",
        ),
        (
            {},
            {"privacy_notices": (NOTICES[0], Notice("/cookies", 200, ("Twilio",)))},
            "leave out a processor: /cookies: Twilio",
        ),
        ({}, {"deliverables": Seen("D-9.2.4", written=["D-9.2.4"])}, "not green: D-9.2.4"),
    ],
)
def test_gdpr_each_clause(
    judged: Judged, register: dict[str, Any], more: dict[str, Any], broken: str
) -> None:
    assert broken in str(gdpr(judged, changed(REGISTER, **register), **more))


def test_hosts_that_a_page_has_a_browser_talk_to() -> None:
    html = """<link rel="preload" href="//fonts.example/a.woff"><script src=/own.js></script>
    <img src="https://pixel.example/1.gif"><a href="https://only-a-link.example/">x</a>
    <form action='https://pay.example/'><iframe src="https://frame.example"></iframe>"""
    assert hosts_on(html, "https://shop.example/book") == [
        *("fonts.example", "frame.example", "pay.example", "pixel.example", "shop.example")
    ]


# -- D-9.2.2 ------------------------------------------------------------------------------------

CARDS = CardNumbers(columns=20, log_files=3, keys=9, found={}, unseen=())
PCI = CardCompliance(
    questionnaire="SAQ A",
    assessed_on=date(2026, 6, 1),
    valid_until=date(2027, 6, 1),
    scanned_on=date(2026, 11, 1),
    scanned_by="Scanner",
    processor_valid_until=date(2027, 3, 1),
    card_origin="https://js.stripe.com",
    scripts=["https://js.stripe.com/v3"],
)


def cards(**found: Any) -> CardNumbers:
    return replace(CARDS, **found)


def payment(**found: Any) -> PaymentPage:
    """A payment page as it has to be."""
    script, origin = ("https://js.stripe.com/v3",), ("https://js.stripe.com",) * 2
    return replace(PaymentPage("https://shop.example/pay", script, origin), **found)


def pci(judged: Judged, paper: CardCompliance = PCI, **more: Any) -> Claim | None:
    facts: dict[str, Any] = {
        "papers": Shelf(paper),
        "card_numbers": CARDS,
        "payment_pages": (payment(),),
        "env": SimpleNamespace(stripe=SimpleNamespace(card_origin="https://js.stripe.com")),
        "edge_behaviour": SimpleNamespace(oldest_tls={"shop.example": 1.2}),
        "context": context(),
        "today": TODAY,
    }
    return judged("D-9.2.2", **facts | more)


def test_no_card_number_is_green(judged: Judged) -> None:
    assert pci(judged) is None


@pytest.mark.parametrize(
    ("paper", "more", "broken"),
    [
        ({"valid_until": date(2026, 12, 5)}, {}, "end of the self-assessment (SAQ A): 2026-12-05"),
        ({"processor_valid_until": date(2026, 12, 5)}, {}, "payment provider's own attestation"),
        ({"assessed_on": date(2026, 12, 5)}, {}, "self-assessment: 2026-12-05"),
        ({"scanned_on": date(2026, 12, 5)}, {}, "external scan: 2026-12-05"),
        ({"scanned_on": date(2026, 9, 1)}, {}, "external scan by Scanner: 91 d ago"),
        ({}, {"card_numbers": cards(unseen=("Redis",))}, "test number was not found: Redis"),
        ({}, {"card_numbers": cards(log_files=0)}, "log files of the last 7 days: 0"),
        ({}, {"card_numbers": cards(keys=0)}, "keys of Redis: 0"),
        ({}, {"card_numbers": cards(found={"app.log": 2})}, "card numbers: app.log (2)"),
        ({"card_origin": "https://evil.example"}, {}, "origin that card-compliance.md approves"),
        ({}, {"payment_pages": ()}, "card fields on the payment pages: 0"),
        ({}, {"payment_pages": (payment(card_fields=()),)}, "card fields on the payment pages: 0"),
        (
            {},
            {"payment_pages": (payment(), payment(card_fields=("https://shop.example",)))},
            "origins of card fields but the approved one: https://shop.example",
        ),
        (
            {},
            {"payment_pages": (payment(scripts=("https://js.stripe.com/v3", "/x.js")),)},
            "not declared /x.js",
        ),
        ({}, {"payment_pages": (payment(scripts=()),)}, "missing https://js.stripe.com/v3"),
        (
            {},
            {"edge_behaviour": SimpleNamespace(oldest_tls={"shop.example": 1.0})},
            "oldest TLS version: shop.example 1",
        ),
    ],
)
def test_pci_each_clause(
    judged: Judged, paper: dict[str, Any], more: dict[str, Any], broken: str
) -> None:
    assert broken in str(pci(judged, changed(PCI, **paper), **more))


@pytest.mark.parametrize("kind", ["columns", "log_files", "keys"])
def test_a_kind_of_place_that_could_not_be_searched_hides_no_number_elsewhere(
    judged: Judged, kind: str
) -> None:
    unseen = Unseen(ProbeError("the logs", "none is declared", "declare them"))
    claim = pci(judged, card_numbers=cards(**{kind: unseen}))
    assert claim is not None
    assert claim.unseen is unseen.error
    both = cards(**{kind: unseen}, found={"visits.note": 2})
    assert "card numbers: visits.note (2)" in str(pci(judged, card_numbers=both))


def test_each_kind_of_place_is_searched_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> Any:
        raise ProbeError("Redis", "refused", "start it")

    def searched(_: object) -> card_numbers._Searched:
        return card_numbers._Searched(7, {"visits.note": 2}, ())

    monkeypatch.setattr(card_numbers, "_in_database", searched)
    monkeypatch.setattr(card_numbers, "_in_logs", refused)
    monkeypatch.setattr(card_numbers, "_in_redis", refused)
    found = card_numbers.card_numbers(cast(Environment, None))
    assert (found.columns, found.looked_at, found.shown) == (7, 7, ["visits.note (2)"])
    assert isinstance(found.keys, Unseen)
    monkeypatch.setattr(card_numbers, "_in_database", refused)
    with pytest.raises(ProbeError, match="refused"):
        card_numbers.card_numbers(cast(Environment, None))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"paid with {TEST_NUMBER}.", 1),
        ("4242 4242 4242 4242 and 5555-5555-5555-4444", 2),
        ("amex 3782 822463 10005", 1),
        ("378282246310005", 1),
        ("4242 4242 4242 4243", 0),  # check digit
        ("pi_4242424242424242", 0),  # part of a longer word
        ("4242424242424242a", 0),
        ("a-4242424242424242", 0),
        ("1764111111111111", 0),  # no card begins so: microseconds since 1970
        ("+12025550190 2026-12-01 10:00:00.123456", 0),
        ("4444444444444444", 0),
        ("550e8400-e29b-41d4-a716-446655440000", 0),
        ("", 0),
    ],
)
def test_card_numbers_are_told_from_other_numbers(text: str, found: int) -> None:
    assert card_numbers.count(text) == found


def test_packed_and_rotated_logs_are_searched_too(
    env_with: Callable[..., Environment], tmp_path: Path
) -> None:
    log, text = tmp_path / "app[1].log", f"refused: card {TEST_NUMBER}\n"
    log.write_text("all is well\n")
    (tmp_path / "app[1].log.1").write_text(text)
    (tmp_path / "app[1].log-20261128.gz").write_bytes(gzip.compress(2 * text.encode()))
    (tmp_path / "other.log").write_text(text)
    logs = [{"path": str(log)}]
    found = card_numbers._in_logs(env_with(application={"logs": logs}))
    assert found.places == 3
    assert {Path(k).name: n for k, n in found.found.items()} == {
        "app[1].log.1": 1,
        "app[1].log-20261128.gz": 2,
    }
    assert found.unseen == ()


# -- D-9.2.3 ------------------------------------------------------------------------------------

DECLARED = Compliance(
    frameworks=["GDPR", "SOC 2"],
    criteria=["CC6.1", "A1.2"],
    entity="Shop Ltd",
    system="Shop v2",
    issuers=["Auditor"],
)
MATRIX = ControlMatrix(
    assessed_on=date(2026, 10, 1),
    access_reviewed_on=date(2026, 11, 1),
    controls=[
        Control(
            criterion=criterion,
            category="security",
            control="keys",
            owner="sanjay",
            evidence=f"https://wiki.example/{criterion}",
            is_met=True,
        )
        for criterion in DECLARED.criteria
    ],
)
LINKS = EvidenceLinks({c.evidence: 200 for c in MATRIX.controls})


def merged(number: int, *approvals: str) -> PullRequest:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return PullRequest(
        number, "x", "", "ada", "closed", at, "bob", "c0", approvals=approvals, objections=()
    )


def soc_2(judged: Judged, matrix: ControlMatrix = MATRIX, **more: Any) -> Claim | None:
    facts: dict[str, Any] = {
        "papers": Shelf(matrix),
        "control_evidence": LINKS,
        "pull_requests": (merged(1, "bob", "cyd"),),
        "deliverables": Seen(written=["D-13.2"]),
        "context": context(),
        "env": SimpleNamespace(compliance=DECLARED),
        "today": TODAY,
    }
    return judged("D-9.2.3", **facts | more)


def test_controls_in_order_are_green(judged: Judged) -> None:
    assert soc_2(judged) is None


def one_control(**changes: Any) -> dict[str, Any]:
    return {"controls": [changed(MATRIX.controls[0], **changes), MATRIX.controls[1]]}


@pytest.mark.parametrize(
    ("matrix", "more", "broken"),
    [
        ({"assessed_on": date(2026, 6, 1)}, {}, "gap assessment made: 183 d ago"),
        ({"access_reviewed_on": date(2026, 8, 1)}, {}, "access reviewed: 122 d ago"),
        ({"access_reviewed_on": date(2026, 12, 5)}, {}, "days since both: -4"),
        ({"controls": MATRIX.controls[:1]}, {}, "criteria: CC6.1; missing A1.2"),
        (one_control(owner="nobody"), {}, "without an owner on the roster: CC6.1: nobody"),
        (one_control(is_met=False), {}, "unmet criteria without an accepted plan: CC6.1"),
        (one_control(is_met=False, plan="soon"), {}, "without an accepted plan: CC6.1"),
        (
            {},
            {"control_evidence": EvidenceLinks({c.evidence: 404 for c in MATRIX.controls})},
            "evidence that is not there: https://wiki.example/CC6.1 (status 404)",
        ),
        ({}, {"pull_requests": (merged(1, "bob"),)}, "approvals of the last merges: #1 1"),
        ({}, {"pull_requests": ()}, "approvals of the last merges: nothing was measured"),
        (
            {},
            {"deliverables": Seen("D-13.2", written=["D-13.2"])},
            "verdicts that are not green: D-13.2",
        ),
    ],
)
def test_soc_2_each_clause(
    judged: Judged, matrix: dict[str, Any], more: dict[str, Any], broken: str
) -> None:
    assert broken in str(soc_2(judged, changed(MATRIX, **matrix), **more))


def test_an_unmet_criterion_with_an_accepted_plan_is_green(judged: Judged) -> None:
    plan = one_control(is_met=False, plan="by hand until May", plan_accepted_by="sanjay")
    assert soc_2(judged, changed(MATRIX, **plan)) is None


def test_only_the_newest_merges_count(judged: Judged) -> None:
    newest = tuple(merged(n, "bob", "cyd") for n in range(2, 22))
    assert soc_2(judged, pull_requests=(merged(1), *newest)) is None
    assert soc_2(judged, pull_requests=(merged(1), *newest[1:])) is not None


# -- D-9.D.2 ------------------------------------------------------------------------------------


def certificate(framework: Any, **changes: Any) -> Certificate:
    known = Certificate(
        framework=framework,
        issuer="Auditor",
        legal_entity="Shop Ltd",
        system="Shop v2",
        valid_until=date(2027, 6, 1),
        certificate=f"certificates/{framework}.pdf",
        certificate_sha256="a" * 64,
    )
    return changed(known, **changes)


def certified(judged: Judged, *there: Certificate, **more: Any) -> Claim | None:
    paper = Certificates(
        legal_entity="Shop Ltd",
        system="Shop v2",
        authorised_issuers=["Auditor"],
        certificates=list(there) or [certificate("GDPR"), certificate("SOC 2")],
    )
    facts: dict[str, Any] = {
        "papers": Shelf(paper),
        "deliverables": Seen(written=["D-9.2.1"]),
        "context": context(),
        "env": SimpleNamespace(compliance=DECLARED),
    }
    return judged("D-9.D.2", **facts | more)


def test_certificates_in_order_are_green(judged: Judged) -> None:
    seen = Seen(written=["D-9.2.1", "D-9.2.3"])
    assert certified(judged, deliverables=seen) is None
    assert seen.asked == ("D-9.2.1", "D-9.2.3")  # all that have a check


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"issuer": "Somebody"}, "issuers who may not certify: GDPR: Somebody"),
        ({"legal_entity": "Other Ltd"}, "not for Shop v2 of Shop Ltd: GDPR: Shop v2 of Other Ltd"),
        ({"system": "Shop v1"}, "GDPR: Shop v1 of Shop Ltd"),
        ({"valid_until": date(2027, 1, 1)}, "valid past launch day: GDPR 25 d"),
        ({"certificate_sha256": "b" * 64}, "not those registered: certificates/GDPR.pdf"),
    ],
)
def test_certificates_each_clause(judged: Judged, changes: dict[str, Any], broken: str) -> None:
    claim = certified(judged, certificate("GDPR", **changes), certificate("SOC 2"))
    assert broken in str(claim)


def test_a_framework_without_certificate_counts_unless_it_is_excluded(judged: Judged) -> None:
    claim = certified(judged, certificate("GDPR"))
    assert "frameworks with a certificate: GDPR; missing SOC 2" in str(claim)
    for kind, excluded in (("not-applicable", True), ("waive", False)):
        exempt = SimpleNamespace(exemption=lambda _, k=kind: (SimpleNamespace(kind=k), ""))
        claim = certified(judged, certificate("GDPR"), context=context(statements=exempt))
        assert (claim is None) is excluded


def test_certificates_rest_on_what_they_certify(judged: Judged) -> None:
    claim = certified(judged, deliverables=Seen("D-9.2.1", written=["D-9.2.1"]))
    assert "verdicts that are not green: D-9.2.1" in str(claim)
