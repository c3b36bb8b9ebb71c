"""Certificates as they are served, at every address behind every name, and as they lie on disk."""

from __future__ import annotations

import ipaddress
import re
import socket
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from golive.environments import Environment, TlsEndpoint, TlsNode
from golive.probes.traffic.plain_http import PlainTraffic
from golive.probes.traffic.surface import Surface, endpoint_of, is_own, may_be_asked
from golive.probes.transport.addresses import spellings, split, written
from golive.probes.transport.http import port_of
from golive.probes.transport.machines import Machine
from golive.probing import import_whole, probe
from golive.sections import declares
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sslyze.plugins.certificate_info._cert_chain_analyzer import (
        CertificateDeploymentAnalysisResult,
    )
    from sslyze.scanner.models import ServerScanRequest, ServerScanResult

_NAMED = 6
"""Endpoints that an error spells out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """A certificate that a server sent."""

    subject: str
    fingerprint: str
    """SHA-256, in hexadecimal."""
    expires_at: datetime
    days_left: float
    key: str
    """Kind and size, e.g. ``RSA 2048`` or ``EC secp256r1``."""
    key_is_strong: bool
    """At least RSA 2048 or P-256, or an Edwards curve."""
    is_leaf: bool

    def __str__(self) -> str:
        return f"{self.subject} ({self.key})"


@dataclass(frozen=True, slots=True)
class Served:
    """One chain that one address serves for a name; an address may have one per kind of key."""

    name: str
    address: str
    chain: tuple[ServedCertificate, ...]
    """The leaf, and the intermediates that the server sent along."""
    names: tuple[str, ...]
    """The leaf's alternative names."""
    distrust: str
    """Why the chain is not trusted or not complete; empty when it is both."""

    @property
    def leaf(self) -> ServedCertificate:
        return self.chain[0]

    @property
    def covers_name(self) -> bool:
        """Whether an alternative name of the leaf is, or matches, the endpoint's name."""
        return any(_covers(pattern, self.name) for pattern in self.names)

    def __str__(self) -> str:
        return f"{self.name} at {self.address}"


@dataclass(frozen=True, slots=True)
class InstalledCertificate:
    """A certificate file beside what is served from it."""

    name: str
    address: str
    file: str
    fingerprint: str
    served: tuple[str, ...]
    """Fingerprints of the leaves that the address serves."""
    others: tuple[ServedCertificate, ...] = ()
    """What follows in the file, without roots."""
    served_chains: tuple[tuple[str, ...], ...] = ()
    """Fingerprints of the whole chains that the address serves."""
    error: str = ""
    """Why the file could not be served as it is; empty where it could."""

    @property
    def is_served(self) -> bool:
        return self.fingerprint in self.served

    @property
    def flaw(self) -> str:
        """In what the file is not what is served; empty where it is. A file of the leaf alone is
        right: the rest may stand in another."""
        if not self.is_served:
            return f"holds {self.fingerprint[:12]}"
        found = (self.fingerprint, *(c.fingerprint for c in self.others))
        if self.error or not self.others or found in {c[: len(found)] for c in self.served_chains}:
            return self.error
        return f"continues with {self.others[0].subject}, and what is served does not"

    def __str__(self) -> str:
        return f"{self.file} of {self.name} at {self.address}"


