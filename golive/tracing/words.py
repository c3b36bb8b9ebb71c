"""Words of a heading or line: days, clock times, phases, durations, owners."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

DASHES = "-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
"""Begins with the hyphen: within a class of characters it stands first, or it means a range."""
_DASH = f"[{DASHES}]"
_SIGN = f"[{DASHES}+]"
_MINUTES = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 7 * 1440, "mo": 30 * 1440, "y": 525_600}
"""A month counts as 30 days, a year as 365."""
_UNIT = r"(?:seconds?|secs?\.?|s|minutes?|mins?\.?|hours?|hrs?\.?|h)(?![a-z])"
_AGE = r"(?:months?|years?|weeks?|wks?|w|days?|d|" + _UNIT[3:]
_NUMBER = r"\d+(?:\.\d+)?"
_ABOUT = (
    r"(?:(?:approx\.?|approximately|about|around|circa|ca\.?|max\.?|maximum|up to|at most|within"
    r"|less than|under|est\.?|estimated|[~<\u2264\u2248])\s*)?"
)
_CONDITION = (
    r"(?:if|when|where|unless|only|as needed|in case|optional|depending|per|each|max\.?|maximum"
    r"|at most|or less|or more|in total|total|elapsed)"
)
"""On which condition, which is no part of how long."""
_DURATION = re.compile(
    rf"{_ABOUT}(?P<low>{_NUMBER})\s*(?P<unit>{_UNIT})?"
    rf"(?:\s*(?:{_DASH}|to)\s*(?P<high>{_NUMBER})\s*(?P<unit2>{_UNIT})"
    rf"|\s*(?:and\s*)?(?P<more>{_NUMBER})\s*(?P<unit3>{_UNIT}))?\s*"
    rf"(?:(?:[,;]\s*|{_DASH}\s+)?{_CONDITION}\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_LIKE_DURATION = re.compile(
    rf"(?:[<>~\u2264\u2265\u2248]|at least|min\.?|minimum|over|more than|{_ABOUT})\s*"
    r"(?:\d[\d.,:]*|an?|half an?|one|two|three|four|five|six|several|few)\s*\+?"
    rf"(?:\s*(?:{_DASH}|to)\s*\d[\d.,:]*)?\s*\+?\s*-?(?:(?:business|working|calendar)\s+)?{_AGE}"
    rf"\s*(?=$|[{DASHES},;+]|{_CONDITION}\b)",
    re.IGNORECASE,
)
_SEPARATED = rf"(?=\s*(?:[:|,)]|{_DASH}\s|\s{_DASH}|\(|$))"
_VALUE = r"\d{1,4}(?:\.\d+)?(?![\d:.]*\d)"
_COUNTS = {
    word: n
    for n, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1
    )
}
_COUNT = rf"(?:{_VALUE}|{'|'.join(_COUNTS)}|an?)"
_LAUNCH = (
    r"(?:the\s+|our\s+)?(?:launch|go-?\s?live|cut-?\s?over|release|roll-?\s?out|switch-?\s?over"
    r"|migration|deployment|opening|event|d-day|t-?0)(?:\s+(?:day|date))?"
)
_OTHER_UNIT = (
    r"(?:(?:business|working|bank|school|trading|calendar|week)[\s-]*days?|weekdays?|weekends?"
    r"|quarters?|sprints?|fortnights?|iterations?|decades?|[mqy]\b|nights?\b(?=\s*:))"
)
_ANCHOR = r"(?:days?|weeks?|months?|[td])"
_DAY = re.compile(
    rf"(?:(?P<anchor>days?|weeks?|months?|[td](?:0(?=\s*\+|\s*{_DASH}\s*{_VALUE}\s*{_AGE}))?)\s*"
    rf"(?P<sign>{_SIGN}|{_DASH}?\s*(?:minus|plus)\b\s*{_DASH}?)\s*(?P<n>{_VALUE})"
    rf"|days?\s*(?P<plain>\d{{1,4}})(?![\d.]))"
    rf"(?:\s*(?P<unit1>{_AGE}))?"
    # a range; a dash between blanks may also begin the heading's words
    rf"(?:(?:(?:\s*(?:/|&|\b(?:to|through|until|and)\b)\s*|{_DASH})(?P<anchor2>{_ANCHOR}\s*)?"
    rf"(?P<sign2>{_SIGN})?\s*(?P<n2>{_VALUE})"
    rf"|\s+{_DASH}\s*(?P<anchor3>{_ANCHOR}\s*)?(?P<sign3>{_SIGN})?\s*(?P<n3>{_VALUE}))"
    rf"(?:\s*(?P<unit2>{_AGE}))?(?:\s+(?:morning|afternoon|evening|night))?"
    rf"(?:{_SEPARATED}|(?(anchor2)(?=\s)(?!\s*{_OTHER_UNIT})|(?!)))"
    rf"|(?:\s+(?:morning|afternoon|evening|night))?"
    rf"(?:{_SEPARATED}|(?(sign)(?=\s)(?!\s*{_OTHER_UNIT})|(?!))))",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"(?P<n>{_COUNT})(?:\s*(?:{_DASH}|to|or)\s*(?P<n2>{_COUNT}))?[\s-]*(?P<unit>{_AGE})\s+"
    r"(?P<side>before|prior to|ahead of|after|following|post)"
    rf"(?:[\s-]+{_LAUNCH})?{_SEPARATED}",
    re.IGNORECASE,
)
_COUNTDOWN = re.compile(
    rf"t\s*(?P<sign>{_SIGN})\s*(?P<h>\d{{1,3}}):(?P<m>[0-5]\d)(?::[0-5]\d)?(?=\s|[:|,)(]|$)",
    re.IGNORECASE,
)
_DAY_ZERO = re.compile(
    rf"(?:d-day|(?:launch|go-?live|cut-?over|release)[ -]day|day[ -]zero){_SEPARATED}"
    rf"|(?:[td]\s*(?:=\s*[+\u00b1]?|\u00b1)?0|t[ -]?zero)(?:{_SEPARATED}|(?=\s))",
    re.IGNORECASE,
)
_LIKE_DAY = re.compile(
    r"^(?!(?:phase|stage|wave|step|part|level|section|tier)\b)[^\W\d_]{1,12}\.?"
    rf"(?:\s*{_SIGN}|{_SIGN}\s)\d{{1,4}}(?![\d.]*\d)(?!\w)"
    rf"|\b(?:days?|weeks?|months?|years?|quarters?|sprints?)\s*(?:{_SIGN}|#|=)?\s*\d"
    rf"|(?<![{DASHES}\w])[td]\s*{_SIGN}\s*\d|^[td]\d{{1,3}}\b|^launch\s*{_SIGN}\s*\d"
    rf"|\b(?:{_COUNT}|\d+)[\s-]*(?:{_OTHER_UNIT}|{_AGE})\s+(?:before|after|prior|ahead|following)\b"
    r"|\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\s?\d{1,2}[./]\s?\d{2,4}\b"
    r"|\b(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|may|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?\s+\d{1,2}\b"
    r"|\b\d{1,2}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december|januar|februar|m\u00e4rz|mai|juni|juli|oktober"
    r"|dezember)\b",
    re.IGNORECASE,
)
_CLOCK = (
    r"(?:\d{1,2}[:h]\d{2}(?::\d{2})?(?:\s*[ap]\.?m\.?)?|\d{1,2}\s*[ap]\.?m\.?"
    r"|\d{4}\s*(?:hrs?|h|z)\b)"
)
_ZONE_NAME = r"(?:\s*(?:Z|UTC|GMT|CES?T|[ECMP][SD]T|BST|local|Uhr)\b)"
_ZONE = rf"{_ZONE_NAME}?"
_CLOCKS = re.compile(
    rf"(?:at\s+)?(?P<start>{_CLOCK}){_ZONE}"
    rf"(?:\s*(?:{_DASH}|to|until)\s*(?P<end>{_CLOCK}){_ZONE})?"
    rf"(?=\s|[{DASHES}:|,)(]|$)",
    re.IGNORECASE,
)
_DOT = r"\d{1,2}\.[0-5]\d(?![\d.])"
# Two numbers with a dot are a section's or a version's as well: a clock's only with more.
_DOTTED = re.compile(
    rf"(?:at\s+(?P<start>{_DOT}){_ZONE}"
    rf"|(?P<start2>{_DOT}(?:\s*[ap]\.?m\.?)?){_ZONE}\s*(?:{_DASH}|to|until)"
    rf"\s*(?P<end>{_DOT}(?:\s*[ap]\.?m\.?)?){_ZONE}"
    rf"|(?P<start3>{_DOT}\s*[ap]\.?m\.?){_ZONE}|(?P<start4>{_DOT}){_ZONE_NAME}"
    rf"|(?P<start5>\d\d\.[0-5]\d)(?=\s*[:|]\s|\s+{_DASH}\s))(?=\s|[{DASHES}:|,)(]|$)",
    re.IGNORECASE,
)
_LIKE_CLOCK = re.compile(
    r"(?:[01]?\d|2[0-4])\.[0-5]\d(?![\d.]*\d)|\d{1,2}[:h]\d{2}|\d{1,2}\s*(?:h|uhr|o'clock|[ap]m)\b",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"(?:\d+(?:\.\d+)*[.)]|\d+(?:\.\d+)+)\s+")
_PHASE = re.compile(
    rf"(?P<word>phase|stage|wave)\s+(?P<n>\d+|[a-z]|[ivx]+){_SEPARATED}", re.IGNORECASE
)
_TRAILING = re.compile(r"\s*[(\[](?P<inside>(?:[^()\[\]]|\[[^()\[\]]*\])*)[)\]]\s*[:.]?\s*$")
_KEYS = {
    "owner": r"owners?|responsible(?: person| party)?|accountable|assignee|assigned to|led by|dri"
    r"|who",
    "duration": r"(?:estimated |planned )?duration|estimated time|estimate|effort|time ?box"
    r"|time needed",
    "time": r"time|start(?: time|s)?|begins|when|window",
}
_ANY_KEY = "|".join(_KEYS.values())
_PROPERTY = re.compile(rf"(?P<key>{_ANY_KEY})\s*[:=]\s*(?P<value>.*)", re.IGNORECASE | re.DOTALL)
_NEXT_PROPERTY = re.compile(rf"\s*[|\u00b7\u2022;,]\s*(?=(?:{_ANY_KEY})\s*[:=])", re.IGNORECASE)
_COMMA = r"(?:(?<!\d),|,(?!\d))"
"""One that is no part of a number."""
_BETWEEN = re.compile(rf"\s*(?:[;|\u00b7\u2022]|{_COMMA})\s*")
_BEFORE_LAST = re.compile(rf"{_BETWEEN.pattern}|\s+{_DASH}\s+")
_BEHIND_DASH = re.compile(
    rf"(?:(?:\s+[{DASHES}|]\s+|\s*[,;]\s+)(?=(?:{_KEYS['owner']})\s*[:=])"
    r"|\s+(?=(?-i:Owner|Responsible|Assignee)\s*[:=]))",
    re.IGNORECASE,
)
_DASHED = re.compile(rf"\s+[{DASHES}|]\s+")
_COMMA_LAST = re.compile(rf"\s*{_COMMA}\s+(?P<last>[^,;|]*)$")
_LASTLY = re.compile(
    rf"(?:\s*(?:[|;/\u00b7\u2022]|{_COMMA})\s*|\s+(?:{_DASH}\s+)?)(?P<last>{_ABOUT}{_NUMBER}\s*"
    rf"(?:{_UNIT}\s*)?(?:(?:{_DASH}|to)\s*{_NUMBER}\s*)?{_UNIT})$",
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
    minutes: tuple[float, float] | None = None
    """From the launch, where less than days are counted: ``T-4h``."""
    covers: int = 1
    """How many days one unit is: 7 of a week, 30 of a month."""
    is_counted: bool = True
    """Whether it says from where it counts: ``Day 3`` may be the third of a week."""

    def __bool__(self) -> bool:
        return bool(self.days or self.clock or self.phase)

    @property
    def when(self) -> tuple[object, ...]:
        """The day, and the part of the day, for comparing."""
        return self.days, self.minutes


def mark_of(text: str) -> Mark:
    found = Mark()
    clock: tuple[int, ...] = ()
    phase = ""
    rest = text
    while rest:
        at = 1 if rest[0] == "(" else 0
        if not found.days and (day := _day(rest, at)):
            found, end = day
        elif not clock and (m := _CLOCKS.match(rest, at) or _DOTTED.match(rest, at)):
            times = [m[g] for g in m.re.groupindex if m[g]]
            clock = tuple(c for c in map(_minute, times) if c is not None)
            if len(clock) != len(times):
                clock = ()
                break
            end = m.end()
        elif not phase and (m := _PHASE.match(rest, at)):
            phase = f"{m['word']} {m['n']}".casefold()
            end = m.end()
        else:
            break
        rest = rest[end:].lstrip(f" \t:|,){DASHES}")
    return replace(found, clock=clock, phase=phase, rest=rest)


def _day(text: str, at: int) -> tuple[Mark, int] | None:
    """The day that a text says there, and where that ends; None for none that can be counted."""
    if m := _COUNTDOWN.match(text, at):
        minutes = _side(m["sign"]) * (int(m["h"]) * 60 + int(m["m"]))
        return _counted(minutes, minutes, "m", is_counted=True), m.end()
    if m := _DAY.match(text, at):
        unit = _unit(m["unit1"] or m["unit2"] or m["anchor"] or "d")
        side = _side(m["sign"] or "+")
        low = side * float(m["n"] or m["plain"])
        high, unit2 = low, unit
        if (other := m["anchor2"] or m["anchor3"]) and _unit(other.strip()) != _unit(
            m["anchor"] or "d"
        ):
            return None  # "Week -1 / Day -5": no range of either
        if last := m["n2"] or m["n3"]:
            sign2 = m["sign2"] or m["sign3"]
            high = (_side(sign2) if sign2 else side) * float(last)
            unit2 = _unit(m["unit2"] or m["unit1"] or m["anchor"] or "d")
        marked = _counted(
            low * _MINUTES[unit],
            high * _MINUTES[unit2],
            min(unit, unit2, key=lambda u: _MINUTES[u]),
            is_counted=bool(m["sign"]) or m["plain"] == "0",
        )
        return (marked, m.end()) if marked else None
    if m := _BEFORE.match(text, at):
        side = -1 if m["side"].lower() in {"before", "prior to", "ahead of"} else 1
        unit = _unit(m["unit"])
        counts = [_count(m[g]) for g in ("n", "n2") if m[g]]
        low, high = (side * n * _MINUTES[unit] for n in (counts[0], counts[-1]))
        marked = _counted(low, high, unit, is_counted=True)
        return (marked, m.end()) if marked else None
    if m := _DAY_ZERO.match(text, at):
        return Mark(days=(0, 0)), m.end()
    return None


def _counted(low: float, high: float, unit: str, *, is_counted: bool) -> Mark:
    """Days of two moments in minutes from the launch; no mark where they are parts of days."""
    low, high = min(low, high), max(low, high)
    a_day = _MINUTES["d"]
    if _MINUTES[unit] < a_day:  # whole days only: T-4h is launch day
        return Mark((int(low / a_day), int(high / a_day)), minutes=(low, high))
    if low % a_day or high % a_day:
        return Mark()
    covers = int(_MINUTES[unit] / a_day)
    return Mark((int(low / a_day), int(high / a_day)), covers=covers, is_counted=is_counted)


def _side(sign: str) -> int:
    return 1 if "+" in sign or "plus" in sign.lower() else -1


def _count(text: str) -> float:
    word = text.lower()
    return _COUNTS.get(word) or (1 if word in {"a", "an"} else float(word))


def _unit(text: str) -> str:
    """A unit's letters in ``_MINUTES``; ``t`` counts days."""
    word = text.lower()
    if word.startswith("mo"):
        return "mo"
    return "d" if word[0] == "t" else word[0]


