"""What a rehearsal tells about itself once it is up: ``endpoints.toml``.

A TOML file in the terms of an environment: addresses, ports, paths and commands that only this
rehearsal knows. Secrets are named by their files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.kernel import binaries
from rehearsal.kernel.world import BURST_ROLE, DATABASE, MONITOR_ROLE, Rehearsal, write_atomically
from rehearsal.parts.data.pgbouncer import STATS
from rehearsal.parts.data.postgres import VERSION, archive_folder
from rehearsal.parts.data.redis import MASTER_NAME, PASSWORD, SENTINEL_PASSWORD
from rehearsal.parts.people import messages
from rehearsal.parts.platform import aws
from rehearsal.parts.saas.saas_stubs import (
    FLAGS_ADMIN_TOKEN,
    FLAGS_TOKEN,
    STATUS_KEY,
    STRIPE_KEY,
    TRACKER_TOKEN,
    address,
)
from rehearsal.parts.traffic.balancer import SERVERS, balancer
from rehearsal.parts.traffic.edge import nodes as edge_nodes
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, ORIGIN_HOST, authority
from rehearsal.staff import calendar, incidents, launch_tools, papers, people, saas_stubs

HOST = "127.0.0.1"
PREVIOUS_VERSION = "v1.9.0"
CUSTOMERS = ("client00001@example.com", "client00002@example.com")
"""Two of the seed's customers; the workload uses others."""
LOGS = ("app-1", "app-2", "postgres-primary", "pgbouncer", "balancer", "edge-1", "edge-2")
"""Parts that write about what the product does."""
KNOWN_ROW = """
select 'appointments ' || id as key from appointments
where created_at < %(before)s order by created_at desc, id desc limit 1"""


def write(r: Rehearsal) -> None:
    """Write ``endpoints.toml`` for the running rehearsal, readable by its owner only."""
    launch_tools.authorise(r)
    launch_tools.practise(r)
    papers.write(r)
    write_atomically(r.folder / "endpoints.toml", toml(describe(r)), 0o600)


