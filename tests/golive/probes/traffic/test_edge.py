from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.traffic import edge as edge_probe
from golive.probes.traffic.api_caching import ApiCaching, RouteLook
from golive.probes.traffic.edge import (
    NO_WORD,
    CachedAsset,
    Distribution,
    EdgeBehaviour,
    Front,
    PrivateAnswer,
    cache_words,
    cdn_distribution,
    edge_behaviour,
)
from golive.probes.traffic.plain_http import PlainHttp, PlainTraffic
from golive.probes.traffic.surface import AssetFinder
from golive.verdicts import ProbeError, Unseen

HOSTS = ["app.example", "www.example"]
CDN = Distribution("E1", True, tuple(HOSTS), "TLSv1.2_2021", {"default": "redirect-to-https"})
FRONTS = tuple(Front(h, "edge-1", ("TLS 1.2", "TLS 1.3")) for h in HOSTS)
NOBODY = Unseen(ProbeError("plain HTTP at the balancer", "refused"))
AT_EDGE = PlainHttp(
    addresses=tuple(f"{h} on edge-1" for h in HOSTS),
    paths={"API": 3, "page": 2},
    open=(),
    sent_to=("www.example:443",),
)
PLAIN = PlainTraffic("3 of API, 2 of page", AT_EDGE, NOBODY)
ROUTES = tuple(RouteLook(f"/api/{n}", "") for n in range(9))
API = ApiCaching((*ROUTES, RouteLook("/api/{id}", "no value for id")), ("a", "b"), 90, (), ())
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

    def of(
        cdn: Distribution = CDN,
        edge: EdgeBehaviour = EDGE,
        plain: PlainTraffic = PLAIN,
        api: ApiCaching = API,
    ) -> Claim | None:
        facts = {"cdn_distribution": cdn, "edge_behaviour": edge}
        return judged("D-14.1.4", **facts, plain_http=plain, api_caching=api, env=env)

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
        (replace(EDGE, fronts=()), "oldest TLS", "nothing was measured"),
    ],
)
def test_each_clause_of_the_behaviour_reddens(
    judge: Callable[..., Claim | None], edge: EdgeBehaviour, subject: str, observed: str
) -> None:
    broken = judge(edge=edge)
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("facts", "subject", "observed"),
    [
        (
            {"plain": replace(PLAIN, edge=replace(AT_EDGE, open=("/api/3 (API) of app: 200",)))},
            "not sent to HTTPS",
            "/api/3 (API) of app: 200 (10 requests over plain HTTP)",
        ),
        (
            {"plain": replace(PLAIN, edge=replace(AT_EDGE, paths={}))},
            "not sent to HTTPS",
            "no requests over plain HTTP to look at",
        ),
        ({"api": replace(API, kept=("/api/3 to a at www (HIT)",))}, "from the cache", "/api/3 to"),
        ({"api": replace(API, leaked=("/api/3 to b at www (a's)",))}, "leak", "/api/3 to b"),
        ({"api": replace(API, answers=0)}, "routes of the API document", "9 of 10"),
    ],
)
def test_one_open_path_and_one_kept_route_redden(
    judge: Callable[..., Claim | None], facts: dict[str, Any], subject: str, observed: str
) -> None:
    broken = judge(**facts)
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"plain": replace(PLAIN, classes=NOBODY)}, "plain HTTP at the balancer"),
        ({"plain": replace(PLAIN, edge=NOBODY)}, "plain HTTP at the balancer"),
        (
            {"api": replace(API, routes=(*ROUTES[:7], *(RouteLook(f"/{n}", "403") for n in "ab")))},
            "only 7 of 9 GET routes; not /a (403), /b (403), where 80 % are needed",
        ),
    ],
)
def test_what_is_not_whole_is_not_green(
    judge: Callable[..., Claim | None], facts: dict[str, Any], says: str
) -> None:
    unseen = judge(**facts)
    assert unseen is not None
    assert unseen.unseen is not None
    assert says in unseen.observed


