"""A drill of the escalation: a synthetic incident is opened, and its notices are followed."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive.environments import Environment
from golive.people.roster import Level, Person, Vendor
from golive.probes.observe import prometheus
from golive.probes.observe.alerting import DRILL
from golive.probes.people import mail, sms
from golive.probes.people.contacts import is_same, read_roster
from golive.probes.transport import commands
from golive.probing import pause, probe
from golive.verdicts import ProbeError

IMPACT = "drill, nothing is wrong: customers could not pay"
"""What the incident says that customers notice."""
_SEVERITY = "critical"
_POLL_S = 0.5
_ROUNDED_S = 1.0
"""Services tell times by the second, rounded down."""
_LEVEL = re.compile(r"\blevel (\d)", re.IGNORECASE)
_AGE = re.compile(r"\bopen for (?:(\d+)d ?)?(?:(\d+)h ?)?(?:(\d+)m\b)?", re.IGNORECASE)
_STEP_S = 10
"""Of the series that rules are tried on."""


@dataclass(frozen=True, slots=True)
class Page:
    """One message about the incident to one address."""

    how: str
    """``text`` or ``mail``."""
    to: str
    level: int
    """As its text says; 0: it says none."""
    sent_at: datetime
    minute: float
    """By the incident's clock."""
    status: str
    text: str
    """Of a mail only its subject is known."""

    def is_to(self, addresses: Iterable[str]) -> bool:
        """Whether it went to one of these, in whatever letter case."""
        return any(is_same(self.to, one) for one in addresses)

    @property
    def stated_minutes(self) -> float | None:
        """The age of the incident that it tells; None: it tells none."""
        match = _AGE.search(self.text)
        if match is None or not any(match.groups()):
            return None
        days, hours, minutes = (int(g or 0) for g in match.groups())
        return days * 1440 + hours * 60 + minutes

    def after(self, mark: str) -> str:
        """What its text says in the line that begins with a mark; empty: nothing."""
        lines = (line.strip() for line in self.text.splitlines())
        return next((line[len(mark) :].strip() for line in lines if line.startswith(mark)), "")


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What the loaded rule of one level does by promtool, and where its alert goes."""

    rule: str
    complaint: str
    """Empty: it fires a minute after its time and not a minute before, nor once resolved."""
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EscalationDrill:
    """Two incidents: one that nobody solved until the last level, and one solved in time."""

    incident: str
    clock: float
    """Seconds that the incident was open, for each second that passed."""
    levels: tuple[Level, ...]
    opened_at: datetime
    answered_minute: float
    """When somebody answered, by the incident's clock."""
    closed_minute: float
    solved_minute: float
    """When the other one was solved, by its clock."""
    waited_s: float
    """For how long after its time a page was waited for."""
    pages: tuple[Page, ...]
    solved_pages: tuple[Page, ...]
    """About the one that was solved in time."""
    trials: dict[int, RuleTrial]

    def level(self, number: int) -> Level | None:
        """A level as the roster declares it."""
        return next((one for one in self.levels if one.level == number), None)

    def at(self, number: int) -> list[Page]:
        """Pages that say they are of that level."""
        return [p for p in self.pages if p.level == number]

    def texts(self, number: int) -> list[Page]:
        """Texts that say they are of that level."""
        return [p for p in self.at(number) if p.how == "text"]

    def missed(self, people: Iterable[Person], number: int) -> list[str]:
        """Whom a level did not reach: by what, and what became of it."""
        found = []
        for person in people:
            for how, address in (("text", person.phone), ("mail", person.email)):
                sent = [p for p in self.at(number) if p.how == how and p.is_to([address])]
                if not any(p.status == "delivered" for p in sent):
                    found.append(f"{person.name} ({how}: {sent[0].status if sent else 'none'})")
        return found

    def delay_s(self, people: Iterable[Person], number: int) -> dict[str, float]:
        """From the moment that a level's time had come to each person's first page of it."""
        level = self.level(number)
        begins = 0.0 if level is None else level.from_minutes
        due = self.opened_at + timedelta(seconds=begins * 60 / self.clock)
        found = {}
        for person in people:
            own = [p.sent_at for p in self.at(number) if p.is_to([person.phone, person.email])]
            if own:
                found[person.name] = max(0.0, (min(own) - due).total_seconds())
        return found

    def told_before(self, people: Iterable[Person], minute: float) -> list[str]:
        """Which of these people was paged before a minute of the incident's clock."""
        return [
            f"{person.name} in minute {first:.0f}"
            for person in people
            for first in [self.first_minute(person)]
            if first is not None and first < minute
        ]

    def sent_before(self, number: int, minute: float) -> list[str]:
        """Pages of a level that were sent before a minute of the incident's clock."""
        slack = _ROUNDED_S * self.clock / 60
        early = [p for p in self.at(number) if p.minute + slack < minute]
        return [f"{p.how} to {p.to} in minute {p.minute:.0f}" for p in early]

    def first_minute(self, person: Person) -> float | None:
        """The latest minute in which somebody's first page can have been sent."""
        own = [p.minute for p in self.pages if p.is_to([person.phone, person.email])]
        return min(own) + _ROUNDED_S * self.clock / 60 if own else None

    def unnamed(self, entries: Iterable[Person | Vendor], number: int) -> list[str]:
        """Whose name or phone number some text of a level leaves out."""
        texts = [p.text for p in self.at(number) if p.how == "text"]
        return [
            e.name or e.id
            for e in entries
            if not texts
            or not all(e.name and e.phone and f"{e.name}: {e.phone}" in t for t in texts)
        ]

    def reported(self, entries: Iterable[Person | Vendor]) -> list[str]:
        """Messages about the incident, of any level, to one of these."""
        reached = {a for e in entries for a in (e.phone, e.email) if a}
        return [f"{p.how} to {p.to}" for p in self.pages if p.is_to(reached)]

    def without(self, mark: str, number: int) -> list[str]:
        """Texts of a level that have nothing in the line that begins with a mark."""
        return [f"text to {p.to}" for p in self.at(number) if p.how == "text" and not p.after(mark)]

    def untimely(self, number: int) -> list[str]:
        """Pages of a level that do not state an age, or less than the level begins at."""
        level = self.level(number)
        least = 0.0 if level is None else level.from_minutes
        return [
            f"{p.how} to {p.to}"
            for p in self.at(number)
            if p.stated_minutes is None or p.stated_minutes < least
        ]

    def strangers(self, number: int, people: Iterable[Person]) -> list[str]:
        """Addresses of a level's pages that are none of these people's."""
        known = {a for p in people for a in (p.phone, p.email)}
        return sorted({p.to for p in self.at(number) if not p.is_to(known)})

    def after_the_answer(self, number: int) -> list[str]:
        """Pages of a level that were sent although somebody had answered."""
        ends = self.answered_minute + _ROUNDED_S * self.clock / 60
        return [
            f"{p.how} to {p.to} in minute {p.minute:.0f}"
            for p in self.at(number)
            if p.minute > ends
        ]


