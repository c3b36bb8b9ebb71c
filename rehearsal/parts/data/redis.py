"""Redis: a primary, a replica and three sentinels with a quorum of two."""

from __future__ import annotations

import signal
from pathlib import Path

from rehearsal.kernel import binaries
from rehearsal.kernel.files import write_secret
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part

MASTER_NAME = "bookedbarber"
QUORUM = 2
PASSWORD = "redis"  # noqa: S105  the secret's name
SENTINEL_PASSWORD = "redis-sentinel"  # noqa: S105  the secret's name

DATA_SETTINGS: dict[str, str] = {
    "bind": "127.0.0.1",
    "maxmemory": "128mb",
    "maxmemory-policy": "allkeys-lru",
    "save": "60 1",
    "appendonly": "no",
    # A replica gets its copy at once; waiting for more of them makes no sense with one.
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "repl-timeout": "10",
}


class Node(Part):
    binary = "redis-server"
    stop_signal = signal.SIGTERM

    def command(self, r: Rehearsal) -> list[str]:
        return [str(binaries.find("redis-server").path), str(self._folder(r) / "redis.conf")]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return dict(binaries.find("redis-server").environment)

    def _folder(self, r: Rehearsal) -> Path:
        folder = r.path("data", self.name)
        folder.mkdir(exist_ok=True)
        return folder

    def _write(self, r: Rehearsal, lines: list[str]) -> None:
        folder = self._folder(r)
        common = [f"port {r.port(self.name)}", f'dir "{folder}"', "daemonize no"]
        write_secret(folder / "redis.conf", "\n".join([*common, *lines]))


class DataNode(Node):
    def __init__(self, name: str, title: str, needs: tuple[str, ...] = ()) -> None:
        self.name, self.title, self.needs = name, title, needs

    def prepare(self, r: Rehearsal) -> None:
        password = r.secret(PASSWORD)
        required = r.setting(self.name, "requirepass", password)
        lines = [
            f"{key} {r.setting(self.name, key, default)}" for key, default in DATA_SETTINGS.items()
        ]
        lines += [f"masterauth {password}"]
        lines += [f"requirepass {required}"] if required else []
        if self.name != "redis-primary":
            lines += [f"replicaof 127.0.0.1 {r.port('redis-primary')}"]
        self._write(r, lines)

    def ready(self, r: Rehearsal) -> bool:
        node = r.redis(self.name)
        if self.name == "redis-primary":
            return bool(node.ping())
        replication: dict[str, str] = node.info("replication")
        return replication["master_link_status"] == "up"

    def endpoints(self, r: Rehearsal) -> Endpoints:
        password = r.secret_reference(PASSWORD)
        return {"redis": {"password": password, "nodes": [r.node(self.name)]}}


class Sentinel(Node):
    needs = ("redis-primary", "redis-replica")

    def __init__(self, number: int) -> None:
        self.name = f"redis-sentinel-{number}"
        self.title = "watches over the Redis primary"

    def prepare(self, r: Rehearsal) -> None:
        # The configuration is written again, as a sentinel writes what it learned into it.
        secret = r.secret(SENTINEL_PASSWORD)
        self._write(
            r,
            [
                "bind 127.0.0.1",
                f"requirepass {secret}",
                f"sentinel sentinel-pass {secret}",
                f"sentinel monitor {MASTER_NAME} 127.0.0.1 {r.port('redis-primary')} {QUORUM}",
                f"sentinel auth-pass {MASTER_NAME} {r.secret(PASSWORD)}",
                f"sentinel down-after-milliseconds {MASTER_NAME} 2000",
                f"sentinel failover-timeout {MASTER_NAME} 10000",
            ],
        )

    def command(self, r: Rehearsal) -> list[str]:
        return [*super().command(r), "--sentinel"]

    def ready(self, r: Rehearsal) -> bool:
        return bool(r.redis(self.name).ping())

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {
            "redis": {
                "master_name": MASTER_NAME,
                "sentinel_password": r.secret_reference(SENTINEL_PASSWORD),
                "sentinels": [r.node(self.name)],
            }
        }


PARTS = (
    DataNode("redis-primary", "cache"),
    DataNode("redis-replica", "cache replica", ("redis-primary",)),
    Sentinel(1),
    Sentinel(2),
    Sentinel(3),
)
