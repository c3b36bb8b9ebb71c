"""Faults of emergency contacts and of the escalation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.faults import fault
from rehearsal.faults.people.stating import Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe.prometheus import prometheus
from rehearsal.parts.platform import aws
from rehearsal.staff import calendar, people, scripted_statements, scripts
from rehearsal.staff.saas_stubs import LAUNCH

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
    "two-own-support",
    expect_fail=["D-8.D.3"],
    touches=["roster/carlos", "messages/carlos"],
    title="two people own support",
    waits_for=["D-8.3.1"],
)
def two_own_support(r: Rehearsal) -> None:
    _change(r, "carlos", roles=["support_lead", "support"], backs_up=[])


@two_own_support.revert
def one_owns_support(r: Rehearsal) -> None:
    _restore(r, "carlos")


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


# -- the same of several roles at once ---------------------------------------------------------

LEADS = {"CO.1": "tess", "CO.2": "omar", "CO.3": "paul", "CO.4": "sanjay", "CO.5": "elena"}
BACKUPS = {"CO.1": "hugo", "CO.2": "noor", "CO.3": "leah", "CO.4": "sofia", "CO.5": "marcus"}
NUMBER = "(202) 555-0107"
Change = Callable[[people.Person], dict[str, Any]]


def _each(
    name: str,
    whose: Mapping[str, str],
    how: Change,
    title: str,
    *more: str,
    part: str = "people",
    without: Sequence[str] = (),
) -> None:
    """Registers a fault that has something wrong with the contact of every one of these items.

    :param part: whose settings tell it: the roster's, or those of who answers.
    :param without: items that have a fault of their own for that.
    :param more: other items that it turns red.
    """
    ids = {item: ident for item, ident in whose.items() if item not in without}
    by_id = {p.id: p for p in people.PEOPLE}

    def step(r: Rehearsal) -> None:
        r.override(part, **{ident: how(by_id[ident]) for ident in ids.values()})
        people.roster(r)

    def undo(r: Rehearsal) -> None:
        r.clear_override(part, *ids.values())
        people.roster(r)

    touched = [f"{place}/{i}" for i in ids.values() for place in ("roster", "messages")]
    fault(name, expect_fail=[*ids, *more], touches=touched, title=title)(step).revert(undo)


def _lead_of(backup: people.Person) -> people.Person:
    return people.holder(backup.backs_up[0])


_each("names-left-open", LEADS, lambda _: {"name": "[Name]"}, "leads' entries say [Name]")
_each("phones-not-e164", LEADS, lambda _: {"phone": NUMBER}, "leads' numbers are not in E.164 form")
_each(
    "addresses-malformed",
    BACKUPS,
    lambda p: {"email": f"{p.id}(at)bookedbarber.example"},
    "backups' mail addresses are malformed",
)
_each(
    "backups-with-the-same-phones",
    BACKUPS,
    lambda p: {"phone": people.phone(_lead_of(p))},
    "leads and their backups have one phone number",
)
_each(
    "own-backups",
    LEADS,
    lambda p: {"backs_up": [*p.backs_up, p.roles[0]]},
    "leads back up themselves",
)
_each(
    "nobody-backs-up",
    BACKUPS,
    lambda _: {"backs_up": []},
    "leads have no backup",
    "T0-0800.3.2",
)
_each(
    "tests-unanswered",
    LEADS,
    lambda _: {"silent": True},
    "leads answer no test",
    part="messages",
)
_each(
    "answers-from-other-numbers",
    LEADS,
    lambda _: {"sms_from": OTHER_NUMBER},
    "leads' answers come from another number",
    part="messages",
)
_each(
    "answers-after-20-minutes",
    LEADS,
    lambda _: {"late_minutes": 20},
    "leads answer tests after 20 minutes",
    part="messages",
)
_each(
    "answers-of-20-days-ago",
    LEADS,
    lambda _: {"days_ago": 20},
    "leads' answers are 20 days old",
    part="messages",
)


@fault(
    "backups-under-another-id",
    expect_fail=list(BACKUPS),
    touches=[f"roster/{ident}" for ident in BACKUPS.values()],
    title="leads stand on the roster twice, the second time as their own backup",
)
def backups_under_another_id(r: Rehearsal) -> None:
    known = [p for p in people.PEOPLE if p.id in BACKUPS.values()]
    r.override("people", **{p.id: {"name": _lead_of(p).name.upper()} for p in known})
    people.roster(r)


@backups_under_another_id.revert
def backups_of_their_own(r: Rehearsal) -> None:
    r.clear_override("people", *BACKUPS.values())
    people.roster(r)


@fault(
    "two-technical-leads",
    expect_fail=["T0-0800.3.2"],
    touches=["roster/hugo", "messages/hugo"],
    title="there are two Technical Leads, so that nobody answers for rollbacks alone",
)
def two_technical_leads(r: Rehearsal) -> None:
    _change(r, "hugo", roles=["engineer", "technical_lead"])


@two_technical_leads.revert
def one_technical_lead(r: Rehearsal) -> None:
    _restore(r, "hugo")


@fault(
    "hour-not-accepted",
    expect_fail=["CO.1"],
    touches=["messages/calendar"],
    title="the Technical Lead has accepted nothing from 10:00 to 11:30 of launch day",
)
def hour_not_accepted(r: Rehearsal) -> None:
    declined = {"attendees": {"tess": {"responseStatus": "declined"}}}
    patch = {"events": {"war-room": declined, "block-1000": declined}}
    r.override("messages", **{"calendar-hour-not-accepted": patch})


@hour_not_accepted.revert
def hour_accepted(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-hour-not-accepted")


@fault(
    "flag-right-revoked",
    expect_fail=["CO.3"],
    touches=["saas-stubs/flags"],
    title="the Product Manager may not change feature flags",
)
def flag_right_revoked(r: Rehearsal) -> None:
    mail = people.email(people.holder("product_manager"))
    saas_stubs.patch(r, "flag-right-revoked", flag_users={mail: "Viewer"})


@flag_right_revoked.revert
def grant_the_flag_right(r: Rehearsal) -> None:
    saas_stubs.restore(r, "flag-right-revoked")


@fault(
    "secrets-right-revoked",
    expect_fail=["CO.4"],
    touches=["aws/users"],
    title="the Security Lead's backup may revoke no secrets",
)
def secrets_right_revoked(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    iam.remove_user_from_group(GroupName="secret-administrators", UserName="sofia")


@secrets_right_revoked.revert
def grant_the_secrets_right(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    iam.add_user_to_group(GroupName="secret-administrators", UserName="sofia")


made = Stating(__name__)
DELEGATION = "delegation.md"
made.stated("nobody-delegated", "CO.5", [], "no executive has signed a delegation")
made.written(
    "delegated-to-oneself",
    "CO.5",
    DELEGATION,
    lambda d: d.update(to=d["delegated_by"]),
    "the executive has delegated to nobody else",
)
made.written(
    "delegated-by-another",
    "CO.5",
    DELEGATION,
    lambda d: d.update(delegated_by="marcus", to="paul"),
    "the paper is another's delegation than the one who signed it",
)
made.written(
    "public-statements-not-delegated",
    "CO.5",
    DELEGATION,
    lambda d: d.update(covers=["launch decision"]),
    "the delegation leaves public statements out",
)
made.written(
    "delegation-ends-before-the-launch",
    "CO.5",
    DELEGATION,
    lambda d: d.update(until=LAUNCH - timedelta(days=1)),
    "the delegation ends on the day before the launch",
)


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
    "backups-never-asked",
    expect_fail=["ES.1"],
    touches=["messages/backups"],
    title="whoever backs up level 1 is not paged while nobody answers",
)
def backups_never_asked(r: Rehearsal) -> None:
    r.override("messages", asks_backups=False)


@backups_never_asked.revert
def ask_the_backups(r: Rehearsal) -> None:
    r.clear_override("messages", "asks_backups")


@fault(
    "backups-asked-at-once",
    expect_fail=["ES.1"],
    touches=["messages/levels"],
    title="level 1 pages the backups at once",
)
def backups_asked_at_once(r: Rehearsal) -> None:
    r.override("messages", levels={"1": ["tess", "omar", "hugo", "noor"]})


@backups_asked_at_once.revert
def ask_the_leads_first(r: Rehearsal) -> None:
    r.clear_override("messages", "levels")


@fault(
    "pages-after-the-answer",
    expect_fail=["ES.1"],
    touches=["messages/answers"],
    title="the pager goes on asking level 1 after it was answered",
)
def pages_after_the_answer(r: Rehearsal) -> None:
    r.override("messages", ignores_answers=True)


@pages_after_the_answer.revert
def heed_the_answer(r: Rehearsal) -> None:
    r.clear_override("messages", "ignores_answers")


@fault(
    "ages-left-out",
    expect_fail=["ES.2"],
    touches=["prometheus/changed_rules"],
    title="pages of level 2 do not say how old the incident is",
)
def ages_left_out(r: Rehearsal) -> None:
    said = {
        "summary": "critical incident {{ $labels.incident }}",
        "impact": "{{ $labels.impact }}",
        "action": "Join the bridge.",
    }
    _change_rule(r, "IncidentLevel2", annotations=said)


@ages_left_out.revert
def say_the_age(r: Rehearsal) -> None:
    r.clear_override("prometheus", "changed_rules")
    r.reload(prometheus.name)


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


def _change_rule(r: Rehearsal, rule: str, **fields: Any) -> None:
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


made.written(
    "notice-read-by-nobody",
    "ES.4",
    "legal-notice.md",
    lambda d: d.update(counsel="paul"),
    "nobody of legal counsel has read the notice of a data incident",
)
made.written(
    "notice-after-a-week",
    "ES.4",
    "legal-notice.md",
    lambda d: d.update(within_hours=168),
    "the notice of a data incident goes out after a week",
)
