"""Day -9: its documents, on literal verdicts and issues."""

from __future__ import annotations

from tests.golive.test_findings import issue, issues
from tests.suites.derived import World


def test_the_remediation_plan_names_every_open_finding(world: World) -> None:
    world.in_order("D-9.D.3")
    found = issues(issue(9, severity="medium", labels=("security-finding",)))
    assert world.broken("D-9.D.3", issues=found) == "issues not provided for"
