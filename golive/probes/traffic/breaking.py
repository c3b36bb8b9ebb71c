"""What breaks the clients of an API between two of its documents, and whether a changelog says so.

A request may be refused that was right before, or an answer may lack what clients read in it, or
hold what they have never met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from golive.probes.traffic.openapi import Json, Operation, operations, resolved, shape

_ASKED, _ANSWERED = "request", "answer"
_NARROWER_WHEN_HIGHER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_NARROWER_WHEN_LOWER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


@dataclass(frozen=True, slots=True)
class Break:
    """A difference that breaks clients."""

    operation: str
    """The first operation that has it."""
    path: str
    name: str
    """The field or parameter that it is about; empty where it is the whole operation."""
    what: str
    elsewhere: int = 0
    """Further operations that have it."""

    def __str__(self) -> str:
        more = f" and {self.elsewhere} more" if self.elsewhere else ""
        return f"{self.operation}{more}: {self.what}"


def breaks(old: Json, new: Json) -> list[Break]:
    """What of an older document's API a client of it cannot rely on any more.

    :raises ProbeError: one of them is no OpenAPI document.
    """
    now = {o.key: o for o in operations(new)}
    found: dict[tuple[str, str], list[tuple[Operation, str]]] = {}
    for before in operations(old):
        after = now.get(before.key)
        if after is None:
            found[(str(before), "it is gone")] = [(before, "")]
            continue
        for name, what in _Compared(old, new).operations(before, after):
            found.setdefault((name, what), []).append((before, name))
    made = []
    for (_, what), where in found.items():
        distinct = {str(o) for o, _ in where}
        first, name = where[0]
        made.append(Break(str(first), first.path, name, what, len(distinct) - 1))
    return made


Found = Iterator[tuple[str, str]]


class _Compared:
    """One operation, as both documents tell it."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[int, int, str]] = set()

    def operations(self, before: Operation, after: Operation) -> Found:
        yield from self._parameters(before, after)
        yield from self._bodies(before, after)
        yield from self._answers(before, after)
        if after.is_secured:
            known = [frozenset(one) for one in before.security]
            wanted = [frozenset(one) for one in after.security]
            if not before.is_secured:
                yield "", "it asks for authorisation now"
            elif not any(w <= k for w in wanted for k in known):
                yield "", "it asks for another authorisation"

    def _parameters(self, before: Operation, after: Operation) -> Found:
        # A path's parameters are told by their place in it, whatever they are called.
        old, new = _by_place(before), _by_place(after)
        for key, parameter in old.items():
            name = str(parameter.get("name"))
            if key not in new:
                yield name, f"parameter {name} is gone"
                continue
            if new[key].get("required") and not parameter.get("required"):
                yield name, f"parameter {name} is required now"
            yield from self._schemas(
                parameter.get("schema", {}), new[key].get("schema", {}), _ASKED, name
            )
        for key, parameter in new.items():
            if key not in old and parameter.get("required"):
                name = str(parameter.get("name"))
                yield name, f"parameter {name} is new and required"

    def _bodies(self, before: Operation, after: Operation) -> Found:
        old = resolved(self._old, before.body.get("requestBody") or {})
        new = resolved(self._new, after.body.get("requestBody") or {})
        if new.get("required") and not old.get("required"):
            yield "", "its body is required now"
        kinds = new.get("content") or {}
        for kind, media in (old.get("content") or {}).items():
            if kind not in kinds:
                yield "", f"it takes no body of {kind} any more"
                continue
            yield from self._schemas(
                media.get("schema", {}), kinds[kind].get("schema", {}), _ASKED, ""
            )

    def _answers(self, before: Operation, after: Operation) -> Found:
        new = {str(k): v for k, v in (after.body.get("responses") or {}).items()}
        for status, one in (before.body.get("responses") or {}).items():
            if not str(status).startswith("2"):
                continue
            there = new.get(str(status), new.get("2XX", new.get("default")))
            if there is None:
                yield "", f"it answers no {status} any more"
                continue
            kinds = resolved(self._new, there).get("content") or {}
            for kind, media in (resolved(self._old, one).get("content") or {}).items():
                if kind not in kinds:
                    yield "", f"its {status} holds no {kind} any more"
                    continue
                yield from self._schemas(
                    media.get("schema", {}), kinds[kind].get("schema", {}), _ANSWERED, ""
                )

    def _schemas(self, old: Any, new: Any, where: str, name: str) -> Found:
        pair = (id(old), id(new), where)
        if pair in self._seen or not isinstance(old, Mapping) or not isinstance(new, Mapping):
            return
        self._seen.add(pair)
        title = str(new.get("$ref") or old.get("$ref") or "").rpartition("/")[2]
        before, after = _merged(self._old, old), _merged(self._new, new)
        subject = f"{where} field {name}" if name else f"{where} {title}".strip()
        yield from self._variants(before, after, where, name, subject)
        types, others = _types(self._old, before), _types(self._new, after)
        if where == _ASKED:
            if lost := _beyond(types, others):
                yield name, f"{subject} may not be {lost} any more"
            yield from _narrowed(before, after, name, subject)
        elif gained := _beyond(others, types):
            yield name, f"{subject} may be {gained} now"
        yield from self._values(before, after, where, name, subject)
        yield from self._fields(before, after, where, title)
        for key in ("items", "additionalProperties"):
            if isinstance(before.get(key), Mapping) and isinstance(after.get(key), Mapping):
                yield from self._schemas(before[key], after[key], where, name)

    def _fields(self, before: Json, after: Json, where: str, title: str) -> Found:
        old, new = before.get("properties") or {}, after.get("properties") or {}
        was, needed = set(before.get("required") or ()), set(after.get("required") or ())
        of = f" of {title}" if title else ""
        for name, schema in old.items():
            if name not in new:
                yield name, f"{where} field {name}{of} is gone"
                continue
            if where == _ASKED and name in needed - was:
                yield name, f"{where} field {name}{of} is required now"
            if where == _ANSWERED and name in was - needed:
                yield name, f"{where} field {name}{of} may be missing now"
            yield from self._schemas(schema, new[name], where, name)
        if where == _ASKED:
            for name in sorted((needed - was) & (set(new) - set(old))):
                yield name, f"{where} field {name}{of} is new and required"

    def _values(self, before: Json, after: Json, where: str, name: str, subject: str) -> Found:
        old, new = _choices(before), _choices(after)
        if where == _ASKED and new is not None:
            if old is None:
                yield name, f"{subject} is one of a few values now"
            elif lost := old - new:
                yield name, f"{subject} may not be {', '.join(sorted(lost))} any more"
        if where == _ANSWERED and old is not None:
            if new is None:
                yield name, f"{subject} may be any value now"
            elif gained := new - old:
                yield name, f"{subject} may be {', '.join(sorted(gained))} now"

    def _variants(self, before: Json, after: Json, where: str, name: str, subject: str) -> Found:
        """Of schemas that are one of several: each that clients send has to be taken, each that
        they may get has to be known."""
        old, new = _alternatives(self._old, before), _alternatives(self._new, after)
        if not old or not new:
            return
        if len(old) == len(new) == 1:
            yield from self._schemas(old[0], new[0], where, name)
            return
        known = {_called(one): one for one in (new if where == _ASKED else old)}
        for one in old if where == _ASKED else new:
            match = known.get(_called(one))
            if match is None:
                verb = "may not be" if where == _ASKED else "may be"
                yield name, f"{subject} {verb} {_called(one)}" + " any more" * (where == _ASKED)
            elif where == _ASKED:
                yield from self._schemas(one, match, where, name)
            else:
                yield from self._schemas(match, one, where, name)


