"""9:00 AM - 10:00 AM: Phase 1 - Infrastructure Deployment (DevOps Lead)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from golive.claims import none_of
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested
from golive.launch import Limits
from golive.people.statements import Vouched
from golive.probes.saas.launch_tools import AuditEvent

GATES = ("T0-0900.3.1", "T0-0900.3.2", "T0-0900.3.3", "T0-0900.3.4")
PHASE_1 = ("T0-0900.1", "T0-0900.2", *GATES[:3])
"""Deployment and validation of phase 1, and what is judged before people vote on it."""
APPROVERS = ("devops_lead", "technical_lead")
"""Either of them may let phase 2 begin."""


@attested(
    "T0-0900.3.4",
    "the Technical, DevOps and Security Leads and the Product Manager, 4 different people or "
    "their named backups, each voted go within the last 30 minutes, after phase 1's last "
    "verdict and on the same set of verdicts",
    by=("technical_lead", "devops_lead", "security_lead", "product_manager"),
)
def test_four_leads_voted_go_after_phase_1_was_looked_at(
    deliverables: Deliverables, vouched: Vouched, limits: Limits
) -> None:
    """The verdicts of phase 1's deployment and validation; each vote's time and content, and that
    nobody who may vote says no-go and has not voted again.

    Remedy: run what is missing, too old or red; then each lead votes again with `golive attest
    T0-0900.3.4 --data vote=go`.
    """
    assert vouched.unopposed()
    item, age_h = "T0-0900.3.4", limits.launch_day.gate_minutes / 60
    for claim in deliverables.resting(item, PHASE_1, max_age_h=age_h, before=vouched):
        assert claim
    votes = {role: s.statement for role, s in vouched.chosen.items()}
    said = {role: s.data.get("vote") for role, s in votes.items()}
    against = sorted(f"{r}: {v} by {votes[r].by}" for r, v in said.items() if v != "go")
    # Whoever has not voted yet is waited for.
    assert none_of("votes other than go", against, among=votes, of="votes", may_be_empty=True)


@attested(
    "T0-0900.3.5",
    "the DevOps Lead or the Technical Lead approved the start of phase 2 at most 30 minutes "
    "before it began, on phase 1's set of verdicts and after its four gates had passed",
    each=True,
)
def test_phase_2_was_approved_after_every_gate_of_phase_1(
    deliverables: Deliverables,
    vouched: Vouched,
    launch_audit: tuple[AuditEvent, ...],
    env: Environment,
    limits: Limits,
) -> None:
    """The verdicts of phase 1's four gates, each before the approval, by either lead; that nobody
    who may approve says no-go; deployments on record, each after the approval.

    Remedy: wait for the gate that is named, run it, and approve again. A deployment before the
    approval: say why in the record of the launch, and have phase 2 approved anew.
    """
    assert vouched.unopposed()
    item, age_h = "T0-0900.3.5", limits.launch_day.gate_minutes / 60
    said = vouched.one_of(APPROVERS)
    for claim in deliverables.resting(item, GATES, max_age_h=age_h, before=said):
        assert claim
    by = [s.statement for s in said.counted]
    since = datetime.now(UTC) - timedelta(hours=limits.launch_day.operator_tried_h)
    done = [e for e in launch_audit if e.tool == env.tools.deploy and not e.dry_run]
    today = [e for e in done if e.at >= since and not e.refused]
    early = [f"{e.at:%F %T} UTC" for e in today if not by or e.at < by[0].made_at]
    subject, of = "deployments before the approval", "deployments of the last day"
    assert none_of(subject, early, among=today, of=of, may_be_empty=True)
    likely = [s.by for s in by] or [p.id for p in vouched.roster.holders(APPROVERS[0])]
    assert vouched.by_everyone(likely, "leads who approved")
