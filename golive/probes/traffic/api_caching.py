"""Whether the edge keeps answers of the API: every route of its document, asked by everybody."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from golive.environments import Environment
from golive.probes.traffic.edge import FROM_CACHE, cache_words
from golive.probes.traffic.surface import Parameter, Route, Surface, site_url
from golive.probes.transport.http import Address, Client, access_token, client, shown
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen

if TYPE_CHECKING:
    import requests

_ROUNDS = 2
"""How often each account asks: a cache may keep what is asked for the second time."""
_AT_ONCE = 8
_SHARE_OF_LIMIT = 0.8
_ANONYMOUS = "anonymous"
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class RouteLook:
    """A GET route of the API document, and whether its content was seen at all."""

    path: str
    cause: str
    """Why no account has seen an answer of status 200; empty when one has."""

    def __str__(self) -> str:
        return f"{self.path} ({self.cause})" if self.cause else self.path


@dataclass(frozen=True, slots=True)
class ApiCaching:
    """What the edge did with the API's answers, at every public host on every node."""

    routes: tuple[RouteLook, ...]
    readers: tuple[str, ...]
    answers: int
    """How many answers at the edge were looked at."""
    kept: tuple[str, ...]
    """Routes whose answers came out of the cache, with where and for whom."""
    leaked: tuple[str, ...]
    """Routes at which one reader got what is another one's, with where and who."""

    @property
    def unasked(self) -> list[RouteLook]:
        """Routes whose content nobody has seen."""
        return [r for r in self.routes if r.cause]

    @property
    def looked_at(self) -> str:
        """How many routes were looked at, and which were not, in words."""
        seen = len(self.routes) - len(self.unasked)
        text = f"{seen} of {len(self.routes)} GET routes"
        if not self.unasked:
            return text
        more = len(self.unasked) - _SHOWN
        named = ", ".join(map(str, self.unasked[:_SHOWN])) + (f" and {more} more" * (more > 0))
        return f"{text}; not {named}"

    def coverage(self, percent: float) -> str | Unseen:
        """What was looked at, in words; unseen where that is less than ``percent`` of the routes,
        and nothing can be said of them all."""
        seen = len(self.routes) - len(self.unasked)
        if 100 * seen >= percent * len(self.routes):
            return self.looked_at
        return Unseen(
            ProbeError(
                "the routes of the API document",
                f"only {self.looked_at}, where {percent:g} % are needed",
                "give values in application.paths.parameters, or accounts that may read them",
            )
        )


@dataclass(slots=True)
class _Reader:
    """Who asks: an account with its token, or nobody."""

    name: str
    token: str
    origin: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Route to status and body, as the origin, asked past the edge, answers."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(slots=True)
class _Asked:
    """A route that can be asked."""

    path: str
    address: str
    kind: str = ""
    """What its content is, e.g. ``application/json``."""
    changes: bool = False
    """Whether it answers the same reader otherwise each time."""


@dataclass(frozen=True, slots=True)
class _Front:
    """One public host on one node."""

    name: str
    base: str
    at: Address


@probe()
def api_caching(env: Environment, surface: Surface) -> ApiCaching:
    """Every GET route of the API document that can be asked: at the origin and at every public
    host on every node of the edge, by each synthetic account and by nobody."""
    deadline = time.monotonic() + _SHARE_OF_LIMIT * env.time_limits.probe
    routes = _wanted(env, surface)
    with client(env) as http:
        readers = [_reader(env, http, account) for account in env.application.accounts]
        readers.append(_Reader(_ANONYMOUS, ""))
        asked, looks = _at_origin(env, http, routes, readers, deadline)
    fronts = [
        _Front(
            f"{host} on {node.name}",
            site_url("https", host, node.port),
            Address(node.host, node.port),
        )
        for host in env.edge.hosts
        for node in env.edge.nodes
    ]
    shares = max(1, _AT_ONCE // max(1, len(fronts)))
    jobs = [(front, asked[n::shares]) for front in fronts for n in range(shares)]
    shared = set(env.edge.shared_routes)

    def visit(job: tuple[_Front, list[_Asked]]) -> _Found:
        front, part = job
        found = _Found()
        with client(env, front.at) as http:
            for one in part:
                if time.monotonic() > deadline:
                    found.missed.add(one.path)
                    continue
                found.add(_ask_in_turn(env, http, front, one, readers), one, shared)
        return found

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(visit, jobs))
    missed = {path for one in found for path in one.missed}
    late = f"no time left within {env.time_limits.probe:g} s (time_limits.probe)"
    return ApiCaching(
        routes=tuple(RouteLook(r.path, late) if r.path in missed else r for r in looks),
        readers=tuple(r.name for r in readers),
        answers=sum(one.answers for one in found),
        kept=tuple(dict.fromkeys(text for one in found for text in one.kept)),
        leaked=tuple(dict.fromkeys(text for one in found for text in one.leaked)),
    )


