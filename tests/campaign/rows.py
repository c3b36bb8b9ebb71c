"""What a fault did: one row of the campaign's table, judged against what it names."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

import msgspec

from golive import ledger
from golive.deliverables import NOBODY_WROTE, NOT_GREEN, NOT_JUDGED
from golive.verdicts import Verdict

HARMLESS = frozenset({Verdict.PASS, Verdict.NOT_DUE})
"""Verdicts that are not red."""
_TO_COME = re.compile(r"rests on what is still to come: (.*)")
_IS_OPEN = re.compile(r"(?:^|; )([A-Z][\w+.-]*) is (?:PENDING|WAIVED)\b")
"""A document that waits for others says so in words: it has no broken claim."""
Verdicts = Mapping[str, ledger.ItemVerdict]
"""Verdicts by item."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did. ``wrong`` is empty when it did exactly what it says.

    ``expected_red`` is what the fault was written for and what is recorded of it, ``how`` where
    it was tried ("papers", "round 3", "alone"), ``duration_s`` its share of the time: a round's
    seconds are divided among the faults of the round. ``broken`` has the subjects of the claims
    that broke, by the item.
    """

    fault: str
    expected_red: tuple[str, ...]
    red: tuple[str, ...]
    messages: tuple[str, ...]
    wrong: str
    duration_s: float
    how: str = "alone"
    tries: int = 1
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)


def row(
    fault: str,
    expected: Collection[str],
    found: Verdicts,
    *,
    reverted: Verdicts,
    duration_s: float,
    how: str,
    excused: Collection[str] = (),
    follows: Collection[str] = (),
    error: str = "",
    broken: Mapping[str, Sequence[str]] | None = None,
    beside: Verdicts = MappingProxyType({}),
) -> Row:
    """Judge one fault.

    :param expected: items that have to be red while it is in force, and no other.
    :param found: every item's verdict while it was in force.
    :param reverted: after reverting, the verdicts at least of what was red.
    :param excused: items that are red without any fault.
    :param follows: items that are red because others are: they are green again with those.
    :param error: why it could not be tried, when it could not.
    :param broken: the subjects of the claims that broke by this fault, by the item; None: all.
    :param beside: excused items that it names, with what it has added to them.
    """
    red = {i: v for i, v in sorted(found.items()) if is_red(v) and i not in excused}
    wrong = [error] if error else []
    if not error:
        if missing := sorted(set(expected) - set(red)):
            wrong.append(f"not red: {', '.join(missing)}")
        if strange := sorted(set(red) - set(expected)):
            reported = "; ".join(f"{i} ({red[i].message})" for i in strange)
            wrong.append(f"red beside what it names: {reported}")
        wrong += [f"{i}: {why}" for i, v in red.items() if (why := unclear(v))]
        for ident in sorted({*expected, *red} - {*excused, *follows}):
            if (after := reverted.get(ident)) is None:
                wrong.append(f"{ident} was not looked at after reverting")
            elif is_red(after):
                wrong.append(f"{ident} is not green after reverting: {after.message}")
    told = {**red, **beside}
    return Row(
        fault=fault,
        expected_red=tuple(sorted(expected)),
        red=tuple(red),
        messages=tuple(f"{i} {v.verdict.value}: {v.message}" for i, v in told.items()),
        wrong="; ".join(wrong),
        duration_s=round(duration_s, 2),
        how=how,
        broken={
            i: subjects(v) if broken is None or i in beside else broken.get(i, ())
            for i, v in told.items()
        },
    )


def added(now: ledger.ItemVerdict, before: ledger.ItemVerdict) -> ledger.ItemVerdict:
    """What a red item says that it did not say before."""
    known = {(c.subject, c.observed) for c in before.claims if c.broken}
    new = [c for c in now.claims if c.broken and (c.subject, c.observed) not in known]
    parts = set(before.message.split("; "))
    message = "; ".join(part for part in now.message.split("; ") if part not in parts)
    return msgspec.structs.replace(now, claims=new, message=message or "as without the fault")


def subjects(v: ledger.ItemVerdict) -> tuple[str, ...]:
    """What an item's broken claims are about."""
    return tuple(dict.fromkeys(c.subject for c in v.claims if c.broken))


