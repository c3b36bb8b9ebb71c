"""Objects of Kubernetes as they would be applied, in the bundles that belong together.

A bundle is what is applied at once: the plain manifests of one environment, a kustomization, or
the chart rendered with one environment's values. References are resolved within a bundle, since
another environment's Service helps nobody.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golive.environments import Environment
from golive.probes.platform.checkout import (
    CHARTS,
    KUSTOMIZATIONS,
    MANIFESTS,
    Checkout,
    File,
    is_manifest,
)
from golive.probes.platform.helm import (
    HelmRefused,
    Rendering,
    environments_of,
    render,
    the_chart,
    there_is_one,
)
from golive.probes.platform.yaml_documents import Document, Place, read
from golive.probes.transport import commands
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

_ELSEWHERE = frozenset(
    {"kustomize.config.k8s.io", "kind.x-k8s.io", "backstage.io", "skaffold", "k3d.io", "eksctl.io"}
    | {"kubeadm.k8s.io", "audit.k8s.io", "kubelet.config.k8s.io", "apiserver.config.k8s.io"}
    | {"client.authentication.k8s.io", "config.kubernetes.io", "devspace.sh", "garden.io"}
)
"""Groups of files that look like manifests and are read by tools, not by a cluster."""
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Rollout": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
_CLUSTER_WIDE = frozenset(
    {"Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass"}
    | {"PersistentVolume", "CustomResourceDefinition", "IngressClass", "ClusterIssuer"}
    | {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ClusterSecretStore"}
)


def dig(value: Any, *keys: str | int) -> Any:
    """What lies at the end of a way through tables and lists; None where it ends before."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def table(value: Any, *keys: str | int) -> dict[str, Any]:
    """As :func:`dig`, a table; an empty one where there is none."""
    found = dig(value, *keys)
    return found if isinstance(found, dict) else {}


