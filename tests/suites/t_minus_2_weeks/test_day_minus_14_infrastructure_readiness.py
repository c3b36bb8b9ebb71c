"""Day -14: its documents, on literal verdicts and issues."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from golive.verdicts import Verdict
from tests.golive.test_findings import issue, issues
from tests.suites.derived import World, performance_baseline


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


BASELINE = performance_baseline()
(FIGURE,) = BASELINE.figures


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"environment": "staging"}, "environment of the baseline"),
        ({"version": "1.9.0"}, "versions now serving"),
        ({"serving": ("1.9.0", "2.0.0")}, "versions now serving"),
        ({"began": BASELINE.began + timedelta(minutes=1)}, "length of the baseline"),
        ({"wanted": ("cpu of backend",)}, "figures that the baseline lacks"),
        ({"figures": (FIGURE, FIGURE)}, "figures that no query can give"),
        ({"figures": (replace(FIGURE, samples=0.0),)}, "figures without a sample"),
        ({"figures": (replace(FIGURE, coverage_percent=94.9),)}, "coverage of the baseline"),
        ({"version_coverage_percent": 94.9}, "coverage of the baseline"),
        ({"figures": (replace(FIGURE, value=4.7e8),)}, "difference from the metrics"),
    ],
)
def test_a_baseline_that_is_not_of_now_not_whole_or_not_true_is_red(
    world: World, change: dict[str, Any], subject: str
) -> None:
    world.in_order("D-14.D.3")
    assert world.broken("D-14.D.3") == ""
    wrong = performance_baseline(**change)
    assert world.broken("D-14.D.3", performance_baseline=wrong) == subject


def test_another_baseline_makes_another_document(world: World) -> None:
    world.in_order("D-14.D.3")
    assert world.broken("D-14.D.3") == ""
    page = world.context.documents / "performance-baseline-metrics.html"
    before = page.read_text()
    assert world.broken("D-14.D.3", performance_baseline=performance_baseline(sha256="0")) == ""
    assert page.read_text() != before
