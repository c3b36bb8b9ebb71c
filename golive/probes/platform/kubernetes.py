"""Whether manifests are what the target cluster takes, and mean what they say.

Kubernetes accepts much that cannot work: a Service that selects no pod, a port that no container
has, a probe of a path that answers 404. Each is looked for within the bundle it is applied with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from golive.environments import Environment
from golive.probes.platform.checkout import KUSTOMIZATIONS, MANIFESTS, Checkout
from golive.probes.platform.manifests import (
    Bundle,
    Container,
    Manifests,
    Object,
    Workload,
    dig,
    is_pinned,
    rows,
    table,
)
from golive.probes.platform.selectors import matches
from golive.probes.transport import commands
from golive.probes.transport.commands import CommandFailed
from golive.probing import import_whole, probe
from golive.verdicts import ProbeError, Unseen, seen

_PLACEHOLDER = re.compile(
    r"(?i:change[-_ ]?me|replace[-_ ]?me|place[-_ ]?holder)|\b(?:TODO|FIXME|TBD)\b|\b[xX]{3,}\b"
    r"|\byour[-_][a-z]+[-_a-z]*|<[A-Za-z][\w .-]*>|sha256:([0-9a-f])\1{63}|\bexample\.(?:com|org)\b"
)
_UNFILLED = re.compile(r"\$\{\w+\}|\{\{|\}\}")
"""What a template leaves behind; sound in scripts and in texts that others render."""
_SCRIPTS = frozenset({"command", "args", "annotations", "data", "binaryData", "stringData"})
_TEXTS = frozenset({"description", "message", "summary"})
_ADDED = frozenset({"NET_BIND_SERVICE"})
"""What a container may add without being privileged, as the restricted pod standard says."""


_LIBRARIES = ("jsonschema", "referencing.jsonschema", "kubernetes_validate")


@dataclass(frozen=True, slots=True)
class Validation:
    """What is wrong with the objects of every bundle, each told with its place."""

    objects: tuple[str, ...] = field(repr=False)
    containers: tuple[str, ...] = field(repr=False)
    kinds: frozenset[str]
    misfits: tuple[str, ...] | Unseen
    """Objects that the schema of their kind does not take."""
    removed: tuple[str, ...] | Unseen
    """Objects of an API that the target version does not have."""
    unknown: tuple[str, ...] | Unseen
    """Unseen where objects are of kinds that neither Kubernetes nor a declaration knows."""
    unresolved: tuple[str, ...]
    """References that lead to nothing in their bundle."""
    without_probes: tuple[str, ...]
    wrong_probes: tuple[str, ...] | Unseen
    """Probes of another path than the workload's declared ones."""
    unpinned: tuple[str, ...]
    as_root: tuple[str, ...]
    privileged: tuple[str, ...]
    placeholders: tuple[str, ...]
    refused: tuple[str, ...] | Unseen
    """What the cluster's own dry run does not take; empty where there is no cluster."""
    asked: int
    """Objects that the cluster was asked about."""
    without_cluster: bool
    """Whether there is none to ask."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the manifests and kustomizations, by path in the checkout."""

    def lacking(self, kinds: tuple[str, ...]) -> list[str]:
        """Kinds of which there is no object."""
        return [k for k in kinds if k not in self.kinds]


@probe()
def manifest_validation(
    env: Environment, checkout: Checkout, manifests: Manifests
) -> Validation | Unseen:
    """Schemas, references, probes, images and rights of every object that would be applied."""
    return seen(_validation, env, checkout, manifests)


