"""Faults of emergency contacts and of the escalation."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.faults import fault
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe.prometheus import prometheus
from rehearsal.parts.platform import aws
from rehearsal.staff import calendar, people, scripted_statements, scripts

DAY_S = 86_400.0
OTHER_NUMBER = "+12025550177"


def _change(r: Rehearsal, ident: str, **fields: Any) -> None:
    """Put other fields in somebody's entry of the roster."""
    r.override("people", **{ident: fields})
    people.roster(r)


def _restore(r: Rehearsal, ident: str) -> None:
    r.clear_override("people", ident)
    people.roster(r)


# -- contacts --------------------------------------------------------------------------------------


@fault(
    "backup-with-the-same-phone",
    # Whoever shares the lead's phone is paged with the lead, not after five minutes.
    expect_fail=["CO.1"],
    touches=["roster/hugo", "messages/hugo"],
    title="Technical Lead and backup have one phone number",
)
def backup_with_the_same_phone(r: Rehearsal) -> None:
    lead = next(p for p in people.PEOPLE if p.id == "tess")
    _change(r, "hugo", phone=people.phone(lead))


@backup_with_the_same_phone.revert
def give_the_backup_a_phone(r: Rehearsal) -> None:
    _restore(r, "hugo")


@fault(
    "rollback-key-removed",
    expect_fail=["CO.1"],
    touches=["roster/tess", "messages/tess"],
    title="the Technical Lead's key does not decide on rollback",
)
def rollback_key_removed(r: Rehearsal) -> None:
    _change(r, "tess", powers=[])


@rollback_key_removed.revert
def return_the_rollback_key(r: Rehearsal) -> None:
    _restore(r, "tess")


@fault(
    "name-left-open",
    expect_fail=["CO.1"],
    touches=["roster/tess", "messages/tess"],
    title="the Technical Lead's entry says [Name]",
)
def name_left_open(r: Rehearsal) -> None:
    _change(r, "tess", name="[Name]")


@name_left_open.revert
def fill_the_name_in(r: Rehearsal) -> None:
    _restore(r, "tess")


