"""A change of the configuration, deployed and rolled back while requests go on."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from golive.environments import Environment
from golive.probes.platform.flags import flags
from golive.probes.platform.processes import running_variables
from golive.probes.traffic.balancer import balancer_config
from golive.probes.traffic.surface import may_be_asked, sites
from golive.probes.transport.commands import CommandFailed, Deadline, run
from golive.probes.transport.http import Address, Client, client
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_THREADS = 6
_MOST_TOLD = 50
_EARLIER = timedelta(seconds=2)
BALANCER, FLAGS = "balancer", "flags"


class HistoryEntry(msgspec.Struct, frozen=True):
    """A change on record."""

    at: datetime
    action: str
    actor: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ConfigRollback:
    """The drill. States are digests by instance, and of balancer and flags."""

    deploy_failure: str
    rollback_failure: str
    duration_min: float
    """From the beginning of the change to the end of the rollback."""
    before: Mapping[str, str | Unseen]
    changed: Mapping[str, str | Unseen]
    after: Mapping[str, str | Unseen]
    requests: int
    failures: tuple[str, ...]
    history: tuple[HistoryEntry, ...] | Unseen
    """What came on record meanwhile."""

    @property
    def instances(self) -> list[str]:
        """The instances that were looked at."""
        return [name for name in self.before if name not in (BALANCER, FLAGS)]

    @property
    def unchanged(self) -> list[str] | Unseen:
        """Instances that the change did not reach."""
        return self._unlike(self.changed, self.instances, same=True)

    @property
    def not_back(self) -> list[str] | Unseen:
        """What is not as it was before."""
        return self._unlike(self.after, list(self.before), same=False)

    @property
    def actions(self) -> list[str] | Unseen:
        """The kinds of changes on record, in order."""
        return (
            self.history if isinstance(self.history, Unseen) else [h.action for h in self.history]
        )

    @property
    def anonymous(self) -> list[str] | Unseen:
        """Changes on record that nobody made."""
        if isinstance(self.history, Unseen):
            return self.history
        return [f"{h.action} {h.revision}" for h in self.history if not h.actor.strip()]

    def _unlike(
        self, then: Mapping[str, str | Unseen], names: list[str], *, same: bool
    ) -> list[str] | Unseen:
        pairs = {n: (self.before[n], then[n]) for n in names}
        found = [
            n
            for n, (a, b) in pairs.items()
            if not isinstance(a, Unseen) and not isinstance(b, Unseen) and (a == b) is same
        ]
        missed = unseen_among(one for pair in pairs.values() for one in pair)
        return missed if missed is not None and not found else found


@probe(effect="disrupt", limit="drill")
def config_rollback(env: Environment) -> ConfigRollback:
    """An inert change of the configuration, deployed and rolled back under traffic."""
    declared, clock = env.configuration, Deadline(env.time_limits.drill)
    site = _site(env)
    said: dict[str, object] = {
        "name": declared.inert_variable,
        "value": f"golive-{secrets.token_hex(4)}",
        "operator": declared.operator,
    }
    _ = (declared.deploy_command, declared.rollback_command)  # both, before either is run
    before = _states(env)
    began, begun_at = time.monotonic(), datetime.now(UTC)
    traffic = Traffic()
    changed, deploy_failure = dict[str, str | Unseen](), ""
    with traffic.going_on(env, site):
        try:
            deploy_failure = _failure(env, "deploy_command", said, clock)
            changed = _states(env)
        finally:
            rollback_failure = _failure(env, "rollback_command", said, clock)
        duration_min = (time.monotonic() - began) / 60
    return ConfigRollback(
        deploy_failure,
        rollback_failure,
        duration_min,
        before,
        changed,
        _states(env),
        traffic.requests,
        tuple(traffic.failures),
        seen(_history, env, begun_at),
    )


def _failure(env: Environment, key: str, said: Mapping[str, object], clock: Deadline) -> str:
    """Why a command failed; empty where it did not."""
    command: list[str] = getattr(env.configuration, key)
    try:
        run(command, said, key=f"configuration.{key}", within_s=clock.left_s)
    except CommandFailed as e:
        return e.reason
    return ""


def _history(env: Environment, since: datetime) -> tuple[HistoryEntry, ...]:
    key = "configuration.history_command"
    found = run(
        env.configuration.history_command,
        {},
        key=key,
        within_s=env.time_limits.probe,
        answer=list[HistoryEntry],
    )
    if any(entry.at.tzinfo is None for entry in found):
        raise ProbeError(key, "a time in it has no zone", "write times with their zone")
    return tuple(entry for entry in found if entry.at >= since - _EARLIER)


# -- states ----------------------------------------------------------------------------------------


def _states(env: Environment) -> dict[str, str | Unseen]:
    """What every instance, the balancer and the flags are configured with now."""
    found: dict[str, str | Unseen] = {
        one.name: seen(_of_instance, env, one.name) for one in env.configuration.processes
    }
    return {**found, BALANCER: seen(_of_balancer, env), FLAGS: seen(_of_flags, env)}


def _of_instance(env: Environment, name: str) -> str:
    declared = next(p for p in env.configuration.processes if p.name == name)
    return _digest(sorted(running_variables(env, declared).items()))


def _of_balancer(env: Environment) -> str:
    """Of what is written and of the servers that run; whether one is up is no configuration."""
    config = balancer_config(env)
    servers = sorted([s.name, s.instance, sorted(s.settings.items())] for s in config.running)
    return _digest([msgspec.to_builtins(config.written), servers])


def _of_flags(env: Environment) -> str:
    found = flags(env)
    names = sorted(found.besides(env.flags.synthetic))
    return _digest([(n, found.all[n].state) for n in names])


def _digest(document: Any) -> str:
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# -- traffic ---------------------------------------------------------------------------------------


@dataclass
class Traffic:
    """Requests, one after the other in several threads, until they are told to end."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def going_on(self, env: Environment, site: tuple[str, Address | None]) -> Iterator[None]:
        """Have them go on while the block runs."""
        ends = threading.Event()
        paths = traffic_paths(env)
        threads = [
            threading.Thread(target=self._ask, args=(env, site, paths[n:] + paths[:n], ends))
            for n in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ends.set()
            for thread in threads:
                thread.join()

    def _ask(
        self,
        env: Environment,
        site: tuple[str, Address | None],
        paths: list[str],
        ends: threading.Event,
    ) -> None:
        base, at = site
        with client(env, at) as http:
            turn = 0
            while not ends.is_set():
                path = paths[turn % len(paths)]
                turn += 1
                self._note(path, _answered(http, base + path))

    def _note(self, path: str, failure: str) -> None:
        with self._lock:
            self.requests += 1
            if failure and len(self.failures) < _MOST_TOLD:
                self.failures.append(f"{path}: {failure}")


def traffic_paths(env: Environment) -> list[str]:
    """What is asked for while the configuration changes."""
    paths = env.application.paths
    return env.configuration.traffic_paths or [paths.health, *paths.pages]


def _answered(http: Client, url: str) -> str:
    """Why a request failed; empty where it did not."""
    try:
        answer = http.get(url)
    except ProbeError as e:
        return e.cause
    return "" if answer.status_code < 400 else f"status {answer.status_code}"


def _site(env: Environment) -> tuple[str, Address | None]:
    """The first site that serves what is asked for, before anything is changed.

    :raises ProbeError: none does.
    """
    last = "no site is declared"
    for base, at in sites(env):
        if at is None and not may_be_asked(env, urlsplit(base).hostname or ""):
            continue
        with client(env, at) as http:
            failures = [f for path in traffic_paths(env) if (f := _answered(http, base + path))]
        if not failures:
            return base, at
        last = failures[0]
    step = "check configuration.traffic_paths; nothing was deployed"
    raise ProbeError("the site that requests are sent to", last, step)