def _validation(env: Environment, checkout: Checkout, manifests: Manifests) -> Validation:
    manifests.must_be_there()
    bundles = manifests.bundles
    objects = [o for b in bundles for o in b.objects]
    containers = [c for b in bundles for w in b.workloads for c in w.containers]
    fits = seen(_fitted, env, objects)
    asked = manifests.here if env.kubernetes.cluster else ()
    return Validation(
        objects=tuple(f"{b.name}: {o}" for b in bundles for o in b.objects),
        containers=tuple(c.told("") for c in containers),
        kinds=frozenset(o.kind for b in manifests.here for o in b.objects),
        misfits=fits if isinstance(fits, Unseen) else fits.misfits,
        removed=fits if isinstance(fits, Unseen) else fits.removed,
        unknown=fits if isinstance(fits, Unseen) else fits.unknown,
        unresolved=_once(
            told for b in bundles for told in Resolver(b, env.kubernetes.existing).unresolved()
        ),
        without_probes=_once(t for c in containers for t in _lacking_probes(c)),
        wrong_probes=_wrong_probes(env, containers),
        unpinned=_once(
            c.told(f"runs {c.value.get('image')}", "image")
            for c in containers
            if not is_pinned(str(c.value.get("image", "")))
        ),
        as_root=_once(t for c in containers for t in _as_root(c)),
        privileged=_once(t for c in containers for t in _privileged(c)),
        placeholders=_once(t for o in objects for t in _placeholders(o)),
        refused=seen(_refused, env, asked),
        asked=sum(len(b.objects) for b in asked),
        without_cluster=not env.kubernetes.cluster,
        digests=checkout.digests(MANIFESTS, KUSTOMIZATIONS),
    )


def _once(told: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(told))


# -- schemas -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fits:
    misfits: tuple[str, ...]
    removed: tuple[str, ...]
    unknown: tuple[str, ...] | Unseen


def _fitted(env: Environment, objects: list[Object]) -> _Fits:
    schemas = _Schemas(env, objects)
    misfits, removed = [], []
    for one in objects:
        complaints, there = schemas.complaints(one)
        misfits += complaints
        removed += [] if there else [one.told(f"is of {one.api_version}", "apiVersion")]
    return _Fits(_once(misfits), _once(removed), schemas.unknown())


class _Schemas:
    """Kubernetes' own schemas of one version, and those of the checkout's custom resources."""

    def __init__(self, env: Environment, objects: list[Object]) -> None:
        self._version = _supported(env.kubernetes.version)
        self._declared = set(env.kubernetes.custom_resources)
        self._strange: dict[str, Object] = {}
        self._own: dict[str, Any] = {}
        for one in objects:
            if one.kind == "CustomResourceDefinition":
                kind = table(one.spec, "names").get("kind")
                for version in rows(one.spec, "versions"):
                    key = f"{one.spec.get('group')}/{version.get('name')}/{kind}"
                    self._own[key] = table(version, "schema", "openAPIV3Schema")

    def complaints(self, one: Object) -> tuple[list[str], bool]:
        """What its schema says against an object, and whether its API is there at all."""
        if not _is_builtin(one.group):
            key = f"{one.api_version}/{one.kind}"
            if key in self._own:
                return self._against(one, self._own[key], None), True
            if key not in self._declared:
                self._strange.setdefault(key, one)
            return [], True
        schema, registry = _schema(self._version, one.kind, one.api_version)
        if schema is None:
            return [], False
        return self._against(one, schema, registry), True

    def unknown(self) -> tuple[str, ...] | Unseen:
        if not self._strange:
            return ()
        first = next(iter(self._strange.values()))
        return Unseen(
            ProbeError(
                f"objects of {', '.join(self._strange)}",
                f"neither Kubernetes {self._version} nor the checkout has their schema"
                f" (the first is {first}, {first.place()})",
                "put their definitions into the checkout, or name them in"
                " kubernetes.custom_resources",
            )
        )

    def _against(self, one: Object, schema: Any, registry: Any) -> list[str]:
        import_whole(*_LIBRARIES)
        from jsonschema.validators import Draft202012Validator

        more = {} if registry is None else {"registry": registry}
        found = []
        for error in Draft202012Validator(schema, **more).iter_errors(one.value):
            where = tuple(error.absolute_path)
            # What a Secret holds must not be repeated.
            says = "does not fit" if one.kind == "Secret" else _shortened(error.message)
            told = f"{'.'.join(map(str, where)) or 'as a whole'}: {says}"
            if error.validator == "additionalProperties" and isinstance(error.instance, dict):
                where += tuple(k for k in error.instance if f"'{k}'" in error.message)[:1]
            found.append(one.told(told, *where))
        return found


