"""Faults of the documents that people sign: what a hasty or a dishonest hand could do to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people

PERFORMANCE = "database-performance-report"
BACKUPS = "backup-validation-report"
MIGRATION = "migration-readiness-confirmation"
STATUS = "final-status-report"
DECISION = "go-no-go-decision-documentation"
BRIEFINGS = "team-briefing-completion"
RISKS = "risk-assessment-update"
BUGS = "bug-resolution-summary"
APPROVALS = "stakeholder-approval-documentation"
SIGNER = "database_administrator"
GRAVE_BUG = 302
"""A critical one that hugo fixed."""
_DATA = re.compile(
    r'(<script type="application/json" id="golive-document">)(.*?)(</script>)', re.DOTALL
)


def _path(r: Rehearsal, kind: str) -> Path:
    return people.documents(r) / f"{kind}.html"


def _rewrite(
    r: Rehearsal,
    kind: str,
    change: Callable[[dict[str, Any]], object],
    *,
    signed: bool,
    signer: str = SIGNER,
) -> None:
    """Change a document's data and, where ``signed``, sign the changed one as its owner would."""
    path = _path(r, kind)
    page = path.read_text(encoding="utf-8")
    r.remember(f"document {kind}", page)
    path.write_text(changed(page, change), encoding="utf-8")
    if signed:
        people.sign(r, path, signer)


def changed(page: str, change: Callable[[dict[str, Any]], object]) -> str:
    """A document's page with other data in it; what it shows stays."""
    match = _DATA.search(page)
    assert match is not None, "the page carries no data"
    data = json.loads(match[2])
    change(data)
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return page[: match.start(2)] + text + page[match.end(2) :]


def _restore(r: Rehearsal, kind: str, signer: str = SIGNER) -> None:
    _path(r, kind).write_text(r.recall(f"document {kind}"), encoding="utf-8")
    people.sign(r, _path(r, kind), signer)
    r.forget(f"document {kind}")


def _table(data: dict[str, Any], title: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in data["tables"] if title in t["title"])
    return found


def _figure(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in data["figures"] if name in f["name"])
    return found


def _age(data: dict[str, Any], days: int) -> None:
    """Have the first verdict looked at that long ago."""
    row = data["verdicts"][0]
    row["looked_at"] = (datetime.fromisoformat(row["looked_at"]) - timedelta(days=days)).isoformat()


@fault(
    "report-without-a-statement",
    expect_fail=["D-13.D.1"],
    touches=["documents/database-performance-report"],
    title="the performance report leaves out the p95 of one statement",
)
def report_without_a_statement(r: Rehearsal) -> None:
    _rewrite(r, PERFORMANCE, lambda d: _table(d, "statement")["rows"].pop(), signed=True)


@report_without_a_statement.revert
def restore_the_statement(r: Rehearsal) -> None:
    _restore(r, PERFORMANCE)


@fault(
    "report-of-another-environment",
    expect_fail=["D-13.D.1"],
    touches=["documents/database-performance-report"],
    title="the performance report rests on verdicts of another environment",
)
def report_of_another_environment(r: Rehearsal) -> None:
    _rewrite(r, PERFORMANCE, lambda d: d.update(environment="staging"), signed=True)


@report_of_another_environment.revert
def restore_the_environment(r: Rehearsal) -> None:
    _restore(r, PERFORMANCE)


@fault(
    "figure-altered-after-signing",
    expect_fail=["D-13.D.1"],
    touches=["documents/database-performance-report"],
    title="a figure of the performance report was altered after it was signed",
)
def figure_altered_after_signing(r: Rehearsal) -> None:
    _rewrite(r, PERFORMANCE, lambda d: d["figures"][0].update(value=1.0), signed=False)


@figure_altered_after_signing.revert
def restore_the_figure(r: Rehearsal) -> None:
    _restore(r, PERFORMANCE)


@fault(
    "backup-of-another-database",
    expect_fail=["D-13.D.2"],
    touches=["documents/backup-validation-report"],
    title="the backup report is about another database cluster",
)
def backup_of_another_database(r: Rehearsal) -> None:
    _rewrite(r, BACKUPS, lambda d: d.update(subject="7000000000000000000"), signed=True)


@backup_of_another_database.revert
def restore_the_system_identifier(r: Rehearsal) -> None:
    _restore(r, BACKUPS)


@fault(
    "drill-of-fifteen-days-ago",
    expect_fail=["D-13.D.2"],
    touches=["documents/backup-validation-report"],
    title="the backup report rests on a restore drill of 15 days ago",
)
def drill_of_fifteen_days_ago(r: Rehearsal) -> None:
    _rewrite(r, BACKUPS, lambda d: _age(d, days=15), signed=True)


@drill_of_fifteen_days_ago.revert
def restore_the_drill(r: Rehearsal) -> None:
    _restore(r, BACKUPS)


