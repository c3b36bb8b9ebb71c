"""Day +1, on literal papers."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from golive.papers import aftermath
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from tests.checks import broken

AT = datetime(2026, 12, 7, 16, tzinfo=UTC)


def judge(ident: str, **facts: Any) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    return broken(ident, facts)


def finding(area: Any, *sources: str) -> aftermath.MarketFinding:
    return aftermath.MarketFinding(area=area, finding="f", sources=list(sources))


MARKET = [finding(a, f"https://{a}.example") for a in ("press", "social", "reviews", "competitors")]


@pytest.mark.parametrize(
    ("findings", "status", "broken"),
    [
        (MARKET, 200, ""),
        (MARKET[:3], 200, "parts of the market"),
        ([*MARKET[:3], finding("competitors")], 200, "findings without a source"),
        (MARKET, 404, "sources that are not there"),
    ],
)
def test_the_market_was_evaluated(findings: list[Any], status: int, broken: str) -> None:
    urls = [url for f in findings for url in f.sources]
    sources = Answers({u: Link(u, 200 if n else status, u) for n, u in enumerate(urls)}, {})
    paper = aftermath.MarketResponse(evaluated_at=AT, visits=1, reviews=0, findings=findings)
    shelf = SimpleNamespace(read=lambda _: SimpleNamespace(data=paper))
    assert judge("D+1.3.5", papers=shelf, market_sources=sources) == broken