def _is_builtin(group: str) -> bool:
    """Whether the group is one of those that come with Kubernetes."""
    outside = ("gateway.networking.k8s.io", "snapshot.storage.k8s.io", "metrics.k8s.io")
    if group in outside or group.endswith(".x-k8s.io"):
        return False
    return "." not in group or group.endswith(".k8s.io")


def _supported(version: str) -> str:
    import_whole(*_LIBRARIES)
    from kubernetes_validate import utils

    wanted = utils.major_minor(version.removeprefix("v"))
    known = {utils.major_minor(v): v for v in utils.all_versions()}
    if wanted not in known:
        raise ProbeError(
            f"schemas of Kubernetes {version}",
            f"there are those of {', '.join(known)}",
            "check kubernetes.version, and update kubernetes-validate",
        )
    return str(wanted)


@cache
def _schema(version: str, kind: str, api_version: str) -> tuple[Any, Any]:
    import_whole(*_LIBRARIES)
    from kubernetes_validate import utils
    from referencing import Resource

    full = next(v for v in utils.all_versions() if utils.major_minor(v) == version)
    folder = f"kubernetes-json-schema/v{full}-local-strict"
    file = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    try:
        schema = utils.schema_contents(f"{folder}/{kind.lower()}-{file}.json", version)
    except FileNotFoundError:
        return None, None
    return schema, Resource.from_contents(schema) @ _definitions(folder, version)


@cache
def _definitions(folder: str, version: str) -> Any:
    from kubernetes_validate import utils
    from referencing import Registry, Resource

    shared = Resource.from_contents(utils.schema_contents(f"{folder}/_definitions.json", version))
    registry: Any = Registry()
    return shared @ registry


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:197]}..."


# -- references --------------------------------------------------------------------------------


