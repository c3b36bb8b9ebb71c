"""What each item's line demands, clause by clause, and what shows that each clause is judged.

The files below ``tests/suites/clauses``, one for each block, have for every written item what has
to hold, in the order in which an owner reads it:

    [["D-13.1.1"]]
    clause = "no invalid index is left behind"
    claim = "invalid or left-over indexes"      # the subject of a claim of the item, as a pattern
    fault = "index-left-invalid"                # breaks that claim; or a list of several

``tells`` stands in place of ``claim`` where a clause is not judged by a claim but by the item's
message: a signature that is missing, a look that could not be had. ``without_fault`` says why no
fault can show a claim in the rehearsal, ``without`` why there is neither. Patterns are those of
:mod:`fnmatch`, upper and lower case told apart.

The campaign goes by them: a fault has to break the claims of the clauses that name it. From them
``docs/clauses.md`` is generated.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from golive import marks, procedure
from golive.items import read_cards
from golive.toml import read_toml
from golive.verdicts import GoliveError
from rehearsal import faults
from tests.campaign.rows import Row

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "suites" / "clauses"
TABLE = ROOT / "docs" / "clauses.md"
_TEXTS = ("clause", "claim", "tells", "without_fault", "without")
_KEYS = (*_TEXTS, "fault")


class ClauseError(Exception):
    """A file of clauses says what cannot be."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that an item's line demands, with what judges it and what shows that."""

    item: str
    text: str
    claim: str = ""
    """Pattern over the subjects of the item's claims."""
    tells: str = ""
    """Pattern over the item's message."""
    faults: tuple[str, ...] = ()
    without_fault: str = ""
    """Why no fault can show it."""
    without: str = ""
    """Why there is neither claim nor fault."""

    @property
    def lacks(self) -> str:
        """What it lacks to be whole; empty where it lacks nothing."""
        if self.without:
            return ""
        missing = [] if self.claim or self.tells else ["a claim"]
        missing += [] if self.faults or self.without_fault else ["a fault"]
        return " and ".join(missing)

    def shown(self, subjects: Iterable[str], message: str) -> bool:
        """Whether an item that is red for claims of these subjects is red for this clause."""
        if self.tells:
            return fnmatchcase(message, self.tells)
        return any(fnmatchcase(subject, self.claim) for subject in subjects)


@dataclass(frozen=True, slots=True)
class Known:
    """What clauses may speak of."""

    lines: Mapping[str, procedure.Item]
    """Every written item's line, in the procedure's order."""
    titles: Mapping[str, str]
    """What each block is called, by its mark."""
    reds: Mapping[str, Collection[str]]
    """The items that each fault turns red."""
    named: Mapping[str, Collection[str]]
    """Of those, the ones that it was written for."""


def known() -> Known:
    """What there is in this tree."""
    suites = ROOT / "suites"
    written = read_cards(suites)
    lines = procedure.load(suites / "procedure.toml").items
    every = {**faults.all_faults(), **faults.waiting()}
    return Known(
        {i: line for i, line in lines.items() if i in written},
        marks.load(ROOT / "markers.ini"),
        {name: f.all_red for name, f in every.items()},
        {name: f.expect_fail for name, f in every.items()},
    )


# -- reading ---------------------------------------------------------------------------------------


def load(of: Known, folder: Path = FOLDER) -> list[Clause]:
    """The clauses of all files, in the procedure's order.

    :raises ClauseError: a file says what cannot be; names file, item and key.
    """
    found: dict[str, list[Clause]] = {}
    for path in sorted(folder.glob("*.toml")):
        found.update(_read(path, of))
    return [clause for item in of.lines for clause in found.get(item, [])]


def _read(path: Path, of: Known) -> Iterator[tuple[str, list[Clause]]]:
    blocks = {line.block for line in of.lines.values()}
    if path.stem not in blocks:
        raise ClauseError(f"{path.name}: no block with a written item has the mark {path.stem!r}")
    try:
        raw = read_toml(path)
    except GoliveError as e:
        raise ClauseError(str(e)) from None
    for item, entries in raw.items():
        where = f"{path.name}: {item}"
        line = of.lines.get(item)
        if line is None:
            raise ClauseError(f"{where}: is no written item of the procedure")
        if line.block != path.stem:
            raise ClauseError(f"{where}: is an item of {line.block}; expected in {line.block}.toml")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise ClauseError(f'{where}: expected clauses, each below [["{item}"]]')
        clauses: list[Clause] = []
        for number, entry in enumerate(entries, 1):
            one = _clause(f"{where}: clause {number}", item, entry, of)
            if one.text in (c.text for c in clauses):
                raise ClauseError(f"{where}: clause {number}: clause: {one.text!r} stands twice")
            clauses.append(one)
        yield item, clauses


def _clause(where: str, item: str, entry: Mapping[str, Any], of: Known) -> Clause:
    for key, value in entry.items():
        if key not in _KEYS:
            raise ClauseError(f"{where}: {key}: is no key; there are {', '.join(_KEYS)}")
        texts = value if key == "fault" and isinstance(value, list) else [value]
        if not texts or not all(isinstance(t, str) and t.strip() for t in texts):
            raise ClauseError(f"{where}: {key}: found {value!r}; expected a text")
    if "clause" not in entry:
        raise ClauseError(f"{where}: clause: is missing; expected what has to hold")
    for some, others in (
        (("without",), ("claim", "tells", "fault", "without_fault")),
        (("claim",), ("tells",)),
        (("fault",), ("without_fault",)),
    ):
        both = [k for k in (*some, *others) if k in entry]
        if both[:1] == list(some) and len(both) > 1:
            raise ClauseError(f"{where}: {both[1]}: cannot stand beside {both[0]}")
    named = entry.get("fault", [])
    names = [named] if isinstance(named, str) else named
    for name in names:
        if name not in of.reds:
            raise ClauseError(f"{where}: fault: there is no fault {name!r}")
        if item not in of.reds[name]:
            raise ClauseError(f"{where}: fault: {name} does not turn {item} red")
        if names.count(name) > 1:
            raise ClauseError(f"{where}: fault: {name} stands twice")
    text, claim, tells, without_fault, without = (entry.get(key, "") for key in _TEXTS)
    return Clause(item, text, claim, tells, tuple(names), without_fault, without)


