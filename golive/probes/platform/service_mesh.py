"""The service mesh: every workload in it and every connection under mutual TLS, or no trace of one.

Of Istio: sidecars or the ambient data plane, PeerAuthentication, VirtualService, DestinationRule
(https://istio.io/latest/docs/reference/config/). Of Linkerd: its proxy, whose connections are under
mutual TLS by themselves, and the policy that refuses all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from golive.environments import Environment
from golive.probes.platform.kubernetes import ask
from golive.probes.platform.manifests import (
    Bundle,
    Manifests,
    Object,
    Workload,
    dig,
    rows,
    table,
)
from golive.probes.platform.selectors import matches
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

_GROUPS = (
    *("istio.io", "linkerd.io", "consul.hashicorp.com", "kuma.io", "appmesh.k8s.aws"),
    *("openservicemesh.io", "traefik.mesh", "maesh.containo.us"),
)
_PROXIES = ("istio-proxy", "linkerd-proxy", "envoy-sidecar", "kuma-sidecar", "consul-dataplane")
_IMAGES = (
    "istio/proxyv2",
    "linkerd/proxy",
    "linkerd-io/proxy",
    "kumahq/kuma-dp",
    "aws-appmesh-envoy",
)
_INJECTED = {"istio": _PROXIES[:1], "linkerd": _PROXIES[1:2]}
_REFUSES_PLAIN = frozenset({"all-authenticated", "cluster-authenticated", "deny"})
"""Linkerd's default policies that let in nothing without mutual TLS."""


@dataclass(frozen=True, slots=True)
class ServiceMesh:
    """What there is of a service mesh."""

    name: str
    """Empty: none is declared."""
    objects: tuple[str, ...] = field(repr=False)
    """Every object of this environment that was looked at."""
    workloads: tuple[str, ...]
    traces: tuple[str, ...] | Unseen
    """Objects, annotations and containers that belong to a mesh, in manifests and running pods."""
    without_sidecar: tuple[str, ...] | Unseen
    not_strict: tuple[str, ...]
    """What lets connections without mutual TLS in."""
    routes: tuple[str, ...]
    """Destinations of routes."""
    lost_routes: tuple[str, ...]
    """Those whose host or subset is not there."""
    plain: dict[str, str] | Unseen
    """What each declared port answers to plain HTTP; empty where it refuses."""

    @property
    def open_to_plain(self) -> list[str] | Unseen:
        """Ports that answer plain HTTP."""
        if isinstance(self.plain, Unseen):
            return self.plain
        return [f"{at} answers {said}" for at, said in self.plain.items() if said]


@probe()
def service_mesh(env: Environment, manifests: Manifests) -> ServiceMesh:
    """Mesh objects, annotations and sidecars in the manifests, and in the pods that run."""
    manifests.must_be_there()
    bundles, name = manifests.here, env.mesh.name
    workloads = [(b, w) for b in bundles for w in b.workloads if not w.runs_once]
    pods = seen(_pods, env)
    found = tuple(t for b in bundles for t in _traces(b))
    lacking = tuple(w.object.told("has no sidecar") for b, w in workloads if not _is_in(name, b, w))

    def beyond(shown: tuple[str, ...], look: Callable[[list[Any]], tuple[str, ...]]) -> Any:
        """What the manifests show decides; where they show nothing, all else has to be seen."""
        if shown:
            return shown
        if manifests.unseen is not None:
            return manifests.unseen
        return pods if isinstance(pods, Unseen) else look(pods)

    routes = [r for b in bundles for r in _routes(b)]
    return ServiceMesh(
        name=name,
        objects=tuple(str(o) for b in bundles for o in b.objects),
        workloads=tuple(str(w.object) for _, w in workloads),
        traces=beyond(found, _running_traces),
        without_sidecar=beyond(lacking, lambda p: _running_without(name, p)) if name else (),
        not_strict=tuple(t for b in bundles for t in _not_strict(name, b)) if name else (),
        routes=tuple(where for where, _ in routes),
        lost_routes=tuple(f"{where}: {why}" for where, why in routes if why),
        plain=seen(_plain, env) if name else {},
    )


