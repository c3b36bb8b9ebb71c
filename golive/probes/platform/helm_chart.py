"""The chart: lint, what it renders to for each environment, and what an upgrade would change."""

from __future__ import annotations

import fnmatch
import io
import posixpath
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from golive.environments import Environment
from golive.probes.platform.checkout import CHARTS, MANIFESTS, TEMPLATES, VALUES, Checkout
from golive.probes.platform.helm import (
    HelmRefused,
    environments_of,
    render_files,
    run,
    the_chart,
    there_is_one,
)
from golive.probes.platform.manifests import (
    Bundle,
    Manifests,
    Object,
    dig,
    own_environment,
    rendered,
    table,
)
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

_IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "PriorityClass": ("value",),
    "Secret": ("type",),
    "IngressClass": ("spec.controller",),
}
"""Fields that the API server lets nobody change (Kubernetes API reference)."""


@dataclass(frozen=True, slots=True)
class HelmChart:
    """The product's chart."""

    folder: str
    app_version: str
    environments: tuple[str, ...]
    lint_errors: tuple[str, ...] | Unseen
    """By values file and as a whole."""
    broken: tuple[str, ...] | Unseen
    """Environments whose rendering fails, with helm's word."""
    differences: tuple[str, ...] | Unseen
    """Where renderings differ from this environment's beyond what is declared."""
    compared: int
    optional: tuple[str, ...] | Unseen
    """Required values without which a rendering succeeds all the same."""
    required: int
    previous_version: str | Unseen
    """The ``appVersion`` of the chart that is upgraded from."""
    frozen_changes: tuple[str, ...] | Unseen
    """What an upgrade from the previous release, or the way back, would have to change and may
    not."""
    upgraded: int | Unseen
    """Objects of the previous release."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of its files, by path in the checkout."""


@probe()
def helm_chart(env: Environment, checkout: Checkout, manifests: Manifests) -> HelmChart:
    """helm lint and helm template for every environment, with values left out, and of the
    release before."""
    there_is_one(env)
    folder = the_chart(env, checkout)
    values = environments_of(env, checkout, folder)
    about = next(f for f in checkout.of(CHARTS) if f.folder == folder)
    app_version = str(dig(about.documents[0].value, "appVersion")) if about.documents else ""
    own = own_environment(env, values)
    broken = seen(_broken, manifests)
    before = seen(_before, env, folder, values, own)
    required = env.kubernetes.required_values
    return HelmChart(
        folder=folder,
        app_version=app_version,
        environments=tuple(values),
        lint_errors=seen(_lint, env, checkout, folder, values),
        broken=broken,
        differences=seen(_differences, env, manifests, own),
        compared=sum(isinstance(b, Bundle) for b in manifests.rendered.values()) - 1,
        optional=seen(_optional, env, checkout, folder, values, own),
        required=len(required),
        previous_version=before if isinstance(before, Unseen) else before.app_version,
        frozen_changes=(
            before
            if isinstance(before, Unseen)
            else seen(_frozen, before.bundle, manifests.rendered.get(own))
        ),
        upgraded=before if isinstance(before, Unseen) else len(before.bundle.objects),
        digests=checkout.digests(CHARTS, TEMPLATES, VALUES, MANIFESTS, below=folder),
    )


