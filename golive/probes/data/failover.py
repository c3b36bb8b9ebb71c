"""A failover of the database under writes: what it costs, and what it loses."""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from golive.environments import Environment
from golive.probes.data.postgres import called, connect, one, table
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed, Deadline
from golive.probes.transport.http import Client, access_token, client, shown
from golive.probing import pause, probe
from golive.sections import declares
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection

AWAY, PROMOTED, RESTORED, RECONNECTED, REBUILT = STEPS = (
    "standby away and back",
    "promotion",
    "writes restored",
    "application reconnected",
    "old primary rebuilt",
)
"""What takes time in a failover, in its order."""
_WRITERS = 3
_PACE_S = 0.05
"""Between two writes of one writer, and two requests to one instance."""
_PHASE_S = 2.0
"""How long writes and reads are watched before, without the standby, and after."""
_PATIENCE_S = 11.0
"""How long the rebuilt standby is waited for: a second more than WAL may take to reach one."""
_ATTEMPTS = 5
"""Writes that the old primary is asked to take once there is a new one."""
_LINK = {
    # A server that has gone without a word is found out within seconds.
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "4000",
}
_TIMELINE = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
_REFUSALS = ("25006", "42501", "57P01", "57P02", "57P03")
"""Read-only, not allowed, shutting down, starting up: the states in which a server takes no
write."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads while the standby was away, through the endpoint and each application instance."""

    asked: int
    refused: tuple[str, ...]
    from_standbys: int
    """Answered through the endpoint by a server in recovery."""


@dataclass(frozen=True, slots=True)
class Reconnection:
    """How an application instance found the new primary."""

    name: str
    after_s: float
    """From the beginning of the promotion to its first answer after writes were restored;
    infinite where there was none."""
    refused_meanwhile: int
    answers_since: int
    refused_since: tuple[str, ...]
    restarted: bool | Unseen
    """Whether it is another process than before."""


@dataclass(frozen=True, slots=True)
class FailoverDrill:
    """A standby lost and back, then promoted, and the old primary made its standby, all of it
    under writes and reads."""

    primary: str
    """Before."""
    standby: str
    """Before: what was promoted."""
    writes_per_s: float
    """Acknowledged, before the promotion or after writes were restored, whichever was slower."""
    acknowledged: int
    lost: tuple[str, ...] | Unseen
    """Acknowledged writes that are not there afterwards."""
    without_standby: Reads
    promotion_failure: str
    """Why the command failed; empty when it did not."""
    timeline_before: int
    timeline_after: int | Unseen
    attempts_on_old: int
    """Writes that the old primary was asked to take once the new one took them."""
    taken_by_old: tuple[str, ...]
    """Those that it took, or did not clearly refuse."""
    instances: tuple[Reconnection, ...]
    rebuild_failure: str
    in_recovery: tuple[str, ...] | Unseen
    """Which of the two is a standby afterwards."""
    rebuilt_streams: bool | Unseen
    """Whether the old primary receives WAL as it is written."""
    lacking: tuple[str, ...] | Unseen
    """Acknowledged writes that the new primary has and the rebuilt standby does not."""
    durations_s: dict[str, float]
    """By step; infinite where it did not come to an end."""

    @property
    def unmeasured(self) -> list[str]:
        """Steps without a duration."""
        return [step for step in STEPS if self.durations_s.get(step, inf) == inf]

    @property
    def reconnected_s(self) -> dict[str, float]:
        return {i.name: i.after_s for i in self.instances}

    @property
    def refused_since(self) -> list[str]:
        """What instances refused once they had found the new primary."""
        return _counted(f"{i.name}: {why}" for i in self.instances for why in i.refused_since)

    @property
    def answers_since(self) -> int:
        return sum(i.answers_since for i in self.instances)

    @property
    def restarted(self) -> list[str] | Unseen:
        """Instances that are other processes than before; unseen where none is known to be, and
        of one it could not be seen."""
        unseen = unseen_among(i.restarted for i in self.instances)
        known = [i for i in self.instances if not isinstance(i.restarted, Unseen)]
        found = [i.name for i in known if i.restarted]
        return found if found or unseen is None else unseen