def _by_place(operation: Operation) -> dict[tuple[str, str], Json]:
    names = re.findall(r"\{([^{}]+)\}", operation.path)
    return {
        (
            str(p.get("in")),
            str(names.index(p["name"])) if p.get("name") in names else str(p.get("name")).lower(),
        ): p
        for p in operation.parameters
    }


def _merged(document: Json, schema: Json) -> Json:
    """A schema with all that it is made up of."""
    found = dict(resolved(document, schema))
    for part in found.pop("allOf", None) or ():
        own = _merged(document, part)
        both = {**(own.get("properties") or {}), **(found.get("properties") or {})}
        required = [*(own.get("required") or ()), *(found.get("required") or ())]
        found = {**own, **found}
        if both:
            found["properties"] = both
        if required:
            found["required"] = required
    return found


def _alternatives(document: Json, schema: Json) -> list[Json]:
    several = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return [one for one in several if _merged(document, one).get("type") != "null"]


def _called(schema: Json) -> str:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return reference.rpartition("/")[2]
    return str(schema.get("format") or schema.get("type") or json.dumps(schema, sort_keys=True))


def _types(document: Json, schema: Json) -> frozenset[str]:
    """The kinds of value that a schema takes; none where it takes any."""
    found: set[str] = set()
    declared = schema.get("type")
    if isinstance(declared, str):
        found.add(declared)
    elif isinstance(declared, list):
        found.update(map(str, declared))
    for one in [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]:
        inner = _types(document, _merged(document, one))
        if not inner:
            return frozenset()
        found |= inner
    if found and schema.get("nullable"):
        found.add("null")
    return frozenset(found)


