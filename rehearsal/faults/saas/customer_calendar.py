"""Faults of the barbers' Google calendars: the client, its tokens, what reaches the calendar."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.parts.saas.google import CALLBACK_PATH, SCOPES, STAGING_CLIENT

TOUCHES = ["app/calendar"]

# -- the client and its tokens ---------------------------------------------------------------------


@fault(
    "calendar-client-of-staging",
    expect_fail=["D-11.2.1"],
    title="the application asks for calendars with the client of staging",
)
def calendar_client_of_staging(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"client_id": STAGING_CLIENT})


@fault(
    "calendar-redirect-to-the-old-host",
    expect_fail=["D-11.2.1"],
    title="Google sends barbers back to the old host",
)
def calendar_redirect_to_the_old_host(r: Rehearsal) -> None:
    old = f"https://old.bookedbarber.example{CALLBACK_PATH}"
    set_app_faults(r, calendar={"redirect_uri": old})
    r.override("integrations", google_redirects=[old])


@calendar_redirect_to_the_old_host.revert
def redirect_to_this_host(r: Rehearsal) -> None:
    set_app_faults(r, calendar=None)
    r.clear_override("integrations", "google_redirects")


@fault(
    "calendar-redirect-not-registered",
    expect_fail=["D-11.2.1"],
    touches=["integrations/google"],
    title="the redirect URI is not registered at Google",
)
def calendar_redirect_not_registered(r: Rehearsal) -> None:
    r.override("integrations", google_redirects=[])


@calendar_redirect_not_registered.revert
def register_the_redirect(r: Rehearsal) -> None:
    r.clear_override("integrations", "google_redirects")


@fault(
    "calendar-asks-for-too-much",
    expect_fail=["D-11.2.1"],
    title="the application asks for all of a barber's calendars",
)
def calendar_asks_for_too_much(r: Rehearsal) -> None:
    scope = f"{SCOPES[0]} https://www.googleapis.com/auth/calendar"
    set_app_faults(r, calendar={"scope": scope})


@fault(
    "calendar-token-revoked",
    expect_fail=["D-11.2.1"],
    touches=["integrations/google"],
    title="the refresh token of the calendar is revoked",
)
def calendar_token_revoked(r: Rehearsal) -> None:
    r.override("integrations", google_revoked=["calendar"])


@calendar_token_revoked.revert
def grant_it_again(r: Rehearsal) -> None:
    r.clear_override("integrations", "google_revoked")


@fault(
    "consent-screen-in-testing",
    expect_fail=["D-11.2.1"],
    touches=["integrations/google"],
    title="the consent screen is not published, so refresh tokens end after a week",
)
def consent_screen_in_testing(r: Rehearsal) -> None:
    r.override("integrations", google_testing=True)


@consent_screen_in_testing.revert
def publish_the_consent_screen(r: Rehearsal) -> None:
    r.clear_override("integrations", "google_testing")


# -- what reaches the calendar ---------------------------------------------------------------------


@fault(
    "calendar-without-time-zone",
    expect_fail=["D-11.2.1"],
    title="times go to the calendar without being converted to its zone",
)
def calendar_without_time_zone(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"times": "not converted"})


@fault(
    "calendar-by-todays-offset",
    expect_fail=["D-11.2.1"],
    title="times are converted by today's offset, which is wrong behind the clock change",
)
def calendar_by_todays_offset(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"times": "by today's offset"})


@fault("calendar-move-lost", expect_fail=["D-11.2.1"], title="a moved visit stays in the calendar")
def calendar_move_lost(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"lost": ["move"]})


@fault(
    "calendar-keeps-cancelled",
    expect_fail=["D-11.2.1"],
    title="a cancelled visit stays in the calendar",
)
def calendar_keeps_cancelled(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"lost": ["delete"]})


@fault("calendar-not-followed", expect_fail=["D-11.2.1"], title="nothing reaches the calendar")
def calendar_not_followed(r: Rehearsal) -> None:
    set_app_faults(r, calendar={"lost": ["add", "move", "delete"]})


@calendar_client_of_staging.revert
@calendar_asks_for_too_much.revert
@calendar_without_time_zone.revert
@calendar_by_todays_offset.revert
@calendar_move_lost.revert
@calendar_keeps_cancelled.revert
@calendar_not_followed.revert
def use_the_calendar_rightly(r: Rehearsal) -> None:
    set_app_faults(r, calendar=None)
