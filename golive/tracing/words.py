"""Words of a heading or line: days, clock times, phases, durations, owners."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

DASHES = "-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
_UNIT = r"(?:hours?|hrs?|h|minutes?|mins?|min\.)"
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile(
    rf"(?:(?:approx\.?|about|around|max\.?|maximum|up to|est\.?|estimated|~|\u2248)\s*)?"
    rf"(?P<low>{_NUMBER})\s*(?P<unit>{_UNIT})?"
    rf"(?:\s*(?:[{DASHES}]|to)\s*(?P<high>{_NUMBER})\s*(?P<unit2>{_UNIT})"
    rf"|\s*(?:and\s*)?(?P<more>{_NUMBER})\s*(?P<unit3>{_UNIT}))?\s*",
    re.IGNORECASE,
)
_SEPARATED = rf"(?=\s*(?:[:|,)]|[{DASHES}]\s|\s[{DASHES}]|\(|$))"
_DAY = re.compile(
    rf"(?:(?:day|week|[dt])\s*(?P<sign>[+{DASHES}])\s*(?P<n>\d+)|day\s+(?P<plain>\d+)"
    rf"|(?P<before>\d+)\s+(?P<unit1>days?|weeks?)\s+(?P<side>before|after)\s+[^\s:,|)]+)"
    rf"(?:\s*(?:[{DASHES}/]|to|through)\s*(?:day\s*)?(?P<sign2>[+{DASHES}])?\s*(?P<n2>\d+)\b)?"
    rf"(?:\s*(?P<unit2>weeks?|w|hours?|hrs?|h|minutes?|mins?|days?|d)\b)?"
    rf"(?:\s+(?:morning|afternoon|evening|night))?"
    rf"(?:{_SEPARATED}|(?(sign)(?=\s)|(?!)))",
    re.IGNORECASE,
)
_DAY_ZERO = re.compile(
    rf"(?:d-day|(?:launch|go-?live|cut-?over|release)[ -]day){_SEPARATED}", re.IGNORECASE
)
_CLOCK = r"(?:\d{1,2}[:h]\d{2}(?:\s*[ap]\.?m\.?)?|\d{1,2}\s*[ap]\.?m\.?|\d{4}\s*(?:hrs?|h|z)\b)"
_ZONE = r"(?:\s*(?:Z|UTC|GMT|CES?T|[ECMP][SD]T|BST|local)\b)?"
_CLOCKS = re.compile(
    rf"(?:at\s+)?(?P<start>{_CLOCK}){_ZONE}"
    rf"(?:\s*(?:[{DASHES}]|to|until)\s*(?P<end>{_CLOCK}){_ZONE})?"
    rf"(?=\s|[:|,)({DASHES}]|$)",
    re.IGNORECASE,
)
_PHASE = re.compile(
    rf"(?P<word>phase|stage|wave)\s+(?P<n>\d+|[a-z]|[ivx]+){_SEPARATED}", re.IGNORECASE
)
_TRAILING = re.compile(r"\s*[(\[](?P<inside>[^()\[\]]*)[)\]]\s*[:.]?\s*$")
_KEYS = {
    "owner": r"owners?|responsible(?: person| party)?|accountable|assignee|assigned to|led by|dri",
    "duration": r"(?:estimated |planned )?duration|estimated time|estimate|effort|time ?box"
    r"|time needed",
    "time": r"time|start(?: time|s)?|begins|when|window",
}
_ANY_KEY = "|".join(_KEYS.values())
_PROPERTY = re.compile(rf"(?P<key>{_ANY_KEY})\s*[:=]\s*(?P<value>.*)", re.IGNORECASE | re.DOTALL)
_NEXT_PROPERTY = re.compile(rf"\s*[|\u00b7\u2022;,]\s*(?=(?:{_ANY_KEY})\s*[:=])", re.IGNORECASE)
_BEHIND_DASH = re.compile(
    rf"\s+[{DASHES}|]\s+(?=(?:{_KEYS['owner']})\s*[:=])|\s+[{DASHES}|]\s+(?={_NUMBER}\s*{_UNIT}$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """When something is, as a heading says it: ``Day -3, 22:00-23:00: Phase 2 - Move``.

    ``days`` are the first and last day, counted from the launch; ``clock`` is minutes after
    midnight, end included; ``rest`` is the heading without all that.
    """

    days: tuple[int, int] | None = None
    clock: tuple[int, ...] = ()
    phase: str = ""
    rest: str = ""

    def __bool__(self) -> bool:
        return bool(self.days or self.clock or self.phase)


def mark_of(text: str) -> Mark:
    days: tuple[int, int] | None = None
    clock: tuple[int, ...] = ()
    phase = ""
    rest = text
    while rest:
        at = 1 if rest[0] == "(" else 0
        if not days and (m := _DAY.match(rest, at)):
            days = _days(m)
        elif not days and (m := _DAY_ZERO.match(rest, at)):
            days = (0, 0)
        elif not clock and (m := _CLOCKS.match(rest, at)):
            clock = tuple(c for g in ("start", "end") if m[g] and (c := _minute(m[g])) is not None)
            if not clock:
                break
        elif not phase and (m := _PHASE.match(rest, at)):
            phase = f"{m['word']} {m['n']}".casefold()
        else:
            break
        rest = rest[m.end() :].lstrip(f" \t:|,){DASHES}")
    return Mark(days, clock, phase, rest)


def _days(m: re.Match[str]) -> tuple[int, int]:
    sign = -1 if (m["sign"] or "+") != "+" or m["side"] == "before" else 1
    low = sign * int(m["n"] or m["plain"] or m["before"])
    high = low
    if m["n2"]:
        high = (-1 if m["sign2"] and m["sign2"] != "+" else 1) * int(m["n2"])
        if not m["sign2"]:
            high *= sign
    unit = (m["unit2"] or m["unit1"] or "d").lower()
    if unit.startswith("w") or m[0].lower().startswith("week"):
        low, high = low * 7, high * 7
    elif unit.startswith("h"):
        low, high = low // 24, high // 24
    elif unit.startswith("m"):
        low, high = low // 1440, high // 1440
    return min(low, high), max(low, high)


def _minute(text: str) -> int | None:
    """Minutes after midnight; None for a time that no clock shows."""
    digits = re.findall(r"\d+", text)
    if len(digits[0]) == 4:
        digits = [digits[0][:2], digits[0][2:]]
    hour, minute = int(digits[0]), int(digits[1]) if len(digits) > 1 else 0
    half = re.search(r"[ap]", text, re.IGNORECASE)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0].lower() == "p" else 0)
    return hour * 60 + minute if hour <= 24 and minute < 60 else None


@dataclass(frozen=True, slots=True)
class Span:
    """A duration: minutes, or a range of minutes."""

    low: float
    high: float
    is_range: bool


def span_of(text: str) -> Span | None:
    m = _DURATION.fullmatch(text.strip())
    if m is None or not (m["unit"] or m["unit2"]):
        return None
    low = float(m["low"]) * _scale(m["unit"] or m["unit2"])
    if m["high"]:
        return Span(low, float(m["high"]) * _scale(m["unit2"]), is_range=True)
    if m["more"]:
        low += float(m["more"]) * _scale(m["unit3"])
    return Span(low, low, is_range=False)


def _scale(unit: str) -> int:
    return 60 if unit.lower().startswith("h") else 1


def plain(text: str) -> str:
    """Text for comparing: one spelling of characters, single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def fold(text: str) -> str:
    return plain(text).casefold()


