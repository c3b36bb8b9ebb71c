"""What the product is deployed with: the files of a checkout by what they are for.

Nothing is asked of how a checkout is laid out. A file is told by its name and by what it holds,
never by its folder alone; the references between them that can be followed (a Dockerfile's COPY,
a Compose file's build, a kustomization's resources) have to lead to something.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golive import files
from golive.environments import Environment
from golive.probes.platform import syntax
from golive.probes.platform.yaml_documents import Document, Flaw, Place, read
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError

MANIFESTS = "Kubernetes manifests"
KUSTOMIZATIONS = "kustomizations"
CHARTS = "Helm charts"
TEMPLATES = "chart templates"
VALUES = "chart values"
COMPOSE = "Compose files"
DOCKERFILES = "Dockerfiles"
WORKFLOWS = "CI workflows"
TERRAFORM = "Terraform files"
ENVIRONMENTS = "environment files"
NGINX = "nginx configurations"
PROMETHEUS = "Prometheus configurations"
BLUEPRINTS = "Render blueprints"
KINDS = (
    *(MANIFESTS, KUSTOMIZATIONS, CHARTS, TEMPLATES, VALUES, COMPOSE, DOCKERFILES, WORKFLOWS),
    *(TERRAFORM, ENVIRONMENTS, NGINX, PROMETHEUS, BLUEPRINTS),
)
"""What a file may be for. Of other kinds are none of the files that are kept."""

_SKIPPED = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".terraform", ".tox"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".next", "site-packages", ".idea"}
)
"""Folders of what others wrote or a tool made."""
_MOST_FILES = 50_000
_MOST_BYTES = 2 * 2**20


@dataclass(frozen=True, slots=True)
class File:
    """One file of a checkout."""

    path: str
    """From the checkout's root, with slashes."""
    kind: str
    text: str = field(repr=False)
    documents: tuple[Document, ...] = field(default=(), repr=False)
    """Of one that is YAML; none of a chart's templates, which are not."""

    @property
    def folder(self) -> str:
        """Empty at the top."""
        return posixpath.dirname(self.path)

    def line_of(self, position: int) -> Place:
        """The line of a position in its text."""
        return Place(self.path, self.text.count("\n", 0, position) + 1)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The deploy artefacts of a checkout."""

    root: str
    files: tuple[File, ...]
    flaws: tuple[Flaw, ...]
    """What is wrong with them: not readable by what they are for, a key twice, a reference that
    leads nowhere."""

    def of(self, *kinds: str) -> tuple[File, ...]:
        """The files of these kinds."""
        return tuple(f for f in self.files if f.kind in kinds)

    def documents(self, *kinds: str) -> tuple[Document, ...]:
        """The YAML documents of the files of these kinds."""
        return tuple(d for f in self.of(*kinds) for d in f.documents)

    def digests(self, *kinds: str, below: str = "") -> dict[str, str]:
        """SHA-256 of the files of these kinds in a folder and all below it, by path."""
        inside = f"{below}/" if below else ""
        return {
            f.path: hashlib.sha256(f.text.encode()).hexdigest()
            for f in self.of(*kinds)
            if f.path.startswith(inside)
        }

    def flaws_of(self, *kinds: str) -> list[str]:
        """What is wrong with the files of these kinds."""
        paths = {f.path for f in self.of(*kinds)}
        return [str(flaw) for flaw in self.flaws if flaw.place.path in paths]

    def needed(self, *kinds: str) -> tuple[File, ...]:
        """The files of these kinds.

        :raises ProbeError: there is none.
        """
        found = self.of(*kinds)
        if not found:
            raise ProbeError(
                f"{' and '.join(kinds)} in {self.root}",
                f"the checkout has none among {len(self.files)} deploy artefacts",
                "check deploy.checkout in the environment file, or declare what the product"
                " does not have with `golive not-applicable`",
            )
        return found


@probe()
def checkout(env: Environment) -> Checkout:
    """The deploy artefacts in the product's checkout."""
    return look(Path(env.deploy.checkout))


