"""Which declared members the series of a metric are of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.observe.migration_monitoring import _oldest_s
from golive.probes.observe.scraping import Coverage, coverage, scraping
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.answering import answering

EnvWith = Callable[..., Environment]

PLACES = {"app-1": ("10.0.0.1", 8000), "app-2": ("10.0.0.2", 8000)}
LOCAL = {"app-1": ("127.0.0.1", 8001), "app-2": ("127.0.0.1", 8002)}


def of(*instances: str) -> list[tuple[dict[str, str], float]]:
    return [({"instance": one, "job": "app"}, float(n + 1)) for n, one in enumerate(instances)]


@pytest.mark.parametrize(
    ("places", "instances"),
    [
        (PLACES, ("app-1", "app-2")),
        (PLACES, ("10.0.0.1:8000", "10.0.0.2:8000")),
        (PLACES, ("10.0.0.1:9090", "10.0.0.2:9090")),  # metrics have a port of their own
        (PLACES, ("10.0.0.1", "10.0.0.2")),
        (PLACES, ("10.0.0.1:8000", "10.0.0.2:8000", "gone:8000")),
        (LOCAL, ("127.0.0.1:8001", "127.0.0.1:8002")),
    ],
)
def test_a_member_is_known_by_name_or_address(
    env_with: EnvWith, places: dict[str, Any], instances: tuple[str, ...]
) -> None:
    found = coverage(env_with(), "q", of(*instances), places, places)
    assert found == Coverage("q", ("app-1", "app-2"), {"app-1": 1.0, "app-2": 2.0}, len(instances))
    assert found.unscraped(150) == []


def test_a_member_that_is_not_scraped_is_named(env_with: EnvWith) -> None:
    found = coverage(env_with(), "q", of("app-1"), PLACES, PLACES)
    assert found.unscraped(150) == ["app-2 (no sample)"]
    assert coverage(env_with(), "q", [], PLACES, PLACES).age_s["app-1"] == math.inf
    late = coverage(env_with(), "q", [*of("app-1"), ({"pod": "app-2"}, 200.0)], PLACES, PLACES)
    assert late.unscraped(150) == ["app-2 (none for 200 s)"]


def test_the_newest_sample_of_a_member_counts(env_with: EnvWith) -> None:
    found = coverage(env_with(), "q", [*of("app-1", "app-2", "app-1")], PLACES, PLACES)
    assert found.age_s == {"app-1": 1.0, "app-2": 2.0}


def test_one_address_in_front_of_two_is_not_both(env_with: EnvWith) -> None:
    found = coverage(env_with(), "q", of("balancer:80"), PLACES, PLACES)  # 1 series, 2 missing
    assert found.unscraped(150) == ["app-1 (no sample)", "app-2 (no sample)"]


def test_who_cannot_be_told_apart_is_unseen_until_it_is_said(env_with: EnvWith) -> None:
    pods = of("web-7f9-a", "web-7f9-b")
    with pytest.raises(ProbeError, match="it is of web-7f9-a, web-7f9-b; next: say in monitoring"):
        coverage(env_with(), "q", pods, PLACES, PLACES)
    with pytest.raises(ProbeError, match="whether q is of app-2"):
        coverage(env_with(), "q", of("127.0.0.1", "127.0.0.1:8001"), LOCAL, LOCAL)
    known = {"app-1": "web-7f9-a", "app-2": "web-7f9-b"}
    env = env_with(monitoring={"known_as": known})
    assert coverage(env, "q", pods, PLACES, PLACES).unscraped(9) == []


def test_of_a_single_member_any_series_is_its_own(env_with: EnvWith) -> None:
    one = {"db-1": ("10.0.0.9", 5432)}
    assert coverage(env_with(), "q", of("exporter:9187"), one, one).age_s == {"db-1": 1.0}


def test_a_target_counts_by_its_newest_series_and_the_oldest_target() -> None:
    revisions = [({"instance": "a", "revision": r}, age) for r, age in (("1", 290.0), ("2", 1.0))]
    assert _oldest_s(revisions) == 1.0
    assert _oldest_s([*revisions, ({"instance": "b"}, 70.0)]) == 70.0
    assert _oldest_s([]) == math.inf


def test_instances_are_compared_with_the_declared_ones(env_with: EnvWith) -> None:
    def said(*series: tuple[str, str]) -> dict[str, Any]:
        result = [{"metric": {"instance": i}, "value": [1e9, v]} for i, v in series]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    declared = [{"name": n, "url": f"http://{h}:{p}"} for n, (h, p) in PLACES.items()]
    with answering() as service:
        ask = "/api/v1/query?query="
        query = "max+without+%28le%2C+statement%29+%28timestamp%28q_count%29%29"
        service.says(f"{ask}{query}", said(("app-1", "999999995")))
        scalar = {"resultType": "scalar", "result": [1e9, "1000000000"]}
        service.says(f"{ask}time%28%29", {"status": "success", "data": scalar})
        metrics = {"query_seconds": "q", "statement_label": "statement"}
        monitoring = {"prometheus": service.url}
        application = {"instances": declared, "metrics": metrics}
        found = scraping(env_with(monitoring=monitoring, application=application)).instances
        bare = env_with(monitoring=monitoring, application={"metrics": metrics, "instances": []})
        nobody = scraping(bare).instances
    assert not isinstance(found, Unseen)
    assert found.age_s == {"app-1": 5.0, "app-2": math.inf}
    assert not isinstance(nobody, Unseen)
    assert nobody.declared == ()
