"""Faults of what the vendors' support is informed of, and of what it has promised."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people
from rehearsal.staff.scripted_statements import entry

made = Stating(__name__)


def _change(r: Rehearsal, vendor: str, **fields: Any) -> None:
    """Put other fields in a vendor's entry of the roster; None takes one out."""
    r.override("people", **{f"vendor-{vendor}": fields})
    people.roster(r)


def _restore(r: Rehearsal, vendor: str) -> None:
    r.clear_override("people", f"vendor-{vendor}")
    people.roster(r)


@fault(
    "render-sla-of-4-h",
    expect_fail=["CO.6"],
    touches=["roster/vendor-render"],
    title="Render's entry says 4 hours",
)
def render_sla_of_4_h(r: Rehearsal) -> None:
    _change(r, "render", sla_hours=4)


@render_sla_of_4_h.revert
def render_sla_of_1_h(r: Rehearsal) -> None:
    _restore(r, "render")


@fault(
    "render-service-unknown",
    expect_fail=["CO.6"],
    touches=["roster/vendor-render"],
    title="a service that hosts us not is to be quoted",
)
def render_service_unknown(r: Rehearsal) -> None:
    _change(r, "render", services=["srv-rehearsal-app", "srv-of-somebody-else"])


@render_service_unknown.revert
def render_services_that_host_us(r: Rehearsal) -> None:
    _restore(r, "render")


made.stated(
    "render-support-long-ago",
    "CO.6",
    [entry("devops_lead", made_ago_s=91 * DAY_S)],
    "the statement on Render's support has expired",
)


@fault(
    "stripe-account-of-another",
    expect_fail=["CO.7"],
    touches=["stripe/account"],
    title="another Stripe account is quoted",
)
def stripe_account_of_another(r: Rehearsal) -> None:
    saas_stubs.patch(r, "stripe-account-of-another", stripe={"id": "acct_live"})


@stripe_account_of_another.revert
def stripe_account_is_ours(r: Rehearsal) -> None:
    saas_stubs.restore(r, "stripe-account-of-another")


made.stated(
    "stripe-support-signed-by-another",
    "CO.7",
    [entry("qa_lead")],
    "the statement on Stripe's support is signed by the QA Lead",
)


@fault(
    "stripe-portal-gone",
    expect_fail=["CO.7"],
    touches=["saas-stubs/pages/vendor"],
    title="Stripe's portal answers 404",
)
def stripe_portal_gone(r: Rehearsal) -> None:
    saas_stubs.patch(r, "stripe-portal-gone", pages={"/vendor/stripe": None})


@stripe_portal_gone.revert
def stripe_portal_there(r: Rehearsal) -> None:
    saas_stubs.restore(r, "stripe-portal-gone")


@fault(
    "sending-domain-not-in-use",
    expect_fail=["CO.8"],
    touches=["roster/vendor-sendgrid"],
    title="a domain nobody sends from is quoted",
)
def sending_domain_not_in_use(r: Rehearsal) -> None:
    _change(r, "sendgrid", services=["news.bookedbarber.example"])


@sending_domain_not_in_use.revert
def sending_domain_in_use(r: Rehearsal) -> None:
    _restore(r, "sendgrid")


@fault(
    "sendgrid-sla-left-open",
    expect_fail=["CO.8"],
    touches=["roster/vendor-sendgrid"],
    title="SendGrid's entry has no SLA",
)
def sendgrid_sla_left_open(r: Rehearsal) -> None:
    _change(r, "sendgrid", sla_hours=None)


@sendgrid_sla_left_open.revert
def sendgrid_sla_filled_in(r: Rehearsal) -> None:
    _restore(r, "sendgrid")


made.altered(
    "sendgrid-plan-altered",
    "CO.8",
    "vendor-sendgrid.md",
    lambda d: d.update(response_hours=2),
    "what shows SendGrid's plan was altered after it was signed",
)


# -- the same of every vendor ----------------------------------------------------------------------

VENDORS = {"CO.6": "render", "CO.7": "stripe", "CO.8": "sendgrid"}


def _each(ident: str, title: str, without: str = "", **fields: Any) -> None:
    """Registers a fault that changes the roster's entry of every vendor but one, which has a fault
    of its own for that."""
    ids = {item: vendor for item, vendor in VENDORS.items() if vendor != without}

    def step(r: Rehearsal) -> None:
        r.override("people", **{f"vendor-{vendor}": fields for vendor in ids.values()})
        people.roster(r)

    def undo(r: Rehearsal) -> None:
        r.clear_override("people", *(f"vendor-{vendor}" for vendor in ids.values()))
        people.roster(r)

    touched = [f"roster/vendor-{vendor}" for vendor in ids.values()]
    fault(ident, expect_fail=list(ids), touches=touched, title=title)(step).revert(undo)


_each("vendor-contacts-left-open", "vendors' entries have no contact's name", name="[Name]")
_each("vendor-slas-of-9-h", "vendors' entries say 9 hours", without="render", sla_hours=9)
_each("vendor-accounts-of-others", "other accounts are quoted to vendors", account="acct_other")


@fault(
    "vendor-portals-gone",
    expect_fail=["CO.6", "CO.8"],
    touches=["saas-stubs/pages/vendor"],
    title="the portals of Render and SendGrid answer 404",
)
def vendor_portals_gone(r: Rehearsal) -> None:
    gone = {"/vendor/render": None, "/vendor/sendgrid": None}
    saas_stubs.patch(r, "vendor-portals-gone", pages=gone)


@vendor_portals_gone.revert
def vendor_portals_there(r: Rehearsal) -> None:
    saas_stubs.restore(r, "vendor-portals-gone")


for _item, _vendor in VENDORS.items():
    made.written(
        f"{_vendor}-plan-answers-in-a-day",
        _item,
        f"vendor-{_vendor}.md",
        lambda d: d.update(response_hours=24),
        f"our plan has {_vendor} answer within a day",
    )
    made.written(
        f"{_vendor}-plan-seen-long-ago",
        _item,
        f"vendor-{_vendor}.md",
        lambda d: d.update(shown_on=d["shown_on"] - timedelta(days=100)),
        f"what shows {_vendor}'s plan is older than 90 days",
    )
made.stated("render-support-signed-by-another", "CO.6", [entry("qa_lead")], "signed by the QA Lead")
made.stated("sendgrid-support-not-signed", "CO.8", [], "nobody signed what SendGrid has promised")
