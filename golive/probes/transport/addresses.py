"""Which declared thing an address belongs to, whether it is written as a name or in numbers."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from golive.verdicts import ProbeError


class Names:
    """Declared names by the addresses they stand for.

    :param declared: name to host and port.
    """

    def __init__(self, declared: Mapping[str, tuple[str, int]]) -> None:
        self._names = {
            address: name
            for name, (host, port) in declared.items()
            for address in spellings(host, port)
        }

    def of(self, host: str, port: int) -> str:
        """The declared name behind an address, or the address itself."""
        known = (self._names.get(address) for address in spellings(host, port))
        return next((name for name in known if name), written(host, port))


def spellings(host: str, port: int) -> list[str]:
    """An address as it is given, and by every number its name resolves to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        found = []  # a name that only another network knows is compared as it is written
    return [written(host, port), *(written(str(entry[4][0]), port) for entry in found)]


def written(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_this_machine(address: str) -> bool:
    """Whether an address in numbers is one of this machine's own."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as tried:
            tried.bind((address, 0))
    except OSError:
        return False
    return True


def own_address(host: str, port: int) -> str:
    """The address that this machine has towards a host; nothing is sent.

    :raises ProbeError: there is no way to it.
    """
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as towards:
            towards.connect(target)
            return str(towards.getsockname()[0])
    except OSError as e:
        step = "check that this machine may reach it"
        raise ProbeError(written(host, port), e.strerror or e, step) from None


def split(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``.

    :raises ValueError: it is not written like that.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host:
        raise ValueError(f"{address!r} is not written as host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
