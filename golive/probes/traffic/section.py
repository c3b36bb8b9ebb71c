"""The application as its users reach it: balancer, edge, TLS, browser."""

from __future__ import annotations

from typing import Literal

from golive.sections import Secret, Section


class Instance(Section, frozen=True, kw_only=True):
    """One running application instance."""

    name: str
    url: str


class Paths(Section, frozen=True, kw_only=True):
    """The product's paths."""

    health: str
    health_detailed: str
    login: str
    me: str
    appointments: str
    slots: str
    services: str
    barbers: str
    metrics: str
    pages: list[str]
    payment: list[str]
    """Pages on which customers pay."""
    signed_in_pages: list[str]
    never_cached: list[str]
    """Paths whose answers belong to one user."""


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

    url: str
    instances: list[Instance]
    paths: Paths
    instance_header: str
    version_header: str
    accounts: list[Account]
    """Two synthetic users at least, so that their answers can be told apart."""
    logs: list[Logs] = []
    """Everything that the product writes about what it does, of 7 days at least."""
    session_cookie: str
    """The cookie that carries the access token to signed-in pages."""
    metrics: AppMetrics


class AppMetrics(Section, frozen=True, kw_only=True):
    """Names of the product's metrics in Prometheus."""

    query_seconds: str
    """A histogram of application query times."""
    statement_label: str


class Balancer(Section, frozen=True, kw_only=True):
    """The load balancer (haproxy) in front of the instances."""

    url: str
    """The public HTTPS name as the balancer serves it."""
    http_url: str
    config: str
    check_command: list[str]
    """Judges a configuration; ``-f`` and the file are appended."""
    stats: str
    """The stats socket: ``tcp://host:port``, or its path on the balancer's machine."""
    backend: str
    address: str = "local://"
    """Where testinfra finds the balancer's machine."""
    client_address_field: str
    """Dotted path in the detailed health answer that tells the client's address."""


class EdgeNode(Section, frozen=True, kw_only=True):
    """One address that serves the public hosts."""

    name: str
    host: str
    port: int = 443
    http_port: int = 80


class Edge(Section, frozen=True, kw_only=True):
    """The caching edge (CDN)."""

    hosts: list[str]
    nodes: list[EdgeNode]
    assets_from: str
    """The page whose static assets are sampled."""
    asset_sample: int = 12
    """Static assets looked at on each public host."""
    cache_header: str = "X-Cache"
    distribution_id: str


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
    endpoints: list[TlsEndpoint]


class Browser(Section, frozen=True, kw_only=True):
    """Chromium, where pages have to be seen as a customer sees them."""

    program: str = "chromium"
    variables: dict[str, str] = {}
    """Environment variables that it needs."""
