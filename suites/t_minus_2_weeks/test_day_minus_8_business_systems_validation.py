"""Day -8: Business Systems Validation (Product Manager)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from golive.claims import at_least, each_at_least, equal, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables, with_tables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.aftermath import SupportShifts, TrainingScores
from golive.reports.documents import Figure, Table

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
    agents = context.audience("support")
    sheet, shifts = papers.read(TrainingScores).data, papers.read(SupportShifts).data.shifts
    trained = {s.agent: s for s in sheet.scores}
    assert equal("the version trained on", sheet.version, context.launch.candidate)
    assert at_least("support agents on the roster", len(agents), limits.support_agents)
    assert same_set("people who finished the training", trained, agents)
    ages = {p: (context.today - t.finished_on).days for p, t in trained.items()}
    old = [
        f"{p}: {d} days ago" for p, d in ages.items() if not 0 <= d <= limits.support_training_days
    ]
    assert none_of(
        f"trained over {limits.support_training_days:g} days ago, or not yet",
        old,
        among=len(ages),
        of="people",
    )
    scores = {p: t.percent for p, t in trained.items()}
    assert each_at_least("score in the test", scores, limits.support_training_percent, "%")
    days = [context.launch.date + timedelta(n) for n in range(int(limits.support_week_days) + 1)]
    begun = {f"{s.starts.date()}" for s in shifts}
    assert same_set("days with a shift", begun, [f"{d}" for d in days])
    bare = [f"{s.starts:%F %H:%M}" for s in shifts if not trained.keys() & set(s.agents)]
    assert none_of("shifts without a trained agent", bare, among=len(shifts), of="shifts")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-8.D.1")
def test_acceptance_tests_are_certified_for_the_candidate(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-8.1, all on this candidate, made into the certificate and compared
    with it; the signature.

    Remedy: run what is missing, too old or red; read the document anew and sign it.
    """
    document = deliverables.of("D-8.D.1", "uat-sign-off-certificate", ("D-8.1",))
    for claim in document.claims(
        max_age_h=limits.certificate_age_h,
        not_judged=("one build digest in all five, equal to the candidate's",),
    ):
        assert claim


@derived("D-8.D.2")
def test_the_business_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-8.1.2 and D-8.2, all on this candidate, made into the report and
    compared with it; the signature.

    Remedy: run what is missing, too old or red; read the document anew and sign it.
    """
    document = deliverables.of("D-8.D.2", "business-systems-readiness-report", ("D-8.1.2", "D-8.2"))
    for claim in document.claims(
        max_age_h=limits.certificate_age_h,
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
    read the document anew and sign it.
    """
    context, shifts = deliverables.context, papers.read(SupportShifts)
    owners, zone = context.roster.holders("support_lead"), ZoneInfo(env.calendar.time_zone)
    hours = (limits.launch_from_h, limits.launch_until_h)
    opens, closes = (datetime.combine(context.launch.date, time(int(h)), zone) for h in hours)
    gaps = _uncovered(shifts.data, opens, closes)
    day = [s for s in shifts.data.shifts if s.starts < closes and s.ends > opens]
    write = with_tables(
        Table(
            title="Support on launch day",
            columns=["from", "until", "who"],
            rows=[
                [f"{s.starts:%F %H:%M %z}", f"{s.ends:%F %H:%M %z}", ", ".join(s.agents)]
                for s in day
            ],
        ),
        figures=[
            Figure(name="owner of support", value=", ".join(p.name for p in owners)),
            Figure(name="time to an answer, at most", value=limits.support_response_h, unit="h"),
        ],
        inputs={shifts.name: shifts.sha256},
    )
    document = deliverables.of(
        "D-8.D.3", "customer-support-readiness-confirmation", ("D-8.3",), write
    )
    for claim in document.claims(
        max_age_h=limits.certificate_age_h,
        extra=[
            document.lasting(7),
            equal("people who own support", len(owners), 1),
            none_of(
                f"hours of {opens:%F} without support",
                gaps,
                among=(closes - opens) // HOUR,
                of="hours",
            ),
        ],
    ):
        assert claim


def _uncovered(said: SupportShifts, opens: datetime, closes: datetime) -> list[str]:
    """The times of a span in which nobody of support is on."""
    found, at = [], opens
    for s in sorted((s for s in said.shifts if s.agents), key=lambda s: s.starts):
        if s.starts > at:
            until = min(s.starts, closes).astimezone(at.tzinfo)
            found.append(f"{at:%H:%M} to {until:%H:%M}")
        at = max(at, s.ends.astimezone(at.tzinfo))
        if at >= closes:
            return found
    return [*found, f"{at:%H:%M} to {closes:%H:%M}"]
