"""What watches a migration: its metrics, the rules over them, a lock wait tried out, its log."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from golive.environments import Environment
from golive.probes.data.postgres import connect, table
from golive.probes.observe import prometheus
from golive.probes.observe.scraping import Coverage, coverage, samples
from golive.probes.transport.machines import Machine
from golive.probing import pause, probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_POLL_S = 0.5
_OF_THE_PRIMARY = frozenset({"lock_waits", "longest_transaction"})
_OF_STANDBYS = "replication_lag"
"""What is watched of database nodes, by which of them it has to be of."""
_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Watched:
    """One thing that is watched while migrating, and the rule over it."""

    noun: str
    metric: str
    sample_age_s: float | Unseen
    """Age of the newest sample of that target whose newest is the oldest; infinite where there is
    none."""
    rule: str
    """Name of the declared rule."""
    loaded: bool | Unseen
    rule_error: str | Unseen
    """What Prometheus says of a rule that it cannot evaluate."""
    receivers: tuple[str, ...] | Unseen
    """Where Alertmanager delivers the rule's alerts."""
    nodes: Coverage | Unseen | None = None
    """The database nodes that it has samples of; None where it is not about one."""


@dataclass(frozen=True, slots=True)
class MigrationRun:
    """The last run that the migration log holds."""

    started_at: datetime | None
    steps: tuple[str, ...]
    """The steps it set out to do."""
    begun: tuple[str, ...]
    done: tuple[str, ...]
    ended: bool
    failure: str

    @property
    def unlogged(self) -> list[str]:
        """Steps that lack their start or their end."""
        return [s for s in self.steps if s not in self.begun or s not in self.done]


@dataclass(frozen=True, slots=True)
class MigrationWatch:
    """The monitoring that a migration relies on."""

    watched: tuple[Watched, ...]
    oncall_receiver: str
    last_run: MigrationRun | Unseen | None
    """None where the log holds no run."""

    @property
    def nouns(self) -> list[str]:
        """What is watched."""
        return [w.noun for w in self.watched]

    def sample_age_s(self, most_s: float) -> dict[str, float] | Unseen:
        """Age of the newest sample, by metric; unseen where none is known to be over ``most_s``,
        and one could not be looked at."""
        ages = {w.metric: w.sample_age_s for w in self.watched}
        known = {m: age_s for m, age_s in ages.items() if not isinstance(age_s, Unseen)}
        unseen = unseen_among(ages.values())
        return known if unseen is None or any(a > most_s for a in known.values()) else unseen

    def unwatched(self, most_s: float) -> list[str] | Unseen:
        """Metrics without a sample that is new enough of a database node that they are about, with
        the node; unseen where nothing is missing, and one does not tell what it is of."""
        nodes = [w.nodes for w in self.watched if w.nodes is not None]
        known = [n for n in nodes if not isinstance(n, Unseen)]
        missing = [f"{n.metric} of {one}" for n in known for one in n.unscraped(most_s)]
        unseen = [n for n in nodes if isinstance(n, Unseen)]
        return unseen[0] if unseen and not missing else missing

    @property
    def unloaded(self) -> list[str] | Unseen:
        """Rules that are not loaded, and what they are for."""
        unseen = unseen_among(w.loaded for w in self.watched)
        if unseen is not None:
            return unseen
        return [f"{w.rule} (for {w.noun})" for w in self.watched if not w.loaded]

    @property
    def broken_rules(self) -> list[str] | Unseen:
        """Rules that cannot be evaluated, and why."""
        unseen = unseen_among(w.rule_error for w in self.watched)
        if unseen is not None:
            return unseen
        return [f"{w.rule}: {w.rule_error}" for w in self.watched if w.rule_error]

    @property
    def routing(self) -> str:
        """What the rules that are routed elsewhere are called."""
        return f"rules not routed to {self.oncall_receiver}"

    @property
    def misrouted(self) -> list[str] | Unseen:
        """Rules that do not reach the on-call receiver, and where they go."""
        found: list[str] = []
        for w in self.watched:
            if isinstance(w.receivers, Unseen):
                return w.receivers
            if self.oncall_receiver not in w.receivers:
                found.append(f"{w.rule} (to {', '.join(w.receivers)})")
        return found

    @property
    def steps(self) -> int | Unseen:
        """How many steps the last run set out to do."""
        run = self.last_run
        return run if isinstance(run, Unseen) else len(run.steps) if run else 0

    @property
    def unlogged(self) -> list[str] | Unseen:
        """Steps of the last run that lack their start or their end."""
        run = self.last_run
        return run if isinstance(run, Unseen) else run.unlogged if run else []

    @property
    def ended(self) -> bool | Unseen:
        """Whether the log has the end of the last run."""
        run = self.last_run
        return run if isinstance(run, Unseen) else run is not None and run.ended

    @property
    def outcome(self) -> str | Unseen:
        """How the last run ended, in words."""
        run = self.last_run
        if isinstance(run, Unseen):
            return run
        if run is None:
            return "no run in the log"
        return run.failure or ("yes" if run.ended else "no")


