"""Images in layouts and registries, Dockerfiles, scan reports and what a secret looks like."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform import dockerfiles, oci, scans, secret_shapes
from golive.probes.platform.images import ReleaseImages, release_images
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.answering import Service, answering

MANIFEST, INDEX = oci.MANIFESTS[0], oci.INDEXES[0]
CYCLONEDX = "application/vnd.cyclonedx+json"


# -- Dockerfiles -----------------------------------------------------------------------------------

OTHER = "nginx:1.27"
PINNED = f"python:3.12@sha256:{'ab' * 32}"
BOTH = [(PINNED, True), (OTHER, False)]


@pytest.mark.parametrize(
    ("text", "bases", "user"),
    [
        (f"FROM {PINNED}\nUSER app\n", [(PINNED, True)], "app"),
        ("FROM scratch\nCOPY x /\n", [], ""),
        (f"ARG BASE={PINNED}\nFROM ${{BASE}} AS b\nFROM b\nUSER 10:10", [(PINNED, True)], "10:10"),
        ("ARG V=3.12\nFROM --platform=linux/amd64 python:$V as b", [("python:3.12", False)], ""),
        ("FROM ${BASE}", [("${BASE}", False)], ""),
        ("FROM ${BASE:-debian:12}", [("debian:12", False)], ""),
        (
            f"FROM {PINNED}\nCOPY --from=nginx:1.27 /a /b\nCOPY --from=0 /a /b",
            [(PINNED, True), ("nginx:1.27", False)],
            "",
        ),
        (
            f"FROM {PINNED}\nRUN <<EOF\nFROM nothing\nUSER root\nEOF\nUSER app",
            [(PINNED, True)],
            "app",
        ),
        (f"FROM {PINNED} AS a\nUSER app\nFROM a\n", [(PINNED, True)], ""),
        (f"from {PINNED}\nRUN a \\\n # said\n && b\nuser app", [(PINNED, True)], "app"),
    ],
)
def test_dockerfiles(text: str, bases: list[tuple[str, bool]], user: str) -> None:
    found = dockerfiles.parse(text)
    assert [(b.reference, b.is_pinned) for b in found.bases] == bases
    assert found.user == user


@pytest.mark.parametrize(
    ("user", "is_root"),
    [
        ("", True),
        ("root", True),
        ("0", True),
        ("0:0", True),
        ("root:app", True),
        ("00", True),
        ("app", False),
        ("10001:0", False),
        ("1000", False),
    ],
)
def test_users_that_are_root(user: str, is_root: bool) -> None:
    assert dockerfiles.is_root(user) == is_root


# -- secrets ---------------------------------------------------------------------------------------

KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4 + "\n-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("srv/a.py", "key = 'sk_live_" + "a1" * 12 + "'", ["a Stripe key"]),
        ("srv/a.py", "AKIAIOSFODNN7EXAMPLE", []),
        ("srv/a.py", "AKIAIOSFODNN7ABCDEFG", ["an AWS access key"]),
        ("srv/tls.key", KEY, ["a private key"]),
        ("opt/venv/lib/site-packages/x/test.key", KEY, []),
        ("srv/readme.md", "-----BEGIN PRIVATE KEY----- as in", []),
        ("srv/.env", "DB_PASSWORD=correct-horse\n", ["a value of DB_PASSWORD"]),
        ("srv/.env", "DB_PASSWORD=\nJWT_SECRET=${JWT}\nAPI_TOKEN=secretsmanager:a/b#c\n", []),
        ("srv/.env", "A_SECRET=changeme\nB_SECRET=<fill in>\nC_TOKEN=/run/secrets/c-token\n", []),
        (
            "srv/.env",
            "REDIS_PASSWORD_URL=redis://:longenough@cache/0\n",
            ["a value of REDIS_PASSWORD_URL"],
        ),
        ("srv/app.py", "DB_PASSWORD=correct-horse\n", []),
    ],
)
def test_what_a_secret_looks_like(path: str, content: str, found: list[str]) -> None:
    assert list(secret_shapes.in_file(path, content.encode())) == found


# -- reports ---------------------------------------------------------------------------------------


def trivy(*digests: str, **changes: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": 2,
        "CreatedAt": datetime.now(UTC).isoformat(),
        "Metadata": {"ImageID": digests[0], "RepoDigests": [f"r/x@{d}" for d in digests[1:]]},
        "Results": [{"Class": "os-pkgs", "Vulnerabilities": []}],
    } | changes


def kept(folder: Path, document: Any, name: str = "scan.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_report_of_trivy_counts_what_it_was_told_to_ignore(tmp_path: Path) -> None:
    one = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "HIGH"}
    ignored = {
        "Type": "vulnerability",
        "Finding": {**one, "VulnerabilityID": "CVE-2", "FixedVersion": "2"},
    }
    results = [
        {"Class": "lang-pkgs", "Vulnerabilities": [one]},
        {"Class": "os-pkgs", "ExperimentalModifiedFindings": [ignored]},
        {"Class": "secret"},
    ]
    found = scans.load(kept(tmp_path, trivy("sha256:" + "a" * 64, Results=results)))
    assert (found.scanner, found.targets) == ("Trivy", 2)
    assert [(f.ids[0], f.is_grave) for f in found.findings] == [("CVE-1", False), ("CVE-2", True)]


def test_a_report_of_grype(tmp_path: Path) -> None:
    def match(ident: str, severity: str, state: str) -> dict[str, Any]:
        weakness = {"id": ident, "severity": severity, "fix": {"state": state}}
        return {"vulnerability": weakness, "artifact": {"name": "a", "version": "1"}}

    document = {
        "matches": [match("CVE-1", "Critical", "not-fixed"), match("CVE-2", "High", "not-fixed")],
        "ignoredMatches": [match("CVE-3", "High", "fixed")],
        "source": {"type": "image", "target": {"manifestDigest": "sha256:" + "b" * 64}},
        "distro": {"name": "debian"},
        "descriptor": {"name": "grype", "timestamp": "2026-11-29T10:00:00.123456789Z"},
    }
    found = scans.load(kept(tmp_path, document))
    assert found.digests == {"sha256:" + "b" * 64}
    assert [f.ids[0] for f in found.findings if f.is_grave] == ["CVE-1", "CVE-3"]


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("{", "scan.json"),
        ({"hello": 1}, "none of Trivy and of Grype"),
        (trivy("x", Results=None), "nothing in the image that it could look at"),
        (trivy("x", Results=[{"Class": "secret"}]), "nothing in the image"),
        (trivy("x", CreatedAt="2999-01-01T00:00:00Z"), "which is to come"),
    ],
)
def test_a_report_that_proves_nothing(tmp_path: Path, document: Any, cause: str) -> None:
    with pytest.raises(ProbeError, match=cause):
        scans.load(kept(tmp_path, document))


# -- images ----------------------------------------------------------------------------------------


class Blobs:
    """The content of an image, by digest."""

    def __init__(self) -> None:
        self.all: dict[str, bytes] = {}

    def put(self, content: bytes | Mapping[str, Any], kind: str = "") -> dict[str, Any]:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = oci.digest_of(data)
        self.all[digest] = data
        return {"digest": digest, "mediaType": kind, "size": len(data)}

    def image(self, *, user: str = "app", revision: str = "", **files: str) -> dict[str, Any]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name.replace("__", "/"))
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        layer = self.put(gzip.compress(packed.getvalue()))
        labels = {"org.opencontainers.image.revision": revision}
        config = self.put({"config": {"User": user, "Labels": labels}, "history": []})
        return self.put({"config": config, "layers": [layer]}, MANIFEST)

    def bill(self, of: Mapping[str, Any], **document: Any) -> dict[str, Any]:
        told = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a"}]}
        layer = self.put(told | document, CYCLONEDX)
        empty = self.put(b"{}")
        return self.put({"config": empty, "layers": [layer], "subject": dict(of)}, MANIFEST)

    def layout(self, folder: Path, *manifests: Mapping[str, Any]) -> Path:
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        for digest, content in self.all.items():
            (folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(content)
        (folder / "index.json").write_text(json.dumps({"manifests": list(manifests)}))
        return folder


def tagged(one: Mapping[str, Any], tag: str = "v1") -> dict[str, Any]:
    return {**one, "annotations": {"org.opencontainers.image.ref.name": tag}}


Look = Callable[..., ReleaseImages]


@pytest.fixture
def looked(tmp_path: Path, env_with: Callable[..., Environment]) -> Look:
    (tmp_path / "Dockerfile").write_text(f"FROM {PINNED}\n")

    def look(place: str | Path, **image: Any) -> ReleaseImages:
        one = {"name": "backend", "place": str(place), "dockerfile": "Dockerfile"} | image
        return release_images(
            env_with(
                deploy={"checkout": str(tmp_path)},
                images={"tag": "v1", "images": [one]},
            )
        )

    return look


def told(value: object) -> str:
    assert isinstance(value, Unseen)
    return str(value.error)


def test_an_image_in_a_layout(tmp_path: Path, looked: Look) -> None:
    blobs = Blobs()
    files = {"etc__passwd": "toor:x:0:0::/:/bin/sh\n", "srv__.env": "A_TOKEN=correct-horse\n"}
    image = blobs.image(user="toor", revision="c0ffee", **files)
    place = blobs.layout(tmp_path / "images", tagged(image), blobs.bill(image))
    report = kept(tmp_path, trivy(image["digest"]))
    (one,) = looked(place, reports=[str(report)]).built
    assert (one.revision, one.bill, one.runs_as_root) == ("c0ffee", "CycloneDX 1.5", True)
    assert not isinstance(one.layers, Unseen)
    assert one.layers.secrets == ("a value of A_TOKEN in srv/.env",)
    assert isinstance(one.scan, scans.Scan)


def test_the_scan_has_to_be_about_this_digest_and_the_newest_counts(
    tmp_path: Path, looked: Look
) -> None:
    blobs = Blobs()
    image = blobs.image()
    place = blobs.layout(tmp_path / "images", tagged(image))
    config = json.loads(blobs.all[image["digest"]])["config"]["digest"]
    kept(tmp_path, trivy("sha256:" + "0" * 64), "scan-0.json")
    found = looked(place, reports=[str(tmp_path / "scan-*.json")])
    assert found.not_scanned == [str(found.built[0])]
    old = datetime.now(UTC) - timedelta(days=9)
    kept(tmp_path, trivy(config, CreatedAt=old.isoformat()), "scan-1.json")
    ages = looked(place, reports=[str(tmp_path / "scan-*.json")]).scan_age_d
    assert isinstance(ages, dict)
    assert 8.9 < next(iter(ages.values())) < 9.1
    kept(tmp_path, trivy(image["digest"]), "scan-2.json")
    ages = looked(place, reports=[str(tmp_path / "scan-*.json")]).scan_age_d
    assert isinstance(ages, dict)
    assert next(iter(ages.values())) < 0.1
    none = looked(place)
    assert "no report is declared" in told(none.not_scanned)
    assert "no report is declared" in told(none.findings)


def test_each_platform_is_an_image_with_a_scan_of_its_own(tmp_path: Path, looked: Look) -> None:
    blobs = Blobs()
    one, other = blobs.image(), blobs.image(user="0")
    statement = {
        "predicateType": "https://spdx.dev/Document",
        "predicate": {"spdxVersion": "SPDX-2.3", "packages": [{}]},
    }
    kind = {"in-toto.io/predicate-type": "https://spdx.dev/Document"}
    layer = {**blobs.put(statement, "application/vnd.in-toto+json"), "annotations": kind}
    proof = blobs.put({"config": blobs.put(b"{}"), "layers": [layer]}, MANIFEST)
    platforms = [
        {**one, "platform": {"architecture": "amd64", "os": "linux"}},
        {**other, "platform": {"architecture": "arm64", "os": "linux"}},
        {**proof, "annotations": {oci.ATTESTATION: "attestation-manifest"}},
    ]
    index = blobs.put({"mediaType": INDEX, "manifests": platforms}, INDEX)
    place = blobs.layout(tmp_path / "images", tagged(index))
    report = kept(tmp_path, trivy("x", index["digest"], one["digest"]))
    found = looked(place, reports=[str(report)])
    assert [b.name for b in found.built] == ["backend amd64/linux", "backend arm64/linux"]
    assert [b.bill for b in found.built] == ["SPDX-2.3"] * 2
    assert found.not_scanned == [str(found.built[1])]
    assert found.as_root == [found.built[1]]


def test_a_tag_that_is_not_there_is_told_and_a_changed_blob_cannot_be_looked_at(
    tmp_path: Path, looked: Look
) -> None:
    blobs = Blobs()
    image = blobs.image()
    place = blobs.layout(tmp_path / "images", tagged(image, "v0"))
    assert looked(place).absent == (f"backend:v1 in {place}",)
    blobs.layout(place, tagged(image))
    layer = json.loads(blobs.all[image["digest"]])["layers"][0]["digest"]
    (place / "blobs" / "sha256" / layer.removeprefix("sha256:")).write_bytes(b"other")
    assert "another digest" in told(looked(place).secrets)
    with pytest.raises(ProbeError, match=r"index\.json"):
        looked(tmp_path / "nowhere")
    with pytest.raises(ProbeError, match="it names no registry"):
        looked("backend")


@pytest.fixture
def registry() -> Iterator[Service]:
    with answering() as service:
        yield service


def test_an_image_in_a_registry_with_what_is_attached_to_it(
    looked: Look, registry: Service
) -> None:
    blobs = Blobs()
    image = blobs.image(revision="c0ffee")
    bill = blobs.bill(image)
    for digest, content in blobs.all.items():
        for what in ("manifests", "blobs"):
            registry.says(f"/v2/shop/backend/{what}/{digest}", content)
    registry.says("/v2/shop/backend/manifests/v1", blobs.all[image["digest"]])
    attached = {"manifests": [bill]}
    registry.says(f"/v2/shop/backend/referrers/{image['digest']}", attached)
    place = registry.url.removeprefix("http://") + "/shop/backend"
    (one,) = looked(place).built
    assert (one.digest, one.revision, one.bill) == (image["digest"], "c0ffee", "CycloneDX 1.5")
    # Before there was that API, a tag named what is attached.
    del registry.answers[f"/v2/shop/backend/referrers/{image['digest']}"]
    assert looked(place).without_bill == [str(one)]
    fallback = image["digest"].replace(":", "-")
    registry.says(f"/v2/shop/backend/manifests/{fallback}", attached)
    assert looked(place).without_bill == []


def test_a_registry_that_asks_for_a_token_or_refuses(looked: Look, registry: Service) -> None:
    place = registry.url.removeprefix("http://") + "/shop/backend"
    challenge = f'Bearer realm="{registry.url}/token",service="r"'
    registry.says("/v2/shop/backend/manifests/v1", {}, 401, WWW_Authenticate=challenge)
    registry.says("/token?service=r&scope=repository:shop/backend:pull", {"token": "abc"})
    with pytest.raises(ProbeError, match="status 401"):
        looked(place)
    assert registry.headers[-1]["Authorization"] == "Bearer abc"
    del registry.answers["/v2/shop/backend/manifests/v1"]
    assert looked(place).absent == (f"backend:v1 in {place}",)