def rows(value: Any, *keys: str | int) -> list[dict[str, Any]]:
    """As :func:`dig`, the tables of a list."""
    found = dig(value, *keys)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Object:
    """One object as it would be applied."""

    document: Document = field(repr=False)
    value: dict[str, Any] = field(repr=False)
    namespace: str
    """Where it belongs: its own, or the bundle's; empty for what is in none."""
    inner: tuple[str | int, ...] = ()
    """Where it stands in its document, as one of a List."""

    @property
    def kind(self) -> str:
        return str(self.value.get("kind"))

    @property
    def api_version(self) -> str:
        return str(self.value.get("apiVersion"))

    @property
    def group(self) -> str:
        """Empty for the core API."""
        return self.api_version.rpartition("/")[0]

    @property
    def name(self) -> str:
        metadata = table(self.value, "metadata")
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What there may be one of."""
        return self.group, self.kind, self.namespace, self.name

    @property
    def labels(self) -> dict[str, str]:
        return _texts(table(self.value, "metadata", "labels"))

    @property
    def annotations(self) -> dict[str, str]:
        return _texts(table(self.value, "metadata", "annotations"))

    @property
    def spec(self) -> dict[str, Any]:
        return table(self.value, "spec")

    def place(self, *where: str | int) -> Place:
        return self.document.place(*self.inner, *where)

    def told(self, what: str, *where: str | int) -> str:
        """Something about it, with where it stands."""
        return f"{self} {what} ({self.place(*where)})"

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Workload:
    """An object that makes pods, and what they are made from."""

    object: Object
    template: dict[str, Any] = field(repr=False)
    where: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.object.name

    @property
    def namespace(self) -> str:
        return self.object.namespace

    @property
    def labels(self) -> dict[str, str]:
        """Of its pods."""
        return _texts(table(self.template, "metadata", "labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """Of its pods."""
        return _texts(table(self.template, "metadata", "annotations"))

    @property
    def pod(self) -> dict[str, Any]:
        return table(self.template, "spec")

    @property
    def runs_once(self) -> bool:
        """Whether its pods end by themselves."""
        return self.object.kind in ("Job", "CronJob")

    @property
    def containers(self) -> tuple[Container, ...]:
        """Those that run beside one another, and those that run before them."""
        return tuple(
            Container(self, one, (*self.where, "spec", key, n), key == "initContainers")
            for key in ("containers", "initContainers")
            for n, one in enumerate(dig(self.pod, key) or [])
            if isinstance(one, dict)
        )

    def is_called(self, name: str) -> bool:
        """Whether it goes by that name: its own, with its release's before it, or a label's."""
        labels = {**self.object.labels, **self.labels}
        known = {labels.get(f"app.kubernetes.io/{k}") for k in ("name", "component")}
        own = self.name
        return name in (own, labels.get("app"), *known) or own.endswith(f"-{name}")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a workload's pods."""

    workload: Workload = field(repr=False)
    value: dict[str, Any] = field(repr=False)
    where: tuple[str | int, ...] = field(repr=False)
    is_first: bool
    """Whether it is an init container that ends before the others begin."""

    @property
    def name(self) -> str:
        return str(self.value.get("name"))

    @property
    def ends(self) -> bool:
        """Whether it is meant to end, so that nothing asks after its health."""
        sidecar = self.value.get("restartPolicy") == "Always"
        return self.workload.runs_once or (self.is_first and not sidecar)

    @property
    def ports(self) -> list[dict[str, Any]]:
        return rows(self.value, "ports")

    def setting(self, name: str) -> Any:
        """Of its security context, or else of its pod's."""
        own = table(self.value, "securityContext").get(name)
        return table(self.workload.pod, "securityContext").get(name) if own is None else own

    def told(self, what: str, *where: str | int) -> str:
        """Something about it, with where it stands."""
        place = self.workload.object.place(*self.where, *where)
        return f"{self.workload.object} container {self.name} {what} ({place})"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is applied together."""

    name: str
    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> tuple[Object, ...]:
        return tuple(o for o in self.objects if o.kind in kinds)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        found = []
        for one in self.objects:
            where = _TEMPLATES.get(one.kind)
            if where is not None and (one.kind != "Pod" or one.group == ""):
                found.append(Workload(one, table(one.value, *where), where))
        return tuple(found)

    def within(self, namespaces: Sequence[str]) -> Bundle:
        """What of it is in these namespaces, or in none; all of it where none is named."""
        if not namespaces:
            return self
        kept = (o for o in self.objects if not o.namespace or o.namespace in namespaces)
        return Bundle(self.name, tuple(kept))


@dataclass(frozen=True, slots=True)
class Manifests:
    """All that a checkout would apply."""

    plain: tuple[Bundle, ...]
    rendered: Mapping[str, Bundle | Unseen]
    """The chart with each environment's values, by the environment's name."""
    flaws: tuple[str, ...]
    """What is wrong with the checkout's deploy artefacts themselves, of whatever kind."""
    files: int
    """Its deploy artefacts."""
    own: str
    """The environment whose values are this one's."""
    unseen: Unseen | None
    """Why a chart or a kustomization could not be rendered, or why there are no manifests."""
    namespaces: tuple[str, ...] = ()

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Every one that could be seen."""
        seen_ones = (b for b in self.rendered.values() if isinstance(b, Bundle))
        return (*self.plain, *seen_ones)

    @property
    def here(self) -> tuple[Bundle, ...]:
        """Those of this environment, in its namespaces."""
        rendered = self.rendered.get(self.own)
        found = (*self.plain, rendered) if isinstance(rendered, Bundle) else self.plain
        return tuple(b for b in (f.within(self.namespaces) for f in found) if b.workloads)

    def must_be_there(self) -> None:
        """:raises ProbeError: nothing could be seen, for a reason that is known."""
        if self.unseen is not None and not self.bundles:
            raise self.unseen.error

    @property
    def not_rendered(self) -> list[str] | Unseen:
        """What could not be rendered though it should; unseen where nobody could try."""
        if self.unseen is not None:
            return self.unseen
        return []


@probe()
def manifests(env: Environment, checkout: Checkout) -> Manifests:
    """Every object that the checkout's manifests, kustomizations and chart would make, and what is
    wrong with any of its deploy artefacts."""
    flaws, count = [str(f) for f in checkout.flaws], len(checkout.files)
    found = seen(_all, env, checkout)
    if isinstance(found, Unseen):
        return Manifests((), {}, tuple(flaws), count, "", found)
    bundles, renderings, twice, unseen = found
    return Manifests(
        plain=bundles,
        rendered=renderings,
        flaws=(*flaws, *twice),
        files=count,
        own=own_environment(env, renderings),
        unseen=unseen,
        namespaces=tuple(env.kubernetes.namespaces),
    )


_Renderings = dict[str, Bundle | Unseen]


def _all(
    env: Environment, checkout: Checkout
) -> tuple[tuple[Bundle, ...], _Renderings, list[str], Unseen | None]:
    """Plain bundles, renderings, what is defined twice, and why some could not be rendered.

    :raises ProbeError: there are no manifests, or none could be rendered.
    """
    checkout.needed(MANIFESTS, CHARTS, KUSTOMIZATIONS)
    kustomized = _kustomizations(env, checkout)
    charted = seen(_charted, env, checkout)
    renderings = {} if isinstance(charted, Unseen) else charted
    plain, twice = _plain(env, checkout, checkout.of(MANIFESTS))
    bundles = (*plain, *(b for b in kustomized if isinstance(b, Bundle)))
    tried = (charted, *kustomized, *renderings.values())
    unseen = next((b for b in tried if isinstance(b, Unseen)), None)
    some = bundles or any(isinstance(b, Bundle) for b in renderings.values())
    # A chart that helm refuses is broken, which is known of it; without helm nothing is.
    if not some and unseen is not None and not isinstance(unseen.error, HelmRefused):
        raise unseen.error
    return (*_together(bundles, renderings), twice, unseen)


def _charted(env: Environment, checkout: Checkout) -> _Renderings:
    """The chart with each environment's values; empty where there is no chart."""
    if not checkout.of(CHARTS):
        return {}
    chart, found = the_chart(env, checkout), _Renderings()
    for name, values in environments_of(env, checkout, chart).items():
        rendering = seen(_with_helm, env, checkout, chart, values)
        found[name] = (
            rendering
            if isinstance(rendering, Unseen)
            else rendered(rendering, chart, name, env.kubernetes.namespace)
        )
    return found


