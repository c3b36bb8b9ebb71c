"""Which facts of a live world still hold in a copy of its folder, and which are looked at there.

In a copy nothing runs but the stubs of what people work with (tracker, status page, flags, pages,
calendar, mail, texts). A probe that reads a paper or asks a stub looks there for real; every other
one has the facts that it found in the live world. A few do both: their facts hold as long as what
they read of people's files is the same, which :func:`stale` tells.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from golive.environments import Environment
from golive.probes.transport.answers import Answers
from golive.probing import REGISTRY, Facts

_FOLLOWED = frozenset({"message_links", "market_sources", "war_room_bridges", "baseline_sales"})
"""Answers to each of several things that papers name; some of them only a running part knows."""
_READING = _FOLLOWED | {"message_deliveries", "arrivals", "war_room", "control_evidence"}
_READING |= {"privacy_notices", "authorised_decision"}
LOOKED_AT: Mapping[str, frozenset[str]] = {
    "papers": _READING,
    "saas-stubs": _READING
    | {"issues", "pull_requests", "check_runs", "fixes", "release_authors"}
    | {"status_page_members", "flags", "flag_editors", "vendor_portals"},
    "roster": frozenset({"contact_test", "vendor_portals", "launch_day_absences"}),
    "messages/calendar": frozenset({"launch_calendar", "launch_day_absences"}),
    "documents": frozenset(),
    "statements": frozenset(),
    "keys": frozenset(),
}
"""What a fault may touch to be tried in a copy, and the probes that look there for real then."""


def in_a_copy(touches: Iterable[str]) -> bool:
    """Whether a fault that touches these can be tried in a copy."""
    return all(_place(one) for one in touches)


def spoils_documents(touches: Iterable[str]) -> bool:
    """Whether a fault that touches these does nothing but spoil documents, which are made again
    once an item that they rest on has a new verdict."""
    return all(_place(one) == "documents" for one in touches)


def looked_at(touches: Iterable[str]) -> frozenset[str]:
    """The probes that look for real when these are touched."""
    return frozenset().union(*(LOOKED_AT[_place(one)] for one in touches))


def _place(touched: str) -> str:
    return next((p for p in LOOKED_AT if touched == p or touched.startswith(f"{p}/")), "")


# -- probes that read people's files and ask running parts -----------------------------------------


def _reach(people: Path) -> object:
    """Whom the roster has reached in which role: all that a drill, a dry run of the launch
    commands and the authorisation ask of it."""
    roster = tomllib.loads((people / "roster.toml").read_text(encoding="utf-8"))
    fields = ("id", "phone", "email", "roles", "backs_up", "keys")
    roles = {
        role for level in roster.get("escalation", []) for role in level.get("roles", [])
    } | _OPERATING
    persons = [
        {f: p.get(f) for f in fields}
        for p in roster["person"]
        if roles & {*p.get("roles", []), *p.get("backs_up", [])}
    ]
    vendors = [{f: v.get(f) for f in ("id", "phone", "email")} for v in roster.get("vendor", [])]
    return persons, vendors, roster.get("escalation")


_OPERATING = {
    *("database_administrator", "devops_lead", "executive_team", "performance_lead"),
    *("product_manager", "qa_lead", "security_lead", "technical_lead"),
}


def _receiver(people: Path) -> object:
    text = (people / "papers" / "war-room.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("receiver:")]


JOINED: Mapping[str, Callable[[Path], object]] = {
    "escalation_drill": _reach,
    "operator_runs": _reach,
    "authorisation": _reach,
    "manifest_signature": _reach,
    "access_list_signature": _reach,
    "deployment_runbook": _reach,
    "flag_table": _reach,
    "war_room_alert": _receiver,
}
"""What each of them reads of the folder of people's files."""


def inputs(people: Path) -> dict[str, object]:
    """What these probes read there now, by the probe."""
    return {name: read(people) for name, read in JOINED.items()}


def stale(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The probes whose facts no longer hold."""
    return sorted(name for name in before if before[name] != now[name])


# -- answers of which some are frozen --------------------------------------------------------------


def completed(found: Any, frozen: Any) -> Any:
    """Answers found in a copy, with those of the live world for what can only be asked there: the
    names that failed here and were answered there. An address of a stub is another one in each
    copy, so no answer of a stub is ever taken from there."""
    assert isinstance(found, Answers)
    assert isinstance(frozen, Answers)
    taken = {n: frozen.found[n] for n in found.failed if n in frozen.found}
    failed = {n: e for n, e in found.failed.items() if n not in taken}
    return Answers({**found.found, **taken}, failed)


def complete(frozen: Mapping[str, Facts]) -> None:
    """Have the probes of this process that follow papers' addresses complete what they find."""
    for name in _FOLLOWED & set(frozen):
        known, there = REGISTRY[name], frozen[name].value

        def look(
            env: Environment, *needs: Any, real: Callable[..., Any] = known.look, there: Any = there
        ) -> Any:
            return completed(real(env, *needs), there)

        REGISTRY[name] = dataclasses.replace(known, look=look)