# -- whether they are whole ------------------------------------------------------------------------


def gaps(clauses: Iterable[Clause], of: Known) -> list[str]:
    """Written items without clauses, and clauses without claim, fault or reason."""
    found = list(clauses)
    have = {c.item for c in found}
    missing = [f"{item} has no clause" for item in of.lines if item not in have]
    return missing + [f"{c.item}: {c.text!r} lacks {c.lacks}" for c in found if c.lacks]


def unnamed(clauses: Iterable[Clause], of: Known) -> list[str]:
    """Faults that no clause names of an item that they were written for."""
    told = {(name, c.item) for c in clauses for name in c.faults}
    return [
        f"{name}: no clause of {item} names it"
        for name, items in of.named.items()
        for item in items
        if item in of.lines and (name, item) not in told
    ]


_NOT_DECLARED = "the rehearsal declares no "
"""Why a claim is not made there: it is about what only other products have."""


def unmade(clauses: Iterable[Clause], made: Mapping[str, Collection[str]]) -> list[str]:
    """Clauses without a fault whose claim their item does not make.

    :param made: the subjects of the claims of each item that was seen green.
    """
    return [
        f"{c.item}: {c.text!r}: it makes no claim {c.claim!r}"
        for c in clauses
        if c.without_fault
        and not c.without_fault.startswith(_NOT_DECLARED)
        and c.claim
        and c.item in made
        and not c.shown(made[c.item], "")
    ]


# -- judging ---------------------------------------------------------------------------------------


def judge(clauses: Iterable[Clause], row: Row) -> list[str]:
    """The clauses naming a tried fault that it did not show. Those of items that are not red are
    left out: the row tells that already, or they are excused."""
    messages = dict(map(_parted, row.messages))
    found: list[str] = []
    for c in clauses:
        if row.fault not in c.faults or c.item not in messages:
            continue
        broken = row.broken.get(c.item, ())
        if not c.shown(broken, messages[c.item]):
            wanted = f"a message {c.tells!r}" if c.tells else f"a broken claim {c.claim!r}"
            seen = messages[c.item] if c.tells else ", ".join(broken) or "none"
            found.append(f"{c.item}: clause {c.text!r} asks for {wanted}; found {seen}")
    return found


def _parted(message: str) -> tuple[str, str]:
    """The item that a row's message is of, and what it says."""
    head, _, said = message.partition(": ")
    return head.split()[0], said


def judged(clauses: Iterable[Clause], row: Row) -> Row:
    """The row, wrong where the fault did not show a clause that names it."""
    wrong = [row.wrong] if row.wrong else []
    return dataclasses.replace(row, wrong="; ".join([*wrong, *judge(clauses, row)]))


# -- the table -------------------------------------------------------------------------------------

_HEAD = """\
# Every clause of every written item

What each item's line demands, which of its claims judges that, and which fault shows in the \
rehearsal that it does. Generated from `tests/suites/clauses/` by \
`python -m tests.campaign --clauses`; the campaign tries each fault and looks whether it broke \
just these claims.

"""


def table(clauses: Sequence[Clause], of: Known) -> str:
    """The generated page, by blocks, with counts at its top."""
    by_block: dict[str, list[Clause]] = {}
    for c in clauses:
        by_block.setdefault(of.lines[c.item].block, []).append(c)
    lines = [
        "| block | items | clauses | shown by a fault | claim without a fault | judged elsewhere |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    counts = {block: _counted(those) for block, those in by_block.items()}
    for block, numbers in counts.items():
        lines.append(f"| [{of.titles[block]}](#{block}) | {_numbers(numbers)} |")
    total = sum(counts.values(), start=Counter[str]())
    lines.append(f"| all | {_numbers(total)} |")
    for block, those in by_block.items():
        lines += ["", f'<a id="{block}"></a>', "", f"## {of.titles[block]}", ""]
        lines += ["| item | clause | claim | shown by |", "| --- | --- | --- | --- |"]
        before = ""
        for c in those:
            item = "" if c.item == before else f"**{c.item}** {of.lines[c.item].title}"
            before = c.item
            lines.append(f"| {' | '.join(map(_cell, (item, c.text, _claim(c), _shown_by(c))))} |")
    return _HEAD + "\n".join(lines) + "\n"


_COLUMNS = ("items", "clauses", "fault", "without_fault", "without")


def _counted(clauses: Sequence[Clause]) -> Counter[str]:
    found = Counter[str]({"items": len({c.item for c in clauses}), "clauses": len(clauses)})
    for c in clauses:
        found["fault" if c.faults else "without_fault" if c.without_fault else "without"] += 1
    return found


def _numbers(counted: Counter[str]) -> str:
    return " | ".join(str(counted[column]) for column in _COLUMNS)


def _claim(c: Clause) -> str:
    return f"message `{c.tells}`" if c.tells else f"`{c.claim}`" if c.claim else ""


def _shown_by(c: Clause) -> str:
    names = ", ".join(f"`{name}`" for name in c.faults)
    return names or (c.without_fault and f"no fault: {c.without_fault}") or c.without


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
