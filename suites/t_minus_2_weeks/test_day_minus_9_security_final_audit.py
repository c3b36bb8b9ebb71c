"""Day -9: Security Final Audit (Security Lead)."""

from __future__ import annotations

from datetime import date

from golive import findings
from golive.claims import (
    at_least,
    at_most,
    each_at_least,
    equal,
    holds,
    none_of,
    same_set,
)
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Launch, Limits
from golive.papers import Papers
from golive.papers.compliance import (
    CardCompliance,
    Certificates,
    ControlMatrix,
    ProcessingRegister,
)
from golive.probes.data.card_numbers import CardNumbers
from golive.probes.saas.tracker import Issues, PullRequest, approvals_of_last
from golive.probes.traffic.browser import PaymentPage
from golive.probes.traffic.edge import EdgeBehaviour
from golive.probes.traffic.outbound import EvidenceLinks, Notice, Outbound

RESTS_ON = ("D-9.2.1", "D-9.2.2", "D-9.2.3", "D-9.2.4", "D-9.2.5")


def _seen(deliverables: Deliverables, item: str, wanted: tuple[str, ...]) -> None:
    """That other items were looked at and hold. Those that nobody has written a check of keep the
    launch from going by themselves."""
    context = deliverables.context
    written = tuple(
        i.id for w in wanted for i in context.procedure.under(w) if i.id in context.cards
    )
    for claim in deliverables.resting(item, written) if written else ():
        assert claim


def _pays_as_approved(pages: tuple[PaymentPage, ...], paper: CardCompliance, declared: str) -> None:
    """That card fields come from the one approved origin, and all scripts beside them are
    approved."""
    fields = [origin for page in pages for origin in page.card_fields]
    assert equal("origin that card-compliance.md approves", paper.card_origin, declared)
    assert at_least("card fields on the payment pages", len(fields), 1)
    elsewhere = sorted({origin for origin in fields if origin != paper.card_origin})
    approved = "origins of card fields but the approved one"
    assert none_of(approved, elsewhere, among=fields, of="card fields")
    run = {script for page in pages for script in page.scripts}
    assert same_set("scripts of the payment pages", run, paper.scripts)


@attested(
    "D-9.2.1",
    "the data protection officer has, within the last 90 days, confirmed the processing "
    "record, legal bases, impact assessment, breach process and retention table, and the "
    "processor register names every external host that the product contacts, each with its "
    "contract date",
    by=("data_protection_officer", "security_lead"),
    papers=("processing-register.md",),
)
def test_every_host_that_gets_data_is_a_processor_under_contract_and_in_the_notices(
    papers: Papers,
    outbound: Outbound,
    privacy_notices: tuple[Notice, ...],
    deliverables: Deliverables,
    today: date,
    limits: Limits,
) -> None:
    """The register of processors against the hosts that the release is configured for and that
    the public pages have a browser talk to; both notices, asked now; the newest verdict of D-9.2.4
    once there is a check of it.

    Remedy: add the processor that is missing with the date of its contract, or take the host out
    of the release; name it in both notices. Then the data protection officer and the Security
    Lead sign `golive attest D-9.2.1`.
    """
    said, hosts, notices = papers.read(ProcessingRegister).data, outbound.hosts, privacy_notices
    age, assessed = (today - said.reviewed_on).days, said.impact_assessment_on
    assert at_most("processing record reviewed", age, limits.compliance.register_days, "d ago")
    assert holds("impact assessment", assessed <= today, assessed, "made")
    told_h = said.breach_notice_hours
    assert at_most("authority told of a breach", told_h, limits.escalation.notice_within_h, "h")
    assert at_least("purposes with a legal basis", len(said.legal_bases), 1)
    assert each_at_least("days of retention", said.retention_days, 1)
    assert at_least("hosts outside that the product contacts", len(hosts), 1)
    unknown, coming = said.unknown(hosts), said.without_contract(today)
    assert none_of("hosts without a processor in the register", unknown, among=hosts, of="hosts")
    register = said.processors
    assert none_of("processors without a contract yet", coming, among=register, of="processors")
    gone = [n.answer for n in notices if n.status != 200]
    assert none_of("notices that do not answer", gone, among=notices, of="notices")
    lacking = [n.omission for n in notices if n.lacks]
    assert none_of("notices that leave out a processor", lacking, among=notices, of="notices")
    _seen(deliverables, "D-9.2.1", ("D-9.2.4",))


