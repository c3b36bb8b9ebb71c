"""The caching edge (CDN): how it is configured, what it keeps, and what it must never keep."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from golive.environments import EdgeNode, Environment
from golive.probes.traffic.surface import AssetFinder, site_url
from golive.probes.traffic.tls import accepted_versions
from golive.probes.transport.http import (
    Address,
    Client,
    access_token,
    client,
    shown,
)
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
ASSET_REQUESTS = 3
"""The procedure wants a hit by the third request."""
_ROUNDS = 3
"""How often each reader asks for a private path, in turn."""
_ANONYMOUS = "anonymous"
FROM_CACHE = re.compile(r"\b(refresh)?hit\b|\bstale\b|\bupdating\b|\brevalidated\b", re.IGNORECASE)


NO_WORD = "no cache header"
_SILENT = Unseen(
    ProbeError(
        "whether the edge's answers come from its cache",
        "none of its answers has a header that tells",
        "name the header in edge.cache_header, or have the edge send one",
    )
)


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
    def named(self) -> str:
        """As a claim's subject."""
        return f"distribution {self.id}"

    @property
    def tls_policy(self) -> str:
        """Its security policy, as a claim's subject."""
        return f"TLS version of policy {self.minimum_protocol}"

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
        return any(FROM_CACHE.search(said) for said in self.caches)

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
        return self.age_s > 0 or bool(FROM_CACHE.search(self.cache))

    def __str__(self) -> str:
        return f"{self.path} to {self.reader} at {self.front} ({self.cache})"


@dataclass(frozen=True, slots=True)
class EdgeBehaviour:
    """What was met at every public host on every node."""

    fronts: tuple[Front, ...]
    assets: tuple[CachedAsset, ...] | Unseen
    private_answers: tuple[PrivateAnswer, ...] | Unseen
    readers: tuple[str, ...]

    @property
    def oldest_tls(self) -> dict[str, float]:
        return {str(f): f.oldest_tls for f in self.fronts}

    @property
    def assets_sampled(self) -> dict[str, int] | Unseen:
        """How many assets were asked for, by host on node."""
        if isinstance(self.assets, Unseen):
            return self.assets
        return {str(f): sum(a.front == str(f) for a in self.assets) for f in self.fronts}

    @property
    def never_hit(self) -> list[CachedAsset] | Unseen:
        if isinstance(self.assets, Unseen):
            return self.assets
        return [a for a in self.assets if not a.is_hit] if self.tells else _SILENT

    @property
    def tells(self) -> bool:
        """Whether any answer that should come from the cache tells where it is from."""
        found = () if isinstance(self.assets, Unseen) else self.assets
        return not found or any(said != NO_WORD for a in found for said in a.caches)

    @property
    def leaked(self) -> list[str] | Unseen:
        """Answers that one user got and another should have; repeated ones once."""
        if isinstance(self.private_answers, Unseen):
            return self.private_answers
        return list(dict.fromkeys(str(a) for a in self.private_answers if a.of_another))

    @property
    def kept(self) -> list[str] | Unseen:
        """Private answers that came out of the cache; repeated ones once."""
        if isinstance(self.private_answers, Unseen):
            return self.private_answers
        found = list(dict.fromkeys(str(a) for a in self.private_answers if a.from_cache))
        return found if found or self.tells else _SILENT


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
    readers = seen(_readers, env)
    pairs = [(host, node) for host in env.edge.hosts for node in env.edge.nodes]

    def visited(look: Callable[[str, EdgeNode], T]) -> list[T]:
        with ThreadPoolExecutor(max_workers=4) as pool:
            return list(pool.map(lambda pair: look(*pair), pairs))

    def met() -> tuple[PrivateAnswer, ...]:
        if isinstance(readers, Unseen):
            raise readers.error
        answers = visited(lambda host, node: _private_answers(env, host, node, readers))
        return tuple(answer for found in answers for answer in found)

    assets = seen(visited, lambda host, node: _assets(env, host, node))
    private = seen(met)
    if isinstance(private, Unseen) and (isinstance(assets, Unseen) or not assets):
        raise private.error  # nothing that answers could be looked at
    return EdgeBehaviour(
        fronts=tuple(visited(lambda host, node: _front(env, host, node))),
        assets=assets if isinstance(assets, Unseen) else tuple(a for f in assets for a in f),
        private_answers=private,
        readers=() if isinstance(readers, Unseen) else tuple(r.name for r in readers),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """A synthetic user: how requests say who it is, and what the origin answers it."""

    name: str
    token: str
    origin: dict[str, str]
    """Private path to the body that the origin, asked past the edge, has for this user."""


def _readers(env: Environment) -> list[_Reader]:
    """:raises ProbeError: there are no two users whose answers differ."""
    if len(env.application.accounts) < 2:
        raise ProbeError(
            "whether the edge keeps users apart",
            f"application.accounts names {len(env.application.accounts)} accounts",
            "declare two synthetic accounts",
        )
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


def _front(env: Environment, host: str, node: EdgeNode) -> Front:
    limit_s = env.time_limits.connect
    return Front(
        host=host,
        node=node.name,
        tls_versions=accepted_versions(host, node.host, node.port, limit_s),
    )


def _private_answers(
    env: Environment, host: str, node: EdgeNode, readers: list[_Reader]
) -> list[PrivateAnswer]:
    base = site_url("https", host, node.port)
    with client(env, Address(node.host, node.port)) as http:
        return [
            answer
            for path in _private_paths(env)
            for answer in _ask_in_turn(env, http, base, _front_name(host, node), path, readers)
        ]


def _assets(env: Environment, host: str, node: EdgeNode) -> list[CachedAsset]:
    base = site_url("https", host, node.port)
    with client(env, Address(node.host, node.port)) as http:
        page = http.get(base + env.edge.assets_from)
        _insist(page, 200, base + env.edge.assets_from, _ANONYMOUS)
        found = AssetFinder.paths(page.text, base + env.edge.assets_from)[: env.edge.asset_sample]
        assets: list[CachedAsset] = []
        for path in found:
            caches: list[str] = []
            for _ in range(ASSET_REQUESTS):
                answer = http.get(base + path)
                _insist(answer, 200, base + path, _ANONYMOUS)
                caches.append(cache_words(env, answer))
            assets.append(CachedAsset(_front_name(host, node), path, tuple(caches)))
    return assets


def _front_name(host: str, node: EdgeNode) -> str:
    return f"{host} on {node.name}"


_CACHE_HEADERS = ("CF-Cache-Status", "X-Vercel-Cache", "CDN-Cache", "X-Cache-Status", "X-Cache")
"""By which caches tell where an answer is from, besides Cache-Status (RFC 9211)."""


def cache_words(env: Environment, answer: requests.Response) -> str:
    """What an answer tells of the cache: in the declared header, in one that caches are known to
    use, or by its age alone."""
    for name in (env.edge.cache_header, "Cache-Status", *_CACHE_HEADERS):
        if said := answer.headers.get(name):
            return re.sub(r"fwd=[\w-]+", "forwarded", str(said))  # fwd=stale was no hit
    age = answer.headers.get("Age", "")
    return f"a hit by its age of {age} s" if age.isdigit() and int(age) else NO_WORD


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
        cache=cache_words(env, answer),
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
