"""Faults of compliance: processors, card numbers, controls, certificates."""

from __future__ import annotations

from datetime import date

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.staff import papers, people
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
