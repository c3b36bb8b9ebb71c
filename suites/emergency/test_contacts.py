"""Emergency Contacts and Escalation: the contacts (Technical Lead)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from golive.claims import at_least, at_most, each_at_most, equal, holds, none_of, same_set
from golive.items import attested, item
from golive.launch import Launch, Limits
from golive.papers import Papers
from golive.papers.approval import Delegation
from golive.papers.kinds import VendorSupport
from golive.people.roster import Roster, Vendor
from golive.people.statements import Vouched
from golive.probes.money.stripe import StripeAccount
from golive.probes.people.calendar import LaunchCalendar
from golive.probes.people.contacts import ContactTest
from golive.probes.people.mail import SendingAccount
from golive.probes.people.vendors import Portals, left_open
from golive.probes.platform.aws import AwsGroups
from golive.probes.saas.launch_tools import Manifest
from golive.probes.saas.status_page import Member

# --- Primary Contacts -----------------------------------------------------------------------------


def _reachable(role: str, test: ContactTest, roster: Roster, limits: Limits) -> None:
    """That a role's holder and backup are two people who answer text and mail."""
    holders, backups, people = test.holders(role), test.backups(role), test.of(role)
    tests, of = 2 * len(people), "contacts of the role"
    assert at_least(f"holders of {role}", len(holders), 1, see=test.source)
    assert at_least(f"backups of {role}", len(backups), 1, see=test.source)
    unfilled = test.unfilled(people)
    assert none_of("contacts with a field still to fill in", unfilled, among=people, of=of)
    own = [c.name for c in holders if c in backups]
    assert none_of("holders who back up themselves", own, among=holders, of="holders")
    double = roster.doubles(c.person.id for c in people)
    assert none_of("contacts who are one person under two ids", double, among=people, of=of)
    wrong = [c.name for c in people if not c.e164]
    assert none_of("phone numbers not in E.164 form", wrong, among=people, of=of)
    wrong = [c.name for c in people if not c.addressable]
    assert none_of("mail addresses not in the form of one", wrong, among=people, of=of)
    shared = test.sharing_phones(people)
    assert none_of("contacts with another's phone number", shared, among=people, of=of)
    missing, elsewhere = test.unanswered(people), test.from_elsewhere(people)
    assert none_of("tests that nobody answered", missing, among=tests, of="tests")
    assert none_of("tests answered from elsewhere", elsewhere, among=tests, of="tests")
    minutes, days = test.minutes(people), test.days(people)
    assert each_at_most("answered after", minutes, limits.contacts.reply_minutes, "min")
    assert each_at_most("age of the answer", days, limits.contacts.age_days, "d")


@item("CO.1")
def test_the_technical_lead_is_reachable_decides_on_rollback_and_is_there_all_day(
    contact_test: ContactTest,
    launch_calendar: LaunchCalendar,
    roster: Roster,
    launch: Launch,
    limits: Limits,
) -> None:
    """A text and a mail to holder and backup, answered with a code; the roster's keys and powers;
    the launch day's events that the Technical Lead has accepted.

    Remedy: correct the roster's entry named above. Who did not answer is called, and tested again.
    The rollback key: add "rollback" to the powers of a person with a valid key. An hour without an
    accepted event: have the invitation of that block answered.
    """
    _reachable("technical_lead", contact_test, roster, limits)
    leads = roster.holders("technical_lead")
    keyless = [p.name for p in leads if not p.may_decide("rollback", launch.date)]
    assert none_of("leads without a rollback key", keyless, among=leads, of="holders")
    zone = ZoneInfo(launch_calendar.zone)
    begins = datetime.combine(launch.date, time(int(limits.contacts.launch_from_h)), zone)
    ends = begins + timedelta(hours=limits.contacts.launch_until_h - limits.contacts.launch_from_h)
    bare = [
        f"{p.name} at {h}"
        for p in leads
        for h in launch_calendar.uncovered_hours(p.email, begins, ends)
    ]
    assert none_of("launch hours not accepted", bare, among=leads, of="holders")


@item("CO.2")
def test_the_devops_lead_is_reachable_and_administers_hosting_dns_and_deploy(
    contact_test: ContactTest, aws_groups: AwsGroups, roster: Roster, limits: Limits
) -> None:
    """A text and a mail to holder and backup, answered with a code; the members of the IAM groups
    that administer hosting, DNS and deploy.

    Remedy: correct the roster's entry named above. Who did not answer is called, and tested again;
    who is in a group no more is added to it, or the roster names somebody who is.
    """
    _reachable("devops_lead", contact_test, roster, limits)
    people, needs = roster.entitled("devops_lead"), ("hosting", "dns", "deploy")
    lacking = aws_groups.lacking(people, needs)
    assert none_of("contacts who do not administer", lacking, among=people, of="contacts")


