"""The rules that GO takes, each with what was observed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from golive import chain
from golive.answer import (
    MISSING,
    STALE,
    SUSPECT,
    UNWRITTEN,
    Rule,
    Standing,
)
from golive.context import Context
from golive.people.statements import Statements, digest_of
from golive.readiness.deciding import Decided
from golive.readiness.record import Record
from golive.readiness.wording import CLOCKS_DIFFER, listed, reported
from golive.verdicts import Verdict

_STATES = {
    "written": (UNWRITTEN, "items without a check"),
    "looked-at": (MISSING, "items that no run has looked at"),
    "failed": (Verdict.FAIL, "items that failed"),
    "unknown": (Verdict.UNKNOWN, "items that could not be looked at"),
    "pending": (Verdict.PENDING, "items that people still have to state"),
    "suspect": (SUSPECT, "items whose check, threshold or code is another now"),
    "fresh": (STALE, "items looked at too long ago"),
}
"""The rule on each state that no item may be in, by its name."""


def rules(
    context: Context,
    record: Record,
    standings: Sequence[Standing],
    decided: Decided,
    now: datetime,
    statements: Statements,
    elsewhere: Sequence[str] | None,
) -> list[Rule]:
    """Every rule, in the order in which pages show them.

    :param statements: those of this environment as at the moment ``now``.
    :param elsewhere: see :func:`golive.readiness.assess`.
    """
    records = [
        *record.records,
        *(
            chain.Record(s.id, s.sha256, s.statement.before)
            for s in statements.kept
            if s.statement.environment == context.environment.name
        ),
    ]
    found = [
        *_of_items(context, standings),
        *_of_records(context, record, records),
        _clock(record, now),
        *_of_people(context, decided),
    ]
    if context.environment.kind != "rehearsal":
        used = {s.run for s in standings if s.counts and s.run}
        found += [_chain(context, record, records), _committed(context, record, used)]
    if context.launch.store:
        found.append(_stored(elsewhere))
    return found


def _none(name: str, subject: str, ids: Sequence[str], among: str) -> Rule:
    """That there are none of these."""
    observed = listed(ids) if ids else f"none {among}"
    return Rule(name=name, subject=subject, observed=observed, required="none", holds=not ids)


def _of_items(context: Context, standings: Sequence[Standing]) -> list[Rule]:
    """That each item that counts was looked at and is green."""
    ids: dict[str, list[str]] = defaultdict(list)
    for s in standings:
        if s.counts:
            ids[s.state].append(s.line.id)
    counts = sum(map(len, ids.values()))
    waived = ids[Verdict.WAIVED]
    among = f"among {counts} items"
    return [
        Rule(
            name="looked-at-all",
            subject="items that GO rests on",
            observed=f"{counts} of {len(standings)}",
            required="at least one, and each with a verdict",
            holds=counts > 0,
        ),
        *(_none(name, subject, ids[state], among) for name, (state, subject) in _STATES.items()),
        Rule(
            name="waivers",
            subject="waivers in force",
            observed=listed(waived) if waived else "none",
            required=f"at most {context.launch.waivers}",
            holds=len(waived) <= context.launch.waivers,
        ),
    ]


def _of_records(
    context: Context, record: Record, records: Sequence[chain.Record]
) -> Iterator[Rule]:
    """That every run and statement can be trusted."""
    is_rehearsal = context.environment.kind == "rehearsal"
    wrong = record.damaged | ({} if is_rehearsal else record.unended(records))
    strangers = [f"{i} (in {run})" for run, ids in record.strangers.items() for i in ids]
    disputed = reported(context.statements.disputed(), context)
    among = f"{len(record.refs)} runs"
    yield _none("runs", "runs that cannot be trusted", reported(wrong, context), f"among {among}")
    yield _none("ids", "verdicts on ids that the procedure does not have", strangers, f"in {among}")
    yield _none("statements", "statements that cannot be trusted", disputed, "among those here")


def _clock(record: Record, now: datetime) -> Rule:
    """That this clock is not behind what lies here."""
    newest = record.newest
    limit = f", {newest:%Y-%m-%d %H:%M:%S} UTC" if newest else ""
    return Rule(
        name="clock",
        subject="this clock",
        observed=f"{now:%Y-%m-%d %H:%M:%S} UTC",
        required=f"not before the newest record{limit}",
        holds=newest is None or now + CLOCKS_DIFFER >= newest,
    )


def _of_people(context: Context, decided: Decided) -> list[Rule]:
    """That those who decide have approved, and nobody refused."""
    approvers = context.launch.approvers
    return [
        Rule(
            name="approved",
            subject="roles that approve the launch",
            observed=", ".join(sorted(decided.roles)) or "none",
            required=", ".join(approvers) or "at least one, named in launch.toml",
            holds=bool(approvers) and not decided.awaited,
        ),
        _none("no-objection", "people who decided against it", decided.against, "have"),
    ]


def _chain(context: Context, record: Record, records: Sequence[chain.Record]) -> Rule:
    """That every record which another names is here."""
    known = {*record.damaged, *context.statements.disputed()}
    return _none(
        "chain",
        "records that others name and that are not here, or not as they were",
        reported(_gaps(records, known, context), context),
        f"among {len(records)} records",
    )


def _committed(context: Context, record: Record, used: set[str]) -> Rule:
    """Whether what was run, and what lies here, is what was committed."""
    unclean = [f"{r} was made with uncommitted changes" for r in record.unclean if r in used]
    others = [f"{r} was made with other suites than these" for r in record.others if r in used]
    now = context.origin.suite.clean
    here = (
        []
        if now
        else [
            "the suites here differ from their commit"
            if now is False
            else "git cannot say whether the suites here are committed"
        ]
    )
    wrong = [*here, *unclean, *others]
    return Rule(
        name="committed",
        subject="the suites, and those of the runs that count",
        observed=listed(wrong) if wrong else f"as committed; runs that count: {len(used)}",
        required="as committed, and the same",
        holds=not wrong,
    )


def _stored(elsewhere: Sequence[str] | None) -> Rule:
    """Whether everything that the store holds is here."""
    if elsewhere is None:
        observed = "nobody has compared"
    else:
        observed = listed(elsewhere) if elsewhere else "none"
    return Rule(
        name="store",
        subject="records of the store that are not here",
        observed=observed,
        required="none (`golive pull` fetches them)",
        holds=elsewhere is not None and not elsewhere,
    )


def _gaps(
    records: Sequence[chain.Record], reported: Iterable[str], context: Context
) -> dict[str, str]:
    """What the chain misses and two people have not set aside.

    :param told: names of what lies here damaged, which other rules tell.
    """
    return {
        ident: why
        for ident, why in chain.gaps(records).items()
        if ident not in reported and not _is_set_aside(ident, context)
    }


def _is_set_aside(ident: str, context: Context) -> bool:
    """Whether two people have set a record aside, damaged as it lies there or missing."""
    run = context.reports / "runs" / ident
    place = run if "/" not in ident and run.exists() else context.statements.place_of(ident)
    return context.statements.set_aside(ident, digest_of(place) if place else "") is not None
