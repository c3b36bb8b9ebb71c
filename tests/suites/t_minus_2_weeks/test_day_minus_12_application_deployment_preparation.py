"""Day -12: its documents, on literal verdicts and artefacts."""

from __future__ import annotations

from golive.probes.saas.launch_tools import Artefact
from golive.probes.saas.tracker import Fixes
from tests.suites.derived import World


def test_artefacts_are_those_of_the_manifest_and_of_the_tag(world: World) -> None:
    world.in_order("D-12.D.1")
    rebuilt = (Artefact("backend", "v2.0.0", "cd" * 32),)
    assert world.broken("D-12.D.1", stored_artefacts=rebuilt) == "artefacts in the store"
    assert world.broken("D-12.D.1", stored_artefacts=()) == "artefacts in the store"
    moved = Fixes("v2.0.0", "f" * 40, (), ())
    assert world.broken("D-12.D.1", fixes=moved) == "commit of the release manifest"


def test_no_secret_stands_in_the_configuration_report(world: World) -> None:
    world.in_order("D-12.D.2")
    world.mask.add("23.4 ms")
    subjects = [c.subject for c in world.claims("D-12.D.2") if not c.holds]
    assert subjects == ["secrets in configuration-validation-report.html"]