@dataclass(frozen=True, slots=True)
class TlsEstate:
    """Every declared TLS endpoint, and what should be declared and is not."""

    served: tuple[Served, ...]
    installed: tuple[InstalledCertificate, ...]
    undeclared: tuple[str, ...]
    """Names on nodes that the rest of the environment file serves over TLS."""
    expected: int
    """How many such names on nodes there are."""
    reached: int | Unseen
    """How many endpoints were looked at; unseen where one could not be, or where the product's
    pages could not be read for others."""
    met: tuple[str, ...]
    """Endpoints that no one declares and clients meet all the same: the product's pages name them,
    or plain HTTP is sent there. They are looked at like those that are declared."""

    @property
    def days_left(self) -> dict[str, float]:
        """Of every leaf and intermediate, by where it is served, and of what else is in a file."""
        served = {f"{s}: {c}": c.days_left for s in self.served for c in s.chain}
        return served | {f"{i}: {c}": c.days_left for i in self.installed for c in i.others}

    @property
    def misnamed(self) -> list[str]:
        """Chains whose leaf does not carry the endpoint's name."""
        return [
            f"{s} has {', '.join(s.names) or 'no name'}" for s in self.served if not s.covers_name
        ]

    @property
    def unverified(self) -> list[str]:
        """Chains that are incomplete or not trusted, with the reason."""
        return [f"{s}: {s.distrust}" for s in self.served if s.distrust]

    @property
    def stale_files(self) -> list[str]:
        """Certificate files that hold something else than what is served."""
        return [f"{i} {i.flaw}" for i in self.installed if i.flaw]

    @property
    def weak_keys(self) -> list[str]:
        """Leaves and intermediates whose key is too small, and where they are served or lie."""
        served = [f"{s}: {c}" for s in self.served for c in s.chain if not c.key_is_strong]
        files = [f"{i}: {c}" for i in self.installed for c in i.others if not c.key_is_strong]
        return served + files

    @property
    def divided_names(self) -> list[str]:
        """Names whose nodes do not all serve the same leaves."""
        divided: list[str] = []
        for name in dict.fromkeys(s.name for s in self.served):
            leaves: dict[str, set[str]] = {}
            for s in self.served:
                if s.name == name:
                    leaves.setdefault(s.address, set()).add(s.leaf.fingerprint)
            if len({frozenset(found) for found in leaves.values()}) > 1:
                shown = "; ".join(
                    f"{address} serves {', '.join(sorted(f[:12] for f in found))}"
                    for address, found in leaves.items()
                )
                divided.append(f"{name}: {shown}")
        return divided


@probe()
def tls_estate(env: Environment, surface: Surface, plain_http: PlainTraffic) -> TlsEstate:
    """Every declared TLS endpoint at every address, by handshake with its name, and its files; and
    every other one that the product's pages and redirects lead to."""
    known = [(e, seen(_nodes, e)) for e in env.tls.endpoints]
    errors = [nodes.error for _, nodes in known if isinstance(nodes, Unseen)]
    targets = [(e, node) for e, nodes in known if not isinstance(nodes, Unseen) for node in nodes]
    met = seen(_met, env, surface, plain_http, targets)
    others = [] if isinstance(met, Unseen) else [_as_endpoint(name) for name in met]
    looks = _scan(env, [*targets, *others])
    errors += [look.error for look in looks if isinstance(look, Unseen)]
    if errors and all(isinstance(look, Unseen) for look in looks):
        raise errors[0]
    if isinstance(met, Unseen):
        errors.append(met.error)
    served = [() if isinstance(look, Unseen) else look for look in looks]
    installed = tuple(
        _installed(endpoint, node, served[n])
        for n, (endpoint, node) in enumerate(targets)
        if node.certificate_file and served[n]
    )
    expected = _expected(env)
    declared = {
        (endpoint.name, address)
        for endpoint, node in targets
        for address in spellings(node.host, node.port)
    }
    undeclared = tuple(
        f"{name or 'any name'} at {written(host, port)}"
        for name, host, port in expected
        if not any(
            (known, address) in declared
            for address in spellings(host, port)
            for known in ([name] if name else [e.name for e in env.tls.endpoints])
        )
    )
    return TlsEstate(
        served=tuple(one for each in served for one in each),
        installed=installed,
        undeclared=undeclared,
        expected=len(expected),
        reached=len(looks) if not errors else Unseen(_together(errors)),
        met=() if isinstance(met, Unseen) else met,
    )


def _together(errors: list[ProbeError]) -> ProbeError:
    """One error that names everything that could not be looked at."""
    more = f" and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
    subject = ", ".join(e.subject for e in errors[:_NAMED]) + more
    return ProbeError(subject, errors[0].cause, errors[0].next_step)


def _as_endpoint(endpoint: str) -> tuple[TlsEndpoint, TlsNode]:
    host, port = split(endpoint)
    return TlsEndpoint(name=host), TlsNode(host=host, port=port)


