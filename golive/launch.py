"""The launch: its date, its candidate, and every threshold that an item judges by.

Thresholds stand in TOML files of the folder ``thresholds`` beside launch.toml, one file for each
folder of probes and one table for each kind of fact: ``limits.redis.memory_percent``. A small
launch may have them in the table ``[thresholds]`` of launch.toml itself.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from golive.toml import read_toml
from golive.verdicts import GoliveError

_TABLES = ("launch", "thresholds", "people", "validity", "freshness")
THRESHOLDS = "thresholds"
"""The folder of thresholds beside launch.toml."""
_LISTS = (
    *("roles", "second_signers", "approvers", "two_signatures", "not_applicable", "decision"),
    "cross_checked",
)
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}


_asked: ContextVar[dict[str, float] | None] = ContextVar("asked", default=None)


@contextmanager
def asked() -> Iterator[dict[str, float]]:
    """The thresholds that are asked for while the block runs, and their values.

    Those asked for in a block inside it count for both.
    """
    outer, noted = _asked.get(), dict[str, float]()
    token = _asked.set(noted)
    try:
        yield noted
    finally:
        _asked.reset(token)
        if outer is not None:
            outer.update(noted)


class Limits:
    """Thresholds by table and name: ``limits.redis.memory_percent``.

    What is asked for is noted: :func:`asked`.

    :raises GoliveError: on a name that is not there.
    """

    def __init__(self, values: Mapping[str, float], source: Path, above: str = "") -> None:
        self._values = values
        self._source = source
        self._above = above

    def __getattr__(self, name: str) -> Any:
        """A number, or a table of them."""
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self._above}{name}"
        value = self._values.get(full)
        if value is None:
            if any(key.startswith(f"{full}.") for key in self._values):
                return Limits(self._values, self._source, f"{full}.")
            raise GoliveError(
                f"{self._source}: thresholds.{full}: the key is missing; expected a number"
            )
        noted = _asked.get()
        if noted is not None:
            noted[full] = value
        return value

    def get(self, name: str) -> float | None:
        """A threshold as it stands there, without being asked by a check; None: there is none."""
        return self._values.get(name)

    def names(self) -> list[str]:
        """All thresholds there are."""
        return list(self._values)

    def values(self) -> dict[str, float]:
        """All thresholds, without being asked by a check."""
        return dict(self._values)


@dataclass(frozen=True, slots=True)
class Launch:
    """What launch.toml says."""

    source: Path
    date: dt.date
    candidate: str
    previous: str
    limits: Limits
    roles: tuple[str, ...] = ()
    """Roles besides the items' owners that the roster has to fill."""
    second_signers: tuple[str, ...] = ()
    """Roles of which one signs every waiver beside the item's owner."""
    approvers: tuple[str, ...] = ()
    """Roles that decide on the launch."""
    two_signatures: tuple[str, ...] = ()
    """Ids, or what ids begin with, whose statements need two people."""
    not_applicable: tuple[str, ...] = ()
    """The same, of items that may be declared not applicable."""
    cross_checked: tuple[str, ...] = ()
    """The same, of items whose check itself looks whether they really do not apply: while that is
    red, nobody's word takes them away."""
    decision: tuple[str, ...] = ()
    """The same, of items that record the decision itself, and so are looked at after it."""
    audiences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Whom briefings are for: name to roles."""
    waivers: int = 0
    """Waivers with which the launch may still go."""
    validities: tuple[tuple[str, dt.timedelta], ...] = ()
    freshnesses: tuple[tuple[str, dt.timedelta], ...] = ()
    store: str = ""
    """Folder or URL where runs and statements meet; empty: none is shared."""
    plugins: tuple[str, ...] = ()
    """Plugins of pytest that runs may load besides golive's: packages, or files of the suites."""

    def needs_two(self, item: str) -> bool:
        """Whether two people have to sign a statement about the item."""
        return _under(item, self.two_signatures)

    def may_be_not_applicable(self, item: str) -> bool:
        """Whether people may declare the item not applicable."""
        return _under(item, self.not_applicable)

    def is_cross_checked(self, item: str) -> bool:
        """Whether the item's check looks whether it really does not apply."""
        return _under(item, self.cross_checked)

    def records_the_decision(self, item: str) -> bool:
        """Whether the item records the decision on the launch: approvals do not rest on it."""
        return _under(item, self.decision)

    def validity(self, item: str) -> dt.timedelta:
        """How long a statement about the item holds from its signature.

        :raises GoliveError: the file has neither the item's own nor a default.
        """
        return self._longest_prefix(item, self.validities, "validity", "default")

    def freshness(self, item: str, way: str) -> dt.timedelta:
        """How long a verdict of the item counts.

        :raises GoliveError: the file has neither the item's own nor one for its way.
        """
        return self._longest_prefix(item, self.freshnesses, "freshness", way)

    def _longest_prefix(
        self, item: str, table: tuple[tuple[str, dt.timedelta], ...], name: str, other: str
    ) -> dt.timedelta:
        found = _of_longest_prefix(item, table, other)
        if found is None:
            raise GoliveError(
                f"{self.source}: {name}.{other}: the key is missing; expected a length of time"
                ' such as "24 h"'
            )
        return found

    def due(self, day: int) -> dt.date:
        """The calendar date of a day that counts from the launch."""
        return self.date + dt.timedelta(days=day)


