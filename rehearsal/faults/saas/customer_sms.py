"""Faults of texts to customers: the account, its sender, callbacks, STOP."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults

TOUCHES = ["integrations/sms"]


def change(r: Rehearsal, **settings: Any) -> None:
    """Put other values in place of what the SMS service is set to."""
    r.override("integrations", **{f"sms_{name}": value for name, value in settings.items()})


def restore(r: Rehearsal, *names: str) -> None:
    """Back to the defaults."""
    r.clear_override("integrations", *(f"sms_{name}" for name in names))


# -- the account -----------------------------------------------------------------------------------


@fault("sms-account-trial", expect_fail=["D-11.2.3"], title="the SMS account is on trial")
def sms_account_trial(r: Rehearsal) -> None:
    change(r, type="Trial")


@sms_account_trial.revert
def pay_for_the_account(r: Rehearsal) -> None:
    restore(r, "type")


@fault("sms-account-suspended", expect_fail=["D-11.2.3"], title="the SMS account is suspended")
def sms_account_suspended(r: Rehearsal) -> None:
    change(r, status="suspended")


@sms_account_suspended.revert
def resume_the_account(r: Rehearsal) -> None:
    restore(r, "status")


@fault("sms-balance-low", expect_fail=["D-11.2.3"], title="the SMS balance lasts three days")
def sms_balance_low(r: Rehearsal) -> None:
    change(r, balance="102.00")


@sms_balance_low.revert
def pay_into_the_account(r: Rehearsal) -> None:
    restore(r, "balance")


# -- the sender ------------------------------------------------------------------------------------


@fault("sms-country-blocked", expect_fail=["D-11.2.3"], title="no texts to Canada are permitted")
def sms_country_blocked(r: Rehearsal) -> None:
    change(r, blocked=["CA"])


@sms_country_blocked.revert
def permit_the_country(r: Rehearsal) -> None:
    restore(r, "blocked")


@fault("sms-number-voice-only", expect_fail=["D-11.2.3"], title="our number is for calls only")
def sms_number_voice_only(r: Rehearsal) -> None:
    change(r, capable=False)


@sms_number_voice_only.revert
def use_a_number_for_texts(r: Rehearsal) -> None:
    restore(r, "capable")


@fault(
    "sms-registration-pending",
    expect_fail=["D-11.2.3"],
    title="the campaign that our number is registered with is still pending",
)
def sms_registration_pending(r: Rehearsal) -> None:
    change(r, campaign="PENDING")


@sms_registration_pending.revert
def approve_the_registration(r: Rehearsal) -> None:
    restore(r, "campaign")


# -- texts and callbacks ---------------------------------------------------------------------------


@fault("sms-not-delivered", expect_fail=["D-11.2.3"], title="texts are not delivered")
def sms_not_delivered(r: Rehearsal) -> None:
    change(r, delivers=False)


@sms_not_delivered.revert
def deliver_texts(r: Rehearsal) -> None:
    restore(r, "delivers")


@fault(
    "sms-callbacks-signed-with-another-token",
    expect_fail=["D-11.2.3"],
    title="callbacks are signed with another token than the application has",
)
def sms_callbacks_signed_with_another_token(r: Rehearsal) -> None:
    change(r, signs=False)


@sms_callbacks_signed_with_another_token.revert
def sign_callbacks_with_the_token(r: Rehearsal) -> None:
    restore(r, "signs")


@fault(
    "sms-callbacks-accepted-unsigned",
    expect_fail=["D-11.2.3"],
    touches=["app/sms-callbacks"],
    title="the application takes callbacks that nobody signed",
)
def sms_callbacks_accepted_unsigned(r: Rehearsal) -> None:
    set_app_faults(r, sms_callbacks_unsigned=True)


@sms_callbacks_accepted_unsigned.revert
def ask_for_the_signature(r: Rehearsal) -> None:
    set_app_faults(r, sms_callbacks_unsigned=None)


@fault(
    "sms-to-nobody-told-as-delivered",
    expect_fail=["D-11.2.3"],
    title="a text to a number that nobody has is told as delivered",
)
def sms_to_nobody_told_as_delivered(r: Rehearsal) -> None:
    change(r, invalid="delivered")


@sms_to_nobody_told_as_delivered.revert
def tell_the_failure(r: Rehearsal) -> None:
    restore(r, "invalid")


@fault("sms-sent-after-stop", expect_fail=["D-11.2.3"], title="texts are sent in spite of STOP")
def sms_sent_after_stop(r: Rehearsal) -> None:
    change(r, heeds_stop=False)


@sms_sent_after_stop.revert
def heed_stop(r: Rehearsal) -> None:
    restore(r, "heeds_stop")
