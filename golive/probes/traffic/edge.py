"""The caching edge (CDN): how it is configured, what it keeps, and what it must never keep."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from golive.environments import EdgeNode, Environment
from golive.probes.traffic.tls import accepted_versions
from golive.probes.transport.http import (
    Address,
    Client,
    Redirect,
    access_token,
    client,
    redirect_of,
    shown,
)
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests

ASSET_REQUESTS = 3
"""The procedure wants a hit by the third request."""
_ROUNDS = 3
"""How often each reader asks for a private path, in turn."""
_ANONYMOUS = "anonymous"
_FROM_CACHE = re.compile(r"\b(refresh)?hit\b|\bstale\b|\bupdating\b|\brevalidated\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A CloudFront distribution's configuration."""

    id: str
    enabled: bool
    aliases: tuple[str, ...]
    minimum_protocol: str
    """CloudFront's name of its security policy, e.g. ``TLSv1.2_2021``."""
    viewer_protocols: dict[str, str]
    """Path pattern of each behaviour to what it does with plain HTTP."""

    @property
    def state(self) -> str:
        return "enabled" if self.enabled else "disabled"

    @property
    def open_to_http(self) -> list[str]:
        """Behaviours that answer plain HTTP, with what they do."""
        safe = {"redirect-to-https", "https-only"}
        return [f"{path}: {do}" for path, do in self.viewer_protocols.items() if do not in safe]

    @property
    def minimum_tls(self) -> float:
        """The oldest TLS version it accepts; 0 for SSL and what cannot be read."""
        match = re.match(r"TLSv(\d+(?:\.\d+)?)", self.minimum_protocol)
        return float(match[1]) if match else 0.0


@dataclass(frozen=True, slots=True)
class Front:
    """One public host on one node."""

    host: str
    node: str
    redirect: Redirect
    tls_versions: tuple[str, ...]
    """Protocol versions that complete a handshake, e.g. ``TLS 1.2``."""

    @property
    def oldest_tls(self) -> float:
        """The oldest TLS version it accepts; 0 for SSL."""
        return min(
            float(v.removeprefix("TLS ")) if v.startswith("TLS ") else 0.0
            for v in self.tls_versions
        )

    def __str__(self) -> str:
        return f"{self.host} on {self.node}"


@dataclass(frozen=True, slots=True)
class CachedAsset:
    """A static asset asked for several times."""

    front: str
    path: str
    caches: tuple[str, ...]
    """What the cache header said, request by request."""

    @property
    def is_hit(self) -> bool:
        return any(_FROM_CACHE.search(said) for said in self.caches)

    def __str__(self) -> str:
        return f"{self.path} at {self.front} ({', '.join(self.caches)})"


@dataclass(frozen=True, slots=True)
class PrivateAnswer:
    """An answer that belongs to one user, as one reader got it at the edge."""

    front: str
    path: str
    reader: str
    status: int
    cache: str
    age_s: int
    cache_control: str
    of_another: bool
    """Whether it is another user's answer."""

    @property
    def from_cache(self) -> bool:
        return self.age_s > 0 or bool(_FROM_CACHE.search(self.cache))

    def __str__(self) -> str:
        return f"{self.path} to {self.reader} at {self.front} ({self.cache})"


@dataclass(frozen=True, slots=True)
class EdgeBehaviour:
    """What was met at every public host on every node."""

    fronts: tuple[Front, ...]
    assets: tuple[CachedAsset, ...]
    private_answers: tuple[PrivateAnswer, ...]
    readers: tuple[str, ...]

    @property
    def without_redirect(self) -> list[str]:
        """Hosts on nodes that do not send plain HTTP to HTTPS, with what they do."""
        return [f"{f}: {f.redirect}" for f in self.fronts if not f.redirect.to_https]

    @property
    def oldest_tls(self) -> dict[str, float]:
        return {str(f): f.oldest_tls for f in self.fronts}

    @property
    def assets_sampled(self) -> dict[str, int]:
        """How many assets were asked for, by host on node."""
        return {str(f): sum(a.front == str(f) for a in self.assets) for f in self.fronts}

    @property
    def never_hit(self) -> list[CachedAsset]:
        return [a for a in self.assets if not a.is_hit]

    @property
    def leaked(self) -> list[str]:
        """Answers that one user got and another should have; repeated ones once."""
        return list(dict.fromkeys(str(a) for a in self.private_answers if a.of_another))

    @property
    def kept(self) -> list[str]:
        """Private answers that came out of the cache; repeated ones once."""
        return list(dict.fromkeys(str(a) for a in self.private_answers if a.from_cache))


