"""Container images where they lie: an OCI image layout on disk, or a registry.

Both are read as the OCI's specifications say (https://github.com/opencontainers/image-spec and
distribution-spec). Whatever is read is held against its digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.files import NotThere, read
from golive.probes.transport.http import Client, client, shown
from golive.verdicts import GoliveError, ProbeError

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
REF_NAME = "org.opencontainers.image.ref.name"
ATTESTATION = "vnd.docker.reference.type"
_MOST_JSON = 64 * 2**20
_MOST_BLOB = 4 * 2**30
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(msgspec.Struct, frozen=True):
    """What names a blob."""

    digest: str
    mediaType: str = ""  # noqa: N815 - as the specification writes it
    annotations: dict[str, str] | None = None
    platform: dict[str, Any] | None = None
    artifactType: str = ""  # noqa: N815
    size: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """A manifest or an index of manifests."""

    mediaType: str = ""  # noqa: N815
    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None
    artifactType: str = ""  # noqa: N815
    annotations: dict[str, str] | None = None


class Config(msgspec.Struct, frozen=True):
    """An image's configuration."""

    config: dict[str, Any] | None = None
    history: list[dict[str, Any]] = []

    @property
    def run(self) -> Mapping[str, Any]:
        """What it is run with."""
        return self.config or {}


class Place(Protocol):
    """Where one repository's images lie."""

    name: str

    def tagged(self, tag: str) -> tuple[str, bytes] | None:
        """Digest and content of what a tag names; None where there is no such tag."""

    def manifest(self, digest: str) -> bytes:
        """A manifest."""

    def blob(self, digest: str) -> bytes:
        """Anything else."""

    def referring(self, digest: str) -> list[Descriptor]:
        """Manifests that are attached to one."""


@contextmanager
def opened(env: Environment, place: str) -> Iterator[Place]:
    """A folder with an OCI image layout, or a repository ``registry/name``.

    :raises ProbeError: it is neither.
    """
    folder = Path(place)
    if folder.is_absolute() or folder.is_dir():
        yield _Layout(folder)
        return
    with client(env, foreign=True) as http:
        yield _Registry(env, http, place)