def parse_date(text: str, where: str) -> dt.date:
    """A date written as YYYY-MM-DD.

    :raises GoliveError: it is not one; names ``where`` it stands.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise GoliveError(f"{where}: found {text!r}; expected a date such as 2026-12-07") from None


def parse_length(text: object, where: str) -> dt.timedelta:
    """A length of time such as ``15 min``, ``24 h`` or ``7 d``.

    :raises GoliveError: it is none; names ``where`` it stands.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) (min|h|d)", text) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise GoliveError(
            f'{where}: found {text!r}; expected a length of time such as "15 min", "24 h" or "7 d"'
        )
    return dt.timedelta(**{_UNITS[match[2]]: float(match[1])})


def load(path: Path) -> Launch:
    """Read launch.toml and the thresholds beside it.

    :raises GoliveError: a missing, unknown or wrong key; names file, key, found, expected.
    """
    raw = read(path)
    _refuse_unknown(raw, _TABLES, path, "")
    launch: dict[str, Any] = _table(raw, "launch", path)
    _refuse_unknown(launch, ("date", "candidate", "previous", "store", "plugins"), path, "launch.")
    day = _value(launch, "date", path, "launch.")
    if isinstance(day, str):
        day = parse_date(day, f"{path}: launch.date")
    if type(day) is not dt.date:
        raise GoliveError(f"{path}: launch.date: found {day!r}; expected a date such as 2026-12-07")
    limits = dict(_numbers(_table(raw, "thresholds", path), path))
    texts = [_value(launch, key, path, "launch.") for key in ("candidate", "previous")]
    for key, text in zip(("candidate", "previous"), texts, strict=True):
        if not isinstance(text, str) or not text:
            raise GoliveError(f"{path}: launch.{key}: found {text!r}; expected a version")
    store = launch.get("store", "")
    if not isinstance(store, str) or ("store" in launch and not store.strip()):
        raise GoliveError(f"{path}: launch.store: found {store!r}; expected a folder or a URL")
    people: dict[str, Any] = _table({"people": {}} | raw, "people", path)
    _refuse_unknown(people, (*_LISTS, "waivers", "audiences"), path, "people.")
    audiences: dict[str, Any] = _table({"audiences": {}} | people, "audiences", path)
    waivers = people.get("waivers", 0)
    if type(waivers) is not int or waivers < 0:
        raise GoliveError(f"{path}: people.waivers: found {waivers!r}; expected a number of them")
    return Launch(
        path,
        day,
        texts[0],
        texts[1],
        Limits(limits, path),
        audiences={key: _texts(audiences, key, path) for key in audiences},
        waivers=waivers,
        validities=_lengths(raw, "validity", path),
        freshnesses=_lengths(raw, "freshness", path),
        store=store,
        plugins=_plugins(launch, path),
        **{key: _texts(people, key, path) for key in _LISTS},
    )


