"""Faults of compliance: processors, card numbers, controls, certificates."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.staff import papers, people
from rehearsal.staff import saas_stubs as stubs
from rehearsal.staff.scripted_statements import entry

made = Stating(__name__)
GDPR, PCI, SOC_2 = (("D-9.2.1",), ("D-9.2.2",), ("D-9.2.3",))
CARD = "4242 4242 4242 4242"
"""A card scheme's number for tests."""

made.stated(
    "gdpr-signed-by-another",
    GDPR,
    [entry("qa_lead"), entry("security_lead")],
    "the QA Lead has signed for the data protection officer",
)
made.written(
    "processor-missing",
    GDPR,
    "processing-register.md",
    lambda d: d.update(processors=[p for p in d["processors"] if p["name"] != "Twilio"]),
    "the register of processors lacks Twilio",
)
made.stated(
    "gdpr-signed-long-ago",
    GDPR,
    [entry(role, made_ago_s=91 * DAY_S) for role in ("data_protection_officer", "security_lead")],
    "the statement of the data protection officer has expired",
)


@fault(
    "notice-silent",
    expect_fail=GDPR,
    touches=["saas-stubs/pages/cookies"],
    title="the cookie notice does not name the processors",
)
def notice_silent(r: Rehearsal) -> None:
    saas_stubs.patch(r, "notice-silent", pages={"/cookies": {"lines": ["Which cookies we set."]}})


@notice_silent.revert
def notice_names_them(r: Rehearsal) -> None:
    saas_stubs.restore(r, "notice-silent")


@fault(
    "card-number-logged",
    expect_fail=PCI,
    touches=["logs/app-2", "app/log"],
    title="the application has logged a card number",
)
def card_number_logged(r: Rehearsal) -> None:
    with r.log("app-2").open("a") as log:
        log.write(f"payment refused: card {CARD}, do not honour\n")


@card_number_logged.revert
def card_number_deleted(r: Rehearsal) -> None:
    path = r.log("app-2")
    text = path.read_text()
    # In place, since the application goes on writing to it.
    with path.open("r+") as log:
        log.write("".join(x for x in text.splitlines(keepends=True) if CARD not in x))
        log.truncate()


@fault(
    "card-number-in-rotated-log",
    expect_fail=PCI,
    touches=["logs/app-2", "app/log"],
    title="a card number stands in yesterday's log, which was rotated and packed",
)
def card_number_in_rotated_log(r: Rehearsal) -> None:
    text = f"payment refused: card {CARD}, do not honour\n"
    _rotated(r).write_bytes(gzip.compress(text.encode()))


@card_number_in_rotated_log.revert
def rotated_log_deleted(r: Rehearsal) -> None:
    _rotated(r).unlink()


def _rotated(r: Rehearsal) -> Path:
    log = r.log("app-2")
    return log.with_name(f"{log.name}.1.gz")


@fault(
    "card-number-stored",
    expect_fail=PCI,
    touches=["postgres/appointments"],
    title="a note of an appointment is a card number",
)
def card_number_stored(r: Rehearsal) -> None:
    r.primary.sql(
        "update appointments set notes = 'card 4242 4242 4242 4242'"
        " where id = (select max(id) from appointments)"
    )


@card_number_stored.revert
def note_without_it(r: Rehearsal) -> None:
    r.primary.sql("update appointments set notes = null where notes like 'card 4242 %'")


@fault(
    "script-on-payment-page",
    expect_fail=PCI,
    touches=["app/payment_page"],
    title="a script that nobody approved runs on the payment page",
)
def script_on_payment_page(r: Rehearsal) -> None:
    set_app_faults(r, payment_page={"script": "js/times.js"})


@fault(
    "card-field-of-our-own",
    expect_fail=PCI,
    touches=["app/payment_page"],
    title="the payment page asks for the card's number in a field of its own",
)
def card_field_of_our_own(r: Rehearsal) -> None:
    set_app_faults(r, payment_page={"own_fields": True})


@script_on_payment_page.revert
@card_field_of_our_own.revert
def payment_page_as_it_was(r: Rehearsal) -> None:
    set_app_faults(r, payment_page=None)


made.written(
    "pci-assessment-expired",
    PCI,
    "card-compliance.md",
    lambda d: d.update(valid_until=date(2026, 10, 31)),
    "the self-assessment of PCI DSS has expired",
)
made.stated("pci-not-signed", PCI, [entry("security_lead")], "no executive signed for PCI DSS")


@fault(
    "control-evidence-gone",
    expect_fail=SOC_2,
    touches=["saas-stubs/pages/controls"],
    title="a link to evidence leads nowhere",
)
def control_evidence_gone(r: Rehearsal) -> None:
    saas_stubs.patch(r, "control-evidence-gone", pages={"/controls/CC7.2": None})


@control_evidence_gone.revert
def control_evidence_there(r: Rehearsal) -> None:
    saas_stubs.restore(r, "control-evidence-gone")


made.written(
    "control-without-owner",
    SOC_2,
    "control-matrix.md",
    lambda d: d["controls"][4].update(owner="nobody"),
    "a control has no owner on the roster",
)
made.stated(
    "soc-2-signed-by-another",
    SOC_2,
    [entry("qa_lead"), entry("technical_lead")],
    "the QA Lead has signed for the Security Lead",
)

made.written(
    "compliance-certificate-ends-soon",
    "D-9.D.2",
    "certificates.md",
    lambda d: d["certificates"][1].update(valid_until=date(2026, 12, 25)),
    "a certificate ends within 30 days",
)


