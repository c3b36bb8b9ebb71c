"""The rehearsal's public names, and what is put on disk for each of them.

No resolver knows the names (`.test` is reserved for that): whoever asks connects to a loopback
address and sends the name as SNI and Host.
"""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel.world import HOST

if TYPE_CHECKING:
    import jinja2

    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts.traffic.certificates import Authority, Certificate

EDGE_HOSTS = ("www.bookedbarber.test", "app.bookedbarber.test")
ORIGIN_HOST = "api.bookedbarber.test"
LOCAL = ("localhost", "127.0.0.1")
PUBLIC, OUTSIDE, VPN = "127.0.0.2", "127.0.2.1", "127.0.3.1"
"""Loopback addresses that play networks: what everybody may reach is bound to `PUBLIC` too, all
else to 127.0.0.1 alone, as to a private network; the others are whom connections come from."""


def render(template: str, **values: Any) -> str:
    """A configuration file from its template. Raises jinja2.UndefinedError for a missing value."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> jinja2.Environment:
    import jinja2  # most commands write no configuration

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  configuration files, not pages
    )


def authority(r: Rehearsal) -> Authority:
    """The rehearsal's certificate authority."""
    from rehearsal.parts.traffic.certificates import Authority  # and issue no certificate

    return Authority(r.path("certificates"))


def certificate(r: Rehearsal, server: str, sans: tuple[str, ...]) -> Certificate:
    """The certificate of a server; its setting `certificate_days` is the life it has left."""
    from rehearsal.parts.traffic.certificates import LEAF_DAYS

    days = float(r.setting(server, "certificate_days", LEAF_DAYS))
    return authority(r).issue(server, (*sans, *LOCAL), days=days)


@cache
def public_addresses() -> tuple[str, ...]:
    """`PUBLIC`, where this system has more loopback addresses than one."""
    with socket.socket() as tried:
        try:
            tried.bind((PUBLIC, 0))
        except OSError:
            return ()
    return (PUBLIC,)


def tls(
    r: Rehearsal, name: str, port: str, *, certificate_file: str, **more: str
) -> dict[str, Any]:
    """The table `tls` as far as one listener goes: the public name that it serves under."""
    node = {"host": HOST, "port": r.port(port), "certificate_file": certificate_file}
    return {
        "ca_file": str(authority(r).root),
        "endpoints": [{"name": name, **more, "nodes": [node]}],
    }
