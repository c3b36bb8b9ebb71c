"""The kinds of papers that a launch has. People are named by their ids on the roster, times of
day as HH:MM in the launch's own time zone, digests as SHA-256 in hexadecimal."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from itertools import combinations, pairwise
from typing import Annotated, Literal

from msgspec import Meta, field

from golive.papers import Kind, Part, aftermath, approval, compliance, messages
from golive.papers.words import Grade, Moment, Severity, Sha256
from golive.verdicts import Unseen, unseen_among

_HOURS = re.compile(r"(\d\d:\d\d) *(?:-|to) *(\d\d:\d\d)")
THEMES = (approval, compliance, messages, aftermath)
"""Modules of the other kinds; this one has those of the decision and of launch day."""


class Trigger(Part, frozen=True, kw_only=True):
    """A condition of rollback."""

    id: Annotated[str, Meta(description="id of the trigger in the procedure")]
    threshold: Annotated[float, Meta(description="the procedure's number, without its unit")]
    minutes: Annotated[float, Meta(description="for how long; 0 where once is enough")] = 0.0
    decider: Annotated[str, Meta(description="the role that decides")]
    command: Annotated[str, Meta(description="the launch command that is run then")]
    limit_minutes: float
    alert: Annotated[
        str, Meta(description="the alert rule that tells of it; or how it is reported")
    ]


class RollbackStep(Part, frozen=True, kw_only=True):
    """A step of the rollback."""

    id: Annotated[str, Meta(description="id of the step in the procedure")]
    owner: Annotated[str, Meta(description="a role")]
    action: Annotated[str, Meta(description="what is done, or the launch command that does it")]
    command: str = ""
    limit_minutes: float


class CheckQuestion(Part, frozen=True, kw_only=True):
    """A question by which somebody shows to have read the runbook."""

    question: str
    answer: Annotated[str, Meta(description="one word or number")]


class EmergencyRunbook(Kind, frozen=True, kw_only=True):
    """Emergency procedures: when to roll back, who decides, what is done in which order."""

    file = "emergency-runbook.md"
    triggers: list[Trigger]
    steps: list[RollbackStep]
    technical_lead_may_start: Annotated[
        bool, Meta(description="whether a rollback may start without further approval")
    ]
    escalation_minutes: Annotated[
        list[int], Meta(description="when levels 2, 3 and 4 are notified, in minutes")
    ]
    questions: list[CheckQuestion]

    @property
    def entries(self) -> list[RollbackStep | Trigger]:
        """Everything that somebody does within a time limit."""
        return [*self.steps, *self.triggers]

    @property
    def endless(self) -> list[str]:
        """Entries without a time limit."""
        return [x.id for x in self.entries if x.limit_minutes <= 0]

    @property
    def roles(self) -> set[str]:
        """Who does something, or decides it."""
        return {s.owner for s in self.steps} | {t.decider for t in self.triggers}

    @property
    def commands(self) -> set[str]:
        """The launch commands that entries name."""
        return {x.command for x in self.entries if x.command}

    def without_decider(self, roles: Collection[str]) -> list[str]:
        """Triggers that none of these roles decides, each with the role it names."""
        return [f"{t.id}: {t.decider}" for t in self.triggers if t.decider not in roles]

    def without_command(self, known: Collection[str]) -> list[str]:
        """Triggers whose command is none of the known ones, with what it is called."""
        return [f"{t.id}: {t.command}" for t in self.triggers if t.command not in known]

    @property
    def vague_triggers(self) -> list[str]:
        """Triggers without a time limit, or that nothing tells of."""
        return [t.id for t in self.triggers if t.limit_minutes <= 0 or not t.alert.strip()]

    def right_answers(self, answers: object) -> int:
        """How many of somebody's answers to the check questions are right, each at its place,
        whatever their case and blanks; none where they are no list."""
        given = answers if isinstance(answers, list) else []
        pairs = zip(given, self.questions, strict=False)
        return sum(str(said).strip().casefold() == q.answer.casefold() for said, q in pairs)


class Slot(Part, frozen=True, kw_only=True):
    """A time slot of launch day."""

    block: Annotated[str, Meta(description="the block's mark, e.g. phase_1")]
    starts: Annotated[str, Meta(description="HH:MM", pattern=r"^\d\d:\d\d$")]
    ends: Annotated[str, Meta(description="HH:MM", pattern=r"^\d\d:\d\d$")]
    owner: Annotated[str, Meta(description="a role")]
    gate: Annotated[bool, Meta(description="whether it ends with a go/no-go")] = False


class LaunchTimeline(Kind, frozen=True, kw_only=True):
    """The frozen timeline of launch day."""

    file = "launch-timeline.md"
    date: date
    utc_offset: Annotated[str, Meta(description="e.g. +00:00", pattern=r"^[+-]\d\d:\d\d$")]
    slots: list[Slot]

    @property
    def blocks(self) -> list[str]:
        """In the order in which they stand there."""
        return [s.block for s in self.slots]

    @property
    def overlaps(self) -> list[str]:
        """Slots that begin before the one above has ended, or end before it."""
        return [
            f"{b.block} begins at {b.starts}, {a.block} ends at {a.ends}"
            for a, b in pairwise(self.slots)
            if b.starts < a.ends or a.ends <= a.starts
        ]

    @property
    def phases(self) -> list[Slot]:
        """The slots of the deployment."""
        return [s for s in self.slots if s.block.startswith("phase_")]

    @property
    def without_gate(self) -> list[str]:
        """Phases that do not end with a go/no-go."""
        return [s.block for s in self.phases if not s.gate]

    def of_other_owner(self, owners: Mapping[str, str]) -> list[str]:
        """Slots that another role owns than the one named for their block, with theirs."""
        return [f"{s.block}: {s.owner}" for s in self.slots if s.owner != owners[s.block]]

    def span(self, block: str) -> tuple[datetime, datetime]:
        """From the beginning of a block to the end of the day's last one.

        :raises KeyError: the timeline does not have it.
        """
        starts = {s.block: s.starts for s in self.slots}[block]
        ends = max(s.ends for s in self.slots)
        begin, end = (
            datetime.fromisoformat(f"{self.date}T{at}:00{self.utc_offset}") for at in (starts, ends)
        )
        return begin, end

    def hours_from(self, block: str) -> str:
        """When a block begins and the day's last one ends, as ``HH:MM to HH:MM``; empty where the
        timeline does not have it."""
        if block not in self.blocks:
            return ""
        begin, end = self.span(block)
        return f"{begin:%H:%M} to {end:%H:%M}"

    def minutes_left(self, blocks: Collection[str], until: str) -> dict[str, float]:
        """What is left of the day after the end of each of these blocks; none where the timeline
        does not have it.

        :param until: ``HH:MM``, after which nothing of the day counts.
        """
        end = min(max((_minutes(s.ends) for s in self.slots), default=0), _minutes(until))
        ends = {s.block: _minutes(s.ends) for s in self.slots}
        return {b: float(end - ends[b]) if b in ends else 0.0 for b in blocks}


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


class Shift(Part, frozen=True, kw_only=True):
    """Who is on in a role from when until when."""

    role: str
    primary: str
    backup: str
    starts: Annotated[str, Meta(description="HH:MM", pattern=r"^\d\d:\d\d$")]
    ends: Annotated[str, Meta(description="HH:MM", pattern=r"^\d\d:\d\d$")]


class RoleTable(Kind, frozen=True, kw_only=True):
    """Who holds which role on launch day, hour by hour."""

    file = "role-table.md"
    date: date
    shifts: list[Shift]
    access: Annotated[
        dict[str, list[str]],
        Meta(description="role to the access it needs: deploy, database, status-page ..."),
    ] = field(default_factory=dict)

    @property
    def people(self) -> set[str]:
        """Everybody in it."""
        return {p for s in self.shifts for p in (s.primary, s.backup)}

    @property
    def own_backups(self) -> list[str]:
        """Shifts whose backup is their primary."""
        return [f"{s.role}: {s.primary}" for s in self.shifts if s.primary == s.backup]

    @property
    def double_booked(self) -> list[str]:
        """Who is primary in two roles at once."""
        return sorted(
            f"{a.primary} ({a.role} and {b.role} at {max(a.starts, b.starts)})"
            for a, b in combinations(self.shifts, 2)
            if a.primary == b.primary and a.role != b.role and _overlap(a, b)
        )

    @property
    def contested(self) -> list[str]:
        """Roles with two primaries at once."""
        return sorted(
            f"{a.role}: {a.primary} and {b.primary} at {max(a.starts, b.starts)}"
            for a, b in combinations(self.shifts, 2)
            if a.role == b.role and a.primary != b.primary and _overlap(a, b)
        )

    def in_another_role(self, roles_of: Callable[[str], Collection[str]]) -> list[str]:
        """Who is on in a role that is none of that person's.

        :param roles_of: a person's own roles.
        """
        return [
            f"{who} ({s.role})"
            for s in self.shifts
            for who in (s.primary, s.backup)
            if s.role not in roles_of(who)
        ]

    def unheld(self, slots: Iterable[Slot]) -> list[str]:
        """The times at which nobody is primary in the role that owns a slot."""
        return [
            f"{slot.block}, {slot.owner}: {gap}"
            for slot in slots
            for gap in self.gaps(slot.owner, slot.starts, slot.ends)
        ]

    def beyond(self, hours: Mapping[str, str]) -> list[str]:
        """Shifts that primary or backup has to hold at other times than the own hours, with whom.

        :param hours: as each says it, ``06:00-17:00``; who is not in it has not spoken yet.
        """
        return [
            f"{who} ({s.role} from {s.starts} to {s.ends}, available {hours[who] or 'never told'})"
            for s in self.shifts
            for who in dict.fromkeys((s.primary, s.backup))
            if who in hours and not _within(s, hours[who])
        ]

    @property
    def without_backup(self) -> list[str]:
        """Shifts that nobody, or their primary, backs up."""
        return [f"{s.role} from {s.starts}" for s in self.shifts if s.backup in ("", s.primary)]

    def primaries(self, role: str = "") -> set[str]:
        """Who is primary at any time: in a role, or in any."""
        return {s.primary for s in self.shifts if role in ("", s.role)}

    def backups(self, role: str) -> set[str]:
        """Who is backup in a role at any time."""
        return {s.backup for s in self.shifts if s.role == role}

    @property
    def assignments(self) -> set[str]:
        """Who is in which role, as primary or as backup: ``role: person``."""
        return {f"{s.role}: {p}" for s in self.shifts for p in (s.primary, s.backup)}

    def kinds_of_access(self, roles: Iterable[str]) -> set[str]:
        """Every kind of access that one of these roles needs."""
        return {kind for role in roles for kind in self.access.get(role, [])}

    @property
    def needed_access(self) -> set[str]:
        """What primaries and backups need by their roles: ``person: access``."""
        return {
            f"{person}: {kind}"
            for s in self.shifts
            for kind in self.access.get(s.role, [])
            for person in (s.primary, s.backup)
        }

    def access_compared(
        self, has: Mapping[str, Iterable[str] | Unseen]
    ) -> tuple[list[str] | Unseen, list[str] | Unseen]:
        """What a role lacks, and what is outside the table, each as ``person: access``; unseen
        where none is known, and some kind of access could not be seen.

        :param has: the ids of who has it, by the kind of access.
        """
        seen = {kind: set(who) for kind, who in has.items() if not isinstance(who, Unseen)}
        known = {f"{person}: {kind}" for kind, who in seen.items() for person in who}
        hidden = has.keys() - seen.keys()
        needed = {one for one in self.needed_access if one.rpartition(": ")[2] not in hidden}
        unseen = unseen_among(has.values())
        both = sorted(needed - known), sorted(known - self.needed_access)
        lacking, strangers = (one if one or unseen is None else unseen for one in both)
        return lacking, strangers

    def gaps(self, role: str, starts: str, ends: str) -> list[str]:
        """The times from ``starts`` to ``ends`` at which nobody is primary in a role."""
        found, at = [], starts
        for s in sorted((s for s in self.shifts if s.role == role), key=lambda s: s.starts):
            if s.starts > at:
                found.append(f"{at} to {min(s.starts, ends)}")
            at = max(at, s.ends)
            if at >= ends:
                return found
        return [*found, f"{at} to {ends}"]


def _within(shift: Shift, hours: str) -> bool:
    found = _HOURS.fullmatch(hours.strip())
    return found is not None and found[1] <= shift.starts and shift.ends <= found[2]


def _overlap(a: Shift, b: Shift) -> bool:
    return a.starts < b.ends and b.starts < a.ends


class Risk(Part, frozen=True, kw_only=True):
    """A risk."""

    id: str
    title: str
    area: Annotated[str, Meta(description="the area that it is in, e.g. security")]
    likelihood: Grade
    impact: Grade
    score: Grade
    owner: Annotated[str, Meta(description="a person's id")]
    mitigation: str
    mitigated_by: Annotated[date | None, Meta(description="when the mitigation is done")] = None
    trigger: Annotated[str, Meta(description="by what one notices that it has come true")]
    scored_on: date
    review_on: date
    decision: Annotated[
        Literal["accept", "reduce", "stop", ""], Meta(description="needed where the score is high")
    ] = ""
    decided_by: Annotated[str, Meta(description="a person's id")] = ""
    covers: Annotated[
        list[str],
        Meta(
            description="what it stands for: issues (#17), items and waivers by id, or what ids"
            " begin with (D-13)"
        ),
    ] = field(default_factory=list)

    @property
    def is_vague(self) -> bool:
        """Whether it lacks a title, a mitigation or a trigger."""
        return not (self.title.strip() and self.mitigation.strip() and self.trigger.strip())


class RiskRegister(Kind, frozen=True, kw_only=True):
    """Every risk of the launch, scored again as it comes nearer."""

    file = "risk-register.md"
    changed_on: date
    risks: list[Risk]
    closed: Annotated[
        dict[str, str], Meta(description="risks that are over: id to why, never dropped silently")
    ] = field(default_factory=dict)

    @property
    def high(self) -> list[Risk]:
        """The risks that are scored high."""
        return [r for r in self.risks if r.score == "high"]

    @property
    def scores(self) -> dict[str, Grade]:
        """Score by the risk's id."""
        return {r.id: r.score for r in self.risks}

    def days_since_scored(self, today: date) -> dict[str, float]:
        """How long ago each risk was scored; never, where that day has not come anywhere."""
        ago = {r.id: (today - r.scored_on).days for r in self.risks}
        return {i: float(days) if days >= -1 else math.inf for i, days in ago.items()}

    @property
    def stopping(self) -> list[str]:
        """Risks of which it was decided that they stop the launch."""
        return [r.id for r in self.risks if r.decision == "stop"]

    def undecided(self, people: Collection[str]) -> list[str]:
        """High risks without a decision by one of these people, with what there is."""
        return [
            f"{r.id} ({r.decision or 'no decision'}, {r.decided_by or 'nobody'})"
            for r in self.high
            if not (r.decision and r.decided_by in people)
        ]

    def unowned(self, people: Collection[str]) -> list[str]:
        """Risks that none of these people owns, with whom they name."""
        return [f"{r.id}: {r.owner}" for r in self.risks if r.owner not in people]

    def vague(self, people: Collection[str]) -> list[str]:
        """Risks that do not say enough, or that none of these people owns."""
        return [r.id for r in self.risks if r.is_vague or r.owner not in people]

    def overdue(self, today: date) -> list[str]:
        """Risks whose review was due before today, with its day."""
        return [f"{r.id}: {r.review_on}" for r in self.risks if r.review_on < today]

    def uncovered(self, open_: Iterable[str]) -> list[str]:
        """Which of these, items or issues (#17), no risk stands for."""
        covered = {c for r in self.risks for c in r.covers}
        begins = tuple(f"{c}." for c in covered)
        return [o for o in open_ if o not in covered and not o.startswith(begins)]

    def unmitigated(self, launch: date) -> list[str]:
        """High risks whose mitigation is not done before the launch."""
        return [r.id for r in self.high if not (r.mitigated_by and r.mitigated_by < launch)]

    def dropped_since(self, before: RiskRegister) -> list[str]:
        """Risks of an earlier register that are gone without a reason among the closed ones."""
        gone = [r.id for r in before.risks if r.id not in self.scores]
        return [i for i in gone if not self.closed.get(i, "").strip()]


