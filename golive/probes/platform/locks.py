"""Lock files: which packages, of which version, and whether their hashes are there."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golive.files import read_text
from golive.verdicts import GoliveError, ProbeError

PYPI, NPM = "PyPI", "npm"
_MOST_BYTES = 64 * 2**20
_STEP = "check dependencies.locks in the environment file"


@dataclass(frozen=True, slots=True)
class Package:
    """A package that a lock file names."""

    name: str
    version: str
    """Empty where no single version is named."""
    is_hashed: bool
    marker: str = ""
    """Of PyPI: the condition under which it is installed."""
    is_optional: bool = False
    """Whether a production installation may do without it: of development, of another platform."""

    def __str__(self) -> str:
        return f"{self.name} {self.version or '(not pinned)'}"

    @property
    def is_conditional(self) -> bool:
        """Whether an installation may do without it."""
        return self.is_optional or bool(self.marker)


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file as it was read."""

    path: Path
    ecosystem: str
    packages: tuple[Package, ...]


def read(path: Path) -> LockFile:
    """A lock file of one of the formats that :class:`Lock` names.

    :raises ProbeError: it cannot be read, or is of none of them.
    """
    known = _kind(path.name)
    if known is None:
        raise ProbeError(f"the lock file {path}", "its name is that of no known format", _STEP)
    ecosystem, reader = known
    try:
        text = read_text(path, _MOST_BYTES, "a lock file", links=True)
        packages = tuple(reader(text, path))
    except GoliveError as e:
        raise ProbeError(f"the lock file {path}", e, _STEP) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        cause = f"it is no {path.name} that can be read: {type(e).__name__} {e}"
        raise ProbeError(f"the lock file {path}", cause, _STEP) from None
    return LockFile(path, ecosystem, packages)


