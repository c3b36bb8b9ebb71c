"""The release's container images: what they were built from, what is in them, what a scanner found.

An image is what its digest says: the scan has to be about exactly that digest, the label about the
tag's commit, and every layer is looked through for secrets, also those that a later one deletes.
"""

from __future__ import annotations

import fnmatch
import glob
import gzip
import io
import lzma
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golive.environments import Environment
from golive.files import read_text
from golive.probes.platform import dockerfiles, oci, scans, secret_shapes, waivers
from golive.probes.platform.build_sections import Image
from golive.probes.platform.dependencies import place as in_checkout
from golive.probes.platform.oci import Descriptor, Manifest, Place, PlatformImage
from golive.probes.platform.partial import known
from golive.probes.platform.scans import Found, Scan
from golive.probes.platform.waivers import Waivers
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError, Unseen, seen, unseen_among

_MOST_OF_A_FILE = 1 * 2**20
"""Bytes of one file in a layer that are looked through."""
_SBOMS = ("cyclonedx", "spdx")


@dataclass(frozen=True, slots=True)
class Layers:
    """What all layers of an image hold."""

    files: int
    secrets: tuple[str, ...]
    users: dict[str, int]
    """Names in the last /etc/passwd, to their numbers."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """One image, of one platform where there are several."""

    name: str
    digest: str
    revision: str
    """The commit it says it was built from; empty: it says none."""
    user: str
    """As whom it runs; empty: as root."""
    layers: Layers | Unseen
    bill: str | Unseen
    """The format of the bill of materials that is attached to it; empty: none is."""
    bases: tuple[dockerfiles.Base, ...] | Unseen
    """What its Dockerfile builds on."""
    scan: Scan | Unseen | None
    """The newest report about exactly this digest; None: there are only others."""
    open_findings: tuple[Found, ...]
    """Critical ones and high ones with a fix, which no waiver is about."""

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[7:19]})"

    @property
    def runs_as_root(self) -> bool:
        """Also by another name for the number 0."""
        if dockerfiles.is_root(self.user):
            return True
        users = {} if isinstance(self.layers, Unseen) else self.layers.users
        return users.get(self.user.partition(":")[0]) == 0


@dataclass(frozen=True, slots=True)
class ReleaseImages:
    """All images of the release."""

    declared: int
    tag: str
    commit: str | Unseen
    """Of the release's tag."""
    built: tuple[BuiltImage, ...]
    absent: tuple[str, ...]
    """Images that there are none of under the tag."""

    @property
    def of_another_commit(self) -> list[str] | Unseen:
        if isinstance(self.commit, Unseen):
            return self.commit
        others = [b for b in self.built if b.revision != self.commit]
        return [f"{b}: {b.revision[:12] or 'no label'}" for b in others]

    @property
    def not_scanned(self) -> list[str] | Unseen:
        """Images with reports, none of which is about them."""
        return known([str(b) for b in self.built if b.scan is None], [b.scan for b in self.built])

    @property
    def scan_age_d(self) -> dict[str, float] | Unseen:
        """By image, of those that were scanned."""
        scans_ = {str(b): b.scan for b in self.built}
        unseen = unseen_among(scans_.values())
        ages = {name: s.age_d for name, s in scans_.items() if isinstance(s, Scan)}
        return unseen if unseen is not None else ages

    @property
    def findings(self) -> list[str] | Unseen:
        """Critical and fixable high findings that nobody has accepted."""
        found = [f"{f} in {b.name}" for b in self.built for f in b.open_findings]
        return known(found, [b.scan for b in self.built])

    @property
    def bases(self) -> int | Unseen:
        """Images that the Dockerfiles build on."""
        unseen = unseen_among(b.bases for b in self.built)
        every = [len(b.bases) for b in self.built if not isinstance(b.bases, Unseen)]
        return unseen if unseen is not None and not sum(every) else sum(every)

    @property
    def not_pinned(self) -> list[str] | Unseen:
        """Those of them that no digest names."""
        found = {
            f"{base.reference} (line {base.line} of {b.name}'s Dockerfile)": None
            for b in self.built
            if not isinstance(b.bases, Unseen)
            for base in b.bases
            if not base.is_pinned
        }
        return known(list(found), [b.bases for b in self.built])

    @property
    def as_root(self) -> list[BuiltImage]:
        return [b for b in self.built if b.runs_as_root]

    @property
    def files(self) -> int | Unseen:
        """Files in all layers."""
        counts = [b.layers.files for b in self.built if not isinstance(b.layers, Unseen)]
        unseen = unseen_among(b.layers for b in self.built)
        return unseen if unseen is not None and not sum(counts) else sum(counts)

    @property
    def secrets(self) -> list[str] | Unseen:
        found = [
            f"{secret} in {b.name}"
            for b in self.built
            if not isinstance(b.layers, Unseen)
            for secret in b.layers.secrets
        ]
        return known(found, [b.layers for b in self.built])

    @property
    def without_bill(self) -> list[str] | Unseen:
        """Images without a bill of materials."""
        found = [str(b) for b in self.built if not isinstance(b.bill, Unseen) and not b.bill]
        return known(found, [b.bill for b in self.built])