class _At(msgspec.Struct, frozen=True):
    """Something that speaks PostgreSQL's protocol."""

    host: str
    port: int
    name: str = "the endpoint that the application writes to"


class _Node(_At, frozen=True):
    role: str = ""


class _App(msgspec.Struct, frozen=True):
    name: str
    url: str


class _Cluster(msgspec.Struct, frozen=True):
    nodes: list[_Node]
    endpoint: _At
    instances: list[_App]

    def node(self, role: str) -> _Node:
        """The node of that role.

        :raises ProbeError: there is none.
        """
        found = next((n for n in self.nodes if n.role == role), None)
        if found is None:
            step = f"see that failover.cluster_command, or postgres.nodes, names a {role}"
            raise ProbeError("the failover", f"there is no {role} to try it on", step)
        return found


def on_a_cluster_of_its_own(env: Environment) -> bool:
    """Whether the drill disrupts nothing that others look at."""
    return declares(env, "failover") and bool(env.failover.cluster_command)


@probe(effect="disrupt", limit="drill", isolated=on_a_cluster_of_its_own)
def failover_drill(env: Environment) -> FailoverDrill:
    """A failover to the standby and the old primary's return, under writes and reads."""
    clock = Deadline(env.time_limits.drill)
    with _cluster(env, clock) as cluster:
        return _Drill(env, cluster, clock).run()


@contextmanager
def _cluster(env: Environment, clock: Deadline) -> Iterator[_Cluster]:
    """What the drill is tried on: a cluster of its own, ended afterwards, or the declared one."""
    failover = env.failover
    if not failover.cluster_command:
        yield _declared(env)
        return

    def end() -> None:
        key = "failover.end_command"
        commands.run(failover.end_command, {}, key=key, within_s=env.time_limits.probe)

    end()  # what an interrupted drill may have left
    try:
        yield commands.run(
            failover.cluster_command,
            {},
            key="failover.cluster_command",
            within_s=clock.left_s,
            answer=_Cluster,
        )
    finally:
        end()


def _declared(env: Environment) -> _Cluster:
    at = env.failover.endpoint or next(iter(env.postgres.poolers), None)
    if at is None:
        raise ProbeError(
            "where the application writes to",
            "the environment declares no pooler and no failover.endpoint",
            "write failover.endpoint: the address that stays the same when the primary changes",
        )
    return _Cluster(
        [_Node(n.host, n.port, n.name, n.role) for n in env.postgres.nodes],
        _At(at.host, at.port),
        [_App(i.name, i.url) for i in env.application.instances],
    )