@probe(effect="write", limit="drill")
def escalation_drill(env: Environment) -> EscalationDrill:
    """A synthetic critical incident from its opening to the last level, and one solved before."""
    known = read_roster(env)
    levels = known.escalation
    if len(levels) < 2 or len(levels) != len(env.escalation.rules):
        raise ProbeError(
            "the levels of escalation",
            f"the roster has {len(levels)}, escalation.rules names {len(env.escalation.rules)}",
            "declare each level in the roster, and its rule in the environment file",
        )
    trials = _trials(env, levels)
    began = datetime.now(UTC)
    _pages(env, began, {})  # logs that cannot be read must not be found out with people paged
    name = f"{DRILL}{secrets.token_hex(3)}"
    solved, solved_s = f"{name}-solved", max(0.0, levels[1].from_minutes - 1) * 60
    holders = [p for role in levels[0].roles for p in known.holders(role)]
    backups = [p for role in levels[0].roles for p in known.backups(role)]
    # By mail: two people who share a phone are another item's matter.
    others = {p.email for p in backups} - {p.email for p in holders}
    try:
        opened = {}
        for one, resolve_after_s in ((solved, solved_s), (name, 0.0)):
            _command(env, "open", name=one, resolve_after_s=resolve_after_s)
            opened[one] = _opened_at(env, one)

        def minute() -> float:
            return (datetime.now(UTC) - opened[name]).total_seconds() * env.escalation.clock / 60

        # Early enough to be an answer before level 2, wherever the backups are not asked.
        answer_at = levels[1].from_minutes * 2 / 3

        def asked_others() -> bool:
            found = _pages(env, began, opened)[name]
            return minute() >= answer_at or any(p.is_to(others) for p in found)

        _wait(env, asked_others, lambda: minute() >= levels[1].from_minutes)
        _command(env, "acknowledge", name=name)
        answered = minute()
        if answered >= levels[1].from_minutes:
            raise ProbeError(
                "the escalation of an answered incident",
                f"the drill came to answer in minute {answered:.0f}, when it was too late",
                "look again when there is less to do, or with a slower escalation.clock",
            )
        ends = levels[-1].from_minutes + env.windows.page_s * env.escalation.clock / 60

        def complete() -> bool:
            found = _pages(env, began, opened)[name]
            return any(p.level == levels[-1].level for p in found if p.how == "text") and any(
                p.level == levels[-1].level for p in found if p.how == "mail"
            )

        left_s = (levels[-1].from_minutes - minute()) * 60 / env.escalation.clock
        pause(max(0.0, left_s))
        _wait(env, complete, lambda: minute() >= ends)
        closed = minute()
    finally:
        failures = [f for one in (solved, name) for f in _closed(env, one)]
    if failures:
        raise failures[0]
    pages = _pages(env, began, opened)
    return EscalationDrill(
        incident=name,
        clock=env.escalation.clock,
        levels=levels,
        opened_at=opened[name],
        answered_minute=answered,
        closed_minute=closed,
        solved_minute=solved_s / 60,
        waited_s=env.windows.page_s,
        pages=tuple(pages[name]),
        solved_pages=tuple(pages[solved]),
        trials=trials,
    )


