"""The database cluster as a whole: who is who, does WAL arrive, is it archived, is there room."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from golive import verdicts
from golive.environments import Environment, Node
from golive.probes.data.postgres import called, connect
from golive.probes.transport.addresses import is_this_machine
from golive.probes.transport.machines import Machine
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from golive.probes.data.postgres import Connection, Server

REPLAY_PATIENCE_S = 11.0
"""How long the marker is waited for: a second more than the procedure allows."""
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot that should be in use."""

    node: str
    name: str
    active: bool
    wal_status: str
    invalid: str
    """Why the server has given it up; empty when it has not."""

    @property
    def usable(self) -> bool:
        """Whether somebody reads from it and the WAL it needs is still there."""
        return self.active and not self.invalid and self.wal_status not in {"lost", "unreserved"}

    def __str__(self) -> str:
        state = "active" if self.active else "inactive"
        text = f"{self.name} on {self.node} is {state}, WAL {self.wal_status or 'not reserved'}"
        return f"{text}, {self.invalid}" if self.invalid else text


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One declared server. Everything after ``error`` means nothing when it has one."""

    name: str
    error: str
    """Why it does not answer; empty when it does."""
    in_recovery: bool = False
    system_identifier: str | Unseen = ""
    receives: bool | Unseen = False
    """Whether its WAL receiver streams."""
    feeds: tuple[str, ...] | Unseen = ()
    """Standbys that stream from it, as it sees them."""
    checksums_on: bool = False
    checksum_failures: int = 0
    slots: tuple[Slot, ...] = ()

    @property
    def answers(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class Replay:
    """How long a standby took to replay a marker committed on the primary."""

    standby: str
    arrived: bool
    after_s: float
    """Time to arrival, or that was waited in vain."""
    paused: bool

    def __str__(self) -> str:
        if self.arrived:
            return self.standby
        return f"{self.standby} ({'replay is paused' if self.paused else 'not replayed yet'})"


_NO_ATTEMPT = verdicts.Unseen(
    ProbeError(
        "whether WAL is archived",
        "the server knows of no attempt, as in the first minutes or after a reset of its counters",
        "select pg_switch_wal(); then run again",
    )
)


@dataclass(frozen=True, slots=True)
class Archiver:
    """The primary's WAL archiver."""

    on: bool
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_failed_wal: str

    @property
    def healthy(self) -> bool | verdicts.Unseen:
        """Whether its last attempt that is known was a success; unseen where none is known, as
        after its counters were reset."""
        if not self.on:
            return False
        if self.last_success_at is None:
            return self.last_failure_at is None and _NO_ATTEMPT
        return self.last_failure_at is None or self.last_success_at > self.last_failure_at

    def __str__(self) -> str:
        if not self.on:
            return "archive_mode is off"
        success = _shown(self.last_success_at)
        if self.last_failure_at is None:
            return f"last success {success}, no failure"
        failure = _shown(self.last_failure_at)
        return f"last success {success}, last failure {failure} ({self.last_failed_wal})"


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """The declared servers, and what only shows between them."""

    nodes: tuple[ClusterNode, ...]
    replays: tuple[Replay, ...]
    archiver: Archiver | None
    """None where there is no single primary to ask."""
    disks: dict[str, float]
    """Free share in percent by node and path: data directory, WAL and tablespaces."""
    disks_unseen: Unseen | None = None
    """Why those of some node could not be looked at."""

    @property
    def primaries(self) -> list[str]:
        return [n.name for n in self.nodes if n.answers and not n.in_recovery]

    @property
    def standbys(self) -> list[str]:
        return [n.name for n in self.nodes if n.answers and n.in_recovery]

    @property
    def disk_free_percent(self) -> dict[str, float] | Unseen:
        """Free share by node and path, of the disks that were looked at."""
        return self.disks if self.disks or self.disks_unseen is None else self.disks_unseen

    @property
    def disks_not_seen(self) -> list[str] | Unseen:
        """Nothing, where each node's disks were looked at."""
        return [] if self.disks_unseen is None else self.disks_unseen

    @property
    def feeds(self) -> list[str] | Unseen:
        """Every standby that any node sees streaming from it."""
        unseen = unseen_among(n.feeds for n in self.nodes)
        return [f for n in self.nodes for f in n.feeds] if unseen is None else unseen

    def feeds_as_many(self, standbys: int) -> bool | Unseen:
        """Whether so many standbys stream."""
        found = self.feeds
        return found if isinstance(found, Unseen) else len(found) == standbys

    @property
    def no_response(self) -> list[str]:
        """Nodes that do not answer, with the reason."""
        return [f"{n.name}: {n.error}" for n in self.nodes if not n.answers]

    @property
    def systems(self) -> int | Unseen:
        """How many database systems the nodes belong to; one cluster is one system."""
        known = [n.system_identifier for n in self.nodes if n.answers]
        unseen = unseen_among(known)
        return len(set(known)) if unseen is None else unseen

    @property
    def not_streaming(self) -> list[str] | Unseen:
        """Standbys whose WAL receiver does not stream; unseen where none is known and that of
        one could not be looked at."""
        standbys = [n for n in self.nodes if n.answers and n.in_recovery]
        unseen = unseen_among(n.receives for n in standbys)
        found = [n.name for n in standbys if not isinstance(n.receives, Unseen) and not n.receives]
        return found if found or unseen is None else unseen

    @property
    def replayed_after_s(self) -> dict[str, float]:
        return {str(r): r.after_s for r in self.replays}

    @property
    def unusable_slots(self) -> list[Slot]:
        return [slot for n in self.nodes for slot in n.slots if not slot.usable]

    @property
    def without_checksums(self) -> list[str]:
        return [n.name for n in self.nodes if n.answers and not n.checksums_on]

    @property
    def checksum_failures(self) -> dict[str, int]:
        return {n.name: n.checksum_failures for n in self.nodes if n.answers}