@probe(limit="drill")
def release_images(env: Environment) -> ReleaseImages:
    """The release's images by digest: configuration, layers, what is attached, and scan reports."""
    images = env.images
    if not images.images:
        raise ProbeError("the images", "none is declared", "declare images.images")
    tag = images.tag.format(tag=env.release.tag)
    file = images.waivers
    accepted = waivers.read(in_checkout(env, file) if file else None)
    built: list[BuiltImage] = []
    absent: list[str] = []
    for one in images.images:
        found = list(_of(env, one, tag, accepted))
        built += found
        absent += [] if found else [f"{one.name}:{tag} in {one.place}"]
    return ReleaseImages(len(images.images), tag, seen(_commit, env), tuple(built), tuple(absent))


def _commit(env: Environment) -> str:
    release = env.release
    command = [
        "git",
        "-C",
        release.repository,
        "rev-parse",
        "--verify",
        f"{release.tag}^{{commit}}",
    ]
    subject = f"the commit of {release.tag} in {release.repository}"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=env.time_limits.probe, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ProbeError(subject, e, "check release.repository") from None
    if done.returncode:
        raise ProbeError(subject, done.stderr, "fetch the repository's tags")
    return done.stdout.strip()


def _of(env: Environment, declared: Image, tag: str, accepted: Waivers) -> Iterator[BuiltImage]:
    with oci.opened(env, declared.place) as place:
        named = place.tagged(tag)
        if named is None:
            return
        digest, content = named
        found, beside = oci.platforms(place, digest, content)
        bases = seen(_bases, env, declared)
        for one in found:
            ids = {one.digest, one.config_digest} | ({digest} if len(found) == 1 else set())
            scan = seen(_scan, declared, ids)
            label = (one.config.run.get("Labels") or {}).get(env.images.revision_label, "")
            name = f"{declared.name} {one.platform}".strip() if len(found) > 1 else declared.name
            yield BuiltImage(
                name=name,
                digest=one.digest,
                revision=str(label),
                user=str(one.config.run.get("User") or ""),
                layers=seen(_layers, place, one, env.images.samples),
                bill=seen(_bill, place, {digest, one.digest}, beside),
                bases=bases,
                scan=scan,
                open_findings=_open(scan, accepted),
            )


def _open(scan: Scan | Unseen | None, accepted: Waivers) -> tuple[Found, ...]:
    if not isinstance(scan, Scan):
        return ()
    grave = (f for f in scan.findings if f.is_grave)
    return tuple(f for f in grave if not accepted.cover(f.ids, f.package))


def _bases(env: Environment, declared: Image) -> tuple[dockerfiles.Base, ...]:
    if not declared.dockerfile:
        step = f"name it as dockerfile of the image {declared.name}"
        raise ProbeError(f"the Dockerfile of {declared.name}", "none is declared", step)
    path = in_checkout(env, declared.dockerfile)
    try:
        text = read_text(path, _MOST_OF_A_FILE, "a Dockerfile", links=True)
    except GoliveError as e:
        raise ProbeError(f"the Dockerfile of {declared.name}", e, "check images.images") from None
    bases = dockerfiles.parse(text).bases
    if not bases:
        raise ProbeError(f"the Dockerfile {path}", "it builds on no image", "check images.images")
    return bases


