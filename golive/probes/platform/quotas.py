"""Whether quotas leave room for everything to scale to its maximum while it is rolled out.

What is needed is worked out from the manifests alone: replicas at the autoscaler's maximum and the
surge of a rolling update, times what their pods ask for, as the API server reckons it
(https://kubernetes.io/docs/concepts/policy/resource-quotas/).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from golive.environments import Environment
from golive.probes.platform.kubernetes import ask
from golive.probes.platform.manifests import Bundle, Manifests, Workload, dig, rows, table
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_NAMES = {
    "requests.cpu": ("requests.cpu", "cpu"),
    "requests.memory": ("requests.memory", "memory"),
    "limits.cpu": ("limits.cpu",),
    "limits.memory": ("limits.memory",),
    "pods": ("pods", "count/pods"),
}
"""What is reckoned, and how quotas call it."""
_WANTED = ("requests.cpu", "requests.memory", "pods")
"""What a quota has to be about."""
_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{s: Decimal(1000) ** (n + 1) for n, s in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{s: Decimal(1024) ** (n + 1) for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
}


@dataclass(frozen=True, slots=True)
class Room:
    """What a quota of a namespace allows, and what is needed at most."""

    subject: str
    allowed: Decimal
    needed: Decimal

    @property
    def spare_percent(self) -> float:
        """Share of the quota that stays free; negative where it does not even suffice."""
        if self.allowed == 0:
            return 0.0 if self.needed == 0 else -100.0
        return float(100 * (self.allowed - self.needed) / self.allowed)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Quotas and limit ranges of the namespaces that workloads are in."""

    namespaces: tuple[str, ...]
    """By set of manifests and name."""
    without_quota: tuple[str, ...]
    """Namespaces without one, or whose quotas leave CPU, memory or pods unlimited."""
    without_limit_range: tuple[str, ...]
    rooms: tuple[Room | Unseen, ...]
    boundless: tuple[str, ...]
    """Containers that ask for nothing, so that they are not reckoned with, or not let in."""
    used_percent: dict[str, float] | Unseen
    """Of each quota in the cluster, as it stands there; empty where there is no cluster."""
    containers: int

    def used_over(self, percent: float) -> list[str] | Unseen:
        """Quotas of which more than that is in use."""
        if isinstance(self.used_percent, Unseen):
            return self.used_percent
        used = self.used_percent.items()
        return [f"{name} {share:.0f} %" for name, share in used if share > percent]

    @property
    def spare_percent(self) -> dict[str, float] | Unseen:
        """The share of each quota that stays free at the maximum."""
        known = {r.subject: r.spare_percent for r in self.rooms if isinstance(r, Room)}
        unseen = unseen_among(self.rooms)
        # What is known to be too little stays so, whatever could not be counted.
        return known if unseen is None or any(v < 0 for v in known.values()) else unseen


@probe()
def quotas(env: Environment, manifests: Manifests) -> Quotas:
    """The most that the workloads of each namespace can ask for, against its quotas."""
    manifests.must_be_there()
    found = [
        Space(b, n) for b in manifests.here for n in sorted({w.namespace for w in b.workloads})
    ]
    if not found:
        raise ProbeError(
            "namespaces of the application",
            "no workload of this environment was found",
            "check kubernetes.namespaces and kubernetes.manifests",
        )

    return Quotas(
        namespaces=tuple(s.name for s in found),
        without_quota=tuple(t for s in found for t in s.unlimited()),
        without_limit_range=tuple(s.name for s in found if not s.of("LimitRange")),
        rooms=tuple(r for space in found for r in space.rooms()),
        boundless=tuple(t for s in found for t in s.boundless()),
        used_percent=seen(_used, env),
        containers=sum(len(w.containers) for s in found for w in s.workloads),
    )


def _used(env: Environment) -> dict[str, float]:
    if not env.kubernetes.cluster:
        return {}
    space = env.kubernetes.namespace
    answer = ask(env, "get", "resourcequota", "--namespace", space, "-o", "json")
    used: dict[str, float] = {}
    for one in rows(answer, "items"):
        hard, now = table(one, "status", "hard"), table(one, "status", "used")
        for name, most in hard.items():
            if allowed := amount(most):
                subject = f"{name} of {space} by {dig(one, 'metadata', 'name')}"
                used[subject] = float(100 * amount(now.get(name, 0)) / allowed)
    if not used:
        raise ProbeError(
            f"the use of {space}'s quotas",
            "the cluster has none there",
            "apply the ResourceQuota of the manifests",
        )
    return used


