"""Whether what clients are told of the API is so: its document, its changelog, their links."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

import msgspec

from golive.environments import Environment
from golive.files import read_text
from golive.probes.traffic import breaking, openapi
from golive.probes.traffic.breaking import Break
from golive.probes.traffic.openapi import Json, Operation, shape
from golive.probes.traffic.surface import is_own, may_be_asked
from golive.probes.transport import commands
from golive.probes.transport.http import client, shown
from golive.probing import probe
from golive.sections import declares
from golive.verdicts import GoliveError, ProbeError, Unseen, seen

if TYPE_CHECKING:
    import requests

_MOST_BYTES = 16 * 2**20
_MOST_LINKS = 600
_REDIRECTS = 5
_AT_ONCE = 8
_REFUSED = frozenset({401, 403, 405, 406, 429, 999})
"""Statuses of sites that are there and do not let a look in."""
_GONE = "no answer"
_URL = re.compile(r"https?://[^\s<>\"'`\\)\]}]+")
_MARKDOWN = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


@dataclass(frozen=True, slots=True)
class Links:
    """The links of the documentation."""

    followed: int
    broken: tuple[str, ...]
    unseen: Unseen | None
    """Why some could not be followed."""

    @property
    def not_followed(self) -> tuple[str, ...] | Unseen:
        """None; unseen where some could not be followed."""
        return () if self.unseen is None else self.unseen


@dataclass(frozen=True, slots=True)
class ApiDocument:
    """The API's document as it is served, published, and followed by the application.

    A finding names the operation, what there is and what there is not.
    """

    version: str
    operations: int
    instances: int
    of_its_own: tuple[str, ...] | Unseen
    """Instances that serve another document than the first, with where they differ."""
    published: tuple[str, ...] | Unseen
    """Where the published document differs from the candidate's."""
    flaws: tuple[str, ...] | Unseen
    registered: int | Unseen
    """Routes that the application has registered, but those that are no part of the API."""
    untold: tuple[str, ...] | Unseen
    """Registered routes that the document does not tell."""
    imagined: tuple[str, ...] | Unseen
    """Operations of the document that are not registered."""
    without_summary: tuple[str, ...]
    security: tuple[str, ...] | Unseen
    parameters: tuple[str, ...] | Unseen
    successes: tuple[str, ...] | Unseen
    errors: tuple[str, ...] | Unseen
    examples: int | Unseen
    wrong_examples: tuple[str, ...] | Unseen
    compared_with: str | Unseen
    """The version of the document of the release before."""
    compared: int | Unseen
    """Its operations."""
    unlisted: tuple[Break, ...] | Unseen
    """Differences that break clients and that the changelog does not list."""
    listed: int | Unseen
    """Those that it does."""
    links: Links | Unseen
    before: str
    """The version that a document has to be of, to be compared with; empty where versions of
    documents do not follow releases."""

    @property
    def is_of_before(self) -> bool | Unseen:
        """Whether the document that it is compared with is of the release before."""
        if isinstance(self.compared_with, Unseen):
            return self.compared_with
        return not self.before or self.compared_with.removeprefix("v") == self.before


@probe(limit="drill")  # it reckons more than it waits, beside all other looks
def api_document(env: Environment) -> ApiDocument:
    """The document of each instance, the published one, the one before and the changelog; the
    routes that are registered; every link."""
    served = _served(env)
    _, document = next(iter(served.items()))[1]
    told = openapi.operations(document)
    registered = seen(registered_routes, env)
    examples = seen(openapi.wrong_examples, document)
    before = seen(_before, env)
    changes = seen(_changes, env, document, before)
    return ApiDocument(
        version=str((document.get("info") or {}).get("version", "")),
        operations=len(told),
        instances=len(served),
        of_its_own=seen(_of_their_own, env, served),
        published=seen(_published, env, document),
        flaws=seen(lambda: tuple(openapi.flaws(document))),
        registered=seen(lambda: len(_raised(registered))),
        untold=seen(lambda: _untold(_raised(registered), told)),
        imagined=seen(lambda: _imagined(env, _raised(registered), told)),
        without_summary=tuple(str(o) for o in told if openapi.without_summary(o)),
        security=seen(_security, env, document, told, registered),
        parameters=seen(_each, told, lambda o: openapi.unsaid_parameters(document, o)),
        successes=seen(_each, told, lambda o: [openapi.unsaid_success(document, o)]),
        errors=seen(_each, told, lambda o: [openapi.unsaid_errors(document, o)]),
        examples=examples if isinstance(examples, Unseen) else examples[0],
        wrong_examples=examples if isinstance(examples, Unseen) else tuple(examples[1]),
        compared_with=seen(lambda: str(_raised(before)["info"]["version"])),
        compared=seen(lambda: len(openapi.operations(_raised(before)))),
        unlisted=changes if isinstance(changes, Unseen) else changes[0],
        listed=changes if isinstance(changes, Unseen) else changes[1],
        links=seen(_links, env, document),
        before=_version_before(env, document),
    )