def is_like_day(text: str) -> bool:
    """Whether a text seems to say a day, or a date."""
    return bool(_LIKE_DAY.search(text))


def is_like_clock(text: str) -> bool:
    """Whether a text seems to begin with a clock time."""
    return bool(_LIKE_CLOCK.match(text))


def is_like_duration(text: str) -> bool:
    """Whether a text seems to begin with a duration."""
    return bool(_LIKE_DURATION.match(text))


def without_number(text: str) -> str:
    """A heading without the number of its section; 14.30 may be a clock time, and stays."""
    m = _NUMBERING.match(text)
    if m is None or mark_of(text).clock:
        return text
    rest = text[m.end() :]
    if rest and not mark_of(rest) and (is_like_clock(text) or is_like_day(m[0])):
        return text
    return rest or text


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
    return hour * 60 + minute if minute < 60 and hour * 60 + minute <= 1440 else None


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


def _scale(unit: str) -> float:
    return _MINUTES[unit[0].lower()]


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


def is_readable(key: str, value: str) -> bool:
    """Whether a value seems to be of its key: "Start: the workers" says no time."""
    return key == "owner" or not value or bool(re.search(r"[\d?\[_]", value) or mark_of(value))


def key_of(word: str) -> str:
    return next((k for k, p in _KEYS.items() if re.fullmatch(p, word.strip(), re.IGNORECASE)), "")


