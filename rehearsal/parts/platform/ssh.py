"""The bastion's SSH server: it speaks the protocol, and lets nobody in.

Only administrators reach it, so it tells where all administrative interfaces are.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.parts import Endpoints, Part
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, OUTSIDE, PUBLIC, VPN, public_addresses

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal


class Bastion(Part):
    name = "ssh"
    title = "SSH server of the bastion"
    loads = ("asyncssh",)

    def command(self, r: Rehearsal) -> list[str]:
        key = str(r.path("ssh", "host-key"))
        return [sys.executable, "-m", __name__, str(r.port(self.name)), key]

    def endpoints(self, r: Rehearsal) -> Endpoints:
        if not public_addresses():
            return {}  # there is no outside on a system with one loopback address

        def at(port: str) -> str:
            return f"127.0.0.1:{r.port(port)}"

        def one(name: str, kind: str, private: str, **more: Any) -> dict[str, Any]:
            return {"name": name, "kind": kind, "private": private, **more}

        metrics = [f"https://{host}/metrics" for host in EDGE_HOSTS]
        edge = f"{PUBLIC}:{r.port('edge-1')}"
        return {
            "network": {
                "outside": {"source": OUTSIDE},
                "vpn": {"source": VPN},
                "control": edge,
                "interfaces": [
                    one("SSH of the bastion", "ssh", at("ssh")),
                    *(one(n, "database", at(n)) for n in ("postgres-primary", "postgres-standby")),
                    one("pgbouncer", "database", at("pgbouncer")),
                    one("Prometheus", "prometheus", r.url("prometheus", "/-/ready")),
                    one("Alertmanager", "alertmanager", r.url("alertmanager", "/-/ready")),
                    one("balancer's socket", "balancer statistics", at("balancer-stats")),
                    one("balancer's metrics", "balancer statistics", at("balancer-metrics")),
                    *(
                        one(f"/metrics of {n}", "metrics", r.url(n, "/metrics"))
                        for n in ("app-1", "app-2")
                    ),
                    one(
                        "/metrics of the public hosts",
                        "metrics",
                        r.url("app-1", "/metrics"),
                        public=metrics,
                        public_at=edge,
                    ),
                ],
            }
        }


async def serve(port: int, key_file: Path) -> None:
    import asyncssh

    if not key_file.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key_file))
    server = await asyncssh.listen("127.0.0.1", port, server_host_keys=[str(key_file)])
    await server.wait_closed()


ssh = Bastion()
PARTS = (ssh,)

if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
