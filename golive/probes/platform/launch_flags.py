"""The feature flags of the launch: in code, in the flag service, on each instance, on paper."""

from __future__ import annotations

import re
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import convert
from golive.environments import Environment
from golive.files import read_text
from golive.people import roster
from golive.probes.platform.flags import Flags
from golive.probes.transport.commands import run
from golive.probes.transport.http import client, shown
from golive.probes.transport.repository import Repository
from golive.probes.transport.rest import each
from golive.probing import pause, probe
from golive.verdicts import GoliveError, ProbeError

_MOST_BYTES = 2**20
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class FlagReferences:
    """Flags that the candidate's code asks for, each with the files that do."""

    files: Mapping[str, tuple[str, ...]]
    files_read: int


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flag as the launch table has it."""

    name: str
    owner: str
    """A person's id."""
    default: bool
    """What it answers while the flag service is down."""
    launch: str
    """``on``, ``off``, or the share of users for whom it is on: ``25%``."""


class _Table(msgspec.Struct, frozen=True):
    flags: list[TableEntry]


@dataclass(frozen=True, slots=True)
class FlagTable:
    """The launch table; ``signature_cause`` is why it does not count as approved."""

    entries: tuple[TableEntry, ...]
    signature_cause: str

    @property
    def names(self) -> list[str]:
        """Its flags."""
        return [e.name for e in self.entries]

    def unowned(self, people: Iterable[str]) -> list[str]:
        """Flags whose owner is nobody of these."""
        known = set(people)
        return [f"{e.name} ({e.owner or 'nobody'})" for e in self.entries if e.owner not in known]

    def unlike(self, flags: Flags) -> list[str]:
        """Flags whose state in the service is another than the table's."""
        return [
            f"{e.name} is {state}, not {e.launch}"
            for e in self.entries
            if e.name in flags.all and (state := flags.all[e.name].state) != e.launch
        ]

    def unsafe(self, answers: Mapping[str, bool]) -> list[str]:
        """Flags that answer something else than their default, or nothing."""
        return [
            f"{e.name} ({_word(answers.get(e.name))})"
            for e in self.entries
            if answers.get(e.name) is not e.default
        ]


def _word(answer: bool | None) -> str:
    return "no answer" if answer is None else "on" if answer else "off"


@dataclass(frozen=True, slots=True)
class FlagToggle:
    """A synthetic flag, switched over and back: seconds until each instance showed it."""

    flag: str
    over_s: Mapping[str, float]
    back_s: Mapping[str, float]

    @property
    def shown_s(self) -> dict[str, float]:
        """Both, by instance and direction."""
        return {
            **{f"{name}, over": s for name, s in self.over_s.items()},
            **{f"{name}, back": s for name, s in self.back_s.items()},
        }


@dataclass(frozen=True, slots=True)
class FlagOutage:
    """What an instance of the candidate answers while the flag service is down."""

    answers: Mapping[str, bool]


@probe()
def flag_references(env: Environment) -> FlagReferences:
    """The flags that the candidate's code asks for, by name."""
    declared = env.flags
    try:
        patterns = [re.compile(one) for one in declared.code_patterns]
    except re.error as e:
        raise ProbeError("flags.code_patterns", e, "correct the regular expression") from None
    repository = Repository(env.release.repository, env.time_limits.probe)
    found: dict[str, set[str]] = defaultdict(set)
    names = [
        name
        for name in repository.names(env.release.tag, *declared.code)
        if name.endswith(tuple(declared.code_suffixes))
    ]
    if not names:
        raise ProbeError(
            f"the code at {env.release.tag}",
            f"no file below {', '.join(declared.code) or '/'} ends with one of flags.code_suffixes",
            "check flags.code and flags.code_suffixes",
        )
    for name in names:
        text = repository.file(env.release.tag, name).decode(errors="replace")
        for pattern in patterns:
            for match in pattern.finditer(text):
                found[match[1]].add(name)
    return FlagReferences({flag: tuple(sorted(in_)) for flag, in_ in found.items()}, len(names))


