"""What each container of the manifests asks for, and what it may have at most.

A limit alone is the request, too, and a limit range gives what a container does not say: that is
what the API server makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from golive.environments import Environment
from golive.probes.platform.manifests import Container, Manifests, table
from golive.probes.platform.quotas import Space
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen

_ALWAYS = 1
"""Pods of a workload that says nothing, and where it depends on the nodes."""


@dataclass(frozen=True, slots=True)
class Given:
    """One container's share of its node; None: it says nothing, and no limit range does."""

    subject: str
    """Kind and name of its workload, its own name, and the set of manifests."""
    place: str
    """The same, with where it stands."""
    namespace: str
    workload: str
    """Kind and name."""
    container: str
    ends: bool
    """Whether it is meant to end: a job's, or an init container."""
    pods: int
    """The least that there are of it."""
    cpu_request: Decimal | None
    """In cores, as cpu_limit."""
    cpu_limit: Decimal | None
    memory_request: Decimal | None
    """In bytes, as memory_limit."""
    memory_limit: Decimal | None


@dataclass(frozen=True, slots=True)
class ContainerResources:
    """Every container of every workload of this environment."""

    containers: tuple[Given, ...]
    not_rendered: Unseen | None = None
    """Why some could not be seen."""

    @property
    def without_requests(self) -> list[str] | Unseen:
        """Containers that say no CPU or no memory request."""
        found = []
        for one in self.containers:
            asked = {"CPU": one.cpu_request, "memory": one.memory_request}
            lacking = [name for name, value in asked.items() if value is None]
            if lacking:
                found.append(f"{one.place}: {', '.join(lacking)}")
        return self._all(found)

    @property
    def without_memory_limit(self) -> list[str] | Unseen:
        """Containers that may take all memory of their node."""
        return self._all([one.place for one in self.containers if one.memory_limit is None])

    @property
    def above_limits(self) -> list[str] | Unseen:
        """Requests of more than the limit."""
        found = []
        for one in self.containers:
            for name, asked, most in (
                ("CPU", one.cpu_request, one.cpu_limit),
                ("memory", one.memory_request, one.memory_limit),
            ):
                if asked is not None and most is not None and asked > most:
                    unit = "" if name == "CPU" else " bytes"
                    found.append(f"{one.place}: {name} {asked} of {most}{unit}")
        return self._all(found)

    def _all(self, found: list[str]) -> list[str] | Unseen:
        """Offenders; unseen where there are none among what could be rendered."""
        return found if found or self.not_rendered is None else self.not_rendered


@probe()
def container_resources(env: Environment, manifests: Manifests) -> ContainerResources:
    """Requests and limits of every container that this environment's manifests make."""
    manifests.must_be_there()
    bundles = manifests.here
    if not bundles:
        raise ProbeError(
            f"containers of {env.kubernetes.namespace}",
            "no workload of this environment was found",
            "check kubernetes.namespaces and kubernetes.manifests",
        )
    return ContainerResources(
        tuple(
            _given(Space(bundle, workload.namespace), container, bundle.name)
            for bundle in bundles
            for workload in bundle.workloads
            for container in workload.containers
        ),
        _not_rendered(manifests),
    )


def _not_rendered(manifests: Manifests) -> Unseen | None:
    """Why this environment's rendering, or a kustomization, lacks."""
    if manifests.rendered and not manifests.own:
        return Unseen(
            ProbeError(
                "the chart with this environment's values",
                f"it is none of {', '.join(manifests.rendered)}",
                "say in kubernetes.environment which it is",
            )
        )
    own = manifests.rendered.get(manifests.own)
    if isinstance(own, Unseen):
        return own
    # What could not be rendered of another environment does not matter here.
    others = any(isinstance(one, Unseen) for one in manifests.rendered.values())
    return None if others else manifests.unseen


def _given(space: Space, container: Container, bundle: str) -> Given:
    workload = container.workload
    known = space.container(container.value)
    return Given(
        subject=f"{workload.object} container {container.name} of {bundle}",
        place=container.told(f"of {bundle}", "resources"),
        namespace=workload.namespace,
        workload=str(workload.object),
        container=container.name,
        ends=container.ends,
        pods=_least_pods(space, container),
        cpu_request=known.get("requests.cpu"),
        cpu_limit=known.get("limits.cpu"),
        memory_request=known.get("requests.memory"),
        memory_limit=known.get("limits.memory"),
    )


def _least_pods(space: Space, container: Container) -> int:
    """As its autoscaler says, or else itself; never none, since what does not run shows nothing."""
    one = container.workload.object
    for scaler in space.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = table(scaler.spec, "scaleTargetRef")
        if (target.get("kind", "Deployment"), target.get("name")) == (one.kind, one.name):
            key = "minReplicas" if "minReplicas" in scaler.spec else "minReplicaCount"
            return max(_ALWAYS, int(scaler.spec.get(key, _ALWAYS)))
    if one.kind in ("DaemonSet", "Pod"):
        return _ALWAYS
    replicas = one.spec.get("replicas")
    return _ALWAYS if replicas is None else max(_ALWAYS, int(replicas))
