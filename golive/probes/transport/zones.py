"""Connections from somewhere else: another machine, or another address of this one.

Whether a listener is to be seen from outside is only told by somebody outside. A connection that
is accepted counts as open, whatever becomes of it then.
"""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from golive.environments import Environment, Zone
from golive.probes.transport.addresses import split, written
from golive.probes.transport.http import port_of, shown
from golive.probes.transport.machines import Machine
from golive.verdicts import ProbeError, Unseen

_AT_ONCE = 32
_REFUSING = frozenset({403, 404, 410, 421})
"""Statuses that give nothing away: not even that somebody with a password would get in."""
_MOST_BYTES = 1 << 20
_LIKE_PERCENT = 2.0
"""Two pages of one template differ by a nonce or the path, and hardly in length."""
_KNOCK = """
for at in "$@"; do (
  host=${at%|*}; port=${at##*|}
  said=$(timeout "$LIMIT" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>&1)
  echo "$at $? $(echo $said)"
) & done; wait
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request from a zone."""

    is_open: bool | Unseen
    how: str
    """In a word or two: connected, refused, status 200 ..."""


class Place:
    """A zone as something to connect from.

    :param name: what the environment file calls it.
    """

    def __init__(self, env: Environment, zone: Zone, name: str) -> None:
        self._zone = zone
        self._name = name
        self._limit_s = env.time_limits.connect
        self._machine = Machine(zone.address)

    def knock(self, targets: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Answer]:
        """Try a TCP connection to each host and port.

        :raises ProbeError: nothing can be tried from there.
        """
        wanted = list(dict.fromkeys(targets))
        if not self._machine.is_local:
            return self._knocked_there(wanted)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(wanted, pool.map(lambda at: self._knocked(*at), wanted), strict=True))

    def get(self, url: str, at: str = "") -> Answer:
        """Ask for a URL, and tell what refuses from what answers. The certificate is not judged:
        an interface is as open under a wrong one.

        :param at: host and port to connect to, where the URL's own name is not to be resolved.
        :raises ProbeError: nothing can be tried from there.
        """
        found = self._fetched(url, at)
        if isinstance(found, Answer):
            return found
        status = found[0]
        if status in _REFUSING:
            return Answer(False, f"status {status}")
        if status >= 500 or status == 400:
            cause = f"status {status}, which neither refuses nor answers"
            step = "see that it runs, and check its address in the environment file"
            return Answer(Unseen(ProbeError(shown(url), cause, step)), f"status {status}")
        if status < 400 and urlsplit(url).path.strip("/"):
            nowhere = urlsplit(url)._replace(path=f"/golive-{secrets.token_hex(8)}", query="")
            other = self._fetched(nowhere.geturl(), at)
            if not isinstance(other, Answer) and _alike(found, other):
                return Answer(False, f"status {status}, as for any path")
        return Answer(True, f"status {status}")

    # -- from this machine -----------------------------------------------------------------------

    def _connect(self, host: str, port: int) -> socket.socket:
        source = (self._zone.source, 0) if self._zone.source else None
        return socket.create_connection((host, port), self._limit_s, source)

    def _knocked(self, host: str, port: int) -> Answer:
        try:
            with self._connect(host, port):
                return Answer(True, "connected")
        except OSError as e:
            return self._explained(e, written(host, port))

    def _explained(self, error: OSError, target: str) -> Answer:
        if isinstance(error, socket.gaierror):
            return Answer(False, "no such name")
        if isinstance(error, TimeoutError):
            return Answer(False, "no answer")
        if isinstance(error, ConnectionRefusedError) or error.errno == errno.EHOSTUNREACH:
            return Answer(False, "refused")
        if error.errno == errno.EADDRNOTAVAIL and self._zone.source:
            raise ProbeError(
                f"connections from {self._name}",
                f"{self._zone.source} is no address of this machine",
                f"correct network.{self._name}.source",
            ) from None
        step = f"try to connect from network.{self._name} by hand"
        return Answer(Unseen(ProbeError(target, error.strerror or error, step)), "not tried")

    def _fetched(self, url: str, at: str) -> tuple[int, int, str] | Answer:
        """Status, length and type of an answer."""
        parts = urlsplit(url)
        host, port = split(at) if at else (parts.hostname or "", port_of(url))
        if not self._machine.is_local:
            return self._fetched_there(url, at)
        try:
            connection = self._connect(host, port)
        except OSError as e:
            return self._explained(e, written(host, port))
        with connection:
            spoken = HTTPConnection(parts.hostname or host, port, timeout=self._limit_s)
            try:
                spoken.sock = _encrypted(connection, parts.hostname) if _is_tls(url) else connection
                path = parts.path or "/"
                spoken.request(
                    "GET",
                    f"{path}?{parts.query}" if parts.query else path,
                    headers={"Host": parts.netloc.rpartition("@")[2], "Connection": "close"},
                )
                answer = spoken.getresponse()
                content = answer.read(_MOST_BYTES)
            except ssl.SSLError:
                return Answer(False, "no TLS for strangers")
            except TimeoutError:
                step = "raise time_limits.connect"
                return Answer(Unseen(ProbeError(shown(url), "no answer in time", step)), "silent")
            except (HTTPException, OSError):
                return Answer(False, "hung up")
            finally:
                spoken.close()
        kind = answer.headers.get_content_type()
        return answer.status, len(content.replace(path.encode(), b"")), kind

    # -- from another machine --------------------------------------------------------------------

    def _knocked_there(self, targets: list[tuple[str, int]]) -> dict[tuple[str, int], Answer]:
        words = [f"{host}|{port}" for host, port in targets]
        limit = f"LIMIT={max(1, round(self._limit_s))}"
        out = self._machine.answer("env", limit, "bash", "-c", _KNOCK, "knock", *words)
        said = {}
        for line in out.splitlines():
            at, _, rest = line.partition(" ")
            status, _, words_said = rest.partition(" ")
            said[at] = (status, words_said)
        return {t: self._read(said.get(f"{t[0]}|{t[1]}"), written(*t)) for t in targets}

    def _read(self, said: tuple[str, str] | None, target: str) -> Answer:
        status, words = said or ("", "bash said nothing of it")
        if status == "0":
            return Answer(True, "connected")
        if status == "124":
            return Answer(False, "no answer")
        known = {"refused": "refused", "No route to host": "refused", "not known": "no such name"}
        for sign, how in known.items():
            if sign in words:
                return Answer(False, how)
        step = f"see that bash and timeout are there on {self._zone.address}"
        return Answer(Unseen(ProbeError(target, words or f"status {status}", step)), "not tried")

    def _fetched_there(self, url: str, at: str) -> tuple[int, int, str] | Answer:
        parts = urlsplit(url)
        elsewhere = f"{parts.hostname}:{port_of(url)}:{at}"
        where = ["--connect-to", elsewhere] if at else []
        form = "%{http_code} %{size_download} %{content_type}"
        limit = str(max(1, round(2 * self._limit_s)))
        done = self._machine.run(
            *("curl", "-sS", "-k", "-o", "/dev/null", "--max-time", limit),
            *("--noproxy", "*", "-w", form, *where, url),
        )
        status, _, rest = done.out.partition(" ")
        if status.isdigit() and int(status):
            size, _, kind = rest.partition(" ")
            return int(status), int(size or 0), kind.partition(";")[0].strip()
        # What curl's own exit statuses mean: https://curl.se/libcurl/c/libcurl-errors.html
        known = {
            6: "no such name",
            7: "refused",
            28: "no answer",
            35: "no TLS for strangers",
            52: "hung up",
            56: "hung up",
        }
        if done.status in known:
            return Answer(False, known[done.status])
        step = f"see that curl is there on {self._zone.address}"
        return Answer(Unseen(ProbeError(shown(url), done.complaint, step)), "not tried")


def is_outside(host: str) -> bool:
    """Whether somebody on the internet could connect to a host, as far as can be told here: what
    has but private addresses is not. A name that nobody here resolves may be."""
    if not host or host.startswith("/"):  # the folder of a socket
        return False
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return True
    return any(ipaddress.ip_address(one.partition("%")[0]).is_global for one in found)


def told(answers: Mapping[tuple[str, int], Answer]) -> tuple[list[str], Unseen | None]:
    """Targets that answered, and why one could not be tried."""
    found = [written(*at) for at, one in answers.items() if one.is_open is True]
    unseen = [one.is_open for one in answers.values() if isinstance(one.is_open, Unseen)]
    return found, unseen[0] if unseen else None


def _alike(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Whether two answers, as status, length and type, are one page that names its path."""
    apart = abs(one[1] - other[1])
    return one[::2] == other[::2] and apart <= max(one[1], 50) * _LIKE_PERCENT / 100


def _is_tls(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _encrypted(connection: socket.socket, name: str | None) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=name)