class Resolver:
    """The references of one bundle's objects to one another.

    :param existing: what is there without a manifest, as ``Secret/name``.
    """

    def __init__(self, bundle: Bundle, existing: list[str]) -> None:
        self._bundle = bundle
        self._existing = set(existing)
        self._workloads = bundle.workloads
        self._there: dict[tuple[str, str, str], frozenset[str] | None] = {}
        """Kind, namespace and name to the keys of what it holds; None: not known."""
        for one in bundle.objects:
            for kind, name, keys in _made_by(one):
                self._there[kind, one.namespace, name] = keys

    def unresolved(self) -> Iterator[str]:
        """Every reference that leads to nothing."""
        for one in self._bundle.objects:
            yield from self._of(one)
        for workload in self._workloads:
            yield from self._of_pods(workload)

    def _is_there(self, kind: str, namespace: str, name: str) -> bool:
        return (kind, namespace, name) in self._there or f"{kind}/{name}" in self._existing

    def _selected(self, namespace: str, selector: Any) -> list[Workload]:
        return [
            w for w in self._workloads if w.namespace == namespace and matches(selector, w.labels)
        ]

    def _of(self, one: Object) -> Iterator[str]:
        namespace = one.namespace
        if one.kind == "Service":
            yield from self._of_service(one)
        elif one.kind == "Ingress":
            yield from self._of_ingress(one)
        elif one.kind == "PodDisruptionBudget":
            if not self._selected(namespace, one.spec.get("selector")):
                yield one.told("selects no pod", "spec", "selector")
        elif one.kind == "HorizontalPodAutoscaler":
            target = table(one.spec, "scaleTargetRef")
            if not self._is_there(str(target.get("kind")), namespace, str(target.get("name"))):
                what = f"scales {target.get('kind')}/{target.get('name')}, which is not there"
                yield one.told(what, "spec", "scaleTargetRef")
        elif one.kind in ("RoleBinding", "ClusterRoleBinding"):
            role = table(one.value, "roleRef")
            kind, name = str(role.get("kind")), str(role.get("name"))
            within = "" if kind == "ClusterRole" else namespace
            builtin = kind == "ClusterRole" and name in ("view", "edit", "admin", "cluster-admin")
            if not builtin and not self._is_there(kind, within, name):
                yield one.told(f"names {kind}/{name}, which is not there", "roleRef")

    def _of_service(self, one: Object) -> Iterator[str]:
        selector = one.spec.get("selector")
        if not selector or one.spec.get("type") == "ExternalName":
            return
        chosen = self._selected(one.namespace, {"matchLabels": selector})
        if not chosen:
            labels = ", ".join(f"{k}={v}" for k, v in selector.items())
            yield one.told(f"selects no pod by {labels}", "spec", "selector")
            return
        for n, port in enumerate(rows(one.spec, "ports")):
            target = port.get("targetPort", port.get("port"))
            if isinstance(target, str) and target.isdigit():
                target = int(target)
            for workload in chosen:
                if not _has_port(workload, target):
                    what = f"sends to port {target}, which {workload.object} does not have"
                    yield one.told(what, "spec", "ports", n)

    def _of_ingress(self, one: Object) -> Iterator[str]:
        backends: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
            (table(path, "backend"), ("spec", "rules", r, "http", "paths", p, "backend"))
            for r, rule in enumerate(rows(one.spec, "rules"))
            for p, path in enumerate(rows(rule, "http", "paths"))
        ]
        if default := table(one.spec, "defaultBackend"):
            backends.append((default, ("spec", "defaultBackend")))
        services = {o.name: o for o in self._bundle.of("Service") if o.namespace == one.namespace}
        for backend, where in backends:
            service = table(backend, "service")
            if not service:
                continue  # a resource, which its controller knows
            name, port = str(service.get("name")), table(service, "port")
            found = services.get(name)
            if found is None:
                if f"Service/{name}" not in self._existing:
                    yield one.told(f"sends to Service/{name}, which is not there", *where)
                continue
            wanted = port.get("name", port.get("number"))
            known = {v for p in rows(found.spec, "ports") for v in (p.get("name"), p.get("port"))}
            if wanted not in known:
                what = f"sends to port {wanted} of Service/{name}, which does not have it"
                yield one.told(what, *where)
        issued = any(a.startswith("cert-manager.io/") for a in one.annotations)
        for n, tls in enumerate(rows(one.spec, "tls")):
            name = str(tls.get("secretName") or "")
            if name and not issued and not self._is_there("Secret", one.namespace, name):
                what = f"takes its certificate from Secret/{name}, which is not there"
                yield one.told(what, "spec", "tls", n)

    def _of_pods(self, workload: Workload) -> Iterator[str]:
        one, pod, at = workload.object, workload.pod, (*workload.where, "spec")
        selector = one.spec.get("selector")
        if one.kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet") and not matches(
            selector, workload.labels
        ):
            yield one.told("does not select its own pods", "spec", "selector")
        account = str(pod.get("serviceAccountName") or "default")
        if account != "default" and not self._is_there("ServiceAccount", one.namespace, account):
            what = f"runs as ServiceAccount/{account}, which is not there"
            yield one.told(what, *at, "serviceAccountName")
        for secret in rows(pod, "imagePullSecrets"):
            yield from self._named(one, "Secret", secret, (*at, "imagePullSecrets"))
        volumes = {str(v.get("name")) for v in rows(pod, "volumes")}
        volumes |= {str(v.get("metadata", {}).get("name")) for v in _claims(one)}
        for n, volume in enumerate(rows(pod, "volumes")):
            yield from self._of_volume(one, volume, (*at, "volumes", n))
        for container in workload.containers:
            yield from self._of_container(one, container, volumes)

    def _of_volume(self, one: Object, volume: dict[str, Any], at: Any) -> Iterator[str]:
        yield from self._named(one, "ConfigMap", table(volume, "configMap"), at)
        secret = table(volume, "secret")
        yield from self._named(one, "Secret", {**secret, "name": secret.get("secretName")}, at)
        for source in rows(volume, "projected", "sources"):
            yield from self._named(one, "ConfigMap", table(source, "configMap"), at)
            yield from self._named(one, "Secret", table(source, "secret"), at)
        claim = table(volume, "persistentVolumeClaim")
        yield from self._named(one, "PersistentVolumeClaim", {"name": claim.get("claimName")}, at)

    def _of_container(self, one: Object, container: Container, volumes: set[str]) -> Iterator[str]:
        value, at = container.value, container.where
        for n, source in enumerate(rows(value, "envFrom")):
            yield from self._named(
                one, "ConfigMap", table(source, "configMapRef"), (*at, "envFrom", n)
            )
            yield from self._named(one, "Secret", table(source, "secretRef"), (*at, "envFrom", n))
        for n, variable in enumerate(rows(value, "env")):
            where = (*at, "env", n)
            source = table(variable, "valueFrom")
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                reference = table(source, key)
                items = [{"key": reference["key"]}] if "key" in reference else []
                yield from self._named(one, kind, {**reference, "items": items}, where)
        for n, mount in enumerate(rows(value, "volumeMounts")):
            if str(mount.get("name")) not in volumes:
                what = f"mounts the volume {mount.get('name')}, which its pods do not have"
                yield container.told(what, "volumeMounts", n)
        named = {p.get("name") for p in container.ports}
        for key in ("readinessProbe", "livenessProbe", "startupProbe"):
            for how in ("httpGet", "tcpSocket"):
                port = dig(value, key, how, "port")
                if isinstance(port, str) and not port.isdigit() and port not in named:
                    yield container.told(f"is probed at port {port}, which it does not have", key)

    def _named(self, one: Object, kind: str, reference: dict[str, Any], at: Any) -> Iterator[str]:
        """A reference by name, perhaps to some of the keys that it holds."""
        name = reference.get("name")
        if not name or reference.get("optional") is True:
            return
        if not self._is_there(kind, one.namespace, str(name)):
            yield one.told(f"names {kind}/{name}, which is not there", *at)
            return
        keys = self._there.get((kind, one.namespace, str(name)))
        if keys is None:
            return
        for item in rows(reference, "items"):
            if str(item.get("key")) not in keys:
                yield one.told(f"takes {item.get('key')} of {kind}/{name}, which lacks it", *at)


