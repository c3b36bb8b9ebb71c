"""Day +1, on literal papers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from golive import launch
from golive.papers import aftermath
from golive.papers.messages import Message
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from tests.checks import SUITES, broken

LIMITS = launch.load(SUITES / "launch.toml").limits
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
    facts = {"papers": shelf(findings, timedelta(hours=24)), "limits": LIMITS}
    assert judge("D+1.3.5", market_sources=sources, **facts) == broken


def shelf(findings: list[Any], after: timedelta, cutover: datetime | None = AT) -> Any:
    """The papers: an evaluation so long after the cutover, and the announcement that tells it."""
    paper = aftermath.MarketResponse(
        evaluated_at=AT + after, visits=1, reviews=0, findings=findings
    )
    known = {aftermath.MarketResponse: paper, Message: SimpleNamespace(cutover_at=cutover)}
    return SimpleNamespace(read=lambda kind, *_: SimpleNamespace(data=known[kind]))


@pytest.mark.parametrize(
    ("after", "cutover", "broken"),
    [
        (timedelta(hours=24, seconds=-1), AT, "hours from the cutover"),
        (timedelta(hours=24), None, "time of the cutover"),
    ],
)
def test_a_day_has_passed_since_the_cutover(
    after: timedelta, cutover: datetime | None, broken: str
) -> None:
    sources = Answers({s: Link(s, 200, s) for f in MARKET for s in f.sources}, {})
    facts = {"papers": shelf(MARKET, after, cutover), "limits": LIMITS}
    assert judge("D+1.3.5", market_sources=sources, **facts) == broken
