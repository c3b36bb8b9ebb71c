"""A journey in real Chromium over pages of this machine: what leaves, and what a policy holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from golive.environments import Environment
from golive.probes.saas.analytics import analytics_visits
from golive.verdicts import ProbeError
from rehearsal.kernel.binaries import find
from tests.golive.probes.answering import Service, answering

PAGE = b"""<!doctype html><div id=c><button value=yes>Yes</button><button value=no>No</button></div>
<script src=/s.js></script>"""
SCRIPT = """
const hits = () => {
  const tag = document.createElement("script"); tag.src = "URL/gtm.js?id=GTM-1";
  document.head.append(tag);
  const n = localStorage.n = 1 + Number(localStorage.n || 0);
  fetch("URL/g/collect?tid=G-1&cu=USD", {method: "POST", mode: "no-cors", body:
    `en=page_view\\nen=purchase&epn.value=9&ep.transaction_id=${crypto.randomUUID()}`});
  new Image().src = `URL/tr?id=7&ev=Purchase&cd[value]=9&cd[currency]=USD&eid=${Math.random()}`;
};
for (const b of document.querySelectorAll("button")) b.onclick = () => b.value === "yes" && hits();
"""


@pytest.fixture
def shop() -> Iterator[Service]:
    with answering() as service:
        service.says("/", PAGE, Content_Type="text/html")
        service.says("/gtm.js?id=GTM-1", b"", Content_Type="text/javascript")
        script = SCRIPT.replace("URL", service.url).encode()
        service.says("/s.js", script, Content_Type="text/javascript")
        yield service


@pytest.fixture
def env(shop: Service, env_with: Callable[..., Environment]) -> Environment:
    found = find("chromium")
    step = {"name": "paid", "path": "/", "ga4": "purchase", "meta": "Purchase"}
    return env_with(
        browser={"program": str(found.path), "variables": dict(found.environment)},
        application={"url": shop.url},
        edge={"hosts": []},
        analytics={
            "container": "GTM-1",
            "measurement_id": "G-1",
            "pixel_id": "7",
            "accept": "button[value=yes]",
            "refuse": "button[value=no]",
            "steps": [{**step, "is_purchase": True}],
            "container_urls": [f"{shop.url}/gtm.js"],
            "ga4_urls": [f"{shop.url}/g/collect"],
            "meta_urls": [f"{shop.url}/tr"],
        },
    )


def test_what_leaves_after_consent_is_taken_down_and_goes_no_further(
    env: Environment, shop: Service
) -> None:
    found = analytics_visits(env)
    assert (found.undecided, found.refused, found.miscounted) == ((), (), [])
    assert (found.containers, found.measurement_ids, found.pixel_ids) == (
        *(("GTM-1",), ("G-1",), ("7",)),
    )
    assert (found.incomplete_purchases, found.personal, len(found.purchases)) == ([], [], 4)
    assert not [path for path in shop.asked if path.startswith(("/g/collect", "/tr"))]


def test_what_the_pages_policy_holds_back_has_not_left(env: Environment, shop: Service) -> None:
    policy = "img-src 'self' data:; connect-src 'none'"
    shop.says("/", PAGE, Content_Type="text/html", Content_Security_Policy=policy)
    found = analytics_visits(env)
    assert "paid: 0 of GA4 purchase" in found.miscounted


def test_a_choice_that_is_not_there_is_told(env: Environment, shop: Service) -> None:
    shop.says("/", b"<p>nothing to choose</p>", Content_Type="text/html")
    with pytest.raises(ProbeError, match=r"check analytics\.steps, accept and refuse"):
        analytics_visits(env)