def test_a_cdn_that_is_known_by_its_behaviour_alone_is_judged_by_that(
    judge: Callable[..., Claim | None],
) -> None:
    cdn: Any = NOBODY
    claim = judge(cdn=cdn)
    assert claim is not None
    assert claim.unseen is NOBODY.error
    for edge, says in (
        (answer(of_another=True), "/me to b@example.com"),
        (asset("MISS", "MISS", "MISS"), "/static/0.css"),
        (replace(asset("MISS"), private_answers=NOBODY), "/static/0.css"),
        (replace(answer(cache="HIT"), assets=NOBODY), "(HIT)"),
    ):
        broken = judge(cdn=cdn, edge=edge)
        assert broken is not None
        assert broken.broken
        assert says in broken.observed


def test_an_edge_that_does_not_tell_where_answers_are_from_is_unseen(
    judge: Callable[..., Claim | None],
) -> None:
    silent = tuple(replace(a, caches=(NO_WORD,) * 3) for a in ASSETS)
    claim = judge(edge=replace(EDGE, assets=silent))
    assert claim is not None
    assert claim.unseen is not None
    assert "name the header in edge.cache_header" in claim.see
    leak = replace(answer(of_another=True, cache=NO_WORD), assets=silent)
    broken = judge(edge=leak)
    assert broken is not None
    assert broken.subject == "another user's answers"


@pytest.mark.parametrize(
    ("headers", "says", "is_hit"),
    [
        ({"X-Mine": "hit"}, "hit", True),
        ({"CF-Cache-Status": "HIT"}, "HIT", True),
        ({"CF-Cache-Status": "DYNAMIC", "Age": "0"}, "DYNAMIC", False),
        ({"X-Vercel-Cache": "STALE"}, "STALE", True),
        ({"Cache-Status": "edge; hit; ttl=30"}, "edge; hit; ttl=30", True),
        ({"Cache-Status": "edge; fwd=stale"}, "edge; forwarded", False),
        ({"Age": "12"}, "a hit by its age of 12 s", True),
        ({"Age": "0"}, NO_WORD, False),
        ({}, NO_WORD, False),
    ],
)
def test_caches_tell_where_an_answer_is_from_in_many_ways(
    env_with: EnvWith, headers: dict[str, str], says: str, is_hit: bool
) -> None:
    found = requests.Response()
    found.headers.update(headers)
    env = env_with(edge={"hosts": HOSTS, "cache_header": "X-Mine"})
    assert cache_words(env, found) == says
    assert CachedAsset("f", "/a", (says,)).is_hit is is_hit


def test_what_a_page_loads_is_found() -> None:
    page = """
      <link rel="stylesheet" href="/a.css?v=1"><link rel="canonical" href="/page">
      <link rel="ICON" href="b.svg"><script src="//www.example/c.js"></script><script>x</script>
      <img src="https://elsewhere.example/d.png"><img src="data:image/png;base64,AA=="><img>
      <img src="/a.css?v=1"><a href="/e">e</a>"""
    found = AssetFinder.paths(page, "https://www.example/shop/")
    assert found == ["/a.css?v=1", "/shop/b.svg", "/c.js"]


def test_one_account_cannot_show_that_two_are_kept_apart(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_probe, "_front", lambda *_: FRONTS[0])
    monkeypatch.setattr(edge_probe, "_assets", lambda *_: list(ASSETS[:1]))
    section = {"hosts": HOSTS, "nodes": [{"name": "edge-1", "host": "127.0.0.1"}]}
    found = edge_behaviour(env_with(application={"accounts": ACCOUNTS[:1]}, edge=section))
    assert found.assets == ASSETS[:1] * 2
    assert isinstance(found.leaked, Unseen)
    assert "declare two synthetic accounts" in found.leaked.error.next_step


def test_nothing_answers(env_with: EnvWith, paths: dict[str, Any], dead_port: int) -> None:
    url = f"http://127.0.0.1:{dead_port}"
    application = {"accounts": ACCOUNTS, "paths": paths}
    env = env_with(application=application, balancer={"url": url}, aws={"endpoint_url": url})
    with pytest.raises(ProbeError, match="refused"):
        edge_behaviour(env)
    with pytest.raises(ProbeError, match="the CloudFront distribution x: Could not connect"):
        cdn_distribution(env)