@item("CO.3")
def test_the_product_manager_is_reachable_and_may_publish_and_switch(
    contact_test: ContactTest,
    status_page_members: tuple[Member, ...],
    flag_editors: tuple[str, ...],
    roster: Roster,
    limits: Limits,
) -> None:
    """A text and a mail to holder and backup, answered with a code; the members of the status page
    and those who may change feature flags.

    Remedy: correct the roster's entry named above. Who did not answer is called, and tested again;
    who may not publish or switch is invited there.
    """
    _reachable("product_manager", contact_test, roster, limits)
    people, members = roster.entitled("product_manager"), {m.email for m in status_page_members}
    barred = [p.name for p in people if p.email not in members]
    assert none_of("contacts who may not publish", barred, among=people, of="contacts")
    barred = [p.name for p in people if p.email not in flag_editors]
    assert none_of("contacts who may not change flags", barred, among=people, of="contacts")


@item("CO.4")
def test_the_security_lead_is_reachable_by_night_confirms_breaches_and_revokes_secrets(
    contact_test: ContactTest, aws_groups: AwsGroups, roster: Roster, launch: Launch, limits: Limits
) -> None:
    """A text and a mail to holder and backup, answered with a code, and answers by night in the
    last 30 days; the roster's keys and powers; the IAM group that may revoke secrets.

    Remedy: correct the roster's entry named above. Who did not answer is called, and tested again;
    without an answer by night, run this item once between 22:00 and 06:00. The key: add
    "breach-confirmation" to the powers of a person with a valid key.
    """
    _reachable("security_lead", contact_test, roster, limits)
    leads, people = roster.holders("security_lead"), roster.entitled("security_lead")
    keyless = [p.name for p in leads if not p.may_decide("breach-confirmation", launch.date)]
    assert none_of("leads without the breach key", keyless, among=leads, of="holders")
    barred = aws_groups.lacking(people, ("secrets",))
    assert none_of("contacts who may not revoke", barred, among=people, of="contacts")
    hours = limits.contacts.night_from_h, limits.contacts.night_until_h
    asleep = [
        c.name
        for c in contact_test.holders("security_lead")
        if not contact_test.by_night(c, *hours)
    ]
    assert none_of("leads who answered no test by night", asleep, among=leads, of="holders")


@item("CO.5", by=("executive_team",), papers=("delegation.md",))
def test_the_executive_is_reachable_and_has_named_who_decides_instead(
    contact_test: ContactTest,
    roster: Roster,
    papers: Papers,
    vouched: Vouched,
    launch: Launch,
    limits: Limits,
) -> None:
    """A text and a mail to holder and backup, answered with a code; the delegation, who signed it
    and until when it holds.

    Remedy: correct the roster's entry named above. Who did not answer is called, and tested again.
    The delegation: an executive writes delegation.md and signs it with `golive attest CO.5`.
    """
    _reachable("executive_team", contact_test, roster, limits)
    reported = papers.read(Delegation).data
    for claim in vouched.claims():
        assert claim
    signer = vouched.counted[0].statement.by
    assert equal("who delegates, by the paper", reported.delegated_by, signer)
    same = reported.to == signer or roster.doubles([signer, reported.to])
    fit = reported.to in roster.people and not same
    assert holds(
        "who decides instead", fit, reported.to, f"somebody on the roster other than {signer}"
    )
    assert same_set("what is delegated", reported.covers, ["launch decision", "public statements"])
    ends = f"{launch.date} or later"
    assert holds("end of the delegation", reported.until >= launch.date, reported.until, ends)


# --- External Contacts ----------------------------------------------------------------------------


def _promised(
    ident: str, roster: Roster, portals: Portals, support: VendorSupport, today: date, shown: float
) -> Vendor:
    """The roster's entry of a vendor: whole, with a portal that answers, and what was promised us
    shown lately for the very account."""
    assert at_least(f"entries of {ident} on the roster", int(ident in roster.vendors), 1)
    entry = roster.vendors[ident]
    assert none_of(
        f"fields of {entry.name} still to fill in", left_open(entry), among=5, of="fields"
    )
    closed = [c for c in [portals.closed(entry)] if c]
    assert none_of(f"portals of {entry.name} that do not answer", closed, among=1, of="portals")
    assert equal("vendor in its paper", support.vendor, ident)
    days = (today - support.shown_on).days
    assert at_most(f"{support.shown_by} {support.reference} shown", days, shown, "d ago")
    assert at_least("time since it was shown", days, 0, "d")
    assert equal("account that the plan is for", support.account, entry.account)
    return entry


