"""Day -2: Go/No-Go Review Preparation (Product Manager)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from golive import readiness
from golive.claims import Claim, at_least, each_at_most, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, manifest_of, tally_of, with_tables
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Paper, Papers
from golive.papers.kinds import RiskBenefit, RiskRegister, Scenarios, Stakeholders
from golive.people.statements import Statement, Vouched, made_before
from golive.probes.platform.flags import Flags
from golive.probes.saas.launch_tools import LaunchTools
from golive.probes.saas.tracker import Issues
from golive.reports import paper_tables
from golive.reports.documents import Figure
from golive.verdicts import Pending

SCENARIOS = (
    "reduced-scope",
    "delay",
    "abort-phase-1",
    "abort-phase-2",
    "abort-phase-3",
    "abort-phase-4",
    "full-rollback",
)
STAKEHOLDER_ROLES = (
    "technical_lead",
    "devops_lead",
    "security_lead",
    "product_manager",
    "executive_team",
)
INPUTS = ("go", "conditional", "no-go")
REPORT = "final-status-report.html"
ON_REGISTER = ("D-6.3.4", "D-5.1.4", "D-2.1.3", "D-2.D.3")
"""Items about the risk register itself, which need no risk of their own."""
CHECKLIST = (
    *("D-14", "D-13", "D-12", "D-11", "D-10", "D-9"),
    *("D-8", "D-7", "D-6", "D-5", "D-4", "D-3"),
)
"""Everything that has to hold before the decision is prepared."""
PACKAGED = (
    *("D-14.D", "D-13.D", "D-12.D", "D-11.D", "D-10.D", "D-9.D", "D-8.D", "D-7.D", "D-6.D"),
    *("D-5.D", "D-4.D", "D-3.D", "D-2.D.2", "D-2.D.3", "D-2.2.1", "D-2.2.4", "D-2.2.5"),
)
"""All deliverables, the status report, the risk update, criteria, framework and people's input."""


@attested(
    "D-2.1.3",
    "the risk register was scored again today or yesterday, has at least one risk in each of "
    "its 8 areas, each with probability, impact, owner and mitigation, and maps every waiver, "
    "red verdict and accepted issue to a risk",
    papers=("risk-register.md",),
)
def test_every_risk_is_scored_anew_and_covers_what_is_open(
    papers: Papers, context: Context, issues: Issues, vouched: Vouched, limits: Limits
) -> None:
    """The risk register: its areas, owners and dates of scoring; the tracker's accepted issues,
    the waivers in force and the items that were red when last looked at, each covered by a risk;
    that it was signed after its last change.

    Remedy: score the risk that is named again, or add one that covers the issue, waiver or item
    named; then sign the register.
    """
    register, said = papers.read(RiskRegister).data, vouched.counted
    risks, early = register.risks, made_before(said, register.changed_on)
    subject = "signatures older than the register"
    assert none_of(subject, early, among=said, of="signatures", may_be_empty=True)
    assert at_least("risks", len(risks), limits.risks.registered)
    assert same_set("areas with a risk", {r.area for r in risks}, context.areas)
    ages = register.days_since_scored(context.today)
    assert each_at_most("days since a risk was scored", ages, limits.risks.scored_days, "days")
    loose = register.unowned(context.roster.people)
    assert none_of("risks without an owner on the roster", loose, among=risks, of="risks")
    open_ = [f"#{i.number}" for i in issues.open_known] + context.statements.exempted()
    bare = register.uncovered(open_)
    assert none_of("accepted issues and waivers without a risk", bare, among=risks, of="risks")
    red = register.uncovered(readiness.red(context, but=ON_REGISTER))
    assert none_of("red items without a risk", red, among=risks, of="risks")


@attested(
    "D-2.2.2",
    "the Product Manager and an executive hold an analysis, at most 2 days old and newer than "
    "the risk register, that treats every high risk with cost, benefit and net position and "
    "states what a delay of one week costs",
    by=("product_manager", "executive_team"),
    papers=("risk-benefit.md",),
)
def test_every_high_risk_is_weighed_against_its_benefit(papers: Papers) -> None:
    """The analysis against the risks that the register scores high now, and that it weighs that
    very register.

    Remedy: weigh the risk that is named, note the register's digest as it is now, and have the
    analysis signed again by both.
    """
    analysis, register = papers.read(RiskBenefit).data, papers.read(RiskRegister)
    assert equal("risk register that is weighed", analysis.register_sha256, register.sha256)
    high = [r.id for r in register.data.high]
    weighed, part = [r.id for r in analysis.risks], analysis.weighed_in_part
    if high or weighed:
        assert same_set("high risks that are weighed", weighed, high)
    assert none_of("risks weighed in part", part, among=weighed, of="high risks", may_be_empty=True)
    delay = analysis.week_of_delay.strip()
    assert holds("what a week of delay costs", delay, delay, "stated")