@probe()
def flag_table(env: Environment) -> FlagTable:
    """The launch table, and whether who approves it has signed it."""
    path = Path(env.flags.table)
    subject = "the flags' launch table"
    try:
        said = convert(tomllib.loads(read_text(path, _MOST_BYTES, "a table", links=True)), _Table)
    except GoliveError as e:
        raise ProbeError(subject, e, "write it and name it in flags.table") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as e:
        step = "write [[flags]] with name, owner, default and launch"
        raise ProbeError(subject, f"{path}: {e}", step) from None
    signature = roster.load(Path(env.people.roster)).signature(path, env.flags.approved_by)
    return FlagTable(tuple(said.flags), "" if signature.valid else signature.cause)


@probe(effect="write", limit="drill")
def flag_toggle(env: Environment, flags: Flags) -> FlagToggle:
    """A synthetic flag, switched over and back in the flag service, as every instance shows it."""
    name = env.flags.synthetic
    if name not in flags.all:
        step = "make it, and name it in flags.synthetic"
        raise ProbeError(f"the synthetic flag {name}", "the flag service has no such flag", step)
    before = flags.all[name].enabled
    instances = [i.name for i in env.application.instances]
    shown_before = each(instances, lambda one: _evaluated(env, one).get(name))
    if off := [i for i, state in shown_before.items() if state is not before]:
        raise ProbeError(
            f"the synthetic flag {name}",
            f"{', '.join(off)} did not show it as it is before anything was switched",
            "see whether these instances reach the flag service, and how old what they know is",
        )
    try:
        _switch(env, name, on=not before)
        over = _shown(env, instances, name, not before)
    finally:
        _switch(env, name, on=before)
    return FlagToggle(name, over, _shown(env, instances, name, before))


@probe(limit="drill")
def flag_outage(env: Environment) -> FlagOutage:
    """What every flag answers while the flag service is down, where that harms nobody."""
    within_s = env.time_limits.probe
    key = "flags.outage_command"
    return FlagOutage(
        run(env.flags.outage_command, {}, key=key, within_s=within_s, answer=dict[str, bool])
    )


def _switch(env: Environment, name: str, *, on: bool) -> None:
    declared = env.flags
    place = f"projects/{declared.project}/features/{name}/environments/{declared.environment}"
    url = f"{declared.url.rstrip('/')}/admin/{place}/{'on' if on else 'off'}"
    with client(env, foreign=True) as http:
        answer = http.post(url, {}, {"Authorization": declared.editor_token.reveal()})
    if not 200 <= answer.status_code < 300:
        raise ProbeError(
            f"switching the synthetic flag {name}",
            f"status {answer.status_code} of {shown(url)}",
            "check flags.editor_token, flags.project and flags.environment",
        )


def _shown(env: Environment, instances: list[str], name: str, state: bool) -> dict[str, float]:
    """Seconds until each instance showed it; infinite where one did not in time."""
    began, within_s = time.monotonic(), env.windows.flag_s
    found = dict.fromkeys(instances, inf)

    def look(one: str) -> bool:
        return _evaluated(env, one).get(name) is state

    while open_ := [one for one, s in found.items() if s == inf]:
        for one, shows in each(open_, look).items():
            if shows:
                found[one] = time.monotonic() - began
        if time.monotonic() - began > within_s:
            break
        pause(_POLL_S)
    return found


def _evaluated(env: Environment, instance: str) -> dict[str, Any]:
    """The flags as one instance evaluates them."""
    url = next(i.url for i in env.application.instances if i.name == instance)
    where = url.rstrip("/") + env.flags.evaluation_path
    with client(env) as http:
        found: Any = http.json(where)
    for key in filter(None, env.flags.evaluation_field.split(".")):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not found:
        raise ProbeError(
            f"the flags of {instance} at {shown(where)}",
            f"its answer has no object {env.flags.evaluation_field!r}",
            "check flags.evaluation_path and flags.evaluation_field",
        )
    return found