@attested(
    "CO.6",
    "the entry for Render Support is complete, our plan grants its response within 1 hour, "
    "shown by a contract page or test ticket at most 90 days old, and the workspace owner and "
    "service ids to quote are those that host us",
    by=("devops_lead",),
    papers=("vendor-render.md",),
)
def test_render_answers_within_its_hour_and_is_told_what_hosts_us(
    roster: Roster,
    papers: Papers,
    vendor_portals: Portals,
    release_manifest: Manifest,
    today: date,
    limits: Limits,
) -> None:
    """The roster's entry, its portal, the paper on what our plan grants, and the workspace and
    services that the release manifest deploys to.

    Remedy: correct the roster's entry named above; open a test ticket or read the contract page
    again, and write into vendor-render.md what it shows. Then the DevOps Lead signs
    `golive attest CO.6`.
    """
    support = papers.read(VendorSupport, "vendor-render.md").data
    entry = _promised("render", roster, vendor_portals, support, today, limits.vendors.shown_days)
    assert equal(f"SLA of {entry.name} on the roster", entry.sla_hours, limits.vendors.render_sla_h)
    granted = support.response_hours
    assert at_most(f"response by plan {support.plan}", granted, limits.vendors.render_sla_h, "h")
    hosting = release_manifest.hosting
    assert equal("workspace to quote", entry.account, hosting.workspace)
    assert same_set("services to quote", entry.services, hosting.services)


@attested(
    "CO.7",
    "the entry for Stripe Support is complete, our plan grants its response within 2 hours, "
    "shown by a contract page or test ticket at most 90 days old, and the account to quote is "
    "our live one with the requester among its users",
    by=("devops_lead",),
    papers=("vendor-stripe.md",),
)
def test_stripe_answers_within_two_hours_about_the_live_account(
    roster: Roster,
    papers: Papers,
    vendor_portals: Portals,
    stripe_account: StripeAccount,
    today: date,
    limits: Limits,
) -> None:
    """The roster's entry, its portal, the paper on what our plan grants, and the account that
    Stripe says the live key belongs to. Who its users are Stripe tells nobody but them.

    Remedy: correct the roster's entry named above; open a test ticket or read the contract page
    again, and write into vendor-stripe.md what it shows. Then the DevOps Lead signs
    `golive attest CO.7`.
    """
    support = papers.read(VendorSupport, "vendor-stripe.md").data
    entry = _promised("stripe", roster, vendor_portals, support, today, limits.vendors.shown_days)
    assert equal(f"SLA of {entry.name} on the roster", entry.sla_hours, limits.vendors.stripe_sla_h)
    granted = support.response_hours
    assert at_most(f"response by plan {support.plan}", granted, limits.vendors.stripe_sla_h, "h")
    assert equal("account to quote", entry.account, stripe_account.id)


@attested(
    "CO.8",
    "the entry for SendGrid Support is complete, our plan grants its response within 4 hours, "
    "shown by a contract page or test ticket at most 90 days old, and the account and sending "
    "domain to quote are those in use",
    by=("devops_lead",),
    papers=("vendor-sendgrid.md",),
)
def test_sendgrid_answers_within_four_hours_about_the_account_and_domain_in_use(
    roster: Roster,
    papers: Papers,
    vendor_portals: Portals,
    sending_account: SendingAccount,
    today: date,
    limits: Limits,
) -> None:
    """The roster's entry, its portal, the paper on what our plan grants, and what SendGrid says
    of the account in use: its name and the domains that it may send from.

    Remedy: correct the roster's entry named above; open a test ticket or read the contract page
    again, and write into vendor-sendgrid.md what it shows. Then the DevOps Lead signs
    `golive attest CO.8`.
    """
    support = papers.read(VendorSupport, "vendor-sendgrid.md").data
    entry = _promised("sendgrid", roster, vendor_portals, support, today, limits.vendors.shown_days)
    assert equal(
        f"SLA of {entry.name} on the roster", entry.sla_hours, limits.vendors.sendgrid_sla_h
    )
    granted = support.response_hours
    assert at_most(f"response by plan {support.plan}", granted, limits.vendors.sendgrid_sla_h, "h")
    used = sending_account
    assert equal("account to quote", entry.account, used.name)
    assert same_set("sending domains to quote", entry.services, used.domains)
    foreign = [used.sender_domain] if used.sender_domain not in used.domains else []
    assert none_of("domains sent from but not authenticated", foreign, among=1, of="domains")