@dataclass(frozen=True, slots=True)
class LockWaitAlert:
    """A lock wait made on purpose, and what the rule over it did."""

    rule: str
    loaded: bool
    """Whether there is such a rule; without it nothing was tried."""
    held_s: float
    fired_before: bool
    """The alert was firing before there was anything to fire about."""
    fired_after_s: float
    """From the beginning of the wait; infinite when it never fired."""
    resolved_after_s: float
    """From the lock's release; infinite when it did not resolve in time."""

    @property
    def before(self) -> str:
        """What the alert did before there was a wait."""
        return "firing" if self.fired_before else "not firing"

    def of(self, what: str) -> str:
        """Something that the rule did, as claims name it."""
        return f"{self.rule} {what}"


@probe()
def migration_watch(env: Environment) -> MigrationWatch:
    """Metrics, rules and routes that a migration is watched by, and the last run's log."""
    monitoring = env.monitoring
    rules = seen(prometheus.rules, env)
    config = seen(prometheus.alertmanager_config, env)
    last_run = seen(_last_run, env)
    unseen = [part.error for part in (rules, config, last_run) if isinstance(part, Unseen)]
    if len(unseen) == 3:
        raise unseen[0]
    watched = tuple(
        _watched(env, noun, metric, rules, config)
        for noun, metric in monitoring.migration_metrics.items()
    )
    return MigrationWatch(watched, monitoring.oncall_receiver, last_run)


def _watched(
    env: Environment,
    noun: str,
    metric: str,
    rules: Sequence[prometheus.Rule] | Unseen,
    config: dict[str, Any] | Unseen,
) -> Watched:
    name = env.monitoring.migration_rules.get(noun, "")
    found = seen(_samples, env, metric)
    about = Watched(
        noun=noun,
        metric=metric,
        sample_age_s=found if isinstance(found, Unseen) else _oldest_s(found),
        rule=name or "none declared",
        loaded=False,
        rule_error="",
        receivers=(),
        nodes=found if isinstance(found, Unseen) else seen(_nodes, env, noun, metric, found),
    )
    if isinstance(rules, Unseen):  # whose labels decide where they are routed
        return replace(about, loaded=rules, rule_error=rules, receivers=rules)
    rule = {r.name: r for r in rules}.get(name)
    if rule is None:
        return about
    labels = {"alertname": name, **rule.labels}
    return replace(
        about,
        loaded=True,
        rule_error=rule.last_error if rule.health == "err" else "",
        receivers=config
        if isinstance(config, Unseen)
        else tuple(prometheus.routed(config, labels)),
    )


@probe(effect="write", limit="drill")
def lock_wait_alert(env: Environment) -> LockWaitAlert:
    """Hold a lock on a probe table, let a session wait for it, and see the alert come and go."""
    rule = env.monitoring.lock_wait_rule
    if not rule:
        raise ProbeError(
            "the alert on lock waits",
            "monitoring.lock_wait_rule is not declared",
            f"name the rule in {env.source or 'the environment file'}",
        )
    if rule not in {loaded.name for loaded in prometheus.rules(env)}:
        return LockWaitAlert(rule, False, 0.0, False, math.inf, math.inf)  # nothing could fire
    fired_before = _firing(env, rule)
    fired_after_s = resolved_after_s = math.inf
    with _Blockade(env) as blockade:
        while blockade.age_s < env.windows.synthetic_lock_s or (
            math.isinf(fired_after_s) and blockade.age_s < env.windows.lock_wait_alert_s
        ):
            if math.isinf(fired_after_s) and _firing(env, rule):
                fired_after_s = blockade.age_s
            blockade.still_waits(_POLL_S)
            pause(0)
        held_s = blockade.age_s
    released = time.monotonic()
    while (passed_s := time.monotonic() - released) < env.windows.lock_wait_alert_s:
        if not _firing(env, rule):
            resolved_after_s = passed_s
            break
        pause(_POLL_S)
    return LockWaitAlert(rule, True, held_s, fired_before, fired_after_s, resolved_after_s)