def _together(
    plain: tuple[Bundle, ...], rendered: _Renderings
) -> tuple[tuple[Bundle, ...], _Renderings]:
    """What is applied beside the chart joins each of its renderings: a quota, policies, secrets.
    Manifests of the same workloads are another way to deploy them, and stay by themselves."""
    made = [b for b in rendered.values() if isinstance(b, Bundle)]
    charted = {w.object.key for b in made for w in b.workloads}
    beside = [b for b in plain if not charted & {w.object.key for w in b.workloads}]
    if not made or len(beside) != 1:  # of several it is not known which belongs to which
        return plain, rendered
    joined: _Renderings = {}
    for name, one in rendered.items():
        if isinstance(one, Bundle):
            own = {o.key for o in one.objects}
            more = (o for o in beside[0].objects if o.key not in own)
            one = Bundle(f"{one.name} and {beside[0].name}", (*one.objects, *more))
        joined[name] = one
    return tuple(b for b in plain if b is not beside[0]), joined


def _with_helm(
    env: Environment, checkout: Checkout, chart: str, values: Sequence[str]
) -> Rendering:
    there_is_one(env)
    return render(env, checkout, chart, values)


def own_environment(env: Environment, known: Iterable[str]) -> str:
    """Which environment's values are those of the one that is looked at."""
    names = list(known)
    wanted = (env.kubernetes.environment, env.name, env.kind)
    return next((w for w in wanted if w in names), "")


def _objects(documents: Iterable[Document], namespace: str) -> Iterator[Object]:
    for document in documents:
        for value, inner in _items(document.value, ()):
            if str(value["apiVersion"]).partition("/")[0] in _ELSEWHERE:
                continue
            if value["kind"] == "Config" and "clusters" in value:
                continue  # a kubeconfig
            given = dig(value, "metadata", "namespace")
            named = str(given) if given else namespace
            belongs = "" if value["kind"] in _CLUSTER_WIDE else named
            yield Object(document, value, belongs, inner)


def _items(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[dict[str, Any], Any]]:
    if not is_manifest(value):
        return
    if value["kind"].endswith("List") and isinstance(value.get("items"), list):
        for n, one in enumerate(value["items"]):
            yield from _items(one, (*where, "items", n))
    else:
        yield value, where


# -- plain manifests ---------------------------------------------------------------------------