def split_clauses(text: str, *, days: bool = True) -> tuple[str, list[tuple[str, str]]]:
    """The title in a text, and what stands behind it about owner and times.

    Without ``days``, a day or clock time stays in the title. Brackets that say how long and more
    are clauses and part of the title.
    """
    clauses: list[tuple[str, str]] = []
    while True:
        found: list[tuple[str, str]] = []
        behind = _BEHIND_DASH.search(text)
        if m := _TRAILING.search(text):
            inside = m["inside"].strip()
            found = _clauses(_BETWEEN.split(inside), days) or _clauses([inside], days)
            if m.start() and not found:
                if behind is None or behind.start() >= m.start():
                    return text.strip(), [*clauses, *_within(inside)]
                if is_like_duration(inside):
                    found = _within(inside)
                else:  # the owner's own: "- Owner: Ada (on call)"
                    m = None
        if m is None and (m := behind):
            rest = _BEHIND_DASH.split(text[m.end() :])
            found = _clauses([p for said in rest for p in _NEXT_PROPERTY.split(said)], days)
        elif m is None:
            m = next(iter([*_DASHED.finditer(text)][-1:]), None)
            found = _clauses(_BETWEEN.split(text[m.end() :]), days) if m else []
            if m is None and (m := _COMMA_LAST.search(text)):
                found = _clauses([m["last"]], days=False)
        if m is None or not m.start() or not found:
            return text.strip(), clauses
        clauses += found
        text = text[: m.start()]


