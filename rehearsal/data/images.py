"""The release's container images, as their build and their scan leave them in a registry.

    images/backend, images/frontend     OCI image layouts: index, manifest, configuration, layers,
                                        and a bill of materials attached to the image
    images/scans/*.json                 a report of Trivy about one, of Grype about the other

They are small: a base layer with the accounts of a system, and one with the application's files.
Nothing runs them. What a build takes from its Dockerfile (the user, the labels) is taken from it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.data import dependencies, frontend, release
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints
from rehearsal.staff.launch_tools import CANDIDATE, commit

TAG = "production-" + CANDIDATE
NAMES = ("backend", "frontend")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
_ACCOUNTS = "root:x:0:0:root:/root:/bin/bash\napp:x:10001:10001::/:/usr/sbin/nologin\n"
_SYSTEM = {
    "etc/passwd": _ACCOUNTS,
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
}
ACCEPTED = {"id": "CVE-2023-45853", "package": "zlib1g", "version": "1:1.2.13.dfsg-1"}
"""A critical finding that is in every image of that base, has no fix, and has a waiver."""


@dataclass(frozen=True)
class Changes:
    """What a fault has otherwise in the image that it is about."""

    revision: str = ""
    user: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """More files, in a layer that a later one deletes them from."""
    bill: bool = True


def folder(r: Rehearsal, name: str) -> Path:
    """The layout of an image."""
    return r.path("images", name)


def report(r: Rehearsal, name: str) -> Path:
    """The scan's report about an image."""
    return r.path("images", "scans", f"{name}.json")


def build(r: Rehearsal, changes: Mapping[str, Changes] | None = None) -> None:
    """Build both images, and scan them."""
    for name in NAMES:
        _build(r, name, (changes or {}).get(name, Changes()))
        scan(r, name)


def manifest(r: Rehearsal, name: str) -> bytes:
    """The manifest of an image, whose digest is the image's."""
    blobs = folder(r, name) / "blobs" / "sha256"
    return (blobs / _digest(r, name).removeprefix("sha256:")).read_bytes()


def remove_tag(r: Rehearsal, name: str) -> None:
    """Take the tag from an image."""
    path = folder(r, name) / "index.json"
    index = json.loads(path.read_text())
    for one in index["manifests"]:
        one.pop("annotations", None)
    path.write_text(json.dumps(index))


def scan(
    r: Rehearsal,
    name: str,
    *,
    age: timedelta = timedelta(hours=6),
    digest: str = "",
    finding: Mapping[str, str] | None = None,
) -> None:
    """Write the scan's report: of an age, about a digest, with one more finding."""
    named = digest or _digest(r, name)
    at = datetime.now(UTC) - age
    found = [{**ACCEPTED, "severity": "critical", "fixed": ""}]
    found.append({"id": "CVE-2011-3374", "package": "apt", "version": "2.6.1", "severity": "low"})
    found += [dict(finding)] if finding else []
    text = _trivy(name, named, at, found) if name == "backend" else _grype(name, named, at, found)
    report(r, name).write_text(json.dumps(text, indent=1), encoding="utf-8")


def endpoints(r: Rehearsal) -> Endpoints:
    """Where the images lie, with their reports and Dockerfiles."""
    return {
        "images": {
            "tag": "production-{tag}",
            "waivers": str(dependencies.waivers(r)),
            "images": [
                {
                    "name": name,
                    "place": str(folder(r, name)),
                    "reports": [str(report(r, name).with_name("*.json"))],
                    "dockerfile": f"{name}/Dockerfile",
                }
                for name in NAMES
            ],
        }
    }


# -- a layout --------------------------------------------------------------------------------------


