"""Faults of Days -8 and -6: trained support, known issues, and the risk register."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import entry

made = Stating(__name__)
TRAINING, SHIFTS = "training-scores.md", "support-shifts.md"
ISSUES, REGISTER = "known-issues.md", "risk-register.md"


def _untrained_shift(data: dict[str, Any]) -> None:
    data["shifts"][3]["agents"] = ["leah"]


# -- D-8.3.5 ------------------------------------------------------------------------------------

made.stated(
    "training-signed-by-another",
    "D-8.3.5",
    [entry("support_lead")],
    "the training of support is signed by the Support Lead",
)
made.written(
    "agent-not-trained",
    "D-8.3.5",
    TRAINING,
    lambda d: d["scores"].pop(),
    "a support agent has not finished the training",
)
made.written(
    "agent-failed-the-test",
    "D-8.3.5",
    TRAINING,
    lambda d: d["scores"][1].update(percent=79),
    "a support agent failed the test of the training",
)
made.written(
    "shift-without-agent",
    "D-8.3.5",
    SHIFTS,
    _untrained_shift,
    "a shift of launch week has no trained agent",
)

# -- D-6.3.2 ------------------------------------------------------------------------------------

made.stated(
    "issues-accepted-by-qa-only",
    "D-6.3.2",
    [entry("qa_lead")],
    "the known issues are accepted by the QA Lead only",
)
made.stated(
    "issues-accepted-long-ago",
    "D-6.3.2",
    [entry("product_manager", made_ago_s=8 * DAY_S)],
    "the acceptance of the known issues has expired",
)
made.altered(
    "known-issue-altered",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][0].update(impact="none"),
    "the text of a known issue was altered after it was accepted",
)
made.written(
    "known-issue-without-owner",
    "D-6.3.2",
    ISSUES,
    lambda d: d["issues"][1].update(owner="nobody"),
    "a known issue has no owner on the roster",
)


@fault(
    "open-issue-not-in-the-register",
    expect_fail=["D-6.3.2"],
    touches=["saas-stubs/tracker"],
    title="an open issue of the milestone is not in the register",
)
def open_issue_not_in_the_register(r: Rehearsal) -> None:
    saas_stubs.with_issue(r, "open-issue-not-in-the-register", severity="medium", assignee="hugo")


@open_issue_not_in_the_register.revert
def close_it(r: Rehearsal) -> None:
    saas_stubs.restore(r, "open-issue-not-in-the-register")


# -- D-6.3.4 ------------------------------------------------------------------------------------

made.stated("register-not-signed", "D-6.3.4", [], "the QA Lead has not signed the risk register")
made.written(
    "register-not-touched-for-days",
    "D-6.3.4",
    REGISTER,
    lambda d: d.update(changed_on="2026-01-05"),
    "the risk register was not changed for months",
)
made.written(
    "high-risk-not-mitigated",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][3].update(mitigated_by=None),
    "a high risk has no mitigation before the launch",
)
made.written(
    "risk-owned-by-nobody",
    "D-6.3.4",
    REGISTER,
    lambda d: d["risks"][6].update(owner="greta"),
    "a risk has no owner in the role table",
)
