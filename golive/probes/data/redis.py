"""The Redis cluster: its servers, its sentinels, and a key followed from master to replicas."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from golive.environments import Environment, RedisNode, Secret
from golive.probes.transport.addresses import Names
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    import redis

SLOTS = 16_384
"""Into which a Redis in cluster mode sorts its keys."""
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
    """Of a replica: whom it copies, a master or another replica, by declared name where that has
    one."""
    link_up: bool = False
    replicas: tuple[str, ...] = ()
    """The replicas it feeds, by declared name where they have one."""
    memory_used_bytes: int = 0
    memory_limit_bytes: int = 0
    """0: no limit is set."""
    eviction_policy: str = ""
    failed_saves: tuple[str, ...] = ()
    """The kinds of saving whose last attempt failed."""
    open_to_anyone: bool = False
    """Whether it answered PING without a password."""
    open_users: tuple[str, ...] | Unseen = ()
    """Users of its access list, beside the default one, that any password lets in."""

    cluster_state: str = ""
    """``ok`` or ``fail`` in cluster mode, as it sees it; empty in any other."""
    slots: tuple[tuple[int, int], ...] = ()
    """In cluster mode, the first and last of each range of slots whose keys it holds."""

    @property
    def answers(self) -> bool:
        return not self.error

    @property
    def in_cluster_mode(self) -> bool:
        return bool(self.cluster_state)

    def __str__(self) -> str:
        if not self.slots:
            return self.name
        return f"{self.name} of slots {', '.join(f'{a}-{b}' for a, b in self.slots)}"

    @property
    def memory_used_percent(self) -> float:
        """Of the limit; 100 where none is set, for then nothing bounds it."""
        if not self.memory_limit_bytes:
            return 100.0
        return 100.0 * self.memory_used_bytes / self.memory_limit_bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """From a replica to its master, over the replicas that pass the data on."""

    names: tuple[str, ...]
    """The replica first; the master last, where the chain is whole."""
    failure: str
    """Why it ends before a master; empty where it reaches one."""

    @property
    def master(self) -> str:
        """Whom the replica has its data from in the end; empty where nobody can tell."""
        return "" if self.failure else self.names[-1]

    @property
    def through(self) -> tuple[str, ...]:
        """The replicas between the two."""
        return self.names[1:-1]

    def __str__(self) -> str:
        links = ", which follows ".join(self.names[1:])
        return f"{self.names[0]} follows {links} ({self.failure})"


def chain(replica: Server, servers: Iterable[Server]) -> Chain:
    """The way from a replica to its master, as the servers on it tell it."""
    known = {s.name: s for s in servers}
    at, names = replica, [replica.name]
    while at.role != "master":
        names.append(at.follows)
        if not at.link_up:
            return Chain(tuple(names), f"the link of {at.name} is down")
        if at.follows not in known:
            return Chain(tuple(names), f"{at.follows} is not declared")
        if at.follows in names[:-1]:
            return Chain(tuple(names), "a circle without a master")
        at = known[at.follows]
        if not at.answers:
            return Chain(tuple(names), f"{at.name} does not answer")
    return Chain(tuple(names), "")


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
    through: tuple[str, ...] = ()
    """The replicas that passed it on; their delay is part of this one's."""

    def __str__(self) -> str:
        way = f" by way of {', '.join(self.through)}" if self.through else ""
        return f"{self.replica}{way}{'' if self.arrived else ' (not there yet)'}"


