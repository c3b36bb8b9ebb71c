"""Day -12: what was built, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform.dependencies import DependencyAudit, Finding, Installed, LockAudit
from golive.probes.platform.dockerfiles import Base
from golive.probes.platform.images import BuiltImage, Layers, ReleaseImages
from golive.probes.platform.locks import Package
from golive.probes.platform.package import Packaged
from golive.probes.platform.scans import Found, Scan
from golive.probes.platform.workflows import Workflows
from golive.probes.traffic.assets import FrontendAssets, KeyPage, ServedAsset
from golive.verdicts import ProbeError, Unseen
from tests import checks

UNSEEN = Unseen(ProbeError("it", "no route", "look again"))


# -- D-12.1.1 --------------------------------------------------------------------------------------

NOW = datetime.now(UTC)
COMMIT = "c0ffee" * 7
SCAN = Scan(Path("scan.json"), "Trivy", NOW - timedelta(days=6), frozenset(), 2, ())
IMAGE = BuiltImage(
    name="backend",
    digest="sha256:" + "a" * 64,
    revision=COMMIT,
    user="app",
    layers=Layers(40, (), {"app": 10001, "toor": 0}),
    bill="CycloneDX 1.6",
    bases=(Base(f"python@sha256:{'b' * 64}", 1),),
    scan=SCAN,
    open_findings=(),
)
OTHER = replace(IMAGE, name="frontend", digest="sha256:" + "c" * 64)
WORKFLOWS = Workflows((".github/workflows/ci.yml",), (), ())
WEAKNESS = Found(("CVE-1",), "openssl", "3.0", "high", is_fixable=True)


def images(**changes: Any) -> ReleaseImages:
    built = (replace(IMAGE, **changes), OTHER)
    return ReleaseImages(2, "production-v2.0.0", COMMIT, built, ())


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        (images(), ""),
        (replace(images(), declared=1), "images declared"),
        (replace(images(), absent=("frontend:x",)), "images without the tag production-v2.0.0"),
        (images(revision=""), "images of another commit"),
        (images(scan=None), "images that no scan is about"),
        (images(scan=replace(SCAN, at=NOW - timedelta(days=7, hours=1))), "age of the scan"),
        (images(open_findings=(WEAKNESS,)), "critical or fixable high findings"),
        (images(bases=(Base("python:3.12", 1),)), "bases not named by digest"),
        (images(user=""), "images that run as root"),
        (images(user="toor"), "images that run as root"),
        (images(layers=Layers(40, ("a private key in srv/tls.key",), {})), "secrets in layers"),
        (images(bill=""), "images without bill of materials"),
    ],
)
def test_images(facts: ReleaseImages, broken: str) -> None:
    given = {"release_images": facts, "ci_workflows": WORKFLOWS}
    assert checks.broken("D-12.1.1", given) == broken


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"files": ()}, ""),  # it is built elsewhere
        (
            {"weaknesses": ("ci.yml:3: unpinned action reference (unpinned-uses)",)},
            "weak workflows",
        ),
        ({"secrets": ("ci.yml:4: an AWS access key",)}, "secrets in workflows"),
    ],
)
def test_workflows(changes: dict[str, Any], broken: str) -> None:
    given = {"release_images": images(), "ci_workflows": replace(WORKFLOWS, **changes)}
    assert checks.broken("D-12.1.1", given) == broken


def test_images_are_judged_where_workflows_could_not_be_seen() -> None:
    given: dict[str, Any] = {"release_images": images(user=""), "ci_workflows": UNSEEN}
    assert checks.broken("D-12.1.1", given) == "images that run as root"
    claim = checks.breaking("D-12.1.1", {**given, "release_images": images()})
    assert claim is not None
    assert claim.unseen is not None


@pytest.mark.parametrize("key", ["layers", "bill", "bases", "scan"])
def test_what_of_images_could_not_be_seen_is_never_green(key: str) -> None:
    given = {"release_images": images(**{key: UNSEEN}), "ci_workflows": WORKFLOWS}
    claim = checks.breaking("D-12.1.1", given)
    assert claim is not None
    assert claim.unseen is not None


# -- D-12.1.3 --------------------------------------------------------------------------------------

PACKAGED = Packaged(
    file="config/staging.env",
    keys=tuple(f"KEY_{n}" for n in range(20)),
    missing=(),
    unknown=(),
    unfit=(),
    debug=(),
    switches=1,
    others=(),
    strangers=(),
    not_resolved=(),
    placed=2,
    mode=(),
    stripe_keys=2,
    unnamed=(),
    names=("www.example",),
    bundle=(),
    bundle_values=2,
)


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"keys": PACKAGED.keys[1:]}, "keys of config/staging.env"),
        ({"missing": ("A",)}, "keys missing"),
        ({"unknown": ("A",)}, "keys unknown to the schema"),
        ({"unfit": ("A is no integer",)}, "values not as the schema says"),
        ({"debug": ("DEBUG",)}, "debug switches on"),
        ({"switches": 0}, "debug switches on"),
        ({"others": ("A names this machine",)}, "values not this environment's"),
        ({"strangers": ("A names x",), "not_resolved": (UNSEEN,)}, "values not this environment's"),
        ({"placed": 1}, "databases and caches placed"),
        ({"mode": ("A is a live key",)}, "Stripe keys of another mode"),
        ({"stripe_keys": 0}, "Stripe keys of another mode"),
        ({"unnamed": ("www.example",)}, "public hosts without address"),
        ({"bundle": ("A is not in it",)}, "frontend not built so"),
    ],
)
def test_packaged_configuration(changes: dict[str, Any], broken: str) -> None:
    facts = {"packaged_configuration": replace(PACKAGED, **changes)}
    assert checks.broken("D-12.1.3", facts) == broken


@pytest.mark.parametrize("changes", [{"not_resolved": (UNSEEN,)}, {"bundle": UNSEEN}])
def test_what_of_the_package_could_not_be_seen_is_never_green(changes: dict[str, Any]) -> None:
    facts = {"packaged_configuration": replace(PACKAGED, **changes)}
    claim = checks.breaking("D-12.1.3", facts)
    assert claim is not None
    assert claim.unseen is not None


# -- D-12.1.2 --------------------------------------------------------------------------------------

YEAR = "public, max-age=31536000, immutable"
SCRIPT = ServedAsset(
    url="https://www.example/static/app-3f9a1c2b.js",
    node="edge-1",
    kind="script",
    status=200,
    size=5000,
    is_text=True,
    encoding="gzip",
    cache_control=YEAR,
    waste_percent=1.0,
)
IMAGES = tuple(
    replace(
        SCRIPT,
        url=f"https://www.example/i/{n}.3f9a1c2b.png",
        kind="image",
        encoding="",
        is_text=False,
    )
    for n in range(9)
)
PAGES = tuple(
    KeyPage(f"https://www.example{path}", 400.0, 120.0, 10)
    for path in ("/", "/login", "/book", "/dashboard")
)
FRONT = FrontendAssets(PAGES, (SCRIPT, *IMAGES), (), code=1)


def front(**changes: Any) -> FrontendAssets:
    return replace(FRONT, assets=(replace(SCRIPT, **changes), *IMAGES))


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        (FRONT, ""),
        (replace(FRONT, pages=PAGES[1:]), "key pages"),
        (replace(FRONT, assets=(SCRIPT, *IMAGES[1:])), "assets of the key pages"),
        (front(status=404), "assets not answered with 200"),
        (front(encoding=""), "texts not compressed"),
        (front(encoding="", size=999), ""),
        (front(encoding="br"), ""),
        (front(waste_percent=20.0), "not minified"),
        (front(url="https://www.example/static/app.js?v=2.0.0"), "without a digest in the address"),
        (front(url="https://www.example/static/app.js?v=3f9a1c2b"), ""),
        (front(cache_control="public, max-age=3600, immutable"), "not kept for a year"),
        (front(cache_control="public, max-age=31536000"), "not kept for a year"),
        (front(cache_control=""), "not kept for a year"),
        (replace(FRONT, maps=("/app.js.map on edge-1",)), "source maps anybody can read"),
        (
            replace(FRONT, pages=(replace(PAGES[0], script_kb=300.1), *PAGES[1:])),
            "initial scripts, compressed",
        ),
        (replace(FRONT, pages=(replace(PAGES[0], weight_kb=1500.1), *PAGES[1:])), "page weight"),
    ],
)
def test_assets(facts: FrontendAssets, broken: str) -> None:
    assert checks.broken("D-12.1.2", {"frontend_assets": facts}) == broken


@pytest.mark.parametrize(
    ("path", "hashed"),
    [
        ("/_next/static/chunks/main-0123456789abcdef.js", True),
        ("/_next/static/media/a34f9d1faa5f3315-s.p.woff2", True),
        ("/_next/static/XkZ2b9QmTt0LrVw8y1Ns3/_buildManifest.js", True),
        ("/assets/index-DiwrgTda.js", False),
        ("/assets/index-BfG3k2_a.js", True),
        ("/main.1a2b3c4d.css", True),
        ("/static/css/base.css?v=9f86d081884c", True),
        ("/static/navigation.js", False),
        ("/static/jquery-3.7.1.min.js", False),
        ("/static/app.js?v=20261130", False),
        ("/static/bookingCalendar.js", False),
    ],
)
def test_addresses_with_a_digest(path: str, hashed: bool) -> None:
    assert replace(SCRIPT, url=f"https://www.example{path}").is_hashed == hashed


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
