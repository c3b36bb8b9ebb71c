"""The look at Redis on servers of its own: users of an access list, and cluster mode."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from golive.environments import Environment
from golive.probes.data.redis import RedisCluster, masters, redis_cluster
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel import binaries

EnvWith = Callable[..., Environment]


def _free_port() -> int:
    """A port that is free, as is the one that a cluster's own talk takes, 10,000 above."""
    while True:
        with socket.socket() as free, socket.socket() as above:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
            try:
                above.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[int, redis.Redis]]]:
    """Starts a server: its port, and a client of its default user."""
    found = binaries.find("redis-server")
    processes: list[subprocess.Popen[bytes]] = []

    def started(*words: str) -> tuple[int, redis.Redis]:
        port = _free_port()
        folder = tmp_path / str(port)
        folder.mkdir()
        process = subprocess.Popen(
            [found.path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *words],
            cwd=folder,
            env={**os.environ, **found.environment},
            stdout=subprocess.DEVNULL,
        )
        processes.append(process)
        client = redis.Redis(port=port, decode_responses=True)
        _until(lambda: _answers(client))
        return port, client

    yield started
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(20)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _until(holds: Callable[[], bool], within_s: float = 30) -> None:
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def _env(env_with: EnvWith, ports: list[int], **more: Any) -> Environment:
    nodes = [{"name": f"cache-{n}", "host": "127.0.0.1", "port": p} for n, p in enumerate(ports, 1)]
    return env_with(redis={"nodes": nodes, "sentinels": [], **more})


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("CACHE_PASSWORD", "correct-horse")
    return {"env": "CACHE_PASSWORD"}


def _permit(client: redis.Redis, *rules: str) -> None:
    command: Any = client.execute_command
    command("ACL", "SETUSER", "golive", "on", ">correct-horse", *rules)


def test_a_user_of_the_access_list_sees_what_it_may(
    start: Any, env_with: EnvWith, secret: dict[str, str]
) -> None:
    port, client = start()
    _permit(client, "~golive:*", "+info", "+ping", "+set", "+get", "+ttl", "+del")
    client.execute_command("ACL", "SETUSER", "default", "off")
    env = _env(env_with, [port], user="golive", password=secret)
    found = redis_cluster(env)
    [server] = found.servers
    assert (server.role, server.open_to_anyone) == ("master", False)
    assert isinstance(server.open_users, Unseen)
    assert "+acl|list" in server.open_users.error.next_step
    assert found.copies == ()
    assert isinstance(found.sentinels, Unseen)
    with pytest.raises(ProbeError, match="check the user and the password"):
        redis_cluster(_env(env_with, [port], user="nobody", password=secret))


def test_a_user_that_may_not_write_the_key_judges_the_rest(
    start: Any, env_with: EnvWith, secret: dict[str, str]
) -> None:
    port, client = start()
    _permit(client, "~app:*", "+info", "+ping", "+set")
    client.execute_command("ACL", "SETUSER", "default", "off")
    found = redis_cluster(_env(env_with, [port], user="golive", password=secret))
    assert found.masters == ["cache-1"]
    assert isinstance(found.copies, Unseen)
    assert "acl setuser golive ~golive:*" in found.copies.error.next_step


def test_a_server_without_a_password_needs_none_declared(start: Any, env_with: EnvWith) -> None:
    port, _ = start()
    found = redis_cluster(_env(env_with, [port]))
    assert found.open_to_anyone == ["cache-1"]


def test_a_chain_of_replicas_is_followed_to_its_master(start: Any, env_with: EnvWith) -> None:
    first, _ = start()
    second, passing = start("--replicaof", "127.0.0.1", str(first))
    third, last = start("--replicaof", "127.0.0.1", str(second))

    def linked(client: redis.Redis) -> bool:
        return client.info("replication").get("master_link_status") == "up"

    _until(lambda: linked(passing) and linked(last))
    # A master tells of a replica a moment after that one says that its link is up.
    _until(
        lambda: (
            passing.info("replication").get("slave0", {}).get("state") == "online"
            and linked(passing)
        )
    )
    env = _env(env_with, [first, second, third])
    found = redis_cluster(env)
    assert found.cut_off == []
    assert found.fewest_replicas == 2
    assert sorted(found.found) == ["cache-1", "cache-2", "cache-3"]
    assert not isinstance(found.copies, Unseen)
    assert [(str(c), c.arrived) for c in found.copies] == [
        ("cache-2", True),
        ("cache-3 by way of cache-2", True),
    ]
    passing.replicaof("127.0.0.1", _free_port())  # cache-3 has lost nothing that it could tell
    _until(lambda: not linked(passing))
    told = redis_cluster(env).cut_off
    assert len(told) == 2
    assert all("(the link of cache-2 is down)" in one for one in told)


def test_who_passes_data_on_and_refuses_golive_is_not_taken_for_down(
    start: Any, env_with: EnvWith
) -> None:
    first, _ = start()
    second, passing = start("--replicaof", "127.0.0.1", str(first))
    third, last = start("--replicaof", "127.0.0.1", str(second))
    _until(lambda: last.info("replication").get("master_link_status") == "up")
    passing.execute_command("ACL", "SETUSER", "default", "-ping", "-info")
    with pytest.raises(ProbeError, match="Redis cache-2"):
        redis_cluster(_env(env_with, [first, second, third]))


def _cluster_of(start: Any) -> list[int]:
    """Two masters with half of the slots each, and a replica of the first."""
    served = [start("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in "abc"]
    for n, (first, last) in enumerate(((0, 8191), (8192, 16383))):
        served[n][1].execute_command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
    for _, client in served[1:]:
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", served[0][0])
    own = served[0][1].execute_command("CLUSTER MYID")

    def knows(client: redis.Redis) -> bool:
        return len(client.cluster("NODES")) == 3

    _until(lambda: all(knows(client) for _, client in served))
    served[2][1].execute_command("CLUSTER", "REPLICATE", own)
    _until(lambda: served[2][1].info("replication").get("master_link_status") == "up")
    _until(lambda: "ok" in {c.cluster("INFO")["cluster_state"] for _, c in served[:1]})
    return [port for port, _ in served]


def test_in_cluster_mode_each_master_s_slots_are_seen_and_a_part_is_not_the_whole(
    start: Any, env_with: EnvWith
) -> None:
    ports = _cluster_of(start)
    env = _env(env_with, ports)
    found: RedisCluster = redis_cluster(env)
    assert found.in_cluster_mode
    assert found.masters_shown == ["cache-1 of slots 0-8191", "cache-2 of slots 8192-16383"]
    assert found.has_one_master
    assert found.fewest_replicas == 0, "of the second master"
    assert found.cut_off == []
    assert not isinstance(found.copies, Unseen)
    assert [(c.replica, c.arrived, c.expires) for c in found.copies] == [("cache-3", True, True)]
    assert isinstance(found.sentinels, Unseen)
    assert "cluster mode" in found.sentinels.error.cause
    with masters(env) as clients:
        assert len(clients) == 2
    part = _env(env_with, [ports[0], ports[2]])
    assert not redis_cluster(part).has_one_master
    with pytest.raises(ProbeError, match="hold 8,192 of 16,384 slots"), masters(part):
        pass