@probe()
def cdn_distribution(env: Environment) -> Distribution:
    """The distribution's configuration, from CloudFront."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    cloudfront = boto3.session.Session().client(
        "cloudfront",
        region_name="us-east-1",  # CloudFront is global and signs for this region
        endpoint_url=env.aws.endpoint_url or None,
        aws_access_key_id=env.aws.access_key_id.reveal(),
        aws_secret_access_key=env.aws.secret_access_key.reveal(),
        config=Config(
            connect_timeout=env.time_limits.connect,
            read_timeout=env.time_limits.probe,
            retries={"total_max_attempts": 2},
        ),
    )
    ident = env.edge.distribution_id
    try:
        config = cloudfront.get_distribution_config(Id=ident)["DistributionConfig"]
    except (BotoCoreError, ClientError) as e:
        raise ProbeError(
            f"the CloudFront distribution {ident}",
            e,
            "check edge.distribution_id, and that these credentials may read it",
        ) from None
    behaviours = {
        "default": config["DefaultCacheBehavior"]["ViewerProtocolPolicy"],
        **{
            b["PathPattern"]: b["ViewerProtocolPolicy"]
            for b in config.get("CacheBehaviors", {}).get("Items", [])
        },
    }
    return Distribution(
        id=ident,
        enabled=config["Enabled"],
        aliases=tuple(config.get("Aliases", {}).get("Items", [])),
        minimum_protocol=config.get("ViewerCertificate", {}).get("MinimumProtocolVersion", ""),
        viewer_protocols=dict(behaviours),
    )


@probe()
def edge_behaviour(env: Environment) -> EdgeBehaviour:
    """Requests to every public host on every node of the edge, as two users and as nobody."""
    if len(env.application.accounts) < 2:
        raise ProbeError(
            "whether the edge keeps users apart",
            f"application.accounts names {len(env.application.accounts)} accounts",
            "declare two synthetic accounts",
        )
    readers = _readers(env)
    pairs = [(host, node) for host in env.edge.hosts for node in env.edge.nodes]
    with ThreadPoolExecutor(max_workers=4) as pool:
        seen = list(pool.map(lambda pair: _visit(env, pair[0], pair[1], readers), pairs))
    return EdgeBehaviour(
        fronts=tuple(front for front, _, _ in seen),
        assets=tuple(asset for _, assets, _ in seen for asset in assets),
        private_answers=tuple(answer for _, _, answers in seen for answer in answers),
        readers=tuple(r.name for r in readers),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """A synthetic user: how requests say who it is, and what the origin answers it."""

    name: str
    token: str
    origin: dict[str, str]
    """Private path to the body that the origin, asked past the edge, has for this user."""


def _readers(env: Environment) -> list[_Reader]:
    readers: list[_Reader] = []
    with client(env) as http:
        for account in env.application.accounts[:2]:
            token = access_token(env, http, env.balancer.url, account)
            bodies: dict[str, str] = {}
            for path in _private_paths(env):
                answer = http.get(env.balancer.url + path, _credentials(env, path, token))
                _insist(answer, 200, env.balancer.url + path, account.email)
                bodies[path] = answer.text
            readers.append(_Reader(account.email, token, bodies))
    alike = [p for p in _private_paths(env) if readers[0].origin[p] == readers[1].origin[p]]
    if alike:
        raise ProbeError(
            f"whether the edge keeps {readers[0].name} and {readers[1].name} apart",
            f"both get the same answer at {', '.join(alike)}",
            "give the synthetic accounts different data, a booking each",
        )
    return readers


def _private_paths(env: Environment) -> list[str]:
    return [*env.application.paths.never_cached, *env.application.paths.signed_in_pages]


def _credentials(env: Environment, path: str, token: str) -> dict[str, str]:
    # Only the one way that this path is used with: a cache that minds the other only is found.
    if path in env.application.paths.signed_in_pages:
        return {"Cookie": f"{env.application.session_cookie}={token}"}
    return {"Authorization": f"Bearer {token}"}


def _visit(
    env: Environment, host: str, node: EdgeNode, readers: list[_Reader]
) -> tuple[Front, list[CachedAsset], list[PrivateAnswer]]:
    with client(env, Address(node.host, node.http_port)) as http:
        redirect = redirect_of(http, _url("http", host, node.http_port))
    front = Front(
        host=host,
        node=node.name,
        redirect=redirect,
        tls_versions=accepted_versions(host, node.host, node.port, env.time_limits.connect),
    )
    base = _url("https", host, node.port)
    with client(env, Address(node.host, node.port)) as http:
        assets = _assets(env, http, base, str(front))
        answers = [
            answer
            for path in _private_paths(env)
            for answer in _ask_in_turn(env, http, base, str(front), path, readers)
        ]
    return front, assets, answers


def _assets(env: Environment, http: Client, base: str, front: str) -> list[CachedAsset]:
    page = http.get(base + env.edge.assets_from)
    _insist(page, 200, base + env.edge.assets_from, _ANONYMOUS)
    found = _AssetFinder.paths(page.text, base + env.edge.assets_from)[: env.edge.asset_sample]
    assets: list[CachedAsset] = []
    for path in found:
        caches: list[str] = []
        for _ in range(ASSET_REQUESTS):
            answer = http.get(base + path)
            _insist(answer, 200, base + path, _ANONYMOUS)
            caches.append(answer.headers.get(env.edge.cache_header, "no cache header"))
        assets.append(CachedAsset(front, path, tuple(caches)))
    return assets


def _ask_in_turn(
    env: Environment, http: Client, base: str, front: str, path: str, readers: list[_Reader]
) -> Iterator[PrivateAnswer]:
    for _ in range(_ROUNDS):
        for reader in readers:
            answer = http.get(base + path, _credentials(env, path, reader.token))
            _insist(answer, 200, base + path, reader.name)
            others = [r for r in readers if r is not reader]
            theirs = any(_belongs_to(answer.text, path, other, reader) for other in others)
            yield _private(env, front, path, reader.name, answer, theirs)
    answer = http.get(base + path)
    theirs = any(_belongs_to(answer.text, path, reader, None) for reader in readers)
    yield _private(env, front, path, _ANONYMOUS, answer, theirs)


def _belongs_to(body: str, path: str, owner: _Reader, reader: _Reader | None) -> bool:
    """Whether an answer is the owner's, and not by rights the reader's too."""
    if reader is not None and body == reader.origin[path]:
        return False
    return body == owner.origin[path] or owner.name.lower() in html.unescape(body).lower()


def _private(
    env: Environment, front: str, path: str, reader: str, answer: requests.Response, theirs: bool
) -> PrivateAnswer:
    age = answer.headers.get("Age", "0")
    return PrivateAnswer(
        front=front,
        path=path,
        reader=reader,
        status=answer.status_code,
        cache=answer.headers.get(env.edge.cache_header, "no cache header"),
        age_s=int(age) if age.isdigit() else 0,
        cache_control=answer.headers.get("Cache-Control", ""),
        of_another=theirs,
    )


def members(env: Environment) -> list[str]:
    """The declared nodes of the edge that answer for the first public host."""
    found = []
    for node in env.edge.nodes:
        at = Address(node.host, node.http_port)
        with suppress(ProbeError), client(env, at) as http:
            http.get(f"http://{env.edge.hosts[0]}/")
            found.append(node.name)
    return found


def _insist(answer: requests.Response, status: int, url: str, reader: str) -> None:
    if answer.status_code != status:
        raise ProbeError(
            f"{shown(url)} as {reader}",
            f"status {answer.status_code}; an answer of status {status} is needed to look at",
            "check the path and the accounts in the environment file",
        )


def _url(scheme: str, host: str, port: int) -> str:
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"


class _AssetFinder(HTMLParser):
    """Collects what a page loads besides itself."""

    _ATTRIBUTES = {"link": "href", "script": "src", "img": "src", "source": "src"}  # noqa: RUF012
    _LOADED = frozenset({"stylesheet", "icon", "preload", "modulepreload", "apple-touch-icon"})

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        reference = given.get(self._ATTRIBUTES.get(tag, ""))
        loaded = tag != "link" or self._LOADED & set((given.get("rel") or "").lower().split())
        if reference and loaded:
            self.references.append(reference)

    @classmethod
    def paths(cls, text: str, url: str) -> list[str]:
        """Paths with queries, each once, of the assets on the page's own host."""
        finder = cls()
        finder.feed(text)
        found: dict[str, None] = {}
        for reference in finder.references:
            parts = urlsplit(urljoin(url, reference))
            if parts.netloc == urlsplit(url).netloc:
                found[f"{parts.path}?{parts.query}" if parts.query else parts.path] = None
        return list(found)
