"""Vendors' support: what the roster tells of it, and whether that is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from golive.claims import Claim
from golive.environments import Environment
from golive.papers.kinds import VendorSupport
from golive.people.roster import Roster, Vendor
from golive.probes.money.stripe import StripeAccount, stripe_account
from golive.probes.people import vendors
from golive.probes.people.mail import SendingAccount
from golive.probes.people.vendors import Portals, left_open
from golive.probes.saas.launch_tools import Hosting, Manifest
from golive.verdicts import ProbeError
from tests.conftest import SECRET, toml
from tests.golive.probes.answering import Service, answering
from tests.golive.probes.conftest import Shelf

EnvWith = Callable[..., Environment]
Judged = Callable[..., Claim | None]
TODAY = date(2026, 12, 1)
SHOWN = date(2026, 11, 1)
RENDER = Vendor(
    id="render",
    name="Render Support",
    phone="+12025550190",
    portal="https://render.example/support",
    sla_hours=1,
    account="wks-1",
    services=["srv-1", "srv-2"],
)
STRIPE = replace(RENDER, id="stripe", name="Stripe Support", sla_hours=2, account="acct_1")
SENDGRID = replace(
    RENDER,
    id="sendgrid",
    name="SendGrid Support",
    sla_hours=4,
    account="sg",
    services=["m.example"],
)
SUPPORT = VendorSupport(
    vendor="render",
    plan="Professional",
    response_hours=1,
    account="wks-1",
    shown_by="contract page",
    shown_on=SHOWN,
    reference="https://render.example/plan",
)
MANIFEST = Manifest("v2", "v1", "c0", [], Hosting("wks-1", ("srv-1", "srv-2")))
USED = SendingAccount("sg", ("m.example",), "m.example")
OPEN = Portals({"render": 200, "stripe": 200, "sendgrid": 200})


def facts(
    vendor: Vendor, support: VendorSupport, portals: Portals = OPEN, **more: Any
) -> dict[str, Any]:
    """What an item about one vendor looks at."""
    return {
        "roster": Roster(Path("roster.toml"), {}, {vendor.id: vendor}, ()),
        "papers": Shelf(**{f"vendor_{support.vendor}": support}),
        "vendor_portals": portals,
        "today": TODAY,
        **more,
    }


def test_everything_as_promised_is_green(judged: Judged) -> None:
    assert judged("CO.6", **facts(RENDER, SUPPORT, release_manifest=MANIFEST)) is None
    support = replace(SUPPORT, vendor="stripe", account="acct_1", response_hours=2)
    live = StripeAccount("acct_1", "pay@example.com", takes_charges=True)
    assert judged("CO.7", **facts(STRIPE, support, stripe_account=live)) is None
    support = replace(SUPPORT, vendor="sendgrid", account="sg", response_hours=4)
    assert judged("CO.8", **facts(SENDGRID, support, sending_account=USED)) is None


@pytest.mark.parametrize(
    ("vendor", "support", "broken"),
    [
        ({"sla_hours": 4}, {}, "SLA of Render Support on the roster: 4; required 1"),
        ({"sla_hours": None}, {}, "fields of Render Support still to fill in: sla_hours"),
        ({"phone": "(202) 555"}, {}, "still to fill in: phone"),
        ({"portal": "[address]", "email": "[mail]"}, {}, "still to fill in: email or portal"),
        ({"account": "[workspace]"}, {}, "still to fill in: account"),
        ({"services": ["srv-1", "srv-9"]}, {}, "services to quote: srv-1, srv-9"),
        ({"account": "wks-2"}, {"account": "wks-2"}, "workspace to quote: wks-2"),
        ({}, {"account": "wks-2"}, "account that the plan is for: wks-2"),
        ({}, {"response_hours": 4}, "response by plan Professional: 4 h; required at most 1 h"),
        ({}, {"shown_on": date(2026, 9, 1)}, "shown: 91 d ago; required at most 90 d ago"),
        ({}, {"shown_on": date(2026, 12, 2)}, "time since it was shown: -1 d"),
        ({}, {"vendor": "stripe"}, ""),
    ],
)
def test_render_each_clause(
    judged: Judged, vendor: dict[str, Any], support: dict[str, Any], broken: str
) -> None:
    entry = replace(RENDER, **vendor)
    found = facts(entry, SUPPORT, release_manifest=MANIFEST)
    found["papers"] = Shelf(vendor_render=replace(SUPPORT, **support))
    claim = judged("CO.6", **found)
    assert claim is not None
    assert (broken or "vendor in its paper: stripe") in str(claim)


def test_a_portal_that_is_gone_and_a_vendor_that_nobody_entered(judged: Judged) -> None:
    gone = Portals({"render": 404})
    claim = judged("CO.6", **facts(RENDER, SUPPORT, gone, release_manifest=MANIFEST))
    assert "portals of Render Support that do not answer" in str(claim)
    assert "status 404" in str(claim)
    claim = judged("CO.6", **facts(STRIPE, SUPPORT, release_manifest=MANIFEST))
    assert "entries of render on the roster: 0" in str(claim)


def test_another_stripe_account_and_domain(judged: Judged) -> None:
    support = replace(SUPPORT, vendor="stripe", account="acct_1", response_hours=2)
    live = StripeAccount("acct_2", "", takes_charges=True)
    claim = judged("CO.7", **facts(STRIPE, support, stripe_account=live))
    assert str(claim) == "account to quote: acct_1; required acct_2"
    support = replace(SUPPORT, vendor="sendgrid", account="sg", response_hours=4)
    for used, broken in (
        (SendingAccount("other", ("m.example",), "m.example"), "account to quote: sg"),
        (SendingAccount("sg", ("n.example",), "n.example"), "sending domains to quote: m.example"),
        (SendingAccount("sg", ("m.example",), "o.example"), "not authenticated: o.example"),
    ):
        claim = judged("CO.8", **facts(SENDGRID, support, sending_account=used))
        assert broken in str(claim)


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        yield service


def test_fields_with_placeholders_are_open() -> None:
    assert left_open(RENDER) == []
    blank = Vendor(id="x", name="[Name]")
    assert left_open(blank) == ["name", "phone", "email or portal", "sla_hours", "account"]


def test_portals_are_asked(env_with: EnvWith, service: Service, tmp_path: Path) -> None:
    service.says("/support", b"tickets")
    person = {"id": "a", "name": "Ada", "email": "a@example.com", "phone": "+12025550100"}
    rows = [
        {"id": "one", "name": "One", "portal": f"{service.url}/support"},
        {"id": "two", "name": "Two", "portal": f"{service.url}/gone"},
        {"id": "three", "name": "Three", "portal": "[address]"},
    ]
    folder = tmp_path / "suites" / "people"
    folder.mkdir(parents=True)
    (folder / "roster.toml").write_text(toml({"schema": 1, "person": [person], "vendor": rows}))
    found = vendors.vendor_portals(env_with())
    assert found.status == {"one": 200, "two": 404}
    assert found.closed(replace(RENDER, id="three", portal="[address]"))


def test_the_account_of_the_key_is_asked_of_stripe(env_with: EnvWith, service: Service) -> None:
    env = env_with(stripe={"url": service.url})
    service.says("/v1/account", {"object": "account", "id": "acct_7", "charges_enabled": True})
    with pytest.raises(ProbeError, match="the Stripe account"):
        stripe_account(env_with(stripe={"url": "http://127.0.0.1:1"}))
    account = {"email": "p@example.com", "charges_enabled": True}
    service.says("/v1/account", {"object": "account", "id": "acct_7", **account})
    assert stripe_account(env) == StripeAccount("acct_7", "p@example.com", takes_charges=True)
    assert {h["Authorization"] for h in service.headers} == {f"Bearer {SECRET}"}
    error = {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
    service.says("/v1/account", error, status=401)
    with pytest.raises(ProbeError, match="Invalid API Key") as reported:
        stripe_account(env)
    assert SECRET not in str(reported.value)