@attested(
    "D-9.2.2",
    "the PCI DSS self-assessment and attestation of compliance are in date, the external scan "
    "is at most 90 days old, Stripe's own attestation is on file, and no card number is stored "
    "or logged by the product",
    by=("security_lead", "executive_team"),
    papers=("card-compliance.md",),
)
def test_no_card_number_is_kept_and_the_pci_papers_are_in_date(
    papers: Papers,
    card_numbers: CardNumbers,
    payment_pages: tuple[PaymentPage, ...],
    edge_behaviour: EdgeBehaviour,
    context: Context,
    env: Environment,
    today: date,
    limits: Limits,
) -> None:
    """The paper's dates; every text column, the logs of seven days and the keys of Redis searched
    for card numbers, the same way as a test number that is found; the payment pages in Chromium,
    for whose their fields for a card are and which scripts run beside them; public hosts' oldest
    TLS version.

    Remedy: where a card number is kept, find what writes it, stop that, and delete what is there;
    treat it as an incident. Take a script off the payment page that nobody approved, or have it
    approved in card-compliance.md. Renew what has expired. Then the Security Lead and an executive
    sign `golive attest D-9.2.2`.
    """
    kept, found, first = papers.read(CardCompliance).data, card_numbers, context.launch.date
    for what, until in kept.ends.items():
        after = f"after launch day, {first}"
        assert holds(f"end of the {what}", until > max(today, first), until, after)
    assert holds("self-assessment", kept.assessed_on <= today, kept.assessed_on, "made")
    age = (today - kept.scanned_on).days
    assert holds("external scan", age >= 0, kept.scanned_on, "not in the future")
    assert at_most(
        f"external scan by {kept.scanned_by}", age, limits.compliance.external_scan_days, "d ago"
    )
    unseen = "places in which the test number was not found"
    assert none_of(unseen, found.unseen, among=3, of="kinds of places")
    assert at_least("log files of the last 7 days", found.log_files, 1)
    assert at_least("keys of Redis", found.keys, 1)
    looked = found.looked_at
    assert none_of("card numbers", found.shown, among=looked, of="columns, logs and keys")
    _pays_as_approved(payment_pages, kept, env.stripe.card_origin)
    assert each_at_least("oldest TLS version", edge_behaviour.oldest_tls, limits.tls.version)


@attested(
    "D-9.2.3",
    "the SOC 2 gap assessment of security, availability and confidentiality is at most 180 "
    "days old, and every criterion has an owner, a control, a working evidence link and a "
    "status, with an accepted plan for each unmet one",
    by=("security_lead", "technical_lead"),
    papers=("control-matrix.md",),
)
def test_every_criterion_of_soc_2_has_owner_control_and_evidence_that_is_there(
    papers: Papers,
    control_evidence: EvidenceLinks,
    pull_requests: tuple[PullRequest, ...],
    deliverables: Deliverables,
    context: Context,
    env: Environment,
    today: date,
    limits: Limits,
) -> None:
    """The assessment against the declared criteria and the roster; its links, asked now; who
    approved the newest merges; the newest verdicts of backups, recovery and their alerts.

    Remedy: name an owner on the roster, fix the link, or have the plan accepted; have the change
    reviewed by others. Then the Security Lead and the Technical Lead sign `golive attest D-9.2.3`.
    """
    said, known = papers.read(ControlMatrix).data, context.roster.people
    age, review = (today - said.assessed_on).days, (today - said.access_reviewed_on).days
    assert at_most("gap assessment made", age, limits.compliance.gap_assessment_days, "d ago")
    assert at_most("access reviewed", review, limits.access.review_days, "d ago")
    assert at_least("days since both", min(age, review), 0)
    controls, nobodys = said.controls, said.without_owner(known)
    assert same_set("criteria", [c.criterion for c in controls], env.compliance.criteria)
    assert none_of(
        "criteria without an owner on the roster", nobodys, among=controls, of="criteria"
    )
    broken = control_evidence.broken(c.evidence for c in controls)
    assert none_of("evidence that is not there", broken, among=controls, of="links")
    bare = said.without_plan(known)
    assert none_of("unmet criteria without an accepted plan", bare, among=controls, of="criteria")
    approvals = approvals_of_last(int(limits.tracker.merges), pull_requests)
    assert each_at_least(
        "approvals of the last merges", approvals, limits.tracker.pull_request_approvals
    )
    _seen(deliverables, "D-9.2.3", ("D-13.2",))


