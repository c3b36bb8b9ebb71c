"""Web pages at addresses that papers and statements name."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

from golive.environments import Environment
from golive.probes.transport.answers import Answers, answers
from golive.probes.transport.http import Address, client, shown
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests

_MOST_BYTES = 1024 * 1024
_MOST_HOPS = 6
_SHARE_OF_LIMIT = 0.9
_UNSEEN = frozenset({"script", "style", "template"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Page:
    """What an address answered with."""

    url: str
    status: int
    final_url: str
    """Where its redirects ended."""
    hops: tuple[str, ...]
    """The addresses on the way, the first and the last one included."""
    sha256: str
    """Of the content as it came, up to 1 MiB."""
    text: str
    """The same as text; bytes that are none are replaced."""
    complete: bool
    """Whether that is all of it."""

    @property
    def is_there(self) -> bool:
        """Whether it answers with 200."""
        return self.status == 200

    @property
    def words(self) -> str:
        """What a reader sees of it, with single blanks."""
        return " ".join(" ".join(_Reader.of(self.text).texts).split())

    @property
    def links(self) -> list[str]:
        """The addresses that it links to."""
        found = [urljoin(self.final_url, link) for link in _Reader.of(self.text).links]
        return list(dict.fromkeys(found))

    def __str__(self) -> str:
        moved = f", sent on to {shown(self.final_url)}" if len(self.hops) > 1 else ""
        return f"{shown(self.url)} (status {self.status}{moved})"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self._unseen = 0

    @classmethod
    def of(cls, html: str) -> _Reader:
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        self.links += [value for name, value in attrs if (tag, name) == ("a", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.texts.append(data)


@dataclass(frozen=True, slots=True)
class Link:
    """Where an address that a paper names leads to."""

    url: str
    status: int
    final_url: str
    """Where its redirects ended."""
    words: str = ""
    """What a reader sees there, where that was asked for."""
    links: tuple[str, ...] = ()
    """The addresses that it links to, likewise."""

    @property
    def is_there(self) -> bool:
        """Whether it answers with 200."""
        return self.status == 200

    def is_at(self, hosts: Iterable[str]) -> bool:
        """Whether it answers with 200, and its redirects end on one of these hosts."""
        return self.is_there and urlsplit(self.final_url).hostname in set(hosts)

    def has_parameter(self, name: str) -> bool:
        """Whether the address where its redirects end has a value of that query parameter."""
        return bool(parse_qs(urlsplit(self.final_url).query).get(name))

    def __str__(self) -> str:
        moved = f", sent on to {shown(self.final_url)}" if self.final_url != self.url else ""
        return f"{shown(self.url)} (status {self.status}{moved})"


def follow(env: Environment, urls: Iterable[str], *, read: Iterable[str] = ()) -> Answers[Link]:
    """Where each address leads to, asked as by :func:`look_up`; one that cannot be asked says so
    for itself.

    :param read: those whose content counts, too.
    """
    contents = set(read)

    def link(url: str) -> Link:
        page = look(url)
        if url not in contents:
            return Link(page.url, page.status, page.final_url)
        return Link(page.url, page.status, page.final_url, page.words, tuple(page.links))

    look = _looker(env)
    return answers(urls, link)


def look_up(env: Environment, urls: Iterable[str]) -> tuple[Page, ...]:
    """What each address answers with, in the order given and each once.

    A host of ``edge.hosts`` is asked at the edge's own address. A rehearsal asks nobody outside
    this machine. All together may take nine tenths of ``time_limits.probe``, so that it is reported
    which did not answer before the probe's own time is up.

    :raises ProbeError: an address cannot be asked or does not answer; names every such one. An
        answer of any status is an answer.
    """
    wanted = list(urls)
    return tuple(answers(wanted, _looker(env)).of(wanted).values())


def _looker(env: Environment) -> Callable[[str], Page]:
    """What looks an address up; all that it looks up share one time limit."""
    deadline = time.monotonic() + _SHARE_OF_LIMIT * env.time_limits.probe

    def look(url: str) -> Page:
        try:
            return _look(env, url, deadline)
        except ValueError as e:  # a redirect to what is no address at all
            cause = f"it is sent on to no address: {e}"
            raise ProbeError(shown(url), cause, "fix the link") from None

    return look


def _look(env: Environment, url: str, deadline: float) -> Page:
    hops = [url]
    while True:
        at, own = _where(env, hops[-1])
        with client(env, at, foreign=not own) as http, http.streamed(hops[-1]) as response:
            to = response.headers.get("Location", "")
            if response.status_code not in _REDIRECTS or not to:
                content, complete = _content(response, url, deadline)
                return Page(
                    url=url,
                    status=response.status_code,
                    final_url=hops[-1],
                    hops=tuple(hops),
                    sha256=hashlib.sha256(content).hexdigest(),
                    text=_decoded(content, response.encoding),
                    complete=complete,
                )
        hops.append(urljoin(hops[-1], to))
        if len(hops) > _MOST_HOPS:
            raise ProbeError(
                shown(url), f"it is sent on more than {_MOST_HOPS - 1} times", "fix the link"
            )
        _in_time(url, deadline)


def _where(env: Environment, url: str) -> tuple[Address | None, bool]:
    """Where to connect for a URL, if not where DNS says, and whether the host is the product's.

    :raises ProbeError: it is no address of a web page, or one outside a rehearsal's machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in {"http", "https"} or not host:
        raise ProbeError(repr(url[:200]), "it is no http or https address", "fix the link")
    if host in env.edge.hosts:
        for node in env.edge.nodes:
            served = node.port if parts.scheme == "https" else node.http_port
            if port in (None, served):
                return Address(node.host, served), True
    if env.is_rehearsal and not _is_loopback(host):
        raise ProbeError(
            shown(url), "a rehearsal asks nobody outside this machine", "name a page of its own"
        )
    return None, host in {urlsplit(env.application.url).hostname, *env.edge.hosts}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _content(response: requests.Response, url: str, deadline: float) -> tuple[bytes, bool]:
    """The content, cut off at the limit, and whether it is all."""
    import requests

    content = b""
    try:
        for piece in response.iter_content(16 * 1024):
            content += piece
            if len(content) > _MOST_BYTES:
                return content[:_MOST_BYTES], False
            _in_time(url, deadline)
    except (requests.RequestException, OSError) as e:
        raise ProbeError(shown(url), e, "look again") from None
    return content, True


def _in_time(url: str, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise ProbeError(
            shown(url), "it was not there in time", "look again, or raise time_limits.probe"
        )


def _decoded(content: bytes, charset: str | None) -> str:
    # requests takes ISO-8859-1 for a text that names no charset; pages today are UTF-8.
    try:
        return content.decode(charset if charset not in (None, "ISO-8859-1") else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return content.decode("utf-8", errors="replace")
