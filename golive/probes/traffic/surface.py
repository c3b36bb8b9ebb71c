"""The product's surface: its paths by class, its API's routes, and the endpoints its pages name.

All of it is declared, or told by the product itself: what stands in application.paths, what the
API document lists, what pages load and link to. A class that the product does not have is left
out; what could not be looked at says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from golive.environments import Environment
from golive.files import read_text
from golive.probes.transport.addresses import written
from golive.probes.transport.http import Address, client, shown
from golive.probing import probe
from golive.sections import declares
from golive.verdicts import GoliveError, ProbeError, Unseen, seen

if TYPE_CHECKING:
    import requests

_CLASSES = {
    "page": ("pages", "payment", "signed_in_pages"),
    "health": ("health", "health_detailed"),
    "API": ("login", "me", "appointments", "slots", "services", "barbers", "never_cached"),
}
"""Classes of paths, by the keys of application.paths that declare some."""
_MOST_SCRIPTS = 40
_MOST_DOCUMENT_BYTES = 16 * 2**20
_SECURE = re.compile(r"(?:https|wss)://[^\s\"'<>\\^`{|}();,]+")
_PARAMETER = re.compile(r"\{([^{}]+)\}")
# Second labels below a country's domain that anybody registers names under: shop.co.uk has no
# parent that is the product's own.
_SHARED = frozenset({"ac", "co", "com", "edu", "gov", "net", "nom", "or", "org"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a route cannot be asked without."""

    name: str
    place: str
    """``path`` or ``query``; one of a header or a cookie cannot be given."""
    value: str
    """A value that the document itself names; empty where it names none."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API document that GET is for."""

    path: str
    """As the document writes it, e.g. ``/services/{service_id}``."""
    parameters: tuple[Parameter, ...]
    streams: bool
    """Whether its answer never ends."""

    def address(self, value: Callable[[Parameter], str]) -> str:
        """Its path and query with a value for each parameter."""
        values = {p.name: value(p) for p in self.parameters}
        path = _PARAMETER.sub(lambda m: quote(values.get(m[1], m[0]), safe=""), self.path)
        query = "&".join(
            f"{quote(p.name)}={quote(values[p.name])}"
            for p in self.parameters
            if p.place == "query"
        )
        return f"{path}?{query}" if query else path


@dataclass(frozen=True, slots=True)
class Surface:
    """What of the product can be met at its addresses."""

    paths: dict[str, tuple[str, ...]]
    """By class; a class that the product lacks is none here."""
    classes: str | Unseen
    """Classes and the number of their paths, in words; unseen where one could not be looked at."""
    routes: tuple[Route, ...] | Unseen
    """Of the API document; none where the product is declared to have no document."""
    named: dict[str, str] | Unseen
    """Endpoints of the product's own that speak TLS, ``host:port``, to the page that names each."""


@probe()
def surface(env: Environment) -> Surface:
    """The declared paths, the API document, and what the declared pages load and link to."""
    declared = {name: tuple(_declared(env, keys)) for name, keys in _CLASSES.items()}
    routes = seen(_routes, env)
    pages = seen(_pages, env)
    found = {name: list(paths) for name, paths in declared.items()}
    if routes.__class__ is not Unseen:
        metrics = set(_declared(env, ("metrics",)))  # which are nobody's but the monitoring's
        found["API"] += [
            r.address(lambda p: p.value or "0") for r in routes if r.path not in metrics
        ]
    if pages.__class__ is not Unseen:
        found["static"] = [asset for page in pages for asset in page.assets]
    paths = {name: tuple(dict.fromkeys(p)) for name, p in found.items() if p}
    paths = paths or {"page": ("/",)}  # which every site has
    words = ", ".join(f"{len(p)} of {name}" for name, p in sorted(paths.items()))
    return Surface(
        paths=paths,
        classes=pages if isinstance(pages, Unseen) else words,
        routes=routes,
        named=pages if isinstance(pages, Unseen) else _endpoints(env, pages),
    )


def is_own(env: Environment, host: str) -> bool:
    """Whether a host is one of the product's: a declared one, or a sibling of one."""
    declared = own_hosts(env)
    if host in declared:
        return True
    return any(host.endswith(f".{parent}") for d in declared if (parent := _parent(d)))