@dataclass(frozen=True, slots=True)
class RedisCluster:
    """The declared servers and sentinels, and the key's way."""

    servers: tuple[Server, ...]
    sentinels: tuple[Sentinel, ...] | Unseen
    """Unseen where none is declared."""
    copies: tuple[KeyCopy, ...] | Unseen

    @property
    def masters(self) -> list[str]:
        return [s.name for s in self.servers if s.role == "master"]

    @property
    def in_cluster_mode(self) -> bool:
        return any(s.in_cluster_mode for s in self.servers)

    @property
    def masters_shown(self) -> list[str]:
        """The masters, with what each is the master of in cluster mode."""
        return [str(s) for s in self.servers if s.role == "master"]

    @property
    def masters_wanted(self) -> str:
        """How many masters are right, in words."""
        return "exactly one of each slot" if self.in_cluster_mode else "exactly one"

    @property
    def has_one_master(self) -> bool:
        """Whether there is exactly one; in cluster mode exactly one of each slot."""
        if not self.in_cluster_mode:
            return len(self.masters) == 1
        held = [n for s in self.servers for a, b in s.slots for n in range(a, b + 1)]
        agreed = all(s.cluster_state == "ok" for s in self.servers if s.answers)
        return agreed and sorted(held) == list(range(SLOTS))

    @property
    def fewest_replicas(self) -> int:
        """How many replicas the master has; in cluster mode the one with fewest."""
        if not self.in_cluster_mode:
            return len(self.replicas)
        of = [chain(r, self.servers).master for r in self.replicas]
        return min((of.count(name) for name in self.masters), default=0)

    @property
    def replicas(self) -> list[Server]:
        return [s for s in self.servers if s.answers and s.role != "master"]

    @property
    def no_response(self) -> list[str]:
        """Servers that do not answer, with the reason."""
        return [f"{s.name}: {s.error}" for s in self.servers if not s.answers]

    @property
    def cut_off(self) -> list[str]:
        """Replicas that no chain of links joins to a master, with where it breaks."""
        chains = [chain(r, self.servers) for r in self.replicas]
        return [str(c) for c in chains if c.failure]

    @property
    def sentinels_masters(self) -> list[str] | Unseen:
        """Whom each sentinel holds to be the master."""
        if isinstance(self.sentinels, Unseen):
            return self.sentinels
        return [s.master for s in self.sentinels]

    @property
    def blind_sentinels(self) -> list[str] | Unseen:
        """Sentinels that do not know of exactly the declared ones."""
        if isinstance(self.sentinels, Unseen):
            return self.sentinels
        return [
            f"{s.name} knows {s.knows_sentinels} of {len(self.sentinels)}"
            for s in self.sentinels
            if s.knows_sentinels != len(self.sentinels)
        ]

    @property
    def without_quorum(self) -> list[str] | Unseen:
        """Sentinels that hold the master to be down, or could not replace it."""
        if isinstance(self.sentinels, Unseen):
            return self.sentinels
        return [f"{s.name}: {s.quorum}" for s in self.sentinels if s.down or not s.has_quorum]

    @property
    def copied_after_s(self) -> dict[str, float] | Unseen:
        if isinstance(self.copies, Unseen):
            return self.copies
        return {str(c): c.after_s for c in self.copies}

    @property
    def lasting_copies(self) -> list[str] | Unseen:
        """Replicas whose copy of the key would never expire."""
        if isinstance(self.copies, Unseen):
            return self.copies
        return [c.replica for c in self.copies if not c.expires]

    @property
    def fullest(self) -> Server:
        return max(self.servers, key=lambda s: s.memory_used_percent)

    @property
    def unbounded(self) -> list[str]:
        """Servers without maxmemory."""
        return [s.name for s in self.servers if s.answers and not s.memory_limit_bytes]

    def of_other_policy(self, declared: str | Unseen) -> tuple[str, list[str] | Unseen]:
        """Servers that evict by another policy than the declared one, with theirs; and before
        them what they are called."""
        if isinstance(declared, Unseen):
            return "servers that do not evict as declared", declared
        return f"servers that do not evict {declared}", [
            f"{s.name}: {s.eviction_policy}"
            for s in self.servers
            if s.answers and s.eviction_policy != declared
        ]

    @property
    def failed_saves(self) -> list[str]:
        return [f"{s.name}: {', '.join(s.failed_saves)}" for s in self.servers if s.failed_saves]

    @property
    def open_to_anyone(self) -> list[str] | Unseen:
        """Servers that ask for no password, or not of each user; unseen where none is known and
        the users of one could not be listed."""
        unseen = [s.open_users for s in self.servers if isinstance(s.open_users, Unseen)]
        found = [s.name for s in self.servers if s.open_to_anyone]
        for s in self.servers:
            if not isinstance(s.open_users, Unseen):
                found += [f"{s.name} as {user}" for user in s.open_users]
        return unseen[0] if unseen and not found else found

    @property
    def found(self) -> list[str]:
        """Every server that is a master, or is fed by any server; declared or not."""
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
    fed = {name for s in servers for name in s.replicas}
    # Who feeds others may be the one that does not answer; then they tell of themselves.
    fed |= {s.name for s in servers if s.link_up and s.follows in fed}
    # A server that does not answer is down only if its master misses it too.
    if errors and (len(errors) == len(servers) or len(fed) >= len(servers) - 1):
        raise errors[0]
    sentinels = seen(_sentinels, env, names, servers)
    return RedisCluster(tuple(servers), sentinels, seen(_follow_key, env, servers))


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
        state, slots = _cluster(client) if int(info.get("cluster_enabled", 0)) else ("", ())
        open_users = seen(_open_users, client, node, str(info.get("redis_version", "6")))
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
        open_users=open_users,
        cluster_state=state,
        slots=slots,
    )