@dataclass(slots=True)
class _Answer:
    """What a reader got at a public host."""

    where: str
    reader: str
    status: int
    kind: str
    cache: str
    age_s: int
    of_another: str
    """Whose it is, if another's."""

    @property
    def from_cache(self) -> bool:
        return self.age_s > 0 or bool(FROM_CACHE.search(self.cache))


@dataclass(slots=True)
class _Found:
    answers: int = 0
    kept: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    missed: set[str] = field(default_factory=set)

    def add(self, answers: list[_Answer], asked: _Asked, shared: set[str]) -> None:
        self.answers += len(answers)
        # A host that does not serve the API may keep its page for unknown paths.
        if not any(a.status == 200 and a.kind == asked.kind for a in answers):
            return
        for a in answers:
            where = f"{asked.path} to {a.reader} at {a.where}"
            if a.from_cache and asked.path not in shared:
                self.kept.append(f"{where} ({a.cache}, {a.age_s} s old)")
            if a.of_another:
                self.leaked.append(f"{where} ({a.of_another}'s)")


def _wanted(env: Environment, surface: Surface) -> tuple[Route, ...]:
    """The routes of the API document; without one, the paths that belong to one user.

    :raises ProbeError: the document could not be looked at.
    """
    if isinstance(surface.routes, Unseen):
        raise surface.routes.error
    if surface.routes:
        return surface.routes
    return tuple(Route(path, (), False) for path in env.application.paths.never_cached)


def _reader(env: Environment, http: Client, account: Any) -> _Reader:
    return _Reader(account.email, access_token(env, http, env.balancer.url, account))


def _at_origin(
    env: Environment,
    http: Client,
    routes: tuple[Route, ...],
    readers: list[_Reader],
    deadline: float,
) -> tuple[list[_Asked], list[RouteLook]]:
    """The routes that can be asked, with what the origin answers each reader, and every route's
    look so far. Answers tell values for the parameters of later routes, so lists come first."""
    values = _Values(env)
    asked: list[_Asked] = []
    causes: dict[str, str] = {}
    for route in sorted(routes, key=lambda r: (len(r.parameters), r.path.count("/"))):
        cause = _cause(env, route)
        lacking = [p.name for p in route.parameters if not values.of(route, p)]
        if not cause and lacking:
            cause = f"no value for {', '.join(lacking)}"
        if not cause and time.monotonic() > deadline:
            cause = "no time left"
        if not cause:
            one = _Asked(route.path, route.address(partial(values.of, route)))
            try:
                cause = _ask_origin(env, http, one, readers, values)
            except ProbeError as e:
                cause = e.cause
            if not cause:
                asked.append(one)
        causes[route.path] = cause
    if not asked and routes:
        some = ", ".join(f"{path}: {cause}" for path, cause in list(causes.items())[:_SHOWN])
        raise ProbeError(
            f"the API at {shown(env.balancer.url)}",
            f"none of its {len(routes)} GET routes can be looked at: {some}",
            "check application.accounts and application.paths",
        )
    return asked, [RouteLook(r.path, causes[r.path]) for r in routes]


