"""The application as its users reach it: balancer, edge, TLS, browser."""

from __future__ import annotations

from typing import ClassVar, Literal

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
