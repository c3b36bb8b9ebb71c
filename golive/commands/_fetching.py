"""Evidence from an address: the page itself from where the signer said, within time and size.

A host that the signer names may be an inner one, such as a wiki of one's own. Nobody else leads
there: redirects are followed on the same host alone, and a name that was an outer address cannot
become an inner one meanwhile.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from golive.verdicts import GoliveError

_MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_SHOWN = 200
"""Characters of an address that a server chose."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was answered, and by which address in the end."""

    url: str
    data: bytes


def fetch(url: str, most_bytes: int, limit_s: float) -> Fetched:
    """What an address answers.

    :param limit_s: seconds that all of it may take, whatever the server does.
    :raises GoliveError: no answer within the limits, or one that leads elsewhere; says where.
    """
    found: list[Fetched | GoliveError] = []
    look = _Look(url, most_bytes, time.monotonic() + limit_s)

    def work() -> None:
        try:
            found.append(look.fetch())
        except GoliveError as e:
            found.append(e)

    # A server can hold up a name, a handshake or a header byte by byte, and nothing interrupts
    # that: the thread is left behind, and ends with the command.
    thread = threading.Thread(target=work, daemon=True, name="golive-fetch")
    thread.start()
    thread.join(limit_s)
    if not found or look.is_late:
        raise GoliveError(
            f"--fetch: {url} takes over {limit_s:g} s; attach a file, or leave --fetch out to"
            " record the link"
        )
    if isinstance(found[0], GoliveError):
        raise found[0]
    return found[0]


def is_inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is not one of the internet's: of this machine, its network, or none."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global or address.is_multicast


class _Look:
    """One address, and where it leads on the same host."""

    def __init__(self, url: str, most_bytes: int, ends: float) -> None:
        self.url, self.most_bytes, self.ends = url, most_bytes, ends
        self.peer: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
        """What was connected to first."""

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self.ends

    def fetch(self) -> Fetched:
        """Follow it.

        :raises GoliveError: as the module's function.
        """
        import requests  # most statements need no network, and this takes a while

        at = self.url
        try:
            with requests.Session() as session:
                for scheme in _PORTS:
                    session.mount(f"{scheme}://", _adapter(self))
                for _ in range(_MOST_HOPS + 1):
                    left_s = max(self.ends - time.monotonic(), 0.001)
                    with session.get(
                        at,
                        stream=True,
                        allow_redirects=False,
                        timeout=left_s,
                        headers={"Accept-Encoding": "identity"},
                    ) as answer:
                        if answer.status_code not in _REDIRECTS:
                            return Fetched(at, self._body(answer))
                        at = self._next(at, answer.headers.get("Location", ""))
        except (requests.RequestException, OSError, ValueError) as e:
            raise GoliveError(f"--fetch: {self.url}: {_cause(e)}") from None
        raise self._refused(f"leads on over {_MOST_HOPS} times", "a page")

    def _body(self, answer: Any) -> bytes:
        if answer.status_code != 200:
            raise GoliveError(
                f"--fetch: {self.url} answers {answer.status_code}; expected 200: attach a file,"
                " or leave --fetch out to record the link"
            )
        data = bytearray()
        for piece in answer.iter_content(2**16):
            data += piece
            if len(data) > self.most_bytes:
                raise GoliveError(
                    f"--fetch: {self.url} is over {self.most_bytes // 2**20} MiB; attach an"
                    " extract, or leave --fetch out to record the link"
                )
            if self.is_late:
                break  # nobody waits for it any more
        return bytes(data)

    def _next(self, at: str, location: str) -> str:
        """Where a redirect leads, if it may."""
        to = urldefrag(urljoin(at, location)).url
        shown = to if len(to) <= _SHOWN else f"{to[:_SHOWN]}..."
        try:
            here, there = urlsplit(at), urlsplit(to)
            ports = [p.port or _PORTS.get(p.scheme) for p in (here, there)]
        except ValueError:
            raise self._refused(
                f"leads to {shown}, which is no address", "the page itself"
            ) from None
        if not location or there.scheme not in _PORTS or not there.hostname:
            raise self._refused(f"leads to {shown}, which is no page", "the page itself")
        if there.username is not None or there.password is not None:
            raise self._refused("leads to an address with a user in it", "the page itself")
        upgraded = (here.scheme, there.scheme, *ports) == ("http", "https", 80, 443)
        same = here.scheme == there.scheme and ports[0] == ports[1]
        if here.hostname != there.hostname or not (same or upgraded):
            raise self._refused(
                f"leads to {shown}, on another host",
                f"the page itself; where that is your evidence: --evidence {shown}",
            )
        return to

    def connected(self, host: str, address: str) -> None:
        """Look at what a connection goes to, before anything is said.

        :raises OSError: the name was an outer address before, and is an inner one now.
        """
        peer = ipaddress.ip_address(address.partition("%")[0])
        self.peer = self.peer or peer
        if is_inner(peer) and not is_inner(self.peer):
            raise OSError(
                f"{host} is {peer} now, an inner address, and was {self.peer}; expected one host"
            )

    def _refused(self, what: str, expected: str) -> GoliveError:
        return GoliveError(f"--fetch: {self.url} {what}; expected {expected}")


def _adapter(look: _Look) -> Any:
    """What connects for requests, and has each connection looked at. Through a proxy, the proxy
    alone is connected to."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def looked_at(connection: Any, sock: Any) -> Any:
        try:
            look.connected(connection.host, sock.getpeername()[0])
        except OSError:
            sock.close()
            raise
        return sock

    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            return looked_at(self, super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> Any:
            return looked_at(self, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *given: Any, **named: Any) -> None:
            super().init_poolmanager(*given, **named)
            pools = {"http": PlainPool, "https": SecurePool}
            self.poolmanager.pool_classes_by_scheme = pools

    return Adapter()


def _cause(error: Exception) -> str:
    """The innermost words of an error of requests."""
    inner: BaseException = error
    while True:
        cause = getattr(inner, "reason", None) or next(
            (a for a in inner.args if isinstance(a, BaseException)), None
        )
        if not isinstance(cause, BaseException):
            break
        inner = cause
    return " ".join(str(inner).split())[:500] or type(inner).__name__