class KnownIssue(Part, frozen=True, kw_only=True):
    """An issue that stays open at launch."""

    number: int
    severity: Severity
    impact: Annotated[str, Meta(description="what a customer notices")]
    workaround: str
    owner: Annotated[str, Meta(description="a person's id")]
    due: date


class KnownIssues(Kind, frozen=True, kw_only=True):
    """Issues that stay open at launch; those who sign it accept each of them."""

    file = "known-issues.md"
    issues: list[KnownIssue]
    none_open: Annotated[bool, Meta(description="true states that there is none")] = False

    @property
    def with_workaround(self) -> set[int]:
        """Numbers of the issues that have a workaround."""
        return {i.number for i in self.issues if i.workaround.strip()}

    def above_medium(self, in_tracker: Mapping[str, str]) -> list[str]:
        """Issues that are of more than medium severity here or in the tracker, with both.

        :param in_tracker: severity by number as ``#17``, of every issue here.
        """
        return [
            f"#{i.number} ({i.severity}, in the tracker {in_tracker[f'#{i.number}']})"
            for i in self.issues
            if {i.severity, in_tracker[f"#{i.number}"]} - {"medium", "low"}
        ]

    def vague(self, people: Collection[str]) -> list[str]:
        """Issues without an impact, or that none of these people owns."""
        lacking = (i for i in self.issues if not i.impact.strip() or i.owner not in people)
        return [f"#{i.number}" for i in lacking]