def describe(r: Rehearsal) -> dict[str, Any]:
    """The overlay as nested dictionaries."""

    def secret(name: str) -> dict[str, str]:
        r.secret_file(name)
        return {"file": f"secrets/{name}"}

    def command(*words: str, module: str = "rehearsal") -> list[str]:
        # -P: nothing of the folder that the command is run in may shadow a module.
        project = Path(__file__).resolve().parent.parent
        run = ["env", f"GOLIVE_REHEARSAL={r.folder}", f"PYTHONPATH={project}"]
        return [*run, sys.executable, "-P", "-m", module, *words]

    tool = launch_tools.words(r)
    chromium = binaries.find("chromium")

    def incident(*words: str) -> list[str]:
        return command(*words, module="rehearsal.staff.incidents")

    def here(name: str, port: str | None = None) -> dict[str, Any]:
        return {"name": name, "host": HOST, "port": r.port(port or name)}

    def tls_node(port: str, file: Path) -> dict[str, Any]:
        return {"host": HOST, "port": r.port(port), "certificate_file": str(file)}

    servers = ("postgres-primary", "postgres-standby")
    edge_tls = [tls_node(one.name, one.certificate_file(r)) for one in edge_nodes]
    return {
        "postgres": {
            "database": DATABASE,
            "user": MONITOR_ROLE,
            "password": secret(MONITOR_ROLE),
            "burst_user": BURST_ROLE,
            "burst_password": secret(BURST_ROLE),
            "sslrootcert": str(authority(r).root),
            "nodes": [{**here(name), "role": name.removeprefix("postgres-")} for name in servers],
            "poolers": [
                {**here("pgbouncer"), "admin_user": STATS, "admin_password": secret(STATS)}
            ],
        },
        "redis": {
            "master_name": MASTER_NAME,
            "password": secret(PASSWORD),
            "sentinel_password": secret(SENTINEL_PASSWORD),
            "nodes": [here("redis-primary"), here("redis-replica")],
            "sentinels": [here(f"redis-sentinel-{n}") for n in (1, 2, 3)],
        },
        "application": {
            "url": f"https://{HOST}:{r.port('edge-1')}",
            "instances": [
                {"name": name, "url": f"http://{HOST}:{r.port(name)}"} for name in SERVERS
            ],
            "logs": [{"path": str(r.log(name).parent / f"{name}.log")} for name in LOGS],
            "accounts": [{"email": one, "password": secret("account")} for one in CUSTOMERS],
        },
        "balancer": {
            "url": f"https://{HOST}:{r.port('balancer')}",
            "http_url": f"http://{HOST}:{r.port('balancer-http')}",
            "config": str(balancer.config(r)),
            "check_command": [*program("haproxy"), "-c"],
            "stats": f"tcp://{HOST}:{r.port('balancer-stats')}",
        },
        "edge": {
            "hosts": list(EDGE_HOSTS),
            "nodes": [
                {**here(one.name), "http_port": r.port(f"{one.name}-http")} for one in edge_nodes
            ],
            "distribution_id": r.recall("aws")["distribution_id"],
        },
        "tls": {
            "ca_file": str(authority(r).root),
            "endpoints": [
                *({"name": host, "nodes": edge_tls} for host in EDGE_HOSTS),
                {
                    "name": ORIGIN_HOST,
                    "nodes": [tls_node("balancer", balancer.certificate_file(r))],
                },
                *(
                    {
                        "name": f"{name}.bookedbarber.test",
                        "protocol": "postgres",
                        "nodes": [tls_node(name, r.data(name) / "server.pem")],
                    }
                    for name in servers
                ),
            ],
        },
        "monitoring": {
            "prometheus": f"http://{HOST}:{r.port('prometheus')}",
            "alertmanager": f"http://{HOST}:{r.port('alertmanager')}",
            "receiver": f"http://{HOST}:{r.port('receiver')}/inbox",
            "migration_log": str(r.migration_log),
            "backup_alerts": [
                {
                    "mode": mode,
                    "rule": rule,
                    "induce": command("induce", "--mode", verb),
                    "repair": command("repair", "--mode", verb),
                }
                for mode, rule, verb in (
                    ("full backup older than 24 h", "BackupTooOld", "old-backup"),
                    ("size drop over 50 %", "BackupSizeDrop", "small-backup"),
                    ("WAL archive failing", "WalArchiveFailing", "archive-failure"),
                    ("cross-region copy late", "CrossRegionCopyLate", "late-copy"),
                )
            ],
        },
        "aws": {
            "endpoint_url": f"http://{HOST}:{r.port('aws')}",
            "access_key_id": secret("aws-access-key-id"),
            "secret_access_key": secret("aws-secret-access-key"),
        },
        "backups": {
            "list_command": command("backups"),
            "verify_command": [*program("pg_verifybackup"), "{path}"],
            "archive": str(archive_folder(r)),
            "restore_command": command(
                *("restore", "--backup", "{id}", "--to", "{name}"),
                *("--target-{kind}", "{target}", "--exclusive"),
            ),
            "discard_command": command("discard", "{name}"),
            "serve_command": command("serve-copy", "--name", "{name}", "--version", "{version}"),
            "decrypt_command": command(
                *("decrypt-backup", "--key", "{key}", "--meta", "{metadata}"),
                *("--region", "{region}", "--from", "-", "--to", "-"),
            ),
            "known_row": KNOWN_ROW,
            "full_key": "full/{id}.tar.gz",
            "retention_days": float(aws.RETENTION_DAYS),
            "source": {
                "name": aws.SOURCE_BUCKET,
                "region": aws.SOURCE_REGION,
                "kms_key": aws.alias(aws.SOURCE_BUCKET),
            },
            "copy": {
                "name": aws.COPY_BUCKET,
                "region": r.setting("aws", "copy_region", aws.COPY_REGION),
                "kms_key": aws.alias(aws.COPY_BUCKET),
            },
        },
        "release": {
            "repository": str(r.folder / "release.git"),
            "tag": VERSION,
            "previous_tag": PREVIOUS_VERSION,
            "migrations": "migrations",
            "declared_schema": f"migrations/schema-{VERSION}.json",
            "loss_list": "migrations/losses.toml",
            "copy_command": command("copy-of", "--name", "{name}", "--tag", "{tag}"),
            "heads_command": command("heads"),
            "digest_command": command("digest"),
            "migrate_command": command("migrate-copy", "--name", "{name}", "--to", "{tag}"),
            "rollback_command": command("rollback-copy", "--name", "{name}", "--to", "{tag}"),
            "schema_command": command("schema-copy", "--name", "{name}"),
            "booking_service": "Haircut",
        },
        "tracker": {
            "url": address(r, "/api/v3"),
            "repository": saas_stubs.REPOSITORY,
            "token": secret(TRACKER_TOKEN),
            "canary": saas_stubs.CANARY,
        },
        "status_page": {
            "url": address(r, "/v1"),
            "page": saas_stubs.PAGE,
            "key": secret(STATUS_KEY),
            "organization": saas_stubs.ORGANIZATION,
            "public_url": address(r, "/status"),
        },
        "flags": {
            "url": address(r, "/api"),
            "token": secret(FLAGS_TOKEN),
            "admin_token": secret(FLAGS_ADMIN_TOKEN),
        },
        "tools": {
            "commands": {t.name: [str(r.path("tools", "bin", t.name))] for t in launch_tools.TOOLS},
            "manifest": str(launch_tools.manifest(r)),
            "authorisation": str(launch_tools.authorisation(r)),
            "artefacts_command": [*tool, "artefacts"],
            "audit_command": [*tool, "audit"],
        },
        "calendar": {
            "url": f"http://{HOST}:{r.port('messages')}/calendar/v3/",
            "calendar": calendar.CALENDAR,
            "credentials": secret(messages.CALENDAR_TOKEN),
            "time_zone": calendar.ZONE,
        },
        "mail": {
            "url": f"http://{HOST}:{r.port('messages')}",
            "key": secret(messages.MAIL_KEY),
            "sender": messages.SENDER,
            "reply_to": messages.REPLY_TO,
            "inbox": f"http://{HOST}:{r.port('messages')}/inbound/mail",
            "inbox_key": secret(messages.INBOX_KEY),
        },
        "sms": {
            "url": f"http://{HOST}:{r.port('messages')}",
            "account": messages.ACCOUNT,
            "token": secret(messages.SMS_TOKEN),
            "sender": messages.NUMBER,
        },
        "stripe": {
            "url": address(r, ""),
            "key": secret(STRIPE_KEY),
            "card_origin": address(r, ""),
        },
        "browser": {"program": str(chromium.path), "variables": chromium.environment},
        "compliance": {"entity": papers.COMPANY, "issuers": [papers.ISSUER]},
        "escalation": {
            "clock": incidents.CLOCK,
            "promtool": program("promtool"),
            "open_command": incident(
                *("open", "{name}", "--severity", "{severity}", "--impact", "{impact}"),
                *("--resolve-after", "{resolve_after_s}"),
            ),
            "acknowledge_command": incident("acknowledge", "{name}"),
            "close_command": incident("close", "{name}"),
        },
        "people": {
            "roster": str(people.roster(r)),
            "papers": str(people.papers(r)),
            "statements": str(people.statements(r)),
            "keys": str(people.keys(r)),
            "documents": str(people.documents(r)),
        },
    }


def program(name: str) -> list[str]:
    """Words that run a program from wherever it comes."""
    found = binaries.find(name)
    variables = [f"{key}={value}" for key, value in found.environment.items()]
    return ["env", *variables, str(found.path)] if variables else [str(found.path)]


# -- writing TOML ------------------------------------------------------------------------------


def toml(document: Mapping[str, Any]) -> str:
    """A two-level document as TOML: a table per key, everything deeper inline."""
    lines = ["# Written by `python -m rehearsal up`; `down` removes it."]
    for table, values in document.items():
        lines += ["", f"[{table}]", *(f"{key} = {inline(v)}" for key, v in values.items())]
    return "\n".join(lines) + "\n"


def inline(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {inline(v)}" for key, v in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(inline(v) for v in value) + "]"
    # Strings, numbers and truth values are written alike in JSON and TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
