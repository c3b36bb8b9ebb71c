"""What a document says of the items it rests on where nothing more particular is to be said.

Claims with what was measured beside what is required, facts at a glance, and counts by day and
area. Everything comes from the ledger's own lines, so that it can be made again and compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golive.answer import MISSING, STALE, SUSPECT, UNWRITTEN
from golive.ledger import Claim, ItemVerdict, Line
from golive.reports import pages
from golive.reports.documents import Content, Figure, OpenIssue, Table
from golive.verdicts import Verdict

SHARE = "% of the limit"
_STATES = (
    Verdict.PASS,
    Verdict.WAIVED,
    Verdict.NOT_APPLICABLE,
    Verdict.FAIL,
    Verdict.UNKNOWN,
    Verdict.PENDING,
    Verdict.NOT_DUE,
    SUSPECT,
    STALE,
    MISSING,
    UNWRITTEN,
)
"""Every state an item can be in, those that count for it first."""
_HOLDING = frozenset(map(str, _STATES[:3]))
_GLANCED = 6
"""Facts of one probe that stand in a document; the run holds them all."""
_GLANCED_LENGTH = 80
_QUANTITY = r"(-?\d[\d,]*(?:\.\d+)?)(?: ([^\d\s]\S*))?"
_REQUIRED = re.compile(rf"(?:each )?(at most|below|at least|above) {_QUANTITY}")
_OBSERVED = re.compile(rf"(?:.* )?{_QUANTITY}")


@dataclass(frozen=True, slots=True)
class Standing:
    """An item as it stands: its line, and the newest verdict where there is one."""

    line: Line
    state: str
    verdict: ItemVerdict | None


def overview(standings: Sequence[Standing], facts: Mapping[str, Any]) -> Content:
    """Counts, every claim of every item, and facts at a glance.

    :param facts: what the items' probes found, by probe.
    """
    counted = tally(standings)
    return Content(
        summary=counted.summary,
        figures=counted.figures,
        tables=[
            *counted.tables,
            *(claims_of(s.line, s.verdict) for s in standings if s.verdict is not None),
            *glance(facts),
        ],
    )


def tally(standings: Sequence[Standing]) -> Content:
    """Counts of the items' states, in all and by day and area."""
    found = Counter(s.state for s in standings)
    claims = [c for s in standings if s.verdict is not None for c in s.verdict.claims]
    looked = [s.verdict.started_at for s in standings if s.verdict is not None]
    figures = [Figure(name="items it rests on", value=float(len(standings)))]
    figures += [_count(str(state), found[str(state)]) for state in _STATES if found[str(state)]]
    figures += [
        _count("claims judged", len(claims)),
        _count("claims that do not hold", sum(c.broken for c in claims)),
        *([_count("claims not seen", unseen)] if (unseen := sum(c.unseen for c in claims)) else []),
    ]
    if looked:
        figures.append(Figure(name="first looked at", value=pages.moment(min(looked))))
        figures.append(Figure(name="last looked at", value=pages.moment(max(looked))))
    tables = [
        _counts_by("Items by day", "day", lambda line: line.block_title, standings),
        _counts_by("Items by area", "area", lambda line: line.area, standings),
    ]
    return Content(
        summary=_summary(found, len(standings)),
        figures=figures,
        tables=[t for t in tables if len(t.rows) > 1],
    )


def claims_of(line: Line, verdict: ItemVerdict) -> Table:
    """What was measured of one item beside what is required.

    Where both are figures of one unit, a bar shows how much of the limit is used: beyond the
    limit it is over 100.
    """
    shares = [share_of_limit(c) for c in verdict.claims]
    drawn = any(s is not None for s in shares)
    rows: list[list[str | float]] = []
    for name, claim, share in zip(
        _unique(c.subject for c in verdict.claims), verdict.claims, shares, strict=True
    ):
        row: list[str | float] = [name, claim.observed, claim.required]
        row.append("yes" if claim.holds else "not seen" if claim.unseen else "no")
        rows.append([*row, "" if share is None else share] if drawn else row)
    if not rows:
        said = verdict.message or "; ".join(verdict.asserted) or "nothing was measured"
        rows.append([str(verdict.verdict), said, "", ""])
    return Table(
        title=f"{line.id} {line.title}",
        columns=["what", "measured", "required", "holds", *([SHARE] if drawn else [])],
        rows=rows,
        plot=SHARE if drawn else "",
        limit=100.0 if drawn else None,
    )


def share_of_limit(claim: Claim) -> float | None:
    """How much of its limit a claim uses, in percent; None where it does not compare figures."""
    required = _REQUIRED.fullmatch(claim.required)
    observed = _OBSERVED.fullmatch(claim.observed)
    if required is None or observed is None:
        return None
    how, limit_text, unit = required.groups()
    if (observed[2] or "") != (unit or ""):
        return None
    limit, value = (float(t.replace(",", "")) for t in (limit_text, observed[1]))
    used, whole = (value, limit) if how in ("at most", "below") else (limit, value)
    return round(100 * used / whole, 1) if used >= 0 and whole > 0 else None


def glance(facts: Mapping[str, Any]) -> list[Table]:
    """The short facts of each probe."""
    rows: list[list[str | float]] = []
    for probe, value in facts.items():
        pairs = value.items() if isinstance(value, Mapping) else ()
        short = [
            [f"{probe}: {name}", pages.number(v)]
            for name, v in pairs
            if v not in (None, "") and pages.is_scalar(v) and len(str(v)) <= _GLANCED_LENGTH
        ]
        rows += short[:_GLANCED]  # type: ignore[arg-type]
    return [Table(title="Facts at a glance", columns=["fact", "found"], rows=rows)] if rows else []


def open_issues(
    standings: Iterable[Standing],
    due: Callable[[Line], Any],
    why: Callable[[Standing], str],
    plan: Callable[[Standing], str],
) -> list[OpenIssue]:
    """The items that do not hold, each with its owner, its day and what is to be done."""
    return [
        OpenIssue(
            id=s.line.id,
            title=s.line.title,
            state=s.state,
            owner=s.line.owner or "nobody",
            due=due(s.line),
            why=why(s),
            plan=plan(s),
        )
        for s in standings
        if s.state not in _HOLDING
    ]


def _summary(found: Counter[str], total: int) -> str:
    held = sum(n for state, n in found.items() if state in _HOLDING)
    if held == total:
        return f"All {total:,} items hold." if total != 1 else "The one item it rests on holds."
    rest = ", ".join(
        f"{found[str(s)]:,} {str(s).lower()}"
        for s in _STATES
        if found[str(s)] and str(s) not in _HOLDING
    )
    return f"{held:,} of {pages.counted(total, 'item')} {'holds' if held == 1 else 'hold'}: {rest}."


def _count(name: str, number: int) -> Figure:
    return Figure(name=name, value=float(number))


def _counts_by(
    title: str, what: str, key: Callable[[Line], str], standings: Sequence[Standing]
) -> Table:
    groups: dict[str, Counter[str]] = {}
    for s in standings:
        groups.setdefault(key(s.line), Counter())[s.state] += 1
    shown = [str(s) for s in _STATES if any(g[str(s)] for g in groups.values())]
    rows: list[list[str | float]] = [
        [name, *(float(found[s]) for s in shown), float(found.total())]
        for name, found in groups.items()
    ]
    return Table(title=title, columns=[what, *map(str.lower, shown), "items"], rows=rows)


def _unique(names: Iterable[str]) -> list[str]:
    """Names as they are, a number behind each that was there before."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