def _claims(one: Object) -> list[dict[str, Any]]:
    return rows(one.spec, "volumeClaimTemplates")


def _made_by(one: Object) -> Iterator[tuple[str, str, frozenset[str] | None]]:
    """What there is once an object is applied: itself, or what a controller makes of it."""
    value = one.value
    if one.kind in ("ConfigMap", "Secret"):
        tables = (table(value, k) for k in ("data", "stringData", "binaryData"))
        yield one.kind, one.name, frozenset(str(k) for t in tables for k in t)
        return
    yield one.kind, one.name, None
    if one.kind == "ExternalSecret":
        whole = bool(rows(one.spec, "dataFrom")) or table(one.spec, "target", "template")
        keys = frozenset(str(d.get("secretKey")) for d in rows(one.spec, "data"))
        name = str(table(one.spec, "target").get("name") or one.name)
        yield "Secret", name, None if whole else keys
    elif one.kind == "SealedSecret":
        yield "Secret", one.name, frozenset(map(str, table(one.spec, "encryptedData")))
    elif one.kind == "Certificate":
        yield "Secret", str(one.spec.get("secretName")), None
    elif one.kind == "SecretProviderClass":
        for secret in rows(one.spec, "secretObjects"):
            yield "Secret", str(secret.get("secretName")), None


def _has_port(workload: Workload, port: object) -> bool:
    for container in workload.containers:
        for one in container.ports:
            if port in (one.get("name"), one.get("containerPort")):
                return True
    # A container need not declare its ports; a number may be right where it declares none.
    declares = any(c.ports for c in workload.containers)
    return isinstance(port, int) and not declares


# -- containers --------------------------------------------------------------------------------


def _lacking_probes(container: Container) -> Iterator[str]:
    if container.ends:
        return
    for key, name in (("readinessProbe", "readiness"), ("livenessProbe", "liveness")):
        if not table(container.value, key):
            yield container.told(f"has no {name} probe")


