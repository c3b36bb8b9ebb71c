"""Probes: code that looks at one system and returns frozen facts, once per session.

A probe is a function whose first parameter is the environment and whose further parameters
are named after other probes. ``@probe`` registers it; the plugin offers every registered
probe to items as a fixture of the same name.

    @probe()
    def redis_cluster(env: Environment) -> RedisCluster: ...

    @probe(effect="load", limit="drill")
    def pool_burst(env: Environment, poolers: Poolers) -> Burst: ...

Clients of other systems are imported inside the probe, so that collection loads none of them.
"""

from __future__ import annotations

import importlib
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from golive.environments import Environment, TimeLimits
from golive.verdicts import NotPermitted, ProbeError

Ask = Callable[[str, Callable[[Environment], Any]], Any]
"""What an item asks for a look that only it knows what at: its name, and what looks."""
EFFECTS = ("read", "write", "load", "disrupt", "spend")
"""What looking does, from harmless to costly."""
CONCURRENT = frozenset({"read", "write"})
"""Effects that may run side by side with any other look."""
_HARMLESS = "read"
"""The effect that leaves nothing behind when its thread ends with the process."""
_DRILLS_AT_ONCE = 2
"""Restores and migrations keep a core each busy; more of them would only be slower."""

_IMPORTING = threading.Lock()

Function = TypeVar("Function", bound=Callable[..., Any])


def import_whole(*packages: str) -> None:
    """Import packages before a probe uses some of their modules.

    Such modules import one another: of two probes that begin at different ones at once, each could
    meet what the other has imported by half, or wait for it.
    """
    with _IMPORTING:
        for package in packages:
            importlib.import_module(package)


@dataclass(frozen=True, slots=True)
class Probe:
    """A registered probe. ``limit`` names a key of the environment's ``time_limits``."""

    name: str
    look: Callable[..., Any]
    needs: tuple[str, ...]
    effect: str
    limit: str
    summary: str
    isolated: bool | Callable[[Environment], bool] = False
    """Whether a disturbing one works on copies of its own, so that others may look meanwhile;
    where that is the environment's choice, a function tells."""

    def is_isolated(self, env: Environment | None) -> bool:
        """Whether others may look meanwhile; without an environment, whether they ever may."""
        if not callable(self.isolated):
            return self.isolated
        return env is None or self.isolated(env)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a probe found, when, and how long looking took. ``error`` when it could not look."""

    probe: str
    observed_at: datetime
    duration_s: float
    value: Any = None
    error: ProbeError | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What was under way when a session ended, by the names of the probes."""

    waited: tuple[str, ...]
    """Those that have ended since, and cleaned up behind themselves."""
    left: tuple[str, ...]
    """Those that had to be left behind: what they have changed may still be so."""


class SessionEnded(Exception):
    """The session has ended before a look was through: nothing asks for its facts any more."""

    def __str__(self) -> str:
        return "the session ended first"


REGISTRY: dict[str, Probe] = {}
_SESSION_ENDS: ContextVar[threading.Event | None] = ContextVar("session_ends", default=None)


def pause(seconds: float) -> None:
    """Let time pass within a look that has something to undo, but no longer than the session.

    What undoes it must not pause: it belongs into a ``finally``, which this leads to.

    :raises SessionEnded: the session has ended.
    """
    ends = _SESSION_ENDS.get()
    if ends is None:  # called without a session, or from a thread of the look's own
        time.sleep(seconds)
    elif ends.wait(seconds):
        raise SessionEnded


def probe(
    *,
    effect: str = "read",
    limit: str = "probe",
    isolated: bool | Callable[[Environment], bool] = False,
) -> Callable[[Function], Function]:
    """Register a probe. The function itself stays callable, for its own tests.

    :param isolated: it disrupts only copies of its own, so that it may run beside others; a
        function where the environment decides on that. What loads or disrupts the environment
        itself runs alone.
    :raises ValueError: for an unknown effect or limit, or a name registered twice.
    """
    if effect not in EFFECTS:
        raise ValueError(f"effect {effect!r} is none of {', '.join(EFFECTS)}")
    if limit not in TimeLimits.__struct_fields__:
        raise ValueError(f"limit {limit!r} is none of {', '.join(TimeLimits.__struct_fields__)}")

    def register(function: Function) -> Function:
        name = function.__name__
        known = REGISTRY.get(name)
        if known is not None and known.look.__module__ != function.__module__:
            raise ValueError(f"two probes are named {name!r}")
        needs = tuple(inspect.signature(function).parameters)[1:]
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        REGISTRY[name] = Probe(name, function, needs, effect, limit, summary, isolated)
        return function

    return register


