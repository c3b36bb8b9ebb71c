"""Faults of the release's container images and of their scans."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rehearsal.data import images, release
from rehearsal.data.images import Changes
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal

TOUCHES = ("build/images",)
KEY = "sk_live_51QbookedbarberV2rehearsalkey0000"
"""Opens nothing, and looks like what opens Stripe."""
HIGH = {
    "id": "CVE-2024-37371",
    "package": "libkrb5-3",
    "version": "1.20.1-2+deb12u1",
    "severity": "high",
    "fixed": "1.20.1-2+deb12u2",
}


@fault(
    "image-not-tagged",
    expect_fail=["D-12.1.1"],
    title="there is no frontend image under the release's tag",
)
def image_not_tagged(r: Rehearsal) -> None:
    images.remove_tag(r, "frontend")


@fault(
    "image-of-another-commit",
    expect_fail=["D-12.1.1"],
    title="the backend's image was built from another commit than the tag's",
)
def image_of_another_commit(r: Rehearsal) -> None:
    images.build(r, {"backend": Changes(revision="0123456789abcdef" * 2 + "01234567")})


@fault(
    "scan-of-another-digest",
    expect_fail=["D-12.1.1"],
    title="the image was built again after its scan",
)
def scan_of_another_digest(r: Rehearsal) -> None:
    images.scan(r, "backend", digest=f"sha256:{'ab' * 32}")


@fault(
    "scan-of-eight-days-ago",
    expect_fail=["D-12.1.1"],
    title="an image was scanned eight days ago",
)
def scan_of_eight_days_ago(r: Rehearsal) -> None:
    images.scan(r, "frontend", age=timedelta(days=8))


@fault(
    "image-with-high-finding",
    expect_fail=["D-12.1.1"],
    title="the scan found something high that has a fix",
)
def image_with_high_finding(r: Rehearsal) -> None:
    images.scan(r, "backend", finding=HIGH)


@fault(
    "image-with-critical-finding",
    expect_fail=["D-12.1.1"],
    title="the scan found something critical that has no fix",
)
def image_with_critical_finding(r: Rehearsal) -> None:
    images.scan(r, "frontend", finding={**HIGH, "severity": "critical", "fixed": ""})


@fault(
    "image-runs-as-root",
    expect_fail=["D-12.1.1"],
    title="the frontend's image runs as root",
)
def image_runs_as_root(r: Rehearsal) -> None:
    images.build(r, {"frontend": Changes(user="0:0")})


@fault(
    "secret-in-an-image-layer",
    expect_fail=["D-12.1.1"],
    title="a layer holds a key that a later one deletes",
)
def secret_in_an_image_layer(r: Rehearsal) -> None:
    files = {"srv/.env": f"STRIPE_SECRET_KEY={KEY}\n"}
    images.build(r, {"backend": Changes(files=files)})


@fault(
    "image-without-bill-of-materials",
    expect_fail=["D-12.1.1"],
    title="no bill of materials is attached to an image",
)
def image_without_bill_of_materials(r: Rehearsal) -> None:
    images.build(r, {"backend": Changes(bill=False)})


@image_not_tagged.revert
@image_of_another_commit.revert
@scan_of_another_digest.revert
@scan_of_eight_days_ago.revert
@image_with_high_finding.revert
@image_with_critical_finding.revert
@image_runs_as_root.revert
@secret_in_an_image_layer.revert
@image_without_bill_of_materials.revert
def build_the_images_again(r: Rehearsal) -> None:
    images.build(r)


@fault(
    "base-image-not-pinned",
    expect_fail=["D-12.1.1"],
    touches=["release/checkout"],
    title="a Dockerfile names its base by a tag alone",
)
def base_image_not_pinned(r: Rehearsal) -> None:
    path: Path = release.migrations(r).parent / "backend" / "Dockerfile"
    before, _, after = path.read_text(encoding="utf-8").partition("@sha256:")
    path.write_text(before + after[64:], encoding="utf-8")


@base_image_not_pinned.revert
def pin_the_base_again(r: Rehearsal) -> None:
    release.restore_checkout(r)