def _wrong_probes(env: Environment, containers: list[Container]) -> tuple[str, ...] | Unseen:
    declared = env.kubernetes.probe_paths
    wrong: list[str] = []
    unknown: dict[str, None] = {}
    for container in containers:
        workload = container.workload
        paths = next((p for n, p in declared.items() if workload.is_called(n)), None)
        for key in ("readinessProbe", "livenessProbe", "startupProbe"):
            path = dig(container.value, key, "httpGet", "path")
            if not table(container.value, key, "httpGet"):
                continue
            asked = str(path or "/")
            if paths is None:
                unknown[f"{workload.object} ({asked})"] = None
            elif asked not in paths:
                what = f"is probed at {asked} and answers at {', '.join(paths)}"
                wrong.append(container.told(what, key, "httpGet", "path"))
    if unknown and not wrong:
        return Unseen(
            ProbeError(
                f"the probed paths of {', '.join(unknown)}",
                "nobody has said at which paths these answer",
                "name them in kubernetes.probe_paths",
            )
        )
    return _once(wrong)


def _as_root(container: Container) -> Iterator[str]:
    user = container.setting("runAsUser")
    if user == 0:
        yield container.told("runs as user 0")
    elif not container.setting("runAsNonRoot") and not (isinstance(user, int) and user > 0):
        yield container.told("may run as root")


def _privileged(container: Container) -> Iterator[str]:
    own = table(container.value, "securityContext")
    if own.get("privileged") is True:
        yield container.told("is privileged", "securityContext", "privileged")
    added = {str(c) for c in own.get("capabilities", {}).get("add", []) or []} - _ADDED
    if added:
        what = f"adds the capability {', '.join(sorted(added))}"
        yield container.told(what, "securityContext", "capabilities")
    pod = container.workload.pod
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key) is True:
            yield container.workload.object.told(
                f"has {key}", *container.workload.where, "spec", key
            )


def _placeholders(one: Object) -> Iterator[str]:
    if one.kind == "CustomResourceDefinition":
        return
    strict = _is_builtin(one.group)
    for where, text in _strings(one.value, ()):
        if where and where[-1] in _TEXTS:
            continue
        is_script = any(part in _SCRIPTS for part in where)
        found = _PLACEHOLDER.search(text)
        if found is None and strict and not is_script:
            found = _UNFILLED.search(text)
        if found is not None and not (is_script and found[0].startswith("<")):
            # Of a long text only what is left in it: the rest may be a secret.
            yield one.told(f"still says {found[0]!r} at {'.'.join(map(str, where))}", *where)


def _strings(
    value: Any, where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(inner, (*where, str(key)))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _strings(inner, (*where, n))


# -- the cluster's own word --------------------------------------------------------------------


def _refused(env: Environment, bundles: tuple[Bundle, ...]) -> tuple[str, ...]:
    """What a server-side dry run does not take; nothing is changed by it."""
    if not bundles:
        return ()
    kubectl, limit = env.kubernetes.kubectl, env.time_limits.probe
    ask(env, "get", "--raw", "/version")
    refused: list[str] = []
    for bundle in bundles:
        text = yaml.safe_dump_all([o.value for o in bundle.objects])
        words = [*kubectl, "apply", "--dry-run=server", "--namespace", env.kubernetes.namespace]
        try:
            commands.output(
                [*words, "-f", "-"],
                {},
                key="kubernetes.kubectl",
                within_s=limit,
                given=text.encode(),
            )
        except CommandFailed as e:
            refused.append(f"{bundle.name}: {e.reason}")
    return tuple(refused)


def ask(env: Environment, *words: str) -> Any:
    """What the cluster answers, from JSON.

    :raises ProbeError: it cannot be reached, or refuses.
    """
    key = "kubernetes.kubectl"
    command = [*env.kubernetes.kubectl, *words]
    text = commands.output(command, {}, key=key, within_s=env.time_limits.probe)
    try:
        return json.loads(text)
    except ValueError:
        raise ProbeError(
            "the cluster", f"its answer to {' '.join(words)} is no JSON", "ask it by hand"
        ) from None