def _met(
    env: Environment,
    surface: Surface,
    plain: PlainTraffic,
    targets: list[tuple[TlsEndpoint, TlsNode]],
) -> tuple[str, ...]:
    """Endpoints of the product's own that pages or redirects lead to and nobody declares.

    :raises ProbeError: the pages could not be read, or one must not be asked from here.
    """
    if isinstance(surface.named, Unseen):
        raise surface.named.error
    found = set(surface.named)
    for traffic in (plain.edge, plain.balancer):
        if not isinstance(traffic, Unseen):  # which those items tell that judge it
            found |= {one for one in traffic.sent_to if is_own(env, split(one)[0])}
    if declares(env, "status_page.public_url"):
        with suppress(ValueError):
            public = endpoint_of(env.status_page.public_url)
            found |= {public} if public and is_own(env, split(public)[0]) else set()
    known = {(e.name.lower(), node.port) for e, node in targets}
    known |= {(e.name.lower(), 443) for e, _ in targets}  # as the world outside knows it
    at = {address for _, node in targets for address in spellings(node.host, node.port)}
    others = sorted(
        one
        for one in found
        if (split(one)[0].lower(), split(one)[1]) not in known and one not in at
    )
    if strange := [one for one in others if not may_be_asked(env, split(one)[0])]:
        cause = "a rehearsal asks nobody outside this machine"
        raise ProbeError(", ".join(strange), cause, "declare them in tls.endpoints")
    return tuple(others)


def accepted_versions(name: str, host: str, port: int, limit_s: float) -> tuple[str, ...]:
    """The protocol versions, SSL 3.0 to TLS 1.3, that a server completes a handshake with.

    :raises ProbeError: it cannot be connected to, or completes none.
    """
    import_whole("sslyze")
    from sslyze.connection_helpers.tls_connection import SslConnection
    from sslyze.errors import ConnectionToServerFailed, TlsHandshakeFailed
    from sslyze.server_connectivity import TlsVersionEnum
    from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

    # Its own OpenSSL speaks the old versions; the system's often cannot, and would see a
    # refusal where there is only its own.
    location = ServerNetworkLocation(hostname=name, port=port, ip_address=_ip_of(host, port))
    how = ServerNetworkConfiguration(
        tls_server_name_indication=name, network_timeout=max(1, round(limit_s))
    )
    accepted: list[str] = []
    for version in TlsVersionEnum:
        if version is TlsVersionEnum.SSL_2_0:
            continue  # has a greeting of its own that no current server library knows
        connection = SslConnection(location, how, version, should_ignore_client_auth=True)
        if version is not TlsVersionEnum.TLS_1_3:
            connection.ssl_client.set_cipher_list("ALL:COMPLEMENTOFALL:-PSK:-SRP")
        try:
            connection.connect(should_retry_connection=False)
            accepted.append(version.name.replace("_", " ", 1).replace("_", "."))
        except TlsHandshakeFailed:
            pass
        except (ConnectionToServerFailed, OSError) as e:
            raise ProbeError(
                f"{name} at {written(host, port)}",
                getattr(e, "error_message", e),
                "check that it runs, and its address in the environment file",
            ) from None
        finally:
            connection.close()
    if not accepted:
        raise ProbeError(
            f"{name} at {written(host, port)}",
            "no protocol version completes a handshake",
            "check that this port speaks TLS",
        )
    return tuple(accepted)


def _nodes(endpoint: TlsEndpoint) -> list[TlsNode]:
    if endpoint.nodes:
        return list(endpoint.nodes)
    try:
        found = socket.getaddrinfo(endpoint.name, 443, type=socket.SOCK_STREAM)
    except OSError as e:
        raise ProbeError(
            f"the addresses of {endpoint.name}", e, "check the name, or list tls.endpoints.nodes"
        ) from None
    return [TlsNode(host=host) for host in dict.fromkeys(str(entry[4][0]) for entry in found)]


def _expected(env: Environment) -> list[tuple[str, str, int]]:
    """Name, host and port of all that is served over TLS; no name where any will do."""
    found = [(host, n.host, n.port) for host in env.edge.hosts for n in env.edge.nodes]
    for url in dict.fromkeys((env.balancer.url, env.application.url)):
        parts = urlsplit(url)
        # A public host is already expected on every node of the edge.
        if parts.scheme == "https" and parts.hostname and parts.hostname not in env.edge.hosts:
            found.append(("", parts.hostname, port_of(url)))
    if env.postgres.sslmode in {"require", "verify-ca", "verify-full"}:
        # Those who connect to a pooler insist on the same.
        found += [("", n.host, n.port) for n in (*env.postgres.nodes, *env.postgres.poolers)]
    if env.redis.tls:
        found += [("", n.host, n.port) for n in (*env.redis.nodes, *env.redis.sentinels)]
    return found


