from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.traffic.edge import (
    CachedAsset,
    Distribution,
    EdgeBehaviour,
    Front,
    PrivateAnswer,
    _AssetFinder,
    cdn_distribution,
    edge_behaviour,
)
from golive.probes.transport.http import Redirect
from golive.verdicts import ProbeError

HOSTS = ["app.example", "www.example"]
CDN = Distribution("E1", True, tuple(HOSTS), "TLSv1.2_2021", {"default": "redirect-to-https"})
FRONTS = tuple(
    Front(h, "edge-1", Redirect(h, 301, f"https://{h}/"), ("TLS 1.2", "TLS 1.3")) for h in HOSTS
)
ASSETS = tuple(
    CachedAsset(str(f), f"/static/{n}.css", ("Miss from cloudfront", "Hit from cloudfront"))
    for f in FRONTS
    for n in range(10)
)
ANSWER = PrivateAnswer(
    front=str(FRONTS[0]),
    path="/me",
    reader="b@example.com",
    status=200,
    cache="BYPASS",
    age_s=0,
    cache_control="no-store",
    of_another=False,
)
EDGE = EdgeBehaviour(FRONTS, ASSETS, (ANSWER,), ("a@example.com", "b@example.com"))
ACCOUNTS = [
    {"email": f"{one}@example.com", "password": {"env": "GOLIVE_TEST_SECRET"}} for one in "ab"
]

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def front(**changes: Any) -> EdgeBehaviour:
    return replace(EDGE, fronts=(replace(FRONTS[0], **changes), FRONTS[1]))


def asset(*caches: str) -> EdgeBehaviour:
    return replace(EDGE, assets=(replace(ASSETS[0], caches=caches), *ASSETS[1:]))


def answer(**changes: Any) -> EdgeBehaviour:
    return replace(EDGE, private_answers=(ANSWER, replace(ANSWER, **changes)))


@pytest.fixture
def judge(judged: Judge, env_with: EnvWith) -> Callable[..., Claim | None]:
    env = env_with(edge={"hosts": HOSTS})

    def of(cdn: Distribution = CDN, edge: EdgeBehaviour = EDGE) -> Claim | None:
        return judged("D-14.1.4", cdn_distribution=cdn, edge_behaviour=edge, env=env)

    return of


def test_a_sound_edge_is_green(judge: Callable[..., Claim | None]) -> None:
    assert judge() is None


@pytest.mark.parametrize(
    ("cdn", "subject", "observed"),
    [
        ({"enabled": False}, "distribution E1", "disabled"),
        ({"aliases": ("www.example",)}, "aliases", "missing app.example"),
        ({"aliases": (*HOSTS, "old.example")}, "aliases", "not declared old.example"),
        ({"viewer_protocols": {"/api/*": "allow-all"}}, "HTTP", "/api/*: allow-all"),
        ({"minimum_protocol": "TLSv1_2016"}, "TLSv1_2016", "1"),
        ({"minimum_protocol": "TLSv1.1_2016"}, "TLSv1.1_2016", "1.1"),
        ({"minimum_protocol": "SSLv3"}, "SSLv3", "0"),
    ],
)
def test_each_clause_of_the_distribution_reddens(
    judge: Callable[..., Claim | None], cdn: dict[str, Any], subject: str, observed: str
) -> None:
    broken = judge(cdn=replace(CDN, **cdn))
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("edge", "subject", "observed"),
    [
        (front(redirect=Redirect("app.example", 200, "")), "without redirect", "app.example on"),
        (front(tls_versions=("TLS 1.1", "TLS 1.2")), "oldest TLS", "app.example on edge-1 1.1"),
        (front(tls_versions=("SSL 3.0", "TLS 1.2")), "oldest TLS", "app.example on edge-1 0"),
        (replace(EDGE, assets=ASSETS[1:]), "assets sampled", "app.example on edge-1 9"),
        (replace(EDGE, assets=()), "assets sampled", "edge-1 0"),
        (asset("MISS", "MISS", "MISS"), "never a hit", "/static/0.css at app.example"),
        (asset("no cache header"), "never a hit", "no cache header"),
        (answer(of_another=True), "another user's", "/me to b@example.com at app.example"),
        (answer(cache="HIT"), "from the cache", "(HIT)"),
        (answer(cache="RefreshHit from cloudfront"), "from the cache", "RefreshHit"),
        (answer(cache="no cache header", age_s=3), "from the cache", "/me"),
        (replace(EDGE, private_answers=()), "another user's", "no private answers"),
        (replace(EDGE, fronts=()), "without redirect", "no hosts"),
    ],
)
def test_each_clause_of_the_behaviour_reddens(
    judge: Callable[..., Claim | None], edge: EdgeBehaviour, subject: str, observed: str
) -> None:
    broken = judge(edge=edge)
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


def test_what_a_page_loads_is_found() -> None:
    page = """
      <link rel="stylesheet" href="/a.css?v=1"><link rel="canonical" href="/page">
      <link rel="ICON" href="b.svg"><script src="//www.example/c.js"></script><script>x</script>
      <img src="https://elsewhere.example/d.png"><img src="data:image/png;base64,AA=="><img>
      <img src="/a.css?v=1"><a href="/e">e</a>"""
    found = _AssetFinder.paths(page, "https://www.example/shop/")
    assert found == ["/a.css?v=1", "/shop/b.svg", "/c.js"]


def test_one_account_cannot_show_that_two_are_kept_apart(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match="declare two synthetic accounts"):
        edge_behaviour(env_with(application={"accounts": ACCOUNTS[:1]}))


def test_nothing_answers(env_with: EnvWith, paths: dict[str, Any], dead_port: int) -> None:
    url = f"http://127.0.0.1:{dead_port}"
    application = {"accounts": ACCOUNTS, "paths": paths}
    env = env_with(application=application, balancer={"url": url}, aws={"endpoint_url": url})
    with pytest.raises(ProbeError, match="refused"):
        edge_behaviour(env)
    with pytest.raises(ProbeError, match="the CloudFront distribution x: Could not connect"):
        cdn_distribution(env)
