"""The answer: whether it can be launched, with every rule and every item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from golive.answer import (
    GO,
    NO_GO,
    Answer,
)
from golive.context import Context
from golive.readiness.changes import changes
from golive.readiness.deciding import Decided, readiness_of
from golive.readiness.due import remaining
from golive.readiness.judging import Judge
from golive.readiness.record import Record
from golive.readiness.rules import rules
from golive.readiness.wording import as_said


def assess(
    context: Context,
    *,
    today: date,
    all_due: bool = False,
    now: datetime | None = None,
    before: datetime | None = None,
    elsewhere: Sequence[str] | None = None,
) -> Answer:
    """Whether it can be launched, with every rule and every item.

    :param today: the day as which the launch is looked at.
    :param all_due: everything is due, as in a rehearsal without a day of its own.
    :param before: the moment to compare with; default: a day ago.
    :param elsewhere: records that the store of launch.toml holds and that are not here, see
        :func:`golive.store.compare`; None: nobody has compared.
    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    moment = now or datetime.now(UTC)
    earlier = before or moment - timedelta(days=1)
    record = Record(context)
    statements = context.statements.here(moment)
    judge = Judge(context, record, today, all_due)
    standings = judge.standings(moment, statements)
    then = (
        judge.states(earlier, statements.here(earlier, past=True))
        if record.was_there(earlier)
        else None
    )
    seen = readiness_of(context, record, standings)
    decided = Decided(context, statements, seen)
    found = rules(context, record, standings, decided, moment, statements, elsewhere)
    waiting, earliest, reason = remaining(context, standings, today)
    return Answer(
        environment=context.environment.name,
        environment_kind=context.environment.kind,
        environment_title=context.environment.title,
        candidate=context.launch.candidate,
        launch_date=context.launch.date,
        today=today,
        made_at=moment,
        answer=GO if all(r.holds for r in found) else NO_GO,
        rules=found,
        standings=standings,
        changes=[] if then is None else changes(standings, then),
        changed_since=None if then is None else earlier,
        days=judge.days(moment, standings),
        runs=record.refs,
        remaining=waiting,
        earliest=earliest,
        earliest_reason=reason,
        decisions=[as_said(s, context) for s in decided.all],
        awaited=decided.awaited,
        readiness=seen,
        rule_changes=record.rule_changes(context),
        rules_since=record.first.started_at if record.first else None,
        elsewhere=None if elsewhere is None else list(elsewhere),
        holders={
            i.owner: [p.name for p in context.roster.holders(i.owner_mark)]
            for i in context.procedure
            if i.owner
        },
    )


def counts(context: Context, moment: datetime) -> dict[str, int]:
    """How many items were in each state at a moment, by what was on record then.

    :raises GoliveError: roster, procedure or launch cannot be read.
    """
    all_due = context.environment.kind == "rehearsal"
    answer = assess(context, today=moment.date(), all_due=all_due, now=moment)
    return dict(Counter(s.state for s in answer.standings))