@fault(
    "report-without-a-verdict",
    expect_fail=["D-13.D.2"],
    touches=["documents/backup-validation-report"],
    title="the backup report lacks one of its five verdicts",
)
def report_without_a_verdict(r: Rehearsal) -> None:
    _rewrite(r, BACKUPS, lambda d: d["verdicts"].pop(), signed=True)


@report_without_a_verdict.revert
def restore_the_verdict(r: Rehearsal) -> None:
    _restore(r, BACKUPS)


@fault(
    "migration-of-25-minutes",
    expect_fail=["D-13.D.3"],
    touches=["documents/migration-readiness-confirmation"],
    title="the confirmation tells a migration of 25 minutes",
)
def migration_of_25_minutes(r: Rehearsal) -> None:
    _rewrite(
        r,
        MIGRATION,
        lambda d: _figure(d, "migration duration").update(value=25.0),
        signed=True,
    )


@migration_of_25_minutes.revert
def restore_the_duration(r: Rehearsal) -> None:
    _restore(r, MIGRATION)


@fault(
    "confirmation-unsigned",
    expect_fail=["D-13.D.3"],
    touches=["documents/migration-readiness-confirmation", "keys/database_administrator"],
    title="the migration readiness confirmation is not signed, and its signer's key is away",
)
def confirmation_unsigned(r: Rehearsal) -> None:
    _path(r, MIGRATION).with_suffix(".html.sig").unlink()
    key = people.keys(r) / people.holder(SIGNER).id
    key.rename(key.with_name(f"{key.name}.away"))


@confirmation_unsigned.revert
def return_the_key(r: Rehearsal) -> None:
    key = people.keys(r) / people.holder(SIGNER).id
    key.with_name(f"{key.name}.away").rename(key)
    people.sign(r, _path(r, MIGRATION), SIGNER)


@fault(
    "bug-left-out-of-the-summary",
    expect_fail=["D-6.D.2"],
    touches=["documents/bug-resolution-summary"],
    title="the bug resolution summary leaves out one of the critical or high bugs",
)
def bug_left_out_of_the_summary(r: Rehearsal) -> None:
    _rewrite(
        r,
        BUGS,
        lambda d: _table(d, "Critical and high")["rows"].pop(),
        signed=True,
        signer="qa_lead",
    )


@bug_left_out_of_the_summary.revert
def restore_the_bug(r: Rehearsal) -> None:
    _restore(r, BUGS, "qa_lead")


@fault(
    "summary-of-three-days-ago",
    expect_fail=["D-6.D.2"],
    touches=["documents/bug-resolution-summary"],
    title="the bug resolution summary is three days old",
)
def summary_of_three_days_ago(r: Rehearsal) -> None:
    _rewrite(r, BUGS, lambda d: _age(d, days=3), signed=True, signer="qa_lead")


@summary_of_three_days_ago.revert
def restore_the_age(r: Rehearsal) -> None:
    _restore(r, BUGS, "qa_lead")


@fault(
    "approvals-signed-by-another-role",
    expect_fail=["D-5.D.1"],
    touches=["documents/stakeholder-approval-documentation"],
    title="the approval documentation is signed by the QA Lead instead of the Product Manager",
)
def approvals_signed_by_another_role(r: Rehearsal) -> None:
    people.sign(r, _path(r, APPROVALS), "qa_lead")


@approvals_signed_by_another_role.revert
def sign_the_approvals(r: Rehearsal) -> None:
    people.sign(r, _path(r, APPROVALS), "product_manager")


@fault(
    "approval-without-its-evidence",
    expect_fail=["D-5.D.1"],
    touches=["documents/stakeholder-approval-documentation"],
    title="the approval documentation binds a statement that is not the one that was signed",
)
def approval_without_its_evidence(r: Rehearsal) -> None:
    def swap(data: dict[str, Any]) -> None:
        _table(data, "stated")["rows"][0][-1] = "minutes.md 000000000000"

    _rewrite(r, APPROVALS, swap, signed=True, signer="product_manager")


@approval_without_its_evidence.revert
def restore_the_evidence(r: Rehearsal) -> None:
    _restore(r, APPROVALS, "product_manager")


@fault(
    "bug-verified-by-its-fixer",
    expect_fail=["D-6.D.2"],
    touches=["saas-stubs/tracker"],
    title="a critical bug is verified by whoever fixed it",
)
def bug_verified_by_its_fixer(r: Rehearsal) -> None:
    saas_stubs.relabelled(
        r, "bug-verified-by-its-fixer", GRAVE_BUG, off="verified", on="verified", by="hugo"
    )


@bug_verified_by_its_fixer.revert
def verify_the_bug_again(r: Rehearsal) -> None:
    saas_stubs.restore(r, "bug-verified-by-its-fixer")


