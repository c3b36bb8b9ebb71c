"""What the issue tracker adds to documents: security findings, remediation, resolved bugs.

An issue says in its fields (see golive/probes/saas/tracker.py) which item is looked at again once
it is fixed (``Retest: ITEM``), and what is done about it (``Remediation: ...``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from golive.claims import Claim, at_least, each_at_least, equal, holds, none_of, same_set
from golive.deliverables import Basis, Write, with_tables
from golive.probes.saas.tracker import SEVERITIES, CheckRuns, Fixes, Issue, Issues, PullRequest
from golive.reports.documents import Content, Figure, Table
from golive.verdicts import Verdict

SERIOUS = ("critical", "high")
RETEST, REMEDIATION, TEST = "Retest", "Remediation", "Test"
_LOGGED = frozenset({Verdict.FAIL, Verdict.UNKNOWN, Verdict.WAIVED})
_UNRATED = "no severity"


def digest(issues: Iterable[Issue]) -> str:
    """SHA-256 over issues: once it is another, what was made from them is out of date."""
    return hashlib.sha256(msgspec.json.encode(list(issues), order="sorted")).hexdigest()


def findings(issues: Issues) -> list[Issue]:
    """What audits, scans and penetration tests have found."""
    return issues.labelled(issues.names.finding)


def canary(issues: Issues) -> Iterator[Claim]:
    """That the tracker tells of what is known to be there; nothing where no issue is declared."""
    if issues.canary:
        seen = issues.get(issues.canary) is not None
        reported = "found" if seen else "not found"
        yield holds(f"the known issue #{issues.canary}", seen, reported, "found")


def counts(issues: Sequence[Issue], title: str) -> Table:
    """How many issues of each severity are open and closed."""
    rows: list[list[str | float]] = []
    for severity in (*SEVERITIES, ""):
        own = [one for one in issues if one.severity == severity]
        opened = sum(one.is_open for one in own)
        if severity or own:
            rows.append([severity or _UNRATED, float(opened), float(len(own) - opened)])
    return Table(title=title, columns=["severity", "open", "closed"], rows=rows)


def listed(issues: Iterable[Issue], title: str) -> Table:
    """Issues one by one."""
    rows: list[list[str | float]] = [
        [
            str(one),
            one.severity or _UNRATED,
            one.state,
            one.owner or "nobody",
            one.due.isoformat() if one.due else "no day",
            one.fields.get(RETEST, ""),
        ]
        for one in issues
    ]
    columns = ["issue", "severity", "state", "owner", "due", "retest"]
    return Table(title=title, columns=columns, rows=rows)


def summary(issues: Issues) -> Write:
    """A document over its items and over what audits have found."""
    found = findings(issues)
    return with_tables(
        counts(found, "Findings by severity"),
        listed(found, "Findings"),
        inputs={"findings": digest(found)},
    )


def log(issues: Issues) -> Write:
    """A document over its items, with the issues that each is looked at again for."""

    def write(basis: Basis) -> Content:
        own = [one for one in issues.all if retests(one) & set(basis.rests_on)]
        own += [one for one in findings(issues) if one.is_open and one not in own]
        return with_tables(listed(own, "Issues with a plan"), inputs={"issues": digest(own)})(basis)

    return write


def deviations(issues: Issues) -> Write:
    """A document over its items, with what came up in the rehearsal."""
    own = issues.labelled(issues.names.launch)
    return with_tables(listed(own, "Deviations"), inputs={"deviations": digest(own)})


def deviations_settled(issues: Issues) -> Iterator[Claim]:
    """Each deviation is somebody's, and no critical one is open."""
    yield from canary(issues)
    own, among = issues.labelled(issues.names.launch), len(issues.all)
    loose = [str(one) for one in own if not one.owner]
    yield none_of("deviations without an owner", loose, among=among, of="issues of the launch")
    open_ = [str(one) for one in own if one.is_open and one.severity == "critical"]
    yield none_of("open critical deviations", open_, among=among, of="issues of the launch")


