"""The Redis cluster: its servers, its sentinels, and a key followed from master to replicas."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from golive.environments import Environment, RedisNode, Secret
from golive.probes.transport.addresses import Names
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import redis

KEY_PATIENCE_S = 2.0
"""How long the synthetic key is waited for: a second more than the procedure allows."""
_KEY_LIFE_S = 60
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Server:
    """One declared Redis server. The rest means nothing when it has one."""

    name: str
    error: str
    """Why it does not answer; empty when it does."""
    role: str = ""
    """``master`` or ``slave``, as it says itself."""
    follows: str = ""
    """Of a replica: its master, by declared name where it has one."""
    link_up: bool = False
    replicas: tuple[str, ...] = ()
    """Of a master: the replicas it feeds, by declared name where they have one."""
    memory_used_bytes: int = 0
    memory_limit_bytes: int = 0
    """0: no limit is set."""
    eviction_policy: str = ""
    failed_saves: tuple[str, ...] = ()
    """The kinds of saving whose last attempt failed."""
    open_to_anyone: bool = False
    """Whether it answered PING without a password."""

    @property
    def answers(self) -> bool:
        return not self.error

    @property
    def memory_used_percent(self) -> float:
        """Of the limit; 100 where none is set, for then nothing bounds it."""
        if not self.memory_limit_bytes:
            return 100.0
        return 100.0 * self.memory_used_bytes / self.memory_limit_bytes


@dataclass(frozen=True, slots=True)
class Sentinel:
    """What one sentinel says of the master."""

    name: str
    master: str
    """By declared name where it has one."""
    down: bool
    """Whether it holds the master to be down."""
    knows_sentinels: int
    """How many sentinels watch this master, itself included, as far as it knows."""
    quorum: str
    """Its answer to CKQUORUM."""

    @property
    def has_quorum(self) -> bool:
        return self.quorum.startswith("OK")


@dataclass(frozen=True, slots=True)
class KeyCopy:
    """How long a replica took to have the synthetic key."""

    replica: str
    arrived: bool
    after_s: float
    """Time to arrival, or that was waited in vain."""
    expires: bool
    """Whether the copy carries the key's time to live."""

    def __str__(self) -> str:
        return self.replica if self.arrived else f"{self.replica} (not there yet)"


@dataclass(frozen=True, slots=True)
class RedisCluster:
    """The declared servers and sentinels, and the key's way."""

    servers: tuple[Server, ...]
    sentinels: tuple[Sentinel, ...]
    copies: tuple[KeyCopy, ...]

    @property
    def masters(self) -> list[str]:
        return [s.name for s in self.servers if s.role == "master"]

    @property
    def replicas(self) -> list[Server]:
        return [s for s in self.servers if s.answers and s.role != "master"]

    @property
    def no_response(self) -> list[str]:
        """Servers that do not answer, with the reason."""
        return [f"{s.name}: {s.error}" for s in self.servers if not s.answers]

    @property
    def cut_off(self) -> list[str]:
        """Replicas whose link to their master is down, or leads elsewhere."""
        masters = self.masters
        return [
            f"{r.name} follows {r.follows}"
            for r in self.replicas
            if not r.link_up or r.follows not in masters
        ]

    @property
    def blind_sentinels(self) -> list[str]:
        """Sentinels that do not know of exactly the declared ones."""
        return [
            f"{s.name} knows {s.knows_sentinels} of {len(self.sentinels)}"
            for s in self.sentinels
            if s.knows_sentinels != len(self.sentinels)
        ]

    @property
    def without_quorum(self) -> list[str]:
        """Sentinels that hold the master to be down, or could not replace it."""
        return [f"{s.name}: {s.quorum}" for s in self.sentinels if s.down or not s.has_quorum]

    @property
    def copied_after_s(self) -> dict[str, float]:
        return {str(c): c.after_s for c in self.copies}

    @property
    def lasting_copies(self) -> list[str]:
        """Replicas whose copy of the key would never expire."""
        return [c.replica for c in self.copies if not c.expires]

    @property
    def fullest(self) -> Server:
        return max(self.servers, key=lambda s: s.memory_used_percent)

    @property
    def unbounded(self) -> list[str]:
        """Servers without maxmemory."""
        return [s.name for s in self.servers if s.answers and not s.memory_limit_bytes]

    def of_other_policy(self, declared: str) -> list[str]:
        """Servers that evict by another policy than the declared one, with theirs."""
        return [
            f"{s.name}: {s.eviction_policy}"
            for s in self.servers
            if s.answers and s.eviction_policy != declared
        ]

    @property
    def failed_saves(self) -> list[str]:
        return [f"{s.name}: {', '.join(s.failed_saves)}" for s in self.servers if s.failed_saves]

    @property
    def open_to_anyone(self) -> list[str]:
        return [s.name for s in self.servers if s.open_to_anyone]

    @property
    def found(self) -> list[str]:
        """Every server that is, or is fed by, a master; declared or not."""
        fed = [name for s in self.servers for name in s.replicas]
        return [*self.masters, *fed]


