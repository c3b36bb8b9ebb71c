"""The load balancer: haproxy in front of the two application instances.

Settings a fault may override: `servers`, `health_path`, `health_expected`, `health_interval_s`,
`trust_forwarded_for`, `certificate_days`, `full_chain`, `plain_paths` (beginnings of paths that
are answered without TLS), `denied_paths` (answered with 404), `metrics_public` (whether the
application's metrics are handed to anybody), `log_refused` (whether refused requests are logged),
`api_apart` (plain HTTP of the API is sent to a port of its own), `api_certificate_days` (that port
is served, with a certificate of its own, so many days from its end).
"""

from __future__ import annotations

import csv
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.kernel import binaries
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.traffic.hosts import (
    EDGE_HOSTS,
    LOCAL,
    ORIGIN_HOST,
    authority,
    certificate,
    render,
    tls,
)

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

SERVERS = ("app-1", "app-2")
BACKEND = "app"


class Balancer(Part):
    name = "balancer"
    title = "load balancer, TLS to both instances"
    needs = SERVERS
    binary = "haproxy"
    port_names = ("balancer", "balancer-http", "balancer-stats", "balancer-metrics")
    reload_signal = signal.SIGUSR2
    death_signal = signal.SIGTERM

    def prepare(self, r: Rehearsal) -> None:
        issued = certificate(r, self.name, (ORIGIN_HOST, *EDGE_HOSTS))
        served = self.certificate_file(r)
        content = issued.bundle.read_bytes()
        if not r.setting(self.name, "full_chain", True):
            content = issued.leaf.read_bytes() + issued.key.read_bytes()
        served.touch(mode=0o600)
        served.write_bytes(content)
        settings = {
            "trust_forwarded_for": r.setting(self.name, "trust_forwarded_for", False),
            "health_path": r.setting(self.name, "health_path", "/health"),
            "health_expected": r.setting(self.name, "health_expected", "status 200"),
            "health_interval_s": r.setting(self.name, "health_interval_s", 1),
            "plain_paths": r.setting(self.name, "plain_paths", []),
            "denied_paths": r.setting(self.name, "denied_paths", []),
            "log_refused": r.setting(self.name, "log_refused", True),
            "metrics_public": r.setting(self.name, "metrics_public", False),
        }
        servers = r.setting(self.name, "servers", list(SERVERS))
        self.config(r).write_text(
            render(
                "haproxy.cfg.j2",
                https_port=r.port("balancer"),
                http_port=r.port("balancer-http"),
                stats_port=r.port("balancer-stats"),
                metrics_port=r.port("balancer-metrics"),
                certificate=served,
                api_port=r.port("balancer-api"),
                api_apart=r.setting(self.name, "api_apart", False),
                api_certificate=self._api_certificate(r),
                servers=[(server, r.port(server)) for server in servers],
                **settings,
            )
        )

    def command(self, r: Rehearsal) -> list[str]:
        return [str(binaries.find("haproxy").path), "-W", "-f", str(self.config(r))]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return binaries.find("haproxy").environment

    def ready(self, r: Rehearsal) -> bool:
        return super().ready(r) and "UP" in self.servers(r).values()

    def config(self, r: Rehearsal) -> Path:
        return r.path("balancer", "haproxy.cfg")

    def certificate_file(self, r: Rehearsal) -> Path:
        """What is served: leaf, intermediate and key in one file."""
        return r.path("balancer", "tls.pem")

    def _api_certificate(self, r: Rehearsal) -> Path | None:
        """What the API's own port serves, where it has one."""
        days = r.setting(self.name, "api_certificate_days", None)
        if days is None:
            return None
        return authority(r).issue("balancer-api", (ORIGIN_HOST, *LOCAL), days=float(days)).bundle

    def ask(self, r: Rehearsal, command: str) -> str:
        """The answer of the stats socket. Raises OSError when it cannot be reached."""
        with socket.create_connection(("127.0.0.1", r.port("balancer-stats")), 2) as connection:
            connection.sendall(command.encode() + b"\n")
            with connection.makefile() as answer:
                return answer.read()

    def servers(self, r: Rehearsal) -> dict[str, str]:
        """State (`UP`, `DOWN`, ...) of every server of the backend, by name."""
        rows = csv.DictReader(self.ask(r, "show stat").removeprefix("# ").splitlines())
        return {
            row["svname"]: row["status"].split()[0]  # "UP 1/2": up, one check short
            for row in rows
            if row["pxname"] == BACKEND and row["svname"] != "BACKEND"
        }

    def endpoints(self, r: Rehearsal) -> Endpoints:
        certificate = str(self.certificate_file(r))
        return {
            "balancer": {
                "url": r.url("balancer", scheme="https"),
                "http_url": r.url("balancer-http"),
                "config": str(self.config(r)),
                "check_command": [*r.program("haproxy"), "-c"],
                "stats": r.url("balancer-stats", scheme="tcp"),
            },
            "application": {"logs": [{"path": str(r.log(self.name))}]},
            "tls": tls(r, ORIGIN_HOST, self.name, certificate_file=certificate),
        }


balancer = Balancer()
PARTS = (balancer,)