def _raised(value: Any) -> Any:
    if isinstance(value, Unseen):
        raise value.error
    return value


def _each(told: Iterable[Operation], unsaid: Callable[[Operation], list[str]]) -> tuple[str, ...]:
    return tuple(text for o in told for text in unsaid(o) if text)


# -- the documents ---------------------------------------------------------------------------------


def candidate(env: Environment) -> Json:
    """The running candidate's document, of its first instance.

    :raises ProbeError: there is none.
    """
    return next(iter(_served(env).values()))[1]


def _served(env: Environment) -> dict[str, tuple[str, Json]]:
    """The document of each instance, with where it is.

    :raises ProbeError: one of them serves none; the product has none.
    """
    place = env.application.paths.api_document
    if not place:
        raise ProbeError(
            "the API document",
            "application.paths.api_document says that there is none",
            "name its path there",
        )
    if place.startswith("file:"):
        return {place[5:]: (place[5:], load(env, place))}
    found = {}
    for name, url in _served_by(env):
        where = url.rstrip("/") + place
        found[name] = (where, load(env, where))
    return found


def _served_by(env: Environment) -> list[tuple[str, str]]:
    """The instances; where none is declared, whatever answers at the public URL."""
    if declares(env, "application.instances") and env.application.instances:
        return [(one.name, one.url) for one in env.application.instances]
    return [("the application", env.application.url)]


def _of_their_own(env: Environment, served: Mapping[str, tuple[str, Json]]) -> tuple[str, ...]:
    at_each = not env.application.paths.api_document.startswith("file:")
    if at_each and not env.application.instances:
        raise ProbeError("the document of each instance", "none is declared", "declare instances")
    (first, (_, document)), *others = served.items()
    found = []
    for name, (_, other) in others:
        if unlike := openapi.differences(document, other):
            found.append(f"{name} and {first} differ: {_few(unlike)}")
    return tuple(found)


def _published(env: Environment, document: Json) -> tuple[str, ...]:
    return tuple(openapi.differences(document, load(env, env.api.published)))


def _few(texts: list[str]) -> str:
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def load(env: Environment, place: str, tag: str = "") -> Json:
    """The OpenAPI document at a place: JSON or YAML.

    :raises ProbeError: there is none.
    """
    text = text_at(env, place, tag)
    try:
        document = json.loads(text)
    except ValueError:
        document = _yaml(text)
    if not isinstance(document, dict):
        raise ProbeError(
            f"the API document {_named(place)}",
            "it is neither JSON nor YAML of an object",
            "check [api] and application.paths.api_document in the environment file",
        )
    openapi.version_of(document)
    return document


def _yaml(text: str) -> Any:
    import yaml

    class Plain(yaml.SafeLoader):
        """Reads times as the texts that they are in JSON."""

    Plain.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Plain)  # noqa: S506 - derived from SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def text_at(env: Environment, place: str, tag: str = "") -> str:
    """What stands at a URL, in a ``file:``, or at a ``git:`` path of the release's repository.

    :raises ProbeError: nothing can be read there.
    """
    if place.startswith("git:"):
        return _from_git(env, place[4:], tag or env.release.tag)
    if place.startswith("file:") or "://" not in place:
        name = place.removeprefix("file:")
        try:
            return read_text(Path(name), _MOST_BYTES, "a file of [api]")
        except (GoliveError, ValueError) as e:
            raise ProbeError(name, e, "check [api] in the environment file") from None
    with client(env, foreign=not is_own(env, urlsplit(place).hostname or "")) as http:
        answer = http.get(place)
    if answer.status_code != 200:
        raise ProbeError(
            shown(place), f"status {answer.status_code}", "check [api] in the environment file"
        )
    answer.encoding = answer.encoding if "charset" in _kind(answer) else "utf-8"
    return answer.text


def _kind(answer: requests.Response) -> str:
    return answer.headers.get("Content-Type", "").lower()


def _named(place: str) -> str:
    return shown(place) if "://" in place else place