@fault(
    "backup-not-in-dns-group",
    expect_fail=["CO.2"],
    touches=["aws/users"],
    title="the DevOps Lead's backup administers DNS no more",
)
def backup_not_in_dns_group(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    iam.remove_user_from_group(GroupName="dns-administrators", UserName="noor")


@backup_not_in_dns_group.revert
def add_the_backup_again(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    iam.add_user_to_group(GroupName="dns-administrators", UserName="noor")


@fault(
    "answer-from-another-number",
    expect_fail=["CO.2"],
    touches=["messages/omar"],
    title="the DevOps Lead's answers come from another number",
)
def answer_from_another_number(r: Rehearsal) -> None:
    r.override("messages", omar={"sms_from": OTHER_NUMBER})


@answer_from_another_number.revert
def answer_from_the_own_number(r: Rehearsal) -> None:
    r.clear_override("messages", "omar")


@fault(
    "answer-of-20-days-ago",
    expect_fail=["CO.2"],
    touches=["messages/omar"],
    title="the DevOps Lead's answer is 20 days old",
)
def answer_of_20_days_ago(r: Rehearsal) -> None:
    r.override("messages", omar={"days_ago": 20})


@answer_of_20_days_ago.revert
def answer_now(r: Rehearsal) -> None:
    r.clear_override("messages", "omar")


@fault(
    "status-page-right-revoked",
    expect_fail=["CO.3"],
    touches=["saas-stubs/status_page"],
    title="the Product Manager may not publish on the status page",
)
def status_page_right_revoked(r: Rehearsal) -> None:
    mail = people.email(people.holder("product_manager"))
    saas_stubs.patch(r, "status-page-right-revoked", status_page={"users": {mail: None}})


@status_page_right_revoked.revert
def grant_the_status_page_right(r: Rehearsal) -> None:
    saas_stubs.restore(r, "status-page-right-revoked")


@fault(
    "backup-without-a-name",
    expect_fail=["CO.3"],
    touches=["roster/leah", "messages/leah"],
    title="the Product Manager's backup has no name",
)
def backup_without_a_name(r: Rehearsal) -> None:
    _change(r, "leah", name="")


@backup_without_a_name.revert
def name_the_backup(r: Rehearsal) -> None:
    _restore(r, "leah")


@fault(
    # By that address nobody is known on the status page or in the calendar.
    "malformed-address",
    expect_fail=["CO.3"],
    touches=["roster/leah", "messages/leah"],
    title="the Product Manager's mail address is malformed",
)
def malformed_address(r: Rehearsal) -> None:
    _change(r, "leah", email="leah(at)bookedbarber.example")


@malformed_address.revert
def correct_the_address(r: Rehearsal) -> None:
    _restore(r, "leah")


@fault(
    "breach-key-removed",
    expect_fail=["CO.4"],
    touches=["roster/sanjay", "messages/sanjay"],
    title="the Security Lead's key does not confirm breaches",
)
def breach_key_removed(r: Rehearsal) -> None:
    _change(r, "sanjay", powers=[])


@breach_key_removed.revert
def return_the_breach_key(r: Rehearsal) -> None:
    _restore(r, "sanjay")


@fault(
    "no-answer-by-night",
    expect_fail=["CO.4"],
    touches=["messages/nights", "messages/sanjay"],
    title="the Security Lead has answered no test by night",
)
def no_answer_by_night(r: Rehearsal) -> None:
    hour = datetime.now(ZoneInfo(calendar.ZONE)).hour
    asleep = {"sanjay": {"silent": True}} if hour >= 22 or hour < 6 else {}
    r.override("messages", nights=["sofia"], **asleep)


@no_answer_by_night.revert
def answer_by_night(r: Rehearsal) -> None:
    r.clear_override("messages", "nights", "sanjay")


@fault(
    "phone-not-e164",
    expect_fail=["CO.4"],
    touches=["roster/sanjay", "messages/sanjay"],
    title="the Security Lead's number is not in E.164 form",
)
def phone_not_e164(r: Rehearsal) -> None:
    _change(r, "sanjay", phone="(202) 555-0107")


@phone_not_e164.revert
def write_the_phone_in_full(r: Rehearsal) -> None:
    _restore(r, "sanjay")


@fault(
    "delegation-expired",
    expect_fail=["CO.5"],
    touches=["statements/CO.5"],
    title="the executive's delegation has expired",
)
def delegation_expired(r: Rehearsal) -> None:
    scripts.spoil(r, "CO.5", [scripted_statements.entry("executive_team", made_ago_s=91 * DAY_S)])


@delegation_expired.revert
def delegate_again(r: Rehearsal) -> None:
    scripts.fix(r, "CO.5")


@fault(
    "own-backup",
    expect_fail=["CO.5"],
    touches=["roster/elena", "messages/elena"],
    title="the executive is the executive's backup",
)
def own_backup(r: Rehearsal) -> None:
    _change(r, "elena", backs_up=["executive_team"])


@own_backup.revert
def have_another_backup(r: Rehearsal) -> None:
    _restore(r, "elena")


@fault(
    "executive-out-of-reach",
    # A page that is not delivered reaches nobody either.
    expect_fail=["CO.5"],
    touches=["messages/elena"],
    title="texts to the executive are not delivered",
)
def executive_out_of_reach(r: Rehearsal) -> None:
    r.override("messages", elena={"undeliverable": True})


@executive_out_of_reach.revert
def reach_the_executive(r: Rehearsal) -> None:
    r.clear_override("messages", "elena")


# -- escalation ------------------------------------------------------------------------------------


@fault(
    "devops-lead-not-at-level-1",
    expect_fail=["ES.1"],
    touches=["messages/levels"],
    title="the receiver of level 1 leaves the DevOps Lead out",
)
def devops_lead_not_at_level_1(r: Rehearsal) -> None:
    r.override("messages", levels={"1": ["tess"]})


@devops_lead_not_at_level_1.revert
def page_the_devops_lead(r: Rehearsal) -> None:
    r.clear_override("messages", "levels")


@fault(
    "pages-held-back",
    expect_fail=["ES.1"],
    touches=["alertmanager/group_waits"],
    title="pages of level 1 are held back for five minutes",
)
def pages_held_back(r: Rehearsal) -> None:
    r.override("alertmanager", group_waits={"1": "5m"})
    r.reload("alertmanager")


@pages_held_back.revert
def page_at_once(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "group_waits")
    r.reload("alertmanager")


@fault(
    "everybody-paged-at-once",
    # Whoever is notified at once is paged before the own level begins.
    expect_fail=["ES.1"],
    touches=["messages/levels"],
    title="level 1 pages everybody of the matrix",
)
def everybody_paged_at_once(r: Rehearsal) -> None:
    everybody = ["tess", "omar", "hugo", "noor", "paul", "sanjay", "elena", "marcus"]
    r.override("messages", levels={"1": everybody})


@everybody_paged_at_once.revert
def page_level_by_level(r: Rehearsal) -> None:
    r.clear_override("messages", "levels")


@fault(
    "answer-cancels-level-2",
    expect_fail=["ES.2"],
    touches=["messages/cancelled"],
    title="an answer to a page cancels level 2",
)
def answer_cancels_level_2(r: Rehearsal) -> None:
    r.override("messages", cancelled=[2])


@answer_cancels_level_2.revert
def cancel_nothing(r: Rehearsal) -> None:
    r.clear_override("messages", "cancelled")


@fault(
    "level-2-after-30-min",
    expect_fail=["ES.2"],
    touches=["prometheus/changed_rules"],
    title="level 2 begins after 1,800 s",
)
def level_2_after_30_min(r: Rehearsal) -> None:
    late = 'incident_open_seconds{severity="critical"} > 1800'
    _change_rule(r, "IncidentLevel2", expr=late)


@level_2_after_30_min.revert
def begin_level_2_in_time(r: Rehearsal) -> None:
    r.clear_override("prometheus", "changed_rules")
    r.reload(prometheus.name)


def _change_rule(r: Rehearsal, rule: str, **fields: str) -> None:
    r.override(prometheus.name, changed_rules={rule: fields})
    r.reload(prometheus.name)


@fault(
    "security-lead-not-at-level-2",
    expect_fail=["ES.2"],
    touches=["messages/levels"],
    title="the receiver of level 2 leaves the Security Lead out",
)
def security_lead_not_at_level_2(r: Rehearsal) -> None:
    r.override("messages", levels={"2": ["tess", "omar", "paul"]})


@security_lead_not_at_level_2.revert
def page_the_security_lead(r: Rehearsal) -> None:
    r.clear_override("messages", "levels")


@fault(
    "executive-at-an-old-address",
    expect_fail=["ES.3"],
    touches=["messages/addresses"],
    title="the pager has an old phone number and address of the executive",
)
def executive_at_an_old_address(r: Rehearsal) -> None:
    old = {"phone": OTHER_NUMBER, "email": "elena@old.example"}
    r.override("messages", addresses={"elena": old})


@executive_at_an_old_address.revert
def page_the_executives_own_address(r: Rehearsal) -> None:
    r.clear_override("messages", "addresses")


@fault(
    "level-3-replaces-level-2",
    expect_fail=["ES.3"],
    touches=["messages/levels"],
    title="level 3 pages executives in place of the levels before",
)
def level_3_replaces_level_2(r: Rehearsal) -> None:
    r.override("messages", levels={"3": ["elena", "marcus"]})


@level_3_replaces_level_2.revert
def page_all_levels(r: Rehearsal) -> None:
    r.clear_override("messages", "levels")


@fault(
    "impact-left-empty",
    expect_fail=["ES.3"],
    touches=["messages/without_impact"],
    title="pages of level 3 have no impact line",
)
def impact_left_empty(r: Rehearsal) -> None:
    r.override("messages", without_impact=[3])


@impact_left_empty.revert
def say_the_impact(r: Rehearsal) -> None:
    r.clear_override("messages", "without_impact")


@fault(
    "no-legal-contact",
    expect_fail=["ES.4"],
    touches=["roster/levels", "messages/levels"],
    title="level 4 has no legal contact",
)
def no_legal_contact(r: Rehearsal) -> None:
    levels = [one | ({"roles": []} if one["level"] == 4 else {}) for one in people.LEVELS]
    r.override("people", levels=levels)
    people.roster(r)


@no_legal_contact.revert
def name_the_legal_contact(r: Rehearsal) -> None:
    _restore(r, "levels")


@fault(
    "vendors-told-unasked",
    expect_fail=["ES.4"],
    touches=["messages/to_vendors"],
    title="the pager writes to counsel and vendors without approval",
)
def vendors_told_unasked(r: Rehearsal) -> None:
    r.override("messages", to_vendors=True)


@vendors_told_unasked.revert
def ask_before_vendors_are_told(r: Rehearsal) -> None:
    r.clear_override("messages", "to_vendors")


@fault(
    "vendors-without-stripe",
    expect_fail=["ES.4"],
    touches=["messages/vendors"],
    title="the pager's list of vendors lacks Stripe",
)
def vendors_without_stripe(r: Rehearsal) -> None:
    r.override("messages", vendors=["render", "sendgrid"])


@vendors_without_stripe.revert
def list_every_vendor(r: Rehearsal) -> None:
    r.clear_override("messages", "vendors")
