"""What the performance baseline adds to its document, and what makes it one to compare with."""

from __future__ import annotations

from collections.abc import Iterator

from golive.claims import Claim, at_least, each_at_least, each_at_most, equal, none_of
from golive.deliverables import Write, with_tables
from golive.probes.observe.baseline import PerformanceBaseline
from golive.reports.documents import Figure, Table


def document(baseline: PerformanceBaseline) -> Write:
    """A document over its items and over the figures of the baseline."""
    rows: list[list[str | float]] = [
        [f.written.kind, f.written.of, f.written.value, f.written.promql] for f in baseline.figures
    ]
    return with_tables(
        Table(title="Baseline", columns=["figure", "of", "value", "query"], rows=rows),
        figures=[
            Figure(name="version of the baseline", value=baseline.version),
            Figure(name="baseline until", value=f"{baseline.ended:%F %T}"),
            Figure(name="length of the baseline", value=round(baseline.days, 2), unit="d"),
        ],
        inputs={"baseline": baseline.sha256},
    )


def claims(
    baseline: PerformanceBaseline,
    environment: str,
    *,
    days: float,
    coverage_percent: float,
    difference_percent: float,
) -> Iterator[Claim]:
    """It is of this environment and of the version that serves, long enough, whole, and what the
    metrics tell.

    :param days: that it has to be over.
    :param coverage_percent: of its moments, that need a sample.
    :param difference_percent: that a figure may be from what the metrics tell.
    """
    figures, of = baseline.figures, "figures"
    yield equal("environment of the baseline", baseline.environment, environment)
    yield equal("versions now serving", baseline.serving, (baseline.version,))
    yield at_least("length of the baseline", baseline.days, days, "d")
    lacking, wanted = baseline.lacking, baseline.wanted
    yield none_of("figures that the baseline lacks", lacking, among=wanted, of=of)
    yield none_of("figures that no query can give", baseline.flawed, among=figures, of=of)
    yield none_of("figures without a sample", baseline.without_samples(), among=figures, of=of)
    covered = baseline.coverage_percent(coverage_percent)
    yield each_at_least("coverage of the baseline", covered, coverage_percent, "%")
    apart = baseline.difference_percent(difference_percent)
    yield each_at_most("difference from the metrics", apart, difference_percent, "%")
