"""Faults of what documents tell beyond verdicts: results left out, figures embellished, secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.documents import _figure, _table
from rehearsal.faults.people.handed_over import PAPERS, alter, put_back
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.launch_tools import PREVIOUS

Change = Callable[[dict[str, Any]], object]


def _altered(name: str, item: str, title: str, change: Change) -> None:
    """A fault: the document of an item was altered and then signed."""
    paper = next(one for one in PAPERS if one.item == item)

    @fault(
        name,
        expect_fail=[item],
        touches=[f"documents/{paper.kind}"],
        title=title,
        waits_for=[paper.waits_for] if paper.waits_for else [],
    )
    def alter_it(r: Rehearsal) -> None:
        alter(r, paper, change)

    alter_it.revert(lambda r: put_back(r, paper))


def _set(name: str, value: object) -> Change:
    return lambda data: _figure(data, name).update(value=value)


# -- the configuration validation report -----------------------------------------------------------

CONFIGURATION = "D-12.D.2"
_altered(
    "configuration-report-without-a-verdict",
    CONFIGURATION,
    "the configuration report lacks the verdict on drift",
    lambda d: d["verdicts"].pop(),
)
_altered(
    "configuration-report-without-a-key",
    CONFIGURATION,
    "the configuration report leaves out the result of one variable",
    lambda d: _table(d, "Variables by key")["rows"].pop(),
)


def _without_an_instance(data: dict[str, Any]) -> None:
    table = _table(data, "Variables by key")
    for cells in (table["columns"], *table["rows"]):
        cells.pop()


_altered(
    "configuration-report-without-an-instance",
    CONFIGURATION,
    "the configuration report leaves out one of the instances",
    _without_an_instance,
)
_altered(
    "configuration-report-with-an-open-key",
    CONFIGURATION,
    "the configuration report has no result of a variable on one instance",
    lambda d: _table(d, "Variables by key")["rows"][0].__setitem__(-1, "not measured"),
)
_altered(
    "configuration-report-with-drift",
    CONFIGURATION,
    "the configuration report counts two differences from git",
    _set("differences from git", 2.0),
)
_altered(
    "configuration-report-without-a-rollback",
    CONFIGURATION,
    "the configuration report does not tell how long a rollback took",
    _set("a change and its rollback", "quick"),
)
_altered(
    "configuration-report-of-a-slow-rollback",
    CONFIGURATION,
    "the configuration report tells a rollback of 16 minutes",
    _set("a change and its rollback", 16.0),
)


@fault(
    "configuration-report-with-a-secret",
    expect_fail=[CONFIGURATION],
    touches=["documents/configuration-validation-report"],
    title="the token of the feature flag service stands in the configuration report",
)
def configuration_report_with_a_secret(r: Rehearsal) -> None:
    token = r.secret("flags-admin-token")
    alter(r, _CONFIGURATION, lambda d: d.update(summary=f"Flags were read with {token}."))


_CONFIGURATION = next(one for one in PAPERS if one.item == CONFIGURATION)
configuration_report_with_a_secret.revert(lambda r: put_back(r, _CONFIGURATION))


# -- the deployment artefacts ----------------------------------------------------------------------

_altered(
    "artifacts-document-without-a-verdict",
    "D-12.D.1",
    "the document of the deployment artefacts lacks the verdict on quotas",
    lambda d: d["verdicts"].pop(),
)


# -- the payment certificate -----------------------------------------------------------------------

CERTIFICATE = "D-11.D.2"


def _rows(data: dict[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = _table(data, "Synthetic transactions")["rows"]
    return rows


def _without_refunds(data: dict[str, Any]) -> None:
    _rows(data)[:] = [row for row in _rows(data) if row[1] != "D-11.1.4"]


_altered(
    "payment-certificate-without-a-verdict",
    CERTIFICATE,
    "the payment certificate lacks the verdict on the reconciliation",
    lambda d: d["verdicts"].pop(),
)
_altered(
    "payment-certificate-without-refunds",
    CERTIFICATE,
    "the payment certificate leaves out the transactions that refunds were tried with",
    _without_refunds,
)
_altered(
    "payment-certificate-with-a-kept-charge",
    CERTIFICATE,
    "the payment certificate lists a charge that was given back in part",
    lambda d: _rows(d)[-1].__setitem__(3, _rows(d)[-1][3] - 100),
)
_altered(
    "payment-certificate-of-a-made-up-charge",
    CERTIFICATE,
    "the payment certificate lists a transaction that Stripe does not know",
    lambda d: _rows(d)[-1].__setitem__(0, "pi_made_up"),
)
_altered(
    "payment-certificate-a-cent-off",
    CERTIFICATE,
    "the payment certificate tells a reconciliation that differs by a cent",
    _set("reconciliation difference", 1.0),
)
_altered(
    "payment-certificate-of-another-api-version",
    CERTIFICATE,
    "the payment certificate is of another version of Stripe's API",
    _set("version of Stripe's API", "2024-06-20"),
)


# -- the results of testing the API ----------------------------------------------------------------

API = "D-11.D.3"


def _operations(data: dict[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = _table(data, "Operations")["rows"]
    return rows


_altered(
    "api-results-without-a-verdict",
    API,
    "the API's results lack the verdict on monitoring",
    lambda d: d["verdicts"].pop(),
)
_altered(
    "api-results-without-an-operation",
    API,
    "the API's results leave out one operation",
    lambda d: _operations(d).pop(),
)
_altered(
    "api-results-with-an-idle-operation",
    API,
    "the API's results have an operation that was never called",
    lambda d: _operations(d)[0].__setitem__(1, 0.0),
)
_altered(
    "api-results-without-a-p95",
    API,
    "the API's results do not tell the p95 of an operation",
    lambda d: _operations(d)[0].__setitem__(4, "not measured"),
)
_altered(
    "api-results-with-another-failure-count",
    API,
    "the API's results count a failure that the run has not on record",
    lambda d: _operations(d)[0].__setitem__(3, 1.0),
)
_altered(
    "api-results-with-another-total",
    API,
    "the API's results tell more calls in all than there were",
    _set("calls in all", 1_000_000.0),
)
_altered(
    "api-results-with-another-document",
    API,
    "the API's results count more operations in the document than it has",
    _set("operations of the API's document", 44_000.0),
)
_altered(
    "api-results-of-another-release",
    API,
    "the API's results are of a run against the release before",
    _set("release that was called", PREVIOUS),
)


# -- the integrations' readiness report ------------------------------------------------------------

INTEGRATIONS = "D-11.D.1"


def _integrations(data: dict[str, Any]) -> dict[str, list[Any]]:
    return {row[0]: row for row in _table(data, "Accounts and modes")["rows"]}


_altered(
    "integrations-report-without-a-verdict",
    INTEGRATIONS,
    "the integrations' report lacks the verdict on monitoring",
    lambda d: d["verdicts"].pop(),
)
_altered(
    "integrations-report-without-an-integration",
    INTEGRATIONS,
    "the integrations' report does not tell whose account mail is sent from",
    lambda d: _table(d, "Accounts and modes")["rows"].remove(_integrations(d)["SendGrid"]),
)
_altered(
    "integrations-report-of-the-staging-account",
    INTEGRATIONS,
    "the integrations' report is about the staging account of SendGrid",
    lambda d: _integrations(d)["SendGrid"].__setitem__(2, "bookedbarber-staging"),
)
_altered(
    "integrations-report-of-live-payments",
    INTEGRATIONS,
    "the integrations' report has Stripe in live mode, where payments are tests",
    lambda d: _integrations(d)["Stripe"].__setitem__(3, "live"),
)
