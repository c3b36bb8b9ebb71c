"""Autoscalers of the manifests: what they scale, how far, and whether pods may leave meanwhile.

The static half of scaling: what the manifests say. That it works, a drill shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from golive.environments import Environment
from golive.probes.platform.manifests import Bundle, Manifests, Object, Workload, rows, table
from golive.probes.platform.selectors import matches
from golive.probing import probe
from golive.verdicts import ProbeError

_LEAST = 1
"""minReplicas where an autoscaler says nothing (Kubernetes API reference)."""


@dataclass(frozen=True, slots=True)
class WorkloadScaling:
    """Autoscalers and disruption budgets of this environment, each told with its place."""

    autoscalers: tuple[str, ...]
    user_facing: tuple[str, ...]
    """Workloads that an Ingress leads to, by set of manifests."""
    unscaled: tuple[str, ...]
    """Those of them that no autoscaler scales."""
    astray: tuple[str, ...]
    """Autoscalers of what is not there."""
    without_cpu_requests: tuple[str, ...]
    """Containers of scaled workloads of whose use no share can be reckoned."""
    least_replicas: dict[str, int] = field(repr=False)
    most_replicas: dict[str, int] = field(repr=False)
    """Both by set of manifests and workload."""
    not_evictable: tuple[str, ...]
    """Scaled workloads without a disruption budget, or with one that lets no pod go while there
    are no more than the least."""

    def below_plan(self, planned: Mapping[str, int]) -> list[str]:
        """Scaled workloads whose most replicas are fewer than the capacity plan has of them, or
        of which it has none, by kind and name."""
        found = []
        for name, most in self.most_replicas.items():
            wanted = planned.get(name.partition(" of ")[0])
            if wanted is None:
                found.append(f"{name} is in no plan")
            elif most < wanted:
                found.append(f"{name}: at most {most} of {wanted}")
        return found

    def most_of(self, workload: str) -> int:
        """The most replicas that an autoscaler gives a workload, by kind and name; 0: none does."""
        found = [n for k, n in self.most_replicas.items() if k.partition(" of ")[0] == workload]
        return max(found, default=0)


@probe()
def workload_scaling(env: Environment, manifests: Manifests) -> WorkloadScaling:
    """Every HorizontalPodAutoscaler with its target, that one's requests and disruption budget."""
    manifests.must_be_there()
    bundles = manifests.here
    if not bundles:
        raise ProbeError(
            f"autoscalers of {env.kubernetes.namespace}",
            "no workload of this environment was found",
            "check kubernetes.namespaces and kubernetes.manifests",
        )
    scalers = [(b, o) for b in bundles for o in b.of("HorizontalPodAutoscaler")]
    scaled = [(b, o, w) for b, o in scalers for w in [_target(b, o)] if w is not None]
    facing = [(b, w) for b in bundles for w in _user_facing(b)]
    known = {id(w.object) for _, _, w in scaled}
    return WorkloadScaling(
        autoscalers=tuple(o.told(f"of {b.name}") for b, o in scalers),
        user_facing=tuple(f"{w.object} of {b.name}" for b, w in facing),
        unscaled=tuple(f"{w.object} of {b.name}" for b, w in facing if id(w.object) not in known),
        astray=tuple(
            o.told(f"scales {_named(o)}, which is not there", "spec", "scaleTargetRef")
            for b, o in scalers
            if _target(b, o) is None
        ),
        without_cpu_requests=tuple(t for _, _, w in scaled for t in _without_requests(w)),
        least_replicas={f"{w.object} of {b.name}": _least(o) for b, o, w in scaled},
        most_replicas={
            f"{w.object} of {b.name}": int(o.spec.get("maxReplicas", 0)) for b, o, w in scaled
        },
        not_evictable=tuple(t for b, o, w in scaled for t in _not_evictable(b, o, w)),
    )


def _named(scaler: Object) -> str:
    target = table(scaler.spec, "scaleTargetRef")
    return f"{target.get('kind')}/{target.get('name')}"


def _target(bundle: Bundle, scaler: Object) -> Workload | None:
    for workload in bundle.workloads:
        if workload.namespace == scaler.namespace and str(workload.object) == _named(scaler):
            return workload
    return None


def _least(scaler: Object) -> int:
    return int(scaler.spec.get("minReplicas", _LEAST))


def _user_facing(bundle: Bundle) -> Iterator[Workload]:
    """The workloads behind the Services that Ingresses name."""
    wanted: set[tuple[str, str]] = set()
    for one in bundle.of("Ingress"):
        paths = [p for rule in rows(one.spec, "rules") for p in rows(rule, "http", "paths")]
        backends = [table(p, "backend") for p in paths] + [table(one.spec, "defaultBackend")]
        wanted |= {
            (one.namespace, str(b["service"].get("name"))) for b in backends if table(b, "service")
        }
    for service in bundle.of("Service"):
        selector = table(service.spec, "selector")
        if (service.namespace, service.name) in wanted and selector:
            for workload in bundle.workloads:
                same = workload.namespace == service.namespace
                if same and matches({"matchLabels": selector}, workload.labels):
                    yield workload


def _without_requests(workload: Workload) -> Iterator[str]:
    for one in workload.containers:
        if one.ends:
            continue
        given = (table(one.value, "resources", k) for k in ("requests", "limits"))
        if not any("cpu" in g for g in given):  # a limit alone is the request, too
            yield one.told("says no cpu request", "resources")


def _not_evictable(bundle: Bundle, scaler: Object, workload: Workload) -> Iterator[str]:
    budgets = [
        o
        for o in bundle.of("PodDisruptionBudget")
        if o.namespace == workload.namespace and matches(o.spec.get("selector"), workload.labels)
    ]
    if not budgets:
        yield workload.object.told("has no disruption budget")
    for budget in budgets:
        may_go = evictable(budget, _least(scaler))
        if may_go < 1:
            yield budget.told(f"lets none of {_least(scaler)} pods of {workload.object} go", "spec")


def evictable(budget: Object, replicas: int) -> int:
    """Pods that a disruption budget lets go at once while there are so many."""
    if "maxUnavailable" in budget.spec:
        return _share(budget.spec["maxUnavailable"], replicas)
    return replicas - _share(budget.spec.get("minAvailable", 1), replicas)


def _share(value: object, replicas: int) -> int:
    """A number of pods, or a percentage of them, rounded up as Kubernetes does both."""
    text = str(value)
    if text.endswith("%"):
        return math.ceil(replicas * int(text[:-1]) / 100)
    return int(text)
