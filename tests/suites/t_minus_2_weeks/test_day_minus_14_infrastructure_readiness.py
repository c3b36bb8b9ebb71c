"""Day -14: its documents, on literal verdicts and issues."""

from __future__ import annotations

from datetime import date
from typing import Any

from golive.verdicts import Verdict
from tests.golive.test_findings import issue, issues
from tests.suites.derived import World


def test_the_summary_of_the_security_audit_counts_what_the_tracker_has(world: World) -> None:
    world.in_order("D-14.D.2")
    serious = issues(issue(9, severity="high", labels=("security-finding",)))
    assert world.broken("D-14.D.2", issues=serious) == "open critical or high findings"
    assert world.broken("D-9.D.1", issues=serious) != ""
    assert world.broken("D-14.D.2") == ""


def test_the_summary_needs_the_security_leads_own_signature(world: World) -> None:
    world.in_order("D-14.D.2")
    assert world.broken("D-14.D.2") == ""
    first = world.context.documents / "security-audit-summary.html.sig"
    second = world.context.documents / "security-audit-summary.html.security_lead.sig"
    second.write_bytes(first.read_bytes())
    reported = "the signature of the Security Lead on security-audit-summary.html"
    assert world.broken("D-14.D.2") == reported


def test_the_log_of_the_day_needs_an_open_issue_with_a_plan(world: World) -> None:
    world.in_order("D-14.D.4", but={"D-14.1.2": Verdict.FAIL})
    fields = {"Retest": "D-14.1.2", "Remediation": "Another node."}
    plan: dict[str, Any] = {
        "severity": "high",
        "fields": fields,
        "due": date(2026, 12, 1),
        "assignees": ("omar",),
    }
    assert world.broken("D-14.D.4", issues=issues(issue(9, **plan))) == ""
    closed = issues(issue(9, **plan, state="closed"))
    assert world.broken("D-14.D.4", issues=closed) == "closed issues whose item is still red"
    nobodys = issues(issue(9, **(plan | {"assignees": ()})))
    assert world.broken("D-14.D.4", issues=nobodys) == "issues not provided for"
    late = issues(issue(9, **(plan | {"due": date(2026, 11, 20)})))
    assert world.broken("D-14.D.4", issues=late) == "overdue issues"