def split_value(value: str) -> tuple[str, list[tuple[str, str]]]:
    """An owner or time, and what stands behind it: "Ada | 10 min"."""
    rest, clauses = split_clauses(value)
    last = next(iter([*_BEFORE_LAST.finditer(rest)][-1:]), None)
    if (m := _TRAILING.search(rest)) and is_like_duration(m["inside"]):
        rest = rest[: m.start()].rstrip()  # a clause already
    elif last and is_like_duration(rest[last.end() :]):
        clauses.append(("duration", rest[last.end() :]))
        rest = rest[: last.start()]
    elif m := _LASTLY.search(rest):
        clauses.append(("time", m["last"]))
        rest = rest[: m.start()].rstrip()
    return rest, clauses


def without_brackets(text: str) -> str:
    """A title without what stands in brackets behind it."""
    return _TRAILING.sub("", text)


def _clauses(parts: list[str], days: bool) -> list[tuple[str, str]]:
    """What each part says of owner and times; empty where one says something else."""
    found = []
    named = [m for part in parts if (m := _PROPERTY.fullmatch(part))]
    for part in parts:
        if m := _PROPERTY.fullmatch(part):
            found.append((key_of(m["key"]), m["value"]))
        elif span_of(part) or (days and _is_moment(part)):
            found.append(("time", part))
        elif named and is_like_duration(part):
            found.append(("duration", part))
        else:
            return []
    # of several durations none is the task's own
    return found if sum(bool(span_of(value)) for _, value in found) <= 1 else []


def _is_moment(text: str) -> bool:
    """Whether a text says a day or a time, and nothing else; a phase is neither."""
    mark = mark_of(text)
    return bool(mark.days or mark.clock) and not mark.rest


def is_moments(texts: Iterable[str]) -> bool:
    """Whether there are texts, and each says a day or a time and nothing else."""
    some = [text for text in texts if text]
    return bool(some) and all(map(_is_moment, some))


def _within(inside: str) -> list[tuple[str, str]]:
    """How long, of brackets that say more than that; unread where that cannot be told."""
    parts = _BETWEEN.split(inside)
    spans = [part for part in parts if span_of(part)]
    if len(spans) == 1:
        return [("time", spans[0])]
    if spans or any(map(is_like_duration, parts)):
        return [("duration", inside)]
    return [("unread", inside)] if is_like_day(inside) or is_like_clock(inside) else []
