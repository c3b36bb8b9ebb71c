"""What the product sold, as its database has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from golive.environments import Environment
from golive.papers.approval import BusinessCase
from golive.probes.data.postgres import connect
from golive.probes.transport.answers import Answers, answers, papers_there
from golive.probing import probe
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class Sales:
    """Of a span of time."""

    bookings: int
    """Visits that begin in it."""
    revenue_cents: int
    """Payments that succeeded in it."""


@probe()
def baseline_sales(env: Environment) -> Answers[Sales]:
    """What was sold in the week that the business case rests on, by the week's first day."""
    weeks = {f"{w}": w for p in papers_there(env, BusinessCase) for w in [p.data.baseline_week]}
    return answers(weeks, lambda first: of_week(env, weeks[first]))


def of_week(env: Environment, first: date) -> Sales:
    """What was sold in the seven days from a day on, in UTC.

    :raises ProbeError: the database cannot be asked, or has no answer.
    """
    start = datetime.combine(first, time(), UTC)
    node = env.postgres.primary
    with connect(env, node) as link:
        span = {"start": start, "end": start + timedelta(days=7)}
        row = link.execute(env.postgres.sales_query.encode(), span).fetchone()
    if row is None or row.bookings is None or row.revenue_cents is None:
        raise ProbeError(
            f"sales of the week from {first}",
            "postgres.sales_query gives no row of bookings and revenue_cents",
            "correct the query in suites/product.toml",
        )
    return Sales(int(row.bookings), int(row.revenue_cents))