def look(root: Path) -> Checkout:
    """The deploy artefacts below a folder.

    :raises ProbeError: it cannot be read, or holds none.
    """
    if not root.is_dir():
        raise ProbeError(
            f"the checkout {root}",
            "there is no such folder",
            "check deploy.checkout in the environment file",
        )
    names = _names(root)
    charts = {posixpath.dirname(n) for n in names if posixpath.basename(n) == "Chart.yaml"}
    found: list[File] = []
    flaws: list[Flaw] = []
    for name in names:
        if not _may_be_one(name, charts):
            continue
        try:
            text = files.read_text(root / name, _MOST_BYTES, "a deploy artefact", links=True)
        except GoliveError as e:
            if _by_name(name, charts):
                # One that cannot be read must not be taken for one that is not there.
                found.append(File(name, _by_name(name, charts), ""))
                flaws.append(Flaw(Place(name, 1), f"cannot be read: {str(e).partition(': ')[2]}"))
            continue
        file, wrong = _classified(name, text, charts)
        if file is not None:
            found.append(file)
            flaws += wrong
    if not found:
        raise ProbeError(
            f"the checkout {root}",
            f"none of its {len(names)} files is a deploy artefact",
            "check deploy.checkout in the environment file",
        )
    flaws += [f for one in found for f in _dangling(one, names)]
    flaws += _of_syntax(found)
    return Checkout(str(root), tuple(found), tuple(dict.fromkeys(flaws)))


def _names(root: Path) -> dict[str, bool]:
    """Every file below the root, in order; links that lead out of it are no part of it."""
    found: dict[str, bool] = {}
    inside = root.resolve()

    def refused(error: OSError) -> None:
        raise ProbeError(
            f"the checkout {root}",
            f"{error.filename} cannot be read: {error.strerror}",
            "give this user the right to read the checkout",
        )

    for folder, below, names in os.walk(root, onerror=refused):
        below[:] = sorted(b for b in below if b not in _SKIPPED)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                continue
            found[path.relative_to(root).as_posix()] = True
        if len(found) > _MOST_FILES:
            raise ProbeError(
                f"the checkout {root}",
                f"it holds more than {_MOST_FILES:,} files",
                "name the folder of one product in deploy.checkout",
            )
    return dict(sorted(found.items()))


# -- what a file is for ------------------------------------------------------------------------

_YAML = (".yaml", ".yml", ".json")
_NAMES = (
    (DOCKERFILES, r"(.*/)?(Dockerfile|Containerfile)(\.(?!dockerignore$)[\w.-]+)?"),
    (DOCKERFILES, r".*\.([Dd]ockerfile|[Cc]ontainerfile)"),
    (COMPOSE, r"(.*/)?(docker-)?compose([.-][\w.-]+)?\.ya?ml"),
    (WORKFLOWS, r"(.*/)?\.(github|gitea|forgejo)/workflows/[^/]+\.ya?ml"),
    (WORKFLOWS, r"(.*/)?(\.gitlab-ci|\.?azure-pipelines|bitbucket-pipelines|\.drone)\.ya?ml"),
    (WORKFLOWS, r"(.*/)?\.circleci/config\.ya?ml"),
    (TERRAFORM, r".*\.(tf|tf\.json|tofu|tfvars|tfvars\.json)"),
    (ENVIRONMENTS, r"(.*/)?\.env(\.[\w.-]+)?"),
    (ENVIRONMENTS, r".*\.env"),
    (NGINX, r"(.*/)?nginx[\w.-]*\.conf(\.template)?"),
    (NGINX, r"(.*/)?nginx/(.*/)?[\w.-]+\.conf(\.template)?"),
    (BLUEPRINTS, r"(.*/)?render([.-][\w-]+)?\.ya?ml"),
    (KUSTOMIZATIONS, r"(.*/)?(kustomization\.ya?ml|Kustomization)"),
)
_BY_NAME = tuple((kind, re.compile(pattern)) for kind, pattern in _NAMES)


def _chart_of(name: str, charts: set[str]) -> str | None:
    """The folder of the chart that a file is part of."""
    folder = posixpath.dirname(name)
    while True:
        if folder in charts:
            return folder
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _by_name(name: str, charts: set[str]) -> str:
    """What a file is for, as far as its name tells; else empty."""
    chart = _chart_of(name, charts)
    if chart is not None:
        inner = posixpath.relpath(name, chart or ".")
        if inner == "Chart.yaml":
            return CHARTS
        if inner.startswith("templates/"):
            return TEMPLATES
        if inner.startswith("crds/"):
            return MANIFESTS if inner.endswith(_YAML) else ""
        if inner.endswith((".yaml", ".yml")):
            return VALUES
        return ""
    return next((kind for kind, pattern in _BY_NAME if pattern.fullmatch(name)), "")