def _cluster(client: redis.Redis) -> tuple[str, tuple[tuple[int, int], ...]]:
    """What a server in cluster mode says of the cluster, and the slots that it holds."""
    command: Any = client.execute_command
    said = command("CLUSTER INFO")
    known = (
        said
        if isinstance(said, dict)
        else dict(line.split(":", 1) for line in str(said).split() if ":" in line)
    )
    flat = command("CLUSTER SLOTS")
    own = str(command("CLUSTER MYID"))
    # Of each range: its ends, then the master and its replicas as address, port and id.
    slots = sorted((int(r[0]), int(r[1])) for r in flat if str(r[2][2]) == own)
    return str(known.get("cluster_state", "fail")), tuple(slots)


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
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            return False
        except redis.ResponseError as e:
            # Without a password, protected mode turns strangers away by address.
            if str(e).startswith(("NOAUTH", "NOPERM", "DENIED")):
                return False
            raise
    return True


def _open_users(client: redis.Redis, node: RedisNode, version: str) -> tuple[str, ...]:
    """Users other than the default one that any password lets in.

    :raises ProbeError: the access list may not be read.
    """
    import redis

    if int(version.partition(".")[0]) < 6:
        return ()  # knows no users
    command: Any = client.execute_command
    try:
        lines = command("ACL", "LIST")
    except redis.ResponseError as e:
        raise ProbeError(
            f"the users of {_called(node)}",
            e,
            "acl setuser USER +acl|list, for the user that the environment's password is of",
        ) from None
    return tuple(open_users(map(str, lines)))


def open_users(lines: Iterable[str]) -> list[str]:
    """Users without the default one, of an access list as ACL LIST tells it, that are on and need
    no password of their own."""
    found = []
    for line in lines:
        _, name, *rules = line.split()
        if name != "default" and "on" in rules and "nopass" in rules:
            found.append(name)
    return found


def _sentinels(env: Environment, names: Names, servers: list[Server]) -> tuple[Sentinel, ...]:
    """What each declared sentinel says.

    :raises ProbeError: none is declared.
    """
    if not env.redis.sentinels:
        who = (
            "Redis is in cluster mode, whose masters vote"
            if any(s.in_cluster_mode for s in servers)
            else "redis.sentinels declares none"
        )
        raise ProbeError(
            "whether the sentinels agree",
            who,
            "declare them; where something else replaces a lost master, have that tried and waived",
        )
    return tuple(_ask(env, node, names) for node in env.redis.sentinels)


def _ask(env: Environment, node: RedisNode, names: Names) -> Sentinel:
    import redis

    name = env.redis.master_name
    with _client(env, node, env.redis.sentinel_password, env.redis.sentinel_user) as client:
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
    """A key of each master on its way to the replicas.

    :raises ProbeError: it could not be written or read.
    """
    masters = [s for s in servers if s.role == "master"]
    waiting = [(s, chain(s, servers)) for s in servers if s.answers and s.role != "master"]
    if any(s.in_cluster_mode for s in servers):
        return tuple(
            copy
            for master in masters
            if master.slots
            for copy in _follow(env, master, [w for w in waiting if w[1].master == master.name])
        )
    return _follow(env, masters[0], waiting) if len(masters) == 1 else ()


