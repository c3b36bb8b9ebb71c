"""What live configuration has to be: a bare repository, `<folder>/desired.git`.

    environment.env         the variables of the instances, with references
    balancer.json           servers and health check of the balancer
    database.json           settings of the database
    flags.json              state of every feature flag
    security-groups.json    who may reach what

A revision of the environment's variables is a commit with a tag, `config-N`; who deployed which
and when stands in `<folder>/desired-history.jsonl`.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rehearsal.data import configuration, release
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import saas_stubs

ENVIRONMENT = "environment.env"
DATABASE = {
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "wal_level": "replica",
}
SECURITY_GROUPS = {
    "bookedbarber-balancer": ["tcp 443 0.0.0.0/0", "tcp 80 0.0.0.0/0"],
    "bookedbarber-app": ["tcp 8000 10.0.1.0/24"],
    "bookedbarber-database": ["tcp 5432 10.0.2.0/24", "tcp 6432 10.0.2.0/24"],
}
HEALTH_CHECK = {"path": "/health", "interval_s": 1}


def repository(r: Rehearsal) -> Path:
    """The bare repository."""
    return r.path("desired.git")


def checkout(r: Rehearsal) -> Path:
    return r.path("desired")


def history_file(r: Rehearsal) -> Path:
    return r.path("desired-history.jsonl")


def publish(r: Rehearsal) -> None:
    """Make the repository again, with what is released as its first revision."""
    folder = checkout(r)
    for one in (repository(r), folder):
        shutil.rmtree(one, ignore_errors=True)
    history_file(r).unlink(missing_ok=True)
    release.git(r.folder, "init", "--quiet", "--initial-branch=main", str(folder))
    servers = {name: f"127.0.0.1:{r.port(name)}" for name in configuration.INSTANCES}
    flags = {
        name: {"enabled": name not in saas_stubs.OFF, "rollout": 100}
        for name in saas_stubs.FLAGS
        if name != saas_stubs.SYNTHETIC
    }
    documents: dict[str, Any] = {
        "balancer": {"servers": servers, "health_check": HEALTH_CHECK},
        "database": DATABASE,
        "flags": flags,
        "security-groups": SECURITY_GROUPS,
    }
    for name, document in documents.items():
        text = json.dumps(document, indent=1, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n")
    (folder / ENVIRONMENT).write_text(configuration.written(configuration.released(r)))
    release.git(folder, "add", "--all")
    release.git(folder, "commit", "--quiet", "--message", "As released")
    release.git(folder, "tag", "config-1")
    release.git(r.folder, "clone", "--quiet", "--bare", str(folder), str(repository(r)))
    release.git(folder, "remote", "add", "origin", str(repository(r)))
    _note(r, "releases", "deploy", "config-1", "")


def document(r: Rehearsal, name: str) -> dict[str, Any]:
    """A JSON document as it is desired now. Raises RehearsalError."""
    found: dict[str, Any] = json.loads(release.git(repository(r), "show", f"main:{name}.json"))
    return found


def variables(r: Rehearsal, revision: str = "main") -> dict[str, str]:
    """The instances' variables at a revision. Raises RehearsalError where there is none."""
    return configuration.parsed(release.git(repository(r), "show", f"{revision}:{ENVIRONMENT}"))


def commit(r: Rehearsal, actor: str, found: dict[str, str], action: str, of: str) -> str:
    """Commit variables as the next revision; its name."""
    folder = checkout(r)
    number = 1 + len(history(r))
    (folder / ENVIRONMENT).write_text(configuration.written(found))
    release.git(folder, "add", "--all")
    message = f"{action} by {actor}"
    release.git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    name = f"config-{number}"
    release.git(folder, "tag", name)
    release.git(folder, "push", "--quiet", "origin", "main", f"refs/tags/{name}")
    _note(r, actor, action, name, of)
    return name


def history(r: Rehearsal) -> list[dict[str, str]]:
    """Every change of the variables, oldest first."""
    path = history_file(r)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def previous(r: Rehearsal) -> str:
    """The revision before the current one. Raises RehearsalError where there is none."""
    found = history(r)[-1]["previous"]
    if not found:
        raise RehearsalError("There is no revision before the current one.")
    if not release.git(repository(r), "tag", "--list", found):
        raise RehearsalError(f"The revision {found} is not there any more.")
    return found


def _note(r: Rehearsal, actor: str, action: str, revision: str, before: str) -> None:
    line = {
        "at": datetime.now(UTC).isoformat(),
        "actor": actor,
        "action": action,
        "revision": revision,
        "previous": before,
    }
    with history_file(r).open("a") as file:
        file.write(json.dumps(line) + "\n")