def site_url(scheme: str, host: str, port: int) -> str:
    """The address of a host, without a port that goes without saying."""
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"


def may_be_asked(env: Environment, host: str) -> bool:
    """Whether a look may go to a host: a rehearsal asks nobody outside its machine."""
    import ipaddress

    if not env.is_rehearsal or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def sites(env: Environment) -> list[tuple[str, Address | None]]:
    """The addresses that serve the product, as they are asked: the edge first, then the balancer,
    then its declared URL."""
    found: list[tuple[str, Address | None]] = []
    if declares(env, "edge.hosts") and declares(env, "edge.nodes"):
        found += [
            (site_url("https", host, node.port), Address(node.host, node.port))
            for host in env.edge.hosts
            for node in env.edge.nodes
        ]
    if declares(env, "balancer.url"):
        found.append((env.balancer.url.rstrip("/"), None))
    if declares(env, "application.url"):
        found.append((env.application.url.rstrip("/"), None))
    return found


# -- the API document ------------------------------------------------------------------------------


def _routes(env: Environment) -> tuple[Route, ...]:
    place = env.application.paths.api_document
    if not place:
        return ()
    document = _from_file(place[5:]) if place.startswith("file:") else _served(env, place)
    try:
        return tuple(routes_of(document))
    except (AttributeError, KeyError, TypeError) as e:
        raise ProbeError(
            f"the API document {place}",
            f"it is no OpenAPI document: {type(e).__name__} {e}",
            "check application.paths.api_document",
        ) from None


def _from_file(name: str) -> Any:
    try:
        return json.loads(read_text(Path(name), _MOST_DOCUMENT_BYTES, "an API document"))
    except (GoliveError, ValueError) as e:
        raise ProbeError(
            f"the API document {name}", e, "check application.paths.api_document"
        ) from None


def _served(env: Environment, path: str) -> Any:
    def is_document(answer: requests.Response) -> bool:
        try:
            return isinstance(answer.json()["paths"], dict)
        except (ValueError, KeyError, TypeError):
            return False

    # The origin's is the API's own; a CDN often does not serve it.
    return _first(env, path, reversed(sites(env)), is_document, "an OpenAPI document").json()


def routes_of(document: Mapping[str, Any]) -> Iterator[Route]:
    """The routes that GET is for, with the parameters that each cannot do without.

    Pages, whose only answer is HTML, are no routes of the API.
    """
    base = _base(document)
    for path, item in document["paths"].items():
        operation = item.get("get")
        if operation is None:
            continue
        kinds = {
            kind
            for status, answer in operation.get("responses", {}).items()
            if str(status).startswith("2")
            for kind in _resolved(document, answer).get("content", {})
        }
        if kinds == {"text/html"}:
            continue
        given = [*item.get("parameters", []), *operation.get("parameters", [])]
        # Those of an operation stand in the place of its path's own.
        known = {(p["name"], p["in"]): p for p in (_resolved(document, p) for p in given)}
        needed = tuple(
            Parameter(name, place, _value(document, p))
            for (name, place), p in known.items()
            if p.get("required") or place == "path"
        )
        yield Route(base + path, needed, "text/event-stream" in kinds)