@attested(
    "D-2.2.3",
    "the Product Manager and the Technical Lead agreed, within the last 2 days, on plans for "
    "reduced scope, delay, abort in each of the phases 1 to 4 and full rollback, each with "
    "trigger, decider, commands and a time limit, for an abort at most 30 minutes",
    by=("product_manager", "technical_lead"),
    papers=("scenarios.md",),
)
def test_every_other_course_of_the_day_is_planned(
    papers: Papers, launch_tools: LaunchTools, flags: Flags, context: Context, limits: Limits
) -> None:
    """The scenarios against those that there have to be; their commands and feature flags against
    those that exist.

    Remedy: plan the scenario that is missing, or name the command or flag as it is called; then
    both sign again.
    """
    paper = papers.read(Scenarios).data
    planned, commands, named = {s.id for s in paper.scenarios}, paper.commands, paper.flags
    assert same_set("scenarios", planned, SCENARIOS)
    for subject, offenders in {
        "scenarios that nobody can decide": paper.without_decider(context.roster.roles),
        "scenarios that stand twice": paper.repeated,
        "scenarios without a time limit": paper.endless,
        "aborts and rollbacks without a command": paper.idle,
    }.items():
        assert none_of(subject, offenders, among=planned, of="scenarios")
    aborts = paper.abort_minutes
    assert each_at_most("minutes to abort a phase", aborts, limits.reviews.abort_minutes, "min")
    unknown = sorted(commands - set(launch_tools.dry_runs))
    assert none_of("commands that do not exist", unknown, among=commands, of="commands")
    missing = flags.missing(named)
    subject = "feature flags that do not exist"
    assert none_of(subject, missing, among=named, of="flags", may_be_empty=True)


@attested(
    "D-2.2.4",
    "every registered stakeholder, at least the Technical, DevOps and Security Leads, the "
    "Product Manager and an executive, said in person within the last 48 hours go, conditional "
    "or no-go on the final status report, with a reason and, for each condition, an issue",
    each=True,
    last=True,
)
def test_every_stakeholder_has_said_go_or_not(
    papers: Papers, vouched: Vouched, deliverables: Deliverables, context: Context, issues: Issues
) -> None:
    """Each stakeholder's own signed input, with a reason and the final status report as it lies
    there among its evidence; the tracker's issue for each condition.

    Remedy: ask the stakeholder who is named for `golive attest D-2.2.4 --data input=go --data
    reason=... --evidence` and the path of final-status-report.html; file an issue for the
    condition that has none.
    """
    asked = papers.read(Stakeholders).data.people
    entitled = {r: {p.id for p in context.roster.entitled(r)} for r in STAKEHOLDER_ROLES}
    lacking = [r for r, people in entitled.items() if not people & set(asked)]
    assert none_of("roles without a stakeholder", lacking, among=STAKEHOLDER_ROLES, of="roles")
    assert vouched.by_everyone(asked, "stakeholders who gave their input")
    inputs = {p: s.statement for p in asked if (s := vouched.of(p))}
    for subject, offenders in {
        "stakeholders under two ids": context.roster.doubles(asked),
        "inputs that say neither go, conditional nor no-go": _vague(inputs),
        "inputs without a reason": [p for p, s in inputs.items() if not s.data.get("reason")],
        "conditions without an issue that somebody owns": _unfiled(inputs, issues),
        f"inputs on another {REPORT}": _on_another(inputs, deliverables.digest(REPORT)),
    }.items():
        assert none_of(subject, offenders, among=inputs, of="inputs")


def _vague(inputs: Mapping[str, Statement]) -> list[str]:
    """Whose input is none of the three, or conditional without a condition."""
    said = {p: (s.data.get("input"), s.data.get("conditions")) for p, s in inputs.items()}
    return [p for p, (i, c) in said.items() if i not in INPUTS or (i == "conditional" and not c)]


def _unfiled(inputs: Mapping[str, Statement], issues: Issues) -> list[str]:
    """Conditions that no issue with an owner stands for."""
    conditions = {str(c) for s in inputs.values() for c in s.data.get("conditions", [])}
    return sorted(conditions - {str(i.number) for i in issues.all if i.owner})


