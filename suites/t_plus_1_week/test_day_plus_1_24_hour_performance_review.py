"""Day +1 Morning: 24-Hour Performance Review (Technical Lead)."""

from __future__ import annotations

from golive.claims import at_least, holds, none_of, same_set
from golive.items import attested
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.aftermath import MarketResponse
from golive.papers.messages import Message
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers

TEAM = "message-team.md"
AREAS = ("press", "social", "reviews", "competitors")


@attested(
    "D+1.3.5",
    "press, social media, reviews and competitors were evaluated at least 24 hours after the "
    "cutover, each with a cited source, and the visits and review counts quoted are within 10 "
    "% of what GA4 and Google report",
    by=("product_manager",),
    papers=("market-response.md",),
)
def test_every_part_of_the_market_was_evaluated_from_sources(
    papers: Papers, market_sources: Answers[Link], limits: Limits
) -> None:
    """The evaluation's areas, when it was made, and whether each source that it cites is there.
    The time of the cutover is that of the team's announcement.

    Remedy: evaluate the area that is missing; cite a page that answers; wait until a day is over.
    Then sign it again.
    """
    paper = papers.read(MarketResponse).data
    cutover = papers.read(Message, TEAM).data.cutover_at
    assert holds("time of the cutover", cutover, cutover, f"cutover_at in {TEAM}")
    hours = (paper.evaluated_at - cutover).total_seconds() / 3600 if cutover else float("nan")
    assert at_least("hours from the cutover", hours, limits.announcements.market_h, "h")
    found = paper.findings
    assert same_set("parts of the market", {f.area for f in found}, AREAS)
    bare = [f.area for f in found if not f.sources]
    assert none_of("findings without a source", bare, among=found, of="findings")
    cited = market_sources.of(s for f in found for s in f.sources)
    gone = [page for page in cited.values() if not page.is_there]
    assert none_of("sources that are not there", gone, among=cited, of="sources")