def _cause(env: Environment, route: Route) -> str:
    """Why a route is not to be asked at all."""
    if route.path in env.application.paths.not_asked:
        return "left out by application.paths.not_asked"
    if route.streams:
        return "its answer never ends"
    others = [p.name for p in route.parameters if p.place not in {"path", "query"}]
    return f"it needs {', '.join(others)}, which is no part of an address" if others else ""


def _ask_origin(
    env: Environment, http: Client, one: _Asked, readers: list[_Reader], values: _Values
) -> str:
    """Ask for everybody, for each account twice; why nobody has seen its content."""
    statuses: Counter[int] = Counter()
    for reader in [*readers, *(r for r in readers if r.token)]:
        answer = http.get(env.balancer.url.rstrip("/") + one.address, reader.headers)
        now = (answer.status_code, answer.text)
        before = reader.origin.get(one.path)
        one.changes |= before is not None and before != now
        reader.origin[one.path] = now
        statuses[answer.status_code] += 1
        if answer.status_code == 200:
            one.kind = one.kind or _kind(answer)
            values.learn(one.path, answer)
    if 200 in statuses:
        return ""
    return "answers " + " and ".join(str(s) for s in sorted(statuses))


def _ask_in_turn(
    env: Environment, http: Client, front: _Front, one: _Asked, readers: list[_Reader]
) -> list[_Answer]:
    accounts = [r for r in readers if r.token]
    turns = [*(accounts * _ROUNDS), *(r for r in readers if not r.token)]
    found: list[_Answer] = []
    for reader in turns:
        answer = http.get(front.base + one.address, reader.headers)
        age = answer.headers.get("Age", "0")
        found.append(
            _Answer(
                where=front.name,
                reader=reader.name,
                status=answer.status_code,
                kind=_kind(answer),
                cache=cache_words(env, answer),
                age_s=int(age) if age.isdigit() else 0,
                of_another=_owner(answer.text, one, reader, readers),
            )
        )
    return found


def _owner(body: str, one: _Asked, reader: _Reader, readers: list[_Reader]) -> str:
    """Whose answer this is, when it is another's and not by rights the reader's too."""
    own = reader.origin.get(one.path)
    if own == (200, body):
        return ""
    for other in readers:
        if other is reader or not other.token:
            continue
        if not one.changes and other.origin.get(one.path) == (200, body):
            return other.name
        if not reader.token and other.name.lower() in body.lower():
            return other.name
    return ""


def _kind(answer: requests.Response) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class _Values:
    """Values for the parameters of routes: declared ones, those that the document names, and
    those of the first entry of a list that an earlier route has answered with."""

    def __init__(self, env: Environment) -> None:
        self._declared = env.application.paths.parameters
        self._entries: dict[str, Mapping[str, Any]] = {}
        self._by_name: dict[str, str] = {}

    def of(self, route: Route, parameter: Parameter) -> str:
        """A value; empty where there is none."""
        known = self._declared.get(parameter.name) or parameter.value
        found = known or self._of_list(route, parameter) or self._by_name.get(parameter.name, "")
        if found and parameter.place == "path":
            self._by_name.setdefault(parameter.name, found)
        return found

    def learn(self, path: str, answer: requests.Response) -> None:
        """Note the first entry of the list that a route answers with, if it does."""
        document: Any = None
        with suppress(ValueError):
            document = answer.json()
        lists = [document] if isinstance(document, list) else []
        if isinstance(document, dict):
            lists = [value for value in document.values() if isinstance(value, list)]
        entry = next((of[0] for of in lists if of and isinstance(of[0], dict)), None)
        if entry is not None:
            self._entries.setdefault(path.rstrip("/"), entry)

    def _of_list(self, route: Route, parameter: Parameter) -> str:
        """From the list that the route's path begins with, as /services of /services/{id}."""
        before, braces, _ = route.path.partition(f"/{{{parameter.name}}}")
        entry = self._entries.get(before) if braces else None
        if entry is None:
            return ""
        value = entry.get(parameter.name, entry.get("id"))
        return str(value) if isinstance(value, (str, int)) else ""
