"""8:00 AM - 9:00 AM: Application Preparation (Technical Lead)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from golive.claims import Claim, at_least, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.kinds import EmergencyRunbook
from golive.people.statements import Vouched
from golive.probes.observe.alerting import CriticalAlerts
from golive.probes.saas.launch_tools import Artefact, DryRun, OperatorRuns

MORNING = ("launch_0600", "launch_0700", "launch_0800")


@attested(
    "T0-0800.3.2",
    "each person on shift signed the own role card within the last 2 hours, and every step and "
    "gate has exactly one accountable person and a backup who are checked in and permitted to "
    "do it",
    each=True,
)
def test_everybody_knows_the_role_and_may_do_its_steps(
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
    context: Context,
    operator_runs: OperatorRuns,
    env: Environment,
    limits: Limits,
) -> None:
    """Role cards signed one by one; each launch command run dry as every holder and backup of
    the role that answers for it; who of these has checked in.

    Remedy: grant the permission that is refused to the person named, or name another in the
    roster; then everybody signs the own role card again. Who has not checked in does so
    (T0-0600.1.1), or somebody else is named.
    """
    accountable, roster = env.tools.accountable, context.roster
    assert at_least("launch commands", len(accountable), limits.launch_day.commands)
    assert same_set("commands with an accountable role", accountable, env.tools.commands)
    holders = {c: len(roster.holders(r)) for c, r in accountable.items()}
    unclear = [f"{c} ({accountable[c]} has {n} holders)" for c, n in holders.items() if n != 1]
    subject = "commands without one accountable person"
    assert none_of(subject, unclear, among=holders, of="commands")
    alone = [f"{c} ({r})" for c, r in accountable.items() if not roster.backups(r)]
    assert none_of("commands without a backup", alone, among=accountable, of="commands")
    here = {s.statement.by for s in vouched_of("T0-0600.1.1").valid}
    ready = {c: {p.id for p in roster.entitled(r)} & here for c, r in accountable.items()}
    few = [f"{c} ({', '.join(sorted(p)) or 'nobody'})" for c, p in ready.items() if len(p) < 2]
    subject = "commands without two people for them who have checked in"
    assert none_of(subject, few, among=ready, of="commands")
    refused = [f"{run.tool} as {run.operator}: {run.refused}" for run in operator_runs.refused]
    assert none_of("dry runs refused", refused, among=operator_runs.runs, of="dry runs")
    assert vouched.by_everyone([p.id for p in context.team], "people who signed their role card")


@attested(
    "T0-0800.3.4",
    "the Technical, DevOps and Security Leads and the Product Manager, all checked in, "
    "reviewed within the last 2 hours the emergency procedures as signed on Day -1",
    by=("technical_lead", "devops_lead", "security_lead", "product_manager"),
    papers=("emergency-runbook.md",),
)
def test_the_emergency_rollback_is_reviewed_and_could_be_done_now(
    emergency_rollback: DryRun,
    unconfirmed_rollback: DryRun,
    stored_artefacts: tuple[Artefact, ...],
    papers: Papers,
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
    context: Context,
    env: Environment,
) -> None:
    """The text against what was signed on Day -1; who signed it, and who decides on a rollback,
    against the check-ins; the emergency rollback asked without its confirmation, and run dry; the
    artefacts that it names against the store.

    Remedy: put the missing artefact back, or fix the command so that it refuses without its
    confirmation. Who signed an older text reads the current one and signs again, who has not
    checked in does so.
    """
    for claim in _reviewed(papers, vouched, vouched_of, context):
        assert claim
    done, dry = unconfirmed_rollback, emergency_rollback
    subject, said = f"{done.tool} without confirmation", done.refused or "it went ahead"
    is_refused = bool(done.refused) and not done.changed
    assert holds(subject, is_refused, said, "refused, and nothing changed")
    assert equal(f"{dry.tool} run dry", dry.refused or "possible", "possible")
    needed = {s.artefact: s.sha256 for s in dry.steps if s.artefact}
    assert at_least("artefacts that it would use", len(needed), 1)
    previous = env.release.previous_tag
    there = {a.name: a.sha256 for a in stored_artefacts if a.version == previous}
    lacking = [name for name, sha256 in needed.items() if there.get(name) != sha256]
    subject = f"artefacts of {previous} not in the store"
    assert none_of(subject, lacking, among=needed, of="artefacts")


def _reviewed(
    papers: Papers, vouched: Vouched, vouched_of: Callable[[str], Vouched], context: Context
) -> Iterator[Claim]:
    """That the text is the one of Day -1, and that those who signed it, and somebody who decides
    on a rollback, are there."""
    runbook, before = papers.read(EmergencyRunbook), vouched_of("D-1.3.2")
    signed, roles = before.digests(runbook.name), before.roles
    other = [role for role in roles if signed.get(role) != runbook.sha256]
    yield none_of("who did not sign this text on Day -1", other, among=roles, of="roles")
    here = {s.statement.by for s in vouched_of("T0-0600.1.1").valid}
    by = [s.statement.by for s in vouched.counted]
    away, of = [person for person in by if person not in here], "people"
    subject = "who signed it but has not checked in"
    yield none_of(subject, away, among=by, of=of, may_be_empty=True)  # they are waited for
    decide = [p for p in context.roster.people.values() if p.may_decide("rollback", context.today)]
    ready = [p.name for p in decide if p.id in here]
    yield at_least("people who decide on a rollback and have checked in", len(ready), 1)


@attested(
    "T0-0800.3.5",
    "the Technical Lead and an executive said go at most 15 minutes before 09:00, on a record "
    "in which the other 44 items of the launch morning pass, and no critical alert has fired "
    "since 08:00",
    by=("technical_lead", "executive_team"),
)
def test_everything_of_the_launch_morning_holds(
    deliverables: Deliverables,
    vouched: Vouched,
    critical_alerts: CriticalAlerts,
    context: Context,
) -> None:
    """The newest verdicts of all other items from 06:00 to 09:00, as fresh as launch.toml lets
    each be, and that whoever said go did so after the last of them; that the launch is
    authorised; critical alerts of the last hour, drills left out.

    Remedy: run what is missing or too old and fix what is red; then both sign again, since a
    later red verdict voids what was said before.
    """
    morning = [i for b in MORNING for i in context.ids_of(b) if i != "T0-0800.3.5"]
    assert at_least("items of the launch morning", len(morning), 44)
    assert vouched.unopposed()
    on = (*morning, "D-1.2.1")
    for claim in deliverables.resting("T0-0800.3.5", on, before=vouched):
        assert claim
    fired = critical_alerts.names
    of = "critical alerts of the last hour"
    assert none_of("critical alerts", fired, among=fired, of=of, may_be_empty=True)