class CommunicationProtocol(Kind, frozen=True, kw_only=True):
    """How the team talks on launch day, and who speaks for it."""

    file = "communication-protocol.md"
    primary_channel: str
    fallback_channel: str
    update_minutes: Annotated[
        dict[Severity, int], Meta(description="how often the team is notified, by severity")
    ]
    spokesperson: Annotated[str, Meta(description="a person's id")]
    decision_path: Annotated[list[str], Meta(description="roles, who decides first first")]

    @property
    def channels(self) -> dict[str, str]:
        """Their names, by what they are."""
        return {"primary channel": self.primary_channel, "fallback channel": self.fallback_channel}

    @property
    def never_told(self) -> list[str]:
        """Severities of which the team is not told."""
        return [s for s, minutes in self.update_minutes.items() if minutes < 1]


class LegalNotice(Kind, frozen=True, kw_only=True):
    """What is told to authority and customers when data were lost or seen; counsel has read it."""

    file = "legal-notice.md"
    sections = ("What happened", "Which data", "What we do", "What you can do")
    counsel: Annotated[str, Meta(description="who has read it for legal counsel")]
    authority: Annotated[str, Meta(description="whom the law wants told")]
    within_hours: Annotated[float, Meta(description="after a data incident becomes known")]


class WarRoom(Kind, frozen=True, kw_only=True):
    """Where the team meets on launch day."""

    file = "war-room.md"
    event: Annotated[str, Meta(description="id of the calendar event")]
    bridge: Annotated[str, Meta(description="address of the bridge")]
    backup_bridge: str
    screens: Annotated[
        list[str],
        Meta(description="address of each planned screen, which says: Updated 2026-12-07T10:00Z"),
    ]
    receiver: Annotated[str, Meta(description="the alert receiver that the room watches")]


