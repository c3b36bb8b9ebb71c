"""The load balancer: its configuration, its running state, and what requests through it meet."""

from __future__ import annotations

import csv
import ipaddress
import re
import shlex
import socket
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.transport.addresses import Names, split
from golive.probes.transport.http import client, port_of, shown
from golive.probes.transport.machines import Machine
from golive.probing import probe
from golive.sections import declares
from golive.verdicts import ProbeError, Unseen, seen

SAMPLE = 100
"""Requests whose serving instances are counted; the procedure says 100."""
FORGED = "203.0.113.66"
"""An address that no client has (RFC 5737), claimed in a forged header."""
ERRORS = (404, 500, 503)
"""Answers of an instance that is not well, which a health check has to refuse."""
_CLOCK_SLACK = timedelta(seconds=2)
"""Uptime and file times come in whole seconds."""
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class ConfiguredServer:
    """A server line of the backend in the configuration file."""

    name: str
    checked: bool
    check_interval_s: float
    settings: tuple[tuple[str, str], ...] = ()
    """Of what the running worker tells too: column of its statistics and value, as written."""


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """The backend as the configuration file has it."""

    servers: tuple[ConfiguredServer, ...]
    check_path: str
    """Path that the health check requests; empty when it only connects."""
    accepts: tuple[int, ...] = ()
    """Those of ERRORS that the health check takes for a sign of health."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of the backend as the running worker has it."""

    name: str
    instance: str
    """The declared application instance at its address, or the address."""
    status: str
    """``UP``, ``DOWN``, ``MAINT``, ``no check`` ..."""
    last_check: str
    """Code of the last health check, e.g. ``L7OK``."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the worker's statistics tell of its configuration, by column."""

    @property
    def is_up(self) -> bool:
        """Whether it is up because a check of the application itself says so."""
        return self.status == "UP" and self.last_check.removeprefix("* ").startswith("L7OK")

    def __str__(self) -> str:
        return f"{self.name} ({self.instance}) is {self.status}, {self.last_check or 'unchecked'}"


@dataclass(frozen=True, slots=True)
class BalancerConfig:
    """The configuration file beside the running worker."""

    file: str
    syntax_errors: str
    """What the balancer's own check complains of; empty when nothing."""
    changed_at: datetime
    """Last change of the file, or of what stands in its place; whoever writes cannot set it."""
    started_at: datetime
    """Start of the worker that serves now."""
    written: BackendConfig
    running: tuple[RunningServer, ...]

    @property
    def flaws(self) -> str:
        """What its own check is about, as a claim's subject."""
        return f"errors in {self.file}"

    @property
    def running_names(self) -> list[str]:
        return [s.name for s in self.running]

    @property
    def instances(self) -> list[str]:
        """The application instances behind the running servers."""
        return [s.instance for s in self.running]

    @property
    def size(self) -> int:
        return len(self.running)

    @property
    def is_loaded(self) -> bool:
        """Whether the worker runs what the file says, as far as it tells, and is newer."""
        return self.changed_at <= self.started_at + _CLOCK_SLACK and not self.differences

    @property
    def ages(self) -> str:
        """When file and worker came to be, and in what they differ, in words."""
        ages = f"file of {self.changed_at:%F %T}, worker of {self.started_at:%F %T} UTC"
        return "; ".join([ages, *self.differences])

    @property
    def differences(self) -> list[str]:
        """What the worker's statistics tell of a server otherwise than the file."""
        running = {s.name: s.settings for s in self.running}
        return [
            f"{column} of {s.name} is {value} in the file and {running[s.name][column]} running"
            for s in self.written.servers
            for column, value in s.settings
            if running.get(s.name, {}).get(column, value) != value
        ]

    @property
    def declared(self) -> list[str]:
        """The servers of the file."""
        return [s.name for s in self.written.servers]

    @property
    def check_path(self) -> str:
        """What the file's health check asks for."""
        return self.written.check_path

    @property
    def unchecked(self) -> list[str]:
        return [s.name for s in self.written.servers if not s.checked]

    @property
    def check_intervals_s(self) -> dict[str, float]:
        return {s.name: s.check_interval_s for s in self.written.servers}

    @property
    def down(self) -> list[RunningServer]:
        """Servers that no health check of the application holds to be up."""
        return [s for s in self.running if not s.is_up]