def _wait(env: Environment, holds: Callable[[], bool], over: Callable[[], bool]) -> None:
    pause_s = max(_POLL_S, min(10.0, env.windows.page_s / 12))
    while not holds() and not over():
        pause(pause_s)


def _opened_at(env: Environment, name: str) -> datetime:
    """When an incident was opened, by its own metric."""
    selector = f'{env.escalation.metric}{{incident="{name}"}}'
    ends = time.monotonic() + env.windows.page_s
    while time.monotonic() < ends:
        at = datetime.now(UTC)
        ages = prometheus.query(env, selector, at)
        times = prometheus.query(env, f"timestamp({selector})", at)
        if ages and times:
            opened = times[0].value - ages[0].value / env.escalation.clock
            return datetime.fromtimestamp(opened, UTC)
        pause(_POLL_S / 2)
    raise ProbeError(
        f"the incident {name}",
        f"{selector} has no sample {env.windows.page_s:g} s after it was opened",
        "check escalation.open_command and escalation.metric in the environment file",
    )


def _pages(env: Environment, since: datetime, opened: dict[str, datetime]) -> dict[str, list[Page]]:
    """The messages about each incident, oldest first."""
    since = since - timedelta(seconds=_ROUNDED_S)
    found: dict[str, list[Page]] = {name: [] for name in opened}
    sent = [
        ("text", t.to, t.sent_at, t.status, t.body) for t in sms.texts(env, since) if not t.inbound
    ]
    sent += [
        ("mail", m.to, m.last_event_at, m.status, m.subject) for m in mail.activity(env, since)
    ]
    for how, to, at, status, text in sent:
        for name, began in opened.items():
            if re.search(rf"{re.escape(name)}(?![\w-])", text):
                level = _LEVEL.search(text)
                minute = (at - began).total_seconds() * env.escalation.clock / 60
                found[name].append(
                    Page(how, to, int(level[1]) if level else 0, at, minute, status, text)
                )
    for pages in found.values():
        pages.sort(key=lambda p: p.sent_at)
    return found


# -- commands --------------------------------------------------------------------------------------


def _command(env: Environment, verb: str, **values: object) -> None:
    command: list[str] = getattr(env.escalation, f"{verb}_command")
    values = {"severity": _SEVERITY, "impact": IMPACT, **values}
    key = f"escalation.{verb}_command"
    commands.run(command, values, key=key, within_s=env.time_limits.probe)