@fault(
    "compliance-certificate-altered",
    expect_fail=["D-9.D.2"],
    touches=["papers/certificates.md"],
    title="a certificate is altered",
)
def certificate_altered(r: Rehearsal) -> None:
    with (people.papers(r) / "certificates" / "gdpr.txt").open("a") as file:
        file.write("and every other system\n")


@certificate_altered.revert
def certificate_as_registered(r: Rehearsal) -> None:
    papers.write(r, "certificates.md")


made.stated(
    "certificates-signed-by-another",
    "D-9.D.2",
    [entry("qa_lead"), entry("executive_team")],
    "the QA Lead has signed for the Security Lead",
)


# -- what each paper has to say besides ------------------------------------------------------------

REGISTER, CARDS = "processing-register.md", "card-compliance.md"
MATRIX, CERTIFICATES = "control-matrix.md", "certificates.md"
LONG_AGO = date(2024, 1, 15)

made.written(
    "processing-record-of-2024",
    GDPR,
    REGISTER,
    lambda d: d.update(reviewed_on=LONG_AGO),
    "nobody has reviewed the processing record since 2024",
)
made.written(
    "no-legal-basis",
    (*GDPR, "D-9.D.1"),
    REGISTER,
    lambda d: d.update(legal_bases={}),
    "the processing record names no legal basis",
)
made.written(
    "impact-assessment-to-come",
    GDPR,
    REGISTER,
    lambda d: d.update(impact_assessment_on=date(2031, 1, 15)),
    "the impact assessment is still to come",
)
made.written(
    "breach-told-after-a-week",
    GDPR,
    REGISTER,
    lambda d: d.update(breach_notice_hours=168),
    "the authority would be told of a breach after a week",
)
made.written(
    "data-kept-for-ever",
    GDPR,
    REGISTER,
    lambda d: d["retention_days"].update(messages=0),
    "for one kind of data there is no retention",
)
made.written(
    "processor-without-contract",
    GDPR,
    REGISTER,
    lambda d: d["processors"][0].update(contract_on=date(2031, 1, 15)),
    "the contract with a processor is still to come",
)
made.written(
    "card-scan-of-2024",
    PCI,
    CARDS,
    lambda d: d.update(scanned_on=LONG_AGO),
    "the external scan is of 2024",
)
made.written(
    "card-scan-to-come",
    PCI,
    CARDS,
    lambda d: d.update(scanned_on=date(2031, 1, 15)),
    "the external scan is dated after today",
)
made.written(
    "card-assessment-to-come",
    PCI,
    CARDS,
    lambda d: d.update(assessed_on=date(2031, 1, 15)),
    "the self-assessment of PCI DSS is still to come",
)
made.written(
    "stripe-attestation-expired",
    PCI,
    CARDS,
    lambda d: d.update(processor_valid_until=date(2026, 10, 31)),
    "Stripe's own attestation has expired",
)
made.written(
    "card-origin-of-another",
    PCI,
    CARDS,
    lambda d: d.update(card_origin="https://cards.example.test"),
    "the paper approves another origin of card fields than the declared one",
)
made.written(
    "gap-assessment-of-2024",
    SOC_2,
    MATRIX,
    lambda d: d.update(assessed_on=LONG_AGO),
    "the gap assessment is of 2024",
)
made.written(
    "gap-assessment-to-come",
    SOC_2,
    MATRIX,
    lambda d: d.update(assessed_on=date(2031, 1, 15)),
    "the gap assessment is dated after today",
)
made.written(
    "access-review-of-2024",
    SOC_2,
    MATRIX,
    lambda d: d.update(access_reviewed_on=LONG_AGO),
    "access was last reviewed in 2024",
)
made.written(
    "criterion-left-out",
    SOC_2,
    MATRIX,
    lambda d: d["controls"].pop(1),
    "the assessment leaves out a criterion",
)
made.written(
    "plan-not-accepted",
    SOC_2,
    MATRIX,
    lambda d: d["controls"][-1].update(plan_accepted_by=""),
    "nobody has accepted the plan for an unmet criterion",
)
made.written(
    "framework-not-certified",
    "D-9.D.2",
    CERTIFICATES,
    lambda d: d["certificates"].pop(),
    "a framework has no certificate",
)
made.written(
    "certificate-by-another-issuer",
    "D-9.D.2",
    CERTIFICATES,
    lambda d: d["certificates"][0].update(issuer="Certificates While You Wait"),
    "a certificate is from somebody who may not issue it",
)
made.written(
    "certificate-for-another-company",
    "D-9.D.2",
    CERTIFICATES,
    lambda d: d["certificates"][0].update(legal_entity="Another Company Ltd"),
    "a certificate is for another company",
)


@fault(
    "notice-gone",
    expect_fail=GDPR,
    touches=["saas-stubs/pages/cookies"],
    title="the cookie notice is not there",
)
def notice_gone(r: Rehearsal) -> None:
    saas_stubs.page_status(r, "notice-gone", "/cookies", 404)


@notice_gone.revert
def notice_there(r: Rehearsal) -> None:
    saas_stubs.restore(r, "notice-gone")


@fault(
    "merge-not-approved",
    expect_fail=SOC_2,
    touches=["saas-stubs/tracker"],
    title="a change was merged that nobody had approved",
)
def merge_not_approved(r: Rehearsal) -> None:
    first = min(stubs.state(r.folder)["tracker"]["pulls"], key=int)
    saas_stubs.patch(r, "merge-not-approved", tracker={"pulls": {first: {"reviews": []}}})


@merge_not_approved.revert
def merge_approved(r: Rehearsal) -> None:
    saas_stubs.restore(r, "merge-not-approved")
