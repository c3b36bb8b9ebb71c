"""Day -10: Load Testing Final Run (Performance Lead)."""

from __future__ import annotations

from golive.deliverables import Deliverables
from golive.items import derived
from golive.launch import Limits

# -- Deliverables ------------------------------------------------------------------------------


@derived("D-10.2.1")
def test_response_times_under_load_are_below_the_limit(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdict of D-10.1.1 and what its load run measured.

    Remedy: run what is missing, too old or red.
    """
    document = deliverables.of("D-10.2.1", "response-time-analysis", ("D-10.1.1",), signers=())
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "p95 of every key endpoint, of at least 1,000 samples, from merged histograms",
            "clients and servers within 20 %",
            "failed requests counted",
        ),
    ):
        assert claim


@derived("D-10.2.2")
def test_no_component_runs_out_under_load(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdict of D-10.1.1 and what the metrics of its hold window say of every
    component.

    Remedy: run what is missing, too old or red.
    """
    document = deliverables.of(
        "D-10.2.2", "resource-utilization-analysis", ("D-10.1.1",), signers=()
    )
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "CPU, memory, disk, descriptors and swap of every component over the hold window",
            "load between instances within 20 %",
        ),
    ):
        assert claim


@derived("D-10.2.3")
def test_what_limits_the_system_first_is_known_and_early_limits_are_gone(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdict of D-10.1.2 and what its stress run says of the resource that ran out
    first.

    Remedy: run what is missing, too old or red.
    """
    document = deliverables.of("D-10.2.3", "bottleneck-identification", ("D-10.1.2",), signers=())
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "the first limiting resource with its load level",
            "a closed issue, commit and later run for each limit reached below 150 % of peak",
        ),
    ):
        assert claim


@derived("D-10.D.1")
def test_the_load_test_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-10.1, all on this candidate, made into the report and compared with
    it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-10.D.1", "load-testing-report", ("D-10.1",))
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "figures of each run, recomputed from raw records within 1 %",
            "a scale factor of 1",
            "failed runs",
        ),
    ):
        assert claim


@derived("D-10.D.2")
def test_every_limit_has_a_recommendation_that_is_decided(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-10.2, made into the recommendations and compared with them; the
    signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-10.D.2", "performance-optimization-recommendations", ("D-10.2",))
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "a decided recommendation for each limiting resource",
            "the same for each metric between target and threshold",
        ),
    ):
        assert claim


@derived("D-10.D.3")
def test_every_tier_has_room_for_the_launch_peak(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-10.1.1 and D-10.1.2, made into the document and compared with it;
    the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-10.D.3", "capacity-planning-validation", ("D-10.1.1", "D-10.1.2"))
    for claim in document.claims(
        max_age_h=limits.documents.drill_age_h,
        not_judged=(
            "sustainable throughput at least 1.5 times the forecast",
            "the limit of every tier against 10,000 users plus 50 %",
        ),
    ):
        assert claim
