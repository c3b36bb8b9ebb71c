"""Day -11: its documents, on literal records."""

from __future__ import annotations

from typing import Any

import pytest

from golive.deliverables import documents_of
from golive.probes.money.till import Transaction
from golive.reports.documents import read_document
from golive.results import api_calls, integrations, payments
from golive.verdicts import ProbeError, Unseen
from tests.suites.derived import World
from tests.suites.recorded_facts import ENTRY, facts, operation, transaction

# -- D-11.D.2: the certificate of payments ---------------------------------------------------------


def test_the_certificate_lists_every_synthetic_transaction_with_its_amounts(world: World) -> None:
    world.in_order("D-11.D.2")
    assert world.broken("D-11.D.2") == ""
    document = read_document(documents_of(world.context)["D-11.D.2"])
    table = next(t for t in document.tables if t.title == payments.TRANSACTIONS)
    assert table.rows[1] == ["pi_2", "D-11.1.2", 3100.0, 3100.0, "succeeded"]
    assert [row[0] for row in table.rows] == ["pi_1", "pi_2", "pi_3", "pi_4"]


@pytest.mark.parametrize(
    ("item", "probe", "changes", "subject"),
    [
        (
            "D-11.1.4",
            "refund_drill",
            {"transactions": []},
            "items whose transactions are listed",
        ),
        (
            "D-11.1.4",
            "refund_drill",
            {"transactions": [transaction("pi_4", 3100, returned_cents=3000)]},
            "transactions not given back",
        ),
        (
            "D-11.1.4",
            "refund_drill",
            {"transactions": [transaction("pi_4", 0, "processing")]},
            "transactions not given back",
        ),
        (
            "D-11.1.5",
            "reconciliation",
            {"ledger": [{**ENTRY, "fee_cents": 121}]},
            payments.DIFFERENCE,
        ),
        (
            "D-11.1.1",
            "webhook_endpoints",
            {"all": [{"enabled": True, "api_version": "2020-08-27"}]},
            payments.VERSION,
        ),
        (
            "D-11.1.1",
            "webhook_endpoints",
            {
                "all": [
                    {"enabled": True, "api_version": "2026-10-28.endive"},
                    {"enabled": True, "api_version": ""},
                ]
            },
            payments.VERSION,
        ),
        ("D-11.1.1", "webhook_endpoints", {"all": []}, payments.VERSION),
    ],
)
def test_what_the_records_have_otherwise_makes_the_certificate_red(
    world: World, item: str, probe: str, changes: dict[str, Any], subject: str
) -> None:
    world.facts = facts(item, probe, **changes)
    world.in_order("D-11.D.2")
    assert world.broken("D-11.D.2") == subject


@pytest.mark.parametrize(
    "now",
    [
        Transaction("pi_4", 3100, 0, "succeeded"),
        Transaction("pi_4", 0, 0, "unknown to Stripe"),
        Transaction("pi_5", 3100, 3100, "succeeded"),
    ],
)
def test_a_transaction_that_stripe_has_otherwise_by_now_makes_it_red(
    world: World, now: Transaction
) -> None:
    assert isinstance(world.at_stripe, tuple)
    world.at_stripe = (*world.at_stripe[:-1], now)
    world.in_order("D-11.D.2")
    assert world.broken("D-11.D.2") == "transactions unlike Stripe's now"


@pytest.mark.parametrize(
    ("item", "probe", "subject"),
    [
        ("D-11.1.3", "payout_drill", "items whose transactions are listed"),
        ("D-11.1.5", "reconciliation", payments.DIFFERENCE),
        ("D-11.1.1", "webhook_endpoints", payments.VERSION),
    ],
)
def test_what_no_record_has_is_unseen_in_the_certificate(
    world: World, item: str, probe: str, subject: str
) -> None:
    world.facts = facts(item, probe)
    world.in_order("D-11.D.2")
    claims = world.claims("D-11.D.2")
    assert [c.subject for c in claims if c.broken] == []
    assert [c.subject for c in claims if c.unseen] == [subject]


def test_stripe_that_cannot_be_asked_is_unseen(world: World) -> None:
    world.at_stripe = Unseen(ProbeError("synthetic payments", "no answer"))
    world.in_order("D-11.D.2")
    claims = world.claims("D-11.D.2")
    assert [c.subject for c in claims if c.unseen] == ["transactions unlike Stripe's now"]


# -- D-11.D.3: the results of testing the API ------------------------------------------------------


def test_the_results_tell_calls_statuses_failures_and_p95_of_each_operation(world: World) -> None:
    world.in_order("D-11.D.3")
    assert world.broken("D-11.D.3") == ""
    document = read_document(documents_of(world.context)["D-11.D.3"])
    table = next(t for t in document.tables if t.title == api_calls.OPERATIONS)
    assert table.rows[0] == ["GET /health", 7.0, "200: 2, 405: 5", 0.0, 27.8]
    figures = {f.name: f.value for f in document.figures}
    assert (figures[api_calls.CALLS], figures[api_calls.FAILURES]) == (11.0, 0.0)