def _from_git(env: Environment, path: str, tag: str) -> str:
    subject = f"{path} at {tag} in {env.release.repository}"
    try:
        done = subprocess.run(
            ["git", "-C", env.release.repository, "show", f"{tag}:{path}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=env.time_limits.probe,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ProbeError(subject, e, "check release.repository") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise ProbeError(subject, said, "check [api] and [release] in the environment file")
    return done.stdout.decode(errors="replace")


# -- routes ----------------------------------------------------------------------------------------


class Registered(msgspec.Struct, frozen=True):
    """A route as the application has registered it."""

    method: str
    path: str
    secured: bool | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        return self.method.upper(), shape(self.path)


class _Routes(msgspec.Struct):
    routes: list[Registered]


def registered_routes(env: Environment) -> tuple[Registered, ...]:
    """Every registered route that is part of the API.

    :raises ProbeError: the command fails, or lists none.
    """
    told = commands.run(
        env.api.routes_command,
        {"version": env.release.tag, "tag": env.release.tag},
        key="api.routes_command",
        within_s=env.time_limits.probe,
        answer=_Routes,
    )
    beside = [re.compile(fnmatch.translate(p)) for p in _no_part_of_it(env)]
    found = tuple(
        r
        for r in told.routes
        if r.method.upper() not in {"HEAD", "OPTIONS"} and not any(b.match(r.path) for b in beside)
    )
    if not found:
        raise ProbeError(
            "the registered routes",
            f"api.routes_command lists {len(told.routes)}, and none that is part of the API",
            "let it list method and path of every route",
        )
    return found


def _no_part_of_it(env: Environment) -> list[str]:
    paths = env.application.paths
    found = list(env.api.undocumented)
    for key in ("pages", "payment", "signed_in_pages"):
        if declares(paths, key):
            found += getattr(paths, key)
    for key in ("metrics", "api_document"):
        if declares(paths, key):
            found.append(getattr(paths, key))
    return [one for one in found if one]


def _untold(registered: Iterable[Registered], told: Iterable[Operation]) -> tuple[str, ...]:
    known = {o.key for o in told} | {(o.method, shape(o.path)) for o in told}
    return tuple(str(r) for r in registered if r.key not in known)


def _imagined(
    env: Environment, registered: Iterable[Registered], told: Iterable[Operation]
) -> tuple[str, ...]:
    known = {r.key for r in registered}
    beside = [re.compile(fnmatch.translate(p)) for p in _no_part_of_it(env)]
    return tuple(
        str(o)
        for o in told
        if not {o.key, (o.method, shape(o.path))} & known
        and o.method not in {"HEAD", "OPTIONS"}
        and not any(b.match(o.path) for b in beside)
    )


def _security(
    env: Environment,
    document: Json,
    told: tuple[Operation, ...],
    registered: tuple[Registered, ...] | Unseen,
) -> tuple[str, ...]:
    """What the document tells wrongly of who may call: by itself, against what is registered, and
    against what GET without credentials is answered."""
    found = [text for o in told if (text := openapi.unsaid_security(document, o))]
    asks: dict[tuple[str, str], bool] = {}
    if not isinstance(registered, Unseen):
        asks = {r.key: r.secured for r in registered if r.secured is not None}
    open_to_all = []
    for o in told:
        secured = asks.get(o.key, asks.get((o.method, shape(o.path))))
        if secured is not None and secured != o.is_secured:
            says = "open to all" if secured else "authorisation"
            found.append(f"{o}: the document tells of {says}, the application of the contrary")
        elif not o.is_secured and _may_be_tried(env, o):
            open_to_all.append(o)
    found += _closed(env, open_to_all)
    return tuple(dict.fromkeys(found))


def _may_be_tried(env: Environment, o: Operation) -> bool:
    needs = any(p.get("required") or p.get("in") == "path" for p in o.parameters)
    kinds = json.dumps(o.body.get("responses", {}), default=str)
    return (
        o.method == "GET"
        and not needs
        and o.route not in env.application.paths.not_asked
        and "text/event-stream" not in kinds
    )


def _closed(env: Environment, told: list[Operation]) -> Iterator[str]:
    """Operations that the document calls open and that nobody may call."""
    base = _served_by(env)[0][1].rstrip("/")
    with client(env) as http:
        for o in told:
            try:
                status = http.get(base + o.route).status_code
            except ProbeError:
                continue  # what does not answer is no matter of its document
            if status in {401, 403}:
                yield f"{o}: open by the document, and answers {status} to anybody"


# -- the release before ----------------------------------------------------------------------------


def _before(env: Environment) -> Json:
    return load(env, env.api.previous, env.release.previous_tag)


def _version_before(env: Environment, document: Json) -> str:
    """The version that the document of the release before has, if documents have releases'."""
    if not (declares(env, "release.tag") and declares(env, "release.previous_tag")):
        return ""
    version = str((document.get("info") or {}).get("version", ""))
    if version.removeprefix("v") != env.release.tag.removeprefix("v"):
        return ""
    return env.release.previous_tag.removeprefix("v")


def _changes(
    env: Environment, document: Json, before: Json | Unseen
) -> tuple[tuple[Break, ...], int]:
    found = breaking.breaks(_raised(before), document)
    if not found:
        return (), 0
    text = text_at(env, env.api.changelog)
    listed = breaking.entries(text, env.release.tag, env.release.previous_tag)
    untold = breaking.unlisted(found, listed)
    return tuple(untold), len(found) - len(untold)


# -- links -----------------------------------------------------------------------------------------


def _links(env: Environment, document: Json) -> Links:
    """Every link of the document and of the developers' pages, followed."""
    published = env.api.published if declares(env, "api.published") else ""
    base = published if "://" in published else env.application.url.rstrip("/") + "/"
    wanted = {urljoin(base, url): "the API document" for url in _of_document(document)}
    crawl = _Crawl(env)
    for page in env.api.documentation:
        wanted |= crawl.links(page)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        said = dict(zip(wanted, pool.map(crawl.follow, wanted), strict=True))
    broken = tuple(f"{shown(u)}, in {wanted[u]}: {why}" for u, why in said.items() if why)
    unseen = next(iter(crawl.unseen), None)
    if len(wanted) > _MOST_LINKS:
        error = ProbeError("the links", f"there are more than {_MOST_LINKS}", "declare fewer pages")
        unseen = Unseen(error)
    return Links(len(wanted), broken, unseen)


def _of_document(part: Any, key: str = "") -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in {"example", "examples", "default", "servers", "schemas"} and key != "paths":
                if name == "schemas":
                    yield from _of_document(value, "properties")
                continue
            yield from _of_document(value, str(name))
    elif isinstance(part, list):
        for value in part:
            yield from _of_document(value, key)
    elif isinstance(part, str) and key in {"url", "termsOfService"}:
        yield part
    elif isinstance(part, str) and key in {"description", "summary"}:
        named = _MARKDOWN.findall(part)
        yield from (u for u in named if not u.startswith(("#", "mailto:", "tel:")))
        bare = _URL.findall(_MARKDOWN.sub(" ", part))
        yield from (u.rstrip(".,;:!?*_") for u in bare)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.is_drawn = False
        """Whether a script may add what its links lead to."""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        self.is_drawn |= tag == "script"
        self.names |= {given.get("id", ""), given.get("name", "") if tag == "a" else ""}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


class _Crawl:
    """Pages of the documentation and what their links lead to, each asked for once."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._pages: dict[str, _Page] = {}
        self.unseen: list[Unseen] = []

    def links(self, start: str) -> dict[str, str]:
        """The links of the pages of one site, from one of them on, to the page that has each."""
        found: dict[str, str] = {start: "api.documentation"}
        waiting, visited = [start], set[str]()
        while waiting and len(found) <= _MOST_LINKS:
            url = urldefrag(waiting.pop(0))[0]
            if url in visited:
                continue
            visited.add(url)
            try:
                answer = self._get(url)
            except ProbeError:
                continue  # told when it is followed
            if answer.status_code != 200 or "text/html" not in _kind(answer):
                continue
            page = self._pages[url] = _Page(answer.text)
            for link in page.links:
                to = urljoin(answer.url, link)
                if to.startswith(("http://", "https://")):
                    found.setdefault(to, shown(url))
                    if urlsplit(to)[:2] == urlsplit(start)[:2]:
                        waiting.append(to)
        return found

    def follow(self, url: str) -> str:
        """Why a link does not resolve; empty where it does, or could not be followed."""
        host = urlsplit(url).hostname or ""
        if not may_be_asked(self._env, host):
            self._not_seen(url, "a rehearsal asks nobody outside of its machine")
            return ""
        where, fragment = urldefrag(url)
        try:
            answer = self._get(where)
        except ProbeError as e:
            if is_own(self._env, host) or _same_site(self._env, host):
                return f"{_GONE}: {e.cause}"
            self._not_seen(url, e.cause)
            return ""
        status = answer.status_code
        if status in _REFUSED and not is_own(self._env, host):
            self._not_seen(url, f"status {status}")
            return ""
        if status >= 400 and status not in _REFUSED:
            return f"status {status}"
        page = self._pages.get(where)
        is_missing = page is not None and not page.is_drawn and fragment not in page.names
        return f"there is no #{fragment}" if fragment and is_missing else ""

    def _not_seen(self, url: str, why: object) -> None:
        step = "follow it by hand, or let golive reach it"
        self.unseen.append(Unseen(ProbeError(f"the link {shown(url)}", why, step)))

    def _get(self, url: str) -> requests.Response:
        with client(self._env, foreign=not is_own(self._env, urlsplit(url).hostname or "")) as http:
            answer = http.get(url)
            for _ in range(_REDIRECTS):
                to = answer.headers.get("Location")
                if not answer.is_redirect or not to:
                    break
                answer = http.get(urljoin(answer.url, to))
            else:
                raise ProbeError(shown(url), f"more than {_REDIRECTS} redirects", "mend it")
        return answer


def _same_site(env: Environment, host: str) -> bool:
    return any(urlsplit(page).hostname == host for page in env.api.documentation)
