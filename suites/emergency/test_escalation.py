"""Emergency Contacts and Escalation: the escalation matrix (Technical Lead)."""

from __future__ import annotations

from golive.claims import (
    above,
    at_least,
    at_most,
    each_at_least,
    each_at_most,
    equal,
    holds,
    none_of,
    same_set,
)
from golive.environments import Environment
from golive.items import item
from golive.launch import Limits
from golive.papers import Paper, Papers
from golive.papers.kinds import LegalNotice
from golive.people.roster import Person, Roster, Vendor
from golive.probes.people.escalation import EscalationDrill

IMPACT, DECISION = "Impact:", "Decision wanted:"
"""How the lines of a page begin."""
VENDORS = ["render", "stripe", "sendgrid"]


def _declared(drill: EscalationDrill, number: int, roles: list[str], minutes: float) -> None:
    """That a level is the procedure's, by the roster, the loaded rule and Alertmanager."""
    level, trial = drill.level(number), drill.trials[number]
    assert same_set(f"roles of level {number}", level.roles if level else [], roles)
    begins = level.from_minutes if level else float("nan")
    assert equal(f"minute that level {number} begins in", begins, minutes)
    complaint = trial.complaint or "fires when it should, by promtool"
    assert holds(f"rule {trial.rule}", not trial.complaint, complaint, "no complaint")
    assert at_least(f"receivers of {trial.rule}", len(trial.receivers), 1)


def _paged(drill: EscalationDrill, number: int, people: list[Person], limits: Limits) -> None:
    """That a level reached each of these people in time, by text and by mail."""
    missed, n = drill.missed(people, number), len(people)
    what = f"people whom no page of level {number} reached"
    assert none_of(what, missed, among=n, of="people by text and mail")
    late = f"page of level {number} after its time"
    assert each_at_most(late, drill.delay_s(people, number), limits.escalation.page_s, "s")


def _read_by(counsel: list[Person], notice: Paper[LegalNotice], limits: Limits) -> None:
    """That counsel or a backup has read the notice, and it goes out by the law's time."""
    reader, hours = notice.data.counsel, notice.data.within_hours
    of_counsel = reader in {p.id for p in counsel}
    required = "read by legal counsel or backup"
    assert holds(f"notice for data incidents {notice.name}", of_counsel, reader, required)
    assert at_most("time to tell the authority", hours, limits.escalation.notice_within_h, "h")


@item("ES.1")
def test_level_1_pages_technical_and_devops_lead_and_their_backups_after_5_min(
    escalation_drill: EscalationDrill, roster: Roster, limits: Limits
) -> None:
    """A drill: a synthetic critical incident is opened and answered only once the backups were
    asked; the logs of texts and mails tell who was paged when; promtool tries the loaded rule.

    Remedy: who was missed or told too early: the receiver of level 1 in the pager. Too late:
    group_wait of its route and the rule's `for`. Pages after the answer: the pager's policy.
    """
    drill, roles = escalation_drill, ["technical_lead", "devops_lead"]
    _declared(drill, 1, roles, 0)
    leads = [p for role in roles for p in roster.holders(role)]
    backups = [p for role in roles for p in roster.backups(role)]
    _paged(drill, 1, leads, limits)
    pages, strangers = drill.at(1), drill.strangers(1, [*leads, *backups])
    assert none_of("pages of level 1 to others", strangers, among=pages, of="pages of level 1")
    others = [p for p in roster.people.values() if p not in leads and p not in backups]
    early = drill.told_before(others, limits.escalation.level_2_minutes)
    assert none_of("others paged before level 2", early, among=others, of="other people")
    missed = drill.missed(backups, 1)
    assert none_of("backups not paged without an answer", missed, among=backups, of="backups")
    asked = {p.name: m for p in backups if (m := drill.first_minute(p)) is not None}
    assert each_at_least("minute of a backup's page", asked, limits.escalation.backup_page_minutes)
    again = drill.after_the_answer(1)
    assert none_of("pages of level 1 after the answer", again, among=pages, of="pages of level 1")
    ran_on = drill.closed_minute
    assert above(
        "minutes the answered incident was open", ran_on, limits.escalation.level_4_minutes, "min"
    )


