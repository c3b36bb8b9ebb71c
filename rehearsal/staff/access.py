"""The access list: who logs in to AWS and to the database, signed by the Security Lead."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.data.postgres import OPERATORS, ROLES
from rehearsal.parts.platform.aws import GROUPS
from rehearsal.staff import people

LIST = "access-list.md"
_SIGNED = "signed access list"


def facts() -> dict[str, Any]:
    """What the list tells."""
    users = sorted({one for group in GROUPS.values() for one in group})
    return {
        "access_people": {p: (p in users, p in OPERATORS) for p in sorted({*users, *OPERATORS})},
        "database_services": ROLES,
    }


def sign_list(r: Rehearsal) -> None:
    """Sign the list where it is another one than was signed."""
    path = people.papers(r) / LIST
    if not path.is_file():
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with suppress(RehearsalError):
        if r.recall(_SIGNED) == digest and path.with_name(f"{LIST}.sig").is_file():
            return
    people.sign(r, path, "security_lead")
    r.remember(_SIGNED, digest)
