"""What a PromQL expression reads, and what it compares; as far as rules are looked at.

Expressions are taken as Prometheus tells them: in its own writing, without comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from golive.verdicts import ProbeError

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_NAME_MATCHER = re.compile(r'__name__\s*=\s*"([^"]*)"')
_LABEL_LIST = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_WORD = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(\(?)")
_KEYWORDS = {
    *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"),
    *("bool", "offset", "inf", "nan", "start", "end", "atan2"),
}
_LOGIC = re.compile(r"(and|or|unless)\b(\s*(?:on|ignoring)\s*\([^()]*\))?")
_COMPARISON = re.compile(
    r"(?:==|!=|>=|<=|>|<)(?:\s*bool\b)?(?:\s*(?:on|ignoring)\s*\([^()]*\))?"
    r"(?:\s*(?:group_left|group_right)\b\s*(?:\([^()]*\))?)?"
)
_RANGE = re.compile(r"\[((?:\d+(?:ms|[smhdwy]))+)")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s*", re.DOTALL)
_EQUAL = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*"((?:\\.|[^"\\])*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric, and the labels that it is picked by."""

    metric: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        return series(self.metric, self.labels).removesuffix("{}")


def selector(text: str, key: str) -> Selector:
    """A plain selector: ``name{label="value"}``.

    :param key: where it stands in the environment file, for the message.
    :raises ProbeError: it is none.
    """
    match = _SELECTOR.fullmatch(text)
    labels: dict[str, str] = {}
    rest = (match[2] or "").strip() if match else ""
    while rest and (pair := _EQUAL.match(rest)):
        labels[pair[1]] = re.sub(r"\\(.)", r"\1", pair[2])
        rest = rest[pair.end() :].strip()
    if match is None or rest:
        raise ProbeError(
            f"{key} ({text})", "it is no plain selector", 'write it as name{label="value"}'
        )
    return Selector(match[1], labels)


def series(metric: str, labels: Mapping[str, str]) -> str:
    """A series as selectors and test cases write it."""
    told = ",".join(f'{k}="{_escaped(v)}"' for k, v in sorted(labels.items()))
    return f"{metric}{{{told}}}"


def metrics(expression: str) -> frozenset[str]:
    """The metrics, and the recorded ones, that an expression reads."""
    found = set(_NAME_MATCHER.findall(expression))
    bare = _without(_LABEL_LIST.sub(" ", _STRING.sub('""', expression)), "{", "}")
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    for word, call in _WORD.findall(bare):
        if not call and word.lower() not in _KEYWORDS:
            found.add(word)
    return frozenset(found)


def longest_range_s(expression: str) -> float:
    """The longest window that an expression looks back over; 0 where it has none."""
    return max(_ranges_s(expression), default=0.0)


def shortest_range_s(expression: str) -> float:
    """The shortest one; infinite where it has none."""
    return min(_ranges_s(expression), default=float("inf"))


def operands(expression: str) -> list[str]:
    """What an alert's expression compares: its parts without the comparisons themselves.

    Numbers, what is right of ``unless``, and ``absent(...)``, which are no series on a good day,
    are left out.
    """
    whole = _stripped(expression)
    parts = _split(whole, _LOGIC)
    if len(parts) > 1 and any(_compares(text) for text, _ in parts):
        return [o for text, by in parts if not by.startswith("unless") for o in operands(text)]
    compared = [text for text, _ in _split(whole, _COMPARISON)]
    if len(compared) > 1:
        return [o for text in compared for o in operands(text)]
    if not metrics(whole) or re.match(r"absent(_over_time)?\s*\(", whole):
        return []
    return [whole]


def _compares(text: str) -> bool:
    whole = _stripped(text)
    if len(_split(whole, _COMPARISON)) > 1:
        return True
    parts = _split(whole, _LOGIC)
    return len(parts) > 1 and any(_compares(t) for t, _ in parts)


def _split(text: str, operator: re.Pattern[str]) -> list[tuple[str, str]]:
    """The parts between operators that stand in no brackets, each with the one before it."""
    parts: list[tuple[str, str]] = []
    depth, at, begins, by = 0, 0, 0, ""
    while at < len(text):
        if string := _STRING.match(text, at):
            at = string.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        of_a_word = at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_:")
        if depth == 0 and not of_a_word and (match := operator.match(text, at)):
            parts.append((text[begins:at].strip(), by))
            at = begins = match.end()
            by = match[0]
            continue
        at += 1
    parts.append((text[begins:].strip(), by))
    return parts


def _stripped(expression: str) -> str:
    """Without brackets around the whole."""
    text = expression.strip()
    while text.startswith("(") and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closes(text: str) -> int:
    """Where the bracket that the text begins with ends."""
    depth, at = 0, 0
    while at < len(text):
        if string := _STRING.match(text, at):
            at = string.end()
            continue
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
        at += 1
    return -1


def _without(text: str, opening: str, closing: str) -> str:
    return re.sub(f"{re.escape(opening)}[^{re.escape(closing)}]*{re.escape(closing)}", " ", text)


def _ranges_s(expression: str) -> list[float]:
    return [
        sum(int(n) * _UNITS_S[u] for n, u in re.findall(r"(\d+)(ms|[smhdwy])", told))
        for told in _RANGE.findall(_STRING.sub('""', expression))
    ]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
