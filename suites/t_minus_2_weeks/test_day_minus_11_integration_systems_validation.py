"""Day -11: Integration Systems Validation (Integration Lead)."""

from __future__ import annotations

from golive.claims import holds, none_of
from golive.deliverables import Deliverables
from golive.items import derived, item
from golive.launch import Limits
from golive.probes.traffic.api_document import ApiDocument
from golive.probes.traffic.rate_limits import RateLimits

# -- API Integration Testing -------------------------------------------------------------------


@item("D-11.3.2")
def test_api_limits_hold_over_all_instances_and_never_for_webhooks(rate_limits: RateLimits) -> None:
    """A burst of a synthetic client against each declared class through the balancer, with a few
    requests of another one; once more when the window is over; signed events beyond every limit.

    Remedy: count in Redis, by class and client, not in an instance's memory. Send Retry-After and
    the rate headers with 429. Exempt the webhook's route, or events of payments are lost.
    """
    r, bursts, hooks = rate_limits, rate_limits.bursts, rate_limits.webhooks
    assert none_of("classes not exact", r.inexact, among=bursts, of="classes")
    assert none_of("bursts that missed an instance", r.on_few, among=bursts, of="bursts")
    assert none_of("classes that refuse nothing", r.not_refused, among=bursts, of="classes")
    assert none_of("classes that refuse with gaps", r.gaps, among=bursts, of="classes")
    assert none_of("refusals that tell too little", r.silent, among=bursts, of="classes")
    assert none_of("classes that fail under load", r.failed, among=bursts, of="classes")
    assert none_of("clients that stay refused", r.without_return, among=bursts, of="classes")
    assert none_of("classes of several clients", r.spread, among=bursts, of="classes")
    assert none_of("webhooks limited", r.limited_webhooks, among=hooks, of="webhooks")
    assert none_of("webhooks not taken", r.untaken_webhooks, among=hooks, of="webhooks")


@item("D-11.3.3")
def test_the_api_is_what_its_published_document_says(api_document: ApiDocument) -> None:
    """The OpenAPI document of each instance, of the developers' site and of the release before;
    the routes that the application has registered; its examples against their schemas; the
    changelog; every link, followed.

    Remedy: publish the candidate's document again. What it lacks belongs to the route that is
    named: its summary, models and errors. A difference that breaks clients goes into the
    changelog, or is taken back.
    """
    d, told, of = api_document, api_document.operations, "operations"
    known, routes = d.registered, "registered routes"
    assert none_of("instances of their own", d.of_its_own, among=d.instances, of="instances")
    assert none_of("differences of the published one", d.published, among=told, of=of)
    assert none_of("flaws by OpenAPI 3", d.flaws, among=told, of=of)
    assert none_of("routes not documented", d.untold, among=known, of=routes)
    assert none_of("operations not registered", d.imagined, among=told, of=of)
    assert none_of("operations without a summary", d.without_summary, among=told, of=of)
    assert none_of("authorisation not as documented", d.security, among=told, of=of)
    assert none_of("parameters not documented", d.parameters, among=told, of=of)
    assert none_of("successes not documented", d.successes, among=told, of=of)
    assert none_of("errors not documented", d.errors, among=told, of=of)
    assert none_of("examples refused", d.wrong_examples, among=d.examples, of="examples")
    assert holds("document of the release before", d.is_of_before, d.compared_with, d.before)
    assert none_of("breaks not in the changelog", d.unlisted, among=d.compared, of=of)
    broken, lost, n = d.links.broken, d.links.not_followed, d.links.followed
    assert none_of("links that lead nowhere", broken, among=n, of="links", may_be_empty=True)
    assert none_of("links not followed", lost, among=n, of="links", may_be_empty=True)


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