class _Blockade:
    """A session that waits for a lock which another one holds, both of them ours."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._table = table(f"{env.postgres.marker_table}_lock")
        self._limit_s = 60 + max(env.windows.lock_wait_alert_s, env.windows.synthetic_lock_s)
        self._opened = ExitStack()
        self._done = threading.Event()
        self._error: Exception | None = None
        self._since = 0.0

    def __enter__(self) -> _Blockade:
        from psycopg import sql

        with ExitStack() as opened:
            owner = opened.enter_context(self._connect(autocommit=True))
            owner.execute(sql.SQL("create table if not exists {} ()").format(self._table))
            opened.callback(owner.execute, sql.SQL("drop table if exists {}").format(self._table))
            holder = opened.enter_context(self._connect(autocommit=False))
            holder.execute(sql.SQL("lock table {} in access exclusive mode").format(self._table))
            waiter = threading.Thread(target=self._wait, daemon=True, name="lock-waiter")
            self._since = time.monotonic()
            waiter.start()
            opened.callback(waiter.join, 10)
            opened.callback(holder.rollback)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def age_s(self) -> float:
        """How long the waiting session has waited."""
        return time.monotonic() - self._since

    def still_waits(self, for_s: float) -> None:
        """Let time pass.

        :raises ProbeError: the session waits no longer.
        """
        if self._done.wait(for_s):
            raise ProbeError(
                "a lock wait made on purpose",
                self._error or "the waiting session got its lock although another one holds it",
                "see whether something ends sessions that wait for locks",
            )

    def _wait(self) -> None:
        from psycopg import sql

        try:
            with self._connect(autocommit=True) as db:
                db.execute(sql.SQL("select from {}").format(self._table))
        except ProbeError as e:
            self._error = e
        finally:
            self._done.set()

    def _connect(self, *, autocommit: bool) -> Any:
        return connect(
            self._env,
            self._env.postgres.primary,
            autocommit=autocommit,
            read_only=False,
            statement_timeout_s=self._limit_s,
            settings={"lock_timeout": "0", "idle_in_transaction_session_timeout": "0"},
        )


def _firing(env: Environment, rule: str) -> bool:
    return any(a.name == rule and a.state == "firing" for a in prometheus.alerts(env))


def _last_run(env: Environment) -> MigrationRun | None:
    path = env.monitoring.migration_log
    if not path:
        raise ProbeError(
            "the migration log",
            "monitoring.migration_log is not declared",
            f"name the file in {env.source or 'the environment file'}",
        )
    return last_run(Machine(env.monitoring.migration_log_address).read(path).splitlines())


def last_run(lines: Iterable[str]) -> MigrationRun | None:
    """The last run of a migration log; None where it holds none.

    :raises ProbeError: a line of it is no JSON object.
    """
    run: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            event = entry["event"]
        except (ValueError, KeyError, TypeError):
            raise ProbeError(
                "the migration log",
                f"line {number} is no JSON object with an event",
                "see monitoring.migration_log in the environment file",
            ) from None
        if event == "start":
            run = []
        if run or event == "start":
            run.append(entry)
    if not run:
        return None

    def steps(event: str) -> tuple[str, ...]:
        return tuple(str(e.get("revision", "")) for e in run if e["event"] == event)

    failures = [str(e.get("error", "no reason given")) for e in run if e["event"] == "failed"]
    at = run[0].get("at")
    return MigrationRun(
        started_at=datetime.fromisoformat(at).astimezone(UTC) if at else None,
        steps=tuple(map(str, run[0].get("steps", ()))),
        begun=steps("step-start"),
        done=steps("step-end"),
        ended=run[-1]["event"] == "end",
        failure=failures[-1] if failures else "",
    )


def _samples(env: Environment, metric: str) -> list[tuple[dict[str, str], float]]:
    """Labels of each series, and the age of its newest sample in seconds."""
    if not _SELECTOR.fullmatch(metric.strip()):
        raise ProbeError(
            f"the age of {metric}",
            "it is no plain selector, and the result of a calculation is always new",
            "declare the metric itself in monitoring.migration_metrics",
        )
    return samples(env, f"timestamp({metric})")


def _oldest_s(found: Iterable[tuple[dict[str, str], float]]) -> float:
    """Age of the newest sample of the target that has had none for longest.

    Series of one target come and go with what they tell, a revision say; targets do not.
    """
    newest: dict[tuple[str, str], float] = {}
    for labels, age_s in found:
        target = labels.get("job", ""), labels.get("instance", "")
        newest[target] = min(age_s, newest.get(target, math.inf))
    return max(newest.values(), default=math.inf)


def _nodes(
    env: Environment, noun: str, metric: str, found: list[tuple[dict[str, str], float]]
) -> Coverage | None:
    """Which of the database nodes that a metric has to be of it has samples of."""
    if noun not in {*_OF_THE_PRIMARY, _OF_STANDBYS} or not found:
        return None
    nodes = env.postgres.nodes
    about = env.postgres.standbys if noun == _OF_STANDBYS else [env.postgres.primary]
    if not about:
        return None
    # What a primary tells of its standbys is theirs, so that there its own name is none.
    among = about if noun == _OF_STANDBYS else nodes
    places = {n.name: (n.host, n.port) for n in among}
    return coverage(env, metric, found, [n.name for n in about], places)
