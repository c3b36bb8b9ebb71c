"""The application as its users reach it: balancer, edge, TLS, browser."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from golive.sections import Secret, Section, needed


class Instance(Section, frozen=True, kw_only=True):
    """One running application instance."""

    name: str
    url: str


class Paths(Section, frozen=True, kw_only=True):
    """The product's paths."""

    TABLE: ClassVar = "application.paths"
    health: str = needed()
    health_detailed: str = needed()
    login: str = needed()
    me: str = needed()
    appointments: str = needed()
    slots: str = needed()
    services: str = needed()
    barbers: str = needed()
    metrics: str = needed()
    pages: list[str] = needed()
    payment: list[str] = needed()
    """Pages on which customers pay."""
    signed_in_pages: list[str] = needed()
    never_cached: list[str] = needed()
    """Paths whose answers belong to one user."""
    api_document: str = needed()
    """Path of the product's OpenAPI document, or ``file:`` and its place as JSON; empty where there
    is none."""
    parameters: dict[str, str] = {}
    """Values for parameters of the API's routes, by name, where neither the document nor an
    answer of the API tells one."""
    not_asked: list[str] = []
    """Routes, as the API document writes them, that must not be asked even by GET."""


class Account(Section, frozen=True, kw_only=True):
    """A synthetic user of the product."""

    email: str
    password: Secret


class Logs(Section, frozen=True, kw_only=True):
    """A folder or a file of the product's logs."""

    path: str
    address: str = "local://"
    """Where testinfra finds the machine."""


class Application(Section, frozen=True, kw_only=True):
    """The product as its users reach it."""

    url: str = needed()
    instances: list[Instance] = needed()
    paths: Paths = needed()
    instance_header: str = needed()
    version_header: str = needed()
    accounts: list[Account] = needed()
    """Two synthetic users at least, so that their answers can be told apart."""
    logs: list[Logs] = []
    """Everything that the product writes about what it does, of 7 days at least."""
    session_cookie: str = needed()
    """The cookie that carries the access token to signed-in pages."""
    metrics: AppMetrics = needed()


class AppMetrics(Section, frozen=True, kw_only=True):
    """Names of the product's metrics in Prometheus."""

    TABLE: ClassVar = "application.metrics"
    query_seconds: str = needed()
    """A histogram of application query times."""
    statement_label: str = needed()


class ApiClient(Section, frozen=True, kw_only=True):
    """A synthetic client of the API, whose requests have small limits of their own."""

    name: str
    key: Secret


class ApiLimit(Section, frozen=True, kw_only=True):
    """A class of requests that are counted together, and a request of it that changes nothing."""

    name: str
    allowed: int
    """Requests that pass within a window."""
    window_s: float
    method: str = "GET"
    path: str
    body: dict[str, str] = {}
    """JSON that goes with the request; an invalid one will do, as it counts too."""
    refills: bool = False
    """Whether what was used comes back little by little, as with a token bucket."""


class ApiCall(Section, frozen=True, kw_only=True):
    """What has to be said of an operation that cannot be called without knowing."""

    operation: str
    """Method and path as the document writes them, e.g. ``POST /tokens/refresh``."""
    body: dict[str, Any] = {}
    """Fields of the body in the place of generated ones. ``{name}`` stands for a value that an
    earlier answer or ``api.value_queries`` told."""
    parameters: dict[str, str] = {}
    """Parameters in the place of generated ones."""


