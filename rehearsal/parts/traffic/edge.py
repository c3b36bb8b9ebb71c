"""The caching edge: two nginx nodes that serve the public hosts in front of the balancer.

Settings a fault may override, on `edge` for both nodes or on `edge-1` / `edge-2` for one:
`cached_paths` (paths to cache whatever the origin says), `plain_paths` (beginnings of paths that
are answered without TLS), `scripts_added_to` (pages that get another script), `honour_session`,
`keep_assets`, `compress`, `asset_max_age` (seconds, in place of the origin's), `missing_assets`
(endings of paths that are answered with 404), `source_maps` (whether there are any),
`metrics_public` (whether anybody gets the application's metrics), `full_chain`,
`certificate_days`, `certified_hosts`, `tls_versions`, `ciphers`. Each node has its own installed
copy of the certificate, taken when it is prepared: reloading only one node is how a fleet comes to
serve two certificates.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel import binaries
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.traffic.hosts import (
    EDGE_HOSTS,
    ORIGIN_HOST,
    authority,
    certificate,
    public_addresses,
    render,
    tls,
)

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
)


class Edge(Part):
    needs = ("balancer",)
    binary = "nginx"
    death_signal = signal.SIGTERM

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = "caching edge of the public hosts"
        self.port_names = (name, f"{name}-http")

    def prepare(self, r: Rehearsal) -> None:
        hosts = tuple(self._setting(r, "certified_hosts", EDGE_HOSTS))
        issued = certificate(r, "edge", hosts)
        folder = self.config(r).parent
        folder.mkdir(parents=True, exist_ok=True)
        full_chain = self._setting(r, "full_chain", True)
        shutil.copy(issued.chain if full_chain else issued.leaf, self.certificate_file(r))
        shutil.copy(issued.key, folder / "tls.key")
        self.config(r).write_text(
            render(
                "nginx.conf.j2",
                as_root=os.geteuid() == 0,
                folder=folder,
                name=self.name,
                addresses=("127.0.0.1", *public_addresses()),
                metrics_public=self._setting(r, "metrics_public", False),
                https_port=r.port(self.name),
                http_port=r.port(f"{self.name}-http"),
                hosts=EDGE_HOSTS,
                certificate=self.certificate_file(r),
                key=folder / "tls.key",
                origin_port=r.port("balancer"),
                origin_host=ORIGIN_HOST,
                trusted=authority(r).root,
                cached_paths=self._setting(r, "cached_paths", []),
                plain_paths=self._setting(r, "plain_paths", []),
                scripts_added_to=self._setting(r, "scripts_added_to", []),
                honour_session=self._setting(r, "honour_session", True),
                keep_assets=self._setting(r, "keep_assets", True),
                compress=self._setting(r, "compress", True),
                asset_max_age=self._setting(r, "asset_max_age", None),
                missing_assets=self._setting(r, "missing_assets", []),
                source_maps=self._setting(r, "source_maps", False),
                tls_versions=self._setting(r, "tls_versions", "TLSv1.2 TLSv1.3"),
                ciphers=self._setting(r, "ciphers", CIPHERS),
            )
        )

    def command(self, r: Rehearsal) -> list[str]:
        folder = self.config(r).parent
        nginx = str(binaries.find("nginx").path)
        return [nginx, "-p", str(folder), "-e", "stderr", "-c", str(self.config(r))]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return binaries.find("nginx").environment

    def config(self, r: Rehearsal) -> Path:
        return r.path(self.name, "nginx.conf")

    def certificate_file(self, r: Rehearsal) -> Path:
        """What this node serves: leaf and intermediate."""
        return r.path(self.name, "tls.chain.pem")

    def purge(self, r: Rehearsal) -> None:
        """Forget everything cached; a cache is not a place for yesterday's answers."""
        shutil.rmtree(r.path(self.name, "cache"), ignore_errors=True)

    def _setting(self, r: Rehearsal, key: str, default: Any) -> Any:
        return r.setting(self.name, key, r.setting("edge", key, default))

    def endpoints(self, r: Rehearsal) -> Endpoints:
        certificate = str(self.certificate_file(r))
        node = {**r.node(self.name), "http_port": r.port(f"{self.name}-http")}
        hosts = [tls(r, host, self.name, certificate_file=certificate) for host in EDGE_HOSTS]
        return {
            "edge": {"hosts": list(EDGE_HOSTS), "nodes": [node]},
            "application": {"logs": [{"path": str(r.log(self.name))}]},
            "tls": {**hosts[0], "endpoints": [one for host in hosts for one in host["endpoints"]]},
        }


nodes = (Edge("edge-1"), Edge("edge-2"))
PARTS = nodes
