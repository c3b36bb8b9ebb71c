"""Day -12: its documents, on literal verdicts and artefacts."""

from __future__ import annotations

from typing import Any

import pytest

from golive.deliverables import documents_of
from golive.probes.saas.launch_tools import Artefact, ManifestSignature
from golive.probes.saas.tracker import Fixes
from golive.reports.documents import read_document
from golive.results import artefacts, configuration
from tests.suites.derived import World
from tests.suites.recorded_facts import DIGESTS, facts


def test_artefacts_are_those_of_the_manifest_and_of_the_tag(world: World) -> None:
    world.in_order("D-12.D.1")
    rebuilt = (Artefact("backend", "v2.0.0", "cd" * 32),)
    assert world.broken("D-12.D.1", stored_artefacts=rebuilt) == "artefacts in the store"
    assert world.broken("D-12.D.1", stored_artefacts=()) == "artefacts in the store"
    moved = Fixes("v2.0.0", "f" * 40, (), ())
    assert world.broken("D-12.D.1", fixes=moved) == "commit of the release manifest"
    unsigned = ManifestSignature("technical_lead", "is not there")
    assert (
        world.broken("D-12.D.1", manifest_signature=unsigned) == "signature of the release manifest"
    )


ELSE = "0" * 64


@pytest.mark.parametrize(
    ("item", "probe", "changes", "what"),
    [
        (
            "D-12.1.1",
            "release_images",
            {"built": [{"name": "backend", "digest": f"sha256:{ELSE}"}]},
            "images",
        ),
        ("D-12.1.1", "release_images", {"built": []}, "images"),
        (
            "D-12.1.3",
            "packaged_configuration",
            {"digests": {"config/app.env": ELSE}},
            "configuration",
        ),
        # What is listed, but as another file, is not what was looked at.
        (
            "D-12.1.3",
            "packaged_configuration",
            {"digests": {"config/other.env": "e0" * 32}},
            "configuration",
        ),
        (
            "D-12.1.3",
            "packaged_configuration",
            {"bundle_digests": {"js/app.js": "f0" * 32, "js/more.js": ELSE}},
            "frontend",
        ),
        (
            "D-12.2.1",
            "manifest_validation",
            {"digests": {"k8s/app.yaml": ELSE}},
            "manifests and chart",
        ),
        (
            "D-12.2.2",
            "helm_chart",
            {"digests": {"helm/app/Chart.yaml": ELSE}},
            "manifests and chart",
        ),
    ],
)
def test_what_was_looked_at_is_what_the_manifest_lists(
    world: World, item: str, probe: str, changes: dict[str, Any], what: str
) -> None:
    world.facts = facts(item, probe, **changes)
    world.in_order("D-12.D.1")
    expected = f"{what} looked at, but not in the release manifest"
    assert world.broken("D-12.D.1") == expected


def test_a_digest_that_no_record_has_is_unseen(world: World) -> None:
    world.facts = facts("D-12.2.2", "helm_chart")
    world.in_order("D-12.D.1")
    claims = world.claims("D-12.D.1")
    assert [c for c in claims if c.broken] == []
    unseen = [c.subject for c in claims if c.unseen]
    assert unseen == ["manifests and chart looked at, but not in the release manifest"]


def test_a_product_without_a_chart_is_held_to_its_manifests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefacts, "exempt", lambda _, probe: probe == "helm_chart")
    world.facts = facts("D-12.2.2", "helm_chart")
    world.in_order("D-12.D.1")
    assert [c for c in world.claims("D-12.D.1") if not c.holds] == []


def test_no_secret_stands_in_the_configuration_report(world: World) -> None:
    world.in_order("D-12.D.2")
    world.mask.add("23.4 ms")
    subjects = [c.subject for c in world.claims("D-12.D.2") if not c.holds]
    assert subjects == ["secrets in configuration-validation-report.html"]


# -- D-12.D.2: what it tells by key, instance and source -------------------------------------------


def broken_with(world: World, item: str, probe: str, **changes: Any) -> list[str]:
    """The claims of D-12.D.2 that are broken or unseen once a probe has found something else."""
    world.facts = facts(item, probe, **changes)
    world.in_order("D-12.D.2")
    return [c.subject for c in world.claims("D-12.D.2") if not c.holds]


def test_the_configuration_report_tells_every_key_of_every_instance(world: World) -> None:
    world.in_order("D-12.D.2")
    assert world.broken("D-12.D.2") == ""
    document = read_document(documents_of(world.context)["D-12.D.2"])
    tables = {t.title: t.rows for t in document.tables}
    digest = DIGESTS["LOG_LEVEL"]
    assert tables[configuration.VARIABLES][1] == ["LOG_LEVEL", digest, digest, digest]
    assert tables[configuration.FLAGS] == [["booking", "on", "on", "on"]]
    assert tables[configuration.SOURCES] == [["balancer", 0.0], ["flags", 0.0]]
    figures = {f.name: f.value for f in document.figures}
    assert (figures[configuration.DRIFT], figures[configuration.ROLLBACK]) == (0.0, 3.2)


@pytest.mark.parametrize(
    ("item", "probe", "changes", "subject"),
    [
        (
            "D-12.3.1",
            "process_variables",
            {"released": {"LOG_LEVEL": "0f1e2d3c4b5a6978"}},
            "keys with a result",
        ),
        (
            "D-12.3.1",
            "process_variables",
            {"processes": {"app-1": {"instance": "app-1", "digests": DIGESTS}}},
            "instances that results are of",
        ),
        (
            "D-12.3.1",
            "process_variables",
            {
                "processes": {
                    "app-1": {"instance": "app-1", "digests": DIGESTS},
                    "app-2": {"instance": "app-2", "digests": {}},
                }
            },
            "keys without a result",
        ),
        ("D-12.3.4", "config_drift", {"differences": {"flags": 2.0}}, configuration.DRIFT),
        ("D-12.3.4", "config_drift", {"differences": {"flags": None}}, "figures not measured"),
        ("D-12.3.5", "config_rollback", {"duration_min": 15.1}, configuration.ROLLBACK),
    ],
)
def test_a_result_that_is_missing_or_bad_makes_the_configuration_report_red(
    world: World, item: str, probe: str, changes: dict[str, Any], subject: str
) -> None:
    assert broken_with(world, item, probe, **changes) == [subject]


@pytest.mark.parametrize(
    ("item", "probe", "subject"),
    [
        ("D-12.3.1", "process_variables", "keys with a result"),
        ("D-12.3.4", "config_drift", configuration.DRIFT),
        ("D-12.3.5", "config_rollback", "time that its rollback took"),
    ],
)
def test_what_no_record_has_is_unseen_in_the_configuration_report(
    world: World, item: str, probe: str, subject: str
) -> None:
    world.facts = facts(item, probe)
    world.in_order("D-12.D.2")
    claims = world.claims("D-12.D.2")
    assert [c for c in claims if c.broken] == []
    assert subject in [c.subject for c in claims if c.unseen]


def test_what_is_waived_is_told_and_does_not_have_to_hold(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "exempt", lambda _, probe: probe == "config_drift")
    assert broken_with(world, "D-12.3.4", "config_drift", differences={"flags": 2.0}) == []
