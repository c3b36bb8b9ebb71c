"""``golive status``: can we launch, and if not, what is in the way, and whose is it?"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

from golive.answer import GO, Answer, Rule, Standing, encode, shortened
from golive.context import Context
from golive.launch import parse_date
from golive.ledger import read_run
from golive.readiness import assess
from golive.reports import ctrf, launch_page, pages
from golive.verdicts import GoliveError

_SHOWN = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", required=True, metavar="NAME", help="a name or a TOML file")
    parser.add_argument("--today", metavar="DATE", help="look at the launch as on this day")
    parser.add_argument(
        "--since", metavar="RUN|DATE", help="what changed since then (default: a day ago)"
    )
    parser.add_argument("--reports", type=Path, default=None, metavar="FOLDER")
    parser.add_argument(
        "--json", action="store_true", help="the whole answer, see docs/readiness.md"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the launch page too")
    parser.add_argument("--ctrf", type=Path, metavar="FILE", help="write it for CI dashboards too")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="RULE",
        help="exit 1 only where this rule does not hold; may be repeated (default: NO-GO)",
    )


def run(options: argparse.Namespace) -> int:
    context = Context.open(options.env, reports=options.reports)
    answer = look(context, options.today, options.since)
    unknown = set(options.fail_on) - {r.name for r in answer.rules}
    if unknown:
        known = ", ".join(r.name for r in answer.rules)
        raise GoliveError(f"--fail-on: found {', '.join(sorted(unknown))}; expected one of {known}")
    if options.ctrf:
        pages.write(options.ctrf, json.dumps(ctrf.report(answer), indent=1))
    if options.page:
        launch_page.write_launch_page(answer, options.page)
    if options.json:
        sys.stdout.write(encode(answer).decode())
    else:
        print("\n".join(reported(answer)))
    if options.fail_on:
        return int(any(not r.holds for r in answer.rules if r.name in options.fail_on))
    return int(answer.answer != GO)


def look(context: Context, today: str | None = None, since: str | None = None) -> Answer:
    """The answer of a context, with the words of the command line.

    :raises GoliveError: a date that is none, or a run that is not there.
    """
    day = date.today() if today is None else parse_date(today, "--today")  # noqa: DTZ011 - own calendar
    before = None
    if since:
        folder = context.reports / "runs" / since
        if folder.is_dir():
            before = read_run(folder, facts=False).head.started_at
        else:
            at = parse_date(since, "--since")
            before = datetime(at.year, at.month, at.day, tzinfo=UTC)
    is_rehearsal = context.environment.kind == "rehearsal"
    return assess(
        context,
        today=day,
        all_due=is_rehearsal and today is None,
        before=before,
        elsewhere=_elsewhere(context),
    )


def _elsewhere(context: Context) -> list[str] | None:
    """What the store of launch.toml holds and is not here; None where it names none."""
    if not context.launch.store:
        return None
    from golive.store import compare  # what speaks to object stores takes a while to load

    try:
        return compare(context)
    except GoliveError as e:
        return [f"could not look: {e}"]


def reported(answer: Answer) -> list[str]:
    """The answer as lines for a terminal."""
    days = (answer.launch_date - answer.today).days
    when = f"{pages.counted(abs(days), 'day')} {'to' if days >= 0 else 'after'} launch"
    mark = "REHEARSAL, decides nothing: " if answer.is_rehearsal else ""
    lines = [
        f"{mark}{answer.answer}  {answer.candidate} on {answer.environment_title}, {when}",
        "",
        *(f"  {'holds' if r.holds else 'BROKEN':6}  {r.name:14} {_rule(r)}" for r in answer.rules),
    ]
    waiting = answer.in_the_way
    if waiting:
        lines += ["", f"In the way: {len(waiting)} of {sum(s.counts for s in answer.standings)}"]
        for left in answer.remaining:
            own = [s for s in waiting if (s.line.owner or "no owner") == left.owner]
            tally = ", ".join(f"{n} {state}" for state, n in Counter(s.state for s in own).items())
            hours = f"{left.minutes / 60:g} h planned, done by {left.done_by:%Y-%m-%d}"
            lines.append(f"  {left.owner}: {tally} ({hours})")
            pressing = [s for s in own if s.looked_at][:_SHOWN]
            lines += [f"    {_item(s)}" for s in pressing]
            if len(own) > len(pressing):
                lines.append(f"    and {len(own) - len(pressing)} more")
    if answer.changes:
        assert answer.changed_since is not None
        lines += ["", f"Changed since {answer.changed_since:%Y-%m-%d %H:%M} UTC:"]
        lines += [f"  {c.id:13} {c.before} -> {c.after}  {c.title}" for c in answer.changes[:20]]
        if len(answer.changes) > 20:
            lines.append(f"  and {len(answer.changes) - 20} more")
    if answer.rule_changes:
        assert answer.rules_since is not None
        since = f"{answer.rules_since:%Y-%m-%d %H:%M} UTC"
        lines += ["", f"Rules and people that are not as at the first run, {since}:"]
        lines += [f"  {one}" for one in answer.rule_changes[:20]]
        if len(answer.rule_changes) > 20:
            lines.append(f"  and {len(answer.rule_changes) - 20} more")
    first = f"{answer.earliest:%Y-%m-%d}" if answer.earliest else "not known"
    lines += ["", f"Earliest day for GO: {first} ({answer.earliest_reason})"]
    return [pages.clean(line) for line in lines]


def _rule(rule: Rule) -> str:
    return f"{rule.subject}: {rule.observed}; required {rule.required}"


def _item(s: Standing) -> str:
    since = f" since {s.since:%Y-%m-%d}" if s.since else ""
    return f"{s.state:8} {s.line.id:13} {s.line.title}{since}: {shortened(s.reason)}".rstrip(": ")