@attested(
    "D-9.D.2",
    "each framework in scope (GDPR, PCI DSS, SOC 2 unless an executive excluded it) has a "
    "certificate from an authorised issuer, for the right legal entity and system, valid until "
    "at least 90 days past launch",
    by=("security_lead", "executive_team"),
    papers=("certificates.md",),
)
def test_every_framework_in_scope_is_certified_past_the_launch(
    papers: Papers, deliverables: Deliverables, context: Context, env: Environment, limits: Limits
) -> None:
    """The list of certificates against the declared frameworks, issuers, entity and system; each
    file's digest; the newest verdicts of those of D-9.2 that there is a check of. SOC 2 is out of
    scope while D-9.2.3 is not applicable by signature.

    Remedy: renew the certificate, or have its file put back; run or fix what is red. Then the
    Security Lead and an executive sign `golive attest D-9.D.2`.
    """
    declared, said = env.compliance, papers.read(Certificates).data
    entity, system, there = declared.entity, declared.system, said.certificates
    exempt, _ = context.statements.exemption("D-9.2.3")
    excluded = {"SOC 2"} if exempt and exempt.kind == "not-applicable" else set()
    scope = set(declared.frameworks) - excluded
    assert same_set("frameworks with a certificate", {c.framework for c in there}, scope)
    strange = said.of_other_issuer(declared.issuers)
    assert none_of("issuers who may not certify", strange, among=there, of="certificates")
    wrong, other = f"certificates not for {system} of {entity}", said.for_another(entity, system)
    assert none_of(wrong, other, among=there, of="certificates")
    past = said.days_past(context.launch.date)
    assert each_at_least("valid past launch day", past, limits.tls.days_past_launch, "d")
    altered = said.altered(context.digests(said.files))
    assert none_of("files that are not those registered", altered, among=there, of="certificates")
    _seen(deliverables, "D-9.D.2", RESTS_ON)


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-9.D.1")
def test_the_security_report_is_whole_and_no_grave_finding_is_open(
    deliverables: Deliverables, issues: Issues, launch: Launch
) -> None:
    """The newest verdicts of D-9.1 to D-9.3 and D-14.3, each as new as it has to be, and the
    tracker's security findings, made into the report and compared with it; the page searched
    for every known secret; the signature.

    Remedy: run what is missing, too old or red. Fix and retest open critical and high findings.
    Then read the document again and sign it.
    """
    document = deliverables.of(
        "D-9.D.1",
        "security-audit-report",
        ("D-9.1", "D-9.2", "D-9.3", "D-14.3"),
        findings.summary(issues),
    )
    for claim in document.claims(
        extra=findings.findings_settled(issues, launch.date),
        not_judged=("tester and scope of the assessment",),
    ):
        assert claim


@derived("D-9.D.3")
def test_every_open_finding_and_red_item_has_a_plan_in_time(
    deliverables: Deliverables, issues: Issues, launch: Launch, today: date
) -> None:
    """The newest verdicts of D-9.1 to D-9.3 and the tracker's open security findings, joined with
    the tracker's issues; the signature. With nothing open the plan says that it is not needed.

    Remedy: give each entry severity, owner, remediation, a day in time (critical and high
    before the launch, medium within 30 days, low within 90) and the item to look at again. Then
    read the document again and sign it.
    """
    document = deliverables.of(
        "D-9.D.3", "security-remediation-plan", ("D-9.1", "D-9.2", "D-9.3"), findings.log(issues)
    )
    verdicts = {row.id: row.verdict for row in document.document.verdicts}
    plans = findings.remediation_plan(verdicts, issues, launch.date, today)
    for claim in document.claims(extra=plans, red_too=True):
        assert claim