def normal(name: str, ecosystem: str) -> str:
    """A package's name as its registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == PYPI else name


_Reader = Callable[[str, Path], Iterable[Package]]


def _kind(name: str) -> tuple[str, _Reader] | None:
    exact: dict[str, tuple[str, _Reader]] = {
        "poetry.lock": (PYPI, _of_toml),
        "pdm.lock": (PYPI, _of_toml),
        "uv.lock": (PYPI, _of_toml),
        "Pipfile.lock": (PYPI, _of_pipfile),
        "package-lock.json": (NPM, _of_npm),
        "npm-shrinkwrap.json": (NPM, _of_npm),
        "yarn.lock": (NPM, _of_yarn),
        "pnpm-lock.yaml": (NPM, _of_pnpm),
    }
    if name in exact:
        return exact[name]
    if re.fullmatch(r"pylock(\.[\w-]+)?\.toml", name):
        return PYPI, _of_toml
    if name.endswith((".txt", ".lock", ".in")):  # requirements go by many names
        return PYPI, _of_requirements
    return None


# -- PyPI ------------------------------------------------------------------------------------------

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*===?\s*(?P<version>[^\s;,*]+)$"
)
_DIRECT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*@\s*(?P<url>\S+)$")


def _of_requirements(text: str, path: Path, above: tuple[Path, ...] = ()) -> Iterator[Package]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for raw in joined.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        include = re.match(r"(?:-r|--requirement)[ =]\s*(\S+)", line)
        if include:
            other = path.parent / include[1]
            if other not in (*above, path):
                more = read_text(other, _MOST_BYTES, "a lock file", links=True)
                yield from _of_requirements(more, other, (*above, path))
            continue
        if line.startswith("-") and not re.match(r"-e\b|--editable\b", line):
            continue  # an option of the whole file
        requirement, *hashes = re.split(r"\s--hash[= ]", line)
        requirement, _, marker = requirement.partition(";")
        requirement = re.sub(r"\s--[\w-]+=\S+", "", requirement).strip()
        pinned = _PINNED.fullmatch(requirement)
        direct = _DIRECT.fullmatch(requirement)
        if pinned:
            yield Package(pinned["name"], pinned["version"], bool(hashes), marker.strip())
        elif direct:
            # An address is pinned where its content is: by a digest or a commit.
            is_hashed = bool(hashes) or bool(re.search(r"#sha256=|@[0-9a-f]{40}\b", direct["url"]))
            version = "at a fixed address" if is_hashed else ""
            yield Package(direct["name"], version, is_hashed, marker.strip())
        else:
            name = re.split(r"[\s<>=!~\[]", requirement, maxsplit=1)[0] or requirement
            yield Package(name, "", bool(hashes), marker.strip())


def _of_toml(text: str, path: Path) -> Iterator[Package]:
    document: dict[str, Any] = tomllib.loads(text)
    old_hashes = document.get("metadata", {}).get("files", {})  # of Poetry before 1.5
    for entry in document.get("package", document.get("packages", [])):
        source = entry.get("source", {})
        if isinstance(source, dict) and {"editable", "virtual", "directory"} & set(source):
            continue  # the product itself
        artefacts = [*entry.get("files", []), *entry.get("wheels", [])]
        artefacts += [a for a in (entry.get("sdist"), entry.get("archive")) if a]
        artefacts += old_hashes.get(entry["name"], [])
        is_git = isinstance(source, dict) and source.get("type", source.get("git")) is not None
        hashed = any("hash" in a or "hashes" in a for a in artefacts) or is_git
        groups = entry.get("groups", ["main"])
        # What of uv.lock is of development or of another platform does not stand at the package.
        extra = path.name == "uv.lock" or entry.get("optional", False)
        dev = entry.get("category", "main") == "dev" or not {"main", "default"} & set(groups)
        marker = entry.get("markers", entry.get("marker", ""))
        yield Package(
            str(entry["name"]),
            str(entry.get("version", "")),
            hashed,
            marker if isinstance(marker, str) else "",
            bool(extra or dev or (marker and not isinstance(marker, str))),
        )


def _of_pipfile(text: str, _: Path) -> Iterator[Package]:
    document = json.loads(text)
    for group in ("default", "develop"):
        for name, entry in document.get(group, {}).items():
            version = str(entry.get("version", ""))
            pinned = version.removeprefix("==") if version.startswith("==") else ""
            hashed = bool(entry.get("hashes"))
            yield Package(name, pinned, hashed, str(entry.get("markers", "")), group == "develop")


# -- npm -------------------------------------------------------------------------------------------


def _of_npm(text: str, _: Path) -> Iterator[Package]:
    document = json.loads(text)
    if "packages" not in document:  # lockfileVersion 1
        yield from _of_npm_1(document.get("dependencies", {}))
        return
    for place, entry in document["packages"].items():
        if "node_modules/" not in place or entry.get("link"):
            continue  # the product itself, and its workspaces
        name = str(entry.get("name") or place.rpartition("node_modules/")[2])
        optional = any(entry.get(key) for key in ("dev", "optional", "devOptional", "peer"))
        is_bundled = bool(entry.get("inBundle"))  # whose bundle's hash holds for it
        version = str(entry.get("version", ""))
        yield Package(name, version, bool(entry.get("integrity")) or is_bundled, "", optional)


def _of_npm_1(dependencies: dict[str, Any]) -> Iterator[Package]:
    for name, entry in dependencies.items():
        optional = bool(entry.get("dev") or entry.get("optional"))
        hashed = bool(entry.get("integrity") or entry.get("bundled"))
        yield Package(name, str(entry.get("version", "")), hashed, "", optional)
        yield from _of_npm_1(entry.get("dependencies", {}))


def _of_yarn(text: str, path: Path) -> Iterator[Package]:
    if "__metadata:" in text:
        raise ValueError(f"{path.name} is of Yarn 2 or later, which this cannot read")
    for block in re.split(r"\n(?=\S)", text):
        head, _, body = block.partition("\n")
        version = re.search(r'^\s+version "?([^"\s]+)"?', body, re.MULTILINE)
        if head.startswith("#") or version is None:
            continue
        name = head.split(",")[0].strip().strip('":')
        name = name.rpartition("@npm:")[2] if "@npm:" in name else name
        hashed = re.search(r"^\s+integrity \S|resolved .*#[0-9a-f]{40}", body, re.MULTILINE)
        at = name.rpartition("@")[0] or name
        yield Package(at, version[1], bool(hashed), "", is_optional=True)


def _of_pnpm(text: str, _: Path) -> Iterator[Package]:
    import yaml

    document = yaml.safe_load(text)
    for key, entry in (document.get("packages") or {}).items():
        plain = re.sub(r"\(.*", "", str(key).lstrip("/"))
        # Before version 6 it is /name/version.
        separator = "@" if "@" in plain[1:] else "/"
        name, separator, version = plain.rpartition(separator)
        hashed = bool((entry.get("resolution") or {}).get("integrity"))
        optional = bool(entry.get("dev") or entry.get("optional"))
        yield Package(name, version.split("_")[0], hashed, "", optional)
