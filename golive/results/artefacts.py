"""The deployment artefacts: those of the signed release manifest, as day -12 has looked at them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from golive.claims import Claim, equal, no_failure, none_of, same_set
from golive.deliverables import Basis, Deliverable, Write, with_tables
from golive.probes.saas.launch_tools import Artefact, Manifest, ManifestSignature
from golive.reports.documents import Table
from golive.results.recorded import exempt, figure, recorded
from golive.verdicts import Unseen, unseen_among

ARTEFACTS, LOOKED_AT = "Artefacts of the release manifest", "What was looked at"
_DEPLOYED = ("manifest_validation", "helm_chart")
Digests = Mapping[str, str] | Unseen
"""SHA-256 by path, or by an image's name."""


def written(manifest: Manifest) -> Write:
    """The overview of the items, the artefacts that the manifest lists, and the digests of what
    the items have looked at."""
    listed: list[list[str | float]] = [
        [f"{a.name} {a.version}", a.sha256, float(len(a.files))] for a in manifest.artefacts
    ]
    whole = hashlib.sha256(msgspec.json.encode(manifest, order="sorted")).hexdigest()

    def write(basis: Basis) -> Any:
        rows: list[list[str | float]] = [
            [f"{what}: {name}", digest]
            for what, found in _looked_at(basis).items()
            if not isinstance(found, Unseen)
            for name, digest in found.items()
        ]
        return with_tables(
            Table(title=ARTEFACTS, columns=["artefact", "SHA-256", "files in it"], rows=listed),
            Table(title=LOOKED_AT, columns=["what", "SHA-256"], rows=rows),
            figures=[figure("commit of the release", manifest.commit)],
            inputs={"release manifest": whole},
        )(basis)

    return write


def judged(
    document: Deliverable,
    manifest: Manifest,
    signature: ManifestSignature,
    stored: Iterable[Artefact],
    commit: str,
) -> Iterator[Claim]:
    """The manifest is signed, the store has what it lists and no more, all of it from the tag's
    commit, and it lists whatever the items have looked at."""
    by = f"signed as it lies there by the {signature.role.replace('_', ' ')}"
    yield no_failure("signature of the release manifest", signature.cause, by)
    yield same_set("artefacts in the store", _named(stored), _named(manifest.artefacts))
    yield equal("commit of the release manifest", manifest.commit, commit)
    for what, found in _looked_at(document.basis).items():
        subject = f"{what} looked at, but not in the release manifest"
        other = found if isinstance(found, Unseen) else _unlisted(found, manifest)
        yield none_of(subject, other, among=found, of="digests")


def _named(artefacts: Iterable[Artefact]) -> set[str]:
    return {f"{a.name} {a.version} {a.sha256}" for a in artefacts}


def _looked_at(basis: Basis) -> dict[str, Digests]:
    """By what it is; what people have waived or declared not applicable is left out."""
    found: dict[str, Digests] = {}
    if not exempt(basis, "release_images"):
        found["images"] = _images(basis)
    if not exempt(basis, "packaged_configuration"):
        found["configuration"] = recorded(basis, "packaged_configuration", "digests")
        bundle = recorded(basis, "packaged_configuration", "bundle_digests")
        found["frontend"] = bundle
    asked = [probe for probe in _DEPLOYED if not exempt(basis, probe)]
    parts = [recorded(basis, probe, "digests") for probe in asked]
    if parts:
        unseen = unseen_among(parts)
        found["manifests and chart"] = (
            {path: digest for part in parts for path, digest in part.items()}
            if unseen is None
            else unseen
        )
    return found


def _images(basis: Basis) -> Digests:
    built = recorded(basis, "release_images", "built")
    if isinstance(built, Unseen):
        return built
    return {one["name"]: str(one["digest"]).partition(":")[2] for one in built}


def _unlisted(found: Mapping[str, str], manifest: Manifest) -> list[str]:
    """What the candidate's artefacts have not, or have with another digest."""
    own = [a for a in manifest.artefacts if a.version == manifest.candidate]
    files = [(path, digest) for a in own for path, digest in a.files.items()]
    whole = {a.sha256 for a in own}
    return [
        f"{name} ({digest[:12]})"
        for name, digest in found.items()
        if digest not in whole
        and not any(d == digest and _same_path(path, name) for path, d in files)
    ]


def _same_path(one: str, other: str) -> bool:
    """Whether two paths name one file, each from wherever its tree begins."""
    a, b = f"/{one.strip('/')}", f"/{other.strip('/')}"
    return a.endswith(b) or b.endswith(a)
