"""What the rehearsal builds is in order, and each fault breaks the claim that it is for."""

from __future__ import annotations

from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.dependencies import dependency_audit
from golive.probes.platform.images import release_images
from golive.verdicts import Unseen
from rehearsal.data import dependencies
from tests.rehearsal.data.built import SECRET, Built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("built"))


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "a secret of the test")


def audited(env: Environment) -> dict[str, Any]:
    return {"dependency_audit": dependency_audit(env)}


def test_dependencies_are_in_order(built: Built) -> None:
    assert built.broken("D-12.1.4", audited) == ""
    audit = dependency_audit(built.env())
    assert [one.name for one in audit.locks] == ["backend", "frontend"]
    assert all(count > 20 for count in audit.packages.values())
    assert [i.instance for i in audit.installations] == list(dependencies.INSTANCES)


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("frontend-lock-empty", "packages"),
        ("dependency-not-pinned", "packages not pinned"),
        ("dependency-without-hash", "packages without hash"),
        ("advisories-ten-days-old", "advisories' age"),
        ("advisories-without-a-known-one", "audits that miss a known one"),
        ("dependency-with-high-advisory", "critical and high findings"),
        ("waiver-of-a-weakness-expired", "critical and high findings"),
        ("package-added-on-one-instance", "instances not as locked"),
    ],
)
def test_each_fault_of_dependencies_breaks_its_claim(built: Built, fault: str, claim: str) -> None:
    assert built.broken_by(fault, "D-12.1.4", audited) == claim


def images(env: Environment) -> dict[str, Any]:
    return {"release_images": release_images(env)}


def test_images_are_in_order(built: Built) -> None:
    assert built.broken("D-12.1.1", images) == ""
    found = release_images(built.env())
    assert [b.name for b in found.built] == ["backend", "frontend"]
    assert [b.bill for b in found.built] == ["CycloneDX 1.6", "CycloneDX 1.6"]
    assert found.bases == 4
    assert not isinstance(found.files, Unseen)
    assert found.files > 20


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("image-not-tagged", "images without the tag production-v2.0.0"),
        ("image-of-another-commit", "images of another commit"),
        ("scan-of-another-digest", "images that no scan is about"),
        ("scan-of-eight-days-ago", "age of the scan"),
        ("image-with-high-finding", "critical or fixable high findings"),
        ("image-with-critical-finding", "critical or fixable high findings"),
        ("waiver-of-a-weakness-expired", "critical or fixable high findings"),
        ("base-image-not-pinned", "bases not named by digest"),
        ("image-runs-as-root", "images that run as root"),
        ("secret-in-an-image-layer", "secrets in layers"),
        ("image-without-bill-of-materials", "images without bill of materials"),
    ],
)
def test_each_fault_of_images_breaks_its_claim(built: Built, fault: str, claim: str) -> None:
    assert built.broken_by(fault, "D-12.1.1", images) == claim
