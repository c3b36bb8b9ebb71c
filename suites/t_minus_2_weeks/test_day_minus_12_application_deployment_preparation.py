"""Day -12: Application Deployment Preparation (Technical Lead)."""

from __future__ import annotations

from golive.claims import equal, same_set
from golive.deliverables import Deliverables
from golive.items import derived
from golive.launch import Limits
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.saas.tracker import Fixes

# -- Deliverables ------------------------------------------------------------------------------


@derived("D-12.D.1")
def test_the_artefacts_are_those_of_the_release_manifest(
    deliverables: Deliverables,
    release_manifest: Manifest,
    stored_artefacts: tuple[Artefact, ...],
    fixes: Fixes,
    limits: Limits,
) -> None:
    """The newest verdicts of D-12.1.1 to D-12.1.4 and D-12.2, made into the document; the release
    manifest against the artefacts as they lie in the store now and the tag's commit; the
    signature.

    Remedy: run what is missing, too old or red. An artefact that differs from the manifest:
    build the release again from its tag and scan it again. Then read the document again and sign
    it.
    """
    listed = {f"{a.name} {a.version} {a.sha256}" for a in release_manifest.artefacts}
    stored = {f"{a.name} {a.version} {a.sha256}" for a in stored_artefacts}
    tagged = equal("commit of the release manifest", release_manifest.commit, fixes.commit)
    document = deliverables.of(
        "D-12.D.1",
        "production-ready-deployment-artifacts",
        ("D-12.1.1", "D-12.1.2", "D-12.1.3", "D-12.1.4", "D-12.2"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        extra=[same_set("artefacts in the store", stored, listed), tagged],
        not_judged=(
            "a signature over the release manifest",
            "digests equal to those that D-12.1 and D-12.2 looked at",
        ),
    ):
        assert claim


@derived("D-12.D.2")
def test_the_configuration_report_is_whole_true_tells_no_secret_and_is_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-12.1.3 and D-12.3, made into the report and compared with it; the
    page searched for every known secret in each of its spellings; the signature.

    Remedy: run what is missing, too old or red. A secret in the report: change it everywhere,
    then make the report again. Then read the document again and sign it.
    """
    document = deliverables.of(
        "D-12.D.2", "configuration-validation-report", ("D-12.1.3", "D-12.3")
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        older={"D-12.3.5": limits.documents.drill_age_h},
        not_judged=("results by key, instances covered, drift count and rollback time",),
    ):
        assert claim