def without_sign(text: str) -> str:
    """Text without leading pictures (emoji, bullets), unless it is nothing else."""
    bare = text.lstrip().lstrip("\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}")
    while bare and (
        unicodedata.category(bare[0]) in {"So", "Sk", "Mn", "Cf"} or bare[0] == "\u20e3"
    ):
        bare = bare[1:].lstrip()
    return bare or text.strip()


def properties(text: str) -> list[tuple[str, str]]:
    """Owner, duration and time of a text that says nothing else; empty where it says more."""
    found = []
    for part in _NEXT_PROPERTY.split(text.strip()):
        m = _PROPERTY.fullmatch(part)
        if m is None:
            return []
        found.append((key_of(m["key"]), m["value"].strip()))
    return found


def key_of(word: str) -> str:
    return next((k for k, p in _KEYS.items() if re.fullmatch(p, word.strip(), re.IGNORECASE)), "")


def split_clauses(text: str, *, days: bool = True) -> tuple[str, list[tuple[str, str]]]:
    """The title in a text, and what stands behind it about owner and times.

    Without ``days``, a day or clock time stays in the title.
    """
    clauses: list[tuple[str, str]] = []
    while True:
        found: list[tuple[str, str]] = []
        if m := _TRAILING.search(text):
            inside = m["inside"].strip()
            found = _clauses(re.split(r"\s*[;|,]\s*", inside), days) or _clauses([inside], days)
        elif m := _BEHIND_DASH.search(text):
            found = _clauses(_NEXT_PROPERTY.split(text[m.end() :]), days)
        if m is None or not m.start() or not found:
            return text.strip(), clauses
        clauses += found
        text = text[: m.start()]


def without_brackets(text: str) -> str:
    """A title without what stands in brackets behind it."""
    return _TRAILING.sub("", text)


def _clauses(parts: list[str], days: bool) -> list[tuple[str, str]]:
    """What each part says of owner and times; empty where one says something else."""
    found = []
    for part in parts:
        if m := _PROPERTY.fullmatch(part):
            found.append((key_of(m["key"]), m["value"]))
        elif span_of(part) or (days and mark_of(part) and not mark_of(part).rest):
            found.append(("time", part))
        else:
            return []
    return found