def _lint(
    env: Environment, checkout: Checkout, folder: str, values: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    errors: list[str] = []
    for name, given in values.items():
        words = [w for v in given for w in ("--values", str(Path(checkout.root, v)))]
        chart = str(Path(checkout.root, folder))
        version = ["--kube-version", env.kubernetes.version]
        try:
            run(env, "lint", "--quiet", *version, chart, *words)
        except HelmRefused as e:
            errors.append(f"{name}: {e.reason}")
    return tuple(dict.fromkeys(errors))


def _broken(manifests: Manifests) -> tuple[str, ...]:
    found = []
    for name, rendering in manifests.rendered.items():
        if isinstance(rendering, Unseen):
            if not isinstance(rendering.error, HelmRefused):
                raise rendering.error
            found.append(f"{name}: {rendering.error.reason}")
    return tuple(found)


# -- what environments differ in ---------------------------------------------------------------


def _differences(env: Environment, manifests: Manifests, own: str) -> tuple[str, ...]:
    mine = manifests.rendered.get(own)
    if not isinstance(mine, Bundle):
        raise _no_own(manifests, own)
    allowed = [re.sub(r"\[(\*|\d+)\]", r".\1", one) for one in env.kubernetes.differs]
    found = []
    for name, other in manifests.rendered.items():
        if name == own or not isinstance(other, Bundle):
            continue
        for subject, where in _unlike(mine, other):
            told = f"{subject}: {where}" if where else subject
            if not any(fnmatch.fnmatchcase(told, a) for a in allowed):
                found.append(f"{told} ({own} and {name})")
    return tuple(dict.fromkeys(found))


def _no_own(manifests: Manifests, own: str) -> ProbeError:
    rendering = manifests.rendered.get(own)
    if isinstance(rendering, Unseen):
        return rendering.error
    return ProbeError(
        "the chart's rendering for this environment",
        f"none of {', '.join(manifests.rendered)} is said to be this one",
        "name it in kubernetes.environment",
    )


def _unlike(one: Bundle, other: Bundle) -> Iterator[tuple[str, str]]:
    ours = {(o.kind, o.name): o for o in one.objects}
    theirs = {(o.kind, o.name): o for o in other.objects}
    for key in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(key), theirs.get(key)
        if a is None or b is None:
            yield "/".join(key), ""
            continue
        for where in _paths(_without_namespace(a), _without_namespace(b), ""):
            yield "/".join(key), where


def _without_namespace(one: Object) -> dict[str, Any]:
    metadata = {k: v for k, v in table(one.value, "metadata").items() if k != "namespace"}
    return {**one.value, "metadata": metadata}


def _paths(a: Any, b: Any, where: str) -> Iterator[str]:
    """Where two values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*map(str, a), *map(str, b)}):
            yield from _paths(a.get(key), b.get(key), f"{where}.{key}" if where else key)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for n, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _paths(x, y, f"{where}.{n}")
    elif a != b:
        yield where


# -- what has to be said -----------------------------------------------------------------------


def _optional(
    env: Environment,
    checkout: Checkout,
    folder: str,
    values: Mapping[str, Sequence[str]],
    own: str,
) -> tuple[str, ...]:
    if not env.kubernetes.required_values:
        raise ProbeError(
            "required values of the chart",
            "none is declared",
            "name in kubernetes.required_values what each environment has to say for itself",
        )
    if own not in values:
        raise ProbeError("this environment's values", "none are told", "see kubernetes.environment")
    chart, found = Path(checkout.root, folder), []
    with tempfile.TemporaryDirectory() as scratch:
        for key in env.kubernetes.required_values:
            files = []
            for n, name in enumerate(values[own]):
                given = yaml.safe_load(Path(checkout.root, name).read_text("utf-8")) or {}
                file = Path(scratch, f"{n}.yaml")
                file.write_text(yaml.safe_dump(_without(given, key.split("."))), "utf-8")
                files.append(file)
            try:
                render_files(env, chart, files)
            except HelmRefused:
                continue
            found.append(key)
    return tuple(found)


def _without(values: Any, keys: Sequence[str]) -> Any:
    if not isinstance(values, dict):
        return values
    first, *rest = keys
    if not rest:
        return {k: v for k, v in values.items() if k != first}
    return {k: _without(v, rest) if k == first else v for k, v in values.items()}


# -- the release before ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Before:
    app_version: str
    bundle: Bundle = field(repr=False)


def _before(
    env: Environment, folder: str, values: Mapping[str, Sequence[str]], own: str
) -> _Before:
    """The chart as it was at the previous release, rendered with its own values."""
    if own not in values:
        raise ProbeError("this environment's values", "none are told", "see kubernetes.environment")
    tag = env.release.previous_tag
    with _at_tag(env, tag, [folder, *values[own]]) as root:
        about = root / folder / "Chart.yaml"
        if not about.is_file():
            raise ProbeError(
                f"the chart {folder} at {tag}",
                "it has no Chart.yaml",
                "check release.previous_tag: a first release by Helm upgrades from nothing",
            )
        version = str(dig(yaml.safe_load(about.read_text("utf-8")), "appVersion"))
        files = [root / v for v in values[own] if (root / v).is_file()]
        rendering = render_files(env, root / folder, files)
        return _Before(version, rendered(rendering, folder, tag, env.kubernetes.namespace))


@contextmanager
def _at_tag(env: Environment, tag: str, paths: Sequence[str]) -> Iterator[Path]:
    """Some of the release repository's files as they are at a tag."""
    # Values of a file that was not there at that tag are left out by the pathspec.
    tops = sorted({posixpath.dirname(p) or p for p in paths[1:]} | {paths[0]})
    command = ["git", "-C", env.release.repository, "archive", "--format=tar", f"{tag}^{{commit}}"]
    done = subprocess.run(
        [*command, "--", *tops],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=env.time_limits.probe,
        check=False,
    )
    if done.returncode != 0:
        raise ProbeError(
            f"{', '.join(tops)} at {tag} in {env.release.repository}",
            done.stderr.decode(errors="replace").strip() or "git archive failed",
            "check release.previous_tag, and fetch the repository's tags",
        )
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(scratch, filter="data")
        yield Path(scratch)


def _frozen(before: Bundle, now: object) -> tuple[str, ...]:
    if not isinstance(now, Bundle):
        error = now.error if isinstance(now, Unseen) else None
        raise error or ProbeError("this release's rendering", "there is none", "see helm template")
    known = {(o.kind, o.name): o for o in before.objects}
    found = []
    for one in now.objects:
        old = known.get((one.kind, one.name))
        # What Helm runs as a hook it deletes and makes again.
        if old is None or "helm.sh/hook" in one.annotations:
            continue
        for field_ in _IMMUTABLE.get(one.kind, ()):
            was, is_ = dig(old.value, *field_.split(".")), dig(one.value, *field_.split("."))
            if was is not None and is_ is not None and was != is_:
                found.append(one.told(f"changes {field_}, which nobody may", *field_.split(".")))
        if old.value.get("immutable") is True and old.value.get("data") != one.value.get("data"):
            found.append(one.told("changes data of what is immutable", "data"))
    return tuple(found)
