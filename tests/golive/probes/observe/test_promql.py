"""What PromQL reads and compares, as far as rules are looked at."""

from __future__ import annotations

import pytest

from golive.probes.observe import promql
from golive.verdicts import ProbeError

P95 = 'histogram_quantile(0.95, sum by (le) (rate(x_bucket{job="up"}[5m])))'


@pytest.mark.parametrize(
    ("expression", "operands"),
    [
        (f"{P95} > 0.05", [P95]),
        ("(a > 5) and on (x) (b / c < 1)", ["a", "b / c"]),
        ("a or vector(0)", ["a or vector(0)"]),
        ("time() - a > 24 * 3600", ["time() - a"]),
        ('a{u=">"} < 0.5 * b unless on () planned == 1', ['a{u=">"}', "0.5 * b"]),
        ("max(up) == bool 0", ["max(up)"]),
        ('absent(up{job="app"})', []),
        ("vector(0) > 1", []),
    ],
)
def test_an_expression_is_split_into_what_it_compares(expression: str, operands: list[str]) -> None:
    assert promql.operands(expression) == operands


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        (f"{P95} > 0.05", {"x_bucket"}),
        ("a:b:c > 0.05", {"a:b:c"}),
        ('{__name__="a", b="c"} > 1', {"a"}),
        ("sum without (up) (a) / ignoring (b) group_left (c) d offset 5m", {"a", "d"}),
        ('label_replace(a, "b", "$1", "c", "up") > 1e3', {"a"}),
        ("time() > vector(2)", set()),
    ],
)
def test_labels_functions_and_texts_are_no_metrics(expression: str, metrics: set[str]) -> None:
    assert promql.metrics(expression) == metrics


def test_windows_are_read_in_every_unit() -> None:
    text = 'rate(a[1h30m]) / rate(b[90s:5s]) + c{d="[3d]"}'
    assert (promql.longest_range_s(text), promql.shortest_range_s(text)) == (5400, 90)
    assert promql.longest_range_s("a > 1") == 0


def test_a_selector_is_read_and_written() -> None:
    found = promql.selector('a{b="c\\"d", e="f"}', "key")
    assert found.labels == {"b": 'c"d', "e": "f"}
    assert str(found) == 'a{b="c\\"d",e="f"}'
    for text in ('a{b=~"c"}', "rate(a[5m])", "a{b}"):
        with pytest.raises(ProbeError, match="no plain selector"):
            promql.selector(text, "monitoring.thresholds.x.failed")