@item("ES.2")
def test_level_2_pages_product_manager_and_security_lead_in_minute_15(
    escalation_drill: EscalationDrill, roster: Roster, limits: Limits
) -> None:
    """The same drill: an answered incident in its 15th minute, and one solved in its 14th.

    Remedy: not paged, or not by then: the rule of level 2 (incident_open_seconds > 900) and the
    receiver of level 2 in the pager; an answer must not cancel it. Without age or impact: the
    message's template.
    """
    drill, roles = escalation_drill, ["product_manager", "security_lead"]
    _declared(drill, 2, roles, limits.escalation.level_2_minutes)
    new = [p for role in roles for p in roster.holders(role)]
    first = [p for role in ("technical_lead", "devops_lead") for p in roster.holders(role)]
    _paged(drill, 2, [*new, *first], limits)
    early = drill.told_before(new, limits.escalation.level_2_minutes)
    assert none_of("people paged before minute 15", early, among=new, of="people of level 2")
    texts, bare = drill.texts(2), drill.without(IMPACT, 2)
    assert none_of("texts of level 2 without impact", bare, among=texts, of="texts of level 2")
    timeless = drill.untimely(2)
    assert none_of("pages without age", timeless, among=drill.at(2), of="pages of level 2")
    assert at_most("minute that the other was solved in", drill.solved_minute, 14)
    later = [f"level {p.level} to {p.to}" for p in drill.solved_pages if p.level != 1]
    assert none_of("pages of level 2 or above", later, among=1, of="incidents solved in time")


@item("ES.3")
def test_level_3_pages_every_executive_in_minute_30(
    escalation_drill: EscalationDrill, roster: Roster, limits: Limits
) -> None:
    """The same drill, in the incident's 30th minute; recipients joined with the roster.

    Remedy: not paged: the receiver of level 3 in the pager has another address than the roster,
    or replaces the earlier levels. Without impact or decision: the message's template.
    """
    drill, before = escalation_drill, ["technical_lead", "devops_lead", "product_manager"]
    _declared(drill, 3, ["executive_team"], limits.escalation.level_3_minutes)
    executives = roster.entitled("executive_team")
    assert at_least("executives on the roster", len(roster.holders("executive_team")), 1)
    reported = [p for role in (*before, "security_lead") for p in roster.holders(role)]
    _paged(drill, 3, [*executives, *reported], limits)
    early = drill.told_before(executives, limits.escalation.level_3_minutes)
    assert none_of("executives paged before", early, among=executives, of="executives")
    for mark in (IMPACT, DECISION):
        bare = drill.without(mark, 3)
        assert none_of(f"texts without '{mark}'", bare, among=drill.texts(3), of="texts of level 3")


@item("ES.4")
def test_level_4_asks_whether_counsel_and_vendors_are_told_and_tells_none_by_itself(
    escalation_drill: EscalationDrill,
    roster: Roster,
    env: Environment,
    papers: Papers,
    limits: Limits,
) -> None:
    """The same drill, in the incident's 60th minute: the list in the text to whoever decides, and
    that no message about the incident went to anybody on it; the notice among the papers.

    Remedy: an entry that the list lacks: the roster's level 4, its legal counsel, its vendors, and
    the pager's own list. A message to outsiders: end it in the pager; it needs a signed approval.
    """
    drill, level = escalation_drill, escalation_drill.level(4)
    _declared(drill, 4, ["legal_counsel"], limits.escalation.level_4_minutes)
    vendors = level.vendors if level else []
    assert same_set("vendors of level 4", vendors, VENDORS)
    unknown = [v for v in vendors if v not in roster.vendors]
    assert none_of("vendors not on the roster", unknown, among=vendors, of="vendors")
    assert at_least("legal counsel on the roster", len(roster.holders("legal_counsel")), 1)
    assert at_least("backups of legal counsel", len(roster.backups("legal_counsel")), 1)
    _paged(drill, 4, roster.holders(env.escalation.duty_role), limits)
    asked, early = drill.at(4), drill.sent_before(4, limits.escalation.level_4_minutes)
    assert none_of("questions before minute 60", early, among=asked, of="questions")
    counsel = roster.entitled("legal_counsel")
    outside: list[Person | Vendor] = [*counsel, *(roster.vendors[v] for v in vendors)]
    unnamed, reported = drill.unnamed(outside, 4), drill.reported(outside)
    assert none_of("outsiders not in the list with phone", unnamed, among=outside, of="outsiders")
    assert none_of("messages to outsiders", reported, among=drill.pages, of="messages")
    _read_by(counsel, papers.read(LegalNotice), limits)
