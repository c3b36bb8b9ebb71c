"""The load balancer: its configuration, its running state, and what requests through it meet."""

from __future__ import annotations

import csv
import ipaddress
import re
import shlex
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.transport.addresses import Names, split
from golive.probes.transport.http import Redirect, client, port_of, redirect_of, shown
from golive.probes.transport.machines import Machine
from golive.probing import probe
from golive.verdicts import ProbeError

SAMPLE = 100
"""Requests whose serving instances are counted; the procedure says 100."""
FORGED = "203.0.113.66"
"""An address that no client has (RFC 5737), claimed in a forged header."""
_CLOCK_SLACK = timedelta(seconds=2)
"""Uptime and file times come in whole seconds."""
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class ConfiguredServer:
    """A server line of the backend in the configuration file."""

    name: str
    checked: bool
    check_interval_s: float


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """The backend as the configuration file has it."""

    servers: tuple[ConfiguredServer, ...]
    check_path: str
    """Path that the health check requests; empty when it only connects."""


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
    started_at: datetime
    """Start of the worker that serves now."""
    written: BackendConfig
    running: tuple[RunningServer, ...]

    @property
    def is_loaded(self) -> bool:
        """Whether the worker started after the file was last written."""
        return self.changed_at <= self.started_at + _CLOCK_SLACK

    @property
    def ages(self) -> str:
        """When file and worker came to be, in words."""
        return f"file of {self.changed_at:%F %T}, worker of {self.started_at:%F %T} UTC"

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
    served_by: dict[str, int]
    """Requests by instance, declared instances that served none included; ``nobody`` stands
    for answers that name no instance."""
    redirect: Redirect
    client_address: str
    """Client address that the application saw in an honest request."""
    client_address_when_forged: str
    """The same when the request claimed to come from ``forged_address``."""
    forged_address: str

    @property
    def serving(self) -> list[str]:
        """Who served at least one request."""
        return [name for name, count in self.served_by.items() if count]


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
        changed_at=machine.changed_at(declared.config),
        started_at=machine.now() - timedelta(seconds=int(info["Uptime_sec"])),
        written=parse_backend(text, declared.backend, declared.config),
        running=_running(env, machine),
    )


@probe()
def balanced_traffic(env: Environment) -> BalancedTraffic:
    """Requests through the public name: who serves them, what is answered and believed."""
    base, paths = env.balancer.url, env.application.paths
    header = env.application.instance_header

    def serving(_: int) -> str:
        # A connection each, so that nothing sticks to one instance.
        with client(env) as http:
            answer = http.get(base + paths.health, {"Connection": "close"})
        return answer.headers.get(header, f"nobody (status {answer.status_code})")

    with ThreadPoolExecutor(max_workers=8) as pool:
        counted = Counter(pool.map(serving, range(SAMPLE)))
    if all(name.startswith("nobody") for name in counted):
        raise ProbeError(
            shown(base + paths.health),
            f"no answer names its instance in {header}: {dict(counted)}",
            "check application.paths.health and application.instance_header",
        )
    served = {i.name: 0 for i in env.application.instances} | dict(counted)
    with client(env) as http:
        detailed = base + paths.health_detailed
        redirect = redirect_of(http, env.balancer.http_url + paths.health)
        honest = _client_address(env, http.json(detailed))
        forged = _client_address(env, http.json(detailed, {"X-Forwarded-For": FORGED}))
    return BalancedTraffic(
        url=shown(base + paths.health),
        requests=SAMPLE,
        served_by=served,
        redirect=redirect,
        client_address=honest,
        client_address_when_forged=forged,
        forged_address=FORGED,
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
    return BackendConfig(servers, _check_path(body))


_SECTIONS = frozenset(
    {"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers"}
    | {"mailers", "program", "cache", "http-errors", "ring", "log-forward", "fcgi-app"}
    | {"crt-store", "traces"}
)


def _server(words: list[str], default_words: list[str]) -> ConfiguredServer:
    both = [*default_words, *words[3:]]
    checked = False
    interval_s = 2.0  # haproxy's own default
    for word, following in zip(both, [*both[1:], ""], strict=False):
        if word in {"check", "no-check"}:
            checked = word == "check"
        elif word == "inter":
            interval_s = _seconds(following)
    return ConfiguredServer(words[1], checked, interval_s)


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
            row["svname"], names.of(*split(row["addr"])), row["status"], row["check_status"]
        )
        for row in csv.DictReader(text.splitlines())
        if row["pxname"] == env.balancer.backend and row["svname"] not in {"BACKEND", "FRONTEND"}
    )


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