class Api(Section, frozen=True, kw_only=True):
    """The product's API as its clients know it. Places are URLs, ``file:`` and a file, or
    ``git:`` and a path in the release's repository."""

    published: str = needed()
    """The OpenAPI document that clients are given."""
    previous: str = needed()
    """The document of the release before; ``git:`` reads it at release.previous_tag."""
    changelog: str = needed()
    """What changed, a section for each version; ``git:`` reads it at release.tag."""
    documentation: list[str] = []
    """Pages for developers, whose links have to resolve like those of the document."""
    routes_command: list[str] = needed()
    """Prints routes: a list of method and path of all that the candidate's {version} has
    registered; with secured (whether it asks for credentials) where that can be told."""
    undocumented: list[str] = []
    """Registered paths that are no part of the API on purpose; ``*`` stands for anything. Pages
    and metrics of application.paths need not be repeated."""
    accounts: list[Account] = []
    """Synthetic users beside application.accounts, of other roles."""
    calls: list[ApiCall] = []
    mask_command: list[str] = []
    """Masks the personal data of the instance {name}, where the copy is not made masked."""
    sign_command: list[str] = []
    """Prints the headers, as an object, with which a provider signs what it sends to {path}: for
    the security {scheme} of the document; the body comes on stdin."""
    value_queries: dict[str, str] = {}
    """SQL on the copy that tells a value for a parameter or field of that name."""
    unmasked_query: str = needed()
    """SQL on the copy: the ids of rows whose personal data is not masked."""
    client_header: str = "X-API-Key"
    clients: list[ApiClient] = needed()
    """Two at least, so that one can be unaffected by the other."""
    limits: list[ApiLimit] = needed()
    rate_headers: list[str] = msgspec.field(
        default_factory=lambda: [
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
        ]
    )
    """Headers of an answer that is refused for a limit, beside Retry-After."""
    called_elsewhere: dict[str, str] = {}
    """Operations that would move money or the like at a provider and so are not called with success
    on the copy, to the item that calls each."""


class Balancer(Section, frozen=True, kw_only=True):
    """The load balancer (haproxy) in front of the instances."""

    url: str = needed()
    """The public HTTPS name as the balancer serves it."""
    http_url: str = needed()
    config: str = needed()
    check_command: list[str] = needed()
    """Judges a configuration; ``-f`` and the file are appended."""
    stats: str = needed()
    """The stats socket: ``tcp://host:port``, or its path on the balancer's machine."""
    backend: str = needed()
    address: str = "local://"
    """Where testinfra finds the balancer's machine."""
    client_address_field: str = needed()
    """Dotted path in the detailed health answer that tells the client's address."""


class EdgeNode(Section, frozen=True, kw_only=True):
    """One address that serves the public hosts."""

    name: str
    host: str
    port: int = 443
    http_port: int = 80


class Edge(Section, frozen=True, kw_only=True):
    """The caching edge (CDN)."""

    hosts: list[str] = needed()
    nodes: list[EdgeNode] = needed()
    assets_from: str = needed()
    """The page whose static assets are sampled."""
    asset_sample: int = 12
    """Static assets looked at on each public host."""
    cache_header: str = "X-Cache"
    shared_routes: list[str] = []
    """Routes, as the API document writes them, whose answers are the same for everybody, and may
    be kept."""
    distribution_id: str = needed()


class TlsNode(Section, frozen=True, kw_only=True):
    """One address behind a name, and the certificate file installed there."""

    host: str
    port: int = 443
    certificate_file: str = ""
    """Empty where a service keeps the certificate, as a CDN does."""
    address: str = "local://"
    """Where testinfra finds the machine."""


class TlsEndpoint(Section, frozen=True, kw_only=True):
    """A name that is served over TLS, with every address behind it."""

    name: str
    nodes: list[TlsNode] = []
    """Empty: every address that DNS gives for the name, port 443."""
    protocol: Literal["direct", "postgres"] = "direct"
    """Whether TLS begins at once, or after PostgreSQL's own greeting."""


class Tls(Section, frozen=True, kw_only=True):
    """TLS endpoints and the trust they are checked with."""

    ca_file: str = ""
    endpoints: list[TlsEndpoint] = needed()


class Browser(Section, frozen=True, kw_only=True):
    """Chromium, where pages have to be seen as a customer sees them."""

    program: str = "chromium"
    variables: dict[str, str] = {}
    """Environment variables that it needs."""