def test_every_answer_of_status_5xx_counts_as_a_failure(world: World) -> None:
    failing = operation("GET /me", calls=5, statuses={"200": 2, "500": 2, "503": 1})
    world.facts = facts("D-11.3.1", "api_run", operations=[operation("GET /health"), failing])
    world.in_order("D-11.D.3")
    assert world.broken("D-11.D.3") == ""
    document = read_document(documents_of(world.context)["D-11.D.3"])
    assert {f.name: f.value for f in document.figures}[api_calls.FAILURES] == 3.0


OTHER = operation("GET /me")


@pytest.mark.parametrize(
    ("item", "probe", "changes", "subject"),
    [
        ("D-11.3.1", "api_run", {"operations": []}, "operations in the results"),
        ("D-11.3.1", "api_run", {"document": 0}, api_calls.DOCUMENTED),
        ("D-11.3.1", "api_run", {"document": 3}, "operations with results"),
        (
            "D-11.3.3",
            "api_document",
            {"operations": 3},
            "operations by the document's own item",
        ),
        (
            "D-11.3.1",
            "api_run",
            {"operations": [OTHER, operation("GET /health", calls=0)]},
            "operations without a call",
        ),
        (
            "D-11.3.1",
            "api_run",
            {"operations": [OTHER, operation("GET /health", p95_ms=None)]},
            "operations not measured",
        ),
        ("D-11.3.1", "api_run", {"tag": "v1.9.0"}, api_calls.RELEASE),
    ],
)
def test_what_the_raw_record_lacks_makes_the_results_red(
    world: World, item: str, probe: str, changes: dict[str, Any], subject: str
) -> None:
    world.facts = facts(item, probe, **changes)
    world.in_order("D-11.D.3")
    assert world.broken("D-11.D.3") == subject


def test_results_without_a_raw_record_are_unseen(world: World) -> None:
    world.facts = facts("D-11.3.1", "api_run")
    world.in_order("D-11.D.3")
    claims = world.claims("D-11.D.3")
    assert [c.subject for c in claims if c.broken] == []
    assert "operations in the results" in [c.subject for c in claims if c.unseen]


# -- D-11.D.1: the report of the integrations ------------------------------------------------------


def test_the_report_tells_account_and_mode_of_each_integration(world: World) -> None:
    world.in_order("D-11.D.1")
    assert world.broken("D-11.D.1") == ""
    document = read_document(documents_of(world.context)["D-11.D.1"])
    table = next(t for t in document.tables if t.title == integrations.ACCOUNTS)
    assert {str(row[0]): row[2:] for row in table.rows} == {
        "Stripe": ["acct_1", "test"],
        "Google Calendar": ["4711", "live"],
        "SendGrid": ["shop-live", "live"],
        "Twilio": ["AC1", "live"],
        "Google Business Profile": ["4712", "live"],
        "analytics": ["GTM-1, G-1, 99", "has no modes"],
    }


ACCOUNTS, MODES = "accounts unlike the declared ones", "modes unlike the declared ones"


@pytest.mark.parametrize(
    ("item", "probe", "changes", "subject"),
    [
        ("D-11.1.1", "webhook_endpoints", {"account": "acct_staging"}, ACCOUNTS),
        (
            "D-11.1.1",
            "webhook_endpoints",
            {"all": [{"enabled": True, "livemode": True, "api_version": "1"}]},
            MODES,
        ),
        ("D-11.2.1", "calendar_client", {"client_id": "1-b.apps.googleusercontent.com"}, ACCOUNTS),
        ("D-11.2.1", "calendar_grant", {"refresh_lives_s": 604_800.0}, MODES),
        ("D-11.2.2", "customer_mail_account", {"name": "shop-staging"}, ACCOUNTS),
        ("D-11.2.2", "customer_mail_account", {"plan": "free"}, MODES),
        ("D-11.2.3", "customer_sms_account", {"sid": "AC2"}, ACCOUNTS),
        ("D-11.2.3", "customer_sms_account", {"kind": "Trial"}, MODES),
        ("D-11.2.4", "profile_grant", {"client_id": "4711-a.apps"}, ACCOUNTS),
        ("D-11.2.4", "profile_grant", {"failure": "invalid_grant"}, MODES),
        ("D-11.2.5", "analytics_visits", {"containers": ["GTM-1", "GTM-2"]}, ACCOUNTS),
    ],
)
def test_another_account_or_mode_than_declared_makes_the_report_red(
    world: World, item: str, probe: str, changes: dict[str, Any], subject: str
) -> None:
    world.facts = facts(item, probe, **changes)
    world.in_order("D-11.D.1")
    assert world.broken("D-11.D.1") == subject


def test_an_account_without_record_or_declaration_is_unseen(world: World) -> None:
    world.facts = facts("D-11.2.2", "customer_mail_account")
    world.in_order("D-11.D.1")
    claims = world.claims("D-11.D.1")
    assert [c.subject for c in claims if c.broken] == []
    assert [c.subject for c in claims if c.unseen] == [ACCOUNTS, MODES]


def test_an_undeclared_account_is_unseen_and_says_what_to_declare(world: World) -> None:
    world.in_order("D-11.D.1")
    env = world.fixtures()["env"]
    env.stripe.account = Unseen(ProbeError("stripe.account", "it is not declared", "declare it"))
    claims = world.claims("D-11.D.1", env=env)
    assert [c.subject for c in claims if c.unseen] == [ACCOUNTS]