def _scan(
    env: Environment, targets: list[tuple[TlsEndpoint, TlsNode]]
) -> list[tuple[Served, ...] | Unseen]:
    """What each target serves, in the same order; unseen where it could not be looked at."""
    import_whole("sslyze")
    from sslyze.scanner.scanner import Scanner

    if not targets:
        return []
    # Of roots that the library brings along, nothing that is looked at here.
    warnings.filterwarnings("ignore", message="Parsed a serial number", module=r"sslyze\.")
    requests = [seen(_request, env, endpoint, node) for endpoint, node in targets]
    valid = [request for request in requests if not isinstance(request, Unseen)]
    results = {}
    if valid:
        scanner = Scanner(concurrent_server_scans_limit=len(valid))
        scanner.queue_scans(valid)
        results = {result.uuid: result for result in scanner.get_results()}
    return [
        request
        if isinstance(request, Unseen)
        else seen(_read, env, endpoint, node, results[request.uuid])
        for (endpoint, node), request in zip(targets, requests, strict=True)
    ]


def _request(env: Environment, endpoint: TlsEndpoint, node: TlsNode) -> ServerScanRequest:
    from sslyze.connection_helpers.opportunistic_tls_helpers import (
        ProtocolWithOpportunisticTlsEnum,
    )
    from sslyze.plugins.certificate_info.implementation import CertificateInfoExtraArgument
    from sslyze.plugins.scan_commands import ScanCommand
    from sslyze.scanner.models import ScanCommandsExtraArguments, ServerScanRequest
    from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

    extra = ScanCommandsExtraArguments()
    if env.tls.ca_file:
        try:
            trust = CertificateInfoExtraArgument(custom_ca_file=Path(env.tls.ca_file))
        except ValueError as e:
            raise ProbeError("the trusted roots", e, "check tls.ca_file") from None
        extra = ScanCommandsExtraArguments(certificate_info=trust)
    greeting = ProtocolWithOpportunisticTlsEnum.POSTGRES
    return ServerScanRequest(
        server_location=ServerNetworkLocation(
            hostname=endpoint.name, port=node.port, ip_address=_ip_of(node.host, node.port)
        ),
        network_configuration=ServerNetworkConfiguration(
            tls_server_name_indication=endpoint.name,
            tls_opportunistic_encryption=greeting if endpoint.protocol == "postgres" else None,
            network_timeout=max(1, round(env.time_limits.connect)),
            network_max_retries=1,
        ),
        scan_commands={ScanCommand.CERTIFICATE_INFO},
        scan_commands_extra_arguments=extra,
    )


def _read(
    env: Environment, endpoint: TlsEndpoint, node: TlsNode, result: ServerScanResult
) -> tuple[Served, ...]:
    subject = f"{endpoint.name} at {written(node.host, node.port)}"
    step = "check that it runs and speaks TLS, and its address in tls.endpoints"
    if result.scan_result is None:
        trace = result.connectivity_error_trace
        raise ProbeError(subject, trace.exc_type and str(trace) if trace else "no connection", step)
    attempt = result.scan_result.certificate_info
    if attempt.result is None:
        raise ProbeError(subject, attempt.error_trace or "the handshake failed", step)
    found = attempt.result.certificate_deployments
    if not found:
        raise ProbeError(subject, "it sends no certificate", step)
    return tuple(_served(env, endpoint, node, deployment) for deployment in found)