def _base(document: Mapping[str, Any]) -> str:
    """The path that all of a document's paths are below."""
    if "swagger" in document:
        return str(document.get("basePath", "")).rstrip("/")
    servers = document.get("servers") or [{}]
    return urlsplit(str(servers[0].get("url", ""))).path.rstrip("/")


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part itself, or what its ``$ref`` leads to."""
    for _ in range(10):
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        found: Any = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def _value(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> str:
    """A value for a parameter that the document names: an example, a default, one of a set."""
    schema = _resolved(document, parameter.get("schema") or {})
    examples = parameter.get("examples")
    named = [e.get("value") for e in examples.values()] if isinstance(examples, dict) else []
    several = [*(schema.get("examples") or []), *(schema.get("enum") or [])]
    for value in (
        parameter.get("example"),
        *named,
        schema.get("example"),
        schema.get("default"),
        *several,
    ):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (str, int, float)) and str(value):
            return str(value)
    if schema.get("format") == "date":
        return f"{datetime.now(UTC):%F}"
    return "false" if schema.get("type") == "boolean" else ""


# -- pages -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PageSeen:
    path: str
    assets: list[str]
    text: str
    """Of the page, its headers and its scripts."""


def _pages(env: Environment) -> list[_PageSeen]:
    """The declared pages that anybody may see, with what they load from their own host."""
    wanted = dict.fromkeys(_declared(env, ("pages", "payment")))
    if declares(env, "edge.assets_from"):
        wanted = {env.edge.assets_from: None, **wanted}
    found: list[_PageSeen] = []
    scripts: dict[str, str] = {}
    for path in wanted:
        answer = _first(env, path, sites(env), _is_page, "a page")
        assets = AssetFinder.paths(answer.text, answer.url)
        text = [answer.text, *answer.headers.values()]
        for asset in assets:
            if urlsplit(asset).path.endswith((".js", ".mjs")) and asset not in scripts:
                if len(scripts) == _MOST_SCRIPTS:
                    break
                scripts[asset] = _first(env, asset, sites(env), _is_there, "a script").text
                text.append(scripts[asset])
        found.append(_PageSeen(path, assets, "\n".join(text)))
    return found


def _is_page(answer: requests.Response) -> bool:
    # A page that sends its visitor on, to a login or a language, has nothing to load.
    return answer.status_code < 400


def _is_there(answer: requests.Response) -> bool:
    return answer.status_code == 200


def _first(
    env: Environment,
    path: str,
    among: Iterable[tuple[str, Address | None]],
    is_right: Callable[[requests.Response], bool],
    what: str,
) -> requests.Response:
    """The first site's answer that is what it should be.

    :raises ProbeError: there is none; with what the last site said.
    """
    last: object = "no site is declared"
    where = path
    for base, at in among:
        if at is None and not may_be_asked(env, urlsplit(base).hostname or ""):
            continue
        where = shown(base + path)
        try:
            with client(env, at) as http:
                answer = http.get(base + path)
        except ProbeError as e:
            last = e.cause
            continue
        if is_right(answer):
            return answer
        last = f"status {answer.status_code}, and no {what.partition(' ')[2]}"
    raise ProbeError(f"{what} at {where}", last, "check application.paths in the environment file")


def _endpoints(env: Environment, pages: Iterable[_PageSeen]) -> dict[str, str]:
    """The product's own endpoints among all the addresses in the pages."""
    found: dict[str, str] = {}
    for page in pages:
        for url in _SECURE.findall(page.text):
            with suppress(ValueError):
                endpoint = endpoint_of(url)
                if endpoint and is_own(env, endpoint.rpartition(":")[0].strip("[]")):
                    found.setdefault(endpoint, page.path)
    return found


def endpoint_of(url: str) -> str:
    """``host:port`` of an address that speaks TLS; empty for any other.

    :raises ValueError: it is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"https", "wss"} or not parts.hostname:
        return ""
    host = parts.hostname
    if not re.fullmatch(r"[0-9A-Za-z.:_-]+", host):  # a pattern of a policy, as https://*.example
        return ""
    return written(host, parts.port or 443)


class AssetFinder(HTMLParser):
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


# -- what is declared ------------------------------------------------------------------------------


def _declared(env: Environment, keys: Iterable[str]) -> Iterator[str]:
    """Paths that stand under some keys of application.paths."""
    if not declares(env, "application.paths"):
        return
    for key in keys:
        if declares(env.application.paths, key):
            value = getattr(env.application.paths, key)
            yield from [value] if isinstance(value, str) else value


def own_hosts(env: Environment) -> set[str]:
    """The hosts that the environment declares as the product's."""
    found = {e.name for e in env.tls.endpoints} if declares(env, "tls.endpoints") else set()
    if declares(env, "edge.hosts"):
        found |= set(env.edge.hosts)
    for key in ("application.url", "balancer.url", "balancer.http_url"):
        if declares(env, key):
            section, _, name = key.partition(".")
            found.add(urlsplit(getattr(getattr(env, section), name)).hostname or "")
    return {host.lower().rstrip(".") for host in found if host}


def _parent(host: str) -> str:
    """The domain that a declared host and its siblings are below; empty where it is not its own."""
    labels = host.split(".")
    parent = labels[1:]
    if len(parent) < 2 or labels[-1].isdigit() or ":" in host:
        return ""
    if len(parent) == 2 and len(parent[1]) == 2 and parent[0] in _SHARED:
        return ""
    return ".".join(parent)
