"""What the rehearsal builds is in order, and each fault breaks the claim that it is for."""

from __future__ import annotations

from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.dependencies import dependency_audit
from golive.probes.platform.images import release_images
from golive.probes.platform.package import packaged_configuration
from golive.probes.platform.references import Reference, Store
from golive.probes.platform.workflows import Workflows
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
    return {"release_images": release_images(env), "ci_workflows": Workflows((), (), ())}


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


KEPT = {
    "DATABASE_URL": "postgresql://app:word@127.0.0.1/bookedbarber",
    "REDIS_URL": "redis://:word@127.0.0.1:6379/0",
    "STRIPE_SECRET_KEY": "sk_test_51QbookedbarberV2rehearsal",
}
"""What the references lead to, where there is nobody who keeps it."""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def value(_: Store, at: Reference) -> str:
        if at.service == "ssm":
            return "127.0.0.1:6379"
        if "staging" in at.name:
            return "postgresql://app:word@db.staging.example:5432/bookedbarber"
        return KEPT[at.key]

    monkeypatch.setattr(Store, "value", value)


def packaged(env: Environment) -> dict[str, Any]:
    return {"packaged_configuration": packaged_configuration(env)}


@pytest.mark.usefixtures("kept")
def test_the_packaged_configuration_is_in_order(built: Built) -> None:
    assert built.broken("D-12.1.3", packaged) == ""
    found = packaged_configuration(built.env())
    assert found.keys_count >= 40
    assert (found.placed, found.stripe_keys, found.bundle_values) == (3, 3, 5)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("packaged-with-few-keys", "keys of config/rehearsal.env"),
        ("packaged-without-a-key", "keys missing"),
        ("packaged-with-an-unknown-key", "keys unknown to the schema"),
        ("packaged-with-an-unfit-value", "values not as the schema says"),
        ("packaged-with-debug", "debug switches on"),
        ("packaged-with-a-host-of-staging", "values not this environment's"),
        ("packaged-with-staging-database", "values not this environment's"),
        ("packaged-with-localhost", "values not this environment's"),
        ("packaged-with-a-live-key", "Stripe keys of another mode"),
        ("frontend-built-for-staging", "frontend not built so"),
    ],
)
def test_each_fault_of_the_package_breaks_its_claim(built: Built, fault: str, claim: str) -> None:
    assert built.broken_by(fault, "D-12.1.3", packaged) == claim
