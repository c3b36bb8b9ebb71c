"""Faults of what watches the database: rules that do not fire, do not end or go nowhere."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.faults import Fault, fault
from rehearsal.faults.backup.backups import AGE_RULE, _get, receiver_of
from rehearsal.faults.data.database import LOCK_RULE
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal

NEVER = "vector(0) > 1"
"""An expression that is never true."""
DOUBLED = "up + on () group_left () up"
"""One that cannot be evaluated: there is more than one on the other side."""


def _rule(r: Rehearsal, name: str) -> dict[str, Any]:
    groups = _get(r, "prometheus", "/api/v1/rules")["data"]["groups"]
    found: dict[str, Any] = next(
        rule for group in groups for rule in group["rules"] if rule["name"] == name
    )
    return found


def changed_rule(
    name: str, rule: str, item: str, title: str, key: str, shows: str, **fields: Any
) -> Fault:
    """A rule's fields are others than they should be, which shows in ``key`` of what is loaded."""

    def shown(r: Rehearsal) -> bool:
        return shows in str(_rule(r, rule).get(key, ""))

    @fault(
        name,
        expect_fail=[item],
        touches=["prometheus/rules"],
        title=title,
        settled=shown,
        reverted=lambda r: not shown(r),
    )
    def change(r: Rehearsal) -> None:
        r.override("prometheus", changed_rules={rule: fields})
        r.reload("prometheus")

    def back(r: Rehearsal) -> None:
        r.clear_override("prometheus", "changed_rules")
        r.reload("prometheus")

    change.revert(back)
    return change


changed_rule(
    "lock-wait-rule-blind",
    LOCK_RULE,
    "D-13.3.4",
    "the rule over lock waits never fires",
    *("query", NEVER),
    expr=NEVER,
)
changed_rule(
    "lock-wait-alert-lasts",
    LOCK_RULE,
    "D-13.3.4",
    "the alert on lock waits goes on for ten minutes after the wait",
    *("keepFiringFor", "600"),
    keep_firing_for="10m",
)
changed_rule(
    "lock-wait-rule-broken",
    LOCK_RULE,
    "D-13.3.4",
    "the rule over lock waits cannot be evaluated",
    *("health", "err"),
    expr=DOUBLED,
)
changed_rule(
    "backup-age-alert-lasts",
    AGE_RULE,
    "D-13.2.4",
    "the alert on old backups goes on for ten minutes after the repair",
    *("keepFiringFor", "600"),
    keep_firing_for="10m",
)


@fault(
    "migration-alerts-misrouted",
    expect_fail=["D-13.3.4"],
    touches=["alertmanager/routes"],
    title="alerts of migrations go to a mailbox that nobody reads",
    settled=lambda r: receiver_of(r, "migration") == "mailbox",
    reverted=lambda r: receiver_of(r, "migration") != "mailbox",
)
def migration_alerts_misrouted(r: Rehearsal) -> None:
    r.override("alertmanager", routes={"migration": "mailbox"})
    r.reload("alertmanager")


@migration_alerts_misrouted.revert
def route_migration_alerts(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "routes")
    r.reload("alertmanager")


@fault(
    "migration-log-without-end",
    expect_fail=["D-13.3.4"],
    touches=["migration-log"],
    title="the migration log does not tell that the last run ended",
)
def migration_log_without_end(r: Rehearsal) -> None:
    lines = r.migration_log.read_text().splitlines(keepends=True)
    r.remember("migration-log", lines)
    last = max(n for n, line in enumerate(lines) if json.loads(line)["event"] == "end")
    write_atomically(r.migration_log, "".join(lines[:last] + lines[last + 1 :]), 0o644)


@migration_log_without_end.revert
def tell_the_end(r: Rehearsal) -> None:
    write_atomically(r.migration_log, "".join(r.recall("migration-log")), 0o644)
    r.forget("migration-log")