def _mesh_of(group: str) -> str:
    return next((g for g in _GROUPS if group == g or group.endswith(f".{g}")), "")


def _is_of_mesh(key: str) -> bool:
    """Whether a label's or an annotation's key belongs to a mesh."""
    prefix, _, rest = key.rpartition("/")
    return bool(_mesh_of(prefix)) or (not prefix and rest in ("istio-injection", "istio.io/rev"))


def _traces(bundle: Bundle) -> Iterator[str]:
    for one in bundle.objects:
        if _mesh_of(one.group):
            yield one.told(f"is a resource of {_mesh_of(one.group)}")
        for kind, keys in (("annotations", one.annotations), ("labels", one.labels)):
            for key in filter(_is_of_mesh, keys):
                yield one.told(f"has {key}", "metadata", kind, key)
    for workload in bundle.workloads:
        for kind, keys in (("annotations", workload.annotations), ("labels", workload.labels)):
            for key in filter(_is_of_mesh, keys):
                at = (*workload.where, "metadata", kind, key)
                told = workload.object.told(f"has {key} on its pods", *at)
                if workload.where:  # a Pod's own were told above
                    yield told
        for container in workload.containers:
            if _is_proxy(container.name, str(container.value.get("image", ""))):
                yield container.told("is a mesh's sidecar")


def _is_proxy(name: str, image: str) -> bool:
    return name in _PROXIES or any(known in image for known in _IMAGES)


# -- the pods that run -------------------------------------------------------------------------


def _pods(env: Environment) -> list[dict[str, Any]]:
    if not env.kubernetes.cluster:
        return []
    found = ask(env, "get", "pods", "--namespace", env.kubernetes.namespace, "-o", "json")
    pods = rows(found, "items")
    if not pods:
        raise ProbeError(
            f"pods of {env.kubernetes.namespace}",
            "there is none",
            "check kubernetes.namespace, and that this user may list pods",
        )
    return pods


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for key in ("containers", "initContainers") for c in rows(pod, "spec", key)]


def _running_traces(pods: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"the running pod {dig(pod, 'metadata', 'name')} has the sidecar {one.get('name')}"
        for pod in pods
        for one in _containers(pod)
        if _is_proxy(str(one.get("name")), str(one.get("image", "")))
    )


def _running_without(mesh: str, pods: list[dict[str, Any]]) -> tuple[str, ...]:
    found = []
    for pod in pods:
        ambient = table(pod, "metadata", "annotations").get("ambient.istio.io/redirection")
        ended = dig(pod, "status", "phase") in ("Succeeded", "Failed")
        names = {str(c.get("name")) for c in _containers(pod)}
        if not ended and ambient != "enabled" and not names & set(_INJECTED[mesh]):
            found.append(f"the running pod {dig(pod, 'metadata', 'name')} has no sidecar")
    return tuple(found)


# -- a declared mesh ---------------------------------------------------------------------------


def _is_in(mesh: str, bundle: Bundle, workload: Workload) -> bool:
    """Whether a workload's pods are in the mesh by what the manifests say."""
    if not mesh:
        return True
    names = {c.name for c in workload.containers}
    if names & set(_INJECTED[mesh]):
        return True
    spaces = [o for o in bundle.of("Namespace") if o.name == workload.namespace]
    own = {**workload.annotations, **workload.labels}
    around = {k: v for o in spaces for k, v in {**o.annotations, **o.labels}.items()}
    if mesh == "linkerd":
        return own.get("linkerd.io/inject", around.get("linkerd.io/inject")) in (
            "enabled",
            "ingress",
        )
    if own.get("sidecar.istio.io/inject") == "false":
        return False
    mode = own.get("istio.io/dataplane-mode", around.get("istio.io/dataplane-mode"))
    injected = around.get("istio-injection") == "enabled" or "istio.io/rev" in around
    return mode == "ambient" or own.get("sidecar.istio.io/inject") == "true" or injected