class Metric(Part, frozen=True, kw_only=True):
    """A measure of success."""

    id: Annotated[str, Meta(description="id of the metric in the procedure")]
    limit: float
    unit: str = ""
    owner: Annotated[str, Meta(description="a role")]


class Criterion(Part, frozen=True, kw_only=True):
    """A condition of the decision to launch."""

    id: str
    hard: Annotated[bool, Meta(description="whether it can not be waived")]
    items: Annotated[list[str], Meta(description="ids, or what ids begin with, that decide it")]


class Criteria(Kind, frozen=True, kw_only=True):
    """What success is, and what the decision to launch rests on."""

    file = "criteria.md"
    metrics: list[Metric]
    criteria: list[Criterion]

    def differing(self, reported: Mapping[str, float]) -> list[str]:
        """Metrics that somebody gives another limit, with that."""
        limits = {m.id: m.limit for m in self.metrics}
        return [f"{i}: {limit:g}" for i, limit in reported.items() if limits.get(i) != limit]


class Briefing(Kind, frozen=True, kw_only=True):
    """What an audience learned before the launch, and who was there."""

    file = "briefing-*.md"
    audience: Literal["technical", "business", "support", "management"]
    held_on: date
    attendees: Annotated[list[str], Meta(description="people's ids")]
    briefed_alone: Annotated[
        dict[str, date], Meta(description="who was briefed on another day: id to the day")
    ] = field(default_factory=dict)
    commit: Annotated[str, Meta(description="of the candidate")] = ""
    commands: Annotated[list[str], Meta(description="launch commands that it explains")] = field(
        default_factory=list
    )
    metrics: Annotated[dict[str, float], Meta(description="id of a metric to its limit")] = field(
        default_factory=dict
    )
    migrations_sha256: Annotated[
        str, Meta(description="of the candidate's migrations, as the release manifest has it")
    ] = ""
    announced_from: Annotated[
        str, Meta(description="HH:MM, when announcements begin on launch day")
    ] = ""
    announced_until: Annotated[str, Meta(description="HH:MM, when they are over")] = ""
    known_issues: list[int] = field(default_factory=list)
    escalation_minutes: list[int] = field(default_factory=list)
    response_hours: Annotated[
        float | None, Meta(description="in which support answers a customer")
    ] = None
    papers: Annotated[
        dict[str, str], Meta(description="papers that it quotes: file name to SHA-256")
    ] = field(default_factory=dict)

    @property
    def reported(self) -> dict[str, date]:
        """Who was briefed, together or alone, with the day."""
        return dict.fromkeys(self.attendees, self.held_on) | self.briefed_alone

    @property
    def last_day(self) -> date:
        """When the last of them was briefed."""
        return max([self.held_on, *self.briefed_alone.values()])

    @property
    def announced_hours(self) -> str:
        """When announcements are made, as ``HH:MM to HH:MM``."""
        return f"{self.announced_from} to {self.announced_until}"

    def told_within(self, days: float, today: date) -> set[str]:
        """Who was briefed in so many days up to today."""
        return {p for p, on in self.reported.items() if 0 <= (today - on).days <= days}


