"""Faults of documents that people hand over: last month's in their place, and who has signed it.
Where an item is red for now, since what it rests on has no check, only its message tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.people.documents import changed
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people
from rehearsal.staff.launch_tools import PREVIOUS

OLD = timedelta(days=40)


@dataclass(frozen=True)
class Paper:
    """A document, who signs it, and an item without a check that it rests on; itself, where it
    asks for something that no check judges yet."""

    item: str
    kind: str
    signer: str
    waits_for: str
    """Empty: each has a check."""
    second: str = ""
    """Who signs it, too."""


PAPERS = (
    Paper("D-14.D.1", "infrastructure-readiness-report", "devops_lead", ""),
    Paper("D-14.D.2", "security-audit-summary", "devops_lead", "", "security_lead"),
    Paper("D-14.D.3", "performance-baseline-metrics", "devops_lead", ""),
    Paper("D-14.D.4", "identified-issues-log", "devops_lead", ""),
    Paper("D-12.D.1", "production-ready-deployment-artifacts", "technical_lead", ""),
    Paper("D-12.D.2", "configuration-validation-report", "technical_lead", ""),
    Paper("D-11.D.1", "integration-systems-readiness-report", "integration_lead", ""),
    Paper(
        "D-11.D.2",
        "payment-system-validation-certificate",
        "integration_lead",
        "",
        "finance",
    ),
    Paper("D-11.D.3", "api-testing-results", "integration_lead", ""),
    Paper("D-10.D.1", "load-testing-report", "performance_lead", "D-10.1.1"),
    Paper("D-10.D.2", "performance-optimization-recommendations", "performance_lead", "D-10.2.4"),
    Paper("D-10.D.3", "capacity-planning-validation", "performance_lead", "D-10.1.1"),
    Paper("D-9.D.1", "security-audit-report", "security_lead", "D-9.1.1"),
    Paper("D-9.D.3", "security-remediation-plan", "security_lead", "D-9.1.1"),
    Paper("D-8.D.1", "uat-sign-off-certificate", "product_manager", "D-8.1.1"),
    Paper("D-8.D.2", "business-systems-readiness-report", "product_manager", "D-8.1.2"),
    Paper("D-8.D.3", "customer-support-readiness-confirmation", "product_manager", "D-8.3.1"),
)
ANYBODY = "technical_lead"


def _outdated(data: dict[str, Any]) -> None:
    """A document of last month, about another environment and the release before."""
    data.update(environment="staging", candidate=PREVIOUS)
    made = datetime.fromisoformat(data["made_at"]) - OLD - timedelta(days=1)
    data["made_at"] = made.isoformat()
    for row in data["verdicts"]:
        row["looked_at"] = (datetime.fromisoformat(row["looked_at"]) - OLD).isoformat()


def _old_one(paper: Paper) -> None:
    @fault(
        f"{paper.kind}-of-staging",
        expect_fail=[paper.item],
        touches=[f"documents/{paper.kind}"],
        title=f"the {paper.kind.replace('-', ' ')} is last month's, of {PREVIOUS} in staging",
        waits_for=[paper.waits_for] if paper.waits_for else [],
    )
    def hand_over(r: Rehearsal) -> None:
        alter(r, paper, _outdated)

    hand_over.revert(lambda r: put_back(r, paper))


def _signed_by_another(paper: Paper) -> None:
    other = ANYBODY if paper.signer != ANYBODY else "qa_lead"

    @fault(
        f"{paper.kind}-signed-by-another",
        expect_fail=[paper.item],
        touches=[f"documents/{paper.kind}"],
        title=f"the {paper.kind.replace('-', ' ')} is signed by another role than its own",
        waits_for=[paper.waits_for] if paper.waits_for else [],
    )
    def sign(r: Rehearsal) -> None:
        path = keep(r, paper)
        people.sign(r, path, other)
        if paper.second:
            made = _signature(path)
            _signature(path, paper.second).write_bytes(made.read_bytes())

    sign.revert(lambda r: put_back(r, paper))


def _signature(path: Path, second: str = "") -> Path:
    return path.with_name(f"{path.name}.{second}.sig" if second else f"{path.name}.sig")


def keep(r: Rehearsal, paper: Paper) -> Path:
    """The document; what lies there now is remembered."""
    path = people.documents(r) / f"{paper.kind}.html"
    places = [path, _signature(path), *([_signature(path, paper.second)] if paper.second else [])]
    kept = {p.name: p.read_text(encoding="utf-8") if p.exists() else None for p in places}
    r.remember(f"handed over {paper.kind}", kept)
    return path


def alter(r: Rehearsal, paper: Paper, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a document's data, and have the changed one signed as it would be."""
    path = keep(r, paper)
    path.write_text(changed(path.read_text(encoding="utf-8"), change), encoding="utf-8")
    if paper.second:
        people.sign(r, path, paper.second)
        _signature(path).replace(_signature(path, paper.second))
    people.sign(r, path, paper.signer)


def put_back(r: Rehearsal, paper: Paper) -> None:
    """The document and its signatures as they were."""
    for name, text in r.recall(f"handed over {paper.kind}").items():
        path = people.documents(r) / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")
    r.forget(f"handed over {paper.kind}")


for one in PAPERS:
    _old_one(one)
    _signed_by_another(one)