@probe(effect="write")
def postgres_cluster(env: Environment) -> PostgresCluster:
    """Every declared PostgreSQL server, and a WAL marker followed from primary to standbys."""
    nodes: list[ClusterNode] = []
    errors: list[ProbeError] = []
    free: dict[str, float] = {}
    unseen: Unseen | None = None
    with ExitStack() as stack:
        links: dict[str, Connection] = {}
        for node in env.postgres.nodes:
            try:
                # A write connection: the marker goes to whichever node is the primary.
                link = stack.enter_context(connect(env, node, read_only=False))
            except ProbeError as e:
                nodes.append(ClusterNode(node.name, e.cause))
                errors.append(e)
                continue
            links[node.name] = link
            nodes.append(_look(node, link))
            found = seen(_disk_free_percent, node, link)
            if isinstance(found, Unseen):
                unseen = found if unseen is None else unseen
            else:
                free |= found
        _raise_if_unseen(env, nodes, errors)
        primaries = [n.name for n in nodes if n.answers and not n.in_recovery]
        standbys = {n.name: links[n.name] for n in nodes if n.answers and n.in_recovery}
        if len(primaries) != 1:
            return PostgresCluster(tuple(nodes), (), None, free, unseen)
        primary = links[primaries[0]]
        replays = _follow_marker(primary, standbys)
        return PostgresCluster(tuple(nodes), replays, _archiver(primary), free, unseen)


def members(env: Environment) -> list[str]:
    """Servers that answer, by their declared names, and whoever else streams from one of them.

    :raises ProbeError: none of them answers.
    """
    found: dict[str, None] = {}
    errors: list[ProbeError] = []
    for node in env.postgres.nodes:
        try:
            with connect(env, node) as link:
                found |= {node.name: None, **dict.fromkeys(_look(node, link).feeds)}
        except ProbeError as e:
            errors.append(e)
    if not found:
        raise errors[0]
    # A standby is called as it calls itself; the address behind that tells nothing new here.
    return list(dict.fromkeys(name.split(" from ")[0] for name in found))


def _raise_if_unseen(env: Environment, nodes: list[ClusterNode], errors: list[ProbeError]) -> None:
    """A node that does not answer is down only if the others miss it too."""
    if not errors:
        return
    feeds = sum(len(n.feeds) for n in nodes if not isinstance(n.feeds, Unseen))
    if unseen_among(n.feeds for n in nodes) is not None:
        raise errors[0]
    if len(errors) == len(nodes) or feeds >= len(env.postgres.standbys):
        raise errors[0]


_LOOK = """
select pg_is_in_recovery() as in_recovery,
       coalesce((select status = 'streaming' from pg_stat_wal_receiver), false) as receives,
       current_setting('data_checksums') = 'on' as checksums_on,
       (select coalesce(sum(checksum_failures), 0)::bigint from pg_stat_database) as failures,
       pg_has_role(current_user, 'pg_monitor', 'usage') as sees_all
"""
# Who only receives WAL to keep it (pg_receivewal, a backup) reports no replay position;
# subscribers of logical replication are no standbys.
_FEEDS = """
select concat_ws(' from ', nullif(r.application_name, ''), coalesce(host(r.client_addr), 'local'))
       as name
from pg_stat_replication r
where r.state = 'streaming' and r.replay_lsn is not null and not exists (
    select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')
"""
# Columns that only newer servers have are read through jsonb. A slot that is synchronised
# from the primary rests on a standby by design.
_SLOTS = """
select s.slot_name as name, s.active, coalesce(s.wal_status, '') as wal_status,
       coalesce(to_jsonb(s) ->> 'invalidation_reason', '') as invalid
from pg_replication_slots s
where not s.temporary and not coalesce((to_jsonb(s) ->> 'synced')::boolean, false)
"""