def resolution(issues: Issues) -> Write:
    """A document over the bugs of the milestone."""
    figures, tables = resolved(issues)
    inputs = {"milestone": digest(issues.of_milestone())}
    return with_tables(*tables, figures=figures, inputs=inputs)


def gates(
    checks: CheckRuns, pulls: Sequence[PullRequest], fixes: Fixes, approvals: float
) -> Iterator[Claim]:
    """CI's required checks have succeeded on the tag's commit, and enough others than its author
    approve each pull request."""
    yield equal("commit that CI has checked", checks.commit, fixes.commit)
    succeeded = {run.name for run in checks.runs if run.succeeded}
    missing = [name for name in checks.required if name not in succeeded]
    yield none_of(
        "required checks that have not succeeded", missing, among=len(checks.required), of="checks"
    )
    yield each_at_least("approvals", {str(p): len(p.approvals) for p in pulls}, approvals)
    against = [f"{p} ({', '.join(p.objections)})" for p in pulls if p.objections]
    yield none_of(
        "pull requests that somebody objects to", against, among=len(pulls), of="pull requests"
    )


def findings_settled(issues: Issues, launch: date) -> Iterator[Claim]:
    """No critical or high finding is open, and each medium one has an owner and a day before it."""
    yield from canary(issues)
    among, of = len(issues.all), "issues of the launch"
    open_ = [one for one in findings(issues) if one.is_open]
    serious = [str(one) for one in open_ if one.severity in SERIOUS]
    yield none_of("open critical or high findings", serious, among=among, of=of)
    unrated = [str(one) for one in findings(issues) if not one.severity]
    yield none_of("findings without a severity", unrated, among=among, of=of)
    loose = [
        f"{one} ({_lacking(one, launch)})"
        for one in open_
        if one.severity == "medium" and _lacking(one, launch)
    ]
    yield none_of("open medium findings not provided for", loose, among=among, of=of)


def remediated(
    verdicts: Mapping[str, Verdict], issues: Issues, launch: date, today: date
) -> Iterator[Claim]:
    """Each red or waived item has exactly one issue that says who fixes it, how and by when.

    :param verdicts: of all items that were evaluated.
    """
    yield from canary(issues)
    among, of = len(verdicts), "items evaluated"
    logged = [i for i, verdict in verdicts.items() if verdict in _LOGGED]
    of_item = {i: [one for one in issues.all if i in retests(one)] for i in logged}
    wrong = [f"{i} ({len(own)} issues)" for i, own in of_item.items() if len(own) != 1]
    yield none_of("red or waived items without just one issue", wrong, among=among, of=of)
    own = [one for found in of_item.values() for one in found]
    yield from planned(own, among, of, dict.fromkeys(SEVERITIES, _before(launch)), today)
    red = {i for i in logged if verdicts[i] is not Verdict.WAIVED}
    closed = [f"{one} ({i})" for i in red for one in of_item[i] if not one.is_open]
    yield none_of("closed issues whose item is still red", closed, among=among, of=of)


def planned(
    issues: Iterable[Issue], among: int, of: str, until: Mapping[str, date], today: date
) -> Iterator[Claim]:
    """Issues have severity, owner, remediation, a day in time and an item to look at again.

    :param until: the last day of each severity.
    """
    loose, overdue = [], []
    for one in issues:
        lacking = [
            name
            for name, said in (
                ("severity", one.severity),
                ("owner", one.owner),
                ("remediation", one.fields.get(REMEDIATION)),
                ("retest", one.fields.get(RETEST)),
                ("a day", one.due),
            )
            if not said
        ]
        last = until.get(one.severity)
        if one.due and last and one.due > last:
            lacking.append(f"a day by {last}")
        if lacking:
            loose.append(f"{one} (lacks {', '.join(lacking)})")
        if one.is_open and one.due and one.due < today:
            overdue.append(f"{one} (due {one.due})")
    yield none_of("issues not provided for", loose, among=among, of=of)
    yield none_of("overdue issues", overdue, among=among, of=of)