def _scan(declared: Image, ids: set[str]) -> Scan | None:
    """The newest report about an image.

    :raises ProbeError: there is no report, or one cannot be read and none of the others is about
        the image.
    """
    paths = [p for pattern in declared.reports for p in sorted(glob.glob(pattern))]  # noqa: PTH207
    subject = f"the scan of {declared.name}"
    if not paths:
        said = ", ".join(declared.reports) or "no report is declared"
        step = "have the build keep the report of Trivy or Grype where images.images says"
        raise ProbeError(subject, f"there is none: {said}", step)
    every = [seen(scans.load, Path(path)) for path in paths]
    about = [s for s in every if isinstance(s, Scan) and s.digests & ids]
    if about:
        return max(about, key=lambda s: s.at)
    unseen = unseen_among(every)
    if unseen is not None:
        raise unseen.error
    return None


# -- layers ----------------------------------------------------------------------------------------


def _layers(place: Place, image: PlatformImage, samples: list[str]) -> Layers:
    found: dict[str, None] = {}
    files = 0
    users: dict[str, int] = {}
    for layer in image.layers:
        with _unpacked(place.blob(layer.digest), layer) as archive:
            for member in archive:
                path = member.name.removeprefix("./").lstrip("/")
                if not member.isfile():
                    continue
                files += 1
                inside = archive.extractfile(member)
                content = inside.read(_MOST_OF_A_FILE) if inside else b""
                if path == "etc/passwd":
                    users = _users(content)
                if any(fnmatch.fnmatch(path, pattern) for pattern in samples):
                    continue
                found |= {f"{s} in {path}": None for s in secret_shapes.in_file(path, content)}
    variables = "\n".join(map(str, image.config.run.get("Env") or [])).encode()
    found |= {f"{s} in its environment": None for s in _said(variables)}
    for step in image.config.history:
        said = str(step.get("created_by", "")).encode()
        found |= {f"{s} in its history": None for s in _said(said)}
    return Layers(files, tuple(found), users)


def _said(text: bytes) -> Iterator[str]:
    yield from secret_shapes.in_text(text)
    yield from secret_shapes.in_variables(text)


def _unpacked(content: bytes, layer: Descriptor) -> tarfile.TarFile:
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        elif content[:4] == b"\x28\xb5\x2f\xfd":
            raise ProbeError(
                f"the layer {layer.digest[:19]}",
                "it is compressed with zstd, which this cannot read",
                "push the image with gzip",
            )
        return tarfile.open(fileobj=io.BytesIO(content), mode="r:")
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as e:
        raise ProbeError(f"the layer {layer.digest[:19]}", e, "push the image again") from None


def _users(content: bytes) -> dict[str, int]:
    rows = (line.split(":") for line in content.decode(errors="replace").splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit()}


# -- bills of materials ----------------------------------------------------------------------------


def _bill(place: Place, digests: set[str], beside: list[Descriptor]) -> str:
    attached = [one for digest in sorted(digests) for one in place.referring(digest)]
    for one in (*attached, *beside):
        manifest: Manifest = oci.parsed(place.manifest(one.digest), Manifest, place.name)
        for layer in manifest.layers:
            told = (layer.mediaType, manifest.artifactType, one.artifactType)
            wanted = (*told, *(layer.annotations or {}).values())
            if any(name in text.lower() for name in _SBOMS for text in wanted):
                found = _format(oci.parsed(place.blob(layer.digest), dict, place.name))
                if found:
                    return found
    return ""


def _format(document: dict[str, Any]) -> str:
    """The format of a bill that lists anything."""
    if "predicate" in document:  # in an attestation of in-toto
        inner = document["predicate"]
        document = inner if isinstance(inner, dict) else {}
    if document.get("bomFormat") == "CycloneDX" and document.get("components"):
        return f"CycloneDX {document.get('specVersion', '')}"
    if document.get("spdxVersion") and document.get("packages"):
        return str(document["spdxVersion"])
    return ""