@probe(effect="write")
def redis_cluster(env: Environment) -> RedisCluster:
    """Every declared Redis server and sentinel, and a key with a time to live on its way."""
    names = Names({n.name: (n.host, n.port) for n in env.redis.nodes})
    servers: list[Server] = []
    errors: list[ProbeError] = []
    for node in env.redis.nodes:
        try:
            servers.append(_look(env, node, names))
        except ProbeError as e:
            servers.append(Server(node.name, e.cause))
            errors.append(e)
    fed = [name for s in servers for name in s.replicas]
    # A server that does not answer is down only if its master misses it too.
    if errors and (len(errors) == len(servers) or len(fed) >= len(servers) - 1):
        raise errors[0]
    sentinels = tuple(_ask(env, node, names) for node in env.redis.sentinels)
    return RedisCluster(tuple(servers), sentinels, _follow_key(env, servers))


def members(env: Environment) -> list[str]:
    """Servers that answer, whoever is fed by one of them, and sentinels that watch the master.

    :raises ProbeError: none of them answers.
    """
    names = Names({n.name: (n.host, n.port) for n in env.redis.nodes})
    found: dict[str, None] = {}
    errors: list[ProbeError] = []
    for node in env.redis.nodes:
        try:
            server = _look(env, node, names)
            found |= {server.name: None, **dict.fromkeys(server.replicas)}
        except ProbeError as e:
            errors.append(e)
    if not found and errors:
        raise errors[0]
    for node in env.redis.sentinels:
        try:
            found |= {_ask(env, node, names).name: None}
        except ProbeError:
            continue  # who does not answer does not run
    return list(found)


def _look(env: Environment, node: RedisNode, names: Names) -> Server:
    is_open = _open_to_anyone(env, node)
    # Redis refuses a password where none is set, so then none is sent.
    with _client(env, node, None if is_open else env.redis.password) as client:
        info: dict[str, Any] = client.info()
    failed = [
        kind
        for kind, key in _SAVES.items()
        if info.get(key, "ok") != "ok" and (kind == "RDB save" or info.get("aof_enabled"))
    ]
    feeds = [v for k, v in info.items() if k.startswith("slave") and isinstance(v, dict)]
    role = str(info.get("role", ""))

    def where(host: object, port: object) -> str:
        return names.of(str(host), int(str(port)))

    return Server(
        name=node.name,
        error="",
        role=role,
        follows=""
        if role == "master"
        else names.of(str(info["master_host"]), int(info["master_port"])),
        link_up=info.get("master_link_status") == "up",
        replicas=tuple(
            names.of(str(v["ip"]), int(v["port"])) for v in feeds if v.get("state") == "online"
        ),
        memory_used_bytes=int(info["used_memory"]),
        memory_limit_bytes=int(info["maxmemory"]),
        eviction_policy=str(info["maxmemory_policy"]),
        failed_saves=tuple(failed),
        open_to_anyone=is_open,
    )


_SAVES = {
    "RDB save": "rdb_last_bgsave_status",
    "AOF write": "aof_last_write_status",
    "AOF rewrite": "aof_last_bgrewrite_status",
}


def _open_to_anyone(env: Environment, node: RedisNode) -> bool:
    import redis

    with _client(env, node, None) as client:
        try:
            client.ping()
        except redis.AuthenticationError:
            return False
        except redis.ResponseError as e:
            # Without a password, protected mode turns strangers away by address.
            if str(e).startswith(("NOAUTH", "NOPERM", "DENIED")):
                return False
            raise
    return True