class _Drill:
    """One failover: the cluster that it is tried on, and its steps."""

    def __init__(self, env: Environment, cluster: _Cluster, clock: Deadline) -> None:
        self._env, self._cluster, self._clock = env, cluster, clock
        self._old, self._new = cluster.node("primary"), cluster.node("standby")
        self._ledger = f"{env.postgres.marker_table}_failover"
        self._durations_s = dict.fromkeys(STEPS, inf)
        self._promoted = False
        if not cluster.instances:
            step = "see that failover.cluster_command, or application.instances, names some"
            raise ProbeError("the failover", "there is no application instance to watch", step)

    def run(self) -> FailoverDrill:
        """Every step; the ledger is removed and the roles are put back afterwards.

        :raises ProbeError: the cluster is not as declared, or the standby does not come back.
        """
        timeline = self._timeline()
        try:
            self._make_ledger()
            return self._tried(timeline)
        finally:
            if not self._env.failover.cluster_command:  # else it is ended as a whole
                self._put_back()

    def _tried(self, timeline: int) -> FailoverDrill:
        durations_s, within_s = self._durations_s, self._env.windows.failover_s
        writes = _Writes(self._env, self._cluster.endpoint, self._ledger)
        with ExitStack() as stack:
            apps = [stack.enter_context(_Requests(self._env, a)) for a in self._cluster.instances]
            started = time.monotonic()
            stack.enter_context(writes)
            pause(_PHASE_S)
            if not writes.acks:
                raise writes.failure or ProbeError(
                    called(self._cluster.endpoint), "no write was acknowledged", "see its log"
                )
            reads = self._without_the_standby(apps)
            began = time.monotonic()
            failure = self._try("promote", node=self._new, primary=self._old)
            if not failure:
                durations_s[PROMOTED] = time.monotonic() - began
            self._wait(
                lambda: max(a.first_since(writes.first_beyond(timeline)) for a in apps) < inf,
                began + within_s + _PHASE_S - time.monotonic(),
            )
            restored = writes.first_beyond(timeline)
            durations_s[RESTORED] = restored - began
            self._promoted = not self._in_recovery(self._new)
            after = self._timeline_of(self._new) if self._promoted else timeline
            taken = self._try_the_old_primary(timeline) if self._promoted else []
            rebuild_failure = self._rebuild()
            pause(_PHASE_S)
            ended = time.monotonic()
        instances = tuple(a.reconnection(began, restored) for a in apps)
        durations_s[RECONNECTED] = max(i.after_s for i in instances)
        acknowledged = {a.number: a for a in writes.acks}
        primary = self._new if self._promoted else self._old
        return FailoverDrill(
            primary=self._old.name,
            standby=self._new.name,
            writes_per_s=min(writes.per_s(started, began), writes.per_s(restored, ended)),
            acknowledged=len(acknowledged),
            lost=seen(self._missing, primary, acknowledged),
            without_standby=reads,
            promotion_failure=failure,
            timeline_before=timeline,
            timeline_after=after,
            attempts_on_old=len(taken),
            taken_by_old=tuple(t for t in taken if t),
            instances=instances,
            rebuild_failure=rebuild_failure,
            in_recovery=seen(
                lambda: tuple(n.name for n in (self._old, self._new) if self._in_recovery(n))
            ),
            rebuilt_streams=seen(self._receives, self._old),
            lacking=seen(self._lacking, acknowledged),
            durations_s=dict(durations_s),
        )

    # -- the steps -------------------------------------------------------------------------------

    def _timeline(self) -> int:
        """The primary's timeline, once both nodes are what they are declared to be.

        :raises ProbeError: they are not.
        """
        for node, wanted in ((self._old, False), (self._new, True)):
            if self._in_recovery(node) != wanted:
                raise ProbeError(
                    called(node),
                    f"it is no {node.role}",
                    "compare the declared roles with pg_is_in_recovery() on each server",
                )
        self._await_stream(self._new)
        return self._timeline_of(self._old)

    def _make_ledger(self) -> None:
        from psycopg import sql

        name, user = table(self._ledger), self._env.failover.user
        with connect(self._env, self._old, read_only=False) as db:
            db.execute(sql.SQL("drop table if exists {}").format(name))
            db.execute(sql.SQL("create table {} (id bigint primary key)").format(name))
            if user:
                grant = "grant select, insert on {} to {}"
                db.execute(sql.SQL(grant).format(name, sql.Identifier(user)))

    def _without_the_standby(self, apps: list[_Requests]) -> Reads:
        """What is read while the standby is stopped.

        :raises ProbeError: it cannot be stopped, or does not come back.
        """
        began = time.monotonic()
        try:
            self._command("stop", node=self._new)
            if _answers(self._env, self._new):
                step = "see what failover.stop_command does"
                raise ProbeError(called(self._new), "it was stopped, and answers", step)
            gone = time.monotonic()
            asked, refused, from_standbys = self._read(_PHASE_S)
            back = time.monotonic()
        finally:
            self._command("start", node=self._new)
        self._await_stream(self._new)
        self._durations_s[AWAY] = time.monotonic() - began
        for app in apps:
            answers = app.between(gone, back)
            asked += len(answers)
            refused += [f"{app.name}: {a.refused}" for a in answers if a.refused]
        return Reads(asked, tuple(_counted(refused)), from_standbys)

    def _read(self, for_s: float) -> tuple[int, list[str], int]:
        """Reads through the endpoint for a while: how many, why some were refused, and how many
        a server in recovery answered."""
        ends, asked, refused, from_standbys = time.monotonic() + for_s, 0, list[str](), 0
        while time.monotonic() < ends:
            try:
                with _through(self._env, self._cluster.endpoint) as db:
                    while time.monotonic() < ends:
                        asked += 1
                        found = one(db, b"select pg_is_in_recovery() as is_standby")
                        from_standbys += bool(found.is_standby)
                        pause(_PACE_S)
            except ProbeError as e:
                refused.append(e.cause)
                pause(_PACE_S)
        return max(asked, len(refused)), refused, from_standbys

    def _try_the_old_primary(self, timeline: int) -> list[str]:
        """What came of each write that it was asked for: empty where it was refused."""
        taken = []
        for number in range(1, _ATTEMPTS + 1):
            taken.append(self._attempt(-number, timeline))
            pause(4 * _PACE_S)
        return taken

    def _attempt(self, number: int, timeline: int) -> str:
        """:raises ProbeError: another server answers at the old primary's address."""
        import psycopg

        where = called(self._old)
        try:
            with connect(self._env, self._old, read_only=False, libpq=_LINK) as db:
                try:
                    found = _write(db, self._ledger, number)
                except psycopg.Error as e:
                    if e.sqlstate is None or e.sqlstate in _REFUSALS:
                        return ""
                    return f"{where} says: {str(e).splitlines()[0]}"
        except ProbeError:
            return ""  # it was connected to before, so it is down or refuses everybody
        if found > timeline:
            step = "declare the servers' own addresses, which stay when the primary changes"
            raise ProbeError(where, "the new primary answers there now", step)
        return f"{where} took write {number}"

    def _rebuild(self) -> str:
        """Why the old primary could not be made a standby; empty when it was."""
        if not self._promoted:
            return f"{self._new.name} was not promoted, so that nothing can follow it"
        began = time.monotonic()
        failure = self._try("rebuild", node=self._old, primary=self._new)
        if not failure and self._wait(lambda: self._streams(self._old), _PATIENCE_S):
            self._durations_s[REBUILT] = time.monotonic() - began
        return failure

    def _put_back(self) -> None:
        """Remove the ledger and give both nodes the roles they had.

        :raises ProbeError: they could not be given.
        """
        from psycopg import sql

        if self._promoted:
            try:
                self._command("promote", node=self._old, primary=self._new)
                self._command("rebuild", node=self._new, primary=self._old)
            except ProbeError as e:
                step = f"make {self._old.name} the primary again by hand"
                raise ProbeError(e.subject, e.cause, step) from None
        with connect(self._env, self._old, read_only=False) as db:
            db.execute(sql.SQL("drop table if exists {}").format(table(self._ledger)))

    # -- looking ---------------------------------------------------------------------------------

    def _missing(self, node: _Node, writes: dict[int, _Ack]) -> tuple[str, ...]:
        """Those of these writes that a node does not have."""
        gone = sorted(set(writes) - self._rows(node))
        return tuple(f"write {n} on timeline {writes[n].timeline}" for n in gone)

    def _lacking(self, acknowledged: dict[int, _Ack]) -> tuple[str, ...]:
        """Acknowledged writes that the new primary has and the rebuilt standby does not get.

        :raises ProbeError: one of them does not answer.
        """
        kept = self._rows(self._new)
        wanted = {n: ack for n, ack in acknowledged.items() if n in kept}
        self._wait(lambda: not self._missing(self._old, wanted), _PATIENCE_S)
        return self._missing(self._old, wanted)

    def _rows(self, node: _Node) -> set[int]:
        from psycopg import sql

        with connect(self._env, node) as db:
            query = sql.SQL("select id from {}").format(table(self._ledger))
            return {int(row.id) for row in db.execute(query)}

    def _in_recovery(self, node: _Node) -> bool:
        with connect(self._env, node) as db:
            return bool(one(db, b"select pg_is_in_recovery() as answer").answer)

    def _timeline_of(self, node: _Node) -> int:
        with connect(self._env, node) as db:
            return int(one(db, f"select {_TIMELINE} as timeline".encode()).timeline)

    def _receives(self, node: _Node) -> bool:
        """Whether a WAL receiver runs. Only its row is for everybody to see."""
        with connect(self._env, node) as db:
            query = b"select exists (select from pg_stat_wal_receiver) as answer"
            return bool(one(db, query).answer)

    def _streams(self, node: _Node) -> bool:
        try:
            return self._in_recovery(node) and self._receives(node)
        except ProbeError:
            return False

    def _await_stream(self, node: _Node) -> None:
        if not self._wait(lambda: self._streams(node), self._limit_s):
            cause = f"it did not stream within {self._limit_s:g} s"
            raise ProbeError(called(node), cause, "see its log, then run again")

    # -- small tools -----------------------------------------------------------------------------

    @property
    def _limit_s(self) -> float:
        return min(self._env.time_limits.probe, self._clock.left_s)

    def _command(self, what: str, **nodes: _Node) -> None:
        """:raises CommandFailed: it did not do it."""
        commands.run(
            getattr(self._env.failover, f"{what}_command"),
            {name: node.name for name, node in nodes.items()},
            key=f"failover.{what}_command",
            within_s=self._clock.left_s,
        )

    def _try(self, what: str, **nodes: _Node) -> str:
        """Why a command failed; empty when it did not."""
        try:
            self._command(what, **nodes)
        except CommandFailed as e:
            return e.reason
        return ""

    def _wait(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Whether it came to hold in that time."""
        ends = time.monotonic() + within_s
        while not (held := holds()) and time.monotonic() < ends:
            pause(_PACE_S)
        return held


# -- what goes on meanwhile ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ack:
    """An acknowledged write."""

    at: float
    number: int
    timeline: int


@dataclass(frozen=True, slots=True)
class _Answer:
    began: float
    ended: float
    refused: str


class _Watcher:
    """Threads that do one thing over and over until the block ends."""

    def __init__(self, threads: int) -> None:
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._go, daemon=True) for _ in range(threads)]

    def _go(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(timeout=2 * _PHASE_S)


class _Writes(_Watcher):
    """Rows written to the ledger through the application's endpoint, each with its number."""

    def __init__(self, env: Environment, endpoint: _At, ledger: str) -> None:
        super().__init__(_WRITERS)
        self._env, self._endpoint, self._ledger = env, endpoint, ledger
        self._numbers = itertools.count(1)
        self._links: list[Connection] = []
        self.acks: list[_Ack] = []
        self.failure: ProbeError | None = None

    def _go(self) -> None:
        while not self._ends.is_set():
            try:
                with _through(self._env, self._endpoint) as db:
                    self._links.append(db)
                    while not self._ends.wait(_PACE_S):
                        number = next(self._numbers)
                        timeline = _write(db, self._ledger, number)
                        self.acks.append(_Ack(time.monotonic(), number, timeline))
            except ProbeError as e:
                self.failure = e
                self._ends.wait(_PACE_S)

    def __exit__(self, *ended: Any) -> None:
        self._ends.set()
        for link in self._links:  # one may wait for a pooler that waits for a server
            with suppress(Exception), socket.socket(fileno=os.dup(link.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        super().__exit__(*ended)

    def first_beyond(self, timeline: int) -> float:
        """When the first write on a later timeline was acknowledged; infinite: none was."""
        return min((a.at for a in list(self.acks) if a.timeline > timeline), default=inf)

    def per_s(self, since: float, until: float) -> float:
        """Acknowledged writes in a second of that time."""
        if since >= until:
            return 0.0
        return sum(since <= a.at <= until for a in self.acks) / (until - since)


class _Requests(_Watcher):
    """Reads of one account's own data, asked of one application instance."""

    def __init__(self, env: Environment, app: _App) -> None:
        super().__init__(threads=1)
        self._env, self._base = env, app.url.rstrip("/")
        self.name = app.name
        self._answers: list[_Answer] = []
        self._headers: dict[str, str] = {}
        self._started: float | Unseen = 0.0

    def __enter__(self) -> Self:
        """:raises ProbeError: the instance does not let the first account in."""
        with client(self._env) as http:
            token = access_token(self._env, http, self._base, self._env.application.accounts[0])
            self._started = seen(_started, self._env, http, self._base)
        self._headers = {"Authorization": f"Bearer {token}"}
        return super().__enter__()

    def _go(self) -> None:
        url = self._base + self._env.application.paths.me
        with client(self._env) as http:
            while not self._ends.wait(_PACE_S):
                began, refused = time.monotonic(), ""
                try:
                    status = http.get(url, self._headers).status_code
                    refused = "" if status == 200 else f"{shown(url)} answers {status}"
                except ProbeError as e:
                    refused = f"{e.subject}: {e.cause}"
                self._answers.append(_Answer(began, time.monotonic(), refused))

    def between(self, began: float, ended: float) -> list[_Answer]:
        """What came of requests that were begun and answered in that time."""
        return [a for a in list(self._answers) if began <= a.began and a.ended <= ended]

    def first_since(self, at: float) -> float:
        """When the first request begun since then was answered; infinite: none was."""
        found = (a.ended for a in list(self._answers) if a.began >= at and not a.refused)
        return min(found, default=inf)

    def reconnection(self, began: float, restored: float) -> Reconnection:
        """How it found the new primary, which took the first write at ``restored``."""
        found = self.first_since(restored)
        since = self.between(found, inf)
        meanwhile = [a for a in self.between(began, inf) if a.began < found and a.refused]
        with client(self._env) as http:
            now = seen(_started, self._env, http, self._base)
        unseen = unseen_among((self._started, now))
        return Reconnection(
            self.name,
            found - began,
            len(meanwhile),
            len(since),
            tuple(a.refused for a in since if a.refused),
            # The machine's clock, by which it is told, may be put right meanwhile.
            unseen if unseen is not None else abs(now - self._started) > 1.5,
        )


def _started(env: Environment, http: Client, base: str) -> float:
    """When an instance's process began, as its metrics tell (Unix seconds).

    :raises ProbeError: they do not.
    """
    url = base + env.application.paths.metrics
    found = _STARTED.search(http.get(url).text)
    if found is None:
        raise ProbeError(
            f"when the process behind {shown(url)} began",
            "process_start_time_seconds is not among its metrics",
            "have each instance serve it, as Prometheus clients do, from one process",
        )
    return float(found[1])


_STARTED = re.compile(r"^process_start_time_seconds(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@contextmanager
def _through(env: Environment, endpoint: _At) -> Iterator[Connection]:
    """A connection as the application's are."""
    own = env.failover
    with connect(
        env,
        endpoint,
        user=own.user or None,
        password=own.password,
        read_only=False,
        behind_pooler=True,
        libpq=_LINK,
    ) as db:
        yield db


def _write(db: Connection, ledger: str, number: int) -> int:
    """Write a row and wait for its acknowledgement; the timeline that it is on."""
    from psycopg import sql

    text = "insert into {} (id) values (%s) returning {} as timeline"
    statement = sql.SQL(text).format(table(ledger), sql.SQL(_TIMELINE))
    return int(one(db, statement, [number]).timeline)


def _counted(refused: Iterable[str]) -> list[str]:
    """Each once, with how often there was more than one."""
    return [f"{why} ({n} times)" if n > 1 else why for why, n in Counter(refused).items()]


def _answers(env: Environment, node: _Node) -> bool:
    try:
        with connect(env, node):
            return True
    except ProbeError:
        return False
