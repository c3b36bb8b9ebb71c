"""Prometheus: scrapes and evaluates each second, so that an alert is a matter of seconds.

Settings a fault may override: `without_rules` (names of alerts to leave out), `changed_rules`
(fields to put in place of an alert's own, by its name), `without_targets` (instances that are not
scraped), `dropped` (a series, by labels, that is not kept), `false_alarms` (how many each
rule has had, by its name; takes a restart).
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel import binaries
from rehearsal.kernel.world import SCRATCH_NICENESS
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.observe import containers, history, measured
from rehearsal.parts.traffic.hosts import render

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

RULES = Path(__file__).parent / "rules" / "rules.yml"
EXPORTED = (
    *("database", "backups", "migrations", "host", "incidents", "certificates"),
    "containers",
)


class Prometheus(Part):
    name = "prometheus"
    title = "metrics and alerting rules"
    binary = "prometheus"

    def prepare(self, r: Rehearsal) -> None:
        instances = [
            name
            for name in ("app-1", "app-2")
            if name not in r.setting(self.name, "without_targets", [])
        ]
        jobs = [
            ("app", "/metrics", [(name, r.port(name)) for name in instances]),
            ("balancer", "/metrics", [("balancer", r.port("balancer-metrics"))]),
            *((job, f"/metrics/{job}", [("exporter", r.port("exporter"))]) for job in EXPORTED),
            ("config-drift", "/metrics", [("config-drift", r.port("config-drift"))]),
            ("prometheus", "/metrics", [("prometheus", r.port("prometheus"))]),
            ("alertmanager", "/metrics", [("alertmanager", r.port("alertmanager"))]),
        ]
        self.config(r).write_text(
            render(
                "prometheus.yml.j2",
                jobs=jobs,
                alertmanager_port=r.port("alertmanager"),
                dropped=r.setting(self.name, "dropped", {}),
            )
        )
        left_out = r.setting(self.name, "without_rules", [])
        changed = r.setting(self.name, "changed_rules", {})
        (self.config(r).parent / "rules.yml").write_text(rules(left_out, changed))
        containers.lay_out(r, measured.lines, history.lines)

    def command(self, r: Rehearsal) -> list[str]:
        return [
            str(binaries.find("prometheus").path),
            f"--config.file={self.config(r)}",
            f"--storage.tsdb.path={r.data('prometheus')}",
            "--storage.tsdb.retention.time=15d",
            f"--web.listen-address=127.0.0.1:{r.port('prometheus')}",
            "--web.enable-admin-api",  # what a fault made slow is forgotten when it is reverted
            "--log.level=warn",
        ]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return binaries.find("prometheus").environment

    def ready(self, r: Rehearsal) -> bool:
        return is_ready(r.port("prometheus"))

    def config(self, r: Rehearsal) -> Path:
        return r.path("prometheus", "prometheus.yml")

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {
            "monitoring": {
                "prometheus": r.url(self.name),
                # Beside looks that measure how fast the live parts are.
                "promtool": ["nice", "-n", str(SCRATCH_NICENESS), *r.program("promtool")],
            },
            "resource_use": {
                "kernel_logs": [
                    {"address": "local://", "command": ["cat", str(containers.kernel_log(r))]}
                ]
            },
        }


def rules(left_out: list[str], changed: dict[str, dict[str, Any]] | None = None) -> str:
    """The rules file without some alerts, and with others changed.

    Raises KeyError for a name it does not hold.
    """
    if not left_out and not changed:
        return RULES.read_text()
    import yaml  # only a fault needs it

    document: dict[str, list[dict[str, Any]]] = yaml.safe_load(RULES.read_text())
    known = {rule.get("alert") for group in document["groups"] for rule in group["rules"]}
    changed = changed or {}
    for name in (*left_out, *changed):
        if name not in known:
            raise KeyError(f"{RULES.name} has no alert {name!r}")
    for group in document["groups"]:
        group["rules"] = [
            rule | changed.get(rule.get("alert", ""), {})
            for rule in group["rules"]
            if rule.get("alert") not in left_out
        ]
    return yaml.safe_dump(document, sort_keys=False)


def is_ready(port: int) -> bool:
    """Whether Prometheus or Alertmanager on the port says that it serves."""
    return status(f"http://127.0.0.1:{port}/-/ready") == 200


def status(url: str) -> int:
    """HTTP status of a loopback address; 0 when nothing answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


prometheus = Prometheus()
PARTS = (prometheus,)