def closure(names: Iterable[str]) -> dict[str, Probe]:
    """The probes among ``names`` and all that they need, needed ones first."""
    found: dict[str, Probe] = {}

    def add(name: str) -> None:
        known = REGISTRY.get(name)
        if known is None or name in found:
            return
        for need in known.needs:
            add(need)
        found[name] = known

    for name in names:
        add(name)
    return found


def disturbing(probes: Mapping[str, Probe]) -> set[str]:
    """Of a closure, the probes that load or disrupt, or need one that does."""
    return _with_dependents(probes, {p.name for p in probes.values() if p.effect not in CONCURRENT})


def exclusive(probes: Mapping[str, Probe], env: Environment | None = None) -> set[str]:
    """Of a closure, the probes that nothing may run beside, and what needs one of them."""
    loud = [p for p in probes.values() if p.effect not in CONCURRENT]
    found = {p.name for p in loud if not p.is_isolated(env)}
    return _with_dependents(probes, found)


def _with_dependents(probes: Mapping[str, Probe], found: set[str]) -> set[str]:
    for p in probes.values():  # needed ones come first, so one pass is enough
        if found.intersection(p.needs):
            found.add(p.name)
    return found


class FactStore:
    """The facts of one session: every probe looks at most once, side by side where it may.

    Concurrent probes begin at once. Drills on copies of their own follow as soon as the quick ones
    are through, a few at a time. What loads or disrupts the environment itself waits until an
    item asks, and for all that is under way.

    :param told: called once for each probe when its facts are in (also when it could not look).
    """

    def __init__(
        self, env: Environment, reported: Callable[[Facts], None] = lambda _: None
    ) -> None:
        self._env = env
        self._reported = reported
        self._lock = threading.Lock()
        self._futures: dict[str, Future[Facts]] = {}
        self._drills = threading.BoundedSemaphore(_DRILLS_AT_ONCE)
        self._one_exclusive = threading.Lock()
        self._looking: dict[Future[Any], str] = {}
        self._ends = threading.Event()

    def start(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Begin what may run beside others, each in a thread: the concurrent ones' and the drills'
        names."""
        probes = closure(names)
        waiting, drills = exclusive(probes, self._env), disturbing(probes)
        started = [name for name in probes if name not in waiting]
        for name in started:
            self._future(probes[name])
        return [n for n in started if n not in drills], [n for n in started if n in drills]

    def under_way(self) -> list[str]:
        """The looks that write, load, disrupt or spend and have not ended, their time limit or
        not: what has to be waited for, so that it cleans up behind itself."""
        with self._lock:
            return [name for look, name in self._looking.items() if not look.done()]

    def finish(self) -> Ended:
        """Begin nothing more, and wait for what is under way and cleans up behind itself, at most
        ``time_limits.drill``. Interrupted once more, it waits no longer."""
        self._ends.set()
        with self._lock:  # whoever was about to begin has either begun or will not
            looking = {look: name for look, name in self._looking.items() if not look.done()}
        with suppress(KeyboardInterrupt):  # what it leaves is reported all the same
            wait(looking, timeout=self._env.time_limits.drill)
        return Ended(
            tuple(name for look, name in looking.items() if look.done()),
            tuple(name for look, name in looking.items() if not look.done()),
        )

    def get(self, name: str) -> Any:
        """The facts of a probe, gathered now if they were not.

        :raises ProbeError: it could not look; the same error for every item that asks.
        """
        return self.ask(REGISTRY[name])

    def ask(self, p: Probe) -> Any:
        """What a look finds that only an item can ask for, since only that knows what at: as
        :meth:`get`, with its time limit and on record, once for each name.

        :raises ProbeError: it could not look.
        """
        facts = self._future(p).result()
        if facts.error is not None:
            raise facts.error
        return facts.value

    def facts(self, name: str) -> Facts:
        """The facts of a probe with their time, error included."""
        return self._future(REGISTRY[name]).result()

    def _future(self, p: Probe) -> Future[Facts]:
        with self._lock:
            future = self._futures.get(p.name)
            if future is not None:
                return future
            future = self._futures[p.name] = Future()
        threading.Thread(target=self._run, args=(p, future), daemon=True, name=p.name).start()
        return future

    def _run(self, p: Probe, future: Future[Facts]) -> None:
        # What a probe needs is awaited outside its own time limit.
        needs: list[Any] = []
        for need in p.needs:
            if need not in REGISTRY:
                cause = f"it needs {need!r}, which is no probe"
                self._fail(p, future, datetime.now(UTC), time.perf_counter(), cause)
                return
            facts = self.facts(need)
            if facts.error is not None:
                self._settle(p, future, datetime.now(UTC), 0.0, error=facts.error)
                return
            needs.append(facts.value)
        if p.effect in CONCURRENT:
            self._look(p, needs, future)
            return
        self._await_others(p)
        with self._drills if p.is_isolated(self._env) else self._one_exclusive:
            self._look(p, needs, future)

    def _look(self, p: Probe, needs: list[Any], future: Future[Facts]) -> None:
        started_at, started = datetime.now(UTC), time.perf_counter()
        if p.effect not in self._env.permits:
            error = NotPermitted(
                p.summary or p.name,
                f"{self._env.name} does not permit the effect {p.effect!r}",
                f"add {p.effect!r} to permits in {self._env.source} once that is agreed",
            )
            self._settle(p, future, started_at, 0.0, error=error)
            return
        limit_s = self._env.time_limits.seconds(p.limit)
        inner: Future[Any] = Future()

        def look() -> None:
            _SESSION_ENDS.set(self._ends)
            try:
                inner.set_result(p.look(self._env, *needs))
            except BaseException as e:  # noqa: BLE001 - handed to whoever waits, never dropped
                inner.set_exception(e)

        with self._lock:
            ended = self._ends.is_set()
            if not ended and p.effect != _HARMLESS:
                self._looking[inner] = p.name
        if ended:
            self._fail(p, future, started_at, started, SessionEnded())
            return
        # A thread cannot be stopped from outside: past its limit it is left behind as a daemon.
        threading.Thread(target=look, daemon=True, name=f"look-{p.name}").start()
        try:
            value = inner.result(timeout=limit_s)
        except FutureTimeout as e:
            cause = f"{type(e).__name__}: {e}"
            if not inner.done():
                cause = f"no answer within {limit_s:g} s (time_limits.{p.limit})"
            self._fail(p, future, started_at, started, cause)
        except ProbeError as e:
            self._settle(p, future, started_at, time.perf_counter() - started, error=e)
        except SessionEnded as e:
            self._fail(p, future, started_at, started, e)
        except BaseException as e:  # noqa: BLE001 - any other error also means: could not look
            self._fail(p, future, started_at, started, f"{type(e).__name__}: {e}")
        else:
            self._settle(p, future, started_at, time.perf_counter() - started, value=value)

    def _await_others(self, p: Probe) -> None:
        """Wait for looks that this one would spoil, but for none that may wait for this one."""
        with self._lock:
            probes = closure(self._futures)
            if p.is_isolated(self._env):  # looks with a drill's time limit mostly wait themselves
                skipped = disturbing(probes) | {n for n, q in probes.items() if q.limit != "probe"}
            else:
                skipped = exclusive(probes, self._env)
            others = [f for name, f in self._futures.items() if name not in skipped]
        for future in others:
            future.result()

    def _fail(
        self, p: Probe, future: Future[Facts], at: datetime, started: float, cause: object
    ) -> None:
        error = ProbeError(p.summary or p.name, cause, f"see the probe {p.name}")
        self._settle(p, future, at, time.perf_counter() - started, error=error)

    def _settle(
        self,
        p: Probe,
        future: Future[Facts],
        at: datetime,
        duration_s: float,
        *,
        value: Any = None,
        error: ProbeError | None = None,
    ) -> None:
        facts = Facts(p.name, at, duration_s, value, error)
        try:
            self._reported(facts)
        except BaseException as e:  # noqa: BLE001 - whoever waits must not hang, nor rely on it
            cause = f"its facts could not be kept: {type(e).__name__}: {e}"
            lost = ProbeError(p.summary or p.name, cause, "make room for the reports")
            facts = Facts(p.name, at, duration_s, error=lost)
        future.set_result(facts)
