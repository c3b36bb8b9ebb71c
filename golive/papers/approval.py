"""What executives and leads are shown, review and approve; and what releases rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from msgspec import Meta, field

from golive.papers import Kind, Part
from golive.papers.words import Commit, Moment, PersonId, Severity, Sha256


class ActionPoint(Part, frozen=True, kw_only=True):
    """What was decided or is still to be answered."""

    text: str
    owner: PersonId
    due: date

    def __str__(self) -> str:
        return f"{self.text} ({self.owner})"


class ExecutivePresentation(Kind, frozen=True, kw_only=True):
    """Minutes of the presentation of readiness to executives."""

    file = "executive-presentation.md"
    ended_at: Annotated[Moment, Meta(description="when it was over")]
    attendees: Annotated[list[str], Meta(description="people's ids")]
    slides: Annotated[str, Meta(description="file name, beside this paper")]
    slides_sha256: Sha256
    counted_at: Annotated[Moment, Meta(description="when the counts shown were taken")]
    counts: Annotated[
        dict[str, int],
        Meta(description="how many items were in each state, as `golive status` names it"),
    ]
    decisions: list[ActionPoint]
    open_questions: list[ActionPoint] = field(default_factory=list)

    def days_ago(self, today: date) -> int:
        """Since it was held."""
        return (today - self.ended_at.date()).days

    @property
    def counted_h_before(self) -> float:
        """How long before the end of the presentation its counts were taken."""
        return (self.ended_at - self.counted_at).total_seconds() / 3600

    def miscounted(self, on_record: Mapping[str, int]) -> list[str]:
        """States of which another number was shown than is on record, with both."""
        return [
            f"{state}: {count}, on record {on_record.get(state, 0)}"
            for state, count in self.counts.items()
            if count != on_record.get(state, 0)
        ]

    @property
    def action_points(self) -> list[ActionPoint]:
        """Decisions and open questions."""
        return [*self.decisions, *self.open_questions]


class Component(Part, frozen=True, kw_only=True):
    """A component that runs."""

    name: Annotated[str, Meta(description="as the environment names it, e.g. db-1")]
    kind: Annotated[str, Meta(description="e.g. database, cache, application, load balancer")]


class SinglePoint(Part, frozen=True, kw_only=True):
    """A component without a second one."""

    component: str
    decision: Annotated[str, Meta(description="why it may be, or what becomes of it")]
    decided_by: PersonId


class Finding(Part, frozen=True, kw_only=True):
    """What a reviewer found."""

    id: str
    severity: Annotated[Literal["minor", "major"], Meta(description="major ones have to be closed")]
    title: str
    owner: PersonId
    open: bool

    def __str__(self) -> str:
        return f"{self.title} ({self.owner})"


class Architecture(Kind, frozen=True, kw_only=True):
    """The components that run, and what their review has found."""

    file = "architecture.md"
    version: Annotated[str, Meta(description="the candidate")]
    components: list[Component]
    single_points: Annotated[
        list[SinglePoint], Meta(description="single points of failure, each decided on")
    ]
    findings: list[Finding] = field(default_factory=list)

    @property
    def only_ones(self) -> list[str]:
        """Components without a second one of their kind."""
        kinds = Counter(c.kind for c in self.components)
        return [c.name for c in self.components if kinds[c.kind] == 1]

    def undecided(self, people: Collection[str]) -> list[str]:
        """Single points of failure, listed or seen, without a decision by one of these people."""
        decided = {
            s.component for s in self.single_points if s.decision.strip() and s.decided_by in people
        }
        points = dict.fromkeys([*(s.component for s in self.single_points), *self.only_ones])
        return [name for name in points if name not in decided]

    @property
    def open_major_findings(self) -> list[str]:
        """Titles of the major findings that are open."""
        return [f.title for f in self.findings if f.open and f.severity == "major"]


class Objective(Part, frozen=True, kw_only=True):
    """What the business wants of the launch."""

    id: str
    text: str
    metric: Annotated[str, Meta(description="id of the metric in the procedure that tells")]


class BusinessCase(Kind, frozen=True, kw_only=True):
    """What the launch is to bring, against a week as it is now."""

    file = "business-case.md"
    written_on: date
    currency: Annotated[str, Meta(description="e.g. USD", pattern=r"^[A-Z]{3}$")]
    baseline_week: Annotated[date, Meta(description="the week's Monday; UTC")]
    baseline_bookings: Annotated[int, Meta(description="appointments that begin in that week")]
    baseline_revenue_cents: Annotated[int, Meta(description="payments that succeeded in that week")]
    baseline_cost_cents: int
    goals: Annotated[dict[str, float], Meta(description="business metrics: id to limit")]
    objectives: list[Objective]
    revenue_positive: Annotated[
        str, Meta(description="how 'revenue positive within 7 days' is computed")
    ]

    @property
    def ends_on(self) -> date:
        """The day after the baseline week, when its figures are known."""
        return self.baseline_week + timedelta(days=7)

    def differing(self, goals: Mapping[str, float]) -> list[str]:
        """Which of these goals it states otherwise, with what it states."""
        return [f"{i}: {self.goals.get(i)}" for i, v in goals.items() if self.goals.get(i) != v]

    def off_percent(self, bookings: int, revenue_cents: int) -> dict[str, float]:
        """How far the baseline is from what was sold in that week, which is above zero."""
        return {
            "bookings": 100 * abs(self.baseline_bookings - bookings) / bookings,
            "revenue": 100 * abs(self.baseline_revenue_cents - revenue_cents) / revenue_cents,
        }


class Condition(Part, frozen=True, kw_only=True):
    """What somebody wants before they approve."""

    text: str
    owner: PersonId
    open: bool


class FinalApproval(Kind, frozen=True, kw_only=True):
    """What exactly is approved: this release, this scope, these documents."""

    file = "final-approval.md"
    version: str
    commit: Commit
    scope: list[str]
    documents: Annotated[dict[str, Sha256], Meta(description="file name to SHA-256")]
    conditions: list[Condition] = field(default_factory=list)

    @property
    def open_conditions(self) -> list[str]:
        """Conditions that are not met yet."""
        return [c.text for c in self.conditions if c.open]


def unowned(entries: Iterable[ActionPoint | Finding], people: Collection[str]) -> list[str]:
    """Which of these none of these people owns."""
    return [str(one) for one in entries if one.owner not in people]


class Delegation(Kind, frozen=True, kw_only=True):
    """Who decides on the launch and speaks in public when the executive cannot."""

    file = "delegation.md"
    delegated_by: PersonId
    to: PersonId
    covers: list[Literal["launch decision", "public statements"]]
    until: date


class Gate(Part, frozen=True, kw_only=True):
    """A condition of quality."""

    id: str
    items: Annotated[list[str], Meta(description="ids of the items that decide it")]
    limit: Annotated[float | None, Meta(description="its number, where it has one")] = None
    limit_on_day_minus_10: Annotated[float | None, Meta(description="the same, as it was then")] = (
        None
    )
    at_least: Annotated[bool, Meta(description="whether more is better")] = False

    @property
    def is_looser(self) -> bool:
        """Whether it lets more through than on Day -10."""
        if self.limit is None or self.limit_on_day_minus_10 is None:
            return self.limit != self.limit_on_day_minus_10
        if self.at_least:
            return self.limit < self.limit_on_day_minus_10
        return self.limit > self.limit_on_day_minus_10


class QualityGates(Kind, frozen=True, kw_only=True):
    """The gates that a release has to pass."""

    file = "quality-gates.md"
    gates: list[Gate]
    most_waivers: int


class Remediation(Part, frozen=True, kw_only=True):
    """How a finding is fixed."""

    finding: Annotated[
        str, Meta(description="an issue like #17, or the id of a red or waived item")
    ]
    severity: Severity
    owner: PersonId
    fix: str
    due: date
    retest: Annotated[str, Meta(description="id of the item that shows that it is fixed")]


class RemediationPlan(Kind, frozen=True, kw_only=True):
    """Every open finding of the security audit, and how it is fixed by when."""

    file = "remediation-plan.md"
    not_needed: Annotated[bool, Meta(description="true states that nothing is open")] = False
    entries: list[Remediation] = field(default_factory=list)


class Recommendation(Part, frozen=True, kw_only=True):
    """What would make it faster."""

    id: str
    resource: Annotated[str, Meta(description="what limits, or the metric that is near its limit")]
    action: str
    decision: Literal["before launch", "after launch", "rejected"]
    decided_by: PersonId
    reason: str
    issue: Annotated[int | None, Meta(description="where it is followed up")] = None


class PerformanceRecommendations(Kind, frozen=True, kw_only=True):
    """What the load tests recommend, each decided on."""

    file = "performance-recommendations.md"
    version: Annotated[str, Meta(description="the candidate")]
    none_needed: Annotated[bool, Meta(description="true states that nothing limits")] = False
    recommendations: list[Recommendation] = field(default_factory=list)


class CapacityForecast(Kind, frozen=True, kw_only=True):
    """The load that is expected, and what each tier can take."""

    file = "capacity-forecast.md"
    written_on: date
    peak_users: Annotated[int, Meta(description="at the same time")]
    peak_requests_per_s: float
    tier_limits: Annotated[
        dict[str, float], Meta(description="users that each tier can take: tier to number")
    ]