def _closed(env: Environment, name: str) -> list[ProbeError]:
    """Close an incident; the error when that failed, so that the other is still closed."""
    try:
        _command(env, "close", name=name)
    except ProbeError as e:
        return [e]
    return []


# -- rules -----------------------------------------------------------------------------------------


def _trials(env: Environment, levels: tuple[Level, ...]) -> dict[int, RuleTrial]:
    """Each level's loaded rule, tried by promtool on a made-up incident, unscaled."""
    loaded = {r.name: r for r in prometheus.rules(env)}
    config = prometheus.alertmanager_config(env)
    with tempfile.TemporaryDirectory(prefix="golive-rules-") as place, ThreadPoolExecutor(2) as two:
        folder = Path(place)
        complaints = dict(
            zip(
                env.escalation.rules,
                two.map(
                    lambda pair: _complaint(env, folder, pair[0], loaded.get(pair[1])),
                    zip(levels, env.escalation.rules, strict=True),
                ),
                strict=True,
            )
        )
    return {
        level.level: RuleTrial(
            rule=name,
            complaint=complaints[name],
            receivers=tuple(
                prometheus.routed(config, {**loaded[name].labels, "alertname": name})
                if name in loaded
                else ()
            ),
        )
        for level, name in zip(levels, env.escalation.rules, strict=True)
    }


def _complaint(env: Environment, folder: Path, level: Level, rule: prometheus.Rule | None) -> str:
    """Why a rule is not the one that a level needs; empty when it is."""
    if rule is None:
        return "it is not loaded"
    document = {"alert": rule.name, "expr": rule.query, "labels": rule.labels}
    held = {"for": f"{rule.for_s:g}s"} if rule.for_s else {}
    groups = {"groups": [{"name": "escalation", "rules": [document | held]}]}
    rules, case = folder / f"{rule.name}.json", folder / f"{rule.name}.test.json"
    rules.write_text(json.dumps(groups))
    case.write_text(json.dumps(_case(env, rules, level, rule)))
    try:
        commands.run(
            [*env.monitoring.promtool, "test", "rules", str(case)],
            {},
            key="monitoring.promtool",
            within_s=env.time_limits.probe,
        )
    except commands.CommandFailed as e:
        if "FAILED" not in e.reason:  # it did not come to a judgement
            raise
        return f"{rule.query}: {_reported(e.reason, level)}"
    return ""


def _reported(reason: str, level: Level) -> str:
    """What promtool found, in a few words."""
    found = re.findall(r"time: (\d+)m\S*, exp:\s*(nil|\S+).*?got:\s*(nil|\S+)", reason)
    begins = level.from_minutes
    words = []
    for minute, expected, _ in found:
        if expected != "nil":
            words.append(f"silent in minute {minute}")
        elif float(minute) > begins:
            words.append(f"fires in minute {minute} although solved in minute {begins - 1:g}")
        else:
            words.append(f"fires in minute {minute}")
    return "; ".join(dict.fromkeys(words)) or reason


def _case(env: Environment, rules: Path, level: Level, rule: prometheus.Rule) -> dict[str, Any]:
    due_min = int(level.from_minutes)
    series = f'{env.escalation.metric}{{incident="made-up",impact="none",severity="{_SEVERITY}"}}'
    fires = f'count(ALERTS{{alertname="{rule.name}",alertstate="firing"}})'

    def trial(minutes: int, values: str, *, firing: bool) -> dict[str, Any]:
        samples = [{"labels": "{}", "value": 1}] if firing else []
        expected = {"expr": fires, "eval_time": f"{minutes}m", "exp_samples": samples}
        inputs = [{"series": series, "values": values}]
        step = f"{_STEP_S}s"
        return {"interval": step, "input_series": inputs, "promql_expr_test": [expected]}

    def course(minutes: int) -> str:
        return f"0+{_STEP_S}x{minutes * 60 // _STEP_S}"

    after, before = due_min + 1, due_min - 1
    tests = [trial(after, course(after), firing=True)]
    if before > 0:
        solved = f"{course(before)} stale"
        tests += [
            trial(before, course(before), firing=False),
            trial(after, solved, firing=False),
        ]
    step = f"{_STEP_S}s"
    return {"rule_files": [str(rules)], "evaluation_interval": step, "tests": tests}
