"""Day -8: Business Systems Validation (Product Manager)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from golive.claims import at_least, each_at_least, equal, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, Write, with_tables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Paper, Papers
from golive.papers.aftermath import SupportShift, SupportShifts, TrainingScores
from golive.people.roster import Person
from golive.reports import paper_tables
from golive.reports.documents import Figure

HOUR = timedelta(hours=1)


@attested(
    "D-8.3.5",
    "every support agent on the launch roster, at least 2 people, finished the v2.0.0 training "
    "in the last 30 days with a score of at least 80 %, and each shift from the launch to day "
    "+7 has a trained agent",
    papers=("training-scores.md", "support-shifts.md"),
)
def test_every_support_agent_is_trained_and_every_shift_has_one(
    papers: Papers, context: Context, limits: Limits
) -> None:
    """The score sheet against the support people on the roster, and the shifts of launch week
    against who is on it.

    Remedy: train whoever is missing or failed the test; put somebody trained on the shift that is
    named. Then sign the sheet again.
    """
    agents, first = context.audience("support"), context.launch.date
    sheet, shifts = papers.read(TrainingScores).data, papers.read(SupportShifts).data
    trained, ages, most = sheet.percent, sheet.days_ago(context.today), limits.support.training_days
    assert equal("the version trained on", sheet.version, context.launch.candidate)
    assert at_least("support agents on the roster", len(agents), limits.support.agents)
    assert same_set("people who finished the training", trained, agents)
    old = [f"{p}: {d} days ago" for p, d in ages.items() if not 0 <= d <= most]
    assert none_of(f"trained over {most:g} days ago, or not yet", old, among=ages, of="people")
    assert each_at_least("score in the test", trained, limits.support.training_percent, "%")
    days = [f"{first + timedelta(n)}" for n in range(int(limits.support.week_days) + 1)]
    assert same_set("days with a shift", shifts.days, days)
    bare = shifts.without(trained)
    assert none_of("shifts without a trained agent", bare, among=shifts.shifts, of="shifts")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-8.D.1")
def test_acceptance_tests_are_certified_for_the_candidate(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-8.1, all on this candidate, made into the certificate and compared
    with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-8.D.1", "uat-sign-off-certificate", ("D-8.1",))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=("one build digest in all five, equal to the candidate's",),
    ):
        assert claim


@derived("D-8.D.2")
def test_the_business_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-8.1.2 and D-8.2, all on this candidate, made into the report and
    compared with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-8.D.2", "business-systems-readiness-report", ("D-8.1.2", "D-8.2"))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=("compared figures and sample size of each item",),
    ):
        assert claim


@derived("D-8.D.3")
def test_support_is_confirmed_ready_until_a_week_after_launch(
    deliverables: Deliverables, papers: Papers, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-8.3 and how long the statements among them hold, with the owner of
    support, the shifts of launch day and the time to an answer, made into the confirmation and
    compared with it; the shifts against the hours of launch day; the signature.

    Remedy: run what is missing, too old or red; renew statements that end before a week after
    the launch. Name who leads support on the roster; put agents on the hours that are named. Then
    read the document again and sign it.
    """
    context, shifts = deliverables.context, papers.read(SupportShifts)
    owners, zone = context.roster.holders("support_lead"), ZoneInfo(env.calendar.time_zone)
    hours = (limits.contacts.launch_from_h, limits.contacts.launch_until_h)
    opens, closes = (datetime.combine(context.launch.date, time(int(h)), zone) for h in hours)
    gaps, among = shifts.data.uncovered(opens, closes), (closes - opens) // HOUR
    shown, response_h = shifts.data.during(opens, closes), limits.support.response_h
    write = _with_shifts(shifts, shown, owners, response_h)
    kind = "customer-support-readiness-confirmation"
    document = deliverables.of("D-8.D.3", kind, ("D-8.3",), write)
    extra = [
        document.lasting(7),
        equal("people who own support", len(owners), 1),
        none_of(f"hours of {opens:%F} without support", gaps, among=among, of="hours"),
    ]
    for claim in document.claims(max_age_h=limits.documents.certificate_age_h, extra=extra):
        assert claim


def _with_shifts(
    paper: Paper[SupportShifts], shown: list[SupportShift], owners: list[Person], response_h: float
) -> Write:
    """What the document says beyond its items: who answers on launch day, and how soon."""
    return with_tables(
        paper_tables.support_shifts(shown),
        figures=[
            Figure(name="owner of support", value=", ".join(p.name for p in owners)),
            Figure(name="time to an answer, at most", value=response_h, unit="h"),
        ],
        inputs={paper.name: paper.sha256},
    )