def _ask(env: Environment, node: RedisNode, names: Names) -> Sentinel:
    import redis

    name = env.redis.master_name
    with _client(env, node, env.redis.sentinel_password) as client:
        command: Any = client.execute_command  # as words: the answer comes back as it is sent
        try:
            flat = command("SENTINEL", "MASTER", name)
        except redis.ResponseError as e:
            return Sentinel(node.name, "no master of that name", True, 0, str(e))
        master = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
        try:
            quorum = str(command("SENTINEL", "CKQUORUM", name))
        except redis.ResponseError as e:
            quorum = str(e)
    return Sentinel(
        name=node.name,
        master=names.of(str(master["ip"]), int(master["port"])),
        down=bool({"s_down", "o_down"} & set(str(master["flags"]).split(","))),
        knows_sentinels=int(master["num-other-sentinels"]) + 1,
        quorum=quorum,
    )


def _follow_key(env: Environment, servers: list[Server]) -> tuple[KeyCopy, ...]:
    nodes = {n.name: n for n in env.redis.nodes}
    masters = [s for s in servers if s.role == "master"]
    waiting = [s for s in servers if s.answers and s.role != "master"]
    if len(masters) != 1:
        return ()
    key, value = f"golive:probe:{uuid.uuid4()}", uuid.uuid4().hex
    copies: list[KeyCopy] = []

    def password(server: Server) -> Secret | None:
        return None if server.open_to_anyone else env.redis.password

    with _client(env, nodes[masters[0].name], password(masters[0])) as master:
        try:
            master.set(key, value, ex=_KEY_LIFE_S)
            written = time.monotonic()
            for server in waiting:
                with _client(env, nodes[server.name], password(server)) as replica:
                    while True:
                        arrived = replica.get(key) == value
                        waited_s = time.monotonic() - written
                        if arrived or waited_s > KEY_PATIENCE_S:
                            break
                        time.sleep(_POLL_S)
                    expires = arrived and 0 < int(replica.ttl(key)) <= _KEY_LIFE_S
                copies.append(KeyCopy(server.name, arrived, waited_s, expires))
        finally:
            master.delete(key)
    return tuple(copies)


@contextmanager
def master(env: Environment) -> Iterator[redis.Redis]:
    """A client of the server that says it is the master.

    :raises ProbeError: none of those that answer does.
    """
    causes = []
    for node in env.redis.nodes:
        try:
            with _client(env, node, env.redis.password) as client:
                info: dict[str, Any] = client.info("replication")
        except ProbeError as e:
            causes.append(f"{e.subject}: {e.cause}")
            continue
        if info.get("role") == "master":
            with _client(env, node, env.redis.password) as client:
                yield client
            return
        causes.append(f"{node.name} follows another")
    raise ProbeError("the master of Redis", "; ".join(causes), "check redis.nodes, or repair it")


@contextmanager
def _client(env: Environment, node: RedisNode, password: Secret | None) -> Iterator[redis.Redis]:
    """A client of one server, closed at the end of the block.

    :raises ProbeError: it does not answer, or not as a server that is well.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(
        host=node.host,
        port=node.port,
        password=password.reveal() if password else None,
        socket_connect_timeout=env.time_limits.connect,
        socket_timeout=env.time_limits.connect,
        decode_responses=True,
        encoding_errors="replace",
        retry=Retry(NoBackoff(), 0),
        ssl=env.redis.tls,
        ssl_ca_certs=env.tls.ca_file or None,
        # Version 2 sends no greeting, so that the first word is the probe's own.
        protocol=2,
        driver_info=None,
    )
    try:
        yield client
    except redis.AuthenticationError as e:
        step = "check the password that the environment file refers to for this server"
        raise ProbeError(_called(node), e, step) from None
    except (redis.RedisError, OSError) as e:
        step = "check that it runs and that this machine may reach it"
        raise ProbeError(_called(node), e, step) from None
    finally:
        client.close()


def _called(node: RedisNode) -> str:
    return f"Redis {node.name} at {node.host}:{node.port}"
