"""What runs: every component that monitoring, balancer, databases or the cloud show by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from golive.environments import Environment
from golive.probes.backup import s3
from golive.probes.data import cluster, pooling, redis
from golive.probes.observe import prometheus
from golive.probes.traffic import balancer, edge
from golive.probing import probe


@dataclass(frozen=True, slots=True)
class Component:
    """Something that runs, by the name that it goes by there."""

    name: str
    shown_by: tuple[str, ...]


@probe()
def running_components(env: Environment) -> tuple[Component, ...]:
    """Targets that Prometheus reaches, servers that the balancer holds to be up, members of the
    database and cache clusters, poolers and nodes of the edge that answer, and the buckets of
    the backups."""
    up = prometheus.query(env, "up == 1")
    sources = {
        "monitoring": {s.labels.get("instance", "") for s in up} - {""},
        "the balancer": {s.instance for s in balancer.backends(env) if s.is_up},
        "the database cluster": cluster.members(env),
        "the poolers": pooling.members(env),
        "the cache cluster": redis.members(env),
        "the edge": edge.members(env),
        "AWS": s3.present(env),
    }
    return gathered(sources)


def gathered(sources: Mapping[str, Iterable[str]]) -> tuple[Component, ...]:
    """Each component once, by name, with all that show it."""
    shown: dict[str, list[str]] = {}
    for source, names in sources.items():
        for name in names:
            shown.setdefault(name, []).append(source)
    return tuple(Component(name, tuple(shown[name])) for name in sorted(shown))