def _may_be_one(name: str, charts: set[str]) -> bool:
    return bool(_by_name(name, charts)) or name.endswith(_YAML)


def _classified(name: str, text: str, charts: set[str]) -> tuple[File | None, tuple[Flaw, ...]]:
    kind = _by_name(name, charts)
    is_yaml = name.endswith(_YAML) or kind == KUSTOMIZATIONS
    if kind in (TEMPLATES, TERRAFORM) or not is_yaml:
        return (File(name, kind, text) if kind else None), ()
    if not kind and name.endswith(".json") and '"apiVersion"' not in text:
        return None, ()
    documents, flaws = read(name, text)
    kind = kind or _by_content(documents)
    if not kind and flaws and re.search(r"^apiVersion:\s", text, re.MULTILINE):
        kind = MANIFESTS  # a broken one is one
    return (File(name, kind, text, documents) if kind else None), flaws


def _by_content(documents: Iterable[Document]) -> str:
    tables = [d.value for d in documents if isinstance(d.value, dict)]
    if any(is_manifest(t) for t in tables):
        is_kustomization = all(
            str(t.get("apiVersion", "")).startswith("kustomize.config.k8s.io") for t in tables
        )
        return KUSTOMIZATIONS if is_kustomization else MANIFESTS
    for table in tables:
        if "scrape_configs" in table or _has_rules(table):
            return PROMETHEUS
        services = table.get("services")
        if isinstance(services, dict) and any(
            isinstance(s, dict) and ("image" in s or "build" in s) for s in services.values()
        ):
            return COMPOSE
    return ""


def is_manifest(value: Any) -> bool:
    """Whether a document is an object of Kubernetes."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("apiVersion"), str)
        and isinstance(value.get("kind"), str)
    )


def _has_rules(table: dict[str, Any]) -> bool:
    groups = table.get("groups")
    return isinstance(groups, list) and any(isinstance(g, dict) and "rules" in g for g in groups)


def _of_syntax(found: Sequence[File]) -> Iterator[Flaw]:
    """Of files that are no YAML, and of services that no file defines."""
    composed = [d for f in found if f.kind == COMPOSE for d in f.documents]
    services = {n for d in composed for n in syntax.services_of_compose(d)}
    for document in (d for f in found for d in f.documents if is_manifest(d.value)):
        if document.value["kind"] == "Service":
            services.add(str(_table(document.value.get("metadata")).get("name")))
    upstreams = {n for f in found if f.kind == NGINX for n in syntax.upstreams_of(f.text)}
    for file in found:
        if file.kind == NGINX and not file.path.endswith(".template"):
            yield from syntax.flaws_of_nginx(file.path, file.text)
        if file.kind == NGINX:
            yield from syntax.flaws_of_proxies(file.path, file.text, services, upstreams)
        elif file.kind == TERRAFORM and file.text:
            yield from syntax.flaws_of_terraform(file.path, file.text)
        elif file.kind == COMPOSE:
            for document in file.documents:
                yield from syntax.flaws_of_compose(document, composed)


# -- references that can be followed -----------------------------------------------------------


def _dangling(file: File, names: dict[str, bool]) -> Iterator[Flaw]:
    """References of a file to others that are not there."""
    follow = _FOLLOWED.get(file.kind)
    if follow is None:
        return
    folders = {""}
    for name in names:
        while name := posixpath.dirname(name):
            folders.add(name)

    def is_there(base: str, reference: str) -> bool:
        path = posixpath.normpath(posixpath.join(base, reference))
        if path == "." or path.startswith("../"):  # the latter beyond the checkout
            return True
        if any(c in path for c in "*?["):
            return any(fnmatch.fnmatch(n, path) for n in (*names, *folders))
        return path in names or path in folders

    for place, bases, reference in follow(file):
        if not _is_outside(reference) and not any(is_there(b, reference) for b in bases):
            yield Flaw(place, f"names {reference}, which is not in the checkout")


def _is_outside(reference: str) -> bool:
    """Whether it is none of the checkout's files: an address, a variable, an absolute path."""
    return (
        not reference
        or reference.startswith(("/", "~", "git@", "-"))
        or any(mark in reference for mark in ("://", "$", "{{", "<<"))
    )


