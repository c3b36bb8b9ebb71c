"""Day -6: Final System Validation (QA Lead)."""

from __future__ import annotations

from golive import findings, readiness
from golive.claims import at_least, at_most, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, with_tables
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.kinds import KnownIssues, RiskRegister, RoleTable
from golive.people.statements import Vouched, made_before
from golive.probes.saas.launch_tools import Manifest
from golive.probes.saas.tracker import Authors, CheckRuns, Fixes, Issues, PullRequest
from golive.reports.documents import Figure

SIGNED_OFF = ("D-6.D.1", "D-6.D.2", "D-6.3.5", "D-6.2")
"""What the QA Lead answers for."""
ON_REGISTER = ("D-6.3.4", "D-5.1.4", "D-2.1.3", "D-2.D.3")
"""Items about the risk register itself, which need no risk of their own."""


@attested(
    "D-6.3.2",
    "the register of known issues equals the milestone's open issues, and each is of medium or "
    "low severity with customer impact, owner, target date and the Product Manager's "
    "acceptance of its text within the last 7 days",
    by=("product_manager",),
    papers=("known-issues.md",),
)
def test_every_issue_that_stays_open_is_known_and_accepted(
    papers: Papers, issues: Issues, context: Context, limits: Limits
) -> None:
    """The register against the tracker's open issues of the milestone, and their severities.

    Remedy: close the issue that is named, or enter it in the register; the Product Manager then
    signs the register as it is.
    """
    register, milestone = papers.read(KnownIssues).data, issues.of_milestone()
    for claim in findings.canary(issues):
        assert claim
    open_ = {f"#{i.number}": i.severity for i in milestone if i.is_open}
    if not register.issues and not open_:
        assert holds("a register without entries", register.none_open, "it is empty", "none_open")
        assert at_least(
            "closed issues of the milestone", len(milestone), limits.tracker.milestone_issues
        )
        return
    entries = {f"#{e.number}" for e in register.issues}
    assert same_set("issues in the register", entries, open_)
    worse, vague = register.above_medium(open_), register.vague(context.roster.people)
    assert none_of("issues above medium", worse, among=entries, of="issues")
    subject = "entries without impact, or an owner on the roster"
    assert none_of(subject, vague, among=entries, of="entries")


