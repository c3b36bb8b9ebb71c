"""Whom the product talks to outside, and what it tells its users about that."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from golive.environments import Environment
from golive.papers.compliance import ControlMatrix, ProcessingRegister
from golive.probes.saas.launch_tools import Manifest
from golive.probes.traffic.pages import look_up
from golive.probes.transport.answers import paper
from golive.probing import probe
from golive.verdicts import ProbeError

_LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "form": "action"}
"""Tags that make a browser talk to somebody, with the attribute that says to whom."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Hosts outside, by where the product names them."""

    configured: tuple[str, ...]
    on_pages: tuple[str, ...]
    pages: int
    """Pages looked at."""

    @property
    def hosts(self) -> list[str]:
        """All of them."""
        return sorted({*self.configured, *self.on_pages})


@probe()
def outbound(env: Environment, release_manifest: Manifest) -> Outbound:
    """The hosts that the release is configured for, those of the services in the environment
    file, and those that the public pages have a browser talk to."""
    used = (env.mail.url, env.sms.url, env.stripe.url, env.calendar.url)
    services = [host for url in used if (host := urlsplit(url).hostname or "")]
    # A rehearsal's stand-ins are nobody outside.
    configured = [*release_manifest.outbound, *(h for h in services if not _is_here(h))]
    own = {*env.edge.hosts, urlsplit(env.application.url).hostname}
    # By a public name, which the edge answers to and its address does not.
    looked = look_up(
        env, [f"https://{h}{path}" for path in env.application.paths.pages for h in env.edge.hosts]
    )
    pages = [page for page in looked if page.is_there]
    for page in looked:  # a host of its own, for the API say, has no such page
        if urlsplit(page.url).path not in {urlsplit(p.url).path for p in pages}:
            raise ProbeError(page.url, f"status {page.status}", "see application.paths.pages")
    found = {host for page in pages for host in hosts_on(page.text, page.final_url)} - own
    return Outbound(tuple(sorted(set(configured))), tuple(sorted(found)), len(pages))


def hosts_on(html: str, url: str) -> list[str]:
    """The hosts that a browser talks to when it shows a page."""
    reader = _Links()
    reader.feed(html)
    hosts = (urlsplit(urljoin(url, link)).hostname for link in reader.links)
    return sorted({h for h in hosts if h})


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = _LOADING.get(tag)
        self.links += [value for name, value in attrs if name == wanted and value]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to users, and the processors of the register that it does not name."""

    url: str
    status: int
    lacks: tuple[str, ...]

    @property
    def answer(self) -> str:
        """What it answers with."""
        return f"{self.url} (status {self.status})"

    @property
    def omission(self) -> str:
        """Whom it does not name."""
        return f"{self.url}: {', '.join(self.lacks)}"


@probe()
def privacy_notices(env: Environment) -> tuple[Notice, ...]:
    """The privacy notice and the cookie notice, against the register of processors."""
    register = paper(env, ProcessingRegister)
    names = [p.name for p in register.processors]
    return tuple(
        Notice(page.url, page.status, tuple(n for n in names if n not in page.text))
        for page in look_up(env, register.notices)
    )


@dataclass(frozen=True, slots=True)
class EvidenceLinks:
    """The addresses of evidence that a paper names, with the status of each."""

    status: dict[str, int]

    def broken(self, urls: Iterable[str]) -> list[str]:
        """Those that do not lead anywhere."""
        return [
            f"{url} (status {self.status.get(url)})"
            for url in dict.fromkeys(urls)
            if self.status.get(url) != 200
        ]


@probe()
def control_evidence(env: Environment) -> EvidenceLinks:
    """The pages that the matrix of controls names as evidence."""
    pages = look_up(env, [c.evidence for c in paper(env, ControlMatrix).controls])
    return EvidenceLinks({page.url: page.status for page in pages})