@dataclass(frozen=True, slots=True)
class BalancedTraffic:
    """What clients meet."""

    url: str
    requests: int
    declared: tuple[str, ...] | Unseen
    """The instances that should serve."""
    served_by: dict[str, int] | Unseen
    """Requests by instance, declared instances that served none included; ``nobody`` stands
    for answers that name no instance."""
    client_address: str | Unseen
    """Client address that the application saw in an honest request."""
    client_address_when_forged: str | Unseen
    """The same when the request claimed to come from ``forged_address``."""
    forged_address: str

    @property
    def serving(self) -> list[str] | Unseen:
        """Who served at least one request."""
        if isinstance(self.served_by, Unseen):
            return self.served_by
        return [name for name, count in self.served_by.items() if count]

    def fair(self, share: float) -> float | Unseen:
        """A share of the requests that each instance would serve of all alike."""
        if isinstance(self.declared, Unseen):
            return self.declared
        return share * self.requests / max(1, len(self.declared))

    @property
    def when_forged(self) -> str:
        """What the forged request is about, as a claim's subject."""
        return f"client address when {self.forged_address} is forged"


@probe()
def balancer_config(env: Environment) -> BalancerConfig:
    """The balancer's configuration file, its own check of it, and the running worker."""
    declared = env.balancer
    machine = Machine(declared.address)
    text = machine.read(declared.config)
    check = machine.run(*declared.check_command, "-f", declared.config)
    if check.status in (126, 127):
        raise ProbeError(
            f"the configuration check of {declared.config}",
            check.complaint,
            "name the balancer's program in balancer.check_command",
        )
    info = dict(line.split(": ", 1) for line in _ask(env, machine, "show info") if ": " in line)
    return BalancerConfig(
        file=declared.config,
        syntax_errors="" if check.status == 0 else check.complaint,
        changed_at=machine.altered_at(declared.config),
        started_at=machine.now() - timedelta(seconds=int(info["Uptime_sec"])),
        written=parse_backend(text, declared.backend, declared.config),
        running=_running(env, machine),
    )


@probe()
def balanced_traffic(env: Environment) -> BalancedTraffic:
    """Requests through the public name: who serves them, what is answered and believed."""
    base = env.balancer.url if declares(env, "balancer.url") else env.application.url
    declared = seen(lambda: tuple(i.name for i in env.application.instances))
    served = seen(_served_by, env, base)
    honest = seen(_address_seen, env, base)
    forged = seen(_address_seen, env, base, {"X-Forwarded-For": FORGED})
    if isinstance(served, Unseen) and isinstance(honest, Unseen):
        raise served.error  # nothing at all could be looked at
    if not isinstance(served, Unseen) and not isinstance(declared, Unseen):
        served = dict.fromkeys(declared, 0) | served
    return BalancedTraffic(
        url=shown(base),
        requests=SAMPLE,
        declared=declared,
        served_by=served,
        client_address=honest,
        client_address_when_forged=forged,
        forged_address=FORGED,
    )


def _served_by(env: Environment, base: str) -> dict[str, int]:
    """Who answers requests, each on a connection of its own.

    :raises ProbeError: no answer names who.
    """
    path, header = env.application.paths.health, env.application.instance_header

    def serving(_: int) -> str:
        # A connection each, so that nothing sticks to one instance.
        with client(env) as http:
            answer = http.get(base + path, {"Connection": "close"})
        return answer.headers.get(header, f"nobody (status {answer.status_code})")

    with ThreadPoolExecutor(max_workers=8) as pool:
        counted = Counter(pool.map(serving, range(SAMPLE)))
    if all(name.startswith("nobody") for name in counted):
        raise ProbeError(
            shown(base + path),
            f"no answer names its instance in {header}: {dict(counted)}",
            "check application.paths.health and application.instance_header",
        )
    return dict(counted)


