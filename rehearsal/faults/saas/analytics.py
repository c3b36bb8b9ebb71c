"""Faults of what measures visits."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.parts.saas.collectors import STAGING_CONTAINER, STAGING_MEASUREMENT, STAGING_PIXEL

TOUCHES = ["app/analytics"]

# -- consent ---------------------------------------------------------------------------------------


@fault(
    "analytics-before-consent",
    expect_fail=["D-11.2.5"],
    title="visits are measured before anybody agreed",
)
def analytics_before_consent(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"measure": "always"})


@fault(
    "analytics-after-refusal", expect_fail=["D-11.2.5"], title="visits are measured after a refusal"
)
def analytics_after_refusal(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"measure": "refused"})


# -- events ----------------------------------------------------------------------------------------


@fault("purchase-event-doubled", expect_fail=["D-11.2.5"], title="the purchase event is sent twice")
def purchase_event_doubled(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"paid": {"times": 2}})


@fault(
    "purchase-event-without-currency",
    expect_fail=["D-11.2.5"],
    title="the purchase event has no currency",
)
def purchase_event_without_currency(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"paid": {"currency": ""}})


@fault(
    "purchase-ids-all-the-same",
    expect_fail=["D-11.2.5"],
    title="all purchases have one transaction id",
)
def purchase_ids_all_the_same(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"paid": {"transaction_id": "order"}})


@fault(
    "analytics-with-email",
    expect_fail=["D-11.2.5"],
    title="events carry the customer's e-mail address",
)
def analytics_with_email(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"with_email": True})


@fault(
    "policy-blocks-the-pixel",
    expect_fail=["D-11.2.5"],
    title="the pages' policy lets no hit of Meta's pixel leave",
)
def policy_blocks_the_pixel(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"images_blocked": True})


# -- ids -------------------------------------------------------------------------------------------


@fault(
    "tag-container-of-staging",
    expect_fail=["D-11.2.5"],
    title="pages load the container of staging",
)
def tag_container_of_staging(r: Rehearsal) -> None:
    set_app_faults(r, analytics={"container": STAGING_CONTAINER})


@analytics_before_consent.revert
@analytics_after_refusal.revert
@purchase_event_doubled.revert
@purchase_event_without_currency.revert
@purchase_ids_all_the_same.revert
@analytics_with_email.revert
@policy_blocks_the_pixel.revert
@tag_container_of_staging.revert
def measure_rightly(r: Rehearsal) -> None:
    set_app_faults(r, analytics=None)


@fault(
    "measurement-id-of-staging",
    expect_fail=["D-11.2.5"],
    touches=["integrations/analytics"],
    title="GA4 hits go to staging's measurement id",
)
def measurement_id_of_staging(r: Rehearsal) -> None:
    r.override("integrations", analytics_measurement=STAGING_MEASUREMENT)


@measurement_id_of_staging.revert
def measure_this_environment(r: Rehearsal) -> None:
    r.clear_override("integrations", "analytics_measurement")


@fault(
    "pixel-of-staging",
    expect_fail=["D-11.2.5"],
    touches=["integrations/analytics"],
    title="Meta hits go to staging's pixel",
)
def pixel_of_staging(r: Rehearsal) -> None:
    r.override("integrations", analytics_pixel=STAGING_PIXEL)


@pixel_of_staging.revert
def use_this_pixel(r: Rehearsal) -> None:
    r.clear_override("integrations", "analytics_pixel")