class Question(Part, frozen=True, kw_only=True):
    """A question that was asked."""

    question: str
    answer: str
    answered_by: Annotated[str, Meta(description="a person's id")]
    issue: Annotated[int | None, Meta(description="where it is followed up")] = None


class QuestionLog(Kind, frozen=True, kw_only=True):
    """The questions of a briefing."""

    file = "questions-*.md"
    audience: Literal["technical", "business", "support", "management"]
    none_raised: Annotated[bool, Meta(description="true states that there was none")] = False
    questions: list[Question] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether it has no question, and does not state either that there was none."""
        return not self.questions and not self.none_raised


class LaunchProcedure(Kind, frozen=True, kw_only=True):
    """What is done on launch day, step by step: commands in fenced blocks, and a check box with
    its item's id for each line of the procedure's launch day."""

    file = "launch-procedure.md"
    version: Annotated[str, Meta(description="the candidate")]
    timeline_sha256: Annotated[str, Meta(description="of the launch timeline that it follows")] = ""


class WeighedRisk(Part, frozen=True, kw_only=True):
    """A high risk against what launching brings."""

    id: Annotated[str, Meta(description="of the risk in the register")]
    cost: str
    benefit: str
    net: str


class RiskBenefit(Kind, frozen=True, kw_only=True):
    """What launching now costs and brings, risk by risk."""

    file = "risk-benefit.md"
    register_sha256: Annotated[Sha256, Meta(description="of the risk register that it weighs")]
    risks: list[WeighedRisk]
    week_of_delay: Annotated[str, Meta(description="what a week's delay costs", min_length=1)]

    @property
    def weighed_in_part(self) -> list[str]:
        """Risks without cost, benefit or net position."""
        return [r.id for r in self.risks if not (r.cost and r.benefit and r.net)]


class Scenario(Part, frozen=True, kw_only=True):
    """What is done when it goes otherwise."""

    id: Annotated[str, Meta(description="reduced-scope, delay, abort-phase-1 to -4, full-rollback")]
    trigger: str
    decider: Annotated[str, Meta(description="a role")]
    limit_minutes: float
    commands: Annotated[list[str], Meta(description="launch commands")] = field(
        default_factory=list
    )
    flags: Annotated[list[str], Meta(description="feature flags")] = field(default_factory=list)


class Scenarios(Kind, frozen=True, kw_only=True):
    """The other ways in which launch day may go."""

    file = "scenarios.md"
    scenarios: list[Scenario]

    def without_decider(self, roles: Collection[str]) -> list[str]:
        """Scenarios that none of these roles decides, each with the role it names."""
        return [f"{s.id}: {s.decider}" for s in self.scenarios if s.decider not in roles]

    @property
    def repeated(self) -> list[str]:
        """Ids of more than one scenario."""
        return [i for i, count in Counter(s.id for s in self.scenarios).items() if count > 1]

    @property
    def endless(self) -> list[str]:
        """Scenarios without a time limit."""
        return [s.id for s in self.scenarios if s.limit_minutes <= 0]

    @property
    def idle(self) -> list[str]:
        """Aborts and rollbacks for which no command is named."""
        acting = (s for s in self.scenarios if s.id.startswith("abort") or "rollback" in s.id)
        return [s.id for s in acting if not s.commands]

    @property
    def abort_minutes(self) -> dict[str, float]:
        """How long each abort may take."""
        return {s.id: s.limit_minutes for s in self.scenarios if s.id.startswith("abort")}

    @property
    def commands(self) -> set[str]:
        """Every command that one of them names."""
        return {c for s in self.scenarios for c in s.commands}

    @property
    def flags(self) -> list[str]:
        """Every feature flag that one of them names."""
        return sorted({f for s in self.scenarios for f in s.flags})


class Stakeholders(Kind, frozen=True, kw_only=True):
    """Who is asked before the decision."""

    file = "stakeholders.md"
    people: Annotated[list[str], Meta(description="people's ids")]


class Decision(Part, frozen=True, kw_only=True):
    """What was decided of a risk."""

    id: str
    decision: Literal["accept", "mitigate", "stop"]
    owner: Annotated[str, Meta(description="a person's id")]
    done_by: Annotated[date | None, Meta(description="of a mitigation")] = None


class GoNoGo(Kind, frozen=True, kw_only=True):
    """The go/no-go meeting: what it decided and why."""

    file = "go-no-go.md"
    held_at: Annotated[Moment, Meta(description="when it began")]
    decision: Literal["go", "no-go"]
    reasons: str
    conditions: list[str]
    commit: str
    register_sha256: Annotated[str, Meta(description="of the risk register that was reviewed")]
    package_sha256: Annotated[
        str, Meta(description="of the package's file as `golive approve --about FILE` took it")
    ] = ""
    risks: list[Decision]

    @property
    def stopping(self) -> list[str]:
        """Risks that stop the launch."""
        return [r.id for r in self.risks if r.decision == "stop"]

    def late_mitigations(self, people: Collection[str], launch: date) -> list[str]:
        """Mitigations that none of these people owns, or that are not done before the launch."""
        return [
            f"{r.id}: {r.owner}, {r.done_by}"
            for r in self.risks
            if r.decision == "mitigate"
            and (r.owner not in people or not r.done_by or r.done_by >= launch)
        ]


class VendorSupport(Kind, frozen=True, kw_only=True):
    """What a vendor's support has promised us, and what shows that."""

    file = "vendor-*.md"
    vendor: Annotated[str, Meta(description="its id on the roster")]
    plan: str
    response_hours: Annotated[float, Meta(description="within which the plan has them answer")]
    account: Annotated[str, Meta(description="the account or workspace that the plan is for")]
    shown_by: Literal["contract page", "test ticket"]
    shown_on: Annotated[date, Meta(description="when the page was read, or the ticket answered")]
    reference: Annotated[str, Meta(description="address of the page, or number of the ticket")]


def all_kinds() -> list[type[Kind]]:
    """Every kind of paper there is, by file name."""
    return sorted(Kind.__subclasses__(), key=lambda kind: kind.file)