class Space:
    """One namespace within one bundle."""

    def __init__(self, bundle: Bundle, namespace: str) -> None:
        self.namespace = namespace
        self.name = f"{namespace} in {bundle.name}"
        self._bundle = bundle
        self.workloads = [w for w in bundle.workloads if w.namespace == namespace]

    def of(self, *kinds: str) -> list[Any]:
        return [o for o in self._bundle.of(*kinds) if o.namespace == self.namespace]

    def _hard(self) -> dict[str, Decimal]:
        """What the namespace may have of each resource: the least that a quota says. Quotas of some
        pods only are left out."""
        found: dict[str, Decimal] = {}
        for quota in self.of("ResourceQuota"):
            if quota.spec.get("scopes") or quota.spec.get("scopeSelector"):
                continue
            hard = table(quota.spec, "hard")
            for name, called in _NAMES.items():
                for key in called:
                    if key in hard:
                        most = amount(hard[key])
                        found[name] = min(most, found.get(name, most))
        return found

    def unlimited(self) -> Iterator[str]:
        """What no quota of it is about."""
        hard = self._hard()
        lacking = [name for name in _WANTED if name not in hard]
        if lacking:
            yield f"{self.name}: {', '.join(lacking)}"

    def rooms(self) -> Iterator[Room | Unseen]:
        needed: dict[str, Decimal] = {}
        for workload in self.workloads:
            count = seen(self.most_pods, workload)
            if isinstance(count, Unseen):
                yield count
                continue
            for name, each in {**self.pod(workload), "pods": Decimal(1)}.items():
                needed[name] = needed.get(name, Decimal(0)) + count * each
        for name, most in self._hard().items():
            yield Room(f"{name} of {self.name}", most, needed.get(name, Decimal(0)))

    # -- how many --

    def most_pods(self, workload: Workload) -> int:
        """Pods of a workload at its maximum, with those of a rolling update beside them."""
        spec, kind = workload.object.spec, workload.object.kind
        if kind == "DaemonSet":
            raise ProbeError(
                f"the most pods of {workload.object}",
                "a DaemonSet has one on each node, and manifests do not tell how many those are",
                "put it into a namespace of its own",
            )
        if kind == "CronJob":
            return int(dig(spec, "jobTemplate", "spec", "parallelism") or 1)
        if kind == "Job":
            return int(spec.get("parallelism") or 1)
        replicas = self._most_replicas(workload)
        if kind not in ("Deployment", "Rollout"):
            return replicas
        strategy = table(spec, "strategy")
        if strategy.get("type") == "Recreate":
            return replicas
        surge = table(strategy, "rollingUpdate").get("maxSurge", "25%")
        text = str(surge)
        if text.endswith("%"):
            return replicas + math.ceil(replicas * int(text[:-1]) / 100)
        return replicas + int(text)

    def _most_replicas(self, workload: Workload) -> int:
        named = (workload.object.kind, workload.name)
        for scaler in self.of("HorizontalPodAutoscaler", "ScaledObject"):
            target = table(scaler.spec, "scaleTargetRef")
            if (target.get("kind", "Deployment"), target.get("name")) == named:
                key = "maxReplicas" if "maxReplicas" in scaler.spec else "maxReplicaCount"
                return int(scaler.spec.get(key, 100))
        if workload.object.kind == "Pod":
            return 1
        replicas = workload.object.spec.get("replicas")
        return 1 if replicas is None else int(replicas)

    # -- how much of it --

    def _defaults(self) -> dict[str, Any]:
        """What the limit ranges give a container that says nothing."""
        found: dict[str, Any] = {}
        for one in self.of("LimitRange"):
            for row in rows(one.spec, "limits"):
                if row.get("type") == "Container":
                    found |= {f"limits.{k}": v for k, v in table(row, "default").items()}
                    given = {**table(row, "default"), **table(row, "defaultRequest")}
                    found |= {f"requests.{k}": v for k, v in given.items()}
        return found

    def container(self, value: dict[str, Any]) -> dict[str, Decimal]:
        """What a container asks for and may have, as ``requests.cpu``, with what limit ranges give
        one that says nothing."""
        limits, requests = (table(value, "resources", k) for k in ("limits", "requests"))
        own = {f"limits.{k}": v for k, v in limits.items()}
        own |= {f"requests.{k}": v for k, v in {**limits, **requests}.items()}
        return {k: amount(v) for k, v in {**self._defaults(), **own}.items() if k in _NAMES}

    def pod(self, workload: Workload) -> dict[str, Decimal]:
        """What one pod asks for: its containers together, or an init container that asks more."""
        together: dict[str, Decimal] = {}
        before: dict[str, Decimal] = {}
        for one in workload.containers:
            runs_on = not one.is_first or one.value.get("restartPolicy") == "Always"
            for name, each in self.container(one.value).items():
                if runs_on:
                    together[name] = together.get(name, Decimal(0)) + each
                else:
                    before[name] = max(before.get(name, Decimal(0)), each)
        overhead = table(workload.pod, "overhead")
        more = {f"requests.{k}": amount(v) for k, v in overhead.items()}
        names = together.keys() | before.keys() | (more.keys() & _NAMES.keys())
        nothing = Decimal(0)
        return {
            n: max(together.get(n, nothing), before.get(n, nothing)) + more.get(n, nothing)
            for n in names
        }

    def boundless(self) -> Iterator[str]:
        """Containers of which neither they nor a limit range say what they ask for."""
        for workload in self.workloads:
            for one in workload.containers:
                known = self.container(one.value)
                lacking = [n for n in ("requests.cpu", "requests.memory") if n not in known]
                if lacking:
                    yield one.told(f"says no {' and no '.join(lacking)}")


def amount(value: Any) -> Decimal:
    """A quantity as Kubernetes writes it: ``500m``, ``1Gi``, ``2e3``.

    :raises ProbeError: it is none.
    """
    match = re.fullmatch(
        r"([+-]?[\d.]+)(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)", str(value).strip()
    )
    try:
        if match is None:
            raise InvalidOperation
        number = Decimal(match[1])
    except InvalidOperation:
        raise ProbeError(
            f"the quantity {value!r}", "it is none", "write it as 500m, 1 or 512Mi"
        ) from None
    return number * 10 ** Decimal(match[2]) if match[2] else number * _SUFFIXES[match[3] or ""]