@attested(
    "D-6.3.4",
    "the risk register, changed within the last 3 days, holds at least 10 risks, each with "
    "likelihood, impact, owner, mitigation, trigger and review date, maps every open issue, "
    "waiver and red item to a risk, and leaves no high risk without a mitigation due before "
    "launch",
    papers=("risk-register.md",),
)
def test_the_risk_register_is_current_and_covers_what_is_open(
    papers: Papers, issues: Issues, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The register's age, risks, owners and reviews; the tracker's known issues, the waivers in
    force and the items that were red when last looked at, each covered by a risk; when mitigations
    of high risks are done; that it was signed after its last change.

    Remedy: complete the risk that is named, or add one for the issue, waiver or item named; then
    the QA Lead signs the register as it is.
    """
    register, said = papers.read(RiskRegister).data, vouched.counted
    risks, days = register.risks, (context.today - register.changed_on).days
    assert at_least("risks", len(risks), limits.risks.registered)
    assert at_most("days since the register was changed", days, limits.risks.register_days)
    early, subject = made_before(said, register.changed_on), "signatures older than the register"
    assert none_of(subject, early, among=said, of="signatures", may_be_empty=True)
    holders = papers.read(RoleTable).data.people
    open_ = [f"#{i.number}" for i in issues.open_known] + context.statements.exempted()
    for subject, offenders in {
        "risks without mitigation, trigger, or an owner in the role table": register.vague(holders),
        "reviews that are overdue": register.overdue(context.today),
        "known issues and waivers without a risk": register.uncovered(open_),
        "red items without a risk": register.uncovered(readiness.red(context, but=ON_REGISTER)),
        "high risks not mitigated before the launch": register.unmitigated(context.launch.date),
    }.items():
        assert none_of(subject, offenders, among=risks, of="risks")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-6.3.5")
def test_the_quality_gates_are_passed(
    deliverables: Deliverables,
    check_runs: CheckRuns,
    pull_requests: tuple[PullRequest, ...],
    fixes: Fixes,
    limits: Limits,
) -> None:
    """The newest verdicts of D-6.1 and D-6.3.1, the candidate's checks in CI, and who approved its
    pull requests.

    Remedy: run what is missing, too old or red; make failing checks pass on the candidate's
    commit; have two others than the author approve each pull request.
    """
    document = deliverables.of("D-6.3.5", "quality-gates-passed", ("D-6.1", "D-6.3.1"), signers=())
    gates = findings.gates(check_runs, pull_requests, fixes, limits.tracker.pull_request_approvals)
    rest = ("the gate file, at least 10 gates no looser than on day -10",)
    age_h = limits.documents.test_report_age_h
    for claim in document.claims(max_age_h=age_h, extra=gates, not_judged=rest):
        assert claim


@derived("D-6.D.1")
def test_the_test_report_adds_up(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdicts of D-6.1, all on this candidate, made into the report and compared with
    it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-6.D.1", "final-test-execution-report", ("D-6.1",))
    rest = (
        "totals of the five test families as in their raw files",
        "an approval of every skip",
    )
    for claim in document.claims(max_age_h=limits.documents.test_report_age_h, not_judged=rest):
        assert claim


@derived("D-6.D.2")
def test_bugs_are_resolved_verified_and_those_left_are_known(
    deliverables: Deliverables, issues: Issues, fixes: Fixes, limits: Limits
) -> None:
    """The tracker's issues of the milestone with their history, now, and the newest verdict of
    D-6.3.2, made into the summary and compared with it; the signature.

    Remedy: close critical and high bugs with a fix that the candidate contains, a test, and
    somebody else's verification; label what stays open as known. Then read the document again
    and sign it.
    """
    kind, write = "bug-resolution-summary", findings.resolution(issues)
    document = deliverables.of("D-6.D.2", kind, ("D-6.3.2",), write)
    settled = findings.bugs_settled(issues, fixes, limits.tracker.milestone_issues)
    for claim in document.claims(max_age_h=limits.documents.report_age_h, extra=settled):
        assert claim


@derived("D-6.D.3")
def test_the_qa_lead_signs_off_on_everything_that_was_validated(
    deliverables: Deliverables,
    release_authors: Authors,
    fixes: Fixes,
    release_manifest: Manifest,
    limits: Limits,
) -> None:
    """The newest verdicts of D-6.D.1, D-6.D.2, D-6.3.5 and D-6.2, made into the sign-off and
    compared with it; the commit that the release's tag names, so that a tag that moves makes the
    sign-off again; the QA Lead's signature, by nobody who wrote a commit of the release.

    Remedy: run what is missing, too old or red; read the document again and sign it. Where the
    signer is an author, whoever else holds or backs up the role reads and signs it.
    """
    kind = "quality-assurance-sign-off"
    commit = Figure(name=f"commit of {fixes.tag}", value=fixes.commit)
    write = with_tables(figures=[commit], inputs={"commit": fixes.commit})
    document = deliverables.of("D-6.D.3", kind, SIGNED_OFF, write)
    people = deliverables.context.roster.people
    signed = [people[s.signer] for s in document.signatures if s.valid]
    own = [p.name for p in signed if release_authors.has(p.name, p.email)]
    subject = "signers who wrote commits of the release"
    extra = [
        equal(f"commit of {fixes.tag}", fixes.commit, release_manifest.commit),
        none_of(subject, own, among=release_authors.commits, of="commits"),
    ]
    for claim in document.claims(max_age_h=limits.documents.test_report_age_h, extra=extra):
        assert claim