def _not_strict(mesh: str, bundle: Bundle) -> Iterator[str]:
    spaces = {w.namespace for w in bundle.workloads}
    if mesh == "linkerd":
        for space in bundle.of("Namespace"):
            policy = space.annotations.get("config.linkerd.io/default-inbound-policy", "")
            if space.name in spaces and policy not in _REFUSES_PLAIN:
                yield space.told(f"lets in what is not authenticated ({policy or 'by default'})")
        return
    strict: set[str] = set()
    for one in bundle.of("PeerAuthentication"):
        mode = table(one.spec, "mtls").get("mode")
        at = ("spec", "mtls")
        whole = not one.spec.get("selector")
        if mode == "STRICT" and whole:
            strict.add("*" if one.namespace == "istio-system" else one.namespace)
        if mode in ("PERMISSIVE", "DISABLE"):
            yield one.told(f"is {mode}", *at)
        for port, rule in table(one.spec, "portLevelMtls").items():
            if table(rule).get("mode") in ("PERMISSIVE", "DISABLE"):
                yield one.told(f"is {rule['mode']} at port {port}", "spec", "portLevelMtls")
    for lax in sorted(spaces - strict) if "*" not in strict else ():
        yield f"no PeerAuthentication makes {lax} STRICT ({bundle.name})"


def _routes(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Every destination of a route, and why it is none."""
    known: set[str] = set()
    for service in bundle.of("Service"):
        short = f"{service.name}.{service.namespace}"
        known |= {short, f"{short}.svc", f"{short}.svc.cluster.local"}
    for entry in bundle.of("ServiceEntry"):
        known |= {str(h) for h in dig(entry.spec, "hosts") or []}
    for one in bundle.of("VirtualService"):
        if not _mesh_of(one.group):
            continue
        for key in ("http", "tcp", "tls"):
            for n, rule in enumerate(rows(one.spec, key)):
                targets = [table(t, "destination") for t in rows(rule, "route")]
                targets += [m for m in [table(rule, "mirror")] if m]
                for target in targets:
                    where = one.told(f"routes to {target.get('host')}", "spec", key, n)
                    yield where, _lost(bundle, one, target, known)


def _lost(bundle: Bundle, one: Object, target: dict[str, Any], known: set[str]) -> str:
    host = str(target.get("host"))
    full = host if "." in host else f"{host}.{one.namespace}"
    if full not in known:
        return "no Service has that name"
    subset = target.get("subset")
    if subset is None:
        return ""
    for rule in bundle.of("DestinationRule"):
        ruled = str(rule.spec.get("host"))
        ruled = ruled if "." in ruled else f"{ruled}.{rule.namespace}"
        if _short(ruled) != _short(full):
            continue
        for entry in rows(rule.spec, "subsets"):
            if entry.get("name") == subset:
                labels = {"matchLabels": table(entry, "labels")}
                pods = [w for w in bundle.workloads if matches(labels, w.labels)]
                return "" if pods else f"no pod has the labels of its subset {subset}"
    return f"no DestinationRule has its subset {subset}"


def _short(host: str) -> str:
    return host.removesuffix(".cluster.local").removesuffix(".svc")


def _plain(env: Environment) -> dict[str, str]:
    """What the application's own ports answer without TLS."""
    import requests

    if not env.mesh.plaintext:
        raise ProbeError(
            "plain HTTP to the application's ports",
            "no port is declared",
            "name them in mesh.plaintext, as a pod outside of the mesh reaches them",
        )
    found: dict[str, str] = {}
    for at in env.mesh.plaintext:
        try:
            answer = requests.get(
                f"http://{at}/", timeout=env.time_limits.connect, allow_redirects=False
            )
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as e:
            if "Connection refused" in str(e) or "resolve" in str(e).lower():
                # Nothing listens: that says nothing of what the mesh would do.
                raise ProbeError(
                    f"plain HTTP to {at}", "nothing listens there", "check mesh.plaintext"
                ) from None
            found[at] = ""
        else:
            found[at] = f"HTTP {answer.status_code}"
    return found