def _follow(
    env: Environment, master: Server, waiting: list[tuple[Server, Chain]]
) -> tuple[KeyCopy, ...]:
    nodes = {n.name: n for n in env.redis.nodes}
    key, value = _key(master.slots), uuid.uuid4().hex
    copies: list[KeyCopy] = []

    def opened(server: Server) -> AbstractContextManager[redis.Redis]:
        password = None if server.open_to_anyone else env.redis.password
        return _client(env, nodes[server.name], password)

    with opened(master) as source:
        try:
            source.set(key, value, ex=_KEY_LIFE_S)
            written = time.monotonic()
            for server, way in waiting:
                with opened(server) as replica:
                    if server.in_cluster_mode:  # else it would send whoever reads to the master
                        command: Any = replica.execute_command
                        command("READONLY")
                    while True:
                        arrived = replica.get(key) == value
                        waited_s = time.monotonic() - written
                        if arrived or waited_s > KEY_PATIENCE_S:
                            break
                        time.sleep(_POLL_S)
                    expires = arrived and 0 < int(replica.ttl(key)) <= _KEY_LIFE_S
                copies.append(KeyCopy(server.name, arrived, waited_s, expires, way.through))
        finally:
            source.delete(key)
    return tuple(copies)


def _key(slots: tuple[tuple[int, int], ...]) -> str:
    """A new key; in cluster mode one that belongs into these slots."""
    from redis.crc import key_slot

    while True:
        key = f"golive:probe:{uuid.uuid4()}"
        if not slots or any(a <= key_slot(key.encode()) <= b for a, b in slots):
            return key


@contextmanager
def masters(env: Environment) -> Iterator[list[redis.Redis]]:
    """Clients of the server that says it is the master; of each of them in cluster mode.

    :raises ProbeError: none of those that answer does, or not every part of a cluster answers.
    """
    causes, found = [], []
    for node in env.redis.nodes:
        try:
            is_open = _open_to_anyone(env, node)
            password = None if is_open else env.redis.password
            with _client(env, node, password) as client:
                info: dict[str, Any] = client.info()
        except ProbeError as e:
            causes.append(f"{e.subject}: {e.cause}")
            continue
        if info.get("role") == "master":
            found.append((node, password, bool(int(info.get("cluster_enabled", 0)))))
        else:
            causes.append(f"{node.name} follows another")
    if not found:
        raise ProbeError(
            "the master of Redis", "; ".join(causes), "check redis.nodes, or repair it"
        )
    with ExitStack() as stack:
        clients = [
            stack.enter_context(_client(env, node, password))
            for node, password, in_cluster_mode in found
            if in_cluster_mode or node is found[0][0]
        ]
        if len(found) == len(clients) and found[0][2]:
            held = sum(b - a + 1 for c in clients for a, b in _cluster(c)[1])
            if held != SLOTS:
                raise ProbeError(
                    "the masters of Redis in cluster mode",
                    f"those that are declared and answer hold {held:,} of {SLOTS:,} slots",
                    "declare every server in redis.nodes",
                )
        yield clients


@contextmanager
def _client(
    env: Environment, node: RedisNode, password: Secret | None, user: str | None = None
) -> Iterator[redis.Redis]:
    """A client of one server, closed at the end of the block.

    :param user: default: the one that redis.user names; without a password nobody.

    :raises ProbeError: it does not answer, or not as a server that is well.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    name = env.redis.user if user is None else user
    client = redis.Redis(
        host=node.host,
        port=node.port,
        username=(name or None) if password else None,
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
        step = "check the user and the password that the environment file names for this server"
        raise ProbeError(_called(node), e, step) from None
    except redis.exceptions.NoPermissionError as e:
        rules = f"acl setuser {name or 'default'} {_RULES}"
        raise ProbeError(_called(node), e, rules) from None
    except (redis.RedisError, OSError) as e:
        step = "check that it runs and that this machine may reach it"
        raise ProbeError(_called(node), e, step) from None
    finally:
        client.close()


_RULES = "~golive:* +info +ping +set +get +ttl +del +acl|list"
"""What a user of Redis needs for all that is looked at, beside what cluster mode and the search
for card numbers add."""


def _called(node: RedisNode) -> str:
    return f"Redis {node.name} at {node.host}:{node.port}"
