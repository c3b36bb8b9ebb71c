"""Who is there after the cutover, and what is learned from the launch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from golive.papers import Kind, Part
from golive.papers.words import Grade, Moment, PersonId


class Score(Part, frozen=True, kw_only=True):
    """What an agent has reached."""

    agent: PersonId
    finished_on: date
    percent: float


class TrainingScores(Kind, frozen=True, kw_only=True):
    """Who of support has finished the training for the candidate, and how well."""

    file = "training-scores.md"
    version: Annotated[str, Meta(description="the candidate")]
    scores: list[Score]

    @property
    def percent(self) -> dict[str, float]:
        """Score by agent."""
        return {s.agent: s.percent for s in self.scores}

    def days_ago(self, today: date) -> dict[str, int]:
        """How long ago each agent has finished."""
        return {s.agent: (today - s.finished_on).days for s in self.scores}


class SupportShift(Part, frozen=True, kw_only=True):
    """Who answers customers from when until when."""

    starts: Moment
    ends: Moment
    agents: Annotated[list[str], Meta(description="people's ids")]


class SupportShifts(Kind, frozen=True, kw_only=True):
    """The shifts of support from launch day to a week after it."""

    file = "support-shifts.md"
    shifts: list[SupportShift]

    @property
    def days(self) -> set[str]:
        """Those on which a shift begins."""
        return {f"{s.starts.date()}" for s in self.shifts}

    def agents_on(self, days: Collection[date]) -> set[str]:
        """Who is on in a shift that begins on one of these days."""
        return {a for s in self.shifts if s.starts.date() in days for a in s.agents}

    def without(self, agents: Collection[str]) -> list[str]:
        """When the shifts begin on which none of these agents is."""
        return [f"{s.starts:%F %H:%M}" for s in self.shifts if not set(agents) & set(s.agents)]

    def during(self, opens: datetime, closes: datetime) -> list[SupportShift]:
        """Shifts of which some part is in a span."""
        return [s for s in self.shifts if s.starts < closes and s.ends > opens]

    def uncovered(self, opens: datetime, closes: datetime) -> list[str]:
        """The times of a span in which nobody is on."""
        found, at = [], opens
        for s in sorted((s for s in self.shifts if s.agents), key=lambda s: s.starts):
            if s.starts > at:
                until = min(s.starts, closes).astimezone(at.tzinfo)
                found.append(f"{at:%H:%M} to {until:%H:%M}")
            at = max(at, s.ends.astimezone(at.tzinfo))
            if at >= closes:
                return found
        return [*found, f"{at:%H:%M} to {closes:%H:%M}"]


class OnCallShift(Part, frozen=True, kw_only=True):
    """Who is called from when until when."""

    starts: Moment
    ends: Moment
    person: PersonId
    backup: PersonId


class OnCallRota(Kind, frozen=True, kw_only=True):
    """Who is on call from the cutover on."""

    file = "on-call.md"
    shifts: list[OnCallShift]

    def at(self, moment: datetime) -> list[str]:
        """Who is called first at a moment."""
        return [s.person for s in self.shifts if s.starts <= moment < s.ends]


class AssessedMetric(Part, frozen=True, kw_only=True):
    """A measure of success as it was assessed."""

    metric: Annotated[str, Meta(description="id of the metric in the procedure")]
    value: float
    unit: str = ""
    window_hours: float
    sample: Annotated[int, Meta(description="how many it was measured on")]
    source: Annotated[str, Meta(description="where it was measured, e.g. Prometheus")]
    result: Annotated[
        Literal["met", "missed", "pending"], Meta(description="pending: its window is not over")
    ]


class KpiAssessment(Kind, frozen=True, kw_only=True):
    """Every measure of success as it was measured on the evening of the launch: what others
    quote."""

    file = "kpi-assessment.md"
    assessed_at: Moment
    metrics: list[AssessedMetric]

    @property
    def values(self) -> dict[str, float]:
        """Value by metric."""
        return {m.metric: m.value for m in self.metrics}

    @property
    def missed(self) -> list[str]:
        """The metrics that did not reach their limit."""
        return [m.metric for m in self.metrics if m.result == "missed"]


class ObjectiveResult(Part, frozen=True, kw_only=True):
    """How an objective of the business case stands."""

    id: Annotated[str, Meta(description="of the objective in the business case")]
    result: Literal["met", "on course", "missed"]
    value: Annotated[float, Meta(description="of its metric, as measured")]
    reason: Annotated[str, Meta(description="why it stands so")]


class ObjectiveEvaluation(Kind, frozen=True, kw_only=True):
    """How each objective of the business case stands on the evening of the launch."""

    file = "objective-evaluation.md"
    evaluated_at: Moment
    results: list[ObjectiveResult]

    @property
    def judged_twice(self) -> list[str]:
        """Objectives with more than one result."""
        return [i for i, n in Counter(r.id for r in self.results).items() if n > 1]

    def misquoted(self, metric_of: Mapping[str, str], measured: Mapping[str, float]) -> list[str]:
        """Results with another figure than was measured of their objective's metric.

        :param metric_of: metric by objective, of every objective with a result.
        :param measured: value by metric.
        """
        return [
            f"{r.id}: {r.value:g}, measured {measured.get(m, 'never')} ({m})"
            for r in self.results
            if measured.get(m := metric_of[r.id]) != r.value
        ]

    def called_met(self, metric_of: Mapping[str, str], missed: Collection[str]) -> list[str]:
        """Objectives that are called met though their metric is among the missed ones."""
        met = (r.id for r in self.results if r.result == "met")
        return [i for i in met if metric_of[i] in missed]


class Lesson(Part, frozen=True, kw_only=True):
    """Something learned."""

    about: Annotated[str, Meta(description="a phase or an issue: phase_1, #17")]
    lesson: str
    cause: str
    action: str
    owner: PersonId
    issue: Annotated[int, Meta(description="where the action is followed up")]

    @property
    def is_vague(self) -> bool:
        """Whether it lacks a cause or an action."""
        return not (self.cause.strip() and self.action.strip())


class LessonsLearned(Kind, frozen=True, kw_only=True):
    """What each phase and each critical or high issue has taught."""

    file = "lessons-learned.md"
    written_on: date
    lessons: list[Lesson]

    def without_lesson(self, subjects: Iterable[str]) -> list[str]:
        """Which of these, phases or issues (#17), have taught nothing."""
        return sorted(set(subjects) - {one.about for one in self.lessons})

    @property
    def vague(self) -> list[str]:
        """What the lessons without cause or action are about."""
        return [one.about for one in self.lessons if one.is_vague]

    def unowned(self, people: Collection[str]) -> list[str]:
        """Lessons that none of these people owns, with whom they name."""
        return [f"{one.about}: {one.owner}" for one in self.lessons if one.owner not in people]

    def untracked(self, issues: Collection[int]) -> list[str]:
        """Lessons whose issue is none of these, with its number."""
        return [f"{one.about}: #{one.issue}" for one in self.lessons if one.issue not in issues]


class Concern(Part, frozen=True, kw_only=True):
    """What worries somebody."""

    text: str
    grade: Grade
    issue: Annotated[int | None, Meta(description="needed where it is high")] = None


class Feedback(Kind, frozen=True, kw_only=True):
    """What one person thinks of the launch; signed by that person."""

    file = "feedback-*.md"
    person: PersonId
    role: str
    given_at: Moment
    went_well: str
    to_change: str
    concerns: list[Concern] = field(default_factory=list)

    @property
    def words(self) -> str:
        """What it says, by its words alone: two that say the same are equal."""
        return " ".join(f"{self.went_well} {self.to_change}".split()).casefold()

    def untracked(self, issues: Collection[int]) -> list[str]:
        """High concerns whose issue is none of these."""
        high = (c for c in self.concerns if c.grade == "high")
        return [f"{self.person}: {c.text}" for c in high if c.issue not in issues]


def given_before(moment: datetime | None, papers: Iterable[Feedback]) -> list[str]:
    """Whose feedback was given before a moment; nobody's where there is none."""
    return [f.person for f in papers if moment is not None and f.given_at < moment]


def in_anothers_role(
    papers: Iterable[Feedback], roles_of: Callable[[str], Collection[str]]
) -> list[str]:
    """Whose feedback is given in a role that is none of that person's, with the role.

    :param roles_of: a person's own roles.
    """
    return [f"{f.person} ({f.role})" for f in papers if f.role not in roles_of(f.person)]


def untracked(papers: Iterable[Feedback], issues: Collection[int]) -> list[str]:
    """High concerns whose issue is none of these, with whose they are."""
    return [concern for f in papers for concern in f.untracked(issues)]


def empty_or_copied(papers: Iterable[Feedback]) -> list[str]:
    """Whose feedback says nothing, or just what another's says."""
    texts = {f.person: f.words for f in papers}
    often = Counter(texts.values())
    return sorted(p for p, text in texts.items() if not text or often[text] > 1)


class MarketFinding(Part, frozen=True, kw_only=True):
    """What was seen in a part of the market."""

    area: Literal["press", "social", "reviews", "competitors"]
    finding: str
    sources: Annotated[list[str], Meta(description="addresses")]


class MarketResponse(Kind, frozen=True, kw_only=True):
    """How press, social media, reviewers and competitors took the launch, after a day."""

    file = "market-response.md"
    evaluated_at: Moment
    visits: Annotated[int, Meta(description="of the first 24 h")]
    reviews: Annotated[int, Meta(description="of the first 24 h")]
    findings: list[MarketFinding]
