"""The performance baseline beside what Prometheus tells."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.observe import prometheus
from golive.probes.observe.baseline import PerformanceBaseline, Written, performance_baseline
from golive.verdicts import ProbeError, Unseen

EnvWith = Callable[..., Environment]
Looked = Callable[..., PerformanceBaseline]
AT = datetime(2026, 11, 30, tzinfo=UTC)
DECLARED = {
    "endpoints": ["GET /slots"],
    "pages": ["/"],
    "services": ["application"],
    "components": ["web"],
    "version_metric": "build_info",
    "interval_s": 3600,
}
P95 = {
    "kind": "p95",
    "of": "GET /slots",
    "value": 0.1,
    "promql": 'histogram_quantile(0.95, rate(http_seconds_bucket{route="/slots"}[7d]))',
    "series": 'http_seconds_count{route="/slots"}',
}
WHOLE: dict[str, Any] = {
    "environment": "staging",
    "version": "2.0.0",
    "began": "2026-11-22T00:00:00+00:00",
    "ended": "2026-11-29T00:00:00+00:00",
    "figures": [P95],
}


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looked:
    """Look at a file; Prometheus answers by the first part that is in a query."""

    def look(
        told: dict[str, list[float]] | None = None, file: str = "", **changes: Any
    ) -> PerformanceBaseline:
        answers = {"histogram_quantile": [0.1], "sum(count_over_time": [900.0], **(told or {})}

        def query(_: Environment, promql: str, at: datetime | None = None) -> Any:
            if promql == "build_info":
                return [prometheus.Sample({"version": "2.0.0"}, 1.0, AT)]
            assert at == datetime(2026, 11, 29, tzinfo=UTC)
            moments = {"vector(1)": [168.0], "max(count_over_time": [168.0]}
            found = next((v for k, v in {**moments, **answers}.items() if k in promql), [])
            return [prometheus.Sample({}, value, AT) for value in found]

        monkeypatch.setattr(prometheus, "query", query)
        path = tmp_path / "baseline.json"
        path.write_text(file or json.dumps({**WHOLE, **changes}))
        return performance_baseline(env_with(baseline={**DECLARED, "path": str(path)}))

    return look


def test_a_figure_is_reckoned_again_and_its_samples_are_counted(looked: Looked) -> None:
    found = looked()
    (p95,) = found.figures
    assert (p95.value, p95.samples, p95.coverage_percent) == (0.1, 900.0, 100.0)
    assert p95.difference_percent == 0.0
    assert (found.version, found.serving, found.days) == ("2.0.0", ("2.0.0",), 7.0)
    assert found.version_coverage_percent == 100.0
    assert found.flawed == []


def test_what_lacks_is_named(looked: Looked) -> None:
    lacking = looked().lacking
    assert "p50 of GET /slots" in lacking
    assert "p95 of GET /slots" not in lacking
    wanted = {"page_load of /", "query_p95 of database", "uptime of application", "memory of web"}
    assert wanted < set(lacking)


@pytest.mark.parametrize(("now", "percent"), [(0.105, 4.76), (0.09, 11.1), (0.0, math.inf)])
def test_how_far_a_figure_is_from_the_metrics(looked: Looked, now: float, percent: float) -> None:
    found = looked({"histogram_quantile": [now]}).difference_percent(5)
    assert not isinstance(found, Unseen)
    assert found["p95 of GET /slots"] == pytest.approx(percent, rel=0.01)


def test_a_figure_whose_series_are_gone_is_infinitely_far(looked: Looked) -> None:
    gone: dict[str, list[float]] = {
        "histogram_quantile": [],
        "sum(count_over_time": [],
        "max(count_over_time": [],
    }
    found = looked(gone)
    assert found.difference_percent(5) == {"p95 of GET /slots": math.inf}
    assert found.without_samples() == ["p95 of GET /slots"]
    covered = found.coverage_percent(95)
    assert covered == {"p95 of GET /slots": 0.0, "the version": 0.0}
    nan = looked({"histogram_quantile": [math.nan]}).difference_percent(5)
    assert nan == {"p95 of GET /slots": math.inf}


def test_a_query_of_several_series_is_unseen(looked: Looked) -> None:
    found = looked({"histogram_quantile": [0.1, 0.2]}).difference_percent(5)
    assert "it gives 2 series" in repr(found)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"promql": "vector(0.1)"}, "its query is not about http_seconds"),
        ({"series": "vector(1)"}, "its series is no plain selector"),
        ({"series": 'a{b="c"} or b'}, "its series is no plain selector"),
        ({"of": "GET /services"}, "its query or its series is not about /services"),
        ({"kind": "memory", "of": "web"}, ""),
        ({"series": 'http_seconds_count{route="/slots",x=~"a{2}"}'}, ""),
    ],
)
def test_a_query_has_to_be_about_its_series(change: dict[str, Any], why: str) -> None:
    assert Written(**{**P95, **change}).flaw == why


def test_figures_that_are_twice_or_share_a_query_are_flawed(looked: Looked) -> None:
    p50 = {**P95, "kind": "p50"}
    assert looked(figures=[P95, P95]).flawed[0] == "p95 of GET /slots (2 times)"
    assert looked(figures=[P95, p50]).flawed == [
        "p95 of GET /slots (it shares its query with another)",
        "p50 of GET /slots (it shares its query with another)",
    ]
    bad = looked(figures=[{**P95, "series": "1"}])
    assert isinstance(bad.coverage_percent(95), Unseen)
    assert len(bad.flawed) == 1


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("no JSON", "write it as golive"),
        ('{"environment": "staging"}', "write it as golive"),
        (json.dumps({**WHOLE, "ended": "2026-11-21T00:00:00+00:00"}), "the earlier one first"),
        (json.dumps({**WHOLE, "ended": "2026-11-29T00:00:00"}), "both with their zone"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_baseline(looked: Looked, file: str, told: str) -> None:
    with pytest.raises(ProbeError, match=told):
        looked(file=file)


def test_an_unknown_version_is_unseen(
    env_with: EnvWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "query", lambda *_: [])
    path = tmp_path / "baseline.json"
    with pytest.raises(ProbeError, match=r"the baseline .*baseline\.json"):
        performance_baseline(env_with(baseline={**DECLARED, "path": str(path)}))
    path.write_text(json.dumps(WHOLE))
    with pytest.raises(ProbeError, match=r"check baseline\.version_metric"):
        performance_baseline(env_with(baseline={**DECLARED, "path": str(path)}))