def _beyond(types: frozenset[str], allowed: frozenset[str]) -> str:
    """The kinds of value that are among the first and not among the second, in words."""
    if not allowed:
        return ""
    if not types:
        return "anything"
    lost = types - allowed
    if "number" in allowed:
        lost -= {"integer"}
    return " or ".join(sorted(lost))


def _narrowed(before: Json, after: Json, name: str, subject: str) -> Found:
    for keys, sign in ((_NARROWER_WHEN_HIGHER, 1), (_NARROWER_WHEN_LOWER, -1)):
        for key in keys:
            old, new = before.get(key), after.get(key)
            if not isinstance(new, (int, float)) or isinstance(new, bool):
                continue
            if not isinstance(old, (int, float)) or sign * new > sign * old:
                yield (
                    name,
                    f"{subject} has {key} {new} now, not {old if old is not None else 'any'}",
                )
    for key in ("pattern", "format"):
        if after.get(key) and after[key] != before.get(key):
            yield name, f"{subject} has another {key}"


def _choices(schema: Json) -> set[str] | None:
    if isinstance(schema.get("enum"), list):
        return {json.dumps(v) for v in schema["enum"]}
    return {json.dumps(schema["const"])} if "const" in schema else None


# -- the changelog ---------------------------------------------------------------------------------

_HEADING = re.compile(r"^(#{1,6})\s+(.*)$|^(.+)\n(?:={3,}|-{3,})$", re.MULTILINE)
_HARMLESS = re.compile(r"^\W*(added|new|features?|fixed|fixes|bug fixes|security)\b", re.IGNORECASE)


def entries(changelog: str, version: str, previous: str) -> list[str]:
    """What a changelog tells of the versions after ``previous`` up to ``version``, entry by entry,
    but what it tells as new or mended."""
    text = changelog.replace("\r\n", "\n")
    headings = list(_HEADING.finditer(text))
    of_previous = next((h for h in headings if _names(h[0], previous)), None)
    own = next((h for h in headings if _names(h[0], version)), None)
    if of_previous is None and own is not None:
        level = len(own[1] or "")
        later = (h for h in headings if h.start() > own.start() and len(h[1] or "") <= level)
        of_previous = next(later, None)
    until = of_previous.start() if of_previous is not None else len(text)
    if of_previous is None and own is None:
        return []
    found: list[str] = []
    starts = [0, *(h.end() for h in headings if h.start() < until)]
    ends = [*(h.start() for h in headings if h.start() < until), until]
    titles = ["", *((h[2] or h[3] or "") for h in headings if h.start() < until)]
    for title, start, end in zip(titles, starts, ends, strict=True):
        if not _HARMLESS.match(title):
            found += _split(text[start:end])
    return found


def _names(heading: str, version: str) -> bool:
    number = re.escape(version.removeprefix("v"))
    return re.search(rf"(?<![\w.]){'v?'}{number}(?![\w.-]*\d)", heading) is not None


def _split(text: str) -> Iterator[str]:
    parts = re.split(r"\n(?=\s*(?:[-*+]|\d+\.)\s)|\n\s*\n", text)
    return (" ".join(one.split()) for one in parts if one.strip())


def unlisted(found: Iterable[Break], listed: Iterable[str]) -> list[Break]:
    """The differences that no entry tells of: by the operation's path where it is about all of
    it, else by the name of the field or parameter."""
    texts = [shape(one) for one in listed]
    return [one for one in found if not any(_told(one, text) for text in texts)]


def _told(one: Break, text: str) -> bool:
    wanted = one.name or shape(one.path)
    return re.search(rf"(?<![\w/]){re.escape(wanted)}(?![\w{{]|/\w|/{{)", text) is not None