def _served(
    env: Environment,
    endpoint: TlsEndpoint,
    node: TlsNode,
    deployment: CertificateDeploymentAnalysisResult,
) -> Served:
    # The environment's own roots where it names some, otherwise what Firefox trusts.
    store = "Supplied CA file" if env.tls.ca_file else "Mozilla"
    path = next(p for p in deployment.path_validation_results if p.trust_store.name == store)
    leaf, *sent = deployment.received_certificate_chain
    # A root that is sent along is judged by the client's copy, not by the server's.
    intermediates = [c for c in sent if c.subject != c.issuer]
    return Served(
        name=endpoint.name,
        address=written(node.host, node.port),
        chain=tuple(_certificate(c, c is leaf) for c in (leaf, *intermediates)),
        names=tuple(_alternative_names(leaf)),
        distrust=_distrust(path.validation_error, len(intermediates)),
    )


def _distrust(error: str | None, intermediates: int) -> str:
    if error is None:
        return ""
    if "candidates exhausted" in error and "no interior errors" in error:
        error = "no path leads from it to a trusted root"
    return f"{error}; it sends {intermediates} intermediate{'s' * (intermediates != 1)}"


def _certificate(certificate: Certificate, is_leaf: bool) -> ServedCertificate:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        kind, strong = f"RSA {key.key_size}", key.key_size >= 2048
    elif isinstance(key, ec.EllipticCurvePublicKey):
        kind, strong = f"EC {key.curve.name}", key.curve.key_size >= 256
    else:
        strong = isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
        kind = type(key).__name__.removeprefix("_").removesuffix("PublicKey")
    expires_at = certificate.not_valid_after_utc
    return ServedCertificate(
        subject=certificate.subject.rfc4514_string() or "a certificate without subject",
        fingerprint=_fingerprint(certificate),
        expires_at=expires_at,
        days_left=(expires_at - datetime.now(UTC)).total_seconds() / 86_400,
        key=kind,
        key_is_strong=strong,
        is_leaf=is_leaf,
    )


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256()).hex()


def _installed(
    endpoint: TlsEndpoint, node: TlsNode, served: tuple[Served, ...]
) -> InstalledCertificate:
    from cryptography.x509 import load_pem_x509_certificates

    text = Machine(node.address).read(node.certificate_file)
    try:
        leaf, *others = load_pem_x509_certificates(text.encode())
    except ValueError as e:
        raise ProbeError(
            f"{node.certificate_file} on {node.address}",
            e,
            "check certificate_file: it is expected to begin with the served certificate in PEM",
        ) from None
    return InstalledCertificate(
        endpoint.name,
        written(node.host, node.port),
        node.certificate_file,
        _fingerprint(leaf),
        tuple(s.leaf.fingerprint for s in served),
        tuple(_certificate(c, is_leaf=False) for c in others if c.subject != c.issuer),
        tuple(tuple(c.fingerprint for c in s.chain) for s in served),
        _error([leaf, *others], text),
    )


_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL
)


def _error(certificates: list[Certificate], text: str) -> str:
    """Why a file's certificates are no chain, or none of the keys in it is the first one's."""
    from cryptography.exceptions import InvalidSignature

    for number, issuer in enumerate(certificates[1:], 1):
        for before in certificates[:number]:
            try:
                before.verify_directly_issued_by(issuer)
                break
            except (ValueError, TypeError, InvalidSignature):
                continue
        else:
            subject = issuer.subject.rfc4514_string()
            return f"has as number {number + 1} {subject}, which issued none of those before it"
    keys = [_public(match[0]) for match in _KEY.finditer(text)]
    if keys and None not in keys and certificates[0].public_key() not in keys:
        return "has a key that is not its first certificate's"
    return ""


def _public(pem: str) -> object:
    """The public key of a private one; None where it is encrypted or of an unknown kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem.encode(), password=None).public_key()
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None


def _alternative_names(certificate: Certificate) -> list[str]:
    from cryptography.x509 import DNSName, ExtensionNotFound, IPAddress, SubjectAlternativeName

    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return []
    return [
        *found.get_values_for_type(DNSName),
        *(str(address) for address in found.get_values_for_type(IPAddress)),
    ]


def _covers(pattern: str, name: str) -> bool:
    """Whether an alternative name stands for ``name`` (RFC 9525: a ``*`` is one whole label)."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern == name:
        return True
    first, _, rest = pattern.partition(".")
    return first == "*" and "." in rest and name.partition(".")[2] == rest


def _ip_of(host: str, port: int) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as e:
        raise ProbeError(f"the address of {host}", e, "check the name") from None