def _look(node: Node, link: Connection) -> ClusterNode:
    row = _row(link, _LOOK)
    hidden: Unseen | None = None
    if not row.sees_all:
        hidden = Unseen(
            ProbeError(
                called(node),
                f"the user {link.info.user} does not see replication: it is not in pg_monitor",
                f"grant pg_monitor to {link.info.user};",
            )
        )
    return ClusterNode(
        name=node.name,
        error="",
        in_recovery=row.in_recovery,
        system_identifier=seen(system_identifier, link, node),
        receives=bool(row.receives) if hidden is None else hidden,
        feeds=tuple(r.name for r in link.execute(_FEEDS)) if hidden is None else hidden,
        checksums_on=row.checksums_on,
        checksum_failures=int(row.failures),
        slots=tuple(
            Slot(node.name, r.name, r.active, r.wal_status, r.invalid) for r in link.execute(_SLOTS)
        ),
    )


def system_identifier(link: Connection, node: Server) -> str:
    """Which database system a server belongs to.

    :raises ProbeError: its user may not ask, as on some managed databases.
    """
    from psycopg import errors

    try:
        row = _row(link, "select system_identifier::text as id from pg_control_system()")
    except errors.InsufficientPrivilege as e:
        grant = f"grant execute on function pg_control_system() to {link.info.user};"
        raise ProbeError(f"the identifier of {called(node)}", e, grant) from None
    return str(row.id)


def _follow_marker(primary: Connection, standbys: dict[str, Connection]) -> tuple[Replay, ...]:
    # Committing must not wait for a standby, or its delay would not be measured.
    primary.execute("set synchronous_commit to local")
    primary.execute(
        "select pg_logical_emit_message(true, 'golive', %s::text)", [f"marker {uuid.uuid4()}"]
    )
    marker = _row(primary, "select pg_current_wal_flush_lsn() as lsn").lsn
    committed = time.monotonic()
    replays: list[Replay] = []
    waiting = dict(standbys)
    while waiting:
        for name, link in list(waiting.items()):
            row = _row(
                link,
                "select coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false) as arrived,"
                " pg_is_wal_replay_paused() as paused",
                [marker],
            )
            waited_s = time.monotonic() - committed
            if row.arrived or waited_s > REPLAY_PATIENCE_S:
                replays.append(Replay(name, row.arrived, waited_s, row.paused))
                del waiting[name]
        time.sleep(_POLL_S if waiting else 0)
    return tuple(replays)


def _archiver(primary: Connection) -> Archiver:
    row = _row(
        primary,
        "select current_setting('archive_mode') <> 'off' as on, last_archived_time,"
        " last_failed_time, coalesce(last_failed_wal, '') as last_failed_wal"
        " from pg_stat_archiver",
    )
    return Archiver(row.on, row.last_archived_time, row.last_failed_time, row.last_failed_wal)


def _disk_free_percent(node: Node, link: Connection) -> dict[str, float]:
    """:raises ProbeError: nobody says where its machine is, or it cannot be looked at."""
    from psycopg import errors

    subject = f"free disk of {called(node)}"
    # Behind a tunnel the server's own address is another one than the host that is asked.
    at = _row(link, "select host(inet_server_addr()) as at").at
    is_here = at is None or is_this_machine(at)
    address = node.address or ("local://" if is_here else "")
    if not address:
        step = "declare its address in postgres.nodes; of a managed database, see its free storage"
        raise ProbeError(subject, "nobody says where its machine is", step)
    try:
        data = _row(link, "select current_setting('data_directory') as path").path
    except errors.InsufficientPrivilege as e:
        raise ProbeError(subject, e, f"grant pg_read_all_settings to {link.info.user};") from None
    tablespaces = [
        r.path
        for r in link.execute("select pg_tablespace_location(oid) as path from pg_tablespace")
        if r.path
    ]
    machine = Machine(address)
    return {
        f"{node.name} {path}": machine.disk_free_percent(path)
        for path in (data, f"{data}/pg_wal", *tablespaces)
    }


def _row(link: Connection, sql: str, values: list[Any] | None = None) -> Any:
    row = link.execute(sql.encode(), values).fetchone()
    assert row is not None  # each of these statements returns exactly one row
    return row


def _shown(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %Z") if at else "never"
