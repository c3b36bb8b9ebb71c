"""What the key pages load: as a browser asks for it, and as each node of the edge serves it.

Chromium opens every key page at every public host that has it and tells what it loads, also what
scripts fetch. Each script, style sheet, font and image of the product's own is then asked for at
every node. What comes from others (a payment provider's script) counts in the weights alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from golive.environments import EdgeNode, Environment
from golive.probes.traffic.browser import chromium
from golive.probes.traffic.surface import is_own, may_be_asked
from golive.probes.transport.http import Address, Client, access_token, client
from golive.probes.transport.rest import each
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests
    from playwright.sync_api import Browser, Request

KINDS = ("script", "stylesheet", "font", "image")
"""Resources, as Chromium calls them, that are assets."""
_SHARE_OF_LIMIT = 0.6
_LEAST_S = 2.0
"""So long may a page take in any case."""
_TEXT = re.compile(r"^text/|javascript|ecmascript|json|xml", re.IGNORECASE)
_CODE = ("script", "stylesheet")
_MAPPED = re.compile(r"[#@]\s*sourceMappingURL=(\S+)")
_MAP_HEADERS = ("SourceMap", "X-SourceMap")
_STRING = re.compile(r"""`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_COMMENT = re.compile(r"/\*(?!!)(?![#@]).*?\*/|(?<![:\w'\"/])//(?![#@])[^\n]*", re.DOTALL)
_BLANKS = re.compile(r"\s+(?=[{}()\[\];:,=+*/<>!?&|])|(?<=[{}()\[\];:,=+*/<>!?&|])\s+|\n\s*|\s{2,}")


@dataclass(frozen=True, slots=True)
class KeyPage:
    """A key page as Chromium loaded it with nothing kept from before."""

    url: str
    weight_kb: float
    """Everything that it loads, the page itself included, as it was transferred."""
    script_kb: float
    assets: int
    """Of the product's own."""


@dataclass(frozen=True, slots=True)
class ServedAsset:
    """An asset of the product's own as one node serves it."""

    url: str
    node: str
    kind: str
    status: int
    size: int
    """Bytes, not compressed."""
    is_text: bool
    encoding: str
    """Empty: not compressed."""
    cache_control: str
    waste_percent: float
    """Of a script or style sheet: comments and blanks that mean nothing to a browser."""

    def __str__(self) -> str:
        return f"{_path(self.url)} on {self.node}"

    @property
    def is_hashed(self) -> bool:
        """Whether its address holds a digest of its content, by the look of it."""
        parts = urlsplit(self.url)
        return any(map(_is_digest, re.split(r"[/.&=?~]", f"{parts.path}.{parts.query}"))) or any(
            _is_digest(word) for word in re.split(r"[-_/.]", parts.path)
        )

    @property
    def max_age_s(self) -> int:
        """How long a cache may keep it."""
        found = re.search(r"(?:^|[\s,])max-age=(\d+)", self.cache_control)
        return int(found[1]) if found else 0

    @property
    def is_immutable(self) -> bool:
        words = re.split(r"[\s,]+", self.cache_control.lower())
        return "immutable" in words and not {"no-store", "no-cache"} & set(words)


@dataclass(frozen=True, slots=True)
class FrontendAssets:
    """What all key pages load."""

    pages: tuple[KeyPage, ...]
    assets: tuple[ServedAsset, ...]
    """Of each on each node."""
    maps: tuple[str, ...]
    """Source maps that anybody can read."""
    code: int
    """Scripts and style sheets for which a source map was asked for."""

    @property
    def paths(self) -> int:
        """Different assets."""
        return len({a.url for a in self.assets})

    @property
    def names(self) -> list[str]:
        """The key pages' paths."""
        return sorted({urlsplit(p.url).path for p in self.pages})

    @property
    def failing(self) -> list[str]:
        return [f"{a}: status {a.status}" for a in self.assets if a.status != 200]

    @property
    def _there(self) -> list[ServedAsset]:
        return [a for a in self.assets if a.status == 200]

    def not_compressed(self, from_bytes: float) -> list[str]:
        """Texts of at least that size that are sent as they are."""
        texts = (a for a in self._there if a.is_text and a.size >= from_bytes)
        return [f"{a} ({a.size:,} bytes)" for a in texts if not a.encoding]

    def texts(self, from_bytes: float) -> int:
        """How many texts are of at least that size."""
        return sum(a.is_text and a.size >= from_bytes for a in self._there)

    def not_minified(self, percent: float) -> list[str]:
        """Scripts and style sheets of which more than that could be left out."""
        code = (a for a in self._there if a.kind in _CODE)
        return [f"{a} ({a.waste_percent:.0f} %)" for a in code if a.waste_percent > percent]

    @property
    def not_hashed(self) -> list[ServedAsset]:
        return [a for a in self._there if not a.is_hashed]

    def not_kept(self, seconds: float) -> list[str]:
        """Assets that caches may not keep for that long, or have to ask about."""
        return [
            f"{a} ({a.cache_control or 'no Cache-Control'})"
            for a in self._there
            if a.max_age_s < seconds or not a.is_immutable
        ]

    @property
    def script_kb(self) -> dict[str, float]:
        """By page, compressed."""
        return {p.url: p.script_kb for p in self.pages}

    @property
    def weight_kb(self) -> dict[str, float]:
        """By page, as transferred."""
        return {p.url: p.weight_kb for p in self.pages}


@probe()
def frontend_assets(env: Environment) -> FrontendAssets:
    """The key pages in Chromium, and every asset of theirs on every node of the edge."""
    paths = env.application.paths
    wanted = [*((p, False) for p in paths.pages), *((p, True) for p in paths.signed_in_pages)]
    if not wanted:
        step = "name them in application.paths.pages and signed_in_pages"
        raise ProbeError("the key pages", "none is declared", step)
    nodes = list[EdgeNode | None](env.edge.nodes) or [None]
    sites = [f"https://{host}" for host in env.edge.hosts] or [env.application.url.rstrip("/")]
    pages: list[KeyPage] = []
    loaded: dict[str, str] = {}
    ends = time.monotonic() + _SHARE_OF_LIMIT * env.time_limits.probe
    with chromium(env, nodes[0]) as browser:
        for path, signed_in in wanted:
            pages += _at_sites(env, browser, nodes[0], sites, path, signed_in, ends, loaded)
    served: list[ServedAsset] = []
    maps: dict[str, None] = {}
    for node in nodes:
        at = Address(node.host, node.port) if node else None
        with client(env, at) as http:
            name = node.name if node else "the site"
            look = partial(_served, env, http, name)
            for one, found in each(loaded.items(), look).values():
                served.append(one)
                maps |= dict.fromkeys(f"{m} on {name}" for m in found)
    code = sum(a.kind in _CODE for a in served)
    return FrontendAssets(tuple(pages), tuple(served), tuple(maps), code)


# -- in the browser --------------------------------------------------------------------------------


def _at_sites(
    env: Environment,
    browser: Browser,
    node: EdgeNode | None,
    sites: list[str],
    path: str,
    signed_in: bool,
    ends: float,
    loaded: dict[str, str],
) -> Iterator[KeyPage]:
    """A page at every host that has it; one at least has to.

    :raises ProbeError: none has it, or one answers otherwise than with it.
    """
    lacking: ProbeError | None = None
    there = False
    for site in sites:
        cookies = _session(env, node, site) if signed_in else []
        # One page may need the time that others did not.
        within_s = max(_LEAST_S, ends - time.monotonic())
        page = _look(env, browser, f"{site}{path}", cookies, within_s, loaded)
        if isinstance(page, ProbeError):  # a host of its own, for the API say, has no such page
            lacking = page
        else:
            there = True
            yield page
    if lacking is not None and not there:
        raise lacking


def _session(env: Environment, node: EdgeNode | None, site: str) -> list[dict[str, str]]:
    """The cookie of somebody signed in."""
    if not env.application.accounts:
        step = "declare a synthetic user in application.accounts"
        raise ProbeError("the signed-in pages", "no account is declared", step)
    at = Address(node.host, node.port) if node else None
    with client(env, at) as http:
        token = access_token(env, http, site, env.application.accounts[0])
    return [{"name": env.application.session_cookie, "value": token, "url": site}]


def _look(
    env: Environment,
    browser: Browser,
    url: str,
    cookies: list[dict[str, str]],
    within_s: float,
    loaded: dict[str, str],
) -> KeyPage | ProbeError:
    from playwright.sync_api import Error

    # Certificates have an item of their own; a private authority is none that Chromium knows.
    context = browser.new_context(ignore_https_errors=True)
    asked: list[Request] = []
    try:
        if cookies:
            context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()

        def ended(request: Request) -> None:
            asked.append(request)

        page.on("requestfinished", ended)
        page.on("requestfailed", ended)
        answer = page.goto(url, wait_until="load", timeout=within_s * 1000)
        page.wait_for_timeout(200)  # what scripts ask for once the page is there
        status = answer.status if answer is not None else 0
        if status != 200:
            error = ProbeError(url, f"status {status}", "see application.paths.pages")
            if status == 404:
                return error
            raise error
        if urlsplit(page.url).path.rstrip("/") != urlsplit(url).path.rstrip("/"):
            cause = f"it leads to {urlsplit(page.url).path}"
            raise ProbeError(url, cause, "check application.paths and application.accounts")
        weight = script = 0
        own = 0
        for request in asked:
            if not request.url.startswith(("http:", "https:")):
                continue
            size = _transferred(request)
            weight += size
            script += size if request.resource_type == "script" else 0
            if request.resource_type in KINDS and is_own(env, urlsplit(request.url).hostname or ""):
                loaded.setdefault(request.url, request.resource_type)
                own += 1
        return KeyPage(url, weight / 1000, script / 1000, own)
    except Error as e:
        step = "open it in a browser, from the same machine"
        raise ProbeError(url, e.message.splitlines()[0], step) from None
    finally:
        context.close()


def _transferred(request: Request) -> int:
    from playwright.sync_api import Error

    try:
        return max(0, int(request.sizes()["responseBodySize"]))
    except Error:  # it failed: a request to somebody whom a rehearsal does not ask
        return 0


# -- at each node ----------------------------------------------------------------------------------


def _served(
    env: Environment, http: Client, node: str, found: tuple[str, str]
) -> tuple[ServedAsset, list[str]]:
    """An asset, and the source maps to it that anybody can read."""
    url, kind = found
    plain = http.get(url, {"Accept-Encoding": "identity"})
    content = plain.content
    is_text = bool(_TEXT.search(plain.headers.get("Content-Type", "")))
    encoding = plain.headers.get("Content-Encoding", "")
    for offered in ("gzip", "br", "zstd"):
        if encoding or not is_text:
            break
        encoding = http.get(url, {"Accept-Encoding": offered}).headers.get("Content-Encoding", "")
    is_code = kind in _CODE and plain.status_code == 200
    text = content.decode(errors="replace") if is_code else ""
    asset = ServedAsset(
        url=url,
        node=node,
        kind=kind,
        status=plain.status_code,
        size=len(content),
        is_text=is_text,
        encoding="" if encoding == "identity" else encoding,
        cache_control=plain.headers.get("Cache-Control", ""),
        waste_percent=waste_percent(text),
    )
    return asset, list(_maps(env, http, plain, text)) if is_code else []


def _maps(env: Environment, http: Client, served: requests.Response, text: str) -> Iterator[str]:
    url = served.url
    named = _MAPPED.findall(text)[-1:]
    named += [served.headers[name] for name in _MAP_HEADERS if name in served.headers]
    parts = urlsplit(url)
    places = {urljoin(url, name): None for name in named if not name.startswith("data:")}
    places[f"{parts.scheme}://{parts.netloc}{parts.path}.map"] = None
    if any(name.startswith("data:") for name in named):
        yield f"{_path(url)} (inside it)"
    for place in places:
        host = urlsplit(place).hostname or ""
        if urlsplit(place).netloc != parts.netloc:
            if may_be_asked(env, host):
                with client(env, foreign=True) as other:
                    if _is_map(other.get(place)):
                        yield place
        elif _is_map(http.get(place)):
            yield _path(place)


def _is_map(answer: requests.Response) -> bool:
    """Whether it is a source map, and not the page that some sites answer everything with."""
    head = answer.content[:65_536]
    return answer.status_code == 200 and b'"mappings"' in (head + answer.content[-65_536:])


def waste_percent(text: str) -> float:
    """How much of a script or style sheet is comments and blanks that mean nothing; what texts
    and templates hold counts as what it is. Licences (``/*!``) may stay."""
    if not text:
        return 0.0
    code = _STRING.sub(lambda m: "x" * min(len(m[0]), 1), text)
    strings = len(text) - len(code)
    bare = _COMMENT.sub("", code)
    return 100.0 * (len(code) - len(_BLANKS.sub("", bare))) / (len(code) + strings)


def _is_digest(word: str) -> bool:
    """Whether part of an address looks like a digest: eight characters at least, of which no
    language and no version has such a mixture."""
    if re.fullmatch(r"[0-9a-f]{8,64}", word):
        return bool(re.search(r"\d", word)) and bool(re.search(r"[a-f]", word))
    if not re.fullmatch(r"[0-9A-Za-z_-]{8,64}", word):
        return False
    kinds = [re.search(r"\d", word), re.search(r"[a-z]", word), re.search(r"[A-Z]", word)]
    # A word in camel case begins each part with a capital; a digest does not care.
    mixed = re.search(r"[A-Z]{2}|[a-z][A-Z][A-Z]|[A-Z][a-z][A-Z]", word)
    return all(kinds) or (bool(kinds[1] and kinds[2]) and len(word) == 8 and bool(mixed))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
