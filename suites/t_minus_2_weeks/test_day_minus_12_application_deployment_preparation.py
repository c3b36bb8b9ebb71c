"""Day -12: Application Deployment Preparation (Technical Lead)."""

from __future__ import annotations

from golive.claims import at_least, each_at_least, each_at_most, equal, none_of, same_set
from golive.deliverables import Deliverables
from golive.items import derived, item
from golive.launch import Limits
from golive.probes.platform.dependencies import DependencyAudit
from golive.probes.platform.images import ReleaseImages
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.saas.tracker import Fixes
from golive.probes.traffic.assets import FrontendAssets

# -- Application Build and Packaging ---------------------------------------------------------------


@item("D-12.1.1")
def test_images_are_the_releases_scanned_and_without_secrets(
    release_images: ReleaseImages, limits: Limits
) -> None:
    """Both images under the release's tag, by digest: labels and user in their configuration,
    every layer looked through for secrets, the bill of materials attached to them, the scanner's
    report about exactly that digest, and the Dockerfiles' bases.

    Remedy: build again from the tag's commit, on bases named by digest, push, scan what was pushed
    and keep the report. A finding with a fix: raise the package, or its base. A secret in a layer:
    change it first, since whoever pulled the image has it; then build without it.
    """
    i, most, built = release_images, limits.images, release_images.built
    of, others = "images", i.of_another_commit
    assert at_least("images declared", i.declared, most.images)
    assert none_of(f"images without the tag {i.tag}", i.absent, among=i.declared, of=of)
    assert none_of("images of another commit", others, among=built, of=of)
    assert none_of("images that no scan is about", i.not_scanned, among=built, of=of)
    assert each_at_most("age of the scan", i.scan_age_d, most.scan_age_d, "d")
    assert none_of("critical or fixable high findings", i.findings, among=built, of=of)
    assert none_of("bases not named by digest", i.not_pinned, among=i.bases, of="bases")
    assert none_of("images that run as root", i.as_root, among=built, of=of)
    assert none_of("secrets in layers", i.secrets, among=i.files, of="files in layers")
    assert none_of("images without bill of materials", i.without_bill, among=built, of=of)


@item("D-12.1.2")
def test_frontend_assets_are_small_and_kept_for_a_year(
    frontend_assets: FrontendAssets, limits: Limits
) -> None:
    """Chromium loads every key page at each public host and tells what it asks for; each script,
    style sheet, font and image of the product's own is asked for on every node of the edge, and so
    is a source map of each script and style sheet.

    Remedy: what is not compressed, hashed or kept: its type in the edge's list, the build's file
    names, Cache-Control at the origin. A source map: leave it out of what is published, and purge
    it at the edge. Too heavy: see in the browser's network panel what a page loads first.
    """
    found, most = frontend_assets, limits.assets
    served, of, code = found.assets, "assets on nodes", "scripts and style sheets"
    texts, open_ = found.texts(most.compress_from_bytes), found.maps
    plain, wasteful = found.not_compressed(most.compress_from_bytes), most.waste_percent
    assert at_least("key pages", len(found.names), most.pages)
    assert at_least("assets of the key pages", found.paths, most.assets)
    assert none_of("assets not answered with 200", found.failing, among=served, of=of)
    assert none_of("texts not compressed", plain, among=texts, of="texts", may_be_empty=True)
    assert none_of("not minified", found.not_minified(wasteful), among=found.code, of=code)
    assert none_of("without a digest in the address", found.not_hashed, among=served, of=of)
    assert none_of("not kept for a year", found.not_kept(most.kept_s), among=served, of=of)
    assert none_of("source maps anybody can read", open_, among=found.code, of=code)
    assert each_at_most("initial scripts, compressed", found.script_kb, most.script_kb, "kB")
    assert each_at_most("page weight", found.weight_kb, most.page_kb, "kB")


@item("D-12.1.4")
def test_no_locked_dependency_has_a_grave_weakness_and_instances_run_what_is_locked(
    dependency_audit: DependencyAudit, limits: Limits
) -> None:
    """Each lock file is audited now, against a snapshot of advisories, an advisory service or both,
    each of which has to report a package that is known to be vulnerable; what is installed on
    every instance against the lock file.

    Remedy: raise the package to a version that has the fix, lock and build again; where that has
    to wait, write a waiver with an end. An advisory set that is too old: fetch it again. A package
    that an instance has otherwise: install that instance from the lock file again, and find out
    who changed it.
    """
    audit, most, locked = dependency_audit, limits.dependencies, dependency_audit.locked
    assert at_least("lock files", len(audit.locks), most.lock_files)
    assert each_at_least("packages", audit.packages, 1)
    assert none_of("packages not pinned", audit.not_pinned, among=locked, of="locked packages")
    assert none_of("packages without hash", audit.without_hash, among=locked, of="locked packages")
    assert each_at_most("advisories' age", audit.advisories_age_h, most.advisories_age_h, "h")
    assert none_of("audits that miss a known one", audit.blind, among=audit.locks, of="audits")
    assert none_of("critical and high findings", audit.grave, among=locked, of="locked packages")
    there = audit.installations
    assert none_of("instances not as locked", audit.differing, among=there, of="instances")


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