def read(path: Path) -> dict[str, Any]:
    """What launch.toml says, with the tables of the files in ``thresholds/`` beside it.

    :raises GoliveError: a file is not TOML, or a table stands in two of them.
    """
    raw = read_toml(path)
    tables = raw.get("thresholds", {})
    said = dict.fromkeys(tables, path) if isinstance(tables, dict) else {}
    for file in sorted((path.parent / THRESHOLDS).glob("*.toml")):
        for name, table in read_toml(file).items():
            if name in said:
                raise GoliveError(
                    f"{file}: {name}: stands in {said[name]} as well; expected it in one of them"
                )
            said[name] = file
            raw["thresholds"] = tables = {**tables, name: _table({name: table}, name, file)}
    return raw


def _numbers(table: dict[str, Any], path: Path, above: str = "") -> Iterator[tuple[str, float]]:
    """Every number below a table, by its dotted name."""
    for key, value in table.items():
        if isinstance(value, dict) and not above:
            yield from _numbers(value, path, f"{key}.")
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):  # every look would pass an infinite limit
            raise GoliveError(
                f"{path}: thresholds.{above}{key}: found {value!r}; expected a number"
            )
        yield f"{above}{key}", value


def _lengths(raw: dict[str, Any], name: str, path: Path) -> tuple[tuple[str, dt.timedelta], ...]:
    table = _table({name: {}} | raw, name, path)
    return tuple((k, parse_length(v, f"{path}: {name}.{k}")) for k, v in table.items())


def _texts(table: dict[str, Any], key: str, path: Path, above: str = "people.") -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise GoliveError(f"{path}: {above}{key}: found {values!r}; expected a list of names")
    return tuple(values)


def _plugins(launch: dict[str, Any], path: Path) -> tuple[str, ...]:
    words = _texts(launch, "plugins", path, "launch.")
    for word in filter(is_file, words):  # which the digest of the suites, or git, answers for
        parts = Path(word).parts
        if word != "conftest.py" and (parts[0] != "suites" or ".." in parts):
            raise GoliveError(
                f"{path}: launch.plugins: found {word!r}; expected packages, or files below suites/"
            )
    return words


def is_file(plugin: str) -> bool:
    """Whether a plugin that launch.toml names is a file, and not a package."""
    return plugin.endswith(".py")


def _refuse_unknown(table: dict[str, Any], known: tuple[str, ...], path: Path, above: str) -> None:
    for key in table:
        if key not in known:
            words = f"{', '.join(known[:-1])} or {known[-1]}"
            raise GoliveError(f"{path}: {above}{key}: unknown key; expected {words}")


def _under(item: str, prefixes: tuple[str, ...]) -> bool:
    return any(item == p or item.startswith((f"{p}.", f"{p}-")) for p in prefixes)


@lru_cache(maxsize=4096)
def _of_longest_prefix(
    item: str, table: tuple[tuple[str, dt.timedelta], ...], other: str
) -> dt.timedelta | None:
    """A document asks it of hundreds of items, several times over."""
    found = [(len(k), v) for k, v in table if _under(item, (k,))]
    found = found or [(0, v) for k, v in table if k == other]
    return max(found)[1] if found else None


def _table(raw: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    table = _value(raw, key, path)
    if not isinstance(table, dict):
        raise GoliveError(f"{path}: {key}: found {table!r}; expected a table")
    return table


def _value(raw: dict[str, Any], key: str, path: Path, above: str = "") -> Any:
    if key not in raw:
        raise GoliveError(f"{path}: {above}{key}: the key is missing; expected a value for it")
    return raw[key]