def _on_another(inputs: Mapping[str, Statement], digest: str) -> list[str]:
    """Whose input does not name the document of that digest as its evidence."""
    return [p for p, s in inputs.items() if digest not in {e.sha256 for e in s.evidence}]


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-2.1.1")
def test_the_checklist_of_days_14_to_3_is_complete(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdict of every item of days -14 to -3 in this environment and on this
    candidate, each as new as launch.toml asks, statements and waivers checked now.

    Remedy: the review names what is missing, too old or red, with its owner; each is run, stated
    or waived by its owner and a second person.
    """
    kind = "checklist-completion-review"
    review = deliverables.of("D-2.1.1", kind, CHECKLIST, tally_of, signers=())
    assert equal(
        "items it goes through", len(review.basis.rests_on), limits.documents.checklist_items
    )
    for claim in review.claims():
        assert claim


@derived("D-2.D.1", last=True)
def test_the_package_has_every_document_as_it_lies_there(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The documents of days -14 to -3, the status report and the risk update, each with its
    digest now: environment and candidate, that it shows just its own data, that nothing it rests
    on was looked at since, its signatures; the newest verdicts of what they belong to, and what
    stakeholders have said; the Product Manager's signature over the list.

    Remedy: run what is missing, too old or red. A document that is named is made again by running
    its item, then read and signed by its owner. Then read the list again and sign it.
    """
    package = deliverables.of("D-2.D.1", "go-no-go-decision-package", PACKAGED, manifest_of)
    assert equal("items it packs", len(package.basis.rests_on), limits.documents.packaged_items)
    for claim in package.claims(extra=package.packed()):
        assert claim


@derived("D-2.D.2")
def test_the_status_report_counts_what_the_ledger_has(
    deliverables: Deliverables, limits: Limits
) -> None:
    """Every item of days -14 to -3 as it stands, counted by day and area, and each that is not
    green with owner and plan, made again from the ledger and compared; the signature.

    Remedy: read the report as it is made now and sign it. One that differs from the ledger, or
    was altered after signing: find out by whom, and remove it with its signature first.
    """
    report = deliverables.of("D-2.D.2", "final-status-report", CHECKLIST, tally_of, whole=False)
    assert equal("items it counts", len(report.basis.rests_on), limits.documents.checklist_items)
    for claim in report.status_claims(max_age_h=limits.documents.report_age_h):
        assert claim


@derived("D-2.D.3")
def test_the_risk_update_drops_no_risk_in_silence(
    deliverables: Deliverables, papers: Papers
) -> None:
    """The newest verdicts of D-2.1.3 and D-5.1.4 and the statements behind them; the score of
    each risk in the register as it lies there and in the one that was signed first for D-5.1.4,
    made into the update and compared with it; the signatures of the Product Manager and of
    whoever owns a risk that is still high.

    Remedy: run what is missing, too old or red. A risk that is over goes among the closed ones
    with the reason, and the register is signed again. Then all who are named read the update again
    and sign it.
    """
    context, now = deliverables.context, papers.read(RiskRegister)
    first = next(reversed(context.signed_papers("D-5.1.4", RiskRegister)), None)
    digest = Figure(name="digest of the risk register", value=now.sha256)
    table = paper_tables.risk_scores(first.data if first else None, now.data)
    write = with_tables(table, figures=[digest], inputs={now.name: now.sha256})
    owners = {o: context.roster.roles_of(o) for o in dict.fromkeys(r.owner for r in now.data.high)}
    roles = ["product_manager", *(known[0] for known in owners.values() if known)]
    kind, signers = "risk-assessment-update", tuple(dict.fromkeys(roles))
    document = deliverables.of("D-2.D.3", kind, ("D-2.1.3", "D-5.1.4"), write, signers=signers)
    for claim in document.claims(extra=_rescored(first, now, context)):
        assert claim


def _rescored(
    first: Paper[RiskRegister] | None, now: Paper[RiskRegister], context: Context
) -> Iterator[Claim]:
    """That no risk of the first register is gone without a reason, that owners of high ones can
    sign, and that the register is one that was signed for D-2.1.3.

    :raises Pending: none was signed yet.
    """
    signed = context.signed_papers("D-2.1.3", RiskRegister)
    if first is None or not signed:
        raise Pending("no risk register is signed yet for both D-5.1.4 and D-2.1.3: sign it")
    known, dropped = first.data.risks, now.data.dropped_since(first.data)
    yield none_of("risks dropped without a closing note", dropped, among=known, of="risks")
    roles_of, high = context.roster.roles_of, now.data.high
    nobodys = [f"{r.id} ({r.owner})" for r in high if not roles_of(r.owner)]
    yield none_of("high risks whose owner cannot sign", nobodys, among=known, of="risks")
    digests, mine = sorted({r.sha256[:12] for r in signed}), now.sha256[:12]
    yield holds("registers signed for D-2.1.3", mine in digests, digests, f"also {mine}")
