"""8:00 AM - 9:00 AM: Application Preparation (Technical Lead)."""

from __future__ import annotations

from golive.claims import at_least, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.people.statements import Vouched
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
    context: Context,
    operator_runs: OperatorRuns,
    env: Environment,
    limits: Limits,
) -> None:
    """Role cards signed one by one; each launch command run dry as every holder and backup of
    the role that answers for it.

    Remedy: grant the permission that is refused to the person named, or name another in the
    roster; then everybody signs the own role card again.
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
    env: Environment,
) -> None:
    """The emergency rollback asked without its confirmation, and run dry; the artefacts that it
    names against the store.

    Remedy: put the missing artefact back, or fix the command so that it refuses without its
    confirmation. Who signed an older text reads the current one and signs again.
    """
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


@attested(
    "T0-0800.3.5",
    "the Technical Lead and an executive said go at most 15 minutes before 09:00, on a record "
    "in which the other 44 items of the launch morning pass, and no critical alert has fired "
    "since 08:00",
    by=("technical_lead", "executive_team"),
)
def test_everything_of_the_launch_morning_holds(
    deliverables: Deliverables, context: Context
) -> None:
    """The newest verdicts of all other items from 06:00 to 09:00, as fresh as launch.toml lets
    each be; that the launch is authorised.

    Remedy: run what is missing or too old and fix what is red; then both sign again, since a
    later red verdict voids what was said before.
    """
    morning = [i for b in MORNING for i in context.ids_of(b) if i != "T0-0800.3.5"]
    assert at_least("items of the launch morning", len(morning), 44)
    for claim in deliverables.resting("T0-0800.3.5", (*morning, "D-1.2.1")):
        assert claim
