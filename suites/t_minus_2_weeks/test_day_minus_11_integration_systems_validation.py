"""Day -11: Integration Systems Validation (Integration Lead)."""

from __future__ import annotations

from golive.deliverables import Deliverables
from golive.items import derived
from golive.launch import Limits

# -- Deliverables ------------------------------------------------------------------------------


@derived("D-11.D.1")
def test_the_integrations_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1 to D-11.3, made into the report and compared with it; the
    signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of(
        "D-11.D.1", "integration-systems-readiness-report", ("D-11.1", "D-11.2", "D-11.3")
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        not_judged=("account and mode of each integration, as the environment declares them",),
    ):
        assert claim


@derived("D-11.D.2")
def test_payments_are_certified_and_finance_signs_too(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1, all on this candidate, made into the certificate and compared
    with it; the signatures of the Integration Lead and of finance.

    Remedy: run what is missing, too old or red. Then both read the certificate and sign it.
    """
    document = deliverables.of(
        "D-11.D.2",
        "payment-system-validation-certificate",
        ("D-11.1",),
        signers=("integration_lead", "finance"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "synthetic transactions by id, each refunded or cleaned",
            "a reconciliation difference of 0 cents",
            "one version of Stripe's API",
        ),
    ):
        assert claim


@derived("D-11.D.3")
def test_the_api_results_are_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.3, all on this candidate, made into the results and compared
    with them; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-11.D.3", "api-testing-results", ("D-11.3",))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "calls, statuses, failures and p95 of every operation of the API, from the raw record",
        ),
    ):
        assert claim
