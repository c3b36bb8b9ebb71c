"""Faults of customers' mail: the account, the sender's domain, delivery, events."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.parts.saas.sendgrid import DOMAIN

TOUCHES = ["integrations/mail"]


def change(r: Rehearsal, **settings: Any) -> None:
    """Put other values in place of what the mail service is set to."""
    r.override("integrations", **{f"mail_{name}": value for name, value in settings.items()})


def restore(r: Rehearsal, *names: str) -> None:
    """Back to the defaults."""
    r.clear_override("integrations", *(f"mail_{name}" for name in names))


# -- the account -----------------------------------------------------------------------------------


@fault("mail-send-scope-revoked", expect_fail=["D-11.2.2"], title="the mail key may not send")
def mail_send_scope_revoked(r: Rehearsal) -> None:
    change(r, scopes=["stats.read"])


@fault("mail-key-may-more", expect_fail=["D-11.2.2"], title="the mail key may delete templates")
def mail_key_may_more(r: Rehearsal) -> None:
    change(r, scopes=["mail.send", "templates.delete"])


@mail_send_scope_revoked.revert
@mail_key_may_more.revert
def give_the_scopes_back(r: Rehearsal) -> None:
    restore(r, "scopes")


@fault(
    "mail-key-of-another-account",
    expect_fail=["D-11.2.2"],
    title="the application sends with the key of another account",
)
def mail_key_of_another_account(r: Rehearsal) -> None:
    change(r, key_known=False)


@mail_key_of_another_account.revert
def use_the_accounts_key(r: Rehearsal) -> None:
    restore(r, "key_known")


@fault("mail-plan-free", expect_fail=["D-11.2.2"], title="the mail account has the free plan")
def mail_plan_free(r: Rehearsal) -> None:
    change(r, plan="free")


@mail_plan_free.revert
def pay_for_the_plan(r: Rehearsal) -> None:
    restore(r, "plan")


@fault("mail-credits-low", expect_fail=["D-11.2.2"], title="credits for 100 mails a day are left")
def mail_credits_low(r: Rehearsal) -> None:
    change(r, credits={"reset_frequency": "daily", "total": 100, "remain": 90})


@mail_credits_low.revert
def buy_credits(r: Rehearsal) -> None:
    restore(r, "credits")


# -- the domain -----------------------------------------------------------------------------------


@fault(
    "mail-domain-invalid", expect_fail=["D-11.2.2"], title="SendGrid holds the domain for invalid"
)
def mail_domain_invalid(r: Rehearsal) -> None:
    change(r, domain_valid=False)


@mail_domain_invalid.revert
def validate_the_domain(r: Rehearsal) -> None:
    restore(r, "domain_valid")


@fault("dkim-record-removed", expect_fail=["D-11.2.2"], title="the record of the DKIM key is gone")
def dkim_record_removed(r: Rehearsal) -> None:
    change(r, records={f"s1._domainkey.{DOMAIN}/CNAME": None})


@fault("spf-record-doubled", expect_fail=["D-11.2.2"], title="there are two SPF records")
def spf_record_doubled(r: Rehearsal) -> None:
    host = f"em7.{DOMAIN}"
    two = ['"v=spf1 ip4:192.0.2.0/24 -all"', '"v=spf1 ~all"']
    change(r, records={f"{host}/CNAME": None, f"{host}/TXT": two})


@fault("dmarc-record-removed", expect_fail=["D-11.2.2"], title="the DMARC record is gone")
def dmarc_record_removed(r: Rehearsal) -> None:
    change(r, records={"_dmarc.bookedbarber.example/TXT": None})


@dkim_record_removed.revert
@spf_record_doubled.revert
@dmarc_record_removed.revert
def publish_the_records(r: Rehearsal) -> None:
    restore(r, "records")


# -- delivery -------------------------------------------------------------------------------------


@fault("seed-mail-lost", expect_fail=["D-11.2.2"], title="mail does not reach the mailbox")
def seed_mail_lost(r: Rehearsal) -> None:
    change(r, delivers=False)


@seed_mail_lost.revert
def deliver_again(r: Rehearsal) -> None:
    restore(r, "delivers")


@fault("mail-altered-on-its-way", expect_fail=["D-11.2.2"], title="mail is altered on its way")
def mail_altered_on_its_way(r: Rehearsal) -> None:
    change(r, altered=True)


@mail_altered_on_its_way.revert
def leave_mail_alone(r: Rehearsal) -> None:
    restore(r, "altered")


@fault(
    "suppression-list-ignored",
    expect_fail=["D-11.2.2"],
    title="who is on the suppression list gets mail",
)
def suppression_list_ignored(r: Rehearsal) -> None:
    change(r, suppresses=False)


@suppression_list_ignored.revert
def heed_the_list(r: Rehearsal) -> None:
    restore(r, "suppresses")


@fault(
    "mail-events-not-signed",
    expect_fail=["D-11.2.2"],
    title="the event webhook does not sign, so the application refuses its events",
)
def mail_events_not_signed(r: Rehearsal) -> None:
    change(r, signs=False)


@mail_events_not_signed.revert
def sign_events(r: Rehearsal) -> None:
    restore(r, "signs")


@fault(
    "mail-events-accepted-unsigned",
    expect_fail=["D-11.2.2"],
    touches=["app/mail-events"],
    title="the application stores events of mail that nobody signed",
)
def mail_events_accepted_unsigned(r: Rehearsal) -> None:
    set_app_faults(r, mail_events_unsigned=True)


@mail_events_accepted_unsigned.revert
def ask_for_the_signature(r: Rehearsal) -> None:
    set_app_faults(r, mail_events_unsigned=None)