def remediation_plan(
    verdicts: Mapping[str, Verdict], issues: Issues, launch: date, today: date
) -> Iterator[Claim]:
    """As :func:`remediated`, and each open finding has its entry: critical or high ones due by the
    launch, medium ones 30 days after they were found, low ones 90."""
    yield from remediated(verdicts, issues, launch, today)
    for one in findings(issues):
        if one.is_open:
            found = one.opened_at.date()
            days = {"medium": 30, "low": 90}.get(one.severity)
            last = found + timedelta(days=days) if days else _before(launch)
            yield from planned([one], 1, f"finding #{one.number}", {one.severity: last}, today)


def retests(issue: Issue) -> set[str]:
    """The items that are looked at again once the issue is fixed."""
    return {part.strip() for part in issue.fields.get(RETEST, "").split(",") if part.strip()}


def resolved(issues: Issues) -> tuple[list[Figure], list[Table]]:
    """Bugs of the milestone in figures: opened, resolved, reopened, still open; critical or high
    ones listed with their fix, their test and who verified them."""
    own = issues.of_milestone()
    rows: list[list[str | float]] = [
        [
            severity,
            float(len(of := [one for one in own if one.severity == severity])),
            float(sum(not one.is_open for one in of)),
            float(sum(bool(one.reopened_at) for one in of)),
            float(sum(one.is_open for one in of)),
        ]
        for severity in SEVERITIES
    ]
    serious: list[list[str | float]] = [
        [
            str(one),
            one.severity,
            one.fix_commit[:12] or "none",
            one.fields.get(TEST, "none"),
            one.closed_by or "nobody",
            one.verified_by or "nobody",
        ]
        for one in own
        if one.severity in SERIOUS
    ]
    return [Figure(name="issues in the milestone", value=float(len(own)))], [
        Table(
            title="Bugs by severity",
            columns=["severity", "opened", "resolved", "reopened", "still open"],
            rows=rows,
        ),
        Table(
            title="Critical and high bugs",
            columns=["issue", "severity", "fix", "test", "fixed by", "verified by"],
            rows=serious,
        ),
        listed((one for one in own if one.is_open), "Still open"),
    ]


def bugs_settled(issues: Issues, fixes: Fixes, least: float) -> Iterator[Claim]:
    """Grave bugs are fixed in the candidate, tested, and verified by somebody else; what is still
    open is a known issue."""
    yield from canary(issues)
    own = issues.of_milestone()
    yield at_least("issues in the milestone", len(own), least)
    unrated = [str(one) for one in own if not one.severity]
    yield none_of("issues without a severity", unrated, among=len(own), of="issues")
    serious = [one for one in own if one.severity in SERIOUS]
    among, of = len(serious), "critical and high bugs"
    still = [str(one) for one in serious if one.is_open]
    yield none_of("critical and high bugs still open", still, among=among, of=of)
    yield none_of(
        "bugs whose fix is not in the candidate", _unfixed(serious, fixes), among=among, of=of
    )
    untested = [str(one) for one in serious if not one.fields.get(TEST)]
    yield none_of("bugs without a test", untested, among=among, of=of)
    own_word = [
        f"{one} ({one.verified_by or 'nobody'})"
        for one in serious
        if not one.verified_by or one.verified_by == one.closed_by
    ]
    yield none_of("bugs not verified by another than who fixed them", own_word, among=among, of=of)
    open_ = {f"#{one.number}" for one in own if one.is_open}
    known = {f"#{one.number}" for one in issues.labelled(issues.names.known_issue) if one.is_open}
    if open_ or known:
        yield same_set("issues still open", open_, known)


def _unfixed(issues: Iterable[Issue], fixes: Fixes) -> Collection[str]:
    return [
        f"{one} ({one.fix_commit[:12] or 'no commit'})"
        for one in issues
        if one.fix_commit not in fixes.contained
    ]


def _before(launch: date) -> date:
    return launch - timedelta(days=1)


def _lacking(issue: Issue, launch: date) -> str:
    lacking = [] if issue.owner else ["no owner"]
    if issue.due is None:
        lacking.append("no due date")
    elif issue.due >= launch:
        lacking.append(f"due {issue.due}")
    return ", ".join(lacking)