@fault(
    "status-report-with-another-count",
    expect_fail=["D-2.D.2"],
    touches=["documents/final-status-report"],
    title="the final status report counts one item more as green",
)
def status_report_with_another_count(r: Rehearsal) -> None:
    def change(data: dict[str, Any]) -> None:
        figure = _figure(data, "PASS")
        figure["value"] += 1

    _rewrite(r, STATUS, change, signed=True, signer="product_manager")


@status_report_with_another_count.revert
def restore_the_count(r: Rehearsal) -> None:
    _restore(r, STATUS, "product_manager")


@fault(
    "status-report-without-an-open-item",
    expect_fail=["D-2.D.2"],
    touches=["documents/final-status-report"],
    title="the final status report leaves out an item that is not green",
)
def status_report_without_an_open_item(r: Rehearsal) -> None:
    _rewrite(r, STATUS, lambda d: d["open"].pop(), signed=True, signer="product_manager")


@status_report_without_an_open_item.revert
def restore_the_open_item(r: Rehearsal) -> None:
    _restore(r, STATUS, "product_manager")


@fault(
    "status-report-of-yesterday",
    expect_fail=["D-2.D.2"],
    touches=["documents/final-status-report"],
    title="the final status report is 25 hours old",
)
def status_report_of_yesterday(r: Rehearsal) -> None:
    def age(data: dict[str, Any]) -> None:
        data["made_at"] = (
            datetime.fromisoformat(data["made_at"]) - timedelta(hours=25)
        ).isoformat()

    _rewrite(r, STATUS, age, signed=True, signer="product_manager")


@status_report_of_yesterday.revert
def restore_the_hour(r: Rehearsal) -> None:
    _restore(r, STATUS, "product_manager")


@fault(
    "report-of-yesterday-presented",
    expect_fail=["D-1.1.2"],
    touches=["documents/final-status-report"],
    title="the final status report was 25 hours old when it was presented",
)
def report_of_yesterday_presented(r: Rehearsal) -> None:
    def age(data: dict[str, Any]) -> None:
        at = datetime.fromisoformat(data["made_at"]) - timedelta(hours=25)
        data["made_at"] = at.isoformat()

    _rewrite(r, STATUS, age, signed=True, signer="product_manager")


@report_of_yesterday_presented.revert
def restore_the_report(r: Rehearsal) -> None:
    _restore(r, STATUS, "product_manager")


def _swap_vote(data: dict[str, Any]) -> None:
    _table(data, "Votes")["rows"][0][1] = "no-go"


@fault(
    "vote-altered-in-the-decision-document",
    expect_fail=["D-1.D.1"],
    touches=["documents/go-no-go-decision-documentation"],
    title="the document of the decision tells another vote than was signed",
    waits_for=["D-1.1.4"],
)
def vote_altered_in_the_decision_document(r: Rehearsal) -> None:
    _rewrite(r, DECISION, _swap_vote, signed=True, signer="executive_team")


@vote_altered_in_the_decision_document.revert
def restore_the_vote(r: Rehearsal) -> None:
    _restore(r, DECISION, "executive_team")


@fault(
    "briefings-with-another-count",
    expect_fail=["D-3.D.2"],
    touches=["documents/team-briefing-completion"],
    title="the briefing document counts one person more as briefed",
)
def briefings_with_another_count(r: Rehearsal) -> None:
    def change(data: dict[str, Any]) -> None:
        figure = _figure(data, "were briefed")
        figure["value"] += 1

    _rewrite(r, BRIEFINGS, change, signed=True, signer="technical_lead")


@briefings_with_another_count.revert
def restore_the_attendees(r: Rehearsal) -> None:
    _restore(r, BRIEFINGS, "technical_lead")


@fault(
    "risk-update-of-another-register",
    expect_fail=["D-2.D.3"],
    touches=["documents/risk-assessment-update"],
    title="the risk update is about another register than the one that was signed",
)
def risk_update_of_another_register(r: Rehearsal) -> None:
    _rewrite(
        r,
        RISKS,
        lambda d: _figure(d, "risk register").update(value="0" * 64),
        signed=True,
        signer="product_manager",
    )


@risk_update_of_another_register.revert
def restore_the_register(r: Rehearsal) -> None:
    _restore(r, RISKS, "product_manager")


@fault(
    "risk-owner-has-not-signed",
    expect_fail=["D-2.D.3"],
    touches=["documents/risk-assessment-update", "keys/database_administrator"],
    title="whoever owns a high risk has not signed the risk update, and the key is away",
)
def risk_owner_has_not_signed(r: Rehearsal) -> None:
    _path(r, RISKS).with_suffix(f".html.{SIGNER}.sig").unlink()
    key = people.keys(r) / people.holder(SIGNER).id
    key.rename(key.with_name(f"{key.name}.away"))


@risk_owner_has_not_signed.revert
def return_the_owners_key(r: Rehearsal) -> None:
    key = people.keys(r) / people.holder(SIGNER).id
    key.with_name(f"{key.name}.away").rename(key)