def _plain(
    env: Environment, checkout: Checkout, documents: Sequence[File]
) -> tuple[tuple[Bundle, ...], list[str]]:
    """The manifests that no tool has to render, and what of them is defined twice."""
    below = {f.folder for f in checkout.of(KUSTOMIZATIONS)}
    chosen = [p.strip("/") for p in env.kubernetes.manifests]
    taken: list[tuple[File, Object]] = []
    for file in documents:
        if any(_is_below(file.path, folder) for folder in below):
            continue
        if chosen and not any(_is_below(file.path, folder) for folder in chosen):
            continue
        found = _objects(file.documents, env.kubernetes.namespace)
        taken += [(file, o) for o in found]
    if not taken:
        return (), []
    roots, twice = _branches(taken)
    shared = [o for f, o in taken if not any(_is_below(f.path, root) for root in roots)]
    if not roots:
        return (Bundle("manifests", tuple(shared)),), twice
    bundles = []
    for root in sorted(roots):
        own = [o for f, o in taken if _is_below(f.path, root)]
        bundles.append(Bundle(root, (*own, *shared)))
    return tuple(bundles), twice


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _branches(taken: Sequence[tuple[File, Object]]) -> tuple[set[str], list[str]]:
    """The folders that hold one environment each, told by what they both define; and what one
    environment defines twice."""
    roots: set[str] = set()
    twice: list[str] = []
    first: dict[tuple[str, str, str, str], list[tuple[File, Object]]] = {}
    for file, one in taken:
        for other, known in first.setdefault(one.key, []):
            ours, theirs = file.folder.split("/"), other.folder.split("/")
            if ours == theirs:
                twice.append(one.told(f"is defined at {known.place()}, too"))
                continue
            shared = len(posixpath.commonprefix([ours, theirs]))
            for parts in (ours, theirs):
                # Of a folder and one below it, the upper one is what the files themselves are in.
                roots.add("/".join(parts[: shared + 1]) if len(parts) > shared else "")
        first[one.key].append((file, one))
    roots.discard("")
    upper = {r for r in roots if not any(r != other and _is_below(r, other) for other in roots)}
    return upper, twice


# -- what tools render -------------------------------------------------------------------------


def rendered(rendering: Rendering, chart: str, name: str, namespace: str) -> Bundle:
    documents: list[Document] = []
    for source, text in rendering.parts:
        path = f"{posixpath.join(posixpath.dirname(chart), source)} for {name}"
        found, _ = read(path, text)
        documents += found
    return Bundle(f"{chart} for {name}", tuple(_objects(documents, namespace)))


def _kustomizations(env: Environment, checkout: Checkout) -> list[Bundle | Unseen]:
    """Every kustomization that none other rests on, rendered."""
    files = checkout.of(KUSTOMIZATIONS)
    used: set[str] = set()
    for file in files:
        for document in file.documents:
            for key in ("resources", "bases", "components"):
                for one in dig(document.value, key) or []:
                    used.add(posixpath.normpath(posixpath.join(file.folder, str(one))))
    chosen = [p.strip("/") for p in env.kubernetes.manifests]
    found: list[Bundle | Unseen] = []
    for file in files:
        folder = file.folder
        if (folder or ".") in used or "Component" in {dig(d.value, "kind") for d in file.documents}:
            continue
        if chosen and not any(_is_below(folder, c) for c in chosen):
            continue
        found.append(seen(_kustomized, env, checkout, folder))
    return found


def _kustomized(env: Environment, checkout: Checkout, folder: str) -> Bundle:
    words = [*env.kubernetes.kustomize, "{folder}"]
    values = {"folder": str(Path(checkout.root, folder))}
    within = env.time_limits.probe
    text = commands.output(words, values, key="kubernetes.kustomize", within_s=within)
    path = f"{folder or 'the kustomization'}, rendered"
    documents, flaws = read(path, text)
    if flaws:
        raise ProbeError(f"the kustomization {folder}", str(flaws[0]), "render it by hand")
    return Bundle(folder, tuple(_objects(documents, env.kubernetes.namespace)))


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(k): str(v) for k, v in values.items()}


_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def is_pinned(image: str) -> bool:
    """Whether an image is named by the digest of its content."""
    return bool(_DIGEST.search(image))