def parsed(content: bytes, kind: Any, subject: str) -> Any:
    """A JSON document of an image.

    :raises ProbeError: it is none of that kind.
    """
    try:
        return decode(content, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise ProbeError(subject, f"it is no {kind.__name__.lower()} of the OCI: {e}") from None


def digest_of(content: bytes) -> str:
    """As the OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def held(content: bytes, digest: str, subject: str) -> bytes:
    """Content that is what its digest says.

    :raises ProbeError: it is not.
    """
    if digest_of(content) != digest:
        cause = f"its content has another digest than {digest}"
        raise ProbeError(subject, cause, "push it again, and find out who changed it")
    return content


class _Layout:
    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder
        index = self._read(folder / "index.json", _MOST_JSON)
        self._index: Manifest = parsed(index, Manifest, self.name)

    def tagged(self, tag: str) -> tuple[str, bytes] | None:
        named = [m for m in self._index.manifests or [] if _named(m) in (tag, f":{tag}")]
        named += [m for m in self._index.manifests or [] if _named(m).endswith(f":{tag}")]
        return (named[0].digest, self.manifest(named[0].digest)) if named else None

    def manifest(self, digest: str) -> bytes:
        return self._blob(digest, _MOST_JSON)

    def blob(self, digest: str) -> bytes:
        return self._blob(digest, _MOST_BLOB)

    def referring(self, digest: str) -> list[Descriptor]:
        found = []
        for one in self._index.manifests or []:
            content: Manifest = parsed(self.manifest(one.digest), Manifest, self.name)
            if content.subject is not None and content.subject.digest == digest:
                found.append(one)
        return found

    def _blob(self, digest: str, most: int) -> bytes:
        if not _DIGEST.fullmatch(digest):
            raise ProbeError(self.name, f"{digest!r} is no digest", "build the layout again")
        path = self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        return held(self._read(path, most), digest, f"{digest[:19]} in {self.name}")

    def _read(self, path: Path, most: int) -> bytes:
        try:
            return read(path, most, "part of an OCI image layout", links=True)
        except NotThere as e:
            raise ProbeError(f"the images in {self.name}", e, "check the image's place") from None
        except GoliveError as e:
            raise ProbeError(f"the images in {self.name}", e, "build the layout again") from None


def _named(one: Descriptor) -> str:
    found = one.annotations or {}
    return found.get("io.containerd.image.name", "") or found.get(REF_NAME, "")


class _Registry:
    def __init__(self, env: Environment, http: Client, place: str) -> None:
        self.name = place
        host, _, repository = place.partition("/")
        if not repository or ("." not in host and ":" not in host and host != "localhost"):
            step = "write registry/repository, or the absolute path of an OCI image layout"
            raise ProbeError(f"the images in {place}", "it names no registry", step)
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        self._base = f"http{'' if local else 's'}://{host}/v2/{repository}"
        self._env, self._http = env, http
        self._token = ""

    def tagged(self, tag: str) -> tuple[str, bytes] | None:
        answer = self._ask(f"manifests/{tag}")
        if answer.status_code == 404:
            return None
        content = self._content(answer)
        return digest_of(content), content

    def manifest(self, digest: str) -> bytes:
        return held(self._content(self._ask(f"manifests/{digest}")), digest, self.name)

    def blob(self, digest: str) -> bytes:
        return held(self._content(self._ask(f"blobs/{digest}")), digest, self.name)

    def referring(self, digest: str) -> list[Descriptor]:
        found: list[Descriptor] = []
        answer = self._ask(f"referrers/{digest}")
        if answer.status_code == 200:
            found += parsed(answer.content, Manifest, self.name).manifests or []
        # Before there was that API, and as cosign does it: tags made of the digest.
        for ending in ("", ".sbom", ".att"):
            tagged = self.tagged(digest.replace(":", "-") + ending)
            if tagged is not None:
                inside: Manifest = parsed(tagged[1], Manifest, self.name)
                found += inside.manifests or [Descriptor(tagged[0])]
        return found

    def _content(self, answer: Any) -> bytes:
        if answer.status_code != 200:
            said = f"status {answer.status_code}"
            step = "check its name, and images.registry_user and registry_password"
            raise ProbeError(shown(answer.url), said, step)
        return bytes(answer.content)

    def _ask(self, path: str) -> Any:
        headers = {"Accept": ", ".join((*INDEXES, *MANIFESTS, "*/*"))}
        if self._token:
            headers["Authorization"] = self._token
        answer = self._http.get(f"{self._base}/{path}", headers)
        if answer.status_code == 401 and not self._token:
            self._token = self._log_in(answer.headers.get("WWW-Authenticate", ""))
            return self._ask(path)
        if answer.status_code in (301, 302, 303, 307, 308):
            # Blobs often lie in a store of their own, which the token is none of the business of.
            return self._http.get(answer.headers["Location"])
        return answer

    def _log_in(self, challenge: str) -> str:
        from base64 import b64encode

        images = self._env.images
        secret = images.registry_password.reveal() if images.registry_password else ""
        basic = b64encode(f"{images.registry_user}:{secret}".encode()).decode()
        own = {"Authorization": f"Basic {basic}"} if images.registry_user else {}
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer") or "realm" not in told:
            return own.get("Authorization", "Basic Og==")
        scope = f"repository:{self._base.partition('/v2/')[2]}:pull"
        query = f"?service={told.get('service', '')}&scope={told.get('scope', scope)}"
        said = self._http.json(told["realm"] + query, own)
        return f"Bearer {said.get('token') or said.get('access_token') or ''}"


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """One platform's image of a tag."""

    digest: str
    config_digest: str
    config: Config
    layers: tuple[Descriptor, ...]
    platform: str


def platforms(
    place: Place, digest: str, content: bytes
) -> tuple[list[PlatformImage], list[Descriptor]]:
    """The images that a tag names, and the attestations that BuildKit puts beside them."""
    top: Manifest = parsed(content, Manifest, f"{digest[:19]} in {place.name}")
    if top.manifests is None:
        return [_image(place, digest, top, "")], []
    found: list[PlatformImage] = []
    beside: list[Descriptor] = []
    for one in top.manifests:
        if ATTESTATION in (one.annotations or {}):
            beside.append(one)
            continue
        inner: Manifest = parsed(place.manifest(one.digest), Manifest, place.name)
        told = one.platform or {}
        found.append(_image(place, one.digest, inner, "/".join(map(str, told.values()))))
    return found, beside


def _image(place: Place, digest: str, manifest: Manifest, platform: str) -> PlatformImage:
    if manifest.config is None:
        raise ProbeError(f"{digest[:19]} in {place.name}", "it is no image", "check the tag")
    config = parsed(
        place.blob(manifest.config.digest), Config, f"the configuration of {place.name}"
    )
    layers = tuple(manifest.layers)
    return PlatformImage(digest, manifest.config.digest, config, layers, platform)
