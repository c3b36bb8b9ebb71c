"""Faults of the shops' profiles at Google."""

from __future__ import annotations

from typing import Any

from rehearsal.app.public_booking import DAYS
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.business_profile import LOCATIONS

TOUCHES = ["integrations/profile"]
FIRST, SECOND = LOCATIONS


def change(r: Rehearsal, **settings: Any) -> None:
    """Put other values in place of what the profiles say."""
    r.override("integrations", **{f"profile_{name}": value for name, value in settings.items()})


def restore(r: Rehearsal, *names: str) -> None:
    """Back to the defaults."""
    r.clear_override("integrations", *(f"profile_{name}" for name in names))


@fault("profile-quota-zero", expect_fail=["D-11.2.4"], title="the quota of the profiles' API is 0")
def profile_quota_zero(r: Rehearsal) -> None:
    change(r, quota=0)


@profile_quota_zero.revert
def approve_the_project(r: Rehearsal) -> None:
    restore(r, "quota")


@fault(
    "profile-token-revoked",
    expect_fail=["D-11.2.4"],
    title="the refresh token of the profiles' account is revoked",
)
def profile_token_revoked(r: Rehearsal) -> None:
    r.override("integrations", google_revoked=["profile"])


@profile_token_revoked.revert
def grant_it_again(r: Rehearsal) -> None:
    r.clear_override("integrations", "google_revoked")


@fault("profile-of-a-shop-gone", expect_fail=["D-11.2.4"], title="a shop has no profile")
def profile_of_a_shop_gone(r: Rehearsal) -> None:
    change(r, gone=[SECOND])


@profile_of_a_shop_gone.revert
def make_the_profile(r: Rehearsal) -> None:
    restore(r, "gone")


@fault("profile-not-verified", expect_fail=["D-11.2.4"], title="a shop's profile is not verified")
def profile_not_verified(r: Rehearsal) -> None:
    change(r, unverified=[SECOND])


@profile_not_verified.revert
def verify_the_profile(r: Rehearsal) -> None:
    restore(r, "unverified")


@fault(
    "profile-with-other-hours",
    expect_fail=["D-11.2.4"],
    title="a profile closes an hour later than the shop",
)
def profile_with_other_hours(r: Rehearsal) -> None:
    periods = [
        {
            "openDay": day.upper(),
            "openTime": {"hours": 9},
            "closeDay": day.upper(),
            "closeTime": {"hours": 19},
        }
        for day in DAYS
    ]
    change(r, fields={SECOND: {"regularHours": {"periods": periods}}})


@fault("profile-with-another-phone", expect_fail=["D-11.2.4"], title="a profile has an old phone")
def profile_with_another_phone(r: Rehearsal) -> None:
    change(r, fields={SECOND: {"phoneNumbers": {"primaryPhone": "(212) 555-0199"}}})


@fault(
    "profile-in-another-state",
    expect_fail=["D-11.2.4"],
    title="a profile has the address of a shop in another time zone",
)
def profile_in_another_state(r: Rehearsal) -> None:
    address = {
        "regionCode": "US",
        "postalCode": "60601",
        "administrativeArea": "IL",
        "locality": "Chicago",
        "addressLines": ["102 Main St"],
    }
    change(r, fields={SECOND: {"storefrontAddress": address}})


@profile_with_other_hours.revert
@profile_with_another_phone.revert
@profile_in_another_state.revert
def correct_the_profile(r: Rehearsal) -> None:
    restore(r, "fields")


@fault(
    "booking-link-to-the-old-host",
    expect_fail=["D-11.2.4"],
    title="a profile's booking link leads to the old host",
)
def booking_link_to_the_old_host(r: Rehearsal) -> None:
    change(r, links={SECOND: "https://old.bookedbarber.test/book"})


@fault(
    "booking-link-to-no-page",
    expect_fail=["D-11.2.4"],
    title="a profile's booking link leads to no page",
)
def booking_link_to_no_page(r: Rehearsal) -> None:
    change(r, links={SECOND: "https://www.bookedbarber.test/book/no-such-shop"})


@booking_link_to_the_old_host.revert
@booking_link_to_no_page.revert
def link_to_this_host(r: Rehearsal) -> None:
    restore(r, "links")


@fault("reviews-refused", expect_fail=["D-11.2.4"], title="Google refuses to tell the reviews")
def reviews_refused(r: Rehearsal) -> None:
    change(r, reviews=False)


@reviews_refused.revert
def tell_the_reviews(r: Rehearsal) -> None:
    restore(r, "reviews")