def _address_seen(env: Environment, base: str, headers: dict[str, str] | None = None) -> str:
    with client(env) as http:
        return _client_address(
            env, http.json(base + env.application.paths.health_detailed, headers)
        )


def parse_backend(text: str, backend: str, source: str) -> BackendConfig:
    """A backend section of a haproxy configuration, with its ``defaults``.

    :raises ProbeError: there is no such section.
    """
    sections: dict[tuple[str, str], list[list[str]]] = {}
    defaults: list[list[str]] = []
    lines: list[list[str]] = []
    inherited: dict[tuple[str, str], list[list[str]]] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(raw, comments=True)
        except ValueError as e:
            raise ProbeError(
                f"{source}, line {number}", e, "run the balancer's own check"
            ) from None
        if not words:
            continue
        if words[0] in _SECTIONS:
            lines = []
            if words[0] == "defaults":
                defaults = lines
            key = (words[0], words[1] if len(words) > 1 else "")
            sections[key] = lines
            chosen = " ".join(words[3:4]) if words[2:3] == ["from"] else ""
            inherited[key] = sections.get(("defaults", chosen), defaults) if chosen else defaults
        else:
            lines.append(words)
    found = next((k for k in (("backend", backend), ("listen", backend)) if k in sections), None)
    if found is None:
        raise ProbeError(
            f"backend {backend} in {source}",
            "there is no such section",
            "name the application's backend in balancer.backend",
        )
    body = [*inherited[found], *sections[found]]
    if any(words[0] == "server-template" for words in sections[found]):
        raise ProbeError(
            f"backend {backend} in {source}",
            "its servers come from a server-template, which is not understood",
            "list the servers, or look at this item by hand",
        )
    default_words = [w for words in body if words[0] == "default-server" for w in words[1:]]
    servers = tuple(
        _server(words, default_words) for words in sections[found] if words[0] == "server"
    )
    own_checks = any(words[0] == "http-check" for words in sections[found])
    checks = sections[found] if own_checks else body
    path = _check_path(body)
    accepts = tuple(status for status in ERRORS if path and _accepts(checks, status))
    return BackendConfig(servers, path, accepts)


_SECTIONS = frozenset(
    {"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers"}
    | {"mailers", "program", "cache", "http-errors", "ring", "log-forward", "fcgi-app"}
    | {"crt-store", "traces"}
)


def _server(words: list[str], default_words: list[str]) -> ConfiguredServer:
    both = [*default_words, *words[3:]]
    checked = False
    interval_s = 2.0  # haproxy's own default
    told: dict[str, str] = {}
    for word, following in zip(both, [*both[1:], ""], strict=False):
        if word in {"check", "no-check"}:
            checked = word == "check"
        elif word == "inter":
            interval_s = _seconds(following)
        elif word in _TOLD and following.isdecimal():
            told[_TOLD[word]] = str(int(following))
    if not checked:
        told.pop("check_rise", None)
        told.pop("check_fall", None)
    address = {"addr": words[2]} if _ADDRESS.fullmatch(words[2]) else {}
    return ConfiguredServer(words[1], checked, interval_s, tuple((address | told).items()))


_TOLD = {"rise": "check_rise", "fall": "check_fall"}
"""Words of a server's line whose numbers the statistics tell as they stand there. Weights may be
set while it runs, and a name's address be another one."""
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+")


def _check_path(body: list[list[str]]) -> str:
    path, speaks_http = "", False
    for words in body:
        match words:
            case ["option", "httpchk", *rest]:
                speaks_http = True
                # One argument is the path, two or more begin with the method.
                path = rest[1] if len(rest) > 1 else rest[0] if rest else path or "/"
            case ["no", "option", "httpchk", *_]:
                speaks_http = False
            case ["http-check", "send", *rest] if "uri" in rest[:-1]:
                path = rest[rest.index("uri") + 1]
            case _:
                pass
    return path if speaks_http else ""


_TAKES_A_VALUE = {"min-recv", "comment", "tout-status", "ok-status", "error-status"} | {
    *("on-success", "on-error", "status-code")
}