def is_red(v: ledger.ItemVerdict) -> bool:
    """Whether a verdict is anything but green or not due."""
    return v.verdict not in HARMLESS


def resting_on_unwritten(verdicts: Verdicts) -> dict[str, str]:
    """Items that fail for nothing but what nobody has written yet, with what they say of it."""
    found: dict[str, str] = {}
    more = True
    while more:  # what rests on such an item is one too
        more = False
        for v in verdicts.values():
            broken = [c for c in v.claims if c.broken]
            if v.verdict is not Verdict.FAIL or not broken or v.id in found:
                continue
            causes = not_green(v)
            # The first: what follows it is told too, and may follow from it.
            unwritten = broken[0].subject in (NOBODY_WROTE, NOT_JUDGED)
            if unwritten or (causes and causes <= set(found)):
                found[v.id] = v.message
                more = True
    return found


def not_green(v: ledger.ItemVerdict) -> frozenset[str]:
    """The items for whose being red an item is red, where that is why it is."""
    if v.verdict is Verdict.PENDING and (told := _TO_COME.search(v.message)):
        return frozenset(_IS_OPEN.findall(told[1]))
    broken = [c for c in v.claims if c.broken]
    if v.verdict is not Verdict.FAIL or not broken or broken[0].subject != NOT_GREEN:
        return frozenset()
    return frozenset(broken[0].ids)


def followers(found: Verdicts, red: Collection[str]) -> frozenset[str]:
    """Those of ``red``, and of what follows from them in turn, that are red for nothing but others
    of them."""
    causes = {i: not_green(v) for i, v in found.items() if is_red(v)}
    following = frozenset(i for i, ids in causes.items() if ids)
    known = set(red)
    while True:
        more = {i for i in following - known if causes[i] <= known}
        if not more:
            return frozenset(i for i in following & known if causes[i] <= known)
        known |= more


def due_to(found: Verdicts, items: Collection[str]) -> frozenset[str]:
    """What is red for one of these being red, directly or by way of others."""
    known = set(items)
    while more := {i for i, v in found.items() if i not in known and not_green(v) & known}:
        known |= more
    return frozenset(known - set(items))


def unclear(v: ledger.ItemVerdict) -> str:
    """What a red verdict's message lacks of subject, observed, required and next step."""
    if not v.remedy and "next:" not in v.message:
        return "it tells no next step"
    if v.verdict is Verdict.FAIL:
        broken = [c for c in v.claims if c.broken]
        if not broken:
            return f"it fails without a claim: {v.message}"
        if not all(text for c in broken for text in (c.subject, c.observed, c.required)):
            return f"its claim is not whole: {v.message}"
    elif v.verdict is Verdict.UNKNOWN and "the check broke" in v.message:
        return v.message
    return ""


def append(file: Path, one: Row) -> None:
    """Add a row to the campaign's lines, so that it stands there however the campaign ends."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(one)) + "\n")


def table(rows: Iterable[Row], left: int, excused: Mapping[str, str]) -> str:
    """The rows as Markdown, with what is red without any fault.

    :param left: how many faults were not tried.
    :param excused: items that are red without any fault, with what they say.
    """
    lines = [
        "| fault | expected red | red | message | seconds | tried | tries |",
        "| --- | --- | --- | --- | ---: | --- | ---: |",
    ]
    ordered = sorted(rows, key=lambda r: r.fault)
    for one in ordered:
        said = one.wrong or " / ".join(one.messages)
        cells = [
            one.fault,
            ", ".join(one.expected_red),
            ", ".join(one.red),
            said.replace("|", "\\|").replace("\n", " "),
            f"{one.duration_s:.1f}",
            one.how,
            str(one.tries),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    wrong = sum(bool(r.wrong) for r in ordered)
    if excused:
        lines += ["", f"Red without any fault, for they rest on unwritten ({len(excused)}):", ""]
        lines += [f"- {ident} {said}" for ident, said in excused.items()]
    done = len(ordered) - wrong
    lines += ["", f"{done} passed, {wrong} failed; {left} not tried for want of time."]
    return "\n".join(lines) + "\n"
