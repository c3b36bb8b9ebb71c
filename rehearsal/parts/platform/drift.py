"""The drift job: compares live configuration with the desired one, again and again.

It keeps what differs for Prometheus, `/metrics`, and in `<folder>/drift.json`. While a deploy is
under way it waits. Settings a fault may override, on `config-drift`: `sources` (what it looks at).
"""

from __future__ import annotations

import fcntl
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.data import configuration, desired
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import MONITOR_ROLE, Rehearsal
from rehearsal.parts import Part
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.aws_configuration import resolve
from rehearsal.parts.traffic.balancer import balancer
from rehearsal.staff import saas_stubs

EVERY_S = 3.0
SOURCES = ("environment", "balancer", "database", "flags", "security-groups")


class Drift(Part):
    name = "config-drift"
    title = "compares live configuration with git"
    loads = aws.aws.loads
    needs = ("config-agent", "balancer", "postgres-primary", "saas-stubs")

    def command(self, r: Rehearsal) -> list[str]:
        port = str(r.port(self.name))
        return [sys.executable, "-m", "rehearsal.parts.platform.drift", port, str(r.folder)]


@contextmanager
def deploying(r: Rehearsal, *, wait: bool = True) -> Iterator[bool]:
    """Keep deploys and looks apart; false where one is under way and is not waited for."""
    with r.path("state", "deploy.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True


def environment(r: Rehearsal) -> list[str]:
    """Variables of instances' files that are not the desired ones."""
    wanted = resolve(r, desired.variables(r))
    return [
        f"{instance}: {name}"
        for instance in configuration.INSTANCES
        for found in [configuration.effective(r, instance)]
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]


def balanced(r: Rehearsal) -> list[str]:
    """What of the running balancer is not as desired."""
    wanted = desired.document(r, "balancer")
    state = balancer.ask(r, "show servers state").splitlines()
    rows = [line.split() for line in state if line[:1].isdigit() and len(line.split()) > 18]
    servers = {row[3]: f"{row[4]}:{row[18]}" for row in rows}
    weights = {row[3]: row[7] for row in rows}
    odd = [
        f"server {n}"
        for n in sorted({*servers, *wanted["servers"]})
        if servers.get(n) != wanted["servers"].get(n)
    ]
    odd += [f"weight of {name}" for name, weight in weights.items() if weight != "1"]
    text = balancer.config(r).read_text()
    check = wanted["health_check"]
    if f"httpchk GET {check['path']}\n" not in text:
        odd.append("path of the health check")
    if f"inter {check['interval_s']}s" not in text:
        odd.append("interval of the health check")
    return odd


def database(r: Rehearsal) -> list[str]:
    """Settings of the primary that are not the desired ones."""
    wanted = desired.document(r, "database")
    with r.primary.connect(user=MONITOR_ROLE) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings where name = any(%s)", [list(wanted)]
        ).fetchall()
    found = dict(rows)
    return [name for name, value in wanted.items() if found.get(name) != value]


def flags(r: Rehearsal) -> list[str]:
    """Flags whose state is not the desired one."""
    where = r.url("saas-stubs", "/api/client/features")
    request = urllib.request.Request(where, headers={"Authorization": r.secret("flags-token")})  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=2) as answer:
        features = json.load(answer)["features"]
    found = {
        f["name"]: {
            "enabled": f["enabled"],
            "rollout": int(f["strategies"][0]["parameters"]["rollout"]),
        }
        for f in features
        if f["name"] != saas_stubs.SYNTHETIC
    }
    wanted = desired.document(r, "flags")
    return [n for n in sorted({*found, *wanted}) if found.get(n) != wanted.get(n)]


def security_groups(r: Rehearsal) -> list[str]:
    """Rules and labels of the security groups that are not the desired ones."""
    wanted = desired.document(r, "security-groups")
    with aws.told_as("The security groups could not be looked at"):
        groups = aws.client(r, "ec2").describe_security_groups(
            Filters=[{"Name": "group-name", "Values": list(wanted)}]
        )["SecurityGroups"]
    odd = [f"labels of {g['GroupName']}" for g in groups if g.get("Tags")]
    found = {g["GroupName"]: sorted(_rules(g)) for g in groups}
    return odd + [n for n in wanted if found.get(n) != sorted(wanted[n])]


def _groups_made(r: Rehearsal) -> bool:
    try:
        return not security_groups(r)
    except RehearsalError:
        return False


def _rules(group: dict[str, Any]) -> Iterator[str]:
    for rule in group["IpPermissions"]:
        for place in rule["IpRanges"]:
            yield f"{rule['IpProtocol']} {rule.get('FromPort', '')} {place['CidrIp']}"


LOOKS: dict[str, Callable[[Rehearsal], list[str]]] = {
    "environment": environment,
    "balancer": balanced,
    "database": database,
    "flags": flags,
    "security-groups": security_groups,
}


def look(r: Rehearsal) -> dict[str, Any]:
    """What differs, by source; a source that cannot be looked at is told with its cause."""
    import psycopg

    found: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    for source in r.setting("config-drift", "sources", list(SOURCES)):
        try:
            found[source] = LOOKS[source](r)
        except (RehearsalError, OSError, ValueError, KeyError, psycopg.Error) as error:
            failed[source] = f"{type(error).__name__}: {error}"
    return {"at": time.time(), "differences": found, "failed": failed}


def exposed(said: dict[str, Any]) -> str:
    """What was found, as Prometheus reads it."""
    lines = [
        "# HELP config_drift_last_run_timestamp_seconds When live and desired were last compared.",
        "# TYPE config_drift_last_run_timestamp_seconds gauge",
        f"config_drift_last_run_timestamp_seconds {said['at']}",
        "# HELP config_drift_differences Differences from git that nobody has approved.",
        "# TYPE config_drift_differences gauge",
    ]
    lines += [
        f'config_drift_differences{{source="{source}"}} {len(odd)}'
        for source, odd in said["differences"].items()
    ]
    return "\n".join(lines) + "\n"


def main(port: int, r: Rehearsal) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    # They are the last that AWS is furnished with, and what is missing would be a difference.
    r.wait("the security groups are made", lambda: _groups_made(r), 60, 0.2)
    said: list[dict[str, Any]] = [look(r)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exposed(said[0]).encode()
            self.send_response(200 if self.path == "/metrics" else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing that anybody reads."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        with deploying(r, wait=False) as free:
            if free:
                said[0] = look(r)
                write_atomically(r.path("drift.json"), json.dumps(said[0], indent=1), 0o644)
        time.sleep(EVERY_S)


PARTS = (Drift(),)

if __name__ == "__main__":
    main(int(sys.argv[1]), Rehearsal(Path(sys.argv[2])))
