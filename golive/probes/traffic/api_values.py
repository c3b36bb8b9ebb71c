"""Values for requests to an API: what its own answers, the environment and the copy's data tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KEPT = 20
_DEEPEST = 6
_PARAMETER = re.compile(r"\{([^{}]+)\}")
_WHOLE = re.compile(r"\{([^{}]+)\}\Z")
REFERS = re.compile(r"(?:^|_)(id|ids|token|slug|key|code|uuid|guid)$|(?:Id|Token|Uuid|Slug)$")
"""Names of fields whose values are told by what there is, and cannot be made up."""


class Values:
    """What is known by name; the newest first."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = dict(declared)
        self._learnt: dict[str, list[Any]] = {}

    def declare(self, name: str, value: str) -> None:
        """Note a value that goes before all that answers tell, but not before a declared one."""
        self._declared.setdefault(name, value)

    def tell(self, name: str, value: Any) -> None:
        """Note a value of that name."""
        known = self._learnt.setdefault(_plain(name), [])
        if value in known:
            known.remove(value)
        known.insert(0, value)
        del known[_KEPT:]

    def of(self, name: str, number: int = 0) -> Any:
        """The value of that name, or the one noted so many before it; None where there is none."""
        if name in self._declared:
            return self._declared[name]
        known = self._learnt.get(_plain(name), [])
        return known[min(number, len(known) - 1)] if known else None

    def learn(self, path: str, answer: Any) -> None:
        """Note every plain value of an answer by its name, and an ``id`` by what it is one of."""
        segments = [s for s in path.split("/") if s and not s.startswith("{")]
        self._learn(answer, _singular(segments[-1]) if segments else "", 0)
        # /things/{thing_id}/cancel answers with a thing.
        if isinstance(answer, Mapping) and (named := _PARAMETER.findall(path)) and "id" in answer:
            self.tell(named[-1], answer["id"])

    def _learn(self, part: Any, kind: str, depth: int) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(part, list):
            for one in reversed(part[:_KEPT]):
                self._learn(one, kind, depth + 1)
        elif isinstance(part, Mapping):
            for name, value in part.items():
                if isinstance(value, (Mapping, list)):
                    self._learn(value, _singular(str(name)), depth + 1)
                elif value is not None and not isinstance(value, bool):
                    self.tell(str(name), value)
                    if name == "id" and kind:
                        self.tell(f"{kind}_id", value)

    def filled(self, part: Any) -> Any:
        """A part of a declared body or parameter with values in the place of ``{name}``."""
        if isinstance(part, Mapping):
            return {k: self.filled(v) for k, v in part.items()}
        if isinstance(part, list):
            return [self.filled(v) for v in part]
        if not isinstance(part, str):
            return part
        if (whole := _WHOLE.match(part)) and (found := self.of(whole[1])) is not None:
            return found
        return _PARAMETER.sub(lambda m: str(v) if (v := self.of(m[1])) is not None else m[0], part)

    def put_into(self, body: Any, *, all_fields: bool, number: int = 0) -> Any:
        """A generated body with known values: in fields that refer to what there is, or in all."""
        if isinstance(body, list):
            return [self.put_into(v, all_fields=all_fields, number=number) for v in body]
        if not isinstance(body, Mapping):
            return body
        made = {}
        for name, value in body.items():
            known = self.of(str(name), number)
            takes = all_fields or REFERS.search(str(name))
            if isinstance(value, (Mapping, list)):
                made[name] = self.put_into(value, all_fields=all_fields, number=number)
            elif takes and known is not None and (value is None or isinstance(known, type(value))):
                made[name] = known
            else:
                made[name] = value
        return made


def _plain(name: str) -> str:
    """A name in any way of writing: shopId, shop_id and shop-id are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