def _accepts(lines: list[list[str]], status: int) -> bool:
    """Whether the rules of a health check take an answer of that status, and of any content.

    Without a rule, haproxy takes 2xx and 3xx. A rule about what the content or a header has to be
    refuses errors in its own way; one about what it may not be does not.
    """
    rules = [words[2:] for words in lines if words[:2] == ["http-check", "expect"]]
    if not rules:
        return 200 <= status < 400
    return all(_takes(rule, status) for rule in rules)


def _takes(rule: list[str], status: int) -> bool:
    words = list(rule)
    while words and words[0] in _TAKES_A_VALUE:
        del words[:2]
    negated = words[:1] == ["!"]
    kind, what = ([*words[negated:], "", ""])[:2]
    if kind == "status":
        held = any(
            int(first) <= status <= int(last or first)
            for first, _, last in (part.partition("-") for part in what.split(","))
            if first.isdecimal() and (last or first).isdecimal()
        )
    elif kind == "rstatus":
        try:
            held = bool(re.search(what, str(status)))
        except re.error as e:
            step = "compare with application.paths.health by hand"
            raise ProbeError(f"the expected status {what!r}", e, step) from None
    else:
        held = False
    return held is not negated


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", text)
    if not match:
        raise ProbeError(f"the check interval {text!r}", "it is no time", "see the server lines")
    return int(match[1]) * _UNITS_S[match[2] or "ms"]


def backends(env: Environment) -> tuple[RunningServer, ...]:
    """The servers of the backend as the running worker has them.

    :raises ProbeError: its stats socket cannot be reached.
    """
    return _running(env, Machine(env.balancer.address))


def _running(env: Environment, machine: Machine) -> tuple[RunningServer, ...]:
    text = "\n".join(_ask(env, machine, "show stat")).removeprefix("# ")
    instances = env.application.instances
    names = Names({i.name: (urlsplit(i.url).hostname or "", port_of(i.url)) for i in instances})
    return tuple(
        RunningServer(
            row["svname"],
            names.of(*split(row["addr"])),
            row["status"],
            row["check_status"],
            {column: row[column] for column in _COLUMNS if row.get(column)},
        )
        for row in csv.DictReader(text.splitlines())
        if row["pxname"] == env.balancer.backend and row["svname"] not in {"BACKEND", "FRONTEND"}
    )


_COLUMNS = ("addr", *_TOLD.values())


def _ask(env: Environment, machine: Machine, command: str) -> list[str]:
    """The lines that the stats socket answers.

    :raises ProbeError: it cannot be reached.
    """
    where = env.balancer.stats
    subject = f"the balancer's stats socket {where}"
    step = "check balancer.stats, and that the socket is enabled in the configuration"
    try:
        if where.startswith("tcp://"):
            parts = urlsplit(where)
            answer = _exchange((parts.hostname or "", parts.port or 0), command, env)
        elif machine.is_local:
            answer = _exchange(where, command, env)
        else:
            answer = machine.answer(
                "sh", "-c", f"echo {shlex.quote(command)} | socat -t5 - {shlex.quote(where)}"
            )
    except OSError as e:
        raise ProbeError(subject, e, step) from None
    if not answer.strip():
        raise ProbeError(subject, f"no answer to {command!r}", step)
    return answer.splitlines()


def _exchange(where: str | tuple[str, int], command: str, env: Environment) -> str:
    if isinstance(where, str):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(env.time_limits.connect)
        connection.connect(where)
    else:
        connection = socket.create_connection(where, env.time_limits.connect)
    with connection, connection.makefile(encoding="utf-8") as answer:
        connection.sendall(command.encode() + b"\n")
        return answer.read()


def _client_address(env: Environment, document: dict[str, Any]) -> str:
    field = env.balancer.client_address_field
    value: Any = document
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ProbeError(
            f"the client's address as {shown(env.balancer.url)} sees it",
            f"{field} in the detailed health answer is {value!r}",
            "name the field in balancer.client_address_field",
        ) from None