class _Layout:
    def __init__(self, place: Path) -> None:
        self._place = place
        shutil.rmtree(place, ignore_errors=True)
        (place / "blobs" / "sha256").mkdir(parents=True)
        (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.manifests: list[dict[str, Any]] = []

    def put(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Keep a blob; what names it."""
        digest = hashlib.sha256(content).hexdigest()
        (self._place / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def put_json(self, document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        return self.put(json.dumps(document, sort_keys=True).encode(), media_type)

    def close(self) -> None:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests}
        (self._place / "index.json").write_text(json.dumps(index, indent=1))


def _build(r: Rehearsal, name: str, changes: Changes) -> None:
    layout = _Layout(folder(r, name))
    layers = [_SYSTEM, *([changes.files] if changes.files else []), _files(r, name)]
    if changes.files:
        layers.append({_whiteout(path): "" for path in changes.files})
    packed = [_tar(one) for one in layers]
    revision = changes.revision or commit(r, CANDIDATE)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": changes.user or _user(name),
            "Env": ["PATH=/opt/venv/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"],
            "Labels": {
                "org.opencontainers.image.title": f"bookedbarber-{name}",
                "org.opencontainers.image.version": CANDIDATE.removeprefix("v"),
                "org.opencontainers.image.revision": revision,
            },
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in packed],
        },
        "history": [{"created_by": f"COPY {name}/ ./"}],
    }
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [layout.put(gzip.compress(one, mtime=0), kind) for one in packed],
    }
    image = layout.put_json(manifest, MANIFEST)
    layout.manifests.append({**image, "annotations": {"org.opencontainers.image.ref.name": TAG}})
    if changes.bill:
        layout.manifests.append(_attached(layout, image, _bill(r, name)))
    layout.close()


def _attached(layout: _Layout, image: Mapping[str, Any], bill: Mapping[str, Any]) -> dict[str, Any]:
    empty = layout.put(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": CYCLONEDX,
        "config": empty,
        "layers": [layout.put_json(bill, CYCLONEDX)],
        "subject": image,
    }
    return {**layout.put_json(manifest, MANIFEST), "artifactType": CYCLONEDX}


def _digest(r: Rehearsal, name: str) -> str:
    index = json.loads((folder(r, name) / "index.json").read_text())
    return str(index["manifests"][0]["digest"])


def _tar(files: Mapping[str, str]) -> bytes:
    """An archive that is the same whenever it is made."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in sorted(files.items()):
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _whiteout(path: str) -> str:
    """What in a layer deletes a file of an earlier one."""
    before, _, name = path.rpartition("/")
    return f"{before}/.wh.{name}" if before else f".wh.{name}"


def _files(r: Rehearsal, name: str) -> dict[str, str]:
    if name == "frontend":
        built, top = frontend.folder(r), "srv/static"
        paths = [p for p in built.rglob("*") if p.is_file()]
    else:
        built, top = PROJECT / "rehearsal" / "app", "srv/app"
        paths = [p for p in built.rglob("*.py") if "migrations" not in p.parts]
    return {f"{top}/{p.relative_to(built)}": p.read_text(encoding="utf-8") for p in paths}


def _user(name: str) -> str:
    """As whom the Dockerfile has it run."""
    text = (PROJECT / "rehearsal" / "product" / name / "Dockerfile").read_text(encoding="utf-8")
    return str(re.findall(r"(?m)^USER (\S+)$", text)[-1])


def _bill(r: Rehearsal, name: str) -> dict[str, Any]:
    """A bill of materials as CycloneDX has it: what the lock file names."""
    checkout = release.migrations(r).parent
    if name == "backend":
        text = (checkout / dependencies.BACKEND).read_text(encoding="utf-8")
        parts = re.findall(r"(?m)^([\w.-]+)==([\w.!+-]+)", text)
        kind = "pypi"
    else:
        packages = json.loads((checkout / dependencies.FRONTEND).read_text())["packages"]
        places = ((p.rpartition("node_modules/")[2], e) for p, e in packages.items() if p)
        parts = [(package, entry["version"]) for package, entry in places]
        kind = "npm"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"bookedbarber-{name}"}},
        "components": [
            {"type": "library", "name": n, "version": v, "purl": f"pkg:{kind}/{n}@{v}"}
            for n, v in parts
        ],
    }


# -- reports ---------------------------------------------------------------------------------------


def _trivy(name: str, digest: str, at: datetime, found: list[dict[str, str]]) -> dict[str, Any]:
    reference = f"registry.bookedbarber.test/{name}"
    return {
        "SchemaVersion": 2,
        "CreatedAt": f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z",
        "ArtifactName": f"{reference}:{TAG}",
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.8"},
            "RepoTags": [f"{reference}:{TAG}"],
            "RepoDigests": [f"{reference}@{digest}"],
        },
        "Results": [
            {
                "Target": f"{reference}:{TAG} (debian 12.8)",
                "Class": "os-pkgs",
                "Type": "debian",
                "Vulnerabilities": [
                    {
                        "VulnerabilityID": one["id"],
                        "PkgName": one["package"],
                        "InstalledVersion": one["version"],
                        "FixedVersion": one.get("fixed", ""),
                        "Severity": one["severity"].upper(),
                    }
                    for one in found
                ],
            },
            {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg"},
        ],
    }


def _grype(name: str, digest: str, at: datetime, found: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "matches": [
            {
                "vulnerability": {
                    "id": one["id"],
                    "severity": one["severity"].capitalize(),
                    "fix": {
                        "versions": [one["fixed"]] if one.get("fixed") else [],
                        "state": "fixed" if one.get("fixed") else "not-fixed",
                    },
                },
                "artifact": {"name": one["package"], "version": one["version"], "type": "deb"},
            }
            for one in found
        ],
        "source": {
            "type": "image",
            "target": {
                "userInput": f"registry.bookedbarber.test/{name}:{TAG}",
                "manifestDigest": digest,
            },
        },
        "distro": {"name": "debian", "version": "12"},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z",
        },
    }
