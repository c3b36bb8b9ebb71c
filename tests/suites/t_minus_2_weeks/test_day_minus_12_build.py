"""Day -12: what was built, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golive.probes.platform.dependencies import DependencyAudit, Finding, Installed, LockAudit
from golive.probes.platform.locks import Package
from golive.verdicts import ProbeError, Unseen
from tests import checks

UNSEEN = Unseen(ProbeError("it", "no route", "look again"))


# -- D-12.1.4 --------------------------------------------------------------------------------------

BACKEND = LockAudit(
    name="backend",
    file="requirements.txt",
    packages=(Package("a", "1", is_hashed=True),),
    findings=(),
    not_audited=None,
    advisories_age_h=47.9,
    reports_canary=True,
    installed=(Installed("backend", "app-1", 1, ()), Installed("backend", "app-2", 1, ())),
)
FRONTEND = replace(BACKEND, name="frontend", file="package-lock.json", installed=())
FINDING = Finding("backend", "a", "1", ("CVE-1",), "high")


def audit(**changes: Any) -> DependencyAudit:
    return DependencyAudit((replace(BACKEND, **changes), FRONTEND))


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        (audit(), ""),
        (DependencyAudit((BACKEND,)), "lock files"),
        (audit(packages=()), "packages"),
        (audit(packages=(Package("a", "", is_hashed=True),)), "packages not pinned"),
        (audit(packages=(Package("a", "1", is_hashed=False),)), "packages without hash"),
        (audit(advisories_age_h=48.1), "advisories' age"),
        (audit(reports_canary=False), "audits that miss a known one"),
        (audit(findings=(FINDING,)), "critical and high findings"),
        (audit(findings=(FINDING,), not_audited=UNSEEN), "critical and high findings"),
        (audit(findings=(replace(FINDING, severity="critical"),)), "critical and high findings"),
        (audit(findings=(replace(FINDING, severity="moderate"),)), ""),
        (
            audit(installed=(Installed("backend", "app-1", 1, ("b 2 is not locked",)),)),
            "instances not as locked",
        ),
        (audit(installed=()), "instances not as locked"),
    ],
)
def test_dependencies(facts: DependencyAudit, broken: str) -> None:
    assert checks.broken("D-12.1.4", {"dependency_audit": facts}) == broken


@pytest.mark.parametrize("key", ["not_audited", "advisories_age_h", "reports_canary", "installed"])
def test_what_of_dependencies_could_not_be_seen_is_never_green(key: str) -> None:
    claim = checks.breaking("D-12.1.4", {"dependency_audit": audit(**{key: UNSEEN})})
    assert claim is not None
    assert claim.unseen is not None