_References = Iterator[tuple[Place, tuple[str, ...], str]]
"""Where it stands, the folders that it may start from, and what it names."""


def _from_dockerfile(file: File) -> _References:
    """What COPY and ADD take from the context: the top, the file's own folder or the one above."""
    contexts = ("", file.folder, posixpath.dirname(file.folder))
    joined = re.sub(r"\\[ \t]*\n", lambda m: " " * len(m[0]), file.text)
    for match in re.finditer(r"^\s*(?:COPY|ADD)\s+(.+)$", joined, re.MULTILINE | re.IGNORECASE):
        words = match[1].strip()
        if "--from=" in words or words.startswith("<<"):
            continue
        flags = re.match(r"(?:--\S+\s+)*", words)
        words = words[flags.end() :] if flags else words
        if words.startswith("["):
            sources = re.findall(r'"([^"]*)"', words)[:-1]
        else:
            sources = words.split()[:-1]
        for source in sources:
            yield file.line_of(match.start(1)), contexts, source.lstrip("/") or "."


def _from_compose(file: File) -> _References:
    for document in file.documents:
        services = _table(_table(document.value).get("services"))
        for name, service in services.items():
            service = _table(service)
            build = service.get("build")
            at = ("services", name, "build")
            if isinstance(build, str):
                yield document.place(*at), (file.folder,), build
            elif isinstance(build, dict):
                context = str(build.get("context", "."))
                yield document.place(*at, "context"), (file.folder,), context
                if "dockerfile" in build and not _is_outside(context):
                    base = posixpath.join(file.folder, context)
                    yield document.place(*at, "dockerfile"), (base,), str(build["dockerfile"])
            named = service.get("env_file", [])
            for entry in named if isinstance(named, list) else [named]:
                optional = isinstance(entry, dict) and entry.get("required") is False
                path = entry.get("path", "") if isinstance(entry, dict) else entry
                if not optional:
                    yield document.place("services", name, "env_file"), (file.folder,), str(path)


def _from_kustomization(file: File) -> _References:
    for document in file.documents:
        table = _table(document.value)
        for key in ("resources", "bases", "components", "patchesStrategicMerge", "crds"):
            for n, one in enumerate(_list(table.get(key))):
                if isinstance(one, str) and "\n" not in one and "?ref=" not in one:
                    if re.match(r"[\w.-]+\.\w+/[\w.-]+/", one):
                        continue  # a repository without a scheme
                    yield document.place(key, n), (file.folder,), one
        for key in ("patches", "patchesJson6902"):
            for n, one in enumerate(_list(table.get(key))):
                if isinstance(one, dict) and isinstance(one.get("path"), str):
                    yield document.place(key, n), (file.folder,), one["path"]


def _from_workflow(file: File) -> _References:
    for match in re.finditer(r"^\s*-?\s*uses:\s*['\"]?(\./[^\s'\"#]+)", file.text, re.MULTILINE):
        yield file.line_of(match.start(1)), ("",), match[1]


def _from_blueprint(file: File) -> _References:
    for document in file.documents:
        for n, service in enumerate(_list(_table(document.value).get("services"))):
            table = _table(service)
            base = str(table.get("rootDir", ""))
            for key in ("dockerfilePath", "dockerContext", "rootDir"):
                if isinstance(table.get(key), str):
                    where = document.place("services", n, key)
                    yield where, ("" if key == "rootDir" else base,), table[key]


def _from_prometheus(file: File) -> _References:
    for document in file.documents:
        for n, one in enumerate(_list(_table(document.value).get("rule_files"))):
            yield document.place("rule_files", n), (file.folder,), str(one)


def _from_terraform(file: File) -> _References:
    """Modules beside it."""
    for match in re.finditer(r"^\s*source\s*=\s*\"(\.{1,2}/[^\"]*)\"", file.text, re.MULTILINE):
        yield file.line_of(match.start(1)), (file.folder,), match[1].partition("?")[0]


_FOLLOWED = {
    DOCKERFILES: _from_dockerfile,
    COMPOSE: _from_compose,
    KUSTOMIZATIONS: _from_kustomization,
    WORKFLOWS: _from_workflow,
    BLUEPRINTS: _from_blueprint,
    PROMETHEUS: _from_prometheus,
    TERRAFORM: _from_terraform,
}


def _table(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
