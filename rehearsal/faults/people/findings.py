"""Faults of what the tracker says of security findings and of items that are red."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import saas_stubs as stubs
from rehearsal.staff.saas_stubs import LAUNCH

FINDING = "security-finding"
RED = "D-14.1.2"
"""The item that is red while one of these is in force, so that it needs an issue."""


def _plan(**fields: str) -> dict[str, str]:
    """What an owner says of an issue."""
    day = (LAUNCH - timedelta(days=3)).isoformat()
    return {"Remediation": "set the policy again", "Retest": RED, "Due": day, **fields}


def _found(
    name: str,
    items: list[str],
    title: str,
    *,
    waits_for: tuple[str, ...] = ("D-9.1.1",),
    **issue: Any,
) -> None:
    """An audit has found something else."""

    @fault(
        name, expect_fail=items, touches=["saas-stubs/tracker"], title=title, waits_for=waits_for
    )
    def find(r: Rehearsal) -> None:
        how = {"title": "Tokens are logged", "labels": [FINDING], "author": "sanjay", **issue}
        saas_stubs.with_issue(r, name, **how)

    find.revert(lambda r: saas_stubs.restore(r, name))


_found(
    "finding-open",
    ["D-14.D.2", "D-9.D.1", "D-9.D.3"],
    "a high finding is open, and nobody has a plan for it",
    severity="high",
)
_found(
    "finding-unrated",
    ["D-14.D.2", "D-9.D.1"],
    "a finding has no severity",
    assignee="sofia",
    fields={"Due": (LAUNCH - timedelta(days=3)).isoformat()},
)
_found(
    "finding-without-owner",
    ["D-14.D.2", "D-9.D.1"],
    "a medium finding has no owner and no day",
    severity="medium",
)
_found(
    "finding-overdue",
    ["D-9.D.3"],
    "the day of an open finding has passed",
    severity="low",
    opened=datetime.now(UTC) - timedelta(days=20),
    assignee="sofia",
    fields={
        "Remediation": "write the file",
        "Retest": "D-9.1.1",
        "Due": (datetime.now(UTC).date() - timedelta(days=4)).isoformat(),
    },
)


def _red_with(name: str, title: str, *issues: dict[str, Any]) -> None:
    """Redis' policy is another one, so that D-14.1.2 is red, and these issues are about it."""

    @fault(
        name,
        expect_fail=[RED, "D-14.D.1", "D-14.D.4"],
        touches=["redis", "saas-stubs/tracker"],
        title=title,
    )
    def both(r: Rehearsal) -> None:
        r.redis().config_set("maxmemory-policy", "noeviction")
        made = {}
        for number, one in enumerate(issues, saas_stubs.NEW):
            opened = datetime.now(UTC) - timedelta(days=9)
            how = {"severity": "low", "opened": opened, "assignee": "omar", **one}
            made[str(number)] = stubs.issue("Redis refuses writes when full", **how)
        saas_stubs.patch(r, name, tracker={"issues": made})

    def neither(r: Rehearsal) -> None:
        r.redis().config_set("maxmemory-policy", "allkeys-lru")
        saas_stubs.restore(r, name)

    both.revert(neither)


_red_with(
    "red-item-overdue",
    "an item is red, and the day of its issue has passed, which names no remediation",
    {"fields": {"Retest": RED, "Due": (datetime.now(UTC).date() - timedelta(days=2)).isoformat()}},
)
_red_with(
    "red-item-closed",
    "an item is red, and its issue is closed",
    {"fields": _plan(), "closed": datetime.now(UTC) - timedelta(days=1), "fixed_by": "omar"},
)
_red_with(
    "red-item-with-two-issues",
    "two issues are about the same red item",
    {"fields": _plan()},
    {"fields": _plan()},
)
