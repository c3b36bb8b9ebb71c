"""The review of the deployment runbook, as its two reviewers have signed it.

Settings a fault may override, on `runbook`: `unsigned` (roles that have not signed).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rehearsal.data import release
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints
from rehearsal.staff import config_tool, people

FILE = "docs/deployment-runbook.md"
REVIEWERS = ("technical_lead", "devops_lead")


def record(r: Rehearsal) -> Path:
    """The record of the review."""
    return r.path("runbook", "deployment-runbook.toml")


def review(r: Rehearsal) -> None:
    """Have the runbook of the checkout reviewed as it is."""
    path = record(r)
    digest = hashlib.sha256((release.checkout(r) / FILE).read_bytes()).hexdigest()
    write_atomically(path, f'sha256 = "{digest}"\n', 0o644)
    for role in REVIEWERS:
        signed = path.with_name(f"{path.name}.{role}.sig")
        signed.unlink(missing_ok=True)
        if role not in r.setting("runbook", "unsigned", []):
            people.sign_as(r, path, people.holder(role).id)
            path.with_name(f"{path.name}.sig").rename(signed)


def endpoints(r: Rehearsal) -> Endpoints:
    """Where the review lies, and the commands that the runbook calls beside those of the launch."""
    return {
        "deploy": {
            "runbook_review": str(record(r)),
            "runbook_commands": {
                "config-deploy": config_tool.words(r, "deploy"),
                "config-rollback": config_tool.words(r, "rollback"),
            },
        }
    }
